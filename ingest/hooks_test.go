package ingest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
	"cairn/internal/signature"
	"cairn/internal/source"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

const hookSecret = "It's a Secret to Everybody"

// forge is a receiver of a made-up system, whose webhooks say in words what they shall mean.
type forge struct {
	*signature.Scheme
	// fixed says that the receiver can read what it could not before.
	fixed bool
	// hearing, when set, is called while a webhook is being read.
	hearing func(d source.Delivery)
}

// told is the body of a webhook of the forge.
type told struct {
	People   []string  `json:"people,omitempty"` // facts
	At       time.Time `json:"at,omitzero"`
	Name     string    `json:"name,omitempty"`
	Wake     []string  `json:"wake,omitempty"`
	Ignored  string    `json:"ignored,omitempty"`
	Error    string    `json:"error,omitempty"`
	Panic    string    `json:"panic,omitempty"`
	Unfixed  string    `json:"unfixed,omitempty"` // an error until it is fixed
	Describe string    `json:"describe,omitempty"`
}

func (f *forge) Describe(h http.Header, body []byte) source.Delivery {
	if bytes.Contains(body, []byte(`"describe":"panic"`)) {
		panic("describing")
	}
	kept := http.Header{}
	for _, name := range []string{"Content-Type", "X-Event"} {
		if v := h.Get(name); v != "" {
			kept.Set(name, v)
		}
	}
	return source.Delivery{ID: h.Get("X-Delivery"), Event: h.Get("X-Event"), Header: kept}
}

func (f *forge) Hear(d source.Delivery) (source.Heard, error) {
	if f.hearing != nil {
		f.hearing(d)
	}
	var t told
	if err := json.Unmarshal(d.Body, &t); err != nil {
		return source.Heard{}, errors.New("it is no JSON")
	}
	if t.Panic != "" {
		panic(t.Panic)
	}
	if t.Error != "" {
		return source.Heard{}, errors.New(t.Error)
	}
	if t.Unfixed != "" && !f.fixed {
		return source.Heard{}, errors.New(t.Unfixed)
	}
	var heard source.Heard
	for _, id := range t.People {
		heard.Facts = append(heard.Facts, &event.Person{Telling: event.Telling{Source: d.Source, UpdatedAt: t.At}, ID: id, Name: t.Name})
	}
	for _, stream := range t.Wake {
		heard.Wakes = append(heard.Wakes, source.Wake{Stream: stream, Subject: "1"})
	}
	heard.Ignored = t.Ignored
	return heard, nil
}

// hooks is a receiving end with one source, forge.
type hooks struct {
	*ingest.Hooks
	forge  *forge
	url    string
	st     *store.Store
	folder string // of the journal

	mu     sync.Mutex
	woken  []string
	failed []string
}

func newHooks(t testing.TB, st *store.Store, cfg ingest.HooksConfig) *hooks {
	t.Helper()
	return newHooksOver(t, st, cfg, t.TempDir())
}

func newHooksOver(t testing.TB, st *store.Store, cfg ingest.HooksConfig, folder string) *hooks {
	t.Helper()
	return newHooksWith(t, st, cfg, folder, func(f *forge) ingest.Receiver { return f })
}

