package collectors

import (
	"context"
	"net/http"
	"time"

	"cairn/collectors/alertmanager"
	"cairn/collectors/argocd"
	"cairn/collectors/backstage"
	"cairn/collectors/cdevents"
	"cairn/collectors/circleci"
	"cairn/collectors/flux"
	"cairn/collectors/gitea"
	"cairn/collectors/github"
	"cairn/collectors/gitlab"
	"cairn/collectors/humanitec"
	"cairn/collectors/incidentio"
	"cairn/collectors/jenkins"
	"cairn/collectors/kubernetes"
	"cairn/collectors/opsgenie"
	"cairn/collectors/pagerduty"
	"cairn/collectors/port"
	"cairn/collectors/terraform"
	"cairn/collectors/tickets"
	"cairn/collectors/typeform"
	"cairn/internal/feed"
	"cairn/internal/reading"
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
	// Hear says what the delivery means. An error is a shape that it does not know; what is told beside it holds.
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
		"backstage":    kind("services, teams, owners, runs of templates and checks of Backstage", backstage.DefaultConfig, linkBackstage),
		"cdevents":     kind("deployments, pipelines, changes and incidents that delivery tools tell as CDEvents", cdevents.DefaultConfig, linkCDEvents),
		"circleci":     kind("pipelines and deployments of CircleCI", circleci.DefaultConfig, linkCircleCI),
		"flux":         kind("deployments of Flux: what Kustomizations and HelmReleases bring to a cluster", flux.DefaultConfig, linkFlux),
		"gitea":        kind("repositories, changes, runs and deployments of Gitea and Forgejo", gitea.DefaultConfig, linkGitea),
		"github":       kind("repositories, changes, pipelines, deployments, incidents and teams of GitHub", github.DefaultConfig, linkGitHub),
		"gitlab":       kind("projects, changes, pipelines, deployments, incidents and groups of GitLab", gitlab.DefaultConfig, linkGitLab),
		"humanitec":    kind("deployments of Humanitec's Platform Orchestrator", humanitec.DefaultConfig, linkHumanitec),
		"incidentio":   kind("incidents of incident.io", incidentio.DefaultConfig, linkIncidentIO),
		"jenkins":      kind("builds and deployments of Jenkins", jenkins.DefaultConfig, linkJenkins),
		"kubernetes":   kind("requests and deployments of a cluster: Crossplane, Kratix, Flux and Argo CD", kubernetes.DefaultConfig, linkKubernetes),
		"opsgenie":     kind("incidents of Opsgenie, and alerts that are incidents", opsgenie.DefaultConfig, linkOpsgenie),
		"pagerduty":    kind("incidents of PagerDuty", pagerduty.DefaultConfig, linkPagerDuty),
		"port":         kind("services, teams, owners and runs of self-service actions of Port", port.DefaultConfig, linkPort),
		"terraform":    kind("runs of HCP Terraform and Terraform Enterprise: what was asked of the platform, and modules in use", terraform.DefaultConfig, linkTerraform),
		"tickets":      kind("incidents among the tickets of Jira, ServiceNow or another system that sends JSON", tickets.DefaultConfig, linkTickets),
		"typeform":     kind("answers to surveys that Typeform asks", typeform.DefaultConfig, linkTypeform),
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

func linkIncidentIO(cfg incidentio.Config, d Deps) (*Link, error) {
	credential, err := incidentio.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("incidentio", cfg.Name, credential, d)
	c, err := incidentio.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	return l.incidents(c, cfg), nil
}

func linkOpsgenie(cfg opsgenie.Config, d Deps) (*Link, error) {
	credential, err := opsgenie.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("opsgenie", cfg.Name, credential, d)
	c, err := opsgenie.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	return l.incidents(c, cfg), nil
}

// incidents adds a connection that has one list of incidents, with as much of it as its settings allow.
func (l *Link) incidents(c interface {
	Receiver
	turner[*feed.Turn]
	Check(ctx context.Context) (source.Access, error)
}, cfg interface {
	Reads() bool
	Hears() bool
}) *Link {
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*feed.Turn]{c}
	}
	if cfg.Hears() {
		l.Receiver = c
	}
	return l
}

func linkCDEvents(cfg cdevents.Config, d Deps) (*Link, error) {
	r, err := cdevents.New(cfg, d.Rules)
	return hearing("cdevents", cfg.Name, r, err)
}

