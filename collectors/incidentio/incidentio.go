// Package incidentio collects the incidents of incident.io: it hears webhooks, and reads the list of incidents, by which
// history comes and what webhooks do not tell: of a private incident they have only the id.
package incidentio

import (
	"net/http"
	"slices"
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
	URL            string              `yaml:"url"`
	APIKey         string              `yaml:"api_key" secret:"true"`
	WebhookSecrets []string            `yaml:"webhook_secrets" secret:"true"`
	Every          time.Duration       `yaml:"every"`          // how long news may wait without a webhook
	Since          time.Time           `yaml:"since"`          // how far back history is read; zero: all of it
	ServiceFields  []string            `yaml:"service_fields"` // names of custom fields that name the service: the first that has a value
	Timestamps     Timestamps          `yaml:"timestamps"`
	Services       []rules.ServiceName `yaml:"services"`
}

// Timestamps are names of incident.io's timestamps, without "at" at the end. Of each list the first that has a value counts.
type Timestamps struct {
	Started      []string `yaml:"started"`
	Detected     []string `yaml:"detected"`
	Acknowledged []string `yaml:"acknowledged"`
	Restored     []string `yaml:"restored"`
	Resolved     []string `yaml:"resolved"`
}

// DefaultConfig returns the settings that hold when nothing is said: the timestamps that incident.io sets by itself.
func DefaultConfig() Config {
	return Config{
		Name: "incidentio", URL: "https://api.incident.io", Every: 15 * time.Minute,
		ServiceFields: []string{"Service", "Services", "Affected service", "Affected services"},
		Timestamps: Timestamps{
			Started:      []string{"Impact started", "Started"},
			Detected:     []string{"Detected", "Reported"},
			Acknowledged: []string{"Acknowledged", "Accepted"},
			Restored:     []string{"Impact ended", "Mitigated", "Fixed", "Resolved"},
			Resolved:     []string{"Resolved", "Closed"},
		},
	}
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
		value = "Bearer " + cfg.APIKey
	}
	return &rest.Credential{Header: "Authorization", Value: value, At: at, Next: next}, nil
}

// Incidents reads and hears the incidents of one account. It is safe for use from several goroutines.
type Incidents struct {
	*feed.Connection
	cfg      Config
	scheme   *signature.Scheme // nil: webhooks are not heard
	services *rules.Names
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
	c := &Incidents{cfg: cfg, api: rest.API{Name: cfg.Name, System: "incident.io", Key: "key", Base: at, Client: client, Needs: "the permission to view data, such as public incidents"}}
	if c.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if cfg.Hears() {
		if c.scheme, err = signature.Standard(cfg.WebhookSecrets...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
		}
	}
	c.Connection = feed.Connect(cfg.Name, source.Stream{Name: source.Incidents, Kind: source.Incidents, Every: cfg.Every}, c.list())
	return c, nil
}

// incident is an incident of the second version of the API, as it stands in answers and in webhooks.
type incident struct {
	ID, Name, Permalink, Mode string
	CreatedAt                 string                    `json:"created_at"`
	UpdatedAt                 string                    `json:"updated_at"`
	Status                    struct{ Category string } `json:"incident_status"`
	Severity                  *struct{ Name string }
	CustomFields              []struct {
		Field  struct{ Name string } `json:"custom_field"`
		Values []struct {
			Entry *struct {
				Name       string
				ExternalID string `json:"external_id"`
			} `json:"value_catalog_entry"`
			Option *struct{ Value string } `json:"value_option"`
			Text   string                  `json:"value_text"`
		}
	} `json:"custom_field_entries"`
	Timestamps []struct {
		Timestamp struct{ Name string } `json:"incident_timestamp"`
		Value     *struct{ Value string }
	} `json:"incident_timestamp_values"`
}

// Categories of statuses. What is not named here, such as live and paused, goes on.
var (
	over    = []string{"learning", "closed"}
	nothing = []string{"declined", "canceled", "merged"} // it was no incident, or goes on as another one
)

