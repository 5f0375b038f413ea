package collectors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

// forge is a connection in memory. Each stream has pages of history, one turn reads one.
type forge struct {
	mu      sync.Mutex
	streams []source.Stream
	pages   map[string]int           // of a stream's history
	month   map[string]time.Duration // of history that a page of the stream holds
	fails   map[string]error
	log     []string // turns: stream, or stream/subject
	at      []time.Time
	reading map[string]int // turns under way
	takes   time.Duration  // that a turn lasts
	crowded bool           // a stream was read by two at a time
}

func newForge(repositories ...string) *forge {
	f := &forge{pages: map[string]int{}, month: map[string]time.Duration{}, fails: map[string]error{}, reading: map[string]int{}, takes: time.Second}
	f.streams = []source.Stream{{Name: "repositories", Kind: source.Repositories, Every: time.Hour}}
	for _, r := range repositories {
		f.add(r)
	}
	return f
}

func (f *forge) add(repository string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams = append(f.streams, source.Stream{Name: repository + "/changes", Group: repository, Kind: source.Changes, Every: 15 * time.Minute})
}

func (f *forge) remove(repository string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams = slices.DeleteFunc(f.streams, func(s source.Stream) bool { return s.Group == repository })
}

func (f *forge) Name() string { return "forge" }

func (f *forge) Streams() []source.Stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.streams)
}

func (f *forge) Recall(string, string) error { return nil }

func (f *forge) Turn(s source.Stream, position string, asOf time.Time) (collectors.Turn, error) {
	return &forgeTurn{forge: f, name: s.Name, stream: s.Name, position: position, asOf: asOf}, nil
}

func (f *forge) Refresh(w source.Wake, asOf time.Time) (collectors.Source, error) {
	return &forgeTurn{forge: f, name: w.Stream + "/" + w.Subject, stream: w.Stream, asOf: asOf}, nil
}

func (f *forge) turns() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func (f *forge) fail(stream string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[stream] = err
}

type forgeTurn struct {
	forge                  *forge
	name, stream, position string
	asOf                   time.Time
	report                 source.Report
}

func (t *forgeTurn) Stream() string        { return t.stream }
func (t *forgeTurn) Position() string      { return t.position }
func (t *forgeTurn) Report() source.Report { return t.report }

func (t *forgeTurn) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		f := t.forge
		f.mu.Lock()
		f.log = append(f.log, t.name)
		f.at = append(f.at, time.Now())
		f.reading[t.stream]++
		f.crowded = f.crowded || f.reading[t.stream] > 1
		err, pages, month, takes := f.fails[t.stream], f.pages[t.stream], f.month[t.stream], f.takes
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			f.reading[t.stream]--
			f.mu.Unlock()
		}()
		select {
		case <-ctx.Done():
			yield(nil, ctx.Err())
			return
		case <-time.After(takes):
		}
		if err != nil {
			if err.Error() == "panic" {
				panic("an answer that nobody foresaw")
			}
			yield(nil, err)
			return
		}
		page, _ := strconv.Atoi(t.position)
		if page < pages || pages == 0 {
			if !yield(&event.Team{ID: t.name + strconv.Itoa(page)}, nil) {
				return
			}
		}
		page = min(page+1, pages)
		t.position = strconv.Itoa(page)
		t.report = source.Report{
			More: page < pages, Done: int64(page), Total: int64(pages), Complete: page >= pages, ReachedBack: t.asOf.Add(-time.Duration(page) * month),
			Rules: map[string]source.Applied{"the default": {N: 1, Example: t.name}},
		}
	}
}

// ledger is a keeper in memory.
type ledger struct {
	mu        sync.Mutex
	positions map[string]string
	states    map[string]source.State
	facts     map[string]int // by team: how often it was told
}

func newLedger() *ledger {
	return &ledger{positions: map[string]string{}, states: map[string]source.State{}, facts: map[string]int{}}
}

func (l *ledger) Write(_ context.Context, b *event.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range b.All() {
		l.facts[e.(*event.Team).ID]++
	}
	return nil
}

func (l *ledger) Save(_ context.Context, stream, position string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.positions[stream] = position
	return nil
}

func (l *ledger) Load(context.Context) (map[string]string, []source.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	positions := map[string]string{}
	for stream, p := range l.positions {
		positions[stream] = p
	}
	var states []source.State
	for _, s := range l.states {
		states = append(states, s)
	}
	return positions, states, nil
}

