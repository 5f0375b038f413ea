package git

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/internal/event"
)

// Bounds of what an event may hold.
const (
	maxSubject = 500        // characters; what lies beyond helps nobody
	maxText    = 4096       // characters of a path or a name
	maxPaths   = 200_000    // of one commit
	endOfTime  = 4323283200 // 2107, in seconds since 1970
)

// commit turns a record into the fact. Of a shallow clone's oldest commits git shows neither the parents nor what they
// touched; cut holds the parents of those.
//
// A merge commit carries no paths: it is no change of its own, and what it brings is told by the commits it merges.
func (r *run) commit(ctx context.Context, rec record) (*event.Commit, error) {
	authored, committed := r.times(rec)
	c := &event.Commit{
		Telling:     event.Telling{Source: r.source, UpdatedAt: later(authored, committed)},
		Repository:  r.s.repository,
		SHA:         rec.sha,
		Parents:     rec.parents,
		Author:      author(rec),
		Bot:         r.s.bots.wrote(rec),
		AuthoredAt:  authored,
		CommittedAt: committed,
		Subject:     subject(rec.message),
	}
	if parents, ok := r.repo.cut[rec.sha]; ok {
		c.Parents = parents
	} else if len(rec.parents) < 2 {
		if c.Paths = paths(rec.paths); c.Paths == nil {
			r.report.Unlisted++
		}
	}
	if c.Parents == nil {
		c.Parents = []string{}
	}
	var err error
	if c.CherryPickedFrom, err = r.resolved(cherryPicked(rec.message)); err != nil {
		return nil, err
	}
	if c.Reverts, err = r.reverts(ctx, rec); err != nil {
		return nil, err
	}
	return c, nil
}

// paths returns the paths as an event takes them: known (not nil) even when there are none, and nil when there are too
// many to tell.
func paths(list []string) []string {
	if len(list) > maxPaths {
		return nil
	}
	if list == nil {
		return []string{}
	}
	for i, path := range list {
		if len(path) > maxText || !utf8.ValidString(path) {
			list[i] = clip(path, maxText)
		}
	}
	return list
}

// times returns when the commit was written and when it was put where it is. A time that cannot be is replaced by the
// other one; when neither can be, it is the nearest that can.
func (r *run) times(rec record) (authored, committed time.Time) {
	a, aok := seconds(rec.authored)
	c, cok := seconds(rec.committed)
	switch {
	case aok && cok:
		return instant(a), instant(c)
	case aok:
		r.report.Undated++
		return instant(a), instant(a)
	case cok:
		r.report.Undated++
		return instant(c), instant(c)
	default:
		r.report.Undated++
		return instant(a), instant(c)
	}
}

// seconds reads a time of git: seconds since 1970. When it is missing, no number or outside the years 1970 to 2106, ok
// is false and at the nearest instant inside.
func seconds(text string) (at int64, ok bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case text == "" || err != nil && n == 0:
		return 0, false
	case n < endOfTime:
		return int64(n), true
	default:
		return endOfTime - 1, false
	}
}

func instant(s int64) time.Time { return time.Unix(s, 0).UTC() }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// author is who wrote the commit: the e-mail address in lower case, or without one the name.
func author(rec record) string {
	if email := strings.TrimSpace(rec.email); email != "" {
		return clip(strings.ToLower(email), maxText)
	}
	return clip(strings.TrimSpace(rec.author), maxText)
}

// clip returns s as valid UTF-8 of at most n characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
