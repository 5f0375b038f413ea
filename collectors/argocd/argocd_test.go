package argocd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors/argocd"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
)

const token = "argo-live-token"

func config() argocd.Config {
	cfg := argocd.DefaultConfig()
	cfg.WebhookTokens = []string{token}
	return cfg
}

func receiver(t testing.TB, cfg argocd.Config) *argocd.Receiver {
	t.Helper()
	r, err := argocd.NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(body []byte) hooktest.Request {
	return hooktest.Request{Header: http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}, Body: body}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

const ms = time.Millisecond

// jenkins is the application of the recorded notification: a chart, synced five times.
func jenkins() map[string]event.Event {
	const uid = "0b36312f-c7dc-4731-978c-8036a4414c78"
	known := map[string]event.Event{}
	for i, sync := range []struct{ version, started, deployed string }{
		{"0.9.0", "2022-06-06T12:02:02Z", "2022-06-06T12:02:02Z"},
		{"0.9.0", "2022-06-06T12:05:32Z", "2022-06-06T12:05:32Z"},
		{"0.10.0", "2022-06-06T12:19:48Z", "2022-06-06T12:19:48Z"},
		{"0.10.0", "2022-06-06T12:20:12Z", "2022-06-06T12:20:13Z"},
		{"0.11.0", "2022-06-06T12:36:12Z", "2022-06-06T12:36:12Z"},
	} {
		d := &event.Deployment{
			Telling: event.Telling{Source: "argocd", UpdatedAt: at(sync.deployed).Add(-2 * ms)},
			Service: "jenkins", ID: fmt.Sprintf("argocd:%s:%d:%s", uid, i, sync.deployed), Attempt: 1, Environment: "ci-cd",
			Status: "succeeded", StartedAt: at(sync.started), FinishedAt: at(sync.deployed), Version: sync.version, Tool: "argocd",
		}
		if i == 4 {
			d.UpdatedAt, d.Images = at(sync.deployed), []string{"jfrog.it-academy.by/public/jenkins-ci:inemkovich"}
		}
		known["deployment jenkins "+d.ID+" 1"] = d
	}
	return known
}

func TestTheRecordedNotificationTellsEachSyncOfAChart(t *testing.T) {
	body, err := os.ReadFile(sharedtest.Path(t, "payloads", "argocd", "notification", "001.body"))
	if err != nil {
		t.Fatal(err)
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{}, request(body))
	if diff := cmp.Diff(jenkins(), known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	hooktest.Refuses(t, receiver(t, config()), body, time.Time{}, map[string]http.Header{
		"no token": {}, "another": {"Authorization": {"Bearer x"}}, "in another way": {"Authorization": {"Basic " + token}},
	})
}

// app is an application as a story tells it; set changes its status.
func app(set ...func(*argocd.Application)) *argocd.Application {
	a := &argocd.Application{}
	a.Metadata.Name, a.Metadata.Namespace, a.Metadata.UID = "shop", "argocd", "u1"
	a.Spec.Project = "default"
	a.Spec.Destination = argocd.Destination{Name: "prod-eu", Namespace: "shop"}
	a.Spec.Source = &argocd.Source{RepoURL: "https://github.com/acme/deploy.git", Path: "shop", TargetRevision: "main"}
	for _, s := range set {
		s(a)
	}
	return a
}

func minute(n int) string {
	return at("2026-02-01T10:00:00Z").Add(time.Duration(n) * time.Minute).Format(time.RFC3339)
}

func sha(n int) string { return fmt.Sprintf("%040x", 0xabc000+n) }

// synced adds a full sync of a revision, begun in a minute and ended in the next.
func synced(n int, id int64, revision string) func(*argocd.Application) {
	return func(a *argocd.Application) {
		a.Status.History = append(a.Status.History, argocd.History{
			ID: id, Revision: revision, DeployStartedAt: minute(n), DeployedAt: minute(n + 1), Source: a.Spec.Source, Sources: a.Spec.Sources,
		})
		operation("Succeeded", n, revision)(a)
	}
}

func operation(phase string, n int, revision string) func(*argocd.Application) {
	return func(a *argocd.Application) {
		op := &argocd.OperationState{Phase: phase, StartedAt: minute(n), FinishedAt: minute(n + 1)}
		if phase == "Running" {
			op.FinishedAt = ""
		}
		must(json.Unmarshal(fmt.Appendf(nil, `{"operation":{"initiatedBy":{"username":"ada"},"sync":{"revision":%q}},"syncResult":{"revision":%q}}`, revision, revision), op))
		op.SyncResult.Source, op.SyncResult.Sources = a.Spec.Source, a.Spec.Sources
		a.Status.OperationState = op
		a.Status.Health.Status = "Progressing"
		a.Status.Summary.Images = nil
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// healthy is the application once it is compared with the cluster, in a minute.
func healthy(n int, images ...string) func(*argocd.Application) {
	return func(a *argocd.Application) {
		a.Status.Health.Status, a.Status.Summary.Images, a.Status.ReconciledAt = "Healthy", images, minute(n)
	}
}

// notify is the application as our template sends it.
func notify(a *argocd.Application) hooktest.Request {
	body, err := json.Marshal(map[string]any{
		"app": a.Metadata.Name, "namespace": a.Metadata.Namespace, "uid": a.Metadata.UID, "project": a.Spec.Project,
		"labels": a.Metadata.Labels, "annotations": a.Metadata.Annotations, "destination": a.Spec.Destination, "source": a.Spec.Source, "sources": a.Spec.Sources,
		"operationState": a.Status.OperationState, "history": a.Status.History, "health": a.Status.Health, "images": a.Status.Summary.Images,
		"reconciledAt": a.Status.ReconciledAt,
	})
	must(err)
	return request(body)
}

// only is the fact that alone is told.
func only(t *testing.T, facts []event.Event) *event.Deployment {
	t.Helper()
	if len(facts) != 1 {
		t.Fatalf("%d facts are told, want one: %s", len(facts), hooktest.Tellings(facts))
	}
	return facts[0].(*event.Deployment)
}

func told(t *testing.T, cfg argocd.Config, a *argocd.Application) []event.Event {
	t.Helper()
	return hooktest.Facts(t, receiver(t, cfg), notify(a), time.Time{})
}

func TestASyncIsTheSameDeploymentFromItsEndToItsPlaceInHistory(t *testing.T) {
	one := synced(0, 7, sha(1))
	fresh := app(one)
	running := app(one, healthy(3, "ghcr.io/acme/shop:v1", "ghcr.io/acme/shop:v1"))
	later := app(one, synced(10, 8, sha(2)))
	want := event.Deployment{
		Telling: event.Telling{Source: "argocd", UpdatedAt: at(minute(1))},
		Service: "shop", ID: "argocd:u1:7:" + minute(1), Attempt: 1, Environment: "prod-eu/shop", Target: "prod-eu", Status: "succeeded",
		StartedAt: at(minute(0)), FinishedAt: at(minute(1)), Tool: "argocd", Actor: "ada",
		Revisions: []event.Revision{{Repository: "acme/deploy", SHA: sha(1), Role: "config"}}, Images: []string{"ghcr.io/acme/shop:v1"},
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{}, notify(fresh), notify(running), notify(later))
	if diff := cmp.Diff(&want, known["deployment shop "+want.ID+" 1"].(*event.Deployment)); diff != "" || len(known) != 2 {
		t.Errorf("%d deployments (-want +got):\n%s", len(known), diff)
	}
	// Images of before: the comparison with the cluster is older than the sync, or old ones still run.
	for name, a := range map[string]*argocd.Application{"stale": app(one, healthy(0, "old")), "progressing": app(one, healthy(3, "old"), func(a *argocd.Application) { a.Status.Health.Status = "Progressing" })} {
		if d := only(t, told(t, config(), a)); d.Images != nil || !d.UpdatedAt.Equal(at(minute(1)).Add(-ms)) {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestAFailedSyncIsAFailedDeployment(t *testing.T) {
	for _, phase := range []string{"Failed", "Error"} {
		facts := told(t, config(), app(synced(0, 1, sha(1)), operation(phase, 5, sha(2)), healthy(9, "ghcr.io/acme/shop:v1")))
		want := &event.Deployment{
			Telling: event.Telling{Source: "argocd", UpdatedAt: at(minute(6)).Add(-ms)},
			Service: "shop", ID: "argocd:u1:failed:" + minute(5), Attempt: 1, Environment: "prod-eu/shop", Target: "prod-eu", Status: "failed",
			StartedAt: at(minute(5)), FinishedAt: at(minute(6)), Tool: "argocd", Actor: "ada",
			Revisions: []event.Revision{{Repository: "acme/deploy", SHA: sha(2), Role: "config"}},
		}
		if len(facts) != 2 || cmp.Diff(want, facts[1].(*event.Deployment)) != "" {
			t.Errorf("%s (-want +got):\n%s", phase, cmp.Diff(want, facts[len(facts)-1].(*event.Deployment)))
		}
	}
	heard, err := hooktest.Receive(t, receiver(t, config()), notify(app(operation("Running", 5, sha(2)))), time.Time{})
	if err != nil || heard.Ignored == "" {
		t.Errorf("running: %v, %v", heard, err)
	}
}

func TestATemplateThatSendsTheWholeApplicationTellsTheSame(t *testing.T) {
	a := app(synced(0, 7, sha(1)), healthy(3, "ghcr.io/acme/shop:v1"))
	want := told(t, config(), a)
	whole, err := json.Marshal(a)
	must(err)
	for name, body := range map[string]string{"alone": string(whole), "as app": `{"app":` + string(whole) + `}`} {
		heard, err := hooktest.Receive(t, receiver(t, config()), request([]byte(body)), time.Time{})
		if err != nil || len(heard.Facts) == 0 {
			t.Fatalf("%s: %v, %v", name, heard, err)
		}
		if diff := cmp.Diff(want, heard.Facts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if d := receiver(t, config()).Describe(http.Header{}, []byte(body)); d.Event != "sync.succeeded" {
			t.Errorf("%s: it is described as %q", name, d.Event)
		}
	}
}

func TestASyncOfAPartIsToldThoughNoHistoryKeepsIt(t *testing.T) {
	selective := func(a *argocd.Application) {
		a.Status.OperationState.Operation.Sync.Resources = []json.RawMessage{[]byte(`{"kind":"Deployment","name":"shop"}`)}
	}
	facts := told(t, config(), app(synced(0, 1, sha(1)), operation("Succeeded", 5, sha(2)), selective, healthy(9, "ghcr.io/acme/shop:v2")))
	if len(facts) != 2 {
		t.Fatal(hooktest.Tellings(facts))
	}
	full, part := facts[0].(*event.Deployment), facts[1].(*event.Deployment)
	if part.ID != "argocd:u1:sync:"+minute(5) || part.Status != "succeeded" || part.Revisions[0].SHA != sha(2) || part.Images[0] != "ghcr.io/acme/shop:v2" || full.Images != nil {
		t.Error(hooktest.Tellings(facts))
	}
	// An application that keeps no history has its syncs told all the same; a dry run is none.
	a := app(synced(5, 1, sha(1)))
	a.Status.History = nil
	if d := only(t, told(t, config(), a)); d.ID != "argocd:u1:sync:"+minute(5) {
		t.Error(d)
	}
	a.Status.OperationState.Operation.Sync.DryRun = true
	if heard, err := hooktest.Receive(t, receiver(t, config()), notify(a), time.Time{}); err != nil || heard.Ignored == "" {
		t.Errorf("dry run: %v, %v", heard, err)
	}
}

func TestAnApplicationThatIsMadeAnewIsAnother(t *testing.T) {
	again := app(synced(0, 0, sha(1)))
	again.Metadata.UID = "u2"
	first, second := only(t, told(t, config(), app(synced(0, 0, sha(1))))), only(t, told(t, config(), again))
	if first.ID == second.ID {
		t.Errorf("both are %s", first.ID)
	}
	// Ids repeat within one, too.
	if facts := hooktest.Known(told(t, config(), app(synced(0, 0, sha(1)), synced(5, 0, sha(1))))); len(facts) != 2 {
		t.Errorf("%d deployments", len(facts))
	}
}

func TestEverySourceIsTold(t *testing.T) {
	const sum = "sha256:9b1d3cbb2a1f4f1d9f3d0f6f5f6b2a0e8f1c7a5d4b3e2f1a0c9d8e7f6a5b4c3d"
	deploy := argocd.Source{RepoURL: "https://github.com/acme/deploy", Path: "shop"}
	shop := argocd.Source{RepoURL: "git@github.com:acme/shop.git", Path: "manifests", TargetRevision: "v1.4.2"}
	chart := argocd.Source{RepoURL: "https://charts.acme.com", Chart: "web", TargetRevision: "1.*"}
	other := argocd.Source{RepoURL: "https://charts.acme.com", Chart: "cache", TargetRevision: "*"}
	artifact := argocd.Source{RepoURL: "oci://images.acme.com/shop", TargetRevision: "1.0.0"}
	config, own := event.Revision{Repository: "acme/deploy", SHA: sha(1), Role: "config"}, event.Revision{Repository: "acme/shop", SHA: sha(2), Role: "source"}
	for _, c := range []struct {
		name      string
		sources   []argocd.Source
		revisions []string
		want      event.Deployment
		digest    bool
	}{
		{"two repositories", []argocd.Source{deploy, shop}, []string{sha(1), sha(2)}, event.Deployment{Revisions: []event.Revision{config, own}, Version: "v1.4.2"}, false},
		{"one twice", []argocd.Source{deploy, deploy}, []string{sha(1), sha(1)}, event.Deployment{Revisions: []event.Revision{config}}, false},
		{"a chart with values from a repository", []argocd.Source{chart, deploy}, []string{"1.2.0", sha(1)}, event.Deployment{Revisions: []event.Revision{config}, Version: "1.2.0"}, true},
		{"two charts", []argocd.Source{chart, other}, []string{"1.2.0", "0.3.1"}, event.Deployment{Version: "web 1.2.0, cache 0.3.1"}, true},
		{"an artifact", []argocd.Source{artifact}, []string{sum}, event.Deployment{Version: "1.0.0", Artifact: sum}, false},
		{"a revision that is missing", []argocd.Source{deploy, shop}, []string{"", sha(2)}, event.Deployment{Revisions: []event.Revision{own}, Version: "v1.4.2"}, false},
	} {
		cfg := configOwn()
		a := app(func(a *argocd.Application) { a.Spec.Source, a.Spec.Sources = nil, c.sources }, synced(0, 1, ""))
		a.Status.History[0].Revisions = c.revisions
		got := only(t, told(t, cfg, a))
		if strings.HasPrefix(got.Artifact, "argocd:sha256:") != c.digest {
			t.Errorf("%s: artifact is %q", c.name, got.Artifact)
		}
		if c.digest {
			got.Artifact = ""
		}
		if diff := cmp.Diff(c.want, event.Deployment{Revisions: got.Revisions, Version: got.Version, Artifact: got.Artifact}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	a := app(synced(0, 1, sha(1)))
	a.Metadata.Annotations = map[string]string{argocd.AnnotationSource: "acme/x, acme/deploy"}
	if d := only(t, told(t, configOwn(), a)); d.Revisions[0].Role != "source" {
		t.Errorf("annotated: %v", d.Revisions)
	}
}

func configOwn() argocd.Config {
	cfg := config()
	cfg.SourceRepositories = []string{"acme/shop"}
	return cfg
}

func TestASettingOfTheApplicationIsPartOfTheVersion(t *testing.T) {
	of := func(set string) *event.Deployment {
		return only(t, told(t, config(), app(func(a *argocd.Application) { must(json.Unmarshal([]byte(set), a.Spec.Source)) }, synced(0, 1, sha(1)))))
	}
	plain, files := of(`{}`), of(`{"helm":{"valueFiles":["values.yaml"],"parameters":[]}}`)
	one, same, two := of(`{"helm":{"parameters":[{"name":"image.tag","value":"v1"}]}}`), of(`{"helm":{"parameters":[{"value":"v1","name":"image.tag"}]}}`), of(`{"helm":{"parameters":[{"name":"image.tag","value":"v2"}]}}`)
	if plain.Artifact+files.Artifact != "" || one.Artifact == "" || one.Artifact != same.Artifact || one.Artifact == two.Artifact {
		t.Errorf("artifacts %q, %q, %q, %q, %q", plain.Artifact, files.Artifact, one.Artifact, same.Artifact, two.Artifact)
	}
	set := of(`{"kustomize":{"images":["shop=ghcr.io/acme/shop:v2","ghcr.io/acme/web:v3","renamed=elsewhere"]}}`)
	if diff := cmp.Diff([]string{"ghcr.io/acme/shop:v2", "ghcr.io/acme/web:v3"}, set.Images); diff != "" || set.Artifact == "" {
		t.Error(diff, set.Artifact)
	}
}

func TestApplicationsAreNamedByLabelsRulesAndTheirNames(t *testing.T) {
	cfg := config()
	cfg.URL = "https://argocd.acme.com/"
	cfg.Projects = []string{"default"}
	cfg.Services = []rules.ServiceName{{Match: "*-prod", Service: "{1}"}, {Match: "argocd/root", Service: "none"}}
	cfg.Environments = []rules.EnvironmentName{{Match: "*-prod", Environment: "production"}, {Match: "in-cluster/tools", Environment: "tools"}, {Match: "*/scratch", Environment: "none"}}
	for _, c := range []struct {
		change               func(*argocd.Application)
		service, environment string
	}{
		{func(a *argocd.Application) {}, "shop", "prod-eu/shop"},
		{func(a *argocd.Application) { a.Metadata.Name = "web-prod" }, "web", "production"},
		{func(a *argocd.Application) {
			a.Metadata.Labels = map[string]string{"app.kubernetes.io/part-of": "store", "env": "live"}
		}, "store", "live"},
		{func(a *argocd.Application) {
			a.Metadata.Annotations = map[string]string{argocd.AnnotationService: "s", argocd.AnnotationEnvironment: "e"}
		}, "s", "e"},
		{func(a *argocd.Application) {
			a.Spec.Destination = argocd.Destination{Server: "https://kubernetes.default.svc", Namespace: "tools"}
		}, "shop", "tools"},
		{func(a *argocd.Application) {
			a.Spec.Destination = argocd.Destination{Server: "https://10.0.0.1:6443", Namespace: "web"}
		}, "shop", "10.0.0.1/web"},
		{func(a *argocd.Application) { a.Metadata.Name = "root" }, "", ""},
		{func(a *argocd.Application) { a.Spec.Destination.Namespace = "scratch" }, "", ""},
		{func(a *argocd.Application) { a.Spec.Project = "other" }, "", ""},
	} {
		a := app(synced(0, 1, sha(1)))
		c.change(a)
		heard, err := hooktest.Receive(t, receiver(t, cfg), notify(a), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if c.service == "" {
			if heard.Ignored == "" {
				t.Errorf("%s is told", a.Metadata.Name)
			}
			continue
		}
		if d := only(t, heard.Facts); d.Service != c.service || d.Environment != c.environment || d.URL != "https://argocd.acme.com/applications/argocd/"+a.Metadata.Name {
			t.Errorf("got %s in %s at %s, want %s in %s", d.Service, d.Environment, d.URL, c.service, c.environment)
		}
	}
}

// Any history of an application, seen at any moments in any order, ends in the same facts.
func TestEveryOrderOfNotificationsEndsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, seen := app(), []hooktest.Request{}
		for n := range rapid.IntRange(1, 6).Draw(rt, "syncs") {
			revision := sha(rapid.IntRange(1, 3).Draw(rt, "revision"))
			switch rapid.IntRange(0, 3).Draw(rt, "end") {
			case 0:
				operation("Failed", 10*n, revision)(a)
			case 1:
				operation("Succeeded", 10*n, revision)(a)
				a.Status.OperationState.Operation.Sync.Resources = []json.RawMessage{[]byte(`{}`)}
			default:
				synced(10*n, int64(n), revision)(a)
			}
			seen = append(seen, notify(a))
			healthy(10*n+5, "ghcr.io/acme/shop:"+revision[35:])(a)
			if rapid.Bool().Draw(rt, "healthy is sent") {
				seen = append(seen, notify(a))
			}
			if len(a.Status.History) > 2 {
				a.Status.History = a.Status.History[1:]
			}
		}
		r := receiver(t, config())
		var facts []event.Event
		for _, q := range seen {
			facts = append(facts, hooktest.Facts(t, r, q, time.Time{})...)
		}
		want := hooktest.Known(facts)
		for range 3 {
			if diff := cmp.Diff(want, hooktest.Known(append(rapid.Permutation(facts).Draw(rt, "order"), facts[0]))); diff != "" {
				rt.Errorf("(-in order +otherwise):\n%s", diff)
			}
		}
	})
}

func TestWhatCannotBeUnderstoodIsInvalid(t *testing.T) {
	r := receiver(t, config())
	ended := func(history, operation string) string {
		return `{"app":"a","uid":"u","destination":{"namespace":"n"},"history":` + history + `,"operationState":` + operation + `}`
	}
	hooktest.Misunderstands(t, r, http.Header{}, "", "[]", "{}", `{"app":"a"}`, `{"uid":"u"}`, "{{toJson .app}}",
		ended(`[{"id":1}]`, `null`), ended(`[{"id":1,"deployedAt":"yesterday"}]`, `null`), ended(`[{"id":1,"deployedAt":"2026-02-01T10:00:00Z","deployStartedAt":"x"}]`, `null`),
		ended(`[]`, `{"phase":"Failed"}`), ended(`[]`, `{"phase":"Failed","startedAt":"x","finishedAt":"2026-02-01T10:00:00Z"}`), ended(`[{"id":"one"}]`, `null`),
		`{"app":"`+strings.Repeat("a", 5000)+`","uid":"u","destination":{"namespace":"n"},"history":[{"id":1,"deployedAt":"2026-02-01T10:00:00Z"}]}`)
	// Nothing but what is known is needed.
	heard, err := r.Hear(r.Describe(http.Header{}, []byte(ended(`[{"id":1,"deployedAt":"2026-02-01T10:00:00Z"}]`, `null`))))
	if err != nil || len(heard.Facts) != 1 {
		t.Errorf("%v, %v", heard, err)
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for part, change := range map[string]func(*argocd.Config){
		"name":                func(c *argocd.Config) { c.Name = "A B" },
		"neither token nor":   func(c *argocd.Config) { c.WebhookTokens = nil },
		"no url":              func(c *argocd.Config) { c.Token = "t" },
		"url is":              func(c *argocd.Config) { c.URL = "argocd.acme.com" },
		"white space":         func(c *argocd.Config) { c.Token, c.URL = "a b", "https://a" },
		"every is":            func(c *argocd.Config) { c.Every = time.Second },
		"services[0].match":   func(c *argocd.Config) { c.Services = []rules.ServiceName{{Match: "/(/", Service: "x"}} },
		"source_repositories": func(c *argocd.Config) { c.SourceRepositories = []string{"/(/"} },
		"webhooks need a":     func(c *argocd.Config) { c.WebhookTokens, c.Token, c.URL = nil, "t", "https://a" },
	} {
		cfg := config()
		change(&cfg)
		if _, err := argocd.NewReceiver(cfg); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), part) {
			t.Errorf("want %q named, got %v", part, err)
		}
	}
}

func TestTheRecordedApplicationOfAGitRepository(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "argocd", "PUBLIC-forkmain-git-app.json"))
	if err != nil {
		t.Fatal(err)
	}
	// It has no metadata, and calls its spec otherwise.
	a := app()
	must(json.Unmarshal(bytes.Replace(text, []byte(`"space"`), []byte(`"spec"`), 1), a))
	a.Spec.Destination.Name = ""
	n, err := gitops.New(gitops.Config{})
	if err != nil {
		t.Fatal(err)
	}
	facts, err := argocd.Deployments(a, argocd.NameBy(n, a))
	if err != nil {
		t.Fatal(err)
	}
	want := &event.Deployment{
		Telling: event.Telling{UpdatedAt: at("2022-08-04T04:19:10Z")},
		Service: "shop", ID: "argocd:u1:76:2022-08-04T04:19:10Z", Attempt: 1, Environment: "forkmain-main", Status: "succeeded",
		StartedAt: at("2022-08-04T04:19:08Z"), FinishedAt: at("2022-08-04T04:19:10Z"), Tool: "argocd",
		Revisions: []event.Revision{{Repository: "h8r-dev/forkmain-deploy", SHA: "6d0e0a958086f0c6330b9335176359cb63476af7", Role: "config"}},
		Images:    []string{"docker.io/bitnami/postgresql:14.4.0-debian-11-r11", "ghcr.io/h8r-dev/heighliner-cloud-backend:54ea6ca", "ghcr.io/h8r-dev/heighliner-cloud-frontend:main"},
	}
	if diff := cmp.Diff(want, only(t, facts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzHear(f *testing.F) {
	f.Add(notify(app(synced(0, 1, sha(1)), healthy(3, "ghcr.io/acme/shop:v1"))).Body)
	f.Add(notify(app(operation("Failed", 5, sha(2)))).Body)
	f.Add([]byte(`{"app":"a","uid":"u","sources":[{"chart":"c"},{"helm":{"parameters":[{}]}}],"history":[{"id":1,"deployedAt":"2026-02-01T10:00:00Z","revisions":["1",""]}]}`))
	r := receiver(f, config())
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
