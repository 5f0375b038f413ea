package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"cairn/collectors"
	"cairn/internal/demo/demotest"
)

// A new system needs a place in the demonstration, and every connection a row in its description.
func TestTheDemonstrationHasEverySystem(t *testing.T) {
	description, err := os.ReadFile("../../docs/demo.md")
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for name, system := range demotest.Connections() {
		if used = append(used, system); !strings.Contains(string(description), "`"+name+"`") {
			t.Errorf("docs/demo.md does not say who uses `%s`", name)
		}
	}
	kinds := collectors.Kinds()
	for system := range kinds {
		if !slices.Contains(used, system) {
			t.Errorf("no connection of the demonstration leads to %s", system)
		}
	}
	for _, system := range used {
		if _, known := kinds[system]; !known && system != "" {
			t.Errorf("the demonstration has a connection to %s, which no collector knows", system)
		}
	}
}

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
