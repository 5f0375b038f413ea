package github_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/collectors"
	"cairn/collectors/github"
	"cairn/collectors/github/githubtest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// clock is the time of a test. Sleeping passes it on at once; who sleeps at the same time as others wakes with them.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.reach(c.Now().Add(d))
	return ctx.Err()
}

func (c *clock) reach(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// errKilled is the end of a process.
var errKilled = errors.New("killed")

// told is what is kept of a fact: the latest telling.
type told struct {
	version uint64
	event   event.Event
}

// keeper is what outlives a process: facts and positions.
type keeper struct {
	mu        sync.Mutex
	facts     map[string]told
	positions map[string]string
	order     []string // of the streams, as they were first saved
	writes    int
	events    int
	again     map[string]int // tellings by stream that changed nothing
	discard   bool           // facts are counted and not kept
	kill      func() bool    // asked at each write and each save
	invalid   []string
}

func newKeeper() *keeper {
	return &keeper{facts: map[string]told{}, positions: map[string]string{}, again: map[string]int{}}
}

// sink is a keeper as one stream sees it.
type sink struct {
	*keeper
	stream string
}

func (s sink) Write(_ context.Context, b *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kill != nil && s.kill() {
		return errKilled
	}
	s.writes++
	for e := range b.All() {
		s.events++
		if s.discard {
			continue
		}
		if bad := event.Validate(e); bad != nil {
			s.invalid = append(s.invalid, fmt.Sprintf("%s: %v", keyOf(e), bad))
		}
		key, version := keyOf(e), event.Version(e)
		old, known := s.facts[key]
		if known && old.version >= version {
			s.again[s.stream]++
			continue
		}
		copied := reflect.New(reflect.TypeOf(e).Elem())
		copied.Elem().Set(reflect.ValueOf(e).Elem())
		s.facts[key] = told{version, copied.Interface().(event.Event)}
	}
	return nil
}

func (s sink) Save(_ context.Context, stream, position string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kill != nil && s.kill() {
		return errKilled
	}
	if _, known := s.positions[stream]; !known {
		s.order = append(s.order, stream)
	}
	s.positions[stream] = position
	return nil
}

// keyOf is the identity of a fact, from the fields that are tagged so.
func keyOf(e event.Event) string {
	v := reflect.ValueOf(e).Elem()
	key := e.Kind()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("key") == "true" {
			if at, ok := v.Field(i).Interface().(time.Time); ok {
				key += " " + at.UTC().Format(time.RFC3339Nano)
				continue
			}
			key += fmt.Sprint(" ", v.Field(i).Interface())
		}
	}
	return key
}

// forge is a GitHub with a clock, and what is kept of it.
type forge struct {
	*githubtest.Fake
	clock  *clock
	keeper *keeper
	server *httptest.Server
	config github.Config
	cache  int64 // bytes of answers that are kept to be asked for again; 0: as usual
}

func newForge(t *testing.T, cfg githubtest.Config) *forge {
	t.Helper()
	f := &forge{clock: &clock{now: githubtest.Epoch}, keeper: newKeeper()}
	cfg.Now, cfg.Wait = f.clock.Now, f.clock.Sleep
	f.Fake = githubtest.New(cfg)
	f.server = httptest.NewUnstartedServer(f.Fake)
	f.server.Config.ErrorLog = nil
	f.server.Start()
	t.Cleanup(f.server.Close)
	f.config = github.DefaultConfig()
	f.config.URL, f.config.Token, f.config.Organisations = f.server.URL, "token", []string{"acme"}
	f.config.Commits = github.CommitsAPI
	f.config.Repositories.Forks = true
	return f
}

// life is one process: it knows what was kept by those before it.
type life struct {
	*forge
	t          *testing.T
	connection *github.Connection
	transport  *collectors.Transport
	workers    int
	turns      int
	ready      map[string]time.Time // when a stream may be tried again
	failures   map[string]int
	waited     []string // why, for a test that fails
}

