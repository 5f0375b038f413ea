package metrics

import (
	"container/list"
	"context"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"cairn/internal/fault"
	"cairn/metrics/derive"
)

// maxKept bounds what is kept of answers, in points of series and records: some 1 kB each.
const maxKept = 50_000

// kept are the answers of one epoch, for a while, so that many who look at the same page ask the store once. It is safe
// for use from several goroutines; nobody shares an answer with another.
type kept struct {
	mu      sync.Mutex
	epoch   derive.Epoch
	answers map[any]*list.Element // of *keptAnswer, by what was asked
	used    list.List             // the latest first
	points  int
	flights map[any]*flight // answers that are being computed
}

// keepable is what an answer of the type T can do to be kept.
type keepable[T any] interface {
	clone() T    // shares nothing with it
	points() int // its size; see maxKept
}

// requestKey is a request as a key: equal for requests with the same answer.
type requestKey struct {
	metric, target, statistic, stage, environment, capability, survey, question, groupBy string

	scope        Scope
	from, to     time.Time
	zone, bounds string // of the window, and that in which its bounds are told
	bucket       Bucket
	asOf         time.Time // zero: now
	bots         bool
	noPrevious   bool
	groupsOnly   bool
}

// apartKey is a request that is asked of each stage or capability.
type apartKey struct{ requestKey }

func (e *Engine) key(r Request) requestKey {
	return requestKey{
		metric: r.Metric, target: r.Target, statistic: r.Statistic, stage: r.Stage, environment: r.Environment, capability: r.Capability, survey: r.Survey,
		question: r.Question, groupBy: r.GroupBy, scope: r.Scope, from: instant(r.Window.From), to: instant(r.Window.To), zone: r.Window.Zone.String(),
		bounds: r.Window.From.Location().String(), bucket: r.Bucket, asOf: r.AsOf, bots: e.bots(r), noPrevious: r.NoPrevious, groupsOnly: r.GroupsOnly,
	}
}

// instant is t in the one form that it has as a key.
func instant(t time.Time) time.Time { return t.Round(0).UTC() }

// recordsKey is a request for records as a key. Its filter is comparable: pointers in it stand in state.
type recordsKey struct {
	list   string
	filter any
	state  string
	paging Paging
}

// either writes what a filter may leave open.
func either(is *bool) string {
	if is == nil {
		return ""
	}
	return strconv.FormatBool(*is)
}

type keptAnswer struct {
	key    any
	answer any
	at     time.Time
	points int
}

// flight is an answer that is being computed for those who wait for it.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	answer  any
	points  int
	err     error
}

// answered brings attribution up to date and returns the answer to what a key stands for: one that is kept or, where
// facts are still missing in the numbers (stale) or nothing is to be kept, a new one.
func answered[T keepable[T]](ctx context.Context, e *Engine, key any, compute func(ctx context.Context, stale bool) (T, error)) (T, error) {
	stale, err := e.freshen(ctx)
	if err != nil {
		var none T
		return none, err
	}
	if stale || e.cfg.AnswersKept == 0 {
		return compute(ctx, stale)
	}
	return keep(ctx, &e.kept, e.cfg.AnswersKept, e.now, e.derive.Epoch, key, func(ctx context.Context) (T, error) { return compute(ctx, false) })
}

// keep returns the answer that is kept, if it was computed in the present epoch and less than a time ago, or has it
// computed: once for all who ask meanwhile, and until nobody waits any more. Errors are not kept.
func keep[T keepable[T]](ctx context.Context, k *kept, kept time.Duration, now func() time.Time, epoch func() derive.Epoch, a any, compute func(context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	// The epoch is taken before anything is read from the store: what changes after that changes the epoch.
	if present := epoch(); present != k.epoch || k.answers == nil {
		k.epoch, k.points = present, 0
		k.answers, k.flights = map[any]*list.Element{}, map[any]*flight{}
		k.used.Init()
	}
	at := now()
	if el, ok := k.answers[a]; ok {
		known := el.Value.(*keptAnswer)
		if age := at.Sub(known.at); age >= 0 && age < kept {
			k.used.MoveToFront(el)
			k.mu.Unlock()
			return known.answer.(T).clone(), nil
		}
		k.drop(el)
	}
	f := k.flights[a]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		k.flights[a] = f
		var fly context.Context
		fly, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		go k.fly(fly, f, a, at, func(ctx context.Context) error {
			answer, err := compute(ctx)
			f.answer, f.points = answer, answer.points()
			return err
		})
	}
	f.waiting++
	k.mu.Unlock()

	select {
	case <-f.done:
		answer, _ := f.answer.(T) // none where it could not be computed
		return answer.clone(), f.err
	case <-ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if k.flights[a] == f {
			delete(k.flights, a)
		}
	}
	var none T
	return none, ctx.Err()
}

