package github

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// teamsPosition is how far the teams were read, and who was in them. GitHub does not say since when: who is there at the
// first sweep always was, who comes later has been since that sweep.
type teamsPosition struct {
	Version int                   `json:"v"`
	Sweep   int                   `json:"sweep"`
	First   bool                  `json:"first,omitempty"` // the first sweep is over
	Org     int                   `json:"org,omitempty"`   // index of the one whose teams are being read
	Page    int                   `json:"page,omitempty"`
	Skip    int                   `json:"skip,omitempty"` // teams of that page that are told
	Teams   map[string]*teamKnown `json:"teams,omitempty"`
	// People holds a hash of each account that was told, packed.
	People string `json:"people,omitempty"`
}

type teamKnown struct {
	Told    uint32           `json:"t"`           // hash of its latest telling
	Changes int64            `json:"c,omitempty"` // tellings that differed
	Sweep   int              `json:"s"`           // in which it was last listed
	Name    string           `json:"n,omitempty"`
	Parent  string           `json:"p,omitempty"`
	Gone    bool             `json:"g,omitempty"`
	Members map[string]int64 `json:"m,omitempty"` // login: since when, seconds; 0: always
}

const teamsAtOnce = 100

func readTeamsTurn(ctx context.Context, t *Turn) error {
	p := teamsPosition{Version: 1, Sweep: 1, Page: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	if p.Teams == nil {
		p.Teams = map[string]*teamKnown{}
	}
	people := unpackHashes(p.People)
	save := func() {
		p.People = people.pack()
		t.position = position(p)
		t.report.Done, t.report.Total = int64(len(p.Teams)), int64(len(p.Teams))
	}
	for p.Org < len(t.c.cfg.Organisations) {
		org := t.c.cfg.Organisations[p.Org]
		if t.spent() {
			t.report.More = true
			return nil
		}
		var list []*github.Team
		next, err := t.get(ctx, "the teams of "+org, "orgs/"+org+"/teams", values("per_page", strconv.Itoa(teamsAtOnce), "page", strconv.Itoa(p.Page)), &list)
		if fault.KindOf(err) == fault.NotFound { // a user has no teams
			list, err = nil, nil
		}
		if err != nil {
			return err
		}
		for n, team := range list {
			if n < p.Skip {
				continue
			}
			if t.spent() {
				t.report.More = true
				return nil
			}
			if err := t.readTeam(ctx, &p, people, org, team); err != nil {
				return err
			}
			p.Skip = n + 1
			save()
		}
		p.Page, p.Skip = p.Page+1, 0
		if next.next == 0 {
			p.Org, p.Page = p.Org+1, 1
		}
		save()
	}
	for _, id := range slices.Sorted(maps.Keys(p.Teams)) {
		k := p.Teams[id]
		if k.Sweep == p.Sweep || k.Gone {
			continue
		}
		if t.spent() {
			t.report.More = true
			return nil
		}
		if err := t.missingTeam(ctx, id, k); err != nil {
			return err
		}
		save()
	}
	p.Sweep, p.First, p.Org, p.Page = p.Sweep+1, true, 0, 1
	save()
	t.report.Complete = true
	return nil
}

// readTeam tells a team, its people, and who came and went.
func (t *Turn) readTeam(ctx context.Context, p *teamsPosition, people hashes, org string, team *github.Team) error {
	id := teamID(org, team.GetSlug())
	members := map[string]bool{}
	var persons []event.Event
	for page := 1; page != 0; {
		var list []*github.User
		next, err := t.get(ctx, "the members of team "+id, "orgs/"+org+"/teams/"+team.GetSlug()+"/members",
			values("per_page", "100", "page", strconv.Itoa(page)), &list)
		if fault.KindOf(err) == fault.NotFound { // it was deleted a moment ago
			return nil
		}
		if err != nil {
			return err
		}
		for _, u := range list {
			members[u.GetLogin()] = true
			fact := t.c.t.person(u)
			if hash := xxhash.Sum64(event.AppendJSON(nil, fact)); !people[hash] {
				people[hash] = true
				persons = append(persons, fact)
			}
		}
		page = next.next
	}
	k := p.Teams[id]
	if k == nil {
		k = &teamKnown{Members: map[string]int64{}}
		p.Teams[id] = k
	}
	if k.Members == nil {
		k.Members = map[string]int64{}
	}
	k.Sweep, k.Gone = p.Sweep, false
	fact := t.c.t.team(org, team, time.UnixMilli(0))
	k.Name, k.Parent = fact.Name, fact.Parent
	if err := t.tellTeam(k, fact); err != nil {
		return err
	}
	if err := t.tell(persons...); err != nil {
		return err
	}
	for _, login := range slices.Sorted(maps.Keys(members)) {
		if _, there := k.Members[login]; there {
			continue
		}
		since := int64(0)
		if p.First {
			since = t.asOf.Unix()
		}
		if err := t.tellMembership(id, login, since, time.Time{}); err != nil {
			return err
		}
		k.Members[login] = since
	}
	for _, login := range slices.Sorted(maps.Keys(k.Members)) {
		if members[login] {
			continue
		}
		if err := t.tellMembership(id, login, k.Members[login], t.asOf); err != nil {
			return err
		}
		delete(k.Members, login)
	}
	return nil
}

// tellTeam tells a team that is new or has changed: as of 1970 and a millisecond for each change, so that anybody else
// who tells of it wins.
func (t *Turn) tellTeam(k *teamKnown, fact *event.Team) error {
	hash := uint32(xxhash.Sum64(event.AppendJSON(nil, fact)))
	if hash == k.Told {
		return nil
	}
	if k.Told != 0 {
		k.Changes++
	}
	k.Told = hash
	fact.UpdatedAt = time.UnixMilli(k.Changes).UTC()
	return t.tell(fact)
}

// tellMembership tells that somebody came (to is zero) or went. One that has ended wins over the same one that has not.
func (t *Turn) tellMembership(team, login string, from int64, to time.Time) error {
	var since time.Time
	if from != 0 {
		since = time.Unix(from, 0)
	}
	return t.tell(t.c.t.membership(login, team, since, to, time.UnixMilli(0)))
}

// missingTeam looks at a team that is no longer listed: when it is gone, everybody has left it.
func (t *Turn) missingTeam(ctx context.Context, id string, k *teamKnown) error {
	org, slug, _ := strings.Cut(id, "/")
	var team github.Team
	_, err := t.get(ctx, "team "+id, "orgs/"+org+"/teams/"+slug, nil, &team)
	if fault.KindOf(err) != fault.NotFound {
		return err // it moved between pages, and is read the next time
	}
	k.Gone = true
	fact := &event.Team{Telling: event.Telling{Source: t.c.cfg.Name}, ID: id, Name: k.Name, Parent: k.Parent, RetiredAt: t.asOf}
	if err := t.tellTeam(k, fact); err != nil {
		return err
	}
	for _, login := range slices.Sorted(maps.Keys(k.Members)) {
		if err := t.tellMembership(id, login, k.Members[login], t.asOf); err != nil {
			return err
		}
		delete(k.Members, login)
	}
	return nil
}

// hashes is a set of hashes that packs small.
type hashes map[uint64]bool

func (h hashes) pack() string {
	var packed []byte
	for _, hash := range slices.Sorted(maps.Keys(h)) {
		packed = binary.BigEndian.AppendUint64(packed, hash)
	}
	return base64.RawStdEncoding.EncodeToString(packed)
}

// unpackHashes reads what pack wrote. What it cannot read is told again.
func unpackHashes(text string) hashes {
	h := hashes{}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return h
	}
	for ; len(packed) >= 8; packed = packed[8:] {
		h[binary.BigEndian.Uint64(packed)] = true
	}
	return h
}
