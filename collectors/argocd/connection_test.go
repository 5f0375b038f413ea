package argocd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/collectors/argocd"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const apiToken = "api-token"

// server is an Argo CD with applications.
type server struct {
	*httptest.Server
	apps     []json.RawMessage
	requests []string
	fail     func(w http.ResponseWriter, r *http.Request) bool
}

func newServer(t *testing.T, apps ...json.RawMessage) *server {
	t.Helper()
	s := &server{apps: apps}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r.URL.Path+" "+r.URL.Query().Get("projects"))
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, message string) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":%q,"code":7,"message":%q}`, message, message)
	}
	switch {
	case s.fail != nil && s.fail(w, r):
	case r.URL.Query().Has("refresh"):
		refuse(http.StatusTeapot, "this changes the application, and waits for its controller")
	case r.URL.Path == "/api/v1/session/userinfo":
		_, _ = fmt.Fprintf(w, `{"loggedIn":%t,"username":"metrics"}`, r.Header.Get("Authorization") == "Bearer "+apiToken)
	case r.Header.Get("Authorization") != "Bearer "+apiToken:
		refuse(http.StatusUnauthorized, "invalid session: token signature is invalid")
	case r.URL.Path == "/api/v1/applications":
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		for _, app := range s.apps {
			if wanted := r.URL.Query()["projects"]; len(wanted) == 0 || slices.Contains(wanted, parsed(app).Spec.Project) {
				list.Items = append(list.Items, app)
			}
		}
		must(json.NewEncoder(w).Encode(list))
	default:
		for _, app := range s.apps {
			if a := parsed(app); r.URL.Path == "/api/v1/applications/"+a.Metadata.Name {
				_, _ = w.Write(app)
				return
			}
		}
		refuse(http.StatusForbidden, "permission denied")
	}
}

func parsed(text json.RawMessage) *argocd.Application {
	a := &argocd.Application{}
	must(json.Unmarshal(text, a))
	return a
}

func raw(a *argocd.Application) json.RawMessage {
	text, err := json.Marshal(a)
	must(err)
	return text
}

func (s *server) config() argocd.Config {
	cfg := config()
	cfg.URL, cfg.Token = s.URL, apiToken
	return cfg
}

