package gitlab

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

// ownershipPosition is what was told of who owns the services of a project.
type ownershipPosition struct {
	versioned
	Owners map[string]owner `json:"owners,omitempty"` // by service
}

// owner is a team that owns a service.
type owner struct {
	Team string    `json:"team"`
	From time.Time `json:"from,omitzero"`
}

// codeOwnersFiles are the places of which GitLab takes the first that is there.
var codeOwnersFiles = []string{"CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"}

// catalogFile is where a project describes itself to a catalogue.
const catalogFile = "catalog-info.yaml"

// ownershipFile says whether a path is that of a file that says who owns what.
func ownershipFile(path string) bool {
	return path == catalogFile || slices.Contains(codeOwnersFiles, path)
}

// readOwnership looks into the files of a project that say who owns what, and tells which team owns which service when
// that has changed. What the file for the catalogue says holds before what the code owners say. Nobody in either file
// leaves the services to whoever else tells of them.
func readOwnership(ctx context.Context, t *Turn) error {
	p, err := readPosition[ownershipPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	now, err := t.owners(ctx)
	if err != nil {
		off, err := t.off(ctx, err)
		t.report.Complete = off
		return err
	}
	first := t.position == ""
	owners := map[string]owner{}
	for _, service := range slices.Sorted(maps.Keys(p.Owners)) {
		before := p.Owners[service]
		if now[service] == before.Team {
			owners[service] = before
			continue
		}
		if err := t.tell(t.c.t.ownership(service, before.Team, before.From, t.asOf, t.asOf)); err != nil {
			return err
		}
	}
	for _, service := range slices.Sorted(maps.Keys(now)) {
		if _, still := owners[service]; still {
			continue
		}
		o, at := owner{Team: now[service]}, time.UnixMilli(0)
		if _, before := p.Owners[service]; before || !first {
			o.From, at = t.asOf, t.asOf
		}
		if err := t.tell(t.c.t.ownership(service, o.Team, o.From, time.Time{}, at)); err != nil {
			return err
		}
		owners[service] = o
	}
	p.Owners = owners
	t.report.Complete = true
	t.report.Done, t.report.Total = int64(len(owners)), int64(len(owners))
	t.move(p)
	return nil
}

// owners are the teams that own the services of the project, by service.
func (t *Turn) owners(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	services := t.c.rules.Services(t.repo.Fact)
	if len(services) == 0 {
		return found, nil
	}
	text, err := t.file(ctx, catalogFile)
	if err != nil {
		return nil, err
	}
	components := readCatalog(text)
	for _, s := range services {
		for _, component := range components {
			if len(components) == 1 && len(services) == 1 || strings.EqualFold(component.name, lastPart(s.ID)) {
				if team, ok := t.c.teamNamed(component.owner); ok {
					found[s.ID] = team
				}
			}
		}
	}
	if len(found) == len(services) {
		return found, nil
	}
	for _, path := range codeOwnersFiles {
		if text, err = t.file(ctx, path); err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		owners := readCodeOwners(text)
		for _, s := range services {
			if _, is := found[s.ID]; is {
				continue
			}
			for _, name := range owners.of(place(s)) {
				if team, ok := t.c.team(name); ok {
					found[s.ID] = team
					break
				}
			}
		}
		break
	}
	return found, nil
}

// place is a path that stands for a service's part of a project: "" for the whole.
func place(s rules.Service) string {
	if len(s.From.Paths) == 0 {
		return ""
	}
	path := s.From.Paths[0]
	if i := strings.IndexAny(path, "*?["); i >= 0 {
		path = path[:strings.LastIndexByte(path[:i], '/')+1]
	}
	return strings.Trim(path, "/")
}

// file is the text of a file on the default branch, "" when there is none.
func (t *Turn) file(ctx context.Context, path string) (string, error) {
	var text strings.Builder
	err := t.get(ctx, t.repo.in("/repository/files/"+url.PathEscape(path)+"/raw"), query{"ref": "HEAD"}, &text)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return "", nil
	}
	return text.String(), err
}

// ownership is the fact that a team owns a service during [from, to), as of at.
func (t translator) ownership(service, team string, from, to, at time.Time) *event.Ownership {
	return &event.Ownership{Telling: t.telling(at), Service: service, Team: team, From: from, To: to}
}

