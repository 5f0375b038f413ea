package githubtest

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says what to make up and how to serve it.
type Config struct {
	Seed         uint64
	Org          string // default acme
	Repositories int
	Teams        int
	// Styles are the ways of the repositories in turn; default: all of them.
	Styles []string
	// Steps is the number of pushes and pull requests of a repository; 0: 3 to 8.
	Steps int
	// BigEvery makes every so many-th repository one whose lists have several pages; 0: none is.
	BigEvery int

	// Now is the server's clock; default: it stands still at Epoch.
	Now func() time.Time
	// Wait lets time pass on the server, for slow answers; default: it does not.
	Wait func(ctx context.Context, d time.Duration) error
	// Token is the credential that is good at first; default token.
	Token string
	// Secret signs webhooks; default secret.
	Secret string
	// Limit and GraphQLLimit are requests and points per hour and credential; default 5000.
	Limit, GraphQLLimit int
	// TreeLimit is how many entries the list of all files of a repository has at most; 0: any number.
	TreeLimit int
	// App, if given, signs the JSON Web Tokens of a GitHub App with the id 7 and the installation 70.
	App *rsa.PublicKey
}

// Fake is a GitHub. It is safe for use from several goroutines.
type Fake struct {
	cfg    Config
	routes *http.ServeMux

	mu         sync.Mutex
	world      *world
	rand       *rand.Rand // of what changes after the beginning
	tokens     map[string]time.Time
	budgets    map[string]*budget
	counts     map[string]*Count
	requests   int
	faults     []*Fault
	chaos      *chaos
	churn      *churn
	blocked    time.Time // secondary limit: until when
	impatient  int
	deliveries []Delivery
	after      func(r *http.Request, n int)
	problems   []string
}

// Count is how often one kind of request was made.
type Count struct {
	Requests    int // all
	NotModified int // of those, answered with 304
	Faulty      int // of those, answered by an injected fault
}

// budget is what a credential may still ask of one resource.
type budget struct {
	used  int
	reset time.Time
}

// New makes the organisation. It starts nothing: a Fake is a http.Handler.
func New(cfg Config) *Fake {
	if cfg.Org == "" {
		cfg.Org = "acme"
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return Epoch }
	}
	if cfg.Wait == nil {
		cfg.Wait = func(context.Context, time.Duration) error { return nil }
	}
	if cfg.Token == "" {
		cfg.Token = "token"
	}
	if cfg.Secret == "" {
		cfg.Secret = "secret"
	}
	if cfg.Limit == 0 {
		cfg.Limit = 5000
	}
	if cfg.GraphQLLimit == 0 {
		cfg.GraphQLLimit = 5000
	}
	f := &Fake{
		cfg:     cfg,
		world:   newWorld(cfg),
		rand:    rand.New(rand.NewPCG(cfg.Seed, 1<<63)),
		tokens:  map[string]time.Time{cfg.Token: {}},
		budgets: map[string]*budget{},
		counts:  map[string]*Count{},
	}
	f.routes = f.newRoutes()
	return f
}

