// Package rest asks the REST API of a system for one thing at a time, and says in the same words for all systems what an
// answer other than 200 means. It knows nothing of what is asked for.
package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cairn/internal/fault"
)

// API asks a REST API that answers in JSON. Its client authenticates, limits, retries and caches.
type API struct {
	Name   string // of the connection
	System string // as people call it: PagerDuty
	Base   *url.URL
	Client *http.Client
	Accept string // "" is application/json
	Needs  string // what the credential has to be allowed, for a person: the role Viewer
	Key    string // what the credential is called there; "" is token
}

// called is what the credential is called.
func (a API) called() string { return cmp.Or(a.Key, "token") }

// ErrRefused is in the chain of the error that a credential is refused altogether.
var ErrRefused = errors.New("the credential is refused")

// ErrBadRequest is in the chain of the error that a request is not understood: a cursor of an earlier time, or a parameter
// that the system does not know.
var ErrBadRequest = errors.New("the request is not understood")

// Get asks for one thing, whose path may have escaped parts. Errors are faults, with what the client's errors have in
// their chains.
func (a API) Get(ctx context.Context, path string, q url.Values, into any) error {
	response, err := a.ask(ctx, path, q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		_, kind := errors.AsType[*json.UnmarshalTypeError](err)
		_, instant := errors.AsType[*time.ParseError](err)
		if kind || instant {
			return fault.Wrap(fault.Internal, err, "%s: what %s answered to %s has another form than it had", a.Name, a.System, path)
		}
		return a.cut(ctx, path, err)
	}
	return nil
}

// Read is Get for a thing of any form, as it comes.
func (a API) Read(ctx context.Context, path string, q url.Values) ([]byte, error) {
	response, err := a.ask(ctx, path, q)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, a.cut(ctx, path, err)
	}
	return body, nil
}

// cut says why an answer does not come to its end.
func (a API) cut(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok { // of the client: the answer is too large
		return fault.Wrap(f.Kind, err, "%s: reading what %s answered to %s", a.Name, a.System, path)
	}
	return fault.Replace(fault.Unavailable, err, "%s: what %s answered to %s is no JSON, or was cut off: is the address right?", a.Name, a.System, path)
}

// ask asks for one thing: its answer is a 200, with a body that has to be closed, or a fault.
func (a API) ask(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	at := strings.TrimRight(a.Base.String(), "/") + "/" + strings.TrimLeft(path, "/")
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "%s: asking %s for %s", a.Name, a.System, path)
	}
	request.Header.Set("User-Agent", "cairn")
	request.Header.Set("Accept", "application/json")
	if a.Accept != "" {
		request.Header.Set("Accept", a.Accept)
	}
	response, err := a.Client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may hold more than is told
		}
		kind := fault.Unavailable
		if f, ok := errors.AsType[*fault.Error](err); ok {
			kind = f.Kind
		}
		return nil, fault.Wrap(kind, err, "%s: asking %s for %s", a.Name, a.System, path)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, a.fault(path, response)
	}
	return response, nil
}

// fault says what an answer other than 200 means.
func (a API) fault(path string, response *http.Response) error {
	status := response.StatusCode
	switch {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, ErrRefused, "%s: %s refuses the %s: it has ended, was revoked, or is mistyped; make a new one and put it in its place", a.Name, a.System, a.called())
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s: the %s may not read %s: it needs %s", a.Name, a.called(), path, a.Needs)
	case status == http.StatusNotFound, status == http.StatusNoContent, status == http.StatusGone:
		return fault.New(fault.NotFound, "%s: %s has no %s, or does not show it to the %s", a.Name, a.System, path, a.called())
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Unavailable, "%s: the limit of %s on requests is reached", a.Name, a.System)
	case status >= 500:
		return fault.New(fault.Unavailable, "%s: %s answered %s with %d: it may work later", a.Name, a.System, path, status)
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
	said := strings.ToValidUTF8(strings.TrimSpace(string(text)), "")
	if status == http.StatusBadRequest {
		return fault.Replace(fault.Internal, ErrBadRequest, "%s: %s answered %s with %d: %s", a.Name, a.System, path, status, said)
	}
	return fault.New(fault.Internal, "%s: %s answered %s with %d: %s", a.Name, a.System, path, status, said)
}

// Credential adds a header to the requests that go to one host, and to no other: a redirection elsewhere goes bare. Of
// what else might authenticate, cookies are dropped everywhere.
type Credential struct {
	Header, Value string
	At            *url.URL
	Next          http.RoundTripper
}

// Bearer is the credential of a token in the header Authorization; "" goes bare everywhere.
func Bearer(token string, at *url.URL, next http.RoundTripper) *Credential {
	c := &Credential{Header: "Authorization", At: at, Next: next}
	if token != "" {
		c.Value = "Bearer " + token
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *Credential) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del(c.Header)
	r.Header.Del("Cookie")
	if c.Value != "" && strings.EqualFold(r.URL.Host, c.At.Host) && r.URL.Scheme == c.At.Scheme {
		r.Header.Set(c.Header, c.Value)
	}
	return c.Next.RoundTrip(r)
}

// Address reads the address of a system that stands at a place of the configuration. Errors are fault.Invalid.
func Address(place, text string) (*url.URL, error) {
	at, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" {
		return nil, fault.New(fault.Invalid, "%s is no address such as https://api.example.com, without a user, a query or a fragment", place)
	}
	return at, nil
}
