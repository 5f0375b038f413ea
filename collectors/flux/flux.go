// Package flux collects from Flux: what its kustomize and helm controllers bring to a cluster, which are deployments. It
// hears the events that a Provider of the type generic-hmac sends (docs/flux), and tells the same of the objects
// themselves for whoever watches a cluster.
package flux

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection.
type Config struct {
	Name           string   `yaml:"name"`
	WebhookSecrets []string `yaml:"webhook_secrets" secret:"true"` // the token of the Provider's Secret: one, or two while one replaces the other

	// Cluster and Environment hold where an event says neither by its metadata: cluster, env or environment.
	Cluster     string `yaml:"cluster"`
	Environment string `yaml:"environment"`

	ServiceLabels     []string                `yaml:"service_labels"` // of objects that are watched: events have none
	EnvironmentLabels []string                `yaml:"environment_labels"`
	Services          []rules.ServiceName     `yaml:"services"`     // by name, namespace/name and kind/namespace/name of the object
	Environments      []rules.EnvironmentName `yaml:"environments"` // by cluster/namespace, namespace, cluster, and the names above
	// Repositories hold the configuration that objects apply, SourceRepositories the applications themselves, of which commit
	// and originRevision are commits. Both by namespace/name and name of the object, the latter by the service, too.
	Repositories       []rules.RepositoryName `yaml:"repositories"`
	SourceRepositories []rules.RepositoryName `yaml:"source_repositories"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "flux", ServiceLabels: gitops.ServiceLabels(), EnvironmentLabels: gitops.EnvironmentLabels()}
}

// Receiver hears the events. It is safe for use from several goroutines.
type Receiver struct {
	t      *Translator
	scheme *signature.Scheme
	steps  steps
}

// NewReceiver makes a receiver. Errors are fault.Invalid.
func NewReceiver(cfg Config) (*Receiver, error) {
	scheme, err := signature.Flux(cfg.WebhookSecrets...)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "webhook_secrets")
	}
	t, err := NewTranslator(cfg)
	if err != nil {
		return nil, err
	}
	return &Receiver{t: t, scheme: scheme, steps: steps{known: map[string][]step{}}}, nil
}

// Verify says whether the body was signed with one of the secrets: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// Event is what Flux's controllers send, as far as it counts here.
type Event struct {
	InvolvedObject struct {
		Kind, Namespace, Name, UID, APIVersion string
	}
	Severity, Timestamp, Message, Reason string
	Metadata                             map[string]string
}

// Describe makes the delivery of a verified request. Events have no id: equal ones are one.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	var e Event
	_ = json.Unmarshal(body, &e) // Hear says what is wrong with it
	what := ""
	if word.MatchString(e.InvolvedObject.Kind) && word.MatchString(e.Reason) {
		what = e.InvolvedObject.Kind + "." + e.Reason
	}
	return hook.Describe(r.t.cfg.Name, what, "", h, body, "Gotk-Component")
}

// word is what kinds and reasons are.
var word = regexp.MustCompile(`^[A-Za-z]{1,60}$`)

// Reasons to ignore an event.
const (
	ignoredKind     = "an object that deploys nothing"
	ignoredReason   = "an event that ends nothing"
	ignoredApplied  = "what was applied is not finished"
	ignoredNothing  = "a reconciliation that changed nothing"
	ignoredRevision = "an event that names no revision"
	ignoredLive     = "a revision that is live already"
	ignoredName     = "an object that is left out"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
//
// The kustomize controller says that it succeeded after every reconciliation, changed or not, in an event that is meant
// for the status of a commit (commit_status=update). What it changed it says before, in an event of its own. So such a
// success counts when something was applied at its revision, and only then; every other success counts.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	var e Event
	if err := hook.Decode(d.Body, &e); err != nil {
		return source.Heard{}, err
	}
	o := e.InvolvedObject
	at, err := hook.Instant("timestamp", e.Timestamp)
	switch {
	case err != nil:
		return source.Heard{}, err
	case o.Kind == "" || o.Name == "" || e.Reason == "" || at.IsZero():
		return source.Heard{}, fault.New(fault.Invalid, "the event has no involvedObject, reason or timestamp")
	case o.Kind != kindKustomization && o.Kind != kindHelmRelease:
		return source.Heard{Ignored: ignoredKind}, nil
	case o.UID == "":
		return source.Heard{}, fault.New(fault.Invalid, "the event's involvedObject has no uid")
	}
	s := subjectOf(e)
	class := classOf(e.reason())
	applied := class == "" && o.Kind == kindKustomization && e.Reason == "Progressing" && changed(e.Message)
	switch {
	case class == "" && !applied:
		return source.Heard{Ignored: ignoredReason}, nil
	case s.revision() == "":
		return source.Heard{Ignored: ignoredRevision}, nil
	}
	fact := r.t.deployment(s, cmp.Or(class, classDeployed), at)
	switch {
	case fact == nil:
		return source.Heard{Ignored: ignoredName}, nil
	case s.Kind == kindHelmRelease || class == classFailed:
		return hook.Told(r.t.cfg.Name, fact)
	}
	step, ignored := step{succeeded, s.revision(), fact}, ignoredLive
	switch {
	case applied:
		step.what, ignored = begun, ignoredApplied
	case s.Metadata["commit_status"] == "update":
		step.what, ignored = reconciled, ignoredNothing
	}
	facts := r.steps.take(r.t.clusterOf(s)+"\x00"+s.UID, step)
	if len(facts) == 0 {
		return source.Heard{Ignored: ignored}, nil
	}
	return hook.Told(r.t.cfg.Name, facts...)
}

// Joins says that events are steps of objects: what is heard depends on what was heard before.
func (r *Receiver) Joins() bool { return true }

// changed says whether a message of the kustomize controller under way is its list of what it changed.
func changed(message string) bool {
	for _, other := range []string{"Health check", "Dependencies ", "Reconciliation "} {
		if strings.HasPrefix(message, other) {
			return false
		}
	}
	for line := range strings.SplitSeq(message, "\n") {
		for _, action := range []string{" created", " configured", " deleted"} {
			if strings.HasSuffix(line, action) {
				return true
			}
		}
	}
	return false
}
