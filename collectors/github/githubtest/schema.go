package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is the root of the graph.
func (f *Fake) query(g *graphRun, r *http.Request) *object {
	return &object{"Query", func(field string, args map[string]any) (any, bool) {
		switch field {
		case "viewer":
			return actorObject(f.world.users[0]), true
		case "rateLimit":
			credential, _ := f.credential(r, f.cfg.Now())
			b, limit := f.budget(credential, "graphql", f.cfg.Now()), f.limit("graphql")
			return scalars("RateLimit", m{
				"cost": 1, "limit": limit, "remaining": max(0, limit-b.used), "used": b.used, "resetAt": stamp(b.reset), "nodeCount": g.nodes,
			}), true
		case "nodes", "node":
			ids, _ := args["ids"].([]any)
			if field == "node" {
				ids = []any{args["id"]}
			}
			if len(ids) > 100 {
				return graphError{Type: "ARGUMENT_LIMIT", Message: fmt.Sprintf("You may not provide more than 100 node ids; you provided %d.", len(ids))}, true
			}
			list := []*object{}
			for _, id := range ids {
				list = append(list, f.node(fmt.Sprint(id)))
			}
			if field == "node" {
				return list[0], true
			}
			return list, true
		case "repository":
			owner, _ := args["owner"].(string)
			name, _ := args["name"].(string)
			repo, _ := f.repository(owner, name)
			if repo == nil {
				return graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a Repository with the name '%s/%s'.", owner, name)}, true
			}
			return f.repositoryObject(repo), true
		case "organization", "repositoryOwner":
			login, _ := args["login"].(string)
			if login != f.world.org {
				return graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to an Organization with the login of '%s'.", login)}, true
			}
			return f.organizationObject(), true
		}
		return nil, false
	}}
}

// node finds a thing by its id in the graph, of those kinds that are asked for so.
func (f *Fake) node(id string) *object {
	kind, number, _ := strings.Cut(id, "_")
	n, _ := strconv.ParseInt(number, 10, 64)
	for _, r := range f.world.repos {
		switch {
		case r.deleted:
		case kind == "R" && r.id == n:
			return f.repositoryObject(r)
		case kind == "DE":
			for _, d := range r.deploys {
				if d.id == n {
					return r.deploymentObject(d)
				}
			}
		case kind == "PR":
			for _, p := range r.pulls {
				if p.id == n {
					return r.pullObject(p)
				}
			}
		}
	}
	return nil
}

// scalars is an object without any behaviour.
func scalars(kind string, values m) *object {
	return &object{kind, func(field string, _ map[string]any) (any, bool) {
		value, known := values[field]
		return value, known
	}}
}

// listed is a connection over a list in its own order, where cursors are places.
func listed[T any](kind string, list []T, node func(T) *object) *connection {
	return &connection{
		kind: kind, total: len(list),
		node:   func(i int) *object { return node(list[i]) },
		cursor: func(i int) string { return strconv.Itoa(i + 1) },
		past: func(i int, cursor string) bool {
			n, _ := strconv.Atoi(cursor)
			return i >= n
		},
	}
}

