package metrics_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// BenchmarkRecords reads pages of the lists of an organisation of 5,000 services and 3,000,000 changes: the first page
// of everything and of one team, a later page, and searches. It reports p50 and p95.
func BenchmarkRecords(b *testing.B) {
	st := storetest.New(b)
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	build := func() *metrics.Engine {
		e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	o := metricstest.Large().Scale(5000, 50)
	o.Deployments = 60
	settled(b, st, build(), o)
	e := build()
	e.Feed()
	first := metrics.Paging{}
	deployments, err := e.Deployments(b.Context(), metrics.DeploymentFilter{To: now.AddDate(-1, 0, 0)}, first)
	if err != nil {
		b.Fatal(err)
	}
	changes, err := e.Changes(b.Context(), metrics.ChangeFilter{To: now.AddDate(-1, 0, 0)}, first)
	if err != nil {
		b.Fatal(err)
	}
	service, team := metricstest.Service(123), metricstest.Team(12)
	for _, read := range []struct {
		name string
		read func() error
	}{
		{"services", func() error { _, err := e.Services(b.Context(), metrics.ServiceFilter{}, first); return err }},
		{"services/search", func() error {
			_, err := e.Services(b.Context(), metrics.ServiceFilter{Search: "e12"}, first)
			return err
		}},
		{"service", func() error { _, err := e.Service(b.Context(), service); return err }},
		{"teams", func() error { _, err := e.Teams(b.Context(), metrics.TeamFilter{}, first); return err }},
		{"deployments", func() error { _, err := e.Deployments(b.Context(), metrics.DeploymentFilter{}, first); return err }},
		{"deployments/later", func() error {
			_, err := e.Deployments(b.Context(), metrics.DeploymentFilter{}, metrics.Paging{Cursor: deployments.Next})
			return err
		}},
		{"deployments/failed", func() error {
			failed := true
			_, err := e.Deployments(b.Context(), metrics.DeploymentFilter{Failed: &failed}, first)
			return err
		}},
		{"deployments/runs", func() error {
			_, err := e.Deployments(b.Context(), metrics.DeploymentFilter{IncludeRuns: true}, first)
			return err
		}},
		{"deployments/service", func() error {
			_, err := e.Deployments(b.Context(), metrics.DeploymentFilter{Service: service}, first)
			return err
		}},
		{"deployments/team", func() error {
			_, err := e.Deployments(b.Context(), metrics.DeploymentFilter{Team: team}, first)
			return err
		}},
		{"changes", func() error { _, err := e.Changes(b.Context(), metrics.ChangeFilter{}, first); return err }},
		{"changes/later", func() error {
			_, err := e.Changes(b.Context(), metrics.ChangeFilter{}, metrics.Paging{Cursor: changes.Next})
			return err
		}},
		{"changes/deployment", func() error {
			_, err := e.Changes(b.Context(), metrics.ChangeFilter{Deployment: "d123-5"}, first)
			return err
		}},
		{"changes/service", func() error {
			_, err := e.Changes(b.Context(), metrics.ChangeFilter{Service: service}, first)
			return err
		}},
		{"changes/team", func() error {
			_, err := e.Changes(b.Context(), metrics.ChangeFilter{Team: team}, first)
			return err
		}},
		{"changes/waiting", func() error {
			_, err := e.Changes(b.Context(), metrics.ChangeFilter{Waiting: true}, first)
			return err
		}},
		{"incidents", func() error { _, err := e.Incidents(b.Context(), metrics.IncidentFilter{}, first); return err }},
	} {
		b.Run(read.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				if err := read.read(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
