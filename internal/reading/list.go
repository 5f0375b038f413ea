// Package reading is what the connections of systems have in common that are read list by list, each list newest first:
// which groups (jobs, projects, repositories) there are, and the walk over a list of each. It stands between such a system's
// API and the collector that understands what is answered.
package reading

import (
	"context"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/turn"
)

// List is a list of things of a group that is given newest first, such as the runs of a pipeline.
//
// Its history is read from the top down, page by page. News are read from the top down to the newest thing that was told,
// with a little overlap, and down to the last thing of the page that is above it: where the system's clock was put back, what
// is newer in the list is older by the clock. Those that were open then and that the news do not show any more are asked for one by one. New
// things push others to later pages, so that some are told twice, which changes nothing.
type List[T any] struct {
	// Since is how far back history is read; the zero time: all of it.
	Since time.Time
	// Page gives a page, newest first, and what has to be handed in for the next one: "" is the first, and the end.
	Page func(ctx context.Context, t *Turn, cursor string) (page []T, next string, err error)
	// One asks for a thing by its id.
	One func(ctx context.Context, t *Turn, id string) (T, error)
	// Key says what identifies a thing, and what the list is ordered by.
	Key func(T) Key
	// Tell yields what a thing is.
	Tell func(ctx context.Context, t *Turn, thing T) error
}

// Key is what the walk over a list goes by.
type Key struct {
	ID   string
	At   time.Time // what the list is ordered by, the latest first
	Open bool      // it will still change without moving to the top
}

const (
	// overlap is how much later than a later one a thing may become visible.
	overlap = 10 * time.Minute
	// again is how long the news are not looked for again by turns that follow each other to read the history.
	again = 30 * time.Second
	// maxOpen bounds how many open things are remembered, and patience how long one that never ends is asked for.
	maxOpen  = 200
	patience = 14 * 24 * time.Hour
)

// walked is how far a list has been read.
type walked struct {
	turn.Versioned
	Top    time.Time `json:"top,omitzero"` // the newest thing that was told, never later than the look
	Looked time.Time `json:"looked,omitzero"`
	News   *news     `json:"news,omitempty"`
	Open   []opened  `json:"open,omitempty"`

	Begun    bool      `json:"begun,omitempty"`
	Cursor   string    `json:"cursor,omitempty"` // of the next page of history
	Complete bool      `json:"complete,omitempty"`
	Reached  time.Time `json:"reached,omitzero"`
	Done     int64     `json:"done,omitempty"`
}

// opened is a thing that had not ended when it was told.
type opened struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// news is a look at the news that a turn began and did not end.
type news struct {
	Cursor string    `json:"cursor,omitempty"`
	Listed bool      `json:"listed,omitempty"` // all pages that can have any were read
	Top    time.Time `json:"top,omitzero"`
	Seen   []string  `json:"seen,omitempty"` // of the open ones, those that were told by this look
}

func (l List[T]) recall(stream, text string) error {
	_, err := turn.Read[walked](stream, text)
	return err
}

