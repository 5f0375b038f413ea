package prometheus_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cairn/api"
	"cairn/api/prometheus"
	"cairn/ingest"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// served is a small organisation behind the query API, /metrics and the API beside them.
type served struct {
	*http.ServeMux
	exposition *prometheus.Exposition
	engine     *metrics.Engine
	store      *store.Store
}

func small(t testing.TB, cfg prometheus.Config, now func() time.Time) *served {
	t.Helper()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	e, err := metrics.New(metrics.DefaultConfig(), st, now, log)
	if err != nil {
		t.Fatal(err)
	}
	arrived := e.Feed()
	in.Touched = func(map[string]int) { arrived() }
	d := prometheus.Deps{Engine: e, Now: now, Log: log, Version: "test", Site: "https://cairn.example.com"}
	x, err := prometheus.NewExposition(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	d.Own, e.Computed = x, x.Queried
	p, err := prometheus.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{http.NewServeMux(), x, e, st}
	s.Handle("/prometheus/", p)
	s.Handle("/metrics", x)
	s.Handle("/", api.New(api.Deps{Engine: e, Store: st, Events: in.Handler(), Log: log, Instance: "test", Version: "test"}))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/api/v1/events", strings.NewReader(metricstest.Small()))
	r.Header.Set("Content-Type", "application/x-ndjson")
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	return s
}

// told is an answer of the query API.
type told struct {
	Status, ErrorType, Error string
	Data                     json.RawMessage
	Warnings                 []string
}

// ask asks the query API for a path below /prometheus/api/v1/.
func (s *served) ask(t testing.TB, path string, values url.Values) (int, told) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/prometheus/api/v1/"+path+"?"+values.Encode(), nil))
	var a told
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: %v in %s", path, err, w.Body)
	}
	return w.Code, a
}

// value is the text of a sample.
type sample struct {
	Metric map[string]string
	Value  [2]any
	Values [][2]any
}

// instant evaluates an expression at an instant. It returns the answer's type and samples, a scalar as one without labels.
func (s *served) instant(t testing.TB, expr string, at time.Time) (string, []sample) {
	t.Helper()
	code, a := s.ask(t, "query", url.Values{"query": {expr}, "time": {at.Format(time.RFC3339Nano)}})
	if code != http.StatusOK {
		t.Fatalf("%s: %d %s", expr, code, a.Error)
	}
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatal(err)
	}
	var list []sample
	var err error
	if data.ResultType == "scalar" || data.ResultType == "string" {
		list = make([]sample, 1)
		err = json.Unmarshal(data.Result, &list[0].Value)
	} else {
		err = json.Unmarshal(data.Result, &list)
	}
	if err != nil {
		t.Fatalf("%s: %v in %s", expr, err, a.Data)
	}
	return data.ResultType, list
}

// written are samples as text, one a line.
func written(list []sample) string {
	var b strings.Builder
	for _, x := range list {
		text, _ := json.Marshal(x.Metric) // sorted by key
		if len(x.Values) == 0 {
			fmt.Fprintln(&b, string(text), x.Value[1])
			continue
		}
		fmt.Fprint(&b, string(text))
		for _, v := range x.Values {
			fmt.Fprint(&b, " ", v[1])
		}
		fmt.Fprintln(&b)
	}
	return strings.TrimSpace(b.String())
}
