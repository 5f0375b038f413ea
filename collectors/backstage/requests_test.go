package backstage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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
	"cairn/internal/sharedtest"
	"cairn/internal/source"
	"cairn/internal/turn/turntest"
)

// What a real Backstage answered about a run of a template is told as a request that was worked out by hand.
func TestARunOfATemplateOfARealBackstage(t *testing.T) {
	load := func(name string, into any) {
		text, err := os.ReadFile(sharedtest.Path(t, "payloads", "backstage", "live-api", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	p := newPortal(t)
	var list struct{ Tasks []map[string]any }
	load("scaffolder-tasks.completed.json", &list)
	p.tasks = list.Tasks
	var events []map[string]any
	load("scaffolder-task-events.completed.json", &events)
	p.events["19571908-eefa-43d1-8d7f-9db250b6cb4b"] = events
	got, position := read(t, p.connect(), source.Requests, "", now)
	want := []event.Event{&event.ProvisioningRequest{
		Telling: event.Telling{Source: "backstage", UpdatedAt: at("2026-11-22T18:52:39Z")},
		ID:      "19571908-eefa-43d1-8d7f-9db250b6cb4b", ResourceType: "golden-path-ok", Way: "backstage_template", OnPlatform: true, Status: "ready",
		RequestedAt: at("2026-11-22T18:52:37Z"), ReadyAt: at("2026-11-22T18:52:39Z"),
		URL: "https://portal.example/create/tasks/19571908-eefa-43d1-8d7f-9db250b6cb4b",
	}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if again, _ := read(t, p.connect(), source.Requests, position, now.Add(time.Hour)); len(again) > 0 {
		t.Errorf("told again: %+v", again)
	}
}

// task adds a run of a template.
func (p *portal) task(id, status, created string) map[string]any {
	task := map[string]any{
		"id": id, "status": status, "createdAt": created, "lastHeartbeatAt": created,
		"spec": map[string]any{
			"templateInfo": map[string]any{"entityRef": "template:default/go-service"}, "steps": []any{map[string]any{"action": "fetch:template"}, map[string]any{"action": "catalog:register"}},
			"parameters": map[string]any{"name": "cart", "owner": "group:default/checkout"}, "user": map[string]any{"ref": "user:default/ada"},
		},
	}
	p.tasks = append(p.tasks, task)
	return task
}

// ended adds the event with which a run ends, as Backstage writes it.
func (p *portal) ended(id, kind, at, status string, refs ...string) {
	var links []any
	for _, ref := range refs {
		links = append(links, map[string]any{"title": "Open in catalog", "entityRef": ref})
	}
	p.events[id] = append(p.events[id], map[string]any{
		"id": len(p.events[id]) + 1, "taskId": id, "type": kind, "createdAt": at,
		"body": map[string]any{"message": "Run completed with status: " + status, "status": nil, "output": map[string]any{"links": links}},
	})
}

func TestTheStatesOfARun(t *testing.T) {
	const asked, end, heartbeat = "2026-11-22T10:00:00.000Z", "2026-11-22T10:07:00.000Z", "2026-11-22T10:06:00.000Z"
	base := event.ProvisioningRequest{
		ID: "t1", Requester: "ada", Team: "checkout", ResourceType: "go-service", Way: "backstage_template", OnPlatform: true, RequestedAt: at(asked),
		URL: "https://portal.example/create/tasks/t1", Telling: event.Telling{Source: "backstage", UpdatedAt: at(end)},
	}
	for _, tt := range []struct {
		name, status string
		change       func(p *portal, task map[string]any)
		want         func(r *event.ProvisioningRequest)
	}{
		{"waiting", "open", func(*portal, map[string]any) {}, func(r *event.ProvisioningRequest) { r.Status, r.UpdatedAt = "requested", at(asked) }},
		{"under way", "processing", func(_ *portal, task map[string]any) { task["lastHeartbeatAt"] = heartbeat },
			func(r *event.ProvisioningRequest) { r.Status, r.UpdatedAt = "in_progress", at(heartbeat) }},
		{"completed", "completed", func(p *portal, task map[string]any) {
			task["lastHeartbeatAt"] = heartbeat
			p.ended("t1", "log", "2026-11-22T10:05:00.000Z", "")
			p.ended("t1", "completion", end, "completed")
		}, func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt = "ready", at(end) }},
		{"failed: the text says so, the status of the event is null", "failed", func(p *portal, _ map[string]any) { p.ended("t1", "completion", end, "failed") },
			func(r *event.ProvisioningRequest) { r.Status, r.FailedAt = "failed", at(end) }},
		{"cancelled", "cancelled", func(p *portal, _ map[string]any) { p.ended("t1", "cancelled", end, "") },
			func(r *event.ProvisioningRequest) { r.Status, r.DeletedAt = "deleted", at(end) }},
		{"tried again after it failed", "completed", func(p *portal, _ map[string]any) {
			p.ended("t1", "completion", "2026-11-22T10:02:00.000Z", "failed")
			p.ended("t1", "recovered", "2026-11-22T10:03:00.000Z", "")
			p.ended("t1", "completion", end, "completed")
		}, func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt = "ready", at(end) }},
		{"dead, and called failed later: its last sign of life counts", "failed", func(_ *portal, task map[string]any) { task["lastHeartbeatAt"] = heartbeat },
			func(r *event.ProvisioningRequest) {
				r.Status, r.FailedAt, r.UpdatedAt = "failed", at(heartbeat), at(heartbeat)
			}},
		{"ended before it was asked for, by another clock", "completed", func(p *portal, _ map[string]any) {
			p.ended("t1", "completion", "2026-11-22T09:00:00.000Z", "completed")
		},
			func(r *event.ProvisioningRequest) { r.Status, r.ReadyAt, r.UpdatedAt = "ready", at(asked), at(asked) }},
		{"nobody asked: a service did", "completed", func(p *portal, task map[string]any) {
			task["createdBy"] = nil
			task["spec"].(map[string]any)["user"] = map[string]any{}
			task["spec"].(map[string]any)["parameters"] = map[string]any{}
			p.ended("t1", "completion", end, "completed")
		}, func(r *event.ProvisioningRequest) {
			r.Status, r.ReadyAt, r.Requester, r.Team = "ready", at(end), "", ""
		}},
		{"for the only team of who asked", "completed", func(p *portal, task map[string]any) {
			task["createdBy"] = "user:default/bob"
			spec := task["spec"].(map[string]any)
			spec["parameters"] = map[string]any{"owner": []any{1}}
			spec["user"] = map[string]any{"ref": "user:default/bob", "entity": map[string]any{"spec": map[string]any{"memberOf": []any{"shops"}}}}
			p.ended("t1", "completion", end, "completed")
		}, func(r *event.ProvisioningRequest) {
			r.Status, r.ReadyAt, r.Requester, r.Team = "ready", at(end), "bob", "shops"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPortal(t)
			tt.change(p, p.task("t1", tt.status, asked))
			want := base
			tt.want(&want)
			got, _ := read(t, p.connect(), source.Requests, "", now)
			if diff := gocmp.Diff([]event.Event{&want}, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// Only the catalogue tells a service, whole: what a template made is told with it.
func TestAServiceThatATemplateMadeIsToldSo(t *testing.T) {
	p := newPortal(t)
	p.entity("Component", "cart", "spec.owner", "shops")
	p.entity("Component", "old", "spec.owner", "shops")
	c := p.connect()
	_, catalogue := read(t, c, source.Catalogue, "", now)
	p.task("t1", "completed", "2026-11-22T10:00:00.000Z")
	p.ended("t1", "completion", "2026-11-22T10:07:00.000Z", "completed", "component:default/cart")
	// It changes what is there, and makes nothing.
	p.task("t2", "completed", "2026-11-22T11:00:00.000Z")["spec"].(map[string]any)["steps"] = []any{map[string]any{"action": "publish:github:pull-request"}}
	p.ended("t2", "completion", "2026-11-22T11:07:00.000Z", "completed", "component:default/old")
	p.task("t3", "failed", "2026-11-22T12:00:00.000Z")
	p.ended("t3", "completion", "2026-11-22T12:07:00.000Z", "failed", "component:default/old")
	told, requests := read(t, c, source.Requests, "", now)
	by := keyed(told)
	if r, _ := by["request t1"].(*event.ProvisioningRequest); r == nil || r.Service != "cart" {
		t.Errorf("the request is %+v, want it to be about cart", r)
	}
	want := &event.CapabilityUse{
		Telling: event.Telling{Source: "backstage", UpdatedAt: at("2026-11-22T10:07:00Z")}, Service: "cart", Capability: "provisioning",
		ObservedAt: at("2026-11-22T10:07:00Z"), State: "golden", Evidence: "template:default/go-service, task t1",
	}
	if diff := gocmp.Diff(event.Event(want), by["use cart provisioning 2026-11-22T10:07:00Z"]); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if len(only[*event.CapabilityUse](told)) != 2 || len(only[*event.Service](told)) > 0 {
		t.Errorf("told was %+v", told)
	}
	// Another life remembers.
	c = p.connect()
	for stream, position := range map[string]string{source.Catalogue: catalogue, source.Requests: requests} {
		if err := c.Recall(stream, position); err != nil {
			t.Fatal(err)
		}
	}
	facts, _ := read(t, c, source.Catalogue, catalogue, now.Add(time.Hour))
	if len(facts) != 1 {
		t.Fatalf("told was %+v, want one service", facts)
	}
	s := facts[0].(*event.Service)
	if s.ID != "cart" || s.CreatedVia != "golden_path" || s.Template != "template:default/go-service" || !s.CreatedAt.Equal(at("2026-11-22T10:00:00Z")) {
		t.Errorf("the service is %+v", s)
	}
}

// However runs come and go while they are read, each is told in the end as it stands.
func TestEveryRunIsToldAsItStands(t *testing.T) {
	statuses := []string{"open", "processing", "completed", "failed", "cancelled"}
	rapid.Check(t, func(r *rapid.T) {
		p := newPortal(t)
		begin, n, asOf := at("2026-11-20T00:00:00Z"), 0, now
		add := func() {
			// Several in a second, and never before what is there.
			begin = begin.Add(time.Duration(rapid.IntRange(0, 2).Draw(r, "seconds")) * time.Second)
			n++
			id := fmt.Sprintf("t%03d", n)
			status := rapid.SampledFrom(statuses).Draw(r, "status")
			p.task(id, status, begin.Format("2006-01-02T15:04:05.000Z"))
		}
		for range rapid.IntRange(0, 90).Draw(r, "runs") {
			add()
		}
		c, position := p.connect(), ""
		var facts []event.Event
		quiet := 0
		for i := 0; quiet < 3; i++ {
			if i > 500 {
				r.Fatal("there is always more")
			}
			some, end, more, err := turn(t, c, source.Requests, position, asOf)
			if err != nil {
				r.Fatal(err)
			}
			facts = append(facts, some...)
			position, asOf = end, asOf.Add(2*time.Minute)
			if quiet++; more {
				quiet = 0
			}
			if i < 12 {
				for range rapid.IntRange(0, 3).Draw(r, "new") {
					add()
				}
				for _, task := range p.tasks { // what goes on may end
					if s := text(task["status"]); (s == "open" || s == "processing") && rapid.IntRange(0, 5).Draw(r, "ends") == 0 {
						task["status"], task["lastHeartbeatAt"] = "completed", now.Format(time.RFC3339)
					}
				}
				quiet = 0
			}
			if rapid.IntRange(0, 3).Draw(r, "life") == 0 {
				c = p.connect()
			}
		}
		told := keyed(facts)
		for _, task := range p.tasks {
			want := map[string]string{"open": "requested", "processing": "in_progress", "completed": "ready", "failed": "failed", "cancelled": "deleted"}[text(task["status"])]
			got, _ := told["request "+text(task["id"])].(*event.ProvisioningRequest)
			if got == nil || got.Status != want {
				r.Errorf("%s is %s and told as %+v", task["id"], task["status"], got)
			}
		}
		if len(facts) > 4*n+20 {
			r.Errorf("%d runs were told %d times", n, len(facts))
		}
	})
}

func TestRunsBeforeSinceAreLeftOut(t *testing.T) {
	p := newPortal(t)
	for i := range 70 {
		p.task(fmt.Sprintf("t%02d", i), "completed", at("2026-11-20T00:00:00Z").Add(time.Duration(i)*time.Hour).Format(time.RFC3339))
	}
	p.config.Since = at("2026-11-20T10:00:00Z")
	facts, _ := read(t, p.connect(), source.Requests, "", now)
	if len(facts) != 60 {
		t.Errorf("%d runs are told, want the 60 since then", len(facts))
	}
}

func TestABackstageWithoutTemplatesHasNoRequests(t *testing.T) {
	p := newPortal(t)
	p.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/api/scaffolder") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	}
	if facts, _ := read(t, p.connect(), source.Requests, "", now); len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
	p.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	_, _, _, err := turn(t, p.connect(), source.Requests, "", now)
	wantFault(t, err, fault.Denied, "accessRestrictions")
}

func TestChecksAreEvidenceForWhatTheSettingsSay(t *testing.T) {
	p := newPortal(t)
	for i := range 120 {
		p.entity("Component", fmt.Sprintf("svc-%03d", i), "github.com/project-slug", fmt.Sprintf("acme/svc-%03d", i))
	}
	p.page = 100
	p.config.Checks = []backstage.Check{{Check: "has-dashboard", Capability: "observability"}, {Check: "golden-pipeline", Capability: "cicd", Failed: "own"}}
	c := p.connect()
	if s := c.Streams(); len(s) != 3 || s[2].Every != time.Minute {
		t.Errorf("streams are %+v, want the checks soon after the catalogue was read", s)
	}
	_, _ = read(t, c, source.Catalogue, "", now)
	p.results = map[string]map[string]any{
		"component:default/svc-000": {"has-dashboard": true, "golden-pipeline": false, "other": true},
		"component:default/svc-119": {"has-dashboard": false, "golden-pipeline": 0.5},
		"component:default/gone":    {"has-dashboard": true},
	}
	got, _ := read(t, c, source.Checks, "", now)
	told, day := event.Telling{Source: "backstage", UpdatedAt: now}, at("2026-11-22T00:00:00Z")
	want := []event.Event{
		&event.CapabilityUse{Telling: told, Service: "acme/svc-000", Capability: "observability", ObservedAt: day, State: "golden", Evidence: "check has-dashboard passed for component:default/svc-000"},
		&event.CapabilityUse{Telling: told, Service: "acme/svc-000", Capability: "cicd", ObservedAt: day, State: "own", Evidence: "check golden-pipeline failed for component:default/svc-000"},
		&event.CapabilityUse{Telling: told, Service: "acme/svc-119", Capability: "observability", ObservedAt: day, State: "none", Evidence: "check has-dashboard failed for component:default/svc-119"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestCheckSaysWhatTheTokenMayRead(t *testing.T) {
	p := newPortal(t)
	fill(p)
	p.task("t1", "completed", "2026-11-22T10:00:00.000Z")
	access, err := p.connect().Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if access.Repositories != 3 || len(access.Things) != 2 || access.Things[1].Denied != "" || len(access.Examples) == 0 {
		t.Errorf("access is %+v", access)
	}
}

func TestARunWithAStatusThatIsNotKnownIsCountedAndToldWhenItHasAnother(t *testing.T) {
	p := newPortal(t)
	task := p.task("t1", "paused", "2026-11-22T10:00:00.000Z")
	p.task("t2", "open", "2026-11-22T10:01:00.000Z")
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
	want := map[string]source.Applied{"left out: a run with a status that is not known": {N: 1, Example: "t1: paused"}}
	if diff := gocmp.Diff(want, rules); diff != "" || !slices.Equal(told, []string{"t2 requested"}) {
		t.Errorf("told %q, counted (-want +got):\n%s", told, diff)
	}
	if told, rules, position = look(position); len(told) > 0 || len(rules) > 0 {
		t.Errorf("nothing has changed, told %q, counted %v", told, rules)
	}
	task["status"] = "completed"
	p.ended("t1", "completion", "2026-11-22T10:07:00.000Z", "completed")
	if told, _, _ = look(position); !slices.Equal(told, []string{"t1 ready"}) {
		t.Errorf("told %q, want t1 ready", told)
	}
}

func TestALineOfARunThatIsWrittenOtherwiseTakesNoOtherWithIt(t *testing.T) {
	p := newPortal(t)
	p.task("t1", "completed", "2026-11-22T10:00:00.000Z")
	p.events["t1"] = append(p.events["t1"], map[string]any{"id": "one", "type": 7, "createdAt": 1700000000, "body": "Beginning step"})
	p.ended("t1", "completion", "2026-11-22T10:07:00.000Z", "completed")
	got, _ := read(t, p.connect(), source.Requests, "", now)
	if r := only[*event.ProvisioningRequest](got); len(r) != 1 || !r[0].ReadyAt.Equal(at("2026-11-22T10:07:00.000Z")) {
		t.Errorf("told %+v, want it ready at 10:07", r)
	}
}
