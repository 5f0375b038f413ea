package rules_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/rules"
)

func TestHotfixes(t *testing.T) {
	tests := []struct {
		name, yaml, branch, title string
		labels                    []string
		want                      bool
		rule                      string
	}{
		{"the branch says so", ``, "hotfix/cart", "", nil, true, "the default: branch hotfix/*"},
		{"or with a hyphen", ``, "Hotfix-12/x", "", nil, true, "the default: branch hotfix-*"},
		{"a label says so", ``, "cart", "", []string{"bug", "HotFix"}, true, "the default: label hotfix"},
		{"a title does not", ``, "cart", "hotfix: cart", nil, false, "no rule fits"},
		{"a branch that only starts so does not", ``, "hotfixes", "", []string{"not a hotfix"}, false, "no rule fits"},
		{"neither does the lack of a branch", `hotfixes: {branches: ["*"]}`, "", "", nil, false, "no rule fits"},
		{"titles by a rule", `hotfixes: {titles: ["nothing", "/^\\[?(hotfix|urgent)\\b/"]}`, "cart", "[Urgent] cart", nil, true, `rules.hotfixes.titles[1]: /^\[?(hotfix|urgent)\b/`},
		{"labels by a rule", `hotfixes: {labels: ["fix::*"]}`, "cart", "", []string{"fix::now"}, true, "rules.hotfixes.labels[0]: fix::*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, rule := compiled(t, tt.yaml).Hotfix(tt.branch, tt.title, tt.labels)
			if got != tt.want || rule != tt.rule {
				t.Errorf("got %v by %q, want %v by %q", got, rule, tt.want, tt.rule)
			}
		})
	}
}

func TestIncidents(t *testing.T) {
	tests := []struct {
		name, yaml string
		issue      rules.Issue
		want       rules.Incident
	}{
		{"a label says so", ``, rules.Issue{Labels: []string{"bug", "Incident"}},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: label incident"}},
		{"or another", ``, rules.Issue{Labels: []string{"type::incident"}},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: label type::incident"}},
		{"or the type", ``, rules.Issue{Type: "INCIDENT"},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: type incident"}},
		{"a severity alone is none: bugs have one, too", ``, rules.Issue{Labels: []string{"severity::1", "sev1", "p0"}, Type: "issue"},
			rules.Incident{Rule: "no rule fits"}},
		{"neither is what only speaks of one", ``, rules.Issue{Labels: []string{"incident-follow-up", "postmortem", ""}},
			rules.Incident{Rule: "no rule fits"}},
		{"labels by a rule", `incidents: {labels: [x, "sev?"]}`, rules.Issue{Labels: []string{"SEV2"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "sev2", Rule: "rules.incidents.labels[1]: sev?"}},
		{"in other repositories none", `incidents: {repository: acme/ops}`, rules.Issue{Labels: []string{"incident"}},
			rules.Incident{Rule: "rules.incidents.repository is acme/ops"}},
		{"in the one there are", `incidents: {repository: "acme/sh*"}`, rules.Issue{Labels: []string{"incident"}},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: label incident"}},

		{"a scoped severity", ``, rules.Issue{Labels: []string{"incident", "severity::2"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "sev2", Rule: "the default: label incident"}},
		{"a severity in words", ``, rules.Issue{Labels: []string{"incident", "Severity: High"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "high", Rule: "the default: label incident"}},
		{"the gravest of several", ``, rules.Issue{Labels: []string{"incident", "sev-3", "P1", "sev-2"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "sev2", Rule: "the default: label incident"}},
		{"a priority where there is no severity", ``, rules.Issue{Labels: []string{"incident", "priority::1"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "p1", Rule: "the default: label incident"}},
		{"no severity in other words", ``, rules.Issue{Labels: []string{"incident", "several", "p10", "php7", "sev"}},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: label incident"}},
		{"severities by rules, the more particular first", `incidents: {severity: {"impact/*": "{1}", "impact/all": critical, "*": unknown}}`,
			rules.Issue{Labels: []string{"incident", "impact/all", "impact/some"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "critical", Rule: "the default: label incident"}},
		{"with the text of the star", `incidents: {severity: {"impact/*": "{1}", "impact/all": critical}}`,
			rules.Issue{Labels: []string{"incident", "impact/some", "sev1"}},
			rules.Incident{Incident: true, Service: "acme/shop", Severity: "some", Rule: "the default: label incident"}},

		{"a service by a label", `incidents: {service: {"service/*": "{1}"}}`, rules.Issue{Labels: []string{"service/cart", "incident"}},
			rules.Incident{Incident: true, Service: "cart", Rule: "the default: label incident"}},
		{"of several labels the first by the alphabet", `incidents: {service: {"service/*": "{1}"}}`, rules.Issue{Labels: []string{"service/shop", "service/cart", "incident"}},
			rules.Incident{Incident: true, Service: "cart", Rule: "the default: label incident"}},
		{"of several patterns the longest", `incidents: {service: {"service/*": "{1}", "*": other, "service/pay*": payments}}`, rules.Issue{Labels: []string{"service/pay-eu", "incident"}},
			rules.Incident{Incident: true, Service: "payments", Rule: "the default: label incident"}},
		{"a pattern that leaves it empty leaves it to the next", `incidents: {service: {"service/*": "{1}", "serv*": cart}}`, rules.Issue{Labels: []string{"service/", "incident"}},
			rules.Incident{Incident: true, Service: "cart", Rule: "the default: label incident"}},
		{"a label that leaves it empty does not say", `incidents: {service: {"service/*": "{1}"}}`, rules.Issue{Labels: []string{"service/", "incident"}},
			rules.Incident{Incident: true, Service: "acme/shop", Rule: "the default: label incident"}},
		{"of several services none", mono, rules.Issue{Repository: "acme/mono", Labels: []string{"incident"}},
			rules.Incident{Incident: true, Rule: "the default: label incident"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.issue.Repository == "" {
				tt.issue.Repository = "acme/shop"
			}
			r := compiled(t, tt.yaml)
			for range 2 {
				if diff := cmp.Diff(tt.want, r.Incident(tt.issue)); diff != "" {
					t.Errorf("incident with the labels %v (-want +got):\n%s", tt.issue.Labels, diff)
				}
				slices.Reverse(tt.issue.Labels) // their order says nothing
			}
		})
	}
}

func TestBots(t *testing.T) {
	r := compiled(t, `bots: ["acme-*-robot", "/^svc_/"]`)
	for login, want := range map[string]bool{
		"dependabot[bot]": true, "acme-bot": true, "renovate": true, "project_7_bot_ab12@noreply.gitlab.com": true,
		"Acme-deploy-Robot": true, "svc_release": true,
		"ada": false, "my_svc_x": false, "": false, "talbot": false,
	} {
		if got := r.Bot(login); got != want {
			t.Errorf("%q: got %v", login, got)
		}
	}
}
