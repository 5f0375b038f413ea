// Package prometheus speaks the language of Prometheus: its query API, so that Grafana and other tools read the full
// history with PromQL, and its exposition format at /metrics, for those who scrape. It stands beside the API at the end
// of the data's way and computes nothing itself: every sample is an answer of the metrics' engine.
package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"

	"cairn/internal/fault"
	"cairn/metrics"
)

// Deps is what the interface stands on.
type Deps struct {
	Engine  *metrics.Engine
	Now     func() time.Time
	Log     *slog.Logger
	Version string
	Site    string      // where readers reach the pages, such as https://cairn.example.com
	Own     *Exposition // whose own series the query API answers, too; nil for none
}

// Server answers the query API below /prometheus/api/v1/.
type Server struct {
	cfg    Config
	deps   Deps
	source *source
	parser parser.Parser
	engine *promql.Engine
	slots  chan struct{} // one for each query that may run
	mux    *http.ServeMux

	waiting atomic.Int64 // queries that wait for a slot
}

// New returns a server. It does not listen.
func New(cfg Config, d Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, deps: d, source: &source{cfg: cfg, engine: d.Engine, now: d.Now}, parser: parser.NewParser(parser.Options{}),
		slots: make(chan struct{}, cfg.MaxConcurrent), mux: http.NewServeMux(),
	}
	if d.Own != nil {
		s.source.own = d.Own.own
		for state, count := range map[string]func() int64{"running": func() int64 { return int64(len(s.slots)) }, "waiting": s.waiting.Load} {
			gauge := client.NewGaugeFunc(client.GaugeOpts{Name: "cairn_promql_queries", Help: "Queries in PromQL, by whether they run or wait for their turn", ConstLabels: client.Labels{"state": state}}, func() float64 { return float64(count()) })
			if err := d.Own.Register(gauge); err != nil {
				return nil, err
			}
		}
	}
	s.engine = promql.NewEngine(promql.EngineOpts{
		Logger: d.Log, MaxSamples: cfg.MaxSamples, Timeout: cfg.Timeout, Parser: s.parser,
		LookbackDelta:            time.Millisecond, // there is a sample at each instant that is read, or no data
		NoStepSubqueryIntervalFn: func(int64) int64 { return defaultSubqueryStep },
		EnableAtModifier:         true, EnableNegativeOffset: true,
	})
	for path, answer := range map[string]func(*http.Request) (reply, error){
		"query": s.query, "query_range": s.queryRange, "series": s.series, "labels": s.labelNames, "label/{name}/values": s.labelValues,
		"metadata": s.metadata, "status/buildinfo": s.buildinfo,
		"query_exemplars":    func(*http.Request) (reply, error) { return reply{data: []any{}}, nil },
		"rules":              func(*http.Request) (reply, error) { return reply{data: map[string]any{"groups": []any{}}}, nil },
		"alerts":             func(*http.Request) (reply, error) { return reply{data: map[string]any{"alerts": []any{}}}, nil },
		"status/config":      func(*http.Request) (reply, error) { return reply{data: map[string]any{"yaml": ""}}, nil },
		"status/flags":       func(*http.Request) (reply, error) { return reply{data: map[string]any{}}, nil },
		"status/runtimeinfo": func(*http.Request) (reply, error) { return reply{data: map[string]any{}}, nil },
	} {
		s.mux.HandleFunc("/prometheus/api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodHead {
				w.Header().Set("Allow", "GET, HEAD, POST")
				s.write(w, r, reply{}, &refusal{http.StatusMethodNotAllowed, "bad_data", fmt.Errorf("%s is not possible here", r.Method)})
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			if err := r.ParseForm(); err != nil {
				s.write(w, r, reply{}, bad("the form cannot be read: %w", err))
				return
			}
			a, err := answer(r)
			s.write(w, r, a, err)
		})
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.write(w, r, reply{}, &refusal{http.StatusNotFound, "not_found", fmt.Errorf("there is nothing at %s; a data source's address ends in /prometheus", r.URL.Path)})
	})
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// reply is what a request is answered with.
type reply struct {
	data     any
	warnings []string
	infos    []string
	close    func() // when it is written
}

// refusal is an error as Prometheus tells it.
type refusal struct {
	status int
	kind   string
	cause  error
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

func bad(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "bad_data", fmt.Errorf(format, args...)}
}

