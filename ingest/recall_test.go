package ingest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/source"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// joiner is a receiver of which each webhook tells one part of a run: when it began, or when it ended.
type joiner struct {
	*forge
	parts map[string]map[string]time.Time
}

func (j *joiner) Joins() bool { return true }

func (j *joiner) Hear(d source.Delivery) (source.Heard, error) {
	var p struct {
		Run, What string
		At        time.Time
	}
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	if p.What == "panic" {
		panic("hearing")
	}
	if j.parts[p.Run] == nil {
		j.parts[p.Run] = map[string]time.Time{}
	}
	j.parts[p.Run][p.What] = p.At
	began, ended := j.parts[p.Run]["began"], j.parts[p.Run]["ended"]
	run := &event.PipelineRun{Telling: event.Telling{Source: d.Source}, Repository: "acme/shop", ID: p.Run, Attempt: 1, Status: "in_progress", StartedAt: began, FinishedAt: ended}
	run.UpdatedAt = began.Add(-time.Millisecond)
	if !ended.IsZero() {
		run.Status, run.UpdatedAt = "succeeded", ended
		if began.IsZero() {
			run.UpdatedAt = ended.Add(-time.Millisecond)
		}
	}
	var err error
	if p.What == "both" {
		run, err = &event.PipelineRun{Telling: event.Telling{Source: d.Source}, Repository: "acme/shop", ID: p.Run, Attempt: 1, Status: "queued", QueuedAt: p.At}, errors.New("event 2 of 2 is none")
	}
	return source.Heard{Facts: []event.Event{run}}, err
}

// joining starts a process over a store and a folder.
func joining(t *testing.T, st *store.Store, folder string) *hooks {
	t.Helper()
	h := newHooksWith(t, st, ingest.DefaultHooksConfig(), folder, func(f *forge) ingest.Receiver {
		return &joiner{forge: f, parts: map[string]map[string]time.Time{}}
	})
	return h
}

func (h *hooks) part(t *testing.T, run, what string, minute int) ingest.Reception {
	t.Helper()
	at := time.Date(2026, 3, 1, 10, minute, 0, 0, time.UTC).Format(time.RFC3339)
	_, r := h.deliver(t, fmt.Sprint(run, what), "part", fmt.Appendf(nil, `{"run":%q,"what":%q,"at":%q}`, run, what, at))
	return r
}

func runsOf(t *testing.T, st *store.Store) string {
	t.Helper()
	var all string
	if err := st.QueryRow(t.Context(), `SELECT arrayStringConcat(groupArray(concat(id, ' ', status, ' ', ifNull(formatDateTime(started_at, '%H:%i'), '-'), ' ', ifNull(formatDateTime(finished_at, '%H:%i'), '-'))), '; ')
		FROM (SELECT * FROM pipeline_runs FINAL ORDER BY id)`, nil).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// One run began and ended in one process; of the second, the third and the fourth the process was another one in between:
// after it had carried, after it had not, and while its store was away.
func TestPartsAreJoinedAcrossRestarts(t *testing.T) {
	st, folder := storetest.New(t), t.TempDir()
	h := joining(t, st, folder)
	h.part(t, "1", "began", 0)
	h.part(t, "1", "ended", 10)
	h.part(t, "2", "began", 1)
	h.part(t, "x", "panic", 1)
	h.part(t, "4", "began", 3)
	h.flushed(t)
	h.part(t, "3", "began", 2) // only in the journal
	h.Close()

	h = joining(t, st, folder)
	h.part(t, "2", "ended", 11)
	h.part(t, "3", "ended", 12)
	h.flushed(t)
	want := "1 succeeded 10:00 10:10; 2 succeeded 10:01 10:11; 3 succeeded 10:02 10:12; 4 in_progress 10:03 -"
	if got := runsOf(t, st); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	h.Close()

	if err := st.Exec(t.Context(), "RENAME TABLE payloads TO away", nil); err != nil {
		t.Fatal(err)
	}
	h = joining(t, st, folder)
	if r := h.part(t, "4", "ended", 13); r.Outcome != ingest.OutcomeTold {
		t.Errorf("while the store is away: %+v", r)
	}
	if err := st.Exec(t.Context(), "RENAME TABLE away TO payloads", nil); err != nil {
		t.Fatal(err)
	}
	h.flushed(t)
	if got, want := runsOf(t, st), strings.Replace(want, "4 in_progress 10:03 -", "4 succeeded 10:03 10:13", 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A replay of some in a process that knows nothing joins them with what the filter leaves out.
func TestAReplayOfSomeKnowsTheOthers(t *testing.T) {
	st, folder := storetest.New(t), t.TempDir()
	h := joining(t, st, folder)
	h.part(t, "1", "began", 0)
	h.part(t, "1", "ended", 10)
	h.flushed(t)
	h.Close()
	if err := st.Exec(t.Context(), "TRUNCATE TABLE pipeline_runs", nil); err != nil {
		t.Fatal(err)
	}
	h = joining(t, st, folder)
	h.replay(t, ingest.ReplayFilter{Delivery: "1ended"})
	if got := runsOf(t, st); got != "1 succeeded 10:00 10:10" {
		t.Errorf("got %s", got)
	}
}

func TestWhatADeliveryTellsBesideAnErrorCounts(t *testing.T) {
	st := storetest.New(t)
	h := joining(t, st, t.TempDir())
	if r := h.part(t, "1", "both", 0); r.Outcome != ingest.OutcomeUnreadable || r.Facts != 1 || r.Reason != "event 2 of 2 is none" {
		t.Errorf("got %+v", r)
	}
	h.flushed(t)
	if got := runsOf(t, st); got != "1 queued - -" {
		t.Errorf("got %s", got)
	}
	if p := h.kept(t); len(p) != 1 {
		t.Errorf("kept %v", p)
	}
}
