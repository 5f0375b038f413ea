package tickets_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/tickets"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

const secret = "correct-horse"

func at(minute int) time.Time { return time.Date(2026, 2, 1, 10, minute, 0, 0, time.UTC) }

func receiver(t testing.TB, cfg tickets.Config) *tickets.Receiver {
	t.Helper()
	r, err := tickets.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// jira is what works without any mapping.
func jira() tickets.Config {
	cfg := tickets.DefaultConfig()
	cfg.Name, cfg.Preset = "jira", "jira"
	cfg.Signing.Secrets = []string{secret}
	cfg.Services = []rules.ServiceName{{Match: "Checkout*", Service: "shop"}, {Match: "Sandbox", Service: "none"}}
	return cfg
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"X-Hub-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "X-Atlassian-Webhook-Identifier": {"w-1"}}, Body: []byte(body)}
}

// jiraTime is how Jira writes instants, in the zone of whoever set it up.
func jiraTime(minute int) string {
	return at(minute).In(time.FixedZone("", 2*3600)).Format("2006-01-02T15:04:05.000-0700")
}

// issue is a webhook of Jira; at a minute, the issue is in a category of statuses.
func issue(webhook string, minute int, category, resolved, rest string) hooktest.Request {
	text := fmt.Sprintf(`{"timestamp":%d,"webhookEvent":%q,"issue_event_type_name":"issue_generic","user":{"displayName":"Ada"},"issue":{"id":"10001","key":"OPS-7",`+
		`"self":"https://acme.atlassian.net/rest/api/2/10001","fields":{"summary":"Checkout is slow","created":%q,"updated":%q,"issuetype":{"name":"[System] Incident"},`+
		`"priority":{"name":"High"},"status":{"name":"A status","statusCategory":{"key":%q}},"components":[{"name":"Frontend"},{"name":"Checkout API"}],"labels":[],`+
		`"resolutiondate":%s,"resolution":null,"statuscategorychangedate":%q}}}`,
		at(minute).UnixMilli(), webhook, jiraTime(0), jiraTime(minute), category, resolved, jiraTime(minute))
	if rest != "" {
		was, is, _ := strings.Cut(rest, " => ")
		if !strings.Contains(text, was) {
			panic(was)
		}
		text = strings.Replace(text, was, is, 1)
	}
	return signed(text)
}

func TestAnIssueOfJiraFromBeginningToEnd(t *testing.T) {
	ended := fmt.Sprintf("%q", jiraTime(30))
	story := []hooktest.Request{issue("jira:issue_created", 0, "new", "null", ""), issue("jira:issue_updated", 5, "indeterminate", "null", ""),
		issue("jira:issue_updated", 30, "done", ended, ""), issue("jira:issue_updated", 40, "done", ended, `"High" => "Highest"`)}
	fresh := func() hooktest.Receiver { return receiver(t, jira()) }
	want := event.Incident{ID: "10001", Service: "shop", Title: "Checkout is slow", Severity: "Highest", StartedAt: at(0), DetectedAt: at(0), RestoredAt: at(30), ResolvedAt: at(30),
		URL: "https://acme.atlassian.net/browse/OPS-7"}
	want.Source, want.UpdatedAt = "jira", at(40)
	known := hooktest.Converges(t, fresh, at(0), story...)
	if diff := cmp.Diff(map[string]event.Event{"incident jira 10001": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// It moves to another project and stays itself.
	known = hooktest.Converges(t, fresh, at(0), append(story, issue("jira:issue_updated", 45, "done", ended, `"OPS-7" => "SRE-1"`))...)
	if got := known["incident jira 10001"].(*event.Incident); len(known) != 1 || got.URL != "https://acme.atlassian.net/browse/SRE-1" {
		t.Errorf("moved it is %v", known)
	}
	known = hooktest.Converges(t, fresh, at(0), append(story, issue("jira:issue_updated", 50, "indeterminate", ended, ""))...)
	if got := known["incident jira 10001"].(*event.Incident); !got.ResolvedAt.IsZero() || !got.RestoredAt.IsZero() {
		t.Errorf("opened again it is still over: %v", got)
	}
	for name, q := range map[string]hooktest.Request{
		"deleted":                             issue("jira:issue_deleted", 50, "new", "null", ""),
		"a duplicate":                         issue("jira:issue_updated", 50, "done", ended, `"resolution":null => "resolution":{"name":"Duplicate"}`),
		"moved to a service that is left out": issue("jira:issue_updated", 50, "indeterminate", "null", `{"name":"Frontend"},{"name":"Checkout API"} => {"name":"Sandbox"}`),
		"of no service":                       issue("jira:issue_deleted", 50, "done", ended, `"Checkout API" => "Sandbox"`),
	} {
		known = hooktest.Converges(t, fresh, at(0), append(story, q)...)
		if got := known["incident jira 10001"].(*event.Incident); got.Service != "" || got.Cause != "external" || !got.ResolvedAt.Equal(got.StartedAt) {
			t.Errorf("%s it counts: %v", name, got)
		}
	}
	known = hooktest.Converges(t, fresh, at(0), issue("jira:issue_updated", 30, "done", "null", ""))
	if got := known["incident jira 10001"].(*event.Incident); !got.ResolvedAt.Equal(at(30)) {
		t.Errorf("without a resolution it was resolved at %s", got.ResolvedAt)
	}
}

func TestVeryOldServersOfJiraHaveNoCategoriesOfStatuses(t *testing.T) {
	cfg := jira()
	cfg.Resolved = []string{"Done", "Resolved", "Closed"}
	for category, over := range map[string]bool{"Closed": true, "Reopened": false} {
		q := issue("jira:issue_updated", 30, "x", "null", `"name":"A status","statusCategory":{"key":"x"} => "name":"`+category+`"`)
		got := hooktest.Facts(t, receiver(t, cfg), q, at(0))[0].(*event.Incident)
		if got.ResolvedAt.Equal(at(30)) != over || got.RestoredAt.Equal(at(30)) != over {
			t.Errorf("%s it is %v", category, got)
		}
	}
}

func TestWhatIsNoIncidentOfOursIsIgnored(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  tickets.Config
		q    hooktest.Request
		says string
	}{
		"a comment":          {jira(), issue("comment_created", 1, "new", "null", ""), "not about the state"},
		"a story":            {jira(), issue("jira:issue_created", 1, "new", "null", `"[System] Incident" => "Story"`), "no incident by the rules"},
		"without a type":     {jira(), issue("jira:issue_created", 1, "new", "null", `"issuetype":{"name":"[System] Incident"}, => `), "nothing stands at issue.fields.issuetype.name"},
		"another table":      {snow(), record("1", 1, `"incident" => "problem"`), "not about the state"},
		"a mouse":            {snow(), record("1", 1, `"priority":"1" => "priority":"4"`), "no incident by the rules"},
		"without a priority": {snow(), record("1", 1, `"priority":"1", => `), "nothing stands at priority"},
	} {
		heard, err := hooktest.Receive(t, receiver(t, tc.cfg), tc.q, at(0))
		if err != nil || !strings.Contains(heard.Ignored, tc.says) {
			t.Errorf("%s: got %v, %v", name, heard, err)
		}
	}
}

func TestWhoeverSendsHasToShowTheSecret(t *testing.T) {
	good := issue("jira:issue_created", 0, "new", "null", "")
	hooktest.Refuses(t, receiver(t, jira()), append(good.Body, ' '), at(0), map[string]http.Header{"changed": good.Header, "unsigned": {}})
	hooktest.Refuses(t, receiver(t, snow()), good.Body, at(0), map[string]http.Header{"another token": {"Authorization": {"Bearer no"}}, "none": {}})
}

// snow is ServiceNow with the rule of the documentation.
func snow() tickets.Config {
	cfg := tickets.DefaultConfig()
	cfg.Name, cfg.Preset = "servicenow", "servicenow"
	cfg.Tokens = []string{secret}
	return cfg
}

func snowTime(minute int) string { return at(minute).Format("2006-01-02 15:04:05") }

// record is what the business rule sends in a state; each has changed the record once more, at the same second or later.
func record(state string, minute int, changes ...string) hooktest.Request {
	resolved, closed := "", ""
	if state == "6" || state == "7" || state == "2" {
		resolved = snowTime(30)
	}
	if state == "7" {
		closed = snowTime(60)
	}
	text := fmt.Sprintf(`{"table":"incident","operation":"update","sys_id":"9d385017c611228701d22104cc95c371","number":"INC0010001","short_description":"Checkout is slow","state":%q,`+
		`"priority":"1","business_service":"Checkout","cmdb_ci":"shop-api-3","opened_at":%q,"work_start":%q,"resolved_at":%q,"closed_at":%q,"sys_updated_on":%q,"sys_mod_count":%q,`+
		`"url":"https://acme.service-now.com/incident.do?sys_id=9d385017c611228701d22104cc95c371"}`,
		state, snowTime(0), snowTime(4), resolved, closed, snowTime(minute), state)
	for _, change := range changes {
		was, is, _ := strings.Cut(change, " => ")
		if !strings.Contains(text, was) {
			panic(was)
		}
		text = strings.Replace(text, was, is, 1)
	}
	return hooktest.Request{Header: http.Header{"Authorization": {"Bearer " + secret}}, Body: []byte(text)}
}

func TestARecordOfServiceNowFromBeginningToEnd(t *testing.T) {
	fresh := func() hooktest.Receiver { return receiver(t, snow()) }
	want := event.Incident{ID: "9d385017c611228701d22104cc95c371", Service: "Checkout", Title: "Checkout is slow", Severity: "1", StartedAt: at(0), DetectedAt: at(0), AcknowledgedAt: at(4),
		RestoredAt: at(30), ResolvedAt: at(60), URL: "https://acme.service-now.com/incident.do?sys_id=9d385017c611228701d22104cc95c371"}
	want.Source, want.UpdatedAt = "servicenow", at(60).Add(7*time.Millisecond)
	story := []hooktest.Request{record("1", 0), record("6", 30), record("7", 60)}
	known := hooktest.Converges(t, fresh, at(0), story...)
	if diff := cmp.Diff(map[string]event.Event{"incident servicenow 9d385017c611228701d22104cc95c371": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	get := func(requests ...hooktest.Request) *event.Incident {
		return hooktest.Converges(t, fresh, at(0), requests...)["incident servicenow 9d385017c611228701d22104cc95c371"].(*event.Incident)
	}
	if got := get(record("1", 30), record("6", 30)); !got.RestoredAt.Equal(at(30)) { // in one second
		t.Errorf("resolved in the second in which it began it is %v", got)
	}
	if got := get(record("6", 30), record("2", 40)); !got.RestoredAt.IsZero() || !got.ResolvedAt.IsZero() {
		t.Errorf("opened again it is still over: %v", got)
	}
	for name, q := range map[string]hooktest.Request{"canceled": record("8", 70), "deleted": record("1", 70, `"update" => "delete"`)} {
		if got := get(record("1", 0), q); got.Service != "" || got.Cause != "external" {
			t.Errorf("%s it counts: %v", name, got)
		}
	}
}

// own is a mapping of one's own, of a system that nobody knows.
func own() tickets.Config {
	cfg := tickets.DefaultConfig()
	cfg.Tokens = []string{secret}
	cfg.TimeZone = "Europe/Berlin"
	cfg.Fields = tickets.Fields{
		ID: []string{"ticket.id"}, Title: []string{"ticket.subject"}, Status: []string{"ticket.state"}, Severity: []string{"ticket.prio"},
		Service: []string{`ticket.custom.#(name=="service").value`}, Started: []string{"ticket.impact_began", "ticket.opened"}, Restored: []string{"ticket.mitigated"}, Resolved: []string{"ticket.closed"},
	}
	cfg.Incidents = map[string][]string{"ticket.type": {"incident"}, "ticket.prio": {"1", "2"}}
	cfg.Resolved = []string{"closed*"}
	cfg.Link = "https://help.acme.com/{id}"
	return cfg
}

func body(text string) hooktest.Request {
	return hooktest.Request{Header: http.Header{"Authorization": {"Bearer " + secret}}, Body: []byte(text)}
}

func TestAMappingOfOnesOwn(t *testing.T) {
	r := receiver(t, own())
	heard, err := r.Hear(source.Delivery{Body: body(`{"ticket":{"id":17,"subject":"slow","state":"closed (fixed)","prio":2,"type":"Incident","custom":[{"name":"team","value":"x"},{"name":"service","value":"shop"}],` +
		`"impact_began":"2026-02-01 11:00","opened":1769940300,"mitigated":1769941800000,"closed":"2026-02-01T12:00:00"}}`).Body, ReceivedAt: at(90)})
	want := &event.Incident{ID: "17", Service: "shop", Title: "slow", Severity: "2", StartedAt: at(0), RestoredAt: at(30), ResolvedAt: at(60), URL: "https://help.acme.com/17"}
	want.Source, want.UpdatedAt = "tickets", at(90)
	if diff := cmp.Diff([]event.Event{want}, heard.Facts); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	// What was mitigated is restored while its ticket is open; a service is never made up.
	heard, err = r.Hear(source.Delivery{Body: []byte(`{"ticket":{"id":17,"state":"open","prio":2,"type":"incident","opened":1769940300,"mitigated":"2026-02-01T10:30:00Z"}}`), ReceivedAt: at(90)})
	if err != nil || len(heard.Facts) != 1 {
		t.Fatalf("got %v, %v", heard, err)
	}
	if got := heard.Facts[0].(*event.Incident); !got.RestoredAt.Equal(at(30)) || !got.ResolvedAt.IsZero() || got.Service != "" || !got.StartedAt.Equal(at(5)) {
		t.Errorf("mitigated it is %v", got)
	}
}

func TestAMappingThatDoesNotFitSaysWhereAndWhatIsThere(t *testing.T) {
	r := receiver(t, own())
	for text, says := range map[string]string{
		`[]`: "the payload is not an object, as a ticket is",
		`{"ticket":{"type":"incident","prio":1,"state":"open","opened":1769940300}}`:                                                    "fields.id: nothing stands at ticket.id",
		`{"ticket":{"id":1,"type":"incident","prio":1,"state":"open"}}`:                                                                 "fields.started: nothing stands at ticket.impact_began or ticket.opened",
		`{"ticket":{"id":1,"type":"incident","prio":1,"opened":1769940300}}`:                                                            "fields.status: nothing stands at ticket.state",
		`{"ticket":{"id":{"n":1},"type":"incident","prio":1,"state":"open","opened":1769940300}}`:                                       `fields.id: at ticket.id stands an object, {"n":1}: expected a text; name the part of it, such as ticket.id.name`,
		`{"ticket":{"id":1,"type":"incident","prio":1,"state":"open","opened":"yesterday"}}`:                                            `fields.started: at ticket.opened stands "yesterday": expected an instant`,
		`{"ticket":{"id":1,"type":"incident","prio":1,"state":"open","opened":99999}}`:                                                  "fields.started: at ticket.opened stands 99999: expected an instant",
		`{"ticket":{"id":1,"type":"incident","prio":1,"state":"open","opened":"` + strings.Repeat("x", 500) + `"}}`:                     "…: expected an instant",
		`{"ticket":{"id":1,"type":"incident","prio":1,"state":"open","opened":1769940300,"mitigated":[{"at":"2026-02-01T10:30:00Z"}]}}`: "fields.restored: at ticket.mitigated stands a list",
	} {
		_, err := r.Hear(source.Delivery{Body: []byte(text)})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) || len(err.Error()) > 300 {
			t.Errorf("%s\nsays %v\nwant %s", text, err, says)
		}
	}
	hooktest.Misunderstands(t, r, http.Header{}, "", "{", strings.Repeat("[", 1_000_000), `{"ticket":`+strings.Repeat(`{"a":`, 20_000))
	// A ticket that is well but for how deep something in it is.
	deep := func(n int) string {
		return `{"ticket":{"id":1,"type":"incident","prio":1,"state":"open","opened":1769940300,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
	}
	if _, err := r.Hear(source.Delivery{Body: []byte(deep(100))}); err != nil {
		t.Errorf("a hundred deep: %v", err)
	}
	hooktest.Misunderstands(t, r, http.Header{}, deep(20_000))
}

func TestAConfigurationThatCannotWorkSaysSo(t *testing.T) {
	for says, change := range map[string]func(*tickets.Config){
		"set tokens, basic, signing or header":   func(cfg *tickets.Config) { cfg.Tokens = nil },
		"expected one of jira, servicenow":       func(cfg *tickets.Config) { cfg.Preset = "zendesk" },
		"fields.id is empty":                     func(cfg *tickets.Config) { cfg.Fields.ID = nil },
		"fields.started is empty":                func(cfg *tickets.Config) { cfg.Fields.Started = nil },
		"fields.title[0] is empty":               func(cfg *tickets.Config) { cfg.Fields.Title = []string{" "} },
		"incidents is empty":                     func(cfg *tickets.Config) { cfg.Incidents = nil },
		"resolved is empty":                      func(cfg *tickets.Config) { cfg.Resolved = nil },
		"incidents.a.b[0].match":                 func(cfg *tickets.Config) { cfg.Incidents = map[string][]string{"a.b": {"/(/"}} },
		"time_zone is \"Berlin\"":                func(cfg *tickets.Config) { cfg.TimeZone = "Berlin" },
		"services[0].service is empty":           func(cfg *tickets.Config) { cfg.Services = []rules.ServiceName{{Match: "x"}} },
		"resolved[0].match is \"\": it is empty": func(cfg *tickets.Config) { cfg.Resolved = []string{""} },
	} {
		cfg := own()
		change(&cfg)
		if _, err := tickets.New(cfg, nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
}

func TestWhatIsSetTakesThePlaceOfThePreset(t *testing.T) {
	cfg := jira()
	cfg.Fields.ID = []string{"issue.key"}
	cfg.Fields.Service = []string{"issue.fields.labels"}
	cfg.Incidents = map[string][]string{"issue.fields.priority.name": {"High*"}}
	cfg.Withdrawn = map[string][]string{}
	facts := hooktest.Facts(t, receiver(t, cfg), issue("jira:issue_deleted", 5, "new", "null", `"labels":[] => "labels":["Checkout","x"]`), at(0))
	if got := facts[0].(*event.Incident); got.ID != "OPS-7" || got.Service != "shop" || got.Cause != "" {
		t.Errorf("got %v", got)
	}
}

func FuzzHear(f *testing.F) {
	f.Add(issue("jira:issue_updated", 30, "done", "null", "").Body)
	f.Add(record("7", 60).Body)
	f.Add([]byte(`{"ticket":{"id":17,"state":"closed","prio":2,"type":"Incident","custom":[{"name":"service","value":"shop"}],"opened":1769940300,"closed":"2026-02-01T12:00:00"}}`))
	all := []*tickets.Receiver{receiver(f, jira()), receiver(f, snow()), receiver(f, own())}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range all {
			if _, err := r.Hear(r.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want it invalid", err)
			}
		}
	})
}
