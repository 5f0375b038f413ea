package gitlab

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Receiver hears GitLab's webhooks: those of projects, of groups and of the whole system. It is safe for use from several
// goroutines.
//
// Most deliveries leave out something that belongs to the fact (the commits of a merge request, the sha of a deployment),
// so that they wake the list that it belongs to: the thing is read again, whole. Without a credential there is nobody to
// wake: then all that a delivery has is told, as far as it goes.
type Receiver struct {
	c *Connection
}

// Receiver returns the connection's, which shares what it knows of projects. Errors are fault.Invalid.
func (c *Connection) Receiver() (*Receiver, error) {
	if c.verifier == nil {
		return nil, fault.New(fault.Invalid, "connection %s: webhooks need a secret: set webhook_tokens or webhook_signing_secrets, and the same at GitLab", c.cfg.Name)
	}
	return &Receiver{c: c}, nil
}

// newVerifier makes the check of deliveries: a token of the connection's, or a signature with one of its secrets; nil when
// it has neither.
func newVerifier(cfg Config) (*signature.Scheme, error) {
	var schemes []*signature.Scheme
	if len(cfg.WebhookSigningSecrets) > 0 {
		s, err := signature.Standard(cfg.WebhookSigningSecrets...)
		if err != nil {
			return nil, err
		}
		schemes = append(schemes, s)
	}
	if len(cfg.WebhookTokens) > 0 {
		s, err := signature.GitLab(cfg.WebhookTokens...)
		if err != nil {
			return nil, err
		}
		schemes = append(schemes, s)
	}
	if len(schemes) == 0 {
		return nil, nil
	}
	return signature.Any(schemes[0], schemes[1:]...), nil
}

// Verify says whether a delivery carries one of the connection's tokens, or was signed with one of its secrets: nil, or
// fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.c.verifier.Verify(h, body, now)
}

// kept are the headers of a delivery that carry meaning.
func kept() []string {
	return []string{
		"Content-Type", "X-Gitlab-Event", "X-Gitlab-Instance", "X-Gitlab-Event-Uuid", "X-Gitlab-Webhook-Uuid", "Idempotency-Key", "Webhook-Id",
	}
}

// Describe makes the delivery of a verified request; whoever received it adds when. GitLab repeats a delivery with the same
// Idempotency-Key. Older versions send the id of the event alone, which the deliveries that one event leads to share: the
// body is part of their id.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	d := source.Delivery{Source: r.c.cfg.Name, Header: http.Header{}, Body: body}
	for _, name := range kept() {
		if values := h.Values(name); len(values) > 0 {
			d.Header[name] = values
		}
	}
	hash := sha256.Sum256(body)
	switch {
	case h.Get("Idempotency-Key") != "":
		d.ID = h.Get("Idempotency-Key")
	case h.Get("X-Gitlab-Event-Uuid") != "":
		d.ID = h.Get("X-Gitlab-Event-Uuid") + "-" + hex.EncodeToString(hash[:8])
	default:
		d.ID = hex.EncodeToString(hash[:])
	}
	var kind struct {
		ObjectKind string `json:"object_kind"`
		EventName  string `json:"event_name"`
	}
	_ = json.Unmarshal(body, &kind)
	d.Event = cmp.Or(kind.ObjectKind, kind.EventName, strings.ToLower(strings.TrimSuffix(h.Get("X-Gitlab-Event"), " Hook")))
	return d
}

// Reasons to ignore a delivery.
const (
	ignoredEvent      = "an event that tells nothing that is counted"
	ignoredUnknown    = "an event that is not known here"
	ignoredLeftOut    = "a project that is left out"
	ignoredBranch     = "a push to a branch that is not the default one"
	ignoredDeleted    = "a branch or tag was deleted; what it brought took place"
	ignoredTag        = "a tag that is no deployment"
	ignoredRelease    = "a release that is no deployment"
	ignoredJob        = "a job that is no deployment"
	ignoredUnended    = "a job or pipeline that has not ended"
	ignoredChild      = "a child pipeline, which is part of its parent"
	ignoredDeployment = "a deployment that is none by the rules"
	ignoredIssue      = "an issue that is no incident"
	ignoredNote       = "a comment on something other than a merge request"
	ignoredCommits    = "a push, but commits are not read"
	ignoredMembers    = "members of a project, who are no team"
	ignoredPerson     = "accounts and keys, which are not read"
	ignoredUnread     = "something that only reading could tell, without a credential"
	ignoredNoList     = "something whose list is not read"
)

