package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DefaultConfig returns what holds without a configuration. The rules about services and deployments that hold for
// repositories without one of their own are not in it: see Rules.List.
func DefaultConfig() Config {
	return Config{
		Hotfixes: MarkRule{
			Branches: []string{"hotfix/*", "hotfix-*"},
			Labels:   []string{"hotfix"},
		},
		Incidents: IncidentRule{
			Labels: []string{"incident", "outage", "type: incident", "type::incident", "kind/incident"},
			Types:  []string{"incident"},
		},
	}
}

type serviceRule struct {
	repository         pattern
	service            string
	none               bool
	paths, sharedPaths []string
	rule               string
}

type deploymentRule struct {
	repository  pattern
	from        string
	name        pattern
	environment string
	service     string
	rule        string
}

type environmentRule struct {
	name pattern
	tier string
}

type hotfixes struct{ branches, labels, titles marks }

// marks are patterns of one list, with the name of the rule that each is.
type marks []mark

type mark struct {
	pattern
	rule string
}

// fits returns the first pattern that fits one of the texts. What is empty fits nothing.
func (m marks) fits(texts ...string) (rule string, ok bool) {
	for _, mark := range m {
		for _, text := range texts {
			if text != "" && mark.pattern.fits(text) {
				return mark.rule, true
			}
		}
	}
	return "", false
}

// New checks and compiles. Errors are fault.Invalid and name the rule as it stands in the configuration:
// rules.deployments[2].from is "worklow": …; of several mistakes all are told.
func New(cfg Config) (*Rules, error) {
	var in inspection
	r := &Rules{known: map[string]*repositoryRules{}}
	for i, rule := range cfg.Services {
		r.services = append(r.services, in.service(fmt.Sprintf("rules.services[%d]", i), rule))
	}
	in.oneRuleEach(cfg.Services)
	for i, rule := range cfg.Deployments {
		r.deployments = append(r.deployments, in.deployment(fmt.Sprintf("rules.deployments[%d]", i), rule))
	}
	for i, rule := range cfg.Environments {
		place := fmt.Sprintf("rules.environments[%d]", i)
		compiled := environmentRule{name: in.pattern(place+".name", rule.Name, "prod-*"), tier: rule.Tier}
		in.oneOf(place+".tier", rule.Tier, "production", "staging", "testing", "development", "other")
		r.environments = append(r.environments, compiled)
	}
	usual := DefaultConfig()
	r.hotfixes = hotfixes{
		branches: in.marks("rules.hotfixes.branches", "branch", "hotfix/*", cfg.Hotfixes.Branches, usual.Hotfixes.Branches),
		labels:   in.marks("rules.hotfixes.labels", "label", "hotfix", cfg.Hotfixes.Labels, usual.Hotfixes.Labels),
		titles:   in.marks("rules.hotfixes.titles", "title", "hotfix: *", cfg.Hotfixes.Titles, usual.Hotfixes.Titles),
	}
	r.incidents = incidents{
		repository: in.optional("rules.incidents.repository", cfg.Incidents.Repository),
		labels:     in.marks("rules.incidents.labels", "label", "incident", cfg.Incidents.Labels, usual.Incidents.Labels),
		types:      in.marks("rules.incidents.types", "type", "incident", cfg.Incidents.Types, usual.Incidents.Types),
		severity:   in.labelRules("rules.incidents.severity", "severity", cfg.Incidents.Severity),
		service:    in.labelRules("rules.incidents.service", "service", cfg.Incidents.Service),
	}
	for i, text := range cfg.GoldenPaths {
		r.goldenPaths = append(r.goldenPaths, in.pattern(fmt.Sprintf("rules.golden_paths[%d]", i), text, "acme/platform/*"))
	}
	for i, text := range cfg.Bots {
		r.bots = append(r.bots, in.pattern(fmt.Sprintf("rules.bots[%d]", i), text, "acme-deployer*"))
	}
	if err := in.fault(); err != nil {
		return nil, err
	}
	return r, nil
}

func (in *inspection) service(place string, rule ServiceRule) serviceRule {
	compiled := serviceRule{
		repository:  in.pattern(place+".repository", rule.Repository, "acme/shop, or * for all"),
		service:     rule.Service,
		none:        strings.EqualFold(rule.Service, "none"),
		paths:       slices.Clone(rule.Paths),
		sharedPaths: slices.Clone(rule.SharedPaths),
		rule:        place + ": " + rule.Repository,
	}
	if strings.TrimSpace(rule.Service) == "" {
		in.say("%s.service is empty: expected the id of a service, such as {name}, or none", place)
	}
	in.template(place+".service", rule.Service, nil)
	if compiled.none && len(rule.Paths)+len(rule.SharedPaths) > 0 {
		in.say("%s.service is none: a repository that is no service has no paths", place)
	}
	in.paths(place+".paths", rule.Paths)
	in.paths(place+".shared_paths", rule.SharedPaths)
	return compiled
}

