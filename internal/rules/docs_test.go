package rules_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/internal/rules"
)

// examples returns the rules of docs/rules.md by the heading that they stand under; of several the last.
func examples(t *testing.T) map[string]*rules.Rules {
	t.Helper()
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*rules.Rules{}
	for section := range strings.SplitSeq(string(page), "\n#") {
		heading := strings.TrimLeft(strings.SplitN(section, "\n", 2)[0], "# ")
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section, -1) {
			cfg := struct{ Rules rules.Config }{rules.DefaultConfig()}
			decoder := yaml.NewDecoder(strings.NewReader(block[1]))
			decoder.KnownFields(true)
			if err := decoder.Decode(&cfg); err != nil {
				t.Fatalf("%s: %v", heading, err)
			}
			if found[heading], err = rules.New(cfg.Rules); err != nil {
				t.Fatalf("%s: %v", heading, err)
			}
		}
	}
	return found
}

func TestTheExamplesDoWhatTheDocumentationSays(t *testing.T) {
	under := examples(t)
	deployments := []struct {
		heading                         string
		c                               rules.Candidate
		service, environment, tier, way string // service "": it is none
	}{
		{"One service per repository", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment}, "shop", "production", "", ""},
		{"One service per repository", rules.Candidate{Repository: "acme/pay/ledger", From: rules.FromDeployment}, "ledger", "production", "", ""},
		{"One service per repository", rules.Candidate{Repository: "acme/api-docs", From: rules.FromDeployment}, "", "", "", ""},
		{"One service per repository", rules.Candidate{Repository: "acme/handbook", From: rules.FromDeployment}, "", "", "", ""},
		{"Several services in one repository", rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Name: "deploy web to prod"}, "web", "production", "", ""},
		{"Several services in one repository", rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "billing-prod"}, "billing", "billing-prod", "", ""},
		{"Several services in one repository", rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "prod"}, "", "", "", ""},
		{"By workflow", rules.Candidate{Repository: "acme/shop", From: rules.FromWorkflow, Name: "Deploy to staging"}, "acme/shop", "staging", "", ""},
		{"By workflow", rules.Candidate{Repository: "acme/shop", From: rules.FromWorkflow, Name: "Deploy to production"}, "acme/shop", "production", "", ""},
		{"By job", rules.Candidate{Repository: "acme/mono", From: rules.FromJob, Name: "Deploy web"}, "web", "production", "", ""},
		{"By job", rules.Candidate{Repository: "acme/mono", From: rules.FromJob, Name: "Build bicep prod"}, "", "", "", ""},
		{"By release", rules.Candidate{Repository: "acme/cli", From: rules.FromRelease, Name: "v1.0.0"}, "acme/cli", "production", "", ""},
		{"By release", rules.Candidate{Repository: "acme/cli", From: rules.FromRelease, Name: "v1.0.0-rc.1", Prerelease: true}, "acme/cli", "staging", "", ""},
		{"By release", rules.Candidate{Repository: "acme/cli", From: rules.FromRelease, Name: "v1.0.0-beta", Prerelease: true}, "acme/cli", "prerelease", "other", ""},
		{"By tag", rules.Candidate{Repository: "acme/mono", From: rules.FromTag, Name: "web/v1.4.2"}, "web", "production", "", ""},
		{"By tag", rules.Candidate{Repository: "acme/shop", From: rules.FromTag, Name: "v1.4.2"}, "acme/shop", "production", "", ""},
		{"By tag", rules.Candidate{Repository: "acme/shop", From: rules.FromTag, Name: "latest"}, "", "", "", ""},
		{"By merge to main", rules.Candidate{Repository: "acme/shop", From: rules.FromBranch, Name: "main"}, "acme/shop", "production", "", ""},
		{"By merge to main", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Environment: "production"}, "", "", "", ""},
		{"Not at all", rules.Candidate{Repository: "acme/sandbox", From: rules.FromDeployment}, "", "", "", ""},
		{"Deployments from a repository of its own", rules.Candidate{Repository: "acme/deploy", From: rules.FromWorkflow, Name: "Roll out shop"}, "acme/shop", "production", "", ""},
		{"Environments", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Environment: "live-1"}, "acme/shop", "live-1", "production", ""},
		{"Environments", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Environment: "qa", Tier: "testing"}, "acme/shop", "qa", "testing", ""},
		{"The golden path", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Pipeline: "acme/platform/.github/workflows/deploy.yml@v2"}, "acme/shop", "production", "", "golden_path"},
		{"The golden path", rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Pipeline: "acme/shop/.github/workflows/deploy.yml"}, "acme/shop", "production", "", "own"},
	}
	for _, tt := range deployments {
		r := under[tt.heading]
		if r == nil {
			t.Fatalf("there is no example under %s", tt.heading)
		}
		got := r.Deployment(tt.c)
		want := rules.Verdict{Deployment: tt.service != "", Service: tt.service, Environment: tt.environment, Tier: tt.tier, Way: tt.way, Rule: got.Rule}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %+v (-want +got):\n%s", tt.heading, tt.c, diff)
		}
	}
	if got := len(under["Several services in one repository"].Services("acme/mono")); got != 3 {
		t.Errorf("acme/mono has %d services", got)
	}
	for _, branch := range []string{"hotfix/x", "urgent/x"} {
		if ok, _ := under["Hotfixes"].Hotfix(branch, "", nil); !ok {
			t.Errorf("%s is no hotfix", branch)
		}
	}
	if ok, _ := under["Hotfixes"].Hotfix("x", "[Hotfix] cart", nil); !ok {
		t.Error("the title makes no hotfix")
	}
	for severity, label := range map[string]string{"critical": "sev1", "minor": "sev3"} {
		got := under["Incidents"].Incident(rules.Issue{Repository: "acme/ops", Labels: []string{label, "service/shop"}})
		if want := (rules.Incident{Incident: true, Service: "acme/shop", Severity: severity, Rule: "rules.incidents.labels[1]: sev?"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if !under["Machines"].Bot("acme-deployer-7") {
		t.Error("acme-deployer-7 is no machine")
	}
}

// What the documentation says of the time without rules is what the defaults say.
func TestTheDefaultsAreThoseOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	row := func(question string) []string {
		_, rest, _ := strings.Cut(string(page), "\n| "+question+" |")
		line, _, _ := strings.Cut(rest, "\n")
		var words []string
		for _, found := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			words = append(words, found[1])
		}
		return words
	}
	cfg := rules.DefaultConfig()
	if diff := cmp.Diff(append(append([]string(nil), cfg.Hotfixes.Branches...), cfg.Hotfixes.Labels...), row("what is a hotfix?")); diff != "" {
		t.Errorf("hotfixes (-code +page):\n%s", diff)
	}
	if diff := cmp.Diff(append(append([]string(nil), cfg.Incidents.Labels...), cfg.Incidents.Types...), row("what is an incident?")); diff != "" {
		t.Errorf("incidents (-code +page):\n%s", diff)
	}
}

