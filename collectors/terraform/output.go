package terraform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
)

// Job is what a pipeline knows of the Terraform or OpenTofu that it ran. Run and Workspace identify the run.
type Job struct {
	Workspace, Run          string
	Service                 string // "": as the workspace is called
	Team, Environment       string
	Requester, URL          string
	ResourceType            string    // "": what the output says
	RequestedAt, ApprovedAt time.Time // zero: when the earliest output was made; that nobody had to approve
	Failed                  bool      // it failed, whatever the output says
	GoldenModules           []string  // as in Config
}

// File is one output of Terraform or OpenTofu.
type File struct {
	Name string
	Text []byte
}

// Outcome is what became of a job's output.
type Outcome struct {
	Facts []event.Event
	// Why says in a sentence why there is no provisioning request; "" when there is one.
	Why string
}

// Sentences for people about what is no request.
const (
	whyPlan = "Nothing was applied, and a plan asks for nothing: give the output of apply -json, too."
	whyNone = "Nothing was changed."
)

// Output makes facts of what one run printed: a plan as terraform show -json prints it, and the lines of plan -json and
// apply -json. Errors are fault.Invalid.
func Output(source string, job Job, files []File) (Outcome, error) {
	if job.Run == "" && job.Workspace == "" {
		return Outcome{}, fault.New(fault.Invalid, "neither the run nor the workspace has a name: one of them is needed to know the run again")
	}
	t := &translator{source: source}
	var err error
	if t.golden, err = goldenModules("golden modules", job.GoldenModules); err != nil {
		return Outcome{}, err
	}
	var used *plan
	log := output{types: map[string]bool{}}
	for _, f := range files {
		plan, err := log.read(f.Text)
		if err == nil && plan != nil {
			if used != nil {
				return Outcome{}, fault.New(fault.Invalid, "%s is a second plan: give the files of one run at a time", f.Name)
			}
			used, err = readPlan(plan)
		}
		if err != nil {
			return Outcome{}, fault.Wrap(fault.Invalid, err, "%s", f.Name)
		}
	}
	if used != nil {
		log.saw(used.at)
	}
	return log.outcome(t, job, used)
}

// output is what the lines of a run say, all together.
type output struct {
	first, last time.Time
	types       map[string]bool // of resources that change
	applied     bool            // changes were carried out, or began to be
	done        bool            // the end was reached
	changes     bool
	destroy     bool
	failed      bool
}

func (o *output) saw(at time.Time) {
	if at.IsZero() {
		return
	}
	if o.first.IsZero() || at.Before(o.first) {
		o.first = at
	}
	if at.After(o.last) {
		o.last = at
	}
}

// line is a line of the output for machines, as far as it counts here.
type line struct {
	Format  string `json:"format_version"` // of a plan
	Problem struct {
		Severity string `json:"severity"`
	} `json:"diagnostic"`
	Timestamp string          `json:"@timestamp"`
	Type      string          `json:"type"`
	Change    *resourceChange `json:"change"`
	Hook      *resourceChange `json:"hook"`
	Changes   struct {
		Add, Change, Remove, Import int64
		Operation                   string
	} `json:"changes"`
}

type resourceChange struct {
	Resource struct {
		Type string `json:"resource_type"`
	} `json:"resource"`
	Action string `json:"action"`
}

// read takes in a file of lines, or returns the plan that it is. What is no JSON is passed over: a wrapper's own words, and
// what a log has before each line.
func (o *output) read(text []byte) (plan []byte, err error) {
	if plan := planIn(text); plan != nil {
		return plan, nil
	}
	found := false
	for one := range bytes.Lines(text) {
		var l line
		if json.Unmarshal(one[max(bytes.IndexByte(one, '{'), 0):], &l) != nil || l.Type == "" || l.Timestamp == "" {
			continue
		}
		at, err := hook.Instant("@timestamp", l.Timestamp)
		if err != nil {
			return nil, err
		}
		found = true
		o.saw(at)
		o.take(l)
	}
	if !found {
		return nil, fault.New(fault.Invalid, "it is neither a plan as terraform show -json prints it, nor has it lines as plan -json and apply -json print them")
	}
	return nil, nil
}

