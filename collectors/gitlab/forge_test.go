package gitlab_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/collectors"
	"cairn/collectors/gitlab"
	"cairn/collectors/gitlab/gitlabtest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// errKilled is the end of a process.
var errKilled = errors.New("killed")

// told is what is kept of a fact: the latest telling.
type told struct {
	version uint64
	event   event.Event
}

// keeper is what outlives a process: facts and positions.
type keeper struct {
	t         *testing.T
	facts     map[string]told
	positions map[string]string
	events    int
	kill      func() bool // asked at each write and each save
}

func (k *keeper) Write(_ context.Context, b *event.Batch) error {
	if k.kill != nil && k.kill() {
		return errKilled
	}
	for e := range b.All() {
		k.events++
		if bad := event.Validate(e); bad != nil {
			k.t.Errorf("a fact that intake would refuse: %s: %v", keyOf(e), bad)
		}
		key, version := keyOf(e), event.Version(e)
		if old, known := k.facts[key]; known && old.version >= version {
			continue
		}
		copied := reflect.New(reflect.TypeOf(e).Elem())
		copied.Elem().Set(reflect.ValueOf(e).Elem())
		k.facts[key] = told{version, copied.Interface().(event.Event)}
	}
	return nil
}

func (k *keeper) Save(_ context.Context, stream, position string) error {
	if k.kill != nil && k.kill() {
		return errKilled
	}
	k.positions[stream] = position
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

// forge is a GitLab, what is kept of it, and the process that reads it.
type forge struct {
	*gitlabtest.Fake
	t          *testing.T
	server     *httptest.Server
	config     gitlab.Config
	rules      rules.Config
	keeper     *keeper
	connection *gitlab.Connection
	turns      int
	failures   map[fault.Kind]int
}

func newForge(t *testing.T, cfg gitlabtest.Config) *forge {
	t.Helper()
	f := &forge{Fake: gitlabtest.New(cfg), t: t, failures: map[fault.Kind]int{}}
	f.keeper = &keeper{t: t, facts: map[string]told{}, positions: map[string]string{}}
	f.server = httptest.NewServer(f.Fake)
	t.Cleanup(f.server.Close)
	f.config = gitlab.DefaultConfig()
	f.config.URL, f.config.Token, f.config.Groups, f.config.Commits = f.server.URL, "token", []string{"acme"}, gitlab.CommitsAPI
	f.rules.Incidents.Types = []string{"incident"}
	f.begin()
	return f
}

// begin starts a process that knows what was kept by those before it.
func (f *forge) begin() {
	f.t.Helper()
	credential, err := gitlab.NewCredential(f.config, http.DefaultTransport)
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := rules.New(f.rules)
	if err != nil {
		f.t.Fatal(err)
	}
	f.connection, err = gitlab.New(f.config, r, &http.Client{Transport: credential, Timeout: 2 * time.Second}, gitlab.Clones{})
	if err != nil {
		f.t.Fatal(err)
	}
	for stream, position := range f.keeper.positions {
		if err := f.connection.Recall(stream, position); err != nil {
			f.t.Fatal(err)
		}
	}
}

// turn gives a stream a turn.
func (f *forge) turn(s source.Stream) (source.Report, error) {
	f.turns++
	turn, err := f.connection.Turn(s, f.keeper.positions[s.Name], f.Now())
	if err != nil {
		return source.Report{}, err
	}
	_, err = collectors.Run(f.t.Context(), turn, f.keeper)
	return turn.Report(), err
}

// pass gives every stream turns until none has more; what is unavailable is tried again.
func (f *forge) pass() error {
	f.t.Helper()
	done := map[string]bool{}
	for tries := 0; ; tries++ {
		if tries > 3000 {
			f.t.Fatal("the streams never came to an end")
		}
		progress := false
		for _, s := range f.connection.Streams() {
			if done[s.Name] {
				continue
			}
			progress = true
			report, err := f.turn(s)
			switch kind := fault.KindOf(err); {
			case errors.Is(err, errKilled):
				return err
			case err != nil && kind == fault.Unavailable:
				f.failures[kind]++
			case kind == fault.NotFound && s.Group != "":
				done[s.Name] = true
			case err != nil:
				return fmt.Errorf("%s: %w", s.Name, err)
			case !report.More:
				if !report.Complete {
					f.t.Fatalf("%s has nothing more, but is not complete", s.Name)
				}
				done[s.Name] = true
			}
		}
		if !progress {
			return nil
		}
	}
}

// read reads everything.
func (f *forge) read() {
	f.t.Helper()
	if err := f.pass(); err != nil {
		f.t.Fatal(err)
	}
}

// differs says how what is kept differs from the truth, "" when it does not.
func (f *forge) differs(also ...event.Event) string {
	want, got := map[string]event.Event{}, map[string]event.Event{}
	for _, e := range append(f.Truth(f.server.URL), also...) {
		want[keyOf(e)] = e
	}
	for key, kept := range f.keeper.facts {
		e := kept.event
		switch e := e.(type) {
		case *event.Ownership:
			continue // has tests of its own
		case *event.Branch, *event.Service:
			e.Common().UpdatedAt = time.Time{}
		}
		got[key] = e
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

func (f *forge) isTrue() {
	f.t.Helper()
	if diff := f.differs(); diff != "" {
		f.t.Errorf("facts (-truth +collected):\n%.6000s", diff)
	}
	if problems := f.Problems(); len(problems) > 0 {
		f.t.Errorf("requests that GitLab would refuse: %s", problems)
	}
}

var small = gitlabtest.Config{Seed: 1, Projects: 6, Changes: 25, Runs: 12, Deployments: 15, Issues: 12, Keyset: true}

func TestEverythingIsCollected(t *testing.T) {
	for _, keyset := range []bool{true, false} {
		t.Run(fmt.Sprintf("keyset %t", keyset), func(t *testing.T) {
			cfg := small
			cfg.Keyset = keyset
			f := newForge(t, cfg)
			f.read()
			f.isTrue()
		})
	}
}

func TestNewsAreCollectedWhereverTheyHappen(t *testing.T) {
	f := newForge(t, small)
	f.read()
	for i := range small.Projects {
		f.Happen(i, 20)
	}
	f.read()
	f.isTrue()
}

func TestWhatMovesBetweenPagesIsCollected(t *testing.T) {
	for seed := range uint64(8) {
		cfg := small
		cfg.Seed, cfg.Changes, cfg.Issues = seed, 45, 120
		f := newForge(t, cfg)
		f.Churn(0.5, 60)
		f.read()
		f.Churn(0, 0)
		f.read()
		f.isTrue()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestFaultsLoseNothing(t *testing.T) {
	for _, kind := range gitlabtest.FaultKinds() {
		t.Run(string(kind), func(t *testing.T) {
			cfg := small
			cfg.Projects = 3
			f := newForge(t, cfg)
			f.Chaos(0.15, func(ctx context.Context) error { return nil }, kind)
			f.read()
			f.Happen(0, 10)
			f.read()
			f.isTrue()
			if kind != gitlabtest.Slow && f.failures[fault.Unavailable] == 0 {
				t.Error("nothing went wrong: the test is none")
			}
		})
	}
}

func TestAnAnswerThatDoesNotComeIsUnavailable(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1})
	f.Chaos(1, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, gitlabtest.Slow)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	turn, err := f.connection.Turn(f.connection.Streams()[0], "", f.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = collectors.Run(ctx, turn, f.keeper); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want a fault that passes", err)
	}
}

func TestARevokedTokenIsDeniedAndANewOneGoesOn(t *testing.T) {
	f := newForge(t, small)
	f.SetToken("another")
	err := f.pass()
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "refuses the token") {
		t.Fatalf("got %v, want that the token is refused", err)
	}
	f.config.Token = "another"
	f.begin()
	f.read()
	f.isTrue()
}

func TestAKilledProcessGoesOnWhereItWas(t *testing.T) {
	f := newForge(t, small)
	n, lives := 0, 0
	f.keeper.kill = func() bool { n++; return n%11 == 0 }
	for f.pass() != nil {
		lives++
		f.begin()
	}
	f.keeper.kill = nil
	f.isTrue()
	whole := newForge(t, small)
	whole.read()
	if f.keeper.events > whole.keeper.events*13/10 {
		t.Errorf("%d lives told %d events, one tells %d: too much was repeated", lives, f.keeper.events, whole.keeper.events)
	}
	if lives < 5 {
		t.Errorf("only %d lives: the test is none", lives)
	}
}

func TestRequestsAreFew(t *testing.T) {
	cfg := gitlabtest.Config{Seed: 3, Projects: 4, Changes: 120, Runs: 150, Deployments: 250, Issues: 250, Keyset: true}
	f := newForge(t, cfg)
	f.read()
	counts := f.Requests()
	f.isTrue()
	detailed := 0
	for _, e := range f.Truth("") {
		if c, ok := e.(*event.ChangeRequest); ok && c.ClosedAt.IsZero() {
			detailed++
		}
	}
	pages := func(n int) int { return (n + 99) / 100 }
	commits := 0
	for _, e := range f.Truth("") {
		if e.Kind() == event.KindCommit {
			commits++
		}
	}
	// Each list once, in pages of a hundred; what belongs to each merge request; a branch and two files of each project,
	// the tiers of two environments, and an empty list of members' pages.
	least := 1 + 2 + 4 + 2*detailed + cfg.Projects*(pages(cfg.Changes)+pages(2*cfg.Runs)+pages(cfg.Deployments)+pages(cfg.Issues)+pages(commits/cfg.Projects)+1+2+2)
	if got := counts["all"]; float64(got) > 1.1*float64(least) {
		t.Errorf("%d requests, want at most 1.1 times the least, %d: %v", got, least, counts)
	}
	// Nothing new: a look at each list.
	f.read()
	if got, want := f.Requests()["all"], len(f.connection.Streams())+2+4+cfg.Projects; got > want {
		t.Errorf("%d requests when nothing is new, want at most %d", got, want)
	}
}

func TestATurnIsShort(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 3, Projects: 2, Changes: 100, Runs: 10, Deployments: 5, Issues: 5})
	for _, s := range f.connection.Streams() {
		for more := true; more; {
			report, err := f.turn(s)
			if err != nil {
				t.Fatal(err)
			}
			more = report.More
		}
	}
	f.Requests()
	for range 10 {
		for _, s := range f.connection.Streams() {
			if _, err := f.turn(s); err != nil {
				t.Fatal(err)
			}
			if n := f.Requests()["all"]; n > 35 {
				t.Errorf("a turn of %s made %d requests", s.Name, n)
			}
		}
	}
}

