package metrics

import (
	"slices"
	"time"
)

// sample is one duration of a cohort.
type sample struct {
	Whose    string    `ch:"whose"`
	Bucket   time.Time `ch:"bucket"`
	Subject  string    `ch:"subject"`
	Team     string    `ch:"team"`
	Duration float64   `ch:"duration"`
	Ended    bool      `ch:"ended"`
	Imported bool      `ch:"imported"`
}

// samples are those of the question's window and of the one before, by bucket.
func (e *Engine) samples(q *question) (map[time.Time][]sample, error) {
	return mine(q, q.def.ID, func() (map[string]map[time.Time][]sample, error) {
		var list []sample
		err := e.st.Select(q.ctx, &list, e.query(grouped(q.def.ID, q.by)), q.use())
		all := map[string]map[time.Time][]sample{}
		for _, s := range list {
			if all[s.Whose] == nil {
				all[s.Whose] = map[time.Time][]sample{}
			}
			all[s.Whose][s.Bucket.UTC()] = append(all[s.Whose][s.Bucket.UTC()], s)
		}
		return all, err
	})
}

// quantile is the probability of a statistic.
func quantile(statistic string) float64 {
	switch statistic {
	case StatisticP75:
		return 0.75
	case StatisticP90:
		return 0.9
	}
	return 0.5
}

// survival answers with a quantile of durations of which some may not have ended yet.
func (e *Engine) survival(q *question) (Result, error) {
	return e.cohorts(q, func(_ Span, list []sample) outcome { return survived(q, list) })
}

// outcome is what became of a cohort.
type outcome struct {
	value any
	n     any
	parts map[string]any
	flags []string
}

// survived computes the quantile and counts of a cohort.
func survived(q *question, list []sample) outcome {
	var durations []Duration
	imported, ended, longest := int64(0), int64(0), 0.0
	for _, s := range list {
		if s.Imported {
			imported++
			continue
		}
		if s.Ended {
			ended++
		} else {
			longest = max(longest, s.Duration)
		}
		durations = append(durations, Duration{Value: s.Duration, Ended: s.Ended})
	}
	total := int64(len(durations))
	o := outcome{n: total, parts: map[string]any{"unresolved": total - ended}}
	if total > ended {
		o.parts["oldest_unresolved"] = longest
	}
	if q.def.Unit == unitDays {
		o.parts = map[string]any{"cohort": total, "deployed": ended, "censored": total - ended}
		if q.def.evidence == "services" {
			o.parts["excluded_imported"] = imported
		}
	}
	for _, p := range q.def.Statistics {
		v, reached := Survival(durations, quantile(p))
		o.parts[p] = nil
		if reached {
			o.parts[p] = v
		}
		if p == q.Statistic {
			o.value = o.parts[p]
			if !reached && total > 0 {
				o.flags = append(o.flags, FlagNotReached)
			}
		}
	}
	return o
}

// cohorts answers a question whose samples belong to the bucket in which they began.
func (e *Engine) cohorts(q *question, judge func(Span, []sample) outcome) (Result, error) {
	samples, err := e.samples(q)
	if err != nil {
		return Result{}, err
	}
	var all []sample
	for bucket, list := range samples {
		if q.ordinal > 0 {
			if bucket.Equal(q.whole()) {
				all = list
			}
		} else if bucket.Equal(windowBefore) == q.before {
			all = append(all, list...)
		}
	}
	whole := judge(Span{From: q.Window.From, To: q.Window.To}, all)
	res := Result{Value: whole.value, N: whole.n, Parts: whole.parts, Flags: whole.flags}
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
			o := judge(s, samples[s.Key])
			point.Value, point.N, point.Parts = o.value, o.n, o.parts
		}
		res.Series = append(res.Series, point)
	}
	return res, nil
}

// newDevelopers answers for people who began, and hides cohorts too small to keep them anonymous.
func (e *Engine) newDevelopers(q *question) (Result, error) {
	k := max(e.cfg.AnonymityK, leastK)
	return e.cohorts(q, func(_ Span, list []sample) outcome {
		teams := map[string]int{}
		var mine []sample
		for _, s := range list {
			teams[s.Team]++
			if q.teams == nil || slices.Contains(q.teams, s.Team) {
				mine = append(mine, s)
			}
		}
		o := survived(q, mine)
		shown := len(mine) == 0 || len(mine) >= k
		if len(q.teams) == 1 && shown {
			shown = !hidden(cellsOfTeams(teams), k)[q.teams[0]]
		}
		if len(mine) > 0 && !shown {
			o.value, o.flags = Suppressed, []string{FlagSuppressed}
			for _, p := range q.def.Statistics {
				delete(o.parts, p)
			}
		}
		return o
	})
}

// cellsOfTeams makes siblings of the teams that people belong to.
func cellsOfTeams(teams map[string]int) []cell {
	var cells []cell
	for team, n := range teams {
		if team != "" {
			cells = append(cells, cell{group: team, n: n})
		}
	}
	return cells
}
