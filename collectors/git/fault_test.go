package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cairn/collectors/git"
	"cairn/internal/fault"
)

// tryRun runs git in a folder and returns its error.
func tryRun(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// wantFault checks the kind of an error and that its one sentence has certain words.
func wantFault(t testing.TB, err error, kind string, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %s", kind)
	}
	if got := fault.KindOf(err).String(); got != kind {
		t.Errorf("kind is %s, want %s: %v", got, kind, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the sentence %q lacks %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "exit status") {
		t.Errorf("%q is not a sentence for a person", err)
	}
}

func TestWhatCannotBeCollectedIsSaidInOneSentence(t *testing.T) {
	good := newRepo(t)
	good.commit(root("main"))
	for _, tc := range []struct {
		name  string
		make  func(t *testing.T, cfg *git.Config)
		kind  string
		words []string
	}{
		{"no such folder", func(t *testing.T, cfg *git.Config) { cfg.Location = t.TempDir() + "/nowhere" }, "not found", []string{"there is no folder", "nowhere"}},
		{"a file", func(t *testing.T, cfg *git.Config) {
			cfg.Location = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(cfg.Location, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "invalid", []string{"is a file"}},
		{"not a repository", func(t *testing.T, cfg *git.Config) { cfg.Location = t.TempDir() }, "invalid", []string{"is not a git repository"}},
		{"a folder inside a repository", func(t *testing.T, cfg *git.Config) {
			cfg.Location = good.dir + "/refs"
		}, "invalid", []string{"is not a git repository"}},
		{"git is missing", func(_ *testing.T, cfg *git.Config) { cfg.Program = "no-such-git" }, "unavailable", []string{"no-such-git was not found", "install git"}},
		{"git is missing at a path", func(_ *testing.T, cfg *git.Config) { cfg.Program = "/no/such/git" }, "unavailable", []string{"/no/such/git was not found", "install git"}},
		{"git is too old", func(t *testing.T, cfg *git.Config) {
			cfg.Program = filepath.Join(t.TempDir(), "git")
			if err := os.WriteFile(cfg.Program, []byte("#!/bin/sh\necho --is-shallow-repository\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "unavailable", []string{"too old", "2.29"}},
		{"git dies without a word", func(t *testing.T, cfg *git.Config) {
			cfg.Program = filepath.Join(t.TempDir(), "git")
			if err := os.WriteFile(cfg.Program, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "internal", []string{"git rev-parse", "without a word"}},
		{"no commits", func(t *testing.T, cfg *git.Config) { cfg.Location = newRepo(t).dir }, "not found", []string{"has no commits yet"}},
		{"tags of files only", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			r.git("update-ref", "refs/tags/v1.0.0", r.object("blob", "x"))
			cfg.Location = r.dir
		}, "not found", []string{"has no commits yet"}},
		{"the default branch that is given does not exist", func(_ *testing.T, cfg *git.Config) { cfg.Branch = "gone" }, "not found", []string{"no branch gone", "it has main"}},
		{"the deployed branch does not exist", func(_ *testing.T, cfg *git.Config) { cfg.DeployOn = "-gone" }, "not found", []string{"no branch -gone", "it has main"}},
		{"many branches", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			sha := r.commit(root("main"))
			for i := range 20 {
				r.git("update-ref", fmt.Sprintf("refs/heads/b%02d", i), sha)
			}
			cfg.Location, cfg.DeployOn = r.dir, "gone"
		}, "not found", []string{"b00, b01, b02, b03, b04, b05, b06, b07 and 13 more"}},
		{"a default branch that nobody knows", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			sha := r.commit(root("x"))
			r.git("update-ref", "refs/heads/y", sha)
			cfg.Location, cfg.DefaultBranchOnly = r.dir, true
		}, "not found", []string{"which branch is its default", "it has x, y"}},
		{"a ref to what is not there", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			r.commit(root("main"))
			if err := os.WriteFile(r.dir+"/refs/heads/broken", []byte(strings.Repeat("1", 40)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg.Location = r.dir
		}, "conflict", []string{"damaged or incomplete", "git fsck"}},
		{"a history with a hole", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			tree := run(t, "", "-C", r.dir, "mktree")
			hole := r.object("commit", "tree "+tree+"\nparent "+strings.Repeat("1", 40)+"\nauthor A <a@x.org> 1 +0000\ncommitter A <a@x.org> 1 +0000\n\nx")
			r.git("update-ref", "refs/heads/main", hole)
			cfg.Location = r.dir
		}, "conflict", []string{"damaged or incomplete", "git fsck"}},
		{"a partial clone without trees", func(t *testing.T, cfg *git.Config) {
			good.git("config", "uploadpack.allowFilter", "true")
			cfg.Location = t.TempDir() + "/treeless.git"
			run(t, "", "clone", "--quiet", "--bare", "--filter=tree:0", "file://"+good.dir, cfg.Location)
		}, "conflict", []string{"partial clone without trees", "git fetch --refetch --filter=blob:none"}},
		{"a partial clone with combined filters", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			r.commit(root("main"))
			r.git("config", "remote.origin.partialclonefilter", "combine:blob:none+tree%3A0")
			cfg.Location = r.dir
		}, "conflict", []string{"partial clone without trees"}},
		{"a partial clone with filters combined in another order", func(t *testing.T, cfg *git.Config) {
			r := newRepo(t)
			r.commit(root("main"))
			r.git("config", "remote.origin.partialclonefilter", "combine:tree:0+blob:none")
			cfg.Location = r.dir
		}, "conflict", []string{"partial clone without trees"}},
		{"another user's repository", func(t *testing.T, _ *git.Config) {
			t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
		}, "denied", []string{"belongs to another user", "git config --global --add safe.directory " + good.dir}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good.config()
			tc.make(t, &cfg)
			_, err := tryCollect(t, cfg, "")
			wantFault(t, err, tc.kind, tc.words...)
		})
	}
}

func TestWrongSettingsAreRefusedBeforeAnythingRuns(t *testing.T) {
	for _, tc := range []struct {
		name  string
		make  func(cfg *git.Config)
		words string
	}{
		{"no location", func(c *git.Config) { c.Location = "" }, "no repository is given"},
		{"an option as location", func(c *git.Config) { c.Location = "--upload-pack=touch /tmp/x" }, "./--upload-pack"},
		{"a helper that runs programs", func(c *git.Config) { c.Location = "ext::sh -c touch% /tmp/x" }, "ext::"},
		{"an unknown kind of address", func(c *git.Config) { c.Location = "gopher://x/y" }, "gopher://"},
		{"a password in the address", func(c *git.Config) { c.Location = "https://ann:secret@host/acme/shop" }, "credential helper"},
		{"a token in the address", func(c *git.Config) { c.Location = "https://secret@host/acme/shop" }, "credential helper"},
		{"a token in the query", func(c *git.Config) { c.Location = "https://host/acme/shop?private_token=secret" }, "query"},
		{"an ssh host like an option", func(c *git.Config) { c.Location = "ssh://-oProxyCommand=x/y" }, "dash"},
		{"an scp host like an option", func(c *git.Config) { c.Location = "git@-oProxyCommand=x:y" }, "dash"},
		{"an address that cannot be read", func(c *git.Config) { c.Location = "https://ann:sec%ret@host/x" }, "not a valid URL"},
		{"an address without a path", func(c *git.Config) { c.Location = "https://host/" }, "names no repository"},
		{"a line break", func(c *git.Config) { c.Location = "a\nb" }, "line break"},
		{"no service", func(c *git.Config) { c.Service = "" }, "no service"},
		{"no service to register", func(c *git.Config) { c.Service, c.DeployOn, c.Register = "", "none", true }, "no service"},
		{"nothing to deploy on", func(c *git.Config) { c.DeployOn = "" }, "tags, none or the name of a branch"},
		{"no environment", func(c *git.Config) { c.Environment = "" }, "environment"},
		{"a pattern without tags", func(c *git.Config) { c.DeployOn, c.TagPattern = "main", "v*" }, "not read from tags"},
		{"paths without registration", func(c *git.Config) { c.Paths = []string{"web"} }, "registration"},
		{"a broken pattern", func(c *git.Config) { c.TagPattern = "v[0-9" }, `"v[0-9"`},
		{"a broken pattern of an environment", func(c *git.Config) { c.Environments = []git.TagEnvironment{{Pattern: "", Name: "x"}} }, "environment"},
		{"a pattern for no environment", func(c *git.Config) { c.Environments = []git.TagEnvironment{{Pattern: "*"}} }, "names no environment"},
		{"an unknown tier", func(c *git.Config) {
			c.Environments = []git.TagEnvironment{{Pattern: "*", Name: "x", Tier: "prod"}}
		}, "production, staging, testing, development, other"},
		{"a broken pattern of bots", func(c *git.Config) { c.Bots = []string{"["} }, "bots"},
		{"a name that is none", func(c *git.Config) { c.Service = "a\nb" }, "service"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := git.DefaultConfig()
			cfg.Location, cfg.Service, cfg.Program = "/nowhere", "shop", "/no/such/git"
			tc.make(&cfg)
			_, err := git.New(cfg, "", nil)
			wantFault(t, err, "invalid", tc.words)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells a secret", err)
			}
		})
	}
}

func TestGitVariablesOfACallingHookAreIgnored(t *testing.T) {
	r, other := newRepo(t), newRepo(t)
	r.commit(root("main"))
	other.commit(root("main"))
	other.commit(spec{at: 1, message: "other"})
	r.git("tag", "v1.0.0", "main")
	t.Setenv("GIT_DIR", other.dir)
	t.Setenv("GIT_NAMESPACE", "x")
	t.Setenv("GIT_OBJECT_DIRECTORY", other.dir+"/objects")
	if got := len(collect(t, r.config(), "").commits(t)); got != 1 {
		t.Errorf("%d commits, want the 1 of the repository that was asked for", got)
	}
}

func TestEndedContextEndsGit(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	for i := range 20_000 {
		h.commit(spec{at: int64(i), message: strings.Repeat("x", 100)})
	}
	r.load(h)
	source, err := git.New(r.config(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range source.Events(ctx) {
		if seen++; seen == 100 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) || seen > 15_000 {
		t.Errorf("%d events, then %v; want the run to end soon with the context's error", seen, last)
	}
	for range source.Events(t.Context()) {
		break // a consumer that leaves
	}
}
