package rules

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"cairn/internal/bot"
	"cairn/internal/event"
)

// Rules are compiled rules. They are safe for use from several goroutines.
type Rules struct {
	services     []serviceRule
	deployments  []deploymentRule
	environments []environmentRule
	hotfixes     hotfixes
	incidents    incidents
	goldenPaths  []pattern
	bots         []pattern

	mu    sync.Mutex
	known map[string]*repositoryRules
}

// maxKnown bounds the repositories whose rules are remembered.
const maxKnown = 10_000

// repositoryRules are the rules of one repository.
type repositoryRules struct {
	services    []Service
	serviceRule string // which decided on the services
	deployments []*deploymentRule
}

// Service is a service that is built from a repository.
type Service struct {
	ID   string
	From event.ServiceRepository
	Rule string
}

// Rules that are not in the configuration.
const (
	defaultService    = "the default: a service per repository"
	defaultDeployment = "the default: deployments of the forge"
	nothingFits       = "no rule fits"
)

// of returns the rules of a repository.
func (r *Rules) of(repository string) *repositoryRules {
	r.mu.Lock()
	of, ok := r.known[repository]
	r.mu.Unlock()
	if ok {
		return of
	}
	of = &repositoryRules{}
	of.services, of.serviceRule = r.servicesOf(repository)
	for i := range r.deployments {
		if rule := &r.deployments[i]; rule.repository.fits(repository) {
			of.deployments = append(of.deployments, rule)
		}
	}
	if len(of.deployments) == 0 {
		of.deployments = []*deploymentRule{{from: FromDeployment, rule: defaultDeployment}}
	}
	r.mu.Lock()
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[repository] = of
	r.mu.Unlock()
	return of
}

func (r *Rules) servicesOf(repository string) (services []Service, rule string) {
	for _, first := range r.services {
		if !first.repository.fits(repository) {
			continue
		}
		taken := map[string]bool{}
		for _, also := range r.services {
			if also.repository.text != first.repository.text || also.none {
				continue
			}
			if id := expand(also.service, repository, ""); id != "" && !taken[id] {
				taken[id] = true
				services = append(services, Service{
					ID:   id,
					From: event.ServiceRepository{Repository: repository, Paths: also.paths, SharedPaths: also.sharedPaths},
					Rule: also.rule,
				})
			}
		}
		return services, first.rule
	}
	if repository == "" {
		return nil, defaultService
	}
	return []Service{{ID: repository, From: event.ServiceRepository{Repository: repository}, Rule: defaultService}}, defaultService
}

// Services are the services that are built from a repository, with the parts of it that are theirs. Without a rule it is
// one, whose id is the repository's; none when a rule says so.
func (r *Rules) Services(repository string) []Service {
	return append([]Service(nil), r.of(repository).services...)
}

// Wants says whether things of a kind (FromRelease …) can be deployments in a repository, so that others need not be read.
func (r *Rules) Wants(repository, from string) bool {
	of := r.of(repository)
	for _, rule := range of.deployments {
		if rule.from == FromNone {
			return false
		}
		if rule.from == from && (rule.service != "" || len(of.services) > 0) {
			return true
		}
	}
	return false
}

// Deployment judges a candidate.
func (r *Rules) Deployment(c Candidate) Verdict {
	of := r.of(c.Repository)
	for _, rule := range of.deployments {
		if rule.from == FromNone {
			return Verdict{Rule: rule.rule}
		}
		if rule.from == c.From && rule.name.fits(c.Name) {
			return r.deployment(c, of, rule)
		}
	}
	return Verdict{Rule: nothingFits}
}

