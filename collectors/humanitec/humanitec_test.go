package humanitec_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"cairn/collectors/humanitec"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// orchestrator is a Humanitec that speaks both versions.
type orchestrator struct {
	*httptest.Server
	mu       sync.Mutex
	token    string
	apps     map[string]map[string]string // types of environments, by application
	deploys  []dep
	sets     map[string]any
	versions []map[string]any
	size     int
	upwards  bool // the second version lists the earliest first
	fail     map[string]int
	asked    []string
}

type dep struct {
	app, env, id, status   string
	created, changed       time.Time
	set, image, rollbackTo string
	mode                   string
	plan                   bool
}

func newOrchestrator(t testing.TB) *orchestrator {
	o := &orchestrator{token: "token", apps: map[string]map[string]string{}, sets: map[string]any{}, size: 2, fail: map[string]int{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	mux.HandleFunc("GET /orgs/acme/apps", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for app := range o.apps {
			list = append(list, map[string]any{"id": app})
		}
		answer(w, list)
	})
	mux.HandleFunc("GET /orgs/acme/apps/{app}/envs", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for env := range o.apps[r.PathValue("app")] {
			list = append(list, o.env(r.PathValue("app"), env))
		}
		answer(w, list)
	})
	mux.HandleFunc("GET /orgs/acme/apps/{app}/envs/{env}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, o.env(r.PathValue("app"), r.PathValue("env")))
	})
	mux.HandleFunc("GET /orgs/acme/apps/{app}/envs/{env}/deploys", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for _, d := range slices.Backward(o.deploys) {
			if d.app == r.PathValue("app") && d.env == r.PathValue("env") {
				list = append(list, d.v1())
			}
		}
		answer(w, list)
	})
	mux.HandleFunc("GET /orgs/acme/apps/{app}/envs/{env}/deploys/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, d := range o.deploys {
			if d.app == r.PathValue("app") && d.env == r.PathValue("env") && d.id == r.PathValue("id") {
				answer(w, d.v1())
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /orgs/acme/apps/{app}/sets/{id}", func(w http.ResponseWriter, r *http.Request) {
		if set, ok := o.sets[r.PathValue("id")]; ok {
			answer(w, set)
			return
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /orgs/acme/artefact-versions", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for _, v := range o.versions {
			if v["name"] == r.URL.Query().Get("name") {
				list = append(list, v)
			}
		}
		answer(w, list)
	})
	mux.HandleFunc("GET /orgs/acme/artefacts", func(w http.ResponseWriter, r *http.Request) { answer(w, []any{}) })
	mux.HandleFunc("GET /orgs/acme/projects", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for app := range o.apps {
			list = append(list, map[string]any{"id": app})
		}
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		o.page(w, r, list)
	})
	mux.HandleFunc("GET /orgs/acme/envs", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for app, envs := range o.apps {
			for env, kind := range envs {
				list = append(list, map[string]any{"id": env, "project_id": app, "env_type_id": kind})
			}
		}
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		o.page(w, r, list)
	})
	mux.HandleFunc("GET /orgs/acme/deployments", func(w http.ResponseWriter, r *http.Request) {
		list := []any{}
		for _, d := range o.deploys {
			if project := r.URL.Query().Get("project_id"); project == "" || d.app == project {
				list = append(list, d.v2(false))
			}
		}
		if !o.upwards {
			slices.Reverse(list)
		}
		o.page(w, r, list)
	})
	mux.HandleFunc("GET /orgs/acme/last-deployments", func(w http.ResponseWriter, r *http.Request) {
		last := map[string]any{}
		for _, d := range o.deploys {
			if d.app == r.URL.Query().Get("project_id") {
				last[d.env] = d.v2(false)
			}
		}
		list := []any{}
		for _, d := range last {
			list = append(list, d)
		}
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		o.page(w, r, list)
	})
	mux.HandleFunc("GET /orgs/acme/deployments/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, d := range o.deploys {
			if d.id == r.PathValue("id") {
				answer(w, d.v2(true))
				return
			}
		}
		http.NotFound(w, r)
	})
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked = append(o.asked, r.URL.Path)
		for part, status := range o.fail {
			if strings.Contains(r.URL.Path, part) {
				w.WriteHeader(status)
				return
			}
		}
		if r.Header.Get("Authorization") != "Bearer "+o.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *orchestrator) env(app, env string) any {
	e := map[string]any{"id": env, "type": o.apps[app][env]}
	for _, d := range o.deploys {
		if d.app == app && d.env == env {
			e["last_deploy"] = d.v1()
		}
	}
	return e
}

