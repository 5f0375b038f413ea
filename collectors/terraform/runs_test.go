package terraform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors"
	"cairn/collectors/terraform"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// cloud is a Terraform of two lists, whose pages hold a few things.
type cloud struct {
	*httptest.Server
	mu         sync.Mutex
	token      string
	workspaces []space
	runs       map[string][]rn // by workspace, in the order in which they began
	plans      map[string]string
	size       int
	asked      []string
	fail       map[string]int // status by prefix of the path
	problems   []string
}

type space struct{ id, name string }

// rn is a run.
type rn struct {
	id, status                            string
	created                               time.Time
	at                                    map[string]string
	changes, destroy, auto, only, refresh bool
	save                                  bool
	by, confirmed, commit, plan           string
}

func newCloud(t testing.TB) *cloud {
	c := &cloud{token: "token", runs: map[string][]rn{}, plans: map[string]string{}, size: 3, fail: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/organizations/{org}/workspaces", func(w http.ResponseWriter, r *http.Request) {
		var list []any
		for _, s := range c.workspaces {
			latest := any(nil)
			if runs := c.runs[s.id]; len(runs) > 0 {
				latest = map[string]any{"id": runs[len(runs)-1].id, "type": "runs"}
			}
			list = append(list, map[string]any{"id": s.id, "type": "workspaces", "attributes": map[string]any{"name": s.name},
				"relationships": map[string]any{"latest-run": map[string]any{"data": latest}}})
		}
		c.page(w, r, list, nil)
	})
	mux.HandleFunc("GET /api/v2/workspaces/{ws}/runs", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("include"); !strings.Contains(got, "configuration_version.ingress_attributes") || !strings.Contains(got, "created_by") {
			c.problems = append(c.problems, "runs were asked for without what belongs to them: "+got)
		}
		var list, included []any
		for _, run := range slices.Backward(c.runs[r.PathValue("ws")]) {
			if run.only {
				continue // as Terraform does
			}
			thing, more := run.json(r.PathValue("ws"))
			list, included = append(list, thing), append(included, more...)
		}
		c.page(w, r, list, included)
	})
	mux.HandleFunc("GET /api/v2/runs/{run}", func(w http.ResponseWriter, r *http.Request) {
		for ws, runs := range c.runs {
			for _, run := range runs {
				if run.id == r.PathValue("run") {
					thing, more := run.json(ws)
					_ = json.NewEncoder(w).Encode(map[string]any{"data": thing, "included": more})
					return
				}
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /api/v2/account/details", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"id":"user-1","type":"users","attributes":{"username":"cairn"}}}`))
	})
	mux.HandleFunc("GET /api/v2/plans/{plan}/json-output", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(c.URL, "127.0.0.1", "localhost", 1)+"/archive/"+r.PathValue("plan"), http.StatusTemporaryRedirect)
	})
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if plan, ok := strings.CutPrefix(r.URL.Path, "/archive/"); ok {
			if r.Header.Get("Authorization") != "" {
				c.problems = append(c.problems, "the token was shown to the archive")
			}
			_, _ = w.Write([]byte(c.plans[plan]))
			return
		}
		c.asked = append(c.asked, r.URL.Path)
		for prefix, status := range c.fail {
			if strings.HasPrefix(r.URL.Path, prefix) {
				w.WriteHeader(status)
				return
			}
		}
		if r.Header.Get("Authorization") != "Bearer "+c.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.api+json")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) page(w http.ResponseWriter, r *http.Request, list, included []any) {
	number, _ := strconv.Atoi(r.URL.Query().Get("page[number]"))
	if r.URL.Query().Get("page[size]") != "100" {
		c.problems = append(c.problems, "a page has not the size 100")
	}
	from, to := min((number-1)*c.size, len(list)), min(number*c.size, len(list))
	next := any(nil)
	if to < len(list) {
		next = number + 1
	}
	some := list[from:to]
	if some == nil {
		some = []any{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": some, "included": included,
		"meta": map[string]any{"pagination": map[string]any{"current-page": number, "next-page": next, "total-count": len(list)}}})
}

