package collectors

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/semaphore"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// Headers between a transport and its users; the transport takes them away from what is sent and from what was answered.
const (
	// ReadOnlyHeader, set to 1, says of a request that it only reads although its method does not say so, such as a query
	// in GraphQL: it may be sent more than once.
	ReadOnlyHeader = "X-Cairn-Read-Only"
	// UnchangedHeader is 1 on an answer whose content the server has confirmed instead of sending it: nothing has changed
	// since it was read the last time.
	UnchangedHeader = "X-Cairn-Unchanged"
)

// TransportConfig says how a transport behaves towards a system.
type TransportConfig struct {
	Next   http.RoundTripper // sends and authenticates; nil: HTTP without a credential
	Now    func() time.Time
	Sleep  func(ctx context.Context, d time.Duration) error // returns early, with an error, when ctx ends
	Jitter func() float64                                   // from [0, 1)

	Timeout     time.Duration // of one attempt, until the last byte
	Attempts    int           // most attempts at one request that only reads
	Wait        time.Duration // longest that a request waits for a limit to be lifted; beyond, it ends as Limited
	Reserve     float64       // share of an allowance that is left to others who use the credential
	ReserveMin  int64         // least number of requests that is left to others, but never more than a quarter of the allowance
	MaxBody     int64         // largest body of an answer, in bytes
	CacheBytes  int64         // memory for answers that may be asked for again, compressed; 0: none are kept
	Concurrency int           // most requests at once
}

// DefaultTransportConfig returns the settings that suit the limits of public systems: GitHub asks for fewer than 100
// requests at once, and for one that waits when it is told to.
func DefaultTransportConfig() TransportConfig {
	return TransportConfig{
		Now:    time.Now,
		Sleep:  sleep,
		Jitter: rand.Float64,

		Timeout:     time.Minute,
		Attempts:    5,
		Wait:        30 * time.Second,
		Reserve:     0.05,
		ReserveMin:  20,
		MaxBody:     64 << 20,
		CacheBytes:  64 << 20,
		Concurrency: 8,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Transport is the way on which the requests of all streams of one credential reach a system. It stays inside the
// system's limits, sends again what failed for a moment, hands on only answers that are whole, and asks whether
// something has changed before it has it sent again.
//
// It serves one credential: limits are the credential's, and kept answers are what the credential may see. The
// credential is usually added by Next, where the transport cannot tell one from another.
//
// An answer of a status that is none of a limit is handed on, after the attempts are used up also one of 5xx. Errors are
// Limited, or faults: TooLarge, and Unavailable for an answer that never came whole. None of them holds a query string,
// but http.Client adds the whole address when it wraps them.
type Transport struct {
	cfg     TransportConfig
	next    http.RoundTripper
	slots   *semaphore.Weighted // serves in order of arrival
	cache   *cache
	buffers sync.Pool // of *bytes.Buffer

	mu     sync.Mutex
	limits limits
	counts map[string]int64 // requests by stream, since they were last asked for
}

// NewTransport returns a transport. It starts nothing.
func NewTransport(cfg TransportConfig) *Transport {
	t := &Transport{
		cfg:    cfg,
		next:   cfg.Next,
		slots:  semaphore.NewWeighted(int64(max(cfg.Concurrency, 1))),
		cache:  newCache(cfg.CacheBytes),
		limits: newLimits(cfg.Reserve, cfg.ReserveMin),
		counts: map[string]int64{},
	}
	t.buffers.New = func() any { return new(bytes.Buffer) }
	if t.next == nil {
		t.next = plain(cfg)
	}
	return t
}

// plain returns a round tripper that keeps as many connections as requests are made at once.
func plain(cfg TransportConfig) http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := standard.Clone()
	own.MaxIdleConnsPerHost = max(cfg.Concurrency, 1)
	own.ResponseHeaderTimeout = cfg.Timeout
	return own
}

// CloseIdleConnections closes the connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	if next, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// streamKey is the context's key for the name of a stream.
type streamKey struct{}

// withStream returns a context whose requests are counted for a stream.
func withStream(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, streamKey{}, name)
}

// maxStreams bounds how many streams are counted at once, in case nobody asks for the counts.
const maxStreams = 10_000

// Requests takes the number of requests that were sent for a stream since it was last asked, and begins again at 0: a
// scheduler asks at the end of each turn and adds up. Each attempt counts, also one that was answered with nothing new.
func (t *Transport) Requests(stream string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.counts[stream]
	delete(t.counts, stream)
	return n
}

// Budgets returns what is left of the credential's allowances, as the system last said, by name of the resource. The
// name of the source is left empty. The instants are by the clock here.
func (t *Transport) Budgets() []source.Budget {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.limits.list()
}

// call is a request on its way through as many attempts as it takes.
type call struct {
	request  *http.Request
	repeat   bool          // may be sent more than once
	waited   time.Duration // for limits
	failures int           // attempts that failed
	key      string        // under which its answer is kept; "" when it is not
	kept     *kept         // what was answered the last time
}

