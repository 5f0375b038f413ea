package githubtest

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const api = "https://api.github.com"

// filterCap is how many results a filtered list of workflow runs gives at most.
const filterCap = 1000

func (f *Fake) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request) answer) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { *w.(*catcher).answer = do(r) })
	}
	// about hands the repository to what is asked of one.
	about := func(pattern string, do func(repo *repository, r *http.Request) answer) {
		handle("GET /repos/{owner}/{repo}"+pattern, func(r *http.Request) answer {
			repo, moved := f.repository(r.PathValue("owner"), r.PathValue("repo"))
			switch {
			case repo == nil:
				return notFound
			case moved:
				rest := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/repos/"), "/", 3)
				to := origin(r) + "/repositories/" + strconv.FormatInt(repo.id, 10)
				if len(rest) == 3 {
					to += "/" + rest[2]
				}
				if r.URL.RawQuery != "" {
					to += "?" + r.URL.RawQuery
				}
				a := answer{status: http.StatusMovedPermanently, body: m{"message": "Moved Permanently", "url": to}}
				a.header = http.Header{"Location": {to}}
				return a
			}
			a := do(repo, r)
			if link := a.header.Get("Link"); link != "" { // GitHub's own links name repositories by id
				named := origin(r) + "/repos/" + r.PathValue("owner") + "/" + r.PathValue("repo") + "/"
				a.header.Set("Link", strings.ReplaceAll(link, named, origin(r)+"/repositories/"+strconv.FormatInt(repo.id, 10)+"/"))
			}
			return a
		})
	}

	handle("GET /rate_limit", f.rateLimit)
	handle("GET /user", func(*http.Request) answer { return ok(userJSON(f.world.users[0])) })
	handle("GET /orgs/{org}", func(r *http.Request) answer {
		if r.PathValue("org") != f.world.org {
			return notFound
		}
		return ok(m{"login": f.world.org, "id": 1, "type": "Organization", "name": f.world.org, "url": api + "/orgs/" + f.world.org})
	})
	handle("GET /orgs/{org}/repos", func(r *http.Request) answer {
		if r.PathValue("org") != f.world.org {
			return notFound
		}
		return page(r, f.repositories(r.URL.Query()), repositoryJSON)
	})
	handle("GET /users/{user}/repos", func(r *http.Request) answer {
		if r.PathValue("user") != f.world.org {
			return notFound
		}
		return page(r, f.repositories(r.URL.Query()), repositoryJSON)
	})
	handle("GET /user/repos", func(r *http.Request) answer {
		return page(r, f.repositories(r.URL.Query()), repositoryJSON)
	})
	handle("GET /installation/repositories", func(r *http.Request) answer {
		list := f.repositories(r.URL.Query())
		a := page(r, list, repositoryJSON)
		a.body = m{"total_count": len(list), "repositories": a.body}
		return a
	})
	handle("GET /orgs/{org}/teams", func(r *http.Request) answer { return page(r, f.world.teams, teamJSON) })
	handle("GET /orgs/{org}/teams/{slug}", func(r *http.Request) answer {
		if t := f.team(r.PathValue("slug")); t != nil {
			return ok(teamJSON(t))
		}
		return notFound
	})
	handle("GET /orgs/{org}/teams/{slug}/members", func(r *http.Request) answer {
		if t := f.team(r.PathValue("slug")); t != nil {
			return page(r, t.members, userJSON)
		}
		return notFound
	})

	about("", func(repo *repository, r *http.Request) answer { return ok(repositoryJSON(repo)) })
	about("/commits", f.listCommits)
	about("/commits/{sha}", func(repo *repository, r *http.Request) answer {
		sha := r.PathValue("sha")
		if sha == repo.branch || sha == "HEAD" {
			sha = repo.head
		}
		if tagged, isTag := repo.tags[sha]; isTag {
			sha = tagged
		}
		c := repo.commits[sha]
		if c == nil {
			return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
		}
		body := commitJSON(repo, c)
		var files []m
		for _, name := range c.files {
			files = append(files, m{"filename": name, "status": "modified", "additions": 3, "deletions": 1, "changes": 4})
		}
		body["files"] = files
		body["stats"] = m{"additions": 3, "deletions": 1, "total": 4}
		return ok(body)
	})
	about("/compare/{span}", f.compare)
	about("/git/commits/{sha}", func(repo *repository, r *http.Request) answer {
		c := repo.commits[r.PathValue("sha")]
		if c == nil {
			return notFound
		}
		body := commitJSON(repo, c)
		whole := body["commit"].(m)
		whole["sha"], whole["node_id"], whole["parents"], whole["url"] = c.sha, body["node_id"], body["parents"], body["url"]
		return ok(whole)
	})
	about("/branches", func(repo *repository, r *http.Request) answer {
		if repo.head == "" {
			return ok([]m{})
		}
		return page(r, []string{repo.branch}, func(string) m { return branchJSON(repo) })
	})
	about("/branches/{branch...}", func(repo *repository, r *http.Request) answer {
		if r.PathValue("branch") != repo.branch || repo.head == "" {
			return problem(http.StatusNotFound, "Branch not found")
		}
		return ok(branchJSON(repo))
	})
	about("/pulls", f.listPulls)
	about("/pulls/{number}", withPull(func(repo *repository, p *pull, r *http.Request) answer { return ok(pullJSON(repo, p, true)) }))
	about("/pulls/{number}/commits", withPull(func(repo *repository, p *pull, r *http.Request) answer {
		return page(r, p.commits[:min(len(p.commits), 250)], func(c *commit) m { return commitJSON(repo, c) })
	}))
	about("/pulls/{number}/reviews", withPull(func(repo *repository, p *pull, r *http.Request) answer {
		return page(r, p.reviews, func(v *review) m { return reviewJSON(repo, p, v) })
	}))
	about("/actions/runs", f.listRuns)
	about("/actions/runs/{id}", withRun(func(repo *repository, x *run, r *http.Request) answer {
		return ok(runJSON(repo, x, len(x.attempts)))
	}))
	about("/actions/runs/{id}/attempts/{attempt}", withRun(func(repo *repository, x *run, r *http.Request) answer {
		n, err := strconv.Atoi(r.PathValue("attempt"))
		if err != nil || n < 1 || n > len(x.attempts) {
			return notFound
		}
		return ok(runJSON(repo, x, n))
	}))
	about("/actions/runs/{id}/jobs", withRun(func(repo *repository, x *run, r *http.Request) answer {
		a := page(r, []*run{x}, func(x *run) m { return jobJSON(repo, x, len(x.attempts)) })
		a.body = m{"total_count": 1, "jobs": a.body}
		return a
	}))
	about("/actions/runs/{id}/attempts/{attempt}/jobs", withRun(func(repo *repository, x *run, r *http.Request) answer {
		n, err := strconv.Atoi(r.PathValue("attempt"))
		if err != nil || n < 1 || n > len(x.attempts) {
			return notFound
		}
		a := page(r, []int{n}, func(n int) m { return jobJSON(repo, x, n) })
		a.body = m{"total_count": 1, "jobs": a.body}
		return a
	}))
	about("/deployments", f.listDeployments)
	about("/deployments/{id}", withDeployment(func(repo *repository, d *deployment, r *http.Request) answer {
		return ok(deploymentJSON(repo, d))
	}))
	about("/deployments/{id}/statuses", withDeployment(func(repo *repository, d *deployment, r *http.Request) answer {
		return page(r, reversed(d.statuses), func(s *status) m { return statusJSON(repo, d, s) })
	}))
	about("/releases", func(repo *repository, r *http.Request) answer {
		return page(r, reversed(repo.releases), func(x *release) m { return releaseJSON(repo, x) })
	})
	about("/releases/{id}", func(repo *repository, r *http.Request) answer {
		for _, x := range repo.releases {
			if strconv.FormatInt(x.id, 10) == r.PathValue("id") {
				return ok(releaseJSON(repo, x))
			}
		}
		return notFound
	})
	about("/labels", func(repo *repository, r *http.Request) answer {
		return page(r, labelsJSON(repo.labels()), func(label m) m { return label })
	})
	about("/releases/tags/{tag}", func(repo *repository, r *http.Request) answer {
		for _, x := range repo.releases {
			if x.tag == r.PathValue("tag") && !x.draft {
				return ok(releaseJSON(repo, x))
			}
		}
		return notFound
	})
	about("/tags", func(repo *repository, r *http.Request) answer {
		var names []string
		for name := range repo.tags {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
		return page(r, names, func(name string) m {
			return m{"name": name, "commit": m{"sha": repo.tags[name], "url": api + "/repos/" + repo.full() + "/commits/" + repo.tags[name]}}
		})
	})
	about("/git/ref/tags/{tag}", func(repo *repository, r *http.Request) answer {
		sha, found := repo.tags[r.PathValue("tag")]
		if !found {
			return notFound
		}
		return ok(m{"ref": "refs/tags/" + r.PathValue("tag"), "object": m{"type": "commit", "sha": sha}})
	})
	about("/issues", f.listIssues)
	about("/issues/{number}", func(repo *repository, r *http.Request) answer {
		for _, x := range repo.issueList() {
			if strconv.Itoa(x.number) == r.PathValue("number") {
				return ok(issueJSON(repo, x))
			}
		}
		return notFound
	})
	contents := func(repo *repository, r *http.Request) answer {
		name := r.PathValue("path")
		text, found := repo.files[name]
		if !found {
			return f.listFolder(repo, name)
		}
		return ok(m{
			"type": "file", "encoding": "base64", "size": len(text), "name": name[strings.LastIndex(name, "/")+1:], "path": name,
			"content": base64.StdEncoding.EncodeToString([]byte(text)) + "\n", "sha": blobSHA(text),
			"html_url": "https://github.com/" + repo.full() + "/blob/" + repo.branch + "/" + name,
		})
	}
	about("/git/trees/{sha}", func(repo *repository, r *http.Request) answer {
		if len(repo.files) == 0 && len(repo.commits) == 0 {
			return problem(http.StatusConflict, "Git Repository is empty.")
		}
		if r.PathValue("sha") != repo.branch {
			return notFound
		}
		tree := []m{}
		if r.URL.Query().Has("recursive") {
			folders := map[string]bool{}
			for _, name := range slices.Sorted(maps.Keys(repo.files)) {
				for i, c := range name {
					if folder := name[:i]; c == '/' && !folders[folder] {
						folders[folder] = true
						tree = append(tree, m{"path": folder, "type": "tree", "mode": "040000", "sha": blobSHA(folder)})
					}
				}
				tree = append(tree, m{"path": name, "type": "blob", "mode": "100644", "sha": blobSHA(repo.files[name]), "size": len(repo.files[name])})
			}
			most := len(tree)
			if f.cfg.TreeLimit > 0 {
				most = min(most, f.cfg.TreeLimit)
			}
			return ok(m{"sha": blobSHA(repo.branch), "tree": tree[:most], "truncated": most < len(tree)})
		}
		if listed, isList := f.listFolder(repo, "").body.([]m); isList {
			for _, e := range listed {
				kind := "blob"
				if e["type"] == "dir" {
					kind = "tree"
				}
				tree = append(tree, m{"path": e["name"], "type": kind, "mode": "100644", "sha": e["sha"]})
			}
		}
		return ok(m{"sha": blobSHA(repo.branch), "tree": tree, "truncated": false})
	})
	about("/contents/{path...}", contents)

	handle("GET /app", func(*http.Request) answer {
		return ok(m{"id": 7, "slug": "cairn", "name": "cairn", "owner": m{"login": f.world.org, "id": 1}})
	})
	handle("GET /app/installations", func(r *http.Request) answer {
		return page(r, []int{70}, func(int) m { return f.installationJSON() })
	})
	handle("GET /app/installations/{id}", func(r *http.Request) answer {
		if r.PathValue("id") != "70" {
			return notFound
		}
		return ok(f.installationJSON())
	})
	place := func(r *http.Request) answer {
		if r.PathValue("owner") != f.world.org {
			return notFound
		}
		return ok(f.installationJSON())
	}
	handle("GET /orgs/{owner}/installation", place)
	handle("GET /users/{owner}/installation", place)
	handle("POST /app/installations/{id}/access_tokens", func(r *http.Request) answer {
		if r.PathValue("id") != "70" {
			return notFound
		}
		until := f.cfg.Now().Add(time.Hour)
		token := fmt.Sprintf("ghs_%d", f.requests)
		f.tokens[token] = until
		return answer{status: http.StatusCreated, body: m{
			"token": token, "expires_at": until.UTC().Format(time.RFC3339), "repository_selection": "all",
			"permissions": m{"contents": "read", "metadata": "read", "pull_requests": "read", "deployments": "read", "actions": "read", "issues": "read", "members": "read"},
		}}
	})
	handle("POST /graphql", f.graphQL)
	return mux
}

