package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cairn/internal/fault"
)

// Diagnosis says, for one metric, how many facts are left at each step from what was told to what is counted.
type Diagnosis struct {
	Metric string `json:"metric"`
	Title  string `json:"title"`
	Steps  []Step `json:"steps"`
	// Missing is the first step at which nothing is left; "" when the metric has something to count.
	Missing string `json:"missing,omitempty"`
	Advice  string `json:"advice,omitempty"`
}

// Step is one step of a diagnosis.
type Step struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// Report is the doctor's report: a diagnosis for each metric, and what else is worth knowing.
type Report struct {
	Scope       Scope       `json:"scope"`
	Environment string      `json:"environment"`
	Metrics     []Diagnosis `json:"metrics"`
	Notes       []string    `json:"notes"`
	Rules       []RuleUse   `json:"rules"`   // that were applied to what the sources told, by source, the most used first; at most 100 each
	Unruled     []Unruled   `json:"unruled"` // what no rule decides, by source and repository; at most 200
}

// RuleUse says how often a rule was applied to what a source told.
type RuleUse struct {
	Source  string `json:"source"`
	Rule    string `json:"rule"`
	N       int64  `json:"n"`
	Example string `json:"example"` // what it was applied to last
	Subject string `json:"subject"` // the repository of the example
}

// Unruled is something of a repository that no rule decides.
type Unruled struct {
	Source  string `json:"source"`
	Subject string `json:"subject"` // the repository
	Kind    string `json:"kind"`    // of stream that lists it
	Rule    string `json:"rule"`    // what is missing
	N       int64  `json:"n"`
	Example string `json:"example"`
	Fix     string `json:"fix"` // a line for the configuration that would decide it; what stands in capital letters is to be filled in
}

// stage is a step with the count that it shows and what to do when there is none.
type stage struct{ count, name, advice string }

var (
	told        = stage{"runs", "deployment runs told", "No deployment was told yet: collect a repository's release tags (cairn collect git PATH --service NAME) or send deployment events to POST /api/v1/events."}
	inPlace     = stage{"runs_environment", "of them to this environment", "No deployment goes to this environment: its tier is read from the environment's name; give `tier: production` in the events, or ask for another environment."}
	succeeded   = stage{"runs_succeeded", "of them succeeded", "No run succeeded: only runs with the status succeeded change what is live. Tell the final status of each run."}
	withCommit  = stage{"runs_with_commit", "of them name a commit", "The runs do not say which commit they carried: send `revisions` with repository and sha."}
	commitKnown = stage{"runs_commit_known", "of them of a known commit", "The deployed commits are not among the collected ones: collect the repository that the runs name (cairn collect git), under the same repository id."}
	pastFirst   = stage{"runs_after_baseline", "of them after the first known one", "There is only the first known deployment. It is a baseline: it counts as a deployment and ships no lead times. The next one will."}
	changes     = stage{"changes", "changes first shipped by them", "The deployments shipped no new commit on the service's paths: check the service's repositories and paths, and that the commits' files are known."}
	byPeople    = stage{"changes_by_people", "of them by people", "All changes were written by machines; they are left out of lead time unless bots are asked for."}
	samples     = stage{"changes_sample", "of them with a lead time", "All changes were deployed before they were begun: the clocks of the commits and of the deployments disagree."}
	versions    = stage{"deployments_change", "first-time versions among them", "Every run brought a version that was live before."}
	transitions = stage{"deployments_all", "changes of what is live among them", "No run changed what is live."}
	population  = stage{"deployments_population", "deployments that could fail", "No new version was deployed."}
	failures    = stage{"deployments_failed", "of them failed", "No deployment is known to have failed. That is good news, or nobody tells: send incidents with `caused_by_deployment`, mark rollbacks and hotfixes, or allow linking incidents by time (incident_window)."}
	restored    = stage{"deployments_restored", "of them restored", "No failure has ended: send `restored_at` with the incidents."}
	incidents   = stage{"incidents", "incidents told", "No incident was told: send incident events to POST /api/v1/events."}
	incidentEnd = stage{"incidents_restored", "of them over", "No incident is over: send `restored_at` or `resolved_at`."}
	services    = stage{"services", "services known", "No service is known yet: send service events or deployments."}
	created     = stage{"services_created", "of them with a creation date", "No service says when it was created: send `created_at` with the service."}
	native      = stage{"services_not_imported", "of them not imported", "Every service was in production before it was registered: imports say nothing about first deployments."}
	deployed    = stage{"services_deployed", "of them deployed", "None of the new services has reached production yet."}
	inCatalogue = stage{"services_in_production", "services with the lifecycle production", "The catalogue knows no service in production: send service events."}
	evidence    = stage{"capability_uses", "observations of capabilities", "Nothing is known of which capabilities services use: send capability_use events."}
	via         = stage{"services_created_via", "of them say how they were created", "No service says how it was created: send `created_via`."}
	ways        = stage{"deployments_with_way", "of them say their way", "No deployment says whether it went through the golden-path pipeline: send `way`."}
	asked       = stage{"invitations_delivered", "delivered invitations", "Nobody was asked, as far as is known: send survey_invitation events; answers of people who were not asked do not count."}
	answers     = stage{"responses_invited", "answers of people who were asked", "Nobody who was asked has answered; check that respondents are named alike in invitations and responses."}
	waves       = stage{"surveys", "surveys told", "No survey was told: send survey, survey_invitation and survey_response events."}
	newcomers   = stage{"people_first_day", "people with a first day", "No person has a first day: send person events with `first_day`."}
	shippers    = stage{"people_shipped", "of them with a commit in production", "No commit in production carries the name of one of these people: list their e-mail addresses in `aliases`."}
	objectives  = stage{"slos", "measurements of objectives", "No service level objective was told: send slo events."}
	traffic     = stage{"slos_with_traffic", "of them with traffic", "No measurement had any traffic."}
	mainBranch  = stage{"default_branches", "repositories with a known default branch", "No default branch is known: what is merged is what its head reaches; send branch events, or collect with git."}
	waits       = stage{"waiting", "changes merged and not live", "Everything that was merged is live."}
)