func (f *forge) begin(t *testing.T) *life {
	t.Helper()
	l := &life{forge: f, t: t, workers: 4, ready: map[string]time.Time{}, failures: map[string]int{}}
	credential, err := github.NewCredential(f.config, http.DefaultTransport, f.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	cfg := collectors.DefaultTransportConfig()
	cfg.Next, cfg.Now, cfg.Sleep, cfg.Jitter = credential, f.clock.Now, f.clock.Sleep, func() float64 { return 0.5 }
	cfg.CacheBytes = cmp.Or(f.cache, cfg.CacheBytes)
	l.transport = collectors.NewTransport(cfg)
	r, err := rules.New(rules.Config{Incidents: rules.IncidentRule{Labels: []string{"incident"}}})
	if err != nil {
		t.Fatal(err)
	}
	l.connection, err = github.New(f.config, r, &http.Client{Transport: l.transport}, github.Clones{})
	if err != nil {
		t.Fatal(err)
	}
	for stream, position := range f.keeper.positions {
		if err := l.connection.Recall(stream, position); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// turn gives a stream a turn and says whether it has nothing more to tell for now.
func (l *life) turn(ctx context.Context, s source.Stream) (fresh bool, err error) {
	l.keeper.mu.Lock()
	position := l.keeper.positions[s.Name]
	l.turns++
	l.keeper.mu.Unlock()
	turn, err := l.connection.Turn(s, position, l.clock.Now())
	if err == nil {
		_, err = collectors.Run(ctx, turn, sink{l.keeper, s.Name})
	}
	switch limited, isLimited := errors.AsType[*collectors.Limited](err); {
	case err == nil:
		return !turn.Report().More, nil
	case isLimited:
		l.clock.reach(limited.Until)
		l.note(s.Name, err)
		return false, nil
	case errors.Is(err, errKilled):
		return false, errKilled
	case fault.KindOf(err) == fault.NotFound:
		l.note(s.Name, err)
		return true, nil
	case fault.KindOf(err) == fault.Unavailable:
		_ = l.clock.Sleep(ctx, time.Minute)
		l.note(s.Name, err)
		if l.failed(s.Name) > 30 {
			return false, fmt.Errorf("%s never works: %w", s.Name, err)
		}
		return false, nil
	}
	return false, fmt.Errorf("%s: %w", s.Name, err)
}

func (l *life) note(stream string, err error) {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	if len(l.waited) < 1000 {
		l.waited = append(l.waited, stream+": "+err.Error())
	}
}

func (l *life) failed(stream string) int {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	l.failures[stream]++
	return l.failures[stream]
}

// read gives turns to all streams, a turn to each and then another, until none has more to tell. It ends with the
// first error that waiting does not help against.
func (l *life) read() error {
	ctx := l.t.Context()
	fresh := map[string]bool{}
	for round := 0; ; round++ {
		if round > 2000 {
			return fmt.Errorf("reading does not end; it waited for: %s", strings.Join(l.waited[max(0, len(l.waited)-10):], "\n"))
		}
		var due []source.Stream
		for _, s := range l.connection.Streams() {
			if !fresh[s.Name] {
				due = append(due, s)
			}
		}
		if len(due) == 0 {
			return nil
		}
		// Round-robin over repositories, each with its streams in turn.
		work := make(chan source.Stream)
		var wait sync.WaitGroup
		var mu sync.Mutex
		var failure error
		for range l.workers {
			wait.Go(func() {
				for s := range work {
					done, err := l.turn(ctx, s)
					mu.Lock()
					fresh[s.Name] = done
					failure = cmp.Or(failure, err)
					mu.Unlock()
				}
			})
		}
		for _, s := range due {
			mu.Lock()
			ended := failure != nil
			mu.Unlock()
			if ended {
				break
			}
			work <- s
		}
		close(work)
		wait.Wait()
		if failure != nil {
			return failure
		}
	}
}

func (f *forge) mustRead(t *testing.T) *life {
	t.Helper()
	l := f.begin(t)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	return l
}

func list(of []string) []string {
	if len(of) == 0 {
		return nil
	}
	return of
}

// compare holds what is kept against the truth.
func (f *forge) compare(t *testing.T) {
	t.Helper()
	f.compareWith(t, f.Truth(), nil)
}

// compareWith holds what is kept against a truth, as far as it can be known: blur takes away what cannot.
func (f *forge) compareWith(t *testing.T, truth *githubtest.Truth, blur func(*githubtest.Change)) {
	t.Helper()
	if blur != nil {
		for key, c := range truth.Changes {
			blur(&c)
			truth.Changes[key] = c
		}
	}
	f.keeper.mu.Lock()
	defer f.keeper.mu.Unlock()
	if len(f.keeper.invalid) > 0 {
		t.Errorf("intake would refuse %d facts: %s", len(f.keeper.invalid), f.keeper.invalid[0])
	}
	shown := map[string]int{}
	wrong := func(kind, format string, args ...any) {
		t.Helper()
		if shown[kind]++; shown[kind] <= 3 {
			t.Errorf(kind+" "+format, args...)
		}
	}
	got := &githubtest.Truth{
		Repositories: map[string]githubtest.Repository{}, Branches: map[string]string{}, Commits: map[string]githubtest.Commit{}, Changes: map[string]githubtest.Change{},
		Runs: map[string]githubtest.Run{}, Deployments: map[string]githubtest.Deployment{}, Incidents: map[string]githubtest.Incident{}, Teams: map[string]githubtest.Team{},
		Members: map[string]bool{}, Owners: map[string][]string{},
	}
	services := map[string]bool{}
	for _, x := range f.keeper.facts {
		switch e := x.event.(type) {
		case *event.Repository:
			got.Repositories[e.ID] = githubtest.Repository{
				Name: e.Name, DefaultBranch: e.DefaultBranch, Archived: !e.ArchivedAt.IsZero(), Deleted: !e.DeletedAt.IsZero(), Fork: truth.Repositories[e.ID].Fork,
			}
		case *event.Branch:
			if e.Default {
				got.Branches[e.Repository] = e.SHA
			}
		case *event.Commit:
			key := e.Repository + " " + e.SHA
			got.Commits[key] = githubtest.Commit{
				Parents: list(e.Parents), AuthoredAt: e.AuthoredAt, CommittedAt: e.CommittedAt, Subject: e.Subject, Bot: e.Bot, Reachable: truth.Commits[key].Reachable,
			}
		case *event.ChangeRequest:
			got.Changes[e.Repository+" "+e.ID] = githubtest.Change{
				Author: e.Author, Title: e.Title, Base: e.BaseBranch, CreatedAt: e.CreatedAt, FirstCommitAt: e.FirstCommitAt, ReadyAt: e.ReadyAt,
				FirstReviewAt: e.FirstReviewAt, ApprovedAt: e.ApprovedAt, MergedAt: e.MergedAt, ClosedAt: e.ClosedAt, Method: e.MergeMethod,
				Commits: list(e.Commits), Landed: list(e.Landed), Labels: list(e.Labels), Additions: e.Additions, Deletions: e.Deletions,
			}
		case *event.PipelineRun:
			key := fmt.Sprintf("%s %s %d", e.Repository, e.ID, e.Attempt)
			got.Runs[key] = githubtest.Run{
				Name: e.Name, SHA: e.SHA, Status: e.Status, StartedAt: e.StartedAt, FinishedAt: e.FinishedAt, Template: e.Template, Latest: truth.Runs[key].Latest,
			}
		case *event.Deployment:
			id, ours := strings.CutPrefix(e.ID, "deployment:")
			if !ours || len(e.Revisions) != 1 {
				wrong("deployment", "%s of %s is none of GitHub's deployments", e.ID, e.Service)
				continue
			}
			if !services[e.Service] && f.keeper.facts["service "+e.Service].event == nil {
				wrong("service", "%s is not told, although it was deployed", e.Service)
			}
			services[e.Service] = true
			repo := e.Revisions[0].Repository
			got.Deployments[repo+" "+id] = githubtest.Deployment{
				Repository: repo, Environment: e.Environment, SHA: e.Revisions[0].SHA, Status: e.Status, CreatedAt: e.CreatedAt, StartedAt: e.StartedAt, FinishedAt: e.FinishedAt,
			}
		case *event.Incident:
			got.Incidents[strings.Replace(e.ID, "#", " ", 1)] = githubtest.Incident{Title: e.Title, Severity: e.Severity, StartedAt: e.StartedAt, EndedAt: e.ResolvedAt}
		case *event.Ownership:
			if e.To.IsZero() {
				got.Owners[e.Service] = append(got.Owners[e.Service], e.Team)
			}
		case *event.Team:
			got.Teams[e.ID] = githubtest.Team{Name: e.Name, Parent: e.Parent}
		case *event.Membership:
			if e.To.IsZero() {
				got.Members[e.Team+" "+e.Person] = true
			}
		}
	}
	deleted := func(key string) bool {
		repo, _, _ := strings.Cut(key, " ")
		return truth.Repositories[repo].Deleted
	}
	same(wrong, "repository", truth.Repositories, got.Repositories, func(string, githubtest.Repository) bool { return true })
	same(wrong, "branch", truth.Branches, got.Branches, func(key, _ string) bool { return !deleted(key) })
	same(wrong, "commit", truth.Commits, got.Commits, func(key string, c githubtest.Commit) bool { return c.Reachable && !deleted(key) })
	same(wrong, "change", truth.Changes, got.Changes, func(key string, _ githubtest.Change) bool { return !deleted(key) })
	same(wrong, "run", truth.Runs, got.Runs, func(key string, _ githubtest.Run) bool { return !deleted(key) })
	same(wrong, "deployment", truth.Deployments, got.Deployments, func(key string, _ githubtest.Deployment) bool { return !deleted(key) })
	same(wrong, "incident", truth.Incidents, got.Incidents, func(key string, _ githubtest.Incident) bool { return !deleted(key) })
	same(wrong, "team", truth.Teams, got.Teams, func(string, githubtest.Team) bool { return true })
	same(wrong, "member", truth.Members, got.Members, func(string, bool) bool { return true })
	same(wrong, "owner", truth.Owners, got.Owners, func(key string, _ []string) bool { return !deleted(key) })
	for kind, n := range shown {
		if n > 3 {
			t.Errorf("%d of kind %s are wrong", n, kind)
		}
	}
	if problems := f.Problems(); len(problems) > 0 {
		t.Errorf("GitHub does not understand %d requests, such as %s", len(problems), problems[0])
	}
}

// same compares two maps; required says whether something of the truth has to be told. What is told has to be true.
func same[V any](wrong func(kind, format string, args ...any), kind string, want, got map[string]V, required func(string, V) bool) {
	for key, w := range want {
		g, found := got[key]
		switch {
		case !found && required(key, w):
			wrong(kind, "%s is not told: %+v", key, w)
		case found && required(key, w) && !reflect.DeepEqual(w, g):
			if d := diff.Diff(w, g, cmpopts.EquateEmpty()); d != "" {
				wrong(kind, "%s (-want +got):\n%s", key, d)
			}
		}
	}
	for key, g := range got {
		if _, found := want[key]; !found {
			wrong(kind, "%s does not exist: %+v", key, g)
		}
	}
}

// plan is how the collector reads.
var plan = githubtest.Plan{Changes: 50, Deployments: 50}

func TestAThousandRepositoriesAreReadWithHardlyMoreRequestsThanItTakes(t *testing.T) {
	cfg := githubtest.Config{Seed: 1, Repositories: 1000, Teams: 12, BigEvery: 100, Limit: 1_000_000, GraphQLLimit: 1_000_000}
	if testing.Short() {
		cfg.Repositories = 60
	}
	f := newForge(t, cfg)
	l := f.mustRead(t)
	f.compare(t)
	least, by := f.Minimum(plan)
	made := f.Total().Requests
	t.Logf("%d requests, of at least %d, %d turns", made, least, l.turns)
	if float64(made) > 1.1*float64(least) {
		t.Errorf("made %d requests, %.0f %% more than the least, %d: %v; %v", made, 100*(float64(made)/float64(least)-1), least, by, f.Requests())
	}
	if f.Impatient() > 0 {
		t.Errorf("%d requests were made although a limit was reached", f.Impatient())
	}
}

func TestWithoutGraphQLTheSameIsRead(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 2, Repositories: 10, Teams: 3, Limit: 1_000_000})
	f.config.GraphQL = github.GraphQLOff
	f.mustRead(t)
	truth := f.Truth()
	f.compareWith(t, truth, func(c *githubtest.Change) {
		c.ReadyAt = time.Time{} // REST does not say when it left draft
		if !c.ClosedAt.IsZero() {
			c.FirstReviewAt, c.ApprovedAt = time.Time{}, time.Time{} // nor is it asked who reviewed what was thrown away
		}
	})
	if n := f.Requests()["POST /graphql"].Requests; n > 0 {
		t.Errorf("GraphQL was asked %d times", n)
	}
}

func TestEachFaultAloneChangesNothing(t *testing.T) {
	for _, kind := range githubtest.FaultKinds() {
		t.Run(string(kind), func(t *testing.T) {
			f := newForge(t, githubtest.Config{Seed: 3, Repositories: 8, Teams: 2, Limit: 100_000, GraphQLLimit: 100_000})
			f.Inject(
				githubtest.Fault{Kind: kind, After: 3},
				githubtest.Fault{Kind: kind, Path: "/graphql", After: 4, Times: 2},
				githubtest.Fault{Kind: kind, Path: "/commits", After: 7},
				githubtest.Fault{Kind: kind, Path: "/actions/runs", After: 2, Times: 3},
				githubtest.Fault{Kind: kind, Path: "/orgs", Times: 2},
			)
			l := f.mustRead(t)
			f.compare(t)
			if faulty := f.Total().Faulty; faulty < 8 {
				t.Errorf("only %d faults were met", faulty)
			}
			// Those that are under way when a limit is reached cannot know of it.
			if n := f.Impatient(); n > 5*l.workers {
				t.Errorf("%d requests were made although a limit was reached", n)
			}
		})
	}
}

func TestASmallAllowanceOnlyTakesLonger(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 4, Repositories: 12, Teams: 2, Limit: 40, GraphQLLimit: 30})
	l := f.mustRead(t)
	f.compare(t)
	if hours := f.clock.Now().Sub(githubtest.Epoch).Hours(); hours < 1 {
		t.Errorf("it took %.1f hours only", hours)
	}
	if n := f.Impatient(); n > 0 {
		t.Errorf("%d requests were made although the allowance was used up; %v", n, l.waited)
	}
}

