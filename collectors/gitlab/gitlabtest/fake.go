package gitlabtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind is a way in which a request goes wrong.
type FaultKind string

// The kinds of faults that pass by themselves.
const (
	Limited           FaultKind = "429"
	LimitedRetryAfter FaultKind = "429 with Retry-After"
	BadGateway        FaultKind = "502"
	CutBody           FaultKind = "cut body"
	Truncated         FaultKind = "truncated JSON"
	Slow              FaultKind = "slow"
)

// FaultKinds are all of them.
func FaultKinds() []FaultKind {
	return []FaultKind{Limited, LimitedRetryAfter, BadGateway, CutBody, Truncated, Slow}
}

// Fake is a GitLab. It is safe for use from several goroutines. It starts nothing: it is a http.Handler.
type Fake struct {
	cfg    Config
	routes *http.ServeMux

	mu       sync.Mutex
	w        *world
	token    string
	requests map[string]int
	problems []string
	rand     *rand.Rand
	share    float64
	kinds    []FaultKind
	stirs    int
	stirring float64
	wait     func(context.Context) error
}

// New makes the organisation.
func New(cfg Config) *Fake {
	f := &Fake{cfg: cfg, w: newWorld(cfg), token: "token", requests: map[string]int{}, rand: rand.New(rand.NewPCG(cfg.Seed, 7))}
	f.routes = f.newRoutes()
	return f
}

// Chaos has a share of all requests go wrong in one of the ways; a share of 0 ends it. wait is how slow answers wait.
func (f *Fake) Chaos(share float64, wait func(context.Context) error, kinds ...FaultKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share, f.kinds, f.wait = share, kinds, wait
}

// Churn has something happen in a project after a share of the pages of its lists, n times at most, so that things move
// between pages.
func (f *Fake) Churn(share float64, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stirring, f.stirs = share, n
}

// SetToken makes another token the good one.
func (f *Fake) SetToken(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = token
}

// Requests returns how often each kind of request was made, and forgets it.
func (f *Fake) Requests() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := f.requests
	f.requests = map[string]int{}
	return counts
}

// Problems are what a client did wrong, such as a filter that GitLab refuses.
func (f *Fake) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.problems)
}

// Happen has something happen in the how-manieth project, n times.
func (f *Fake) Happen(project, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.w.something(f.w.projects[project])
	}
}

// TieChanges gives all merge requests and issues of a project the same instant of change, as a script can.
func (f *Fake) TieChanges(project int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.w.tick(time.Hour)
	for _, c := range f.w.projects[project].changes {
		c.updated = at
	}
	for _, i := range f.w.projects[project].issues {
		i.updated = at
	}
}

// Rename gives a project another path.
func (f *Fake) Rename(project int, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.w.projects[project]
	p.path, p.name, p.updated = path, path[strings.LastIndexByte(path, '/')+1:], f.w.tick(time.Minute)
}

// Delete deletes a project.
func (f *Fake) Delete(project int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w.projects[project].deleted = true
}

// SwitchOff switches merge requests of a project off, without its settings saying so.
func (f *Fake) SwitchOff(project int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w.projects[project].off = true
}

// Forbid has the token not suffice for a project's merge requests.
func (f *Fake) Forbid(project int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w.projects[project].forbidden = true
}

// Leave has somebody leave a group.
func (f *Fake) Leave(path string) (login string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.w.groups {
		if g.path == path {
			for _, login := range slices.Sorted(maps.Keys(g.members)) {
				delete(g.members, login)
				return login
			}
		}
	}
	return ""
}

// SetFile puts a file on the default branch of a project; an empty one is none.
func (f *Fake) SetFile(project int, path, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.w.projects[project].files[path] = text
}

// Unmark takes the type incident away from an issue.
func (f *Fake) Unmark(project int) (iid int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.w.projects[project].issues {
		if i.kind == "incident" {
			i.kind, i.updated = "issue", f.w.tick(time.Minute)
			return i.iid
		}
	}
	return 0
}

// Now is the present of the organisation.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.w.tick(time.Second)
}

