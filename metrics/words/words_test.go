package words_test

import (
	"testing"

	"cairn/metrics/words"
)

// Each value reads as a person would say it, and no data is never 0.
func TestValue(t *testing.T) {
	for _, c := range []struct {
		value any
		unit  string
		want  string
	}{
		{nil, "hours", "no data"},
		{"suppressed", "ratio", "suppressed"},
		{0.0, "hours", "0 min"},
		{0.7, "hours", "42 min"},
		{9.2, "hours", "9.2 h"},
		{47.94, "hours", "47.9 h"},
		{81.6, "hours", "3.4 d"},
		{3.5, "days", "3.5 d"},
		{0.02, "days", "28.8 min"},
		{0.1739130, "ratio", "17.4 %"},
		{0.0, "ratio", "0 %"},
		{1234567.0, "deployments", "1,234,567"},
		{-1234.0, "points -100..100", "-1,234"},
		{int64(7), "", "7"},
		{2.1, "deployments/week", "2.1"},
		{-0.25, "hours", "-15 min"},
	} {
		if got := words.Value(c.value, c.unit); got != c.want {
			t.Errorf("Value(%v, %q): got %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		n    any
		want string
	}{{nil, "–"}, {63.0, "63"}, {int64(1204), "1,204"}, {map[string]any{"cohort": 3.0}, `{"cohort":3}`}} {
		if got := words.Size(c.n); got != c.want {
			t.Errorf("Size(%v): got %q, want %q", c.n, got, c.want)
		}
	}
}
