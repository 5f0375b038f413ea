package conformancetest

import (
	"fmt"
	"slices"
	"time"

	"cairn/internal/conformance"
)

// repos draws repositories with a commit graph each; shas repeat from one repository to the next.
func (g *generator) repos(e *conformance.Events) {
	names := []string{"shop", "conf", "mono"}
	for _, name := range names[:g.int("repos", 1, 3)] {
		repo := conformance.Repo{ID: name}
		if g.chance("deleted", 6) {
			repo.DeletedAt = g.instant("deleted", 10, days)
		}
		e.Repos = append(e.Repos, repo)
		graph := g.graph(name, e)
		e.Commits = append(e.Commits, graph...)
		if g.may.PullRequests {
			for i := range g.int("pull requests", 0, 4) {
				e.PullRequests = append(e.PullRequests, g.pull(fmt.Sprintf("%s!%d", name, i), graph))
			}
		}
	}
}

func (g *generator) graph(repo string, e *conformance.Events) []conformance.Commit {
	authors := []string{"dev"}
	for _, p := range e.People {
		authors = append(authors, p.ID)
	}
	var graph []conformance.Commit
	for i := range g.int("commits", 4, 14) {
		c := conformance.Commit{
			SHA: fmt.Sprintf("c%d", i), Repo: repo, Parents: []string{}, Author: g.one("author", authors...),
			Paths: g.some("touched", "web/a", "web", "api/b", "lib/c", "webapp/d", "docs/e"),
		}
		// Roughly in order: a commit a day and a half, with the odd one out of place.
		day := min(i, 22)
		c.AuthorTime = g.instant("authored", max(day-3, 0), day)
		c.CommitTime = g.after("committed", c.AuthorTime)
		if g.may.SkewedClocks && g.chance("skewed", 8) {
			c.AuthorTime = g.instant("authored, skewed", 0, days)
			c.CommitTime = g.instant("committed, skewed", 0, days)
		}
		if i > 0 && !g.chance("another root", 15) {
			c.Parents = append(c.Parents, graph[g.int("parent", max(0, i-3), i-1)].SHA)
			if other := graph[g.int("second parent", 0, i-1)].SHA; g.may.Merges && g.chance("merge", 5) && other != c.Parents[0] {
				c.Parents = append(c.Parents, other)
				if g.chance("merge without paths", 2) {
					c.Paths = []string{}
				}
			}
		}
		if g.may.CherryPicks && i > 0 && len(c.Parents) < 2 && g.chance("cherry-pick", 5) {
			if g.chance("of an unknown commit", 6) {
				c.CherryPickedFrom = "gone"
			} else {
				original := graph[g.int("picked", 0, i-1)]
				c.CherryPickedFrom, c.Paths = original.SHA, original.Paths
				if !g.chance("retouched", 4) {
					c.Author, c.AuthorTime = original.Author, original.AuthorTime
				}
			}
		}
		if g.may.Reverts && i > 0 && g.chance("revert", 4) {
			reverted := graph[g.int("reverted", 0, i-1)]
			c.Reverts, c.Paths = reverted.SHA, reverted.Paths
			if g.chance("of an unknown commit", 8) {
				c.Reverts = "gone"
			}
		}
		graph = append(graph, c)
	}
	return graph
}

// pull draws a pull request over commits of the graph. Its originals need not be reachable from anywhere, may be in
// another request too, or be unknown.
func (g *generator) pull(id string, graph []conformance.Commit) conformance.PullRequest {
	last := graph[g.int("landed", 0, len(graph)-1)]
	p := conformance.PullRequest{
		ID: id, Repo: last.Repo, Author: last.Author, Commits: []string{},
		MergeMethod: g.one("merge method", "squash", "rebase", "merge"), Landed: []string{last.SHA},
	}
	originals := func() {
		for range g.int("originals", 1, 3) {
			sha := graph[g.int("original", 0, len(graph)-1)].SHA
			if !slices.Contains(p.Commits, sha) {
				p.Commits = append(p.Commits, sha)
			}
		}
	}
	switch p.MergeMethod {
	case "squash":
		originals()
	case "rebase":
		originals()
		if len(last.Parents) > 0 {
			p.Landed = []string{last.Parents[0], last.SHA}
		}
	case "merge":
		if len(last.Parents) < 2 {
			p.Commits = []string{last.SHA} // fast-forward
			break
		}
		p.Commits = []string{last.Parents[1]}
		p.Landed = []string{last.Parents[1], last.SHA}
	}
	if g.chance("unknown original", 10) {
		p.Commits = append(p.Commits, "gone")
	}
	p.CreatedAt = g.after("opened", last.AuthorTime.Add(-6*time.Hour))
	p.ReadyAt = g.maybe("ready", 2, g.after("ready", p.CreatedAt))
	p.FirstReviewAt = g.maybe("review", 3, g.after("reviewed", p.CreatedAt))
	p.MergedAt = g.maybe("merge", 5, g.after("merged", p.CreatedAt))
	return p
}

// withoutRevertedMerges leaves out reverts of merge commits.
func withoutRevertedMerges(commits []conformance.Commit) []conformance.Commit {
	commits = slices.Clone(commits)
	for i, revert := range commits {
		if slices.ContainsFunc(commits, func(other conformance.Commit) bool {
			return other.Repo == revert.Repo && other.SHA == revert.Reverts && len(other.Parents) > 1
		}) {
			commits[i].Reverts = ""
		}
	}
	return commits
}