type object = map[string]any

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	_, pattern := f.routes.Handler(r)
	f.requests[pattern]++
	f.requests["all"]++
	var kind FaultKind
	if len(f.kinds) > 0 && f.rand.Float64() < f.share {
		kind = f.kinds[f.rand.IntN(len(f.kinds))]
	}
	good := r.Header.Get("Authorization") == "Bearer "+f.token
	wait := f.wait
	f.mu.Unlock()
	w.Header().Set("RateLimit-Limit", "2000")
	switch {
	case !good:
		reply(w, 401, object{"message": "401 Unauthorized"})
		return
	case kind == Limited, kind == LimitedRetryAfter:
		if kind == LimitedRetryAfter {
			w.Header().Set("Retry-After", "7")
		}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(429)
		_, _ = w.Write([]byte("Retry later\n"))
		return
	case kind == BadGateway:
		w.WriteHeader(502)
		_, _ = w.Write([]byte("<html>502 Bad Gateway</html>"))
		return
	case kind == Slow && wait != nil:
		if wait(r.Context()) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	answer := &recorder{header: http.Header{}, status: 200}
	f.mu.Lock()
	f.routes.ServeHTTP(answer, r)
	f.mu.Unlock()
	maps.Copy(w.Header(), answer.header)
	body := answer.body
	switch {
	case kind == CutBody && len(body) > 4:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.status)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case kind == Truncated && len(body) > 4:
		body = body[:len(body)/2]
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(body)
}

type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { r.body = append(r.body, b...); return len(b), nil }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func missing(w http.ResponseWriter, what string) {
	reply(w, 404, object{"message": "404 " + what + " Not Found"})
}

// shown is an instant as answers show it.
func shown(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// listed is a thing of a list with what lists go by.
type listed struct {
	id      int64
	updated time.Time
	created time.Time
	body    object
}

// list serves a page of a list.
func (f *Fake) list(w http.ResponseWriter, r *http.Request, p *project, things []listed) {
	q := r.URL.Query()
	bound := func(name string) (time.Time, bool) {
		if q.Get(name) == "" {
			return time.Time{}, false
		}
		t, err := time.Parse(time.RFC3339Nano, q.Get(name))
		if err != nil {
			f.problems = append(f.problems, fmt.Sprintf("%s: %s=%q", r.URL.Path, name, q.Get(name)))
		}
		return t, true
	}
	after, isAfter := bound("updated_after")
	before, isBefore := bound("updated_before")
	if (isAfter || isBefore) && q.Get("order_by") != "updated_at" {
		reply(w, 400, object{"message": "400 Bad request - `updated_at` filter requires `updated_at` sort"})
		return
	}
	things = slices.DeleteFunc(things, func(l listed) bool {
		return isAfter && l.updated.Before(after) || isBefore && l.updated.After(before)
	})
	slices.SortStableFunc(things, func(a, b listed) int {
		n := int(a.id - b.id)
		switch q.Get("order_by") {
		case "updated_at":
			if c := a.updated.Compare(b.updated); c != 0 {
				n = c
			}
		case "id", "":
		default:
			if c := a.created.Compare(b.created); c != 0 {
				n = c
			}
		}
		if q.Get("sort") != "asc" {
			n = -n
		}
		return n
	})
	total := len(things)
	size, page := 20, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil {
		size = min(n, 100)
	}
	if q.Get("pagination") == "keyset" {
		if !f.cfg.Keyset {
			reply(w, 405, object{"error": "Keyset pagination is not yet available for this type of request"})
			return
		}
		at, _ := strconv.ParseInt(q.Get("id_after"), 10, 64)
		things = slices.DeleteFunc(things, func(l listed) bool { return l.id <= at })
		if len(things) > size {
			things = things[:size]
			next := url.Values{}
			maps.Copy(next, q)
			next.Set("id_after", strconv.FormatInt(things[size-1].id, 10))
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.EscapedPath(), next.Encode()))
		} else {
			w.Header().Set("Link", "")
		}
		w.Header().Set("X-Per-Page", strconv.Itoa(size))
	} else {
		if n, err := strconv.Atoi(q.Get("page")); err == nil {
			page = n
		}
		from, to := min((page-1)*size, total), min(page*size, total)
		things = things[from:to]
		w.Header().Set("X-Page", strconv.Itoa(page))
		w.Header().Set("X-Per-Page", strconv.Itoa(size))
		w.Header().Set("X-Total", strconv.Itoa(total))
		w.Header().Set("X-Next-Page", "")
		if to < total {
			w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
		}
	}
	bodies := make([]object, 0, len(things))
	for _, l := range things {
		bodies = append(bodies, l.body)
	}
	reply(w, 200, bodies)
	if p != nil && f.stirs > 0 && len(p.changes) > 0 && len(p.deploys) > 0 && f.rand.Float64() < f.stirring {
		f.stirs--
		f.w.something(p)
	}
}

func (f *Fake) project(w http.ResponseWriter, r *http.Request) *project {
	id := r.PathValue("id")
	for _, p := range f.w.projects {
		if !p.deleted && (strconv.FormatInt(p.id, 10) == id || p.path == id) {
			return p
		}
	}
	missing(w, "Project")
	return nil
}