func TestARefusedCredentialEndsReadingAndAnotherOneGoesOn(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 5, Repositories: 10, Teams: 2})
	f.After(func(_ *http.Request, n int) {
		if n == 40 {
			f.Revoke("token")
		}
	})
	err := f.begin(t).read()
	if fault.KindOf(err) != fault.Denied {
		t.Fatalf("got %v, want a fault of the kind denied", err)
	}
	f.After(nil)
	f.Grant("another")
	f.config.Token = "another"
	f.mustRead(t)
	f.compare(t)
}

func TestARepositoryThatIsNotShownStopsNoOther(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 6, Repositories: 6, Teams: 2})
	repo := f.Repositories()[2]
	f.Inject(githubtest.Fault{Kind: githubtest.Missing, Path: "/repos/" + repo + "/", Times: -1})
	f.mustRead(t)
	f.Heal()
	f.clock.Sleep(t.Context(), time.Hour)
	f.mustRead(t)
	f.compare(t)
}

func TestWhateverGoesWrongMeanwhileEverythingIsReadInTheEnd(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newForge(t, githubtest.Config{Seed: 10 + seed, Repositories: 12, Teams: 3, BigEvery: 6, Limit: 400, GraphQLLimit: 300})
			f.Chaos(seed, 0.1, githubtest.FaultKinds()...)
			f.Churn(seed, 0.3, 60)
			l := f.begin(t)
			if err := l.read(); err != nil {
				t.Fatal(err)
			}
			f.Heal()
			// What happened since is news, whichever process reads it.
			f.clock.Sleep(t.Context(), 15*time.Minute)
			if seed%2 == 0 {
				l = f.begin(t)
			}
			if err := l.read(); err != nil {
				t.Fatal(err)
			}
			f.compare(t)
		})
	}
}

