package collectors

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// system is what a transport speaks to.
type system func(*http.Request) (*http.Response, error)

func (s system) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

// reply is an answer; headers are name and value in turn.
func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}

// in returns the instant d from now as GitHub writes it.
func in(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// testTransport is a transport with default settings in the time of the bubble, and no chance.
func testTransport(next http.RoundTripper) *Transport {
	cfg := DefaultTransportConfig()
	cfg.Next = next
	cfg.Jitter = func() float64 { return 0.5 }
	return NewTransport(cfg)
}

// fetch sends a request and reads the answer.
func fetch(ctx context.Context, t *Transport, method, address, body string, headers ...string) (*http.Response, string, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

const pulls = "https://api.github.com/repos/acme/shop/pulls?state=all&secret=s3cret"

// step is one attempt as the system sees it.
type step func(*http.Request) (*http.Response, error)

func answers(status int, body string, headers ...string) step {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, headers...), nil }
}

func breaks(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// cut is an answer whose body ends too early.
func cut(told int64, end error) step {
	return func(*http.Request) (*http.Response, error) {
		res := reply(200, "")
		res.ContentLength, res.Body = told, io.NopCloser(io.MultiReader(strings.NewReader(`{"a":`), failing{end}))
		return res, nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// slow answers nothing until the attempt is given up.
func slow(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestWhatFailedForAMomentIsSentAgain(t *testing.T) {
	refused := errors.New("connection refused")
	const good = `{"n":1}`
	for _, tc := range []struct {
		name    string
		method  string
		header  string // one more
		body    string
		steps   []step
		status  int
		kind    fault.Kind // when the status is 0
		message string     // of that error
		sent    int
		pauses  string // in the sleep of the transport
	}{
		{"at first", "GET", "", "", []step{answers(200, good)}, 200, 0, "", 1, "[]"},
		{"a gateway", "GET", "", "", []step{answers(502, "x"), answers(503, ""), answers(504, ""), answers(408, ""), answers(200, good)}, 200, 0, "", 5, "[250ms 500ms 1s 2s]"},
		{"Cloudflare", "GET", "", "", []step{answers(522, "x"), answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"an error of the server", "GET", "", "", []step{answers(500, "oh"), answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"an error of the server that stays", "GET", "", "", []step{answers(500, "oh"), answers(500, "oh"), answers(500, "last"), answers(200, good)}, 500, 0, "", 3, "[250ms 500ms]"},
		{"a gateway that stays", "GET", "", "", []step{answers(502, ""), answers(502, ""), answers(502, ""), answers(502, ""), answers(503, "last"), answers(200, good)}, 503, 0, "", 5, "[250ms 500ms 1s 2s]"},
		{"the network", "GET", "", "", []step{breaks(refused), answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"the network, for good", "GET", "", "", []step{breaks(&url.Error{Op: "Get", URL: pulls, Err: refused}), breaks(refused), breaks(refused), breaks(refused), breaks(&url.Error{Op: "Get", URL: pulls, Err: refused})}, 0, fault.Unavailable,
			"GET api.github.com/repos/acme/shop/pulls: no usable answer after 5 attempts: connection refused", 5, "[250ms 500ms 1s 2s]"},
		{"a body that is cut", "GET", "", "", []step{cut(-1, io.ErrUnexpectedEOF), answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"a body that is short", "GET", "", "", []step{cut(900, io.EOF), answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"a body that is no JSON", "GET", "", "", []step{cut(-1, io.EOF), answers(200, "", "Content-Type", "application/vnd.github+json"), answers(200, good)}, 200, 0, "", 3, "[250ms 500ms]"},
		{"a body that stays cut", "GET", "", "", []step{cut(900, io.EOF), cut(-1, io.EOF), cut(-1, io.EOF), cut(-1, io.EOF), cut(900, io.EOF)}, 0, fault.Unavailable,
			"GET api.github.com/repos/acme/shop/pulls: no usable answer after 5 attempts: it broke off after 5 of 900 bytes", 5, "[250ms 500ms 1s 2s]"},
		{"text that is no JSON", "GET", "", "", []step{answers(200, "{", "Content-Type", "text/plain")}, 200, 0, "", 1, "[]"},
		{"an error that is no JSON", "GET", "", "", []step{answers(404, "{")}, 404, 0, "", 1, "[]"},
		{"a slow page", "GET", "", "", []step{slow, answers(200, good)}, 200, 0, "", 2, "[250ms]"},
		{"a page that stays slow", "GET", "", "", []step{slow, slow, slow, slow, slow}, 0, fault.Unavailable,
			"GET api.github.com/repos/acme/shop/pulls: no usable answer after 5 attempts: it did not come within 1m0s", 5, "[250ms 500ms 1s 2s]"},
		{"a head", "HEAD", "", "", []step{breaks(refused), answers(200, "")}, 200, 0, "", 2, "[250ms]"},
		{"a request that changes something", "POST", "", good, []step{answers(502, "x"), answers(200, good)}, 502, 0, "", 1, "[]"},
		{"a request that changes something, the network", "POST", "", good, []step{breaks(refused)}, 0, fault.Unavailable,
			"POST api.github.com/repos/acme/shop/pulls: no usable answer after 1 attempt: connection refused", 1, "[]"},
		{"a query", "POST", ReadOnlyHeader, good, []step{answers(502, "x"), breaks(refused), answers(200, good)}, 200, 0, "", 3, "[250ms 500ms]"},
		{"not found", "GET", "", "", []step{answers(404, "{}"), answers(200, good)}, 404, 0, "", 1, "[]"},
		{"no right", "GET", "", "", []step{answers(403, `{"message":"Resource not accessible by integration"}`, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "59", "X-RateLimit-Reset", "1"), answers(200, good)}, 403, 0, "", 1, "[]"},
		{"blocked for abuse", "GET", "", "", []step{answers(403, `{"message":"Repository access blocked","block":{"reason":"abuse"}}`), answers(200, good)}, 403, 0, "", 1, "[]"},
		{"asked to wait", "GET", "", "", []step{answers(503, "", "Retry-After", "7"), answers(200, good)}, 200, 0, "", 2, "[7.25s]"},
		{"asked to wait until", "GET", "", "", []step{answers(503, "", "Date", "Mon, 02 Jan 2006 15:04:05 GMT", "Retry-After", "Mon, 02 Jan 2006 15:04:15 GMT"), answers(200, good)}, 200, 0, "", 2, "[10.25s]"},
		{"asked to wait too long", "GET", "", "", []step{answers(503, "maintenance", "Retry-After", "3600"), answers(200, good)}, 503, 0, "", 1, "[]"},
		{"too large", "GET", "", "", []step{answers(200, strings.Repeat("x", 1001), "Content-Type", "text/plain"), answers(200, good)}, 0, fault.TooLarge,
			"GET api.github.com/repos/acme/shop/pulls: the answer is larger than the 1000 bytes that are taken; ask for fewer things at once", 1, "[]"},
		{"as large as may be", "GET", "", "", []step{answers(200, strings.Repeat("x", 1000), "Content-Type", "text/plain")}, 200, 0, "", 1, "[]"},
		{"no credential", "GET", "", "", []step{breaks(fault.New(fault.Denied, "the key is refused")), answers(200, good)}, 0, fault.Denied, "the key is refused", 1, "[]"},
		{"a wrong certificate", "GET", "", "", []step{breaks(&tls.CertificateVerificationError{Err: errors.New("expired")}), answers(200, good)}, 0, fault.Internal, "tls: failed to verify certificate: expired", 1, "[]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				pauses := []time.Duration{}
				next := system(func(req *http.Request) (*http.Response, error) {
					if req.Header.Get(ReadOnlyHeader) != "" {
						t.Errorf("the header %s is sent", ReadOnlyHeader)
					}
					if tc.body != "" {
						if b, err := io.ReadAll(req.Body); string(b) != tc.body || err != nil {
							t.Errorf("attempt %d sends %q, %v, want %q", sent+1, b, err, tc.body)
						}
					}
					sent++
					return tc.steps[sent-1](req)
				})
				transport := testTransport(next)
				transport.cfg.MaxBody = 1000
				transport.cfg.Sleep = func(ctx context.Context, d time.Duration) error {
					pauses = append(pauses, d)
					return sleep(ctx, d)
				}
				res, _, err := fetch(t.Context(), transport, tc.method, pulls, tc.body, tc.header, "1")
				if err != nil {
					res = &http.Response{}
					if got := fault.KindOf(err); got != tc.kind {
						t.Errorf("kind of the error is %s, want %s: %v", got, tc.kind, err)
					}
					if got := errors.Unwrap(err).Error(); got != tc.message {
						t.Errorf("error is %q, want %q", got, tc.message)
					}
				}
				if res.StatusCode != tc.status {
					t.Errorf("status is %d, want %d (error %v)", res.StatusCode, tc.status, err)
				}
				if sent != tc.sent {
					t.Errorf("sent %d times, want %d", sent, tc.sent)
				}
				if got := fmt.Sprint(pauses); got != tc.pauses {
					t.Errorf("pauses are %s, want %s", got, tc.pauses)
				}
			})
		})
	}
}

func TestBodyThatARealServerCutsIsReadAgain(t *testing.T) {
	var sent atomic.Int64
	const whole = `{"commits":["a","b","c"]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch sent.Add(1) {
		case 1: // of a known length
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			_, _ = io.WriteString(w, whole[:9])
			panic(http.ErrAbortHandler)
		case 2: // in chunks
			_, _ = io.WriteString(w, whole[:9])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, whole)
	}))
	defer server.Close()
	cfg := DefaultTransportConfig()
	cfg.Sleep = func(context.Context, time.Duration) error { return nil }
	transport := NewTransport(cfg)
	defer transport.CloseIdleConnections()
	_, got, err := fetch(t.Context(), transport, "GET", server.URL, "")
	if err != nil || got != whole || sent.Load() != 3 {
		t.Errorf("got %q, error %v after %d requests; want %q after 3", got, err, sent.Load(), whole)
	}
}

func TestRefusalBecauseOfALimitStopsRequestsForAsLongAsItSays(t *testing.T) {
	for _, tc := range []struct {
		name     string
		path     string
		refusal  func() *http.Response
		resource string
		waits    time.Duration // until it is sent again, without the half second of jitter; 0: it ends as Limited
		until    time.Duration // from now, if it is
	}{
		{"GitHub, used up for an hour", "/repos/a/b/pulls", func() *http.Response {
			return reply(403, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "core")
		}, "core", 0, time.Hour},
		{"GitHub, used up, 429", "/search/issues", func() *http.Response {
			return reply(429, `{}`, "X-RateLimit-Limit", "30", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(20*time.Second), "X-RateLimit-Resource", "search")
		}, "search", 20 * time.Second, 0},
		{"GitHub, used up, its clock is an hour ahead", "/repos/a/b/pulls", func() *http.Response {
			return reply(403, `{}`, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(time.Hour+20*time.Second), "Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		}, "", 20 * time.Second, 0},
		{"GitHub, secondary, by header", "/repos/a/b/pulls", func() *http.Response {
			return reply(403, `{}`, "Retry-After", "12", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "core")
		}, "core", 12 * time.Second, 0},
		{"GitHub, secondary, by text", "/repos/a/b/pulls", func() *http.Response {
			return reply(403, `{"message":"You have exceeded a secondary rate limit."}`)
		}, "core", 0, time.Minute},
		{"GitHub, secondary, by its old text", "/repos/a/b/pulls", func() *http.Response {
			return reply(429, `{"message":"You have triggered an Abuse Detection mechanism."}`)
		}, "core", 0, time.Minute},
		{"GitHub, GraphQL", "/graphql", func() *http.Response {
			return reply(200, `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "graphql")
		}, "graphql", 0, time.Hour},
		{"GitLab", "/api/v4/projects/7/merge_requests", func() *http.Response {
			return reply(429, `Retry later`, "Content-Type", "text/plain", "RateLimit-Limit", "2000", "RateLimit-Remaining", "0", "RateLimit-Reset", in(24*time.Second), "Retry-After", "24")
		}, "", 24 * time.Second, 0},
		{"GitLab, without headers", "/api/v4/projects/7/merge_requests", func() *http.Response {
			return reply(429, `Retry later`, "Content-Type", "text/plain")
		}, "core", 5 * time.Second, 0},
		{"seconds from now", "/x", func() *http.Response {
			return reply(429, `{}`, "RateLimit-Limit", "100, 100;w=60", "RateLimit-Remaining", "0", "RateLimit-Reset", "9")
		}, "", 9 * time.Second, 0},
		{"a date", "/x", func() *http.Response {
			return reply(429, `{}`, "Retry-After", time.Now().Add(8*time.Second).UTC().Format(http.TimeFormat))
		}, "core", 8 * time.Second, 0},
		{"at once", "/x", func() *http.Response { return reply(429, `{}`, "Retry-After", "0") }, "core", time.Second, 0},
		{"a reset that has passed", "/x", func() *http.Response {
			return reply(403, `{}`, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(-time.Minute))
		}, "", 5 * time.Second, 0},
		{"a reset in a thousand years", "/x", func() *http.Response {
			return reply(403, `{}`, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "99999999999")
		}, "", 0, 24 * time.Hour},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tc.name+", "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := 0
					transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
						if sent++; sent == 1 {
							res := tc.refusal()
							res.Request = req
							return res, nil
						}
						return reply(200, "{}"), nil
					}))
					began := time.Now()
					res, _, err := fetch(t.Context(), transport, method, "https://forge.test"+tc.path, "")
					if method == "GET" && tc.waits > 0 {
						if err != nil || res.StatusCode != 200 || sent != 2 {
							t.Fatalf("error is %v after %d requests, want the second answer", err, sent)
						}
						if got := time.Since(began); got != tc.waits+spread/2 {
							t.Errorf("waited %s, want %s", got, tc.waits+spread/2)
						}
						return
					}
					want := tc.until + tc.waits
					limited, ok := errors.AsType[*Limited](err)
					if !ok || sent != 1 {
						t.Fatalf("error is %v after %d requests, want Limited after 1", err, sent)
					}
					if got := limited.Until.Sub(began); got != want || limited.Resource != tc.resource || limited.Host != "forge.test" {
						t.Errorf("limited for %s on %q of %s, want %s on %q", got, limited.Resource, limited.Host, want, tc.resource)
					}
					if got := fault.KindOf(err); got != fault.Unavailable {
						t.Errorf("kind is %s, want unavailable", got)
					}
					if _, _, err := fetch(t.Context(), transport, method, "https://forge.test"+tc.path, ""); tc.until > 0 && (err == nil || sent != 1) {
						t.Errorf("the next one: error %v, %d requests; want that nothing is sent", err, sent)
					}
				})
			})
		}
	}
}

func TestLimitedSaysWhatAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			return reply(200, "{}", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "250", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "core"), nil
		}))
		if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
			t.Fatal(err)
		}
		_, _, err := fetch(t.Context(), transport, "GET", pulls, "")
		limited, ok := errors.AsType[*Limited](err)
		if !ok {
			t.Fatalf("error is %v, want Limited", err)
		}
		const want = "api.github.com takes no more core requests until 2000-01-01 01:00:00 UTC: 250 of 5000 are left in its window, and 250 are left to others"
		if got := limited.Error(); got != want {
			t.Errorf("error is %q, want %q", got, want)
		}
	})
}

func TestRefusalsWithoutHeadersWaitLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Duration
		began := time.Now()
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			sent = append(sent, time.Since(began))
			return reply(429, "{}"), nil
		}))
		_, _, err := fetch(t.Context(), transport, "GET", pulls, "")
		limited, ok := errors.AsType[*Limited](err)
		if !ok || time.Until(limited.Until) != 20*time.Second {
			t.Errorf("error is %v, want Limited for the 20 seconds after those of 5 and 10", err)
		}
		if got, want := fmt.Sprint(sent), "[0s 5.5s 16s]"; got != want {
			t.Errorf("sent at %s, want %s", got, want)
		}
	})
}

