// Package gitea collects from Gitea and Forgejo: it reads repositories, pull requests and runs of Actions, and hears
// webhooks. Commits are read from a clone, by the git collector.
package gitea

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/hook"
	"cairn/internal/reading"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. Without a token nothing is read, without secrets no webhooks are heard.
type Config struct {
	Name           string             `yaml:"name"`
	URL            string             `yaml:"url"`
	Token          string             `yaml:"token" secret:"true"`
	Repositories   RepositoriesConfig `yaml:"repositories"`
	WebhookSecrets []string           `yaml:"webhook_secrets" secret:"true"`
	Every          time.Duration      `yaml:"every"` // how long news may wait without a webhook
	Since          time.Time          `yaml:"since"` // how far back history is read; zero: all of it
}

// RepositoriesConfig are patterns of full names: acme/shop.
type RepositoriesConfig struct {
	Include []string `yaml:"include"` // empty: all that the token is shown
	Exclude []string `yaml:"exclude"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config { return Config{Name: "gitea", Every: 15 * time.Minute} }

// Reads says whether there is a token to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool { return len(cfg.WebhookSecrets) > 0 }

func (cfg Config) address() (*url.URL, error) {
	if cfg.URL == "" && !cfg.Reads() {
		return &url.URL{}, nil // nothing is asked
	}
	return rest.Address("url", cfg.URL)
}

// NewCredential makes what adds the token to requests.
func NewCredential(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	at, err := cfg.address()
	if err != nil {
		return nil, err
	}
	return &rest.Credential{Header: "Authorization", Value: "token " + cfg.Token, At: at, Next: next}, nil
}

// Connection reads and hears one Gitea. It is safe for use from several goroutines.
type Connection struct {
	*reading.Connection
	cfg               Config
	rules             *rules.Rules
	api               rest.API
	scheme            *signature.Scheme // nil: webhooks are not heard
	include, excluded *rules.Names
}

// New makes a connection. Errors are fault.Invalid.
func New(cfg Config, r *rules.Rules, client *http.Client) (*Connection, error) {
	switch {
	case !cfg.Reads() && !cfg.Hears():
		return nil, fault.New(fault.Invalid, "neither token nor webhook_secrets is given: nothing could be read or heard")
	case cfg.Every < time.Minute:
		return nil, fault.New(fault.Invalid, "every is %s: give a minute or more", cfg.Every)
	}
	at, err := cfg.address()
	if err != nil {
		return nil, err
	}
	c := &Connection{cfg: cfg, rules: r, api: rest.API{Name: cfg.Name, System: "Gitea", Base: at.JoinPath("api/v1"), Client: client, Needs: "the scope read:repository"}}
	for _, list := range []struct {
		place    string
		patterns []string
		into     **rules.Names
	}{{"repositories.include", cfg.Repositories.Include, &c.include}, {"repositories.exclude", cfg.Repositories.Exclude, &c.excluded}} {
		var names []rules.ServiceName
		for _, pattern := range list.patterns {
			names = append(names, rules.ServiceName{Match: pattern, Service: "fits"})
		}
		if *list.into, err = rules.Services(list.place, names); err != nil {
			return nil, err
		}
	}
	if cfg.Hears() {
		if c.scheme, err = signature.Gitea(cfg.WebhookSecrets...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
		}
	}
	plan := reading.Plan{Name: cfg.Name, Every: cfg.Every, Kinds: map[string]reading.Lister{
		source.Changes: reading.List[pullRequest]{
			Since: cfg.Since, Page: c.pullRequests, One: c.pullRequest, Tell: c.tellChange,
			Key: func(p pullRequest) reading.Key {
				return reading.Key{ID: strconv.FormatInt(p.Number, 10), At: instant(p.UpdatedAt)}
			},
		},
		source.Runs: reading.List[run]{
			Since: cfg.Since, Page: c.runs, One: c.run, Tell: c.tellRun,
			Key: func(r run) reading.Key {
				at := r.begun()
				if at.IsZero() {
					at = r.seen
				}
				return reading.Key{ID: strconv.FormatInt(r.ID, 10), At: at, Open: !ended(r.status())}
			},
		},
	}}
	if cfg.Reads() {
		plan.Find = c.find
	}
	c.Connection = reading.Connect(plan)
	return c, nil
}

type repository struct {
	ID            int64
	FullName      string `json:"full_name"`
	Name          string
	DefaultBranch string `json:"default_branch"`
	HTMLURL       string `json:"html_url"`
	Archived      bool
	ArchivedAt    string `json:"archived_at"`
	UpdatedAt     string `json:"updated_at"`
	Empty         bool
}

type user struct{ Login string }

// instant reads an instant; what Gitea writes for "not yet" (1970, 0001) and what is none is the zero time.
func instant(text string) time.Time {
	at, err := hook.Instant("", text)
	if err != nil || at.Unix() < 24*60*60 {
		return time.Time{}
	}
	return at
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// pageSize is the most that Gitea gives unless it is told otherwise; where it gives less, an empty page is the end.
const pageSize = "50"

func pageQuery(cursor string, more ...string) url.Values {
	q := url.Values{"page": {cmp.Or(cursor, "1")}, "limit": {pageSize}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

func nextPage(cursor string, n int) string {
	if n == 0 {
		return ""
	}
	at, _ := strconv.Atoi(cmp.Or(cursor, "1"))
	return strconv.Itoa(at + 1)
}

// find lists the repositories that the token is shown, and tells them.
func (c *Connection) find(ctx context.Context, t *reading.Turn, cursor string) ([]reading.Group, string, error) {
	var answer struct{ Data []repository }
	t.Asked()
	if err := c.api.Get(ctx, "repos/search", pageQuery(cursor, "sort", "id"), &answer); err != nil {
		return nil, "", err
	}
	var groups []reading.Group
	for _, r := range answer.Data {
		if !c.wanted(r.FullName) {
			continue
		}
		g := reading.Group{ID: number(r.ID), Fact: c.FactOf(number(r.ID), r.FullName), Path: r.FullName}
		groups = append(groups, g)
		if err := t.Tell(c.repository(g.Fact, r)); err != nil {
			return nil, "", err
		}
	}
	return groups, nextPage(cursor, len(answer.Data)), nil
}

func (c *Connection) repository(fact string, r repository) *event.Repository {
	f := &event.Repository{Telling: event.Telling{Source: c.cfg.Name, UpdatedAt: instant(r.UpdatedAt)}, ID: reading.Clip(fact), Name: reading.Clip(r.Name), DefaultBranch: r.DefaultBranch, URL: reading.Clip(r.HTMLURL)}
	if r.Archived {
		f.ArchivedAt = instant(r.ArchivedAt)
	}
	return f
}

func (c *Connection) wanted(name string) bool {
	if _, out := c.excluded.Of(name); out || name == "" {
		return false
	}
	_, in := c.include.Of(name)
	return in || len(c.cfg.Repositories.Include) == 0
}

// repo is the path of a repository in the API.
func repo(t *reading.Turn, rest string) string {
	owner, name, _ := strings.Cut(t.Group.Path, "/")
	return "repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/" + rest
}

type pullRequest struct {
	Number         int64
	Title          string
	User           user
	Base           struct{ Ref string }
	Labels         []struct{ Name string }
	Additions      int64
	Deletions      int64
	HTMLURL        string `json:"html_url"`
	CreatedAt      string `json:"created_at"`
	UpdatedAt      string `json:"updated_at"`
	ClosedAt       string `json:"closed_at"`
	MergedAt       string `json:"merged_at"`
	MergeCommitSHA string `json:"merge_commit_sha"`
	Merged         bool
}

func (c *Connection) pullRequests(ctx context.Context, t *reading.Turn, cursor string) ([]pullRequest, string, error) {
	var page []pullRequest
	t.Asked()
	err := c.api.Get(ctx, repo(t, "pulls"), pageQuery(cursor, "state", "all", "sort", "recentupdate"), &page)
	return page, nextPage(cursor, len(page)), err
}

func (c *Connection) pullRequest(ctx context.Context, t *reading.Turn, id string) (pullRequest, error) {
	if _, err := strconv.ParseInt(id, 10, 64); err != nil {
		return pullRequest{}, fault.New(fault.NotFound, "%s: %.40q is no number of a pull request", c.cfg.Name, id)
	}
	var p pullRequest
	t.Asked()
	err := c.api.Get(ctx, repo(t, "pulls/"+id), nil, &p)
	return p, err
}

// maxPages bounds what is read of one pull request.
const maxPages = 20

// tellChange tells a pull request with its commits and reviews.
func (c *Connection) tellChange(ctx context.Context, t *reading.Turn, p pullRequest) error {
	fact := c.change(t.Group.Fact, p)
	for n := 1; n <= maxPages; n++ {
		var commits []struct {
			SHA    string
			Commit struct{ Author, Committer struct{ Date string } }
		}
		t.Asked()
		if err := c.api.Get(ctx, repo(t, "pulls/"+number(p.Number)+"/commits"), pageQuery(strconv.Itoa(n)), &commits); err != nil {
			if fault.KindOf(err) == fault.NotFound { // its branch is gone, and its commits with it
				break
			}
			return err
		}
		for _, one := range commits {
			fact.Commits = append(fact.Commits, one.SHA)
			for _, date := range []string{one.Commit.Author.Date, one.Commit.Committer.Date} {
				if at := instant(date); !at.IsZero() && (fact.FirstCommitAt.IsZero() || at.Before(fact.FirstCommitAt)) {
					fact.FirstCommitAt = at
				}
			}
		}
		if len(commits) < 50 {
			break
		}
	}
	slices.Reverse(fact.Commits) // oldest first
	var reviews []struct {
		User        user
		State       string
		SubmittedAt string `json:"submitted_at"`
	}
	t.Asked()
	if err := c.api.Get(ctx, repo(t, "pulls/"+number(p.Number)+"/reviews"), pageQuery(""), &reviews); err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	for _, r := range reviews {
		at := instant(r.SubmittedAt)
		if at.IsZero() || r.State == "PENDING" || r.State == "REQUEST_REVIEW" || strings.EqualFold(r.User.Login, p.User.Login) || c.rules.Bot(r.User.Login) {
			continue
		}
		if fact.FirstReviewAt.IsZero() || at.Before(fact.FirstReviewAt) {
			fact.FirstReviewAt = at
		}
		if r.State == "APPROVED" && (fact.ApprovedAt.IsZero() || at.Before(fact.ApprovedAt)) {
			fact.ApprovedAt = at
		}
	}
	return t.Tell(fact)
}

// change is what a pull request says of itself.
func (c *Connection) change(fact string, p pullRequest) *event.ChangeRequest {
	f := &event.ChangeRequest{
		Telling: event.Telling{Source: c.cfg.Name, UpdatedAt: instant(p.UpdatedAt)}, Repository: reading.Clip(fact), ID: number(p.Number), Author: p.User.Login, Title: reading.Clip(p.Title),
		BaseBranch: reading.Clip(p.Base.Ref), CreatedAt: instant(p.CreatedAt), Additions: max(p.Additions, 0), Deletions: max(p.Deletions, 0), URL: reading.Clip(p.HTMLURL),
	}
	for _, l := range p.Labels {
		f.Labels = append(f.Labels, reading.Clip(l.Name))
	}
	if p.Merged {
		if f.MergedAt = instant(p.MergedAt); p.MergeCommitSHA != "" {
			f.Landed = []string{p.MergeCommitSHA}
		}
	} else {
		f.ClosedAt = instant(p.ClosedAt)
	}
	return f
}

// run is a run of Actions, as Gitea has it or as Forgejo does.
type run struct {
	ID           int64
	Path         string // of the file, with a ref: deploy.yml@refs/heads/main
	WorkflowID   string `json:"workflow_id"` // the name of the file
	HeadSHA      string `json:"head_sha"`
	CommitSHA    string `json:"commit_sha"`
	HeadBranch   string `json:"head_branch"`
	PrettyRef    string `json:"prettyref"`
	Attempt      int64  `json:"run_attempt"`
	Status       string
	Conclusion   string
	CreatedAt    string `json:"created_at"`
	Created      string
	StartedAt    string `json:"started_at"`
	Started      string
	CompletedAt  string `json:"completed_at"`
	Stopped      string
	HTMLURL      string `json:"html_url"`
	Actor        *user
	TriggerActor *user `json:"trigger_actor"`
	TriggerUser  *user `json:"trigger_user"`

	seen time.Time // when it was listed, for one that has no instant yet
}

func (r run) queued() time.Time  { return instant(cmp.Or(r.CreatedAt, r.Created)) }
func (r run) started() time.Time { return instant(cmp.Or(r.StartedAt, r.Started)) }

func (r run) begun() time.Time {
	if at := r.queued(); !at.IsZero() {
		return at
	}
	return r.started()
}

// status is that of the run: Gitea has the result beside the status, Forgejo in its place.
func (r run) status() string {
	status := r.Status
	if status == "completed" {
		status = r.Conclusion
	}
	switch status {
	case "success":
		return "succeeded"
	case "failure":
		return "failed"
	case "cancelled":
		return "cancelled"
	case "in_progress", "running", "":
		return "in_progress"
	case "queued", "waiting", "blocked", "pending", "requested", "action_required":
		return "queued"
	}
	return "skipped"
}

func ended(status string) bool { return status != "in_progress" && status != "queued" }

func (c *Connection) runs(ctx context.Context, t *reading.Turn, cursor string) ([]run, string, error) {
	var answer struct {
		Runs []run `json:"workflow_runs"`
	}
	t.Asked()
	if err := c.api.Get(ctx, repo(t, "actions/runs"), pageQuery(cursor), &answer); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil, "", nil // Actions are off, or an older version; the pull requests say whether the repository is gone
		}
		return nil, "", err
	}
	for i := range answer.Runs {
		answer.Runs[i].seen = t.AsOf
	}
	return answer.Runs, nextPage(cursor, len(answer.Runs)), nil
}

func (c *Connection) run(ctx context.Context, t *reading.Turn, id string) (run, error) {
	if _, err := strconv.ParseInt(id, 10, 64); err != nil {
		return run{}, fault.New(fault.NotFound, "%s: %.40q is no id of a run", c.cfg.Name, id)
	}
	var r run
	t.Asked()
	err := c.api.Get(ctx, repo(t, "actions/runs/"+id), nil, &r)
	r.seen = t.AsOf
	return r, err
}

func (c *Connection) tellRun(_ context.Context, t *reading.Turn, r run) error {
	fact, begun := c.pipelineRun(t.Group.Fact, r)
	if !begun {
		return nil
	}
	if err := t.Tell(&fact.PipelineRun); err != nil {
		return err
	}
	facts, verdict := reading.Deployment(c.rules, "run:"+fact.ID, fact)
	t.Judged(verdict, fact.Name+" of "+fact.Repository)
	return t.Tell(facts...)
}

// pipelineRun is the fact of a run; false when it has no instant yet, so that nobody could say as of when it is told.
// What it is called is the name of its file, which the API and webhooks both have.
func (c *Connection) pipelineRun(repository string, r run) (reading.Run, bool) {
	file, _, _ := strings.Cut(r.Path, "@")
	fact := event.PipelineRun{
		Telling: event.Telling{Source: c.cfg.Name}, Repository: reading.Clip(repository), ID: number(r.ID), Attempt: max(r.Attempt, 1),
		Name: reading.Clip(path.Base(cmp.Or(r.WorkflowID, file, "actions"))), SHA: cmp.Or(r.HeadSHA, r.CommitSHA), Ref: reading.Clip(reading.Branch(cmp.Or(r.HeadBranch, r.PrettyRef))),
		Status: r.status(), QueuedAt: r.begun(), StartedAt: r.started(), URL: reading.Clip(r.HTMLURL),
	}
	if fact.QueuedAt.IsZero() {
		return reading.Run{}, false
	}
	fact.UpdatedAt = fact.QueuedAt
	if fact.StartedAt.After(fact.UpdatedAt) {
		fact.UpdatedAt = fact.StartedAt
	}
	if ended(fact.Status) {
		if end := instant(cmp.Or(r.CompletedAt, r.Stopped)); end.After(fact.UpdatedAt) {
			fact.UpdatedAt = end
		}
		fact.FinishedAt = fact.UpdatedAt
	}
	of := reading.Run{PipelineRun: fact, From: rules.FromWorkflow, Tool: "gitea"}
	for _, who := range []*user{r.TriggerActor, r.TriggerUser, r.Actor} {
		if who != nil && of.Actor == "" {
			of.Actor = who.Login
		}
	}
	return of, true
}

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (c *Connection) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request.
func (c *Connection) Describe(h http.Header, body []byte) source.Delivery {
	name := cmp.Or(h.Get("X-Gitea-Event"), h.Get("X-Forgejo-Event"), h.Get("X-Gogs-Event"))
	return hook.Describe(c.cfg.Name, name, cmp.Or(h.Get("X-Gitea-Delivery"), h.Get("X-Forgejo-Delivery")), h, body, "X-Gitea-Event", "X-Gitea-Event-Type", "X-Gitea-Delivery")
}

// Reasons to ignore a delivery.
const (
	ignoredOther      = "an event that is neither about a pull request nor about a run of Actions"
	ignoredRepository = "a repository that is left out"
	ignoredQueued     = "a run that has not begun"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood. A pull request is read
// again, where there is a token to read with: the webhook knows neither its commits nor its reviews.
func (c *Connection) Hear(d source.Delivery) (source.Heard, error) {
	var p struct {
		PullRequest *pullRequest `json:"pull_request"`
		WorkflowRun *run         `json:"workflow_run"`
		Run         *struct {    // Forgejo, which has the repository in the run alone
			run
			Repository *repository
		} `json:"run"`
		Repository *repository
	}
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	if p.Run != nil && p.WorkflowRun == nil {
		p.WorkflowRun, p.Repository = &p.Run.run, cmp.Or(p.Repository, p.Run.Repository)
	}
	isRun := p.WorkflowRun != nil && (d.Event == "workflow_run" || strings.HasPrefix(d.Event, "action_run"))
	isChange := p.PullRequest != nil && strings.HasPrefix(d.Event, "pull_request")
	switch {
	case p.Repository == nil || p.Repository.FullName == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no repository.full_name")
	case !isRun && !isChange:
		return source.Heard{Ignored: ignoredOther}, nil
	case !c.wanted(p.Repository.FullName):
		return source.Heard{Ignored: ignoredRepository}, nil
	}
	fact := c.FactOf(number(p.Repository.ID), p.Repository.FullName)
	if isRun {
		if p.WorkflowRun.ID == 0 {
			return source.Heard{}, fault.New(fault.Invalid, "the payload has no id of a run")
		}
		of, begun := c.pipelineRun(fact, *p.WorkflowRun)
		if !begun {
			return source.Heard{Ignored: ignoredQueued}, nil
		}
		facts, _ := reading.Deployment(c.rules, "run:"+of.ID, of)
		return hook.Told(c.cfg.Name, append([]event.Event{&of.PipelineRun}, facts...)...)
	}
	if p.PullRequest.Number == 0 || instant(p.PullRequest.UpdatedAt).IsZero() {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no pull_request.number or updated_at")
	}
	if c.cfg.Reads() {
		if slices.ContainsFunc(c.Groups(), func(g reading.Group) bool { return g.Fact == fact }) {
			return source.Heard{Wakes: []source.Wake{{Stream: reading.StreamOf(fact, source.Changes), Subject: number(p.PullRequest.Number)}}}, nil
		}
		return source.Heard{Wakes: []source.Wake{{Stream: source.Repositories}}}, nil // a repository that is new
	}
	change := c.change(fact, *p.PullRequest)
	change.UpdatedAt = change.UpdatedAt.Add(-time.Millisecond) // who knows the commits, too, wins
	return hook.Told(c.cfg.Name, change)
}

// Check asks who the token is and what it may read.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only webhooks are heard, and of pull requests neither commits nor reviews are known.")
		return a, nil
	}
	var me user
	switch err := c.api.Get(ctx, "user", nil, &me); {
	case err == nil:
		a.Who = me.Login
	case fault.KindOf(err) == fault.Denied && strings.Contains(err.Error(), "may not read"):
		a.Notes = append(a.Notes, "The token has not the scope read:user, so nobody knows whose it is; that is no harm.")
	default:
		return a, err
	}
	var answer struct{ Data []repository }
	if err := c.api.Get(ctx, "repos/search", pageQuery(""), &answer); err != nil {
		return a, err
	}
	a.Things = append(a.Things, source.Thing{Kind: source.Repositories, What: "the repositories"})
	for _, r := range answer.Data {
		a.Listed++
		if !c.wanted(r.FullName) {
			continue
		}
		if a.Repositories++; len(a.Examples) < 5 {
			a.Examples = append(a.Examples, r.FullName)
		}
	}
	if a.Repositories == 0 {
		a.Notes = append(a.Notes, "No repository that is shown to the token matches: see repositories.include and repositories.exclude.")
	}
	return a, nil
}
