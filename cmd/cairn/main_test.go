package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/metrics"
)

// An engine serves one folder in the life of a process, so each command of a test runs as a process of its own: this
// very test program, which is cairn when it is told so.
const asProgram = "CAIRN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
	case "sources":
		if err := tellSourcesCommand(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	default:
		main()
		return
	}
	code := m.Run()
	if err := demonstration.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// answer is how a command ended.
type answer struct {
	code           int
	stdout, stderr string
}

func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Dir = dir
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// cairn runs a command in a folder.
func cairn(t testing.TB, dir string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := command(ctx, dir, args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return answer{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that has to succeed and returns what it printed.
func must(t testing.TB, dir string, args ...string) string {
	t.Helper()
	a := cairn(t, dir, args...)
	if a.code != 0 {
		t.Fatalf("cairn %s: exit code %d\n%s%s", strings.Join(args, " "), a.code, a.stdout, a.stderr)
	}
	return a.stdout
}

func ask1(t testing.TB, dir string, args ...string) metrics.Result {
	t.Helper()
	var r metrics.Result
	if err := json.Unmarshal([]byte(must(t, dir, append(append([]string{"query"}, args...), "--json")...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// folder is a fresh folder in which the engine library is found.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, ".cache"), filepath.Join(dir, ".cache")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shop is the history of a small service: three commits, three deployments, one of which failed and was rolled back.
func shop() string {
	var b strings.Builder
	for _, line := range []string{
		`{"type":"service","id":"shop","created_at":"2025-12-01T00:00:00Z","repositories":[{"repository":"shop"}]}`,
		`{"type":"ownership","service":"shop","team":"checkout"}`,
		`{"type":"commit","repository":"shop","sha":"a0","authored_at":"2026-01-01T00:00:00Z","committed_at":"2026-01-01T00:00:00Z"}`,
		`{"type":"commit","repository":"shop","sha":"a1","parents":["a0"],"authored_at":"2026-01-05T00:00:00Z","committed_at":"2026-01-05T00:00:00Z"}`,
		`{"type":"commit","repository":"shop","sha":"a2","parents":["a1"],"authored_at":"2026-01-06T00:00:00Z","committed_at":"2026-01-06T00:00:00Z"}`,
		`{"type":"branch","repository":"shop","name":"main","sha":"a2","default":true}`,
	} {
		b.WriteString(line + "\n")
	}
	for i, d := range []struct{ sha, at string }{{"a0", "2026-01-02"}, {"a1", "2026-01-06"}, {"a2", "2026-01-08"}, {"a1", "2026-01-09"}} {
		fmt.Fprintf(&b, `{"type":"deployment","service":"shop","id":"d%d","environment":"production","status":"succeeded","started_at":"%sT11:00:00Z","finished_at":"%sT12:00:00Z","revisions":[{"repository":"shop","sha":"%s"}]}`+"\n", i, d.at, d.at, d.sha)
	}
	return b.String()
}

var january = []string{"--from", "2026-01-01", "--to", "2026-02-01"}

func TestAFileOfEventsBecomesNumbersThatAreExplained(t *testing.T) {
	dir := folder(t)
	write(t, dir, "events.ndjson", shop())
	if got, want := must(t, dir, "ingest", "events.ndjson"), "10 events stored.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r := ask1(t, dir, append([]string{"lead_time", "--team", "checkout"}, january...)...)
	// a1: 5 Jan 00:00 to 6 Jan 12:00 = 36 h; a2: 6 Jan 00:00 to 8 Jan 12:00 = 60 h; a0 is the baseline.
	if r.Value != 48.0 || r.N != 2.0 {
		t.Errorf("lead time: got %v of %v, want 48 of 2", r.Value, r.N)
	}
	// The rollback of d3 shows that d2 failed: one of three.
	r = ask1(t, dir, append([]string{"change_failure_rate", "--service", "shop"}, january...)...)
	if got, want := r.Value, 1.0/3; got != want {
		t.Errorf("change failure rate: got %v, want %v", got, want)
	}
	text := must(t, dir, append([]string{"explain", "change_failure_rate", "--service", "shop"}, january...)...)
	for _, want := range []string{"change d2", "rollback", "a rollback brings no new version", "baseline"} {
		if !strings.Contains(text, want) {
			t.Errorf("explain says nothing of %q:\n%s", want, text)
		}
	}
	if text := must(t, dir, "doctor", "lead_time"); !strings.Contains(text, "has data") {
		t.Errorf("doctor: got\n%s", text)
	}
}

// The same facts in reverse order, and twice, give the same answers to the last byte.
func TestTheOrderOfFactsDoesNotMatter(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(shop()), "\n")
	var reversed strings.Builder
	for i := len(lines) - 1; i >= 0; i-- {
		reversed.WriteString(lines[i] + "\n")
	}
	var answers []string
	for _, text := range []string{shop(), reversed.String(), shop() + reversed.String()} {
		dir := folder(t)
		write(t, dir, "events.ndjson", text)
		must(t, dir, "ingest", "events.ndjson")
		var all strings.Builder
		for _, m := range []string{"lead_time", "deployment_count", "change_failure_rate", "failed_deployment_recovery"} {
			r := ask1(t, dir, append([]string{m, "--service", "shop", "--bucket", "week"}, january...)...)
			r.AsOf = time.Time{}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		answers = append(answers, all.String())
	}
	for i, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("order %d: got\n%s\nwant\n%s", i+1, a, answers[0])
		}
	}
}

// While a server holds the data folder, commands talk to it.
func TestCommandsTalkToTheServerThatHoldsTheFolder(t *testing.T) {
	dir := folder(t)
	server := command(context.Background(), dir, "serve", "--listen", "127.0.0.1:0")
	var log bytes.Buffer
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("serve: %v\n%s", err, &log)
		}
		if _, err := os.Stat(filepath.Join(dir, "data", "server.json")); !os.IsNotExist(err) {
			t.Errorf("the server left its address behind: %v", err)
		}
	})
	for range 200 {
		if _, err := os.Stat(filepath.Join(dir, "data", "server.json")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	write(t, dir, "events.ndjson", shop())
	must(t, dir, "ingest", "events.ndjson")
	if r := ask1(t, dir, append([]string{"deployment_count", "--service", "shop"}, january...)...); r.Value != 3.0 {
		t.Errorf("got %v deployments right after they were stored, want 3", r.Value)
	}
	a := cairn(t, dir, "serve", "--listen", "127.0.0.1:0")
	if a.code != 5 || !strings.Contains(a.stderr, "data") || strings.Count(strings.TrimSpace(a.stderr), "\n") > 0 {
		t.Errorf("a second server: got exit code %d and %q, want 5 and one sentence", a.code, a.stderr)
	}
}

// Whatever can be got wrong is answered by one sentence that names it, and an exit code of its kind.
func TestMistakesAreNamed(t *testing.T) {
	dir := folder(t)
	write(t, dir, "events.ndjson", shop())
	write(t, dir, "cut.ndjson", shop()[:len(shop())-40])
	write(t, dir, "unknown.ndjson", `{"type":"commit","repository":"shop","sah":"a9","authored_at":"2026-01-01T00:00:00Z","committed_at":"2026-01-01T00:00:00Z"}`)
	write(t, dir, "misspelt.yaml", "metrics:\n  attribution:\n    incident_windw: 30m\n")
	write(t, dir, "wrong.yaml", "metrics:\n  anonymity_k: 2\n")
	write(t, dir, "duration.yaml", "metrics:\n  adoption_signal_ttl: soon\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		say  []string
	}{
		{"file cut in the middle", []string{"ingest", "cut.ndjson"}, 2, []string{"cut.ndjson", "line 10"}},
		{"unknown field", []string{"ingest", "unknown.ndjson"}, 2, []string{"line 1", "sah", "sha"}},
		{"no such file", []string{"ingest", "none.ndjson"}, 3, []string{"none.ndjson"}},
		{"misspelt key", []string{"--config", "misspelt.yaml", "doctor"}, 2, []string{"misspelt.yaml", "line 3", "incident_windw", "incident_window"}},
		{"value out of range", []string{"--config", "wrong.yaml", "doctor"}, 2, []string{"anonymity_k", "2", "3"}},
		{"no duration", []string{"--config", "duration.yaml", "doctor"}, 2, []string{"duration.yaml", "line 2", "soon"}},
		{"no such configuration", []string{"--config", "none.yaml", "doctor"}, 3, []string{"none.yaml"}},
		{"wrong zone", []string{"query", "lead_time", "--tz", "Europe/Berln"}, 2, []string{"Europe/Berln", "IANA"}},
		{"from after to", []string{"query", "lead_time", "--from", "2026-02-01", "--to", "2026-01-01"}, 2, []string{"2026-02-01", "before", "2026-01-01"}},
		{"no date", []string{"query", "lead_time", "--from", "yesterday"}, 2, []string{"from", "yesterday", "2026-01-31"}},
		{"unknown metric", []string{"query", "leadtime"}, 3, []string{"leadtime", "lead_time"}},
		{"unknown service", []string{"query", "lead_time", "--service", "shap"}, 3, []string{"shap"}},
		{"unknown team", []string{"query", "lead_time", "--team", "chekout"}, 3, []string{"chekout"}},
		{"unknown statistic", []string{"query", "lead_time", "--statistic", "p99"}, 2, []string{"p99", "p90"}},
		{"no instant", []string{"query", "lead_time", "--as-of", "yesterday"}, 2, []string{"as_of", "yesterday", "2026-01-31T14:30:00Z"}},
		{"an instant to come", []string{"explain", "lead_time", "--as-of", "2999-01-01T00:00:00Z"}, 2, []string{"as_of", "2999"}},
		{"unknown group", []string{"query", "lead_time", "--group-by", "continent"}, 2, []string{"continent", "service", "team"}},
		{"unknown bucket", []string{"query", "lead_time", "--bucket", "fortnight"}, 2, []string{"fortnight", "week"}},
		{"unknown stage", []string{"query", "lead_time", "--stage", "lunch"}, 2, []string{"lunch", "review"}},
		{"too many buckets", []string{"query", "lead_time", "--from", "1990-01-01", "--to", "2026-01-01", "--bucket", "day"}, 2, []string{"buckets", "day"}},
		{"no engine library", []string{"--library", "nowhere.so", "--data", "other", "doctor"}, 7, []string{"nowhere.so"}},
		{"not an engine library", []string{"--library", "events.ndjson", "--data", "other", "doctor"}, 7, []string{"events.ndjson"}},
		{"no such server", []string{"--server", "http://127.0.0.1:1", "doctor"}, 7, []string{"127.0.0.1:1 (", "cairn serve"}},
		{"no server to send to", []string{"--server", "http://127.0.0.1:1", "ingest", "events.ndjson"}, 7, []string{"127.0.0.1:1 (", "cairn serve"}},
		{"no port", []string{"serve", "--listen", "127.0.0.1:99999"}, 5, []string{"127.0.0.1:99999 (", "--listen"}},
		{"no address of a server", []string{"--server", "somewhere", "doctor"}, 2, []string{"somewhere", "http://"}},
		{"no repository", []string{"collect", "git", "nowhere", "--service", "shop"}, 3, []string{"nowhere"}},
		{"no service", []string{"collect", "git", "."}, 2, []string{"--service"}},
		{"no environment of tags", []string{"collect", "git", ".", "--service", "shop", "--tag-environment", "canary"}, 2, []string{"canary", "--tag-environment"}},
		{"no date of the demonstration", []string{"demo", "--until", "soon"}, 2, []string{"--until", "soon", "2026-01-31"}},
		{"a demonstration of the future", []string{"demo", "--until", "2999-01-01"}, 2, []string{"2999-01-01", "future"}},
		{"unknown command", []string{"qurey"}, 2, []string{"qurey", " cairn --help"}},
		{"unknown flag", []string{"query", "lead_time", "--servce", "shop"}, 2, []string{"--servce", "--service", "cairn query --help"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.name != "unknown command" && !slices.Contains(c.args, "--data") {
				// A data folder serves one process at a time.
				c.args = append(c.args, "--data", t.TempDir())
			}
			a := cairn(t, dir, c.args...)
			if a.code != c.code {
				t.Errorf("exit code: got %d, want %d", a.code, c.code)
			}
			for _, word := range c.say {
				if !strings.Contains(a.stderr, word) {
					t.Errorf("%q is not named in %q", word, a.stderr)
				}
			}
			if a.stdout != "" || strings.Contains(a.stderr, "goroutine ") || strings.Count(a.stderr, "cairn: ") != 1 {
				t.Errorf("got stdout %q and stderr %q, want one complaint", a.stdout, a.stderr)
			}
		})
	}
}
