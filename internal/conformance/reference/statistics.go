package reference

import (
	"math"
	"math/big"
	"slices"
	"time"
)

// percentile is R-7: h = (n-1)p, x[⌊h⌋] + (h-⌊h⌋)(x[⌊h⌋+1]-x[⌊h⌋]) on the sorted values (§0).
func percentile(values []float64, p float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	x := slices.Sorted(slices.Values(values))
	h := float64(len(x)-1) * p
	low := int(math.Floor(h))
	if low+1 >= len(x) {
		return x[len(x)-1], true
	}
	return x[low] + (h-float64(low))*(x[low+1]-x[low]), true
}

// duration is a member of a cohort: what it took, or, censored, how long it has taken so far.
type duration struct {
	length   time.Duration
	censored bool
}

// survival is the p-quantile of the cohort, p = above/below: Kaplan-Meier with a censored member, else R-7 (§0).
func survival(cohort []duration, above, below int64, unit time.Duration) (float64, bool) {
	var values []float64
	var ends []time.Duration // distinct lengths of the events
	for _, d := range cohort {
		if !d.censored {
			values = append(values, float64(d.length)/float64(unit))
			if !slices.Contains(ends, d.length) {
				ends = append(ends, d.length)
			}
		}
	}
	if len(values) == len(cohort) {
		return percentile(values, float64(above)/float64(below))
	}
	slices.Sort(ends)
	limit := new(big.Rat).Sub(big.NewRat(1, 1), big.NewRat(above, below))
	alive := big.NewRat(1, 1)
	for _, end := range ends {
		atRisk, events := int64(0), int64(0)
		for _, d := range cohort {
			if d.length >= end { // events before censorings at ties
				atRisk++
			}
			if !d.censored && d.length == end {
				events++
			}
		}
		alive.Mul(alive, big.NewRat(atRisk-events, atRisk))
		if alive.Cmp(limit) <= 0 { // Q = inf{t : S(t) <= 1-p}
			return float64(end) / float64(unit), true
		}
	}
	return 0, false // not reached
}

// wilson is the interval of a share (§0).
func wilson(part, whole int, z float64) any {
	if whole == 0 {
		return nil
	}
	n := float64(whole)
	p := float64(part) / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n)) / (1 + z*z/n)
	return []float64{centre - half, centre + half}
}
