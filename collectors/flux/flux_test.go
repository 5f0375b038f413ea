package flux_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors/flux"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
)

const secret = "flux-live-secret-01"

func config(change ...func(*flux.Config)) flux.Config {
	cfg := flux.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

func receiver(t testing.TB, cfg flux.Config) *flux.Receiver {
	t.Helper()
	r, err := flux.NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func translator(t testing.TB, cfg flux.Config) *flux.Translator {
	t.Helper()
	tr, err := flux.NewTranslator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"X-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "Gotk-Component": {"kustomize-controller"}}, Body: []byte(body)}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// told is when a deployment of an instant is told: the earlier instant later.
func told(text string) time.Time {
	return time.UnixMilli(at("2070-01-01T00:00:00Z").UnixMilli() - at(text).UnixMilli()).UTC()
}

// recorded reads a delivery of the real server, with the headers that it came with.
func recorded(t *testing.T, name string) hooktest.Request {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "flux", "generic-hmac", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var delivery struct {
		Headers map[string]string
		Body    string
	}
	if err := json.Unmarshal(text, &delivery); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for key, value := range delivery.Headers {
		h.Set(key, value)
	}
	return hooktest.Request{Header: h, Body: []byte(delivery.Body)}
}

func TestTheRecordedEvents(t *testing.T) {
	var all []hooktest.Request
	for _, name := range []string{"001", "003", "005"} {
		all = append(all, recorded(t, name))
	}
	const webapp = "flux:eu-1:7d0cdc51-ddcf-4743-b223-83ca5c699632:731f7eaddfb6af01cb2173e18f0f75b0ba780ef1:"
	want := map[string]event.Event{}
	for _, d := range []*event.Deployment{
		{
			Telling: event.Telling{UpdatedAt: told("2022-10-28T07:26:19Z")}, Service: "webapp", ID: webapp + "failed", Attempt: 1, Status: "failed",
			FinishedAt: at("2022-10-28T07:26:19Z"), Version: "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1",
		},
		{
			Telling: event.Telling{UpdatedAt: told("2026-11-22T10:00:02Z")}, Service: "webapp", ID: webapp + "deployed", Attempt: 1, Status: "succeeded",
			FinishedAt: at("2026-11-22T10:00:02Z"), Version: "0000aaaa0000aaaa0000aaaa0000aaaa0000aaaa",
		},
		{
			Telling: event.Telling{UpdatedAt: told("2026-11-22T10:06:00Z")}, Service: "podinfo", ID: "flux:eu-1:5ac1-1:6.5.4:deployed", Attempt: 3, Status: "succeeded",
			FinishedAt: at("2026-11-22T10:06:00Z"), Version: "6.5.4",
		},
	} {
		d.Source, d.Environment, d.Target, d.Tool = "flux", "production", "eu-1", "flux"
		want[fmt.Sprintf("deployment %s %s %d", d.Service, d.ID, d.Attempt)] = d
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{}, all...)
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Where the repositories are known, both commits are told, each with its role.
	r := receiver(t, config(func(c *flux.Config) {
		c.Repositories = []rules.RepositoryName{{Match: "apps/*", Repository: "acme/fleet"}}
		c.SourceRepositories = []rules.RepositoryName{{Match: "*", Repository: "acme/{1}"}}
	}))
	got := hooktest.Facts(t, r, all[1], time.Time{})[0].(*event.Deployment)
	revisions := []event.Revision{
		{Repository: "acme/webapp", SHA: "0000aaaa0000aaaa0000aaaa0000aaaa0000aaaa", Role: "source", Rule: "origin_revision"},
		{Repository: "acme/fleet", SHA: "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1", Role: "config"},
	}
	if diff := cmp.Diff(revisions, got.Revisions); diff != "" || got.Version != "" {
		t.Errorf("version %q (-want +got):\n%s", got.Version, diff)
	}

	hooktest.Refuses(t, r, append(all[1].Body, ' '), time.Time{}, map[string]http.Header{"changed": all[1].Header})
	other := signed(string(all[1].Body))
	other.Header.Set("X-Signature", "sha512"+strings.TrimPrefix(other.Header.Get("X-Signature"), "sha256"))
	hooktest.Refuses(t, r, all[1].Body, time.Time{}, map[string]http.Header{"unsigned": {}, "of another": recorded(t, "001").Header, "in another way": other.Header})
}

// happened is an event about an object, in a minute of an hour.
type happened struct {
	kind, name, uid string
	minute          int
	reason, message string
	metadata        map[string]string
}

func minute(n int) string {
	return at("2026-02-01T10:00:00Z").Add(time.Duration(n) * time.Minute).Format(time.RFC3339)
}

func (h happened) request() hooktest.Request {
	if h.kind == "" {
		h.kind, h.name = "Kustomization", "shop"
	}
	if h.uid == "" {
		h.uid = "u1"
	}
	body, err := json.Marshal(map[string]any{
		"involvedObject": map[string]string{"kind": h.kind, "namespace": "apps", "name": h.name, "uid": h.uid, "apiVersion": "kustomize.toolkit.fluxcd.io/v1"},
		"severity":       "info", "timestamp": minute(h.minute), "message": h.message, "reason": h.reason, "metadata": h.metadata, "reportingController": "kustomize-controller",
	})
	if err != nil {
		panic(err)
	}
	return signed(string(body))
}

func sha(n int) string { return fmt.Sprintf("%040x", 0xabc000+n) }

func applied(minute, revision int) hooktest.Request {
	return happened{minute: minute, reason: "Progressing", message: "Deployment/apps/shop configured\nService/apps/shop created",
		metadata: map[string]string{"revision": "main@sha1:" + sha(revision), "cluster": "eu-1", "env": "production"}}.request()
}

func finished(minute, revision int) hooktest.Request {
	return happened{minute: minute, reason: "ReconciliationSucceeded", message: fmt.Sprintf("Reconciliation finished in %ds, next run in 10m0s", minute),
		metadata: map[string]string{"revision": "main@sha1:" + sha(revision), "cluster": "eu-1", "env": "production", "commit_status": "update"}}.request()
}

// deployments are those that are known at the end, as "revision attempt status minute".
func deployments(known map[string]event.Event) map[string]int {
	all := map[string]int{}
	for _, e := range known {
		d := e.(*event.Deployment)
		all[fmt.Sprintf("%s %s %d", d.Status, strings.TrimPrefix(strings.Split(d.ID, ":")[3], "0000000000000000000000000000000000"), d.Attempt)] = int(d.FinishedAt.Sub(at(minute(0))).Minutes())
	}
	return all
}

func failing(minute, revision int) hooktest.Request {
	return happened{minute: minute, reason: "HealthCheckFailed", message: fmt.Sprintf("health check failed after %dm", minute),
		metadata: map[string]string{"revision": "main@sha1:" + sha(revision), "cluster": "eu-1", "env": "production"}}.request()
}

// inOrder are the facts that are known when events come as they happened.
func inOrder(t *testing.T, story ...hooktest.Request) map[string]event.Event {
	t.Helper()
	r := receiver(t, config())
	var facts []event.Event
	for _, q := range story {
		heard, err := hooktest.Receive(t, r, q, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, heard.Facts...)
	}
	return hooktest.Known(facts)
}

func TestAReconciliationCountsWhenItChangedSomething(t *testing.T) {
	for name, c := range map[string]struct {
		story []hooktest.Request
		want  map[string]int
	}{
		"a deployment, and a look every ten minutes": {[]hooktest.Request{applied(0, 1), finished(1, 1), finished(11, 1), finished(21, 1)}, map[string]int{"succeeded abc001 1": 1}},
		"a commit that left this part as it was":     {[]hooktest.Request{applied(0, 1), finished(1, 1), finished(11, 2), finished(21, 3)}, map[string]int{"succeeded abc001 1": 1}},
		"drift":                                      {[]hooktest.Request{applied(0, 1), finished(1, 1), applied(10, 1), finished(11, 1), finished(20, 2), applied(30, 2), finished(31, 2)}, map[string]int{"succeeded abc001 1": 1}},
		"a failure that goes on":                     {[]hooktest.Request{applied(0, 1), finished(1, 1), applied(10, 2), failing(11, 2), failing(21, 2)}, map[string]int{"succeeded abc001 1": 1, "failed abc002 1": 11}},
		"a failure that passes":                      {[]hooktest.Request{applied(0, 1), failing(1, 1), finished(11, 1)}, map[string]int{"failed abc001 1": 1, "succeeded abc001 1": 11}},
		"back to what was before":                    {[]hooktest.Request{applied(0, 1), finished(1, 1), applied(10, 2), finished(11, 2), applied(20, 1), finished(21, 1), finished(31, 1)}, map[string]int{"succeeded abc001 1": 1, "succeeded abc002 1": 11, "succeeded abc001 2": 21}},
		"what is said of it elsewhere":               {[]hooktest.Request{applied(0, 1), succeeding(1, 1), finished(1, 1), finished(11, 1)}, map[string]int{"succeeded abc001 1": 1}},
	} {
		if diff := cmp.Diff(c.want, deployments(inOrder(t, c.story...))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// What is heard every ten minutes for days pushes nothing out of memory.
	story := []hooktest.Request{applied(0, 1), finished(1, 1), applied(2, 2), finished(3, 2)}
	for n := range 500 {
		story = append(story, finished(10*n+10, 2))
	}
	story = append(story, applied(6000, 1), finished(6001, 1))
	if diff := cmp.Diff(map[string]int{"succeeded abc001 1": 1, "succeeded abc002 1": 3, "succeeded abc001 2": 6001}, deployments(inOrder(t, story...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func succeeding(minute, revision int) hooktest.Request {
	return happened{minute: minute, reason: "ReconciliationSucceeded", message: "Reconciliation finished", metadata: map[string]string{"revision": "main@sha1:" + sha(revision), "cluster": "eu-1", "env": "production"}}.request()
}

// After a restart a repetition is taken for a deployment. It is the one that is known, which was earlier.
func TestARestartMovesNoDeployment(t *testing.T) {
	before, after := inOrder(t, applied(0, 1), finished(1, 1)), inOrder(t, applied(20, 1), finished(21, 1))
	var facts []event.Event
	for _, known := range []map[string]event.Event{before, after} {
		for _, e := range known {
			facts = append(facts, e)
		}
	}
	if diff := cmp.Diff(before, hooktest.Known(facts)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func success(minute, revision int) hooktest.Request {
	return happened{minute: minute, reason: "ReconciliationSucceeded", message: "done", metadata: map[string]string{"revision": "6.1.0@sha256:" + strings.Repeat(fmt.Sprint(revision), 64)}}.request()
}

func TestARevisionThatComesBackIsDeployedAgain(t *testing.T) {
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{},
		success(0, 1), success(5, 1), success(10, 2), success(20, 1), success(25, 1), success(30, 2), success(40, 1))
	got := map[string]int{}
	for _, e := range known {
		d := e.(*event.Deployment)
		got[fmt.Sprintf("%c %d", d.Artifact[7], d.Attempt)] = int(d.FinishedAt.Sub(at(minute(0))).Minutes())
	}
	if diff := cmp.Diff(map[string]int{"1 1": 0, "2 1": 10, "1 2": 20, "2 2": 30, "1 3": 40}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func helm(minute int, reason, message string, metadata map[string]string) hooktest.Request {
	return happened{kind: "HelmRelease", name: "podinfo", minute: minute, reason: reason, message: message, metadata: metadata}.request()
}

func TestHelmReleasesGoByTheNumberOfTheRelease(t *testing.T) {
	chart := func(version string) map[string]string { return map[string]string{"revision": version} }
	succeeded := func(minute, n int, version string) hooktest.Request {
		return helm(minute, "UpgradeSucceeded", fmt.Sprintf("Helm upgrade succeeded for release apps/podinfo.v%d with chart podinfo@%s", n, version), chart(version))
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{},
		succeeded(0, 1, "6.5.4"), succeeded(10, 2, "6.5.5"), succeeded(20, 3, "6.5.4"), succeeded(21, 3, "6.5.4"),
		helm(30, "UpgradeFailed", "Helm upgrade failed for release apps/podinfo with chart podinfo@6.6.0: timed out", chart("6.6.0")),
		helm(31, "RollbackSucceeded", "Helm rollback to previous release apps/podinfo.v3 with chart podinfo@6.5.4 succeeded", chart("6.5.4")))
	if diff := cmp.Diff(map[string]int{"succeeded 6.5.4 1": 0, "succeeded 6.5.5 2": 10, "succeeded 6.5.4 3": 31, "failed 6.6.0 1": 30}, deployments(known)); diff != "" && len(known) != 5 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rollbacks := 0
	for _, e := range known {
		if d := e.(*event.Deployment); d.Rollback {
			rollbacks++
			if d.ID != "flux::u1:6.5.4:rolled_back" || d.Version != "6.5.4" || d.FinishedAt != at(minute(31)) {
				t.Errorf("%+v", d)
			}
		}
	}
	if rollbacks != 1 || len(known) != 5 {
		t.Errorf("%d rollbacks of %d deployments", rollbacks, len(known))
	}
}

func TestEveryReasonHasItsOutcome(t *testing.T) {
	for reason, want := range map[string]string{
		"ReconciliationSucceeded": "succeeded", "InstallSucceeded": "succeeded", "UpgradeSucceeded": "succeeded", "RollbackSucceeded": "succeeded",
		"ReconciliationFailed": "failed", "HealthCheckFailed": "failed", "UpgradeFailed": "failed", "InstallFailed": "failed", "ValidationFailed": "failed",
		"BuildFailed": "failed", "PruneFailed": "failed", "TestFailed": "failed", "RollbackFailed": "failed",
		"Progressing": "", "DependencyNotReady": "", "ArtifactFailed": "", "DriftDetected": "", "TestSucceeded": "", "NewArtifact": "",
	} {
		heard, err := hooktest.Receive(t, receiver(t, config()), happened{reason: reason, metadata: map[string]string{"revision": sha(1)}}.request(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(heard.Facts) > 0 {
			got = heard.Facts[0].(*event.Deployment).Status
		}
		if got != want {
			t.Errorf("%s is %q, want %q (%s)", reason, got, want, heard.Ignored)
		}
	}
}

// Before Flux 2.2 the helm controller gave the severity for the reason of its events.
func TestAnOlderHelmControllerSaysInItsMessageWhatHappened(t *testing.T) {
	for _, c := range []struct{ reason, message, class, status string }{
		{"info", "Helm install succeeded", "deployed", "succeeded"},
		{"info", "Helm upgrade succeeded", "deployed", "succeeded"},
		{"error", "Helm upgrade failed: timed out waiting for the condition\n\nLast Helm logs:\n\n", "failed", "failed"},
		{"error", "Helm install failed: chart requires kubeVersion", "failed", "failed"},
		{"error", "Helm test failed: pod shop-test failed", "failed", "failed"},
		{"info", "Helm rollback succeeded", "rolled_back", "succeeded"},
		{"info", "Helm upgrade has started", "", ""},
		{"info", "Helm test succeeded", "", ""},
		{"info", "Helm uninstall succeeded", "", ""},
		{"error", "reconciliation failed: upgrade retries exhausted", "", ""},
		{"info", "HelmChart 'flux-system/apps-shop' is not ready", "", ""},
	} {
		facts := hooktest.Facts(t, receiver(t, config()), happened{kind: "HelmRelease", name: "shop", reason: c.reason, message: c.message, metadata: map[string]string{"revision": "6.1.0"}}.request(), time.Time{})
		if c.class == "" {
			if len(facts) > 0 {
				t.Errorf("%s: got %s", c.message, hooktest.Tellings(facts))
			}
			continue
		}
		if len(facts) != 1 {
			t.Errorf("%s: %d facts", c.message, len(facts))
			continue
		}
		if d := facts[0].(*event.Deployment); d.ID != "flux::u1:6.1.0:"+c.class || d.Status != c.status || d.Rollback != (c.class == "rolled_back") {
			t.Errorf("%s: got %s", c.message, hooktest.Tellings(facts))
		}
	}
	// A Kustomization has reasons of its own, whatever its message says.
	if heard, err := hooktest.Receive(t, receiver(t, config()), happened{reason: "info", message: "Helm upgrade succeeded", metadata: map[string]string{"revision": sha(1)}}.request(), time.Time{}); err != nil || heard.Ignored == "" {
		t.Errorf("got %v, %v", heard, err)
	}
}

func TestWhatAnEventCarries(t *testing.T) {
	const sum = "sha256:9b1d3cbb2a1f4f1d9f3d0f6f5f6b2a0e8f1c7a5d4b3e2f1a0c9d8e7f6a5b4c3d"
	cfg := config(func(c *flux.Config) {
		c.Repositories = []rules.RepositoryName{{Match: "apps/shop", Repository: "acme/shop"}, {Match: "*", Repository: "acme/fleet"}}
		c.SourceRepositories = []rules.RepositoryName{{Match: "shop", Repository: "acme/shop"}}
	})
	source := func(n int, rule string) event.Revision {
		return event.Revision{Repository: "acme/shop", SHA: sha(n), Role: "source", Rule: rule}
	}
	for name, c := range map[string]struct {
		object   string
		metadata map[string]string
		want     event.Deployment
	}{
		"the prefix of the controller": {"web", map[string]string{"kustomize.toolkit.fluxcd.io/revision": "main@sha1:" + sha(1)}, event.Deployment{Revisions: []event.Revision{{Repository: "acme/fleet", SHA: sha(1), Role: "config"}}}},
		"the older form":               {"web", map[string]string{"revision": "main/" + sha(1)}, event.Deployment{Revisions: []event.Revision{{Repository: "acme/fleet", SHA: sha(1), Role: "config"}}}},
		"a tag":                        {"web", map[string]string{"revision": "v1.2.0@sha1:" + sha(1)}, event.Deployment{Version: "v1.2.0", Revisions: []event.Revision{{Repository: "acme/fleet", SHA: sha(1), Role: "config"}}}},
		"an artifact":                  {"web", map[string]string{"revision": "latest@" + sum}, event.Deployment{Artifact: sum, Version: sum}},
		"an artifact with a version":   {"web", map[string]string{"revision": "6.1.0@" + sum}, event.Deployment{Artifact: sum, Version: "6.1.0"}},
		"a digest alone":               {"web", map[string]string{"revision": sum}, event.Deployment{Artifact: sum, Version: sum}},
		"its own repository":           {"shop", map[string]string{"revision": "main@sha1:" + sha(1)}, event.Deployment{Revisions: []event.Revision{{Repository: "acme/shop", SHA: sha(1), Role: "source"}}}},
		"where it is from":             {"shop", map[string]string{"revision": "latest@" + sum, "originRevision": "main@sha1:" + sha(2)}, event.Deployment{Artifact: sum, Revisions: []event.Revision{source(2, "origin_revision")}}},
		"a commit before that":         {"shop", map[string]string{"revision": "latest@" + sum, "originRevision": "main@sha1:" + sha(2), "commit": sha(3)}, event.Deployment{Artifact: sum, Revisions: []event.Revision{source(3, "commit")}}},
		"a repository that is named":   {"web", map[string]string{"revision": sha(1), "commit": sha(3), "repository": "https://git.acme.com/acme/web.git"}, event.Deployment{Revisions: []event.Revision{{Repository: "acme/web", SHA: sha(3), Role: "source", Rule: "commit"}, {Repository: "acme/fleet", SHA: sha(1), Role: "config"}}}},
		"an image":                     {"web", map[string]string{"helm.toolkit.fluxcd.io/revision": "6.5.4", "image": "ghcr.io/acme/web:v1.4.2", "oci-digest": sum}, event.Deployment{Version: "v1.4.2", Artifact: sum, Images: []string{"ghcr.io/acme/web:v1.4.2"}}},
		"images and a version":         {"web", map[string]string{"revision": "6.5.4", "images": "a:1, b:2", "version": "2026.2"}, event.Deployment{Version: "2026.2", Images: []string{"a:1", "b:2"}}},
	} {
		heard, err := hooktest.Receive(t, receiver(t, cfg), happened{kind: "HelmRelease", name: c.object, reason: "UpgradeSucceeded", metadata: c.metadata}.request(), time.Time{})
		if err != nil || len(heard.Facts) != 1 {
			t.Fatalf("%s: %v, %v", name, heard, err)
		}
		d := heard.Facts[0].(*event.Deployment)
		if diff := cmp.Diff(c.want, event.Deployment{Revisions: d.Revisions, Version: d.Version, Artifact: d.Artifact, Images: d.Images}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestObjectsAreNamedByMetadataAndRules(t *testing.T) {
	cfg := config(func(c *flux.Config) {
		c.Cluster, c.Environment = "home", "default-env"
		c.Services = []rules.ServiceName{{Match: "kustomization/*/infra", Service: "none"}, {Match: "*-app", Service: "{1}"}}
		c.Environments = []rules.EnvironmentName{{Match: "eu-*/apps", Environment: "production"}, {Match: "scratch", Environment: "none"}}
	})
	for _, c := range []struct {
		name, service, environment, target string
		metadata                           map[string]string
	}{
		{"shop", "shop", "default-env", "home", nil},
		{"shop-app", "shop", "production", "eu-1", map[string]string{"cluster": "eu-1"}},
		{"shop", "store", "live", "home", map[string]string{"service": "store", "env": "live"}},
		{"shop", "shop", "live", "home", map[string]string{"event.toolkit.fluxcd.io/environment": "live"}},
		{"infra", "", "", "", nil},
		{"shop", "", "", "", map[string]string{"env": "scratch"}},
	} {
		metadata := map[string]string{"revision": sha(1)}
		for k, v := range c.metadata {
			metadata[k] = v
		}
		heard, err := hooktest.Receive(t, receiver(t, cfg), happened{kind: "Kustomization", name: c.name, reason: "ReconciliationSucceeded", metadata: metadata}.request(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if c.service == "" {
			if heard.Ignored == "" {
				t.Errorf("%s %v is told", c.name, c.metadata)
			}
			continue
		}
		if d := heard.Facts[0].(*event.Deployment); d.Service != c.service || d.Environment != c.environment || d.Target != c.target {
			t.Errorf("%s %v is %s in %s on %s", c.name, c.metadata, d.Service, d.Environment, d.Target)
		}
	}
}

func TestAnObjectThatIsMadeAnewIsAnother(t *testing.T) {
	again := happened{minute: 5, uid: "u2", reason: "InstallSucceeded", kind: "HelmRelease", name: "web", message: "Helm install succeeded for release apps/web.v1 with chart web@1.0.0", metadata: map[string]string{"revision": "1.0.0"}}
	first := again
	first.minute, first.uid = 0, "u1"
	if known := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, config()) }, time.Time{}, first.request(), again.request()); len(known) != 2 {
		t.Errorf("%d deployments", len(known))
	}
}

// The status of an object tells what its events tell, under the same ids.
func TestAnObjectAndItsEventsAreTheSameFacts(t *testing.T) {
	cfg := config(func(c *flux.Config) { c.Cluster = "eu-1" })
	r := receiver(t, cfg)
	var heard []event.Event
	for _, q := range []hooktest.Request{
		applied(0, 1), finished(1, 1), applied(10, 2), finished(11, 2),
		happened{minute: 20, reason: "BuildFailed", metadata: map[string]string{"revision": "main@sha1:" + sha(3), "env": "production"}}.request(),
	} {
		h, err := hooktest.Receive(t, r, q, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, h.Facts...)
	}
	k := &flux.Kustomization{}
	k.Metadata = flux.Meta{Name: "shop", Namespace: "apps", UID: "u1", Annotations: map[string]string{"event.toolkit.fluxcd.io/env": "production"}}
	snapshot := func(digest string, first, total int, status, revision string) string {
		return fmt.Sprintf(`{"digest":%q,"firstReconciled":%q,"lastReconciled":%q,"lastReconciledStatus":%q,"totalReconciliations":%d,"metadata":{"revision":"main@sha1:%s"}}`, digest, minute(first), minute(first), status, total, revision)
	}
	if err := json.Unmarshal([]byte(`{"status":{"lastAppliedRevision":"main@sha1:`+sha(2)+`","lastAttemptedRevision":"main@sha1:`+sha(3)+`",
		"conditions":[{"type":"Reconciling","status":"True"},{"type":"Ready","status":"False","reason":"BuildFailed","lastTransitionTime":"`+minute(20)+`"}],
		"history":[`+snapshot("b", 11, 1, "ReconciliationSucceeded", sha(2))+`,`+snapshot("a", 1, 1, "ReconciliationSucceeded", sha(1))+`]}}`), k); err != nil {
		t.Fatal(err)
	}
	watched, err := translator(t, cfg).Kustomization(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range watched {
		e.Common().Source = "flux"
	}
	if diff := cmp.Diff(hooktest.Known(heard), hooktest.Known(watched)); diff != "" {
		t.Errorf("(-heard +watched):\n%s", diff)
	}
	// What was reconciled again may have another revision by now, which changed nothing.
	k.Status.History = k.Status.History[:1]
	k.Status.History[0].TotalReconciliations, k.Status.Conditions = 2, nil
	if facts, err := translator(t, cfg).Kustomization(k); err != nil || len(facts) != 0 {
		t.Errorf("%s, %v", hooktest.Tellings(facts), err)
	}
	// Before Flux 2.7 there is the condition alone.
	k.Status.History, k.Status.LastAppliedOriginRevision = nil, "main@sha1:"+sha(9)
	k.Status.Conditions = []flux.Condition{{Type: "Ready", Status: "True", Reason: "ReconciliationSucceeded", LastTransitionTime: minute(30)}}
	if facts, err := translator(t, cfg).Kustomization(k); err != nil || len(facts) != 1 || facts[0].(*event.Deployment).Version != sha(9) {
		t.Errorf("%s, %v", hooktest.Tellings(facts), err)
	}
	k.Metadata.UID = ""
	if _, err := translator(t, cfg).Kustomization(k); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestAHelmReleaseAndItsEventsAreTheSameFacts(t *testing.T) {
	r := receiver(t, config())
	var heard []event.Event
	for _, q := range []hooktest.Request{
		helm(0, "InstallSucceeded", "Helm install succeeded for release apps/podinfo.v1 with chart podinfo@6.5.4", map[string]string{"revision": "6.5.4"}),
		helm(10, "UpgradeFailed", "Helm upgrade failed for release apps/podinfo with chart podinfo@6.6.0: x", map[string]string{"revision": "6.6.0"}),
		helm(11, "RollbackSucceeded", "Helm rollback to previous release apps/podinfo.v1 with chart podinfo@6.5.4 succeeded", map[string]string{"revision": "6.5.4"}),
	} {
		heard = append(heard, hooktest.Facts(t, r, q, time.Time{})...)
	}
	h := &flux.HelmRelease{}
	h.Metadata = flux.Meta{Name: "podinfo", Namespace: "apps", UID: "u1"}
	if err := json.Unmarshal([]byte(`{"status":{"lastAttemptedRevision":"6.6.0","conditions":[
		{"type":"Released","status":"False","reason":"UpgradeFailed","lastTransitionTime":"`+minute(10)+`"},
		{"type":"Remediated","status":"True","reason":"RollbackSucceeded","message":"Helm rollback to previous release apps/podinfo.v1 with chart podinfo@6.5.4 succeeded","lastTransitionTime":"`+minute(11)+`"}],
		"history":[{"version":3,"status":"deployed","chartVersion":"6.5.4","lastDeployed":"`+minute(11)+`"},{"version":2,"status":"failed","chartVersion":"6.6.0","lastDeployed":"`+minute(10)+`"},
		{"version":1,"status":"superseded","chartVersion":"6.5.4","lastDeployed":"`+minute(0)+`"}]}}`), h); err != nil {
		t.Fatal(err)
	}
	watched, err := translator(t, config()).HelmRelease(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range watched {
		e.Common().Source = "flux"
	}
	if diff := cmp.Diff(hooktest.Known(heard), hooktest.Known(watched)); diff != "" {
		t.Errorf("(-heard +watched):\n%s", diff)
	}
	h.Status.History[0].LastDeployed = "yesterday"
	if _, err := translator(t, config()).HelmRelease(h); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// Any deployments of an object, their events heard in any order and repeated, end in the same facts.
func TestEveryOrderOfEventsEndsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var story []hooktest.Request
		last := 0
		for n := range rapid.IntRange(1, 6).Draw(rt, "events") {
			revision := rapid.IntRange(1, 3).Filter(func(r int) bool { return r != last }).Draw(rt, "revision")
			last = revision
			switch rapid.IntRange(0, 2).Draw(rt, "event") {
			case 0:
				story = append(story, applied(10*n, revision), finished(10*n+1, revision))
			case 1:
				story = append(story, succeeding(10*n, revision))
			default:
				story = append(story, failing(10*n, revision))
			}
		}
		heard := func(story []hooktest.Request) map[string]event.Event {
			r := receiver(t, config())
			var facts []event.Event
			for _, q := range story {
				h, err := r.Hear(r.Describe(q.Header, q.Body))
				if err != nil {
					rt.Fatal(err)
				}
				facts = append(facts, h.Facts...)
			}
			return hooktest.Known(facts)
		}
		want := heard(story)
		places := make([]int, len(story))
		for i := range places {
			places[i] = i
		}
		var mixed []hooktest.Request
		for _, i := range rapid.Permutation(places).Draw(rt, "order") {
			mixed = append(mixed, story[i])
		}
		for _, order := range [][]hooktest.Request{append(story[:len(story):len(story)], story...), mixed} {
			if diff := cmp.Diff(want, heard(order)); diff != "" {
				rt.Errorf("(-in order +otherwise):\n%s", diff)
			}
		}
	})
}

func TestWhatCannotBeUnderstoodIsInvalid(t *testing.T) {
	r := receiver(t, config())
	object := `"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"a","uid":"u"}`
	hooktest.Misunderstands(t, r, http.Header{}, "", "[]", "{}", `{`+object+`}`, `{`+object+`,"reason":"BuildFailed","timestamp":"now"}`,
		`{"involvedObject":{"kind":"Kustomization","name":"a"},"reason":"BuildFailed","timestamp":"2026-02-01T10:00:00Z"}`,
		`{"involvedObject":{"kind":"Kustomization","name":"`+strings.Repeat("a", 5000)+`","uid":"u"},"reason":"BuildFailed","timestamp":"2026-02-01T10:00:00Z","metadata":{"revision":"x","env":"e"}}`)
	for _, body := range []string{
		`{"involvedObject":{"kind":"GitRepository","name":"a","uid":"u"},"reason":"NewArtifact","timestamp":"2026-02-01T10:00:00Z"}`,
		`{` + object + `,"reason":"HealthCheckFailed","timestamp":"2026-02-01T10:00:00Z"}`,
	} {
		if heard, err := hooktest.Receive(t, r, signed(body), time.Time{}); err != nil || heard.Ignored == "" {
			t.Errorf("%s: %v, %v", body, heard, err)
		}
	}
	for name, change := range map[string]func(*flux.Config){
		"webhook_secrets":     func(c *flux.Config) { c.WebhookSecrets = nil },
		"services[0]":         func(c *flux.Config) { c.Services = []rules.ServiceName{{Match: "a"}} },
		"repositories[0]":     func(c *flux.Config) { c.Repositories = []rules.RepositoryName{{Match: "/(/", Repository: "x"}} },
		"source_repositories": func(c *flux.Config) { c.SourceRepositories = []rules.RepositoryName{{Match: "a"}} },
	} {
		if _, err := flux.NewReceiver(config(change)); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), name) {
			t.Errorf("want %s named, got %v", name, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add(applied(0, 1).Body)
	f.Add(finished(1, 1).Body)
	f.Add(helm(0, "UpgradeSucceeded", "Helm upgrade succeeded for release apps/podinfo.v3 with chart podinfo@6.5.4", map[string]string{"revision": "6.5.4"}).Body)
	r := receiver(f, config())
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
