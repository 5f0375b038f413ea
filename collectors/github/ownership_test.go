package github_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/collectors"
	"cairn/collectors/github/githubtest"
	"cairn/internal/event"
	"cairn/internal/source"
)

// owned reads who owns what in the only repository, and says what there is to say about it.
func (l *life) owned() source.Report {
	l.t.Helper()
	for _, s := range l.connection.Streams() {
		if s.Kind != source.Ownership {
			continue
		}
		turn, err := l.connection.Turn(s, l.keeper.positions[s.Name], l.clock.Now())
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := collectors.Run(l.t.Context(), turn, sink{l.keeper, s.Name}); err != nil {
			l.t.Fatal(err)
		}
		return turn.Report()
	}
	l.t.Fatal("no stream of owners")
	return source.Report{}
}

// owners are the teams of services now, service:team.
func (f *forge) owners() []string {
	var now []string
	for _, kept := range f.keeper.facts {
		if o, ok := kept.event.(*event.Ownership); ok && o.To.IsZero() {
			now = append(now, o.Service+":"+o.Team)
		}
	}
	slices.Sort(now)
	return now
}

func describe(name, owner string) string {
	return "kind: Component\nmetadata: {name: " + name + "}\nspec: {owner: " + owner + "}\n"
}

func TestLocationsLeadToTheComponentsOfARepository(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 3, Repositories: 1, Teams: 1, Limit: 100_000, GraphQLLimit: 100_000})
	l := f.mustRead(t)
	repo := f.Repositories()[0]
	elsewhere := "https://github.com/acme/other/blob/main/catalog-info.yaml"
	f.SetFile(repo, "catalog-info.yaml", "kind: Location\nmetadata: {name: all}\nspec:\n  targets:\n    - ./services/*/catalog-info.yaml\n"+
		"    - "+f.server.URL+"/"+repo+"/blob/main/libs/all.yaml\n    - ./docs\n    - ./nowhere.yaml\n    - ./services/x.yaml\n    - "+elsewhere+"\n")
	f.SetFile(repo, "services/pay/catalog-info.yaml", describe("pay", "payments"))
	f.SetFile(repo, "services/my web/catalog-info.yaml", describe("web", "group:default/front"))
	f.SetFile(repo, "services/x.yaml/file", "a folder")
	f.SetFile(repo, "libs/all.yaml", "kind: Component\nmetadata: {name: lib}\nspec: {type: library, owner: front}\n")
	f.Forget()
	report := l.owned()
	asked := map[string]int{}
	for what, n := range f.Requests() {
		asked[what] += n.Requests
	}
	// The root, all files, and the catalogue's five, of which one is not there and one is a folder.
	want := map[string]int{"GET /repos/{owner}/{repo}/git/trees/{sha}": 2, "GET /repos/{owner}/{repo}/contents/{path...}": 6}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	rules := map[string]source.Applied{
		"catalog-info.yaml: a target that lies elsewhere":  {N: 1, Example: elsewhere},
		"catalog-info.yaml: a target that is no YAML file": {N: 1, Example: "./docs"},
	}
	if diff := cmp.Diff(rules, report.Rules); diff != "" {
		t.Errorf("what the turn says (-want +got):\n%s", diff)
	}
	got := map[string][]event.ServiceRepository{}
	for _, kept := range f.keeper.facts {
		if s, ok := kept.event.(*event.Service); ok && s.ID != repo {
			got[s.ID] = s.Repositories
		}
	}
	services := map[string][]event.ServiceRepository{
		"pay": {{Repository: repo, Paths: []string{"services/pay"}}},
		"web": {{Repository: repo, Paths: []string{"services/my web"}}},
	}
	if diff := cmp.Diff(services, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pay:acme/payments", "web:acme/front"}, f.owners()); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}

	before := f.keeper.events
	if again := l.owned(); len(again.Rules) > 0 || f.keeper.events > before {
		t.Errorf("told again although nothing happened: %v, %d events", again.Rules, f.keeper.events-before)
	}
	f.SetFile(repo, "services/pay/catalog-info.yaml", describe("pay", "front"))
	l.owned()
	if diff := cmp.Diff([]string{"pay:acme/front", "web:acme/front"}, f.owners()); diff != "" {
		t.Errorf("owners after a change (-want +got):\n%s", diff)
	}
}

func TestTheOnlyComponentBehindALocationIsTheServiceOfTheRepository(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 3, Repositories: 1, Limit: 100_000, GraphQLLimit: 100_000})
	l := f.mustRead(t)
	repo := f.Repositories()[0]
	f.SetFile(repo, "catalog-info.yaml", "kind: Location\nmetadata: {name: all}\nspec: {target: ./.backstage/shop.yaml}\n")
	f.SetFile(repo, ".backstage/shop.yaml", describe("shop", "payments"))
	l.owned()
	s := f.keeper.facts["service "+repo].event.(*event.Service)
	if !slices.Equal(s.Aliases, []string{"shop"}) || len(s.Repositories) != 1 || len(s.Repositories[0].Paths) > 0 {
		t.Errorf("got %+v, want the repository's service, alias shop", s)
	}
}

func TestAListThatIsCutOffEndsNobodysOwnership(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 3, Repositories: 1, Limit: 100_000, GraphQLLimit: 100_000, TreeLimit: 60})
	l := f.mustRead(t)
	repo := f.Repositories()[0]
	f.SetFile(repo, "catalog-info.yaml", "kind: Location\nmetadata: {name: all}\nspec: {target: './services/*/catalog-info.yaml'}\n")
	f.SetFile(repo, "services/a/catalog-info.yaml", describe("a", "one"))
	f.SetFile(repo, "services/z/catalog-info.yaml", describe("z", "one"))
	l.owned()
	if diff := cmp.Diff([]string{"a:acme/one", "z:acme/one"}, f.owners()); diff != "" {
		t.Fatalf("owners at first (-want +got):\n%s", diff)
	}
	for i := range 100 {
		f.SetFile(repo, fmt.Sprintf("services/b/%03d", i), "x")
	}
	f.SetFile(repo, "services/a/catalog-info.yaml", describe("a", "two"))
	report := l.owned()
	if diff := cmp.Diff([]string{"a:acme/two", "z:acme/one"}, f.owners()); diff != "" {
		t.Errorf("owners when the list is cut off (-want +got):\n%s", diff)
	}
	if said := slices.Collect(maps.Keys(report.Rules)); len(said) != 1 || !strings.Contains(said[0], "too many files") {
		t.Errorf("the turn says %q", said)
	}
}
