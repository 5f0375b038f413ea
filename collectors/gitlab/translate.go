package gitlab

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// translator turns what GitLab says into events: pure functions, used alike for what is read and for what webhooks bring,
// so that the same state gives the same telling, with the same updated_at, however it came.
type translator struct {
	source string // name of the connection
	rules  *rules.Rules
	web    string // address of the GitLab, for links
}

// tool is what deployments that GitLab knows of were made with, as far as it says.
const tool = "gitlab"

func (t translator) telling(at time.Time) event.Telling {
	return event.Telling{Source: t.source, UpdatedAt: at.UTC()}
}

// partial marks a telling by something that does not know the whole fact, such as a webhook about a deployment: of two
// tellings of one state the whole one wins, and a later state wins over both.
func partial(e event.Event) {
	e.Common().UpdatedAt = e.Common().UpdatedAt.Add(-time.Millisecond)
}

// repository is the fact of a project as it is known.
func (t translator) repository(k known) *event.Repository {
	return &event.Repository{
		Telling: t.telling(k.Changed), ID: k.Fact, Name: clip(k.Name), DefaultBranch: clip(k.Branch), URL: clip(k.URL),
		ArchivedAt: k.ArchivedAt, DeletedAt: k.DeletedAt,
	}
}

// branch is the head of the default branch, as of at.
func (t translator) branch(repo, name, sha string, at time.Time) *event.Branch {
	return &event.Branch{Telling: t.telling(at), Repository: repo, Name: clip(name), SHA: sha, Default: true}
}

// commit is the fact of a commit. The API does not list the paths that it touches.
func (t translator) commit(repo string, c commit) *event.Commit {
	committed := latest(c.CommittedDate.Time, c.CreatedAt.Time)
	authored := c.AuthoredDate.Time
	if authored.IsZero() {
		authored = committed
	}
	if committed.IsZero() {
		committed = authored
	}
	author := strings.ToLower(strings.TrimSpace(c.AuthorEmail))
	parents := c.ParentIDs
	if parents == nil {
		parents = []string{}
	}
	return &event.Commit{
		Telling:          t.telling(latest(authored, committed)),
		Repository:       repo,
		SHA:              c.ID,
		Parents:          parents,
		Author:           clip(cmp.Or(author, strings.TrimSpace(c.AuthorName))),
		Bot:              t.rules.Bot(author) || t.rules.Bot(strings.TrimSpace(c.AuthorName)),
		AuthoredAt:       authored,
		CommittedAt:      committed,
		Subject:          subject(cmp.Or(c.Message, c.Title)),
		CherryPickedFrom: lastMatch(copied, c.Message),
		Reverts:          firstMatch(undone, c.Message),
	}
}

// What git writes into messages, with a whole sha: a shortened one cannot be looked up here.
var (
	copied = regexp.MustCompile(`(?m)^[ \t]*\(cherry picked from commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\)`)
	undone = regexp.MustCompile(`(?m)^[ \t]*This reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b`)
)

func firstMatch(re *regexp.Regexp, message string) string {
	if found := re.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

func lastMatch(re *regexp.Regexp, message string) string {
	if found := re.FindAllStringSubmatch(message, -1); len(found) > 0 {
		return found[len(found)-1][1]
	}
	return ""
}

// maxSubject is how many characters of a commit's subject are kept.
const maxSubject = 500

// subject is the first paragraph of a message on one line.
func subject(message string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(message), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		lines = append(lines, line)
	}
	text := []rune(strings.ToValidUTF8(strings.Join(lines, " "), ""))
	return strings.TrimSpace(string(text[:min(len(text), maxSubject)]))
}

