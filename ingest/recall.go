package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// Joiner is a Receiver that puts together what several deliveries tell of one thing, from what it has heard so far. Its
// memory has to be a pure fold over deliveries, in any order and repeated: so it begins with those that were kept.
type Joiner interface {
	Receiver
	// Joins says whether it does so as it is configured.
	Joins() bool
}

// Bounds of what a Joiner hears of the past when the process begins: the latest of what is kept.
const (
	recallRows  = 100_000
	recallBytes = 256 << 20 // bodies
)

func joins(receiver Receiver) bool {
	j, is := receiver.(Joiner)
	return is && j.Joins()
}

// beginningRecall finds the instant from which on the latest deliveries of a source keep the bounds. A delivery that was told
// again may count twice until the engine has merged it, which makes it later, never too early.
const (
	beginningRecall = `SELECT count() > 0, min(received_at) FROM (
			SELECT received_at, sum(bytes) OVER (ORDER BY received_at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes FROM (
				SELECT received_at, length(body) AS bytes FROM payloads WHERE source = {source:String} ORDER BY received_at DESC LIMIT {rows:UInt64}))
		WHERE bytes <= {bytes:UInt64} SETTINGS max_block_size = 1024, max_threads = 1`
	selectRecall = `SELECT source, received_at, delivery, event, headers, body FROM payloads
		WHERE source = {source:String} AND received_at >= {since:DateTime64(3, 'UTC')}
		ORDER BY source, received_at, delivery
		SETTINGS max_block_size = 32, max_threads = 1, optimize_read_in_order = 1`
)

// recall has every Joiner hear what is kept of its deliveries, once a process, and throws away what they tell: it was stored
// when they came. Until it is done nothing is carried, and what was heard before it is heard again, so no fact is stored
// that misses a part which an earlier process, or another one on the same store, has kept. No webhook waits for it. The
// caller holds carrying. An error is a store that is away; any other fault is told, and joining begins with nothing.
func (h *Hooks) recall(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(h.forgotten)) {
		err := h.recallOne(ctx, name)
		if err != nil && (ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable) {
			return err
		}
		if err != nil {
			h.failed(nil, fmt.Errorf("hearing the kept webhooks of %s, so that the next are joined with them; what began before this start may end without its beginning, until `cairn replay`: %w", name, err))
		}
		delete(h.forgotten, name)
	}
	h.recalled.Store(true)
	return nil
}

func (h *Hooks) recallOne(ctx context.Context, name string) error {
	params := store.Params{"source": name, "rows": uint64(h.recallRows), "bytes": uint64(recallBytes)}
	var some bool
	var since time.Time
	if err := h.store.QueryRow(ctx, beginningRecall, params).Scan(&some, &since); err != nil {
		return fmt.Errorf("ingest.Hooks: %w", err)
	}
	if !some {
		return nil
	}
	answer, err := h.store.Query(ctx, selectRecall, store.Params{"source": name, "since": since})
	if err != nil {
		return fmt.Errorf("ingest.Hooks: %w", err)
	}
	err = func() error {
		for answer.Next() {
			var p payload
			if err := answer.Scan(&p.source, &p.receivedAt, &p.delivery, &p.event, &p.headers, &p.body); err != nil {
				return err
			}
			remember(h.receivers[name], &p)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return answer.Err()
	}()
	if err = errors.Join(err, answer.Close()); err != nil {
		return fmt.Errorf("ingest.Hooks: %w", err)
	}
	return nil
}

// remember has a receiver hear what it said before. What was wrong with it was told when it came.
func remember(receiver Receiver, p *payload) {
	defer func() { _ = recover() }()
	_, _ = receiver.Hear(p.deliveryOf())
}
