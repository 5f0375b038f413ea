// Package pagerduty hears the third version of PagerDuty's webhooks: incidents, from being triggered to being resolved.
package pagerduty

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection.
type Config struct {
	Name           string              `yaml:"name"`
	WebhookSecrets []string            `yaml:"webhook_secrets" secret:"true"`
	Services       []rules.ServiceName `yaml:"services"` // by the id or the name of PagerDuty's service
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "pagerduty"} }

// Receiver hears the webhooks. It is safe for use from several goroutines.
type Receiver struct {
	name     string
	scheme   *signature.Scheme
	services *rules.Names
	memory   *hook.Memory[occurrence]
}

// New makes a receiver. The rules of forges say nothing about incidents of PagerDuty. Errors are fault.Invalid.
func New(cfg Config, _ *rules.Rules) (*Receiver, error) {
	scheme, err := signature.PagerDuty(cfg.WebhookSecrets...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
	}
	services, err := rules.Services("services", cfg.Services)
	if err != nil {
		return nil, err
	}
	return &Receiver{cfg.Name, scheme, services, hook.NewMemory[occurrence](20_000)}, nil
}

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	var p payload
	_ = json.Unmarshal(body, &p) // Hear says what is wrong with it
	id := h.Get("X-Webhook-Id")
	if id == "" {
		id = p.Event.ID
	}
	return hook.Describe(r.name, p.Event.Type, id, h, body, "X-Webhook-Id", "X-Webhook-Subscription")
}

type payload struct{ Event occurrence }

// occurrence is something that happened to an incident, with the incident as it was then.
type occurrence struct {
	ID         string
	Type       string `json:"event_type"`
	OccurredAt string `json:"occurred_at"`
	Data       struct {
		ID, Type, Status, Title, Urgency string
		URL                              string `json:"html_url"`
		CreatedAt                        string `json:"created_at"`
		Service, Priority                *struct{ ID, Summary string }
		ResolveReason                    *struct{ Type string } `json:"resolve_reason"`
	}
	at time.Time
}

// Reasons to ignore a delivery.
const (
	ignoredOther = "an event that is not about an incident itself"
	ignoredName  = "a service that is left out"
)

// What is remembered of an incident.
const (
	state        = "state" // the latest
	acknowledged = "incident.acknowledged"
	ended        = "incident.resolved"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var p payload
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	e := p.Event
	switch {
	case e.Type == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event.event_type: webhooks of the third version have one")
	case !strings.HasPrefix(e.Type, "incident.") || e.Data.Type != "incident":
		return source.Heard{Ignored: ignoredOther}, nil
	}
	var err error
	if e.at, err = hook.Instant("event.occurred_at", e.OccurredAt); err != nil {
		return source.Heard{}, err
	}
	if e.at.IsZero() || e.Data.ID == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no event.occurred_at or event.data.id")
	}
	parts := r.memory.Join(e.Data.ID, state, e.at, e)
	if e.Type == acknowledged || e.Type == ended {
		parts = r.memory.Join(e.Data.ID, e.Type, e.at, e)
	}
	now := parts[state]
	fact := &event.Incident{ID: e.Data.ID, Title: now.Data.Title, URL: now.Data.URL, AcknowledgedAt: parts[acknowledged].at}
	if fact.StartedAt, err = hook.Instant("event.data.created_at", now.Data.CreatedAt); err != nil {
		return source.Heard{}, err
	}
	if fact.StartedAt.IsZero() && now.Type == "incident.triggered" {
		fact.StartedAt = now.at // older webhooks do not say
	}
	if s := now.Data.Service; s != nil {
		if fact.Service = r.services.Or(s.Summary, s.ID); fact.Service == "" {
			return source.Heard{Ignored: ignoredName}, nil
		}
		if named, fits := r.services.Of(s.ID); fits {
			if fact.Service = named; named == "" {
				return source.Heard{Ignored: ignoredName}, nil
			}
		}
	}
	if fact.Severity = now.Data.Urgency; now.Data.Priority != nil && now.Data.Priority.Summary != "" {
		fact.Severity = now.Data.Priority.Summary
	}
	if now.Data.Status == "resolved" {
		end := now.at
		if known, ok := parts[ended]; ok {
			end = known.at
		}
		fact.RestoredAt, fact.ResolvedAt = end, end
		if reason := now.Data.ResolveReason; reason != nil && strings.HasPrefix(reason.Type, "merge") {
			// It goes on as another incident. A fact cannot be taken back: it becomes one that no service's number counts.
			fact.Service, fact.Severity, fact.Cause = "", "", "external"
			fact.RestoredAt, fact.ResolvedAt = fact.StartedAt, fact.StartedAt
		}
	}
	fact.UpdatedAt = hook.At(now.at, len(parts), 3)
	return hook.Told(r.name, fact)
}
