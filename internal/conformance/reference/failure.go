package reference

import (
	"slices"
	"strings"
	"time"

	"cairn/internal/conformance"
)

// member is one member of P_CFR: a change deployment, or a failed run that an incident names as its cause (§6).
type member struct {
	service    string
	id         string
	deployed   time.Time
	transition *transition // nil for a linked failed run
	targets    map[string]time.Time

	failed    bool
	incidents []conformance.Incident // linked by rule 1 or 5
	repairs   [][]*run               // the runs of the deployments that repaired it, where no incident tells
}

// judge decides which members of P_CFR failed: rule 1, then 2-4 in time order, then 5 (§6, §14).
func (h *history) judge() {
	for _, t := range h.transitions {
		if t.kind == kindChange {
			h.members = append(h.members, &member{
				service: t.service, id: t.id(), deployed: t.deployed(), transition: t,
				targets: reached(t.every()),
			})
		}
	}
	h.explicit()
	slices.SortFunc(h.transitions, func(a, b *transition) int {
		return cmpOr(a.deployed().Compare(b.deployed()), strings.Compare(a.id(), b.id()))
	})
	for _, t := range h.transitions {
		h.infer(t)
	}
	h.fromIncidents()
}

// memberOf finds the member that put a version live, or nil: rollbacks and re-releases are in no rate (§14).
func (h *history) memberOf(t *transition) *member {
	for _, m := range h.members {
		if t != nil && m.transition == t {
			return m
		}
	}
	return nil
}

// explicit is rule 1.
func (h *history) explicit() {
	for _, i := range h.incidents {
		cause := h.runs[i.CausedByDeployment]
		if cause == nil || i.Cause == "external" { // cause = external wins over caused_by (§14)
			continue
		}
		var m *member
		switch cause.Status {
		case "succeeded":
			m = h.memberOf(cause.transition) // of a redeploy or a second target: what put the version there (§14)
		case "failed", "cancelled": // Reading: a cancelled production run can break production as a failed one can.
			m = h.failedRun(cause)
		}
		if m != nil {
			m.failed = true
			m.incidents = append(m.incidents, i)
		}
	}
	for _, r := range h.runs {
		if r.transition == nil {
			continue // Reading: only a successful production run remediates.
		}
		for _, id := range r.Remediates {
			named := h.runs[id]
			if named == nil || named.transition == r.transition && r.kind != kindRedeploy {
				continue // Reading: no deployment remediates itself; a redeploy may repair what it redeploys.
			}
			if m := h.memberOf(named.transition); m != nil {
				m.failed = true // provenance remediated (§14)
				repair := r.transition.every()
				if r.kind == kindRedeploy {
					repair = []*run{r}
				}
				m.repairs = append(m.repairs, repair)
			}
		}
	}
}

// failedRun is the member for a failed run that an incident names; it stays its own even when its version later
// succeeds (§14).
func (h *history) failedRun(r *run) *member {
	for _, m := range h.members {
		if m.transition == nil && m.id == r.ID {
			return m
		}
	}
	m := &member{service: r.service, id: r.ID, deployed: r.finished}
	h.members = append(h.members, m)
	return m
}

// infer applies rules 2 to 4 to one remediation: the first rule that has a candidate (§14).
func (h *history) infer(t *transition) {
	if h.resolves(t) {
		return // it first resolves explicit failures still open; it only infers a failure when there is none (§6)
	}
	rules := h.settings.FailureInference
	blame := func(found *transition) {
		if m := h.memberOf(found); m != nil && !m.failed {
			m.failed = true
			m.repairs = append(m.repairs, t.every())
		}
	}
	if rules.Rollback && t.kind == kindRollback && len(t.backedOut) > 0 { // rule 2
		// Reading: where a deployment that was backed out has failed already, the rollback is explained, and no other
		// rule is tried.
		if !slices.ContainsFunc(t.backedOut, func(c *transition) bool { return h.memberOf(c).failed }) {
			blame(t.backedOut[0]) // the first deployment after the rollback target
		}
		return
	}
	if rules.Revert && len(t.reverted) > 0 { // rule 3
		for _, by := range t.reverted {
			blame(by)
		}
		return
	}
	if rules.Hotfix && t.hotfix() { // rule 4: the immediately preceding change deployment, if not too long before
		var preceding *transition
		for _, c := range h.transitions { // sorted by (deployed_at, id)
			if c == t {
				break
			}
			if c.service == t.service && c.kind == kindChange {
				preceding = c
			}
		}
		limit := time.Duration(rules.HotfixWindowHours * float64(time.Hour))
		if preceding != nil && t.deployed().Sub(preceding.deployed()) <= limit {
			blame(preceding)
		}
	}
}

// every lists all runs of the transition. Reading: a flag on any of them is the transition's.
func (t *transition) every() []*run { return append(slices.Clone(t.runs), t.late...) }

func (t *transition) hotfix() bool {
	return slices.ContainsFunc(t.every(), func(r *run) bool { return r.IsHotfix })
}

func (t *transition) remediates() bool {
	return slices.ContainsFunc(t.every(), func(r *run) bool {
		return len(r.Remediates)+len(r.RemediatesIncidents) > 0
	})
}

