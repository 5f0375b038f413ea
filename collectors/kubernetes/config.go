// Package kubernetes reads the objects of one cluster that tell what a platform was asked for and what was deployed:
// claims and composites of Crossplane, resource requests of Kratix, what Flux reconciles and what Argo CD syncs. Which
// kinds of objects are requests is found from the definitions that are installed. From the cluster's audit log, which it
// hears as webhooks, it learns who asked.
//
// A turn lists the objects of one kind, or watches them from where the turn before ended: the cluster then gives every
// state that an object has had since, so that a state that was overwritten is seen all the same. What is known of each
// object is in the stream's position: the first instant at which it was ready, which the object itself forgets.
package kubernetes

import (
	"strings"

	"cairn/collectors/argocd"
	"cairn/collectors/flux"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

// Config are the settings of a connection: one cluster.
type Config struct {
	Name string `yaml:"name"`
	// Cluster is the cluster's name in the ids of facts, for ever; "" is Name.
	Cluster string `yaml:"cluster"`

	// Kubeconfig is the content of a kubeconfig, of which Context is used; "" is its current one.
	Kubeconfig string `yaml:"kubeconfig" secret:"true"`
	Context    string `yaml:"context"`
	// InCluster uses the service account of the pod that cairn runs in.
	InCluster bool `yaml:"in_cluster"`

	AuditTokens []string `yaml:"audit_tokens" secret:"true"` // Authorization: Bearer, of the audit log's webhook

	// Labels or annotations of objects: the first that an object has.
	ServiceLabels     []string `yaml:"service_labels"`
	TeamLabels        []string `yaml:"team_labels"`
	EnvironmentLabels []string `yaml:"environment_labels"`
	RequesterLabels   []string `yaml:"requester_labels"`
	// Services, Teams and Environments give what a label says another name, and name what has no such label by
	// "namespace/name" and by the namespace; teams also by the groups of who asked.
	Services     []rules.ServiceName     `yaml:"services"`
	Teams        []rules.TeamName        `yaml:"teams"`
	Environments []rules.EnvironmentName `yaml:"environments"`
	Environment  string                  `yaml:"environment"` // of everything else in the cluster

	// ArgoCD and Flux have the settings, without secrets, of the sources under whose names deployments are told. The
	// cluster and the environment of Flux are this connection's unless they are set.
	ArgoCD argocd.Config `yaml:"argocd"`
	Flux   flux.Config   `yaml:"flux"`
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{
		Name:              "kubernetes",
		ServiceLabels:     []string{"cairn.dev/service", "backstage.io/kubernetes-id", "app.kubernetes.io/part-of"},
		TeamLabels:        []string{"cairn.dev/team", "team", "owner"},
		EnvironmentLabels: []string{"cairn.dev/environment", "environment", "env"},
		ArgoCD:            argocd.DefaultConfig(),
		Flux:              flux.DefaultConfig(),
	}
}

// Reads says whether a credential is given.
func (c Config) Reads() bool { return c.InCluster || c.Kubeconfig != "" }

// cluster is the name in ids.
func (c Config) cluster() string {
	if c.Cluster != "" {
		return c.Cluster
	}
	return c.Name
}

func (c Config) check() error {
	switch {
	case strings.TrimSpace(c.Name) == "":
		return fault.New(fault.Invalid, "name is empty: positions and webhooks go by it")
	case c.InCluster && c.Kubeconfig != "":
		return fault.New(fault.Invalid, "connection %s: kubeconfig and in_cluster are both set: one credential is used", c.Name)
	case !c.Reads() && len(c.AuditTokens) > 0:
		return fault.New(fault.Invalid, "connection %s: the audit log says only who asked: set kubeconfig or in_cluster, too, so that what was asked for is read", c.Name)
	case !c.Reads():
		return fault.New(fault.Invalid, "connection %s: set kubeconfig (env:NAME or file:PATH), or in_cluster: true where cairn runs in the cluster", c.Name)
	}
	return nil
}

// naming says whose a thing of the cluster is.
type naming struct {
	cfg                           Config
	services, teams, environments *rules.Names
}

func newNaming(cfg Config) (n naming, err error) {
	n.cfg = cfg
	if n.services, err = rules.Services("services", cfg.Services); err != nil {
		return n, err
	}
	if n.teams, err = rules.Teams("teams", cfg.Teams); err != nil {
		return n, err
	}
	n.environments, err = rules.Environments("environments", cfg.Environments)
	return n, err
}

// of is what an object is called by its label or annotation, the same by a rule, or by a rule for its namespace and name. out
// says that a rule leaves it out.
func (naming) of(o *object, labels []string, names *rules.Names, others ...string) (is string, out bool) {
	said := ""
	for _, label := range labels {
		for _, from := range []map[string]string{o.Metadata.Labels, o.Metadata.Annotations} {
			if said == "" {
				said = strings.TrimSpace(from[label])
			}
		}
	}
	if is, fits := names.Of(said); fits {
		return is, is == ""
	}
	if said != "" {
		return said, false
	}
	is, fits := names.Of(append([]string{o.path(), o.Metadata.Namespace}, others...)...)
	return is, fits && is == ""
}
