// Package conformancetest invents histories: small random cases in which everything that the definitions speak of may
// happen, and the questions to ask about them. It stands outside the data's way and is imported by tests only, which
// ask two engines the same questions. All values come from small pools, so that interesting coincidences are common:
// the same instants, the same shas in several repositories, windows that begin at a deployment.
package conformancetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/conformance"
)

// Features says what may happen in a history. Turning one off narrows down which of them two engines disagree about.
type Features struct {
	PullRequests, CherryPicks, Reverts, Merges, Bots bool
	Targets, Rollbacks, Redeploys, FailedRuns        bool
	UnknownRevisions, PartialRevisions, Monorepos    bool
	SkewedClocks, Incidents, Hotfixes, Remediations  bool
	Ownership, Retirement, LateTellings, IncidentWin bool
	Adoption, Surveys, Reliability                   bool
	// OpenPoints are those on which the definitions can be read in more than one way: a cancelled run that an incident
	// names, reverts of merge commits, remediated deployments without an incident, deployments after the retirement.
	OpenPoints bool
}

// Everything turns everything on.
func Everything() Features {
	may := Settled()
	may.OpenPoints = true
	return may
}

// Settled turns everything on but the open points.
func Settled() Features {
	return Features{
		PullRequests: true, CherryPicks: true, Reverts: true, Merges: true, Bots: true,
		Targets: true, Rollbacks: true, Redeploys: true, FailedRuns: true,
		UnknownRevisions: true, PartialRevisions: true, Monorepos: true,
		SkewedClocks: true, Incidents: true, Hotfixes: true, Remediations: true,
		Ownership: true, Retirement: true, LateTellings: true, IncidentWin: true,
		Adoption: true, Surveys: true, Reliability: true,
	}
}

// start is a Monday; the weeks that follow have the changes to summer time of New York (2026-03-08) and Berlin
// (2026-03-29) in them.
var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const days = 35

// Case draws a history and questions about it, whose values are left nil: every metric for every scope or, with most
// above 0, that many of them.
func Case(t *rapid.T, may Features, most int) conformance.Case {
	g := &generator{T: t, may: may, runs: map[string][]string{}, causes: map[string][]string{}}
	c := conformance.Case{
		ID:    "random",
		Title: "Random history",
		AsOf:  g.from("as_of", start.AddDate(0, 0, 30), start.AddDate(0, 0, 22), start.AddDate(0, 0, 40), start.AddDate(0, 0, 14).Add(10*time.Hour)),
	}
	c.Settings = settings(g.zone())
	if g.chance("shorter windows", 3) {
		c.Settings.RolloutWindowHours = g.number("rollout_window_hours", 6, 24)
		c.Settings.FailureInference.HotfixWindowHours = g.number("hotfix_window_hours", 6, 48)
	}
	g.asOf = c.AsOf
	g.people(&c.Events)
	g.repos(&c.Events)
	if !may.OpenPoints {
		c.Events.Commits = withoutRevertedMerges(c.Events.Commits)
	}
	g.services(&c.Events)
	g.deployments(&c.Events)
	if may.Incidents {
		g.incidents(&c.Events)
	}
	if may.Adoption {
		g.adoption(&c.Events)
	}
	if may.Surveys {
		g.survey(&c.Events)
	}
	if may.Reliability {
		g.objectives(&c.Events)
	}
	all := g.questions(c)
	if most <= 0 || most >= len(all) {
		c.Expected = all
		return c
	}
	for range most {
		c.Expected = append(c.Expected, rapid.SampledFrom(all).Draw(t, "question"))
	}
	return c
}

func settings(zone string) conformance.Settings {
	return conformance.Settings{
		TimeZone:                 zone,
		QuantileMethod:           "R7_linear_inclusive; Kaplan-Meier inf{t: S(t)<=1-p} when the cohort has censored members",
		LeadTimeUnit:             "pull_request_else_commit",
		LeadTimeStart:            "earliest commit of the change, per commit min(author_time, commit_time)",
		LeadTimeEnd:              "finished_at of the first successful production deployment (first target) that contains the change",
		NegativeToleranceSeconds: 300,
		MonorepoNoopDeploys:      "exclude",
		RolloutWindowHours:       24,
		FailureInference:         conformance.FailureInference{Rollback: true, Revert: true, Hotfix: true, HotfixWindowHours: 24},
		TTFDStart:                "created_at",
		AnonymityK:               5,
		AdoptionSignalTTLDays:    30,
		TeamAdoptionThreshold:    .5,
		Z:                        1.959963984540054,
	}
}

type generator struct {
	*rapid.T
	may    Features
	asOf   time.Time
	runs   map[string][]string // service to the ids of its deployments
	causes map[string][]string // and to those that an incident may name
}

