// Package git collects from git repositories: commits, the default branch, and deployments as release tags or a branch
// tell of them. It stands at the beginning of the data's way: it turns what the git program says into events and knows
// nothing of where they go.
//
// It reads the history as a stream and holds one commit at a time; what it keeps for a whole run are the refs. Nothing
// depends on the time of day or on the order in which git lists commits, so the same repository always tells the same
// facts, and a run that resumes at a cursor adds up to a run over everything.
package git

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/progress"
)

// What DeployOn may say other than the name of a branch. A branch of that name is given as refs/heads/NAME.
const (
	DeployOnTags = "tags"
	DeployOnNone = "none"
)

// Names of environments where Config says nothing else. Their tiers are production and other.
const (
	DefaultEnvironment           = "production"
	DefaultPrereleaseEnvironment = "prerelease"
)

// Config says what to collect.
type Config struct {
	// Location is the folder of a repository, or an address that git can clone.
	Location string `yaml:"location"`
	// Repository is the id that the facts carry; default: the path of an address without its host (acme/shop), the
	// folder's name.
	Repository string `yaml:"repository"`
	// Service is what the deployments deploy. It may stay empty with DeployOn none.
	Service string `yaml:"service"`
	// Register tells the catalogue that the service is built from this repository, or from Paths of it. Whatever
	// another source says of the service, at whatever time, holds instead.
	Register    bool     `yaml:"register"`
	Paths       []string `yaml:"paths"`
	SharedPaths []string `yaml:"shared_paths"`

	// DeployOn says what a deployment is: tags (release tags), none, or the name of a branch, on which each commit of the
	// first-parent line is a deployment.
	DeployOn string `yaml:"deploy_on"`
	// TagPattern takes the tags that match, and only those, for release tags, whether they have a version in their
	// name or not: release-*. Empty: semantic versions, with the prefix v or the service's name.
	TagPattern string `yaml:"tag_pattern"`
	// Releases tells of which commit each tag with a version was made, whether it is a deployment or not, so that
	// deployments that name the version are known by their commit.
	Releases bool `yaml:"releases"`
	// Environment is where releases and the commits of a branch go, PrereleaseEnvironment where pre-releases go.
	Environment           string `yaml:"environment"`
	PrereleaseEnvironment string `yaml:"prerelease_environment"`
	// Environments gives some tags another environment; the first pattern that matches decides.
	Environments []TagEnvironment `yaml:"environments"`

	// Branch is the default branch, where git does not know it or knows it wrong.
	Branch string `yaml:"branch"`
	// DefaultBranchOnly leaves out commits that can be reached neither from the default branch, nor from the deployed
	// branch, nor from a release tag.
	DefaultBranchOnly bool `yaml:"default_branch_only"`
	// AllowShallow collects from a shallow clone all the same.
	AllowShallow bool `yaml:"allow_shallow"`
	// Bots are patterns (* is any text) of "name <e-mail>" that are machines, besides the usual ones.
	Bots []string `yaml:"bots"`

	// Full tells everything again, also what the cursor says was told.
	Full bool `yaml:"-"`
	// AsOf is the present: a tag or a landing dated a day later or more has a wrong clock. The zero time: no date is too
	// late.
	AsOf time.Time `yaml:"-"`
	// CacheDir keeps the clones of addresses.
	CacheDir string `yaml:"-"`
	// Header are HTTP headers, such as a credential, that go to the host of the address and to no other. They reach git
	// through its environment: they are in no file and in no list of processes.
	Header []string `yaml:"-"`
	// Program is the git program.
	Program string `yaml:"-"`
}

// TagEnvironment is the environment of the tags that match Pattern. An empty Tier is read from the name.
type TagEnvironment struct {
	Pattern string `yaml:"pattern"`
	Name    string `yaml:"name"`
	Tier    string `yaml:"tier"`
}

