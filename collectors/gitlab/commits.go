package gitlab

import (
	"context"
	"net/url"
	"time"

	"cairn/internal/fault"
)

// commitsPosition is how far the commits of the default branch have been read from the API.
type commitsPosition struct {
	versioned
	Branch string `json:"branch,omitempty"`
	// Head is a commit of which everything that came after From is told.
	Head string `json:"head,omitempty"`
	// Told is the instant with which the branch was told last, in milliseconds since 1970.
	Told int64 `json:"told,omitempty"`

	// To, while it is set, is a later head, whose commits since Head are told down to Page.
	To   string `json:"to,omitempty"`
	Page int    `json:"page,omitempty"`

	// From is the head at which the history begins, told down to Past.
	From     string    `json:"from,omitempty"`
	Past     int       `json:"past,omitempty"` // number of the next page
	Back     time.Time `json:"back,omitzero"`
	Complete bool      `json:"complete,omitempty"`
	Done     int64     `json:"done,omitempty"`
	Total    int64     `json:"total,omitempty"`
}

// readCommits makes a turn over the commits of a project.
func readCommits(ctx context.Context, t *Turn) error {
	if t.c.cfg.Commits == CommitsGit {
		return readClone(ctx, t)
	}
	return readCommitsAPI(ctx, t)
}

// readCommitsAPI reads the commits that can be reached from the default branch. Lists are asked for by the sha of a head,
// so that their pages stay what they are when somebody pushes: history from the head that was first seen, and news as
// what a later head has that the one before did not have.
func readCommitsAPI(ctx context.Context, t *Turn) error {
	p, err := readPosition[commitsPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	defer func() {
		t.report.Done, t.report.Total, t.report.Complete, t.report.ReachedBack = p.Done, max(p.Total, p.Done), p.Complete, p.Back
	}()
	if t.repo.Branch == "" {
		t.report.Complete = true
		return nil
	}
	if err := t.newCommits(ctx, &p); err != nil {
		off, err := t.off(ctx, err)
		if off {
			t.report.More, p.Complete = false, true
			return nil
		}
		return err
	}
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		q := query{"ref_name": p.From}
		if since := t.c.cfg.Since; !since.IsZero() {
			q["since"] = stamp(since)
		}
		last, err := t.commits(ctx, q, max(p.Past, 1), &p)
		if err != nil {
			return err
		}
		p.Past = max(p.Past, 1) + 1
		if last {
			p.Complete, p.Past = true, 0
		}
		t.move(p)
	}
	return nil
}

// newCommits tells what the default branch got since the last turn, and where it is now.
func (t *Turn) newCommits(ctx context.Context, p *commitsPosition) error {
	if p.To == "" {
		var branch struct {
			Commit commit `json:"commit"`
		}
		if err := t.get(ctx, t.repo.in("/repository/branches/"+url.PathEscape(t.repo.Branch)), nil, &branch); err != nil {
			return err
		}
		head := branch.Commit
		if head.ID == "" {
			return fault.New(fault.Unavailable, "%s: GitLab did not say where the branch %s of %s is", t.c.cfg.Name, t.repo.Branch, t.repo.Fact)
		}
		if head.ID == p.Head && p.Branch == t.repo.Branch {
			return nil
		}
		// The fact has no instant of its own: it is told with the date of the head, and after the one before it.
		p.Told = max(latest(head.CommittedDate.Time, head.CreatedAt.Time).UnixMilli(), p.Told+1)
		if p.Branch != "" && p.Branch != t.repo.Branch {
			fact := t.c.t.branch(t.repo.Fact, p.Branch, p.Head, time.UnixMilli(p.Told).UTC())
			fact.Default = false
			if err := t.tell(fact); err != nil {
				return err
			}
		}
		p.Branch, p.To, p.Page = t.repo.Branch, head.ID, 1
		if p.Head == "" {
			p.Head, p.From, p.To = head.ID, head.ID, ""
		}
		if err := t.tell(t.c.t.branch(t.repo.Fact, p.Branch, head.ID, time.UnixMilli(p.Told).UTC())); err != nil {
			return err
		}
		t.move(p)
	}
	for p.To != "" {
		last, err := t.commits(ctx, query{"ref_name": p.Head + ".." + p.To}, p.Page, nil)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			// The old head is gone: the branch was rewritten, long ago. Everything is told again.
			p.Head, p.From, p.To, p.Past, p.Complete, p.Done = p.To, p.To, "", 1, false, 0
			t.move(p)
			return nil
		}
		if err != nil {
			return err
		}
		p.Page++
		if last {
			p.Head, p.To, p.Page = p.To, "", 0
		}
		t.move(p)
	}
	return nil
}

// commits tells a page of commits. History, where it is read, counts what was told.
func (t *Turn) commits(ctx context.Context, q query, number int, history *commitsPosition) (last bool, err error) {
	t.requests++
	commits, next, err := list[commit](ctx, t.c.api, t.repo.in("/repository/commits"), q.page(number))
	if err != nil {
		return false, err
	}
	for _, c := range commits {
		fact := t.c.t.commit(t.repo.Fact, c)
		if fact.SHA == "" || fact.CommittedAt.IsZero() {
			continue
		}
		if err := t.tell(fact); err != nil {
			return false, err
		}
		if history != nil {
			history.Done++
			history.Back = earliest(history.Back, fact.CommittedAt)
		}
	}
	if history != nil {
		history.Total = max(history.Total, next.total)
	}
	return next.last, nil
}