// deployment is the verdict on a candidate that a rule fits.
func (r *Rules) deployment(c Candidate, of *repositoryRules, rule *deploymentRule) Verdict {
	first := rule.name.first(c.Name)
	v := Verdict{Deployment: true, Rule: rule.rule}
	switch {
	case rule.service != "":
		if v.Service = expand(rule.service, c.Repository, first); v.Service == "" {
			return Verdict{Rule: rule.rule + ", but it leaves the service empty"}
		}
	case len(of.services) == 0:
		return Verdict{Rule: fmt.Sprintf("%s, but %s has no service by %s", rule.rule, c.Repository, of.serviceRule)}
	case len(of.services) == 1:
		v.Service = of.services[0].ID
	default:
		if v.Service = named(of.services, c.Name, c.Environment); v.Service == "" {
			return Verdict{Rule: fmt.Sprintf("%s has %d services and no rule says whose this is", c.Repository, len(of.services))}
		}
		v.Rule += ", the service by its name"
	}

	given := expand(rule.environment, c.Repository, first)
	switch {
	case given != "":
		v.Environment = given
	case c.Prerelease && (c.From == FromRelease || c.From == FromTag):
		v.Environment, v.Tier = "prerelease", "other"
	case c.Environment != "":
		v.Environment = c.Environment
	default:
		v.Environment = "production"
	}
	// What the forge says of an environment does not hold for another one that a rule put in its place.
	if c.Tier != "" && v.Tier == "" && (given == "" || strings.EqualFold(given, c.Environment)) {
		v.Tier = c.Tier
	}
	for _, environment := range r.environments {
		if environment.name.fits(v.Environment) {
			v.Tier = environment.tier
			break
		}
	}
	v.Way = r.Way(c.Pipeline)
	return v
}

// named finds the one service whose id, or the last part of it, stands in one of the texts as whole words. The longest
// name decides; "" when there is none, or several of the same length.
func named(services []Service, texts ...string) string {
	var id string
	longest := 0
	for _, service := range services {
		length := 0
		for _, name := range []string{service.ID, service.ID[strings.LastIndexByte(service.ID, '/')+1:]} {
			for _, text := range texts {
				if n := utf8.RuneCountInString(name); n > length && hasWords(text, name) {
					length = n
				}
			}
		}
		switch {
		case length > longest:
			id, longest = service.ID, length
		case length == longest:
			id = ""
		}
	}
	return id
}

// hasWords says whether words stand in a text, neither beginning nor ending within a word of it.
func hasWords(text, words string) bool {
	text, words = strings.ToLower(text), strings.ToLower(words)
	within := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for from := 0; words != ""; {
		at := strings.Index(text[from:], words)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, size := utf8.DecodeRuneInString(text[at+len(words):])
		if (at == 0 || !within(before)) && (size == 0 || !within(after)) {
			return true
		}
		_, step := utf8.DecodeRuneInString(text[at:])
		from = at + step
	}
	return false
}

// Incident judges an issue.
func (r *Rules) Incident(i Issue) Incident { return r.incidents.judge(r, i) }

// Hotfix says whether a change request is a hotfix, and by which rule.
func (r *Rules) Hotfix(branch, title string, labels []string) (bool, string) {
	if rule, ok := r.hotfixes.branches.fits(branch); ok {
		return true, rule
	}
	if rule, ok := r.hotfixes.labels.fits(labels...); ok {
		return true, rule
	}
	if rule, ok := r.hotfixes.titles.fits(title); ok {
		return true, rule
	}
	return false, nothingFits
}

// Way says which way a pipeline went: golden_path, own, or "" when no golden path is configured, or the pipeline is not
// known.
func (r *Rules) Way(pipeline string) string {
	if len(r.goldenPaths) == 0 || pipeline == "" {
		return ""
	}
	for _, path := range r.goldenPaths {
		if path.fits(pipeline) {
			return "golden_path"
		}
	}
	return "own"
}

// Bot says whether a login is a machine's.
func (r *Rules) Bot(login string) bool {
	if bot.Is(login) {
		return true
	}
	for _, p := range r.bots {
		if p.fits(login) {
			return true
		}
	}
	return false
}