func TestThingsThatChangedInOneInstantAreAllCollected(t *testing.T) {
	cfg := small
	cfg.Changes, cfg.Issues = 75, 230
	f := newForge(t, cfg)
	f.TieChanges(0) // in the history
	f.read()
	f.isTrue()
	f.TieChanges(1) // in the news
	f.read()
	f.isTrue()
	before := f.keeper.events
	f.read()
	if told := f.keeper.events - before; told > 0 {
		t.Errorf("%d events were told again although nothing happened", told)
	}
}

func TestAnEmptyProjectTellsWhatComes(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 2})
	f.read()
	f.isTrue()
}

func TestMoreThanAThousandProjectsAreFound(t *testing.T) {
	for _, keyset := range []bool{true, false} {
		f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1234, Keyset: keyset})
		repositories := f.connection.Streams()[0]
		for more := true; more; {
			report, err := f.turn(repositories)
			if err != nil {
				t.Fatal(err)
			}
			more = report.More
		}
		n := 0
		for key := range f.keeper.facts {
			if strings.HasPrefix(key, event.KindRepository+" ") {
				n++
			}
		}
		if n != 1234 {
			t.Errorf("keyset %t: found %d projects, want 1234", keyset, n)
		}
		if got := f.Requests()["all"]; got > 14 {
			t.Errorf("keyset %t: %d requests for 13 pages", keyset, got)
		}
	}
}