// repository finds one by its present or a former name, and says whether it was a former one.
func (f *Fake) repository(owner, name string) (repo *repository, moved bool) {
	full := owner + "/" + name
	for _, r := range f.world.repos {
		if strings.EqualFold(r.full(), full) && !r.deleted {
			return r, false
		}
	}
	for _, r := range f.world.repos {
		if slices.Contains(r.former, full) && !r.deleted {
			return r, true
		}
	}
	return nil, false
}

func (f *Fake) team(slug string) *team {
	for _, t := range f.world.teams {
		if t.slug == slug {
			return t
		}
	}
	return nil
}

func withPull(do func(*repository, *pull, *http.Request) answer) func(*repository, *http.Request) answer {
	return func(repo *repository, r *http.Request) answer {
		if p := repo.pull(r.PathValue("number")); p != nil {
			return do(repo, p, r)
		}
		return notFound
	}
}

func (r *repository) pull(number string) *pull {
	for _, p := range r.pulls {
		if strconv.Itoa(p.number) == number {
			return p
		}
	}
	return nil
}

func withRun(do func(*repository, *run, *http.Request) answer) func(*repository, *http.Request) answer {
	return func(repo *repository, r *http.Request) answer {
		for _, x := range repo.runs {
			if strconv.FormatInt(x.id, 10) == r.PathValue("id") {
				return do(repo, x, r)
			}
		}
		return notFound
	}
}

