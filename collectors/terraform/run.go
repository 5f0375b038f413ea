package terraform

import (
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// translator makes facts of runs.
type translator struct {
	source                            string
	web                               string // address of the pages of Terraform
	services, environments, resources *rules.Names
	golden                            *rules.Names
	deployments                       []deploymentRule
}

type deploymentRule struct{ service, environment *rules.Names }

// wayModule is the way of everything that is asked for with Terraform.
const wayModule = "terraform_module"

// someResource is the type of what is asked for by a run of which nobody knows what it changes.
const someResource = "infrastructure"

func newTranslator(cfg Config, web string) (*translator, error) {
	t := &translator{source: cfg.Name, web: web}
	var err error
	if t.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if t.environments, err = rules.Environments("environments", cfg.Environments); err != nil {
		return nil, err
	}
	if t.resources, err = rules.Resources("resources", cfg.Resources); err != nil {
		return nil, err
	}
	if t.golden, err = goldenModules("golden_modules", cfg.GoldenModules); err != nil {
		return nil, err
	}
	for i, d := range cfg.Deployments {
		place := "deployments[" + itoa(i) + "]"
		var rule deploymentRule
		if rule.service, err = rules.Services(place, []rules.ServiceName{{Match: d.Workspace, Service: d.Service}}); err != nil {
			return nil, err
		}
		if d.Environment != "" {
			if rule.environment, err = rules.Environments(place, []rules.EnvironmentName{{Match: d.Workspace, Environment: d.Environment}}); err != nil {
				return nil, err
			}
		}
		t.deployments = append(t.deployments, rule)
	}
	return t, nil
}

// goldenModules are patterns of sources; one without * is how they begin.
func goldenModules(place string, patterns []string) (*rules.Names, error) {
	var list []rules.ServiceName
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?") && !(len(p) > 1 && p[0] == '/' && p[len(p)-1] == '/') && p != "" {
			p += "*"
		}
		list = append(list, rules.ServiceName{Match: p, Service: "golden"})
	}
	return rules.Services(place, list)
}

// final says whether nothing more happens to a run.
func (r run) final() bool {
	switch r.Status {
	case "applied", "planned_and_finished", "discarded", "errored", "canceled", "force_canceled", "policy_soft_failed":
		return true
	}
	return false
}

// asks says whether a run asks for something, as far as it is known yet: one that only looks asks for nothing, nor does
// one whose plan finds nothing to change, and a plan that is saved does not until somebody wants it carried out.
func (r run) asks() bool {
	switch {
	case r.PlanOnly, r.RefreshOnly, r.Status == "planned_and_finished":
		return false
	case r.SavePlan && !r.wanted():
		return false
	}
	return r.HasChanges || r.Status == "errored" // a plan that failed cannot say what it would have changed
}

// wanted says whether it was decided that the plan is carried out.
func (r run) wanted() bool {
	for _, status := range []string{"confirmed", "apply-queued", "queuing-apply", "applying", "applied"} {
		if !r.At[status].IsZero() {
			return true
		}
	}
	switch r.Status {
	case "confirmed", "apply_queued", "queuing_apply", "pre_apply_running", "pre_apply_completed", "applying", "applied":
		return true
	}
	return false
}

