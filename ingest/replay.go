package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
	"cairn/internal/source"
	"cairn/internal/store"
)

// ReplayFilter says which kept webhooks are told again; what is zero leaves nothing out.
type ReplayFilter struct {
	Source   string
	Event    string
	Outcome  string
	Since    time.Time // received then or later
	Until    time.Time // received before; zero: all that are there when it begins
	Delivery string    // the sender's id
}

// ReplayProgress is how far telling again has come.
type ReplayProgress struct {
	Read  int       `json:"read"`  // webhooks
	Of    int       `json:"of"`    // webhooks
	Facts int       `json:"facts"` // that were told again
	At    time.Time `json:"at"`    // when the latest of them was received
}

// ReplayReport is what telling again came to.
type ReplayReport struct {
	Read     int            `json:"read"`     // webhooks
	Facts    int            `json:"facts"`    // that were told again
	Wakes    int            `json:"wakes"`    // things that are read again
	Changed  int            `json:"changed"`  // webhooks whose outcome is another now
	Outcomes map[string]int `json:"outcomes"` // how many have which outcome now
}

// Bounds of what Replay holds at a time.
const (
	replayRows  = 500
	replayBytes = 16 << 20 // and a body
)

// countReplay and selectReplay read kept webhooks in the order of the table, which for each source is the order in which
// they came, without sorting. Small blocks, because a row may have 25 MB.
const (
	whereReplay = ` FROM payloads FINAL
		WHERE source IN {sources:Array(String)} AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
			AND ({event:String} = '' OR event = {event:String}) AND ({outcome:String} = '' OR outcome = {outcome:String})
			AND ({delivery:String} = '' OR delivery = {delivery:String})`
	countReplay  = "SELECT count()" + whereReplay
	selectReplay = "SELECT source, received_at, delivery, event, headers, body, outcome, reason, facts, expires_at" + whereReplay + `
		ORDER BY source, received_at, delivery
		SETTINGS max_block_size = 32, max_threads = 1, optimize_read_in_order = 1`
)

// Replay tells kept webhooks again as if they came now, without checking their signatures again: what they mean is worked
// out anew, facts are stored, what they wake is woken, and their outcomes are corrected. Of each source they are told in
// the order in which they came; of what has not changed nothing changes. It says now and then how far it is. One replay
// runs at a time: another is fault.Conflict. After an error what was told is told; beginning again is harmless.
func (h *Hooks) Replay(ctx context.Context, f ReplayFilter, progress func(ReplayProgress)) (ReplayReport, error) {
	report := ReplayReport{Outcomes: map[string]int{}}
	sources := slices.Sorted(maps.Keys(h.receivers))
	if f.Source != "" {
		if h.receivers[f.Source] == nil {
			return report, fault.New(fault.NotFound, "no source %q takes webhooks; there are %q", f.Source, sources)
		}
		sources = []string{f.Source}
	}
	if !h.replaying.CompareAndSwap(false, true) {
		return report, fault.New(fault.Conflict, "webhooks are being told again already; wait for the end of that")
	}
	defer h.replaying.Store(false)
	// What is in the journal still was kept, too. Where another process holds that, it carries it.
	if err := h.Flush(ctx); err != nil && fault.KindOf(err) != fault.Conflict {
		return report, fmt.Errorf("ingest.Replay: %w", err)
	}
	// What is told again may belong together with what the filter leaves out.
	h.carrying.Lock()
	err := h.recall(ctx)
	h.carrying.Unlock()
	if err != nil {
		return report, fmt.Errorf("ingest.Replay: %w", err)
	}
	if f.Until.IsZero() {
		f.Until = h.now().Add(time.Millisecond)
	}
	params := store.Params{
		"sources": sources, "event": f.Event, "outcome": f.Outcome, "delivery": f.Delivery,
		"since": orEpoch(f.Since), "until": f.Until,
	}
	var of uint64
	if err := h.store.QueryRow(ctx, countReplay, params).Scan(&of); err != nil {
		return report, fmt.Errorf("ingest.Replay: %w", err)
	}
	answer, err := h.store.Query(ctx, selectReplay, params)
	if err != nil {
		return report, fmt.Errorf("ingest.Replay: %w", err)
	}
	part := retelling{hooks: h, report: &report}
	finish := func() error {
		if err := part.store(ctx); err != nil {
			return err
		}
		if progress != nil {
			progress(ReplayProgress{Read: report.Read, Of: int(of), Facts: report.Facts, At: part.latest})
		}
		part = retelling{hooks: h, report: &report}
		return nil
	}
	err = func() error {
		for answer.Next() {
			p := payload{}
			if err := answer.Scan(&p.source, &p.receivedAt, &p.delivery, &p.event, &p.headers, &p.body, &p.outcome, &p.reason, &p.facts, &p.expiresAt); err != nil {
				return err
			}
			part.hear(p)
			if err := ctx.Err(); err != nil {
				return err
			}
			if len(part.heard) >= replayRows || part.bytes >= replayBytes {
				if err := finish(); err != nil {
					return err
				}
			}
		}
		if err := answer.Err(); err != nil || len(part.heard) == 0 {
			return err
		}
		return finish()
	}()
	if err = errors.Join(err, answer.Close()); err != nil {
		return report, fmt.Errorf("ingest.Replay: %w", err)
	}
	return report, nil
}

