package ingest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/source"
	"cairn/internal/store/storetest"
)

func TestLedgerGivesBackWhatItWasTold(t *testing.T) {
	ctx := context.Background()
	st := storetest.New(t)
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	github, other := ingest.NewLedger(in, st, "github"), ingest.NewLedger(in, st, "ghe")

	var b event.Batch
	b.Append(&event.Team{ID: "shop", Telling: event.Telling{Source: "github"}})
	if err := github.Write(ctx, &b); err != nil {
		t.Fatal(err)
	}
	var teams uint64
	if err := st.QueryRow(ctx, "SELECT count() FROM teams", nil).Scan(&teams); err != nil || teams != 1 {
		t.Errorf("%d teams are stored (%v), want 1", teams, err)
	}
	for _, position := range []string{"1", "2", "a ' \" \\ \x00 \u2028"} {
		if err := github.Save(ctx, "acme/shop/changes", position); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Save(ctx, "acme/shop/changes", "another's"); err != nil {
		t.Fatal(err)
	}

	full := source.State{
		Source: "github", System: "github", Stream: source.Stream{Name: "acme/shop/changes", Group: "acme/shop", Kind: source.Changes},
		Outcome: source.Behind, Error: "", StartedAt: at.Add(-time.Minute), AttemptedAt: at, SucceededAt: at.Add(time.Second), NextAt: at.Add(time.Hour), Facts: 12, Requests: 34,
		Done: 5, Total: 6, ReachedBack: at.Add(-time.Hour), Rules: map[string]source.Applied{"the default": {N: 7, Example: "acme/shop#1"}},
	}
	failing := source.State{
		Source: "github", System: "github", Stream: source.Stream{Name: "acme/cart/runs", Group: "acme/cart", Kind: source.Runs},
		Outcome: source.Failed, Error: strings.Repeat("x", 5000), AttemptedAt: at, Complete: true,
	}
	gone := source.State{Source: "github", System: "github", Stream: source.Stream{Name: "acme/old/runs"}, Outcome: source.Fresh, AttemptedAt: at}
	budgets := []source.Budget{{Resource: "core", Limit: 5000, Remaining: 4321, ResetAt: at}}
	if err := github.Note(ctx, []source.State{full, failing, gone}, budgets); err != nil {
		t.Fatal(err)
	}
	full.Facts, gone.Outcome = 13, ""
	if err := github.Note(ctx, []source.State{full, gone}, nil); err != nil {
		t.Fatal(err)
	}

	positions, states, err := github.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"acme/shop/changes": "a ' \" \\ \x00 \u2028"}, positions); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	failing.Error = strings.Repeat("x", 2000) + " …"
	if diff := cmp.Diff([]source.State{failing, full}, states, cmp.Comparer(func(a, b map[string]source.Applied) bool {
		return len(a) == 0 && len(b) == 0 || cmp.Equal(map[string]source.Applied(a), map[string]source.Applied(b))
	})); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	var remaining uint64
	if err := st.QueryRow(ctx, "SELECT remaining FROM source_budgets FINAL WHERE source = 'github' AND resource = 'core'", nil).Scan(&remaining); err != nil || remaining != 4321 {
		t.Errorf("remaining requests: %d (%v), want 4321", remaining, err)
	}
	if _, states, err := other.Load(ctx); err != nil || len(states) != 0 {
		t.Errorf("another connection has %d states (%v), want none", len(states), err)
	}
}
