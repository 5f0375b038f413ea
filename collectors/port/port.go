// Package port collects from Port: entities of its catalogue (services, teams, who owns what) and the runs of self-service
// actions, read and heard. It stands at the beginning of the data's way: it turns what the API and webhooks say into events
// and knows nothing of where they go.
//
// A Connection is one Port with its client credentials and settings. It has two streams: the catalogue, which is read whole
// again and again, and the requests, which are runs of actions. There is no clock: asOf is now.
package port

import (
	"net/url"
	"path"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

// Config says what to read, and with which credential. Secrets may be references, such as env:PORT_CLIENT_SECRET: the
// program puts what they name in their place before New sees them.
type Config struct {
	// Name is the connection's, for ever: positions and facts carry it.
	Name string `yaml:"name"`
	// Region is where the organisation lies: eu or us. URL is the address of the API where it is neither.
	Region string `yaml:"region"`
	URL    string `yaml:"url"`

	// ClientID and ClientSecret are the client's. Without an id nothing is read. Webhooks are signed with the secret.
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret" secret:"true"`
	// WebhookSecrets are further client secrets that webhooks may be signed with, while one replaces another.
	WebhookSecrets []string `yaml:"webhook_secrets" secret:"true"`

	// Blueprints says which of them are services or teams. Without any, no entities are read.
	Blueprints []Blueprint `yaml:"blueprints"`
	// Services says which service an entity is: by its identifier, its title or its repository.
	Services []rules.ServiceName `yaml:"services"`
	// Teams says which team a team of Port is, by its name: that of another system, which then tells of it.
	Teams []rules.TeamName `yaml:"teams"`

	// Requests says whether runs of actions are told, Actions of which: patterns of identifiers; empty: all.
	Requests bool     `yaml:"requests"`
	Actions  []string `yaml:"actions"`
	// Creates are patterns of those actions that make services, on the golden path.
	Creates []string `yaml:"creates"`

	// Capabilities names those for which Port itself is the evidence; "" leaves one out.
	Capabilities Capabilities `yaml:"capabilities"`

	// Every is how long news may wait without a webhook.
	Every time.Duration `yaml:"every"`
	// Since is how far back runs are told; the zero time: all that Port shows.
	Since time.Time `yaml:"since"`
}

// Capabilities are the names of capabilities.
type Capabilities struct {
	Catalogue string `yaml:"catalogue"` // a service that has an owner
	Actions   string `yaml:"actions"`   // a run of an action that succeeded for a service
}

// Blueprint says what the entities of a blueprint are, and where in them what is written: paths such as properties.tier or
// relations.system. A path that an entity does not have says nothing.
type Blueprint struct {
	Blueprint string `yaml:"blueprint"`
	Is        string `yaml:"is"` // service or team

	Name          string `yaml:"name"`
	Description   string `yaml:"description"`
	Owner         string `yaml:"owner"`      // of a service: teams, one or a list
	Repository    string `yaml:"repository"` // acme/shop, or its address
	Folder        string `yaml:"folder"`     // of the service in the repository
	Lifecycle     string `yaml:"lifecycle"`
	Tier          string `yaml:"tier"`
	System        string `yaml:"system"`
	Dependencies  string `yaml:"dependencies"`
	Aliases       string `yaml:"aliases"`
	Tags          string `yaml:"tags"`
	Documentation string `yaml:"documentation"`
	Link          string `yaml:"link"`
	Template      string `yaml:"template"`
	Parent        string `yaml:"parent"` // of a team
}

// What the entities of a blueprint are.
const (
	isService = "service"
	isTeam    = "team"
)

// usual are the paths of properties that go by these names in most organisations.
var usual = Blueprint{
	Name: "title", Description: "properties.description", Owner: "team", Repository: "properties.url", Lifecycle: "properties.lifecycle",
	Tier: "properties.tier", System: "relations.system", Dependencies: "relations.dependencies", Documentation: "properties.docs",
	Parent: "relations.parent_team",
}

// DefaultConfig returns the settings that are right for most organisations.
func DefaultConfig() Config {
	return Config{
		Name:     "port",
		Region:   "eu",
		Requests: true,
		Blueprints: []Blueprint{
			{Blueprint: "service", Is: isService},
			{Blueprint: "_team", Is: isTeam},
		},
		Capabilities: Capabilities{Catalogue: "catalogue", Actions: "provisioning"},
		Every:        15 * time.Minute,
	}
}

// Reads says whether anything is read.
func (c Config) Reads() bool { return c.ClientID != "" }

// secrets are those that webhooks may be signed with.
func (c Config) secrets() []string {
	var all []string
	if c.ClientSecret != "" {
		all = append(all, c.ClientSecret)
	}
	return append(all, c.WebhookSecrets...)
}

// Hears says whether webhooks can be told from anybody's.
func (c Config) Hears() bool { return len(c.secrets()) > 0 }

// check says what is wrong with the settings.
func (c Config) check() error {
	switch {
	case c.Name == "":
		return fault.New(fault.Invalid, "name is empty: positions and facts go by it")
	case c.ClientID == "" && !c.Hears():
		return fault.New(fault.Invalid, "client_id and client_secret are empty: take them from Credentials, in the menu of your Port, and name the secret here, such as env:PORT_CLIENT_SECRET")
	case c.ClientID != "" && strings.TrimSpace(c.ClientSecret) == "":
		return fault.New(fault.Invalid, "client_secret is empty: it stands beside the client id under Credentials, in the menu of your Port")
	case c.Every < time.Minute:
		return fault.New(fault.Invalid, "every is %s: expected at least 1m", c.Every)
	}
	if _, err := c.address(); err != nil {
		return err
	}
	known := map[string]bool{}
	for i, b := range c.Blueprints {
		switch {
		case b.Blueprint == "":
			return fault.New(fault.Invalid, "blueprints[%d].blueprint is empty: expected the identifier of one", i)
		case b.Is != isService && b.Is != isTeam:
			return fault.New(fault.Invalid, "blueprints[%d].is is %q: expected service or team", i, b.Is)
		case known[b.Blueprint]:
			return fault.New(fault.Invalid, "blueprints[%d]: %s is there twice", i, b.Blueprint)
		}
		known[b.Blueprint] = true
	}
	for key, patterns := range map[string][]string{"actions": c.Actions, "creates": c.Creates} {
		for i, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				return fault.New(fault.Invalid, "%s[%d] is %q: expected a pattern such as create_*", key, i, pattern)
			}
		}
	}
	return nil
}

// address is that of the API.
func (c Config) address() (*url.URL, error) {
	if c.URL == "" {
		switch strings.ToLower(c.Region) {
		case "eu", "":
			return &url.URL{Scheme: "https", Host: "api.getport.io"}, nil
		case "us":
			return &url.URL{Scheme: "https", Host: "api.us.getport.io"}, nil
		}
		return nil, fault.New(fault.Invalid, "region is %q: expected eu or us", c.Region)
	}
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(c.URL), "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fault.New(fault.Invalid, "url is %q: expected an address such as https://api.getport.io", c.URL)
	}
	u.Path = strings.TrimSuffix(u.Path, "/v1")
	return u, nil
}

// fits says whether a name fits one of the patterns.
func fits(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}
