package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// incidents are the compiled rules about incidents.
type incidents struct {
	repository pattern
	labels     marks
	types      marks
	severity   []labelRule // by the configuration; when it has none, the usual labels
	service    []labelRule
}

// labelRule reads something from a label.
type labelRule struct {
	label pattern
	value string
}

func (in *incidents) judge(r *Rules, i Issue) Incident {
	if !in.repository.fits(i.Repository) {
		return Incident{Rule: fmt.Sprintf("rules.incidents.repository is %s", in.repository.text)}
	}
	// The order of labels says nothing.
	labels := slices.Sorted(slices.Values(i.Labels))
	rule, ok := in.types.fits(i.Type)
	if !ok {
		rule, ok = in.labels.fits(labels...)
	}
	if !ok {
		return Incident{Rule: nothingFits}
	}
	found := Incident{Incident: true, Rule: rule, Severity: usualSeverity(labels)}
	if len(in.severity) > 0 {
		found.Severity = readLabel(in.severity, i.Repository, labels)
	}
	found.Service = readLabel(in.service, i.Repository, labels)
	if services := r.of(i.Repository).services; found.Service == "" && len(services) == 1 {
		found.Service = services[0].ID
	}
	return found
}

// readLabel returns what the first rule that fits a label makes of it.
func readLabel(rules []labelRule, repository string, labels []string) string {
	for _, rule := range rules {
		for _, label := range labels {
			if rule.label.fits(label) {
				if value := expand(rule.value, repository, rule.label.first(label)); value != "" {
					return value
				}
			}
		}
	}
	return ""
}

var (
	severityLabel = regexp.MustCompile(`(?i)^(?:sev|severity)[-_:/. ]*(\d|critical|high|major|medium|moderate|low|minor)$`)
	priorityLabel = regexp.MustCompile(`(?i)^(?:p|prio|priority)[-_:/. ]*(\d)$`)
)

// usualSeverity reads sev1, severity::2 (sev2), severity: high (high) and, when there is none of these, p1. Of several the
// gravest holds.
func usualSeverity(labels []string) string {
	grave := []string{
		"sev0", "sev1", "sev2", "sev3", "sev4", "sev5", "sev6", "sev7", "sev8", "sev9",
		"critical", "high", "major", "medium", "moderate", "low", "minor",
		"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9",
	}
	best := len(grave)
	for _, label := range labels {
		label = strings.TrimSpace(label)
		severity := ""
		if found := severityLabel.FindStringSubmatch(label); found != nil {
			if severity = strings.ToLower(found[1]); len(severity) == 1 {
				severity = "sev" + severity
			}
		} else if found := priorityLabel.FindStringSubmatch(label); found != nil {
			severity = "p" + found[1]
		}
		if at := slices.Index(grave, severity); at >= 0 && at < best {
			best = at
		}
	}
	if best == len(grave) {
		return ""
	}
	return grave[best]
}
