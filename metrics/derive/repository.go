package derive

import (
	"context"
	"slices"
	"strings"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// repository is one repository's history, kept between derivations.
type repository struct {
	attribution.Repository
	st       *store.Store
	byID     map[string]int // change request -> index into Requests
	filters  map[string]*pathFilter
	loaded   bool
	until    time.Time // facts ingested up to here have been read, all but the latest overlap
	revision int       // moves when a commit is told anew in other words
	touched  []string  // commits of change requests that were told or told anew, in that order
}

// pathFilter is what one list of path patterns selects.
type pathFilter struct {
	filter attribution.Filter
	bits   attribution.Bits
}

func newRepository(st *store.Store, id string) *repository {
	r := &repository{st: st, byID: map[string]int{}, filters: map[string]*pathFilter{}}
	r.ID = id
	r.Graph = attribution.NewGraph(0)
	r.Index()
	return r
}

func filterKey(patterns []string) string { return strings.Join(patterns, "\x00") }

// want makes sure that the repository keeps track of what a list of patterns selects.
func (r *repository) want(ctx context.Context, lists ...[]string) error {
	fresh := false
	for _, patterns := range lists {
		k := filterKey(patterns)
		if patterns == nil || r.filters[k] != nil {
			continue
		}
		f, err := attribution.NewFilter(patterns)
		if err != nil {
			return err
		}
		r.filters[k] = &pathFilter{filter: f}
		fresh = true
	}
	if !fresh || !r.loaded {
		return nil
	}
	return r.loadPaths(ctx, time.Time{})
}

// match gives the commits that a list of patterns selects; nil for all.
func (r *repository) match(patterns []string) *attribution.Bits {
	if f := r.filters[filterKey(patterns)]; patterns != nil && f != nil && !f.filter.Everything() {
		return &f.bits
	}
	return nil
}

// load reads what was told since the last load. Facts told after the cutoff stay unknown.
func (r *repository) load(ctx context.Context, cutoff int64) error {
	since := time.Time{}
	if r.loaded {
		since = r.until.Add(-overlap)
	} else {
		var n uint64
		if err := r.st.QueryRow(ctx, query("commit_count"), store.Params{"repository": r.ID}).Scan(&n); err != nil {
			return err
		}
		r.Graph = attribution.NewGraph(int(n))
	}
	now := time.Now()
	if err := r.loadCommits(ctx, since); err != nil {
		return err
	}
	if len(r.filters) > 0 {
		if err := r.loadPaths(ctx, since); err != nil {
			return err
		}
	}
	if err := r.loadRequests(ctx, cutoff); err != nil {
		return err
	}
	var heads []struct {
		SHA string `ch:"sha"`
	}
	if err := r.st.Select(ctx, &heads, query("default_branch"), store.Params{"repository": r.ID}); err != nil {
		return err
	}
	r.Head = ""
	if len(heads) > 0 {
		r.Head = heads[0].SHA
	}
	r.loaded, r.until = true, now
	return nil
}

func (r *repository) loadCommits(ctx context.Context, since time.Time) error {
	rows, err := r.st.Query(ctx, query("commits"), store.Params{"repository": r.ID, "since": since})
	if err != nil {
		return err
	}
	defer rows.Close()
	var c attribution.Commit
	var parents string
	for rows.Next() {
		if err := rows.Scan(&c.SHA, &parents, &c.Author, &c.Bot, &c.AuthoredAt, &c.CommittedAt, &c.CherryPickedFrom, &c.Reverts); err != nil {
			return err
		}
		c.Parents = split(c.Parents[:0], parents)
		if r.loaded && r.Graph.Revises(&c) {
			r.revision++
		}
		r.Graph.Add(c)
	}
	r.Graph.Seal()
	return rows.Err()
}

// split appends to list the texts that a query joined with NUL.
func split(list []string, joined string) []string {
	for more := joined != ""; more; {
		var text string
		text, joined, more = strings.Cut(joined, "\x00")
		list = append(list, text)
	}
	return list
}

func (r *repository) loadPaths(ctx context.Context, since time.Time) error {
	rows, err := r.st.Query(ctx, query("commit_paths"), store.Params{"repository": r.ID, "since": since})
	if err != nil {
		return err
	}
	defer rows.Close()
	var sha, joined string
	var paths []string
	for rows.Next() {
		if err := rows.Scan(&sha, &joined); err != nil {
			return err
		}
		paths = split(paths[:0], joined)
		c, ok := r.Graph.Find(sha)
		if !ok {
			continue
		}
		for _, f := range r.filters {
			if f.filter.Match(paths) && !f.bits.Has(c) {
				f.bits.Set(c)
			}
		}
	}
	return rows.Err()
}

func (r *repository) loadRequests(ctx context.Context, cutoff int64) error {
	var rows []struct {
		ID          string   `ch:"id"`
		Author      string   `ch:"author"`
		Created     int64    `ch:"created"`
		FirstCommit int64    `ch:"first_commit"`
		Ready       int64    `ch:"ready"`
		FirstReview int64    `ch:"first_review"`
		Merged      int64    `ch:"merged"`
		Commits     []string `ch:"commits"`
		Landed      []string `ch:"landed"`
		URL         string   `ch:"url"`
	}
	if err := r.st.Select(ctx, &rows, query("change_requests"), store.Params{"repository": r.ID}); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Merged > cutoff {
			continue
		}
		c := attribution.ChangeRequest{
			ID: row.ID, Author: row.Author, CreatedAt: row.Created, FirstCommitAt: row.FirstCommit, ReadyAt: row.Ready,
			FirstReviewAt: upTo(row.FirstReview, cutoff), MergedAt: row.Merged, Commits: row.Commits, Landed: row.Landed, URL: row.URL,
		}
		i, known := r.byID[c.ID]
		switch {
		case !known:
			r.byID[c.ID] = len(r.Requests)
			r.Requests = append(r.Requests, c)
		case sameRequest(&r.Requests[i], &c):
			continue
		default:
			r.touched = append(append(r.touched, r.Requests[i].Commits...), r.Requests[i].Landed...)
			r.Requests[i] = c
		}
		r.touched = append(append(r.touched, c.Commits...), c.Landed...)
	}
	r.Index()
	return nil
}

func sameRequest(a, b *attribution.ChangeRequest) bool {
	return a.Author == b.Author && a.CreatedAt == b.CreatedAt && a.FirstCommitAt == b.FirstCommitAt && a.ReadyAt == b.ReadyAt &&
		a.FirstReviewAt == b.FirstReviewAt && a.MergedAt == b.MergedAt && a.URL == b.URL &&
		slices.Equal(a.Commits, b.Commits) && slices.Equal(a.Landed, b.Landed)
}
