package rules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

var (
	repositories = []string{"acme/shop", "acme/Cart", "acme/mono", "beta/x/y", "acme/docs"}
	names        = []string{"", "main", "deploy web", "Deploy * to prod", "v1.2.3", "web/api", "prod-eu"}
	kinds        = []string{rules.FromDeployment, rules.FromWorkflow, rules.FromJob, rules.FromRelease, rules.FromTag, rules.FromBranch}
	patterns     = []string{"*", "acme/*", "acme/shop", "ACME/c?rt", "/o$/", "*/mono", "nowhere/*", "/^(beta|acme)/x/"}
	templates    = []string{"{name}", "{repository}", "web", "api", "{name}-web"}
)

func anyOf(values []string) *rapid.Generator[string] { return rapid.SampledFrom(values) }

func anyDeploymentRule() *rapid.Generator[rules.DeploymentRule] {
	return rapid.Custom(func(t *rapid.T) rules.DeploymentRule {
		rule := rules.DeploymentRule{
			Repository: anyOf(patterns).Draw(t, "repository"),
			From:       anyOf(append([]string{rules.FromNone}, kinds...)).Draw(t, "from"),
		}
		if rule.From != rules.FromNone {
			rule.Name = anyOf([]string{"", "*", "deploy *", "/^v(\\d)/", "main", "prod-?u"}).Draw(t, "name")
			rule.Environment = anyOf([]string{"", "staging", "{name}"}).Draw(t, "environment")
			rule.Service = anyOf(append([]string{"", ""}, templates...)).Draw(t, "service")
			if strings.ContainsAny(rule.Name, "*(") {
				rule.Service += anyOf([]string{"", "{1}"}).Draw(t, "with the star")
			}
		}
		return rule
	})
}

func anyConfig() *rapid.Generator[rules.Config] {
	return rapid.Custom(func(t *rapid.T) rules.Config {
		cfg := rules.DefaultConfig()
		taken := map[[2]string]bool{}
		none := map[string]bool{}
		for _, pattern := range rapid.SliceOfN(anyOf(patterns), 0, 5).Draw(t, "patterns of services") {
			service := anyOf(templates).Draw(t, "service")
			if key := [2]string{pattern, service}; !taken[key] && !none[pattern] {
				taken[key] = true
				cfg.Services = append(cfg.Services, rules.ServiceRule{Repository: pattern, Service: service})
			}
		}
		if rapid.Bool().Draw(t, "docs is no service") {
			cfg.Services = append([]rules.ServiceRule{{Repository: "acme/docs", Service: "none"}}, cfg.Services...)
		}
		cfg.Deployments = rapid.SliceOfN(anyDeploymentRule(), 0, 5).Draw(t, "deployments")
		if rapid.Bool().Draw(t, "golden") {
			cfg.GoldenPaths = []string{"golden/*"}
		}
		return cfg
	})
}

func anyCandidate() *rapid.Generator[rules.Candidate] {
	return rapid.Custom(func(t *rapid.T) rules.Candidate {
		return rules.Candidate{
			Repository:  anyOf(repositories).Draw(t, "repository"),
			From:        anyOf(kinds).Draw(t, "from"),
			Name:        anyOf(names).Draw(t, "name"),
			Environment: anyOf(names).Draw(t, "environment"),
			Tier:        anyOf([]string{"", "production", "staging"}).Draw(t, "tier"),
			Prerelease:  rapid.Bool().Draw(t, "prerelease"),
			Pipeline:    anyOf([]string{"", "golden/x", "x"}).Draw(t, "pipeline"),
		}
	})
}

func mustNew(t *rapid.T, cfg rules.Config) *rules.Rules {
	r, err := rules.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The first rule that fits decides: one behind it changes nothing. Neither does one that fits nothing.
func TestARuleBehindTheOneThatFitsChangesNothing(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		cfg, c := anyConfig().Draw(t, "config"), anyCandidate().Draw(t, "candidate")
		further := anyDeploymentRule().Draw(t, "further")
		before := mustNew(t, cfg).Deployment(c)
		decided := strings.HasPrefix(before.Rule, "rules.deployments[")
		fits := mustNew(t, rules.Config{Deployments: []rules.DeploymentRule{further}}).Deployment(c).Rule != "no rule fits"
		if !decided && (before.Rule != "no rule fits" || fits) {
			return
		}
		compared++
		cfg.Deployments = append(cfg.Deployments, further)
		if diff := cmp.Diff(before, mustNew(t, cfg).Deployment(c)); diff != "" {
			t.Errorf("a further rule changed the verdict (-before +after):\n%s", diff)
		}
	})
	if compared == 0 {
		t.Error("no rule stood behind another")
	}
}

