package gitlab

import (
	"context"
	"slices"
	"strconv"
	"time"

	"cairn/internal/fault"
)

// changesPerPage is small: each merge request needs further requests, and a turn is short.
const changesPerPage = 10

// maxNotes bounds the pages of notes of one merge request.
const maxNotePages = 5

// readChanges makes a turn over a project's merge requests.
func readChanges(ctx context.Context, t *Turn) error {
	return readWalk(ctx, t, func(*walked) walk[mergeRequest] {
		return walk[mergeRequest]{
			path: t.repo.in("/merge_requests"), query: query{"scope": "all", "state": "all"}, size: changesPerPage,
			key:  func(m mergeRequest) (int64, time.Time) { return m.IID, m.UpdatedAt.Time },
			tell: t.change,
		}
	})
}

// refreshChange tells one merge request again.
func refreshChange(ctx context.Context, t *Turn, subject string) error {
	iid, err := number(t, subject)
	if err != nil {
		return err
	}
	var m mergeRequest
	if err := t.get(ctx, t.repo.in("/merge_requests/"+itoa(iid)), nil, &m); err != nil {
		return err
	}
	return t.change(ctx, m)
}

// change tells a merge request with its original commits and what was said about it: two requests, as a rule. Approvals
// need no request of their own, since GitLab writes notes about them, with their instants, which the list of approvals
// does not have.
func (t *Turn) change(ctx context.Context, m mergeRequest) error {
	var commits []commit
	var notes []note
	if m.detailed() {
		var err error
		if commits, err = all[commit](ctx, t, t.repo.in("/merge_requests/"+itoa(m.IID)+"/commits"), nil); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		slices.Reverse(commits) // GitLab lists the latest first
		if notes, err = t.notes(ctx, m.IID); err != nil {
			return err
		}
	}
	fact := t.c.t.changeRequest(t.repo.Fact, m, commits, notes)
	if is, rule := t.c.rules.Hotfix(m.SourceBranch, m.Title, m.Labels); is {
		t.applied(rule, t.repo.Fact+"!"+itoa(m.IID))
	}
	return t.tell(fact)
}

// notes reads what was said about a merge request, oldest first.
func (t *Turn) notes(ctx context.Context, iid int64) ([]note, error) {
	var notes []note
	for n := 1; n <= maxNotePages; n++ {
		t.requests++
		some, p, err := list[note](ctx, t.c.api, t.repo.in("/merge_requests/"+itoa(iid)+"/notes"), query{"order_by": "created_at", "sort": "asc"}.page(n))
		if fault.KindOf(err) == fault.NotFound && err != nil {
			return notes, nil
		}
		if err != nil {
			return nil, err
		}
		notes = append(notes, some...)
		if p.last {
			break
		}
	}
	return notes, nil
}

// number is the number or id that a wake's subject is.
func number(t *Turn, subject string) (int64, error) {
	n, err := strconv.ParseInt(subject, 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.New(fault.Invalid, "%s: %.40q is no number of one of its things", t.stream.Name, subject)
	}
	return n, nil
}