func (r rn) json(ws string) (any, []any) {
	to := func(kind, id string) map[string]any {
		if id == "" {
			return map[string]any{"data": nil}
		}
		return map[string]any{"data": map[string]any{"id": id, "type": kind}}
	}
	included := []any{
		map[string]any{"id": "user-" + r.by, "type": "users", "attributes": map[string]any{"username": r.by}},
		map[string]any{"id": "cv-" + r.id, "type": "configuration-versions", "attributes": map[string]any{}, "relationships": map[string]any{"ingress-attributes": to("ingress-attributes", "ia-"+r.id)}},
	}
	if r.commit != "" {
		included = append(included, map[string]any{"id": "ia-" + r.id, "type": "ingress-attributes",
			"attributes": map[string]any{"commit-sha": r.commit, "identifier": "acme/shop", "sender-username": "ada"}})
	}
	confirmed := ""
	if r.confirmed != "" {
		confirmed = "user-" + r.confirmed
	}
	return map[string]any{"id": r.id, "type": "runs",
		"attributes": map[string]any{"status": r.status, "created-at": r.created.Format("2006-01-02T15:04:05.000Z"), "canceled-at": nil, "has-changes": r.changes, "is-destroy": r.destroy,
			"auto-apply": r.auto, "plan-only": r.only, "refresh-only": r.refresh, "save-plan": r.save, "source": "tfe-api", "status-timestamps": r.at},
		"relationships": map[string]any{"workspace": to("workspaces", ws), "created-by": to("users", "user-"+r.by), "confirmed-by": to("users", confirmed),
			"configuration-version": to("configuration-versions", "cv-"+r.id), "plan": to("plans", r.plan)}}, included
}

// process is a connection, and what is kept of what it tells.
type process struct {
	t          testing.TB
	cloud      *cloud
	cfg        terraform.Config
	connection *terraform.Connection
	facts      []event.Event
	positions  map[string]string
	now        time.Time
	kill       func() bool
}

var errKilled = errors.New("killed")

func newProcess(t testing.TB, c *cloud) *process {
	cfg := reads()
	cfg.URL, cfg.WebhookSecrets = c.URL, nil
	return &process{t: t, cloud: c, cfg: cfg, positions: map[string]string{}, now: now}
}

func (p *process) begin() {
	p.t.Helper()
	credential, err := terraform.NewCredential(p.cfg, http.DefaultTransport)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.connection, err = terraform.New(p.cfg, &http.Client{Transport: credential}); err != nil {
		p.t.Fatal(err)
	}
	for stream, position := range p.positions {
		if err := p.connection.Recall(stream, position); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *process) Write(_ context.Context, b *event.Batch) error {
	if p.kill != nil && p.kill() {
		return errKilled
	}
	for e := range b.All() {
		switch e := e.(type) {
		case *event.ProvisioningRequest:
			copied := *e
			p.facts = append(p.facts, &copied)
		case *event.Deployment:
			copied := *e
			p.facts = append(p.facts, &copied)
		case *event.CapabilityUse:
			copied := *e
			p.facts = append(p.facts, &copied)
		default:
			p.t.Errorf("a %s was told", e.Kind())
		}
	}
	return nil
}

func (p *process) Save(_ context.Context, stream, position string) error {
	if p.kill != nil && p.kill() {
		return errKilled
	}
	p.positions[stream] = position
	return nil
}

// read gives every stream turns until none has more.
func (p *process) read() error {
	p.t.Helper()
	p.begin()
	for pass := 0; pass < 2; pass++ { // the list of workspaces says which streams there are
		for _, s := range p.connection.Streams() {
			if (s.Kind == source.Workspaces) != (pass == 0) {
				continue
			}
			for tries := 0; ; tries++ {
				if tries > 200 {
					p.t.Fatalf("%s never comes to an end", s.Name)
				}
				turn, err := p.connection.Turn(s, p.positions[s.Name], p.now)
				if err != nil {
					return err
				}
				if _, err := collectors.Run(p.t.Context(), turn, p); err != nil {
					return err
				}
				if report := turn.Report(); !report.More {
					if !report.Complete {
						p.t.Errorf("%s has nothing more, but is not complete", s.Name)
					}
					break
				}
			}
		}
	}
	return nil
}

func (p *process) must() map[string]event.Event {
	p.t.Helper()
	if err := p.read(); err != nil {
		p.t.Fatal(err)
	}
	p.cloud.mu.Lock()
	defer p.cloud.mu.Unlock()
	for _, problem := range p.cloud.problems {
		p.t.Error(problem)
	}
	return hooktest.Known(p.facts)
}

func (p *process) wake(w source.Wake) error {
	turn, err := p.connection.Refresh(w, p.now)
	if err != nil {
		return err
	}
	_, err = collectors.Run(p.t.Context(), turn, p)
	return err
}

// asked returns the paths that were asked for, and forgets them.
func (c *cloud) paths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

var ten = instant("2026-02-01T10:00:00Z")

// times are instants of statuses, as Terraform writes them.
func times(pairs ...string) map[string]string {
	at := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		at[pairs[i]+"-at"] = "2026-02-01T" + pairs[i+1] + "+00:00"
	}
	return at
}

