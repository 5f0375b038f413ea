// Package metrics says what the facts mean: it is the one place where a metric is computed, for the terminal, the API,
// dashboards, exports and mails alike. Attribution (the packages below) has put the facts in order; a metric here is a
// row in a table and a SQL file that answers its question. Nothing is shown without its sample size, and no data is
// null, never 0.
package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics/derive"
)

// Config holds the parameters of the definitions.
type Config struct {
	Attribution     derive.Config `yaml:"attribution"`
	IncludeBots     bool          `yaml:"include_bots_in_lead_time"`
	FirstDeployment string        `yaml:"time_to_first_deployment_start"` // created_at or idea_at
	TrackingSince   time.Time     `yaml:"tracking_since"`
	AnonymityK      int           `yaml:"anonymity_k"`
	SignalTTL       time.Duration `yaml:"adoption_signal_ttl"`
	TeamThreshold   float64       `yaml:"team_adoption_threshold"`
	Capabilities    []string      `yaml:"capabilities"`
	CatchUpPatience time.Duration `yaml:"catch_up_patience"`
	AnswersKept     time.Duration `yaml:"answers_kept"` // how old an answer may be while no facts arrive; 0 is none
}

// DefaultConfig returns the parameters of the published definitions.
func DefaultConfig() Config {
	return Config{
		Attribution:     derive.DefaultConfig(),
		FirstDeployment: "created_at",
		AnonymityK:      5,
		SignalTTL:       30 * 24 * time.Hour,
		TeamThreshold:   0.5,
		Capabilities:    []string{"catalogue", "provisioning", "cicd", "observability", "docs"},
		CatchUpPatience: time.Minute,
		AnswersKept:     20 * time.Second,
	}
}

// leastK is the smallest group that is ever shown, whatever the configuration says.
const leastK = 3

// Validate names the first parameter that cannot be.
func (c *Config) Validate() error {
	switch {
	case c.FirstDeployment != "created_at" && c.FirstDeployment != "idea_at":
		return fault.New(fault.Invalid, "time_to_first_deployment_start is %q: expected created_at or idea_at", c.FirstDeployment)
	case c.AnonymityK < leastK:
		return fault.New(fault.Invalid, "anonymity_k is %d: expected %d or more", c.AnonymityK, leastK)
	case c.SignalTTL <= 0:
		return fault.New(fault.Invalid, "adoption_signal_ttl is %s: expected a duration above 0", c.SignalTTL)
	case c.AnswersKept < 0:
		return fault.New(fault.Invalid, "answers_kept is %s: expected a duration of 0 or more", c.AnswersKept)
	case c.TeamThreshold <= 0 || c.TeamThreshold > 1:
		return fault.New(fault.Invalid, "team_adoption_threshold is %v: expected a share above 0, up to 1", c.TeamThreshold)
	}
	if err := c.Attribution.Validate(); err != nil {
		return fault.Wrap(fault.Invalid, err, "attribution")
	}
	return nil
}

// Engine answers requests for metrics.
type Engine struct {
	cfg     Config
	st      *store.Store
	derive  *derive.Deriver
	now     func() time.Time
	queries queries
	list    []Definition
	kept    kept
	fresh   freshness

	// Computed, where it is set, is told how long an answer took that was not kept. It must not block.
	Computed func(metric string, took time.Duration)
}

// computed tells how long an answer took from begin on.
func (e *Engine) computed(metric string, begin time.Time) {
	if e.Computed != nil {
		e.Computed(metric, e.now().Sub(begin))
	}
}

// New returns an engine over a store. now is the clock.
func New(cfg Config, st *store.Store, now func() time.Time, log *slog.Logger) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d, err := derive.New(cfg.Attribution, st, log)
	if err != nil {
		return nil, err
	}
	d.Now = now
	return &Engine{cfg: cfg, st: st, derive: d, now: now, queries: loadQueries(), list: catalogue()}, nil
}

// Run keeps attribution up to date until ctx ends: whenever wake receives, and now and then besides.
func (e *Engine) Run(ctx context.Context, wake <-chan struct{}) error {
	return e.derive.Run(ctx, wake, 30*time.Second)
}

