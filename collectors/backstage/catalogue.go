package backstage

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/turn"
)

// record is what was told of an entity.
type record struct {
	ID      string           `json:"id"`              // in facts, for ever
	Name    string           `json:"name,omitempty"`  // short, where it is not the id
	Repo    string           `json:"repo,omitempty"`  // where a component lies
	Service bool             `json:"svc,omitempty"`   // a component that is one
	Sweep   int              `json:"sweep"`           // the latest that found it
	Since   int64            `json:"since,omitempty"` // when it was first seen, seconds; 0: it was there before
	Told    bool             `json:"told,omitempty"`
	Hash    uint32           `json:"hash,omitempty"` // of what was told last
	Teams   map[string]int64 `json:"in,omitempty"`   // owners of a service, or teams of a person, with since when, seconds; 0: always
	Retired int64            `json:"gone,omitempty"` // since when it is no longer there, seconds
	Day     int64            `json:"day,omitempty"`  // of the latest evidence, with how it stood
	State   string           `json:"state,omitempty"`
	Kept    *kept            `json:"kept,omitempty"` // of a service
}

// kept is what has to stay true of a service that is retired: how its history is found, and how it is counted.
type kept struct {
	Aliases   []string `json:"aliases,omitempty"`
	Repo      string   `json:"repo,omitempty"`
	Paths     []string `json:"paths,omitempty"`
	Shared    []string `json:"shared,omitempty"`
	System    string   `json:"system,omitempty"`
	Lifecycle string   `json:"life,omitempty"`
	Template  string   `json:"template,omitempty"`
	Via       string   `json:"via,omitempty"`
	Created   int64    `json:"created,omitempty"` // milliseconds
}

// cataloguePosition is how far the catalogue has been read, and what was told of it. A catalogue is read from end to end,
// a page at a time, again and again: a sweep.
type cataloguePosition struct {
	turn.Versioned
	Known map[string]*record `json:"known,omitempty"` // by reference
	Sweep int                `json:"sweep"`
	Read  bool               `json:"read,omitempty"` // a sweep came to its end
	Phase string             `json:"phase,omitempty"`
	// Cursor is Backstage's, of the next page of the phase; Items is how many components the phase has, Seen how many of them were read.
	Cursor string `json:"cursor,omitempty"`
	Items  int    `json:"items,omitempty"`
	Seen   int    `json:"seen,omitempty"`
	Again  int    `json:"again,omitempty"` // how often the phase was begun anew
}

// Phases of a sweep, in their order.
const (
	phaseGroups     = "groups"
	phaseUsers      = "users"
	phaseIndex      = "index" // of the first sweep: where components lie, since who is alone in a repository is the service of it
	phaseComponents = "components"
	phaseGone       = "gone" // what was not found is asked for by itself: only what Backstage says is gone is retired
)

// perPage is how many entities a page has.
const perPage = 250

// phases are those of the sweep that goes on.
func (t *Turn) phases(p *cataloguePosition) []string {
	all := []string{phaseGroups}
	if t.c.cfg.People {
		all = append(all, phaseUsers)
	}
	if !p.Read {
		all = append(all, phaseIndex)
	}
	return append(all, phaseComponents, phaseGone)
}

