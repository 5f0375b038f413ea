package git_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
)

func TestUnshallowedCloneTellsWhatWasHidden(t *testing.T) {
	origin := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	for i := range 6 {
		h.commit(spec{at: int64(i+1) * 60, message: fmt.Sprint("change ", i), files: map[string]string{"a": fmt.Sprint(i)}})
	}
	shas := origin.load(h)
	dir := t.TempDir() + "/shop.git"
	run(t, "", "clone", "--quiet", "--bare", "--depth=3", "file://"+origin.dir, dir)
	cfg := origin.config()
	cfg.Location = dir

	_, err := tryCollect(t, cfg, "")
	wantFault(t, err, "conflict", "shallow clone", "git fetch --unshallow", "--allow-shallow")

	cfg.AllowShallow = true
	shallow := collect(t, cfg, "")
	if !shallow.report.Shallow || !of[*event.Repository](shallow)[0].Shallow {
		t.Errorf("the repository is not told to be shallow")
	}
	if got := len(shallow.commits(t)); got != 3 {
		t.Fatalf("%d commits, want 3", got)
	}
	edge := shallow.commits(t)[shas[4]]
	if !slices.Equal(edge.Parents, []string{shas[3]}) || edge.Paths != nil {
		t.Errorf("the oldest commit has parents %v and paths %v; want its true parent, and no paths since nobody knows them", edge.Parents, edge.Paths)
	}
	run(t, "", "-C", dir, "fetch", "--quiet", "--deepen=2", "origin", "+refs/heads/*:refs/heads/*")
	deeper := collect(t, cfg, shallow.position)
	if got := len(known(shallow, deeper)); got != 5+2 {
		t.Errorf("%d facts after deepening, want 5 commits, the repository and the branch", got)
	}
	run(t, "", "-C", dir, "fetch", "--quiet", "--unshallow", "origin", "+refs/heads/*:refs/heads/*")
	cfg.AllowShallow = false
	whole := collect(t, cfg, deeper.position)
	cfg.Location = origin.dir
	want := content(known(collect(t, cfg, "")))
	got := content(known(shallow, deeper, whole))
	delete(want, "repository shop") // a clone has an origin
	delete(got, "repository shop")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-origin +clone):\n%s", diff)
	}
	if known(shallow, deeper, whole)["repository shop"].(*event.Repository).Shallow {
		t.Errorf("the repository is still told to be shallow")
	}
}