// counting is a system that counts requests in windows, as GitHub does.
type counting struct {
	mu       sync.Mutex
	limit    int
	every    time.Duration
	resource string
	latency  time.Duration

	window time.Time
	used   int
	over   int         // requests beyond the limit
	least  int         // smallest remainder that was told
	at     []time.Time // of all requests
}

func (s *counting) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := time.Now()
	s.at = append(s.at, now)
	if now.Sub(s.window) >= s.every {
		s.window, s.used, s.least = now, 0, s.limit
	}
	s.used++
	left := s.limit - s.used
	status := 200
	if left < 0 {
		s.over++
		left, status = 0, 403
	}
	s.least = min(s.least, left)
	reset := strconv.FormatInt(s.window.Add(s.every).Unix(), 10)
	latency := s.latency/2 + time.Duration(rand.Int64N(int64(s.latency)+1))
	s.mu.Unlock()
	time.Sleep(latency)
	return reply(status, "{}", "X-RateLimit-Limit", strconv.Itoa(s.limit), "X-RateLimit-Remaining", strconv.Itoa(left),
		"X-RateLimit-Reset", reset, "X-RateLimit-Resource", s.resource), nil
}

func TestAllowanceIsUsedUpToTheReserveByManyAtOnceAndNeverBeyond(t *testing.T) {
	for _, tc := range []struct{ limit, reserve int }{{5000, 250}, {200, 20}, {30, 7}, {3, 0}} {
		t.Run(strconv.Itoa(tc.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &counting{limit: tc.limit, every: time.Hour, resource: "core", latency: 100 * time.Millisecond}
				transport := testTransport(s)
				var group sync.WaitGroup
				var limited atomic.Int64
				for range 20 {
					group.Go(func() {
						for range tc.limit {
							if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
								if _, ok := errors.AsType[*Limited](err); !ok {
									t.Error(err)
								}
								limited.Add(1)
								return
							}
						}
					})
				}
				group.Wait()
				if s.over > 0 || s.least != tc.reserve || limited.Load() != 20 {
					t.Errorf("%d requests beyond the limit, %d left, %d of 20 limited; want none, %d, all", s.over, s.least, limited.Load(), tc.reserve)
				}
				want := []source.Budget{{Resource: "core", Limit: int64(tc.limit), Remaining: int64(tc.reserve), ResetAt: s.window.Add(time.Hour)}}
				near := cmpopts.EquateApproxTime(time.Second)
				if diff := cmp.Diff(want, transport.Budgets(), near); diff != "" {
					t.Errorf("budgets (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestShortWaitForAResetIsWaitedAndThenOneGoesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{limit: 40, every: 20 * time.Second, resource: "core", latency: 100 * time.Millisecond}
		cfg := DefaultTransportConfig()
		cfg.Next = s
		transport := NewTransport(cfg)
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if s.over > 0 || len(s.at) != 50 {
			t.Fatalf("%d requests, %d beyond the limit; want 50, none", len(s.at), s.over)
		}
		first := s.at[0]
		for i, at := range s.at {
			if waited := at.Sub(first) >= 20*time.Second; waited != (i >= 30) {
				t.Errorf("request %d is sent after %s", i+1, at.Sub(first))
			}
		}
		if ahead := s.at[31].Sub(s.at[30]); ahead < 50*time.Millisecond {
			t.Errorf("the second request after the reset is sent %s after the first, without waiting for what is allowed", ahead)
		}
	})
}

func TestRefusalOfSeveralAtOnceCountsOnceAndThenOneGoesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sent []time.Duration
		began := time.Now()
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			sent = append(sent, time.Since(began))
			n := len(sent)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			if n > 1 && n <= 9 {
				return reply(429, "{}"), nil
			}
			return reply(200, "{}"), nil
		}))
		var group sync.WaitGroup
		for range 9 {
			group.Go(func() {
				if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		const want = "[0s 100ms 100ms 100ms 100ms 100ms 100ms 100ms 100ms 5.7s 5.8s 5.8s 5.8s 5.8s 5.8s 5.8s 5.8s]"
		if got := fmt.Sprint(sent); got != want {
			t.Errorf("sent at\n%s, want\n%s", got, want)
		}
	})
}

