package gitlab

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// Credential is a round tripper that adds the connection's token to the requests that go to its GitLab, and to no other: a
// redirection to another host goes there bare.
type Credential struct {
	token string
	at    *url.URL
	base  http.RoundTripper
}

// NewCredential makes the credential of a connection.
func NewCredential(cfg Config, base http.RoundTripper) (*Credential, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, _ := addressOf(cfg.URL) // checked
	return &Credential{token: cfg.Token, at: at, base: base}, nil
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, header := range []string{"Authorization", "Private-Token", "Job-Token"} {
		r.Header.Del(header) // of a redirection, or of the client, which sets an empty one
	}
	if c.token != "" && strings.EqualFold(r.URL.Host, c.at.Host) && r.URL.Scheme == c.at.Scheme {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.base.RoundTrip(r)
}

// CloneHeader returns the header with which git may clone from the connection's GitLab; none without a credential. Any
// user name does with a token.
func (c *Credential) CloneHeader(context.Context) ([]string, error) {
	if c.token == "" {
		return nil, nil
	}
	return []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("oauth2:"+c.token))}, nil
}