func newHooksWith(t testing.TB, st *store.Store, cfg ingest.HooksConfig, folder string, receiver func(*forge) ingest.Receiver) *hooks {
	t.Helper()
	scheme, err := signature.GitHub(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := &hooks{forge: &forge{Scheme: scheme}, st: st, folder: folder}
	h.Hooks, err = ingest.NewHooks(cfg, folder, newIntake(t, st), st, map[string]ingest.Receiver{"forge": receiver(h.forge)}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h.Wake = func(source string, wakes []source.Wake) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, w := range wakes {
			h.woken = append(h.woken, source+" "+w.Stream+" "+w.Subject)
		}
	}
	h.Failed = func(_ *http.Request, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.failed = append(h.failed, err.Error())
	}
	s := httptest.NewServer(h.Hooks)
	t.Cleanup(func() {
		s.Client().CloseIdleConnections()
		s.Close()
		h.Close()
	})
	h.url = s.URL
	return h
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// deliver sends a webhook as the forge does.
func (h *hooks) deliver(t testing.TB, id, name string, body []byte) (int, ingest.Reception) {
	t.Helper()
	status, text := h.send(t, http.MethodPost, "forge", http.Header{"X-Delivery": {id}, "X-Event": {name}, "X-Hub-Signature-256": {sign(body)}, "Cookie": {"secret"}}, bytes.NewReader(body))
	var r ingest.Reception
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return status, r
}

func (h *hooks) tell(t testing.TB, id string, what told) (int, ingest.Reception) {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return h.deliver(t, id, "said", body)
}

func (h *hooks) send(t testing.TB, method, name string, header http.Header, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, h.url+ingest.HooksPath+name, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if method != http.MethodPost && resp.StatusCode == http.StatusMethodNotAllowed && resp.Header.Get("Allow") != http.MethodPost {
		t.Errorf("405 allows %q", resp.Header.Get("Allow"))
	}
	return resp.StatusCode, string(text)
}

// flushed is the store when it has all that was answered.
func (h *hooks) flushed(t testing.TB) *store.Store {
	t.Helper()
	if err := h.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return h.st
}

// kept is a row of payloads.
type kept struct {
	Source   string            `ch:"source"`
	Delivery string            `ch:"delivery"`
	Event    string            `ch:"event"`
	Headers  map[string]string `ch:"headers"`
	Body     string            `ch:"body"`
	Outcome  string            `ch:"outcome"`
	Reason   string            `ch:"reason"`
	Facts    uint32            `ch:"facts"`
	Kept     uint32            `ch:"kept"` // hours
}

func (h *hooks) kept(t testing.TB) map[string]kept {
	t.Helper()
	var list []kept
	if err := h.flushed(t).Select(context.Background(), &list, `SELECT source, delivery, event, headers, body, outcome, reason, facts,
		toUInt32(dateDiff('hour', received_at, expires_at)) AS kept FROM payloads FINAL`, nil); err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]kept)
	for _, k := range list {
		if _, twice := byID[k.Delivery]; twice {
			t.Errorf("%s is kept twice", k.Delivery)
		}
		byID[k.Delivery] = k
	}
	return byID
}

// counts flushes and returns the counts as "event outcome reason: n".
func (h *hooks) counts(t testing.TB) map[string]uint64 {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var list []struct {
		What string `ch:"what"`
		N    uint64 `ch:"n"`
	}
	if err := h.st.Select(context.Background(), &list, `SELECT concat(source, ' ', event, ' ', outcome, ' ', reason) AS what, sum(n) AS n FROM deliveries
		WHERE day = today() GROUP BY what`, nil); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]uint64)
	for _, c := range list {
		all[c.What] = c.N
	}
	return all
}

