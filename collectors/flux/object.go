package flux

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/hook"
	"cairn/internal/revision"
	"cairn/internal/rules"
)

const (
	kindKustomization = "Kustomization"
	kindHelmRelease   = "HelmRelease"
)

// Classes of reasons: what came of a reconciliation.
const (
	classDeployed   = "deployed"
	classFailed     = "failed"
	classRolledBack = "rolled_back"
)

// classOf is the class of a reason; "" ends nothing.
func classOf(reason string) string {
	switch reason {
	case "ReconciliationSucceeded", "InstallSucceeded", "UpgradeSucceeded":
		return classDeployed
	case "RollbackSucceeded":
		return classRolledBack
	case "ReconciliationFailed", "HealthCheckFailed", "UpgradeFailed", "InstallFailed", "ValidationFailed", "BuildFailed",
		"PruneFailed", "TestFailed", "RollbackFailed":
		return classFailed
	}
	return ""
}

// outcome is what the helm controller before Flux 2.2 says, whose reasons are nothing but the severity.
var outcome = regexp.MustCompile(`^Helm (install|upgrade|rollback|test) (succeeded|failed)\b`)

// reason is why the event was sent.
func (e Event) reason() string {
	if e.InvolvedObject.Kind != kindHelmRelease || e.Reason != "info" && e.Reason != "error" {
		return e.Reason
	}
	found := outcome.FindStringSubmatch(e.Message)
	if found == nil {
		return e.Reason
	}
	capital := func(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
	return capital(found[1]) + capital(found[2])
}

// Translator tells what objects of Flux did, as events say it or as their status does. Both make the same facts.
type Translator struct {
	cfg            Config
	naming         *gitops.Naming
	config, source *rules.Names
}

// NewTranslator compiles the rules. Secrets are not needed. Errors are fault.Invalid.
func NewTranslator(cfg Config) (*Translator, error) {
	naming, err := gitops.New(gitops.Config{
		ServiceLabels: cfg.ServiceLabels, EnvironmentLabels: cfg.EnvironmentLabels, Services: cfg.Services, Environments: cfg.Environments,
	})
	if err != nil {
		return nil, err
	}
	t := &Translator{cfg: cfg, naming: naming}
	if t.config, err = rules.Repositories("repositories", cfg.Repositories); err != nil {
		return nil, err
	}
	if t.source, err = rules.Repositories("source_repositories", cfg.SourceRepositories); err != nil {
		return nil, err
	}
	return t, nil
}

// subject is an object at a revision.
type subject struct {
	Kind, Namespace, Name, UID string
	Labels, Annotations        map[string]string
	Metadata                   map[string]string // of the event, or the same as the object's annotations have it
	Release                    int64             // number of the Helm release; 0 when it is not known
}

// annotationPrefix is that of annotations that Flux puts into the metadata of events.
const annotationPrefix = "event.toolkit.fluxcd.io/"

// prefixes are those that keys of metadata may have: the controllers send them, the notification controller takes them
// away.
var prefixes = []string{"kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", annotationPrefix}

func subjectOf(e Event) subject {
	o := e.InvolvedObject
	s := subject{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID, Metadata: map[string]string{}}
	// The group's own keys last: they cannot be taken by an annotation.
	for _, prefix := range []string{annotationPrefix, "", "helm.toolkit.fluxcd.io/", "kustomize.toolkit.fluxcd.io/"} {
		for key, value := range e.Metadata {
			short, has := strings.CutPrefix(key, prefix)
			if has && (prefix != "" || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })) {
				s.Metadata[short] = strings.TrimSpace(value)
			}
		}
	}
	s.Release = releaseNumber(e.Message)
	return s
}

var release = regexp.MustCompile(`release \S+\.v(\d{1,9}) with chart `)

// releaseNumber is that of the release which a message of the helm controller names, as apps/podinfo.v3; 0: none.
func releaseNumber(message string) int64 {
	found := release.FindStringSubmatch(message)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseInt(found[1], 10, 64) // digits, and few
	return n
}

// revision is what was applied, the same in each of its forms.
func (s subject) revision() string { return revision.Parse(s.Metadata["revision"]).ID() }

func (t *Translator) clusterOf(s subject) string { return cmp.Or(s.Metadata["cluster"], t.cfg.Cluster) }

// backwards is an instant that is the earlier, the later t is. Flux tells one deployment many times: after each retry,
// each correction of drift, each interval. The first telling says when it happened, so it has to win, and does by this
// as updated_at.
func backwards(t time.Time) time.Time {
	horizon := time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC)
	return time.UnixMilli(max(horizon.UnixMilli()-t.UnixMilli(), 1)).UTC()
}

