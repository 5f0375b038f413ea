package argocd

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/hook"
	"cairn/internal/revision"
)

// Application is an application as Argo CD's API and that of Kubernetes tell it, as far as it counts here.
type Application struct {
	Metadata struct {
		Name, Namespace, UID string
		Labels, Annotations  map[string]string
	}
	Spec struct {
		Project     string
		Destination Destination
		Source      *Source
		Sources     []Source
	}
	Status Status
}

// Destination is where an application is brought to.
type Destination struct{ Server, Name, Namespace string }

// Status is what has become of an application.
type Status struct {
	OperationState *OperationState // of the latest operation
	History        []History       // of full syncs that succeeded, the latest ten unless it is set otherwise
	Health         struct{ Status string }
	Summary        struct{ Images []string }
	ReconciledAt   string // when the status was last compared with the cluster
}

// Source is where manifests come from: a path in a Git repository, or a chart.
type Source struct {
	RepoURL, Path, Chart, TargetRevision string
	Helm, Kustomize, Plugin              json.RawMessage
}

// History is a sync that succeeded. Ids begin at 0 anew when an application is made anew.
type History struct {
	ID                          int64
	Revision                    string
	Revisions                   []string
	DeployStartedAt, DeployedAt string
	InitiatedBy                 Initiator
	Source                      *Source
	Sources                     []Source
}

// Initiator is who began a sync.
type Initiator struct {
	Username  string
	Automated bool
}

// OperationState is how the latest operation went.
type OperationState struct {
	Phase                 string // Running, Terminating, Succeeded, Failed, Error
	StartedAt, FinishedAt string
	Operation             struct {
		InitiatedBy Initiator
		Sync        *struct {
			DryRun    bool
			Revision  string
			Revisions []string
			Resources []json.RawMessage // those that were asked for; none: all
		}
	}
	SyncResult *struct {
		Revision  string
		Revisions []string
		Source    *Source
		Sources   []Source
	}
}

// Annotations of an application that say what is said of it nowhere else.
const (
	AnnotationService     = "cairn.dev/service"
	AnnotationEnvironment = "cairn.dev/environment"
	// AnnotationSource lists the repositories of its sources that are the application's own, with commas between, or
	// says all.
	AnnotationSource = "cairn.dev/source-repositories"
)

// Object is what an application is named by.
func (a *Application) Object() gitops.Object {
	m, d := a.Metadata, a.Spec.Destination
	o := gitops.Object{
		Labels: m.Labels, Annotations: m.Annotations,
		Service: m.Annotations[AnnotationService], Environment: m.Annotations[AnnotationEnvironment],
		Names: []string{m.Name, m.Namespace + "/" + m.Name, a.Spec.Project},
	}
	if cluster := d.Cluster(); cluster != "" {
		o.Places = []string{strings.Trim(cluster+"/"+d.Namespace, "/"), d.Namespace, cluster}
	} else {
		o.Places = []string{cmp.Or(d.Namespace, "in-cluster"), "in-cluster/" + d.Namespace, "in-cluster"}
	}
	return o
}

// Cluster is the name of the cluster, or the host of its address; "" is the one that Argo CD runs in.
func (d Destination) Cluster() string {
	name := d.Name
	if name == "" {
		name = d.Server
		if u, err := url.Parse(d.Server); err == nil && u.Host != "" {
			name = u.Hostname()
		}
	}
	if name == "in-cluster" || name == "kubernetes.default.svc" {
		return ""
	}
	return name
}

// Named is what an application is called here.
type Named struct {
	Service, Environment string // one of them "": none of ours
	Target               string
	// Repository says what the repository at an address is called and which role it has, as gitops.Naming does.
	Repository func(own bool, texts ...string) (id, role string)
	URL        string // of Argo CD's own pages; "" when it is not known
}