func TestSlowAnswerDoesNotHoldUpTheNextWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{limit: 100, every: 10 * time.Second, resource: "core", latency: 10 * time.Millisecond}
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			res, err := s.RoundTrip(req)
			if strings.HasSuffix(req.URL.Path, "/slow") {
				time.Sleep(50 * time.Second)
			}
			return res, err
		}))
		get := func(path string) {
			if _, _, err := fetch(t.Context(), transport, "GET", "https://api.github.com/repos/acme/shop/"+path, ""); err != nil {
				t.Error(err)
			}
		}
		get("pulls")
		var group sync.WaitGroup
		group.Go(func() { get("slow") })
		time.Sleep(15 * time.Second)
		began := time.Now()
		get("pulls")
		if took := time.Since(began); took > time.Second {
			t.Errorf("the first request of the next window took %s", took)
		}
		group.Wait()
	})
}

func TestRefusalStopsEverybodyOnTheResourceAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var core, graphql atomic.Int64
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/graphql" {
				graphql.Add(1)
				return reply(200, "{}", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "graphql"), nil
			}
			core.Add(1)
			return reply(403, `{"message":"secondary rate limit"}`, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "core"), nil
		}))
		var group sync.WaitGroup
		for i := range 30 {
			group.Go(func() {
				if _, _, err := fetch(t.Context(), transport, "GET", "https://api.github.com/repos/acme/shop/pulls/"+strconv.Itoa(i), ""); err == nil {
					t.Error("a request went through")
				}
				if _, _, err := fetch(t.Context(), transport, "POST", "https://api.github.com/graphql", "{}", ReadOnlyHeader, "1"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if core.Load() != 1 || graphql.Load() != 30 {
			t.Errorf("%d core and %d graphql requests, want 1 and 30", core.Load(), graphql.Load())
		}
		time.Sleep(time.Minute) // then one is tried, and waits twice as long
		_, _, err := fetch(t.Context(), transport, "GET", pulls, "")
		limited, ok := errors.AsType[*Limited](err)
		if !ok || time.Until(limited.Until) != 2*time.Minute || core.Load() != 2 {
			t.Errorf("error is %v after %d requests, want Limited for 2 minutes after 2", err, core.Load())
		}
	})
}

func TestResourceOfARequestIsLearntFromAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[string]int{}
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			sent[req.URL.Path]++
			resource, left := "core", "4000"
			if strings.HasPrefix(req.URL.Path, "/orgs/") {
				resource, left = "audit_log", "0"
			}
			return reply(200, "{}", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", left, "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", resource), nil
		}))
		for _, tc := range []struct {
			path    string
			limited bool
		}{
			{"/repos/acme/shop/pulls", false},
			{"/orgs/acme/audit-log", false}, // nobody knows better
			{"/orgs/other/audit-log", true},
			{"/repos/acme/shop/pulls", false},
		} {
			_, _, err := fetch(t.Context(), transport, "GET", "https://api.github.com"+tc.path, "")
			if got := err != nil; got != tc.limited {
				t.Errorf("%s: error is %v, want one: %v", tc.path, err, tc.limited)
			}
		}
		if sent["/orgs/other/audit-log"] != 0 {
			t.Error("a request was sent for which nothing was left")
		}
	})
}

func TestServerThatNamesNoResourceHasOneAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			sent++
			return reply(200, "{}", "RateLimit-Limit", "100", "RateLimit-Remaining", "3", "RateLimit-Reset", in(time.Minute)), nil
		}))
		if _, _, err := fetch(t.Context(), transport, "GET", "https://gitlab.test/api/v4/projects/1/issues", ""); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/api/v4/groups/1/projects", "/api/graphql", "/api/v4/search"} {
			if _, _, err := fetch(t.Context(), transport, "GET", "https://gitlab.test"+path, ""); err == nil || sent != 1 {
				t.Errorf("%s: error %v, %d requests; want Limited and nothing sent", path, err, sent)
			}
		}
	})
}

func TestServerWhoseLimitsAreOffIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			return reply(200, "{}", "X-RateLimit-Limit", "0", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", in(time.Hour)), nil
		}))
		for range 3 {
			if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
				t.Error(err)
			}
		}
		if got := transport.Budgets(); len(got) > 0 {
			t.Errorf("budgets are %v, want none", got)
		}
	})
}

func TestUnchangedAnswerIsGivenFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version, sent, whole := 1, 0, 0
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			sent++
			tag := `"` + strconv.Itoa(version) + req.Header.Get("Accept") + req.Header.Get("Authorization") + `"`
			if req.Header.Get("If-None-Match") == tag {
				return reply(304, "", "ETag", tag, "X-RateLimit-Used", strconv.Itoa(sent), "Content-Type", "text/none"), nil
			}
			whole++
			return reply(200, `{"version":`+strconv.Itoa(version)+`}`, "ETag", tag, "Link", "<https://next>", "X-RateLimit-Used", strconv.Itoa(sent), UnchangedHeader, "1"), nil
		}))
		ask := func(unchanged bool, body string, sentWhole int, headers ...string) {
			t.Helper()
			ctx := withStream(t.Context(), "acme/shop/changes")
			res, got, err := fetch(ctx, transport, "GET", pulls, "", headers...)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != 200 || got != body || res.ContentLength != int64(len(body)) {
				t.Errorf("got %d, %q (%d bytes), want 200, %q", res.StatusCode, got, res.ContentLength, body)
			}
			if got := res.Header.Get(UnchangedHeader) == "1"; got != unchanged {
				t.Errorf("unchanged is %v, want %v", got, unchanged)
			}
			if res.Header.Get("Link") != "<https://next>" || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
				t.Errorf("headers are %v, want those of the whole answer", res.Header)
			}
			if got, want := res.Header.Get("X-RateLimit-Used"), strconv.Itoa(sent); got != want {
				t.Errorf("used is %s, want %s: the limits of the latest answer", got, want)
			}
			if whole != sentWhole {
				t.Errorf("sent whole %d times, want %d", whole, sentWhole)
			}
		}
		ask(false, `{"version":1}`, 1)
		ask(true, `{"version":1}`, 1)
		ask(true, `{"version":1}`, 1)
		version = 2
		ask(false, `{"version":2}`, 2)
		ask(true, `{"version":2}`, 2)
		ask(false, `{"version":2}`, 3, "Accept", "application/vnd.github.diff")
		ask(false, `{"version":2}`, 4, "Authorization", "Bearer other")
		ask(true, `{"version":2}`, 4, "Authorization", "Bearer other")
		if got := transport.Requests("acme/shop/changes"); got != 8 {
			t.Errorf("%d requests are counted, want 8: also those that brought nothing new", got)
		}
		if got := transport.Requests("acme/shop/changes"); got != 0 {
			t.Errorf("%d requests are counted again", got)
		}
		if res, _, err := fetch(t.Context(), transport, "GET", pulls, "", "If-None-Match", `"2"`); err != nil || res.StatusCode != 304 {
			t.Errorf("a reader that asks about changes itself gets %v, %v, want the 304", res, err)
		}
	})
}

func TestKeptAnswerThatCannotBeReadIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			if sent++; req.Header.Get("If-None-Match") != "" {
				return reply(304, ""), nil
			}
			return reply(200, `{"a":1}`, "ETag", `"x"`), nil
		}))
		for range 2 {
			if _, got, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil || got != `{"a":1}` {
				t.Errorf("got %q, error %v", got, err)
			}
			for _, element := range transport.cache.entries {
				element.Value.(*kept).body[0]++
			}
		}
		if sent != 3 {
			t.Errorf("%d requests were sent, want 3", sent)
		}
	})
}

