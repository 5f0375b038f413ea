package metrics

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics/derive"
)

// row is one bucket of a metric's query: its value, how many cases it was computed from, and whatever else the query
// tells by name.
type row struct {
	key    time.Time
	value  float64
	n      int64
	parts  map[string]any
	low    float64
	high   float64
	bounds bool
}

// separate are a query's rows by the stage or capability that they are of, "" where it has no column each, and by whose
// they are.
type separate map[string]map[string]byBucket

// rows runs a query of which each row says whose it is and is a bucket (a local date) with value and n; further columns
// are parts.
func (e *Engine) rows(q *question, name string, p store.Params) (separate, error) {
	rows, err := e.st.Query(q.ctx, e.query(grouped(name, q.by)), p)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns := rows.Columns()
	dest := make([]any, len(columns))
	for i, t := range rows.ColumnTypes() {
		dest[i] = reflect.New(t.ScanType()).Interface()
	}
	out := separate{}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		r := row{parts: make(map[string]any, len(columns)), value: math.NaN(), low: math.NaN(), high: math.NaN()}
		whose, each := "", ""
		for i, c := range columns {
			v := plain(dest[i])
			switch c {
			case "whose":
				whose = v.(string)
			case "each":
				each = v.(string)
			case "bucket", "t":
				r.key = v.(time.Time).UTC()
			case "value":
				r.value = float(v)
			case "n":
				r.n = int64(float(v))
			case "low":
				r.low = float(v)
			case "high":
				r.high = float(v)
			default:
				r.parts[c] = jsonable(v)
			}
		}
		r.bounds = !math.IsNaN(r.low) && !math.IsNaN(r.high)
		if out[each] == nil {
			out[each] = map[string]byBucket{}
		}
		if out[each][whose] == nil {
			out[each][whose] = byBucket{}
		}
		out[each][whose][r.key] = r
	}
	return out, rows.Err()
}

func (e *Engine) query(name string) string {
	text, ok := e.queries[name]
	if !ok {
		panic("metrics: no query " + name)
	}
	return text
}

// plain follows the pointers that the driver scans into; nil for NULL.
func plain(v any) any {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return nil
		}
		r = r.Elem()
	}
	return r.Interface()
}

func float(v any) float64 {
	switch r := reflect.ValueOf(v); {
	case v == nil:
		return math.NaN()
	case r.CanFloat():
		return r.Float()
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	}
	panic(fmt.Sprintf("metrics: %T is no number", v))
}

func jsonable(v any) any {
	switch r := reflect.ValueOf(v); {
	case v == nil:
		return nil
	case r.CanFloat():
		return number(r.Float())
	case r.CanUint():
		return int64(r.Uint())
	}
	return v
}

// told runs a query of which each row is a bucket, for a question and the one about the window before at once.
func (e *Engine) told(q *question, name string) (byBucket, error) {
	return e.toldOf(q, name, func() (store.Params, error) { return q.use(), nil })
}

// toldOf is told with other values than those of every query.
func (e *Engine) toldOf(q *question, name string, values func() (store.Params, error)) (byBucket, error) {
	all, err := once(q, grouped(name, q.by), func() (separate, error) {
		p, err := values()
		if err != nil {
			return nil, err
		}
		return e.rows(q, name, p)
	})
	return all[q.each][q.whose], err
}

// byBucket are a query's rows.
type byBucket map[time.Time]row

func (b byBucket) of(s Span) (r row, found bool) {
	r, found = b[s.Key]
	return r, found
}

// answer makes a value of the whole window's row, and of each bucket's that has begun.
func (q *question) answer(rowOf func(Span) (row, bool), fill func(s Span, r row, found bool) (value, n any, interval *[2]float64)) (Result, error) {
	var res Result
	whole := Span{From: q.Window.From, To: q.Window.To, Key: q.whole()}
	r, found := rowOf(whole)
	res.Value, res.N, res.Interval = fill(whole, r, found)
	res.Parts = r.parts
	if q.Bucket == Whole {
		return res, nil
	}
	spans, err := q.spans()
	if err != nil {
		return Result{}, err
	}
	for _, s := range spans {
		point := q.point(s)
		if !s.From.After(q.AsOf) {
			r, found := rowOf(s)
			point.Value, point.N, point.Interval = fill(s, r, found)
			point.Parts = r.parts
		}
		res.Series = append(res.Series, point)
	}
	return res, nil
}

