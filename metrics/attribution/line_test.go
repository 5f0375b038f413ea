package attribution

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// sameAccount fails where two lines say different things. Indexes of versions and deployments are part of it.
func sameAccount(t *rapid.T, got, want account) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty(), gocmp.AllowUnexported(Deployment{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Newly live are the ancestors of the deployed commit without those of everything deployed before: what
// `git rev-list sha --not <all earlier shas>` lists, whatever the order of the deployments.
func TestARunShipsWhatNoEarlierRunShipped(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := drawStory(t, "a", 14), drawStory(t, "b", 6)
		runs := drawRuns(t, 10, &a, &b)
		repositories := map[string]*Repository{"a": a.tell(permutation(t, "order", a.commits)), "b": b.tell(b.commits)}
		r := record(testSettings, true, repositories, Part{Repository: "a", Match: a.match(repositories["a"].Graph)})
		for _, run := range runs {
			r.Append(run)
		}
		live := map[string]map[string]bool{"a": {}, "b": {}}
		previous := map[string]string{}
		for i, run := range runs {
			want := map[string]bool{}
			commits := 0
			reported := true
			for _, rev := range run.Revisions {
				h := map[string]*story{"a": &a, "b": &b}[rev.Repository]
				baseline := h.commit(previous[h.id]) == nil // the first run, or one after a commit that nobody knows
				reported = reported && (!baseline || i == 0)
				for sha := range h.ancestors(rev.SHA) {
					if c := h.commit(sha); !live[h.id][sha] && len(c.Parents) < 2 && (h.id == "b" || a.matching[sha]) {
						want[sha] = true
						if !baseline {
							commits++
						}
					}
					live[h.id][sha] = true
				}
				previous[h.id] = rev.SHA
			}
			if got := r.Results()[i].Commits; got != commits {
				t.Errorf("%s: got %d commits, want %d", run.ID, got, commits)
			}
			if !reported {
				continue
			}
			got := map[string]bool{}
			for _, c := range r.shipped[run.ID] {
				got[c.SHA] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", run.ID, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		}
	})
}

// A change is delivered to a service once, and so is a commit in all its copies.
func TestEverythingIsDeliveredOnce(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "a", 14)
		r := record(testSettings, true, map[string]*Repository{"a": h.tell(h.commits)})
		for _, run := range drawRuns(t, 10, &h) {
			r.Append(run)
		}
		changes, commits := map[string]string{}, map[string]string{}
		for run, delivered := range r.delivered {
			for _, c := range delivered {
				if other, again := changes[c.Kind+c.ID]; again {
					t.Errorf("%s %s: delivered by %s and %s", c.Kind, c.ID, other, run)
				}
				changes[c.Kind+c.ID] = run
				for _, sha := range c.Commits {
					for copied := range h.copies(sha) { // all commits are on the service's paths here
						if other, again := commits[copied]; again && other != run && len(h.commit(copied).Parents) < 2 {
							t.Errorf("%s: delivered in a copy by %s and %s", sha, other, run)
						}
					}
				}
				for _, sha := range c.Commits {
					commits[sha] = run
				}
			}
		}
	})
}

// A redeploy of what is live changes no change's lead time, and nothing else that came before or comes after.
func TestARedeployDeliversNothingAndMovesNothing(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := drawStory(t, "a", 12), drawStory(t, "b", 5)
		runs := drawRuns(t, 8, &a, &b)
		repositories := map[string]*Repository{"a": a.tell(a.commits), "b": b.tell(b.commits)}
		build := func(runs []Run) *recorder {
			r := record(testSettings, true, repositories, Part{Repository: "a", Match: a.match(repositories["a"].Graph)})
			for _, run := range runs {
				r.Append(run)
			}
			return r
		}
		i := rapid.IntRange(0, len(runs)-1).Draw(t, "redeployed")
		again := Run{ID: runs[i].ID + "-again", Target: runs[i].Target, FinishedAt: runs[i].FinishedAt, StartedAt: Absent, Revisions: runs[i].Revisions, Status: Succeeded}
		before, after := build(runs), build(slices.Insert(slices.Clone(runs), i+1, again))
		if kind := after.Results()[i+1].Kind; kind != KindRedeploy {
			t.Fatalf("%s is a %s", again.ID, kind)
		}
		if got := after.Results()[i+1]; got.Commits != 0 || got.Changes != 0 || len(after.delivered[again.ID]) != 0 {
			t.Errorf("the redeploy delivers %+v", got)
		}
		delete(after.shipped, again.ID)
		got, want := after.account(repositories, ""), before.account(repositories, "")
		if diff := gocmp.Diff(want.Delivered, got.Delivered); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if diff := gocmp.Diff(want.Shipped, got.Shipped); diff != "" {
			t.Errorf("shipped (-want +got):\n%s", diff)
		}
		if got.Assessment != want.Assessment {
			t.Errorf("assessment: got %s, want %s", got.Assessment, want.Assessment)
		}
		sameKinds(t, append(slices.Clone(got.Results[:i+1]), got.Results[i+2:]...), want.Results)
	})
}