// resolves says whether an explicit failure of the service is open at the start of the transition, judged from incident
// data (§14). Reading: of an earlier deployment; and a deployment that names what it remediates resolves that and infers
// nothing.
func (h *history) resolves(t *transition) bool {
	for _, m := range h.members {
		if m.service != t.service || !m.deployed.Before(t.deployed()) || m.transition == t {
			continue
		}
		for _, i := range m.incidents {
			if !i.StartedAt.After(t.started()) && (ended(i).IsZero() || ended(i).After(t.started())) {
				return true
			}
		}
	}
	for _, r := range t.every() {
		for _, id := range r.Remediates {
			if named := h.runs[id]; named != nil && named.transition != t && h.memberOf(named.transition) != nil {
				return true
			}
		}
	}
	return false
}

// fromIncidents is rule 5, by choice: the latest change deployment within the window before the incident's start.
// Reading: only incidents that name no deployment; a deployment that failed by an earlier rule is not linked.
func (h *history) fromIncidents() {
	minutes := h.settings.FailureInference.IncidentWindowMinutes
	if minutes == nil {
		return
	}
	byRule5 := map[*member]bool{}
	for _, i := range h.incidents {
		if i.Cause == "external" || i.CausedByDeployment != "" {
			continue
		}
		var m *member
		for _, t := range h.transitions { // sorted by (deployed_at, id)
			if t.service == i.Service && t.kind == kindChange && !t.deployed().After(i.StartedAt) {
				m = h.memberOf(t)
			}
		}
		if m == nil || i.StartedAt.Sub(m.deployed) > time.Duration(*minutes*float64(time.Minute)) {
			continue
		}
		if !m.failed || byRule5[m] {
			m.failed, byRule5[m] = true, true
			m.incidents = append(m.incidents, i)
		}
	}
}

// ended is when the incident's damage ended: restored_at, else resolved_at; zero while it is open (§6).
func ended(i conformance.Incident) time.Time {
	if !i.RestoredAt.IsZero() {
		return i.RestoredAt
	}
	return i.ResolvedAt
}

// recovered is how long the failed member took to recover, or has taken so far (§6).
func (h *history) recovered(m *member) duration {
	var end time.Time
	if len(m.incidents) > 0 { // a remediation never ends a failure with a linked incident (§14)
		for _, i := range m.incidents {
			if ended(i).IsZero() {
				return duration{h.asOf.Sub(m.deployed), true}
			}
			end = latest(end, ended(i))
		}
	} else {
		// The remediating deployment completes on the last target that both reached (§14). Reading: of several that name
		// the same failure the last ends it; without a common target it has not ended.
		for _, runs := range m.repairs {
			for target, at := range reached(runs) {
				if _, both := m.targets[target]; both {
					end = latest(end, at)
				}
			}
		}
		if end.IsZero() {
			return duration{h.asOf.Sub(m.deployed), true}
		}
	}
	return duration{max(0, end.Sub(m.deployed)), false} // §11 negative -> 0
}

// failures lists the members of the window and the scope, and those of them that failed.
func (q question) failures() (all, failed []*member) {
	for _, m := range q.members {
		if q.within(m.deployed) && q.has(m.service, m.deployed) {
			all = append(all, m)
			if m.failed {
				failed = append(failed, m)
			}
		}
	}
	return all, failed
}

func failedDeployments(q question) (conformance.Answer, error) {
	all, failed := q.failures()
	ids := []string{}
	for _, m := range failed {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	n := len(all)
	return conformance.Answer{Value: ids, N: &n}, nil
}

func changeFailureRate(q question) (conformance.Answer, error) {
	all, failed := q.failures()
	return ratio(len(failed), len(all))
}

func changeFailureRateInterval(q question) (conformance.Answer, error) {
	all, failed := q.failures()
	n := len(all)
	return conformance.Answer{Value: wilson(len(failed), n, q.settings.Z), N: &n}, nil
}

// recovery is a quantile of the cohort by deployed_at (§6).
func recovery(above, below int64) metricFunc {
	return func(q question) (conformance.Answer, error) {
		_, failed := q.failures()
		var cohort []duration
		for _, m := range failed {
			cohort = append(cohort, q.recovered(m))
		}
		value, some := survival(cohort, above, below, time.Hour)
		return of(value, some, len(cohort))
	}
}

func unresolved(q question) (conformance.Answer, error) {
	_, failed := q.failures()
	n := 0
	for _, m := range failed {
		if q.recovered(m).censored {
			n++
		}
	}
	return count(n)
}

// timeToRestore is about incidents of all causes, by started_at (§6).
func timeToRestore(q question) (conformance.Answer, error) {
	var cohort []duration
	for _, i := range q.incidents {
		if !q.within(i.StartedAt) || !q.has(i.Service, i.StartedAt) {
			continue
		}
		if end := ended(i); end.IsZero() {
			cohort = append(cohort, duration{q.asOf.Sub(i.StartedAt), true})
		} else {
			cohort = append(cohort, duration{max(0, end.Sub(i.StartedAt)), false})
		}
	}
	value, some := survival(cohort, 1, 2, time.Hour)
	return of(value, some, len(cohort))
}

// deploymentReworkRate is the share of transitions that are rework: rollback, hotfix marker, revert of a live change, or
// one that names what it remediates (§6).
func deploymentReworkRate(q question) (conformance.Answer, error) {
	rework := 0
	for _, t := range q.all() {
		if t.kind == kindRollback || t.hotfix() || t.reverting || t.remediates() {
			rework++
		}
	}
	return ratio(rework, len(q.all()))
}
