package terraform

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

// Receiver hears the notifications. With a credential they only say what to read again; without one they tell what they
// can. It is safe for use from several goroutines.
type Receiver struct {
	c      *Connection
	memory *hook.Memory[happening]
}

// remembered is of how many runs the notifications are joined.
const remembered = 20_000

// Receiver makes the receiver of the connection's notifications. Without a secret it is a fault.Invalid.
func (c *Connection) Receiver() (*Receiver, error) {
	if c.scheme == nil {
		return nil, fault.New(fault.Invalid, "connection %s: webhook_secrets is empty, without one anybody could send notifications", c.cfg.Name)
	}
	return &Receiver{c: c, memory: hook.NewMemory[happening](remembered)}, nil
}

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Notifications have no id: their body identifies them.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	var n notification
	_ = json.Unmarshal(body, &n) // Hear says what is wrong with it
	trigger := n.Trigger
	if len(n.Notifications) > 0 {
		trigger = n.Notifications[0].Trigger
	}
	return hook.Describe(r.c.cfg.Name, trigger, "", h, body)
}

// notification is either version of the payload: the first tells of runs, the second of workspaces.
type notification struct {
	Version       json.RawMessage `json:"payload_version"` // 1, and "2"
	RunID         string          `json:"run_id"`
	RunURL        string          `json:"run_url"`
	RunCreatedAt  string          `json:"run_created_at"`
	RunCreatedBy  string          `json:"run_created_by"`
	WorkspaceID   string          `json:"workspace_id"`
	WorkspaceName string          `json:"workspace_name"`
	Organisation  string          `json:"organization_name"`
	Notifications []happening     `json:"notifications"`

	Trigger string `json:"trigger"`
	Details struct {
		RunID         string `json:"run_external_id"`
		WorkspaceID   string `json:"workspace_id"`
		WorkspaceName string `json:"workspace_name"`
		Organisation  string `json:"organization_name"`
	} `json:"details"`
	Stage string `json:"stage"` // of a run task
}

// happening is something that happened to a run.
type happening struct {
	Trigger   string `json:"trigger"`
	Status    string `json:"run_status"`
	UpdatedAt string `json:"run_updated_at"`
	UpdatedBy string `json:"run_updated_by"`
	at        time.Time
}

// Reasons to ignore a notification.
const (
	ignoredVerification = "the request with which Terraform tries the address"
	ignoredAssessment   = "an assessment, which asks for nothing"
	ignoredReminder     = "a reminder"
	ignoredNoRun        = "a removal that did not begin"
	ignoredReadOnly     = "only the API tells it whole, and there is no token"
	ignoredTask         = "a request for a run task"
	ignoredEarly        = "a run that is not known to change anything"
	ignoredLeftOut      = "a workspace that is left out"
	ignoredTeam         = "a request to a team, not to the platform"
)

// Hear tells what a notification means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var n notification
	if err := hook.Decode(d.Body, &n); err != nil {
		return source.Heard{}, err
	}
	version := strings.Trim(string(n.Version), `"`)
	switch {
	case version != "1" && version != "2":
		return source.Heard{}, fault.New(fault.Invalid, "payload_version is neither 1 nor 2: it is no notification of Terraform")
	case len(n.Notifications) == 0 && n.Trigger == "" && n.Stage != "" && n.RunID != "":
		return source.Heard{Ignored: ignoredTask}, nil
	case len(n.Notifications) == 0:
		return r.ofWorkspace(n)
	}
	for _, h := range n.Notifications {
		if h.Trigger == "verification" {
			return source.Heard{Ignored: ignoredVerification}, nil
		}
		if !slices.Contains(runTriggers, h.Trigger) {
			return source.Heard{}, fault.New(fault.Invalid, "the trigger %.60q is not one that is known", h.Trigger)
		}
	}
	if n.RunID == "" || n.WorkspaceID == "" || n.WorkspaceName == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the notification of a run has no run_id, workspace_id or workspace_name")
	}
	if !r.c.cfg.Workspaces.takes(n.WorkspaceName) {
		return source.Heard{Ignored: ignoredLeftOut}, nil
	}
	if r.c.cfg.Reads() {
		return source.Heard{Wakes: []source.Wake{{Stream: streamOf(n.WorkspaceID), Subject: n.RunID}}}, nil
	}
	return r.ofRun(n)
}

// Joins says whether notifications are put together: without a credential, with which runs are read.
func (r *Receiver) Joins() bool { return !r.c.cfg.Reads() }

var runTriggers = []string{"run:created", "run:planning", "run:needs_attention", "run:applying", "run:completed", "run:errored"}

