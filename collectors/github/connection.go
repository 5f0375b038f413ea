package github

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
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

// Connection is one GitHub with a credential and the settings of an organisation. It is used by several goroutines, each
// stream by one at a time.
type Connection struct {
	cfg    Config
	at     addresses
	rules  *rules.Rules
	client *http.Client
	rest   *github.Client // makes requests; client sends them
	clones Clones
	t      translator

	// noGraphQL says that the server has refused GraphQL: it is asked no more in this process.
	noGraphQL atomic.Bool

	mu    sync.Mutex
	repos map[int64]*known
}

// New checks the settings, which carry the secrets themselves, and does no more. The client authenticates (Credential),
// limits, retries and caches.
func New(cfg Config, r *rules.Rules, client *http.Client, clones Clones) (*Connection, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	at, err := addressesOf(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Reads() && cfg.Commits == CommitsGit && clones.Dir == "" {
		return nil, fault.New(fault.Invalid, "connection %s: no folder is given to keep clones in: give one, or read commits from the API with commits: api", cfg.Name)
	}
	rest := github.NewClient(client)
	rest.BaseURL = at.rest
	return &Connection{
		cfg: cfg, at: at, rules: r, client: client, rest: rest, clones: clones,
		t:     translator{source: cfg.Name, rules: r, host: at.web.Host},
		repos: map[int64]*known{},
	}, nil
}

// Name is the connection's.
func (c *Connection) Name() string { return c.cfg.Name }

// Kinds of streams that every repository has, in the order in which they are listed.
var repositoryKinds = []string{
	source.Commits, source.Changes, source.Runs, source.Deployments, source.Releases, source.Incidents, source.Ownership,
}

// slowly is how often at least is looked at what never changes (an archived repository) or hardly ever (owners, teams).
const slowly = 24 * time.Hour

// Streams lists what there is to read: the repositories, the teams, and the lists of each repository that is known.
// Without a credential there is nothing.
func (c *Connection) Streams() []source.Stream {
	if !c.cfg.Reads() {
		return nil
	}
	streams := []source.Stream{{Name: source.Repositories, Kind: source.Repositories, Every: c.cfg.Every}}
	if len(c.cfg.Organisations) > 0 {
		streams = append(streams, source.Stream{Name: source.Teams, Kind: source.Teams, Every: max(c.cfg.Every, time.Hour)})
	}
	for _, k := range c.known() {
		if k.gone || !c.takes(k) {
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
	s := source.Stream{Name: k.fact + "/" + kind, Group: k.fact, Kind: kind, Every: c.cfg.Every}
	switch {
	case k.archived:
		s.Every = max(s.Every, slowly)
	case kind == source.Ownership:
		s.Every = max(s.Every, time.Hour)
	}
	return s
}

// wants says whether a list of a repository is worth reading.
func (c *Connection) wants(k known, kind string) bool {
	switch kind {
	case source.Commits:
		return c.cfg.Commits != CommitsNone
	case source.Deployments:
		return c.rules.Wants(k.fact, rules.FromDeployment)
	case source.Releases:
		return c.rules.Wants(k.fact, rules.FromRelease)
	}
	return true
}

// known returns copies of the repositories that are known, by name.
func (c *Connection) known() []known {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]known, 0, len(c.repos))
	for _, k := range c.repos {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(a, b known) int { return cmp.Compare(a.fact, b.fact) })
	return all
}

// repository finds the one that a stream's group names.
func (c *Connection) repository(fact string) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.repos {
		if k.fact == fact {
			return *k, true
		}
	}
	return known{}, false
}

// Recall takes the position of a stream that was saved in an earlier life. Only that of the repositories says what
// streams there are.
func (c *Connection) Recall(stream, position string) error {
	if stream != source.Repositories || position == "" {
		return nil
	}
	p, err := readRepositories(position)
	if err != nil {
		return err
	}
	c.remember(p.repos)
	return nil
}

// remember makes the repositories those that are known.
func (c *Connection) remember(repos map[int64]*known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repos = make(map[int64]*known, len(repos))
	for id, k := range repos {
		copied := *k
		c.repos[id] = &copied
	}
}

// Turn reads one stream for a while.
type Turn struct {
	c        *Connection
	stream   source.Stream
	repo     known // zero for lists of the connection
	position string
	asOf     time.Time
	report   source.Report
	requests int
	share    int // of requests, after which it gives way to others
	read     func(ctx context.Context, t *Turn) error
	yield    func(event.Event, error) bool
}

// Turn makes the source of one turn over a stream: its news first, and then a part of its history.
func (c *Connection) Turn(s source.Stream, position string, asOf time.Time) (*Turn, error) {
	read, ok := map[string]func(context.Context, *Turn) error{
		source.Repositories: readRepositoriesTurn,
		source.Teams:        readTeamsTurn,
		source.Commits:      readCommitsTurn,
		source.Changes:      readChangesTurn,
		source.Runs:         readRunsTurn,
		source.Deployments:  readDeploymentsTurn,
		source.Releases:     readReleasesTurn,
		source.Incidents:    readIncidentsTurn,
		source.Ownership:    readOwnershipTurn,
	}[s.Kind]
	if !ok {
		return nil, fault.New(fault.Invalid, "%s: %s has no list of the kind %q", s.Name, c.cfg.Name, s.Kind)
	}
	return c.turn(s, position, asOf, read)
}

// Refresh makes a source that tells one thing again: the change, run, deployment, release or incident with the number
// or id that the wake's subject is. A repository is told by its full name or id.
func (c *Connection) Refresh(w source.Wake, asOf time.Time) (*Turn, error) {
	kind := w.Stream[strings.LastIndexByte(w.Stream, '/')+1:]
	s := source.Stream{Name: w.Stream, Group: strings.TrimSuffix(strings.TrimSuffix(w.Stream, kind), "/"), Kind: kind}
	one, ok := map[string]func(context.Context, *Turn, string) error{
		source.Repositories: refreshRepository,
		source.Changes:      refreshChange,
		source.Runs:         refreshRun,
		source.Deployments:  refreshDeployment,
		source.Releases:     refreshRelease,
		source.Incidents:    refreshIncident,
	}[kind]
	if !ok || w.Subject == "" {
		return nil, fault.New(fault.Invalid, "%s: a single %q of %s cannot be read again", w.Stream, w.Subject, c.cfg.Name)
	}
	return c.turn(s, "", asOf, func(ctx context.Context, t *Turn) error { return one(ctx, t, w.Subject) })
}

func (c *Connection) turn(s source.Stream, position string, asOf time.Time, read func(context.Context, *Turn) error) (*Turn, error) {
	t := &Turn{c: c, stream: s, position: position, asOf: asOf.UTC(), read: read, share: enough}
	if s.Group == "" {
		return t, nil
	}
	k, ok := c.repository(s.Group)
	switch {
	case !ok:
		return nil, fault.New(fault.NotFound, "%s: the repository %s is not among those that %s may read", s.Name, s.Group, c.cfg.Name)
	case k.gone:
		return nil, fault.New(fault.NotFound, "%s: the repository %s was deleted, or is no longer shown to the credential", s.Name, s.Group)
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

// tell yields events; nil ones are left out.
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
func (t *Turn) spent() bool { return t.requests >= t.share }

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