// livesBehind finds the lives of services where they are needed: where the window or a bucket has no cases, and it
// matters whether anything was there to have some. Else it is empty.
func (e *Engine) livesBehind(q *question, rows byBucket) (lives, error) {
	spans, err := q.spans()
	if err != nil {
		return nil, err
	}
	for _, key := range append(spans, Span{From: q.Window.From, Key: q.whole()}) {
		if !key.From.After(q.AsOf) && rows[key.Key].n == 0 {
			return e.lives(q)
		}
	}
	return nil, nil
}

// aggregate answers with the value and n that a query gives.
func (e *Engine) aggregate(q *question) (Result, error) { return e.aggregateOf(q, q.def.ID) }

func (e *Engine) aggregateOf(q *question, name string) (Result, error) {
	rows, err := e.told(q, name)
	if err != nil {
		return Result{}, err
	}
	lives, err := e.livesBehind(q, rows)
	if err != nil {
		return Result{}, err
	}
	return q.answer(rows.of, func(s Span, r row, found bool) (any, any, *[2]float64) {
		if !found || r.n == 0 {
			if s.Label != "" && !lives.overlap(s) {
				return nil, nil, nil
			}
			return nil, int64(0), nil
		}
		if r.bounds {
			return number(r.value), r.n, &[2]float64{r.low, r.high}
		}
		return number(r.value), r.n, nil
	})
}

// count answers with a number of events: 0 where a service lived and had none, null in buckets outside its life.
func (e *Engine) count(q *question, name string) (Result, error) {
	rows, err := e.told(q, name)
	if err != nil {
		return Result{}, err
	}
	lives, err := e.livesBehind(q, rows)
	if err != nil {
		return Result{}, err
	}
	res, err := q.answer(rows.of, func(s Span, r row, found bool) (any, any, *[2]float64) {
		if found {
			return r.value, r.n, nil
		}
		if s.Label != "" && !lives.overlap(s) {
			return nil, nil, nil
		}
		return 0.0, int64(0), nil
	})
	if err == nil && rows[q.whole()].n == 0 && !lives.overlap(Span{From: q.Window.From, To: q.Window.To}) {
		res.Flags = append(res.Flags, FlagNotDeployed)
	}
	return res, err
}

func (e *Engine) deploymentCount(q *question) (Result, error) { return e.count(q, "deployment_count") }

func (e *Engine) redeployCount(q *question) (Result, error) { return e.count(q, "redeploy_count") }

// share answers with a ratio of counted cases and its Wilson interval.
func (e *Engine) share(q *question) (Result, error) {
	rows, err := e.told(q, q.def.ID)
	if err != nil {
		return Result{}, err
	}
	return q.answer(rows.of, func(_ Span, r row, found bool) (any, any, *[2]float64) {
		if !found || r.n == 0 {
			return nil, int64(0), nil
		}
		low, high := Wilson(math.Round(r.value*float64(r.n)), float64(r.n))
		return number(r.value), r.n, &[2]float64{low, high}
	})
}

// stages are the parts of a lead time, in order.
var stages = [...]string{"coding", "pickup", "review", "wait_to_deploy", "deploy"}

// Stages are the parts of a lead time, in order.
func Stages() []string { return slices.Clone(stages[:]) }

func (e *Engine) leadTime(q *question) (Result, error) {
	switch {
	case q.Stage != "" && !slices.Contains(stages[:], q.Stage):
		return Result{}, fault.New(fault.Invalid, "stage is %q: expected one of %v", q.Stage, stages)
	case q.Stage != "":
		one := *q
		one.each = q.Stage
		return e.aggregateOf(&one, "lead_time.stage")
	case q.Statistic == StatisticTypicalService:
		return e.aggregateOf(q, "lead_time.typical_service")
	}
	return e.aggregateOf(q, "lead_time")
}

// lives are the stretches of time during which services in scope were live in an environment, in the scope's hands.
type lives map[string][]life

// life is one such stretch.
type life struct {
	derive.Span
	retired bool // it ended because the service was retired, not because the scope gave it away
}

