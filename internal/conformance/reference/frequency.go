package reference

import (
	"slices"
	"time"

	"cairn/internal/conformance"
)

// population lists the transitions of the given kinds in the window and the scope, by deployed_at.
func (q question) population(kinds ...string) []*transition {
	var found []*transition
	for _, t := range q.transitions {
		if slices.Contains(kinds, t.kind) && q.within(t.deployed()) && q.has(t.service, t.deployed()) {
			found = append(found, t)
		}
	}
	return found
}

// changes is P_change, all is P_all (§1).
func (q question) changes() []*transition { return q.population(kindChange) }
func (q question) all() []*transition {
	return q.population(kindChange, kindRollback, kindReRelease)
}

func deploymentCount(q question) (conformance.Answer, error)    { return count(len(q.changes())) }
func deploymentCountAll(q question) (conformance.Answer, error) { return count(len(q.all())) }
func rollbackCount(q question) (conformance.Answer, error) {
	return count(len(q.population(kindRollback)))
}

// redeployCount counts the runs that brought what was there already. Reading: each run, on each target; a run that
// changes nothing of this service in a monorepo is one.
func redeployCount(q question) (conformance.Answer, error) {
	n := 0
	for _, r := range q.runs {
		if r.kind == kindRedeploy && q.within(r.finished) && q.has(r.service, r.finished) {
			n++
		}
	}
	return count(n)
}

// weeks is the elapsed part of the window in weeks of 604800 s (§3).
func (q question) weeks() float64 { return q.elapsed().Sub(q.from).Seconds() / 604800 }

func deploymentsPerWeek(q question) (conformance.Answer, error) {
	n := len(q.changes())
	if q.weeks() <= 0 {
		return conformance.Answer{N: &n}, nil
	}
	return number(float64(n)/q.weeks(), n)
}

// deploymentsPerWeekServiceMedian is the median of the rates of the live services: first production run before the
// window's end, not retired before its start; idle ones are 0 (§3). Reading: a team's services are those that were alive
// as the team's at some time in the elapsed window, each with the deployments that it made as the team's.
func deploymentsPerWeekServiceMedian(q question) (conformance.Answer, error) {
	var rates []float64
	if q.weeks() > 0 {
		for _, s := range q.services {
			first := q.firstRun(s.ID)
			if first == nil || !first.finished.Before(q.to) || !s.RetiredAt.IsZero() && s.RetiredAt.Before(q.from) {
				continue
			}
			alive := span{latest(first.finished, q.from), earliest(q.elapsed(), s.RetiredAt)}
			asTheTeams := slices.ContainsFunc(q.owned(s.ID), func(o span) bool { _, some := o.meet(alive); return some })
			if q.Scope.Team != "" && !asTheTeams || q.Scope.Service != "" && q.Scope.Service != s.ID {
				continue
			}
			n := 0
			for _, t := range q.changes() {
				if t.service == s.ID {
					n++
				}
			}
			rates = append(rates, float64(n)/q.weeks())
		}
	}
	value, some := percentile(rates, .5)
	return of(value, some, len(rates))
}

// deployDaysPerWeekMedian is the median over whole ISO weeks of the number of local dates with a change deployment: weeks
// inside the window, ended by as_of, from the first production week on to retirement (§3, §14). Reading: the week of the
// retirement, being incomplete, does not count.
func deployDaysPerWeekMedian(q question) (conformance.Answer, error) {
	lives := q.lives()
	if len(lives) == 0 {
		return of(0, false, 0)
	}
	var begin, end time.Time
	for i, life := range lives {
		if i == 0 || life.from.Before(begin) {
			begin = life.from
		}
	}
	if !slices.ContainsFunc(lives, func(life span) bool { return life.to.IsZero() }) {
		for _, life := range lives {
			end = latest(end, life.to)
		}
	}
	var days []float64
	week := monday(q.from, q.location)
	for week.Before(q.to) {
		next := monday(week.AddDate(0, 0, 7), q.location)
		whole := !week.Before(q.from) && !next.After(q.to) && !next.After(q.asOf)
		alive := !week.Before(monday(begin, q.location)) && (end.IsZero() || !next.After(end))
		if whole && alive {
			dates := map[string]bool{}
			for _, t := range q.changes() {
				if (span{week, next}).has(t.deployed()) {
					dates[t.deployed().In(q.location).Format(time.DateOnly)] = true
				}
			}
			days = append(days, float64(len(dates)))
		}
		week = next
	}
	value, some := percentile(days, .5)
	return of(value, some, len(days))
}

// goldenDeploymentShare is the share of change deployments that ran through the golden pipeline (§5).
func goldenDeploymentShare(q question) (conformance.Answer, error) {
	golden := 0
	for _, t := range q.changes() {
		if t.runs[0].Pipeline == "golden" {
			golden++
		}
	}
	return ratio(golden, len(q.changes()))
}
