package git_test

import (
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cairn/collectors/git"
)

// program writes a git program that notes its arguments and then runs git.
func program(t *testing.T) (path, notes string) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	path, notes = filepath.Join(t.TempDir(), "git"), filepath.Join(t.TempDir(), "arguments")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >>" + notes + "\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, notes
}

// smart serves the repository as a forge does, over smart HTTP, to who shows the header.
func smart(t *testing.T, repo, want string) (address string, refused func() int) {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skipf("git has no server here: %v", err)
	}
	served := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + repo, "GIT_HTTP_EXPORT_ALL=1"}, InheritEnv: []string{"PATH"}}
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != want {
			mu.Lock()
			n++
			mu.Unlock()
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		served.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

func TestAHeaderReachesTheServerAndIsWrittenNowhere(t *testing.T) {
	const secret = "QmFzaWMtc2VjcmV0"
	const header = "Basic " + secret
	r, _ := served(t)
	address, refused := smart(t, filepath.Dir(r.dir), header)
	wrapper, notes := program(t)
	cache := t.TempDir()
	cfg := git.DefaultConfig()
	cfg.Location, cfg.Repository = address+"/"+filepath.Base(r.dir), "acme/shop"
	cfg.DeployOn, cfg.CacheDir, cfg.Program = git.DeployOnNone, cache, wrapper
	cfg.Header = []string{"Authorization: " + header}
	commits := 0
	for range 2 { // the second run fetches into what is there
		s, err := git.New(cfg, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range s.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind() == "commit" {
				commits++
			}
		}
	}
	if commits != 6 || refused() != 0 {
		t.Errorf("%d commits were told in two runs, %d requests came without the header", commits, refused())
	}
	arguments, err := os.ReadFile(notes)
	if err != nil || !strings.Contains(string(arguments), "fetch") {
		t.Fatalf("the arguments were not noted: %v", err)
	}
	if strings.Contains(string(arguments), secret) {
		t.Error("the header stands in the arguments of a process")
	}
	err = filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), secret) || strings.Contains(path, secret) {
			t.Errorf("the header stands in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAHeaderFollowsNoRedirection(t *testing.T) {
	var mu sync.Mutex
	var got []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("X-Secret"))
		http.NotFound(w, r)
	}))
	defer elsewhere.Close()
	here := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/acme/shop.git/info/refs?service=git-upload-pack", http.StatusFound))
	defer here.Close()
	cfg := git.DefaultConfig()
	cfg.Location, cfg.DeployOn, cfg.CacheDir = here.URL+"/acme/shop.git", git.DeployOnNone, t.TempDir()
	cfg.Header = []string{"X-Secret: s3cret"}
	s, err := git.New(cfg, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range s.Events(t.Context()) {
	}
	mu.Lock()
	defer mu.Unlock()
	if err == nil || len(got) != 0 {
		t.Errorf("another host got the headers %q, and the run ended with %v", got, err)
	}
}

func TestAHeaderThatIsNoneIsRefused(t *testing.T) {
	for _, header := range []string{"token", "A: b\nC: d"} {
		cfg := git.DefaultConfig()
		cfg.Location, cfg.DeployOn, cfg.Header = "https://example.com/acme/shop.git", git.DeployOnNone, []string{header}
		_, err := git.New(cfg, "", nil)
		wantFault(t, err, "invalid", "header")
		if err != nil && strings.Contains(err.Error(), header) {
			t.Errorf("the message repeats the header: %v", err)
		}
	}
}
