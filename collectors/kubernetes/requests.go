package kubernetes

import (
	"time"

	"cairn/internal/event"
)

// Ways of requests, as in the facts.
const (
	wayCrossplane = "crossplane_claim"
	wayKratix     = "kratix_promise"
)

// Statuses of requests, as in the facts.
const (
	requested  = "requested"
	inProgress = "in_progress"
	ready      = "ready"
	unready    = "failed"
	gone       = "deleted"
)

// request is what is known of a request: all that its fact needs, since a fact is told whole, also when the object is no
// longer there. What happened first stays, whatever the object says later.
type request struct {
	Service     string `json:"s,omitempty"`
	Team        string `json:"t,omitempty"`
	Environment string `json:"e,omitempty"`
	Requester   string `json:"w,omitempty"`

	Requested time.Time `json:"r"`
	Ready     time.Time `json:"y,omitzero"` // the first time
	Failed    time.Time `json:"f,omitzero"` // since when, before it was ever ready
	Deleted   time.Time `json:"d,omitzero"`
	Working   bool      `json:"p,omitempty"` // something is being done about it
	Changed   time.Time `json:"c"`           // the latest change, by the cluster's clock, when this was told
}

// counted says whether somebody asked for the object; else it is a part of something that was asked for, or a rehearsal.
func (k kind) counted(o *object) bool {
	has := func(key string) string {
		if text := o.Metadata.Labels[key]; text != "" {
			return text
		}
		return o.Metadata.Annotations[key]
	}
	switch {
	case o.controlled():
		return false
	case k.What == promised:
		return has("kratix.io/parent-promise-name") == "" && has("kratix.io/parent-promise") == "" && has("kratix.io/parent-resource-name") == "" &&
			has("kratix.io/dry-run") != "true" && has("kratix.io/dry-run-owner") == ""
	case k.What == composite:
		of := o.Metadata.Labels["crossplane.io/composite"] // at the top it names itself
		return of == "" || of == o.Metadata.Name
	}
	return true
}

// judge says how an object is doing, and since when.
func (k kind) judge(o *object) (status string, since time.Time) {
	if len(o.conditions) == 0 {
		return requested, time.Time{}
	}
	if k.What == promised {
		return judgeKratix(o)
	}
	// Ready alone decides: an older composite has no Synced, and one that is paused may still be ready.
	synced, is := o.condition("Synced"), o.condition("Ready")
	switch {
	case is.Status == "True":
		return ready, is.LastTransitionTime.Time
	case synced.Status == "False" && synced.Reason == "ReconcileError":
		return unready, synced.LastTransitionTime.Time
	}
	return inProgress, latest(synced.LastTransitionTime.Time, is.LastTransitionTime.Time)
}

func judgeKratix(o *object) (status string, since time.Time) {
	all, pipelines, works := o.condition("Reconciled"), o.condition("ConfigureWorkflowCompleted"), o.condition("WorksSucceeded")
	const failure = "ConfigureWorkflowFailed"
	switch {
	case all.Status == "True":
		return ready, all.LastTransitionTime.Time
	case all.Status == "False" && all.Reason == failure:
		return unready, all.LastTransitionTime.Time
	case all.Status != "": // it goes on, or is paused, whatever the parts say
		return inProgress, latest(all.LastTransitionTime.Time, pipelines.LastTransitionTime.Time, works.LastTransitionTime.Time)
	// Older releases have no Reconciled.
	case pipelines.Status == "True" && works.Status == "True":
		return ready, latest(pipelines.LastTransitionTime.Time, works.LastTransitionTime.Time)
	case pipelines.Status == "False" && pipelines.Reason == failure:
		return unready, pipelines.LastTransitionTime.Time
	}
	// Before there were Works with a state, a request was done with its pipeline.
	if done := o.condition("PipelineCompleted"); done.Status == "True" && pipelines.Status == "" && works.Status == "" {
		return ready, done.LastTransitionTime.Time
	}
	return inProgress, latest(pipelines.LastTransitionTime.Time, works.LastTransitionTime.Time)
}

// see is what is known of a request after one more state of its object. before is nil for the first.
func (n naming) see(k kind, before *request, o *object) (_ *request, left bool) {
	r := request{Requested: o.Metadata.CreationTimestamp.Time}
	if before != nil {
		r = *before
	}
	service, out := n.of(o, n.cfg.ServiceLabels, n.services)
	if out {
		return before, true
	}
	r.Service = service
	if team, _ := n.of(o, n.cfg.TeamLabels, n.teams); team != "" || before == nil {
		r.Team = team
	}
	if r.Environment, _ = n.of(o, n.cfg.EnvironmentLabels, n.environments); r.Environment == "" {
		r.Environment = n.cfg.Environment
	}
	if who, _ := n.of(o, n.cfg.RequesterLabels, nil); who != "" {
		r.Requester = who
	}
	changed := o.changed()
	if end := o.Metadata.DeletionTimestamp.Time; !end.IsZero() {
		if r.Deleted.IsZero() {
			r.Deleted = latest(end, r.Requested)
		}
		// What it becomes while it is taken down says nothing of whether it was ever there.
	} else if r.Ready.IsZero() {
		status, since := k.judge(o)
		since = latest(since, r.Requested) // clocks differ
		r.Working = status != requested
		switch status {
		case ready:
			r.Ready, r.Failed = since, time.Time{}
		case unready:
			if r.Failed.IsZero() {
				r.Failed = since
			}
		default:
			r.Failed = time.Time{}
		}
		changed = latest(changed, since)
	}
	if before != nil {
		r.Changed = before.Changed
		if r == *before {
			return before, false
		}
	}
	r.Changed = latest(r.Changed, changed)
	return &r, false
}

// status is the request's, in the order in which they replace each other.
func (r *request) status() string {
	switch {
	case !r.Deleted.IsZero():
		return gone
	case !r.Ready.IsZero():
		return ready
	case !r.Failed.IsZero():
		return unready
	case r.Working:
		return inProgress
	}
	return requested
}

// updated is from when the telling holds. Clusters tell whole seconds: of tellings of one second the one whose request has
// come farther is later, and of two of these the one that knows who asked.
func (r *request) updated() time.Time {
	at := latest(r.Changed, r.Requested, r.Ready, r.Failed).Truncate(time.Second)
	far := map[string]time.Duration{requested: 0, inProgress: 1, unready: 2, ready: 3, gone: 4}[r.status()]
	at = at.Add(2 * far * time.Millisecond)
	if r.Requester != "" {
		at = at.Add(time.Millisecond)
	}
	return at
}

// fact tells the request.
func (c *Connection) fact(k kind, uid string, r *request) *event.ProvisioningRequest {
	f := &event.ProvisioningRequest{
		ID: c.cfg.cluster() + ":" + uid, Team: r.Team, Service: r.Service, Requester: r.Requester, ResourceType: k.Name,
		Way: wayCrossplane, OnPlatform: true, Environment: r.Environment, Status: r.status(),
		RequestedAt: r.Requested, ReadyAt: r.Ready, FailedAt: r.Failed, DeletedAt: r.Deleted,
	}
	if k.What == promised {
		f.Way = wayKratix
	}
	f.Source, f.UpdatedAt = c.cfg.Name, r.updated()
	return f
}
