package reports

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn/internal/fault"
	"cairn/metrics"
	"cairn/metrics/words"
)

// usual is how many weeks before the reported one say what is usual, and least how many of them need a value.
const (
	usual = 8
	least = 4
)

// Report is the week of a team, or of the organisation, in the words of every form of the mail.
type Report struct {
	Team, Name string // Team is "" for the organisation
	Week       Week
	Zone       *time.Location
	AsOf       time.Time
	Page       string // the team's page
	Lede       []string
	Numbers    []Number
	Minor      []Number
	Moved      *Moved
	Incidents  []Line
	Waiting    []Line
	News       []Line
	Restated   []Line
	Suggestion string
	Empty      bool // nothing is known that could be told

	told map[string]numbers // what this mail tells, of this week and of those that changed
}

// Line is one thing to read, with the page that says more.
type Line struct{ Name, Text, URL string }

// Number is a metric in the week.
type Number struct {
	Metric, Title, Statistic string
	Value, Missing           string // one of them is set
	N, Period                string
	Change                   words.Change // against the week before
	Usual                    words.Change // against the weeks before
	Notes                    []string
	URL                      string
	Chart                    []*float64 // a value a bucket, the reported one last
	ChartWords               string
}

// Moved is what moved most against what is usual, and what is behind it.
type Moved struct {
	metric    string
	Text, URL string
	Why       []Line
}

// numbers are what a mail told of a week, by metric.
type numbers map[string]told

type told struct {
	Value *float64 `json:"value"`
	N     int64    `json:"n"`
	Open  bool     `json:"open,omitempty"` // too few had ended for a value
}

// the numbers of a report, the first five large.
func large() []string {
	return []string{"time_to_first_deployment_service", "deployments_per_week", "lead_time", "adoption_rate", "csat"}
}

func small() []string { return []string{"change_failure_rate", "failed_deployment_recovery"} }

// answers are what the engine says of one number.
type answers struct {
	def    metrics.Definition
	week   metrics.Result // of the week, or the year for what is rare; with the window before
	before metrics.Result // of the weeks before, by week
}

// parallel is how many questions of one report are asked at a time.
const parallel = 4

// write composes the report about a team's week; team "" is the organisation. Errors are fault.NotFound for a team that
// does not exist and fault.Invalid for a week that is not over.
func (r *Reports) write(ctx context.Context, team string, week Week) (Report, error) {
	rep := Report{Team: team, Name: r.cfg.Pages.Title, Week: week, told: map[string]numbers{}}
	zone := r.cfg.Pages.TimeZone
	if team != "" {
		t, err := r.deps.Engine.Team(ctx, team)
		if err != nil {
			return rep, err
		}
		rep.Name, zone = cmp.Or(t.Name, team), cmp.Or(t.TimeZone, zone)
	}
	var err error
	if rep.Zone, err = r.zone(zone); err != nil {
		return rep, err
	}
	own, err := week.window(1, rep.Zone)
	if err != nil {
		return rep, err
	}
	if now := r.deps.Now(); own.To.After(now) {
		return rep, fault.New(fault.Invalid, "week %s is not over: the last one that is, is %s", week, Last(now, rep.Zone))
	}
	c := composer{Reports: r, rep: &rep, week: own, scope: metrics.Scope{Team: team}}
	if err := c.ask(ctx); err != nil {
		return rep, fmt.Errorf("reports: %s, %s: %w", cmp.Or(team, "organisation"), week, err)
	}
	c.compose()
	mailed, err := r.mails.mailed(ctx, team, week)
	if err != nil {
		return rep, err
	}
	c.restate(mailed)
	return rep, nil
}

// zone finds a time zone; one that a team was given and nobody knows does not keep its mail back.
func (r *Reports) zone(name string) (*time.Location, error) {
	zone, err := metrics.ParseZone(name)
	if err != nil {
		return metrics.ParseZone(r.cfg.Pages.TimeZone)
	}
	return zone, nil
}

// composer makes one report.
type composer struct {
	*Reports
	rep   *Report
	week  metrics.Window
	scope metrics.Scope

	numbers   []answers
	stages    []metrics.Result
	count     metrics.Result // deployment_count
	waitingN  metrics.Result
	byService metrics.Result // deployments of the week
	adoption  []metrics.Result
	survey    metrics.Result // csat of this week alone
	changes   metrics.ChangeList
	failures  metrics.DeploymentList
	incidents metrics.IncidentList
	waiting   metrics.ChangeList
	services  metrics.ServiceList
}