func sameKinds(t *rapid.T, got, want []Result) {
	t.Helper()
	for i := range want {
		if got[i].Kind != want[i].Kind || got[i].Version != want[i].Version || got[i].Deployment != want[i].Deployment {
			t.Errorf("run %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

// The order in which commits are told changes nothing.
func TestAnyOrderOfTellingGivesTheSameLine(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "a", 14)
		runs := drawRuns(t, 10, &h)
		build := func(order []Commit) account {
			repositories := map[string]*Repository{"a": h.tell(order)}
			r := record(testSettings, true, repositories, Part{Repository: "a", Match: h.match(repositories["a"].Graph)})
			for _, run := range runs {
				r.Append(run)
			}
			return r.account(repositories, h.head())
		}
		sameAccount(t, build(permutation(t, "order", h.commits)), build(h.commits))
	})
}

func (h *story) head() string {
	if len(h.commits) == 0 {
		return ""
	}
	return h.commits[len(h.commits)-1].SHA
}

// A line that was rewound and went on from there is like one that never went elsewhere.
func TestRewindingForgetsExactlyTheRunsAfter(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := drawStory(t, "a", 14), drawStory(t, "b", 5)
		runs := drawRuns(t, 10, &a, &b)
		for i := range runs {
			// What was live before, by the producer's word.
			if rapid.IntRange(1, 5).Draw(t, "told what was live") == 1 {
				runs[i].Revisions = slices.Clone(runs[i].Revisions)
				runs[i].Revisions[0].PreviousSHA = rapid.SampledFrom(append(slices.Sorted(maps.Keys(a.matching)), "nowhere")).Draw(t, "previous")
			}
		}
		repositories := map[string]*Repository{"a": a.tell(a.commits), "b": b.tell(b.commits)}
		keep := rapid.Bool().Draw(t, "keep baseline")
		fresh := func() *recorder {
			return record(testSettings, keep, repositories, Part{Repository: "a", Match: a.match(repositories["a"].Graph)})
		}
		final := runs
		if len(runs) > 1 && rapid.Bool().Draw(t, "without one") {
			i := rapid.IntRange(0, len(runs)-1).Draw(t, "left out")
			final = slices.Delete(slices.Clone(runs), i, i+1)
		}
		r, want := fresh(), fresh()
		for _, run := range runs {
			r.Append(run)
		}
		for range rapid.IntRange(1, 3).Draw(t, "rewinds") {
			k := 0
			for k < len(final) && final[k].ID == runs[k].ID {
				k++
			}
			k = rapid.IntRange(0, k).Draw(t, "rewind to")
			r.forget(r.Runs()[k:])
			r.Rewind(k)
			if len(r.Runs()) != k || len(r.Results()) != k {
				t.Fatalf("after Rewind(%d): %d runs, %d results", k, len(r.Runs()), len(r.Results()))
			}
			for _, run := range final[k:] {
				r.Append(run)
			}
			runs = final
		}
		for _, run := range final {
			want.Append(run)
		}
		sameAccount(t, r.account(repositories, a.head()), want.account(repositories, a.head()))
		for i := range final {
			if got := r.Place(&final[i]); got != i {
				t.Errorf("Place(%s): got %d, want %d", final[i].ID, got, i)
			}
		}
	})
}

