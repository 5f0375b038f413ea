package attribution

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// story is a made-up repository: what there is to tell, in an order in which parents come before children.
type story struct {
	id       string
	commits  []Commit // told; the shas they name may be of commits that are never told
	matching map[string]bool
	requests []ChangeRequest
}

// drawStory draws a small history with merges, octopus merges, further roots, gaps, copies and reverts. Instants
// come from a small range, so that many are the same.
func drawStory(t *rapid.T, id string, most int) story {
	h := story{id: id, matching: map[string]bool{}}
	chance := func(label string, n int) bool { return rapid.IntRange(1, n).Draw(t, label) == n }
	var shas []string
	earlier := func(label string) string { return rapid.SampledFrom(shas).Draw(t, label) }
	for i := range rapid.IntRange(1, most).Draw(t, "commits") {
		c := Commit{SHA: fmt.Sprintf("%s%d", id, i), Author: rapid.SampledFrom([]string{"ann", "bob", "robot"}).Draw(t, "author")}
		c.AuthoredAt = rapid.Int64Range(0, 20).Draw(t, "authored")
		c.CommittedAt = c.AuthoredAt + rapid.Int64Range(-2, 5).Draw(t, "delay")
		c.Bot = c.Author == "robot"
		if len(shas) > 0 && !chance("root", 12) {
			parents := rapid.SampledFrom([]int{1, 1, 1, 1, 2, 2, 3, 4}).Draw(t, "parents")
			for range parents {
				// Mostly among the latest, so that the history is deep.
				p := shas[max(0, len(shas)-rapid.IntRange(1, 4).Draw(t, "parent"))]
				if chance("far parent", 8) {
					p = earlier("parent")
				}
				if !slices.Contains(c.Parents, p) {
					c.Parents = append(c.Parents, p)
				}
			}
		}
		if len(shas) > 0 && len(c.Parents) < 2 {
			if chance("copy", 5) {
				c.CherryPickedFrom = earlier("copied")
			}
			if chance("revert", 5) {
				c.Reverts = earlier("reverted")
			}
		}
		h.matching[c.SHA] = chance("on the paths", 2)
		shas = append(shas, c.SHA)
		if !chance("gap", 10) {
			h.commits = append(h.commits, c)
		}
	}
	for n := range rapid.IntRange(0, 4).Draw(t, "requests") {
		r := ChangeRequest{
			ID: fmt.Sprint(n), CreatedAt: rapid.Int64Range(0, 20).Draw(t, "opened"), FirstCommitAt: Absent, ReadyAt: Absent, FirstReviewAt: Absent,
			MergedAt: rapid.Int64Range(5, 9).Draw(t, "merged"), Author: "ann",
		}
		r.Commits = rapid.SliceOfNDistinct(rapid.SampledFrom(shas), 0, min(3, len(shas)), rapid.ID).Draw(t, "originals")
		r.Landed = rapid.SliceOfNDistinct(rapid.SampledFrom(shas), 0, min(2, len(shas)), rapid.ID).Draw(t, "landed")
		if chance("reviewed", 2) {
			r.FirstReviewAt = r.CreatedAt + 1
		}
		h.requests = append(h.requests, r)
	}
	return h
}

func (h *story) commit(sha string) *Commit {
	i := slices.IndexFunc(h.commits, func(c Commit) bool { return c.SHA == sha })
	if i < 0 {
		return nil
	}
	return &h.commits[i]
}

// ancestors are the told commits reachable from sha, itself included.
func (h *story) ancestors(sha string) map[string]bool {
	seen := map[string]bool{}
	for todo := []string{sha}; len(todo) > 0; todo = todo[1:] {
		if c := h.commit(todo[0]); c != nil && !seen[c.SHA] {
			seen[c.SHA] = true
			todo = append(todo, c.Parents...)
		}
	}
	return seen
}

// copies are the shas that stand for the same work as sha, itself included.
func (h *story) copies(sha string) map[string]bool {
	same := map[string]bool{sha: true}
	for grown := true; grown; {
		grown = false
		for _, c := range h.commits {
			if c.CherryPickedFrom != "" && same[c.SHA] != same[c.CherryPickedFrom] {
				same[c.SHA], same[c.CherryPickedFrom], grown = true, true, true
			}
		}
	}
	return same
}

// tell builds the repository, its commits told in the given order.
func (h *story) tell(order []Commit) *Repository {
	r := &Repository{ID: h.id, Graph: NewGraph(0), Requests: slices.Clone(h.requests)}
	for _, c := range order {
		r.Graph.Add(c)
	}
	r.Graph.Seal()
	r.Index()
	return r
}

// match is the set of the commits on the service's paths that the graph knows.
func (h *story) match(g *Graph) *Bits {
	b := &Bits{}
	for _, c := range h.commits {
		if i, ok := g.Find(c.SHA); ok && h.matching[c.SHA] {
			b.Set(i)
		}
	}
	return b
}

