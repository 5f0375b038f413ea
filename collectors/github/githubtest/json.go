package githubtest

import (
	"fmt"
	"strconv"
	"time"
)

// stamp is an instant as GitHub writes it; nil for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func userJSON(u *user) m {
	kind := "User"
	if u.bot {
		kind = "Bot"
	}
	return m{"login": u.login, "id": u.id, "type": kind, "html_url": "https://github.com/" + u.login, "site_admin": false}
}

func teamJSON(t *team) m {
	body := m{"id": t.id, "slug": t.slug, "name": t.name, "privacy": "closed", "permission": "pull", "parent": nil}
	if t.parent != nil {
		body["parent"] = m{"id": t.parent.id, "slug": t.parent.slug, "name": t.parent.name}
	}
	return body
}

func repositoryJSON(r *repository) m {
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	return m{
		"id": r.id, "node_id": fmt.Sprintf("R_%d", r.id), "name": r.name, "full_name": r.full(), "owner": m{"login": r.owner, "id": 1, "type": "Organization"},
		"private": r.private, "visibility": visibility, "fork": r.fork, "archived": r.archived, "disabled": false, "has_issues": !r.noIssues,
		"default_branch": r.branch, "html_url": "https://github.com/" + r.full(), "url": api + "/repos/" + r.full(), "size": len(r.commits), "description": nil,
		"created_at": stamp(r.created), "updated_at": stamp(r.updated), "pushed_at": stamp(r.pushed), "clone_url": "https://github.com/" + r.full() + ".git",
		"topics": []string{},
	}
}

func labelsJSON(labels []string) []m {
	list := []m{}
	for i, name := range labels {
		list = append(list, m{"id": i + 1, "name": name, "color": "ededed", "default": false})
	}
	return list
}

func commitJSON(r *repository, c *commit) m {
	parents := []m{}
	for _, p := range c.parents {
		parents = append(parents, m{"sha": p, "url": api + "/repos/" + r.full() + "/commits/" + p})
	}
	person := func(at time.Time) m { return m{"name": c.author.name, "email": c.author.email, "date": stamp(at)} }
	var account any
	if c.known {
		account = userJSON(c.author)
	}
	return m{
		"sha": c.sha, "node_id": "C_" + c.sha, "url": api + "/repos/" + r.full() + "/commits/" + c.sha, "html_url": "https://github.com/" + r.full() + "/commit/" + c.sha,
		"commit": m{
			"author": person(c.authored), "committer": person(c.committed), "message": c.message, "tree": m{"sha": c.sha}, "comment_count": 0,
			"verification": m{"verified": false, "reason": "unsigned"},
		},
		"author": account, "committer": account, "parents": parents,
	}
}

func branchJSON(r *repository) m {
	return m{"name": r.branch, "commit": commitJSON(r, r.commits[r.head]), "protected": false}
}

func (p *pull) head() string { return p.commits[len(p.commits)-1].sha }

func (p *pull) state() string {
	if p.closed.IsZero() {
		return "open"
	}
	return "closed"
}

// pullJSON is a pull request as a list gives it, or whole, as asking for one does.
func pullJSON(r *repository, p *pull, whole bool) m {
	head := m{"ref": p.branch, "label": r.owner + ":" + p.branch, "sha": p.head(), "user": userJSON(p.author), "repo": repositoryJSON(r)}
	if p.fromFork {
		head["user"], head["repo"], head["label"] = nil, nil, "unknown repository"
	}
	body := m{
		"id": p.id, "number": p.number, "state": p.state(), "locked": false, "title": p.title, "body": nil, "user": userJSON(p.author), "draft": p.draft,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stamp(p.closed), "merged_at": stamp(p.merged), "merge_commit_sha": p.mergeSHA,
		"labels": labelsJSON(p.labels), "head": head, "html_url": fmt.Sprintf("https://github.com/%s/pull/%d", r.full(), p.number),
		"base": m{"ref": p.base, "label": r.owner + ":" + p.base, "sha": p.commits[0].parents[0], "user": m{"login": r.owner}, "repo": repositoryJSON(r)},
		"url":  fmt.Sprintf("%s/repos/%s/pulls/%d", api, r.full(), p.number), "assignees": []m{}, "requested_reviewers": []m{}, "requested_teams": []m{},
		"author_association": "MEMBER", "auto_merge": nil,
	}
	if whole {
		body["merged"] = !p.merged.IsZero()
		body["merged_by"] = nil
		if p.mergedBy != nil && !p.merged.IsZero() {
			body["merged_by"] = userJSON(p.mergedBy)
		}
		body["mergeable"], body["mergeable_state"] = nil, "unknown"
		body["commits"], body["additions"], body["deletions"], body["changed_files"] = len(p.commits), p.additions, p.deletions, 1
		body["comments"], body["review_comments"] = 0, 0
	}
	return body
}

func reviewJSON(r *repository, p *pull, v *review) m {
	return m{
		"id": v.id, "user": userJSON(v.author), "state": v.state, "body": "", "submitted_at": stamp(v.submitted), "commit_id": p.head(),
		"html_url": fmt.Sprintf("https://github.com/%s/pull/%d#pullrequestreview-%d", r.full(), p.number, v.id), "author_association": "MEMBER",
	}
}