func (f *Fake) group(w http.ResponseWriter, r *http.Request) *group {
	id := r.PathValue("id")
	for _, g := range f.w.groups {
		if !g.deleted && (strconv.FormatInt(g.id, 10) == id || g.path == id) {
			return g
		}
	}
	missing(w, "Group")
	return nil
}

func (f *Fake) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	below := func(path string, serve func(w http.ResponseWriter, r *http.Request, g *group)) {
		mux.HandleFunc("GET /api/v4/groups/{id}"+path, func(w http.ResponseWriter, r *http.Request) {
			if g := f.group(w, r); g != nil {
				serve(w, r, g)
			}
		})
	}
	in := func(path string, serve func(w http.ResponseWriter, r *http.Request, p *project)) {
		mux.HandleFunc("GET /api/v4/projects/{id}"+path, func(w http.ResponseWriter, r *http.Request) {
			if p := f.project(w, r); p != nil {
				serve(w, r, p)
			}
		})
	}
	mux.HandleFunc("GET /api/v4/personal_access_tokens/self", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, object{"id": 1, "scopes": []string{"read_api"}, "active": true, "expires_at": "2027-01-31"})
	})
	mux.HandleFunc("GET /api/v4/projects", func(w http.ResponseWriter, r *http.Request) { f.projects(w, r, "") })
	below("", func(w http.ResponseWriter, _ *http.Request, g *group) { reply(w, 200, g.body()) })
	below("/projects", func(w http.ResponseWriter, r *http.Request, g *group) { f.projects(w, r, g.path+"/") })
	below("/descendant_groups", func(w http.ResponseWriter, r *http.Request, g *group) {
		var things []listed
		for _, other := range f.w.groups {
			if !other.deleted && strings.HasPrefix(other.path, g.path+"/") {
				things = append(things, listed{id: other.id, body: other.body()})
			}
		}
		f.list(w, r, nil, things)
	})
	below("/members", func(w http.ResponseWriter, r *http.Request, g *group) {
		var things []listed
		for _, u := range f.w.users {
			if since, is := g.members[u.username]; is {
				things = append(things, listed{id: u.id, body: object{"id": u.id, "username": u.username, "name": u.username, "state": "active", "created_at": shown(since), "access_level": 30}})
			}
		}
		f.list(w, r, nil, things)
	})
	in("", func(w http.ResponseWriter, _ *http.Request, p *project) { reply(w, 200, p.body()) })
	in("/repository/branches/{branch}", func(w http.ResponseWriter, r *http.Request, p *project) {
		if r.PathValue("branch") != p.branch || p.head == "" {
			missing(w, "Branch")
			return
		}
		reply(w, 200, object{"name": p.branch, "default": true, "commit": p.commits[p.head].body()})
	})
	in("/repository/commits", func(w http.ResponseWriter, r *http.Request, p *project) {
		ref := r.URL.Query().Get("ref_name")
		from, to, isRange := strings.Cut(ref, "..")
		var commits []*commitOf
		switch {
		case isRange && p.commits[from] != nil && p.commits[to] != nil:
			commits = p.reach(to, from)
		case !isRange && p.commits[ref] != nil:
			commits = p.reach(ref)
		default:
			missing(w, "Commit")
			return
		}
		var things []listed
		for i, c := range commits {
			things = append(things, listed{id: int64(-i), body: c.body()})
		}
		f.list(w, r, p, things)
	})
	in("/repository/files/{path}/raw", func(w http.ResponseWriter, r *http.Request, p *project) {
		if text := p.files[r.PathValue("path")]; text != "" {
			_, _ = w.Write([]byte(text))
			return
		}
		missing(w, "File")
	})
	in("/repository/tree", func(w http.ResponseWriter, r *http.Request, p *project) {
		folder, deep := r.URL.Query().Get("path"), r.URL.Query().Get("recursive") == "true"
		entries := map[string]string{}
		for file, text := range p.files {
			rest, inside := file, true
			if folder != "" {
				rest, inside = strings.CutPrefix(file, folder+"/")
			}
			if !inside || text == "" {
				continue
			}
			for i, c := range rest {
				if c == '/' {
					entries[strings.TrimSuffix(file, rest[i:])] = "tree"
					if !deep {
						break
					}
				}
			}
			if deep || !strings.Contains(rest, "/") {
				entries[file] = "blob"
			}
		}
		if folder != "" && len(entries) == 0 {
			missing(w, "Tree")
			return
		}
		var things []listed
		for i, path := range slices.Sorted(maps.Keys(entries)) {
			things = append(things, listed{id: int64(-i), body: object{
				"id": path, "name": path[strings.LastIndexByte(path, '/')+1:], "type": entries[path], "path": path, "mode": "100644",
			}})
		}
		f.list(w, r, p, things)
	})
	in("/merge_requests", func(w http.ResponseWriter, r *http.Request, p *project) {
		if p.off || p.forbidden {
			reply(w, 403, object{"message": "403 Forbidden"})
			return
		}
		var things []listed
		for _, c := range p.changes {
			things = append(things, listed{c.iid, c.updated, c.created, c.body(f, p)})
		}
		f.list(w, r, p, things)
	})
	ofChange := func(path string, serve func(w http.ResponseWriter, r *http.Request, p *project, c *change)) {
		in("/merge_requests/{iid}"+path, func(w http.ResponseWriter, r *http.Request, p *project) {
			for _, c := range p.changes {
				if strconv.FormatInt(c.iid, 10) == r.PathValue("iid") {
					serve(w, r, p, c)
					return
				}
			}
			missing(w, "")
		})
	}
	ofChange("", func(w http.ResponseWriter, _ *http.Request, p *project, c *change) { reply(w, 200, c.body(f, p)) })
	ofChange("/commits", func(w http.ResponseWriter, r *http.Request, _ *project, c *change) {
		var things []listed
		for i, k := range c.commits {
			things = append(things, listed{id: int64(i), body: k.body()})
		}
		f.list(w, r, nil, things)
	})
	ofChange("/notes", func(w http.ResponseWriter, r *http.Request, _ *project, c *change) {
		var things []listed
		for i, n := range c.notes {
			things = append(things, listed{id: int64(i), created: n.created, body: object{
				"id": i, "body": n.body, "system": n.system, "created_at": shown(n.created), "author": n.author.body(),
			}})
		}
		f.list(w, r, nil, things)
	})
	in("/pipelines", func(w http.ResponseWriter, r *http.Request, p *project) {
		var things []listed
		for _, x := range p.runs {
			things = append(things, listed{x.id, x.updated, x.created, x.body(f, p, false)})
		}
		f.list(w, r, p, things)
	})
	ofRun := func(path string, serve func(w http.ResponseWriter, r *http.Request, p *project, x *run)) {
		in("/pipelines/{run}"+path, func(w http.ResponseWriter, r *http.Request, p *project) {
			for _, x := range p.runs {
				if strconv.FormatInt(x.id, 10) == r.PathValue("run") {
					serve(w, r, p, x)
					return
				}
			}
			missing(w, "")
		})
	}
	ofRun("", func(w http.ResponseWriter, _ *http.Request, p *project, x *run) { reply(w, 200, x.body(f, p, true)) })
	ofRun("/jobs", func(w http.ResponseWriter, r *http.Request, p *project, x *run) {
		var things []listed
		for _, j := range x.jobs {
			things = append(things, listed{id: j.id, body: object{
				"id": j.id, "name": j.name, "status": j.status, "ref": x.ref, "created_at": shown(j.created), "started_at": shown(j.started),
				"finished_at": shown(j.finished), "commit": object{"id": x.sha}, "user": f.w.users[0].body(), "web_url": "http://gitlab.example/" + p.path + "/-/jobs/" + fmt.Sprint(j.id),
			}})
		}
		f.list(w, r, nil, things)
	})
	ofRun("/bridges", func(w http.ResponseWriter, r *http.Request, p *project, x *run) {
		var things []listed
		for _, c := range x.children {
			things = append(things, listed{id: c.id, body: object{"id": 1, "name": "child", "downstream_pipeline": object{"id": c.id, "project_id": p.id, "source": c.source}}})
		}
		f.list(w, r, nil, things)
	})
	in("/deployments", func(w http.ResponseWriter, r *http.Request, p *project) {
		var things []listed
		for _, d := range p.deploys {
			things = append(things, listed{d.id, d.updated, d.created, d.body()})
		}
		f.list(w, r, p, things)
	})
	in("/deployments/{deployment}", func(w http.ResponseWriter, r *http.Request, p *project) {
		for _, d := range p.deploys {
			if strconv.FormatInt(d.id, 10) == r.PathValue("deployment") {
				reply(w, 200, d.body())
				return
			}
		}
		missing(w, "Deployment")
	})
	in("/environments", func(w http.ResponseWriter, r *http.Request, p *project) {
		var things []listed
		if name := r.URL.Query().Get("name"); p.tiers[name] != "" {
			things = []listed{{id: 1, body: object{"name": name, "tier": p.tiers[name]}}}
		}
		f.list(w, r, nil, things)
	})
	in("/issues", func(w http.ResponseWriter, r *http.Request, p *project) {
		var things []listed
		for _, i := range p.issues {
			things = append(things, listed{i.iid, i.updated, i.created, i.body(p)})
		}
		f.list(w, r, p, things)
	})
	in("/issues/{iid}", func(w http.ResponseWriter, r *http.Request, p *project) {
		for _, i := range p.issues {
			if strconv.FormatInt(i.iid, 10) == r.PathValue("iid") {
				reply(w, 200, i.body(p))
				return
			}
		}
		missing(w, "")
	})
	in("/releases", func(w http.ResponseWriter, r *http.Request, p *project) { f.list(w, r, p, nil) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.problems = append(f.problems, "no such route: "+r.URL.Path)
		missing(w, "Route")
	})
	return mux
}

