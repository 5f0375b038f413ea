package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/metrics"
)

var someMetrics = map[string]bool{"deployment_count": true, "lead_time": true, "pain_points": true}

func TestParseStory(t *testing.T) {
	s, err := parseStory(`What a story
says in two lines.

-- deployments --
# A note. Columns may be empty at the end, with a dash, and in the middle.
service  id  sha     status     finished_at               started_at
www      d2  c1..c2  succeeded  2026-01-02T03:04+01:00
blog     d3  b1      failed     2026-01-02T03:04:05.006Z  -
wiki     d4          failed     2026-01-02                2026-01-01
-- services --
id   repositories        aliases
web  mono:web+docs~libs  site,www
-- survey_responses --
survey  respondent  submitted_at  answers
q1      p1          2026-01-01    happy=4,pain=slow builds!5+docs,none=[],empty=
-- commits --
sha  parents  authored_at
c2   c0,c1    2026-01-01
-- now 2026-03-01 --
-- settings anonymity_k=3 attribution.incident_window=1h capabilities=[a,b] --
-- lead_time service=web from=2026-01-01 to=2026-02-01 tz=Europe/Berlin bucket=week statistic=p75 bots=true --
1/2  3
2026-W01  1.5   2
2026-W02  null  0  partial
interval  1.0  2.0
flags: low_n partial
parts 2026-W01: p50=1 p90=null
explain  d1  left out  commit
left out  d1,d2  some reason, with a comma
# Why.
-- settings --
-- deployment_count from=2026-01-01 to=2026-02-01 --
refused: no  such thing
# Why.
`, someMetrics)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	four := int64(4)
	facts := []event.Event{
		&event.Deployment{
			Service: "www", ID: "d2", Environment: "production", Status: "succeeded", FinishedAt: time.Date(2026, 1, 2, 2, 4, 0, 0, time.UTC),
			Revisions: []event.Revision{{Repository: "mono", SHA: "c2", PreviousSHA: "c1"}},
		},
		&event.Deployment{
			Service: "blog", ID: "d3", Environment: "production", Status: "failed", FinishedAt: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC),
			Revisions: []event.Revision{{Repository: "blog", SHA: "b1"}},
		},
		&event.Deployment{Service: "wiki", ID: "d4", Environment: "production", Status: "failed", FinishedAt: day.AddDate(0, 0, 1), StartedAt: day},
		&event.Service{ID: "web", Aliases: []string{"site", "www"}, Repositories: []event.ServiceRepository{{Repository: "mono", Paths: []string{"web", "docs"}, SharedPaths: []string{"libs"}}}},
		&event.SurveyResponse{Survey: "q1", Respondent: "p1", SubmittedAt: day, Answers: []event.SurveyAnswer{
			{Question: "happy", Score: &four},
			{Question: "pain", Options: []string{"slow builds", "docs"}, Severity: map[string]int64{"slow builds": 5}},
			{Question: "none", Options: []string{}},
			{Question: "empty"},
		}},
		&event.Commit{Repository: "shop", SHA: "c2", Parents: []string{"c0", "c1"}, Author: "ann", AuthoredAt: day, CommittedAt: day},
	}
	if diff := cmp.Diff(facts, s.facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	berlin, err := metrics.ParseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	bots := true
	want := metrics.Request{
		Metric: "lead_time", Scope: metrics.Scope{Service: "web"}, Bucket: metrics.Week, Statistic: "p75", IncludeBots: &bots, AsOf: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Window: metrics.Window{From: time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC), Zone: berlin},
	}
	sameZone := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, s.asks[0].request, sameZone); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
	settings := metrics.DefaultConfig()
	settings.AnonymityK, settings.Attribution.IncidentWindow, settings.Capabilities = 3, time.Hour, []string{"a", "b"}
	if diff := cmp.Diff([]metrics.Config{settings, metrics.DefaultConfig()}, []metrics.Config{s.asks[0].settings, s.asks[1].settings}); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	var lines []string
	for _, a := range s.asks {
		for _, x := range a.want {
			lines = append(lines, x.String())
		}
	}
	if diff := cmp.Diff([]string{
		"whole  1/2  3", "bucket  2026-W01  1.5  2", "bucket  2026-W02  null  0  partial", "interval  1.0  2.0", "flags  low_n  partial",
		"parts  2026-W01  p50=1  p90=null", "explain  d1  left out  commit", "left out  d1,d2  some reason, with a comma", "refused  no  such thing",
	}, lines); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if want := "What a story says in two lines."; s.sentence != want {
		t.Errorf("sentence: got %q, want %q", s.sentence, want)
	}
}

