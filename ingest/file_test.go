package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/store/storetest"
)

// within is a transport that answers in the process.
type within struct{ handler http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func client(i *ingest.Intake, pack bool) ingest.Client {
	return ingest.Client{HTTP: &http.Client{Transport: within{i.Handler()}}, Base: "http://cairn.local/", Pack: pack}
}

// pieces is a Sender that keeps what it is sent.
type pieces struct {
	events  []int
	text    bytes.Buffer
	failAt  int
	failure error
}

func (p *pieces) Send(_ context.Context, ndjson []byte) error {
	if p.failure != nil && len(p.events) == p.failAt {
		return p.failure
	}
	p.events = append(p.events, bytes.Count(ndjson, []byte("\n")))
	p.text.Write(ndjson)
	return nil
}

func fileOf(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileIsSentInPieces(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	text := people(25_000)
	array := []byte("[\n" + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ",\n") + "\n]")
	for name, path := range map[string]string{
		"lines":       fileOf(t, "events.ndjson", text),
		"array":       fileOf(t, "events.json", array),
		"gzip":        fileOf(t, "events.ndjson.gz", gzipText(t, text)),
		"zstd":        fileOf(t, "events", zstdText(t, array)),
		"stdin":       "-",
		"packed in -": "-",
	} {
		t.Run(name, func(t *testing.T) {
			stdin := text
			if name == "packed in -" {
				stdin = gzipText(t, text)
			}
			var got pieces
			var last ingest.Progress
			n, err := ingest.File(t.Context(), path, bytes.NewReader(stdin), &got, func(p ingest.Progress) { last = p })
			if err != nil || n != 25_000 {
				t.Fatalf("got %d, %v", n, err)
			}
			if diff := cmp.Diff([]int{10_000, 10_000, 5_000}, got.events); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(text, got.text.Bytes()) {
				t.Error("what was sent is not what the file says")
			}
			if want := (ingest.Progress{Checked: 25_000, Sent: 25_000, Total: 25_000}); last != want {
				t.Errorf("got the progress %+v, want %+v", last, want)
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "cairn-ingest-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

func TestLongEventsMakeSmallPieces(t *testing.T) {
	line := `{"type":"person","id":"x","aliases":["` + strings.Repeat(strings.Repeat("a", 4000)+`","`, 500) + `a"]}` + "\n"
	var got pieces
	n, err := ingest.File(t.Context(), fileOf(t, "long", []byte(strings.Repeat(line, 12))), nil, &got, nil)
	if err != nil || n != 12 {
		t.Fatalf("got %d, %v", n, err)
	}
	if diff := cmp.Diff([]int{5, 5, 2}, got.events); diff != "" {
		t.Error(diff)
	}
}

func TestOneBadEventRefusesTheWholeFile(t *testing.T) {
	good := string(people(12_000))
	for name, tt := range map[string]struct {
		text    []byte
		message string
	}{
		"bad event":      {[]byte(good + `{"type":"person","id":""}` + "\n" + good), "line 12001: person /id"},
		"cut off":        {[]byte(good + `{"type":"person","i`), "line 12001, column 20: person: expected the rest of the event: the input ends in the middle of it"},
		"cut off array":  {[]byte("[" + strings.ReplaceAll(good, "\n", ",\n")), "expected the rest of the array: the input ends in the middle of it"},
		"cut off gzip":   {gzipText(t, []byte(good))[:20_000], "the gzip data ends in the middle: it is cut off"},
		"no such events": {[]byte("hello"), "line 1, column 1: got hello"},
	} {
		t.Run(name, func(t *testing.T) {
			var sent pieces
			_, err := ingest.File(t.Context(), fileOf(t, "events", tt.text), nil, &sent, nil)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.message) || !strings.HasPrefix(err.Error(), "nothing of ") {
				t.Errorf("got %v, want %q", err, tt.message)
			}
			if len(sent.events) > 0 {
				t.Errorf("%v events were sent", sent.events)
			}
		})
	}
	_, err := ingest.File(t.Context(), fileOf(t, "events", []byte(`{"type":"person","id":""}`)), nil, &pieces{}, nil)
	if bad, ok := errors.AsType[*event.Errors](err); !ok || len(bad.List) != 1 {
		t.Errorf("the list of faults is lost: %v", err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	if _, err := ingest.File(t.Context(), filepath.Join(t.TempDir(), "x"), nil, &pieces{}, nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := ingest.File(t.Context(), t.TempDir(), nil, &pieces{}, nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("got %v", err)
	}
}

func TestSendingThatBreaksOffSaysHowFarItCame(t *testing.T) {
	path := fileOf(t, "events", people(25_000))
	to := pieces{failAt: 2, failure: fault.New(fault.Unavailable, "cairn cannot be reached")}
	_, err := ingest.File(t.Context(), path, nil, &to, nil)
	if fault.KindOf(err) != fault.Unavailable || !strings.HasPrefix(err.Error(), "after 20000 of 25000 events of "+path) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ingest.File(ctx, path, nil, &to, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := ingest.File(ctx, "-", strings.NewReader("x"), &to, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAFileReachesTheStore(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	path := fileOf(t, "events", people(12_345))
	for name, to := range map[string]ingest.Sender{"plain": client(i, false), "packed": client(i, true), "without HTTP": i} {
		if _, err := ingest.File(t.Context(), path, nil, to, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := count(t, st, "people FINAL"); n != 12_345 { // sent again, stored once
			t.Errorf("%s: got %d people", name, n)
		}
	}
}

func TestTheClientReadsRefusals(t *testing.T) {
	i := newIntake(t, storetest.New(t))
	for _, to := range []ingest.Sender{client(i, false), i} {
		err := to.Send(t.Context(), []byte(`{"type":"person"}`))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "person /id") {
			t.Errorf("got %v", err)
		}
	}
	nobody := ingest.Client{HTTP: &http.Client{Transport: broken{}}, Base: "http://127.0.0.1:1"}
	if err := nobody.Send(t.Context(), people(1)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
