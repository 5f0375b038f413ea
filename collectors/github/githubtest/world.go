// Package githubtest is a fake of GitHub for tests: an organisation made up from a seed, served over REST and GraphQL as
// the real one does, with its limits and its faults. It keeps the truth beside what it serves, so that a test can compare
// what a collector told with what happened (Truth), and how much it asked with how little would have done (Minimum).
//
// Nothing here is shared with the collector: both are written against the documentation of the same system.
package githubtest

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Epoch is when the made-up history ends: what was generated happened before it, and a test's clock starts here.
var Epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Ways in which a repository's changes come to its default branch.
const (
	Merge       = "merge"
	Squash      = "squash"
	Rebase      = "rebase"
	FastForward = "fast_forward"
	Trunk       = "trunk" // no pull requests
)

// styles in the order in which repositories take them.
var styles = []string{Merge, Squash, Rebase, FastForward, Trunk}

type user struct {
	id    int64
	login string
	name  string
	email string
	bot   bool
}

type team struct {
	id      int64
	slug    string
	name    string
	parent  *team
	members []*user
}

type commit struct {
	sha       string
	parents   []string
	author    *user
	known     bool // whether the e-mail address belongs to an account
	authored  time.Time
	committed time.Time
	message   string
	files     []string
	seq       int // order of making
}

func (c *commit) subject() string {
	subject, _, _ := strings.Cut(c.message, "\n")
	return subject
}

type review struct {
	id        int64
	author    *user
	state     string // APPROVED, COMMENTED, CHANGES_REQUESTED, DISMISSED
	submitted time.Time
}

type pull struct {
	id        int64
	number    int
	title     string
	author    *user
	base      string
	branch    string
	fromFork  bool // of somebody whose account is gone: head.repo and head.user are null
	created   time.Time
	updated   time.Time
	ready     time.Time // when it left draft; zero: never was one, or is still
	draft     bool
	merged    time.Time
	closed    time.Time // merged or not
	mergedBy  *user
	method    string
	commits   []*commit
	landed    []string
	mergeSHA  string
	reviews   []*review
	labels    []string
	additions int
	deletions int
}

type attempt struct {
	started    time.Time
	updated    time.Time
	status     string // queued, in_progress, completed
	conclusion string // success, failure, cancelled, skipped
}

type run struct {
	id         int64
	number     int
	name       string
	path       string
	event      string
	branch     string
	sha        string
	actor      *user
	created    time.Time
	attempts   []attempt
	referenced []string // path@ref of reusable workflows
}

func (r *run) last() *attempt { return &r.attempts[len(r.attempts)-1] }

type status struct {
	id      int64
	state   string
	created time.Time
	by      *user
}

type deployment struct {
	id          int64
	sha         string
	ref         string
	task        string
	environment string
	created     time.Time
	updated     time.Time
	by          *user
	statuses    []*status // oldest first
}

type release struct {
	id         int64
	tag        string
	sha        string
	name       string
	draft      bool
	prerelease bool
	created    time.Time
	published  time.Time
	author     *user
}

type issue struct {
	id      int64
	number  int
	title   string
	labels  []string
	author  *user
	created time.Time
	updated time.Time
	closed  time.Time
}

type repository struct {
	id         int64
	owner      string
	name       string
	former     []string // full names that it had
	branch     string   // the default one
	style      string
	archived   bool
	fork       bool
	private    bool
	noIssues   bool
	deleted    bool
	created    time.Time
	updated    time.Time
	pushed     time.Time
	head       string // of the default branch; "" while empty
	commits    map[string]*commit
	tags       map[string]string // name: sha
	pulls      []*pull           // by number, ascending
	runs       []*run            // by id, ascending
	deploys    []*deployment
	releases   []*release
	issues     []*issue
	files      map[string]string
	nextNumber int

	log     []*commit // cached by listing
	logHead string
}

func (r *repository) full() string { return r.owner + "/" + r.name }

