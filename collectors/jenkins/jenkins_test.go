package jenkins_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/jenkins"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/hook/hooktest"
	"cairn/internal/reading/readingtest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

var epoch = time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)

// server is a made-up Jenkins: builds by the full name of their job, newest first, as its REST API gives them.
type server struct {
	mu      sync.Mutex
	jobs    map[string][]map[string]any
	status  int // answered to everything; 0 is the truth
	pages   int
	started *httptest.Server
}

var (
	span   = regexp.MustCompile(`\{(\d+),(\d+)\}$`)
	number = regexp.MustCompile(`^(.*)/(\d+)$`)
)

func newServer(t testing.TB) *server {
	s := &server{jobs: map[string][]map[string]any{}}
	s.started = httptest.NewServer(s)
	t.Cleanup(s.started.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, token, _ := r.BasicAuth()
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
		return
	case user != "reader" || token != "t0ken":
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path, isAPI := strings.CutSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/ci/"), "api/json")
	if !isAPI {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	path = strings.Trim(path, "/")
	if path == "" {
		_ = json.NewEncoder(w).Encode(map[string]any{"jobs": s.tree("")})
		return
	}
	one := ""
	if found := number.FindStringSubmatch(path); found != nil {
		path, one = found[1], found[2]
	}
	name, err := url.PathUnescape(strings.ReplaceAll(strings.TrimPrefix("/"+path, "/job/"), "/job/", "/"))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	builds, there := s.jobs[name]
	if !there {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if one != "" {
		for _, b := range builds {
			if fmt.Sprint(b["number"]) == one {
				_ = json.NewEncoder(w).Encode(b)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.pages++
	bounds := span.FindStringSubmatch(r.URL.Query().Get("tree"))
	from, _ := strconv.Atoi(bounds[1])
	to, _ := strconv.Atoi(bounds[2])
	from, to = min(from, len(builds)), min(to, len(builds))
	_ = json.NewEncoder(w).Encode(map[string]any{"_class": "x", "allBuilds": builds[from:to]})
}

// tree are the jobs below a folder; folders have a list of them, jobs none.
func (s *server) tree(below string) []any {
	folders := map[string]bool{}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(s.jobs)) {
		rest, in := strings.CutPrefix(name, below)
		if !in {
			continue
		}
		if folder, _, deeper := strings.Cut(rest, "/"); deeper {
			if !folders[folder] {
				folders[folder] = true
				list = append(list, map[string]any{"_class": "com.cloudbees.hudson.plugins.folder.Folder", "fullName": below + folder, "jobs": s.tree(below + folder + "/")})
			}
			continue
		}
		list = append(list, map[string]any{"_class": "org.jenkinsci.plugins.workflow.job.WorkflowJob", "fullName": name})
	}
	return list
}

// add adds the newest build of a job.
func (s *server) add(job string, n int, at time.Time, result any, actions ...any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := map[string]any{"number": n, "timestamp": at.UnixMilli(), "duration": 90_000, "result": result, "building": result == nil,
		"url": fmt.Sprintf("https://ci/job/%s/%d/", job, n), "actions": append([]any{map[string]any{}, map[string]any{"_class": "hudson.model.CauseAction", "causes": []any{map[string]any{"userId": "ada"}}}}, actions...)}
	if result == nil {
		b["duration"] = 0
	}
	s.jobs[job] = slices.Insert(s.jobs[job], 0, b)
	return b
}

func checkout(remote, sha, branch string) any {
	return map[string]any{"_class": "hudson.plugins.git.util.BuildData", "remoteUrls": []string{remote},
		"lastBuiltRevision": map[string]any{"SHA1": sha, "branch": []any{map[string]any{"SHA1": sha, "name": branch}}}}
}

const (
	sha1 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sha2 = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func config(s *server) jenkins.Config {
	cfg := jenkins.DefaultConfig()
	cfg.URL, cfg.User, cfg.Token = s.started.URL+"/ci/", "reader", "t0ken"
	cfg.WebhookHeader = hook.Token{Header: "X-Cairn-Token", Secrets: []string{"correct-horse"}}
	return cfg
}

func connect(t testing.TB, cfg jenkins.Config) *jenkins.Connection {
	t.Helper()
	r, err := rules.New(rules.Config{Deployments: []rules.DeploymentRule{{Repository: "acme/*", From: rules.FromWorkflow, Name: "*/deploy-*", Environment: "{1}"},
		{Repository: "acme/*", From: rules.FromWorkflow, Name: "deploy/*", Environment: "production"}}})
	if err != nil {
		t.Fatal(err)
	}
	credential, err := jenkins.NewCredential(cfg, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	c, err := jenkins.New(cfg, r, &http.Client{Transport: credential})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func reader(t testing.TB, cfg jenkins.Config) *readingtest.Reader {
	return &readingtest.Reader{New: func() readingtest.Connection { return connect(t, cfg) }}
}

func telling(at time.Time) event.Telling { return event.Telling{Source: "jenkins", UpdatedAt: at} }

func TestBuildsBecomeRunsAndByRulesDeployments(t *testing.T) {
	s := newServer(t)
	s.add("acme/shop/main", 1, epoch, "SUCCESS", checkout("https://git.acme.com/acme/pipeline-library.git", sha2, "main"), checkout("git@git.acme.com:acme/shop.git", sha1, "refs/remotes/origin/main"))
	s.add("deploy/shop", 7, epoch.Add(time.Hour), "FAILURE", checkout("https://git.acme.com/acme/shop.git", sha1, "detached"))
	s.add("shop/feature%2Flogin", 1, epoch, nil)
	for i, result := range []string{"UNSTABLE", "ABORTED", "NOT_BUILT"} {
		s.add("odd", i+1, epoch.Add(time.Duration(i)*time.Hour), result)
	}
	cfg := config(s)
	cfg.Repositories = []rules.RepositoryName{{Match: "odd", Repository: "acme/odd"}}
	r := reader(t, cfg)
	if err := r.CatchUp(t, epoch.Add(24*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	ended := func(at time.Time) time.Time { return at.Add(90 * time.Second) }
	id := func(name string, n int, at time.Time) string { return fmt.Sprintf("%s#%d@%d", name, n, at.UnixMilli()) }
	link := func(name string, n int) string { return fmt.Sprintf("https://ci/job/%s/%d/", name, n) }
	want := map[string]event.Event{}
	put := func(run event.PipelineRun) { want["run "+run.Repository+" "+run.ID+" 1"] = &run }
	put(event.PipelineRun{Telling: telling(ended(epoch)), Repository: "acme/shop", ID: id("acme/shop/main", 1, epoch), Attempt: 1, Name: "acme/shop/main", SHA: sha1, Ref: "main", Status: "succeeded",
		QueuedAt: epoch, StartedAt: epoch, FinishedAt: ended(epoch), URL: link("acme/shop/main", 1)})
	at := epoch.Add(time.Hour)
	put(event.PipelineRun{Telling: telling(ended(at)), Repository: "acme/shop", ID: id("deploy/shop", 7, at), Attempt: 1, Name: "deploy/shop", SHA: sha1, Status: "failed",
		QueuedAt: at, StartedAt: at, FinishedAt: ended(at), URL: link("deploy/shop", 7)})
	put(event.PipelineRun{Telling: telling(epoch), Repository: "shop/feature%2Flogin", ID: id("shop/feature%2Flogin", 1, epoch), Attempt: 1, Name: "shop/feature%2Flogin", Status: "in_progress",
		QueuedAt: epoch, StartedAt: epoch, URL: link("shop/feature%2Flogin", 1)})
	for i, status := range []string{"failed", "cancelled", "skipped"} {
		at := epoch.Add(time.Duration(i) * time.Hour)
		put(event.PipelineRun{Telling: telling(ended(at)), Repository: "acme/odd", ID: id("odd", i+1, at), Attempt: 1, Name: "odd", Status: status, QueuedAt: at, StartedAt: at, FinishedAt: ended(at), URL: link("odd", i+1)})
	}
	want["deployment acme/shop build:"+id("deploy/shop", 7, at)+" 1"] = &event.Deployment{
		Telling: telling(ended(at)), Service: "acme/shop", ID: "build:" + id("deploy/shop", 7, at), Attempt: 1, Environment: "production", Status: "failed",
		CreatedAt: at, StartedAt: at, FinishedAt: ended(at), Revisions: []event.Revision{{Repository: "acme/shop", SHA: sha1}},
		Tool: "jenkins", Actor: "ada", PipelineRun: id("deploy/shop", 7, at), URL: link("deploy/shop", 7)}
	want["service acme/shop"] = &event.Service{Telling: telling(time.UnixMilli(0).UTC()), ID: "acme/shop", Name: "acme/shop", Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}}
	if diff := cmp.Diff(want, r.Known()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However a reading is broken off, it ends in the same facts; and what runs is told again when it has ended.
func TestAReadingThatIsBrokenOffEndsTheSame(t *testing.T) {
	s := newServer(t)
	for i := range 350 {
		s.add("deploy/shop", i+1, epoch.Add(time.Duration(i)*time.Minute), "SUCCESS", checkout("https://git.acme.com/acme/shop.git", sha1, "main"))
	}
	asOf := epoch.Add(6 * time.Hour)
	slow := s.add("deploy/shop", 351, asOf, nil, checkout("https://git.acme.com/acme/shop.git", sha1, "main"))
	// What began later and has ended is known first, so that the news do not reach down to the slow one.
	s.add("deploy/shop", 352, asOf.Add(20*time.Minute), "SUCCESS", checkout("https://git.acme.com/acme/shop.git", sha1, "main"))
	whole, broken := reader(t, config(s)), reader(t, config(s))
	for r, crash := range map[*readingtest.Reader]int{whole: 0, broken: 40} {
		if err := r.CatchUp(t, asOf.Add(30*time.Minute), crash); err != nil {
			t.Fatal(err)
		}
	}
	if len(whole.Known()) != 352*2+1 {
		t.Errorf("%d facts are known, want a run and a deployment of 352 builds, and a service", len(whole.Known()))
	}
	for i := range 120 { // more than a page, so that the slow one is no longer on the first
		s.add("deploy/shop", 353+i, asOf.Add(time.Duration(i+31)*time.Minute), "SUCCESS", checkout("https://git.acme.com/acme/shop.git", sha2, "main"))
	}
	s.mu.Lock()
	slow["result"], slow["building"], slow["duration"], s.pages = "SUCCESS", false, 3_600_000, 0
	s.mu.Unlock()
	later := asOf.Add(5 * time.Hour)
	if err := whole.CatchUp(t, later, 0); err != nil {
		t.Fatal(err)
	}
	if s.pages > 3 {
		t.Errorf("the news took %d pages", s.pages)
	}
	if err := broken.CatchUp(t, later, 3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole.Known(), broken.Known()); diff != "" {
		t.Errorf("broken off it ends otherwise (-whole +broken):\n%s", diff)
	}
	run := whole.Known()[fmt.Sprintf("run acme/shop deploy/shop#351@%d 1", asOf.UnixMilli())].(*event.PipelineRun)
	if run.Status != "succeeded" || !run.FinishedAt.Equal(asOf.Add(time.Hour)) || len(whole.Known()) != 472*2+1 {
		t.Errorf("the slow build is %+v, known are %d", run, len(whole.Known()))
	}
	if got := whole.Reports["deploy/shop/runs"]; !got.Complete || got.ReachedBack != epoch {
		t.Errorf("the report is %+v", got)
	}
}

// A job that was made anew counts its builds from 1 again; they are others.
func TestNumbersThatBeginAgainAreOtherBuilds(t *testing.T) {
	s := newServer(t)
	s.add("deploy/shop", 1, epoch, "SUCCESS", checkout("https://git.acme.com/acme/shop.git", sha1, "main"))
	r := reader(t, config(s))
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	s.jobs["deploy/shop"] = nil
	s.add("deploy/shop", 1, epoch.Add(2*time.Hour), "FAILURE", checkout("https://git.acme.com/acme/shop.git", sha2, "main"))
	if err := r.CatchUp(t, epoch.Add(3*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Known()); n != 5 {
		t.Errorf("%d facts are known, want two runs, two deployments and a service", n)
	}
}

func TestAWebhookHasItsBuildRead(t *testing.T) {
	s := newServer(t)
	s.add("shop/feature%2Flogin", 3, epoch, "SUCCESS")
	c := connect(t, config(s))
	r := &readingtest.Reader{New: func() readingtest.Connection { return c }}
	request := func(body string) hooktest.Request {
		return hooktest.Request{Header: http.Header{"X-Cairn-Token": {"correct-horse"}}, Body: []byte(body)}
	}
	finished := request(`{"name":"feature%2Flogin","display_name":"x","url":"job/shop/job/feature%252Flogin/","build":{"full_url":"https://ci/x","number":3,"phase":"FINALIZED","status":"SUCCESS","timestamp":1,"scm":{}}}`)
	heard, err := hooktest.Receive(t, c, finished, epoch)
	if err != nil || !slices.Equal(heard.Wakes, []source.Wake{{Stream: "repositories"}}) {
		t.Fatalf("of a job that is not known yet: %v, %v", heard, err)
	}
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	read := r.Known()
	r.Facts = nil
	if heard, err = hooktest.Receive(t, c, finished, epoch); err != nil || len(heard.Wakes) != 1 {
		t.Fatalf("got %v, %v", heard, err)
	}
	if err := r.Refresh(t, heard.Wakes[0], epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read, r.Known()); diff != "" || len(read) == 0 {
		t.Errorf("read because of the webhook it is something else:\n%s", diff)
	}
	if heard, err := hooktest.Receive(t, c, request(`{"url":"job/shop/","build":{"phase":"QUEUED"}}`), epoch); err != nil || heard.Ignored == "" {
		t.Errorf("queued: %v, %v", heard, err)
	}
	viewed := request(strings.Replace(string(finished.Body), `"url":"job/`, `"url":"view/all/view/mine/job/`, 1))
	if again, err := hooktest.Receive(t, c, viewed, epoch); err != nil || !slices.Equal(again.Wakes, heard.Wakes) {
		t.Errorf("begun on the page of a view: %v, %v; want %v", again, err, heard)
	}
	hooktest.Misunderstands(t, c, http.Header{}, "", "[]", "{}", `{"url":"view/x","build":{"phase":"STARTED","number":1}}`, `{"url":"job/%zz/","build":{"phase":"STARTED","number":1}}`)
	hooktest.Refuses(t, c, finished.Body, epoch, map[string]http.Header{"no token": {}, "another": {"X-Cairn-Token": {"wrong"}}})
}

func TestWhatIsLeftOutIsNotRead(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"deploy/shop", "deploy/old", "sandbox/x"} {
		s.add(name, 1, epoch, "SUCCESS")
	}
	cfg := config(s)
	cfg.Jobs = jenkins.JobsConfig{Include: []string{"deploy/*"}, Exclude: []string{"*/old"}}
	r := reader(t, cfg)
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, stream := range r.Now.Streams() {
		names = append(names, stream.Name)
	}
	if diff := cmp.Diff([]string{"repositories", "deploy/shop/runs"}, names); diff != "" {
		t.Error(diff)
	}
	access, err := connect(t, cfg).Check(t.Context())
	if err != nil || access.Repositories != 1 || access.Who != "reader" {
		t.Errorf("check: %+v, %v", access, err)
	}
}

func TestRefusalsAreSentences(t *testing.T) {
	s := newServer(t)
	s.add("deploy/shop", 1, epoch, "SUCCESS")
	for status, want := range map[int]fault.Kind{401: fault.Denied, 403: fault.Denied, 404: fault.NotFound, 500: fault.Unavailable, 429: fault.Unavailable} {
		s.status = status
		err := reader(t, config(s)).CatchUp(t, epoch, 0)
		if fault.KindOf(err) != want || !strings.Contains(err.Error(), "jenkins: ") || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%d is %v (%v), want %v", status, err, fault.KindOf(err), want)
		}
	}
	for name, change := range map[string]func(*jenkins.Config){
		"no token": func(c *jenkins.Config) { c.Token = "" }, "no address": func(c *jenkins.Config) { c.URL = "ci" },
		"unstable": func(c *jenkins.Config) { c.Unstable = "maybe" }, "every": func(c *jenkins.Config) { c.Every = time.Second },
		"pattern": func(c *jenkins.Config) { c.Jobs.Include = []string{"/(/"} },
	} {
		cfg := config(s)
		change(&cfg)
		if _, err := jenkins.New(cfg, nil, http.DefaultClient); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"url":"job/shop/job/feature%252Flogin/","build":{"number":3,"phase":"FINALIZED"}}`))
	c := connect(f, config(newServer(f)))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := c.Hear(c.Describe(http.Header{}, body)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
	})
}

// Jenkins' clock is an hour off for a while, and is put right again: no build is passed over.
func TestAClockThatIsOffHidesNoBuild(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		s := newServer(t)
		s.add("deploy/shop", 1, epoch, "SUCCESS")
		r := reader(t, config(s))
		look := func(after time.Duration) {
			if err := r.CatchUp(t, epoch.Add(after), 0); err != nil {
				t.Fatal(err)
			}
		}
		look(5 * time.Minute)
		for n := 2; n <= 4; n++ {
			at := epoch.Add(time.Duration(n) * 10 * time.Minute)
			s.add("deploy/shop", n, at.Add(off), "SUCCESS")
			look(at.Add(5 * time.Minute).Sub(epoch))
		}
		for n := 5; n <= 154; n++ { // more than a page, before the next look
			s.add("deploy/shop", n, epoch.Add(46*time.Minute+time.Duration(n)*time.Second), "SUCCESS")
		}
		look(55 * time.Minute)
		if runs := len(r.Known()); runs != 154 {
			t.Errorf("%s: %d builds are known, want 154", name, runs)
		}
	}
}

// Entries of a build's actions may be anything, or nothing.
func TestActionsThatSayNothingDoNoHarm(t *testing.T) {
	s := newServer(t)
	s.add("acme/shop/main", 1, epoch, "SUCCESS", nil, map[string]any{"causes": []any{nil, map[string]any{"userId": nil}}}, map[string]any{"lastBuiltRevision": nil, "remoteUrls": nil},
		map[string]any{"lastBuiltRevision": map[string]any{"SHA1": sha2, "branch": nil}, "remoteUrls": []string{}}, checkout("https://git.acme.com/acme/shop.git", sha1, "origin/main"))
	r := reader(t, config(s))
	if err := r.CatchUp(t, epoch.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Known() {
		if run, ok := e.(*event.PipelineRun); !ok || run.SHA != sha1 || run.Repository != "acme/shop" {
			t.Errorf("got %+v", e)
		}
	}
	if len(r.Known()) != 1 {
		t.Errorf("%d facts are known", len(r.Known()))
	}
}
