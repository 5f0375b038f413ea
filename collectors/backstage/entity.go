package backstage

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"cairn/internal/owners"
)

// fields are the parts of an entity that are asked for.
const fields = "kind,metadata,spec.type,spec.lifecycle,spec.owner,spec.system,spec.dependsOn,spec.parent,spec.memberOf,spec.profile,relations,status"

// fewFields are those that say what a component is called and where it lies.
const fewFields = "kind,metadata.name,metadata.namespace,metadata.annotations,spec.type"

// entities is a page of the catalogue.
type entities struct {
	Items      []json.RawMessage `json:"items"`
	TotalItems int               `json:"totalItems"`
	PageInfo   struct {
		NextCursor string `json:"nextCursor"`
	} `json:"pageInfo"`
}

// entity is what is read of one.
type entity struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Title       string            `json:"title"`
		Description string            `json:"description"`
		Annotations map[string]string `json:"annotations"`
		Tags        []string          `json:"tags"`
		Links       []owners.Link     `json:"links"`
	} `json:"metadata"`
	Spec struct {
		Type      string   `json:"type"`
		Lifecycle string   `json:"lifecycle"`
		Owner     string   `json:"owner"`
		System    string   `json:"system"`
		DependsOn []string `json:"dependsOn"`
		Parent    string   `json:"parent"`
		MemberOf  []string `json:"memberOf"`
		Profile   struct {
			DisplayName string `json:"displayName"`
			Email       string `json:"email"`
		} `json:"profile"`
	} `json:"spec"`
	Relations []struct {
		Type      string `json:"type"`
		TargetRef string `json:"targetRef"`
	} `json:"relations"`
	Status struct {
		Items []struct {
			Level   string `json:"level"`
			Message string `json:"message"`
		} `json:"items"`
	} `json:"status"`
}

// read returns the entities of a page that have a name. A field of another type than it should have is as good as left out.
func (p entities) read() []entity {
	var all []entity
	for _, text := range p.Items {
		var e entity
		if err := json.Unmarshal(text, &e); err != nil {
			if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); !mistyped {
				continue
			}
		}
		if e.Kind != "" && strings.TrimSpace(e.Metadata.Name) != "" {
			all = append(all, e)
		}
	}
	return all
}

// name is the short name: without the namespace default.
func (e entity) name() string { return owners.Name(e.Metadata.Namespace, e.Metadata.Name) }

// ref is the full reference, in small letters, by which Backstage tells entities apart.
func (e entity) ref() string { return refOf(strings.ToLower(e.Kind), e.name()) }

// refOf is the full reference to what has a short name.
func refOf(kind, name string) string {
	if !strings.Contains(name, "/") {
		name = "default/" + name
	}
	return strings.ToLower(kind + ":" + name)
}

// related are the references of a kind that the relations of a type name, spelt as in the spec where that names the same.
// Where there is no such relation, since Backstage has not worked them out yet, those of the spec count.
func (e entity) related(relation, kind, otherwise string, spec ...string) []string {
	spelt := map[string]string{}
	var own []string
	for _, text := range spec {
		k, name := owners.Short(text)
		if k == "" {
			k = otherwise
		}
		if name == "" || k != kind {
			continue
		}
		spelt[refOf(k, name)] = name
		own = append(own, name)
	}
	var found []string
	for _, r := range e.Relations {
		k, name := owners.Short(r.TargetRef)
		if !strings.EqualFold(r.Type, relation) || k != kind || name == "" {
			continue
		}
		if as, ok := spelt[refOf(k, name)]; ok {
			name = as
		}
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if found == nil {
		return own
	}
	return found
}

// component is the entity as a catalogue's file would describe it.
func (e entity) component() owners.Component {
	c := owners.Component{
		Name: e.name(), Title: e.Metadata.Title, Description: e.Metadata.Description, Owner: e.Spec.Owner, Type: e.Spec.Type,
		Lifecycle: e.Spec.Lifecycle, Tags: e.Metadata.Tags, Links: e.Metadata.Links, Annotations: e.Metadata.Annotations,
		DependsOn: e.related("dependsOn", "component", "component", e.Spec.DependsOn...),
	}
	if systems := e.related("partOf", "system", "system", e.Spec.System); len(systems) > 0 {
		c.System = systems[0]
	}
	return c
}

// wrong is the first error that Backstage met when it took the entity in; "" when there is none.
func (e entity) wrong() string {
	for _, item := range e.Status.Items {
		if strings.EqualFold(item.Level, "error") {
			if item.Message == "" {
				return "an error"
			}
			return item.Message
		}
	}
	return ""
}

// place is where a component lies.
type place struct {
	repository string // acme/shop; "" when the entity does not say
	path       string // of the component within the repository; "" for the whole, or when it is not known
	gitlab     bool
}

// place reads the annotations that say where a component lies.
func (e entity) place() place {
	at := sourceLocation(e.Metadata.Annotations["backstage.io/source-location"])
	if at.repository == "" {
		at = sourceLocation(e.Metadata.Annotations["backstage.io/managed-by-location"])
	}
	for _, slug := range []struct {
		annotation string
		gitlab     bool
	}{{"github.com/project-slug", false}, {"gitlab.com/project-slug", true}, {"gitlab.com/project-path", true}} {
		name := strings.Trim(strings.TrimSpace(e.Metadata.Annotations[slug.annotation]), "/")
		if name == "" || !strings.Contains(name, "/") {
			continue
		}
		if !strings.EqualFold(at.repository, name) {
			at.path = ""
		}
		at.repository, at.gitlab = name, slug.gitlab
		return at
	}
	return at
}

// sourceLocation reads url:https://github.com/acme/shop/tree/main/services/api/. Of other places than those of GitHub,
// GitLab and what looks like them nothing is known.
func sourceLocation(text string) place {
	address, ok := strings.CutPrefix(strings.TrimSpace(text), "url:")
	if !ok {
		return place{}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return place{}
	}
	path := strings.Trim(u.Path, "/")
	repository, rest, deep := strings.Cut(path, "/-/")
	at := place{repository: repository, gitlab: deep}
	parts := strings.Split(path, "/")
	switch {
	case deep:
		parts = strings.SplitN(rest, "/", 3) // tree, branch, path
	case len(parts) >= 2 && (len(parts) == 2 || parts[2] == "tree" || parts[2] == "blob"):
		at.repository = parts[0] + "/" + parts[1]
		parts = parts[2:]
	default:
		return place{}
	}
	at.repository = strings.TrimSuffix(at.repository, ".git")
	if !strings.Contains(at.repository, "/") {
		return place{}
	}
	if len(parts) < 3 {
		return at
	}
	at.path = strings.Trim(strings.Join(parts[2:], "/"), "/")
	if parts[0] == "blob" || strings.HasSuffix(at.path, ".yaml") || strings.HasSuffix(at.path, ".yml") {
		if i := strings.LastIndexByte(at.path, '/'); i >= 0 {
			at.path = at.path[:i]
		} else {
			at.path = ""
		}
	}
	return at
}
