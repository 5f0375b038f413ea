package git_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/collectors/git"
	"cairn/internal/event"
)

// known is what a store holds after tellings, in whatever order: of each fact the telling with the highest version.
func known(runs ...told) map[string]event.Event {
	m := map[string]event.Event{}
	for _, run := range runs {
		for _, e := range run.events {
			key := e.Kind() + " "
			switch e := e.(type) {
			case *event.Repository:
				key += e.ID
			case *event.Branch:
				key += e.Name
			case *event.Commit:
				key += e.SHA
			case *event.Service:
				key += e.ID
			case *event.Deployment:
				key += e.Service + " " + e.ID
			}
			if m[key] == nil || event.Version(m[key]) < event.Version(e) {
				m[key] = e
			}
		}
	}
	return m
}

// content leaves out when the facts were told: a correction is told later than the same fact in a first run.
func content(m map[string]event.Event) map[string]string {
	lines := map[string]string{}
	for key, e := range m {
		text := string(event.AppendJSON(nil, e))
		lines[key] = text[:strings.Index(text, `,"updated_at"`)]
	}
	return lines
}

func TestSecondRunTellsOnlyWhatIsNew(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	r.git("tag", "v1.0.0", "main")
	cfg := r.config()
	first := collect(t, cfg, "")
	second := collect(t, cfg, first.position)
	if len(second.events) != 0 || second.position != first.position {
		t.Errorf("a run without news told %d events, position moved: %v", len(second.events), second.position != first.position)
	}
	sha := r.commit(spec{at: 60, message: "two", files: map[string]string{"a": "1"}})
	r.git("tag", "v1.0.1", "main")
	third := collect(t, cfg, second.position)
	var got []string
	for _, e := range third.events {
		got = append(got, e.Kind())
	}
	if want := []string{"commit", "branch", "deployment"}; !slices.Equal(got, want) || third.commits(t)[sha] == nil {
		t.Errorf("third run told %v, want %v", got, want)
	}
}

func TestFullRunTellsTheSameAgain(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	r.git("tag", "v1.0.0", "main")
	r.git("tag", "v1.1.0", "main")
	cfg := r.config()
	cfg.Register = true
	first := collect(t, cfg, "")
	r.git("tag", "-f", "-a", "-m", "moved", "v1.1.0", "main")
	second := collect(t, cfg, first.position)
	cfg.Full = true
	full := collect(t, cfg, second.position)
	if got, want := len(full.events), len(first.events); got != want {
		t.Errorf("%d events, want all %d", got, want)
	}
	if diff := cmp.Diff(content(known(first, second)), content(known(first, second, full))); diff != "" {
		t.Errorf("a full run changed what is known (-before +after):\n%s", diff)
	}
	cfg.Full = false
	if again := collect(t, cfg, full.position); len(again.events) != 0 {
		t.Errorf("after a full run %d events are new", len(again.events))
	}
}

func TestMovedTagIsALaterTellingOfTheSameDeployment(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	h.commit(spec{at: 60, message: "two", files: map[string]string{"a": "1"}})
	h.commit(spec{at: 120, message: "three", files: map[string]string{"a": "2"}})
	shas := r.load(h)
	cfg := r.config()
	runs := []told{}
	position := ""
	move := func(sha string) {
		if sha == "" {
			r.git("tag", "-d", "v1.0.0")
		} else {
			r.git("tag", "-f", "v1.0.0", sha)
		}
		got := collect(t, cfg, position)
		runs, position = append(runs, got), got.position
	}
	for _, step := range []struct{ to, want string }{
		{shas[2], shas[2]},
		{shas[0], shas[0]}, // back to an older commit: its date lies before the first telling's
		{shas[2], shas[2]}, // and to where it was
		{"", shas[2]},      // deleted: the deployment took place
		{shas[1], shas[1]}, // used again
	} {
		move(step.to)
		d := known(runs...)["deployment shop v1.0.0"].(*event.Deployment)
		if got := d.Revisions[0].SHA; got != step.want {
			t.Errorf("tag moved to %.6s: the deployment is of %.6s, want %.6s", step.to, got, step.want)
		}
	}
	for _, d := range of[*event.Deployment](runs[1]) {
		if !d.FinishedAt.Equal(at(0)) {
			t.Errorf("a moved tag deploys at %v, want the commit's date", d.FinishedAt)
		}
	}
}

