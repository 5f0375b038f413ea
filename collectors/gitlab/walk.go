package gitlab

import (
	"context"
	"slices"
	"time"

	"cairn/internal/fault"
)

// walk reads a list of a project that GitLab can order by the instant of the latest change: merge requests, pipelines,
// deployments, issues. It goes by those instants and not by the numbers of pages, since things move between pages
// whenever one of them changes.
//
// News are read upwards from the latest change that was told, with a little overlap, since a change may become visible
// after a later one did. History is read downwards from where the first turn began. What changes meanwhile moves to the
// top, where the news find it.
//
// Instants have milliseconds in what GitLab shows, and more in what it keeps: a boundary therefore takes in its whole
// millisecond, and what was told of it is known by its id. When a whole page changed in one millisecond, which a script
// can do, its further pages are asked for by their numbers.
type walk[T any] struct {
	path  string
	query query // beside order and bounds
	size  int   // things per page
	since time.Time
	key   func(T) (id int64, changed time.Time)
	tell  func(ctx context.Context, thing T) error
}

// walked is how far a list has been read.
type walked struct {
	versioned
	// Top is the latest change that was told. What changed between Floor and Top and was told is in Seen.
	Top   time.Time `json:"top,omitzero"`
	Floor time.Time `json:"floor,omitzero"`
	Seen  []seen    `json:"seen,omitempty"`
	// Back is the instant down to which history is told; of those that changed in that millisecond the Tied, which fill
	// all pages before Page.
	Back     time.Time `json:"back,omitzero"`
	Tied     []int64   `json:"tied,omitempty"`
	Page     int       `json:"page,omitempty"`
	Complete bool      `json:"complete,omitempty"`

	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Looked is when the news were looked for last, while there is history left.
	Looked time.Time `json:"looked,omitzero"`

	// Tiers are environments' tiers, of the list of deployments.
	Tiers map[string]string `json:"tiers,omitempty"`
	// Incidents are the issues that were told as incidents, of the list of issues.
	Incidents []int64 `json:"incidents,omitempty"`
}

// seen is a state of a thing that was told.
type seen struct {
	ID      int64     `json:"id"`
	Changed time.Time `json:"at"`
}

const (
	// overlap is how much later than a later one a change may become visible.
	overlap = 2 * time.Minute
	// again is how long the news are not looked for again by turns that follow each other to read the history.
	again = 30 * time.Second
	// maxSeen bounds what is remembered of the overlap.
	maxSeen = 50
)

// read makes a turn over the list: p is its position, which moves as things are told.
func (w walk[T]) read(ctx context.Context, t *Turn, p *walked) error {
	p.V = positionVersion
	defer func() {
		t.report.Done, t.report.Total, t.report.Complete = p.Done, max(p.Total, p.Done), p.Complete
		t.report.ReachedBack = p.Back
		if p.Complete && w.since.After(p.Back) {
			t.report.ReachedBack = w.since
		}
	}()
	if p.Complete || !p.Top.IsZero() && t.asOf.Sub(p.Looked) >= again {
		if done, err := w.news(ctx, t, p); err != nil || !done {
			t.report.More = !done
			return err
		}
		p.Looked = t.asOf
	}
	if p.Looked.IsZero() {
		p.Looked = t.asOf
	}
	if p.Complete {
		p.Looked = time.Time{}
	}
	return w.history(ctx, t, p)
}

// news tells what changed since Top, in the order of the changes; done is false when the turn's share of requests did not
// reach to the end.
func (w walk[T]) news(ctx context.Context, t *Turn, p *walked) (done bool, err error) {
	from, number := p.Floor, 1
	if !p.Top.IsZero() {
		from = latest(from, p.Top.Add(-overlap))
	}
	for {
		t.requests++
		things, next, err := list[T](ctx, t.c.api, w.path, w.query.
			with("updated_after", stamp(latest(from, w.since))).with("order_by", "updated_at").with("sort", "asc").
			with("per_page", itoa(w.size)).with("page", itoa(number)))
		if err != nil {
			return false, err
		}
		told := 0
		end := from
		for _, thing := range things {
			id, changed := w.key(thing)
			end = latest(end, changed)
			if slices.Contains(p.Seen, seen{id, changed}) || changed.Before(p.Floor) {
				continue
			}
			if err := w.tell(ctx, thing); err != nil {
				return false, err
			}
			told++
			p.Seen = append(p.Seen, seen{id, changed})
			p.Top = latest(p.Top, changed)
		}
		if next.last || end.After(from) {
			p.trim()
			from, number = end, 1
		} else {
			number++ // the whole page changed in one millisecond
		}
		t.move(p)
		if next.last {
			return true, nil
		}
		if told > 0 && t.spent() {
			return false, nil
		}
	}
}