// answer is what a route says.
type answer struct {
	status int
	header http.Header
	body   any
	cost   int // points; 0 is one request
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func problem(status int, message string) answer {
	return answer{status: status, body: m{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}}
}

var notFound = problem(http.StatusNotFound, "Not Found")

// m is a JSON object.
type m = map[string]any

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Del(prefix)
	switch rest, server := strings.CutPrefix(r.URL.Path, "/api/v3/"); { // as a GitHub Enterprise Server has it
	case server:
		r.URL.Path = "/" + rest
		r.Header.Set(prefix, "/api/v3")
	case r.URL.Path == "/api/graphql":
		r.URL.Path = "/graphql"
	}
	shape := f.shape(r)
	f.mu.Lock()
	f.requests++
	n := f.requests
	count := f.counts[shape]
	if count == nil {
		count = &Count{}
		f.counts[shape] = count
	}
	count.Requests++
	fault := f.faultFor(r, shape)
	if fault != nil {
		count.Faulty++
	}
	f.mu.Unlock()
	if fault != nil && fault.Kind == Slow {
		if err := f.cfg.Wait(r.Context(), fault.wait()); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	f.mu.Lock()
	a := f.serve(w.Header(), r, fault)
	if a.status == http.StatusNotModified {
		count.NotModified++
	}
	f.mu.Unlock()

	h := w.Header()
	maps.Copy(h, a.header)
	h.Set("Date", f.cfg.Now().UTC().Format(http.TimeFormat))
	h.Set("X-GitHub-Request-Id", fmt.Sprintf("FAKE:%06d", n))
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-OAuth-Scopes", "repo, read:org")
	text, isText := a.body.([]byte)
	if !isText && a.body != nil {
		text, _ = json.Marshal(a.body)
	}
	if len(text) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	switch {
	case fault != nil && fault.Kind == CutBody && a.status < 300:
		h.Set("Content-Length", strconv.Itoa(len(text)+1))
		w.WriteHeader(a.status)
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection
	case fault != nil && fault.Kind == Truncated && a.status < 300:
		text = text[:len(text)/2]
	}
	if a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(text)

	f.mu.Lock()
	after := f.after
	f.stir(r, body, h.Get("Link"))
	f.mu.Unlock()
	if after != nil {
		after(r, n)
	}
}

// serve decides what a request is answered: the credential, the limits, faults, then the thing itself.
func (f *Fake) serve(h http.Header, r *http.Request, fault *Fault) answer {
	now := f.cfg.Now()
	if r.URL.Path == "/graphql" {
		h.Set("X-RateLimit-Resource", "graphql")
	} else {
		h.Set("X-RateLimit-Resource", "core")
	}
	credential, good := f.credential(r, now)
	if !good {
		return problem(http.StatusUnauthorized, "Bad credentials")
	}
	resource := h.Get("X-RateLimit-Resource")
	b, limit := f.budget(credential, resource, now), f.limit(resource)
	remaining := max(0, limit-b.used)
	free := r.URL.Path == "/rate_limit"
	set := func() {
		h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
		h.Set("X-RateLimit-Used", strconv.Itoa(b.used))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, limit-b.used)))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	}
	defer set()
	if now.Before(f.blocked) {
		f.impatient++
		return f.secondary(h, http.StatusForbidden, f.blocked.Sub(now))
	}
	if fault != nil {
		switch fault.Kind {
		case Primary403, Primary429:
			b.used = limit
			remaining = 0
		case Secondary, SecondaryRetryAfter:
			wait := time.Duration(0)
			f.blocked = now.Add(time.Minute)
			if fault.Kind == SecondaryRetryAfter {
				wait = fault.wait()
				f.blocked = now.Add(wait)
			}
			return f.secondary(h, http.StatusForbidden, wait)
		case BadGateway:
			return answer{status: http.StatusBadGateway, header: http.Header{"Content-Type": {"text/html"}}, body: []byte("<html><title>Unicorn! 502</title></html>")}
		case Missing:
			return notFound
		}
	}
	if remaining == 0 && !free {
		status := http.StatusForbidden
		if fault != nil && fault.Kind == Primary429 {
			status = http.StatusTooManyRequests
		} else if fault == nil || fault.Kind != Primary403 {
			f.impatient++
		}
		if resource == "graphql" && status == http.StatusForbidden { // GraphQL says so in its own way
			return ok(m{"errors": []m{{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}}})
		}
		return problem(status, "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, please include the request ID FAKE.")
	}
	a := f.dispatch(r)
	if a.status == http.StatusOK && r.Method == http.MethodGet {
		text, err := json.Marshal(a.body)
		if err != nil {
			panic(err)
		}
		sum := fnv.New64a()
		_, _ = sum.Write(text)
		_, _ = io.WriteString(sum, a.header.Get("Link"))
		tag := fmt.Sprintf(`W/"%016x"`, sum.Sum64())
		a.body = text
		h.Set("ETag", tag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		if slices.Contains(strings.Split(r.Header.Get("If-None-Match"), ", "), tag) {
			return answer{status: http.StatusNotModified, header: a.header}
		}
	}
	if !free {
		b.used += max(1, a.cost)
	}
	return a
}