// NameBy names an application by the rules that all collectors share.
func NameBy(n *gitops.Naming, a *Application) Named {
	o := a.Object()
	return Named{Service: n.Service(o), Environment: n.Environment(o), Target: a.Spec.Destination.Cluster(), Repository: n.Repository}
}

// Tool is what deployments of applications say that they were made with.
const Tool = "argocd"

// Deployments are the syncs that an application's status tells: those of its history, and the latest operation when it
// is none of these because it failed, or synced only a part. Whoever is told the status (a webhook, the API, a watch)
// tells the same. What was not ended, and a dry run, is no deployment. Errors are fault.Invalid.
//
// The status says more of the latest sync than it will of it later, as one of the history. Of two tellings the one that
// knows more is the later, by a millisecond, so that the order in which they come does not matter.
func Deployments(a *Application, named Named) ([]event.Event, error) {
	if a.Metadata.UID == "" || a.Metadata.Name == "" {
		return nil, fault.New(fault.Invalid, "the application has no uid or no name")
	}
	if named.Service == "" || named.Environment == "" {
		return nil, nil
	}
	t := telling{a: a, named: named}
	for i := range a.Status.History {
		if err := t.history(&a.Status.History[i]); err != nil {
			return nil, err
		}
	}
	if err := t.operation(); err != nil {
		return nil, err
	}
	return t.told, nil
}

type telling struct {
	a       *Application
	named   Named
	told    []event.Event
	matched *event.Deployment // of the latest operation
}

// Parts of what can be known of a sync, in the order in which they become known.
const (
	ofHistory   = 1 + iota // what the history keeps
	ofOperation            // and who began it
	ofImages               // and what runs since
	allParts    = ofImages
)

func (t *telling) history(h *History) error {
	at, err := hook.Instant("deployedAt", h.DeployedAt)
	if err != nil || at.IsZero() {
		return cmp.Or(err, fault.New(fault.Invalid, "an entry of the application's history has no deployedAt"))
	}
	started, err := hook.Instant("deployStartedAt", h.DeployStartedAt)
	if err != nil {
		return err
	}
	d := t.deployment(fmt.Sprintf("%d:%s", h.ID, at.Format(time.RFC3339)), started, at, "succeeded")
	t.carry(d, h.Sources, h.Source, h.Revisions, h.Revision)
	d.Actor = actor(h.InitiatedBy)
	known := ofHistory
	// Argo CD keeps a deployment in the history before it says that the operation is finished, so the times of the ends
	// differ. Those of the beginnings do not.
	if op := t.a.Status.OperationState; op != nil && op.Phase == "Succeeded" && t.matched == nil && op.led(started, at) {
		t.matched = d
		known = ofOperation
		d.Actor = cmp.Or(d.Actor, actor(op.Operation.InitiatedBy))
		if images := t.images(op); images != nil {
			known, d.Images = ofImages, images
		}
	}
	d.UpdatedAt = hook.At(at, known, allParts)
	t.told = append(t.told, d)
	return nil
}

