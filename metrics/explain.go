package metrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	// What stands behind an answer is as of the same instant: it is kept for as long as that answer is given.
	r.AsOf = res.AsOf
	def, r, err := e.check(r)
	if err != nil {
		return Evidence{}, err
	}
	ev, err := answered(ctx, e, evidenceKey{e.key(r), page}, func(ctx context.Context, _ bool) (Evidence, error) {
		q, err := e.pose(ctx, def, r)
		if err != nil {
			return Evidence{}, err
		}
		ev, err := e.evidence(q, page)
		if err != nil {
			err = fmt.Errorf("metrics.Explain(%q): %w", r.Metric, err)
		}
		return ev, err
	})
	ev.Result = res
	return ev, err
}

// Spread answers with the values of what Explain lists as counted: of the first maxSpread facts, whether counted or not,
// and says whether there are more. Errors are those of Query.
func (e *Engine) Spread(ctx context.Context, r Request) (values []float64, more bool, err error) {
	res, err := e.Query(ctx, r)
	if err != nil {
		return nil, false, err
	}
	r.AsOf = res.AsOf
	def, r, err := e.check(r)
	if err != nil {
		return nil, false, err
	}
	found, err := answered(ctx, e, spreadKey{e.key(r)}, func(ctx context.Context, _ bool) (spread, error) {
		q, err := e.pose(ctx, def, r)
		if err != nil {
			return spread{}, err
		}
		file, p, ok := e.evidenceOf(q)
		if !ok {
			return spread{}, nil
		}
		p["limit"], p["offset"] = maxSpread+1, 0
		var rows []struct {
			Value   *float64 `ch:"value"`
			Counted bool     `ch:"counted"`
		}
		if err := e.st.Select(ctx, &rows, e.query("evidence/"+file+" values"), p); err != nil {
			return spread{}, fmt.Errorf("metrics.Spread(%q): %w", r.Metric, err)
		}
		s := spread{more: len(rows) > maxSpread}
		for _, row := range rows[:min(len(rows), maxSpread)] {
			if row.Counted && row.Value != nil {
				s.values = append(s.values, *row.Value)
			}
		}
		return s, nil
	})
	return found.values, found.more, err
}

// maxSpread is how many facts Spread looks at.
const maxSpread = 10_000

// spread are values that are kept.
type spread struct {
	values []float64
	more   bool
}

func (s spread) points() int { return 1 + len(s.values)/100 }

func (s spread) clone() spread {
	s.values = slices.Clone(s.values)
	return s
}

// evidenceKey and spreadKey are requests whose evidence is kept.
type (
	evidenceKey struct {
		requestKey
		page Page
	}
	spreadKey struct{ requestKey }
)

func (ev Evidence) points() int { return 1 + len(ev.Items) + len(ev.LeftOut) }

func (ev Evidence) clone() Evidence {
	ev.Result, ev.Items, ev.LeftOut = ev.Result.clone(), slices.Clone(ev.Items), slices.Clone(ev.LeftOut)
	for i := range ev.Items {
		it := &ev.Items[i]
		it.Teams, it.Value, it.Details = slices.Clone(it.Teams), clonePointer(it.Value), maps.Clone(it.Details)
	}
	for i := range ev.LeftOut {
		ev.LeftOut[i].Examples = slices.Clone(ev.LeftOut[i].Examples)
	}
	return ev
}

// evidenceOf is the query that lists the evidence of a question, with its values. Some metrics have no such query.
func (e *Engine) evidenceOf(q *question) (file string, p store.Params, ok bool) {
	file, p = q.def.evidence, q.use()
	p["value"] = ""
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
	case "people", "answers", "slos":
		return file, p, false
	}
	return file, p, true
}

func (e *Engine) evidence(q *question, page Page) (Evidence, error) {
	ev := Evidence{Items: []Item{}, LeftOut: []LeftOut{}}
	file, p, ok := e.evidenceOf(q)
	switch {
	case file == "people" || file == "answers":
		ev.Note = "single people are never shown; the counts in the result's parts are all there is to see"
		return ev, nil
	case !ok:
		items, err := e.measurementItems(q)
		if rest := items[min(page.Offset, len(items)):]; len(rest) > page.Limit {
			ev.Items, ev.Next = rest[:page.Limit], page.Offset+page.Limit
		} else {
			ev.Items = rest
		}
		return ev, err
	}
	p["limit"], p["offset"] = page.Limit+1, page.Offset
	var err error
	if ev.Items, err = e.items(q.ctx, file, p); err != nil {
		return Evidence{}, err
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
		if err := e.st.Select(q.ctx, &rows, e.query("evidence/left_out"), p); err != nil {
			return Evidence{}, err
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
