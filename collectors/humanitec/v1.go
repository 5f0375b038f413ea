package humanitec

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/turn"
)

// deploy is a deployment of the first version.
type deploy struct {
	ID        string `json:"id"`
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
	SetID     string `json:"set_id"`
	Status    string `json:"status"`
	ChangedAt string `json:"status_changed_at"`
	Pipeline  *struct {
		RunID string `json:"run_id"`
	} `json:"pipeline"`

	created, changed time.Time
	status           string
}

func (d *deploy) parse() error {
	var err error
	if d.created, err = hook.Instant("created_at", d.CreatedAt); err != nil {
		return err
	}
	if d.changed, err = hook.Instant("status_changed_at", d.ChangedAt); err != nil {
		return err
	}
	if d.changed.Before(d.created) {
		d.changed = d.created
	}
	d.status = statusOf(d.Status)
	if d.ID == "" || d.created.IsZero() {
		return fault.New(fault.Invalid, "it has no id or created_at")
	}
	return nil
}

// environment is one of the first version.
type environment struct {
	ID   string  `json:"id"`
	Type string  `json:"type"`
	Last *deploy `json:"last_deploy"`
}

// deploysPosition is how far the deployments of an application have been read.
type deploysPosition struct {
	turn.Versioned
	Environments map[string]deploys `json:"environments,omitempty"`
	Done         int64              `json:"done,omitempty"`
}

// deploys is how far those of an environment have been read: between the earliest and the latest that are told all are.
type deploys struct {
	Last  string    `json:"last"`           // the latest deployment of the environment when it was read, with its status
	Top   time.Time `json:"top,omitzero"`   // when the latest that is told began
	Tied  []string  `json:"tied,omitempty"` // those that began then
	Back  time.Time `json:"back,omitzero"`  // when the earliest that is told began
	Open  []string  `json:"open,omitempty"` // those to which something more happens
	Whole bool      `json:"whole,omitempty"`
}

// readApplications reads the list of applications, which has no pages.
func readApplications(ctx context.Context, t *Turn) error {
	var list []struct{ ID string }
	if err := t.get(ctx, "apps", nil, &list); err != nil {
		return err
	}
	var all []application
	for _, a := range list {
		if a.ID != "" {
			all = append(all, application{ID: a.ID})
		}
	}
	t.knows(all)
	return nil
}

// step is after how many deployments the position moves.
const step = 10

