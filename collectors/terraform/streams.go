package terraform

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

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rest"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// workspace is one as it is kept in the position of their list, from which the other streams follow.
type workspace struct {
	ID           string   `json:"id"`
	Organisation string   `json:"org"`
	Name         string   `json:"name"`
	Was          []called `json:"was,omitempty"`
	Latest       string   `json:"latest,omitempty"` // its latest run, of whatever kind
	Sweep        int      `json:"sweep"`            // the latest look at the list that found it
}

// called is a name that a workspace had, until it was found to have another.
type called struct {
	Name  string    `json:"name"`
	Until time.Time `json:"until"`
}

// maxWas bounds how many names of a workspace are remembered.
const maxWas = 10

// named is how a workspace was called at an instant: a run belongs to the name under which it began, so that it is told
// under one name however often.
func (w workspace) named(at time.Time) string {
	for _, was := range w.Was {
		if at.Before(was.Until) {
			return was.Name
		}
	}
	return w.Name
}

// workspacesPosition is how far the lists of workspaces have been read.
type workspacesPosition struct {
	turn.Versioned
	Workspaces []workspace `json:"workspaces,omitempty"`
	Sweep      int         `json:"sweep"`
	Going      bool        `json:"going,omitempty"`
	Place      int         `json:"place,omitempty"` // the how-manieth organisation
	Page       int         `json:"page,omitempty"`
}

// runsPosition is how far the runs of a workspace have been read. They are listed latest first, by when they began.
type runsPosition struct {
	turn.Versioned
	// Top is when the latest run began that was told; all before it that History says.
	Top    time.Time `json:"top,omitzero"`
	Open   []open    `json:"open,omitempty"`   // runs to which something more happens
	Latest string    `json:"latest,omitempty"` // the workspace's latest run when the news were read last
	// News that take several pages: the next of them, and what Top and Latest will be.
	News       int       `json:"news,omitempty"`
	NewsTop    time.Time `json:"news_top,omitzero"`
	NewsLatest string    `json:"news_latest,omitempty"`
	// Page is the next page of history.
	Page     int       `json:"page,omitempty"`
	Complete bool      `json:"complete,omitempty"`
	Back     time.Time `json:"back,omitzero"` // down to which history is told
	Done     int64     `json:"done,omitempty"`
	Total    int64     `json:"total,omitempty"`
	Looked   time.Time `json:"looked,omitzero"` // when news were looked for last
}

// open is a run that has not ended.
type open struct {
	ID string    `json:"id"`
	At time.Time `json:"at"` // when it began
}

const (
	// overlap is how much later than a later one a run may become visible.
	overlap = 2 * time.Minute
	// again is how long the news are not looked for again by turns that follow each other to read the history.
	again = 30 * time.Second
	// maxOpen is how many runs are watched in a workspace; of more the oldest are left to their notifications.
	maxOpen = 50
)

func itoa(n int) string { return strconv.Itoa(n) }

// Streams lists what there is to read: the workspaces, and the runs of each that is known.
func (c *Connection) Streams() []source.Stream {
	if !c.cfg.Reads() {
		return nil
	}
	streams := []source.Stream{{Name: source.Workspaces, Kind: source.Workspaces, Every: c.cfg.Every}}
	for _, w := range c.known() {
		streams = append(streams, source.Stream{Name: streamOf(w.ID), Group: w.Organisation + "/" + w.Name, Kind: source.Requests, Every: c.cfg.Every})
	}
	return streams
}

// streamOf is the name of the stream of a workspace's runs. A workspace can be renamed, its id stays.
func streamOf(workspace string) string { return workspace + "/" + source.Requests }

