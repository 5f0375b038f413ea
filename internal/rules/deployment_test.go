package rules_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/rules"
)

const mono = `services: [{repository: acme/mono, service: web}, {repository: acme/mono, service: payments-api}, {repository: acme/mono, service: api}, {repository: acme/docs, service: none}]`

func TestDeployments(t *testing.T) {
	const shop = "acme/shop"
	const byDefault = "the default: deployments of the forge"
	deployment := func(service, environment, tier, rule string) rules.Verdict {
		return rules.Verdict{Deployment: true, Service: service, Environment: environment, Tier: tier, Rule: rule}
	}
	no := func(rule string) rules.Verdict { return rules.Verdict{Rule: rule} }

	tests := []struct {
		name, yaml string
		candidate  rules.Candidate
		want       rules.Verdict
	}{
		{"by default what the forge calls a deployment is one", ``,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Name: "prod-eu", Environment: "prod-eu", Tier: "production"},
			deployment(shop, "prod-eu", "production", byDefault)},
		{"where nobody names an environment it is production", ``,
			rules.Candidate{Repository: shop, From: rules.FromDeployment},
			deployment(shop, "production", "", byDefault)},
		{"by default a workflow is none", ``,
			rules.Candidate{Repository: shop, From: rules.FromWorkflow, Name: "Deploy to production"}, no("no rule fits")},
		{"by default a release is none", ``,
			rules.Candidate{Repository: shop, From: rules.FromRelease, Name: "v1.0.0"}, no("no rule fits")},
		{"the default does not hold beside a rule of the repository", `deployments: [{repository: acme/shop, from: tag}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "production"}, no("no rule fits")},
		{"the default holds for repositories that no rule is about", `deployments: [{repository: acme/cart, from: tag}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "production"},
			deployment(shop, "production", "", byDefault)},
		{"the first rule that fits decides", `deployments: [{repository: "acme/*", from: workflow, name: "Deploy *", environment: first}, {repository: acme/shop, from: workflow, environment: second}]`,
			rules.Candidate{Repository: shop, From: rules.FromWorkflow, Name: "deploy shop"},
			deployment(shop, "first", "", `rules.deployments[0]: workflow "Deploy *" of acme/*`)},
		{"a rule of another kind of thing is passed over", `deployments: [{repository: "acme/*", from: job, name: "Deploy *", environment: first}, {repository: acme/shop, from: workflow, environment: second}]`,
			rules.Candidate{Repository: shop, From: rules.FromWorkflow, Name: "deploy shop"},
			deployment(shop, "second", "", `rules.deployments[1]: any workflow of acme/shop`)},
		{"none ends the search", `deployments: [{repository: acme/shop, from: none}, {repository: "*", from: deployment}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment}, no("rules.deployments[0]: nothing of acme/shop")},
		{"what stands before none is still one", `deployments: [{repository: "*", from: tag, name: "v*"}, {repository: acme/shop, from: none}, {repository: "*", from: deployment}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "v1"},
			deployment(shop, "production", "", `rules.deployments[0]: tag "v*" of *`)},
		{"names in braces are filled in", `deployments: [{repository: "*", from: job, name: "deploy * to *", service: "{name}/{repository}/{1}", environment: "{1}-x"}]`,
			rules.Candidate{Repository: shop, From: rules.FromJob, Name: "Deploy Cart to eu"},
			deployment("shop/acme/shop/Cart", "Cart-x", "", `rules.deployments[0]: job "deploy * to *" of *`)},
		{"the first group of a regular expression is {1}", `deployments: [{repository: "*", from: tag, name: "/^(?:release/)?([a-z]+)@/", service: "{1}"}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "release/cart@1.2"},
			deployment("cart", "production", "", `rules.deployments[0]: tag "/^(?:release/)?([a-z]+)@/" of *`)},
		{"of several stars {1} is the first, as short as it can be", `deployments: [{repository: "*", from: tag, name: "*-*", service: "{1}"}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "cart-1.0-rc"},
			deployment("cart", "production", "", `rules.deployments[0]: tag "*-*" of *`)},
		{"a service that comes out empty is none", `deployments: [{repository: "*", from: tag, name: "*v1", service: "{1}"}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "v1"},
			no(`rules.deployments[0]: tag "*v1" of *, but it leaves the service empty`)},
		{"an environment that comes out empty is the forge's", `deployments: [{repository: "*", from: tag, name: "*v1", environment: "{1}"}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "v1", Environment: "eu"},
			deployment(shop, "eu", "", `rules.deployments[0]: tag "*v1" of *`)},
		{"a repository that is no service deploys none", mono,
			rules.Candidate{Repository: "acme/docs", From: rules.FromDeployment, Environment: "production"},
			no("the default: deployments of the forge, but acme/docs has no service by rules.services[3]: acme/docs")},
		{"unless the rule says whose it is", mono + "\ndeployments: [{repository: acme/docs, from: deployment, service: web}]",
			rules.Candidate{Repository: "acme/docs", From: rules.FromDeployment, Environment: "production"},
			deployment("web", "production", "", "rules.deployments[0]: any deployment of acme/docs")},
		{"of several services the one that is named", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Name: "Production (WEB)", Environment: "Production (WEB)"},
			deployment("web", "Production (WEB)", "", byDefault+", the service by its name")},
		{"of several names the longest", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Name: "x", Environment: "web/payments-api/api"},
			deployment("payments-api", "web/payments-api/api", "", byDefault+", the service by its name")},
		{"the beginning of a word is no name", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "website"},
			no("acme/mono has 3 services and no rule says whose this is")},
		{"neither is the end of one", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "rapi"},
			no("acme/mono has 3 services and no rule says whose this is")},
		{"two names of the same length are none", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "web-api"},
			no("acme/mono has 3 services and no rule says whose this is")},
		{"a name that first stands within a word is found behind it", mono,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "cobwebs web"},
			deployment("web", "cobwebs web", "", byDefault+", the service by its name")},
		{"the last part of a service's id is a name of it", `services: [{repository: acme/mono, service: "{repository}/web"}, {repository: acme/mono, service: "{repository}/api"}]`,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "web-prod"},
			deployment("acme/mono/web", "web-prod", "", byDefault+", the service by its name")},
		{"two services with the same last part are told apart by the whole id", `services: [{repository: acme/mono, service: "eu/web"}, {repository: acme/mono, service: "us/web"}]`,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "us/web"},
			deployment("us/web", "us/web", "", byDefault+", the service by its name")},
		{"and not without", `services: [{repository: acme/mono, service: "eu/web"}, {repository: acme/mono, service: "us/web"}]`,
			rules.Candidate{Repository: "acme/mono", From: rules.FromDeployment, Environment: "web"},
			no("acme/mono has 2 services and no rule says whose this is")},

		{"the first rule about the environment says the tier", `environments: [{name: "*-eu", tier: staging}, {name: "prod*", tier: production}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "PROD-EU", Tier: "development"},
			deployment(shop, "PROD-EU", "staging", byDefault)},
		{"the rule's environment stands for the forge's, whose tier no longer holds", `deployments: [{repository: "*", from: deployment, environment: eu}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "staging", Tier: "staging"},
			deployment(shop, "eu", "", "rules.deployments[0]: any deployment of *")},
		{"unless it is the same one", `deployments: [{repository: "*", from: deployment, environment: live}]`,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "Live", Tier: "production"},
			deployment(shop, "live", "production", "rules.deployments[0]: any deployment of *")},
		{"the tier of the environment that a rule names is by the rules, too", `{deployments: [{repository: "*", from: tag, environment: eu}], environments: [{name: eu, tier: production}]}`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "v1"},
			deployment(shop, "eu", "production", "rules.deployments[0]: any tag of *")},

		{"a pre-release goes to prerelease", `deployments: [{repository: "*", from: release}]`,
			rules.Candidate{Repository: shop, From: rules.FromRelease, Name: "v2.0.0-rc.1", Prerelease: true},
			deployment(shop, "prerelease", "other", "rules.deployments[0]: any release of *")},
		{"of a tag, too", `deployments: [{repository: "*", from: tag}]`,
			rules.Candidate{Repository: shop, From: rules.FromTag, Name: "v2.0.0-rc.1", Prerelease: true},
			deployment(shop, "prerelease", "other", "rules.deployments[0]: any tag of *")},
		{"unless the rule says where", `deployments: [{repository: "*", from: release, name: "*-rc.*", environment: staging}]`,
			rules.Candidate{Repository: shop, From: rules.FromRelease, Name: "v2.0.0-rc.1", Prerelease: true},
			deployment(shop, "staging", "", `rules.deployments[0]: release "*-rc.*" of *`)},
		{"or a rule gives that environment a tier", `{deployments: [{repository: "*", from: release}], environments: [{name: prerelease, tier: testing}]}`,
			rules.Candidate{Repository: shop, From: rules.FromRelease, Name: "v2.0.0-rc.1", Prerelease: true},
			deployment(shop, "prerelease", "testing", "rules.deployments[0]: any release of *")},
		{"the forge's deployments go where it says, of whatever version", ``,
			rules.Candidate{Repository: shop, From: rules.FromDeployment, Environment: "beta", Prerelease: true},
			deployment(shop, "beta", "", byDefault)},
		{"what lands on a branch", `deployments: [{repository: "*", from: branch, name: main}]`,
			rules.Candidate{Repository: shop, From: rules.FromBranch, Name: "main"},
			deployment(shop, "production", "", `rules.deployments[0]: branch "main" of *`)},
		{"but not on another", `deployments: [{repository: "*", from: branch, name: main}]`,
			rules.Candidate{Repository: shop, From: rules.FromBranch, Name: "maintenance"}, no("no rule fits")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, compiled(t, tt.yaml).Deployment(tt.candidate)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// A success on staging is a deployment to staging: it tells nothing of production.
func TestSuccessOnStagingIsNotProduction(t *testing.T) {
	for _, environment := range []string{"staging", "Staging", "stage-eu"} {
		r := compiled(t, ``)
		got := r.Deployment(rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Name: environment, Environment: environment, Tier: "staging"})
		if !got.Deployment || got.Environment != environment || got.Tier != "staging" {
			t.Errorf("%s: got %+v", environment, got)
		}
	}
	// A rule about production leaves it alone.
	r := compiled(t, `deployments: [{repository: "*", from: deployment, name: production}]`)
	if got := r.Deployment(rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Name: "staging", Environment: "staging"}); got.Deployment {
		t.Errorf("got %+v", got)
	}
}

