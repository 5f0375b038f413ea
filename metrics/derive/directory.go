package derive

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

//go:embed *.sql
var files embed.FS

// query reads one of the package's own SQL files.
func query(name string) string {
	b, err := files.ReadFile(name + ".sql")
	if err != nil {
		panic("derive: no query " + name)
	}
	return string(b)
}

// directory is who is who: services by id and alias, their owners over time, and the people behind commits.
type directory struct {
	services map[string]*service
	alias    map[string]string
	owners   map[string][]owner
	people   map[string]person

	teamNames map[string]bool
	children  map[string][]string
}

type service struct {
	id         string
	aliases    []string
	lifecycle  string
	createdVia string
	created    int64
	idea       int64
	retired    int64
	parts      []servicePart
}

type servicePart struct {
	repository string
	patterns   []string // sorted; nil: the whole repository
}

type owner struct {
	team        string
	since, till int64
}

type person struct {
	id  string
	bot bool
}

func loadDirectory(ctx context.Context, st *store.Store, cutoff int64) (*directory, error) {
	d := &directory{services: map[string]*service{}, alias: map[string]string{}, owners: map[string][]owner{}, people: map[string]person{},
		teamNames: map[string]bool{}, children: map[string][]string{}}
	if err := d.loadServices(ctx, st, cutoff); err != nil {
		return nil, err
	}
	if err := d.loadOwners(ctx, st); err != nil {
		return nil, err
	}
	if err := d.loadTeams(ctx, st); err != nil {
		return nil, err
	}
	return d, d.loadPeople(ctx, st)
}

func (d *directory) loadServices(ctx context.Context, st *store.Store, cutoff int64) error {
	var rows []struct {
		ID           string     `ch:"id"`
		Aliases      []string   `ch:"aliases"`
		Lifecycle    string     `ch:"lifecycle"`
		CreatedVia   string     `ch:"created_via"`
		Created      int64      `ch:"created"`
		Idea         int64      `ch:"idea"`
		Retired      int64      `ch:"retired"`
		Repositories []string   `ch:"repositories"`
		Paths        [][]string `ch:"paths"`
		SharedPaths  [][]string `ch:"shared_paths"`
	}
	if err := st.Select(ctx, &rows, query("services"), nil); err != nil {
		return err
	}
	for _, r := range rows {
		s := &service{
			id: r.ID, aliases: r.Aliases, lifecycle: r.Lifecycle, createdVia: r.CreatedVia,
			created: r.Created, idea: upTo(r.Idea, cutoff), retired: upTo(r.Retired, cutoff),
		}
		for i, repo := range r.Repositories {
			s.parts = append(s.parts, servicePart{repository: repo, patterns: sortedPatterns(r.Paths[i], r.SharedPaths[i])})
		}
		d.services[s.id] = s
		for _, a := range s.aliases {
			if _, taken := d.alias[a]; !taken {
				d.alias[a] = s.id
			}
		}
	}
	for id := range d.services {
		delete(d.alias, id)
	}
	return nil
}

func (d *directory) loadOwners(ctx context.Context, st *store.Store) error {
	var rows []struct {
		Service string `ch:"service"`
		Team    string `ch:"team"`
		Since   int64  `ch:"since"`
		Until   int64  `ch:"until"`
	}
	if err := st.Select(ctx, &rows, query("ownership"), nil); err != nil {
		return err
	}
	for _, r := range rows {
		o := owner{team: r.Team, since: r.Since, till: r.Until}
		if r.Until == attribution.Absent {
			o.till = math.MaxInt64
		}
		id := d.canonical(r.Service)
		d.owners[id] = append(d.owners[id], o)
	}
	return nil
}

func (d *directory) loadPeople(ctx context.Context, st *store.Store) error {
	var rows []struct {
		ID      string   `ch:"id"`
		Aliases []string `ch:"aliases"`
		Bot     bool     `ch:"bot"`
	}
	if err := st.Select(ctx, &rows, query("people"), nil); err != nil {
		return err
	}
	for _, r := range rows {
		for _, a := range r.Aliases {
			d.people[strings.ToLower(a)] = person{r.ID, r.Bot}
		}
	}
	for _, r := range rows {
		d.people[strings.ToLower(r.ID)] = person{r.ID, r.Bot}
	}
	return nil
}

// canonical is the stable id behind a service's name.
func (d *directory) canonical(name string) string {
	if id, ok := d.alias[name]; ok {
		return id
	}
	return name
}

// service is what the catalogue says, or a blank for a service known by its deployments alone.
func (d *directory) service(id string) *service {
	if s, ok := d.services[id]; ok {
		return s
	}
	return &service{id: id, lifecycle: "production", created: attribution.Absent, idea: attribution.Absent, retired: attribution.Absent}
}

// names are all the names under which facts about a service may have been told.
func (d *directory) names(id string) []string {
	return append([]string{id}, slices.DeleteFunc(slices.Clone(d.service(id).aliases), func(a string) bool { return d.canonical(a) != id })...)
}

// teams are the owners of a service at an instant, sorted.
func (d *directory) teams(id string, at int64) []string {
	teams := []string{}
	for _, o := range d.owners[id] {
		if o.since <= at && at < o.till && !slices.Contains(teams, o.team) {
			teams = append(teams, o.team)
		}
	}
	slices.Sort(teams)
	return teams
}