func (o *orchestrator) page(w http.ResponseWriter, r *http.Request, list []any) {
	from, _ := strconv.Atoi(r.URL.Query().Get("page"))
	from = min(from, len(list))
	to := min(from+o.size, len(list))
	p := map[string]any{"items": list[from:to]}
	if to < len(list) {
		p["next_page_token"] = strconv.Itoa(to)
	}
	_ = json.NewEncoder(w).Encode(p)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (d dep) v1() any {
	return map[string]any{"id": d.id, "env_id": d.env, "created_at": stamp(d.created), "created_by": "ada", "set_id": d.set, "status": d.status, "status_changed_at": stamp(d.changed), "pipeline": map[string]any{"run_id": "p-1"}}
}

func (d dep) v2(whole bool) any {
	v := map[string]any{"org_id": "acme", "project_id": d.app, "env_id": d.env, "id": d.id, "created_at": stamp(d.created), "created_by": "ada", "mode": d.mode, "plan_only": d.plan, "status": d.status}
	if !d.changed.IsZero() {
		v["completed_at"] = stamp(d.changed)
	}
	if d.rollbackTo != "" {
		v["rollback_to_deployment_id"] = d.rollbackTo
	}
	if whole {
		v["manifest"] = map[string]any{"workloads": map[string]any{"api": map[string]any{"resources": map[string]any{"workload": map[string]any{"type": "k8s-workload",
			"params": map[string]any{"containers": map[string]any{"main": map[string]any{"image": d.image}}}}}}}}
	}
	return v
}

// process is a connection, and what is kept of what it tells.
type process struct {
	t          testing.TB
	from       *orchestrator
	cfg        humanitec.Config
	connection *humanitec.Connection
	facts      []event.Event
	positions  map[string]string
	now        time.Time
	kill       func() bool
}

var (
	errKilled = errors.New("killed")
	ten       = instant("2026-02-01T10:00:00Z")
)

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

func settings(version string) humanitec.Config {
	cfg := humanitec.DefaultConfig()
	cfg.Version, cfg.Organisation = version, "acme"
	return cfg
}

func newProcess(t testing.TB, o *orchestrator, version string) *process {
	cfg := settings(version)
	cfg.URL, cfg.Token = o.URL, "token"
	return &process{t: t, from: o, cfg: cfg, positions: map[string]string{}, now: ten.Add(24 * time.Hour)}
}

func (p *process) begin() {
	p.t.Helper()
	credential, err := humanitec.NewCredential(p.cfg, http.DefaultTransport)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.connection, err = humanitec.New(p.cfg, &http.Client{Transport: credential}); err != nil {
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
		copied := *e.(*event.Deployment)
		p.facts = append(p.facts, &copied)
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

func (p *process) read() error {
	p.t.Helper()
	p.begin()
	for pass := range 2 { // the list of applications says which streams there are
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

const digest = "sha256:8414aa82208bc4c2761dc149df67e25c6b8a9380e5d8c4e7b5c84ca2d04bb244"

func setOf(images map[string]string) any {
	modules := map[string]any{}
	for name, reference := range images {
		modules[name] = map[string]any{"profile": "default", "spec": map[string]any{"containers": map[string]any{"main": map[string]any{"image": reference}}}, "externals": map[string]any{}}
	}
	return map[string]any{"id": "s", "modules": modules, "shared": map[string]any{}}
}

func TestADeploymentOfTheFirstVersion(t *testing.T) {
	base := event.Deployment{
		Telling: event.Telling{Source: "humanitec", UpdatedAt: ten.Add(5 * time.Minute)}, Service: "shop", ID: "acme/shop/live/d1", Attempt: 1, Environment: "live", Tier: "production", Status: "succeeded",
		CreatedAt: ten, StartedAt: ten, FinishedAt: ten.Add(5 * time.Minute), Tool: "humanitec", Actor: "ada", PipelineRun: "p-1",
	}
	with := func(changes ...func(*event.Deployment)) *event.Deployment {
		d := base
		for _, change := range changes {
			change(&d)
		}
		return &d
	}
	images := func(references ...string) func(*event.Deployment) {
		return func(d *event.Deployment) { d.Images = references }
	}
	const shop = "ghcr.io/acme/shop:1.4.2"
	one := func(d *event.Deployment) {
		d.Images = []string{shop}
		d.Version, d.Artifact, d.Revisions = "1.4.2", digest, []event.Revision{{Repository: "acme/shop", SHA: "c0ffee"}}
	}
	api := func(d *event.Deployment) {
		d.Images = []string{"ghcr.io/acme/api:7"}
		d.Service, d.Version, d.Revisions = "shop-api", "7", []event.Revision{{Repository: "acme/api-code", SHA: "beef"}}
	}
	for name, tt := range map[string]struct {
		status string
		set    map[string]string
		want   []*event.Deployment
	}{
		"one image":                               {"succeeded", map[string]string{"web": "ghcr.io/acme/shop:1.4.2"}, []*event.Deployment{with(one)}},
		"an image by its digest":                  {"succeeded", map[string]string{"web": "ghcr.io/acme/shop@" + digest}, []*event.Deployment{with(one, images("ghcr.io/acme/shop@"+digest))}},
		"a version that Humanitec does not know":  {"succeeded", map[string]string{"web": "ghcr.io/acme/shop:1.9"}, []*event.Deployment{with(images("ghcr.io/acme/shop:1.9"), func(d *event.Deployment) { d.Version = "1.9" })}},
		"one that was never made known":           {"succeeded", map[string]string{"web": "localhost:5000/cart:2@" + digest}, []*event.Deployment{with(images("localhost:5000/cart:2@"+digest), func(d *event.Deployment) { d.Version, d.Artifact = "2", digest })}},
		"a workload that is a service of its own": {"succeeded", map[string]string{"web": "ghcr.io/acme/shop:1.4.2", "api": "ghcr.io/acme/api:7"}, []*event.Deployment{with(one), with(api)}},
		"only such a workload":                    {"succeeded", map[string]string{"api": "ghcr.io/acme/api:7"}, []*event.Deployment{with(api)}},
		"a workload that is left out":             {"succeeded", map[string]string{"web": "ghcr.io/acme/shop:1.4.2", "debug": "busybox"}, []*event.Deployment{with(one)}},
		"two images": {"succeeded", map[string]string{"web": "ghcr.io/acme/shop:1.4.2", "worker": "ghcr.io/acme/worker:3"}, []*event.Deployment{with(one, images(shop, "ghcr.io/acme/worker:3"), func(d *event.Deployment) {
			d.Version, d.Artifact = "acme/shop:1.4.2, acme/worker:3", ""
		})}},
		"no set any more": {"succeeded", nil, []*event.Deployment{with()}},
		"it fails":        {"failed", nil, []*event.Deployment{with(func(d *event.Deployment) { d.Status = "failed" })}},
		"it goes on":      {"in progress", nil, []*event.Deployment{with(func(d *event.Deployment) { d.Status, d.FinishedAt = "in_progress", time.Time{} })}},
		"it waits":        {"pending", nil, []*event.Deployment{with(func(d *event.Deployment) { d.Status, d.FinishedAt = "pending", time.Time{} })}},
		"it dreams":       {"dreaming", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrchestrator(t)
			o.apps["shop"] = map[string]string{"live": "production"}
			o.deploys = []dep{{app: "shop", env: "live", id: "d1", status: tt.status, created: ten, changed: ten.Add(5 * time.Minute), set: "s1"}}
			if tt.set != nil {
				o.sets["s1"] = setOf(tt.set)
			}
			o.versions = []map[string]any{
				{"type": "container", "name": "ghcr.io/acme/shop", "version": "1.4.1", "commit": "old", "digest": "sha256:0"},
				{"type": "container", "name": "ghcr.io/acme/shop", "version": "1.4.2", "commit": "c0ffee", "digest": digest},
				{"type": "container", "name": "ghcr.io/acme/api", "version": "7", "commit": "beef"},
			}
			p := newProcess(t, o, humanitec.V1)
			p.cfg.Services = []rules.ServiceName{{Match: "shop/api", Service: "shop-api"}, {Match: "*/debug", Service: "none"}}
			p.cfg.Repositories = []rules.RepositoryName{{Match: "acme/api", Repository: "acme/api-code"}}
			want := map[string]event.Event{}
			for _, d := range tt.want {
				want["deployment "+d.Service+" "+d.ID+" 1"] = d
			}
			if diff := cmp.Diff(want, p.must()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			p.facts = nil
			if err := p.wake(source.Wake{Stream: "shop/deployments", Subject: "live/d1"}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, hooktest.Known(p.facts)); diff != "" {
				t.Errorf("woken by a webhook it is told otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADeploymentOfTheSecondVersion(t *testing.T) {
	base := event.Deployment{
		Telling: event.Telling{Source: "humanitec", UpdatedAt: ten.Add(5 * time.Minute)}, Service: "shop", ID: "acme/d1", Attempt: 1, Environment: "qa-eu", Tier: "testing", Status: "succeeded",
		CreatedAt: ten, StartedAt: ten, FinishedAt: ten.Add(5 * time.Minute), Tool: "humanitec", Actor: "ada", Version: "1.4.2", Artifact: digest, Images: []string{"ghcr.io/acme/shop:1.4.2@" + digest},
	}
	for name, tt := range map[string]struct {
		change func(*dep)
		want   func(*event.Deployment) // nil: none
	}{
		"it succeeds":        {func(d *dep) {}, func(*event.Deployment) {}},
		"it goes back":       {func(d *dep) { d.mode, d.rollbackTo = "rollback", "d0" }, func(d *event.Deployment) { d.Rollback = true }},
		"it fails":           {func(d *dep) { d.status = "failed" }, func(d *event.Deployment) { d.Status = "failed" }},
		"it is carried out":  {func(d *dep) { d.status, d.changed = "executing", time.Time{} }, func(d *event.Deployment) { d.Status, d.FinishedAt, d.UpdatedAt = "in_progress", time.Time{}, ten }},
		"it does something":  {func(d *dep) { d.status, d.changed = "pondering", time.Time{} }, func(d *event.Deployment) { d.Status, d.FinishedAt, d.UpdatedAt = "in_progress", time.Time{}, ten }},
		"it ended somehow":   {func(d *dep) { d.status = "pondered" }, nil},
		"a plan":             {func(d *dep) { d.plan = true }, nil},
		"a plan by its mode": {func(d *dep) { d.mode = "plan_only" }, nil},
		"taking it down":     {func(d *dep) { d.mode = "destroy" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrchestrator(t)
			o.apps["shop"] = map[string]string{"qa-eu": "qa", "live": "production"}
			d := dep{app: "shop", env: "qa-eu", id: "d1", status: "succeeded", mode: "deploy", created: ten, changed: ten.Add(5 * time.Minute), image: "ghcr.io/acme/shop:1.4.2@" + digest}
			tt.change(&d)
			o.deploys = []dep{d}
			p := newProcess(t, o, humanitec.V2)
			want := map[string]event.Event{}
			if tt.want != nil {
				e := base
				tt.want(&e)
				want["deployment shop acme/d1 1"] = &e
			}
			if diff := cmp.Diff(want, p.must()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			p.facts = nil
			if err := p.wake(source.Wake{Stream: "shop/deployments", Subject: "d1"}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, hooktest.Known(p.facts)); diff != "" {
				t.Errorf("told again it is told otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnvironmentsAreCalledByRulesAndTheirTypes(t *testing.T) {
	o := newOrchestrator(t)
	o.apps["shop"] = map[string]string{"live": "production", "eu": "customers", "play": "development", "pre": "staging"}
	for i, env := range []string{"live", "eu", "play", "pre"} {
		o.deploys = append(o.deploys, dep{app: "shop", env: env, id: fmt.Sprint("d", i), status: "succeeded", created: ten, changed: ten})
	}
	p := newProcess(t, o, humanitec.V1)
	p.cfg.Environments = []rules.EnvironmentName{{Match: "shop/play", Environment: "none"}, {Match: "customers", Environment: "production"}}
	got := map[string]string{}
	for _, e := range p.must() {
		d := e.(*event.Deployment)
		got[d.ID] = d.Environment + " " + d.Tier
	}
	want := map[string]string{"acme/shop/live/d0": "live production", "acme/shop/eu/d1": "production ", "acme/shop/pre/d3": "pre staging"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever happens between readings, wherever a process is killed and however a list is ordered: in the end it is known how
// each deployment ended.
func TestEveryDeploymentIsKnownInTheEnd(t *testing.T) {
	for _, version := range []string{humanitec.V1, humanitec.V2} {
		t.Run(version, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				o := newOrchestrator(t)
				o.size, o.upwards = rapid.IntRange(1, 4).Draw(rt, "page"), rapid.Bool().Draw(rt, "upwards")
				p := newProcess(t, o, version)
				at, n := ten, 0
				happen := func() {
					o.mu.Lock()
					defer o.mu.Unlock()
					for range rapid.IntRange(0, 12).Draw(rt, "happenings") {
						app, env := fmt.Sprint("app-", rapid.IntRange(0, 1).Draw(rt, "app")), fmt.Sprint("env-", rapid.IntRange(0, 1).Draw(rt, "env"))
						if o.apps[app] == nil {
							o.apps[app] = map[string]string{}
						}
						o.apps[app][env] = "production"
						at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "later")) * time.Second)
						if len(o.deploys) > 0 && rapid.Bool().Draw(rt, "goes on") {
							if d := &o.deploys[rapid.IntRange(0, len(o.deploys)-1).Draw(rt, "deployment")]; d.status == "pending" {
								d.status, d.changed = "succeeded", at
							}
							continue
						}
						n++
						d := dep{app: app, env: env, id: fmt.Sprint("d", n), status: "pending", mode: "deploy", created: at, image: "shop:1", set: "s"}
						if version == humanitec.V1 {
							d.changed = at
						}
						o.deploys = append(o.deploys, d)
					}
				}
				for range rapid.IntRange(1, 4).Draw(rt, "readings") {
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
				want, got := map[string]string{}, map[string]string{}
				known := p.must()
				for _, d := range o.deploys {
					want[d.id] = d.status
				}
				for _, e := range known {
					d := e.(*event.Deployment)
					got[d.ID[strings.LastIndex(d.ID, "/")+1:]] = d.Status
				}
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWhereNothingHappensLittleIsAskedFor(t *testing.T) {
	for version, list := range map[string]string{humanitec.V1: "/deploys", humanitec.V2: "/deployments"} {
		o := newOrchestrator(t)
		o.apps["shop"] = map[string]string{"live": "production"}
		o.deploys = []dep{{app: "shop", env: "live", id: "d1", status: "succeeded", mode: "deploy", created: ten, changed: ten, set: "s"}}
		p := newProcess(t, o, version)
		p.must()
		o.asked, p.now = nil, p.now.Add(time.Hour)
		p.must()
		for _, path := range o.asked {
			if strings.Contains(path, list) && !strings.Contains(path, "last-deployments") {
				t.Errorf("%s: %s was asked for", version, path)
			}
		}
	}
}

// Of many deployments only what is new is asked for.
func TestNewsAreReadFromTheFirstPages(t *testing.T) {
	o := newOrchestrator(t)
	o.apps["shop"] = map[string]string{"live": "production"}
	add := func(n int) {
		at := ten.Add(time.Duration(len(o.deploys)) * time.Hour)
		for range n {
			at = at.Add(time.Hour)
			o.deploys = append(o.deploys, dep{app: "shop", env: "live", id: fmt.Sprint("d", len(o.deploys)), status: "succeeded", mode: "deploy", created: at, changed: at})
		}
	}
	add(20)
	p := newProcess(t, o, humanitec.V2)
	p.must()
	for range 3 {
		add(3)
		o.asked, p.now = nil, p.now.Add(time.Hour)
		p.must()
		pages := 0
		for _, path := range o.asked {
			if strings.HasSuffix(path, "/deployments") {
				pages++
			}
		}
		if pages != 3 { // of two deployments each: the three that are new, the latest that was told, and one before it
			t.Errorf("%d pages were asked for", pages)
		}
	}
}

// Two deployments of one instant are two, also when they are seen one after the other.
func TestDeploymentsOfOneInstant(t *testing.T) {
	for _, version := range []string{humanitec.V1, humanitec.V2} {
		o := newOrchestrator(t)
		o.apps["shop"] = map[string]string{"live": "production"}
		p := newProcess(t, o, version)
		for i := range 3 {
			o.deploys = append(o.deploys, dep{app: "shop", env: "live", id: fmt.Sprint("d", i), status: "succeeded", mode: "deploy", created: ten, changed: ten})
			p.now = p.now.Add(time.Hour)
			if known := p.must(); len(known) != i+1 {
				t.Errorf("%s: got %d, want %d", version, len(known), i+1)
			}
		}
	}
}

// An environment that is made anew under the old name has other deployments; an application that is gone is not read.
func TestRecreatedEnvironmentsAndApplicationsThatAreGone(t *testing.T) {
	o := newOrchestrator(t)
	o.apps["shop"] = map[string]string{"pr-7": "development"}
	o.deploys = []dep{{app: "shop", env: "pr-7", id: "d1", status: "succeeded", created: ten, changed: ten}}
	p := newProcess(t, o, humanitec.V1)
	p.must()
	o.apps["shop"] = map[string]string{}
	p.must()
	o.apps["shop"] = map[string]string{"pr-7": "development"}
	o.deploys = []dep{{app: "shop", env: "pr-7", id: "d2", status: "succeeded", created: ten.Add(time.Hour), changed: ten.Add(time.Hour)}}
	if known := p.must(); len(known) != 2 {
		t.Errorf("got %v", known)
	}
	delete(o.apps, "shop")
	p.must()
	if streams := p.connection.Streams(); len(streams) != 1 {
		t.Errorf("got %v", streams)
	}
	if err := p.wake(source.Wake{Stream: "shop/deployments", Subject: "pr-7/d2"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestHistoryEndsAtSince(t *testing.T) {
	for _, version := range []string{humanitec.V1, humanitec.V2} {
		o := newOrchestrator(t)
		o.apps["shop"] = map[string]string{"live": "production"}
		for i := range 10 {
			at := ten.Add(time.Duration(i) * time.Hour)
			o.deploys = append(o.deploys, dep{app: "shop", env: "live", id: fmt.Sprint("d", i), mode: "deploy", status: "succeeded", created: at, changed: at})
		}
		p := newProcess(t, o, version)
		p.cfg.Since = ten.Add(7 * time.Hour)
		if known := p.must(); len(known) != 3 {
			t.Errorf("%s: %d deployments, want those of 7, 8 and 9", version, len(known))
		}
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	o := newOrchestrator(t)
	o.apps["shop"] = map[string]string{"live": "production"}
	o.sets["s"] = setOf(map[string]string{"web": "ghcr.io/acme/shop:1"})
	o.deploys = []dep{{app: "shop", env: "live", id: "d1", status: "succeeded", created: ten, changed: ten, set: "s"}}
	p := newProcess(t, o, humanitec.V1)
	for _, tt := range []struct {
		path   string
		status int
		kind   fault.Kind
		say    string
	}{
		{"/apps", http.StatusUnauthorized, fault.Denied, "refuses the token"},
		{"/apps", http.StatusForbidden, fault.Denied, "may not read"},
		{"/apps", http.StatusNotFound, fault.NotFound, "does not show it"},
		{"/deploys", http.StatusTooManyRequests, fault.Unavailable, "limit"},
		{"/sets", http.StatusBadGateway, fault.Unavailable, "502"},
		{"/artefact-versions", http.StatusUnauthorized, fault.Denied, "refuses the token"},
	} {
		o.fail = map[string]int{tt.path: tt.status}
		if err := p.read(); fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s %d: got %v", tt.path, tt.status, err)
		}
	}
	// Without the right to see artefacts a deployment is one all the same, without its commit.
	o.fail = map[string]int{"/artefact-versions": http.StatusForbidden}
	if d, ok := p.must()["deployment shop acme/shop/live/d1 1"].(*event.Deployment); !ok || d.Version != "1" || d.Revisions != nil {
		t.Errorf("got %+v", d)
	}
	o.fail = map[string]int{"/artefacts": http.StatusForbidden}
	for version, want := range map[string]string{humanitec.V1: "may not read", humanitec.V2: ""} {
		p.cfg.Version, p.positions = version, map[string]string{}
		p.begin()
		access, err := p.connection.Check(t.Context())
		if err != nil || len(access.Things) != 2 || access.Things[0].Denied != "" || !strings.Contains(access.Things[1].Denied, want) || (want == "") != (access.Things[1].Denied == "") {
			t.Errorf("%s: check says %+v, %v", version, access, err)
		}
	}
	o.fail = map[string]int{"/artefacts": http.StatusUnauthorized, "/projects": http.StatusUnauthorized}
	for _, version := range []string{humanitec.V1, humanitec.V2} {
		p.cfg.Version, p.positions = version, map[string]string{}
		p.begin()
		if _, err := p.connection.Check(t.Context()); fault.KindOf(err) != fault.Denied || !errors.Is(err, rest.ErrRefused) {
			t.Errorf("%s: check of a token that is refused says %v", version, err)
		}
	}
	for _, position := range []string{"x", `{"v":2}`, `{"v":1,"applications":3}`} {
		if err := p.connection.Recall("workspaces", position); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the position %s: %v", position, err)
		}
	}
}

func TestASettingThatCannotBeIsNamed(t *testing.T) {
	for _, change := range []func(*humanitec.Config){
		func(c *humanitec.Config) { c.Token = "" },
		func(c *humanitec.Config) { c.Token = "a b" },
		func(c *humanitec.Config) { c.Organisation = "" },
		func(c *humanitec.Config) { c.Organisation = "a/b" },
		func(c *humanitec.Config) { c.Version = "v3" },
		func(c *humanitec.Config) { c.Name = "A" },
		func(c *humanitec.Config) { c.URL = "ftp://x" },
		func(c *humanitec.Config) { c.Every = time.Second },
		func(c *humanitec.Config) { c.Header.Secrets = []string{"s"} },
		func(c *humanitec.Config) { c.Header.Header, c.Header.Secrets = "X-Token", []string{" "} },
		func(c *humanitec.Config) { c.Services = []rules.ServiceName{{Match: "a"}} },
		func(c *humanitec.Config) { c.Environments = []rules.EnvironmentName{{Match: "a"}} },
		func(c *humanitec.Config) { c.Repositories = []rules.RepositoryName{{Match: "a"}} },
	} {
		cfg := settings(humanitec.V1)
		cfg.Token = "token"
		change(&cfg)
		if _, err := humanitec.New(cfg, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: got %v, want it invalid", cfg, err)
		}
	}
}
