package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
)

func write(err error) *http.Response {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/api/v1/events?x=1", nil)
	w.Header().Set("Content-Encoding", "gzip")
	Write(w, r, err)
	resp := w.Result()
	resp.Request = &http.Request{URL: &url.URL{Host: "cairn.example.org"}}
	return resp
}

func TestKindsBecomeAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		want  Problem
		retry string
	}{
		"invalid": {
			fault.New(fault.Invalid, "from is after to"),
			Problem{Type: "urn:cairn:problem:bad-request", Title: "Bad Request", Status: 400, Detail: "from is after to"}, ""},
		"wrapped": {
			fmt.Errorf("metrics.Series: %w", fault.New(fault.NotFound, "no metric %q", "x")),
			Problem{Type: "urn:cairn:problem:not-found", Title: "Not Found", Status: 404, Detail: `metrics.Series: no metric "x"`}, ""},
		"too large": {
			fault.New(fault.TooLarge, "more than 64 MiB"),
			Problem{Type: "urn:cairn:problem:request-entity-too-large", Title: "Request Entity Too Large", Status: 413, Detail: "more than 64 MiB"}, ""},
		"unavailable": {
			fault.New(fault.Unavailable, "the store is down"),
			Problem{Type: "urn:cairn:problem:service-unavailable", Title: "Service Unavailable", Status: 503, Detail: "the store is down"}, "2"},
		"internal stays inside": {
			errors.New("password=hunter2"),
			Problem{Type: "urn:cairn:problem:internal-server-error", Title: "Internal Server Error", Status: 500, Detail: "cairn made a mistake; its log says more"}, ""},
		"a problem of its own": {
			fmt.Errorf("ingest: %w", &Problem{Status: 415, Detail: "brotli is not understood", Errors: []Item{{Line: 3, Field: "/x", Expected: "y"}}}),
			Problem{Type: "urn:cairn:problem:unsupported-media-type", Title: "Unsupported Media Type", Status: 415, Detail: "brotli is not understood",
				Errors: []Item{{Line: 3, Field: "/x", Expected: "y"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp := write(tt.err)
			var got Problem
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			tt.want.Instance = "/api/v1/events"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if resp.StatusCode != tt.want.Status || resp.Header.Get("Retry-After") != tt.retry {
				t.Errorf("got status %d, Retry-After %q, want %d, %q", resp.StatusCode, resp.Header.Get("Retry-After"), tt.want.Status, tt.retry)
			}
			if got := resp.Header.Get("Content-Type") + resp.Header.Get("Content-Encoding"); got != ContentType {
				t.Errorf("got the headers %q", got)
			}
		})
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	index := 3
	for _, kind := range []fault.Kind{fault.Invalid, fault.NotFound, fault.Denied, fault.Conflict, fault.TooLarge, fault.Unavailable} {
		err := Read(write(fault.New(kind, "something about %s", kind)))
		if got := fault.KindOf(err); got != kind || err.Error() != "something about "+kind.String() {
			t.Errorf("got %s: %v, want %s", got, err, kind)
		}
	}
	want := []Item{{Line: 1, Column: 2, Index: &index, Type: "slo", Field: "/good", Value: "3", Expected: "at most 2"}}
	got, ok := errors.AsType[*Problem](Read(write(&Problem{Status: 400, Errors: want})))
	if !ok {
		t.Fatal("the problem is lost")
	}
	if diff := cmp.Diff(want, got.Errors); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersOfOthersAreReadToo(t *testing.T) {
	for _, tt := range []struct {
		status  int
		media   string
		body    string
		kind    fault.Kind
		message string
	}{
		{502, "text/html", "<h1>Bad Gateway</h1>", fault.Unavailable, "cairn.example.org answered 502 Bad Gateway: <h1>Bad Gateway</h1>"},
		{401, "", "", fault.Denied, "cairn.example.org answered 401 Unauthorized"},
		{429, "text/plain", "slow down", fault.Unavailable, "cairn.example.org answered 429 Too Many Requests: slow down"},
		{415, "text/plain", "what?", fault.Invalid, "cairn.example.org answered 415 Unsupported Media Type: what?"},
		{500, ContentType, "{broken", fault.Internal, "cairn.example.org answered 500 Internal Server Error: {broken"},
		{404, ContentType + "; charset=utf-8", `{"title":"gone"}`, fault.NotFound, "gone"},
		{400, "text/plain", strings.Repeat("x", 1000), fault.Invalid, "cairn.example.org answered 400 Bad Request: " + strings.Repeat("x", 200)},
	} {
		err := Read(&http.Response{
			StatusCode: tt.status, Status: fmt.Sprint(tt.status, " ", http.StatusText(tt.status)), Header: http.Header{"Content-Type": {tt.media}},
			Body: io.NopCloser(bytes.NewBufferString(tt.body)), Request: &http.Request{URL: &url.URL{Host: "cairn.example.org"}},
		})
		if fault.KindOf(err) != tt.kind || err.Error() != tt.message {
			t.Errorf("%d: got %s: %v, want %s: %s", tt.status, fault.KindOf(err), err, tt.kind, tt.message)
		}
	}
}
