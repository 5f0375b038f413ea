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
	MergedAt   int64 // of a commit without a change request: its committed time
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
			if p.on(c) {
				p.delivers(c, i)
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
				g.await(c)
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
// when it was live by the producer's word. Copies that cannot be changes of the service do not count.
func (p *part) earlier(c uint32, i int32) (run int32, before bool) {
	run = -1
	for o := range p.repo.Graph.Copies(c) {
		if int(o) >= len(p.shipped) || p.shipped[o] == 0 || o != c && !p.on(o) {
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
	g := p.repo.Graph
	type group struct {
		request int32
		commit  uint32
	}
	groups := map[group]*delivery{}
	var order []*delivery
	of := map[uint32]*delivery{} // class of copies -> what delivers it; nil: nothing does
	for _, c := range p.fresh(l, i, shipped) {
		if !p.baselines[i] {
			p.noteRevert(l, i, c)
		}
		class, hasCopies := g.class[c]
		d, done := of[class]
		if !hasCopies || !done {
			request, rule := p.repo.request(c)
			k := group{request: request}
			if request < 0 {
				k.commit = c
			}
			d = groups[k]
			if _, done := p.requests[request]; d == nil && !(request >= 0 && done) {
				d = &delivery{request: request, rule: rule}
				groups[k] = d
				order = append(order, d)
			}
			if d != nil && rulePrecedence(rule) < rulePrecedence(d.rule) {
				d.rule = rule
			}
			if hasCopies {
				of[class] = d
			}
			p.delivers(c, i)
		}
		if d != nil {
			d.commits = append(d.commits, c)
		}
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

// fresh are the newly live commits that can be changes and no copy of which was live before. Where several copies
// become live together, the one that was merged first comes first.
func (p *part) fresh(l *Line, i int32, shipped []uint32) []uint32 {
	var fresh []uint32
	copies := false
	for _, c := range shipped {
		if !p.on(c) {
			continue
		}
		if !p.baselines[i] {
			l.results[i].Commits++
		}
		if run, before := p.earlier(c, i); run >= 0 || before {
			continue
		}
		fresh = append(fresh, c)
		_, copied := p.repo.Graph.class[c]
		copies = copies || copied
	}
	if copies {
		slices.SortStableFunc(fresh, func(a, b uint32) int { return p.repo.mergeOrder(p.repo.owner(a), p.repo.owner(b)) })
	}
	return fresh
}

// delivers notes which change requests a commit delivers when it goes live with run i: its own and those of its
// copies, unless an earlier run did.
func (p *part) delivers(c uint32, i int32) {
	deliver := func(request int32) {
		if _, done := p.requests[request]; request >= 0 && !done {
			p.requests[request] = i
		}
	}
	request, _ := p.repo.request(c)
	deliver(request)
	for o := range p.repo.Graph.Copies(c) {
		deliver(p.repo.owner(o))
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
	run, before := p.earlier(o, i)
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
		l.beginning(&c, p, d, r, true)
	} else {
		c.Start = p.earliest(Absent, d.commits[0], true)
		c.Author, c.Bot = l.written(p, d.commits[0])
		c.MergedAt = g.CommittedAt(d.commits[0])
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

// beginning finds when a change request was begun and by whom: at its earliest original commit, or copy of one. lasting
// is set where what is found stands until a commit that was missed is told.
func (l *Line) beginning(c *Change, p *part, d *delivery, r *ChangeRequest, lasting bool) {
	g := p.repo.Graph
	c.Start = r.FirstCommitAt
	originals, unknown := p.repo.originals(d.request)
	if lasting {
		for _, o := range unknown {
			g.await(o)
		}
	}
	if len(originals) == 0 {
		originals = d.commits
		if r.FirstCommitAt == Absent {
			c.Flags = addFlag(c.Flags, FlagOriginalsUnknown)
		}
	}
	c.Bot = true
	for _, o := range originals {
		_, bot := l.authored(g, o)
		c.Bot = c.Bot && bot
		c.Start = p.earliest(c.Start, o, lasting)
	}
	if c.Author, _ = l.author(r.Author); r.Author == "" {
		c.Author, _ = l.authored(g, d.commits[0])
	}
}

// earliest is the earlier of t and the start of a commit and its known copies.
func (p *part) earliest(t int64, c uint32, lasting bool) int64 {
	g := p.repo.Graph
	for o := range g.Copies(c) {
		switch {
		case g.flags[o]&flagKnown == 0:
			if lasting {
				g.await(o)
			}
		case t == Absent || g.Start(o) < t:
			t = g.Start(o)
		}
	}
	return t
}

// written says who wrote a commit that belongs to no change request: whoever wrote the one that it was copied from
// first. It is a machine's when all of its copies that are not copied from a known commit are.
func (l *Line) written(p *part, c uint32) (person string, bot bool) {
	g := p.repo.Graph
	root := c
	for seen := map[uint32]bool{}; !seen[root]; {
		seen[root] = true
		if o, ok := g.sources[root]; ok && g.flags[o]&flagKnown != 0 {
			root = o
		}
	}
	person, bot = l.authored(g, root)
	for o := range g.Copies(c) {
		if from, ok := g.sources[o]; g.flags[o]&flagKnown == 0 || ok && g.flags[from]&flagKnown != 0 {
			continue
		}
		_, machine := l.authored(g, o)
		bot = bot && machine
	}
	return person, bot
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
