package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"cairn/ingest"
	"cairn/internal/problem"
	"cairn/internal/store/storetest"
)

func serve(t testing.TB, i *ingest.Intake) string {
	t.Helper()
	s := httptest.NewServer(i.Handler())
	t.Cleanup(func() {
		s.Client().CloseIdleConnections()
		s.Close()
	})
	return s.URL
}

// post returns the status and the answer, which is a Receipt or a Problem.
func post(t testing.TB, url string, body io.Reader, header http.Header) (int, ingest.Receipt, problem.Problem) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url+ingest.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var receipt ingest.Receipt
	var p problem.Problem
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(&receipt)
	} else {
		err = json.NewDecoder(resp.Body).Decode(&p)
		if media := resp.Header.Get("Content-Type"); media != problem.ContentType {
			t.Errorf("got the Content-Type %q", media)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, receipt, p
}

func gzipText(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdText(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

func people(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "{\"type\":\"person\",\"id\":\"p%d\"}\n", i)
	}
	return b.Bytes()
}

func TestEventsComeInManyForms(t *testing.T) {
	st := storetest.New(t)
	url := serve(t, newIntake(t, st))
	for name, tt := range map[string]struct {
		body   string
		header http.Header
		want   ingest.Receipt
	}{
		"one object":    {`{"type":"person","id":"a"}`, http.Header{"Content-Type": {"application/json"}}, ingest.Receipt{Accepted: 1, ByKind: map[string]int{"person": 1}}},
		"array":         {`[{"type":"person","id":"a"},{"type":"team","id":"a"}]`, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, ingest.Receipt{Accepted: 2, ByKind: map[string]int{"person": 1, "team": 1}}},
		"lines":         {string(people(3)), http.Header{"Content-Type": {"application/x-ndjson"}}, ingest.Receipt{Accepted: 3, ByKind: map[string]int{"person": 3}}},
		"plain text":    {string(people(2)), http.Header{"Content-Type": {"text/plain"}}, ingest.Receipt{Accepted: 2, ByKind: map[string]int{"person": 2}}},
		"no type":       {string(people(2)), http.Header{"Content-Type": {""}}, ingest.Receipt{Accepted: 2, ByKind: map[string]int{"person": 2}}},
		"curl":          {string(people(2)), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, ingest.Receipt{Accepted: 2, ByKind: map[string]int{"person": 2}}},
		"gzip":          {string(gzipText(t, people(1000))), http.Header{"Content-Encoding": {"gzip"}}, ingest.Receipt{Accepted: 1000, ByKind: map[string]int{"person": 1000}}},
		"zstd":          {string(zstdText(t, people(1000))), http.Header{"Content-Encoding": {"ZSTD"}}, ingest.Receipt{Accepted: 1000, ByKind: map[string]int{"person": 1000}}},
		"identity":      {string(people(1)), http.Header{"Content-Encoding": {"identity"}}, ingest.Receipt{Accepted: 1, ByKind: map[string]int{"person": 1}}},
		"no events":     {"", nil, ingest.Receipt{ByKind: map[string]int{}}},
		"no events, []": {"[]", nil, ingest.Receipt{ByKind: map[string]int{}}},
	} {
		t.Run(name, func(t *testing.T) {
			status, got, p := post(t, url, strings.NewReader(tt.body), tt.header)
			if status != http.StatusOK {
				t.Fatalf("got %d: %+v", status, p)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if n := count(t, st, "people FINAL"); n != 1001 { // a and p0 to p999
		t.Errorf("got %d people", n)
	}
}

func TestRefusals(t *testing.T) {
	st := storetest.New(t)
	cfg := ingest.DefaultConfig()
	cfg.MaxBody, cfg.MaxCompressed, cfg.MaxEvents = 100_000, 10_000, 1000
	i, err := ingest.New(cfg, st)
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, i)
	long := bytes.Repeat([]byte(" "), 100_001)
	gz := http.Header{"Content-Encoding": {"gzip"}}
	zs := http.Header{"Content-Encoding": {"zstd"}}
	for name, tt := range map[string]struct {
		body   io.Reader
		header http.Header
		status int
		detail string
	}{
		"too long, said before":       {bytes.NewReader(long), nil, 413, "more than 100000 bytes (ingest.max_body)"},
		"too long, seen on the way":   {io.MultiReader(bytes.NewReader(long)), nil, 413, "more than 100000 bytes (ingest.max_body)"},
		"too long, in an array":       {io.MultiReader(strings.NewReader("["), bytes.NewReader(long)), nil, 413, "ingest.max_body"},
		"too long packed":             {bytes.NewReader(make([]byte, 10_001)), gz, 413, "more than 10000 bytes (ingest.max_compressed)"},
		"too long packed, on the way": {io.MultiReader(bytes.NewReader(gzipText(t, random(900)))), gz, 413, "ingest.max_compressed"},
		"gzip bomb":                   {bytes.NewReader(gzipText(t, bytes.Repeat(long, 50))), gz, 413, "more than 100000 bytes when it is unpacked (ingest.max_body)"},
		"zstd bomb":                   {bytes.NewReader(zstdText(t, bytes.Repeat(long, 50))), zs, 413, "when it is unpacked (ingest.max_body)"},
		"too many":                    {bytes.NewReader(people(1001)), nil, 413, "at most 1000 events (ingest.max_events)"},
		"unknown coding":              {bytes.NewReader(people(1)), http.Header{"Content-Encoding": {"br"}}, 415, `Content-Encoding "br": gzip, zstd and identity`},
		"two codings":                 {bytes.NewReader(people(1)), http.Header{"Content-Encoding": {"gzip", "zstd"}}, 415, "gzip, zstd and identity"},
		"unknown type":                {bytes.NewReader(people(1)), http.Header{"Content-Type": {"text/csv"}}, 415, `Content-Type "text/csv"`},
		"no type at all":              {bytes.NewReader(people(1)), http.Header{"Content-Type": {";;"}}, 415, "Content-Type"},
		"not gzip":                    {bytes.NewReader(people(1)), gz, 400, "the gzip data is damaged"},
		"not zstd":                    {bytes.NewReader(people(1)), zs, 400, "the zstd data is damaged"},
		"gzip of nothing":             {strings.NewReader(""), gz, 400, "the gzip data ends in the middle"},
		"gzip cut off":                {bytes.NewReader(gzipText(t, people(100))[:100]), gz, 400, "the gzip data ends in the middle"},
		"zstd cut off":                {bytes.NewReader(zstdText(t, people(100))[:100]), zs, 400, "the zstd data ends in the middle"},
		"one bad event":               {strings.NewReader(string(people(3)) + `{"type":"person"}`), nil, 400, "nothing was stored: line 4: person /id: expected a string"},
		"not JSON":                    {strings.NewReader("id,name\n1,ada"), nil, 400, "line 1, column 1: got id,name, expected one event as a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, p := post(t, url, tt.body, tt.header)
			if status != tt.status || p.Status != tt.status || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("got %d %q, want %d %q", status, p.Detail, tt.status, tt.detail)
			}
		})
	}
	if n := count(t, st, "people"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
	if status, _, p := post(t, url, bytes.NewReader(gzipText(t, people(1000))), gz); status != 200 {
		t.Errorf("within the limits: got %d, %v", status, p)
	}
}

// random is people whose names no packer makes much shorter.
func random(n int) []byte {
	var b bytes.Buffer
	x := uint32(1)
	for range n {
		b.WriteString(`{"type":"person","id":"`)
		for range 10 {
			x = x*1664525 + 1013904223
			fmt.Fprintf(&b, "%04x", x>>16)
		}
		b.WriteString("\"}\n")
	}
	return b.Bytes()
}

func TestRefusalListsEveryFault(t *testing.T) {
	url := serve(t, newIntake(t, storetest.New(t)))
	body := `{"type":"person","id":"a","nmae":"Ada"}
{"type":"person","id":"b"}
{"type":"deployment","service":"s","id":"1","environment":"prod","status":"done","finished_at":"2026-03-01"}`
	_, _, p := post(t, url, strings.NewReader(body), nil)
	var got []string
	for _, e := range p.Errors {
		got = append(got, fmt.Sprintf("%d %s %s %s", e.Line, e.Type, e.Field, e.Value))
	}
	want := []string{"1 person /nmae ", `3 deployment /status "done"`, `3 deployment /finished_at "2026-03-01"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(p.Detail, "nothing was stored: 3 faults in the events, the first: line 1: person /nmae: ") || p.Instance != ingest.Path {
		t.Errorf("got %+v", p)
	}
	_, _, p = post(t, url, strings.NewReader(strings.Repeat("{}\n", 1000)), nil)
	if len(p.Errors) != 100 || !strings.HasSuffix(p.Detail, "nothing behind the last one was read") {
		t.Errorf("got %d errors, %q", len(p.Errors), p.Detail)
	}
}

func TestOnlyPost(t *testing.T) {
	w := httptest.NewRecorder()
	newIntake(t, storetest.New(t)).Handler().ServeHTTP(w, httptest.NewRequest("GET", ingest.Path, nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("got %d, %v", w.Code, w.Header())
	}
}

func TestAStoreThatIsGoneIsUnavailable(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	if err := st.Exec(context.Background(), "DROP TABLE people", nil); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, httptest.NewRequest("POST", ingest.Path, bytes.NewReader(people(1))))
	if w.Code < 500 {
		t.Errorf("got %d: %s", w.Code, w.Body)
	}
}

func TestAClientThatGoesAwayStopsItsRequest(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	for coding, text := range map[string][]byte{"": people(10), "gzip": gzipText(t, people(10))[:40], "zstd": zstdText(t, people(10))[:40]} {
		ctx, cancel := context.WithCancel(context.Background())
		r, w := io.Pipe()
		go func() {
			_, _ = w.Write(text)
			cancel()
			w.CloseWithError(errors.New("connection reset by peer"))
		}()
		answer := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(ctx, "POST", ingest.Path, r)
		req.Header.Set("Content-Encoding", coding)
		i.Handler().ServeHTTP(answer, req)
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("%q: got %d: %s", coding, answer.Code, answer.Body)
		}
	}
	if n := count(t, st, "people"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}