// teamNamed is the id in facts of the team that a catalogue calls by a name: a group by its full path, or the only one
// whose own path it is. A reference has a kind and a namespace before the name: group:default/checkout.
func (c *Connection) teamNamed(reference string) (string, bool) {
	kind, name, ok := strings.Cut(reference, ":")
	if !ok {
		name = reference
	} else if !strings.EqualFold(kind, "group") {
		return "", false
	}
	if team, ok := c.team(name); ok {
		return team, true
	}
	if namespace, rest, ok := strings.Cut(name, "/"); ok && namespace == "default" {
		name = rest
	}
	if name == "" {
		return "", false
	}
	if team, ok := c.team(name); ok {
		return team, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := ""
	for path, fact := range c.groups {
		if strings.EqualFold(lastPart(path), name) {
			if found != "" {
				return "", false
			}
			found = fact
		}
	}
	return found, found != ""
}

// component is what a catalogue's file says of one component.
type component struct {
	name  string
	owner string
}

// maxDocuments bounds what is read of one file.
const maxDocuments = 100

// readCatalog reads a file for a catalogue: documents of YAML, of which those count that describe a component and name its
// owner. What cannot be read says nothing.
func readCatalog(text string) []component {
	var found []component
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for range maxDocuments {
		var document struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct{ Owner string }
		}
		if err := decoder.Decode(&document); err != nil {
			break
		}
		if strings.EqualFold(document.Kind, "Component") && document.Metadata.Name != "" && document.Spec.Owner != "" {
			found = append(found, component{document.Metadata.Name, document.Spec.Owner})
		}
	}
	return found
}

// codeOwners are the sections of a file of code owners. A file without headings is one section.
type codeOwners [][]ownedPath

// ownedPath is a line of a file of code owners.
type ownedPath struct {
	pattern string
	owners  []string // without the @
	except  bool     // ! takes paths away from the section
}

// readCodeOwners reads a file of code owners: lines of a pattern and owners, in sections that may have owners of their
// own, which hold for lines that name none.
func readCodeOwners(text string) codeOwners {
	sections := codeOwners{nil}
	var inherited []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if heading, rest, ok := strings.Cut(strings.TrimPrefix(line, "^"), "]"); ok && strings.HasPrefix(heading, "[") && len(heading) > 1 {
			if strings.HasPrefix(rest, "[") { // how many approvals are needed
				_, rest, _ = strings.Cut(rest, "]")
			}
			inherited = ownersIn(strings.Fields(rest))
			sections = append(sections, nil)
			continue
		}
		fields := pathFields(line)
		owners := ownersIn(fields[1:])
		if len(owners) == 0 {
			owners = inherited
		}
		pattern, except := strings.CutPrefix(fields[0], "!")
		last := len(sections) - 1
		sections[last] = append(sections[last], ownedPath{pattern: pattern, owners: owners, except: except})
	}
	return sections
}

// pathFields are the words of a line, where a space behind a backslash belongs to the word.
func pathFields(line string) []string {
	fields := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(line, `\ `, "\x00"), `\#`, "#"))
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "\x00", " ")
	}
	if len(fields) == 0 {
		return []string{""}
	}
	return fields
}

// ownersIn are those of the words that name an account or a group. Roles (@@developer) and addresses are no teams.
func ownersIn(words []string) []string {
	var owners []string
	for _, w := range words {
		if strings.HasPrefix(w, "#") {
			break
		}
		if name, ok := strings.CutPrefix(w, "@"); ok && name != "" && !strings.HasPrefix(name, "@") {
			owners = append(owners, name)
		}
	}
	return owners
}

// of are the owners of a folder, or of the whole project (""): in each section the last line that covers it decides.
func (c codeOwners) of(folder string) []string {
	var owners []string
	for _, section := range c {
		for _, line := range slices.Backward(section) {
			if line.covers(folder) {
				if !line.except {
					owners = append(owners, line.owners...)
				}
				break
			}
		}
	}
	return owners
}

// covers says whether a line is about everything in a folder.
func (o ownedPath) covers(folder string) bool {
	switch o.pattern {
	case "*", "/", "**", "/*", "/**", "/**/*", "**/*":
		return true
	}
	if folder == "" {
		return false
	}
	pattern := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(o.pattern, "*"), "*"), "/")
	rooted := strings.HasPrefix(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	if pattern == "" || strings.ContainsAny(pattern, "*?[") {
		return false
	}
	return folder == pattern || strings.HasPrefix(folder, pattern+"/") ||
		!rooted && (strings.HasSuffix(folder, "/"+pattern) || strings.Contains(folder, "/"+pattern+"/"))
}
