package github

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"cairn/internal/fault"
)

// Lifetimes of what an App signs and gets. GitHub takes a signature for ten minutes at most, and its clock may differ
// from ours; it gives tokens for an hour.
const (
	signedFor   = 9 * time.Minute
	signedFrom  = -30 * time.Second
	renewBefore = 5 * time.Minute
)

// Credential is a round tripper that adds the connection's credential to the requests that go to its GitHub, and to no
// other: a redirection to another host goes there bare. For an App it gets a token of the installation, keeps it and
// renews it five minutes before it ends; of many requests that need a new one, one gets it.
type Credential struct {
	cfg  Config
	at   addresses
	base http.RoundTripper
	now  func() time.Time
	key  *rsa.PrivateKey

	flight singleflight.Group
	mu     sync.Mutex
	token  string // of the installation
	until  time.Time
	place  int64 // the installation, once it is known
}

// NewCredential makes the credential of a connection. What it needs for itself goes through base, too.
func NewCredential(cfg Config, base http.RoundTripper, now func() time.Time) (*Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressesOf(cfg.URL) // checked
	c := &Credential{cfg: cfg, at: at, base: base, now: now, place: cfg.App.Installation}
	if cfg.App.ID != 0 {
		c.key, _ = privateKey(cfg.App.PrivateKey) // checked
	}
	return c, nil
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	if !c.ours(r.URL) {
		if r.Header.Get("Authorization") != "" { // net/http carries it along when only the port differs
			r = r.Clone(r.Context())
			r.Header.Del("Authorization")
		}
		return c.base.RoundTrip(r)
	}
	token, err := c.Token(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	if token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return c.base.RoundTrip(r)
}

// ours says whether a request goes to the connection's GitHub: the same host and port, and never in the clear when the
// address is https.
func (c *Credential) ours(u *url.URL) bool {
	return strings.EqualFold(u.Host, c.at.rest.Host) && u.Scheme == c.at.rest.Scheme
}

// Token returns the token that requests carry now; "" when there is no credential.
func (c *Credential) Token(ctx context.Context) (string, error) {
	if c.key == nil {
		return c.cfg.Token, nil
	}
	if token, ok := c.kept(); ok {
		return token, nil
	}
	// The one that gets it serves all that wait, so it does not end with the request of the first.
	done := c.flight.DoChan("token", func() (any, error) {
		if token, ok := c.kept(); ok {
			return token, nil
		}
		return c.renew(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case got := <-done:
		if got.Err != nil {
			return "", got.Err
		}
		return got.Val.(string), nil
	}
}

// CloneHeader returns the header with which git may clone from the connection's GitHub; none without a credential.
func (c *Credential) CloneHeader(ctx context.Context) ([]string, error) {
	token, err := c.Token(ctx)
	if err != nil || token == "" {
		return nil, err
	}
	return []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))}, nil
}

func (c *Credential) kept() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token, c.token != "" && c.now().Before(c.until.Add(-renewBefore))
}

// renew gets a token of the installation.
func (c *Credential) renew(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	place, err := c.installation(ctx)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := c.asApp(ctx, http.MethodPost, fmt.Sprintf("app/installations/%d/access_tokens", place), &answer); err != nil {
		return "", err
	}
	if answer.Token == "" || answer.ExpiresAt.IsZero() {
		return "", fault.New(fault.Unavailable, "GitHub gave no token for installation %d of App %d", place, c.cfg.App.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.until = answer.Token, answer.ExpiresAt
	return c.token, nil
}

// installation finds where the App is installed: as configured, on the first organisation or user, or the only one.
func (c *Credential) installation(ctx context.Context) (int64, error) {
	c.mu.Lock()
	place := c.place
	c.mu.Unlock()
	if place != 0 {
		return place, nil
	}
	type installation struct {
		ID      int64 `json:"id"`
		Account struct {
			Login string `json:"login"`
		} `json:"account"`
	}
	switch {
	case len(c.cfg.Organisations)+len(c.cfg.Users) > 0:
		path, owner := "orgs/", ""
		if len(c.cfg.Organisations) > 0 {
			owner = c.cfg.Organisations[0]
		} else {
			path, owner = "users/", c.cfg.Users[0]
		}
		var found installation
		if err := c.asApp(ctx, http.MethodGet, path+owner+"/installation", &found); err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return 0, fault.New(fault.Denied, "App %d is not installed on %s: install it there, or say where with app.installation", c.cfg.App.ID, owner)
			}
			return 0, err
		}
		place = found.ID
	default:
		var all []installation
		if err := c.asApp(ctx, http.MethodGet, "app/installations?per_page=100", &all); err != nil {
			return 0, err
		}
		switch len(all) {
		case 0:
			return 0, fault.New(fault.Denied, "App %d is installed nowhere: install it on the organisation that it is to read", c.cfg.App.ID)
		case 1:
			place = all[0].ID
		default:
			var owners []string
			for _, i := range all[:min(len(all), 10)] {
				owners = append(owners, fmt.Sprintf("%d (%s)", i.ID, i.Account.Login))
			}
			return 0, fault.New(fault.Invalid, "App %d is installed in several places: say which with app.installation or organisations: %s",
				c.cfg.App.ID, strings.Join(owners, ", "))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place = place
	return place, nil
}

// asApp makes one request as the App itself.
func (c *Credential) asApp(ctx context.Context, method, path string, into any) error {
	now := c.now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    strconv.FormatInt(c.cfg.App.ID, 10),
		IssuedAt:  jwt.NewNumericDate(now.Add(signedFrom)),
		ExpiresAt: jwt.NewNumericDate(now.Add(signedFrom + signedFor)),
	}).SignedString(c.key)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "signing as App %d", c.cfg.App.ID)
	}
	target, err := c.at.rest.Parse(path)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+signed)
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", apiVersion)
	answer, err := c.base.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "GitHub broke off while App %d asked for a token", c.cfg.App.ID)
	}
	if answer.StatusCode/100 != 2 {
		return c.refusal(answer.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Wrap(fault.Unavailable, err, "what GitHub answered to App %d cannot be read", c.cfg.App.ID)
	}
	return nil
}

func (c *Credential) refusal(status int, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said)
	switch {
	case status == http.StatusUnauthorized:
		return fault.New(fault.Denied, "GitHub refuses App %d (%s): see that app.id and app.private_key belong together and that this machine's clock is right",
			c.cfg.App.ID, said.Message)
	case status == http.StatusNotFound:
		return fault.New(fault.NotFound, "App %d has no such installation: see app.installation", c.cfg.App.ID)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "GitHub gives App %d no token: %s", c.cfg.App.ID, said.Message)
	default:
		return fault.New(fault.Unavailable, "GitHub gives App %d no token: status %d %s", c.cfg.App.ID, status, said.Message)
	}
}

func privateKey(text string) (*rsa.PrivateKey, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
	if err != nil {
		return nil, errors.New("it is no RSA key in PEM: give the whole file that GitHub let you download, from -----BEGIN to the end")
	}
	return key, nil
}
