package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Truth is what has happened, as a right collector tells it. Keys begin with the name that a repository had at first; a
// deleted repository keeps what happened in it.
type Truth struct {
	Repositories map[string]Repository
	Branches     map[string]string // repository: head of its default branch
	Commits      map[string]Commit // "repository sha"
	Changes      map[string]Change // "repository number"
	Runs         map[string]Run    // "repository id attempt"
	Deployments  map[string]Deployment
	Releases     map[string]Release // "repository id", published ones
	Incidents    map[string]Incident
	Teams        map[string]Team     // "org/slug"
	Members      map[string]bool     // "org/slug login"
	Owners       map[string][]string // repository: teams that catalog-info.yaml or CODEOWNERS name for the whole of it
}

// Repository is a repository; its default branch is "" while it is empty only at GitHub's, here it always has a name.
type Repository struct {
	Name          string
	DefaultBranch string
	Archived      bool
	Deleted       bool
	Fork          bool
}

// Commit is a commit. Those that are not reachable from the default branch need not be told.
type Commit struct {
	Parents     []string
	AuthoredAt  time.Time
	CommittedAt time.Time
	Subject     string
	Bot         bool
	Reachable   bool
}

// Change is a pull request.
type Change struct {
	Author        string
	Title         string
	Base          string
	CreatedAt     time.Time
	FirstCommitAt time.Time
	ReadyAt       time.Time // zero when it never was a draft, or still is one
	FirstReviewAt time.Time // by a person other than the author
	ApprovedAt    time.Time
	MergedAt      time.Time
	ClosedAt      time.Time // without merging
	Method        string    // "" where squash and rebase look alike: there is one commit
	Commits       []string  // original ones
	Landed        []string  // oldest first
	Labels        []string
	Additions     int64
	Deletions     int64
}

// Run is one attempt of a workflow run.
type Run struct {
	Name       string
	SHA        string
	Status     string // in_progress, succeeded, failed, cancelled
	StartedAt  time.Time
	FinishedAt time.Time
	Template   string
	Latest     bool // whether it is the run's latest attempt: a list of runs shows no other
}

// Deployment is one of GitHub's deployments.
type Deployment struct {
	Repository  string
	Environment string
	SHA         string
	Status      string // pending, in_progress, succeeded, failed
	CreatedAt   time.Time
	StartedAt   time.Time
	FinishedAt  time.Time // of the status that ended it: that it became inactive later is no end
}

// Release is a published release.
type Release struct {
	Tag         string
	SHA         string
	Prerelease  bool
	PublishedAt time.Time
}

// Incident is an issue with the label incident.
type Incident struct {
	Title     string
	Severity  string // sev1 or sev2
	StartedAt time.Time
	EndedAt   time.Time // zero while it is open
}

// Team is a team.
type Team struct{ Name, Parent string }

// Truth returns what is true now.
func (f *Fake) Truth() *Truth {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &Truth{
		Repositories: map[string]Repository{}, Branches: map[string]string{}, Commits: map[string]Commit{}, Changes: map[string]Change{}, Runs: map[string]Run{},
		Deployments: map[string]Deployment{}, Releases: map[string]Release{}, Incidents: map[string]Incident{}, Teams: map[string]Team{}, Members: map[string]bool{},
		Owners: map[string][]string{},
	}
	for _, team := range f.world.teams {
		id := f.world.org + "/" + team.slug
		parent := ""
		if team.parent != nil {
			parent = f.world.org + "/" + team.parent.slug
		}
		t.Teams[id] = Team{team.name, parent}
		for _, u := range team.members {
			t.Members[id+" "+u.login] = true
		}
	}
	for _, r := range f.world.repos {
		t.add(r)
	}
	return t
}

