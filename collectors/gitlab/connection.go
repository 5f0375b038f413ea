package gitlab

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Clones says how repositories are cloned, for Config.Commits git.
type Clones struct {
	// Dir keeps the clones.
	Dir string
	// Header returns the HTTP headers with which git may clone, such as Credential.CloneHeader; nil: none are needed.
	Header func(ctx context.Context) ([]string, error)
	// Program is the git program; "" is git.
	Program string
}

// Connection is one GitLab with a credential and the settings of an organisation. It is used by several goroutines, each
// stream by one at a time.
type Connection struct {
	cfg      Config
	rules    *rules.Rules
	api      api
	clones   Clones
	t        translator
	verifier *signature.Scheme // nil: webhooks are not heard

	mu     sync.Mutex
	repos  map[int64]known
	groups map[string]string // ids in facts by path in small letters
}

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits, retries and caches.
func New(cfg Config, r *rules.Rules, client *http.Client, clones Clones) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Reads() && cfg.Commits == CommitsGit && clones.Dir == "" {
		return nil, fault.New(fault.Invalid, "connection %s: no folder is given to keep clones in: give one, or read commits from the API with commits: api", cfg.Name)
	}
	a, err := newAPI(cfg, client)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	verifier, err := newVerifier(cfg)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	at, _ := addressOf(cfg.URL) // checked
	return &Connection{
		cfg: cfg, rules: r, api: a, clones: clones, verifier: verifier,
		t:     translator{source: cfg.Name, rules: r, web: at.String()},
		repos: map[int64]known{},
	}, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// Kinds of streams that every repository has, in the order in which they are listed.
var repositoryKinds = []string{
	source.Commits, source.Changes, source.Runs, source.Deployments, source.Releases, source.Incidents, source.Ownership,
}

// slowly is how often at least is looked at what never changes (an archived project) or hardly ever (owners, members).
const slowly = 24 * time.Hour

// Streams lists what there is to read: the projects, the groups, and the lists of each project that is known. Without a
// credential there is nothing.
func (c *Connection) Streams() []source.Stream {
	if !c.cfg.Reads() {
		return nil
	}
	streams := []source.Stream{{Name: source.Repositories, Kind: source.Repositories, Every: max(c.cfg.Every, time.Hour)}}
	if len(c.cfg.Groups) > 0 {
		streams = append(streams, source.Stream{Name: source.Teams, Kind: source.Teams, Every: max(c.cfg.Every, 6*time.Hour)})
	}
	for _, k := range c.known() {
		if !c.reading(k) {
			continue
		}
		for _, kind := range repositoryKinds {
			if c.wants(k, kind) {
				streams = append(streams, c.stream(k, kind))
			}
		}
	}
	return streams
}

func (c *Connection) stream(k known, kind string) source.Stream {
	s := source.Stream{Name: k.Fact + "/" + kind, Group: k.Fact, Kind: kind, Every: c.cfg.Every}
	switch {
	case !k.ArchivedAt.IsZero():
		s.Every = max(s.Every, slowly)
	case kind == source.Ownership:
		s.Every = max(s.Every, slowly)
	}
	return s
}

// reading says whether a project's lists are read.
func (c *Connection) reading(k known) bool {
	switch {
	case !k.DeletedAt.IsZero(), k.Outside:
		return false
	case !k.ArchivedAt.IsZero() && !c.cfg.Projects.Archived, k.Fork && !c.cfg.Projects.Forks:
		return false
	}
	return c.cfg.Projects.takes(k.Path)
}

// wants says whether a list of a project is worth reading.
func (c *Connection) wants(k known, kind string) bool {
	if slices.Contains(k.Off, kind) {
		return false
	}
	switch kind {
	case source.Commits:
		return c.cfg.Commits != CommitsNone && !k.Empty
	case source.Ownership:
		return !k.Empty
	case source.Deployments:
		return c.rules.Wants(k.Fact, rules.FromDeployment)
	case source.Releases:
		return c.rules.Wants(k.Fact, rules.FromRelease) || c.tags(k)
	}
	return true
}

// tags says whether tags are read from the API: a clone has them, too.
func (c *Connection) tags(k known) bool {
	return c.cfg.Commits != CommitsGit && c.rules.Wants(k.Fact, rules.FromTag)
}

// known returns copies of the projects that are known, by name.
func (c *Connection) known() []known {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]known, 0, len(c.repos))
	for _, k := range c.repos {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b known) int { return cmp.Compare(a.Fact, b.Fact) })
	return all
}

// repository finds the one that a stream's group names.
func (c *Connection) repository(fact string) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.repos {
		if k.Fact == fact {
			return k, true
		}
	}
	return known{}, false
}

// Recall takes the position of a stream that was saved in an earlier life. That of the projects says what streams
// there are, that of the teams who may be an owner.
func (c *Connection) Recall(stream, position string) error {
	if stream == source.Teams && position != "" {
		p, err := readPosition[teamsPosition](stream, position)
		if err != nil {
			return err
		}
		c.rememberGroups(p.Groups)
	}
	if stream != source.Repositories || position == "" {
		return nil
	}
	p, err := readPosition[repositoriesPosition](stream, position)
	if err != nil {
		return err
	}
	c.remember(p.Projects)
	return nil
}