// Reasons to ignore an incident.
const (
	ignoredTest   = "an incident of a test or a tutorial"
	ignoredTriage = "an incident that is not accepted yet"
)

// fact is what an incident means; nil with a reason when it is none of ours.
func (c *Incidents) fact(i incident) (*event.Incident, string, error) {
	if i.ID == "" || i.Status.Category == "" {
		return nil, "", fault.New(fault.Invalid, "the incident has no id or no incident_status.category")
	}
	switch {
	case i.Mode == "test" || i.Mode == "tutorial":
		return nil, ignoredTest, nil
	case i.Status.Category == "triage":
		return nil, ignoredTriage, nil
	}
	f := &event.Incident{ID: i.ID, Title: i.Name, URL: i.Permalink}
	f.Source = c.cfg.Name
	var err error
	if f.UpdatedAt, err = hook.Instant("updated_at", i.UpdatedAt); err != nil {
		return nil, "", err
	}
	created, err := hook.Instant("created_at", i.CreatedAt)
	if err != nil {
		return nil, "", err
	}
	if f.UpdatedAt.IsZero() || created.IsZero() {
		return nil, "", fault.New(fault.Invalid, "the incident has no created_at or no updated_at")
	}
	if i.Severity != nil {
		f.Severity = i.Severity.Name
	}
	isOver := slices.Contains(over, i.Status.Category)
	restored := c.cfg.Timestamps.Restored
	if !isOver { // what was set when it was resolved before it was reopened holds no longer
		restored = slices.DeleteFunc(slices.Clone(restored), func(name string) bool {
			return slices.ContainsFunc(c.cfg.Timestamps.Resolved, func(other string) bool { return plain(name) == plain(other) })
		})
	}
	for _, field := range []struct {
		to    *time.Time
		names []string
	}{
		{&f.StartedAt, c.cfg.Timestamps.Started}, {&f.DetectedAt, c.cfg.Timestamps.Detected}, {&f.AcknowledgedAt, c.cfg.Timestamps.Acknowledged},
		{&f.RestoredAt, restored}, {&f.ResolvedAt, c.cfg.Timestamps.Resolved},
	} {
		if *field.to, err = i.timestamp(field.names); err != nil {
			return nil, "", err
		}
	}
	if f.StartedAt.IsZero() {
		f.StartedAt = created
	}
	switch {
	case !isOver:
		f.ResolvedAt = time.Time{}
	case f.ResolvedAt.IsZero():
		f.ResolvedAt = f.UpdatedAt // no timestamp says when: it was over by then
	}
	if slices.Contains(nothing, i.Status.Category) {
		hook.Withdraw(f)
		return f, "", nil
	}
	names := i.services(c.cfg.ServiceFields)
	if f.Service = c.services.Or(names...); f.Service == "" && len(names) > 0 {
		hook.LeaveOut(f)
	}
	return f, "", nil
}

// timestamp is the first of those with the names that has a value.
func (i incident) timestamp(names []string) (time.Time, error) {
	for _, name := range names {
		for _, t := range i.Timestamps {
			if t.Value == nil || plain(t.Timestamp.Name) != plain(name) {
				continue
			}
			if at, err := hook.Instant("incident_timestamp_values", t.Value.Value); err != nil || !at.IsZero() {
				return at, err
			}
		}
	}
	return time.Time{}, nil
}

// plain is the name of a timestamp in small letters, without "at" at its end.
func plain(name string) string {
	return strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), " at")
}

// services are what the first field that has a value calls the service: of several values, all in their order.
func (i incident) services(fields []string) []string {
	for _, field := range fields {
		var names []string
		for _, f := range i.CustomFields {
			if !strings.EqualFold(f.Field.Name, field) {
				continue
			}
			for _, v := range f.Values {
				if v.Entry != nil {
					names = append(names, v.Entry.Name, v.Entry.ExternalID)
				}
				if v.Option != nil {
					names = append(names, v.Option.Value)
				}
				names = append(names, v.Text)
			}
		}
		if names = slices.DeleteFunc(names, func(name string) bool { return name == "" }); len(names) > 0 {
			return names
		}
	}
	return nil
}