// read makes a turn over the list.
func (l List[T]) read(ctx context.Context, t *Turn) error {
	p, err := turn.Read[walked](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	defer func() {
		t.Progress.Done, t.Progress.Complete, t.Progress.ReachedBack = p.Done, p.Complete, p.Reached
	}()
	if p.Begun && (p.Complete || p.News != nil || t.AsOf.Sub(p.Looked) >= again) {
		done, err := l.news(ctx, t, &p)
		if err != nil || !done {
			t.Progress.More = !done && err == nil
			return err
		}
	}
	return l.history(ctx, t, &p)
}

// history tells what is left below.
func (l List[T]) history(ctx context.Context, t *Turn, p *walked) error {
	for !p.Complete {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		page, next, err := l.Page(ctx, t, p.Cursor)
		if err != nil {
			return err
		}
		if next != "" && next == p.Cursor {
			return fault.New(fault.Internal, "%s: the list leads from a page to the same page again", t.Stream())
		}
		for _, thing := range page {
			key := l.Key(thing)
			if key.At.Before(l.Since) {
				next = ""
				continue
			}
			if err := l.Tell(ctx, t, thing); err != nil {
				return err
			}
			p.take(l.Key(thing), t.AsOf) // telling it may have looked closer
			p.Done++
			if !p.Begun && key.At.After(p.Top) {
				p.Top = t.atMost(key.At)
			}
			if p.Reached.IsZero() || key.At.Before(p.Reached) {
				p.Reached = key.At
			}
		}
		if !p.Begun {
			p.Begun, p.Looked = true, t.AsOf
		}
		p.Cursor, p.Complete = next, next == ""
		t.Move(p)
	}
	return nil
}

// news tells what is new; done is false when the turn's share of requests did not reach to the end.
func (l List[T]) news(ctx context.Context, t *Turn, p *walked) (done bool, err error) {
	if p.News == nil {
		p.News = &news{}
	}
	n := p.News
	floor := p.Top.Add(-overlap)
	for !n.Listed {
		if t.Spent() {
			return false, nil
		}
		page, next, err := l.Page(ctx, t, n.Cursor)
		if err != nil {
			return false, err
		}
		if next != "" && next == n.Cursor {
			return false, fault.New(fault.Internal, "%s: the news lead from a page to the same page again", t.Stream())
		}
		last := -1 // below it nothing is new
		for i, thing := range page {
			if !l.Key(thing).At.Before(floor) {
				last = i
			}
		}
		for i, thing := range page {
			key := l.Key(thing)
			old := i > last
			awaited := slices.ContainsFunc(p.Open, func(o opened) bool { return o.ID == key.ID })
			if old {
				next = "" // nothing newer comes after it
			}
			if key.At.Before(l.Since) || old && !awaited {
				continue
			}
			if err := l.Tell(ctx, t, thing); err != nil {
				return false, err
			}
			if p.take(l.Key(thing), t.AsOf); awaited {
				n.Seen = append(n.Seen, key.ID)
			}
			if key.At.After(n.Top) {
				n.Top = t.atMost(key.At)
			}
		}
		n.Cursor, n.Listed = next, next == ""
		t.Move(p)
	}
	for _, o := range slices.Clone(p.Open) {
		if slices.Contains(n.Seen, o.ID) || l.One == nil {
			continue
		}
		if t.Spent() {
			return false, nil
		}
		thing, err := l.One(ctx, t, o.ID)
		switch {
		case err != nil && fault.KindOf(err) == fault.NotFound: // deleted: what is known of it stays
			p.forget(o.ID)
		case err != nil:
			return false, err
		default:
			if err := l.Tell(ctx, t, thing); err != nil {
				return false, err
			}
			p.take(l.Key(thing), t.AsOf)
		}
		n.Seen = append(n.Seen, o.ID)
		t.Move(p)
	}
	if n.Top.After(p.Top) {
		p.Top = n.Top
	}
	p.Looked, p.News = t.AsOf, nil
	t.Move(p)
	return true, nil
}

// atMost is an instant, or that of the turn where it is still to come: a clock that is ahead and is put right would otherwise
// hide what happens until the instant that it showed.
func (t *Turn) atMost(at time.Time) time.Time {
	if at.After(t.AsOf) {
		return t.AsOf
	}
	return at
}

// take remembers whether a thing that was told is open.
func (p *walked) take(key Key, asOf time.Time) {
	p.forget(key.ID)
	if key.Open && len(p.Open) < maxOpen && asOf.Sub(key.At) < patience {
		p.Open = append(p.Open, opened{key.ID, key.At})
	}
}

func (p *walked) forget(id string) {
	p.Open = slices.DeleteFunc(p.Open, func(o opened) bool { return o.ID == id })
}

// refresh tells one thing again. One that is not there, or not shown to the credential, tells nothing.
func (l List[T]) refresh(ctx context.Context, t *Turn, subject string) error {
	if l.One == nil {
		return fault.New(fault.Invalid, "%s: a single thing of it cannot be read again", t.Stream())
	}
	thing, err := l.One(ctx, t, subject)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	return l.Tell(ctx, t, thing)
}
