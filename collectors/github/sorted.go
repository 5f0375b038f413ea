package github

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// sorted goes over a map in the order of its keys: so the same state is told in the same order. Entries may be deleted
// meanwhile.
func sorted[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