func linkPagerDuty(cfg pagerduty.Config, d Deps) (*Link, error) {
	credential, err := pagerduty.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("pagerduty", cfg.Name, credential, d)
	c, err := pagerduty.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	return l.incidents(c, cfg), nil
}

func linkTickets(cfg tickets.Config, d Deps) (*Link, error) {
	r, err := tickets.New(cfg, d.Rules)
	return hearing("tickets", cfg.Name, r, err)
}

func linkAlertmanager(cfg alertmanager.Config, d Deps) (*Link, error) {
	r, err := alertmanager.New(cfg, d.Rules)
	return hearing("alertmanager", cfg.Name, r, err)
}

func linkBackstage(cfg backstage.Config, d Deps) (*Link, error) {
	credential, err := backstage.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("backstage", cfg.Name, credential, d)
	c, err := backstage.New(cfg, d.Rules, l.client())
	if err != nil {
		return nil, err
	}
	l.Check, l.Connection = c.Check, connected[*backstage.Turn]{c}
	return l, nil
}

func linkPort(cfg port.Config, d Deps) (*Link, error) {
	credential, err := port.NewCredential(cfg, network(d), d.Transport.Now)
	if err != nil {
		return nil, err
	}
	l := newLink("port", cfg.Name, credential, d)
	c, err := port.New(cfg, d.Rules, l.client())
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*port.Turn]{c}
	}
	if cfg.Hears() {
		if l.Receiver, err = c.Receiver(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkTypeform(cfg typeform.Config, d Deps) (*Link, error) {
	r, err := typeform.New(cfg, d.Rules)
	return hearing("typeform", cfg.Name, r, err)
}

func linkJenkins(cfg jenkins.Config, d Deps) (*Link, error) {
	credential, err := jenkins.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("jenkins", cfg.Name, credential, d)
	c, err := jenkins.New(cfg, d.Rules, l.client())
	if err != nil {
		return nil, err
	}
	return l.both(c, true, cfg.Hears()), nil
}

func linkCircleCI(cfg circleci.Config, d Deps) (*Link, error) {
	credential, err := circleci.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("circleci", cfg.Name, credential, d)
	c, err := circleci.New(cfg, d.Rules, l.client())
	if err != nil {
		return nil, err
	}
	return l.both(c, cfg.Reads(), cfg.Hears()), nil
}

func linkGitea(cfg gitea.Config, d Deps) (*Link, error) {
	credential, err := gitea.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("gitea", cfg.Name, credential, d)
	c, err := gitea.New(cfg, d.Rules, l.client())
	if err != nil {
		return nil, err
	}
	return l.both(c, cfg.Reads(), cfg.Hears()), nil
}

// both adds a connection that reads and hears, as far as its settings allow each.
func (l *Link) both(c interface {
	Receiver
	turner[*reading.Turn]
	Check(ctx context.Context) (source.Access, error)
}, reads, hears bool) *Link {
	l.Check = c.Check
	if reads {
		l.Connection = connected[*reading.Turn]{c}
	}
	if hears {
		l.Receiver = c
	}
	return l
}

func linkHumanitec(cfg humanitec.Config, d Deps) (*Link, error) {
	credential, err := humanitec.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("humanitec", cfg.Name, credential, d)
	c, err := humanitec.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*humanitec.Turn]{c}
	}
	if cfg.Hears() {
		if l.Receiver, err = c.Receiver(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkTerraform(cfg terraform.Config, d Deps) (*Link, error) {
	credential, err := terraform.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("terraform", cfg.Name, credential, d)
	c, err := terraform.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*terraform.Turn]{c}
	}
	if len(cfg.WebhookSecrets) > 0 {
		if l.Receiver, err = c.Receiver(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkArgoCD(cfg argocd.Config, d Deps) (*Link, error) {
	credential, err := argocd.NewCredential(cfg, network(d))
	if err != nil {
		return nil, err
	}
	l := newLink("argocd", cfg.Name, credential, d)
	c, err := argocd.New(cfg, l.client())
	if err != nil {
		return nil, err
	}
	l.Check = c.Check
	if cfg.Reads() {
		l.Connection = connected[*argocd.Turn]{c}
	}
	if len(cfg.WebhookTokens) > 0 {
		if l.Receiver, err = argocd.NewReceiver(cfg); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func linkFlux(cfg flux.Config, _ Deps) (*Link, error) {
	r, err := flux.NewReceiver(cfg)
	return hearing("flux", cfg.Name, r, err)
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
