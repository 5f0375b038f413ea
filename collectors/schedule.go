package collectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

// Keeper is where a schedule keeps what outlives it: facts, positions, and how each stream is doing.
type Keeper interface {
	Sink
	// Load gives everything that was kept for the connection: positions by stream, and states.
	Load(ctx context.Context) (positions map[string]string, states []source.State, err error)
	// Note keeps states of streams, which replace those before, and budgets. A state without an outcome is forgotten.
	Note(ctx context.Context, states []source.State, budgets []source.Budget) error
}

// Usage counts what a connection's requests cost. Transport is one.
type Usage interface {
	// Requests returns how many requests were made for a stream since it was last asked about it.
	Requests(stream string) int64
	// Budgets is what is left of the credential's allowances.
	Budgets() []source.Budget
}

// ScheduleConfig is what an operator may set about collecting from one connection.
type ScheduleConfig struct {
	Workers    int           `yaml:"workers"`     // streams that are read at the same time
	FirstRetry time.Duration `yaml:"first_retry"` // how long after its first failure a stream is tried again; doubles each time
	LastRetry  time.Duration `yaml:"last_retry"`  // the longest such wait
}

// DefaultScheduleConfig suits a credential of its own.
func DefaultScheduleConfig() ScheduleConfig {
	return ScheduleConfig{Workers: 8, FirstRetry: time.Minute, LastRetry: time.Hour}
}

// Clock is the time that a schedule goes by.
type Clock struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// SystemClock is the machine's.
func SystemClock() Clock { return Clock{Now: time.Now, After: time.After} }

// Schedule reads the streams of one connection: news when they are due or a webhook asks for them, and behind them
// history, the latest month of every group before an earlier one of any. Groups take turns, so that a large one holds
// up nobody; a stream that fails is tried again later and stops no other.
type Schedule struct {
	cfg    ScheduleConfig
	system string
	conn   Connection
	keeper Keeper
	usage  Usage
	clock  Clock
	log    *slog.Logger

	mu              sync.Mutex
	lanes           map[string]*lane    // by stream
	served          map[string]int64    // by group: number of the latest turn
	turns           int64               // given so far
	facts, requests int64               // told and made in this life
	atOnce          bool                // the news of each stream is read without waiting for its time
	running         int                 // turns under way
	dirty           map[string]struct{} // streams whose state has changed since it was kept
	changed         chan struct{}       // something has become due
	saved           map[string]string   // positions of streams that are not known yet
	breaker         breaker
	forget          []source.State
}

// lane is one stream on its way.
type lane struct {
	stream   source.Stream
	position string
	state    source.State
	due      time.Time // of the next turn; zero: at once
	more     bool      // the latest turn left something to do
	woken    bool      // a webhook asks for its news
	subjects []string  // things to be read again
	busy     bool
	failures int       // turns in a row that failed
	began    time.Time // of the latest turn
}

// breaker stops a connection whose turns all fail, so that a revoked token does not cost a request for each stream.
type breaker struct {
	failures int       // turns in a row that failed, of whatever stream
	until    time.Time // nothing is tried before
	probing  bool      // one turn is under way to see whether it works again
	pause    time.Duration
}

// breakAfter is how many turns in a row have to fail before a connection pauses.
const breakAfter = 5

// restBetween is the least time between the beginnings of two turns of a stream that webhooks ask for.
const restBetween = time.Second

// maxSubjects is how many things of a stream are read again one by one; beyond it all its news is read.
const maxSubjects = 200

// NewSchedule checks its settings. Errors are fault.Invalid.
func NewSchedule(cfg ScheduleConfig, system string, conn Connection, keeper Keeper, usage Usage, clock Clock, log *slog.Logger) (*Schedule, error) {
	switch {
	case cfg.Workers <= 0:
		return nil, fault.New(fault.Invalid, "workers is %d: expected at least 1", cfg.Workers)
	case cfg.FirstRetry <= 0:
		return nil, fault.New(fault.Invalid, "first_retry is %s: expected more than 0s", cfg.FirstRetry)
	case cfg.LastRetry < cfg.FirstRetry:
		return nil, fault.New(fault.Invalid, "last_retry is %s: expected at least first_retry, %s", cfg.LastRetry, cfg.FirstRetry)
	}
	return &Schedule{
		cfg: cfg, system: system, conn: conn, keeper: keeper, usage: usage, clock: clock, log: log,
		lanes: map[string]*lane{}, served: map[string]int64{}, dirty: map[string]struct{}{}, changed: make(chan struct{}, 1),
	}, nil
}

