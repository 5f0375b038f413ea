package metrics_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// stream is a row of source_streams: what is left out is a stream of acme/shop that was read 2 minutes before noon and
// has nothing left.
type stream map[string]any

// put stores streams of a source.
func put(t testing.TB, st *store.Store, source string, streams ...stream) {
	t.Helper()
	for _, s := range streams {
		row := stream{
			"source": source, "system": "github", "subject": "acme/shop", "kind": "changes", "outcome": "fresh", "error": "", "started_at": "2026-03-01 10:00:00", "attempted_at": "2026-03-01 11:58:00",
			"succeeded_at": "2026-03-01 11:58:00", "next_at": "2026-03-01 12:08:00", "facts": 10, "requests": 2, "done": 0, "total": 0, "reached_back": nil, "complete": true, "rules": "{}",
		}
		for name, value := range s {
			row[name] = value
		}
		if _, named := row["stream"]; !named {
			row["stream"] = fmt.Sprint(row["subject"], "/", row["kind"])
		}
		insert(t, st, "source_streams", row)
	}
}

// insert stores a row of texts, numbers, bools and nil.
func insert(t testing.TB, st *store.Store, table string, row map[string]any) {
	t.Helper()
	metricstest.Insert(t, st, table, row)
}

// beside is an engine over a store, at noon of 1 March 2026.
func beside(t testing.TB) (*store.Store, *metrics.Engine) {
	t.Helper()
	st := storetest.New(t)
	cfg := metrics.DefaultConfig()
	e, err := metrics.New(cfg, st, metricstest.SmallNow, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return st, e
}

// sourceOf is a source of which the case says nothing else.
func sourceOf(change func(*metrics.SourceRecord)) metrics.SourceRecord {
	read := at("2026-03-01T11:58")
	s := metrics.SourceRecord{
		Name: "github", System: "github", Subjects: 1, Streams: 1, Outcomes: map[string]int64{"fresh": 1}, Facts: 10, Requests: 2, SucceededAt: &read, NewsUpTo: &read,
		Complete: true, StreamsComplete: 1, SecondsLeft: ptr(int64(0)), Problems: []metrics.SourceProblem{}, Budgets: []metrics.SourceBudget{}, Deliveries: []metrics.SourceDeliveries{},
	}
	change(&s)
	return s
}

func TestASourceSaysHowFarItIsTold(t *testing.T) {
	half := stream{"outcome": "behind", "complete": false, "done": 25, "total": 100, "reached_back": "2025-11-01 00:00:00"}
	with := func(s stream, pairs ...any) stream {
		also := stream{}
		for name, value := range s {
			also[name] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			also[pairs[i].(string)] = pairs[i+1]
		}
		return also
	}
	next := at("2026-03-01T12:08")
	for _, c := range []struct {
		name    string
		streams []stream
		want    metrics.SourceRecord
	}{
		{"all told", []stream{{}}, sourceOf(func(*metrics.SourceRecord) {})},
		{"all told, in pieces", []stream{{"done": 4, "total": 3}}, sourceOf(func(s *metrics.SourceRecord) { s.Done, s.Total = 4, ptr(int64(4)) })},
		{"the list of repositories is about none", []stream{{"subject": "", "stream": "repositories", "kind": "repositories"}}, sourceOf(func(s *metrics.SourceRecord) { s.Subjects = 0 })},
		{"news are as old as the oldest", []stream{{}, {"kind": "runs", "succeeded_at": "2026-03-01 09:00:00"}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.StreamsComplete, s.Facts, s.Requests, s.Outcomes["fresh"], s.NewsUpTo = 2, 2, 20, 4, 2, point(at("2026-03-01T09:00"))
		})},
		{"never read", []stream{{"outcome": "failed", "error": "the network is down", "succeeded_at": nil, "complete": false, "facts": 0, "requests": 1}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Failing, s.Outcomes, s.Facts, s.Requests, s.SucceededAt, s.NewsUpTo = 1, map[string]int64{"failed": 1}, 0, 1, nil, nil
			s.Complete, s.StreamsComplete, s.StreamsUncounted, s.SecondsLeft, s.Error = false, 0, 1, nil, "the network is down"
			s.Problems = []metrics.SourceProblem{{Outcome: "failed", Error: "the network is down", Streams: 1, Examples: []string{"acme/shop/changes"}, Latest: at("2026-03-01T11:58"), NextAt: &next}}
		})},
		{"one of two was never read", []stream{{}, {"kind": "runs", "outcome": "limited", "error": "the limit is reached", "succeeded_at": nil, "complete": false}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.Facts, s.Requests, s.Outcomes, s.NewsUpTo = 2, 20, 4, map[string]int64{"fresh": 1, "limited": 1}, nil
			s.Complete, s.StreamsUncounted, s.SecondsLeft = false, 1, nil
		})},
		// 25 of 100 in two hours: 75 take six.
		{"half read", []stream{half}, sourceOf(func(s *metrics.SourceRecord) {
			s.Outcomes, s.HistoryBackTo = map[string]int64{"behind": 1}, point(at("2025-11-01T00:00"))
			s.Complete, s.StreamsComplete, s.Done, s.Total, s.SecondsLeft = false, 0, 25, ptr(int64(100)), ptr(int64(6*3600))
		})},
		// Together 75 in two hours, of which one is done with its 50: 75 take two hours.
		{"the speed is that of all together", []stream{half, {"kind": "runs", "done": 50, "total": 50}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.Facts, s.Requests, s.Outcomes, s.HistoryBackTo = 2, 20, 4, map[string]int64{"behind": 1, "fresh": 1}, point(at("2025-11-01T00:00"))
			s.Complete, s.Done, s.Total, s.SecondsLeft = false, 75, ptr(int64(150)), ptr(int64(2*3600))
		})},
		{"what was done before the first unfinished one began says nothing", []stream{half, {"kind": "runs", "done": 50, "total": 50, "started_at": "2025-03-01 00:00:00"}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.Facts, s.Requests, s.Outcomes, s.HistoryBackTo = 2, 20, 4, map[string]int64{"behind": 1, "fresh": 1}, point(at("2025-11-01T00:00"))
			s.Complete, s.Done, s.Total, s.SecondsLeft = false, 75, ptr(int64(150)), ptr(int64(6*3600))
		})},
		{"history is told down to where all are", []stream{half, with(half, "kind", "runs", "reached_back", "2026-01-01 00:00:00")}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.Facts, s.Requests, s.Outcomes, s.HistoryBackTo = 2, 20, 4, map[string]int64{"behind": 2}, point(at("2026-01-01T00:00"))
			s.Complete, s.StreamsComplete, s.Done, s.Total, s.SecondsLeft = false, 0, 50, ptr(int64(200)), ptr(int64(6*3600))
		})},
		{"of one nothing is told, and nobody knows how much there is", []stream{half, with(half, "kind", "runs", "reached_back", nil, "done", 0, "total", 0)}, sourceOf(func(s *metrics.SourceRecord) {
			s.Streams, s.Facts, s.Requests, s.Outcomes = 2, 20, 4, map[string]int64{"behind": 2}
			s.Complete, s.StreamsComplete, s.StreamsUncounted, s.Done, s.Total, s.SecondsLeft = false, 0, 1, 25, ptr(int64(100)), ptr(int64(6*3600))
		})},
		{"nothing is done yet", []stream{with(half, "done", 0, "reached_back", nil)}, sourceOf(func(s *metrics.SourceRecord) {
			s.Outcomes, s.Complete, s.StreamsComplete, s.Total, s.SecondsLeft = map[string]int64{"behind": 1}, false, 0, ptr(int64(100)), nil
		})},
		{"what is gone holds nothing up", []stream{{}, with(half, "kind", "runs", "outcome", "gone", "error", "acme/shop is gone", "succeeded_at", nil)}, sourceOf(func(s *metrics.SourceRecord) {
			s.Failing, s.Streams, s.Facts, s.Requests, s.Outcomes, s.Error = 1, 2, 20, 4, map[string]int64{"fresh": 1, "gone": 1}, "acme/shop is gone"
			s.Problems = []metrics.SourceProblem{{Outcome: "gone", Error: "acme/shop is gone", Streams: 1, Examples: []string{"acme/shop/runs"}, Latest: at("2026-03-01T11:58"), NextAt: &next}}
		})},
		{"what is alike but for its name is one problem, and the latest failure comes first", []stream{
			{"outcome": "denied", "error": "acme/shop: 403, changes of acme/shop may not be read"},
			{"subject": "acme/cart", "outcome": "denied", "error": "acme/cart: 403, changes of acme/cart may not be read", "next_at": "2026-03-01 12:01:00"},
			{"kind": "runs", "outcome": "failed", "error": "500", "attempted_at": "2026-03-01 11:59:00", "next_at": nil},
		}, sourceOf(func(s *metrics.SourceRecord) {
			s.Subjects, s.Failing, s.Streams, s.StreamsComplete, s.Facts, s.Requests, s.Outcomes, s.Error = 2, 2, 3, 1, 30, 6, map[string]int64{"denied": 2, "failed": 1}, "500"
			soon := at("2026-03-01T12:01")
			s.Problems = []metrics.SourceProblem{
				{Outcome: "failed", Error: "500", Streams: 1, Examples: []string{"acme/shop/runs"}, Latest: at("2026-03-01T11:59")},
				{Outcome: "denied", Error: "…: 403, changes of … may not be read", Streams: 2, Examples: []string{"acme/cart/changes", "acme/shop/changes"}, Latest: at("2026-03-01T11:58"), NextAt: &soon},
			}
		})},
		{"all denied is not complete", []stream{{"outcome": "denied", "error": "401"}}, sourceOf(func(s *metrics.SourceRecord) {
			s.Failing, s.StreamsComplete, s.Outcomes, s.NewsUpTo, s.Complete, s.SecondsLeft, s.Error = 1, 0, map[string]int64{"denied": 1}, nil, false, nil, "401"
			s.Problems = []metrics.SourceProblem{{Outcome: "denied", Error: "401", Streams: 1, Examples: []string{"acme/shop/changes"}, Latest: at("2026-03-01T11:58"), NextAt: &next}}
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st, e := beside(t)
			// A state replaces the one before, and one without an outcome is forgotten.
			put(t, st, "github", stream{"outcome": "failed", "error": "before"}, stream{"kind": "releases", "outcome": "failed"})
			put(t, st, "github", append(c.streams, stream{"kind": "releases", "outcome": ""})...)
			if len(c.streams) == 1 && c.streams[0]["stream"] == "repositories" {
				put(t, st, "github", stream{"outcome": ""})
			}
			got, err := e.Sources(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(metrics.SourceList{AsOf: metricstest.SmallNow(), Tellers: []metrics.SourceTeller{}, Sources: []metrics.SourceRecord{c.want}}, got); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		})
	}
}

