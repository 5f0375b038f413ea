package port

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/turn"
)

// record is what was told of an entity.
type record struct {
	ID      string           `json:"id"`
	Sweep   int              `json:"sweep"`
	Hash    uint32           `json:"hash,omitempty"`
	Teams   map[string]int64 `json:"in,omitempty"`   // owners of a service, with since when, milliseconds; 0: always
	Retired int64            `json:"gone,omitempty"` // milliseconds
	Day     int64            `json:"day,omitempty"`  // of the latest evidence, with how it stood
	State   string           `json:"state,omitempty"`
	Kept    json.RawMessage  `json:"kept,omitempty"` // of a service, in short, for when it is gone
}

// cataloguePosition is how far the entities have been read, and what was told of them. They are read from end to end, a
// page at a time, again and again: a sweep.
type cataloguePosition struct {
	turn.Versioned
	Known map[string]*record `json:"known,omitempty"` // by blueprint/identifier
	Sweep int                `json:"sweep"`
	Going bool               `json:"going,omitempty"`
	Read  bool               `json:"read,omitempty"`  // a sweep came to its end
	Place int                `json:"place,omitempty"` // the how-manieth of the blueprints
	From  string             `json:"from,omitempty"`  // Port's mark of the next page
	Seen  int                `json:"seen,omitempty"`
}

// entityPage is a page of entities.
type entityPage struct {
	Entities []json.RawMessage `json:"entities"`
	Next     string            `json:"next"`
}

const perPage = 200

func searchOf(blueprint string) string {
	return "/v1/blueprints/" + url.PathEscape(blueprint) + "/entities/search"
}

// readCatalogue makes a part of a sweep. What has not changed is not told again.
func readCatalogue(ctx context.Context, t *Turn) error {
	p, err := turn.Read[cataloguePosition](t.Stream(), t.Position())
	if err != nil {
		return err
	}
	if p.Known == nil {
		p.Known = map[string]*record{}
	}
	if !p.Going {
		p.Going, p.Sweep, p.Place, p.From, p.Seen = true, p.Sweep+1, 0, "", 0
	}
	defer func() {
		t.Progress.Done, t.Progress.Total, t.Progress.Complete = int64(p.Seen), int64(max(p.Seen, len(p.Known))), p.Read
	}()
	for p.Going {
		if t.Spent() {
			t.Progress.More = true
			return nil
		}
		if p.Place < len(t.c.cfg.Blueprints) {
			err = t.page(ctx, &p, t.c.cfg.Blueprints[p.Place])
		} else {
			err = t.gone(ctx, &p)
		}
		if err != nil {
			return err
		}
		t.Move(&p)
	}
	return nil
}

// page reads a page of the entities of a blueprint.
func (t *Turn) page(ctx context.Context, p *cataloguePosition, b Blueprint) error {
	body := map[string]any{"limit": perPage}
	if p.From != "" {
		body["from"] = p.From
	}
	var some entityPage
	if err := t.post(ctx, searchOf(b.Blueprint), body, &some); err != nil {
		if fault.KindOf(err) == fault.NotFound && strings.HasPrefix(b.Blueprint, "_") {
			p.Place, p.From = p.Place+1, "" // an older Port, which has no such blueprint of its own
			return nil
		}
		return err
	}
	for _, text := range some.Entities {
		e, ok := readEntity(text, b.Blueprint)
		if !ok {
			continue
		}
		e.Blueprint = b.Blueprint
		p.Seen++
		if err := t.found(p, b, e); err != nil {
			return err
		}
	}
	switch {
	case some.Next == "" || len(some.Entities) == 0:
		p.Place, p.From = p.Place+1, ""
	case some.Next == p.From:
		return fault.New(fault.Unavailable, "%s: Port gives the same page of %s again and again", t.c.cfg.Name, b.Blueprint)
	default:
		p.From = some.Next
	}
	return nil
}

// found tells an entity when it is new or has changed: as of its own latest change.
func (t *Turn) found(p *cataloguePosition, b Blueprint, e entity) error {
	key := e.Blueprint + "/" + e.Identifier
	r := p.Known[key]
	first := r == nil
	if first {
		r = &record{}
		p.Known[key] = r
	}
	changedAt := e.UpdatedAt
	if changedAt.IsZero() {
		changedAt = t.asOf // which Port always tells; then it is as of now
	}
	back := r.Retired != 0
	r.Sweep, r.Retired = p.Sweep, 0
	if b.Is == isTeam {
		fact := t.c.teamFact(b, e)
		if fact == nil {
			return nil
		}
		r.ID = fact.ID
		if !r.changed(fact) {
			return nil
		}
		return t.tell(changedAt, fact)
	}
	fact := t.c.service(b, e)
	if fact == nil || r.ID != "" && r.ID != fact.ID {
		if err := t.owned(r, nil, false, t.asOf); err != nil {
			return err
		}
		first, r.Hash = true, 0
	}
	if fact == nil {
		r.ID = ""
		return nil
	}
	r.ID = fact.ID
	r.keep(fact)
	if r.changed(fact) {
		at := changedAt
		if made, ok := t.c.madeBy(key); ok && made.At.After(at) {
			at = made.At
		}
		if back {
			at = t.asOf
		}
		if err := t.tell(at, fact); err != nil {
			return err
		}
	}
	since := changedAt
	if back {
		since = t.asOf
	}
	teams := t.c.owners(b, e)
	if err := t.owned(r, teams, first, since); err != nil {
		return err
	}
	return t.evidence(r, key, teams)
}