// deployment is what came of a revision, at an instant; nil for an object that is left out.
func (t *Translator) deployment(s subject, class string, at time.Time) *event.Deployment {
	cluster := t.clusterOf(s)
	object := gitops.Object{
		Labels: s.Labels, Annotations: s.Annotations,
		Service: s.Metadata["service"], Environment: cmp.Or(s.Metadata["env"], s.Metadata["environment"]),
		Names:  []string{s.Name, s.Namespace + "/" + s.Name, s.Kind + "/" + s.Namespace + "/" + s.Name},
		Places: []string{strings.Trim(cluster+"/"+s.Namespace, "/"), s.Namespace, cluster},
	}
	if t.cfg.Environment != "" {
		object.Places = append([]string{t.cfg.Environment}, object.Places...)
	}
	service, environment := t.naming.Service(object), t.naming.Environment(object)
	if service == "" || environment == "" {
		return nil
	}
	d := &event.Deployment{
		Telling: event.Telling{UpdatedAt: backwards(at)},
		Service: service, ID: strings.Join([]string{"flux", cluster, s.UID, s.revision(), class}, ":"), Attempt: 1,
		Environment: environment, Target: cluster, Status: "succeeded", FinishedAt: at, Tool: "flux",
		Rollback: class == classRolledBack,
	}
	if class == classFailed {
		d.Status = "failed"
	} else if s.Kind == kindHelmRelease && s.Release > 0 {
		// The same chart again is another release: with other values, or after another chart.
		d.Attempt = s.Release
	}
	t.carry(d, s)
	return d
}

// carry says what was brought: the commit of the application where the event knows one, the commit of the configuration,
// a version, a digest, images.
func (t *Translator) carry(d *event.Deployment, s subject) {
	names := []string{s.Namespace + "/" + s.Name, s.Name}
	applied := revision.Parse(s.Metadata["revision"])
	d.Artifact = cmp.Or(applied.Digest, digestOf(s.Metadata["oci-digest"]))
	application, rule := revision.Parse(s.Metadata["commit"]), "commit"
	if application.Commit == "" {
		application, rule = revision.Parse(s.Metadata["originRevision"]), "origin_revision"
	}
	own := cmp.Or(gitops.RepositoryPath(s.Metadata["repository"]), by(t.source, append([]string{d.Service}, names...)...))
	config := by(t.config, names...)
	if application.Commit != "" && own != "" {
		d.Revisions = append(d.Revisions, event.Revision{Repository: own, SHA: application.Commit, Role: gitops.RoleSource, Rule: rule})
	}
	if applied.Commit != "" && config != "" && (config != own || application.Commit == "") {
		role := gitops.RoleConfig
		if config == own {
			role = gitops.RoleSource
		}
		d.Revisions = append(d.Revisions, event.Revision{Repository: config, SHA: applied.Commit, Role: role})
	}
	for text := range strings.FieldsFuncSeq(s.Metadata["image"]+","+s.Metadata["images"], func(r rune) bool { return r == ',' || r == ' ' }) {
		d.Images = append(d.Images, text)
	}
	if d.Version = s.Metadata["version"]; d.Version == "" && s.Metadata["image"] != "" {
		image, _ := revision.ParseImage(s.Metadata["image"])
		d.Version = image.Tag
	}
	if d.Version == "" {
		d.Version = applied.Version
	}
	if d.Version == "" && len(d.Revisions) == 0 {
		d.Version = cmp.Or(application.Commit, applied.ID()) // what tells it from others, without a repository to look it up in
	}
}

// by is what the rules say, "" where they say nothing.
func by(names *rules.Names, texts ...string) string {
	is, _ := names.Of(texts...)
	return is
}

func digestOf(text string) string { return revision.Parse(text).Digest }

// Meta is the metadata of an object in a cluster.
type Meta struct {
	Name, Namespace, UID string
	Labels, Annotations  map[string]string
}

// Condition is one of an object's conditions.
type Condition struct{ Type, Status, Reason, Message, LastTransitionTime string }

// Kustomization is an object of the kustomize controller as Kubernetes tells it, as far as it counts here.
type Kustomization struct {
	Metadata Meta
	Status   struct {
		LastAppliedRevision, LastAppliedOriginRevision, LastAttemptedRevision string
		Conditions                                                            []Condition
		// History has one entry for each digest of manifests with each outcome, since Flux 2.7. Its metadata is that of the
		// latest revision that made these manifests.
		History []struct {
			Digest, FirstReconciled, LastReconciled, LastReconciledStatus string
			TotalReconciliations                                          int64
			Metadata                                                      map[string]string
		}
	}
}

// HelmRelease is an object of the helm controller as Kubernetes tells it, as far as it counts here.
type HelmRelease struct {
	Metadata Meta
	Status   struct {
		LastAttemptedRevision string
		Conditions            []Condition
		History               []struct {
			Version                                                   int64
			Status, ChartVersion, AppVersion, LastDeployed, OCIDigest string
		}
	}
}

