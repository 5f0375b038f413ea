package owners_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/owners"
	"cairn/internal/sharedtest"
)

const shop = `
kind: Component
metadata:
  name: shop
  title: The shop
  description: Sells things.
  tags: [go, "", web]
  annotations: {backstage.io/source-template: "template:default/go-service"}
  links:
    - {url: https://shop.example, title: Shop}
    - {url: https://docs.example/shop, title: Handbook, type: docs}
spec:
  type: service
  lifecycle: Production
  owner: group:default/checkout
  system: system:default/commerce
  dependsOn: [component:default/payments, resource:default/db, ledger/books]
`

// components are those of a file that is the whole catalogue of a repository.
func components(t *testing.T, text string) []owners.Component {
	t.Helper()
	only := owners.Repository{
		File: func(_ context.Context, path string) (string, error) {
			if path == "catalog-info.yaml" {
				return text, nil
			}
			return "", nil
		},
		List: func(context.Context, string, bool) ([]string, bool, error) { return nil, true, nil },
	}
	c, err := only.Read(t.Context(), "catalog-info.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []owners.Component
	for _, d := range c.Components {
		all = append(all, d.Component)
	}
	return all
}

func TestAComponentIsReadWithWhatBelongsToAService(t *testing.T) {
	got := components(t, shop)
	want := []owners.Component{{
		Name: "shop", Title: "The shop", Description: "Sells things.", Owner: "group:default/checkout", Type: "service",
		Lifecycle: "Production", System: "commerce", Tags: []string{"go", "", "web"}, DependsOn: []string{"payments", "ledger/books"},
		Links:       []owners.Link{{URL: "https://shop.example", Title: "Shop"}, {URL: "https://docs.example/shop", Title: "Handbook", Type: "docs"}},
		Annotations: map[string]string{"backstage.io/source-template": "template:default/go-service"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("component (-want +got):\n%s", diff)
	}
	service := &event.Service{
		ID: "shop", Name: "shop", Description: "Sells things.", System: "commerce", Lifecycle: "production", CreatedVia: "golden_path",
		Template: "template:default/go-service", Dependencies: []string{"payments", "ledger/books"}, Tags: []string{"go", "web"},
		Documentation: "https://docs.example/shop", URL: "https://shop.example",
	}
	if diff := cmp.Diff(service, got[0].Service()); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
}

func TestOnlyDocumentsThatNameAComponentCount(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
	}{
		{"several documents, and other kinds among them", "kind: component\nmetadata: {name: a}\n---\nkind: System\nmetadata: {name: s}\n---\nkind: Component\nmetadata: {name: b}\nspec: {type: library}\n", "a b"},
		{"a component without a name", "kind: Component\nspec: {owner: x}\n", ""},
		{"a field of another type is left out", "kind: Component\nmetadata: {name: a, tags: {x: y}}\n---\nkind: Component\nmetadata: {name: b}\n", "a b"},
		{"what is not YAML ends the file", "kind: Component\nmetadata: {name: a}\n---\n{{ x }\n---\nkind: Component\nmetadata: {name: b}\n", "a"},
		{"no more than two hundred documents", strings.Repeat("kind: System\n---\n", 200) + "kind: Component\nmetadata: {name: a}\n", ""},
		{"a file that is too large", "kind: Component\nmetadata: {name: a}\n#" + strings.Repeat("x", owners.MaxFile), ""},
		{"a file that a template makes files of", "kind: Component\nmetadata:\n  name: ${{ values.name | dump }}\n---\nkind: Component\nmetadata: {name: \"{{cookiecutter.name}}\"}\n---\nkind: Component\nmetadata: {name: b}\n", "b"},
		{"the namespace default is left out, any other is part of the name", "kind: Component\nmetadata: {name: a, namespace: Default}\n---\nkind: Component\nmetadata: {name: b, namespace: shops}\n", "a shops/b"},
		{"a text from another file is left out", "kind: Component\nmetadata:\n  name: a\n  description: {$text: ./README.md}\n  annotations: {x: {$yaml: y}, z: w}\n", "a"},
		{"of two of a name the first", "kind: Component\nmetadata: {name: a}\n---\nkind: Component\nmetadata: {name: A, title: b}\n", "a"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var names []string
			for _, c := range components(t, tt.text) {
				names = append(names, c.Name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnOwnerIsAGroupUnlessItSaysOtherwise(t *testing.T) {
	for reference, want := range map[string]string{
		"checkout": "checkout", "group:checkout": "checkout", "Group:default/checkout": "checkout", "group:shops/checkout": "shops/checkout",
		"user:ada": "", "": "", "group:": "",
	} {
		if got, ok := owners.Group(reference); got != want || ok != (want != "") {
			t.Errorf("%q is the group %q (%t), want %q", reference, got, ok, want)
		}
	}
}

// What Backstage's own starting point describes is read as it is meant: one website, and nothing of the template.
func TestTheExamplesOfBackstageAreRead(t *testing.T) {
	read := func(name ...string) []owners.Component {
		text, err := os.ReadFile(sharedtest.Path(t, append([]string{"payloads", "backstage", "create-app-examples"}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return components(t, string(text))
	}
	want := []owners.Component{{Name: "example-website", Owner: "guests", Type: "website", Lifecycle: "experimental", System: "examples"}}
	if diff := cmp.Diff(want, read("entities.yaml")); diff != "" {
		t.Errorf("entities.yaml (-want +got):\n%s", diff)
	}
	for _, name := range [][]string{{"org.yaml"}, {"template", "template.yaml"}, {"template", "content", "catalog-info.yaml"}} {
		if got := read(name...); len(got) > 0 {
			t.Errorf("%v has the components %+v, want none", name, got)
		}
	}
}

func TestAnOwnerThatATemplateHasToFillInIsNone(t *testing.T) {
	got := components(t, "kind: Component\nmetadata: {name: a}\nspec:\n  owner: ${{ values.owner }}\n")
	if len(got) != 1 || got[0].Owner != "" {
		t.Errorf("got %+v, want a without an owner", got)
	}
}

func TestAReferenceIsShortWithoutItsKindAndTheNamespaceDefault(t *testing.T) {
	for reference, want := range map[string][2]string{
		"shop": {"", "shop"}, "component:shop": {"component", "shop"}, "Component:default/shop": {"component", "shop"}, "Default/shop": {"", "shop"},
		"resource:Shops/db": {"resource", "shops/db"},
	} {
		if kind, name := owners.Short(reference); [2]string{kind, name} != want {
			t.Errorf("%q is the %q %q, want %q", reference, kind, name, want)
		}
	}
}

func FuzzComponents(f *testing.F) {
	f.Add(shop)
	f.Add("kind: Component\nmetadata: {name: x}\nspec: {owner: y}\n---\n")
	f.Add("kind: Component\nmetadata: {name: !!binary /w==}\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range components(t, text) {
			s := c.Service()
			s.Source = "fuzz"
			if bad := event.Validate(s); bad != nil && strings.TrimSpace(s.ID) != "" {
				t.Errorf("a service that intake would refuse: %v", bad)
			}
			owners.Group(c.Owner)
		}
	})
}
