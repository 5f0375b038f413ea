package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/git"
	"cairn/internal/event"
	"cairn/internal/progress"
)

// served makes a repository with a few commits that can be cloned by its address.
func served(t *testing.T, options ...string) (*repo, git.Config) {
	r := newRepo(t, options...)
	r.git("config", "uploadpack.allowFilter", "true")
	h := newHistory()
	h.commit(root("main"))
	h.commit(spec{at: 60, message: "two", files: map[string]string{"web/a": "1", "api/b": "2"}})
	h.commit(spec{branch: "side", from: ":1", at: 90, message: "side", files: map[string]string{"c": "1"}})
	r.load(h)
	r.git("tag", "v1.0.0", "main")
	cfg := r.config()
	cfg.Location, cfg.CacheDir = "file://"+r.dir, filepath.Join(t.TempDir(), "cache")
	return r, cfg
}

func TestAddressIsClonedOnceAndFetchedAfterwards(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			r, cfg := served(t, "--object-format="+format)
			first := collect(t, cfg, "")
			local := r.config()
			if diff := cmp.Diff(collect(t, local, "").events, first.events); diff != "" {
				t.Errorf("events (-folder +address):\n%s", diff)
			}
			caches, err := filepath.Glob(cfg.CacheDir + "/*.git")
			if err != nil || len(caches) != 1 {
				t.Fatalf("caches are %v (%v), want one", caches, err)
			}
			if got := run(t, "", "-C", caches[0], "rev-list", "--objects", "--all", "--missing=print"); !strings.Contains(got, "?") {
				t.Errorf("the cache has all files in it, want commits and trees only")
			}
			before, err := os.Stat(caches[0] + "/config")
			if err != nil {
				t.Fatal(err)
			}

			// What moves and vanishes there does so here.
			r.git("update-ref", "-d", "refs/heads/side")
			r.git("tag", "v1.1.0", r.commit(spec{at: 120, message: "three", files: map[string]string{"web/a": "3"}}))
			r.git("tag", "-f", "v1.0.0", "main")
			r.git("branch", "other", "main")
			r.git("branch", "-m", "main", "trunk")
			r.git("symbolic-ref", "HEAD", "refs/heads/trunk")
			second := collect(t, cfg, first.position)
			if got, want := strings.Join(ids(second), " "), "v1.0.0 v1.1.0"; got != want || len(second.commits(t)) != 1 {
				t.Errorf("second run told deployments %q and %d commits, want %q and 1", got, len(second.commits(t)), want)
			}
			if second.report.Branch != "trunk" {
				t.Errorf("default branch is %s, want trunk", second.report.Branch)
			}
			if refs := run(t, "", "-C", caches[0], "for-each-ref", "--format=%(refname)"); strings.Contains(refs, "side") {
				t.Errorf("the cache keeps a branch that is gone:\n%s", refs)
			}
			if after, err := os.Stat(caches[0] + "/config"); err != nil || !after.ModTime().Equal(before.ModTime()) {
				t.Errorf("the cache was made anew (%v)", err)
			}
		})
	}
}

func TestOnlyBranchesAndTagsAreFetched(t *testing.T) {
	r, cfg := served(t)
	pull := r.commit(spec{branch: "tmp", from: "-", at: 5, message: "pull request", files: map[string]string{"p": "1"}})
	r.git("update-ref", "refs/pull/1/head", pull)
	r.git("update-ref", "-d", "refs/heads/tmp")
	if collect(t, cfg, "").commits(t)[pull] != nil {
		t.Errorf("the commit of a pull request that is on no branch is told")
	}
	caches, err := filepath.Glob(cfg.CacheDir + "/*.git")
	if err != nil || len(caches) != 1 {
		t.Fatalf("caches are %v (%v), want one", caches, err)
	}
	if refs := run(t, "", "-C", caches[0], "for-each-ref", "--format=%(refname)"); strings.Contains(refs, "pull") {
		t.Errorf("the cache has\n%s", refs)
	}
}

func TestAddressWithoutCommits(t *testing.T) {
	r := newRepo(t)
	cfg := r.config()
	cfg.Location, cfg.CacheDir = "file://"+r.dir, t.TempDir()
	_, err := tryCollect(t, cfg, "")
	wantFault(t, err, "not found", "has no commits yet", cfg.Location)
}

