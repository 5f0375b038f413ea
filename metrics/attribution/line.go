package attribution

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Line is the line of runs of one service to one environment, with what each made live. Runs are applied in the
// order in which they finished; a late or corrected one re-derives the line from its place on.
type Line struct {
	settings Settings
	author   Author
	parts    map[string]*part
	keep     bool // report the commits of baseline runs: the service is new, not imported

	repository func(id string) *Repository

	runs     []Run
	results  []Result
	versions []version
	index    map[string]int32
	live     map[string]int32             // target -> version
	current  map[string]int32             // target -> deployment that put the version there
	carried  map[string]map[string]string // target -> repository -> what is live of it there
	latest   map[string]string            // the same after the latest run, on whatever target

	deployments []Deployment
	reverts     []revert
	byRun       map[string]int32

	deliver func(*Change)
	commit  func(*ShippedCommit)
}

// part is one repository in a line.
type part struct {
	repo      *Repository
	match     *Bits
	simple    *simplified
	shipped   []uint32        // commit -> run that made it live, +1; 0: not live
	silent    Bits            // commits that were live before the run that shipped says, by the producer's word
	requests  map[int32]int32 // change requests -> run that delivered them
	baselines map[int32]bool  // runs that were this repository's baseline
	seen      bool
	previous  string // sha of the last run that named this repository
	epoch     int
	histories []history
}

// history is what a rewind must restore of a part.
type history struct {
	run      int32
	seen     bool
	previous string
}

type version struct {
	key        string
	deployment int32 // the change deployment that first brought it
	liveOn     map[string]bool
}

// Result is what one run came to.
type Result struct {
	Kind       string
	Version    int32
	Deployment int32 // index into Deployments
	Commits    int   // newly live on the service's paths, merges not counted
	Changes    int
	Baseline   bool
	Flags      []string
}

// Deployment is a logical deployment: a version brought to all its targets, or taken back from them, once.
type Deployment struct {
	Kind        string
	Run         int32 // first run; -1 for a failed run
	Failed      *Run  // for KindFailedRun
	Version     int32
	DeployedAt  int64
	CompletedAt int64
	Targets     []string // in the order reached
	Reached     []int64  // when
	Baseline    bool
	Changes     int
	Commits     int
	BackedFrom  int32 // rollbacks: the newest version that was replaced
	Hotfix      bool
	Verdict     *bool
	Remediates  []string
	Incidents   []string // that it says it remediates
	Flags       []string
}

type revert struct {
	run      int32 // that made the revert live
	original int32 // run that delivered what it undoes
	sha      string
	undoes   string
}

// ShippedCommit is a commit that a run made live, merges not included.
type ShippedCommit struct {
	Repository  string
	SHA         string
	Author      string
	CommittedAt int64
	DeployedAt  int64
	Deployment  string
	Change      string
	Baseline    bool
}

// Config says what a line is about and where its findings go. Deliver and Commit are called as runs are applied,
// and again for the same run after a rewind.
type Config struct {
	Settings     Settings
	Author       Author
	Parts        []Part                      // empty: every repository that a run names, whole
	Repository   func(id string) *Repository // never nil; without commits where none are known
	KeepBaseline bool                        // report the commits of baseline runs, too
	Deliver      func(*Change)
	Commit       func(*ShippedCommit)
}

// NewLine returns a line without runs.
func NewLine(c Config) *Line {
	l := &Line{settings: c.Settings, author: c.Author, keep: c.KeepBaseline, repository: c.Repository, deliver: c.Deliver, commit: c.Commit, parts: map[string]*part{}}
	for _, p := range c.Parts {
		l.parts[p.Repository] = newPart(c.Repository(p.Repository), p.Match)
	}
	l.reset()
	return l
}

func newPart(r *Repository, match *Bits) *part {
	p := &part{repo: r, match: match, requests: map[int32]int32{}, baselines: map[int32]bool{}}
	if match != nil {
		p.simple = newSimplified(r.Graph, match)
	}
	p.epoch = r.Graph.Epoch()
	return p
}

// part gives the line's view of a repository. One that the service does not list is seen whole.
func (l *Line) part(id string) *part {
	p, ok := l.parts[id]
	if !ok {
		p = newPart(l.repository(id), nil)
		l.parts[id] = p
	}
	return p
}

func (l *Line) reset() {
	l.versions, l.index = nil, map[string]int32{}
	l.latest = nil
	l.live, l.current, l.carried = map[string]int32{}, map[string]int32{}, map[string]map[string]string{}
	l.deployments, l.byRun = nil, map[string]int32{}
}

// Runs are the successful runs applied so far, in order; Results stands beside it.
func (l *Line) Runs() []Run { return l.runs }

// Results tells, for each of Runs, what it came to.
func (l *Line) Results() []Result { return l.results }

// Deployments are the logical deployments, in the order in which they first went live.
func (l *Line) Deployments() []Deployment { return l.deployments }

// Append applies a successful run that finished after all others.
func (l *Line) Append(r Run) {
	i := int32(len(l.runs))
	l.runs = append(l.runs, r)
	l.results = append(l.results, Result{})
	l.apply(i)
}

