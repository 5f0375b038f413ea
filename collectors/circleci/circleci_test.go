package circleci_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/circleci"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/reading/readingtest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
)

const (
	secret = "correct-horse"
	sha    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

var epoch = time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)

type object = map[string]any

// server is a made-up CircleCI.
type server struct {
	mu        sync.Mutex
	pipelines []object            // of gh/acme/shop, newest first
	workflows map[string][]object // by pipeline
	jobs      map[string][]object // by workflow
	status    int
	started   *httptest.Server
}

func newServer(t testing.TB) *server {
	s := &server{workflows: map[string][]object{}, jobs: map[string][]object{}}
	s.started = httptest.NewServer(s)
	t.Cleanup(s.started.Close)
	return s
}

const perPage = 20

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	if r.Header.Get("Circle-Token") != "t0ken" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	page := func(items []object) {
		from, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("page-token"), "p"))
		from = min(from, len(items))
		to := min(from+perPage, len(items))
		var next any
		if to < len(items) {
			next = fmt.Sprintf("p%d", to)
		}
		_ = json.NewEncoder(w).Encode(object{"items": items[from:to], "next_page_token": next})
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v2/"), "/")
	switch {
	case parts[0] == "me":
		_ = json.NewEncoder(w).Encode(object{"login": "ada"})
	case strings.Join(parts, "/") == "project/gh/acme/shop/pipeline":
		page(s.pipelines)
	case len(parts) == 2 && parts[0] == "pipeline":
		for _, p := range s.pipelines {
			if p["id"] == parts[1] {
				_ = json.NewEncoder(w).Encode(p)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	case len(parts) == 3 && parts[0] == "pipeline":
		page(s.workflows[parts[1]])
	case len(parts) == 3 && parts[0] == "workflow":
		page(s.jobs[parts[1]])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func stamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") }

func origin() object {
	return object{"revision": sha, "branch": "main", "origin_repository_url": "https://github.com/acme/shop", "target_repository_url": "https://github.com/acme/shop", "provider_name": "GitHub"}
}

// add adds the newest pipeline with one workflow.
func (s *server) add(n int, name, status string, at time.Time) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("p-%d", n)
	s.pipelines = slices.Insert(s.pipelines, 0, object{"id": id, "number": n, "state": "created", "created_at": stamp(at), "vcs": origin(), "errors": []any{},
		"trigger": object{"received_at": "1970-01-01T00:00:00.000Z", "type": "webhook", "actor": object{"login": "ada"}}})
	w := flow(fmt.Sprintf("w-%d", n), name, status, at)
	s.workflows[id] = []object{w}
	return w
}

func flow(id, name, status string, at time.Time) object {
	w := object{"id": id, "name": name, "status": status, "created_at": stamp(at), "stopped_at": stamp(at.Add(time.Minute)), "project_slug": "gh/acme/shop", "started_by": "x"}
	if status == "running" || status == "on_hold" {
		w["stopped_at"] = nil
	}
	return w
}

func config(s *server) circleci.Config {
	cfg := circleci.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	if s != nil {
		cfg.URL, cfg.Token, cfg.Projects = s.started.URL, "t0ken", []string{"gh/acme/shop"}
	}
	return cfg
}

func connect(t testing.TB, cfg circleci.Config) *circleci.Connection {
	t.Helper()
	r, err := rules.New(rules.Config{Deployments: []rules.DeploymentRule{
		{Repository: "acme/*", From: rules.FromWorkflow, Name: "deploy-*", Environment: "{1}"}, {Repository: "acme/*", From: rules.FromJob, Name: "release", Environment: "production"}}})
	if err != nil {
		t.Fatal(err)
	}
	credential, err := circleci.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := circleci.New(cfg, r, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reader(t testing.TB, s *server) *readingtest.Reader {
	return &readingtest.Reader{New: func() readingtest.Connection { return connect(t, config(s)) }}
}

func signed(body string) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hooktest.Request{Header: http.Header{"Circleci-Signature": {"v1=" + hex.EncodeToString(mac.Sum(nil))}, "Circleci-Event-Type": {"x"}}, Body: []byte(body)}
}

// completed is a webhook as CircleCI describes it.
func completed(kind string, more object) hooktest.Request {
	payload := object{"type": kind, "id": "e-1", "happened_at": stamp(epoch), "webhook": object{"id": "h", "name": "cairn"}, "organization": object{"id": "o", "name": "acme"},
		"project": object{"id": "x", "name": "shop", "slug": "gh/acme/shop"}, "pipeline": object{"id": "p-1", "number": 1, "created_at": stamp(epoch), "trigger": object{"type": "webhook"}, "vcs": origin()}, "new": object{"field": 1}}
	for key, value := range more {
		payload[key] = value
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return signed(string(text))
}

func run(id, name, status string, at, end time.Time) *event.PipelineRun {
	r := &event.PipelineRun{Telling: event.Telling{Source: "circleci", UpdatedAt: at}, Repository: "acme/shop", ID: id, Attempt: 1, Name: name, SHA: sha, Ref: "main", Status: status,
		QueuedAt: at, StartedAt: at, FinishedAt: end, URL: "https://app.circleci.com/pipelines/workflows/" + id}
	if !end.IsZero() {
		r.UpdatedAt = end
	}
	return r
}

func deployment(id, workflow, environment, status string, at, end time.Time) *event.Deployment {
	return &event.Deployment{Telling: event.Telling{Source: "circleci", UpdatedAt: end}, Service: "acme/shop", ID: id, Attempt: 1, Environment: environment, Status: status,
		CreatedAt: at, StartedAt: at, FinishedAt: end, Revisions: []event.Revision{{Repository: "acme/shop", SHA: sha}}, Tool: "circleci", PipelineRun: workflow, URL: "https://app.circleci.com/pipelines/workflows/" + workflow}
}

func service() *event.Service {
	return &event.Service{Telling: event.Telling{Source: "circleci", UpdatedAt: time.UnixMilli(0).UTC()}, ID: "acme/shop", Name: "acme/shop", Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}}
}

// What a webhook tells and what is read of the same workflow and its jobs are the same facts.
func TestAWorkflowIsTheSameHeardAndRead(t *testing.T) {
	s := newServer(t)
	w := s.add(1, "deploy-staging", "success", epoch)
	started, stopped := epoch.Add(10*time.Second), epoch.Add(40*time.Second)
	j := object{"id": "j-1", "name": "release", "number": 5, "job_number": 5, "status": "failed", "started_at": stamp(started), "stopped_at": stamp(stopped)}
	s.jobs["w-1"] = []object{j, {"id": "j-2", "name": "release", "type": "approval", "status": "on_hold"}, {"id": "j-3", "name": "test", "status": "success", "started_at": stamp(started), "stopped_at": stamp(stopped)}}
	r := reader(t, s)
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	end := epoch.Add(time.Minute)
	want := map[string]event.Event{
		"run acme/shop w-1 1":                 run("w-1", "deploy-staging", "succeeded", epoch, end),
		"deployment acme/shop workflow:w-1 1": deployment("workflow:w-1", "w-1", "staging", "succeeded", epoch, end),
		"deployment acme/shop job:j-1 1":      deployment("job:j-1", "w-1", "production", "failed", started, stopped),
		"service acme/shop":                   service(),
	}
	if diff := cmp.Diff(want, r.Known()); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	known := hooktest.Converges(t, func() hooktest.Receiver { return connect(t, config(nil)) }, epoch,
		completed("job-completed", object{"workflow": w, "job": j}), completed("workflow-completed", object{"workflow": w}))
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func TestOddPipelinesAreTold(t *testing.T) {
	s := newServer(t)
	s.add(1, "build", "on_hold", epoch)
	delete(s.pipelines[0], "vcs") // as of a trigger that is no forge
	s.add(2, "build", "canceled", epoch.Add(time.Minute))
	delete(s.pipelines[0], "vcs")
	s.pipelines[0]["trigger_parameters"] = object{"git": object{"checkout_sha": sha, "repo_url": "https://gitlab.com/acme/pay/ledger", "branch": "next"}}
	s.add(3, "build", "not_run", epoch.Add(2*time.Minute))
	s.workflows["p-3"][0]["stopped_at"] = nil
	s.pipelines = append(s.pipelines, object{"id": "p-0", "state": "errored", "created_at": stamp(epoch.Add(-time.Minute)), "errors": []any{object{"type": "config"}}})
	s.workflows["p-2"] = append(s.workflows["p-2"], flow("w-2b", "build", "unauthorized", epoch.Add(time.Hour))) // run again
	r := reader(t, s)
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for key, e := range r.Known() {
		run := e.(*event.PipelineRun)
		got[key] = run.Status + " " + run.Ref + " " + run.FinishedAt.Format("15:04")
	}
	want := map[string]string{"run acme/shop w-1 1": "in_progress  00:00", "run acme/pay/ledger w-2 1": "cancelled next 10:02", "run acme/pay/ledger w-2b 1": "failed next 11:01", "run acme/shop w-3 1": "skipped main 10:02"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAReadingThatIsBrokenOffEndsTheSame(t *testing.T) {
	s := newServer(t)
	for i := range 50 {
		s.add(i, "deploy-production", "success", epoch.Add(time.Duration(i)*time.Minute))
	}
	asOf := epoch.Add(time.Hour)
	slow := s.add(50, "deploy-production", "running", asOf)
	for i := range 15 { // so that the news do not reach down to the slow one
		s.add(51+i, "deploy-production", "success", asOf.Add(time.Duration(i+1)*time.Minute))
	}
	s.add(66, "deploy-production", "success", asOf.Add(28*time.Minute))
	whole, broken := reader(t, s), reader(t, s)
	for r, crash := range map[*readingtest.Reader]int{whole: 0, broken: 7} {
		if err := r.CatchUp(t, asOf.Add(30*time.Minute), crash); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		s.add(67+i, "deploy-production", "success", asOf.Add(time.Duration(i+31)*time.Minute))
	}
	s.mu.Lock()
	slow["status"], slow["stopped_at"] = "success", stamp(asOf.Add(45*time.Minute))
	s.mu.Unlock()
	for r, crash := range map[*readingtest.Reader]int{whole: 0, broken: 5} {
		if err := r.CatchUp(t, asOf.Add(2*time.Hour), crash); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole.Known(), broken.Known()); diff != "" {
		t.Errorf("broken off it ends otherwise (-whole +broken):\n%s", diff)
	}
	if got := whole.Known()["run acme/shop w-50 1"].(*event.PipelineRun); got.Status != "succeeded" || len(whole.Known()) != 97*2+1 {
		t.Errorf("the slow one is %s of %d facts", got.Status, len(whole.Known()))
	}
}

func TestTheSendersOwnExamplesAreVerified(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "signatures", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ System, Secret, Body, Expect string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range vectors {
		if v.System != "circleci" {
			continue
		}
		n++
		cfg := config(nil)
		cfg.WebhookSecrets = []string{"newer", v.Secret}
		c := connect(t, cfg)
		h := http.Header{"Circleci-Signature": {v.Expect + ",v2=abc"}}
		if err := c.Verify(h, []byte(v.Body), epoch); err != nil {
			t.Error(err)
		}
		hooktest.Refuses(t, c, []byte(v.Body+" "), epoch, map[string]http.Header{"changed": h, "unsigned": {}})
	}
	if n != 3 {
		t.Errorf("%d examples, want 3", n)
	}
}

func TestWhatIsNotOursIsIgnoredAndRefusalsAreSentences(t *testing.T) {
	c := connect(t, config(nil))
	for _, q := range []hooktest.Request{completed("ping", nil), completed("pipeline-created", nil),
		completed("job-completed", object{"workflow": object{"id": "w-1", "name": "build"}, "job": object{"id": "j", "name": "test", "status": "success", "started_at": stamp(epoch), "stopped_at": stamp(epoch)}})} {
		if heard, err := hooktest.Receive(t, c, q, epoch); err != nil || heard.Ignored == "" {
			t.Errorf("%s\ngot %v, %v", q.Body, heard, err)
		}
	}
	hooktest.Misunderstands(t, c, http.Header{}, "", "[]", "{}", `{"type":"workflow-completed"}`, string(completed("workflow-completed", nil).Body), string(completed("job-completed", nil).Body))
	if c.Streams() != nil {
		t.Errorf("without a token there are %v", c.Streams())
	}
	s := newServer(t)
	for status, want := range map[int]fault.Kind{401: fault.Denied, 403: fault.Denied, 404: fault.NotFound, 502: fault.Unavailable} {
		s.status = status
		if err := reader(t, s).CatchUp(t, epoch, 0); fault.KindOf(err) != want || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%d is %v, want %v", status, err, want)
		}
	}
	s.status = 0
	if a, err := connect(t, config(s)).Check(t.Context()); err != nil || a.Who != "ada" || a.Repositories != 1 {
		t.Errorf("check: %+v, %v", a, err)
	}
	for name, cfg := range map[string]circleci.Config{"nothing": circleci.DefaultConfig(), "no projects": {Token: "x", URL: "https://circleci.com", Every: time.Hour},
		"slug": {Token: "x", URL: "https://circleci.com", Every: time.Hour, Projects: []string{"shop"}}} {
		if _, err := circleci.New(cfg, nil, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add(completed("workflow-completed", object{"workflow": flow("w", "deploy-x", "success", epoch)}).Body)
	f.Add(completed("job-completed", object{"workflow": flow("w", "deploy-x", "success", epoch), "job": object{"id": "j", "name": "release"}}).Body)
	c := connect(f, config(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := c.Hear(c.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
