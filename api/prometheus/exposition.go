package prometheus

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"cairn/internal/fault"
)

// Exposition is /metrics: the gauges of the windows that end now, and how the program itself is. Who scrapes gets what
// was computed a moment ago, and has what has become old computed anew for the next time.
type Exposition struct {
	deps     Deps
	cfg      Config
	source   *source
	registry *client.Registry // what the program tells about itself
	own      *own
	standing *standing
	handler  http.Handler
	wake     chan struct{}

	mu    sync.Mutex
	list  []one         // what was computed last
	at    time.Time     // and when; zero for never
	ready chan struct{} // closed when something was computed

	requests *client.CounterVec
	took     *client.HistogramVec
	queries  *client.HistogramVec
	facts    *client.CounterVec
	bodies   client.Counter
	webhooks *client.CounterVec
	mails    *client.CounterVec
}

// patience is how long a scrape waits for the first numbers.
const patience = 800 * time.Millisecond

// NewExposition returns what /metrics shows. Nothing is computed before Run.
func NewExposition(cfg Config, d Deps) (*Exposition, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	e := &Exposition{
		deps: d, cfg: cfg, source: &source{cfg: cfg, engine: d.Engine, now: d.Now}, registry: client.NewRegistry(), wake: make(chan struct{}, 1), ready: make(chan struct{}),
		requests: client.NewCounterVec(client.CounterOpts{Name: "cairn_http_requests_total", Help: "Requests answered, by route and status"}, []string{"route", "code"}),
		took:     client.NewHistogramVec(client.HistogramOpts{Name: "cairn_http_request_duration_seconds", Help: "How long requests took, by route", Buckets: buckets}, []string{"route"}),
		queries:  client.NewHistogramVec(client.HistogramOpts{Name: "cairn_query_duration_seconds", Help: "How long it took to compute answers that were not kept, by metric", Buckets: buckets}, []string{"metric"}),
		facts:    client.NewCounterVec(client.CounterOpts{Name: "cairn_intake_events_total", Help: "Events stored since the start, by kind"}, []string{"kind"}),
		bodies:   client.NewCounter(client.CounterOpts{Name: "cairn_intake_requests_total", Help: "Requests with events that were stored since the start"}),
		webhooks: client.NewCounterVec(client.CounterOpts{Name: "cairn_webhooks_total", Help: "Webhooks answered since the start, by source and what became of them"}, []string{"source", "outcome"}),
		mails:    client.NewCounterVec(client.CounterOpts{Name: "cairn_weekly_mails_total", Help: "Attempts at weekly mails since the start, by how they ended"}, []string{"outcome"}),
		standing: &standing{engine: d.Engine, now: d.Now},
	}
	e.own = newOwn(e.registry, d.Now)
	build := client.NewGaugeFunc(client.GaugeOpts{Name: "cairn_build_info", Help: "1, with the version of the program", ConstLabels: client.Labels{"version": d.Version}}, func() float64 { return 1 })
	site := client.NewGaugeFunc(client.GaugeOpts{Name: "cairn_site_info", Help: "1, with the address at which readers reach the pages", ConstLabels: client.Labels{"url": d.Site}}, func() float64 { return 1 })
	if err := e.Register(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build, site, e.requests, e.took, e.queries, e.facts, e.bodies, e.webhooks, e.mails, e.standing); err != nil {
		return nil, err
	}
	numbers := client.NewRegistry()
	if err := numbers.Register(e); err != nil {
		return nil, fault.New(fault.Internal, "a collector cannot be registered: %w", err)
	}
	e.handler = promhttp.HandlerFor(client.Gatherers{e.registry, numbers}, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.HTTPErrorOnError})
	return e, nil
}

