// Package collectors is where the data's way begins: each folder below turns what one system of the outside world says
// into events. A collector translates and nothing else; Run carries its events to the intake and keeps its position.
package collectors

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"cairn/internal/event"
)

// Source is one run over one stream of facts.
type Source interface {
	// Stream names the stream within its kind of collector, for ever: positions are kept under it.
	Stream() string
	// Events yields the facts that are new since the position at which the source was made, in any order, and the
	// error that ended it, if any. An event is the consumer's; it never changes after it was yielded.
	Events(ctx context.Context) iter.Seq2[event.Event, error]
	// Position is where a later run resumes. It covers the events that were yielded before the one that is being yielded
	// now, so a source that reads pages yields a page's events, then moves its position, then reads the next page. It is
	// asked while an event or an error is being yielded, and after the last one; then it covers all.
	Position() string
}

// Sink takes events that a source has yielded, and keeps the source's position.
type Sink interface {
	// Write stores the events durably, all or none. The batch is used again when it returns.
	Write(ctx context.Context, b *event.Batch) error
	// Save keeps the position of a stream. What came before it is stored.
	Save(ctx context.Context, stream, position string) error
}

// Bounds of a batch. Events differ a thousandfold in size, so it is bounded by what it weighs too.
const (
	maxEvents = 10_000
	maxWeight = 16 << 20 // bytes of text, roughly
)

// Run carries the events of a source to a sink. Whenever the position has moved, it stores what the position covers and
// saves it before it takes the next event; between two moves it stores batch by batch. It returns how many events were
// stored. What a source yielded before its error is stored all the same, and the position that it had then is saved. The
// saved position never passes an event that is not stored: after a crash, running again repeats at most what came after
// it, one page where positions move by page, which changes nothing.
func Run(ctx context.Context, source Source, sink Sink) (stored int, err error) {
	var batch event.Batch
	count, weight := 0, 0
	saved := source.Position()
	flush := func() error {
		if count > 0 {
			if err := sink.Write(ctx, &batch); err != nil {
				return err
			}
			stored += count
			batch.Reset()
			count, weight = 0, 0
		}
		if position := source.Position(); position != saved {
			if err := sink.Save(ctx, source.Stream(), position); err != nil {
				return err
			}
			saved = position
		}
		return nil
	}
	for e, err := range source.Events(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				err = errors.Join(err, flush())
			}
			return stored, fmt.Errorf("collecting %s: %w", source.Stream(), err)
		}
		if source.Position() != saved {
			if err := flush(); err != nil {
				return stored, fmt.Errorf("storing what was collected from %s: %w", source.Stream(), err)
			}
		}
		batch.Append(e)
		count++
		weight += weigh(e)
		if count >= maxEvents || weight >= maxWeight {
			if err := flush(); err != nil {
				return stored, fmt.Errorf("storing what was collected from %s: %w", source.Stream(), err)
			}
		}
	}
	if err := flush(); err != nil {
		return stored, fmt.Errorf("storing what was collected from %s: %w", source.Stream(), err)
	}
	return stored, nil
}

// weigh estimates the bytes that an event takes: commits and change requests carry lists of any length, other facts are
// small.
func weigh(e event.Event) int {
	const small, item = 512, 16 // bytes of a fact, and of an element beside its text
	lists := func(weight int, of ...[]string) int {
		for _, list := range of {
			for _, s := range list {
				weight += len(s) + item
			}
		}
		return weight
	}
	switch e := e.(type) {
	case *event.Commit:
		return lists(small+len(e.Subject), e.Paths)
	case *event.ChangeRequest:
		return lists(small+len(e.Title), e.Commits, e.Landed, e.Labels)
	}
	return small
}
