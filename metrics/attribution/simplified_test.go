package attribution

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Two commits have the same front exactly when the same commits on the service's paths are among their ancestors; so
// too when the history grows between two questions.
func TestFrontsNameSetsOfMatchingAncestors(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "c", 16)
		g := NewGraph(0)
		match := &Bits{}
		s := newSimplified(g, match)
		told := h
		told.commits = nil
		for _, c := range h.commits {
			i := g.Add(c)
			if h.matching[c.SHA] {
				match.Set(i)
			}
			told.commits = append(told.commits, c)
			if rapid.IntRange(1, 3).Draw(t, "ask") == 1 {
				s.at(i)
			}
		}
		fronts := map[string]int32{} // set of matching ancestors -> front
		sets := map[int32]string{}
		for _, c := range permutation(t, "asked", h.commits) {
			var set []string
			for _, a := range slices.Sorted(maps.Keys(h.ancestors(c.SHA))) {
				if h.matching[a] {
					set = append(set, a)
				}
			}
			key := strings.Join(set, " ")
			i, _ := g.Find(c.SHA)
			front := s.at(i)
			if other, seen := fronts[key]; seen && other != front {
				t.Errorf("%s: two fronts for {%s}", c.SHA, key)
			}
			if other, seen := sets[front]; seen && other != key {
				t.Errorf("%s: one front for {%s} and {%s}", c.SHA, key, other)
			}
			fronts[key], sets[front] = front, key
		}
	})
}