func TestAddressThatCannotBeFetched(t *testing.T) {
	_, good := served(t)
	for _, tc := range []struct {
		name  string
		make  func(t *testing.T, cfg *git.Config)
		kind  string
		words []string
	}{
		{"nothing there", func(t *testing.T, cfg *git.Config) { cfg.Location = "file://" + t.TempDir() + "/gone.git" }, "not found", []string{"gone.git is not a git repository"}},
		{"nobody answers", func(_ *testing.T, cfg *git.Config) { cfg.Location = "git://127.0.0.1:1/acme/shop" }, "unavailable", []string{"git://127.0.0.1:1/acme/shop cannot be reached"}},
		{"nobody answers the web", func(_ *testing.T, cfg *git.Config) { cfg.Location = "http://127.0.0.1:1/acme/shop" }, "unavailable", []string{"cannot be reached"}},
		{"no cache folder", func(_ *testing.T, cfg *git.Config) { cfg.CacheDir = "" }, "invalid", []string{"no cache folder"}},
		{"a cache folder that is a file", func(t *testing.T, cfg *git.Config) {
			cfg.CacheDir = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(cfg.CacheDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "denied", []string{"the cache folder"}},
		{"another run holds the cache", func(t *testing.T, cfg *git.Config) {
			cfg.CacheDir = t.TempDir()
			collect(t, *cfg, "")
			locks, err := filepath.Glob(cfg.CacheDir + "/*.lock")
			if err != nil || len(locks) != 1 {
				t.Fatalf("locks are %v (%v), want one", locks, err)
			}
			f, err := os.Open(locks[0])
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
				t.Fatal(err)
			}
		}, "conflict", []string{"another run"}},
		{"git is missing", func(_ *testing.T, cfg *git.Config) { cfg.Program = "no-such-git" }, "unavailable", []string{"install git"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good
			tc.make(t, &cfg)
			_, err := tryCollect(t, cfg, "")
			wantFault(t, err, tc.kind, tc.words...)
		})
	}
}

func TestCacheThatWasBrokenOffIsMadeAnew(t *testing.T) {
	_, cfg := served(t)
	want := collect(t, cfg, "").events
	caches, err := filepath.Glob(cfg.CacheDir + "/*.git")
	if err != nil || len(caches) != 1 {
		t.Fatalf("caches are %v (%v), want one", caches, err)
	}
	if err := os.RemoveAll(caches[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(caches[0]+".new", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(caches[0]+".new/config", []byte("[core"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, collect(t, cfg, "").events); diff != "" {
		t.Errorf("events (-whole cache +left-overs):\n%s", diff)
	}
}

func TestPartialCloneIsReadWithoutFetching(t *testing.T) {
	r, _ := served(t)
	want := collect(t, r.config(), "").events
	cfg := r.config()
	cfg.Location = t.TempDir() + "/shop.git"
	run(t, "", "clone", "--quiet", "--bare", "--filter=blob:none", "file://"+r.dir, cfg.Location)
	if err := os.RemoveAll(r.dir); err != nil { // nothing can be fetched any more
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, collect(t, cfg, "").events); diff != "" {
		t.Errorf("events (-whole +partial):\n%s", diff)
	}
}

func TestMissingObjectIsNotFetchedOnTheQuiet(t *testing.T) {
	r, _ := served(t)
	cfg := r.config()
	cfg.Location = t.TempDir() + "/shop.git"
	run(t, "", "clone", "--quiet", "--bare", "--filter=tree:0", "file://"+r.dir, cfg.Location)
	run(t, "", "-C", cfg.Location, "config", "remote.origin.partialclonefilter", "blob:none") // it pretends
	_, err := tryCollect(t, cfg, "")
	wantFault(t, err, "conflict", "incomplete")
	if got := run(t, "", "-C", cfg.Location, "rev-list", "--objects", "--all", "--missing=print"); !strings.Contains(got, "?") {
		t.Errorf("the missing trees were fetched")
	}
}

func TestOriginsAddressIsToldWithoutCredentials(t *testing.T) {
	for _, tc := range []struct{ origin, want string }{
		{"https://github.com/acme/shop.git", "https://github.com/acme/shop.git"},
		{"https://ann:secret@github.com/acme/shop.git", "https://github.com/acme/shop.git"},
		{"https://github.com/acme/shop?token=secret", "https://github.com/acme/shop"},
		{"ssh://git:secret@host:22/acme/shop", "ssh://git@host:22/acme/shop"},
		{"git@github.com:acme/shop.git", "git@github.com:acme/shop.git"},
		{"/srv/git/shop.git", ""},
		{"file:///srv/git/shop.git", ""},
		{"../shop", ""},
		{"ext::sh -c secret", ""},
	} {
		t.Run(tc.origin, func(t *testing.T) {
			r := newRepo(t)
			r.commit(root("main"))
			r.git("config", "remote.origin.url", tc.origin)
			if got := of[*event.Repository](collect(t, r.config(), ""))[0].URL; got != tc.want {
				t.Errorf("address is %q, want %q", got, tc.want)
			}
		})
	}
}

func TestStagesOfTheWorkAreReported(t *testing.T) {
	_, cfg := served(t)
	var stages []string
	var last progress.State
	source, err := git.New(cfg, "", func(s progress.State) {
		if !slices.Contains(stages, s.Stage) {
			stages = append(stages, s.Stage)
		}
		last = s
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range source.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"objects fetched", "commits", "deployments"}; !slices.Equal(stages, want) {
		t.Errorf("stages are %q, want %q", stages, want)
	}
	if want := (progress.State{Stage: "deployments", Done: 1, Total: 1}); last != want {
		t.Errorf("the last state is %+v, want %+v", last, want)
	}
}
