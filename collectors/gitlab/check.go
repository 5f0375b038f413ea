package gitlab

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// sampled is how many projects are looked at for an estimate.
const sampled = 5

// Check asks who the token is and what it may read: a cheap request for each kind of thing, in one of the projects that
// match, some thirty altogether. It tells a fault when the token is refused, or nothing can be asked.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only webhooks are heard.")
		return a, nil
	}
	if err := c.whoAmI(ctx, &a); err != nil {
		return a, err
	}
	projects, err := c.shown(ctx, &a)
	if err != nil {
		return a, err
	}
	matching := slices.DeleteFunc(slices.Clone(projects), func(p project) bool {
		return !c.cfg.Projects.takes(p.PathWithNamespace) || p.Archived && !c.cfg.Projects.Archived || p.fork() && !c.cfg.Projects.Forks
	})
	for _, p := range matching[:min(len(matching), 5)] {
		a.Examples = append(a.Examples, p.PathWithNamespace)
	}
	a.Repositories = a.Listed
	if len(projects) > 0 { // of a long list only the first page is looked at
		a.Repositories = (a.Listed*len(matching) + len(projects)/2) / len(projects)
	}
	if len(matching) == 0 {
		a.Notes = append(a.Notes, "No project that is shown to the token matches: see groups, projects.include and projects.exclude.")
		return a, nil
	}
	if err := c.try(ctx, &a, matching[0]); err != nil {
		return a, err
	}
	a.Requests, err = c.estimate(ctx, a.Repositories, matching)
	return a, err
}

// whoAmI asks what the token is.
func (c *Connection) whoAmI(ctx context.Context, a *source.Access) error {
	var token struct {
		Name      string   `json:"name"`
		Scopes    []string `json:"scopes"`
		ExpiresAt string   `json:"expires_at"`
	}
	err := c.api.get(ctx, "personal_access_tokens/self", nil, &token)
	if kind := fault.KindOf(err); err != nil {
		if errors.Is(err, errRefused) || kind != fault.NotFound && kind != fault.Denied {
			return err
		}
		return nil // an older GitLab, or a token of another kind
	}
	a.Who, a.Scopes = token.Name, token.Scopes
	if a.Who == "" {
		a.Who = "a token"
	}
	has := func(scopes ...string) bool {
		return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(token.Scopes, s) })
	}
	if !has("read_api", "api") {
		a.Notes = append(a.Notes, "The token lacks the scope read_api, without which the API tells nothing.")
	}
	if c.cfg.Commits == CommitsGit && !has("read_repository", "write_repository", "api") {
		a.Notes = append(a.Notes, "The token lacks the scope read_repository, which cloning needs: add it, or read commits from the API with commits: api.")
	}
	if token.ExpiresAt != "" {
		a.Notes = append(a.Notes, "The token ends on "+token.ExpiresAt+".")
	}
	return nil
}

// shown asks for the first page of the projects of each group, the liveliest first.
func (c *Connection) shown(ctx context.Context, a *source.Access) ([]project, error) {
	var projects []project
	page := func(what, path string, q query) error {
		some, p, err := list[project](ctx, c.api, path, q.with("order_by", "last_activity_at").page(1))
		if fault.KindOf(err) == fault.NotFound && err != nil {
			a.Notes = append(a.Notes, "There is no group "+what+", or the token is not a member of it: check groups, and where the token was made.")
			return nil
		}
		if err == nil {
			projects = append(projects, some...)
			a.Listed += max(int(p.total), len(some))
		}
		return err
	}
	for _, path := range c.cfg.named() {
		var one project
		err := c.api.get(ctx, "projects/"+url.PathEscape(path), nil, &one)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			a.Notes = append(a.Notes, "There is no project "+path+", or the token is not a member of it: check projects.include.")
			continue
		}
		if err != nil {
			return nil, err
		}
		projects = append(projects, one)
		a.Listed++
	}
	if c.cfg.named() != nil {
		return projects, nil
	}
	for _, group := range c.cfg.Groups {
		if err := page(group, "groups/"+url.PathEscape(group)+"/projects", query{"include_subgroups": "true", "with_shared": "false"}); err != nil {
			return nil, err
		}
	}
	if len(c.cfg.Groups) == 0 {
		return projects, page("", "projects", query{"membership": "true"})
	}
	return projects, nil
}

// try asks for one thing of each kind. A feature that is switched off may be read: there is nothing in it.
func (c *Connection) try(ctx context.Context, a *source.Access, p project) error {
	in := known{ID: p.ID}.in
	for _, thing := range []struct{ kind, what, path string }{
		{source.Repositories, "the projects", in("")},
		{source.Teams, "the members of a group", ""},
		{source.Commits, "the commits of " + p.PathWithNamespace, in("/repository/commits")},
		{source.Changes, "the merge requests of " + p.PathWithNamespace, in("/merge_requests")},
		{source.Runs, "the pipelines of " + p.PathWithNamespace, in("/pipelines")},
		{source.Deployments, "the deployments of " + p.PathWithNamespace, in("/deployments")},
		{source.Releases, "the releases of " + p.PathWithNamespace, in("/releases")},
		{source.Incidents, "the issues of " + p.PathWithNamespace, in("/issues")},
		{source.Ownership, "the files of " + p.PathWithNamespace, in("/repository/files/CODEOWNERS/raw")},
	} {
		if thing.kind == source.Teams {
			if len(c.cfg.Groups) == 0 {
				continue
			}
			thing.what, thing.path = "the members of "+c.cfg.Groups[0], "groups/"+url.PathEscape(c.cfg.Groups[0])+"/members"
		}
		raw := query{"per_page": "1"}
		if thing.kind == source.Ownership {
			raw = query{"ref": "HEAD"}
		}
		denied := ""
		_, err := c.api.ask(ctx, thing.path, raw.encode(), nil)
		switch kind := fault.KindOf(err); {
		case err == nil, kind == fault.NotFound, slices.Contains(p.off(), thing.kind):
		case kind == fault.Denied:
			denied = err.Error()
		default:
			return err
		}
		a.Things = append(a.Things, source.Thing{Kind: thing.kind, What: thing.what, Denied: denied})
	}
	return nil
}

// estimate looks at a few projects, and makes of their numbers one for all: two requests for each merge request, and one
// for each hundred of everything else. What has no number counts as one page.
func (c *Connection) estimate(ctx context.Context, projects int, sample []project) (int64, error) {
	// Spread over the list, which has the busy ones first.
	step, looked, requests := max(len(sample)/sampled, 1), 0, 0.0
	for i := 0; i < len(sample) && looked < sampled; i += step {
		looked++
		requests += float64(len(repositoryKinds)) + 3 // and the files of owners, a branch, the tiers of environments
		for _, of := range []struct {
			path string
			each float64
		}{{"/merge_requests", 2.1}, {"/pipelines", 0.01}, {"/issues", 0.01}} {
			_, p, err := list[struct{}](ctx, c.api, known{ID: sample[i].ID}.in(of.path), query{"per_page": "1"}.page(1))
			if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Denied {
				return 0, err
			}
			requests += of.each * float64(p.total)
		}
	}
	return int64(requests * float64(projects) / float64(max(looked, 1))), nil
}
