package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-github/v60/github"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// checked bounds the repositories that a check lists: ten pages of each owner.
const checkedPages = 10

// Check asks who the credential is and what it may read: a cheap request for each kind of thing, in one of the
// repositories that match. It tells a fault when the credential is refused altogether.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No credential is given: only webhooks are heard.")
		return a, nil
	}
	t := &Turn{c: c, stream: source.Stream{Name: source.Repositories, Kind: source.Repositories}}
	if err := c.whoAmI(ctx, &a); err != nil {
		return a, err
	}
	repos, err := t.matching(ctx, &a)
	if err != nil {
		return a, err
	}
	a.Repositories = len(repos)
	for _, k := range repos[:min(len(repos), 5)] {
		a.Examples = append(a.Examples, k.name)
	}
	if len(repos) == 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("None of the %d repositories that are shown to the credential matches: see repositories.include and exclude.", a.Listed))
		return a, nil
	}
	for _, org := range c.cfg.Organisations[:min(len(c.cfg.Organisations), 1)] {
		attempt(&a, source.Teams, "the teams of "+org, func(what string) error {
			var teams []*github.Team
			_, err := t.get(ctx, what, "orgs/"+org+"/teams", values("per_page", "1"), &teams)
			return err
		})
	}
	t.repo = repos[0]
	for _, k := range repos {
		if !k.archived { // the liveliest guess
			t.repo = k
			break
		}
	}
	if err := t.things(ctx, &a); err != nil {
		return a, err
	}
	a.Requests, err = c.estimate(ctx, repos)
	if err != nil {
		a.Notes = append(a.Notes, "How many requests the first reading takes is not known: "+err.Error()+".")
	}
	return a, nil
}

// attempt tries to read a thing. Limits and lost connections say nothing about rights.
func attempt(a *source.Access, kind, what string, read func(what string) error) {
	thing := source.Thing{Kind: kind, What: what}
	if err := read(what); err != nil && !empty(err) {
		thing.Denied = err.Error()
	}
	a.Things = append(a.Things, thing)
}

// whoAmI asks for the credential's account.
func (c *Connection) whoAmI(ctx context.Context, a *source.Access) error {
	if c.cfg.App.ID != 0 {
		a.Who = fmt.Sprintf("App %d", c.cfg.App.ID)
		if c.cfg.App.Installation != 0 {
			a.Who += fmt.Sprintf(", installation %d", c.cfg.App.Installation)
		}
		return nil // an installation has no account; whether it works shows the next request
	}
	r, err := c.request("user")
	if err != nil {
		return err
	}
	answer, err := c.client.Do(r.WithContext(ctx))
	if err != nil {
		return unreachable(ctx, err, "the credential's account")
	}
	defer drain(answer.Body)
	if err := github.CheckResponse(answer); err != nil {
		if answer.StatusCode == http.StatusForbidden { // a token that is none of a person
			a.Who = "a token without an account"
			return nil
		}
		return c.refused(err, answer, "the credential's account")
	}
	var user github.User
	if err := readAnswer(ctx, answer.Body, &user, "the credential's account"); err != nil {
		return err
	}
	a.Who = user.GetLogin()
	for scope := range strings.SplitSeq(answer.Header.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			a.Scopes = append(a.Scopes, scope)
		}
	}
	if until := answer.Header.Get("GitHub-Authentication-Token-Expiration"); until != "" {
		a.Notes = append(a.Notes, "The token expires "+until+".")
	}
	return nil
}

// matching lists the repositories that match.
func (t *Turn) matching(ctx context.Context, a *source.Access) ([]known, error) {
	var repos []known
	for _, list := range t.c.owners() {
		for page := 1; page != 0; {
			if page > checkedPages {
				a.Notes = append(a.Notes, fmt.Sprintf("Only the first %d repositories of %s were looked at.", checkedPages*100, list))
				break
			}
			found, next, err := t.listRepositories(ctx, list, page)
			if err != nil {
				return nil, err
			}
			for _, r := range found {
				a.Listed++
				k := known{id: r.GetID(), fact: r.GetFullName(), name: r.GetFullName(), branch: r.GetDefaultBranch(), archived: r.GetArchived(), fork: r.GetFork()}
				if t.c.takes(k) {
					repos = append(repos, k)
				}
			}
			page = next.next
		}
	}
	slices.SortFunc(repos, func(a, b known) int { return strings.Compare(a.name, b.name) })
	return repos, nil
}

