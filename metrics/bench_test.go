package metrics_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// settled fills the derived tables of an organisation, and tells attribution that it has seen everything there is.
func settled(b *testing.B, st *store.Store, e *metrics.Engine, o metricstest.Organisation) {
	if err := o.Settled(context.Background(), st, e.CatchUp); err != nil {
		b.Fatal(err)
	}
}

// organised is a store with an organisation, and an engine that takes it as it is.
func organised(b *testing.B, o metricstest.Organisation) (*store.Store, *metrics.Engine) {
	st := storetest.New(b)
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	build := func() *metrics.Engine {
		cfg := metrics.DefaultConfig()
		cfg.AnswersKept = 0
		e, err := metrics.New(cfg, st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	settled(b, st, build(), o)
	e := build()
	e.Feed()
	return st, e
}

// BenchmarkQuery asks each metric of a large organisation for a year by week, as its users do, with the window before.
// Beside p50 and p95 it reports the ratio of p50 to reading the same deployments with the engine alone.
func BenchmarkQuery(b *testing.B) {
	st, e := organised(b, metricstest.Large())
	w := window(b, "2025-07-01", "2026-07-01", "Europe/Berlin")
	scopes := []struct {
		name  string
		scope metrics.Scope
		where string
	}{
		{"service", metrics.Scope{Service: metricstest.Service(123)}, "service = '" + metricstest.Service(123) + "'"},
		{"team", metrics.Scope{Team: metricstest.Team(12)}, "has(teams, '" + metricstest.Team(12) + "')"},
		{"organisation", metrics.Scope{Organisation: true}, "true"},
	}
	for _, d := range e.Catalogue() {
		for _, s := range scopes {
			bucket := metrics.Week
			switch survey := d.ID == "csat" || d.ID == "enps" || d.ID == "pain_points" || strings.HasPrefix(d.ID, "survey"); {
			case survey && s.name == "service":
				continue
			case survey:
				bucket = metrics.Whole
			case d.ID == "deploy_days_per_week":
				bucket = metrics.Month
			}
			b.Run(d.ID+"/"+s.name, func(b *testing.B) {
				var asked, raw []time.Duration
				for b.Loop() {
					begin := time.Now()
					if _, err := e.Query(b.Context(), metrics.Request{Metric: d.ID, Scope: s.scope, Window: w, Bucket: bucket}); err != nil {
						b.Fatal(err)
					}
					asked = append(asked, time.Since(begin))
					begin = time.Now()
					var n uint64
					if err := st.QueryRow(b.Context(), "SELECT sum(changes) FROM attributed_deployments FINAL WHERE environment = 'production' AND "+s.where, nil).Scan(&n); err != nil {
						b.Fatal(err)
					}
					raw = append(raw, time.Since(begin))
				}
				slices.Sort(asked)
				slices.Sort(raw)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(asked[len(asked)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(asked[len(asked)*95/100].Microseconds())/1000, "p95-ms")
				b.ReportMetric(float64(asked[len(asked)/2])/float64(raw[len(raw)/2]), "×raw")
			})
		}
	}
}

// BenchmarkGrouped asks for twelve weeks by week, with the window before, of every service and of every team at once. It
// reports how long that takes, its ratio to asking for the whole organisation alone, and that to as many questions
// about one service or team each.
func BenchmarkGrouped(b *testing.B) {
	o := metricstest.Large()
	_, e := organised(b, o)
	w := window(b, "2026-04-06", "2026-06-29", "Europe/Berlin")
	took := func(b *testing.B, r metrics.Request) time.Duration {
		begin := time.Now()
		if _, err := e.Query(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	for _, metric := range []string{"deployments_per_week", "lead_time", "change_failure_rate"} {
		for by, n := range map[string]int{metrics.GroupByService: o.Services, metrics.GroupByTeam: o.Teams} {
			b.Run(metric+"/"+by, func(b *testing.B) {
				var together, organisation, one []time.Duration
				for i := 0; b.Loop(); i++ {
					r := metrics.Request{Metric: metric, Window: w, Bucket: metrics.Week}
					organisation = append(organisation, took(b, r))
					r.GroupBy = by
					together = append(together, took(b, r))
					r.GroupBy, r.Scope = "", metrics.Scope{Service: metricstest.Service(i % n)}
					if by == metrics.GroupByTeam {
						r.Scope = metrics.Scope{Team: metricstest.Team(i % n)}
					}
					one = append(one, took(b, r))
				}
				for _, list := range [][]time.Duration{together, organisation, one} {
					slices.Sort(list)
				}
				middle := len(one) / 2
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(together[middle].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(one[middle].Microseconds())/1000, "one-p50-ms")
				b.ReportMetric(float64(together[middle])/float64(organisation[middle]), "×organisation")
				b.ReportMetric(float64(together[middle])/float64(one[middle])/float64(n), "×singly")
			})
		}
	}
}