func TestEveryOutcomeOfAWebhook(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	noted := map[string]uint64{}
	h.Noted = func(source, outcome string) { noted[source+" "+outcome]++ }
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		id     string
		told   told
		status int
		want   ingest.Reception
	}{
		{"facts", told{People: []string{"a", "b"}}, 200, ingest.Reception{Outcome: "told", Facts: 2}},
		{"facts and wakes", told{People: []string{"c"}, Wake: []string{"acme/shop/changes"}}, 200, ingest.Reception{Outcome: "told", Facts: 1}},
		{"wakes", told{Wake: []string{"acme/shop/runs"}}, 200, ingest.Reception{Outcome: "woken"}},
		{"nothing", told{Ignored: "nobody spoke"}, 200, ingest.Reception{Outcome: "ignored", Reason: "nobody spoke"}},
		{"an error", told{Error: "it is a riddle"}, 202, ingest.Reception{Outcome: "unreadable", Reason: "it is a riddle"}},
		{"a long error", told{Error: long}, 202, ingest.Reception{Outcome: "unreadable", Reason: long[:1000] + "…"}},
		{"a panic", told{Panic: "oh"}, 202, ingest.Reception{Outcome: "unreadable", Reason: "cairn made a mistake: oh"}},
		{"one bad fact", told{People: []string{"d", ""}, Wake: []string{"acme/shop/commits"}}, 202,
			ingest.Reception{Outcome: "unreadable", Facts: 1, Reason: "a fact is wrong: person /id: expected a string of 1 to 256 characters: it is required"}},
	} {
		status, got := h.tell(t, tt.id, tt.told)
		if tt.id == "one bad fact" && strings.HasPrefix(got.Reason, "a fact is wrong: person /id: expected") {
			got.Reason = tt.want.Reason // the words are those of events
		}
		if diff := cmp.Diff(tt.want, got); status != tt.status || diff != "" {
			t.Errorf("%s: got %d, want %d\n%s", tt.id, status, tt.status, diff)
		}
	}
	payloads := h.kept(t)
	if len(payloads) != 8 {
		t.Errorf("%d payloads are kept, want 8", len(payloads))
	}
	want := kept{Source: "forge", Delivery: "facts", Event: "said", Headers: map[string]string{"X-Event": "said"}, Body: `{"people":["a","b"]}`, Outcome: "told", Facts: 2, Kept: 720}
	if diff := cmp.Diff(want, payloads["facts"]); diff != "" {
		t.Error(diff)
	}
	if p := payloads["a panic"]; p.Outcome != "unreadable" || p.Body != `{"panic":"oh"}` {
		t.Errorf("behind a panic: %+v", p)
	}
	if n := count(t, h.flushed(t), "people FINAL"); n != 4 {
		t.Errorf("%d people are known, want 4", n)
	}
	if diff := cmp.Diff([]string{"forge acme/shop/changes 1", "forge acme/shop/runs 1", "forge acme/shop/commits 1"}, h.woken); diff != "" {
		t.Error(diff)
	}
	if len(h.failed) != 1 || !strings.Contains(h.failed[0], "panic: oh") || !strings.Contains(h.failed[0], "hooks_test.go") {
		t.Errorf("the panic was told as %q", h.failed)
	}
	sum := map[string]uint64{}
	for what, n := range h.counts(t) {
		sum[strings.Fields(what)[2]] += n
	}
	if diff := cmp.Diff(map[string]uint64{"told": 2, "woken": 1, "ignored": 1, "unreadable": 4}, sum); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{"forge told": 2, "forge woken": 1, "forge ignored": 1, "forge unreadable": 4}, noted); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
}