// changeRequest is the fact of a merge request with its original commits and its notes.
//
// What the merge put on the base branch is the merge commit, or the squashed commit, or both; where GitLab names
// neither, the merge was a fast-forward and the head itself landed.
//
// A review is a comment, an approval or a request for changes by a person other than the author. An approval that was
// taken back is a review and no approval any more. GitLab tells of approvals, and of when a merge request left draft,
// in notes that it writes itself.
func (t translator) changeRequest(repo string, m mergeRequest, commits []commit, notes []note) *event.ChangeRequest {
	fact := &event.ChangeRequest{
		Telling:    t.telling(m.UpdatedAt.Time),
		Repository: repo,
		ID:         itoa(m.IID),
		Author:     clip(m.Author.Username),
		Title:      clip(m.Title),
		BaseBranch: clip(m.TargetBranch),
		CreatedAt:  m.CreatedAt.Time,
		Labels:     texts(m.Labels),
		URL:        clip(m.WebURL),
	}
	switch m.State {
	case "merged":
		fact.MergedAt = earliest(m.MergedAt.Time)
		if fact.MergedAt.IsZero() {
			fact.MergedAt = cmp.Or(m.ClosedAt.Time, m.UpdatedAt.Time) // merged before GitLab kept the instant
		}
		fact.Landed = slices.Compact(texts([]string{m.MergeCommitSHA, m.SquashCommitSHA}))
		switch {
		case m.SquashCommitSHA != "":
			fact.MergeMethod = "squash"
		case m.MergeCommitSHA != "":
			fact.MergeMethod = "merge"
		case m.SHA != "":
			fact.MergeMethod, fact.Landed = "fast_forward", []string{m.SHA}
		}
	case "closed":
		fact.ClosedAt = cmp.Or(m.ClosedAt.Time, m.UpdatedAt.Time)
	}
	for _, c := range commits {
		fact.Commits = append(fact.Commits, c.ID)
		fact.FirstCommitAt = earliest(fact.FirstCommitAt, c.AuthoredDate.Time, c.CommittedDate.Time)
	}
	approvals := map[string]time.Time{}
	for _, n := range notes {
		at, who := n.CreatedAt.Time, n.Author.Username
		said := ""
		if n.System {
			said = saidBy(n.Body)
		}
		if said == "ready" {
			fact.ReadyAt = at
		}
		if at.IsZero() || strings.EqualFold(who, m.Author.Username) || n.Author.Bot || t.rules.Bot(who) {
			continue
		}
		switch {
		case said == "approved":
			if _, before := approvals[who]; !before {
				approvals[who] = at
			}
		case said == "unapproved":
			delete(approvals, who)
		}
		if !n.System || said == "approved" || said == "requested changes" {
			fact.FirstReviewAt = earliest(fact.FirstReviewAt, at)
		}
	}
	for _, at := range approvals {
		fact.ApprovedAt = earliest(fact.ApprovedAt, at)
	}
	if m.Draft || m.WorkInProgress {
		fact.ReadyAt = time.Time{}
	}
	return fact
}

// saidBy is what a note that GitLab wrote itself tells: approved, unapproved, ready, or "" for the rest.
func saidBy(body string) string {
	body = strings.ToLower(strings.TrimSpace(body))
	switch {
	case strings.HasPrefix(body, "approved this merge request"):
		return "approved"
	case strings.HasPrefix(body, "unapproved this merge request"):
		return "unapproved"
	case strings.HasPrefix(body, "requested changes"):
		return "requested changes"
	case strings.HasPrefix(body, "marked this merge request as **ready**"), strings.HasPrefix(body, "unmarked as a **work in progress**"),
		strings.HasPrefix(body, "unmarked this merge request as a work in progress"), strings.HasPrefix(body, "unmarked this merge request as a draft"):
		return "ready"
	}
	return ""
}