func (s *server) connection(t *testing.T, cfg argocd.Config) *argocd.Connection {
	t.Helper()
	credential, err := argocd.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := argocd.New(cfg, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// turn makes one turn and returns what it told, where it ended, and its error.
func turn(t *testing.T, c *argocd.Connection, position string, asOf time.Time) (facts []event.Event, next string, report source.Report, err error) {
	t.Helper()
	streams := c.Streams()
	if len(streams) != 1 || streams[0].Kind != source.Deployments {
		t.Fatalf("streams are %v", streams)
	}
	if err := c.Recall(streams[0].Name, position); err != nil {
		t.Fatal(err)
	}
	s, err := c.Turn(streams[0], position, asOf)
	if err != nil {
		t.Fatal(err)
	}
	for e, wrong := range s.Events(t.Context()) {
		if wrong != nil {
			return facts, s.Position(), s.Report(), wrong
		}
		facts = append(facts, e)
	}
	return facts, s.Position(), s.Report(), nil
}

var now = at("2026-11-22T19:00:00Z")

func TestTheRecordedListTellsWhatTheNotificationTold(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "argocd", "live-api-applications.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []json.RawMessage }
	must(json.Unmarshal(text, &list))
	s := newServer(t, list.Items...)
	facts, _, report, err := turn(t, s.connection(t, s.config()), "", now)
	if err != nil || !report.Complete || report.More {
		t.Fatalf("%v, %v", report, err)
	}
	want := jenkins()
	for _, e := range want {
		e.(*event.Deployment).URL = s.URL + "/applications/argocd/jenkins"
	}
	const sha, uid = "ea8759964626a583667a2bfd08f334ec2070040a", "b058ec5c-7cd0-4c9c-863f-2642234a037b"
	artifact := ""
	for i, sync := range [][2]string{
		{"2024-03-04T22:00:05Z", "2024-03-04T22:00:06Z"}, {"2024-03-04T22:08:29Z", "2024-03-04T22:08:30Z"}, {"2024-03-04T22:09:16Z", "2024-03-04T22:09:16Z"},
		{"2024-03-04T22:11:41Z", "2024-03-04T22:11:41Z"}, {"2024-03-04T22:50:55Z", "2024-03-04T22:50:55Z"}, {"2024-03-04T22:52:56Z", "2024-03-04T22:52:56Z"},
		{"2024-03-04T22:56:15Z", "2024-03-04T22:56:15Z"}, {"2024-03-05T07:31:56Z", "2024-03-05T07:31:57Z"}, {"2024-03-05T07:32:44Z", "2024-03-05T07:32:44Z"},
		{"2024-03-05T07:33:03Z", "2024-03-05T07:33:04Z"},
	} {
		d := &event.Deployment{
			Telling: event.Telling{Source: "argocd", UpdatedAt: at(sync[1]).Add(-2 * ms)},
			Service: "velero-test", ID: fmt.Sprintf("argocd:%s:%d:%s", uid, 14+i, sync[1]), Attempt: 1, Environment: "gke-alpha-01-europe-west1/test-lla", Target: "gke-alpha-01-europe-west1",
			Status: "succeeded", StartedAt: at(sync[0]), FinishedAt: at(sync[1]), Tool: "argocd", URL: s.URL + "/applications/argocd/velero-test",
			Revisions: []event.Revision{{Repository: "mirakl/manifests-velero", SHA: sha, Role: "config"}},
		}
		if i == 9 {
			d.UpdatedAt, d.Images, d.Actor = at(sync[1]), []string{"nginx:latest"}, "laurent.lavaud@mirakl.com"
		}
		want["deployment velero-test "+d.ID+" 1"] = d
	}
	// The ten syncs set the same of the plugin, so all are one version.
	got := hooktest.Known(facts)
	for _, e := range got {
		if d := e.(*event.Deployment); d.Service == "velero-test" {
			if artifact == "" {
				artifact = d.Artifact
			}
			if d.Artifact == "" || d.Artifact != artifact {
				t.Errorf("artifacts %q and %q", artifact, d.Artifact)
			}
			d.Artifact = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAWebhookAndTheAPITellTheSame(t *testing.T) {
	story := []func(*argocd.Application){synced(0, 0, sha(1)), healthy(2, "ghcr.io/acme/shop:v1"), synced(10, 1, sha(2)), operation("Failed", 20, sha(3)), synced(30, 2, sha(3)), healthy(32, "ghcr.io/acme/shop:v3")}
	var heard, read []event.Event
	for n := range story {
		a := app(story[:n+1]...)
		s := newServer(t, raw(a))
		cfg := s.config()
		cfg.URL = "" // the port differs
		heard = append(heard, told(t, cfg2(cfg), a)...)
		facts, _, _, err := turn(t, s.connection(t, s.config()), "", now)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range facts {
			e.(*event.Deployment).URL = ""
		}
		read = append(read, facts...)
	}
	slices.Reverse(read)
	if diff := cmp.Diff(hooktest.Known(heard), hooktest.Known(read)); diff != "" {
		t.Errorf("(-heard +read):\n%s", diff)
	}
	if diff := cmp.Diff(hooktest.Known(heard), hooktest.Known(append(read, heard...))); diff != "" {
		t.Errorf("(-heard +both):\n%s", diff)
	}
}

func cfg2(cfg argocd.Config) argocd.Config { cfg.Token = ""; return cfg }

func TestARoundGoesOnWhereATurnEnded(t *testing.T) {
	var apps []json.RawMessage
	for n := range 25 {
		a := app(synced(n, 0, sha(n)))
		a.Metadata.Name, a.Metadata.UID, a.Spec.Project = fmt.Sprintf("app-%02d", n), fmt.Sprintf("u%d", n), fmt.Sprintf("p%02d", n)
		apps = append(apps, raw(a))
	}
	s := newServer(t, apps...)
	c := s.connection(t, s.config())
	var all []event.Event
	position, turns := "", 0
	for {
		before := len(s.requests)
		facts, next, report, err := turn(t, c, position, now)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.requests) - before; n > 10 {
			t.Errorf("a turn makes %d requests", n)
		}
		all, position = append(all, facts...), next
		if turns++; !report.More {
			break
		}
		if report.Total != 25 || report.Done == 0 {
			t.Errorf("%d of %d are done", report.Done, report.Total)
		}
	}
	if len(hooktest.Known(all)) != 25 || len(all) != 25 || turns != 3 {
		t.Errorf("%d deployments, told %d times in %d turns", len(hooktest.Known(all)), len(all), turns)
	}
	// The next round tells what ended lately, a day later all is told again.
	fresh := app(synced(60*24, 1, sha(99)))
	fresh.Metadata.Name, fresh.Metadata.UID, fresh.Spec.Project = "app-00", "u0", "p00"
	s.apps[0] = raw(fresh)
	told := func(asOf time.Time) (n int) {
		for {
			facts, next, report, err := turn(t, c, position, asOf)
			if err != nil {
				t.Fatal(err)
			}
			n, position = n+len(facts), next
			if !report.More {
				return n
			}
		}
	}
	if n := told(now.Add(time.Minute)); n != 25 { // all ended within two hours of the latest
		t.Errorf("a minute later %d are told", n)
	}
	if n := told(now.Add(2 * time.Minute)); n != 1 {
		t.Errorf("two minutes later %d are told, want the one that ended after all others", n)
	}
	if n := told(now.Add(25 * time.Hour)); n != 25 {
		t.Errorf("a day later %d are told", n)
	}
}

func TestATurnThatIsCutOffRepeatsAtMostAProject(t *testing.T) {
	var apps []json.RawMessage
	for n := range 5 {
		a := app(synced(n, 0, sha(n)))
		a.Metadata.UID, a.Spec.Project = fmt.Sprintf("u%d", n), fmt.Sprintf("p%d", n)
		apps = append(apps, raw(a))
	}
	s := newServer(t, apps...)
	c := s.connection(t, s.config())
	position, known := "", map[string]int{}
	for kill := range 6 {
		source, err := c.Turn(c.Streams()[0], position, now)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e := range source.Events(t.Context()) {
			known[e.(*event.Deployment).ID]++
			position = source.Position()
			if n++; n > 1 && kill < 5 {
				break
			}
		}
	}
	for id, n := range known {
		if n > 3 {
			t.Errorf("%s is told %d times", id, n)
		}
	}
	if len(known) != 5 {
		t.Errorf("%d deployments", len(known))
	}
}

func TestWhatTheAPIRefusesIsSaidInASentence(t *testing.T) {
	s := newServer(t, raw(app(synced(0, 0, sha(1)))))
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if strings.HasPrefix(body, "<") {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter, *http.Request) bool
		kind fault.Kind
		say  string
	}{
		"an expired token":    {answer(401, `{"message":"token is expired"}`), fault.Denied, "refuses the token"},
		"no right":            {answer(403, `{"message":"permission denied: applications, get"}`), fault.Denied, "may not read applications"},
		"another address":     {answer(404, "404 page not found"), fault.NotFound, "check url"},
		"a page to sign in":   {answer(200, "<html>"), fault.Denied, "is a page"},
		"a failure":           {answer(502, "bad gateway"), fault.Unavailable, "may work later"},
		"what is cut off":     {answer(200, `{"items":[{"spec":`), fault.Unavailable, "cut off"},
		"another form":        {answer(200, `{"items":{"spec":1}}`), fault.Internal, "another form"},
		"what makes no sense": {answer(418, ""), fault.Internal, "418"},
	} {
		s.fail = c.fail
		if _, _, _, err := turn(t, s.connection(t, s.config()), "", now); fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s.fail = nil
	cfg := s.config()
	cfg.Token = "wrong"
	if _, _, _, err := turn(t, s.connection(t, cfg), "", now); fault.KindOf(err) != fault.Denied {
		t.Errorf("a wrong token: %v", err)
	}
	if _, err := s.connection(t, cfg).Check(t.Context()); fault.KindOf(err) != fault.Denied {
		t.Errorf("checked with a wrong token: %v", err)
	}
	if err := s.connection(t, cfg).Recall("applications", `{"v":7}`); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a position of another version: %v", err)
	}
}

func TestOneApplicationIsReadAgainByItsName(t *testing.T) {
	s := newServer(t, raw(app(synced(0, 0, sha(1)))))
	c := s.connection(t, s.config())
	for subject, want := range map[string]fault.Kind{"shop": 0, "argocd/shop": 0, "web": fault.NotFound} {
		source, err := c.Refresh(source.Wake{Stream: "applications", Subject: subject}, now)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, wrong := range source.Events(t.Context()) {
			if err = wrong; err == nil {
				n++
			}
		}
		if (want == 0) != (n == 1) || err != nil && fault.KindOf(err) != want {
			t.Errorf("%s: %d facts, %v", subject, n, err)
		}
	}
	if _, err := c.Refresh(source.Wake{Stream: "applications"}, now); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

func TestTheCheckSaysWhatIsShown(t *testing.T) {
	web := app()
	web.Metadata.Name, web.Spec.Project = "web", "other"
	s := newServer(t, raw(app()), raw(web))
	cfg := s.config()
	cfg.Projects = []string{"default"}
	a, err := s.connection(t, cfg).Check(t.Context())
	if err != nil || a.Who != "metrics" || a.Listed != 2 || a.Repositories != 1 || a.Requests != 2 || !slices.Equal(a.Examples, []string{"argocd/shop"}) {
		t.Errorf("%+v, %v", a, err)
	}
	cfg.Projects = []string{"nothing"}
	if a, err := s.connection(t, cfg).Check(t.Context()); err != nil || len(a.Notes) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnApplicationThatCannotBeUnderstoodStopsNoOther(t *testing.T) {
	broken := app(synced(0, 0, sha(1)))
	broken.Metadata.Name, broken.Status.History[0].DeployedAt = "broken", "yesterday"
	s := newServer(t, raw(broken), raw(app(synced(0, 0, sha(1)))))
	facts, _, report, err := turn(t, s.connection(t, s.config()), "", now)
	if err != nil || len(facts) != 1 || len(report.Rules) != 1 {
		t.Errorf("%d facts, %v, %v", len(facts), report, err)
	}
}

func TestTheTokenGoesToArgoCDAlone(t *testing.T) {
	var elsewhere string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"items":[]}`))
	}))
	defer other.Close()
	s := newServer(t)
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL, http.StatusFound)
		return true
	}
	if _, _, _, err := turn(t, s.connection(t, s.config()), "", now); err != nil || elsewhere != "" {
		t.Errorf("%q, %v", elsewhere, err)
	}
}

func TestBehindTheTransportAFailureForAMomentPassesUnseen(t *testing.T) {
	s := newServer(t, raw(app(synced(0, 0, sha(1)))))
	failures := 0
	s.fail = func(w http.ResponseWriter, _ *http.Request) bool {
		if failures++; failures%2 == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	cfg := s.config()
	credential, err := argocd.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	transport := collectors.DefaultTransportConfig()
	transport.Next, transport.Sleep = credential, func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	c, err := argocd.New(cfg, &http.Client{Transport: collectors.NewTransport(transport)})
	if err != nil {
		t.Fatal(err)
	}
	if facts, _, _, err := turn(t, c, "", now); err != nil || len(facts) != 1 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func TestWithoutATokenNothingIsRead(t *testing.T) {
	cfg := config()
	c, err := argocd.New(cfg, http.DefaultClient)
	if err != nil || len(c.Streams()) != 0 {
		t.Errorf("%v, %v", c.Streams(), err)
	}
	if a, err := c.Check(t.Context()); err != nil || len(a.Notes) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}
