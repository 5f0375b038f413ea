package metrics

import (
	"slices"
	"time"

	"cairn/internal/store"
)

// stateAt is the instant at which a state is asked for a span: its end or now, whichever is earlier.
func (q *question) stateAt(s Span) time.Time {
	return earlier(s.To, q.AsOf).UTC().Truncate(time.Millisecond)
}

// instants are those at which a question asks for a state: the window's first, then the buckets', then that of the
// window before.
func (q *question) instants() ([]time.Time, error) {
	if q.windows != nil {
		var list []time.Time
		for _, w := range q.windows {
			if at := q.stateAt(Span{From: w.From, To: w.To}); !slices.Contains(list, at) {
				list = append(list, at)
			}
		}
		return list, nil
	}
	spans, err := q.spans()
	if err != nil {
		return nil, err
	}
	list := []time.Time{q.stateAt(Span{From: q.Window.From, To: q.Window.To})}
	for _, s := range spans {
		if at := q.stateAt(s); !s.From.After(q.AsOf) && !at.Equal(list[0]) {
			list = append(list, at)
		}
	}
	if at := q.stateAt(Span{To: q.Window.From}); !q.NoPrevious && !slices.Contains(list, at) {
		list = append(list, at)
	}
	return list, nil
}

// states answers a question about states at instants: the query's rows are told apart by t. fill makes a value of each.
func (e *Engine) states(q *question, p store.Params, fill func(s Span, r row, found bool) (any, any, *[2]float64)) (Result, error) {
	rows, err := e.toldOf(q, q.def.ID, func() (store.Params, error) {
		instants, err := q.instants()
		p["instants"] = instants
		return p, err
	})
	if err != nil {
		return Result{}, err
	}
	at := func(s Span) (row, bool) { return rows.of(Span{Key: q.stateAt(s)}) }
	return q.answer(at, fill)
}

// capabilities are those that a question about adoption is about.
func (e *Engine) capabilities(q *question) []string {
	if q.Capability != "" {
		return []string{q.Capability}
	}
	return e.cfg.Capabilities
}

// Capabilities are the names of the platform's capabilities, as configured.
func (e *Engine) Capabilities() []string { return slices.Clone(e.cfg.Capabilities) }

// adoption answers with how services cover capabilities.
func (e *Engine) adoption(q *question) (Result, error) {
	p := q.use()
	p["capabilities"] = e.capabilities(q)
	return e.states(q, p, func(_ Span, r row, found bool) (any, any, *[2]float64) {
		if !found || r.n == 0 {
			return nil, int64(0), nil
		}
		if q.def.ID == "adoption_index" {
			return number(r.value), r.n, nil
		}
		low, high := Wilson(float64(r.n)*r.value, float64(r.n))
		return number(r.value), r.n, &[2]float64{low, high}
	})
}

// waitingChanges answers with the changes that were merged and not live. Before the first deployment of anything in
// scope there is no data: nothing says what would ever ship.
func (e *Engine) waitingChanges(q *question) (Result, error) {
	lives, err := e.lives(q)
	if err != nil {
		return Result{}, err
	}
	first, _ := lives.bounds()
	return e.states(q, q.use(), func(s Span, r row, _ bool) (any, any, *[2]float64) {
		if first.IsZero() || q.stateAt(s).Before(first) {
			return nil, nil, nil
		}
		if r.n == 0 {
			return 0.0, int64(0), nil
		}
		return r.value, r.n, nil
	})
}
