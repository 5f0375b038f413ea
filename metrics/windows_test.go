package metrics_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/fault"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// Asked for side by side, each window has the answer that it has alone, to the last digit: windows that overlap, that end
// at any instant, before anything was known or later than now; of all together and of each service or team.
func TestWindowsSideBySideAreWindowsAlone(t *testing.T) {
	companies := 3
	if testing.Short() {
		companies = 1
	}
	for seed := range companies {
		e := load(t, storetest.New(t), rapid.Custom(company).Example(seed))
		e.Feed() // nothing arrives from here on
		windows := rapid.Custom(drawWindows).Example(seed)
		for _, def := range e.Catalogue() {
			for _, by := range append([]string{""}, def.GroupBy...) {
				for _, only := range [][]string{nil, {"s1", "blue", "nobody"}} {
					t.Run(fmt.Sprint(seed, def.ID, by, only), func(t *testing.T) {
						r := metrics.Request{Metric: def.ID, GroupBy: by, NoPrevious: true, GroupsOnly: by != ""}
						got, err := e.Windows(t.Context(), r, windows, only)
						if err != nil {
							t.Fatal(err)
						}
						for i, w := range windows {
							r.Window = w
							if diff := cmp.Diff(alone(t, e, r, only), got[i]); diff != "" {
								t.Errorf("%v (-alone +side by side):\n%s", w, diff)
							}
						}
					})
				}
			}
		}
		r := metrics.Request{GroupBy: metrics.GroupByService, NoPrevious: true, GroupsOnly: true}
		each, err := e.AdoptionWindows(t.Context(), r, windows, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Metric = "adoption_rate"
		for i, w := range windows {
			for j, capability := range append([]string{""}, e.Capabilities()...) {
				r.Window, r.Capability = w, capability
				if diff := cmp.Diff(alone(t, e, r, nil), each[i][j]); diff != "" {
					t.Errorf("capability %q, %v (-alone +side by side):\n%s", capability, w, diff)
				}
			}
		}
	}
}

// drawWindows draws windows that overlap, some of which end after the present.
func drawWindows(t *rapid.T) []metrics.Window {
	var windows []metrics.Window
	for range 5 {
		to := time.Date(2025, 12, 25, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(1, 80*24*60).Draw(t, "end")) * time.Minute)
		windows = append(windows, metrics.Window{From: to.AddDate(0, 0, -rapid.SampledFrom([]int{7, 28, 90}).Draw(t, "days")), To: to, Zone: time.UTC})
	}
	return windows
}

// alone asks one question, and keeps the groups that are named.
func alone(t *testing.T, e *metrics.Engine, r metrics.Request, only []string) metrics.Result {
	t.Helper()
	res, err := e.Query(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if only != nil {
		res.Groups = slices.DeleteFunc(res.Groups, func(g metrics.Group) bool { return !slices.Contains(only, g.Key) })
	}
	return res
}

func TestWindowsThatCannotBeAskedForSideBySide(t *testing.T) {
	e := engine(t, "2026-01-01T00:00:00Z")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, windows := range map[string][]metrics.Window{
		"ends before it begins": {{From: at, To: at.Add(-time.Hour), Zone: time.UTC}},
		"too many":              make([]metrics.Window, 10_001),
	} {
		if _, err := e.Windows(t.Context(), metrics.Request{Metric: "lead_time"}, windows, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want an invalid request", name, err)
		}
	}
	if got, err := e.Windows(t.Context(), metrics.Request{Metric: "lead_time"}, nil, nil); err != nil || len(got) != 0 {
		t.Errorf("no window: got %v, %v", got, err)
	}
}