// What becomes of a run in each of its states.
func TestWhatARunIs(t *testing.T) {
	request := func(status string, change func(*event.ProvisioningRequest)) *event.ProvisioningRequest {
		e := &event.ProvisioningRequest{
			ID: "run-1", Service: "shop", Requester: "ada", ResourceType: "infrastructure", Way: "terraform_module", Environment: "production", Status: status, RequestedAt: ten,
		}
		change(e)
		return e
	}
	deployment := func(status, finished string) *event.Deployment {
		d := &event.Deployment{
			Service: "storefront", ID: "run-1", Attempt: 1, Environment: "production", Status: status, CreatedAt: ten, StartedAt: instant("2026-02-01T10:10:00Z"), Tool: "terraform", Actor: "ada",
			Revisions: []event.Revision{{Repository: "acme/shop", SHA: "c0ffee"}},
		}
		if finished != "" {
			d.FinishedAt = instant("2026-02-01T" + finished + "Z")
		}
		return d
	}
	at := func(text string) time.Time { return instant("2026-02-01T" + text + "Z") }
	applying := []string{"planned", "10:01:00", "confirmed", "10:09:00", "applying", "10:10:00"}
	for name, tt := range map[string]struct {
		run        rn
		request    *event.ProvisioningRequest
		deployment *event.Deployment
		told       string
	}{
		"it has begun":        {run: rn{status: "planning", at: times("planning", "10:00:30")}},
		"it waits":            {run: rn{status: "planned", changes: true, at: times("planned", "10:01:00")}, told: "10:01:00", request: request("requested", func(*event.ProvisioningRequest) {})},
		"nobody has to agree": {run: rn{status: "cost_estimated", changes: true, auto: true, at: times("planned", "10:01:00")}, told: "10:01:00", request: request("requested", func(e *event.ProvisioningRequest) { e.OnPlatform = true })},
		"it is agreed": {
			run: rn{status: "confirmed", changes: true, confirmed: "grace", at: times("planned", "10:01:00", "confirmed", "10:09:00")}, told: "10:09:00",
			request: request("in_progress", func(e *event.ProvisioningRequest) { e.ApprovedAt = at("10:09:00") }),
		},
		"it is carried out": {
			run: rn{status: "applying", changes: true, confirmed: "ada", at: times(applying...)}, told: "10:10:00",
			request: request("in_progress", func(e *event.ProvisioningRequest) { e.ApprovedAt, e.OnPlatform = at("10:09:00"), true }), deployment: deployment("in_progress", ""),
		},
		"it is done": {
			run: rn{status: "applied", changes: true, confirmed: "grace", at: times(append(applying, "applied", "10:12:00")...)}, told: "10:12:00",
			request: request("ready", func(e *event.ProvisioningRequest) { e.ApprovedAt, e.ReadyAt = at("10:09:00"), at("10:12:00") }), deployment: deployment("succeeded", "10:12:00"),
		},
		"it removes everything": {
			run: rn{status: "applied", changes: true, destroy: true, auto: true, at: times("applied", "10:12:00")}, told: "10:12:00",
			request: request("deleted", func(e *event.ProvisioningRequest) { e.DeletedAt, e.OnPlatform = at("10:12:00"), true }),
		},
		"its plan fails": {
			run: rn{status: "errored", at: times("planning", "10:01:00", "errored", "10:02:00")}, told: "10:02:00",
			request: request("failed", func(e *event.ProvisioningRequest) { e.FailedAt = at("10:02:00") }),
		},
		"a policy forbids it": {
			run: rn{status: "errored", changes: true, at: times("planned", "10:01:00", "errored", "10:02:00")}, told: "10:02:00",
			request: request("failed", func(e *event.ProvisioningRequest) { e.FailedAt = at("10:02:00") }),
		},
		"carrying it out fails": {
			run: rn{status: "errored", changes: true, at: times(append(applying, "errored", "10:12:00")...)}, told: "10:12:00",
			request: request("failed", func(e *event.ProvisioningRequest) { e.ApprovedAt, e.FailedAt = at("10:09:00"), at("10:12:00") }), deployment: deployment("failed", "10:12:00"),
		},
		"it is broken off": {
			run: rn{status: "force_canceled", changes: true, at: times(append(applying, "canceled", "10:12:00", "force-canceled", "10:13:00")...)}, told: "10:13:00",
			request: request("failed", func(e *event.ProvisioningRequest) { e.ApprovedAt, e.FailedAt = at("10:09:00"), at("10:13:00") }), deployment: deployment("cancelled", "10:13:00"),
		},
		"it is turned down": {
			run: rn{status: "discarded", changes: true, at: times("planned", "10:01:00", "discarded", "11:00:00")}, told: "11:00:00",
			request: request("failed", func(e *event.ProvisioningRequest) { e.FailedAt = at("11:00:00") }),
		},
		"it is broken off before it says what it changes": {run: rn{status: "canceled", at: times("canceled", "10:01:00")}},
		"it finds nothing to change":                      {run: rn{status: "planned_and_finished", at: times("planned-and-finished", "10:01:00")}},
		"it carries out nothing":                          {run: rn{status: "applied", auto: true, at: times("applied", "10:12:00")}},
		"it only looks":                                   {run: rn{status: "planned_and_finished", only: true, changes: true, at: times("planned-and-finished", "10:01:00")}},
		"it only looks, and fails":                        {run: rn{status: "errored", only: true, at: times("errored", "10:01:00")}},
		"it only refreshes":                               {run: rn{status: "applied", refresh: true, changes: true, at: times("applied", "10:12:00")}},
		"its plan is saved":                               {run: rn{status: "planned_and_saved", save: true, changes: true, at: times("planned-and-saved", "10:01:00")}},
		"its saved plan is carried out": {
			run: rn{status: "applied", save: true, changes: true, auto: true, at: times("planned-and-saved", "10:01:00", "applying", "10:10:00", "applied", "10:12:00")}, told: "10:12:00",
			request: request("ready", func(e *event.ProvisioningRequest) { e.ReadyAt, e.OnPlatform = at("10:12:00"), true }), deployment: deployment("succeeded", "10:12:00"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.workspaces = []space{{"ws-1", "shop-prod"}}
			tt.run.id, tt.run.created, tt.run.by, tt.run.commit = "run-1", ten, "ada", "c0ffee"
			c.runs["ws-1"] = []rn{tt.run}
			p := newProcess(t, c)
			p.cfg.Deployments = []terraform.DeploymentRule{{Workspace: "shop-*", Service: "storefront"}}
			want := map[string]event.Event{}
			telling := event.Telling{Source: "terraform"}
			if tt.told != "" {
				telling.UpdatedAt = at(tt.told)
			}
			url := c.URL + "/app/acme-org/workspaces/shop-prod/runs/run-1"
			if tt.request != nil {
				tt.request.Telling, tt.request.URL = telling, url
				want["request terraform run-1"] = tt.request
			}
			if tt.deployment != nil {
				tt.deployment.Telling, tt.deployment.URL = telling, url
				want["deployment storefront run-1 1"] = tt.deployment
			}
			if diff := cmp.Diff(want, p.must()); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			p.facts = nil
			if err := p.wake(source.Wake{Stream: "ws-1/requests", Subject: "run-1"}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, hooktest.Known(p.facts)); diff != "" {
				t.Errorf("woken by a notification it is told otherwise (-want +got):\n%s", diff)
			}
			p.cfg.Deployments = nil
			p.facts, p.positions = nil, map[string]string{}
			for key := range p.must() {
				if strings.HasPrefix(key, "deployment") {
					t.Error("without a rule it is a deployment")
				}
			}
		})
	}
}

