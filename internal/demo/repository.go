package demo

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"cairn/internal/event"
)

// repository is one version-controlled repository and what has landed on its main branch.
type repository struct {
	id       string
	method   string // of landing change requests
	services []*service
	changes  []*change
	pulls    int
	runs     int
	heads    []head // of the main branch, oldest first
	agenda   agenda
	draws    chance
}

// head is where the main branch pointed from an instant on.
type head struct {
	at  time.Time
	sha string
}

// repository is where a service is built from: its own, or one that its team keeps for all its services.
func (o *organisation) repository(s *service) *repository {
	id := "linden/" + s.id
	if s.part != "" {
		id = "linden/" + s.team
	}
	for _, r := range o.repositories {
		if r.id == id {
			return r
		}
	}
	r := &repository{id: id, draws: o.chance("repository " + id), method: "squash"}
	switch s.team {
	case "orders", "pricing", "identity":
		r.method = "merge"
	case "mobile-gateway", "data-platform", "logistics":
		r.method = "rebase"
	}
	o.repositories = append(o.repositories, r)
	return r
}

// paths are the parts of a shared repository that belong to one of its services, and to several.
func (r *repository) paths(s *service) (own, shared []string) {
	if s.team == "storefront" {
		return []string{"pages/" + s.part}, []string{"packages/ui", "packages/tracking"}
	}
	return []string{"apps/" + s.part + "/**", "proto/" + s.part + "*.proto"}, []string{"libs/**"}
}

// touched are the files of a commit.
func (r *repository) touched(c chance, ch *change) []string {
	s := ch.service
	switch {
	case s.part == "":
		return []string{pick(c, []string{"src/", "src/api/", "src/store/", "test/"}) + pick(c, fileNames)}
	case ch.shared && s.team == "storefront":
		return []string{pick(c, []string{"packages/ui/", "packages/tracking/"}) + pick(c, fileNames)}
	case ch.shared:
		return []string{"libs/geo/" + pick(c, fileNames), "apps/" + s.part + "/" + pick(c, fileNames)}
	case s.team == "storefront":
		return []string{"pages/" + s.part + "/" + pick(c, fileNames)}
	case c.happens(0.1):
		return []string{"proto/" + s.part + "_events.proto", "apps/" + s.part + "/" + pick(c, fileNames)}
	}
	return []string{"apps/" + s.part + "/" + pick(c, fileNames)}
}

var fileNames = []string{"main", "handler", "client", "config", "orders", "cache", "limits", "format", "queue", "schema", "retry", "health", "metrics", "errors"}

// live lets a repository's changes land and its services be deployed, until the end of the story.
func (o *organisation) live(r *repository) {
	began := r.services[0].created
	for _, s := range r.services {
		if s.created.Before(began) {
			began = s.created
		}
	}
	parent := ""
	start := began.Add(2 * time.Hour)
	if start.Before(o.from) {
		start = o.from.AddDate(0, 0, -20)
	}
	for i, subject := range []string{"Begin", "Build and test", "Say what this is"} {
		first := &change{service: r.services[0], author: o.people[0].aliases[0], subject: subject, shared: true}
		if members := o.members(r.services[0].owners[0].team, start); len(members) > 0 {
			first.author = pick(r.draws, members).aliases[0]
		}
		parent = o.commit(r, first, start.Add(time.Duration(i)*20*time.Minute), start.Add(time.Duration(i)*20*time.Minute), parent)
		r.heads = append(r.heads, head{start.Add(time.Duration(i) * 20 * time.Minute), parent})
	}
	for _, s := range r.services {
		s.delivered.pending = true
		if !s.firstRun.IsZero() {
			r.agenda.put(s.firstRun, func(at time.Time) { o.deploy(r, s, at) })
		}
		o.timetable(r, s)
	}
	for _, ch := range r.changes {
		switch {
		case ch.closed.IsZero():
			r.agenda.put(ch.merged, func(at time.Time) { o.land(r, ch, at) })
		default:
			r.agenda.put(ch.closed, func(at time.Time) { o.request(r, ch, o.original(r, ch), nil) })
		}
	}
	r.agenda.run(o.until)
	for _, ch := range r.changes {
		ended := ch.merged
		if ended.IsZero() {
			ended = ch.closed
		}
		if !ch.opened.IsZero() && ch.opened.Before(o.until) && !ended.Before(o.until) {
			o.request(r, ch, o.original(r, ch), nil) // still open
		}
	}
}

// commit tells a commit and returns its sha.
func (o *organisation) commit(r *repository, ch *change, authored, committed time.Time, parents ...string) string {
	parents = slices.DeleteFunc(parents, func(p string) bool { return p == "" })
	f := event.Commit{
		Repository: r.id, SHA: r.draws.sha(), Parents: parents, Author: ch.author, Bot: ch.bot,
		AuthoredAt: authored, CommittedAt: committed, Subject: ch.subject, Paths: r.touched(r.draws, ch), Reverts: ch.reverts,
	}
	if len(parents) > 1 {
		f.Subject, f.Paths = fmt.Sprintf("Merge #%d: %s", ch.number, ch.subject), []string{}
	}
	o.facts.Commits = append(o.facts.Commits, f)
	return f.SHA
}

