// Package attributiontest makes up commit histories for tests and benchmarks of attribution. The same seed gives the
// same history.
package attributiontest

import (
	"encoding/hex"
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"cairn/metrics/attribution"
)

// Begin is when a history begins.
var Begin = time.Date(2015, 1, 5, 8, 0, 0, 0, time.UTC)

const (
	branches = 12  // open at once
	authors  = 900 // who take turns
	pace     = 150 * time.Second
)

// Step is one commit of a history.
type Step struct {
	attribution.Commit
	// Trunk tells whether the commit is on the default branch by first parents, so that it may have been deployed.
	Trunk bool
	// Branch are the commits that a merge brings to the trunk, oldest first; nil for any other commit.
	Branch []string
}

// History tells so many commits, parents before children. Beside a trunk that takes commits of its own a dozen branches
// are open at once; they live for up to two hundred steps and then are merged, at times two in one. A commit is two
// and a half minutes after the one before.
func History(seed uint64, commits int) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		h := history{random: rand.New(rand.NewPCG(seed, 1)), tip: "", at: Begin.UnixMilli()}
		for range commits {
			if !yield(h.step()) {
				return
			}
		}
	}
}

type history struct {
	random *rand.Rand
	tip    string // of the trunk
	at     int64  // milliseconds
	open   [branches][]string
}

func (h *history) step() Step {
	h.at += h.random.Int64N(2 * pace.Milliseconds())
	c := attribution.Commit{
		SHA: h.sha(), Author: "dev" + strconv.Itoa(h.random.IntN(authors)), Bot: h.random.IntN(50) == 0,
		CommittedAt: h.at, AuthoredAt: h.at - h.random.Int64N(time.Hour.Milliseconds()),
	}
	b := &h.open[h.random.IntN(branches)]
	switch length := len(*b); {
	case h.tip == "" || h.random.IntN(8) == 0:
		return h.advance(c, h.tip)
	case length > 0 && h.random.IntN(6) < length-1:
		brought := *b
		*b = nil
		second := &h.open[h.random.IntN(branches)]
		if len(*second) > 0 && h.random.IntN(40) == 0 {
			brought = append(brought, *second...)
			c.Parents = []string{h.tip, brought[length-1], brought[len(brought)-1]}
			*second = nil
		} else {
			c.Parents = []string{h.tip, brought[length-1]}
		}
		h.tip = c.SHA
		return Step{Commit: c, Trunk: true, Branch: brought}
	case length > 0:
		c.Parents = []string{(*b)[length-1]}
	default:
		c.Parents = []string{h.tip}
	}
	*b = append(*b, c.SHA)
	return Step{Commit: c}
}

func (h *history) advance(c attribution.Commit, from string) Step {
	if from != "" {
		c.Parents = []string{from}
	}
	h.tip = c.SHA
	return Step{Commit: c, Trunk: true}
}

func (h *history) sha() string {
	var b [24]byte
	for i := 0; i < len(b); i += 8 {
		v := h.random.Uint64()
		for n := range 8 {
			b[i+n] = byte(v >> (8 * n))
		}
	}
	return hex.EncodeToString(b[:20])
}

// Deployments picks, from the trunk's commits, so many that were deployed one after the other: evenly spread, the last
// of them at the end.
func Deployments(trunk []string, n int) []string {
	picked := make([]string, 0, n)
	for i := range n {
		picked = append(picked, trunk[(i+1)*len(trunk)/n-1])
	}
	return picked
}
