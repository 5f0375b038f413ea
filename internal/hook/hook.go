// Package hook is what the receivers of systems that only push have in common: how a sender that has no signature of its
// own shows who it is, how a delivery is described, how its instants are read, and how several deliveries about one thing
// are joined. It stands between a webhook and the collector that understands it.
package hook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Basic is a user with one of several passwords.
type Basic struct {
	User      string   `yaml:"user"`
	Passwords []string `yaml:"passwords" secret:"true"`
}

// Signing is a header `sha256=<hex>` with the HMAC-SHA256 of the body.
type Signing struct {
	Header  string   `yaml:"header"`
	Secrets []string `yaml:"secrets" secret:"true"`
}

// Token is a header that carries a secret as it is.
type Token struct {
	Header  string   `yaml:"header"`
	Secrets []string `yaml:"secrets" secret:"true"`
}

// Agreed is how a sender shows who it is, where its system leaves that open: in one of the ways that have secrets.
type Agreed struct {
	Bearer  []string
	Basic   Basic
	Signing Signing
	Token   Token
}

// Scheme checks what was agreed. Without any secret it is a fault.Invalid that says what to set.
func (a Agreed) Scheme(say string) (*signature.Scheme, error) {
	var schemes []*signature.Scheme
	for _, way := range []struct {
		place   string
		secrets []string
		make    func() (*signature.Scheme, error)
	}{
		{"tokens", a.Bearer, func() (*signature.Scheme, error) { return signature.Bearer(a.Bearer...) }},
		{"basic", a.Basic.Passwords, func() (*signature.Scheme, error) { return signature.Basic(a.Basic.User, a.Basic.Passwords...) }},
		{"signing", a.Signing.Secrets, func() (*signature.Scheme, error) {
			return signature.Hex(a.Signing.Header, a.Signing.Secrets...)
		}},
		{"header", a.Token.Secrets, func() (*signature.Scheme, error) {
			return signature.Token(a.Token.Header, a.Token.Secrets...)
		}},
	} {
		if len(way.secrets) == 0 {
			continue
		}
		if (way.place == "signing" && a.Signing.Header == "") || (way.place == "header" && a.Token.Header == "") {
			return nil, fault.New(fault.Invalid, "%s.header is empty: it names the header that carries the secret", way.place)
		}
		scheme, err := way.make()
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%s", way.place)
		}
		schemes = append(schemes, scheme)
	}
	if len(schemes) == 0 {
		return nil, fault.New(fault.Invalid, "webhooks need a secret, without one anybody could send them: %s", say)
	}
	return signature.Any(schemes[0], schemes[1:]...), nil
}

// Describe makes the delivery of a verified request, with those of its headers that carry meaning. Without an id of the
// sender's it is identified by its body.
func Describe(connection, name, id string, h http.Header, body []byte, keep ...string) source.Delivery {
	if id == "" {
		sum := sha256.Sum256(body)
		id = hex.EncodeToString(sum[:])
	}
	d := source.Delivery{Source: connection, ID: id, Event: name, Header: http.Header{}, Body: body}
	for _, header := range append(keep, "Content-Type") {
		if values := h.Values(header); len(values) > 0 {
			d.Header[http.CanonicalHeaderKey(header)] = values
		}
	}
	return d
}

// Decode reads the JSON of a delivery.
func Decode(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is { // whose own text has types of Go
		where := "in its place"
		if wrong.Field != "" {
			where = "at " + wrong.Field
		}
		return fault.Replace(fault.Invalid, err, "the payload cannot be read: another kind of value than a JSON %s is expected %s", wrong.Value, where)
	}
	if err != nil {
		return fault.New(fault.Invalid, "the payload cannot be read: %w", err)
	}
	return nil
}

// Instant reads an instant, in RFC 3339, with milliseconds. "", null's zero value and years before 1970, with which
// some systems say "not yet", are the zero time.
func Instant(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil || t.Year() > 2105 {
		return time.Time{}, fault.New(fault.Invalid, "%s is no instant such as 2026-01-31T09:30:00Z", field)
	}
	if t.Year() < 1970 {
		return time.Time{}, nil
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// Told is what a delivery tells, checked: a fact that intake would refuse is a fault.Invalid of the delivery.
func Told(connection string, facts ...event.Event) (source.Heard, error) {
	for _, fact := range facts {
		fact.Common().Source = connection
		if wrong := event.Validate(fact); wrong != nil {
			return source.Heard{}, fault.Wrap(fault.Invalid, wrong, "the delivery makes no %s", fact.Kind())
		}
	}
	return source.Heard{Facts: facts}, nil
}

// Withdraw makes an incident one that no service's number counts. A fact that was told cannot be taken back, so what turns
// out to be none, or goes on as another one, is told so; Cause is external, since no deployment of ours failed.
func Withdraw(i *event.Incident) {
	i.Service, i.Severity, i.Cause = "", "", "external"
	i.CausedByDeployment, i.FixedByDeployment = "", ""
	i.RestoredAt, i.ResolvedAt = i.StartedAt, i.StartedAt
}

// LeaveOut withdraws an incident of a service that is left out. It may have been another service's before, as which it was
// told: what is not told at all stays so. Of what is left out no more is told than that.
func LeaveOut(i *event.Incident) {
	Withdraw(i)
	i.Title, i.URL = "", ""
	i.DetectedAt, i.AcknowledgedAt = time.Time{}, time.Time{}
}