// readCatalogue makes a part of a sweep. Backstage does not say when an entity was changed, so what is new or has changed
// is told as of now; what has not changed is not told again.
func readCatalogue(ctx context.Context, t *Turn) error {
	p, err := turn.Read[cataloguePosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if p.Known == nil {
		p.Known = map[string]*record{}
	}
	if p.Phase == "" {
		p.Phase, p.Sweep, p.Cursor, p.Seen, p.Items, p.Again = phaseGroups, p.Sweep+1, "", 0, 0, 0
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete = int64(p.Seen), int64(max(p.Items, p.Seen)), p.Read
	}()
	for p.Phase != "" {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		done := false
		switch p.Phase {
		case phaseGroups:
			done, err = t.page(ctx, &p, "group", fields, t.foundGroup)
		case phaseUsers:
			done, err = t.page(ctx, &p, "user", fields, t.foundUser)
		case phaseIndex:
			done, err = t.page(ctx, &p, "component", fewFields, t.indexed)
		case phaseComponents:
			done, err = t.page(ctx, &p, "component", fields, t.foundComponent)
		default:
			done, err = t.gone(ctx, &p)
		}
		if err != nil {
			return err
		}
		if done {
			phases := t.phases(&p)
			p.Cursor, p.Again = "", 0
			if i := slices.Index(phases, p.Phase); i >= 0 && i+1 < len(phases) {
				p.Phase = phases[i+1]
			} else {
				p.Phase, p.Read = "", true
			}
			if p.Phase == phaseComponents {
				p.Seen, p.Items = 0, 0
			}
		}
		t.Move(&p)
		t.c.remember(p.Known)
	}
	return nil
}

// page reads a page of the entities of a kind; done says that it was the last.
func (t *Turn) page(ctx context.Context, p *cataloguePosition, kind, fields string, found func(*cataloguePosition, entity) error) (done bool, err error) {
	q := url.Values{"limit": {strconv.Itoa(perPage)}, "fields": {fields}}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor) // which has the rest in it
	} else {
		q.Set("filter", "kind="+kind)
		q.Set("orderField", "metadata.name,asc")
	}
	var some entities
	if err := t.get(ctx, "/api/catalog/entities/by-query", q, &some); err != nil {
		if p.Cursor != "" && errors.Is(err, errBadRequest) && p.Again < 3 {
			p.Cursor, p.Again = "", p.Again+1 // a cursor of an earlier version of Backstage: this kind is read from its beginning
			return false, nil
		}
		return false, err
	}
	read := slices.DeleteFunc(some.read(), func(e entity) bool { return !strings.EqualFold(e.Kind, kind) })
	if kind == "component" {
		for _, e := range read {
			if err := t.indexed(p, e); err != nil {
				return false, err
			}
		}
		t.lying = map[string]int{}
		for _, r := range p.Known {
			if r.Service && r.Retired == 0 && r.Repo != "" {
				t.lying[strings.ToLower(r.Repo)]++
			}
		}
	}
	for _, e := range read {
		if err := found(p, e); err != nil {
			return false, err
		}
	}
	p.Items = some.TotalItems
	p.Seen += len(some.Items)
	next := some.PageInfo.NextCursor
	if next != "" && next == p.Cursor {
		return false, fault.New(fault.Unavailable, "%s: Backstage gives the same page of the catalogue again and again", t.c.cfg.Name)
	}
	p.Cursor = next
	return next == "" || len(some.Items) == 0, nil
}

// at is the record of an entity, made when there is none.
func (p *cataloguePosition) at(e entity, asOf time.Time) *record {
	r := p.Known[e.ref()]
	if r == nil {
		r = &record{}
		if p.Read {
			r.Since = asOf.Unix()
		}
		p.Known[e.ref()] = r
	}
	return r
}

// changed says whether a fact is other than the one that was told last, and takes note of it.
func (r *record) changed(fact event.Event) bool {
	hash := uint32(xxhash.Sum64(event.AppendJSON(nil, fact)))
	if r.Told && r.Hash == hash {
		return false
	}
	r.Told, r.Hash = true, hash
	return true
}

// foundGroup tells a group as a team, unless it is the team of another system, which tells of it.
func (t *Turn) foundGroup(p *cataloguePosition, e entity) error {
	r := p.at(e, t.asOf)
	r.Sweep, r.Retired, r.Name = p.Sweep, 0, e.name()
	mapped := ""
	if is, fits := t.c.teams.Of(e.name()); fits {
		if mapped = is; mapped == "" {
			mapped = "none"
		}
	}
	if r.ID = e.name(); mapped != "" {
		if r.ID = mapped; mapped == "none" {
			r.ID = ""
		}
		return nil
	}
	fact := &event.Team{ID: r.ID, Name: cmp.Or(e.Spec.Profile.DisplayName, e.Metadata.Title, e.Metadata.Name)}
	if parents := e.related("childOf", "group", "group", e.Spec.Parent); len(parents) > 0 {
		fact.Parent = t.c.team(parents[0])
	}
	if !r.changed(fact) {
		return nil
	}
	return t.tell(t.asOf, fact)
}

