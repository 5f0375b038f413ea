// Package derive keeps the attributed_* tables true to the facts. It stands between intake, of which it knows nothing
// but the fact tables, and the metrics: it finds out whose facts arrived, loads what attribution needs, and writes
// what attribution says. Everything it writes can be dropped and derived again with the same answer, in whatever order
// and however often the facts arrived.
package derive

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// overlap is how far back each look for new facts reaches: an insert may become visible that much later than the
// instant it is stamped with, and the clocks that stamp may differ by that much.
const overlap = 2 * time.Minute

// Config holds the parameters of attribution. A change of any of them derives everything anew.
type Config struct {
	NegativeTolerance time.Duration `yaml:"negative_tolerance"`
	RolloutWindow     time.Duration `yaml:"rollout_window"`
	InferRollback     bool          `yaml:"infer_failure_from_rollback"`
	InferRevert       bool          `yaml:"infer_failure_from_revert"`
	InferHotfix       bool          `yaml:"infer_failure_from_hotfix"`
	HotfixWindow      time.Duration `yaml:"hotfix_window"`
	IncidentWindow    time.Duration `yaml:"incident_window"`
	// Cutoff, when set, leaves out everything that happened after it.
	Cutoff time.Time `yaml:"-"`
	// CachedCommits bounds the histories kept in memory between derivations; a run counts as 16 commits.
	CachedCommits int `yaml:"cached_commits"`
}

// DefaultConfig returns the parameters of the published definitions.
func DefaultConfig() Config {
	return Config{
		NegativeTolerance: 5 * time.Minute,
		RolloutWindow:     24 * time.Hour,
		InferRollback:     true,
		InferRevert:       true,
		InferHotfix:       true,
		HotfixWindow:      24 * time.Hour,
		CachedCommits:     5_000_000,
	}
}

// Validate names the first parameter that cannot be.
func (c *Config) Validate() error {
	for name, d := range map[string]time.Duration{
		"negative_tolerance": c.NegativeTolerance, "rollout_window": c.RolloutWindow, "hotfix_window": c.HotfixWindow, "incident_window": c.IncidentWindow,
	} {
		if d < 0 {
			return fmt.Errorf("%s is %s: a duration of 0 or more was expected", name, d)
		}
	}
	if c.CachedCommits < 0 {
		return fmt.Errorf("cached_commits is %d: 0 or more was expected", c.CachedCommits)
	}
	return nil
}

func (c *Config) attribution() attribution.Settings {
	return attribution.Settings{
		NegativeTolerance: c.NegativeTolerance.Milliseconds(), RolloutWindow: c.RolloutWindow.Milliseconds(),
		InferRollback: c.InferRollback, InferRevert: c.InferRevert, InferHotfix: c.InferHotfix,
		HotfixWindow: c.HotfixWindow.Milliseconds(), IncidentWindow: c.IncidentWindow.Milliseconds(),
	}
}

// Deriver brings the attributed tables up to date. Its methods may be called from several goroutines.
type Deriver struct {
	cfg  Config
	st   *store.Store
	log  *slog.Logger
	seed maphash.Seed
	feed feed

	// Now, when set before the first use, is the clock that CaughtUp goes by.
	Now      func() time.Time
	caughtUp atomic.Pointer[time.Time]

	changes atomic.Uint64 // see Epoch

	mu        sync.Mutex
	published *directory // the latest, for those who only ask

	working     chan struct{} // holds a token while somebody derives; guards what follows
	started     bool
	forgotten   bool
	horizon     horizon
	aliases     string // fingerprint of the aliases by which the tables were derived; "" when that is not known
	directory   *directory
	peopleEpoch int
	repos       map[string]*repository
	users       map[string]map[string]bool // repository -> services, by what deployments name
	states      map[string]*serviceState
	revision    uint64
}

// New returns a deriver that has not looked at anything yet.
func New(cfg Config, st *store.Store, log *slog.Logger) (*Deriver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Deriver{cfg: cfg, st: st, log: log, seed: maphash.MakeSeed(), working: make(chan struct{}, 1)}
	d.drop()
	return d, nil
}

func (d *Deriver) cutoff() int64 {
	if d.cfg.Cutoff.IsZero() {
		return math.MaxInt64
	}
	return d.cfg.Cutoff.UnixMilli()
}

