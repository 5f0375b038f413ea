package terraform

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rest"
)

// api asks the API, which speaks JSON:API.
type api struct{ rest.API }

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
	err := a.Get(ctx, path, q, &d)
	return d, err
}

// decode reads the data of a document, which is JSON.
func (a api) decode(path string, data []byte, into any) error {
	return fault.Wrap(fault.Internal, json.Unmarshal(data, into), "%s: what Terraform answered to %s has another form than it had", a.Name, path)
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