func TestChangedSettingsCorrectWhatWasTold(t *testing.T) {
	for _, deployOn := range []string{"tags", "main"} {
		r := newRepo(t)
		r.commit(root("main"))
		r.commit(spec{at: 60, message: "two", files: map[string]string{"a": "1"}})
		r.git("tag", "v1.0.0", "main~1")
		r.git("tag", "v1.1.0", "main")
		cfg := r.config()
		cfg.DeployOn = deployOn
		first := collect(t, cfg, "")
		cfg.Environment = "prod-eu"
		second := collect(t, cfg, first.position)
		for key, e := range known(first, second) {
			if d, ok := e.(*event.Deployment); ok && d.Environment != "prod-eu" {
				t.Errorf("deploy on %s: %s is in %s, want it in prod-eu", deployOn, key, d.Environment)
			}
		}
		if n := len(second.commits(t)); n != 0 {
			t.Errorf("deploy on %s: %d commits are told again", deployOn, n)
		}
		if again := collect(t, cfg, second.position); len(again.events) != 0 {
			t.Errorf("deploy on %s: the third run told %d events", deployOn, len(again.events))
		}
	}
}

func TestServicesOfOneRepositoryShareItsCommits(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	for _, tag := range []string{"shop/v1.0.0", "cart/v1.0.0", "cart/v1.1.0"} {
		r.git("tag", tag, "main")
	}
	cfg := r.config()
	shop := collect(t, cfg, "")
	cfg.Service = "cart"
	cart := collect(t, cfg, shop.position)
	if got, want := strings.Join(ids(cart), " "), "cart/v1.0.0 cart/v1.1.0"; got != want || len(cart.commits(t)) != 0 {
		t.Errorf("the second service told deployments %q and %d commits, want %q and none", got, len(cart.commits(t)), want)
	}
	for _, service := range []string{"shop", "cart"} {
		cfg.Service = service
		if again := collect(t, cfg, cart.position); len(again.events) != 0 {
			t.Errorf("%s told %d events again", service, len(again.events))
		}
	}
}

func ids(g told) []string {
	var list []string
	for _, d := range of[*event.Deployment](g) {
		list = append(list, d.ID)
	}
	return sorted(list)
}

func TestForcePushedHistory(t *testing.T) {
	for _, thrownAway := range []bool{false, true} {
		for _, deployOn := range []string{"tags", "main"} {
			r := newRepo(t)
			first := r.commit(root("main"))
			r.commit(spec{at: 60, message: "old two", files: map[string]string{"a": "1"}})
			old := r.commit(spec{at: 120, message: "old three", files: map[string]string{"a": "2"}})
			cfg := r.config()
			cfg.DeployOn = deployOn
			before := collect(t, cfg, "")

			r.git("update-ref", "refs/heads/main", first)
			fresh := r.commit(spec{at: 90, message: "new two", files: map[string]string{"a": "3"}})
			if thrownAway {
				r.git("-c", "gc.reflogExpire=now", "gc", "--quiet", "--prune=now")
				if _, err := tryRun(r.dir, "cat-file", "-e", old); err == nil {
					t.Fatal("the old head is still there")
				}
			}
			after := collect(t, cfg, before.position)
			if after.commits(t)[fresh] == nil {
				t.Errorf("thrown away %v: the new head is not told", thrownAway)
			}
			if !thrownAway && len(after.commits(t)) != 1 {
				t.Errorf("%d commits are told, want the new one", len(after.commits(t)))
			}
			branch := known(before, after)["branch main"].(*event.Branch)
			if branch.SHA != fresh {
				t.Errorf("main is at %.6s, want the new head although it is dated before the old one", branch.SHA)
			}
			if deployOn == "main" && !slices.Contains(ids(after), fresh) {
				t.Errorf("thrown away %v: the new head is not deployed", thrownAway)
			}
			again := collect(t, cfg, after.position)
			if len(again.events) != 0 {
				t.Errorf("thrown away %v: a third run told %d events", thrownAway, len(again.events))
			}
			inSteps := content(known(before, after))
			for key, line := range content(known(collect(t, cfg, ""))) {
				if inSteps[key] != line {
					t.Errorf("%s\nin steps: %s\nat once:  %s", key, inSteps[key], line)
				}
			}
		}
	}
}

func TestBranchThatIsMovedBackAndForth(t *testing.T) {
	r := newRepo(t)
	first := r.commit(root("main"))
	second := r.commit(spec{at: 60, message: "two", files: map[string]string{"a": "1"}})
	cfg := r.config()
	cfg.DeployOn = "main"
	runs, position := []told{}, ""
	for _, head := range []string{second, first, second, first} {
		r.git("update-ref", "refs/heads/main", head)
		got := collect(t, cfg, position)
		runs, position = append(runs, got), got.position
		if b := known(runs...)["branch main"].(*event.Branch); b.SHA != head {
			t.Errorf("main is known at %.6s, want %.6s", b.SHA, head)
		}
	}
	if n := len(ids(told{events: slices.Collect(maps.Values(known(runs...)))})); n != 2 {
		t.Errorf("%d deployments are known, want 2", n)
	}
}