func TestARenamedProjectKeepsItsIDAndADeletedOneIsDeleted(t *testing.T) {
	f := newForge(t, small)
	f.read()
	f.Rename(0, "acme/payments/renamed")
	f.Delete(1)
	f.read()
	gone := ""
	for _, kept := range f.keeper.facts {
		if r, ok := kept.event.(*event.Repository); ok && !r.DeletedAt.IsZero() {
			gone += r.ID + " "
		}
	}
	if gone != "acme/payments/svc-0001 " {
		t.Errorf("deleted are %q, want acme/payments/svc-0001", gone)
	}
	for _, s := range f.connection.Streams() {
		if s.Group == "acme/payments/svc-0001" || strings.Contains(s.Name, "renamed") {
			t.Errorf("there is a stream %s", s.Name)
		}
	}
	if _, known := f.keeper.facts["repository acme/svc-0000"]; !known {
		t.Error("the renamed project is not known under its first path")
	}
	f.Happen(0, 5)
	f.read()
	for _, kept := range f.keeper.facts {
		if c, ok := kept.event.(*event.ChangeRequest); ok && strings.Contains(c.Repository, "renamed") {
			t.Errorf("a change of %s", c.Repository)
		}
	}
}

func TestAFeatureThatIsSwitchedOffIsEmptyAndARoleThatDoesNotSufficeIsDenied(t *testing.T) {
	f := newForge(t, small)
	f.read()
	f.SwitchOff(0)
	f.read()
	f.Forbid(1)
	err := f.pass()
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "Reporter") {
		t.Errorf("got %v, want that the role does not suffice", err)
	}
}