// firstTeams are the owners at an instant or, where nobody owned the service then, its first owners after it.
func (d *directory) firstTeams(id string, at int64) []string {
	if teams := d.teams(id, at); len(teams) > 0 {
		return teams
	}
	first := int64(math.MaxInt64)
	for _, o := range d.owners[id] {
		if o.since > at {
			first = min(first, o.since)
		}
	}
	if first == math.MaxInt64 {
		return []string{}
	}
	return d.teams(id, first)
}

func (d *directory) author(name string) (string, bool) {
	if p, ok := d.people[strings.ToLower(name)]; ok {
		return p.id, p.bot
	}
	return name, false
}

// upTo is t, or Absent when t is not known yet at the cutoff.
func upTo(t, cutoff int64) int64 {
	if t > cutoff {
		return attribution.Absent
	}
	return t
}

// renamed are the names that mean another service than they did before, with the services that they mean and meant.
func (d *directory) renamed(old *directory) []string {
	var names []string
	for _, aliases := range []map[string]string{d.alias, old.alias} {
		for name := range aliases {
			if is, was := d.canonical(name), old.canonical(name); is != was {
				names = append(names, name, is, was)
			}
		}
	}
	return names
}

// aliasFingerprint is the same for two directories in which all names mean the same.
func (d *directory) aliasFingerprint() string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(d.alias)) {
		fmt.Fprintf(h, "%q %q\n", name, d.alias[name])
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// Service finds a service by id or alias among all that facts name.
func (d *Deriver) Service(ctx context.Context, name string) (id string, ok bool, err error) {
	dir, err := d.know(ctx)
	if err != nil {
		return "", false, err
	}
	id = dir.canonical(name)
	if _, ok := dir.services[id]; ok {
		return id, true, nil
	}
	var n uint64
	err = d.st.QueryRow(ctx, query("mentions_of_service"), store.Params{"service": id}).Scan(&n)
	return id, n > 0, err
}

// Teams are a team and the teams below it.
func (d *Deriver) Teams(ctx context.Context, team string) (teams []string, ok bool, err error) {
	dir, err := d.know(ctx)
	if err != nil {
		return nil, false, err
	}
	teams, known := []string{team}, dir.teamNames[team]
	for i := 0; i < len(teams); i++ {
		for _, child := range dir.children[teams[i]] {
			if !slices.Contains(teams, child) {
				teams = append(teams, child)
			}
		}
	}
	return teams, known, nil
}

// Parents are all teams that facts name, with the team above each, "" where there is none.
func (d *Deriver) Parents(ctx context.Context) (map[string]string, error) {
	dir, err := d.know(ctx)
	if err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for team := range dir.teamNames {
		parents[team] = ""
	}
	for parent, children := range dir.children {
		for _, child := range children {
			parents[child] = parent
		}
	}
	return parents, nil
}

// Span is a stretch of time [From, To).
type Span struct{ From, To time.Time }

// Forever is the end of a stretch that goes on.
func Forever() time.Time { return time.UnixMilli(1 << 52).UTC() }

// Ownership are the stretches during which any of the teams owned each service.
func (d *Deriver) Ownership(ctx context.Context, teams []string) (map[string][]Span, error) {
	dir, err := d.know(ctx)
	if err != nil {
		return nil, err
	}
	spans := map[string][]Span{}
	for service, owners := range dir.owners {
		for _, o := range owners {
			if slices.Contains(teams, o.team) {
				spans[service] = append(spans[service], o.span())
			}
		}
	}
	return spans, nil
}

// Owner is a team that owned a service during a span.
type Owner struct {
	Team string
	Span
}

// Owners are all that ever owned a service, named by id, in the order of time. Those that go on end with Forever.
func (d *Deriver) Owners(ctx context.Context, service string) ([]Owner, error) {
	dir, err := d.know(ctx)
	if err != nil {
		return nil, err
	}
	list := []Owner{}
	for _, o := range dir.owners[service] {
		list = append(list, Owner{o.team, o.span()})
	}
	slices.SortStableFunc(list, func(a, b Owner) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Team, b.Team)) })
	return list, nil
}

func (o owner) span() Span {
	if o.till == math.MaxInt64 {
		return Span{From: instant(o.since), To: Forever()}
	}
	return Span{From: instant(o.since), To: instant(o.till)}
}

// OwnersAt are the teams that owned a service at an instant.
func (d *Deriver) OwnersAt(ctx context.Context, service string, at time.Time) ([]string, error) {
	dir, err := d.know(ctx)
	if err != nil {
		return nil, err
	}
	return dir.teams(dir.canonical(service), at.UnixMilli()), nil
}

// know gives the directory by which was derived last or, before that, the present one.
func (d *Deriver) know(ctx context.Context) (*directory, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.published == nil {
		dir, err := loadDirectory(ctx, d.st, d.cutoff())
		if err != nil {
			return nil, err
		}
		d.published = dir
	}
	return d.published, nil
}

func (d *directory) loadTeams(ctx context.Context, st *store.Store) error {
	var rows []struct {
		ID     string `ch:"id"`
		Parent string `ch:"parent"`
	}
	if err := st.Select(ctx, &rows, query("teams"), nil); err != nil {
		return err
	}
	for _, r := range rows {
		d.teamNames[r.ID] = true
		if r.Parent != "" {
			d.teamNames[r.Parent] = true
			d.children[r.Parent] = append(d.children[r.Parent], r.ID)
		}
	}
	for _, owners := range d.owners {
		for _, o := range owners {
			d.teamNames[o.team] = true
		}
	}
	return nil
}
