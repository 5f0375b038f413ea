package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/collectors/github/githubtest"
	"cairn/metrics"
)

// forge is a made-up GitHub, and a folder whose configuration may connect to it.
func forge(t *testing.T, cfg githubtest.Config) (f *githubtest.Fake, dir, url string) {
	t.Helper()
	t.Setenv("GITHUB_TOKEN", "token")
	t.Setenv("HOOK_SECRET", "secret")
	f = githubtest.New(cfg)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, folder(t), server.URL
}

func TestFromNothingToNumbersOfGitHub(t *testing.T) {
	f, dir, url := forge(t, githubtest.Config{Seed: 1, Repositories: 12, Teams: 3})
	write(t, dir, "cairn.yaml", "# ours\nstore:\n  data: ./facts # here\n")

	out := must(t, dir, "connect", "github", "--url", url, "--organisation", "acme", "--token", "env:GITHUB_TOKEN", "--webhook-secret", "env:HOOK_SECRET")
	for _, want := range []string{"may read", "changes", "deployments", "11 repositories of 12", "requests", "cairn collect sources github", "/hooks/github"} {
		if !strings.Contains(out, want) {
			t.Errorf("connect does not say %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "cairn.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# ours", "data: ./facts # here", "token: env:GITHUB_TOKEN", "organisations:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the configuration lacks %q:\n%s", want, text)
		}
	}
	if a := cairn(t, dir, "connect", "github", "--url", url, "--organisation", "acme", "--token", "env:GITHUB_TOKEN"); a.code != 5 || !strings.Contains(a.stderr, "--name") {
		t.Errorf("connecting a second time: exit code %d, %q; want a conflict that names --name", a.code, a.stderr)
	}
	if a := cairn(t, dir, "connect", "github", "--url", url, "--organisation", "acme", "--token", "ghp_itself"); a.code != 2 || strings.Contains(a.stderr, "ghp_itself") || !strings.Contains(a.stderr, "env:NAME") {
		t.Errorf("a token itself: exit code %d, %q; want it refused, not repeated, and told how", a.code, a.stderr)
	}
	// The clones of git are tried elsewhere: the made-up GitHub has none.
	write(t, dir, "cairn.yaml", strings.Replace(string(text), "- url:", "- commits: api\n      url:", 1))

	out = must(t, dir, "collect", "github")
	if !strings.Contains(out, "of 11 repositories") {
		t.Errorf("collect says:\n%s", out)
	}
	// Every production run of the made-up GitHub that succeeded is counted, as what it was.
	want := 0.0
	for _, d := range f.Truth().Deployments {
		if d.Status == "succeeded" && d.Environment == "production" && d.Repository != "acme/repo-0011" { // a fork
			want++
		}
	}
	ever := []string{"--from", "2020-01-01", "--to", "2027-01-01"}
	got := number(ask1(t, dir, append([]string{"deployment_count_all"}, ever...)...)) + number(ask1(t, dir, append([]string{"redeploy_count"}, ever...)...))
	if got != want || want == 0 {
		t.Errorf("%v production runs are counted, want %v", got, want)
	}
	if lead := ask1(t, dir, "lead_time", "--from", "2020-01-01", "--to", "2027-01-01"); lead.Value == nil || lead.N == 0 {
		t.Errorf("lead time: %v, n = %d", lead.Value, lead.N)
	}

	// Nothing has changed: the second time looks at each list once and tells nothing.
	f.Forget()
	out = must(t, dir, "collect", "github")
	if !strings.Contains(out, "0 facts of 11 repositories told") || f.Total().Requests > 11*8+5 {
		t.Errorf("the second time said %q, with %d requests", out, f.Total().Requests)
	}
}

func number(r metrics.Result) float64 {
	v, _ := r.Value.(float64)
	return v
}

// A webhook shows in the numbers within two seconds.
func TestAWebhookShowsInTheNumbers(t *testing.T) {
	f, dir, url := forge(t, githubtest.Config{Seed: 2, Repositories: 3, Teams: 1, Now: time.Now})
	write(t, dir, "cairn.yaml", fmt.Sprintf(`
sources:
  github:
    url: %s
    token: env:GITHUB_TOKEN
    organisations: [acme]
    webhook_secrets: [env:HOOK_SECRET]
    commits: api
`, url))
	must(t, dir, "collect", "github")
	base := serving(t, dir)
	count := func() float64 {
		var all, again metrics.Result
		get(t, base+"/api/v1/metrics/deployment_count_all?from=2026-03-01&to=2027-03-01", &all)
		get(t, base+"/api/v1/metrics/redeploy_count?from=2026-03-01&to=2027-03-01", &again)
		return number(all) + number(again)
	}
	before := count()
	f.Deliveries()
	repo := f.Repositories()[0]
	id := f.Deploy(repo, "production")
	f.SetStatus(repo, id, "in_progress")
	f.SetStatus(repo, id, "success")
	sent := time.Now()
	for _, d := range f.Deliveries() {
		if status := deliver(t, base+"/hooks/github", d); status/100 != 2 {
			t.Errorf("%s was answered %d", d.Event, status)
		}
	}
	for count() == before {
		if time.Since(sent) > 10*time.Second {
			t.Fatalf("ten seconds after the webhook the number is still %v", before)
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(sent)
	t.Logf("a deployment showed %s after its webhook", took)
	forged := f.Webhook("push", map[string]any{})
	forged.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
	if status := deliver(t, base+"/hooks/github", forged); status != http.StatusUnauthorized {
		t.Errorf("a forged webhook was answered %d, want 401", status)
	}
}

// serving starts a server on the folder's data and returns its address.
func serving(t *testing.T, dir string) string {
	t.Helper()
	var log bytes.Buffer
	serve := command(context.Background(), dir, "serve", "--listen", "127.0.0.1:0")
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil {
			t.Errorf("serve: %v\n%s", err, &log)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", &log)
		}
	})
	var plate doorplate
	for range 600 {
		text, err := os.ReadFile(filepath.Join(dir, "data", "server.json"))
		if err == nil && json.Unmarshal(text, &plate) == nil {
			return plate.URL
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the server did not come up\n%s", &log)
	return ""
}

func deliver(t *testing.T, url string, d githubtest.Delivery) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = d.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
	}
}
