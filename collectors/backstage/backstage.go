// Package backstage collects from Backstage: the software catalogue (services, teams, who owns what), the runs of software
// templates, and the checks of Tech Insights. It stands at the beginning of the data's way: it turns what the APIs of the
// backend say into events and knows nothing of where they go.
//
// A Connection is one Backstage with a token and its settings. It has three streams: the catalogue, which is read whole
// again and again, since Backstage does not say what has changed; the requests, which are runs of templates; and the
// checks. There is no clock: asOf is now.
package backstage

import (
	"net/url"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

// Config says what to read, and with which credential. Token may be a reference, such as env:BACKSTAGE_TOKEN: the program
// puts what it names in its place before New sees it.
type Config struct {
	// Name is the connection's, for ever: positions and facts carry it.
	Name string `yaml:"name"`
	// URL is the address of the backend, https://backstage.acme.com: what stands before /api/catalog.
	URL string `yaml:"url"`
	// Token is a static token of the backend's external access.
	Token string `yaml:"token" secret:"true"`
	// App is the address of the pages, for links; "" is URL.
	App string `yaml:"app"`

	// Types are the types of components that are services; without any all are but libraries.
	Types []string `yaml:"types"`
	// Services says which service a component is: by its name, its reference (component:default/shop) or its repository.
	Services []rules.ServiceName `yaml:"services"`
	// Teams says which team a group is, by its name: that of another system, which then tells of it.
	Teams []rules.TeamName `yaml:"teams"`
	// Aliases are the annotations that hold the names by which other systems call a service.
	Aliases []string `yaml:"aliases"`
	// People says whether users and their memberships are told.
	People bool `yaml:"people"`
	// Requests says whether runs of templates are told.
	Requests bool `yaml:"requests"`

	// Capabilities names those for which Backstage itself is the evidence; "" leaves one out.
	Capabilities Capabilities `yaml:"capabilities"`
	// Checks says which check of Tech Insights is evidence for which capability. Without any none are read.
	Checks []Check `yaml:"checks"`

	// Every is how long news may wait.
	Every time.Duration `yaml:"every"`
	// Since is how far back runs of templates are read; the zero time: all.
	Since time.Time `yaml:"since"`
}

// Capabilities are the names of capabilities.
type Capabilities struct {
	Catalogue string `yaml:"catalogue"` // a component that has an owner and no error
	Templates string `yaml:"templates"` // a run of a template that made or changed the service
}

// Check is a check of Tech Insights.
type Check struct {
	Check      string `yaml:"check"` // its id
	Capability string `yaml:"capability"`
	Failed     string `yaml:"failed"` // what a failed check means: none, or own
}

// DefaultConfig returns the settings that are right for most organisations.
func DefaultConfig() Config {
	return Config{
		Name:         "backstage",
		Aliases:      []string{"argocd/app-name", "backstage.io/kubernetes-id", "pagerduty.com/service-id", "jenkins.io/job-full-name"},
		Requests:     true,
		Capabilities: Capabilities{Catalogue: "catalogue", Templates: "provisioning"},
		Every:        15 * time.Minute,
	}
}

// check says what is wrong with the settings.
func (c Config) check() error {
	switch {
	case c.Name == "":
		return fault.New(fault.Invalid, "name is empty: positions and facts go by it")
	case strings.TrimSpace(c.URL) == "":
		return fault.New(fault.Invalid, "url is empty: give the address of Backstage's backend, such as https://backstage.acme.com")
	case strings.TrimSpace(c.Token) == "":
		return fault.New(fault.Invalid, "token is empty: make a static token under backend.auth.externalAccess of Backstage's app-config.yaml and name it here, such as env:BACKSTAGE_TOKEN")
	case c.Every < time.Minute:
		return fault.New(fault.Invalid, "every is %s: expected at least 1m", c.Every)
	}
	for _, address := range []struct{ key, value string }{{"url", c.URL}, {"app", c.App}} {
		if address.value == "" {
			continue
		}
		if _, err := addressOf(address.value); err != nil {
			return fault.New(fault.Invalid, "%s is %q: %s", address.key, address.value, err)
		}
	}
	known := map[string]bool{}
	for i, check := range c.Checks {
		switch {
		case check.Check == "" || check.Capability == "":
			return fault.New(fault.Invalid, "checks[%d] needs a check, the id that it has in Tech Insights, and a capability, such as observability", i)
		case check.Failed != "" && check.Failed != "none" && check.Failed != "own":
			return fault.New(fault.Invalid, "checks[%d].failed is %q: expected none or own", i, check.Failed)
		case known[check.Capability]:
			return fault.New(fault.Invalid, "checks[%d]: the capability %s has two checks: one check says how a capability is covered", i, check.Capability)
		}
		known[check.Capability] = true
	}
	return nil
}

// addressOf reads an address without a slash at its end.
func addressOf(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(text), "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fault.New(fault.Invalid, "expected an address such as https://backstage.acme.com")
	}
	u.Path = strings.TrimSuffix(u.Path, "/api")
	return u, nil
}
