package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/kubernetes"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

func audits(cfg *kubernetes.Config) {
	cfg.AuditTokens = []string{"audit-secret"}
	cfg.Teams = []rules.TeamName{{Match: "team-*", Team: "{1}"}}
}

func TestTheRecordedAuditLogSaysWhoAsked(t *testing.T) {
	want := map[string]event.ProvisioningRequest{
		"prod:98fb8cc0-c5b4-4b42-953c-b80a7430e6fc": {
			Telling: event.Telling{Source: "kubernetes"}, ID: "prod:98fb8cc0-c5b4-4b42-953c-b80a7430e6fc", Team: "payments", Requester: "jane.doe@example.org",
			ResourceType: "NopResource", Way: "crossplane_claim", OnPlatform: true, Status: "ready",
			RequestedAt: at(t, "2026-11-22T18:49:19Z"), ReadyAt: at(t, "2026-11-22T18:49:22Z"),
		},
		"prod:d0dca079-d58d-40ff-a70c-3873471cbc3b": {
			Telling: event.Telling{Source: "kubernetes"}, ID: "prod:d0dca079-d58d-40ff-a70c-3873471cbc3b", Team: "payments", Requester: "jane.doe@example.org",
			ResourceType: "Test", Way: "crossplane_claim", OnPlatform: true, Status: "requested",
			RequestedAt: at(t, "2026-11-22T18:49:19Z"),
		},
	}
	wakes := []source.Wake{{Stream: ofClaims}, {Stream: "requests/tests.example.org"}}
	batch := recording(t, "001.body")
	for name, story := range map[string]func(r *reader){
		"heard before it is read": func(r *reader) {
			r.turn(r.stream("definitions"))
			heard := r.hear(batch)
			if diff := cmp.Diff(wakes, heard.Wakes); diff != "" {
				t.Error(diff)
			}
			r.read()
		},
		"read before it is heard": func(r *reader) { r.read(); r.hear(batch); r.read() },
		"heard before the kinds are known": func(r *reader) {
			heard := r.hear(batch)
			if len(heard.Facts) != 0 || heard.Ignored == "" {
				t.Errorf("heard %+v before any kind is known", heard)
			}
			r.read()
		},
		"heard twice": func(r *reader) { r.read(); r.hear(batch); r.hear(batch); r.read(); r.hear(batch) },
		"heard, read, and then another life": func(r *reader) {
			r.read()
			r.hear(batch)
			r.read()
			r.restart()
			r.read()
			r.link.Check(t.Context())
		},
		"told again, as replay does, at last": func(r *reader) {
			r.read()
			r.hear(batch)
			r.restart()
			r.read()
			r.hear(batch)
			r.read()
		},
		"read, killed before it was kept, and": func(r *reader) {
			r.read()
			r.hear(batch)
			r.forgetful = true
			r.read()
			r.forgetful = false
			r.restart()
			r.hear(batch)
			r.read()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			for _, o := range payload(t, "crossplane", "crossplane-claims.list.json") {
				c.Put(claims, o)
			}
			// The composite as the audit log has it, since no list of it was recorded.
			c.Put(tests, object{"metadata": object{"uid": "d0dca079-d58d-40ff-a70c-3873471cbc3b", "name": "basic-xr-namespaced", "namespace": "default", "creationTimestamp": "2026-11-22T18:49:19Z"}})
			r := newReader(t, c, audits)
			story(r)
			if diff := cmp.Diff(want, r.requests(), unordered); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(kept(r.told), kept(reversed(r.told))); diff != "" {
				t.Errorf("order matters: %s", diff)
			}
		})
	}
}

func TestAuditedThingsThatAreNoRequestsAreIgnored(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c, audits)
	r.read()
	// Applications of Argo CD that were applied by the server, twice patched.
	if heard := r.hear(recording(t, "005.body")); len(heard.Facts)+len(heard.Wakes) != 0 || heard.Ignored != "no kind of object that is a request" {
		t.Errorf("got %+v", heard)
	}
}