func (c *composer) ask(ctx context.Context) error {
	before, err := c.rep.Week.plus(-1).window(usual, c.rep.Zone)
	if err != nil {
		return err
	}
	year, err := c.rep.Week.year(c.rep.Zone)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	engine := c.deps.Engine
	query := func(to *metrics.Result, r metrics.Request) {
		g.Go(func() (err error) {
			*to, err = engine.Query(ctx, r)
			return err
		})
	}
	ids := append(large(), small()...)
	c.numbers = make([]answers, len(ids))
	for i, id := range ids {
		a := &c.numbers[i]
		if a.def, err = engine.Find(id); err != nil {
			return err
		}
		if words.Rare(a.def) {
			bucket := metrics.Quarter
			if a.def.Evidence() == "answers" || a.def.Evidence() == "people" {
				bucket = metrics.Whole // waves have no buckets
			}
			query(&a.week, metrics.Request{Metric: id, Scope: c.scope, Window: year, Bucket: bucket})
			continue
		}
		query(&a.week, metrics.Request{Metric: id, Scope: c.scope, Window: c.week})
		query(&a.before, metrics.Request{Metric: id, Scope: c.scope, Window: before, Bucket: metrics.Week, NoPrevious: true})
	}
	query(&c.count, metrics.Request{Metric: "deployment_count", Scope: c.scope, Window: c.week})
	query(&c.waitingN, metrics.Request{Metric: "waiting_changes", Scope: c.scope, Window: c.week, NoPrevious: true})
	query(&c.survey, metrics.Request{Metric: "csat", Scope: c.scope, Window: c.week, NoPrevious: true})
	query(&c.byService, metrics.Request{Metric: "deployments_per_week", Scope: c.scope, Window: c.week, GroupBy: metrics.GroupByService, GroupsOnly: true})
	g.Go(func() (err error) {
		c.stages, err = engine.Stages(ctx, metrics.Request{Scope: c.scope, Window: c.week})
		return err
	})
	g.Go(func() (err error) {
		_, c.adoption, err = engine.Adoption(ctx, metrics.Request{Scope: c.scope, Window: c.week})
		return err
	})
	team, all := c.scope.Team, metrics.Paging{Limit: metrics.MaxRecords}
	failed := true
	g.Go(func() (err error) {
		c.changes, err = engine.Changes(ctx, metrics.ChangeFilter{Team: team, From: c.week.From, To: c.week.To}, all)
		return err
	})
	g.Go(func() (err error) {
		c.failures, err = engine.Deployments(ctx, metrics.DeploymentFilter{Team: team, Failed: &failed, From: c.week.To.AddDate(0, 0, -90), To: c.week.To}, all)
		return err
	})
	g.Go(func() (err error) {
		c.incidents, err = engine.Incidents(ctx, metrics.IncidentFilter{Team: team, From: c.week.From, To: c.week.To}, all)
		return err
	})
	g.Go(func() (err error) {
		c.waiting, err = engine.Changes(ctx, metrics.ChangeFilter{Team: team, Waiting: true, To: c.week.To}, all)
		return err
	})
	g.Go(func() (err error) {
		c.services, err = engine.Services(ctx, metrics.ServiceFilter{Team: team}, all)
		return err
	})
	return g.Wait()
}

