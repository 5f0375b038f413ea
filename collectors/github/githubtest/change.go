package githubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Delivery is a webhook as GitHub sends it.
type Delivery struct {
	ID     string
	Event  string
	Header http.Header
	Body   []byte
}

// Deliveries returns the webhooks of what has changed since it was last asked, in the order in which it happened.
func (f *Fake) Deliveries() []Delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.deliveries
	f.deliveries = nil
	return list
}

// Webhook makes one signed delivery of any payload.
func (f *Fake) Webhook(event string, payload any) Delivery {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", event, len(f.deliveries), body))
	id := fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	mac := hmac.New(sha256.New, []byte(f.cfg.Secret))
	mac.Write(body)
	return Delivery{ID: id, Event: event, Body: body, Header: http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitHub-Hookshot/fake"},
		"X-Github-Event":      {event},
		"X-Github-Delivery":   {id},
		"X-Github-Hook-Id":    {"1"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}}
}

// send keeps a delivery about a repository.
func (f *Fake) send(r *repository, event, action string, sender *user, payload m) {
	payload["repository"] = repositoryJSON(r)
	payload["organization"] = m{"login": f.world.org, "id": 1}
	payload["sender"] = userJSON(sender)
	if action != "" {
		payload["action"] = action
	}
	f.deliveries = append(f.deliveries, f.Webhook(event, payload))
}

// at makes a maker that makes things of a repository now. It panics when there is none: a test names what exists.
func (f *Fake) at(full string) *maker {
	owner, name, _ := strings.Cut(full, "/")
	r, _ := f.repository(owner, name)
	if r == nil {
		panic("githubtest: there is no repository " + full)
	}
	return f.maker(r, f.rand)
}

func (f *Fake) maker(r *repository, rnd *rand.Rand) *maker {
	now := f.cfg.Now().UTC().Truncate(time.Second)
	return &maker{world: f.world, Rand: rnd, r: r, now: now, end: now}
}

// Repositories returns the full names of those that exist, by age.
func (f *Fake) Repositories() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, r := range f.world.repos {
		if !r.deleted {
			names = append(names, r.full())
		}
	}
	return names
}

// Push puts n commits onto the default branch and returns their shas. They were committed age ago, and are pushed now.
func (f *Fake) Push(repo string, n int, age time.Duration) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.push(f.at(repo), n, age)
}

func (f *Fake) push(m *maker, n int, age time.Duration) []string {
	before := m.r.head
	m.now = m.end.Add(-age)
	end := m.end
	m.end = m.now
	m.push(n)
	m.now, m.end = end, end
	m.r.pushed, m.r.updated = end, end
	return f.pushed(m, before, false)
}

// pushed sends the webhook of a push and returns what is new, oldest first.
func (f *Fake) pushed(mk *maker, before string, forced bool) []string {
	r := mk.r
	known := map[string]bool{}
	for _, c := range r.history(before) {
		known[c.sha] = true
	}
	var shas []string
	var commits []m
	log := r.history(r.head)
	for _, c := range slices.Backward(log) {
		if known[c.sha] {
			continue
		}
		shas = append(shas, c.sha)
		person := m{"name": c.author.name, "email": c.author.email, "username": c.author.login}
		commits = append(commits, m{
			"id": c.sha, "tree_id": c.sha, "distinct": true, "message": c.message, "timestamp": stamp(c.committed), "author": person, "committer": person,
			"url": "https://github.com/" + r.full() + "/commit/" + c.sha, "added": []string{}, "removed": []string{}, "modified": c.files,
		})
	}
	var head any
	if len(commits) > 0 {
		head = commits[len(commits)-1]
	}
	zero := strings.Repeat("0", 40)
	payload := m{
		"ref": "refs/heads/" + r.branch, "before": before, "after": r.head, "created": before == "", "deleted": false, "forced": forced, "base_ref": nil,
		"compare": "https://github.com/" + r.full() + "/compare", "commits": commits[:min(len(commits), 2048)], "head_commit": head, "pusher": m{"name": mk.users[0].login, "email": mk.users[0].email},
	}
	if before == "" {
		payload["before"] = zero
	}
	f.send(r, "push", "", mk.users[0], payload)
	return shas
}

// ForcePush takes the latest n commits off the default branch and puts two others there. What was pull requests' stays merged.
func (f *Fake) ForcePush(repo string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	before := m.r.head
	for range n {
		if parents := m.r.commits[m.r.head].parents; len(parents) > 0 {
			m.r.head = parents[0]
		}
	}
	m.push(2)
	f.pushed(m, before, true)
}

// OpenPull opens a pull request with commits that were written in the hours before, and returns its number.
func (f *Fake) OpenPull(repo string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openPull(f.at(repo)).number
}

func (f *Fake) openPull(m *maker) *pull {
	m.now = m.end.Add(-3 * time.Hour)
	p := m.open()
	m.now = m.end
	p.created, p.updated = m.now, m.now
	f.sendPull(m.r, p, "opened", p.author)
	return p
}