func TestWhoLeavesAGroupIsToldOf(t *testing.T) {
	f := newForge(t, small)
	f.read()
	login := f.Leave("acme")
	f.read()
	ended := 0
	for _, kept := range f.keeper.facts {
		if m, ok := kept.event.(*event.Membership); ok && !m.To.IsZero() {
			ended++
			if m.Person != login || m.Team != "acme" {
				t.Errorf("%s left %s", m.Person, m.Team)
			}
		}
	}
	if ended != 1 {
		t.Errorf("%d memberships ended, want 1", ended)
	}
}

func TestAnIssueThatIsNoIncidentAnyMoreIsWithdrawn(t *testing.T) {
	f := newForge(t, small)
	f.read()
	iid := f.Unmark(0)
	f.read()
	key := fmt.Sprintf("incident acme/svc-0000#%d", iid)
	fact := f.keeper.facts[key].event.(*event.Incident)
	if fact.Service != "" || !fact.ResolvedAt.Equal(fact.StartedAt) || fact.Cause != "external" {
		t.Errorf("got %+v, want that it concerned nothing", fact)
	}
}

func TestARefreshTellsAsTheListDoes(t *testing.T) {
	f := newForge(t, small)
	f.read()
	want := map[string]uint64{}
	for key, kept := range f.keeper.facts {
		want[key] = kept.version
	}
	wakes := 0
	for _, kept := range f.keeper.facts {
		var w source.Wake
		switch e := kept.event.(type) {
		case *event.ChangeRequest:
			w = source.Wake{Stream: e.Repository + "/changes", Subject: e.ID}
		case *event.PipelineRun:
			w = source.Wake{Stream: e.Repository + "/runs", Subject: e.ID}
		case *event.Deployment:
			w = source.Wake{Stream: e.Service + "/deployments", Subject: strings.TrimPrefix(e.ID, "deployment:")}
		case *event.Incident:
			repo, iid, _ := strings.Cut(e.ID, "#")
			w = source.Wake{Stream: repo + "/incidents", Subject: iid}
		default:
			continue
		}
		wakes++
		turn, err := f.connection.Refresh(w, f.Now())
		if err != nil {
			t.Fatal(err)
		}
		one := &keeper{t: t, facts: map[string]told{}, positions: map[string]string{}}
		if _, err := collectors.Run(t.Context(), turn, one); err != nil {
			t.Fatal(err)
		}
		if len(one.facts) == 0 || len(one.positions) > 0 {
			t.Errorf("refreshing %v told %d facts and moved %v", w, len(one.facts), one.positions)
		}
		for key, kept := range one.facts {
			if kept.version != want[key] {
				t.Errorf("refreshing %v tells %s with another version", w, key)
			}
		}
	}
	if wakes < 100 {
		t.Errorf("only %d things were refreshed", wakes)
	}
}

