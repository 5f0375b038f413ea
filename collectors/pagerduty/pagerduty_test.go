package pagerduty_test

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

	"cairn/collectors/pagerduty"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
)

const secret = "correct-horse"

func receiver(t testing.TB, secret string) *pagerduty.Incidents {
	t.Helper()
	cfg := pagerduty.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	cfg.Services = []rules.ServiceName{{Match: "P1", Service: "shop"}, {Match: "Playground", Service: "none"}}
	r, err := pagerduty.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"X-Pagerduty-Signature": {"v1=00,v1=" + hex.EncodeToString(mac.Sum(nil))}}, Body: []byte(body)}
}

func happened(what, minute, status, rest string) hooktest.Request {
	return signed(fmt.Sprintf(`{"event":{"id":"%s","event_type":"incident.%s","occurred_at":"2026-02-01T10:%s:00Z","data":{"id":"Q1","type":"incident",`+
		`"status":"%s","title":"slow","created_at":"2026-02-01T10:00:00Z","service":{"id":"P1","summary":"API"},"urgency":"high"%s}}}`, what+minute, what, minute, status, rest))
}

func at(minute int) time.Time { return time.Date(2026, 2, 1, 10, minute, 0, 0, time.UTC) }

func TestAnIncidentFromBeginningToEnd(t *testing.T) {
	story := []hooktest.Request{happened("triggered", "00", "triggered", ""), happened("acknowledged", "05", "acknowledged", ""),
		happened("resolved", "30", "resolved", ""), happened("priority_updated", "40", "resolved", `,"priority":{"summary":"P1"}`)}
	want := event.Incident{
		Telling: event.Telling{Source: "pagerduty", UpdatedAt: at(40).Add(-5 * time.Millisecond)}, ID: "Q1", Service: "shop", Title: "slow", Severity: "P1",
		StartedAt: at(0), AcknowledgedAt: at(5), RestoredAt: at(30), ResolvedAt: at(30),
	}
	fresh := func() hooktest.Receiver { return receiver(t, secret) }
	known := hooktest.Converges(t, fresh, at(0), story...)
	if diff := cmp.Diff(map[string]event.Event{"incident pagerduty Q1": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	known = hooktest.Converges(t, fresh, at(0), append(story, happened("acknowledged", "20", "acknowledged", ""))...)
	if got := known["incident pagerduty Q1"].(*event.Incident); !got.AcknowledgedAt.Equal(at(5)) {
		t.Errorf("acknowledged twice, it was acknowledged at %s", got.AcknowledgedAt)
	}
	known = hooktest.Converges(t, fresh, at(0), append(story, happened("reopened", "50", "triggered", ""))...)
	if got := known["incident pagerduty Q1"].(*event.Incident); !got.RestoredAt.IsZero() || !got.ResolvedAt.IsZero() {
		t.Errorf("reopened it is still over: %v", got)
	}
	known = hooktest.Converges(t, fresh, at(0), happened("triggered", "00", "triggered", ""), happened("resolved", "30", "resolved", `,"resolve_reason":{"type":"merge_resolve_reason"}`))
	if got := known["incident pagerduty Q1"].(*event.Incident); got.Service != "" || !got.RestoredAt.Equal(got.StartedAt) {
		t.Errorf("merged into another it counts: %v", got)
	}
}

// Heard or read, and in any order.
func TestAnIncidentThatMovesToAServiceThatIsLeftOutCountsNoMore(t *testing.T) {
	moved := happened("service_updated", "20", "acknowledged", "")
	moved = signed(strings.Replace(string(moved.Body), `"id":"P1","summary":"API"`, `"id":"P2","summary":"Playground"`, 1))
	want := &event.Incident{ID: "Q1", StartedAt: at(0), RestoredAt: at(0), ResolvedAt: at(0), Cause: "external"}
	check := func(how string, known map[string]event.Event) {
		got := *known["incident pagerduty Q1"].(*event.Incident)
		got.Telling = event.Telling{}
		if diff := cmp.Diff(want, &got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
	heard := hooktest.Converges(t, func() hooktest.Receiver { return receiver(t, secret) }, at(0), happened("triggered", "00", "triggered", ""), happened("acknowledged", "05", "acknowledged", ""), moved)
	check("heard", heard)
	a := newAccount(t, incident{id: "Q1", created: at(0)})
	r := a.reader(t)
	if err := r.CatchUp(t, at(10), 0); err != nil {
		t.Fatal(err)
	}
	a.incidents[0].raw = []byte(`{"id":"Q1","type":"incident","status":"acknowledged","title":"slow","created_at":"2026-02-01T10:00:00Z","updated_at":"2026-02-01T10:20:00Z","service":{"id":"P2","summary":"Playground"}}`)
	woken, err := hooktest.Receive(t, r.Connection.(hooktest.Receiver), moved, at(20))
	if err != nil || len(woken.Wakes) != 1 {
		t.Fatalf("got %v, %v", woken, err)
	}
	if err := r.Refresh(t, "Q1", at(21)); err != nil {
		t.Fatal(err)
	}
	check("read", hooktest.Known(r.Facts))
}

func TestTheSendersOwnExampleIsVerified(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "signatures", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ System, Secret, Body, Expect string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		if v.System != "pagerduty" {
			continue
		}
		r := receiver(t, v.Secret)
		h := http.Header{"X-Pagerduty-Signature": {v.Expect}}
		if err := r.Verify(h, []byte(v.Body), at(0)); err != nil {
			t.Error(err)
		}
		hooktest.Refuses(t, r, []byte(v.Body+" "), at(0), map[string]http.Header{"changed": h, "unsigned": {}})
		hooktest.Misunderstands(t, r, h, v.Body) // it has no created_at
		return
	}
	t.Error("there is no example")
}

// Of all that PagerDuty can send, what is about an incident itself tells the incident as it then was; what was added to one, and
// what happened to services, is none of ours, whatever its fields look like.
func TestEachTypeOfEventIsHeardOrIgnored(t *testing.T) {
	for _, what := range []string{
		"triggered", "acknowledged", "unacknowledged", "delegated", "escalated", "reassigned", "reopened", "resolved", "priority_updated", "incident_type.changed", "service_updated",
		"something_new",
	} {
		heard, err := hooktest.Receive(t, receiver(t, secret), happened(what, "05", "acknowledged", `,"number":2126,"incident_key":null,"teams":[{"id":"T1","type":"team_reference"}],"assignees":[],`+
			`"escalation_policy":{"id":"E1","summary":"Default"},"conference_bridge":{"conference_number":"+1 555 0100"},"priority":null,"resolve_reason":null,"incident_type":{"name":"major"}`), at(6))
		if err != nil || len(heard.Facts) != 1 || heard.Facts[0].(*event.Incident).Service != "shop" {
			t.Errorf("incident.%s: got %v, %v", what, heard, err)
		}
	}
	for what, data := range map[string]string{
		"incident.annotated":                      `{"id":"N1","type":"incident_note","incident":{"id":"Q1","type":"incident_reference"},"content":"on it","trimmed":false}`,
		"incident.conference_bridge.updated":      `{"type":"incident_conference_bridge","incident":{"id":"Q1"},"conference_numbers":[{"label":"","number":"+1 555 0100"}],"conference_url":null}`,
		"incident.custom_field_values.updated":    `{"type":"incident_field_values","incident":{"id":"Q1"},"custom_fields":[{"id":"F1","value":["a","b"],"type":"field_value"}],"changed_custom_fields":["F1"]}`,
		"incident.responder.added":                `{"type":"incident_responder","incident":{"id":"Q1"},"user":{"id":"U1"},"state":"pending","message":"please","escalation_policy":null}`,
		"incident.responder.replied":              `{"type":"incident_responder","incident":{"id":"Q1"},"user":{"id":"U1"},"state":"accepted","title":null}`,
		"incident.status_update_published":        `{"id":"S1","type":"incident_status_update","incident":{"id":"Q1"},"message":"better","trimmed":false}`,
		"incident.workflow.started":               `{"id":"W1","type":"incident_workflow_instance","incident":{"id":"Q1"},"summary":"call all","incident_workflow":{"id":"IW1"}}`,
		"incident.workflow.completed":             `{"id":"W1","type":"incident_workflow_instance","incident":{"id":"Q1"},"status":{"state":"done"}}`,
		"incident.role.assigned":                  `{"type":"incident_role","title":{"text":"Commander"},"service":"P1"}`,
		"service.created":                         `{"id":"P1","type":"service","summary":"API","status":"active","created_at":"2026-02-01T10:00:00Z","teams":[]}`,
		"service.updated":                         `{"id":"P1","type":"service","summary":"API","alert_creation":"create_alerts_and_incidents"}`,
		"service.deleted":                         `{"id":"P1","type":"service"}`,
		"service.custom_field_values.updated":     `{"type":"service_field_values","service":{"id":"P1"},"custom_fields":[]}`,
		"pagey.ping":                              `{"type":"ping","message":"Hello from your friend Pagey!"}`,
		"subscription.something_that_has_no_data": `null`,
	} {
		body := fmt.Sprintf(`{"event":{"id":"01","event_type":%q,"resource_type":%q,"occurred_at":"2026-02-01T10:05:00Z","agent":{"id":"U1","type":"user_reference"},"client":null,"data":%s}}`, what, strings.SplitN(what, ".", 2)[0], data)
		if heard, err := hooktest.Receive(t, receiver(t, secret), signed(body), at(6)); err != nil || heard.Ignored == "" {
			t.Errorf("%s: got %v, %v", what, heard, err)
		}
	}
}

func TestWhatIsNoIncidentOfOursIsIgnored(t *testing.T) {
	for _, body := range []string{
		`{"event":{"event_type":"incident.annotated","data":{"type":"incident_note","incident":{"id":"Q1"}}}}`,
		`{"event":{"event_type":"service.updated","data":{"type":"service"}}}`,
	} {
		if heard, err := hooktest.Receive(t, receiver(t, secret), signed(body), at(0)); err != nil || heard.Ignored == "" {
			t.Errorf("%s: got %v, %v", body, heard, err)
		}
	}
	hooktest.Misunderstands(t, receiver(t, secret), http.Header{}, "", "{}", "[]", `{"event":{"event_type":"incident.resolved","data":{"type":"incident"}}}`)
	if _, err := pagerduty.New(pagerduty.DefaultConfig(), nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a secret: %v", err)
	}
}

func FuzzHear(f *testing.F) {
	f.Add(happened("resolved", "30", "resolved", `,"priority":{"summary":"P1"}`).Body)
	r := receiver(f, secret)
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
