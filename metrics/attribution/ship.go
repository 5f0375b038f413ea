package attribution

import (
	"cmp"
	"slices"
)

// Change is one change at the moment it first went live for a service: a change request, or a commit that belongs
// to none. Times and durations are milliseconds.
type Change struct {
	Repository string
	ID         string // number of the change request, or sha
	Kind       string // KindChangeRequest or KindCommit
	Author     string
	Bot        bool
	Deployment string   // id of the run that shipped it
	Commits    []string // that went live with it
	Start      int64
	OpenedAt   int64 // or Absent
	MergedAt   int64 // or Absent
	DeployedAt int64
	Lead       int64
	Stages     Stages
	Rule       string
	Excluded   string // why it is no sample of lead time; "" when it is one
	Flags      []string
	URL        string
}

// Kinds of changes.
const (
	KindChangeRequest = "change_request"
	KindCommit        = "commit"
)

// ExcludedNegative marks changes that were deployed before they were begun, by more than clock skew explains.
const ExcludedNegative = "negative"

// Stages are the parts of a lead time; Absent where a change has no such stage. They sum to the lead time.
type Stages struct {
	Coding, Pickup, Review, Wait, Deploy int64
}

// ship makes the commits of one revision live and reports the changes that this delivers.
func (l *Line) ship(i int32, p *part, rev Revision) {
	run, res, g := &l.runs[i], &l.results[i], p.repo.Graph
	p.histories = append(p.histories, history{run: i, seen: p.seen, previous: p.previous})
	first, previous := !p.seen, p.previous
	p.seen, p.previous = true, rev.SHA
	defer p.prepare()

	baseline := first
	if !first && !g.Known(previous) {
		baseline = true
		res.Flags = addFlag(res.Flags, FlagLineageUnknown)
	}
	if rev.PreviousSHA != "" {
		if before, ok := g.Find(rev.PreviousSHA); ok && g.Known(rev.PreviousSHA) {
			shipped, _ := p.walk(before, i)
			for _, c := range shipped {
				p.silent.Set(c)
			}
			baseline = false
		} else {
			g.Expect(rev.PreviousSHA)
			if first {
				res.Flags = addFlag(res.Flags, FlagLineageUnknown)
			}
		}
	}
	if baseline {
		p.baselines[i] = true
		res.Baseline = true
		res.Flags = addFlag(res.Flags, FlagBaseline)
	}
	if !g.Known(rev.SHA) {
		g.Expect(rev.SHA)
		res.Flags = addFlag(res.Flags, FlagRevisionUnknown)
		return
	}
	tip, _ := g.Find(rev.SHA)
	shipped, complete := p.walk(tip, i)
	if !complete && !baseline {
		res.Flags = addFlag(res.Flags, FlagHistoryIncomplete)
	}
	if keep := l.keep && i == 0; baseline && !keep {
		for _, c := range shipped {
			if !p.on(c) {
				continue
			}
			if request, _ := p.repo.request(c); request >= 0 {
				p.requests[request] = i
			}
		}
		return
	}
	changes := p.gather(l, i, shipped)
	if !baseline {
		res.Changes += len(changes)
		for _, c := range changes {
			l.describe(c, p, run)
		}
	}
	l.tell(p, run, shipped, changes, baseline)
	if len(changes) == 0 && res.Kind == KindRedeploy && len(l.runs) > 1 && !baseline {
		if prev := l.lastRevision(i, run.Target, rev.Repository); prev != "" && prev != rev.SHA {
			res.Flags = addFlag(res.Flags, FlagNoOp)
		}
	}
}

// lastRevision is what the run before i on the same target carried of a repository.
func (l *Line) lastRevision(i int32, target, repository string) string {
	for n := i - 1; n >= 0; n-- {
		if l.runs[n].Target != target {
			continue
		}
		for _, rev := range l.runs[n].Revisions {
			if rev.Repository == repository {
				return rev.SHA
			}
		}
	}
	return ""
}

// walk marks everything reachable from tip as live since run i and returns the commits that were not live before.
// complete is false when it met a parent that is not known.
func (p *part) walk(tip uint32, i int32) (shipped []uint32, complete bool) {
	g := p.repo.Graph
	complete = true
	if p.shipped[tip] != 0 {
		return nil, true
	}
	p.shipped[tip] = uint32(i) + 1
	shipped = append(shipped, tip)
	var ps []uint32
	for n := 0; n < len(shipped); n++ {
		ps = g.parents(ps[:0], shipped[n])
		for _, c := range ps {
			if p.shipped[c] != 0 {
				continue
			}
			if g.flags[c]&flagKnown == 0 {
				complete = false
				continue
			}
			p.shipped[c] = uint32(i) + 1
			shipped = append(shipped, c)
		}
	}
	return shipped, complete
}