func TestJobsAreDeploymentsWhereARuleSaysSo(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 5, Projects: 1, Changes: 1, Runs: 12, Deployments: 1, Issues: 1})
	f.rules.Deployments = []rules.DeploymentRule{{Repository: "*", From: rules.FromJob, Name: "deploy *", Environment: "{1}"}}
	f.begin()
	f.read()
	parents := map[string]bool{}
	for _, kept := range f.keeper.facts {
		if r, ok := kept.event.(*event.PipelineRun); ok && !r.FinishedAt.IsZero() {
			parents[r.ID] = true
			if r.StartedAt.IsZero() {
				t.Errorf("pipeline %s has no start", r.ID)
			}
		}
	}
	attempts := map[int64]int{}
	for _, kept := range f.keeper.facts {
		d, ok := kept.event.(*event.Deployment)
		if !ok {
			continue
		}
		attempts[d.Attempt]++
		if want := map[int64]string{1: "failed", 2: "succeeded"}[d.Attempt]; d.Status != want || !parents[d.PipelineRun] || d.ID != "job:"+d.PipelineRun+":deploy prod" {
			t.Errorf("got %s attempt %d, %s, of pipeline %s; want %s of a parent", d.ID, d.Attempt, d.Status, d.PipelineRun, want)
		}
	}
	if len(parents) == 0 || attempts[1] != len(parents) || attempts[2] != len(parents) {
		t.Errorf("attempts %v, want one first and one second of each of %d pipelines", attempts, len(parents))
	}
}

func TestOwnersAreReadAndChangesOfThemTold(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1, Changes: 1, Runs: 1, Deployments: 1, Issues: 1})
	f.read()
	f.SetFile(0, "CODEOWNERS", "")
	f.SetFile(0, ".gitlab/CODEOWNERS", "[Everything] @acme/platform\n*\n")
	f.read()
	f.SetFile(0, "catalog-info.yaml", "kind: Component\nmetadata:\n  name: svc\nspec:\n  owner: group:default/tools\n")
	f.read()
	var got []string
	for _, kept := range f.keeper.facts {
		if o, ok := kept.event.(*event.Ownership); ok {
			got = append(got, fmt.Sprintf("%s %t-%t", o.Team, !o.From.IsZero(), !o.To.IsZero()))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"acme false-true", "acme/platform true-true", "acme/platform/tools true-false"}, got); diff != "" {
		t.Errorf("ownerships with a beginning and an end (-want +got):\n%s", diff)
	}
}

func TestWhatACatalogueFileDescribesAreServices(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1, Changes: 1, Runs: 1, Deployments: 3, Issues: 1})
	const described = "kind: Component\nmetadata:\n  name: shop\n  description: Sells things.\n  tags: [go]\n" +
		"  annotations: {backstage.io/source-template: go-service}\n  links: [{url: https://docs.example, type: docs}]\n" +
		"spec: {lifecycle: LIFE, owner: tools, system: commerce}\n"
	f.SetFile(0, "catalog-info.yaml", strings.Replace(described, "LIFE", "experimental", 1))
	f.read()
	before := f.keeper.events
	f.read()
	if told := f.keeper.events - before; told > 0 {
		t.Errorf("%d events were told again although nothing happened", told)
	}
	f.SetFile(0, "catalog-info.yaml", strings.Replace(described, "LIFE", "production", 1)+
		"---\nkind: Component\nmetadata: {name: svc-0000}\n---\nkind: Component\nmetadata: {name: lib}\nspec: {type: library}\n")
	f.read()
	f.begin()
	f.read()

	repositories := []event.ServiceRepository{{Repository: "acme/svc-0000"}}
	want := map[string]*event.Service{
		"shop": {
			ID: "shop", Name: "shop", Description: "Sells things.", Lifecycle: "production", System: "commerce", Tags: []string{"go"},
			Documentation: "https://docs.example", Template: "go-service", CreatedVia: "golden_path", Repositories: repositories,
		},
		"acme/svc-0000": {ID: "acme/svc-0000", Name: "svc-0000", Aliases: []string{"svc-0000"}, Repositories: repositories},
	}
	got := map[string]*event.Service{}
	owned := ""
	for _, kept := range f.keeper.facts {
		switch e := kept.event.(type) {
		case *event.Service:
			if !e.UpdatedAt.Before(time.Unix(60, 0)) {
				t.Errorf("%s is told as of %v, which a catalogue could not replace", e.ID, e.UpdatedAt)
			}
			e.Telling = event.Telling{}
			got[e.ID] = e
		case *event.Ownership:
			if e.Service == "shop" && e.To.IsZero() {
				owned = e.Team
			}
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if owned != "acme/platform/tools" {
		t.Errorf("shop is owned by %q, want acme/platform/tools", owned)
	}
}

func TestTheOnlyComponentDescribesTheOnlyServiceAndWinsOverItsRegistration(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 2, Changes: 1, Runs: 1, Deployments: 3, Issues: 1})
	f.rules.Services = []rules.ServiceRule{{Repository: "acme/**", Service: "all"}}
	f.begin()
	f.SetFile(0, "catalog-info.yaml", "kind: Component\nmetadata: {name: shop, description: Sells things.}\n")
	f.read()
	s := f.keeper.facts["service all"].event.(*event.Service)
	if s.Description != "Sells things." || !slices.Equal(s.Aliases, []string{"shop"}) || len(s.Repositories) != 2 {
		t.Errorf("got %+v, want it described, with both projects", s)
	}
}

