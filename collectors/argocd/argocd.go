// Package argocd collects from Argo CD: the syncs of applications, which are deployments. It hears the notifications that
// its template (docs/argocd) sends, and reads the applications from the API, which also tells what was not sent.
package argocd

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/hook"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. One of token and webhook_tokens is needed.
type Config struct {
	Name string `yaml:"name"`
	// URL is the address of Argo CD, https://argocd.acme.com: applications are read from its API, and its pages are linked.
	URL string `yaml:"url"`
	// Token is that of an account that may read applications. Without one only webhooks are heard.
	Token         string   `yaml:"token" secret:"true"`
	WebhookTokens []string `yaml:"webhook_tokens" secret:"true"` // Authorization: Bearer

	Projects []string      `yaml:"projects"` // of Argo CD, that are read and heard; empty: all
	Selector string        `yaml:"selector"` // of labels, such as team=shop: what is read; empty: all
	Every    time.Duration `yaml:"every"`    // how long a sync may wait without a webhook

	ServiceLabels      []string                `yaml:"service_labels"`
	EnvironmentLabels  []string                `yaml:"environment_labels"`
	Services           []rules.ServiceName     `yaml:"services"`            // by name, namespace/name or project of the application
	Environments       []rules.EnvironmentName `yaml:"environments"`        // by cluster/namespace, namespace, cluster, and the names above
	Repositories       []rules.RepositoryName  `yaml:"repositories"`        // by address or path
	SourceRepositories []string                `yaml:"source_repositories"` // patterns of those that are the applications' own
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{
		Name: "argocd", Every: 5 * time.Minute,
		ServiceLabels: gitops.ServiceLabels(), EnvironmentLabels: gitops.EnvironmentLabels(),
	}
}

// name is what a connection may be called: it stands in addresses.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Reads says whether there is a credential to read with.
func (cfg Config) Reads() bool { return cfg.Token != "" }

func (cfg Config) check() error {
	invalid := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "connection "+cfg.Name+": "+format, args...)
	}
	if !name.MatchString(cfg.Name) {
		return fault.New(fault.Invalid, "name %q: the name of a connection is made of small letters, digits, - and _", cfg.Name)
	}
	if u, err := url.Parse(cfg.URL); cfg.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return invalid("url is %q: give the address of Argo CD, such as https://argocd.acme.com", cfg.URL)
	}
	switch {
	case !cfg.Reads() && len(cfg.WebhookTokens) == 0:
		return invalid("neither token nor webhook_tokens is given: nothing could be read or heard")
	case cfg.Reads() && cfg.URL == "":
		return invalid("token is given, but no url: where is Argo CD?")
	case strings.ContainsAny(cfg.Token, " \t\r\n"):
		return invalid("token has white space in it: it is one word")
	case cfg.Every < time.Minute:
		return invalid("every is %s: give a minute or more", cfg.Every)
	}
	return nil
}

// address is that of something in Argo CD, without the / at the end of the setting.
func (cfg Config) address(path string) string { return strings.TrimRight(cfg.URL, "/") + path }

// translator tells applications under the settings of a connection.
type translator struct {
	cfg    Config
	naming *gitops.Naming
}

func newTranslator(cfg Config) (translator, error) {
	if err := cfg.check(); err != nil {
		return translator{}, err
	}
	naming, err := gitops.New(gitops.Config{
		ServiceLabels: cfg.ServiceLabels, EnvironmentLabels: cfg.EnvironmentLabels, Services: cfg.Services,
		Environments: cfg.Environments, Repositories: cfg.Repositories, SourceRepositories: cfg.SourceRepositories,
	})
	if err != nil {
		return translator{}, fault.Wrap(fault.Invalid, err, "connection %s", cfg.Name)
	}
	return translator{cfg, naming}, nil
}

// tell is what an application tells. ours is false for one that is left out.
func (t translator) tell(a *Application) (facts []event.Event, ours bool, err error) {
	if len(t.cfg.Projects) > 0 && !has(t.cfg.Projects, a.Spec.Project) {
		return nil, false, nil
	}
	named := NameBy(t.naming, a)
	if t.cfg.URL != "" {
		named.URL = t.cfg.address("/applications/" + url.PathEscape(a.Metadata.Namespace) + "/" + url.PathEscape(a.Metadata.Name))
	}
	facts, err = Deployments(a, named)
	return facts, named.Service != "" && named.Environment != "", err
}

