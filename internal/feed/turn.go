// Package feed is what the connections of systems have in common that are read by one list of things, which begin, change
// and end: the turns of the one stream, and the walk over its list. It stands between such a system's API and the
// collector that understands what is answered.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
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
	_, err := readPosition(stream, text)
	return err
}

// Turn makes the source of one turn: news first, and then a part of the history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	if s.Name != c.stream.Name {
		return nil, fault.New(fault.Invalid, "%s: %s has no such list", s.Name, c.name)
	}
	return &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond), stream: s.Name, position: position, read: c.read}, nil
}

// Refresh makes a source that tells one thing again: its subject is the thing's id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	if w.Stream != c.stream.Name || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.name)
	}
	return &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond), stream: w.Stream, read: func(ctx context.Context, t *Turn) error { return c.one(ctx, t, w.Subject) }}, nil
}

// Turn reads the stream for a while.
type Turn struct {
	AsOf time.Time
	// Known is what the turn has learnt of things beside those of the list, such as names by ids.
	Known map[string]string

	stream   string
	position string
	report   source.Report
	requests int
	read     func(ctx context.Context, t *Turn) error
	yield    func(event.Event, error) bool
}

// Stream names the stream.
func (t *Turn) Stream() string { return t.stream }

// Position is where the next turn goes on, provided that everything yielded so far is stored.
func (t *Turn) Position() string { return t.position }

// Report says how the turn went.
func (t *Turn) Report() source.Report { return t.report }

// errStopped says that the consumer wants no more events.
var errStopped = errors.New("the consumer stopped")

// Events reads and yields. It ends after the first error, which is a fault.
func (t *Turn) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		t.yield, t.report, t.requests = yield, source.Report{}, 0
		if err := t.read(ctx, t); err != nil && !errors.Is(err, errStopped) {
			t.report.More = false
			yield(nil, err)
		}
	}
}

// Tell yields an event that is checked: one that intake would refuse is a fault.Invalid, which ends the turn.
func (t *Turn) Tell(e event.Event) error {
	if wrong := event.Validate(e); wrong != nil {
		return fault.Wrap(fault.Invalid, wrong, "%s: what was read makes no %s", t.stream, e.Kind())
	}
	if !t.yield(e, nil) {
		return errStopped
	}
	return nil
}

// Learn adds to what is known.
func (t *Turn) Learn(id, is string) {
	if t.Known == nil {
		t.Known = map[string]string{}
	}
	t.Known[id] = is
}

// Asked counts a request.
func (t *Turn) Asked() { t.requests++ }

// enough is how many requests a turn makes before it gives way to others.
const enough = 10

func (t *Turn) spent() bool { return t.requests >= enough }

// move makes p the turn's position. What was told before is covered by it.
func (t *Turn) move(p *position) {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // positions are made of texts, numbers and instants
	}
	t.position = string(text)
}
