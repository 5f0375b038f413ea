// Package gitlabtest is a GitLab that tests can ask: an organisation that is made up from a seed, served as the REST API
// serves one, with what goes wrong on the way, and the facts that somebody who read all of it has to know. It stands outside the data's way
// and is imported by tests alone.
package gitlabtest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Epoch is when the organisation's story begins.
var Epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// Styles of merging, one for a project.
const (
	Merge       = "merge"        // a merge commit
	Squash      = "squash"       // one commit of all, put on the branch
	SquashMerge = "squash-merge" // one commit of all, and a merge commit
	FastForward = "ff"           // the commits themselves
)

// Config says what to make up.
type Config struct {
	Seed     uint64
	Projects int
	// Changes, Runs, Deployments and Issues are the numbers of each in a project.
	Changes, Runs, Deployments, Issues int
	// Style is that of all projects; "" is each in turn.
	Style string
	// Keyset says whether groups' projects can be paged through by ids.
	Keyset bool
	// Limit is how many requests a minute of the clock has; 0: no limit.
	Limit int
}

type user struct {
	id       int64
	username string
	email    string
}

type group struct {
	id      int64
	path    string
	name    string
	parent  int64
	created time.Time
	members map[string]time.Time
	deleted bool
}

type commitOf struct {
	sha       string
	parents   []string
	author    user
	authored  time.Time
	committed time.Time
	message   string
}

type noteOf struct {
	author  user
	system  bool
	body    string
	created time.Time
}

type change struct {
	iid                      int64
	title, source            string
	author                   user
	state                    string
	draft                    bool
	created, updated         time.Time
	merged, closed           time.Time
	commits                  []*commitOf
	sha, mergeSHA, squashSHA string
	labels                   []string
	notes                    []noteOf
	// What follows from the notes, as the story has it.
	ready, reviewed, approved time.Time
}

type jobOf struct {
	id                         int64
	name, status               string
	created, started, finished time.Time
}

type run struct {
	id                       int64
	status, source, ref, sha string
	created, updated         time.Time
	started, finished        time.Time
	jobs                     []jobOf
	children                 []*run
}

type deploymentOf struct {
	id                int64
	env, status, sha  string
	created, updated  time.Time
	started, finished time.Time
	job, pipeline     int64
	by                user
}

type issueOf struct {
	iid                      int64
	title, state, kind       string
	labels                   []string
	created, updated, closed time.Time
}

type project struct {
	id        int64
	path      string
	first     string // the path it was first known under
	name      string
	style     string
	branch    string
	created   time.Time
	updated   time.Time
	archived  bool
	deleted   bool
	off       bool // merge requests are switched off
	head      string
	commits   map[string]*commitOf
	order     []string
	changes   []*change
	runs      []*run
	deploys   []*deploymentOf
	issues    []*issueOf
	files     map[string]string
	tiers     map[string]string
	nextIID   int64
	forbidden bool
}

type world struct {
	rnd      *rand.Rand
	now      time.Time
	next     int64
	users    []user
	groups   []*group
	projects []*project
}

func (w *world) id() int64 { w.next += 1 + w.rnd.Int64N(5); return w.next }

// tick lets some time pass: some microseconds beside, as GitLab's database has them and its answers do not.
func (w *world) tick(d time.Duration) time.Time {
	w.now = w.now.Add(d + time.Duration(w.rnd.IntN(1000))*time.Microsecond)
	return w.now
}

func newWorld(cfg Config) *world {
	w := &world{rnd: rand.New(rand.NewPCG(cfg.Seed, 1)), now: Epoch, next: 1000}
	for _, name := range []string{"ada", "ben", "cleo", "dan", "renovate"} {
		w.users = append(w.users, user{w.id(), name, name + "@acme.example"})
	}
	root := w.group("acme", "Acme", 0)
	payments := w.group("acme/payments", "Payments", root.id)
	platform := w.group("acme/platform", "Platform", root.id)
	deep := w.group("acme/platform/tools", "Tools", platform.id)
	w.group("other", "Other", 0)
	paths := []*group{root, payments, platform, deep}
	styles := []string{Merge, Squash, FastForward, SquashMerge}
	for i := range cfg.Projects {
		g := paths[i%len(paths)]
		style := cfg.Style
		if style == "" {
			style = styles[i%len(styles)]
		}
		w.project(fmt.Sprintf("%s/svc-%04d", g.path, i), style, cfg)
	}
	return w
}