func (c *composer) compose() {
	rep := c.rep
	rep.AsOf = c.count.AsOf
	rep.Page = c.link("/", c.week)
	if rep.Team != "" {
		rep.Page = c.link("/teams/"+url.PathEscape(rep.Team), c.week)
	}
	add := func(list []string, text string) []string {
		if text == "" {
			return list
		}
		return append(list, text)
	}
	rep.Lede = add(rep.Lede, words.Shipped(rep.Name, "this week", c.count))
	rep.Moved = c.moved()
	if rep.Moved != nil {
		rep.Lede = add(rep.Lede, rep.Moved.Text)
	}
	if rep.Moved == nil || rep.Moved.metric != "lead_time" { // steady against one week, and moved against eight: said once
		rep.Lede = add(rep.Lede, words.LeadTime(c.of("lead_time").week))
	}
	rep.Lede = add(rep.Lede, words.Failing(c.of("change_failure_rate").week, c.of("failed_deployment_recovery").week))
	rep.Empty = true
	own := numbers{}
	for _, a := range c.numbers {
		n := c.number(a)
		if slices.Contains(large(), a.def.ID) {
			rep.Numbers = append(rep.Numbers, n)
		} else {
			rep.Minor = append(rep.Minor, n)
		}
		if size, _ := words.Sample(a.week.N); n.Value != "" || size > 0 {
			rep.Empty = false
		}
		if !words.Rare(a.def) {
			own[a.def.ID] = toldOf(a.week.Value, a.week.N, a.week.Flags)
		}
	}
	if len(c.incidents.Incidents)+len(c.waiting.Changes) > 0 {
		rep.Empty = false
	}
	rep.told[rep.Week.String()] = own
	rep.Incidents = c.incidentLines()
	rep.Waiting = c.waitingLines()
	rep.News = c.news()
	rep.Suggestion = c.suggestion()
}

func toldOf(value, n any, flags []string) told {
	t := told{Open: slices.Contains(flags, metrics.FlagNotReached)}
	t.N, _ = words.Sample(n)
	if v, ok := value.(float64); ok && !slices.Contains(flags, metrics.FlagNotDeployed) {
		t.Value = &v
	}
	return t
}

func (c *composer) of(id string) answers {
	return c.numbers[slices.IndexFunc(c.numbers, func(a answers) bool { return a.def.ID == id })]
}

