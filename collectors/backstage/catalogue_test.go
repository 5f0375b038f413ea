package backstage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors/backstage"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

var now = at("2026-11-22T19:00:00Z")

// What a real Backstage answered is told as facts that were worked out by hand.
func TestTheCatalogueOfARealBackstage(t *testing.T) {
	p := newPortal(t)
	for _, name := range []string{"entities-by-query-p1.json", "entities-by-query-p2.json"} {
		text, err := os.ReadFile(sharedtest.Path(t, "payloads", "backstage", "live-api", name))
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Items []map[string]any }
		if err := json.Unmarshal(text, &page); err != nil {
			t.Fatal(err)
		}
		p.entities = append(p.entities, page.Items...)
	}
	got, _ := read(t, p.connect(), source.Catalogue, "", now)
	told := event.Telling{Source: "backstage", UpdatedAt: now}
	want := []event.Event{
		&event.Service{Telling: told, ID: "example-website", Name: "example-website", System: "examples", Lifecycle: "experimental", URL: "https://portal.example/catalog/default/component/example-website"},
		&event.Ownership{Telling: told, Service: "example-website", Team: "guests"},
		&event.CapabilityUse{Telling: told, Service: "example-website", Capability: "catalogue", ObservedAt: at("2026-11-22T00:00:00Z"), State: "golden", Evidence: "component:default/example-website owned by guests"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// fill puts groups, users and services into the catalogue.
func fill(p *portal) {
	p.entity("Group", "Checkout", "spec.parent", "shops", "relation.childOf", "group:default/shops")
	p.entity("Group", "shops", "metadata.title", "All shops")
	p.entity("User", "ada", "relation.memberOf", "group:default/checkout")
	p.entity("Component", "Shop", "spec.type", "service", "spec.owner", "group:Checkout", "relation.ownedBy", "group:default/checkout",
		"github.com/project-slug", "acme/shop", "argocd/app-name", "shop-prod, shop-stage", "pagerduty.com/service-id", "P00BUSE", "backstage.io/kubernetes-id", "shop",
		"backstage.io/techdocs-ref", "dir:.", "relation.dependsOn", "component:default/ledger", "relation.dependsOn", "resource:default/db")
	p.entity("Component", "ledger", "metadata.namespace", "pay", "spec.type", "service", "spec.owner", "user:ada", "relation.ownedBy", "user:default/ada", "spec.lifecycle", "deprecated", "spec.system", "Money", "relation.partOf", "system:default/money")
	p.entity("Component", "strings", "spec.type", "library", "spec.owner", "shops")
}

func TestEntitiesBecomeServicesTeamsAndOwners(t *testing.T) {
	p := newPortal(t)
	fill(p)
	p.config.People = true
	facts, _ := read(t, p.connect(func(c *rules.Config) {
		c.Services = []rules.ServiceRule{{Repository: "acme/*", Service: "{name}"}}
	}), source.Catalogue, "", now)
	told := event.Telling{Source: "backstage", UpdatedAt: now}
	day := at("2026-11-22T00:00:00Z")
	want := []event.Event{
		&event.Team{Telling: told, ID: "Checkout", Name: "Checkout", Parent: "shops"},
		&event.Team{Telling: told, ID: "shops", Name: "All shops"},
		&event.Person{Telling: told, ID: "ada", Name: "ada"},
		&event.Membership{Telling: told, Person: "ada", Team: "Checkout"},
		&event.Service{Telling: told, ID: "shop", Name: "Shop", Aliases: []string{"Shop", "shop-prod", "shop-stage", "P00BUSE", "acme/shop"},
			Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}, Dependencies: []string{"ledger"},
			Documentation: "https://portal.example/docs/default/component/Shop", URL: "https://portal.example/catalog/default/component/Shop"},
		&event.Ownership{Telling: told, Service: "shop", Team: "Checkout"},
		&event.CapabilityUse{Telling: told, Service: "shop", Capability: "catalogue", ObservedAt: day, State: "golden", Evidence: "component:default/shop owned by Checkout"},
		&event.Service{Telling: told, ID: "pay/ledger", Name: "pay/ledger", System: "Money", Lifecycle: "deprecated", URL: "https://portal.example/catalog/pay/component/ledger"},
		&event.CapabilityUse{Telling: told, Service: "pay/ledger", Capability: "catalogue", ObservedAt: day, State: "none", Evidence: "component:pay/ledger has no owner"},
	}
	if diff := gocmp.Diff(want, facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestPeopleAreToldOnlyWhenTheSettingsSaySo(t *testing.T) {
	p := newPortal(t)
	fill(p)
	facts, _ := read(t, p.connect(), source.Catalogue, "", now)
	if n := len(only[*event.Person](facts)) + len(only[*event.Membership](facts)); n > 0 || slices.ContainsFunc(p.asked, func(s string) bool { return strings.Contains(s, "user") }) {
		t.Errorf("%d facts about people; asked was %v", n, p.asked)
	}
}

// A service has the id that a file for the catalogue in its repository gives it.
func TestAServiceIsCalledAsItIsByTheFileInItsRepository(t *testing.T) {
	slug := "github.com/project-slug"
	source := func(path string) string { return "url:https://github.com/acme/mono/tree/main/" + path }
	tests := []struct {
		name  string
		rules []rules.ServiceRule
		names []rules.ServiceName
		fill  func(p *portal)
		want  map[string]string // repositories by id
	}{
		{"without a repository by its name", nil, nil, func(p *portal) { p.entity("Component", "shop") }, map[string]string{"shop": ""}},
		{"alone in a repository it is the service of that", nil, nil, func(p *portal) { p.entity("Component", "storefront", slug, "acme/shop") }, map[string]string{"acme/shop": "acme/shop"}},
		{"a library beside it does not count", nil, nil, func(p *portal) {
			p.entity("Component", "storefront", slug, "acme/shop")
			p.entity("Component", "a-kit", slug, "acme/shop", "spec.type", "library")
		}, map[string]string{"acme/shop": "acme/shop"}},
		{"several in a repository go by their names, each with its part", nil, nil, func(p *portal) {
			p.entity("Component", "api", slug, "acme/mono", "backstage.io/source-location", source("services/api/"))
			p.entity("Component", "web", slug, "acme/mono", "backstage.io/source-location", source("web/catalog-info.yaml"))
			p.entity("Component", "zoo", "backstage.io/managed-by-location", source("zoo/catalog-info.yaml"))
		}, map[string]string{"api": "acme/mono services/api", "web": "acme/mono web", "zoo": "acme/mono zoo"}},
		{"the rules know the parts better", []rules.ServiceRule{{Repository: "acme/mono", Service: "api", Paths: []string{"srv"}}, {Repository: "acme/mono", Service: "web"}}, nil, func(p *portal) {
			p.entity("Component", "api", slug, "acme/mono")
			p.entity("Component", "web", slug, "acme/mono")
		}, map[string]string{"api": "acme/mono srv", "web": "acme/mono"}},
		{"a rule of the connection holds before all", nil, []rules.ServiceName{{Match: "component:default/legacy-*", Service: "none"}, {Match: "store*", Service: "shop"}}, func(p *portal) {
			p.entity("Component", "storefront", slug, "acme/shop")
			p.entity("Component", "legacy-shop")
		}, map[string]string{"shop": "acme/shop"}},
		{"in GitLab the last part of a service's id is its name", []rules.ServiceRule{{Repository: "acme/pay/mono", Service: "acme/pay/api"}, {Repository: "acme/pay/mono", Service: "acme/pay/web"}}, nil, func(p *portal) {
			p.entity("Component", "api", "backstage.io/source-location", "url:https://gitlab.example/acme/pay/mono/-/tree/main/api")
			p.entity("Component", "web", "gitlab.com/project-slug", "acme/pay/mono")
		}, map[string]string{"acme/pay/api": "acme/pay/mono", "acme/pay/web": "acme/pay/mono"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPortal(t)
			p.page = 1
			tt.fill(p)
			p.config.Services = tt.names
			facts, _ := read(t, p.connect(func(c *rules.Config) { c.Services = tt.rules }), "catalogue", "", now)
			got := map[string]string{}
			for _, s := range only[*event.Service](facts) {
				from := ""
				for _, r := range s.Repositories {
					from = strings.TrimSpace(r.Repository + " " + strings.Join(r.Paths, " "))
				}
				got[s.ID] = from
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAServiceKeepsItsIDWhenAnotherComesToLieInItsRepository(t *testing.T) {
	p := newPortal(t)
	p.entity("Component", "storefront", "github.com/project-slug", "acme/shop")
	c := p.connect()
	_, position := read(t, c, source.Catalogue, "", now)
	p.entity("Component", "worker", "github.com/project-slug", "acme/shop")
	facts, _ := read(t, c, source.Catalogue, position, now.Add(time.Hour))
	var ids []string
	for _, s := range only[*event.Service](facts) {
		ids = append(ids, s.ID)
	}
	if diff := gocmp.Diff([]string{"worker"}, ids); diff != "" {
		t.Errorf("ids of what is told (-want +got):\n%s", diff)
	}
}

func TestARuleThatComesLaterHolds(t *testing.T) {
	p := newPortal(t)
	p.entity("Component", "storefront", "github.com/project-slug", "acme/shop", "spec.owner", "shops")
	_, position := read(t, p.connect(), source.Catalogue, "", now)
	p.config.Services = []rules.ServiceName{{Match: "storefront", Service: "shop"}}
	later := now.Add(time.Hour)
	facts, position := read(t, p.connect(), source.Catalogue, position, later)
	told := event.Telling{Source: "backstage", UpdatedAt: later}
	if diff := gocmp.Diff([]*event.Ownership{{Telling: told, Service: "acme/shop", Team: "shops", To: later}, {Telling: told, Service: "shop", Team: "shops"}}, only[*event.Ownership](facts)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if s := only[*event.Service](facts); len(s) != 1 || s[0].ID != "shop" {
		t.Errorf("services: %+v", s)
	}
	if again, _ := read(t, p.connect(), source.Catalogue, position, later); len(again) > 0 {
		t.Errorf("told again: %+v", again)
	}
}

func TestWhatHasNotChangedIsNotToldAgainAndWhatHasIsToldAsOfNow(t *testing.T) {
	p := newPortal(t)
	fill(p)
	c := p.connect()
	_, position := read(t, c, source.Catalogue, "", now)
	again, position := read(t, c, source.Catalogue, position, now.Add(time.Hour))
	if len(again) > 0 {
		t.Errorf("told again: %+v", again)
	}
	// The owner changes, and another service is registered.
	p.remove("component:default/shop")
	p.entity("Component", "Shop", "spec.type", "service", "spec.owner", "shops", "github.com/project-slug", "acme/shop")
	p.entity("Component", "cart", "spec.owner", "shops")
	later := now.Add(2 * time.Hour)
	facts, position := read(t, c, source.Catalogue, position, later)
	told := event.Telling{Source: "backstage", UpdatedAt: later}
	want := []event.Ownership{
		{Telling: told, Service: "cart", Team: "shops"},
		{Telling: told, Service: "acme/shop", Team: "Checkout", To: later},
		{Telling: told, Service: "acme/shop", Team: "shops", From: later},
	}
	var owned []event.Ownership
	for _, o := range only[*event.Ownership](facts) {
		owned = append(owned, *o)
	}
	if diff := gocmp.Diff(want, owned); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	for _, s := range only[*event.Service](facts) {
		if created := s.CreatedAt.Equal(later); created != (s.ID == "cart") {
			t.Errorf("%s was created at %s, want the new one to be created when it was registered, and nothing to be known of the others", s.ID, s.CreatedAt)
		}
	}
	// Evidence is told again the next day.
	facts, _ = read(t, c, source.Catalogue, position, now.Add(24*time.Hour))
	if uses := only[*event.CapabilityUse](facts); len(uses) != 3 || len(facts) != 3 {
		t.Errorf("the next day %d facts are told, want the evidence of three services", len(facts))
	}
}

func TestOnlyWhatBackstageSaysIsGoneIsRetired(t *testing.T) {
	p := newPortal(t)
	for i := range 7 {
		p.entity("Component", fmt.Sprintf("svc-%d", i), "spec.owner", "shops", "spec.lifecycle", "experimental", "argocd/app-name", fmt.Sprintf("app-%d", i))
	}
	p.entity("Group", "shops")
	c := p.connect()
	_, position := read(t, c, source.Catalogue, "", now)
	retired := func(facts []event.Event) (names []string) {
		for _, s := range only[*event.Service](facts) {
			if !s.RetiredAt.IsZero() {
				names = append(names, s.ID)
			}
		}
		for _, s := range only[*event.Team](facts) {
			if !s.RetiredAt.IsZero() {
				names = append(names, "team "+s.ID)
			}
		}
		return names
	}
	// A sweep that breaks off retires nothing.
	p.remove("component:default/svc-0")
	pages := 0
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		if pages++; pages == 4 {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		return false
	}
	facts, position, _, err := turn(t, c, source.Catalogue, position, now.Add(time.Hour))
	wantFault(t, err, fault.Unavailable, "may work later")
	if names := retired(facts); names != nil {
		t.Errorf("a sweep that broke off retired %v", names)
	}
	// One that lists do not show, but that is there, is not gone.
	p.before = nil
	p.hidden["component:default/svc-5"] = true
	facts, position = read(t, c, source.Catalogue, position, now.Add(time.Hour))
	if diff := gocmp.Diff([]string{"svc-0"}, retired(facts)); diff != "" {
		t.Errorf("retired (-want +got):\n%s", diff)
	}
	gone := only[*event.Service](facts)[0]
	want := &event.Service{Telling: gone.Telling, ID: "svc-0", Name: "svc-0", RetiredAt: now.Add(time.Hour), Aliases: []string{"app-0"}, Lifecycle: "experimental"}
	if diff := gocmp.Diff(want, gone); diff != "" {
		t.Errorf("what is retired is still found (-want +got):\n%s", diff)
	}
	if o := only[*event.Ownership](facts); len(o) != 1 || !o[0].To.Equal(now.Add(time.Hour)) {
		t.Errorf("owners are %+v, want the ownership to end", o)
	}
	// It comes back under its name, with another uid.
	p.hidden = map[string]bool{}
	p.entity("Component", "svc-0", "spec.owner", "shops")
	facts, position = read(t, c, source.Catalogue, position, now.Add(2*time.Hour))
	services := only[*event.Service](facts)
	if len(services) != 1 || services[0].ID != "svc-0" || !services[0].RetiredAt.IsZero() {
		t.Errorf("what came back is %+v", services)
	}
	if o := only[*event.Ownership](facts); len(o) != 1 || !o[0].From.Equal(now.Add(2*time.Hour)) {
		t.Errorf("owners are %+v, want one from now on", o)
	}
	// A token that may see nothing any more is no empty catalogue.
	all := p.entities
	p.entities = nil
	facts, position, _, err = turn(t, c, source.Catalogue, position, now.Add(3*time.Hour))
	wantFault(t, err, fault.Denied, "shows no component any more")
	if len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
	p.entities = all
	if facts, _ = read(t, c, source.Catalogue, position, now.Add(4*time.Hour)); len(facts) > 0 {
		t.Errorf("nothing has changed, told was %+v", facts)
	}
}

// Wherever collecting is broken off, what follows tells the rest, and nothing but a page twice.
func TestReadingGoesOnWhereItWasBrokenOff(t *testing.T) {
	p := newPortal(t)
	p.page = 3
	for i := range 20 {
		p.entity("Component", fmt.Sprintf("svc-%02d", i), "spec.owner", "shops", "github.com/project-slug", fmt.Sprintf("acme/r%d", i/2))
	}
	p.entity("Group", "shops")
	whole, _ := read(t, p.connect(), source.Catalogue, "", now)
	rapid.Check(t, func(r *rapid.T) {
		position := ""
		var facts []event.Event
		for range 200 {
			c := p.connect()
			if err := c.Recall(source.Catalogue, position); err != nil {
				r.Fatal(err)
			}
			turn, err := c.Turn(source.Stream{Name: source.Catalogue, Kind: source.Catalogue}, position, now)
			if err != nil {
				r.Fatal(err)
			}
			left := rapid.IntRange(0, 12).Draw(r, "events")
			stopped := false
			for e, err := range turn.Events(t.Context()) {
				if err != nil {
					r.Fatal(err)
				}
				facts = append(facts, e)
				if left--; left < 0 {
					stopped = true
					break
				}
			}
			position = turn.Position()
			if !stopped && !turn.Report().More {
				break
			}
		}
		if diff := gocmp.Diff(keyed(whole), keyed(facts)); diff != "" {
			r.Errorf("facts (-whole +in parts):\n%s", diff)
		}
		if len(facts) > len(whole)+200*12 {
			r.Errorf("%d facts, where %d are", len(facts), len(whole))
		}
	})
}

func TestAnUnknownCursorBeginsTheKindAnew(t *testing.T) {
	p := newPortal(t)
	fill(p)
	once := true
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "cursor=component") && once {
			once = false
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"name":"InputError","message":"Malformed cursor, could not be parsed"}}`)
			return true
		}
		return false
	}
	facts, _ := read(t, p.connect(), source.Catalogue, "", now)
	if n := len(only[*event.Service](facts)); n != 2 || once {
		t.Errorf("%d services, want 2", n)
	}
}

func TestGroupsAreTheTeamsThatRulesSay(t *testing.T) {
	p := newPortal(t)
	fill(p)
	p.config.Teams = []rules.TeamName{{Match: "shops", Team: "none"}, {Match: "*", Team: "acme/{1}"}}
	facts, _ := read(t, p.connect(), source.Catalogue, "", now)
	if teams := only[*event.Team](facts); len(teams) > 0 {
		t.Errorf("teams of another system are told by that: %+v", teams)
	}
	if o := only[*event.Ownership](facts); len(o) != 1 || o[0].Team != "acme/Checkout" {
		t.Errorf("owners are %+v", o)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		kind   fault.Kind
		words  string
	}{
		{"a token that has ended", 401, `{"error":{"name":"AuthenticationError","message":"Illegal token"}}`, fault.Denied, "refuses the token"},
		{"a token that may not", 403, `{"error":{"name":"NotAllowedError","message":"nope"}}`, fault.Denied, "accessRestrictions of the token and the permission policy: nope"},
		{"no catalogue", 404, `{}`, fault.NotFound, "has no /api/catalog"},
		{"too much", 429, ``, fault.Unavailable, "fewer requests"},
		{"away", 503, `<html>`, fault.Unavailable, "may work later"},
		{"cut off", 200, `{"items":[`, fault.Unavailable, "cut off"},
		{"another form", 200, `[1]`, fault.Internal, "another form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPortal(t)
			p.before = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
				return true
			}
			_, _, _, err := turn(t, p.connect(), source.Catalogue, "", now)
			wantFault(t, err, tt.kind, tt.words)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the token in it: %v", err)
			}
		})
	}
	t.Run("the address of the pages", func(t *testing.T) {
		p := newPortal(t)
		p.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html>")
			return true
		}
		_, _, _, err := turn(t, p.connect(), source.Catalogue, "", now)
		wantFault(t, err, fault.Invalid, "address of the backend")
	})
	t.Run("another token", func(t *testing.T) {
		p := newPortal(t)
		p.token = "other"
		_, err := p.connect().Check(t.Context())
		wantFault(t, err, fault.Denied, "backend.auth.externalAccess")
	})
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	p := newPortal(t)
	leaked := "-"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer elsewhere.Close()
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		return true
	}
	_, _, _, _ = turn(t, p.connect(), source.Catalogue, "", now)
	if leaked != "" {
		t.Errorf("another host was shown %q", leaked)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for words, change := range map[string]func(*backstage.Config){
		"name is empty":     func(c *backstage.Config) { c.Name = "" },
		"url is empty":      func(c *backstage.Config) { c.URL = "" },
		"url is \"portal\"": func(c *backstage.Config) { c.URL = "portal" },
		"app is":            func(c *backstage.Config) { c.App = "ftp://x" },
		"token is empty":    func(c *backstage.Config) { c.Token = " " },
		"every is":          func(c *backstage.Config) { c.Every = time.Second },
		"checks[0] needs":   func(c *backstage.Config) { c.Checks = []backstage.Check{{Check: "a"}} },
		"checks[0].failed":  func(c *backstage.Config) { c.Checks = []backstage.Check{{Check: "a", Capability: "b", Failed: "bad"}} },
		"b has two checks": func(c *backstage.Config) {
			c.Checks = []backstage.Check{{Check: "a", Capability: "b"}, {Check: "c", Capability: "b"}}
		},
		"services[0].service":    func(c *backstage.Config) { c.Services = []rules.ServiceName{{Match: "x"}} },
		"teams[0].team is empty": func(c *backstage.Config) { c.Teams = []rules.TeamName{{Match: "x"}} },
	} {
		cfg := backstage.DefaultConfig()
		cfg.URL, cfg.Token = "https://portal.example/", "t"
		change(&cfg)
		_, err := backstage.New(cfg, r, http.DefaultClient)
		wantFault(t, err, fault.Invalid, words)
	}
}

// Whatever stands in a catalogue, no fact is told that intake would refuse, and the others are told.
func TestAHostileCatalogueTellsOnlyFacts(t *testing.T) {
	p := newPortal(t)
	p.page = 100
	long := strings.Repeat("ä", 10_000)
	p.entities = append(p.entities,
		map[string]any{"kind": "Component", "metadata": map[string]any{"name": "a", "tags": "x", "annotations": []any{1}}, "spec": "none", "relations": map[string]any{"a": 1}},
		map[string]any{"kind": "Component", "metadata": map[string]any{"name": long}, "spec": map[string]any{"owner": long}},
		map[string]any{"kind": "Component", "metadata": map[string]any{"name": "  "}},
		map[string]any{"kind": "Component", "metadata": map[string]any{"name": "b", "description": long, "annotations": map[string]any{"argocd/app-name": ",,\u0000,", "github.com/project-slug": "///", "backstage.io/source-location": "url:https://%zz"}}},
		map[string]any{"kind": "Component"},
	)
	facts, position := read(t, p.connect(), source.Catalogue, "", now)
	ids := map[string]bool{}
	for _, s := range only[*event.Service](facts) {
		ids[s.ID] = true
	}
	if !ids["a"] || !ids["b"] {
		t.Errorf("the services are %v", ids)
	}
	if again, _ := read(t, p.connect(), source.Catalogue, position, now); len(again) > 0 {
		t.Errorf("told again: %v", again)
	}
}

func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(`{"items":[{"kind":"Component","metadata":{"name":"a","annotations":{"github.com/project-slug":"a/b","argocd/app-name":"x"}},"spec":{"owner":"b"},"relations":[{"type":"ownedBy","targetRef":"group:default/b"}]}],"totalItems":1,"pageInfo":{}}`), []byte(`{"tasks":[{"id":"t","status":"completed","createdAt":"2026-01-01T00:00:00Z","spec":{}}],"totalTasks":1}`))
	f.Add([]byte(`{"items":[null,1,{"kind":"Component","metadata":{"name":"`+"\xff"+`"}}],"pageInfo":{"nextCursor":"x"}}`), []byte(`{"tasks":[{}],"totalTasks":-5}`))
	f.Fuzz(func(t *testing.T, catalogue, tasks []byte) {
		p := newPortal(t)
		p.before = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.HasSuffix(r.URL.Path, "/by-query"):
				_, _ = w.Write(catalogue)
			case strings.HasSuffix(r.URL.Path, "/tasks"):
				_, _ = w.Write(tasks)
			default:
				fmt.Fprint(w, "[]")
			}
			return true
		}
		c := p.connect()
		for _, stream := range []string{source.Catalogue, source.Requests} {
			position := ""
			for range 5 {
				_, position, _, _ = turn(t, c, stream, position, now)
			}
		}
	})
}
