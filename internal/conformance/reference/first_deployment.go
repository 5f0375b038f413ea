package reference

import (
	"time"

	"cairn/internal/conformance"
)

const day = 24 * time.Hour

// imported says whether the service was in production before it was created here (§2).
func (h *history) imported(s conformance.Service) bool {
	first := h.firstRun(s.ID)
	return first != nil && first.finished.Before(s.CreatedAt)
}

// serviceCohort is the cohort of services by creation date (§2). Reading: the owner is that at the creation, and all
// lifecycles count.
func (q question) serviceCohort() (cohort []duration, imported int) {
	for _, s := range q.services {
		if s.CreatedAt.IsZero() || !q.within(s.CreatedAt) || !q.has(s.ID, s.CreatedAt) {
			continue
		}
		start := s.CreatedAt
		if q.settings.TTFDStart == "idea_at" { // only services that have it
			if start = s.IdeaAt; start.IsZero() {
				continue
			}
		}
		if q.imported(s) {
			imported++
			continue
		}
		if first := q.firstRun(s.ID); first != nil {
			cohort = append(cohort, duration{first.finished.Sub(start), false})
		} else { // censored at min(as_of, retired_at)
			cohort = append(cohort, duration{earliest(q.asOf, s.RetiredAt).Sub(start), true})
		}
	}
	return cohort, imported
}

func firstDeploymentService(q question) (conformance.Answer, error) {
	cohort, _ := q.serviceCohort()
	value, some := survival(cohort, 1, 2, day)
	return of(value, some, len(cohort))
}

func firstDeploymentServiceN(q question) (conformance.Answer, error) {
	cohort, imported := q.serviceCohort()
	value := sizes(cohort)
	value["excluded_imported"] = imported
	n := len(cohort)
	return conformance.Answer{Value: value, N: &n}, nil
}

func sizes(cohort []duration) map[string]int {
	value := map[string]int{"cohort": len(cohort), "deployed": 0, "censored": 0}
	for _, d := range cohort {
		if d.censored {
			value["censored"]++
		} else {
			value["deployed"]++
		}
	}
	return value
}

// developerCohort is the cohort of people by first day, 00:00 in the report's zone; bots and people without a first day
// are left out (§2, §14).
func (q question) developerCohort() []duration {
	var cohort []duration
	for _, p := range q.people() {
		if q.Scope.Team != "" && p.Team != q.Scope.Team {
			continue
		}
		start, _ := q.firstDay(p)
		var end time.Time
		for _, s := range q.services {
			for _, r := range q.succeeded(s.ID) {
				if q.brings(s, r, p.ID, start) {
					end = earliest(end, r.finished)
				}
			}
		}
		if end.IsZero() {
			cohort = append(cohort, duration{q.asOf.Sub(start), true})
		} else {
			cohort = append(cohort, duration{end.Sub(start), false})
		}
	}
	return cohort
}

// people lists who began within the window and by now.
func (q question) people() []conformance.Person {
	var people []conformance.Person
	for _, p := range q.Events.People {
		if start, known := q.firstDay(p); known && !p.Bot && q.within(start) && !start.After(q.asOf) {
			people = append(people, p)
		}
	}
	return people
}

func (q question) firstDay(p conformance.Person) (time.Time, bool) {
	start, err := time.ParseInLocation(time.DateOnly, p.FirstDay, q.location)
	return start, err == nil
}

// brings says whether the run newly brings a non-merge commit by the person, committed at or after the start, on the
// service's paths (§2, §14). Reading: a baseline counts where it is the very first run of a service that is not
// imported, not where a repository is new in an older service or the lineage is unknown.
func (q question) brings(s conformance.Service, r *run, person string, start time.Time) bool {
	for _, at := range r.newly {
		c := q.commits[at]
		baseline := r.baseline[at.repo] && (!r.first || q.imported(s))
		if c.Author == person && len(c.Parents) < 2 && !c.CommitTime.Before(start) && touches(s, c) && !baseline {
			return true
		}
	}
	return false
}

// firstDeploymentDeveloper is suppressed for a cohort of fewer than k people, at every level; and, as for surveys, for
// the smallest shown team while the hidden ones sum to fewer than k (§2, §8).
func firstDeploymentDeveloper(q question) (conformance.Answer, error) {
	cohort := q.developerCohort()
	n := len(cohort)
	if n > 0 && n < q.k() || n > 0 && q.Scope.Team != "" && q.hiddenTeams()[q.Scope.Team] {
		return conformance.Answer{Value: conformance.Suppressed, N: &n}, nil
	}
	value, some := survival(cohort, 1, 2, day)
	return of(value, some, n)
}

// hiddenTeams treats teams as siblings (§8 applied to developer TTFD).
func (q question) hiddenTeams() map[string]bool {
	sizes := map[string]int{}
	for _, p := range q.people() {
		if p.Team != "" {
			sizes[p.Team]++
		}
	}
	return hide(sizes, q.k())
}

// firstDeploymentDeveloperN is not suppressed: it tells no duration. Reading: the format allows it only numbers.
func firstDeploymentDeveloperN(q question) (conformance.Answer, error) {
	cohort := q.developerCohort()
	n := len(cohort)
	return conformance.Answer{Value: sizes(cohort), N: &n}, nil
}
