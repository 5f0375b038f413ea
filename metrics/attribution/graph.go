package attribution

import (
	"crypto/sha1"
	"encoding/hex"
	"iter"
	"math"
	"slices"
)

// Commit is one commit as told. Times are milliseconds since 1970 in UTC.
type Commit struct {
	SHA              string
	Parents          []string
	Author           string
	Bot              bool
	AuthoredAt       int64
	CommittedAt      int64
	CherryPickedFrom string
	Reverts          string
}

// none is the index of no commit.
const none = math.MaxUint32

const (
	flagKnown uint8 = 1 << iota // told, not only named as somebody's parent
	flagMerge                   // two parents or more
	flagBot
	flagAwaited // something was concluded from its not being known
	flagOpen    // being numbered
)

// overflow marks entries of parent2 that point into more, and entries of delay that stand in longDelay.
const (
	overflow  = uint32(1) << 31
	longDelay = math.MaxUint32
)

// Graph is the commit graph of one repository. It keeps about 58 bytes a commit. Adding is possible at any time and
// in any order, children before parents too.
type Graph struct {
	keys    [][20]byte
	foreign map[uint32]string // names that are not forty hex digits
	table   []uint32          // open-addressing index of keys: commit+1, 0 is empty

	parent1 []uint32
	parent2 []uint32 // second parent, or overflow|index into more
	more    [][]uint32

	generation []uint32 // 1 + the highest of the parents'; 0 while not told
	start      []int64  // the earlier of authored and committed
	delay      []uint32 // committed - start; longDelay: see delays
	delays     map[uint32]int64
	author     []uint32
	flags      []uint8

	authors     []string
	authorIndex map[string]uint32

	sources map[uint32]uint32   // commit -> commit it was cherry-picked from
	class   map[uint32]uint32   // commits with copies -> representative of the class (union-find)
	members map[uint32][]uint32 // representative -> members, ordered by index
	reverts map[uint32]uint32   // commit -> commit it undoes

	told     int
	numbered uint32 // indexes below it have their generation
	epoch    int
}

// NewGraph returns an empty graph with room for so many commits.
func NewGraph(capacity int) *Graph {
	size := 16
	for size*3 < capacity*4 {
		size *= 2
	}
	return &Graph{
		keys:        make([][20]byte, 0, capacity),
		parent1:     make([]uint32, 0, capacity),
		parent2:     make([]uint32, 0, capacity),
		generation:  make([]uint32, 0, capacity),
		start:       make([]int64, 0, capacity),
		delay:       make([]uint32, 0, capacity),
		author:      make([]uint32, 0, capacity),
		flags:       make([]uint8, 0, capacity),
		table:       make([]uint32, size),
		foreign:     map[uint32]string{},
		delays:      map[uint32]int64{},
		authorIndex: map[string]uint32{},
		sources:     map[uint32]uint32{},
		class:       map[uint32]uint32{},
		members:     map[uint32][]uint32{},
		reverts:     map[uint32]uint32{},
	}
}

// Len is the number of commits told.
func (g *Graph) Len() int { return g.told }

// Size is the number of commit indexes in use, commits only named as parents included.
func (g *Graph) Size() int { return len(g.keys) }

// key gives the twenty bytes a sha is kept as: its own bytes, or for any other name a hash.
func key(sha string) (k [20]byte, native bool) {
	if len(sha) == 2*len(k) && unhex(&k, sha) {
		return k, true
	}
	return sha1.Sum([]byte("name:" + sha)), false
}

