package backstage

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// Connection is one Backstage with a token and the settings of an organisation. It is used by several goroutines, each
// stream by one at a time.
type Connection struct {
	cfg      Config
	rules    *rules.Rules
	api      api
	app      string // address of the pages
	services *rules.Names
	teams    *rules.Names

	mu      sync.Mutex
	ids     map[string]string  // in facts, by reference, of what the catalogue has
	tracked []string           // references of the components that are services
	created map[string]created // by reference, what templates made
}

// created is which template made a component, and when it was asked to.
type created struct {
	Template string    `json:"template"`
	At       time.Time `json:"at"`
}

// New checks the settings, which carry the token itself, and does no more. The client authenticates (Credential), limits,
// retries and caches.
func New(cfg Config, r *rules.Rules, client *http.Client) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	services, err := rules.Services("services", cfg.Services)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	teams, err := rules.Teams("teams", cfg.Teams)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	at, _ := addressOf(cfg.URL) // checked
	app := at
	if cfg.App != "" {
		app, _ = addressOf(cfg.App)
	}
	return &Connection{
		cfg: cfg, rules: r, api: api{name: cfg.Name, base: at.String(), client: client}, app: app.String(), services: services, teams: teams,
		ids: map[string]string{}, created: map[string]created{},
	}, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// rarely is how often checks are run again: what they find is evidence for weeks.
const rarely = 6 * time.Hour

// Streams lists what there is to read.
func (c *Connection) Streams() []source.Stream {
	streams := []source.Stream{{Name: source.Catalogue, Kind: source.Catalogue, Every: c.cfg.Every}}
	if c.cfg.Requests {
		streams = append(streams, source.Stream{Name: source.Requests, Kind: source.Requests, Every: c.cfg.Every})
	}
	if len(c.cfg.Checks) > 0 {
		every := max(c.cfg.Every, rarely)
		if len(c.refs()) == 0 {
			every = time.Minute // the catalogue is still to be read
		}
		streams = append(streams, source.Stream{Name: source.Checks, Kind: source.Checks, Every: every})
	}
	return streams
}

// Recall takes the position of a stream that was saved in an earlier life: what the catalogue has, and what templates made.
func (c *Connection) Recall(stream, position string) error {
	switch stream {
	case source.Catalogue:
		p, err := turn.Read[cataloguePosition](stream, position)
		if err != nil {
			return err
		}
		c.remember(p.Known)
	case source.Requests:
		p, err := turn.Read[requestsPosition](stream, position)
		if err != nil {
			return err
		}
		c.rememberCreated(p.Created)
	}
	return nil
}

// Turn makes the source of one turn over a stream.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	read, ok := map[string]func(context.Context, *Turn) error{
		source.Catalogue: readCatalogue,
		source.Requests:  readRequests,
		source.Checks:    readChecks,
	}[s.Kind]
	if !ok {
		return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
	}
	t := &Turn{c: c, asOf: asOf.UTC().Truncate(time.Millisecond)}
	t.Turn = turn.New(s.Name, position, func(ctx context.Context) error { return read(ctx, t) })
	return t, nil
}

// Refresh tells nothing: Backstage sends no webhooks, so nothing asks for one thing to be read again.
func (c *Connection) Refresh(w source.Wake, _ time.Time) (*Turn, error) {
	return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
}

// Check asks what the token may read, in a few requests.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	a := source.Access{Who: "a static token"}
	var page entities
	err := c.api.get(ctx, "/api/catalog/entities/by-query", url.Values{"filter": {"kind=component"}, "limit": {"5"}, "orderField": {"metadata.name,asc"}, "fields": {fields}}, &page)
	if err != nil {
		return a, err
	}
	a.Listed, a.Repositories = page.TotalItems, page.TotalItems
	for _, e := range page.read() {
		a.Examples = append(a.Examples, e.name())
	}
	if page.TotalItems == 0 {
		a.Notes = append(a.Notes, "No component is shown to the token: with the permission framework it sees only what the policy lets it.")
	}
	a.Things = append(a.Things, source.Thing{Kind: source.Catalogue, What: "the components of the catalogue"})
	a.Requests = int64(2*(page.TotalItems/perPage+1) + 2)
	try := func(kind, what string, err error) error {
		switch fault.KindOf(err) {
		case fault.Denied, fault.NotFound:
			if err != nil {
				a.Things = append(a.Things, source.Thing{Kind: kind, What: what, Denied: err.Error()})
				return nil
			}
		}
		if err != nil {
			return err
		}
		a.Things = append(a.Things, source.Thing{Kind: kind, What: what})
		return nil
	}
	if c.cfg.Requests {
		var tasks taskList
		err := c.api.get(ctx, "/api/scaffolder/v2/tasks", url.Values{"limit": {"1"}, "offset": {"0"}, "order": {newestFirst}}, &tasks)
		if err := try(source.Requests, "the runs of templates", err); err != nil {
			return a, err
		}
		a.Requests += int64(tasks.TotalTasks)
	}
	if len(c.cfg.Checks) > 0 {
		var checks []struct{ ID string }
		if err := try(source.Checks, "the checks of Tech Insights", c.api.get(ctx, "/api/tech-insights/checks", nil, &checks)); err != nil {
			return a, err
		}
		for _, want := range c.cfg.Checks {
			found := len(checks) == 0
			for _, check := range checks {
				found = found || check.ID == want.Check
			}
			if !found {
				a.Notes = append(a.Notes, "Tech Insights has no check "+want.Check+": see checks.")
			}
		}
	}
	return a, nil
}

// Turn reads one stream for a while.
type Turn struct {
	turn.Turn
	c     *Connection
	asOf  time.Time
	lying map[string]int // how many services lie in a repository, by its name in small letters
}

// tell yields facts; one that intake would refuse, since Backstage holds what no catalogue should, is left out.
func (t *Turn) tell(at time.Time, facts ...event.Event) error {
	for _, fact := range facts {
		*fact.Common() = event.Telling{Source: t.c.cfg.Name, UpdatedAt: at}
		if event.Validate(fact) != nil {
			continue
		}
		if err := t.Yield(fact); err != nil {
			return err
		}
	}
	return nil
}

func (t *Turn) get(ctx context.Context, path string, q url.Values, into any) error {
	t.Asked()
	return t.c.api.get(ctx, path, q, into)
}

func (t *Turn) post(ctx context.Context, path string, body, into any) error {
	t.Asked()
	return t.c.api.post(ctx, path, body, into)
}

// instant reads an instant as Backstage writes them; the zero time when it is none.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil || at.Year() < 1971 || at.Year() > 2105 {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}
