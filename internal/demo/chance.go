package demo

import (
	"encoding/hex"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// chance is a stream of draws.
type chance struct{ *rand.Rand }

// chance gives the stream of a subject. Each has its own, so that one draw more for one of them changes nothing for
// the others.
func (o *organisation) chance(subject string) chance {
	h := fnv.New64a()
	h.Write([]byte(subject))
	return chance{rand.New(rand.NewPCG(o.seed, h.Sum64()))}
}

// happens is true with probability p.
func (c chance) happens(p float64) bool { return c.Float64() < p }

// around draws from a log-normal distribution, as durations of human work are: half of the draws are below the median,
// and some are a multiple of it.
func (c chance) around(median, sigma float64) float64 {
	return median * math.Exp(sigma*c.NormFloat64())
}

// minutes draws a duration around a median of so many minutes.
func (c chance) minutes(median float64) time.Duration {
	return time.Duration(c.around(median, 0.4) * float64(time.Minute)).Truncate(time.Second)
}

// hours draws a duration around a median of so many hours.
func (c chance) hours(median float64) time.Duration {
	return time.Duration(c.around(median, 0.7) * float64(time.Hour)).Truncate(time.Second)
}

// between draws a duration of at least low and less than high.
func (c chance) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.Int64N(int64(high-low))).Truncate(time.Second)
}

// count draws how often something happens that happens so often in the mean (Poisson).
func (c chance) count(mean float64) int {
	n, limit := 0, math.Exp(-mean)
	for p := c.Float64(); p > limit; p *= c.Float64() {
		n++
	}
	return n
}

// sha draws the name of a commit.
func (c chance) sha() string {
	var b [20]byte
	for i := range b {
		b[i] = byte(c.Uint32())
	}
	return hex.EncodeToString(b[:])
}

// pick draws one of several.
func pick[T any](c chance, of []T) T { return of[c.IntN(len(of))] }
