package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn/internal/event"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

const (
	benchEvents  = 10_000 // of a request
	benchClients = 2
	benchBodies  = 24 // different ones
)

// benchBody is NDJSON as it comes in practice: 80 % commits, 15 % deployments, 5 % incidents.
func benchBody(n int) []byte {
	var b bytes.Buffer
	for i := range benchEvents {
		id := n*benchEvents + i
		switch {
		case i%100 < 80:
			fmt.Fprintf(&b, `{"type":"commit","source":"git","repository":"acme/shop%d","sha":"%040x","parents":["%040x"],"author":"person%d@example.org","authored_at":"2026-03-01T10:%02d:%02dZ","committed_at":"2026-03-01T12:%02d:%02d+01:00","paths":["services/cart/handler.go","services/cart/handler_test.go","docs/cart/%d.md"],"subject":"cart: keep the basket when the session ends (#%d)"}`+"\n",
				id%50, id+1, id, id%200, id/60%60, id%60, id/60%60, id%60, id, id)
		case i%100 < 95:
			fmt.Fprintf(&b, `{"type":"deployment","source":"argocd","service":"cart%d","id":"d%d","environment":"prod-eu","status":"succeeded","started_at":"2026-03-01T10:%02d:%02dZ","finished_at":"2026-03-01T11:%02d:%02dZ","revisions":[{"repository":"acme/shop","sha":"%040x"}],"version":"v1.%d.0","way":"golden_path","tool":"argocd"}`+"\n",
				id%50, id, id/60%60, id%60, id/60%60, id%60, id, id)
		default:
			fmt.Fprintf(&b, `{"type":"incident","source":"pagerduty","id":"i%d","service":"cart%d","title":"checkout is slow","severity":"high","started_at":"2026-03-01T10:%02d:%02dZ","restored_at":"2026-03-01T11:%02d:%02dZ","cause":"deployment","caused_by_deployment":"d%d"}`+"\n",
				id, id%50, id/60%60, id%60, id/60%60, id%60, id-5)
		}
	}
	return b.Bytes()
}

// inParallel calls work(n) for n from 0 to count from as many goroutines as there are clients, and returns how long all
// took together.
func inParallel(count int, work func(n int)) time.Duration {
	begin := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for range benchClients {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				work(n)
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

// BenchmarkIntakeHTTP measures requests of 10,000 events by 2 clients over the loopback, each waiting for its durable
// answer: events/s, and its ratio to inserting the same rows straight into the engine, by columns, in the same sizes and
// by as many writers.
func BenchmarkIntakeHTTP(b *testing.B) {
	st := storetest.New(b)
	i, err := New(DefaultConfig(), st)
	if err != nil {
		b.Fatal(err)
	}
	bodies := make([][]byte, benchBodies)
	batches := make([]event.Batch, benchBodies)
	var d event.Decoder
	for n := range bodies {
		bodies[n] = benchBody(n)
		if err := d.Decode(bytes.NewReader(bodies[n]), &batches[n]); err != nil {
			b.Fatal(err)
		}
	}
	server := httptest.NewServer(i.Handler())
	defer server.Close()
	clients := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients}}
	defer clients.CloseIdleConnections()

	b.SetBytes(int64(len(bodies[0])))
	b.ResetTimer()
	used := cpuTime(b)
	took := inParallel(b.N, func(n int) {
		resp, err := clients.Post(server.URL+Path, "application/x-ndjson", bytes.NewReader(bodies[n%benchBodies]))
		if err != nil {
			b.Error(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Errorf("%s: %s", resp.Status, text)
		}
	})
	b.StopTimer()
	used = cpuTime(b) - used
	straight := inParallel(b.N, straightWriter(b, st, batches))
	b.ReportMetric(float64(b.N*benchEvents)/took.Seconds(), "events/s")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N*benchEvents), "cpu-µs/event")
	b.ReportMetric(float64(b.N*benchEvents)/straight.Seconds(), "straight-events/s")
	b.ReportMetric(straight.Seconds()/took.Seconds(), "ratio")
}

// cpuTime is the processor time that this process has used so far: of client, intake and engine together. Unlike events/s
// it says something on a busy machine too.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// straightWriter inserts prepared rows with nothing before or between.
func straightWriter(b *testing.B, st *store.Store, batches []event.Batch) func(n int) {
	commits, deployments, incidents := commitTable(), deploymentTable(), incidentTable()
	type prepared struct {
		commits     rows[event.Commit]
		deployments rows[event.Deployment]
		incidents   rows[event.Incident]
	}
	ready := make([]prepared, len(batches))
	for n := range batches {
		ready[n] = prepared{newRows(batches[n].Commits), newRows(batches[n].Deployments), newRows(batches[n].Incidents)}
	}
	return func(n int) {
		p := ready[n%len(ready)]
		ctx := context.Background()
		for _, err := range []error{
			commits.insert(ctx, st, []rows[event.Commit]{p.commits}, len(p.commits.events)),
			deployments.insert(ctx, st, []rows[event.Deployment]{p.deployments}, len(p.deployments.events)),
			incidents.insert(ctx, st, []rows[event.Incident]{p.incidents}, len(p.incidents.events)),
		} {
			if err != nil {
				b.Error(err)
			}
		}
	}
}
