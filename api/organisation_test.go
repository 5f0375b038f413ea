package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"testing"

	"cairn/api"
	"cairn/ingest"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// small is a server over the small organisation, as of its own present.
func small(t *testing.T) http.Handler {
	t.Helper()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	e, err := metrics.New(metrics.DefaultConfig(), st, metricstest.SmallNow, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	arrived := e.Feed()
	in.Touched = func(map[string]int) { arrived() }
	metricstest.Insert(t, st, "source_streams", map[string]any{
		"source": "github", "stream": "acme/shop/changes", "system": "github", "subject": "acme/shop", "kind": "changes", "outcome": "behind", "error": "", "started_at": "2026-03-01 10:00:00",
		"attempted_at": "2026-03-01 11:58:00", "succeeded_at": "2026-03-01 11:58:00", "next_at": "2026-03-01 12:08:00", "facts": 10, "requests": 2, "done": 1, "total": 3,
		"reached_back": "2026-01-01 00:00:00", "complete": false, "rules": `{"no rule fits":{"n":2,"example":"CI of acme/shop"}}`,
	})
	metricstest.Insert(t, st, "source_streams", map[string]any{
		"source": "github", "stream": "<script>/runs", "system": "github", "subject": "<script>", "kind": "runs", "outcome": "denied", "error": "=403 of <script>", "started_at": nil,
		"attempted_at": "2026-03-01 11:58:00", "succeeded_at": nil, "next_at": nil, "facts": 0, "requests": 2, "done": 0, "total": 0, "reached_back": nil, "complete": false, "rules": "{}",
	})
	metricstest.Insert(t, st, "source_budgets", map[string]any{"source": "github", "resource": "core", "allowance": 5000, "remaining": 4000, "reset_at": "2026-03-01 12:30:00"})
	metricstest.Insert(t, st, "deliveries", map[string]any{"source": "gitlab", "day": "2026-03-01", "event": "push", "outcome": "told", "reason": "", "n": 1, "latest": "2026-03-01 11:00:00"})
	replay := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		fmt.Fprintf(w, "{%q:%q}\n", "source", r.URL.Query().Get("source"))
	})
	h := api.New(api.Deps{Engine: e, Store: st, Events: in.Handler(), Replay: replay, Log: slog.New(slog.DiscardHandler), Instance: "test", Version: "test"})
	if w := send(t, h, "POST", "/api/v1/events", metricstest.Small()); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	return h
}

func itoa(n int) string { return strconv.Itoa(n) }
