package derive

import (
	"context"
	"sync/atomic"
)

// feed counts arrivals of facts where somebody tells of each.
type feed struct {
	arrivals atomic.Uint64 // 0: nobody tells
	taken    atomic.Uint64 // arrivals that have been taken in
}

// Feed returns what to call after facts were stored, before whoever sent them is told so. From here on the caller
// answers for it that no fact is stored without that call.
func (d *Deriver) Feed() (arrived func()) {
	d.feed.arrivals.Add(1)
	return func() { d.feed.arrivals.Add(1) }
}

// Fresh is CatchUp for those who only ask. Where arrivals are told of, and there was none, it costs nothing.
func (d *Deriver) Fresh(ctx context.Context) error {
	asked := d.feed.arrivals.Load()
	fresh := func() bool { return asked > 0 && d.feed.taken.Load() >= asked }
	if fresh() {
		return nil
	}
	// Many may ask at once: who waited while another took everything in has nothing left to do.
	return d.catchUp(ctx, fresh)
}

// Epoch tells states of the store apart, as metrics see it: it is another one after facts were told of or found, and
// before and after every derivation. Where nobody tells of arrivals it is true to what was stored before the latest
// call of Fresh.
type Epoch struct{ Arrivals, Changes uint64 }

// Epoch returns the present one.
func (d *Deriver) Epoch() Epoch {
	return Epoch{Arrivals: d.feed.arrivals.Load(), Changes: d.changes.Load()}
}
