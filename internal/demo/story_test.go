package demo_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/demo"
	"cairn/internal/event"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// loaded is the organisation in a database of its own, and what the metrics say of it.
type loaded struct {
	st     *store.Store
	intake http.Handler
	engine *metrics.Engine
}

func load(t *testing.T) *loaded {
	t.Helper()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return present }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l := &loaded{st, in.Handler(), engine}
	l.tell(t)
	return l
}

// tell sends every fact through the intake.
func (l *loaded) tell(t *testing.T) {
	t.Helper()
	var piece bytes.Buffer
	flush := func() {
		w := httptest.NewRecorder()
		l.intake.ServeHTTP(w, httptest.NewRequest("POST", ingest.Path, bytes.NewReader(piece.Bytes())))
		if w.Code != http.StatusOK {
			t.Fatalf("the intake refused: %s", w.Body)
		}
		piece.Reset()
	}
	n := 0
	for e := range demo.Organisation(demo.Config{Seed: 1, Until: present}) {
		piece.Write(append(event.AppendJSON(nil, e), '\n'))
		if n++; n%20_000 == 0 {
			flush()
		}
	}
	flush()
}

// ask gives the answer about a window that is told in days before the present.
func (l *loaded) ask(t *testing.T, r metrics.Request, from, to int) metrics.Result {
	t.Helper()
	r.Window = metrics.Window{From: present.AddDate(0, 0, -from), To: present.AddDate(0, 0, -to), Zone: time.UTC}
	r.NoPrevious = true
	res, err := l.engine.Query(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (l *loaded) value(t *testing.T, metric, team string, from, to int) float64 {
	t.Helper()
	res := l.ask(t, metrics.Request{Metric: metric, Scope: metrics.Scope{Team: team}}, from, to)
	v, ok := res.Value.(float64)
	if !ok {
		t.Fatalf("%s of %q: got %v, want a number", metric, team, res.Value)
	}
	return v
}

func (l *loaded) count(t *testing.T, sql string) int {
	t.Helper()
	var n uint64
	if err := l.st.QueryRow(t.Context(), sql, nil).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestTheStory(t *testing.T) {
	l := load(t)
	if err := l.engine.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}

	t.Run("every metric has data", func(t *testing.T) {
		report, err := l.engine.Doctor(t.Context(), "", metrics.Scope{}, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range report.Metrics {
			if d.Missing != "" {
				t.Errorf("%s has none: %s", d.Metric, d.Missing)
			}
		}
		for _, d := range l.engine.Catalogue() {
			if res := l.ask(t, metrics.Request{Metric: d.ID}, 365, 0); res.Value == nil {
				t.Errorf("%s of the last year is null", d.ID)
			}
		}
	})

	t.Run("people work on weekdays and in daylight", func(t *testing.T) {
		const runs = "SELECT count() FROM deployments FINAL WHERE tier = 'production'"
		all := l.count(t, runs)
		if weekdays := l.count(t, runs+" AND toDayOfWeek(started_at) < 6"); float64(weekdays) < 0.9*float64(all) {
			t.Errorf("%d of %d runs on weekdays", weekdays, all)
		}
		const berlin = " AND service IN (SELECT service FROM ownership FINAL WHERE team = 'checkout')"
		at := func(hour string) int {
			return l.count(t, runs+berlin+" AND toHour(toTimeZone(assumeNotNull(started_at), 'Europe/Berlin')) = "+hour)
		}
		if morning, lunch, night := at("10"), at("12"), at("2"); lunch*4 > morning*3 || night*20 > morning {
			t.Errorf("runs at 10, 12 and 2 o'clock: %d, %d, %d", morning, lunch, night)
		}
		if n := l.count(t, "SELECT count() FROM commits FINAL WHERE toDayOfWeek(authored_at) > 5"); n == 0 || n*10 > l.count(t, "SELECT count() FROM commits FINAL") {
			t.Errorf("%d commits at weekends", n)
		}
	})

	t.Run("production is frozen over the turn of the year", func(t *testing.T) {
		// 2025-11-24 to 2025-12-12 and 2025-12-15 to 2026-01-02 are three weeks each.
		const between = "SELECT count() FROM deployments FINAL WHERE tier = 'production' AND started_at BETWEEN "
		usual := l.count(t, between+"'2025-11-24' AND '2025-12-13'")
		frozen := l.count(t, between+"'2025-12-15' AND '2026-01-03'")
		if frozen == 0 || frozen*5 > usual {
			t.Errorf("%d runs in the freeze, %d in the weeks before", frozen, usual)
		}
		if july, august := l.value(t, "deployment_count", "", 146, 115), l.value(t, "deployment_count", "", 115, 84); august > 0.8*july {
			t.Errorf("%v deployments in August, %v in July", august, july)
		}
	})

	t.Run("Payments gets better with the golden path", func(t *testing.T) {
		before, after := l.value(t, "lead_time", "payments", 500, 225), l.value(t, "lead_time", "payments", 150, 0)
		if before < 2.5*after || after > 36 {
			t.Errorf("lead time: %.1f h before, %.1f h after", before, after)
		}
		if before, after := l.value(t, "deployments_per_week", "payments", 500, 225), l.value(t, "deployments_per_week", "payments", 150, 0); after < 2*before {
			t.Errorf("deployments a week: %.1f before, %.1f after", before, after)
		}
		if before, after := l.value(t, "change_failure_rate", "payments", 500, 225), l.value(t, "change_failure_rate", "payments", 150, 0); after > before/2 {
			t.Errorf("failures: %.2f before, %.2f after", before, after)
		}
	})

	t.Run("Catalogue waits longer and longer for reviews", func(t *testing.T) {
		pickup := func(from, to int) float64 {
			return l.ask(t, metrics.Request{Metric: "lead_time", Stage: "pickup", Scope: metrics.Scope{Team: "catalogue"}}, from, to).Value.(float64)
		}
		if first, last := pickup(540, 360), pickup(120, 0); last < 3*first {
			t.Errorf("pickup: %.1f h at first, %.1f h at last", first, last)
		}
	})

	t.Run("Logistics has one week that is worse than all others", func(t *testing.T) {
		var weeks []struct {
			Week time.Time `ch:"week"`
			N    uint64    `ch:"n"`
		}
		const sql = `SELECT toDateTime64(toMonday(started_at), 3, 'UTC') AS week, count() AS n FROM incidents FINAL
			WHERE service IN ('dispatch', 'route-planner', 'parcel-tracking', 'warehouse-gateway', 'stock-levels') GROUP BY week ORDER BY n DESC LIMIT 2`
		if err := l.st.Select(t.Context(), &weeks, sql, nil); err != nil {
			t.Fatal(err)
		}
		if ago := present.Sub(weeks[0].Week).Hours() / 24; ago < 42 || ago > 60 || weeks[0].N < 2*weeks[1].N {
			t.Errorf("got %v", weeks)
		}
	})

	t.Run("Orders is dissolved", func(t *testing.T) {
		if before := l.value(t, "deployment_count", "orders", 365, 180); before == 0 {
			t.Error("Orders deployed nothing while it was there")
		}
		if res := l.ask(t, metrics.Request{Metric: "deployment_count", Scope: metrics.Scope{Team: "orders"}}, 120, 0); res.Value != nil && res.Value != 0.0 {
			t.Errorf("Orders deployed %v after it was dissolved", res.Value)
		}
		if n := l.count(t, "SELECT uniqExact(service) FROM attributed_deployments FINAL WHERE service IN ('order-api', 'order-history', 'invoice-renderer') AND has(teams, 'checkout')"); n != 3 {
			t.Errorf("Checkout deployed %d of the three services that it took over", n)
		}
	})

	t.Run("new services wait, and those from a template less", func(t *testing.T) {
		res := l.ask(t, metrics.Request{Metric: "time_to_first_deployment_service"}, 540, 0)
		if censored, ok := res.Parts["censored"].(int64); !ok || censored < 3 {
			t.Errorf("got %v, want several that were never deployed", res.Parts)
		}
		if v := l.value(t, "adoption_new_service_rate", "", 540, 0); v < 0.3 || v > 0.8 {
			t.Errorf("%.2f of the new services come from a template", v)
		}
		if res := l.ask(t, metrics.Request{Metric: "time_to_first_deployment_developer"}, 237, 147); res.Value == nil || res.Value == metrics.Suppressed {
			t.Errorf("new developers of a quarter: %v", res.Value)
		}
	})

	t.Run("deployments turn out in every way", func(t *testing.T) {
		for what, sql := range map[string]string{
			"rollbacks":           "SELECT count() FROM attributed_runs FINAL WHERE kind = 'rollback'",
			"redeploys":           "SELECT count() FROM attributed_runs FINAL WHERE kind = 'redeploy'",
			"roll-outs":           "SELECT count() FROM attributed_runs FINAL WHERE kind = 'rollout'",
			"hotfixes":            "SELECT count() FROM deployments FINAL WHERE hotfix",
			"failed runs":         "SELECT count() FROM deployments FINAL WHERE status = 'failed' AND tier = 'production'",
			"cancelled runs":      "SELECT count() FROM deployments FINAL WHERE status = 'cancelled'",
			"staging":             "SELECT count() FROM deployments FINAL WHERE tier = 'staging'",
			"failures, still on":  "SELECT count() FROM attributed_deployments FINAL WHERE failed AND restored_at IS NULL",
			"open incidents":      "SELECT count() FROM incidents FINAL WHERE restored_at IS NULL",
			"external incidents":  "SELECT count() FROM incidents FINAL WHERE cause = 'external'",
			"waiting changes":     "SELECT count() FROM waiting_changes FINAL WHERE environment = 'production'",
			"open requests":       "SELECT count() FROM change_requests FINAL WHERE merged_at IS NULL AND closed_at IS NULL",
			"landed by merge":     "SELECT count() FROM change_requests FINAL WHERE merge_method = 'merge'",
			"landed by squash":    "SELECT count() FROM change_requests FINAL WHERE merge_method = 'squash'",
			"landed by rebase":    "SELECT count() FROM change_requests FINAL WHERE merge_method = 'rebase'",
			"by incident":         "SELECT count() FROM attributed_deployments FINAL WHERE failed_rule = 'incident'",
			"by rollback":         "SELECT count() FROM attributed_deployments FINAL WHERE failed_rule = 'rollback'",
			"by revert":           "SELECT count() FROM attributed_deployments FINAL WHERE failed_rule = 'revert'",
			"by hotfix":           "SELECT count() FROM attributed_deployments FINAL WHERE failed_rule = 'hotfix'",
			"failed provisioning": "SELECT count() FROM provisioning_requests FINAL WHERE status = 'failed'",
		} {
			if l.count(t, sql) == 0 {
				t.Errorf("there are no %s", what)
			}
		}
	})

	t.Run("services cover capabilities in every way", func(t *testing.T) {
		w := metrics.Window{From: present.AddDate(0, 0, -28), To: present, Zone: time.UTC}
		ev, err := l.engine.Explain(t.Context(), metrics.Request{Metric: "adoption_rate", Window: w}, metrics.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		states, excused := map[string]bool{}, 0
		for _, i := range ev.Items {
			states[i.Kind] = true
			if !i.Counted {
				excused++
			}
		}
		if got, want := slices.Sorted(maps.Keys(states)), []string{"golden", "none", "own", "unknown"}; !slices.Equal(got, want) || excused == 0 {
			t.Errorf("got %v and %d exemptions, want %v", got, excused, want)
		}
		if then, now := l.value(t, "adoption_index", "", 500, 400), l.value(t, "adoption_index", "", 28, 0); now < then+0.2 {
			t.Errorf("adoption was %.2f and is %.2f", then, now)
		}
	})

	t.Run("three waves of a survey keep small groups hidden", func(t *testing.T) {
		if n := l.count(t, "SELECT count() FROM surveys FINAL"); n != 3 {
			t.Errorf("got %d waves, want 3", n)
		}
		for _, ago := range []int{430, 245, 60} {
			cells := l.ask(t, metrics.Request{Metric: "survey_cells"}, ago+20, ago-30).Value.(map[string]any)
			if cells["pricing"] != metrics.Suppressed {
				t.Errorf("%d days ago: Pricing, four people, is shown as %v", ago, cells["pricing"])
			}
			for _, group := range []string{"all", "commerce", "payments", "catalogue"} {
				if _, shown := cells[group].(float64); !shown {
					t.Errorf("%d days ago: %s is %v, want a number", ago, group, cells[group])
				}
			}
		}
	})

	// Last: it takes a second telling.
	t.Run("What could not be joined is what was left so", func(t *testing.T) {
		u, err := l.engine.Unmatched(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		type name struct {
			source, kind, name, suggested string
			n                             int64
		}
		var names []name
		for _, n := range u.Names {
			names = append(names, name{n.Source, n.Kind, n.Name, n.Suggested, n.N})
		}
		want := []name{
			{"argocd", "deployments", "checkout-web-preview", "checkout-web", 9},
			{"pagerduty", "incidents", "Payments API (EU)", "payments-api", 2},
		}
		if diff := cmp.Diff(want, names, cmp.AllowUnexported(name{})); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		claims := []metrics.UnmatchedClaim{{Name: "vouchers", Services: []string{"voucher-service", "gift-cards"}, Line: "take the alias 'vouchers' from gift-cards, if voucher-service is meant"}}
		if diff := cmp.Diff(claims, u.Claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		for _, c := range u.Commits {
			if want := map[string]int64{"flux": 5}[c.Source]; c.N != want {
				t.Errorf("deployments of %s without a commit: got %d (%s), want %d", c.Source, c.N, c.Clue, want)
			}
		}
	})
	t.Run("told again, nothing changes", func(t *testing.T) {
		if testing.Short() {
			t.Skip("loads everything a second time")
		}
		before := l.counts(t)
		l.tell(t)
		if err := l.engine.CatchUp(context.Background()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, l.counts(t)); diff != "" {
			t.Errorf("rows (-once +twice):\n%s", diff)
		}
	})
}

// counts are the rows of each table of facts and of those derived from them.
func (l *loaded) counts(t *testing.T) map[string]int {
	t.Helper()
	var tables []struct {
		Name string `ch:"name"`
	}
	if err := l.st.Select(t.Context(), &tables, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%Replacing%' AND name != 'cursors' ORDER BY name", nil); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, table := range tables {
		var n uint64
		if err := l.st.QueryRow(t.Context(), "SELECT count() FROM {table:Identifier} FINAL", store.Params{"table": table.Name}).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[table.Name] = int(n)
	}
	return rows
}
