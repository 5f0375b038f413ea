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
	filters  map[string]*pathFilter
	loaded   bool
	until    time.Time // facts ingested up to here have been read, all but the latest overlap
	revision int       // moves when a commit is told anew in other words
	touched  []uint32  // commits whose delivery may have changed, in the order in which that was found
	settled  int       // how many were touched before those, and seen by every line
}

// pathFilter is what one list of path patterns selects.
type pathFilter struct {
	filter attribution.Filter
	bits   attribution.Bits
	fresh  bool // nothing was concluded from it yet
}

func newRepository(st *store.Store, id string) *repository {
	r := &repository{st: st, filters: map[string]*pathFilter{}}
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
		r.filters[k] = &pathFilter{filter: f, fresh: true}
		fresh = true
	}
	if !fresh || !r.loaded {
		return nil
	}
	return r.loadPaths(ctx, time.Time{}, r.Graph.Size())
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
	var commits uint64
	var now time.Time
	if err := r.st.QueryRow(ctx, query("commit_count"), store.Params{"repository": r.ID}).Scan(&commits, &now); err != nil {
		return err
	}
	since := time.Time{}
	if r.loaded {
		since = r.until.Add(-overlap)
	} else {
		r.Graph = attribution.NewGraph(int(commits))
		r.Index()
	}
	before := r.Graph.Size()
	if err := r.loadCommits(ctx, since); err != nil {
		return err
	}
	if len(r.filters) > 0 {
		if err := r.loadPaths(ctx, since, before); err != nil {
			return err
		}
	}
	if err := r.loadRequests(ctx, since, cutoff); err != nil {
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
	if !r.loaded {
		r.touched = nil // nothing was derived from it yet
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
		if !r.loaded {
			r.Graph.Add(c)
			continue
		}
		if r.Graph.Revises(&c) {
			r.revision++
		}
		joins := r.Graph.Joins(&c)
		if i := r.Graph.Add(c); joins {
			r.touched = append(r.touched, r.Kin(i)...)
		}
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

// loadPaths finds what the filters select of the commits told since the given instant. A selection that changes for
// one of the commits that the graph had heard of before is a revision.
func (r *repository) loadPaths(ctx context.Context, since time.Time, before int) error {
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
			matches := f.filter.Match(paths)
			if matches == f.bits.Has(c) {
				continue
			}
			if matches {
				f.bits.Set(c)
			} else {
				f.bits.Clear(c)
			}
			if int(c) < before && !f.fresh {
				r.revision++
			}
		}
	}
	for _, f := range r.filters {
		f.fresh = false
	}
	return rows.Err()
}

func (r *repository) loadRequests(ctx context.Context, since time.Time, cutoff int64) error {
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
	if err := r.st.Select(ctx, &rows, query("change_requests"), store.Params{"repository": r.ID, "since": since}); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Merged == attribution.Absent || row.Merged > cutoff {
			r.touched = append(r.touched, r.Drop(row.ID)...)
			continue
		}
		r.touched = append(r.touched, r.Put(attribution.ChangeRequest{
			ID: row.ID, Author: row.Author, CreatedAt: row.Created, FirstCommitAt: row.FirstCommit, ReadyAt: row.Ready,
			FirstReviewAt: upTo(row.FirstReview, cutoff), MergedAt: row.Merged, Commits: row.Commits, Landed: row.Landed, URL: row.URL,
		})...)
	}
	return nil
}

// settle forgets what was touched, once every line has seen it.
func (r *repository) settle() {
	r.settled += len(r.touched)
	r.touched = nil
}

// touchedSince are the commits touched after the first n. ok is false when some of them are forgotten.
func (r *repository) touchedSince(n int) (commits []uint32, ok bool) {
	if n < r.settled {
		return nil, false
	}
	return r.touched[n-r.settled:], true
}

// told is how many commits were ever touched.
func (r *repository) told() int { return r.settled + len(r.touched) }

// firstMerge is the earliest merge of a change request at or after an instant; max for none.
func (r *repository) firstMerge(at, none int64) int64 {
	first := none
	for i := range r.Requests {
		if m := r.Requests[i].MergedAt; m >= at {
			first = min(first, m)
		}
	}
	return first
}

// sortedPatterns are the path patterns of a part; nil for the whole repository.
func sortedPatterns(own, shared []string) []string {
	if len(own) == 0 {
		return nil
	}
	patterns := slices.Concat(own, shared)
	slices.Sort(patterns)
	return slices.Compact(patterns)
}