// history is what is reachable from a commit, as git log lists it.
func (r *repository) history(head string) []*commit {
	if head == "" {
		return nil
	}
	if head == r.logHead && head == r.head {
		return r.log
	}
	// As git does it: of the commits that are known to come, the latest is next, and then its parents are known. So the
	// head comes first, whatever its date.
	seen := map[string]bool{head: true}
	var log []*commit
	for coming := []*commit{r.commits[head]}; len(coming) > 0; { // in order, the next one last
		c := coming[len(coming)-1]
		coming = coming[:len(coming)-1]
		log = append(log, c)
		for _, sha := range c.parents {
			if seen[sha] {
				continue
			}
			seen[sha] = true
			p := r.commits[sha]
			at, _ := slices.BinarySearchFunc(coming, p, func(a, b *commit) int {
				return cmp.Or(a.committed.Compare(b.committed), cmp.Compare(a.seq, b.seq))
			})
			coming = slices.Insert(coming, at, p)
		}
	}
	if head == r.head {
		r.log, r.logHead = log, head
	}
	return log
}

// world is everything that exists, and the way to make more of it.
type world struct {
	org       string
	seed      uint64
	users     []*user
	bot       *user
	teams     []*team
	repos     []*repository // by id, ascending
	serial    int64         // of ids
	commitSeq int
}

func (w *world) id() int64 {
	w.serial++
	return w.serial
}

func newWorld(cfg Config) *world {
	w := &world{org: cfg.Org, seed: cfg.Seed, serial: 1000}
	for _, name := range []string{"Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hal"} {
		login := strings.ToLower(name)
		w.users = append(w.users, &user{id: w.id(), login: login, name: name, email: login + "@example.com"})
	}
	w.bot = &user{id: w.id(), login: "dependabot[bot]", name: "dependabot[bot]",
		email: "49699333+dependabot[bot]@users.noreply.github.com", bot: true}
	for i := range cfg.Teams {
		t := &team{id: w.id(), slug: fmt.Sprintf("team-%d", i), name: fmt.Sprintf("Team %d", i)}
		if i > 0 && i%3 == 0 {
			t.parent = w.teams[0]
		}
		for j := range 2 + i%3 {
			t.members = append(t.members, w.users[(i+j*3)%len(w.users)])
		}
		slices.SortFunc(t.members, func(a, b *user) int { return strings.Compare(a.login, b.login) })
		t.members = slices.Compact(t.members)
		w.teams = append(w.teams, t)
	}
	for i := range cfg.Repositories {
		w.generate(i, cfg)
	}
	return w
}

// maker makes one repository's history; its clock goes on with what it makes.
type maker struct {
	*world
	*rand.Rand
	r   *repository
	now time.Time
	end time.Time // now never passes it; zero: no bound
}

// shape says what a generated repository has of each kind, in steps: a step is a push or a pull request with what
// follows from it.
func (w *world) generate(i int, cfg Config) {
	m := maker{world: w, Rand: rand.New(rand.NewPCG(cfg.Seed, uint64(i)))}
	style := styles[i%len(styles)]
	if len(cfg.Styles) > 0 {
		style = cfg.Styles[i%len(cfg.Styles)]
	}
	m.r = &repository{
		id: w.id(), owner: w.org, name: fmt.Sprintf("repo-%04d", i), branch: "main", style: style,
		commits: map[string]*commit{}, tags: map[string]string{}, files: map[string]string{}, nextNumber: 1,
		private: i%4 == 1, noIssues: i%17 == 9,
	}
	r := m.r
	w.repos = append(w.repos, r)
	if i%11 == 5 {
		r.branch = "trunk"
	}
	steps := 3 + m.IntN(6)
	if cfg.Steps > 0 {
		steps = cfg.Steps
	}
	if cfg.BigEvery > 0 && i%cfg.BigEvery == cfg.BigEvery/2 {
		steps = 130 + m.IntN(90)
	}
	m.now = Epoch.Add(-time.Duration(steps+4) * 26 * time.Hour).Truncate(time.Second)
	r.created, r.updated, r.pushed = m.now, m.now, m.now
	if i%23 == 13 { // nothing was ever pushed to it
		return
	}
	m.write()
	m.push(2)
	for range steps {
		m.now = m.now.Add(time.Duration(2+m.IntN(30)) * time.Hour / 2)
		if m.now.After(Epoch.Add(-72 * time.Hour)) {
			break
		}
		m.step()
	}
	for range m.IntN(3) { // and some are under way
		if style != Trunk {
			m.later(time.Hour)
			m.open()
		}
	}
	switch {
	case i%19 == 7:
		r.archived = true
		r.updated = m.now
	case i%29 == 11:
		r.fork = true
	}
}

