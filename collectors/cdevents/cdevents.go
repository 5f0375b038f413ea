// Package cdevents hears CDEvents, the common vocabulary of delivery tools, over HTTP as CloudEvents has it: binary,
// structured, or in batches. It goes by subject and predicate and tolerates every version of the specification.
package cdevents

import (
	"encoding/json"
	"mime"
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

// Config are the settings of a connection. One of tokens, basic and signing is needed: CDEvents have no signature.
type Config struct {
	Name         string                  `yaml:"name"`
	Tokens       []string                `yaml:"tokens" secret:"true"` // Authorization: Bearer
	Basic        hook.Basic              `yaml:"basic"`
	Signing      hook.Signing            `yaml:"signing"`
	Subjects     []string                `yaml:"subjects"` // those that are told
	Services     []rules.ServiceName     `yaml:"services"`
	Environments []rules.EnvironmentName `yaml:"environments"`
	Repositories []rules.RepositoryName  `yaml:"repositories"` // by the name of a pipeline, or the id of a repository
	CustomData   CustomData              `yaml:"custom_data"`
}

// CustomData are paths into an event's customData, such as git.commit, of what the specification has no place for.
type CustomData struct {
	SHA        string `yaml:"sha"`
	Repository string `yaml:"repository"`
	Ref        string `yaml:"ref"`
	Severity   string `yaml:"severity"`
	StartedAt  string `yaml:"started_at"`
}

func subjects() []string { return []string{"service", "pipelinerun", "change", "incident"} }

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{
		Name: "cdevents", Subjects: subjects(),
		CustomData: CustomData{SHA: "sha", Repository: "repository", Ref: "ref", Severity: "severity", StartedAt: "started_at"},
	}
}

// Receiver hears the events. It is safe for use from several goroutines.
type Receiver struct {
	cfg                                  Config
	scheme                               *signature.Scheme
	services, environments, repositories *rules.Names
	memory                               *hook.Memory[cdEvent]
}

// remembered is how many unfinished things are joined.
const remembered = 20_000

// New makes a receiver. The rules of forges say nothing about events. Errors are fault.Invalid.
func New(cfg Config, _ *rules.Rules) (*Receiver, error) {
	r := &Receiver{cfg: cfg, memory: hook.NewMemory[cdEvent](remembered)}
	var err error
	if r.scheme, err = (hook.Agreed{Bearer: cfg.Tokens, Basic: cfg.Basic, Signing: cfg.Signing}).Scheme("set tokens, basic or signing"); err != nil {
		return nil, err
	}
	for _, subject := range cfg.Subjects {
		if !slices.Contains(subjects(), subject) {
			return nil, fault.New(fault.Invalid, "subjects has %q: expected some of %s", subject, strings.Join(subjects(), ", "))
		}
	}
	if r.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if r.environments, err = rules.Environments("environments", cfg.Environments); err != nil {
		return nil, err
	}
	if r.repositories, err = rules.Repositories("repositories", cfg.Repositories); err != nil {
		return nil, err
	}
	return r, nil
}

// Verify says whether the request shows what was agreed: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// Describe makes the delivery of a verified request. Source, type and id of a single event identify it.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	name, id := attribute(h, "Type"), ""
	if name != "" && h.Get("Ce-Id") != "" {
		id = strings.Join([]string{name, attribute(h, "Source"), attribute(h, "Id")}, " ")
	} else if mode(h) != batch {
		var e struct{ Type, Source, ID string }
		if json.Unmarshal(body, &e) == nil && e.ID != "" {
			name, id = e.Type, strings.Join([]string{e.Type, e.Source, e.ID}, " ")
		}
	} else {
		name = "batch"
	}
	if short := strings.TrimPrefix(name, "dev.cdevents."); short != name {
		name = strings.Join(firstTwo(short), ".") // versions would make it many names
	}
	return hook.Describe(r.cfg.Name, name, id, h, body, "Ce-Specversion", "Ce-Type", "Ce-Source", "Ce-Id", "Ce-Subject", "Ce-Time")
}

func firstTwo(dotted string) []string {
	parts := strings.SplitN(dotted, ".", 3)
	return parts[:min(len(parts), 2)]
}

