package kubernetes_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/collectors/kubernetes"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const (
	xrds     = "apiextensions.crossplane.io/v1/compositeresourcedefinitions"
	promises = "platform.kratix.io/v1alpha1/promises"
	claims   = "nop.example.org/v1alpha1/nopresources"
	tests    = "example.org/v1alpha1/tests"
	upgrades = "test.kratix.io/v1alpha1/upgrades"
)

// claimed is a definition of Crossplane 1, with claims.
func claimed() object {
	return object{"metadata": object{"uid": "xrd-1", "name": "xnopresources.nop.example.org"}, "spec": object{
		"group": "nop.example.org", "names": object{"kind": "XNopResource", "plural": "xnopresources"},
		"claimNames": object{"kind": "NopResource", "plural": "nopresources"},
		"versions":   []any{object{"name": "v1alpha1", "served": true, "referenceable": true}},
	}}
}

// namespaced is one of Crossplane 2, without.
func namespaced() object {
	return object{"metadata": object{"uid": "xrd-2", "name": "tests.example.org"}, "spec": object{
		"group": "example.org", "scope": "Namespaced", "names": object{"kind": "Test", "plural": "tests"},
		"versions": []any{object{"name": "v1", "served": false, "referenceable": true}, object{"name": "v1alpha1", "served": true}},
	}}
}

// promise is what a Promise of Kratix says of what can be asked for.
func promise() object {
	return object{"metadata": object{"uid": "promise-1", "name": "upgrade"}, "spec": object{"api": object{"spec": object{
		"group": "test.kratix.io", "names": object{"kind": "Upgrade", "plural": "upgrades"},
		"versions": []any{object{"name": "v1alpha1", "served": true, "storage": true}},
	}}}}
}

func newCluster(t testing.TB) *kubernetestest.Cluster {
	c := kubernetestest.New()
	t.Cleanup(c.Close)
	c.Put(xrds, claimed())
	c.Put(xrds, namespaced())
	c.Put(promises, promise())
	for _, kind := range []string{claims, tests, upgrades} {
		c.Serve(kind)
	}
	return c
}

// made is an object with conditions: "Ready=True 5 Available" is one that is so since the fifth second.
func made(uid, name string, conditions ...string) object {
	o := object{"metadata": object{"uid": uid, "name": name, "namespace": "shop", "creationTimestamp": kubernetestest.At(epoch)}}
	var list []any
	for _, c := range conditions {
		words := strings.Fields(c)
		kind, status, _ := strings.Cut(words[0], "=")
		since, err := time.ParseDuration(words[1] + "s")
		if err != nil {
			panic(err)
		}
		one := object{"type": kind, "status": status, "lastTransitionTime": kubernetestest.At(epoch.Add(since))}
		if len(words) > 2 {
			one["reason"] = words[2]
		}
		list = append(list, one)
	}
	if list != nil {
		o["status"] = object{"conditions": list}
	}
	return o
}

// with adds to an object's metadata.
func with(o object, key string, value any) object {
	o["metadata"].(object)[key] = value
	return o
}

