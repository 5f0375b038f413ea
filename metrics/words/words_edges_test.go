package words_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/metrics"
	"cairn/metrics/words"
)

// What rounds to the next unit is written in the next unit: nobody says 60 min.
func TestRoundingChoosesTheUnit(t *testing.T) {
	for _, c := range []struct {
		hours float64
		want  string
	}{
		{59.94 / 60, "59.9 min"},
		{59.96 / 60, "1 h"},
		{59.99 / 60, "1 h"},
		{-59.99 / 60, "-1 h"},
		{1, "1 h"},
		{47.94, "47.9 h"},
		{47.96, "2 d"},
		{-47.96, "-2 d"},
		{48, "2 d"},
		{-0.5, "-30 min"},
		{-30, "-30 h"},
		{1.0 / 3600, "0.0167 min"},
		{24 * 999.94, "1,000 d"},
		{24 * 12345.6, "12,346 d"},
		{math.Copysign(0, -1), "0 min"},
	} {
		if got := words.Duration(c.hours); got != c.want {
			t.Errorf("Duration(%v): got %q, want %q", c.hours, got, c.want)
		}
	}
}

// Thousands are separated in every number, and no number has an exponent.
func TestHugeAndTinyNumbers(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{12345.6, "deployments/week", "12,346"},
		{-12345.6, "deployments/week", "-12,346"},
		{999.96, "deployments/week", "1,000"},
		{99.96, "deployments/week", "100"},
		{9.996, "deployments/week", "10"},
		{1e15, "deployments", "1,000,000,000,000,000"},
		{-1e16, "deployments", "-10,000,000,000,000,000"},
		{0.00001234, "deployments/week", "0.0000123"},
		{12.5, "ratio", "1,250 %"},
		{0.9999, "ratio", "100 %"},
		{1, "share of respondents", "100 %"},
		{-0.071, "ratio", "-7.1 %"},
	} {
		if got := words.Value(c.value, c.unit); got != c.want {
			t.Errorf("Value(%v, %q): got %q, want %q", c.value, c.unit, got, c.want)
		}
	}
	if got, want := words.Grouped(math.MinInt64), "-9,223,372,036,854,775,808"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A written number is the number, to three digits: reading it back is off by less than half of a thousandth.
func TestSignificantIsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1e9, 1e9).Draw(t, "v")
		text := words.Significant(v, 3)
		got, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
		if err != nil || math.Abs(got-v) > 0.00501*math.Abs(v) || strings.ContainsAny(text, "eE+") || strings.HasSuffix(text, ".") {
			t.Fatalf("%v is written %q", v, text)
		}
	})
}

// A longer time is never written as a shorter one.
func TestDurationsKeepTheirOrder(t *testing.T) {
	read := func(t *rapid.T, text string) float64 {
		number, unit, _ := strings.Cut(text, " ")
		v, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return v * map[string]float64{"min": 1, "h": 60, "d": 60 * 24}[unit]
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(0, 10_000).Draw(t, "a")
		b := a * rapid.Float64Range(1, 1.2).Draw(t, "factor")
		if x, y := words.Duration(a), words.Duration(b); read(t, x) > read(t, y)+1e-9 {
			t.Fatalf("%v is written %q, and %v %q", a, x, b, y)
		}
	})
}

func TestCountedKnowsPlurals(t *testing.T) {
	for noun, want := range map[string]string{"change": "2 changes", "repository": "2 repositories", "day": "2 days", "y": "2 ys"} {
		if got := words.Counted(2, noun); got != want {
			t.Errorf("Counted(2, %q): got %q, want %q", noun, got, want)
		}
	}
	if got := words.Counted(1, "repository"); got != "1 repository" {
		t.Errorf("got %q, want 1 repository", got)
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int64]string{0: "0 changes", 1: "1 change", 2: "2 changes", -1: "-1 changes", 1234: "1,234 changes"} {
		if got := words.Counted(n, "change"); got != want {
			t.Errorf("Counted(%d): got %q, want %q", n, got, want)
		}
	}
}

// Every flag that a result can have is said in words; one of a newer engine stays readable.
func TestFlagsAreSaid(t *testing.T) {
	for _, flag := range []string{
		metrics.FlagPartial, metrics.FlagLowN, metrics.FlagSmallP90, metrics.FlagProvisional, metrics.FlagNotReached, metrics.FlagNotDeployed,
		metrics.FlagSuppressed, metrics.FlagLowResponse, metrics.FlagCatchingUp,
	} {
		if got := words.Flag(flag); got == flag || strings.Contains(got, "_") {
			t.Errorf("%s: got %q, want words", flag, got)
		}
	}
	if got := words.Flag("yet_unknown"); got != "yet_unknown" {
		t.Errorf("got %q", got)
	}
}

func TestPlain(t *testing.T) {
	for name, want := range map[string]string{"wait_to_deploy": "wait to deploy", "re_release": "re-release", "p50": "p50", "": ""} {
		if got := words.Plain(name); got != want {
			t.Errorf("Plain(%q): got %q, want %q", name, got, want)
		}
	}
}

// A sha is cut to what people compare; nothing else is.
func TestShort(t *testing.T) {
	sha := strings.Repeat("0123456789", 4)
	for id, want := range map[string]string{
		sha: sha[:12], sha + sha[:24]: sha[:12], sha[:39]: sha[:39], strings.ToUpper(strings.Repeat("ab", 20)): strings.ToUpper(strings.Repeat("ab", 20)),
		"deploy-" + sha[:33]: "deploy-" + sha[:33], "": "",
	} {
		if got := words.Short(id); got != want {
			t.Errorf("Short(%q): got %q, want %q", id, got, want)
		}
	}
}

// A part has the unit of the value where it is another quantile, hours where it is an age, and none where it counts.
func TestPartsHaveUnits(t *testing.T) {
	for part, want := range map[string]string{"p75": "days", "oldest_unresolved": "days", "oldest_age": "hours", "unresolved": "", "cohort": ""} {
		if got := words.PartUnit(part, "days"); got != want {
			t.Errorf("PartUnit(%s): got %q, want %q", part, got, want)
		}
	}
}
