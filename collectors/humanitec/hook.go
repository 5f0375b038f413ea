package humanitec

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/source"
)

// Template is the payload that webhooks are set up with: Humanitec's own names no deployment.
const Template = `{"event": "${event}", "triggered_at": "${triggered_at}", "triggered_by": "${triggered_by}", "org_id": "${org_id}", "app_id": "${app_id}", ` +
	`"env_id": "${env_id}", "deploy_id": "${deploy_id}", "delta_id": "${delta_id}", "set_id": "${set_id}", "comment": "${comment}", "status": "${status}"}`

// Receiver hears the webhooks of the first version. With a credential they only say what to read again; without one they
// tell what they can. It is safe for use from several goroutines.
type Receiver struct {
	c      *Connection
	memory *hook.Memory[occurrence]
}

// Receiver makes the receiver of the connection's webhooks. Without a secret it is a fault.Invalid.
func (c *Connection) Receiver() (*Receiver, error) {
	if c.scheme == nil {
		return nil, fault.New(fault.Invalid, "connection %s: header is empty, without a secret in it anybody could send webhooks", c.cfg.Name)
	}
	return &Receiver{c: c, memory: hook.NewMemory[occurrence](20_000)}, nil
}

// Verify says whether the request carries one of the secrets: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Webhooks have no id: their body identifies them.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	var o occurrence
	_ = json.Unmarshal(body, &o) // Hear says what is wrong with it
	return hook.Describe(r.c.cfg.Name, o.Event, "", h, body)
}

// occurrence is a webhook that was made with the template.
type occurrence struct {
	Event  string `json:"event"`
	At     string `json:"triggered_at"`
	By     string `json:"triggered_by"`
	Org    string `json:"org_id"`
	App    string `json:"app_id"`
	Env    string `json:"env_id"`
	Deploy string `json:"deploy_id"`
	Set    string `json:"set_id"`
	Status string `json:"status"`
	at     time.Time
}

// Reasons to ignore a webhook.
const (
	ignoredEnvironment = "an environment came or went, and there is no token to look"
	ignoredOther       = "another organisation"
	ignoredLeftOut     = "an application or an environment that is left out"
)

const (
	started  = "deployment.started"
	finished = "deployment.finished"
)

// Hear tells what a webhook means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var o occurrence
	if err := hook.Decode(d.Body, &o); err != nil {
		return source.Heard{}, err
	}
	for _, text := range []*string{&o.At, &o.By, &o.Org, &o.App, &o.Env, &o.Deploy, &o.Set, &o.Status} {
		if strings.HasPrefix(*text, "${") {
			*text = "" // nothing was put in its place
		}
	}
	switch {
	case !slices.Contains([]string{started, finished, "environment.created", "environment.deleted"}, o.Event):
		return source.Heard{}, fault.New(fault.Invalid, "the event %.60q is not one that is known", o.Event)
	case o.App == "" || o.Org == "":
		return source.Heard{}, fault.New(fault.Invalid, "the webhook has no app_id or org_id: was it set up with the template of the documentation?")
	case r.c.cfg.Organisation != "" && o.Org != r.c.cfg.Organisation:
		return source.Heard{Ignored: ignoredOther}, nil
	}
	of := o.Event == started || o.Event == finished
	switch {
	case of && (o.Deploy == "" || o.Env == ""):
		return source.Heard{}, fault.New(fault.Invalid, "the webhook of a deployment has no deploy_id or env_id: was it set up with the template of the documentation?")
	case r.c.cfg.Reads() && of:
		return source.Heard{Wakes: []source.Wake{{Stream: streamOf(o.App), Subject: o.Env + "/" + o.Deploy}}}, nil
	case r.c.cfg.Reads():
		return source.Heard{Wakes: []source.Wake{{Stream: streamOf(o.App)}}}, nil
	case !of:
		return source.Heard{Ignored: ignoredEnvironment}, nil
	}
	return r.deployment(o)
}

// Joins says whether webhooks are put together: without a credential, with which deployments are read.
func (r *Receiver) Joins() bool { return !r.c.cfg.Reads() }

// deployment tells a deployment as well as webhooks can: its deployment set stands for its version.
func (r *Receiver) deployment(o occurrence) (source.Heard, error) {
	var err error
	if o.at, err = hook.Instant("triggered_at", o.At); err != nil {
		return source.Heard{}, err
	}
	if o.at.IsZero() {
		return source.Heard{}, fault.New(fault.Invalid, "the webhook has no triggered_at: was it set up with the template of the documentation?")
	}
	if o.Event == finished && statusOf(o.Status) == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the status %.60q is not one that is known", o.Status)
	}
	id := strings.Join([]string{o.Org, o.App, o.Env, o.Deploy}, "/")
	parts := r.memory.Join(id, o.Event, o.at, o)
	begin, began := parts[started]
	told := deployed{id: id, application: o.App, environment: o.Env, status: "in_progress", created: begin.at, changed: begin.at, actor: begin.By}
	end, ended := parts[finished]
	if ended {
		told.status, told.changed = statusOf(end.Status), end.at
		if final(told.status) {
			told.finished = end.at
		}
		if told.actor == "" {
			told.actor = end.By
		}
		if began && begin.at.After(end.at) {
			told.created = end.at
		}
	}
	facts := r.c.t.facts(told)
	if len(facts) == 0 {
		return source.Heard{Ignored: ignoredLeftOut}, nil
	}
	set := end.Set
	if set == "" {
		set = begin.Set
	}
	// The API tells the same state with more: that has to be later than this.
	at := hook.At(told.changed.Add(-time.Second), len(parts), 3)
	for _, fact := range facts {
		fact.Common().UpdatedAt = at
		if d, ok := fact.(*event.Deployment); ok {
			d.Artifact = set
		}
	}
	return hook.Told(r.c.cfg.Name, facts...)
}
