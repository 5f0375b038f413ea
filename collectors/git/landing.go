package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cairn/internal/event"
)

// errNotAhead says that the branch's head does not continue the line that was told.
var errNotAhead = errors.New("the branch was rewritten")

// landings tells the commits of the branch's first-parent line, oldest first, each as a deployment at the instant it
// landed. It goes on after the commit that told names where the head continues its line, and tells the whole line where
// it does not.
//
// A commit lands at its committer date, but never before the commit that it follows: commits made earlier elsewhere
// and brought by a fast-forward, or dated by a slow clock, would otherwise ship before the commits they are built on,
// and be blamed for all of their lead time. The instants rise by at least a millisecond, so that order by time is order
// on the branch.
func (r *run) landings(ctx context.Context, teller *teller, branch string, told line) (line, error) {
	ref, err := r.repo.find(branch)
	if err != nil {
		return told, err
	}
	head := r.repo.heads[ref].sha
	if told.SHA == head && !teller.changed && !r.s.cfg.Full {
		return told, nil
	}
	if told.SHA != "" && !teller.changed && !r.s.cfg.Full {
		last, err := r.land(ctx, teller, head, told)
		if !errors.Is(err, errNotAhead) {
			return last, err
		}
	}
	return r.land(ctx, teller, head, line{})
}

// land tells the line of head from after the commit `from`, or from its beginning. It returns errNotAhead, before it
// has told anything, when the line does not go on from there.
func (r *run) land(ctx context.Context, teller *teller, head string, from line) (line, error) {
	input := head + "\n"
	if from.SHA != "" {
		input += "^" + from.SHA + "\n"
	}
	last, empty := from, true
	err := r.git.stream(ctx, strings.NewReader(input), func(out *bufio.Reader) error {
		for log := newLogReader(out); ; {
			c, err := log.landing()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if from.SHA != "" && empty && c.parent != from.SHA {
				return errNotAhead
			}
			at := r.landedAt(c, last)
			environment := r.s.cfg.Environment
			if err := teller.tell(&event.Deployment{
				ID:          c.sha,
				Environment: environment,
				Tier:        tierOf(environment, DefaultEnvironment, "production"),
				Revisions:   []event.Revision{{Repository: r.s.repository, SHA: c.sha}},
				Version:     c.sha[:12],
			}, at, teller.changed); err != nil {
				return err
			}
			last, empty = line{SHA: c.sha, At: at}, false
		}
		if empty {
			return errNotAhead // the head lies behind what was told, or git has thrown that away and lists nothing
		}
		return nil
	}, "log", "--stdin", "-z", "--first-parent", "--reverse", "--no-patch", "--format="+landingFormat)
	return last, err
}

// landedAt is when a commit landed on the branch after the one before it, in milliseconds.
func (r *run) landedAt(l landing, last line) int64 {
	at, ok := seconds(l.committed)
	if !ok || r.future(at) {
		if at, ok = seconds(l.authored); !ok || r.future(at) {
			at = 0
		}
	}
	at *= 1000
	if last.SHA != "" {
		at = max(at, last.At+1)
	}
	return min(at, endOfTime*1000-1)
}

// landingFormat is a commit of the first-parent line, in fields that end in NUL.
const landingFormat = "tformat:%H%x00%P%x00%at%x00%ct"

// landing is one commit of the first-parent line, in git's own words.
type landing struct {
	sha, parent         string
	authored, committed string
}

// landing reads one commit in landingFormat, io.EOF after the last one.
func (l *logReader) landing() (landing, error) {
	if _, err := l.r.Peek(1); err != nil {
		return landing{}, err
	}
	var c landing
	for _, field := range []*string{&c.sha, &c.parent, &c.authored, &c.committed} {
		text, err := l.read()
		if err != nil {
			return landing{}, err
		}
		*field = string(text)
	}
	if !isSHA(c.sha) {
		return landing{}, fmt.Errorf("%w: %q is no sha", errRecord, c.sha)
	}
	c.parent, _, _ = strings.Cut(c.parent, " ")
	return c, nil
}
