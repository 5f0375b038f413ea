// Package owners reads the files in which a repository says what it is and who owns it: the descriptor for a catalogue
// (catalog-info.yaml, as Backstage has it) and CODEOWNERS. It knows no system: where the files lie, and which team a name
// stands for, is said by who reads them. Text that cannot be read says nothing; no text is an error.
package owners

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"cairn/internal/event"
)

// MaxFile is how large a file may be, in bytes. A larger one says nothing: it is not what its name says.
const MaxFile = 1 << 20

// Component is what a catalogue's file says of one component. Names of other entities are short: without their kind and
// without the namespace default.
type Component struct {
	Name        string
	Title       string
	Description string
	Owner       string // the reference as it stands in the file: see Group
	Type        string
	Lifecycle   string
	System      string
	Tags        []string
	DependsOn   []string // components only
	Links       []Link
	Annotations map[string]string
}

// Link is an address that a component names.
type Link struct {
	URL   string `yaml:"url"`
	Title string `yaml:"title"`
	Type  string `yaml:"type"`
}

// location is a target of a Location.
type location struct {
	kind   string // "" is that of the file which the Location is in; "url" and "file" are files
	target string
}

// Library says whether a component is one that nobody deploys.
func (c Component) Library() bool { return strings.EqualFold(c.Type, "library") }

// entity is what is read of a document of a catalogue's file.
type entity struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Title       string            `yaml:"title"`
		Description string            `yaml:"description"`
		Annotations map[string]string `yaml:"annotations"`
		Tags        []string          `yaml:"tags"`
		Links       []Link            `yaml:"links"`
	} `yaml:"metadata"`
	Spec struct {
		Type      string   `yaml:"type"`
		Lifecycle string   `yaml:"lifecycle"`
		Owner     string   `yaml:"owner"`
		System    string   `yaml:"system"`
		DependsOn []string `yaml:"dependsOn"`
		Target    string   `yaml:"target"`  // of a Location
		Targets   []string `yaml:"targets"` // the same
	} `yaml:"spec"`
}

// entityName is what a catalogue takes for a name. A file that a template makes files of has none: name: ${{ values.name }}.
var entityName = regexp.MustCompile(`^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

// maxDocuments bounds the documents of one file.
const maxDocuments = 200

// read reads those documents of a catalogue's file that describe a component and name it, and where the Locations among
// them say that there is more. A field of another type than it should have is as good as left out. A document that is not
// YAML ends the file: what came before counts.
func read(text string) (components []Component, locations []location) {
	if len(text) > MaxFile {
		return nil, nil
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for range maxDocuments {
		var e entity
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if _, mistyped := errors.AsType[*yaml.TypeError](err); err != nil && !mistyped {
			break
		}
		if !entityName.MatchString(e.Metadata.Name) {
			continue
		}
		if strings.EqualFold(e.Kind, "Location") {
			for _, target := range append([]string{e.Spec.Target}, e.Spec.Targets...) {
				if target = strings.TrimSpace(target); target != "" {
					locations = append(locations, location{kind: strings.ToLower(e.Spec.Type), target: target})
				}
			}
		}
		if !strings.EqualFold(e.Kind, "Component") {
			continue
		}
		c := Component{
			Name: Name(e.Metadata.Namespace, e.Metadata.Name), Title: e.Metadata.Title, Description: e.Metadata.Description,
			Owner: e.Spec.Owner, Type: e.Spec.Type, Lifecycle: e.Spec.Lifecycle, System: short(e.Spec.System),
			Tags: e.Metadata.Tags, Links: e.Metadata.Links, Annotations: e.Metadata.Annotations,
		}
		for _, d := range e.Spec.DependsOn {
			if kind, _, ok := strings.Cut(d, ":"); !ok || strings.EqualFold(kind, "component") {
				c.DependsOn = append(c.DependsOn, short(d))
			}
		}
		if strings.Contains(c.Owner, "{{") { // for a template to fill in
			c.Owner = ""
		}
		components = append(components, c)
	}
	return components, locations
}

// Service is what a component says of a service, under the component's name. Who tells it adds by whom, as of when, and
// the repositories that the service is built from.
func (c Component) Service() *event.Service {
	s := &event.Service{
		ID: clip(c.Name), Name: clip(c.Name), Description: clip(c.Description), System: clip(c.System), Tags: clipped(c.Tags),
	}
	switch life := strings.ToLower(c.Lifecycle); life {
	case "experimental", "production", "deprecated":
		s.Lifecycle = life
	}
	for _, d := range c.DependsOn {
		s.Dependencies = append(s.Dependencies, clip(d))
	}
	for _, l := range c.Links {
		about := strings.ToLower(l.Type + " " + l.Title)
		switch {
		case s.Documentation == "" && strings.Contains(about, "doc"):
			s.Documentation = clip(l.URL)
		case s.URL == "":
			s.URL = clip(l.URL)
		}
	}
	s.Template = clip(c.Annotations["backstage.io/source-template"])
	if s.Template != "" {
		s.CreatedVia = "golden_path"
	}
	return s
}

// Name is the short name of an entity: without the namespace where that is default.
func Name(namespace, name string) string {
	if namespace = strings.ToLower(strings.TrimSpace(namespace)); namespace == "" || namespace == "default" {
		return name
	}
	return namespace + "/" + name
}

// Short is the short name in a reference to an entity, with its kind in small letters: "" where the reference has none.
func Short(reference string) (kind, name string) {
	if k, _, ok := strings.Cut(reference, ":"); ok {
		kind = strings.ToLower(strings.TrimSpace(k))
	}
	return kind, short(reference)
}

// Group is the short name of the group that a reference to an owner names: [group:][namespace/]name. A user is no group.
func Group(reference string) (name string, ok bool) {
	if kind, _, is := strings.Cut(reference, ":"); is && !strings.EqualFold(kind, "group") {
		return "", false
	}
	name = short(reference)
	return name, name != ""
}

// short is the name in a reference to an entity: [kind:][namespace/]name.
func short(reference string) string {
	if _, name, ok := strings.Cut(reference, ":"); ok {
		reference = name
	}
	reference = strings.TrimSpace(reference)
	if namespace, name, ok := strings.Cut(reference, "/"); ok {
		return Name(namespace, name)
	}
	return reference
}

// maxText is how many characters of a text are kept, as event allows for most.
const maxText = 4096

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText || utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText])
}

// clipped is a list without what is empty; nil when nothing is left.
func clipped(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, clip(s))
		}
	}
	return kept
}
