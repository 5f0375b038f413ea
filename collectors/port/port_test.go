package port_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors"
	"cairn/collectors/port"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/prismtest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
	"cairn/internal/turn/turntest"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

var now = at("2026-11-22T12:00:00Z")

// portal is a made-up Port.
type portal struct {
	t        testing.TB
	config   port.Config
	clock    time.Time
	entities map[string][]map[string]any // by blueprint
	hidden   map[string]bool             // identifiers that lists leave out
	runs     []map[string]any
	older    []map[string]any // runs that lists do not show
	audits   []map[string]any
	tokens   int // given so far
	life     int // of a token, in seconds
	revoked  int // tokens up to this one are refused
	refused  bool
	page     int
	before   func(w http.ResponseWriter, r *http.Request) bool
	asked    []string
	headers  map[string]string
}

func newPortal(t testing.TB) *portal {
	p := &portal{t: t, clock: now, entities: map[string][]map[string]any{}, hidden: map[string]bool{}, life: 3600, page: 2}
	p.config = port.DefaultConfig()
	p.config.URL, p.config.ClientID, p.config.ClientSecret = "http://port.test", "client", "secret"
	return p
}

// RoundTrip answers in the same process.
func (p *portal) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	for name, value := range p.headers {
		w.Header().Set(name, value)
	}
	p.serve(w, r)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func (p *portal) serve(w http.ResponseWriter, r *http.Request) {
	p.asked = append(p.asked, r.Method+" "+r.URL.String())
	if r.URL.Host != "port.test" {
		if r.Header.Get("Authorization") != "" {
			p.t.Errorf("another host was shown %q", r.Header.Get("Authorization"))
		}
		return
	}
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	if r.URL.Path == "/v1/auth/access_token" {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		if p.refused || body["clientId"] != "client" || body["clientSecret"] != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.tokens++
		answer(map[string]any{"ok": true, "accessToken": strconv.Itoa(p.tokens), "expiresIn": p.life, "tokenType": "Bearer"})
		return
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err != nil || n <= p.revoked {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"ok":false,"error":"unauthorized"}`)
		return
	}
	if p.before != nil && p.before(w, r) {
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/"), "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	q := r.URL.Query()
	switch {
	case parts[0] == "blueprints" && parts[3] == "search":
		var body struct {
			Limit int
			From  string
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Limit < 1 || body.Limit > 1000 {
			p.t.Errorf("a search with %+v: %v", body, err)
		}
		var list []map[string]any
		for _, e := range p.entities[parts[1]] {
			if id := e["identifier"].(string); id > body.From && !p.hidden[id] {
				list = append(list, e)
			}
		}
		slices.SortFunc(list, func(a, b map[string]any) int {
			return strings.Compare(a["identifier"].(string), b["identifier"].(string))
		})
		out := map[string]any{"ok": true}
		if len(list) > p.page {
			list = list[:p.page]
			out["next"] = list[p.page-1]["identifier"]
		}
		out["entities"] = list
		answer(out)
	case parts[0] == "blueprints" && len(parts) == 4:
		for _, e := range p.entities[parts[1]] {
			if e["identifier"] == parts[3] {
				answer(map[string]any{"ok": true, "entity": e})
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == "/v1/actions/runs":
		if q.Get("version") != "v2" {
			p.t.Errorf("runs of the version %q", q.Get("version"))
		}
		answer(map[string]any{"ok": true, "runs": p.runs})
	case strings.HasPrefix(r.URL.Path, "/v1/actions/runs/"):
		for _, one := range slices.Concat(p.runs, p.older) {
			if one["id"] == parts[2] {
				answer(map[string]any{"ok": true, "run": one})
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == "/v1/audit-log":
		var list []map[string]any
		for _, a := range p.audits {
			context, _ := a["context"].(map[string]any)
			if a["resourceType"] != q.Get("resources") || q.Get("run_id") != "" && context["runId"] != q.Get("run_id") || q.Get("entity") != "" && context["entity"] != q.Get("entity") {
				continue
			}
			trigger, _ := a["trigger"].(map[string]any)
			if when, _ := trigger["at"].(string); when != "" && q.Get("from") != "" && (at(when).Before(at(q.Get("from"))) || !at(when).Before(at(q.Get("to")))) {
				continue
			}
			list = append(list, a)
		}
		answer(map[string]any{"ok": true, "audits": list})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *portal) entity(blueprint, identifier string, fields map[string]any) map[string]any {
	e := map[string]any{"identifier": identifier, "blueprint": blueprint, "title": identifier, "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-02-01T00:00:00.000Z", "properties": map[string]any{}, "relations": map[string]any{}}
	for k, v := range fields {
		e[k] = v
	}
	p.entities[blueprint] = append(p.entities[blueprint], e)
	return e
}

func (p *portal) remove(blueprint, identifier string) {
	p.entities[blueprint] = slices.DeleteFunc(p.entities[blueprint], func(e map[string]any) bool { return e["identifier"] == identifier })
}

func (p *portal) connect() *port.Connection {
	p.t.Helper()
	credential, err := port.NewCredential(p.config, p, func() time.Time { return p.clock })
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := port.New(p.config, nil, &http.Client{Transport: credential})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func turn(t testing.TB, c *port.Connection, stream, position string, asOf time.Time) (facts []event.Event, end string, more bool, err error) {
	t.Helper()
	turn, err := c.Turn(source.Stream{Name: stream, Kind: stream}, position, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range turn.Events(t.Context()) {
		if err != nil {
			return facts, turn.Position(), false, err
		}
		if wrong := event.Validate(e); wrong != nil || e.Common().Source != "port" || e.Common().UpdatedAt.IsZero() {
			t.Errorf("intake would refuse %+v: %v", e, wrong)
		}
		facts = append(facts, e)
	}
	return facts, turn.Position(), turn.Report().More, nil
}

func read(t testing.TB, c *port.Connection, stream, position string, asOf time.Time) ([]event.Event, string) {
	t.Helper()
	var all []event.Event
	for range 1000 {
		facts, end, more, err := turn(t, c, stream, position, asOf)
		if err != nil {
			t.Fatal(err)
		}
		all, position = append(all, facts...), end
		if !more {
			return all, position
		}
	}
	t.Fatal("there is always more")
	return nil, ""
}

func only[E event.Event](facts []event.Event) []E {
	var some []E
	for _, e := range facts {
		if e, ok := e.(E); ok {
			some = append(some, e)
		}
	}
	return some
}

func wantFault(t testing.TB, err error, kind fault.Kind, words string) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the error is %v (%v), want one of %v with %q", err, fault.KindOf(err), kind, words)
	}
	if err != nil && strings.Contains(err.Error(), "secret\"") {
		t.Errorf("the error has the secret in it: %v", err)
	}
}

func TestEntitiesBecomeServicesTeamsAndOwners(t *testing.T) {
	p := newPortal(t)
	p.entity("_team", "checkout", map[string]any{"title": "Checkout", "relations": map[string]any{"parent_team": "shops"}})
	p.entity("service", "shop", map[string]any{
		"title": "The shop", "team": []any{"checkout", "core"}, "relations": map[string]any{"system": map[string]any{"identifier": "commerce", "title": "Commerce"}, "dependencies": []any{"ledger"}},
		"properties": map[string]any{"url": "https://github.com/acme/shop.git", "lifecycle": "Production", "tier": 1.0, "description": "Sells things.", "docs": "https://docs.example", "app": []any{"shop-prod", nil, "shop-prod"}},
	})
	p.entity("service", "pay/ledger@v2", map[string]any{"team": "core", "title": nil, "updatedAt": "2026-03-01T00:00:00Z"})
	p.entity("service", "zoo", map[string]any{"team": nil})
	p.config.Blueprints[0].Aliases = "properties.app"
	got, _ := read(t, p.connect(), source.Catalogue, "", now)
	telling := func(text string) event.Telling { return event.Telling{Source: "port", UpdatedAt: at(text)} }
	first, created, day := telling("2026-02-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), at("2026-11-22T00:00:00Z")
	late := event.Telling{Source: "port", UpdatedAt: now}
	want := []event.Event{
		&event.Service{Telling: telling("2026-03-01T00:00:00Z"), ID: "pay/ledger@v2", Name: "pay/ledger@v2", CreatedAt: created},
		&event.Ownership{Telling: telling("2026-03-01T00:00:00Z"), Service: "pay/ledger@v2", Team: "core"},
		&event.CapabilityUse{Telling: late, Service: "pay/ledger@v2", Capability: "catalogue", ObservedAt: day, State: "golden", Evidence: "service/pay/ledger@v2 owned by core"},
		&event.Service{
			Telling: first, ID: "shop", Name: "The shop", Description: "Sells things.", Aliases: []string{"shop-prod", "acme/shop"}, System: "commerce", Lifecycle: "production", Tier: "1",
			CreatedAt: created, Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}, Dependencies: []string{"ledger"}, Documentation: "https://docs.example",
		},
		&event.Ownership{Telling: first, Service: "shop", Team: "checkout"},
		&event.Ownership{Telling: first, Service: "shop", Team: "core"},
		&event.CapabilityUse{Telling: late, Service: "shop", Capability: "catalogue", ObservedAt: day, State: "golden", Evidence: "service/shop owned by checkout, core"},
		&event.Service{Telling: first, ID: "zoo", Name: "zoo", CreatedAt: created},
		&event.CapabilityUse{Telling: late, Service: "zoo", Capability: "catalogue", ObservedAt: day, State: "none", Evidence: "service/zoo has no owner"},
		&event.Team{Telling: first, ID: "checkout", Name: "Checkout", Parent: "shops", CreatedAt: created},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestChangesAreToldAsOfWhenTheyWereMade(t *testing.T) {
	p := newPortal(t)
	shop := p.entity("service", "shop", map[string]any{"team": "checkout"})
	c := p.connect()
	_, position := read(t, c, source.Catalogue, "", now)
	if again, _ := read(t, c, source.Catalogue, position, now.Add(time.Minute)); len(again) > 0 {
		t.Errorf("told again: %+v", again)
	}
	shop["team"], shop["updatedAt"] = []any{"shops"}, "2026-11-22T11:30:00.000Z"
	facts, position := read(t, c, source.Catalogue, position, now.Add(time.Hour))
	then := at("2026-11-22T11:30:00Z")
	telling := event.Telling{Source: "port", UpdatedAt: then}
	if diff := cmp.Diff([]event.Event{&event.Ownership{Telling: telling, Service: "shop", Team: "checkout", To: then}, &event.Ownership{Telling: telling, Service: "shop", Team: "shops", From: then}}, facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	// It is gone, which the audit log knows since when.
	p.remove("service", "shop")
	p.entity("service", "other", nil)
	p.audits = append(p.audits, map[string]any{"resourceType": "entity", "action": "DELETE", "trigger": map[string]any{"at": "2026-11-22T12:10:00.000Z"}, "context": map[string]any{"entity": "shop"}})
	facts, position = read(t, c, source.Catalogue, position, now.Add(2*time.Hour))
	s := only[*event.Service](facts)[1] // after other, which is new
	if s.ID != "shop" || !s.RetiredAt.Equal(at("2026-11-22T12:10:00Z")) || !s.UpdatedAt.Equal(s.RetiredAt) || !s.CreatedAt.Equal(at("2026-01-01T00:00:00Z")) {
		t.Errorf("the service is %+v", s)
	}
	// It comes back under its name.
	p.entity("service", "shop", map[string]any{"team": "shops", "createdAt": "2026-11-22T13:00:00Z", "updatedAt": "2026-11-22T13:00:00Z"})
	facts, _ = read(t, c, source.Catalogue, position, now.Add(3*time.Hour))
	if s := only[*event.Service](facts); len(s) != 1 || !s[0].RetiredAt.IsZero() || !s[0].UpdatedAt.After(at("2026-11-22T12:10:00Z")) {
		t.Errorf("what came back is %+v", s)
	}
}

func TestOnlyWhatPortSaysIsGoneIsRetired(t *testing.T) {
	p := newPortal(t)
	for i := range 5 {
		p.entity("service", fmt.Sprintf("svc-%d", i), nil)
	}
	c := p.connect()
	_, position := read(t, c, source.Catalogue, "", now)
	p.hidden["svc-3"] = true
	p.remove("service", "svc-1")
	pages := 0
	p.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if pages++; pages == 2 {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	facts, position, _, err := turn(t, c, source.Catalogue, position, now.Add(time.Hour))
	wantFault(t, err, fault.Unavailable, "may work later")
	if len(facts) > 0 {
		t.Errorf("a sweep that broke off told %+v", facts)
	}
	p.before = nil
	facts, position = read(t, c, source.Catalogue, position, now.Add(time.Hour))
	if s := only[*event.Service](facts); len(s) != 1 || s[0].ID != "svc-1" || !s[0].RetiredAt.Equal(now.Add(time.Hour)) {
		t.Errorf("retired is %+v", s)
	}
	p.entities = map[string][]map[string]any{}
	facts, _, _, err = turn(t, c, source.Catalogue, position, now.Add(2*time.Hour))
	wantFault(t, err, fault.Denied, "shows no entity any more")
	if len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
}

func TestRulesSayWhichServiceAndWhichTeam(t *testing.T) {
	p := newPortal(t)
	p.config.Services = []rules.ServiceName{{Match: "*-old", Service: "none"}, {Match: "acme/*", Service: "{1}"}}
	p.config.Teams = []rules.TeamName{{Match: "*", Team: "acme/{1}"}}
	p.entity("service", "s-1", map[string]any{"team": "core", "properties": map[string]any{"url": "git@github.com:acme/shop.git"}})
	p.entity("service", "x-old", nil)
	p.entity("_team", "core", nil)
	facts, _ := read(t, p.connect(), source.Catalogue, "", now)
	if s := only[*event.Service](facts); len(s) != 1 || s[0].ID != "shop" || !slices.Equal(s[0].Aliases, []string{"s-1", "acme/shop"}) {
		t.Errorf("services are %+v", s)
	}
	if o := only[*event.Ownership](facts); len(o) != 1 || o[0].Team != "acme/core" || len(only[*event.Team](facts)) > 0 {
		t.Errorf("owners are %+v", o)
	}
}

// newRun is a run as the second version of the interface shows it.
func newRun(id, status, created, updated string, fields ...any) map[string]any {
	r := map[string]any{
		"id": id, "status": status, "createdAt": created, "updatedAt": updated, "endedAt": nil, "source": "UI", "createdBy": "auth0|ada", "approval": nil,
		"action": map[string]any{"identifier": "create_service", "title": nil}, "blueprint": map[string]any{"identifier": "service"}, "properties": map[string]any{},
	}
	for i := 0; i < len(fields); i += 2 {
		r[fields[i].(string)] = fields[i+1]
	}
	return r
}

func TestTheStatesOfARun(t *testing.T) {
	const asked, done = "2026-11-22T10:00:00.000Z", "2026-11-22T10:07:00.500Z"
	base := event.ProvisioningRequest{
		Telling: event.Telling{Source: "port", UpdatedAt: at(done)}, ID: "r_1", Requester: "auth0|ada", ResourceType: "service", Way: "port_action", OnPlatform: true, RequestedAt: at(asked),
	}
	needs := map[string]any{"type": "ANY"}
	for _, tt := range []struct {
		name string
		run  map[string]any
		want func(r *event.ProvisioningRequest)
	}{
		{"going on", newRun("r_1", "IN_PROGRESS", asked, done), func(r *event.ProvisioningRequest) { r.Status = "in_progress" }},
		{"succeeded", newRun("r_1", "SUCCESS", asked, "2026-11-22T10:05:00Z", "endedAt", done), func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt = "ready", at(done) }},
		{"failed, and the old interface says no end", newRun("r_1", "FAILURE", asked, done), func(r *event.ProvisioningRequest) { r.Status, r.FailedAt = "failed", at(done) }},
		{"of the first version", newRun("r_1", "SUCCESS", asked, done, "action", "create_service", "blueprint", map[string]any{"identifier": "database"}),
			func(r *event.ProvisioningRequest) {
				r.Status, r.ReadyAt, r.ResourceType = "ready", at(done), "database"
			}},
		{"of an action that is about nothing", newRun("r_1", "SUCCESS", asked, done, "blueprint", nil),
			func(r *event.ProvisioningRequest) {
				r.Status, r.ReadyAt, r.ResourceType = "ready", at(done), "create_service"
			}},
		{"waiting for somebody", newRun("r_1", "WAITING_FOR_APPROVAL", asked, done, "requiredApproval", needs), func(r *event.ProvisioningRequest) { r.Status, r.OnPlatform = "requested", false }},
		{"declined", newRun("r_1", "DECLINED", asked, done, "requiredApproval", true), func(r *event.ProvisioningRequest) { r.Status, r.OnPlatform, r.FailedAt = "failed", false, at(done) }},
		{"approved", newRun("r_1", "SUCCESS", asked, done, "requiredApproval", needs, "approval", map[string]any{"state": "APPROVED"}),
			func(r *event.ProvisioningRequest) {
				r.Status, r.OnPlatform, r.ReadyAt, r.ApprovedAt = "ready", false, at(done), at("2026-11-22T10:02:00Z")
			}},
		{"needed no approval", newRun("r_1", "SUCCESS", asked, done, "requiredApproval", false), func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt = "ready", at(done) }},
		{"ended before it was asked for, by another clock", newRun("r_1", "SUCCESS", asked, "2026-11-22T09:00:00Z", "endedAt", "2026-11-22T09:00:00Z"),
			func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt, r.UpdatedAt = "ready", at(asked), at(asked) }},
		{"of an automation", newRun("r_1", "SUCCESS", asked, done, "source", "AUTOMATION"), nil},
		{"of a status that is not known", newRun("r_1", "PAUSED", asked, done), nil},
		{"before since", newRun("r_1", "SUCCESS", "2025-01-01T00:00:00Z", done), nil},
		{"of another action", newRun("r_1", "SUCCESS", asked, done, "action", map[string]any{"identifier": "delete_service"}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPortal(t)
			p.config.Since, p.config.Actions = at("2026-01-01T00:00:00Z"), []string{"create_*"}
			p.runs = []map[string]any{tt.run}
			p.audits = []map[string]any{
				{"resourceType": "run", "action": "UPDATE", "context": map[string]any{"runId": "r_1"}, "diff": map[string]any{
					"before": newRun("r_1", "WAITING_FOR_APPROVAL", asked, asked), "after": newRun("r_1", "IN_PROGRESS", asked, "2026-11-22T10:02:00.000Z")}},
				{"resourceType": "run", "action": "UPDATE", "context": map[string]any{"runId": "r_2"}, "diff": map[string]any{
					"before": newRun("r_2", "WAITING_FOR_APPROVAL", asked, asked), "after": newRun("r_2", "IN_PROGRESS", asked, "2026-11-22T10:01:00.000Z")}},
			}
			var want []event.Event
			if tt.want != nil {
				fact := base
				tt.want(&fact)
				want = append(want, &fact)
			}
			c := p.connect()
			got, position := read(t, c, source.Requests, "", now)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if again, _ := read(t, c, source.Requests, position, now.Add(time.Hour)); len(again) > 0 && tt.name != "of a status that is not known" {
				t.Errorf("told again: %+v", again)
			}
		})
	}
}

func TestWithoutTheAuditLogAnApprovalHasNoInstant(t *testing.T) {
	p := newPortal(t)
	p.runs = []map[string]any{newRun("r_1", "SUCCESS", "2026-11-22T10:00:00Z", "2026-11-22T10:07:00Z", "requiredApproval", map[string]any{"type": "ALL"})}
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/audit-log" {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	facts, _ := read(t, p.connect(), source.Requests, "", now)
	if r := only[*event.ProvisioningRequest](facts); len(r) != 1 || !r[0].ApprovedAt.IsZero() || r[0].Status != "ready" {
		t.Errorf("%+v", r)
	}
}

func TestWhatPortDoesNotShowAnyMoreIsFoundByTheAuditLog(t *testing.T) {
	p := newPortal(t)
	stamp := func(i int) string {
		return at("2026-11-20T00:00:00Z").Add(time.Duration(i) * time.Second).Format(time.RFC3339)
	}
	for i := range 1000 {
		p.runs = append(p.runs, newRun(fmt.Sprintf("r_%d", i), "SUCCESS", stamp(i), stamp(i)))
	}
	c := p.connect()
	facts, position := read(t, c, source.Requests, "", now)
	if len(facts) != 1000 {
		t.Errorf("%d facts, want 1000", len(facts))
	}
	p.runs = nil
	for i := range 1020 {
		one := newRun(fmt.Sprintf("s_%d", i), "SUCCESS", stamp(5000+i), stamp(5000+i))
		if i < 20 {
			p.older = append(p.older, one)
			p.audits = append(p.audits, map[string]any{"resourceType": "run", "action": "CREATE", "context": map[string]any{"runId": one["id"]}, "trigger": map[string]any{"at": stamp(9000 + i)}})
		} else {
			p.runs = append(p.runs, one)
		}
	}
	facts, position = read(t, c, source.Requests, position, now.Add(time.Hour))
	known := map[string]bool{}
	for _, r := range only[*event.ProvisioningRequest](facts) {
		known[r.ID] = true
	}
	if len(known) != 1020 {
		t.Errorf("%d runs are told, want 1020", len(known))
	}
	if facts, _ = read(t, c, source.Requests, position, now.Add(2*time.Hour)); len(facts) > 0 {
		t.Errorf("%d facts are told again", len(facts))
	}
}

func TestAServiceThatAnActionMadeIsToldSo(t *testing.T) {
	p := newPortal(t)
	p.config.Creates = []string{"create_*"}
	p.entity("service", "cart", nil)
	p.runs = []map[string]any{
		newRun("r_1", "SUCCESS", "2025-12-31T23:50:00.000Z", "2025-12-31T23:59:00.000Z", "entity", map[string]any{"identifier": "cart"}),
		newRun("r_2", "FAILURE", "2025-12-30T23:50:00.000Z", "2025-12-31T23:59:00.000Z", "entity", map[string]any{"identifier": "cart"}),
		newRun("r_3", "SUCCESS", "2025-12-30T23:50:00.000Z", "2025-12-31T23:59:00.000Z", "entity", map[string]any{"identifier": "cart"}, "action", map[string]any{"identifier": "scale"}),
	}
	c := p.connect()
	facts, position := read(t, c, source.Requests, "", now)
	uses := only[*event.CapabilityUse](facts)
	if len(uses) != 2 || uses[0].Service != "cart" || uses[0].Capability != "provisioning" || only[*event.ProvisioningRequest](facts)[0].Service != "cart" {
		t.Errorf("told was %+v", facts)
	}
	c = p.connect()
	if err := c.Recall(source.Requests, position); err != nil {
		t.Fatal(err)
	}
	facts, _ = read(t, c, source.Catalogue, "", now)
	if s := facts[0].(*event.Service); s.CreatedVia != "golden_path" || s.Template != "create_service" || !s.CreatedAt.Equal(at("2025-12-31T23:50:00Z")) {
		t.Errorf("the service is %+v", s)
	}
}

func TestATokenIsRenewedBeforeItEndsAndWhenItIsRefused(t *testing.T) {
	p := newPortal(t)
	c := p.connect()
	look := func(want int) {
		t.Helper()
		if _, _, _, err := turn(t, c, source.Requests, "", now); err != nil {
			t.Error(err)
		}
		if p.tokens != want {
			t.Errorf("%d tokens were asked for, want %d", p.tokens, want)
		}
	}
	look(1)
	p.clock = now.Add(54 * time.Minute)
	look(1)
	p.clock = now.Add(56 * time.Minute)
	look(2)
	p.revoked = 2 // before its time
	look(3)
	p.revoked = 99
	_, _, _, err := turn(t, c, source.Requests, "", now)
	wantFault(t, err, fault.Denied, "refuses the token")
	p.refused = true
	_, _, _, err = turn(t, c, source.Requests, "", now)
	wantFault(t, err, fault.Denied, "client_id and client_secret: they are mistyped")
	_, err = c.Check(t.Context())
	wantFault(t, err, fault.Denied, "another region")
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	p := newPortal(t)
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://elsewhere.test"+r.URL.Path, http.StatusFound)
		return true
	}
	_, _, _, _ = turn(t, p.connect(), source.Requests, "", now)
	if last := p.asked[len(p.asked)-1]; !strings.Contains(last, "elsewhere.test") {
		t.Errorf("the last request was %s: the other host was to be asked", last)
	}
}

func TestRegionsHaveHostsOfTheirOwn(t *testing.T) {
	for region, want := range map[string]string{"eu": "api.getport.io", "us": "api.us.getport.io", "": "api.getport.io"} {
		cfg := port.DefaultConfig()
		cfg.Region, cfg.ClientID, cfg.ClientSecret = region, "client", "secret"
		host := ""
		credential, err := port.NewCredential(cfg, asks(func(r *http.Request) { host = r.URL.Host }), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		c, err := port.New(cfg, nil, &http.Client{Transport: credential})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Check(t.Context())
		if host != want {
			t.Errorf("in %q the host is %s, want %s", region, host, want)
		}
	}
}

type asks func(*http.Request)

func (a asks) RoundTrip(r *http.Request) (*http.Response, error) {
	a(r)
	return nil, fault.New(fault.Unavailable, "no network")
}

func TestTheLimitOfTheOrganisationIsKept(t *testing.T) {
	p := newPortal(t)
	p.headers = map[string]string{"x-ratelimit-period": "300", "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "400", "x-ratelimit-reset": strconv.FormatInt(now.Add(4*time.Minute).Unix(), 10)}
	cfg := collectors.DefaultTransportConfig()
	credential, err := port.NewCredential(p.config, p, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	cfg.Next, cfg.Now = credential, func() time.Time { return now }
	transport := collectors.NewTransport(cfg)
	c, err := port.New(p.config, nil, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := turn(t, c, source.Requests, "", now); err != nil {
		t.Fatal(err)
	}
	if b := transport.Budgets(); len(b) != 1 || b[0].Limit != 1000 || b[0].Remaining != 400 || !b[0].ResetAt.Equal(now.Add(4*time.Minute)) {
		t.Errorf("the budget is %+v", b)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	for words, change := range map[string]func(*port.Config){
		"name is empty":                 func(c *port.Config) { c.Name = "" },
		"client_secret is empty":        func(c *port.Config) { c.ClientSecret = "" },
		"client_id and client_secret":   func(c *port.Config) { c.ClientID, c.ClientSecret = "", "" },
		"region is \"mars\"":            func(c *port.Config) { c.Region = "mars" },
		"url is \"port\"":               func(c *port.Config) { c.URL = "port" },
		"every is":                      func(c *port.Config) { c.Every = 0 },
		"blueprints[0].is is \"thing\"": func(c *port.Config) { c.Blueprints = []port.Blueprint{{Blueprint: "a", Is: "thing"}} },
		"blueprints[0].blueprint is":    func(c *port.Config) { c.Blueprints = []port.Blueprint{{Is: "team"}} },
		"blueprints[1]: a is there": func(c *port.Config) {
			c.Blueprints = []port.Blueprint{{Blueprint: "a", Is: "team"}, {Blueprint: "a", Is: "team"}}
		},
		"creates[0] is \"[\"":          func(c *port.Config) { c.Creates = []string{"["} },
		"webhook_secrets":              func(c *port.Config) { c.WebhookSecrets = []string{" "} },
		"services[0].service is empty": func(c *port.Config) { c.Services = []rules.ServiceName{{Match: "x"}} },
	} {
		cfg := port.DefaultConfig()
		cfg.ClientID, cfg.ClientSecret = "client", "s"
		change(&cfg)
		_, err := port.New(cfg, nil, http.DefaultClient)
		wantFault(t, err, fault.Invalid, words)
	}
}

// signed is a webhook as Port sends it.
func signed(body []byte, secret string, when time.Time) hooktest.Request {
	stamp := strconv.FormatInt(when.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return hooktest.Request{Header: http.Header{"X-Port-Timestamp": {stamp}, "X-Port-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}, "Content-Type": {"application/json"}}, Body: body}
}

func receiver(t testing.TB, change func(*port.Config)) *port.Receiver {
	t.Helper()
	p := newPortal(t)
	if change != nil {
		change(&p.config)
	}
	r, err := p.connect().Receiver()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func happening(action, resource string, before, after any) []byte {
	body, err := json.Marshal(map[string]any{
		"action": action, "resourceType": resource, "trigger": map[string]any{"at": "2026-11-22T11:59:00.000Z", "origin": "UI"},
		"context": map[string]any{"blueprintIdentifier": "service", "entityIdentifier": "shop"}, "diff": map[string]any{"before": before, "after": after},
	})
	if err != nil {
		panic(err)
	}
	return body
}

// The example of Port's documentation: an entity that was renamed.
func TestTheExampleOfAChangedEntity(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "port", "docs", "setup-trigger.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<summary><b>Automation JSON file example (Click to expand)</b></summary>\n```json showLineNumbers\n")
	body, _, end := strings.Cut(rest, "\n```")
	if !ok || !end {
		t.Fatal("the example is not where it was")
	}
	r := receiver(t, func(c *port.Config) { c.Blueprints[0].Repository = "properties.repo" })
	got := hooktest.Facts(t, r, signed([]byte(body), "secret", now), now)
	want := []event.Event{&event.Service{
		Telling: event.Telling{Source: "port", UpdatedAt: at("2024-06-09T12:28:18.628Z")}, ID: "example-service-identifier", Name: "Example service renamed",
		Aliases: []string{"some-org/example-service"}, Repositories: []event.ServiceRepository{{Repository: "some-org/example-service"}}, CreatedAt: at("2024-06-09T09:57:52.931Z"),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// The example of a run in Port's documentation, of the first version.
func TestTheExampleOfARun(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "port", "docs", "reflect-action-progress.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json showLineNumbers\n{\n  \"ok\": true,\n  \"run\": ")
	body, _, ok := strings.Cut(rest, "\n}\n```")
	var example map[string]any
	if err := json.Unmarshal([]byte(body), &example); !ok || err != nil {
		t.Fatalf("the example is not where it was: %v", err)
	}
	p := newPortal(t)
	p.runs = []map[string]any{example}
	got, _ := read(t, p.connect(), source.Requests, "", now)
	want := []event.Event{&event.ProvisioningRequest{
		Telling: event.Telling{Source: "port", UpdatedAt: at("2023-12-07T12:53:52.916Z")}, ID: "r_QOz6WoOB1Q2lmhZZ", Requester: "auth0|638879fa62c686d381b36ecb",
		ResourceType: "microservice", Way: "port_action", OnPlatform: true, Status: "in_progress", RequestedAt: at("2023-12-07T12:53:52.916Z"),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestAWebhookTellsWhatReadingTells(t *testing.T) {
	shop := map[string]any{"identifier": "shop", "blueprint": "service", "title": "Shop", "team": "core", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-11-22T11:58:59.900Z", "properties": map[string]any{"tier": "2"}, "relations": map[string]any{}}
	p := newPortal(t)
	p.config.Capabilities = port.Capabilities{}
	p.entities["service"] = []map[string]any{shop}
	done := newRun("r_1", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:07:00Z", "endedAt", "2026-11-22T11:07:00Z")
	p.runs = []map[string]any{done}
	c := p.connect()
	readServices, _ := read(t, c, source.Catalogue, "", now)
	readRuns, _ := read(t, c, source.Requests, "", now)
	r, err := c.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	heard := hooktest.Facts(t, r, signed(happening("CREATE", "entity", nil, shop), "secret", now), now)
	if diff := cmp.Diff(readServices, heard); diff != "" {
		t.Errorf("an entity (-read +heard):\n%s", diff)
	}
	whole := slices.Concat([]byte(`{"event":`), happening("CREATE", "entity", nil, shop), []byte(`}`))
	if diff := cmp.Diff(readServices, hooktest.Facts(t, r, signed(whole, "secret", now), now)); diff != "" {
		t.Errorf("an entity, as a whole event (-read +heard):\n%s", diff)
	}
	heard = hooktest.Facts(t, r, signed(happening("UPDATE", "run", newRun("r_1", "IN_PROGRESS", "2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z"), done), "secret", now), now)
	if diff := cmp.Diff(readRuns, heard); diff != "" {
		t.Errorf("a run (-read +heard):\n%s", diff)
	}
}

func TestAWebhookThatDoesNotKnowAllWakesWhoDoes(t *testing.T) {
	r := receiver(t, nil)
	hear := func(body []byte) source.Heard {
		t.Helper()
		heard, err := hooktest.Receive(t, r, signed(body, "secret", now), now)
		if err != nil {
			t.Fatal(err)
		}
		return heard
	}
	entity := func(team any) map[string]any {
		return map[string]any{"identifier": "shop", "blueprint": "service", "team": team, "updatedAt": "2026-11-22T11:58:59.900Z"}
	}
	if h := hear(happening("UPDATE", "entity", entity("a"), entity([]any{"a"}))); len(h.Wakes) > 0 || len(h.Facts) != 1 {
		t.Errorf("the owner is the same: %+v", h)
	}
	if h := hear(happening("UPDATE", "entity", entity("a"), entity("b"))); !slices.Equal(h.Wakes, []source.Wake{{Stream: source.Catalogue}}) {
		t.Errorf("the owner changed: %+v", h)
	}
	h := hear(happening("DELETE", "entity", entity("a"), nil))
	if s := h.Facts[0].(*event.Service); !s.RetiredAt.Equal(at("2026-11-22T11:59:00Z")) || len(h.Wakes) != 1 {
		t.Errorf("deleted: %+v", h)
	}
	needs := map[string]any{"type": "ANY"}
	before, after := newRun("r_1", "WAITING_FOR_APPROVAL", "2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z", "requiredApproval", needs), newRun("r_1", "IN_PROGRESS", "2026-11-22T11:00:00Z", "2026-11-22T11:30:00Z", "requiredApproval", needs)
	h = hear(happening("UPDATE", "run", before, after))
	if q := h.Facts[0].(*event.ProvisioningRequest); !q.ApprovedAt.Equal(at("2026-11-22T11:30:00Z")) || !slices.Equal(h.Wakes, []source.Wake{{Stream: source.Requests, Subject: "r_1"}}) {
		t.Errorf("approved: %+v, %+v", q, h.Wakes)
	}
	// What is read again wins over what was heard.
	p := newPortal(t)
	p.runs = []map[string]any{after}
	p.audits = []map[string]any{{"resourceType": "run", "context": map[string]any{"runId": "r_1"}, "diff": map[string]any{"before": before, "after": after}}}
	again, err := p.connect().Refresh(h.Wakes[0], now)
	if err != nil {
		t.Fatal(err)
	}
	var facts []event.Event
	for e, err := range again.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, e)
	}
	if len(facts) != 1 || event.Version(facts[0]) <= event.Version(h.Facts[0]) || !facts[0].(*event.ProvisioningRequest).ApprovedAt.Equal(at("2026-11-22T11:30:00Z")) {
		t.Errorf("read again it is %+v", facts)
	}
}

// In any order and repeated, the same telling of a run and of a service wins.
func TestWebhooksConvergeInAnyOrder(t *testing.T) {
	r := receiver(t, nil)
	entity := func(title, updated string) map[string]any {
		return map[string]any{"identifier": "shop", "blueprint": "service", "title": title, "updatedAt": updated}
	}
	var bodies [][]byte
	states := []map[string]any{
		newRun("r_1", "IN_PROGRESS", "2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z"), newRun("r_1", "IN_PROGRESS", "2026-11-22T11:00:00Z", "2026-11-22T11:04:00Z"),
		newRun("r_1", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:07:00Z"),
	}
	bodies = append(bodies, happening("CREATE", "run", nil, states[0]), happening("UPDATE", "run", states[0], states[1]), happening("UPDATE", "run", states[1], states[2]),
		happening("CREATE", "entity", nil, entity("a", "2026-11-22T10:00:00Z")), happening("UPDATE", "entity", entity("a", "2026-11-22T10:00:00Z"), entity("b", "2026-11-22T10:30:00Z")),
		happening("DELETE", "entity", entity("b", "2026-11-22T10:30:00Z"), nil))
	known := func(order []int) map[string]string {
		best, out := map[string]event.Event{}, map[string]string{}
		for _, i := range order {
			for _, e := range hooktest.Facts(t, r, signed(bodies[i], "secret", now), now) {
				if before, ok := best[e.Kind()]; !ok || event.Version(e) > event.Version(before) {
					best[e.Kind()] = e
				}
			}
		}
		for kind, e := range best {
			out[kind] = hooktest.Tellings([]event.Event{e})[0]
		}
		return out
	}
	want := known([]int{0, 1, 2, 3, 4, 5})
	if !strings.Contains(want["provisioning_request"], `"ready"`) || !strings.Contains(want["service"], `"retired_at":"2026-11-22T11:59:00Z"`) {
		t.Errorf("in the end it is %v", want)
	}
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}).Draw(t, "order")
		if diff := cmp.Diff(want, known(order)); diff != "" {
			t.Errorf("(-in order +otherwise):\n%s", diff)
		}
	})
}

func TestWebhooksThatPortDidNotSendAreRefused(t *testing.T) {
	r := receiver(t, func(c *port.Config) { c.WebhookSecrets = []string{"older"} })
	body := happening("CREATE", "run", nil, newRun("r_1", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:07:00Z"))
	for _, secret := range []string{"secret", "older"} {
		if err := r.Verify(signed(body, secret, now).Header, body, now); err != nil {
			t.Errorf("with %q: %v", secret, err)
		}
	}
	good := signed(body, "secret", now).Header
	other := good.Clone()
	other.Set("X-Port-Timestamp", strconv.FormatInt(now.Unix()+1, 10))
	hooktest.Refuses(t, r, body, now, map[string]http.Header{
		"another secret": signed(body, "wrong", now).Header, "no signature": {}, "another moment": other,
		"an hour ago": signed(body, "secret", now.Add(-time.Hour)).Header, "in an hour": signed(body, "secret", now.Add(time.Hour)).Header,
	})
	// The bytes count, not what they mean: this is the same JSON.
	hooktest.Refuses(t, r, append(slices.Clone(body), '\n'), now, map[string]http.Header{"other bytes": good})
}

func TestWhatIsNoneOfOursIsIgnoredAndWhatIsNotUnderstoodIsAnError(t *testing.T) {
	r := receiver(t, func(c *port.Config) { c.Services = []rules.ServiceName{{Match: "x", Service: "none"}} })
	for words, body := range map[string][]byte{
		"neither an entity nor a run":      happening("UPDATE", "blueprint", nil, map[string]any{}),
		"neither services nor teams":       happening("UPDATE", "entity", nil, map[string]any{"identifier": "a", "blueprint": "cluster"}),
		"automation":                       happening("UPDATE", "run", nil, newRun("r", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z", "source", "AUTOMATION")),
		"an entity that a rule leaves out": happening("UPDATE", "entity", nil, map[string]any{"identifier": "x", "blueprint": "service", "updatedAt": "2026-11-22T11:00:00Z"}),
	} {
		heard, err := hooktest.Receive(t, r, signed(body, "secret", now), now)
		if err != nil || !strings.Contains(heard.Ignored, words) {
			t.Errorf("%s\nis ignored because of %q, %v; want %q", body, heard.Ignored, err, words)
		}
	}
	hooktest.Misunderstands(t, r, http.Header{}, ``, `[]`, `{}`, `{"resourceType":"entity"}`, `{"resourceType":"run","diff":{"after":{"id":"r"}}}`, `{"resourceType":"entity","diff":{"after":{"identifier":""}}}`,
		`{"resourceType":"entity","context":{"blueprintIdentifier":"service"},"diff":{"after":{"identifier":"a"}}}`,
		string(happening("UPDATE", "run", nil, newRun("r", "PAUSED", "2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z"))))
}

func FuzzHear(f *testing.F) {
	f.Add(happening("CREATE", "run", nil, newRun("r_1", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:07:00Z", "requiredApproval", true)))
	f.Add(happening("DELETE", "entity", map[string]any{"identifier": "shop", "team": []any{1, "a"}, "properties": map[string]any{"url": "https://%zz"}, "relations": 1}, nil))
	f.Add([]byte(`{"resourceType":"entity","trigger":{"at":"x"},"diff":{"after":{"identifier":"\u0000"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := receiver(t, nil)
		heard, err := r.Hear(r.Describe(http.Header{}, body))
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
		for _, e := range heard.Facts {
			if wrong := event.Validate(e); wrong != nil {
				t.Errorf("intake would refuse %+v: %v", e, wrong)
			}
		}
	})
}

// Nothing is asked that the description of Port's interface does not allow.
func TestNoRequestIsRefusedByTheDescriptionOfPort(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server that answers from Port's description")
	}
	server := prismtest.Start(t, sharedtest.Path(t, "payloads", "port", "port.openapi.json"))
	referee := &prismtest.Referee{Rewrite: func(path string) (*url.URL, string) { return server, path }}
	cfg := port.DefaultConfig()
	cfg.ClientID, cfg.ClientSecret = "client", "secret"
	credential, err := port.NewCredential(cfg, referee, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := port.New(cfg, nil, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(t.Context()); err != nil {
		t.Logf("check: %v", err)
	}
	for stream, positions := range map[string][]string{
		source.Catalogue: {"", `{"v":1,"sweep":1,"going":true,"place":2,"seen":1,"known":{"service/shop":{"id":"shop"}}}`},
		source.Requests:  {"", `{"v":1,"pending":["r_1"]}`},
	} {
		for _, position := range positions {
			if _, _, _, err := turn(t, c, stream, position, now); err != nil {
				t.Logf("%s: %v", stream, err) // an example may contradict itself
			}
		}
	}
	for _, refused := range referee.Refused() {
		t.Errorf("refused: %s", refused)
	}
	asked := referee.Asked()
	for _, want := range []string{"POST /v1/auth/access_token", "POST /v1/blueprints/service/entities/search", "GET /v1/blueprints/service/entities/shop", "GET /v1/actions/runs", "GET /v1/actions/runs/r_1", "GET /v1/audit-log"} {
		if !slices.Contains(asked, want) {
			t.Errorf("%s was not asked; asked were %v", want, asked)
		}
	}
}

func TestARunWithAStatusThatIsNotKnownIsCountedAndToldWhenItHasAnother(t *testing.T) {
	p := newPortal(t)
	p.runs = []map[string]any{newRun("r_1", "PAUSED", "2026-11-22T11:00:00Z", "2026-11-22T11:01:00Z"), newRun("r_2", "IN_PROGRESS", "2026-11-22T11:00:00Z", "2026-11-22T11:02:00Z")}
	c := p.connect()
	look := func(position string) ([]string, map[string]source.Applied, string) {
		t.Helper()
		turn, err := c.Turn(source.Stream{Name: source.Requests, Kind: source.Requests}, position, now)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, r := range turntest.Facts[*event.ProvisioningRequest](t, turn) {
			told = append(told, r.ID+" "+r.Status)
		}
		return told, turn.Report().Rules, turn.Position()
	}
	told, rules, position := look("")
	want := map[string]source.Applied{"left out: a run with a status that is not known": {N: 1, Example: "r_1: PAUSED"}}
	if diff := cmp.Diff(want, rules); diff != "" || !slices.Equal(told, []string{"r_2 in_progress"}) {
		t.Errorf("told %q, counted (-want +got):\n%s", told, diff)
	}
	if told, rules, position = look(position); len(told) > 0 || len(rules) > 0 {
		t.Errorf("nothing has changed, told %q, counted %v", told, rules)
	}
	p.runs[0] = newRun("r_1", "SUCCESS", "2026-11-22T11:00:00Z", "2026-11-22T11:07:00Z")
	if told, _, _ = look(position); !slices.Equal(told, []string{"r_1 ready"}) {
		t.Errorf("told %q, want r_1 ready", told)
	}
}