func TestParseStoryNamesTheLine(t *testing.T) {
	const question = "-- now 2026-03-01 --\n-- deployment_count from=2026-01-01 to=2026-02-01 --\n1  1\n# Why.\n"
	for _, c := range []struct{ name, text, want string }{
		{"no sentence", "-- deployments --\nid  sha\nd1  c1\n" + question, `1: the first paragraph is ""`},
		{"two sentences", "One. Two.\n\n" + question, "1: the first paragraph is"},
		{"a sentence without an end", "One\n\n" + question, "1: the first paragraph is"},
		{"an unknown section", "One.\n\n-- deploymets --\n" + question, `3: there is no section "deploymets"`},
		{"a section with an argument", "One.\n\n-- deployments of=shop --\n" + question, "3: -- deployments -- takes nothing"},
		{"a heading that is not closed", "One.\n\n-- deployments\n" + question, "3: "},
		{"an unknown field", "One.\n\n-- deployments --\nid  sha  finishd_at\n" + question, `4: a deployment has no field "finishd_at"`},
		{"a field twice", "One.\n\n-- deployments --\nid  id\n" + question, `4: column "id" stands there twice`},
		{"too many columns", "One.\n\n-- deployments --\nid  sha\nd1  c1  2026-01-01\n" + question, `5: "2026-01-01" stands below no column`},
		{"a cell beside its column", "One.\n\n-- deployments --\nid  sha\nd1   c1\n" + question, `5: "c1" stands below no column`},
		{"a table without facts", "One.\n\n-- deployments --\nid  sha\n" + question, "3: the table is empty"},
		{"a value that is none of those allowed", "One.\n\n-- deployments --\nid  sha  status   finished_at\nd1  c1   success  2026-01-01\n" + question, "5: deployment /status"},
		{"a required field left out", "One.\n\n-- deployments --\nsha  finished_at\nc1   2026-01-01\n" + question, "5: deployment /id"},
		{"no instant", "One.\n\n-- deployments --\nid  sha  finished_at\nd1  c1   yesterday\n" + question, `5: finished_at is "yesterday"`},
		{"no number", "One.\n\n-- slos --\nid  measured_at  target  good  total\na   2026-01-01   0.9     many  10\n" + question, `5: good is "many"`},
		{"neither true nor false", "One.\n\n-- people --\nid  bot\na   maybe\n" + question, `5: bot is "maybe"`},
		{"a sha of several repositories", "One.\n\n-- services --\nid    repositories\nshop  a,b\n-- deployments --\nid  sha  finished_at\nd1  c1   2026-01-01\n" + question, "8: sha is"},
		{"a revision without repository", "One.\n\n-- deployments --\nid  revisions  finished_at\nd1  c1         2026-01-01\n" + question, "5: revisions is"},
		{"a tab", "One.\n\n-- people --\nid\tbot\na\ttrue\n" + question, "4: a tab"},
		{"spaces at the end", "One.\n\n-- people --\nid \na\n" + question, "4: spaces"},
		{"text before a heading", "One.\n\nid  bot\n" + question, "3: "},
		{"no question", "One.\n\n-- people --\nid\na\n", "1: the story asks nothing"},
		{"no clock", "One.\n\n-- deployment_count from=2026-01-01 to=2026-02-01 --\n1  1\n# Why.\n", "3: no -- now --"},
		{"a clock that stands still at no time", "One.\n\n-- now noon --\n" + question, `3: "noon" is no instant`},
		{"facts below a question", "One.\n\n" + question + "-- people --\nid\na\n", "7: facts come before"},
		{"an unknown setting", "One.\n\n-- settings anonymity=3 --\n" + question, "3: settings: "},
		{"a setting that cannot be", "One.\n\n-- settings anonymity_k=1 --\n" + question, "3: anonymity_k is 1"},
		{"a setting without a value", "One.\n\n-- settings anonymity_k --\n" + question, "3: settings: "},
		{"an unknown word in a question", "One.\n\n-- now 2026-03-01 --\n-- deployment_count servce=shop from=2026-01-01 to=2026-02-01 --\n1  1\n# Why.\n", `4: a question has no "servce"`},
		{"a question without a window", "One.\n\n-- now 2026-03-01 --\n-- deployment_count from=2026-01-01 --\n1  1\n# Why.\n", `4: to is ""`},
		{"an unknown bucket", "One.\n\n-- now 2026-03-01 --\n-- deployment_count from=2026-01-01 to=2026-02-01 bucket=year --\n1  1\n# Why.\n", `4: bucket is "year"`},
		{"a question without a reason", "One.\n\n-- now 2026-03-01 --\n-- deployment_count from=2026-01-01 to=2026-02-01 --\n1  1\n", "4: nothing says why"},
		{"a question without an answer", "One.\n\n-- now 2026-03-01 --\n-- deployment_count from=2026-01-01 to=2026-02-01 --\n# Why.\n", "4: the question has no answer"},
		{"an answer of one column", strings.Replace("One.\n\n"+question, "1  1", "1", 1), `5: "1" is no line of an answer`},
		{"one space between columns", strings.Replace("One.\n\n"+question, "1  1", "1 1", 1), `5: "1 1" is no line of an answer`},
		{"a bucket that was not asked for", strings.Replace("One.\n\n"+question, "1  1", "2026-01  1  1", 1), "5: "},
		{"an explanation without a verdict", strings.Replace("One.\n\n"+question, "1  1", "explain  d1  maybe  rule", 1), "5: "},
		{"an interval of one end", strings.Replace("One.\n\n"+question, "1  1", "interval  0.1", 1), "5: interval has 1 columns"},
		{"parts without a value", strings.Replace("One.\n\n"+question, "1  1", "parts: p50", 1), "5: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseStory(c.text, someMetrics)
			if err == nil {
				t.Fatalf("got no error, want %s", c.want)
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want it to begin with %s", err, c.want)
			}
		})
	}
}