// fly computes an answer and keeps it, unless the epoch in which that began is over.
func (k *kept) fly(ctx context.Context, f *flight, a any, at time.Time, compute func(context.Context) error) {
	defer close(f.done)
	defer f.cancel()
	defer func() {
		if p := recover(); p != nil {
			f.err = fault.New(fault.Internal, "metrics: %v\n%s", p, debug.Stack())
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.flights[a] != f {
			return
		}
		delete(k.flights, a)
		if f.err == nil {
			k.add(&keptAnswer{key: a, answer: f.answer, at: at, points: f.points})
		}
	}()
	f.err = compute(ctx)
}

// add keeps an answer, and drops those that were not used for the longest.
func (k *kept) add(answer *keptAnswer) {
	if answer.points > maxKept {
		return
	}
	k.answers[answer.key] = k.used.PushFront(answer)
	k.points += answer.points
	for k.points > maxKept {
		k.drop(k.used.Back())
	}
}

func (k *kept) drop(el *list.Element) {
	old := k.used.Remove(el).(*keptAnswer)
	delete(k.answers, old.key)
	k.points -= old.points
}

// points is how many points a result has, itself and its groups included.
func (r Result) points() int {
	n := 1 + len(r.Series)
	for i := range r.Groups {
		n += 1 + len(r.Groups[i].Series)
	}
	return n
}

// results are answers that are kept together.
type results []Result

func (r results) clone() results { return cloneEach(r, Result.clone) }

func (r results) points() (n int) {
	for _, one := range r {
		n += one.points()
	}
	return n
}

// clone is a result that shares nothing with r.
func (r Result) clone() Result {
	r.Value, r.N, r.Interval, r.Flags, r.Parts = cloneAny(r.Value), cloneAny(r.N), clonePointer(r.Interval), slices.Clone(r.Flags), cloneParts(r.Parts)
	r.Previous, r.Series, r.Groups = r.Previous.clone(), cloneSeries(r.Series), slices.Clone(r.Groups)
	for i := range r.Groups {
		g := &r.Groups[i]
		g.Value, g.N, g.Interval, g.Flags, g.Parts = cloneAny(g.Value), cloneAny(g.N), clonePointer(g.Interval), slices.Clone(g.Flags), cloneParts(g.Parts)
		g.Previous, g.Series = g.Previous.clone(), cloneSeries(g.Series)
	}
	return r
}

func (p *Previous) clone() *Previous {
	p = clonePointer(p)
	if p != nil {
		p.Value, p.N, p.Interval, p.Flags = cloneAny(p.Value), cloneAny(p.N), clonePointer(p.Interval), slices.Clone(p.Flags)
	}
	return p
}

func cloneSeries(series []Point) []Point {
	series = slices.Clone(series)
	for i := range series {
		p := &series[i]
		p.Value, p.N, p.Interval, p.Parts = cloneAny(p.Value), cloneAny(p.N), clonePointer(p.Interval), cloneParts(p.Parts)
	}
	return series
}

func cloneParts(parts map[string]any) map[string]any {
	parts = maps.Clone(parts)
	for name, v := range parts {
		switch v.(type) {
		case map[string]any, map[int64]int64, []PainPoint:
			parts[name] = cloneAny(v)
		}
	}
	return parts
}

// cloneAny clones what a value can be; see Result.
func cloneAny(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneParts(v)
	case map[int64]int64:
		return maps.Clone(v)
	case []PainPoint:
		return slices.Clone(v)
	}
	return v
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
