package backstage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"cairn/internal/fault"
)

// api asks the backend. It is the one place where requests are made.
type api struct {
	name   string // of the connection, for errors
	base   string
	client *http.Client
}

// errBadRequest is in the chain of the error that Backstage does not understand a request, such as a cursor of an earlier
// version of its.
var errBadRequest = errors.New("the request is refused")

// maxError is how much of an error's body is read.
const maxError = 4096

// get asks for one thing. Errors are faults.
func (a api) get(ctx context.Context, path string, q url.Values, into any) error {
	return a.ask(ctx, http.MethodGet, path, q, nil, into)
}

// post asks with a body; it only reads.
func (a api) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s: asking Backstage for %s", a.name, path)
	}
	return a.ask(ctx, http.MethodPost, path, nil, text, into)
}

func (a api) ask(ctx context.Context, method, path string, q url.Values, body []byte, into any) error {
	address := a.base + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s: asking Backstage for %s", a.name, path)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "cairn")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Cairn-Read-Only", "1") // for the transport: it may be sent more than once
	}
	res, err := a.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err // without the query
		}
		return fault.Wrap(fault.Unavailable, err, "%s: asking Backstage for %s", a.name, path)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return a.fault(path, res)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		var kind *json.UnmarshalTypeError
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &kind):
			return fault.Wrap(fault.Internal, err, "%s: what Backstage answered to %s has another form than it had", a.name, path)
		case errors.As(err, &syntax) && strings.Contains(res.Header.Get("Content-Type"), "html"):
			return fault.Replace(fault.Invalid, err, "%s: %s answers with a page: url has to be the address of the backend, not of the pages", a.name, path)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Backstage to %s was cut off", a.name, path)
	}
	return nil
}

// fault says what a status means.
func (a api) fault(path string, res *http.Response) error {
	said := saidOf(res)
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, said, "%s: Backstage refuses the token: it is not, or no longer, among the static tokens of backend.auth.externalAccess in app-config.yaml; put the right one in its place", a.name)
	case status == http.StatusForbidden:
		return fault.Wrap(fault.Denied, said, "%s: the token may not read %s: see accessRestrictions of the token and the permission policy", a.name, path)
	case status == http.StatusNotFound:
		return fault.Replace(fault.NotFound, said, "%s: Backstage has no %s, or does not show it to the token", a.name, path)
	case status == http.StatusBadRequest:
		return fault.Wrap(fault.Internal, errors.Join(errBadRequest, said), "%s: Backstage answered %s with %d", a.name, path, status)
	case status == http.StatusTooManyRequests:
		return fault.Wrap(fault.Unavailable, said, "%s: Backstage asks for fewer requests", a.name)
	case status >= 500:
		return fault.Replace(fault.Unavailable, said, "%s: Backstage answered %s with %d: it may work later", a.name, path, status)
	default:
		return fault.Wrap(fault.Internal, said, "%s: Backstage answered %s with %d", a.name, path, status)
	}
}

// saidOf is Backstage's own words about an error.
func saidOf(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxError))
	var answer struct {
		Error struct{ Name, Message string }
	}
	if json.Unmarshal(text, &answer) == nil && answer.Error.Message != "" {
		return errors.New(strings.ToValidUTF8(answer.Error.Message[:min(len(answer.Error.Message), 200)], ""))
	}
	return errors.New(strings.ToLower(http.StatusText(res.StatusCode)))
}