// link is the address of a page with the week's window, or another one.
func (c *composer) link(path string, w metrics.Window, pairs ...string) string {
	j := w.JSON()
	q := url.Values{"from": {strings.TrimSuffix(j.From, "T00:00:00")}, "to": {strings.TrimSuffix(j.To, "T00:00:00")}, "tz": {j.TimeZone}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return c.cfg.BaseURL + path + "?" + q.Encode()
}

func (c *composer) deployment(service, id string) string {
	return c.link("/deployments/"+url.PathEscape(service)+"/"+url.PathEscape(id), c.week)
}

func (c *composer) service(id string) string {
	return c.link("/services/"+url.PathEscape(id), c.week)
}

func (c *composer) number(a answers) Number {
	res, def := a.week, a.def
	window, _ := metrics.ParseWindow(res.Window.From, res.Window.To, c.rep.Zone.String())
	n := Number{Metric: def.ID, Title: def.Title, Statistic: res.Statistic, URL: c.link("/metrics/"+def.ID, window, "team", c.scope.Team)}
	if n.Statistic == metrics.StatisticRate {
		n.Statistic = ""
	}
	if words.Rare(def) {
		n.Period = "last 12 months"
	}
	if size, ok := words.Sample(res.N); ok && (size > 0 || res.Value != nil) {
		n.N = "n = " + words.Grouped(size)
	}
	for _, f := range res.Flags {
		switch f {
		case metrics.FlagPartial, metrics.FlagSuppressed, metrics.FlagNotReached, metrics.FlagNotDeployed:
		case metrics.FlagLowN:
			if words.Sampled(def) {
				n.Notes = append(n.Notes, words.Flag(f))
			}
		default:
			n.Notes = append(n.Notes, words.Flag(f))
		}
	}
	c.chart(&n, a)
	_, isNumber := res.Value.(float64)
	switch {
	case isNumber && words.HasFlag(res, metrics.FlagNotDeployed):
		n.Missing, n.N = this(words.Missing(def, res), def), ""
		return n
	case isNumber:
		n.Value = words.Value(res.Value, def.Unit)
		n.Statistic = cmp.Or(n.Statistic, words.PerUnit(def.Unit))
	case res.Value == metrics.Suppressed:
		n.Missing, n.Chart = "Hidden: fewer people than keep each of them anonymous", nil
		return n
	case words.HasFlag(res, metrics.FlagNotReached):
		n.Missing = words.NotReached(def, res)
		return n
	default:
		n.Missing, n.N = this(words.Missing(def, res), def), ""
		return n
	}
	n.Change = words.Compare(def, res)
	if !words.Rare(def) {
		n.Usual = c.usual(a)
	} else {
		n.Change.Text = strings.NewReplacer("as before", "as in the year before", "with before", "with in the year before", "before", "the year before").Replace(n.Change.Text)
	}
	return n
}

// this says "this week" where words speak of a window.
func this(text string, def metrics.Definition) string {
	if words.Rare(def) {
		return strings.Replace(text, "in this window", "in the last 12 months", 1)
	}
	return strings.Replace(text, "in this window", "this week", 1)
}

// chart takes over the series.
func (c *composer) chart(n *Number, a answers) {
	series, unit := a.before.Series, a.def.Unit
	bucket := "week"
	if words.Rare(a.def) {
		series, bucket = a.week.Series, "quarter"
	}
	var shown []string
	add := func(label string, value any) {
		v, ok := value.(float64)
		if !ok {
			n.Chart = append(n.Chart, nil)
			return
		}
		n.Chart = append(n.Chart, &v)
		shown = append(shown, label+" "+words.Value(v, unit))
	}
	for _, p := range series {
		add(p.Label, p.Value)
	}
	if !words.Rare(a.def) {
		value := a.week.Value
		if words.HasFlag(a.week, metrics.FlagNotDeployed) {
			value = nil
		}
		add(c.rep.Week.String(), value)
	}
	if len(shown) < 2 {
		n.Chart = nil
		return
	}
	n.ChartWords = fmt.Sprintf("%s by %s: from %s to %s", a.def.Title, bucket, shown[0], shown[len(shown)-1])
}

// against is the answer of the week with the weeks before in the place of the week before.
func (c *composer) against(a answers) (res metrics.Result, ok bool) {
	known := 0
	for _, p := range a.before.Series {
		if _, ok := p.Value.(float64); ok {
			known++
		}
	}
	if known < least {
		return metrics.Result{}, false
	}
	res = a.week
	res.Previous = &metrics.Previous{Window: a.before.Window, Value: a.before.Value, N: a.before.N, Interval: a.before.Interval}
	if a.def.Unit == "deployments/week" {
		if n, ok := words.Sample(a.before.N); ok {
			res.Previous.N = n / usual // as many as a week has
		}
		if known < usual {
			res.Previous.Flags = []string{metrics.FlagBegan}
		}
	}
	return res, true
}

func (c *composer) usual(a answers) words.Change {
	res, ok := c.against(a)
	if !ok {
		return words.Change{}
	}
	change := words.Compare(a.def, res)
	if change.Text == "nothing to compare with before" {
		return words.Change{}
	}
	change.Text = strings.NewReplacer("than before", "than usual", "as before", "as usual", "before:", "usual:").Replace(change.Text)
	return change
}

// restate tells which weeks have other numbers now than they were mailed with.
func (c *composer) restate(mailed map[string]numbers) {
	for _, week := range slices.Backward(slices.Sorted(maps.Keys(mailed))) {
		now := numbers{}
		for _, a := range c.numbers {
			before, ok := mailed[week][a.def.ID]
			if !ok {
				continue
			}
			i := slices.IndexFunc(a.before.Series, func(p metrics.Point) bool { return p.Label == week })
			if i < 0 {
				continue
			}
			p := a.before.Series[i]
			current := toldOf(p.Value, p.N, nil)
			was, is := textOf(before, a.def), textOf(current, a.def)
			now[a.def.ID] = current
			if was == is || before.Open {
				continue
			}
			w, err := ParseWeek(week)
			if err != nil {
				continue
			}
			window, err := w.window(1, c.rep.Zone)
			if err != nil {
				continue
			}
			c.rep.Restated = append(c.rep.Restated, Line{
				Name: week, Text: fmt.Sprintf("%s was mailed as %s and is now %s", strings.ToLower(a.def.Title[:1])+a.def.Title[1:], was, is),
				URL: c.link("/metrics/"+a.def.ID, window, "team", c.scope.Team),
			})
			c.rep.told[week] = now
		}
	}
}

func textOf(t told, def metrics.Definition) string {
	if t.Value == nil {
		return "no data"
	}
	text := words.Value(*t.Value, def.Unit)
	if per := words.PerUnit(def.Unit); per != "" {
		text += " " + per
	}
	return text
}