func TestWebhooksThatAreRefused(t *testing.T) {
	st := storetest.New(t)
	cfg := ingest.DefaultHooksConfig()
	cfg.MaxBody = 100_000
	h := newHooks(t, st, cfg)
	h.forge.hearing = func(source.Delivery) { t.Error("a refused webhook was read") }
	body := []byte(`{"people":["secret-person"]}`)
	long := bytes.Repeat([]byte(" "), 100_001)
	signed := func(body []byte) http.Header {
		return http.Header{"X-Delivery": {"d"}, "X-Event": {"hostile"}, "X-Hub-Signature-256": {sign(body)}}
	}
	for name, tt := range map[string]struct {
		method, source string
		header         http.Header
		body           io.Reader
		status         int
		detail         string
	}{
		"unknown source":       {"POST", "smithy", signed(body), bytes.NewReader(body), 404, "no source of this name takes webhooks"},
		"no source":            {"POST", "", signed(body), bytes.NewReader(body), 404, "no source of this name"},
		"below a source":       {"POST", "forge/x", signed(body), bytes.NewReader(body), 404, "no source of this name"},
		"other method":         {"GET", "forge", nil, nil, 405, "by POST"},
		"put":                  {"PUT", "forge", signed(body), bytes.NewReader(body), 405, "by POST"},
		"no signature":         {"POST", "forge", nil, bytes.NewReader(body), 401, "X-Hub-Signature-256 is missing"},
		"another signature":    {"POST", "forge", signed([]byte("x")), bytes.NewReader(body), 401, "fits none of the secrets"},
		"one byte more":        {"POST", "forge", signed(body), bytes.NewReader(append(bytes.Clone(body), '\n')), 401, "fits none"},
		"too long, said":       {"POST", "forge", signed(long), bytes.NewReader(long), 413, "more than 100000 bytes (hooks.max_body)"},
		"too long, on the way": {"POST", "forge", signed(long), io.MultiReader(bytes.NewReader(long)), 413, "hooks.max_body"},
	} {
		status, text := h.send(t, tt.method, tt.source, tt.header, tt.body)
		var p problem.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Status != tt.status {
			t.Errorf("%s: got %s", name, text)
		}
		if status != tt.status || !strings.Contains(p.Detail, tt.detail) {
			t.Errorf("%s: got %d %q, want %d %q", name, status, p.Detail, tt.status, tt.detail)
		}
		if strings.Contains(text, "secret-person") || strings.Contains(text, hookSecret) || strings.Contains(text, sign(body)) {
			t.Errorf("%s: the answer tells too much: %s", name, text)
		}
	}
	if n := count(t, st, "payloads") + count(t, st, "people"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
	var refused uint64
	for what, n := range h.counts(t) {
		if !strings.HasPrefix(what, "forge  refused ") { // under no event: nobody knows whether it was one
			t.Errorf("counted %s", what)
		}
		refused += n
	}
	if refused != 5 {
		t.Errorf("%d were counted as refused, want 5", refused)
	}
}

// The largest body, and bytes that are no text, come through as they are; so do those that come in small pieces.
func TestBodiesAreKeptAsTheyCame(t *testing.T) {
	cfg := ingest.DefaultHooksConfig()
	cfg.MaxBody = 1 << 20
	h := newHooks(t, storetest.New(t), cfg)
	random := make([]byte, cfg.MaxBody)
	x := uint32(1)
	for i := range random {
		x = x*1664525 + 1013904223
		random[i] = byte(x >> 24)
	}
	bodies := map[string][]byte{"empty": {}, "zero": {0}, "largest": random, "latin": []byte("{\"a\":\"\xe9\\u0000\"}\r\n"), "text": []byte(`{"a": "\u00e9\t'\"\\N"}`)}
	for _, n := range []int{32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10, 100_000} {
		bodies[fmt.Sprint(n)] = random[:n]
	}
	for name, body := range bodies {
		if status, got := h.deliver(t, name, "said", body); status/100 != 2 {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	inPieces := http.Header{"X-Delivery": {"pieces"}, "X-Hub-Signature-256": {sign(random[:5000])}}
	if status, text := h.send(t, "POST", "forge", inPieces, iotest.OneByteReader(bytes.NewReader(random[:5000]))); status != 202 {
		t.Errorf("in pieces: %d %s", status, text)
	}
	bodies["pieces"] = random[:5000]
	payloads := h.kept(t)
	for name, body := range bodies {
		if payloads[name].Body != string(body) {
			t.Errorf("%s: %d bytes came back of %d, or others", name, len(payloads[name].Body), len(body))
		}
	}
}

func TestWhatIsSentTwiceIsHandledOnce(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	want := func(wantStatus int, wanted string, status int, got ingest.Reception) {
		t.Helper()
		if status != wantStatus || got.Outcome != wanted {
			t.Errorf("got %d %+v, want %d %s", status, got, wantStatus, wanted)
		}
	}
	tell := func(wantStatus int, wanted, id string, what told) {
		t.Helper()
		status, got := h.tell(t, id, what)
		want(wantStatus, wanted, status, got)
	}
	tell(200, "told", "1", told{People: []string{"a"}})
	tell(200, "duplicate", "1", told{People: []string{"a"}})
	tell(200, "told", "2", told{People: []string{"a"}}) // another delivery that says the same
	tell(200, "woken", "3", told{Wake: []string{"x"}})
	tell(200, "duplicate", "3", told{Wake: []string{"x"}})
	tell(202, "unreadable", "4", told{Unfixed: "not yet"})
	h.forge.fixed = true
	tell(200, "ignored", "4", told{Unfixed: "not yet"}) // what failed is tried again
	tell(200, "duplicate", "4", told{Unfixed: "not yet"})
	tell(200, "told", "1", told{People: []string{"b"}}) // a sender that uses an id twice
	if len(h.woken) != 1 {
		t.Errorf("woken %v", h.woken)
	}
	if n := count(t, h.flushed(t), "payloads WHERE delivery IN ('1', '2', '3')"); n != 4 {
		t.Errorf("%d payloads, want 4", n)
	}
	if n := h.counts(t)["forge said duplicate "]; n != 3 {
		t.Errorf("%d duplicates, want 3", n)
	}
}

func TestWithoutAnIdTheBodyIsTheId(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	for _, id := range []string{"", strings.Repeat("i", 1000), "\xff"} {
		for i := range 2 {
			h.tell(t, id, told{Ignored: id[:min(1, len(id))] + fmt.Sprint(i)})
			if _, got := h.tell(t, id, told{Ignored: id[:min(1, len(id))] + fmt.Sprint(i)}); got.Outcome != "duplicate" {
				t.Errorf("%.10q: got %+v", id, got)
			}
		}
	}
	payloads := h.kept(t)
	if len(payloads) != 6 {
		t.Errorf("%d payloads, want 6", len(payloads))
	}
	for id := range payloads {
		if len(id) != 32 {
			t.Errorf("one is called %q", id)
		}
	}
}

func TestADescriptionThatFailsLosesNothing(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	if status, got := h.tell(t, "d", told{Describe: "panic", People: []string{"a"}}); status != 200 || got.Facts != 1 {
		t.Errorf("got %d %+v", status, got)
	}
	if len(h.kept(t)) != 1 || len(h.failed) != 1 {
		t.Errorf("kept %v, told %v", h.kept(t), h.failed)
	}
}

// Two of the same at the same time: the second waits for the first, and takes its place when it fails.
func TestTheSameAtTheSameTimeIsNotLost(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	inside, goOn := make(chan struct{}, 10), make(chan struct{})
	var once sync.Once
	h.forge.hearing = func(source.Delivery) {
		inside <- struct{}{}
		failing := false
		once.Do(func() { failing = true })
		if failing {
			<-goOn
			panic("the first one fails")
		}
	}
	outcomes := make(chan string, 8)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, got := h.tell(t, "1", told{People: []string{"a"}})
			outcomes <- got.Outcome
		})
	}
	<-inside
	time.Sleep(50 * time.Millisecond) // for the others to arrive
	close(goOn)
	all.Wait()
	close(outcomes)
	got := map[string]int{}
	for o := range outcomes {
		got[o]++
	}
	if diff := cmp.Diff(map[string]int{"unreadable": 1, "told": 1, "duplicate": 6}, got); diff != "" {
		t.Error(diff)
	}
	if n := count(t, h.flushed(t), "people FINAL"); n != 1 {
		t.Errorf("%d people", n)
	}
}

