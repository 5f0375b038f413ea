package metrics

import (
	"context"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// TeamRecord is one team: told of itself, or named by a person, a membership or an ownership.
type TeamRecord struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Parent    string     `json:"parent"` // the team above; "" for none
	Children  []string   `json:"children"`
	TimeZone  string     `json:"time_zone"`
	Services  []string   `json:"services"` // what it owns itself now, without what is retired
	Members   int64      `json:"members"`  // people in the team itself now
	CreatedAt *time.Time `json:"created_at"`
	RetiredAt *time.Time `json:"retired_at"`
}

// TeamFilter says which teams to list; what is empty does not matter.
type TeamFilter struct {
	Search         string // part of an id or name, in any case
	Parent         string // right below this team
	IncludeRetired bool
}

// TeamList is a page of teams, by id.
type TeamList struct {
	Teams []TeamRecord `json:"teams"`
	Total int64        `json:"total"` // of all that fit
	Next  string       `json:"next"`  // cursor of the next page; "" when this is the last
	Flags []string     `json:"flags"`
}

// Teams lists teams by id. Errors are fault.Invalid for what makes no sense and fault.NotFound for an unknown parent.
func (e *Engine) Teams(ctx context.Context, f TeamFilter, p Paging) (TeamList, error) {
	key := recordsKey{list: "teams", filter: f, paging: p}
	return answered(ctx, e, key, func(ctx context.Context, stale bool) (TeamList, error) {
		found, err := e.findTeams(ctx, f, p, stale)
		return found, listed("Teams", err)
	})
}

func (e *Engine) findTeams(ctx context.Context, f TeamFilter, p Paging, stale bool) (TeamList, error) {
	limit, err := p.limit()
	if err != nil {
		return TeamList{}, err
	}
	after, err := p.after("teams", 1)
	if err != nil {
		return TeamList{}, err
	}
	q, flags, err := e.records(ctx, Scope{Team: f.Parent}, stale)
	if err != nil {
		return TeamList{}, err
	}
	v := store.Params{"as_of": q.AsOf, "id": "", "parent": f.Parent, "search": strings.TrimSpace(f.Search), "retired": f.IncludeRetired, "after": "", "limit": limit + 1}
	if after != nil {
		v["after"] = after[0]
	}
	teams, total, err := e.teams(ctx, v)
	if err != nil {
		return TeamList{}, err
	}
	list := TeamList{Total: total, Flags: flags}
	list.Teams, list.Next = page(teams, limit, func(t TeamRecord) string { return cursor("teams", t.ID) })
	return list, nil
}

// Team finds a team. Errors are fault.NotFound.
func (e *Engine) Team(ctx context.Context, id string) (TeamRecord, error) {
	key := recordsKey{list: "team", filter: id}
	return answered(ctx, e, key, func(ctx context.Context, stale bool) (TeamRecord, error) {
		found, err := e.findTeam(ctx, id, stale)
		return found, listed("Team", err)
	})
}

func (e *Engine) findTeam(ctx context.Context, id string, stale bool) (TeamRecord, error) {
	q, _, err := e.records(ctx, Scope{Team: id}, stale)
	if err != nil {
		return TeamRecord{}, err
	}
	teams, _, err := e.teams(ctx, store.Params{"as_of": q.AsOf, "id": id, "parent": "", "search": "", "retired": true, "after": "", "limit": 1})
	if err == nil && (len(teams) == 0 || id == "") {
		err = fault.New(fault.NotFound, "there is no team %q: neither a team nor an ownership fact names it", id)
	}
	if err != nil {
		return TeamRecord{}, err
	}
	return teams[0], nil
}

func (e *Engine) teams(ctx context.Context, v store.Params) (list []TeamRecord, total int64, err error) {
	var rows []struct {
		ID        string     `ch:"id"`
		Name      string     `ch:"name"`
		Parent    string     `ch:"parent"`
		Children  []string   `ch:"children"`
		TimeZone  string     `ch:"time_zone"`
		Services  []string   `ch:"services"`
		Members   int64      `ch:"members"`
		CreatedAt *time.Time `ch:"created_at"`
		RetiredAt *time.Time `ch:"retired_at"`
		Total     int64      `ch:"total"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/teams"), v); err != nil {
		return nil, 0, err
	}
	list = []TeamRecord{}
	for _, r := range rows {
		total = r.Total
		list = append(list, TeamRecord{
			ID: r.ID, Name: r.Name, Parent: r.Parent, Children: r.Children, TimeZone: r.TimeZone, Services: r.Services, Members: r.Members,
			CreatedAt: utc(r.CreatedAt), RetiredAt: utc(r.RetiredAt),
		})
	}
	return list, total, nil
}