// Wake asks for things to be read soon. It does not block.
func (s *Schedule) Wake(wakes []source.Wake) {
	s.mu.Lock()
	for _, w := range wakes {
		l, known := s.lanes[w.Stream]
		if !known {
			// Something new: the lists from which streams follow will say.
			for _, l := range s.lanes {
				if l.stream.Group == "" {
					l.woken = true
				}
			}
			continue
		}
		switch {
		case w.Subject == "" || len(l.subjects) >= maxSubjects:
			l.woken = true
		case !slices.Contains(l.subjects, w.Subject):
			l.subjects = append(l.subjects, w.Subject)
		}
	}
	s.mu.Unlock()
	s.nudge()
}

func (s *Schedule) nudge() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run reads until ctx ends. The error is one of the store when it cannot even say what was kept.
func (s *Schedule) Run(ctx context.Context) error {
	return s.run(ctx, func() bool { return false })
}

// CatchUp reads until all news and all history is told, as far as streams can be read, and returns when nothing but
// failures is left.
func (s *Schedule) CatchUp(ctx context.Context) error {
	s.mu.Lock()
	s.atOnce = true
	s.mu.Unlock()
	return s.run(ctx, s.caughtUp)
}

// Told is what was told in this life, not in earlier ones: facts, and the requests that were made for them.
func (s *Schedule) Told() (facts, requests int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts, s.requests
}

// States are the states of all streams, by name.
func (s *Schedule) States() []source.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]source.State, 0, len(s.lanes))
	for _, name := range slices.Sorted(maps.Keys(s.lanes)) {
		states = append(states, s.lanes[name].state)
	}
	return states
}

// patience is how often a stream may fail before CatchUp does without it.
const patience = 3

func (s *Schedule) caughtUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		unread := l.began.IsZero() || l.more || l.woken || len(l.subjects) > 0 || l.state.Outcome == source.Limited
		if l.busy || unread && l.failures < patience {
			return false
		}
	}
	return true
}

func (s *Schedule) run(ctx context.Context, done func() bool) error {
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("collecting %s: %w", s.conn.Name(), err)
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	keeping, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { s.keepStates(keeping) })
	defer func() {
		workers.Wait()
		stop()
		keeper.Wait()
	}()
	for {
		work, wait := s.next()
		if work != nil {
			workers.Go(func() { s.work(ctx, work) })
			continue
		}
		if done() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.changed:
		case <-s.clock.After(wait):
		}
	}
}