// name says which request it is, without what may be secret.
func (c *call) name() string {
	return cmp.Or(c.request.Method, http.MethodGet) + " " + c.request.URL.Host + c.request.URL.EscapedPath()
}

// answer is a response with its whole body.
type answer struct {
	*http.Response
	body *bytes.Buffer
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := &call{request: req}
	hasBody := req.Body != nil && req.Body != http.NoBody
	if hasBody {
		defer req.Body.Close() // by contract also when it was not sent
	}
	reads := req.Method == "" || req.Method == http.MethodGet || req.Method == http.MethodHead || req.Header.Get(ReadOnlyHeader) == "1"
	c.repeat = reads && (!hasBody || req.GetBody != nil)
	if t.cache.takes(req) {
		c.key = cacheKey(req)
		c.kept = t.cache.get(c.key)
	}
	ctx := req.Context()
	for {
		entry, err := t.enter(ctx, c)
		if err != nil {
			return nil, err
		}
		a, err := t.attempt(c)
		limited := t.leave(entry, a)
		switch {
		case limited != nil:
			t.reuse(a.body)
			if !c.repeat {
				return nil, limited
			}
			continue // and wait with everybody else
		case err == nil && !transient(a.StatusCode):
			res, err := t.finish(c, a)
			if res == nil && err == nil {
				continue // what was kept is of no use
			}
			return res, err
		case ctx.Err() != nil:
			t.drop(a)
			return nil, ctx.Err()
		case err != nil && lasting(err):
			return nil, err
		}
		c.failures++
		pause := t.pause(c, a)
		if !c.repeat || c.failures >= t.attempts(a) || pause > t.cfg.Wait {
			if err != nil {
				return nil, fault.Replace(fault.Unavailable, err, "%s: no usable answer after %s: %s", c.name(), attempts(c.failures), why(err))
			}
			return t.finish(c, a)
		}
		t.drop(a)
		if err := t.cfg.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// attempt sends the request once and reads the whole answer.
func (t *Transport) attempt(c *call) (*answer, error) {
	ctx, cancel := context.WithTimeout(c.request.Context(), t.cfg.Timeout)
	defer cancel()
	req := c.request.Clone(ctx)
	req.Header.Del(ReadOnlyHeader)
	if req.Body != nil && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "%s: reading the request's body again", c.name())
		}
		req.Body = body
	}
	c.kept.ask(req.Header)
	a, err := t.exchange(req, c)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && c.request.Context().Err() == nil {
		err = fmt.Errorf("it did not come within %s", t.cfg.Timeout)
	}
	return a, err
}

// exchange sends a request and reads the whole answer.
func (t *Transport) exchange(req *http.Request, c *call) (*answer, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	res.Request = c.request
	res.Header.Del(UnchangedHeader)
	body := t.buffers.Get().(*bytes.Buffer)
	body.Reset()
	if res.ContentLength > 0 && res.ContentLength <= t.cfg.MaxBody && req.Method != http.MethodHead {
		body.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(res.Body, t.cfg.MaxBody+1))
	switch {
	case n > t.cfg.MaxBody:
		err = fault.New(fault.TooLarge, "%s: the answer is larger than the %d bytes that are taken; ask for fewer things at once", c.name(), t.cfg.MaxBody)
	case err != nil:
		err = fmt.Errorf("it broke off after %d bytes: %w", n, err)
	case req.Method != http.MethodHead && res.StatusCode != http.StatusNotModified && res.ContentLength >= 0 && res.ContentLength != n:
		err = fmt.Errorf("it broke off after %d of %d bytes", n, res.ContentLength)
	case req.Method != http.MethodHead && isJSON(res, n) && !validJSON(body.Bytes()):
		err = fmt.Errorf("it is no valid JSON (%d bytes), so it is not whole", n)
	}
	if err != nil {
		t.reuse(body)
		return nil, err
	}
	return &answer{res, body}, nil
}