// ordered is a connection in the order of an instant (orderBy), where cursors name the instant and the id: a page begins behind
// them wherever that is now.
func ordered[T any](kind string, args map[string]any, list []T, of map[string]func(T) time.Time, id func(T) int64, node func(T) *object) any {
	order, _ := args["orderBy"].(map[string]any)
	field, _ := order["field"].(string)
	descending := order["direction"] == "DESC"
	instant, known := of[field]
	if !known && order != nil {
		return graphError{Message: fmt.Sprintf("Argument 'field' on InputObject of %s has an invalid value (%s)", kind, field)}
	}
	if !known {
		instant = of["CREATED_AT"]
	}
	compare := func(at time.Time, id int64, at2 time.Time, id2 int64) int {
		c := cmp.Or(at.Compare(at2), cmp.Compare(id, id2))
		if descending {
			return -c
		}
		return c
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int { return compare(instant(a), id(a), instant(b), id(b)) })
	return &connection{
		kind: kind, total: len(list),
		node:   func(i int) *object { return node(list[i]) },
		cursor: func(i int) string { return fmt.Sprintf("v2:%d:%d", instant(list[i]).Unix(), id(list[i])) },
		past: func(i int, cursor string) bool {
			parts := strings.Split(cursor, ":")
			if len(parts) != 3 {
				return true
			}
			at, _ := strconv.ParseInt(parts[1], 10, 64)
			n, _ := strconv.ParseInt(parts[2], 10, 64)
			return compare(instant(list[i]), id(list[i]), time.Unix(at, 0), n) > 0
		},
	}
}

func actorObject(u *user) *object {
	if u == nil {
		return nil
	}
	kind, login := "User", u.login
	if u.bot {
		kind, login = "Bot", strings.TrimSuffix(login, "[bot]") // REST and GraphQL differ here
	}
	values := m{"login": login, "url": "https://github.com/" + login, "databaseId": u.id, "id": fmt.Sprintf("U_%d", u.id), "resourcePath": "/" + login, "avatarUrl": ""}
	if !u.bot {
		values["name"], values["email"] = u.name, u.email
	}
	return scalars(kind, values)
}

func (f *Fake) organizationObject() *object {
	return &object{"Organization", func(field string, args map[string]any) (any, bool) {
		switch field {
		case "login", "name":
			return f.world.org, true
		case "repositories":
			of := map[string]func(*repository) time.Time{
				"CREATED_AT": func(r *repository) time.Time { return r.created }, "UPDATED_AT": func(r *repository) time.Time { return r.updated },
				"PUSHED_AT": func(r *repository) time.Time { return r.pushed },
			}
			list := slices.DeleteFunc(slices.Clone(f.world.repos), func(r *repository) bool { return r.deleted })
			return ordered("RepositoryConnection", args, list, of, func(r *repository) int64 { return r.id }, f.repositoryObject), true
		case "teams":
			return listed("TeamConnection", f.world.teams, func(t *team) *object {
				return &object{"Team", func(field string, _ map[string]any) (any, bool) {
					switch field {
					case "databaseId":
						return t.id, true
					case "slug":
						return t.slug, true
					case "name":
						return t.name, true
					case "parentTeam":
						if t.parent == nil {
							return nil, true
						}
						return scalars("Team", m{"slug": t.parent.slug, "name": t.parent.name, "databaseId": t.parent.id}), true
					case "members":
						return listed("TeamMemberConnection", t.members, actorObject), true
					}
					return nil, false
				}}
			}), true
		}
		return nil, false
	}}
}

