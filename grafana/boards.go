package grafana

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// scope is whose numbers a dashboard shows.
type scope struct {
	labels string   // of the series
	page   string   // cairn's page about it
	to     []string // parameters of pages, in pairs
}

func ofAll() scope { return scope{`team="",service=""`, "/", nil} }
func ofTeam() scope {
	return scope{`team="$team"`, "/teams/${team:percentencode}", []string{"team", "${team:percentencode}"}}
}
func ofService() scope {
	return scope{`service="$service"`, "/services/${service:percentencode}", []string{"service", "${service:percentencode}"}}
}

// figure is a metric as dashboards show it.
type figure struct {
	metric, series, title, about, unit string
	statistics                         []string // that a chart shows, the first of which stands for it
	anywhere                           bool     // it is not about an environment
}

const quantiles = " Each quantile is computed from the cases of the window, never from other quantiles."

func leadTime() figure {
	return figure{"lead_time", "cairn_lead_time_seconds", "Lead time of changes", "From a change's first commit until it was live, of the changes that went live in the window." + quantiles, seconds, []string{"p50", "p75", "p90"}, false}
}
func deploymentsPerWeek() figure {
	return figure{"deployments_per_week", "cairn_deployments_per_week", "Deployments per week", "Deployments of new versions in the window, per elapsed week.", number, nil, false}
}
func changeFail() figure {
	return figure{"change_failure_rate", "cairn_change_fail_ratio", "Change fail rate", "Share of the deployments in the window that failed.", share, nil, false}
}
func recovery() figure {
	return figure{"failed_deployment_recovery", "cairn_recovery_time_seconds", "Recovery from failed deployments", "Time to recover from the failed deployments of the window." + quantiles, seconds, []string{"p50", "p90"}, false}
}
func restore() figure {
	return figure{"time_to_restore", "cairn_time_to_restore_seconds", "Time to restore service", "Time to restore service in the incidents that began in the window." + quantiles, seconds, []string{"p50", "p90"}, true}
}
func rework() figure {
	return figure{"deployment_rework_rate", "cairn_deployment_rework_ratio", "Deployment rework rate", "Share of the deployments in the window that repaired a failure.", share, nil, false}
}
func waiting() figure {
	return figure{"waiting_changes", "cairn_waiting_changes", "Changes that wait", "Changes that were merged and not live at each point in time.", number, nil, false}
}
func gap() figure {
	return figure{"deployment_gap", "cairn_deployment_gap_seconds", "Time between deployments", "Median time from a deployment of a service to its next.", seconds, nil, false}
}
func objectives() figure {
	return figure{"slo_attainment", "cairn_slo_attainment_ratio", "Objectives met", "Share of the service level objectives that were met at their newest measurement in the window.", share, nil, true}
}
func budget() figure {
	return figure{"error_budget_remaining", "cairn_slo_error_budget_remaining_ratio", "Error budget left", "Smallest share of an error budget that was left at its newest measurement in the window. Below 0 more was spent than there was.", share, nil, true}
}

// selector is the figure's series of a scope. more are further matchers.
func (f figure) selector(s scope, series string, more ...string) string {
	list := []string{s.labels, `window="$window"`}
	if !f.anywhere {
		list = append(list, `environment="$environment"`)
	}
	return series + "{" + strings.Join(append(list, more...), ",") + "}"
}

// samples is the family of how many cases a figure is of.
func (f figure) samples() string {
	name := f.series
	for _, unit := range []string{"_seconds", "_ratio", "_points"} {
		name = strings.TrimSuffix(name, unit)
	}
	return name + "_samples"
}

func (f figure) panel(s scope, wide, high uint32) panel {
	to := s.to
	if !f.anywhere {
		to = append([]string{"environment", "${environment:percentencode}"}, to...)
	}
	return panel{f.title, f.about, f.metric, to, f.unit, wide, high}
}

// figures shows each figure as the number of now and as a chart, four and two a row.
func (b *board) figures(s scope, stats, charts []figure) {
	for _, f := range stats {
		more, legend := []string{}, "value"
		if len(f.statistics) > 0 {
			more, legend = []string{fmt.Sprintf("statistic=%q", f.statistics[0])}, f.statistics[0]
		}
		b.now(f.panel(s, 6, 5), line{f.selector(s, f.series, more...), legend}, f.selector(s, f.samples()))
	}
	for _, f := range charts {
		more, legend := []string{}, f.title
		if len(f.statistics) > 0 {
			more, legend = []string{fmt.Sprintf("statistic=~%q", strings.Join(f.statistics, "|"))}, "{{statistic}}"
		}
		p := f.panel(s, 12, 8)
		b.chart(p, line{f.selector(s, f.series, more...), legend})
	}
}