// isJSON says whether n bytes that were answered have to be JSON.
func isJSON(res *http.Response, n int64) bool {
	if res.StatusCode != http.StatusOK && (n == 0 || res.StatusCode/100 != 2) {
		return false
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// validJSON says whether b is one JSON value.
func validJSON(b []byte) bool {
	return jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// finish makes the response that is handed on. It is nil without an error when the request has to be sent again, since
// what was kept cannot be read.
func (t *Transport) finish(c *call, a *answer) (*http.Response, error) {
	res := a.Response
	switch {
	case res.StatusCode == http.StatusNotModified && c.kept != nil:
		a.body.Reset()
		if err := c.kept.unpack(a.body); err != nil {
			t.cache.remove(c.key)
			t.drop(a)
			c.kept = nil
			return nil, nil
		}
		t.cache.confirm(c.key, c.kept)
		c.kept.revive(res)
	case res.StatusCode == http.StatusOK && c.key != "":
		t.cache.put(c.key, res.Header, a.body.Bytes())
	}
	if res.Request.Method == http.MethodHead {
		t.reuse(a.body)
		res.Body = http.NoBody
		return res, nil
	}
	res.ContentLength = int64(a.body.Len())
	res.TransferEncoding = nil
	res.Body = &payload{buffer: a.body, transport: t}
	return res, nil
}

// payload is a body that was read already. Its memory is used again when it is closed.
type payload struct {
	mu        sync.Mutex
	buffer    *bytes.Buffer // nil once it is closed
	transport *Transport
}

func (p *payload) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buffer == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	return p.buffer.Read(b)
}

func (p *payload) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buffer != nil {
		p.transport.reuse(p.buffer)
		p.buffer = nil
	}
	return nil
}

// maxReused is the largest buffer that is used again: one huge answer is not paid for ever.
const maxReused = 4 << 20

func (t *Transport) reuse(buffer *bytes.Buffer) {
	if buffer.Cap() <= maxReused {
		t.buffers.Put(buffer)
	}
}

func (t *Transport) drop(a *answer) {
	if a != nil {
		t.reuse(a.body)
	}
}

// transient says whether a status tells of something that may have passed when the request is sent again: also those
// with which Cloudflare says that the server behind it did not answer.
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, 520, 521, 522, 523, 524:
		return true
	}
	return false
}

// attempts returns how often a request is sent whose latest answer was a. An error of the server itself seldom passes.
func (t *Transport) attempts(a *answer) int {
	if a != nil && a.StatusCode == http.StatusInternalServerError {
		return min(t.cfg.Attempts, 3)
	}
	return t.cfg.Attempts
}

// lasting says whether an error would come again: a refusal by what adds the credential, or a certificate.
func lasting(err error) bool {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Unavailable {
		return true
	}
	if _, ok := errors.AsType[*Limited](err); ok {
		return true
	}
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// why returns what an error says, without the address that it may name.
func why(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return why(e.Err)
	}
	return err.Error()
}

// Pauses between two attempts.
const (
	firstPause = 500 * time.Millisecond // doubled by each failure
	maxPause   = 15 * time.Second
	spread     = time.Second // over which those that waited for one instant go on
)

// pause returns how long to wait before the next attempt: anything up to a bound that doubles, and what the server asks for.
func (t *Transport) pause(c *call, a *answer) time.Duration {
	bound := min(firstPause<<min(c.failures-1, 10), maxPause)
	pause := time.Duration(t.cfg.Jitter() * float64(bound))
	if a != nil {
		if asked, ok := retryAfter(a.Header, t.cfg.Now()); ok {
			pause += asked
		}
	}
	return pause
}

// entry is the right to send one request.
type entry struct {
	budget     *budget
	host       string
	shape      string
	generation int
	ahead      bool // the others wait for its answer
}

// enter waits until the request may be sent: until it is its turn among those at once, and its limit allows it. It ends
// as Limited instead of waiting for long.
func (t *Transport) enter(ctx context.Context, c *call) (entry, error) {
	host, shape := c.request.URL.Host, shapeOf(c.request.URL.Path)
	for {
		if err := t.slots.Acquire(ctx, 1); err != nil {
			return entry{}, err
		}
		now := t.cfg.Now()
		t.mu.Lock()
		b := t.limits.expect(host, shape)
		until, reason, answered := t.limits.admit(b, now)
		if until.IsZero() && answered == nil {
			e := entry{budget: b, host: host, shape: shape, generation: b.generation, ahead: b.uncertain(now)}
			b.inFlight++
			b.ahead = b.ahead || e.ahead
			if stream, ok := ctx.Value(streamKey{}).(string); ok {
				if _, counted := t.counts[stream]; counted || len(t.counts) < maxStreams {
					t.counts[stream]++
				}
			}
			t.mu.Unlock()
			return e, nil
		}
		t.mu.Unlock()
		t.slots.Release(1)
		if answered != nil {
			select {
			case <-ctx.Done():
				return entry{}, ctx.Err()
			case <-answered:
			}
			continue
		}
		wait := until.Sub(now)
		if c.waited += wait; c.waited > t.cfg.Wait {
			return entry{}, &Limited{Host: host, Resource: b.resource, Until: until, Reason: reason}
		}
		if err := t.cfg.Sleep(ctx, wait+time.Duration(t.cfg.Jitter()*float64(spread))); err != nil {
			return entry{}, err
		}
	}
}

// leave gives the right back and takes in what the answer, if there is one, says about limits. It returns the limit that
// refused the request.
func (t *Transport) leave(e entry, a *answer) *Limited {
	now := t.cfg.Now()
	defer t.slots.Release(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.limits.learn(e, a, now)
}
