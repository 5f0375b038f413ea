// Package prismtest starts a server that answers from the description of an interface (OpenAPI) and refuses what the
// description does not allow, so that a collector's requests can be held against it. It stands outside the data's way and
// is imported by tests only.
package prismtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cairn/internal/sharedtest"
)

// Referee carries requests to such servers, and takes note of what they refuse.
type Referee struct {
	// Rewrite says which server a request goes to, with which path there.
	Rewrite func(path string) (server *url.URL, to string)

	mu      sync.Mutex
	refused []string
	asked   []string
}

// Refused are the requests that a description does not allow.
func (r *Referee) Refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Asked are the requests, as method and path.
func (r *Referee) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// RoundTrip implements http.RoundTripper.
func (r *Referee) RoundTrip(req *http.Request) (*http.Response, error) {
	server, path := r.Rewrite(req.URL.Path)
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host, out.Host = server.Scheme, server.Host, server.Host
	out.URL.Path, out.URL.RawPath = path, ""
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	violations := resp.Header.Get("Sl-Violations")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, out.Method+" "+path)
	if bytes.Contains(body, []byte("stoplight.io/prism/errors#")) || strings.Contains(violations, `"request"`) {
		r.refused = append(r.refused, fmt.Sprintf("%s %s: %d %.600s %s", out.Method, out.URL.RequestURI(), resp.StatusCode, body, violations))
	}
	return resp, nil
}

// Start starts a server on a description and returns its address. Without npm the test is skipped, but with the
// environment variable CI set it fails.
func Start(t *testing.T, description string) *url.URL {
	t.Helper()
	dir := Install(t, filepath.Join(sharedtest.Root(t), "internal", "prismtest", "testdata"), "prism")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "node_modules", "@stoplight", "prism-cli", "dist", "index.js"), "mock", "--port", port, description)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	base := &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
	for range 600 {
		resp, err := http.Get(base.String() + "/")
		if err == nil {
			resp.Body.Close()
			return base
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("the server does not answer:\n%s", &log)
	return nil
}

// Install has npm fetch what the package-lock.json in a folder of testdata pins, once for all packages and their tests, and
// returns where it is: a folder of this name in the cache of the repository. Without npm the test is skipped, but with the
// environment variable CI set it fails.
func Install(t *testing.T, pinned, name string) string {
	t.Helper()
	cache := filepath.Join(sharedtest.Root(t), ".cache")
	dir := filepath.Join(cache, name)
	lock, err := os.ReadFile(filepath.Join(pinned, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	// The tests of several packages run at once, and none may take away what another one uses.
	guard, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer guard.Close() // which unlocks it
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if installed, err := os.ReadFile(filepath.Join(dir, "package-lock.json")); err == nil && bytes.Equal(installed, lock) {
		return dir
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("npm is absent, which fetches what tests hold collectors against")
		}
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(cache, name+".new.")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(fresh) })
	if err := os.CopyFS(fresh, os.DirFS(pinned)); err != nil {
		t.Fatal(err)
	}
	ci := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	ci.Dir = fresh
	if out, err := ci.CombinedOutput(); err != nil {
		t.Fatalf("npm could not fetch what %s pins: %v\n%s", pinned, err, out)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