// payload is what the deliveries that count have in common, and what they have of their own: GitLab's payloads are alike
// enough for one type.
type payload struct {
	ObjectKind string `json:"object_kind"`
	EventName  string `json:"event_name"`
	EventType  string `json:"event_type"`

	ProjectID         int64   `json:"project_id"`
	PathWithNamespace string  `json:"path_with_namespace"`
	User              account `json:"user"`
	UserUsername      string  `json:"user_username"`
	Project           struct {
		ID                int64  `json:"id"`
		PathWithNamespace string `json:"path_with_namespace"`
		DefaultBranch     string `json:"default_branch"`
		WebURL            string `json:"web_url"`
		Name              string `json:"name"`
	} `json:"project"`
	Repository struct {
		Homepage string `json:"homepage"`
	} `json:"repository"`

	// Pushes.
	Ref         string       `json:"ref"`
	Before      string       `json:"before"`
	After       string       `json:"after"`
	CheckoutSHA string       `json:"checkout_sha"`
	Commits     []pushCommit `json:"commits"`
	Total       int          `json:"total_commits_count"`
	Refs        []string     `json:"refs"`

	// Things with attributes.
	Attributes   json.RawMessage `json:"object_attributes"`
	Labels       names           `json:"labels"`
	Changes      json.RawMessage `json:"changes"` // of a thing what changed; of an update of a repository a list of refs
	MergeRequest struct {
		IID int64 `json:"iid"`
	} `json:"merge_request"`

	// Deployments.
	DeploymentID    int64           `json:"deployment_id"`
	DeployableID    int64           `json:"deployable_id"`
	DeployableURL   string          `json:"deployable_url"`
	Status          string          `json:"status"`
	StatusChangedAt moment          `json:"status_changed_at"`
	Environment     json.RawMessage `json:"environment"` // a name, or of a job an object
	EnvironmentTier string          `json:"environment_tier"`
	CommitURL       string          `json:"commit_url"`

	// Jobs.
	BuildID         int64  `json:"build_id"`
	BuildName       string `json:"build_name"`
	BuildStatus     string `json:"build_status"`
	BuildCreatedAt  moment `json:"build_created_at"`
	BuildStartedAt  moment `json:"build_started_at"`
	BuildFinishedAt moment `json:"build_finished_at"`
	RetriesCount    int64  `json:"retries_count"`
	PipelineID      int64  `json:"pipeline_id"`
	SHA             string `json:"sha"`

	// Releases.
	Tag        json.RawMessage `json:"tag"` // of a release its name, of a job whether it ran for one
	Action     string          `json:"action"`
	URL        string          `json:"url"`
	CreatedAt  moment          `json:"created_at"`
	ReleasedAt moment          `json:"released_at"`
	Commit     struct {
		ID  json.RawMessage `json:"id"` // of a job a number
		SHA string          `json:"sha"`
	} `json:"commit"`
}

// pushCommit is a commit of a push.
type pushCommit struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	Timestamp moment `json:"timestamp"`
	Author    struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	} `json:"author"`
	Added    []string `json:"added"`
	Modified []string `json:"modified"`
	Removed  []string `json:"removed"`
}

