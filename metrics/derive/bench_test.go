package derive

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"cairn/internal/store/storetest"
	"cairn/metrics/attribution/attributiontest"
	"cairn/metrics/metricstest"
)

const (
	benchCommits     = 1_000_000
	benchDeployments = 50_000
	benchFurther     = 200
)

func BenchmarkDerive(b *testing.B) {
	ctx := context.Background()
	st := storetest.New(b)
	began := time.Now()
	trunk, err := metricstest.Commits(ctx, st, "shop", 1, benchCommits)
	if err != nil {
		b.Fatal(err)
	}
	tips := attributiontest.Deployments(trunk, benchDeployments+benchFurther)
	first, interval := attributiontest.Begin, time.Hour
	if err := metricstest.Deployments(ctx, st, "shop", "shop", tips[:benchDeployments], 1, first, interval); err != nil {
		b.Fatal(err)
	}
	b.Logf("stored in %s", time.Since(began))
	for b.Loop() {
		r := newRepository(st, "shop")
		began := time.Now()
		if err := r.load(ctx, math.MaxInt64); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-load")
		if r.Graph.Len() != benchCommits {
			b.Fatal(r.Graph.Len())
		}
		d, err := New(DefaultConfig(), st, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err := d.CatchUp(ctx); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-first")
		began = time.Now()
		if err := d.CatchUp(ctx); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-idle")
		var each []time.Duration
		for i := range benchFurther {
			n := benchDeployments + i
			if err := metricstest.Deployments(ctx, st, "shop", "shop", tips[n:n+1], n+1, first.Add(time.Duration(n)*interval), interval); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			if err := d.CatchUp(ctx); err != nil {
				b.Fatal(err)
			}
			each = append(each, time.Since(began))
			if i > 5 {
				break
			}
		}
		slices.Sort(each)
		b.ReportMetric(float64(each[len(each)/2].Microseconds())/1000, "ms-further-p50")
		b.ReportMetric(float64(each[len(each)*99/100].Microseconds())/1000, "ms-further-p99")
	}
}