// things tries each kind of thing in the turn's repository.
func (t *Turn) things(ctx context.Context, a *source.Access) error {
	one := func(list string) func(string) error {
		return func(what string) error {
			var any []struct{}
			_, err := t.get(ctx, what, t.path(list), values("per_page", "1"), &any)
			return err
		}
	}
	var gone error
	of := " of " + t.repo.name
	for _, try := range []struct {
		kind string
		read func(string) error
	}{
		{source.Commits, one("commits")},
		{source.Changes, one("pulls")},
		{source.Runs, func(what string) error {
			var list struct{}
			_, err := t.get(ctx, what, t.path("actions/runs"), values("per_page", "1"), &list)
			return err
		}},
		{source.Deployments, one("deployments")},
		{source.Releases, one("releases")},
		{source.Incidents, one("issues")},
		{source.Ownership, func(string) error {
			_, err := t.folder(ctx, "")
			if fault.KindOf(err) == fault.NotFound { // an empty repository
				return nil
			}
			return err
		}},
	} {
		attempt(a, try.kind, nouns[try.kind]+of, func(what string) error {
			err := try.read(what)
			if fault.KindOf(err) == fault.Unavailable && gone == nil {
				gone = err
			}
			return err
		})
	}
	return gone
}

// sizes are how many things of each kind a repository has.
type sizes struct{ changes, deployments int64 }

// estimate is about how many requests the first reading takes, from the numbers of pull requests and deployments.
func (c *Connection) estimate(ctx context.Context, repos []known) (int64, error) {
	t := &Turn{c: c, stream: source.Stream{Kind: source.Repositories}}
	var total int64
	for chunk := range slices.Chunk(repos, 100) {
		counts, err := t.count(ctx, chunk)
		if errors.Is(err, errNoGraphQL) {
			return c.estimateByREST(ctx, repos)
		}
		if err != nil {
			return 0, err
		}
		for _, n := range counts {
			// A page of each list and the root folder, and then the pages.
			total += 6 + n.changes/changesAtOnce + n.deployments/deploymentsAtOnce
		}
	}
	return total, nil
}

// count asks for the sizes of up to a hundred repositories at once.
func (t *Turn) count(ctx context.Context, repos []known) ([]sizes, error) {
	if !t.c.usesGraphQL() {
		return nil, errNoGraphQL
	}
	document, variables := countQuery(repos)
	answer := map[string]*struct {
		PullRequests struct {
			TotalCount int64 `json:"totalCount"`
		} `json:"pullRequests"`
		Deployments struct {
			TotalCount int64 `json:"totalCount"`
		} `json:"deployments"`
	}{}
	if err := t.query(ctx, "the sizes of the repositories", document, variables, &answer); err != nil {
		return nil, err
	}
	var all []sizes
	for _, r := range answer {
		if r != nil {
			all = append(all, sizes{r.PullRequests.TotalCount, r.Deployments.TotalCount})
		}
	}
	return all, nil
}

// countQuery makes the document that counts; the names of the repositories are its variables.
func countQuery(repos []known) (document string, variables map[string]any) {
	variables = map[string]any{}
	var declared, fields []string
	for i, k := range repos {
		owner, name, _ := strings.Cut(k.name, "/")
		n := strconv.Itoa(i)
		variables["o"+n], variables["n"+n] = owner, name
		declared = append(declared, "$o"+n+": String!, $n"+n+": String!")
		fields = append(fields, "  r"+n+": repository(owner: $o"+n+", name: $n"+n+") { ...sizes }")
	}
	return "query sizes(" + strings.Join(declared, ", ") + ") {\n" + strings.Join(fields, "\n") + "\n}\n" +
		"fragment sizes on Repository { pullRequests(first: 1) { totalCount } deployments(first: 1) { totalCount } }", variables
}

// estimateByREST reads the numbers off the last pages of lists of one; of many repositories, of some of them.
func (c *Connection) estimateByREST(ctx context.Context, repos []known) (int64, error) {
	const some = 20
	var total int64
	looked := repos[:min(len(repos), some)]
	for _, k := range looked {
		t := &Turn{c: c, repo: k}
		count := func(list, state string) (int64, error) {
			var any []struct{}
			query := values("per_page", "1")
			if state != "" {
				query.Set("state", state)
			}
			next, err := t.get(ctx, "the size of "+k.name, t.path(list), query, &any)
			if fault.KindOf(err) == fault.Denied || fault.KindOf(err) == fault.NotFound {
				return 0, nil
			}
			return max(int64(next.last), int64(len(any))), err
		}
		changes, err := count("pulls", "all")
		if err != nil {
			return 0, err
		}
		deployments, err := count("deployments", "")
		if err != nil {
			return 0, err
		}
		total += 8 + changes*4 + changes/changesListed + deployments + deployments/deploymentsListed
	}
	if len(looked) == 0 {
		return 0, nil
	}
	return total * int64(len(repos)) / int64(len(looked)), nil
}
