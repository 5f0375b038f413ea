// Package reference computes the answer to every question of a worked case straight from its events, as literally and
// as plainly as the definitions can be written down: maps, sets and loops, no store and no short cut, quadratic where
// that is simpler. It stands outside the data's way; tests hold the product's engine against it. Each rule names the
// section of the definitions that it comes from, and "reading:" marks what the definitions leave open.
package reference

import (
	"fmt"
	"time"

	"cairn/internal/conformance"
)

// Compute returns the value that answers the expectation: float64, int, nil, a text, []string, []any, or a map.
func Compute(c conformance.Case, e conformance.Expectation) (any, error) {
	answer, err := Answer(c, e)
	return answer.Value, err
}

// Answer returns the whole answer. With a bucket the value is a list with one element per bucket of the window.
func Answer(c conformance.Case, e conformance.Expectation) (conformance.Answer, error) {
	settings, err := c.Settings.Override(e.SettingsOverride)
	if err != nil {
		return conformance.Answer{}, err
	}
	location, err := time.LoadLocation(e.TimeZone)
	if err != nil {
		return conformance.Answer{}, err
	}
	from, to, err := e.Window.In(e.TimeZone)
	if err != nil {
		return conformance.Answer{}, err
	}
	metric, exists := metrics[e.Metric]
	if !exists {
		return conformance.Answer{}, fmt.Errorf("there is no metric %q", e.Metric)
	}
	h := newHistory(c, settings)
	q := question{history: h, Expectation: e, location: location, from: from, to: to}
	if q.Scope.Service != "" {
		q.Scope.Service = h.serviceID(q.Scope.Service) // §1 renames are aliases of a stable service id
	}
	if e.Bucket == "" {
		return metric(q)
	}

	var answer conformance.Answer
	series := []any{}
	buckets, err := cut(from, to, e.Bucket, location)
	if err != nil {
		return conformance.Answer{}, err
	}
	for _, b := range buckets {
		part := q
		part.from, part.to = b.from, b.to
		one, err := metric(part)
		if err != nil {
			return conformance.Answer{}, err
		}
		// §9, §14: counts are 0 within the life and null outside it and in the future; everything else is null
		// without data. Reading: nothing has a value in a bucket that begins after as_of.
		if b.from.After(c.AsOf) || counts[e.Metric] && !q.aliveDuring(b.from, b.to) {
			one.Value = nil
		}
		series = append(series, one.Value)
		answer.BucketLabels = append(answer.BucketLabels, b.label)
		answer.Partial = append(answer.Partial, !b.from.After(c.AsOf) && c.AsOf.Before(b.to)) // §14 start ≤ as_of < end
	}
	answer.Value = series
	return answer, nil
}

// question is an expectation without its answer, about one bucket or the whole window [from, to).
type question struct {
	*history
	conformance.Expectation
	location *time.Location
	from, to time.Time
}

// within says whether the instant lies in the half-open window (§0).
func (q question) within(t time.Time) bool { return !t.IsZero() && !t.Before(q.from) && t.Before(q.to) }

// has says whether a fact of the service at instant t belongs to the scope: a fact belongs to the owner at its event
// time (§1).
func (q question) has(service string, t time.Time) bool {
	switch {
	case q.Scope.Service != "":
		return service == q.Scope.Service
	case q.Scope.Team != "":
		return q.owner(service, t) == q.Scope.Team
	}
	return true
}

// elapsed is the end of the part of the window that has passed (§3).
func (q question) elapsed() time.Time { return earliest(q.to, q.asOf) }

func number(value float64, n int) (conformance.Answer, error) {
	return conformance.Answer{Value: value, N: &n}, nil
}

// ratio is part/whole, null without a whole (§0).
func ratio(part, whole int) (conformance.Answer, error) {
	if whole == 0 {
		return conformance.Answer{N: &whole}, nil
	}
	return number(float64(part)/float64(whole), whole)
}

func count(n int) (conformance.Answer, error) { return conformance.Answer{Value: n, N: &n}, nil }

// of is a percentile, null where it does not exist.
func of(value float64, exists bool, n int) (conformance.Answer, error) {
	if !exists {
		return conformance.Answer{N: &n}, nil
	}
	return number(value, n)
}

type metricFunc func(question) (conformance.Answer, error)

// counts are the metrics whose empty buckets are 0 within the service's life (§9).
var counts = map[string]bool{
	"deployment_count": true, "deployment_count_all": true, "redeploy_count": true, "rollback_count": true,
	"lead_time_n": true, "lead_time_excluded_negative": true, "failed_deployment_unresolved": true,
}

var metrics = map[string]metricFunc{
	"deployment_count":                    deploymentCount,
	"deployment_count_all":                deploymentCountAll,
	"redeploy_count":                      redeployCount,
	"rollback_count":                      rollbackCount,
	"deployments_per_week":                deploymentsPerWeek,
	"deployments_per_week_service_median": deploymentsPerWeekServiceMedian,
	"deploy_days_per_week_median":         deployDaysPerWeekMedian,

	"lead_time_p50":                leadTime(.5),
	"lead_time_p75":                leadTime(.75),
	"lead_time_p90":                leadTime(.9),
	"lead_time_service_median_p50": leadTimeServiceMedian,
	"lead_time_n":                  leadTimeN,
	"lead_time_excluded_negative":  leadTimeExcludedNegative,
	"lead_time_stage_p50":          leadTimeStage,

	"failed_deployments":             failedDeployments,
	"change_failure_rate":            changeFailureRate,
	"change_failure_rate_ci95":       changeFailureRateInterval,
	"deployment_rework_rate":         deploymentReworkRate,
	"failed_deployment_recovery_p50": recovery(1, 2),
	"failed_deployment_recovery_p90": recovery(9, 10),
	"failed_deployment_unresolved":   unresolved,
	"time_to_restore_p50":            timeToRestore,

	"time_to_first_deployment_service_p50":   firstDeploymentService,
	"time_to_first_deployment_service_n":     firstDeploymentServiceN,
	"time_to_first_deployment_developer_p50": firstDeploymentDeveloper,
	"time_to_first_deployment_developer_n":   firstDeploymentDeveloperN,

	"adoption_rate":             adoptionRate,
	"adoption_counts":           adoptionCounts,
	"adoption_team_rate":        adoptionTeamRate,
	"adoption_index":            adoptionIndex,
	"adoption_full_rate":        adoptionFullRate,
	"adoption_new_service_rate": adoptionNewServiceRate,
	"golden_deployment_share":   goldenDeploymentShare,

	"survey_response_rate": surveyResponseRate,
	"csat":                 csat,
	"csat_ci95":            csatInterval,
	"enps":                 enps,
	"enps_ci95":            enpsInterval,
	"survey_cells":         surveyCells,
	"pain_points":          painPoints,

	"slo_attainment":         sloAttainment,
	"slo_coverage":           sloCoverage,
	"error_budget_remaining": errorBudgetRemaining,
}
