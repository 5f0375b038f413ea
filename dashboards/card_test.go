package dashboards

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/metrics"
	"cairn/metrics/words"
)

// found is a metric of the catalogue.
func found(t testing.TB, id string) metrics.Definition {
	t.Helper()
	for _, d := range metrics.Definitions() {
		if d.ID == id {
			return d
		}
	}
	t.Fatalf("there is no metric %s", id)
	return metrics.Definition{}
}

func bounds(low, high float64) *[2]float64 { return &[2]float64{low, high} }

// answer is a value with the one of the window before.
func answer(value any, n int64, in *[2]float64, before any, beforeN int64, beforeIn *[2]float64) metrics.Result {
	return metrics.Result{Value: value, N: n, Interval: in, Previous: &metrics.Previous{Value: before, N: beforeN, Interval: beforeIn}}
}

// A change is called better or worse only where it stands out of the noise; every direction is also an arrow and a word.
func TestCompare(t *testing.T) {
	lowN := func(res metrics.Result) metrics.Result {
		res.Flags = []string{metrics.FlagLowN}
		return res
	}
	for _, c := range []struct {
		name, metric string
		res          metrics.Result
		want         words.Change
	}{
		{"no window before", "lead_time", metrics.Result{Value: 3.0, N: int64(9)}, words.Change{}},
		{"nothing before", "lead_time", answer(3.0, 9, nil, nil, 0, nil), words.Change{Text: "nothing to compare with before"}},
		{"suppressed before", "csat", answer(0.5, 9, nil, metrics.Suppressed, 3, nil), words.Change{Text: "nothing to compare with before"}},
		{"few now", "lead_time", lowN(answer(3.0, 2, bounds(1, 2), 30.0, 90, bounds(20, 40))), words.Change{Text: "before: 30 h (n = 90)"}},
		{"few before", "lead_time", answer(3.0, 90, bounds(1, 2), 30.0, 4, bounds(20, 40)), words.Change{Text: "before: 30 h (n = 4)"}},
		{"intervals apart, lower is better", "lead_time", answer(3.0, 90, bounds(1, 4), 30.0, 90, bounds(20, 40)), words.Change{Text: "27 h shorter than before", Arrow: "▼", Class: "better"}},
		{"intervals apart, longer is worse", "lead_time", answer(30.0, 90, bounds(20, 40), 3.0, 90, bounds(1, 4)), words.Change{Text: "27 h longer than before", Arrow: "▲", Class: "worse"}},
		{"intervals that touch", "lead_time", answer(3.0, 90, bounds(1, 20), 30.0, 90, bounds(20, 40)), words.Change{Text: "about as before (30 h)", Class: "same"}},
		{"intervals that overlap, however far the values are", "change_failure_rate", answer(0.1, 20, bounds(0.03, 0.3), 0.4, 20, bounds(0.22, 0.61)), words.Change{Text: "about as before (40 %)", Class: "same"}},
		{"the same to three digits", "lead_time", answer(3.0001, 90, bounds(3, 4), 3.0, 90, bounds(1, 2)), words.Change{Text: "as before", Class: "same"}},
		{"a share that rises", "adoption_rate", answer(0.75, 40, bounds(0.7, 0.8), 0.5, 40, bounds(0.4, 0.6)), words.Change{Text: "25 points higher than before", Arrow: "▲", Class: "better"}},
		{"a share without interval, 5 points", "adoption_rate", answer(0.55, 40, nil, 0.5, 40, nil), words.Change{Text: "5 points higher than before", Arrow: "▲", Class: "better"}},
		{"a share without interval, 4 points", "adoption_rate", answer(0.54, 40, nil, 0.5, 40, nil), words.Change{Text: "about as before (50 %)", Class: "same"}},
		{"counts within two deviations", "deployment_count", answer(14.0, 14, nil, 9.0, 9, nil), words.Change{Text: "about as before (9)", Class: "same"}},
		{"counts at two deviations", "deployment_count", answer(9.0, 9, nil, 1.0, 1, nil), words.Change{Text: "8 more than before", Arrow: "▲", Class: "better"}},
		{"counts exactly at the limit", "deployment_count", answer(4.0, 4, nil, 0.0, 0, nil), words.Change{Text: "about as before (0)", Class: "same"}},
		{"fewer", "deployment_count", answer(2.0, 2, nil, 40.0, 40, nil), words.Change{Text: "38 fewer than before", Arrow: "▼", Class: "worse"}},
		{"a rate is compared by its counts", "deployments_per_week", answer(3.0, 36, nil, 1.0, 12, nil), words.Change{Text: "2 a week more than before", Arrow: "▲", Class: "better"}},
		{"a rate of few", "deployments_per_week", answer(0.75, 9, nil, 0.5, 6, nil), words.Change{Text: "about as before (0.5)", Class: "same"}},
		{"more that waits is worse", "waiting_changes", answer(40.0, 40, nil, 4.0, 4, nil), words.Change{Text: "36 more than before", Arrow: "▲", Class: "worse"}},
		{"neither is better", "deployment_count_all", answer(40.0, 40, nil, 4.0, 4, nil), words.Change{Text: "36 more than before", Arrow: "▲", Class: "same"}},
		{"a quarter", "deployment_gap", answer(10.0, 20, nil, 7.5, 20, nil), words.Change{Text: "about as before (7.5 h)", Class: "same"}},
		{"more than a quarter", "deployment_gap", answer(10.1, 20, nil, 7.5, 20, nil), words.Change{Text: "2.6 h longer than before", Arrow: "▲", Class: "worse"}},
		{"points", "enps", answer(40.0, 50, nil, 10.0, 50, nil), words.Change{Text: "30 points higher than before", Arrow: "▲", Class: "better"}},
		{"days", "time_to_first_deployment_service", answer(2.0, 9, nil, 9.0, 9, nil), words.Change{Text: "7 d shorter than before", Arrow: "▼", Class: "better"}},
	} {
		if diff := cmp.Diff(c.want, words.Compare(found(t, c.metric), c.res)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Every metric, every value, every interval: nothing is better or worse whose intervals overlap, and where there is no
// number there is no value but a sentence.
func TestCardsClaimNothing(t *testing.T) {
	definitions := metrics.Definitions()
	v := seen(t, "", "UTC", "2026-05-20")
	rapid.Check(t, func(t *rapid.T) {
		def := rapid.SampledFrom(definitions).Draw(t, "metric")
		number := rapid.Float64Range(0, 1e5)
		value := rapid.OneOf(rapid.Map(number, func(f float64) any { return f }), rapid.Just[any](nil), rapid.Just[any](metrics.Suppressed))
		in := rapid.Custom(func(t *rapid.T) *[2]float64 {
			if rapid.Bool().Draw(t, "none") {
				return nil
			}
			low := number.Draw(t, "low")
			return bounds(low, low+number.Draw(t, "width"))
		})
		count := rapid.Int64Range(0, 1000)
		res := answer(value.Draw(t, "value"), count.Draw(t, "n"), in.Draw(t, "interval"), value.Draw(t, "before"), count.Draw(t, "n before"), in.Draw(t, "interval before"))
		res.Flags = rapid.SliceOfDistinct(rapid.SampledFrom([]string{
			metrics.FlagLowN, metrics.FlagPartial, metrics.FlagNotReached, metrics.FlagNotDeployed, metrics.FlagSuppressed, metrics.FlagProvisional,
		}), rapid.ID[string]).Draw(t, "flags")
		c := newCard(v, def, res)
		_, isNumber := res.Value.(float64)
		isNumber = isNumber && !words.HasFlag(res, metrics.FlagNotDeployed)
		if (c.Value != "") != isNumber || (c.Missing != "") == isNumber || c.Exact == "" && isNumber {
			t.Fatalf("of %v: value %q, missing %q, exact %q", res.Value, c.Value, c.Missing, c.Exact)
		}
		if !isNumber && (c.Change != words.Change{} || c.Interval != "") {
			t.Fatalf("of %v: change %v, interval %q", res.Value, c.Change, c.Interval)
		}
		judged := c.Change.Class == "better" || c.Change.Class == "worse"
		a, b := res.Interval, res.Previous.Interval
		if judged && a != nil && b != nil && a[0] <= b[1] && b[0] <= a[1] {
			t.Fatalf("%v against %v is %q", *a, *b, c.Change.Class)
		}
		if judged && c.Change.Arrow == "" {
			t.Fatalf("%q without an arrow", c.Change.Class)
		}
		if judged && (words.HasFlag(res, metrics.FlagLowN) || def.Better == "") {
			t.Fatalf("%s with the flags %v is %q", def.ID, res.Flags, c.Change.Class)
		}
	})
}

// Whatever the numbers, a change is better or worse exactly where the intervals lie apart, and the direction is that of
// the values.
func TestOnlyIntervalsApartAreAChange(t *testing.T) {
	var judged []metrics.Definition
	for _, def := range metrics.Definitions() {
		if def.Better != "" {
			judged = append(judged, def)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		def := rapid.SampledFrom(judged).Draw(t, "metric")
		side := func(name string) (value float64, in *[2]float64) {
			in = bounds(rapid.Float64Range(0, 1000).Draw(t, name+" from"), 0)
			in[1] = in[0] + rapid.Float64Range(0, 300).Draw(t, name+" width")
			return in[0] + (in[1]-in[0])*rapid.Float64Range(0, 1).Draw(t, name+" value"), in
		}
		now, a := side("now")
		before, b := side("before")
		got := words.Compare(def, answer(now, 100, a, before, 100, b))
		apart := a[0] > b[1] || b[0] > a[1]
		want := ""
		switch {
		case got.Text == "as before" || !apart:
			want = "same"
		case (now > before) == (def.Better == "higher"):
			want = "better"
		default:
			want = "worse"
		}
		if got.Class != want || (want == "same") != (got.Arrow == "") || got.Arrow != "" && (got.Arrow == "▲") != (now > before) {
			t.Fatalf("%s: %v in %v against %v in %v is %+v, want %s", def.ID, now, *a, before, *b, got, want)
		}
	})
}

// A card without a number says why, and what to do where something can be done.
func TestCardsWithoutANumberSayWhy(t *testing.T) {
	flags := func(list ...string) []string { return list }
	for _, c := range []struct {
		name, metric string
		res          metrics.Result
		say          string
		why          bool
	}{
		{"no data", "lead_time", metrics.Result{N: int64(0)}, "No data: no change reached production in this window", true},
		{"nothing live", "deployments_per_week", metrics.Result{Flags: flags(metrics.FlagNotDeployed)}, "Nothing was in production in this window", true},
		{"a 0 where nothing was live", "deployment_count", metrics.Result{Value: 0.0, N: int64(0), Flags: flags(metrics.FlagNotDeployed)}, "Nothing was in production in this window", true},
		{"suppressed", "csat", metrics.Result{Value: metrics.Suppressed, Flags: flags(metrics.FlagSuppressed)}, "Hidden: fewer people than keep each of them anonymous", false},
		{"one failure open", "failed_deployment_recovery", metrics.Result{N: int64(1), Flags: flags(metrics.FlagNotReached), Parts: map[string]any{"unresolved": int64(1)}}, "Longer than everything seen so far: 1 failure still open", false},
		{"incidents open", "time_to_restore", metrics.Result{Flags: flags(metrics.FlagNotReached), Parts: map[string]any{"unresolved": int64(3)}}, "Longer than everything seen so far: 3 incidents still open", false},
		{"services not deployed", "time_to_first_deployment_service", metrics.Result{Flags: flags(metrics.FlagNotReached), Parts: map[string]any{"censored": int64(2)}}, "Longer than everything seen so far: 2 services not deployed yet", false},
		{"newcomers not there", "time_to_first_deployment_developer", metrics.Result{Flags: flags(metrics.FlagNotReached), Parts: map[string]any{"censored": int64(2)}}, "Longer than everything seen so far: 2 newcomers not there yet", false},
	} {
		card := newCard(seen(t, "", "UTC", "2026-05-20"), found(t, c.metric), c.res)
		if card.Missing != c.say || card.Value != "" || card.N == "n = 0" || (card.Why != "") != c.why {
			t.Errorf("%s: got %q, value %q, why %q", c.name, card.Missing, card.Value, card.Why)
		}
	}
	for _, def := range metrics.Definitions() {
		card := newCard(view{Window: metrics.Window{Zone: time.UTC}}, def, metrics.Result{})
		if !strings.HasPrefix(card.Missing, "No data: ") || strings.Contains(card.Missing, "0") || card.N != "" {
			t.Errorf("%s without data: got %q, n %q", def.ID, card.Missing, card.N)
		}
	}
}

// A card of a list of values does not say that there is none.
func TestCardsOfLists(t *testing.T) {
	for metric, value := range map[string]any{"pain_points": []metrics.PainPoint{{Option: "slow builds", Share: 0.5}}, "survey_cells": map[string]any{"all": 0.5, "red": metrics.Suppressed}} {
		card := newCard(seen(t, "", "UTC", "2026-05-20"), found(t, metric), metrics.Result{Value: value, N: int64(8)})
		if strings.Contains(card.Missing, "No data") || card.Why != "" {
			t.Errorf("%s: got %q", metric, card.Missing)
		}
	}
}

// What a card says besides its value: exact digits, sample, interval, remarks, and where more stands.
func TestCardsTellWhatANumberStandsOn(t *testing.T) {
	v := seen(t, "last=4w&tz=Asia/Kolkata", "UTC", "2026-05-20")
	res := answer(9.2444, 1063, bounds(8.1, 10.9), 9.2, 900, bounds(8, 11))
	res.Scope, res.Statistic, res.Flags = metrics.Scope{Service: "a/b c"}, metrics.StatisticP50, []string{metrics.FlagPartial, metrics.FlagProvisional}
	res.AsOf = time.Date(2026, 5, 20, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	got := newCard(v, found(t, "lead_time"), res)
	want := card{
		Metric: "lead_time", AsOf: "2026-05-20T11:00:00.123Z", Title: "Lead time for changes", Statistic: "p50", Value: "9.24 h", Exact: "9.2444 hours",
		Interval: "8.1 – 10.9 h", N: "n = 1,063", Change: words.Change{Text: "about as before (9.2 h)", Class: "same"},
		Notes: []string{"provisional: failures of the last three days are still arriving"}, Counted: "the 1,063 changes",
		Page:       "/metrics/lead_time?last=4w&service=a%2Fb+c&tz=Asia%2FKolkata",
		Evidence:   "/metrics/lead_time?last=4w&service=a%2Fb+c&tz=Asia%2FKolkata#evidence",
		Definition: "/docs/metrics/lead_time",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rate := newCard(v, found(t, "deployments_per_week"), metrics.Result{Value: 2.5, N: int64(30), Statistic: metrics.StatisticRate})
	if rate.Value != "2.5" || rate.Statistic != "a week" {
		t.Errorf("got %q %q, want 2.5 a week", rate.Value, rate.Statistic)
	}
}

// Two bounds of one unit name it once.
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		unit      string
		want      string
	}{
		{8.1, 10.9, "hours", "8.1 – 10.9 h"},
		{0.7, 10.9, "hours", "42 min – 10.9 h"},
		{40, 50, "hours", "40 h – 2.08 d"},
		{0, 0.3, "ratio", "0 – 30 %"},
		{1, 2.5, "deployments/week", "1 – 2.5"},
		{-10, 30, "points -100..100", "-10 – 30"},
	} {
		if got := words.Interval(bounds(c.low, c.high), c.unit); got != c.want {
			t.Errorf("%v to %v %s: got %q, want %q", c.low, c.high, c.unit, got, c.want)
		}
	}
}

func TestDifference(t *testing.T) {
	for _, c := range []struct {
		by   float64
		unit string
		want string
	}{
		{0.4, "hours", "24 min longer"}, {-72, "hours", "3 d shorter"}, {2, "days", "2 d longer"}, {0.071, "ratio", "7.1 points higher"},
		{-0.5, "share of respondents", "50 points lower"}, {1, "changes", "1 more"}, {-1200, "deployments", "1,200 fewer"}, {-0.5, "days/week", "0.5 a week fewer"},
		{-12, "points -100..100", "12 points lower"},
	} {
		if got := words.Difference(c.by, c.unit); got != c.want {
			t.Errorf("%v %s: got %q, want %q", c.by, c.unit, got, c.want)
		}
	}
}

// The link to the evidence says how much there is, where what is counted is what is listed.
func TestEvidenceWords(t *testing.T) {
	for _, c := range []struct {
		metric string
		n      any
		want   string
	}{
		{"lead_time", int64(63), "the 63 changes"}, {"lead_time", int64(1), "the change"}, {"lead_time", int64(0), "what was looked at"}, {"lead_time", nil, "what was looked at"},
		{"deployment_count", int64(1200), "the 1,200 deployments"}, {"deploy_days_per_week", int64(12), "the deployments"}, {"deployment_gap", 11.0, "the deployments"},
		{"failed_deployment_recovery", int64(2), "the 2 failures"}, {"time_to_restore", int64(1), "the incident"}, {"adoption_rate", int64(40), "the services"},
		{"time_to_first_deployment_service", map[string]any{"cohort": int64(7), "deployed": int64(5)}, "the 7 services"}, {"slo_attainment", int64(3), "the 3 measurements"},
		{"csat", int64(9), "how it was counted"}, {"time_to_first_deployment_developer", int64(9), "how it was counted"},
	} {
		if got := evidenceWords(found(t, c.metric), c.n); got != c.want {
			t.Errorf("%s of %v: got %q, want %q", c.metric, c.n, got, c.want)
		}
	}
}

// A window before in which the first service came live is told, and nothing is called more or better than it.
func TestNothingIsBetterThanABeginning(t *testing.T) {
	res := metrics.Result{Value: 40.0, N: int64(40), Previous: &metrics.Previous{Value: 5.0, N: int64(5), Flags: []string{metrics.FlagBegan}}}
	c := words.Compare(metrics.Definition{ID: "deployment_count", Unit: "deployments", Better: "higher"}, res)
	if c.Class != "" || c.Arrow != "" || !strings.Contains(c.Text, "before: 5") {
		t.Errorf("got %+v", c)
	}
	text := words.Shipped("shop", view{Last: "12w"}.when(), res)
	if strings.Contains(text, "more") || !strings.Contains(text, "40 times") {
		t.Errorf("got %q", text)
	}
}
