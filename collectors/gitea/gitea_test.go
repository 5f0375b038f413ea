package gitea_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/gitea"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook/hooktest"
	"cairn/internal/reading/readingtest"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const (
	secret = "gitea-live-secret"
	sha    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

var epoch = time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)

type object = map[string]any

// server is a made-up Gitea.
type server struct {
	mu      sync.Mutex
	name    string   // of repository 1
	pulls   []object // latest change first
	runs    []object // newest first
	status  int
	noRuns  bool // an older version
	started *httptest.Server
}

func newServer(t testing.TB) *server {
	s := &server{name: "acme/shop"}
	s.started = httptest.NewServer(s)
	t.Cleanup(s.started.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	if r.Header.Get("Authorization") != "token t0ken" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	page := func(items []object) []object {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		const limit = 30 // less than is asked for, as its administrator may have it
		from := min((n-1)*limit, len(items))
		return items[from:min(from+limit, len(items))]
	}
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	path := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	rest, ours := strings.CutPrefix(path, "repos/"+s.name+"/")
	find := func(items []object, key, value string) {
		for _, item := range items {
			if fmt.Sprint(item[key]) == value {
				answer(item)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}
	switch {
	case path == "user":
		answer(object{"login": "reader"})
	case path == "repos/search":
		answer(object{"ok": true, "data": page([]object{s.repository(), {"id": 2, "full_name": "acme/sandbox", "name": "sandbox", "updated_at": stamp(epoch)}})})
	case !ours:
		w.WriteHeader(http.StatusNotFound)
	case rest == "pulls":
		answer(page(s.pulls))
	case strings.HasSuffix(rest, "/commits"):
		answer([]object{{"sha": "c2", "commit": object{"author": object{"date": stamp(epoch.Add(-time.Hour))}, "committer": object{"date": stamp(epoch)}}},
			{"sha": "c1", "commit": object{"author": object{"date": stamp(epoch.Add(-2 * time.Hour))}, "committer": object{"date": stamp(epoch)}}}})
	case strings.HasSuffix(rest, "/reviews"):
		answer([]object{{"user": object{"login": "ada"}, "state": "COMMENT", "submitted_at": stamp(epoch.Add(time.Minute))}, {"user": object{"login": "renovate[bot]"}, "state": "APPROVED", "submitted_at": stamp(epoch.Add(2 * time.Minute))},
			{"user": object{"login": "bob"}, "state": "COMMENT", "submitted_at": stamp(epoch.Add(3 * time.Minute))}, {"user": object{"login": "bob"}, "state": "APPROVED", "submitted_at": stamp(epoch.Add(4 * time.Minute))}})
	case strings.HasPrefix(rest, "pulls/"):
		find(s.pulls, "number", strings.TrimPrefix(rest, "pulls/"))
	case s.noRuns:
		w.WriteHeader(http.StatusNotFound)
	case rest == "actions/runs":
		answer(object{"total_count": len(s.runs), "workflow_runs": page(s.runs)})
	case strings.HasPrefix(rest, "actions/runs/"):
		find(s.runs, "id", strings.TrimPrefix(rest, "actions/runs/"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *server) repository() object {
	return object{"id": 1, "full_name": s.name, "name": "shop", "default_branch": "main", "html_url": "https://git/" + s.name, "archived": false, "archived_at": "1970-01-01T00:00:00Z", "updated_at": stamp(epoch)}
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func pull(n int, at time.Time, merged bool) object {
	p := object{"number": n, "title": "Add it", "user": object{"login": "ada"}, "base": object{"ref": "main"}, "labels": []object{{"name": "hotfix"}}, "additions": 3, "deletions": 1,
		"html_url": fmt.Sprintf("https://git/acme/shop/pulls/%d", n), "created_at": stamp(epoch), "updated_at": stamp(at), "closed_at": nil, "merged": merged, "merged_at": nil, "merge_commit_sha": nil}
	if merged {
		p["merged_at"], p["closed_at"], p["merge_commit_sha"] = stamp(at), stamp(at), sha
	}
	return p
}

func action(id int, status, conclusion string, at, end time.Time) object {
	r := object{"id": id, "path": "deploy.yml@refs/heads/main", "display_title": "x", "event": "push", "run_attempt": 1, "run_number": id, "head_sha": sha, "head_branch": "main", "status": status, "conclusion": conclusion,
		"html_url": fmt.Sprintf("https://git/acme/shop/actions/runs/%d", id), "started_at": stamp(at), "completed_at": "1970-01-01T00:00:00Z", "actor": object{"login": "ada"}, "trigger_actor": object{"login": "bob"}}
	if at.IsZero() {
		r["started_at"] = "1970-01-01T00:00:00Z"
	}
	if !end.IsZero() {
		r["completed_at"] = stamp(end)
	}
	return r
}

func config(s *server) gitea.Config {
	cfg := gitea.DefaultConfig()
	cfg.WebhookSecrets = []string{secret}
	cfg.Repositories.Exclude = []string{"*/sandbox"}
	if s != nil {
		cfg.URL, cfg.Token = s.started.URL, "t0ken"
	}
	return cfg
}

func connect(t testing.TB, cfg gitea.Config) *gitea.Connection {
	t.Helper()
	r, err := rules.New(rules.Config{Deployments: []rules.DeploymentRule{{Repository: "acme/*", From: rules.FromWorkflow, Name: "deploy.yml", Environment: "production"}}})
	if err != nil {
		t.Fatal(err)
	}
	credential, err := gitea.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := gitea.New(cfg, r, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reader(t testing.TB, s *server) *readingtest.Reader {
	return &readingtest.Reader{New: func() readingtest.Connection { return connect(t, config(s)) }}
}

func signed(event string, body []byte) hooktest.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hooktest.Request{Header: http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "X-Gitea-Event": {event}, "X-Gitea-Delivery": {event + "1"}}, Body: body}
}

func hooked(event string, payload object) hooktest.Request {
	if payload["repository"] == nil {
		payload["repository"] = (&server{name: "acme/shop"}).repository()
	}
	text, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return signed(event, text)
}

func telling(at time.Time) event.Telling { return event.Telling{Source: "gitea", UpdatedAt: at} }

func shopRun(id string, status string, at, end time.Time) *event.PipelineRun {
	r := &event.PipelineRun{Telling: telling(at), Repository: "acme/shop", ID: id, Attempt: 1, Name: "deploy.yml", SHA: sha, Ref: "main", Status: status, QueuedAt: at, StartedAt: at, FinishedAt: end,
		URL: "https://git/acme/shop/actions/runs/" + id}
	if !end.IsZero() {
		r.UpdatedAt = end
	}
	return r
}

// The captured deliveries, in the order in which a real server sent them: the pull request before the branch it is about.
func TestWhatARealServerSentIsTold(t *testing.T) {
	dir := sharedtest.Path(t, "payloads", "gitea")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	var requests []hooktest.Request
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var capture struct{ Headers map[string]string }
		if err := json.Unmarshal(text, &capture); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(strings.TrimSuffix(name, ".json") + ".body")
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for key, value := range capture.Headers {
			h.Set(key, value)
		}
		requests = append(requests, hooktest.Request{Header: h, Body: body})
	}
	at := time.Date(2026, 11, 22, 19, 4, 45, 0, time.UTC)
	known := hooktest.Converges(t, func() hooktest.Receiver { return connect(t, config(nil)) }, at, requests...)
	want := map[string]event.Event{"change idp/checkout 1": &event.ChangeRequest{
		Telling: telling(at.Add(-time.Millisecond)), Repository: "idp/checkout", ID: "1", Author: "idp", Title: "Add feature", BaseBranch: "main", CreatedAt: at, Additions: 3, URL: "http://127.0.0.1:13000/idp/checkout/pulls/1"}}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := connect(t, config(nil))
	older := http.Header{"X-Gitea-Signature": {requests[0].Header.Get("X-Gitea-Signature")}}
	if err := c.Verify(older, requests[0].Body, at); err != nil {
		t.Errorf("with the older header alone: %v", err)
	}
	hooktest.Refuses(t, c, append(slices.Clone(requests[0].Body), ' '), at, map[string]http.Header{"changed": requests[0].Header, "changed, older": older, "unsigned": {},
		"sha1 alone": {"X-Hub-Signature": {requests[0].Header.Get("X-Hub-Signature")}}, "no hex": {"X-Gitea-Signature": {"?"}}})
}

func TestPullRequestsAndRunsAreRead(t *testing.T) {
	s := newServer(t)
	merged := epoch.Add(time.Hour)
	s.pulls = []object{pull(7, merged, true)}
	s.runs = []object{action(12, "queued", "", time.Time{}, time.Time{}), action(11, "completed", "failure", epoch, epoch.Add(time.Minute))}
	r := reader(t, s)
	if err := r.CatchUp(t, epoch.Add(24*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	end := epoch.Add(time.Minute)
	want := map[string]event.Event{
		"repository acme/shop": &event.Repository{Telling: telling(epoch), ID: "acme/shop", Name: "shop", DefaultBranch: "main", URL: "https://git/acme/shop"},
		"change acme/shop 7": &event.ChangeRequest{Telling: telling(merged), Repository: "acme/shop", ID: "7", Author: "ada", Title: "Add it", BaseBranch: "main", CreatedAt: epoch, FirstCommitAt: epoch.Add(-2 * time.Hour),
			FirstReviewAt: epoch.Add(3 * time.Minute), ApprovedAt: epoch.Add(4 * time.Minute), MergedAt: merged, Commits: []string{"c1", "c2"}, Landed: []string{sha}, Labels: []string{"hotfix"}, Additions: 3, Deletions: 1, URL: "https://git/acme/shop/pulls/7"},
		"run acme/shop 11 1": shopRun("11", "failed", epoch, end),
		"deployment acme/shop run:11 1": &event.Deployment{Telling: telling(end), Service: "acme/shop", ID: "run:11", Attempt: 1, Environment: "production", Status: "failed", CreatedAt: epoch, StartedAt: epoch, FinishedAt: end,
			Revisions: []event.Revision{{Repository: "acme/shop", SHA: sha}}, Tool: "gitea", Actor: "bob", PipelineRun: "11", URL: "https://git/acme/shop/actions/runs/11"},
		"service acme/shop": &event.Service{Telling: telling(time.UnixMilli(0).UTC()), ID: "acme/shop", Name: "acme/shop", Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}},
	}
	if diff := cmp.Diff(want, r.Known()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The run that waited has ended; a webhook tells it as it is read.
	s.runs[0] = action(12, "completed", "success", epoch.Add(time.Hour), epoch.Add(2*time.Hour))
	heard := hooktest.Facts(t, connect(t, config(s)), hooked("workflow_run", object{"action": "completed", "workflow": object{"name": "Deploy"}, "workflow_run": s.runs[0]}), epoch)
	r.Facts = nil
	if err := r.CatchUp(t, epoch.Add(25*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	for key, e := range hooktest.Known(heard) {
		if diff := cmp.Diff(e, r.Known()[key]); diff != "" {
			t.Errorf("%s (-heard +read):\n%s", key, diff)
		}
	}
	if len(heard) != 3 {
		t.Errorf("heard are %v", hooktest.Tellings(heard))
	}
}

func TestForgejosRunsAreTold(t *testing.T) {
	payload := object{"action": "success", "run": object{"id": 5, "title": "x", "workflow_id": "deploy.yml", "prettyref": "main", "commit_sha": sha, "status": "success", "created": stamp(epoch), "started": stamp(epoch),
		"stopped": stamp(epoch.Add(time.Minute)), "html_url": "https://git/acme/shop/actions/runs/5", "trigger_user": object{"login": "bob"}}}
	// The repository stands in the run alone.
	payload["run"].(object)["repository"] = newServer(t).repository()
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	known := hooktest.Known(hooktest.Facts(t, connect(t, config(nil)), signed("action_run_success", text), epoch))
	if diff := cmp.Diff(event.Event(shopRun("5", "succeeded", epoch, epoch.Add(time.Minute))), known["run acme/shop 5 1"]); diff != "" || len(known) != 3 {
		t.Errorf("of %d facts (-want +got):\n%s", len(known), diff)
	}
}

func TestDeliveriesInAnyOrderEndTheSame(t *testing.T) {
	fresh := func() hooktest.Receiver { return connect(t, config(nil)) }
	merged := pull(7, epoch.Add(time.Hour), true)
	known := hooktest.Converges(t, fresh, epoch,
		hooked("pull_request", object{"action": "opened", "number": 7, "pull_request": pull(7, epoch, false)}),
		hooked("pull_request_label", object{"action": "label_updated", "pull_request": pull(7, epoch.Add(time.Minute), false)}),
		hooked("pull_request", object{"action": "closed", "pull_request": merged}),
		hooked("workflow_run", object{"workflow_run": action(3, "in_progress", "", epoch, time.Time{})}),
		hooked("workflow_run", object{"workflow_run": action(3, "completed", "success", epoch, epoch.Add(time.Minute))}),
	)
	if got := known["change acme/shop 7"].(*event.ChangeRequest); !got.MergedAt.Equal(epoch.Add(time.Hour)) || !slices.Equal(got.Landed, []string{sha}) {
		t.Errorf("the change is %+v", got)
	}
	if got := known["deployment acme/shop run:3 1"].(*event.Deployment); got.Status != "succeeded" {
		t.Errorf("the deployment is %+v", got)
	}
	// With a token the pull request is read again, and wins over what the webhook alone knew.
	s := newServer(t)
	s.pulls = []object{merged}
	r := reader(t, s)
	if err := r.CatchUp(t, epoch.Add(2*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	heard, err := hooktest.Receive(t, r.Now.(*gitea.Connection), hooked("pull_request", object{"action": "closed", "pull_request": merged}), epoch)
	if err != nil || !slices.Equal(heard.Wakes, []source.Wake{{Stream: "acme/shop/changes", Subject: "7"}}) {
		t.Fatalf("got %v, %v", heard, err)
	}
	if err := r.Refresh(t, heard.Wakes[0], epoch.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, e := range known {
		r.Facts = append(r.Facts, e)
	}
	if got := r.Known()["change acme/shop 7"].(*event.ChangeRequest); len(got.Commits) != 2 {
		t.Errorf("what the webhook knew has won: %+v", got)
	}
}

// A repository that is renamed keeps its name in facts, in what is read and in what is heard.
func TestARenamedRepositoryStaysWhatItWas(t *testing.T) {
	s := newServer(t)
	s.pulls, s.runs = []object{pull(1, epoch, false)}, []object{action(1, "completed", "success", epoch, epoch.Add(time.Minute))}
	r := reader(t, s)
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	before := len(r.Known())
	s.name = "acme/store"
	s.pulls[0] = pull(1, epoch.Add(90*time.Minute), true)
	if err := r.CatchUp(t, epoch.Add(2*time.Hour), 2); err != nil {
		t.Fatal(err)
	}
	if got := r.Known()["change acme/shop 1"].(*event.ChangeRequest); got.MergedAt.IsZero() || len(r.Known()) != before {
		t.Errorf("%d facts were %d; the change is %+v", len(r.Known()), before, got)
	}
	// Another one that takes the free name is another one.
	other := object{"id": 9, "full_name": "acme/shop"}
	facts := hooktest.Known(hooktest.Facts(t, r.Now.(*gitea.Connection), hooked("workflow_run", object{"workflow_run": action(2, "completed", "success", epoch, epoch.Add(time.Minute)), "repository": other}), epoch))
	if facts["run acme/shop@9 2 1"] == nil {
		t.Errorf("of the new repository are told %v", slices.Sorted(maps.Keys(facts)))
	}
	heard, err := hooktest.Receive(t, r.Now.(*gitea.Connection), hooked("pull_request", object{"pull_request": s.pulls[0], "repository": s.repository()}), epoch)
	if err != nil || len(heard.Wakes) != 1 || heard.Wakes[0].Stream != "acme/shop/changes" {
		t.Errorf("heard is %v, %v", heard, err)
	}
}

func TestAReadingThatIsBrokenOffEndsTheSame(t *testing.T) {
	s := newServer(t)
	for i := range 100 {
		s.pulls = slices.Insert(s.pulls, 0, pull(i+1, epoch.Add(time.Duration(i)*time.Minute), i%2 == 0))
		s.runs = slices.Insert(s.runs, 0, action(i+1, "completed", "success", epoch.Add(time.Duration(i)*time.Minute), epoch.Add(time.Duration(i+1)*time.Minute)))
	}
	whole, broken := reader(t, s), reader(t, s)
	for r, crash := range map[*readingtest.Reader]int{whole: 0, broken: 5} {
		if err := r.CatchUp(t, epoch.Add(24*time.Hour), crash); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole.Known(), broken.Known()); diff != "" || len(whole.Known()) != 1+100+2*100+1 {
		t.Errorf("of %d facts, broken off it ends otherwise (-whole +broken):\n%s", len(whole.Known()), diff)
	}
}

func TestWhatIsNotOursIsIgnoredAndRefusalsAreSentences(t *testing.T) {
	c := connect(t, config(nil))
	for _, q := range []hooktest.Request{hooked("push", object{"ref": "refs/heads/main"}), hooked("issues", object{"issue": object{}}),
		hooked("workflow_run", object{"workflow_run": action(1, "queued", "", time.Time{}, time.Time{})}),
		hooked("pull_request", object{"pull_request": pull(1, epoch, false), "repository": object{"id": 2, "full_name": "acme/sandbox"}})} {
		if heard, err := hooktest.Receive(t, c, q, epoch); err != nil || heard.Ignored == "" {
			t.Errorf("%s\ngot %v, %v", q.Body, heard, err)
		}
	}
	hooktest.Misunderstands(t, c, http.Header{"X-Gitea-Event": {"pull_request"}}, "", "[]", "{}", `{"repository":{"full_name":"a/b"},"pull_request":{}}`)
	hooktest.Misunderstands(t, c, http.Header{"X-Gitea-Event": {"workflow_run"}}, `{"repository":{"full_name":"a/b"},"workflow_run":{}}`)
	s := newServer(t)
	for status, want := range map[int]fault.Kind{401: fault.Denied, 403: fault.Denied, 500: fault.Unavailable} {
		s.status = status
		if err := reader(t, s).CatchUp(t, epoch, 0); fault.KindOf(err) != want || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%d is %v, want %v", status, err, want)
		}
	}
	s.status, s.noRuns = 0, true
	if err := reader(t, s).CatchUp(t, epoch, 0); err != nil {
		t.Errorf("a version without runs: %v", err)
	}
	if a, err := connect(t, config(s)).Check(t.Context()); err != nil || a.Who != "reader" || a.Repositories != 1 || a.Listed != 2 {
		t.Errorf("check: %+v, %v", a, err)
	}
	if _, err := gitea.New(gitea.DefaultConfig(), nil, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with nothing: %v", err)
	}
	if _, err := gitea.New(gitea.Config{Token: "x", Every: time.Hour}, nil, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without an address: %v", err)
	}
}

func FuzzHear(f *testing.F) {
	f.Add("pull_request", hooked("pull_request", object{"pull_request": pull(7, epoch, true)}).Body)
	f.Add("workflow_run", hooked("workflow_run", object{"workflow_run": action(3, "completed", "success", epoch, epoch)}).Body)
	c := connect(f, config(nil))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		if _, err := c.Hear(c.Describe(http.Header{"X-Gitea-Event": {name}}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}