// chains are the steps of each metric.
func chains() map[string][]stage {
	runs := []stage{told, inPlace, succeeded}
	deployments := append(append([]stage{}, runs...), versions)
	leadTime := append(append([]stage{}, runs...), withCommit, commitKnown, pastFirst, changes, byPeople, samples)
	survey := []stage{waves, asked, answers}
	adoption := []stage{inCatalogue, evidence}
	return map[string][]stage{
		"deployment_count": deployments, "deployments_per_week": deployments, "deploy_days_per_week": deployments, "deployment_gap": deployments,
		"deployment_count_all": append(append([]stage{}, runs...), transitions), "rollback_count": append(append([]stage{}, runs...), transitions), "redeploy_count": runs,
		"lead_time": leadTime, "waiting_changes": append(append([]stage{}, runs...), mainBranch, waits),
		"change_failure_rate": append(append([]stage{}, runs...), population), "failed_deployment_recovery": append(append([]stage{}, runs...), population, failures, restored),
		"deployment_rework_rate": append(append([]stage{}, runs...), transitions), "time_to_restore": {incidents, incidentEnd},
		"time_to_first_deployment_service": {services, created, native, deployed}, "time_to_first_deployment_developer": {newcomers, shippers},
		"adoption_rate": adoption, "adoption_team_rate": adoption, "adoption_index": adoption, "adoption_full_rate": adoption,
		"adoption_new_service_rate": {services, created, via}, "golden_deployment_share": append(append([]stage{}, deployments...), ways),
		"survey_response_rate": {waves, asked}, "csat": survey, "enps": survey, "survey_cells": survey, "pain_points": survey,
		"slo_attainment": {objectives, traffic}, "slo_coverage": {inCatalogue, objectives, traffic}, "error_budget_remaining": {objectives, traffic},
	}
}