// A job whose name has production in it is not a deployment, unless a rule says that it is.
func TestAJobThatBuildsForProductionIsNoDeployment(t *testing.T) {
	job := rules.Candidate{Repository: "acme/infra", From: rules.FromJob, Name: "Build bicep prod"}
	if got := compiled(t, ``).Deployment(job); got.Deployment {
		t.Errorf("by default: got %+v", got)
	}
	r := compiled(t, `deployments: [{repository: "*", from: job, name: "deploy * prod"}]`)
	if got := r.Deployment(job); got.Deployment {
		t.Errorf("by a rule about another job: got %+v", got)
	}
	job.Name = "Deploy bicep prod"
	if got := r.Deployment(job); !got.Deployment {
		t.Errorf("the job that deploys: got %+v", got)
	}
}

func TestWantsNamesWhatIsWorthReading(t *testing.T) {
	tests := []struct {
		name, yaml, repository string
		want                   []string
	}{
		{"by default the forge's own", ``, "acme/shop", []string{rules.FromDeployment}},
		{"what the repository's rules name", `deployments: [{repository: "acme/*", from: job}, {repository: acme/shop, from: tag}]`, "acme/shop", []string{rules.FromJob, rules.FromTag}},
		{"nothing behind none", `deployments: [{repository: "acme/*", from: job}, {repository: acme/shop, from: none}, {repository: "*", from: deployment}]`, "acme/shop", []string{rules.FromJob}},
		{"nothing of what is no service", mono, "acme/docs", nil},
		{"unless a rule says whose it is", mono + "\ndeployments: [{repository: acme/docs, from: tag, service: web}, {repository: acme/docs, from: job}]", "acme/docs", []string{rules.FromTag}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compiled(t, tt.yaml)
			var got []string
			for _, from := range []string{rules.FromDeployment, rules.FromWorkflow, rules.FromJob, rules.FromRelease, rules.FromTag, rules.FromBranch, rules.FromNone} {
				if r.Wants(tt.repository, from) {
					got = append(got, from)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheWayIsKnownOnlyWhereGoldenPathsAre(t *testing.T) {
	golden := `golden_paths: ["acme/platform/.github/workflows/deploy.yml@*", "acme/ci-templates//*"]`
	tests := []struct{ yaml, pipeline, want string }{
		{``, "acme/platform/.github/workflows/deploy.yml@v1", ""},
		{golden, "", ""},
		{golden, "acme/platform/.github/workflows/deploy.yml@v1", "golden_path"},
		{golden, "acme/platform/.github/workflows/build.yml@v1", "own"},
		{golden, "acme/ci-templates//deploy.yml", "golden_path"},
	}
	for _, tt := range tests {
		r := compiled(t, tt.yaml)
		if got := r.Way(tt.pipeline); got != tt.want {
			t.Errorf("%q with %q: got %q, want %q", tt.pipeline, tt.yaml, got, tt.want)
		}
		if got := r.Deployment(rules.Candidate{Repository: "acme/shop", From: rules.FromDeployment, Pipeline: tt.pipeline}); got.Way != tt.want {
			t.Errorf("a deployment by %q with %q: got %q, want %q", tt.pipeline, tt.yaml, got.Way, tt.want)
		}
	}
}

func TestManyRepositoriesAreJudgedAtOnce(t *testing.T) {
	r := compiled(t, `services: [{repository: "acme/*", service: "{name}"}]`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 12_000 { // more than are remembered
				name := fmt.Sprint("r", i)
				if got := r.Deployment(rules.Candidate{Repository: "acme/" + name, From: rules.FromDeployment}); got.Service != name {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
	all.Wait()
}
