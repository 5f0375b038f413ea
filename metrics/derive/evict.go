package derive

import (
	"cmp"
	"maps"
	"slices"
)

// runWeight is how many commits a run counts for in what is kept in memory.
const runWeight = 16

// evict drops the services that were not derived for the longest, and the histories that nobody stands on, while more
// is kept than allowed. A service that is derived after that is derived from the start.
func (d *Deriver) evict() {
	kept := 0
	for _, r := range d.repos {
		kept += r.Graph.Size()
	}
	standing := map[string]int{} // repository -> services that stand on it
	for _, st := range d.states {
		kept += len(st.runs.all) * runWeight
		for id := range st.repositories() {
			standing[id]++
		}
	}
	leave := func(id string) {
		if r := d.repos[id]; r != nil && standing[id] == 0 {
			kept -= r.Graph.Size()
			delete(d.repos, id)
		}
	}
	if kept > d.cfg.CachedCommits {
		for _, id := range slices.Collect(maps.Keys(d.repos)) {
			leave(id)
		}
	}
	services := slices.SortedFunc(maps.Keys(d.states), func(a, b string) int {
		return cmp.Or(cmp.Compare(d.states[a].used, d.states[b].used), cmp.Compare(a, b))
	})
	for _, id := range services {
		if kept <= d.cfg.CachedCommits {
			return
		}
		st := d.states[id]
		kept -= len(st.runs.all) * runWeight
		delete(d.states, id)
		for repository := range st.repositories() {
			standing[repository]--
			leave(repository)
		}
	}
}

// repositories are those that any line of the service stands on.
func (st *serviceState) repositories() map[string]bool {
	all := map[string]bool{}
	for _, ls := range st.lines {
		for id := range ls.repos {
			all[id] = true
		}
	}
	return all
}