// secondary is the answer of the secondary limit; without a wait GitHub does not say how long it lasts.
func (f *Fake) secondary(h http.Header, status int, wait time.Duration) answer {
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return answer{status: status, body: m{
		"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID FAKE.",
		"documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",
	}}
}

func (f *Fake) limit(resource string) int {
	if resource == "graphql" {
		return f.cfg.GraphQLLimit
	}
	return f.cfg.Limit
}

func (f *Fake) budget(credential, resource string, now time.Time) *budget {
	b := f.budgets[credential+" "+resource]
	if b == nil || !now.Before(b.reset) {
		b = &budget{reset: now.Add(time.Hour).Truncate(time.Second)}
		f.budgets[credential+" "+resource] = b
	}
	return b
}

// credential tells whose request it is.
func (f *Fake) credential(r *http.Request, now time.Time) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return "", false
	}
	if r.URL.Path == "/app" || strings.HasPrefix(r.URL.Path, "/app/") || strings.HasSuffix(r.URL.Path, "/installation") {
		return "app", f.goodJWT(token, now)
	}
	until, known := f.tokens[token]
	if !known || !until.IsZero() && !now.Before(until) {
		return "", false
	}
	return token, true
}

// dispatch runs the route.
func (f *Fake) dispatch(r *http.Request) (a answer) {
	if rest, found := strings.CutPrefix(r.URL.Path, "/repositories/"); found {
		text, rest, _ := strings.Cut(rest, "/")
		id, _ := strconv.ParseInt(text, 10, 64)
		for _, repo := range f.world.repos {
			if repo.id == id && !repo.deleted {
				r = r.Clone(r.Context())
				r.URL.Path = strings.TrimSuffix("/repos/"+repo.full()+"/"+rest, "/")
			}
		}
		if strings.HasPrefix(r.URL.Path, "/repositories/") {
			return notFound
		}
	}
	_, pattern := f.routes.Handler(r)
	if pattern == "" {
		f.problems = append(f.problems, "no such path: "+r.Method+" "+r.URL.String())
		return notFound
	}
	a = notFound // what the mux says by itself is not heard
	f.routes.ServeHTTP(&catcher{answer: &a}, r)
	return a
}

// catcher carries an answer through the mux.
type catcher struct {
	answer *answer
	header http.Header
}

func (c *catcher) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

func (c *catcher) Write(p []byte) (int, error) { return len(p), nil }

func (c *catcher) WriteHeader(int) {}

// shape is the path with its variable parts left out: what requests are counted by.
func (f *Fake) shape(r *http.Request) string {
	if rest, found := strings.CutPrefix(r.URL.Path, "/repositories/"); found {
		_, rest, _ = strings.Cut(rest, "/")
		r = r.Clone(r.Context())
		r.URL.Path = strings.TrimSuffix("/repos/o/r/"+rest, "/")
	}
	_, pattern := f.routes.Handler(r)
	if pattern == "" {
		return r.Method + " " + r.URL.Path
	}
	return pattern
}

// Requests says how often each kind of request was made since the last Forget: "GET /repos/{owner}/{repo}/pulls".
func (f *Fake) Requests() map[string]Count {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[string]Count{}
	for shape, c := range f.counts {
		counts[shape] = *c
	}
	return counts
}

// Total is the sum of Requests.
func (f *Fake) Total() Count {
	var total Count
	for _, c := range f.Requests() {
		total.Requests += c.Requests
		total.NotModified += c.NotModified
		total.Faulty += c.Faulty
	}
	return total
}

// Forget sets the counts to nothing.
func (f *Fake) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = map[string]*Count{}
	f.impatient = 0
}

// Impatient is how many requests were made while a limit was known to be reached: a good client makes next to none.
func (f *Fake) Impatient() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.impatient
}

// Problems are requests that GitHub would not understand: paths and fields that do not exist.
func (f *Fake) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.problems)
}

// After has a function called after each answer, with the number of the request; nil: none.
func (f *Fake) After(do func(r *http.Request, n int)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after = do
}
