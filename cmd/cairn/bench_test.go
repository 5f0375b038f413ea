package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics/metricstest"
)

// How BenchmarkPages looks at pages: so many clients at once, each at pages of its own, several times.
const (
	visitors = 4
	places   = 6 // pages of one kind that a client goes to
	rounds   = 8 // how often it goes there
)

// BenchmarkPages has four clients read pages of a large organisation over HTTP, each those of other teams and services,
// and ask the API for a team's lead time. Cold: a fact arrives before each request, so that nothing is known any more.
// Warm: facts arrive once, then every client goes to six pages eight times. It reports p50 and p95, those of the first
// look at a page alone, requests a second, the statements that a page needs when nothing is known, and the ratio of p50
// to a quantile of as many weeks of changes, read by the engine alone.
func BenchmarkPages(b *testing.B) {
	st := storetest.New(b)
	cfg := DefaultConfig()
	log := slog.New(slog.DiscardHandler)
	o := metricstest.Large()
	o.To = time.Now().UTC().Truncate(24 * time.Hour)
	o.From = o.To.AddDate(-2, 0, 0)
	p, err := wire(cfg, st, nil, log)
	if err != nil {
		b.Fatal(err)
	}
	if err := o.Settled(b.Context(), st, p.engine.CatchUp); err != nil {
		b.Fatal(err)
	}
	if p, err = wire(cfg, st, nil, log); err != nil { // attribution reads its bookmark once
		b.Fatal(err)
	}
	arrived := p.engine.Feed()
	handler, err := p.site(cfg, func(string) string { return "" }, log)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	team := func(i int) string { return metricstest.Team(i % o.Teams) }
	service := func(i int) string { return metricstest.Service(i * 11 % o.Services) }
	catalogue := func(i int) string {
		return []string{"", "?owner=" + team(i), "?q=e" + fmt.Sprint(10+i), "?golden_path=partial&owner=" + team(i)}[i%4]
	}
	raw := alone(b, st, o.To.AddDate(0, 0, -7*12))
	for _, kind := range []struct {
		name string
		page func(i int) string
	}{
		{"organisation", func(int) string { return "/" }},
		{"team", func(i int) string { return "/teams/" + team(i) }},
		{"service", func(i int) string { return "/services/" + service(i) }},
		{"services", func(i int) string { return "/services" + catalogue(i) }},
		{"metric", func(i int) string { return "/metrics/lead_time?team=" + team(i) }},
		{"api", func(i int) string {
			return "/api/v1/metrics/lead_time?bucket=week&from=" + o.To.AddDate(0, 0, -7*12).Format(time.DateOnly) + "&to=" + o.To.Format(time.DateOnly) + "&team=" + team(i)
		}},
	} {
		b.Run(kind.name+"/cold", func(b *testing.B) {
			arrived()
			before := statements(b, st)
			fetched(b, http.DefaultClient, server.URL+kind.page(49))
			needed := statements(b, st) - before
			var took []time.Duration
			begin := time.Now()
			for b.Loop() {
				took = append(took, walk(b, server.URL, kind.page, 1, arrived)...)
			}
			figures(b, took, time.Since(begin))
			b.ReportMetric(float64(needed), "statements")
			b.ReportMetric(float64(quantile(took, 50))/float64(raw), "×raw")
		})
		b.Run(kind.name+"/warm", func(b *testing.B) {
			var took, first []time.Duration
			begin := time.Now()
			for b.Loop() {
				arrived()
				fetched(b, http.DefaultClient, server.URL+"/healthz")
				all := walk(b, server.URL, kind.page, rounds, func() {})
				took, first = append(took, all...), append(first, all[:visitors*places]...)
			}
			figures(b, took, time.Since(begin))
			b.ReportMetric(ms(quantile(first, 50)), "first-p50-ms")
			b.ReportMetric(ms(quantile(first, 95)), "first-p95-ms")
			b.ReportMetric(float64(quantile(took, 50))/float64(raw), "×raw")
		})
	}
}

// walk has the clients go to their pages, all of them as often as said. It returns how long each took, round by round.
func walk(b *testing.B, base string, page func(i int) string, rounds int, before func()) []time.Duration {
	took := make([]time.Duration, visitors*places*rounds)
	var all sync.WaitGroup
	for v := range visitors {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for round := range rounds {
				for i := range places {
					before()
					begin := time.Now()
					fetched(b, client, base+page(v+visitors*i))
					took[(round*visitors+v)*places+i] = time.Since(begin)
				}
			}
		})
	}
	all.Wait()
	return took
}

func fetched(b *testing.B, client *http.Client, address string) {
	res, err := client.Get(address)
	if err != nil {
		b.Error(err)
		return
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Errorf("%s: %s, %v", address, res.Status, err)
	}
}

// alone is the median time in which the engine reads a quantile of the changes since an instant, asked by nobody else.
func alone(b *testing.B, st *store.Store, since time.Time) time.Duration {
	const sql = "SELECT quantileExactInclusive(0.5)(lead_ms) FROM attributed_changes FINAL WHERE environment = 'production' AND deployed_at >= {since:DateTime64(3, 'UTC')}"
	var took []time.Duration
	for range 15 {
		begin := time.Now()
		var lead float64
		if err := st.QueryRow(b.Context(), sql, store.Params{"since": since}).Scan(&lead); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	return quantile(took, 50)
}

// statements is how many statements the engine has been asked so far.
func statements(b *testing.B, st *store.Store) uint64 {
	var n uint64
	if err := st.QueryRow(context.Background(), "SELECT value FROM system.events WHERE event = 'Query'", nil).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func figures(b *testing.B, took []time.Duration, whole time.Duration) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(took, 50)), "p50-ms")
	b.ReportMetric(ms(quantile(took, 95)), "p95-ms")
	b.ReportMetric(float64(len(took))/whole.Seconds(), "requests/s")
}

func quantile(took []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)*percent/100]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
