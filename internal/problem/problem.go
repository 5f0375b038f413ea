// Package problem writes every error answer of the HTTP interface, in the form of RFC 9457 (application/problem+json),
// and reads it back on the client's side. Handlers return errors; what goes out is decided here, from the kind of fault.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"cairn/internal/fault"
)

// ContentType is the media type of an answer.
const ContentType = "application/problem+json"

// Problem is one error answer. It is an error itself, for the few cases in which the kind of fault does not say enough.
type Problem struct {
	Type     string `json:"type"`               // urn:cairn:problem: and the title
	Title    string `json:"title"`              // the status in words
	Status   int    `json:"status"`             // HTTP status
	Detail   string `json:"detail,omitempty"`   // a sentence about this case
	Instance string `json:"instance,omitempty"` // path of the request
	Errors   []Item `json:"errors,omitempty"`   // each thing that is wrong with the input
}

// Item is one thing that is wrong with the input.
type Item struct {
	Line     int    `json:"line,omitempty"`   // line of the input, from 1
	Column   int    `json:"column,omitempty"` // byte of the line, from 1
	Index    *int   `json:"index,omitempty"`  // element of the array, from 0
	Type     string `json:"type,omitempty"`   // kind of the event
	Field    string `json:"field"`            // JSON pointer into the event; empty for the event itself
	Value    string `json:"value,omitempty"`  // what stands there, as JSON, shortened
	Expected string `json:"expected"`         // what should stand there
}

// Error is the detail, or the title where there is none.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Unreachable is the fault of a client that got no answer from the cairn at base.
func Unreachable(base string, err error) error {
	return fault.New(fault.Unavailable, "no cairn answers at %s (%w): start one with cairn serve, or name the right one with --server", base, reason(err))
}

// reason is what a network error says of the network, without the request that met it.
func reason(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Retry is what the header Retry-After of an answer says, in seconds, when the same request may work later.
const Retry = "2"

// From is the problem that answers a request which met err. The text of an internal error stays inside: whoever
// handles the request logs it.
func From(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return complete(*p)
	}
	kind := fault.KindOf(err)
	p := Problem{Status: kind.HTTPStatus(), Detail: err.Error()}
	if kind == fault.Internal {
		p.Detail = "cairn made a mistake; its log says more"
	}
	return complete(p)
}

// complete fills in what follows from the status.
func complete(p Problem) *Problem {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.Type == "" {
		p.Type = "urn:cairn:problem:" + strings.ReplaceAll(strings.ToLower(p.Title), " ", "-")
	}
	return &p
}

// Write answers the request with the problem that err is.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	p := From(err)
	if p.Instance == "" {
		p.Instance = r.URL.Path
	}
	body, err := json.MarshalIndent(p, "", "  ")
	if err != nil { // only strings and numbers: it cannot happen
		http.Error(w, p.Detail, p.Status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	if p.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", Retry)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // who does not wait for the answer does not miss it
}

// maxRead bounds an error answer that is read.
const maxRead = 1 << 20

// Read turns an answer that is no success into a fault of the kind that its status stands for, whose cause is the
// *Problem. An answer that is no problem+json, such as a proxy's, becomes one with the beginning of its text. The body
// is read and not closed.
func Read(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRead))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the answer of %s", resp.Request.URL.Host)
	}
	p := &Problem{}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != ContentType || json.Unmarshal(body, p) != nil {
		text := strings.TrimSpace(string(body[:min(len(body), 200)]))
		p = &Problem{Detail: strings.TrimSuffix(fmt.Sprintf("%s answered %s: %s", resp.Request.URL.Host, resp.Status, text), ": ")}
	}
	p.Status = resp.StatusCode
	p = complete(*p)
	return &fault.Error{Kind: kindOf(p.Status), Message: p.Error(), Cause: p}
}

// kindOf is the kind of fault behind a status: the one with this status, else the nearest.
func kindOf(status int) fault.Kind {
	for _, kind := range []fault.Kind{fault.Invalid, fault.NotFound, fault.Denied, fault.Conflict, fault.TooLarge, fault.Unavailable} {
		if kind.HTTPStatus() == status {
			return kind
		}
	}
	switch status {
	case http.StatusUnauthorized:
		return fault.Denied
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return fault.Unavailable
	}
	if status >= 400 && status < 500 {
		return fault.Invalid
	}
	return fault.Internal
}