func withDeployment(do func(*repository, *deployment, *http.Request) answer) func(*repository, *http.Request) answer {
	return func(repo *repository, r *http.Request) answer {
		for _, d := range repo.deploys {
			if strconv.FormatInt(d.id, 10) == r.PathValue("id") {
				return do(repo, d, r)
			}
		}
		return notFound
	}
}

// prefix is the header in which a request carries what stood before its path.
const prefix = "X-Fake-Prefix"

// origin is the address of the interface as the client wrote it.
func origin(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + r.Header.Get(prefix)
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// page gives one page of a list, with the links to the others.
func page[T any](r *http.Request, list []T, render func(T) m) answer {
	q := r.URL.Query()
	size, number := 30, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		number = n
	}
	last := max(1, (len(list)+size-1)/size)
	from, to := min((number-1)*size, len(list)), min(number*size, len(list))
	body := make([]m, 0, to-from)
	for _, item := range list[from:to] {
		body = append(body, render(item))
	}
	var links []string
	link := func(rel string, n int) {
		v := url.Values{}
		for key, values := range q {
			v[key] = values
		}
		v.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, origin(r), r.URL.Path, v.Encode(), rel))
	}
	if number > 1 {
		link("prev", min(number-1, last))
	}
	if number < last {
		link("next", number+1)
		link("last", last)
	}
	if number > 1 {
		link("first", 1)
	}
	a := ok(body)
	if len(links) > 0 {
		a.header = http.Header{"Link": {strings.Join(links, ", ")}}
	}
	return a
}