// drawRuns draws successful runs, in the order in which they finished, that deploy commits of the histories, told or
// not, to two targets.
func drawRuns(t *rapid.T, most int, histories ...*story) []Run {
	var runs []Run
	for i := range rapid.IntRange(1, most).Draw(t, "runs") {
		r := Run{
			ID: fmt.Sprintf("d%02d", i), Status: Succeeded, Target: rapid.SampledFrom([]string{"eu", "eu", "us"}).Draw(t, "target"),
			FinishedAt: 25 + rapid.Int64Range(0, 12).Draw(t, "finished"), StartedAt: Absent,
			Rollback: rapid.IntRange(1, 8).Draw(t, "rollback") == 1, Hotfix: rapid.IntRange(1, 6).Draw(t, "hotfix") == 1,
		}
		for _, h := range histories {
			if len(r.Revisions) > 0 && rapid.IntRange(1, 4).Draw(t, "without "+h.id) == 1 {
				continue
			}
			last := 0
			if len(h.commits) > 0 {
				last = len(h.commits) - 1
			}
			sha := fmt.Sprintf("%s%d", h.id, min(rapid.IntRange(0, last+1).Draw(t, "revision"), last+1))
			r.Revisions = append(r.Revisions, Revision{Repository: h.id, SHA: sha})
		}
		if i > 0 && rapid.IntRange(1, 8).Draw(t, "remediates") == 1 {
			r.Remediates = []string{fmt.Sprintf("d%02d", rapid.IntRange(0, i-1).Draw(t, "remediated"))}
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Or(cmp.Compare(a.FinishedAt, b.FinishedAt), cmp.Compare(a.ID, b.ID)) })
	return runs
}

var testSettings = Settings{NegativeTolerance: 3, RolloutWindow: 4, InferRollback: true, InferRevert: true, InferHotfix: true, HotfixWindow: 5}

// recorder is a line that keeps what it reports.
type recorder struct {
	*Line
	delivered map[string][]Change        // run -> changes
	shipped   map[string][]ShippedCommit // run -> commits
}

func record(settings Settings, keepBaseline bool, repositories map[string]*Repository, parts ...Part) *recorder {
	r := &recorder{delivered: map[string][]Change{}, shipped: map[string][]ShippedCommit{}}
	r.Line = NewLine(Config{
		Settings: settings, Parts: parts, KeepBaseline: keepBaseline,
		Author:     func(name string) (string, bool) { return name, false },
		Repository: func(id string) *Repository { return repositories[id] },
		Deliver:    func(c *Change) { r.delivered[c.Deployment] = append(r.delivered[c.Deployment], *c) },
		Commit:     func(c *ShippedCommit) { r.shipped[c.Deployment] = append(r.shipped[c.Deployment], *c) },
	})
	return r
}

// forget drops what runs reported, which will be reported again.
func (r *recorder) forget(runs []Run) {
	for i := range runs {
		delete(r.delivered, runs[i].ID)
		delete(r.shipped, runs[i].ID)
	}
}

// account is everything a line says, for comparison.
type account struct {
	Runs        []Run
	Results     []Result
	Deployments []Deployment
	Assessment  string
	Delivered   map[string][]Change
	Shipped     map[string][]ShippedCommit
	Waiting     map[string][]Waiting
}

func (r *recorder) account(repositories map[string]*Repository, head string) account {
	a := account{
		Runs: slices.Clone(r.Runs()), Results: slices.Clone(r.Results()), Deployments: slices.Clone(r.Deployments()),
		Delivered: maps.Clone(r.delivered), Shipped: map[string][]ShippedCommit{}, Waiting: map[string][]Waiting{},
	}
	for i := range a.Deployments {
		slices.Sort(a.Deployments[i].Flags)
	}
	for id, commits := range r.shipped {
		a.Shipped[id] = slices.SortedFunc(slices.Values(commits), func(x, y ShippedCommit) int {
			return cmp.Or(cmp.Compare(x.Repository, y.Repository), cmp.Compare(x.SHA, y.SHA))
		})
	}
	for id := range repositories {
		a.Waiting[id] = r.Waiting(id, head)
	}
	s := r.Assess(nil, nil)
	a.Assessment = fmt.Sprintf("%+v", s.Outcomes)
	return a
}

func permutation[T any](t *rapid.T, label string, of []T) []T {
	if len(of) == 0 {
		return nil
	}
	return rapid.Permutation(of).Draw(t, label)
}

// check tries a property on a few hundred random cases, fewer with -short.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	times := 5
	if testing.Short() {
		times = 1
	}
	for range times {
		if rapid.Check(t, property); t.Failed() {
			return
		}
	}
}
