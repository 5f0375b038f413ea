package humanitec

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// application is one (a project, in the second version) as it is kept in the position of their list, from which the other
// streams follow.
type application struct {
	ID string `json:"id"`
	// Types are those of its environments, in the second version; the first asks for them beside the deployments.
	Types map[string]string `json:"types,omitempty"`
}

// applicationsPosition is the list of applications as it was read last.
type applicationsPosition struct {
	turn.Versioned
	Applications []application `json:"applications,omitempty"`
}

const (
	// again is how long the news are not looked for again by turns that follow each other to read the history.
	again = 30 * time.Second
	// overlap is how much later than a later one a deployment may become visible.
	overlap = 2 * time.Minute
	// maxOpen is how many deployments are watched of an application.
	maxOpen = 50
)

// Streams lists what there is to read: the applications, and the deployments of each that is known.
func (c *Connection) Streams() []source.Stream {
	if !c.cfg.Reads() {
		return nil
	}
	streams := []source.Stream{{Name: source.Workspaces, Kind: source.Workspaces, Every: c.cfg.Every}}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.applications {
		streams = append(streams, source.Stream{Name: streamOf(id), Group: id, Kind: source.Deployments, Every: c.cfg.Every})
	}
	slices.SortFunc(streams, func(a, b source.Stream) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
	})
	return streams
}

func streamOf(application string) string { return application + "/" + source.Deployments }

func (c *Connection) application(id string) (application, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.applications[id]
	return a, ok
}

func (c *Connection) remember(applications []application) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applications = make(map[string]application, len(applications))
	for _, a := range applications {
		c.applications[a.ID] = a
	}
}

// Recall takes the position of a stream that was saved in an earlier life.
func (c *Connection) Recall(stream, position string) error {
	if stream != source.Workspaces || position == "" {
		return nil
	}
	p, err := turn.Read[applicationsPosition](stream, position)
	if err != nil {
		return err
	}
	c.remember(p.Applications)
	return nil
}

// Turn reads one stream for a while.
type Turn struct {
	turn.Turn
	c           *Connection
	application application // zero for their list
	asOf        time.Time
	sets        map[string]map[string][]image // workloads by deployment set
	versions    map[string]image              // by reference
	artefacts   map[string][]artefactVersion  // by the name of an image
}

// Turn makes the source of one turn over a stream: its news first, and then a part of its history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	v1 := c.cfg.Version == V1
	switch {
	case s.Kind == source.Workspaces && v1:
		return c.turn(s, position, asOf, readApplications)
	case s.Kind == source.Workspaces:
		return c.turn(s, position, asOf, readProjects)
	case s.Kind == source.Deployments && v1:
		return c.turn(s, position, asOf, readDeploys)
	case s.Kind == source.Deployments:
		return c.turn(s, position, asOf, readDeployments)
	}
	return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
}

// Refresh makes a source that tells one deployment again: of the first version by environment/id, of the second by its id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	id, ours := strings.CutSuffix(w.Stream, "/"+source.Deployments)
	if !ours || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
	}
	again := refreshDeployment
	if c.cfg.Version == V1 {
		again = refreshDeploy
	}
	s := source.Stream{Name: w.Stream, Group: id, Kind: source.Deployments}
	return c.turn(s, "", asOf, func(ctx context.Context, t *Turn) error { return again(ctx, t, w.Subject) })
}

func (c *Connection) turn(s source.Stream, position string, asOf time.Time, read func(context.Context, *Turn) error) (*Turn, error) {
	t := &Turn{c: c, asOf: asOf.UTC().Truncate(time.Millisecond), sets: map[string]map[string][]image{}, versions: map[string]image{}, artefacts: map[string][]artefactVersion{}}
	t.Turn = turn.New(s.Name, position, func(ctx context.Context) error { return read(ctx, t) })
	if s.Kind != source.Deployments {
		return t, nil
	}
	var ok bool
	if t.application, ok = c.application(strings.TrimSuffix(s.Name, "/"+source.Deployments)); !ok {
		return nil, fault.New(fault.NotFound, "%s: the application is not among those that %s may read", s.Name, c.cfg.Name)
	}
	return t, nil
}

// get asks for one thing of the organisation, and counts it.
func (t *Turn) get(ctx context.Context, below string, q url.Values, into any) error {
	t.Asked()
	return t.c.api.Get(ctx, path("orgs", t.c.cfg.Organisation)+"/"+below, q, into)
}

// tell yields what a deployment tells.
func (t *Turn) tell(d deployed) error {
	if d.status == "" {
		t.Applied("deployments of a status that is not known", d.id)
		return nil
	}
	for _, e := range t.c.t.facts(d) {
		if bad := event.Validate(e); bad != nil {
			return fault.Wrap(fault.Internal, bad, "%s: the deployment %s makes no fact", t.c.cfg.Name, d.id)
		}
		if err := t.Yield(e); err != nil {
			return err
		}
	}
	return nil
}

// knows keeps the list of applications.
func (t *Turn) knows(applications []application) {
	slices.SortFunc(applications, func(a, b application) int { return cmp.Compare(a.ID, b.ID) })
	t.Move(&applicationsPosition{Applications: applications})
	t.c.remember(applications)
	t.Progress.Done, t.Progress.Total, t.Progress.Complete = int64(len(applications)), int64(len(applications)), true
}