// Place is the position that a run has, or would have, in the line.
func (l *Line) Place(r *Run) int {
	return sort.Search(len(l.runs), func(i int) bool { return !l.runs[i].before(r) })
}

// Rewind forgets the runs from place i on.
func (l *Line) Rewind(i int) {
	if i >= len(l.runs) {
		return
	}
	for _, p := range l.parts {
		p.rewind(int32(i))
	}
	l.reverts = slices.DeleteFunc(l.reverts, func(r revert) bool { return r.run >= int32(i) })
	l.runs = l.runs[:i]
	kept := l.results[:i]
	l.results = kept
	l.reset()
	for n := range l.runs {
		version := l.version(&l.runs[n])
		l.place(int32(n), version)
		d := &l.deployments[kept[n].Deployment]
		d.Changes += kept[n].Changes
		d.Commits += kept[n].Commits
		d.Baseline = d.Baseline || kept[n].Baseline
		for _, f := range kept[n].Flags {
			d.Flags = addFlag(d.Flags, f)
		}
	}
}

func (p *part) rewind(run int32) {
	for c, r := range p.shipped {
		if r > uint32(run) {
			p.shipped[c] = 0
			p.silent.Clear(uint32(c))
		}
	}
	for r := range p.baselines {
		if r >= run {
			delete(p.baselines, r)
		}
	}
	for c, r := range p.requests {
		if r >= run {
			delete(p.requests, c)
		}
	}
	for len(p.histories) > 0 && p.histories[len(p.histories)-1].run >= run {
		h := p.histories[len(p.histories)-1]
		p.seen, p.previous = h.seen, h.previous
		p.histories = p.histories[:len(p.histories)-1]
	}
}

// Stale tells whether a gap in one of the histories was filled, so that the line must be built anew.
func (l *Line) Stale() bool {
	for _, p := range l.parts {
		if p.epoch != p.repo.Graph.Epoch() {
			return true
		}
	}
	return false
}

// ShippedBy gives the first run that made one of the commits of a repository, or a copy of it, live; false while none is.
func (l *Line) ShippedBy(repository string, commits []uint32) (int, bool) {
	p, ok := l.parts[repository]
	if !ok {
		return 0, false
	}
	first := -1
	for _, c := range commits {
		for o := range p.repo.Graph.Copies(c) {
			if int(o) < len(p.shipped) && p.shipped[o] != 0 {
				if r := int(p.shipped[o]) - 1; first < 0 || r < first {
					first = r
				}
			}
		}
	}
	return first, first >= 0
}

// apply finds what run i came to.
func (l *Line) apply(i int32) {
	r := &l.runs[i]
	res := &l.results[i]
	for _, rev := range r.Revisions {
		l.part(rev.Repository).prepare()
	}
	l.place(i, l.version(r))
	d := &l.deployments[res.Deployment]
	if len(r.Revisions) == 0 {
		res.Flags = addFlag(res.Flags, FlagNoRevision)
	}
	for _, rev := range r.Revisions {
		l.ship(i, l.part(rev.Repository), rev)
	}
	d.Changes += res.Changes
	d.Commits += res.Commits
	d.Baseline = d.Baseline || res.Baseline
	for _, f := range res.Flags {
		d.Flags = addFlag(d.Flags, f)
	}
}

func (p *part) prepare() {
	for len(p.shipped) < p.repo.Graph.Size() {
		p.shipped = append(p.shipped, make([]uint32, p.repo.Graph.Size()-len(p.shipped))...)
	}
}

// version names what a run made live on its target: the digest of its artifact if known, else the revisions of all
// repositories, those the run does not name being kept from what was live on the target, or on a new target from the
// latest run.
func (l *Line) version(r *Run) int32 {
	var key string
	tokens := map[string]string{}
	carried, ok := l.carried[r.Target]
	if !ok {
		carried = l.latest
	}
	maps.Copy(tokens, carried)
	for _, rev := range r.Revisions {
		tokens[rev.Repository] = l.token(rev)
	}
	switch {
	case r.Artifact != "":
		key = "artifact " + r.Artifact
	case len(r.Revisions) > 0:
		repos := make([]string, 0, len(tokens))
		for repo := range tokens {
			repos = append(repos, repo)
		}
		slices.Sort(repos)
		var b strings.Builder
		for _, repo := range repos {
			b.WriteString(repo)
			b.WriteByte(0)
			b.WriteString(tokens[repo])
			b.WriteByte(0)
		}
		key = b.String()
	case r.VersionName != "":
		key = "version " + r.VersionName
	default:
		key = "run " + r.ID
	}
	l.carried[r.Target], l.latest = tokens, tokens
	v, ok := l.index[key]
	if !ok {
		v = int32(len(l.versions))
		l.versions = append(l.versions, version{key: key, deployment: -1, liveOn: map[string]bool{}})
		l.index[key] = v
	}
	return v
}

