package dashboards

import (
	"cmp"
	"slices"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
	"cairn/metrics/words"
)

// unmatchedPage is what /sources/unmatched shows: what was told and cannot be joined, each with the line that would join it.
type unmatchedPage struct {
	metrics.Unmatched
	Lede    []string
	Sources []unmatchedSource
}

// unmatchedSource says how the commits of a source's deployments were found.
type unmatchedSource struct {
	metrics.UnmatchedCommit
	Title string
	Rules []foundBy
}

type foundBy struct {
	Words string
	N     int64
}

func (p *Pages) unmatched(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	u, err := p.deps.Engine.Unmatched(c.Request().Context())
	if err != nil {
		return err
	}
	b := unmatchedPage{Unmatched: u, Lede: words.UnmatchedSentences(u)}
	for _, s := range u.Commits {
		one := unmatchedSource{UnmatchedCommit: s, Title: words.Source(s.Source)}
		for rule, n := range s.Rules {
			one.Rules = append(one.Rules, foundBy{words.FoundBy(rule), n})
		}
		slices.SortFunc(one.Rules, func(a, b foundBy) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Words, b.Words)) })
		b.Sources = append(b.Sources, one)
	}
	return p.show(c, "unmatched", page{Title: "Unmatched", Nav: "sources", View: v, AsOf: u.AsOf, Body: b})
}