// refused says how Prometheus would tell an error.
func refused(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[promql.ErrStorage](err); ok {
		err = e.Err
	}
	if _, ok := errors.AsType[promql.ErrQueryCanceled](err); ok || errors.Is(err, context.Canceled) {
		return &refusal{499, "canceled", err}
	}
	if _, ok := errors.AsType[promql.ErrQueryTimeout](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return &refusal{http.StatusServiceUnavailable, "timeout", err}
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		switch kind := fault.KindOf(err); kind {
		case fault.Internal:
			return &refusal{http.StatusInternalServerError, "internal", err}
		case fault.Unavailable:
			return &refusal{http.StatusServiceUnavailable, "unavailable", err}
		case fault.Invalid:
			return &refusal{http.StatusBadRequest, "bad_data", err}
		}
	}
	return &refusal{http.StatusUnprocessableEntity, "execution", err}
}

type body struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, a reply, err error) {
	if a.close != nil {
		defer a.close()
	}
	status, answer := http.StatusOK, body{Status: "success", Data: a.data, Warnings: a.warnings, Infos: a.infos}
	if err != nil {
		no := refused(err)
		status, answer = no.status, body{Status: "error", ErrorType: no.kind, Error: no.Error(), Warnings: a.warnings}
		if no.kind == "internal" {
			s.deps.Log.Error("a query failed", "path", r.URL.Path, "error", err)
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		s.deps.Log.Error("an answer cannot be written", "path", r.URL.Path, "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"status":"error","errorType":"internal","error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who has gone away misses it
}

// slot waits for a turn. done gives it back.
func (s *Server) slot(ctx context.Context) (done func(), err error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, &refusal{http.StatusServiceUnavailable, "timeout", fmt.Errorf("the query waited for its turn until its time was over: %d run at once, as max_concurrent allows", s.cfg.MaxConcurrent)}
		}
		return nil, ctx.Err()
	}
}

// limited is the request's context, until the query's time is over.
func (s *Server) limited(r *http.Request) (context.Context, context.CancelFunc, error) {
	timeout := s.cfg.Timeout
	if text := r.FormValue("timeout"); text != "" {
		asked, err := duration(text)
		if err != nil {
			return nil, nil, bad("invalid parameter \"timeout\": %w", err)
		}
		timeout = min(timeout, asked)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	return ctx, cancel, nil
}

func (s *Server) query(r *http.Request) (reply, error) {
	at, err := instant(r, "time", s.deps.Now())
	if err != nil {
		return reply{}, err
	}
	return s.run(r, at, at, 0, func(ctx context.Context, q *queryable, text string) (promql.Query, error) {
		return s.engine.NewInstantQuery(ctx, q, nil, text, at)
	})
}

// maxPoints is how many points a series may have, as in Prometheus.
const maxPoints = 11_000

func (s *Server) queryRange(r *http.Request) (reply, error) {
	var ends [2]time.Time
	for i, name := range []string{"start", "end"} {
		if r.FormValue(name) == "" {
			return reply{}, bad("invalid parameter %q: it is missing", name)
		}
		at, err := instant(r, name, time.Time{})
		if err != nil {
			return reply{}, err
		}
		ends[i] = at
	}
	step, err := duration(r.FormValue("step"))
	switch {
	case err != nil:
		return reply{}, bad("invalid parameter \"step\": %w", err)
	case ends[1].Before(ends[0]):
		return reply{}, bad("invalid parameter \"end\": end timestamp must not be before start time")
	case step < time.Millisecond:
		return reply{}, bad("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer")
	case ends[1].Sub(ends[0])/step > maxPoints:
		return reply{}, bad("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")
	}
	return s.run(r, ends[0], ends[1], step, func(ctx context.Context, q *queryable, text string) (promql.Query, error) {
		return s.engine.NewRangeQuery(ctx, q, nil, text, ends[0], ends[1], step)
	})
}

// run runs a query in its turn and in its time.
func (s *Server) run(r *http.Request, start, end time.Time, step time.Duration, pose func(context.Context, *queryable, string) (promql.Query, error)) (reply, error) {
	text := r.FormValue("query")
	ctx, cancel, err := s.limited(r)
	if err != nil {
		return reply{}, err
	}
	defer cancel()
	plans, err := plansOf(s.parser, text, start, end, step)
	if err != nil {
		return reply{}, bad("invalid parameter \"query\": %w", err)
	}
	q, err := pose(ctx, &queryable{source: s.source, plans: plans}, text)
	if err != nil {
		return reply{}, bad("invalid parameter \"query\": %w", err)
	}
	done, err := s.slot(ctx)
	if err != nil {
		return reply{}, err
	}
	defer done()
	res := q.Exec(ctx)
	warnings, infos := told(res.Warnings, text)
	if res.Err != nil {
		defer q.Close()
		if ctx.Err() != nil && r.Context().Err() == nil {
			return reply{warnings: warnings}, promql.ErrQueryTimeout("query execution")
		}
		return reply{warnings: warnings}, res.Err
	}
	if v, ok := res.Value.(promql.Vector); ok && v == nil {
		res.Value = promql.Vector{}
	}
	return reply{data: map[string]any{"resultType": res.Value.Type(), "result": res.Value}, warnings: warnings, infos: infos, close: q.Close}, nil
}

// told are annotations as texts.
func told(a annotations.Annotations, query string) (warnings, infos []string) {
	return a.AsStrings(query, 10, 10)
}

// instant reads a parameter: seconds since 1970, or RFC 3339.
func instant(r *http.Request, name string, missing time.Time) (time.Time, error) {
	text := r.FormValue(name)
	if text == "" {
		return missing, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e12 {
		return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, bad("invalid parameter %q: cannot parse %q to a valid timestamp", name, text)
	}
	return t, nil
}

// duration reads seconds, or a duration such as 7d.
func duration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e9 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
	}
	return time.Duration(d), nil
}

// found are the series that the request's selectors (match[]) allow; all where there are none and that is allowed.
func (s *Server) found(r *http.Request, needed bool) ([]labels.Labels, error) {
	selectors := r.Form["match[]"]
	if len(selectors) == 0 {
		if needed {
			return nil, bad("no match[] parameter provided")
		}
		selectors = []string{`{__name__!=""}`}
	}
	ctx, cancel, err := s.limited(r)
	if err != nil {
		return nil, err
	}
	defer cancel()
	known := map[string]bool{}
	var list []labels.Labels
	for _, text := range selectors {
		matchers, err := s.parser.ParseMetricSelector(text)
		if err != nil {
			return nil, bad("invalid parameter \"match[]\": %w", err)
		}
		w, err := s.source.want(ctx, matchers)
		if err != nil {
			return nil, err
		}
		if needed && w.series > s.cfg.MaxSeries {
			return nil, fault.New(fault.TooLarge, "%s can have %d series, more than the %d that max_series allows: name a metric, and narrow team, service, window or statistic", text, w.series, s.cfg.MaxSeries)
		}
		for _, l := range w.described(s.source) {
			if key := l.String(); !known[key] {
				known[key] = true
				list = append(list, l)
			}
		}
	}
	slices.SortFunc(list, labels.Compare)
	return list, nil
}

// first keeps as many as the request's limit allows, and says when that cut something.
func first[T any](r *http.Request, list []T) (reply, error) {
	if list == nil {
		list = []T{}
	}
	text := r.FormValue("limit")
	if text == "" {
		return reply{data: list}, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 0 {
		return reply{}, bad("invalid parameter \"limit\": cannot parse %q to a number of 0 or more", text)
	}
	if limit == 0 || limit >= len(list) {
		return reply{data: list}, nil
	}
	return reply{data: list[:limit], warnings: []string{"results truncated due to limit"}}, nil
}

func (s *Server) series(r *http.Request) (reply, error) {
	list, err := s.found(r, true)
	if err != nil {
		return reply{}, err
	}
	return first(r, list)
}

func (s *Server) labelNames(r *http.Request) (reply, error) {
	list, err := s.found(r, false)
	if err != nil {
		return reply{}, err
	}
	var names []string
	for _, l := range list {
		l.Range(func(l labels.Label) { names = append(names, l.Name) })
	}
	slices.Sort(names)
	return first(r, slices.Compact(names))
}

func (s *Server) labelValues(r *http.Request) (reply, error) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return reply{}, bad("invalid label name: %q", name)
	}
	list, err := s.found(r, false)
	if err != nil {
		return reply{}, err
	}
	var values []string
	for _, l := range list {
		if v := l.Get(name); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return first(r, slices.Compact(values))
}

func (s *Server) metadata(r *http.Request) (reply, error) {
	type told struct {
		Type string `json:"type"`
		Help string `json:"help"`
		Unit string `json:"unit"`
	}
	all := map[string][]told{}
	list := families()
	if s.source.own != nil {
		list = append(list, s.source.own.described()...)
	}
	for _, f := range list {
		if m := r.FormValue("metric"); m == "" || m == f.name {
			all[f.name] = []told{{f.kind, f.help, f.unit}}
		}
	}
	return reply{data: all}, nil
}

// buildinfo names a version of Prometheus whose API this is: Grafana decides by it what it may ask.
func (s *Server) buildinfo(*http.Request) (reply, error) {
	return reply{data: map[string]string{"version": "3.0.0", "revision": s.deps.Version, "branch": "", "buildUser": "cairn", "buildDate": "", "goVersion": ""}}, nil
}
