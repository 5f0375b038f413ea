package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/source"
	"cairn/internal/store/storetest"
)

func (h *hooks) replay(t testing.TB, f ingest.ReplayFilter) ingest.ReplayReport {
	t.Helper()
	report, err := h.Replay(context.Background(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTellingAgainMakesRightWhatCouldNotBeRead(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	base := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		h.tell(t, fmt.Sprint("bad", i), told{Unfixed: "it is new", People: []string{"a", fmt.Sprint("p", i)}, At: base.Add(time.Duration(i) * time.Hour), Name: fmt.Sprint("v", i), Wake: []string{"x"}})
	}
	h.tell(t, "good", told{People: []string{"a"}, At: base.Add(100 * time.Hour), Name: "latest"})
	h.tell(t, "none", told{Ignored: "nobody spoke"})
	if diff := cmp.Diff(ingest.ReplayReport{Read: 7, Facts: 1, Outcomes: map[string]int{"unreadable": 5, "told": 1, "ignored": 1}}, h.replay(t, ingest.ReplayFilter{})); diff != "" {
		t.Errorf("nothing is fixed yet:\n%s", diff)
	}
	rows := count(t, h.flushed(t), "payloads")
	if rows != 7 {
		t.Errorf("%d rows were written for 7 payloads of which nothing changed", rows)
	}

	h.forge.fixed = true
	if diff := cmp.Diff(ingest.ReplayReport{Read: 7, Facts: 11, Wakes: 1, Changed: 5, Outcomes: map[string]int{"told": 6, "ignored": 1}}, h.replay(t, ingest.ReplayFilter{})); diff != "" {
		t.Error(diff)
	}
	state := func() string {
		var people, payloads string
		if err := h.st.QueryRow(t.Context(), "SELECT toString(groupArray((id, name, version))) FROM (SELECT * FROM people FINAL ORDER BY id)", nil).Scan(&people); err != nil {
			t.Fatal(err)
		}
		if err := h.st.QueryRow(t.Context(), "SELECT toString(groupArray((delivery, event, body, headers, outcome, reason, facts, received_at, expires_at))) FROM (SELECT * FROM payloads FINAL ORDER BY delivery)", nil).Scan(&payloads); err != nil {
			t.Fatal(err)
		}
		return people + payloads
	}
	first := state()
	if !strings.Contains(first, "('a','latest'") || strings.Contains(first, "unreadable") {
		t.Errorf("got %s", first)
	}
	if diff := cmp.Diff(ingest.ReplayReport{Read: 7, Facts: 11, Wakes: 1, Outcomes: map[string]int{"told": 6, "ignored": 1}}, h.replay(t, ingest.ReplayFilter{})); diff != "" {
		t.Errorf("the second time:\n%s", diff)
	}
	if diff := cmp.Diff(first, state()); diff != "" {
		t.Errorf("the second time changed something:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"forge x 1", "forge x 1"}, h.woken); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsToldAgainIsChosen(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	h.deliver(t, "1", "push", []byte(`{"people":["a"]}`))
	time.Sleep(5 * time.Millisecond)
	between := time.Now()
	time.Sleep(5 * time.Millisecond)
	h.deliver(t, "2", "push", []byte(`{"error":"x"}`))
	h.deliver(t, "3", "issue", []byte(`{"ignored":"y"}`))
	for name, tt := range map[string]struct {
		filter ingest.ReplayFilter
		want   string
	}{
		"all":       {ingest.ReplayFilter{}, "123"},
		"source":    {ingest.ReplayFilter{Source: "forge"}, "123"},
		"event":     {ingest.ReplayFilter{Event: "push"}, "12"},
		"outcome":   {ingest.ReplayFilter{Outcome: ingest.OutcomeUnreadable}, "2"},
		"delivery":  {ingest.ReplayFilter{Delivery: "3"}, "3"},
		"since":     {ingest.ReplayFilter{Since: between}, "23"},
		"until":     {ingest.ReplayFilter{Until: between}, "1"},
		"together":  {ingest.ReplayFilter{Event: "push", Since: between}, "2"},
		"none":      {ingest.ReplayFilter{Event: "'; DROP TABLE payloads; --"}, ""},
		"of others": {ingest.ReplayFilter{Until: between.Add(-time.Hour)}, ""},
	} {
		got := ""
		h.forge.hearing = func(d source.Delivery) { got += d.ID }
		h.replay(t, tt.filter)
		if got != tt.want {
			t.Errorf("%s: told %q again, want %q", name, got, tt.want)
		}
	}
	if _, err := h.Replay(t.Context(), ingest.ReplayFilter{Source: "smithy"}, nil); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "forge") {
		t.Errorf("got %v", err)
	}
}

// Many pages of them: each is told once, in the order in which it came, as it came.
func TestManyAreToldAgainInTheirOrder(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	const n = 1234
	if err := h.st.Exec(t.Context(), `INSERT INTO payloads (source, received_at, delivery, event, headers, body, outcome, expires_at)
		SELECT 'forge', now64(3) - INTERVAL 20 DAY + toIntervalSecond(intDiv(number, 5) * 1000), toString(number), 'said', map('X-Event', 'said'),
			concat('{"people":["p', toString(number), '"],"padding":"', repeat('x', 10000), '"}'), 'unreadable', now() + INTERVAL 20 DAY
		FROM numbers(1234) ORDER BY rand()`, nil); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var last time.Time
	h.forge.hearing = func(d source.Delivery) {
		if seen[d.ID] || d.ReceivedAt.Before(last) || d.Event != "said" || d.Header.Get("X-Event") != "said" || d.Source != "forge" || len(d.Body) < 10000 {
			t.Errorf("%s of %s behind %s, %v", d.ID, d.ReceivedAt, last, seen[d.ID])
		}
		seen[d.ID], last = true, d.ReceivedAt
	}
	var steps []ingest.ReplayProgress
	report, err := h.Replay(t.Context(), ingest.ReplayFilter{}, func(p ingest.ReplayProgress) { steps = append(steps, p) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ingest.ReplayReport{Read: n, Facts: n, Changed: n, Outcomes: map[string]int{"told": n}}, report); diff != "" || len(seen) != n {
		t.Errorf("%d seen\n%s", len(seen), diff)
	}
	if len(steps) < 3 {
		t.Errorf("progress was told %d times", len(steps))
	}
	for i, s := range steps {
		if s.Of != n || i > 0 && s.Read <= steps[i-1].Read || i == len(steps)-1 && s.Read != n {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if got := count(t, h.flushed(t), "people FINAL"); got != n {
		t.Errorf("%d people", got)
	}
}

func TestOneReplayAtATime(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	h.tell(t, "1", told{People: []string{"a"}})
	h.forge.hearing = func(source.Delivery) {
		if _, err := h.Replay(t.Context(), ingest.ReplayFilter{}, nil); fault.KindOf(err) != fault.Conflict {
			t.Errorf("got %v", err)
		}
	}
	h.replay(t, ingest.ReplayFilter{})
	h.forge.hearing = nil
	h.replay(t, ingest.ReplayFilter{})
}

func TestReplayOverHTTP(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	h.tell(t, "1", told{People: []string{"a"}, Unfixed: "it is new"})
	h.tell(t, "2", told{Panic: "oh"})
	h.forge.fixed = true
	server := httptest.NewServer(h.ReplayHandler())
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	ask := func(method, query string) (int, string, string) {
		req, err := http.NewRequest(method, server.URL+"/api/v1/replay?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
	}
	status, media, text := ask("POST", "source=forge&outcome=unreadable&since=2026-01-01&until=2199-01-01T00:00:00%2B02:00")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var first, last struct {
		Progress *ingest.ReplayProgress
		Report   *ingest.ReplayReport
	}
	if status != 200 || media != "application/x-ndjson" || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil {
		t.Fatalf("got %d %s %s", status, media, text)
	}
	if first.Progress == nil || first.Progress.Of != 2 {
		t.Errorf("got %s", lines[0])
	}
	if diff := cmp.Diff(&ingest.ReplayReport{Read: 2, Facts: 1, Changed: 1, Outcomes: map[string]int{"told": 1, "unreadable": 1}}, last.Report); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
	if status, _, text := ask("POST", "event=nothing"); status != 200 || strings.Count(text, "\n") != 1 || !strings.Contains(text, `{"report":{"read":0,`) {
		t.Errorf("got %d %s", status, text)
	}
	for query, want := range map[string]int{
		"sorce=forge": 400, "source=smithy": 404, "outcome=refused": 400, "since=yesterday": 400, "since=2026-03-01&until=2026-02-01": 400,
		"source=a&source=b": 400, "until=0001-01-01": 400,
	} {
		if status, media, text := ask("POST", query); status != want || media != "application/problem+json" {
			t.Errorf("%s: got %d %s %s", query, status, media, text)
		}
	}
	if status, _, _ := ask("GET", ""); status != 405 {
		t.Errorf("GET: got %d", status)
	}
}

func TestAReplayStopsWhenNobodyWaits(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	for i := range 3 {
		h.deliver(t, fmt.Sprint(i), "said", bytes.Repeat([]byte(" "), 100))
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.forge.hearing = func(source.Delivery) { cancel() }
	if _, err := h.Replay(ctx, ingest.ReplayFilter{}, nil); err == nil {
		t.Error("it went on")
	}
	h.replay(t, ingest.ReplayFilter{})
}