// byTime sorts a list as asked: the default order is that of the id, newest first.
func byTime[T any](q url.Values, list []T, created, updated func(T) time.Time) []T {
	list = slices.Clone(list)
	of := created
	if q.Get("sort") == "updated" {
		of = updated
	}
	slices.SortStableFunc(list, func(a, b T) int { return of(a).Compare(of(b)) })
	if q.Get("direction") != "asc" {
		slices.Reverse(list)
	}
	return list
}

func (f *Fake) repositories(q url.Values) []*repository {
	var list []*repository
	for _, r := range f.world.repos {
		kind := q.Get("type")
		if r.deleted || kind == "sources" && r.fork || kind == "forks" && !r.fork || kind == "private" && !r.private || kind == "public" && r.private {
			continue
		}
		list = append(list, r)
	}
	descending := true
	var order func(a, b *repository) int
	switch q.Get("sort") {
	case "full_name":
		descending = false
		order = func(a, b *repository) int { return strings.Compare(a.full(), b.full()) }
	case "updated":
		order = func(a, b *repository) int { return a.updated.Compare(b.updated) }
	case "pushed":
		order = func(a, b *repository) int { return a.pushed.Compare(b.pushed) }
	default:
		order = func(a, b *repository) int { return cmp.Compare(a.id, b.id) }
	}
	switch q.Get("direction") {
	case "asc":
		descending = false
	case "desc":
		descending = true
	}
	slices.SortStableFunc(list, order)
	if descending {
		slices.Reverse(list)
	}
	return list
}