// Hear tells what a verified delivery means. An error, a fault.Invalid, says that the delivery cannot be understood: it
// stays so when it is heard again.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var p payload
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, fault.Wrap(fault.Invalid, err, "a delivery of GitLab's event %s", d.Event)
	}
	name := cmp.Or(p.ObjectKind, p.EventName)
	if name == "" {
		return source.Heard{}, fault.New(fault.Invalid, "the delivery has neither object_kind nor event_name: it does not come from GitLab")
	}
	hear, ok := map[string]func(payload) source.Heard{
		"push":              r.push,
		"tag_push":          r.tagPush,
		"repository_update": r.push,
		"merge_request":     r.mergeRequest,
		"note":              r.note,
		"pipeline":          r.pipeline,
		"build":             r.job,
		"job":               r.job,
		"deployment":        r.deployment,
		"release":           r.release,
		"issue":             r.issue,
		"incident":          r.issue,
		"work_item":         r.issue,

		"project_create": r.projects, "project_destroy": r.projects, "project_rename": r.projects,
		"project_transfer": r.projects, "project_update": r.projects,

		"group_create": r.groups, "group_destroy": r.groups, "group_rename": r.groups,
		"subgroup_create": r.groups, "subgroup_destroy": r.groups,
		"user_add_to_group": r.members, "user_remove_from_group": r.members, "user_update_for_group": r.members,

		"user_add_to_team": ignore(ignoredMembers), "user_remove_from_team": ignore(ignoredMembers), "user_update_for_team": ignore(ignoredMembers),

		"user_create": ignore(ignoredPerson), "user_destroy": ignore(ignoredPerson), "user_rename": ignore(ignoredPerson),
		"user_failed_login": ignore(ignoredPerson), "key_create": ignore(ignoredPerson), "key_destroy": ignore(ignoredPerson),
		"user_access_request_to_group": ignore(ignoredPerson), "user_access_request_denied_for_group": ignore(ignoredPerson),
		"user_access_request_to_project": ignore(ignoredPerson), "user_access_request_denied_for_project": ignore(ignoredPerson),
		"access_token": ignore(ignoredPerson), "expiring_access_token": ignore(ignoredPerson), "gitlab_subscription_member_approval": ignore(ignoredPerson),

		"wiki_page": ignore(ignoredEvent), "feature_flag": ignore(ignoredEvent), "emoji": ignore(ignoredEvent), "milestone": ignore(ignoredEvent),
		"vulnerability": ignore(ignoredEvent), "snippet": ignore(ignoredEvent),
	}[name]
	if !ok {
		return source.Heard{Ignored: ignoredUnknown}, nil
	}
	heard := hear(p)
	// A fact that intake would refuse stays refused: an instant that is missing, a name without an end.
	for _, fact := range heard.Facts {
		if wrong := event.Validate(fact); wrong != nil {
			return source.Heard{}, fault.Wrap(fault.Invalid, wrong, "a delivery of GitLab's event %s", name)
		}
	}
	return heard, nil
}

func ignore(reason string) func(payload) source.Heard {
	return func(payload) source.Heard { return source.Heard{Ignored: reason} }
}

// project finds the project that a delivery is about. Without a credential it is what the delivery says. With one it is
// a project that is read, or none: then heard says what to do instead.
func (r *Receiver) project(p payload) (k known, heard source.Heard, ok bool) {
	id := cmp.Or(p.Project.ID, p.ProjectID)
	path := cmp.Or(p.Project.PathWithNamespace, p.PathWithNamespace)
	if path == "" {
		path = r.pathIn(cmp.Or(p.Project.WebURL, p.Repository.Homepage))
	}
	c := r.c
	if !c.cfg.Reads() {
		if path == "" || !c.cfg.Projects.takes(path) {
			return known{}, source.Heard{Ignored: ignoredLeftOut}, false
		}
		return known{ID: id, Fact: path, Path: path, Name: cmp.Or(p.Project.Name, lastPart(path)), Branch: p.Project.DefaultBranch, URL: p.Project.WebURL}, source.Heard{}, true
	}
	for _, candidate := range c.known() {
		if id != 0 && candidate.ID == id || id == 0 && path != "" && strings.EqualFold(candidate.Path, path) {
			if !c.reading(candidate) {
				return known{}, source.Heard{Ignored: ignoredLeftOut}, false
			}
			return candidate, source.Heard{}, true
		}
	}
	if path != "" && (!c.cfg.Projects.takes(path) || len(c.cfg.Groups) > 0 && !inGroups(c.cfg.Groups, path)) {
		return known{}, source.Heard{Ignored: ignoredLeftOut}, false
	}
	return known{}, wake(source.Repositories, ""), false // a new one: its lists follow
}