func TestWhatCannotOrMustNotBeKeptIsNot(t *testing.T) {
	for name, headers := range map[string][]string{
		"nothing to confirm it by": {"X", ""},
		"not to be stored":         {"ETag", `"x"`, "Cache-Control", "private, no-store"},
		"different for everybody":  {"ETag", `"x"`, "Vary", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
					if req.Header.Get("If-None-Match") != "" && sent > 1 {
						t.Errorf("request %d asks for what has changed", sent+1)
					}
					if sent++; sent == 1 {
						return reply(200, `{"a":1}`, "ETag", `"x"`), nil // this one is kept, and then it is not any more
					}
					return reply(200, `{"a":2}`, headers...), nil
				}))
				for range 3 {
					if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func TestOvertakenAnswersDoNotGiveAllowanceBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	type told struct {
		remaining int64
		resetIn   time.Duration
	}
	for _, tc := range []struct {
		name string
		told []told
		want told
	}{
		{"in order", []told{{90, time.Minute}, {89, time.Minute}}, told{89, time.Minute}},
		{"overtaken", []told{{88, time.Minute}, {89, time.Minute}}, told{88, time.Minute}},
		{"a second later by rounding", []told{{88, time.Minute}, {89, time.Minute + time.Second}}, told{88, time.Minute}},
		{"the next window", []told{{3, time.Minute}, {99, 2 * time.Minute}}, told{99, 2 * time.Minute}},
		{"the window before", []told{{99, 2 * time.Minute}, {3, time.Minute}}, told{99, 2 * time.Minute}},
		{"a window that has ended", []told{{3, -time.Minute}, {2, -time.Minute}}, told{2, time.Second}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b budget
			for _, answer := range tc.told {
				b.count(allowance{limit: 100, remaining: answer.remaining, resetAt: now.Add(answer.resetIn)}, now)
			}
			if got := (told{b.remaining, b.resetAt.Sub(now)}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestRequestsWithoutAnAnswerCountAgainstTheAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		transport := testTransport(system(func(*http.Request) (*http.Response, error) {
			if sent++; sent > 1 {
				return nil, errors.New("connection reset")
			}
			return reply(200, "{}", "X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "23", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", "core"), nil
		}))
		if _, _, err := fetch(t.Context(), transport, "GET", pulls, ""); err != nil {
			t.Fatal(err)
		}
		_, _, err := fetch(t.Context(), transport, "GET", pulls, "")
		if _, ok := errors.AsType[*Limited](err); !ok || sent != 4 {
			t.Errorf("error is %v after %d requests, want Limited after 4: 20 are left to others", err, sent)
		}
	})
}

func TestShapeOfAPathLeavesNamesOut(t *testing.T) {
	for path, want := range map[string]string{
		"/repos/acme/shop/pulls/7/commits":        "repos/pulls",
		"/repos/acme/shop":                        "repos",
		"/api/v3/repos/acme/shop/actions/runs":    "repos/actions",
		"/orgs/acme/repos":                        "orgs/repos",
		"/graphql":                                "graphql",
		"/api/graphql":                            "graphql",
		"/search/issues":                          "search/issues",
		"/api/v4/projects/acme%2Fshop/issues":     "projects/issues",
		"/api/v4/projects/7":                      "projects",
		"/":                                       "",
		"/" + strings.Repeat("x", 100) + "/other": strings.Repeat("x", 64),
	} {
		if got := shapeOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// FuzzLimitHeaders has a server say anything: it can stop requests for a day at most.
func FuzzLimitHeaders(f *testing.F) {
	f.Add("5000", "0", "1800003600", "core", "60", "Mon, 02 Jan 2006 15:04:05 GMT", "/repos/a/b/pulls", `{"errors":[{"type":"RATE_LIMITED"}]}`)
	f.Add("100, 100;w=60", "0", "9", "", "Mon, 02 Jan 2006 15:04:05 GMT", "", "/api/graphql", "secondary rate limit")
	f.Add("-1", "99999999999999999999", "NaN", "x", "Inf", "x", "//", "")
	f.Fuzz(func(t *testing.T, limit, remaining, reset, resource, after, date, path, body string) {
		now := time.Unix(1_800_000_000, 0)
		for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
			for _, status := range []int{200, 403, 429, 500} {
				h := http.Header{}
				for name, value := range map[string]string{prefix + "Limit": limit, prefix + "Remaining": remaining, prefix + "Reset": reset,
					prefix + "Resource": resource, prefix + "Name": resource, "Retry-After": after, "Date": date} {
					h.Set(name, value)
				}
				if shape := shapeOf(path); len(shape) > maxName {
					t.Errorf("the shape of a path has %d bytes", len(shape))
				}
				l := newLimits(0.05, 20)
				b := l.expect("forge.test", shapeOf(path))
				b.inFlight++
				res := &http.Response{StatusCode: status, Header: h, Request: &http.Request{URL: &url.URL{Path: path}}}
				limited := l.learn(entry{budget: b, host: "forge.test", shape: shapeOf(path)}, &answer{res, bytes.NewBufferString(body)}, now)
				if limited != nil && (!limited.Until.After(now) || limited.Until.After(now.Add(longest))) {
					t.Errorf("limited until %s", limited.Until)
				}
				for _, b := range l.budgets {
					if until, _, _ := l.admit(b, now); until.After(now.Add(longest)) {
						t.Errorf("the next request may be sent at %s", until)
					}
				}
			}
		}
	})
}

func TestAnswersAreConfirmedByDateWhereThereIsNoTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("If-Modified-Since") == modified {
				return reply(304, ""), nil
			}
			return reply(200, `{"a":1}`, "Last-Modified", modified), nil
		}))
		for _, want := range []string{"", "1"} {
			res, got, err := fetch(t.Context(), transport, "GET", pulls, "")
			if err != nil || got != `{"a":1}` || res.Header.Get(UnchangedHeader) != want {
				t.Errorf("got %q, %v, unchanged %q, want %q", got, err, res.Header.Get(UnchangedHeader), want)
			}
		}
	})
}

