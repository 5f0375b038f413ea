package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"cairn/internal/event"
	"cairn/internal/source"
)

// Turn reads one stream for a while.
type Turn struct {
	c        *Connection
	stream   source.Stream
	kind     kind
	position string
	at       *position
	asOf     time.Time
	report   source.Report
	pages    int // of lists, in this turn

	// untold is what the states that were seen come to, by what identifies the fact: a state that was overwritten at once
	// is not told by itself.
	untold map[string]event.Event
	// went says that something is no longer remembered, so that the position has to move although nothing is told.
	went bool
}

// Stream names the stream.
func (t *Turn) Stream() string { return t.stream.Name }

// Position is where a later turn resumes.
func (t *Turn) Position() string { return t.position }

// Report says how the turn went.
func (t *Turn) Report() source.Report { return t.report }

// relist is how long a list is good for: once a day everything is looked at again, in case a watch has missed something.
const relist = 24 * time.Hour

// share is how many pages of lists a turn reads.
const share = 8

// Events reads: what has happened since the turn before, or a list where that cannot be known.
func (t *Turn) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		read := t.follow
		if t.stream.Name == source.Definitions {
			read = t.define
		}
		if err := read(ctx, func(e event.Event) bool { return yield(e, nil) }); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped says that no more events are wanted.
var errStopped = errors.New("stopped")

// define reads the definitions. They are kept only when all of them could be read: what is missing is then gone.
func (t *Turn) define(ctx context.Context, _ func(event.Event) bool) error {
	kinds, err := t.c.definitions(ctx)
	if err != nil {
		return err
	}
	t.c.know(kinds)
	t.position = text(defined{V: positionVersion, Kinds: kinds})
	t.report = source.Report{Done: int64(len(kinds)), Total: int64(len(kinds)), Complete: true}
	return nil
}

// follow goes on where the turn before ended.
func (t *Turn) follow(ctx context.Context, yield func(event.Event) bool) (err error) {
	p := t.at
	t.untold = map[string]event.Event{}
	defer func() {
		t.report.Done, t.report.Total, t.report.Complete = int64(len(p.Objects)), int64(len(p.Objects)), !p.Listing && p.Version != ""
		t.report.More = p.Listing
	}()
	version := p.Version
	if a := t.c.behind(t.stream.Name); a.position == t.position && a.version != "" {
		version = a.version
	}
	if version != "" && !p.Listing {
		err := t.watch(ctx, version)
		expired := errors.Is(err, errExpired)
		if err != nil && !expired && len(t.untold) == 0 {
			return err
		}
		t.learn()
		if !t.tell(yield, expired) {
			return errStopped
		}
		if err != nil && !expired {
			return err
		}
		if !expired && t.asOf.Sub(p.Listed) < relist {
			return nil
		}
	}
	return t.list(ctx, yield)
}

// watch takes in what has happened since a version. Up to an error the position covers it.
func (t *Turn) watch(ctx context.Context, version string) error {
	p := t.at
	p.Version = version
	return t.c.api.watch(ctx, t.kind.path(), version, func(ch change) error {
		o, err := readObject(ch.Object)
		if err != nil {
			return err
		}
		switch ch.Type {
		case added, modified:
			t.see(o, ch.Object)
		case deleted:
			t.see(o, ch.Object)
			t.gone(o.Metadata.UID)
		}
		if o.Metadata.ResourceVersion != "" {
			p.Version = o.Metadata.ResourceVersion
		}
		return nil
	})
}

// list goes on with a list, or begins one. Only a list that has come to its end says what is no longer there.
func (t *Turn) list(ctx context.Context, yield func(event.Event) bool) error {
	p := t.at
	for again := false; ; {
		if !p.Listing {
			p.Round++
			p.Listing, p.Next, p.Start, p.Listed = true, "", "", t.asOf
		}
		if t.pages++; t.pages > share {
			return nil
		}
		page, err := t.c.api.list(ctx, t.kind.path(), p.Next)
		if errors.Is(err, errExpired) && !again {
			again, p.Listing = true, false // from its beginning
			continue
		}
		if err != nil {
			return unavailable(err)
		}
		for _, item := range page.Items {
			o, err := readObject(item)
			if err != nil {
				return err
			}
			t.see(o, item)
		}
		if p.Start == "" {
			p.Start = page.Metadata.ResourceVersion
		}
		if p.Next = page.Metadata.Continue; p.Next == "" {
			for uid, k := range p.Objects {
				if k.Round != p.Round {
					t.gone(uid)
				}
			}
			p.Version, p.Listing, p.Start = p.Start, false, ""
		}
		t.learn()
		if !t.tell(yield, true) {
			return errStopped
		}
		if !p.Listing {
			return nil
		}
	}
}

// see takes in one state of an object.
func (t *Turn) see(o *object, text json.RawMessage) {
	p, uid := t.at, o.Metadata.UID
	if uid == "" || o.Metadata.CreationTimestamp.IsZero() {
		return // no object that a cluster keeps
	}
	k := p.Objects[uid]
	if k == nil {
		k = &known{}
	}
	k.Round = p.Round
	if t.kind.requests() {
		if k.Request == nil && !t.kind.counted(o) {
			return
		}
		r, out := t.c.naming.see(t.kind, k.Request, o)
		if out {
			return
		}
		if r != k.Request {
			k.Request = r
			t.request(uid, r)
		}
	} else {
		t.deployments(k, o, text)
	}
	p.Objects[uid] = k
}

// request has a request told.
func (t *Turn) request(uid string, r *request) {
	t.untold[uid] = t.c.fact(t.kind, uid, r)
}

// gone takes in that an object is no longer there. When it went is not known unless the object said so before: then it
// was just now.
func (t *Turn) gone(uid string) {
	p := t.at
	k := p.Objects[uid]
	if k == nil {
		return
	}
	if k.Request != nil && k.Request.Deleted.IsZero() {
		r := *k.Request
		r.Deleted = latest(t.asOf.UTC().Truncate(time.Millisecond), r.Requested)
		t.request(uid, &r)
	}
	delete(p.Objects, uid)
	t.went = true
}

// learn adds who asked, as far as the audit log has said it.
func (t *Turn) learn() {
	for uid, k := range t.at.Objects {
		if k.Request == nil || k.Request.Requester != "" {
			continue
		}
		if who, known := t.c.askers.Of(uid)[asked]; known {
			r := *k.Request
			t.c.naming.credit(&r, who)
			k.Request = &r
			t.request(uid, &r)
		}
	}
}

// tell yields what is to be told and moves the position behind it. While there is nothing to tell the position only moves
// when it must, or has not for long.
func (t *Turn) tell(yield func(event.Event) bool, must bool) bool {
	p := t.at
	for _, key := range slices.Sorted(maps.Keys(t.untold)) {
		if !yield(t.untold[key]) {
			return false
		}
	}
	if len(t.untold) == 0 && !must && !t.went && t.asOf.Sub(p.At) < rewrite {
		t.c.goAhead(t.stream.Name, ahead{t.position, p.Version})
		return true
	}
	clear(t.untold)
	t.went = false
	p.At = t.asOf
	t.position = text(p)
	return true
}

func (c *Connection) behind(stream string) ahead {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead[stream]
}

func (c *Connection) goAhead(stream string, a ahead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead[stream] = a
}
