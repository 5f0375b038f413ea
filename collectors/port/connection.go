package port

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
	"cairn/internal/turn"
)

// Connection is one Port with a client and the settings of an organisation. It is used by several goroutines, each stream
// by one at a time.
type Connection struct {
	cfg      Config
	api      api
	services *rules.Names
	teams    *rules.Names
	scheme   *signature.Scheme // nil: webhooks are not heard

	mu      sync.Mutex
	created map[string]created // by blueprint/identifier, what actions made
}

// created is which action made an entity, and when it was asked to.
type created struct {
	Template string    `json:"template"`
	At       time.Time `json:"at"`
}

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits, retries and caches. The rules of forges say nothing about Port.
func New(cfg Config, _ *rules.Rules, client *http.Client) (*Connection, error) {
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
	var scheme *signature.Scheme
	if cfg.Hears() {
		if scheme, err = signature.Port(cfg.secrets()...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "connection %s: webhook_secrets", cfg.Name)
		}
	}
	at, _ := cfg.address() // checked
	return &Connection{
		cfg: cfg, api: api{name: cfg.Name, base: at.String(), client: client}, services: services, teams: teams, scheme: scheme, created: map[string]created{},
	}, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// Streams lists what there is to read. Without a client id there is nothing.
func (c *Connection) Streams() []source.Stream {
	var streams []source.Stream
	if c.cfg.Reads() && len(c.cfg.Blueprints) > 0 {
		streams = append(streams, source.Stream{Name: source.Catalogue, Kind: source.Catalogue, Every: c.cfg.Every})
	}
	if c.cfg.Reads() && c.cfg.Requests {
		streams = append(streams, source.Stream{Name: source.Requests, Kind: source.Requests, Every: c.cfg.Every})
	}
	return streams
}

// Recall takes the position of a stream that was saved in an earlier life: what actions made.
func (c *Connection) Recall(stream, position string) error {
	switch stream {
	case source.Catalogue:
		_, err := turn.Read[cataloguePosition](stream, position)
		return err
	case source.Requests:
		p, err := turn.Read[requestsPosition](stream, position)
		if err != nil {
			return err
		}
		c.remember(p.Created)
	}
	return nil
}

// Turn makes the source of one turn over a stream.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	read, ok := map[string]func(context.Context, *Turn) error{source.Catalogue: readCatalogue, source.Requests: readRequests}[s.Kind]
	if !ok {
		return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
	}
	return c.turn(s.Name, position, asOf, read), nil
}

// Refresh makes a source that tells a run again, whose id is the wake's subject.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	if w.Stream != source.Requests || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
	}
	return c.turn(w.Stream, "", asOf, func(ctx context.Context, t *Turn) error {
		one, err := t.runByID(ctx, w.Subject)
		if err != nil {
			return err
		}
		return t.run(ctx, nil, one)
	}), nil
}

func (c *Connection) turn(stream, position string, asOf time.Time, read func(context.Context, *Turn) error) *Turn {
	t := &Turn{c: c, asOf: asOf.UTC().Truncate(time.Millisecond)}
	t.Turn = turn.New(stream, position, func(ctx context.Context) error { return read(ctx, t) })
	return t
}

// Check asks what the client may read, in a few requests.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	a := source.Access{Who: "a client"}
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No client_id is given: only webhooks are heard.")
		return a, nil
	}
	try := func(kind, what string, err error) error {
		if kindOf := fault.KindOf(err); err != nil && kindOf != fault.Denied && kindOf != fault.NotFound || errors.Is(err, errRefused) {
			return err
		}
		thing := source.Thing{Kind: kind, What: what}
		if err != nil {
			thing.Denied = err.Error()
		}
		a.Things = append(a.Things, thing)
		return nil
	}
	for _, b := range c.cfg.Blueprints {
		var page entityPage
		err := c.api.post(ctx, searchOf(b.Blueprint), map[string]any{"limit": 5}, &page)
		if err := try(source.Catalogue, "entities of "+b.Blueprint, err); err != nil {
			return a, err
		}
		for _, text := range page.Entities {
			if e, ok := readEntity(text, b.Blueprint); ok && b.Is == isService {
				a.Examples = append(a.Examples, e.Identifier)
			}
		}
		a.Requests += 2
	}
	if c.cfg.Requests {
		var list runList
		if err := try(source.Requests, "runs of actions", c.api.get(ctx, "/v1/actions/runs", url.Values{"version": {"v2"}, "limit": {"1"}}, &list)); err != nil {
			return a, err
		}
		if err := try(source.Requests, "the audit log", c.api.get(ctx, "/v1/audit-log", url.Values{"limit": {"1"}}, &auditLog{})); err != nil {
			return a, err
		}
		a.Requests++
	}
	return a, nil
}

func (c *Connection) madeBy(key string) (created, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, ok := c.created[key]
	return made, ok
}

func (c *Connection) remember(by map[string]created) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created = maps.Clone(by)
}

// Turn reads one stream for a while.
type Turn struct {
	turn.Turn
	c    *Connection
	asOf time.Time
}

// tell yields facts; one that intake would refuse, since Port holds what no catalogue should, is left out.
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