func TestKeptAnswersStayInsideTheirMemoryAndWhatIsAskedForAgainStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.NewChaCha8([32]byte{1})
		sentWhole := map[string]bool{}
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("If-None-Match") != "" {
				sentWhole[req.URL.Path] = false
				return reply(304, ""), nil
			}
			sentWhole[req.URL.Path] = true
			var body bytes.Buffer
			_, _ = io.CopyN(&body, random, 1000) // does not compress
			return reply(200, body.String(), "ETag", `"x"`, "Content-Type", "application/octet-stream"), nil
		}))
		transport.cache = newCache(20_000)
		get := func(path string) bool {
			if _, _, err := fetch(t.Context(), transport, "GET", "https://forge.test/"+path, ""); err != nil {
				t.Fatal(err)
			}
			return sentWhole["/"+path]
		}
		get("news")
		get("news")
		for i := range 200 {
			get("history/" + strconv.Itoa(i))
			var size int64
			for _, element := range transport.cache.entries {
				size += element.Value.(*kept).size
			}
			if n := transport.cache.fresh.Len() + transport.cache.proven.Len(); size != transport.cache.size || size > 20_000 || n != len(transport.cache.entries) {
				t.Fatalf("%d bytes are kept, %d are accounted, %d of %d in order", size, transport.cache.size, n, len(transport.cache.entries))
			}
		}
		if get("news") {
			t.Error("the news were pushed out by the history")
		}
		if get("history/199") || !get("history/0") {
			t.Error("the latest page of the history is not kept, or the first one is")
		}
		for i := range 30 { // all are asked for again
			get("again/" + strconv.Itoa(i))
			get("again/" + strconv.Itoa(i))
		}
		if c := transport.cache; c.trusted > 16_000 || c.trusted == 0 || c.size > 20_000 {
			t.Errorf("%d of %d bytes are of answers that were confirmed", c.trusted, c.size)
		}
	})
}

func TestWaitingRequestsAreServedInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		running, most := 0, 0
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			order = append(order, req.URL.Path[1:])
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return reply(200, "{}"), nil
		}))
		if _, _, err := fetch(t.Context(), transport, "GET", "https://forge.test/first", ""); err != nil {
			t.Fatal(err)
		}
		order = nil
		var want []string
		var group sync.WaitGroup
		for i := range 40 {
			want = append(want, strconv.Itoa(i))
			group.Go(func() {
				if _, _, err := fetch(t.Context(), transport, "GET", "https://forge.test/"+strconv.Itoa(i), ""); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		group.Wait()
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-arrived +served):\n%s", diff)
		}
		if most != 8 {
			t.Errorf("%d requests at once, want 8", most)
		}
	})
}

func TestEndOfTheContextEndsEveryWait(t *testing.T) {
	for name, next := range map[string]system{
		"for an answer":    slow,
		"for a retry":      func(*http.Request) (*http.Response, error) { return reply(503, "", "Retry-After", "20"), nil },
		"for a limit":      func(*http.Request) (*http.Response, error) { return reply(429, "", "Retry-After", "20"), nil },
		"for those before": slow,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := testTransport(next)
				ctx, cancel := context.WithCancel(t.Context())
				var group sync.WaitGroup
				for range 3 {
					group.Go(func() {
						if _, _, err := fetch(ctx, transport, "GET", pulls, ""); !errors.Is(err, context.Canceled) {
							t.Errorf("error is %v, want that the context ended", err)
						}
					})
				}
				began := time.Now()
				time.Sleep(time.Second)
				cancel()
				group.Wait()
				if took := time.Since(began); took != time.Second {
					t.Errorf("it took %s, want 1s", took)
				}
			})
		})
	}
}

func TestBodyCanBeClosedTwiceAndNotReadAfterwards(t *testing.T) {
	transport := testTransport(system(func(*http.Request) (*http.Response, error) { return reply(200, `{"a":1}`), nil }))
	res, err := transport.RoundTrip(httptest.NewRequest("GET", pulls, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(res.Body.Close(), res.Body.Close()); err != nil {
		t.Error(err)
	}
	if n, err := res.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("read %d, %v after closing", n, err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := testTransport(system(func(req *http.Request) (*http.Response, error) {
			return reply(200, "{}", "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "4000", "X-RateLimit-Reset", in(time.Hour), "X-RateLimit-Resource", req.URL.Path), nil
		}))
		for i := range 1000 {
			ctx := withStream(t.Context(), "stream "+strconv.Itoa(i))
			if _, _, err := fetch(ctx, transport, "GET", fmt.Sprintf("https://forge%d.test/%d/%s", i, i, strings.Repeat("x", 1000)), ""); err != nil {
				t.Fatal(err)
			}
		}
		transport.mu.Lock()
		defer transport.mu.Unlock()
		l := transport.limits
		if len(l.budgets) > maxBudgets || len(l.shapes) > maxShapes || len(l.usual) > maxHosts {
			t.Errorf("%d budgets, %d shapes, %d hosts are remembered", len(l.budgets), len(l.shapes), len(l.usual))
		}
		for key := range l.budgets {
			if len(key[1]) > maxName {
				t.Errorf("the name of a resource has %d bytes", len(key[1]))
			}
		}
	})
}

// TestReaderGetsExactlyWhatTheServerHas has several readers read all pages of a server that counts requests and at times
// refuses, fails, cuts its answers or is slow.
func TestReaderGetsExactlyWhatTheServerHas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfN(rapid.IntRange(0, 40), 50, 50).Draw(rt, "faults")
		s := &counting{limit: rapid.IntRange(4, 60).Draw(rt, "limit"), every: 20 * time.Second, resource: "core", latency: 50 * time.Millisecond}
		pages := rapid.IntRange(1, 30).Draw(rt, "pages")
		readers := rapid.IntRange(1, 12).Draw(rt, "readers")
		rounds := rapid.IntRange(1, 2).Draw(rt, "rounds")
		var wrong []string
		synctest.Test(t, func(*testing.T) { wrong = readPages(faults, s, pages, readers, rounds) })
		for _, w := range wrong {
			rt.Error(w)
		}
	})
}

