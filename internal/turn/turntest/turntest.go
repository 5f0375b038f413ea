// Package turntest reads turns to their ends. It is imported by tests only.
package turntest

import (
	"context"
	"iter"
	"testing"

	"cairn/internal/event"
)

// Facts are those of a kind that a turn tells. An error fails the test.
func Facts[E event.Event](t testing.TB, turn interface {
	Events(ctx context.Context) iter.Seq2[event.Event, error]
}) []E {
	t.Helper()
	var facts []E
	for e, err := range turn.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if fact, ok := e.(E); ok {
			facts = append(facts, fact)
		}
	}
	return facts
}
