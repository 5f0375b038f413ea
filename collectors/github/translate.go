package github

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// translator turns what GitHub says into events: pure functions, used alike for what is read and for what webhooks bring,
// so that the same state gives the same telling, with the same updated_at, however it came.
//
// GitHub's instants have whole seconds. Where two tellings of one state have to be ordered, milliseconds do it: what
// knows less of a fact is told a millisecond before what knows all of it (see partial).
type translator struct {
	source string // name of the connection
	rules  *rules.Rules
	host   string // such as github.com, for links
}

// tool is what deployments that GitHub knows of were made with, as far as it says.
const tool = "github"

func (t translator) telling(at time.Time) event.Telling {
	return event.Telling{Source: t.source, UpdatedAt: at.UTC()}
}

// partial marks a telling by something that does not know the whole fact, such as a webhook with one of a deployment's
// statuses: of two tellings of one state the whole one wins, and a later state wins over both.
func partial(e event.Event) {
	e.Common().UpdatedAt = e.Common().UpdatedAt.Add(-time.Millisecond)
}

// repository is the fact of a repository whose id in facts is id; that stays when the repository is renamed. GitHub's
// REST interface says that a repository is archived, not since when: the latest change of an archived repository is
// taken, which is at the latest the archiving.
func (t translator) repository(r *github.Repository, id string) *event.Repository {
	updated := instant(r.UpdatedAt)
	fact := &event.Repository{
		Telling:       t.telling(updated),
		ID:            id,
		Name:          r.GetName(),
		DefaultBranch: r.GetDefaultBranch(),
		URL:           r.GetHTMLURL(),
	}
	if r.GetArchived() {
		fact.ArchivedAt = updated
	}
	return fact
}

// branch is the head of a branch, as of at: the instant of the push, or of the repository's latest push (pushed_at) when
// the head is read.
func (t translator) branch(repo, name, sha string, isDefault bool, at time.Time) *event.Branch {
	return &event.Branch{Telling: t.telling(at), Repository: repo, Name: clip(name), SHA: sha, Default: isDefault}
}

// pullRequest is what both of GitHub's interfaces say of a pull request.
type pullRequest struct {
	number      int
	author      string // login
	authorIsBot bool
	title       string
	draft       bool
	base        string // branch
	headRef     string
	headSHA     string

	created, updated time.Time
	ready            time.Time // when it last left draft; zero when it never was one, or nobody says
	merged, closed   time.Time // zero: not

	mergeSHA     string   // of an open pull request it is a test merge, which counts for nothing
	mergeParents int      // parents of the commit mergeSHA; 0: not known
	landed       []string // what the merge put on the base branch, when it is known; else the commit mergeSHA

	commits []pullCommit // original commits of the head branch
	reviews []review
	labels  []string

	additions, deletions int
	url                  string
}

// pullCommit is an original commit of a pull request.
type pullCommit struct {
	sha                 string
	authored, committed time.Time
	author              string
}

// review is a review of a pull request.
type review struct {
	author    string // login; "" when the account is gone
	bot       bool
	state     string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED or PENDING, in any case
	submitted time.Time
}

// changeRequest is the fact of a pull request. A review counts when a person other than the author has submitted it; an
// approval that was dismissed is a review and no approval any more.
func (t translator) changeRequest(repo string, pr pullRequest) *event.ChangeRequest {
	fact := &event.ChangeRequest{
		Telling:    t.telling(pr.updated),
		Repository: repo,
		ID:         strconv.Itoa(pr.number),
		Author:     loginOf(pr.author, pr.authorIsBot),
		Title:      clip(pr.title),
		BaseBranch: clip(pr.base),
		CreatedAt:  pr.created.UTC(),
		MergedAt:   pr.merged.UTC(),
		Labels:     texts(pr.labels),
		Additions:  int64(max(pr.additions, 0)),
		Deletions:  int64(max(pr.deletions, 0)),
		URL:        clip(pr.url),
	}
	if !pr.draft {
		fact.ReadyAt = pr.ready.UTC()
	}
	if pr.merged.IsZero() {
		fact.ClosedAt = pr.closed.UTC()
	} else {
		fact.Landed = texts(pr.landed)
		if len(fact.Landed) == 0 && pr.mergeSHA != "" {
			fact.Landed = []string{pr.mergeSHA}
		}
		fact.MergeMethod = pr.mergeMethod()
	}
	for _, c := range pr.commits {
		fact.Commits = append(fact.Commits, c.sha)
		fact.FirstCommitAt = earliest(fact.FirstCommitAt, c.authored.UTC(), c.committed.UTC())
	}
	for _, r := range pr.reviews {
		state := strings.ToUpper(r.state)
		if state == "PENDING" || r.submitted.IsZero() || r.bot || t.rules.Bot(r.author) || same(r.author, pr.author) {
			continue
		}
		fact.FirstReviewAt = earliest(fact.FirstReviewAt, r.submitted.UTC())
		if state == "APPROVED" {
			fact.ApprovedAt = earliest(fact.ApprovedAt, r.submitted.UTC())
		}
	}
	return fact
}