// run is the fact of a pipeline. Lists of pipelines do not say when one started or ended; whole says that this one was
// asked for by itself. Otherwise the latest change of an ended one is its end. The attempts of its jobs are no attempts
// of a pipeline: it goes on, with the same id.
func (t translator) run(k known, p pipeline, whole bool) *event.PipelineRun {
	fact := &event.PipelineRun{
		Telling:    t.telling(p.UpdatedAt.Time),
		Repository: k.Fact,
		ID:         itoa(p.ID),
		Attempt:    1,
		Name:       clip(p.Name),
		SHA:        p.SHA,
		Ref:        clip(p.Ref),
		Status:     runStatus(p.Status),
		QueuedAt:   p.CreatedAt.Time,
		Template:   clip(k.template()),
		URL:        clip(p.WebURL),
	}
	fact.Way = t.rules.Way(fact.Template)
	if whole && fact.Status != "queued" {
		fact.StartedAt = p.StartedAt.Time
	}
	if ended(fact.Status) {
		fact.FinishedAt = p.UpdatedAt.Time
		if whole {
			fact.FinishedAt = cmp.Or(p.FinishedAt.Time, p.UpdatedAt.Time)
		}
	}
	return fact
}

// runStatus is the status of a pipeline or a job. One that waits for somebody to start its next job (manual) goes on.
func runStatus(status string) string {
	switch status {
	case "success":
		return "succeeded"
	case "failed":
		return "failed"
	case "canceled", "canceling":
		return "cancelled"
	case "skipped":
		return "skipped"
	case "running", "manual":
		return "in_progress"
	}
	return "queued" // created, waiting_for_resource, waiting_for_callback, preparing, pending, scheduled
}

// ended says whether a status is the end of a run.
func ended(status string) bool {
	switch status {
	case "succeeded", "failed", "cancelled", "skipped":
		return true
	}
	return false
}

// deploymentStatus is the status of a deployment that GitLab knows of. One that waits for an approval is blocked.
func deploymentStatus(status string) string {
	switch status {
	case "running":
		return "in_progress"
	case "success", "failed", "canceled", "skipped":
		return runStatus(status)
	}
	return "pending" // created, blocked
}

// deployment is the fact of a deployment that GitLab knows of, nil unless the verdict is that it is one. It ended when its
// job did; where no job made it, at its latest change.
func (t translator) deployment(k known, d deployment) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{
		Repository: k.Fact, From: rules.FromDeployment, Name: d.Environment.Name, Environment: d.Environment.Name, Tier: tier(d.Environment.Tier),
		Pipeline: k.template(),
	})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.deploymentOf(k.Fact, d.SHA, d.Ref, verdict)
	fact.Telling = t.telling(d.UpdatedAt.Time)
	fact.ID = "deployment:" + itoa(d.ID)
	fact.Status = deploymentStatus(d.Status)
	fact.CreatedAt = d.CreatedAt.Time
	fact.Actor = clip(d.User.Username)
	end := d.UpdatedAt.Time
	if job := d.Deployable; job != nil && job.ID != 0 {
		if fact.Status != "pending" {
			fact.StartedAt = job.StartedAt.Time
		}
		end = cmp.Or(job.FinishedAt.Time, end)
		if job.Pipeline.ID != 0 {
			fact.PipelineRun = itoa(job.Pipeline.ID)
		}
		fact.URL = clip(cmp.Or(job.WebURL, t.link(k.Path, "jobs", itoa(job.ID))))
	}
	if ended(fact.Status) {
		fact.FinishedAt = end
		if fact.StartedAt.After(end) {
			fact.StartedAt = time.Time{}
		}
	}
	return fact, verdict
}

// tier is a tier of GitLab's environments as facts have it.
func tier(text string) string {
	switch text {
	case "production", "staging", "testing", "development", "other":
		return text
	}
	return ""
}

