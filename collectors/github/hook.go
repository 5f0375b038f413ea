package github

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Receiver hears GitHub's webhooks. It is safe for use from several goroutines.
//
// What a delivery tells whole becomes a fact at once. What it tells in part (one status of a deployment, a pull request
// without its reviews) wakes the list that it belongs to, so that the thing is read again, whole; a deployment, whose
// part is worth having within a second, is told in part as well, a millisecond before the whole (see partial). Without a
// credential there is nobody to wake: then all that a delivery has is told, as far as it goes.
type Receiver struct {
	t      translator
	signed *signature.Scheme
	// Reads says whether there is a credential, so that what is woken is read.
	reads bool
	// lists says whether the connection has a list of a kind for a repository; "" is the connection itself.
	lists func(repo, kind string) bool
	// repository is the id in facts of one of GitHub's repositories; false: it is left out.
	repository func(id int64, fullName string) (string, bool)
}

// hears is what a Receiver needs to know of its connection.
type hears struct {
	secrets    []string
	reads      bool
	lists      func(repo, kind string) bool
	repository func(id int64, fullName string) (string, bool)
}

func newReceiver(t translator, h hears) (*Receiver, error) {
	signed, err := signature.GitHub(h.secrets...)
	if err != nil {
		return nil, err
	}
	return &Receiver{t: t, signed: signed, reads: h.reads, lists: h.lists, repository: h.repository}, nil
}

// Verify says whether the raw body of a delivery was signed with one of the connection's secrets: nil, or fault.Denied.
// GitHub's signatures carry no time, so now does not matter.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.signed.Verify(h, body, now)
}

// headers of a delivery that carry meaning.
func headers() []string {
	return []string{
		"Content-Type", "X-Github-Event", "X-Github-Delivery", "X-Github-Hook-Id",
		"X-Github-Hook-Installation-Target-Id", "X-Github-Hook-Installation-Target-Type", "X-Github-Enterprise-Host",
	}
}

// Describe makes the delivery of a verified request; whoever received it adds when.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	d := source.Delivery{
		Source: r.t.source,
		ID:     h.Get("X-Github-Delivery"),
		Event:  h.Get("X-Github-Event"),
		Header: http.Header{},
		Body:   body,
	}
	if d.ID == "" {
		hash := sha256.Sum256(body)
		d.ID = hex.EncodeToString(hash[:])
	}
	for _, name := range headers() {
		if values := h.Values(name); len(values) > 0 {
			d.Header[name] = values
		}
	}
	return d
}

// Reasons to ignore a delivery.
const (
	ignoredPing         = "ping"
	ignoredEvent        = "an event that tells nothing that is counted"
	ignoredUnknown      = "an event that is not known here"
	ignoredLeftOut      = "a repository that is left out"
	ignoredRef          = "a ref that is neither a branch nor a tag"
	ignoredTagDeleted   = "a tag was deleted; its deployment took place"
	ignoredTag          = "a tag that is no deployment"
	ignoredByPush       = "a branch or tag that the push tells of"
	ignoredJob          = "a job that is no deployment"
	ignoredDeployment   = "a deployment that is none by the rules"
	ignoredInactive     = "a deployment made inactive, which is no end"
	ignoredRelease      = "a release that is no deployment"
	ignoredReleaseGone  = "a release was taken back; its deployment took place"
	ignoredIssue        = "an issue that is no incident"
	ignoredChange       = "a pull request changed in nothing that is told"
	ignoredReview       = "a review, without a credential to read the rest"
	ignoredTeams        = "teams or members, without a credential to read them"
	ignoredInstallation = "an installation, without a credential to read its repositories"
)

// uncounted are GitHub's events that tell nothing that is counted here, or nothing that another event does not tell: they
// are not even parsed.
func uncounted(name string) bool {
	switch name {
	case "branch_protection_configuration", "branch_protection_rule", "bypass_request_push_ruleset", "bypass_request_secret_scanning",
		"cache_sync", "check_run", "check_suite", "code_scanning_alert", "commit_comment", "content_reference", "custom_property",
		"custom_property_values", "dependabot_alert", "deploy_key", "deployment_protection_rule", "deployment_review", "discussion",
		"discussion_comment", "enterprise", "dismissal_request_code_scanning", "dismissal_request_dependabot", "dismissal_request_secret_scanning",
		"fork", "github_app_authorization", "gollum", "installation_target", "issue_comment", "issue_dependencies", "label",
		"marketplace_purchase", "merge_group", "meta", "milestone", "org_block", "package", "page_build", "personal_access_token_request",
		"project", "project_card", "project_column", "projects_v2", "projects_v2_item", "projects_v2_status_update",
		"pull_request_review_comment", "pull_request_review_thread", "registry_package", "repository_advisory",
		"repository_dispatch", "repository_import", "repository_ruleset", "repository_vulnerability_alert", "secret_scanning_alert",
		"secret_scanning_alert_location", "secret_scanning_scan", "security_advisory", "security_and_analysis", "sponsorship", "star",
		"status", "sub_issues", "user", "watch", "workflow_dispatch":
		return true
	}
	return false
}

