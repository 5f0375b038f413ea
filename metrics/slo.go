package metrics

import (
	"maps"
	"slices"
	"time"
)

// measurement is what was measured of one service level objective.
type measurement struct {
	SLO     string    `ch:"slo"`
	Service string    `ch:"owner_service"`
	At      time.Time `ch:"at"`
	Target  float64   `ch:"promised"`
	Good    int64     `ch:"good"`
	Total   int64     `ch:"total"`
	Met     bool      `ch:"met"`
}

// sloMetric answers from the newest measurement of each objective in the window; one without traffic is no data.
func (e *Engine) sloMetric(q *question) (Result, error) {
	list, err := e.measurements(q)
	if err != nil {
		return Result{}, err
	}
	compute := func(s Span) (any, any, *[2]float64, error) {
		newest := map[string]measurement{}
		for _, m := range list {
			if !m.At.Before(s.From) && m.At.Before(s.To) && m.Total > 0 {
				newest[m.SLO] = m
			}
		}
		switch q.def.ID {
		case "slo_attainment":
			return attainment(newest)
		case "error_budget_remaining":
			return budget(newest)
		}
		return e.coverage(q, s, newest)
	}
	var res Result
	if res.Value, res.N, res.Interval, err = compute(Span{From: q.Window.From, To: q.Window.To}); err != nil || q.Bucket == Whole {
		return res, err
	}
	spans, err := q.spans()
	if err != nil {
		return Result{}, err
	}
	for _, s := range spans {
		point := q.point(s)
		if !s.From.After(q.AsOf) {
			if point.Value, point.N, point.Interval, err = compute(s); err != nil {
				return Result{}, err
			}
		}
		res.Series = append(res.Series, point)
	}
	return res, nil
}

// measurements are those of the services in scope, oldest first. A team's are those of the services that it owns at
// the end of the window.
func (e *Engine) measurements(q *question) ([]measurement, error) {
	all, err := once(q, "slos", func() (all measured, err error) {
		err = e.st.Select(q.ctx, &all.list, e.query("evidence/slos"), q.use())
		all.of = map[string][]int{}
		for i, m := range all.list {
			all.of[m.Service] = append(all.of[m.Service], i)
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	at := earlier(q.Window.To, q.AsOf)
	inScope := map[string]bool{}
	var kept []measurement
	for _, m := range all.about(q.services) {
		if m.At.Before(q.Window.From) || !m.At.Before(q.Window.To) {
			continue
		}
		ours, known := inScope[m.Service]
		if !known {
			if ours, err = e.ownedAt(q, m.Service, at); err != nil {
				return nil, err
			}
			inScope[m.Service] = ours
		}
		if ours {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// measured are the measurements of all services that questions asked together are about.
type measured struct {
	list []measurement
	of   map[string][]int // service -> places in the list
}

// about are the measurements of services, in the list's order; nil is all of them.
func (all measured) about(services []string) []measurement {
	if services == nil {
		return all.list
	}
	var places []int
	for _, s := range services {
		places = append(places, all.of[s]...)
	}
	slices.Sort(places)
	list := make([]measurement, len(places))
	for i, place := range places {
		list[i] = all.list[place]
	}
	return list
}

// ownedAt tells whether a service belongs to the teams of a question, if it is about any.
func (e *Engine) ownedAt(q *question, service string, at time.Time) (bool, error) {
	if q.teams == nil {
		return true, nil
	}
	owners, err := e.derive.OwnersAt(q.ctx, service, at)
	return slices.ContainsFunc(owners, func(t string) bool { return slices.Contains(q.teams, t) }), err
}

func attainment(newest map[string]measurement) (any, any, *[2]float64, error) {
	if len(newest) == 0 {
		return nil, int64(0), nil, nil
	}
	met := 0.0
	for _, m := range newest {
		if m.Met {
			met++
		}
	}
	n := float64(len(newest))
	low, high := Wilson(met, n)
	return met / n, int64(n), &[2]float64{low, high}, nil
}

// budget is the smallest share of an error budget that is left: 1 - (1 - good/total)/(1 - target). It is negative when
// more was spent. An objective of 100 % has no budget.
func budget(newest map[string]measurement) (any, any, *[2]float64, error) {
	var smallest any
	n := int64(0)
	for _, m := range newest {
		if m.Target >= 1 {
			continue
		}
		n++
		left := 1 - (1-float64(m.Good)/float64(m.Total))/(1-m.Target)
		if smallest == nil || left < smallest.(float64) {
			smallest = left
		}
	}
	return smallest, n, nil, nil
}

// catalogued is a service in production.
type catalogued struct {
	Service   string     `ch:"service"`
	CreatedAt *time.Time `ch:"created_at"`
	RetiredAt *time.Time `ch:"retired_at"`
}

// alive tells whether the service has been created and not yet retired.
func (c *catalogued) alive(at time.Time) bool {
	return (c.CreatedAt == nil || !c.CreatedAt.After(at)) && (c.RetiredAt == nil || c.RetiredAt.After(at))
}

// coverage is the share of services in production, alive at the end, that have a measured objective.
func (e *Engine) coverage(q *question, s Span, newest map[string]measurement) (any, any, *[2]float64, error) {
	active, err := once(q, "active_services", func() (map[string]catalogued, error) {
		var list []catalogued
		err := e.st.Select(q.ctx, &list, e.query("evidence/active_services"), q.use())
		active := map[string]catalogued{}
		for _, c := range list {
			active[c.Service] = c
		}
		return active, err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	services := q.services
	if services == nil {
		services = slices.Collect(maps.Keys(active))
	}
	measured := map[string]bool{}
	for _, m := range newest {
		measured[m.Service] = true
	}
	at := earlier(s.To, q.AsOf)
	covered, total := 0.0, 0.0
	for _, service := range services {
		if c, ok := active[service]; !ok || !c.alive(at) {
			continue
		}
		ours, err := e.ownedAt(q, service, at)
		if err != nil {
			return nil, nil, nil, err
		}
		if !ours {
			continue
		}
		total++
		if measured[service] {
			covered++
		}
	}
	if total == 0 {
		return nil, int64(0), nil, nil
	}
	low, high := Wilson(covered, total)
	return covered / total, int64(total), &[2]float64{low, high}, nil
}