func TestDeployedBranchThatIsSetToAMergedCommit(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	side := h.commit(spec{branch: "side", from: ":1", at: 60, message: "side", files: map[string]string{"s": "1"}})
	h.commit(spec{at: 120, merge: []string{side}, message: "merge", files: map[string]string{"s": "1"}})
	shas := r.load(h)
	cfg := r.config()
	cfg.DeployOn = "main"
	first := collect(t, cfg, "")
	r.git("update-ref", "refs/heads/main", shas[1])
	second := collect(t, cfg, first.position)
	if !slices.Contains(ids(second), shas[1]) || slices.Contains(ids(first), shas[1]) {
		t.Errorf("deployments are %v, then %v; want %s in the second run only", ids(first), ids(second), shas[1])
	}
}

func TestDefaultBranchThatIsRenamed(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	cfg := r.config()
	runs, position := []told{}, ""
	for _, name := range []string{"main", "trunk", "main", "develop"} {
		if name != "main" {
			r.git("update-ref", "refs/heads/"+name, "main")
		}
		r.git("symbolic-ref", "HEAD", "refs/heads/"+name)
		got := collect(t, cfg, position)
		runs, position = append(runs, got), got.position
		for key, e := range known(runs...) {
			if b, ok := e.(*event.Branch); ok && b.Default != (b.Name == name) {
				t.Errorf("after %s became the default: %s has default %v", name, key, b.Default)
			}
		}
		if f := known(runs...)["repository shop"].(*event.Repository); f.DefaultBranch != name {
			t.Errorf("the repository's default branch is %s, want %s", f.DefaultBranch, name)
		}
	}
}

func TestTipsInThePositionStayFew(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	for i := range 500 {
		h.commit(spec{at: int64(i), message: "x", files: map[string]string{"a": fmt.Sprint(i)}})
		fmt.Fprintf(h, "reset refs/tags/v0.%d.0\nfrom :%d\n\n", i, h.commits)
		fmt.Fprintf(h, "reset refs/heads/b%d\nfrom :%d\n\n", i, h.commits)
	}
	r.load(h)
	cfg := r.config()
	cfg.DeployOn = git.DeployOnNone
	if position := collect(t, cfg, "").position; len(position) > 400 {
		t.Errorf("the position takes %d bytes: refs that are ancestors of others are kept", len(position))
	}
	cfg.DeployOn = git.DeployOnTags
	if position := collect(t, cfg, "").position; len(position) > 500*25 {
		t.Errorf("the position takes %d bytes, want at most 25 a release", len(position))
	}
}

// fewerChecks lowers the number of cases that rapid draws in a test whose cases start dozens of programs, unless the
// command line asks for another number than the usual one.
func fewerChecks(t *testing.T, n string) {
	checks := flag.Lookup("rapid.checks")
	if checks == nil || checks.Value.String() != checks.DefValue {
		return
	}
	usual := checks.Value.String()
	t.Cleanup(func() { _ = checks.Value.Set(usual) })
	if err := checks.Value.Set(n); err != nil {
		t.Fatal(err)
	}
}

