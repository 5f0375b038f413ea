// Package github collects from GitHub: repositories, commits, pull requests, workflow runs, deployments, releases, incidents,
// teams and the files that say who owns what. It stands at the beginning of the data's way: it turns what the REST and the
// GraphQL API and webhooks say into events and knows nothing of where they go.
//
// A Connection is one organisation's credential and settings. Each of its streams is one list of GitHub's with a position
// of its own; a Turn reads a little of one: news first, then history, newest first. Nothing is kept but the page that is
// being told, and there is no clock: asOf is now.
package github

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"cairn/internal/fault"
)

// Ways to read commits: Config.Commits.
const (
	CommitsGit  = "git"  // from a clone, with the paths that each commit touches
	CommitsAPI  = "api"  // from the API: the default branch alone, without paths
	CommitsNone = "none" // not at all
)

// Whether GraphQL is used: Config.GraphQL.
const (
	GraphQLAuto = "auto" // unless the server refuses it
	GraphQLOff  = "off"
)

// Config says what to read, and with which credential. Secrets may be references, such as env:GITHUB_TOKEN or
// file:/run/secrets/token: the program puts what they name in their place before New sees them.
type Config struct {
	// Name is the connection's, for ever: positions and facts carry it.
	Name string `yaml:"name"`
	// URL is the address of a GitHub Enterprise Server, https://github.acme.com; "" is github.com. An address with a path is
	// taken for that of the REST API.
	URL string `yaml:"url"`

	// Token and App are two ways to have a credential. Without either only webhooks are heard.
	Token string `yaml:"token" secret:"true"`
	App   App    `yaml:"app"`

	// Organisations and Users are whose repositories are read. Both may be empty for an App: it reads those that it was
	// installed on.
	Organisations []string           `yaml:"organisations"`
	Users         []string           `yaml:"users"`
	Repositories  RepositoriesConfig `yaml:"repositories"`

	// WebhookSecrets are those that a delivery may be signed with: one, or two while one replaces the other.
	WebhookSecrets []string `yaml:"webhook_secrets" secret:"true"`

	// Every is how long news may wait without a webhook.
	Every time.Duration `yaml:"every"`
	// GraphQL is auto or off.
	GraphQL string `yaml:"graphql"`
	// Since is how far back history is read; the zero time: all of it. Changes are told with all that belongs to them,
	// so one that was opened before is told when it changes.
	Since time.Time `yaml:"since"`
	// Commits is git, api or none.
	Commits string `yaml:"commits"`
}

// App is a GitHub App.
type App struct {
	ID           int64  `yaml:"id"`                        // of the App
	Installation int64  `yaml:"installation"`              // 0: the one on the first of the organisations, or the only one
	PrivateKey   string `yaml:"private_key" secret:"true"` // PEM
}

// RepositoriesConfig says which repositories of the owners are read. In patterns * stands for any text but a slash, ? for
// one character; letters match in either case. A pattern without a slash is compared with the name, one with a slash with
// owner/name.
type RepositoriesConfig struct {
	Include  []string `yaml:"include"` // empty: all
	Exclude  []string `yaml:"exclude"`
	Archived bool     `yaml:"archived"` // also the archived: their history counts
	Forks    bool     `yaml:"forks"`
}

// DefaultConfig returns the settings that are right for most organisations.
func DefaultConfig() Config {
	return Config{
		Name:         "github",
		Repositories: RepositoriesConfig{Archived: true},
		Every:        15 * time.Minute,
		GraphQL:      GraphQLAuto,
		Commits:      CommitsGit,
	}
}

