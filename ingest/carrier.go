package ingest

import (
	"context"
	"fmt"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// Bounds of what is carried into the store at a time, and how long it is waited for more: not at all when nothing was
// carried in that time.
const (
	carryRows  = 4000
	carryBytes = 32 << 20
	carryWait  = 200 * time.Millisecond
	carryLast  = 5 * time.Second // at the end
	carryRetry = time.Second     // after an error; doubles
	lastRetry  = 30 * time.Second
)

// begin takes the journal, if there is one to take.
func (h *Hooks) begin() error {
	if len(h.receivers) == 0 && !h.journal.exists() {
		return nil
	}
	from, fresh, err := h.journal.open()
	if err != nil || !fresh {
		return err
	}
	h.carrying.Lock()
	defer h.carrying.Unlock()
	if h.carried.before(from) {
		h.carried = from
	}
	h.journal.signal()
	return nil
}

// Close gives the journal back. What is in it stays for the next start.
func (h *Hooks) Close() { h.journal.close() }

// Flush returns when the store has all that was answered before the call, also by an earlier process. Errors are those
// of the store, and fault.Conflict where another process holds the journal.
func (h *Hooks) Flush(ctx context.Context) error {
	if err := h.begin(); err != nil {
		return err
	}
	end := h.journal.synced()
	for {
		reached, err := h.carry(ctx, end)
		if err != nil || reached {
			return err
		}
	}
}

// carryAlways carries until ctx ends, and a little longer.
func (h *Hooks) carryAlways(ctx context.Context) {
	var latest time.Time
	retry := carryRetry
	h.carrying.Lock()
	_ = h.recall(ctx) // before there is something to carry, where it can be; carrying tells what is wrong
	h.carrying.Unlock()
	for ctx.Err() == nil {
		select {
		case <-h.journal.appended:
		case <-ctx.Done():
			continue
		}
		for wait := carryWait - time.Since(latest); wait > 0 && h.journal.waiting() < carryBytes/2 && ctx.Err() == nil; wait -= 10 * time.Millisecond {
			pause(ctx, min(wait, 10*time.Millisecond))
		}
		latest = time.Now()
		for ctx.Err() == nil {
			reached, err := h.carry(ctx, h.journal.synced())
			if err != nil {
				h.tell(ctx, err)
				pause(ctx, retry)
				retry = min(2*retry, lastRetry)
				continue
			}
			retry = carryRetry
			h.tell(ctx, nil)
			if reached {
				break
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), carryLast)
	defer cancel()
	if err := h.Flush(last); err != nil {
		h.failed(nil, fmt.Errorf("carrying webhooks into the store at the end; what is left stays in the journal for the next start: %w", err))
	}
}

// tell says that carrying fails, once until it works again.
func (h *Hooks) tell(ctx context.Context, err error) {
	h.carrying.Lock()
	defer h.carrying.Unlock()
	if err != nil && !h.told && ctx.Err() == nil {
		h.failed(nil, fmt.Errorf("carrying webhooks into the store; they wait in the journal: %w", err))
	}
	h.told = err != nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// carry stores some records of the journal, and says whether the store has all before end.
func (h *Hooks) carry(ctx context.Context, end place) (reached bool, err error) {
	h.carrying.Lock()
	defer h.carrying.Unlock()
	if !h.carried.before(end) {
		return true, nil
	}
	records, next, damaged, err := h.journal.take(h.carried, carryRows, carryBytes)
	if damaged > 0 {
		h.failed(nil, fmt.Errorf("the journal of webhooks %s: %d bytes are damaged and were skipped", h.journal.folder, damaged))
	}
	if err != nil {
		return false, err
	}
	if next == h.carried {
		return true, nil
	}
	if err := h.recall(ctx); err != nil {
		return false, err
	}
	for _, r := range records {
		h.again(r)
	}
	if err := h.storeFacts(ctx, records); err != nil {
		return false, err
	}
	if err := h.storePayloads(ctx, records); err != nil {
		return false, err
	}
	h.carried = next
	if err := h.journal.advance(next, len(records)); err != nil {
		h.failed(nil, err) // it is carried once more after a crash, which changes nothing
	}
	return !h.carried.before(end), nil
}

// again works out what a record means that was read back, or heard before the recall had ended.
func (h *Hooks) again(r *record) {
	if r.heard {
		return
	}
	receiver := h.receivers[r.source]
	if receiver == nil {
		r.outcome, r.reason, r.heard = OutcomeUnreadable, "the configuration has no source of this name any more that takes webhooks", true
		return
	}
	h.understand(nil, receiver, r.deliveryOf(), r)
	h.wake(r.source, r.meaning.wakes)
}

// storeFacts stores the facts of all records together. Where the store refuses them for good, halves are tried, down to
// the one that it refuses; that becomes unreadable, and may come again.
func (h *Hooks) storeFacts(ctx context.Context, records []*record) error {
	var batch event.Batch
	for _, r := range records {
		batch.Append(r.facts...)
	}
	if batch.Len() == 0 {
		return nil
	}
	err := h.intake.write(ctx, &batch)
	switch {
	case err == nil || fault.KindOf(err) == fault.Unavailable:
		return err
	case len(records) > 1:
		half := len(records) / 2
		if err := h.storeFacts(ctx, records[:half]); err != nil {
			return err
		}
		return h.storeFacts(ctx, records[half:])
	}
	r := records[0]
	h.failed(nil, fmt.Errorf("the facts of a webhook of %s (%s %s): %w", r.source, r.event, r.delivery, err))
	r.outcome, r.reason, r.payload.facts, r.facts = OutcomeUnreadable, "its facts could not be stored", 0, nil
	h.guard.forget(r.fingerprint)
	return nil
}

// storePayloads keeps the records as they came. One that the store refuses for good while it takes others is put aside in
// the journal's folder, so that it neither is lost nor blocks the way; when it takes none, the fault is the store's.
func (h *Hooks) storePayloads(ctx context.Context, records []*record) error {
	refused, err := h.keepEach(ctx, records)
	switch {
	case err != nil && (fault.KindOf(err) == fault.Unavailable || len(refused) == len(records)):
		return err
	case len(refused) == 0:
		return nil
	}
	h.failed(nil, fmt.Errorf("%d webhooks are put aside in the file %s of the journal %s: %w", len(refused), asideFile, h.journal.folder, err))
	return h.journal.putAside(refused)
}

// keepEach keeps what the store takes, and returns what it refuses for good and why. It tries all together, then halves.
func (h *Hooks) keepEach(ctx context.Context, records []*record) (refused []*record, err error) {
	if len(records) == 0 {
		return nil, nil
	}
	payloads := make([]payload, len(records))
	for i, r := range records {
		payloads[i] = r.payload
	}
	err = h.keep(ctx, payloads...)
	switch {
	case err == nil:
		return nil, nil
	case fault.KindOf(err) == fault.Unavailable || len(records) == 1:
		return records, err
	}
	half := len(records) / 2
	for _, part := range [][]*record{records[:half], records[half:]} {
		bad, why := h.keepEach(ctx, part)
		if fault.KindOf(why) == fault.Unavailable && why != nil {
			return nil, why
		}
		refused = append(refused, bad...)
	}
	if len(refused) == 0 {
		err = nil
	}
	return refused, err
}
