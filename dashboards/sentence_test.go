package dashboards

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/metrics"
	"cairn/metrics/words"
)

// What a page opens with: what went up and what down, what is steady, and silence where there is nothing to say.
func TestSentences(t *testing.T) {
	count := func(now, before any) metrics.Result {
		n, _ := now.(float64)
		b, _ := before.(float64)
		return metrics.Result{Value: now, N: int64(n), Unit: "deployments", Previous: &metrics.Previous{Value: before, N: int64(b)}}
	}
	lead := func(res metrics.Result) metrics.Result {
		res.Unit = "hours"
		return res
	}
	failed := func(failed, n int64) metrics.Result {
		return metrics.Result{Value: float64(failed) / float64(n), N: n, Parts: map[string]any{"failed_deployments": failed}}
	}
	open := func(n int64, oldest any) metrics.Result {
		return metrics.Result{Parts: map[string]any{"unresolved": n, "oldest_unresolved": oldest}}
	}
	waits := func(n float64, oldest any) metrics.Result {
		return metrics.Result{Value: n, N: int64(n), Parts: map[string]any{"oldest_age": oldest}}
	}
	few := lead(answer(3.0, 2, nil, 30.0, 90, nil))
	few.Flags = []string{metrics.FlagLowN}
	one := lead(answer(3.0, 1, nil, 30.0, 90, nil))
	one.Flags = []string{metrics.FlagLowN}
	for _, c := range []struct {
		name  string
		query string
		story story
		want  []string
	}{
		{"nothing known", "", story{}, nil},
		{"more", "", story{Deployments: count(14.0, 9.0)}, []string{"Checkout shipped 14 times in the last 12 weeks, 5 more than before."}},
		{"fewer", "last=4w", story{Deployments: count(2.0, 1002.0)}, []string{"Checkout shipped twice in the last 4 weeks, 1,000 fewer than before."}},
		{"once", "", story{Deployments: count(1.0, 1.0)}, []string{"Checkout shipped once in the last 12 weeks, as often as before."}},
		{"nothing", "", story{Deployments: count(0.0, 3.0)}, []string{"Checkout shipped nothing in the last 12 weeks, 3 fewer than before."}},
		{"nothing twice", "", story{Deployments: count(0.0, 0.0)}, []string{"Checkout shipped nothing in the last 12 weeks, as before."}},
		{"no window before", "", story{Deployments: metrics.Result{Value: 3.0}}, []string{"Checkout shipped 3 times in the last 12 weeks."}},
		{"nothing known of before", "", story{Deployments: count(3.0, nil)}, []string{"Checkout shipped 3 times in the last 12 weeks."}},
		{"fixed ends", "from=2026-01-01&to=2026-02-01", story{Deployments: count(3.0, 2.0)}, []string{"Checkout shipped 3 times from 1 Jan to 31 Jan 2026, 1 more than before."}},
		{"nothing was ever live", "", story{Deployments: metrics.Result{Value: 0.0, Flags: []string{metrics.FlagNotDeployed}}}, nil},

		{"lead time up", "", story{LeadTime: lead(answer(30.0, 90, bounds(20, 40), 3.0, 90, bounds(1, 4)))}, []string{"Lead time went up from 3 h to 30 h."}},
		{"lead time down", "", story{LeadTime: lead(answer(3.0, 90, bounds(1, 4), 72.0, 90, bounds(20, 90)))}, []string{"Lead time went down from 3 d to 3 h."}},
		{"lead time in the noise", "", story{LeadTime: lead(answer(9.2, 90, bounds(8, 10.9), 30.0, 90, bounds(9, 90)))}, []string{"Lead time is steady at about 9.2 h."}},
		{"few before", "", story{LeadTime: lead(answer(3.0, 90, bounds(1, 4), 30.0, 4, bounds(20, 40)))}, []string{"Half of the changes took at most 3 h from the first commit to production."}},
		{"few changes", "", story{LeadTime: few}, []string{"Half of the few changes took at most 3 h from the first commit to production."}},
		{"one change", "", story{LeadTime: one}, []string{"The only change took 3 h from the first commit to production."}},
		{"no change", "", story{LeadTime: lead(answer(nil, 0, nil, 30.0, 90, nil))}, nil},

		{"failures", "", story{Failures: failed(2, 14)}, []string{"2 of 14 deployments failed."}},
		{"no failure", "", story{Failures: failed(0, 14), Recovery: open(0, nil)}, nil},
		{"one of one", "", story{Failures: failed(1, 1)}, []string{"1 of 1 deployment failed."}},
		{"one failure open", "", story{Failures: failed(1, 14), Recovery: open(1, 30.0)}, []string{"1 of 14 deployments failed; 1 failure is still open, for 30 h."}},
		{"failures open", "", story{Recovery: open(2, 72.0)}, []string{"2 failures are still open, the oldest for 3 d."}},
		{"nobody knows how long", "", story{Recovery: open(1, nil)}, []string{"1 failure is still open."}},

		{"one change waits", "", story{Waiting: waits(1, 50.0)}, []string{"1 change is merged and not live, for 2.08 d."}},
		{"changes wait", "", story{Waiting: waits(1200, 0.5)}, []string{"1,200 changes are merged and not live, the oldest for 30 min."}},
		{"nothing waits", "", story{Waiting: waits(0, nil)}, nil},

		{
			"all of it", "", story{Deployments: count(14.0, 9.0), LeadTime: lead(answer(9.2, 90, bounds(8, 10.9), 9.0, 90, bounds(8, 11))), Failures: failed(1, 14), Recovery: open(1, nil), Waiting: waits(2, nil)},
			[]string{"Checkout shipped 14 times in the last 12 weeks, 5 more than before.", "Lead time is steady at about 9.2 h.", "1 of 14 deployments failed; 1 failure is still open.", "2 changes are merged and not live."},
		},
	} {
		if diff := cmp.Diff(c.want, sentences("checkout", seen(t, c.query, "UTC", "2026-05-20"), c.story)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestUpper(t *testing.T) {
	for text, want := range map[string]string{"shop": "Shop", "émile": "Émile", "Shop": "Shop", "1 of 2": "1 of 2", "": ""} {
		if got := words.Upper(text); got != want {
			t.Errorf("upper(%q): got %q, want %q", text, got, want)
		}
	}
}