// Many at once, in any order, some of them several times: the state is that of the latest, and every request is counted once.
func TestManyAtOnceInAnyOrder(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	base := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const people, versions = 10, 20
	var all sync.WaitGroup
	for clientNo := range 8 {
		all.Go(func() {
			for i := range people * versions {
				n := (i*37 + clientNo*91) % (people * versions)
				v := n / people
				id := fmt.Sprintf("p%d", n%people)
				if status, got := h.tell(t, fmt.Sprint(n), told{People: []string{id}, At: base.Add(time.Duration(v) * time.Second), Name: fmt.Sprintf("v%d", v)}); status != 200 {
					t.Errorf("got %d %+v", status, got)
				}
			}
		})
	}
	all.Wait()
	if n := count(t, h.flushed(t), "people FINAL WHERE name = 'v19'"); n != people {
		t.Errorf("%d people are as they were told last, want %d", n, people)
	}
	if n := len(h.kept(t)); n != people*versions {
		t.Errorf("%d payloads are kept, want %d", n, people*versions)
	}
	counts := h.counts(t)
	if diff := cmp.Diff(map[string]uint64{"forge said told ": people * versions, "forge said duplicate ": 7 * people * versions}, counts); diff != "" {
		t.Error(diff)
	}
}

// What was answered by 2xx is there when the program starts again, payload and fact.
func TestWhatIsAnsweredIsThereForWhoeverOpensTheStoreNext(t *testing.T) {
	st := storetest.New(t)
	h := newHooks(t, st, ingest.DefaultHooksConfig())
	for i := range 20 {
		if status, _ := h.tell(t, fmt.Sprint(i), told{People: []string{fmt.Sprint(i)}}); status != 200 {
			t.Fatal(status)
		}
		h.flushed(t)
		again := storetest.Again(t, st)
		if got := count(t, again, "people FINAL"); got != uint64(i+1) {
			t.Fatalf("%d facts behind %d answers", got, i+1)
		}
		if got := count(t, again, "payloads FINAL"); got != uint64(i+1) {
			t.Fatalf("%d payloads behind %d answers", got, i+1)
		}
	}
}