// Hear tells what a verified delivery means. An error, a fault.Invalid, says that the delivery cannot be understood: it
// stays so when it is heard again.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	switch {
	case d.Event == "":
		return source.Heard{}, fault.New(fault.Invalid, "the delivery has no header X-Github-Event: it does not come from GitHub")
	case d.Event == "ping":
		return source.Heard{Ignored: ignoredPing}, nil
	case uncounted(d.Event):
		return source.Heard{Ignored: ignoredEvent}, nil
	}
	hear := r.hearing(d.Event)
	if hear == nil {
		return source.Heard{Ignored: ignoredUnknown}, nil
	}
	payload, err := payloadOf(d)
	if err != nil {
		return source.Heard{}, err
	}
	heard := &hearing{Receiver: r}
	if err := hear(heard, payload); err != nil {
		return source.Heard{}, fault.Wrap(fault.Invalid, err, "a delivery of GitHub's event %s", d.Event)
	}
	// A fact that intake would refuse stays refused: an instant in the year 1, a name without an end.
	for _, fact := range heard.Facts {
		if wrong := event.Validate(fact); wrong != nil {
			return source.Heard{}, fault.Wrap(fault.Invalid, wrong, "a delivery of GitHub's event %s", d.Event)
		}
	}
	return heard.Heard, nil
}

// payloadOf is the JSON of a delivery, which may be wrapped in a form.
func payloadOf(d source.Delivery) ([]byte, error) {
	if kind, _, _ := mime.ParseMediaType(d.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return d.Body, nil
	}
	form, err := url.ParseQuery(string(d.Body))
	if err != nil || !form.Has("payload") {
		return nil, fault.New(fault.Invalid, "the delivery is a form without a field payload: let the webhook send application/json")
	}
	return []byte(form.Get("payload")), nil
}

// hearing is one delivery while it is heard.
type hearing struct {
	*Receiver
	source.Heard
}

// hearing is what understands an event, nil when it is not known.
func (r *Receiver) hearing(name string) func(*hearing, []byte) error {
	switch name {
	case "push":
		return (*hearing).push
	case "create", "delete":
		return (*hearing).ref
	case "pull_request":
		return (*hearing).pullRequest
	case "pull_request_review":
		return (*hearing).review
	case "workflow_run":
		return (*hearing).run
	case "workflow_job":
		return (*hearing).job
	case "deployment":
		return (*hearing).deployment
	case "deployment_status":
		return (*hearing).deploymentStatus
	case "release":
		return (*hearing).release
	case "issues":
		return (*hearing).issue
	case "repository", "public":
		return (*hearing).repositoryChange
	case "organization", "member", "membership", "team", "team_add":
		return (*hearing).people
	case "installation", "installation_repositories":
		return (*hearing).installation
	}
	return nil
}

// tell adds facts.
func (h *hearing) tell(facts ...event.Event) { h.Facts = append(h.Facts, facts...) }

// wake asks for a list of a repository ("" is the connection), or one thing of it, to be read again, when there is
// somebody to read it.
func (h *hearing) wake(repo, kind, subject string) {
	if !h.reads || !h.lists(repo, kind) {
		return
	}
	stream := kind
	if repo != "" {
		stream = repo + "/" + kind
	}
	h.Wakes = append(h.Wakes, source.Wake{Stream: stream, Subject: subject})
}

// otherwise gives the reason why nothing was told and nobody woken, if it is so.
func (h *hearing) otherwise(reason string) error {
	if len(h.Facts) == 0 && len(h.Wakes) == 0 {
		h.Ignored = reason
	}
	return nil
}

// of finds the repository of a delivery. Without a credential nobody else tells of the repository, so each delivery does.
func (h *hearing) of(r *github.Repository) (repo string, counts bool, err error) {
	if r.GetID() == 0 || r.GetFullName() == "" {
		return "", false, fault.New(fault.Invalid, "it names no repository")
	}
	repo, counts = h.repository(r.GetID(), r.GetFullName())
	if !counts {
		h.Ignored = ignoredLeftOut
		return "", false, nil
	}
	return repo, true, nil
}