// entry is an event of the audit log about a claim.
func entry(change func(e object)) []byte {
	e := object{
		"level": "RequestResponse", "auditID": "a-1", "stage": "ResponseComplete", "verb": "create", "requestURI": "/apis/nop.example.org/v1alpha1/namespaces/shop/nopresources",
		"user":                     object{"username": "jo", "groups": []any{"team-shop"}},
		"objectRef":                object{"resource": "nopresources", "namespace": "shop", "name": "db", "apiGroup": "nop.example.org"},
		"responseStatus":           object{"code": 201},
		"responseObject":           made("u1", "db"),
		"requestReceivedTimestamp": "2026-03-02T09:00:00.123456Z",
	}
	change(e)
	text, _ := json.Marshal(object{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": []any{e}})
	return text
}

func TestWhatTheAuditLogMeans(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(e object)
		who     string // who is told to have asked; "": nothing is told
		woken   string
		ignored string
	}{
		"created":               {func(object) {}, "jo", ofClaims, ""},
		"applied by the server": {func(e object) { e["verb"] = "patch" }, "jo", ofClaims, ""},
		"for somebody":          {func(e object) { e["impersonatedUser"] = object{"username": "kim", "groups": []any{"team-shop"}} }, "kim", ofClaims, ""},
		"changed":               {func(e object) { e["verb"] = "patch"; e["responseStatus"] = object{"code": 200} }, "", "", "nothing was asked for or taken away"},
		"its status":            {func(e object) { e["objectRef"].(object)["subresource"] = "status" }, "", "", "nothing was asked for or taken away"},
		"refused":               {func(e object) { e["responseStatus"] = object{"code": 403} }, "", "", "nothing was asked for or taken away"},
		"only received":         {func(e object) { e["stage"] = "RequestReceived" }, "", "", "nothing was asked for or taken away"},
		"only looked at":        {func(e object) { e["verb"] = "get"; e["responseStatus"] = object{"code": 200} }, "", "", "nothing was asked for or taken away"},
		"a rehearsal":           {func(e object) { e["requestURI"] = e["requestURI"].(string) + "?dryRun=All&fieldManager=x" }, "", "", "nothing was asked for or taken away"},
		"a rehearsal of Kratix": {func(e object) {
			e["objectRef"] = object{"resource": "upgrades", "apiGroup": "test.kratix.io"}
			with(e["responseObject"].(object), "labels", object{"kratix.io/dry-run": "true"})
		}, "", "", "a part of something else, a rehearsal, or left out by a rule"},
		"deleted":            {func(e object) { e["verb"] = "delete"; e["responseStatus"] = object{"code": 200} }, "", ofClaims, ""},
		"without the object": {func(e object) { delete(e, "responseObject") }, "", "", "the audit level is below RequestResponse, so that it is not known which object was made"},
		"a pod":              {func(e object) { e["objectRef"] = object{"resource": "pods", "name": "x"} }, "", "", "no kind of object that is a request"},
		"a new kind of thing to ask": {func(e object) {
			e["objectRef"] = object{"resource": "promises", "apiGroup": "platform.kratix.io", "name": "x"}
		}, "", "definitions", ""},
		"of no thing":                  {func(e object) { delete(e, "objectRef") }, "", "", "nothing was asked for or taken away"},
		"a thing that is of odd shape": {func(e object) { e["responseObject"] = []any{"?"} }, "", "", "the audit level is below RequestResponse, so that it is not known which object was made"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			r := newReader(t, c, audits)
			r.read()
			heard := r.hear(entry(tt.change))
			var who, woken string
			for _, f := range heard.Facts {
				who = f.(*event.ProvisioningRequest).Requester
			}
			for _, w := range heard.Wakes {
				woken = w.Stream
			}
			if who != tt.who || woken != tt.woken || heard.Ignored != tt.ignored {
				t.Errorf("got %q, woken %q, ignored %q", who, woken, heard.Ignored)
			}
		})
	}
}