// What the store does not take stays in the journal, and goes on its way when it does.
func TestAStoreThatDoesNotTakeItLosesNothing(t *testing.T) {
	t.Run("no payloads", func(t *testing.T) {
		h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
		if err := h.st.Exec(t.Context(), "RENAME TABLE payloads TO away", nil); err != nil {
			t.Fatal(err)
		}
		h.tell(t, "1", told{People: []string{"a"}})
		if err := h.Flush(t.Context()); err == nil {
			t.Error("it was carried")
		}
		if err := h.st.Exec(t.Context(), "RENAME TABLE away TO payloads", nil); err != nil {
			t.Fatal(err)
		}
		if p := h.kept(t)["1"]; p.Outcome != "told" {
			t.Errorf("kept %+v", p)
		}
	})
	t.Run("no facts", func(t *testing.T) {
		h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
		if err := h.st.Exec(t.Context(), "RENAME TABLE people TO away", nil); err != nil {
			t.Fatal(err)
		}
		body := []byte(`{"people":["a"]}`)
		h.tell(t, "0", told{Wake: []string{"x"}})
		h.deliver(t, "1", "", body)
		h.tell(t, "2", told{Ignored: "x"})
		payloads := h.kept(t)
		if p := payloads["1"]; p.Outcome != "unreadable" || p.Body != string(body) || p.Facts != 0 {
			t.Errorf("kept %+v", p)
		}
		if payloads["0"].Outcome != "woken" || payloads["2"].Outcome != "ignored" || len(h.failed) != 1 {
			t.Errorf("its neighbours: %+v, told %q", payloads, h.failed)
		}
		if err := h.st.Exec(t.Context(), "RENAME TABLE away TO people", nil); err != nil {
			t.Fatal(err)
		}
		if _, got := h.deliver(t, "1", "", body); got.Outcome != "told" {
			t.Errorf("sent again: %+v", got)
		}
		if n := count(t, h.flushed(t), "people FINAL"); n != 1 {
			t.Errorf("%d people", n)
		}
	})
	t.Run("gone", func(t *testing.T) {
		st := storetest.New(t)
		other := storetest.Again(t, st)
		h := newHooks(t, other, ingest.DefaultHooksConfig())
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if status, got := h.tell(t, fmt.Sprint(i), told{People: []string{fmt.Sprint(i)}}); status != 200 {
				t.Errorf("got %d %+v", status, got)
			}
		}
		if err := h.Flush(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v", err)
		}
		if n, bytes := h.Waiting(); n != 20 || bytes < 20*50 {
			t.Errorf("%d webhooks of %d bytes wait, want 20", n, bytes)
		}
		next := newHooksOver(t, st, ingest.DefaultHooksConfig(), h.folder)
		if err := next.Flush(t.Context()); fault.KindOf(err) != fault.Conflict {
			t.Errorf("two hold the journal: %v", err)
		}
		h.Close()
		if n := len(next.kept(t)); n != 20 {
			t.Errorf("%d payloads", n)
		}
		if n, bytes := next.Waiting(); n != 0 || bytes != 0 {
			t.Errorf("%d webhooks of %d bytes wait behind the store, want none", n, bytes)
		}
		if n := count(t, st, "people FINAL"); n != 20 {
			t.Errorf("%d people", n)
		}
	})
}

