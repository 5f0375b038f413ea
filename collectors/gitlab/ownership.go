package gitlab

import (
	"context"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/owners"
	"cairn/internal/rules"
)

// ownershipPosition is what was told of the services of a project, and of who owns them.
type ownershipPosition struct {
	versioned
	Owners   map[string]owner       `json:"owners,omitempty"`   // by service
	Services map[string]serviceTold `json:"services,omitempty"` // those that files for the catalogue describe
	Left     []string               `json:"left,omitempty"`     // targets of Locations that are not followed
}

// serviceTold is how a service was told last.
type serviceTold struct {
	Hash    uint32 `json:"hash"`
	Changes int64  `json:"changes,omitempty"` // how often it was told anew
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

// ownershipFile says whether a path is that of a file that says who owns what, or may be one that a Location leads to.
func ownershipFile(file string) bool {
	return path.Base(file) == catalogFile || slices.Contains(codeOwnersFiles, file)
}

// readOwnership looks into the files of a project that say what its services are and who owns them, and tells a service,
// and which team owns which, when that has changed. What the files for the catalogue say holds before what the code owners say. Nobody in any of them
// leaves the services to whoever else tells of them.
func readOwnership(ctx context.Context, t *Turn) error {
	p, err := readPosition[ownershipPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	now, described, catalogue, err := t.owners(ctx)
	if err != nil {
		off, err := t.off(ctx, err)
		t.report.Complete = off
		return err
	}
	for _, s := range described {
		if err := t.tellDescribed(&p, s); err != nil {
			return err
		}
	}
	p.Left = catalogue.Unfollowed(p.Left, t.applied)
	if catalogue.Part { // what was not found may lie in a file that was not read
		for service, before := range p.Owners {
			if _, is := now[service]; !is {
				now[service] = before.Team
			}
		}
	}
	first := t.position == ""
	told := map[string]owner{}
	for _, service := range slices.Sorted(maps.Keys(p.Owners)) {
		before := p.Owners[service]
		if now[service] == before.Team {
			told[service] = before
			continue
		}
		if err := t.tell(t.c.t.ownership(service, before.Team, before.From, t.asOf, t.asOf)); err != nil {
			return err
		}
	}
	for _, service := range slices.Sorted(maps.Keys(now)) {
		if _, still := told[service]; still {
			continue
		}
		o, at := owner{Team: now[service]}, time.UnixMilli(0)
		if _, before := p.Owners[service]; before || !first {
			o.From, at = t.asOf, t.asOf
		}
		if err := t.tell(t.c.t.ownership(service, o.Team, o.From, time.Time{}, at)); err != nil {
			return err
		}
		told[service] = o
	}
	p.Owners = told
	t.report.Complete = true
	t.report.Done, t.report.Total = int64(len(told)), int64(len(told))
	t.move(p)
	return nil
}

// tellDescribed tells a service that the file for the catalogue describes, when it is new or has changed: as of 1970 and
// some seconds, after the bare registrations that come with first deployments, which count milliseconds (see
// translator.services), and before anything that a catalogue tells itself.
func (t *Turn) tellDescribed(p *ownershipPosition, s *event.Service) error {
	told, known := p.Services[s.ID]
	hash := uint32(xxhash.Sum64(event.AppendJSON(nil, s)))
	if known && told.Hash == hash {
		return nil
	}
	if known {
		told.Changes++
	}
	told.Hash = hash
	if p.Services == nil {
		p.Services = map[string]serviceTold{}
	}
	p.Services[s.ID] = told
	s.Telling = t.c.t.telling(time.Unix(1+told.Changes, 0))
	return t.tell(s)
}

// owners are the teams that own the services of the project, by service, and those services that its files for the
// catalogue describe.
func (t *Turn) owners(ctx context.Context) (map[string]string, []*event.Service, owners.Catalogue, error) {
	found := map[string]string{}
	services := t.c.rules.Services(t.repo.Fact)
	if len(services) == 0 {
		return found, nil, owners.Catalogue{}, nil
	}
	catalogue, err := t.catalogue().Read(ctx, catalogFile)
	if err != nil {
		return nil, nil, catalogue, err
	}
	described := t.described(catalogue, services, found)
	components := slices.Clone(catalogue.Components)
	components = slices.DeleteFunc(components, func(c owners.Described) bool { return c.Owner == "" })
	owned := 0
	for _, s := range services {
		for _, component := range components {
			if len(components) == 1 && len(services) == 1 && !catalogue.Part || strings.EqualFold(component.Name, lastPart(s.ID)) {
				if team, ok := t.c.teamNamed(component.Owner); ok {
					found[s.ID] = team
				}
			}
		}
		if _, is := found[s.ID]; is {
			owned++
		}
	}
	if owned == len(services) {
		return found, described, catalogue, nil
	}
	for _, path := range codeOwnersFiles {
		text, err := t.file(ctx, path)
		if err != nil {
			return nil, nil, catalogue, err
		}
		if text == "" {
			continue
		}
		code := owners.ReadCodeOwners(text, owners.Sections)
		for _, s := range services {
			if _, is := found[s.ID]; is {
				continue
			}
			for _, name := range code.Of(place(s)) {
				if team, ok := t.c.team(name); ok {
					found[s.ID] = team
					break
				}
			}
		}
		break
	}
	return found, described, catalogue, nil
}

// catalogue is the project as the files for its catalogue are read.
func (t *Turn) catalogue() owners.Repository {
	r := owners.Repository{Branch: t.repo.Branch, File: t.file, Pages: []string{t.repo.URL}}
	for _, name := range []string{t.repo.Path, t.repo.Fact} { // a former path leads to it
		r.Pages = append(r.Pages, t.c.t.web+"/"+name)
	}
	r.List = func(ctx context.Context, folder string, deep bool) (paths []string, whole bool, err error) {
		q := query{"ref": "HEAD", "path": folder}
		if deep {
			q["recursive"] = "true"
		}
		for n := 1; n <= maxTree; n++ {
			t.requests++
			some, p, err := list[struct {
				Path string `json:"path"`
				Type string `json:"type"`
			}](ctx, t.c.api, t.repo.in("/repository/tree"), q.page(n))
			if fault.KindOf(err) == fault.NotFound { // there is no such folder
				return nil, true, nil
			}
			if err != nil {
				return nil, false, err
			}
			for _, e := range some {
				switch e.Type {
				case "blob":
					paths = append(paths, e.Path)
				case "tree":
					paths = append(paths, e.Path+"/")
				}
			}
			if p.last {
				return paths, true, nil
			}
		}
		return paths, false, nil
	}
	return r
}

// maxTree is how many pages of a list of files are read.
const maxTree = 20

// described are the services that components describe, libraries left out, which nobody deploys. Where one is described,
// and the rules say that one service is built from the project, it is that one; else it is the one of its name, and where
// the rules know none of that name a service of its own, whose owner is put among those found.
func (t *Turn) described(catalogue owners.Catalogue, services []rules.Service, found map[string]string) []*event.Service {
	components := slices.DeleteFunc(slices.Clone(catalogue.Components), func(c owners.Described) bool { return c.Library() })
	alone := len(components) == 1 && len(services) == 1 && !catalogue.Part
	var all []*event.Service
	for _, component := range components {
		fact := component.Service()
		i := slices.IndexFunc(services, func(s rules.Service) bool {
			return alone || strings.EqualFold(component.Name, lastPart(s.ID))
		})
		if i >= 0 {
			if fact.ID = services[i].ID; fact.ID != fact.Name {
				fact.Aliases = []string{fact.Name}
			}
		} else if team, ok := t.c.teamNamed(component.Owner); ok {
			found[fact.ID] = team
		}
		fact.Source = t.c.cfg.Name
		for _, registered := range t.c.t.services(t.repo.Fact, t.c.known(), fact.ID) {
			if s := registered.(*event.Service); s.ID == fact.ID {
				fact.Repositories = s.Repositories
			}
		}
		// The folder of its file is the part of the project of a service that no rule knows.
		if i < 0 && component.Folder != "" && len(fact.Repositories) == 1 && fact.Repositories[0].Repository == t.repo.Fact {
			fact.Repositories[0].Paths = []string{component.Folder}
		}
		all = append(all, fact)
	}
	return all
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