// known returns copies of the workspaces that are read, by organisation and name.
func (c *Connection) known() []workspace {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []workspace
	for _, w := range c.workspaces {
		if c.cfg.Workspaces.takes(w.Name) && slices.Contains(c.cfg.Organisations, w.Organisation) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b workspace) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func (c *Connection) workspace(id string) (workspace, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.workspaces[id]
	return w, ok
}

func (c *Connection) remember(workspaces []workspace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workspaces = make(map[string]workspace, len(workspaces))
	for _, w := range workspaces {
		c.workspaces[w.ID] = w
	}
}

// Recall takes the position of a stream that was saved in an earlier life.
func (c *Connection) Recall(stream, position string) error {
	if stream != source.Workspaces || position == "" {
		return nil
	}
	p, err := turn.Read[workspacesPosition](stream, position)
	if err != nil {
		return err
	}
	c.remember(p.Workspaces)
	return nil
}

// Turn reads one stream for a while.
type Turn struct {
	turn.Turn
	c         *Connection
	workspace workspace // zero for their list
	asOf      time.Time
}

// Turn makes the source of one turn over a stream: its news first, and then a part of its history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	switch s.Kind {
	case source.Workspaces:
		return c.turn(s, position, asOf, readWorkspaces)
	case source.Requests:
		return c.turn(s, position, asOf, readRuns)
	}
	return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
}

// Refresh makes a source that tells one run again, by its id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	id, ours := strings.CutSuffix(w.Stream, "/"+source.Requests)
	if !ours || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
	}
	s := source.Stream{Name: w.Stream, Group: id, Kind: source.Requests}
	return c.turn(s, "", asOf, func(ctx context.Context, t *Turn) error {
		r, err := t.one(ctx, w.Subject)
		if err != nil {
			return err
		}
		if r.Workspace != "" && r.Workspace != id {
			return fault.New(fault.NotFound, "%s: the run %s belongs to another workspace", w.Stream, w.Subject)
		}
		return t.tell(ctx, r)
	})
}

func (c *Connection) turn(s source.Stream, position string, asOf time.Time, read func(context.Context, *Turn) error) (*Turn, error) {
	t := &Turn{c: c, asOf: asOf.UTC().Truncate(time.Millisecond)}
	t.Turn = turn.New(s.Name, position, func(ctx context.Context) error { return read(ctx, t) })
	if s.Kind != source.Requests {
		return t, nil
	}
	var ok bool
	if t.workspace, ok = c.workspace(strings.TrimSuffix(s.Name, "/"+source.Requests)); !ok {
		return nil, fault.New(fault.NotFound, "%s: the workspace is not among those that %s may read", s.Name, c.cfg.Name)
	}
	return t, nil
}