func TestTheListHasEveryRuleInItsOrder(t *testing.T) {
	r := compiled(t, `
services:
  - {repository: acme/docs, service: none}
  - {repository: acme/mono, service: web, paths: [web, ui], shared_paths: [lib]}
  - {repository: 'acme/*', service: '{name}'}
deployments:
  - {repository: acme/mono, from: workflow, name: 'Deploy *', environment: '{1}', service: web}
  - {repository: acme/sandbox, from: none}
  - {repository: '*', from: tag}
environments: [{name: 'live-*', tier: production}]
hotfixes: {titles: ['hotfix: *']}
incidents: {repository: acme/ops, labels: ['sev?'], severity: {sev1: high}, service: {'service/*': '{1}'}}
golden_paths: ['acme/platform/*']
bots: [svc]
`)
	want := []string{
		`rules.services[0]: acme/docs is no service.`,
		`rules.services[1]: acme/mono has the service web (web, ui; shared with others: lib).`,
		`rules.services[2]: acme/* is the service {name}.`,
		`the default: a service per repository, called as the repository, where none of the rules for services fits.`,
		`rules.deployments[0]: workflow "Deploy *" of acme/mono is a deployment of web to {1}.`,
		`rules.deployments[1]: nothing of acme/sandbox is a deployment.`,
		`rules.deployments[2]: any tag of * is a deployment.`,
		`the default: deployments of the forge, to the environment that it names, in repositories that none of the rules for deployments is about.`,
		`rules.environments[0]: live-* is production.`,
		`the default: branch hotfix/* is a hotfix.`,
		`the default: branch hotfix-* is a hotfix.`,
		`the default: label hotfix is a hotfix.`,
		`rules.hotfixes.titles[0]: hotfix: * is a hotfix.`,
		`the default: type incident is an incident, in acme/ops.`,
		`rules.incidents.labels[0]: sev? is an incident, in acme/ops.`,
		`rules.incidents.severity: the label sev1 means high.`,
		`rules.incidents.service: the label service/* means {1}.`,
		`the default: an incident that no label says the service of is the only service's of its repository.`,
		`rules.golden_paths[0]: acme/platform/* is the golden path.`,
		`rules.bots[0]: svc is a machine.`,
		`the default: what ends in [bot], -bot or _bot, and the well-known ones, are machines.`,
	}
	if diff := cmp.Diff(want, r.List()); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}
