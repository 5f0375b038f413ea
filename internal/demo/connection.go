package demo

import (
	"fmt"
	"slices"
	"time"

	"cairn/internal/event"
)

// forge is where a repository is kept: each department has its own. It stays there when its service moves.
func (o *organisation) forge(r *repository) string {
	switch o.team(r.services[0].team).parent {
	case "customer":
		return "gitlab"
	case "supply":
		return "gitea"
	}
	return "github"
}

// ci builds and deploys a repository that is not on the golden path.
func (o *organisation) ci(r *repository) string {
	forge := o.forge(r)
	return oneOf(r.id, "jenkins", "circleci", forge, forge)
}

// page is a page of a repository on its forge.
func (o *organisation) page(r *repository, rest string) string {
	return "https://" + o.forge(r) + ".linden.example/" + r.id + rest
}

// directory is where a team describes itself and its services.
func directory(t *team) string {
	if t.parent == "customer" {
		return "port"
	}
	return "backstage"
}

// pager is the system in which a team has its incidents.
func pager(t *team) string {
	switch t.id {
	case "storefront", "search", "mobile-gateway":
		return "opsgenie"
	case "identity", "notifications", "pricing":
		return "incidentio"
	case "logistics", "platform":
		return "alertmanager"
	case "catalogue":
		return "jira"
	case "data-platform":
		return "servicenow"
	}
	return "pagerduty"
}

// numbered gives an incident its id and its page, as the system writes them that tells it.
func (o *organisation) numbered(f *event.Incident, n int) {
	c := o.chance(fmt.Sprintf("incident %d", n))
	const capitals = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	drawn := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[c.IntN(len(alphabet))]
		}
		return string(b)
	}
	switch f.Source {
	case "pagerduty":
		f.ID = "Q" + drawn(capitals, 13)
		f.URL = "https://pagerduty.linden.example/incidents/" + f.ID
	case "opsgenie":
		h := c.sha()
		f.ID = h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
		f.URL = "https://opsgenie.linden.example/incident/detail/" + f.ID
	case "incidentio":
		f.ID = "01" + drawn(capitals, 24)
		f.URL = fmt.Sprintf("https://incidents.linden.example/incidents/%d", n)
	case "alertmanager":
		f.ID = c.sha()[:16] + "-" + f.StartedAt.Format("20060102T150405.000Z")
		f.URL = "https://prometheus.linden.example/graph?g0.expr=up"
	case "jira":
		f.ID = fmt.Sprintf("OPS-%d", n)
		f.URL = "https://jira.linden.example/browse/" + f.ID
	case "servicenow":
		f.ID = fmt.Sprintf("INC%07d", 10000+n)
		f.URL = "https://servicenow.linden.example/incident.do?sysparm_query=number=" + f.ID
	}
}

// toldBy is whose connection told of a deployment by a tool.
func toldBy(tool string) string {
	switch tool {
	case "tekton":
		return "cdevents"
	case "shell":
		return "ci"
	}
	return tool
}

// connect says of each fact which connection told it. A service has one forge, one catalogue and, while it is deployed
// the same way, one tool.
func (o *organisation) connect() {
	repositories, services, teams := map[string]*repository{}, map[string]*service{}, map[string]*team{}
	for _, r := range o.repositories {
		repositories[r.id] = r
	}
	for _, s := range o.services {
		services[s.id] = s
	}
	for _, t := range o.teams {
		teams[t.id] = t
	}
	described := func(service string) string {
		if s := services[service]; s != nil {
			return directory(o.team(s.team))
		}
		return "backstage"
	}
	f := &o.facts
	for i := range f.Repositories {
		f.Repositories[i].Source = o.forge(repositories[f.Repositories[i].ID])
	}
	for i := range f.Branches {
		f.Branches[i].Source = cloned(o.forge(repositories[f.Branches[i].Repository]))
	}
	for i := range f.Commits {
		f.Commits[i].Source = cloned(o.forge(repositories[f.Commits[i].Repository]))
	}
	for i := range f.ChangeRequests {
		f.ChangeRequests[i].Source = o.forge(repositories[f.ChangeRequests[i].Repository])
	}
	for i := range f.PipelineRuns {
		r := repositories[f.PipelineRuns[i].Repository]
		f.PipelineRuns[i].Source = o.forge(r)
		if f.PipelineRuns[i].Way == "own" {
			f.PipelineRuns[i].Source = o.ci(r)
		}
	}
	for i := range f.Artifacts {
		f.Artifacts[i].Source = "ci"
	}
	for i := range f.Deployments {
		f.Deployments[i].Source = toldBy(f.Deployments[i].Tool)
	}
	for i := range f.Services {
		f.Services[i].Source = described(f.Services[i].ID)
	}
	for i := range f.Ownerships {
		f.Ownerships[i].Source = described(f.Ownerships[i].Service)
	}
	for i := range f.Teams {
		f.Teams[i].Source = "backstage"
		if t := teams[f.Teams[i].ID]; t != nil {
			f.Teams[i].Source = directory(t)
		}
	}
	for i := range f.People {
		f.People[i].Source = "people"
	}
	for i := range f.Memberships {
		f.Memberships[i].Source = "people"
	}
	for i := range f.ProvisioningRequests {
		f.ProvisioningRequests[i].Source = askedThrough(f.ProvisioningRequests[i].Way)
	}
	for i := range f.CapabilityUses {
		u := &f.CapabilityUses[i]
		switch u.Capability {
		case "observability":
			u.Source = "telemetry"
		case "provisioning":
			u.Source = "terraform"
		case "cicd":
			u.Source = o.forge(o.repository(services[u.Service]))
		default:
			u.Source = described(u.Service)
		}
	}
	for i := range f.CapabilityExemptions {
		f.CapabilityExemptions[i].Source = "decisions"
	}
	for i := range f.Surveys {
		f.Surveys[i].Source = o.asked(f.Surveys[i].ID)
	}
	for i := range f.SurveyInvitations {
		f.SurveyInvitations[i].Source = "survey" // a list of who was asked, whichever form they answer
	}
	for i := range f.SurveyResponses {
		f.SurveyResponses[i].Source = o.asked(f.SurveyResponses[i].Survey)
	}
	for i := range f.SLOs {
		f.SLOs[i].Source = "telemetry"
	}
}