func (f *Fake) sendPull(r *repository, p *pull, action string, sender *user) {
	f.send(r, "pull_request", action, sender, m{"number": p.number, "pull_request": pullJSON(r, p, true)})
}

func (f *Fake) mustPull(m *maker, number int) *pull {
	p := m.r.pull(strconv.Itoa(number))
	if p == nil {
		panic(fmt.Sprintf("githubtest: there is no pull request %d in %s", number, m.r.full()))
	}
	return p
}

// MergePull merges a pull request the repository's way.
func (f *Fake) MergePull(repo string, number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	f.mergePull(m, f.mustPull(m, number))
}

func (f *Fake) mergePull(m *maker, p *pull) {
	method, before := m.r.style, m.r.head
	if method == Trunk {
		method = Merge
	}
	m.land(p, method)
	f.sendPull(m.r, p, "closed", p.mergedBy)
	f.pushed(m, before, false)
}

// ClosePull closes one without merging it.
func (f *Fake) ClosePull(repo string, number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	p := f.mustPull(m, number)
	m.refuse(p)
	f.sendPull(m.r, p, "closed", p.author)
}

// Review has somebody other than the author review a pull request: APPROVED, COMMENTED, CHANGES_REQUESTED.
func (f *Fake) Review(repo string, number int, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	f.reviewPull(m, f.mustPull(m, number), state)
}

func (f *Fake) reviewPull(mk *maker, p *pull, state string) {
	mk.review(p, mk.somebodyElse(p.author), state)
	v := p.reviews[len(p.reviews)-1]
	body := reviewJSON(mk.r, p, v)
	body["state"] = strings.ToLower(state)
	f.send(mk.r, "pull_request_review", "submitted", v.author, m{"review": body, "pull_request": pullJSON(mk.r, p, false)})
}

// Label gives a pull request a label: a change that only moves its updated_at and its labels.
func (f *Fake) Label(repo string, number int, label string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	f.labelPull(m, f.mustPull(m, number), label)
}

func (f *Fake) labelPull(m *maker, p *pull, label string) {
	if !slices.Contains(p.labels, label) {
		p.labels = append(p.labels[:len(p.labels):len(p.labels)], label)
	}
	// The clock of tests stands still while it is read. Of two states of one second, which is what GitHub's instants have,
	// nobody could say which is the later one.
	if p.updated = p.updated.Add(time.Second); p.updated.Before(m.now) {
		p.updated = m.now
	}
	f.sendPull(m.r, p, "labeled", m.users[0])
}

// StartRun starts a workflow on the head of the default branch and returns its id.
func (f *Fake) StartRun(repo, name string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.startRun(f.at(repo), name).id
}

func (f *Fake) startRun(m *maker, name string) *run {
	x := m.start(name, ".github/workflows/"+strings.ToLower(name)+".yml")
	f.sendRun(m.r, x, "requested")
	return x
}

func (f *Fake) sendRun(r *repository, x *run, action string) {
	f.send(r, "workflow_run", action, x.actor, m{
		"workflow_run": runJSON(r, x, len(x.attempts)), "workflow": m{"id": 100 + len(x.path), "name": x.name, "path": x.path, "state": "active"},
	})
}

// FinishRun ends the latest attempt of a run: success, failure, cancelled, skipped.
func (f *Fake) FinishRun(repo string, id int64, conclusion string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	for _, x := range m.r.runs {
		if x.id == id {
			f.finishRun(m, x, conclusion)
		}
	}
}

func (f *Fake) finishRun(m *maker, x *run, conclusion string) {
	a := x.last()
	a.status, a.conclusion, a.updated = "completed", conclusion, m.now
	f.sendRun(m.r, x, "completed")
}

// Rerun begins another attempt of a run.
func (f *Fake) Rerun(repo string, id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	for _, x := range m.r.runs {
		if x.id == id {
			f.rerun(m, x)
		}
	}
}

func (f *Fake) rerun(m *maker, x *run) {
	x.attempts = append(x.attempts, attempt{started: m.now, updated: m.now, status: "in_progress"})
	f.sendRun(m.r, x, "requested")
}

// Deploy begins a deployment of the head of the default branch and returns its id.
func (f *Fake) Deploy(repo, environment string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deployNow(f.at(repo), environment).id
}

func (f *Fake) deployNow(mk *maker, environment string) *deployment {
	d := mk.deployment(environment)
	f.send(mk.r, "deployment", "created", d.by, m{"deployment": deploymentJSON(mk.r, d), "workflow": nil, "workflow_run": nil})
	return d
}

// SetStatus tells the state of a deployment: in_progress, success, failure, error, inactive.
func (f *Fake) SetStatus(repo string, id int64, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.at(repo)
	for _, d := range m.r.deploys {
		if d.id == id {
			f.setStatus(m, d, state)
		}
	}
}

