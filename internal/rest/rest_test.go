package rest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rest"
)

func TestAnswersAreFaultsWithASentence(t *testing.T) {
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	at, err := rest.Address("url", server.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	api := rest.API{Name: "ops", System: "Pager", Key: "key", Base: at, Client: server.Client(), Needs: "the role Viewer"}
	for _, tc := range []struct {
		status int
		body   string
		want   fault.Kind
		says   string
	}{
		{401, "", fault.Denied, "refuses the key"},
		{403, "", fault.Denied, "needs the role Viewer"},
		{404, "", fault.NotFound, "has no incidents"},
		{204, "", fault.NotFound, "has no incidents"},
		{429, "", fault.Unavailable, "limit"},
		{502, "", fault.Unavailable, "later"},
		{400, "since is wrong", fault.Internal, "since is wrong"},
		{200, "[", fault.Unavailable, "cut off"},
		{200, `{"a": "x"}`, fault.Internal, "another form"},
		{200, `{"t": "x"}`, fault.Internal, "another form"},
	} {
		status, body = tc.status, tc.body
		var into struct {
			A int
			T time.Time
		}
		err := api.Get(t.Context(), "incidents", nil, &into)
		if fault.KindOf(err) != tc.want || !strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "ops: ") {
			t.Errorf("%d %s is %v: %v", tc.status, tc.body, fault.KindOf(err), err)
		}
		if errors.Is(err, rest.ErrRefused) != (status == 401) || errors.Is(err, rest.ErrBadRequest) != (status == 400) {
			t.Errorf("of %d, a program cannot tell what it is: %#v", status, err)
		}
	}
	for _, text := range []string{"", "api.example.com", "ftp://x", "https://u:p@x", "https://x?a=b"} {
		if _, err := rest.Address("url", text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q is taken for an address", text)
		}
	}
}

type breaks struct{ err error }

func (b breaks) Read([]byte) (int, error) { return 0, b.err }

func (b breaks) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(b)}, nil
}

func TestAnAnswerThatIsTooLargeSaysSo(t *testing.T) {
	at, err := rest.Address("url", "https://api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []fault.Kind{fault.TooLarge, fault.Unavailable} {
		api := rest.API{Name: "ops", System: "Pager", Base: at, Client: &http.Client{Transport: breaks{fault.New(want, "so it is")}}}
		if err := api.Get(t.Context(), "incidents", nil, &struct{}{}); fault.KindOf(err) != want {
			t.Errorf("%v became %v: %v", want, fault.KindOf(err), err)
		}
		if body, err := api.Read(t.Context(), "incidents", nil); fault.KindOf(err) != want || body != nil {
			t.Errorf("%v became %v when it was read: %v", want, fault.KindOf(err), err)
		}
	}
}

func TestACredentialGoesToItsHostAlone(t *testing.T) {
	var other string
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other = r.Header.Get("Authorization") }))
	t.Cleanup(stranger.Close)
	var own, cookie string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, cookie = r.Header.Get("Authorization"), r.Header.Get("Cookie")
		http.Redirect(w, r, stranger.URL, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	at, err := rest.Address("url", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(at, []*http.Cookie{{Name: "session", Value: "s"}})
	client := &http.Client{Jar: jar, Transport: &rest.Credential{Header: "Authorization", Value: "Bearer k", At: at, Next: http.DefaultTransport}}
	_ = rest.API{Name: "ops", System: "Pager", Key: "key", Base: at, Client: client}.Get(t.Context(), "incidents", nil, &struct{}{})
	if own != "Bearer k" || other != "" || cookie != "" {
		t.Errorf("its own host got %q and the cookie %q, another one %q", own, cookie, other)
	}
}
