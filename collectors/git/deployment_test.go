package git_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/git"
	"cairn/internal/event"
)

func TestReleaseTagIsADeployment(t *testing.T) {
	r := newRepo(t)
	sha := r.commit(spec{from: "-", at: 60, message: "x", files: map[string]string{"a": "1"}})
	r.git("update-ref", "refs/tags/v1.4.2", r.object("tag",
		fmt.Sprintf("object %s\ntype commit\ntag v1.4.2\ntagger Rel <Rel@X.org> %d +0000\n\nrelease\n", sha, day0+3600)))

	got := of[*event.Deployment](collect(t, r.config(), ""))
	want := []*event.Deployment{{
		Telling: event.Telling{Source: "git:shop", UpdatedAt: at(3600)},
		Service: "shop", ID: "v1.4.2", Attempt: 1, Environment: "production", Tier: "production", Status: "succeeded",
		StartedAt: at(3600), FinishedAt: at(3600), // the tagger's date
		Revisions: []event.Revision{{Repository: "shop", SHA: sha}},
		Version:   "v1.4.2", Tool: "git", Actor: "rel@x.org",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
}

func TestTimeAndCommitOfATag(t *testing.T) {
	r := newRepo(t)
	sha := r.commit(spec{from: "-", at: 60, message: "x", files: map[string]string{"a": "1"}})
	annotated := func(name, object, kind, tagger string) {
		r.git("update-ref", "refs/tags/"+name, r.object("tag", fmt.Sprintf("object %s\ntype %s\ntag %s\n%s\nmessage\n", object, kind, name, tagger)))
	}
	r.git("tag", "v1.0.0", sha)
	annotated("v1.0.1", sha, "commit", fmt.Sprintf("tagger T <t@x.org> %d +0000\n", day0+3600))
	annotated("v1.0.2", sha, "commit", "tagger T <t@x.org> -3600 +0000\n")
	annotated("v1.0.3", sha, "commit", "tagger T <t@x.org> 99999999999 +0000\n")
	annotated("v1.0.4", sha, "commit", "tagger T <t@x.org> 99999999999999999999999 +0000\n")
	annotated("v1.0.5", sha, "commit", "") // as the oldest gits wrote them
	annotated("v1.1.0", r.git("rev-parse", "refs/tags/v1.0.1"), "tag", fmt.Sprintf("tagger T <t@x.org> %d +0000\n", day0+7200))
	annotated("v1.1.1", r.git("rev-parse", "refs/tags/v1.1.0"), "tag", fmt.Sprintf("tagger T <t@x.org> %d +0000\n", day0+9000))
	annotated("v1.1.2", r.git("rev-parse", "refs/tags/v1.1.0"), "tag", "")
	annotated("v1.2.0", r.git("rev-parse", sha+"^{tree}"), "tree", fmt.Sprintf("tagger T <t@x.org> %d +0000\n", day0))
	r.git("tag", "v1.2.1", sha+"^{tree}")
	r.git("tag", "v1.2.2", sha+":a")

	got := collect(t, r.config(), "")
	short := sha[:6]
	want := []string{
		"v1.0.0 production/production " + short + " 2026-01-01T00:01:00",
		"v1.0.1 production/production " + short + " 2026-01-01T01:00:00",
		"v1.0.2 production/production " + short + " 2026-01-01T00:01:00",
		"v1.0.3 production/production " + short + " 2026-01-01T00:01:00",
		"v1.0.4 production/production " + short + " 2026-01-01T00:01:00",
		"v1.0.5 production/production " + short + " 2026-01-01T00:01:00",
		"v1.1.0 production/production " + short + " 2026-01-01T02:00:00",
		"v1.1.1 production/production " + short + " 2026-01-01T02:30:00",
		"v1.1.2 production/production " + short + " 2026-01-01T00:01:00",
	}
	if diff := cmp.Diff(want, got.deployments()); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]git.Count{{What: "release", N: 9, Examples: []string{"v1.0.0", "v1.0.1", "v1.0.2"}},
		{What: "not a commit", N: 3, Examples: []string{"v1.2.0", "v1.2.1", "v1.2.2"}}}, got.report.Tags); diff != "" {
		t.Errorf("tags reported (-want +got):\n%s", diff)
	}
}

