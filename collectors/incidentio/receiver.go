package incidentio

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Reasons to ignore a delivery.
const (
	ignoredOther   = "an event that is not about an incident itself"
	ignoredPrivate = "a private incident, of which only the id is sent"
)

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (c *Incidents) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request.
func (c *Incidents) Describe(h http.Header, body []byte) source.Delivery {
	var p struct {
		Type string `json:"event_type"`
	}
	_ = json.Unmarshal(body, &p) // Hear says what is wrong with it
	return hook.Describe(c.cfg.Name, p.Type, cmp.Or(h.Get("Webhook-Id"), h.Get("Svix-Id")), h, body, "Webhook-Id", "Webhook-Timestamp", "Svix-Id", "Svix-Timestamp")
}

// Hear tells the incident of a delivery, which has it whole; a private one it has read again.
func (c *Incidents) Hear(d source.Delivery) (source.Heard, error) {
	var payload map[string]json.RawMessage
	if err := hook.Decode(d.Body, &payload); err != nil {
		return source.Heard{}, err
	}
	var kind string
	if err := json.Unmarshal(payload["event_type"], &kind); err != nil || kind == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event_type, as webhooks of incident.io have")
	}
	whose, what, _ := strings.Cut(kind, ".")
	if whose != "public_incident" && whose != "private_incident" || !strings.HasPrefix(what, "incident_") {
		return source.Heard{Ignored: ignoredOther}, nil
	}
	var content struct {
		ID       string
		Incident *struct{ ID string } // of a change of status
	}
	if err := hook.Decode(payload[kind], &content); err != nil {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has nothing under %q, where the incident stands", kind)
	}
	if whose == "private_incident" {
		id := content.ID
		if content.Incident != nil {
			id = content.Incident.ID
		}
		switch {
		case id == "":
			return source.Heard{}, fault.New(fault.Invalid, "the payload has no id of the private incident")
		case !c.cfg.Reads():
			return source.Heard{Ignored: ignoredPrivate}, nil
		}
		return source.Heard{Wakes: []source.Wake{{Stream: source.Incidents, Subject: id}}}, nil
	}
	if !strings.HasSuffix(what, "_v2") {
		return source.Heard{}, fault.New(fault.Invalid, "the event is of a version that is not known: subscribe to those that end in _v2")
	}
	text := payload[kind]
	if content.Incident != nil {
		var changed struct{ Incident json.RawMessage }
		if err := hook.Decode(text, &changed); err != nil {
			return source.Heard{}, err
		}
		text = changed.Incident
	}
	var i incident
	if err := hook.Decode(text, &i); err != nil {
		return source.Heard{}, err
	}
	fact, ignored, err := c.fact(i)
	if err != nil || fact == nil {
		return source.Heard{Ignored: ignored}, err
	}
	return hook.Told(c.cfg.Name, fact)
}
