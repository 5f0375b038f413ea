package port

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

// api asks the API. It is the one place where requests are made.
type api struct {
	name   string // of the connection, for errors
	base   string
	client *http.Client
}

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
		return fault.Wrap(fault.Internal, err, "%s: asking Port for %s", a.name, path)
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
		return fault.Wrap(fault.Internal, err, "%s: asking Port for %s", a.name, path)
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
		if kind := fault.KindOf(err); kind != fault.Internal && kind != fault.Unavailable {
			return err // of the credential, which says it all
		}
		return fault.Wrap(fault.Unavailable, err, "%s: asking Port for %s", a.name, path)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated {
		return a.fault(path, res)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &kind):
			return fault.Wrap(fault.Internal, err, "%s: what Port answered to %s has another form than it had", a.name, path)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Port to %s was cut off", a.name, path)
	}
	return nil
}

// fault says what a status means.
func (a api) fault(path string, res *http.Response) error {
	said := saidOf(res)
	switch status := res.StatusCode; {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, said, "%s: Port refuses the token that it gave for client_id and client_secret: take them from Credentials once more", a.name)
	case status == http.StatusForbidden:
		return fault.Wrap(fault.Denied, said, "%s: the client may not read %s: see the permissions of its user or service account", a.name, path)
	case status == http.StatusNotFound:
		return fault.Replace(fault.NotFound, said, "%s: Port has no %s, or does not show it to the client", a.name, path)
	case status == http.StatusTooManyRequests:
		return fault.Wrap(fault.Unavailable, said, "%s: Port asks for fewer requests", a.name)
	case status >= 500:
		return fault.Replace(fault.Unavailable, said, "%s: Port answered %s with %d: it may work later", a.name, path, status)
	default:
		return fault.Wrap(fault.Internal, said, "%s: Port answered %s with %d", a.name, path, status)
	}
}

// saidOf is Port's own words about an error.
func saidOf(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxError))
	var answer struct{ Message string }
	if json.Unmarshal(text, &answer) == nil && answer.Message != "" {
		return errors.New(strings.ToValidUTF8(answer.Message[:min(len(answer.Message), 200)], ""))
	}
	return errors.New(strings.ToLower(http.StatusText(res.StatusCode)))
}