func TestAKilledProcessRepeatsAPageAtMost(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newForge(t, githubtest.Config{Seed: 20 + seed, Repositories: 4, Teams: 3, BigEvery: 4, Limit: 100_000, GraphQLLimit: 100_000})
			random := rand.New(rand.NewPCG(seed, 1))
			lives := 0
			for {
				lives++
				left := 1 + random.IntN(40) // writes and saves until it is killed
				if lives > 25 {
					left = 1 << 30
				}
				f.keeper.kill = func() bool { left--; return left < 0 }
				before := map[string]int{}
				for stream, n := range f.keeper.again {
					before[stream] = n
				}
				err := f.begin(t).read()
				for stream, n := range f.keeper.again {
					if repeated := n - before[stream]; repeated > 100 {
						t.Errorf("life %d repeats %d facts of %s", lives, repeated, stream)
					}
				}
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
			}
			f.keeper.kill = nil
			f.compare(t)
			t.Logf("%d lives", lives)
			if lives < 5 {
				t.Errorf("there were only %d lives", lives)
			}
		})
	}
}

func TestMemoryDoesNotGrowWithWhatIsRead(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads many repositories")
	}
	heap := func(repositories int) (grown, peak uint64) {
		f := newForge(t, githubtest.Config{Seed: 7, Repositories: repositories, Teams: 3, Limit: 1_000_000, GraphQLLimit: 1_000_000})
		f.keeper.discard, f.cache = true, 1<<20
		l := f.begin(t)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := l.read(); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(l)
		return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc), after.HeapSys
	}
	small, _ := heap(100)
	large, peak := heap(1000)
	t.Logf("100 repositories: %d KB, 1,000: %d KB more than before; %d MB from the system", small>>10, large>>10, peak>>20)
	// What is kept by intent: the known repositories and their positions, some kilobytes each, and a megabyte of answers.
	if large > small+(10<<20) {
		t.Errorf("after 100 repositories %d KB are in use, after 1,000 %d KB", small>>10, large>>10)
	}
}

