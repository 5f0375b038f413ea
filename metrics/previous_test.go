package metrics_test

import (
	"slices"
	"testing"

	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// The window before is compared with only as far as it can be: where nothing was live it has no number, and where the
// first service came live in it the number says so. Durations do not depend on when a service began.
func TestTheWindowBeforeSaysWhenItBegan(t *testing.T) {
	st := storetest.New(t)
	tell(t, st, `
{"type":"deployment","service":"shop","id":"d0","environment":"production","status":"succeeded","finished_at":"2025-11-20T00:00:00Z","version":"v0"}
{"type":"deployment","service":"shop","id":"d1","environment":"production","status":"succeeded","finished_at":"2025-12-20T00:00:00Z","version":"v1"}
{"type":"deployment","service":"shop","id":"d2","environment":"production","status":"succeeded","finished_at":"2026-01-20T00:00:00Z","version":"v2"}
`)
	e := over(t, st)
	for _, c := range []struct {
		metric, from, to string
		value            any
		began            bool
	}{
		{"deployment_count", "2025-11-01", "2025-12-01", nil, false},
		{"deployment_count", "2025-12-01", "2026-01-01", 1.0, true},
		{"deployments_per_week", "2025-12-01", "2026-01-01", 7.0 / 30, true},
		{"deployment_count", "2026-01-01", "2026-02-01", 1.0, false},
		{"deployments_per_week", "2026-02-01", "2026-03-01", 7.0 / 31, false},
		{"deployment_gap", "2026-01-01", "2026-02-01", 720.0, false},
	} {
		res, err := e.Query(t.Context(), metrics.Request{Metric: c.metric, Scope: metrics.Scope{Service: "shop"}, Window: window(t, c.from, c.to, "UTC")})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Previous; got.Value != c.value || slices.Contains(got.Flags, metrics.FlagBegan) != c.began {
			t.Errorf("%s before %s: got %v %v, want %v, began %v", c.metric, c.from, got.Value, got.Flags, c.value, c.began)
		}
	}
}