// runJSON is a run as of one of its attempts.
func runJSON(r *repository, x *run, n int) m {
	a := x.attempts[n-1]
	referenced := []m{}
	for _, path := range x.referenced {
		referenced = append(referenced, m{"path": path, "sha": blobSHA(path), "ref": "refs/heads/main"})
	}
	subject := ""
	if c := r.commits[x.sha]; c != nil {
		subject = c.subject()
	}
	return m{
		"id": x.id, "name": x.name, "display_title": subject, "path": x.path, "run_number": x.number, "run_attempt": n, "event": x.event, "status": a.status, "conclusion": text(a.conclusion),
		"workflow_id": 100 + len(x.path), "head_branch": x.branch, "head_sha": x.sha, "created_at": stamp(x.created), "updated_at": stamp(a.updated), "run_started_at": stamp(a.started),
		"actor": userJSON(x.actor), "triggering_actor": userJSON(x.actor), "pull_requests": []m{}, "referenced_workflows": referenced,
		"html_url": fmt.Sprintf("https://github.com/%s/actions/runs/%d", r.full(), x.id), "url": fmt.Sprintf("%s/repos/%s/actions/runs/%d", api, r.full(), x.id),
		"check_suite_id": x.id, "previous_attempt_url": nil, "repository": m{"id": r.id, "name": r.name, "full_name": r.full()},
	}
}

func jobJSON(r *repository, x *run, n int) m {
	a := x.attempts[n-1]
	var completed any
	if a.status == "completed" {
		completed = stamp(a.updated)
	}
	return m{
		"id": x.id*10 + int64(n), "run_id": x.id, "run_attempt": n, "name": "build", "workflow_name": x.name, "head_sha": x.sha, "head_branch": x.branch, "status": a.status, "conclusion": text(a.conclusion),
		"created_at": stamp(a.started), "started_at": stamp(a.started), "completed_at": completed, "html_url": fmt.Sprintf("https://github.com/%s/actions/runs/%d/job/%d", r.full(), x.id, x.id*10+int64(n)),
		"steps": []m{}, "labels": []string{"ubuntu-latest"},
	}
}

func deploymentJSON(r *repository, d *deployment) m {
	return m{
		"id": d.id, "node_id": fmt.Sprintf("DE_%d", d.id), "sha": d.sha, "ref": d.ref, "task": d.task, "payload": m{}, "environment": d.environment, "original_environment": d.environment,
		"description": nil, "creator": userJSON(d.by), "created_at": stamp(d.created), "updated_at": stamp(d.updated), "production_environment": d.environment == "production",
		"transient_environment": false, "url": fmt.Sprintf("%s/repos/%s/deployments/%d", api, r.full(), d.id), "repository_url": api + "/repos/" + r.full(),
		"statuses_url": fmt.Sprintf("%s/repos/%s/deployments/%d/statuses", api, r.full(), d.id),
	}
}

func statusJSON(r *repository, d *deployment, s *status) m {
	return m{
		"id": s.id, "state": s.state, "creator": userJSON(s.by), "description": "", "environment": d.environment, "created_at": stamp(s.created), "updated_at": stamp(s.created),
		"target_url": "", "log_url": "", "environment_url": "", "deployment_url": fmt.Sprintf("%s/repos/%s/deployments/%d", api, r.full(), d.id), "repository_url": api + "/repos/" + r.full(),
	}
}

func releaseJSON(r *repository, x *release) m {
	return m{
		"id": x.id, "tag_name": x.tag, "target_commitish": r.branch, "name": x.name, "body": "", "draft": x.draft, "prerelease": x.prerelease, "author": userJSON(x.author),
		"created_at": stamp(x.created), "published_at": stamp(x.published), "html_url": "https://github.com/" + r.full() + "/releases/tag/" + x.tag, "assets": []m{},
	}
}

func issueJSON(r *repository, x issueOrPull) m {
	state := "open"
	if !x.closed.IsZero() {
		state = "closed"
	}
	body := m{
		"id": x.id, "number": x.number, "title": x.title, "state": state, "locked": false, "user": userJSON(x.author), "labels": labelsJSON(x.labels), "assignees": []m{}, "comments": 0,
		"created_at": stamp(x.created), "updated_at": stamp(x.updated), "closed_at": stamp(x.closed), "state_reason": nil, "body": "", "author_association": "MEMBER",
		"html_url": "https://github.com/" + r.full() + "/issues/" + strconv.Itoa(x.number), "url": api + "/repos/" + r.full() + "/issues/" + strconv.Itoa(x.number),
		"repository_url": api + "/repos/" + r.full(), "type": nil,
	}
	if state == "closed" {
		body["state_reason"] = "completed"
	}
	if x.pull != nil {
		body["pull_request"] = m{"url": fmt.Sprintf("%s/repos/%s/pulls/%d", api, r.full(), x.number), "merged_at": stamp(x.pull.merged)}
	}
	return body
}
