package github

import (
	"context"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// cloned serves repositories of a folder over smart HTTP, to who shows the header, and makes a connection that knows acme/shop.
func cloned(t *testing.T, cfg rules.Config) (c *Connection, run func(args ...string)) {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Skipf("git is missing: %v", err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skipf("git has no server here: %v", err)
	}
	root := t.TempDir()
	run = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", root}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
			"GIT_AUTHOR_DATE=1767225600 +0000", "GIT_COMMITTER_DATE=1767225600 +0000")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
	run("init", "--quiet", "--bare", "--initial-branch=main", "acme/shop.git")
	run("-C", "acme/shop.git", "config", "uploadpack.allowFilter", "true")
	served := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}, InheritEnv: []string{"PATH"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); !ok || password != "token" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		served.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	settings := usable()
	settings.URL, settings.Commits = server.URL, CommitsGit
	credential, err := NewCredential(settings, http.DefaultTransport, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rules.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err = New(settings, compiled, http.DefaultClient, Clones{Dir: t.TempDir(), Header: credential.CloneHeader})
	if err != nil {
		t.Fatal(err)
	}
	c.remember(map[int64]*known{1: {id: 1, fact: "acme/shop", name: "acme/shop", branch: "main"}})
	return c, run
}

// readCloneForTest gives the commits a turn.
func (c *Connection) readCloneForTest(t *testing.T, position string) (told []event.Event, turn *Turn) {
	t.Helper()
	turn, err := c.Turn(source.Stream{Name: "acme/shop/commits", Group: "acme/shop", Kind: source.Commits}, position, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range turn.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e)
	}
	return told, turn
}

func kindsOf(told []event.Event) map[string]int {
	kinds := map[string]int{}
	for _, e := range told {
		kinds[e.Kind()]++
	}
	return kinds
}

func TestACloneIsReadWithTheCredentialInTheConnectionsName(t *testing.T) {
	c, run := cloned(t, rules.Config{Deployments: []rules.DeploymentRule{
		{Repository: "acme/*", From: rules.FromTag, Name: "v*", Environment: "production"},
		{Repository: "acme/*", From: rules.FromBranch, Name: "main", Environment: "staging"},
	}})
	if told, turn := c.readCloneForTest(t, ""); len(told) != 0 || !turn.Report().Complete {
		t.Errorf("of an empty repository was told: %v", kindsOf(told))
	}
	run("clone", "--quiet", "acme/shop.git", "work")
	run("-C", "work", "commit", "--quiet", "--allow-empty", "-m", "One")
	run("-C", "work", "tag", "v1.0.0")
	run("-C", "work", "tag", "nightly")
	run("-C", "work", "push", "--quiet", "--tags", "origin", "HEAD:main")
	told, turn := c.readCloneForTest(t, "")
	want := map[string]int{"commit": 1, "artifact": 1, "branch": 1, "deployment": 2, "service": 2}
	if diff := cmp.Diff(want, kindsOf(told)); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	var deployed []string
	for _, e := range told {
		if e.Common().Source != "github" {
			t.Errorf("a %s is told by %s", e.Kind(), e.Common().Source)
		}
		if bad := event.Validate(e); bad != nil {
			t.Errorf("a %s: %v", e.Kind(), bad)
		}
		if d, ok := e.(*event.Deployment); ok {
			deployed = append(deployed, d.Service+" "+d.Environment+" "+strings.Split(d.ID, ":")[0])
		}
	}
	slices.Sort(deployed)
	if diff := cmp.Diff([]string{"acme/shop production tag", "acme/shop staging branch"}, deployed); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	run("-C", "work", "commit", "--quiet", "--allow-empty", "-m", "Two")
	run("-C", "work", "push", "--quiet", "origin", "HEAD:main")
	told, turn = c.readCloneForTest(t, turn.Position())
	if got := kindsOf(told); got["commit"] != 1 || got["deployment"] != 1 {
		t.Errorf("after one more commit was told: %v", got)
	}
	if told, _ = c.readCloneForTest(t, turn.Position()); len(told) != 0 {
		t.Errorf("without news was told: %v", kindsOf(told))
	}
}
