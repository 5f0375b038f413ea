package humanitec

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/turn"
)

// deployment is one of the second version; the list tells all but the manifest.
type deployment struct {
	ID          string `json:"id"`
	ProjectID   string `json:"project_id"`
	EnvID       string `json:"env_id"`
	CreatedAt   string `json:"created_at"`
	CreatedBy   string `json:"created_by"`
	CompletedAt string `json:"completed_at"`
	Mode        string `json:"mode"`
	PlanOnly    bool   `json:"plan_only"`
	RollbackTo  string `json:"rollback_to_deployment_id"`
	Status      string `json:"status"`
	Manifest    struct {
		Workloads map[string]struct {
			Resources map[string]struct {
				Params json.RawMessage `json:"params"`
			} `json:"resources"`
		} `json:"workloads"`
	} `json:"manifest"`

	created, completed time.Time
}

func (d *deployment) parse() error {
	var err error
	if d.created, err = hook.Instant("created_at", d.CreatedAt); err != nil {
		return err
	}
	if d.completed, err = hook.Instant("completed_at", d.CompletedAt); err != nil {
		return err
	}
	if d.ID == "" || d.created.IsZero() || d.EnvID == "" {
		return fault.New(fault.Invalid, "it has no id, env_id or created_at")
	}
	return nil
}

// status of a deployment in the words of facts. Humanitec does not list its statuses: what goes on and is not known by name
// is in progress.
func (d deployment) status() string {
	status := statusOf(d.Status)
	switch {
	case status == "" && d.completed.IsZero():
		return "in_progress"
	case status == "pending" && !d.completed.IsZero(), status == "in_progress" && !d.completed.IsZero():
		return ""
	}
	return status
}

// counts says whether it deploys anything: a plan does not, nor does taking an environment down.
func (d deployment) counts() bool {
	return !d.PlanOnly && d.Mode != "plan_only" && d.Mode != "rollback_plan" && d.Mode != "destroy"
}

// key says in which state a deployment is.
func (d deployment) key() string { return d.ID + " " + d.Status }

// deploymentsPosition is how far the deployments of a project have been read.
type deploymentsPosition struct {
	turn.Versioned
	Last map[string]string `json:"last,omitempty"` // by environment, its latest deployment with its status
	Top  time.Time         `json:"top,omitzero"`   // when the latest that was told began
	Open []open            `json:"open,omitempty"` // those to which something more happens
	// Page is the next page of history.
	Page     string    `json:"page,omitempty"`
	Complete bool      `json:"complete,omitempty"`
	Back     time.Time `json:"back,omitzero"`
	Done     int64     `json:"done,omitempty"`
	Looked   time.Time `json:"looked,omitzero"`
}

// open is a deployment that has not ended.
type open struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// page is a page of any list of the second version.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_page_token"`
}

const perPage = 100

// ask asks for a page of a list; "" is the first.
func ask[T any](ctx context.Context, t *Turn, below, token string, q url.Values) (page[T], error) {
	all := url.Values{"per_page": {strconv.Itoa(perPage)}}
	for key, values := range q {
		all[key] = values
	}
	if token != "" {
		all.Set("page", token)
	}
	var p page[T]
	return p, t.get(ctx, below, all, &p)
}

// maxPages bounds lists that are read in one go.
const maxPages = 200

// every asks for all pages of a list that is short.
func every[T any](ctx context.Context, t *Turn, below string, q url.Values) ([]T, error) {
	var all []T
	token := ""
	for range maxPages {
		p, err := ask[T](ctx, t, below, token, q)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if token = p.Next; token == "" || len(p.Items) == 0 {
			return all, nil
		}
	}
	return all, nil
}

// readProjects reads the projects, and the types of their environments.
func readProjects(ctx context.Context, t *Turn) error {
	projects, err := every[struct{ ID string }](ctx, t, "projects", nil)
	if err != nil {
		return err
	}
	environments, err := every[struct {
		ID      string `json:"id"`
		Project string `json:"project_id"`
		Type    string `json:"env_type_id"`
	}](ctx, t, "envs", nil)
	if err != nil {
		return err
	}
	var all []application
	for _, p := range projects {
		if p.ID == "" {
			continue
		}
		a := application{ID: p.ID, Types: map[string]string{}}
		for _, e := range environments {
			if e.Project == p.ID {
				a.Types[e.ID] = e.Type
			}
		}
		all = append(all, a)
	}
	t.knows(all)
	return nil
}

