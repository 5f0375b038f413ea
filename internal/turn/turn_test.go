package turn_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
	"cairn/internal/turn"
)

type place struct {
	turn.Versioned
	Page int `json:"page,omitempty"`
}

func team(id string) *event.Team {
	return &event.Team{Telling: event.Telling{Source: "t", UpdatedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, ID: id, Name: id}
}

// pages makes a turn that tells a team a page, and gives way when its requests are spent.
func pages(position string, last int) *turn.Turn {
	var t turn.Turn
	t = turn.New("teams", position, func(context.Context) error {
		p, err := turn.Read[place](t.Stream(), t.Position())
		if err != nil {
			return err
		}
		for p.Page < last {
			if t.Spent() {
				t.Progress.More = true
				return nil
			}
			t.Asked()
			t.Applied("by name", "first")
			t.Applied("by name", "second")
			t.Applied("", "no rule")
			if err := t.Tell(team("team")); err != nil {
				return err
			}
			p.Page++
			t.Move(&p)
		}
		t.Progress.Complete = true
		return nil
	})
	return &t
}

func read(ctx context.Context, t *turn.Turn) (n int, err error) {
	for _, wrong := range t.Events(ctx) {
		if wrong != nil {
			return n, wrong
		}
		n++
	}
	return n, nil
}

func TestATurnGivesWayAndTheNextGoesOn(t *testing.T) {
	first := pages("", turn.Share+2)
	n, err := read(t.Context(), first)
	if err != nil || n != turn.Share || first.Position() != `{"v":1,"page":10}` {
		t.Fatalf("the first turn told %d, is at %s: %v", n, first.Position(), err)
	}
	want := source.Report{More: true, Rules: map[string]source.Applied{"by name": {N: 2 * turn.Share, Example: "second"}}}
	if diff := cmp.Diff(want, first.Report()); diff != "" {
		t.Errorf("its report (-want +got):\n%s", diff)
	}
	next := pages(first.Position(), turn.Share+2)
	if n, err := read(t.Context(), next); err != nil || n != 2 || !next.Report().Complete || next.Report().More {
		t.Errorf("the next told %d, report %+v: %v", n, next.Report(), err)
	}
}

// Whoever stops before a page's position moves gets the page again.
func TestAConsumerThatStopsIsToldNoMoreAndThePositionStays(t *testing.T) {
	first := pages("", 3)
	n := 0
	for _, err := range first.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	if n != 2 || first.Position() != `{"v":1,"page":1}` {
		t.Errorf("told %d, it is at %s", n, first.Position())
	}
}

func TestWhatIntakeWouldRefuseEndsTheTurn(t *testing.T) {
	var bad turn.Turn
	bad = turn.New("teams", "", func(context.Context) error {
		bad.Progress.More = true
		return bad.Tell(team("team"), team(""))
	})
	if n, err := read(t.Context(), &bad); n != 1 || fault.KindOf(err) != fault.Invalid || bad.Report().More {
		t.Errorf("told %d, report %+v: %v", n, bad.Report(), err)
	}
}

func TestAForeignPositionIsRefused(t *testing.T) {
	for _, text := range []string{"{}", "[", `{"v":2}`, `{"v":1}x`, `{"v":1,"page":"x"}`} {
		if _, err := read(t.Context(), pages(text, 3)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s is taken: %v", text, err)
		}
	}
	if p, err := turn.Read[place]("teams", ""); err != nil || p != (place{}) {
		t.Errorf("the beginning is %+v: %v", p, err)
	}
}
