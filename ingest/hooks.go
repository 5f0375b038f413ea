package ingest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
	"cairn/internal/source"
	"cairn/internal/store"
)

// HooksPath is where Hooks belongs; behind it stands the name of a source.
const HooksPath = "/hooks/"

// HooksConfig is what an operator may set about webhooks.
type HooksConfig struct {
	MaxBody int64         `yaml:"max_body"` // bytes of a webhook
	Keep    time.Duration `yaml:"keep"`     // how long webhooks are kept as they came
	Journal int64         `yaml:"journal"`  // bytes of webhooks that wait for the store; more are refused
}

// DefaultHooksConfig returns limits that suit the senders: none sends more than GitHub, 25 MB.
func DefaultHooksConfig() HooksConfig {
	return HooksConfig{MaxBody: 25 << 20, Keep: 30 * 24 * time.Hour, Journal: 1 << 30}
}

// Receiver understands the webhooks of one source. It is used by several goroutines.
type Receiver interface {
	// Verify returns nil when these bytes come from the sender. It is asked before anything else looks at them. Its
	// error is told to the sender, so it says nothing of what would be right.
	Verify(h http.Header, body []byte, now time.Time) error
	// Describe fills in ID, Event and Header of a delivery: the headers that carry meaning, and none that are secret.
	// It is cheap and never fails. It is asked again, with the headers it kept, when a delivery is told again.
	Describe(h http.Header, body []byte) source.Delivery
	// Hear says what a delivery means. An error means that it cannot be read, or not all of it: what it tells beside the
	// error holds. The delivery is kept all the same.
	Hear(d source.Delivery) (source.Heard, error)
}

// Outcomes of a delivery.
const (
	OutcomeTold       = "told"       // it told facts; they are stored
	OutcomeWoken      = "woken"      // something is read again because of it
	OutcomeIgnored    = "ignored"    // it was none of ours
	OutcomeUnreadable = "unreadable" // it could not be read, or not all of it; it is kept
	OutcomeRefused    = "refused"    // its signature does not fit, or it is too large; nothing of it is kept
	OutcomeDuplicate  = "duplicate"  // it was handled before
)

// Reception is the answer to a webhook that was taken.
type Reception struct {
	Outcome string `json:"outcome"`          // told, woken, ignored, unreadable or duplicate
	Facts   int    `json:"facts"`            // that it tells
	Reason  string `json:"reason,omitempty"` // why it was ignored or is unreadable
}

// Hooks is the receiving end of webhooks. It is an http.Handler for HooksPath and what stands behind it. 2xx means that
// the webhook, as it came, is synced in the journal: 200, or 202 for one that could not be read. From there Run and Flush
// carry it and its facts into the store, once more after a crash.
type Hooks struct {
	// Wake, when set before the first use, hears what is to be read again: when a delivery is in the journal, which may be
	// before its facts are in the store (who reads again tells whole facts, later or equal, so order does not matter), and
	// once more when it is read back from there. It is called by many goroutines and must not block.
	Wake func(source string, wakes []source.Wake)
	// Noted, when set before the first use, hears the outcome of each webhook that was answered. It must not block.
	Noted func(source, outcome string)
	// Failed, when set before the first use, hears of errors that no answer tells. r is nil where there is no request.
	Failed func(r *http.Request, err error)

	cfg       HooksConfig
	intake    *Intake
	store     *store.Store
	receivers map[string]Receiver
	now       func() time.Time
	payloads  *lane[payload]
	journal   *journal
	guard     *guard
	tally     *tally
	held      atomic.Int64 // bytes of bodies in memory
	replaying atomic.Bool
	bodies    sync.Pool // *[]byte

	carrying   sync.Mutex      // one goroutine carries
	carried    place           // up to where the store has the journal; of who carries
	told       bool            // that carrying fails; of who carries
	forgotten  map[string]bool // sources whose Joiner has not heard yet what is kept; of who carries
	recalled   atomic.Bool     // there is none
	recallRows int
}

// guarded is how many deliveries are remembered at least.
const guarded = 50_000

