package prometheus

import (
	"slices"
	"time"
)

// gauge is a metric as a family of series.
type gauge struct {
	name       string
	metric     string   // in the catalogue of metrics
	statistics []string // one series for each, where the metric has several
	scale      float64  // what the metric's value is multiplied with to be in base units
	help       string

	environment bool // the metric is one of an environment
	people      bool // it is about people: of the whole organisation alone
	capability  bool // there is a series for each capability besides
}

const (
	hours = 3600
	days  = 24 * hours
)

// gauges is every family of gauges. Beside each there is one of its sample sizes; see samplesOf.
func gauges() []gauge {
	return []gauge{
		{name: "cairn_deployments", metric: "deployment_count", environment: true, help: "Deployments of new versions in the window, counted exactly"},
		{name: "cairn_deployments_per_week", metric: "deployments_per_week", environment: true, help: "Deployments of new versions in the window, per elapsed week"},
		{name: "cairn_deployment_gap_seconds", metric: "deployment_gap", scale: hours, environment: true, help: "Median time from a deployment of a service to its next"},
		{name: "cairn_redeployments", metric: "redeploy_count", environment: true, help: "Redeploys of what was live already in the window"},
		{name: "cairn_rollbacks", metric: "rollback_count", environment: true, help: "Rollbacks in the window"},
		{name: "cairn_lead_time_seconds", metric: "lead_time", statistics: []string{"p50", "p75", "p90"}, scale: hours, environment: true, help: "Lead time of the changes that went live in the window"},
		{name: "cairn_waiting_changes", metric: "waiting_changes", environment: true, help: "Changes that were merged and not live at the end of the window"},
		{name: "cairn_change_fail_ratio", metric: "change_failure_rate", environment: true, help: "Share of the deployments in the window that failed"},
		{name: "cairn_recovery_time_seconds", metric: "failed_deployment_recovery", statistics: []string{"p50", "p90"}, scale: hours, environment: true, help: "Time to recover from the failed deployments of the window"},
		{name: "cairn_time_to_restore_seconds", metric: "time_to_restore", statistics: []string{"p50", "p90"}, scale: hours, help: "Time to restore service in the incidents that began in the window"},
		{name: "cairn_deployment_rework_ratio", metric: "deployment_rework_rate", environment: true, help: "Share of the deployments in the window that repaired a failure"},
		{name: "cairn_service_time_to_first_deployment_seconds", metric: "time_to_first_deployment_service", statistics: []string{"p50", "p75"}, scale: days, help: "Time to the first deployment of the services created in the window"},
		{name: "cairn_developer_time_to_first_deployment_seconds", metric: "time_to_first_deployment_developer", statistics: []string{"p50"}, scale: days, environment: true, people: true, help: "Time to the first deployment of the people who began in the window"},
		{name: "cairn_platform_adoption_ratio", metric: "adoption_rate", capability: true, help: "Share of the capabilities that apply to services that are on the golden path at the end of the window"},
		{name: "cairn_platform_team_adoption_ratio", metric: "adoption_team_rate", help: "Share of the teams that are on the golden path at the end of the window"},
		{name: "cairn_platform_adoption_index_ratio", metric: "adoption_index", help: "Mean over services of their share of capabilities on the golden path at the end of the window"},
		{name: "cairn_platform_full_adoption_ratio", metric: "adoption_full_rate", help: "Share of the services that are fully on the golden path at the end of the window"},
		{name: "cairn_platform_new_service_ratio", metric: "adoption_new_service_rate", help: "Share of the services created in the window that came from a golden-path template"},
		{name: "cairn_platform_deployment_ratio", metric: "golden_deployment_share", environment: true, help: "Share of the deployments in the window that went through the golden path"},
		{name: "cairn_survey_response_ratio", metric: "survey_response_rate", people: true, help: "Share of the people asked in the latest survey of the window who answered"},
		{name: "cairn_survey_csat_ratio", metric: "csat", people: true, help: "Share of the answers in the latest survey of the window that were satisfied"},
		{name: "cairn_survey_enps_points", metric: "enps", people: true, help: "Net promoter score of the latest survey of the window, from -100 to 100"},
		{name: "cairn_slo_attainment_ratio", metric: "slo_attainment", help: "Share of the service level objectives that were met at their newest measurement in the window"},
		{name: "cairn_slo_coverage_ratio", metric: "slo_coverage", help: "Share of the services in production that have a measured objective in the window"},
		{name: "cairn_slo_error_budget_remaining_ratio", metric: "error_budget_remaining", help: "Smallest share of an error budget that was left at its newest measurement in the window"},
	}
}

// samplesOf names the family of a gauge's sample sizes.
func samplesOf(name string) string {
	for _, unit := range []string{"_seconds", "_ratio", "_points"} {
		if len(name) > len(unit) && name[len(name)-len(unit):] == unit {
			return name[:len(name)-len(unit)] + "_samples"
		}
	}
	return name + "_samples"
}

// Families that are no gauges of a window.
const (
	deploymentsTotal = "cairn_deployments_total"
	incidentsTotal   = "cairn_incidents_total"
	ownerInfo        = "cairn_service_owner_info"
)

// What families that are no gauges of a window tell.
const (
	deploymentsHelp = "Deployments of new versions so far"
	incidentsHelp   = "Incidents that began so far, in each service that they touched"
	ownerHelp       = "1 for each service and each team that owns it now"
)

// Labels.
const (
	labelTeam        = "team"
	labelService     = "service"
	labelEnvironment = "environment"
	labelWindow      = "window"
	labelStatistic   = "statistic"
	labelCapability  = "capability"
)

// windowLength is a window as a label and as a length.
type windowLength struct {
	label  string
	length time.Duration
}

// windows are those that every gauge has.
func windows() []windowLength {
	const day = 24 * time.Hour
	return []windowLength{{"7d", 7 * day}, {"28d", 28 * day}, {"90d", 90 * day}}
}

// family is a family of series as it is told about.
type family struct{ name, kind, help, unit string }

// families lists every family, by name.
func families() []family {
	list := []family{{deploymentsTotal, "counter", deploymentsHelp, ""}, {incidentsTotal, "counter", incidentsHelp, ""}, {ownerInfo, "gauge", ownerHelp, ""}}
	for _, g := range gauges() {
		list = append(list, family{g.name, "gauge", g.help, ""}, family{samplesOf(g.name), "gauge", "How many cases " + g.name + " is computed from", ""})
	}
	slices.SortFunc(list, func(a, b family) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return list
}