// planOf is a plan that changes something in each of the modules.
func planOf(sources ...string) string {
	calls, changes := map[string]any{}, []any{}
	for i, source := range sources {
		name := fmt.Sprint("m", i)
		calls[name] = map[string]any{"source": source, "version_constraint": "~> 2.0"}
		changes = append(changes, map[string]any{"module_address": "module." + name + `["a.b"].module.inner`, "mode": "managed", "type": "aws_x", "change": map[string]any{"actions": []string{"create"}}})
	}
	text, _ := json.Marshal(map[string]any{"format_version": "1.2", "configuration": map[string]any{"root_module": map[string]any{"module_calls": calls, "resources": []any{map[string]any{"type": "aws_x"}}}}, "resource_changes": changes})
	return string(text)
}

func TestModulesInAPlanAreEvidence(t *testing.T) {
	for name, tt := range map[string]struct {
		plan     string
		state    string // "": none is told
		evidence string
		resource string
	}{
		"a golden module":                  {planOf("app.terraform.io/acme/rds/aws"), "golden", "app.terraform.io/acme/rds/aws ~> 2.0", "postgres"},
		"a golden one beside another":      {planOf("./queue", "git::https://git.example/platform.git//modules/bucket?ref=v1"), "golden", "git::https://git.example/platform.git//modules/bucket?ref=v1 ~> 2.0", "infrastructure"},
		"a module of its own":              {planOf("./modules/queue"), "own", "./modules/queue ~> 2.0", "queue"},
		"one of the public":                {planOf("terraform-aws-modules/vpc/aws"), "own", "terraform-aws-modules/vpc/aws ~> 2.0", "vpc"},
		"no module":                        {`{"format_version":"1.2","configuration":{"root_module":{"resources":[{"type":"aws_x"}]}},"resource_changes":[{"type":"aws_x","change":{"actions":["delete","create"]}},{"type":"aws_y","change":{"actions":["no-op"]}},{"type":"aws_z","mode":"data","change":{"actions":["create"]}}]}`, "own", "resources without a module", "aws_x"},
		"a golden module inside another":   {`{"format_version":"1.2","configuration":{"root_module":{"module_calls":{"m":{"source":"./db","module":{"module_calls":{"i":{"source":"app.terraform.io/acme/rds/aws"}}}}}}}}`, "golden", "app.terraform.io/acme/rds/aws", "infrastructure"},
		"nothing":                          {`{"format_version":"1.2"}`, "", "", "infrastructure"},
		"a plan of another form":           {`{"format_version":"1.2","configuration":[]}`, "", "", "infrastructure"},
		"no plan at all":                   {`<html>`, "", "", "infrastructure"},
		"two golden modules of one source": {planOf("app.terraform.io/acme/rds/aws", "app.terraform.io/acme/rds/aws"), "golden", "app.terraform.io/acme/rds/aws ~> 2.0", "postgres"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.workspaces = []space{{"ws-1", "shop-prod"}}
			c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, auto: true, created: ten, by: "ada", plan: "plan-1", at: times("applied", "10:12:00")}}
			c.plans["plan-1"] = tt.plan
			p := newProcess(t, c)
			p.cfg.GoldenModules = []string{"app.terraform.io/acme/", "*/platform.git*"}
			p.cfg.Resources = []rules.ResourceName{{Match: "*/rds/aws", Resource: "postgres"}}
			known := p.must()
			if got := known["request terraform run-1"].(*event.ProvisioningRequest).ResourceType; got != tt.resource {
				t.Errorf("the resource is %q, want %q", got, tt.resource)
			}
			use, told := known["use shop provisioning 2026-02-01T10:12:00Z"].(*event.CapabilityUse)
			if !told || tt.state == "" {
				if told != (tt.state != "") {
					t.Errorf("evidence: %v", known)
				}
				return
			}
			want := &event.CapabilityUse{Telling: event.Telling{Source: "terraform", UpdatedAt: instant("2026-02-01T10:12:00Z")}, Service: "shop", Capability: "provisioning",
				ObservedAt: instant("2026-02-01T10:12:00Z"), State: tt.state, Evidence: tt.evidence}
			if diff := cmp.Diff(want, use); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARunThatFindsNothingToChangeIsEvidenceToo(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	c.runs["ws-1"] = []rn{{id: "run-1", status: "planned_and_finished", created: ten, by: "ada", plan: "plan-1", at: times("planned-and-finished", "10:12:00")}}
	c.plans["plan-1"] = planOf("app.terraform.io/acme/rds/aws")
	p := newProcess(t, c)
	p.cfg.GoldenModules = []string{"app.terraform.io/acme"}
	if known := p.must(); len(known) != 1 || known["use shop provisioning 2026-02-01T10:12:00Z"] == nil {
		t.Errorf("got %v", known)
	}
}

// A plan needs more rights than a run: without them runs are told all the same, and it is said what is missing.
func TestPlansThatAreNotShownCostNoRun(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusNoContent, http.StatusUnprocessableEntity} {
		c := newCloud(t)
		c.workspaces = []space{{"ws-1", "shop-prod"}}
		c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, created: ten, by: "ada", plan: "plan-1", at: times("applied", "10:12:00")}}
		c.fail["/api/v2/plans/"] = status
		p := newProcess(t, c)
		p.cfg.GoldenModules = []string{"app.terraform.io/acme"}
		if known := p.must(); len(known) != 1 || known["request terraform run-1"] == nil {
			t.Errorf("%d: got %v", status, known)
		}
		turn, err := p.connection.Turn(source.Stream{Name: "ws-1/requests", Kind: source.Requests}, "", now)
		if err != nil {
			t.Fatal(err)
		}
		for range turn.Events(t.Context()) {
		}
		said := slices.Collect(maps.Keys(turn.Report().Rules))
		if len(said) != 1 || !strings.Contains(said[0], "admin access") {
			t.Errorf("%d: it says %q", status, said)
		}
		if status == http.StatusForbidden || status == http.StatusNotFound {
			access, err := p.connection.Check(t.Context())
			if err != nil || len(access.Notes) != 1 || !strings.Contains(access.Notes[0], "golden_modules") {
				t.Errorf("%d: check says %+v, %v", status, access, err)
			}
		}
	}
}

