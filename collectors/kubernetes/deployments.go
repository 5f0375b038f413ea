package kubernetes

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"cairn/collectors/argocd"
	"cairn/collectors/flux"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/gitops"
	"cairn/internal/source"
)

// delivery tells what the objects of Argo CD and Flux say of deployments: as the sources of these systems do, under their
// names and by their settings, so that what both tell is one fact.
type delivery struct {
	argocd argocd.Config
	apps   *gitops.Naming
	flux   *flux.Translator
	asFlux string
}

func newDelivery(cfg Config) (d delivery, err error) {
	a := cfg.ArgoCD
	if a.Token != "" || len(a.WebhookTokens) > 0 {
		return d, fault.New(fault.Invalid, "argocd has a token: it belongs to a source argocd of its own; here the applications are read from the cluster")
	}
	d.argocd = a
	if d.apps, err = gitops.New(gitops.Config{
		ServiceLabels: a.ServiceLabels, EnvironmentLabels: a.EnvironmentLabels, Services: a.Services,
		Environments: a.Environments, Repositories: a.Repositories, SourceRepositories: a.SourceRepositories,
	}); err != nil {
		return d, fault.Wrap(fault.Invalid, err, "argocd")
	}
	f := cfg.Flux
	if len(f.WebhookSecrets) > 0 {
		return d, fault.New(fault.Invalid, "flux has webhook_secrets: they belong to a source flux of its own; here its objects are read from the cluster")
	}
	f.Cluster, f.Environment = cmp.Or(f.Cluster, cfg.cluster()), cmp.Or(f.Environment, cfg.Environment)
	d.asFlux = f.Name
	if d.flux, err = flux.NewTranslator(f); err != nil {
		return d, fault.Wrap(fault.Invalid, err, "flux")
	}
	return d, nil
}

// tell is what an object says of deployments. Errors are fault.Invalid: it is of a shape that is not known.
func (d delivery) tell(k kind, object []byte) (facts []event.Event, err error) {
	name := ""
	switch k.What {
	case application:
		name = d.argocd.Name
		facts, err = d.application(object)
	case kustomized:
		name = d.asFlux
		var o flux.Kustomization
		if err := json.Unmarshal(object, &o); err != nil {
			return nil, fault.New(fault.Invalid, "a Kustomization cannot be read: %w", err)
		}
		facts, err = d.flux.Kustomization(&o)
	case helmRelease:
		name = d.asFlux
		var o flux.HelmRelease
		if err := json.Unmarshal(object, &o); err != nil {
			return nil, fault.New(fault.Invalid, "a HelmRelease cannot be read: %w", err)
		}
		facts, err = d.flux.HelmRelease(&o)
	}
	for _, f := range facts {
		f.Common().Source = name
	}
	return facts, err
}

func (d delivery) application(object []byte) ([]event.Event, error) {
	var a argocd.Application
	if err := json.Unmarshal(object, &a); err != nil {
		return nil, fault.New(fault.Invalid, "an application cannot be read: %w", err)
	}
	if len(d.argocd.Projects) > 0 && !slices.Contains(d.argocd.Projects, a.Spec.Project) {
		return nil, nil
	}
	named := argocd.NameBy(d.apps, &a)
	if d.argocd.URL != "" {
		named.URL = strings.TrimRight(d.argocd.URL, "/") + "/applications/" + url.PathEscape(a.Metadata.Namespace) + "/" + url.PathEscape(a.Metadata.Name)
	}
	return argocd.Deployments(&a, named)
}

// deployments has told what an object says of deployments and did not say before. One that cannot be understood tells
// nothing: it holds up no other.
func (t *Turn) deployments(k *known, o *object, text []byte) {
	facts, err := t.c.delivery.tell(t.kind, text)
	if err != nil {
		t.odd(o, err)
		return
	}
	told := make(map[uint64]uint64, len(facts))
	for _, f := range facts {
		if wrong := event.Validate(f); wrong != nil {
			t.odd(o, wrong)
			continue
		}
		d := f.(*event.Deployment)
		key := strings.Join([]string{d.Service, d.ID, itoa(d.Attempt)}, "\x00")
		hash, version := xxhash.Sum64String(key), event.Version(d)
		// Of a telling that knew more, or is to win for another reason, nothing has to be heard again.
		told[hash] = max(version, k.Told[hash])
		if version <= k.Told[hash] {
			continue
		}
		if before := t.untold[key]; before == nil || event.Version(before) < version {
			t.untold[key] = d
		}
	}
	k.Told = told
}

// odd counts an object that cannot be understood, for people to see.
func (t *Turn) odd(o *object, why error) {
	if t.report.Rules == nil {
		t.report.Rules = map[string]source.Applied{}
	}
	const rule = "not understood"
	t.report.Rules[rule] = source.Applied{N: t.report.Rules[rule].N + 1, Example: o.path() + ": " + why.Error()}
}
