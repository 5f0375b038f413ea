package attribution_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"cairn/metrics/attribution"
	"cairn/metrics/attribution/attributiontest"
)

const (
	benchCommits     = 1_000_000
	benchDeployments = 50_000
	benchFurther     = 1_000
)

// BenchmarkAttribution builds the graph of a million commits and takes 50,000 deployments through it, then 1,000 more
// one by one. The simpler way beside it walks the whole history behind each deployment, as git rev-list does, and
// subtracts what the deployment before had.
func BenchmarkAttribution(b *testing.B) {
	for b.Loop() {
		empty := heap()
		began := time.Now()
		g := attribution.NewGraph(benchCommits)
		var trunk []string
		telling := time.Duration(0)
		for s := range attributiontest.History(1, benchCommits) {
			if s.Trunk {
				trunk = append(trunk, s.SHA)
			}
			at := time.Now()
			g.Add(s.Commit)
			telling += time.Since(at)
		}
		at := time.Now()
		g.Seal()
		telling += time.Since(at)
		_ = began
		tips := attributiontest.Deployments(trunk, benchDeployments+benchFurther)
		trunk = nil
		names := heap()
		_ = names
		_ = empty
		repository := &attribution.Repository{ID: "shop", Graph: g}
		repository.Index()
		changes := 0
		line := attribution.NewLine(attribution.Config{
			Settings:   attribution.Settings{NegativeTolerance: 300_000, RolloutWindow: 86_400_000},
			Author:     func(name string) (string, bool) { return name, false },
			Repository: func(string) *attribution.Repository { return repository },
			Deliver:    func(*attribution.Change) { changes++ },
			Commit:     func(*attribution.ShippedCommit) {},
		})
		runs := make([]attribution.Run, len(tips))
		for i, sha := range tips {
			runs[i] = run(i, sha)
		}
		before := heap()
		at = time.Now()
		for _, r := range runs[:benchDeployments] {
			line.Append(r)
		}
		appending := time.Since(at)
		at = time.Now()
		line.Assess(nil, nil)
		assessing := time.Since(at)
		after := heap()
		var each []time.Duration
		for _, r := range runs[benchDeployments:] {
			at := time.Now()
			line.Append(r)
			each = append(each, time.Since(at))
		}
		slices.Sort(each)
		b.ReportMetric(telling.Seconds(), "s-graph")
		b.ReportMetric(appending.Seconds(), "s-line")
		b.ReportMetric(assessing.Seconds(), "s-assess")
		b.ReportMetric(float64(after-before)/benchCommits, "lineB/commit")
		b.ReportMetric(float64(each[len(each)*99/100].Microseconds()), "us-further-p99")
		b.ReportMetric(float64(each[len(each)/2].Microseconds()), "us-further-p50")
		b.Logf("changes %d", changes)
		runtime.KeepAlive(g)
	}
}

func run(i int, sha string) attribution.Run {
	at := attributiontest.Begin.Add(time.Duration(i) * time.Hour).UnixMilli()
	return attribution.Run{
		ID: "d" + strconv.Itoa(i), Environment: "production", Target: "production", Status: attribution.Succeeded,
		StartedAt: at - 60_000, FinishedAt: at, Revisions: []attribution.Revision{{Repository: "shop", SHA: sha}},
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var _ = rand.Int
