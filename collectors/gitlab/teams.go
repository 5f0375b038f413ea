package gitlab

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
)

// knownGroup is a group as it is kept in the position of the list of teams.
type knownGroup struct {
	ID        int64     `json:"id"`
	Fact      string    `json:"fact"` // its id in facts: the first path that was known, for ever
	Path      string    `json:"path"` // its path now
	Name      string    `json:"name"`
	ParentID  int64     `json:"parent,omitempty"`
	CreatedAt time.Time `json:"created,omitzero"`
	RetiredAt time.Time `json:"retired,omitzero"`
	// Members are the logins of those in it, with since when.
	Members map[string]time.Time `json:"members,omitempty"`
	Sweep   int                  `json:"sweep"`
}

// teamsPosition is how far the groups and their members have been read.
type teamsPosition struct {
	versioned
	Groups []knownGroup `json:"groups,omitempty"` // by id
	Sweep  int          `json:"sweep"`
	Going  bool         `json:"going"`
	// Place is the how-manieth of the configured groups is read, Page the page of those below it: 0 for the group itself.
	Place int `json:"place"`
	Page  int `json:"page"`
	// Members is the id of the last group whose members were read.
	Members int64 `json:"members"`
}

// readTeams makes a part of a look at all groups and who is in them. A group is a team, its direct members are in it.
func readTeams(ctx context.Context, t *Turn) error {
	p, err := readPosition[teamsPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	if !p.Going {
		p.Going, p.Sweep, p.Place, p.Page, p.Members = true, p.Sweep+1, 0, 0, 0
	}
	defer func() {
		t.report.Total, t.report.Complete = int64(len(p.Groups)), !p.Going
		for _, g := range p.Groups {
			if !p.Going || g.ID <= p.Members {
				t.report.Done++
			}
		}
	}()
	for p.Going {
		if t.spent() {
			t.report.More = true
			return nil
		}
		switch {
		case p.Place < len(t.c.cfg.Groups):
			err = t.pageOfGroups(ctx, &p)
		default:
			err = t.nextMembers(ctx, &p)
		}
		if err != nil {
			return err
		}
		t.move(p)
		t.c.rememberGroups(p.Groups)
	}
	return nil
}

// pageOfGroups reads a configured group, or a page of those below it.
func (t *Turn) pageOfGroups(ctx context.Context, p *teamsPosition) error {
	path := "groups/" + url.PathEscape(t.c.cfg.Groups[p.Place])
	if p.Page == 0 {
		var g group
		if err := t.get(ctx, path, query{"with_projects": "false"}, &g); err != nil {
			if fault.KindOf(err) == fault.NotFound {
				return fault.New(fault.NotFound, "%s: there is no group %s, or the token is not a member of it: check groups", t.c.cfg.Name, t.c.cfg.Groups[p.Place])
			}
			return err
		}
		p.Page = 1
		return t.foundGroup(p, g)
	}
	t.requests++
	groups, next, err := list[group](ctx, t.c.api, path+"/descendant_groups", query{"order_by": "id", "sort": "asc"}.page(p.Page))
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := t.foundGroup(p, g); err != nil {
			return err
		}
	}
	p.Page++
	if next.last {
		p.Place, p.Page = p.Place+1, 0
	}
	return nil
}

// foundGroup tells a group when it is new or has another name.
func (t *Turn) foundGroup(p *teamsPosition, found group) error {
	i, is := slices.BinarySearchFunc(p.Groups, found.ID, func(g knownGroup, id int64) int { return int(g.ID - id) })
	g := knownGroup{ID: found.ID, Fact: found.FullPath}
	if is {
		g = p.Groups[i]
	} else if slices.ContainsFunc(p.Groups, func(other knownGroup) bool { return other.Fact == g.Fact }) {
		g.Fact += "-" + itoa(found.ID)
	}
	told := is && g.Name == found.Name && g.ParentID == found.ParentID && g.RetiredAt.IsZero()
	g.Path, g.Name, g.ParentID, g.CreatedAt = found.FullPath, found.Name, found.ParentID, found.CreatedAt.Time
	g.RetiredAt, g.Sweep = time.Time{}, p.Sweep
	if is {
		p.Groups[i] = g
	} else {
		p.Groups = slices.Insert(p.Groups, i, g)
	}
	if told {
		return nil
	}
	// GitLab does not say when a group was changed: a first telling is as old as the group, a later one as of now.
	at := found.CreatedAt.Time
	if is || at.IsZero() {
		at = t.asOf
	}
	return t.tell(t.c.t.team(g, p.parent(g), at))
}

// parent is the id in facts of the group above, as far as it is read.
func (p *teamsPosition) parent(g knownGroup) string {
	i, ok := slices.BinarySearchFunc(p.Groups, g.ParentID, func(g knownGroup, id int64) int { return int(g.ID - id) })
	if !ok {
		return ""
	}
	return p.Groups[i].Fact
}

// nextMembers reads who is in the next group, and tells who came and who left. A group that the look did not find is
// asked for by itself: only what GitLab says is gone is retired.
func (t *Turn) nextMembers(ctx context.Context, p *teamsPosition) error {
	i := slices.IndexFunc(p.Groups, func(g knownGroup) bool { return g.ID > p.Members && g.RetiredAt.IsZero() })
	if i < 0 {
		p.Going = false
		return nil
	}
	g := &p.Groups[i]
	p.Members = g.ID
	path := "groups/" + itoa(g.ID)
	members, err := all[member](ctx, t, path+"/members", nil)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	gone := err != nil
	if gone && g.Sweep == p.Sweep {
		return err // it was there a moment ago: look again
	}
	now := map[string]time.Time{}
	for _, m := range members {
		if m.Username == "" || m.State != "" && m.State != "active" {
			continue
		}
		since, before := g.Members[m.Username]
		if !before {
			since = m.CreatedAt.Time
			if err := t.tell(t.c.t.person(m.account), t.c.t.membership(m.Username, g.Fact, since, time.Time{}, since)); err != nil {
				return err
			}
		}
		now[m.Username] = since
	}
	for _, login := range slices.Sorted(maps.Keys(g.Members)) {
		if _, still := now[login]; still {
			continue
		}
		if err := t.tell(t.c.t.membership(login, g.Fact, g.Members[login], t.asOf, t.asOf)); err != nil {
			return err
		}
	}
	g.Members = now
	if gone {
		g.RetiredAt = t.asOf
		return t.tell(t.c.t.team(*g, p.parent(*g), t.asOf))
	}
	return nil
}

// rememberGroups makes the groups those that are known, for the files that name them as owners.
func (c *Connection) rememberGroups(groups []knownGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups = make(map[string]string, len(groups))
	for _, g := range groups {
		if g.RetiredAt.IsZero() {
			c.groups[strings.ToLower(g.Path)] = g.Fact
		}
	}
}

// team is the id in facts of the group with a path; false when no such group is known.
func (c *Connection) team(path string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fact, ok := c.groups[strings.ToLower(path)]
	return fact, ok
}