const (
	single = iota // the body is the event itself: binary, or without CloudEvents around it
	structured
	batch
)

func mode(h http.Header) int {
	switch kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); {
	case strings.HasPrefix(kind, "application/cloudevents-batch"):
		return batch
	case strings.HasPrefix(kind, "application/cloudevents"):
		return structured
	}
	return single
}

// Joins says that events are parts of things: what is heard depends on what was heard before.
func (r *Receiver) Joins() bool { return true }

// cdEvent is an event, as far as it counts here.
type cdEvent struct {
	Context struct{ ID, Source, Type, Timestamp string }
	Subject struct {
		ID, Source string
		Content    struct {
			Environment, Service, Repository reference
			ArtifactID, PipelineName         string
			URL, URI                         string // the latter since 0.5
			Outcome, Description, TicketURI  string
		}
	}
	CustomData json.RawMessage

	subject, predicate string
	at                 time.Time
}

// reference names another subject. Some send its id alone.
type reference struct{ ID, Source string }

func (r *reference) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &r.ID) == nil {
		return nil
	}
	type plain reference
	return json.Unmarshal(text, (*plain)(r))
}

// Reasons to ignore an event.
const (
	ignoredOther   = "an event that tells nothing that is counted"
	ignoredLeftOut = "a subject that is left out"
	ignoredName    = "a service that is left out"
	ignoredRemoved = "a service was removed, which is no deployment"
	ignoredEnd     = "an end whose beginning was not told yet"
	ignoredEmpty   = "an empty batch"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood. Of a batch what is
// understood is told beside the error, which says which event is not.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var events []cloudEvent
	if m := mode(d.Header); m == single {
		events = []cloudEvent{binary(d.Header, d.Body)}
	} else {
		events = make([]cloudEvent, 1)
		var into any = &events[0]
		if m == batch {
			into = &events
		}
		if err := hook.Decode(d.Body, into); err != nil {
			return source.Heard{}, err
		}
	}
	var facts []event.Event
	var wrong error
	ignored := ignoredEmpty
	for i, e := range events {
		fact, reason, err := r.one(e)
		if err == nil && fact != nil {
			_, err = hook.Told(r.cfg.Name, fact)
		}
		switch {
		case err != nil && wrong == nil && mode(d.Header) == batch:
			wrong = fault.Wrap(fault.Invalid, err, "event %d of %d in the batch", i+1, len(events))
		case err != nil && wrong == nil:
			wrong = err
		case err == nil && fact != nil:
			facts = append(facts, fact)
		case err == nil:
			ignored = reason
		}
	}
	if wrong == nil && len(facts) == 0 {
		return source.Heard{Ignored: ignored}, nil
	}
	return source.Heard{Facts: facts}, wrong
}

// cloudEvent is what stands around an event.
type cloudEvent struct {
	Type, Source, ID, Subject, Time string
	Data                            json.RawMessage `json:"data"`
	Base64                          []byte          `json:"data_base64"`
}

// binary is the event whose attributes are headers, in which some characters are percent-encoded. A body that has its own
// envelope, which some send as plain JSON, is structured after all.
func binary(h http.Header, body []byte) cloudEvent {
	var e struct {
		SpecVersion string
		cloudEvent
	}
	if json.Unmarshal(body, &e) == nil && e.SpecVersion != "" && len(e.Data)+len(e.Base64) > 0 {
		return e.cloudEvent
	}
	return cloudEvent{Type: attribute(h, "Type"), Source: attribute(h, "Source"), ID: attribute(h, "Id"), Subject: attribute(h, "Subject"), Time: attribute(h, "Time"), Data: body}
}

