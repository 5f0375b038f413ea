package reports

import (
	"log/slog"
	"testing"
	"time"

	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// The mails of 25 of 500 teams, made ready to be sent, against the engine's own time for the same questions.
func BenchmarkReports(b *testing.B) {
	const teams, asked = 500, 25
	st := storetest.New(b)
	o := metricstest.Large().Scale(1000, teams)
	o.Deployments = 100 // of each service: teams ship once a week
	now := time.Date(2026, 5, 18, 7, 0, 0, 0, time.UTC)
	build := func() *metrics.Engine {
		e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	if err := o.Settled(b.Context(), st, build().CatchUp); err != nil {
		b.Fatal(err)
	}
	engine := build() // which reads from the store what is settled
	engine.Feed()
	c := DefaultConfig()
	c.BaseURL, c.From, c.Pages = "https://cairn.example.com", "cairn@example.com", PagesSetting{"Acme", "UTC"}
	r, err := New(c, Deps{Engine: engine, Store: st, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	week := Last(now, time.UTC)
	window, err := week.window(1, time.UTC)
	if err != nil {
		b.Fatal(err)
	}
	var asking, all time.Duration
	for b.Loop() {
		for i := range asked {
			now = now.Add(time.Second) // nothing is answered from what was kept
			team := metricstest.Team(i)
			began := time.Now()
			rep, err := r.Write(b.Context(), team, week)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := r.mail(envelope{Report: rep, Recipient: "ada@example.com", Key: []byte("key")}, now); err != nil {
				b.Fatal(err)
			}
			all += time.Since(began)
			now = now.Add(time.Minute)
			began = time.Now()
			rep = Report{Team: team, Week: week, Zone: time.UTC}
			c := composer{Reports: r, rep: &rep, week: window, scope: metrics.Scope{Team: team}}
			if err := c.ask(b.Context()); err != nil {
				b.Fatal(err)
			}
			asking += time.Since(began)
		}
	}
	b.ReportMetric(all.Seconds()/float64(b.N)/asked, "s/mail")
	b.ReportMetric(float64(all)/float64(asking), "x-engine")
}
