package github

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/fault"
)

func TestThePositionOfTheRepositoriesIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[A-Za-z0-9._-]{1,20}`)
		p := repositoriesPosition{Version: 1, Sweep: rapid.IntRange(1, 1000).Draw(t, "sweep"), Page: 3, repos: map[int64]*known{}}
		for range rapid.IntRange(0, 20).Draw(t, "repositories") {
			k := known{
				id: rapid.Int64Range(1, 1<<40).Draw(t, "id"), fact: "acme/" + word.Draw(t, "fact"), branch: word.Draw(t, "branch"),
				archived: rapid.Bool().Draw(t, "archived"), fork: rapid.Bool().Draw(t, "fork"), gone: rapid.Bool().Draw(t, "gone"), left: rapid.Bool().Draw(t, "left"),
				created: rapid.Int64Range(0, 1<<33).Draw(t, "created"), told: rapid.Uint64().Draw(t, "told"), sweep: rapid.IntRange(0, 1000).Draw(t, "listed"),
			}
			k.name = rapid.SampledFrom([]string{k.fact, "acme/" + word.Draw(t, "name")}).Draw(t, "which name")
			p.repos[k.id] = &k
		}
		got, err := readRepositories(p.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got, cmp.AllowUnexported(repositoriesPosition{}, known{})); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestAThousandRepositoriesFitInASmallPosition(t *testing.T) {
	p := repositoriesPosition{Version: 1, repos: map[int64]*known{}}
	for i := range int64(1000) {
		p.repos[i] = &known{id: 500_000_000 + i, fact: fmt.Sprintf("an-organisation/a-rather-long-name-of-a-repository-%d", i), branch: "main", created: 1_700_000_000, told: 1 << 63, sweep: 1234}
		p.repos[i].name = p.repos[i].fact
	}
	if got := len(p.String()); got > 130_000 {
		t.Errorf("%d bytes, want fewer than 130 000", got)
	}
}

func TestASpoiltPositionIsAFault(t *testing.T) {
	for _, text := range []string{"{", `{"v":2}`, `{"v":1,"known":["1 acme/shop"]}`} {
		if _, err := readRepositories(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestTheNameOfARepositoryIsTakenOverOnlyFromOneThatIsGone(t *testing.T) {
	p := repositoriesPosition{repos: map[int64]*known{1: {id: 1, fact: "acme/shop", name: "acme/store"}}}
	if got := p.free(known{id: 2, name: "acme/shop"}); got != "acme/shop@2" {
		t.Errorf("beside one that was renamed: got %s", got)
	}
	p.repos[1].gone = true
	if got := p.free(known{id: 2, name: "acme/shop"}); got != "acme/shop" || len(p.repos) != 0 {
		t.Errorf("after one that is gone: got %s, %d are known", got, len(p.repos))
	}
}

func TestWhatDoesNotEndIsGivenUpAndNeverGrows(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var a awaited
	for i := range 3 * maxAwaited {
		a.await(fmt.Sprint(i), now.Add(-time.Duration(i)*time.Minute).UnixMilli(), true)
	}
	if len(a) != maxAwaited || a["0"] == 0 {
		t.Errorf("%d are awaited, want the newest %d", len(a), maxAwaited)
	}
	a.await("0", 0, false)
	if _, there := a["0"]; there {
		t.Error("what has ended is awaited")
	}
	if due := a.due(now.Add(8 * 24 * time.Hour)); len(due) != 0 {
		t.Errorf("%d are asked for after a week", len(due))
	}
}