func seconds(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// unordered leaves out what only orders tellings.
var unordered = cmpopts.IgnoreFields(event.Telling{}, "UpdatedAt")

func TestARecordedClaimIsARequest(t *testing.T) {
	c := newCluster(t)
	for _, o := range payload(t, "crossplane", "crossplane-claims.list.json") {
		c.Put(claims, o)
	}
	r := newReader(t, c)
	r.read()
	want := map[string]event.ProvisioningRequest{"prod:98fb8cc0-c5b4-4b42-953c-b80a7430e6fc": {
		Telling: event.Telling{Source: "kubernetes"}, ID: "prod:98fb8cc0-c5b4-4b42-953c-b80a7430e6fc",
		ResourceType: "NopResource", Way: "crossplane_claim", OnPlatform: true, Status: "ready",
		RequestedAt: at(t, "2026-11-22T18:49:19Z"), ReadyAt: at(t, "2026-11-22T18:49:22Z"),
	}}
	if diff := cmp.Diff(want, r.requests(), unordered); diff != "" {
		t.Error(diff)
	}
	told := len(r.told)
	r.read()
	r.restart()
	r.read()
	if len(r.told) != told {
		t.Errorf("told again: %v", r.told[told:])
	}
}

func TestRecordedStatesOfAKratixRequestAreARequestThatIsNotReady(t *testing.T) {
	first, second := payload(t, "kratix", "resource-request.1-in-progress.json")[0], payload(t, "kratix", "resource-request.2-succeeded.json")[0]
	want := map[string]event.ProvisioningRequest{"prod:f1e312f2-8a5d-4896-bb6a-69d5dd2749a2": {
		Telling: event.Telling{Source: "kubernetes"}, ID: "prod:f1e312f2-8a5d-4896-bb6a-69d5dd2749a2",
		ResourceType: "upgrade", Way: "kratix_promise", OnPlatform: true, Environment: "staging", Status: "in_progress",
		RequestedAt: at(t, "2026-11-22T19:09:07Z"),
	}}
	// The works have succeeded, the pipelines have not: Reconciled is Unknown in both.
	for name, states := range map[string][]object{"watched": {first, second}, "the latest alone": {second}, "twice": {first, first, second, second}} {
		c := newCluster(t)
		for _, o := range payload(t, "kratix", "promise.available.json") {
			c.Put(promises, o)
		}
		r := newReader(t, c)
		for _, o := range states {
			c.Put(upgrades, o)
			r.read()
		}
		if diff := cmp.Diff(want, r.requests(), unordered); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(kept(r.told), kept(reversed(r.told))); diff != "" {
			t.Errorf("%s: the order of arrival matters: %s", name, diff)
		}
	}
	c := newCluster(t)
	done := second["status"].(object)
	done["conditions"] = append(done["conditions"].([]any), object{"type": "Reconciled", "status": "True", "reason": "Reconciled", "lastTransitionTime": "2026-11-22T19:10:00Z"})
	done["conditions"] = done["conditions"].([]any)[2:]
	c.Put(upgrades, second)
	r := newReader(t, c)
	r.read()
	if got := r.requests()["prod:f1e312f2-8a5d-4896-bb6a-69d5dd2749a2"]; got.Status != "ready" || !got.ReadyAt.Equal(at(t, "2026-11-22T19:10:00Z")) {
		t.Errorf("reconciled: got %+v", got)
	}
}

func TestTheFirstReadyIsKept(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	r.read()
	c.Put(claims, made("u1", "db", "Synced=True 1", "Ready=False 1 Creating"))
	c.Put(claims, made("u1", "db", "Synced=True 1", "Ready=True 7 Available"))
	c.Put(claims, made("u1", "db", "Synced=True 1", "Ready=False 9 Unavailable")) // before anybody looked
	r.read()
	c.Put(claims, made("u1", "db", "Synced=True 1", "Ready=True 90 Available"))
	r.restart()
	r.read()
	c.Forget()
	c.Put(claims, made("u1", "db", "Synced=True 1", "Ready=True 120 Available"))
	r.restart()
	r.read() // by a list
	got := r.requests()["prod:u1"]
	if got.Status != "ready" || !got.ReadyAt.Equal(seconds(7)) {
		t.Errorf("got %s at %s, want ready at the 7th second", got.Status, got.ReadyAt)
	}
	c.Delete(claims, "u1")
	r.read()
	if got := r.requests()["prod:u1"]; got.Status != "deleted" || !got.ReadyAt.Equal(seconds(7)) || got.DeletedAt.IsZero() {
		t.Errorf("deleted: got %+v", got)
	}
}

func TestAStatusThatIsWrittenWithoutEndIsToldOnce(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	r.read()
	for i := range 2265 {
		// workflowsSucceeded goes 1/0 and the pipelines' condition with it, Reconciled stays Unknown.
		state := []string{"ConfigureWorkflowCompleted=False 2 PipelinesInProgress", "Reconciled=Unknown 2 WorkflowPending"}
		if i%2 == 1 {
			state[0] = "ConfigureWorkflowCompleted=True 2 PipelinesExecutedSuccessfully"
		}
		c.Put(upgrades, made("u1", "one", append(state, "WorksSucceeded=True 3")...))
		if i%400 == 0 {
			r.readOf("upgrades")
		}
	}
	r.readOf("upgrades")
	if len(r.told) != 1 {
		t.Errorf("told %d times, want once", len(r.told))
	}
	if got := r.requests()["prod:u1"]; got.Status != "in_progress" {
		t.Errorf("got %+v", got)
	}
}

func TestHowRequestsFare(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   string
		states []object
		want   event.ProvisioningRequest
	}{
		{"nothing is known yet", claims, []object{made("u", "db")}, event.ProvisioningRequest{Status: "requested"}},
		{"waiting", claims, []object{made("u", "db", "Synced=True 1", "Ready=False 1 Waiting")}, event.ProvisioningRequest{Status: "in_progress"}},
		{"an error of reconciling", claims, []object{made("u", "db", "Synced=False 4 ReconcileError")}, event.ProvisioningRequest{Status: "failed", FailedAt: seconds(4)}},
		{"an error that passed", claims, []object{made("u", "db", "Synced=False 4 ReconcileError"), made("u", "db", "Synced=True 6", "Ready=False 4 Creating")}, event.ProvisioningRequest{Status: "in_progress"}},
		{"an error, and then ready", claims, []object{made("u", "db", "Synced=False 4 ReconcileError"), made("u", "db", "Synced=True 6", "Ready=True 8")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(8)}},
		{"an error after it was ready", claims, []object{made("u", "db", "Ready=True 3"), made("u", "db", "Ready=False 9", "Synced=False 9 ReconcileError")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(3)}},
		{"paused", claims, []object{made("u", "db", "Synced=False 4 ReconcilePaused")}, event.ProvisioningRequest{Status: "in_progress"}},
		{"ready without Synced", tests, []object{made("u", "db", "Ready=True 5")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(5)}},
		{"ready and paused", tests, []object{made("u", "db", "Ready=True 5", "Synced=False 6 ReconcilePaused")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(5)}},
		{"a clock that is an hour behind", tests, []object{made("u", "db", "Ready=True -3600")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(0)}},
		{"being taken down", tests, []object{made("u", "db", "Ready=True 5"), with(made("u", "db", "Ready=False 70 Deleting"), "deletionTimestamp", kubernetestest.At(seconds(60)))}, event.ProvisioningRequest{Status: "deleted", ReadyAt: seconds(5), DeletedAt: seconds(60)}},
		{"no conditions but a status", tests, []object{func() object { o := made("u", "db"); o["status"] = "odd"; return o }()}, event.ProvisioningRequest{Status: "requested"}},

		{"reconciled", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=True 3", "WorksSucceeded=True 4", "Reconciled=True 5 Reconciled")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(5)}},
		{"works without pipelines", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=False 3 PipelinesInProgress", "WorksSucceeded=True 4", "Reconciled=Unknown 2 WorkflowPending")}, event.ProvisioningRequest{Status: "in_progress"}},
		{"an older Kratix", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=True 3", "WorksSucceeded=True 4")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(4)}},
		{"an older Kratix, half of it", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=True 3")}, event.ProvisioningRequest{Status: "in_progress"}},
		{"a still older Kratix", upgrades, []object{made("u", "db", "PipelineCompleted=True 3")}, event.ProvisioningRequest{Status: "ready", ReadyAt: seconds(3)}},
		{"a failed pipeline", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=False 3 ConfigureWorkflowFailed", "Reconciled=False 3 ConfigureWorkflowFailed")}, event.ProvisioningRequest{Status: "failed", FailedAt: seconds(3)}},
		{"a failed pipeline, older", upgrades, []object{made("u", "db", "ConfigureWorkflowCompleted=False 3 ConfigureWorkflowFailed")}, event.ProvisioningRequest{Status: "failed", FailedAt: seconds(3)}},
		{"paused reconciliation", upgrades, []object{made("u", "db", "Reconciled=False 3 PausedReconciliation")}, event.ProvisioningRequest{Status: "in_progress"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for way, looks := range map[string]bool{"each state": true, "all at once": false} {
				c := newCluster(t)
				r := newReader(t, c)
				r.read()
				for _, o := range tt.states {
					c.Put(tt.kind, o)
					if looks {
						r.read()
					}
				}
				r.read()
				tt.want.ID, tt.want.Source, tt.want.RequestedAt, tt.want.OnPlatform = "prod:u", "kubernetes", epoch, true
				got := r.requests()["prod:u"]
				if diff := cmp.Diff(tt.want, got, unordered, cmpopts.IgnoreFields(event.ProvisioningRequest{}, "ResourceType", "Way")); diff != "" {
					t.Errorf("%s: %s", way, diff)
				}
				if diff := cmp.Diff(kept(r.told), kept(append(reversed(r.told), r.told...))); diff != "" {
					t.Errorf("%s: order matters: %s", way, diff)
				}
			}
		})
	}
}

func TestWhatNobodyAskedForIsNotCounted(t *testing.T) {
	owned := []any{object{"kind": "XApp", "name": "shop", "controller": true}}
	c := newCluster(t)
	for _, o := range []object{
		with(made("part", "part"), "ownerReferences", owned),
		with(made("child", "child"), "labels", object{"crossplane.io/composite": "shop"}),
		with(made("top", "top"), "labels", object{"crossplane.io/composite": "top"}),
	} {
		c.Put(tests, o)
	}
	for _, o := range []object{
		with(made("rehearsal", "a"), "labels", object{"kratix.io/dry-run": "true"}),
		with(made("rehearsed", "b"), "labels", object{"kratix.io/dry-run-owner": "x"}),
		with(made("component", "c"), "labels", object{"kratix.io/parent-promise-name": "app", "kratix.io/parent-resource-name": "shop"}),
		with(made("asked", "d"), "labels", object{"kratix.io/promise-name": "upgrade", "kratix.io/dry-run": "false"}),
	} {
		c.Put(upgrades, o)
	}
	r := newReader(t, c)
	r.read()
	if diff := cmp.Diff([]string{"prod:asked", "prod:top"}, keys(r.requests())); diff != "" {
		t.Error(diff)
	}
	for _, s := range r.link.Connection.Streams() {
		if strings.Contains(s.Name, "xnopresources") {
			t.Errorf("%s is read: what has claims is asked for by claims", s.Name)
		}
	}
}

func TestTheSameNameAgainIsAnotherRequest(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c)
	c.Put(claims, made("u1", "db", "Ready=True 2"))
	r.read()
	c.Delete(claims, "u1")
	c.Put(claims, made("u2", "db"))
	r.read()
	got := r.requests()
	if len(got) != 2 || got["prod:u1"].Status != "deleted" || got["prod:u2"].Status != "requested" {
		t.Errorf("got %+v", got)
	}
}

func TestWhoseARequestIs(t *testing.T) {
	c := newCluster(t)
	c.Put(claims, with(made("labelled", "a"), "labels", object{"team": "checkout", "backstage.io/kubernetes-id": "cart", "env": "prod-eu"}))
	c.Put(claims, with(made("annotated", "b"), "annotations", object{"team": "checkout", "asked-by": "jo"}))
	c.Put(claims, made("ruled", "orders-db"))
	c.Put(claims, made("left", "sandbox-1"))
	r := newReader(t, c, func(cfg *kubernetes.Config) {
		cfg.Environment, cfg.RequesterLabels = "production", []string{"asked-by"}
		cfg.Services = []rules.ServiceName{{Match: "shop/sandbox-*", Service: "none"}, {Match: "shop/*-db", Service: "{1}"}}
		cfg.Teams = []rules.TeamName{{Match: "shop", Team: "shop-team"}}
	})
	r.read()
	want := map[string][4]string{
		"prod:labelled":  {"cart", "checkout", "prod-eu", ""},
		"prod:annotated": {"", "checkout", "production", "jo"},
		"prod:ruled":     {"orders", "shop-team", "production", ""},
	}
	got := map[string][4]string{}
	for id, f := range r.requests() {
		got[id] = [4]string{f.Service, f.Team, f.Environment, f.Requester}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A label that is put on later changes the fact.
	c.Put(claims, with(with(made("ruled", "orders-db"), "labels", object{"team": "billing"}), "managedFields", []any{object{"time": kubernetestest.At(seconds(3))}}))
	r.read()
	if got := r.requests()["prod:ruled"].Team; got != "billing" {
		t.Errorf("the team is %q after the label was put on", got)
	}
}

func TestANewDefinitionIsFollowed(t *testing.T) {
	c := kubernetestest.New()
	t.Cleanup(c.Close)
	c.Serve("apps/v1/deployments")
	r := newReader(t, c)
	r.read()
	if n := len(r.link.Connection.Streams()); n != 1 {
		t.Fatalf("%d streams in a cluster without any platform, want the definitions alone", n)
	}
	c.Put(xrds, claimed())
	c.Put(claims, made("u1", "db"))
	r.restart()
	r.read()
	if diff := cmp.Diff([]string{"prod:u1"}, keys(r.requests())); diff != "" {
		t.Error(diff)
	}
	want := source.Stream{Name: "requests/nopresources.nop.example.org", Group: "nopresources.nop.example.org", Kind: "requests", Every: 30 * time.Second}
	if diff := cmp.Diff(want, r.link.Connection.Streams()[1]); diff != "" {
		t.Error(diff)
	}
	// A list of definitions that fails takes nothing away.
	c.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "compositeresourcedefinitions") {
			kubernetestest.Refuse(w, http.StatusForbidden, "Forbidden", "no")
			return true
		}
		return false
	})
	if err := r.turn(r.link.Connection.Streams()[0]); fault.KindOf(err) != fault.Denied {
		t.Errorf("got %v, want a fault: denied", err)
	}
	if len(r.link.Connection.Streams()) != 2 {
		t.Error("a stream is gone because its definition could not be read")
	}
}

func recording(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "kubernetes", "audit-webhook", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
