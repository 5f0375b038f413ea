package main

import (
	"strings"
	"testing"
)

// The demonstration comes through the intake, leaves real facts alone, and is one of its kind in its folder.
func TestTheDemonstrationHasNumbersAndKeepsToItself(t *testing.T) {
	dir := folder(t)
	text := must(t, dir, "demo", "--data", "linden", "--until", "2025-11-14")
	for _, want := range []string{"17 teams, 60 services", "2024-05-14 to 2025-11-14", "cairn serve --data linden"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	r := ask1(t, dir, "lead_time", "--data", "linden", "--team", "payments", "--from", "2025-07-01", "--to", "2025-11-01")
	if v, ok := r.Value.(float64); !ok || v <= 0 || v > 48 {
		t.Errorf("lead time of Payments: got %v", r.Value)
	}
	// Another one is refused, and so is a folder with other facts.
	write(t, dir, "events.ndjson", shop())
	must(t, dir, "ingest", "events.ndjson", "--data", "shop")
	for data, word := range map[string]string{"linden": "seed 1 until 2025-11-14", "shop": "no demonstration"} {
		a := cairn(t, dir, "demo", "--data", data, "--until", "2025-11-14", "--seed", "2")
		if a.code != 5 || !strings.Contains(a.stderr, word) || a.stdout != "" {
			t.Errorf("%s: got exit code %d and %q, want 5 and %q", data, a.code, a.stderr, word)
		}
	}
}
