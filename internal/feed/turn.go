// Package feed is what the connections of systems have in common that are read by one list of things, which begin, change
// and end: the turns of the one stream, and the walk over its list. It stands between such a system's API and the
// collector that understands what is answered.
package feed

import (
	"context"
	"time"

	"cairn/internal/fault"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// Connection is one system that has one stream. It is used by several goroutines, the stream by one at a time.
type Connection struct {
	name   string
	stream source.Stream
	read   func(ctx context.Context, t *Turn) error
	one    func(ctx context.Context, t *Turn, subject string) error
}

// Connect makes the connection that reads a list as a stream.
func Connect[T any](name string, stream source.Stream, l List[T]) *Connection {
	return &Connection{name, stream, l.read, l.refresh}
}

// Name is the connection's.
func (c *Connection) Name() string { return c.name }

// Streams lists the one stream.
func (c *Connection) Streams() []source.Stream { return []source.Stream{c.stream} }

// Recall takes a position that was saved in an earlier life: it says whether it can be read.
func (c *Connection) Recall(stream, text string) error {
	if stream != c.stream.Name {
		return nil
	}
	_, err := turn.Read[position](stream, text)
	return err
}

// Turn makes the source of one turn: news first, and then a part of the history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	if s.Name != c.stream.Name {
		return nil, fault.New(fault.Invalid, "%s: %s has no such list", s.Name, c.name)
	}
	return newTurn(s.Name, position, asOf, c.read), nil
}

// Refresh makes a source that tells one thing again: its subject is the thing's id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	if w.Stream != c.stream.Name || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.name)
	}
	return newTurn(w.Stream, "", asOf, func(ctx context.Context, t *Turn) error { return c.one(ctx, t, w.Subject) }), nil
}

// Turn reads the stream for a while.
type Turn struct {
	turn.Turn
	AsOf time.Time
	// Known is what the turn has learnt of things beside those of the list, such as names by ids.
	Known map[string]string
}

func newTurn(stream, position string, asOf time.Time, read func(ctx context.Context, t *Turn) error) *Turn {
	t := &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond)}
	t.Turn = turn.New(stream, position, func(ctx context.Context) error { return read(ctx, t) })
	return t
}

// Learn adds to what is known.
func (t *Turn) Learn(id, is string) {
	if t.Known == nil {
		t.Known = map[string]string{}
	}
	t.Known[id] = is
}
