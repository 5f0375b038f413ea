package ingest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"cairn/internal/event"
	"cairn/internal/source"
	"cairn/internal/store"
)

// Ledger is where the collecting from one connection is kept: its facts, where each of its streams resumes, and how each
// is doing. It is safe for use from several goroutines.
type Ledger struct {
	intake *Intake
	store  *store.Store
	name   string
}

// NewLedger returns the ledger of the connection with that name.
func NewLedger(intake *Intake, st *store.Store, name string) *Ledger {
	return &Ledger{intake: intake, store: st, name: name}
}

// owner is under which positions of the connection are kept, apart from those of commands.
func (l *Ledger) owner() string { return "source " + l.name }

// Write stores a batch; see Intake.Write.
func (l *Ledger) Write(ctx context.Context, b *event.Batch) error { return l.intake.Write(ctx, b) }

// Save keeps the position of a stream, durably.
func (l *Ledger) Save(ctx context.Context, stream, position string) error {
	b, err := l.store.Batch(l.store.Durable(ctx), "INSERT INTO cursors (owner, stream, position)")
	if err != nil {
		return fmt.Errorf("ingest.Save(%s): %w", stream, err)
	}
	if err := b.Append(l.owner(), stream, position); err != nil {
		_ = b.Abort()
		return fmt.Errorf("ingest.Save(%s): %w", stream, err)
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("ingest.Save(%s): %w", stream, err)
	}
	return nil
}

//go:embed ledger_positions.sql
var ledgerPositions string

//go:embed ledger_states.sql
var ledgerStates string

// Load gives the position of each stream, and the states.
func (l *Ledger) Load(ctx context.Context) (map[string]string, []source.State, error) {
	var cursors []struct {
		Stream   string `ch:"stream"`
		Position string `ch:"position"`
	}
	if err := l.store.Select(ctx, &cursors, ledgerPositions, store.Params{"owner": l.owner()}); err != nil {
		return nil, nil, fmt.Errorf("ingest.Load(%s): %w", l.name, err)
	}
	positions := make(map[string]string, len(cursors))
	for _, c := range cursors {
		positions[c.Stream] = c.Position
	}
	var rows []streamRow
	if err := l.store.Select(ctx, &rows, ledgerStates, store.Params{"source": l.name}); err != nil {
		return nil, nil, fmt.Errorf("ingest.Load(%s): %w", l.name, err)
	}
	states := make([]source.State, len(rows))
	for i, r := range rows {
		states[i] = r.state(l.name)
	}
	return positions, states, nil
}

// streamRow is a row of source_streams.
type streamRow struct {
	Stream      string     `ch:"stream"`
	System      string     `ch:"system"`
	Subject     string     `ch:"subject"`
	Kind        string     `ch:"kind"`
	Outcome     string     `ch:"outcome"`
	Error       string     `ch:"error"`
	StartedAt   *time.Time `ch:"started_at"`
	AttemptedAt time.Time  `ch:"attempted_at"`
	SucceededAt *time.Time `ch:"succeeded_at"`
	NextAt      *time.Time `ch:"next_at"`
	Facts       uint64     `ch:"facts"`
	Requests    uint64     `ch:"requests"`
	Done        uint64     `ch:"done"`
	Total       uint64     `ch:"total"`
	ReachedBack *time.Time `ch:"reached_back"`
	Complete    bool       `ch:"complete"`
	Rules       string     `ch:"rules"`
}

func (r streamRow) state(name string) source.State {
	s := source.State{
		Source: name, System: r.System, Stream: source.Stream{Name: r.Stream, Group: r.Subject, Kind: r.Kind},
		Outcome: r.Outcome, Error: r.Error, StartedAt: known(r.StartedAt), AttemptedAt: r.AttemptedAt, SucceededAt: known(r.SucceededAt), NextAt: known(r.NextAt),
		Facts: int64(r.Facts), Requests: int64(r.Requests), Done: int64(r.Done), Total: int64(r.Total), ReachedBack: known(r.ReachedBack), Complete: r.Complete,
	}
	if json.Unmarshal([]byte(r.Rules), &s.Rules) != nil {
		s.Rules = nil // counts begin anew
	}
	return s
}

func known(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func maybeTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Note keeps states of streams, which replace those before, and budgets. A state without an outcome is that of a stream
// which is no longer read.
func (l *Ledger) Note(ctx context.Context, states []source.State, budgets []source.Budget) error {
	if err := l.noteStates(ctx, states); err != nil {
		return fmt.Errorf("ingest.Note(%s): %w", l.name, err)
	}
	if err := l.noteBudgets(ctx, budgets); err != nil {
		return fmt.Errorf("ingest.Note(%s): %w", l.name, err)
	}
	return nil
}

func (l *Ledger) noteStates(ctx context.Context, states []source.State) error {
	if len(states) == 0 {
		return nil
	}
	b, err := l.store.Batch(ctx, `INSERT INTO source_streams (source, stream, system, subject, kind, outcome, error, started_at, attempted_at,
		succeeded_at, next_at, facts, requests, done, total, reached_back, complete, rules)`)
	if err != nil {
		return err
	}
	for _, s := range states {
		rules := []byte("{}")
		if len(s.Rules) > 0 {
			if rules, err = json.Marshal(s.Rules); err != nil {
				_ = b.Abort()
				return err
			}
		}
		if err := b.Append(l.name, s.Stream.Name, s.System, s.Stream.Group, s.Stream.Kind, s.Outcome, clipped(s.Error), maybeTime(s.StartedAt), orEpoch(s.AttemptedAt),
			maybeTime(s.SucceededAt), maybeTime(s.NextAt), uint64(s.Facts), uint64(s.Requests), uint64(s.Done), uint64(s.Total),
			maybeTime(s.ReachedBack), s.Complete, string(rules)); err != nil {
			_ = b.Abort()
			return err
		}
	}
	return b.Send()
}

// clipped bounds the text of an error: what somebody else's server says may be long.
func clipped(text string) string {
	const most = 2000
	if len(text) <= most {
		return text
	}
	return text[:most] + " …"
}

func (l *Ledger) noteBudgets(ctx context.Context, budgets []source.Budget) error {
	if len(budgets) == 0 {
		return nil
	}
	b, err := l.store.Batch(ctx, "INSERT INTO source_budgets (source, resource, allowance, remaining, reset_at)")
	if err != nil {
		return err
	}
	for _, budget := range budgets {
		if err := b.Append(l.name, budget.Resource, uint64(max(0, budget.Limit)), uint64(max(0, budget.Remaining)), maybeTime(budget.ResetAt)); err != nil {
			_ = b.Abort()
			return err
		}
	}
	return b.Send()
}
