package metrics

// Definition is one metric of the catalogue.
type Definition struct {
	ID         string   `json:"id"`
	Version    string   `json:"definition"`
	Title      string   `json:"title"`
	Unit       string   `json:"unit"`
	Better     string   `json:"better"` // higher, lower, or "" where neither is better
	Statistics []string `json:"statistics,omitempty"`
	GroupBy    []string `json:"group_by,omitempty"` // what answers can be told apart by
	Doc        string   `json:"doc"`                // path of the page that explains it

	answer   func(*Engine, *question) (Result, error)
	kinds    []string // of deployments
	evidence string   // which list of facts stands behind it
	shares   bool     // failures of the last days are still arriving
}

// Units.
const (
	unitDeployments = "deployments"

	unitDeploymentsPerWeek = "deployments/week"

	unitHours = "hours"
	unitDays  = "days"
	unitRatio = "ratio"
)

// Statistics that several metrics offer.
const (
	StatisticP50            = "p50"
	StatisticP75            = "p75"
	StatisticP90            = "p90"
	StatisticTypicalService = "typical_service"
	StatisticRate           = "rate"
)

// catalogue is every metric, in the order in which people read them.
func catalogue() []Definition {
	list := []Definition{
		{ID: "deployment_count", Version: "deployment_count.first_time_versions.v1", Title: "Deployments", Unit: unitDeployments, Better: "higher", answer: (*Engine).deploymentCount, kinds: []string{"change"}, evidence: "deployments"},
		{ID: "deployment_count_all", Version: "deployment_count_all.transitions.v1", Title: "Deployments, rollbacks and re-releases", Unit: unitDeployments, answer: (*Engine).deploymentCount, kinds: []string{"change", "rollback", "re_release"}, evidence: "deployments"},
		{ID: "redeploy_count", Version: "redeploy_count.v1", Title: "Redeploys", Unit: unitDeployments, answer: (*Engine).redeployCount, evidence: "runs"},
		{ID: "rollback_count", Version: "rollback_count.v1", Title: "Rollbacks", Unit: unitDeployments, Better: "lower", answer: (*Engine).deploymentCount, kinds: []string{"rollback"}, evidence: "deployments"},
		{ID: "deployments_per_week", Version: "deployments_per_week.elapsed.v1", Title: "Deployment frequency", Unit: unitDeploymentsPerWeek, Better: "higher", Statistics: []string{StatisticRate, StatisticTypicalService}, answer: (*Engine).deploymentsPerWeek, kinds: []string{"change"}, evidence: "deployments"},
		{ID: "deploy_days_per_week", Version: "deploy_days_per_week.median_whole_iso_weeks.v1", Title: "Deploy days per week", Unit: "days/week", Better: "higher", answer: (*Engine).deployDays, kinds: []string{"change"}, evidence: "deployments"},
		{ID: "deployment_gap", Version: "deployment_gap.median.v1", Title: "Time between deployments", Unit: unitHours, Better: "lower", answer: (*Engine).aggregate, kinds: []string{"change"}, evidence: "deployments"},
		{ID: "lead_time", Version: "lead_time.first_commit_to_first_target.v1", Title: "Lead time for changes", Unit: unitHours, Better: "lower", Statistics: []string{StatisticP50, StatisticP75, StatisticP90, StatisticTypicalService}, answer: (*Engine).leadTime, evidence: "changes"},
		{ID: "waiting_changes", Version: "waiting_changes.merged_not_live.v1", Title: "Waiting changes", Unit: "changes", Better: "lower", answer: (*Engine).waitingChanges, evidence: "waiting"},
		{ID: "change_failure_rate", Version: "change_failure_rate.failed_deployments.v1", Title: "Change failure rate", Unit: unitRatio, Better: "lower", answer: (*Engine).share, kinds: []string{"change", "failed_run"}, evidence: "deployments", shares: true},
		{ID: "failed_deployment_recovery", Version: "failed_deployment_recovery.kaplan_meier.v1", Title: "Failed deployment recovery time", Unit: unitHours, Better: "lower", Statistics: []string{StatisticP50, StatisticP90}, answer: (*Engine).survival, kinds: []string{"change", "failed_run"}, evidence: "failures", shares: true},
		{ID: "time_to_restore", Version: "time_to_restore.kaplan_meier.v1", Title: "Time to restore service", Unit: unitHours, Better: "lower", Statistics: []string{StatisticP50, StatisticP90}, answer: (*Engine).survival, evidence: "incidents"},
		{ID: "deployment_rework_rate", Version: "deployment_rework_rate.v1", Title: "Deployment rework rate", Unit: unitRatio, Better: "lower", answer: (*Engine).share, kinds: []string{"change", "rollback", "re_release"}, evidence: "deployments", shares: true},
		{ID: "time_to_first_deployment_service", Version: "time_to_first_deployment_service.kaplan_meier.v1", Title: "Time to first deployment of a new service", Unit: unitDays, Better: "lower", Statistics: []string{StatisticP50, StatisticP75}, answer: (*Engine).survival, evidence: "services"},
		{ID: "time_to_first_deployment_developer", Version: "time_to_first_deployment_developer.kaplan_meier.v1", Title: "Time to first deployment of a new developer", Unit: unitDays, Better: "lower", Statistics: []string{StatisticP50}, answer: (*Engine).newDevelopers, evidence: "people"},
		{ID: "adoption_rate", Version: "adoption_rate.evidence.v1", Title: "Platform adoption", Unit: unitRatio, Better: "higher", answer: (*Engine).adoption, evidence: "adoption"},
		{ID: "adoption_team_rate", Version: "adoption_team_rate.half_of_services.v1", Title: "Teams on the golden path", Unit: unitRatio, Better: "higher", answer: (*Engine).adoption, evidence: "adoption"},
		{ID: "adoption_index", Version: "adoption_index.mean_over_services.v1", Title: "Adoption index", Unit: unitRatio, Better: "higher", answer: (*Engine).adoption, evidence: "adoption"},
		{ID: "adoption_full_rate", Version: "adoption_full_rate.v1", Title: "Services fully on the golden path", Unit: unitRatio, Better: "higher", answer: (*Engine).adoption, evidence: "adoption"},
		{ID: "adoption_new_service_rate", Version: "adoption_new_service_rate.v1", Title: "New services from a golden-path template", Unit: unitRatio, Better: "higher", answer: (*Engine).share, evidence: "services"},
		{ID: "golden_deployment_share", Version: "golden_deployment_share.v1", Title: "Deployments through the golden path", Unit: unitRatio, Better: "higher", answer: (*Engine).share, kinds: []string{"change"}, evidence: "deployments"},
		{ID: "survey_response_rate", Version: "survey_response_rate.delivered_invitations.v1", Title: "Survey response rate", Unit: unitRatio, Better: "higher", answer: (*Engine).surveyMetric, evidence: "answers"},
		{ID: "csat", Version: "csat.top_two_of_five.v1", Title: "Developer satisfaction", Unit: unitRatio, Better: "higher", answer: (*Engine).surveyMetric, evidence: "answers"},
		{ID: "enps", Version: "enps.v1", Title: "Would recommend (eNPS)", Unit: "points -100..100", Better: "higher", answer: (*Engine).surveyMetric, evidence: "answers"},
		{ID: "survey_cells", Version: "survey_cells.k_anonymous.v1", Title: "Survey result by group", Unit: unitRatio, Better: "higher", answer: (*Engine).surveyMetric, evidence: "answers"},
		{ID: "pain_points", Version: "pain_points.share_of_respondents.v1", Title: "Pain points", Unit: "share of respondents", answer: (*Engine).surveyMetric, evidence: "answers"},
		{ID: "slo_attainment", Version: "slo_attainment.exact.v1", Title: "Service level objectives met", Unit: unitRatio, Better: "higher", answer: (*Engine).sloMetric, evidence: "slos"},
		{ID: "slo_coverage", Version: "slo_coverage.v1", Title: "Services with a measured objective", Unit: unitRatio, Better: "higher", answer: (*Engine).sloMetric, evidence: "slos"},
		{ID: "error_budget_remaining", Version: "error_budget_remaining.smallest.v1", Title: "Error budget remaining", Unit: unitRatio, Better: "higher", answer: (*Engine).sloMetric, evidence: "slos"},
	}
	for i := range list {
		list[i].Doc = "/docs/metrics/" + list[i].ID
		if e := list[i].evidence; e != "answers" && e != "people" {
			list[i].GroupBy = []string{GroupByService, GroupByTeam}
		}
	}
	return list
}

// Definitions lists the metrics.
func Definitions() []Definition { return catalogue() }

// Evidence names the list of facts that stands behind the metric: changes, deployments, runs, failures, incidents,
// waiting, services, adoption, slos, people or answers.
func (d Definition) Evidence() string { return d.evidence }

// targeted says whether the metric can be asked for one target of the deployments.
func (d Definition) targeted() bool {
	switch d.evidence {
	case "deployments", "runs", "failures", "changes":
		return true
	}
	return false
}