// pathIn is the path of a project in the address of its page.
func (r *Receiver) pathIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	if at, err := addressOf(r.c.cfg.URL); err == nil {
		path = strings.TrimPrefix(path, strings.Trim(at.Path, "/")+"/")
	}
	return path
}

func wake(stream, subject string) source.Heard {
	return source.Heard{Wakes: []source.Wake{{Stream: stream, Subject: subject}}}
}

// wake asks for one thing, or the news, of a list of a project; it is ignored where the list is not read.
func (r *Receiver) wake(k known, kind string, subject string) source.Heard {
	if !r.c.wants(k, kind) {
		return source.Heard{Ignored: ignoredNoList}
	}
	return wake(k.Fact+"/"+kind, subject)
}

// noSHA is what GitLab writes where there is no commit: of a branch that is new, or that was deleted.
func noSHA(sha string) bool { return strings.Trim(sha, "0") == "" }

// push hears of commits on a branch. GitLab tells at most twenty commits of a push, and of none its parents.
//
// Without a credential the commits of a push to the default branch are told as a chain from what the branch was before,
// which is what can be reached and what is new, if not in which order.
func (r *Receiver) push(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	refs := p.Refs
	if p.Ref != "" {
		refs = []string{p.Ref}
	}
	branch := cmp.Or(k.Branch, p.Project.DefaultBranch)
	if !slices.Contains(refs, "refs/heads/"+branch) {
		if r.c.cfg.Reads() && k.Empty {
			return wake(source.Repositories, "") // its first push: what the default branch is has yet to be read
		}
		return source.Heard{Ignored: ignoredBranch}
	}
	if p.Ref != "" && noSHA(p.After) {
		return source.Heard{Ignored: ignoredDeleted}
	}
	if r.c.cfg.Reads() {
		if k.Empty {
			return wake(source.Repositories, "")
		}
		if heard = r.wake(k, source.Commits, ""); r.c.cfg.Commits == CommitsNone {
			heard.Ignored = ignoredCommits
		}
		if p.EventName == "repository_update" || slices.ContainsFunc(p.Commits, pushCommit.ownership) || p.Total > len(p.Commits) {
			heard.Ignored = ""
			heard.Wakes = append(heard.Wakes, source.Wake{Stream: k.Fact + "/" + source.Ownership})
		}
		return heard
	}
	if p.EventName == "repository_update" {
		return source.Heard{Ignored: ignoredUnread}
	}
	return r.pushed(k, p, branch)
}

// ownership says whether a commit touches a file that says who owns what.
func (c pushCommit) ownership() bool {
	for _, paths := range [][]string{c.Added, c.Modified, c.Removed} {
		if slices.ContainsFunc(paths, ownershipFile) {
			return true
		}
	}
	return false
}

func (r *Receiver) pushed(k known, p payload, branch string) source.Heard {
	if r.c.cfg.Commits == CommitsNone {
		return source.Heard{Ignored: ignoredCommits}
	}
	var heard source.Heard
	before := p.Before
	var last time.Time
	for _, c := range p.Commits {
		at := c.Timestamp.Time
		if c.ID == "" || at.IsZero() {
			continue
		}
		var parents []string
		if !noSHA(before) {
			parents = []string{before}
		}
		fact := r.c.t.commit(k.Fact, commit{
			ID: c.ID, ParentIDs: parents, Message: c.Message, AuthorName: c.Author.Name, AuthorEmail: c.Author.Email,
			AuthoredDate: moment{at}, CommittedDate: moment{at},
		})
		fact.Paths = slices.Concat(c.Added, c.Modified, c.Removed)
		if fact.Paths == nil {
			fact.Paths = []string{}
		}
		heard.Facts = append(heard.Facts, fact)
		before, last = c.ID, latest(last, at)
	}
	if len(heard.Facts) == 0 {
		return source.Heard{Ignored: ignoredUnread} // a branch that was moved to commits that are known, without a date
	}
	repository := r.c.t.repository(k)
	repository.UpdatedAt = time.UnixMilli(0).UTC() // whoever knows more of it wins
	return source.Heard{Facts: append(heard.Facts, repository, r.c.t.branch(k.Fact, branch, p.After, last))}
}