// attribute is one of CloudEvents' in a header.
func attribute(h http.Header, name string) string {
	text := h.Get("Ce-" + name)
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// body is the CDEvent itself. It may be text that has the JSON, as some say of data whose type is none of JSON's.
func (e cloudEvent) body() []byte {
	var text string
	switch {
	case len(e.Data) == 0:
		return e.Base64
	case e.Data[0] == '"' && json.Unmarshal(e.Data, &text) == nil:
		return []byte(text)
	}
	return e.Data
}

// fill takes from the attributes around an event what it does not say itself; both are the same where both are there.
func (e cloudEvent) fill(c *cdEvent) {
	for _, field := range []struct {
		to   *string
		from string
	}{{&c.Context.Type, e.Type}, {&c.Context.Source, e.Source}, {&c.Context.ID, e.ID}, {&c.Context.Timestamp, e.Time}, {&c.Subject.ID, e.Subject}} {
		if *field.to == "" {
			*field.to = field.from
		}
	}
}

func (r *Receiver) one(around cloudEvent) (event.Event, string, error) {
	var e cdEvent
	if err := hook.Decode(around.body(), &e); err != nil {
		return nil, "", err
	}
	around.fill(&e)
	rest, ours := strings.CutPrefix(e.Context.Type, "dev.cdevents.")
	if !ours {
		if strings.HasPrefix(e.Context.Type, "dev.cdeventsx.") {
			return nil, ignoredOther, nil
		}
		return nil, "", fault.New(fault.Invalid, "context.type is not that of a CDEvent: it begins with dev.cdevents.")
	}
	words := append(firstTwo(rest), "")
	e.subject, e.predicate = words[0], words[1]
	if !slices.Contains(subjects(), e.subject) {
		return nil, ignoredOther, nil
	}
	if !slices.Contains(r.cfg.Subjects, e.subject) {
		return nil, ignoredLeftOut, nil
	}
	var err error
	if e.at, err = hook.Instant("context.timestamp", e.Context.Timestamp); err != nil {
		return nil, "", err
	}
	if e.at.IsZero() || e.Subject.ID == "" || e.Context.ID == "" {
		return nil, "", fault.New(fault.Invalid, "the event has no context.timestamp, context.id or subject.id")
	}
	if e.Subject.Source == "" {
		e.Subject.Source = e.Context.Source // as the specification has it
	}
	switch e.subject {
	case "service":
		return r.deployment(e)
	case "pipelinerun":
		return r.run(e)
	case "change":
		return r.change(e)
	}
	return r.incident(e)
}

// id is the subject's, unique within its source.
func (e cdEvent) id() string { return scoped(e.Subject.Source, e.Subject.ID) }

func scoped(source, id string) string {
	if source == "" {
		return id
	}
	return strings.TrimRight(source, "/") + "/" + id
}

// custom is a text of the event's customData.
func (e cdEvent) custom(path string) string {
	if path == "" {
		return ""
	}
	at := e.CustomData
	var packed []byte
	if json.Unmarshal(at, &packed) == nil && len(packed) > 0 { // base64, as data that are none of JSON's are sent
		at = packed
	}
	for key := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(at, &object) != nil {
			return ""
		}
		at = object[key]
	}
	var text string
	if json.Unmarshal(at, &text) != nil {
		return ""
	}
	return text
}

// deployment is told whole by one event, which is what identifies it: CDEvents know no runs that deploy.
func (r *Receiver) deployment(e cdEvent) (event.Event, string, error) {
	switch e.predicate {
	case "deployed", "upgraded", "rolledback":
	case "removed":
		return nil, ignoredRemoved, nil
	default:
		return nil, ignoredOther, nil
	}
	c := e.Subject.Content
	service := r.services.Or(e.Subject.ID, e.id())
	environment := r.environments.Or(c.Environment.ID)
	if service == "" || environment == "" && c.Environment.ID != "" {
		return nil, ignoredName, nil
	}
	d := &event.Deployment{
		Service: service, ID: scoped(e.Context.Source, e.Context.ID) + "/" + e.predicate, Attempt: 1,
		Environment: environment, Status: "succeeded", FinishedAt: e.at,
		Rollback: e.predicate == "rolledback",
	}
	d.UpdatedAt = e.at
	purl := parsePURL(c.ArtifactID)
	d.Version, d.Artifact = purl.version, purl.digest
	repository := r.repositories.Or(e.custom(r.cfg.CustomData.Repository), purl.repository)
	if sha := e.custom(r.cfg.CustomData.SHA); sha != "" {
		purl.sha = sha
	}
	if purl.sha != "" && repository != "" {
		d.Revisions = []event.Revision{{Repository: repository, SHA: purl.sha}}
	}
	return d, "", nil
}

