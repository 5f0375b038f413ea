package gitlab_test

import (
	"context"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cairn/collectors"
	"cairn/collectors/gitlab"
	"cairn/collectors/gitlab/gitlabtest"
	"cairn/internal/event"
	"cairn/internal/rules"
)

// clock is the time of a test. Sleeping passes it on at once.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func TestBehindTheTransportFaultsPassUnseen(t *testing.T) {
	for _, kind := range gitlabtest.FaultKinds() {
		t.Run(string(kind), func(t *testing.T) {
			cfg := small
			cfg.Projects = 2
			f := newForge(t, cfg)
			c := &clock{now: gitlabtest.Epoch}
			credential, err := gitlab.NewCredential(f.config, http.DefaultTransport)
			if err != nil {
				t.Fatal(err)
			}
			transport := collectors.DefaultTransportConfig()
			transport.Next, transport.Now, transport.Sleep, transport.Jitter = credential, c.Now, c.Sleep, func() float64 { return 0.5 }
			r, err := rules.New(f.rules)
			if err != nil {
				t.Fatal(err)
			}
			f.connection, err = gitlab.New(f.config, r, &http.Client{Transport: collectors.NewTransport(transport)}, gitlab.Clones{})
			if err != nil {
				t.Fatal(err)
			}
			f.Chaos(0.1, func(context.Context) error { return nil }, kind)
			f.read()
			f.isTrue()
			if len(f.failures) > 0 {
				t.Errorf("%v turns failed", f.failures)
			}
		})
	}
}

func TestCommitsAreReadFromAClone(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is absent")
	}
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1, Changes: 1, Runs: 1, Deployments: 1, Issues: 1})
	root, work := t.TempDir(), t.TempDir()
	git := func(dir string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@acme.example", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@acme.example",
			"GIT_AUTHOR_DATE=2026-01-02T10:00:00Z", "GIT_COMMITTER_DATE=2026-01-02T10:00:00Z")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git(work, "init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(work, "a.txt"), []byte("a"), 0o666); err != nil {
		t.Fatal(err)
	}
	git(work, "add", ".")
	git(work, "commit", "-q", "-m", "first")
	git(work, "tag", "v1.0.0")
	sha := git(work, "rev-parse", "HEAD")
	bare := filepath.Join(root, "acme", "svc-0000.git")
	if err := os.MkdirAll(filepath.Dir(bare), 0o777); err != nil {
		t.Fatal(err)
	}
	git(root, "clone", "-q", "--bare", work, bare)
	git(bare, "config", "uploadpack.allowFilter", "true")
	clones := &cgi.Handler{
		Path: filepath.Join(git(root, "--exec-path"), "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	api := f.server.Config.Handler
	authorized := false
	f.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/acme/") {
			_, password, _ := r.BasicAuth()
			authorized = authorized || password == "token"
			r.Header.Del("Authorization")
			clones.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})

	f.config.Commits = gitlab.CommitsGit
	f.rules.Deployments = []rules.DeploymentRule{{Repository: "*", From: rules.FromTag, Name: "v*"}}
	r, err := rules.New(f.rules)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := gitlab.NewCredential(f.config, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	f.connection, err = gitlab.New(f.config, r, &http.Client{Transport: credential}, gitlab.Clones{Dir: t.TempDir(), Header: credential.CloneHeader})
	if err != nil {
		t.Fatal(err)
	}
	f.read()
	c, ok := f.keeper.facts["commit acme/svc-0000 "+sha]
	if !ok || len(c.event.(*event.Commit).Paths) != 1 || c.event.Common().Source != "gitlab" {
		t.Errorf("the commit is %+v", c.event)
	}
	deployments := 0
	for _, kept := range f.keeper.facts {
		if d, ok := kept.event.(*event.Deployment); ok {
			deployments++
			if d.Service != "acme/svc-0000" || !strings.HasPrefix(d.ID, "tag:") || d.Revisions[0].SHA != sha || d.Source != "gitlab" {
				t.Errorf("the deployment is %+v", d)
			}
		}
	}
	if deployments != 1 {
		t.Errorf("%d deployments, want that of the tag", deployments)
	}
	if !authorized {
		t.Error("the clone went without the token")
	}
}
