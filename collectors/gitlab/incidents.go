package gitlab

import (
	"context"
	"slices"
	"time"
)

// readIncidents makes a turn over a project's issues, and tells those that are incidents. All issues are read, a hundred
// a request: which of them are incidents may hang on labels, and those come and go.
func readIncidents(ctx context.Context, t *Turn) error {
	return readWalk(ctx, t, func(p *walked) walk[issue] {
		return walk[issue]{
			path: t.repo.in("/issues"), query: query{"scope": "all", "state": "all"}, size: perPage,
			key: func(i issue) (int64, time.Time) { return i.IID, i.UpdatedAt.Time },
			tell: func(_ context.Context, i issue) error {
				at, was := slices.BinarySearch(p.Incidents, i.IID)
				is, err := t.incident(i, was)
				if is && !was {
					p.Incidents = slices.Insert(p.Incidents, at, i.IID)
				}
				return err
			},
		}
	})
}

// refreshIncident tells one issue again.
func refreshIncident(ctx context.Context, t *Turn, subject string) error {
	iid, err := number(t, subject)
	if err != nil {
		return err
	}
	var i issue
	if err := t.get(ctx, t.repo.in("/issues/"+itoa(iid)), nil, &i); err != nil {
		return err
	}
	_, err = t.incident(i, false)
	return err
}

// incident tells an issue that is an incident, or was told as one before.
func (t *Turn) incident(i issue, was bool) (bool, error) {
	fact, verdict := t.c.t.incident(t.repo, i, was)
	if fact == nil {
		return false, nil
	}
	t.applied(verdict.Rule, fact.ID)
	return true, t.tell(fact)
}