// run joins what was told of a pipeline run.
func (r *Receiver) run(e cdEvent) (event.Event, string, error) {
	if !slices.Contains([]string{"queued", "started", "finished"}, e.predicate) {
		return nil, ignoredOther, nil
	}
	parts := r.memory.Join("run "+e.id(), e.predicate, e.at, e)
	run := &event.PipelineRun{Attempt: 1, ID: e.Subject.ID}
	last := fold(parts, []string{"queued", "started", "finished"}, func(e cdEvent) {
		c := e.Subject.Content
		run.Repository = firstOf(r.repositories.Or(e.custom(r.cfg.CustomData.Repository)), run.Repository)
		if named, _ := r.repositories.Of(c.PipelineName); named != "" {
			run.Repository = named
		}
		run.Name, run.URL = firstOf(c.PipelineName, run.Name), firstOf(c.URL, c.URI, run.URL)
		run.SHA = firstOf(e.custom(r.cfg.CustomData.SHA), run.SHA)
		run.Ref = firstOf(e.custom(r.cfg.CustomData.Ref), run.Ref)
		switch e.predicate {
		case "queued":
			run.Status, run.QueuedAt = "queued", e.at
		case "started":
			run.Status, run.StartedAt = "in_progress", e.at
		case "finished":
			run.Status, run.FinishedAt = outcome(c.Outcome), e.at
		}
	})
	run.Repository = firstOf(run.Repository, e.Subject.Source, e.Subject.Content.PipelineName)
	if run.StartedAt.IsZero() {
		run.StartedAt = r.started(e)
	}
	if run.FinishedAt.Before(run.StartedAt) {
		run.StartedAt = time.Time{} // two clocks; the end is what counts
		if run.FinishedAt.IsZero() {
			run.StartedAt = parts["started"].at
		}
	}
	run.UpdatedAt = hook.At(last, len(parts), 3)
	return run, "", nil
}

// started is when the event's customData says that it began.
func (r *Receiver) started(e cdEvent) time.Time {
	t, err := hook.Instant("started_at", e.custom(r.cfg.CustomData.StartedAt))
	if err != nil || t.After(e.at) {
		return time.Time{}
	}
	return t
}

func outcome(text string) string {
	switch strings.ToLower(text) {
	case "success":
		return "succeeded"
	case "cancel", "canceled", "cancelled":
		return "cancelled"
	case "skip", "skipped":
		return "skipped"
	}
	return "failed" // failure, error, and whatever else is no success
}

// change joins what was told of a change request.
func (r *Receiver) change(e cdEvent) (event.Event, string, error) {
	if !slices.Contains([]string{"created", "merged", "abandoned"}, e.predicate) {
		return nil, ignoredOther, nil
	}
	parts := r.memory.Join("change "+e.id(), e.predicate, e.at, e)
	change := &event.ChangeRequest{ID: e.Subject.ID, CreatedAt: r.started(e)}
	last := fold(parts, []string{"created", "abandoned", "merged"}, func(e cdEvent) {
		c := e.Subject.Content
		change.Title = firstOf(change.Title, c.Description)
		change.Repository = firstOf(r.repositories.Or(c.Repository.ID), change.Repository)
		if started := r.started(e); change.CreatedAt.IsZero() {
			change.CreatedAt = started
		}
		switch e.predicate {
		case "created":
			change.CreatedAt = e.at
		case "merged":
			change.MergedAt = e.at
			if sha := e.custom(r.cfg.CustomData.SHA); sha != "" {
				change.Landed = []string{sha}
			}
		case "abandoned":
			change.ClosedAt = e.at
		}
	})
	if change.Repository == "" {
		change.Repository = e.Subject.Source
	}
	if !change.MergedAt.IsZero() {
		change.ClosedAt = time.Time{}
	}
	if change.CreatedAt.IsZero() {
		return nil, ignoredEnd, nil
	}
	change.UpdatedAt = hook.At(last, len(parts), 3)
	return change, "", nil
}