// tagPush hears of a tag.
func (r *Receiver) tagPush(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	name := strings.TrimPrefix(p.Ref, "refs/tags/")
	switch {
	case noSHA(p.After):
		return source.Heard{Ignored: ignoredDeleted}
	case !r.c.rules.Wants(k.Fact, rules.FromTag):
		return source.Heard{Ignored: ignoredTag}
	case r.c.cfg.Reads() && r.c.cfg.Commits == CommitsGit:
		return r.wake(k, source.Commits, "")
	case r.c.cfg.Reads():
		return r.wake(k, source.Releases, "")
	}
	sha := cmp.Or(p.CheckoutSHA, p.After)
	var at time.Time
	for _, c := range p.Commits {
		at = latest(at, c.Timestamp.Time)
	}
	if at.IsZero() {
		return source.Heard{Ignored: ignoredUnread} // a tag of a commit that was pushed before has no date
	}
	fact, _ := r.c.t.tagDeployment(k, name, sha, at)
	return r.deployed(k, fact, ignoredTag)
}

// deployed tells a deployment with its service, and by itself a millisecond before who reads it whole would.
func (r *Receiver) deployed(k known, fact *event.Deployment, otherwise string) source.Heard {
	if fact == nil {
		return source.Heard{Ignored: otherwise}
	}
	partial(fact)
	return source.Heard{Facts: append(r.c.t.services(k.Fact, nil, fact.Service), fact)}
}

// mergeRequest hears of a merge request.
func (r *Receiver) mergeRequest(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	var a struct {
		mergeRequest
		Action     string     `json:"action"`
		URL        string     `json:"url"`
		LastCommit pushCommit `json:"last_commit"`
		AuthorID   int64      `json:"author_id"`
	}
	if json.Unmarshal(p.Attributes, &a) != nil || a.IID == 0 {
		// System hooks of some versions leave the number out.
		if r.c.cfg.Reads() {
			return r.wake(k, source.Changes, "")
		}
		return source.Heard{Ignored: ignoredUnread}
	}
	if r.c.cfg.Reads() {
		return r.wake(k, source.Changes, itoa(a.IID))
	}
	m := a.mergeRequest
	m.WebURL, m.SHA = cmp.Or(m.WebURL, a.URL), cmp.Or(m.SHA, a.LastCommit.ID)
	if len(m.Labels) == 0 {
		m.Labels = p.Labels
	}
	if m.Author.Username == "" && p.User.ID != 0 && p.User.ID == a.AuthorID {
		m.Author = p.User
	}
	var commits []commit
	if a.LastCommit.ID != "" { // of the others nothing is said
		commits = []commit{{ID: a.LastCommit.ID}}
	}
	fact := r.c.t.changeRequest(k.Fact, m, commits, nil)
	partial(fact)
	return source.Heard{Facts: []event.Event{fact}}
}

// note hears of a comment: the first one on a merge request is its first review.
func (r *Receiver) note(p payload) source.Heard {
	k, heard, ok := r.project(p)
	switch {
	case p.MergeRequest.IID == 0:
		return source.Heard{Ignored: ignoredNote}
	case !ok:
		return heard
	case !r.c.cfg.Reads():
		return source.Heard{Ignored: ignoredUnread}
	}
	return r.wake(k, source.Changes, itoa(p.MergeRequest.IID))
}