// A line that grows with the history it stands on says what one says that was built at the end, as long as it is
// built anew when Stale or Revises say so, and rewound to the first run that shipped any Kin of what joined or changed.
func TestALineGrowsWithItsHistory(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "a", 14)
		runs := drawRuns(t, 8, &h)
		final := h.requests
		h.requests = nil
		repository := h.tell(nil)
		repositories := map[string]*Repository{"a": repository}
		match := &Bits{}
		build := func() *recorder {
			return record(testSettings, true, repositories, Part{Repository: "a", Match: match})
		}
		r := build()
		told := permutation(t, "order", h.commits)
		if rapid.Bool().Draw(t, "in order") {
			told = h.commits
		}
		var requests []ChangeRequest // to be told, what they come to in the end being last
		for _, c := range final {
			if rapid.Bool().Draw(t, "told before") {
				requests = append(requests, ChangeRequest{ID: c.ID, MergedAt: c.MergedAt + 1, FirstCommitAt: Absent, ReadyAt: Absent, FirstReviewAt: Absent, Commits: c.Landed, Landed: c.Commits})
			}
		}
		requests = append(requests, final...)
		for n, m, applied := 0, 0, 0; n < len(told) || m < len(requests) || applied < len(runs); {
			anew := false
			var touched []uint32
			for range rapid.IntRange(0, len(told)-n).Draw(t, "told") {
				c := told[n]
				n++
				anew = anew || repository.Graph.Revises(&c)
				joins := repository.Graph.Joins(&c)
				i := repository.Graph.Add(c)
				if joins {
					touched = append(touched, repository.Kin(i)...)
				}
				if h.matching[c.SHA] {
					match.Set(i)
				}
			}
			repository.Graph.Seal()
			for range rapid.IntRange(0, len(requests)-m).Draw(t, "requests told") {
				if rapid.IntRange(0, 4).Draw(t, "taken back") == 0 {
					touched = append(touched, repository.Drop(rapid.SampledFrom(requests).Draw(t, "which").ID)...)
				}
				touched = append(touched, repository.Put(requests[m])...)
				m++
			}
			if m == len(requests) {
				for _, c := range final { // any of them may have been taken back
					touched = append(touched, repository.Put(c)...)
				}
			}
			if r.Stale() || anew {
				r = build()
				for _, run := range runs[:applied] {
					r.Append(run)
				}
			} else if i, shipped := r.ShippedBy("a", touched); shipped {
				r.forget(runs[i:applied])
				r.Rewind(i)
				for _, run := range runs[i:applied] {
					r.Append(run)
				}
			}
			for range rapid.IntRange(0, len(runs)-applied).Draw(t, "runs") {
				r.Append(runs[applied])
				applied++
			}
			if rapid.Bool().Draw(t, "ask for what waits") {
				r.Waiting("a", h.head())
			}
		}
		h.requests = final
		fresh := h.tell(h.commits)
		want := record(testSettings, true, map[string]*Repository{"a": fresh}, Part{Repository: "a", Match: h.match(fresh.Graph)})
		for _, run := range runs {
			want.Append(run)
		}
		sameAccount(t, r.account(repositories, h.head()), want.account(map[string]*Repository{"a": fresh}, h.head()))
	})
}

// Waiting are the changes that the head has and that no run shipped, in no copy and no part.
func TestWaitingIsWhatTheHeadHasAndNobodyShipped(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "a", 14)
		repository := h.tell(h.commits)
		r := record(testSettings, true, map[string]*Repository{"a": repository}, Part{Repository: "a", Match: h.match(repository.Graph)})
		live := map[string]bool{}
		runs := drawRuns(t, 4, &h)
		for _, run := range runs {
			r.Append(run)
			maps.Copy(live, h.ancestors(run.Revisions[0].SHA))
		}
		done := map[string]bool{} // changes that any of the live commits brought
		touches := func(sha string) bool {
			c := h.commit(sha)
			return c != nil && h.matching[sha] && len(c.Parents) < 2
		}
		for sha := range live {
			if touches(sha) {
				for _, other := range slices.Sorted(maps.Keys(h.copies(sha))) {
					done[h.change(other)] = true
				}
			}
		}
		want := map[string]bool{}
		for sha := range h.ancestors(h.head()) {
			copied := false
			for other := range h.copies(sha) {
				copied = copied || live[other] && (other == sha || touches(other))
			}
			if change := h.change(sha); !copied && touches(sha) && !done[change] {
				want[change] = true
			}
		}
		got := map[string]bool{}
		waiting := r.Waiting("a", h.head())
		for _, w := range waiting {
			if got[w.Kind+" "+w.ID] {
				t.Errorf("%s %s waits twice", w.Kind, w.ID)
			}
			got[w.Kind+" "+w.ID] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		if !slices.IsSortedFunc(waiting, func(a, b Waiting) int { return cmp.Or(cmp.Compare(a.MergedAt, b.MergedAt), cmp.Compare(a.ID, b.ID)) }) {
			t.Errorf("not the oldest first: %+v", waiting)
		}
	})
}

// change is the change that a commit belongs to, named by kind and id: that of its own change request, else that of a
// copy's, else the commit.
func (h *story) change(sha string) string {
	own := func(named string) string {
		for _, landed := range []bool{true, false} {
			best := -1
			for i, r := range h.requests {
				names := r.Commits
				if landed {
					names = r.Landed
				}
				if slices.Contains(names, named) && (best < 0 || cmp.Or(cmp.Compare(r.MergedAt, h.requests[best].MergedAt), cmp.Compare(r.ID, h.requests[best].ID)) < 0) {
					best = i
				}
			}
			if best >= 0 {
				return KindChangeRequest + " " + h.requests[best].ID
			}
		}
		return ""
	}
	if r := own(sha); r != "" {
		return r
	}
	best, at, byLanding := "", int64(0), false
	for _, other := range slices.Sorted(maps.Keys(h.copies(sha))) {
		for _, r := range h.requests {
			landed := slices.Contains(r.Landed, other)
			if !landed && !slices.Contains(r.Commits, other) {
				continue
			}
			name := KindChangeRequest + " " + r.ID
			if best == "" || landed && !byLanding || landed == byLanding && (r.MergedAt < at || r.MergedAt == at && name < best) {
				best, at, byLanding = name, r.MergedAt, landed
			}
		}
	}
	if best != "" {
		return best
	}
	return KindCommit + " " + sha
}