// NewHooks checks cfg. folder is that of the journal, which is made when there are receivers and something is first done
// with it. receivers has them by the name of their source. Errors are fault.Invalid.
func NewHooks(cfg HooksConfig, folder string, intake *Intake, st *store.Store, receivers map[string]Receiver, now func() time.Time) (*Hooks, error) {
	switch {
	case cfg.MaxBody <= 0:
		return nil, fault.New(fault.Invalid, "hooks.max_body must be more than 0")
	case cfg.Keep < time.Hour:
		return nil, fault.New(fault.Invalid, "hooks.keep must be an hour or more: what is not kept cannot be told again")
	}
	if cfg.Journal/4 < cfg.MaxBody+64<<10 {
		return nil, fault.New(fault.Invalid, "webhooks.journal must be at least four times webhooks.max_body, and 256 kB more: a few of the largest must find room")
	}
	for name := range receivers {
		if name == "" || strings.Contains(name, "/") {
			return nil, fault.New(fault.Invalid, "source %q: a name that can stand in a path is expected, without a slash", name)
		}
	}
	h := &Hooks{
		cfg: cfg, intake: intake, store: st, receivers: receivers, now: now,
		payloads: newPayloadLane(intake), journal: newJournal(folder, cfg.Journal), guard: newGuard(guarded), tally: newTally(),
		forgotten: map[string]bool{}, recallRows: recallRows,
	}
	for name, receiver := range receivers {
		if joins(receiver) {
			h.forgotten[name] = true
		}
	}
	h.recalled.Store(len(h.forgotten) == 0)
	return h, nil
}

// Run carries webhooks from the journal into the store, and stores the counts of deliveries about every second. When ctx
// ends it carries for a few seconds more; what is left stays for the next start.
func (h *Hooks) Run(ctx context.Context) error {
	if err := h.begin(); err != nil {
		return err
	}
	var carrier sync.WaitGroup
	carrier.Go(func() { h.carryAlways(ctx) })
	counting := h.count(ctx)
	carrier.Wait()
	return counting
}

// count stores the counts, and those that are left when ctx ends.
func (h *Hooks) count(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
			err := h.tally.flush(ctx, h.store)
			if err != nil && !failing && ctx.Err() == nil { // once, until it works again
				h.failed(nil, fmt.Errorf("counting webhooks: %w", err))
			}
			failing = err != nil
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if err := h.tally.flush(last, h.store); err != nil {
				return fmt.Errorf("counting webhooks: %w", err)
			}
			return nil
		}
	}
}

// Outcomes lists every outcome of a delivery.
func Outcomes() []string {
	return []string{OutcomeTold, OutcomeWoken, OutcomeIgnored, OutcomeUnreadable, OutcomeRefused, OutcomeDuplicate}
}

// Sources lists the names of those that webhooks are heard from, in no order.
func (h *Hooks) Sources() []string { return slices.Collect(maps.Keys(h.receivers)) }

// Waiting is how many webhooks lie in the journal that the store does not have yet, and how many bytes they have there.
func (h *Hooks) Waiting() (webhooks, bytes int64) { return h.journal.behind() }

// note counts the outcome of a delivery.
func (h *Hooks) note(source, event, outcome, reason string, at time.Time) {
	h.tally.add(source, event, outcome, reason, at)
	if h.Noted != nil {
		h.Noted(source, outcome)
	}
}

func (h *Hooks) failed(r *http.Request, err error) {
	if h.Failed != nil {
		h.Failed(r, err)
	}
}

