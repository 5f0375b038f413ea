package rules

import (
	"strings"

	"cairn/internal/fault"
)

// ServiceName says which service it is that a system calls something else. Patterns are those of Config; {1} in service is
// the text of the first * (or group) of match. "none" says that it is no service of ours.
type ServiceName struct {
	Match   string `yaml:"match"`
	Service string `yaml:"service"`
}

// EnvironmentName is the same for environments.
type EnvironmentName struct {
	Match       string `yaml:"match"`
	Environment string `yaml:"environment"`
}

// RepositoryName is the same for repositories.
type RepositoryName struct {
	Match      string `yaml:"match"`
	Repository string `yaml:"repository"`
}

// TeamName is the same for teams.
type TeamName struct {
	Match string `yaml:"match"`
	Team  string `yaml:"team"`
}

// ResourceName is the same for kinds of resources.
type ResourceName struct {
	Match    string `yaml:"match"`
	Resource string `yaml:"resource"`
}

// Names translate what a system calls things. The zero Names leave everything as it is.
type Names struct{ list []name }

type name struct {
	match pattern
	is    string
}

// Services compiles a list that stands at a place of the configuration. Errors are fault.Invalid and name the place.
func Services(place string, list []ServiceName) (*Names, error) {
	return compileNames(place, "service", len(list), func(i int) (string, string) { return list[i].Match, list[i].Service })
}

// Environments is Services for environments.
func Environments(place string, list []EnvironmentName) (*Names, error) {
	return compileNames(place, "environment", len(list), func(i int) (string, string) { return list[i].Match, list[i].Environment })
}

// Repositories is Services for repositories.
func Repositories(place string, list []RepositoryName) (*Names, error) {
	return compileNames(place, "repository", len(list), func(i int) (string, string) { return list[i].Match, list[i].Repository })
}

// Teams is Services for teams.
func Teams(place string, list []TeamName) (*Names, error) {
	return compileNames(place, "team", len(list), func(i int) (string, string) { return list[i].Match, list[i].Team })
}

// Resources is Services for kinds of resources.
func Resources(place string, list []ResourceName) (*Names, error) {
	return compileNames(place, "resource", len(list), func(i int) (string, string) { return list[i].Match, list[i].Resource })
}

func compileNames(place, what string, n int, at func(int) (match, is string)) (*Names, error) {
	names := &Names{}
	for i := range n {
		match, is := at(i)
		p, err := compile(match)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s[%d].match is %q: %s", place, i, match, err)
		}
		switch is = strings.TrimSpace(is); {
		case is == "":
			return nil, fault.New(fault.Invalid, "%s[%d].%s is empty: expected a name, or none", place, i, what)
		case strings.Contains(is, "{1}") && !p.group:
			return nil, fault.New(fault.Invalid, "%s[%d].%s is %q: {1} stands for the text of the first * or group, but %q has none", place, i, what, is, match)
		}
		names.list = append(names.list, name{p, is})
	}
	return names, nil
}

// Of is the name by the first rule that fits one of the texts, the earlier texts first; fits is false when none does. ""
// with fits says that a rule leaves the thing out.
func (n *Names) Of(texts ...string) (is string, fits bool) {
	if n == nil {
		return "", false
	}
	for _, name := range n.list {
		for _, text := range texts {
			if text == "" || !name.match.fits(text) {
				continue
			}
			if strings.EqualFold(name.is, "none") {
				return "", true
			}
			return strings.TrimSpace(strings.ReplaceAll(name.is, "{1}", name.match.first(text))), true
		}
	}
	return "", false
}

// Or is Of, and where no rule fits the first of the texts that is not empty.
func (n *Names) Or(texts ...string) string {
	if is, fits := n.Of(texts...); fits {
		return is
	}
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
