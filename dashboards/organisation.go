package dashboards

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
	"cairn/metrics/words"
)

// organisationPage is what / shows.
type organisationPage struct {
	Empty     bool
	Sentences []string
	Main      []card
	Minor     []card
	Moved     []moved
	Teams     []teamTile
}

// teamTile is a team among the others: small, the same two numbers for each.
type teamTile struct {
	ID, Name string
	Services int
	Rows     []tileRow
}

// tileRow is one number of a tile.
type tileRow struct {
	Title, Value string
	Spark        any
}

// moved is a service whose numbers moved most, and why.
type moved struct {
	Service string
	Text    string
	Why     string
	Class   string
	Link    string
}

func (p *Pages) organisation(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	var b organisationPage
	var s story
	var deployments, leadTimes, byService metrics.Result
	var teams metrics.TeamList
	q := p.ask(c.Request().Context())
	b.Main = q.cards(v, metrics.Scope{}, "time_to_first_deployment_service", "deployments_per_week", "lead_time", "adoption_rate", "csat")
	b.Minor = q.cards(v, metrics.Scope{}, "change_failure_rate", "failed_deployment_recovery", "deployment_rework_rate", "waiting_changes")
	q.story(&s, v, metrics.Scope{})
	q.answer(&deployments, v, metrics.Request{Metric: "deployments_per_week", Bucket: v.Bucket, GroupBy: metrics.GroupByTeam, GroupsOnly: true, NoPrevious: true})
	q.answer(&leadTimes, v, metrics.Request{Metric: "lead_time", Bucket: v.Bucket, GroupBy: metrics.GroupByTeam, GroupsOnly: true, NoPrevious: true})
	q.answer(&byService, v, metrics.Request{Metric: "lead_time", GroupBy: metrics.GroupByService, GroupsOnly: true})
	find(q, &teams, func(ctx context.Context) (metrics.TeamList, error) {
		return p.deps.Engine.Teams(ctx, metrics.TeamFilter{}, metrics.Paging{Limit: metrics.MaxRecords})
	})
	if err := q.wait(); err != nil {
		return err
	}
	b.Sentences = sentences(p.cfg.Title, v, s)
	b.Teams = tiles(teams.Teams, deployments, leadTimes)
	if b.Moved, err = p.whatMoved(c.Request().Context(), v, byService); err != nil {
		return err
	}
	b.Empty = len(teams.Teams) == 0 && words.HasFlag(s.Deployments, metrics.FlagNotDeployed)
	return p.show(c, "organisation", page{Title: p.cfg.Title, Nav: "organisation", View: v, AsOf: s.Deployments.AsOf, Body: b})
}

// story asks for what the opening sentences are made of.
func (q *questions) story(s *story, v view, scope metrics.Scope) {
	q.answer(&s.Deployments, v, metrics.Request{Metric: "deployment_count", Scope: scope})
	q.answer(&s.LeadTime, v, metrics.Request{Metric: "lead_time", Scope: scope, Bucket: v.Bucket})
	q.answer(&s.Failures, v, metrics.Request{Metric: "change_failure_rate", Scope: scope, Bucket: v.Bucket})
	q.answer(&s.Recovery, v, metrics.Request{Metric: "failed_deployment_recovery", Scope: scope, Bucket: v.Bucket})
	q.answer(&s.Waiting, v, metrics.Request{Metric: "waiting_changes", Scope: scope, Bucket: v.Bucket})
}

// tiles are the teams that own something, by name, each with its numbers.
func tiles(teams []metrics.TeamRecord, deployments, leadTimes metrics.Result) []teamTile {
	var list []teamTile
	for _, t := range teams {
		if t.RetiredAt != nil {
			continue
		}
		tile := teamTile{ID: t.ID, Name: cmp.Or(t.Name, t.ID), Services: services(teams, t)}
		for _, row := range []struct {
			title  string
			metric string
			of     metrics.Result
		}{{"Shipped a week", "Deployment frequency", deployments}, {"Lead time", "Lead time for changes", leadTimes}} {
			g, ok := groupOf(row.of.Groups, t.ID)
			if !ok {
				continue
			}
			r := tileRow{Title: row.title, Value: words.Value(g.Value, row.of.Unit), Spark: drawSpark(t.ID+": "+row.metric, row.of.Unit, g.Series)}
			tile.Rows = append(tile.Rows, r)
		}
		list = append(list, tile)
	}
	slices.SortFunc(list, func(a, b teamTile) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// services is how many services a team and those below it own now.
func services(teams []metrics.TeamRecord, of metrics.TeamRecord) int {
	owned, reached := map[string]bool{}, map[string]bool{}
	var add func(t metrics.TeamRecord)
	add = func(t metrics.TeamRecord) {
		if reached[t.ID] {
			return
		}
		reached[t.ID] = true
		for _, s := range t.Services {
			owned[s] = true
		}
		for _, below := range teams {
			if below.Parent == t.ID {
				add(below)
			}
		}
	}
	add(of)
	return len(owned)
}

// groupOf finds a group by its key; groups come in the order of those.
func groupOf(groups []metrics.Group, key string) (metrics.Group, bool) {
	i, found := slices.BinarySearchFunc(groups, key, func(g metrics.Group, key string) int { return cmp.Compare(g.Key, key) })
	if !found {
		return metrics.Group{}, false
	}
	return known(groups[i]), true
}

// known is a group without the 0 of one that had nothing in production.
func known(g metrics.Group) metrics.Group {
	if slices.Contains(g.Flags, metrics.FlagNotDeployed) {
		g.Value, g.N = nil, nil
	}
	return g
}

// mostMoved is how many services "what moved most" names.
const mostMoved = 3

// whatMoved finds the services whose lead time moved most against the window before, among those where it stands out of
// the noise, and the stage that moved with it.
func (p *Pages) whatMoved(ctx context.Context, v view, byService metrics.Result) ([]moved, error) {
	def := p.definition("lead_time")
	type movement struct {
		group metrics.Group
		by    float64 // logarithm of the factor
	}
	var all []movement
	for _, g := range byService.Groups {
		res := metrics.Result{Value: g.Value, N: g.N, Interval: g.Interval, Flags: g.Flags, Previous: g.Previous}
		now, ok := g.Value.(float64)
		if !ok || g.Previous == nil || words.HasFlag(res, metrics.FlagLowN) || words.TooFew(def, g.Previous.N) {
			continue
		}
		before, ok := g.Previous.Value.(float64)
		if !ok || now <= 0 || before <= 0 || !words.StandsOut(def, res, now, before) {
			continue
		}
		all = append(all, movement{g, math.Log(now / before)})
	}
	slices.SortFunc(all, func(a, b movement) int {
		return cmp.Or(-cmp.Compare(math.Abs(a.by), math.Abs(b.by)), cmp.Compare(a.group.Key, b.group.Key))
	})
	all = all[:min(len(all), mostMoved)]
	list := make([]moved, len(all))
	q := p.ask(ctx)
	stages := make([]stageAnswers, len(all))
	for i, m := range all {
		q.stages(&stages[i], v, metrics.Scope{Service: m.group.Key})
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	for i, m := range all {
		now, before := m.group.Value.(float64), m.group.Previous.Value.(float64)
		list[i] = moved{
			Service: m.group.Key, Class: "better", Link: v.Link(place("metrics", "lead_time"), "service", m.group.Key),
			Text: "lead time " + words.Value(before, def.Unit) + " → " + words.Value(now, def.Unit), Why: words.MoveOfStage(stages[i], m.by > 0),
		}
		if m.by > 0 {
			list[i].Class = "worse"
		}
	}
	return list, nil
}