func (f *Fake) listCommits(repo *repository, r *http.Request) answer {
	q := r.URL.Query()
	if repo.head == "" {
		return problem(http.StatusConflict, "Git Repository is empty.")
	}
	head := q.Get("sha")
	if head == "" || head == repo.branch {
		head = repo.head
	}
	if repo.commits[head] == nil {
		return notFound
	}
	log := repo.history(head)
	since, until := instant(q.Get("since")), instant(q.Get("until"))
	if !since.IsZero() || !until.IsZero() {
		log = slices.DeleteFunc(slices.Clone(log), func(c *commit) bool {
			return !since.IsZero() && c.committed.Before(since) || !until.IsZero() && c.committed.After(until)
		})
	}
	if path := q.Get("path"); path != "" {
		log = slices.DeleteFunc(slices.Clone(log), func(c *commit) bool { return !slices.Contains(c.files, path) })
	}
	return page(r, log, func(c *commit) m { return commitJSON(repo, c) })
}

// compare lists what the head has and the base has not, the oldest first.
func (f *Fake) compare(repo *repository, r *http.Request) answer {
	base, head, both := strings.Cut(r.PathValue("span"), "...")
	resolve := func(name string) string {
		if name == repo.branch {
			return repo.head
		}
		if sha, tagged := repo.tags[name]; tagged {
			return sha
		}
		return name
	}
	base, head = resolve(base), resolve(head)
	if !both || repo.commits[base] == nil || repo.commits[head] == nil {
		return notFound
	}
	behind := map[string]bool{}
	for _, c := range repo.history(base) {
		behind[c.sha] = true
	}
	var ahead []*commit
	for _, c := range slices.Backward(repo.history(head)) {
		if !behind[c.sha] {
			ahead = append(ahead, c)
		}
	}
	q := r.URL.Query()
	if !q.Has("per_page") && !q.Has("page") {
		ahead = ahead[max(0, len(ahead)-250):]
	}
	a := page(r, ahead, func(c *commit) m { return commitJSON(repo, c) })
	common := len(repo.history(head)) - len(ahead)
	status := "ahead"
	if len(ahead) == 0 {
		status = "identical"
	}
	if common < len(behind) {
		status = "diverged"
	}
	a.body = m{"status": status, "ahead_by": len(ahead), "behind_by": len(behind) - common, "total_commits": len(ahead), "commits": a.body, "files": []m{}}
	return a
}