// What a story says is compared with an answer that differs from it in one thing at a time: each is seen.
func TestCompareSeesEachDifference(t *testing.T) {
	s, err := parseStory(`One.

-- now 2026-03-01 --
-- lead_time from=2026-01-01 to=2026-03-01 bucket=month --
4/23  23
2026-01  1.5   2
2026-02  null  0  partial
interval  0.070  0.371
previous  2  1
flags: partial low_n
parts: p50=1 note=null
parts 2026-01: p50=1.5
explain  d1  counted  commit
explain  d2  left out  too late
left out  d3,d4  not live
# Why.
`, someMetrics)
	if err != nil {
		t.Fatal(err)
	}
	right := func() answer {
		return answer{Evidence: metrics.Evidence{
			Result: metrics.Result{
				Value: 0.17391304347826086, N: int64(23), Interval: &[2]float64{0.06983, 0.37141}, Flags: []string{"low_n", "partial"},
				Previous: &metrics.Previous{Value: 2.0, N: int64(1)}, Parts: map[string]any{"p50": 1.0, "note": nil, "p90": 9.0},
				Series: []metrics.Point{{Label: "2026-01", Value: 1.5, N: int64(2), Parts: map[string]any{"p50": 1.5}}, {Label: "2026-02", N: int64(0), Partial: true}},
			},
			Items:   []metrics.Item{{ID: "d1", Counted: true, Rule: "commit"}, {ID: "d2", Reason: "too late", Rule: "commit"}},
			LeftOut: []metrics.LeftOut{{Reason: "not live", N: 2, Examples: []string{"d3", "d4"}}},
		}}
	}
	want, got := compare(s.asks[0], right())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the right answer (-want +got):\n%s", diff)
	}
	for name, spoil := range map[string]func(*answer){
		"value":                  func(a *answer) { a.Result.Value = 0.1739 },
		"no value":               func(a *answer) { a.Result.Value = nil },
		"n":                      func(a *answer) { a.Result.N = int64(22) },
		"no n":                   func(a *answer) { a.Result.N = nil },
		"interval":               func(a *answer) { a.Result.Interval[1] = 0.3716 },
		"no interval":            func(a *answer) { a.Result.Interval = nil },
		"previous":               func(a *answer) { a.Result.Previous.N = int64(2) },
		"no previous":            func(a *answer) { a.Result.Previous = nil },
		"a flag more":            func(a *answer) { a.Result.Flags = append(a.Result.Flags, "provisional") },
		"a flag less":            func(a *answer) { a.Result.Flags = a.Result.Flags[:1] },
		"a part":                 func(a *answer) { a.Result.Parts["p50"] = 2.0 },
		"a part that is absent":  func(a *answer) { delete(a.Result.Parts, "note") },
		"a bucket's part":        func(a *answer) { a.Result.Series[0].Parts["p50"] = 2.0 },
		"a bucket's label":       func(a *answer) { a.Result.Series[0].Label = "2026-03" },
		"a bucket's value":       func(a *answer) { a.Result.Series[0].Value = 1.6 },
		"0 for null":             func(a *answer) { a.Result.Series[1].Value = 0.0 },
		"a bucket's n":           func(a *answer) { a.Result.Series[1].N = nil },
		"not partial":            func(a *answer) { a.Result.Series[1].Partial = false },
		"a bucket less":          func(a *answer) { a.Result.Series = a.Result.Series[:1] },
		"a bucket more":          func(a *answer) { a.Result.Series = append(a.Result.Series, metrics.Point{Label: "2026-03"}) },
		"the order of items":     func(a *answer) { a.Items[0], a.Items[1] = a.Items[1], a.Items[0] },
		"an item's rule":         func(a *answer) { a.Items[0].Rule = "copy" },
		"an item that counts":    func(a *answer) { a.Items[1].Counted = true },
		"an item more":           func(a *answer) { a.Items = append(a.Items, a.Items[0]) },
		"an item less":           func(a *answer) { a.Items = a.Items[:1] },
		"another reason":         func(a *answer) { a.LeftOut[0].Reason = "failed" },
		"more left out":          func(a *answer) { a.LeftOut[0].N = 3 },
		"a reason more":          func(a *answer) { a.LeftOut = append(a.LeftOut, a.LeftOut[0]) },
		"an error in its place":  func(a *answer) { a.Refused = "no such service" },
		"a list in its place":    func(a *answer) { a.Result.Value = []metrics.PainPoint{{Option: "x", Share: 1}} },
		"an object in its place": func(a *answer) { a.Result.Value = map[string]any{"all": 1.0} },
	} {
		t.Run(name, func(t *testing.T) {
			a := right()
			spoil(&a)
			if want, got := compare(s.asks[0], a); cmp.Equal(want, got) {
				t.Errorf("an answer that differs passes as %s", got)
			}
		})
	}
}