func (l *ledger) Note(_ context.Context, states []source.State, _ []source.Budget) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range states {
		if s.Outcome == "" {
			delete(l.states, s.Stream.Name)
			continue
		}
		l.states[s.Stream.Name] = s
	}
	return nil
}

func (l *ledger) state(stream string) source.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[stream]
}

type noUsage struct{}

func (noUsage) Requests(string) int64    { return 1 }
func (noUsage) Budgets() []source.Budget { return nil }

func newSchedule(t *testing.T, workers int, f *forge, l *ledger) *collectors.Schedule {
	t.Helper()
	cfg := collectors.DefaultScheduleConfig()
	cfg.Workers = workers
	s, err := collectors.NewSchedule(cfg, "forge", f, l, noUsage{}, collectors.SystemClock(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// during runs a schedule in a bubble of time while f acts.
func during(t *testing.T, s *collectors.Schedule, f func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	f()
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the schedule ended with %v, want the end of its context", err)
	}
}

func TestScheduleReadsEverythingAndKeepsHowItWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a", "acme/b"), newLedger()
		f.pages["acme/a/changes"], f.pages["acme/b/changes"] = 5, 2
		if err := newSchedule(t, 3, f, l).CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(l.facts); n != 8 { // 5, 2 and the one of the repositories
			t.Errorf("%d facts were stored, want 8: %v", n, l.facts)
		}
		a := l.state("acme/a/changes")
		if a.Outcome != source.Fresh || !a.Complete || a.Done != 5 || a.Total != 5 || a.Facts != 5 || a.Requests != 5 || a.SucceededAt.IsZero() || a.System != "forge" {
			t.Errorf("the state of a stream that was read: %+v", a)
		}
		if got, want := a.Rules["the default"], (source.Applied{N: 5, Example: "acme/a/changes"}); got != want {
			t.Errorf("the rules of a stream: %+v, want %+v", got, want)
		}
		if got := l.positions["acme/b/changes"]; got != "2" {
			t.Errorf("the position of a stream that was read is %q, want 2", got)
		}
	})
}

func TestScheduleGivesGroupsTurnsAndTheLatestMonthFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const month = 30 * 24 * time.Hour
		f, l := newForge("acme/huge", "acme/small", "acme/slow"), newLedger()
		f.pages["acme/huge/changes"], f.month["acme/huge/changes"] = 40, month/20 // forty pages of two months
		f.pages["acme/small/changes"], f.month["acme/small/changes"] = 6, month   // six months, a page each
		f.pages["acme/slow/changes"], f.month["acme/slow/changes"] = 3, month/2
		if err := newSchedule(t, 1, f, l).CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		when := map[string][]int{}
		for i, turn := range f.turns() {
			when[turn] = append(when[turn], i)
		}
		huge, small, slow := when["acme/huge/changes"], when["acme/small/changes"], when["acme/slow/changes"]
		if len(huge) != 40 || len(small) != 6 || len(slow) != 3 {
			t.Fatalf("turns: %d, %d, %d, want 40, 6, 3", len(huge), len(small), len(slow))
		}
		if slow[1] > 8 {
			t.Errorf("the large repository kept a small one waiting: %v", f.turns())
		}
		if lastOfMonth := huge[19]; small[2] < lastOfMonth {
			t.Errorf("a third month was read (turn %d) before the latest month of all was there (turn %d): %v", small[2], lastOfMonth, f.turns())
		}
	})
}

func TestScheduleGivesARepositoryOfManyListsNoMoreTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a"), newLedger()
		for i := range 9 {
			name := fmt.Sprintf("acme/many/%d", i)
			f.streams = append(f.streams, source.Stream{Name: name, Group: "acme/many", Every: time.Hour})
			f.pages[name] = 10
		}
		f.pages["acme/a/changes"] = 10
		if err := newSchedule(t, 1, f, l).CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		last := 0
		for i, turn := range f.turns() {
			if turn == "acme/a/changes" {
				last = i
			}
		}
		if last > 32 { // after each list's first turn, every other one
			t.Errorf("ten turns of a repository with one list ended as turn %d: one with nine lists had more than its share", last)
		}
	})
}

func TestScheduleGoesOnWithoutAStreamThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			err  error
			want string
		}{
			{fault.New(fault.NotFound, "there is no repository acme/b"), source.Gone},
			{fault.New(fault.Denied, "acme/b may not be read"), source.Denied},
			{fault.New(fault.Unavailable, "502"), source.Failed},
			{errors.New("panic"), source.Failed},
		} {
			f, l := newForge("acme/a", "acme/b"), newLedger()
			f.pages["acme/a/changes"] = 30
			f.fail("acme/b/changes", c.err)
			if err := newSchedule(t, 2, f, l).CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			b := l.state("acme/b/changes")
			if b.Outcome != c.want || b.Error == "" || !b.SucceededAt.IsZero() || b.Complete {
				t.Errorf("%v: the state is %+v, want the outcome %s", c.err, b, c.want)
			}
			if a := l.state("acme/a/changes"); !a.Complete || a.Outcome != source.Fresh {
				t.Errorf("%v: the other stream was not read: %+v", c.err, a)
			}
		}
	})
}

func TestScheduleTriesAFailedStreamLaterEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a", "acme/b"), newLedger()
		f.fail("acme/b/changes", fault.New(fault.NotFound, "gone"))
		during(t, newSchedule(t, 2, f, l), func() { time.Sleep(16 * time.Minute) })
		var at []time.Duration
		for i, turn := range f.log {
			if turn == "acme/b/changes" {
				at = append(at, f.at[i].Sub(f.at[0]).Round(time.Minute))
			}
		}
		want := []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("instants of the attempts (-want +got):\n%s", diff)
		}
	})
}

func TestScheduleDoesNotAskAThousandTimesWithARefusedCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge(), newLedger()
		for i := range 1000 {
			name := fmt.Sprintf("acme/r%d", i)
			f.add(name)
			f.fail(name+"/changes", fault.New(fault.Denied, "the credential was refused"))
		}
		f.fail("repositories", fault.New(fault.Denied, "the credential was refused"))
		s := newSchedule(t, 4, f, l)
		during(t, s, func() {
			time.Sleep(2 * time.Hour)
			if n := len(f.turns()); n > 20 {
				t.Errorf("%d turns were given in two hours with a refused credential, want a handful", n)
			}
			// The operator gives a good one.
			f.mu.Lock()
			clear(f.fails)
			f.mu.Unlock()
			time.Sleep(2 * time.Hour)
			if got := l.state("acme/r999/changes").Outcome; got != source.Fresh {
				t.Errorf("two hours after the credential works a stream is %q, want %q", got, source.Fresh)
			}
		})
	})
}

func TestScheduleReadsWhatAWebhookAsksForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a"), newLedger()
		f.pages["acme/a/changes"] = 4
		for i := range 50 { // others have a lot of history left
			name := fmt.Sprintf("acme/busy%d", i)
			f.add(name)
			f.pages[name+"/changes"] = 1000
		}
		s := newSchedule(t, 2, f, l)
		during(t, s, func() {
			time.Sleep(15 * time.Minute)
			before := len(f.turns())
			s.Wake([]source.Wake{{Stream: "acme/a/changes", Subject: "17"}, {Stream: "acme/a/changes", Subject: "17"}})
			time.Sleep(2500 * time.Millisecond)
			if got := f.turns()[before:]; !slices.Contains(got, "acme/a/changes/17") || len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != "acme/a/changes/17" })) != 1 {
				t.Errorf("after the webhook: %v, want acme/a/changes/17 once", got)
			}
			if got := l.positions["acme/a/changes"]; got != "4" {
				t.Errorf("the position is %q after one thing was read again, want it untouched", got)
			}
			f.mu.Lock()
			f.takes = time.Millisecond
			f.mu.Unlock()
			time.Sleep(2 * time.Second) // the turns under way end
			before = len(f.turns())
			for range 50 { // a burst asks for the same
				s.Wake([]source.Wake{{Stream: "acme/a/changes"}})
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			n := 0
			for _, turn := range f.turns()[before:] {
				if turn == "acme/a/changes" {
					n++
				}
			}
			if n < 1 || n > 2 {
				t.Errorf("a burst of webhooks had the stream read %d times, want once or twice", n)
			}
			// Of a repository that is not known yet the list is read.
			before = len(f.turns())
			s.Wake([]source.Wake{{Stream: "acme/new/changes", Subject: "1"}})
			time.Sleep(2500 * time.Millisecond)
			if !slices.Contains(f.turns()[before:], "repositories") {
				t.Errorf("a webhook of an unknown repository had nothing read: %v", f.turns()[before:])
			}
		})
		if f.crowded {
			t.Error("a stream was read by two turns at a time")
		}
	})
}