func (w *world) group(path, name string, parent int64) *group {
	g := &group{id: w.id(), path: path, name: name, parent: parent, created: w.tick(time.Minute), members: map[string]time.Time{}}
	for _, u := range w.users[:4] {
		if w.rnd.IntN(2) == 0 {
			g.members[u.username] = w.tick(time.Minute)
		}
	}
	w.groups = append(w.groups, g)
	return g
}

func (w *world) project(path, style string, cfg Config) *project {
	p := &project{
		id: w.id(), path: path, first: path, name: path[strings.LastIndexByte(path, '/')+1:], style: style, branch: "main",
		created: w.tick(time.Minute), commits: map[string]*commitOf{}, files: map[string]string{}, tiers: map[string]string{"production": "production", "stage": "staging"},
	}
	p.updated = p.created
	w.projects = append(w.projects, p)
	p.files["CODEOWNERS"] = "# who\n* @" + path[:strings.LastIndexByte(path, '/')] + "\n"
	if cfg.Changes+cfg.Runs+cfg.Deployments+cfg.Issues == 0 {
		return p
	}
	first := w.commit(p, "first", nil, w.users[0], w.tick(time.Hour))
	w.advance(p, first)
	for range cfg.Changes {
		c := w.open(p)
		if w.rnd.IntN(5) > 0 {
			w.merge(p, c)
		} else if w.rnd.IntN(2) == 0 {
			c.state, c.closed = "closed", w.tick(time.Hour)
			c.updated = c.closed
		}
	}
	for range cfg.Runs {
		w.run(p)
	}
	for range cfg.Deployments {
		w.deploy(p)
	}
	for range cfg.Issues {
		w.issue(p)
	}
	return p
}

func (w *world) commit(p *project, message string, parents []string, by user, at time.Time) *commitOf {
	at = at.Truncate(time.Second)
	sum := sha1.Sum(fmt.Append(nil, p.path, message, parents, at.UnixNano(), len(p.commits)))
	c := &commitOf{sha: hex.EncodeToString(sum[:]), parents: parents, author: by, authored: at, committed: at, message: message + "\n\nwhy\n"}
	p.commits[c.sha] = c
	p.order = append(p.order, c.sha)
	return c
}

func (w *world) advance(p *project, c *commitOf) { p.head = c.sha }

// open makes a merge request with what is said about it.
func (w *world) open(p *project) *change {
	p.nextIID++
	author := w.users[w.rnd.IntN(len(w.users))]
	c := &change{
		iid: p.nextIID, title: fmt.Sprintf("Change %d", p.nextIID), source: fmt.Sprintf("change-%d", p.nextIID), author: author, state: "opened",
		labels: []string{"kind::feature"},
	}
	at := w.now
	parent := p.head
	for i := range 1 + w.rnd.IntN(4) {
		k := w.commit(p, fmt.Sprintf("change %d, step %d", c.iid, i), []string{parent}, author, at.Add(time.Duration(i)*time.Minute))
		parent = k.sha
		c.commits = append(c.commits, k)
	}
	c.sha = parent
	c.created = w.tick(10 * time.Minute)
	c.draft = w.rnd.IntN(3) == 0
	if c.draft && w.rnd.IntN(2) == 0 {
		c.draft, c.ready = false, w.tick(5*time.Minute)
		c.notes = append(c.notes, noteOf{author, true, "marked this merge request as **ready**", c.ready})
	}
	c.updated = w.now
	for range w.rnd.IntN(4) {
		w.say(c)
	}
	p.changes = append(p.changes, c)
	return c
}

// say has somebody say something about a merge request.
func (w *world) say(c *change) {
	by := w.users[w.rnd.IntN(len(w.users))]
	at := w.tick(7 * time.Minute)
	person := by.username != c.author.username && by.username != "renovate"
	switch w.rnd.IntN(3) {
	case 0:
		c.notes = append(c.notes, noteOf{by, false, "why so?", at})
		if person && c.reviewed.IsZero() {
			c.reviewed = at
		}
	case 1:
		c.notes = append(c.notes, noteOf{by, true, "approved this merge request", at})
		if person && c.reviewed.IsZero() {
			c.reviewed = at
		}
		if person && c.approved.IsZero() {
			c.approved = at
		}
	default:
		c.notes = append(c.notes, noteOf{by, true, "added 1 commit", at})
	}
	c.updated = at
}