// Without a source there is an empty list; a source that is only heard is one, too; what is left of allowances is told
// with whose they are.
func TestWebhooksAndAllowances(t *testing.T) {
	st, e := beside(t)
	none, err := e.Sources(t.Context())
	if err != nil || none.Sources == nil || len(none.Sources) != 0 {
		t.Fatalf("got %+v, %v, want an empty list", none, err)
	}
	if _, err := e.Source(t.Context(), "github", metrics.StreamFilter{}, metrics.Paging{}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "nothing was read") {
		t.Errorf("got %v", err)
	}
	if fresh, err := e.Freshness(t.Context()); err != nil || len(fresh) != 0 {
		t.Errorf("got %v, %v", fresh, err)
	}
	heard := func(source, day, event, outcome, reason string, n int, latest string) {
		insert(t, st, "deliveries", map[string]any{"source": source, "day": day, "event": event, "outcome": outcome, "reason": reason, "n": n, "latest": latest})
	}
	heard("gitlab", "2026-03-01", "Merge Request Hook", "told", "", 3, "2026-03-01 11:00:00")
	heard("gitlab", "2026-03-01", "Merge Request Hook", "told", "", 2, "2026-03-01 11:30:00")
	heard("gitlab", "2026-02-23", "Merge Request Hook", "told", "", 4, "2026-02-23 11:00:00")
	heard("gitlab", "2026-02-22", "Merge Request Hook", "told", "", 100, "2026-02-22 11:00:00") // more than seven days ago
	heard("gitlab", "2026-02-01", "Push Hook", "told", "", 100, "2026-02-01 11:00:00")
	heard("gitlab", "2026-02-28", "", "refused", "the signature does not fit", 1, "2026-03-01 11:45:00")
	heard("old", "2025-12-01", "push", "told", "", 1, "2025-12-01 11:00:00")
	insert(t, st, "source_budgets", map[string]any{"source": "gitlab", "resource": "", "allowance": 2000, "remaining": 1, "reset_at": nil, "updated_at": "2026-03-01 10:00:00"})
	insert(t, st, "source_budgets", map[string]any{"source": "gitlab", "resource": "", "allowance": 2000, "remaining": 1500, "reset_at": "2026-03-01 12:30:00", "updated_at": "2026-03-01 11:00:00"})
	insert(t, st, "source_budgets", map[string]any{"source": "nobody", "resource": "core", "allowance": 5000, "remaining": 1, "reset_at": nil})
	got, err := e.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	only := metrics.SourceRecord{Outcomes: map[string]int64{}, Problems: []metrics.SourceProblem{}, Budgets: []metrics.SourceBudget{}, Deliveries: []metrics.SourceDeliveries{}}
	gitlab, old := only, only
	gitlab.Name, gitlab.DeliveriesLatest = "gitlab", point(at("2026-03-01T11:45"))
	gitlab.Budgets = []metrics.SourceBudget{{Limit: 2000, Remaining: 1500, ResetAt: point(at("2026-03-01T12:30")), AsOf: at("2026-03-01T11:00")}}
	gitlab.Deliveries = []metrics.SourceDeliveries{
		{Outcome: "refused", Reason: "the signature does not fit", N: 1, Latest: at("2026-03-01T11:45")},
		{Event: "Merge Request Hook", Outcome: "told", N: 9, Latest: at("2026-03-01T11:30")},
	}
	old.Name, old.DeliveriesLatest = "old", point(at("2025-12-01T11:00"))
	if diff := cmp.Diff([]metrics.SourceRecord{gitlab, old}, got.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	one, err := e.Source(t.Context(), "old", metrics.StreamFilter{}, metrics.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metrics.StreamList{AsOf: metricstest.SmallNow(), Source: old, Streams: []metrics.StreamRecord{}}, one); diff != "" {
		t.Errorf("one source (-want +got):\n%s", diff)
	}
	if _, err := e.Source(t.Context(), "github", metrics.StreamFilter{}, metrics.Paging{}); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "there are: gitlab, old") {
		t.Errorf("got %v", err)
	}
}

