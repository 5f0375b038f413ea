package attribution

import (
	"slices"
)

// simplified is a repository's history as one service sees it through its path filter: only commits that touch its
// paths. The version of the service at a commit is the set of such commits among its ancestors, and that set is
// named by its maximal members, here called a front.
type simplified struct {
	graph *Graph
	match *Bits
	front []int32 // commit -> front, or unasked or open
	sets  [][]uint32
	index map[string]int32
}

// What a commit has that has no front yet.
const (
	unasked int32 = -1
	open    int32 = -2 // its front is being worked out
)

func newSimplified(g *Graph, match *Bits) *simplified {
	return &simplified{graph: g, match: match, sets: [][]uint32{nil}, index: map[string]int32{"": 0}}
}

func (s *simplified) intern(set []uint32) int32 {
	b := make([]byte, 0, 4*len(set))
	for _, c := range set {
		b = append(b, byte(c), byte(c>>8), byte(c>>16), byte(c>>24))
	}
	if i, ok := s.index[string(b)]; ok {
		return i
	}
	i := int32(len(s.sets))
	s.sets = append(s.sets, set)
	s.index[string(b)] = i
	return i
}

// at gives the front of a commit: its number is the same for two commits exactly when the same matching commits are
// among their ancestors (themselves included).
func (s *simplified) at(c uint32) int32 {
	for len(s.front) < s.graph.Size() {
		s.front = append(s.front, unasked)
	}
	if s.front[c] >= 0 {
		return s.front[c]
	}
	s.graph.number()
	stack, ps := []uint32{c}, []uint32(nil)
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if s.front[top] >= 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		s.front[top] = open
		s.graph.await(top)
		ps = s.graph.parents(ps[:0], top)
		ready := true
		for _, p := range ps {
			if s.front[p] == unasked {
				ready = false
				stack = append(stack, p)
			}
		}
		if !ready {
			continue
		}
		stack = stack[:len(stack)-1]
		if s.match.Has(top) {
			s.front[top] = s.intern([]uint32{top})
			continue
		}
		s.front[top] = s.join(ps)
	}
	return s.front[c]
}

// below gives the front right below a matching commit.
func (s *simplified) below(c uint32) int32 {
	return s.join(s.graph.parents(nil, c))
}

// join gives the front of what several commits have together. Parents that close a circle have none.
func (s *simplified) join(parents []uint32) int32 {
	parents = slices.DeleteFunc(parents, func(p uint32) bool { return s.front[p] < 0 })
	switch len(parents) {
	case 0:
		return 0
	case 1:
		return s.front[parents[0]]
	}
	same := true
	for _, p := range parents[1:] {
		same = same && s.front[p] == s.front[parents[0]]
	}
	if same {
		return s.front[parents[0]]
	}
	var all []uint32
	for _, p := range parents {
		all = append(all, s.sets[s.front[p]]...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return s.intern(s.maximal(all))
}

// maximal drops every member that is an ancestor of another one, walking only the simplified history and never below
// the lowest generation in question.
func (s *simplified) maximal(set []uint32) []uint32 {
	if len(set) < 2 {
		return set
	}
	lowest := s.graph.generation[set[0]]
	for _, c := range set {
		lowest = min(lowest, s.graph.generation[c])
	}
	seen := map[uint32]bool{}
	var stack []uint32
	for _, c := range set {
		stack = append(stack, s.sets[s.below(c)]...)
	}
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[c] || s.graph.generation[c] < lowest {
			continue
		}
		seen[c] = true
		stack = append(stack, s.sets[s.below(c)]...)
	}
	return slices.DeleteFunc(set, func(c uint32) bool { return seen[c] })
}