// later lets up to d pass.
func (m *maker) later(d time.Duration) {
	m.now = m.now.Add(time.Minute + time.Duration(m.Int64N(int64(d))).Truncate(time.Second))
	if !m.end.IsZero() && m.now.After(m.end) {
		m.now = m.end
	}
}

func (m *maker) somebody() *user { return m.users[m.IntN(len(m.users))] }

func (m *maker) somebodyElse(than *user) *user {
	for {
		if u := m.somebody(); u != than {
			return u
		}
	}
}

// write puts the files into the repository that say whose it is.
func (m *maker) write() {
	if len(m.teams) == 0 {
		return
	}
	t := m.teams[m.IntN(len(m.teams))]
	switch m.IntN(4) {
	case 0:
		m.r.files[".github/CODEOWNERS"] = fmt.Sprintf("# owners\n*       @%s/%s\n/docs/  @ada\n", m.org, t.slug)
	case 1:
		m.r.files["CODEOWNERS"] = fmt.Sprintf("* @%s/%s @bo\n", m.org, t.slug)
	case 2:
		m.r.files["catalog-info.yaml"] = fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: %s\nspec:\n  type: service\n  lifecycle: production\n  owner: group:default/%s\n", m.r.name, t.slug)
	}
	m.r.files["README.md"] = "# " + m.r.name + "\n"
}

func (w *world) sha(r *repository, salt string) string {
	w.commitSeq++
	sum := sha1.Sum(fmt.Appendf(nil, "%d %d %d %s", w.seed, r.id, w.commitSeq, salt))
	return hex.EncodeToString(sum[:])
}

// commit makes a commit that nothing points to yet.
func (m *maker) commit(author *user, message string, authored, committed time.Time, parents ...string) *commit {
	c := &commit{
		parents: parents, author: author, known: author.bot || m.IntN(10) > 0, authored: authored, committed: committed, message: message,
		files: []string{fmt.Sprintf("src/%c.go", 'a'+rune(m.IntN(20)))},
	}
	c.sha = m.sha(m.r, message)
	c.seq = m.commitSeq
	m.r.commits[c.sha] = c
	return c
}

func parentsOf(head string) []string {
	if head == "" {
		return nil
	}
	return []string{head}
}

// push puts n commits onto the default branch.
func (m *maker) push(n int) {
	for range n {
		authored := m.now
		m.later(20 * time.Minute)
		c := m.commit(m.somebody(), fmt.Sprintf("Direct change %d\n\nWith a body.", m.commitSeq), authored, m.now, parentsOf(m.r.head)...)
		m.r.head = c.sha
	}
	m.r.pushed, m.r.updated = m.now, m.now
}

func (m *maker) number() int {
	m.r.nextNumber++
	return m.r.nextNumber - 1
}

// open opens a pull request: commits on a branch that leaves the default branch here.
func (m *maker) open() *pull {
	author := m.somebody()
	if m.IntN(9) == 0 {
		author = m.bot
	}
	p := &pull{id: m.id(), author: author, base: m.r.branch, fromFork: m.IntN(12) == 0}
	head := m.r.head
	for range 1 + m.IntN(4) {
		authored := m.now
		m.later(90 * time.Minute)
		c := m.commit(author, fmt.Sprintf("Part %d of a change", m.commitSeq), authored, authored, parentsOf(head)...)
		head = c.sha
		p.commits = append(p.commits, c)
	}
	p.number = m.number()
	p.branch = fmt.Sprintf("change-%d", p.number)
	p.title = fmt.Sprintf("Change %d", p.number)
	if m.IntN(10) == 0 {
		p.branch = fmt.Sprintf("hotfix/%d", p.number)
		p.labels = append(p.labels, "hotfix")
	}
	if m.IntN(4) == 0 {
		p.labels = append(p.labels, "enhancement")
	}
	p.additions, p.deletions = 1+m.IntN(200), m.IntN(50)
	m.later(30 * time.Minute)
	p.created, p.updated = m.now, m.now
	p.draft = m.IntN(6) == 0
	p.mergeSHA = m.sha(m.r, "test merge") // of the test merge that GitHub makes of an open one
	m.r.pulls = append(m.r.pulls, p)
	return p
}

