package attribution

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// told is what a graph says about a commit.
type told struct {
	Known, Merge, Bot  bool
	Author             string
	Start, CommittedAt int64
	Generation         uint32
	Parents, Copies    []string
	Reverts            string
}

func ask(g *Graph, sha string) told {
	c, ok := g.Find(sha)
	if !ok {
		return told{}
	}
	s := told{Known: g.Known(sha), Copies: []string{}}
	for o := range g.Copies(c) {
		s.Copies = append(s.Copies, g.SHA(o))
	}
	slices.Sort(s.Copies)
	if r, ok := g.Reverts(c); ok {
		s.Reverts = g.SHA(r)
	}
	if !s.Known {
		return s
	}
	g.number()
	s.Merge, s.Bot, s.Author, s.Start, s.CommittedAt, s.Generation = g.Merge(c), g.Bot(c), g.Author(c), g.Start(c), g.CommittedAt(c), g.generation[c]
	for _, p := range g.parents(nil, c) {
		s.Parents = append(s.Parents, g.SHA(p))
	}
	return s
}

// A graph says what it was told, in whatever order, and told twice or once.
func TestGraphAnswersTheSameInAnyOrderOfTelling(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "c", 14)
		order := permutation(t, "order", append(slices.Clone(h.commits), h.commits[:len(h.commits)/3]...))
		g := NewGraph(0)
		for _, c := range order {
			g.Add(c)
			if rapid.IntRange(1, 4).Draw(t, "seal") == 1 {
				g.Seal()
			}
		}
		if g.Len() != len(h.commits) {
			t.Errorf("Len: got %d, want %d", g.Len(), len(h.commits))
		}
		generations := map[string]uint32{}
		for _, c := range h.commits {
			highest := uint32(0)
			for _, p := range c.Parents {
				highest = max(highest, generations[p])
			}
			generations[c.SHA] = highest + 1
			want := told{
				Known: true, Merge: len(c.Parents) > 1, Bot: c.Bot, Author: c.Author, Start: min(c.AuthoredAt, c.CommittedAt), CommittedAt: c.CommittedAt,
				Generation: highest + 1, Parents: c.Parents, Copies: slices.Sorted(maps.Keys(h.copies(c.SHA))), Reverts: c.Reverts,
			}
			if diff := cmp.Diff(want, ask(g, c.SHA)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.SHA, diff)
			}
		}
	})
}

// Copies of an untold commit are copies of each other, and the untold one is among them.
func TestCopiesAreTransitive(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "c", 14)
		g := h.tell(permutation(t, "order", h.commits)).Graph
		classes := map[string]uint32{}
		for _, c := range h.commits {
			for sha := range h.copies(c.SHA) {
				i, ok := g.Find(sha)
				if !ok {
					t.Fatalf("%s, a copy of %s, is not in the graph", sha, c.SHA)
				}
				if class, seen := classes[sha]; seen && class != g.Class(i) {
					t.Errorf("%s is in two classes", sha)
				}
				classes[sha] = g.Class(i)
				got := ask(g, sha).Copies
				if want := slices.Sorted(maps.Keys(h.copies(c.SHA))); !slices.Equal(got, want) {
					t.Errorf("copies of %s: got %v, want %v", sha, got, want)
				}
			}
		}
	})
}

// A retold commit replaces what was told before, its parents too: the ends of a shallow history have parents after all.
func TestACommitToldAnewReplacesTheOldTelling(t *testing.T) {
	first := Commit{SHA: "b", Author: "ann", AuthoredAt: 5, CommittedAt: 6}
	second := Commit{SHA: "b", Parents: []string{"a", "x", "y"}, Author: "bob", Bot: true, AuthoredAt: 1, CommittedAt: 1 << 40, Reverts: "a"}
	g := NewGraph(0)
	g.Add(first)
	g.Add(Commit{SHA: "c", Parents: []string{"b"}})
	g.Add(Commit{SHA: "a"})
	g.Seal()
	if g.Revises(&first) {
		t.Error("the same telling revises something")
	}
	if !g.Revises(&second) {
		t.Error("another telling revises nothing")
	}
	g.Add(second)
	want := told{Known: true, Merge: true, Bot: true, Author: "bob", Start: 1, CommittedAt: 1 << 40, Generation: 2, Parents: []string{"a", "x", "y"}, Copies: []string{"b"}, Reverts: "a"}
	if diff := cmp.Diff(want, ask(g, "b")); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
	if got := ask(g, "c").Generation; got != 3 {
		t.Errorf("generation of c: got %d, want 3", got)
	}
	if again := ask(g, "b"); g.Revises(&second) || again.CommittedAt != 1<<40 {
		t.Errorf("told a third time: %+v", again)
	}
	g.Add(first)
	if got, want := ask(g, "b"), (told{Known: true, Author: "ann", Start: 5, CommittedAt: 6, Generation: 1, Copies: []string{"b"}}); !cmp.Equal(got, want) {
		t.Errorf("told as at first: got %+v, want %+v", got, want)
	}
}

// Nothing that a producer tells, not even commits that descend from themselves, keeps a walk from ending.
func TestWalksEndInACircle(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		g := NewGraph(0)
		for _, c := range []Commit{
			{SHA: "a", Parents: []string{"c", "root"}, CherryPickedFrom: "b"}, {SHA: "b", Parents: []string{"a"}, CherryPickedFrom: "a"},
			{SHA: "c", Parents: []string{"b"}}, {SHA: "d", Parents: []string{"d", "c"}, CherryPickedFrom: "d"}, {SHA: "root"},
		} {
			g.Add(c)
		}
		g.Seal()
		repository := &Repository{ID: "r", Graph: g}
		repository.Index()
		match := &Bits{}
		for _, sha := range []string{"b", "d", "root"} {
			c, _ := g.Find(sha)
			match.Set(c)
		}
		for _, m := range []*Bits{nil, match} {
			r := record(testSettings, true, map[string]*Repository{"r": repository}, Part{Repository: "r", Match: m})
			for i, sha := range []string{"root", "a", "d"} {
				r.Append(Run{ID: sha, Target: "eu", FinishedAt: int64(i), Revisions: []Revision{{Repository: "r", SHA: sha}}})
			}
			r.Waiting("r", "c")
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("walking does not end")
	}
}

// FirstAfter looks only at what was told and selected.
func TestFirstAfter(t *testing.T) {
	check(t, func(t *rapid.T) {
		h := drawStory(t, "c", 10)
		g := h.tell(h.commits).Graph
		at := rapid.Int64Range(-2, 25).Draw(t, "at")
		want := int64(1<<63 - 1)
		wantMatching := want
		for _, c := range h.commits {
			if s := min(c.AuthoredAt, c.CommittedAt); s >= at {
				want = min(want, s)
				if h.matching[c.SHA] {
					wantMatching = min(wantMatching, s)
				}
			}
		}
		if got := g.FirstAfter(at, nil); got != want {
			t.Errorf("of all: got %d, want %d", got, want)
		}
		if got := g.FirstAfter(at, h.match(g)); got != wantMatching {
			t.Errorf("of those selected: got %d, want %d", got, wantMatching)
		}
	})
}
