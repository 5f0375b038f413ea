package metrics

import (
	"time"

	"cairn/internal/store"
)

// adoption answers with a state at an instant: for a bucket, and for the window, at its end or now, whichever is
// earlier.
func (e *Engine) adoption(q *question) (Result, error) {
	instant := func(s Span) time.Time { return earlier(s.To, q.AsOf).UTC().Truncate(time.Millisecond) }
	spans, err := q.spans()
	if err != nil {
		return Result{}, err
	}
	whole := Span{From: q.Window.From, To: q.Window.To}
	instants := []time.Time{instant(whole)}
	for _, s := range spans {
		if !s.From.After(q.AsOf) && !instant(s).Equal(instants[0]) {
			instants = append(instants, instant(s))
		}
	}
	p := e.params(q)
	p["instants"], p["capabilities"] = instants, e.cfg.Capabilities
	if q.Capability != "" {
		p["capabilities"] = []string{q.Capability}
	}
	rows, err := e.adoptionRows(q, p)
	if err != nil {
		return Result{}, err
	}
	fill := func(s Span) (any, any, *[2]float64, map[string]any) {
		r, found := rows[instant(s)]
		if !found || r.n == 0 {
			return nil, int64(0), nil, r.parts
		}
		if q.def.ID == "adoption_index" {
			return number(r.value), r.n, nil, r.parts
		}
		low, high := Wilson(float64(r.n)*r.value, float64(r.n))
		return number(r.value), r.n, &[2]float64{low, high}, r.parts
	}
	var res Result
	res.Value, res.N, res.Interval, res.Parts = fill(whole)
	if q.Bucket == Whole {
		return res, nil
	}
	for _, s := range spans {
		point := q.point(s)
		if !s.From.After(q.AsOf) {
			point.Value, point.N, point.Interval, point.Parts = fill(s)
		}
		res.Series = append(res.Series, point)
	}
	return res, nil
}

func (e *Engine) adoptionRows(q *question, p store.Params) (map[time.Time]row, error) {
	return e.rows(q, q.def.ID, p)
}