// mergeMethod is how a merged pull request was merged, "" when that cannot be told: a squash and a rebase of a single
// commit look alike.
func (pr pullRequest) mergeMethod() string {
	switch {
	case pr.mergeSHA == "":
		return ""
	case pr.mergeSHA == pr.headSHA:
		return "fast_forward" // somebody pushed the head itself to the base
	case pr.mergeParents > 1:
		return "merge"
	case pr.mergeParents == 1 && len(pr.landed) > 1:
		return "rebase"
	case pr.mergeParents == 1 && len(pr.landed) == 1 && len(pr.commits) > 1:
		return "squash"
	}
	return ""
}

// run is the fact of one attempt of a workflow run. The latest change of a completed attempt is its end.
func (t translator) run(repo string, r *github.WorkflowRun) *event.PipelineRun {
	fact := &event.PipelineRun{
		Telling:    t.telling(instant(r.UpdatedAt)),
		Repository: repo,
		ID:         strconv.FormatInt(r.GetID(), 10),
		Attempt:    int64(max(r.GetRunAttempt(), 1)),
		Name:       clip(r.GetName()),
		SHA:        r.GetHeadSHA(),
		Ref:        clip(r.GetHeadBranch()),
		Status:     runStatus(r.GetStatus(), r.GetConclusion()),
		QueuedAt:   instant(r.CreatedAt),
		Template:   clip(t.template(r)),
		URL:        clip(r.GetHTMLURL()),
	}
	fact.Way = t.rules.Way(fact.Template)
	started := instant(r.RunStartedAt)
	if fact.Attempt > 1 && !started.IsZero() {
		fact.QueuedAt = started // created_at is that of the first attempt
	}
	if fact.Status != "queued" {
		fact.StartedAt = started
	}
	if ended(fact.Status) {
		fact.FinishedAt = latest(fact.UpdatedAt, fact.StartedAt)
	}
	return fact
}

// runStatus is the status of a run or a job. A run that asks for somebody's approval (action_required) has not begun,
// although GitHub calls it completed; one that GitHub gave up on (stale) ended as if cancelled; neutral is neither a
// success nor a failure.
func runStatus(status, conclusion string) string {
	switch status {
	case "completed":
	case "in_progress":
		return "in_progress"
	default: // queued, requested, waiting, pending
		return "queued"
	}
	switch conclusion {
	case "success":
		return "succeeded"
	case "failure", "timed_out", "startup_failure":
		return "failed"
	case "cancelled", "stale":
		return "cancelled"
	case "action_required":
		return "queued"
	case "":
		return "in_progress" // completed a moment ago: the conclusion follows
	}
	return "skipped" // skipped, neutral, and what is not invented yet
}

// ended says whether a status is the end of a run.
func ended(status string) bool {
	switch status {
	case "succeeded", "failed", "cancelled", "skipped":
		return true
	}
	return false
}

// template is the shared workflow that a run went through: of several the one on the golden path, else the first.
func (t translator) template(r *github.WorkflowRun) string {
	first := ""
	for _, w := range r.ReferencedWorkflows {
		path := w.GetPath()
		if t.rules.Way(path) == "golden_path" {
			return path
		}
		if first == "" {
			first = path
		}
	}
	return first
}

