package pagerduty_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors"
	"cairn/collectors/pagerduty"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed/feedtest"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

// entry is something that happened to an incident.
type entry struct {
	what string // acknowledged, resolved, reopened, merged, priority_updated
	at   time.Time
}

// incident is one of a made-up PagerDuty.
type incident struct {
	id      string
	created time.Time
	entries []entry
	knows   string          // the field beside the log that says when it was resolved; "" is none
	raw     json.RawMessage // instead of all that
}

func (i incident) status() string {
	status := "triggered"
	for _, e := range i.entries {
		switch e.what {
		case "resolved", "acknowledged":
			status = e.what
		case "merged":
			status = "resolved"
		case "reopened":
			status = "triggered"
		}
	}
	return status
}

func (i incident) updated() time.Time {
	if len(i.entries) == 0 {
		return i.created
	}
	return i.entries[len(i.entries)-1].at
}

// fields are those that answers and webhooks have both.
func (i incident) fields() map[string]any {
	f := map[string]any{"id": i.id, "type": "incident", "status": i.status(), "title": "slow", "created_at": i.created.Format(time.RFC3339), "urgency": "high",
		"html_url": "https://acme.pagerduty.com/incidents/" + i.id, "service": map[string]any{"id": "P1", "summary": "API", "type": "service_reference"}, "priority": nil, "resolve_reason": nil}
	for _, e := range i.entries {
		switch e.what {
		case "priority_updated":
			f["priority"] = map[string]any{"id": "PR", "summary": "P2"}
		case "merged":
			f["resolve_reason"] = map[string]any{"type": "merge_resolve_reason", "incident": map[string]any{"id": "Q0"}}
		}
	}
	return f
}

func (i incident) answer() any {
	if i.raw != nil {
		return i.raw
	}
	f := i.fields()
	f["updated_at"], f["last_status_change_at"], f["resolved_at"] = i.updated().Format(time.RFC3339), nil, nil
	for _, e := range i.entries {
		if e.what != "priority_updated" && i.knows != "" && i.status() == "resolved" {
			f[i.knows] = e.at.Format(time.RFC3339)
		}
	}
	return f
}

// webhooks are what PagerDuty sent of an incident, with milliseconds.
func (i incident) webhooks() (sent []hooktest.Request) {
	for n := range len(i.entries) + 1 {
		then := incident{id: i.id, created: i.created, entries: i.entries[:n]}
		what, at := "triggered", i.created
		if n > 0 {
			what, at = i.entries[n-1].what, i.entries[n-1].at
		}
		if what == "merged" {
			what = "resolved"
		}
		text, _ := json.Marshal(map[string]any{"event": map[string]any{"id": fmt.Sprint(i.id, n), "event_type": "incident." + what, "resource_type": "incident",
			"occurred_at": at.Format("2006-01-02T15:04:05.000Z07:00"), "data": then.fields()}})
		sent = append(sent, signed(string(text)))
	}
	return sent
}

// account is a PagerDuty.
type account struct {
	*httptest.Server
	incidents []incident
	status    int // of every answer; 0 is right
	requests  []string
}

