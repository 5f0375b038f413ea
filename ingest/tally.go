package ingest

import (
	"context"
	"sync"
	"time"

	"cairn/internal/store"
)

// tally counts deliveries by day, event, outcome and reason, in memory between two inserts. What senders say cannot
// make it large: of events and reasons it knows so many a source and day, and calls the rest other.
type tally struct {
	mu     sync.Mutex
	day    time.Time
	counts map[counted]*count
	words  map[topic]map[string]struct{}
}

// counted is what is told apart.
type counted struct {
	source  string
	day     time.Time
	event   string
	outcome string
	reason  string
}

type count struct {
	n      uint64
	latest time.Time
}

// topic is what a set of words is about: the events or the reasons of a source.
type topic struct{ source, what string }

const (
	maxWords       = 200 // different events, and different reasons, of a source and a day
	maxCountReason = 200 // bytes
	other          = "other"
)

func newTally() *tally {
	return &tally{counts: map[counted]*count{}, words: map[topic]map[string]struct{}{}}
}

func (t *tally) add(source, event, outcome, reason string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	day := at.UTC().Truncate(24 * time.Hour)
	if !day.Equal(t.day) {
		t.day = day
		clear(t.words)
	}
	t.merge(counted{source, day, t.known(source, "events", event), outcome, t.known(source, "reasons", cut(reason, maxCountReason))}, count{1, at})
}

// known is the text itself as long as there are not too many of its kind.
func (t *tally) known(source, what, text string) string {
	words := t.words[topic{source, what}]
	if words == nil {
		words = make(map[string]struct{})
		t.words[topic{source, what}] = words
	}
	if _, is := words[text]; !is && text != "" {
		if len(words) >= maxWords {
			return other
		}
		words[text] = struct{}{}
	}
	return text
}

func (t *tally) merge(what counted, c count) {
	sum := t.counts[what]
	if sum == nil {
		sum = &count{}
		t.counts[what] = sum
	}
	sum.n += c.n
	if c.latest.After(sum.latest) {
		sum.latest = c.latest
	}
}

// flush stores what was counted since the last time. After an error it is counted still.
func (t *tally) flush(ctx context.Context, st *store.Store) error {
	t.mu.Lock()
	counts := t.counts
	t.counts = make(map[counted]*count)
	t.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	err := insertCounts(ctx, st, counts)
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		for what, c := range counts {
			t.merge(what, *c)
		}
	}
	return err
}

func insertCounts(ctx context.Context, st *store.Store, counts map[counted]*count) error {
	b, err := st.Batch(st.Durable(ctx), "INSERT INTO deliveries (source, day, event, outcome, reason, n, latest)")
	if err != nil {
		return err
	}
	for what, c := range counts {
		if err := b.Append(what.source, what.day, what.event, what.outcome, what.reason, c.n, c.latest); err != nil {
			_ = b.Abort()
			return err
		}
	}
	return b.Send()
}