// four are the DORA metrics that have been measured longest.
func four() []figure {
	return []figure{deploymentsPerWeek(), leadTime(), changeFail(), recovery()}
}

// rows are the columns of a table of teams or services. where is a matcher that selects them.
func rows(label, where string) []column {
	per := func(series, more string) string {
		return fmt.Sprintf(`max by (%s) (%s{%s,window="$window",environment="$environment"%s})`, label, series, where, more)
	}
	return []column{
		{"Deployments per week", per("cairn_deployments_per_week", ""), number},
		{"Lead time, median", per("cairn_lead_time_seconds", `,statistic="p50"`), seconds},
		{"Changes", per("cairn_lead_time_samples", ""), number},
		{"Change fail rate", per("cairn_change_fail_ratio", ""), share},
		{"Deployments", per("cairn_change_fail_samples", ""), number},
		{"Recovery, median", per("cairn_recovery_time_seconds", `,statistic="p50"`), seconds},
		{"Changes that wait", per("cairn_waiting_changes", ""), number},
	}
}

// toRow are the links of a row: to its dashboard and to cairn's page.
func toRow(kind, name string) []cog.Builder[dashboard.DashboardLink] {
	row := "${__data.fields." + name + ":percentencode}"
	return []cog.Builder[dashboard.DashboardLink]{
		link("Dashboard", "/d/cairn-"+kind+"?var-"+kind+"="+row+"&${datasource:queryparam}&${window:queryparam}&${environment:queryparam}&${__url_time_range}"),
		link("In cairn", in("/"+kind+"s/"+row, "environment", "${environment:percentencode}")),
	}
}

const aboutCases = " Beside a number stands of how many cases it is; where there are too few, or none, there is none."

func organisation() *board {
	s := ofAll()
	b := newBoard("organisation", "cairn: organisation", "Delivery of the whole organisation."+aboutCases, s.page, "now-6M", "1d")
	b.environments()
	b.windows("28d")
	b.marks("Incidents", `cairn_incidents_total`, "Incident in {{service}}", "service", "red", false)
	b.marks("Deployments", `cairn_deployments_total{environment="$environment"}`, "Deployment of {{service}}", "service", "blue", false)
	b.figures(s, four(), []figure{leadTime(), deploymentsPerWeek(), changeFail(), recovery(), restore(), rework(), waiting(), objectives()})
	b.row("Teams")
	b.list(panel{"Teams", "The window that ends with the span of time above. A team has the numbers of the teams below it. Beside a number stands of how many cases it is.", "", nil, "", 24, 14}, "team", "Team", toRow("team", "Team"), rows("team", `team!=""`)...)
	return b
}

func team() *board {
	s := ofTeam()
	b := newBoard("team", "cairn: team", "Delivery of one team and the teams below it."+aboutCases, s.page, "now-6M", "1d")
	b.environments()
	b.WithVariable(b.query("team", `label_values(cairn_deployments{window="28d"}, team)`).Label("Team"))
	b.WithVariable(b.query("services", `label_values(cairn_service_owner_info{team="$team"}, service)`).Hide(dashboard.VariableHideHideVariable).
		Description("Services that the team itself owns now: those with marks in the charts.").Multi(true).IncludeAll(true).Current(dashboard.VariableOption{
		Selected: cog.ToPtr(true), Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	}))
	b.windows("28d")
	b.marks("Incidents", `cairn_incidents_total{service=~"$services"}`, "Incident in {{service}}", "service", "red", true)
	b.marks("Deployments", `cairn_deployments_total{service=~"$services",environment="$environment"}`, "Deployment of {{service}}", "service", "blue", false)
	b.figures(s, four(), []figure{leadTime(), deploymentsPerWeek(), changeFail(), recovery(), restore(), rework(), waiting(), objectives()})
	b.row("Services")
	b.list(panel{"Services", "Services that the team itself owns now, in the window that ends with the span of time above. Beside a number stands of how many cases it is.", "", nil, "", 24, 10}, "service", "Service", toRow("service", "Service"), rows("service", `service=~"$services"`)...)
	return b
}