func newAccount(t testing.TB, incidents ...incident) *account {
	a := &account{incidents: incidents}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a.requests = append(a.requests, r.URL.String())
	path := strings.TrimPrefix(r.URL.Path, "/incidents")
	refuse := func(status int) { w.WriteHeader(status) }
	tell := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	switch {
	case a.status != 0:
		refuse(a.status)
		return
	case r.Header.Get("Authorization") != "Token token=key" || !strings.Contains(r.Header.Get("Accept"), "version=2"):
		refuse(http.StatusUnauthorized)
		return
	case path != "":
		for _, i := range a.incidents {
			if path == "/"+i.id {
				tell(map[string]any{"incident": i.answer()})
				return
			}
			if path == "/"+i.id+"/log_entries" {
				entries := []map[string]any{{"type": "trigger_log_entry", "created_at": i.created.Format(time.RFC3339)}}
				for _, e := range i.entries {
					kind := strings.NewReplacer("acknowledged", "acknowledge", "resolved", "resolve", "merged", "resolve", "reopened", "reopen", "priority_updated", "priority_change").Replace(e.what)
					if kind == "resolve" && i.knows != "" {
						continue // as if it were not logged: the field alone says it
					}
					entries = append(entries, map[string]any{"type": kind + "_log_entry", "created_at": e.at.Format(time.RFC3339)})
				}
				slices.Reverse(entries)
				tell(map[string]any{"log_entries": entries, "more": false})
				return
			}
		}
		refuse(http.StatusNotFound)
		return
	}
	since, _ := time.Parse(time.RFC3339, q.Get("since"))
	until, _ := time.Parse(time.RFC3339, q.Get("until"))
	all := q.Get("date_range") == "all"
	limit, _ := strconv.Atoi(q.Get("limit"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	if limit > 100 || offset+limit > 10_000 || !all && (until.Sub(since) > 180*24*time.Hour || since.IsZero() || until.IsZero()) {
		refuse(http.StatusBadRequest)
		return
	}
	fit := slices.DeleteFunc(slices.Clone(a.incidents), func(i incident) bool {
		return !all && (i.created.Before(since) || !i.created.Before(until)) || len(q["statuses[]"]) > 0 && !slices.Contains(q["statuses[]"], i.status())
	})
	order := func(x, y incident) int { return y.created.Compare(x.created) }
	if q.Get("sort_by") == "created_at:asc" {
		order = func(x, y incident) int { return x.created.Compare(y.created) }
	}
	if !slices.IsSortedFunc(fit, order) {
		slices.SortStableFunc(fit, order)
	}
	end := min(offset+limit, len(fit))
	page := []any{}
	for _, i := range fit[min(offset, end):end] {
		page = append(page, i.answer())
	}
	tell(map[string]any{"incidents": page, "limit": limit, "offset": offset, "more": end < len(fit), "total": len(fit)})
}

func (a *account) connection(t testing.TB) *pagerduty.Incidents {
	t.Helper()
	cfg := pagerduty.DefaultConfig()
	cfg.URL, cfg.APIKey, cfg.WebhookSecrets = a.URL, "key", []string{secret}
	cfg.Services = []rules.ServiceName{{Match: "P1", Service: "shop"}, {Match: "Playground", Service: "none"}}
	credential, err := pagerduty.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pagerduty.New(cfg, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *account) reader(t testing.TB) *feedtest.Reader {
	return &feedtest.Reader{Connection: a.connection(t)}
}

// Whatever happens to an incident, those who hear of it and those who read it know the same; and of both, in any order,
// nothing is known otherwise.
func TestReadingAndHearingTellTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		i := incident{id: "Q1", created: at(0), knows: rapid.SampledFrom([]string{"", "last_status_change_at", "resolved_at"}).Draw(rt, "knows")}
		now := at(0)
		for range rapid.IntRange(0, 6).Draw(rt, "entries") {
			now = now.Add(time.Duration(rapid.IntRange(1, 5_000).Draw(rt, "later")) * time.Millisecond * 100)
			what := "acknowledged"
			if i.status() == "resolved" {
				what = rapid.SampledFrom([]string{"reopened", "priority_updated"}).Draw(rt, "what")
			} else {
				what = rapid.SampledFrom([]string{what, "resolved", "priority_updated", "merged"}).Draw(rt, "what")
			}
			if what == "reopened" && slices.ContainsFunc(i.entries, func(e entry) bool { return e.what == "merged" }) {
				continue // what was merged is not opened again
			}
			i.entries = append(i.entries, entry{what, now})
		}
		hearing := receiver(t, secret)
		var heard []event.Event
		for _, q := range i.webhooks() {
			heard = append(heard, hooktest.Facts(t, hearing, q, at(0))...)
		}
		a := newAccount(t, i)
		defer a.Close()
		r := a.reader(t)
		if err := r.CatchUp(t, at(120), 0); err != nil {
			rt.Fatal(err)
		}
		read := hooktest.Known(r.Facts)
		for key, other := range hooktest.Known(heard) {
			was := *other.(*event.Incident)
			is, ok := read[key].(*event.Incident)
			if !ok {
				rt.Fatalf("%s was heard and not read", key)
			}
			if event.Version(is) < event.Version(&was) {
				rt.Errorf("what was heard at %s wins over what is read at %s", was.UpdatedAt, is.UpdatedAt)
			}
			was.UpdatedAt = is.UpdatedAt
			if diff := cmp.Diff(&was, is); diff != "" {
				rt.Errorf("(-heard +read):\n%s", diff)
			}
		}
	})
}