func (f *Fake) projects(w http.ResponseWriter, r *http.Request, under string) {
	var things []listed
	for _, p := range f.w.projects {
		if !p.deleted && strings.HasPrefix(p.path, under) {
			things = append(things, listed{id: p.id, body: p.body()})
		}
	}
	f.list(w, r, nil, things)
}

func (g *group) body() object {
	var parent any
	if g.parent != 0 {
		parent = g.parent
	}
	return object{"id": g.id, "full_path": g.path, "name": g.name, "parent_id": parent, "created_at": shown(g.created)}
}

func (u user) body() object { return object{"id": u.id, "username": u.username, "name": u.username} }

func (p *project) body() object {
	return object{
		"id": p.id, "name": p.name, "path_with_namespace": p.path, "default_branch": p.branch, "web_url": "http://gitlab.example/" + p.path,
		"created_at": shown(p.created), "updated_at": shown(p.updated), "last_activity_at": shown(p.created), "archived": p.archived, "empty_repo": p.head == "",
		"merge_requests_access_level": map[bool]string{true: "disabled", false: "enabled"}[p.off], "issues_access_level": "enabled", "builds_access_level": "private",
	}
}

func (c *commitOf) body() object {
	return object{
		"id": c.sha, "parent_ids": c.parents, "title": "x", "message": c.message, "author_name": c.author.username, "author_email": c.author.email,
		"authored_date": c.authored.Format("2006-01-02T15:04:05.000+00:00"), "committed_date": c.committed.Format("2006-01-02T15:04:05.000+00:00"),
	}
}

