package prometheus

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// plan says at which instants one selector of a query needs samples. The engine's hints give only the span around them;
// a number of ours costs a question, so that it is computed exactly where it is read.
type plan struct {
	matchers []*labels.Matcher
	at       steps // where the selector is read
	span     int64 // milliseconds that it reads before each of them; 0 for the value there
}

// steps are instants a constant time apart, in milliseconds since 1970; both ends are among them or bound them.
type steps struct{ first, last, step int64 }

func (s steps) shifted(by int64) steps { return steps{s.first + by, s.last + by, s.step} }

func (s steps) once(at int64) steps { return steps{at, at, 1} }

// count is how many there are.
func (s steps) count() int64 {
	if s.last < s.first {
		return 0
	}
	return (s.last-s.first)/s.step + 1
}

// defaultSubqueryStep is that of a subquery that names none, in milliseconds.
const defaultSubqueryStep = 60_000

// plansOf returns the plans of a query's selectors, in the order in which the engine asks for their series.
func plansOf(p parser.Parser, query string, start, end time.Time, step time.Duration) ([]plan, error) {
	expr, err := p.ParseExpr(query)
	if err != nil {
		return nil, err
	}
	if expr, err = promql.PreprocessExpr(expr, start, end, step); err != nil {
		return nil, err
	}
	at := steps{start.UnixMilli(), end.UnixMilli(), max(1, step.Milliseconds())}
	var plans []plan
	collect(&plans, expr, at)
	return plans, nil
}

func collect(plans *[]plan, node parser.Node, at steps) {
	switch n := node.(type) {
	case *parser.StepInvariantExpr:
		at = at.once(at.first)
	case *parser.SubqueryExpr:
		at = subquery(n, at)
	case *parser.MatrixSelector:
		if vs, ok := n.VectorSelector.(*parser.VectorSelector); ok {
			*plans = append(*plans, plan{vs.LabelMatchers, selected(vs, at), n.Range.Milliseconds()})
			return
		}
	case *parser.VectorSelector:
		*plans = append(*plans, plan{n.LabelMatchers, selected(n, at), 0})
		return
	}
	for child := range parser.ChildrenIter(node) {
		collect(plans, child, at)
	}
}

// selected are the instants that a selector reads when it is evaluated at others.
func selected(n *parser.VectorSelector, at steps) steps {
	if n.Timestamp != nil {
		return at.once(*n.Timestamp - n.OriginalOffset.Milliseconds())
	}
	return at.shifted(-n.OriginalOffset.Milliseconds())
}

// subquery are the instants at which what is in a subquery is evaluated: multiples of its step, as the engine has it.
func subquery(n *parser.SubqueryExpr, at steps) steps {
	step := n.Step.Milliseconds()
	if step == 0 {
		step = defaultSubqueryStep
	}
	outer := at.shifted(-n.OriginalOffset.Milliseconds())
	if n.Timestamp != nil {
		outer = at.once(*n.Timestamp - n.OriginalOffset.Milliseconds())
	}
	begin := outer.first - n.Range.Milliseconds()
	first := step * (begin / step)
	if first <= begin {
		first += step
	}
	return steps{first, outer.last, step}
}

// instants are those at which a gauge is computed for a plan, none later than a latest one; nil, false where they are more
// than allowed. Before a range they lie on a grid, so that neighbouring queries ask for the same.
func (p plan) instants(latest int64, most int) ([]int64, bool) {
	var list []int64
	for t := p.at.first; t <= p.at.last; t += p.at.step {
		if p.span == 0 {
			if t <= latest {
				list = append(list, t)
			}
		} else {
			grid := gridOf(p.span)
			from := t - p.span
			if len(list) > 0 {
				from = max(from, list[len(list)-1])
			}
			for g := grid * (from/grid + 1); g <= t; g += grid {
				if g > from && g <= latest {
					list = append(list, g)
				}
				if len(list) > most {
					return nil, false
				}
			}
		}
		if len(list) > most {
			return nil, false
		}
	}
	return slices.Compact(list), true
}

// gridOf is how far apart the samples of a gauge lie in a range: the first of these of which at most 100 fit, in
// milliseconds. They lie at multiples of it since 1970.
func gridOf(span int64) int64 {
	grids := []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour}
	for _, g := range grids {
		if span/g.Milliseconds() <= 100 {
			return g.Milliseconds()
		}
	}
	return grids[len(grids)-1].Milliseconds()
}
