package attribution

import (
	"cmp"
	"math"
	"slices"
)

// Waiting is a change that was merged and is not live.
type Waiting struct {
	ID       string
	Kind     string
	Author   string
	Bot      bool
	Start    int64
	MergedAt int64 // of a commit without a change request: its committed time
	URL      string
}

// Waiting finds the changes that the head of the default branch has and no run of the line shipped, oldest first.
// Where the head is not known, merged change requests none of whose commits are live stand for it.
func (l *Line) Waiting(repository, head string) []Waiting {
	p := l.part(repository)
	p.prepare()
	g := p.repo.Graph
	found := map[int32]*Waiting{}
	var all []*Waiting
	add := func(c uint32) {
		if !p.on(c) {
			return
		}
		for o := range g.Copies(c) {
			if p.shipped[o] != 0 && (o == c || p.on(o)) {
				return
			}
		}
		request, _ := p.repo.request(c)
		if request < 0 {
			author, bot := l.written(p, c)
			all = append(all, &Waiting{ID: g.SHA(c), Kind: KindCommit, Author: author, Bot: bot, Start: p.earliest(Absent, c, false), MergedAt: g.CommittedAt(c)})
			return
		}
		if _, done := p.requests[request]; done || found[request] != nil {
			return
		}
		r := &p.repo.Requests[request]
		ch := Change{}
		l.beginning(&ch, p, &delivery{request: request, commits: []uint32{c}}, r, false)
		found[request] = &Waiting{ID: r.ID, Kind: KindChangeRequest, Author: ch.Author, Bot: ch.Bot, Start: ch.Start, MergedAt: r.MergedAt, URL: r.URL}
		all = append(all, found[request])
	}
	if g.Known(head) {
		tip, _ := g.Find(head)
		for _, c := range p.unshipped(tip) {
			add(c)
		}
	} else {
		for i := range p.repo.Requests {
			for _, sha := range p.repo.Requests[i].Landed {
				if c, ok := g.Find(sha); ok && g.Known(sha) && p.shipped[c] == 0 {
					add(c)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b *Waiting) int { return cmp.Or(cmp.Compare(a.MergedAt, b.MergedAt), cmp.Compare(a.ID, b.ID)) })
	out := make([]Waiting, len(all))
	for i, w := range all {
		out[i] = *w
	}
	return out
}

// unshipped are the commits reachable from tip that are not live.
func (p *part) unshipped(tip uint32) []uint32 {
	g := p.repo.Graph
	if p.shipped[tip] != 0 {
		return nil
	}
	seen := map[uint32]bool{tip: true}
	list := []uint32{tip}
	var ps []uint32
	for n := 0; n < len(list); n++ {
		ps = g.parents(ps[:0], list[n])
		for _, c := range ps {
			if p.shipped[c] == 0 && !seen[c] && g.flags[c]&flagKnown != 0 {
				seen[c] = true
				list = append(list, c)
			}
		}
	}
	return list
}

// FirstAfter is the earliest start, at or after an instant, of a commit that match selects (nil: all); MaxInt64 for none.
func (g *Graph) FirstAfter(at int64, match *Bits) int64 {
	first := int64(math.MaxInt64)
	for c := range uint32(len(g.keys)) {
		if g.flags[c]&flagKnown != 0 && g.start[c] >= at && g.start[c] < first && (match == nil || match.Has(c)) {
			first = g.start[c]
		}
	}
	return first
}