// readDeployments makes a turn over the deployments of a project.
func readDeployments(ctx context.Context, t *Turn) error {
	p, err := turn.Read[deploymentsPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete, t.Progress.ReachedBack = p.Done, p.Done, p.Complete, p.Back
		if p.Complete && t.c.cfg.Since.After(p.Back) {
			t.Progress.ReachedBack = t.c.cfg.Since
		}
	}()
	if !p.Looked.IsZero() && (p.Complete || t.asOf.Sub(p.Looked) >= again) {
		if err := t.newsOfProject(ctx, &p); err != nil {
			return err
		}
	}
	for !p.Complete {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		if err := t.historyOfProject(ctx, &p); err != nil {
			return err
		}
	}
	return nil
}

func (t *Turn) project() url.Values { return url.Values{"project_id": {t.application.ID}} }

// page asks for a page of the project's deployments.
func (t *Turn) page(ctx context.Context, below, token string) (page[deployment], error) {
	list, err := ask[deployment](ctx, t, below, token, t.project())
	for i := range list.Items {
		if bad := list.Items[i].parse(); err == nil && bad != nil {
			err = fault.Wrap(fault.Internal, bad, "%s: the deployment %q has another form than deployments had", t.c.cfg.Name, list.Items[i].ID)
		}
	}
	return list, err
}

// latest are the latest deployments of each environment, by environment.
func (t *Turn) latest(ctx context.Context) (map[string]string, error) {
	list, err := every[deployment](ctx, t, "last-deployments", t.project())
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, d := range list {
		all[d.EnvID] = d.key()
	}
	return all, nil
}

// historyOfProject tells a page of deployments, whatever their order.
func (t *Turn) historyOfProject(ctx context.Context, p *deploymentsPosition) error {
	first := p.Looked.IsZero()
	last := p.Last
	if first {
		var err error
		if last, err = t.latest(ctx); err != nil { // before the list is read: what comes meanwhile is news
			return err
		}
	}
	list, err := t.page(ctx, "deployments", p.Page)
	if err != nil && p.Page != "" && errors.Is(err, rest.ErrBadRequest) {
		p.Page = "" // the place in the list is no longer known: from the beginning, which tells some again
		t.Move(p)
		return nil
	}
	if err != nil {
		return err
	}
	past := len(list.Items) > 0
	for _, d := range list.Items {
		if d.created.Before(t.c.cfg.Since) {
			continue
		}
		past = false
		if err := t.take(ctx, p, d); err != nil {
			return err
		}
		p.Done++
		if d.created.After(p.Top) {
			p.Top = d.created
		}
	}
	if first {
		p.Last, p.Looked = last, t.asOf
	}
	if p.Page = list.Next; p.Page == "" || len(list.Items) == 0 || past {
		p.Page, p.Complete = "", true
	}
	t.Move(p)
	return nil
}

