package metrics_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// company is an organisation with teams below teams, owners that change and owners that share, and facts of every kind
// that answers can be told apart by. red and blue stand below colours, which owns nothing; green is alone and owns
// nothing either; grey shares s1 with whoever has it. quiet is a service that nothing is known to have happened to.
func company(t *rapid.T) *event.Batch {
	b := organisation(t)
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hour := func(name string) time.Time {
		return day.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(t, name)) * time.Hour)
	}
	b.Append(
		&event.Team{ID: "colours"}, &event.Team{ID: "red", Parent: "colours"}, &event.Team{ID: "blue", Parent: "colours"}, &event.Team{ID: "green"},
		&event.Team{ID: "dark-blue", Parent: "blue"},
		&event.Ownership{Service: "s1", Team: "grey"}, &event.Ownership{Service: "s2", Team: "dark-blue", From: hour("darkened")},
		&event.Service{ID: "quiet", CreatedAt: day}, &event.Service{ID: "born", CreatedAt: hour("born"), CreatedVia: "golden_path"},
		&event.Ownership{Service: "born", Team: "blue", From: hour("adopted")}, &event.Ownership{Service: "nowhere", Team: "red"},
	)
	for s := range 3 {
		service := fmt.Sprintf("s%d", s)
		for c := range rapid.IntRange(0, 3).Draw(t, "requests") {
			at := day.Add(time.Duration(c*24) * time.Hour)
			b.Append(&event.ChangeRequest{
				Repository: service, ID: fmt.Sprint(c), CreatedAt: at.Add(time.Hour), FirstReviewAt: at.Add(2 * time.Hour), MergedAt: at.Add(5 * time.Hour),
				Commits: []string{fmt.Sprintf("c%d", c)},
			})
		}
		b.Append(&event.Branch{Repository: service, Name: "main", SHA: "c1", Default: true})
		for _, capability := range []string{"cicd", "docs", "catalogue"} {
			if state := rapid.SampledFrom([]string{"", "golden", "own"}).Draw(t, capability); state != "" {
				b.Append(&event.CapabilityUse{Service: service, Capability: capability, ObservedAt: hour("observed"), State: state})
			}
		}
		if rapid.Bool().Draw(t, "exempt") {
			b.Append(&event.CapabilityExemption{Service: service, Capability: "docs", Exemption: "not_applicable", ApprovedAt: hour("approved")})
		}
		for m := range rapid.IntRange(0, 3).Draw(t, "measurements") {
			b.Append(&event.SLO{ID: service + "-slo", Service: service, MeasuredAt: hour("measured").Add(time.Duration(m) * time.Minute), Target: 0.9, Good: int64(rapid.IntRange(80, 100).Draw(t, "good")), Total: 100})
		}
	}
	return b
}

// single asks about one service or team as a question of its own.
func single(t *testing.T, e *metrics.Engine, r metrics.Request, key string) metrics.Group {
	t.Helper()
	r.Scope = metrics.Scope{Service: key}
	if r.GroupBy == metrics.GroupByTeam {
		r.Scope = metrics.Scope{Team: key}
	}
	r.GroupBy = ""
	res, err := e.Query(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return metrics.Group{
		Key: key, Value: res.Value, N: res.N, Interval: res.Interval, Flags: res.Flags, Parts: res.Parts, Previous: res.Previous, Series: res.Series,
	}
}

// Told apart, every service and every team has the answer that it has alone, to the last digit, there is none that is
// left out, and nothing changes of what is said of all.
func TestAGroupIsWhatTheSameQuestionAboutItAloneSays(t *testing.T) {
	companies := 2
	if testing.Short() {
		companies = 1
	}
	cuts := []metrics.Bucket{metrics.Month, metrics.Week}
	for seed := range companies {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			e := load(t, storetest.New(t), rapid.Custom(company).Example(seed))
			e.Feed() // nothing arrives from here on
			for _, r := range askable(t) {
				r.Bucket = cuts[seed]
				if r.Metric == "deploy_days_per_week" && r.Bucket == metrics.Week {
					r.Bucket = metrics.Month
				}
				t.Run(fmt.Sprint(r.Metric, r.Statistic, r.Stage), func(t *testing.T) { compareGroups(t, e, r) })
			}
		})
	}
}

