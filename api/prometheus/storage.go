package prometheus

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"golang.org/x/sync/errgroup"

	"cairn/internal/fault"
	"cairn/metrics"
)

// ahead is how far in the future a sample may lie: clocks differ, and so much a value is looked back for.
const ahead = 5 * time.Minute

// parallel is how many questions of a selector are computed at once, windowsAtOnce how many windows one of them has.
const (
	parallel      = 2
	windowsAtOnce = 120
)

// source makes series of the engine's answers.
type source struct {
	cfg    Config
	engine *metrics.Engine
	now    func() time.Time
	own    *own // the program's own series; nil: they are not asked for
}

// point is one sample.
type point struct {
	at    int64 // milliseconds since 1970
	value float64
}

// one is a series.
type one struct {
	labels labels.Labels
	points []point
}

// wanted is what the matchers of a selector leave of the families and of what their labels can be.
type wanted struct {
	matchers     []*labels.Matcher
	gauges       []wantedGauge
	deployments  bool // the counter
	incidents    bool // the counter
	info         bool
	own          []labels.Labels
	environments []string
	windows      []windowLength
	inventory    metrics.Inventory
	organisation bool
	teams        []string
	services     []string
	series       int // how many there can be
}

type wantedGauge struct {
	gauge
	value, samples bool
}

// matches says whether every matcher on a label allows a value.
func matches(matchers []*labels.Matcher, label, value string) bool {
	for _, m := range matchers {
		if m.Name == label && !m.Matches(value) {
			return false
		}
	}
	return true
}

// none says whether the matchers allow that none of the labels is there, beyond those that are known.
func none(matchers []*labels.Matcher, known ...string) bool {
	for _, m := range matchers {
		if !slices.Contains(known, m.Name) && !m.Matches("") {
			return false
		}
	}
	return true
}

// want reads the matchers of a selector.
func (s *source) want(ctx context.Context, matchers []*labels.Matcher) (wanted, error) {
	w := wanted{matchers: matchers}
	if s.own != nil {
		w.own = s.own.selected(matchers)
		w.series = len(w.own)
	}
	known := []string{model.MetricNameLabel, labelTeam, labelService, labelEnvironment, labelWindow, labelStatistic, labelCapability}
	if !none(matchers, known...) {
		return w, nil
	}
	var err error
	if w.inventory, err = s.engine.Inventory(ctx); err != nil {
		return w, err
	}
	w.organisation = matches(matchers, labelTeam, "") && matches(matchers, labelService, "")
	if matches(matchers, labelService, "") {
		for _, team := range w.inventory.Teams {
			if matches(matchers, labelTeam, team) {
				w.teams = append(w.teams, team)
			}
		}
	}
	for _, service := range w.inventory.Services {
		if matches(matchers, labelService, service.Service) && matches(matchers, labelTeam, "") {
			w.services = append(w.services, service.Service)
		}
	}
	for _, environment := range s.environments(matchers) {
		if matches(matchers, labelEnvironment, environment) {
			w.environments = append(w.environments, environment)
		}
	}
	for _, length := range windows() {
		if matches(matchers, labelWindow, length.label) {
			w.windows = append(w.windows, length)
		}
	}
	noGaugeLabels := none(matchers, model.MetricNameLabel, labelTeam, labelService, labelEnvironment)
	if w.deployments = noGaugeLabels && matches(matchers, model.MetricNameLabel, deploymentsTotal) && matches(matchers, labelTeam, ""); w.deployments {
		w.series += len(w.services) * len(w.environments)
	}
	if w.incidents = noGaugeLabels && matches(matchers, model.MetricNameLabel, incidentsTotal) && matches(matchers, labelTeam, "") && matches(matchers, labelEnvironment, ""); w.incidents {
		w.series += len(w.services)
	}
	if w.info = noGaugeLabels && matches(matchers, model.MetricNameLabel, ownerInfo) && matches(matchers, labelEnvironment, ""); w.info {
		w.series += len(w.inventory.Services)
	}
	for _, g := range gauges() {
		one := wantedGauge{g, matches(matchers, model.MetricNameLabel, g.name), matches(matchers, model.MetricNameLabel, samplesOf(g.name))}
		if !one.value && !one.samples || !s.possible(one.gauge, matchers) {
			continue
		}
		w.gauges = append(w.gauges, one)
		w.series += s.seriesOf(one, w)
	}
	return w, nil
}

