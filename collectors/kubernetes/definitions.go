package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/source"
)

// kind is one kind of objects that are read.
type kind struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"` // the plural in small letters, as in addresses
	What     what   `json:"what"`
	// Name is what people call what is asked for: the kind of a claim, the name of a Promise.
	Name string `json:"name,omitempty"`
}

// what says how objects are understood.
type what string

const (
	claim       what = "claim"         // of Crossplane 1: what a person asks for
	composite   what = "composite"     // namespaced, of Crossplane 2, where there are no claims
	promised    what = "promised"      // a resource request of Kratix
	kustomized  what = "kustomization" // of Flux
	helmRelease what = "helmrelease"   // of Flux
	application what = "application"   // of Argo CD
)

// requests says whether objects of the kind are requests; the others tell of deployments.
func (k kind) requests() bool {
	return k.What == claim || k.What == composite || k.What == promised
}

// id is what the kind is called wherever there are others.
func (k kind) id() string { return k.Resource + "." + k.Group }

// path is the address of all its objects.
func (k kind) path() string { return "/apis/" + k.Group + "/" + k.Version + "/" + k.Resource }

func (k kind) stream() source.Stream {
	s := source.Stream{Name: source.Deployments + "/" + k.id(), Group: k.id(), Kind: source.Deployments, Every: often}
	if k.requests() {
		s.Name, s.Kind = source.Requests+"/"+k.id(), source.Requests
	}
	return s
}

const (
	// often is how long news may wait. The cluster keeps what happened to the objects of a kind for a minute at least, and
	// for five mostly.
	often = 30 * time.Second
	// sometimes is how long a new definition may wait.
	sometimes = time.Minute
)

// Where kinds of requests are defined.
const (
	crossplaneGroup = "apiextensions.crossplane.io"
	kratixGroup     = "platform.kratix.io"
	compositeKinds  = "compositeresourcedefinitions"
	promises        = "promises"
)

// delivering are the kinds that tell of deployments.
func delivering() []kind {
	return []kind{
		{Group: "kustomize.toolkit.fluxcd.io", Resource: "kustomizations", What: kustomized},
		{Group: "helm.toolkit.fluxcd.io", Resource: "helmreleases", What: helmRelease},
		{Group: "argoproj.io", Resource: "applications", What: application},
	}
}

// defined is the position of the stream of definitions: the kinds that are read.
type defined struct {
	V     int    `json:"v"`
	Kinds []kind `json:"kinds"`
}

// definitions finds the kinds of objects to read.
func (c *Connection) definitions(ctx context.Context) ([]kind, error) {
	var served struct {
		Groups []struct {
			Name             string
			PreferredVersion struct{ Version string }
		}
	}
	if err := c.api.get(ctx, "/apis", nil, &served); err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, g := range served.Groups {
		versions[g.Name] = g.PreferredVersion.Version
	}
	var kinds []kind
	for _, in := range []struct {
		group, resource string
		read            func([]byte) ([]kind, error)
	}{
		{crossplaneGroup, compositeKinds, compositeKind},
		{kratixGroup, promises, promisedKind},
	} {
		if versions[in.group] == "" {
			continue
		}
		err := c.everything(ctx, kind{Group: in.group, Version: versions[in.group], Resource: in.resource}.path(), func(text []byte) error {
			some, err := in.read(text)
			kinds = append(kinds, some...)
			return err
		})
		if fault.KindOf(err) == fault.NotFound && err != nil {
			continue // the group is served for something else
		}
		if err != nil {
			return nil, err
		}
	}
	for _, k := range delivering() {
		if k.Version = versions[k.Group]; k.Version == "" {
			continue
		}
		var has struct{ Resources []struct{ Name string } }
		if err := c.api.get(ctx, "/apis/"+k.Group+"/"+k.Version, nil, &has); err != nil {
			return nil, err
		}
		for _, r := range has.Resources {
			if r.Name == k.Resource {
				kinds = append(kinds, k)
			}
		}
	}
	slices.SortFunc(kinds, func(a, b kind) int { return cmp.Compare(a.id(), b.id()) })
	return slices.CompactFunc(kinds, func(a, b kind) bool { return a.id() == b.id() }), nil
}

// everything reads a list whole.
func (c *Connection) everything(ctx context.Context, path string, tell func([]byte) error) error {
	for next := ""; ; {
		p, err := c.api.list(ctx, path, next)
		if err != nil {
			return unavailable(err)
		}
		for _, item := range p.Items {
			if err := tell(item); err != nil {
				return err
			}
		}
		if next = p.Metadata.Continue; next == "" {
			return nil
		}
	}
}

// unavailable makes a list that expired while it was read an error that passes.
func unavailable(err error) error {
	if err != nil && fault.KindOf(err) == fault.Internal {
		return fault.Wrap(fault.Unavailable, err, "a list changed too fast to be read")
	}
	return err
}

// served are versions of a definition.
type served []struct {
	Name          string
	Served        bool
	Referenceable bool // the one that Crossplane works with
	Storage       bool // the one that is kept
}

func (s served) best() string {
	best := ""
	for _, v := range s {
		switch {
		case !v.Served:
		case v.Referenceable || v.Storage:
			return v.Name
		case best == "":
			best = v.Name
		}
	}
	return best
}

// compositeKind reads a definition of Crossplane. What has claims is asked for by claims; else by the composites
// themselves, where they are in namespaces. Composites of the whole cluster are nobody's requests.
func compositeKind(text []byte) ([]kind, error) {
	var d struct {
		Spec struct {
			Group      string
			Scope      string
			Names      struct{ Kind, Plural string }
			ClaimNames *struct{ Kind, Plural string }
			Versions   served
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fault.New(fault.Unavailable, "a definition of Crossplane cannot be read: %w", err)
	}
	k := kind{Group: d.Spec.Group, Version: d.Spec.Versions.best()}
	switch {
	case d.Spec.ClaimNames != nil && d.Spec.ClaimNames.Plural != "":
		k.Resource, k.Name, k.What = d.Spec.ClaimNames.Plural, d.Spec.ClaimNames.Kind, claim
	case d.Spec.Scope == "Namespaced":
		k.Resource, k.Name, k.What = d.Spec.Names.Plural, d.Spec.Names.Kind, composite
	}
	return k.usable(), nil
}

// promisedKind reads a Promise of Kratix, which holds the definition of what can be asked for; one without offers nothing.
func promisedKind(text []byte) ([]kind, error) {
	var p struct {
		Metadata struct{ Name string }
		Spec     struct {
			API struct {
				Spec struct {
					Group    string
					Names    struct{ Plural string }
					Versions served
				}
			}
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fault.New(fault.Unavailable, "a Promise of Kratix cannot be read: %w", err)
	}
	api := p.Spec.API.Spec
	return kind{Group: api.Group, Version: api.Versions.best(), Resource: api.Names.Plural, What: promised, Name: p.Metadata.Name}.usable(), nil
}

// usable is the kind when it can be read, and nothing when something about it is missing.
func (k kind) usable() []kind {
	if k.Group == "" || k.Version == "" || k.Resource == "" || k.What == "" || k.Name == "" {
		return nil
	}
	return []kind{k}
}