// operation tells the latest operation when the history does not.
func (t *telling) operation() error {
	op := t.a.Status.OperationState
	if op == nil || t.matched != nil || op.Operation.Sync != nil && op.Operation.Sync.DryRun {
		return nil
	}
	var status, what string
	switch op.Phase {
	case "Succeeded":
		status, what = "succeeded", "sync"
		if op.Operation.Sync == nil || len(op.Operation.Sync.Resources) == 0 && len(t.a.Status.History) > 0 {
			// A full sync is in the history. One that is not there was ended before its entry was written, or is an older
			// operation than the history's: it will be told, or was.
			return nil
		}
	case "Failed", "Error":
		status, what = "failed", "failed"
	default:
		return nil
	}
	started, err := hook.Instant("operationState.startedAt", op.StartedAt)
	if err != nil {
		return err
	}
	finished, err := hook.Instant("operationState.finishedAt", op.FinishedAt)
	if err != nil || started.IsZero() || finished.IsZero() {
		return cmp.Or(err, fault.New(fault.Invalid, "the application's operationState has ended, but has no startedAt or no finishedAt"))
	}
	d := t.deployment(what+":"+started.Format(time.RFC3339), started, finished, status)
	d.Actor = actor(op.Operation.InitiatedBy)
	sources, source := t.a.Spec.Sources, t.a.Spec.Source
	var revisions []string
	var one string
	if r := op.SyncResult; r != nil {
		if r.Source != nil || len(r.Sources) > 0 {
			sources, source = r.Sources, r.Source
		}
		revisions, one = r.Revisions, r.Revision
	}
	if sync := op.Operation.Sync; sync != nil && one == "" && len(revisions) == 0 {
		revisions, one = sync.Revisions, sync.Revision
	}
	t.carry(d, sources, source, revisions, one)
	known := ofOperation
	if images := t.images(op); status == "succeeded" && images != nil {
		known, d.Images = ofImages, images
	}
	d.UpdatedAt = hook.At(finished, known, allParts)
	t.told = append(t.told, d)
	return nil
}

// deployment makes one that ended. Its id is the same whoever tells it: the application's, which changes when it is made
// anew under its name, with what tells its syncs apart.
func (t *telling) deployment(id string, started, finished time.Time, status string) *event.Deployment {
	d := &event.Deployment{
		Service: t.named.Service, ID: "argocd:" + t.a.Metadata.UID + ":" + id, Attempt: 1,
		Environment: t.named.Environment, Target: t.named.Target, Status: status,
		FinishedAt: finished, Tool: Tool, URL: t.named.URL,
	}
	if !started.After(finished) {
		d.StartedAt = started
	}
	return d
}

// images are those that run, when they are what the latest operation brought: once it is compared with the cluster, and
// nothing of what ran before is left.
func (t *telling) images(op *OperationState) []string {
	s := &t.a.Status
	if s.Health.Status != "Healthy" || len(s.Summary.Images) == 0 {
		return nil
	}
	finished, err := hook.Instant("", op.FinishedAt)
	reconciled, wrong := hook.Instant("", s.ReconciledAt)
	if err != nil || wrong != nil || !reconciled.IsZero() && reconciled.Before(finished) {
		return nil
	}
	images := slices.Clone(s.Summary.Images)
	slices.Sort(images)
	return slices.Compact(images)
}

// carry says what a sync brought: a revision for each Git repository, the versions of charts, the digest of an artifact.
// Sources that are set otherwise than by what stands in a repository (a parameter, the values of a chart) are another
// version with each setting, though the revision is the same: then the whole has a digest.
func (t *telling) carry(d *event.Deployment, sources []Source, source *Source, revisions []string, one string) {
	if len(sources) == 0 && source != nil {
		sources = []Source{*source}
	}
	if len(sources) == 0 {
		sources = t.a.Spec.Sources
		if len(sources) == 0 && t.a.Spec.Source != nil {
			sources = []Source{*t.a.Spec.Source}
		}
	}
	if len(revisions) == 0 && one != "" {
		revisions = []string{one}
	}
	own := strings.Split(t.a.Metadata.Annotations[AnnotationSource], ",")
	var charts, chartVersions, versions, digests []string
	overridden := false
	for i, s := range sources {
		if i >= len(revisions) || revisions[i] == "" {
			continue
		}
		overridden = overridden || s.overridden()
		d.Images = append(d.Images, s.images()...)
		r := revision.Parse(revisions[i])
		switch {
		case s.Chart != "":
			charts, chartVersions = append(charts, s.Chart+" "+r.ID()), append(chartVersions, r.ID())
		case r.Commit != "":
			if revision.IsVersion(s.TargetRevision) {
				versions = append(versions, s.TargetRevision)
			}
			id, role := t.named.Repository(ownRepository(own, s.RepoURL), s.RepoURL)
			carried := event.Revision{Repository: id, SHA: r.Commit, Role: role}
			if id != "" && !slices.Contains(d.Revisions, carried) {
				d.Revisions = append(d.Revisions, carried)
			}
		case r.Digest != "":
			digests = append(digests, r.Digest)
			if revision.IsVersion(s.TargetRevision) {
				versions = append(versions, s.TargetRevision)
			}
		default:
			versions = append(versions, r.Version)
		}
	}
	switch {
	case len(charts) > 1:
		d.Version = strings.Join(charts, ", ")
	case len(charts) == 1:
		d.Version = chartVersions[0]
	case len(versions) > 0:
		d.Version = versions[0]
	}
	mixed := len(sources) > 1 && len(charts)+len(digests) > 0
	switch {
	case overridden || mixed:
		d.Artifact = digest(sources, revisions)
	case len(digests) == 1:
		d.Artifact = digests[0]
	}
}

