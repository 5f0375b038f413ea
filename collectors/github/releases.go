package github

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-github/v60/github"

	"cairn/internal/fault"
)

const releasesAtOnce = 100

// releasesPosition is how far the releases were read. GitHub does not say when a release was changed, and orders them by
// their commits: so of the newest hundred any change is seen by what they are, and history is read page by page.
type releasesPosition struct {
	Version  int               `json:"v"`
	Seen     map[string]uint32 `json:"seen,omitempty"` // hashes of the newest
	Page     int               `json:"page,omitempty"` // of history, to be read next
	Skip     int               `json:"skip,omitempty"` // releases of that page that are told
	Last     int64             `json:"last,omitempty"`
	Done     int64             `json:"done,omitempty"`
	Back     int64             `json:"back,omitempty"` // seconds
	Complete bool              `json:"complete,omitempty"`
	Services []string          `json:"services,omitempty"`
}

func readReleasesTurn(ctx context.Context, t *Turn) error {
	p := releasesPosition{Version: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	save := func() {
		t.position = position(p)
		t.report.Done, t.report.Total, t.report.Complete = p.Done, max(p.Done, p.Last*releasesAtOnce), p.Complete
		if p.Complete {
			t.report.Total = p.Done
		}
	}
	page := func(n int) ([]*github.RepositoryRelease, pages, error) {
		var list []*github.RepositoryRelease
		next, err := t.get(ctx, t.what(), t.path("releases"), values("per_page", strconv.Itoa(releasesAtOnce), "page", strconv.Itoa(n)), &list)
		return list, next, err
	}
	list, next, err := page(1)
	if err != nil {
		return err
	}
	seen := map[string]uint32{}
	for _, r := range list {
		id, sign := strconv.FormatInt(r.GetID(), 10), signatureOf(r)
		if p.Seen[id] != sign {
			if t.spent() {
				t.report.More = true
				return nil
			}
			if err := t.tellRelease(ctx, r, &p.Services); err != nil {
				return err
			}
			if p.Page == 0 {
				p.Done++
			}
			if p.Seen == nil {
				p.Seen = map[string]uint32{}
			}
			p.Seen[id] = sign
			save()
		}
		seen[id] = sign
	}
	p.Seen = seen
	if p.Page == 0 {
		p.Page, p.Last, p.Complete = 2, int64(next.last), next.next == 0
	}
	save()
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		list, next, err := page(p.Page)
		if err != nil {
			return err
		}
		for n, r := range list {
			if n < p.Skip {
				continue
			}
			if err := t.tellRelease(ctx, r, &p.Services); err != nil {
				return err
			}
			p.Done, p.Skip = p.Done+1, n+1
			save()
			if t.spent() && n < len(list)-1 {
				t.report.More = true
				return nil
			}
		}
		p.Page, p.Skip, p.Complete = p.Page+1, 0, next.next == 0
		save()
	}
	return nil
}

// signatureOf tells whether a release has changed.
func signatureOf(r *github.RepositoryRelease) uint32 {
	return uint32(xxhash.Sum64String(fmt.Sprint(r.GetTagName(), r.GetDraft(), r.GetPrerelease(), r.GetPublishedAt().Unix())))
}

// tellRelease tells a release that is a deployment. Its commit is asked for: a release names a tag.
func (t *Turn) tellRelease(ctx context.Context, r *github.RepositoryRelease, services *[]string) error {
	if since := t.c.cfg.Since; !since.IsZero() && r.GetPublishedAt().Before(since) && !r.GetDraft() {
		return nil
	}
	example := r.GetTagName() + " of " + t.repo.fact
	d, verdict := t.c.t.releaseDeployment(t.repo.fact, r, "")
	if d != nil {
		var commit struct {
			SHA string `json:"sha"`
		}
		_, err := t.get(ctx, "the commit of release "+r.GetTagName()+" of "+t.repo.name, t.path("commits/"+url.PathEscape(r.GetTagName())),
			values("per_page", "1"), &commit)
		if err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Internal {
			return err
		}
		d, verdict = t.c.t.releaseDeployment(t.repo.fact, r, commit.SHA)
	}
	return t.tellDeployment(d, verdict, example, services)
}

// refreshRelease tells one release again.
func refreshRelease(ctx context.Context, t *Turn, subject string) error {
	if _, err := strconv.ParseInt(subject, 10, 64); err != nil {
		return fault.New(fault.Invalid, "%s: %q is no id of a release", t.stream.Name, subject)
	}
	var r github.RepositoryRelease
	if _, err := t.get(ctx, "release "+subject+" of "+t.repo.name, t.path("releases/"+subject), nil, &r); err != nil {
		return err
	}
	return t.tellRelease(ctx, &r, new([]string))
}
