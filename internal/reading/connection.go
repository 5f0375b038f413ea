package reading

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
	"cairn/internal/turn"
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
		p, err := turn.Read[found](stream, position)
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
	if s.Name == source.Repositories && c.plan.Find != nil {
		return newTurn(s.Name, position, asOf, Group{}, c.find), nil
	}
	l, g, err := c.lister(s.Name, s.Group, s.Kind)
	if err != nil {
		return nil, err
	}
	return newTurn(s.Name, position, asOf, g, l.read), nil
}

// Refresh makes a source that tells one thing of a list again: the subject is the thing's id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	kind := w.Stream[strings.LastIndexByte(w.Stream, '/')+1:]
	l, g, err := c.lister(w.Stream, strings.TrimSuffix(w.Stream, "/"+kind), kind)
	if err != nil {
		return nil, err
	}
	if w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: no single thing is named that could be read again", w.Stream)
	}
	return newTurn(w.Stream, "", asOf, g, func(ctx context.Context, t *Turn) error { return l.refresh(ctx, t, w.Subject) }), nil
}

// lister is that of a kind, with the group whose list it reads.
func (c *Connection) lister(stream, group, kind string) (Lister, Group, error) {
	l := c.plan.Kinds[kind]
	if l == nil {
		return nil, Group{}, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", stream, c.plan.Name, kind)
	}
	for _, g := range c.Groups() {
		if g.Fact == group {
			return l, g, nil
		}
	}
	return nil, Group{}, fault.New(fault.NotFound, "%s: %s is not among those that %s may read", stream, group, c.plan.Name)
}

// found is the position of the list of groups.
type found struct {
	turn.Versioned
	Groups []Group `json:"groups,omitempty"`
	Next   []Group `json:"next,omitempty"` // of the reading that goes on
	Cursor string  `json:"cursor,omitempty"`
}

// find reads which groups there are. One that is gone is read no more.
func (c *Connection) find(ctx context.Context, t *Turn) error {
	p, err := turn.Read[found](t.Stream(), t.Position())
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
			return fault.New(fault.Internal, "%s: the list leads from a page to the same page again", t.Stream())
		}
		if p.Cursor = next; next == "" {
			p.Groups, p.Next = p.Next, nil
			t.Move(&p)
			c.remember(p.Groups)
			t.Progress.Done, t.Progress.Total, t.Progress.Complete = int64(len(p.Groups)), int64(len(p.Groups)), true
			return nil
		}
		t.Move(&p)
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
	}
}

// Turn reads one stream for a while.
type Turn struct {
	turn.Turn
	AsOf  time.Time
	Group Group // whose list it is
}

func newTurn(stream, position string, asOf time.Time, g Group, read func(ctx context.Context, t *Turn) error) *Turn {
	t := &Turn{AsOf: asOf.UTC().Truncate(time.Millisecond), Group: g}
	t.Turn = turn.New(stream, position, func(ctx context.Context) error { return read(ctx, t) })
	return t
}

// Judged counts the rule that a verdict names.
func (t *Turn) Judged(v rules.Verdict, example string) { t.Applied(v.Rule, example) }