// readPages returns what went wrong.
func readPages(faults []int, s *counting, pages, readers, rounds int) (wrong []string) {
	page := func(path string) string { return `{"page":"` + path + strings.Repeat("x", 100*len(path)) + `"}` }
	var mu sync.Mutex
	n, thrown, beyond := 0, 0, 0
	cfg := DefaultTransportConfig()
	cfg.Wait = 10_000 * time.Hour
	cfg.Attempts = 100
	cfg.Next = system(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		n++
		kind := faults[n%len(faults)]
		if kind <= 8 {
			thrown++
		}
		mu.Unlock()
		whole := page(req.URL.Path)
		var res *http.Response
		switch kind {
		case 0:
			return reply(429, "{}"), nil
		case 1:
			return reply(429, "{}", "Retry-After", "3"), nil
		case 2:
			return reply(403, `{"message":"You have exceeded a secondary rate limit"}`), nil
		case 3:
			return reply(502, "<html>"), nil
		case 4:
			return nil, io.ErrUnexpectedEOF
		case 5:
			res = reply(200, whole[:len(whole)/2])
			res.ContentLength = int64(len(whole))
			return res, nil
		case 6:
			res = reply(200, whole[:len(whole)/2])
			res.ContentLength = -1
			return res, nil
		case 7:
			return slow(req)
		case 8:
			return reply(503, "", "Retry-After", "2"), nil
		}
		res, err := s.RoundTrip(req)
		if res.StatusCode != 200 {
			mu.Lock()
			beyond++
			mu.Unlock()
			return res, err
		}
		full := reply(200, whole)
		full.Header = res.Header
		full.Header.Set("ETag", `"`+req.URL.Path+`"`)
		if req.Header.Get("If-None-Match") == full.Header.Get("ETag") {
			full = reply(304, "")
			full.Header = res.Header
		}
		return full, err
	})
	transport := NewTransport(cfg)
	var group sync.WaitGroup
	for reader := range readers {
		group.Go(func() {
			ctx := withStream(context.Background(), "reader")
			for range rounds {
				for i := range pages {
					path := fmt.Sprintf("/repos/acme/shop%d/pulls/%d", reader, i)
					_, got, err := fetch(ctx, transport, "GET", "https://api.github.com"+path, "")
					if err != nil || got != page(path) {
						mu.Lock()
						wrong = append(wrong, fmt.Sprintf("%s: got %d bytes, error %v", path, len(got), err))
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	if want := pages*readers*rounds + thrown; n != want {
		wrong = append(wrong, fmt.Sprintf("%d requests were sent; %d pages and %d faults explain %d", n, pages*readers*rounds, thrown, want))
	}
	if beyond > 0 {
		wrong = append(wrong, fmt.Sprintf("%d requests were sent beyond what was allowed", beyond))
	}
	if got := transport.Requests("reader"); got != int64(n) {
		wrong = append(wrong, fmt.Sprintf("%d requests are counted, %d were sent", got, n))
	}
	return wrong
}

// BenchmarkTransport tells how many requests a second go through, and what share that is of those without the transport:
// of new pages from a server that costs nothing to reach, from one that is as near as one can be, and of pages that have
// not changed.
func BenchmarkTransport(b *testing.B) {
	var page bytes.Buffer
	page.WriteString("[")
	for i := range 100 {
		if i > 0 {
			page.WriteString(",")
		}
		fmt.Fprintf(&page, `{"number":%d,"title":"Change %d of the shop","user":{"login":"u%d"},"created_at":"2026-01-02T03:04:05Z","body":%q}`, i, i*7919, i%17, strings.Repeat("words ", 40))
	}
	page.WriteString("]")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/away/") {
			time.Sleep(5 * time.Millisecond)
		}
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("X-RateLimit-Limit", "5000000")
		h.Set("X-RateLimit-Remaining", "4000000")
		h.Set("X-RateLimit-Reset", in(time.Hour))
		h.Set("X-RateLimit-Resource", "core")
		h.Set("ETag", `"`+req.URL.RawQuery+`"`)
		if req.Header.Get("If-None-Match") == h.Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(page.Bytes())
	}))
	defer server.Close()
	run := func(b *testing.B, next http.RoundTripper, address func(int64) string) (perSecond float64) {
		client := &http.Client{Transport: next}
		var n atomic.Int64
		began := time.Now()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
					res, err := client.Get(address(i))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		}
		group.Wait()
		return float64(b.N) / time.Since(began).Seconds()
	}
	for _, tc := range []struct {
		name    string
		address func(int64) string
	}{
		{"new", func(i int64) string { return server.URL + "/repos/a/b/pulls?page=" + strconv.FormatInt(i, 10) }},
		{"new, 5 ms away", func(i int64) string { return server.URL + "/away/pulls?page=" + strconv.FormatInt(i, 10) }},
		{"unchanged", func(i int64) string { return server.URL + "/repos/a/b/pulls?page=" + strconv.FormatInt(i%20, 10) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			next := plain(DefaultTransportConfig())
			cfg := DefaultTransportConfig()
			cfg.Next = next
			b.SetBytes(int64(page.Len()))
			transport := NewTransport(cfg)
			bare := run(b, next, tc.address)
			b.ReportAllocs()
			b.ResetTimer()
			with := run(b, transport, tc.address)
			b.ReportMetric(with/bare, "of-bare")
			b.ReportMetric(with, "requests/s")
			transport.CloseIdleConnections()
		})
	}
}
