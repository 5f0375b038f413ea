package git_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/git"
	"cairn/internal/event"
)

func TestCommitIsToldWithAllThatItSays(t *testing.T) {
	r := newRepo(t)
	first := r.commit(spec{from: "-", author: "Ann Example <Ann@Example.ORG>", at: 60, landed: 3600, message: "Add the shop\nfor everybody\n\nBody.\n",
		files: map[string]string{"shop/main.go": "1", "README": "1"}})
	second := r.commit(spec{at: 7200, message: "Rename\n", files: map[string]string{"README": "", "docs/README": "1"}})

	got := collect(t, r.config(), "").commits(t)
	want := map[string]*event.Commit{
		first: {
			Telling: event.Telling{Source: "git:shop", UpdatedAt: at(3600)}, Repository: "shop", SHA: first, Parents: []string{},
			Author: "ann@example.org", AuthoredAt: at(60), CommittedAt: at(3600), Paths: []string{"README", "shop/main.go"},
			Subject: "Add the shop for everybody",
		},
		second: {
			Telling: event.Telling{Source: "git:shop", UpdatedAt: at(7200)}, Repository: "shop", SHA: second, Parents: []string{first},
			Author: "a@x.org", AuthoredAt: at(7200), CommittedAt: at(7200), Paths: []string{"README", "docs/README"}, // a move touches both places
			Subject: "Rename",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
}

func TestMergesOfEveryShape(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	h.commit(root("main"))
	side := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		side[name] = h.commit(spec{branch: name, from: ":1", message: name, files: map[string]string{name + "/x": name}})
	}
	octopus := h.commit(spec{message: "octopus", merge: []string{side["a"], side["b"], side["c"]}, files: map[string]string{"a/x": "a", "b/x": "b", "c/x": "c"}})
	// Criss-cross: two branches that merge each other's earlier head.
	p := h.commit(spec{branch: "p", from: octopus, message: "p1", files: map[string]string{"p": "1"}})
	q := h.commit(spec{branch: "q", from: octopus, message: "q1", files: map[string]string{"q": "1"}})
	p2 := h.commit(spec{branch: "p", message: "p2", merge: []string{q}, files: map[string]string{"q": "1"}})
	q2 := h.commit(spec{branch: "q", message: "q2", merge: []string{p}, files: map[string]string{"p": "1"}})
	h.commit(spec{message: "both", from: p2, merge: []string{q2}})
	// A second root, merged in.
	other := h.commit(spec{branch: "other", from: "-", message: "other root", files: map[string]string{"other/y": "1"}})
	h.commit(spec{message: "take other", merge: []string{other}, files: map[string]string{"other/y": "1"}})
	shas := r.load(h)

	name := map[string]string{}
	got := map[string]string{}
	commits := collect(t, r.config(), "").commits(t)
	for _, sha := range shas {
		name[sha] = commits[sha].Subject
	}
	for _, sha := range shas {
		c := commits[sha]
		var parents []string
		for _, p := range c.Parents {
			parents = append(parents, name[p])
		}
		paths := "unknown"
		if c.Paths != nil {
			paths = strings.Join(c.Paths, " ")
		}
		got[c.Subject] = strings.Join(parents, "+") + ": " + paths
	}
	want := map[string]string{
		"begin":      ": README",
		"a":          "begin: a/x",
		"b":          "begin: b/x",
		"c":          "begin: c/x",
		"octopus":    "begin+a+b+c: unknown",
		"p1":         "octopus: p",
		"q1":         "octopus: q",
		"p2":         "p1+q1: unknown",
		"q2":         "q1+p1: unknown",
		"both":       "p2+q2: unknown",
		"other root": ": other/y",
		"take other": "both+other root: unknown",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
}

func TestCommitWithoutFilesHasKnownPaths(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	empty := r.commit(spec{message: "nothing touched"})
	if c := collect(t, r.config(), "").commits(t)[empty]; c.Paths == nil || len(c.Paths) != 0 {
		t.Errorf("paths are %#v, want an empty list: it is known that there are none", c.Paths)
	}
}

func TestStrangeCommitsDoNotConfuse(t *testing.T) {
	r := newRepo(t)
	tree := run(t, "", "-C", r.dir, "mktree", "--missing")
	for _, tc := range []struct {
		name    string
		content string // of the commit, after its tree
		want    event.Commit
	}{
		{"no message", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\n",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0)}},
		{"a message of blank lines", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\n\n \n\n",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0)}},
		{"no e-mail", "author Ann Example <> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{Author: "Ann Example", AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"no author at all", "author <> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"an author line that git cannot read", "author nobody\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"authored before 1970", "author A <a@x.org> -86400 +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"authored in the year 5138", "author A <a@x.org> 99999999999 +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"authored beyond what fits", "author A <a@x.org> 99999999999999999999999999 +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"committed in the year 5138", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> 99999999999 +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "x"}},
		{"neither date can be", "author A <a@x.org> -5 +0000\ncommitter C <c@x.org> 99999999999 +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: time.Unix(0, 0).UTC(), CommittedAt: time.Date(2106, 12, 31, 23, 59, 59, 0, time.UTC), Subject: "x"}},
		{"exactly 1970", "author A <a@x.org> 0 +0000\ncommitter C <c@x.org> %[1]d +0000\n\nx",
			event.Commit{Author: "a@x.org", AuthoredAt: time.Unix(0, 0).UTC(), CommittedAt: at(0), Subject: "x"}},
		{"a NUL in the message", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\nbefore\x00after\x00\x00\n",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "before"}},
		{"a message in Latin-1", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\nencoding ISO-8859-1\n\nGr\xfc\xdfe",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "Grüße"}},
		{"bytes that are no text", "author A <\xffa@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\n\xfe\xfe",
			event.Commit{Author: "\uFFFDa@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "\uFFFD"}},
		{"a message like a record", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\n\ncommit 0123456789012345678901234567890123456789\n\npath\n",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "commit 0123456789012345678901234567890123456789"}},
		{"a signature", "author A <a@x.org> %[1]d +0000\ncommitter C <c@x.org> %[1]d +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----\n\nsigned",
			event.Commit{Author: "a@x.org", AuthoredAt: at(0), CommittedAt: at(0), Subject: "signed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			content := tc.content
			if strings.Contains(content, "%[1]d") {
				content = fmt.Sprintf(content, day0)
			}
			sha := r.object("commit", "tree "+tree+"\n"+content)
			r.git("update-ref", "refs/heads/main", sha)
			want := tc.want
			want.Repository, want.SHA, want.Parents, want.Paths = "shop", sha, []string{}, []string{}
			want.Telling = event.Telling{Source: "git:shop", UpdatedAt: want.CommittedAt}
			if diff := cmp.Diff(&want, collect(t, r.config(), "").commits(t)[sha]); diff != "" {
				t.Errorf("commit (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImpossibleDatesAreCounted(t *testing.T) {
	r := newRepo(t)
	tree := run(t, "", "-C", r.dir, "mktree")
	sha := r.object("commit", "tree "+tree+"\nauthor A <a@x.org> -5 +0000\ncommitter C <c@x.org> 1767225600 +0000\n\nx")
	r.git("update-ref", "refs/heads/main", sha)
	got := collect(t, r.config(), "").report
	if got.Undated != 1 {
		t.Errorf("%d commits with impossible dates reported, want 1", got.Undated)
	}
}

func TestPathsOfEveryKind(t *testing.T) {
	r := newRepo(t)
	names := []string{"-dash", "a b", "new\nline", "\nfirst", "tab\there", "Grüße", "quote\"d", "back\\slash", "deep/er/path"}
	// fast-import quotes; the raw tree takes names as they are.
	var entries strings.Builder
	blob := run(t, "x", "-C", r.dir, "hash-object", "-w", "--stdin")
	for _, name := range names[:len(names)-1] {
		fmt.Fprintf(&entries, "100644 blob %s\t%s\x00", blob, name)
	}
	sub := run(t, fmt.Sprintf("100644 blob %s\tpath\x00", blob), "-C", r.dir, "mktree", "-z")
	sub = run(t, fmt.Sprintf("040000 tree %s\ter\x00", sub), "-C", r.dir, "mktree", "-z")
	fmt.Fprintf(&entries, "040000 tree %s\tdeep\x00", sub)
	fmt.Fprintf(&entries, "100644 blob %s\tlatin\xe9\x00", blob)
	fmt.Fprintf(&entries, "160000 commit %s\tmodule\x00", strings.Repeat("1", 40)) // a submodule
	tree := run(t, entries.String(), "-C", r.dir, "mktree", "-z", "--missing")
	sha := r.git("commit-tree", "-m", "x", tree)
	r.git("update-ref", "refs/heads/main", sha)

	got := slices.Clone(collect(t, r.config(), "").commits(t)[sha].Paths)
	want := append(slices.Clone(names), "latin\uFFFD", "module")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestUsersConfigurationChangesNothing(t *testing.T) {
	r := newRepo(t)
	first := r.commit(spec{from: "-", message: "one", at: 1, files: map[string]string{
		"a": strings.Repeat("content\n", 50), "z/ü": "1", ".mailmap": "Other <other@x.org> <a@x.org>"}})
	r.commit(spec{message: "moved", at: 2, files: map[string]string{"a": "", "b": strings.Repeat("content\n", 50)}})
	side := r.commit(spec{branch: "side", from: first, message: "side", at: 2, files: map[string]string{"side": "1"}})
	r.commit(spec{message: "merge", at: 3, merge: []string{side}, files: map[string]string{"side": "2", "a": "3"}})
	modules := fmt.Sprintf("100644 blob %s\t.gitmodules\n160000 commit %s\tmod\n",
		run(t, "[submodule \"mod\"]\n\tpath = mod\n\turl = ./x\n\tignore = all\n", "-C", r.dir, "hash-object", "-w", "--stdin"), strings.Repeat("1", 40))
	tree := run(t, modules, "-C", r.dir, "mktree", "--missing")
	head := r.object("commit", fmt.Sprintf("tree %s\nparent %s\nauthor A <a@x.org> %d +0000\ncommitter A <a@x.org> %d +0000\n"+
		"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----\n\nsigned, with a submodule: ü", tree, r.git("rev-parse", "main"), day0+4, day0+4))
	r.git("update-ref", "refs/heads/main", head)
	r.git("tag", "v1.0.0", "main")
	r.git("notes", "add", "-m", "a note", "main")
	gpg := filepath.Join(t.TempDir(), "gpg")
	if err := os.WriteFile(gpg, []byte("#!/bin/sh\necho gpg: it says something >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, deployOn := range []string{"tags", "main"} {
		cfg := r.config()
		cfg.DeployOn = deployOn
		want := collect(t, cfg, "").events
		settings := map[string]string{
			"diff.renames": "copies", "log.showSignature": "true", "gpg.program": gpg, "core.quotePath": "true", "log.mailmap": "true", "log.decorate": "full",
			"color.ui": "always", "color.diff": "always", "log.showRoot": "false", "diff.ignoreSubmodules": "all", "i18n.logOutputEncoding": "ISO-8859-1",
			"diff.relative": "true", "log.follow": "true", "diff.noprefix": "true", "format.pretty": "oneline", "log.diffMerges": "separate",
			"notes.displayRef": "refs/notes/*", "log.date": "relative", "core.abbrev": "4", "diff.external": "/bin/false", "diff.submodule": "log",
			"core.pager": "/bin/false", "pager.log": "true", "log.abbrevCommit": "true", "versionsort.suffix": "-x", "tag.sort": "-taggerdate",
		}
		order := filepath.Join(t.TempDir(), "order")
		if err := os.WriteFile(order, []byte("z*\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		settings["diff.orderFile"] = order
		for name, value := range settings {
			r.git("config", name, value)
		}
		if diff := cmp.Diff(want, collect(t, cfg, "").events); diff != "" {
			t.Errorf("deploy on %s: events with a configuration (-without +with):\n%s", deployOn, diff)
		}
		for name := range settings {
			r.git("config", "--unset", name)
		}
	}
}

func TestReplacedAndGraftedHistoryIsToldAsItWas(t *testing.T) {
	r := newRepo(t)
	one := r.commit(root("main"))
	two := r.commit(spec{message: "two", at: 1, files: map[string]string{"a": "1"}})
	want := collect(t, r.config(), "").events
	r.git("replace", "--graft", two)
	if diff := cmp.Diff(want, collect(t, r.config(), "").events); diff != "" {
		t.Errorf("events after git replace (-before +after):\n%s", diff)
	}
	if got := collect(t, r.config(), "").commits(t)[two].Parents; !slices.Equal(got, []string{one}) {
		t.Errorf("parents are %v, want %s", got, one)
	}
}

func TestCommitKeepsWhatItCopiesAndUndoes(t *testing.T) {
	r := newRepo(t)
	one := r.commit(root("main"))
	two := r.commit(spec{message: "two", at: 1, files: map[string]string{"a": "1"}})
	gone := strings.Repeat("ab", 20)
	for _, tc := range []struct {
		name, message, copies, reverts string
	}{
		{"a cherry-pick", "fix\n\n(cherry picked from commit " + one + ")\n", one, ""},
		{"a copy of a copy", "fix\n\n(cherry picked from commit " + one + ")\n(cherry picked from commit " + two + ")\n", two, ""},
		{"a copy of what is not here", "fix\n\n(cherry picked from commit " + gone + ")\n", gone, ""},
		{"a shortened sha", "fix\n\n(cherry picked from commit " + one[:9] + ")\n", one, ""},
		{"a shortened sha of what is not here", "fix\n\n(cherry picked from commit " + gone[:9] + ")\n", "", ""},
		{"a quotation", "fix\n\nsee (cherry picked from commit " + one + ")\n", "", ""},
		{"a revert", "Revert \"x\"\n\nThis reverts commit " + two + ".\n", "", two},
		{"a revert of a merge", "Revert \"x\"\n\nThis reverts commit " + two + ", reversing\nchanges made to " + one + ".\n", "", two},
		{"a revert by reference", "Revert \"x\"\n\nThis reverts commit " + two[:10] + " (x, 2026-01-01).\n", "", two},
		{"a revert of a revert", "Revert \"Revert \"x\"\"\n\nThis reverts commit " + two + ".\n\nThis reverts commit " + one + ".\n", "", two},
		{"a revert that was cherry-picked", "Revert\n\nThis reverts commit " + two + ".\n\n(cherry picked from commit " + one + ")\n", one, two},
		{"words", "This reverts commits of yesterday\n\nThis reverts commit xyz.\n", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.git("update-ref", "refs/heads/main", two)
			sha := r.commit(spec{message: tc.message, at: 2, files: map[string]string{"b": tc.name}})
			c := collect(t, r.config(), "").commits(t)[sha]
			if c.CherryPickedFrom != tc.copies || c.Reverts != tc.reverts {
				t.Errorf("got copy of %q, revert of %q; want %q, %q", c.CherryPickedFrom, c.Reverts, tc.copies, tc.reverts)
			}
		})
	}
}

func TestShortenedShaIsNotLookedUpAmongBranches(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	r.git("branch", "deadbeef", "main")
	sha := r.commit(spec{message: "x\n\nThis reverts commit deadbeef.\n", at: 2, files: map[string]string{"b": "1"}})
	if c := collect(t, r.config(), "").commits(t)[sha]; c.Reverts != "" {
		t.Errorf("reverts is %q, want nothing: deadbeef is a branch", c.Reverts)
	}
}

func TestBotsAreMarked(t *testing.T) {
	r := newRepo(t)
	bot := r.commit(spec{from: "-", author: "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", message: "bump", files: map[string]string{"go.mod": "1"}})
	own := r.commit(spec{author: "Deployer <deploy@corp.example>", message: "bump", at: 1, files: map[string]string{"go.mod": "2"}})
	person := r.commit(spec{author: "Ann Talbot <talbot@corp.example>", message: "x", at: 2, files: map[string]string{"go.mod": "3"}})
	cfg := r.config()
	cfg.Bots = []string{"Deployer <*>"}
	got := collect(t, cfg, "").commits(t)
	if !got[bot].Bot || !got[own].Bot || got[person].Bot {
		t.Errorf("bots: got %v, %v, %v; want true, true, false", got[bot].Bot, got[own].Bot, got[person].Bot)
	}
}

func TestRepositoryWithSHA256(t *testing.T) {
	r := newRepo(t, "--object-format=sha256")
	one := r.commit(root("main"))
	r.git("tag", "-a", "-m", "x", "v1.0.0", "main")
	first := collect(t, r.config(), "")
	if len(one) != 64 || first.commits(t)[one] == nil {
		t.Fatalf("commit %s is not told", one)
	}
	two := r.commit(spec{message: "two", at: 1, files: map[string]string{"a": "1"}})
	second := collect(t, r.config(), first.position)
	if got := second.commits(t); len(got) != 1 || got[two] == nil {
		t.Errorf("second run told %d commits, want the new one", len(got))
	}
}

func TestWorktreeAndItsGitFolderAreTheSameRepository(t *testing.T) {
	dir := t.TempDir() + "/shop"
	run(t, "", "init", "--quiet", "--initial-branch=main", dir)
	run(t, "", "-C", dir, "commit", "--quiet", "--allow-empty", "-m", "x")
	cfg := git.DefaultConfig()
	cfg.Service, cfg.Location = "shop", dir
	want := collect(t, cfg, "").events
	cfg.Location = dir + "/.git"
	if diff := cmp.Diff(want, collect(t, cfg, "").events); diff != "" {
		t.Errorf("events (-worktree +.git):\n%s", diff)
	}
}
