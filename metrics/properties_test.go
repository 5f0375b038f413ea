package metrics_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// organisation draws a small organisation: three services on one repository each, owners that change, deployments that
// succeed, fail, come back and are repeated, and incidents.
func organisation(t *rapid.T) *event.Batch {
	var b event.Batch
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hour := func(name string) time.Time {
		return day.Add(time.Duration(rapid.IntRange(0, 60*24).Draw(t, name)) * time.Hour)
	}
	for s := range 3 {
		service := fmt.Sprintf("s%d", s)
		b.Append(&event.Service{ID: service, Repositories: []event.ServiceRepository{{Repository: service}}})
		moved := hour("moved")
		b.Append(&event.Ownership{Service: service, Team: "red", To: moved}, &event.Ownership{Service: service, Team: "blue", From: moved})
		commits := rapid.IntRange(2, 6).Draw(t, "commits")
		for c := range commits {
			at := day.Add(time.Duration(c*24) * time.Hour)
			commit := &event.Commit{Repository: service, SHA: fmt.Sprintf("c%d", c), AuthoredAt: at, CommittedAt: at, Bot: rapid.IntRange(0, 5).Draw(t, "bot") == 0}
			if c > 0 {
				commit.Parents = []string{fmt.Sprintf("c%d", c-1)}
			}
			b.Append(commit)
		}
		for d := range rapid.IntRange(0, 8).Draw(t, "deployments") {
			at := hour("finished")
			b.Append(&event.Deployment{
				Service: service, ID: fmt.Sprintf("d%d", d), Environment: "production", StartedAt: at.Add(-time.Minute), FinishedAt: at,
				Status:    rapid.SampledFrom([]string{"succeeded", "succeeded", "succeeded", "failed"}).Draw(t, "status"),
				Revisions: []event.Revision{{Repository: service, SHA: fmt.Sprintf("c%d", rapid.IntRange(0, commits-1).Draw(t, "sha"))}},
				Hotfix:    rapid.IntRange(0, 5).Draw(t, "hotfix") == 0,
				Way:       rapid.SampledFrom([]string{"", "golden_path", "own"}).Draw(t, "way"),
			})
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "incidents") {
			at := hour("broke")
			b.Append(&event.Incident{
				ID: fmt.Sprintf("%s-%d", service, i), Service: service, StartedAt: at, RestoredAt: at.Add(time.Hour),
				Cause: "deployment", CausedByDeployment: fmt.Sprintf("d%d", rapid.IntRange(0, 8).Draw(t, "cause")),
			})
		}
	}
	return &b
}

func load(t interface{ Fatal(...any) }, st *store.Store, b *event.Batch) *metrics.Engine {
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What is counted belongs to one service, one team and one bucket: the parts add up to the whole. Shares are shares.
// And deploying once more what is live already changes no lead time.
func TestThePartsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := organisation(rt)
		st := storetest.New(t)
		e := load(rt, st, b)
		w := window(t, "2025-12-29", "2026-03-08", "America/New_York")
		ask := func(metric string, s metrics.Scope) metrics.Result {
			r, err := e.Query(context.Background(), metrics.Request{Metric: metric, Scope: s, Window: w, Bucket: metrics.Week, NoPrevious: true})
			if err != nil {
				rt.Fatalf("%s of %+v: %v", metric, s, err)
			}
			return r
		}
		amount := func(metric string, r metrics.Result) float64 {
			if metric == "lead_time" {
				return float64(r.N.(int64))
			}
			return r.Value.(float64)
		}
		for _, metric := range []string{"deployment_count", "deployment_count_all", "redeploy_count", "rollback_count", "lead_time"} {
			all := ask(metric, metrics.Scope{Organisation: true})
			whole := amount(metric, all)
			var services, teams, buckets float64
			for s := range 3 {
				services += amount(metric, ask(metric, metrics.Scope{Service: fmt.Sprintf("s%d", s)}))
			}
			for _, team := range []string{"red", "blue"} {
				teams += amount(metric, ask(metric, metrics.Scope{Team: team}))
			}
			for _, p := range all.Series {
				if n, ok := p.N.(int64); ok {
					buckets += float64(n)
				}
			}
			if services != whole || teams != whole || buckets != whole {
				rt.Errorf("%s: services %v, teams %v, weeks %v; the whole is %v", metric, services, teams, buckets, whole)
			}
		}
		for _, metric := range []string{"change_failure_rate", "deployment_rework_rate", "golden_deployment_share"} {
			r := ask(metric, metrics.Scope{Organisation: true})
			points := append(r.Series, metrics.Point{Value: r.Value, N: r.N, Interval: r.Interval})
			for _, p := range points {
				v, ok := p.Value.(float64)
				if p.Value == nil {
					continue
				}
				if !ok || v < 0 || v > 1 || p.Interval[0] > v+1e-12 || p.Interval[1] < v-1e-12 || p.N.(int64) == 0 {
					rt.Errorf("%s: %+v is no share with its interval", metric, p)
				}
			}
		}

		before := ask("lead_time", metrics.Scope{Organisation: true})
		var last *event.Deployment
		for i := range b.Deployments {
			if d := &b.Deployments[i]; d.Status == "succeeded" && (last == nil || d.FinishedAt.After(last.FinishedAt) || d.FinishedAt.Equal(last.FinishedAt) && d.ID > last.ID) {
				last = d
			}
		}
		if last == nil {
			return
		}
		again := *last
		again.ID, again.StartedAt, again.FinishedAt = "again", last.FinishedAt, last.FinishedAt.Add(time.Minute)
		var more event.Batch
		more.Append(&again)
		in, err := ingest.New(ingest.DefaultConfig(), st)
		if err != nil {
			rt.Fatal(err)
		}
		if err := in.Write(context.Background(), &more); err != nil {
			rt.Fatal(err)
		}
		after := ask("lead_time", metrics.Scope{Organisation: true})
		if before.Value != after.Value || before.N != after.N {
			rt.Errorf("a redeploy changed the lead time from %v of %v to %v of %v", before.Value, before.N, after.Value, after.N)
		}
		if got, want := ask("redeploy_count", metrics.Scope{Service: last.Service}).Value.(float64), 1.0; got < want {
			rt.Errorf("got %v redeploys, want at least the one", got)
		}
	})
}