// pipeline hears of a pipeline.
func (r *Receiver) pipeline(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	var a struct {
		pipeline
		Duration float64 `json:"duration"`
		URL      string  `json:"url"`
	}
	if json.Unmarshal(p.Attributes, &a) != nil || a.ID == 0 {
		return source.Heard{Ignored: ignoredUnread}
	}
	run := a.pipeline
	switch {
	case run.child():
		return source.Heard{Ignored: ignoredChild}
	case !ended(runStatus(run.Status)):
		return source.Heard{Ignored: ignoredUnended}
	case r.c.cfg.Reads():
		return r.wake(k, source.Runs, itoa(run.ID))
	}
	run.WebURL, run.User = cmp.Or(run.WebURL, a.URL), p.User
	if run.StartedAt.IsZero() && !run.FinishedAt.IsZero() && a.Duration > 0 {
		run.StartedAt = moment{bound(run.FinishedAt.Add(-time.Duration(a.Duration * float64(time.Second))))}
	}
	run.UpdatedAt = moment{latest(run.FinishedAt.Time, run.StartedAt.Time, run.CreatedAt.Time)}
	fact := r.c.t.run(k, run, true)
	partial(fact)
	heard.Facts = []event.Event{fact}
	if r.c.rules.Wants(k.Fact, rules.FromWorkflow) {
		if deployment, _ := r.c.t.runDeployment(k, run); deployment != nil {
			heard.Facts = append(heard.Facts, r.deployed(k, deployment, "").Facts...)
		}
	}
	return heard
}

// job hears of a job, which counts when a rule makes it a deployment.
func (r *Receiver) job(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	if !r.c.rules.Wants(k.Fact, rules.FromJob) {
		return source.Heard{Ignored: ignoredJob}
	}
	var environment struct {
		Name string `json:"name"`
		Tier string `json:"deployment_tier"`
	}
	_ = json.Unmarshal(p.Environment, &environment)
	j := job{
		ID: p.BuildID, Name: p.BuildName, Status: p.BuildStatus, Ref: p.Ref, CreatedAt: p.BuildCreatedAt, StartedAt: p.BuildStartedAt,
		FinishedAt: p.BuildFinishedAt, User: p.User, pipeline: p.PipelineID, attempt: p.RetriesCount + 1,
		environment: environment.Name, tier: environment.Tier,
	}
	j.Commit.ID = cmp.Or(p.SHA, p.Commit.SHA)
	fact, _ := r.c.t.jobDeployment(k, j)
	switch {
	case !ended(runStatus(j.Status)):
		return source.Heard{Ignored: ignoredUnended}
	case fact == nil:
		return source.Heard{Ignored: ignoredJob}
	case r.c.cfg.Reads():
		return r.wake(k, source.Runs, itoa(p.PipelineID))
	case fact.CreatedAt.IsZero() && fact.FinishedAt.IsZero():
		return source.Heard{Ignored: ignoredUnread}
	}
	return r.deployed(k, fact, ignoredJob)
}

// deployment hears of a deployment. The delivery has neither the whole sha nor when the deployment began: the sha is the
// end of the commit's address.
func (r *Receiver) deployment(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	var environment string
	_ = json.Unmarshal(p.Environment, &environment)
	d := deployment{ID: p.DeploymentID, Ref: p.Ref, SHA: shaIn(p.CommitURL), Status: p.Status, UpdatedAt: p.StatusChangedAt, User: p.User}
	d.Environment.Name, d.Environment.Tier = environment, p.EnvironmentTier
	fact, _ := r.c.t.deployment(k, d)
	switch {
	case fact == nil:
		return source.Heard{Ignored: ignoredDeployment}
	case r.c.cfg.Reads():
		return r.wake(k, source.Deployments, itoa(p.DeploymentID))
	case d.UpdatedAt.IsZero():
		return source.Heard{Ignored: ignoredUnread}
	}
	switch fact.Status {
	case "pending":
		fact.CreatedAt = d.UpdatedAt.Time
	case "in_progress":
		fact.StartedAt = d.UpdatedAt.Time
	}
	fact.URL = clip(p.DeployableURL)
	return r.deployed(k, fact, ignoredDeployment)
}

