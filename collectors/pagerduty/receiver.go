package pagerduty

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (c *Incidents) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request.
func (c *Incidents) Describe(h http.Header, body []byte) source.Delivery {
	var p payload
	_ = json.Unmarshal(body, &p) // Hear says what is wrong with it
	id := h.Get("X-Webhook-Id")
	if id == "" {
		id = p.Event.ID
	}
	return hook.Describe(c.cfg.Name, p.Event.Type, id, h, body, "X-Webhook-Id", "X-Webhook-Subscription")
}

type payload struct{ Event happened }

// happened is something that happened, with what it happened to, or what was added to it.
type happened struct {
	ID         string
	Type       string `json:"event_type"`
	OccurredAt string `json:"occurred_at"`
	Data       json.RawMessage
}

// occurrence is something that happened to an incident, with the incident as it was then.
type occurrence struct {
	Type string
	Data incident
	at   time.Time
}

// ignoredOther is the reason to ignore a delivery.
const ignoredOther = "an event that is not about an incident itself"

// What is remembered of an incident, beside each acknowledgement.
const (
	state        = "state" // the latest
	acknowledged = "incident.acknowledged"
	ended        = "incident.resolved"
	// most is how many of these tell apart whether more or less of an incident is known.
	most = 8
)

// Joins says whether deliveries are put together: without a key, with which incidents are read.
func (c *Incidents) Joins() bool { return !c.cfg.Reads() }

// Hear tells what a delivery means, or has its incident read again where that is possible. An error, a fault.Invalid, says
// that it cannot be understood.
func (c *Incidents) Hear(d source.Delivery) (source.Heard, error) {
	var p payload
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	// Notes, responders, services and the like have fields of the same names and other forms.
	var data struct{ Type string }
	switch err := json.Unmarshal(p.Event.Data, &data); {
	case p.Event.Type == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event.event_type: webhooks of the third version have one")
	case !strings.HasPrefix(p.Event.Type, "incident."), err == nil && data.Type != "incident":
		return source.Heard{Ignored: ignoredOther}, nil
	}
	e := occurrence{Type: p.Event.Type}
	if err := hook.Decode(p.Event.Data, &e.Data); err != nil {
		return source.Heard{}, err
	}
	var err error
	if e.at, err = hook.Instant("event.occurred_at", p.Event.OccurredAt); err != nil {
		return source.Heard{}, err
	}
	if e.at.IsZero() || e.Data.ID == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event.occurred_at or event.data.id")
	}
	if c.cfg.Reads() {
		return source.Heard{Wakes: []source.Wake{{Stream: source.Incidents, Subject: e.Data.ID}}}, nil
	}
	parts := c.memory.Join(e.Data.ID, state, e.at, e)
	switch e.Type {
	case acknowledged:
		parts = c.memory.Join(e.Data.ID, acknowledged+e.at.Format(time.RFC3339Nano), e.at, e)
	case ended:
		parts = c.memory.Join(e.Data.ID, ended, e.at, e)
	}
	now := parts[state]
	known := history{ended: now.at}
	if now.Type == "incident.triggered" {
		known.began = now.at // older webhooks do not say
	}
	if end, ok := parts[ended]; ok {
		known.ended = end.at
	}
	for name, part := range parts {
		if strings.HasPrefix(name, acknowledged) && (known.acknowledged.IsZero() || part.at.Before(known.acknowledged)) {
			known.acknowledged = part.at
		}
	}
	fact, err := c.fact(now.Data, known)
	if err != nil {
		return source.Heard{}, err
	}
	fact.UpdatedAt = hook.At(now.at, len(parts), most)
	return hook.Told(c.cfg.Name, fact)
}
