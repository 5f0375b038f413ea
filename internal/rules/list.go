package rules

import (
	"fmt"
	"strings"
)

// List tells the rules in their order, a sentence each, with those that hold by default.
func (r *Rules) List() []string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, rule := range r.services {
		switch {
		case rule.none:
			say("%s is no service.", rule.rule)
		case len(rule.paths)+len(rule.sharedPaths) == 0:
			say("%s is the service %s.", rule.rule, rule.service)
		default:
			parts := strings.Join(rule.paths, ", ")
			if len(rule.paths) == 0 {
				parts = "all of it"
			}
			if len(rule.sharedPaths) > 0 {
				parts += "; shared with others: " + strings.Join(rule.sharedPaths, ", ")
			}
			say("%s has the service %s (%s).", rule.rule, rule.service, parts)
		}
	}
	say("%s, called as the repository, where none of the rules for services fits.", defaultService)
	for _, rule := range r.deployments {
		if rule.from == FromNone {
			say("%s is a deployment.", rule.rule)
			continue
		}
		sentence := rule.rule + " is a deployment"
		if rule.service != "" {
			sentence += " of " + rule.service
		}
		if rule.environment != "" {
			sentence += " to " + rule.environment
		}
		say("%s.", sentence)
	}
	say("%s, to the environment that it names, in repositories that none of the rules for deployments is about.", defaultDeployment)
	for i, rule := range r.environments {
		say("rules.environments[%d]: %s is %s.", i, rule.name.text, rule.tier)
	}
	for _, marks := range []marks{r.hotfixes.branches, r.hotfixes.labels, r.hotfixes.titles} {
		for _, mark := range marks {
			say("%s is a hotfix.", mark.rule)
		}
	}
	for _, marks := range []marks{r.incidents.types, r.incidents.labels} {
		for _, mark := range marks {
			sentence := mark.rule + " is an incident"
			if r.incidents.repository.text != "" {
				sentence += ", in " + r.incidents.repository.text
			}
			say("%s.", sentence)
		}
	}
	for _, rule := range r.incidents.severity {
		say("rules.incidents.severity: the label %s means %s.", rule.label.text, rule.value)
	}
	if len(r.incidents.severity) == 0 {
		say("the default: labels such as sev1, severity::2, severity: high and p1 say the severity of an incident.")
	}
	for _, rule := range r.incidents.service {
		say("rules.incidents.service: the label %s means %s.", rule.label.text, rule.value)
	}
	say("the default: an incident that no label says the service of is the only service's of its repository.")
	for i, path := range r.goldenPaths {
		say("rules.golden_paths[%d]: %s is the golden path.", i, path.text)
	}
	for i, p := range r.bots {
		say("rules.bots[%d]: %s is a machine.", i, p.text)
	}
	say("the default: what ends in [bot], -bot or _bot, and the well-known ones, are machines.")
	return list
}