// environments are the configured ones, and one that is asked for by name.
func (s *source) environments(matchers []*labels.Matcher) []string {
	list := slices.Clone(s.cfg.Environments)
	for _, m := range matchers {
		if m.Name == labelEnvironment && m.Type == labels.MatchEqual && m.Value != "" && !slices.Contains(list, m.Value) {
			list = append(list, m.Value)
		}
	}
	return list
}

// possible says whether a family can have a series with the labels asked for.
func (s *source) possible(g gauge, matchers []*labels.Matcher) bool {
	switch {
	case !g.environment && !matches(matchers, labelEnvironment, ""):
		return false
	case len(g.statistics) == 0 && !matches(matchers, labelStatistic, ""):
		return false
	case !g.capability && !matches(matchers, labelCapability, ""):
		return false
	}
	return true
}

// seriesOf is how many series of a family there can be.
func (s *source) seriesOf(g wantedGauge, w wanted) int {
	n := 0
	if w.organisation {
		n++
	}
	if !g.people {
		n += len(w.teams) + len(w.services)
	}
	n *= len(w.windows)
	if g.environment {
		n *= len(w.environments)
	}
	if g.capability {
		n *= 1 + len(s.engine.Capabilities())
	}
	families := 0
	if g.value {
		families += max(1, len(g.statistics))
	}
	if g.samples {
		families++
	}
	return n * families
}

// collection gathers series while questions are answered.
type collection struct {
	mu   sync.Mutex
	of   map[string]*one
	want []*labels.Matcher
}

// add adds samples to the series of the labels, given in pairs; those with no value are left out. A series that the
// matchers do not allow is not there.
func (c *collection) add(points []point, pairs ...string) {
	b := labels.NewScratchBuilder(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.Add(pairs[i], pairs[i+1])
		}
	}
	b.Sort()
	set := b.Labels()
	for _, m := range c.want {
		if !m.Matches(set.Get(m.Name)) {
			return
		}
	}
	key := set.String()
	c.mu.Lock()
	defer c.mu.Unlock()
	series := c.of[key]
	if series == nil {
		series = &one{labels: set}
		c.of[key] = series
	}
	series.points = append(series.points, points...)
}

// read computes the series of a plan.
func (s *source) read(ctx context.Context, p plan) ([]one, error) {
	w, err := s.want(ctx, p.matchers)
	if err != nil {
		return nil, err
	}
	if w.series > s.cfg.MaxSeries {
		return nil, fault.New(fault.TooLarge, "the selector can have %d series, more than the %d that max_series allows: name a metric, and narrow team, service, window or statistic", w.series, s.cfg.MaxSeries)
	}
	latest := s.now().Add(ahead).UnixMilli()
	c := &collection{of: map[string]*one{}, want: p.matchers}
	if len(w.own) > 0 {
		for _, series := range s.own.read(p) {
			c.of[series.labels.String()] = &series
		}
	}
	if w.deployments || w.incidents {
		if err := s.counters(ctx, c, w, p, latest); err != nil {
			return nil, err
		}
	}
	if len(w.gauges) > 0 || w.info {
		instants, ok := p.instants(latest, s.cfg.MaxInstants)
		if !ok {
			return nil, fault.New(fault.TooLarge, "the selector is read at more instants than the %d that max_instants allows: ask for a larger step or a shorter span", s.cfg.MaxInstants)
		}
		if w.info {
			owners(c, w, instants)
		}
		if err := s.gauges(ctx, c, w, instants); err != nil {
			return nil, err
		}
	}
	list := make([]one, 0, len(c.of))
	for _, series := range c.of {
		sort.Slice(series.points, func(i, j int) bool { return series.points[i].at < series.points[j].at })
		list = append(list, *series)
	}
	slices.SortFunc(list, func(a, b one) int { return labels.Compare(a.labels, b.labels) })
	return list, nil
}