// foundUser tells a user as a person, with the teams that it is in.
func (t *Turn) foundUser(p *cataloguePosition, e entity) error {
	r := p.at(e, t.asOf)
	first := !r.Told
	r.Sweep, r.Retired, r.ID = p.Sweep, 0, e.name()
	fact := &event.Person{ID: r.ID, Name: cmp.Or(e.Spec.Profile.DisplayName, e.Metadata.Title, e.Metadata.Name), Bot: t.c.rules.Bot(r.ID)}
	for _, alias := range []string{strings.ToLower(e.Spec.Profile.Email), e.Metadata.Annotations["github.com/user-login"], e.Metadata.Annotations["gitlab.com/user-login"]} {
		if alias = strings.TrimSpace(alias); alias != "" && alias != r.ID && !slices.Contains(fact.Aliases, alias) {
			fact.Aliases = append(fact.Aliases, alias)
		}
	}
	if r.changed(fact) {
		if err := t.tell(t.asOf, fact); err != nil {
			return err
		}
	}
	var teams []string
	for _, name := range e.related("memberOf", "group", "group", e.Spec.MemberOf...) {
		if team := t.c.team(name); team != "" {
			teams = append(teams, team)
		}
	}
	return t.tellTeams(r, teams, first, func(team string, from, to time.Time) event.Event {
		return &event.Membership{Person: r.ID, Team: team, From: from, To: to}
	})
}

// tellTeams tells what teams a thing belongs to now, and to which it no longer does. What held when the thing was first
// seen holds from the beginning.
func (t *Turn) tellTeams(r *record, now []string, first bool, fact func(team string, from, to time.Time) event.Event) error {
	instant := func(seconds int64) time.Time {
		if seconds == 0 {
			return time.Time{}
		}
		return time.Unix(seconds, 0).UTC()
	}
	for _, team := range slices.Sorted(maps.Keys(r.Teams)) {
		if slices.Contains(now, team) {
			continue
		}
		if err := t.tell(t.asOf, fact(team, instant(r.Teams[team]), t.asOf.Truncate(time.Second))); err != nil {
			return err
		}
		delete(r.Teams, team)
	}
	for _, team := range now {
		if _, is := r.Teams[team]; is {
			continue
		}
		from := int64(0)
		if !first {
			from = t.asOf.Unix()
		}
		if err := t.tell(t.asOf, fact(team, instant(from), time.Time{})); err != nil {
			return err
		}
		if r.Teams == nil {
			r.Teams = map[string]int64{}
		}
		r.Teams[team] = from
	}
	return nil
}

// takes says whether a component is a service, by its type.
func (c *Connection) takes(e entity) bool {
	if len(c.cfg.Types) == 0 {
		return !e.component().Library()
	}
	return slices.ContainsFunc(c.cfg.Types, func(kind string) bool { return strings.EqualFold(kind, e.Spec.Type) })
}

// indexed takes note of where a component lies.
func (t *Turn) indexed(p *cataloguePosition, e entity) error {
	if t.c.takes(e) {
		r := p.at(e, t.asOf)
		r.Repo, r.Service, r.Sweep, r.Retired = e.place().repository, true, p.Sweep, 0
	}
	return nil
}

