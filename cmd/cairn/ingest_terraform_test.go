package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"cairn/internal/sharedtest"
)

// A pipeline pipes what OpenTofu printed into cairn, and the service's use of the platform's modules is counted.
func TestAPipelineTellsWhatItApplied(t *testing.T) {
	dir := folder(t)
	printed := sharedtest.Path(t, "payloads", "terraform", "plan-apply", "apply-create.jsonl")
	write(t, dir, "shop.ndjson", `{"type":"service","id":"shop","created_at":"2026-01-01T00:00:00Z"}`+"\n")
	must(t, dir, "ingest", "shop.ndjson")
	write(t, dir, "plan.json", `{"format_version":"1.2","timestamp":"2026-11-22T19:03:00Z","configuration":{"root_module":{"module_calls":{"db":{"source":"app.terraform.io/acme/rds/aws"}}}},`+
		`"resource_changes":[{"module_address":"module.db","mode":"managed","type":"aws_db_instance","change":{"actions":["create"]}}]}`)
	piped := func(args ...string) answer {
		t.Helper()
		in, err := os.Open(printed)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		c := command(t.Context(), dir, args...)
		var stdout, stderr bytes.Buffer
		c.Stdin, c.Stdout, c.Stderr = in, &stdout, &stderr
		_ = c.Run()
		return answer{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
	// A second time changes nothing.
	for range 2 {
		got := piped("ingest", "terraform", "plan.json", "-", "--workspace", "shop-prod", "--run", "1042", "--service", "shop", "--team", "checkout", "--environment", "production",
			"--url", "https://ci.example/1042", "--golden-module", "app.terraform.io/acme")
		if got.code != 0 || got.stdout != "2 events stored.\n" || got.stderr != "" {
			t.Fatalf("got %+v", got)
		}
	}
	r := ask1(t, dir, "adoption_rate", "--capability", "provisioning", "--from", "2026-11-01", "--to", "2026-11-23")
	if r.Value != 1.0 || r.N != 1.0 {
		t.Errorf("adoption of provisioning: got %v of %v, want 1 of 1", r.Value, r.N)
	}
	if got := piped("ingest", "terraform", "plan.json", "--run", "1043"); got.code != 0 || got.stdout != "0 events stored.\n" || !strings.Contains(got.stderr, "a plan asks for nothing") {
		t.Errorf("a plan alone: got %+v", got)
	}
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"none.jsonl", "--run", "1"}, 3, "none.jsonl"},
		{[]string{".", "--run", "1"}, 2, "."},
		{[]string{"shop.ndjson", "--run", "1"}, 2, "shop.ndjson"},
		{[]string{"plan.json"}, 2, "name"},
		{[]string{"-", "--run", strings.Repeat("x", 5000)}, 2, "id"},
	} {
		if got := piped(append([]string{"ingest", "terraform"}, c.args...)...); got.code != c.code || !strings.Contains(got.stderr, c.say) {
			t.Errorf("%v: got %d and %q, want %d and %q", c.args, got.code, got.stderr, c.code, c.say)
		}
	}
}