// deployment is what both of GitHub's interfaces say of a deployment.
type deployment struct {
	id           int64
	sha          string
	ref          string
	task         string
	environment  string
	created      time.Time
	creator      string // login
	creatorIsBot bool
	pipeline     string // the shared workflow that it went through; "" when there is none, or nobody knows
	statuses     []deploymentStatus
}

// deploymentStatus is one status of a deployment.
type deploymentStatus struct {
	id      int64
	state   string // success, failure, error, inactive, in_progress, queued, pending or waiting, in any case
	created time.Time
	logURL  string
	url     string // of the environment
}

// deployment is the fact of a deployment that GitHub knows of, nil unless the verdict is that it is one.
//
// Its statuses in the order of their instants give the state: the latest success, failure or error is the end, whatever
// is told to be in progress after that, and the deployment finished when that end was first told. It started when it was
// first in progress. GitHub makes a
// deployment inactive when a newer one takes its place, which is no failure and no end, and moves the deployment's own
// updated_at: that is therefore never used. One that became inactive without an end was cancelled.
//
// An end is told as of its status. All that comes before the end is told as of the creation, ordered by how far it has
// come: so an end wins over everything that is not one, in whatever order they arrive.
func (t translator) deployment(repo string, d deployment) (*event.Deployment, rules.Verdict) {
	// GitHub's marks of an environment, production_environment and transient_environment, are not among the candidates:
	// GraphQL does not have them, and a deployment has to mean the same however it came.
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromDeployment, Name: d.environment, Environment: d.environment, Pipeline: d.pipeline})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.deploymentOf(repo, d.sha, d.ref, verdict)
	fact.ID = "deployment:" + strconv.FormatInt(d.id, 10)
	fact.Actor = loginOf(d.creator, d.creatorIsBot)
	fact.Rollback = slices.Contains(strings.Split(strings.ToLower(d.task), ":"), "rollback")
	fact.CreatedAt = d.created.UTC()
	state := stateOf(d.statuses)
	fact.Status, fact.StartedAt, fact.FinishedAt = state.status, state.started, state.finished
	fact.UpdatedAt = fact.CreatedAt
	if !state.told.IsZero() {
		fact.UpdatedAt = latest(state.told, fact.CreatedAt.Add(2*time.Millisecond)) // also told in part it is after the creation
	}
	fact.URL = clip(state.logURL)
	fact.PipelineRun = t.runOf(state.logURL)
	return fact, verdict
}

// state is what the statuses of a deployment come to.
type state struct {
	status            string
	started, finished time.Time
	told              time.Time // of the status that ended it; zero while it is not ended
	logURL            string
}

func stateOf(statuses []deploymentStatus) state {
	statuses = slices.Clone(statuses)
	slices.SortStableFunc(statuses, func(a, b deploymentStatus) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	s := state{status: "pending"}
	inactive := false
	for _, told := range statuses {
		at := told.created.UTC()
		end := ""
		switch strings.ToLower(told.state) {
		case "success":
			end = "succeeded"
		case "failure", "error":
			end = "failed"
		case "in_progress":
			if s.status == "pending" && !inactive {
				s.status, s.started = "in_progress", at
			}
		case "inactive":
			inactive = true
		}
		if end == "failed" && s.status == "succeeded" && at.Equal(s.told) {
			end = "" // of two ends in one second the success counts, as by event.Version
		}
		if end != "" {
			if s.status != end {
				s.finished = at
			}
			s.status, s.told = end, at
		}
		if told.logURL != "" && (end != "" || !ended(s.status) && !inactive) {
			s.logURL = told.logURL
		}
	}
	if inactive && !ended(s.status) {
		s.status = "cancelled"
	}
	return s
}

// runInLog finds the workflow run in the path of a log's address.
var runInLog = regexp.MustCompile(`/actions/runs/(\d+)(?:/|$)`)

// runOf is the id of the run whose log is at an address of this GitHub, "" when it is none.
func (t translator) runOf(logURL string) string {
	u, err := url.Parse(logURL)
	if err != nil || !strings.EqualFold(u.Host, t.web()) {
		return ""
	}
	if found := runInLog.FindStringSubmatch(u.Path); found != nil {
		return found[1]
	}
	return ""
}

// workflowDeployment is a run that rules call a deployment, nil unless the verdict is that it is one.
func (t translator) workflowDeployment(repo string, r *github.WorkflowRun) (*event.Deployment, rules.Verdict) {
	run := t.run(repo, r)
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromWorkflow, Name: r.GetName(), Pipeline: run.Template})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.deploymentOf(repo, run.SHA, run.Ref, verdict)
	fact.Telling = run.Telling
	fact.ID, fact.Attempt = "run:"+run.ID, run.Attempt
	fact.Status = deploymentStatusOf(run.Status)
	fact.CreatedAt, fact.StartedAt, fact.FinishedAt = run.QueuedAt, run.StartedAt, run.FinishedAt
	fact.Actor = account(cmp.Or(r.TriggeringActor, r.Actor))
	fact.PipelineRun, fact.URL = run.ID, run.URL
	return fact, verdict
}