// unhex reads lower-case hex digits, of which sha has as many as k needs. It is false when sha holds anything else.
func unhex(k *[20]byte, sha string) bool {
	for i := range k {
		high, low := digit(sha[2*i]), digit(sha[2*i+1])
		if high|low > 15 {
			return false
		}
		k[i] = high<<4 | low
	}
	return true
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func (g *Graph) slot(k [20]byte) int {
	mask := len(g.table) - 1
	i := int(uint32(k[0])|uint32(k[1])<<8|uint32(k[2])<<16|uint32(k[3])<<24) & mask
	for {
		e := g.table[i]
		if e == 0 || g.keys[e-1] == k {
			return i
		}
		i = (i + 1) & mask
	}
}

// Find gives the index of a sha that was told or named as a parent.
func (g *Graph) Find(sha string) (uint32, bool) {
	k, _ := key(sha)
	e := g.table[g.slot(k)]
	return e - 1, e != 0
}

// Known tells whether the commit itself was told.
func (g *Graph) Known(sha string) bool {
	c, ok := g.Find(sha)
	return ok && g.flags[c]&flagKnown != 0
}

// SHA is the name of a commit.
func (g *Graph) SHA(c uint32) string {
	if s, ok := g.foreign[c]; ok {
		return s
	}
	return hex.EncodeToString(g.keys[c][:])
}

// Complete gives, for beginnings of names of commits in lower-case hex digits, the commit told whose name begins so, and ""
// where several do. Those that no commit has are left out.
func (g *Graph) Complete(beginnings []string) map[string]string {
	found := map[string]string{}
	lengths := map[int]map[string]bool{}
	for _, b := range beginnings {
		if lengths[len(b)] == nil {
			lengths[len(b)] = map[string]bool{}
		}
		lengths[len(b)][b] = true
	}
	if len(lengths) == 0 {
		return found
	}
	var text [2 * len(g.keys[0])]byte
	for c, k := range g.keys {
		if g.flags[c]&flagKnown == 0 || g.foreign[uint32(c)] != "" {
			continue
		}
		hex.Encode(text[:], k[:])
		for n, asked := range lengths {
			if n > len(text) || !asked[string(text[:n])] {
				continue
			}
			b := string(text[:n])
			if _, several := found[b]; several {
				found[b] = ""
			} else {
				found[b] = string(text[:])
			}
		}
	}
	return found
}

// Author is the author of a commit, as told.
func (g *Graph) Author(c uint32) string { return g.authors[g.author[c]] }

// Start is the earlier of the authored and the committed time.
func (g *Graph) Start(c uint32) int64 { return g.start[c] }

// CommittedAt is the committed time.
func (g *Graph) CommittedAt(c uint32) int64 {
	if g.delay[c] == longDelay {
		return g.start[c] + g.delays[c]
	}
	return g.start[c] + int64(g.delay[c])
}

// Merge tells whether a commit has two parents or more.
func (g *Graph) Merge(c uint32) bool { return g.flags[c]&flagMerge != 0 }

// Bot tells whether the commit was told to be written by a machine.
func (g *Graph) Bot(c uint32) bool { return g.flags[c]&flagBot != 0 }

func (g *Graph) intern(sha string) uint32 {
	k, native := key(sha)
	i := g.slot(k)
	if e := g.table[i]; e != 0 {
		return e - 1
	}
	c := uint32(len(g.keys))
	g.keys = append(g.keys, k)
	g.parent1 = append(g.parent1, none)
	g.parent2 = append(g.parent2, none)
	g.generation = append(g.generation, 0)
	g.start = append(g.start, 0)
	g.delay = append(g.delay, 0)
	g.author = append(g.author, 0)
	g.flags = append(g.flags, 0)
	if !native {
		g.foreign[c] = sha
	}
	g.table[i] = c + 1
	if len(g.keys)*4 > len(g.table)*3 {
		g.grow()
	}
	return c
}

func (g *Graph) grow() {
	g.table = make([]uint32, 2*len(g.table))
	for c, k := range g.keys {
		g.table[g.slot(k)] = uint32(c) + 1
	}
}

// Add takes in a commit and returns its index. Telling a commit again replaces all that was told before.
func (g *Graph) Add(c Commit) uint32 {
	i := g.intern(c.SHA)
	switch {
	case g.flags[i]&flagKnown == 0:
		g.told++
		g.link(i, c.Parents)
		g.renumber(i)
		if g.flags[i]&flagAwaited != 0 {
			g.epoch++
		}
	case !g.sameParents(i, c.Parents):
		g.parent1[i], g.parent2[i] = none, none
		g.flags[i] &^= flagMerge
		g.link(i, c.Parents)
		g.renumber(i)
	}
	g.flags[i] |= flagKnown
	g.flags[i] &^= flagBot | flagAwaited
	if c.Bot {
		g.flags[i] |= flagBot
	}
	g.start[i] = min(c.AuthoredAt, c.CommittedAt)
	delete(g.delays, i)
	if d := c.CommittedAt - g.start[i]; d < longDelay {
		g.delay[i] = uint32(d)
	} else {
		g.delay[i] = longDelay
		g.delays[i] = d
	}
	a, ok := g.authorIndex[c.Author]
	if !ok {
		a = uint32(len(g.authors))
		g.authors = append(g.authors, c.Author)
		g.authorIndex[c.Author] = a
	}
	g.author[i] = a
	g.copied(i, c.CherryPickedFrom)
	delete(g.reverts, i)
	if c.Reverts != "" {
		g.reverts[i] = g.intern(c.Reverts)
	}
	return i
}

// copied notes which commit i was cherry-picked from; "" for none.
func (g *Graph) copied(i uint32, sha string) {
	before, picked := g.sources[i]
	if sha == "" {
		if picked {
			delete(g.sources, i)
			g.classify()
		}
		return
	}
	from := g.intern(sha)
	g.sources[i] = from
	if picked && before != from {
		g.classify()
		return
	}
	g.unite(i, from)
}

// classify puts all copies into their classes anew.
func (g *Graph) classify() {
	clear(g.class)
	clear(g.members)
	for i, from := range g.sources {
		g.unite(i, from)
	}
}

// renumber has the generations counted anew where i has one already, or others may have counted without it.
func (g *Graph) renumber(i uint32) {
	if i < g.numbered {
		clear(g.generation)
		g.numbered = 0
	}
}

func (g *Graph) sameParents(i uint32, shas []string) bool {
	var room [4]uint32
	ps := g.parents(room[:0], i)
	return slices.EqualFunc(ps, shas, func(p uint32, sha string) bool {
		k, _ := key(sha)
		return g.keys[p] == k
	})
}

func (g *Graph) link(i uint32, parents []string) {
	if len(parents) > 1 {
		g.flags[i] |= flagMerge
	}
	var rest []uint32
	for n, p := range parents {
		p := g.intern(p)
		switch {
		case n == 0:
			g.parent1[i] = p
		case len(parents) == 2:
			g.parent2[i] = p
		default:
			rest = append(rest, p)
		}
	}
	if rest != nil {
		g.parent2[i] = overflow | uint32(len(g.more))
		g.more = append(g.more, rest)
	}
}

// parents appends the parents of c to buf.
func (g *Graph) parents(buf []uint32, c uint32) []uint32 {
	if p := g.parent1[c]; p != none {
		buf = append(buf, p)
	}
	switch p := g.parent2[c]; {
	case p == none:
	case p&overflow != 0:
		buf = append(buf, g.more[p&^overflow]...)
	default:
		buf = append(buf, p)
	}
	return buf
}

// Seal says that a batch of commits is complete and numbers them.
func (g *Graph) Seal() { g.number() }

// Expect notes that something was concluded from a commit's not being known.
func (g *Graph) Expect(sha string) { g.await(g.intern(sha)) }

func (g *Graph) await(c uint32) {
	if g.flags[c]&flagKnown == 0 {
		g.flags[c] |= flagAwaited
	}
}

// Epoch changes when a commit is told after all that something was concluded from not knowing: what was concluded
// must be concluded anew.
func (g *Graph) Epoch() int { return g.epoch }

// number gives every commit its generation: 1 + the highest generation of its parents. Commits that were not told have
// 0. In a circle, which no honest history has, the parent that closes it does not count.
func (g *Graph) number() {
	var stack, ps []uint32
	for c := g.numbered; c < uint32(len(g.keys)); c++ {
		if g.generation[c] != 0 || g.flags[c]&flagKnown == 0 {
			continue
		}
		stack = append(stack[:0], c)
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			if g.generation[top] != 0 {
				stack = stack[:len(stack)-1]
				continue
			}
			g.flags[top] |= flagOpen
			ps = g.parents(ps[:0], top)
			highest, ready := uint32(0), true
			for _, p := range ps {
				switch {
				case g.flags[p]&flagKnown == 0 || g.flags[p]&flagOpen != 0 && g.generation[p] == 0:
				case g.generation[p] == 0:
					ready = false
					stack = append(stack, p)
				default:
					highest = max(highest, g.generation[p])
				}
			}
			if ready {
				g.generation[top] = highest + 1
				g.flags[top] &^= flagOpen
				stack = stack[:len(stack)-1]
			}
		}
	}
	g.numbered = uint32(len(g.keys))
}

