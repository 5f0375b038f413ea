package reference

import (
	"time"

	"cairn/internal/conformance"
)

// sample is the lead time of one change to one service.
type sample struct {
	service  string
	deployed time.Time
	length   time.Duration
	bot      bool
	excluded bool               // negative beyond the tolerance
	stages   map[string]float64 // hours; a missing stage is null
}

// sample adds the sample of the change that the run delivers (§4).
func (h *history) sample(c change, commit key, r *run) {
	start, end := h.start(c, commit), r.finished
	s := sample{service: r.service, deployed: end, length: end.Sub(start), bot: h.byBots(c, commit)}
	tolerance := time.Duration(h.settings.NegativeToleranceSeconds * float64(time.Second))
	if s.length < 0 {
		s.excluded = s.length < -tolerance
		s.length = 0
	}
	s.stages = stages(earliest(start, end), end, c.pull, r.StartedAt)
	h.samples = append(h.samples, s)
}

// stages cuts the lead time; each point = min(max(point, previous point), end) (§4, §14).
func stages(start, end time.Time, pull *conformance.PullRequest, runStarted time.Time) map[string]float64 {
	cut := map[string]float64{}
	previous := start
	until := func(stage string, point time.Time) {
		point = earliest(latest(point, previous), end)
		cut[stage] = point.Sub(previous).Hours()
		previous = point
	}
	if pull != nil { // a direct push has only the last two
		ready := pull.ReadyAt
		if ready.IsZero() {
			ready = pull.CreatedAt
		}
		until("coding", ready)
		if !pull.FirstReviewAt.IsZero() { // no review: pickup null, review = opened->merged
			until("pickup", pull.FirstReviewAt)
		}
		until("review", pull.MergedAt)
	}
	until("wait_to_deploy", runStarted)
	until("deploy", end)
	return cut
}

// leadTimes lists the samples of the question: bots only by choice, none that is negative (§4).
func (q question) leadTimes() []sample {
	var samples []sample
	for _, s := range q.samples {
		if q.within(s.deployed) && q.has(s.service, s.deployed) && !s.excluded && q.counted(s) {
			samples = append(samples, s)
		}
	}
	return samples
}

func (q question) counted(s sample) bool { return !s.bot || q.settings.IncludeBotsInLeadTime }

func hours(samples []sample) []float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, s.length.Hours())
	}
	return values
}

// leadTime is a percentile of the pooled samples (§4).
func leadTime(p float64) metricFunc {
	return func(q question) (conformance.Answer, error) {
		values := hours(q.leadTimes())
		value, some := percentile(values, p)
		return of(value, some, len(values))
	}
}

// leadTimeServiceMedian is the median of the services' medians (§4).
func leadTimeServiceMedian(q question) (conformance.Answer, error) {
	by := map[string][]sample{}
	for _, s := range q.leadTimes() {
		by[s.service] = append(by[s.service], s)
	}
	var medians []float64
	for _, samples := range by {
		median, _ := percentile(hours(samples), .5)
		medians = append(medians, median)
	}
	value, some := percentile(medians, .5)
	return of(value, some, len(medians))
}

func leadTimeN(q question) (conformance.Answer, error) { return count(len(q.leadTimes())) }

func leadTimeExcludedNegative(q question) (conformance.Answer, error) {
	n := 0
	for _, s := range q.samples {
		if q.within(s.deployed) && q.has(s.service, s.deployed) && s.excluded && q.counted(s) {
			n++
		}
	}
	return count(n)
}

// leadTimeStage is the median of one stage over the samples that have it (§4).
func leadTimeStage(q question) (conformance.Answer, error) {
	var values []float64
	for _, s := range q.leadTimes() {
		if value, some := s.stages[q.Stage]; some {
			values = append(values, value)
		}
	}
	value, some := percentile(values, .5)
	return of(value, some, len(values))
}