// JSON writes the case in the format of the files, for a test that reports one.
func JSON(c conformance.Case) string {
	raw, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// chance is true once in n times.
func (g *generator) chance(label string, n int) bool {
	return rapid.IntRange(1, n).Draw(g.T, label) == n
}

func (g *generator) int(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(g.T, label)
}

func (g *generator) one(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(g.T, label)
}

func (g *generator) number(label string, of ...float64) float64 {
	return rapid.SampledFrom(of).Draw(g.T, label)
}

func (g *generator) from(label string, of ...time.Time) time.Time {
	return rapid.SampledFrom(of).Draw(g.T, label)
}

// some draws a few of the given texts, in their order and without repetition.
func (g *generator) some(label string, of ...string) []string {
	kept := []string{}
	for _, text := range of {
		if g.chance(label+" "+text, 2) {
			kept = append(kept, text)
		}
	}
	return kept
}

func (g *generator) zone() string {
	return g.one("zone", "UTC", "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata")
}

// instant draws from a grid: days from..to after the start, at one of a few hours, now and then a little beside it.
func (g *generator) instant(label string, from, to int) time.Time {
	hour := g.number(label+" hour", 0, 4, 5, 9, 10, 12, 12.5, 23)
	t := start.AddDate(0, 0, g.int(label+" day", from, to)).Add(time.Duration(hour * float64(time.Hour)))
	switch g.int(label+" beside", 0, 11) {
	case 0:
		return t.Add(-time.Second)
	case 1:
		return t.Add(5 * time.Minute)
	}
	return t
}

// after draws an instant up to a few days after t.
func (g *generator) after(label string, t time.Time) time.Time {
	return t.Add(time.Duration(g.number(label, 0, .05, .5, 1, 2, 6, 23, 24, 25, 50) * float64(time.Hour)))
}

// maybe is the instant, or zero once in n times.
func (g *generator) maybe(label string, n int, t time.Time) time.Time {
	if g.chance("no "+label, n) {
		return time.Time{}
	}
	return t
}

func (g *generator) people(e *conformance.Events) {
	for i := range g.int("people", 3, 14) {
		p := conformance.Person{ID: fmt.Sprintf("p%d", i), Team: g.one("team of person", "t1", "t2", "")}
		if !g.chance("no first day", 5) {
			p.FirstDay = start.AddDate(0, 0, g.int("first day", -2, 12)).Format(time.DateOnly)
		}
		e.People = append(e.People, p)
	}
	if g.may.Bots {
		e.People = append(e.People, conformance.Person{ID: "bot", Bot: true, FirstDay: start.Format(time.DateOnly), Team: "t1"})
	}
	e.Teams = []conformance.Team{{ID: "t1"}, {ID: "t2"}}
}

func (g *generator) services(e *conformance.Events) {
	repos := []string{}
	for _, r := range e.Repos {
		repos = append(repos, r.ID)
	}
	for i := range g.int("services", 1, 4) {
		s := conformance.Service{
			ID: fmt.Sprintf("s%d", i), Name: fmt.Sprintf("s%d", i), Aliases: []string{}, Lifecycle: "production",
			CreatedAt:  g.instant("created", -3, 8),
			CreatedVia: g.one("created_via", "golden_template", "manual", ""),
		}
		if s.CreatedAt.After(g.asOf) {
			s.CreatedAt = start
		}
		if g.chance("alias", 2) {
			s.Aliases = append(s.Aliases, "old-"+s.ID)
		}
		if g.chance("experimental", 5) {
			s.Lifecycle = "experimental"
		}
		if g.chance("idea", 2) {
			s.IdeaAt = s.CreatedAt.AddDate(0, 0, -g.int("idea days", 0, 9))
		}
		if g.may.Retirement && g.chance("retired", 5) {
			s.RetiredAt = g.instant("retired", 8, days)
		}
		for _, repo := range repos {
			if len(s.Repos) > 0 && g.chance("without "+repo, 2) {
				continue
			}
			listed := conformance.ServiceRepo{Repo: repo}
			if g.may.Monorepos && g.chance("paths of "+repo, 2) {
				listed.Paths = g.some("path", "web", "web/", "api/", "lib/")
				if len(listed.Paths) == 0 {
					listed.Paths = []string{"web"}
				}
			}
			s.Repos = append(s.Repos, listed)
		}
		e.Services = append(e.Services, s)
		if g.may.Ownership {
			g.ownership(e, s)
		}
	}
}

// ownership gives the service one owner after the other, now and then none for a while.
func (g *generator) ownership(e *conformance.Events, s conformance.Service) {
	name := g.one("name of the owned", append(slices.Clone(s.Aliases), s.ID)...)
	var from time.Time
	for range g.int("owners", 0, 3) {
		o := conformance.Ownership{Service: name, Team: g.one("owner", "t1", "t2"), From: from}
		to := g.instant("owned until", 1, 25)
		if !to.After(from) {
			return
		}
		if !g.chance("owned for ever", 3) {
			o.To = to
		}
		e.Ownership = append(e.Ownership, o)
		if o.To.IsZero() {
			return
		}
		from = to
		if g.chance("nobody's for a while", 4) {
			from = to.AddDate(0, 0, 2)
		}
	}
}

// questions lists every metric, for every scope, over some windows and buckets.
func (g *generator) questions(c conformance.Case) []conformance.Expectation {
	scopes := []conformance.Scope{{Org: true}}
	for _, team := range c.Events.Teams {
		scopes = append(scopes, conformance.Scope{Team: team.ID})
	}
	for _, s := range c.Events.Services {
		scopes = append(scopes, conformance.Scope{Service: s.ID})
	}
	wall := func(day int, clock string) string { return start.AddDate(0, 0, day).Format(time.DateOnly) + clock }
	whole := conformance.Window{From: wall(-10, "T00:00"), To: wall(days, "T00:00")}
	from := g.int("window from", 0, 20)
	part := conformance.Window{
		From: wall(from, g.one("window clock", "T00:00", "T12:00")),
		To:   wall(from+g.int("window days", 1, 16), g.one("window clock", "T00:00", "T12:00", "T12:30")),
	}
	var asked []conformance.Expectation
	ask := func(e conformance.Expectation) { asked = append(asked, e) }
	override := map[string]any{}
	if g.may.IncidentWin {
		override["failure_inference"] = map[string]any{"incident_window_minutes": g.number("incident window", 30, 60, 1500)}
	}
	if g.chance("include bots", 2) {
		override["include_bots_in_lead_time"] = true
	}
	if g.chance("idea_at", 2) {
		override["ttfd_start"] = "idea_at"
	}
	bucket := g.one("bucket", "day", "iso_week", "month")
	for _, scope := range scopes {
		for _, metric := range slices.Sorted(maps.Keys(deliveryMetrics)) {
			base := conformance.Expectation{Metric: metric, Scope: scope, TimeZone: c.Settings.TimeZone}
			if scope.Service != "" && deliveryMetrics[metric] == peopleOnly {
				continue
			}
			for _, stage := range stagesOf(metric) {
				base.Stage = stage
				for _, window := range []conformance.Window{whole, part} {
					e := base
					e.Window = window
					ask(e)
					if deliveryMetrics[metric] == inBuckets {
						e.Bucket = bucket
						ask(e)
					}
				}
				if len(override) > 0 {
					e := base
					e.Window, e.SettingsOverride = whole, override
					ask(e)
				}
			}
		}
		if g.may.Adoption {
			g.adoptionQuestions(c, scope, []conformance.Window{whole, part}, bucket, ask)
		}
	}
	if g.may.Surveys {
		surveyQuestions(c, whole, ask)
	}
	return asked
}

type asking int

const (
	plain      asking = iota
	inBuckets         // a series too
	peopleOnly        // not of a service
)

var deliveryMetrics = map[string]asking{
	"deployment_count": inBuckets, "deployment_count_all": inBuckets, "redeploy_count": inBuckets, "rollback_count": inBuckets,
	"deployments_per_week": plain, "deployments_per_week_service_median": plain, "deploy_days_per_week_median": plain,
	"lead_time_p50": inBuckets, "lead_time_p75": inBuckets, "lead_time_p90": inBuckets, "lead_time_service_median_p50": inBuckets,
	"lead_time_n": plain, "lead_time_excluded_negative": plain, "lead_time_stage_p50": plain,
	"failed_deployments": plain, "change_failure_rate": inBuckets, "deployment_rework_rate": inBuckets, "change_failure_rate_ci95": plain,
	"failed_deployment_recovery_p50": plain, "failed_deployment_recovery_p90": plain, "failed_deployment_unresolved": plain, "time_to_restore_p50": plain,
	"time_to_first_deployment_service_p50": plain, "time_to_first_deployment_service_n": plain,
	"time_to_first_deployment_developer_p50": peopleOnly, "time_to_first_deployment_developer_n": peopleOnly,
	"golden_deployment_share": plain, "adoption_new_service_rate": plain,
}

func stagesOf(metric string) []string {
	if metric == "lead_time_stage_p50" {
		return []string{"coding", "pickup", "review", "wait_to_deploy", "deploy"}
	}
	return []string{""}
}
