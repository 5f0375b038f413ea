package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"cairn/internal/fault"
)

// lane lets the inserts into one table pass one after the other. Who comes while one is running waits, and all that
// wait go together in the next one: thousands of small requests make few inserts, and a lone request waits for nobody.
// There is no goroutine behind it: of those that wait, the first carries out the insert for all.
type lane[T any] struct {
	most   int               // weight of one insert, unless one request weighs more
	weight func(rows[T]) int // of a request; nil: its number of rows
	insert func(ctx context.Context, groups []rows[T], n int) error

	mu      sync.Mutex
	busy    bool
	waiting []*passenger[T]
}

// passenger is one request that waits in a lane.
type passenger[T any] struct {
	rows rows[T]
	turn chan bool // true: carry out the next insert; false: err is the outcome
	err  error
}

// pass stores the rows and returns when they are stored. When ctx ends before their insert has begun they are not
// stored; once it has begun its outcome is waited for, so that the rows are the caller's again when pass returns.
func (l *lane[T]) pass(ctx context.Context, r rows[T]) error {
	p := &passenger[T]{rows: r, turn: make(chan bool, 1)}
	l.mu.Lock()
	l.waiting = append(l.waiting, p)
	if !l.busy {
		l.busy = true
		p.turn <- true
	}
	l.mu.Unlock()

	var first bool
	select {
	case first = <-p.turn:
	case <-ctx.Done():
		if l.leave(p) {
			return ctx.Err()
		}
		first = <-p.turn
	}
	if first {
		l.carry(ctx, p)
	}
	return p.err
}

// leave takes p out of those that wait. It returns false when p's turn has come or its rows are on their way.
func (l *lane[T]) leave(p *passenger[T]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.waiting, p)
	if at < 0 || len(p.turn) > 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return true
}

// carry inserts the rows of those that wait, p's among them, and hands the lane on.
func (l *lane[T]) carry(ctx context.Context, p *passenger[T]) {
	l.mu.Lock()
	together, n, weight := 0, 0, 0
	for together < len(l.waiting) {
		r := l.waiting[together].rows
		size := len(r.events)
		if l.weight != nil {
			size = l.weight(r)
		}
		if together > 0 && weight+size > l.most {
			break
		}
		together, n, weight = together+1, n+len(r.events), weight+size
	}
	aboard := l.waiting[:together:together]
	l.waiting = slices.Clone(l.waiting[together:])
	l.mu.Unlock()

	defer l.handOn(p, aboard) // whatever happens, nobody is left waiting
	// The insert is not p's alone: it goes on when p's client goes away.
	l.store(context.WithoutCancel(ctx), aboard, n)
}

func (l *lane[T]) handOn(p *passenger[T], aboard []*passenger[T]) {
	l.mu.Lock()
	if len(l.waiting) > 0 {
		l.waiting[0].turn <- true
	} else {
		l.busy = false
	}
	l.mu.Unlock()
	for _, other := range aboard {
		if other != p {
			other.turn <- false
		}
	}
}

var errNotCarriedOut = errors.New("the insert was not carried out")

// store inserts the rows of all aboard and gives each its outcome. When an insert of several fails for a reason that
// may be one's own, each is tried alone.
func (l *lane[T]) store(ctx context.Context, aboard []*passenger[T], n int) {
	groups := make([]rows[T], len(aboard))
	for i, p := range aboard {
		groups[i] = p.rows
		p.err = errNotCarriedOut
	}
	err := l.insert(ctx, groups, n)
	if err != nil && len(aboard) > 1 && fault.KindOf(err) != fault.Unavailable {
		for i, p := range aboard {
			p.err = l.insert(ctx, groups[i:i+1], len(p.rows.events))
		}
		return
	}
	for _, p := range aboard {
		p.err = err
	}
}