func (in *inspection) paths(place string, paths []string) {
	for i, path := range paths {
		if strings.TrimSpace(path) == "" {
			in.say("%s[%d] is empty: expected a part of the repository, such as services/shop", place, i)
		}
	}
}

// oneRuleEach asks that the rules of one repository pattern are about a service each, or one rule that says none.
func (in *inspection) oneRuleEach(rules []ServiceRule) {
	seen := map[[2]string]int{} // by repository and service
	first := map[string]int{}   // by repository
	for i, rule := range rules {
		before, again := first[rule.Repository]
		if !again {
			first[rule.Repository] = i
		} else if strings.EqualFold(rule.Service, "none") != strings.EqualFold(rules[before].Service, "none") {
			in.say("rules.services[%d].service is %q, but by rules.services[%d] it is %q: %s is no service or has some, not both",
				i, rule.Service, before, rules[before].Service, rule.Repository)
			continue
		}
		key := [2]string{rule.Repository, rule.Service}
		if before, again := seen[key]; again {
			in.say("rules.services[%d] is about the same repository and service as rules.services[%d]: put their paths into one rule", i, before)
			continue
		}
		seen[key] = i
	}
}

func (in *inspection) deployment(place string, rule DeploymentRule) deploymentRule {
	compiled := deploymentRule{
		repository:  in.pattern(place+".repository", rule.Repository, "acme/shop, or * for all"),
		from:        rule.From,
		name:        in.optional(place+".name", rule.Name),
		environment: rule.Environment,
		service:     rule.Service,
		rule:        place + ": " + rule.what(),
	}
	in.oneOf(place+".from", rule.From, FromDeployment, FromWorkflow, FromJob, FromRelease, FromTag, FromBranch, FromNone)
	if rule.From == FromNone {
		in.absent(place+".name", rule.Name)
		in.absent(place+".environment", rule.Environment)
		in.absent(place+".service", rule.Service)
		return compiled
	}
	in.template(place+".environment", rule.Environment, &compiled.name)
	in.template(place+".service", rule.Service, &compiled.name)
	if strings.EqualFold(rule.Service, "none") {
		in.say("%s.service is none: what is no deployment has from: none; whose service it is may be left out", place)
	}
	return compiled
}

// absent asks that a rule with from: none leaves something out.
func (in *inspection) absent(place, text string) {
	if text != "" {
		in.say("%s is %q: from: none is about all there is in the repository; leave it out", place, text)
	}
}

// what says in a few words which things a rule is about: workflow "Deploy *" of acme/*.
func (rule DeploymentRule) what() string {
	if rule.From == FromNone {
		return "nothing of " + rule.Repository
	}
	if rule.Name == "" {
		return fmt.Sprintf("any %s of %s", rule.From, rule.Repository)
	}
	return fmt.Sprintf("%s %q of %s", rule.From, rule.Name, rule.Repository)
}

// marks compiles the patterns of one list. When they are the usual ones, the rules are called the default.
func (in *inspection) marks(place, what, example string, patterns, usual []string) marks {
	var compiled marks
	for i, text := range patterns {
		at := fmt.Sprintf("%s[%d]", place, i)
		rule := at + ": " + text
		if slices.Equal(patterns, usual) {
			rule = fmt.Sprintf("the default: %s %s", what, text)
		}
		compiled = append(compiled, mark{in.pattern(at, text, example), rule})
	}
	return compiled
}

// labelRules puts the most particular patterns first, since a map has no order: those without * and ?, then the
// longer ones.
func (in *inspection) labelRules(place, what string, values map[string]string) []labelRule {
	var compiled []labelRule
	for _, text := range slices.Sorted(maps.Keys(values)) {
		at := fmt.Sprintf("%s[%q]", place, text)
		rule := labelRule{value: values[text]}
		if strings.TrimSpace(text) == "" {
			in.say("%s has an empty pattern: expected a label, such as %s/*", place, what)
			continue
		}
		rule.label = in.pattern(at, text, what+"/*")
		if strings.TrimSpace(rule.value) == "" {
			in.say("%s is empty: expected the %s that the label stands for", at, what)
		}
		in.template(at, rule.value, &rule.label)
		compiled = append(compiled, rule)
	}
	slices.SortStableFunc(compiled, func(a, b labelRule) int {
		if a.label.literal != b.label.literal {
			if a.label.literal {
				return -1
			}
			return 1
		}
		return cmp.Compare(len(b.label.text), len(a.label.text))
	})
	return compiled
}