// changed says whether a fact is other than the one that was told last, and takes note of it.
func (r *record) changed(fact event.Event) bool {
	hash := max(uint32(xxhash.Sum64(event.AppendJSON(nil, fact))), 1)
	if r.Hash == hash {
		return false
	}
	r.Hash = hash
	return true
}

// keep takes note of what has to stay true of a service that is gone: how its history is found, and how it is counted.
func (r *record) keep(s *event.Service) {
	short := map[string]any{"name": s.Name, "aliases": s.Aliases, "repositories": s.Repositories, "system": s.System, "lifecycle": s.Lifecycle, "template": s.Template, "created_via": s.CreatedVia}
	if !s.CreatedAt.IsZero() {
		short["created_at"] = s.CreatedAt
	}
	maps.DeleteFunc(short, func(_ string, v any) bool {
		switch v := v.(type) {
		case string:
			return v == ""
		case []string:
			return len(v) == 0
		case []event.ServiceRepository:
			return len(v) == 0
		}
		return false
	})
	text, err := json.Marshal(short)
	if err != nil {
		panic(err) // texts and instants
	}
	r.Kept = text
}

// owned tells which teams own a service, and which no longer do. What held at the first look holds from the beginning.
func (t *Turn) owned(r *record, now []string, first bool, at time.Time) error {
	instant := func(milliseconds int64) time.Time {
		if milliseconds == 0 {
			return time.Time{}
		}
		return time.UnixMilli(milliseconds).UTC()
	}
	for _, team := range slices.Sorted(maps.Keys(r.Teams)) {
		if slices.Contains(now, team) {
			continue
		}
		if err := t.tell(at, &event.Ownership{Service: r.ID, Team: team, From: instant(r.Teams[team]), To: at}); err != nil {
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
			from = at.UnixMilli()
		}
		if err := t.tell(at, &event.Ownership{Service: r.ID, Team: team, From: instant(from)}); err != nil {
			return err
		}
		if r.Teams == nil {
			r.Teams = map[string]int64{}
		}
		r.Teams[team] = from
	}
	return nil
}

// evidence tells once a day, and when it changes, how a service stands in the catalogue: an entry with an owner counts.
func (t *Turn) evidence(r *record, key string, teams []string) error {
	capability := t.c.cfg.Capabilities.Catalogue
	if capability == "" {
		return nil
	}
	day, state, seen := t.asOf.Truncate(24*time.Hour), "golden", key+" owned by "+strings.Join(teams, ", ")
	if len(teams) == 0 {
		state, seen = "none", key+" has no owner"
	}
	if r.Day == day.Unix() && r.State == state {
		return nil
	}
	r.Day, r.State = day.Unix(), state
	return t.tell(t.asOf, &event.CapabilityUse{Service: r.ID, Capability: capability, ObservedAt: day, State: state, Evidence: clip(seen)})
}

// gone retires what the sweep did not find, and Port says is not there.
func (t *Turn) gone(ctx context.Context, p *cataloguePosition) error {
	kinds := map[string]string{}
	for _, b := range t.c.cfg.Blueprints {
		kinds[b.Blueprint] = b.Is
	}
	for _, key := range slices.Sorted(maps.Keys(p.Known)) {
		r := p.Known[key]
		blueprint, identifier, _ := strings.Cut(key, "/")
		is, configured := kinds[blueprint]
		if r.Sweep == p.Sweep || r.Retired != 0 || !configured {
			continue
		}
		if p.Seen == 0 {
			p.Going = false
			t.Move(p)
			return fault.New(fault.Denied, "%s: Port shows no entity any more, of those that it did: may the client still read them? Nothing is taken for deleted", t.c.cfg.Name)
		}
		if t.Spent() {
			return nil
		}
		err := t.get(ctx, "/v1/blueprints/"+url.PathEscape(blueprint)+"/entities/"+url.PathEscape(identifier), nil, &struct{}{})
		if err == nil {
			r.Sweep = p.Sweep // it moved between two pages
			t.Move(p)
			continue
		}
		if fault.KindOf(err) != fault.NotFound {
			return err
		}
		at, err := t.deleted(ctx, blueprint, identifier)
		if err != nil {
			return err
		}
		if err := t.retire(r, is, at); err != nil {
			return err
		}
		t.Move(p)
	}
	p.Going, p.Read = false, true
	return nil
}

// deleted is when an entity was deleted, by the audit log, or now where that does not say.
func (t *Turn) deleted(ctx context.Context, blueprint, identifier string) (time.Time, error) {
	log, err := t.audit(ctx, url.Values{"blueprint": {blueprint}, "entity": {identifier}, "resources": {"entity"}, "action": {"DELETE"}, "include_deleted_entities": {"true"}})
	if err != nil {
		return time.Time{}, err
	}
	at := time.Time{}
	for _, e := range log {
		if when := instant(e.Trigger.At); e.Action == "DELETE" && when.After(at) && !when.After(t.asOf) {
			at = when
		}
	}
	if at.IsZero() {
		return t.asOf, nil
	}
	return at, nil
}

// retire tells that something is no longer there. What it was stays told.
func (t *Turn) retire(r *record, is string, at time.Time) error {
	r.Retired, r.Hash, r.State = at.UnixMilli(), 0, ""
	if r.ID == "" {
		return nil
	}
	if is == isTeam {
		return t.tell(at, &event.Team{ID: r.ID, Name: r.ID, RetiredAt: at})
	}
	fact := &event.Service{}
	_ = json.Unmarshal(r.Kept, fact) // what it is without that is known by its id
	fact.ID, fact.RetiredAt = r.ID, at
	if err := t.tell(at, fact); err != nil {
		return err
	}
	return t.owned(r, nil, false, at)
}