func TestNewsTakeFewRequestsAndNoNewsTakeNone(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 8, Repositories: 40, Teams: 3, Limit: 100_000, GraphQLLimit: 100_000})
	l := f.mustRead(t)
	again := func() githubtest.Count {
		t.Helper()
		f.Forget()
		f.clock.Sleep(t.Context(), 8*24*time.Hour) // nothing is awaited any more
		if err := l.read(); err != nil {
			t.Fatal(err)
		}
		return f.Total()
	}
	again() // the first look at news asks for lists that reading history did not need
	quiet := again()
	t.Logf("no news: %+v in %d streams", quiet, len(l.connection.Streams()))
	empty := 0 // of these GitHub says so in two answers that are none of 200
	truth := f.Truth()
	for repo := range truth.Repositories {
		if truth.Branches[repo] == "" {
			empty++
		}
	}
	if paid := quiet.Requests - quiet.NotModified; paid > 2*empty {
		t.Errorf("%d of %d requests without news were not answered with 304: %v", paid, quiet.Requests, f.Requests())
	}

	repos := f.Repositories()
	f.Push(repos[0], 2, 0)
	f.MergePull(repos[1], f.OpenPull(repos[1]))
	id := f.Deploy(repos[2], "production")
	f.SetStatus(repos[2], id, "in_progress")
	f.SetStatus(repos[2], id, "success")
	f.FinishRun(repos[3], f.StartRun(repos[3], "CI"), "success")
	f.OpenIssue(repos[4], "It does not answer", "incident", "sev1")
	created := f.Create()
	f.Archive(repos[5])
	busy := again()
	f.compare(t)
	t.Logf("news in 7 repositories, one of them new (%s): %+v", created, busy)
	if paid := busy.Requests - busy.NotModified; paid > 45 {
		t.Errorf("%d requests were needed for seven changes: %v", paid, f.Requests())
	}
}

