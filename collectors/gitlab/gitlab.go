// Package gitlab collects from GitLab: repositories, commits, merge requests, pipelines, deployments, releases, incidents,
// groups with their members and the files that say who owns what. It stands at the beginning of the data's way: it turns
// what the REST API and webhooks say into events and knows nothing of where they go.
//
// A Connection is one credential and its settings. Each of its streams is one list of GitLab's with a position of its own;
// a Turn reads a little of one: news first, then history, newest first. Nothing is kept but the page that is being told,
// and there is no clock: asOf is now.
//
// The module go-gitlab is used in this folder alone, and requests are made in api.go alone, so that its successor is a
// change in one place.
package gitlab

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/signature"
)

// Ways to read commits: Config.Commits.
const (
	CommitsGit  = "git"  // from a clone, with the paths that each commit touches
	CommitsAPI  = "api"  // from the API: the default branch alone, without paths
	CommitsNone = "none" // not at all
)

// Config says what to read, and with which credential. Secrets may be references, such as env:GITLAB_TOKEN or
// file:/run/secrets/token: the program puts what they name in their place before New sees them.
type Config struct {
	// Name is the connection's, for ever: positions and facts carry it.
	Name string `yaml:"name"`
	// URL is the address of a GitLab of one's own, https://gitlab.acme.com; "" is gitlab.com.
	URL string `yaml:"url"`

	// Token is an access token: a group's, a project's or a person's. Without one only webhooks are heard.
	Token string `yaml:"token" secret:"true"`

	// Groups are those whose projects are read, with their subgroups, by their full path. Without any, the projects that
	// Projects.Include names by their full path are read, and where that has none or patterns, those that the token is
	// a member of.
	Groups   []string       `yaml:"groups"`
	Projects ProjectsConfig `yaml:"projects"`

	// WebhookTokens are the secret tokens that a delivery may carry: one, or two while one replaces the other.
	WebhookTokens []string `yaml:"webhook_tokens" secret:"true"`
	// WebhookSigningSecrets are the signing tokens (whsec_…) that a delivery may be signed with.
	WebhookSigningSecrets []string `yaml:"webhook_signing_secrets" secret:"true"`

	// Every is how long news may wait without a webhook.
	Every time.Duration `yaml:"every"`
	// Since is how far back history is read; the zero time: all of it. Changes are told with all that belongs to them,
	// so one that was opened before is told when it changes.
	Since time.Time `yaml:"since"`
	// Commits is git, api or none.
	Commits string `yaml:"commits"`
}

// ProjectsConfig says which projects are read. In patterns * stands for any text but a slash, ? for one character; letters
// match in either case. A pattern without a slash is compared with the project's own path, one with slashes with the full
// path; /** at the end stands for all below.
type ProjectsConfig struct {
	Include  []string `yaml:"include"` // empty: all
	Exclude  []string `yaml:"exclude"`
	Archived bool     `yaml:"archived"` // also the archived: their history counts
	Forks    bool     `yaml:"forks"`
}

// DefaultConfig returns the settings that are right for most organisations.
func DefaultConfig() Config {
	return Config{
		Name:     "gitlab",
		Projects: ProjectsConfig{Archived: true},
		Every:    15 * time.Minute,
		Commits:  CommitsGit,
	}
}

// name is what a connection may be called: it stands in addresses.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// fullPath is the path of a group or a project.
var fullPath = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.+-]*(?:/[\pL\pN_][\pL\pN_.+-]*)*$`)

// check says what is wrong with the settings, in one fault.
func (cfg Config) check() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "connection "+cfg.Name+": "+format, args...)
	}
	if !name.MatchString(cfg.Name) {
		return fault.New(fault.Invalid, "name %q: the name of a connection is made of small letters, digits, - and _", cfg.Name)
	}
	if _, err := addressOf(cfg.URL); err != nil {
		return invalid("url: %w", err)
	}
	if strings.ContainsAny(cfg.Token, " \t\r\n") {
		return invalid("token has white space in it: it is one word")
	}
	for _, group := range cfg.Groups {
		if !fullPath.MatchString(group) {
			return invalid("groups: %q is no path of a group: give it as it stands in the address, such as acme/platform", group)
		}
	}
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"include", cfg.Projects.Include}, {"exclude", cfg.Projects.Exclude}} {
		for _, pattern := range list.patterns {
			if _, err := path.Match(strings.TrimSuffix(strings.ToLower(pattern), "/**"), ""); err != nil || pattern == "" {
				return invalid("projects.%s: %q is no pattern of a project: give a name or a full path, with * for any text", list.name, pattern)
			}
		}
	}
	for i, token := range cfg.WebhookTokens {
		if token == "" {
			return invalid("webhook_tokens[%d] is empty: deliveries of anybody would be taken for GitLab's", i)
		}
	}
	for i, secret := range cfg.WebhookSigningSecrets {
		if _, err := signature.Standard(secret); err != nil {
			return invalid("webhook_signing_secrets[%d] is no signing token: GitLab shows it as whsec_ and 44 characters", i)
		}
	}
	if !cfg.Reads() && !cfg.hears() {
		return invalid("neither token nor webhook_tokens nor webhook_signing_secrets is given: nothing could be read or heard")
	}
	switch {
	case cfg.Every < time.Minute:
		return invalid("every is %s: give a minute or more", cfg.Every)
	case cfg.Commits != CommitsGit && cfg.Commits != CommitsAPI && cfg.Commits != CommitsNone:
		return invalid("commits is %q: give git, api or none", cfg.Commits)
	}
	return nil
}

// Reads says whether there is a credential to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

// hears says whether webhooks can be told from anybody's.
func (cfg Config) hears() bool { return len(cfg.WebhookTokens)+len(cfg.WebhookSigningSecrets) > 0 }

// named are the projects that Include names by their full paths, when there is nothing else to find projects by.
func (cfg Config) named() []string {
	if len(cfg.Groups) > 0 || len(cfg.Projects.Include) == 0 {
		return nil
	}
	for _, p := range cfg.Projects.Include {
		if strings.ContainsAny(p, `*?[\`) || !strings.Contains(p, "/") {
			return nil
		}
	}
	return cfg.Projects.Include
}

// takes says whether the patterns take a project, by its full path.
func (p ProjectsConfig) takes(full string) bool {
	full = strings.ToLower(full)
	matches := func(patterns []string) bool {
		for _, pattern := range patterns {
			pattern, subject := strings.ToLower(pattern), full
			if !strings.Contains(pattern, "/") {
				subject = path.Base(full)
			}
			if below, ok := strings.CutSuffix(pattern, "/**"); ok {
				parts := strings.Split(full, "/")
				if n := strings.Count(below, "/") + 1; n < len(parts) {
					pattern, subject = below, strings.Join(parts[:n], "/")
				}
			}
			if ok, _ := path.Match(pattern, subject); ok {
				return true
			}
		}
		return false
	}
	return (len(p.Include) == 0 || matches(p.Include)) && !matches(p.Exclude)
}

// addressOf is the address of a GitLab, without a slash at its end.
func addressOf(text string) (*url.URL, error) {
	if text == "" {
		text = "https://gitlab.com"
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil:
		return nil, errors.New("it is no address: give https://gitlab.acme.com")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("it is no address of the web: give https://gitlab.acme.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a user, a query or a fragment in it: give the address alone")
	}
	u.Path = strings.TrimSuffix(u.Path, "/api/v4")
	return u, nil
}
