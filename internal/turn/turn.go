// Package turn is what the turns of all connections have in common: a source that reads one stream for a while, counts
// its requests, and moves the stream's position behind what it told. It knows nothing of what is read.
package turn

import (
	"context"
	"encoding/json"
	"errors"
	"iter"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

// Turn reads one stream for a while. The turn of a connection embeds it, and adds what its reading needs. One goroutine
// uses it.
type Turn struct {
	// Progress is what Report gives. It is empty when the reading begins, which fills it in.
	Progress source.Report
	// Share is how many requests the turn makes before it gives way to others.
	Share int

	stream   string
	position string
	requests int
	read     func(ctx context.Context) error
	yield    func(event.Event, error) bool
}

// Share is how many requests a turn makes, when nothing else is said.
const Share = 10

// New makes a turn over the stream of a name, from a position: "" is the beginning. What read does is the turn.
func New(stream, position string, read func(ctx context.Context) error) Turn {
	return Turn{Share: Share, stream: stream, position: position, read: read}
}

// Stream names the stream.
func (t *Turn) Stream() string { return t.stream }

// Position is where the next turn goes on, provided that everything yielded so far is stored.
func (t *Turn) Position() string { return t.position }

// Report says how the turn went.
func (t *Turn) Report() source.Report { return t.Progress }

// errStopped says that the consumer wants no more events.
var errStopped = errors.New("the consumer stopped")

// Events reads and yields. It ends after the first error, which is a fault.
func (t *Turn) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		t.yield, t.Progress, t.requests = yield, source.Report{}, 0
		if err := t.read(ctx); err != nil && !errors.Is(err, errStopped) {
			t.Progress.More = false
			yield(nil, err)
		}
	}
}

// Yield hands events to the consumer. After an error, which says that it wants no more, the reading ends with that error.
func (t *Turn) Yield(events ...event.Event) error {
	for _, e := range events {
		if !t.yield(e, nil) {
			return errStopped
		}
	}
	return nil
}

// Tell yields events, each of which is checked: one that intake would refuse is a fault.Invalid, which ends the turn.
func (t *Turn) Tell(events ...event.Event) error {
	for _, e := range events {
		if wrong := event.Validate(e); wrong != nil {
			return fault.Wrap(fault.Invalid, wrong, "%s: what was read makes no %s", t.stream, e.Kind())
		}
		if err := t.Yield(e); err != nil {
			return err
		}
	}
	return nil
}

// Applied counts the rule that led to something, with an example; no rule is not counted.
func (t *Turn) Applied(rule, example string) {
	if rule == "" {
		return
	}
	if t.Progress.Rules == nil {
		t.Progress.Rules = map[string]source.Applied{}
	}
	t.Progress.Rules[rule] = source.Applied{N: t.Progress.Rules[rule].N + 1, Example: example}
}

// Asked counts a request.
func (t *Turn) Asked() { t.requests++ }

// Requests is how many were made so far.
func (t *Turn) Requests() int { return t.requests }

// Spent says that the turn has made its share of requests.
func (t *Turn) Spent() bool { return t.requests >= t.Share }

// Move makes p the turn's position. What was told before is covered by it.
func (t *Turn) Move(p Position) {
	p.versioned().V = version
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // positions are made of texts, numbers and instants
	}
	t.position = string(text)
}

// Versioned is what every position begins with: a position is a struct that embeds it.
type Versioned struct {
	V int `json:"v"`
}

// Position is how far a stream has been read: a pointer to a struct that embeds Versioned.
type Position interface{ versioned() *Versioned }

func (v *Versioned) versioned() *Versioned { return v }

// version is that of all positions.
const version = 1

// Read reads a position that Move wrote, of the stream of a name; "" is the beginning. Errors are fault.Invalid.
func Read[P any, At interface {
	*P
	Position
}](stream, text string) (P, error) {
	var p P
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || At(&p).versioned().V != version {
		return p, fault.New(fault.Invalid, "%s: the saved position cannot be read, or is not one of this version: %.60q", stream, text)
	}
	return p, nil
}
