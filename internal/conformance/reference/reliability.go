package reference

import (
	"math/big"

	"cairn/internal/conformance"
)

// measured lists the objectives of the scope with traffic: no traffic is no data (§7). Reading: a team's are those of the
// services that it owns at the window's end, or now where that comes first. In a window that has not begun nothing was measured.
func (q question) measured() []conformance.SLO {
	var slos []conformance.SLO
	if q.from.After(q.asOf) {
		return nil
	}
	for _, s := range q.Events.SLOs {
		if s.Total > 0 && q.has(q.serviceID(s.Service), q.at()) {
			slos = append(slos, s)
		}
	}
	return slos
}

// target is the objective's exact decimal.
func target(s conformance.SLO) *big.Rat {
	value, _ := new(big.Rat).SetString(s.Target.String())
	return value
}

// sloAttainment is the share of measured objectives with good/total ≥ target, compared exactly (§7).
func sloAttainment(q question) (conformance.Answer, error) {
	met := 0
	for _, s := range q.measured() {
		if big.NewRat(s.Good, s.Total).Cmp(target(s)) >= 0 {
			met++
		}
	}
	return ratio(met, len(q.measured()))
}

// sloCoverage is services with a measured objective / production-lifecycle services alive at the window's end (§7, §14).
func sloCoverage(q question) (conformance.Answer, error) {
	covered := 0
	active := q.alive(q.at())
	for _, service := range active {
		for _, s := range q.measured() {
			if q.serviceID(s.Service) == service.ID {
				covered++
				break
			}
		}
	}
	return ratio(covered, len(active))
}

// errorBudgetRemaining is 1 − (1−SLI)/(1−target), the smallest of several (§7, §14). Reading: a target of 1 leaves no budget
// to speak of and is left out.
func errorBudgetRemaining(q question) (conformance.Answer, error) {
	var smallest *big.Rat
	one, n := big.NewRat(1, 1), 0
	for _, s := range q.measured() {
		budget := new(big.Rat).Sub(one, target(s))
		if budget.Sign() == 0 {
			continue
		}
		spent := new(big.Rat).Sub(one, big.NewRat(s.Good, s.Total))
		remaining := new(big.Rat).Sub(one, spent.Quo(spent, budget))
		if n++; smallest == nil || remaining.Cmp(smallest) < 0 {
			smallest = remaining
		}
	}
	if smallest == nil {
		return of(0, false, 0)
	}
	value, _ := smallest.Float64()
	return number(value, n)
}
