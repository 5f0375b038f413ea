package api_test

import (
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
	h := api.New(api.Deps{Engine: e, Store: st, Events: in.Handler(), Log: slog.New(slog.DiscardHandler), Instance: "test", Version: "test"})
	if w := send(t, h, "POST", "/api/v1/events", metricstest.Small()); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	return h
}

func itoa(n int) string { return strconv.Itoa(n) }