// remember makes the projects those that are known.
func (c *Connection) remember(projects []known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repos = make(map[int64]known, len(projects))
	for _, k := range projects {
		c.repos[k.ID] = k
	}
}

// Turn reads one stream for a while.
type Turn struct {
	c          *Connection
	stream     source.Stream
	repo       known // zero for lists of the connection
	position   string
	asOf       time.Time
	report     source.Report
	requests   int
	registered map[string]bool // services that this turn has told
	read       func(ctx context.Context, t *Turn) error
	yield      func(event.Event, error) bool
}

// Turn makes the source of one turn over a stream: its news first, and then a part of its history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	read, ok := map[string]func(context.Context, *Turn) error{
		source.Repositories: readRepositories,
		source.Teams:        readTeams,
		source.Commits:      readCommits,
		source.Changes:      readChanges,
		source.Runs:         readRuns,
		source.Deployments:  readDeployments,
		source.Releases:     readReleases,
		source.Incidents:    readIncidents,
		source.Ownership:    readOwnership,
	}[s.Kind]
	if !ok {
		return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
	}
	return c.turn(s, position, asOf, read)
}

// Refresh makes a source that tells one thing again: the change or incident with the number, or the run or deployment
// with the id, that the wake's subject is; a project is told by its id or full path.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	kind := w.Stream[strings.LastIndexByte(w.Stream, '/')+1:]
	s := source.Stream{Name: w.Stream, Group: strings.TrimSuffix(strings.TrimSuffix(w.Stream, kind), "/"), Kind: kind}
	one, ok := map[string]func(context.Context, *Turn, string) error{
		source.Changes:     refreshChange,
		source.Runs:        refreshRun,
		source.Deployments: refreshDeployment,
		source.Incidents:   refreshIncident,
	}[kind]
	if !ok || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
	}
	return c.turn(s, "", asOf, func(ctx context.Context, t *Turn) error { return one(ctx, t, w.Subject) })
}

func (c *Connection) turn(s source.Stream, position string, asOf time.Time, read func(context.Context, *Turn) error) (*Turn, error) {
	t := &Turn{c: c, stream: s, position: position, asOf: asOf.UTC().Truncate(time.Millisecond), read: read}
	if s.Group == "" {
		return t, nil
	}
	k, ok := c.repository(s.Group)
	switch {
	case !ok:
		return nil, fault.New(fault.NotFound, "%s: the project %s is not among those that %s may read", s.Name, s.Group, c.cfg.Name)
	case !k.DeletedAt.IsZero():
		return nil, fault.New(fault.NotFound, "%s: the project %s was deleted, or is no longer shown to the token", s.Name, s.Group)
	}
	t.repo = k
	return t, nil
}

// Stream names the stream.
func (t *Turn) Stream() string { return t.stream.Name }

// Position is where the next turn goes on, provided that everything yielded so far is stored.
func (t *Turn) Position() string { return t.position }

// Report says how the turn went.
func (t *Turn) Report() source.Report { return t.report }

// errStopped says that the consumer wants no more events.
var errStopped = errors.New("the consumer stopped")

// Events reads and yields. It ends after the first error, which is a fault.
func (t *Turn) Events(ctx context.Context) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		t.yield = yield
		t.report = source.Report{}
		t.requests = 0
		if err := t.read(ctx, t); err != nil && !errors.Is(err, errStopped) {
			t.report.More = false
			yield(nil, err)
		}
	}
}

// tell yields events.
func (t *Turn) tell(events ...event.Event) error {
	for _, e := range events {
		if !t.yield(e, nil) {
			return errStopped
		}
	}
	return nil
}

// enough is how many requests a turn makes before it gives way to others.
const enough = 10

// spent says whether the turn has made its share of requests.
func (t *Turn) spent() bool { return t.requests >= enough }

// applied counts the rule that led to something, with an example.
func (t *Turn) applied(rule, example string) {
	if rule == "" {
		return
	}
	if t.report.Rules == nil {
		t.report.Rules = map[string]source.Applied{}
	}
	a := t.report.Rules[rule]
	a.N++
	a.Example = example
	t.report.Rules[rule] = a
}

// get asks for one thing and counts it.
func (t *Turn) get(ctx context.Context, path string, q query, into any) error {
	t.requests++
	return t.c.api.get(ctx, path, q, into)
}

// all asks for every page of a list that is short.
func all[T any](ctx context.Context, t *Turn, path string, q query) ([]T, error) {
	var things []T
	for n := 1; ; n++ {
		t.requests++
		some, p, err := list[T](ctx, t.c.api, path, q.page(n))
		if err != nil {
			return nil, err
		}
		things = append(things, some...)
		if p.last {
			return things, nil
		}
	}
}

// page is the query of a page by its number.
func (q query) page(n int) query {
	return q.with("page", itoa(n)).with("per_page", cmp.Or(q["per_page"], itoa(perPage)))
}

// with is the query with one more parameter.
func (q query) with(key, value string) query {
	more := make(query, len(q)+1)
	for k, v := range q {
		more[k] = v
	}
	more[key] = value
	return more
}
