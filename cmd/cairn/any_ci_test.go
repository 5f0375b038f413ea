package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
)

const tellToken = "s3cret.token"

// eventsServer takes events as cairn's address for them does, and looks who can see what meanwhile.
type eventsServer struct {
	mu       sync.Mutex
	statuses []int // answered one after the other; then 200
	bodies   []string
	headers  []http.Header
	seen     []string // arguments of processes that have the token in them
}

func (s *eventsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path != "/cairn/api/v1/events" || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.bodies, s.headers = append(s.bodies, string(body)), append(s.headers, r.Header)
	lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, list := range lists {
		if text, err := os.ReadFile(list); err == nil && bytes.Contains(text, []byte(tellToken)) {
			s.seen = append(s.seen, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	if len(s.statuses) > 0 {
		status := s.statuses[0]
		s.statuses = s.statuses[1:]
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"detail":"line 1: deployment /status: got \"done\""}`)
	}
}

// shells are those that the script is run by.
func shells(t testing.TB) [][]string {
	var found [][]string
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"sh"}} {
		if path, err := exec.LookPath(shell[0]); err == nil {
			found = append(found, append([]string{path}, shell[1:]...))
		}
	}
	if len(found) == 0 {
		t.Skip("there is no shell")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	return found
}

// runTell runs the script.
func runTell(t testing.TB, shell []string, env []string, args ...string) answer {
	t.Helper()
	script, err := filepath.Abs("../../scripts/cairn-tell")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), shell[0], slices.Concat(shell[1:], []string{script}, args)...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + c.Dir, "CAIRN_WAIT=0"}, env...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		if _, exited := err.(*exec.ExitError); !exited {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(c.Dir); len(left) > 0 {
		t.Errorf("it left %v behind", left)
	}
	return answer{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestTheScriptForAnyCITellsWhateverABranchIsCalled(t *testing.T) {
	for _, shell := range shells(t) {
		s := &eventsServer{statuses: []int{503, 429, 502}}
		server := httptest.NewServer(s)
		env := []string{"CAIRN_URL=" + server.URL + "/cairn/", "CAIRN_TOKEN=" + tellToken, "CI_PIPELINE_ID=77"}
		hostile := "feature/\"$(touch pwned)`id`\\n'; rm -rf \t %s %d\nüñ日本\x01end\\"
		a := runTell(t, shell, env, "deployment", "service=shop", "environment=production", "status=succeeded", "repository=acme/shop", "sha=c0ffee1", "version="+hostile, "actor=a=b", "hotfix=true", "attempt=2", "url=")
		server.Close()
		if a.code != 0 || a.stdout+a.stderr != "" {
			t.Fatalf("%v: got %d, %s%s", shell, a.code, a.stdout, a.stderr)
		}
		if len(s.bodies) != 4 {
			t.Errorf("%v: it was tried %d times, want 4", shell, len(s.bodies))
		}
		if len(s.seen) > 0 {
			t.Errorf("%v: the token is seen in %q", shell, s.seen)
		}
		if got := s.headers[0].Get("Authorization"); got != "Bearer "+tellToken {
			t.Errorf("%v: Authorization is %q", shell, got)
		}
		var got event.Deployment
		d := json.NewDecoder(strings.NewReader(s.bodies[3]))
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%v: %s\n%v", shell, s.bodies[3], err)
		}
		if time.Since(got.FinishedAt) > time.Minute || !got.UpdatedAt.Equal(got.FinishedAt) {
			t.Errorf("%v: finished %v, updated %v", shell, got.FinishedAt, got.UpdatedAt)
		}
		want := event.Deployment{Telling: event.Telling{Source: "ci", UpdatedAt: got.UpdatedAt}, Service: "shop", ID: "77/production", Attempt: 2, Environment: "production", Status: "succeeded", FinishedAt: got.FinishedAt,
			Revisions: []event.Revision{{Repository: "acme/shop", SHA: "c0ffee1"}}, Version: hostile, Actor: "a=b", Hotfix: true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: (-want +got):\n%s", shell, diff)
		}
	}
}

func TestTheScriptForAnyCISaysWhatIsWrong(t *testing.T) {
	shell := shells(t)[0]
	s := &eventsServer{}
	server := httptest.NewServer(s)
	defer server.Close()
	url := "CAIRN_URL=" + server.URL + "/cairn"
	good := []string{"deployment", "id=1", "service=shop", "environment=production", "status=succeeded"}
	for _, c := range []struct {
		name     string
		statuses []int
		env      []string
		args     []string
		code     int
		want     string
		asked    int
	}{
		{"refused", []int{400}, []string{url}, good, 1, `got \"done\"`, 1},
		{"away", []int{503, 503, 503}, []string{url, "CAIRN_ATTEMPTS=3"}, good, 75, "tried 3 times", 3},
		{"away, and that is no matter", []int{503}, []string{url, "CAIRN_ATTEMPTS=1", "CAIRN_OPTIONAL=1"}, good, 0, "this event is lost", 1},
		{"nobody there", nil, []string{"CAIRN_URL=http://127.0.0.1:1", "CAIRN_ATTEMPTS=2"}, good, 75, "cannot be reached", 0},
		{"no address", nil, nil, good, 2, "CAIRN_URL", 0},
		{"a token that cannot be", nil, []string{url, "CAIRN_TOKEN=a\"\nurl = \"http://evil"}, good, 2, "no spaces", 0},
		{"no id", nil, []string{url}, []string{"deployment", "service=shop", "status=succeeded"}, 2, "give id=", 0},
		{"a commit of nowhere", nil, []string{url}, append(slices.Clone(good), "sha=c0ffee1"), 2, "needs repository=", 0},
		{"no field", nil, []string{url}, append(slices.Clone(good), "--help"), 2, "a word and a value", 0},
		{"a flag that is none", nil, []string{url}, append(slices.Clone(good), "hotfix=yes"), 2, "hotfix is to be", 0},
		{"no type", nil, []string{url}, nil, 2, "usage", 0},
	} {
		s.statuses, s.bodies = c.statuses, nil
		a := runTell(t, shell, c.env, c.args...)
		if a.code != c.code || !strings.Contains(a.stderr, c.want) || len(s.bodies) != c.asked {
			t.Errorf("%s: got %d after %d requests, want %d after %d; %s", c.name, a.code, len(s.bodies), c.code, c.asked, a.stderr)
		}
	}
}

// What the script and the documented curl tell counts.
func TestWhatAnyCITellsCounts(t *testing.T) {
	shell := shells(t)[0]
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := command(ctx, dir, "serve", "--listen", "127.0.0.1:0")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}()
	var plate doorplate
	for range 400 {
		if text, err := os.ReadFile(filepath.Join(dir, "data", "server.json")); err == nil && json.Unmarshal(text, &plate) == nil && plate.URL != "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	env := []string{"CAIRN_URL=" + plate.URL}
	for _, args := range [][]string{
		{"deployment", "id=1", "service=shop", "environment=production", "status=in_progress", "repository=acme/shop", "sha=a1"},
		{"deployment", "id=1", "service=shop", "environment=production", "status=succeeded", "repository=acme/shop", "sha=a1", "updated_at=" + time.Now().Add(time.Second).UTC().Format(time.RFC3339)},
		{"deployment", "id=2", "service=shop", "environment=production", "status=succeeded", "repository=acme/shop", "sha=a2"},
		{"deployment", "id=2", "service=shop", "environment=production", "status=succeeded", "repository=acme/shop", "sha=a2"},
		{"pipeline_run", "id=9", "repository=acme/shop", "name=build", "status=failed", "sha=a2", "ref=main"},
	} {
		if a := runTell(t, shell, env, args...); a.code != 0 {
			t.Fatalf("%v: got %d, %s", args, a.code, a.stderr)
		}
	}
	text, err := os.ReadFile("../../docs/any-ci.md")
	if err != nil {
		t.Fatal(err)
	}
	_, curl, found := strings.Cut(string(text), "```sh\n")
	if curl, _, _ = strings.Cut(curl, "```"); !found || !strings.HasPrefix(curl, "curl ") {
		t.Fatalf("the page begins with another command:\n%s", curl)
	}
	c := exec.CommandContext(ctx, shell[0], slices.Concat(shell[1:], []string{"-c", curl})...)
	c.Env = append(os.Environ(), "CAIRN_URL="+plate.URL, "BUILD_ID=3", "GIT_COMMIT=a3")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v: %s", curl, err, out)
	}
	window := []string{"--from", time.Now().AddDate(0, 0, -2).Format(time.DateOnly), "--to", time.Now().AddDate(0, 0, 2).Format(time.DateOnly)}
	if r := ask1(t, dir, append([]string{"deployment_count", "--service", "shop"}, window...)...); r.Value != 3.0 {
		t.Errorf("%v deployments count, want 3", r.Value)
	}
}
