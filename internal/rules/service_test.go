package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/rules"
)

func service(id, rule, repository string, paths ...string) rules.Service {
	return rules.Service{ID: id, From: event.ServiceRepository{Repository: repository, Paths: paths}, Rule: rule}
}

func TestServicesOfARepository(t *testing.T) {
	const byDefault = "the default: a service per repository"
	tests := []struct {
		name, yaml, repository string
		want                   []rules.Service
	}{
		{"without a rule it is one, called as the repository", ``, "acme/shop",
			[]rules.Service{service("acme/shop", byDefault, "acme/shop")}},
		{"a repository that no rule fits is one, too", `services: [{repository: acme/web, service: web}]`, "acme/webshop",
			[]rules.Service{service("acme/webshop", byDefault, "acme/webshop")}},
		{"the first rule that fits decides", `services: [{repository: "acme/sh?p", service: first}, {repository: "acme/*", service: second}]`, "acme/shop",
			[]rules.Service{service("first", "rules.services[0]: acme/sh?p", "acme/shop")}},
		{"letters fit in either case, names stay as the repository writes them", `services: [{repository: "ACME/*", service: "{name}"}]`, "acme/Shop",
			[]rules.Service{service("Shop", "rules.services[0]: ACME/*", "acme/Shop")}},
		{"a star takes slashes; name is the last part, repository all of it", `services: [{repository: "acme/*", service: "{name} of {repository}"}]`, "acme/pay/core/ledger",
			[]rules.Service{service("ledger of acme/pay/core/ledger", "rules.services[0]: acme/*", "acme/pay/core/ledger")}},
		{"a repository with several services has a rule for each, wherever they stand",
			`services: [{repository: acme/mono, service: web, paths: [web], shared_paths: [lib]}, {repository: acme/shop, service: x}, {repository: acme/mono, service: "{name}-api", paths: [api, proto]}, {repository: "acme/*", service: late}]`, "acme/mono",
			[]rules.Service{
				{ID: "web", From: event.ServiceRepository{Repository: "acme/mono", Paths: []string{"web"}, SharedPaths: []string{"lib"}}, Rule: "rules.services[0]: acme/mono"},
				service("mono-api", "rules.services[2]: acme/mono", "acme/mono", "api", "proto"),
			}},
		{"two names that come out the same are one service", `services: [{repository: "*", service: "{name}"}, {repository: "*", service: shop}]`, "acme/shop",
			[]rules.Service{service("shop", "rules.services[0]: *", "acme/shop")}},
		{"none says that it is no service", `services: [{repository: "acme/docs*", service: none}, {repository: "*", service: "{name}"}]`, "acme/docs-site", nil},
		{"a regular expression fits anywhere, as it is written", `services: [{repository: "/^acme/(shop|cart)$/", service: ours}]`, "Acme/Cart",
			[]rules.Service{service("ours", "rules.services[0]: /^acme/(shop|cart)$/", "Acme/Cart")}},
		{"a dot of a pattern is a dot", `services: [{repository: acme/a.b*, service: ours}]`, "acme/axb",
			[]rules.Service{service("acme/axb", byDefault, "acme/axb")}},
		{"a repository with braces in its name is no placeholder", `services: [{repository: "*", service: "{name}"}]`, "acme/{repository}",
			[]rules.Service{service("{repository}", "rules.services[0]: *", "acme/{repository}")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := compiled(t, tt.yaml)
			for range 2 { // the second time it is remembered
				if diff := cmp.Diff(tt.want, r.Services(tt.repository)); diff != "" {
					t.Errorf("services (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatACallerDoesToTheServicesStaysWithTheCaller(t *testing.T) {
	r := compiled(t, ``)
	r.Services("acme/shop")[0].ID = "changed"
	if got := r.Services("acme/shop")[0].ID; got != "acme/shop" {
		t.Errorf("got %s", got)
	}
}
