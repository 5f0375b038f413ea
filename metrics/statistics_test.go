package metrics_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cairn/metrics"
)

// near allows for what computing with floating point loses.
func near(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance || math.IsNaN(got) && math.IsNaN(want)
}

func upTo(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = float64(i + 1)
	}
	return list
}

// R-7 as R's quantile(x, p), SQL's PERCENTILE_CONT and numpy's "linear" have it.
func TestQuantileIsR7(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		p      float64
		want   float64
	}{
		{"no values", nil, 0.5, math.NaN()},
		{"one value is every quantile", []float64{7}, 0.9, 7},
		{"the median of two is half way", []float64{315, 670}, 0.5, 492.5},
		{"quantile(1:10, .5)", upTo(10), 0.5, 5.5},
		{"quantile(1:10, .25)", upTo(10), 0.25, 3.25},
		{"quantile(1:10, .75)", upTo(10), 0.75, 7.75},
		{"quantile(1:10, .9)", upTo(10), 0.9, 9.1},
		{"the smallest", upTo(10), 0, 1},
		{"the largest", upTo(10), 1, 10},
		{"p75 of four", []float64{2, 5, 9, 30}, 0.75, 14.25},
		{"p90 of four", []float64{2, 5, 9, 30}, 0.9, 23.7},
		// Hyndman and Fan, "Sample quantiles in statistical packages" (1996), definition 7: h = (n-1)p.
		{"p10 of five", []float64{15, 20, 35, 40, 50}, 0.1, 17},
		{"p40 of five", []float64{15, 20, 35, 40, 50}, 0.4, 29},
		{"equal values", []float64{3, 3, 3, 8}, 0.5, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := metrics.Quantile(c.values, c.p); !near(got, c.want, 1e-12) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// values draws a sorted sample. Whole numbers make ties likely.
func values(t *rapid.T, least int) []float64 {
	whole := rapid.SliceOfN(rapid.IntRange(-20, 20), least, 40).Draw(t, "values")
	list := make([]float64, len(whole))
	for i, v := range whole {
		list[i] = float64(v)
	}
	slices.Sort(list)
	return list
}

func TestQuantileGrowsWithPWithinTheSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := values(t, 1)
		p, q := rapid.Float64Range(0, 1).Draw(t, "p"), rapid.Float64Range(0, 1).Draw(t, "q")
		if p > q {
			p, q = q, p
		}
		low, high := metrics.Quantile(sorted, p), metrics.Quantile(sorted, q)
		if low > high+1e-12 {
			t.Errorf("the %v quantile is %v, above the %v quantile %v", p, low, q, high)
		}
		if low < sorted[0]-1e-12 || high > sorted[len(sorted)-1]+1e-12 {
			t.Errorf("got %v and %v, want both within %v and %v", low, high, sorted[0], sorted[len(sorted)-1])
		}
		// At least np of the values are at or below, and at least n(1-p) at or above, but for one in between.
		below := 0
		for _, v := range sorted {
			if v <= low+1e-9 {
				below++
			}
		}
		if n := float64(len(sorted)); float64(below) < math.Floor((n-1)*p+1e-9)+1 {
			t.Errorf("%d of %v values are at or below the %v quantile %v", below, n, p, low)
		}
	})
}

// R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
func TestWilsonAsPublished(t *testing.T) {
	for _, c := range []struct{ k, n, low, high float64 }{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
		{0, 5, 0, 0.4345}, // none of five failed: the rate may still be 43 %
		{29, 29, 0.8830, 1},
	} {
		low, high := metrics.Wilson(c.k, c.n)
		if !near(low, c.low, 5e-5) || !near(high, c.high, 5e-5) {
			t.Errorf("%v of %v: got %.4f to %.4f, want %.4f to %.4f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

func TestWilsonHoldsTheShareWithinZeroAndOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		low, high := metrics.Wilson(float64(k), float64(n))
		share := float64(k) / float64(n)
		if !(0 <= low && low <= share+1e-15 && share-1e-15 <= high && high <= 1) {
			t.Errorf("%d of %d: got %v to %v, want 0 <= low <= %v <= high <= 1", k, n, low, high, share)
		}
		// A success is a failure seen from the other side.
		if l, h := metrics.Wilson(float64(n-k), float64(n)); !near(l, 1-high, 1e-12) || !near(h, 1-low, 1e-12) {
			t.Errorf("%d of %d: got %v to %v, want the mirror image of %v to %v", n-k, n, l, h, low, high)
		}
		// The ends are where the share lies z standard errors from p: n(share-p)² = z²p(1-p).
		const zz = 1.959963984540054 * 1.959963984540054
		for _, p := range []float64{low, high} {
			if p == 0 || p == 1 {
				continue
			}
			if left, right := float64(n)*(share-p)*(share-p), zz*p*(1-p); !near(left, right, 1e-9*(1+right)) {
				t.Errorf("%d of %d: the end %v does not solve the score equation: %v, %v", k, n, p, left, right)
			}
		}
	})
}

func ended(values ...float64) []metrics.Duration {
	list := make([]metrics.Duration, len(values))
	for i, v := range values {
		list[i] = metrics.Duration{Value: v, Ended: true}
	}
	return list
}

func open(values ...float64) []metrics.Duration {
	list := make([]metrics.Duration, len(values))
	for i, v := range values {
		list[i] = metrics.Duration{Value: v}
	}
	return list
}

// The remission times of Freireich and others (1963), the textbook example of the estimator: 21 patients with 6-MP,
// 12 of them censored, and 21 with a placebo.
func TestSurvivalOfTheTextbook(t *testing.T) {
	treated := slices.Concat(ended(6, 6, 6, 7, 10, 13, 16, 22, 23), open(6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35))
	placebo := ended(1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
	for _, c := range []struct {
		name      string
		durations []metrics.Duration
		p         float64
		want      float64
		reached   bool
	}{
		{"S(6) = 0.857", treated, 0.1, 6, true},
		{"S(7) = 0.807", treated, 0.19, 7, true},
		{"S(10) = 0.753 is not yet a quarter", treated, 0.25, 13, true},
		{"S(22) = 0.538, S(23) = 0.448", treated, 0.5, 23, true},
		{"S ends at 0.448", treated, 0.56, math.NaN(), false},
		{"placebo", placebo, 0.5, 8, true},
		{"nobody", nil, 0.5, math.NaN(), false},
		{"all under way", open(1, 2, 3), 0.5, math.NaN(), false},
		{"one of two has ended: S = 1/2 is enough", slices.Concat(ended(4), open(9)), 0.5, 4, true},
		{"the end comes before the censoring at a tie", slices.Concat(open(4), ended(4)), 0.5, 4, true},
		{"the censoring leaves first when it is earlier", slices.Concat(open(3), ended(4)), 0.5, 4, true},
		{"1, 2, 4 and 6 have ended, one is open after 3", slices.Concat(ended(1, 2, 4, 6), open(3)), 0.5, 4, true},
		{"two of three open", slices.Concat(ended(1), open(5, 6)), 0.5, math.NaN(), false},
		// S falls by tenths, so that 1-p must be compared with rounding in mind: S(9) = 1/10 exactly.
		{"nine of ten have ended", slices.Concat(ended(1, 2, 3, 4, 5, 6, 7, 8, 9), open(10)), 0.9, 9, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reached := metrics.Survival(c.durations, c.p)
			if reached != c.reached || !near(got, c.want, 1e-12) {
				t.Errorf("got %v, reached %t; want %v, %t", got, reached, c.want, c.reached)
			}
		})
	}
}

func TestSurvivalWithNothingOpenIsTheQuantile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := values(t, 1)
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		shuffled := rapid.Permutation(sorted).Draw(t, "order")
		got, reached := metrics.Survival(ended(shuffled...), p)
		if want := metrics.Quantile(sorted, p); !reached || !near(got, want, 1e-12) {
			t.Errorf("got %v, reached %t; want %v", got, reached, want)
		}
	})
}

