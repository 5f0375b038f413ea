package port

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cairn/internal/fault"
)

// Credential is a round tripper that adds an access token to the requests that go to the connection's Port, and to no
// other. A token is asked for with the client's id and secret, renewed before it ends, and once when it is refused.
type Credential struct {
	id, secret string
	name       string
	at         *url.URL
	base       http.RoundTripper
	now        func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// margin is how long before its end a token is renewed.
const margin = 5 * time.Minute

// NewCredential makes the credential of a connection. Errors are fault.Invalid.
func NewCredential(cfg Config, base http.RoundTripper, now func() time.Time) (*Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := cfg.address() // checked
	return &Credential{id: cfg.ClientID, secret: strings.TrimSpace(cfg.ClientSecret), name: cfg.Name, at: at, base: base, now: now}, nil
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	ours := strings.EqualFold(r.URL.Host, c.at.Host) && r.URL.Scheme == c.at.Scheme
	if !ours || c.id == "" {
		r = r.Clone(r.Context())
		r.Header.Del("Authorization")
		return c.base.RoundTrip(r)
	}
	token, err := c.valid(r, "")
	if err != nil {
		return nil, err
	}
	res, err := c.send(r, token)
	if err != nil || res.StatusCode != http.StatusUnauthorized || r.Body != nil && r.GetBody == nil {
		return res, err
	}
	// It was taken back before its time, or the clock here is wrong.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
	if token, err = c.valid(r, token); err != nil {
		return nil, err
	}
	return c.send(r, token)
}

func (c *Credential) send(r *http.Request, token string) (*http.Response, error) {
	out := r.Clone(r.Context())
	if r.Body != nil && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "%s: reading the request's body again", c.name)
		}
		out.Body = body
	}
	out.Header.Set("Authorization", "Bearer "+token)
	return c.base.RoundTrip(out)
}

// valid is a token that is not about to end, and is not the one that was refused.
func (c *Credential) valid(r *http.Request, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.token != refused && c.now().Before(c.until) {
		return c.token, nil
	}
	body, err := json.Marshal(map[string]string{"clientId": c.id, "clientSecret": c.secret})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "%s: asking Port for a token", c.name)
	}
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, c.at.String()+"/v1/auth/access_token", bytes.NewReader(body))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "%s: asking Port for a token", c.name)
	}
	ask.Header.Set("Content-Type", "application/json")
	ask.Header.Set("Accept", "application/json")
	ask.Header.Set("User-Agent", "cairn")
	begun := c.now()
	res, err := c.base.RoundTrip(ask)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "%s: asking Port for a token", c.name)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusUnprocessableEntity:
		return "", fault.Replace(fault.Denied, errRefused, "%s: Port refuses client_id and client_secret: they are mistyped, were rotated, or belong to another region than the one in region", c.name)
	case res.StatusCode/100 != 2:
		return "", fault.New(fault.Unavailable, "%s: Port gives no token, it answers %d: it may work later", c.name, res.StatusCode)
	}
	var answer struct {
		AccessToken string  `json:"accessToken"`
		ExpiresIn   float64 `json:"expiresIn"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer); err != nil || answer.AccessToken == "" {
		return "", fault.New(fault.Unavailable, "%s: Port's answer to a request for a token has none in it", c.name)
	}
	life := time.Duration(min(answer.ExpiresIn, 7*24*3600) * float64(time.Second))
	c.token, c.until = answer.AccessToken, begun.Add(life-min(margin, life/2))
	return c.token, nil
}

// errRefused is in the chain of the error that the client is refused altogether.
var errRefused = errors.New("the client is refused")