func (m Meta) subject(kind, revision string) subject {
	s := subject{Kind: kind, Namespace: m.Namespace, Name: m.Name, UID: m.UID, Labels: m.Labels, Annotations: m.Annotations, Metadata: map[string]string{}}
	for key, value := range m.Annotations {
		if short, has := strings.CutPrefix(key, annotationPrefix); has {
			s.Metadata[short] = strings.TrimSpace(value)
		}
	}
	s.Metadata["revision"] = revision
	return s
}

func (m Meta) check() error {
	if m.UID == "" || m.Name == "" {
		return fault.New(fault.Invalid, "the object has no uid or no name")
	}
	return nil
}

func ready(conditions []Condition) Condition { return condition(conditions, "Ready") }

func condition(conditions []Condition, kind string) Condition {
	for _, c := range conditions {
		if c.Type == kind {
			return c
		}
	}
	return Condition{}
}

// Kustomization tells what an object of that kind has applied, as far as its status says when. With the history of Flux
// 2.7 that is what changed something. Without it every revision that was applied counts: a status says no more.
// Errors are fault.Invalid.
func (t *Translator) Kustomization(k *Kustomization) ([]event.Event, error) {
	if err := k.Metadata.check(); err != nil {
		return nil, err
	}
	var facts tellings
	for _, h := range k.Status.History {
		if h.TotalReconciliations != 1 || classOf(h.LastReconciledStatus) == "" {
			// Its revision may be a later one, which changed nothing; that which did was told at the time.
			continue
		}
		s := k.Metadata.subject(kindKustomization, h.Metadata["revision"])
		if origin := h.Metadata["originRevision"]; origin != "" {
			s.Metadata["originRevision"] = origin
		}
		if err := facts.add(t, s, classOf(h.LastReconciledStatus), "status.history.firstReconciled", h.FirstReconciled); err != nil {
			return nil, err
		}
	}
	c := ready(k.Status.Conditions)
	switch class := classOf(c.Reason); {
	case c.Status == "False" && class == classFailed:
		s := k.Metadata.subject(kindKustomization, k.Status.LastAttemptedRevision)
		if err := facts.add(t, s, class, "the condition's lastTransitionTime", c.LastTransitionTime); err != nil {
			return nil, err
		}
	case c.Status == "True" && class == classDeployed && len(k.Status.History) == 0:
		s := k.Metadata.subject(kindKustomization, k.Status.LastAppliedRevision)
		if origin := k.Status.LastAppliedOriginRevision; origin != "" {
			s.Metadata["originRevision"] = origin
		}
		if err := facts.add(t, s, class, "the condition's lastTransitionTime", c.LastTransitionTime); err != nil {
			return nil, err
		}
	}
	return facts.list, nil
}

// HelmRelease tells the releases that an object of that kind keeps, and whether the latest attempt failed. Errors are
// fault.Invalid.
func (t *Translator) HelmRelease(h *HelmRelease) ([]event.Event, error) {
	if err := h.Metadata.check(); err != nil {
		return nil, err
	}
	var facts tellings
	var latest int64
	for _, one := range h.Status.History {
		latest = max(latest, one.Version)
	}
	back := condition(h.Status.Conditions, "Remediated")
	for _, one := range h.Status.History {
		if one.Status != "deployed" && one.Status != "superseded" {
			continue
		}
		s := h.Metadata.subject(kindHelmRelease, one.ChartVersion)
		if one.OCIDigest != "" {
			s.Metadata["oci-digest"] = one.OCIDigest
		}
		s.Release = one.Version
		class := classDeployed
		if one.Version == latest && back.Status == "True" && back.Reason == "RollbackSucceeded" {
			// As the event does, it goes by the release that it went back to.
			class, s.Release = classRolledBack, cmp.Or(releaseNumber(back.Message), one.Version)
		}
		if err := facts.add(t, s, class, "status.history.lastDeployed", one.LastDeployed); err != nil {
			return nil, err
		}
	}
	if c := condition(h.Status.Conditions, "Released"); c.Status == "False" && classOf(c.Reason) == classFailed {
		s := h.Metadata.subject(kindHelmRelease, h.Status.LastAttemptedRevision)
		if err := facts.add(t, s, classFailed, "the condition's lastTransitionTime", c.LastTransitionTime); err != nil {
			return nil, err
		}
	}
	return facts.list, nil
}

type tellings struct{ list []event.Event }

func (f *tellings) add(t *Translator, s subject, class, field, instant string) error {
	at, err := hook.Instant(field, instant)
	if err != nil || at.IsZero() || s.revision() == "" {
		return err
	}
	if d := t.deployment(s, class, at); d != nil {
		f.list = append(f.list, d)
	}
	return nil
}