// knows tells of the repository along with what happened in it, where nobody else does.
func (h *hearing) knows(r *github.Repository, repo string) {
	if !h.reads && r.UpdatedAt != nil {
		h.tell(h.t.repository(r, repo))
	}
}

// deployed tells a deployment, with its service.
func (h *hearing) deployed(repo string, d *event.Deployment) {
	for _, s := range h.t.services(repo, d.Service) {
		h.tell(s)
	}
	h.tell(d)
}

// push is a branch or a tag that moved. Its instant is that of the repository's latest push. The head of the default branch
// is told by whoever reads the commits, since a head that is read has another instant, its commit's: the two could not be
// ordered. Who has nobody to read them tells it from here.
func (h *hearing) push(payload []byte) error {
	var e github.PushEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	r := repositoryOfPush(e.Repo)
	repo, counts, err := h.of(r)
	if err != nil || !counts {
		return err
	}
	at := instant(r.PushedAt)
	if at.IsZero() {
		return fault.New(fault.Invalid, "its repository has no pushed_at")
	}
	deleted := e.GetDeleted() || zero(e.GetAfter())
	if branch, ok := strings.CutPrefix(e.GetRef(), "refs/heads/"); ok && branch != "" {
		fact := h.t.branch(repo, branch, e.GetAfter(), branch == r.GetDefaultBranch(), at)
		if deleted {
			fact.SHA, fact.DeletedAt = e.GetBefore(), at
		}
		if zero(fact.SHA) {
			return fault.New(fault.Invalid, "it has no commit")
		}
		h.knows(r, repo)
		h.wake(repo, source.Commits, "")
		if !fact.Default || len(h.Wakes) == 0 {
			h.tell(fact)
		}
		if !deleted {
			if d, _ := h.t.branchDeployment(repo, branch, fact.SHA, at); d != nil {
				d.Actor = actorOfPush(e)
				h.deployed(repo, d)
			}
		}
		return nil
	}
	tag, ok := strings.CutPrefix(e.GetRef(), "refs/tags/")
	switch {
	case !ok || tag == "":
		return h.otherwise(ignoredRef)
	case deleted:
		return h.otherwise(ignoredTagDeleted)
	}
	// after is the tag itself where it is an annotated one; the commit is what it leads to.
	sha := e.GetHeadCommit().GetID()
	if sha == "" {
		sha = e.GetAfter()
	}
	if d, _ := h.t.tagDeployment(repo, tag, sha, at); d != nil {
		d.Actor = actorOfPush(e)
		h.knows(r, repo)
		h.deployed(repo, d)
	}
	h.wake(repo, source.Commits, "")
	return h.otherwise(ignoredTag)
}

func actorOfPush(e github.PushEvent) string {
	if e.Sender != nil {
		return account(e.Sender)
	}
	return e.GetPusher().GetName()
}

// zero says that a sha is none: GitHub writes 40 (or 64) zeros.
func zero(sha string) bool { return strings.Trim(sha, "0") == "" }

// repositoryOfPush is the repository as a push has it, which writes some instants in seconds since 1970.
func repositoryOfPush(r *github.PushEventRepository) *github.Repository {
	if r == nil {
		return nil
	}
	return &github.Repository{
		ID: r.ID, Name: r.Name, FullName: r.FullName, HTMLURL: r.HTMLURL, DefaultBranch: r.DefaultBranch, Archived: r.Archived,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, PushedAt: r.PushedAt,
	}
}

// ref is a branch or a tag that was made or deleted. GitHub sends a push as well, unless there were many at once.
func (h *hearing) ref(payload []byte) error {
	var e struct {
		Repo *github.Repository `json:"repository"`
	}
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	h.wake(repo, source.Commits, "")
	return h.otherwise(ignoredByPush)
}

// pullRequest is read again, with its commits and reviews; without a credential it is told without them.
func (h *hearing) pullRequest(payload []byte) error {
	var e github.PullRequestEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	pr := e.GetPullRequest()
	if pr.GetNumber() == 0 || pr.CreatedAt == nil || pr.UpdatedAt == nil {
		return fault.New(fault.Invalid, "it names no pull request")
	}
	if idle(e.GetAction()) {
		return h.otherwise(ignoredChange)
	}
	h.wake(repo, source.Changes, strconv.Itoa(pr.GetNumber()))
	if !h.reads {
		h.knows(e.Repo, repo)
		fact := h.t.changeRequest(repo, asPullRequest(pr))
		partial(fact)
		h.tell(fact)
	}
	return nil
}

