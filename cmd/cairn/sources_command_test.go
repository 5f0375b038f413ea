package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"cairn/metrics"
)

// What the terminal says of sources: the sentences of the pages, what fails and why, and nothing that moves the cursor.
func TestSourcesInTheTerminal(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	read, next := now.Add(-12*time.Minute), now.Add(3*time.Minute)
	github := metrics.SourceRecord{
		Name: "github", Subjects: 2, Failing: 1, Streams: 3, Outcomes: map[string]int64{"fresh": 2, "denied": 1}, SucceededAt: &read, NewsUpTo: &read, Complete: true,
		Problems: []metrics.SourceProblem{{Outcome: "denied", Error: "403 \x1b[2J\nno", Streams: 1, Examples: []string{"acme/shop/runs"}, NextAt: &next}}, Error: "403",
		Budgets: []metrics.SourceBudget{{Resource: "core", Limit: 5000, Remaining: 4000, ResetAt: &next}},
	}
	well := metrics.SourceRecord{Name: "gitlab", Deliveries: []metrics.SourceDeliveries{{Event: "Push Hook", Outcome: "woken", N: 1200}}}
	for _, c := range []struct {
		name     string
		list     []metrics.SourceRecord
		problems bool
		says     []string
		hides    string
	}{
		{"none", nil, false, []string{"No source is configured", "cairn connect github --organisation NAME"}, "Every"},
		{"all", []metrics.SourceRecord{github, well}, false, []string{"GitHub is up to date", "4,000 of 5,000 until 12:03", "1 stream may not be read, tried again at 12:03: 403  [2J no", "acme/shop/runs", "1,200 had something read again"}, "\x1b"},
		{"problems", []metrics.SourceRecord{github, well}, true, []string{"403"}, "GitLab"},
		{"no problems", []metrics.SourceRecord{well}, true, []string{"Every stream can be read."}, "GitLab"},
	} {
		var out bytes.Buffer
		printSources(&out, metrics.SourceList{AsOf: now, Sources: c.list}, c.problems)
		for _, say := range c.says {
			if !strings.Contains(out.String(), say) {
				t.Errorf("%s: not %q: %s", c.name, say, &out)
			}
		}
		if strings.Contains(out.String(), c.hides) {
			t.Errorf("%s: %q: %q", c.name, c.hides, &out)
		}
	}
}