func (l lives) overlap(s Span) bool {
	for _, spans := range l {
		for _, x := range spans {
			if x.From.Before(s.To) && s.From.Before(x.To) {
				return true
			}
		}
	}
	return false
}

// first is the earliest instant of any life, last the latest; open lives end far in the future.
func (l lives) bounds() (first, last time.Time) {
	for _, spans := range l {
		for _, x := range spans {
			if first.IsZero() || x.From.Before(first) {
				first = x.From
			}
			if x.To.After(last) {
				last = x.To
			}
		}
	}
	return first, last
}

// forever is later than every instant that a fact can have.
var forever = time.UnixMilli(1 << 52).UTC()

func (e *Engine) lives(q *question) (lives, error) {
	all, err := once(q, "lives", func() (map[string]life, error) { return e.findLives(q) })
	if err != nil {
		return nil, err
	}
	l := lives{}
	take := func(service string, whole life) {
		if q.teams == nil {
			l[service] = []life{whole}
			return
		}
		for _, o := range q.owned[service] {
			x := life{Span: derive.Span{From: later(whole.From, o.From), To: earlier(whole.To, o.To)}, retired: whole.retired && whole.To.Before(o.To)}
			if x.From.Before(x.To) {
				l[service] = append(l[service], x)
			}
		}
	}
	if q.services == nil {
		for service, life := range all {
			take(service, life)
		}
	}
	for _, service := range q.services {
		if life, ok := all[service]; ok {
			take(service, life)
		}
	}
	return l, nil
}

// findLives finds the life of each service that any question asked together with this one is about.
func (e *Engine) findLives(q *question) (map[string]life, error) {
	ends, err := e.findEnds(q)
	if err != nil {
		return nil, err
	}
	all := map[string]life{}
	for _, r := range ends {
		if r.First.After(q.AsOf) {
			continue
		}
		whole := life{Span: derive.Span{From: r.First, To: forever}}
		if r.RetiredAt != nil && !r.RetiredAt.After(q.AsOf) {
			whole.To, whole.retired = *r.RetiredAt, true
		}
		all[r.Service] = whole
	}
	return all, nil
}

// ends are when the life of each service in an environment began and ended, whatever is asked about it.
type ends []struct {
	Service   string     `ch:"service"`
	First     time.Time  `ch:"first"`
	RetiredAt *time.Time `ch:"retired_at"`
}

func (l ends) clone() ends { return l } // nobody changes them
func (l ends) points() int { return 1 + len(l)/10 }