// shaIn is the sha at the end of a commit's address, "" when there is none.
func shaIn(address string) string {
	sha := lastPart(address)
	if len(sha) != 40 && len(sha) != 64 || strings.Trim(sha, "0123456789abcdef") != "" {
		return ""
	}
	return sha
}

// release hears of a release.
func (r *Receiver) release(p payload) source.Heard {
	k, heard, ok := r.project(p)
	switch {
	case !ok:
		return heard
	case !r.c.rules.Wants(k.Fact, rules.FromRelease):
		return source.Heard{Ignored: ignoredRelease}
	case p.Action == "delete":
		return source.Heard{Ignored: ignoredDeleted}
	case r.c.cfg.Reads():
		return r.wake(k, source.Releases, "")
	}
	rel := release{CreatedAt: p.CreatedAt, ReleasedAt: p.ReleasedAt}
	_ = json.Unmarshal(p.Tag, &rel.TagName)
	_ = json.Unmarshal(p.Commit.ID, &rel.Commit.ID)
	rel.Links.Self = p.URL
	fact, _ := r.c.t.releaseDeployment(k, rel)
	return r.deployed(k, fact, ignoredRelease)
}

// issue hears of an issue, which counts when rules make it an incident, or did before its labels changed.
func (r *Receiver) issue(p payload) source.Heard {
	k, heard, ok := r.project(p)
	if !ok {
		return heard
	}
	var a struct {
		issue
		Kind string `json:"type"` // Issue, Incident, Task …
		URL  string `json:"url"`
	}
	if json.Unmarshal(p.Attributes, &a) != nil || a.IID == 0 {
		return source.Heard{Ignored: ignoredUnread}
	}
	i := a.issue
	i.WebURL, i.Type = cmp.Or(i.WebURL, a.URL), strings.ToLower(cmp.Or(i.Type, a.Kind))
	if i.Type == "" || p.ObjectKind == "incident" {
		i.Type = p.ObjectKind // older versions do not tell
	}
	if len(i.Labels) == 0 {
		i.Labels = p.Labels
	}
	var changes struct {
		Labels struct {
			Previous names `json:"previous"`
		} `json:"labels"`
	}
	_ = json.Unmarshal(p.Changes, &changes)
	is := r.c.rules.Incident(rules.Issue{Repository: k.Fact, Labels: i.Labels, Type: i.Type}).Incident
	was := r.c.rules.Incident(rules.Issue{Repository: k.Fact, Labels: changes.Labels.Previous, Type: i.Type}).Incident
	switch {
	case !is && !was:
		return source.Heard{Ignored: ignoredIssue}
	case r.c.cfg.Reads() && !is:
		return r.wake(k, source.Incidents, "") // the list knows that it was told as one
	case r.c.cfg.Reads():
		return r.wake(k, source.Incidents, itoa(i.IID))
	}
	fact, _ := r.c.t.incident(k, i, was)
	if is {
		partial(fact)
	}
	return source.Heard{Facts: []event.Event{fact}}
}

// projects hears of a project that came, went, or has another name.
func (r *Receiver) projects(p payload) source.Heard {
	if !r.c.cfg.Reads() {
		return source.Heard{Ignored: ignoredUnread}
	}
	if _, heard, ok := r.project(p); !ok {
		return heard
	}
	return wake(source.Repositories, "")
}

// groups hears of a group that came, went, or has another name.
func (r *Receiver) groups(payload) source.Heard {
	if !r.c.cfg.Reads() || len(r.c.cfg.Groups) == 0 {
		return source.Heard{Ignored: ignoredUnread}
	}
	return source.Heard{Wakes: []source.Wake{{Stream: source.Teams}, {Stream: source.Repositories}}}
}

// members hears of who came into a group, or left it.
func (r *Receiver) members(payload) source.Heard {
	if !r.c.cfg.Reads() || len(r.c.cfg.Groups) == 0 {
		return source.Heard{Ignored: ignoredUnread}
	}
	return wake(source.Teams, "")
}