func TestThereIsADeploymentOnlyWithTheServiceAndEnvironmentOfTheRule(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}, {"ws-2", "network"}, {"ws-3", "team-cart-staging"}, {"ws-4", "sandbox-ada"}}
	for _, s := range c.workspaces {
		c.runs[s.id] = []rn{{id: "run-" + s.id, status: "applied", changes: true, created: ten, by: "ada", at: times("applying", "10:10:00", "applied", "10:12:00")}}
	}
	p := newProcess(t, c)
	p.cfg.Deployments = []terraform.DeploymentRule{{Workspace: "team-*-staging", Service: "{1}", Environment: "staging"}, {Workspace: "sandbox-*", Service: "none"}, {Workspace: "/^acme-org/(shop).*/", Service: "{1}"}}
	got := map[string]string{}
	for key, e := range p.must() {
		switch e := e.(type) {
		case *event.Deployment:
			got[key] = e.Environment
		case *event.ProvisioningRequest:
			got[key] = e.Service
		}
	}
	want := map[string]string{
		"deployment cart run-ws-3 1": "staging", "deployment shop run-ws-1 1": "production",
		"request terraform run-ws-1": "shop", "request terraform run-ws-2": "network", "request terraform run-ws-3": "team-cart-staging", // a sandbox is left out
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever happens between readings, wherever a process is killed and however a page is cut: in the end it is known how
// each run ended, and no page is told more than once again.
func TestEveryRunIsKnownInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCloud(t)
		c.size = rapid.IntRange(1, 4).Draw(rt, "page")
		p := newProcess(t, c)
		at, n := ten, 0
		happen := func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.workspaces) == 0 || rapid.IntRange(0, 9).Draw(rt, "workspace") == 0 {
				c.workspaces = append(c.workspaces, space{fmt.Sprint("ws-", len(c.workspaces)), fmt.Sprint("w", len(c.workspaces))})
			}
			for range rapid.IntRange(0, 12).Draw(rt, "happenings") {
				ws := c.workspaces[rapid.IntRange(0, len(c.workspaces)-1).Draw(rt, "in")].id
				at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "later")) * time.Second)
				if runs := c.runs[ws]; len(runs) > 0 && rapid.Bool().Draw(rt, "goes on") {
					r := &runs[rapid.IntRange(0, len(runs)-1).Draw(rt, "run")]
					if r.status == "planned" {
						r.status, r.at = "applied", map[string]string{"applied-at": at.Format(time.RFC3339)}
					}
					continue
				}
				n++
				status := rapid.SampledFrom([]string{"planned", "applied"}).Draw(rt, "status")
				c.runs[ws] = append(c.runs[ws], rn{id: fmt.Sprint("run-", n), status: status, changes: true, created: at, by: "ada", at: map[string]string{}})
			}
		}
		readings := rapid.IntRange(1, 4).Draw(rt, "readings")
		for range readings {
			happen()
			p.now = p.now.Add(time.Hour)
			if left := rapid.IntRange(0, 20).Draw(rt, "killed after"); left > 0 {
				p.kill = func() bool { left--; return left == 0 }
			}
			if err := p.read(); err != nil && !errors.Is(err, errKilled) {
				rt.Fatal(err)
			}
			p.kill = nil
		}
		p.now = p.now.Add(time.Hour)
		known := p.must()
		want, got := map[string]string{}, map[string]string{}
		for _, runs := range c.runs {
			for _, r := range runs {
				want["request terraform "+r.id] = map[string]string{"planned": "requested", "applied": "ready"}[r.status]
			}
		}
		for key, e := range known {
			got[key] = e.(*event.ProvisioningRequest).Status
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestWhereNothingHappensNoRunsAreAskedFor(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}, {"ws-2", "empty"}}
	c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, created: ten, by: "ada", at: times("applied", "10:12:00")}}
	p := newProcess(t, c)
	p.must()
	c.paths()
	p.now = p.now.Add(time.Hour)
	p.must()
	for _, path := range c.paths() {
		if strings.HasSuffix(path, "/ws-1/runs") {
			t.Errorf("%s was asked for", path)
		}
	}
	c.runs["ws-1"] = append(c.runs["ws-1"], rn{id: "run-2", status: "planned", changes: true, created: ten.Add(time.Hour), by: "ada", at: times("planned", "11:01:00")})
	p.must()
	c.runs["ws-1"][1].status, c.runs["ws-1"][1].at = "applied", times("applied", "11:12:00")
	p.now = p.now.Add(time.Hour)
	if got := p.must()["request terraform run-2"].(*event.ProvisioningRequest).Status; got != "ready" {
		t.Errorf("the second run is %s", got)
	}
}

