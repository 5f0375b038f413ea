package incidentio_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

	"cairn/collectors"
	"cairn/collectors/incidentio"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed/feedtest"
	"cairn/internal/hook/hooktest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const secret = "whsec_Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ=="

func at(minute int) time.Time { return time.Date(2026, 2, 1, 10, minute, 0, 0, time.UTC) }

func stamp(minute int) string { return at(minute).Format(time.RFC3339) }

func config() incidentio.Config {
	cfg := incidentio.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	cfg.Services = []rules.ServiceName{{Match: "Checkout*", Service: "shop"}, {Match: "Playground", Service: "none"}}
	return cfg
}

func connection(t testing.TB, cfg incidentio.Config) *incidentio.Incidents {
	t.Helper()
	credential, err := incidentio.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := incidentio.New(cfg, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signed(body string) hooktest.Request {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	stamp := strconv.FormatInt(at(0).Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "msg_1.%s.%s", stamp, body)
	return hooktest.Request{Header: http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {stamp},
		"Webhook-Signature": {"v1,AAAA v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}, Body: []byte(body)}
}

// state is an incident as it stands in answers and in webhooks.
func state(id string, updated int, category, timestamps, rest string) string {
	return fmt.Sprintf(`{"id":%q,"reference":"INC-7","name":"Checkout is slow","permalink":"https://app.incident.io/acme/incidents/7","mode":"standard","visibility":"public",`+
		`"created_at":%q,"updated_at":%q,"incident_status":{"id":"S1","name":"A status","category":%q,"rank":1},"severity":{"id":"V1","name":"Major","rank":2},`+
		`"custom_field_entries":[{"custom_field":{"id":"F1","name":"Affected services","field_type":"multi_select"},"values":[{"value_catalog_entry":{"id":"E1","name":"Checkout API","external_id":"checkout"}}]}],`+
		`"incident_timestamp_values":[%s]%s}`, id, stamp(0), stamp(updated), category, timestamps, rest)
}

func timestamp(name string, minute int) string {
	return fmt.Sprintf(`{"incident_timestamp":{"id":"T","name":%q,"rank":1},"value":{"value":%q}}`, name, stamp(minute))
}

func created(incident string) hooktest.Request {
	return signed(`{"event_type":"public_incident.incident_created_v2","public_incident.incident_created_v2":` + incident + `}`)
}

func updated(incident string) hooktest.Request {
	return signed(`{"event_type":"public_incident.incident_updated_v2","public_incident.incident_updated_v2":` + incident + `}`)
}

func moved(incident string) hooktest.Request {
	return signed(`{"event_type":"public_incident.incident_status_updated_v2","public_incident.incident_status_updated_v2":{"incident":` + incident +
		`,"new_status":{"category":"closed"},"previous_status":{"category":"live"},"message":"done"}}`)
}

// story is an incident from its beginning to its end, with what it is then.
func story() (states []string, want event.Incident) {
	reported, accepted := timestamp("Reported at", 1), timestamp("Accepted at", 4)
	impact := `{"incident_timestamp":{"name":"Impact started at"},"value":null}`
	return []string{
			state("01A", 1, "triage", reported, ""),
			state("01A", 4, "live", reported+","+accepted, ""),
			state("01A", 20, "live", reported+","+accepted+","+impact+","+timestamp("Fixed at", 20), ""),
			state("01A", 40, "closed", reported+","+accepted+","+timestamp("Impact started at", -5)+","+timestamp("Fixed at", 20)+","+timestamp("Closed at", 40), ""),
		}, event.Incident{
			Telling: event.Telling{Source: "incidentio", UpdatedAt: at(40)}, ID: "01A", Service: "shop", Title: "Checkout is slow", Severity: "Major",
			StartedAt: at(-5), DetectedAt: at(1), AcknowledgedAt: at(4), RestoredAt: at(20), ResolvedAt: at(40), URL: "https://app.incident.io/acme/incidents/7",
		}
}

func TestAnIncidentFromBeginningToEnd(t *testing.T) {
	states, want := story()
	fresh := func() hooktest.Receiver { return connection(t, config()) }
	known := hooktest.Converges(t, fresh, at(0), created(states[0]), updated(states[1]), moved(states[2]), moved(states[3]))
	if diff := cmp.Diff(map[string]event.Event{"incident incidentio 01A": &want}, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	known = hooktest.Converges(t, fresh, at(0), created(states[1]), moved(states[2]), moved(states[3]),
		moved(state("01A", 50, "live", timestamp("Resolved at", 40)+","+timestamp("Closed at", 40), "")))
	if got := known["incident incidentio 01A"].(*event.Incident); !got.RestoredAt.IsZero() || !got.ResolvedAt.IsZero() {
		t.Errorf("reopened it is still over: %v", got)
	}
	for _, category := range []string{"declined", "canceled", "merged"} {
		known = hooktest.Converges(t, fresh, at(0), created(states[1]), moved(state("01A", 30, category, "", "")))
		if got := known["incident incidentio 01A"].(*event.Incident); got.Service != "" || !got.RestoredAt.Equal(got.StartedAt) || got.Cause != "external" {
			t.Errorf("%s it counts: %v", category, got)
		}
	}
	playground := strings.NewReplacer("Affected services", "service", "Checkout API", "Playground", `"checkout"`, `"play"`)
	known = hooktest.Converges(t, fresh, at(0), created(state("01A", 1, "live", "", "")), created(playground.Replace(state("01A", 40, "live", "", ""))))
	if got := known["incident incidentio 01A"].(*event.Incident); got.Service != "" || got.Title != "" || got.Cause != "external" {
		t.Errorf("moved to a service that is left out it counts: %v", got)
	}
	known = hooktest.Converges(t, fresh, at(0), created(state("01A", 30, "learning", "", "")))
	if got := known["incident incidentio 01A"].(*event.Incident); !got.StartedAt.Equal(at(0)) || !got.ResolvedAt.Equal(at(30)) {
		t.Errorf("without timestamps it began at %s and ended at %s", got.StartedAt, got.ResolvedAt)
	}
}

func TestWhatIsNoIncidentOfOursIsIgnored(t *testing.T) {
	for name, q := range map[string]hooktest.Request{
		"an action":           signed(`{"event_type":"public_incident.action_created_v1","public_incident.action_created_v1":{"id":"1"}}`),
		"an alert":            signed(`{"event_type":"public_alert.alert_created_v1","public_alert.alert_created_v1":{"id":"1"}}`),
		"a membership":        signed(`{"event_type":"private_incident.membership_granted_v1","private_incident.membership_granted_v1":{"id":"1"}}`),
		"triage":              created(state("1", 1, "triage", "", "")),
		"a test":              created(state("1", 1, "live", "", `,"mode":"test"`)),
		"a private incident":  private,
		"a private follow up": signed(`{"event_type":"private_incident.follow_up_created_v2","private_incident.follow_up_created_v2":{"id":"1"}}`),
	} {
		if heard, err := hooktest.Receive(t, connection(t, config()), q, at(0)); err != nil || heard.Ignored == "" {
			t.Errorf("%s: got %v, %v", name, heard, err)
		}
	}
	hooktest.Misunderstands(t, connection(t, config()), http.Header{}, "", "{}", "[]", `{"event_type":7}`,
		`{"event_type":"public_incident.incident_created_v2"}`,
		`{"event_type":"public_incident.incident_created_v3","public_incident.incident_created_v3":{"id":"1"}}`,
		`{"event_type":"public_incident.incident_created_v2","public_incident.incident_created_v2":{}}`,
		`{"event_type":"public_incident.incident_created_v2","public_incident.incident_created_v2":{"incident":7}}`,
		`{"event_type":"private_incident.incident_created_v2","private_incident.incident_created_v2":{}}`,
		string(created(state("1", 1, "live", `{"incident_timestamp":{"name":"Started"},"value":{"value":"yesterday"}}`, "")).Body))
}

var private = signed(`{"event_type":"private_incident.incident_created_v2","private_incident.incident_created_v2":{"id":"01P"}}`)

func TestWhoeverSendsHasToSign(t *testing.T) {
	c := connection(t, config())
	good := created(state("1", 1, "live", "", ""))
	late := good.Header.Clone()
	late.Set("Webhook-Timestamp", strconv.FormatInt(at(-60).Unix(), 10))
	hooktest.Refuses(t, c, good.Body, at(0), map[string]http.Header{"unsigned": {}, "of an hour ago": late})
	hooktest.Refuses(t, c, good.Body, at(60), map[string]http.Header{"sent again after an hour": good.Header})
	hooktest.Refuses(t, c, append(good.Body, ' '), at(0), map[string]http.Header{"changed": good.Header})

	// Svix, which sends them, may call the headers by its own name.
	svix := http.Header{}
	for name, values := range good.Header {
		svix[strings.Replace(name, "Webhook-", "Svix-", 1)] = values
	}
	if d := c.Describe(svix, good.Body); c.Verify(svix, good.Body, at(0)) != nil || d.ID != good.Header.Get("Webhook-Id") || d.Header.Get("Svix-Signature") != "" {
		t.Errorf("with Svix's headers it is %v, described as %v", c.Verify(svix, good.Body, at(0)), d)
	}
	hooktest.Refuses(t, c, append(good.Body, ' '), at(0), map[string]http.Header{"changed, with Svix's headers": svix})

	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "signatures", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		System, Secret, Body, Expect string
		ID                           string `json:"webhook_id"`
		Timestamp                    string `json:"webhook_timestamp"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, v := range vectors {
		if !strings.Contains(v.System, "incident.io") {
			continue
		}
		tried++
		cfg := config()
		cfg.WebhookSecrets = []string{secret, v.Secret}
		seconds, _ := strconv.ParseInt(v.Timestamp, 10, 64)
		h := http.Header{"Webhook-Id": {v.ID}, "Webhook-Timestamp": {v.Timestamp}, "Webhook-Signature": {v.Expect}}
		if err := connection(t, cfg).Verify(h, []byte(v.Body), time.Unix(seconds, 0)); err != nil {
			t.Errorf("the published example is refused: %v", err)
		}
	}
	if tried == 0 {
		t.Error("there is no published example")
	}
}

// account is an incident.io with incidents, latest first.
type account struct {
	*httptest.Server
	key       string
	incidents []string
	requests  []string
}

func newAccount(t testing.TB, incidents ...string) *account {
	a := &account{key: "key", incidents: incidents}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests = append(a.requests, r.URL.String())
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+a.key {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		id := func(text string) string {
			var i struct{ ID string }
			_ = json.Unmarshal([]byte(text), &i)
			return i.ID
		}
		switch path := strings.TrimPrefix(r.URL.Path, "/v2/incidents"); {
		case r.URL.Path == "/v1/identity":
			_, _ = fmt.Fprint(w, `{"identity":{"name":"cairn","roles":["viewer"]}}`)
		case path == "":
			var fit []string
			for _, text := range a.incidents {
				var i struct {
					Updated string `json:"updated_at"`
				}
				_ = json.Unmarshal([]byte(text), &i)
				if i.Updated >= r.URL.Query().Get("updated_at[gte]") {
					fit = append(fit, text)
				}
			}
			if after := r.URL.Query().Get("after"); after != "" {
				fit = fit[slices.IndexFunc(fit, func(text string) bool { return id(text) == after })+1:]
			}
			size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
			if size > 250 {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			fit = fit[:min(len(fit), size, 3)] // a small page shows more of the walk
			after := ""
			if len(fit) > 0 {
				after = id(fit[len(fit)-1])
			}
			_, _ = fmt.Fprintf(w, `{"incidents":[%s],"pagination_meta":{"after":%q,"page_size":%d,"total_record_count":%d}}`, strings.Join(fit, ","), after, size, len(a.incidents))
		default:
			at := slices.IndexFunc(a.incidents, func(text string) bool { return "/"+id(text) == path })
			if at < 0 {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_, _ = fmt.Fprintf(w, `{"incident":%s}`, a.incidents[at])
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *account) config() incidentio.Config {
	cfg := config()
	cfg.URL, cfg.APIKey = a.URL, a.key
	return cfg
}

func TestReadingAndHearingTellTheSame(t *testing.T) {
	states, want := story()
	for i, text := range states[1:] {
		c := connection(t, config())
		heard := hooktest.Facts(t, c, updated(text), at(0))
		a := newAccount(t, text)
		r := &feedtest.Reader{Connection: connection(t, a.config())}
		if err := r.CatchUp(t, at(60), 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(hooktest.Known(heard), hooktest.Known(r.Facts)); diff != "" {
			t.Errorf("state %d (-heard +read):\n%s", i+1, diff)
		}
		if i == 2 && cmp.Diff(event.Event(&want), r.Facts[0]) != "" {
			t.Errorf("got %v", r.Facts[0])
		}
	}
}

func TestHistoryIsReadPageByPageAndNewsAfterIt(t *testing.T) {
	var incidents []string
	for i := range 20 {
		incidents = append(incidents, state(fmt.Sprintf("01%02d", 19-i), 59-i, "closed", timestamp("Closed at", 59-i), ""))
	}
	for crash := range 6 {
		a := newAccount(t, incidents...)
		r := &feedtest.Reader{Connection: connection(t, a.config())}
		if err := r.CatchUp(t, at(60), crash); err != nil {
			t.Fatal(err)
		}
		if got := len(hooktest.Known(r.Facts)); got != 20 || !r.Report.Complete {
			t.Errorf("with crashes from %d on, %d of 20 are known; report %+v", crash, got, r.Report)
		}
		a.incidents[7] = state("0112", 90, "closed", timestamp("Closed at", 80), "")
		told := len(r.Facts)
		if err := r.CatchUp(t, at(100), 0); err != nil {
			t.Fatal(err)
		}
		known := hooktest.Known(r.Facts[told:])
		if got, ok := known["incident incidentio 0112"].(*event.Incident); !ok || !got.ResolvedAt.Equal(at(80)) {
			t.Errorf("the news are %v", known)
		}
		if len(a.requests) > 60 {
			t.Errorf("%d requests were made", len(a.requests))
		}
		incidents[7] = state("0112", 52, "closed", timestamp("Closed at", 52), "")
	}
}

func TestAPrivateIncidentIsReadAgain(t *testing.T) {
	a := newAccount(t, state("01P", 5, "live", "", ""))
	c := connection(t, a.config())
	heard, err := hooktest.Receive(t, c, private, at(0))
	if diff := cmp.Diff([]source.Wake{{Stream: "incidents", Subject: "01P"}}, heard.Wakes); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	r := &feedtest.Reader{Connection: c}
	if err := r.Refresh(t, heard.Wakes[0].Subject, at(6)); err != nil || len(r.Facts) != 1 || r.Facts[0].(*event.Incident).ID != "01P" {
		t.Errorf("got %v, %v", r.Facts, err)
	}
	for _, stranger := range []string{"unknown", "../v1/identity", "01P?x"} {
		if err := r.Refresh(t, stranger, at(6)); err != nil || len(r.Facts) != 1 {
			t.Errorf("%s: got %v, %v", stranger, r.Facts, err)
		}
	}
}

func TestAKeyThatHasEndedIsSaid(t *testing.T) {
	a := newAccount(t)
	cfg := a.config()
	a.key = "another"
	r := &feedtest.Reader{Connection: connection(t, cfg)}
	if err := r.CatchUp(t, at(0), 0); fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "make a new one") {
		t.Errorf("got %v", err)
	}
	if _, err := connection(t, cfg).Check(t.Context()); fault.KindOf(err) != fault.Denied {
		t.Errorf("Check: got %v", err)
	}
	a.key = "key"
	access, err := connection(t, cfg).Check(t.Context())
	if err != nil || access.Who != "cairn" || len(access.Things) != 1 || access.Things[0].Denied != "" {
		t.Errorf("Check: got %+v, %v", access, err)
	}
}

func TestWhatIsConfiguredIsWhatWorks(t *testing.T) {
	kind := collectors.Kinds()["incidentio"]
	link := func(change func(*incidentio.Config)) (*collectors.Link, error) {
		cfg := kind.Config().(*incidentio.Config)
		change(cfg)
		return kind.Link(cfg, collectors.Deps{Transport: collectors.DefaultTransportConfig()})
	}
	l, err := link(func(cfg *incidentio.Config) { cfg.APIKey = "k" })
	if err != nil || l.Connection == nil || l.Receiver != nil || l.Check == nil {
		t.Errorf("with a key alone: got %+v, %v", l, err)
	}
	l, err = link(func(cfg *incidentio.Config) { cfg.WebhookSecrets = []string{secret} })
	if err != nil || l.Connection != nil || l.Receiver == nil {
		t.Errorf("with a secret alone: got %+v, %v", l, err)
	}
	for says, change := range map[string]func(*incidentio.Config){
		"neither api_key nor webhook_secrets": func(*incidentio.Config) {},
		"webhook_secrets":                     func(cfg *incidentio.Config) { cfg.WebhookSecrets = []string{"plain"} },
		"white space":                         func(cfg *incidentio.Config) { cfg.APIKey = "a b" },
		"url":                                 func(cfg *incidentio.Config) { cfg.APIKey, cfg.URL = "k", "incident.io" },
		"every":                               func(cfg *incidentio.Config) { cfg.APIKey, cfg.Every = "k", time.Second },
		"services[0]": func(cfg *incidentio.Config) {
			cfg.APIKey, cfg.Services = "k", []rules.ServiceName{{Match: "/(/", Service: "x"}}
		},
	} {
		if _, err := link(change); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", says, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	states, _ := story()
	f.Add(moved(states[3]).Body)
	f.Add(private.Body)
	c := connection(f, config())
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := c.Hear(c.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