// askable is a question about each metric that can be told apart, with each of its statistics and stages.
func askable(t *testing.T) []metrics.Request {
	var list []metrics.Request
	w := window(t, "2026-01-19", "2026-03-16", "America/New_York")
	for _, d := range metrics.Definitions() {
		if len(d.GroupBy) == 0 {
			continue
		}
		list = append(list, metrics.Request{Metric: d.ID, Window: w})
		for _, s := range d.Statistics[min(1, len(d.Statistics)):] {
			list = append(list, metrics.Request{Metric: d.ID, Window: w, Statistic: s})
		}
	}
	return append(list, metrics.Request{Metric: "lead_time", Window: w, Stage: "coding"}, metrics.Request{Metric: "lead_time", Window: w, Stage: "deploy", Statistic: "p90"})
}

func compareGroups(t *testing.T, e *metrics.Engine, r metrics.Request) {
	plain, err := e.Query(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for by, want := range map[string][]string{
		metrics.GroupByService: {"born", "quiet", "s0", "s1", "s2"}, metrics.GroupByTeam: {"blue", "colours", "dark-blue", "green", "grey", "red"},
	} {
		r.GroupBy = by
		res, err := e.Query(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, g := range res.Groups {
			keys = append(keys, g.Key)
			if diff := cmp.Diff(single(t, e, r, g.Key), g); diff != "" {
				t.Errorf("%s (-alone +as a group):\n%s", g.Key, diff)
			}
		}
		if diff := cmp.Diff(want, keys); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
		res.Groups = nil
		if diff := cmp.Diff(plain, res); diff != "" {
			t.Errorf("what is said of all (-without groups +with):\n%s", diff)
		}
	}
}

// What is asked together, alone or again has the answer that each question has by itself, to the last digit, whether
// answers are kept or not.
func TestWhatIsAskedTogetherIsWhatEachQuestionSays(t *testing.T) {
	st := storetest.New(t)
	kept := load(t, st, rapid.Custom(company).Example(1))
	now := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC) // as load has it
	cfg := metrics.DefaultConfig()
	cfg.AnswersKept = 0
	plain, err := metrics.New(cfg, st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	kept.Feed()
	plain.Feed() // nothing arrives from here on
	ask := func(r metrics.Request) metrics.Result {
		t.Helper()
		res, err := plain.Query(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	twice := func(what string, want any, ask func() (any, error)) {
		t.Helper()
		for range 2 { // computed, then kept
			got, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-by itself +together):\n%s", what, diff)
			}
		}
	}
	ctx := t.Context()
	for _, scope := range []metrics.Scope{{}, {Team: "colours"}, {Service: "s1"}} {
		r := metrics.Request{Scope: scope, Window: window(t, "2026-01-19", "2026-03-16", "America/New_York"), Bucket: metrics.Week}
		var stages, adoption []metrics.Result
		for _, stage := range metrics.Stages() {
			one := r
			one.Metric, one.Stage = "lead_time", stage
			stages = append(stages, ask(one))
		}
		for _, capability := range append([]string{""}, kept.Capabilities()...) {
			one := r
			one.Metric, one.Capability = "adoption_rate", capability
			adoption = append(adoption, ask(one))
		}
		twice("stages", stages, func() (any, error) { return kept.Stages(ctx, r) })
		twice("adoption", adoption, func() (any, error) {
			all, each, err := kept.Adoption(ctx, r)
			return append([]metrics.Result{all}, each...), err
		})
		for _, id := range []string{"lead_time", "failed_deployment_recovery", "time_to_first_deployment_service", "waiting_changes", "deployments_per_week", "adoption_rate"} {
			one := r
			one.Metric = id
			twice(id, ask(one), func() (any, error) { return kept.Query(ctx, one) })
			evidence, err := plain.Explain(ctx, one, metrics.Page{Limit: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			twice(id+"'s evidence", evidence, func() (any, error) { return kept.Explain(ctx, one, metrics.Page{Limit: 10_000}) })
			values := []float64{}
			for _, item := range evidence.Items {
				if item.Counted && item.Value != nil {
					values = append(values, *item.Value)
				}
			}
			slices.Sort(values)
			twice(id+"'s values", values, func() (any, error) {
				got, _, err := kept.Spread(ctx, one)
				slices.Sort(got)
				return append([]float64{}, got...), err
			})
			one.GroupBy = metrics.GroupByService
			groups := ask(one).Groups
			one.GroupsOnly = true
			twice(id+" by service", groups, func() (any, error) {
				res, err := kept.Query(ctx, one)
				if res.Value != nil || !res.AsOf.Equal(now) {
					t.Errorf("%s by service alone: got %v as of %s", id, res.Value, res.AsOf)
				}
				return res.Groups, err
			})
		}
	}
}

// Within a team's scope a service has what it did in the team's hands, and a team what the teams below it did; within a
// service's, a team has what the service did in its hands.
func TestGroupsStayWithinTheScope(t *testing.T) {
	var b event.Batch
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.Append(
		&event.Team{ID: "colours"}, &event.Team{ID: "red", Parent: "colours"}, &event.Team{ID: "blue", Parent: "colours"},
		&event.Ownership{Service: "shop", Team: "red", To: day.AddDate(0, 0, 9)}, &event.Ownership{Service: "shop", Team: "blue", From: day.AddDate(0, 0, 9)},
		&event.Ownership{Service: "blog", Team: "blue"}, &event.Ownership{Service: "wiki", Team: "green"},
	)
	for i, service := range strings.Fields("shop shop shop shop shop blog wiki") {
		at := day.AddDate(0, 0, 2*i).Add(time.Hour) // shop's on the 1st, 3rd, 5th, 7th and 9th
		if i == 4 {
			at = day.AddDate(0, 0, 10)
		}
		b.Append(&event.Deployment{Service: service, ID: fmt.Sprint(i), Environment: "production", Status: "succeeded", FinishedAt: at, Version: fmt.Sprint(i)})
	}
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return day.AddDate(0, 2, 0) }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scope metrics.Scope
		by    string
		want  string
	}{
		{metrics.Scope{}, metrics.GroupByService, "blog=1 shop=5 wiki=1"},
		{metrics.Scope{}, metrics.GroupByTeam, "blue=2 colours=6 green=1 red=4"},
		{metrics.Scope{Team: "colours"}, metrics.GroupByService, "blog=1 shop=5"},
		{metrics.Scope{Team: "colours"}, metrics.GroupByTeam, "blue=2 colours=6 red=4"},
		{metrics.Scope{Team: "blue"}, metrics.GroupByService, "blog=1 shop=1"},
		{metrics.Scope{Team: "blue"}, metrics.GroupByTeam, "blue=2"},
		{metrics.Scope{Team: "red"}, metrics.GroupByService, "shop=4"},
		{metrics.Scope{Service: "shop"}, metrics.GroupByTeam, "blue=1 colours=5 red=4"},
		{metrics.Scope{Service: "shop"}, metrics.GroupByService, "shop=5"},
	} {
		for _, metric := range []string{"deployment_count", "deployments_per_week"} {
			res, err := e.Query(t.Context(), metrics.Request{Metric: metric, Scope: c.scope, GroupBy: c.by, Window: window(t, "2026-01-01", "2026-01-29", "")})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range res.Groups {
				got = append(got, fmt.Sprintf("%s=%v", g.Key, g.N))
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("%s of %+v by %s: got %s, want %s", metric, c.scope, c.by, got, c.want)
			}
		}
	}
}

// What small groups would give away cannot be told apart, and the refusal says why.
func TestWhatCannotBeGroupedSaysWhy(t *testing.T) {
	e := engine(t, "2026-03-01T12:00:00Z")
	for _, c := range []struct{ metric, by, say string }{
		{"csat", metrics.GroupByTeam, "survey_cells"},
		{"enps", metrics.GroupByService, "survey_cells"},
		{"pain_points", metrics.GroupByTeam, "survey_cells"},
		{"survey_response_rate", metrics.GroupByTeam, "survey_cells"},
		{"survey_cells", metrics.GroupByTeam, "already"},
		{"time_to_first_deployment_developer", metrics.GroupByTeam, "one team"},
		{"lead_time", "moon", "service or team"},
	} {
		_, err := e.Query(t.Context(), metrics.Request{Metric: c.metric, GroupBy: c.by, Window: window(t, "2026-01-01", "2026-02-01", "")})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s by %s: got %v, want a refusal with %q", c.metric, c.by, err, c.say)
		}
	}
}