// readDeploys makes a turn over the deployments of an application: of each environment in which something happened since,
// or of which not all is told. Lists have no pages; what costs requests is what each deployment brought.
func readDeploys(ctx context.Context, t *Turn) error {
	p, err := turn.Read[deploysPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if p.Environments == nil {
		p.Environments = map[string]deploys{}
	}
	var environments []environment
	if err := t.get(ctx, path("apps", t.application.ID, "envs"), nil, &environments); err != nil {
		return err
	}
	defer func() {
		t.Progress.Done, t.Progress.Total = p.Done, p.Done
		for _, e := range p.Environments {
			if e.Whole {
				continue
			}
			t.Progress.Total++
			if t.Progress.ReachedBack.Before(e.Back) {
				t.Progress.ReachedBack = e.Back
			}
		}
		t.Progress.Complete = t.Progress.Total == p.Done && !t.Progress.More
	}()
	known := map[string]deploys{} // those that are gone are forgotten
	environments = slices.DeleteFunc(environments, func(e environment) bool { return e.ID == "" })
	for _, e := range environments {
		known[e.ID] = p.Environments[e.ID]
	}
	p.Environments = known
	for _, e := range environments {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		if err := t.environment(ctx, &p, e); err != nil {
			return err
		}
	}
	return nil
}

// environment tells the deployments of an environment that are not told: the news first, and then back in time.
func (t *Turn) environment(ctx context.Context, p *deploysPosition, e environment) error {
	was := p.Environments[e.ID]
	last := ""
	if e.Last != nil {
		last = e.Last.ID + " " + e.Last.Status
	}
	if was.Whole && len(was.Open) == 0 && last == was.Last {
		return nil
	}
	var list []deploy
	if err := t.get(ctx, path("apps", t.application.ID, "envs", e.ID, "deploys"), nil, &list); err != nil {
		return err
	}
	for i := range list {
		if err := list[i].parse(); err != nil {
			return fault.Wrap(fault.Internal, err, "%s: the deployment %q has another form than deployments had", t.c.cfg.Name, list[i].ID)
		}
	}
	slices.SortStableFunc(list, func(a, b deploy) int { return b.created.Compare(a.created) }) // latest first
	take := func(d deploy) error {
		told, err := t.deployed(ctx, d, e)
		if err == nil {
			err = t.tell(told)
		}
		if err != nil {
			return err
		}
		was.Open = slices.DeleteFunc(was.Open, func(id string) bool { return id == d.ID })
		if !final(d.status) {
			was.Open = append(was.Open, d.ID)
			was.Open = was.Open[max(len(was.Open)-maxOpen, 0):]
		}
		p.Done++
		return nil
	}
	// News, earliest first: what is told stays in one piece.
	for _, d := range slices.Backward(list) {
		open := slices.Contains(was.Open, d.ID)
		fresh := d.created.After(was.Top) || d.created.Equal(was.Top) && !slices.Contains(was.Tied, d.ID)
		if was.Top.IsZero() || !open && !fresh {
			continue
		}
		if err := take(d); err != nil {
			return err
		}
		if d.created.After(was.Top) {
			was.Top, was.Tied = d.created, nil
		}
		if fresh {
			was.Tied = append(slices.Clone(was.Tied), d.ID)
		}
		p.Environments[e.ID] = was
		t.Move(p)
	}
	was.Open = slices.DeleteFunc(was.Open, func(id string) bool { // it was removed
		return !slices.ContainsFunc(list, func(d deploy) bool { return d.ID == id })
	})
	was.Last = last
	told := 0
	for i, d := range list {
		if was.Whole || d.created.Before(t.c.cfg.Since) {
			break
		}
		if !was.Back.IsZero() && !d.created.Before(was.Back) {
			continue
		}
		if err := take(d); err != nil {
			return err
		}
		told++
		// The position moves between deployments of different instants alone.
		if i+1 == len(list) || list[i+1].created.Before(d.created) {
			was.Back = d.created
			if was.Top.IsZero() {
				was.Top = d.created
				for _, tied := range list[:i+1] {
					was.Tied = append(was.Tied, tied.ID)
				}
			}
			if told >= step || t.Spent() {
				told = 0
				p.Environments[e.ID] = was
				t.Move(p)
				if t.Spent() && i+1 < len(list) {
					t.Progress.More = true
					return nil
				}
			}
		}
	}
	was.Whole = true
	if was.Top.IsZero() {
		was.Top = time.Unix(0, 0).UTC() // there is none yet: all that come are news
		if t.c.cfg.Since.After(was.Top) {
			was.Top = t.c.cfg.Since.Add(-time.Millisecond)
		}
	}
	p.Environments[e.ID] = was
	t.Move(p)
	return nil
}

// refreshDeploy tells one deployment again.
func refreshDeploy(ctx context.Context, t *Turn, subject string) error {
	in, id, ok := strings.Cut(subject, "/")
	if !ok {
		return fault.New(fault.Invalid, "%s: %q does not name an environment and a deployment", t.Stream(), subject)
	}
	var d deploy
	if err := t.get(ctx, path("apps", t.application.ID, "envs", in, "deploys", id), nil, &d); err != nil {
		return err
	}
	if err := d.parse(); err != nil {
		return fault.Wrap(fault.Internal, err, "%s: the deployment %q has another form than deployments had", t.c.cfg.Name, id)
	}
	var e environment
	if err := t.get(ctx, path("apps", t.application.ID, "envs", in), nil, &e); err != nil {
		return err
	}
	e.ID = in
	told, err := t.deployed(ctx, d, e)
	if err != nil {
		return err
	}
	return t.tell(told)
}

func (t *Turn) deployed(ctx context.Context, d deploy, e environment) (deployed, error) {
	told := deployed{
		id:          strings.Join([]string{t.c.cfg.Organisation, t.application.ID, e.ID, d.ID}, "/"),
		application: t.application.ID, environment: e.ID, environmentType: e.Type, status: d.status, created: d.created, changed: d.changed, actor: d.CreatedBy,
	}
	if final(d.status) {
		told.finished = d.changed
	}
	if d.Pipeline != nil {
		told.pipeline = d.Pipeline.RunID
	}
	var err error
	told.workloads, err = t.set(ctx, d.SetID)
	return told, err
}

// containers are those of a workload's specification.
type containers struct {
	Containers map[string]struct {
		Image string `json:"image"`
	} `json:"containers"`
}

// set is what a deployment set brings, by workload. Sets never change.
func (t *Turn) set(ctx context.Context, id string) (map[string][]image, error) {
	if id == "" {
		return nil, nil
	}
	if known, ok := t.sets[id]; ok {
		return known, nil
	}
	type workload struct {
		Spec containers `json:"spec"`
	}
	var s struct {
		Modules   map[string]workload `json:"modules"`
		Workloads map[string]workload `json:"workloads"`
	}
	switch err := t.get(ctx, path("apps", t.application.ID, "sets", id), nil, &s); {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		t.Applied("deployment sets that are no longer there", id)
	case err != nil:
		return nil, err
	}
	all := map[string][]image{}
	for _, list := range []map[string]workload{s.Modules, s.Workloads} {
		for name, w := range list {
			all[name] = []image{} // a workload without an image is one, too
			for _, c := range w.Spec.Containers {
				if c.Image == "" {
					continue
				}
				i, err := t.version(ctx, c.Image)
				if err != nil {
					return nil, err
				}
				all[name] = append(all[name], i)
			}
		}
	}
	t.sets[id] = all
	return all, nil
}

// version is an image with what its artefact version says of how it was built.
func (t *Turn) version(ctx context.Context, reference string) (image, error) {
	if known, ok := t.versions[reference]; ok {
		return known, nil
	}
	i := parseImage(reference)
	versions, err := t.artefact(ctx, i.name)
	if err != nil {
		return image{}, err
	}
	for _, v := range versions {
		if v.Name != i.name || i.digest != "" && v.Digest != i.digest || i.digest == "" && (i.tag == "" || v.Version != i.tag) {
			continue
		}
		i.commit, i.digest = v.Commit, v.Digest
		if i.tag == "" {
			i.tag = v.Version
		}
		break
	}
	if i.commit != "" {
		t.Applied("images whose commit Humanitec knows", reference)
	} else {
		t.Applied("images whose commit Humanitec does not know", reference)
	}
	t.versions[reference] = i
	return i, nil
}

// artefactVersion is a version of an image that was made known to Humanitec.
type artefactVersion struct{ Name, Version, Digest, Commit string }

// artefact are the versions of an image. One that was never made known, or is not shown, has none: it is what its
// reference says.
func (t *Turn) artefact(ctx context.Context, name string) ([]artefactVersion, error) {
	if known, ok := t.artefacts[name]; ok {
		return known, nil
	}
	var versions []artefactVersion
	err := t.get(ctx, "artefact-versions", url.Values{"name": {name}, "archived": {"true"}}, &versions)
	switch kind := fault.KindOf(err); {
	case err == nil, kind == fault.NotFound, errors.Is(err, rest.ErrBadRequest), kind == fault.Denied && !errors.Is(err, rest.ErrRefused):
	default:
		return nil, err
	}
	t.artefacts[name] = versions
	return versions, nil
}