// take tells a deployment, and notes whether more will happen to it.
func (t *Turn) take(ctx context.Context, p *deploymentsPosition, d deployment) error {
	if err := t.whole(ctx, d); err != nil {
		return err
	}
	if p.Back.IsZero() || d.created.Before(p.Back) {
		p.Back = d.created
	}
	p.close(d.ID)
	if d.completed.IsZero() && !final(d.status()) && d.counts() {
		p.Open = append(p.Open, open{d.ID, d.created})
		slices.SortFunc(p.Open, func(a, b open) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
		p.Open = p.Open[:min(len(p.Open), maxOpen)]
	}
	return nil
}

func (p *deploymentsPosition) close(id string) {
	p.Open = slices.DeleteFunc(p.Open, func(o open) bool { return o.ID == id })
}

func (p *deploymentsPosition) isOpen(id string) bool {
	return slices.ContainsFunc(p.Open, func(o open) bool { return o.ID == id })
}

// newsOfProject tells what happened since, where the latest deployments say that something did. The list is read until
// it reaches what was told, and all of the latest were met: in whatever order it is.
func (t *Turn) newsOfProject(ctx context.Context, p *deploymentsPosition) error {
	last, err := t.latest(ctx)
	if err != nil {
		return err
	}
	changed := map[string]bool{} // ids of those that were not met yet
	for environment, key := range last {
		if p.Last[environment] != key {
			id, _, _ := strings.Cut(key, " ")
			changed[id] = true
		}
	}
	// Top stays where it is until all news are told.
	top, since, met := p.Top, p.Top.Add(-overlap), map[string]bool{}
	token, reached := "", len(changed) == 0
	for !reached || len(changed) > 0 {
		list, err := t.page(ctx, "deployments", token)
		if err != nil {
			return err
		}
		for _, d := range list.Items {
			delete(changed, d.ID)
			met[d.ID] = true
			old := d.created.Before(since)
			reached = reached || old
			if old && !p.isOpen(d.ID) || d.created.Before(t.c.cfg.Since) {
				continue
			}
			if err := t.take(ctx, p, d); err != nil {
				return err
			}
			if d.created.After(top) {
				top = d.created
			}
			p.Done++
		}
		if token = list.Next; token == "" || len(list.Items) == 0 {
			break
		}
	}
	for _, o := range slices.Clone(p.Open) {
		if met[o.ID] {
			continue
		}
		d, err := t.one(ctx, o.ID)
		if err == nil {
			err = t.take(ctx, p, d)
		}
		if err != nil && fault.KindOf(err) == fault.NotFound {
			p.close(o.ID)
		} else if err != nil {
			return err
		}
	}
	p.Last, p.Looked, p.Top = last, t.asOf, top
	t.Move(p)
	return nil
}

// one asks for a deployment with its manifest.
func (t *Turn) one(ctx context.Context, id string) (deployment, error) {
	var d deployment
	if err := t.get(ctx, path("deployments", id), nil, &d); err != nil {
		return d, err
	}
	if err := d.parse(); err != nil {
		return d, fault.Wrap(fault.Internal, err, "%s: the deployment %q has another form than deployments had", t.c.cfg.Name, id)
	}
	return d, nil
}

// whole tells a deployment of the list, with its manifest.
func (t *Turn) whole(ctx context.Context, d deployment) error {
	if !d.counts() {
		return nil
	}
	switch whole, err := t.one(ctx, d.ID); {
	case err == nil:
		d = whole
	case fault.KindOf(err) != fault.NotFound:
		return err
	}
	return t.manifested(d)
}

// manifested tells a deployment with what its manifest brings.
func (t *Turn) manifested(d deployment) error {
	if !d.counts() {
		return nil
	}
	told := deployed{
		id: t.c.cfg.Organisation + "/" + d.ID, application: t.application.ID, environment: d.EnvID, environmentType: t.application.Types[d.EnvID], status: d.status(),
		created: d.created, finished: d.completed, changed: d.created, actor: d.CreatedBy, rollback: d.Mode == "rollback" || d.RollbackTo != "", workloads: map[string][]image{},
	}
	if !final(told.status) {
		told.finished = time.Time{}
	}
	if told.finished.After(told.changed) {
		told.changed = told.finished
	}
	for name, w := range d.Manifest.Workloads {
		told.workloads[name] = []image{}
		for _, r := range w.Resources {
			var params any
			_ = json.Unmarshal(r.Params, &params)
			for _, reference := range images(params, nil) {
				told.workloads[name] = append(told.workloads[name], parseImage(reference))
			}
		}
	}
	return t.tell(told)
}

// images are the references of images anywhere in the parameters of a resource.
func images(params any, found []string) []string {
	switch v := params.(type) {
	case map[string]any:
		for key, below := range v {
			if text, is := below.(string); is && key == "image" && text != "" {
				found = append(found, text)
				continue
			}
			found = images(below, found)
		}
	case []any:
		for _, below := range v {
			found = images(below, found)
		}
	}
	return found
}

// refreshDeployment tells one deployment again.
func refreshDeployment(ctx context.Context, t *Turn, id string) error {
	d, err := t.one(ctx, id)
	if err != nil {
		return err
	}
	if d.ProjectID != t.application.ID {
		return fault.New(fault.NotFound, "%s: the deployment %s belongs to another project", t.Stream(), id)
	}
	return t.manifested(d)
}