// idle says that something happened to a pull request which no fact tells of. Reading it again would cost requests.
func idle(action string) bool {
	switch action {
	case "assigned", "unassigned", "locked", "unlocked", "review_requested", "review_request_removed", "milestoned", "demilestoned",
		"auto_merge_enabled", "auto_merge_disabled", "enqueued", "dequeued":
		return true
	}
	return false
}

// asPullRequest is a pull request as the REST interface shows it, without its commits and reviews.
func asPullRequest(pr *github.PullRequest) pullRequest {
	neutral := pullRequest{
		number:      pr.GetNumber(),
		author:      pr.GetUser().GetLogin(),
		authorIsBot: isBot(pr.GetUser()),
		title:       pr.GetTitle(),
		draft:       pr.GetDraft(),
		base:        pr.GetBase().GetRef(),
		headRef:     pr.GetHead().GetRef(),
		headSHA:     pr.GetHead().GetSHA(),
		created:     instant(pr.CreatedAt),
		updated:     instant(pr.UpdatedAt),
		merged:      instant(pr.MergedAt),
		closed:      instant(pr.ClosedAt),
		mergeSHA:    pr.GetMergeCommitSHA(),
		additions:   pr.GetAdditions(),
		deletions:   pr.GetDeletions(),
		url:         pr.GetHTMLURL(),
	}
	for _, l := range pr.Labels {
		neutral.labels = append(neutral.labels, l.GetName())
	}
	return neutral
}

// review is a reason to read its pull request again.
func (h *hearing) review(payload []byte) error {
	var e github.PullRequestReviewEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	number := e.GetPullRequest().GetNumber()
	if number == 0 {
		return fault.New(fault.Invalid, "it names no pull request")
	}
	h.wake(repo, source.Changes, strconv.Itoa(number))
	return h.otherwise(ignoredReview)
}

// run is told whole.
func (h *hearing) run(payload []byte) error {
	var e struct {
		Run  *workflowRun       `json:"workflow_run"`
		Repo *github.Repository `json:"repository"`
	}
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	run := e.Run
	if run == nil || run.GetID() == 0 || run.UpdatedAt == nil {
		return fault.New(fault.Invalid, "it names no run")
	}
	h.knows(e.Repo, repo)
	h.tell(h.t.run(repo, &run.WorkflowRun))
	if d, _ := h.t.runDeployment(repo, run); d != nil {
		h.deployed(repo, d)
	}
	return nil
}

// job is told whole, where jobs can be deployments.
func (h *hearing) job(payload []byte) error {
	var e github.WorkflowJobEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	job := e.GetWorkflowJob()
	if job.GetID() == 0 || job.CreatedAt == nil && job.StartedAt == nil {
		return fault.New(fault.Invalid, "it names no job")
	}
	if d, _ := h.t.jobDeployment(repo, job); d != nil {
		h.knows(e.Repo, repo)
		h.deployed(repo, d)
	}
	return h.otherwise(ignoredJob)
}

// deploymentPayload is the deployment as deliveries have it.
type deploymentPayload struct {
	Deployment *github.Deployment       `json:"deployment"`
	Status     *github.DeploymentStatus `json:"deployment_status"`
	Run        *github.WorkflowRun      `json:"workflow_run"`
	Repo       *github.Repository       `json:"repository"`
}

// deployment is a deployment that has no status yet.
func (h *hearing) deployment(payload []byte) error { return h.deploying(payload, false) }

// deploymentStatus is a deployment with one of its statuses.
func (h *hearing) deploymentStatus(payload []byte) error { return h.deploying(payload, true) }

// deploying tells a deployment with the one status that the delivery has, in part, so that it shows at once, and has it
// read again with all of them. An inactive status alone says nothing: whether there was an end before it, others know.
func (h *hearing) deploying(payload []byte, status bool) error {
	var e deploymentPayload
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	if e.Deployment == nil || e.Deployment.GetID() == 0 || e.Deployment.CreatedAt == nil {
		return fault.New(fault.Invalid, "it names no deployment")
	}
	if status && (e.Status.GetID() == 0 || e.Status.CreatedAt == nil) {
		return fault.New(fault.Invalid, "it names no status")
	}
	neutral := deployment{
		id:           e.Deployment.GetID(),
		sha:          e.Deployment.GetSHA(),
		ref:          e.Deployment.GetRef(),
		task:         e.Deployment.GetTask(),
		environment:  e.Deployment.GetEnvironment(),
		created:      instant(e.Deployment.CreatedAt),
		creator:      e.Deployment.GetCreator().GetLogin(),
		creatorIsBot: isBot(e.Deployment.GetCreator()),
	}
	if e.Run != nil {
		neutral.pipeline = h.t.template(e.Run)
	}
	if status {
		neutral.statuses = []deploymentStatus{asDeploymentStatus(e.Status)}
	}
	fact, _ := h.t.deployment(repo, neutral)
	if fact == nil {
		return h.otherwise(ignoredDeployment)
	}
	if e.Status.GetState() != "inactive" {
		partial(fact)
		h.knows(e.Repo, repo)
		h.deployed(repo, fact)
	}
	h.wake(repo, source.Deployments, strconv.FormatInt(neutral.id, 10))
	return h.otherwise(ignoredInactive)
}