func TestALateStatusIsHeardOf(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 9, Repositories: 3, Teams: 1})
	repo := f.Repositories()[1]
	id := f.Deploy(repo, "production")
	f.SetStatus(repo, id, "in_progress")
	run := f.StartRun(repo, "CI")
	l := f.mustRead(t)
	f.compare(t)
	f.clock.Sleep(t.Context(), 2*time.Hour)
	f.SetStatus(repo, id, "failure")
	f.FinishRun(repo, run, "failure")
	f.Forget()
	f.clock.Sleep(t.Context(), 15*time.Minute)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
	if n := f.Requests()["GET /repos/{owner}/{repo}/deployments/{id}"].Requests; n > 0 {
		t.Errorf("%d deployments were asked for one by one", n)
	}
	f.Rerun(repo, run)
	f.clock.Sleep(t.Context(), 15*time.Minute)
	f.FinishRun(repo, run, "success")
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
}

func TestARunThatEndsWhenAHundredOthersHaveBegunIsHeardOf(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 14, Repositories: 1})
	repo := f.Repositories()[0]
	slow := f.StartRun(repo, "Nightly")
	l := f.mustRead(t)
	for range 110 {
		f.clock.Sleep(t.Context(), time.Minute)
		f.FinishRun(repo, f.StartRun(repo, "CI"), "success")
	}
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.FinishRun(repo, slow, "failure")
	f.clock.Sleep(t.Context(), 15*time.Minute)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
}

