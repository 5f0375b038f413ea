// Package metricstest fills a store with organisations that never were, for benchmarks of the metrics: facts to derive
// from, or the derived tables themselves. The same seed gives the same organisation.
package metricstest

import (
	"context"
	"strconv"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution/attributiontest"
)

// block is how many rows are inserted at once.
const block = 100_000

// revision is what a deployment carried of one repository.
type revision struct {
	Repository  string `ch:"repository"`
	SHA         string `ch:"sha"`
	PreviousSHA string `ch:"previous_sha"`
	Role        string `ch:"role"`
	Rule        string `ch:"rule"`
}

// Commits stores so many commits of a made-up history, and the default branch. It returns the commits of the trunk,
// oldest first.
func Commits(ctx context.Context, st *store.Store, repository string, seed uint64, commits int) ([]string, error) {
	var trunk []string
	var c commitColumns
	for s := range attributiontest.History(seed, commits) {
		if s.Trunk {
			trunk = append(trunk, s.SHA)
		}
		c.add(repository, s)
		if len(c.sha) == block {
			if err := c.flush(ctx, st); err != nil {
				return nil, err
			}
		}
	}
	if err := c.flush(ctx, st); err != nil {
		return nil, err
	}
	at := attributiontest.Begin
	return trunk, insert(ctx, st, "branches (repository, name, sha, is_default, source, updated_at, version)",
		[]string{repository}, []string{"main"}, []string{trunk[len(trunk)-1]}, []bool{true}, []string{"made up"}, []time.Time{at}, []uint64{1})
}

type commitColumns struct {
	repository, sha, author, source []string
	parents, paths                  [][]string
	bot, pathsKnown                 []bool
	authored, committed             []time.Time
	version                         []uint64
}

func (c *commitColumns) add(repository string, s attributiontest.Step) {
	c.repository, c.sha, c.author = append(c.repository, repository), append(c.sha, s.SHA), append(c.author, s.Author)
	if s.Parents == nil {
		s.Parents = []string{}
	}
	c.parents, c.bot, c.source = append(c.parents, s.Parents), append(c.bot, s.Bot), append(c.source, "made up")
	c.authored, c.committed = append(c.authored, time.UnixMilli(s.AuthoredAt).UTC()), append(c.committed, time.UnixMilli(s.CommittedAt).UTC())
	area := "area" + strconv.Itoa(len(c.sha)%7)
	c.paths, c.pathsKnown = append(c.paths, []string{area + "/main.go", area + "/main_test.go"}), append(c.pathsKnown, true)
	c.version = append(c.version, 1)
}

func (c *commitColumns) flush(ctx context.Context, st *store.Store) error {
	if len(c.sha) == 0 {
		return nil
	}
	err := insert(ctx, st, "commits (repository, sha, parents, author, bot, authored_at, committed_at, paths, paths_known, source, updated_at, version)",
		c.repository, c.sha, c.parents, c.author, c.bot, c.authored, c.committed, c.paths, c.pathsKnown, c.source, c.committed, c.version)
	*c = commitColumns{}
	return err
}

// Deployments stores a successful production deployment of a service for each sha, an interval apart, numbered from a
// first number on.
func Deployments(ctx context.Context, st *store.Store, service, repository string, shas []string, number int, first time.Time, interval time.Duration) error {
	n := len(shas)
	same := func(value string) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = value
		}
		return list
	}
	ids, attempts := make([]string, n), make([]int64, n)
	started, finished, updated := make([]*time.Time, n), make([]*time.Time, n), make([]time.Time, n)
	revisions, none, versions := make([][]revision, n), make([][]string, n), make([]uint64, n)
	for i, sha := range shas {
		end := first.Add(time.Duration(i) * interval)
		start := end.Add(-5 * time.Minute)
		ids[i], attempts[i] = "d"+strconv.Itoa(number+i), 1
		started[i], finished[i], updated[i] = &start, &end, end
		revisions[i], none[i], versions[i] = []revision{{Repository: repository, SHA: sha}}, []string{}, uint64(end.UnixMilli())
	}
	return insert(ctx, st, "deployments (service, id, attempt, environment, tier, target, status, started_at, finished_at, revisions, remediates, remediates_incidents, way, source, updated_at, version)",
		same(service), ids, attempts, same("production"), same("production"), same(""), same("succeeded"), started, finished, revisions, none, none,
		same("golden_path"), same("made up"), updated, versions)
}

// insert stores columns, named with their table as in an INSERT.
func insert(ctx context.Context, st *store.Store, into string, columns ...any) error {
	b, err := st.Batch(ctx, "INSERT INTO "+into)
	if err != nil {
		return err
	}
	defer b.Close()
	for i, c := range columns {
		if err := b.Column(i).Append(c); err != nil {
			return err
		}
	}
	return b.Send()
}