func (f *Fake) listPulls(repo *repository, r *http.Request) answer {
	q := r.URL.Query()
	state := cmp.Or(q.Get("state"), "open")
	list := slices.DeleteFunc(slices.Clone(repo.pulls), func(p *pull) bool {
		return state == "open" && !p.closed.IsZero() || state == "closed" && p.closed.IsZero() || q.Get("base") != "" && q.Get("base") != p.base
	})
	if q.Get("sort") == "" && q.Get("direction") == "" {
		q.Set("direction", "desc")
	}
	list = byTime(q, list, func(p *pull) time.Time { return p.created }, func(p *pull) time.Time { return p.updated })
	return page(r, list, func(p *pull) m { return pullJSON(repo, p, false) })
}

func (f *Fake) listRuns(repo *repository, r *http.Request) answer {
	q := r.URL.Query()
	from, to := span(q.Get("created"))
	filtered := false
	for _, name := range []string{"actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"} {
		filtered = filtered || q.Has(name)
	}
	list := slices.DeleteFunc(reversed(repo.runs), func(x *run) bool {
		last := x.last()
		return !from.IsZero() && x.created.Before(from) || !to.IsZero() && x.created.After(to) ||
			q.Has("branch") && q.Get("branch") != x.branch || q.Has("event") && q.Get("event") != x.event || q.Has("head_sha") && q.Get("head_sha") != x.sha ||
			q.Has("status") && q.Get("status") != last.status && q.Get("status") != last.conclusion
	})
	total := len(list)
	if filtered {
		list = list[:min(len(list), filterCap)]
	}
	a := page(r, list, func(x *run) m { return runJSON(repo, x, len(x.attempts)) })
	a.body = m{"total_count": total, "workflow_runs": a.body}
	return a
}

// span reads A..B, >=A, >A, <=B, <B, A.
func span(text string) (from, to time.Time) {
	a, b, both := strings.Cut(text, "..")
	switch {
	case both:
		return instant(strings.TrimPrefix(a, "*")), end(strings.TrimPrefix(b, "*"))
	case strings.HasPrefix(text, ">="):
		return instant(text[2:]), to
	case strings.HasPrefix(text, ">"):
		return instant(text[1:]).Add(time.Second), to
	case strings.HasPrefix(text, "<="):
		return from, end(text[2:])
	case strings.HasPrefix(text, "<"):
		return from, instant(text[1:]).Add(-time.Second)
	case text != "":
		return instant(text), end(text)
	}
	return
}

func instant(text string) time.Time {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	t, _ := time.Parse(time.DateOnly, text)
	return t
}

// end is the last instant that a text stands for: a day ends at midnight.
func end(text string) time.Time {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.Add(24*time.Hour - time.Second)
	}
	return instant(text)
}

func (f *Fake) listDeployments(repo *repository, r *http.Request) answer {
	q := r.URL.Query()
	list := slices.DeleteFunc(reversed(repo.deploys), func(d *deployment) bool {
		return q.Has("sha") && q.Get("sha") != d.sha || q.Has("ref") && q.Get("ref") != d.ref || q.Has("task") && q.Get("task") != d.task ||
			q.Has("environment") && q.Get("environment") != d.environment
	})
	return page(r, list, func(d *deployment) m { return deploymentJSON(repo, d) })
}

// issueOrPull is what /issues lists: pull requests are issues, too.
type issueOrPull struct {
	number           int
	id               int64
	title            string
	labels           []string
	author           *user
	created, updated time.Time
	closed           time.Time
	pull             *pull
}