// Feed returns what to call after facts were stored, before whoever sent them is told so. Whoever calls Feed answers
// for it that no fact is stored without that call; requests then look for new facts only when there are some.
func (e *Engine) Feed() (arrived func()) { return e.derive.Feed() }

// CatchUp takes everything into the numbers that was stored before the call.
func (e *Engine) CatchUp(ctx context.Context) error { return e.derive.CatchUp(ctx) }

// CaughtUp is an instant of which everything stored before is in the numbers; zero for none yet. Run moves it on every
// half a minute or so, whether there are facts or not.
func (e *Engine) CaughtUp() time.Time { return e.derive.CaughtUp() }

// Rebuild derives everything anew from the facts.
func (e *Engine) Rebuild(ctx context.Context) error {
	e.derive.Forget()
	return e.derive.CatchUp(ctx)
}

// Catalogue lists the metrics.
func (e *Engine) Catalogue() []Definition { return slices.Clone(e.list) }

// Find gives a metric's definition. Errors are fault.NotFound and name the nearest metrics.
func (e *Engine) Find(id string) (Definition, error) {
	for _, d := range e.list {
		if d.ID == id {
			return d, nil
		}
	}
	return Definition{}, fault.New(fault.NotFound, "there is no metric %q; there are: %s", id, strings.Join(e.names(), ", "))
}

func (e *Engine) names() []string {
	var ids []string
	for _, d := range e.list {
		ids = append(ids, d.ID)
	}
	return ids
}

// question is a request with everything resolved that its queries need.
type question struct {
	Request
	ctx      context.Context
	def      Definition
	teams    []string                 // in scope, those below the asked one included; nil for any
	owned    map[string][]derive.Span // the services that those teams owned, and when
	services []string                 // that a scope can be about; nil for any
	bots     bool
	params   store.Params   // what every metric's query may use; see use
	before   bool           // this is about the window before the one that was asked for
	by       string         // what the rows of its queries are told apart by; "" for not at all
	whose    string         // whose rows they are that this is about, where they are told apart
	each     string         // of which stage or capability they are, where all of them are asked at once
	keeps    bool           // what is found for every question may be kept for the next
	found    map[string]any // see once
	windows  []Window       // that are asked for side by side; Window is then one of them, or before they are told apart the one around all
	ordinal  int            // which of them, from 1
}

// use returns the values for a query, to be completed. from and to are the window that was asked for and before the
// start of the one before it, whichever of the two a question is about: a query tells of both.
func (q *question) use() store.Params { return maps.Clone(q.params) }

// once returns what ask finds. A question, that about the window before and those about each group ask for the same
// thing once: for what concerns all of them.
func once[T any](q *question, what string, ask func() (T, error)) (T, error) {
	if known, ok := q.found[what]; ok {
		return known.(T), nil
	}
	answer, err := ask()
	if err == nil {
		q.found[what] = answer
	}
	return answer, err
}

// mine returns what ask finds for the service or team that a question is about, where rows are told apart.
func mine[T any](q *question, what string, ask func() (map[string]T, error)) (T, error) {
	all, err := once(q, grouped(what, q.by), ask)
	return all[q.whose], err
}

// Query answers a request. It brings attribution up to date first. While no facts arrive, the same request has the same
// answer for as long as answers are kept: as of when it was computed. Errors are fault.Invalid for what makes no sense
// and fault.NotFound for metrics, services and teams that do not exist.
func (e *Engine) Query(ctx context.Context, r Request) (Result, error) {
	def, r, err := e.check(r)
	if err != nil {
		return Result{}, err
	}
	return answered(ctx, e, e.key(r), func(ctx context.Context, stale bool) (Result, error) { return e.compute(ctx, def, r, stale) })
}

// Stages answers a request for the lead time once for each stage, in their order, at the price of one.
func (e *Engine) Stages(ctx context.Context, r Request) ([]Result, error) {
	r.Metric, r.Stage, r.GroupBy = "lead_time", "", ""
	return e.apart(ctx, r, Stages(), store.Params{"stages": Stages()}, func(q *question, stage string) { q.Stage = stage })
}

