package kubernetes

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Receiver hears the audit log of the cluster, the only one that knows who asked. It is safe for use from several
// goroutines.
//
// Who asked belongs into the request's fact, which the stream of the request's kind tells. The receiver keeps it in mind
// for the stream, which keeps it in its position, and wakes that; and it tells the request as it was when it was asked
// for, since it has the whole object. What is told later of it and knows who asked replaces that.
type Receiver struct{ c *Connection }

// Receiver returns what hears the audit log; nil without a token.
func (c *Connection) Receiver() *Receiver {
	if c.audit == nil {
		return nil
	}
	return &Receiver{c}
}

// Verify says whether the request carries one of the tokens: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.c.audit.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. A batch has no id: its body identifies it.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	return hook.Describe(r.c.cfg.Name, "audit", "", h, body)
}

// asker is who asked for an object.
type asker struct {
	Who    string
	Groups []string
}

// asked is the part of an object that the memory keeps.
const asked = "asked"

// user is one of the audit log.
type user struct {
	Username string
	Groups   []string
}

// audited is an event of the audit log.
type audited struct {
	Stage, Verb, RequestURI string
	User                    user
	ImpersonatedUser        *user
	ObjectRef               *struct{ Resource, Namespace, Name, APIGroup, Subresource string }
	ResponseStatus          *struct{ Code int }
	ResponseObject          json.RawMessage
	ReceivedAt              string `json:"requestReceivedTimestamp"`
}

// Reasons to ignore a batch, from that which says least.
const (
	ignoredEmpty    = "an empty batch"
	ignoredOther    = "nothing was asked for or taken away"
	ignoredKind     = "no kind of object that is a request"
	ignoredShort    = "the audit level is below RequestResponse, so that it is not known which object was made"
	ignoredUncalled = "a part of something else, a rehearsal, or left out by a rule"
)

// Joins says that who asked is remembered for the reading of what was asked for.
func (r *Receiver) Joins() bool { return true }

// Hear tells what a batch means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var batch struct {
		Kind  string
		Items []audited
	}
	if err := hook.Decode(d.Body, &batch); err != nil {
		return source.Heard{}, err
	}
	if batch.Kind != "EventList" {
		return source.Heard{}, fault.New(fault.Invalid, "the payload is no EventList: the webhook is for the audit log of Kubernetes")
	}
	c := r.c
	var facts []event.Event
	var wakes []source.Wake
	woken := map[string]bool{}
	wake := func(stream string) {
		if !woken[stream] {
			woken[stream] = true
			wakes = append(wakes, source.Wake{Stream: stream})
		}
	}
	why, rank := ignoredEmpty, 0
	ignore := func(reason string, n int) {
		if n > rank {
			why, rank = reason, n
		}
	}
	for _, e := range batch.Items {
		made, counts := e.counts()
		if !counts {
			ignore(ignoredOther, 1)
			continue
		}
		if e.ObjectRef.APIGroup == crossplaneGroup && e.ObjectRef.Resource == compositeKinds || e.ObjectRef.APIGroup == kratixGroup && e.ObjectRef.Resource == promises {
			wake(source.Definitions)
			continue
		}
		k, known := c.requested(e.ObjectRef.APIGroup, e.ObjectRef.Resource)
		if !made {
			if known {
				wake(k.stream().Name)
			} else {
				ignore(ignoredKind, 2)
			}
			continue
		}
		o, err := readObject(e.ResponseObject)
		if err != nil || o.Metadata.UID == "" {
			ignore(ignoredShort, 3)
			continue
		}
		at, err := hook.Instant("requestReceivedTimestamp", e.ReceivedAt)
		if err != nil {
			return source.Heard{}, err
		}
		who := e.asker()
		if who.Who != "" && strings.Contains(e.ObjectRef.APIGroup, ".") { // it may be of a kind that was defined a moment ago
			c.askers.Join(o.Metadata.UID, asked, at, who)
		}
		if !known {
			ignore(ignoredKind, 2)
			continue
		}
		if o.Metadata.CreationTimestamp.IsZero() || !k.counted(o) {
			ignore(ignoredUncalled, 4)
			continue
		}
		request, out := c.naming.see(k, nil, o)
		if out {
			ignore(ignoredUncalled, 4)
			continue
		}
		c.naming.credit(request, who)
		facts = append(facts, c.fact(k, o.Metadata.UID, request))
		wake(k.stream().Name)
	}
	heard, err := hook.Told(c.cfg.Name, facts...)
	if err != nil {
		return source.Heard{}, err
	}
	if heard.Wakes = wakes; len(facts)+len(wakes) == 0 {
		heard.Ignored = why
	}
	return heard, nil
}

// requested finds a kind of requests.
func (c *Connection) requested(group, resource string) (kind, bool) {
	for _, k := range c.known() {
		if k.Group == group && k.Resource == resource && k.requests() {
			return k, true
		}
	}
	return kind{}, false
}

// counts says whether an event made an object, or took one away. An object may be made by applying it, which is a patch.
func (e audited) counts() (made, counts bool) {
	if e.Stage != "ResponseComplete" || e.ObjectRef == nil || e.ObjectRef.Subresource != "" || e.ResponseStatus == nil || e.rehearsed() {
		return false, false
	}
	code := e.ResponseStatus.Code
	switch e.Verb {
	case "create", "patch", "update":
		return true, code == http.StatusCreated
	case "delete", "deletecollection":
		return false, code/100 == 2
	}
	return false, false
}

// rehearsed says whether nothing was to be done in earnest.
func (e audited) rehearsed() bool {
	_, query, _ := strings.Cut(e.RequestURI, "?")
	values, err := url.ParseQuery(query)
	return err == nil && values.Has("dryRun")
}

// asker is who asked: whom a portal acted for, if it said so.
func (e audited) asker() asker {
	of := e.User
	if e.ImpersonatedUser != nil && e.ImpersonatedUser.Username != "" {
		of = *e.ImpersonatedUser
	}
	return asker{of.Username, of.Groups}
}

// credit adds who asked to a request, and the team by its groups where nothing else says it.
func (n naming) credit(r *request, who asker) {
	if r.Requester == "" {
		r.Requester = who.Who
	}
	if r.Team == "" {
		r.Team, _ = n.teams.Of(who.Groups...)
	}
}