// on tells whether a commit can be a change of the service: no merge, and on its paths.
func (p *part) on(c uint32) bool {
	return p.repo.Graph.flags[c]&flagMerge == 0 && (p.match == nil || p.match.Has(c))
}

// earlier gives the first run before i that made the commit or a copy of it live; -1 for none, and before is set
// when it was live by the producer's word.
func (p *part) earlier(c uint32, i int32, self bool) (run int32, before bool) {
	run = -1
	for o := range p.repo.Graph.Copies(c) {
		if o == c && !self || int(o) >= len(p.shipped) || p.shipped[o] == 0 {
			continue
		}
		if r := int32(p.shipped[o]) - 1; r < i && (run < 0 || r < run) {
			run = r
		} else if r == i && p.silent.Has(o) {
			before = true
		}
	}
	return run, before
}

// delivery is a change and the newly live commits that bring it.
type delivery struct {
	request int32 // or -1
	rule    string
	commits []uint32
	id      string
}

// gather groups newly live commits into the changes that they deliver for the first time.
func (p *part) gather(l *Line, i int32, shipped []uint32) []*delivery {
	g, res := p.repo.Graph, &l.results[i]
	type group struct {
		request int32
		class   uint32
	}
	groups := map[group]*delivery{}
	var order []*delivery
	for _, c := range shipped {
		if !p.on(c) {
			continue
		}
		if !p.baselines[i] {
			res.Commits++
		}
		if run, before := p.earlier(c, i, false); run >= 0 || before {
			continue
		}
		if !p.baselines[i] {
			p.noteRevert(l, i, c)
		}
		request, rule := p.repo.request(c)
		k := group{request: request}
		if request < 0 {
			k.class = g.Class(c)
		} else if run, done := p.requests[request]; done && run < i {
			continue
		}
		d, ok := groups[k]
		if !ok {
			if request >= 0 {
				p.requests[request] = i
			}
			d = &delivery{request: request, rule: rule}
			groups[k] = d
			order = append(order, d)
		}
		if rulePrecedence(rule) < rulePrecedence(d.rule) {
			d.rule = rule
		}
		d.commits = append(d.commits, c)
		p.alsoDelivered(c, i)
	}
	for _, d := range order {
		slices.SortFunc(d.commits, func(a, b uint32) int {
			return cmp.Or(cmp.Compare(g.Start(a), g.Start(b)), cmp.Compare(g.SHA(a), g.SHA(b)))
		})
		if d.request >= 0 {
			d.id = p.repo.Requests[d.request].ID
		} else {
			d.id = g.SHA(d.commits[0])
		}
	}
	slices.SortFunc(order, func(a, b *delivery) int { return cmp.Compare(a.id, b.id) })
	return order
}

// alsoDelivered notes that every other change request that has a copy of a delivered commit is delivered with it.
func (p *part) alsoDelivered(c uint32, i int32) {
	for o := range p.repo.Graph.Copies(c) {
		for _, m := range []map[uint32]int32{p.repo.landed, p.repo.original} {
			if request, ok := m[o]; ok {
				if _, done := p.requests[request]; !done {
					p.requests[request] = i
				}
			}
		}
	}
}

func rulePrecedence(rule string) int {
	return slices.Index([]string{RuleLanded, RuleOriginal, RuleCopy, RuleCommit}, rule)
}

// noteRevert remembers that a newly live commit undoes one that an earlier run made live.
func (p *part) noteRevert(l *Line, i int32, c uint32) {
	g := p.repo.Graph
	o, ok := g.Reverts(c)
	if !ok {
		return
	}
	run, before := p.earlier(o, i, true)
	if request, _ := p.repo.request(o); request >= 0 {
		if r, done := p.requests[request]; done && r < i && (run < 0 || r < run) {
			run = r
		}
	}
	if run < 0 && !before {
		return
	}
	if run >= 0 && p.baselines[run] || run < 0 {
		run = -1
	}
	l.reverts = append(l.reverts, revert{run: i, original: run, sha: g.SHA(c), undoes: g.SHA(o)})
}

