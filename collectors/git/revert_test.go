package git_test

import (
	"fmt"
	"testing"
)

// A revert that names a change request undoes the newest commit before it that brought that one.
func TestARevertByTheForgesButtonFindsWhatItUndoes(t *testing.T) {
	r := newRepo(t)
	h := newHistory()
	base := h.commit(root("main"))
	named := map[string]string{} // of a commit to its mark
	add := func(name, message string) {
		named[name] = h.commit(spec{message: message, at: int64(len(named) + 1), files: map[string]string{"a": name}})
	}
	add("squash", "Fast carts (#12)\n\n* first\n* second\n")
	add("another", "Faster carts (#123)\n")
	add("quotes", "Notes\n\nSince last week: Fast carts (#12)\nMerge pull request #12 from x\n")
	add("first of two", "Slow carts (#7)\n")
	add("second of two", "Slow carts, again (#7)\n")
	add("sha", "Undo (#20)\n")
	named["side"] = h.commit(spec{branch: "cart", from: base, message: "Cart\n", at: 20, files: map[string]string{"b": "1"}})
	named["merge"] = h.commit(spec{merge: []string{named["side"]}, message: "Merge pull request #13 from acme/cart\n\nCart\n", at: 21})
	named["gitlab"] = h.commit(spec{merge: []string{named["side"]}, message: "Merge branch 'cart' into 'main'\n\nCart\n\nCloses #4\n\nSee merge request acme/pay/shop!12\n", at: 22})
	named["gitlab, another"] = h.commit(spec{merge: []string{named["side"]}, message: "Merge\n\nSee merge request acme/shop!123\n", at: 23})
	add("gitlab, quoted", "Notes\n\nSee merge request acme/shop!12 for more\nand see merge request acme/shop!12\nSee merge request of yesterday, acme/shop!12\n")
	shas := r.load(h)
	sha := map[string]string{"": ""}
	for name, mark := range named {
		var n int
		if _, err := fmt.Sscanf(mark, ":%d", &n); err != nil {
			t.Fatal(err)
		}
		sha[name] = shas[n-1]
	}
	head := r.git("rev-parse", "main")
	for _, tc := range []struct{ name, message, undoes string }{
		{"a squash", "Revert \"Fast carts (#12)\" (#15)\n\nReverts acme/shop#12\n", "squash"},
		{"without the repository", "Revert \"Fast carts\" (#15)\n\nReverts #12\n", "squash"},
		{"under an earlier name of the repository", "Revert\n\nReverts old.acme/the-shop#12\r\n", "squash"},
		{"the newest of several", "Revert\n\nReverts acme/shop#7\n", "second of two"},
		{"a merge", "Revert \"Cart\" (#16)\n\nReverts acme/shop#13\n", "merge"},
		{"a merge request", "Revert \"Merge branch 'cart' into 'main'\"\n\nThis reverts merge request !12\n", "gitlab"},
		{"of a named project", "Revert\n\nThis reverts merge request acme/pay/shop!12.\n", "gitlab"},
		{"a sha before a number", "Revert\n\nReverts acme/shop#12\n\nThis reverts commit " + sha["sha"] + ".\n", "sha"},
		{"a number where the sha is not known", "Revert\n\nReverts acme/shop#12\n\nThis reverts commit abababa.\n", "squash"},
		{"the first of several numbers", "Revert\n\nReverts acme/shop#12\nReverts acme/shop#7\n", "squash"},
		{"a request that is not here", "Revert\n\nReverts acme/shop#99\n", ""},
		{"a request of the other forge's", "Revert\n\nThis reverts merge request !7\n", ""},
		{"itself", "Revert (#30)\n\nReverts acme/shop#30\n", ""},
		{"words", "Carts\n\nIt reverts acme/shop#12, and Reverts acme/shop#12 too\nReverts acme/shop#12 in part\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.git("update-ref", "refs/heads/main", head)
			revert := r.commit(spec{message: tc.message, at: 60, files: map[string]string{"c": tc.name}})
			// What comes later is not undone.
			r.commit(spec{message: "Later (#12)\n", at: 61, files: map[string]string{"c": "later"}})
			r.commit(spec{message: "Later (#7)\n\nSee merge request acme/shop!12\n", at: 62, files: map[string]string{"c": "latest"}})
			got := collect(t, r.config(), "").commits(t)
			if got[revert].Reverts != sha[tc.undoes] {
				t.Errorf("reverts %.8s, want %s (%.8s)", got[revert].Reverts, tc.undoes, sha[tc.undoes])
			}
		})
	}
}

// What a revert undoes is found in history that was told by an earlier run.
func TestARevertFindsWhatWasToldEarlier(t *testing.T) {
	r := newRepo(t)
	r.commit(root("main"))
	squash := r.commit(spec{message: "Carts (#12)\n", at: 1, files: map[string]string{"a": "1"}})
	first := collect(t, r.config(), "")
	revert := r.commit(spec{message: "Revert \"Carts (#12)\" (#13)\n\nReverts acme/shop#12\n", at: 2, files: map[string]string{"a": ""}})
	again := r.commit(spec{message: "Revert \"Revert \"Carts (#12)\"\" (#14)\n\nReverts acme/shop#13\n", at: 3, files: map[string]string{"a": "1"}})
	got := collect(t, r.config(), first.position).commits(t)
	if len(got) != 2 || got[revert].Reverts != squash || got[again].Reverts != revert {
		t.Errorf("got %d commits that revert %q and %q; want %s and %s", len(got), got[revert].Reverts, got[again].Reverts, squash, revert)
	}
}

// The first commit of a history undoes nothing, whatever other histories of the repository hold.
func TestAFirstCommitUndoesNothing(t *testing.T) {
	r := newRepo(t)
	r.commit(spec{from: "-", message: "Carts (#12)\n", files: map[string]string{"a": "1"}})
	sha := r.commit(spec{branch: "other", from: "-", message: "Revert\n\nReverts acme/shop#12\n", at: 1, files: map[string]string{"a": "1"}})
	if got := collect(t, r.config(), "").commits(t)[sha]; got.Reverts != "" {
		t.Errorf("reverts %q", got.Reverts)
	}
}