// runDeployment is a pipeline that rules call a deployment, nil unless the verdict is that it is one. It goes by the name
// that the configuration gives its pipelines (workflow:name), and without one by the branch or tag.
func (t translator) runDeployment(k known, p pipeline) (*event.Deployment, rules.Verdict) {
	run := t.run(k, p, true)
	verdict := t.judge(rules.Candidate{Repository: k.Fact, From: rules.FromWorkflow, Name: cmp.Or(p.Name, p.Ref), Pipeline: run.Template})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.deploymentOf(k.Fact, run.SHA, run.Ref, verdict)
	fact.Telling = run.Telling
	fact.ID = "run:" + run.ID
	fact.Status = deploymentStatusOf(run.Status)
	fact.CreatedAt, fact.StartedAt, fact.FinishedAt = run.QueuedAt, run.StartedAt, run.FinishedAt
	fact.Actor = clip(p.User.Username)
	fact.PipelineRun, fact.URL = run.ID, run.URL
	return fact, verdict
}

// jobDeployment is a job that rules call a deployment, nil unless the verdict is that it is one. A job that is retried is
// a new one for GitLab; here it is another attempt of the same deployment. GitLab does not say when a job was changed
// last; it is told as of the latest thing that happened to it.
func (t translator) jobDeployment(k known, j job) (*event.Deployment, rules.Verdict) {
	if !j.ran() {
		return nil, rules.Verdict{Rule: "a job that was not started is no deployment"}
	}
	verdict := t.judge(rules.Candidate{Repository: k.Fact, From: rules.FromJob, Name: j.Name, Environment: j.environment, Tier: tier(j.tier), Pipeline: k.template()})
	if !verdict.Deployment {
		return nil, verdict
	}
	status := runStatus(j.Status)
	fact := t.deploymentOf(k.Fact, j.Commit.ID, j.Ref, verdict)
	fact.ID, fact.Attempt = "job:"+itoa(j.pipeline)+":"+clip(j.Name), max(j.attempt, 1)
	fact.Status = deploymentStatusOf(status)
	fact.CreatedAt = j.CreatedAt.Time
	if status != "queued" {
		fact.StartedAt = j.StartedAt.Time
	}
	if ended(status) {
		fact.FinishedAt = latest(j.FinishedAt.Time, j.StartedAt.Time, j.CreatedAt.Time)
	}
	fact.Telling = t.telling(latest(fact.CreatedAt, fact.StartedAt, fact.FinishedAt))
	fact.Actor = clip(j.User.Username)
	fact.PipelineRun = itoa(j.pipeline)
	fact.URL = clip(cmp.Or(j.WebURL, t.link(k.Path, "jobs", itoa(j.ID))))
	return fact, verdict
}

// deploymentStatusOf is the status of a deployment whose run has a status.
func deploymentStatusOf(run string) string {
	if run == "queued" {
		return "pending"
	}
	return run
}

// releaseDeployment is a release that rules call a deployment, nil unless the verdict is that it is one. GitLab has no
// mark for a pre-release: the tag says so. One that is still to come (upcoming) has not taken place.
func (t translator) releaseDeployment(k known, r release) (*event.Deployment, rules.Verdict) {
	if r.Upcoming {
		return nil, rules.Verdict{Rule: "a release that is still to come is no deployment"}
	}
	verdict := t.judge(rules.Candidate{Repository: k.Fact, From: rules.FromRelease, Name: r.TagName, Prerelease: prerelease.MatchString(r.TagName)})
	if !verdict.Deployment {
		return nil, verdict
	}
	released := cmp.Or(r.ReleasedAt.Time, r.CreatedAt.Time)
	fact := t.landed(k.Fact, r.Commit.ID, r.TagName, verdict, released)
	fact.ID, fact.Version = "release:"+itoa(k.ID)+":"+clip(r.TagName), clip(r.TagName)
	fact.UpdatedAt = latest(released, r.CreatedAt.Time)
	fact.Actor = clip(r.Author.Username)
	fact.URL = clip(cmp.Or(r.Links.Self, t.link(k.Path, "releases", r.TagName)))
	return fact, verdict
}