// A store that stays away fills the journal up to its bound; what is refused then is not kept, and all is well when it is back.
func TestTheJournalHasABound(t *testing.T) {
	cfg := ingest.HooksConfig{MaxBody: 100_000, Keep: time.Hour, Journal: 1 << 20}
	h := newHooks(t, storetest.New(t), cfg)
	if err := h.st.Exec(t.Context(), "RENAME TABLE payloads TO away", nil); err != nil {
		t.Fatal(err)
	}
	padding := bytes.Repeat([]byte(" "), 90_000)
	send := func(i int) int {
		body := append([]byte(`{"ignored":"x"}`), padding...)
		status, _ := h.send(t, "POST", "forge", http.Header{"X-Delivery": {fmt.Sprint(i)}, "X-Hub-Signature-256": {sign(body)}}, bytes.NewReader(body))
		return status
	}
	taken := 0
	for send(taken) == 200 {
		if taken++; taken > 100 {
			t.Fatal("it has no bound")
		}
	}
	if status := send(taken); status != 503 || taken < 8 {
		t.Errorf("%d were taken, then %d", taken, status)
	}
	if err := h.st.Exec(t.Context(), "RENAME TABLE away TO payloads", nil); err != nil {
		t.Fatal(err)
	}
	if n := len(h.kept(t)); n != taken {
		t.Errorf("%d are kept, %d were taken", n, taken)
	}
	for range 30 {
		if status := send(taken); status != 200 {
			t.Fatalf("behind the outage: %d", status)
		}
		taken++
		h.flushed(t)
	}
}

func TestTheCountsOfASecondAreOneInsert(t *testing.T) {
	h := newHooks(t, storetest.New(t), ingest.DefaultHooksConfig())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	for i := range 50 {
		h.tell(t, fmt.Sprint(i), told{Ignored: "nobody spoke"})
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if n := count(t, h.st, "deliveries"); n > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is counted while it runs")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]uint64{"forge said ignored nobody spoke": 50}, h.counts(t)); diff != "" {
		t.Error(diff)
	}
	if n := count(t, h.st, "deliveries"); n > 10 {
		t.Errorf("%d rows were inserted for 50 webhooks", n)
	}
}

func TestWebhooksExpire(t *testing.T) {
	st := storetest.New(t)
	h := newHooks(t, st, ingest.HooksConfig{MaxBody: 1000, Keep: time.Hour, Journal: 1 << 20})
	h.tell(t, "1", told{Ignored: "x"})
	if err := st.Exec(t.Context(), "ALTER TABLE payloads UPDATE expires_at = now() - 1 WHERE 1 SETTINGS mutations_sync = 1", nil); err != nil {
		t.Fatal(err)
	}
	h.tell(t, "2", told{Ignored: "x"})
	if err := st.Exec(t.Context(), "OPTIMIZE TABLE payloads FINAL", nil); err != nil {
		t.Fatal(err)
	}
	// Parts go as a whole, so that no body is written again: the engine drops the one and keeps the other, or both until later.
	if _, is := h.kept(t)["2"]; !is {
		t.Error("what has not expired is gone")
	}
	var ttl string
	if err := st.QueryRow(t.Context(), "SELECT extract(create_table_query, 'TTL [^ ]+') FROM system.tables WHERE database = currentDatabase() AND name = 'payloads'", nil).Scan(&ttl); err != nil || ttl != "TTL expires_at" {
		t.Errorf("got %q, %v", ttl, err)
	}
}

func TestNamesAndLimitsOfWebhooksAreChecked(t *testing.T) {
	st := storetest.New(t)
	scheme, err := signature.GitHub(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg    ingest.HooksConfig
		source string
		says   string
	}{
		"no body":      {ingest.HooksConfig{Keep: time.Hour}, "forge", "hooks.max_body"},
		"no keeping":   {ingest.HooksConfig{MaxBody: 1}, "forge", "hooks.keep"},
		"slash":        {ingest.DefaultHooksConfig(), "a/b", `"a/b"`},
		"without name": {ingest.DefaultHooksConfig(), "", `""`},
	} {
		_, err := ingest.NewHooks(tt.cfg, t.TempDir(), newIntake(t, st), st, map[string]ingest.Receiver{tt.source: &forge{Scheme: scheme}}, time.Now)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