// asDeploymentStatus is a status as the REST interface shows it.
func asDeploymentStatus(s *github.DeploymentStatus) deploymentStatus {
	log := s.GetLogURL()
	if log == "" {
		log = s.GetTargetURL() // its older name
	}
	return deploymentStatus{id: s.GetID(), state: s.GetState(), created: instant(s.CreatedAt), logURL: log, url: s.GetEnvironmentURL()}
}

// release is told in part, without the commit of its tag, and read again.
func (h *hearing) release(payload []byte) error {
	var e github.ReleaseEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	release := e.GetRelease()
	if release.GetID() == 0 {
		return fault.New(fault.Invalid, "it names no release")
	}
	if action := e.GetAction(); action == "deleted" || action == "unpublished" {
		return h.otherwise(ignoredReleaseGone)
	}
	sha := release.GetTargetCommitish()
	if !isSHA(sha) {
		sha = ""
	}
	if d, _ := h.t.releaseDeployment(repo, release, sha); d != nil {
		partial(d)
		h.knows(e.Repo, repo)
		h.deployed(repo, d)
		h.wake(repo, source.Releases, strconv.FormatInt(release.GetID(), 10))
	}
	return h.otherwise(ignoredRelease)
}

// isSHA says whether a text is a whole sha.
func isSHA(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64)
}

// issue is told whole, if it is an incident or was one until now.
func (h *hearing) issue(payload []byte) error {
	var e github.IssuesEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil || !counts {
		return err
	}
	issue := e.GetIssue()
	if issue.GetNumber() == 0 || issue.CreatedAt == nil || issue.UpdatedAt == nil {
		return fault.New(fault.Invalid, "it names no issue")
	}
	var removed []string
	if e.GetAction() == "unlabeled" {
		removed = []string{e.GetLabel().GetName()}
	}
	fact, _ := h.t.incident(repo, issue, removed...)
	if fact == nil {
		return h.otherwise(ignoredIssue)
	}
	if action := e.GetAction(); action == "deleted" || action == "transferred" {
		withdraw(fact)
	}
	h.knows(e.Repo, repo)
	h.tell(fact)
	return nil
}

// repositoryChange is told whole. Which repositories there are is read again, since a new name may bring one in, or
// leave it out.
func (h *hearing) repositoryChange(payload []byte) error {
	var e github.RepositoryEvent
	if err := decode(payload, &e); err != nil {
		return err
	}
	repo, counts, err := h.of(e.Repo)
	if err != nil {
		return err
	}
	h.wake("", source.Repositories, "")
	if len(h.Wakes) > 0 {
		h.Ignored = ""
	}
	if !counts {
		return nil
	}
	if e.Repo.UpdatedAt == nil {
		return fault.New(fault.Invalid, "its repository has no updated_at")
	}
	fact := h.t.repository(e.Repo, repo)
	if e.GetAction() == "deleted" {
		fact.DeletedAt = fact.UpdatedAt // the payload has no later instant; of two tellings of one instant this one wins
	}
	h.tell(fact)
	return nil
}

// people is a team or a member that came, went or changed.
func (h *hearing) people(payload []byte) error {
	var e struct{ Action string }
	if err := decode(payload, &e); err != nil {
		return err
	}
	if e.Action == "renamed" {
		h.wake("", source.Repositories, "") // their names have changed with that of the organisation
	}
	h.wake("", source.Teams, "")
	return h.otherwise(ignoredTeams)
}

// installation is the App being installed, or being given other repositories.
func (h *hearing) installation(payload []byte) error {
	if err := decode(payload, &struct{}{}); err != nil {
		return err
	}
	h.wake("", source.Repositories, "")
	return h.otherwise(ignoredInstallation)
}

// decode reads JSON. What it says of a payload that is none is short: the payload is kept.
func decode(payload []byte, into any) error {
	if err := json.Unmarshal(payload, into); err != nil {
		return fault.New(fault.Invalid, "its payload cannot be read: %w", err)
	}
	return nil
}