// Register adds what other parts of the program tell about themselves.
func (e *Exposition) Register(list ...client.Collector) error {
	for _, c := range list {
		if err := e.registry.Register(c); err != nil {
			return fault.New(fault.Internal, "a collector cannot be registered: %w", err)
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (e *Exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

// Queried counts an answer that was computed.
func (e *Exposition) Queried(metric string, took time.Duration) {
	e.queries.WithLabelValues(metric).Observe(took.Seconds())
}

// Stored counts a request with events that was stored.
func (e *Exposition) Stored(byKind map[string]int) {
	e.bodies.Inc()
	for kind, n := range byKind {
		e.facts.WithLabelValues(kind).Add(float64(n))
	}
}

// Events has kinds of events told of from the start, of which there was none yet.
func (e *Exposition) Events(kinds []string) {
	for _, kind := range kinds {
		e.facts.WithLabelValues(kind)
	}
}

// Webhook counts a webhook that was answered.
func (e *Exposition) Webhook(source, outcome string) {
	e.webhooks.WithLabelValues(source, outcome).Inc()
}

// Webhooks has sources told of from the start, of which there was none yet.
func (e *Exposition) Webhooks(sources, outcomes []string) {
	for _, source := range sources {
		for _, outcome := range outcomes {
			e.webhooks.WithLabelValues(source, outcome)
		}
	}
}

// Mailed counts an attempt at a weekly mail.
func (e *Exposition) Mailed(outcome string) { e.mails.WithLabelValues(outcome).Inc() }

// Mails has outcomes told of from the start, of which there was none yet.
func (e *Exposition) Mails(outcomes []string) {
	for _, outcome := range outcomes {
		e.mails.WithLabelValues(outcome)
	}
}

// Journal says, before the first use, who knows what waits in the journal of webhooks.
func (e *Exposition) Journal(waiting func() (webhooks, bytes int64)) { e.standing.journal = waiting }

// Counting counts the requests of a handler. Their route is the pattern that the mux found.
func (e *Exposition) Counting(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, route := mux.Handler(r)
		begin, writer := e.deps.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		mux.ServeHTTP(writer, r)
		e.requests.WithLabelValues(route, strconv.Itoa(writer.status)).Inc()
		e.took.WithLabelValues(route).Observe(e.deps.Now().Sub(begin).Seconds())
	})
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status  int
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written {
		w.status, w.written = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController what lies below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Run computes the numbers when a scrape finds them old, and takes samples of the program's own series, until ctx ends.
func (e *Exposition) Run(ctx context.Context) error {
	var sampling sync.WaitGroup
	sampling.Go(func() { e.sample(ctx) })
	defer sampling.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		}
		if err := e.compute(ctx); err != nil && ctx.Err() == nil {
			e.deps.Log.Error("the numbers of /metrics cannot be computed", "error", err)
		}
	}
}

func (e *Exposition) sample(ctx context.Context) {
	tick := time.NewTicker(ownEvery)
	defer tick.Stop()
	failing := false
	for {
		err := e.standing.look(ctx)
		if err == nil {
			err = e.own.sample(0)
		}
		if err != nil && !failing && ctx.Err() == nil { // once, until it works again
			e.deps.Log.Error("the program's own series cannot be read", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// compute has the gauges of the windows that end now computed.
func (e *Exposition) compute(ctx context.Context) error {
	now := e.deps.Now().UTC().Truncate(time.Millisecond)
	matchers := []*labels.Matcher{labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, "")}
	if !e.cfg.ScrapeServices {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, labelService, ""))
	}
	list, err := e.source.read(ctx, plan{matchers: matchers, at: steps{now.UnixMilli(), now.UnixMilli(), 1}})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at.IsZero() {
		close(e.ready)
	}
	e.list, e.at = list, now
	return nil
}

// Describe implements client.Collector: which series there are is known when they are collected.
func (e *Exposition) Describe(chan<- *client.Desc) {}

// Collect implements client.Collector.
func (e *Exposition) Collect(ch chan<- client.Metric) {
	e.mu.Lock()
	old := e.deps.Now().Sub(e.at) >= e.cfg.ScrapeEvery
	e.mu.Unlock()
	if old {
		select {
		case e.wake <- struct{}{}:
		default:
		}
		select {
		case <-e.ready:
		case <-time.After(patience):
		}
	}
	e.mu.Lock()
	list, at := e.list, e.at
	e.mu.Unlock()
	if at.IsZero() {
		return
	}
	ch <- client.MustNewConstMetric(client.NewDesc("cairn_metrics_computed_timestamp_seconds", "When the numbers of the organisation were computed", nil, nil), client.GaugeValue, float64(at.UnixMilli())/1000)
	help, kinds := map[string]string{}, map[string]client.ValueType{}
	for _, f := range families() {
		help[f.name], kinds[f.name] = f.help, client.GaugeValue
		if f.kind == "counter" {
			kinds[f.name] = client.CounterValue
		}
	}
	for _, series := range list {
		var names, values []string
		family := ""
		series.labels.Range(func(l labels.Label) {
			if l.Name == model.MetricNameLabel {
				family = l.Value
				return
			}
			names, values = append(names, l.Name), append(values, l.Value)
		})
		m, err := client.NewConstMetric(client.NewDesc(family, help[family], names, nil), kinds[family], series.points[0].value, values...)
		if err != nil {
			m = client.NewInvalidMetric(client.NewDesc(family, help[family], names, nil), err)
		}
		ch <- m
	}
}
