package humanitec

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

// path joins what names a thing.
func path(parts ...string) string {
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// maxAnswer bounds what is read of an answer; the transport has a bound of its own.
const maxAnswer = 64 << 20

// get asks for one thing. Errors are faults.
func (a api) get(ctx context.Context, path string, q url.Values, into any) error {
	target := a.base + "/" + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "%s: asking Humanitec for %s", a.name, path)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "cairn")
	answer, err := a.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return fault.Wrap(f.Kind, err, "%s: asking Humanitec for %s", a.name, path)
		}
		return fault.Wrap(fault.Unavailable, err, "%s: asking Humanitec for %s", a.name, path)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
		return a.fault(path, answer.StatusCode)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(answer.Body, maxAnswer)); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Humanitec to %s was cut off", a.name, path)
	}
	err = json.Unmarshal(body.Bytes(), into)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Humanitec to %s was cut off", a.name, path)
	}
	return fault.Wrap(fault.Internal, err, "%s: what Humanitec answered to %s has another form than it had", a.name, path)
}

// errRefused is in the chain of the error that the token is refused altogether.
var errRefused = errors.New("the token is refused")

// fault says what a status means.
func (a api) fault(path string, status int) error {
	switch {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, errRefused, "%s: Humanitec refuses the token: it has ended, was revoked, or is mistyped; make a new one and put it in its place", a.name)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s: the token may not read %s: give its service user the role Viewer there", a.name, path)
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.New(fault.NotFound, "%s: Humanitec has no %s, or does not show it to the token", a.name, path)
	case status == http.StatusBadRequest:
		return fault.New(fault.Invalid, "%s: Humanitec does not understand the request for %s", a.name, path)
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Unavailable, "%s: the limit of Humanitec on requests is reached", a.name)
	case status >= 500:
		return fault.New(fault.Unavailable, "%s: Humanitec answered %s with %d: it may work later", a.name, path, status)
	}
	return fault.New(fault.Internal, "%s: Humanitec answered %s with %d", a.name, path, status)
}