// foundComponent tells a component as a service, with who owns it.
func (t *Turn) foundComponent(p *cataloguePosition, e entity) error {
	if !t.c.takes(e) {
		return t.left(p, e)
	}
	r := p.at(e, t.asOf)
	first := !r.Told
	lies := e.place()
	r.Repo, r.Service, r.Sweep, r.Name, r.Retired = lies.repository, true, p.Sweep, e.name(), 0
	fact := e.component().Service()
	alone := lies.repository != "" && t.lying[strings.ToLower(lies.repository)] <= 1
	from := event.ServiceRepository{Repository: lies.repository}
	if !alone && lies.path != "" {
		from.Paths = []string{lies.path}
	}
	id, from, is := t.c.service(e, lies, alone, from)
	if !is {
		r.Service = false
		return t.left(p, e)
	}
	// The id stays, whatever else comes to lie in the repository, unless a rule says another.
	if _, ruled := t.c.services.Of(e.name(), e.ref(), lies.repository); !first && ruled && r.ID != id {
		if err := t.tellTeams(r, nil, false, func(team string, from, to time.Time) event.Event {
			return &event.Ownership{Service: r.ID, Team: team, From: from, To: to}
		}); err != nil {
			return err
		}
		first, r.Told, r.State = true, false, ""
	}
	if first {
		r.ID = id
	}
	fact.ID = r.ID
	if from.Repository != "" {
		fact.Repositories = []event.ServiceRepository{from}
	}
	alias := func(name string) {
		if name = strings.TrimSpace(name); name != "" && name != fact.ID && !slices.Contains(fact.Aliases, name) {
			fact.Aliases = append(fact.Aliases, name)
		}
	}
	alias(e.name())
	for _, annotation := range t.c.cfg.Aliases {
		for name := range strings.SplitSeq(e.Metadata.Annotations[annotation], ",") {
			alias(name)
		}
	}
	if alone {
		alias(lies.repository)
	}
	namespace := strings.ToLower(cmp.Or(e.Metadata.Namespace, "default"))
	fact.URL = cmp.Or(fact.URL, t.c.app+"/catalog/"+url.PathEscape(namespace)+"/component/"+url.PathEscape(e.Metadata.Name))
	if fact.Documentation == "" && e.Metadata.Annotations["backstage.io/techdocs-ref"] != "" {
		fact.Documentation = t.c.app + "/docs/" + url.PathEscape(namespace) + "/component/" + url.PathEscape(e.Metadata.Name)
	}
	if r.Since != 0 {
		fact.CreatedAt = time.Unix(r.Since, 0).UTC()
	}
	if made, ok := t.c.madeBy(e.ref()); ok {
		fact.CreatedVia, fact.Template = "golden_path", cmp.Or(fact.Template, made.Template)
		if fact.CreatedAt.IsZero() || made.At.Before(fact.CreatedAt) {
			fact.CreatedAt = made.At
		}
	}
	r.Kept = &kept{
		Aliases: fact.Aliases, Repo: from.Repository, Paths: from.Paths, Shared: from.SharedPaths,
		System: fact.System, Lifecycle: fact.Lifecycle, Template: fact.Template, Via: fact.CreatedVia,
	}
	if !fact.CreatedAt.IsZero() {
		r.Kept.Created = fact.CreatedAt.UnixMilli()
	}
	if r.changed(fact) {
		if err := t.tell(t.asOf, fact); err != nil {
			return err
		}
	}
	var teams []string
	for _, name := range e.related("ownedBy", "group", "group", e.Spec.Owner) {
		if team := t.c.team(name); team != "" {
			teams = append(teams, team)
		}
	}
	err := t.tellTeams(r, teams, first, func(team string, from, to time.Time) event.Event {
		return &event.Ownership{Service: r.ID, Team: team, From: from, To: to}
	})
	if err != nil {
		return err
	}
	return t.evidence(r, e, teams)
}

// evidence tells once a day, and when it changes, how a service stands in the catalogue: an entry that has an owner and
// that Backstage could take in counts. The day, not the moment, is when it was seen, so that repetition changes nothing.
func (t *Turn) evidence(r *record, e entity, teams []string) error {
	capability := t.c.cfg.Capabilities.Catalogue
	if capability == "" {
		return nil
	}
	day := t.asOf.Truncate(24 * time.Hour)
	state, seen := "golden", e.ref()+" owned by "+strings.Join(teams, ", ")
	switch wrong := e.wrong(); {
	case wrong != "":
		state, seen = "none", e.ref()+": "+wrong
	case len(teams) == 0:
		state, seen = "none", e.ref()+" has no owner"
	}
	if r.Day == day.Unix() && r.State == state {
		return nil
	}
	r.Day, r.State = day.Unix(), state
	return t.tell(t.asOf, &event.CapabilityUse{Service: r.ID, Capability: capability, ObservedAt: day, State: state, Evidence: clip(seen)})
}

// service is the id of the service that a component is, and what it is built from. A rule says it, or where none does, as
// it is with files for the catalogue in repositories: the component that is alone in a repository is the only service that
// is built from that; another one is the service of its name.
func (c *Connection) service(e entity, lies place, alone bool, from event.ServiceRepository) (string, event.ServiceRepository, bool) {
	name := e.name()
	if is, fits := c.services.Of(name, e.ref(), lies.repository); fits {
		return is, from, is != ""
	}
	if lies.repository == "" {
		return name, from, true
	}
	ours := c.rules.Services(lies.repository)
	for _, s := range ours {
		last := s.ID[strings.LastIndexByte(s.ID, '/')+1:]
		if s.ID == name || alone && len(ours) == 1 || lies.gitlab && strings.EqualFold(last, name) {
			s.From.Repository = cmp.Or(s.From.Repository, lies.repository)
			return s.ID, s.From, true
		}
	}
	return name, from, true
}

// left retires a component that was told as a service and is none any more.
func (t *Turn) left(p *cataloguePosition, e entity) error {
	r := p.Known[e.ref()]
	if r == nil {
		return nil
	}
	r.Service, r.Sweep = false, p.Sweep
	if !r.Told || r.Retired != 0 {
		return nil
	}
	return t.retire(e.ref(), r)
}