func has(list []string, text string) bool {
	for _, one := range list {
		if one == text {
			return true
		}
	}
	return false
}

// Receiver hears the notifications. It is safe for use from several goroutines.
type Receiver struct {
	t      translator
	scheme *signature.Scheme
}

// NewReceiver makes a receiver. Errors are fault.Invalid.
func NewReceiver(cfg Config) (*Receiver, error) {
	t, err := newTranslator(cfg)
	if err != nil {
		return nil, err
	}
	scheme, err := (hook.Agreed{Bearer: cfg.WebhookTokens}).Scheme("set webhook_tokens")
	if err != nil {
		return nil, err
	}
	return &Receiver{t, scheme}, nil
}

// Verify says whether the request carries one of the tokens: nil, or fault.Denied.
func (r *Receiver) Verify(h http.Header, body []byte, now time.Time) error {
	return r.scheme.Verify(h, body, now)
}

// notification is what our template sends. A template of people's own may send the whole application instead, alone or as
// what the template calls it.
type notification struct {
	App                     json.RawMessage
	Namespace, UID, Project string
	Labels, Annotations     map[string]string
	Destination             Destination
	Source                  *Source
	Sources                 []Source
	OperationState          *OperationState
	History                 []History
	Health                  struct{ Status string }
	Images                  []string // as summary.images, in templates that send it alone
	Summary                 struct{ Images []string }
	ReconciledAt            string
	Application
}

// readNotification reads what was sent. Errors are fault.Invalid.
func readNotification(body []byte) (*Application, error) {
	var n notification
	if err := hook.Decode(body, &n); err != nil {
		return nil, err
	}
	if n.Metadata.UID != "" {
		return &n.Application, nil
	}
	a := &Application{}
	if len(n.App) > 0 && n.App[0] == '{' {
		return a, hook.Decode(n.App, a)
	}
	if len(n.App) > 0 {
		if err := hook.Decode(n.App, &a.Metadata.Name); err != nil {
			return nil, err
		}
	}
	a.Metadata.Namespace, a.Metadata.UID = n.Namespace, n.UID
	a.Metadata.Labels, a.Metadata.Annotations = n.Labels, n.Annotations
	a.Spec.Project, a.Spec.Destination, a.Spec.Source, a.Spec.Sources = n.Project, n.Destination, n.Source, n.Sources
	a.Status.OperationState, a.Status.History, a.Status.Health = n.OperationState, n.History, n.Health
	a.Status.Summary.Images, a.Status.ReconciledAt = append(n.Summary.Images, n.Images...), n.ReconciledAt
	return a, nil
}

// Describe makes the delivery of a verified request. Notifications have no id: equal ones are one.
func (r *Receiver) Describe(h http.Header, body []byte) source.Delivery {
	what := "sync"
	if a, err := readNotification(body); err == nil && a.Status.OperationState != nil { // else Hear says what is wrong with it
		switch phase := a.Status.OperationState.Phase; phase {
		case "Running", "Terminating", "Succeeded", "Failed", "Error":
			what += "." + strings.ToLower(phase)
		}
	}
	return hook.Describe(r.t.cfg.Name, what, "", h, body)
}

// Reasons to ignore a notification.
const (
	ignoredName    = "an application that is left out"
	ignoredRunning = "no sync has ended"
)

// Hear tells what a delivery means. An error, a fault.Invalid, says that it cannot be understood.
func (r *Receiver) Hear(d source.Delivery) (source.Heard, error) {
	a, err := readNotification(d.Body)
	if err != nil {
		return source.Heard{}, err
	}
	facts, ours, err := r.t.tell(a)
	switch {
	case err != nil:
		return source.Heard{}, err
	case !ours:
		return source.Heard{Ignored: ignoredName}, nil
	case len(facts) == 0:
		return source.Heard{Ignored: ignoredRunning}, nil
	}
	return hook.Told(r.t.cfg.Name, facts...)
}
