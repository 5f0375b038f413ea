package feed

import (
	"context"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/turn"
)

// List is a list of things that begin, change and end, such as incidents, and that can be asked for by when they began.
//
// Its history is read in windows of a month, the latest first. Its news are what has changed since the latest change that
// was told, by the system's own times, with a little overlap; and those that were open and that the news do not show any
// more. The clock here, which may be wrong by hours, bounds only the latest window, generously.
type List[T any] struct {
	// Since is how far back history is read; the zero time: all of it.
	Since time.Time
	// First says when the first thing of all began, the zero time when there is none. Without it the list is one window.
	First func(ctx context.Context, t *Turn) (time.Time, error)
	// Created gives a page of what began in [from, until), and what has to be handed in for the next page: "" is the first,
	// and the end. More than that may be given.
	Created func(ctx context.Context, t *Turn, from, until time.Time, cursor string) (page []T, next string, err error)
	// Changed gives a page of what may have changed since an instant: more than that may be given.
	Changed func(ctx context.Context, t *Turn, since time.Time, cursor string) (page []T, next string, err error)
	// One asks for a thing by its id.
	One func(ctx context.Context, t *Turn, id string) (T, error)
	// Vanish says that Changed shows a thing that is open, but may not show one that was: it is asked for by One.
	Vanish bool
	// Key says what identifies a thing, and where it is in its story.
	Key func(T) Key
	// Tell yields what a thing is.
	Tell func(ctx context.Context, t *Turn, thing T) error
}

// Key is what the walk over a list goes by.
type Key struct {
	ID               string
	Created, Updated time.Time
	Open             bool // it may end yet
}

const (
	month = 30 * 24 * time.Hour
	// ahead is how much later than the clock here the system's may be.
	ahead = 24 * time.Hour
	// overlap is how much later than a later one a change may become visible.
	overlap = 10 * time.Minute
	// again is how long the news are not looked for again by turns that follow each other to read the history.
	again = 30 * time.Second
	// maxOpen bounds how many open things are remembered.
	maxOpen = 1000
)

