// Package humanitec collects deployments from Humanitec's Platform Orchestrator, the first version of its API and the
// second, and hears the webhooks of the first. It stands at the beginning of the data's way.
package humanitec

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
)

// Versions of the API.
const (
	V1 = "v1" // applications, deployment sets, artefact versions
	V2 = "v2" // projects, manifests
)

// Config are the settings of a connection. Without a token only webhooks are heard, without a header there is only reading.
type Config struct {
	Name string `yaml:"name"`
	// Version is that of the API.
	Version string `yaml:"version"`
	// URL is the address of the API; "" is Humanitec's own.
	URL          string `yaml:"url"`
	Token        string `yaml:"token" secret:"true"`
	Organisation string `yaml:"organisation"` // its id
	// Header carries a secret with each webhook: Humanitec signs nothing.
	Header hook.Token `yaml:"header"`

	Services     []rules.ServiceName     `yaml:"services"`     // by application/workload, or application
	Environments []rules.EnvironmentName `yaml:"environments"` // by application/environment, environment, or its type
	Repositories []rules.RepositoryName  `yaml:"repositories"` // by the name of an image

	Every time.Duration `yaml:"every"` // how long news may wait without a webhook
	Since time.Time     `yaml:"since"` // how far back history is read; the zero time: all of it
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "humanitec", Version: V1, Every: 15 * time.Minute} }

// Reads says whether there is a credential to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool { return len(cfg.Header.Secrets) > 0 }

var (
	connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	organisationID = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)
)

func (cfg Config) check() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "connection "+cfg.Name+": "+format, args...)
	}
	if !connectionName.MatchString(cfg.Name) {
		return fault.New(fault.Invalid, "name %q: the name of a connection is made of small letters, digits, - and _", cfg.Name)
	}
	switch {
	case cfg.Version != V1 && cfg.Version != V2:
		return invalid("version is %q: give v1 or v2", cfg.Version)
	case !cfg.Reads() && !cfg.Hears():
		return invalid("neither token nor header is given: nothing could be read or heard")
	case strings.ContainsAny(cfg.Token, " \t\r\n"):
		return invalid("token has white space in it: it is one word")
	case cfg.Reads() && cfg.Organisation == "":
		return invalid("organisation is empty: give its id, as it stands in the address")
	case cfg.Organisation != "" && !organisationID.MatchString(cfg.Organisation):
		return invalid("organisation %q is no id: give it as it stands in the address, such as acme", cfg.Organisation)
	case cfg.Every < time.Minute:
		return invalid("every is %s: give a minute or more", cfg.Every)
	}
	if _, err := cfg.address(); err != nil {
		return invalid("url: %w", err)
	}
	return nil
}

// address is that of the API, without a slash at its end.
func (cfg Config) address() (*url.URL, error) {
	text := cfg.URL
	switch {
	case text == "" && cfg.Version == V2:
		text = "https://api.humanitec.dev"
	case text == "":
		text = "https://api.humanitec.io"
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("it is no address of the web: give one such as https://api.humanitec.io")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a user, a query or a fragment in it: give the address alone")
	}
	return u, nil
}

// Connection is one organisation in Humanitec with a credential and settings. It is used by several goroutines, each
// stream by one at a time.
type Connection struct {
	cfg    Config
	api    rest.API
	t      *translator
	scheme *signature.Scheme // nil: webhooks are not heard

	mu           sync.Mutex
	applications map[string]application
}

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits, retries and caches. Errors are fault.Invalid.
func New(cfg Config, client *http.Client) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := cfg.address() // checked
	c := &Connection{cfg: cfg, api: rest.API{Name: cfg.Name, System: "Humanitec", Base: at, Client: client, Needs: "the role Viewer there, for its service user"}, applications: map[string]application{}}
	var err error
	if c.t, err = newTranslator(cfg); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	if cfg.Hears() {
		if c.scheme, err = (hook.Agreed{Token: cfg.Header}).Scheme("set header"); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
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
	at, _ := cfg.address() // checked
	return rest.Bearer(cfg.Token, at, base), nil
}