// unite puts two commits into one class of copies. Classes are named by their smallest member and are small.
func (g *Graph) unite(a, b uint32) {
	ra, rb := g.Class(a), g.Class(b)
	if ra == rb {
		if _, ok := g.class[ra]; !ok {
			g.class[ra], g.members[ra] = ra, []uint32{ra}
		}
		return
	}
	all := slices.AppendSeq(slices.Collect(g.Copies(ra)), g.Copies(rb))
	slices.Sort(all)
	r := min(ra, rb)
	delete(g.members, ra)
	delete(g.members, rb)
	g.members[r] = all
	for _, m := range all {
		g.class[m] = r
	}
}

// Class names the class of copies that a commit belongs to; a commit without copies is its own class.
func (g *Graph) Class(c uint32) uint32 {
	if r, ok := g.class[c]; ok {
		return r
	}
	return c
}

// Copies are the members of a commit's class, the commit itself included, in the order of their indexes.
func (g *Graph) Copies(c uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		r, ok := g.class[c]
		if !ok {
			yield(c)
			return
		}
		for _, m := range g.members[r] {
			if !yield(m) {
				return
			}
		}
	}
}

// Reverts gives the commit that c undoes.
func (g *Graph) Reverts(c uint32) (uint32, bool) {
	r, ok := g.reverts[c]
	return r, ok
}

// Revises tells whether c was told before in other words, so that what was concluded from it may have to change.
func (g *Graph) Revises(c *Commit) bool {
	i, ok := g.Find(c.SHA)
	if !ok || g.flags[i]&flagKnown == 0 {
		return false
	}
	from, picked := g.sources[i]
	undoes, reverts := g.reverts[i]
	return g.Start(i) != min(c.AuthoredAt, c.CommittedAt) || g.CommittedAt(i) != c.CommittedAt || g.Author(i) != c.Author || g.Bot(i) != c.Bot ||
		picked != (c.CherryPickedFrom != "") || picked && g.SHA(from) != c.CherryPickedFrom ||
		reverts != (c.Reverts != "") || reverts && g.SHA(undoes) != c.Reverts || !g.sameParents(i, c.Parents)
}

// Joins tells whether c has not been told yet and is a copy of something that the graph has heard of, so that what was
// concluded from the copies may have to change.
func (g *Graph) Joins(c *Commit) bool {
	if c.CherryPickedFrom == "" || g.Known(c.SHA) {
		return false
	}
	_, heard := g.Find(c.CherryPickedFrom)
	return heard
}
