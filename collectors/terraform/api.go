package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
)

// api asks the API, which speaks JSON:API. It is the one place where requests are made.
type api struct {
	name   string // of the connection, for errors
	base   string
	client *http.Client
}

// perPage is how many things are given at most on a page.
const perPage = 100

// document is what the API answers: a thing or a list, with what belongs to it.
type document struct {
	Data     json.RawMessage
	Included []thing
	Meta     struct {
		Pagination struct {
			Next  int   `json:"next-page"`
			Total int64 `json:"total-count"`
		}
	}
}

// thing is a resource of JSON:API.
type thing struct {
	ID, Type      string
	Attributes    json.RawMessage
	Relationships map[string]struct{ Data json.RawMessage }
}

// related is the id of the thing that a relationship names; "" where there is none.
func (t thing) related(name string) string {
	var to struct{ ID string }
	_ = json.Unmarshal(t.Relationships[name].Data, &to) // a list, or null: none
	return to.ID
}

// included finds a thing that belongs to the document.
func (d document) included(kind, id string) (thing, bool) {
	for _, t := range d.Included {
		if id != "" && t.ID == id && t.Type == kind {
			return t, true
		}
	}
	return thing{}, false
}

// get asks for a document. Errors are faults.
func (a api) get(ctx context.Context, path string, q url.Values) (document, error) {
	var d document
	body, err := a.raw(ctx, "/api/v2/"+path, q)
	if err != nil {
		return d, err
	}
	return d, a.decode(path, body, &d)
}

func (a api) decode(path string, body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fault.Replace(fault.Unavailable, err, "%s: the answer of Terraform to %s was cut off", a.name, path)
	}
	return fault.Wrap(fault.Internal, err, "%s: what Terraform answered to %s has another form than it had", a.name, path)
}

// list asks for a page of a list, and what follows it.
func (a api) list(ctx context.Context, path string, q url.Values, page int) ([]thing, document, error) {
	all := url.Values{"page[size]": {strconv.Itoa(perPage)}, "page[number]": {strconv.Itoa(page)}}
	for key, values := range q {
		all[key] = values
	}
	d, err := a.get(ctx, path, all)
	if err != nil {
		return nil, d, err
	}
	var things []thing
	return things, d, a.decode(path, d.Data, &things)
}

// maxAnswer bounds what is read of an answer; the transport has a bound of its own.
const maxAnswer = 64 << 20

func (a api) raw(ctx context.Context, path string, q url.Values) ([]byte, error) {
	target := a.base + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "%s: asking Terraform for %s", a.name, path)
	}
	r.Header.Set("Accept", "application/vnd.api+json, application/json")
	r.Header.Set("User-Agent", "cairn")
	answer, err := a.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err // the address may carry a secret of its own
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return nil, fault.Wrap(f.Kind, err, "%s: asking Terraform for %s", a.name, path)
		}
		return nil, fault.Wrap(fault.Unavailable, err, "%s: asking Terraform for %s", a.name, path)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
		return nil, a.fault(path, answer.StatusCode)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(answer.Body, maxAnswer)); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fault.Replace(fault.Unavailable, err, "%s: the answer of Terraform to %s was cut off", a.name, path)
	}
	return body.Bytes(), nil
}

// errRefused is in the chain of the error that the token is refused altogether.
var errRefused = errors.New("the token is refused")

// fault says what a status means. Terraform answers 404 also where the token may not read.
func (a api) fault(path string, status int) error {
	switch {
	case status == http.StatusUnauthorized:
		return fault.Replace(fault.Denied, errRefused, "%s: Terraform refuses the token: it has ended, was revoked, or is mistyped; make a new one and put it in its place", a.name)
	case status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s: the token may not read %s: it has to be a team's or a user's that may read runs", a.name, path)
	case status == http.StatusNotFound, status == http.StatusNoContent, status == http.StatusGone:
		return fault.New(fault.NotFound, "%s: Terraform has no %s, or does not show it to the token", a.name, path)
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Unavailable, "%s: the limit of Terraform on requests is reached", a.name)
	case status >= 500:
		return fault.New(fault.Unavailable, "%s: Terraform answered %s with %d: it may work later", a.name, path, status)
	}
	return fault.New(fault.Internal, "%s: Terraform answered %s with %d", a.name, path, status)
}

// run is a run with what belongs to it.
type run struct {
	ID, Workspace, Plan    string
	CreatedBy, ConfirmedBy string // ids of users
	Requester              string // name of who began it
	Commit, Repository     string // of the configuration, where it comes from version control

	Status, Source                                                    string
	PlanOnly, RefreshOnly, SavePlan, IsDestroy, HasChanges, AutoApply bool

	CreatedAt time.Time
	At        map[string]time.Time // when it reached a status: applied, errored
}

// readRun makes a run of a thing and what is included with it.
func readRun(t thing, d document) (run, error) {
	var a struct {
		Status, Source string
		PlanOnly       bool              `json:"plan-only"`
		RefreshOnly    bool              `json:"refresh-only"`
		SavePlan       bool              `json:"save-plan"`
		IsDestroy      bool              `json:"is-destroy"`
		HasChanges     bool              `json:"has-changes"`
		AutoApply      bool              `json:"auto-apply"`
		CreatedAt      string            `json:"created-at"`
		CanceledAt     string            `json:"canceled-at"`
		Timestamps     map[string]string `json:"status-timestamps"`
	}
	if err := json.Unmarshal(t.Attributes, &a); err != nil {
		return run{}, fault.Wrap(fault.Internal, err, "the run %q has another form than runs had", t.ID)
	}
	r := run{
		ID: t.ID, Workspace: t.related("workspace"), Plan: t.related("plan"), CreatedBy: t.related("created-by"), ConfirmedBy: t.related("confirmed-by"),
		Status: a.Status, Source: a.Source, PlanOnly: a.PlanOnly, RefreshOnly: a.RefreshOnly, SavePlan: a.SavePlan, IsDestroy: a.IsDestroy,
		HasChanges: a.HasChanges, AutoApply: a.AutoApply, At: map[string]time.Time{},
	}
	var err error
	if r.CreatedAt, err = hook.Instant("created-at", a.CreatedAt); err != nil || r.CreatedAt.IsZero() || r.ID == "" {
		return run{}, fault.New(fault.Internal, "the run %q has no instant created-at: it has another form than runs had", t.ID)
	}
	if a.Timestamps == nil {
		a.Timestamps = map[string]string{}
	}
	if a.Timestamps["canceled-at"] == "" {
		a.Timestamps["canceled-at"] = a.CanceledAt
	}
	for name, text := range a.Timestamps {
		at, err := hook.Instant(name, text)
		if err != nil {
			return run{}, fault.Wrap(fault.Internal, err, "the run %q", t.ID)
		}
		if !at.IsZero() {
			r.At[name[:max(len(name)-len("-at"), 0)]] = at
		}
	}
	if user, ok := d.included("users", r.CreatedBy); ok {
		var u struct{ Username string }
		_ = json.Unmarshal(user.Attributes, &u)
		r.Requester = u.Username
	}
	if version, ok := d.included("configuration-versions", t.related("configuration-version")); ok {
		if ingress, ok := d.included("ingress-attributes", version.related("ingress-attributes")); ok {
			var from struct {
				Identifier string
				SHA        string `json:"commit-sha"`
				Sender     string `json:"sender-username"`
			}
			_ = json.Unmarshal(ingress.Attributes, &from)
			r.Commit, r.Repository = from.SHA, from.Identifier
			if r.Requester == "" {
				r.Requester = from.Sender
			}
		}
	}
	return r, nil
}
