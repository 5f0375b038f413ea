package metrics

import (
	"context"
	"fmt"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// Evidence is what stands behind a value: each fact with the rule that linked it, and what was left out and why.
type Evidence struct {
	Result  Result    `json:"result"`
	Items   []Item    `json:"items"`
	LeftOut []LeftOut `json:"left_out"`
	// Note says why there is no list where there is none.
	Note string `json:"note,omitempty"`
	// Next is the offset of the next page; 0 when this is the last.
	Next int `json:"next,omitempty"`
}

// Item is one fact behind a value, or one that was looked at and not counted.
type Item struct {
	Kind       string            `json:"kind"`
	ID         string            `json:"id"`
	Service    string            `json:"service"`
	Teams      []string          `json:"teams"`
	At         time.Time         `json:"at"`
	Value      *float64          `json:"value"` // in the metric's unit
	Counted    bool              `json:"counted"`
	Reason     string            `json:"reason,omitempty"` // why it is not counted
	Rule       string            `json:"rule,omitempty"`   // why it is linked as it is
	Deployment string            `json:"deployment,omitempty"`
	Details    map[string]string `json:"details"`
	URL        string            `json:"url,omitempty"`
}

// LeftOut is one reason for leaving something out, with how many it concerns and some of them by name.
type LeftOut struct {
	Reason   string   `json:"reason"`
	N        int64    `json:"n"`
	Examples []string `json:"examples"`
}

// Page says which part of a list to return.
type Page struct{ Limit, Offset int }

// maxPage bounds a page.
const maxPage = 10_000

// Explain answers a request and lists what stands behind the answer. Errors are those of Query.
func (e *Engine) Explain(ctx context.Context, r Request, page Page) (Evidence, error) {
	if page.Limit == 0 {
		page.Limit = 100
	}
	if page.Limit < 0 || page.Limit > maxPage || page.Offset < 0 {
		return Evidence{}, fault.New(fault.Invalid, "limit is %d and offset %d: expected a limit from 1 to %d and an offset of 0 or more", page.Limit, page.Offset, maxPage)
	}
	res, err := e.Query(ctx, r)
	if err != nil {
		return Evidence{}, err
	}
	r.AsOf = res.AsOf
	q, err := e.ask(ctx, r)
	if err != nil {
		return Evidence{}, err
	}
	ev := Evidence{Result: res, Items: []Item{}, LeftOut: []LeftOut{}}
	file := q.def.evidence
	p := q.use()
	p["limit"], p["offset"], p["value"] = page.Limit+1, page.Offset, ""
	switch q.def.evidence {
	case "failures":
		file, p["value"] = "deployments", "recovery"
	case "deployments":
		if q.def.ID == "deployment_rework_rate" {
			p["value"] = "rework"
		}
		if p["kinds"] == nil {
			p["kinds"] = []string{}
		}
	case "services":
		if q.def.ID == "adoption_new_service_rate" {
			p["value"] = "created"
		}
	case "adoption", "waiting":
		p["instants"] = []time.Time{q.stateAt(Span{From: q.Window.From, To: q.Window.To})}
		p["capabilities"] = e.capabilities(q)
	case "people", "answers":
		ev.Note = "single people are never shown; the counts in the result's parts are all there is to see"
		return ev, nil
	case "slos":
		items, err := e.measurementItems(q)
		if rest := items[min(page.Offset, len(items)):]; len(rest) > page.Limit {
			ev.Items, ev.Next = rest[:page.Limit], page.Offset+page.Limit
		} else {
			ev.Items = rest
		}
		return ev, err
	}
	if ev.Items, err = e.items(ctx, file, p); err != nil {
		return Evidence{}, fmt.Errorf("metrics.Explain(%q): %w", r.Metric, err)
	}
	if len(ev.Items) > page.Limit {
		ev.Items, ev.Next = ev.Items[:page.Limit], page.Offset+page.Limit
	}
	if file == "changes" || file == "deployments" || file == "runs" {
		var rows []struct {
			Reason   string   `ch:"reason"`
			N        uint64   `ch:"n"`
			Examples []string `ch:"examples"`
		}
		if err := e.st.Select(ctx, &rows, e.query("evidence/left_out"), p); err != nil {
			return Evidence{}, fmt.Errorf("metrics.Explain(%q): %w", r.Metric, err)
		}
		for _, row := range rows {
			ev.LeftOut = append(ev.LeftOut, LeftOut{Reason: row.Reason, N: int64(row.N), Examples: row.Examples})
		}
	}
	return ev, nil
}

func (e *Engine) items(ctx context.Context, file string, p store.Params) ([]Item, error) {
	var rows []struct {
		Kind       string            `ch:"kind"`
		ID         string            `ch:"id"`
		Service    string            `ch:"service"`
		At         time.Time         `ch:"at"`
		Value      *float64          `ch:"value"`
		Counted    bool              `ch:"counted"`
		Reason     string            `ch:"reason"`
		Rule       string            `ch:"rule"`
		Deployment string            `ch:"deployment"`
		Teams      []string          `ch:"teams"`
		Details    map[string]string `ch:"details"`
		URL        string            `ch:"url"`
	}
	if err := e.st.Select(ctx, &rows, e.query("evidence/"+file), p); err != nil {
		return nil, err
	}
	items := make([]Item, len(rows))
	for i, r := range rows {
		items[i] = Item{
			Kind: r.Kind, ID: r.ID, Service: r.Service, Teams: r.Teams, At: r.At.UTC(), Value: r.Value, Counted: r.Counted,
			Reason: r.Reason, Rule: r.Rule, Deployment: r.Deployment, Details: r.Details, URL: r.URL,
		}
	}
	return items, nil
}

func (e *Engine) measurementItems(q *question) ([]Item, error) {
	list, err := e.measurements(q)
	if err != nil {
		return nil, err
	}
	newest := map[string]int{}
	for i, m := range list {
		if m.Total > 0 {
			newest[m.SLO] = i
		}
	}
	items := []Item{}
	for i, m := range list {
		teams, err := e.derive.OwnersAt(q.ctx, m.Service, m.At)
		if err != nil {
			return nil, err
		}
		it := Item{
			Kind: "slo", ID: m.SLO, Service: m.Service, Teams: teams, At: m.At.UTC(), Counted: m.Total > 0 && newest[m.SLO] == i,
			Details: map[string]string{"target": fmt.Sprint(m.Target), "good": fmt.Sprint(m.Good), "total": fmt.Sprint(m.Total)},
		}
		switch {
		case m.Total == 0:
			it.Reason = "no traffic"
		case !it.Counted:
			it.Reason = "a newer measurement counts"
		case m.Met:
			it.Rule = "met"
		default:
			it.Rule = "missed"
		}
		items = append(items, it)
	}
	return items, nil
}

// FailedDeployments are the ids of the deployments that count as failed, sorted.
func (e *Engine) FailedDeployments(ctx context.Context, r Request) ([]string, error) {
	r.Metric = "change_failure_rate"
	q, err := e.ask(ctx, r)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID string `ch:"id"`
	}
	if err := e.st.Select(ctx, &rows, e.query("evidence/failed_deployments"), q.use()); err != nil {
		return nil, err
	}
	ids := []string{}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids, nil
}