// TestIncrementalRunsAddUpToAFullRun draws a history that grows, with collections at any point in between.
func TestIncrementalRunsAddUpToAFullRun(t *testing.T) {
	fewerChecks(t, "30")
	rapid.Check(t, func(rt *rapid.T) {
		r := newRepo(t)
		r.t = t
		seed := rapid.Uint64().Draw(rt, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		cfg := r.config()
		cfg.DeployOn = rapid.SampledFrom([]string{"tags", "none", "main"}).Draw(rt, "deploy on")
		rewriting := rapid.Bool().Draw(rt, "rewriting")
		skewed := rapid.Bool().Draw(rt, "skewed clocks")
		r.commit(root("main"))

		now, tags := int64(0), 0
		var runs []told
		position := ""
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			h := newHistory()
			var branches []string
			for line := range strings.Lines(r.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")) {
				ref, sha, _ := strings.Cut(strings.TrimSpace(line), " ")
				h.heads[ref] = sha
				branches = append(branches, strings.TrimPrefix(ref, "refs/heads/"))
			}
			for range rapid.IntRange(0, 8).Draw(rt, "commits") {
				now += random.Int64N(5000)
				s := spec{at: now, branch: branches[random.IntN(len(branches))], message: fmt.Sprint("change ", now)}
				if skewed {
					s.at, s.landed = max(1, now-random.Int64N(1_000_000)), max(1, now-random.Int64N(1_000_000))
				}
				s.files = map[string]string{fmt.Sprintf("d%d/f%d", random.IntN(3), random.IntN(3)): fmt.Sprint(random.Int64())}
				switch random.IntN(6) {
				case 0: // a new branch
					if name := fmt.Sprintf("b%d", random.IntN(6)); !slices.Contains(branches, name) {
						s.branch, s.from = name, h.heads["refs/heads/"+s.branch]
						branches = append(branches, name)
					}
				case 1, 2: // a merge, of up to three
					for range 1 + random.IntN(3) {
						other := h.heads["refs/heads/"+branches[random.IntN(len(branches))]]
						if other != "" && other != h.heads["refs/heads/"+s.branch] && !slices.Contains(s.merge, other) {
							s.merge = append(s.merge, other)
						}
					}
				case 3:
					if rewriting { // a branch is set back to where another one is
						s.from = h.heads["refs/heads/"+branches[random.IntN(len(branches))]]
					}
				}
				h.commit(s)
				if random.IntN(3) == 0 {
					tags++
					fmt.Fprintf(h, "reset refs/tags/v0.%d.0\nfrom :%d\n\n", tags, h.commits)
				}
			}
			r.load(h)
			if rewriting && len(branches) > 1 && random.IntN(3) == 0 {
				if b := branches[random.IntN(len(branches))]; b != "main" {
					r.git("update-ref", "-d", "refs/heads/"+b)
				}
			}
			if rewriting && random.IntN(3) == 0 {
				r.git("-c", "gc.reflogExpire=now", "gc", "--quiet", "--prune=now")
			}
			got := collect(t, cfg, position)
			runs, position = append(runs, got), got.position
		}

		full := collect(t, cfg, "")
		all := content(known(full))
		union := content(known(runs...))
		for key, line := range all {
			if union[key] != line {
				rt.Fatalf("%s\nin steps: %s\nat once:  %s", key, union[key], line)
			}
		}
		reachable := strings.Fields(r.git("rev-list", "--all"))
		if got := len(full.commits(t)); got != len(reachable) {
			rt.Fatalf("a full run told %d commits, git counts %d", got, len(reachable))
		}
		if !rewriting && cfg.DeployOn != "main" && len(union) != len(all) {
			rt.Fatalf("in steps %d facts, at once %d", len(union), len(all))
		}
		seen := map[string]bool{}
		for _, run := range runs {
			for _, c := range of[*event.Commit](run) {
				if seen[c.SHA] && !rewriting && !skewed {
					rt.Fatalf("commit %s is told twice", c.SHA)
				}
				seen[c.SHA] = true
			}
		}
		if again := collect(t, cfg, position); len(again.events) != 0 {
			rt.Fatalf("a run without news told %d events", len(again.events))
		}
	})
}

func TestSpoiltPositionIsRefusedWithAWayOut(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	good := collect(t, r.config(), "").position
	for _, tc := range []struct{ name, position, want string }{
		{"no JSON", "{", "--full"},
		{"of a later version", strings.Replace(good, `"v":1`, `"v":2`, 1), "version 2"},
		{"of another repository", strings.Replace(good, `"repository":"shop"`, `"repository":"cart"`, 1), "belongs to repository cart"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := git.New(r.config(), tc.position, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
			cfg := r.config()
			cfg.Full = true
			if got := collect(t, cfg, tc.position); len(got.commits(t)) != 1 {
				t.Errorf("a full run told %d commits, want 1", len(got.commits(t)))
			}
		})
	}
	t.Run("parts that cannot be read", func(t *testing.T) {
		spoilt := strings.Replace(good, `"tips":"`, `"tips":"!`, 1)
		if got := collect(t, r.config(), spoilt); len(got.commits(t)) != 1 {
			t.Errorf("%d commits are told, want all", len(got.commits(t)))
		}
	})
}

func TestHistoryThatMovesDuringARunIsToldByTheNextOne(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	source, err := git.New(r.config(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	late := ""
	for _, err := range source.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if late == "" {
			late = r.commit(spec{at: 60, message: "pushed meanwhile", files: map[string]string{"a": "1"}})
		}
	}
	second := collect(t, r.config(), source.Position())
	if second.commits(t)[late] == nil {
		t.Errorf("the commit that was pushed during the first run is lost")
	}
}

func TestPositionStaysUntilEverythingIsTold(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	r.git("tag", "v1.0.0", "main")
	source, err := git.New(r.config(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range source.Events(t.Context()) {
		if got := source.Position(); got != "" {
			t.Fatalf("position is %q in the middle of a run", got)
		}
	}
	if source.Position() == "" {
		t.Errorf("the position did not move at the end")
	}
	stopped := source.Position()
	for range source.Events(t.Context()) {
		break // a consumer that stops early
	}
	if source.Position() != stopped {
		t.Errorf("the position moved in a run that was broken off")
	}
}