// position is how far the list has been read.
type position struct {
	turn.Versioned
	Begin time.Time `json:"begin,omitzero"` // nothing is read of what began before
	// Fresh is an instant of the system up to which changes are told.
	Fresh  time.Time `json:"fresh,omitzero"`
	Looked time.Time `json:"looked,omitzero"`
	// Open are the ids of things that were told and are not over.
	Open []string `json:"open,omitempty"`
	News *news    `json:"news,omitempty"`

	// The window of history that is being read, and the next page of it.
	From     time.Time `json:"from,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Cursor   string    `json:"cursor,omitempty"`
	Complete bool      `json:"complete,omitempty"`

	Reached time.Time `json:"reached,omitzero"`
	Done    int64     `json:"done,omitempty"`
}

// news is a look at the news that a turn began and did not end.
type news struct {
	Since  time.Time `json:"since"`
	Cursor string    `json:"cursor,omitempty"`
	Listed bool      `json:"listed,omitempty"` // all pages were read
	// Top is the latest change on the first page, up to which nothing can have been missed; All is that on any page. A look
	// that one turn makes is shorter than the overlap, so for it All serves as well.
	Top     time.Time `json:"top,omitzero"`
	All     time.Time `json:"all,omitzero"`
	Resumed bool      `json:"resumed,omitempty"`
	Seen    []string  `json:"seen,omitempty"`
}

// read makes a turn over the list.
func (l List[T]) read(ctx context.Context, t *Turn) error {
	at, err := turn.Read[position](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	p := &at
	defer func() {
		t.Progress.Done, t.Progress.Complete, t.Progress.ReachedBack = p.Done, p.Complete, p.Reached
	}()
	begun := !p.Until.IsZero()
	if begun && (p.Complete || p.News != nil || t.AsOf.Sub(p.Looked) >= again) {
		done, err := l.news(ctx, t, p)
		if err != nil || !done {
			t.Progress.More = !done
			return err
		}
	}
	if !begun {
		if err := l.begin(ctx, t, p); err != nil {
			return err
		}
	}
	return l.history(ctx, t, p)
}

// begin lays out the first window.
func (l List[T]) begin(ctx context.Context, t *Turn, p *position) error {
	p.Begin, p.Looked = l.Since, t.AsOf
	p.Until, p.Fresh = t.AsOf.Add(ahead), t.AsOf.Add(-2*ahead)
	p.From = p.Begin
	if l.First == nil {
		return nil
	}
	first, err := l.First(ctx, t)
	if err != nil {
		p.Until = time.Time{} // nothing was begun
		return err
	}
	if first.IsZero() {
		p.Complete = true
		t.Move(p)
		return nil
	}
	p.Begin = latest(p.Begin, first)
	p.From = latest(p.Begin, p.Until.Add(-month))
	return nil
}

// history tells what began in the windows that are left, latest first.
func (l List[T]) history(ctx context.Context, t *Turn, p *position) error {
	for !p.Complete {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		page, next, err := l.Created(ctx, t, p.From, p.Until, p.Cursor)
		if err != nil {
			return err
		}
		if next != "" && next == p.Cursor {
			return fault.New(fault.Internal, "%s: the list leads from a page to the same page again", t.Stream())
		}
		top, first := p.Fresh, p.Done == 0 && p.Reached.IsZero()
		for _, thing := range page {
			key := l.Key(thing)
			if key.Created.Before(p.Begin) {
				continue
			}
			if err := l.Tell(ctx, t, thing); err != nil {
				return err
			}
			p.take(key)
			p.Done++
			top = latest(top, key.Updated)
			if p.Reached.IsZero() || key.Created.Before(p.Reached) {
				p.Reached = key.Created
			}
		}
		if first {
			p.Fresh = top // of the first page: what changes from now on has changed later
		}
		if p.Cursor = next; next == "" {
			p.Reached, p.Until = p.From, p.From
			p.Complete = !p.From.After(p.Begin)
			p.From = latest(p.Begin, p.From.Add(-month))
			if p.Complete {
				p.Until = t.AsOf // not the zero time: it has begun
			}
		}
		t.Move(p)
	}
	return nil
}

// news tells what has changed; done is false when the turn's share of requests did not reach to the end.
func (l List[T]) news(ctx context.Context, t *Turn, p *position) (done bool, err error) {
	if p.News == nil {
		p.News = &news{Since: p.Fresh.Add(-overlap)}
	} else {
		p.News.Resumed = true
	}
	n := p.News
	for !n.Listed {
		if t.Spent() {
			return false, nil
		}
		page, next, err := l.Changed(ctx, t, n.Since, n.Cursor)
		if err != nil {
			return false, err
		}
		if next != "" && next == n.Cursor {
			return false, fault.New(fault.Internal, "%s: the news lead from a page to the same page again", t.Stream())
		}
		for _, thing := range page {
			key := l.Key(thing)
			if n.All = latest(n.All, key.Updated); n.Cursor == "" {
				n.Top = latest(n.Top, key.Updated)
			}
			if at, there := slices.BinarySearch(n.Seen, key.ID); !there && slices.Contains(p.Open, key.ID) {
				n.Seen = slices.Insert(n.Seen, at, key.ID)
			}
			if key.Updated.Before(n.Since) || key.Created.Before(l.Since) {
				continue
			}
			if err := l.Tell(ctx, t, thing); err != nil {
				return false, err
			}
			p.take(key)
		}
		n.Cursor, n.Listed = next, next == ""
		t.Move(p)
	}
	for _, id := range slices.Clone(p.Open) {
		at, seen := slices.BinarySearch(n.Seen, id)
		if seen || !l.Vanish {
			continue
		}
		if t.Spent() {
			return false, nil
		}
		thing, err := l.One(ctx, t, id)
		switch {
		case fault.KindOf(err) == fault.NotFound && err != nil: // deleted: what is known of it stays
			p.Open = slices.DeleteFunc(p.Open, func(open string) bool { return open == id })
		case err != nil:
			return false, err
		default:
			if err := l.Tell(ctx, t, thing); err != nil {
				return false, err
			}
			p.take(l.Key(thing))
		}
		n.Seen = slices.Insert(n.Seen, at, id)
		t.Move(p)
	}
	if !n.Resumed {
		n.Top = n.All
	}
	p.Fresh, p.Looked, p.News = latest(p.Fresh, n.Top), t.AsOf, nil
	t.Move(p)
	return true, nil
}

// take remembers whether a thing that was told is open.
func (p *position) take(key Key) {
	at, there := slices.BinarySearch(p.Open, key.ID)
	switch {
	case key.Open && !there && len(p.Open) < maxOpen:
		p.Open = slices.Insert(p.Open, at, key.ID)
	case !key.Open && there:
		p.Open = slices.Delete(p.Open, at, at+1)
	}
}

// refresh tells one thing again. One that is not there, or not shown to the credential, tells nothing.
func (l List[T]) refresh(ctx context.Context, t *Turn, subject string) error {
	thing, err := l.One(ctx, t, subject)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	return l.Tell(ctx, t, thing)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
