package flux

import (
	"cmp"
	"slices"
	"sync"

	"cairn/internal/event"
)

// What a Kustomization does, as far as events say it.
const (
	begun      = iota // something was applied
	reconciled        // a reconciliation ended well, whether it changed something or not
	succeeded         // the same, said of a deployment
)

// step is what an object did at a revision. The fact is that of the deployment, if it is one.
type step struct {
	what     int
	revision string
	fact     *event.Deployment
}

func (s step) compare(o step) int {
	return cmp.Or(s.fact.FinishedAt.Compare(o.fact.FinishedAt), cmp.Compare(s.what, o.what), cmp.Compare(s.revision, o.revision))
}

// steps joins what objects did. A revision is deployed when it is live after another was, and something was applied
// for it. So neither a correction of drift is a deployment, nor the commit of a repository with many parts that left
// this one as it was; but to come back to a revision after another is one, a rollback.
//
// It is a memory, as hook.Memory is: it forgets when the process ends, until the kept events are heard again, and the oldest objects when there are many. After
// that the first that is heard of a revision is its first deployment again, of which the earliest telling wins.
type steps struct {
	mu    sync.Mutex
	known map[string][]step // by object, in the order of time
	order []string          // objects by age; the ring's next place is at
	at    int
}

// Bounds of the memory.
const (
	remembered = 20_000 // objects
	perObject  = 64     // steps of each
)

// take takes in a step and returns the deployments that follow from it, and those after it, which may be others by it.
func (m *steps) take(object string, s step) (facts []event.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, there := m.known[object]
	if !there {
		if len(m.order) < remembered {
			m.order = append(m.order, object)
		} else {
			delete(m.known, m.order[m.at])
			m.order[m.at] = object
			m.at = (m.at + 1) % remembered
		}
	}
	i, same := slices.BinarySearchFunc(all, s, step.compare)
	if !same {
		all = slices.Insert(all, i, s)
	}
	if len(all) > perObject {
		all = shorten(all)
	}
	m.known[object] = all
	for _, d := range deployed(all) {
		if !d.FinishedAt.Before(s.fact.FinishedAt) {
			facts = append(facts, d)
		}
	}
	return facts
}

// shorten leaves out the oldest of what says nothing: it is reconciled every few minutes, and nothing was applied since.
// Without any the oldest steps are forgotten.
func shorten(all []step) []step {
	for i := 1; i < len(all); i++ {
		if all[i].what == reconciled && all[i-1].what != begun && all[i].revision == all[i-1].revision {
			return slices.Delete(all, i, i+1)
		}
	}
	return slices.Delete(all, 0, len(all)-perObject)
}

// deployed are the deployments among the steps.
func deployed(all []step) (facts []*event.Deployment) {
	pending, times, live := map[string]bool{}, map[string]int64{}, ""
	for _, s := range all {
		if s.what == begun {
			pending[s.revision] = true
			continue
		}
		if s.revision != live && (s.what == succeeded || pending[s.revision]) {
			times[s.revision]++
			d := *s.fact
			d.Attempt = times[s.revision]
			facts = append(facts, &d)
		}
		pending[s.revision], live = false, s.revision
	}
	return facts
}
