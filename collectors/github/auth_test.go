package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
)

// appKey makes a key as GitHub lets one download it.
func appKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// answering is a round tripper of a function.
type answering func(r *http.Request) (status int, body string)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := a(r)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func TestATokenGoesToItsGitHubAndNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%q", r.Header["Authorization"])
	}))
	defer elsewhere.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, elsewhere.URL+"/taken", http.StatusFound)
			return
		}
		_, _ = fmt.Fprintf(w, "%q", r.Header["Authorization"])
	}))
	defer here.Close()
	cfg := DefaultConfig()
	cfg.URL, cfg.Token, cfg.Organisations = here.URL, "s3cret", []string{"acme"}
	credential, err := NewCredential(cfg, http.DefaultTransport, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: credential}
	for _, tt := range []struct{ name, url, want string }{
		{"its own", here.URL + "/user", `["Bearer s3cret"]`},
		{"another host", elsewhere.URL + "/user", `[]`},
		{"a redirection to another host", here.URL + "/away", `[]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := http.NewRequest(http.MethodGet, tt.url, nil)
			if tt.name == "another host" {
				r.Header.Set("Authorization", "Bearer s3cret")
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if got := string(body); got != tt.want {
				t.Errorf("got the header %s, want %s", got, tt.want)
			}
		})
	}
}

// installed is a GitHub on which an App is installed.
type installed struct {
	t     *testing.T
	key   *rsa.PublicKey
	now   atomic.Pointer[time.Time]
	mu    sync.Mutex
	asked []string // paths that were asked as the App
	seen  []string // credentials of other requests
	given int
	hold  chan struct{} // if set, a token is given when it is closed
}

func (g *installed) clock() time.Time { return *g.now.Load() }
func (g *installed) set(t time.Time)  { g.now.Store(&t) }
func (g *installed) answer(r *http.Request) (int, string) {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !strings.HasSuffix(r.URL.Path, "/access_tokens") && !strings.HasPrefix(r.URL.Path, "/app") && !strings.HasSuffix(r.URL.Path, "/installation") {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen = append(g.seen, bearer)
		return 200, "{}"
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(bearer, &claims, func(*jwt.Token) (any, error) { return g.key, nil },
		jwt.WithTimeFunc(g.clock), jwt.WithValidMethods([]string{"RS256"}))
	if err != nil || claims.Issuer != "7" || claims.ExpiresAt.After(g.clock().Add(10*time.Minute)) {
		return 401, `{"message":"A JSON web token could not be decoded"}`
	}
	g.mu.Lock()
	g.asked = append(g.asked, r.Method+" "+r.URL.Path)
	hold := g.hold
	g.mu.Unlock()
	switch r.URL.Path {
	case "/app/installations/70/access_tokens":
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return 500, "{}"
			}
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.given++
		return 201, fmt.Sprintf(`{"token":"ghs_%d","expires_at":%q}`, g.given, g.clock().Add(time.Hour).Format(time.RFC3339))
	case "/orgs/acme/installation":
		return 200, `{"id":70,"account":{"login":"acme"}}`
	case "/app/installations":
		return 200, `[{"id":70,"account":{"login":"acme"}}]`
	}
	return 404, `{"message":"Not Found"}`
}

func appOn(t *testing.T, change func(*Config)) (*installed, *Credential) {
	t.Helper()
	key, text := appKey(t)
	g := &installed{t: t, key: &key.PublicKey}
	g.set(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	cfg := DefaultConfig()
	cfg.App = App{ID: 7, Installation: 70, PrivateKey: text}
	if change != nil {
		change(&cfg)
	}
	c, err := NewCredential(cfg, answering(g.answer), g.clock)
	if err != nil {
		t.Fatal(err)
	}
	return g, c
}

func (g *installed) get(t *testing.T, c *Credential) {
	t.Helper()
	r, _ := http.NewRequest(http.MethodGet, "https://api.github.com/user", nil)
	if _, err := c.RoundTrip(r); err != nil {
		t.Error(err)
	}
}

func TestAnAppRenewsItsTokenFiveMinutesBeforeItEnds(t *testing.T) {
	g, c := appOn(t, nil)
	start := g.clock()
	for _, after := range []time.Duration{0, 54 * time.Minute, 55 * time.Minute, 109 * time.Minute, 3 * time.Hour} {
		g.set(start.Add(after))
		g.get(t, c)
	}
	want := []string{"ghs_1", "ghs_1", "ghs_2", "ghs_2", "ghs_3"}
	if diff := cmp.Diff(want, g.seen); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestOfManyRequestsOneGetsTheToken(t *testing.T) {
	g, c := appOn(t, nil)
	g.hold = make(chan struct{})
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() { g.get(t, c) })
	}
	time.Sleep(20 * time.Millisecond) // let them wait
	close(g.hold)
	wait.Wait()
	if g.given != 1 || len(g.seen) != 50 {
		t.Errorf("%d tokens for %d requests, want 1 for 50", g.given, len(g.seen))
	}
}

func TestOneThatGivesUpDoesNotEndTheOthersToken(t *testing.T) {
	g, c := appOn(t, nil)
	g.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := c.Token(ctx); first <- err }()
	time.Sleep(10 * time.Millisecond) // it is the one that asks
	second := make(chan string)
	go func() { token, _ := c.Token(t.Context()); second <- token }()
	time.Sleep(10 * time.Millisecond)
	cancel()
	if err := <-first; err == nil {
		t.Error("an ended context gave a token")
	}
	close(g.hold)
	if got := <-second; got != "ghs_1" {
		t.Errorf("got %q, want ghs_1", got)
	}
}

func TestTheInstallationIsFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"on the organisation", func(c *Config) { c.App.Installation = 0; c.Organisations = []string{"acme"} }, []string{"GET /orgs/acme/installation", "POST /app/installations/70/access_tokens"}},
		{"the only one", func(c *Config) { c.App.Installation = 0 }, []string{"GET /app/installations", "POST /app/installations/70/access_tokens"}},
		{"as configured", nil, []string{"POST /app/installations/70/access_tokens"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, c := appOn(t, tt.change)
			g.get(t, c)
			if diff := cmp.Diff(tt.want, g.asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnAppThatIsRefusedSaysWhy(t *testing.T) {
	g, c := appOn(t, func(c *Config) { c.App.Installation = 0; c.Organisations = []string{"elsewhere"} })
	if _, err := c.Token(t.Context()); fault.KindOf(err) != fault.Denied || !strings.Contains(fmt.Sprint(err), "not installed on elsewhere") {
		t.Errorf("not installed: got %v", err)
	}
	other, _ := appKey(t)
	g.key = &other.PublicKey
	if _, err := c.Token(t.Context()); fault.KindOf(err) != fault.Denied || !strings.Contains(fmt.Sprint(err), "private_key") {
		t.Errorf("another key: got %v", err)
	}
}

func TestGitGetsTheTokenAsAPassword(t *testing.T) {
	_, c := appOn(t, nil)
	header, err := c.CloneHeader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:ghs_1"))}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