// load takes up where an earlier life left off.
func (s *Schedule) load(ctx context.Context) error {
	positions, states, err := s.keeper.Load(ctx)
	if err != nil {
		return err
	}
	for _, stream := range slices.Sorted(maps.Keys(positions)) {
		if err := s.conn.Recall(stream, positions[stream]); err != nil {
			// A position that cannot be read is one that was never saved: what it stands for is told again.
			s.log.Warn("a saved position is of no use: reading from the beginning", "source", s.conn.Name(), "stream", stream, "error", err)
			delete(positions, stream)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = positions
	s.follow()
	known := map[string]bool{}
	for _, state := range states {
		l, ok := s.lanes[state.Stream.Name]
		known[state.Stream.Name] = true
		if !ok {
			s.forget = append(s.forget, source.State{Source: s.conn.Name(), Stream: state.Stream})
			continue
		}
		stream := l.state.Stream
		l.state = state
		l.state.Stream = stream
		// History goes on at once; news wait for their time, so that starting often costs nothing, unless they are what is
		// asked for.
		l.more = !state.Complete
		if !s.atOnce {
			l.due = state.NextAt
		}
	}
	return nil
}

// follow makes a lane for each stream that there is now, and drops those that are gone. s.mu is held.
func (s *Schedule) follow() {
	gone := maps.Clone(s.lanes)
	for _, stream := range s.conn.Streams() {
		if l, ok := s.lanes[stream.Name]; ok {
			delete(gone, stream.Name)
			l.stream, l.state.Stream = stream, stream
			continue
		}
		s.lanes[stream.Name] = &lane{
			stream: stream, position: s.saved[stream.Name], more: true,
			state: source.State{Source: s.conn.Name(), System: s.system, Stream: stream},
		}
	}
	for name, l := range gone {
		if l.busy {
			continue // its turn ends first; the next look finds it
		}
		delete(s.lanes, name)
		delete(s.dirty, name)
		s.forget = append(s.forget, source.State{Source: s.conn.Name(), Stream: l.stream})
	}
}

// assignment is a turn, or a single thing to be read again.
type assignment struct {
	lane     *lane
	stream   source.Stream
	position string
	subject  string // "" is a turn
	asOf     time.Time
}

// urgency orders what can be done: the lower first.
func (l *lane) urgency(now time.Time) (int, bool) {
	rested := !now.Before(l.began.Add(restBetween))
	switch {
	case l.busy:
		return 0, false
	case l.failures > 0 && now.Before(l.due), l.state.Outcome == source.Limited && now.Before(l.due):
		return 0, false
	case len(l.subjects) > 0:
		return -3, true
	case l.woken && rested:
		return -2, true
	case !now.Before(l.due) && (l.state.AttemptedAt.IsZero() || !l.more):
		return -1, true
	case l.more:
		// History: how many months of it are told. The latest month of all comes before an earlier one of any.
		if l.state.ReachedBack.IsZero() {
			return 0, true
		}
		return max(0, int(now.Sub(l.state.ReachedBack)/(30*24*time.Hour))), true
	case !now.Before(l.due):
		return -1, true
	}
	return 0, false
}

// next chooses what to do now; with nothing to do it says how long to wait at most.
func (s *Schedule) next() (*assignment, time.Duration) {
	const idle = time.Minute
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.running >= s.cfg.Workers {
		return nil, idle
	}
	if now.Before(s.breaker.until) {
		return nil, s.breaker.until.Sub(now)
	}
	if s.breaker.probing {
		return nil, idle
	}
	var best *lane
	bestUrgency := 0
	wait := idle
	for _, l := range s.lanes {
		urgency, can := l.urgency(now)
		if !can {
			if !l.busy && l.due.After(now) {
				wait = min(wait, l.due.Sub(now))
			}
			if l.woken && !l.busy {
				wait = min(wait, max(l.began.Add(restBetween).Sub(now), time.Millisecond))
			}
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(urgency, bestUrgency), cmp.Compare(s.served[l.stream.Group], s.served[best.stream.Group]),
			cmp.Compare(l.began.UnixNano(), best.began.UnixNano()), cmp.Compare(l.stream.Name, best.stream.Name)) < 0 {
			best, bestUrgency = l, urgency
		}
	}
	if best == nil {
		return nil, wait
	}
	work := &assignment{lane: best, stream: best.stream, position: best.position, asOf: now}
	if len(best.subjects) > 0 {
		work.subject, best.subjects = best.subjects[0], best.subjects[1:]
	} else {
		best.woken = false
	}
	best.busy, best.began = true, now
	if best.state.StartedAt.IsZero() {
		best.state.StartedAt = now
	}
	s.turns++
	s.served[best.stream.Group] = s.turns
	s.running++
	if s.breaker.failures >= breakAfter {
		s.breaker.probing = true
	}
	return work, 0
}

// work gives one turn.
func (s *Schedule) work(ctx context.Context, a *assignment) {
	ctx = withStream(ctx, a.stream.Name)
	var stored int
	var report source.Report
	to := &bookmark{Keeper: s.keeper, position: a.position}
	err := guarded(func() (err error) {
		if a.subject != "" {
			stored, err = s.refresh(ctx, a, to)
		} else {
			stored, report, err = s.turn(ctx, a, to)
		}
		return err
	})
	requests := s.usage.Requests(a.stream.Name)

	s.mu.Lock()
	defer s.nudge()
	defer s.mu.Unlock()
	l, now := a.lane, s.clock.Now()
	l.busy = false
	s.running--
	if a.subject == "" {
		l.position = to.position
	}
	l.state.Facts += int64(stored)
	l.state.Requests += requests
	s.facts += int64(stored)
	s.requests += requests
	if ctx.Err() != nil {
		return // the turn was broken off: nothing is to be said of it
	}
	l.state.AttemptedAt = now
	s.dirty[l.stream.Name] = struct{}{}
	if a.subject == "" {
		l.report(report, err)
	} else if err != nil {
		l.woken = true // its news will show it, when they can be read
	}
	s.judge(l, now, err, a.subject == "")
	if l.stream.Group == "" && a.subject == "" {
		s.follow()
	}
}

// guarded makes a panic of a collector, which some answer that nobody foresaw may cause, the error of its turn.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "a mistake in the collector: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// report takes over what a turn said.
func (l *lane) report(r source.Report, err error) {
	l.more = r.More || err != nil
	l.state.Done, l.state.Total, l.state.ReachedBack = r.Done, r.Total, r.ReachedBack
	l.state.Complete = r.Complete
	if len(r.Rules) > 0 && l.state.Rules == nil {
		l.state.Rules = map[string]source.Applied{}
	}
	for rule, a := range r.Rules {
		before := l.state.Rules[rule]
		l.state.Rules[rule] = source.Applied{N: before.N + a.N, Example: cmp.Or(a.Example, before.Example)}
	}
}

// judge says how it went, when the stream is due again, and whether the connection works at all. s.mu is held.
func (s *Schedule) judge(l *lane, now time.Time, err error, whole bool) {
	limited, isLimited := errors.AsType[*Limited](err)
	s.breaker.probing = false
	switch {
	case err == nil:
		l.failures = 0
		l.state.Error, l.state.SucceededAt, l.state.Outcome = "", now, source.Fresh
		if l.more {
			l.state.Outcome = source.Behind
		}
		if whole { // one thing that was read again says nothing of the others
			l.due = now.Add(l.stream.Every)
		}
		s.breaker = breaker{}
	case isLimited:
		l.state.Outcome, l.state.Error = source.Limited, limited.Error()
		l.due = limited.Until
	default:
		l.failures++
		l.state.Outcome, l.state.Error = outcome(err), err.Error()
		l.due = now.Add(s.backoff(l.failures))
		s.log.Warn("a stream could not be read", "source", s.conn.Name(), "stream", l.stream.Name, "error", err, "next", l.due)
		if l.state.Outcome != source.Gone {
			s.trip(now)
		}
	}
	l.state.NextAt = l.due
}

// trip counts a failure of the connection.
func (s *Schedule) trip(now time.Time) {
	s.breaker.failures++
	if s.breaker.failures < breakAfter {
		return
	}
	s.breaker.pause = min(max(2*s.breaker.pause, s.cfg.FirstRetry), s.cfg.LastRetry)
	s.breaker.until = now.Add(s.breaker.pause)
}

func (s *Schedule) backoff(failures int) time.Duration {
	wait := s.cfg.FirstRetry
	for range failures - 1 {
		if wait >= s.cfg.LastRetry {
			break
		}
		wait *= 2
	}
	return min(wait, s.cfg.LastRetry)
}

// outcome names the kind of an error.
func outcome(err error) string {
	switch fault.KindOf(err) {
	case fault.Denied:
		return source.Denied
	case fault.NotFound:
		return source.Gone
	}
	return source.Failed
}

func (s *Schedule) turn(ctx context.Context, a *assignment, to *bookmark) (stored int, r source.Report, err error) {
	turn, err := s.conn.Turn(a.stream, a.position, a.asOf)
	if err != nil {
		return 0, source.Report{}, err
	}
	stored, err = Run(ctx, turn, to)
	return stored, turn.Report(), err
}

func (s *Schedule) refresh(ctx context.Context, a *assignment, to *bookmark) (int, error) {
	again, err := s.conn.Refresh(source.Wake{Stream: a.stream.Name, Subject: a.subject}, a.asOf)
	if err != nil {
		return 0, err
	}
	return Run(ctx, again, factsOnly{to})
}

// bookmark remembers the position that was saved last.
type bookmark struct {
	Keeper
	position string
}

func (b *bookmark) Save(ctx context.Context, stream, position string) error {
	if err := b.Keeper.Save(ctx, stream, position); err != nil {
		return err
	}
	b.position = position
	return nil
}

// factsOnly keeps no position: what is read again is no step forward.
type factsOnly struct{ to Sink }

func (f factsOnly) Write(ctx context.Context, b *event.Batch) error { return f.to.Write(ctx, b) }

func (factsOnly) Save(context.Context, string, string) error { return nil }

// keepStates keeps what has changed, every second or so and once more at the end.
func (s *Schedule) keepStates(ctx context.Context) {
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-s.clock.After(time.Second):
		}
		states := s.changes()
		if len(states) == 0 {
			continue
		}
		// At the end there is a moment left to say how far it came.
		keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		if err := s.keeper.Note(keeping, states, s.usage.Budgets()); err != nil {
			s.log.Warn("the state of a source could not be kept", "source", s.conn.Name(), "error", err)
			s.mu.Lock()
			for _, state := range states {
				s.dirty[state.Stream.Name] = struct{}{}
			}
			s.mu.Unlock()
		}
		cancel()
	}
}

// changes are the states to keep now.
func (s *Schedule) changes() []source.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := s.forget
	s.forget = nil
	for _, name := range slices.Sorted(maps.Keys(s.dirty)) {
		if l, ok := s.lanes[name]; ok {
			state := l.state
			state.Rules = maps.Clone(state.Rules)
			states = append(states, state)
		}
	}
	clear(s.dirty)
	return states
}