// cloned is who tells the commits of a forge: Gitea's come from a clone.
func cloned(forge string) string {
	if forge == "gitea" {
		return "git"
	}
	return forge
}

// askedThrough is who tells of requests that come in some way.
func askedThrough(way string) string {
	switch way {
	case "backstage_template":
		return "backstage"
	case "port_action":
		return "port"
	case "terraform_module":
		return "terraform"
	case "crossplane_claim", "kratix_promise":
		return "kubernetes"
	case "humanitec_resource":
		return "humanitec"
	}
	return "service-desk"
}

// asked is how a survey was asked: the latest with Typeform, those before with a form whose answers come as a file.
func (o *organisation) asked(survey string) string {
	if n := len(o.facts.Surveys); survey == o.facts.Surveys[n-1].ID {
		return "typeform"
	}
	return "survey"
}

// The names of what cairn cannot join; docs/demo.md tells of them.
const (
	unknownApplication = "checkout-web-preview" // of Argo CD
	unmappedService    = "Payments API (EU)"    // of PagerDuty
	claimedTwice       = "vouchers"             // alias of voucher-service and gift-cards
)

// leaveUnmatched adds what no organisation is without: names that nobody has mapped yet, and deployments whose commit nobody
// knows. None of it is of production, or of a team.
func (o *organisation) leaveUnmatched() {
	c := o.chance("unmatched")
	ago := func(days int) time.Time {
		return o.until.AddDate(0, 0, -days).Add(-c.between(time.Hour, 8*time.Hour))
	}
	preview := func(service, tool string, n int, at time.Time) event.Deployment {
		return event.Deployment{
			Service: service, ID: fmt.Sprintf("%s-sync-%d", service, n), Attempt: 1, Environment: "preview", Tier: "development", Status: "succeeded",
			CreatedAt: at, StartedAt: at.Add(5 * time.Second), FinishedAt: at.Add(c.minutes(2)).Add(10 * time.Second), Tool: tool, Actor: deployBot,
		}
	}
	web := o.repository(o.service("checkout-web"))
	for n := range 9 {
		f := preview(unknownApplication, "argocd", n+1, ago(20-2*n))
		f.Revisions = []event.Revision{{Repository: web.id, SHA: web.headAt(f.CreatedAt)}}
		o.facts.Deployments = append(o.facts.Deployments, f)
	}
	if i := slices.IndexFunc(o.services, func(s *service) bool {
		return s.id != "checkout-web" && s.alive(o.until) && o.tool(s, o.until) == "flux"
	}); i >= 0 {
		for n := range 5 {
			f := preview(o.services[i].id, "flux", n+1, ago(13-2*n))
			f.Images = []string{fmt.Sprintf("ghcr.io/linden/%s:preview-%d", f.Service, 481+3*n)}
			o.facts.Deployments = append(o.facts.Deployments, f)
		}
	}
	for n, days := range []int{16, 5} {
		at := ago(days)
		f := event.Incident{
			Telling: event.Telling{Source: "pagerduty"}, Service: unmappedService, Title: "Latency of payments in Europe", Severity: "sev3",
			StartedAt: at, DetectedAt: at.Add(3 * time.Minute), AcknowledgedAt: at.Add(7 * time.Minute), RestoredAt: at.Add(c.minutes(50)), Cause: "external",
		}
		f.ResolvedAt = f.RestoredAt.Add(10 * time.Minute)
		o.numbered(&f, 9001+n)
		o.facts.Incidents = append(o.facts.Incidents, f)
	}
	for i := range o.facts.Services {
		if s := &o.facts.Services[i]; s.ID == "voucher-service" || s.ID == "gift-cards" {
			s.Aliases = []string{claimedTwice}
		}
	}
}