// gone retires what the sweep did not find, and Backstage says is not there.
func (t *Turn) gone(ctx context.Context, p *cataloguePosition) (done bool, err error) {
	var missing []string
	found := 0
	for _, ref := range slices.Sorted(maps.Keys(p.Known)) {
		r := p.Known[ref]
		kind, _, _ := strings.Cut(ref, ":")
		switch {
		case r.Sweep == p.Sweep:
			if kind == "component" {
				found++
			}
		case r.Retired != 0, kind == "user" && !t.c.cfg.People:
		case len(missing) < perPage:
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return true, nil
	}
	if p.Seen == 0 && found == 0 {
		p.Phase = ""
		t.Move(p)
		return false, fault.New(fault.Denied, "%s: Backstage shows no component any more, of those that it did: does the permission policy still let the token see them? Nothing is taken for deleted", t.c.cfg.Name)
	}
	var answer struct {
		Items []*struct {
			Kind string `json:"kind"`
		} `json:"items"`
	}
	if err := t.post(ctx, "/api/catalog/entities/by-refs", map[string]any{"entityRefs": missing, "fields": []string{"kind"}}, &answer); err != nil {
		return false, err
	}
	if len(answer.Items) != len(missing) {
		return false, fault.New(fault.Unavailable, "%s: Backstage was asked for %d entities and tells of %d", t.c.cfg.Name, len(missing), len(answer.Items))
	}
	for i, ref := range missing {
		r := p.Known[ref]
		if answer.Items[i] != nil {
			r.Sweep = p.Sweep // it moved between two pages
			continue
		}
		if err := t.retire(ref, r); err != nil {
			return false, err
		}
	}
	return false, nil
}

// retire tells that something is no longer there. What it was stays told, under the name that it had.
func (t *Turn) retire(ref string, r *record) error {
	r.Retired = t.asOf.Unix()
	if !r.Told {
		return nil
	}
	r.Hash, r.State = 0, ""
	at := t.asOf.Truncate(time.Second)
	kind, _, _ := strings.Cut(ref, ":")
	switch kind {
	case "group":
		return t.tell(t.asOf, &event.Team{ID: r.ID, Name: cmp.Or(r.Name, r.ID), RetiredAt: at})
	case "user":
		return t.tellTeams(r, nil, false, func(team string, from, to time.Time) event.Event {
			return &event.Membership{Person: r.ID, Team: team, From: from, To: to}
		})
	}
	fact := &event.Service{ID: r.ID, Name: cmp.Or(r.Name, r.ID), RetiredAt: at}
	if k := r.Kept; k != nil {
		fact.Aliases, fact.System, fact.Lifecycle, fact.Template, fact.CreatedVia = k.Aliases, k.System, k.Lifecycle, k.Template, k.Via
		if k.Repo != "" {
			fact.Repositories = []event.ServiceRepository{{Repository: k.Repo, Paths: k.Paths, SharedPaths: k.Shared}}
		}
		if k.Created != 0 {
			fact.CreatedAt = time.UnixMilli(k.Created).UTC()
		}
	}
	if err := t.tell(t.asOf, fact); err != nil {
		return err
	}
	return t.tellTeams(r, nil, false, func(team string, from, to time.Time) event.Event {
		return &event.Ownership{Service: r.ID, Team: team, From: from, To: to}
	})
}

// remember makes the entities those that are known.
func (c *Connection) remember(known map[string]*record) {
	ids := make(map[string]string, len(known))
	var tracked []string
	for ref, r := range known {
		ids[ref] = r.ID
		if r.Service && r.Told && r.Retired == 0 {
			tracked = append(tracked, ref)
		}
	}
	slices.Sort(tracked)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids, c.tracked = ids, tracked
}

// id is the id in facts of an entity that is known.
func (c *Connection) id(ref string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.ids[ref]
	return id, ok
}

// team is the id in facts of the group with a name; "" when a rule leaves it out.
func (c *Connection) team(name string) string {
	if is, fits := c.teams.Of(name); fits {
		return is
	}
	if id, ok := c.id(refOf("group", name)); ok && id != "" {
		return id // as it is spelt there
	}
	return name
}

// madeBy is the template that made a component, as far as a run of it is known.
func (c *Connection) madeBy(ref string) (created, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, ok := c.created[ref]
	return made, ok
}

func (c *Connection) rememberCreated(by map[string]created) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created = maps.Clone(by)
}

// clip is a text as long as facts take it.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > 4096 {
		return string(runes[:4096])
	}
	return s
}
