package dashboards

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"cairn/metrics"
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
	q.do(func(ctx context.Context) error {
		res, err := q.p.deps.Engine.Query(ctx, r)
		*to = res
		return err
	})
}

// card asks for a metric's number card, with the view's buckets.
func (q *questions) card(to *card, v view, r metrics.Request) {
	def := q.p.definition(r.Metric)
	r.Window, r.Environment, r.Bucket = v.Window, v.Environment, v.Bucket
	if slices.Contains([]string{"csat", "enps", "survey_response_rate"}, r.Metric) {
		r.Bucket = metrics.Whole // waves of surveys are no buckets
	}
	if r.Metric == "deploy_days_per_week" && (r.Bucket == metrics.Day || r.Bucket == metrics.Week) {
		r.Bucket = metrics.Month
	}
	q.do(func(ctx context.Context) error {
		res, err := q.p.deps.Engine.Query(ctx, r)
		if err == nil {
			*to = newCard(v, def, res)
		}
		return err
	})
}

// do asks for anything else.
func (q *questions) do(ask func(context.Context) error) {
	q.group.Go(func() error { return ask(q.ctx) })
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