func (f *Fake) setStatus(mk *maker, d *deployment, state string) {
	s := mk.state(d, state)
	f.send(mk.r, "deployment_status", "created", s.by, m{
		"deployment_status": statusJSON(mk.r, d, s), "deployment": deploymentJSON(mk.r, d), "check_run": nil, "workflow": nil, "workflow_run": nil,
	})
}

// Release publishes a release of the head of the default branch.
func (f *Fake) Release(repo, tag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	x := mk.release()
	delete(mk.r.tags, x.tag)
	x.tag, x.draft, x.prerelease, x.published = tag, false, false, mk.now
	mk.r.tags[tag] = x.sha
	f.send(mk.r, "release", "published", x.author, m{"release": releaseJSON(mk.r, x)})
}

// OpenIssue opens an issue and returns its number.
func (f *Fake) OpenIssue(repo, title string, labels ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openIssue(f.at(repo), title, labels...).number
}

func (f *Fake) openIssue(mk *maker, title string, labels ...string) *issue {
	x := &issue{id: mk.id(), number: mk.number(), title: title, labels: labels, author: mk.somebody(), created: mk.now, updated: mk.now}
	mk.r.issues = append(mk.r.issues, x)
	f.sendIssue(mk.r, x, "opened")
	return x
}

func (f *Fake) sendIssue(r *repository, x *issue, action string) {
	f.send(r, "issues", action, x.author, m{"issue": issueJSON(r, issueOrPull{x.number, x.id, x.title, x.labels, x.author, x.created, x.updated, x.closed, nil})})
}

// CloseIssue closes an issue.
func (f *Fake) CloseIssue(repo string, number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	for _, x := range mk.r.issues {
		if x.number == number {
			x.closed, x.updated = mk.now, mk.now
			f.sendIssue(mk.r, x, "closed")
		}
	}
}

// SetFile changes a file of the default branch.
func (f *Fake) SetFile(repo, path, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	before := mk.r.head
	mk.r.files[path] = text
	mk.push(1)
	mk.r.commits[mk.r.head].files = []string{path}
	f.pushed(mk, before, false)
}

// Rename gives a repository another name; the old one leads to it.
func (f *Fake) Rename(repo, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	from := mk.r.name
	mk.r.former = append(mk.r.former, mk.r.full())
	mk.r.name, mk.r.updated = name, mk.now
	f.send(mk.r, "repository", "renamed", mk.users[0], m{"changes": m{"repository": m{"name": m{"from": from}}}})
}

// Archive makes a repository read-only.
func (f *Fake) Archive(repo string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	mk.r.archived, mk.r.updated = true, mk.now
	f.send(mk.r, "repository", "archived", mk.users[0], m{})
}

// Delete deletes a repository.
func (f *Fake) Delete(repo string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mk := f.at(repo)
	f.send(mk.r, "repository", "deleted", mk.users[0], m{})
	mk.r.deleted, mk.r.updated = true, mk.now
}

// Create has a repository with some history appear, as if it was moved here, and returns its full name.
func (f *Fake) Create() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.world.generate(len(f.world.repos), f.cfg)
	r := f.world.repos[len(f.world.repos)-1]
	r.updated = f.cfg.Now().UTC().Truncate(time.Second)
	f.send(r, "repository", "created", f.world.users[0], m{})
	return r.full()
}

// Change has something happen in a repository, whatever it is.
func (f *Fake) Change(repo string, seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change(f.at(repo).r, rand.New(rand.NewPCG(seed, 5)))
}

// change is one random thing that happens now.
func (f *Fake) change(r *repository, rnd *rand.Rand) {
	m := f.maker(r, rnd)
	anyPull := func() *pull { return r.pulls[m.IntN(len(r.pulls))] }
	switch n := m.IntN(11); {
	case n == 0:
		f.push(m, 1+m.IntN(2), 0)
	case n == 1:
		f.push(m, 1, 30*time.Hour)
	case n == 2:
		f.openPull(m)
	case n <= 4 && len(r.pulls) > 0: // an old one moves to the top
		f.labelPull(m, anyPull(), fmt.Sprintf("label-%d", m.IntN(1000)))
	case n == 5 && len(r.pulls) > 0:
		f.reviewPull(m, anyPull(), "COMMENTED")
	case n == 6:
		for _, p := range r.pulls {
			if p.closed.IsZero() {
				f.mergePull(m, p)
				return
			}
		}
		f.push(m, 1, 0)
	case n == 7:
		x := f.startRun(m, "CI")
		if m.IntN(2) == 0 {
			f.finishRun(m, x, "success")
		}
	case n == 8:
		d := f.deployNow(m, "production")
		f.setStatus(m, d, "success")
	case n == 9 && len(r.runs) > 0:
		x := r.runs[len(r.runs)-1-m.IntN(min(len(r.runs), 5))]
		if x.last().status != "completed" {
			f.finishRun(m, x, "failure")
			return
		}
		f.rerun(m, x)
		f.finishRun(m, x, "success")
	default:
		if r.noIssues {
			f.push(m, 1, 0)
			return
		}
		f.openIssue(m, "Something happened", "incident", "sev2")
	}
}