// jobDeployment is a job that rules call a deployment, nil unless the verdict is that it is one. GitHub does not say when
// a job was changed last; it is told as of the latest thing that happened to it.
func (t translator) jobDeployment(repo string, j *github.WorkflowJob) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromJob, Name: j.GetName()})
	if !verdict.Deployment {
		return nil, verdict
	}
	status := runStatus(j.GetStatus(), j.GetConclusion())
	fact := t.deploymentOf(repo, j.GetHeadSHA(), j.GetHeadBranch(), verdict)
	fact.ID, fact.Attempt = "job:"+strconv.FormatInt(j.GetID(), 10), max(j.GetRunAttempt(), 1)
	fact.Status = deploymentStatusOf(status)
	fact.CreatedAt = instant(j.CreatedAt)
	if status != "queued" {
		fact.StartedAt = instant(j.StartedAt)
	}
	if ended(status) {
		fact.FinishedAt = latest(cmp.Or(instant(j.CompletedAt), fact.CreatedAt), fact.StartedAt)
	}
	fact.UpdatedAt = latest(fact.CreatedAt, fact.StartedAt, fact.FinishedAt)
	fact.PipelineRun = strconv.FormatInt(j.GetRunID(), 10)
	fact.URL = clip(j.GetHTMLURL())
	return fact, verdict
}

// deploymentStatusOf is the status of a deployment whose run has a status.
func deploymentStatusOf(run string) string {
	if run == "queued" {
		return "pending"
	}
	return run
}

// releaseDeployment is a release that rules call a deployment, nil unless the verdict is that it is one. sha is the commit
// of the release's tag; GitHub's releases do not carry it, and what they call target_commitish is mostly a branch.
//
// GitHub's releases do not say when they were changed. What changes is a pre-release that becomes a release: that is
// told as of two milliseconds later, so that it wins; the way back changes nothing.
func (t translator) releaseDeployment(repo string, r *github.RepositoryRelease, sha string) (*event.Deployment, rules.Verdict) {
	if r.GetDraft() || r.PublishedAt == nil {
		return nil, rules.Verdict{Rule: "a release that is not published is no deployment"}
	}
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromRelease, Name: r.GetTagName(), Prerelease: r.GetPrerelease()})
	if !verdict.Deployment {
		return nil, verdict
	}
	published := instant(r.PublishedAt)
	fact := t.deploymentOf(repo, sha, r.GetTagName(), verdict)
	fact.Version = clip(r.GetTagName())
	fact.ID = "release:" + strconv.FormatInt(r.GetID(), 10)
	fact.Status = "succeeded"
	fact.CreatedAt, fact.FinishedAt = published, published
	fact.UpdatedAt = published.Add(time.Millisecond)
	if !r.GetPrerelease() {
		fact.UpdatedAt = fact.UpdatedAt.Add(2 * time.Millisecond)
	}
	fact.Actor = account(r.Author)
	fact.URL = clip(r.GetHTMLURL())
	return fact, verdict
}

// tagDeployment is a tag that rules call a deployment, nil unless the verdict is that it is one. at is when it was pushed,
// or as near to that as is known: the tagger's instant, else the commit's. A tag that is moved is told again, later.
func (t translator) tagDeployment(repo, tag, sha string, at time.Time) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromTag, Name: tag, Prerelease: prerelease.MatchString(tag)})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.landed(repo, sha, tag, verdict, at)
	fact.ID, fact.Version = "tag:"+tag, clip(tag)
	fact.URL = t.link(repo, "tree", tag)
	return fact, verdict
}