// retelling is some webhooks that are told again together.
type retelling struct {
	hooks   *Hooks
	report  *ReplayReport
	latest  time.Time
	bytes   int
	heard   []meaning
	batch   event.Batch
	changed []payload
	wakes   map[string][]source.Wake
	known   map[string]map[source.Wake]bool
}

func (t *retelling) hear(p payload) {
	h := t.hooks
	receiver := h.receivers[p.source]
	d := p.deliveryOf()
	// What it is called may be understood differently now; when and under which id it came stays.
	if again := h.describe(nil, p.source, receiver, d.Header, d.Body); again.Event != "" {
		d.Event = again.Event
	}
	m, facts := h.hear(nil, receiver, d)
	t.batch.Append(facts...)
	t.latest = p.receivedAt
	t.bytes += len(p.body)
	t.heard = append(t.heard, m)
	for _, w := range m.wakes {
		if t.known == nil {
			t.known, t.wakes = map[string]map[source.Wake]bool{}, map[string][]source.Wake{}
		}
		if t.known[p.source] == nil {
			t.known[p.source] = map[source.Wake]bool{}
		}
		if !t.known[p.source][w] {
			t.known[p.source][w] = true
			t.wakes[p.source] = append(t.wakes[p.source], w)
		}
	}
	if p.outcome != m.outcome || p.reason != m.reason || int(p.facts) != m.facts || p.event != d.Event {
		p.event, p.outcome, p.reason, p.facts = d.Event, m.outcome, m.reason, uint32(m.facts)
		t.changed = append(t.changed, p)
	}
}

// store does what the webhooks mean, facts first.
func (t *retelling) store(ctx context.Context) error {
	h := t.hooks
	if err := h.intake.write(ctx, &t.batch); err != nil {
		return err
	}
	if len(t.changed) > 0 {
		if err := h.keep(ctx, t.changed...); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.wakes)) {
		h.wake(name, t.wakes[name])
		t.report.Wakes += len(t.wakes[name])
	}
	for _, m := range t.heard {
		t.report.Read++
		t.report.Facts += m.facts
		t.report.Outcomes[m.outcome]++
	}
	t.report.Changed += len(t.changed)
	return nil
}

// replayLine is one line of the answer of ReplayHandler: one of the three.
type replayLine struct {
	Progress *ReplayProgress  `json:"progress,omitempty"`
	Report   *ReplayReport    `json:"report,omitempty"`
	Error    *problem.Problem `json:"error,omitempty"`
}

// ReplayHandler is Replay over HTTP: POST, with the filter as query parameters (source, event, outcome, since, until,
// delivery). The answer is NDJSON: {"progress": …} now and then, at the end {"report": …} or {"error": …}. What is wrong
// with the request is answered by a problem and its status.
func (h *Hooks) ReplayHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			problem.Write(w, r, &problem.Problem{Status: http.StatusMethodNotAllowed, Detail: "webhooks are told again by POST"})
			return
		}
		filter, err := parseReplayFilter(r.URL.Query())
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		begun := false
		out := json.NewEncoder(w)
		line := func(l replayLine) {
			if !begun {
				begun = true
				w.Header().Set("Content-Type", "application/x-ndjson")
				w.Header().Set("Cache-Control", "no-store")
			}
			_ = out.Encode(l) // who no longer reads ends the context
			_ = http.NewResponseController(w).Flush()
		}
		report, err := h.Replay(r.Context(), filter, func(p ReplayProgress) { line(replayLine{Progress: &p}) })
		switch {
		case err == nil:
			line(replayLine{Report: &report})
			return
		case fault.KindOf(err) == fault.Internal:
			h.failed(r, err)
		}
		if begun {
			line(replayLine{Error: problem.From(err)})
			return
		}
		problem.Write(w, r, err)
	})
}

// parseReplayFilter reads the parameters of a request.
func parseReplayFilter(query url.Values) (ReplayFilter, error) {
	var f ReplayFilter
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return f, fault.New(fault.Invalid, "%s is given more than once", name)
		}
		value := query.Get(name)
		var err error
		switch name {
		case "source":
			f.Source = value
		case "event":
			f.Event = value
		case "outcome":
			f.Outcome = value
			switch value {
			case "", OutcomeTold, OutcomeWoken, OutcomeIgnored, OutcomeUnreadable:
			default:
				err = fault.New(fault.Invalid, "outcome %q: %s, %s, %s or %s is expected", value, OutcomeTold, OutcomeWoken, OutcomeIgnored, OutcomeUnreadable)
			}
		case "delivery":
			f.Delivery = value
		case "since":
			f.Since, err = parseInstant(name, value)
		case "until":
			f.Until, err = parseInstant(name, value)
		default:
			err = fault.New(fault.Invalid, "there is no parameter %q; there are delivery, event, outcome, since, source and until", name)
		}
		if err != nil {
			return f, err
		}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return f, fault.New(fault.Invalid, "since is not before until")
	}
	return f, nil
}

func parseInstant(name, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, value); err == nil && t.Unix() >= 0 && t.Year() < 2200 {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%s %q: an instant such as 2026-03-01T10:00:00Z or a day such as 2026-03-01 (UTC) is expected", name, value)
}
