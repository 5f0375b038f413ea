package metrics

import (
	"maps"
	"slices"

	"cairn/internal/fault"
)

// groupable says why a metric's answers cannot be told apart, where they cannot.
func groupable(def Definition, by string) error {
	switch {
	case by == "" || slices.Contains(def.GroupBy, by):
		return nil
	case by != GroupByService && by != GroupByTeam:
		return fault.New(fault.Invalid, "group_by is %q: expected %s or %s", by, GroupByService, GroupByTeam)
	case def.ID == "survey_cells":
		return fault.New(fault.Invalid, "%s has no group_by: it is told by group already", def.ID)
	case def.evidence == "answers":
		return fault.New(fault.Invalid, "%s has no group_by: small groups of people side by side give away what single ones answered; ask for survey_cells, which hides those", def.ID)
	}
	return fault.New(fault.Invalid, "%s has no group_by: small groups of people side by side give single ones away; ask for one team", def.ID)
}

// groups answers a question for each service or team in its scope, also for those without data, in the order of their
// ids. Each is asked as a question of its own; all of them together make the queries of one.
func (e *Engine) groups(q *question) ([]Group, error) {
	list, err := e.split(q)
	if err != nil {
		return nil, err
	}
	groups := make([]Group, len(list))
	for i, one := range list {
		res, err := e.answer(one)
		if err != nil {
			return nil, err
		}
		groups[i] = Group{
			Key: one.whose, Value: res.Value, N: res.N, Interval: res.Interval, Flags: res.Flags, Parts: res.Parts,
			Previous: res.Previous, Series: res.Series,
		}
	}
	return groups, nil
}

// split makes the questions about each service or team.
func (e *Engine) split(q *question) ([]*question, error) {
	all := *q
	all.by, all.GroupBy, all.params = q.GroupBy, "", q.use()
	all.params["group_by"] = all.by
	if all.by == GroupByService {
		return e.splitByService(&all)
	}
	return e.splitByTeam(&all)
}

// splitByService splits a question by service: those that the catalogue, deployments or incidents know and, in a team's scope,
// that the team ever owned.
func (e *Engine) splitByService(q *question) ([]*question, error) {
	var rows []struct {
		Service string `ch:"service"`
	}
	if err := e.st.Select(q.ctx, &rows, e.query("evidence/known_services"), q.use()); err != nil {
		return nil, err
	}
	list := make([]*question, len(rows))
	for i, r := range rows {
		one := *q
		one.whose, one.Scope, one.services = r.Service, Scope{Service: r.Service}, []string{r.Service}
		list[i] = &one
	}
	return list, nil
}

// splitByTeam splits a question by team: all that are known, those of a team's scope, or those that a service ever belonged
// to. A team has the numbers of those below it, too.
func (e *Engine) splitByTeam(q *question) ([]*question, error) {
	names := q.teams
	if names == nil {
		parents, err := e.derive.Parents(q.ctx)
		if err != nil {
			return nil, err
		}
		names = slices.Collect(maps.Keys(parents))
	}
	known, countsFor := []string{""}, [][]string{{}}
	places := map[string]int{}
	var list []*question
	for _, name := range slices.Sorted(slices.Values(names)) {
		below, _, err := e.derive.Teams(q.ctx, name)
		if err != nil {
			return nil, err
		}
		one := *q
		one.whose, one.Scope = name, Scope{Team: name}
		if err := e.giveTo(&one, below); err != nil {
			return nil, err
		}
		if s := q.Scope.Service; s != "" {
			if one.owned[s] == nil {
				continue
			}
			one.services = q.services
		}
		for _, team := range below {
			if _, ok := places[team]; !ok {
				places[team] = len(known)
				known, countsFor = append(known, team), append(countsFor, nil)
			}
			countsFor[places[team]] = append(countsFor[places[team]], name)
		}
		list = append(list, &one)
	}
	// Each of them has the same params: they ask the same.
	q.params["known_teams"], q.params["counts_for"] = known, countsFor
	return list, nil
}
