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
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// overlap is how far back each look for new facts reaches: an insert may become visible that much later than the
// instant it is stamped with.
const overlap = 15 * time.Second

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
	// CachedCommits bounds the histories kept in memory between derivations.
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

	mu          sync.Mutex
	started     bool
	position    time.Time        // facts ingested up to here were seen, all but the latest overlap
	seen        map[string]sight // what the overlap held when it was last looked at
	directory   *directory
	peopleEpoch int
	repos       map[string]*repository
	users       map[string]map[string]bool // repository -> services, by what deployments name
	states      map[string]*serviceState
	revision    uint64
}

// sight is what a look for new facts found about one subject.
type sight struct {
	rows   uint64
	latest time.Time
}

// New returns a deriver that has not looked at anything yet.
func New(cfg Config, st *store.Store, log *slog.Logger) (*Deriver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Deriver{
		cfg: cfg, st: st, log: log, seed: maphash.MakeSeed(),
		seen: map[string]sight{}, repos: map[string]*repository{}, states: map[string]*serviceState{},
	}, nil
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
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started, d.position = true, time.Time{}
	d.drop()
}

func (d *Deriver) drop() {
	d.seen, d.repos, d.states = map[string]sight{}, map[string]*repository{}, map[string]*serviceState{}
	d.directory, d.users = nil, nil
}

// CatchUp derives everything that the facts stored before the call change. After an error nothing is lost: the next
// call does the work again.
func (d *Deriver) CatchUp(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.started {
		if err := d.resume(ctx); err != nil {
			return fmt.Errorf("derive.CatchUp: %w", err)
		}
	}
	position := d.position
	news, err := d.look(ctx)
	if err != nil {
		return fmt.Errorf("derive.CatchUp: looking for new facts: %w", err)
	}
	if len(news) == 0 {
		return nil
	}
	if err := d.digest(ctx, news); err != nil {
		d.drop()
		d.position = position
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
}

func (d *Deriver) fingerprint() string {
	c := d.cfg
	c.CachedCommits = 0
	return fmt.Sprintf("3 %+v", c)
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
	if b.Config == d.fingerprint() {
		d.position = b.Position
	}
	d.started = true
	return nil
}

func (d *Deriver) checkpoint(ctx context.Context) error {
	b, err := json.Marshal(bookmark{Position: d.position, Config: d.fingerprint()})
	if err != nil {
		return err
	}
	return d.st.Exec(ctx, query("set_bookmark"), store.Params{"position": string(b)})
}

// news is a subject whose facts arrived.
type news struct {
	kind, subject string
}

// look finds the subjects whose facts arrived since the last look.
func (d *Deriver) look(ctx context.Context) ([]news, error) {
	since := time.Unix(0, 0).UTC()
	if !d.position.IsZero() {
		since = d.position.Add(-overlap)
	}
	var rows []struct {
		Kind    string    `ch:"kind"`
		Subject string    `ch:"subject"`
		Rows    uint64    `ch:"rows"`
		Latest  time.Time `ch:"latest"`
	}
	if err := d.st.Select(ctx, &rows, query("changed_facts"), store.Params{"since": since}); err != nil {
		return nil, err
	}
	var fresh []news
	current := map[string]sight{}
	for _, r := range rows {
		k := r.Kind + "\x00" + r.Subject
		current[k] = sight{r.Rows, r.Latest}
		if d.seen[k] != current[k] {
			fresh = append(fresh, news{r.Kind, r.Subject})
		}
		if r.Latest.After(d.position) {
			d.position = r.Latest
		}
	}
	d.seen = current
	return fresh, nil
}

// digest derives the services that the news concerns.
func (d *Deriver) digest(ctx context.Context, fresh []news) error {
	has := map[string]bool{}
	for _, n := range fresh {
		has[n.kind] = true
	}
	all := false
	if d.directory == nil || has["services"] || has["ownership"] || has["people"] || has["teams"] {
		dir, err := loadDirectory(ctx, d.st, d.cutoff())
		if err != nil {
			return err
		}
		if has["people"] && (d.directory == nil || !maps.Equal(d.directory.people, dir.people)) {
			d.peopleEpoch++
			all = true
		}
		d.directory = dir
	}
	if d.users == nil || has["deployments"] || has["services"] {
		if err := d.loadUsers(ctx); err != nil {
			return err
		}
	}
	dirty := map[string]bool{}
	for _, n := range fresh {
		switch n.kind {
		case "deployments", "incidents", "ownership", "services":
			id := d.directory.canonical(n.subject)
			dirty[id] = true
			if n.kind == "ownership" {
				delete(d.states, id)
			}
			if n.kind == "services" {
				for _, a := range d.directory.service(id).aliases {
					dirty[a] = true
				}
			}
		case "commits", "branches", "change_requests", "pipeline_runs":
			if r := d.repos[n.subject]; r != nil && n.kind != "pipeline_runs" {
				if err := r.load(ctx, d.cutoff()); err != nil {
					return fmt.Errorf("repository %q: %w", n.subject, err)
				}
			}
			for s := range d.users[n.subject] {
				dirty[s] = true
			}
		}
	}
	if all {
		for _, users := range d.users {
			maps.Copy(dirty, users)
		}
		for id := range d.directory.services {
			dirty[id] = true
		}
	}
	return d.deriveAll(ctx, slices.Sorted(maps.Keys(dirty)))
}

func (d *Deriver) deriveAll(ctx context.Context, services []string) error {
	d.revision = max(d.revision+1, uint64(time.Now().UnixNano()))
	var out rows
	began := time.Now()
	for _, id := range services {
		if canonical := d.directory.canonical(id); canonical != id {
			delete(d.states, id)
			out.forgetService(id)
			out.gone = append(out.gone, gone{"attributed_services", "service", []any{id}})
			continue
		}
		if err := d.derive(ctx, id, &out); err != nil {
			return fmt.Errorf("service %q: %w", id, err)
		}
		if out.len() > 50_000 {
			if err := out.flush(ctx, d.st, d.revision); err != nil {
				return err
			}
		}
	}
	if err := out.flush(ctx, d.st, d.revision); err != nil {
		return err
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
func (d *Deriver) repositoriesOf(ctx context.Context, svc *service, runs []run) (map[string]*repository, error) {
	wanted := map[string]bool{}
	for _, p := range svc.parts {
		wanted[p.repository] = true
	}
	for _, r := range runs {
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

// evict drops histories, and the lines built on them, while more commits are kept than allowed.
func (d *Deriver) evict() {
	total := 0
	for _, r := range d.repos {
		total += r.Graph.Size()
	}
	if total <= d.cfg.CachedCommits {
		return
	}
	for id, r := range d.repos {
		if total <= d.cfg.CachedCommits {
			return
		}
		total -= r.Graph.Size()
		delete(d.repos, id)
		for s := range d.users[id] {
			delete(d.states, s)
		}
	}
}