// Run derives whenever wake receives, and every interval besides, until ctx ends.
func (d *Deriver) Run(ctx context.Context, wake <-chan struct{}, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := d.CatchUp(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("attribution stands still", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

// Forget drops what is kept in memory and has the next CatchUp derive everything anew.
func (d *Deriver) Forget() {
	d.working <- struct{}{}
	defer func() { <-d.working }()
	d.forgotten = true
	d.feed.taken.Store(0)
	d.drop()
}

func (d *Deriver) drop() {
	d.repos, d.states = map[string]*repository{}, map[string]*serviceState{}
	d.directory, d.users = nil, nil
}

// CatchUp derives everything that the facts stored before the call change. After an error nothing is lost: the next
// call does the work again. One call works at a time; others wait, no longer than their ctx.
func (d *Deriver) CatchUp(ctx context.Context) error {
	return d.catchUp(ctx, func() bool { return false })
}

// CaughtUp is an instant of which everything stored before is derived; zero for none yet.
func (d *Deriver) CaughtUp() time.Time {
	if at := d.caughtUp.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// catchUp is CatchUp, unless it is done already when the work of those before is.
func (d *Deriver) catchUp(ctx context.Context, done func() bool) (err error) {
	select {
	case d.working <- struct{}{}:
		defer func() { <-d.working }()
	case <-ctx.Done():
		return fmt.Errorf("derive.CatchUp: %w", ctx.Err())
	}
	if done() {
		return nil
	}
	arrivals := d.feed.arrivals.Load()
	var begin time.Time
	if d.Now != nil {
		begin = d.Now()
	}
	defer func() {
		if err == nil {
			d.feed.taken.Store(arrivals)
			d.caughtUp.Store(&begin)
		}
	}()
	if !d.started {
		if err := d.resume(ctx); err != nil {
			return fmt.Errorf("derive.CatchUp: %w", err)
		}
	}
	if d.forgotten {
		d.horizon, d.aliases, d.forgotten = horizon{}, "", false
	}
	fresh, since, err := d.look(ctx)
	if err != nil {
		return fmt.Errorf("derive.CatchUp: looking for new facts: %w", err)
	}
	if len(fresh) == 0 {
		return nil
	}
	d.changes.Add(1)
	defer d.changes.Add(1)
	if fresh = slices.DeleteFunc(fresh, func(n news) bool { return n.kind == direct }); len(fresh) == 0 {
		return nil
	}
	aliases := d.aliases
	if err := d.digest(ctx, fresh, since); err != nil {
		d.drop()
		d.horizon, d.aliases = since.unseen(), aliases
		return fmt.Errorf("derive.CatchUp: %w", err)
	}
	if err := d.checkpoint(ctx); err != nil {
		return fmt.Errorf("derive.CatchUp: %w", err)
	}
	return nil
}

// bookmark is how far attribution has come, as stored.
type bookmark struct {
	Position time.Time `json:"position"`
	Config   string    `json:"config"`
	Aliases  string    `json:"aliases"`
	Revision uint64    `json:"revision"`
}

func (d *Deriver) fingerprint() string {
	c := d.cfg
	c.CachedCommits = 0
	return fmt.Sprintf("5 %+v", c)
}

func (d *Deriver) resume(ctx context.Context) error {
	var rows []struct {
		Position string `ch:"position"`
	}
	if err := d.st.Select(ctx, &rows, query("bookmark"), nil); err != nil {
		return err
	}
	var b bookmark
	for _, r := range rows {
		if err := json.Unmarshal([]byte(r.Position), &b); err != nil {
			return fmt.Errorf("bookmark %q: %w", r.Position, err)
		}
	}
	d.revision = b.Revision
	if b.Config == d.fingerprint() {
		d.horizon = horizon{position: b.Position}.unseen()
		d.aliases = b.Aliases
	}
	d.started = true
	return nil
}

func (d *Deriver) checkpoint(ctx context.Context) error {
	b, err := json.Marshal(bookmark{Position: d.horizon.position, Config: d.fingerprint(), Aliases: d.aliases, Revision: d.revision})
	if err != nil {
		return err
	}
	return d.st.Exec(ctx, query("set_bookmark"), store.Params{"position": string(b)})
}

// digest derives the services that the news concerns. since is the horizon before the news.
func (d *Deriver) digest(ctx context.Context, fresh []news, since horizon) error {
	has := map[string]bool{}
	for _, n := range fresh {
		has[n.kind] = true
	}
	dirty := map[string]bool{}
	all := since.position.IsZero()
	if d.directory == nil || has["services"] || has["ownership"] || has["people"] || has["teams"] {
		anew, err := d.loadDirectory(ctx, has["people"], dirty)
		if err != nil {
			return err
		}
		all = all || anew
	}
	if d.users == nil || has["deployments"] || has["services"] || has["artifacts"] {
		if err := d.loadUsers(ctx); err != nil {
			return err
		}
	}
	if has["incidents"] {
		if err := d.findMovedIncidents(ctx, since, dirty); err != nil {
			return err
		}
	}
	loaded := map[string]bool{}
	for _, n := range fresh {
		switch n.kind {
		case "deployments", "incidents", "ownership", "services":
			dirty[d.directory.canonical(n.subject)] = true
		case "commits", "branches", "change_requests":
			if r := d.repos[n.subject]; r != nil && !loaded[n.subject] {
				loaded[n.subject] = true
				if err := r.load(ctx, d.cutoff()); err != nil {
					return fmt.Errorf("repository %q: %w", n.subject, err)
				}
			}
			maps.Copy(dirty, d.users[n.subject])
		case "pipeline_runs", "artifacts":
			maps.Copy(dirty, d.users[n.subject])
		}
	}
	if all {
		if err := d.findEverything(ctx, dirty); err != nil {
			return err
		}
	}
	return d.deriveAll(ctx, slices.Sorted(maps.Keys(dirty)))
}

// loadDirectory reads who is who. It marks the services whose names mean something else than before; all is true where
// that is not known, or where other people stand behind the commits.
func (d *Deriver) loadDirectory(ctx context.Context, people bool, dirty map[string]bool) (all bool, err error) {
	dir, err := loadDirectory(ctx, d.st, d.cutoff())
	if err != nil {
		return false, err
	}
	aliases := dir.aliasFingerprint()
	switch old := d.directory; {
	case old == nil:
		all = people || aliases != d.aliases
	default:
		for _, name := range dir.renamed(old) {
			dirty[name] = true
		}
		all = !maps.Equal(old.people, dir.people)
	}
	if all {
		d.peopleEpoch++
	}
	d.directory, d.aliases = dir, aliases
	d.mu.Lock()
	d.published = dir
	d.mu.Unlock()
	return all, nil
}

// findMovedIncidents marks the services that incidents were attributed to which have been told anew: of another
// service, perhaps.
func (d *Deriver) findMovedIncidents(ctx context.Context, since horizon, dirty map[string]bool) error {
	var rows []struct {
		Service string `ch:"service"`
	}
	if err := d.st.Select(ctx, &rows, query("incidents_told_anew"), store.Params{"since": since.from()}); err != nil {
		return err
	}
	for _, r := range rows {
		dirty[r.Service] = true
	}
	return nil
}

// findEverything marks all services that there are, and those that are left over in the tables.
func (d *Deriver) findEverything(ctx context.Context, dirty map[string]bool) error {
	var rows []struct {
		Service string `ch:"service"`
	}
	if err := d.st.Select(ctx, &rows, query("services_everywhere"), nil); err != nil {
		return err
	}
	for _, r := range rows {
		dirty[r.Service], dirty[d.directory.canonical(r.Service)] = true, true
	}
	for id := range d.directory.services {
		dirty[id] = true
	}
	return nil
}

func (d *Deriver) deriveAll(ctx context.Context, services []string) error {
	d.revision = max(d.revision+1, uint64(time.Now().UnixNano()))
	var out rows
	began := time.Now()
	for _, id := range services {
		if d.directory.canonical(id) != id {
			delete(d.states, id)
			out.forgetService(id)
			out.dropService(id)
			continue
		}
		if err := d.derive(ctx, id, &out); err != nil {
			return fmt.Errorf("service %q: %w", id, err)
		}
		if out.len() > 50_000 {
			if err := out.flush(ctx, d.st, d.revision); err != nil {
				return err
			}
			d.evict()
		}
	}
	if err := out.flush(ctx, d.st, d.revision); err != nil {
		return err
	}
	for _, r := range d.repos {
		r.settle()
	}
	d.evict()
	d.log.Debug("derived", "services", len(services), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// loadUsers finds out which services stand on which repositories.
func (d *Deriver) loadUsers(ctx context.Context) error {
	var rows []struct {
		Service    string `ch:"service"`
		Repository string `ch:"repository"`
	}
	if err := d.st.Select(ctx, &rows, query("users_of_repositories"), nil); err != nil {
		return err
	}
	d.users = map[string]map[string]bool{}
	use := func(service, repository string) {
		if d.users[repository] == nil {
			d.users[repository] = map[string]bool{}
		}
		d.users[repository][service] = true
	}
	for _, r := range rows {
		use(d.directory.canonical(r.Service), r.Repository)
	}
	for _, s := range d.directory.services {
		for _, p := range s.parts {
			use(s.id, p.repository)
		}
	}
	return nil
}

// repositoriesOf loads the repositories that a service lists or its runs name.
func (d *Deriver) repositoriesOf(ctx context.Context, svc *service, runs []*run) (map[string]*repository, error) {
	wanted := map[string]bool{}
	for _, p := range svc.parts {
		wanted[p.repository] = true
	}
	for _, r := range runs {
		for i := range r.named {
			wanted[r.named[i].Repository] = true
		}
		for _, rev := range r.Revisions {
			wanted[rev.Repository] = true
		}
	}
	repos := map[string]*repository{}
	for id := range wanted {
		r := d.repos[id]
		if r == nil {
			r = newRepository(d.st, id)
			d.repos[id] = r
		}
		if err := r.want(ctx, d.patternsOf(id)...); err != nil {
			return nil, err
		}
		if !r.loaded {
			if err := r.load(ctx, d.cutoff()); err != nil {
				return nil, fmt.Errorf("repository %q: %w", id, err)
			}
		}
		repos[id] = r
	}
	return repos, nil
}

// patternsOf are the path patterns with which services look at a repository.
func (d *Deriver) patternsOf(repository string) [][]string {
	var lists [][]string
	for s := range d.users[repository] {
		for _, p := range d.directory.service(s).parts {
			if p.repository == repository && p.patterns != nil {
				lists = append(lists, p.patterns)
			}
		}
	}
	return lists
}