func (r *repository) issueList() []issueOrPull {
	var list []issueOrPull
	for _, x := range r.issues {
		list = append(list, issueOrPull{x.number, x.id, x.title, x.labels, x.author, x.created, x.updated, x.closed, nil})
	}
	for _, p := range r.pulls {
		list = append(list, issueOrPull{p.number, p.id, p.title, p.labels, p.author, p.created, p.updated, p.closed, p})
	}
	slices.SortFunc(list, func(a, b issueOrPull) int { return a.number - b.number })
	return list
}

// labels are those that the repository has: GitHub's own, and whatever was used.
func (r *repository) labels() []string {
	labels := []string{"bug", "documentation", "enhancement", "question"}
	for _, x := range r.issueList() {
		labels = append(labels, x.labels...)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

func (f *Fake) listIssues(repo *repository, r *http.Request) answer {
	if repo.noIssues {
		return problem(http.StatusGone, "Issues are disabled for this repo")
	}
	q := r.URL.Query()
	state := cmp.Or(q.Get("state"), "open")
	since := instant(q.Get("since"))
	list := slices.DeleteFunc(repo.issueList(), func(x issueOrPull) bool {
		if state == "open" && !x.closed.IsZero() || state == "closed" && x.closed.IsZero() || x.updated.Before(since) {
			return true
		}
		if q.Get("labels") != "" {
			for label := range strings.SplitSeq(q.Get("labels"), ",") {
				if !slices.ContainsFunc(x.labels, func(l string) bool { return strings.EqualFold(l, label) }) {
					return true
				}
			}
		}
		return false
	})
	list = byTime(q, list, func(x issueOrPull) time.Time { return x.created }, func(x issueOrPull) time.Time { return x.updated })
	return page(r, list, func(x issueOrPull) m { return issueJSON(repo, x) })
}

// listFolder lists what is directly in a folder.
func (f *Fake) listFolder(repo *repository, folder string) answer {
	entries := map[string]m{}
	for name := range repo.files {
		rest := name
		if folder != "" {
			inside, found := strings.CutPrefix(name, folder+"/")
			if !found {
				continue
			}
			rest = inside
		}
		first, _, deeper := strings.Cut(rest, "/")
		kind := "file"
		if deeper {
			kind = "dir"
		}
		entries[first] = m{"type": kind, "name": first, "path": strings.TrimPrefix(folder+"/"+first, "/"), "sha": blobSHA(first)}
	}
	if len(entries) == 0 {
		return notFound
	}
	var list []m
	for _, e := range entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b m) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return ok(list)
}

func blobSHA(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:40] }

func (f *Fake) rateLimit(r *http.Request) answer {
	credential, _ := f.credential(r, f.cfg.Now())
	resources := m{}
	for _, resource := range []string{"core", "graphql"} {
		b, limit := f.budget(credential, resource, f.cfg.Now()), f.limit(resource)
		resources[resource] = m{"limit": limit, "used": b.used, "remaining": max(0, limit-b.used), "reset": b.reset.Unix(), "resource": resource}
	}
	return ok(m{"resources": resources, "rate": resources["core"]})
}

// goodJWT checks what a GitHub App signs.
func (f *Fake) goodJWT(token string, now time.Time) bool {
	parts := strings.Split(token, ".")
	if f.cfg.App == nil || len(parts) != 3 {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || rsa.VerifyPKCS1v15(f.cfg.App, crypto.SHA256, sum[:], signature) != nil {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Issued  int64           `json:"iat"`
		Expires int64           `json:"exp"`
		Issuer  json.RawMessage `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil || strings.Trim(string(claims.Issuer), `"`) != "7" {
		return false
	}
	return claims.Issued <= now.Unix() && claims.Expires > now.Unix() && claims.Expires-now.Unix() <= 600
}

func (f *Fake) installationJSON() m {
	return m{
		"id": 70, "app_id": 7, "account": m{"login": f.world.org, "id": 1, "type": "Organization"}, "target_type": "Organization",
		"repository_selection": "all", "access_tokens_url": api + "/app/installations/70/access_tokens",
	}
}