// describe works out what there is to say about a delivered change and hands it on.
func (l *Line) describe(d *delivery, p *part, run *Run) {
	g := p.repo.Graph
	c := Change{
		Repository: p.repo.ID, ID: d.id, Kind: KindCommit, Deployment: run.ID, DeployedAt: run.FinishedAt,
		OpenedAt: Absent, MergedAt: Absent, Rule: d.rule,
	}
	for _, s := range d.commits {
		c.Commits = append(c.Commits, g.SHA(s))
	}
	reviewed := int64(Absent)
	if d.request >= 0 {
		r := &p.repo.Requests[d.request]
		c.Kind, c.MergedAt, c.OpenedAt, c.URL, reviewed = KindChangeRequest, r.MergedAt, r.CreatedAt, r.URL, r.FirstReviewAt
		if r.ReadyAt != Absent {
			c.OpenedAt = r.ReadyAt
		}
		l.beginning(&c, p, d, r)
	} else {
		first := p.root(d.commits[0])
		c.Start = p.earliest(Absent, d.commits[0])
		c.Author, c.Bot = l.authored(g, first)
	}
	c.Lead = c.DeployedAt - c.Start
	switch {
	case c.Lead < -l.settings.NegativeTolerance:
		c.Excluded = ExcludedNegative
	case c.Lead < 0:
		c.Lead = 0
		c.Flags = addFlag(c.Flags, FlagClamped)
	}
	c.Stages = stages(&c, reviewed, run.StartedAt)
	if c.Kind == KindChangeRequest && reviewed == Absent {
		c.Flags = addFlag(c.Flags, FlagUnreviewed)
	}
	l.deliver(&c)
}

// beginning finds when a change request was begun and by whom: at its earliest original commit, or copy of one.
func (l *Line) beginning(c *Change, p *part, d *delivery, r *ChangeRequest) {
	g := p.repo.Graph
	c.Start = r.FirstCommitAt
	bots, known := 0, 0
	for _, sha := range p.repo.own(d.request) {
		o, ok := g.Find(sha)
		if !ok || !g.Known(sha) {
			g.Expect(sha)
			continue
		}
		known++
		if _, bot := l.authored(g, o); bot {
			bots++
		}
		c.Start = p.earliest(c.Start, o)
	}
	if known == 0 {
		for _, o := range d.commits {
			if c.Start == Absent || r.FirstCommitAt == Absent {
				c.Start = p.earliest(c.Start, o)
			}
			if _, bot := l.authored(g, o); bot {
				bots++
			}
			known++
		}
		if r.FirstCommitAt == Absent {
			c.Flags = addFlag(c.Flags, FlagOriginalsUnknown)
		}
	}
	c.Author, c.Bot = r.Author, known > 0 && bots == known
	if c.Author == "" {
		c.Author, _ = l.authored(g, d.commits[0])
	} else {
		c.Author, _ = l.author(c.Author)
	}
}

// earliest is the earlier of t and the start of a commit and its known copies.
func (p *part) earliest(t int64, c uint32) int64 {
	g := p.repo.Graph
	for o := range g.Copies(c) {
		if g.flags[o]&flagKnown != 0 && (t == Absent || g.Start(o) < t) {
			t = g.Start(o)
		}
	}
	return t
}

// root follows cherry-picks back to the commit that was written first.
func (p *part) root(c uint32) uint32 {
	g := p.repo.Graph
	for seen := map[uint32]bool{}; !seen[c]; {
		seen[c] = true
		if o, ok := g.sources[c]; ok && g.flags[o]&flagKnown != 0 {
			c = o
		}
	}
	return c
}

func (l *Line) authored(g *Graph, c uint32) (person string, bot bool) {
	person, bot = l.author(g.Author(c))
	return person, bot || g.Bot(c)
}

// stages cuts a lead time at the points between, each kept between the point before it and the end.
func stages(c *Change, reviewed, started int64) Stages {
	s := Stages{Coding: Absent, Pickup: Absent, Review: Absent, Wait: Absent, Deploy: Absent}
	if c.Excluded != "" {
		return s
	}
	end := c.DeployedAt
	at := min(c.Start, end)
	cut := func(point int64) int64 {
		next := min(max(point, at), end)
		d := next - at
		at = next
		return d
	}
	if c.Kind == KindChangeRequest {
		s.Coding = cut(c.OpenedAt)
		if reviewed != Absent {
			s.Pickup = cut(reviewed)
		}
		s.Review = cut(c.MergedAt)
	}
	if started == Absent {
		s.Wait = cut(end)
		return s
	}
	s.Wait = cut(started)
	s.Deploy = cut(end)
	return s
}

// tell reports the commits that a run made live, with the change each belongs to.
func (l *Line) tell(p *part, run *Run, shipped []uint32, changes []*delivery, baseline bool) {
	g := p.repo.Graph
	change := map[uint32]string{}
	for _, d := range changes {
		for _, c := range d.commits {
			change[c] = d.id
		}
	}
	for _, c := range shipped {
		if !p.on(c) {
			continue
		}
		person, _ := l.author(g.Author(c))
		l.commit(&ShippedCommit{
			Repository: p.repo.ID, SHA: g.SHA(c), Author: person, CommittedAt: g.CommittedAt(c),
			DeployedAt: run.FinishedAt, Deployment: run.ID, Change: change[c], Baseline: baseline,
		})
	}
}