// connectionName is what a connection may be called: it stands in addresses.
var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ownerName is the name of an organisation or a user.
var ownerName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?$`)

// check says what is wrong with the settings, in one fault.
func (cfg Config) check() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "connection "+cfg.Name+": "+format, args...)
	}
	if !connectionName.MatchString(cfg.Name) {
		return fault.New(fault.Invalid, "name %q: the name of a connection is made of small letters, digits, - and _", cfg.Name)
	}
	if _, err := addressesOf(cfg.URL); err != nil {
		return invalid("url: %w", err)
	}
	app := cfg.App != App{}
	switch {
	case cfg.Token != "" && app:
		return invalid("both token and app are given: a connection has one credential")
	case app && cfg.App.ID <= 0:
		return invalid("app.id is missing: it is the number on the App's settings page")
	case app && cfg.App.PrivateKey == "":
		return invalid("app.private_key is missing: generate one on the App's settings page")
	case app && cfg.App.Installation < 0:
		return invalid("app.installation %d is no number of an installation", cfg.App.Installation)
	case strings.ContainsAny(cfg.Token, " \t\r\n"):
		return invalid("token has white space in it: it is one word")
	}
	if app {
		if _, err := privateKey(cfg.App.PrivateKey); err != nil {
			return invalid("app.private_key: %w", err)
		}
	}
	for _, list := range []struct {
		name   string
		owners []string
	}{{"organisations", cfg.Organisations}, {"users", cfg.Users}} {
		for _, owner := range list.owners {
			if !ownerName.MatchString(owner) {
				return invalid("%s: %q is no name of one on GitHub: letters, digits and dashes", list.name, owner)
			}
		}
	}
	if cfg.Token != "" && len(cfg.Organisations)+len(cfg.Users) == 0 {
		return invalid("organisations is empty: say whose repositories to read")
	}
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"include", cfg.Repositories.Include}, {"exclude", cfg.Repositories.Exclude}} {
		for _, pattern := range list.patterns {
			if _, err := path.Match(strings.ToLower(pattern), ""); err != nil || pattern == "" || strings.Count(pattern, "/") > 1 {
				return invalid("repositories.%s: %q is no pattern of a repository: give name or owner/name, with * for any text", list.name, pattern)
			}
		}
	}
	for i, secret := range cfg.WebhookSecrets {
		if secret == "" {
			return invalid("webhook_secrets[%d] is empty: unsigned deliveries would be taken for GitHub's", i)
		}
	}
	if cfg.Token == "" && !app && len(cfg.WebhookSecrets) == 0 {
		return invalid("neither a credential (token or app) nor webhook_secrets is given: nothing could be read or heard")
	}
	switch {
	case cfg.Every < time.Minute:
		return invalid("every is %s: give a minute or more", cfg.Every)
	case cfg.GraphQL != GraphQLAuto && cfg.GraphQL != GraphQLOff:
		return invalid("graphql is %q: give auto or off", cfg.GraphQL)
	case cfg.Commits != CommitsGit && cfg.Commits != CommitsAPI && cfg.Commits != CommitsNone:
		return invalid("commits is %q: give git, api or none", cfg.Commits)
	}
	return nil
}

// Reads says whether there is a credential to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" || cfg.App.ID != 0 }

// takes says whether the repositories' patterns take one, by its full name.
func (r RepositoriesConfig) takes(full string) bool {
	full = strings.ToLower(full)
	matches := func(patterns []string) bool {
		for _, pattern := range patterns {
			subject := full
			if !strings.Contains(pattern, "/") {
				subject = path.Base(full)
			}
			if ok, _ := path.Match(strings.ToLower(pattern), subject); ok {
				return true
			}
		}
		return false
	}
	return (len(r.Include) == 0 || matches(r.Include)) && !matches(r.Exclude)
}

// addresses are those of one GitHub.
type addresses struct {
	rest    *url.URL // ends in a slash
	graphql *url.URL
	web     *url.URL // of clones, without a slash at its end
}

// addressesOf tells where the interfaces of a server are: github.com and GHE.com have a host for them, a GitHub
// Enterprise Server has paths.
func addressesOf(text string) (addresses, error) {
	if text == "" {
		text = "https://api.github.com"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return addresses{}, errors.New("it is no address: give https://github.acme.com")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return addresses{}, errors.New("it is no address of the web: give https://github.acme.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return addresses{}, errors.New("it has a user, a query or a fragment in it: give the address alone")
	}
	host := strings.ToLower(u.Host)
	if host == "github.com" || host == "www.github.com" {
		host = "api.github.com"
	}
	at := addresses{web: &url.URL{Scheme: u.Scheme, Host: strings.TrimPrefix(host, "api.")}}
	rest := &url.URL{Scheme: u.Scheme, Host: host, Path: u.Path}
	if rest.Path == "" && !strings.HasPrefix(host, "api.") {
		rest.Path = "/api/v3"
	}
	root, server := strings.CutSuffix(strings.TrimRight(rest.Path, "/"), "/api/v3")
	at.rest = rest.JoinPath("/")
	at.graphql = &url.URL{Scheme: u.Scheme, Host: host, Path: root + "/graphql"}
	if server {
		at.graphql.Path = root + "/api/graphql"
		at.web.Path = root
	}
	return at, nil
}