func (t *Truth) add(r *repository) {
	key := r.full()
	if len(r.former) > 0 {
		key = r.former[0]
	}
	t.Repositories[key] = Repository{Name: r.name, DefaultBranch: r.branch, Archived: r.archived, Deleted: r.deleted, Fork: r.fork}
	if r.head != "" {
		t.Branches[key] = r.head
	}
	reachable := map[string]bool{}
	for _, c := range r.history(r.head) {
		reachable[c.sha] = true
	}
	for sha, c := range r.commits {
		t.Commits[key+" "+sha] = Commit{c.parents, c.authored, c.committed, c.subject(), c.author.bot, reachable[sha]}
	}
	for _, p := range r.pulls {
		t.Changes[fmt.Sprintf("%s %d", key, p.number)] = p.truth()
	}
	for _, x := range r.runs {
		for i, a := range x.attempts {
			run := Run{Name: x.name, SHA: x.sha, StartedAt: a.started, Latest: i == len(x.attempts)-1}
			run.Status = map[string]string{"": "in_progress", "success": "succeeded", "failure": "failed", "cancelled": "cancelled", "skipped": "skipped"}[a.conclusion]
			if a.status == "completed" {
				run.FinishedAt = a.updated
			}
			if len(x.referenced) > 0 {
				run.Template = x.referenced[0]
			}
			t.Runs[fmt.Sprintf("%s %d %d", key, x.id, i+1)] = run
		}
	}
	for _, d := range r.deploys {
		t.Deployments[fmt.Sprintf("%s %d", key, d.id)] = d.truth(key)
	}
	for _, x := range r.releases {
		if !x.draft {
			t.Releases[fmt.Sprintf("%s %d", key, x.id)] = Release{x.tag, x.sha, x.prerelease, x.published}
		}
	}
	for _, x := range r.issues {
		if !slices.Contains(x.labels, "incident") {
			continue
		}
		severity := ""
		for _, l := range x.labels {
			if strings.HasPrefix(l, "sev") {
				severity = l
			}
		}
		t.Incidents[fmt.Sprintf("%s %d", key, x.number)] = Incident{x.title, severity, x.created, x.closed}
	}
	if owners := r.owners(); len(owners) > 0 {
		t.Owners[key] = owners
	}
}

func (p *pull) truth() Change {
	c := Change{
		Author: p.author.login, Title: p.title, Base: p.base, CreatedAt: p.created, MergedAt: p.merged, Labels: slices.Clone(p.labels),
		Additions: int64(p.additions), Deletions: int64(p.deletions),
	}
	if !p.draft {
		c.ReadyAt = p.ready
	}
	for _, o := range p.commits {
		c.Commits = append(c.Commits, o.sha)
		if c.FirstCommitAt.IsZero() || o.authored.Before(c.FirstCommitAt) {
			c.FirstCommitAt = o.authored
		}
	}
	for _, v := range p.reviews {
		if v.author == p.author {
			continue
		}
		if c.FirstReviewAt.IsZero() {
			c.FirstReviewAt = v.submitted
		}
		if v.state == "APPROVED" && c.ApprovedAt.IsZero() {
			c.ApprovedAt = v.submitted
		}
	}
	if p.merged.IsZero() {
		c.ClosedAt = p.closed
		return c
	}
	c.Landed, c.Method = slices.Clone(p.landed), p.method
	if len(p.commits) == 1 && (p.method == Squash || p.method == Rebase) {
		c.Method = ""
	}
	return c
}

func (d *deployment) truth(repo string) Deployment {
	x := Deployment{Repository: repo, Environment: d.environment, SHA: d.sha, Status: "pending", CreatedAt: d.created}
	for _, s := range d.statuses {
		switch s.state {
		case "in_progress":
			if x.FinishedAt.IsZero() {
				x.Status, x.StartedAt = "in_progress", s.created
			}
		case "success":
			x.Status, x.FinishedAt = "succeeded", s.created
		case "failure", "error":
			x.Status, x.FinishedAt = "failed", s.created
		}
	}
	return x
}

// owners are the teams that own the whole repository: as catalog-info.yaml says, and where there is none, the first of the
// CODEOWNERS files. People in it are no teams.
func (r *repository) owners() []string {
	if text, found := r.files["catalog-info.yaml"]; found {
		for line := range strings.Lines(text) {
			if owner, found := strings.CutPrefix(strings.TrimSpace(line), "owner: group:default/"); found {
				return []string{r.owner + "/" + owner}
			}
		}
	}
	for _, name := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} {
		text, found := r.files[name]
		if !found {
			continue
		}
		var owners []string
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "*" {
				owners = nil
				for _, o := range fields[1:] {
					if strings.Contains(o, "/") {
						owners = append(owners, strings.TrimPrefix(o, "@"))
					}
				}
			}
		}
		return owners
	}
	return nil
}