// readWorkspaces makes a part of a look at all workspaces. Those that it does not find are no longer there, or no longer
// shown.
func readWorkspaces(ctx context.Context, t *Turn) error {
	p, err := turn.Read[workspacesPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if !p.Going {
		p = workspacesPosition{Workspaces: p.Workspaces, Sweep: p.Sweep + 1, Going: true, Page: 1}
	}
	for p.Place < len(t.c.cfg.Organisations) {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		organisation := t.c.cfg.Organisations[p.Place]
		t.Asked()
		things, d, err := t.c.api.list(ctx, "organizations/"+url.PathEscape(organisation)+"/workspaces", nil, p.Page)
		if err != nil {
			return err
		}
		for _, one := range things {
			if err := p.found(one, organisation, t.asOf); err != nil {
				return fault.Wrap(fault.Internal, err, "%s", t.c.cfg.Name)
			}
		}
		if p.Page = d.Meta.Pagination.Next; p.Page == 0 || len(things) == 0 {
			p.Place, p.Page = p.Place+1, 1
		}
		t.Move(&p)
		t.c.remember(p.Workspaces)
	}
	p.Going, p.Place, p.Page = false, 0, 0
	p.Workspaces = slices.DeleteFunc(p.Workspaces, func(w workspace) bool { return w.Sweep != p.Sweep })
	t.Move(&p)
	t.c.remember(p.Workspaces)
	t.Progress.Done, t.Progress.Total, t.Progress.Complete = int64(len(p.Workspaces)), int64(len(p.Workspaces)), true
	return nil
}

func (p *workspacesPosition) found(one thing, organisation string, asOf time.Time) error {
	var a struct{ Name string }
	if err := json.Unmarshal(one.Attributes, &a); err != nil || a.Name == "" || one.ID == "" {
		return fault.New(fault.Internal, "the workspace %q of %s has another form than workspaces had", one.ID, organisation)
	}
	at := slices.IndexFunc(p.Workspaces, func(w workspace) bool { return w.ID == one.ID })
	if at < 0 {
		p.Workspaces = append(p.Workspaces, workspace{ID: one.ID, Name: a.Name})
		at = len(p.Workspaces) - 1
	}
	w := &p.Workspaces[at]
	if w.Name != a.Name {
		w.Was = append(slices.Clone(w.Was), called{w.Name, asOf})
		w.Was = w.Was[max(len(w.Was)-maxWas, 0):]
	}
	w.Organisation, w.Name, w.Latest, w.Sweep = organisation, a.Name, one.related("latest-run"), p.Sweep
	return nil
}

// withRuns asks for what belongs to a run.
var withRuns = []string{"configuration_version.ingress_attributes,configuration_version,created_by"}

// page asks for a page of the workspace's runs, latest first.
func (t *Turn) page(ctx context.Context, number int) (runs []run, next int, total int64, err error) {
	t.Asked()
	things, d, err := t.c.api.list(ctx, "workspaces/"+url.PathEscape(t.workspace.ID)+"/runs", url.Values{"include": withRuns}, number)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, one := range things {
		r, err := readRun(one, d)
		if err != nil {
			return nil, 0, 0, err
		}
		runs = append(runs, r)
	}
	if len(runs) > 0 {
		next = d.Meta.Pagination.Next
	}
	return runs, next, d.Meta.Pagination.Total, nil
}

// one asks for a single run.
func (t *Turn) one(ctx context.Context, id string) (run, error) {
	t.Asked()
	path := "runs/" + url.PathEscape(id)
	d, err := t.c.api.get(ctx, path, url.Values{"include": withRuns})
	if err != nil {
		return run{}, err
	}
	var data thing
	if err := t.c.api.decode(path, d.Data, &data); err != nil {
		return run{}, err
	}
	return readRun(data, d)
}

// tell yields what a run tells.
func (t *Turn) tell(ctx context.Context, r run) error {
	used, err := t.plan(ctx, r)
	if err != nil {
		return err
	}
	for _, e := range t.c.t.facts(r, t.workspace.Organisation, t.workspace.named(r.CreatedAt), used) {
		if bad := event.Validate(e); bad != nil {
			return fault.Wrap(fault.Internal, bad, "%s: the run %s makes no %s", t.c.cfg.Name, r.ID, e.Kind())
		}
		if err := t.Yield(e); err != nil {
			return err
		}
	}
	return nil
}

// Names under which is counted what became of plans.
const (
	planRead   = "plans read for the modules in them"
	planHidden = "plans that Terraform does not show to the token: it needs admin access to the workspace"
)

// plan reads the plan of a run of which it matters which modules are used; nil where it is not shown.
func (t *Turn) plan(ctx context.Context, r run) (*plan, error) {
	if len(t.c.cfg.GoldenModules) == 0 || r.Plan == "" || !r.evident() && !(r.asks() && r.HasChanges) {
		return nil, nil
	}
	t.Asked()
	t.Asked() // the plan itself lies behind a redirection
	path := "plans/" + url.PathEscape(r.Plan) + "/json-output"
	body, err := t.c.api.Read(ctx, path, nil)
	switch kind := fault.KindOf(err); {
	case err == nil:
	case kind == fault.NotFound, kind == fault.Denied && !errors.Is(err, rest.ErrRefused), kind == fault.TooLarge, kind == fault.Internal:
		t.Applied(planHidden, r.ID)
		return nil, nil
	default:
		return nil, err
	}
	used, err := readPlan(body)
	if err != nil {
		t.Applied(planHidden, r.ID)
		return nil, nil // a format of long ago, or of the future: the run itself counts
	}
	t.Applied(planRead, r.ID)
	return used, nil
}

// readRuns makes a turn over the runs of a workspace.
func readRuns(ctx context.Context, t *Turn) error {
	p, err := turn.Read[runsPosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if p.Page == 0 && !p.Complete {
		p.Page = 1
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete, t.Progress.ReachedBack = p.Done, max(p.Total, p.Done), p.Complete, p.Back
		if p.Complete && t.c.cfg.Since.After(p.Back) {
			t.Progress.ReachedBack = t.c.cfg.Since
		}
	}()
	if !p.Top.IsZero() && (p.Complete || t.asOf.Sub(p.Looked) >= again) {
		if done, err := t.news(ctx, &p); err != nil || !done {
			t.Progress.More = !done
			return err
		}
	}
	for !p.Complete {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		if err := t.history(ctx, &p); err != nil {
			return err
		}
	}
	return nil
}

// history tells a page of runs. What begins meanwhile moves runs to later pages, where they are told again.
func (t *Turn) history(ctx context.Context, p *runsPosition) error {
	first, latest := p.Top.IsZero(), t.workspace.Latest
	runs, next, total, err := t.page(ctx, p.Page)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.CreatedAt.Before(t.c.cfg.Since) {
			next = 0
			continue
		}
		if err := t.take(ctx, p, r); err != nil {
			return err
		}
		p.Done++
		if p.Back.IsZero() || r.CreatedAt.Before(p.Back) {
			p.Back = r.CreatedAt
		}
		if first && r.CreatedAt.After(p.Top) {
			p.Top = r.CreatedAt
		}
	}
	if p.Page, p.Total = next, max(p.Total, total); next == 0 {
		p.Complete = true
	}
	if first {
		p.Looked, p.Latest = t.asOf, latest
		if p.Top.IsZero() {
			p.Top = time.Unix(0, 0).UTC() // there is none yet: all that come are news
			if t.c.cfg.Since.After(p.Top) {
				p.Top = t.c.cfg.Since
			}
		}
	}
	t.Move(p)
	return nil
}

// take tells a run, and notes whether more will happen to it.
func (t *Turn) take(ctx context.Context, p *runsPosition, r run) error {
	if err := t.tell(ctx, r); err != nil {
		return err
	}
	p.close(r.ID)
	if !r.final() {
		p.Open = append(p.Open, open{r.ID, r.CreatedAt})
		slices.SortFunc(p.Open, func(a, b open) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
		p.Open = p.Open[:min(len(p.Open), maxOpen)]
	}
	return nil
}

func (p *runsPosition) close(id string) {
	p.Open = slices.DeleteFunc(p.Open, func(o open) bool { return o.ID == id })
}

func (p *runsPosition) isOpen(id string) bool {
	return slices.ContainsFunc(p.Open, func(o open) bool { return o.ID == id })
}

// news tells the runs that began since, and those to which something more may have happened. Where the list of workspaces
// says that no run began, and none is open, nothing is asked.
func (t *Turn) news(ctx context.Context, p *runsPosition) (done bool, err error) {
	if p.News == 0 {
		latest := t.workspace.Latest
		if len(p.Open) == 0 && latest != "" && latest == p.Latest {
			return true, nil
		}
		p.NewsLatest = latest
	}
	met := map[string]bool{}
	for number := max(p.News, 1); ; {
		runs, next, _, err := t.page(ctx, number)
		if err != nil {
			return false, err
		}
		reached := next == 0
		for _, r := range runs {
			met[r.ID] = true
			if r.CreatedAt.After(p.NewsTop) {
				p.NewsTop = r.CreatedAt
			}
			if r.CreatedAt.Before(p.Top.Add(-overlap)) {
				reached = true
				if !p.isOpen(r.ID) {
					continue
				}
			}
			if err := t.take(ctx, p, r); err != nil {
				return false, err
			}
		}
		if reached {
			break
		}
		number = next
		p.News = number
		t.Move(p)
		if t.Spent() {
			return false, nil
		}
	}
	if p.NewsTop.After(p.Top) {
		p.Top = p.NewsTop
	}
	p.Latest = p.NewsLatest
	p.News, p.NewsTop, p.NewsLatest = 0, time.Time{}, ""
	for _, o := range slices.Clone(p.Open) {
		if met[o.ID] {
			continue
		}
		switch r, err := t.one(ctx, o.ID); {
		case err != nil && fault.KindOf(err) == fault.NotFound:
			p.close(o.ID) // it was removed
		case err != nil:
			return false, err
		default:
			if err := t.take(ctx, p, r); err != nil {
				return false, err
			}
		}
	}
	done = t.workspace.Latest == p.Latest // else another began since the first of several pages was read
	if done {
		p.Looked = t.asOf
	}
	t.Move(p)
	return done, nil
}