func TestAnOldCommitThatArrivesLateIsRead(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 10, Repositories: 3, Styles: []string{githubtest.Merge}})
	repo := f.Repositories()[0]
	number := f.OpenPull(repo)
	l := f.mustRead(t)
	for range 3 {
		f.clock.Sleep(t.Context(), 24*time.Hour)
		f.Push(repo, 1, 0)
		if err := l.read(); err != nil {
			t.Fatal(err)
		}
	}
	f.MergePull(repo, number) // its commits are three days old
	f.Push(repo, 1, 60*24*time.Hour)
	f.clock.Sleep(t.Context(), 15*time.Minute)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
}

func TestARewrittenBranchIsFollowed(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 11, Repositories: 2, Steps: 12})
	l := f.mustRead(t)
	f.clock.Sleep(t.Context(), time.Hour)
	f.ForcePush(f.Repositories()[0], 3)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
}

func TestARenamedRepositoryKeepsItsHistoryAndADeletedOneIsToldToBe(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 12, Repositories: 5, Steps: 6, Teams: 1})
	l := f.mustRead(t)
	repos := f.Repositories()
	f.clock.Sleep(t.Context(), time.Hour)
	f.Rename(repos[0], "shop")
	f.Push("acme/shop", 2, 0)
	f.Delete(repos[1])
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.clock.Sleep(t.Context(), time.Hour)
	f.Push("acme/shop", 1, 0)
	if err := l.read(); err != nil {
		t.Fatal(err)
	}
	f.compare(t)
}

