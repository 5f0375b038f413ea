package metrics

import (
	"context"
	"math"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// DeploymentRecord is one deployment: a change of what is live, or a run that never went live and is blamed for an
// incident. With the runs, those that are no deployments stand beside them: redeploys, roll-outs to a further target and
// runs that changed nothing live. These have no outcome, and Deployment names the one that they belong to.
type DeploymentRecord struct {
	ID               string     `json:"id"`
	Service          string     `json:"service"`
	Teams            []string   `json:"teams"` // who owned the service then
	Environment      string     `json:"environment"`
	Kind             string     `json:"kind"`   // change, rollback, re_release, failed_run; of runs redeploy, rollout, not_live
	Status           string     `json:"status"` // of its run
	Deployment       string     `json:"deployment"`
	Version          string     `json:"version"`
	Targets          []string   `json:"targets"`
	StartedAt        *time.Time `json:"started_at"`
	DeployedAt       time.Time  `json:"deployed_at"`  // live on the first target; of other runs when they ended
	CompletedAt      *time.Time `json:"completed_at"` // live on the last target; of other runs null
	Way              string     `json:"way"`
	Tool             string     `json:"tool"`
	Actor            string     `json:"actor"`
	Baseline         bool       `json:"baseline"` // the first that is known: it ships no changes
	Changes          int64      `json:"changes"`
	Commits          int64      `json:"commits"`
	FoundBy          string     `json:"found_by"`            // rule by which its commit was found: commit, origin_revision, image_label, artifact, image_tag or release_tag; "" when it was not
	LeadTimeP50Hours *float64   `json:"lead_time_p50_hours"` // of the changes that the metric counts
	Failed           bool       `json:"failed"`
	FailedRule       string     `json:"failed_rule"`
	FailedBy         []string   `json:"failed_by"`
	RestoredAt       *time.Time `json:"restored_at"`
	RestoredBy       string     `json:"restored_by"`
	Rework           bool       `json:"rework"`
	ReworkRule       string     `json:"rework_rule"`
	ReworkOf         []string   `json:"rework_of"`
	Flags            []string   `json:"flags"`
	URL              string     `json:"url"`
}

// DeploymentFilter says which deployments to list; what is empty does not matter. The span is [From, To) of DeployedAt.
type DeploymentFilter struct {
	Service     string // id or alias
	Team        string // owned then by this team or one below it
	Environment string // "" is production
	ID          string
	Kind        string // of DeploymentKinds
	Failed      *bool
	From, To    time.Time
	IncludeRuns bool // with the runs that are no deployments
}

// DeploymentKinds are the kinds of deployments and, from redeploy on, of the runs that are none.
func DeploymentKinds() []string {
	return []string{"change", "rollback", "re_release", "failed_run", "redeploy", "rollout", "not_live"}
}

// DeploymentList is a page of deployments, newest first.
type DeploymentList struct {
	Deployments []DeploymentRecord `json:"deployments"`
	Next        string             `json:"next"` // cursor of the next page; "" when this is the last
	Flags       []string           `json:"flags"`
}

// Deployments lists deployments, newest first. Errors are fault.Invalid for what makes no sense and fault.NotFound for an
// unknown service or team. Asking for a kind of runs includes the runs.
func (e *Engine) Deployments(ctx context.Context, f DeploymentFilter, p Paging) (DeploymentList, error) {
	key := recordsKey{list: "deployments", state: either(f.Failed), paging: p}
	asked := f
	asked.Failed, asked.From, asked.To = nil, instant(f.From), instant(f.To)
	key.filter = asked
	return answered(ctx, e, key, func(ctx context.Context, stale bool) (DeploymentList, error) {
		found, err := e.findDeployments(ctx, f, p, stale)
		return found, listed("Deployments", err)
	})
}

func (e *Engine) findDeployments(ctx context.Context, f DeploymentFilter, p Paging, stale bool) (DeploymentList, error) {
	kinds := DeploymentKinds()
	switch i := slices.Index(kinds, f.Kind); {
	case f.Kind != "" && i < 0:
		return DeploymentList{}, fault.New(fault.Invalid, "kind is %q: expected one of %v", f.Kind, kinds)
	case i >= slices.Index(kinds, "redeploy"):
		f.IncludeRuns = true
	}
	q, flags, err := e.records(ctx, Scope{Service: f.Service, Team: f.Team}, stale)
	if err != nil {
		return DeploymentList{}, err
	}
	v := q.use()
	v["environment"], v["id"], v["kind"], v["runs"] = environment(f.Environment), f.ID, f.Kind, f.IncludeRuns
	v["any_outcome"], v["failed"] = f.Failed == nil, f.Failed != nil && *f.Failed
	if err := span(v, f.From, f.To); err != nil {
		return DeploymentList{}, err
	}
	limit, err := p.newest("deployments", v, "service", "id")
	if err != nil {
		return DeploymentList{}, err
	}
	var rows []struct {
		ID          string     `ch:"id"`
		Service     string     `ch:"service"`
		At          time.Time  `ch:"at"`
		Teams       []string   `ch:"teams"`
		Environment string     `ch:"environment"`
		Kind        string     `ch:"kind"`
		Status      string     `ch:"status"`
		Deployment  string     `ch:"deployment"`
		StartedAt   *time.Time `ch:"started_at"`
		CompletedAt *time.Time `ch:"completed_at"`
		Targets     []string   `ch:"targets"`
		Version     string     `ch:"version_name"`
		Way         string     `ch:"way"`
		Baseline    bool       `ch:"baseline"`
		Commits     uint32     `ch:"commits"`
		Changes     uint32     `ch:"changes"`
		Failed      bool       `ch:"failed"`
		FailedRule  string     `ch:"failed_rule"`
		FailedBy    []string   `ch:"failed_by"`
		RestoredAt  *time.Time `ch:"restored"`
		RestoredBy  string     `ch:"restored_by"`
		Rework      bool       `ch:"rework"`
		ReworkRule  string     `ch:"rework_rule"`
		ReworkOf    []string   `ch:"rework_of"`
		Flags       []string   `ch:"flags"`
		URL         string     `ch:"url"`
	}
	err = e.newestFirst(ctx, "records/deployments", v, limit, func(v store.Params) (int, error) {
		rows = nil
		err := e.st.Select(ctx, &rows, e.query("records/deployments"), v)
		return len(rows), err
	})
	if err != nil {
		return DeploymentList{}, err
	}
	found := []DeploymentRecord{}
	for _, r := range rows {
		found = append(found, DeploymentRecord{
			ID: r.ID, Service: r.Service, Teams: r.Teams, Environment: r.Environment, Kind: r.Kind, Status: r.Status, Deployment: r.Deployment,
			Version: r.Version, Targets: r.Targets, StartedAt: utc(r.StartedAt), DeployedAt: r.At.UTC(), CompletedAt: utc(r.CompletedAt),
			Way: r.Way, Baseline: r.Baseline, Changes: int64(r.Changes), Commits: int64(r.Commits),
			Failed: r.Failed, FailedRule: r.FailedRule, FailedBy: r.FailedBy, RestoredAt: utc(r.RestoredAt), RestoredBy: r.RestoredBy,
			Rework: r.Rework, ReworkRule: r.ReworkRule, ReworkOf: r.ReworkOf, Flags: r.Flags, URL: r.URL,
		})
	}
	list := DeploymentList{Flags: flags}
	list.Deployments, list.Next = page(found, limit, func(d DeploymentRecord) string {
		return cursor("deployments", millis(d.DeployedAt), d.Service, d.ID)
	})
	return list, e.complete(q, environment(f.Environment), list.Deployments)
}

// Deployment finds a deployment, or a run that is none, of a service in an environment. Errors are fault.NotFound.
func (e *Engine) Deployment(ctx context.Context, service, id, environment string) (DeploymentRecord, error) {
	list, err := e.Deployments(ctx, DeploymentFilter{Service: service, ID: id, Environment: environment, IncludeRuns: true}, Paging{Limit: 1})
	if err != nil {
		return DeploymentRecord{}, err
	}
	if len(list.Deployments) == 0 || id == "" {
		return DeploymentRecord{}, fault.New(fault.NotFound, "there is no deployment %q of the service %q in this environment", id, service)
	}
	return list.Deployments[0], nil
}

func environment(name string) string {
	if name == "" {
		return Environment
	}
	return name
}

// complete adds to deployments who took them there with what, and how long their changes took.
func (e *Engine) complete(q *question, environment string, list []DeploymentRecord) error {
	if len(list) == 0 {
		return nil
	}
	type key struct{ service, id string }
	places := map[key]int{}
	v := q.use()
	var services, ids []string
	var ats []time.Time
	for i, d := range list {
		places[key{d.Service, d.ID}] = i
		services, ids, ats = append(services, d.Service), append(ids, d.ID), append(ats, d.DeployedAt)
	}
	slices.Sort(services)
	v["environment"], v["services"], v["ids"], v["ats"] = environment, slices.Compact(services), ids, ats
	var rows []struct {
		Service string   `ch:"service"`
		ID      string   `ch:"id"`
		Tool    string   `ch:"tool"`
		Actor   string   `ch:"actor"`
		P50     *float64 `ch:"lead_time_p50_hours"`
		FoundBy string   `ch:"found_by"`
	}
	if err := e.st.Select(q.ctx, &rows, e.query("records/deployment_details"), v); err != nil {
		return err
	}
	for _, r := range rows {
		if i, ok := places[key{r.Service, r.ID}]; ok {
			list[i].Tool, list[i].Actor = r.Tool, r.Actor
			if r.P50 != nil && !math.IsNaN(*r.P50) && list[i].Deployment == list[i].ID {
				list[i].LeadTimeP50Hours, list[i].FoundBy = r.P50, r.FoundBy
			}
		}
	}
	return nil
}