// judge lets people review a pull request.
func (m *maker) judge(p *pull) {
	if p.draft && m.IntN(8) > 0 {
		m.later(3 * time.Hour)
		p.draft, p.ready = false, m.now
		p.updated = m.now
	}
	if m.IntN(5) == 0 { // a comment of the author's own is no review by another
		m.later(time.Hour)
		m.review(p, p.author, "COMMENTED")
	}
	if m.IntN(3) == 0 {
		m.later(4 * time.Hour)
		m.review(p, m.somebodyElse(p.author), "CHANGES_REQUESTED")
	}
	if m.IntN(6) > 0 {
		m.later(4 * time.Hour)
		m.review(p, m.somebodyElse(p.author), "APPROVED")
	}
}

func (m *maker) review(p *pull, by *user, state string) {
	p.reviews = append(p.reviews, &review{id: m.id(), author: by, state: state, submitted: m.now})
	p.updated = m.now
}

// land brings a pull request onto the default branch.
func (m *maker) land(p *pull, method string) {
	r := m.r
	by := m.somebodyElse(p.author)
	m.later(time.Hour)
	p.method, p.mergedBy, p.draft = method, by, false
	p.landed = nil
	switch method {
	case Merge:
		c := m.commit(by, fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", p.number, r.owner, p.branch, p.title), m.now, m.now, r.head, p.commits[len(p.commits)-1].sha)
		p.landed, r.head = []string{c.sha}, c.sha
	case Squash:
		c := m.commit(p.author, fmt.Sprintf("%s (#%d)", p.title, p.number), m.now, m.now, r.head)
		p.landed, r.head = []string{c.sha}, c.sha
	case Rebase:
		for _, o := range p.commits {
			c := m.commit(o.author, o.message, o.authored, m.now, r.head)
			c.known = o.known
			p.landed, r.head = append(p.landed, c.sha), c.sha
		}
	case FastForward:
		if p.commits[0].parents[0] != r.head { // its author moves it to the tip first
			for i, o := range p.commits {
				c := m.commit(o.author, o.message, o.authored, m.now, r.head)
				c.known = o.known
				p.commits[i], r.head = c, c.sha
			}
		}
		for _, c := range p.commits {
			p.landed, r.head = append(p.landed, c.sha), c.sha
		}
	}
	p.mergeSHA = r.head
	p.merged, p.closed, p.updated = m.now, m.now, m.now
	r.pushed, r.updated = m.now, m.now
}

// refuse closes a pull request without merging it.
func (m *maker) refuse(p *pull) {
	m.later(time.Hour)
	p.closed, p.updated = m.now, m.now
}

// step is one push or pull request, and what comes of it.
func (m *maker) step() {
	r := m.r
	if r.style == Trunk || m.IntN(7) == 0 {
		m.push(1 + m.IntN(3))
	} else {
		p := m.open()
		m.judge(p)
		if m.IntN(9) == 0 {
			m.refuse(p)
			return
		}
		m.land(p, r.style)
	}
	m.later(5 * time.Minute)
	m.runs()
	if m.IntN(3) > 0 {
		m.deploy("staging")
		if m.IntN(4) > 0 {
			m.deploy("production")
		}
	}
	if m.IntN(5) == 0 {
		m.release()
	}
	if !r.noIssues && m.IntN(5) == 0 {
		m.issue()
	}
}

func (m *maker) runs() {
	ci := m.start("CI", ".github/workflows/ci.yml")
	m.finish(ci)
	for len(ci.attempts) < 3 && ci.last().conclusion == "failure" && m.IntN(2) == 0 {
		m.later(time.Hour)
		ci.attempts = append(ci.attempts, attempt{started: m.now, updated: m.now, status: "in_progress"})
		m.finish(ci)
	}
}

func (m *maker) start(name, path string) *run {
	x := &run{
		id: m.id(), number: len(m.r.runs) + 1, name: name, path: path, event: "push", branch: m.r.branch, sha: m.r.head,
		actor: m.somebody(), created: m.now,
	}
	if m.r.id%2 == 0 {
		x.referenced = []string{m.org + "/platform/.github/workflows/build.yml@main"}
	}
	x.attempts = []attempt{{started: m.now, updated: m.now, status: "in_progress"}}
	m.r.runs = append(m.r.runs, x)
	return x
}

func (m *maker) finish(x *run) {
	m.later(10 * time.Minute)
	a := x.last()
	a.updated, a.status, a.conclusion = m.now, "completed", []string{"success", "success", "success", "failure", "cancelled"}[m.IntN(5)]
}

// deploy deploys the head of the default branch.
func (m *maker) deploy(environment string) *deployment {
	d := m.deployment(environment)
	m.later(5 * time.Minute)
	m.state(d, "in_progress")
	switch m.IntN(12) {
	case 0, 1:
		m.later(20 * time.Minute)
		m.state(d, "failure")
	case 2:
		m.later(20 * time.Minute)
		m.state(d, "error")
	case 3: // nobody says how it ended
	default:
		m.later(20 * time.Minute)
		m.state(d, "success")
	}
	return d
}

func (m *maker) deployment(environment string) *deployment {
	d := &deployment{
		id: m.id(), sha: m.r.head, ref: m.r.branch, task: "deploy", environment: environment, created: m.now, updated: m.now, by: m.somebody(),
	}
	m.r.deploys = append(m.r.deploys, d)
	return d
}

// state gives a deployment a status. A success makes the earlier successes of the environment inactive, and moves their
// updated_at, as GitHub does.
func (m *maker) state(d *deployment, state string) *status {
	s := &status{id: m.id(), state: state, created: m.now, by: d.by}
	d.statuses = append(d.statuses, s)
	d.updated = m.now
	if state == "success" {
		for _, earlier := range m.r.deploys {
			if earlier != d && earlier.environment == d.environment && len(earlier.statuses) > 0 && earlier.statuses[len(earlier.statuses)-1].state == "success" {
				earlier.statuses = append(earlier.statuses, &status{id: m.id(), state: "inactive", created: m.now, by: d.by})
				earlier.updated = m.now
			}
		}
	}
	return s
}

func (m *maker) release() *release {
	m.later(time.Hour)
	n := len(m.r.releases) + 1
	x := &release{
		id: m.id(), tag: fmt.Sprintf("v1.%d.0", n), sha: m.r.head, name: fmt.Sprintf("Release 1.%d", n), author: m.somebody(),
		created: m.r.commits[m.r.head].committed, published: m.now, prerelease: m.IntN(4) == 0,
	}
	if m.IntN(5) == 0 {
		x.draft, x.published = true, time.Time{}
	} else {
		m.r.tags[x.tag] = x.sha
	}
	m.r.releases = append(m.r.releases, x)
	return x
}

func (m *maker) issue() *issue {
	m.later(time.Hour)
	x := &issue{id: m.id(), author: m.somebody(), created: m.now, updated: m.now}
	x.number = m.number()
	if m.IntN(2) == 0 {
		x.title = fmt.Sprintf("Outage %d", x.number)
		x.labels = []string{"incident", []string{"sev1", "sev2"}[m.IntN(2)]}
	} else {
		x.title = fmt.Sprintf("Bug %d", x.number)
		x.labels = []string{"bug"}
	}
	if m.IntN(5) > 0 {
		m.later(5 * time.Hour)
		x.closed, x.updated = m.now, m.now
	}
	m.r.issues = append(m.r.issues, x)
	return x
}
