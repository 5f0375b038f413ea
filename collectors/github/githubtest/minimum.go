package githubtest

import "slices"

// Plan says by which requests a collector reads, where there is a choice.
type Plan struct {
	// Changes and Deployments are the sizes of its pages in GraphQL, which bring all that belongs to them.
	Changes, Deployments int
	// Releases says that it lists releases; it may leave that where they mean nothing.
	Releases bool
}

// Minimum is the least number of requests with which everything that is true now can be read for the first time, by kind. REST
// lists come in pages of a hundred, GraphQL's in those of the plan; an empty list takes one request, too.
//
//   - repositories and teams: the pages of the organisation's lists; one list of members for each team
//   - commits: the pages of what is reachable from the default branch
//   - changes: the pages, with commits, reviews and all; landed: one more for each that landed as several rebased commits,
//     since GitHub names only the last of them
//   - runs: the pages; attempts: one for each attempt that is not the latest
//   - deployments: the pages, with their statuses
//   - incidents: the labels, and where one of them is that of incidents, the pages of what has it
//   - ownership: the list of the root folder; the file that decides, and the list of the folder that it is in
//   - releases: as planned
func (f *Fake) Minimum(plan Plan) (total int, by map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by = map[string]int{}
	pages := func(kind string, n, size int) { by[kind] += max(1, (n+size-1)/size) }
	there := 0
	pages("teams", len(f.world.teams), 100)
	for _, t := range f.world.teams {
		pages("teams", len(t.members), 100)
	}
	for _, r := range f.world.repos {
		if r.deleted {
			continue
		}
		there++
		pages("commits", len(r.history(r.head)), 100)
		pages("changes", len(r.pulls), plan.Changes)
		for _, p := range r.pulls {
			if p.method == Rebase && len(p.landed) > 1 {
				by["landed"]++
			}
		}
		pages("runs", len(r.runs), 100)
		for _, x := range r.runs {
			by["attempts"] += len(x.attempts) - 1
		}
		pages("deployments", len(r.deploys), plan.Deployments)
		by["incidents"]++
		incidents := 0
		for _, x := range r.issueList() {
			if slices.Contains(x.labels, "incident") {
				incidents++
			}
		}
		if incidents > 0 && !r.noIssues {
			pages("incidents", incidents, 100)
		}
		if plan.Releases {
			pages("releases", len(r.releases), 100)
		}
		by["ownership"] += 1 + r.ownersRead()
	}
	pages("repositories", there, 100)
	for _, n := range by {
		total += n
	}
	return total, by
}

// ownersRead is how many requests it takes to read who owns a repository, when it is known what is in its root folder.
func (r *repository) ownersRead() int {
	_, catalogue := r.files["catalog-info.yaml"]
	_, inFolder := r.files[".github/CODEOWNERS"]
	_, inRoot := r.files["CODEOWNERS"]
	switch {
	case inFolder && !catalogue:
		return 2
	case catalogue || inRoot:
		return 1
	}
	return 0
}
