package metrics

import (
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
	var list []measurement
	if err := e.st.Select(q.ctx, &list, e.query("evidence/slos"), e.params(q)); err != nil {
		return nil, err
	}
	at := earlier(q.Window.To, q.AsOf)
	var kept []measurement
	for _, m := range list {
		if q.services != nil && !slices.Contains(q.services, m.Service) {
			continue
		}
		if q.teams != nil {
			owners, err := e.derive.OwnersAt(q.ctx, m.Service, at)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(owners, func(t string) bool { return slices.Contains(q.teams, t) }) {
				continue
			}
		}
		kept = append(kept, m)
	}
	return kept, nil
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

// coverage is the share of services in production, alive at the end, that have a measured objective.
func (e *Engine) coverage(q *question, s Span, newest map[string]measurement) (any, any, *[2]float64, error) {
	p := e.params(q)
	p["at"] = earlier(s.To, q.AsOf).UTC()
	var active []struct {
		Service string `ch:"service"`
	}
	if err := e.st.Select(q.ctx, &active, e.query("evidence/active_services"), p); err != nil {
		return nil, nil, nil, err
	}
	measured := map[string]bool{}
	for _, m := range newest {
		measured[m.Service] = true
	}
	covered, total := 0.0, 0.0
	for _, a := range active {
		if q.teams != nil {
			owners, err := e.derive.OwnersAt(q.ctx, a.Service, earlier(s.To, q.AsOf))
			if err != nil {
				return nil, nil, nil, err
			}
			if !slices.ContainsFunc(owners, func(t string) bool { return slices.Contains(q.teams, t) }) {
				continue
			}
		}
		total++
		if measured[a.Service] {
			covered++
		}
	}
	if total == 0 {
		return nil, int64(0), nil, nil
	}
	low, high := Wilson(covered, total)
	return covered / total, int64(total), &[2]float64{low, high}, nil
}
