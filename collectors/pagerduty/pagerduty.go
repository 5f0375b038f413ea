// Package pagerduty collects the incidents of PagerDuty, from being triggered to being resolved: it reads the list of
// incidents, and hears the third version of the webhooks. With a key a webhook only has its incident read again, so that
// one place knows all of it; without one, what was heard is put together.
package pagerduty

import (
	"net/http"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. Without an API key nothing is read, without secrets no webhooks are heard.
type Config struct {
	Name           string              `yaml:"name"`
	URL            string              `yaml:"url"` // https://api.eu.pagerduty.com for accounts in the EU
	APIKey         string              `yaml:"api_key" secret:"true"`
	WebhookSecrets []string            `yaml:"webhook_secrets" secret:"true"`
	Every          time.Duration       `yaml:"every"`    // how long news may wait without a webhook
	Since          time.Time           `yaml:"since"`    // how far back history is read; zero: all of it
	Services       []rules.ServiceName `yaml:"services"` // by the id or the name of PagerDuty's service
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "pagerduty", URL: "https://api.pagerduty.com", Every: 15 * time.Minute}
}

// Reads says whether there is a key to read with.
func (cfg Config) Reads() bool { return cfg.APIKey != "" }

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool { return len(cfg.WebhookSecrets) > 0 }

// NewCredential makes what adds the key to requests.
func NewCredential(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(cfg.APIKey, " \t\r\n") {
		return nil, fault.New(fault.Invalid, "api_key has white space in it: it is one word")
	}
	value := ""
	if cfg.APIKey != "" {
		value = "Token token=" + cfg.APIKey
	}
	return &rest.Credential{Header: "Authorization", Value: value, At: at, Next: next}, nil
}

// Incidents reads and hears the incidents of one account. It is safe for use from several goroutines.
type Incidents struct {
	*feed.Connection
	cfg      Config
	scheme   *signature.Scheme // nil: webhooks are not heard
	services *rules.Names
	memory   *hook.Memory[occurrence]
	api      rest.API
}

// New makes a connection. Errors are fault.Invalid.
func New(cfg Config, client *http.Client) (*Incidents, error) {
	switch {
	case !cfg.Reads() && !cfg.Hears():
		return nil, fault.New(fault.Invalid, "neither api_key nor webhook_secrets is given: nothing could be read or heard")
	case cfg.Every < time.Minute:
		return nil, fault.New(fault.Invalid, "every is %s: give a minute or more", cfg.Every)
	}
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &Incidents{
		cfg: cfg, memory: hook.NewMemory[occurrence](20_000),
		api: rest.API{Name: cfg.Name, System: "PagerDuty", Key: "key", Base: at, Client: client, Accept: "application/vnd.pagerduty+json;version=2", Needs: "to be a key of the whole account, read-only is enough"},
	}
	if c.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if cfg.Hears() {
		if c.scheme, err = signature.PagerDuty(cfg.WebhookSecrets...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
		}
	}
	c.Connection = feed.Connect(cfg.Name, source.Stream{Name: source.Incidents, Kind: source.Incidents, Every: cfg.Every}, c.list())
	return c, nil
}

// incident is an incident as it stands in answers and in webhooks, which have less of it.
type incident struct {
	ID, Type, Status, Title, Urgency string
	URL                              string `json:"html_url"`
	CreatedAt                        string `json:"created_at"`
	UpdatedAt                        string `json:"updated_at"`            // not in webhooks
	StatusChangedAt                  string `json:"last_status_change_at"` // not in webhooks
	ResolvedAt                       string `json:"resolved_at"`           // not in webhooks, and null on older accounts
	Service, Priority                *struct{ ID, Summary string }
	ResolveReason                    *struct{ Type string } `json:"resolve_reason"`
}

// history is what has happened to an incident.
type history struct {
	began        time.Time // where the incident does not say
	acknowledged time.Time // for the first time
	ended        time.Time // for the last time
}

// fact is what an incident means. UpdatedAt is the caller's.
func (c *Incidents) fact(i incident, h history) (*event.Incident, error) {
	f := &event.Incident{ID: i.ID, Title: i.Title, URL: i.URL, AcknowledgedAt: second(h.acknowledged)}
	f.Source = c.cfg.Name
	var err error
	if f.StartedAt, err = hook.Instant("created_at of the incident", i.CreatedAt); err != nil {
		return nil, err
	}
	if f.StartedAt.IsZero() {
		f.StartedAt = h.began
	}
	f.StartedAt = second(f.StartedAt)
	if f.Service, err = c.service(i); err != nil {
		hook.LeaveOut(f)
		return f, nil
	}
	if f.Severity = i.Urgency; i.Priority != nil && i.Priority.Summary != "" {
		f.Severity = i.Priority.Summary
	}
	if i.Status == "resolved" {
		end := second(h.ended)
		f.RestoredAt, f.ResolvedAt = end, end
		if i.ResolveReason != nil && strings.HasPrefix(i.ResolveReason.Type, "merge") {
			hook.Withdraw(f) // it goes on as another incident
		}
	}
	return f, nil
}

// second is an instant as the API gives it: webhooks have milliseconds, and tell the same with less.
func second(at time.Time) time.Time { return at.Truncate(time.Second) }

// errLeftOut says that a rule leaves a service out.
var errLeftOut = fault.New(fault.NotFound, "the service is left out")

// service is the one that an incident belongs to: by a rule on its id, then by one on its name, then its name.
func (c *Incidents) service(i incident) (string, error) {
	if i.Service == nil {
		return "", nil
	}
	name, fits := c.services.Of(i.Service.ID)
	if !fits {
		name = c.services.Or(i.Service.Summary, i.Service.ID)
	}
	if name == "" && (i.Service.ID != "" || i.Service.Summary != "") {
		return "", errLeftOut
	}
	return name, nil
}