// prerelease is a semantic version with something after a hyphen, whatever stands before it.
var prerelease = regexp.MustCompile(`(?:^|[/@_-])v?\d+\.\d+\.\d+-[0-9A-Za-z]`)

// branchDeployment is what landed on a branch that rules call deployed, nil unless the verdict is that it is one. at is
// when it landed there.
func (t translator) branchDeployment(repo, branch, sha string, at time.Time) (*event.Deployment, rules.Verdict) {
	verdict := t.judge(rules.Candidate{Repository: repo, From: rules.FromBranch, Name: branch})
	if !verdict.Deployment {
		return nil, verdict
	}
	fact := t.landed(repo, sha, branch, verdict, at)
	fact.ID = "branch:" + branch + ":" + sha
	fact.URL = t.link(repo, "commit", sha)
	return fact, verdict
}

// landed is a deployment that took place in one instant.
func (t translator) landed(repo, sha, ref string, verdict rules.Verdict, at time.Time) *event.Deployment {
	fact := t.deploymentOf(repo, sha, ref, verdict)
	fact.Telling = t.telling(at)
	fact.Status = "succeeded"
	fact.CreatedAt, fact.FinishedAt = at.UTC(), at.UTC()
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
		Telling:     event.Telling{Source: t.source},
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

// services are the registrations of what is built from a repository, told with a first deployment: without them a
// deployment has no service to belong to. own is the service of a deployment, which a rule may have named beside those
// of the repository. They are told as of 1970, so that a catalogue, or anybody else who tells of the service, wins.
func (t translator) services(repo string, own ...string) []*event.Service {
	var facts []*event.Service
	known := map[string]int{}
	add := func(id string, from event.ServiceRepository) {
		i, again := known[id]
		if !again {
			i = len(facts)
			known[id] = i
			facts = append(facts, &event.Service{Telling: t.telling(time.UnixMilli(0)), ID: id, Name: id})
		}
		facts[i].Repositories = append(facts[i].Repositories, from)
	}
	for _, s := range t.rules.Services(repo) {
		from := s.From
		from.Repository = cmp.Or(from.Repository, repo)
		add(s.ID, from)
	}
	for _, id := range own {
		if _, again := known[id]; !again && id != "" {
			add(id, event.ServiceRepository{Repository: repo})
		}
	}
	return facts
}

// incident is the fact of an issue that rules call an incident, nil unless it is one. Pull requests, which GitHub lists
// among issues, are none.
//
// It began when the issue was opened and was restored and resolved when it was closed. An issue that is closed as not
// planned or as a duplicate, that was deleted, moved elsewhere, or that lost the label which made it an incident (removed) was
// no incident after all: see withdrawn.
func (t translator) incident(repo string, i *github.Issue, removed ...string) (*event.Incident, rules.Incident) {
	if i.IsPullRequest() {
		return nil, rules.Incident{Rule: "a pull request is no incident"}
	}
	labels := make([]string, 0, len(i.Labels)+len(removed))
	for _, l := range i.Labels {
		labels = append(labels, l.GetName())
	}
	verdict := t.rules.Incident(rules.Issue{Repository: repo, Labels: labels})
	without := !verdict.Incident
	if without && len(removed) > 0 {
		verdict = t.rules.Incident(rules.Issue{Repository: repo, Labels: append(labels, removed...)})
	}
	if !verdict.Incident {
		return nil, verdict
	}
	fact := &event.Incident{
		Telling:   t.telling(instant(i.UpdatedAt)),
		ID:        repo + "#" + strconv.Itoa(i.GetNumber()),
		Service:   verdict.Service,
		Title:     clip(i.GetTitle()),
		Severity:  clip(verdict.Severity),
		StartedAt: instant(i.CreatedAt),
		URL:       clip(i.GetHTMLURL()),
	}
	if i.GetState() == "closed" {
		fact.ResolvedAt = instant(i.ClosedAt)
		fact.RestoredAt = fact.ResolvedAt
	}
	if reason := i.GetStateReason(); without || i.GetState() == "closed" && (reason == "not_planned" || reason == "duplicate") {
		withdraw(fact)
	}
	return fact, verdict
}

// withdraw makes a fact say that an issue was no incident after all. A fact cannot be taken back, so it becomes one that
// concerns no service, had no cause in a deployment, and was over when it began: no service's number counts it. It is
// told a millisecond after the issue's latest change, since deleting an issue does not count as one.
func withdraw(fact *event.Incident) {
	fact.UpdatedAt = fact.UpdatedAt.Add(time.Millisecond)
	fact.Service, fact.Severity, fact.Cause = "", "", "external"
	fact.RestoredAt, fact.ResolvedAt = fact.StartedAt, fact.StartedAt
}

// person is the fact of an account. An account as it stands in lists has neither a name nor an instant; it is told as of
// 1970.
func (t translator) person(u *github.User) *event.Person {
	at := time.UnixMilli(0)
	if u.UpdatedAt != nil {
		at = u.UpdatedAt.Time
	}
	name := account(u)
	fact := &event.Person{Telling: t.telling(at), ID: name, Name: clip(u.GetName()), Bot: isBot(u) || t.rules.Bot(name)}
	domain := "users.noreply." + t.web()
	if u.GetID() != 0 {
		fact.Aliases = append(fact.Aliases, fmt.Sprintf("%d+%s@%s", u.GetID(), strings.ToLower(name), domain))
	}
	fact.Aliases = append(fact.Aliases, strings.ToLower(name)+"@"+domain)
	if address := strings.ToLower(u.GetEmail()); address != "" && !slices.Contains(fact.Aliases, address) {
		fact.Aliases = append(fact.Aliases, address)
	}
	return fact
}

// teamID is a team's id in facts, as it stands in CODEOWNERS: acme/checkout.
func teamID(org, slug string) string { return org + "/" + slug }

// team is the fact of a team, as of at: GitHub does not say when a team was changed.
func (t translator) team(org string, team *github.Team, at time.Time) *event.Team {
	fact := &event.Team{Telling: t.telling(at), ID: teamID(org, team.GetSlug()), Name: clip(team.GetName())}
	if team.Parent != nil {
		fact.Parent = teamID(org, team.Parent.GetSlug())
	}
	return fact
}

// membership says that an account belonged to a team during [from, to), as of at. GitHub does not say since when or
// until when.
func (t translator) membership(person, team string, from, to, at time.Time) *event.Membership {
	return &event.Membership{Telling: t.telling(at), Person: person, Team: team, From: from.UTC(), To: to.UTC()}
}

// link is the address of a thing of a repository.
func (t translator) link(repo, what, name string) string {
	return clip("https://" + t.web() + "/" + repo + "/" + what + "/" + name)
}

// web is the host of GitHub's pages.
func (t translator) web() string { return cmp.Or(t.host, "github.com") }

// account is the login of an account in facts, "" when it is gone.
func account(u *github.User) string {
	return loginOf(u.GetLogin(), isBot(u))
}

func isBot(u *github.User) bool { return u.GetType() == "Bot" }

// loginOf is a login in facts. GitHub's REST interface writes dependabot[bot] where its GraphQL writes dependabot and says
// that it is a bot.
func loginOf(name string, bot bool) string {
	if bot && name != "" && !strings.HasSuffix(name, "[bot]") {
		return name + "[bot]"
	}
	return name
}

// same says whether two logins are one account's, in either of the ways that bots are written.
func same(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "[bot]"), strings.TrimSuffix(b, "[bot]"))
}

// instant is a timestamp of GitHub, zero where there is none.
func instant(t *github.Timestamp) time.Time {
	if t == nil || t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// earliest is the earliest instant that is known.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// latest is the latest instant.
func latest(instants ...time.Time) time.Time {
	var last time.Time
	for _, t := range instants {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// maxText is how many characters of a text are kept, as event allows for most.
const maxText = 4096

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := 0
	for i := range s {
		if n == maxText {
			return s[:i]
		}
		n++
	}
	return s
}

// texts is a list without what is empty; nil when nothing is left.
func texts(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" && utf8.ValidString(s) {
			kept = append(kept, clip(s))
		}
	}
	return kept
}