func TestLocationsLeadToTheComponentsOfAProject(t *testing.T) {
	f := newForge(t, gitlabtest.Config{Seed: 1, Projects: 1, Changes: 1, Runs: 1, Deployments: 1, Issues: 1})
	f.read()
	elsewhere := "https://gitlab.com/acme/other/-/blob/main/catalog-info.yaml"
	f.SetFile(0, "CODEOWNERS", "")
	f.SetFile(0, "catalog-info.yaml", "kind: Location\nmetadata: {name: all}\nspec:\n  targets:\n    - ./services/*/catalog-info.yaml\n"+
		"    - "+f.server.URL+"/acme/svc-0000/-/blob/main/libs/all.yaml\n    - ./deep/**/*.yaml\n    - ./none/*.yaml\n    - ./services\n    - "+elsewhere+"\n")
	f.SetFile(0, "services/pay/catalog-info.yaml", "kind: Component\nmetadata: {name: pay}\nspec: {owner: tools}\n")
	f.SetFile(0, "services/my web/catalog-info.yaml", "kind: Component\nmetadata: {name: web}\nspec: {owner: platform}\n")
	f.SetFile(0, "services/other/readme.md", "nothing")
	f.SetFile(0, "deep/er/api.yaml", "kind: Component\nmetadata: {name: api}\n")
	f.SetFile(0, "libs/all.yaml", "kind: Component\nmetadata: {name: lib}\nspec: {type: library}\n")
	owned := func() (source.Report, map[string]string, map[string][]event.ServiceRepository) {
		t.Helper()
		var report source.Report
		for _, s := range f.connection.Streams() {
			if s.Kind == source.Ownership {
				var err error
				if report, err = f.turn(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		teams, lies := map[string]string{}, map[string][]event.ServiceRepository{}
		for _, kept := range f.keeper.facts {
			switch e := kept.event.(type) {
			case *event.Ownership:
				if e.To.IsZero() {
					teams[e.Service] = e.Team
				}
			case *event.Service:
				if e.ID != "acme/svc-0000" {
					lies[e.ID] = e.Repositories
				}
			}
		}
		return report, teams, lies
	}
	f.Requests()
	report, teams, lies := owned()
	// The root's file, three lists of files, five files (one of them in the folder that has none), three of code owners.
	if n := f.Requests()["all"]; n != 12 {
		t.Errorf("%d requests, want 12", n)
	}
	if diff := cmp.Diff(map[string]source.Applied{
		"catalog-info.yaml: a target that lies elsewhere":  {N: 1, Example: elsewhere},
		"catalog-info.yaml: a target that is no YAML file": {N: 1, Example: "./services"},
	}, report.Rules); diff != "" {
		t.Errorf("what the turn says (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"pay": "acme/platform/tools", "web": "acme/platform"}, teams); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]event.ServiceRepository{
		"pay": {{Repository: "acme/svc-0000", Paths: []string{"services/pay"}}},
		"web": {{Repository: "acme/svc-0000", Paths: []string{"services/my web"}}},
		"api": {{Repository: "acme/svc-0000", Paths: []string{"deep/er"}}},
	}, lies, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	before := f.keeper.events
	if report, _, _ = owned(); len(report.Rules) > 0 || f.keeper.events > before {
		t.Errorf("told again although nothing happened: %v, %d events", report.Rules, f.keeper.events-before)
	}

	// A list that is too long ends nobody's ownership, and makes nobody the only one.
	for i := range 2100 {
		f.SetFile(0, fmt.Sprintf("deep/%04d", i), "x")
	}
	f.SetFile(0, "catalog-info.yaml", "kind: Location\nmetadata: {name: all}\nspec: {targets: ['deep/**/*.yaml', services/pay/catalog-info.yaml]}\n")
	report, teams, _ = owned()
	if diff := cmp.Diff(map[string]string{"pay": "acme/platform/tools", "web": "acme/platform"}, teams); diff != "" {
		t.Errorf("owners when the list is too long (-want +got):\n%s", diff)
	}
	if a := report.Rules["catalog-info.yaml: a target that is a pattern: the repository has too many files to list"]; a.N != 1 {
		t.Errorf("the turn says %v", report.Rules)
	}
}

func TestCheckSaysWhatMayBeReadAndWhatIsMissing(t *testing.T) {
	f := newForge(t, small)
	f.config.Groups = []string{"acme", "nowhere"}
	f.begin()
	got, err := f.connection.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Repositories != 6 || got.Listed != 6 || len(got.Examples) != 5 || len(got.Notes) != 2 || !strings.Contains(got.Notes[0], "2027-01-31") || !strings.Contains(got.Notes[1], "nowhere") {
		t.Errorf("got %+v", got)
	}
	var things []string
	for _, thing := range got.Things {
		things = append(things, fmt.Sprint(thing.Kind, thing.Denied == ""))
	}
	if diff := cmp.Diff([]string{"repositoriestrue", "teamstrue", "commitstrue", "changestrue", "runstrue", "deploymentstrue", "releasestrue", "incidentstrue", "ownershiptrue"}, things); diff != "" {
		t.Errorf("what may be read (-want +got):\n%s", diff)
	}
	f.config.Groups = []string{"acme"}
	f.begin()
	f.Requests()
	f.read()
	if made := int64(f.Requests()["all"]); got.Requests < made/2 || got.Requests > made*2 {
		t.Errorf("estimated %d requests, made %d", got.Requests, made)
	}
	for i := range small.Projects {
		f.Forbid(i)
	}
	if got, err = f.connection.Check(t.Context()); err != nil || !slices.ContainsFunc(got.Things, func(thing source.Thing) bool { return thing.Kind == source.Changes && thing.Denied != "" }) {
		t.Errorf("changes may not be read: got %+v, %v", got.Things, err)
	}
	f.SetToken("another")
	if _, err := f.connection.Check(t.Context()); fault.KindOf(err) != fault.Denied {
		t.Errorf("a token that is refused: got %v", err)
	}
}

func TestAProjectThatIsMovedAwayIsNotReadAnyMoreAndNotDeleted(t *testing.T) {
	f := newForge(t, small)
	f.read()
	f.Rename(0, "other/moved")
	f.read()
	if r := f.keeper.facts["repository acme/svc-0000"].event.(*event.Repository); !r.DeletedAt.IsZero() {
		t.Errorf("it was deleted at %v", r.DeletedAt)
	}
	for _, s := range f.connection.Streams() {
		if s.Group == "acme/svc-0000" {
			t.Errorf("there is a stream %s", s.Name)
		}
	}
}

func TestNewsTellOnlyWhatIsNew(t *testing.T) {
	f := newForge(t, small)
	f.read()
	before, known := f.keeper.events, len(f.keeper.facts)
	f.Happen(0, 12)
	f.read()
	// Each new thing once; beside them the branch, the service, and a thing that changed.
	if told, news := f.keeper.events-before, len(f.keeper.facts)-known; told > news+20 {
		t.Errorf("%d events were told for %d new facts", told, news)
	}
}
