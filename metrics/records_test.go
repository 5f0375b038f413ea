package metrics_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
	"cairn/metrics/metricstest"
)

// tell stores events, one a line.
func tell(t testing.TB, st *store.Store, lines string) {
	t.Helper()
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	in.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(lines)))
	if w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
}

// small is an engine over the small organisation, told twice, so that a missing deduplication shows.
func small(t testing.TB) *metrics.Engine {
	t.Helper()
	st := storetest.New(t)
	tell(t, st, metricstest.Small())
	tell(t, st, metricstest.Small())
	e := over(t, st)
	e.Feed() // nothing arrives any more
	return e
}

func over(t testing.TB, st *store.Store) *metrics.Engine {
	t.Helper()
	e, err := metrics.New(metrics.DefaultConfig(), st, metricstest.SmallNow, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func point(t time.Time) *time.Time { return &t }

func ptr[T any](v T) *T { return &v }

// listing is one way of reading a list: the ids of the page, and its cursor.
type listing func(metrics.Paging) (ids []string, next string, err error)

func services(t *testing.T, e *metrics.Engine, f metrics.ServiceFilter) listing {
	return func(p metrics.Paging) (ids []string, next string, err error) {
		l, err := e.Services(t.Context(), f, p)
		for _, r := range l.Services {
			ids = append(ids, r.ID)
		}
		return ids, l.Next, err
	}
}

func teams(t *testing.T, e *metrics.Engine, f metrics.TeamFilter) listing {
	return func(p metrics.Paging) (ids []string, next string, err error) {
		l, err := e.Teams(t.Context(), f, p)
		for _, r := range l.Teams {
			ids = append(ids, r.ID)
		}
		return ids, l.Next, err
	}
}

func deployments(t *testing.T, e *metrics.Engine, f metrics.DeploymentFilter) listing {
	return func(p metrics.Paging) (ids []string, next string, err error) {
		l, err := e.Deployments(t.Context(), f, p)
		for _, r := range l.Deployments {
			ids = append(ids, r.ID)
		}
		return ids, l.Next, err
	}
}

func changes(t *testing.T, e *metrics.Engine, f metrics.ChangeFilter) listing {
	return func(p metrics.Paging) (ids []string, next string, err error) {
		l, err := e.Changes(t.Context(), f, p)
		for _, r := range l.Changes {
			ids = append(ids, r.ID)
		}
		return ids, l.Next, err
	}
}

func incidents(t *testing.T, e *metrics.Engine, f metrics.IncidentFilter) listing {
	return func(p metrics.Paging) (ids []string, next string, err error) {
		l, err := e.Incidents(t.Context(), f, p)
		for _, r := range l.Incidents {
			ids = append(ids, r.ID)
		}
		return ids, l.Next, err
	}
}

// Each filter finds what it names and nothing else, in the order of its list.
func TestRecordsFitTheirFilters(t *testing.T) {
	e := small(t)
	for _, c := range []struct {
		name string
		list listing
		want string
	}{
		{"services", services(t, e, metrics.ServiceFilter{}), "auth edge shop wiki"},
		{"services, retired ones too", services(t, e, metrics.ServiceFilter{IncludeRetired: true}), "auth edge legacy shop wiki"},
		{"services, by id", services(t, e, metrics.ServiceFilter{Search: "  EDG "}), "edge"},
		{"services, by name in any case of any alphabet", services(t, e, metrics.ServiceFilter{Search: "anmeldung ä"}), "auth"},
		{"services, by alias", services(t, e, metrics.ServiceFilter{Search: "WEBsh"}), "shop"},
		{"services, by description", services(t, e, metrics.ServiceFilter{Search: "people buy"}), "shop"},
		{"services, by tag", services(t, e, metrics.ServiceFilter{Search: "payment"}), "shop"},
		{"services, by owner", services(t, e, metrics.ServiceFilter{Search: "platf"}), "auth"},
		{"services, not across two texts", services(t, e, metrics.ServiceFilter{Search: "shopweb"}), ""},
		{"services, no pattern", services(t, e, metrics.ServiceFilter{Search: "%"}), ""},
		{"services, of a team", services(t, e, metrics.ServiceFilter{Team: "checkout"}), "shop"},
		{"services, of the teams below", services(t, e, metrics.ServiceFilter{Team: "product", IncludeRetired: true}), "legacy shop"},
		{"services, of a team without any", services(t, e, metrics.ServiceFilter{Team: "mobile"}), ""},
		{"services, by lifecycle, production unless told", services(t, e, metrics.ServiceFilter{Lifecycle: "production"}), "auth edge shop"},
		{"services, by tier", services(t, e, metrics.ServiceFilter{Tier: "2"}), "auth"},
		{"services, by system", services(t, e, metrics.ServiceFilter{System: "store"}), "auth shop"},
		{"services, by exact tag", services(t, e, metrics.ServiceFilter{Tag: "go"}), "auth shop"},
		{"services, by part of a tag", services(t, e, metrics.ServiceFilter{Tag: "pay"}), ""},
		{"services, fully on the golden path", services(t, e, metrics.ServiceFilter{GoldenPath: "full"}), "auth"},
		{"services, partly on the golden path", services(t, e, metrics.ServiceFilter{GoldenPath: "partial"}), "shop"},
		{"services, not on the golden path", services(t, e, metrics.ServiceFilter{GoldenPath: "none"}), ""},

		{"teams", teams(t, e, metrics.TeamFilter{}), "checkout platform product"},
		{"teams, retired ones too", teams(t, e, metrics.TeamFilter{IncludeRetired: true}), "checkout mobile platform product"},
		{"teams, by name", teams(t, e, metrics.TeamFilter{Search: "PLATTF"}), "platform"},
		{"teams, right below another", teams(t, e, metrics.TeamFilter{Parent: "product"}), "checkout"},

		{"deployments", deployments(t, e, metrics.DeploymentFilter{}), "a2 e1 a1 d5 d4 d3#2 d1 d0"},
		{"deployments, one", deployments(t, e, metrics.DeploymentFilter{Service: "webshop", ID: "d4"}), "d4"},
		{"deployments, one that is a run", deployments(t, e, metrics.DeploymentFilter{ID: "d2", IncludeRuns: true}), "d2"},
		{"deployments, runs too", deployments(t, e, metrics.DeploymentFilter{IncludeRuns: true}), "a2 e1 a1 d5 d4 d3#2 d3 d2 d1us d1 d0"},
		{"deployments, of a service by alias", deployments(t, e, metrics.DeploymentFilter{Service: "webshop"}), "d5 d4 d3#2 d1 d0"},
		{"deployments, of a team at the time", deployments(t, e, metrics.DeploymentFilter{Team: "platform"}), "a2 a1 d1 d0"},
		{"deployments, of the teams below", deployments(t, e, metrics.DeploymentFilter{Team: "product"}), "d5 d4 d3#2"},
		{"deployments, elsewhere", deployments(t, e, metrics.DeploymentFilter{Environment: "staging"}), "s1"},
		{"deployments, by kind", deployments(t, e, metrics.DeploymentFilter{Kind: "rollback"}), "d4"},
		{"deployments, by a kind of runs", deployments(t, e, metrics.DeploymentFilter{Kind: "redeploy"}), "d2"},
		{"deployments, failed", deployments(t, e, metrics.DeploymentFilter{Failed: ptr(true)}), "a1 d3#2"},
		{"deployments, not failed", deployments(t, e, metrics.DeploymentFilter{Failed: ptr(false)}), "a2 e1 d5 d4 d1 d0"},
		{"deployments, of a span", deployments(t, e, metrics.DeploymentFilter{From: at("2026-01-05T08:00"), To: at("2026-02-11T10:00")}), "d4 d3#2 d1"},

		{"changes", changes(t, e, metrics.ChangeFilter{}), "c5 c3 c4 7"},
		{"changes, of a deployment", changes(t, e, metrics.ChangeFilter{Deployment: "d3#2"}), "c3 c4"},
		{"changes, of no deployment", changes(t, e, metrics.ChangeFilter{Deployment: "d9"}), ""},
		{"changes, of a team at the time", changes(t, e, metrics.ChangeFilter{Team: "platform"}), "7"},
		{"changes, of a service", changes(t, e, metrics.ChangeFilter{Service: "auth"}), ""},
		{"changes, of a span", changes(t, e, metrics.ChangeFilter{From: at("2026-01-06T00:00"), To: at("2026-02-01T00:00")}), "c3 c4"},
		{"changes, elsewhere", changes(t, e, metrics.ChangeFilter{Environment: "staging"}), ""},
		{"changes, waiting", changes(t, e, metrics.ChangeFilter{Waiting: true}), "c6"},
		{"changes, waiting, of a span", changes(t, e, metrics.ChangeFilter{Waiting: true, To: at("2026-02-20T10:00")}), ""},

		{"incidents", incidents(t, e, metrics.IncidentFilter{}), "i3 i2 i1"},
		{"incidents, open", incidents(t, e, metrics.IncidentFilter{Open: ptr(true)}), "i2"},
		{"incidents, over", incidents(t, e, metrics.IncidentFilter{Open: ptr(false)}), "i3 i1"},
		{"incidents, by cause", incidents(t, e, metrics.IncidentFilter{Cause: "external"}), "i3"},
		{"incidents, of a service by alias", incidents(t, e, metrics.IncidentFilter{Service: "old-auth"}), "i2"},
		{"incidents, of a team", incidents(t, e, metrics.IncidentFilter{Team: "product"}), "i3 i1"},
		{"incidents, of a span", incidents(t, e, metrics.IncidentFilter{From: at("2026-02-12T08:10"), To: at("2026-02-20T08:10")}), "i2"},
	} {
		whole, next, err := c.list(metrics.Paging{})
		if got := strings.Join(whole, " "); err != nil || got != c.want || next != "" {
			t.Errorf("%s: got %q, next %q, %v, want %q", c.name, got, next, err, c.want)
		}
		var pages []string
		var cursors int
		for p := (metrics.Paging{Limit: 1}); ; cursors++ {
			ids, next, err := c.list(p)
			if err != nil || len(ids) > 1 {
				t.Fatalf("%s: got %v, %v", c.name, ids, err)
			}
			pages = append(pages, ids...)
			if p.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(pages, " "); got != c.want || cursors != max(0, len(pages)-1) {
			t.Errorf("%s, one by one: got %q with %d cursors, want %q", c.name, got, cursors, c.want)
		}
	}
}

func TestRecordsRefuseWhatMakesNoSense(t *testing.T) {
	e := small(t)
	_, cursor, err := deployments(t, e, metrics.DeploymentFilter{})(metrics.Paging{Limit: 1})
	if err != nil || cursor == "" {
		t.Fatal(cursor, err)
	}
	forged := func(text string) metrics.Paging {
		return metrics.Paging{Cursor: base64.RawURLEncoding.EncodeToString([]byte(text))}
	}
	for _, c := range []struct {
		list listing
		page metrics.Paging
		kind fault.Kind
		say  string
	}{
		{services(t, e, metrics.ServiceFilter{}), metrics.Paging{Limit: -1}, fault.Invalid, "limit is -1"},
		{teams(t, e, metrics.TeamFilter{}), metrics.Paging{Limit: 1001}, fault.Invalid, "limit is 1001"},
		{deployments(t, e, metrics.DeploymentFilter{}), metrics.Paging{Limit: 1001}, fault.Invalid, "limit is 1001"},
		{services(t, e, metrics.ServiceFilter{}), metrics.Paging{Cursor: cursor}, fault.Invalid, "cursor"},
		{teams(t, e, metrics.TeamFilter{}), metrics.Paging{Cursor: "%"}, fault.Invalid, "cursor"},
		{changes(t, e, metrics.ChangeFilter{}), metrics.Paging{Cursor: cursor}, fault.Invalid, "cursor"},
		{changes(t, e, metrics.ChangeFilter{Waiting: true}), forged(`["changes","0","a","b","c"]`), fault.Invalid, "cursor"},
		{incidents(t, e, metrics.IncidentFilter{}), forged(`["incidents","soon","a","b"]`), fault.Invalid, "cursor"},
		{incidents(t, e, metrics.IncidentFilter{}), forged(`["incidents","9223372036854775807","a","b"]`), fault.Invalid, "cursor"},
		{incidents(t, e, metrics.IncidentFilter{}), forged(`["incidents","0","a"]`), fault.Invalid, "cursor"},
		{incidents(t, e, metrics.IncidentFilter{}), forged(`{}`), fault.Invalid, "cursor"},
		{services(t, e, metrics.ServiceFilter{GoldenPath: "half"}), metrics.Paging{}, fault.Invalid, "half"},
		{services(t, e, metrics.ServiceFilter{Team: "chekout"}), metrics.Paging{}, fault.NotFound, "chekout"},
		{teams(t, e, metrics.TeamFilter{Parent: "produkt"}), metrics.Paging{}, fault.NotFound, "produkt"},
		{deployments(t, e, metrics.DeploymentFilter{Kind: "redploy"}), metrics.Paging{}, fault.Invalid, "redploy"},
		{deployments(t, e, metrics.DeploymentFilter{Service: "shap"}), metrics.Paging{}, fault.NotFound, "shap"},
		{deployments(t, e, metrics.DeploymentFilter{Service: "shop", Team: "checkout"}), metrics.Paging{}, fault.Invalid, "one of service, team"},
		{deployments(t, e, metrics.DeploymentFilter{From: at("2026-02-01T00:00"), To: at("2026-01-01T00:00")}), metrics.Paging{}, fault.Invalid, "before"},
		{changes(t, e, metrics.ChangeFilter{Deployment: "d1", Waiting: true}), metrics.Paging{}, fault.Invalid, "waiting"},
		{incidents(t, e, metrics.IncidentFilter{Cause: "bad luck"}), metrics.Paging{}, fault.Invalid, "bad luck"},
	} {
		_, _, err := c.list(c.page)
		if fault.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.say) {
			t.Errorf("got %v, want %s that says %q", err, c.kind, c.say)
		}
	}
	for _, name := range []string{"", "shap"} {
		if _, err := e.Service(t.Context(), name); fault.KindOf(err) != fault.NotFound {
			t.Errorf("service %q: got %v, want not found", name, err)
		}
		if _, err := e.Team(t.Context(), name); fault.KindOf(err) != fault.NotFound {
			t.Errorf("team %q: got %v, want not found", name, err)
		}
	}
	if _, err := e.ServiceOwnership(t.Context(), "shap"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}

// Each record says all that is known.
func TestRecordsAreWhole(t *testing.T) {
	e := small(t)
	none := []string{}
	check := func(name string, got, want any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	shop, err := e.Service(t.Context(), "webshop")
	check("shop", shop, metrics.ServiceRecord{
		ID: "shop", Name: "Web shop", Description: "Where people buy.", System: "store", Lifecycle: "production", Tier: "1", Owners: []string{"checkout"},
		Repositories: []metrics.ServiceRepository{{Repository: "acme/shop", Paths: []string{"cart", "till"}, SharedPaths: []string{"lib"}}},
		Dependencies: []string{"auth", "ledger"}, Dependents: none, Tags: []string{"go", "payments"}, Aliases: []string{"webshop"},
		Documentation: "https://docs.acme.example/shop", URL: "https://shop.acme.example", CreatedVia: "golden_path", Template: "go-service@v3", Source: "backstage",
		CreatedAt: point(at("2025-12-20T08:00")), FirstDeployedAt: point(at("2026-01-02T08:00")), LastDeployedAt: point(at("2026-02-11T10:00")), Catalogued: true,
		// The newest evidence counts; that of provisioning is 40 days old.
		Capabilities: map[string]string{"catalogue": "golden", "provisioning": "unknown", "cicd": "escape_hatch", "observability": "not_applicable", "docs": "none"},
	}, err)
	edge, err := e.Service(t.Context(), "edge")
	check("edge", edge, metrics.ServiceRecord{
		ID: "edge", Lifecycle: "production", Owners: none, Repositories: []metrics.ServiceRepository{}, Dependencies: none, Dependents: none, Tags: none, Aliases: none,
		FirstDeployedAt: point(at("2026-02-12T09:00")), LastDeployedAt: point(at("2026-02-12T09:00")), Capabilities: map[string]string{},
	}, err)
	auth, err := e.Service(t.Context(), "auth")
	check("what depends on auth", auth.Dependents, []string{"shop"}, err)
	spans, err := e.ServiceOwnership(t.Context(), "webshop")
	check("owners of shop", spans, []metrics.OwnershipSpan{{Team: "platform", To: point(at("2026-01-10T00:00"))}, {Team: "checkout", From: point(at("2026-01-10T00:00"))}}, err)

	product, err := e.Team(t.Context(), "product")
	check("product", product, metrics.TeamRecord{ID: "product", Name: "Product", Children: []string{"checkout"}, Services: none}, err)
	// Ann, Bob, and since February Cyd; the robot is nobody.
	checkout, err := e.Team(t.Context(), "checkout")
	check("checkout", checkout, metrics.TeamRecord{ID: "checkout", Name: "Checkout", Parent: "product", Children: none, TimeZone: "Europe/Berlin", Services: []string{"shop"}, Members: 3}, err)
	mobile, err := e.Team(t.Context(), "mobile")
	check("mobile", mobile, metrics.TeamRecord{ID: "mobile", Parent: "product", Children: none, Services: none, RetiredAt: point(at("2026-02-01T00:00"))}, err)

	list, err := e.Deployments(t.Context(), metrics.DeploymentFilter{Service: "shop", IncludeRuns: true}, metrics.Paging{})
	deployment := func(id string) metrics.DeploymentRecord {
		for _, d := range list.Deployments {
			if d.ID == id {
				return d
			}
		}
		t.Fatalf("there is no %s", id)
		return metrics.DeploymentRecord{}
	}
	check("d1", deployment("d1"), metrics.DeploymentRecord{
		ID: "d1", Service: "shop", Teams: []string{"platform"}, Environment: "production", Kind: "change", Status: "succeeded", Deployment: "d1", Version: "v1",
		Targets: []string{"production/eu", "production/us"}, StartedAt: point(at("2026-01-05T07:50")), DeployedAt: at("2026-01-05T08:00"), CompletedAt: point(at("2026-01-05T09:00")),
		Way: "golden_path", Tool: "argocd", Actor: "ann", Changes: 1, Commits: 2, FoundBy: "commit", LeadTimeP50Hours: ptr(48.0), FailedBy: none, ReworkOf: none, Flags: none, URL: "https://ci.acme.example/d1",
	}, err)
	// Its incident named d3 and meant the attempt that succeeded. The robot's change is no sample of a lead time.
	check("d3#2", deployment("d3#2"), metrics.DeploymentRecord{
		ID: "d3#2", Service: "shop", Teams: []string{"checkout"}, Environment: "production", Kind: "change", Status: "succeeded", Deployment: "d3#2", Version: "v2",
		Targets: []string{"production/eu"}, DeployedAt: at("2026-01-13T10:00"), CompletedAt: point(at("2026-01-13T10:00")), Way: "own", Tool: "argocd", Actor: "bob",
		Changes: 2, Commits: 2, FoundBy: "commit", LeadTimeP50Hours: ptr(24.0), Failed: true, FailedRule: "incident", FailedBy: []string{"i1"}, RestoredAt: point(at("2026-01-13T14:30")), ReworkOf: none, Flags: none,
	}, nil)
	check("d2, a redeploy", deployment("d2"), metrics.DeploymentRecord{
		ID: "d2", Service: "shop", Teams: []string{"platform"}, Environment: "production", Kind: "redeploy", Status: "succeeded", Deployment: "d1", Version: "v1",
		Targets: []string{"production/eu"}, DeployedAt: at("2026-01-06T08:00"), FailedBy: none, ReworkOf: none, Flags: none,
	}, nil)

	live, err := e.Changes(t.Context(), metrics.ChangeFilter{Deployment: "d1"}, metrics.Paging{})
	check("changes of d1", live.Changes, []metrics.ChangeRecord{{
		ID: "7", Repository: "acme/shop", Service: "shop", Teams: []string{"platform"}, Kind: "change_request", Author: "ann", Deployment: "d1", Commits: []string{"c1", "c2"},
		StartedAt: at("2026-01-03T08:00"), OpenedAt: point(at("2026-01-03T10:00")), MergedAt: point(at("2026-01-04T20:00")), DeployedAt: point(at("2026-01-05T08:00")),
		LeadTimeHours: ptr(48.0), Stages: metrics.StagesHours{Coding: ptr(2.0), Pickup: ptr(23.0), Review: ptr(11.0), WaitToDeploy: ptr(11 + 50/60.0), Deploy: ptr(10 / 60.0)},
		Rule: "landed", Flags: none, URL: "https://git.acme.example/shop/7",
	}}, err)
	waiting, err := e.Changes(t.Context(), metrics.ChangeFilter{Waiting: true}, metrics.Paging{})
	check("waiting changes", waiting.Changes, []metrics.ChangeRecord{{
		ID: "c6", Repository: "acme/shop", Service: "shop", Teams: []string{"checkout"}, Kind: "commit", Author: "bob", Commits: none,
		StartedAt: at("2026-02-19T10:00"), MergedAt: point(at("2026-02-20T10:00")), Flags: none,
	}}, err)
	trouble, err := e.Incidents(t.Context(), metrics.IncidentFilter{Service: "shop", Cause: "deployment"}, metrics.Paging{})
	check("incidents", trouble.Incidents, []metrics.IncidentRecord{{
		ID: "i1", Service: "shop", Teams: []string{"checkout"}, Title: "Nobody can pay", Severity: "critical", StartedAt: at("2026-01-13T11:00"), DetectedAt: point(at("2026-01-13T11:05")),
		AcknowledgedAt: point(at("2026-01-13T11:10")), RestoredAt: point(at("2026-01-13T14:30")), ResolvedAt: point(at("2026-01-14T09:00")), HoursToRestore: ptr(3.5),
		Cause: "deployment", Deployment: "d3#2", Rule: "incident", FixedBy: "d4", Source: "pagerduty", URL: "https://pager.acme.example/i1",
	}}, err)
}

// A facet's count is what one gets by asking for its value, whatever else is asked for, and total counts every page.
func TestFacetsCountWhatTheyWouldFind(t *testing.T) {
	e := small(t)
	for _, f := range []metrics.ServiceFilter{
		{IncludeRetired: true}, {Team: "product", Search: "o"}, {Tier: "2", GoldenPath: "full"},
	} {
		list, err := e.Services(t.Context(), f, metrics.Paging{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		count := func(f metrics.ServiceFilter) int64 {
			whole, err := e.Services(t.Context(), f, metrics.Paging{})
			if err != nil {
				t.Fatal(err)
			}
			return int64(len(whole.Services))
		}
		if want := count(f); list.Total != want {
			t.Errorf("%+v: got a total of %d, want %d", f, list.Total, want)
		}
		values := map[string][]string{
			metrics.FacetOwner: {"checkout", "platform", "product"}, metrics.FacetLifecycle: {"deprecated", "experimental", "production"},
			metrics.FacetTier: {"1", "2"}, metrics.FacetGoldenPath: {"full", "partial"},
		}
		for facet, known := range values {
			want := []metrics.Facet{}
			for _, v := range known {
				chosen := f
				*map[string]*string{metrics.FacetOwner: &chosen.Team, metrics.FacetLifecycle: &chosen.Lifecycle, metrics.FacetTier: &chosen.Tier, metrics.FacetGoldenPath: &chosen.GoldenPath}[facet] = v
				if n := count(chosen); n > 0 {
					want = append(want, metrics.Facet{Value: v, Count: n})
				}
			}
			if diff := cmp.Diff(want, list.Facets[facet]); diff != "" {
				t.Errorf("%+v, facet %s (-want +got):\n%s", f, facet, diff)
			}
		}
	}
}

// The lists and the metrics count the same things.
func TestRecordsAgreeWithTheMetrics(t *testing.T) {
	e := small(t)
	w := window(t, "2026-01-01", "2026-03-01", "UTC")
	for _, scope := range []metrics.Scope{{}, {Service: "shop"}, {Service: "auth"}, {Team: "checkout"}, {Team: "product"}, {Team: "platform"}} {
		ask := func(metric string) any {
			r, err := e.Query(t.Context(), metrics.Request{Metric: metric, Scope: scope, Window: w})
			if err != nil {
				t.Fatal(metric, err)
			}
			return r.Value
		}
		runs, err := e.Deployments(t.Context(), metrics.DeploymentFilter{Service: scope.Service, Team: scope.Team, From: w.From, To: w.To, IncludeRuns: true}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		kinds, failed, deployments := map[string]float64{}, 0.0, 0.0
		for _, d := range runs.Deployments {
			kinds[d.Kind]++
			if d.Kind == "change" || d.Kind == "failed_run" {
				deployments++
				if d.Failed {
					failed++
				}
			}
		}
		live, err := e.Changes(t.Context(), metrics.ChangeFilter{Service: scope.Service, Team: scope.Team, From: w.From, To: w.To}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		var hours []float64
		for _, c := range live.Changes {
			if !c.Bot && c.Excluded == "" {
				hours = append(hours, *c.LeadTimeHours)
			}
		}
		median := any(nil)
		if len(hours) > 0 {
			median = middle(hours)
		}
		waiting, err := e.Changes(t.Context(), metrics.ChangeFilter{Service: scope.Service, Team: scope.Team, Waiting: true}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		for metric, want := range map[string]any{
			"deployment_count": kinds["change"], "deployment_count_all": kinds["change"] + kinds["rollback"] + kinds["re_release"],
			"rollback_count": kinds["rollback"], "redeploy_count": kinds["redeploy"], "change_failure_rate": failed / deployments,
			"lead_time": median, "waiting_changes": float64(len(waiting.Changes)),
		} {
			if got := ask(metric); got != want {
				t.Errorf("%+v, %s: the metric says %v, the list %v", scope, metric, got, want)
			}
		}
		owned, err := e.Services(t.Context(), metrics.ServiceFilter{Team: scope.Team}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		full, counted := 0.0, 0.0
		for _, s := range owned.Services {
			if path := s.GoldenPath(); path != "" && (scope.Service == "" || s.ID == scope.Service) {
				counted++
				if path == "full" {
					full++
				}
			}
		}
		for _, capability := range metrics.DefaultConfig().Capabilities {
			golden, applicable := int64(0), int64(0)
			for _, s := range owned.Services {
				state, counts := s.Capabilities[capability]
				if !counts || state == "not_applicable" || scope.Service != "" && s.ID != scope.Service {
					continue
				}
				applicable++
				if state == "golden" {
					golden++
				}
			}
			r, err := e.Query(t.Context(), metrics.Request{Metric: "adoption_rate", Scope: scope, Window: w, Capability: capability})
			if err != nil || r.N != applicable || applicable > 0 && r.Parts["golden"] != golden {
				t.Errorf("%+v, %s: the metric says %v of %v, %v, the list %d of %d", scope, capability, r.Parts["golden"], r.N, err, golden, applicable)
			}
		}
		if got, want := ask("adoption_full_rate"), full/counted; got != want {
			t.Errorf("%+v: the metric says that %v are on the golden path, the list %v", scope, got, want)
		}
	}
}

func middle(values []float64) float64 {
	sorted := append([]float64{}, values...)
	for i := range sorted {
		for j := range sorted[:i] {
			if sorted[j] > sorted[i] {
				sorted[i], sorted[j] = sorted[j], sorted[i]
			}
		}
	}
	return metrics.Quantile(sorted, 0.5)
}

// Facts that arrive are in the next page that is read.
func TestRecordsFollowTheFacts(t *testing.T) {
	st := storetest.New(t)
	e := over(t, st)
	for _, list := range []listing{
		services(t, e, metrics.ServiceFilter{}), teams(t, e, metrics.TeamFilter{}), deployments(t, e, metrics.DeploymentFilter{IncludeRuns: true}),
		changes(t, e, metrics.ChangeFilter{}), changes(t, e, metrics.ChangeFilter{Waiting: true}), incidents(t, e, metrics.IncidentFilter{}),
	} {
		if ids, next, err := list(metrics.Paging{}); len(ids) > 0 || next != "" || err != nil {
			t.Errorf("with nothing stored got %v, %q, %v", ids, next, err)
		}
	}
	tell(t, st, `{"type":"deployment","service":"shop","id":"1","environment":"production","status":"succeeded","finished_at":"2026-01-02T00:00:00Z"}
{"type":"deployment","service":"shop","id":"2","environment":"production","status":"succeeded","finished_at":"2026-05-02T00:00:00Z"}`)
	if ids, _, err := deployments(t, e, metrics.DeploymentFilter{})(metrics.Paging{}); err != nil || strings.Join(ids, " ") != "1" {
		t.Errorf("got %v, %v, want 1 without what lies ahead", ids, err)
	}
}

// What is told under an alias that two services claim is in the record of the first in order alone; what is told under a
// service's id is its own, whoever claims that.
func TestRecordsOfAnAliasThatTwoServicesClaim(t *testing.T) {
	st := storetest.New(t)
	tell(t, st, `{"type":"service","id":"b","aliases":["old"]}
{"type":"service","id":"a","aliases":["old","c"]}
{"type":"service","id":"c","dependencies":["old"]}
{"type":"ownership","service":"old","team":"red"}
{"type":"capability_use","service":"old","capability":"cicd","observed_at":"2026-02-25T00:00:00Z","state":"golden"}
{"type":"capability_use","service":"c","capability":"cicd","observed_at":"2026-02-25T00:00:00Z","state":"own"}
{"type":"capability_exemption","service":"old","capability":"docs","exemption":"not_applicable","approved_at":"2026-01-01T00:00:00Z"}`)
	e := over(t, st)
	list, err := e.Services(t.Context(), metrics.ServiceFilter{}, metrics.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list.Services {
		got = append(got, fmt.Sprintf("%s %v %v %v %s %s", s.ID, s.Owners, s.Dependencies, s.Dependents, s.Capabilities["cicd"], s.Capabilities["docs"]))
	}
	if diff := cmp.Diff([]string{"a [red] [] [c] golden not_applicable", "b [] [] [] unknown unknown", "c [] [a] [] own unknown"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]metrics.Facet{{Value: "none", Count: 2}, {Value: "partial", Count: 1}}, list.Facets[metrics.FacetGoldenPath]); diff != "" {
		t.Errorf("golden path (-want +got):\n%s", diff)
	}
}

// Rows that share an instant are told apart by service and id, so that no page repeats or leaves out one.
func TestPagesCutThroughAnInstant(t *testing.T) {
	st := storetest.New(t)
	var lines strings.Builder
	want := map[string]bool{}
	for i := range 40 {
		service, id := fmt.Sprintf("s%d", i%3), fmt.Sprintf("d%02d", i)
		fmt.Fprintf(&lines, `{"type":"deployment","service":%q,"id":%q,"environment":"production","status":"succeeded","finished_at":"2026-01-0%dT00:00:00Z","version":%q}`+"\n", service, id, 1+i%2, id)
		want[service+" "+id] = true
	}
	tell(t, st, lines.String())
	e := over(t, st)
	got := map[string]bool{}
	for p := (metrics.Paging{Limit: 7}); ; {
		list, err := e.Deployments(t.Context(), metrics.DeploymentFilter{IncludeRuns: true}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Deployments {
			if got[d.Service+" "+d.ID] {
				t.Errorf("%s %s is there twice", d.Service, d.ID)
			}
			got[d.Service+" "+d.ID] = true
		}
		if p.Cursor = list.Next; list.Next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Rows that were derived anew many times, and dropped at last, hide none of those behind them.
func TestPagesReachBehindWhatIsOutOfDate(t *testing.T) {
	st := storetest.New(t)
	tell(t, st, metricstest.Small())
	e := over(t, st)
	e.Feed()
	want, _, err := deployments(t, e, metrics.DeploymentFilter{})(metrics.Paging{})
	if err != nil || want[0] != "a2" {
		t.Fatal(want, err)
	}
	if err := st.Exec(t.Context(), "SYSTEM STOP MERGES attributed_deployments", nil); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		err := st.Exec(t.Context(), "INSERT INTO attributed_deployments SELECT * REPLACE (revision + {more:UInt64} AS revision, toUInt8({more:UInt64} = 20) AS is_deleted) FROM attributed_deployments FINAL WHERE deployment = 'a2'",
			store.Params{"more": i + 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for p := (metrics.Paging{Limit: 1}); ; {
		ids, next, err := deployments(t, e, metrics.DeploymentFilter{})(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ids...)
		if p.Cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
