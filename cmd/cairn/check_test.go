package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"cairn/collectors"
	"cairn/collectors/github/githubtest"
	"cairn/metrics/words"
)

// What the configuration has is tried in one go: what each credential is, why one is refused, where webhooks go.
func TestTheConfiguredSourcesAreTried(t *testing.T) {
	_, dir, url := forge(t, githubtest.Config{Seed: 1, Repositories: 3, Teams: 1})
	if a := cairn(t, dir, "check"); a.code == 0 || !strings.Contains(a.stderr, "no source is configured") {
		t.Errorf("without a source: exit code %d, %q", a.code, a.stderr)
	}
	config := fmt.Sprintf(`
sources:
  github:
    - {name: good, url: %[1]q, token: env:GITHUB_TOKEN, organisations: [acme], webhook_secrets: [env:HOOK_SECRET], commits: api}
    - {name: elsewhere, url: %[1]q, token: env:GITHUB_TOKEN, organisations: [nobody], commits: api}
  pagerduty:
    webhook_secrets: [env:HOOK_SECRET]
`, url)
	write(t, dir, "cairn.yaml", config)
	a := cairn(t, dir, "check")
	for _, want := range []string{"good (GitHub)\nThe credential is that of", "may read", "http://THIS-HOST/hooks/good", "elsewhere (GitHub)\n", "none are heard", "pagerduty (PagerDuty)\nIt has no credential: nothing is read.\nWebhooks go to http://THIS-HOST/hooks/pagerduty"} {
		if !strings.Contains(a.stdout, want) {
			t.Errorf("check does not say %q:\n%s%s", want, a.stdout, a.stderr)
		}
	}
	if a := cairn(t, dir, "check", "good"); a.code != 0 || strings.Contains(a.stdout, "pagerduty") {
		t.Errorf("one source: exit code %d, %s", a.code, a.stdout)
	}
	if out := must(t, dir, "collect", "sources", "good"); !strings.Contains(out, "facts of") {
		t.Errorf("collect sources says: %s", out)
	}
	t.Setenv("GITHUB_TOKEN", "")
	if a := cairn(t, dir, "check"); a.code == 0 || !strings.Contains(a.stderr, "GITHUB_TOKEN") {
		t.Errorf("without the token: exit code %d, %q", a.code, a.stderr)
	}
}

// Every system has a name for people, a page, and a row in the table of systems.
func TestEverySystemIsDocumented(t *testing.T) {
	table, err := os.ReadFile("../../docs/systems.md")
	if err != nil {
		t.Fatal(err)
	}
	for system := range collectors.Kinds() {
		if words.Source(system) == system {
			t.Errorf("%s has no name for people", system)
		}
		if _, err := os.Stat("../../docs/" + system + ".md"); err != nil {
			t.Errorf("%s has no page: %v", system, err)
		}
		if !strings.Contains(string(table), "("+system+".md)") {
			t.Errorf("%s has no row in docs/systems.md", system)
		}
	}
}
