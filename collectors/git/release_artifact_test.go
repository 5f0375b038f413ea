package git_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/git"
	"cairn/internal/event"
)

// Each tag with a version tells its commit, whether tags are deployments or not; a tag that was moved tells the commit
// where it stands now, and what has been told is not told again.
func TestTagsTellWhatWasReleased(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	h.commit(spec{at: 60, message: "two", files: map[string]string{"a": "1"}})
	shas := r.load(h)
	cfg := r.config()
	cfg.DeployOn, cfg.Service, cfg.Releases = git.DeployOnNone, "", true
	r.git("tag", "v1.0.0", shas[1])
	r.git("tag", "web/v2.0.0-rc.1", shas[1])
	r.git("tag", "nightly", shas[1])
	r.git("tag", "v1.0.1", shas[1]+"^{tree}")

	first := collect(t, cfg, "")
	told := event.Telling{Source: "git:shop", UpdatedAt: at(60)}
	want := []*event.Artifact{
		{Telling: told, ID: "shop:v1.0.0", Version: "v1.0.0", Repository: "shop", SHA: shas[1], BuiltAt: at(60)},
		{Telling: told, ID: "shop:web/v2.0.0-rc.1", Version: "web/v2.0.0-rc.1", Repository: "shop", SHA: shas[1], BuiltAt: at(60)},
	}
	if diff := cmp.Diff(want, of[*event.Artifact](first)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := of[*event.Deployment](first); len(d) > 0 {
		t.Errorf("%d deployments", len(d))
	}
	if again := collect(t, cfg, first.position); len(again.events) > 0 {
		t.Errorf("the second run tells %d events", len(again.events))
	}
	r.git("tag", "-f", "v1.0.0", shas[0]) // to an older commit, with an older date
	moved := of[*event.Artifact](collect(t, cfg, first.position))
	if len(moved) != 1 || moved[0].SHA != shas[0] || event.Version(moved[0]) <= event.Version(want[0]) {
		t.Errorf("after the tag was moved: %+v", moved)
	}
	cfg.Releases = false
	if none := of[*event.Artifact](collect(t, cfg, "")); len(none) > 0 {
		t.Errorf("%d artifacts where none are asked for", len(none))
	}
}
