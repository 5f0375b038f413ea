package git

import (
	"regexp"
	"slices"
	"strings"

	"cairn/internal/fault"
)

// class is what a tag is to the collector.
type class string

// Classes of tags. Only the first two are deployments.
const (
	classRelease    class = "release"
	classPrerelease class = "prerelease"
	classOther      class = "other component"    // a version, but of another part of a monorepo
	classUnmatched  class = "not in the pattern" // TagPattern leaves it out
	classNoVersion  class = "not a version"
	classNoCommit   class = "not a commit" // it names a tree or a blob
)

// semver is a semantic version 2.0.0 without the prefix; its groups are the pre-release part and the build metadata.
// Source: semver.org, "Is there a suggested regular expression".
var semver = regexp.MustCompile(`^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
	`(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$`)

// component splits a tag into the part of a monorepo that it names and the version: shop/v1.2.3, shop-v1.2.3,
// @acme/shop@1.2.3. The version begins at a digit, with or without a v before it.
var component = regexp.MustCompile(`^(.+?)[/@_-]v?(\d+\.\d+\.\d+.*)$`)

// version reads a tag name as a semantic version, and says whose it is and whether it is a pre-release.
func version(tag string) (owner string, prerelease, ok bool) {
	if m := semver.FindStringSubmatch(strings.TrimPrefix(tag, "v")); m != nil {
		return "", m[1] != "", true
	}
	if m := component.FindStringSubmatch(tag); m != nil {
		if v := semver.FindStringSubmatch(m[2]); v != nil {
			return m[1], v[1] != "", true
		}
	}
	return "", false, false
}

// classify says what the tag of a commit is. A tag that the user's own pattern takes needs no version in its name:
// it is a release unless it reads as a pre-release.
func (r releases) classify(tag string) class {
	owner, prerelease, ok := version(tag)
	switch {
	case r.pattern != nil && !r.pattern.MatchString(tag):
		return classUnmatched
	case r.pattern != nil && (!ok || !prerelease):
		return classRelease
	case !ok:
		return classNoVersion
	case r.pattern == nil && owner != "" && !r.owns(owner):
		return classOther
	case prerelease:
		return classPrerelease
	default:
		return classRelease
	}
}

// owns tells whether the prefix of a tag names the service: in full, or by its last part (@acme/shop, services/shop).
func (r releases) owns(owner string) bool {
	return strings.EqualFold(owner, r.service) || strings.EqualFold(owner[strings.LastIndexByte(owner, '/')+1:], r.service)
}

// environment is where the commit of a tag of a class that is deployed went, and the tier of that environment; an
// empty tier is read from the name by intake.
func (r releases) environment(tag string, c class) (name, tier string) {
	for _, rule := range r.rules {
		if rule.pattern.MatchString(tag) {
			return rule.name, rule.tier
		}
	}
	if c == classPrerelease {
		return r.prerelease, tierOf(r.prerelease, DefaultPrereleaseEnvironment, "other")
	}
	return r.release, tierOf(r.release, DefaultEnvironment, "production")
}

// tierOf says the tier only of the environment that has its default name.
func tierOf(name, usual, tier string) string {
	if name == usual {
		return tier
	}
	return ""
}

// releases tells which tags are deployments, and to where.
type releases struct {
	service    string
	pattern    *regexp.Regexp // nil: semantic versions
	release    string
	prerelease string
	rules      []environmentRule
}

type environmentRule struct {
	pattern    *regexp.Regexp
	name, tier string
}

// tiers are those that the event vocabulary knows.
var tiers = []string{"", "production", "staging", "testing", "development", "other"}

func newReleases(cfg Config) (releases, error) {
	r := releases{service: cfg.Service, release: cfg.Environment, prerelease: cfg.PrereleaseEnvironment}
	if cfg.TagPattern != "" {
		pattern, err := glob(cfg.TagPattern)
		if err != nil {
			return releases{}, fault.New(fault.Invalid, "the tag pattern %q: %w", cfg.TagPattern, err)
		}
		r.pattern = pattern
	}
	for _, e := range cfg.Environments {
		pattern, err := glob(e.Pattern)
		if err != nil {
			return releases{}, fault.New(fault.Invalid, "the tag pattern %q of environment %q: %w", e.Pattern, e.Name, err)
		}
		if e.Name == "" {
			return releases{}, fault.New(fault.Invalid, "the tag pattern %q names no environment", e.Pattern)
		}
		if !slices.Contains(tiers, e.Tier) {
			return releases{}, fault.New(fault.Invalid, "the tier %q of environment %q: give one of %s", e.Tier, e.Name, strings.Join(tiers[1:], ", "))
		}
		r.rules = append(r.rules, environmentRule{pattern, e.Name, e.Tier})
	}
	return r, nil
}