func TestAWebhookHasItsIncidentReadAgain(t *testing.T) {
	i := incident{id: "Q1", created: at(0), entries: []entry{{"acknowledged", at(5)}, {"resolved", at(30)}}}
	a := newAccount(t, i)
	c := a.connection(t)
	for _, q := range i.webhooks() {
		heard, err := hooktest.Receive(t, c, q, at(0))
		if diff := cmp.Diff([]source.Wake{{Stream: "incidents", Subject: "Q1"}}, heard.Wakes); err != nil || diff != "" || len(heard.Facts) > 0 {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	r := &feedtest.Reader{Connection: c}
	if err := r.Refresh(t, "Q1", at(31)); err != nil {
		t.Fatal(err)
	}
	want := &event.Incident{ID: "Q1", Service: "shop", Title: "slow", Severity: "high", URL: "https://acme.pagerduty.com/incidents/Q1",
		StartedAt: at(0), AcknowledgedAt: at(5), RestoredAt: at(30), ResolvedAt: at(30)}
	want.Source, want.UpdatedAt = "pagerduty", at(30).Add(999*time.Millisecond)
	if diff := cmp.Diff([]event.Event{want}, r.Facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, stranger := range []string{"Q2", "../users"} {
		if err := r.Refresh(t, stranger, at(31)); err != nil || len(r.Facts) != 1 {
			t.Errorf("%s: got %v, %v", stranger, r.Facts, err)
		}
	}
}

// PagerDuty's published examples, as they came.
func TestPublishedExamplesAreRead(t *testing.T) {
	a := newAccount(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		text, err := os.ReadFile(sharedtest.Path(t, "payloads", "pagerduty", "incidents", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var i struct {
			ID      string
			Created time.Time `json:"created_at"`
		}
		if err := json.Unmarshal(text, &i); err != nil {
			t.Fatal(err)
		}
		a.incidents = append(a.incidents, incident{id: i.ID, created: i.Created, raw: text})
	}
	// They are all triggered: the log has nothing but that.
	day := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	want := map[string]event.Event{}
	for _, i := range []struct{ id, service, title, severity, started, updated string }{
		{"Q1QGYB805SG874", "API Gateway MTBF Test", "Test incident", "P2", "2025-11-07T08:48:39Z", "2025-11-17T14:17:49.999Z"},
		{"Q2LUAAA3RGK9UP", "API Gateway MTBF Test", "Test Title", "P2", "2025-11-07T08:54:23Z", "2025-11-07T08:54:23.999Z"},
		{"Q3XPBJRWJEU9R9", "PORT-2", "High latency detected in checkout flow - MCP Guide Test", "high", "2025-12-02T04:41:16Z", "2025-12-02T05:11:16.999Z"},
		{"Q17MJPM38GKM2Q", "Created Service From Port", "Test incident from n8n", "high", "2025-12-03T23:23:50Z", "2025-12-03T23:53:52.999Z"},
	} {
		f := &event.Incident{ID: i.id, Service: i.service, Title: i.title, Severity: i.severity, StartedAt: day(i.started), URL: "https://getport-io.pagerduty.com/incidents/" + i.id}
		f.Source, f.UpdatedAt = "pagerduty", day(i.updated)
		want["incident pagerduty "+i.id] = f
	}
	for crash := range 4 {
		r := a.reader(t)
		for _, asOf := range []string{"2025-12-05T00:00:00Z", "2025-12-05T01:00:00Z", "2025-12-04T23:00:00Z"} { // and a clock that is set back
			if err := r.CatchUp(t, day(asOf), crash); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, hooktest.Known(r.Facts)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestALongHistoryIsReadByMonths(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads ten thousand incidents")
	}
	a := newAccount(t)
	for i := range 10_100 { // in one month, more than PagerDuty gives behind the first
		a.incidents = append(a.incidents, incident{id: "Q" + strconv.Itoa(i), created: at(-3 * i)})
	}
	a.incidents = append(a.incidents, incident{id: "OLD", created: at(-900 * 24 * 60), entries: []entry{{"resolved", at(-899 * 24 * 60)}}})
	r := a.reader(t)
	if err := r.CatchUp(t, at(60), 0); err != nil {
		t.Fatal(err)
	}
	if got := len(hooktest.Known(r.Facts)); got != len(a.incidents) || !r.Report.Complete {
		t.Errorf("%d of %d are known; %+v", got, len(a.incidents), r.Report)
	}
}

func TestWhatEndsBetweenTwoLooksIsNoticed(t *testing.T) {
	month := -30 * 24 * 60
	a := newAccount(t, incident{id: "Q1", created: at(month)}, incident{id: "Q2", created: at(month * 2)}, incident{id: "Q3", created: at(month * 9)})
	r := a.reader(t)
	if err := r.CatchUp(t, at(0), 0); err != nil {
		t.Fatal(err)
	}
	a.incidents[0].entries = []entry{{"acknowledged", at(1)}, {"resolved", at(10)}}
	a.incidents[2].entries = []entry{{"merged", at(11)}}
	a.incidents = slices.Delete(a.incidents, 1, 2) // it was deleted
	told := len(r.Facts)
	for range 2 {
		if err := r.CatchUp(t, at(15), 0); err != nil {
			t.Fatal(err)
		}
	}
	known := hooktest.Known(r.Facts)
	if got := known["incident pagerduty Q1"].(*event.Incident); !got.ResolvedAt.Equal(at(10)) || !got.AcknowledgedAt.Equal(at(1)) {
		t.Errorf("the one that ended is %v", got)
	}
	if got := known["incident pagerduty Q3"].(*event.Incident); got.Service != "" || got.Cause != "external" {
		t.Errorf("the one that was merged is %v", got)
	}
	if got := len(r.Facts) - told; got != 2 {
		t.Errorf("%d facts were told for two changes", got)
	}
}

func TestAKeyThatHasEndedIsSaid(t *testing.T) {
	a := newAccount(t)
	for status, says := range map[int]string{401: "make a new one", 403: "read-only is enough"} {
		a.status = status
		if err := a.reader(t).CatchUp(t, at(0), 0); fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: got %v", status, err)
		}
		access, err := a.connection(t).Check(t.Context())
		if status == 401 && fault.KindOf(err) != fault.Denied || status == 403 && (err != nil || access.Things[0].Denied == "") {
			t.Errorf("Check: %d: got %+v, %v", status, access, err)
		}
	}
}

func TestWhatIsConfiguredIsWhatWorks(t *testing.T) {
	kind := collectors.Kinds()["pagerduty"]
	link := func(change func(*pagerduty.Config)) (*collectors.Link, error) {
		cfg := kind.Config().(*pagerduty.Config)
		change(cfg)
		return kind.Link(cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()})
	}
	l, err := link(func(cfg *pagerduty.Config) { cfg.APIKey = "k" })
	if err != nil || l.Connection == nil || l.Receiver != nil {
		t.Errorf("with a key alone: got %+v, %v", l, err)
	}
	l, err = link(func(cfg *pagerduty.Config) { cfg.WebhookSecrets = []string{"s"} })
	if err != nil || l.Connection != nil || l.Receiver == nil {
		t.Errorf("with a secret alone: got %+v, %v", l, err)
	}
	for says, change := range map[string]func(*pagerduty.Config){
		"neither api_key nor": func(*pagerduty.Config) {},
		"white space":         func(cfg *pagerduty.Config) { cfg.APIKey = "a b" },
		"url":                 func(cfg *pagerduty.Config) { cfg.APIKey, cfg.URL = "k", "pagerduty" },
		"every":               func(cfg *pagerduty.Config) { cfg.APIKey, cfg.Every = "k", 0 },
		"webhook_secrets":     func(cfg *pagerduty.Config) { cfg.WebhookSecrets = []string{""} },
	} {
		if _, err := link(change); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
}
