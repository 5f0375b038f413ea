package metrics

import (
	"math"
	"slices"
)

// z is the 97.5th percentile of the normal distribution: half of a 95 % interval.
const z = 1.959963984540054

// Wilson is the 95 % confidence interval of a share of k in n (E. B. Wilson, 1927). It needs n > 0.
func Wilson(k, n float64) (low, high float64) {
	p := k / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n)) / (1 + z*z/n)
	return max(0, centre-half), min(1, centre+half)
}

// Quantile is the R-7 quantile (linear, inclusive) of sorted values; NaN for none.
func Quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	h := float64(len(sorted)-1) * p
	lo := int(math.Floor(h))
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (h-float64(lo))*(sorted[hi]-sorted[lo])
}

// Duration is how long something took, or how long it has been going on when it has not ended.
type Duration struct {
	Value float64
	Ended bool
}

// Survival is the quantile of durations of which some may not have ended: with none of those the R-7 quantile, else
// Kaplan-Meier, inf{t : S(t) <= 1-p}, ends before censorings at ties. reached is false when so few have ended that the
// quantile lies beyond what was observed.
func Survival(durations []Duration, p float64) (value float64, reached bool) {
	if len(durations) == 0 {
		return math.NaN(), false
	}
	sorted := slices.Clone(durations)
	slices.SortFunc(sorted, func(a, b Duration) int {
		switch {
		case a.Value < b.Value || a.Value == b.Value && a.Ended && !b.Ended:
			return -1
		case a.Value == b.Value && a.Ended == b.Ended:
			return 0
		}
		return 1
	})
	if !slices.ContainsFunc(sorted, func(d Duration) bool { return !d.Ended }) {
		values := make([]float64, len(sorted))
		for i, d := range sorted {
			values[i] = d.Value
		}
		return Quantile(values, p), true
	}
	const epsilon = 1e-12 // S is a product of ratios; 1-p must not be missed by rounding
	surviving := 1.0
	for i := 0; i < len(sorted); {
		t, atRisk, ended := sorted[i].Value, len(sorted)-i, 0
		for ; i < len(sorted) && sorted[i].Value == t; i++ {
			if sorted[i].Ended {
				ended++
			}
		}
		surviving *= 1 - float64(ended)/float64(atRisk)
		if ended > 0 && surviving <= 1-p+epsilon {
			return t, true
		}
	}
	return math.NaN(), false
}

// PromoterInterval is the 95 % interval of a net promoter score of p promoters and d detractors among n answers, in
// points: score ± z·100·sqrt((p+d-(p-d)²)/n), p and d as shares.
func PromoterInterval(promoters, detractors, n float64) (low, high float64) {
	p, d := promoters/n, detractors/n
	score := 100 * (p - d)
	half := z * 100 * math.Sqrt((p+d-(p-d)*(p-d))/n)
	return score - half, score + half
}