// A workspace that is renamed is the same; one that is made anew under the old name is another. A run stays with the name
// under which it began.
func TestRenamedAndRecreatedWorkspaces(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	run := func(id string, hour int) rn {
		return rn{id: id, status: "applied", changes: true, created: ten.Add(time.Duration(hour) * time.Hour), by: "ada", at: map[string]string{}}
	}
	c.runs["ws-1"] = []rn{run("run-1", 0)}
	p := newProcess(t, c)
	p.cfg.Deployments = []terraform.DeploymentRule{{Workspace: "*-prod", Service: "{1}"}}
	p.must()
	c.workspaces[0].name = "store-prod"
	p.now = ten.Add(3 * time.Hour)
	c.runs["ws-1"] = append(c.runs["ws-1"], run("run-2", 4))
	p.must()
	c.workspaces = append(c.workspaces, space{"ws-9", "shop-prod"})
	c.runs["ws-9"] = []rn{run("run-3", 5)}
	p.now = ten.Add(6 * time.Hour)
	p.must()
	if err := p.wake(source.Wake{Stream: "ws-1/requests", Subject: "run-1"}); err != nil { // told again, it is the same
		t.Fatal(err)
	}
	var got []string
	for key := range hooktest.Known(p.facts) {
		if strings.HasPrefix(key, "deployment") {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"deployment shop run-1 1", "deployment shop run-3 1", "deployment store run-2 1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.workspaces = c.workspaces[1:]
	p.must()
	for _, s := range p.connection.Streams() {
		if s.Name == "ws-1/requests" {
			t.Error("a workspace that is gone is still read")
		}
	}
	if err := p.wake(source.Wake{Stream: "ws-1/requests", Subject: "run-1"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("waking a workspace that is gone: %v", err)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, created: ten, by: "ada", plan: "plan-1", at: times("applied", "10:12:00")}}
	p := newProcess(t, c)
	p.must()
	for _, tt := range []struct {
		path   string
		status int
		kind   fault.Kind
		say    string
	}{
		{"/api/v2/organizations", http.StatusUnauthorized, fault.Denied, "refuses the token"},
		{"/api/v2/organizations", http.StatusForbidden, fault.Denied, "may not read"},
		{"/api/v2/organizations", http.StatusNotFound, fault.NotFound, "does not show it"},
		{"/api/v2/organizations", http.StatusTooManyRequests, fault.Unavailable, "limit"},
		{"/api/v2/organizations", http.StatusBadGateway, fault.Unavailable, "502"},
	} {
		c.fail = map[string]int{tt.path: tt.status}
		if err := p.read(); fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%d: got %v", tt.status, err)
		}
		if access, err := p.connection.Check(t.Context()); err == nil && (len(access.Things) == 0 || access.Things[0].Denied == "") {
			t.Errorf("%d: check says %+v", tt.status, access)
		}
	}
	c.fail = map[string]int{}
	c.token = "another"
	p.cfg.GoldenModules = []string{"x"}
	if err := p.read(); fault.KindOf(err) != fault.Denied {
		t.Errorf("with an ended token: %v", err)
	}
	c.token = "token"
	p.must()
	access, err := p.connection.Check(t.Context())
	if err != nil || access.Who != "cairn" || len(access.Things) != 2 || access.Examples[0] != "acme-org/shop-prod" {
		t.Errorf("check says %+v, %v", access, err)
	}
	for _, position := range []string{"x", `{"v":2}`, `{"v":1,"workspaces":3}`} {
		if err := p.connection.Recall("workspaces", position); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the position %s: %v", position, err)
		}
	}
}