// With every open duration beyond all that ended, S falls by 1/n at each end: the k/n quantile is the k-th value.
func TestSurvivalCountsTheOpenOnesAmongAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := values(t, 1)
		waiting := rapid.IntRange(1, 20).Draw(t, "open")
		list := slices.Concat(open(slices.Repeat([]float64{100}, waiting)...), ended(sorted...))
		n := len(list)
		k := rapid.IntRange(1, n).Draw(t, "k")
		got, reached := metrics.Survival(list, float64(k)/float64(n))
		if k > len(sorted) {
			if reached {
				t.Errorf("%d of %d have ended: got %v for the %d/%d quantile, want none", len(sorted), n, got, k, n)
			}
			return
		}
		if want := sorted[k-1]; !reached || got != want {
			t.Errorf("got %v, reached %t, for the %d/%d quantile; want %v", got, reached, k, n, want)
		}
	})
}

func TestSurvivalGrowsWithPAndWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) metrics.Duration {
			return metrics.Duration{Value: float64(rapid.IntRange(0, 30).Draw(t, "value")), Ended: rapid.Bool().Draw(t, "ended")}
		}), 1, 30).Draw(t, "durations")
		list = append(list, open(1)...) // never without one that is open: R-7 is another estimator
		before := slices.Clone(list)
		p, q := rapid.Float64Range(0, 1).Draw(t, "p"), rapid.Float64Range(0, 1).Draw(t, "q")
		if p > q {
			p, q = q, p
		}
		low, lowReached := metrics.Survival(list, p)
		high, highReached := metrics.Survival(list, q)
		if highReached && (!lowReached || low > high) {
			t.Errorf("the %v quantile is %v (%t), the %v quantile %v", p, low, lowReached, q, high)
		}
		if lowReached && !slices.Contains(list, metrics.Duration{Value: low, Ended: true}) {
			t.Errorf("the quantile %v is none of the durations that ended", low)
		}
		// To wait longer for what has not ended never makes a quantile smaller.
		longer := slices.Clone(list)
		for i := range longer {
			if !longer[i].Ended {
				longer[i].Value += 7
			}
		}
		if later, reached := metrics.Survival(longer, p); reached && (!lowReached || later < low) {
			t.Errorf("waiting made the %v quantile fall from %v (%t) to %v", p, low, lowReached, later)
		}
		if !slices.Equal(list, before) {
			t.Error("the durations that were handed over have changed")
		}
	})
}

func TestPromoterInterval(t *testing.T) {
	for _, c := range []struct {
		name                     string
		promoters, detractors, n float64
		low, high                float64
	}{
		// p = 0.5, d = 0.2: score 30, variance 0.7 - 0.09 = 0.61, half width 1.959964 * 100 * sqrt(0.61/10).
		{"five for, two against, of ten", 5, 2, 10, 30 - 48.4078, 30 + 48.4078},
		{"all of one mind", 8, 0, 8, 100, 100},
		{"nobody minds", 0, 0, 4, 0, 0},
		// p = d = 0.5: variance 1, half width 1.959964 * 100 / 10.
		{"split in half", 50, 50, 100, -19.5996, 19.5996},
	} {
		t.Run(c.name, func(t *testing.T) {
			low, high := metrics.PromoterInterval(c.promoters, c.detractors, c.n)
			if !near(low, c.low, 5e-4) || !near(high, c.high, 5e-4) {
				t.Errorf("got %.4f to %.4f, want %.4f to %.4f", low, high, c.low, c.high)
			}
		})
	}
}