// gauges asks for each window of each family, of the organisation, of teams and of services.
func (s *source) gauges(ctx context.Context, c *collection, w wanted, instants []int64) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, g := range w.gauges {
		environments := []string{""}
		if g.environment {
			environments = w.environments
		}
		for _, environment := range environments {
			for _, length := range w.windows {
				for part := range slices.Chunk(instants, windowsAtOnce) {
					for by, whose := range map[string][]string{"": nil, metrics.GroupByTeam: w.teams, metrics.GroupByService: w.services} {
						if by == "" && !w.organisation || by != "" && (g.people || len(whose) == 0) {
							continue
						}
						group.Go(func() error { return s.ask(ctx, c, g, environment, length, part, by, s.only(w, by, whose)) })
					}
				}
			}
		}
	}
	return group.Wait()
}

// only is nil where everybody is asked about.
func (s *source) only(w wanted, by string, whose []string) []string {
	if by == metrics.GroupByTeam && len(whose) == len(w.inventory.Teams) || by == metrics.GroupByService && len(whose) == len(w.inventory.Services) {
		return nil
	}
	return whose
}

// ask computes a family for one window at several instants: what the API answers for the window that ends at each.
func (s *source) ask(ctx context.Context, c *collection, g wantedGauge, environment string, length windowLength, instants []int64, by string, only []string) error {
	list := make([]metrics.Window, len(instants))
	for i, at := range instants {
		to := time.UnixMilli(at).UTC()
		list[i] = metrics.Window{From: to.Add(-length.length), To: to, Zone: time.UTC}
	}
	request := metrics.Request{Metric: g.metric, Environment: environment, GroupBy: by}
	capabilities := []string{""}
	var all [][]metrics.Result
	var err error
	if g.capability {
		capabilities = append(capabilities, s.engine.Capabilities()...)
		all, err = s.engine.AdoptionWindows(ctx, request, list, only)
	} else {
		var answers []metrics.Result
		answers, err = s.engine.Windows(ctx, request, list, only)
		for i := range answers {
			all = append(all, answers[i:i+1])
		}
	}
	if fault.KindOf(err) == fault.NotFound && g.people { // a survey without such a question: no data, of its windows
		if len(instants) == 1 {
			return nil
		}
		for i := range instants {
			if err := s.ask(ctx, c, g, environment, length, instants[i:i+1], by, only); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	for i, at := range instants {
		for j, capability := range capabilities {
			res := all[i][j]
			if by == "" {
				s.tell(c, g, at, res.Value, res.N, res.Flags, res.Parts, labelEnvironment, environment, labelWindow, length.label, labelCapability, capability)
				continue
			}
			for _, one := range res.Groups {
				s.tell(c, g, at, one.Value, one.N, one.Flags, one.Parts, by, one.Key, labelEnvironment, environment, labelWindow, length.label, labelCapability, capability)
			}
		}
	}
	return nil
}

// tell adds what an answer says. No data and what is suppressed is no sample.
func (s *source) tell(c *collection, g wantedGauge, at int64, value, n any, flags []string, parts map[string]any, pairs ...string) {
	if slices.Contains(flags, metrics.FlagNotDeployed) || slices.Contains(flags, metrics.FlagSuppressed) {
		return
	}
	scale := g.scale
	if scale == 0 {
		scale = 1
	}
	found := false
	if len(g.statistics) == 0 {
		if v, ok := number(value); ok {
			found = true
			if g.value {
				c.add([]point{{at, v * scale}}, append(slices.Clone(pairs), model.MetricNameLabel, g.name)...)
			}
		}
	}
	for _, statistic := range g.statistics {
		if v, ok := number(parts[statistic]); ok {
			found = true
			if g.value {
				c.add([]point{{at, v * scale}}, append(slices.Clone(pairs), model.MetricNameLabel, g.name, labelStatistic, statistic)...)
			}
		}
	}
	if size, ok := number(n); ok && g.samples && (found || size > 0) {
		c.add([]point{{at, size}}, append(slices.Clone(pairs), model.MetricNameLabel, samplesOf(g.name))...)
	}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// owners adds who owns which service now.
func owners(c *collection, w wanted, instants []int64) {
	for _, service := range w.inventory.Services {
		for _, team := range service.Owners {
			for _, at := range instants {
				c.add([]point{{at, 1}}, model.MetricNameLabel, ownerInfo, labelService, service.Service, labelTeam, team)
			}
		}
	}
}

// counters adds the deployments and the incidents so far of each service. They begin at 0 right before the first one. For a range there are
// samples at each of them and at both ends of what is read, so that an increase has lost nothing.
func (s *source) counters(ctx context.Context, c *collection, w wanted, p plan, latest int64) error {
	n := p.at.count()
	if n == 0 || len(w.services) == 0 {
		return nil
	}
	if n > 11_000 {
		return fault.New(fault.TooLarge, "the selector is read at %d instants, more than 11000: ask for a larger step or a shorter span", n)
	}
	from, to := p.at.first-p.span, min(p.at.last, latest)
	if to < from {
		return nil
	}
	only := s.only(w, metrics.GroupByService, w.services)
	since, until := time.UnixMilli(from+1).UTC(), time.UnixMilli(to+1).UTC()
	add := func(list []metrics.Instants, pairs ...string) {
		for _, d := range list {
			if points := counted(d, p, latest); len(points) > 0 && d.Service != "" {
				c.add(points, append(slices.Clone(pairs), labelService, d.Service)...)
			}
		}
	}
	if w.incidents {
		list, err := s.engine.IncidentInstants(ctx, only, since, until)
		if err != nil {
			return err
		}
		add(list, model.MetricNameLabel, incidentsTotal)
	}
	if !w.deployments {
		return nil
	}
	for _, environment := range w.environments {
		list, err := s.engine.DeploymentInstants(ctx, only, environment, since, until)
		if err != nil {
			return err
		}
		add(list, model.MetricNameLabel, deploymentsTotal, labelEnvironment, environment)
	}
	return nil
}

// counted are the samples of one service's counter that a plan reads.
func counted(d metrics.Instants, p plan, latest int64) []point {
	at := make([]int64, len(d.At))
	for i, t := range d.At {
		at[i] = t.UnixMilli()
	}
	begin := d.First.UnixMilli() - 1
	so := func(t int64) float64 { // how many there were at an instant
		n, _ := slices.BinarySearch(at, t+1)
		return float64(d.Earlier) + float64(n)
	}
	var instants []int64
	for t := p.at.first; t <= p.at.last; t += p.at.step {
		if t <= latest && t >= begin {
			instants = append(instants, t)
		}
		if p.span == 0 {
			continue
		}
		lower := t - p.span + 1
		if lower >= begin && lower <= latest {
			instants = append(instants, lower)
		} else if begin > lower && begin <= t {
			instants = append(instants, begin)
		}
		first, _ := slices.BinarySearch(at, lower)
		if p.at.step < p.span && len(instants) > 0 && t != p.at.first {
			first, _ = slices.BinarySearch(at, t-p.at.step+1) // those before were there at the step before
		}
		for _, x := range at[first:] {
			if x > t {
				break
			}
			instants = append(instants, x)
		}
	}
	slices.Sort(instants)
	instants = slices.Compact(instants)
	points := make([]point, len(instants))
	for i, t := range instants {
		points[i] = point{t, so(t)}
	}
	return points
}

// queryable answers the selectors of one query, in the order of their plans.
type queryable struct {
	*source
	mu    sync.Mutex
	plans []plan
}

// Querier implements storage.Queryable.
func (q *queryable) Querier(_, _ int64) (storage.Querier, error) { return &querier{q}, nil }

type querier struct{ *queryable }

// Select implements storage.Querier.
func (q *querier) Select(ctx context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	q.mu.Lock()
	if len(q.plans) == 0 || !same(q.plans[0].matchers, matchers) {
		q.mu.Unlock()
		return storage.ErrSeriesSet(fault.New(fault.Internal, "a selector was not foreseen: %v", matchers))
	}
	next := q.plans[0]
	q.plans = q.plans[1:]
	q.mu.Unlock()
	list, err := q.read(ctx, next)
	if err != nil {
		return storage.ErrSeriesSet(err)
	}
	return &set{list: list, i: -1}
}

func same(a, b []*labels.Matcher) bool {
	return slices.EqualFunc(a, b, func(x, y *labels.Matcher) bool { return x.String() == y.String() })
}

// LabelValues implements storage.Querier. The engine does not ask.
func (q *querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.Querier. The engine does not ask.
func (q *querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.Querier.
func (q *querier) Close() error { return nil }

// set is a list of series as the engine reads it.
type set struct {
	list []one
	i    int
}

func (s *set) Next() bool                        { s.i++; return s.i < len(s.list) }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

func (s *set) At() storage.Series {
	series := s.list[s.i]
	return &storage.SeriesEntry{Lset: series.labels, SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator {
		return storage.NewListSeriesIterator(samples(series.points))
	}}
}

// described is a series without samples, for lists of what there is.
func (w wanted) described(s *source) []labels.Labels {
	c := &collection{of: map[string]*one{}, want: w.matchers}
	for _, service := range w.services {
		if w.deployments {
			for _, environment := range w.environments {
				c.add([]point{{}}, model.MetricNameLabel, deploymentsTotal, labelService, service, labelEnvironment, environment)
			}
		}
		if w.incidents {
			c.add([]point{{}}, model.MetricNameLabel, incidentsTotal, labelService, service)
		}
	}
	if w.info {
		owners(c, w, []int64{0})
	}
	for _, g := range w.gauges {
		environments, capabilities := []string{""}, []string{""}
		if g.environment {
			environments = w.environments
		}
		if g.capability {
			capabilities = append(capabilities, s.engine.Capabilities()...)
		}
		parts := map[string]any{}
		for _, statistic := range g.statistics {
			parts[statistic] = 0.0
		}
		var scopes [][2]string
		if w.organisation {
			scopes = append(scopes, [2]string{labelTeam, ""})
		}
		if !g.people {
			for _, team := range w.teams {
				scopes = append(scopes, [2]string{labelTeam, team})
			}
			for _, service := range w.services {
				scopes = append(scopes, [2]string{labelService, service})
			}
		}
		for _, scope := range scopes {
			for _, environment := range environments {
				for _, length := range w.windows {
					for _, capability := range capabilities {
						s.tell(c, g, 0, 0.0, int64(0), nil, parts, scope[0], scope[1], labelEnvironment, environment, labelWindow, length.label, labelCapability, capability)
					}
				}
			}
		}
	}
	list := slices.Clone(w.own)
	for _, series := range c.of {
		list = append(list, series.labels)
	}
	slices.SortFunc(list, labels.Compare)
	return list
}

// samples are points as the engine reads them.
type samples []point

func (s samples) Len() int                { return len(s) }
func (s samples) Get(i int) chunks.Sample { return s[i] }

func (p point) T() int64                      { return p.at }
func (p point) ST() int64                     { return 0 }
func (p point) F() float64                    { return p.value }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }
