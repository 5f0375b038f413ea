package humanitec

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/revision"
	"cairn/internal/rules"
)

// translator makes facts of deployments.
type translator struct {
	source                               string
	services, environments, repositories *rules.Names
}

func newTranslator(cfg Config) (*translator, error) {
	t := &translator{source: cfg.Name}
	var err error
	if t.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if t.environments, err = rules.Environments("environments", cfg.Environments); err != nil {
		return nil, err
	}
	t.repositories, err = rules.Repositories("repositories", cfg.Repositories)
	return t, err
}

// deployed is a deployment of either version.
type deployed struct {
	id                       string // in facts
	application, environment string
	environmentType          string
	status                   string
	created, finished        time.Time
	changed                  time.Time // when it changed last
	actor, pipeline          string
	rollback                 bool
	workloads                map[string][]image // what was deployed, as far as it is known
}

// image is a container image, with what is known of how it was built.
type image struct {
	reference           string // as Humanitec has it
	name                string // with the host, without tag and digest
	tag, digest, commit string
}

// parseImage reads a reference such as ghcr.io/acme/shop:1.4.2@sha256:…. One of another form is a name.
func parseImage(text string) image {
	i := image{reference: text, name: text}
	parsed, ok := revision.ParseImage(text)
	if !ok {
		return i
	}
	i.tag, i.digest = parsed.Tag, parsed.Digest
	// The name as Humanitec has it: a short one stays short.
	i.name, _, _ = strings.Cut(text, "@")
	if parsed.Tag != "" {
		i.name = strings.TrimSuffix(i.name, ":"+parsed.Tag)
	}
	return i
}

// path of an image's name, without the host that keeps it.
func (i image) path() string {
	if parsed, ok := revision.ParseImage(i.name); ok {
		return strings.TrimPrefix(parsed.Path, "library/")
	}
	return i.name
}

// facts are the deployments that a deployment is: one of the application, and one of each service that a rule makes of
// workloads of it.
func (t *translator) facts(d deployed) []event.Event {
	environment, ruled := t.environments.Of(d.application+"/"+d.environment, d.environment, d.environmentType)
	tier := ""
	if !ruled {
		environment, tier = d.environment, tierOf(d.environmentType)
	}
	if environment == "" {
		return nil // left out
	}
	of := map[string][]image{} // by service
	rest := len(d.workloads) == 0
	for _, workload := range slices.Sorted(maps.Keys(d.workloads)) {
		if service, fits := t.services.Of(d.application + "/" + workload); fits {
			if service != "" {
				of[service] = append(of[service], d.workloads[workload]...)
			}
			continue
		}
		rest = true
	}
	if service := t.services.Or(d.application); rest && service != "" {
		of[service] = append([]image{}, of[service]...)
		for _, workload := range slices.Sorted(maps.Keys(d.workloads)) {
			if _, fits := t.services.Of(d.application + "/" + workload); !fits {
				of[service] = append(of[service], d.workloads[workload]...)
			}
		}
	}
	var facts []event.Event
	for _, service := range slices.Sorted(maps.Keys(of)) {
		e := &event.Deployment{
			Service: service, ID: d.id, Attempt: 1, Environment: environment, Tier: tier, Status: d.status, CreatedAt: d.created, StartedAt: d.created, FinishedAt: d.finished,
			Rollback: d.rollback, Tool: "humanitec", Actor: d.actor, PipelineRun: d.pipeline,
		}
		t.version(e, of[service])
		e.Source, e.UpdatedAt = t.source, d.changed
		facts = append(facts, e)
	}
	return facts
}

// version says which version a deployment brought: of one image its tag and digest, of several all their tags; and the
// commits that they were built from.
func (t *translator) version(e *event.Deployment, images []image) {
	images = slices.Clone(images)
	slices.SortFunc(images, func(a, b image) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.tag, b.tag), cmp.Compare(a.digest, b.digest))
	})
	images = slices.Compact(images)
	tags := map[string]bool{}
	var each []string
	for _, i := range images {
		e.Images = append(e.Images, i.reference)
		if i.tag != "" {
			tags[i.tag] = true
			each = append(each, i.path()+":"+i.tag)
		}
		repository, fits := t.repositories.Of(i.name, i.path())
		if !fits {
			repository = i.path()
		}
		if i.commit != "" && repository != "" && !slices.ContainsFunc(e.Revisions, func(r event.Revision) bool { return r.Repository == repository }) {
			e.Revisions = append(e.Revisions, event.Revision{Repository: repository, SHA: i.commit})
		}
	}
	if len(images) == 1 {
		e.Artifact = images[0].digest
	}
	if e.Version = strings.Join(each, ", "); len(tags) == 1 {
		e.Version = slices.Collect(maps.Keys(tags))[0]
	}
	if len(e.Version) > maxVersion {
		e.Version = e.Version[:maxVersion]
	}
}

// maxVersion bounds the text of a version that is made of many.
const maxVersion = 1000

// tierOf is the tier that the usual types of environments have; "" leaves it to the environment's name.
func tierOf(kind string) string {
	switch strings.ToLower(kind) {
	case "production", "prod", "live":
		return "production"
	case "staging", "stage", "preprod", "pre-production":
		return "staging"
	case "testing", "test", "qa", "qa-automation":
		return "testing"
	case "development", "dev", "ephemeral", "preview":
		return "development"
	}
	return ""
}

// statusOf is a status in the words of facts; "" when it is not known.
func statusOf(text string) string {
	switch strings.ReplaceAll(strings.ToLower(text), " ", "_") {
	case "pending", "queued", "waiting":
		return "pending"
	case "in_progress", "executing", "running", "planning", "deploying":
		return "in_progress"
	case "succeeded", "success":
		return "succeeded"
	case "failed", "failure", "error":
		return "failed"
	case "cancelled", "canceled", "terminated", "aborted":
		return "cancelled"
	}
	return ""
}

// final says whether nothing more happens to a deployment of that status.
func final(status string) bool { return status != "pending" && status != "in_progress" }