// Doctor says of each metric, or of one, where its facts get lost. Errors are those of Query.
func (e *Engine) Doctor(ctx context.Context, metric string, scope Scope, environment string) (Report, error) {
	asked := metric
	if asked == "" {
		asked = e.list[0].ID
	}
	now := e.now()
	q, err := e.ask(ctx, Request{Metric: asked, Scope: scope, Environment: environment, Window: Window{From: now.AddDate(-1, 0, 0), To: now, Zone: now.UTC().Location()}})
	if err != nil {
		return Report{}, err
	}
	var rows []struct {
		Step string `ch:"step"`
		N    int64  `ch:"n"`
	}
	if err := e.st.Select(ctx, &rows, e.query("evidence/doctor"), q.use()); err != nil {
		return Report{}, fmt.Errorf("metrics.Doctor: %w", err)
	}
	counts := map[string]int64{}
	for _, r := range rows {
		counts[r.Step] = r.N
	}
	report := Report{Scope: q.Scope, Environment: q.Environment, Notes: []string{}}
	if err := e.readRules(ctx, q, &report); err != nil {
		return Report{}, fmt.Errorf("metrics.Doctor: %w", err)
	}
	steps := chains()
	for _, def := range e.list {
		if metric != "" && def.ID != metric {
			continue
		}
		d := Diagnosis{Metric: def.ID, Title: def.Title}
		for _, s := range steps[def.ID] {
			n, ok := counts[s.count]
			if !ok {
				return Report{}, fault.New(fault.Internal, "metrics.Doctor: nothing counts %q", s.count)
			}
			d.Steps = append(d.Steps, Step{Name: s.name, N: n})
			if n == 0 && d.Missing == "" {
				d.Missing, d.Advice = s.name, s.advice
			}
		}
		report.Metrics = append(report.Metrics, d)
	}
	for _, note := range []struct {
		n    int64
		text string
	}{
		{counts["lineage_unknown"], "runs follow a revision that is not among the known commits (force-pushed, or not collected): each is taken as a new baseline and ships no lead times"},
		{counts["rollback_to_never_live"], "runs were called rollbacks, but brought a version that was never live: they are counted as changes"},
		{counts["redeploys"], "runs brought what was live already: they are no deployments"},
		{counts["incidents"] - counts["incidents_linked"], "incidents are blamed on no deployment: they count in the time to restore alone"},
	} {
		if note.n > 0 {
			report.Notes = append(report.Notes, fmt.Sprintf("%d %s.", note.n, note.text))
		}
	}
	return report, nil
}

// readRules adds to a report what the rules did.
func (e *Engine) readRules(ctx context.Context, q *question, report *Report) error {
	v := only(q.use(), "any_service", "services")
	var uses []struct {
		Source  string `ch:"source"`
		Rule    string `ch:"name"`
		N       int64  `ch:"uses"`
		Example string `ch:"example"`
		Subject string `ch:"subject"`
	}
	if err := e.st.Select(ctx, &uses, e.query("records/source_rules"), v); err != nil {
		return err
	}
	report.Rules, report.Unruled = []RuleUse{}, []Unruled{}
	for _, r := range uses {
		report.Rules = append(report.Rules, RuleUse(r))
	}
	var rows []struct {
		Source  string `ch:"source"`
		Subject string `ch:"subject"`
		Kind    string `ch:"kind"`
		Rule    string `ch:"rule"`
		Missing string `ch:"missing"`
		N       int64  `ch:"n"`
		Example string `ch:"example"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/source_unruled"), v); err != nil {
		return err
	}
	for _, r := range rows {
		report.Unruled = append(report.Unruled, Unruled{
			Source: r.Source, Subject: r.Subject, Kind: r.Kind, Rule: r.Rule, N: r.N, Example: r.Example, Fix: fix(r.Missing, r.Subject, r.Kind, r.Example),
		})
	}
	return nil
}

// fix is the line of the configuration that decides what no rule does. A text in JSON is one in YAML.
func fix(missing, subject, kind, example string) string {
	text := func(s string) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(s) // a text can be written
		return strings.TrimSpace(b.String())
	}
	example = strings.TrimSuffix(example, " of "+subject)
	if missing == "service" {
		return fmt.Sprintf("rules.services: {repository: %s, service: NAME}", text(subject))
	}
	from := map[string]string{"deployments": "deployment", "runs": "workflow", "releases": "release", "commits": "tag"}[kind]
	if from == "" {
		from = "FROM"
	}
	line := fmt.Sprintf("rules.deployments: {repository: %s, from: %s", text(subject), from)
	if example != "" {
		line += ", name: " + text(example)
	}
	if missing == "whose" || missing == "name" {
		line += ", service: NAME"
	}
	return line + "}"
}