// DefaultConfig returns the settings that are right for most repositories.
func DefaultConfig() Config {
	return Config{
		DeployOn:              DeployOnTags,
		Environment:           DefaultEnvironment,
		PrereleaseEnvironment: DefaultPrereleaseEnvironment,
		Program:               "git",
	}
}

// Source is one run over one repository.
type Source struct {
	cfg        Config
	location   location
	repository string
	releases   releases
	bots       bots
	cursor     cursor
	position   string
	progress   progress.Func
	report     Report
}

// New checks the settings and the position at which to resume ("" for the beginning), and touches neither disk nor
// network. Progress, which may be nil, hears of the stages "objects fetched", "commits" and "deployments". Errors are
// fault.Invalid.
func New(cfg Config, position string, report progress.Func) (*Source, error) {
	loc, err := locate(cfg.Location)
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, location: loc, repository: cfg.Repository, position: position, progress: report}
	if s.repository == "" {
		s.repository = loc.name
	}
	if cfg.Program == "" {
		s.cfg.Program = "git"
	}
	switch {
	case cfg.DeployOn == "":
		return nil, fault.New(fault.Invalid, "what is a deployment is not said: give tags, none or the name of a branch")
	case cfg.DeployOn != DeployOnNone && cfg.Service == "":
		return nil, fault.New(fault.Invalid, "no service is given: deployments are those of a service")
	case cfg.DeployOn != DeployOnNone && cfg.Environment == "", cfg.DeployOn == DeployOnTags && cfg.PrereleaseEnvironment == "":
		return nil, fault.New(fault.Invalid, "the environment of the deployments has no name")
	case cfg.DeployOn != DeployOnTags && (cfg.TagPattern != "" || len(cfg.Environments) > 0):
		return nil, fault.New(fault.Invalid, "a pattern of tags is given, but deployments are not read from tags")
	case !cfg.Register && len(cfg.Paths)+len(cfg.SharedPaths) > 0:
		return nil, fault.New(fault.Invalid, "paths are given, but the service is not to be registered: they belong to its registration")
	case cfg.Register && cfg.Service == "":
		return nil, fault.New(fault.Invalid, "no service is given to register")
	}
	for _, header := range cfg.Header {
		if !strings.Contains(header, ":") || strings.ContainsAny(header, "\x00\n\r") {
			return nil, fault.New(fault.Invalid, "a header for %s is none: it has the form name: value", s.location)
		}
	}
	for what, text := range map[string]string{
		"repository": s.repository, "service": cfg.Service, "environment": cfg.Environment,
		"environment of pre-releases": cfg.PrereleaseEnvironment, "branch": cfg.Branch, "deployed branch": cfg.DeployOn,
	} {
		if clip(text, maxText) != text || strings.ContainsAny(text, "\x00\n\r") {
			return nil, fault.New(fault.Invalid, "the name of the %s is no name: %.40q", what, text)
		}
	}
	if s.releases, err = newReleases(cfg); err != nil {
		return nil, err
	}
	if s.bots, err = newBots(cfg.Bots); err != nil {
		return nil, err
	}
	if s.cursor, err = readCursor(position, s.repository); err != nil && !cfg.Full {
		return nil, err
	}
	return s, nil
}

// Stream names what the position belongs to: the repository. Runs for several services of one repository share it.
func (s *Source) Stream() string { return s.repository }

// Position is where the next run resumes, once everything that Events has yielded so far is stored. It moves when the
// whole repository has been told; until then a run that breaks off is repeated.
func (s *Source) Position() string { return s.position }

// Report says what the last run of Events found.
func (s *Source) Report() Report { return s.report }

// Events yields the repository, the service if it is to be registered, the commits that are new since the position at
// which the source was made, the default branch, and the deployments that are new. Commits come in git's order, children
// first as a rule. It ends after the first error, which is a fault. Calling it again starts over.
func (s *Source) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		err := s.collect(ctx, func(e event.Event) error {
			if !yield(e, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped says that the consumer wants no more events.
var errStopped = errors.New("the consumer stopped")