// A token that ends in the middle costs no run its modules: the run is told when there is a new one.
func TestATokenThatEndsBeforeThePlanIsRead(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	c.runs["ws-1"] = []rn{{id: "run-1", status: "applied", changes: true, created: ten, by: "ada", plan: "plan-1", at: times("applied", "10:12:00")}}
	c.plans["plan-1"] = planOf("app.terraform.io/acme/rds/aws")
	c.fail["/api/v2/plans/"] = http.StatusUnauthorized
	p := newProcess(t, c)
	p.cfg.GoldenModules = []string{"app.terraform.io/acme"}
	if err := p.read(); fault.KindOf(err) != fault.Denied || len(p.facts) > 0 {
		t.Errorf("got %v, and %d facts", err, len(p.facts))
	}
	c.fail = map[string]int{}
	if known := p.must(); len(known) != 2 {
		t.Errorf("got %v, want the run and its module", known)
	}
}

// Since bounds what is read.
func TestHistoryEndsAtSince(t *testing.T) {
	c := newCloud(t)
	c.workspaces = []space{{"ws-1", "shop-prod"}}
	for i := range 10 {
		c.runs["ws-1"] = append(c.runs["ws-1"], rn{id: fmt.Sprint("run-", i), status: "applied", changes: true, created: ten.Add(time.Duration(i) * time.Hour), by: "ada"})
	}
	p := newProcess(t, c)
	p.cfg.Since = ten.Add(7 * time.Hour)
	if known := p.must(); len(known) != 3 {
		t.Errorf("%d runs, want those of 7, 8 and 9", len(known))
	}
}
