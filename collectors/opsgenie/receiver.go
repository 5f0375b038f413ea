package opsgenie

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// ignoredAlert is the reason to ignore a delivery.
const ignoredAlert = "an alert that is no incident by the rules"

// alert is an alert as it was when something was done to it.
type alert struct {
	AlertID, Message, Entity string
	Priority                 priority
	Tags                     []string
	Details                  details
	CreatedAt, UpdatedAt     number

	at     time.Time // when it was done
	action string
}

// priority is P1 to P5, which some webhooks write as a number.
type priority string

// UnmarshalJSON implements json.Unmarshaler.
func (p *priority) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if n, err := strconv.Atoi(text); err == nil {
		text = "P" + strconv.Itoa(n)
	}
	if text != "null" {
		*p = priority(text)
	}
	return nil
}

// details are an alert's own keys; where they are no object, there are none.
type details map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (d *details) UnmarshalJSON(raw []byte) error {
	var known map[string]any
	if json.Unmarshal(raw, &known) == nil {
		*d = known
	}
	return nil
}

// number is an instant of a webhook: milliseconds or nanoseconds since 1970, as a number or a text.
type number string

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	*n = number(strings.Trim(string(text), `"`))
	return nil
}

func (n number) instant(field string) (time.Time, error) {
	if n == "" || n == "null" {
		return time.Time{}, nil
	}
	count, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || count < 0 {
		return time.Time{}, fault.New(fault.Invalid, "%s is no number of milliseconds since 1970", field)
	}
	if count >= 1e16 { // which as milliseconds would be in 300 thousand years
		count /= 1e6
	}
	at := time.UnixMilli(count).UTC()
	if at.Year() > 2105 {
		return time.Time{}, fault.New(fault.Invalid, "%s is no number of milliseconds since 1970", field)
	}
	return at, nil
}

// Verify says whether the request shows what was agreed: nil, or fault.Denied.
func (c *Incidents) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Opsgenie sends no id.
func (c *Incidents) Describe(h http.Header, body []byte) source.Delivery {
	var p struct{ Action string }
	_ = json.Unmarshal(body, &p) // Hear says what is wrong with it
	return hook.Describe(c.cfg.Name, p.Action, "", h, body)
}

// What is remembered of an alert, beside each acknowledgement.
const (
	state        = "state" // the latest
	closed       = "Close"
	deleted      = "Delete"
	acknowledged = "Acknowledge"
)

// Joins says that what is done to alerts is put together: what is heard depends on what was heard before.
func (c *Incidents) Joins() bool { return true }

// Hear tells what was done to an alert that is an incident. One that belongs to an incident of Opsgenie has that read again.
func (c *Incidents) Hear(d source.Delivery) (source.Heard, error) {
	var p struct {
		Action string
		Alert  alert
	}
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	a := p.Alert
	if p.Action == "" || a.AlertID == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no action or no alert.alertId, as webhooks of Opsgenie have")
	}
	if id, ok := a.Details["incident-id"].(string); ok && id != "" && c.cfg.Reads() {
		return source.Heard{Wakes: []source.Wake{{Stream: source.Incidents, Subject: id}}}, nil
	}
	created, err := a.CreatedAt.instant("alert.createdAt")
	if err != nil {
		return source.Heard{}, err
	}
	if a.at, err = a.UpdatedAt.instant("alert.updatedAt"); err != nil {
		return source.Heard{}, err
	}
	if created.IsZero() || a.at.IsZero() {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no alert.createdAt or no alert.updatedAt")
	}
	a.action = p.Action
	parts := c.memory.Join(a.AlertID, state, a.at, a)
	switch a.action {
	case closed, deleted:
		parts = c.memory.Join(a.AlertID, a.action, a.at, a)
	case acknowledged:
		parts = c.memory.Join(a.AlertID, acknowledged+a.at.Format(time.RFC3339Nano), a.at, a)
	}
	now := parts[state]
	if _, fits := c.alerts.Of(append([]string{string(now.Priority)}, now.Tags...)...); !fits {
		return source.Heard{Ignored: ignoredAlert}, nil
	}
	f := &event.Incident{ID: now.AlertID, Title: now.Message, Severity: string(now.Priority), StartedAt: created, DetectedAt: created}
	for name, part := range parts {
		if strings.HasPrefix(name, acknowledged) && (f.AcknowledgedAt.IsZero() || part.at.Before(f.AcknowledgedAt)) {
			f.AcknowledgedAt = part.at
		}
	}
	var names []string
	for _, key := range c.cfg.ServiceDetails {
		if name, ok := now.Details[key].(string); ok && name != "" {
			names = append(names, name)
			break
		}
	}
	service, fits := c.services.Of(append(append(names, now.Entity), now.Tags...)...)
	if f.Service = service; !fits && len(names) > 0 {
		f.Service = names[0]
	}
	if end, over := parts[closed]; over {
		f.RestoredAt, f.ResolvedAt = end.at, end.at
	} else if _, gone := parts[deleted]; gone {
		hook.Withdraw(f)
	}
	if fits && service == "" {
		hook.LeaveOut(f)
	}
	f.UpdatedAt = hook.At(now.at, len(parts), most)
	return hook.Told(c.cfg.Name, f)
}

// most is how many parts of an alert tell apart whether more or less of it is known.
const most = 8
