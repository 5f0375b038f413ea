package backstage

import (
	"net/http"
	"net/url"
	"strings"
)

// Credential is a round tripper that adds the connection's token to the requests that go to its Backstage, and to no
// other: a redirection to another host goes there bare.
type Credential struct {
	token string
	at    *url.URL
	base  http.RoundTripper
}

// NewCredential makes the credential of a connection. Errors are fault.Invalid.
func NewCredential(cfg Config, base http.RoundTripper) (*Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressOf(cfg.URL) // checked
	return &Credential{token: strings.TrimSpace(cfg.Token), at: at, base: base}, nil
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if strings.EqualFold(r.URL.Host, c.at.Host) && r.URL.Scheme == c.at.Scheme {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.base.RoundTrip(r)
}
