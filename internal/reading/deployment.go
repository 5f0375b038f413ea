package reading

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// Run is a pipeline run, or a job of one, as a system tells it.
type Run struct {
	event.PipelineRun
	From  string // rules.FromWorkflow or rules.FromJob
	Actor string
	Tool  string
}

// version is a ref that people would call a version.
var version = regexp.MustCompile(`^(?:refs/tags/)?(v?\d+\.\d+[0-9A-Za-z.+-]*)$`)

// Deployment is what rules make of a run: nil unless they call it a deployment, by its name. With it come the
// registrations of the services that are built from the repository, without which a deployment has no service to belong
// to; they are told as of 1970, so that anybody else who tells of the service wins.
func Deployment(r *rules.Rules, id string, run Run) ([]event.Event, rules.Verdict) {
	verdict := r.Deployment(rules.Candidate{Repository: run.Repository, From: run.From, Name: run.Name, Pipeline: run.Template})
	if !verdict.Deployment || verdict.Service == "" {
		verdict.Deployment = false
		return nil, verdict
	}
	d := &event.Deployment{
		Telling: run.Telling, Service: verdict.Service, ID: id, Attempt: max(run.Attempt, 1),
		Environment: cmp.Or(verdict.Environment, "production"), Tier: verdict.Tier, Way: verdict.Way,
		Status: run.Status, CreatedAt: run.QueuedAt, StartedAt: run.StartedAt, FinishedAt: run.FinishedAt,
		Tool: run.Tool, Actor: run.Actor, PipelineRun: run.ID, URL: run.URL,
	}
	if d.Status == "queued" {
		d.Status = "pending"
	}
	if run.SHA != "" {
		d.Revisions = []event.Revision{{Repository: run.Repository, SHA: run.SHA}}
	}
	if found := version.FindStringSubmatch(run.Ref); found != nil {
		d.Version = found[1]
	}
	d.Hotfix, _ = r.Hotfix(run.Ref, "", nil)
	return append(services(r, run.Source, run.Repository, d.Service), d), verdict
}

func services(r *rules.Rules, source, repository, own string) []event.Event {
	var facts []event.Event
	known := map[string]*event.Service{}
	add := func(id string, from event.ServiceRepository) {
		from.Repository = cmp.Or(from.Repository, repository)
		if known[id] == nil {
			known[id] = &event.Service{Telling: event.Telling{Source: source, UpdatedAt: time.UnixMilli(0).UTC()}, ID: id, Name: id}
			facts = append(facts, known[id])
		}
		known[id].Repositories = append(known[id].Repositories, from)
	}
	for _, s := range r.Services(repository) {
		add(s.ID, s.From)
	}
	if known[own] == nil {
		add(own, event.ServiceRepository{})
	}
	return facts
}

// short is an address as git takes it beside URLs: git@host:acme/shop.git.
var short = regexp.MustCompile(`^(?:[^@/]+@)?[^:/]+:([^/].*)$`)

// RepositoryOf is the id of the repository at an address that git can clone: acme/shop. "" is no address.
func RepositoryOf(address string) string {
	path := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		path = u.Path
	} else if found := short.FindStringSubmatch(address); found != nil && !strings.Contains(address, "://") {
		path = found[1]
	}
	return strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

// Branch is a branch or tag without what git puts before it.
func Branch(ref string) string {
	for _, prefix := range []string{"refs/remotes/", "refs/heads/", "refs/tags/", "remotes/"} {
		ref = strings.TrimPrefix(ref, prefix)
	}
	ref = strings.TrimPrefix(ref, "origin/")
	if ref == "detached" || ref == "HEAD" {
		return ""
	}
	return ref
}

// Clip shortens a text to what a fact takes.
func Clip(text string) string {
	if text = strings.ToValidUTF8(text, "\uFFFD"); len(text) > 4096 {
		text = strings.ToValidUTF8(text[:4096], "")
	}
	return text
}
