package opsgenie_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/collectors/opsgenie"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed/feedtest"
	"cairn/internal/hook"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

func at(minute int) time.Time { return time.Date(2026, 2, 1, 10, minute, 0, 0, time.UTC) }

func config() opsgenie.Config {
	cfg := opsgenie.DefaultConfig()
	cfg.Header = hook.Token{Header: "X-Cairn-Token", Secrets: []string{"token"}}
	cfg.Services = []rules.ServiceName{{Match: "Checkout*", Service: "shop"}, {Match: "*sandbox", Service: "none"}}
	return cfg
}

func connection(t testing.TB, cfg opsgenie.Config) *opsgenie.Incidents {
	t.Helper()
	credential, err := opsgenie.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := opsgenie.New(cfg, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sent(body string) hooktest.Request {
	return hooktest.Request{Header: http.Header{"X-Cairn-Token": {"token"}}, Body: []byte(body)}
}

// done is what was done to an alert: it says when in nanoseconds, and when the alert began in milliseconds.
func done(action string, minute int, rest string) hooktest.Request {
	return sent(fmt.Sprintf(`{"action":%q,"alert":{"alertId":"a-1","message":"slow","tinyId":"7","alias":"slow","entity":"","tags":["web"],"priority":"P1","createdAt":%d,"updatedAt":%d,`+
		`"details":{"service":"Checkout API"}%s},"source":{"name":"web","type":"API"},"integrationId":"x","integrationName":"cairn","integrationType":"Webhook"}`,
		action, at(0).UnixMilli(), at(minute).UnixNano()+2246, rest))
}

func TestAnAlertFromBeginningToEnd(t *testing.T) {
	story := []hooktest.Request{done("Create", 0, ""), done("Acknowledge", 4, ""), done("UnAcknowledge", 6, ""), done("Acknowledge", 9, ""), done("AddNote", 12, ""),
		done("Close", 30, ""), done("AddNote", 40, "")}
	fresh := func() hooktest.Receiver { return connection(t, config()) }
	want := event.Incident{ID: "a-1", Service: "shop", Title: "slow", Severity: "P1", StartedAt: at(0), DetectedAt: at(0), AcknowledgedAt: at(4), RestoredAt: at(30), ResolvedAt: at(30)}
	want.Source, want.UpdatedAt = "opsgenie", at(40).Add(-4*time.Millisecond) // four of eight parts are known
	known := hooktest.Converges(t, fresh, at(0), story...)
	if diff := gocmp.Diff(map[string]event.Event{"incident opsgenie a-1": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	known = hooktest.Converges(t, fresh, at(0), done("Create", 0, ""), done("Delete", 5, ""))
	if got := known["incident opsgenie a-1"].(*event.Incident); got.Service != "" || !got.ResolvedAt.Equal(got.StartedAt) {
		t.Errorf("deleted while it was open it counts: %v", got)
	}
	known = hooktest.Converges(t, fresh, at(0), done("Create", 0, ""), done("Close", 5, ""), done("Delete", 6, ""))
	if got := known["incident opsgenie a-1"].(*event.Incident); got.Service != "shop" || !got.ResolvedAt.Equal(at(5)) {
		t.Errorf("tidied away when it was over it is %v", got)
	}
}

func TestWhichAlertsAreIncidentsIsSaidByRules(t *testing.T) {
	a := newAccount(t)
	read := config()
	read.URL, read.APIKey = a.URL, "key"
	ruled := read
	ruled.Alerts = []string{"web", "P5"}
	other := `,"priority":"P3"`
	for name, tc := range map[string]struct {
		cfg  opsgenie.Config
		q    hooktest.Request
		want string
	}{
		"P1 where nothing is read":          {config(), done("Create", 0, ""), "fact"},
		"P3 where nothing is read":          {config(), done("Create", 0, other), "ignored"},
		"P1 where incidents are read":       {read, done("Create", 0, ""), "ignored"},
		"a tag that fits":                   {ruled, done("Create", 0, other), "fact"},
		"of an incident":                    {read, done("Create", 0, `,"details":{"incident-id":"i-1"}`), "wake"},
		"of an incident that is not read":   {config(), done("Create", 0, `,"details":{"incident-id":"i-1"}`), "fact"},
		"of a service that is left out":     {config(), done("Create", 0, `,"details":{"service":"my sandbox"}`), "withdrawn"},
		"of an entity that is left out":     {config(), done("Create", 0, `,"details":{"service":"x"},"entity":"sandbox"`), "withdrawn"},
		"of no service, with older numbers": {config(), sent(`{"action":"Create","alert":{"alertId":"a","priority":"P1","createdAt":"1769940000000","updatedAt":1769940000000}}`), "fact"},
	} {
		heard, err := hooktest.Receive(t, connection(t, tc.cfg), tc.q, at(0))
		got := map[bool]string{len(heard.Facts) > 0: "fact", len(heard.Wakes) > 0: "wake", heard.Ignored != "": "ignored"}[true]
		if got == "fact" && heard.Facts[0].(*event.Incident).Cause == "external" {
			got = "withdrawn"
		}
		if err != nil || got != tc.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, tc.want)
		}
	}
	// Whatever it was before.
	known := hooktest.Converges(t, func() hooktest.Receiver { return connection(t, config()) }, at(0), done("Create", 0, ""), done("AddDetails", 5, `,"details":{"service":"my sandbox"}`))
	for _, got := range known {
		if i := got.(*event.Incident); len(known) != 1 || i.Service != "" || i.Title != "" || i.Cause != "external" {
			t.Errorf("moved to a service that is left out it is %v", known)
		}
	}
	hooktest.Misunderstands(t, connection(t, config()), http.Header{}, "", "{}", "[]", `{"action":"Create"}`, `{"action":"Create","alert":{"alertId":"a"}}`,
		`{"action":"Create","alert":{"alertId":"a","createdAt":-1,"updatedAt":1}}`, `{"action":"Create","alert":{"alertId":"a","createdAt":1e99,"updatedAt":1}}`,
		`{"action":"Create","alert":{"alertId":"a","createdAt":9999999999999999,"updatedAt":1}}`)
	good := done("Create", 0, "")
	hooktest.Refuses(t, connection(t, config()), good.Body, at(0), map[string]http.Header{"without a token": {}, "with another": {"X-Cairn-Token": {"no"}}})
}

// one is an incident of the account.
type one struct {
	id, status, created, updated, start, end string
	services                                 []string
}

func (o one) json() string {
	services := ""
	for _, s := range o.services {
		services += strconv.Quote(s) + ","
	}
	text := fmt.Sprintf(`{"id":%q,"message":"slow","status":%q,"priority":"P3","createdAt":%q,"updatedAt":%q,"impactedServices":[%s],"ownerTeam":"","links":{"web":"https://acme.app.opsgenie.com/incident/detail/%[1]s"}`,
		o.id, o.status, o.created, o.updated, strings.TrimSuffix(services, ","))
	if o.start != "" {
		text += fmt.Sprintf(`,"impactStartDate":%q`, o.start)
	}
	if o.end != "" {
		text += fmt.Sprintf(`,"impactEndDate":%q`, o.end)
	}
	return text + "}"
}

// account is an Opsgenie.
type account struct {
	*httptest.Server
	incidents []one
	services  map[string]string
	status    int // of every answer; 0 is right
	body      string
	requests  []string
}

func newAccount(t testing.TB, incidents ...one) *account {
	a := &account{incidents: incidents, services: map[string]string{"s-1": "Checkout API"}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests = append(a.requests, r.URL.Path+"?"+r.URL.Query().Get("query")+" "+r.URL.Query().Get("offset"))
		q := r.URL.Query()
		path := strings.TrimPrefix(r.URL.Path, "/v1/")
		switch {
		case a.status != 0:
			w.WriteHeader(a.status)
			_, _ = fmt.Fprint(w, a.body)
		case r.Header.Get("Authorization") != "GenieKey key":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprint(w, `{"message":"Key format is not valid!","took":0.0,"requestId":"x"}`)
		case path == "incidents":
			fit := slices.DeleteFunc(slices.Clone(a.incidents), func(o one) bool {
				if strings.Contains(q.Get("query"), "status: open") && o.status != "open" {
					return true
				}
				_, before, bounded := strings.Cut(q.Get("query"), "createdAt < ")
				limit, _ := strconv.ParseInt(before, 10, 64)
				began, _ := time.Parse(time.RFC3339, o.created)
				return bounded && began.UnixMilli() >= limit
			})
			if latest := func(x, y one) int { return cmp.Compare(y.created, x.created) }; !slices.IsSortedFunc(fit, latest) {
				slices.SortStableFunc(fit, latest)
			}
			offset, _ := strconv.Atoi(q.Get("offset"))
			limit, _ := strconv.Atoi(q.Get("limit"))
			if limit > 100 || offset+limit > 20_000 || q.Get("sort") != "createdAt" && limit > 1 {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			end := min(offset+limit, len(fit))
			var texts []string
			for _, o := range fit[min(offset, end):end] {
				texts = append(texts, o.json())
			}
			_, _ = fmt.Fprintf(w, `{"data":[%s],"paging":{},"totalCount":%d,"took":0.1}`, strings.Join(texts, ","), len(fit))
		case strings.HasPrefix(path, "services/"):
			name, known := a.services[strings.TrimPrefix(path, "services/")]
			if !known {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = fmt.Fprintf(w, `{"data":{"id":"s","name":%q}}`, name)
		default:
			for _, o := range a.incidents {
				if path == "incidents/"+o.id {
					_, _ = fmt.Fprintf(w, `{"data":%s}`, o.json())
					return
				}
			}
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *account) reader(t testing.TB) *feedtest.Reader {
	cfg := config()
	cfg.URL, cfg.APIKey = a.URL, "key"
	return &feedtest.Reader{Connection: connection(t, cfg)}
}

func stamp(minute int) string { return at(minute).Format("2006-01-02T15:04:05.999Z07:00") }

func TestIncidentsAreRead(t *testing.T) {
	a := newAccount(t,
		one{"i-1", "open", stamp(0), stamp(1), stamp(-10), "", []string{"s-1"}},
		one{"i-2", "resolved", stamp(2), stamp(20), stamp(-5), stamp(15), []string{"s-2"}},
		one{"i-3", "closed", stamp(3), stamp(30), "", "", nil},
	)
	a.services["s-2"], a.services["s-9"] = "Ledger", "my sandbox"
	a.incidents = append(a.incidents, one{"i-4", "open", stamp(4), stamp(4), "", "", []string{"s-9"}}, one{"i-5", "open", stamp(5), stamp(5), stamp(5), stamp(4), []string{"s-?"}})
	r := a.reader(t)
	if err := r.CatchUp(t, at(60), 0); err != nil {
		t.Fatal(err)
	}
	incident := func(id, service string, started, detected int, updated int, restored, resolved time.Time) *event.Incident {
		i := &event.Incident{ID: id, Service: service, Title: "slow", Severity: "P3", StartedAt: at(started), DetectedAt: at(detected), RestoredAt: restored, ResolvedAt: resolved,
			URL: "https://acme.app.opsgenie.com/incident/detail/" + id}
		i.Source, i.UpdatedAt = "opsgenie", at(updated)
		return i
	}
	want := map[string]event.Event{
		"incident opsgenie i-1": incident("i-1", "shop", -10, 0, 1, time.Time{}, time.Time{}),
		"incident opsgenie i-2": incident("i-2", "Ledger", -5, 2, 20, at(15), at(15)),
		"incident opsgenie i-3": incident("i-3", "", 3, 3, 30, at(30), at(30)),
		"incident opsgenie i-5": incident("i-5", "s-?", 5, 5, 5, time.Time{}, time.Time{}), // its impact ended before it was opened again
	}
	left := &event.Incident{ID: "i-4", StartedAt: at(4), RestoredAt: at(4), ResolvedAt: at(4), Cause: "external"} // it may have been another service's
	left.Source, left.UpdatedAt = "opsgenie", at(4)
	want["incident opsgenie i-4"] = left
	if diff := gocmp.Diff(want, hooktest.Known(r.Facts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// An old one ends, one is renamed with its service, one is new.
	a.incidents[0] = one{"i-1", "resolved", stamp(0), stamp(90), stamp(-10), stamp(85), []string{"s-1"}}
	a.services["s-1"] = "Basket"
	a.incidents = append(a.incidents, one{"i-6", "open", stamp(91), stamp(91), "", "", []string{"s-1"}})
	if err := r.CatchUp(t, at(95), 0); err != nil {
		t.Fatal(err)
	}
	known := hooktest.Known(r.Facts)
	if got := known["incident opsgenie i-1"].(*event.Incident); !got.RestoredAt.Equal(at(85)) || got.Service != "Basket" {
		t.Errorf("the one that ended is %v", got)
	}
	if _, ok := known["incident opsgenie i-6"]; !ok {
		t.Error("the new one is not known")
	}
}

func TestAnOldIncidentThatEndsIsNoticed(t *testing.T) {
	month := -30 * 24 * 60
	a := newAccount(t, one{"i-1", "open", stamp(month), stamp(month), "", "", nil})
	r := a.reader(t)
	if err := r.CatchUp(t, at(0), 0); err != nil {
		t.Fatal(err)
	}
	a.incidents[0] = one{"i-1", "resolved", stamp(month), stamp(10), "", stamp(9), nil}
	if err := r.CatchUp(t, at(15), 0); err != nil {
		t.Fatal(err)
	}
	if got := hooktest.Known(r.Facts)["incident opsgenie i-1"].(*event.Incident); !got.RestoredAt.Equal(at(9)) {
		t.Errorf("it is %v", got)
	}
}

func TestALongListIsReadToItsEnd(t *testing.T) {
	var all []one
	for i := range 20_350 {
		s := stamp(-i / 3)
		all = append(all, one{"i-" + strconv.Itoa(i), "closed", s, s, "", s, nil})
	}
	a := newAccount(t, all...)
	r := a.reader(t)
	if err := r.CatchUp(t, at(60), 70); err != nil {
		t.Fatal(err)
	}
	if got := len(hooktest.Known(r.Facts)); got != len(all) || !r.Report.Complete {
		t.Errorf("%d of %d are known, %+v", got, len(all), r.Report)
	}
}

func TestAKeyThatHasEndedIsSaid(t *testing.T) {
	a := newAccount(t)
	for _, tc := range []struct {
		status     int
		body, says string
	}{
		{422, `{"message":"Key format is not valid!"}`, "api.eu.opsgenie.com"},
		{401, "", "make a new one"},
		{403, "", "configuration access"},
	} {
		a.status, a.body = tc.status, tc.body
		if err := a.reader(t).CatchUp(t, at(0), 0); fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%d: got %v", tc.status, err)
		}
		access, err := a.reader(t).Connection.(*opsgenie.Incidents).Check(t.Context())
		if tc.status == 403 {
			if err != nil || access.Things[0].Denied == "" {
				t.Errorf("Check: got %+v, %v", access, err)
			}
		} else if fault.KindOf(err) != fault.Denied {
			t.Errorf("Check: %d: got %v", tc.status, err)
		}
	}
}

func TestOneIncidentIsReadAgain(t *testing.T) {
	a := newAccount(t, one{"i-1", "open", stamp(0), stamp(1), "", "", []string{"s-1"}})
	r := a.reader(t)
	for _, id := range []string{"i-1", "i-2", "../services/s-1"} {
		if err := r.Refresh(t, id, at(0)); err != nil || len(r.Facts) != 1 {
			t.Errorf("%s: got %v, %v", id, r.Facts, err)
		}
	}
}

func TestWhatIsConfiguredIsWhatWorks(t *testing.T) {
	kind := collectors.Kinds()["opsgenie"]
	link := func(change func(*opsgenie.Config)) (*collectors.Link, error) {
		cfg := kind.Config().(*opsgenie.Config)
		change(cfg)
		return kind.Link(cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()})
	}
	l, err := link(func(cfg *opsgenie.Config) { cfg.APIKey = "k" })
	if err != nil || l.Connection == nil || l.Receiver != nil || l.Connection.Streams()[0].Kind != source.Incidents {
		t.Errorf("with a key alone: got %+v, %v", l, err)
	}
	l, err = link(func(cfg *opsgenie.Config) { cfg.Tokens = []string{"t"} })
	if err != nil || l.Connection != nil || l.Receiver == nil {
		t.Errorf("with a token alone: got %+v, %v", l, err)
	}
	for says, change := range map[string]func(*opsgenie.Config){
		"neither api_key nor": func(*opsgenie.Config) {},
		"header.header":       func(cfg *opsgenie.Config) { cfg.Header.Secrets = []string{"x"} },
		"white space":         func(cfg *opsgenie.Config) { cfg.APIKey = "a b" },
		"url":                 func(cfg *opsgenie.Config) { cfg.APIKey, cfg.URL = "k", "opsgenie" },
		"every":               func(cfg *opsgenie.Config) { cfg.APIKey, cfg.Every = "k", 0 },
		"alerts[0]":           func(cfg *opsgenie.Config) { cfg.APIKey, cfg.Alerts = "k", []string{"/(/"} },
	} {
		if _, err := link(change); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add(done("Close", 5, "").Body)
	c := connection(f, config())
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := c.Hear(c.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}

// Webhooks that Opsgenie has sent write the priority as a number, have keys beside those that are documented, and may have
// no details.
func TestWhatOpsgenieHasSentIsUnderstood(t *testing.T) {
	body := func(action string, updated int64, rest string) hooktest.Request {
		return sent(fmt.Sprintf(`{"action":%q,"alert":{"alertId":"a-2","message":"another","tags":["vip"],"tinyId":"2","entity":"Server","createdAt":%d,"updatedAt":%d,"recipients":[],"teams":[]%s},`+
			`"source":{"name":"web","type":"API"},"integrationType":"Webhook","alertFlowContext":{"content":{}}}`, action, at(0).UnixMilli(), updated, rest))
	}
	cfg := config()
	cfg.Alerts = []string{"P3"}
	cfg.Services = []rules.ServiceName{{Match: "Server", Service: "shop"}}
	want := event.Incident{ID: "a-2", Service: "shop", Title: "another", Severity: "P3", StartedAt: at(0), DetectedAt: at(0), RestoredAt: at(9), ResolvedAt: at(9)}
	want.Source, want.UpdatedAt = "opsgenie", at(9).Add(-6*time.Millisecond) // two of eight parts are known
	known := hooktest.Converges(t, func() hooktest.Receiver { return connection(t, cfg) }, at(0),
		body("Create", at(0).UnixNano()+110, `,"insertedAt":1502709956288000110,"priority":3`), body("Close", at(9).UnixNano()+1603, `,"priority":3,"details":[]`))
	if diff := gocmp.Diff(map[string]event.Event{"incident opsgenie a-2": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