// Adoption answers a request for the adoption rate, and once more for each of Capabilities, in their order, at the price
// of one.
func (e *Engine) Adoption(ctx context.Context, r Request) (all Result, each []Result, err error) {
	r.Metric, r.Capability, r.GroupBy = "adoption_rate", "", ""
	list, err := e.apart(ctx, r, append([]string{""}, e.Capabilities()...), store.Params{"apart": true}, func(q *question, capability string) { q.each = capability })
	if err != nil {
		return Result{}, nil, err
	}
	return list[0], list[1:], nil
}

// apart answers a request for each of several stages or capabilities. They share what they find, all by one query with
// the given values.
func (e *Engine) apart(ctx context.Context, r Request, list []string, values store.Params, about func(q *question, one string)) ([]Result, error) {
	def, r, err := e.check(r)
	if err != nil {
		return nil, err
	}
	return answered(ctx, e, apartKey{e.key(r)}, func(ctx context.Context, stale bool) (results, error) {
		defer e.computed(r.Metric, e.now())
		q, err := e.pose(ctx, def, r)
		if err != nil {
			return nil, err
		}
		q.keeps = !stale && e.cfg.AnswersKept > 0
		maps.Copy(q.params, values)
		all := make(results, len(list))
		for i, one := range list {
			question := *q
			about(&question, one)
			if all[i], err = e.answer(&question); err != nil {
				return nil, fmt.Errorf("metrics.Query(%q), %s: %w", r.Metric, one, err)
			}
			if stale {
				all[i].Flags = append(all[i].Flags, FlagCatchingUp)
			}
		}
		return all, nil
	})
}

// compute answers a request from the store.
func (e *Engine) compute(ctx context.Context, def Definition, r Request, stale bool) (Result, error) {
	defer e.computed(r.Metric, e.now())
	q, err := e.pose(ctx, def, r)
	if err != nil {
		return Result{}, err
	}
	q.keeps = !stale && e.cfg.AnswersKept > 0
	var res Result
	if q.GroupBy != "" && q.GroupsOnly {
		res.Series = []Point{}
		e.frame(q, &res)
	} else if res, err = e.answer(q); err != nil {
		return Result{}, fmt.Errorf("metrics.Query(%q): %w", r.Metric, err)
	}
	if stale {
		res.Flags = append(res.Flags, FlagCatchingUp)
	}
	if q.GroupBy != "" {
		if res.Groups, err = e.groups(q); err != nil {
			return Result{}, fmt.Errorf("metrics.Query(%q), by %s: %w", r.Metric, q.GroupBy, err)
		}
	}
	return res, nil
}

// answer answers a question, and that about the window before.
func (e *Engine) answer(q *question) (Result, error) {
	res, err := q.def.answer(e, q)
	if err != nil {
		return Result{}, err
	}
	e.frame(q, &res)
	if !q.NoPrevious {
		before := *q
		before.Window, before.Bucket, before.NoPrevious, before.before = q.Window.Previous(), Whole, true, true
		prev, err := q.def.answer(e, &before)
		if err != nil {
			return Result{}, fmt.Errorf("window before: %w", err)
		}
		res.Previous = &Previous{Window: before.Window.JSON(), Value: prev.Value, N: prev.N, Interval: prev.Interval}
		if err := e.judge(&before, prev, res.Previous); err != nil {
			return Result{}, fmt.Errorf("window before: %w", err)
		}
	}
	return res, nil
}

// judge says of a number of deployments in the window before whether it can be compared with. Where nothing was live it is
// no 0, and where the first service came live in it, or became known, it may have counted less than there was.
func (e *Engine) judge(q *question, res Result, p *Previous) error {
	if p.Value == nil || q.def.Unit != unitDeployments && q.def.Unit != unitDeploymentsPerWeek {
		return nil
	}
	if slices.Contains(res.Flags, FlagNotDeployed) {
		p.Value = nil
		return nil
	}
	lives, err := e.lives(q)
	if err != nil {
		return err
	}
	if first, _ := lives.bounds(); first.After(q.Window.From) {
		p.Flags = []string{FlagBegan}
	}
	return nil
}