func service() *board {
	s := ofService()
	b := newBoard("service", "cairn: service", "Delivery of one service."+aboutCases, s.page, "now-6M", "1d")
	b.environments()
	b.WithVariable(b.query("service", `label_values(cairn_deployments_total, service)`).Label("Service"))
	b.windows("28d")
	b.marks("Incidents", `cairn_incidents_total{service="$service"}`, "Incident", "service", "red", true)
	b.marks("Deployments", `cairn_deployments_total{service="$service",environment="$environment"}`, "Deployment", "environment", "blue", true)
	b.figures(s, four(), []figure{leadTime(), deploymentsPerWeek(), changeFail(), recovery(), restore(), rework(), waiting(), gap(), objectives(), budget()})
	return b
}

func adoption() *board {
	s := ofAll()
	b := newBoard("adoption", "cairn: platform adoption", "How far the platform's golden paths are used."+aboutCases, "/", "now-1y", "1d")
	b.environments()
	b.windows("90d")
	rate := figure{"adoption_rate", "cairn_platform_adoption_ratio", "Adoption of capabilities", "Share of the capabilities that apply to services that are on the golden path, at each point in time.", share, nil, true}
	teams := figure{"adoption_team_rate", "cairn_platform_team_adoption_ratio", "Teams on the golden path", "Share of the teams that are on the golden path at each point in time.", share, nil, true}
	full := figure{"adoption_full_rate", "cairn_platform_full_adoption_ratio", "Services fully on the golden path", "Share of the services that are fully on the golden path at each point in time.", share, nil, true}
	index := figure{"adoption_index", "cairn_platform_adoption_index_ratio", "Adoption index", "Mean over services of their share of capabilities on the golden path, at each point in time.", share, nil, true}
	created := figure{"adoption_new_service_rate", "cairn_platform_new_service_ratio", "New services from a template", "Share of the services created in the window that came from a golden-path template.", share, nil, true}
	golden := figure{"golden_deployment_share", "cairn_platform_deployment_ratio", "Deployments by the golden path", "Share of the deployments in the window that went through the golden path.", share, nil, false}
	first := figure{"time_to_first_deployment_service", "cairn_service_time_to_first_deployment_seconds", "First deployment of new services", "Time to the first deployment of the services created in the window." + quantiles, seconds, []string{"p50", "p75"}, true}
	people := figure{"time_to_first_deployment_developer", "cairn_developer_time_to_first_deployment_seconds", "First deployment of new people", "Time to the first deployment of the people who began in the window. Of the whole organisation alone: small groups side by side give single people away.", seconds, []string{"p50"}, false}
	p := rate.panel(s, 6, 5)
	b.now(p, line{rate.selector(s, rate.series, `capability=""`), "value"}, rate.selector(s, rate.samples(), `capability=""`))
	b.figures(s, []figure{teams, golden, created}, nil)
	by := rate.panel(s, 12, 8)
	by.title = "Adoption by capability"
	b.chart(by, line{rate.selector(s, rate.series, `capability!=""`), "{{capability}}"})
	b.figures(s, nil, []figure{golden, full, index, teams, created, first, people})
	b.row("Teams")
	per := func(series, more string) string {
		return fmt.Sprintf(`max by (team) (%s{team!="",window="$window"%s})`, series, more)
	}
	b.list(panel{"Teams", "At the end of the span of time above. A team has the numbers of the teams below it.", "", nil, "", 24, 14}, "team", "Team", toRow("team", "Team"),
		column{"Adoption", per("cairn_platform_adoption_ratio", `,capability=""`), share},
		column{"Cases", per("cairn_platform_adoption_samples", `,capability=""`), number},
		column{"Services fully on the path", per("cairn_platform_full_adoption_ratio", ""), share},
		column{"Deployments by the path", per("cairn_platform_deployment_ratio", `,environment="$environment"`), share},
	)
	return b
}

func satisfaction() *board {
	s := scope{`team="",service=""`, "/", nil}
	b := newBoard("satisfaction", "cairn: satisfaction", "What people say in surveys, of the whole organisation alone: small groups side by side give single people away. Where too few answered there is no number.", "/", "now-2y", "1d")
	b.windows("90d")
	csat := figure{"csat", "cairn_survey_csat_ratio", "Satisfied (CSAT)", "Share of the answers in the latest survey of the window that were satisfied.", share, nil, true}
	enps := figure{"enps", "cairn_survey_enps_points", "Net promoter score", "Net promoter score of the latest survey of the window, from -100 to 100.", points, nil, true}
	response := figure{"survey_response_rate", "cairn_survey_response_ratio", "Answered", "Share of the people asked in the latest survey of the window who answered.", share, nil, true}
	for _, f := range []figure{csat, enps, response} {
		b.now(f.panel(s, 8, 5), line{f.selector(s, f.series), "value"}, f.selector(s, f.samples()))
	}
	b.figures(s, nil, []figure{csat, enps, response})
	answers := response.panel(s, 12, 8)
	answers.title, answers.about, answers.unit = "Answers", "How many answers the numbers are of.", number
	b.chart(answers, line{csat.selector(s, csat.samples()), "satisfied or not"}, line{enps.selector(s, enps.samples()), "net promoter"})
	return b
}

