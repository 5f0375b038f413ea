package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSendersCannotFillTheTableOfCounts(t *testing.T) {
	c := newTally()
	at := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
	const n = 5000
	for i := range n {
		c.add("forge", fmt.Sprint("event", i), OutcomeIgnored, "nothing", at)
		c.add("forge", "push", OutcomeUnreadable, fmt.Sprint(strings.Repeat("long ", 1000), i)[i%5:], at)
		c.add("forge", "push", OutcomeUnreadable, fmt.Sprint(i), at)
	}
	c.add("smithy", "event4999", OutcomeIgnored, "nothing", at)
	c.add("forge", "event4999", OutcomeIgnored, "nothing", at.Add(time.Second)) // another day
	var sum, others uint64
	for what, count := range c.counts {
		sum += count.n
		if what.event == other || what.reason == other {
			others += count.n
		}
		if len(what.reason) > maxCountReason+len("…") {
			t.Errorf("a reason has %d bytes", len(what.reason))
		}
	}
	if most := 2*maxWords + 5; len(c.counts) > most || sum != 3*n+2 || others < n {
		t.Errorf("%d rows for %d, of which %d of others; want at most %d", len(c.counts), sum, others, most)
	}
	for _, day := range []string{"2026-03-01", "2026-03-02"} {
		key := counted{"forge", mustDay(t, day), "event4999", OutcomeIgnored, "nothing"}
		if _, is := c.counts[key]; is != (day == "2026-03-02") {
			t.Errorf("%s: event4999 by its name: %v", day, is)
		}
	}
}

func mustDay(t *testing.T, text string) time.Time {
	t.Helper()
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

func TestTheGuardForgetsTheOldest(t *testing.T) {
	g := newGuard(100)
	of := func(n int) fingerprint { return fingerprintOf("forge", fmt.Sprint(n), nil) }
	for n := range 1000 {
		if !g.enter(of(n)) {
			t.Fatalf("%d was never seen", n)
		}
		g.leave(of(n), true)
		if n >= 99 && g.enter(of(n-99)) {
			t.Fatalf("%d is forgotten at %d", n-99, n)
		}
	}
	if len(g.young)+len(g.old) > 200 || len(g.flying) != 0 {
		t.Errorf("%d + %d are remembered, %d being handled", len(g.young), len(g.old), len(g.flying))
	}
	if !g.enter(of(1)) {
		t.Error("the first is remembered still")
	}
	g.leave(of(1), false)
	if !g.enter(of(1)) {
		t.Error("one that was not handled counts as handled")
	}
	g.leave(of(1), true)
}

func TestFingerprintsTellDeliveriesApart(t *testing.T) {
	seen := map[fingerprint]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"", "ab", "c"}, {"a", "bc", ""}, {"a", "", "bc"}, {"a", "b", "d"}} {
		seen[fingerprintOf(parts[0], parts[1], []byte(parts[2]))] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d fingerprints of 6", len(seen))
	}
}

// Of those that wait in the lane of payloads so many go together as fit by their bytes, not by their number.
func TestALaneMayWeigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slowTable
		l := &lane[int]{most: 100, insert: s.insert, weight: func(r rows[int]) int { return r.events[0] }}
		var all sync.WaitGroup
		for i, size := range []int{1, 60, 30, 10, 1, 500, 99, 1} {
			time.Sleep(time.Millisecond * time.Duration(i))
			all.Go(func() {
				if err := l.pass(t.Context(), of1(size)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]int{1, 3, 1, 1, 2}, s.inserts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "abcdef": "abcde…", "abcdé": "abcd…", "a\nb": "a b", "\xffa": "a", "日本語": "日…"} {
		if got := cut(text, 5); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
