package reading

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// Group is what has lists of its own: a job, a project, a repository.
type Group struct {
	ID   string `json:"id,omitempty"` // the system's, which stays when the group is renamed; "" where there is none
	Fact string `json:"fact"`         // its id in facts and streams, for ever
	Path string `json:"path"`         // what the system calls it now
}

// Lister reads one kind of list of a group: a List of some type.
type Lister interface {
	read(ctx context.Context, t *Turn) error
	refresh(ctx context.Context, t *Turn, subject string) error
	recall(stream, position string) error
}

// Plan says what a connection reads.
type Plan struct {
	Name  string
	Every time.Duration
	// Fixed are groups that the configuration names. Without them Find gives a page of the groups that there are, and what
	// has to be handed in for the next page: "" is the first, and the end. It calls groups that are known as FactOf does.
	Fixed []Group
	Find  func(ctx context.Context, t *Turn, cursor string) (page []Group, next string, err error)
	// Kinds are the lists of each group, by source.Stream.Kind.
	Kinds map[string]Lister
}

// Connection is one system with a credential. It is used by several goroutines, each stream by one at a time.
type Connection struct {
	plan Plan

	mu     sync.Mutex
	groups []Group
}

// Connect makes the connection of a plan.
func Connect(p Plan) *Connection { return &Connection{plan: p, groups: slices.Clone(p.Fixed)} }

// Name is the connection's.
func (c *Connection) Name() string { return c.plan.Name }

// Streams lists the list of groups, and the lists of the groups that are known.
func (c *Connection) Streams() []source.Stream {
	var streams []source.Stream
	if c.plan.Find != nil {
		streams = append(streams, source.Stream{Name: source.Repositories, Kind: source.Repositories, Every: max(c.plan.Every, time.Hour)})
	}
	for _, g := range c.Groups() {
		for _, kind := range []string{source.Changes, source.Runs} {
			if c.plan.Kinds[kind] != nil {
				streams = append(streams, source.Stream{Name: StreamOf(g.Fact, kind), Group: g.Fact, Kind: kind, Every: c.plan.Every})
			}
		}
	}
	return streams
}

// StreamOf is the name of a group's list.
func StreamOf(fact, kind string) string { return fact + "/" + kind }

// Groups are those that are known.
func (c *Connection) Groups() []Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.groups)
}

// FactOf is what a group is called in facts: as it was called when it was first seen. That it has another path now is
// remembered. One that took the name of a group that is called otherwise by now has its id added, so that the two are not one.
func (c *Connection) FactOf(id, path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, g := range c.groups {
		if id != "" && g.ID == id {
			c.groups[i].Path = path
			return g.Fact
		}
	}
	for _, g := range c.groups {
		if id != "" && g.ID != "" && g.Fact == path && g.Path != path {
			return path + "@" + id
		}
	}
	return path
}

// Recall takes a position that was saved in an earlier life: that of the list of groups says which there are.
func (c *Connection) Recall(stream, position string) error {
	if position == "" {
		return nil
	}
	if stream == source.Repositories {
		p, err := readPosition[found](stream, position)
		if err == nil && c.plan.Find != nil {
			c.remember(p.Groups)
		}
		return err
	}
	for kind, l := range c.plan.Kinds {
		if strings.HasSuffix(stream, "/"+kind) {
			return l.recall(stream, position)
		}
	}
	return nil
}

func (c *Connection) remember(groups []Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = slices.Clone(groups)
}

// Turn makes the source of one turn over a stream: news first, and then a part of the history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	t := &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond), stream: s.Name, position: position}
	if s.Name == source.Repositories && c.plan.Find != nil {
		t.read = c.find
		return t, nil
	}
	l, err := c.lister(s.Name, s.Group, s.Kind, t)
	if err != nil {
		return nil, err
	}
	t.read = l.read
	return t, nil
}

// Refresh makes a source that tells one thing of a list again: the subject is the thing's id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	kind := w.Stream[strings.LastIndexByte(w.Stream, '/')+1:]
	t := &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond), stream: w.Stream}
	l, err := c.lister(w.Stream, strings.TrimSuffix(w.Stream, "/"+kind), kind, t)
	if err != nil {
		return nil, err
	}
	if w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: no single thing is named that could be read again", w.Stream)
	}
	t.read = func(ctx context.Context, t *Turn) error { return l.refresh(ctx, t, w.Subject) }
	return t, nil
}

func (c *Connection) lister(stream, group, kind string, t *Turn) (Lister, error) {
	l := c.plan.Kinds[kind]
	if l == nil {
		return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", stream, c.plan.Name, kind)
	}
	for _, g := range c.Groups() {
		if g.Fact == group {
			t.Group = g
			return l, nil
		}
	}
	return nil, fault.New(fault.NotFound, "%s: %s is not among those that %s may read", stream, group, c.plan.Name)
}

// found is the position of the list of groups.
type found struct {
	V      int     `json:"v"`
	Groups []Group `json:"groups,omitempty"`
	Next   []Group `json:"next,omitempty"` // of the reading that goes on
	Cursor string  `json:"cursor,omitempty"`
}

func (f *found) version() *int { return &f.V }

// find reads which groups there are. One that is gone is read no more.
func (c *Connection) find(ctx context.Context, t *Turn) error {
	p, err := readPosition[found](t.stream, t.position)
	if err != nil {
		return err
	}
	for {
		page, next, err := c.plan.Find(ctx, t, p.Cursor)
		if err != nil {
			return err
		}
		for _, g := range page {
			if !slices.ContainsFunc(p.Next, func(other Group) bool { return other.Fact == g.Fact }) {
				p.Next = append(p.Next, g)
			}
		}
		if next != "" && next == p.Cursor {
			return fault.New(fault.Internal, "%s: the list leads from a page to the same page again", t.stream)
		}
		if p.Cursor = next; next == "" {
			p.Groups, p.Next = p.Next, nil
			t.move(&p)
			c.remember(p.Groups)
			t.report.Done, t.report.Total, t.report.Complete = int64(len(p.Groups)), int64(len(p.Groups)), true
			return nil
		}
		t.move(&p)
		if t.spent() {
			t.report.More = true
			return nil
		}
	}
}

// Turn reads one stream for a while.
type Turn struct {
	AsOf  time.Time
	Group Group // whose list it is

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

// Tell yields events, each of which is checked: one that intake would refuse is a fault.Invalid, which ends the turn.
func (t *Turn) Tell(events ...event.Event) error {
	for _, e := range events {
		if wrong := event.Validate(e); wrong != nil {
			return fault.Wrap(fault.Invalid, wrong, "%s: what was read makes no %s", t.stream, e.Kind())
		}
		if !t.yield(e, nil) {
			return errStopped
		}
	}
	return nil
}

// Judged counts the rule that a verdict names.
func (t *Turn) Judged(v rules.Verdict, example string) {
	if v.Rule == "" {
		return
	}
	if t.report.Rules == nil {
		t.report.Rules = map[string]source.Applied{}
	}
	a := t.report.Rules[v.Rule]
	a.N++
	a.Example = example
	t.report.Rules[v.Rule] = a
}

// Asked counts a request.
func (t *Turn) Asked() { t.requests++ }

// enough is how many requests a turn makes before it gives way to others.
const enough = 10

func (t *Turn) spent() bool { return t.requests >= enough }

// move makes p the turn's position. What was told before is covered by it.
func (t *Turn) move(p any) {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // positions are made of texts, numbers and instants
	}
	t.position = string(text)
}