// shipped is what a metric makes of the facts of a Story: its changes, by the start of each, with the hours until they
// were live.
func (f *forge) shipped(t *testing.T, repo string) (leads []float64, landed int) {
	t.Helper()
	commits := map[string]*event.Commit{}
	byLanded := map[string]*event.ChangeRequest{}
	var live time.Time
	var head, first string
	for _, x := range f.keeper.facts {
		switch e := x.event.(type) {
		case *event.Commit:
			if e.Repository == repo {
				commits[e.SHA] = e
			}
		case *event.ChangeRequest:
			if e.Repository == repo && !e.MergedAt.IsZero() {
				for _, sha := range append(slices.Clone(e.Landed), e.Commits...) {
					byLanded[sha] = e
				}
			}
		case *event.Deployment:
			if e.Service != repo || e.Status != "succeeded" {
				continue
			}
			if e.FinishedAt.After(live) {
				live, head = e.FinishedAt, e.Revisions[0].SHA
			}
			if e.FinishedAt.Equal(githubtest.StoryBegin.Add(10 * time.Hour)) {
				first = e.Revisions[0].SHA
			}
		}
	}
	seen := map[string]bool{first: true}
	counted := map[*event.ChangeRequest]bool{}
	for todo := []string{head}; len(todo) > 0; {
		sha := todo[0]
		todo = todo[1:]
		if seen[sha] {
			continue
		}
		seen[sha] = true
		c := commits[sha]
		if c == nil {
			t.Fatalf("commit %s of %s is not told", sha, repo)
		}
		todo = append(todo, c.Parents...)
		landed++
		start := c.AuthoredAt
		if change := byLanded[sha]; change != nil {
			if counted[change] {
				continue
			}
			counted[change] = true
			start = change.FirstCommitAt
		}
		leads = append(leads, live.Sub(start).Hours())
	}
	slices.Sort(leads)
	return leads, landed
}

func TestHowATeamMergesChangesNoNumber(t *testing.T) {
	f := newForge(t, githubtest.Config{Seed: 13})
	for _, test := range []struct {
		style   string
		several bool
		landed  int // commits that came to the default branch: worked out by hand
		leads   []float64
	}{
		// A and B are two changes, begun 48 and 24 hours before they are live.
		{githubtest.Merge, true, 7, []float64{24, 48}}, // 3 + 2 commits and two merges
		{githubtest.Squash, true, 2, []float64{24, 48}},
		{githubtest.Rebase, true, 5, []float64{24, 48}},
		{githubtest.FastForward, true, 5, []float64{24, 48}},
		{githubtest.Merge, false, 4, []float64{24, 48}},
		{githubtest.Squash, false, 2, []float64{24, 48}},
		{githubtest.Rebase, false, 2, []float64{24, 48}},
		{githubtest.FastForward, false, 2, []float64{24, 48}},
		{githubtest.Trunk, false, 2, []float64{24, 48}},
		// Without pull requests each commit is a change: A's were written 48, 46 and 42 hours before, B's 24 and 22.5.
		{githubtest.Trunk, true, 5, []float64{22.5, 24, 42, 46, 48}},
	} {
		repo := f.Story(fmt.Sprintf("%s-%v", strings.ReplaceAll(test.style, "_", "-"), test.several), test.style, test.several)
		f.mustRead(t)
		leads, landed := f.shipped(t, repo)
		if d := diff.Diff(test.leads, leads); d != "" || landed != test.landed {
			t.Errorf("%s: %d commits landed, want %d; lead times in hours (-want +got):\n%s", repo, landed, test.landed, d)
		}
	}
	f.compare(t)
}