func (f *Fake) repositoryObject(r *repository) *object {
	return &object{"Repository", func(field string, args map[string]any) (any, bool) {
		switch field {
		case "id":
			return fmt.Sprintf("R_%d", r.id), true
		case "databaseId":
			return r.id, true
		case "name":
			return r.name, true
		case "nameWithOwner":
			return r.full(), true
		case "isArchived":
			return r.archived, true
		case "archivedAt":
			if r.archived {
				return stamp(r.updated), true
			}
			return nil, true
		case "isFork":
			return r.fork, true
		case "isPrivate":
			return r.private, true
		case "isEmpty":
			return r.head == "", true
		case "isDisabled":
			return false, true
		case "hasIssuesEnabled":
			return !r.noIssues, true
		case "url":
			return "https://github.com/" + r.full(), true
		case "createdAt":
			return stamp(r.created), true
		case "updatedAt":
			return stamp(r.updated), true
		case "pushedAt":
			return stamp(r.pushed), true
		case "defaultBranchRef":
			return r.refObject(r.branch), true
		case "ref":
			name, _ := args["qualifiedName"].(string)
			return r.refObject(name), true
		case "object":
			return r.gitObject(args), true
		case "pullRequests":
			states, _ := args["states"].([]any)
			if one, single := args["states"].(string); single {
				states = []any{one}
			}
			list := slices.DeleteFunc(slices.Clone(r.pulls), func(p *pull) bool {
				return len(states) > 0 && !slices.Contains(states, any(p.graphState())) || args["baseRefName"] != nil && args["baseRefName"] != p.base
			})
			of := map[string]func(*pull) time.Time{"CREATED_AT": func(p *pull) time.Time { return p.created }, "UPDATED_AT": func(p *pull) time.Time { return p.updated }}
			return ordered("PullRequestConnection", args, list, of, func(p *pull) int64 { return p.id }, r.pullObject), true
		case "pullRequest":
			n, _ := args["number"].(float64)
			if p := r.pull(strconv.Itoa(int(n))); p != nil {
				return r.pullObject(p), true
			}
			return graphError{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a PullRequest with the number of %d.", int(n))}, true
		case "deployments":
			environments, _ := args["environments"].([]any)
			list := slices.DeleteFunc(slices.Clone(r.deploys), func(d *deployment) bool {
				return len(environments) > 0 && !slices.Contains(environments, any(d.environment))
			})
			of := map[string]func(*deployment) time.Time{"CREATED_AT": func(d *deployment) time.Time { return d.created }}
			return ordered("DeploymentConnection", args, list, of, func(d *deployment) int64 { return d.id }, r.deploymentObject), true
		case "releases":
			of := map[string]func(*release) time.Time{"CREATED_AT": func(x *release) time.Time { return x.created }}
			return ordered("ReleaseConnection", args, r.releases, of, func(x *release) int64 { return x.id }, func(x *release) *object {
				return &object{"Release", func(field string, _ map[string]any) (any, bool) {
					switch field {
					case "databaseId":
						return x.id, true
					case "tagName":
						return x.tag, true
					case "name":
						return x.name, true
					case "isDraft":
						return x.draft, true
					case "isPrerelease":
						return x.prerelease, true
					case "createdAt", "updatedAt":
						return stamp(x.created), true
					case "publishedAt":
						return stamp(x.published), true
					case "url":
						return "https://github.com/" + r.full() + "/releases/tag/" + x.tag, true
					case "author":
						return actorObject(x.author), true
					case "tagCommit":
						if x.draft {
							return nil, true
						}
						return r.commitObject(r.commits[x.sha]), true
					}
					return nil, false
				}}
			}), true
		case "issues":
			of := map[string]func(*issue) time.Time{"CREATED_AT": func(x *issue) time.Time { return x.created }, "UPDATED_AT": func(x *issue) time.Time { return x.updated }}
			return ordered("IssueConnection", args, r.issues, of, func(x *issue) int64 { return x.id }, func(x *issue) *object {
				state := "OPEN"
				if !x.closed.IsZero() {
					state = "CLOSED"
				}
				values := m{
					"databaseId": x.id, "number": x.number, "title": x.title, "state": state, "createdAt": stamp(x.created), "updatedAt": stamp(x.updated), "closedAt": stamp(x.closed),
					"url": fmt.Sprintf("https://github.com/%s/issues/%d", r.full(), x.number), "author": actorObject(x.author), "labels": labelConnection(x.labels),
				}
				return scalars("Issue", values)
			}), true
		}
		return nil, false
	}}
}

func labelConnection(labels []string) *connection {
	return listed("LabelConnection", labels, func(name string) *object { return scalars("Label", m{"name": name}) })
}

func (r *repository) refObject(name string) *object {
	name = strings.TrimPrefix(name, "refs/heads/")
	if name != r.branch || r.head == "" {
		return nil
	}
	return &object{"Ref", func(field string, _ map[string]any) (any, bool) {
		switch field {
		case "name":
			return r.branch, true
		case "prefix":
			return "refs/heads/", true
		case "target":
			return r.commitObject(r.commits[r.head]), true
		}
		return nil, false
	}}
}

// gitObject is object(expression: "HEAD:path") or object(oid: …).
func (r *repository) gitObject(args map[string]any) *object {
	expression, _ := args["expression"].(string)
	if oid, given := args["oid"].(string); given {
		expression = oid
	}
	at, path, isPath := strings.Cut(expression, ":")
	if r.head == "" {
		return nil
	}
	if isPath {
		text, found := r.files[path]
		if !found {
			return nil
		}
		return scalars("Blob", m{"text": text, "oid": blobSHA(text), "byteSize": len(text), "isBinary": false, "isTruncated": false})
	}
	if at == "HEAD" || strings.TrimPrefix(at, "refs/heads/") == r.branch {
		at = r.head
	}
	return r.commitObject(r.commits[at])
}

func (r *repository) commitObject(c *commit) *object {
	if c == nil {
		return nil
	}
	return &object{"Commit", func(field string, args map[string]any) (any, bool) {
		switch field {
		case "oid":
			return c.sha, true
		case "abbreviatedOid":
			return c.sha[:7], true
		case "message":
			return c.message, true
		case "messageHeadline":
			return c.subject(), true
		case "authoredDate":
			return stamp(c.authored), true
		case "committedDate":
			return stamp(c.committed), true
		case "url":
			return "https://github.com/" + r.full() + "/commit/" + c.sha, true
		case "author", "committer":
			at := c.authored
			if field == "committer" {
				at = c.committed
			}
			var account *object
			if c.known && !c.author.bot {
				account = actorObject(c.author)
			}
			return scalars("GitActor", m{"name": c.author.name, "email": c.author.email, "date": stamp(at), "user": account}), true
		case "parents":
			return listed("CommitConnection", c.parents, func(sha string) *object { return r.commitObject(r.commits[sha]) }), true
		case "history":
			log := r.history(c.sha)
			since, _ := args["since"].(string)
			until, _ := args["until"].(string)
			if since != "" || until != "" {
				log = slices.DeleteFunc(slices.Clone(log), func(c *commit) bool {
					return since != "" && c.committed.Before(instant(since)) || until != "" && c.committed.After(instant(until))
				})
			}
			return listed("CommitHistoryConnection", log, r.commitObject), true
		}
		return nil, false
	}}
}

func (p *pull) graphState() string {
	switch {
	case !p.merged.IsZero():
		return "MERGED"
	case !p.closed.IsZero():
		return "CLOSED"
	}
	return "OPEN"
}

func (r *repository) pullObject(p *pull) *object {
	return &object{"PullRequest", func(field string, args map[string]any) (any, bool) {
		switch field {
		case "id":
			return fmt.Sprintf("PR_%d", p.id), true
		case "databaseId", "fullDatabaseId":
			return p.id, true
		case "number":
			return p.number, true
		case "title":
			return p.title, true
		case "state":
			return p.graphState(), true
		case "isDraft":
			return p.draft, true
		case "merged":
			return !p.merged.IsZero(), true
		case "closed":
			return !p.closed.IsZero(), true
		case "createdAt":
			return stamp(p.created), true
		case "updatedAt":
			return stamp(p.updated), true
		case "closedAt":
			return stamp(p.closed), true
		case "mergedAt":
			return stamp(p.merged), true
		case "url", "permalink":
			return fmt.Sprintf("https://github.com/%s/pull/%d", r.full(), p.number), true
		case "additions":
			return p.additions, true
		case "deletions":
			return p.deletions, true
		case "changedFiles":
			return 1, true
		case "baseRefName":
			return p.base, true
		case "baseRefOid":
			return p.commits[0].parents[0], true
		case "headRefName":
			return p.branch, true
		case "headRefOid":
			return p.head(), true
		case "isCrossRepository":
			return p.fromFork, true
		case "headRepository":
			if p.fromFork {
				return nil, true
			}
			return scalars("Repository", m{"nameWithOwner": r.full(), "databaseId": r.id}), true
		case "author":
			return actorObject(p.author), true
		case "mergedBy":
			if p.merged.IsZero() {
				return nil, true
			}
			return actorObject(p.mergedBy), true
		case "mergeCommit":
			if p.merged.IsZero() {
				return nil, true
			}
			return r.commitObject(r.commits[p.mergeSHA]), true
		case "potentialMergeCommit":
			return nil, true
		case "labels":
			return labelConnection(p.labels), true
		case "commits":
			return listed("PullRequestCommitConnection", p.commits, func(c *commit) *object {
				return &object{"PullRequestCommit", func(field string, _ map[string]any) (any, bool) {
					if field == "commit" {
						return r.commitObject(c), true
					}
					return nil, false
				}}
			}), true
		case "reviews":
			states, _ := args["states"].([]any)
			list := slices.DeleteFunc(slices.Clone(p.reviews), func(v *review) bool { return len(states) > 0 && !slices.Contains(states, any(v.state)) })
			return listed("PullRequestReviewConnection", list, func(v *review) *object {
				return scalars("PullRequestReview", m{"databaseId": v.id, "state": v.state, "submittedAt": stamp(v.submitted), "createdAt": stamp(v.submitted), "author": actorObject(v.author)})
			}), true
		case "timelineItems":
			kinds, _ := args["itemTypes"].([]any)
			if one, single := args["itemTypes"].(string); single {
				kinds = []any{one}
			}
			var list []*object
			if !p.ready.IsZero() && slices.Contains(kinds, any("READY_FOR_REVIEW_EVENT")) {
				list = append(list, scalars("ReadyForReviewEvent", m{"createdAt": stamp(p.ready), "actor": actorObject(p.author)}))
			}
			return listed("PullRequestTimelineItemsConnection", list, func(o *object) *object { return o }), true
		}
		return nil, false
	}}
}

func (r *repository) deploymentObject(d *deployment) *object {
	statusObject := func(s *status) *object {
		if s == nil {
			return nil
		}
		return scalars("DeploymentStatus", m{
			"id": fmt.Sprintf("DES_%d", s.id), "state": strings.ToUpper(s.state), "createdAt": stamp(s.created), "updatedAt": stamp(s.created), "environment": d.environment, "description": "",
			"logUrl": nil, "environmentUrl": nil, "creator": actorObject(s.by),
		})
	}
	return &object{"Deployment", func(field string, _ map[string]any) (any, bool) {
		switch field {
		case "id":
			return fmt.Sprintf("DE_%d", d.id), true
		case "databaseId":
			return d.id, true
		case "commitOid":
			return d.sha, true
		case "commit":
			return r.commitObject(r.commits[d.sha]), true
		case "ref":
			return r.refObject(d.ref), true
		case "task":
			return d.task, true
		case "environment", "latestEnvironment", "originalEnvironment":
			return d.environment, true
		case "description":
			return "", true
		case "payload":
			return "{}", true
		case "createdAt":
			return stamp(d.created), true
		case "updatedAt":
			return stamp(d.updated), true
		case "creator":
			return actorObject(d.by), true
		case "state":
			return d.graphState(), true
		case "latestStatus":
			if len(d.statuses) == 0 {
				return nil, true
			}
			return statusObject(d.statuses[len(d.statuses)-1]), true
		case "statuses":
			return listed("DeploymentStatusConnection", reversed(d.statuses), statusObject), true
		}
		return nil, false
	}}
}

func (d *deployment) graphState() string {
	if len(d.statuses) == 0 {
		return "PENDING"
	}
	switch state := d.statuses[len(d.statuses)-1].state; state {
	case "success":
		return "ACTIVE"
	default:
		return strings.ToUpper(state)
	}
}