// headAt is where the main branch pointed at an instant.
func (r *repository) headAt(at time.Time) string {
	i, _ := slices.BinarySearchFunc(r.heads, at, func(h head, at time.Time) int { return h.at.Compare(at) })
	return r.heads[max(0, i-1)].sha
}

func (r *repository) head() string { return r.heads[len(r.heads)-1].sha }

// original tells the commits of a change on its own branch, as far as they are written.
func (o *organisation) original(r *repository, ch *change) []string {
	var shas []string
	parent := r.headAt(ch.written[0])
	for _, at := range ch.written {
		if at.Before(o.until) {
			parent = o.commit(r, ch, at, at, parent)
			shas = append(shas, parent)
		}
	}
	return shas
}

// land brings a change to the main branch.
func (o *organisation) land(r *repository, ch *change, at time.Time) {
	before := r.head()
	var landed []string
	switch {
	case ch.opened.IsZero():
		for i, written := range ch.written {
			sha := o.commit(r, ch, written, written.Add(time.Duration(len(ch.written)-1-i)*time.Second), before)
			before, landed = sha, append(landed, sha)
		}
	case r.method == "squash":
		landed = []string{o.commit(r, ch, at, at, before)}
	case r.method == "rebase":
		for _, written := range ch.written {
			before = o.commit(r, ch, written, at, before)
			landed = append(landed, before)
		}
	}
	if !ch.opened.IsZero() {
		shas := o.original(r, ch)
		if r.method == "merge" {
			landed = []string{o.commit(r, ch, at, at, before, shas[len(shas)-1])}
		}
		o.request(r, ch, shas, landed)
	}
	r.heads = append(r.heads, head{at, landed[len(landed)-1]})
	built := o.build(r, ch, at)
	for _, s := range r.services {
		if s != ch.service && !ch.shared || !s.alive(at) {
			continue
		}
		s.delivered.pending, s.delivered.lastLanded = true, landed[len(landed)-1]
		o.release(r, s, built)
	}
}

// request tells a change request, as far as it has come.
func (o *organisation) request(r *repository, ch *change, commits, landed []string) {
	c := r.draws
	f := event.ChangeRequest{
		Repository: r.id, ID: strconv.Itoa(ch.number), Author: ch.person, Title: ch.subject, BaseBranch: "main",
		CreatedAt: ch.opened, FirstReviewAt: o.past(ch.reviewed), ApprovedAt: o.past(ch.approved), ClosedAt: o.past(ch.closed),
		Commits: commits, Landed: landed, Additions: int64(c.around(40, 1.1)), Deletions: int64(c.around(14, 1.2)),
		URL: o.page(r, "/pull/"+strconv.Itoa(ch.number)),
	}
	if ch.bot {
		f.Labels = []string{"dependencies"}
	}
	if landed != nil {
		f.MergedAt, f.MergeMethod = ch.merged, r.method
	}
	o.facts.ChangeRequests = append(o.facts.ChangeRequests, f)
}

// build runs the pipeline over the main branch and says when it is done.
func (o *organisation) build(r *repository, ch *change, at time.Time) time.Time {
	c, way := r.draws, ch.service.way(at)
	if way == "manual" {
		return at
	}
	r.runs++
	f := event.PipelineRun{
		Repository: r.id, ID: strconv.Itoa(r.runs), Attempt: 1, Name: "build", SHA: r.head(), Ref: "refs/heads/main",
		Status: "succeeded", QueuedAt: at.Add(2 * time.Second), StartedAt: at.Add(c.between(4*time.Second, time.Minute)), Way: way,
		URL: fmt.Sprintf("https://ci.linden.example/%s/runs/%d", r.id, r.runs),
	}
	length := 11.0
	if way == "golden_path" {
		f.Template, length = "build-"+language(ch.service)+"@v3", 5
	}
	again := false
	if c.happens(0.06) {
		f.Status, again = "failed", true
	}
	f.FinishedAt = f.StartedAt.Add(c.minutes(length))
	for {
		done := f.FinishedAt
		if done.After(o.until) {
			f.Status, f.FinishedAt = "in_progress", time.Time{}
		}
		if f.StartedAt.After(o.until) {
			f.Status, f.StartedAt, f.QueuedAt = "queued", time.Time{}, o.past(f.QueuedAt)
		}
		o.facts.PipelineRuns = append(o.facts.PipelineRuns, f)
		if !again || f.Status != "failed" {
			return done
		}
		again = false
		f.Attempt, f.Status, f.QueuedAt, f.StartedAt = 2, "succeeded", done.Add(4*time.Minute), done.Add(4*time.Minute)
		f.FinishedAt = f.StartedAt.Add(c.minutes(length))
	}
}

func (o *organisation) tellRepositories() {
	for _, r := range o.repositories {
		last := r.heads[len(r.heads)-1]
		f := event.Repository{
			Telling: by(r.heads[0].at), ID: r.id, Name: r.id[len("linden/"):], DefaultBranch: "main", URL: o.page(r, ""),
		}
		if s := r.services[0]; !s.retired.IsZero() {
			f.ArchivedAt, f.Telling = s.retired, by(s.retired)
		}
		o.facts.Repositories = append(o.facts.Repositories, f)
		o.facts.Branches = append(o.facts.Branches, event.Branch{Telling: by(last.at), Repository: r.id, Name: "main", SHA: last.sha, Default: true})
	}
}