func (l *Line) token(rev Revision) string {
	p := l.part(rev.Repository)
	if p.simple != nil && p.repo.Graph.Known(rev.SHA) {
		c, _ := p.repo.Graph.Find(rev.SHA)
		return "front " + strconv.Itoa(int(p.simple.at(c)))
	}
	return rev.SHA
}

// place says of what kind run i is, given the version it made live, and moves the live state of its target.
// Versions are numbered in the order in which they first went live.
func (l *Line) place(i, v int32) {
	r, res, ver := &l.runs[i], &l.results[i], &l.versions[v]
	cur, occupied := l.live[r.Target]
	res.Version = v
	switch {
	case occupied && cur == v:
		res.Kind = KindRedeploy
		res.Deployment = l.current[r.Target]
	case ver.deployment < 0:
		res.Kind = KindChange
		res.Deployment = l.open(i, v, KindChange)
		ver.deployment = res.Deployment
		if r.Rollback {
			res.Flags = addFlag(res.Flags, FlagRollbackToUnknown)
		}
	case !ver.liveOn[r.Target] && (!occupied || v > cur):
		res.Kind = KindRollout
		res.Deployment = ver.deployment
		l.reach(res.Deployment, r)
	case v < cur || r.Rollback:
		res.Kind = KindRollback
		res.Deployment = l.join(i, v, KindRollback)
		d := &l.deployments[res.Deployment]
		d.BackedFrom = max(d.BackedFrom, cur)
	default:
		res.Kind = KindReRelease
		res.Deployment = l.join(i, v, KindReRelease)
	}
	if res.Kind != KindRedeploy {
		l.current[r.Target] = res.Deployment
	}
	l.live[r.Target] = v
	ver.liveOn[r.Target] = true
	l.byRun[r.ID] = res.Deployment
	l.mark(res.Deployment, r, res.Kind)
}

// mark carries what a run says about itself over to its logical deployment.
func (l *Line) mark(deployment int32, r *Run, kind string) {
	d := &l.deployments[deployment]
	if r.Verdict != nil {
		d.Verdict = r.Verdict
	}
	if kind == KindRedeploy {
		return
	}
	d.Hotfix = d.Hotfix || r.Hotfix
	for _, id := range r.Remediates {
		if !slices.Contains(d.Remediates, id) {
			d.Remediates = append(d.Remediates, id)
		}
	}
	for _, id := range r.RemediatesIncidents {
		if !slices.Contains(d.Incidents, id) {
			d.Incidents = append(d.Incidents, id)
		}
	}
}

func (l *Line) open(i, v int32, kind string) int32 {
	r := &l.runs[i]
	l.deployments = append(l.deployments, Deployment{
		Kind: kind, Run: i, Version: v, DeployedAt: r.FinishedAt, CompletedAt: r.FinishedAt,
		Targets: []string{r.Target}, Reached: []int64{r.FinishedAt}, BackedFrom: -1,
	})
	return int32(len(l.deployments) - 1)
}

// reach adds a target to a deployment. Only targets within the roll-out window, from the first one, move its
// completion.
func (l *Line) reach(deployment int32, r *Run) {
	d := &l.deployments[deployment]
	d.Targets = append(d.Targets, r.Target)
	d.Reached = append(d.Reached, r.FinishedAt)
	if r.FinishedAt-d.DeployedAt <= l.settings.RolloutWindow {
		d.CompletedAt = max(d.CompletedAt, r.FinishedAt)
	}
}

// join makes run i part of the latest deployment of that kind to that version, when it was on another target within
// the window, and opens a new one otherwise.
func (l *Line) join(i, v int32, kind string) int32 {
	r := &l.runs[i]
	for n := len(l.deployments) - 1; n >= 0; n-- {
		d := &l.deployments[n]
		if r.FinishedAt-d.DeployedAt > l.settings.RolloutWindow {
			break
		}
		if d.Kind == kind && d.Version == v && !slices.Contains(d.Targets, r.Target) {
			l.reach(int32(n), r)
			return int32(n)
		}
	}
	return l.open(i, v, kind)
}

// Flags on runs, deployments and changes: what a reader should know before trusting a figure.
const (
	FlagBaseline          = "baseline"                  // first run of a repository: ships no samples
	FlagLineageUnknown    = "lineage_unknown"           // the revision live before is not among the known commits
	FlagRevisionUnknown   = "revision_unknown"          // the deployed commit itself is not known
	FlagHistoryIncomplete = "history_incomplete"        // a parent of a shipped commit is not known
	FlagNoRevision        = "no_revision"               // the run names no commit
	FlagNoOp              = "no_op"                     // another commit, but nothing of this service changed
	FlagRollbackToUnknown = "rollback_to_never_live"    // called a rollback, to a version that was never live
	FlagUnreviewed        = "unreviewed"                // merged without a review
	FlagClamped           = "negative_within_tolerance" // a small negative lead time counted as 0
	FlagOriginalsUnknown  = "original_commits_unknown"  // started when it landed, for want of better
)

func addFlag(flags []string, f string) []string {
	if slices.Contains(flags, f) {
		return flags
	}
	return append(flags, f)
}
