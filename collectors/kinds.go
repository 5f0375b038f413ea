package collectors

import (
	"context"
	"net/http"
	"time"

	"cairn/collectors/alertmanager"
	"cairn/collectors/argocd"
	"cairn/collectors/cdevents"
	"cairn/collectors/flux"
	"cairn/collectors/github"
	"cairn/collectors/gitlab"
	"cairn/collectors/kubernetes"
	"cairn/collectors/pagerduty"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// Link is a connection with what belongs to it.
type Link struct {
	Name       string
	System     string     // kind of the connection: github
	Connection Connection // nil without a credential: nothing is read, webhooks are heard
	Receiver   Receiver   // nil without a secret: no webhooks are heard
	Transport  *Transport // on which the connection's requests go
	// Check says what the credential is and what it may read, in a few requests. Errors are those of a Connection.
	Check func(ctx context.Context) (source.Access, error)
}

// Receiver understands the webhooks of one connection. It is safe for use from several goroutines.
type Receiver interface {
	// Verify says whether the raw body was signed, or the request carries a token, as agreed: nil, or fault.Denied.
	Verify(h http.Header, body []byte, now time.Time) error
	// Describe says what identifies the delivery.
	Describe(h http.Header, body []byte) source.Delivery
	// Hear says what the delivery means. An error is a shape that it does not know.
	Hear(d source.Delivery) (source.Heard, error)
}

// Deps is what connections are handed.
type Deps struct {
	Rules     *rules.Rules
	Clones    string          // folder that keeps clones of repositories
	Transport TransportConfig // Next leads to the network
}

// Kind is one kind of system that connections are made to.
type Kind struct {
	// Summary says in a few words what is collected.
	Summary string
	// Config returns a pointer to the kind's default settings, for a decoder to fill. Fields that are secrets have the tag
	// secret:"true".
	Config func() any
	// Link makes a connection from what Config returned, with the secrets themselves in it. Errors are fault.Invalid.
	Link func(config any, d Deps) (*Link, error)
}

// Kinds are all systems, by the key under which they stand in the configuration: one for each folder beside this file
// but git, which is read by a command alone and has no connection.
func Kinds() map[string]Kind {
	return map[string]Kind{
		"alertmanager": kind("incidents of Prometheus' Alertmanager", alertmanager.DefaultConfig, linkAlertmanager),
		"argocd":       kind("deployments of Argo CD: the syncs of its applications", argocd.DefaultConfig, linkArgoCD),
		"cdevents":     kind("deployments, pipelines, changes and incidents that delivery tools tell as CDEvents", cdevents.DefaultConfig, linkCDEvents),
		"flux":         kind("deployments of Flux: what Kustomizations and HelmReleases bring to a cluster", flux.DefaultConfig, linkFlux),
		"github":       kind("repositories, changes, pipelines, deployments, incidents and teams of GitHub", github.DefaultConfig, linkGitHub),
		"gitlab":       kind("projects, changes, pipelines, deployments, incidents and groups of GitLab", gitlab.DefaultConfig, linkGitLab),
		"kubernetes":   kind("requests and deployments of a cluster: Crossplane, Kratix, Flux and Argo CD", kubernetes.DefaultConfig, linkKubernetes),
		"pagerduty":    kind("incidents of PagerDuty", pagerduty.DefaultConfig, linkPagerDuty),
	}
}

// kind makes a Kind of a system's own types.
func kind[C any](summary string, defaults func() C, link func(C, Deps) (*Link, error)) Kind {
	return Kind{
		Summary: summary,
		Config: func() any {
			config := defaults()
			return &config
		},
		Link: func(config any, d Deps) (*Link, error) { return link(*config.(*C), d) },
	}
}

func linkGitHub(cfg github.Config, d Deps) (*Link, error) {
	credential, err := github.NewCredential(cfg, network(d), d.Transport.Now)
	if err != nil {
		return nil, err
	}
	l := newLink("github", cfg.Name, credential, d)
	c, err := github.New(cfg, d.Rules, l.client(), github.Clones{Dir: d.Clones, Header: credential.CloneHeader})
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*github.Turn]{c}
	}
	if len(cfg.WebhookSecrets) > 0 {
		if l.Receiver, err = c.Receiver(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkGitLab(cfg gitlab.Config, d Deps) (*Link, error) {
	credential, err := gitlab.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("gitlab", cfg.Name, credential, d)
	c, err := gitlab.New(cfg, d.Rules, l.client(), gitlab.Clones{Dir: d.Clones, Header: credential.CloneHeader})
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*gitlab.Turn]{c}
	}
	if len(cfg.WebhookTokens)+len(cfg.WebhookSigningSecrets) > 0 {
		if l.Receiver, err = c.Receiver(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkKubernetes(cfg kubernetes.Config, d Deps) (*Link, error) {
	credential, err := kubernetes.NewCredential(cfg, d.Transport.Next) // without a network it makes one of its own, with the cluster's certificates
	if err != nil {
		return nil, err
	}
	l := newLink("kubernetes", cfg.Name, credential, d)
	c, err := kubernetes.New(cfg, d.Rules, l.client(), credential.Server())
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	l.Connection = connected[*kubernetes.Turn]{c}
	if r := c.Receiver(); r != nil {
		l.Receiver = r
	}
	return l, nil
}

func linkArgoCD(cfg argocd.Config, _ Deps) (*Link, error) {
	r, err := argocd.NewReceiver(cfg)
	return hearing("argocd", cfg.Name, r, err)
}

func linkCDEvents(cfg cdevents.Config, d Deps) (*Link, error) {
	r, err := cdevents.New(cfg, d.Rules)
	return hearing("cdevents", cfg.Name, r, err)
}

func linkFlux(cfg flux.Config, _ Deps) (*Link, error) {
	r, err := flux.NewReceiver(cfg)
	return hearing("flux", cfg.Name, r, err)
}

func linkPagerDuty(cfg pagerduty.Config, d Deps) (*Link, error) {
	r, err := pagerduty.New(cfg, d.Rules)
	return hearing("pagerduty", cfg.Name, r, err)
}

func linkAlertmanager(cfg alertmanager.Config, d Deps) (*Link, error) {
	r, err := alertmanager.New(cfg, d.Rules)
	return hearing("alertmanager", cfg.Name, r, err)
}

// hearing is the link of a system that only pushes: nothing is read from it.
func hearing(system, name string, r Receiver, err error) (*Link, error) {
	if err != nil {
		return nil, err
	}
	return &Link{Name: name, System: system, Receiver: r}, nil
}

func network(d Deps) http.RoundTripper {
	if d.Transport.Next != nil {
		return d.Transport.Next
	}
	return plain(d.Transport)
}

func newLink(system, name string, credential http.RoundTripper, d Deps) *Link {
	cfg := d.Transport
	cfg.Next = credential
	return &Link{Name: name, System: system, Transport: NewTransport(cfg)}
}

func (l *Link) client() *http.Client { return &http.Client{Transport: l.Transport} }

// turner is a Connection whose turns have a type of their own.
type turner[T Turn] interface {
	Name() string
	Streams() []source.Stream
	Turn(s source.Stream, position string, asOf time.Time) (T, error)
	Recall(stream, position string) error
	Refresh(w source.Wake, asOf time.Time) (T, error)
}

// connected makes a Connection of a system.
type connected[T Turn] struct{ turner[T] }

func (c connected[T]) Turn(s source.Stream, position string, asOf time.Time) (Turn, error) {
	t, err := c.turner.Turn(s, position, asOf)
	if err != nil {
		return nil, err // not a nil T, which would be a Turn
	}
	return t, nil
}

func (c connected[T]) Refresh(w source.Wake, asOf time.Time) (Source, error) {
	t, err := c.turner.Refresh(w, asOf)
	if err != nil {
		return nil, err
	}
	return t, nil
}