func TestTagOfTheFutureHasTheCommitsDate(t *testing.T) {
	r := newRepo(t)
	sha := r.commit(spec{from: "-", at: 60, message: "x", files: map[string]string{"a": "1"}})
	r.git("update-ref", "refs/tags/v1.0.0", r.object("tag", fmt.Sprintf("object %s\ntype commit\ntag v1.0.0\ntagger T <t@x.org> %d +0000\n\nm\n", sha, day0+900*86400)))
	for _, tc := range []struct {
		name string
		asOf time.Time
		want string
	}{
		{"no present is given", time.Time{}, "2028-06-19T00:00:00"},
		{"the date has passed", at(901 * 86400), "2028-06-19T00:00:00"},
		{"the date is a day ahead at most", at(899 * 86400), "2028-06-19T00:00:00"},
		{"the date is far ahead", at(300 * 86400), "2026-01-01T00:01:00"},
		{"both dates are far ahead", at(-300 * 86400), "2028-06-19T00:00:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := r.config()
			cfg.AsOf = tc.asOf
			want := []string{"v1.0.0 production/production " + sha[:6] + " " + tc.want}
			if diff := cmp.Diff(want, collect(t, cfg, "").deployments()); diff != "" {
				t.Errorf("deployments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnvironmentsOfTags(t *testing.T) {
	r := newRepo(t)
	sha := r.commit(root("main"))
	for _, tag := range []string{"v1.0.0", "v1.0.0-rc.1", "v1.0.0-beta.1", "v1.0.1-eu"} {
		r.git("tag", tag, sha)
	}
	cfg := r.config()
	cfg.Environment, cfg.PrereleaseEnvironment = "live", "staging"
	cfg.Environments = []git.TagEnvironment{{Pattern: "*-eu", Name: "prod-eu"}, {Pattern: "*-beta*", Name: "beta", Tier: "testing"}, {Pattern: "*-b*", Name: "never"}}
	var got []string
	for _, d := range collect(t, cfg, "").deployments() {
		got = append(got, strings.Join(strings.Fields(d)[:2], " "))
	}
	want := []string{"v1.0.0 live", "v1.0.0-beta.1 beta/testing", "v1.0.0-rc.1 staging", "v1.0.1-eu prod-eu"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
}

func TestNothingIsDeployedWhenNoneIsAsked(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	r.git("tag", "v1.0.0", "main")
	cfg := r.config()
	cfg.DeployOn, cfg.Service = git.DeployOnNone, ""
	got := collect(t, cfg, "")
	if n := len(of[*event.Deployment](got)); n != 0 || len(got.commits(t)) != 1 {
		t.Errorf("%d deployments and %d commits, want 0 and 1", n, len(got.commits(t)))
	}
}

func TestEachCommitOfTheDeployedBranchShipsWhenItLands(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	side := h.commit(spec{branch: "side", from: ":1", at: 100, message: "side", files: map[string]string{"s": "1"}})
	h.commit(spec{at: 200, landed: 200, message: "two", files: map[string]string{"a": "2"}})
	h.commit(spec{at: 300, merge: []string{side}, message: "merge", files: map[string]string{"s": "1"}})
	h.commit(spec{at: 150, landed: 250, message: "made earlier, brought by a fast-forward", files: map[string]string{"a": "3"}})
	h.commit(spec{at: 150, landed: 250, message: "and another", files: map[string]string{"a": "4"}})
	h.commit(spec{at: 1000, landed: 1000, message: "later", files: map[string]string{"a": "5"}})
	shas := r.load(h)

	cfg := r.config()
	cfg.DeployOn = "main"
	got := collect(t, cfg, "")
	list := []string{}
	for _, d := range of[*event.Deployment](got) {
		if d.ID != d.Revisions[0].SHA || d.Version != d.ID[:12] || !d.StartedAt.Equal(d.FinishedAt) || !d.UpdatedAt.Equal(d.FinishedAt) {
			t.Errorf("deployment %+v does not agree with itself", d)
		}
		list = append(list, fmt.Sprintf("%.6s %s", d.ID, d.FinishedAt.Format("15:04:05.999")))
	}
	line := func(i int, at string) string { return shas[i][:6] + " " + at }
	want := []string{
		line(0, "00:00:00"), line(2, "00:03:20"), line(3, "00:05:00"),
		line(4, "00:05:00.001"), line(5, "00:05:00.002"), // never before what they follow
		line(6, "00:16:40"),
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("landings (-want +got):\n%s", diff)
	}
	if len(got.commits(t)) != 7 {
		t.Errorf("%d commits, want 7: the merged ones too", len(got.commits(t)))
	}
}

func TestClockOfTheFutureDoesNotHoldTheBranchBack(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	h.commit(spec{at: 60, landed: 20 * 365 * 86400, message: "from a clock in 2046", files: map[string]string{"a": "1"}})
	h.commit(spec{at: 120, message: "later", files: map[string]string{"a": "2"}})
	h.commit(spec{at: 3 * 365 * 86400, message: "both dates ahead", files: map[string]string{"a": "3"}})
	h.commit(spec{at: 180, message: "last", files: map[string]string{"a": "4"}})
	r.load(h)
	cfg := r.config()
	cfg.DeployOn, cfg.AsOf = "main", at(86400)
	var got []string
	for _, d := range of[*event.Deployment](collect(t, cfg, "")) {
		got = append(got, d.FinishedAt.Format("2006-01-02T15:04:05.999"))
	}
	want := []string{"2026-01-01T00:00:00", "2026-01-01T00:01:00", "2026-01-01T00:02:00", "2026-01-01T00:02:00.001", "2026-01-01T00:03:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("landings (-want +got):\n%s", diff)
	}
}

func TestServiceIsRegisteredOnRequestAndGivesWayToAnyOtherTelling(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	cfg := r.config()
	if got := of[*event.Service](collect(t, cfg, "")); len(got) != 0 {
		t.Errorf("service %v is told without having been asked for", got)
	}
	cfg.Register, cfg.Paths, cfg.SharedPaths = true, []string{"shop"}, []string{"lib"}
	first := collect(t, cfg, "")
	want := []*event.Service{{
		Telling: event.Telling{Source: "git:shop", UpdatedAt: time.Unix(0, 0).UTC()}, ID: "shop",
		Repositories: []event.ServiceRepository{{Repository: "shop", Paths: []string{"shop"}, SharedPaths: []string{"lib"}}},
	}}
	if diff := cmp.Diff(want, of[*event.Service](first)); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	mine, theirs := want[0], &event.Service{ID: "shop", CreatedAt: time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)}
	if event.Version(mine) >= event.Version(theirs) {
		t.Errorf("the collector's telling wins over a catalogue's")
	}
	if got := of[*event.Service](collect(t, cfg, first.position)); len(got) != 0 {
		t.Errorf("service %v is told again unchanged", got)
	}
	cfg.Paths = []string{"shop", "cart"}
	second := of[*event.Service](collect(t, cfg, first.position))
	if len(second) != 1 || event.Version(second[0]) <= event.Version(mine) || event.Version(second[0]) >= event.Version(theirs) {
		t.Errorf("changed paths are told as %v: want once, after the first telling and before any other's", second)
	}
}

func TestRepositoryAndDefaultBranch(t *testing.T) {
	r := newRepo(t)
	sha := r.commit(spec{from: "-", at: 60, message: "x"})
	r.commit(spec{branch: "dev", from: sha, at: 120, message: "y"})
	cfg := r.config()
	cfg.Repository = "acme/shop"
	got := collect(t, cfg, "")
	want := []event.Event{
		&event.Repository{Telling: event.Telling{Source: "git:acme/shop", UpdatedAt: time.Unix(0, 0).UTC()}, ID: "acme/shop", Name: "shop", DefaultBranch: "main"},
		&event.Branch{Telling: event.Telling{Source: "git:acme/shop", UpdatedAt: at(60)}, Repository: "acme/shop", Name: "main", SHA: sha, Default: true},
	}
	var list []event.Event
	for _, e := range got.events {
		if e.Kind() != event.KindCommit {
			list = append(list, e)
		}
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWhichBranchIsTheDefault(t *testing.T) {
	for _, tc := range []struct {
		name     string
		branches []string // full refs
		head     string
		origin   string // what refs/remotes/origin/HEAD names
		given    string
		want     string // name and its ref's last part of interest
	}{
		{"what HEAD names", []string{"refs/heads/trunk", "refs/heads/main"}, "refs/heads/trunk", "", "", "trunk"},
		{"what the origin prefers", []string{"refs/heads/work", "refs/remotes/origin/develop", "refs/remotes/origin/main"}, "refs/heads/work", "refs/remotes/origin/develop", "", "develop"},
		{"the origin's main in a clone for a build", []string{"refs/heads/work", "refs/remotes/origin/main"}, "refs/heads/work", "", "", "main"},
		{"main when HEAD names nothing", []string{"refs/heads/x", "refs/heads/main"}, "refs/heads/gone", "", "", "main"},
		{"the only one", []string{"refs/heads/x"}, "refs/heads/gone", "", "", "x"},
		{"nobody knows", []string{"refs/heads/x", "refs/heads/y"}, "refs/heads/gone", "", "", ""},
		{"the one that is given", []string{"refs/heads/x", "refs/heads/main"}, "refs/heads/main", "", "x", "x"},
		{"the one that is given in full", []string{"refs/remotes/other/x", "refs/heads/main"}, "refs/heads/main", "", "refs/remotes/other/x", "other/x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRepo(t)
			sha := r.commit(spec{branch: "tmp", from: "-", message: "x"})
			for _, ref := range tc.branches {
				r.git("update-ref", ref, sha)
			}
			r.git("update-ref", "-d", "refs/heads/tmp")
			r.git("symbolic-ref", "HEAD", tc.head)
			if tc.origin != "" {
				r.git("symbolic-ref", "refs/remotes/origin/HEAD", tc.origin)
			}
			cfg := r.config()
			cfg.Branch = tc.given
			got := collect(t, cfg, "")
			names := ""
			for _, b := range of[*event.Branch](got) {
				names += b.Name
			}
			if names != tc.want || got.report.Branch != tc.want {
				t.Errorf("default branch is %q (told) and %q (reported), want %q", names, got.report.Branch, tc.want)
			}
			if tc.want == "" && !strings.Contains(strings.Join(got.report.Notes(), "\n"), "--branch") {
				t.Errorf("notes %q do not say what to do", got.report.Notes())
			}
		})
	}
}

func TestOriginsBranchIsPreferredToALocalOneThatLagsBehind(t *testing.T) {
	r := newRepo(t)
	old := r.commit(root("main"))
	ahead := r.commit(spec{branch: "tmp", from: old, at: 1, message: "ahead"})
	r.git("update-ref", "refs/remotes/origin/main", ahead)
	r.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	r.git("update-ref", "-d", "refs/heads/tmp")
	got := collect(t, r.config(), "")
	if b := of[*event.Branch](got)[0]; b.SHA != ahead {
		t.Errorf("main is at %s, want the origin's %s", b.SHA, ahead)
	}
	if got.commits(t)[ahead] == nil {
		t.Errorf("the origin's commit is not told")
	}
	cfg := r.config()
	cfg.DeployOn, cfg.Branch = "main", "main"
	if got := ids(collect(t, cfg, "")); !slices.Contains(got, ahead) {
		t.Errorf("deployments are %v, want the origin's %s too", got, ahead)
	}
}

func TestDefaultBranchOnlyKeepsWhatWasDeployed(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	h.commit(spec{at: 1, message: "two", files: map[string]string{"a": "1"}})
	h.commit(spec{branch: "release", from: ":1", at: 2, message: "released", files: map[string]string{"a": "2"}})
	h.commit(spec{branch: "feature", from: ":1", at: 3, message: "unfinished", files: map[string]string{"a": "3"}})
	shas := r.load(h)
	r.git("tag", "v1.0.1", shas[2])
	r.git("tag", "snapshot", shas[3])
	r.git("update-ref", "refs/pull/7/head", r.commit(spec{branch: "tmp", from: shas[0], at: 5, message: "pull request"}))
	r.git("update-ref", "-d", "refs/heads/tmp")

	subjects := func(cfg git.Config) string {
		var list []string
		for _, c := range collect(t, cfg, "").commits(t) {
			list = append(list, c.Subject)
		}
		return strings.Join(sorted(list), ", ")
	}
	cfg := r.config()
	if got, want := subjects(cfg), "begin, released, two, unfinished"; got != want {
		t.Errorf("all branches and tags: got %s, want %s", got, want)
	}
	cfg.DefaultBranchOnly = true
	if got, want := subjects(cfg), "begin, released, two"; got != want {
		t.Errorf("default branch and releases: got %s, want %s", got, want)
	}
	cfg.DeployOn = "feature"
	if got, want := subjects(cfg), "begin, two, unfinished"; got != want {
		t.Errorf("default branch and deployed branch: got %s, want %s", got, want)
	}
}