// tagDeployment is a tag that rules call a deployment, nil unless the verdict is that it is one. It took place at the
// tag's own instant, which GitLab tells of annotated tags, else at the commit's.
func (t translator) tagDeployment(k known, tag, sha string, at time.Time) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{Repository: k.Fact, From: rules.FromTag, Name: tag, Prerelease: prerelease.MatchString(tag)})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.landed(k.Fact, sha, tag, verdict, at)
	fact.ID, fact.Version = "tag:"+itoa(k.ID)+":"+clip(tag), clip(tag)
	fact.URL = clip(t.link(k.Path, "tags", tag))
	return fact, verdict
}

// branchDeployment is what landed on a branch that rules call deployed, nil unless the verdict is that it is one. at is
// when it landed there.
func (t translator) branchDeployment(k known, branch, sha string, at time.Time) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{Repository: k.Fact, From: rules.FromBranch, Name: branch})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.landed(k.Fact, sha, branch, verdict, at)
	fact.ID = "branch:" + clip(branch) + ":" + sha
	fact.URL = clip(t.link(k.Path, "commit", sha))
	return fact, verdict
}

// prerelease is a semantic version with something after a hyphen, whatever stands before it.
var prerelease = regexp.MustCompile(`(?:^|[/@_-])v?\d+\.\d+\.\d+-[0-9A-Za-z]`)

// landed is a deployment that took place in one instant.
func (t translator) landed(repo, sha, ref string, verdict rules.Verdict, at time.Time) *event.Deployment {
	fact := t.deploymentOf(repo, sha, ref, verdict)
	fact.Telling = t.telling(at)
	fact.Status = "succeeded"
	fact.CreatedAt, fact.FinishedAt = at, at
	return fact
}

// judge asks the rules. What they call a deployment without saying whose is none.
func (t translator) judge(c rules.Candidate) rules.Verdict {
	verdict := t.rules.Deployment(c)
	if verdict.Deployment && verdict.Service == "" {
		verdict.Deployment = false
	}
	return verdict
}

// version is a ref that people would call a version.
var version = regexp.MustCompile(`^(?:refs/tags/)?(v?\d+\.\d+[0-9A-Za-z.+-]*)$`)

// deploymentOf is what deployments of all kinds have in common.
func (t translator) deploymentOf(repo, sha, ref string, verdict rules.Verdict) *event.Deployment {
	fact := &event.Deployment{
		Service:     verdict.Service,
		Attempt:     1,
		Environment: clip(cmp.Or(verdict.Environment, "production")),
		Tier:        verdict.Tier,
		Way:         verdict.Way,
		Tool:        tool,
	}
	if sha != "" {
		fact.Revisions = []event.Revision{{Repository: repo, SHA: sha}}
	}
	if found := version.FindStringSubmatch(ref); found != nil {
		fact.Version = clip(found[1])
	}
	fact.Hotfix, _ = t.rules.Hotfix(ref, "", nil)
	return fact
}

// services are the registrations of services that are built from some of the projects, told with their first deployment:
// without them a deployment has no service to belong to. They are told as of 1970, so that a catalogue, or anybody else
// who tells of the service, wins; with each further project a millisecond later, so that the whole list wins over a part.
func (t translator) services(repo string, others []known, own ...string) []event.Event {
	var facts []*event.Service
	at := map[string]int{}
	for _, s := range t.rules.Services(repo) {
		own = append(own, s.ID)
	}
	for _, id := range own {
		if _, again := at[id]; !again && id != "" {
			at[id] = len(facts)
			facts = append(facts, &event.Service{ID: id, Name: clip(id)})
		}
	}
	repos := []string{repo}
	for _, k := range others {
		repos = append(repos, k.Fact)
	}
	slices.Sort(repos)
	for _, r := range slices.Compact(repos) {
		for _, s := range t.rules.Services(r) {
			if i, ok := at[s.ID]; ok {
				from := s.From
				from.Repository = cmp.Or(from.Repository, r)
				facts[i].Repositories = append(facts[i].Repositories, from)
			}
		}
	}
	var told []event.Event
	for _, fact := range facts {
		if len(fact.Repositories) == 0 {
			fact.Repositories = []event.ServiceRepository{{Repository: repo}}
		}
		fact.Telling = t.telling(time.UnixMilli(int64(len(fact.Repositories) - 1)))
		told = append(told, fact)
	}
	return told
}