func ownRepository(own []string, address string) bool {
	for _, name := range own {
		if name = strings.TrimSpace(name); name == "all" || name != "" && strings.EqualFold(gitops.RepositoryPath(name), gitops.RepositoryPath(address)) {
			return true
		}
	}
	return false
}

// settings are those of a source by which it brings something else than its repository says.
func (s Source) settings() map[string]any {
	set := map[string]any{}
	for name, part := range map[string]struct {
		raw  json.RawMessage
		keys []string
	}{
		"helm":      {s.Helm, []string{"parameters", "values", "valuesObject"}},
		"kustomize": {s.Kustomize, []string{"images", "replicas", "patches"}},
		"plugin":    {s.Plugin, []string{"env", "parameters"}},
	} {
		var all map[string]any
		if json.Unmarshal(part.raw, &all) != nil {
			continue
		}
		for _, key := range part.keys {
			switch v := all[key].(type) {
			case nil:
			case string:
				if v != "" {
					set[name+"."+key] = v
				}
			case []any:
				if len(v) > 0 {
					set[name+"."+key] = v
				}
			default:
				set[name+"."+key] = v
			}
		}
	}
	return set
}

func (s Source) overridden() bool { return len(s.settings()) > 0 }

// images are those that the source sets, with a tag or digest.
func (s Source) images() []string {
	var k struct{ Images []string }
	if json.Unmarshal(s.Kustomize, &k) != nil {
		return nil
	}
	var images []string
	for _, text := range k.Images {
		if _, is, renamed := strings.Cut(text, "="); renamed {
			text = is
		}
		if i, ok := revision.ParseImage(text); ok && i.Tag+i.Digest != "" {
			images = append(images, text)
		}
	}
	return images
}

// digest is that of what was brought: it is the same when the same is brought again.
func digest(sources []Source, revisions []string) string {
	type part struct {
		Repo, Path, Chart, Revision string
		Settings                    map[string]any
	}
	var parts []part
	for i, s := range sources {
		p := part{Repo: s.RepoURL, Path: s.Path, Chart: s.Chart, Settings: s.settings()}
		if i < len(revisions) {
			p.Revision = revision.Parse(revisions[i]).ID()
		}
		parts = append(parts, p)
	}
	text, err := json.Marshal(parts) // keys of maps are sorted
	if err != nil {
		panic(err) // it was JSON before
	}
	sum := sha256.Sum256(text)
	return "argocd:sha256:" + hex.EncodeToString(sum[:])
}

func actor(i Initiator) string { return i.Username }

// led says whether the operation is the one that led to an entry of the history.
func (op *OperationState) led(started, deployed time.Time) bool {
	begun, err := hook.Instant("", op.StartedAt)
	ended, wrong := hook.Instant("", op.FinishedAt)
	if err != nil || wrong != nil || begun.IsZero() {
		return false
	}
	if started.IsZero() { // older releases do not keep it
		return !deployed.Before(begun) && !deployed.After(ended)
	}
	return started.Equal(begun)
}