const ended = "resolved" // predicate of an incident

// incident joins what was told of an incident. Without its beginning an end is not told: it would be an incident that
// lasted no time.
func (r *Receiver) incident(e cdEvent) (event.Event, string, error) {
	if !slices.Contains([]string{"detected", "reported", ended}, e.predicate) {
		return nil, ignoredOther, nil
	}
	parts := r.memory.Join("incident "+e.id(), e.predicate, e.at, e)
	incident := &event.Incident{ID: e.id()}
	leftOut := false
	last := fold(parts, []string{"reported", "detected", ended}, func(e cdEvent) {
		c := e.Subject.Content
		if c.Service.ID != "" {
			incident.Service = r.services.Or(c.Service.ID, scoped(c.Service.Source, c.Service.ID))
			leftOut = incident.Service == ""
		}
		incident.Title = firstOf(incident.Title, c.Description)
		incident.URL = firstOf(c.TicketURI, incident.URL)
		incident.Severity = firstOf(e.custom(r.cfg.CustomData.Severity), incident.Severity)
		began := r.started(e)
		switch e.predicate {
		case ended:
			incident.RestoredAt, incident.ResolvedAt = e.at, e.at
		case "detected":
			incident.DetectedAt = e.at
			fallthrough
		default:
			if began.IsZero() {
				began = e.at
			}
		}
		if !began.IsZero() && (incident.StartedAt.IsZero() || began.Before(incident.StartedAt)) {
			incident.StartedAt = began
		}
	})
	if leftOut {
		return nil, ignoredName, nil
	}
	if incident.StartedAt.IsZero() {
		return nil, ignoredEnd, nil
	}
	incident.UpdatedAt = hook.At(last, len(parts), 3)
	return incident, "", nil
}

// fold goes over the parts that are known, in the order of the predicates, and returns the latest instant.
func fold(parts map[string]cdEvent, predicates []string, each func(cdEvent)) time.Time {
	var last time.Time
	for _, predicate := range predicates {
		if e, ok := parts[predicate]; ok {
			each(e)
			if e.at.After(last) {
				last = e.at
			}
		}
	}
	return last
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// purl is what a package URL says of an artifact.
type purl struct{ version, digest, sha, repository string }

// parsePURL reads pkg:type/namespace/name@version?qualifiers. Qualifiers vcs_url and checksum are those of the
// specification; commit and sha are seen as well. Of types that name repositories the version can be the commit.
func parsePURL(text string) (p purl) {
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok {
		return purl{}
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	path := rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		path = rest[:at]
		if p.version, _ = url.PathUnescape(rest[at+1:]); p.version == "" {
			p.version = rest[at+1:]
		}
	}
	if strings.HasPrefix(p.version, "sha256:") {
		p.digest = p.version
	}
	qualifiers, _ := url.ParseQuery(query)
	if p.digest == "" && strings.HasPrefix(qualifiers.Get("checksum"), "sha256:") {
		p.digest, _, _ = strings.Cut(qualifiers.Get("checksum"), ",")
	}
	if p.digest == p.version && qualifiers.Get("tag") != "" {
		p.version = qualifiers.Get("tag")
	}
	if kind, name, _ := strings.Cut(path, "/"); kind == "github" || kind == "gitlab" || kind == "bitbucket" {
		p.repository, _ = url.PathUnescape(name)
		if isSHA(p.version) {
			p.sha = p.version
		}
	}
	// vcs_url is such as git+https://github.com/acme/shop.git@5f2c…
	if vcs, err := url.Parse(strings.TrimPrefix(qualifiers.Get("vcs_url"), "git+")); err == nil && vcs.Host != "" {
		repository, sha, _ := strings.Cut(strings.Trim(vcs.Path, "/"), "@")
		p.repository = strings.TrimSuffix(repository, ".git")
		if isSHA(sha) {
			p.sha = sha
		}
	}
	for _, key := range []string{"commit", "sha"} {
		if sha := qualifiers.Get(key); isSHA(sha) {
			p.sha = sha
		}
	}
	return p
}

func isSHA(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
