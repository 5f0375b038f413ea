package gitops_test

import (
	"testing"

	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/rules"
)

func TestAnObjectIsNamedByLabelThenRuleThenItsName(t *testing.T) {
	n, err := gitops.New(gitops.Config{
		ServiceLabels: gitops.ServiceLabels(), EnvironmentLabels: gitops.EnvironmentLabels(),
		Services:           []rules.ServiceName{{Match: "*-canary", Service: "none"}, {Match: "*-prod", Service: "{1}"}, {Match: "Shop", Service: "acme/shop"}},
		Environments:       []rules.EnvironmentName{{Match: "*-prod", Environment: "production"}, {Match: "sandbox/*", Environment: "none"}},
		Repositories:       []rules.RepositoryName{{Match: "https://mirror/*", Repository: "acme/{1}"}, {Match: "acme/scratch", Repository: "none"}},
		SourceRepositories: []string{"acme/shop", "acme/svc-*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app.kubernetes.io/part-of": "Shop", "env": "eu"}
	for _, c := range []struct {
		o                    gitops.Object
		service, environment string
	}{
		{gitops.Object{Names: []string{"web"}, Places: []string{"prod/web", "web"}}, "web", "prod/web"},
		{gitops.Object{Names: []string{"web-prod"}, Places: []string{"web"}}, "web", "production"},
		{gitops.Object{Names: []string{"web-canary"}, Places: []string{"sandbox/x"}}, "", ""},
		{gitops.Object{Names: []string{"web"}, Labels: labels, Places: []string{"web"}}, "acme/shop", "eu"},
		{gitops.Object{Names: []string{"web"}, Annotations: labels, Service: "said", Environment: "there"}, "said", "there"},
		{gitops.Object{}, "", ""},
	} {
		if s, e := n.Service(c.o), n.Environment(c.o); s != c.service || e != c.environment {
			t.Errorf("%+v is %q in %q, want %q in %q", c.o, s, e, c.service, c.environment)
		}
	}
	for text, want := range map[string][2]string{
		"https://github.com/acme/deploy.git":      {"acme/deploy", "config"},
		"git@github.com:acme/shop.git":            {"acme/shop", "source"},
		"ssh://git@git.acme.com:2222/acme/svc-a/": {"acme/svc-a", "source"},
		"https://mirror/lib":                      {"acme/lib", "config"},
		"https://gitlab.com/acme/scratch":         {"", "config"},
		"acme/deploy":                             {"acme/deploy", "config"},
		"":                                        {"", "config"},
		"https://a b/":                            {"", "config"},
	} {
		if id, role := n.Repository(false, text); id != want[0] || role != want[1] {
			t.Errorf("%q is %q with the role %s, want %v", text, id, role, want)
		}
	}
	if _, role := n.Repository(true, "acme/deploy"); role != "source" {
		t.Errorf("own: got %s", role)
	}
}

func TestAWrongPatternIsNamed(t *testing.T) {
	for _, cfg := range []gitops.Config{
		{Services: []rules.ServiceName{{Match: "/(/", Service: "x"}}}, {Environments: []rules.EnvironmentName{{Match: "x"}}},
		{Repositories: []rules.RepositoryName{{Match: "x"}}}, {SourceRepositories: []string{"/(/"}},
	} {
		if _, err := gitops.New(cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
}