// ofWorkspace hears what happened to a workspace.
func (r *Receiver) ofWorkspace(n notification) (source.Heard, error) {
	ignored := ""
	switch trigger := n.Trigger; {
	case trigger == "verification":
		ignored = ignoredVerification
	case strings.HasPrefix(trigger, "assessment:"):
		ignored = ignoredAssessment
	case trigger == "workspace:auto_destroy_reminder":
		ignored = ignoredReminder
	case strings.HasPrefix(trigger, "change_request:"):
		ignored = ignoredTeam
	case trigger == "workspace:deleted":
		if ignored = ignoredReadOnly; r.c.cfg.Reads() {
			return source.Heard{Wakes: []source.Wake{{Stream: source.Workspaces}}}, nil
		}
	case trigger == "workspace:auto_destroy_results", trigger == "workspace:auto_destroy_run_results": // the documentation has both
		switch {
		case n.Details.RunID == "":
			ignored = ignoredNoRun
		case !r.c.cfg.Reads():
			ignored = ignoredReadOnly
		default:
			return source.Heard{Wakes: []source.Wake{r.wake(n)}}, nil
		}
	default:
		return source.Heard{}, fault.New(fault.Invalid, "the trigger %.60q is not one that is known", trigger)
	}
	return source.Heard{Ignored: ignored}, nil
}

// wake asks for the run of a notification that may name its workspace by its name alone.
func (r *Receiver) wake(n notification) source.Wake {
	id := n.Details.WorkspaceID
	for _, w := range r.c.known() {
		if id == "" && w.Name == n.Details.WorkspaceName && w.Organisation == n.Details.Organisation {
			id = w.ID
		}
	}
	if id == "" {
		return source.Wake{Stream: source.Workspaces}
	}
	return source.Wake{Stream: streamOf(id), Subject: n.Details.RunID}
}

// ofRun tells a run as well as notifications can: they do not say whether it removes everything, nor which commit it is of.
func (r *Receiver) ofRun(n notification) (source.Heard, error) {
	created, err := hook.Instant("run_created_at", n.RunCreatedAt)
	if err != nil {
		return source.Heard{}, err
	}
	var parts map[string]happening
	for _, h := range n.Notifications {
		if h.at, err = hook.Instant("run_updated_at", h.UpdatedAt); err != nil {
			return source.Heard{}, err
		}
		if created.IsZero() || h.at.IsZero() || h.Status == "" {
			return source.Heard{}, fault.New(fault.Invalid, "the notification of a run has no run_created_at, run_updated_at or run_status")
		}
		parts = r.memory.Join(n.RunID, h.Trigger, h.at, h)
	}
	// What is told comes from the parts alone, never from which of them came last.
	told := run{ID: n.RunID, Workspace: n.WorkspaceID, CreatedAt: created, Requester: n.RunCreatedBy, At: map[string]time.Time{}}
	latest, known := happening{}, 0
	for _, trigger := range runTriggers {
		h, ok := parts[trigger]
		if !ok {
			continue
		}
		known++
		if latest.Trigger == "" || !h.at.Before(latest.at) {
			latest = h
		}
	}
	told.Status = latest.Status
	waiting, asked := parts["run:needs_attention"]
	applying, began := parts["run:applying"]
	// A run that is carried out, or waits for somebody to agree to that, has changes.
	told.HasChanges = asked || began || latest.Status == "applied"
	told.AutoApply = !asked && began // else somebody was asked
	if began {
		told.At["applying"] = applying.at
		if asked && applying.at.After(waiting.at) {
			told.At["confirmed"] = applying.at
			if applying.UpdatedBy != "" && applying.UpdatedBy == n.RunCreatedBy {
				told.CreatedBy, told.ConfirmedBy = n.RunCreatedBy, n.RunCreatedBy
			}
		}
	}
	told.At[strings.ReplaceAll(latest.Status, "_", "-")] = latest.at
	facts := r.c.t.facts(told, n.Organisation, n.WorkspaceName, nil)
	if len(facts) == 0 {
		return source.Heard{Ignored: ignoredEarly}, nil
	}
	// The API tells instants in seconds: what it tells of the same state has to be later than this, which knows less.
	at := hook.At(latest.at.Add(-time.Second), known, len(runTriggers))
	for _, fact := range facts {
		fact.Common().UpdatedAt = at
		if request, ok := fact.(*event.ProvisioningRequest); ok {
			request.URL = n.RunURL
		}
	}
	return hook.Told(r.c.cfg.Name, facts...)
}
