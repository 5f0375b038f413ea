// Package terraform collects what is asked of infrastructure by way of Terraform and OpenTofu: the runs of HCP Terraform
// and Terraform Enterprise, from their API and their notifications, and what the programs themselves print in any
// pipeline. A run that changes something is a provisioning request; it is a deployment only where a rule says that a
// workspace deploys a service. It stands at the beginning of the data's way.
package terraform

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
)

// Config are the settings of a connection. Without a token only notifications are heard, without a webhook secret there is
// only reading.
type Config struct {
	Name string `yaml:"name"`
	// URL is the address of a Terraform Enterprise of one's own; "" is app.terraform.io.
	URL string `yaml:"url"`
	// Token is a team's or a user's: one of an organisation may not read runs.
	Token          string           `yaml:"token" secret:"true"`
	Organisations  []string         `yaml:"organisations"` // those whose workspaces are read
	Workspaces     WorkspacesConfig `yaml:"workspaces"`
	WebhookSecrets []string         `yaml:"webhook_secrets" secret:"true"` // the tokens of notification configurations

	Services     []rules.ServiceName     `yaml:"services"`     // by the name of the workspace, or organisation/workspace
	Environments []rules.EnvironmentName `yaml:"environments"` // the same
	Resources    []rules.ResourceName    `yaml:"resources"`    // by the source of a module, or else as services
	Deployments  []DeploymentRule        `yaml:"deployments"`
	// GoldenModules are sources of modules that the platform offers, with * for any text, or how they begin. With any, the
	// plan of each run is read.
	GoldenModules []string `yaml:"golden_modules"`

	Every time.Duration `yaml:"every"` // how long news may wait without a notification
	Since time.Time     `yaml:"since"` // how far back history is read; the zero time: all of it
}

// WorkspacesConfig says which workspaces are read, in patterns of their names in which * stands for any text.
type WorkspacesConfig struct {
	Include []string `yaml:"include"` // empty: all
	Exclude []string `yaml:"exclude"`
}

// DeploymentRule says that the runs of a workspace deploy a service.
type DeploymentRule struct {
	Workspace   string `yaml:"workspace"`
	Service     string `yaml:"service"`
	Environment string `yaml:"environment"` // "": as environments say
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "terraform", Every: 15 * time.Minute} }

// Reads says whether there is a credential to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

var (
	connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	organisation   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

func (cfg Config) check() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "connection "+cfg.Name+": "+format, args...)
	}
	if !connectionName.MatchString(cfg.Name) {
		return fault.New(fault.Invalid, "name %q: the name of a connection is made of small letters, digits, - and _", cfg.Name)
	}
	if _, err := addressOf(cfg.URL); err != nil {
		return invalid("url: %w", err)
	}
	if !cfg.Reads() && len(cfg.WebhookSecrets) == 0 {
		return invalid("neither token nor webhook_secrets is given: nothing could be read or heard")
	}
	if strings.ContainsAny(cfg.Token, " \t\r\n") {
		return invalid("token has white space in it: it is one word")
	}
	if cfg.Reads() && len(cfg.Organisations) == 0 {
		return invalid("organisations is empty: name those whose workspaces are read")
	}
	for _, name := range cfg.Organisations {
		if !organisation.MatchString(name) {
			return invalid("organisations: %q is no name of an organisation: give it as it stands in the address, such as acme", name)
		}
	}
	for _, list := range [][]string{cfg.Workspaces.Include, cfg.Workspaces.Exclude} {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				return invalid("workspaces: %q is no pattern of a name: give one such as shop-*", pattern)
			}
		}
	}
	if cfg.Every < time.Minute {
		return invalid("every is %s: give a minute or more", cfg.Every)
	}
	return nil
}

func (w WorkspacesConfig) takes(name string) bool {
	matches := func(patterns []string) bool {
		for _, pattern := range patterns {
			if ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(name)); ok {
				return true
			}
		}
		return false
	}
	return (len(w.Include) == 0 || matches(w.Include)) && !matches(w.Exclude)
}

// addressOf is the address of a Terraform, without a slash at its end.
func addressOf(text string) (*url.URL, error) {
	if text == "" {
		text = "https://app.terraform.io"
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil:
		return nil, errors.New("it is no address: give https://terraform.acme.com")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("it is no address of the web: give https://terraform.acme.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a user, a query or a fragment in it: give the address alone")
	}
	u.Path = strings.TrimSuffix(u.Path, "/api/v2")
	return u, nil
}

// Connection is one Terraform with a credential and the settings of an organisation. It is used by several goroutines, each
// stream by one at a time.
type Connection struct {
	cfg    Config
	api    api
	t      *translator
	scheme *signature.Scheme // nil: notifications are not heard

	mu         sync.Mutex
	workspaces map[string]workspace // by id
}

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits, retries and caches. Errors are fault.Invalid.
func New(cfg Config, client *http.Client) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressOf(cfg.URL) // checked
	c := &Connection{cfg: cfg, api: api{rest.API{
		Name: cfg.Name, System: "Terraform", Base: at.JoinPath("api/v2"), Client: client, Accept: "application/vnd.api+json, application/json",
		Needs: "to be a team's or a user's that may read runs",
	}}, workspaces: map[string]workspace{}}
	var err error
	if c.t, err = newTranslator(cfg, at.String()); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	if len(cfg.WebhookSecrets) > 0 {
		if c.scheme, err = signature.Terraform(cfg.WebhookSecrets...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "connection %s: webhook_secrets", cfg.Name)
		}
	}
	return c, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// NewCredential makes the credential of a connection: the token, for requests to its own host alone.
func NewCredential(cfg Config, base http.RoundTripper) (*rest.Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressOf(cfg.URL) // checked
	return rest.Bearer(cfg.Token, at, base), nil
}
