package conformancetest

import (
	"fmt"
	"slices"
	"time"

	"cairn/internal/conformance"
)

// deployments draws runs of every kind: the revisions wander forth and back over the graph.
func (g *generator) deployments(e *conformance.Events) {
	known := map[string][]string{}
	for _, c := range e.Commits {
		known[c.Repo] = append(known[c.Repo], c.SHA)
	}
	number := 0
	for _, s := range e.Services {
		var repos []string
		for _, r := range s.Repos {
			repos = append(repos, r.Repo)
		}
		for _, r := range e.Repos {
			if !slices.Contains(repos, r.ID) && g.chance("unlisted repository", 6) {
				repos = append(repos, r.ID)
			}
		}
		at := map[string]int{} // repo to the position in its commits
		day := g.int("first deployment", -1, 5)
		for range g.runCount() {
			d := conformance.Deployment{
				ID: fmt.Sprintf("d%02d", number), Service: g.one("service", append(slices.Clone(s.Aliases), s.ID)...),
				Environment: "production", Target: "eu", Status: "succeeded", Revisions: map[string]string{},
				Pipeline: g.one("pipeline", "golden", "own", ""),
			}
			number++
			day = min(day+g.int("days later", 0, 2), days-3)
			d.FinishedAt = g.instant("finished", max(-2, day-1), day)
			if !g.may.OpenPoints && !s.RetiredAt.IsZero() && !d.FinishedAt.Before(s.RetiredAt) {
				break
			}
			d.StartedAt = d.FinishedAt.Add(-time.Duration(g.number("takes minutes", 0, 5, 30, 300)) * time.Minute)
			if g.may.Targets {
				d.Target = g.one("target", "eu", "eu", "eu", "us", "us", "ap")
			}
			if g.may.FailedRuns {
				d.Status = g.one("status", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "succeeded", "failed", "failed", "cancelled", "in_progress")
				d.Environment = g.one("environment", "production", "production", "production", "production", "production", "production", "production", "staging")
			}
			for _, repo := range repos {
				if g.may.PartialRevisions && len(d.Revisions) > 0 && g.chance("leave out "+repo, 4) {
					continue
				}
				step := g.int("step", 0, 2)
				if g.may.Rollbacks && g.chance("back", 3) {
					step = -g.int("back by", 1, 2)
				}
				if step == 0 && !g.may.Redeploys {
					step = 1
				}
				at[repo] = min(max(at[repo]+step, 0), len(known[repo])-1)
				d.Revisions[repo] = known[repo][at[repo]]
				if g.may.UnknownRevisions && g.chance("unknown revision", 25) {
					d.Revisions[repo] = g.one("unknown", "lost1", "lost2")
				}
			}
			d.IsRollback = g.may.Rollbacks && g.chance("is_rollback", 12)
			d.IsHotfix = g.may.Hotfixes && g.chance("is_hotfix", 5)
			d.Unplanned = g.chance("unplanned", 6)
			if before := g.runs[s.ID]; g.may.Remediations && g.may.OpenPoints && len(before) > 0 && g.chance("remediates", 8) {
				d.Remediates = []string{before[g.int("remediated", 0, len(before)-1)]}
			}
			if g.may.Remediations && g.chance("remediates_incidents", 12) {
				d.RemediatesIncidents = []string{"i0"}
			}
			g.runs[s.ID] = append(g.runs[s.ID], d.ID)
			if g.may.OpenPoints || d.Status != "cancelled" {
				g.causes[s.ID] = append(g.causes[s.ID], d.ID)
			}
			e.Deployments = append(e.Deployments, d)
			if g.may.LateTellings && g.chance("told again", 8) {
				g.again(e, d)
			}
		}
	}
	if len(e.Deployments) > 1 && g.chance("out of order", 2) {
		first := e.Deployments[0]
		if !slices.ContainsFunc(e.Deployments[1:], func(d conformance.Deployment) bool { return d.ID == first.ID }) {
			e.Deployments = append(e.Deployments[1:], first)
		}
	}
}

// runCount is how often a service runs: now and then never.
func (g *generator) runCount() int {
	if g.chance("never deployed", 8) {
		return 0
	}
	return g.int("runs", 4, 16)
}

// again tells the last deployment a second time: the same, an earlier state, or a correction.
func (g *generator) again(e *conformance.Events, d conformance.Deployment) {
	first := &e.Deployments[len(e.Deployments)-1]
	first.UpdatedAt = d.FinishedAt
	d.UpdatedAt = d.FinishedAt
	switch g.one("telling", "duplicate", "earlier", "corrected", "corrected later") {
	case "earlier":
		d.Status, d.UpdatedAt = "in_progress", d.StartedAt.Add(-time.Second)
	case "corrected":
		d.Status, d.UpdatedAt = g.one("corrected status", "succeeded", "failed"), g.after("corrected", d.FinishedAt)
	case "corrected later":
		d.FinishedAt = d.FinishedAt.Add(time.Hour)
		d.UpdatedAt = d.FinishedAt
	}
	e.Deployments = append(e.Deployments, d)
}

func (g *generator) incidents(e *conformance.Events) {
	for i := range g.int("incidents", 0, 6) {
		s := e.Services[g.int("affected", 0, len(e.Services)-1)]
		incident := conformance.Incident{
			ID: fmt.Sprintf("i%d", i), Service: g.one("service", append(slices.Clone(s.Aliases), s.ID)...),
			Cause: g.one("cause", "deployment", "deployment", "unknown", "external"),
		}
		runs := g.causes[s.ID]
		if len(runs) > 0 && !g.chance("without a deployment", 3) {
			incident.CausedByDeployment = runs[g.int("caused by", 0, len(runs)-1)]
		}
		incident.StartedAt = g.instant("incident", 0, days-5)
		near := incident.CausedByDeployment
		if near == "" && len(runs) > 0 && !g.chance("at any time", 3) {
			near = runs[g.int("near", 0, len(runs)-1)]
		}
		for _, d := range e.Deployments { // most incidents start soon after a deployment, those with a cause always
			if d.ID == near {
				incident.StartedAt = g.after("incident after deployment", d.FinishedAt)
			}
		}
		incident.RestoredAt = g.maybe("restored", 3, g.after("restored", incident.StartedAt))
		incident.ResolvedAt = g.maybe("resolved", 3, g.after("resolved", incident.StartedAt))
		e.Incidents = append(e.Incidents, incident)
	}
}