// planIn is the plan in a text that may have other lines before it; nil: there is none.
func planIn(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	at := 0
	for one := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimLeft(one, " \t"), []byte("{")) {
			var first line
			if json.NewDecoder(bytes.NewReader(text[at:])).Decode(&first) == nil && first.Format != "" {
				return text[at:]
			}
		}
		at += len(one)
	}
	return nil
}

func (o *output) take(l line) {
	for _, c := range []*resourceChange{l.Change, l.Hook} {
		if c != nil && slices.Contains([]string{"create", "update", "delete", "replace"}, c.Action) {
			o.types[c.Resource.Type] = true
		}
	}
	switch l.Type {
	case "apply_start", "apply_complete", "apply_progress":
		o.applied = true
	case "apply_errored":
		o.applied, o.failed = true, true
	case "diagnostic":
		o.failed = o.failed || l.Problem.Severity == "error"
	case "change_summary":
		if l.Changes.Operation == "apply" || l.Changes.Operation == "destroy" {
			o.applied, o.done = true, true
			o.destroy = o.destroy || l.Changes.Operation == "destroy"
			o.changes = o.changes || l.Changes.Add+l.Changes.Change+l.Changes.Remove+l.Changes.Import > 0
		}
	}
}

func (o *output) outcome(t *translator, job Job, used *plan) (Outcome, error) {
	if o.last.IsZero() {
		return Outcome{}, fault.New(fault.Invalid, "nothing says when the run was: no line has an instant, and the plan has none, either")
	}
	var out Outcome
	service := cmp.Or(job.Service, job.Workspace)
	failed := o.failed || job.Failed
	clean := o.done && !failed && !o.destroy || used != nil && !used.changes && !used.errored && !o.applied && !failed
	if used != nil && clean && len(job.GoldenModules) > 0 && service != "" {
		if e := t.evidence(service, o.last, o.last, used); e != nil {
			out.Facts = append(out.Facts, e)
		}
	}
	switch {
	case !o.applied && used != nil && !used.changes && !failed, o.done && !o.changes && !failed:
		out.Why = whyNone
		return out, nil
	case !o.applied && !job.Failed:
		out.Why = whyPlan
		return out, nil
	}
	id := job.Run
	switch {
	case id == "":
		id = job.Workspace + "@" + o.first.Format(time.RFC3339)
	case job.Workspace != "":
		id = job.Workspace + "/" + id // a pipeline may run in several workspaces
	}
	e := &event.ProvisioningRequest{
		ID: id, Team: job.Team, Service: service, Requester: job.Requester, ResourceType: job.ResourceType, Way: wayModule,
		OnPlatform: job.ApprovedAt.IsZero(), Environment: job.Environment, Status: "in_progress", RequestedAt: job.RequestedAt, ApprovedAt: job.ApprovedAt, URL: job.URL,
	}
	if e.RequestedAt.IsZero() {
		e.RequestedAt = o.first
	}
	if e.ResourceType == "" {
		e.ResourceType = o.resource(used)
	}
	switch {
	case failed:
		e.Status, e.FailedAt = "failed", o.last
	case o.done && o.destroy:
		e.Status, e.DeletedAt = "deleted", o.last
	case o.done:
		e.Status, e.ReadyAt = "ready", o.last
	}
	e.Source, e.UpdatedAt = t.source, o.last
	out.Facts = append(out.Facts, e)
	return out, nil
}

// resource is the name of the one thing that changes.
func (o *output) resource(used *plan) string {
	if used == nil {
		used = &plan{types: slices.Sorted(maps.Keys(o.types))}
	}
	return used.resource()
}