func (c *change) body(_ *Fake, p *project) object {
	return object{
		"id": c.iid + 90000, "iid": c.iid, "title": c.title, "state": c.state, "draft": c.draft, "created_at": shown(c.created), "updated_at": shown(c.updated),
		"merged_at": shown(c.merged), "closed_at": shown(c.closed), "author": c.author.body(), "target_branch": "main", "source_branch": c.source, "labels": c.labels,
		"sha": c.sha, "merge_commit_sha": orNull(c.mergeSHA), "squash_commit_sha": orNull(c.squashSHA),
		"web_url": fmt.Sprintf("http://gitlab.example/%s/-/merge_requests/%d", p.path, c.iid), "changes_count": nil,
	}
}

func (x *run) body(f *Fake, p *project, whole bool) object {
	body := object{
		"id": x.id, "status": x.status, "source": x.source, "ref": x.ref, "sha": x.sha, "created_at": shown(x.created), "updated_at": shown(x.updated),
		"web_url": fmt.Sprintf("http://gitlab.example/%s/-/pipelines/%d", p.path, x.id),
	}
	if whole {
		body["started_at"], body["finished_at"], body["user"] = shown(x.started), shown(x.finished), f.w.users[0].body()
	}
	return body
}

func (d *deploymentOf) body() object {
	body := object{
		"id": d.id, "ref": "main", "sha": d.sha, "status": d.status, "created_at": shown(d.created), "updated_at": shown(d.updated), "user": d.by.body(),
		"environment": object{"name": d.env}, "deployable": nil,
	}
	if d.job != 0 {
		body["deployable"] = object{"id": d.job, "started_at": shown(d.started), "finished_at": shown(d.finished), "pipeline": object{"id": d.pipeline}}
	}
	return body
}

func (i *issueOf) body(p *project) object {
	return object{
		"iid": i.iid, "title": i.title, "state": i.state, "issue_type": i.kind, "labels": i.labels, "created_at": shown(i.created), "updated_at": shown(i.updated),
		"closed_at": shown(i.closed), "web_url": fmt.Sprintf("http://gitlab.example/%s/-/issues/%d", p.path, i.iid), "severity": "UNKNOWN",
	}
}
