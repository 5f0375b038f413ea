package attribution

import (
	"cmp"
	"iter"
	"slices"
)

// ChangeRequest is a pull or merge request that was merged.
type ChangeRequest struct {
	ID            string
	Author        string
	CreatedAt     int64
	FirstCommitAt int64 // or Absent
	ReadyAt       int64 // or Absent
	FirstReviewAt int64 // or Absent
	MergedAt      int64
	Commits       []string // original
	Landed        []string
	URL           string
}

func (c *ChangeRequest) same(o *ChangeRequest) bool {
	return c.Author == o.Author && c.CreatedAt == o.CreatedAt && c.FirstCommitAt == o.FirstCommitAt && c.ReadyAt == o.ReadyAt &&
		c.FirstReviewAt == o.FirstReviewAt && c.MergedAt == o.MergedAt && c.URL == o.URL &&
		slices.Equal(c.Commits, o.Commits) && slices.Equal(c.Landed, o.Landed)
}

// Repository is a commit graph with the change requests that brought its commits.
type Repository struct {
	ID       string
	Graph    *Graph
	Head     string          // sha of the default branch's head, "" when not told
	Requests []ChangeRequest // one that was taken back stays as an empty place

	byID map[string]int32
	once map[uint32]naming   // commits that are named once
	more map[uint32][]naming // commits that are named more often
}

// naming says that a change request names a commit: the index of the request, doubled, +1 where the commit landed by it.
type naming int32

func (n naming) request() int32 { return int32(n >> 1) }
func (n naming) landed() bool   { return n&1 != 0 }

// Index sorts out which commit belongs to which change request. Call it after Requests or Graph were replaced.
func (r *Repository) Index() {
	r.byID, r.once, r.more = map[string]int32{}, map[uint32]naming{}, map[uint32][]naming{}
	for i := range r.Requests {
		r.byID[r.Requests[i].ID] = int32(i)
		for c, n := range r.names(int32(i)) {
			r.name(c, n)
		}
	}
}

// Put takes in a change request, in the place of what was told before under its id, and gives the commits whose
// delivery may hang on the difference; none where there is none.
func (r *Repository) Put(c ChangeRequest) []uint32 {
	i, told := r.byID[c.ID]
	if !told {
		i = int32(len(r.Requests))
		r.byID[c.ID] = i
		r.Requests = append(r.Requests, ChangeRequest{ID: c.ID, MergedAt: Absent})
	} else if r.Requests[i].same(&c) {
		return nil
	}
	before := r.kinOf(i)
	for c, n := range r.names(i) {
		r.unname(c, n)
	}
	r.Requests[i] = c
	for c, n := range r.names(i) {
		r.name(c, n)
	}
	return append(before, r.kinOf(i)...)
}

// Drop takes a change request back and gives the commits whose delivery may hang on it.
func (r *Repository) Drop(id string) []uint32 {
	if _, told := r.byID[id]; !told {
		return nil
	}
	return r.Put(ChangeRequest{ID: id, MergedAt: Absent})
}

// Kin are the commits whose delivery may hang on what is known of c: its copies, and what the change requests name
// that name one of those.
func (r *Repository) Kin(c uint32) []uint32 {
	var kin []uint32
	for o := range r.Graph.Copies(c) {
		kin = append(kin, o)
		for n := range r.namings(o) {
			for other := range r.names(n.request()) {
				kin = append(kin, other)
			}
		}
	}
	return kin
}

func (r *Repository) kinOf(request int32) []uint32 {
	var kin []uint32
	for c := range r.names(request) {
		kin = append(kin, r.Kin(c)...)
	}
	return kin
}

// names are the commits that a change request names.
func (r *Repository) names(request int32) iter.Seq2[uint32, naming] {
	return func(yield func(uint32, naming) bool) {
		for _, sha := range r.Requests[request].Landed {
			if !yield(r.Graph.intern(sha), naming(request<<1|1)) {
				return
			}
		}
		for _, sha := range r.Requests[request].Commits {
			if !yield(r.Graph.intern(sha), naming(request<<1)) {
				return
			}
		}
	}
}