// findEnds finds the lives of every service, to be kept for the questions that follow. Where nothing is kept it asks
// for those of the question alone.
func (e *Engine) findEnds(q *question) (ends, error) {
	find := func(ctx context.Context, p store.Params) (found ends, err error) {
		err = e.st.Select(ctx, &found, e.query("evidence/lives"), p)
		return found, err
	}
	if !q.keeps {
		return find(q.ctx, q.use())
	}
	p := store.Params{"environment": q.Environment, "target": q.Target, "any_service": true, "services": []string{}}
	return keep(q.ctx, &e.kept, e.cfg.AnswersKept, e.now, e.derive.Epoch, recordsKey{list: "lives", filter: [2]string{q.Environment, q.Target}}, func(ctx context.Context) (ends, error) { return find(ctx, p) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// deploymentsPerWeek is the number of deployments over the weeks that have elapsed, of all services together or of
// the typical one.
func (e *Engine) deploymentsPerWeek(q *question) (Result, error) {
	type counts struct {
		totals    byBucket
		byService map[time.Time]map[string]int64 // for the typical service
	}
	found, err := mine(q, q.def.ID, func() (map[string]counts, error) {
		var rows []struct {
			Whose  string    `ch:"whose"`
			Bucket time.Time `ch:"bucket"`
			Name   string    `ch:"name"`
			N      uint64    `ch:"n"`
		}
		if err := e.st.Select(q.ctx, &rows, e.query(grouped("deployments_per_week", q.by)), q.use()); err != nil {
			return nil, err
		}
		all := map[string]counts{}
		for _, r := range rows {
			c, ok := all[r.Whose]
			if !ok {
				c = counts{byBucket{}, map[time.Time]map[string]int64{}}
				all[r.Whose] = c
			}
			bucket := r.Bucket.UTC()
			total := c.totals[bucket]
			total.n += int64(r.N)
			c.totals[bucket] = total
			if c.byService[bucket] == nil {
				c.byService[bucket] = map[string]int64{}
			}
			c.byService[bucket][r.Name] = int64(r.N)
		}
		return all, nil
	})
	if err != nil {
		return Result{}, err
	}
	typical := q.Statistic == StatisticTypicalService
	lives, err := e.livesBehind(q, found.totals)
	if typical {
		lives, err = e.lives(q)
	}
	if err != nil {
		return Result{}, err
	}
	res, err := q.answer(found.totals.of, func(s Span, r row, _ bool) (any, any, *[2]float64) {
		weeks := earlier(s.To, q.AsOf).Sub(s.From).Hours() / (7 * 24)
		if weeks <= 0 {
			return nil, nil, nil
		}
		if typical {
			rates := typicalRates(lives, Span{From: s.From, To: earlier(s.To, q.AsOf)}, found.byService[s.Key], weeks)
			return number(Quantile(rates, 0.5)), int64(len(rates)), nil
		}
		if s.Label != "" && r.n == 0 && !lives.overlap(s) {
			return nil, nil, nil
		}
		return float64(r.n) / weeks, r.n, nil
	})
	if err == nil && found.totals[q.whole()].n == 0 && !lives.overlap(Span{From: q.Window.From, To: q.Window.To}) {
		res.Flags = append(res.Flags, FlagNotDeployed)
	}
	return res, err
}

// typicalRates are the sorted rates of the services that lived in a span, idle ones with 0. A service lived in it when it
// was not retired before the span's start, one that was given away at the start did not.
func typicalRates(l lives, s Span, counts map[string]int64, weeks float64) []float64 {
	rates := []float64{}
	for service, spans := range l {
		for _, x := range spans {
			if x.From.Before(s.To) && (s.From.Before(x.To) || x.retired && x.To.Equal(s.From)) {
				rates = append(rates, float64(counts[service])/weeks)
				break
			}
		}
	}
	slices.Sort(rates)
	return rates
}

// deployDays is the median number of local days with a deployment over the whole ISO weeks of the services' life.
func (e *Engine) deployDays(q *question) (Result, error) {
	lives, err := e.lives(q)
	if err != nil {
		return Result{}, err
	}
	days, err := e.told(q, "deploy_days_per_week")
	if err != nil {
		return Result{}, err
	}
	first, last := lives.bounds()
	if !first.IsZero() {
		first = midnight(bucketStart(first.In(q.Window.Zone), Week), q.Window.Zone)
	}
	compute := func(s Span) (any, any) {
		inside := Window{From: s.From, To: s.To, Zone: q.Window.Zone}
		weeks, err := inside.Spans(Week)
		if err != nil || first.IsZero() {
			return nil, int64(0)
		}
		var perWeek []float64
		for _, w := range weeks {
			whole := w.From.Equal(midnight(w.Key, q.Window.Zone)) && w.To.Equal(midnight(w.Key.AddDate(0, 0, 7), q.Window.Zone))
			if !whole || w.To.After(q.AsOf) || w.From.Before(first) || w.To.After(last) {
				continue
			}
			n := 0
			for d := range 7 {
				if _, ok := days[w.Key.AddDate(0, 0, d)]; ok {
					n++
				}
			}
			perWeek = append(perWeek, float64(n))
		}
		slices.Sort(perWeek)
		return number(Quantile(perWeek, 0.5)), int64(len(perWeek))
	}
	var res Result
	res.Value, res.N = compute(Span{From: q.Window.From, To: q.Window.To})
	if q.Bucket == Whole {
		return res, nil
	}
	if q.Bucket == Day || q.Bucket == Week {
		return Result{}, fault.New(fault.Invalid, "%s is a median over whole weeks: ask for buckets of a month or a quarter", q.def.ID)
	}
	spans, err := q.spans()
	if err != nil {
		return Result{}, err
	}
	for _, s := range spans {
		point := q.point(s)
		if !s.From.After(q.AsOf) {
			point.Value, point.N = compute(s)
		}
		res.Series = append(res.Series, point)
	}
	return res, nil
}
