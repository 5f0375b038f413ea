// Package alertmanager hears the webhooks of Prometheus' Alertmanager, and those of Grafana's alerting, which are alike. An alert is not an incident: labels say which is.
package alertmanager

import (
	"net/http"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. One of tokens and basic is needed: Alertmanager does not sign.
type Config struct {
	Name          string              `yaml:"name"`
	Tokens        []string            `yaml:"tokens" secret:"true"` // Authorization: Bearer
	Basic         hook.Basic          `yaml:"basic"`
	Incidents     map[string][]string `yaml:"incidents"`      // by label: patterns of which one has to fit, for every label
	ServiceLabels []string            `yaml:"service_labels"` // the first that an alert has
	Services      []rules.ServiceName `yaml:"services"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "alertmanager", ServiceLabels: []string{"service", "app", "job"}}
}

// Receiver hears the webhooks. It is safe for use from several goroutines.
type Receiver struct {
	cfg       Config
	scheme    *signature.Scheme
	incidents map[string]*rules.Names
	services  *rules.Names
}

// New makes a receiver. Without a rule, alerts with the severity critical or page are incidents. Errors are fault.Invalid.
func New(cfg Config, _ *rules.Rules) (*Receiver, error) {
	r := &Receiver{cfg: cfg, incidents: map[string]*rules.Names{}}
	var err error
	if r.scheme, err = (hook.Agreed{Bearer: cfg.Tokens, Basic: cfg.Basic}).Scheme("set tokens or basic"); err != nil {
		return nil, err
	}
	if r.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	wanted := cfg.Incidents
	if len(wanted) == 0 {
		wanted = map[string][]string{"severity": {"critical", "page"}}
	}
	for label, patterns := range wanted {
		var list []rules.ServiceName
		for _, pattern := range patterns {
			list = append(list, rules.ServiceName{Match: pattern, Service: "fits"})
		}
		if r.incidents[label], err = rules.Services("incidents."+label, list); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Verify says whether the request shows what was agreed: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Alertmanager sends no id.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	return hook.Describe(r.cfg.Name, "alerts", "", h, body)
}

// Hear tells the incidents of a group of alerts, each of which says whether it is over.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var group struct {
		Version string
		Alerts  []struct {
			Status, StartsAt, EndsAt, GeneratorURL, Fingerprint string
			Labels, Annotations                                 map[string]string
		}
	}
	if err := hook.Decode(d.Body, &group); err != nil {
		return source.Heard{}, err
	}
	if group.Version != "4" && group.Version != "1" { // Grafana's 1 has the same fields, and more
		return source.Heard{}, fault.New(fault.Invalid, "the payload is neither of version 4, as Alertmanager sends it, nor of version 1, as Grafana's alerting does")
	}
	var facts []event.Event
	for _, a := range group.Alerts {
		if !r.wants(a.Labels) {
			continue
		}
		starts, err := hook.Instant("startsAt", a.StartsAt)
		if err != nil {
			return source.Heard{}, err
		}
		ends, err := hook.Instant("endsAt", a.EndsAt)
		if err != nil {
			return source.Heard{}, err
		}
		if starts.IsZero() || a.Fingerprint == "" || a.Status == "resolved" && ends.IsZero() {
			return source.Heard{}, fault.New(fault.Invalid, "an alert has no startsAt or no fingerprint, or is over without endsAt")
		}
		var names []string
		for _, label := range r.cfg.ServiceLabels {
			names = append(names, a.Labels[label])
		}
		service := r.services.Or(names...)
		if _, left := r.services.Of(names...); left && service == "" {
			continue
		}
		// The address of the rule is empty when the alert is over, so it is not told.
		fact := &event.Incident{
			ID: a.Fingerprint + "-" + starts.Format("20060102T150405.000Z"), Service: service, Severity: a.Labels["severity"],
			Title: a.Annotations["summary"], StartedAt: starts, DetectedAt: starts,
		}
		if fact.Title == "" {
			fact.Title = a.Labels["alertname"]
		}
		if fact.UpdatedAt = starts; a.Status == "resolved" {
			fact.RestoredAt, fact.ResolvedAt, fact.UpdatedAt = ends, ends, ends
		}
		facts = append(facts, fact)
	}
	if len(facts) == 0 {
		return source.Heard{Ignored: "alerts that are no incidents by the rules"}, nil
	}
	return hook.Told(r.cfg.Name, facts...)
}

func (r *Receiver) wants(labels map[string]string) bool {
	for label, patterns := range r.incidents {
		if _, fits := patterns.Of(labels[label]); !fits {
			return false
		}
	}
	return true
}
