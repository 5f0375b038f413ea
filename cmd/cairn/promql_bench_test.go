package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// BenchmarkPromQLRange asks for a year of a large organisation by week, of each of its 50 teams, with nothing known from
// before, and reports p95 and its ratio to the same numbers asked of the engine directly.
func BenchmarkPromQLRange(b *testing.B) {
	st := storetest.New(b)
	log := slog.New(slog.DiscardHandler)
	o := metricstest.Large()
	o.To = time.Now().UTC().Truncate(24 * time.Hour)
	o.From = o.To.AddDate(-2, 0, 0)
	p, err := wire(DefaultConfig(), st, nil, log)
	if err != nil {
		b.Fatal(err)
	}
	if err := o.Settled(b.Context(), st, p.engine.CatchUp); err != nil {
		b.Fatal(err)
	}
	if p, err = wire(DefaultConfig(), st, nil, log); err != nil { // attribution reads its bookmark once
		b.Fatal(err)
	}
	arrived := p.engine.Feed()
	var list []metrics.Window
	for i := range 53 {
		to := o.To.AddDate(0, 0, 7*(i-52))
		list = append(list, metrics.Window{From: to.AddDate(0, 0, -28), To: to, Zone: time.UTC})
	}
	for _, c := range []struct{ name, metric, expr string }{
		{"lead_time", "lead_time", `cairn_lead_time_seconds{team!="",window="28d"}`},
		{"deployments", "deployment_count", `cairn_deployments{team!="",window="28d"}`},
		{"change_fail", "change_failure_rate", `cairn_change_fail_ratio{team!="",window="28d"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			address := "/prometheus/api/v1/query_range?" + url.Values{
				"query": {c.expr}, "start": {list[0].To.Format(time.RFC3339)}, "end": {o.To.Format(time.RFC3339)}, "step": {"1w"},
			}.Encode()
			var took, direct []time.Duration
			for b.Loop() {
				arrived()
				begin := time.Now()
				if _, err := p.engine.Windows(b.Context(), metrics.Request{Metric: c.metric, GroupBy: metrics.GroupByTeam}, list, nil); err != nil {
					b.Fatal(err)
				}
				direct = append(direct, time.Since(begin))
				arrived()
				begin = time.Now()
				w := httptest.NewRecorder()
				p.promql.ServeHTTP(w, httptest.NewRequest("GET", address, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
				took = append(took, time.Since(begin))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(quantile(took, 95)), "p95-ms")
			b.ReportMetric(ms(quantile(took, 50))/53, "ms/step")
			b.ReportMetric(float64(quantile(took, 50))/float64(quantile(direct, 50)), "×engine")
		})
	}
}