// ServeHTTP implements http.Handler.
func (h *Hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reception, err := h.receive(w, r)
	if err != nil {
		if fault.KindOf(err) == fault.Internal && !isProblem(err) {
			h.failed(r, err)
		}
		problem.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if reception.Outcome == OutcomeUnreadable {
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(reception) // who does not wait for the answer does not miss it
}

func isProblem(err error) bool {
	_, is := errors.AsType[*problem.Problem](err)
	return is
}

func (h *Hooks) receive(w http.ResponseWriter, r *http.Request) (*Reception, error) {
	name, _ := strings.CutPrefix(r.URL.Path, HooksPath)
	receiver := h.receivers[name]
	if receiver == nil {
		return nil, fault.New(fault.NotFound, "no source of this name takes webhooks: their addresses are %sNAME, with the name from the configuration", HooksPath)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &problem.Problem{Status: http.StatusMethodNotAllowed, Detail: "webhooks are sent by POST"}
	}
	if err := h.begin(); err != nil {
		return nil, err
	}
	body, done, err := h.read(w, r)
	defer done()
	if err != nil {
		if fault.KindOf(err) == fault.TooLarge {
			h.note(name, "", OutcomeRefused, "it is larger than hooks.max_body", h.now())
		}
		return nil, err
	}
	receivedAt := h.now().UTC().Truncate(time.Millisecond)
	if err := verify(receiver, r.Header, body, receivedAt); err != nil {
		detail := "the signature cannot be checked"
		if fault.KindOf(err) == fault.Denied {
			detail = cut(err.Error(), maxReason)
		} else {
			h.failed(r, fmt.Errorf("verifying a webhook of %s: %w", name, err))
		}
		h.note(name, "", OutcomeRefused, detail, receivedAt)
		return nil, &problem.Problem{Status: http.StatusUnauthorized, Detail: detail}
	}
	d := h.describe(r, name, receiver, r.Header, body)
	d.ReceivedAt = receivedAt

	mark := fingerprintOf(d.Source, d.ID, d.Body)
	if !h.guard.enter(mark) {
		h.note(name, d.Event, OutcomeDuplicate, "", receivedAt)
		return &Reception{Outcome: OutcomeDuplicate}, nil
	}
	handled := false
	defer func() { h.guard.leave(mark, handled) }()
	// It goes on when the sender no longer waits: most senders never send again.
	reception, err := h.handle(context.WithoutCancel(r.Context()), r, receiver, d, mark)
	if err != nil {
		h.note(name, d.Event, OutcomeUnreadable, "the journal did not take it", receivedAt)
		return nil, err
	}
	handled = reception.Outcome != OutcomeUnreadable
	h.note(name, d.Event, reception.Outcome, reception.Reason, receivedAt)
	return reception, nil
}

// handle makes of a delivery what it means and returns when it is in the journal.
func (h *Hooks) handle(ctx context.Context, r *http.Request, receiver Receiver, d source.Delivery, mark fingerprint) (*Reception, error) {
	kept := newRecord(d, h.cfg.Keep)
	kept.fingerprint = mark
	h.understand(r, receiver, d, kept)
	m := kept.meaning // from now on the record is the carrier's
	if err := h.journal.append(ctx, kept); err != nil {
		return nil, err
	}
	h.wake(d.Source, m.wakes)
	return &Reception{Outcome: m.outcome, Facts: m.facts, Reason: m.reason}, nil
}

// understand fills in what a record means.
func (h *Hooks) understand(r *http.Request, receiver Receiver, d source.Delivery, into *record) {
	last := h.recalled.Load() || !joins(receiver) // asked before it is heard: the recall may end meanwhile
	into.meaning, into.facts = h.hear(r, receiver, d)
	into.outcome, into.reason, into.payload.facts = into.meaning.outcome, into.meaning.reason, uint32(into.meaning.facts)
	into.heard = last
}

func (h *Hooks) wake(source string, wakes []source.Wake) {
	if len(wakes) > 0 && h.Wake != nil {
		h.Wake(source, wakes)
	}
}

// meaning is what a delivery turned out to be.
type meaning struct {
	outcome string
	reason  string
	facts   int
	wakes   []source.Wake
}

// hear asks the receiver and returns the good facts. A bad one, or an error, makes the delivery unreadable, and loses neither
// the other facts nor the wakes.
func (h *Hooks) hear(r *http.Request, receiver Receiver, d source.Delivery) (m meaning, good []event.Event) {
	defer func() {
		if thrown := recover(); thrown != nil {
			h.failed(r, fmt.Errorf("a webhook of %s (%s %s): panic: %v\n%s", d.Source, d.Event, d.ID, thrown, debug.Stack()))
			m, good = meaning{outcome: OutcomeUnreadable, reason: cut(fmt.Sprintf("cairn made a mistake: %v", thrown), maxReason)}, nil
		}
	}()
	heard, err := receiver.Hear(d)
	bad := ""
	for _, e := range heard.Facts {
		if wrong := event.Validate(e); wrong == nil {
			good = append(good, e)
		} else if bad == "" {
			bad = wrong.List[0].Error()
		}
	}
	m = meaning{facts: len(good), wakes: heard.Wakes}
	switch {
	case err != nil:
		m.outcome, m.reason = OutcomeUnreadable, cut(err.Error(), maxReason)
	case bad != "":
		m.outcome, m.reason = OutcomeUnreadable, cut("a fact is wrong: "+bad, maxReason)
	case len(good) > 0:
		m.outcome = OutcomeTold
	case len(m.wakes) > 0:
		m.outcome = OutcomeWoken
	default:
		m.outcome, m.reason = OutcomeIgnored, cut(heard.Ignored, maxReason)
	}
	return m, good
}

// verify is the receiver's; one that fails has verified nothing.
func verify(receiver Receiver, header http.Header, body []byte, now time.Time) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("panic: %v\n%s", thrown, debug.Stack())
		}
	}()
	return receiver.Verify(header, body, now)
}