// Whoever tells is told of, of whatever kind the facts are, whether or not it is read or heard.
func TestWhoTellsWhatIsTold(t *testing.T) {
	st, e := beside(t)
	tell := func(table, source, at string, more row) {
		r := row{"source": source, "updated_at": "2026-01-01 00:00:00", "version": 1, "ingested_at": at}
		maps.Copy(r, more)
		insert(t, st, table, r)
	}
	tell("deployments", "pipeline", "2026-02-01 10:00:00", row{"id": "d1", "service": "shop"})
	tell("deployments", "pipeline", "2026-02-03 10:00:00", row{"id": "d2", "service": "shop"})
	tell("deployments", "argocd", "2026-02-02 10:00:00", row{"id": "d3", "service": "shop"})
	tell("incidents", "pipeline", "2026-02-04 10:00:00", row{"id": "i1"})
	tell("people", "pipeline", "2026-02-01 10:00:00", row{"id": "ada"})
	got, err := e.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []metrics.SourceTeller{
		{Name: "argocd", Kinds: []metrics.SourceTold{{Kind: "deployments", Latest: at("2026-02-02T10:00")}}, Latest: at("2026-02-02T10:00")},
		{Name: "pipeline", Kinds: []metrics.SourceTold{{Kind: "incidents", Latest: at("2026-02-04T10:00")}, {Kind: "deployments", Latest: at("2026-02-03T10:00")}, {Kind: "people", Latest: at("2026-02-01T10:00")}}, Latest: at("2026-02-04T10:00")},
	}
	if diff := cmp.Diff(want, got.Tellers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	query, err := os.ReadFile("records/source_tellers.sql")
	if err != nil {
		t.Fatal(err)
	}
	var tables []struct {
		Name string `ch:"table"`
	}
	if err := st.Select(t.Context(), &tables, "SELECT table FROM system.columns WHERE database = currentDatabase() AND name IN ('source', 'ingested_at') GROUP BY table HAVING count() = 2 ORDER BY table", nil); err != nil || len(tables) < 15 {
		t.Fatalf("%d tables of facts: %v", len(tables), err)
	}
	for _, table := range tables {
		if !strings.Contains(string(query), " FROM "+table.Name+" ") {
			t.Errorf("who told %s is not asked", table.Name)
		}
	}
}

// What was read or heard last is as fresh as that; what is refused is not heard. It is asked once in a few seconds.
func TestFreshness(t *testing.T) {
	st := storetest.New(t)
	now := metricstest.SmallNow()
	e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	put(t, st, "github", stream{}, stream{"kind": "runs", "outcome": "failed", "succeeded_at": "2026-02-01 00:00:00"}, stream{"kind": "releases", "outcome": "denied", "succeeded_at": nil})
	put(t, st, "never", stream{"outcome": "failed", "succeeded_at": nil})
	insert(t, st, "deliveries", map[string]any{"source": "gitlab", "day": "2026-03-01", "event": "push", "outcome": "woken", "reason": "", "n": 1, "latest": "2026-03-01 11:50:00"})
	insert(t, st, "deliveries", map[string]any{"source": "gitlab", "day": "2026-03-01", "event": "push", "outcome": "refused", "reason": "", "n": 1, "latest": "2026-03-01 11:59:00"})
	insert(t, st, "deliveries", map[string]any{"source": "stranger", "day": "2026-03-01", "event": "", "outcome": "refused", "reason": "", "n": 1, "latest": "2026-03-01 11:59:00"})
	want := []metrics.SourceFreshness{
		{Name: "github", Latest: point(at("2026-03-01T11:58")), Failing: 2}, {Name: "gitlab", Latest: point(at("2026-03-01T11:50"))}, {Name: "never", Failing: 1},
	}
	for _, c := range []struct {
		after time.Duration
		late  bool
	}{{0, false}, {4 * time.Second, false}, {6 * time.Second, true}} {
		now = metricstest.SmallNow().Add(c.after)
		if c.late {
			want = append(want, metrics.SourceFreshness{Name: "zeta", Latest: point(at("2026-03-01T11:58"))})
		}
		got, err := e.Freshness(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", c.after, diff)
		}
		if c.after == 0 {
			put(t, st, "zeta", stream{})
		}
	}
}

// A stream is told as it is; what is not known is null.
func TestAStreamSaysWhatIsKnown(t *testing.T) {
	st, e := beside(t)
	put(t, st, "github",
		stream{"outcome": "behind", "complete": false, "done": 1, "total": 3, "reached_back": "2026-01-01 00:00:00", "rules": `{"no rule fits":{"n":2,"example":"CI of acme/shop"},"b":{"n":7,"example":""},"a":{"n":7,"example":"x"}}`},
		stream{"kind": "runs", "outcome": "denied", "error": "403", "started_at": nil, "succeeded_at": nil, "next_at": nil, "complete": false, "done": 1, "total": 3, "rules": "not JSON"},
		stream{"subject": "", "stream": "repositories", "kind": "repositories", "done": 9, "total": 9},
	)
	got, err := e.Source(t.Context(), "github", metrics.StreamFilter{}, metrics.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	began, read, next := at("2026-03-01T10:00"), at("2026-03-01T11:58"), at("2026-03-01T12:08")
	want := []metrics.StreamRecord{
		{
			Name: "acme/shop/changes", Subject: "acme/shop", Kind: "changes", Outcome: "behind", StartedAt: &began, AttemptedAt: read, SucceededAt: &read, NextAt: &next, Facts: 10, Requests: 2,
			Done: 1, Total: ptr(int64(3)), ReachedBack: point(at("2026-01-01T00:00")), SecondsLeft: ptr(int64(4 * 3600)),
			Rules: []metrics.StreamRule{{Rule: "a", N: 7, Example: "x"}, {Rule: "b", N: 7}, {Rule: "no rule fits", N: 2, Example: "CI of acme/shop"}},
		},
		{Name: "acme/shop/runs", Subject: "acme/shop", Kind: "runs", Outcome: "denied", Error: "403", AttemptedAt: read, Facts: 10, Requests: 2, Done: 1, Total: ptr(int64(3)), Rules: []metrics.StreamRule{}},
		{
			Name: "repositories", Kind: "repositories", Outcome: "fresh", StartedAt: &began, AttemptedAt: read, SucceededAt: &read, NextAt: &next, Facts: 10, Requests: 2, Done: 9, Total: ptr(int64(9)),
			Complete: true, SecondsLeft: ptr(int64(0)), Rules: []metrics.StreamRule{},
		},
	}
	if diff := cmp.Diff(want, got.Streams); diff != "" || got.Fit != 3 {
		t.Errorf("streams, %d (-want +got):\n%s", got.Fit, diff)
	}
}

func TestStreamsFitTheirFilters(t *testing.T) {
	st, e := beside(t)
	long := strings.Repeat("x", 300)
	put(t, st, "github",
		stream{}, stream{"kind": "runs", "outcome": "failed"}, stream{"subject": "acme/cart", "outcome": "gone"}, stream{"subject": "acme/cart", "kind": "runs", "outcome": "limited"},
		stream{"subject": "<script>"}, stream{"subject": long}, stream{"subject": "", "stream": "repositories", "kind": "repositories"},
	)
	put(t, st, "other", stream{"subject": "acme/else"})
	list := func(f metrics.StreamFilter) listing {
		return func(p metrics.Paging) (ids []string, next string, err error) {
			l, err := e.Source(t.Context(), "github", f, p)
			for _, s := range l.Streams {
				ids = append(ids, s.Name)
			}
			return ids, l.Next, err
		}
	}
	subjects := func(f metrics.SubjectFilter) listing {
		return func(p metrics.Paging) (ids []string, next string, err error) {
			l, err := e.SourceSubjects(t.Context(), "github", f, p)
			for _, s := range l.Subjects {
				ids = append(ids, fmt.Sprint(s.Subject, len(s.Streams)))
			}
			return ids, l.Next, err
		}
	}
	for _, c := range []struct {
		name string
		list listing
		want string
	}{
		{"all", list(metrics.StreamFilter{}), "<script>/changes acme/cart/changes acme/cart/runs acme/shop/changes acme/shop/runs repositories " + long + "/changes"},
		{"outcome", list(metrics.StreamFilter{Outcome: "fresh"}), "<script>/changes acme/shop/changes repositories " + long + "/changes"},
		{"kind", list(metrics.StreamFilter{Kind: "runs"}), "acme/cart/runs acme/shop/runs"},
		{"subject", list(metrics.StreamFilter{Subject: "acme/shop"}), "acme/shop/changes acme/shop/runs"},
		{"problems", list(metrics.StreamFilter{Problems: true}), "acme/cart/changes acme/shop/runs"},
		{"problems of a subject and a kind", list(metrics.StreamFilter{Problems: true, Subject: "acme/shop", Kind: "changes"}), ""},
		{"another source's", list(metrics.StreamFilter{Subject: "acme/else"}), ""},
		{"subjects", subjects(metrics.SubjectFilter{}), "<script>1 acme/cart2 acme/shop2 " + long + "1"},
		{"subjects with problems", subjects(metrics.SubjectFilter{Problems: true}), "acme/cart2 acme/shop2"},
		{"subjects by name", subjects(metrics.SubjectFilter{Search: " CART "}), "acme/cart2"},
	} {
		whole, next, err := c.list(metrics.Paging{})
		if got := strings.Join(whole, " "); err != nil || next != "" || got != c.want {
			t.Errorf("%s: got %.200q, %q, %v, want %.200q", c.name, got, next, err, c.want)
		}
		var paged []string
		for p := (metrics.Paging{Limit: 2}); ; {
			ids, next, err := c.list(p)
			if err != nil {
				t.Fatal(err)
			}
			paged = append(paged, ids...)
			if p.Cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(paged, whole) {
			t.Errorf("%s: a page at a time: got %.200q", c.name, paged)
		}
	}
	for _, c := range []struct {
		f    metrics.StreamFilter
		p    metrics.Paging
		want string
	}{
		{metrics.StreamFilter{Outcome: "well"}, metrics.Paging{}, "expected one of fresh, behind"}, {metrics.StreamFilter{Kind: "pulls"}, metrics.Paging{}, "expected one of repositories"},
		{metrics.StreamFilter{}, metrics.Paging{Limit: -1}, "limit"}, {metrics.StreamFilter{}, metrics.Paging{Cursor: "x"}, "the next of a page of streams"},
	} {
		if _, err := e.Source(t.Context(), "github", c.f, c.p); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v %+v: got %v, want %s", c.f, c.p, err, c.want)
		}
	}
}

// The doctor tells which rules were applied, and of what no rule decides the line that would.
func TestTheDoctorTellsOfRules(t *testing.T) {
	st, e := beside(t)
	put(t, st, "github",
		stream{"kind": "deployments", "rules": `{"the default: deployments of the forge":{"n":3,"example":"production of acme/shop"}}`, "attempted_at": "2026-03-01 10:00:00"},
		stream{"kind": "runs", "rules": `{"no rule fits":{"n":90,"example":"CI of acme/shop"}}`},                 // another thing of it is a deployment
		stream{"subject": "acme/quiet", "kind": "incidents", "rules": `{"no rule fits":{"n":5,"example":"#1"}}`}, // most issues are none
		stream{"subject": "acme/cart", "kind": "deployments", "rules": `{"the default: deployments of the forge":{"n":4,"example":"prod of acme/cart"}}`},
		stream{"subject": "acme/web", "kind": "runs", "rules": `{"no rule fits":{"n":2,"example":"Deploy <\"prod\"> of acme/web"}}`},
		stream{"subject": "acme/web", "kind": "releases", "rules": `{"rules.deployments[0]: nothing of acme/web":{"n":1,"example":"v1"}}`}, // this is no deployment either
		stream{"subject": "acme/mono", "kind": "deployments", "rules": `{"acme/mono has 3 services and no rule says whose this is":{"n":1,"example":"prod of acme/mono"},"rules.deployments[1]: any deployment of *":{"n":8,"example":"web"}}`},
		stream{"subject": "acme/docs", "kind": "releases", "rules": `{"rules.deployments[0]: any release of *, but acme/docs has no service by rules.services[3]: acme/docs":{"n":1,"example":"v1"}}`},
		stream{"subject": "acme/tag", "kind": "commits", "rules": `{"rules.deployments[0]: tag \"*v1\" of *, but it leaves the service empty":{"n":1,"example":"v1"}}`},
		stream{"subject": "acme/gone", "kind": "runs", "outcome": "", "rules": `{"no rule fits":{"n":2,"example":"x"}}`},
	)
	report, err := e.Doctor(t.Context(), "lead_time", metrics.Scope{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var fixes []string
	for _, u := range report.Unruled {
		fixes = append(fixes, fmt.Sprintf("%s %d %s", u.Source, u.N, u.Fix))
	}
	if diff := cmp.Diff([]string{
		`github 1 rules.services: {repository: "acme/docs", service: NAME}`,
		`github 1 rules.deployments: {repository: "acme/mono", from: deployment, name: "prod", service: NAME}`,
		`github 1 rules.deployments: {repository: "acme/tag", from: tag, name: "v1", service: NAME}`,
		`github 2 rules.deployments: {repository: "acme/web", from: workflow, name: "Deploy <\"prod\">"}`,
	}, fixes); diff != "" {
		t.Errorf("what no rule decides (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]metrics.RuleUse{
		{Source: "github", Rule: "no rule fits", N: 97, Example: report.Rules[0].Example, Subject: report.Rules[0].Subject},
		{Source: "github", Rule: "rules.deployments[1]: any deployment of *", N: 8, Example: "web", Subject: "acme/mono"},
		{Source: "github", Rule: "the default: deployments of the forge", N: 7, Example: "prod of acme/cart", Subject: "acme/cart"},
	}, report.Rules[:3]); diff != "" || len(report.Rules) != 7 {
		t.Errorf("rules, %d (-want +got):\n%s", len(report.Rules), diff)
	}
}

// The lag of a kind of lists is that of the one that was read longest ago; one that never was counts from its first try,
// one that is gone or denied does not.
func TestHowFarBehindEachKindOfListIs(t *testing.T) {
	st, e := beside(t)
	put(t, st, "github",
		stream{"kind": "changes", "subject": "a", "succeeded_at": "2026-03-01 11:50:00"},
		stream{"kind": "changes", "subject": "b", "succeeded_at": "2026-03-01 11:40:00", "outcome": "behind"},
		stream{"kind": "changes", "subject": "c", "succeeded_at": "2026-01-01 00:00:00", "outcome": "gone"},
		stream{"kind": "runs", "subject": "a", "succeeded_at": nil, "started_at": "2026-03-01 11:00:00", "outcome": "failed"},
		stream{"kind": "teams", "subject": "", "outcome": "denied"},
	)
	put(t, st, "forge", stream{"kind": "changes", "subject": "a", "succeeded_at": "2026-03-01 11:59:00"})
	list, err := e.SourceLags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := func(hour, minute int) *time.Time {
		at := time.Date(2026, 3, 1, hour, minute, 0, 0, time.UTC)
		return &at
	}
	want := []metrics.SourceLag{
		{Source: "forge", Kind: "changes", Outcomes: map[string]int64{"fresh": 1}, ReadAt: at(11, 59)},
		{Source: "github", Kind: "changes", Outcomes: map[string]int64{"fresh": 1, "behind": 1, "gone": 1}, ReadAt: at(11, 40)},
		{Source: "github", Kind: "runs", Outcomes: map[string]int64{"failed": 1}, ReadAt: at(11, 0)},
		{Source: "github", Kind: "teams", Outcomes: map[string]int64{"denied": 1}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
}