// ask brings attribution up to date and resolves a request.
func (e *Engine) ask(ctx context.Context, r Request) (*question, error) {
	def, r, err := e.check(r)
	if err != nil {
		return nil, err
	}
	if _, err := e.freshen(ctx); err != nil {
		return nil, err
	}
	return e.pose(ctx, def, r)
}

// check fills in what a request leaves to the metric, and refuses what makes no sense.
func (e *Engine) check(r Request) (Definition, Request, error) {
	def, err := e.Find(r.Metric)
	if err != nil {
		return def, r, err
	}
	if r.Window.Zone == nil || !r.Window.From.Before(r.Window.To) {
		return def, r, fault.New(fault.Invalid, "a window with from before to was expected")
	}
	if r.Statistic == "" && len(def.Statistics) > 0 {
		r.Statistic = def.Statistics[0]
	}
	if r.Statistic != "" && !slices.Contains(def.Statistics, r.Statistic) {
		if len(def.Statistics) == 0 {
			return def, r, fault.New(fault.Invalid, "%s has no statistics to choose from; %q was asked for", def.ID, r.Statistic)
		}
		return def, r, fault.New(fault.Invalid, "statistic is %q: %s has %s", r.Statistic, def.ID, strings.Join(def.Statistics, ", "))
	}
	if r.Target != "" && !def.targeted() {
		return def, r, fault.New(fault.Invalid, "%s has no target: it is about no deployments; %q was asked for", def.ID, r.Target)
	}
	if err := groupable(def, r.GroupBy); err != nil {
		return def, r, err
	}
	if r.Environment == "" {
		r.Environment = derive.Production
	}
	if now := e.now(); r.AsOf.After(now) {
		return def, r, fault.New(fault.Invalid, "as_of is %s: that has not come yet; it is %s", r.AsOf.UTC().Format(time.RFC3339Nano), now.UTC().Format(time.RFC3339Nano))
	}
	if !r.AsOf.IsZero() {
		r.AsOf = r.AsOf.UTC().Truncate(time.Millisecond)
	}
	return def, r, nil
}

// pose makes a question of a request that was checked.
func (e *Engine) pose(ctx context.Context, def Definition, r Request) (*question, error) {
	if r.AsOf.IsZero() {
		r.AsOf = e.now().UTC().Truncate(time.Millisecond)
	}
	q := &question{Request: r, ctx: ctx, def: def, bots: e.bots(r), found: map[string]any{}}
	if err := e.resolve(q); err != nil {
		return nil, err
	}
	q.params = e.params(q)
	return q, nil
}

// bots tells whether changes of machines count.
func (e *Engine) bots(r Request) bool {
	if r.IncludeBots != nil {
		return *r.IncludeBots
	}
	return e.cfg.IncludeBots
}

// freshen catches up for as long as the engine's patience lasts.
func (e *Engine) freshen(ctx context.Context) (stale bool, err error) {
	limited, cancel := context.WithTimeout(ctx, e.cfg.CatchUpPatience)
	defer cancel()
	err = e.derive.Fresh(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return true, nil
	}
	return false, err
}

// resolve finds the services and teams that a scope is about.
func (e *Engine) resolve(q *question) error {
	s := q.Scope
	set := 0
	for _, named := range []bool{s.Service != "", s.Team != "", s.Organisation} {
		if named {
			set++
		}
	}
	if set > 1 {
		return fault.New(fault.Invalid, "one of service, team and organisation was expected, not several")
	}
	switch {
	case s.Service != "":
		id, ok, err := e.derive.Service(q.ctx, s.Service)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "there is no service %q: no catalogue entry, deployment or incident names it", s.Service)
		}
		q.Scope.Service, q.services = id, []string{id}
	case s.Team != "":
		teams, ok, err := e.derive.Teams(q.ctx, s.Team)
		if err != nil {
			return err
		}
		if !ok && q.def.evidence == "answers" {
			if ok, err = e.isSurveyGroup(q); err != nil {
				return err
			}
		}
		if !ok {
			return fault.New(fault.NotFound, "there is no team %q: neither a team nor an ownership fact names it", s.Team)
		}
		return e.giveTo(q, teams)
	default:
		q.Scope.Organisation = true
	}
	return nil
}