func (r *Repository) name(c uint32, n naming) {
	if several, ok := r.more[c]; ok {
		if !slices.Contains(several, n) {
			r.more[c] = append(several, n)
		}
		return
	}
	if other, ok := r.once[c]; ok && other != n {
		delete(r.once, c)
		r.more[c] = []naming{other, n}
		return
	}
	r.once[c] = n
}

func (r *Repository) unname(c uint32, n naming) {
	if several, ok := r.more[c]; ok {
		r.more[c] = slices.DeleteFunc(several, func(o naming) bool { return o == n })
	} else if r.once[c] == n {
		delete(r.once, c)
	}
}

// namings are the namings of a commit.
func (r *Repository) namings(c uint32) iter.Seq[naming] {
	return func(yield func(naming) bool) {
		if n, ok := r.once[c]; ok {
			yield(n)
			return
		}
		for _, n := range r.more[c] {
			if !yield(n) {
				return
			}
		}
	}
}

// owners are the change requests that a commit landed by and that name it as an original, of each kind the one that
// was merged first; -1 for none.
func (r *Repository) owners(c uint32) (landed, original int32) {
	landed, original = -1, -1
	for n := range r.namings(c) {
		if n.landed() {
			landed = r.mergedFirst(landed, n.request())
		} else {
			original = r.mergedFirst(original, n.request())
		}
	}
	return landed, original
}

// owner is the change request that a commit belongs to without regard to copies: the one it landed by, then the one
// merged first; -1 for none.
func (r *Repository) owner(c uint32) int32 {
	landed, original := r.owners(c)
	if landed >= 0 {
		return landed
	}
	return original
}

// request finds the change request of a commit and the rule that says so; -1 for none. A commit that belongs to none
// belongs where its copies do.
func (r *Repository) request(c uint32) (int32, string) {
	switch landed, original := r.owners(c); {
	case landed >= 0:
		return landed, RuleLanded
	case original >= 0:
		return original, RuleOriginal
	}
	landed, original := int32(-1), int32(-1)
	for o := range r.Graph.Copies(c) {
		l, n := r.owners(o)
		landed, original = r.mergedFirst(landed, l), r.mergedFirst(original, n)
	}
	switch {
	case landed >= 0:
		return landed, RuleCopy
	case original >= 0:
		return original, RuleCopy
	}
	return -1, RuleCommit
}

// originals are the known commits that a change request was made of: those that belong to no other one, or all of them
// where none does. One that names none was made of what landed. unknown are the others that it names.
func (r *Repository) originals(request int32) (known, unknown []uint32) {
	names := r.Requests[request].Commits
	if len(names) == 0 {
		names = r.Requests[request].Landed
	}
	var own []uint32
	for _, sha := range names {
		c := r.Graph.intern(sha)
		switch {
		case r.Graph.flags[c]&flagKnown == 0:
			unknown = append(unknown, c)
			continue
		case r.owner(c) == request:
			own = append(own, c)
		}
		known = append(known, c)
	}
	if own != nil {
		known = own
	}
	return known, unknown
}

// mergeOrder compares two change requests by when they were merged; none, -1, comes last.
func (r *Repository) mergeOrder(i, j int32) int {
	if i < 0 || j < 0 {
		return cmp.Compare(j, i)
	}
	a, b := &r.Requests[i], &r.Requests[j]
	return cmp.Or(cmp.Compare(a.MergedAt, b.MergedAt), cmp.Compare(a.ID, b.ID))
}

func (r *Repository) mergedFirst(i, j int32) int32 {
	if r.mergeOrder(j, i) < 0 {
		return j
	}
	return i
}

// Rules that link a change to a deployment.
const (
	RuleCommit   = "commit"   // the commit itself went live and belongs to no change request
	RuleLanded   = "landed"   // a commit that the merge put on the base branch went live
	RuleOriginal = "original" // a commit of the head branch went live
	RuleCopy     = "copy"     // a cherry-picked copy of one of its commits went live
)
