package github_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cairn/collectors"
	"cairn/collectors/github"
	"cairn/collectors/github/githubtest"
	"cairn/internal/event"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// ledger keeps what a schedule keeps, in a test's memory.
type ledger struct {
	*keeper
	states map[string]source.State
}

func (l ledger) Write(ctx context.Context, b *event.Batch) error {
	return sink{l.keeper, ""}.Write(ctx, b)
}

func (l ledger) Save(ctx context.Context, stream, position string) error {
	return sink{l.keeper, stream}.Save(ctx, stream, position)
}

func (l ledger) Load(context.Context) (map[string]string, []source.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	positions := map[string]string{}
	for stream, p := range l.positions {
		positions[stream] = p
	}
	return positions, nil, nil
}

func (l ledger) Note(_ context.Context, states []source.State, _ []source.Budget) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range states {
		l.states[s.Stream.Name] = s
	}
	return nil
}

// scheduled makes the connection as the program does, and a schedule for it.
func scheduled(t testing.TB, f *githubtest.Fake, url string, l ledger, next http.RoundTripper) *collectors.Schedule {
	t.Helper()
	cfg := github.DefaultConfig()
	cfg.URL, cfg.Token, cfg.Organisations, cfg.Commits = url, "token", []string{"acme"}, github.CommitsAPI
	cfg.Repositories.Forks = true
	r, err := rules.New(rules.Config{Incidents: rules.IncidentRule{Labels: []string{"incident"}}})
	if err != nil {
		t.Fatal(err)
	}
	transport := collectors.DefaultTransportConfig()
	transport.Next = next
	link, err := collectors.Kinds()["github"].Link(&cfg, collectors.Deps{Rules: r, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	clock := collectors.Clock{Now: func() time.Time { return githubtest.Epoch }, After: time.After}
	s, err := collectors.NewSchedule(collectors.DefaultScheduleConfig(), link.System, link.Connection, l, link.Transport, clock, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The schedule that the program uses tells all that there is, with the requests that it takes.
func TestTheScheduleReadsAForge(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 11, Repositories: 40, Teams: 4, BigEvery: 10})
	l := ledger{f.keeper, map[string]source.State{}}
	if err := scheduled(t, f.Fake, f.server.URL, l, nil).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
	repositories := map[string]bool{}
	for name, s := range l.states {
		if !s.Complete || s.Outcome != source.Fresh || s.Error != "" {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Requests == 0 {
			t.Errorf("%s was read without a request", name)
		}
		repositories[s.Stream.Group] = true
	}
	if len(repositories) != 41 { // and the connection's own
		t.Errorf("the states are of %d groups, want 40 repositories and the connection", len(repositories))
	}
}

// BenchmarkBackfill reads the whole history of 200 repositories from a made-up GitHub in this process. It reports pages
// (requests) a second and the ratio to a client that sends as many requests for the first page of a list and does nothing
// with the answers: the difference is what understanding, limiting and keeping the place take.
func BenchmarkBackfill(b *testing.B) {
	fake := githubtest.New(githubtest.Config{Seed: 5, Repositories: 200, Teams: 10, BigEvery: 20, Limit: 1 << 30, GraphQLLimit: 1 << 30})
	server := httptest.NewServer(fake)
	defer server.Close()
	var requests, facts int64
	for b.Loop() {
		fake.Forget()
		l := ledger{newKeeper(), map[string]source.State{}}
		l.discard = true
		s := scheduled(b, fake, server.URL, l, nil)
		if err := s.CatchUp(b.Context()); err != nil {
			b.Fatal(err)
		}
		told, made := s.Told()
		facts, requests = facts+told, requests+made
	}
	took := b.Elapsed()
	b.StopTimer()
	pages := float64(requests) / took.Seconds()
	b.ReportMetric(pages, "pages/s")
	b.ReportMetric(float64(facts)/took.Seconds(), "facts/s")

	began := time.Now()
	n := requests / int64(b.N)
	work := make(chan struct{})
	done := make(chan struct{})
	for range collectors.DefaultScheduleConfig().Workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for range work {
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/api/v3/repos/acme/repo-0000/pulls?state=all&per_page=30", nil)
				req.Header.Set("Authorization", "Bearer token")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Errorf("a plain request was answered %d", resp.StatusCode)
				}
			}
		}()
	}
	for range n {
		work <- struct{}{}
	}
	close(work)
	for range collectors.DefaultScheduleConfig().Workers {
		<-done
	}
	plain := float64(n) / time.Since(began).Seconds()
	b.ReportMetric(pages/plain, "of-plain-requests")
}
