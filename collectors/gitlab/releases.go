package gitlab

import (
	"context"
	"time"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// releasesPosition is how far the releases and the tags have been read, each with what was told of it.
type releasesPosition struct {
	versioned
	Releases named `json:"releases"`
	Tags     named `json:"tags"`
}

// named is how far a list has been read whose things have names and no instant of change.
type named struct {
	Told     map[string]string `json:"told,omitempty"` // by name, what was told
	Page     int               `json:"page,omitempty"` // number of the next page of the history
	Count    int64             `json:"count,omitempty"`
	Back     time.Time         `json:"back,omitzero"`
	Complete bool              `json:"complete,omitempty"`
}

// readReleases makes a turn over the releases and the tags of a project, as far as rules make them deployments.
func readReleases(ctx context.Context, t *Turn) error {
	p, err := readPosition[releasesPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	p.Releases.Complete = p.Releases.Complete || !t.c.rules.Wants(t.repo.Fact, rules.FromRelease)
	p.Tags.Complete = p.Tags.Complete || !t.c.tags(t.repo)
	defer func() {
		t.report.Done = int64(len(p.Releases.Told) + len(p.Tags.Told))
		t.report.Total = max(t.report.Done, p.Releases.Count+p.Tags.Count)
		t.report.Complete = p.Releases.Complete && p.Tags.Complete
		t.report.ReachedBack = latest(p.Releases.Back, p.Tags.Back)
	}()
	if t.c.rules.Wants(t.repo.Fact, rules.FromRelease) {
		err = readNamed(ctx, t, &p.Releases, func() { t.move(p) }, "/releases", query{"order_by": "released_at", "sort": "desc"}, func(r release) thing {
			fact, verdict := t.c.t.releaseDeployment(t.repo, r)
			return thing{name: r.TagName, fact: fact, rule: verdict.Rule, what: "release " + clip(r.TagName), at: r.ReleasedAt.Time}
		})
	}
	if err == nil && t.c.tags(t.repo) {
		err = readNamed(ctx, t, &p.Tags, func() { t.move(p) }, "/repository/tags", query{"order_by": "updated", "sort": "desc"}, func(g tag) thing {
			at := g.CreatedAt.Time
			if at.IsZero() {
				at = latest(g.Commit.CommittedDate.Time, g.Commit.CreatedAt.Time)
			}
			fact, verdict := t.c.t.tagDeployment(t.repo, g.Name, g.Commit.ID, at)
			return thing{name: g.Name, fact: fact, rule: verdict.Rule, what: "tag " + clip(g.Name), at: at}
		})
	}
	if err == nil {
		return nil
	}
	off, err := t.off(ctx, err)
	if off {
		p.Releases.Complete, p.Tags.Complete, t.report.More = true, true, false
		return nil
	}
	return err
}

// thing is a release or a tag.
type thing struct {
	name string
	fact *event.Deployment // nil: it is no deployment
	rule string
	what string
	at   time.Time
}

// readNamed reads such a list: from the top until a page has nothing new, and then on with the history. What comes new
// moves the rest to later pages, which repeats some of it; what is deleted moves it to earlier ones, and then the history
// begins again.
func readNamed[T any](ctx context.Context, t *Turn, p *named, move func(), path string, q query, judge func(T) thing) error {
	if p.Told == nil {
		p.Told = map[string]string{}
	}
	pageOf := func(number int) (news int, next page, err error) {
		t.requests++
		things, next, err := list[T](ctx, t.c.api, t.repo.in(path), q.page(number))
		if err != nil {
			return 0, page{}, err
		}
		for _, one := range things {
			th := judge(one)
			p.Back = earliest(p.Back, th.at)
			state := "-"
			if th.fact != nil {
				if th.fact.FinishedAt.IsZero() || !t.c.cfg.Since.IsZero() && th.fact.FinishedAt.Before(t.c.cfg.Since) {
					continue
				}
				state = stamp(th.fact.FinishedAt)
				for _, r := range th.fact.Revisions {
					state += " " + r.SHA[:min(12, len(r.SHA))]
				}
			}
			if p.Told[th.name] == state {
				continue
			}
			news++
			if before, again := p.Told[th.name]; again && before != "-" && th.fact != nil {
				th.fact.UpdatedAt = latest(th.fact.UpdatedAt, t.asOf) // moved to another commit, or another date
			}
			if err := t.deployed(th.fact, th.rule, th.what); err != nil {
				return 0, page{}, err
			}
			p.Told[th.name] = state
		}
		return news, next, nil
	}
	first := p.Page == 0 && !p.Complete
	for number := 1; !first; number++ {
		news, next, err := pageOf(number)
		if err != nil {
			return err
		}
		if next.total > 0 && next.total < p.Count {
			p.Page = 1
		}
		p.Count = next.total
		move()
		if next.last || news == 0 {
			break
		}
	}
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		_, next, err := pageOf(max(p.Page, 1))
		if err != nil {
			return err
		}
		p.Page = max(p.Page, 1) + 1
		p.Count = max(p.Count, next.total)
		if next.last {
			p.Complete, p.Page = true, 0
		}
		move()
	}
	return nil
}
