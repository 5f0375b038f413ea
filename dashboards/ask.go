package dashboards

import (
	"context"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"cairn/internal/fault"
	"cairn/metrics"
	"cairn/metrics/words"
)

// questions are what a page asks of the engine: all at once, answered together.
type questions struct {
	p     *Pages
	ctx   context.Context
	group *errgroup.Group
}

// parallel is how many questions of one page are asked at a time.
const parallel = 4

func (p *Pages) ask(ctx context.Context) *questions {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	return &questions{p: p, ctx: ctx, group: group}
}

// answer asks for a metric in a view; the answer is in *to once wait has returned.
func (q *questions) answer(to *metrics.Result, v view, r metrics.Request) {
	r.Window, r.Environment = v.Window, v.Environment
	find(q, to, func(ctx context.Context) (metrics.Result, error) { return q.p.deps.Engine.Query(ctx, r) })
}

// cards ask for the number cards of metrics, in the view's buckets. What happens too seldom for a window is shown over the
// last year, and says so. The cards are there once wait has returned.
func (q *questions) cards(v view, scope metrics.Scope, ids ...string) []card {
	list := make([]card, len(ids))
	for i, id := range ids {
		q.card(&list[i], v, metrics.Request{Metric: id, Scope: scope})
	}
	return list
}

func (q *questions) card(to *card, v view, r metrics.Request) {
	def, period := q.p.definition(r.Metric), ""
	if words.Rare(def) {
		v, period = v.long(), "last 12 months"
	}
	r.Window, r.Environment, r.Bucket = v.Window, v.Environment, bucketFor(def, v.Bucket)
	q.do(func(ctx context.Context) error {
		res, err := q.p.deps.Engine.Query(ctx, r)
		if err == nil {
			*to = newCard(v, def, res)
			to.Period = period
		}
		return err
	})
}

// find asks for one thing; it is in *to once wait has returned.
func find[T any](q *questions, to *T, ask func(context.Context) (T, error)) {
	q.do(func(ctx context.Context) (err error) {
		*to, err = ask(ctx)
		return err
	})
}

// do asks for anything else.
func (q *questions) do(ask func(context.Context) error) {
	q.group.Go(func() (err error) {
		defer func() {
			if p := recover(); p != nil { // in a goroutine of ours it would end the program
				err = fault.New(fault.Internal, "dashboards: %v\n%s", p, debug.Stack())
			}
		}()
		return ask(q.ctx)
	})
}

// wait returns when everything is answered, or with the first error.
func (q *questions) wait() error { return q.group.Wait() }

// definition is a metric that is known to exist.
func (p *Pages) definition(id string) metrics.Definition {
	def, err := p.deps.Engine.Find(id)
	if err != nil {
		panic(err) // pages name metrics of the catalogue
	}
	return def
}