// describe is the receiver's, within bounds.
func (h *Hooks) describe(r *http.Request, name string, receiver Receiver, header http.Header, body []byte) (d source.Delivery) {
	defer func() {
		if thrown := recover(); thrown != nil {
			h.failed(r, fmt.Errorf("describing a webhook of %s: panic: %v\n%s", name, thrown, debug.Stack()))
			d = source.Delivery{}
		}
		d.Source, d.Body, d.Event = name, body, cut(d.Event, maxEventName)
		if d.ID != cut(d.ID, maxDeliveryID) || d.ID == "" {
			sum := fingerprintOf(name, d.ID, body)
			d.ID = hex.EncodeToString(sum[:16])
		}
	}()
	return receiver.Describe(header, body)
}

// Bodies are read in steps that double, so that memory is taken for what came and not for what was announced.
const firstRead = 32 << 10

// bodiesHeld bounds the memory for bodies, as a multiple of the largest one.
const bodiesHeld = 8

// read returns the body, of which done gives the memory back.
func (h *Hooks) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	taken := int64(0)
	var pooled *[]byte
	done = func() {
		h.held.Add(-taken)
		if pooled != nil {
			h.bodies.Put(pooled)
		}
	}
	tooLarge := fault.New(fault.TooLarge, "the webhook has more than %s (hooks.max_body)", size(h.cfg.MaxBody))
	if r.ContentLength > h.cfg.MaxBody {
		return nil, done, tooLarge
	}
	from := http.MaxBytesReader(w, r.Body, h.cfg.MaxBody)
	room := int64(firstRead)
	if r.ContentLength < firstRead { // most of them, and those that do not say how long they are
		if pooled, _ = h.bodies.Get().(*[]byte); pooled == nil {
			pooled = new([]byte)
			*pooled = make([]byte, 0, firstRead)
		}
		body = *pooled
		taken = min(firstRead, h.cfg.MaxBody+1)
		if h.held.Add(taken) > h.cfg.MaxBody*bodiesHeld {
			return nil, done, errTooMany()
		}
	}
	if r.ContentLength >= 0 {
		room = min(room, r.ContentLength+1) // and one for the end to be seen
	}
	for {
		if int64(cap(body)) < room {
			if h.held.Add(room-taken) > h.cfg.MaxBody*bodiesHeld {
				taken = room
				return nil, done, errTooMany()
			}
			taken = room
			body = append(make([]byte, 0, room), body...)
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, done, nil
		}
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, done, tooLarge
		}
		if err != nil {
			return nil, done, fault.Wrap(fault.Unavailable, err, "the body could not be read to its end")
		}
		if len(body) == cap(body) {
			room = min(int64(cap(body))*2, h.cfg.MaxBody+1)
		}
	}
}

func errTooMany() error {
	return fault.New(fault.Unavailable, "too many large webhooks come at the same time; send it again")
}
