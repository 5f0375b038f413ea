package gitlabtest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"cairn/internal/event"
)

// Truth are the facts that somebody knows who has read everything below the group acme, as the connection gitlab, with
// rules that change nothing but that issues of the type incident are incidents. web is the server's address.
// Instants that only a reader decides on are left out: of branches, and of services.
func (f *Fake) Truth(web string) []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	var facts []event.Event
	at := func(t time.Time) event.Telling {
		return event.Telling{Source: "gitlab", UpdatedAt: ms(t)}
	}
	groups := map[int64]string{}
	told := map[string]bool{}
	for _, g := range f.w.groups[:len(f.w.groups)-1] {
		groups[g.id] = g.path
		facts = append(facts, &event.Team{Telling: at(g.created), ID: g.path, Name: g.name, Parent: groups[g.parent], CreatedAt: ms(g.created)})
		for _, u := range f.w.users {
			since, is := g.members[u.username]
			if !is {
				continue
			}
			facts = append(facts, &event.Membership{Telling: at(since), Person: u.username, Team: g.path, From: ms(since)})
			if !told[u.username] {
				told[u.username] = true
				facts = append(facts, &event.Person{Telling: at(time.UnixMilli(0)), ID: u.username, Name: u.username, Aliases: []string{fmt.Sprintf("%d-%s@users.noreply.127.0.0.1", u.id, u.username)}})
			}
		}
	}
	for _, p := range f.w.projects {
		if p.deleted {
			continue
		}
		facts = append(facts, &event.Repository{Telling: at(p.updated), ID: p.first, Name: p.name, DefaultBranch: "main", URL: "http://gitlab.example/" + p.path})
		if p.head != "" {
			facts = append(facts, &event.Branch{Telling: event.Telling{Source: "gitlab"}, Repository: p.first, Name: "main", SHA: p.head, Default: true})
		}
		for _, c := range p.reach(p.head) {
			parents := c.parents
			if parents == nil {
				parents = []string{}
			}
			facts = append(facts, &event.Commit{
				Telling: at(c.committed), Repository: p.first, SHA: c.sha, Parents: parents, Author: c.author.email, Bot: c.author.username == "renovate",
				AuthoredAt: c.authored, CommittedAt: c.committed, Subject: c.message[:len(c.message)-len("\n\nwhy\n")],
			})
		}
		if !p.off && !p.forbidden {
			for _, c := range p.changes {
				facts = append(facts, c.truth(p, at(c.updated)))
			}
		}
		for _, x := range p.runs {
			if x.source == "parent_pipeline" {
				continue
			}
			fact := &event.PipelineRun{
				Telling: at(x.updated), Repository: p.first, ID: strconv.FormatInt(x.id, 10), Attempt: 1, SHA: x.sha, Ref: "main", QueuedAt: ms(x.created),
				Status: map[string]string{"success": "succeeded", "failed": "failed", "canceled": "cancelled", "running": "in_progress", "manual": "in_progress"}[x.status],
				URL:    fmt.Sprintf("http://gitlab.example/%s/-/pipelines/%d", p.path, x.id),
			}
			if fact.Status != "in_progress" {
				fact.FinishedAt = ms(x.updated)
			}
			facts = append(facts, fact)
		}
		for _, d := range p.deploys {
			fact := &event.Deployment{
				Telling: at(d.updated), Service: p.first, ID: fmt.Sprintf("deployment:%d", d.id), Attempt: 1, Environment: d.env, Tool: "gitlab", Actor: d.by.username,
				Tier:      map[string]string{"production": "production", "stage": "staging", "review/x": "development"}[d.env],
				Status:    map[string]string{"success": "succeeded", "failed": "failed", "canceled": "cancelled", "running": "in_progress", "blocked": "pending"}[d.status],
				CreatedAt: ms(d.created), StartedAt: ms(d.started), FinishedAt: ms(d.finished),
				Revisions: []event.Revision{{Repository: p.first, SHA: d.sha}},
			}
			if d.job != 0 {
				fact.PipelineRun, fact.URL = strconv.FormatInt(d.pipeline, 10), fmt.Sprintf("%s/%s/-/jobs/%d", web, p.path, d.job)
			}
			facts = append(facts, fact)
		}
		if len(p.deploys) > 0 {
			facts = append(facts, &event.Service{Telling: event.Telling{Source: "gitlab"}, ID: p.first, Name: p.first, Repositories: []event.ServiceRepository{{Repository: p.first}}})
		}
		for _, i := range p.issues {
			if i.kind != "incident" {
				continue
			}
			facts = append(facts, &event.Incident{
				Telling: at(i.updated), ID: fmt.Sprintf("%s#%d", p.first, i.iid), Service: p.first, Title: i.title, Severity: "sev2", StartedAt: ms(i.created),
				RestoredAt: ms(i.closed), ResolvedAt: ms(i.closed), URL: fmt.Sprintf("http://gitlab.example/%s/-/issues/%d", p.path, i.iid),
			})
		}
	}
	return facts
}

func (c *change) truth(p *project, telling event.Telling) *event.ChangeRequest {
	fact := &event.ChangeRequest{
		Telling: telling, Repository: p.first, ID: strconv.FormatInt(c.iid, 10), Author: c.author.username, Title: c.title, BaseBranch: "main",
		CreatedAt: ms(c.created), MergedAt: ms(c.merged), ClosedAt: ms(c.closed), Labels: slices.Clone(c.labels), URL: fmt.Sprintf("http://gitlab.example/%s/-/merge_requests/%d", p.path, c.iid),
	}
	if c.state == "closed" {
		return fact
	}
	fact.FirstReviewAt, fact.ApprovedAt = ms(c.reviewed), ms(c.approved)
	if !c.draft {
		fact.ReadyAt = ms(c.ready)
	}
	fact.FirstCommitAt = c.commits[0].authored
	for _, k := range c.commits {
		fact.Commits = append(fact.Commits, k.sha)
	}
	if c.state == "merged" {
		fact.MergeMethod = map[string]string{Merge: "merge", Squash: "squash", SquashMerge: "squash", FastForward: "fast_forward"}[p.style]
		fact.Landed = map[string][]string{Merge: {c.mergeSHA}, Squash: {c.squashSHA}, SquashMerge: {c.mergeSHA, c.squashSHA}, FastForward: {c.sha}}[p.style]
	}
	return fact
}

func ms(t time.Time) time.Time { return t.Truncate(time.Millisecond) }