// changedAt is when the run changed last, as it says itself.
func (r run) changedAt() time.Time {
	last := r.CreatedAt
	for _, at := range r.At {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// ended is when a run reached the status that it ended in.
func (r run) ended() time.Time {
	if at := r.At[strings.ReplaceAll(r.Status, "_", "-")]; !at.IsZero() {
		return at
	}
	return r.changedAt()
}

// facts are what a run tells of a workspace; used is nil where the plan is not known.
func (t *translator) facts(r run, organisation, workspace string, used *plan) []event.Event {
	var facts []event.Event
	if r.asks() {
		if request := t.request(r, organisation, workspace, used); request != nil {
			facts = append(facts, request)
		}
	}
	if d := t.deployment(r, organisation, workspace); d != nil {
		facts = append(facts, d)
	}
	if use := t.use(r, organisation, workspace, used); use != nil {
		facts = append(facts, use)
	}
	return facts
}

// names of a workspace, as rules know it.
func names(organisation, workspace string) []string {
	if organisation == "" {
		return []string{workspace}
	}
	return []string{workspace, organisation + "/" + workspace}
}

func (t *translator) request(r run, organisation, workspace string, used *plan) event.Event {
	service := t.services.Or(names(organisation, workspace)...)
	if service == "" {
		return nil // left out
	}
	e := &event.ProvisioningRequest{
		ID: r.ID, Service: service, Requester: r.Requester, ResourceType: t.resource(used, names(organisation, workspace)...), Way: wayModule,
		Environment: t.environments.Or(names(organisation, workspace)...),
		OnPlatform:  r.AutoApply || r.ConfirmedBy != "" && r.ConfirmedBy == r.CreatedBy,
		Status:      "requested", RequestedAt: r.CreatedAt, URL: t.url(organisation, workspace, r.ID),
	}
	if !r.AutoApply {
		e.ApprovedAt = r.At["confirmed"]
	}
	switch {
	case r.Status == "applied" && r.IsDestroy:
		e.Status, e.DeletedAt = "deleted", r.ended()
	case r.Status == "applied":
		e.Status, e.ReadyAt = "ready", r.ended()
	case r.final():
		e.Status, e.FailedAt = "failed", r.ended()
	case r.wanted():
		e.Status = "in_progress"
	}
	e.Source, e.UpdatedAt = t.source, r.changedAt()
	return e
}

// resource is the type of what a run asks for: what a rule says of a module that it changes, or of the workspace, else the
// name of the one module, else the one type of resource.
func (t *translator) resource(used *plan, names ...string) string {
	if used != nil {
		if is, _ := t.resources.Of(used.changed...); is != "" {
			return is
		}
	}
	if is, _ := t.resources.Of(names...); is != "" {
		return is
	}
	if used != nil {
		return used.resource()
	}
	return someResource
}

// deployment is what a run deploys, where a rule says so of its workspace: one that came to changing something.
func (t *translator) deployment(r run, organisation, workspace string) event.Event {
	if r.IsDestroy || !r.asks() || !r.HasChanges {
		return nil
	}
	began := r.At["applying"]
	d := &event.Deployment{ID: r.ID, Attempt: 1, CreatedAt: r.CreatedAt, StartedAt: began, Tool: "terraform", Actor: r.Requester, URL: t.url(organisation, workspace, r.ID)}
	switch {
	case r.Status == "applied":
		d.Status, d.FinishedAt = "succeeded", r.ended()
	case r.Status == "errored" && !began.IsZero():
		d.Status, d.FinishedAt = "failed", r.ended()
	case r.final() && !began.IsZero():
		d.Status, d.FinishedAt = "cancelled", r.ended()
	case r.Status == "applying":
		d.Status = "in_progress"
	default:
		return nil
	}
	for _, rule := range t.deployments {
		service, fits := rule.service.Of(names(organisation, workspace)...)
		if !fits {
			continue
		}
		if service == "" {
			return nil
		}
		d.Service = service
		if d.Environment, fits = rule.environment.Of(names(organisation, workspace)...); !fits {
			d.Environment = t.environments.Or(names(organisation, workspace)...)
		}
		break
	}
	if d.Service == "" || d.Environment == "" {
		return nil
	}
	if r.Commit != "" && r.Repository != "" {
		d.Revisions = []event.Revision{{Repository: r.Repository, SHA: r.Commit}}
	}
	d.Source, d.UpdatedAt = t.source, r.changedAt()
	return d
}

// use is the evidence that a finished run gives of how its service is provisioned.
func (t *translator) use(r run, organisation, workspace string, used *plan) event.Event {
	if used == nil || !r.evident() {
		return nil
	}
	service := t.services.Or(names(organisation, workspace)...)
	if service == "" {
		return nil
	}
	return t.evidence(service, r.ended(), r.changedAt(), used)
}

// evident says whether a run shows how its workspace is provisioned: it was carried out, or found nothing to change.
func (r run) evident() bool {
	return !r.PlanOnly && !r.RefreshOnly && !r.IsDestroy && (r.Status == "applied" || r.Status == "planned_and_finished")
}

// evidence is that a service is provisioned the golden way when a golden module is used anywhere in its configuration.
func (t *translator) evidence(service string, at, told time.Time, used *plan) event.Event {
	if used.empty {
		return nil // nothing is provisioned there
	}
	e := &event.CapabilityUse{Service: service, Capability: "provisioning", ObservedAt: at, State: "own", Evidence: used.own()}
	for _, m := range used.modules {
		if _, fits := t.golden.Of(m.source); fits {
			e.State, e.Evidence = "golden", m.String()
			break
		}
	}
	e.Source, e.UpdatedAt = t.source, told
	return e
}

func (t *translator) url(organisation, workspace, id string) string {
	if organisation == "" || workspace == "" || t.web == "" {
		return ""
	}
	return t.web + "/app/" + organisation + "/workspaces/" + workspace + "/runs/" + id
}