// The default holds exactly for the repositories that no rule is about.
func TestTheDefaultHoldsWhereNoRuleIsAbout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, repository := anyConfig().Draw(t, "config"), anyOf(repositories).Draw(t, "repository")
		cfg.Services = nil
		about := false
		for _, rule := range cfg.Deployments {
			probe := mustNew(t, rules.Config{Services: []rules.ServiceRule{{Repository: rule.Repository, Service: "probe"}}})
			about = about || probe.Services(repository)[0].ID == "probe"
		}
		got := mustNew(t, cfg).Deployment(rules.Candidate{Repository: repository, From: rules.FromDeployment, Name: "x"})
		if byDefault := got.Rule == "the default: deployments of the forge"; byDefault == about {
			t.Errorf("a rule is about %s: %v, but got %+v", repository, about, got)
		}
		cfg.Services = []rules.ServiceRule{{Repository: "acme/shop", Service: "probe"}}
		if got := mustNew(t, cfg).Services(repository)[0].ID; got != "probe" && got != repository || (got == "probe") != (repository == "acme/shop") {
			t.Errorf("%s is the service %s", repository, got)
		}
	})
}

// Whatever the rules are: a verdict names its rule; a deployment has a service and an environment, what is none has
// nothing; and what is a deployment is wanted.
func TestAVerdictIsWhole(t *testing.T) {
	deployments := 0
	rapid.Check(t, func(t *rapid.T) {
		r := mustNew(t, anyConfig().Draw(t, "config"))
		c := anyCandidate().Draw(t, "candidate")
		v := r.Deployment(c)
		if v.Rule == "" {
			t.Error("the verdict names no rule")
		}
		if strings.Contains(v.Rule, c.Name) && len(c.Name) > 4 && !strings.Contains(c.Name, "main") {
			t.Errorf("the rule %q names the candidate", v.Rule)
		}
		if v.Deployment {
			deployments++
			if v.Service == "" || v.Environment == "" || strings.ContainsAny(v.Service+v.Environment, "{}") {
				t.Errorf("got %+v", v)
			}
			if !r.Wants(c.Repository, c.From) {
				t.Errorf("%s of %s are not wanted, but got %+v", c.From, c.Repository, v)
			}
		} else if v != (rules.Verdict{Rule: v.Rule}) {
			t.Errorf("no deployment, but got %+v", v)
		}
		for _, service := range r.Services(c.Repository) {
			if service.ID == "" || service.Rule == "" || service.From.Repository != c.Repository {
				t.Errorf("got %+v", service)
			}
		}
	})
	if deployments == 0 {
		t.Error("no candidate was a deployment")
	}
}

// A pattern is refused with a reason, or it can be used; a literal one fits itself in either case.
func FuzzPattern(f *testing.F) {
	for _, text := range append(patterns, "", "//", "/(/", "/", "a\xff*", "/a\xff/", "???", "/a)|(b/", "/(?-i)A/", "***", "{1}") {
		f.Add(text, "acme/shop")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		r, err := rules.New(rules.Config{
			Deployments: []rules.DeploymentRule{{Repository: pattern, From: rules.FromTag, Name: pattern}},
			GoldenPaths: []string{pattern},
			Bots:        []string{pattern},
		})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "rules.golden_paths[0] is ") {
				t.Errorf("got %v", err)
			}
			if unwrapped := errors.Unwrap(err); unwrapped != nil {
				t.Errorf("the error is wrapped: %v", unwrapped)
			}
			return
		}
		golden := r.Way(name) == "golden_path"
		v := r.Deployment(rules.Candidate{Repository: name, From: rules.FromTag, Name: name})
		if v.Deployment && name != "" && !golden {
			t.Errorf("%q fits %q as a name and not as a pipeline", pattern, name)
		}
		isExpression := len(pattern) > 1 && strings.HasPrefix(pattern, "/") && strings.HasSuffix(pattern, "/")
		if !isExpression && !strings.ContainsRune(pattern, '�') && !strings.ContainsAny(pattern, "*?") && golden != strings.EqualFold(pattern, name) && name != "" {
			t.Errorf("%q and %q: got %v", pattern, name, golden)
		}
		if !isExpression && r.Way(strings.NewReplacer("*", "any/thing\n", "?", "x").Replace(pattern)) != "golden_path" && strings.ToValidUTF8(pattern, "") == pattern {
			t.Errorf("%q does not fit what it stands for", pattern)
		}
		r.List()
	})
}
