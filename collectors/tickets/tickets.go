// Package tickets hears the webhooks of ticket systems that send JSON of their own making. The configuration says where in
// it things stand and which tickets are incidents; for Jira and ServiceNow that is known.
package tickets

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. One of tokens, basic, signing and header is needed.
type Config struct {
	Name   string `yaml:"name"`
	Preset string `yaml:"preset"` // jira or servicenow; "" is a mapping of one's own. What is set beside it takes its place

	Tokens  []string     `yaml:"tokens" secret:"true"` // Authorization: Bearer
	Basic   hook.Basic   `yaml:"basic"`
	Signing hook.Signing `yaml:"signing"`
	Header  hook.Token   `yaml:"header"`

	// Fields are paths in the JSON: of several the first at which something stands.
	Fields Fields `yaml:"fields"`
	// Events, Incidents and Withdrawn are patterns by path. A delivery is about the state of a ticket unless something at a
	// path of Events fits none of its patterns; the ticket is an incident when for every path of Incidents one pattern fits;
	// it turned out to be none when for any path of Withdrawn one does.
	Events    map[string][]string `yaml:"events"`
	Incidents map[string][]string `yaml:"incidents"`
	Withdrawn map[string][]string `yaml:"withdrawn"`
	// Resolved are patterns of statuses that mean that a ticket is over.
	Resolved []string `yaml:"resolved"`
	// Link is the address of a ticket where the JSON has none, with {id} and {key} in it.
	Link     string              `yaml:"link"`
	TimeZone string              `yaml:"time_zone"` // of instants that have none
	Services []rules.ServiceName `yaml:"services"`
}

// Fields are the paths of what is told of a ticket.
type Fields struct {
	ID           []string `yaml:"id"`
	Key          []string `yaml:"key"` // what people call it, for Link
	Title        []string `yaml:"title"`
	Status       []string `yaml:"status"`
	Severity     []string `yaml:"severity"`
	Service      []string `yaml:"service"`
	Started      []string `yaml:"started"`
	Detected     []string `yaml:"detected"`
	Acknowledged []string `yaml:"acknowledged"`
	Restored     []string `yaml:"restored"`
	Resolved     []string `yaml:"resolved"`
	Updated      []string `yaml:"updated"`  // when the ticket changed last
	Revision     []string `yaml:"revision"` // a number that grows with each change, for changes of one second
	URL          []string `yaml:"url"`
}

// field is one of Fields, by its name.
type field struct {
	name  string
	paths *[]string
}

func (f *Fields) list() []field {
	return []field{
		{"id", &f.ID}, {"key", &f.Key}, {"title", &f.Title}, {"status", &f.Status}, {"severity", &f.Severity}, {"service", &f.Service}, {"started", &f.Started},
		{"detected", &f.Detected}, {"acknowledged", &f.Acknowledged}, {"restored", &f.Restored}, {"resolved", &f.Resolved}, {"updated", &f.Updated},
		{"revision", &f.Revision}, {"url", &f.URL},
	}
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "tickets", TimeZone: "UTC"} }

// presets are the mappings that are known.
func presets() map[string]Config {
	return map[string]Config{
		"jira": {
			Signing: hook.Signing{Header: "X-Hub-Signature"},
			Fields: Fields{
				ID: []string{"issue.id"}, Key: []string{"issue.key"}, Title: []string{"issue.fields.summary"},
				Status:   []string{"issue.fields.status.statusCategory.key", "issue.fields.status.name"},
				Severity: []string{"issue.fields.priority.name"}, Service: []string{"issue.fields.components.#.name"},
				Started: []string{"issue.fields.created"}, Detected: []string{"issue.fields.created"},
				Resolved: []string{"issue.fields.resolutiondate", "issue.fields.statuscategorychangedate"},
				Updated:  []string{"timestamp", "issue.fields.updated"}, URL: []string{"issue.self"},
			},
			Events:    map[string][]string{"webhookEvent": {"jira:issue_*"}},
			Incidents: map[string][]string{"issue.fields.issuetype.name": {"Incident", "[System] Incident", "Major incident", "Outage"}},
			Withdrawn: map[string][]string{"webhookEvent": {"jira:issue_deleted"}, "issue.fields.resolution.name": {"Duplicate"}},
			Resolved:  []string{"done"},
		},
		"servicenow": {
			Fields: Fields{
				ID: []string{"sys_id"}, Key: []string{"number"}, Title: []string{"short_description"}, Status: []string{"state"},
				Severity: []string{"priority"}, Service: []string{"business_service", "cmdb_ci"},
				Started: []string{"opened_at", "sys_created_on"}, Detected: []string{"opened_at", "sys_created_on"}, Acknowledged: []string{"work_start"},
				Restored: []string{"resolved_at"}, Resolved: []string{"closed_at", "resolved_at"},
				Updated: []string{"sys_updated_on"}, Revision: []string{"sys_mod_count"}, URL: []string{"url"},
			},
			Events:    map[string][]string{"table": {"incident"}},
			Incidents: map[string][]string{"priority": {"1", "2", "1 - *", "2 - *"}},
			Withdrawn: map[string][]string{"operation": {"delete"}, "state": {"8", "Canceled"}},
			Resolved:  []string{"6", "7", "Resolved", "Closed"},
		},
	}
}

