package reference

import (
	"slices"
	"time"

	"cairn/internal/conformance"
)

// at is when the state is judged: min(bucket end, as_of) (§14).
func (q question) at() time.Time { return earliest(q.to, q.asOf) }

// alive lists the production-lifecycle services of the scope that are alive at t, by their owner at t (§5).
func (q question) alive(t time.Time) []conformance.Service {
	var services []conformance.Service
	for _, s := range q.services {
		if s.Lifecycle == "production" && (span{s.CreatedAt, s.RetiredAt}).has(t) && q.has(s.ID, t) {
			services = append(services, s)
		}
	}
	return services
}

// exempt says whether an exemption is valid at t: approved_at ≤ t < expires_at (§14).
func (q question) exempt(service, capability, kind string, t time.Time) bool {
	return slices.ContainsFunc(q.Events.AdoptionExemptions, func(e conformance.Exemption) bool {
		return q.serviceID(e.Service) == service && e.Capability == capability && e.Type == kind && (span{e.ApprovedAt, e.ExpiresAt}).has(t)
	})
}

// state is that of the newest signal at t, unknown without one or when it is older than the time to live (§5, §14).
func (q question) state(service, capability string, t time.Time) string {
	state, observed := "unknown", time.Time{}
	for _, s := range q.Events.AdoptionSignals {
		if q.serviceID(s.Service) == service && s.Capability == capability && !s.ObservedAt.After(t) && !s.ObservedAt.Before(observed) {
			state, observed = s.State, s.ObservedAt
		}
	}
	if t.Sub(observed) > time.Duration(q.settings.AdoptionSignalTTLDays*float64(day)) {
		return "unknown"
	}
	return state
}

// eligible are the alive services minus valid not_applicable exemptions (§5).
func (q question) eligible(capability string, t time.Time) []string {
	var ids []string
	for _, s := range q.alive(t) {
		if !q.exempt(s.ID, capability, "not_applicable", t) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (q question) counts(capability string) map[string]int {
	t := q.at()
	found := map[string]int{"eligible": 0, "golden": 0, "own": 0, "unknown": 0, "escape_hatch": 0}
	for _, service := range q.eligible(capability, t) {
		found["eligible"]++
		if state := q.state(service, capability, t); state != "none" { // none counts in no share (§14)
			found[state]++
		}
		if q.exempt(service, capability, "escape_hatch", t) { // overlaps the states (§14)
			found["escape_hatch"]++
		}
	}
	return found
}

func adoptionRate(q question) (conformance.Answer, error) {
	found := q.counts(q.Capability)
	return ratio(found["golden"], found["eligible"])
}

func adoptionCounts(q question) (conformance.Answer, error) {
	found := q.counts(q.Capability)
	n := found["eligible"]
	return conformance.Answer{Value: found, N: &n}, nil
}

// adoptionTeamRate is the share of teams with eligible services of which at least the threshold is golden (§5).
func adoptionTeamRate(q question) (conformance.Answer, error) {
	t := q.at()
	eligible, golden := map[string]int{}, map[string]int{}
	for _, service := range q.eligible(q.Capability, t) {
		if team := q.owner(service, t); team != "" { // a service without an owner is in no team (§14)
			eligible[team]++
			if q.state(service, q.Capability, t) == "golden" {
				golden[team]++
			}
		}
	}
	adopted := 0
	for team, all := range eligible {
		if float64(golden[team]) >= q.settings.TeamAdoptionThreshold*float64(all) {
			adopted++
		}
	}
	return ratio(adopted, len(eligible))
}

// perService calls each with the golden and the applicable capabilities of every service. Capabilities are those that
// occur in signals and exemptions (§14). Reading: a service to which none applies is left out.
func (q question) perService(each func(golden, applicable int)) {
	var capabilities []string
	for _, s := range q.Events.AdoptionSignals {
		capabilities = append(capabilities, s.Capability)
	}
	for _, e := range q.Events.AdoptionExemptions {
		capabilities = append(capabilities, e.Capability)
	}
	slices.Sort(capabilities)
	t := q.at()
	for _, s := range q.alive(t) {
		golden, applicable := 0, 0
		for _, capability := range slices.Compact(slices.Clone(capabilities)) {
			if q.exempt(s.ID, capability, "not_applicable", t) {
				continue
			}
			applicable++
			if q.state(s.ID, capability, t) == "golden" {
				golden++
			}
		}
		if applicable > 0 {
			each(golden, applicable)
		}
	}
}

// adoptionIndex is the mean over services of golden/applicable capabilities (§5).
func adoptionIndex(q question) (conformance.Answer, error) {
	sum, n := 0., 0
	q.perService(func(golden, applicable int) {
		sum += float64(golden) / float64(applicable)
		n++
	})
	return of(sum/float64(max(n, 1)), n > 0, n)
}

// adoptionFullRate is the share of services with all applicable capabilities golden (§5).
func adoptionFullRate(q question) (conformance.Answer, error) {
	full, n := 0, 0
	q.perService(func(golden, applicable int) {
		if golden == applicable {
			full++
		}
		n++
	})
	return ratio(full, n)
}

// adoptionNewServiceRate is the share of the services created in the window that came from the golden template (§5).
// Reading: the owner is that at the creation.
func adoptionNewServiceRate(q question) (conformance.Answer, error) {
	golden, all := 0, 0
	for _, s := range q.services {
		if q.within(s.CreatedAt) && q.has(s.ID, s.CreatedAt) {
			all++
			if s.CreatedVia == "golden_template" {
				golden++
			}
		}
	}
	return ratio(golden, all)
}
