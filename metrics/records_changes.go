package metrics

import (
	"context"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// ChangeRecord is one change that went live, or that is merged and waits to.
type ChangeRecord struct {
	ID            string      `json:"id"` // of a change request, or the sha of a commit
	Repository    string      `json:"repository"`
	Service       string      `json:"service"`
	Teams         []string    `json:"teams"` // who owned the service when it went live
	Kind          string      `json:"kind"`  // change_request or commit
	Author        string      `json:"author"`
	Bot           bool        `json:"bot"` // all its commits were written by machines
	Deployment    string      `json:"deployment"`
	Commits       []string    `json:"commits"`
	StartedAt     time.Time   `json:"started_at"`
	OpenedAt      *time.Time  `json:"opened_at"`
	MergedAt      *time.Time  `json:"merged_at"`
	DeployedAt    *time.Time  `json:"deployed_at"` // null while it waits
	LeadTimeHours *float64    `json:"lead_time_hours"`
	Stages        StagesHours `json:"stages"`
	Rule          string      `json:"rule"`     // why it is linked to its deployment
	Excluded      string      `json:"excluded"` // why it is no sample of the lead time; "" when it is one, unless it is a bot's
	Flags         []string    `json:"flags"`
	URL           string      `json:"url"`
}

// StagesHours are the stages of a lead time; null for those that a change did not go through.
type StagesHours struct {
	Coding       *float64 `json:"coding_hours"`
	Pickup       *float64 `json:"pickup_hours"`
	Review       *float64 `json:"review_hours"`
	WaitToDeploy *float64 `json:"wait_to_deploy_hours"`
	Deploy       *float64 `json:"deploy_hours"`
}

// ChangeFilter says which changes to list; what is empty does not matter. The span is [From, To) of DeployedAt, or of
// MergedAt for those that wait.
type ChangeFilter struct {
	Service     string // id or alias
	Team        string // owned then by this team or one below it
	Environment string // "" is production
	Deployment  string // shipped by it
	From, To    time.Time
	Waiting     bool // those that are merged and not live, instead of those that are live
}

// ChangeList is a page of changes, newest first.
type ChangeList struct {
	Changes []ChangeRecord `json:"changes"`
	Next    string         `json:"next"` // cursor of the next page; "" when this is the last
	Flags   []string       `json:"flags"`
}

// Changes lists changes, newest first. Errors are fault.Invalid for what makes no sense and fault.NotFound for an unknown
// service or team.
func (e *Engine) Changes(ctx context.Context, f ChangeFilter, p Paging) (ChangeList, error) {
	asked := f
	asked.From, asked.To = instant(f.From), instant(f.To)
	key := recordsKey{list: "changes", filter: asked, paging: p}
	return answered(ctx, e, key, func(ctx context.Context, stale bool) (ChangeList, error) {
		found, err := e.findChanges(ctx, f, p, stale)
		return found, listed("Changes", err)
	})
}

func (e *Engine) findChanges(ctx context.Context, f ChangeFilter, p Paging, stale bool) (ChangeList, error) {
	file := "changes"
	if f.Waiting {
		if file = "waiting"; f.Deployment != "" {
			return ChangeList{}, fault.New(fault.Invalid, "one of deployment and waiting was expected: no deployment has shipped what waits")
		}
	}
	q, flags, err := e.records(ctx, Scope{Service: f.Service, Team: f.Team}, stale)
	if err != nil {
		return ChangeList{}, err
	}
	v := q.use()
	v["environment"], v["deployment"] = environment(f.Environment), f.Deployment
	if err := span(v, f.From, f.To); err != nil {
		return ChangeList{}, err
	}
	limit, err := p.newest(file, v, "service", "repository", "id")
	if err != nil {
		return ChangeList{}, err
	}
	var rows []struct {
		ID         string     `ch:"id"`
		Service    string     `ch:"service"`
		Repository string     `ch:"repository"`
		Teams      []string   `ch:"teams"`
		Kind       string     `ch:"kind"`
		Author     string     `ch:"author"`
		Bot        bool       `ch:"bot"`
		Deployment string     `ch:"deployment"`
		Commits    []string   `ch:"commits"`
		StartedAt  time.Time  `ch:"started_at"`
		OpenedAt   *time.Time `ch:"opened_at"`
		MergedAt   *time.Time `ch:"merged_at"`
		DeployedAt *time.Time `ch:"deployed_at"`
		Lead       *float64   `ch:"lead"`
		Coding     *float64   `ch:"coding"`
		Pickup     *float64   `ch:"pickup"`
		Review     *float64   `ch:"review"`
		Wait       *float64   `ch:"wait"`
		Deploy     *float64   `ch:"deploy"`
		Rule       string     `ch:"rule"`
		Excluded   string     `ch:"excluded"`
		Flags      []string   `ch:"flags"`
		URL        string     `ch:"url"`
	}
	read := func(v store.Params) (int, error) {
		rows = nil
		err := e.st.Select(ctx, &rows, e.query("records/"+file), v)
		return len(rows), err
	}
	if f.Waiting {
		_, err = read(v)
	} else {
		err = e.newestFirst(ctx, "records/changes", v, limit, read)
	}
	if err != nil {
		return ChangeList{}, err
	}
	found := []ChangeRecord{}
	for _, r := range rows {
		found = append(found, ChangeRecord{
			ID: r.ID, Repository: r.Repository, Service: r.Service, Teams: r.Teams, Kind: r.Kind, Author: r.Author, Bot: r.Bot,
			Deployment: r.Deployment, Commits: append([]string{}, r.Commits...), StartedAt: r.StartedAt.UTC(), OpenedAt: utc(r.OpenedAt),
			MergedAt: utc(r.MergedAt), DeployedAt: utc(r.DeployedAt), LeadTimeHours: r.Lead,
			Stages: StagesHours{Coding: r.Coding, Pickup: r.Pickup, Review: r.Review, WaitToDeploy: r.Wait, Deploy: r.Deploy},
			Rule:   r.Rule, Excluded: r.Excluded, Flags: append([]string{}, r.Flags...), URL: r.URL,
		})
	}
	list := ChangeList{Flags: flags}
	list.Changes, list.Next = page(found, limit, func(c ChangeRecord) string {
		at := c.DeployedAt
		if f.Waiting {
			at = c.MergedAt
		}
		return cursor(file, millis(*at), c.Service, c.Repository, c.ID)
	})
	return list, nil
}