// incident is the fact of an issue that rules call an incident, nil unless it is one, or was told as one before (was).
//
// It began when the issue was opened, and was restored and resolved when it was closed. An issue that is no incident any
// more, since the label or the type that made it one was taken away, or since it was moved to another project, was none
// after all: see withdraw.
func (t translator) incident(k known, i issue, was bool) (*event.Incident, rules.Incident) {
	verdict := t.rules.Incident(rules.Issue{Repository: k.Fact, Labels: i.Labels, Type: strings.ToLower(i.Type)})
	if !verdict.Incident && !was {
		return nil, verdict
	}
	severity := verdict.Severity
	if severity == "" && !strings.EqualFold(i.Severity, "unknown") {
		severity = strings.ToLower(i.Severity)
	}
	fact := &event.Incident{
		Telling:   t.telling(i.UpdatedAt.Time),
		ID:        k.Fact + "#" + itoa(i.IID),
		Service:   verdict.Service,
		Title:     clip(i.Title),
		Severity:  clip(severity),
		StartedAt: i.CreatedAt.Time,
		URL:       clip(i.WebURL),
	}
	if i.State == "closed" {
		fact.ResolvedAt = cmp.Or(i.ClosedAt.Time, i.UpdatedAt.Time)
		fact.RestoredAt = fact.ResolvedAt
	}
	if !verdict.Incident || i.MovedTo != 0 {
		withdraw(fact)
	}
	return fact, verdict
}

// withdraw makes a fact say that an issue was no incident after all. A fact cannot be taken back, so it becomes one that
// concerns no service, had no cause in a deployment, and was over when it began: no service's number counts it.
func withdraw(fact *event.Incident) {
	fact.UpdatedAt = fact.UpdatedAt.Add(time.Millisecond)
	fact.Service, fact.Severity, fact.Cause = "", "", "external"
	fact.RestoredAt, fact.ResolvedAt = fact.StartedAt, fact.StartedAt
}

// team is the fact of a group.
func (t translator) team(g knownGroup, parent string, at time.Time) *event.Team {
	return &event.Team{Telling: t.telling(at), ID: g.Fact, Name: clip(g.Name), Parent: parent, CreatedAt: g.CreatedAt, RetiredAt: g.RetiredAt}
}

// person is the fact of an account. Lists of members have no instant; it is told as of 1970. The address is that which
// GitLab makes up for those who hide theirs.
func (t translator) person(a account) *event.Person {
	fact := &event.Person{
		Telling: t.telling(time.UnixMilli(0)), ID: clip(a.Username), Name: clip(a.Name), Bot: a.Bot || t.rules.Bot(a.Username),
	}
	if host := hostOf(t.web); a.ID != 0 && host != "" {
		fact.Aliases = []string{itoa(a.ID) + "-" + strings.ToLower(a.Username) + "@users.noreply." + host}
	}
	return fact
}

// membership says that an account belonged to a group during [from, to), as of at.
func (t translator) membership(person, team string, from, to, at time.Time) *event.Membership {
	return &event.Membership{Telling: t.telling(at), Person: clip(person), Team: team, From: from, To: to}
}

// hostOf is the host of an address.
func hostOf(web string) string {
	_, rest, _ := strings.Cut(web, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	return host
}

// link is the address of a thing of a project.
func (t translator) link(path, what, name string) string {
	return t.web + "/" + path + "/-/" + what + "/" + name
}

// maxText is how many characters of a text are kept, as event allows for most.
const maxText = 4096

func clip(s string) string {
	s = strings.ToValidUTF8(s, "")
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText])
}

// texts is a list without what is empty; nil when nothing is left.
func texts(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, clip(s))
		}
	}
	return kept
}
