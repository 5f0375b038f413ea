package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A command that is killed in the middle loses nothing and doubles nothing: the same command again completes it.
func TestIngestIsKilledAndRepeated(t *testing.T) {
	const deployments = 60_000
	dir := folder(t)
	var b strings.Builder
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range deployments {
		fmt.Fprintf(&b, `{"type":"deployment","service":"s%d","id":"d%d","environment":"production","status":"succeeded","finished_at":%q,"version":"v%d"}`+"\n", i%10, i, at.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)
	}
	write(t, dir, "large.ndjson", b.String())
	for _, patience := range []time.Duration{900 * time.Millisecond, 1300 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), patience) // ends in kill -9
		c := command(ctx, dir, "ingest", "large.ndjson")
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		err := c.Run()
		cancel()
		t.Logf("after %s: %v", patience, err)
	}
	must(t, dir, "ingest", "large.ndjson")
	r := ask1(t, dir, "deployment_count", "--from", "2026-01-01", "--to", "2026-02-01")
	if r.Value != float64(deployments) {
		t.Errorf("got %v deployments, want %d", r.Value, deployments)
	}
	if text := must(t, dir, "doctor", "deployment_count"); !strings.Contains(text, "60,000  deployment runs told") {
		t.Errorf("doctor: got\n%s", text)
	}
}