// with puts what is set in the place of what the preset says.
func (cfg Config) with(preset Config) Config {
	known := preset.Fields.list()
	for i, own := range cfg.Fields.list() {
		if len(*own.paths) == 0 {
			*own.paths = *known[i].paths
		}
	}
	for _, of := range []struct{ own, preset *map[string][]string }{{&cfg.Events, &preset.Events}, {&cfg.Incidents, &preset.Incidents}, {&cfg.Withdrawn, &preset.Withdrawn}} {
		if *of.own == nil {
			*of.own = *of.preset
		}
	}
	if cfg.Resolved == nil {
		cfg.Resolved = preset.Resolved
	}
	if cfg.Signing.Header == "" {
		cfg.Signing.Header = preset.Signing.Header
	}
	return cfg
}

// Receiver hears the webhooks. It is safe for use from several goroutines.
type Receiver struct {
	cfg       Config
	scheme    *signature.Scheme
	zone      *time.Location
	services  *rules.Names
	resolved  *rules.Names
	events    []rule
	incidents []rule
	withdrawn []rule
}

// rule is what has to stand at a path.
type rule struct {
	path string
	fits *rules.Names
}

// New makes a receiver. The rules of forges say nothing about tickets. Errors are fault.Invalid.
func New(cfg Config, _ *rules.Rules) (*Receiver, error) {
	if cfg.Preset != "" {
		preset, known := presets()[cfg.Preset]
		if !known {
			return nil, fault.New(fault.Invalid, "preset is %q: expected one of %s", cfg.Preset, strings.Join(slices.Sorted(maps.Keys(presets())), ", "))
		}
		cfg = cfg.with(preset)
	}
	r := &Receiver{cfg: cfg}
	var err error
	if r.scheme, err = (hook.Agreed{Bearer: cfg.Tokens, Basic: cfg.Basic, Signing: cfg.Signing, Token: cfg.Header}).Scheme("set tokens, basic, signing or header"); err != nil {
		return nil, err
	}
	switch {
	case len(cfg.Fields.ID) == 0:
		return nil, fault.New(fault.Invalid, "fields.id is empty: give the path of what identifies a ticket, such as [ticket.id], or a preset: jira or servicenow")
	case len(cfg.Fields.Started) == 0:
		return nil, fault.New(fault.Invalid, "fields.started is empty: give the path of when a ticket began, such as [ticket.created_at]")
	case len(cfg.Incidents) == 0:
		return nil, fault.New(fault.Invalid, "incidents is empty: say which tickets are incidents, such as {ticket.type: [incident]}")
	case len(cfg.Fields.Status) > 0 && len(cfg.Resolved) == 0:
		return nil, fault.New(fault.Invalid, "resolved is empty: say which statuses mean that a ticket is over, such as [closed]")
	}
	for _, field := range cfg.Fields.list() {
		for i, path := range *field.paths {
			if strings.TrimSpace(path) == "" {
				return nil, fault.New(fault.Invalid, "fields.%s[%d] is empty: expected a path, such as ticket.%s", field.name, i, field.name)
			}
		}
	}
	if r.zone, err = time.LoadLocation(cfg.TimeZone); err != nil {
		return nil, fault.New(fault.Invalid, "time_zone is %q: expected a name such as Europe/Berlin", cfg.TimeZone)
	}
	if r.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if r.resolved, err = patterns("resolved", cfg.Resolved); err != nil {
		return nil, err
	}
	for _, of := range []struct {
		place string
		rules map[string][]string
		to    *[]rule
	}{{"events", cfg.Events, &r.events}, {"incidents", cfg.Incidents, &r.incidents}, {"withdrawn", cfg.Withdrawn, &r.withdrawn}} {
		for _, path := range slices.Sorted(maps.Keys(of.rules)) {
			fits, err := patterns(of.place+"."+path, of.rules[path])
			if err != nil {
				return nil, err
			}
			*of.to = append(*of.to, rule{path, fits})
		}
	}
	return r, nil
}

func patterns(place string, list []string) (*rules.Names, error) {
	var names []rules.ServiceName
	for _, pattern := range list {
		names = append(names, rules.ServiceName{Match: pattern, Service: "fits"})
	}
	return rules.Services(place, names)
}

// Verify says whether the request shows what was agreed: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Jira sends an id; others may.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	id := h.Get("X-Atlassian-Webhook-Identifier")
	if id == "" {
		id = h.Get("X-Request-Id")
	}
	return hook.Describe(r.cfg.Name, "ticket", id, h, body, "X-Atlassian-Webhook-Identifier", "X-Request-Id")
}