func health() *board {
	b := newBoard("health", "cairn: its own health", "What the program tells about itself. cairn keeps the last six hours since it started; a Prometheus that scrapes /metrics keeps more: choose it as the data source.", "/sources", "now-1h", "30s")
	about := func(title, text, unit string, wide uint32) panel { return panel{title, text, "", nil, unit, wide, 8} }
	first := func(title, text, unit, expr string) {
		p := about(title, text, unit, 6)
		p.high = 4
		b.now(p, line{expr, "{{version}}"}, "")
	}
	first("Attribution behind", "Seconds since an instant of which everything stored before is in the numbers. Goes up to half a minute and begins anew.", seconds, `cairn_attribution_lag_seconds`)
	first("Webhooks that wait", "Webhooks in the journal that the store does not have yet.", number, `cairn_webhook_journal_entries`)
	first("Lists that cannot be read", "Lists of sources whose latest turn failed, was denied, or found nothing there any more.", number, `sum(cairn_source_streams{outcome=~"denied|gone|failed"})`)
	first("Up since", "When cairn started.", "dateTimeFromNow", `process_start_time_seconds * 1000`)
	b.row("Intake")
	b.chart(about("Events stored", "Events that were stored, by kind.", rate, 12), line{`sum by (kind) (rate(cairn_intake_events_total[5m]))`, "{{kind}}"})
	b.chart(about("Webhooks", "Webhooks answered, by source and what became of them.", rate, 12), line{`sum by (source, outcome) (rate(cairn_webhooks_total[5m]))`, "{{source}} {{outcome}}"})
	b.chart(about("Journal of webhooks", "What waits because the store does not have it yet.", bytes, 12), line{`cairn_webhook_journal_bytes`, "bytes"})
	b.chart(about("Attribution behind", "Seconds since an instant of which everything stored before is in the numbers.", seconds, 12), line{`cairn_attribution_lag_seconds`, "behind"})
	b.row("Collectors")
	b.chart(about("Behind, by source and kind of list", "Since the list of this kind that was read longest ago was read without an error. Which one it is stands on the page of the source.", seconds, 12), line{`cairn_source_lag_seconds`, "{{source}} {{kind}}"})
	b.chart(about("Lists, by outcome", "Lists by the outcome of their latest turn.", number, 12), line{`sum by (source, outcome) (cairn_source_streams)`, "{{source}} {{outcome}}"})
	b.row("Questions")
	b.chart(about("Time to compute an answer", "95 % were faster, over five minutes; estimated from a histogram. Answers that were kept are not counted.", seconds, 12), line{`histogram_quantile(0.95, sum by (le) (rate(cairn_query_duration_seconds_bucket[5m])))`, "all metrics"})
	b.chart(about("Queries in PromQL", "That run, and that wait for their turn.", number, 12), line{`cairn_promql_queries`, "{{state}}"})
	b.chart(about("Requests", "Requests answered, by status.", "reqps", 12), line{`sum by (code) (rate(cairn_http_requests_total[5m]))`, "{{code}}"})
	b.chart(about("Time to answer", "95 % were faster, over five minutes, by route; estimated from a histogram.", seconds, 12), line{`histogram_quantile(0.95, sum by (le, route) (rate(cairn_http_request_duration_seconds_bucket[5m])))`, "{{route}}"})
	b.row("Program")
	b.chart(about("Memory", "Resident memory of the process, the engine's included.", bytes, 8), line{`process_resident_memory_bytes`, "resident"})
	b.chart(about("Processor", "Cores in use, over five minutes.", number, 8), line{`rate(process_cpu_seconds_total[5m])`, "cores"})
	b.chart(about("Weekly mails", "Attempts in the last hour, by how they ended.", number, 8), line{`sum by (outcome) (increase(cairn_weekly_mails_total[1h]))`, "{{outcome}}"})
	return b
}