func TestCompareReadsLists(t *testing.T) {
	s, err := parseStory(`One.

-- now 2026-03-01 --
-- pain_points from=2026-01-01 to=2026-03-01 --
list  3
option  docs  2/3
option  slow builds  1/3
# Why.
-- pain_points from=2026-01-01 to=2026-03-01 --
list  3
cell  all  0.5
cell  red  suppressed
# Why.
-- pain_points from=2026-01-01 to=2026-03-01 --
refused: no such survey
# Why.
`, someMetrics)
	if err != nil {
		t.Fatal(err)
	}
	list := answer{Evidence: metrics.Evidence{Result: metrics.Result{N: int64(3), Value: []metrics.PainPoint{{Option: "docs", Share: 2. / 3}, {Option: "slow builds", Share: 1. / 3}}}}}
	cells := answer{Evidence: metrics.Evidence{Result: metrics.Result{N: int64(3), Value: map[string]any{"all": 0.5, "red": "suppressed"}}}}
	answers := []answer{list, cells, {Refused: "metrics.Query: there is no such survey"}}
	for i, a := range answers {
		if want, got := compare(s.asks[i], a); !cmp.Equal(want, got) {
			t.Errorf("question %d: got %q, want %q", i, got, want)
		}
		for j, other := range answers {
			if want, got := compare(s.asks[i], other); i != j && cmp.Equal(want, got) {
				t.Errorf("question %d takes the answer to question %d", i, j)
			}
		}
	}
	cells.Result.Value.(map[string]any)["blue"] = 1.0
	if want, got := compare(s.asks[1], cells); cmp.Equal(want, got) {
		t.Errorf("a cell more passes: %q", got)
	}
	points := list.Result.Value.([]metrics.PainPoint)
	list.Result.Value = append(points, metrics.PainPoint{Option: "x", Share: 0.1})
	if want, got := compare(s.asks[0], list); cmp.Equal(want, got) {
		t.Errorf("an option more passes: %q", got)
	}
	list.Result.Value = points[:1]
	if want, got := compare(s.asks[0], list); cmp.Equal(want, got) {
		t.Errorf("an option less passes: %q", got)
	}
}