func TestBatchesOfTheAuditLogAreVerified(t *testing.T) {
	r := newReader(t, newCluster(t), audits)
	body := entry(func(object) {})
	for name, h := range map[string]http.Header{
		"another token":            {"Authorization": {"Bearer other"}},
		"none, as over plain HTTP": {},
	} {
		if err := r.link.Receiver.Verify(h, body, epoch); fault.KindOf(err) != fault.Denied || strings.Contains(fmt.Sprint(err), "audit-secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, body := range map[string]string{"no JSON": `{`, "another kind": `{"kind":"Event"}`, "no object": `[]`, "an odd instant": string(entry(func(e object) { e["requestReceivedTimestamp"] = "soon" }))} {
		r.turn(r.stream("definitions"))
		if _, err := r.link.Receiver.Hear(source.Delivery{Body: []byte(body)}); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: got %v, want a fault: invalid", name, err)
		}
	}
	if h, err := r.link.Receiver.Hear(source.Delivery{Body: []byte(`{"kind":"EventList","items":[]}`)}); err != nil || h.Ignored == "" {
		t.Errorf("an empty batch: %+v, %v", h, err)
	}
	if a, b := r.link.Receiver.Describe(nil, body), r.link.Receiver.Describe(nil, []byte(`{"kind":"EventList"}`)); a.ID == b.ID || a.ID == "" {
		t.Errorf("two batches are one delivery: %q", a.ID)
	}
}

func TestWithoutTokensNoAuditLogIsHeard(t *testing.T) {
	if r := newReader(t, newCluster(t)); r.link.Receiver != nil {
		t.Error("webhooks are heard without a token")
	}
}

func FuzzHear(f *testing.F) {
	f.Add(entry(func(object) {}))
	f.Add([]byte(`{"kind":"EventList","items":[{"stage":"ResponseComplete","verb":"create","objectRef":{"apiGroup":"nop.example.org","resource":"nopresources"},"responseStatus":{"code":201},"responseObject":{"metadata":{"uid":"u","creationTimestamp":"9999-01-01T00:00:00Z","labels":{"team":"\ud800"}}}}]}`))
	c := kubernetestest.New()
	defer c.Close()
	c.Put(xrds, claimed())
	c.Serve(claims)
	r := newReader(f, c, audits)
	r.read()
	f.Fuzz(func(t *testing.T, body []byte) {
		heard, err := r.link.Receiver.Hear(source.Delivery{Body: body, ReceivedAt: time.Now()})
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("got %v, want a fault: invalid", err)
		}
		for _, e := range heard.Facts {
			if wrong := event.Validate(e); wrong != nil {
				t.Fatalf("intake refuses %+v: %v", e, wrong)
			}
		}
	})
}

// Clusters tell whole seconds: what came later within one is later all the same, even when it knows less.
func TestWithinASecondWhatHasComeFartherWins(t *testing.T) {
	c := newCluster(t)
	r := newReader(t, c, audits)
	r.read()
	r.hear(entry(func(object) {}))
	r.restart() // before who asked was kept
	c.Put(claims, made("u1", "db", "Ready=False 0 Creating"))
	r.read()
	c.Put(claims, made("u1", "db", "Synced=False 0 ReconcileError"))
	r.read()
	if got := r.requests()["prod:u1"]; got.Status != "failed" {
		t.Errorf("got %s, want failed", got.Status)
	}
	c.Put(claims, made("u1", "db", "Ready=True 0"))
	r.read()
	c.Put(claims, made("u1", "db", "Ready=True 0"))
	if got := r.requests()["prod:u1"]; got.Status != "ready" {
		t.Errorf("got %s, want ready", got.Status)
	}
	if diff := cmp.Diff(kept(r.told), kept(reversed(r.told))); diff != "" {
		t.Error(diff)
	}
}
