package prometheus

import (
	"context"
	"slices"
	"sync"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"cairn/metrics"
)

// Samples of the program's own series are taken this far apart, and kept in memory so long. A value is that of the
// latest sample, unless that is older than ownStale.
const (
	ownEvery = 15 * time.Second
	ownKept  = 6 * time.Hour
	ownStale = time.Minute
)

// own are the program's own series since it started, for who asks the query API for them and has nothing that scrapes.
type own struct {
	registry *client.Registry
	now      func() time.Time

	mu     sync.Mutex
	list   map[string]*one
	latest time.Time
	told   map[string]family
}

func newOwn(registry *client.Registry, now func() time.Time) *own {
	return &own{registry: registry, now: now, list: map[string]*one{}, told: map[string]family{}}
}

// sample takes a sample of each series, unless the latest is no older than that.
func (o *own) sample(older time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if !o.latest.IsZero() && now.Sub(o.latest) < max(older, time.Millisecond) {
		return nil
	}
	families, err := o.registry.Gather()
	if err != nil {
		return err
	}
	vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(now.UnixNano())}, families...)
	if err != nil {
		return err
	}
	o.latest = now
	for _, f := range families {
		kinds := map[string]string{"COUNTER": "counter", "GAUGE": "gauge", "HISTOGRAM": "histogram", "SUMMARY": "summary"}
		o.told[f.GetName()] = family{name: f.GetName(), kind: kinds[f.GetType().String()], help: f.GetHelp()}
	}
	for _, s := range vector {
		b := labels.NewScratchBuilder(len(s.Metric))
		for name, value := range s.Metric {
			b.Add(string(name), string(value))
		}
		b.Sort()
		set := b.Labels()
		key := set.String()
		if o.list[key] == nil {
			o.list[key] = &one{labels: set}
		}
		o.list[key].points = append(o.list[key].points, point{now.UnixMilli(), float64(s.Value)})
	}
	oldest := now.Add(-ownKept).UnixMilli()
	for key, series := range o.list {
		n, _ := slices.BinarySearchFunc(series.points, oldest, func(p point, at int64) int { return int(p.at - at) })
		if series.points = series.points[n:]; len(series.points) == 0 {
			delete(o.list, key)
		}
	}
	return nil
}

// selected are the series that matchers allow, without samples.
func (o *own) selected(matchers []*labels.Matcher) []labels.Labels {
	_ = o.sample(ownEvery) // what could be read before is there; a collector that fails is told by /metrics
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []labels.Labels
	for _, series := range o.list {
		if fits(series.labels, matchers) {
			list = append(list, series.labels)
		}
	}
	return list
}

func fits(set labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(set.Get(m.Name)) {
			return false
		}
	}
	return true
}

// read gives the samples of a plan. Who asks about the present gets the present.
func (o *own) read(p plan) []one {
	if p.at.count() == 0 {
		return nil
	}
	if p.at.last >= o.now().Add(-ownEvery).UnixMilli() {
		_ = o.sample(time.Second) // see selected
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []one
	for _, series := range o.list {
		if !fits(series.labels, p.matchers) {
			continue
		}
		if points := valuesOf(series.points, p); len(points) > 0 {
			list = append(list, one{series.labels, points})
		}
	}
	return list
}

// valuesOf are what a plan reads of samples: those in its ranges themselves, or at each instant the latest value.
func valuesOf(all []point, p plan) []point {
	behind := func(t int64) int { // how many samples are no later
		n, _ := slices.BinarySearchFunc(all, t+1, func(p point, at int64) int { return int(p.at - at) })
		return n
	}
	if p.span > 0 {
		return slices.Clone(all[behind(p.at.first-p.span):behind(p.at.last)])
	}
	var list []point
	for t := p.at.first; t <= p.at.last; t += p.at.step {
		if n := behind(t); n > 0 && all[n-1].at > t-ownStale.Milliseconds() {
			list = append(list, point{t, all[n-1].value})
		}
	}
	return list
}

// described are the families, for metadata.
func (o *own) described() []family {
	_ = o.sample(ownEvery) // see selected
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []family
	for _, f := range o.told {
		list = append(list, f)
	}
	return list
}

// standing tells of what stands somewhere else in the program: how far behind the collectors and attribution are, and
// what waits in the journal.
type standing struct {
	engine  *metrics.Engine
	now     func() time.Time
	journal func() (webhooks, bytes int64) // nil: there is none

	mu   sync.Mutex
	lags []metrics.SourceLag // as they were found last
}

// look finds out how far behind the collectors are.
func (s *standing) look(ctx context.Context) error {
	lags, err := s.engine.SourceLags(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lags = lags
	return nil
}

// Describe implements client.Collector: which series there are is known when they are collected.
func (s *standing) Describe(chan<- *client.Desc) {}

// Collect implements client.Collector.
func (s *standing) Collect(ch chan<- client.Metric) {
	gauge := func(name, help string, value float64, pairs ...string) {
		var names, values []string
		for i := 0; i < len(pairs); i += 2 {
			names, values = append(names, pairs[i]), append(values, pairs[i+1])
		}
		m, err := client.NewConstMetric(client.NewDesc(name, help, names, nil), client.GaugeValue, value, values...)
		if err != nil {
			m = client.NewInvalidMetric(client.NewDesc(name, help, names, nil), err)
		}
		ch <- m
	}
	now := s.now()
	if at := s.engine.CaughtUp(); !at.IsZero() {
		gauge("cairn_attribution_lag_seconds", "Seconds since an instant of which everything stored before is in the numbers", max(0, now.Sub(at).Seconds()))
	}
	if s.journal != nil {
		webhooks, bytes := s.journal()
		gauge("cairn_webhook_journal_entries", "Webhooks in the journal that the store does not have yet", float64(webhooks))
		gauge("cairn_webhook_journal_bytes", "Bytes of the webhooks in the journal that the store does not have yet", float64(bytes))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lags {
		if l.ReadAt != nil {
			gauge("cairn_source_lag_seconds", "Seconds since the list of this kind that was read longest ago was read without an error; those that are gone or denied left out",
				max(0, now.Sub(*l.ReadAt).Seconds()), "source", l.Source, "kind", l.Kind)
		}
		for _, outcome := range metrics.StreamOutcomes() {
			gauge("cairn_source_streams", "Lists that are read, by the outcome of the latest turn", float64(l.Outcomes[outcome]), "source", l.Source, "kind", l.Kind, "outcome", outcome)
		}
	}
}
