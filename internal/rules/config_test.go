package rules_test

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

// configured reads the section `rules` as the program does, over the defaults.
func configured(t *testing.T, text string) (*rules.Rules, error) {
	t.Helper()
	cfg := rules.DefaultConfig()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil && text != "" {
		t.Fatal(err)
	}
	return rules.New(cfg)
}

func compiled(t *testing.T, text string) *rules.Rules {
	t.Helper()
	r, err := configured(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAMistakeIsNamedWithItsPlace(t *testing.T) {
	tests := []struct{ yaml, want string }{
		{`services: [{service: shop}]`,
			`rules.services[0].repository is empty: expected a pattern, such as acme/shop, or * for all`},
		{`services: [{repository: acme/shop}]`,
			`rules.services[0].service is empty: expected the id of a service, such as {name}, or none`},
		{`services: [{repository: "/(/", service: shop}]`,
			`rules.services[0].repository is "/(/": it is no regular expression: missing closing )`},
		{`services: [{repository: "//", service: shop}]`,
			`rules.services[0].repository is "//": it is an empty regular expression`},
		{`services: [{repository: "acme/*", service: "{1}"}]`,
			`rules.services[0].service is "{1}": there is no {1}; expected {name} or {repository}`},
		{`services: [{repository: "acme/*", service: "{Name}"}]`,
			`rules.services[0].service is "{Name}": there is no {Name}; expected {name} or {repository}`},
		{`services: [{repository: acme/docs, service: none, paths: [a]}]`,
			`rules.services[0].service is none: a repository that is no service has no paths`},
		{`services: [{repository: acme/shop, service: shop, paths: [a, ""]}]`,
			`rules.services[0].paths[1] is empty: expected a part of the repository, such as services/shop`},
		{`services: [{repository: acme/shop, service: shop, paths: [a], shared_paths: [" "]}]`,
			`rules.services[0].shared_paths[0] is empty: expected a part of the repository, such as services/shop`},
		{`services: [{repository: acme/mono, service: web}, {repository: acme/mono, service: none}]`,
			`rules.services[1].service is "none", but by rules.services[0] it is "web": acme/mono is no service or has some, not both`},
		{`services: [{repository: acme/mono, service: web, paths: [a]}, {repository: acme/mono, service: web, paths: [b]}]`,
			`rules.services[1] is about the same repository and service as rules.services[0]: put their paths into one rule`},
		{`deployments: [{from: tag}]`,
			`rules.deployments[0].repository is empty: expected a pattern, such as acme/shop, or * for all`},
		{`deployments: [{repository: "*", from: tag}, {repository: "*", from: tag}, {repository: "*", from: worklow}]`,
			`rules.deployments[2].from is "worklow": expected one of deployment, workflow, job, release, tag, branch, none`},
		{`deployments: [{repository: "*"}]`,
			`rules.deployments[0].from is "": expected one of deployment, workflow, job, release, tag, branch, none`},
		{`deployments: [{repository: "*", from: job, name: "/[/"}]`,
			`rules.deployments[0].name is "/[/": it is no regular expression: missing closing ]`},
		{`deployments: [{repository: "*", from: job, name: deploy, service: "{1}"}]`,
			`rules.deployments[0].service is "{1}": {1} stands for the text of the first * or group, but "deploy" has none`},
		{`deployments: [{repository: "*", from: job, name: "/deploy/", environment: "{1}"}]`,
			`rules.deployments[0].environment is "{1}": {1} stands for the text of the first * or group, but "/deploy/" has none`},
		{`deployments: [{repository: "*", from: job, service: "{1}"}]`,
			`rules.deployments[0].service is "{1}": {1} stands for the text of a *, but the rule has no pattern that it could be in`},
		{`deployments: [{repository: "*", from: job, name: "* to *", service: "{1}", environment: "{2}"}]`,
			`rules.deployments[0].environment is "{2}": there is no {2}; expected {name}, {repository} or {1}`},
		{`deployments: [{repository: "*", from: job, service: None}]`,
			`rules.deployments[0].service is none: what is no deployment has from: none; whose service it is may be left out`},
		{`deployments: [{repository: "*", from: none, name: build}]`,
			`rules.deployments[0].name is "build": from: none is about all there is in the repository; leave it out`},
		{`deployments: [{repository: "*", from: none, environment: staging}]`,
			`rules.deployments[0].environment is "staging": from: none is about all there is in the repository; leave it out`},
		{`deployments: [{repository: "*", from: none, service: shop}]`,
			`rules.deployments[0].service is "shop": from: none is about all there is in the repository; leave it out`},
		{`environments: [{tier: production}]`,
			`rules.environments[0].name is empty: expected a pattern, such as prod-*`},
		{`environments: [{name: "*", tier: prod}]`,
			`rules.environments[0].tier is "prod": expected one of production, staging, testing, development, other`},
		{`environments: [{name: "*"}]`,
			`rules.environments[0].tier is "": expected one of production, staging, testing, development, other`},
		{`hotfixes: {branches: [""]}`,
			`rules.hotfixes.branches[0] is empty: expected a pattern, such as hotfix/*`},
		{`hotfixes: {labels: [a, "/*/"]}`,
			`rules.hotfixes.labels[1] is "/*/": it is no regular expression: missing argument to repetition operator`},
		{`hotfixes: {titles: ["/a{2,1}/"]}`,
			`rules.hotfixes.titles[0] is "/a{2,1}/": it is no regular expression: invalid repeat count`},
		{`incidents: {repository: "/)/"}`,
			`rules.incidents.repository is "/)/": it is no regular expression: unexpected )`},
		{`incidents: {labels: [" "]}`,
			`rules.incidents.labels[0] is empty: expected a pattern, such as incident`},
		{`incidents: {types: [""]}`,
			`rules.incidents.types[0] is empty: expected a pattern, such as incident`},
		{`incidents: {severity: {"": high}}`,
			`rules.incidents.severity has an empty pattern: expected a label, such as severity/*`},
		{`incidents: {severity: {urgent: ""}}`,
			`rules.incidents.severity["urgent"] is empty: expected the severity that the label stands for`},
		{`incidents: {service: {"service/shop": "{1}"}}`,
			`rules.incidents.service["service/shop"] is "{1}": {1} stands for the text of the first * or group, but "service/shop" has none`},
		{`incidents: {service: {"/\\/": shop}}`,
			`rules.incidents.service["/\\/"] is "/\\/": it is no regular expression: trailing backslash at end of expression`},
		{`bots: ["/a)|(b/"]`,
			`rules.bots[0] is "/a)|(b/": it is no regular expression: unexpected )`},
		{`golden_paths: [""]`,
			`rules.golden_paths[0] is empty: expected a pattern, such as acme/platform/*`},
		{`bots: ["/(?P<a/"]`,
			`rules.bots[0] is "/(?P<a/": it is no regular expression: invalid named capture`},
		// Several are told at once, in the order of the file.
		{`{services: [{repository: "*"}], environments: [{name: x, tier: y}]}`,
			`rules.services[0].service is empty: expected the id of a service, such as {name}, or none; ` +
				`rules.environments[0].tier is "y": expected one of production, staging, testing, development, other`},
	}
	for _, tt := range tests {
		t.Run(tt.yaml, func(t *testing.T) {
			_, err := configured(t, tt.yaml)
			if err == nil {
				t.Fatal("it is taken")
			}
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("got a fault of kind %s", fault.KindOf(err))
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestTheListOfAConfigurationReplacesTheDefault(t *testing.T) {
	r := compiled(t, `{hotfixes: {labels: [urgent]}, incidents: {labels: []}}`)
	if ok, rule := r.Hotfix("x", "x", []string{"hotfix"}); ok {
		t.Errorf("the label hotfix still is one, by %s", rule)
	}
	if ok, rule := r.Hotfix("hotfix/x", "x", nil); !ok || rule != "the default: branch hotfix/*" {
		t.Errorf("branches are as before: got %v by %s", ok, rule)
	}
	if got := r.Incident(rules.Issue{Repository: "acme/shop", Labels: []string{"incident"}}); got.Incident {
		t.Errorf("the label incident still is one, by %s", got.Rule)
	}
	if got := r.Incident(rules.Issue{Repository: "acme/shop", Type: "incident"}); !got.Incident {
		t.Error("types are as before")
	}
}