// merge merges in the project's style.
func (w *world) merge(p *project, c *change) {
	at := w.tick(15 * time.Minute)
	c.state, c.merged, c.updated, c.draft = "merged", at, at, false
	by := w.users[1]
	switch p.style {
	case Merge:
		m := w.commit(p, "Merge branch "+c.source, []string{p.head, c.sha}, by, at)
		c.mergeSHA = m.sha
		w.advance(p, m)
	case Squash:
		s := w.commit(p, c.title, []string{p.head}, c.author, at)
		c.squashSHA = s.sha
		w.advance(p, s)
	case SquashMerge:
		s := w.commit(p, c.title, []string{p.head}, c.author, at)
		m := w.commit(p, "Merge branch "+c.source, []string{p.head, s.sha}, by, at)
		c.squashSHA, c.mergeSHA = s.sha, m.sha
		w.advance(p, m)
	case FastForward:
		w.advance(p, p.commits[c.sha])
	}
}

func (w *world) run(p *project) *run {
	r := &run{id: w.id(), source: "push", ref: "main", sha: p.head, created: w.tick(20 * time.Minute)}
	r.started = w.tick(time.Minute)
	r.status = []string{"success", "failed", "canceled", "running", "manual"}[w.rnd.IntN(5)]
	if r.status != "running" && r.status != "manual" {
		r.finished = w.tick(3 * time.Minute)
	}
	r.updated = w.now
	child := &run{id: w.id(), source: "parent_pipeline", ref: "main", sha: p.head, created: r.created, started: r.started, finished: r.finished, updated: r.updated, status: r.status}
	child.jobs = []jobOf{{w.id(), "deploy prod", "failed", r.created, r.started, r.started.Add(time.Second)}, {w.id(), "deploy prod", "success", r.created, r.started.Add(2 * time.Second), r.started.Add(9 * time.Second)}}
	r.jobs = []jobOf{{w.id(), "test", "success", r.created, r.started, r.started.Add(5 * time.Second)}}
	r.children = []*run{child}
	p.runs = append(p.runs, r, child)
	return r
}

func (w *world) deploy(p *project) *deploymentOf {
	d := &deploymentOf{id: w.id(), env: []string{"production", "stage", "review/x"}[w.rnd.IntN(3)], sha: p.head, created: w.tick(30 * time.Minute), by: w.users[2]}
	d.status = []string{"success", "success", "failed", "running", "blocked", "canceled"}[w.rnd.IntN(6)]
	if d.status != "blocked" {
		d.job, d.pipeline, d.started = w.id(), w.id(), w.tick(time.Minute)
	}
	if d.status == "success" || d.status == "failed" || d.status == "canceled" {
		d.finished = w.tick(2 * time.Minute)
	}
	d.updated = w.tick(time.Second)
	p.deploys = append(p.deploys, d)
	return d
}

func (w *world) issue(p *project) *issueOf {
	p.nextIID++
	i := &issueOf{iid: p.nextIID, title: fmt.Sprintf("Issue %d", p.nextIID), state: "opened", kind: []string{"issue", "incident"}[w.rnd.IntN(2)], labels: []string{"severity::2"}, created: w.tick(time.Hour)}
	i.updated = i.created
	if w.rnd.IntN(2) == 0 {
		i.state, i.closed = "closed", w.tick(time.Hour)
		i.updated = i.closed
	}
	p.issues = append(p.issues, i)
	return i
}

// something happens in a project, as it does while it is read.
func (w *world) something(p *project) {
	switch w.rnd.IntN(6) {
	case 0:
		w.say(p.changes[w.rnd.IntN(len(p.changes))])
	case 1:
		w.merge(p, w.open(p))
	case 2:
		w.run(p)
	case 3:
		w.deploy(p)
	case 4:
		w.issue(p)
	default:
		d := p.deploys[w.rnd.IntN(len(p.deploys))]
		if d.status == "running" {
			d.status, d.finished = "success", w.tick(time.Minute)
			d.updated = w.now
		} else {
			w.say(p.changes[w.rnd.IntN(len(p.changes))])
		}
	}
}

// reach are the commits that can be reached from a sha, but not from the others, latest first.
func (p *project) reach(from string, not ...string) []*commitOf {
	walk := func(from string, seen map[string]bool) {
		for todo := []string{from}; len(todo) > 0; {
			sha := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if c := p.commits[sha]; c != nil && !seen[sha] {
				seen[sha] = true
				todo = append(todo, c.parents...)
			}
		}
	}
	seen, out := map[string]bool{}, map[string]bool{}
	walk(from, seen)
	for _, sha := range not {
		walk(sha, out)
	}
	var list []*commitOf
	for _, sha := range slices.Backward(p.order) {
		if seen[sha] && !out[sha] {
			list = append(list, p.commits[sha])
		}
	}
	slices.SortStableFunc(list, func(a, b *commitOf) int { return b.committed.Compare(a.committed) })
	return list
}
