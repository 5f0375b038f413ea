package reference

import (
	"slices"
	"strings"
	"time"

	"cairn/internal/conformance"
)

// ancestors is the set of known commits reachable from the sha, itself included; empty for an unknown sha.
func (h *history) ancestors(at key) map[string]bool {
	seen := map[string]bool{}
	waiting := []string{at.sha}
	for len(waiting) > 0 {
		sha := waiting[0]
		waiting = waiting[1:]
		commit, exists := h.commits[key{at.repo, sha}]
		if !exists || seen[sha] {
			continue
		}
		seen[sha] = true
		waiting = append(waiting, commit.Parents...)
	}
	return seen
}

// touches says whether the commit is one of the service's in that repository: whole, listed by path prefix on
// segments, or not listed at all, which means no filter (§1, §14).
func touches(s conformance.Service, c conformance.Commit) bool {
	listed := false
	for _, r := range s.Repos {
		if r.Repo != c.Repo {
			continue
		}
		listed = true
		if r.Paths == nil {
			return true
		}
		for _, prefix := range r.Paths {
			prefix = strings.TrimSuffix(prefix, "/")
			for _, path := range c.Paths {
				if path == prefix || strings.HasPrefix(path, prefix+"/") {
					return true
				}
			}
		}
	}
	return !listed
}

func filtered(s conformance.Service, repo string) bool {
	for _, r := range s.Repos {
		if r.Repo == repo && r.Paths != nil {
			return true
		}
	}
	return false
}

// copies is the set of shas that are copies of one another through cherry-pick trailers, in either direction and
// transitively, the given one included (§1).
func (h *history) copies(of key) []string {
	set := []string{of.sha}
	for i := 0; i < len(set); i++ {
		for _, c := range h.Events.Commits {
			if c.Repo != of.repo || c.CherryPickedFrom == "" {
				continue
			}
			for _, pair := range [][2]string{{c.SHA, c.CherryPickedFrom}, {c.CherryPickedFrom, c.SHA}} {
				if pair[0] == set[i] && !slices.Contains(set, pair[1]) {
					set = append(set, pair[1])
				}
			}
		}
	}
	slices.Sort(set)
	return set
}

// group names the commit and its copies.
func (h *history) group(of key) key { return key{of.repo, h.copies(of)[0]} }

// pullOf is the merged pull request that the commit belongs to: the one it landed by, then the one merged first
// (§14); nil for none.
func (h *history) pullOf(commit key) *conformance.PullRequest {
	for _, shas := range []func(conformance.PullRequest) []string{landed, originals} {
		for i, p := range h.pulls { // merged first, first
			if p.Repo == commit.repo && slices.Contains(shas(p), commit.sha) {
				return &h.pulls[i]
			}
		}
	}
	return nil
}

func landed(p conformance.PullRequest) []string    { return p.Landed }
func originals(p conformance.PullRequest) []string { return p.Commits }

// change is a merged pull request, or a single commit with its copies (§1).
type change struct {
	id   string // "pull/ID" or "commit/SHA"
	repo string
	pull *conformance.PullRequest // nil for a single commit
}

// changeOf is the change that the commit is part of. Reading: a commit in no pull request is part of the pull request
// of one of its copies, of several the one merged first, those by which a copy landed before the others.
func (h *history) changeOf(commit key) change {
	if p := h.pullOf(commit); p != nil {
		return change{"pull/" + p.ID, p.Repo, p}
	}
	for _, shas := range []func(conformance.PullRequest) []string{landed, originals} {
		for i, p := range h.pulls {
			for _, sha := range h.copies(commit) {
				if p.Repo == commit.repo && slices.Contains(shas(p), sha) && h.pullOf(key{commit.repo, sha}) == &h.pulls[i] {
					return change{"pull/" + p.ID, p.Repo, &h.pulls[i]}
				}
			}
		}
	}
	return change{"commit/" + h.group(commit).sha, commit.repo, nil}
}

// changesWith lists the changes that have the commit or one of its copies.
func (h *history) changesWith(commit key) []change {
	changes := []change{h.changeOf(commit)}
	for _, sha := range h.copies(commit) {
		changes = append(changes, h.changeOf(key{commit.repo, sha}))
	}
	return changes
}

// originalsOf lists the original commits of the change that are known. Reading: of a pull request those that belong to
// it and not to another one; where that leaves none, all it names; where it names none, those that landed.
func (h *history) originalsOf(c change, commit key) []conformance.Commit {
	var own, all []conformance.Commit
	if c.pull == nil {
		// Reading: of a single commit with copies the ones that are not themselves copies of a known commit.
		for _, sha := range h.copies(commit) {
			if one, exists := h.commits[key{c.repo, sha}]; exists {
				all = append(all, one)
				if _, picked := h.commits[key{c.repo, one.CherryPickedFrom}]; !picked {
					own = append(own, one)
				}
			}
		}
	} else {
		names := c.pull.Commits
		if len(names) == 0 {
			names = c.pull.Landed
		}
		for _, sha := range names {
			at := key{c.repo, sha}
			if one, exists := h.commits[at]; exists {
				all = append(all, one)
				if h.pullOf(at).ID == c.pull.ID {
					own = append(own, one)
				}
			}
		}
	}
	if len(own) == 0 {
		return all
	}
	return own
}

// start of a change: the minimum over its original commits and their copies of min(author_time, commit_time) (§4, §14).
func (h *history) start(c change, commit key) time.Time {
	times := []time.Time{}
	all := h.originalsOf(c, commit)
	if len(all) == 0 {
		all = []conformance.Commit{h.commits[commit]} // the pull request names commits that nobody knows
	}
	for _, original := range all {
		for _, sha := range h.copies(key{c.repo, original.SHA}) {
			if one, exists := h.commits[key{c.repo, sha}]; exists {
				times = append(times, one.AuthorTime, one.CommitTime)
			}
		}
	}
	return earliest(times...)
}

// byBots says whether all original commits of the change are by bots (§4, §14).
func (h *history) byBots(c change, commit key) bool {
	all := h.originalsOf(c, commit)
	if len(all) == 0 {
		all = []conformance.Commit{h.commits[commit]}
	}
	for _, original := range all {
		if !h.isBot(original.Author) {
			return false
		}
	}
	return true
}

func (h *history) isBot(person string) bool {
	for _, p := range h.Events.People {
		if p.ID == person {
			return p.Bot
		}
	}
	return false
}