// trim forgets what the overlap no longer reaches, and keeps the rest short: what changed before the oldest thing that is
// remembered counts as told.
func (p *walked) trim() {
	slices.SortFunc(p.Seen, func(a, b seen) int { return b.Changed.Compare(a.Changed) })
	p.Seen = slices.DeleteFunc(p.Seen, func(s seen) bool { return s.Changed.Before(p.Top.Add(-overlap)) || s.Changed.Before(p.Floor) })
	// The latest millisecond stays whole: others of it may follow on the next page.
	keep := maxSeen
	for keep < len(p.Seen) && p.Seen[keep].Changed.Equal(p.Top) {
		keep++
	}
	if keep < len(p.Seen) {
		p.Floor = p.Seen[keep].Changed.Add(time.Millisecond)
		p.Seen = slices.DeleteFunc(p.Seen, func(s seen) bool { return s.Changed.Before(p.Floor) })
	}
}

// history tells what changed before Back, latest first.
func (w walk[T]) history(ctx context.Context, t *Turn, p *walked) error {
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		number := max(p.Page, 1)
		q := w.query.with("updated_after", stamp(w.since)).with("order_by", "updated_at").with("sort", "desc").
			with("per_page", itoa(w.size)).with("page", itoa(number))
		if !p.Back.IsZero() {
			q = q.with("updated_before", stamp(p.Back.Add(time.Millisecond)))
		}
		t.requests++
		things, next, err := list[T](ctx, t.c.api, w.path, q)
		if err != nil {
			return err
		}
		first := p.Back.IsZero()
		if first {
			p.Total = next.total
		}
		end := p.Back
		var ties []int64
		for _, thing := range things {
			id, changed := w.key(thing)
			switch {
			case !first && changed.After(p.Back):
				continue // of the millisecond that is taken in, too; or it changed a moment ago: the news find it
			case changed.Equal(p.Back) && slices.Contains(p.Tied, id):
				continue
			}
			if err := w.tell(ctx, thing); err != nil {
				return err
			}
			p.Done++
			if p.Top.IsZero() || first && changed.After(p.Top) {
				p.Top = changed
			}
			if changed.After(p.Top.Add(-overlap)) && p.Floor.IsZero() && first {
				p.Seen = append(p.Seen, seen{id, changed})
			}
			if end.IsZero() || changed.Before(end) {
				end, ties = changed, nil
			}
			ties = append(ties, id)
		}
		switch {
		case end.Equal(p.Back):
			p.Tied, p.Page = append(p.Tied, ties...), number+1 // the whole page changed in one millisecond
		default:
			p.Back, p.Tied, p.Page = end, ties, 0
		}
		if first {
			// What the first page does not reach was not told by it, but will be by the history.
			p.Floor = latest(p.Floor, p.Back)
			p.trim()
		}
		if next.last {
			p.Complete, p.Tied, p.Page = true, nil, 0
		}
		t.move(p)
	}
	return nil
}

// off says whether a list cannot be read because the project does not have it: then it is empty, and complete. GitLab
// answers 403 or 404 where a feature is switched off, where the role does not suffice, and where the project is gone;
// the project itself tells which. err is returned when it stands.
func (t *Turn) off(ctx context.Context, err error) (bool, error) {
	kind := fault.KindOf(err)
	if kind != fault.NotFound && kind != fault.Denied {
		return false, err
	}
	var p project
	if look := t.get(ctx, t.repo.in(""), nil, &p); look != nil {
		if fault.KindOf(look) == fault.NotFound {
			return false, fault.New(fault.NotFound, "%s: the project %s was deleted, or is no longer shown to the token", t.c.cfg.Name, t.stream.Group)
		}
		return false, look
	}
	if slices.Contains(p.off(), t.stream.Kind) || kind == fault.NotFound {
		return true, nil
	}
	return false, err
}

// readWalk makes a turn over a list that has the position walked; one that the project does not have is empty.
func readWalk[T any](ctx context.Context, t *Turn, make func(p *walked) walk[T]) error {
	p, err := readPosition[walked](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	w := make(&p)
	w.since = t.c.cfg.Since
	err = w.read(ctx, t, &p)
	if err == nil {
		return nil
	}
	off, err := t.off(ctx, err)
	if off {
		t.report.More, t.report.Complete = false, true
		return nil
	}
	return err
}
