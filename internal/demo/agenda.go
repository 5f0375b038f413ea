package demo

import (
	"cmp"
	"container/heap"
	"time"
)

// agenda is what is going to happen in a repository, in the order of time; at the same instant in the order in which
// it was put down.
type agenda struct {
	steps steps
	n     int
}

type step struct {
	at time.Time
	n  int
	do func(at time.Time)
}

// put notes that something happens at an instant.
func (a *agenda) put(at time.Time, do func(at time.Time)) {
	a.n++
	heap.Push(&a.steps, step{at, a.n, do})
}

// run does everything that happens before an instant.
func (a *agenda) run(until time.Time) {
	for len(a.steps) > 0 {
		next := heap.Pop(&a.steps).(step)
		if !next.at.Before(until) {
			return
		}
		next.do(next.at)
	}
}

type steps []step

func (s steps) Len() int { return len(s) }
func (s steps) Less(i, j int) bool {
	return cmp.Or(s[i].at.Compare(s[j].at), cmp.Compare(s[i].n, s[j].n)) < 0
}
func (s steps) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *steps) Push(x any)   { *s = append(*s, x.(step)) }
func (s *steps) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}
