// Package gitops holds what the collectors of Argo CD, Flux and Kubernetes have in common: what the objects that bring
// something into a cluster are called here, and which repository an address is.
package gitops

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

// Config says how names are found. Collectors have its fields among their settings.
type Config struct {
	ServiceLabels     []string // labels or annotations of which the first that an object has is its service
	EnvironmentLabels []string
	Services          []rules.ServiceName
	Environments      []rules.EnvironmentName
	Repositories      []rules.RepositoryName // by address, by path, or by what a collector has instead
	// SourceRepositories are patterns of repositories that hold applications themselves. Every other that is deployed
	// from is taken for one of configuration.
	SourceRepositories []string
}

// ServiceLabels are those that are usual.
func ServiceLabels() []string {
	return []string{"backstage.io/kubernetes-id", "app.kubernetes.io/part-of"}
}

// EnvironmentLabels are those that are usual.
func EnvironmentLabels() []string { return []string{"environment", "env"} }

// Naming is a Config in use.
type Naming struct {
	cfg                                   Config
	services, environments, repos, source *rules.Names
}

// New compiles the rules. Errors are fault.Invalid and name the place.
func New(cfg Config) (*Naming, error) {
	n := &Naming{cfg: cfg}
	var err error
	if n.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	if n.environments, err = rules.Environments("environments", cfg.Environments); err != nil {
		return nil, err
	}
	if n.repos, err = rules.Repositories("repositories", cfg.Repositories); err != nil {
		return nil, err
	}
	var own []rules.RepositoryName
	for _, pattern := range cfg.SourceRepositories {
		own = append(own, rules.RepositoryName{Match: pattern, Repository: "source"})
	}
	if n.source, err = rules.Repositories("source_repositories", own); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "source_repositories are patterns")
	}
	return n, nil
}

// Object is what is known of an object by which it is named.
type Object struct {
	Labels, Annotations map[string]string
	// Service, Environment are said by the object itself, in a field of the system's own; "" where nothing is.
	Service, Environment string
	Names                []string // of the object, the most telling first: the first is its service where nothing else says one
	Places               []string // of where it brings something, likewise
}

// Service is whose the object is: what it says itself, then what a label says, each by the rules, then the rules by its
// names, then the first name. "" is none of ours.
func (n *Naming) Service(o Object) string {
	said := cmp.Or(o.Service, labelled(n.cfg.ServiceLabels, o))
	return n.services.Or(append([]string{said}, o.Names...)...)
}

// Environment is where the object brings something, likewise: by the rules, which see places and names, else the first
// place. "" is none of ours.
func (n *Naming) Environment(o Object) string {
	said := cmp.Or(o.Environment, labelled(n.cfg.EnvironmentLabels, o))
	if is, fits := n.environments.Of(slices.Concat([]string{said}, o.Places, o.Names)...); fits {
		return is
	}
	for _, text := range append([]string{said}, o.Places...) {
		if text != "" {
			return text
		}
	}
	return ""
}

func labelled(keys []string, o Object) string {
	for _, key := range keys {
		for _, from := range []map[string]string{o.Labels, o.Annotations} {
			if text := strings.TrimSpace(from[key]); text != "" {
				return text
			}
		}
	}
	return ""
}

// Repository is what an address, or another text that stands for a repository, is called, and which role it has in what is
// deployed from it: source or config. own says that it is the application's own whatever the rules say. An id of "" is none of ours.
func (n *Naming) Repository(own bool, texts ...string) (id, role string) {
	var all []string
	for _, text := range texts {
		if path := RepositoryPath(text); path != "" {
			all = append(all, path, text)
		}
	}
	id, role = n.repos.Or(all...), RoleConfig
	if is, _ := n.source.Of(append([]string{id}, all...)...); own || is != "" {
		role = RoleSource
	}
	return id, role
}

// Roles of a repository.
const (
	RoleSource = "source"
	RoleConfig = "config"
)

// RepositoryPath is the path of a repository in its address: acme/shop of https://github.com/acme/shop.git and of
// git@github.com:acme/shop.git. A text that is no address is a path already.
func RepositoryPath(address string) string {
	address = strings.TrimSpace(address)
	path := address
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil {
			return ""
		}
		path = u.Path
	} else if host, rest, ok := strings.Cut(address, ":"); ok && !strings.Contains(host, "/") {
		path = rest // as ssh has it
	}
	return strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}
