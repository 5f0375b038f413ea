// Package circleci collects from CircleCI: it hears webhooks about workflows and jobs that ended, and reads the pipelines of
// projects with their workflows, by which history comes and what no webhook told.
package circleci

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
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
	Name           string                 `yaml:"name"`
	URL            string                 `yaml:"url"`                 // of a server of one's own
	Token          string                 `yaml:"token" secret:"true"` // a personal API token
	Projects       []string               `yaml:"projects"`            // slugs of those that are read: gh/acme/shop
	WebhookSecrets []string               `yaml:"webhook_secrets" secret:"true"`
	Every          time.Duration          `yaml:"every"` // how long news may wait without a webhook
	Since          time.Time              `yaml:"since"` // how far back history is read; zero: all of it
	Repositories   []rules.RepositoryName `yaml:"repositories"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "circleci", URL: "https://circleci.com", Every: 15 * time.Minute}
}

// Reads says whether there is a token to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool { return len(cfg.WebhookSecrets) > 0 }

// NewCredential makes what adds the token to requests.
func NewCredential(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	return &rest.Credential{Header: "Circle-Token", Value: cfg.Token, At: at, Next: next}, nil
}

// Connection reads and hears one CircleCI. It is safe for use from several goroutines.
type Connection struct {
	*reading.Connection
	cfg          Config
	rules        *rules.Rules
	api          rest.API
	scheme       *signature.Scheme // nil: webhooks are not heard
	repositories *rules.Names
}

// New makes a connection. Errors are fault.Invalid.
func New(cfg Config, r *rules.Rules, client *http.Client) (*Connection, error) {
	switch {
	case !cfg.Reads() && !cfg.Hears():
		return nil, fault.New(fault.Invalid, "neither token nor webhook_secrets is given: nothing could be read or heard")
	case cfg.Reads() && len(cfg.Projects) == 0:
		return nil, fault.New(fault.Invalid, "projects is empty: name those to read by their slugs, such as gh/acme/shop (Project Settings, Overview)")
	case cfg.Every < time.Minute:
		return nil, fault.New(fault.Invalid, "every is %s: give a minute or more", cfg.Every)
	}
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &Connection{cfg: cfg, rules: r, api: rest.API{Name: cfg.Name, System: "CircleCI", Base: at.JoinPath("api/v2"), Client: client, Needs: "a personal API token of somebody who follows the project"}}
	if c.repositories, err = rules.Repositories("repositories", cfg.Repositories); err != nil {
		return nil, err
	}
	if cfg.Hears() {
		if c.scheme, err = signature.CircleCI(cfg.WebhookSecrets...); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
		}
	}
	plan := reading.Plan{Name: cfg.Name, Every: cfg.Every, Kinds: map[string]reading.Lister{source.Runs: reading.List[*pipeline]{
		Since: cfg.Since, Page: c.pipelines, One: c.pipeline, Tell: c.tell,
		Key: func(p *pipeline) reading.Key {
			at, _ := hook.Instant("created_at", p.CreatedAt) // Tell says what is wrong
			return reading.Key{ID: p.ID, At: at, Open: p.open}
		},
	}}}
	if cfg.Reads() {
		for i, slug := range cfg.Projects {
			if slug = strings.Trim(slug, "/"); strings.Count(slug, "/") != 2 || strings.ContainsAny(slug, "?#% ") {
				return nil, fault.New(fault.Invalid, "projects[%d] is %q: expected a slug such as gh/acme/shop", i, cfg.Projects[i])
			}
			plan.Fixed = append(plan.Fixed, reading.Group{Fact: slug, Path: slug})
		}
	}
	c.Connection = reading.Connect(plan)
	return c, nil
}

// origin is where the source of a pipeline came from, which stands in one of two places; some pipelines have none.
type origin struct {
	VCS *struct {
		Revision, Branch, Tag string
		Origin                string `json:"origin_repository_url"`
		Target                string `json:"target_repository_url"`
	} `json:"vcs"`
	Parameters struct {
		Git *struct {
			SHA     string `json:"checkout_sha"`
			RepoURL string `json:"repo_url"`
			Branch  string
			Tag     string
		}
	} `json:"trigger_parameters"`
}

// pipeline is a pipeline with its workflows. One whose configuration is wrong has none.
type pipeline struct {
	ID        string
	State     string
	CreatedAt string `json:"created_at"`
	origin

	open bool // it has not ended, as far as it was looked
}

type workflow struct {
	ID, Name, Status string
	CreatedAt        string `json:"created_at"`
	StoppedAt        string `json:"stopped_at"`
	URL              string
}

type circleJob struct {
	ID, Name, Status string
	StartedAt        string `json:"started_at"`
	StoppedAt        string `json:"stopped_at"`
}

func (c *Connection) pipelines(ctx context.Context, t *reading.Turn, token string) ([]*pipeline, string, error) {
	var answer struct {
		Items []*pipeline
		Next  string `json:"next_page_token"`
	}
	t.Asked()
	err := c.api.Get(ctx, "project/"+t.Group.Path+"/pipeline", pageQuery(token), &answer)
	return answer.Items, answer.Next, err
}

func pageQuery(token string) url.Values {
	if token == "" {
		return nil
	}
	return url.Values{"page-token": {token}}
}

func (c *Connection) pipeline(ctx context.Context, t *reading.Turn, id string) (*pipeline, error) {
	var p pipeline
	t.Asked()
	err := c.api.Get(ctx, "pipeline/"+url.PathEscape(id), nil, &p)
	return &p, err
}

// all reads every page of a short list.
func all[T any](ctx context.Context, c *Connection, t *reading.Turn, path string) ([]T, error) {
	var things []T
	for token := ""; ; {
		var answer struct {
			Items []T
			Next  string `json:"next_page_token"`
		}
		t.Asked()
		if err := c.api.Get(ctx, path, pageQuery(token), &answer); err != nil {
			return nil, err
		}
		things = append(things, answer.Items...)
		if answer.Next == "" || answer.Next == token {
			return things, nil
		}
		token = answer.Next
	}
}

// tell tells the workflows of a pipeline, and the deployments that rules make of them.
func (c *Connection) tell(ctx context.Context, t *reading.Turn, p *pipeline) error {
	workflows, err := all[workflow](ctx, c, t, "pipeline/"+url.PathEscape(p.ID)+"/workflow")
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil // no longer kept
		}
		return err
	}
	p.open = len(workflows) == 0 && p.State != "errored"
	for _, w := range workflows {
		run, err := c.run(t.Group.Path, p.origin, w)
		if err != nil {
			return err
		}
		p.open = p.open || run.FinishedAt.IsZero()
		if err := t.Tell(&run.PipelineRun); err != nil {
			return err
		}
		facts, verdict := reading.Deployment(c.rules, "workflow:"+w.ID, run)
		t.Judged(verdict, w.Name+" of "+run.Repository)
		if err := t.Tell(facts...); err != nil {
			return err
		}
		if !c.rules.Wants(run.Repository, rules.FromJob) {
			continue
		}
		jobs, err := all[circleJob](ctx, c, t, "workflow/"+url.PathEscape(w.ID)+"/job")
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		for _, j := range jobs {
			facts, verdict, err := c.job(run, j)
			if err != nil {
				return err
			}
			t.Judged(verdict, j.Name+" of "+run.Repository)
			if err := t.Tell(facts...); err != nil {
				return err
			}
		}
	}
	return nil
}

// run is the fact of a workflow. CircleCI calls each attempt a workflow of its own.
func (c *Connection) run(slug string, from origin, w workflow) (reading.Run, error) {
	created, err := hook.Instant("workflow.created_at", w.CreatedAt)
	if err != nil {
		return reading.Run{}, err
	}
	stopped, err := hook.Instant("workflow.stopped_at", w.StoppedAt)
	if err != nil {
		return reading.Run{}, err
	}
	if created.IsZero() || w.ID == "" {
		return reading.Run{}, fault.New(fault.Invalid, "%s: a workflow has no id or no created_at", c.cfg.Name)
	}
	fact := event.PipelineRun{
		Telling: event.Telling{Source: c.cfg.Name, UpdatedAt: created}, ID: w.ID, Attempt: 1, Name: reading.Clip(w.Name), Status: statusOf(w.Status),
		QueuedAt: created, StartedAt: created, URL: "https://app.circleci.com/pipelines/workflows/" + w.ID,
	}
	fact.Repository, fact.SHA, fact.Ref = c.checkedOut(slug, from)
	if ended(fact.Status) {
		if fact.FinishedAt = stopped; stopped.Before(created) {
			fact.FinishedAt = created // one that never ran has no end
		}
		fact.UpdatedAt = fact.FinishedAt
	}
	return reading.Run{PipelineRun: fact, From: rules.FromWorkflow, Tool: "circleci"}, nil
}

// checkedOut is what a pipeline was about. Without a repository it is the project, as its slug says.
func (c *Connection) checkedOut(slug string, from origin) (repository, sha, ref string) {
	_, project, _ := strings.Cut(slug, "/")
	if v := from.VCS; v != nil {
		repository, sha, ref = reading.RepositoryOf(cmp.Or(v.Target, v.Origin)), v.Revision, cmp.Or(v.Branch, v.Tag)
	} else if g := from.Parameters.Git; g != nil {
		repository, sha, ref = reading.RepositoryOf(g.RepoURL), g.SHA, cmp.Or(g.Branch, g.Tag)
	}
	return reading.Clip(c.repositories.Or(cmp.Or(repository, project), slug)), sha, reading.Clip(ref)
}

// job is what rules make of a job of a workflow.
func (c *Connection) job(of reading.Run, j circleJob) ([]event.Event, rules.Verdict, error) {
	started, err := hook.Instant("job.started_at", j.StartedAt)
	if err != nil {
		return nil, rules.Verdict{}, err
	}
	stopped, err := hook.Instant("job.stopped_at", j.StoppedAt)
	if err != nil {
		return nil, rules.Verdict{}, err
	}
	if j.ID == "" || started.IsZero() {
		return nil, rules.Verdict{}, nil // it has not begun: a job that waits, or was not reached
	}
	run := of
	run.From, run.Name, run.Status = rules.FromJob, reading.Clip(j.Name), statusOf(j.Status)
	run.QueuedAt, run.StartedAt, run.FinishedAt, run.UpdatedAt = started, started, time.Time{}, started
	if ended(run.Status) {
		if run.FinishedAt = stopped; stopped.Before(started) {
			run.FinishedAt = started
		}
		run.UpdatedAt = run.FinishedAt
	}
	facts, verdict := reading.Deployment(c.rules, "job:"+j.ID, run)
	return facts, verdict, nil
}

func statusOf(status string) string {
	switch status {
	case "success":
		return "succeeded"
	case "failed", "error", "unauthorized", "timedout", "infrastructure_fail", "terminated-unknown":
		return "failed"
	case "canceled", "cancelled":
		return "cancelled"
	case "running", "failing", "on_hold", "retried":
		return "in_progress"
	case "queued", "blocked", "not_running", "pending":
		return "queued"
	}
	return "skipped" // not_run, and what is not invented yet
}

func ended(status string) bool { return status != "in_progress" && status != "queued" }

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (c *Connection) Verify(h http.Header, body []byte, now time.Time) error {
	return c.scheme.Verify(h, body, now)
}

// payload is a webhook. What it does not know of it passes over: CircleCI adds to it.
type payload struct {
	ID       string
	Type     string
	Project  struct{ Slug string }
	Workflow workflow
	Job      *circleJob
	Pipeline origin
}

// Describe makes the delivery of a verified request.
func (c *Connection) Describe(h http.Header, body []byte) source.Delivery {
	var p payload
	_ = hook.Decode(body, &p) // Hear says what is wrong with it
	return hook.Describe(c.cfg.Name, p.Type, p.ID, h, body, "Circleci-Event-Type")
}

// Reasons to ignore a delivery.
const (
	ignoredOther = "an event that is not about a workflow or a job"
	ignoredJob   = "a job that is no deployment by the rules"
	ignoredPing  = "a ping"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
func (c *Connection) Hear(d source.Delivery) (source.Heard, error) {
	var p payload
	if err := hook.Decode(d.Body, &p); err != nil {
		return source.Heard{}, err
	}
	switch {
	case p.Type == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no type, such as workflow-completed")
	case p.Type == "ping":
		return source.Heard{Ignored: ignoredPing}, nil
	case p.Type != "workflow-completed" && p.Type != "job-completed":
		return source.Heard{Ignored: ignoredOther}, nil
	case p.Project.Slug == "":
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no project.slug")
	}
	if p.Type == "job-completed" {
		return c.hearJob(p)
	}
	run, err := c.run(p.Project.Slug, p.Pipeline, p.Workflow)
	if err != nil {
		return source.Heard{}, err
	}
	facts, _ := reading.Deployment(c.rules, "workflow:"+p.Workflow.ID, run)
	return hook.Told(c.cfg.Name, append([]event.Event{&run.PipelineRun}, facts...)...)
}

func (c *Connection) hearJob(p payload) (source.Heard, error) {
	if p.Job == nil {
		return source.Heard{}, fault.New(fault.Invalid, "the payload has no job")
	}
	// The workflow goes on, and what is told of it here is only what its job needs.
	of, err := c.run(p.Project.Slug, p.Pipeline, workflow{ID: p.Workflow.ID, Name: p.Workflow.Name, Status: "running", CreatedAt: cmp.Or(p.Workflow.CreatedAt, p.Job.StartedAt, p.Job.StoppedAt)})
	if err != nil {
		return source.Heard{}, err
	}
	facts, _, err := c.job(of, *p.Job)
	if err != nil {
		return source.Heard{}, err
	}
	if len(facts) == 0 {
		return source.Heard{Ignored: ignoredJob}, nil
	}
	return hook.Told(c.cfg.Name, facts...)
}

// Check asks who the token is and what it may read.
func (c *Connection) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No token is given: only webhooks are heard, and nothing from before them is known.")
		return a, nil
	}
	var me struct{ Login, Name string }
	if err := c.api.Get(ctx, "me", nil, &me); err != nil {
		return a, err
	}
	a.Who = cmp.Or(me.Login, me.Name)
	for _, g := range c.Groups() {
		thing := source.Thing{Kind: source.Runs, What: "the pipelines of " + g.Path}
		var answer struct{ Items []struct{ ID string } }
		switch err := c.api.Get(ctx, "project/"+g.Path+"/pipeline", nil, &answer); fault.KindOf(err) {
		case fault.Denied, fault.NotFound:
			thing.Denied = err.Error()
		default:
			if err != nil {
				return a, err
			}
			a.Repositories++
		}
		a.Things = append(a.Things, thing)
		a.Listed++
	}
	a.Notes = append(a.Notes, "Each pipeline takes a request, and another one for each workflow where jobs can be deployments: bound the history with since.")
	return a, nil
}