func TestScheduleReconcilesAlthoughWebhooksComeAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a"), newLedger()
		s := newSchedule(t, 1, f, l)
		during(t, s, func() {
			for range 40 {
				time.Sleep(time.Minute)
				s.Wake([]source.Wake{{Stream: "acme/a/changes", Subject: "1"}})
			}
		})
		n := 0
		for _, turn := range f.turns() {
			if turn == "acme/a/changes" {
				n++
			}
		}
		if n < 3 {
			t.Errorf("the stream had %d turns in 40 minutes of webhooks, want one every 15", n)
		}
	})
}

func TestScheduleFollowsRepositoriesThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a", "acme/b"), newLedger()
		during(t, newSchedule(t, 2, f, l), func() {
			time.Sleep(time.Minute)
			f.remove("acme/b")
			f.add("acme/c")
			time.Sleep(time.Hour + time.Minute)
			if got := l.state("acme/c/changes").Outcome; got != source.Fresh {
				t.Errorf("a new repository is %q, want %q", got, source.Fresh)
			}
			if got, ok := l.states["acme/b/changes"]; ok {
				t.Errorf("a repository that is gone still has the state %+v", got)
			}
		})
	})
}

func TestScheduleWaitsForALimitAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a"), newLedger()
		f.pages["acme/a/changes"] = 3
		began := time.Now()
		f.fail("acme/a/changes", &collectors.Limited{Until: began.Add(40 * time.Minute)})
		s := newSchedule(t, 1, f, l)
		during(t, s, func() {
			time.Sleep(30 * time.Minute)
			if got := l.state("acme/a/changes"); got.Outcome != source.Limited || !got.NextAt.Equal(began.Add(40*time.Minute)) {
				t.Errorf("at the limit the state is %+v", got)
			}
			if n := len(f.turns()); n > 3 {
				t.Errorf("%d turns were given during the limit: %v", n, f.turns())
			}
			f.mu.Lock()
			clear(f.fails)
			f.mu.Unlock()
			time.Sleep(15 * time.Minute)
			if got := l.state("acme/a/changes"); got.Outcome != source.Fresh || !got.Complete {
				t.Errorf("after the limit the state is %+v", got)
			}
		})
	})
}

func TestCatchingUpAgainReadsTheNewsOfEachStreamOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a", "acme/b"), newLedger()
		f.pages["acme/a/changes"] = 5
		if err := newSchedule(t, 2, f, l).CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := len(f.turns())
		s := newSchedule(t, 2, f, l)
		if err := s.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := f.turns()[before:]
		slices.Sort(got)
		if diff := cmp.Diff([]string{"acme/a/changes", "acme/b/changes", "repositories"}, got); diff != "" {
			t.Errorf("turns of the second time (-want +got):\n%s", diff)
		}
		if facts, requests := s.Told(); facts != 2 || requests != 3 {
			t.Errorf("the second time told %d facts with %d requests, want 2 and 3", facts, requests)
		}
	})
}

func TestScheduleResumesWhereAnEarlierLifeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newForge("acme/a", "acme/b"), newLedger()
		f.pages["acme/a/changes"] = 20
		during(t, newSchedule(t, 2, f, l), func() { time.Sleep(7500 * time.Millisecond) })
		read := len(f.turns())
		during(t, newSchedule(t, 2, f, l), func() { time.Sleep(time.Minute) })
		for fact, n := range l.facts {
			if n > 2 {
				t.Errorf("%s was told %d times", fact, n)
			}
		}
		again := 0
		for _, n := range l.facts {
			again += n - 1
		}
		if again > 2 { // a page of each stream at most
			t.Errorf("%d pages were read again after a restart, want one of a stream at most", again)
		}
		if !l.state("acme/a/changes").Complete {
			t.Error("history was not read to its end after a restart")
		}
		for _, turn := range f.turns()[read:] {
			if turn == "acme/b/changes" || turn == "repositories" {
				t.Errorf("%s was read again right after a restart", turn)
			}
		}
	})
}