// giveTo makes a question one about teams.
func (e *Engine) giveTo(q *question, teams []string) (err error) {
	if q.owned, err = e.derive.Ownership(q.ctx, teams); err != nil {
		return err
	}
	q.teams, q.services = teams, append([]string{}, slices.Sorted(maps.Keys(q.owned))...)
	return nil
}

// params are the values that every metric's query may use.
func (e *Engine) params(q *question) store.Params {
	services, teams := q.services, q.teams
	if services == nil {
		services = []string{}
	}
	if teams == nil {
		teams = []string{}
	}
	before := q.Window.From
	if !q.NoPrevious {
		before = q.Window.Previous().From
	}
	return store.Params{
		"environment": q.Environment, "target": q.Target, "any_service": q.services == nil, "services": services,
		"any_team": q.teams == nil, "teams": teams, "before": before.UTC(), "from": q.Window.From.UTC(), "to": q.Window.To.UTC(), "as_of": q.AsOf,
		"tz": q.Window.Zone.String(), "bucket": string(q.Bucket), "window_starts": []time.Time{}, "window_ends": []time.Time{}, "group_by": "", "statistic": q.Statistic, "stages": []string{q.Stage}, "apart": false,
		"include_bots": q.bots, "kinds": q.def.kinds, "start": e.cfg.FirstDeployment, "tracking_since": since(e.cfg.TrackingSince),
		"signal_ttl_seconds": int64(e.cfg.SignalTTL / time.Second), "team_threshold": e.cfg.TeamThreshold,
	}
}

func since(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// frame fills in what every answer says about itself.
func (e *Engine) frame(q *question, r *Result) {
	r.Metric, r.Definition, r.Unit = q.def.ID, q.def.Version, q.def.Unit
	r.Statistic, r.Scope, r.Target, r.Window, r.AsOf = q.Statistic, q.Scope, q.Target, q.Window.JSON(), q.AsOf
	if r.Bucket = q.Bucket; q.Bucket == Whole {
		r.Series = []Point{}
	}
	if q.Window.To.After(q.AsOf) {
		r.Flags = append(r.Flags, FlagPartial)
	}
	if n, ok := r.N.(int64); ok && q.def.Unit != unitDeployments {
		if n > 0 && n < 5 {
			r.Flags = append(r.Flags, FlagLowN)
		}
		if q.Statistic == StatisticP90 && n > 0 && n < 10 {
			r.Flags = append(r.Flags, FlagSmallP90)
		}
	}
	if q.def.shares && q.Window.To.After(q.AsOf.Add(-72*time.Hour)) && q.Window.From.Before(q.AsOf) {
		r.Flags = append(r.Flags, FlagProvisional)
	}
	if r.Flags == nil {
		r.Flags = []string{}
	}
}

// number is a value for JSON: null for none.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}

// spans are the buckets of a question; the whole window as one where it asks for none.
func (q *question) spans() ([]Span, error) {
	if q.Bucket == Whole {
		return []Span{{From: q.Window.From, To: q.Window.To, Key: q.whole()}}, nil
	}
	return once(q, "spans", func() ([]Span, error) { return q.Window.Spans(q.Bucket) })
}

// The buckets that stand for windows: the one that was asked for, and the one before it. See fragments/buckets.sql.
var (
	theWindow    = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	windowBefore = time.Date(1900, 1, 2, 0, 0, 0, 0, time.UTC)
)

// whole is the bucket that stands for the question's window.
func (q *question) whole() time.Time {
	if q.ordinal > 0 {
		return firstOfWindows.AddDate(0, 0, q.ordinal-1)
	}
	if q.before {
		return windowBefore
	}
	return theWindow
}

// point starts a bucket's entry in a series.
func (q *question) point(s Span) Point {
	return Point{
		From: local(s.From, q.Window.Zone), To: local(s.To, q.Window.Zone), Label: s.Label,
		Partial: !s.From.After(q.AsOf) && q.AsOf.Before(s.To),
	}
}
