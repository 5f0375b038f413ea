package github

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/owners"
)

// ownershipPosition is who owns what, as the files of the repository said when they were last read.
type ownershipPosition struct {
	Version int `json:"v"`
	// Owners are the teams of each service, with since when, seconds; 0: always.
	Owners map[string]map[string]int64 `json:"owners,omitempty"`
	// Services are the tellings of those that a catalogue file describes.
	Services map[string]serviceTold `json:"services,omitempty"`
	// Left are the targets of Locations that are not followed.
	Left []string `json:"left,omitempty"`
	Read bool     `json:"read,omitempty"`
}

type serviceTold struct {
	Hash    uint32 `json:"h"`
	Changes int64  `json:"c,omitempty"`
}

// readOwnershipTurn reads the files that say who owns what is in the repository: catalog-info.yaml in its root with those
// that its Locations name, and where they name no owner CODEOWNERS. GitHub takes the first of .github/, the root and docs/.
func readOwnershipTurn(ctx context.Context, t *Turn) error {
	p := ownershipPosition{Version: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	t.report.Complete = true
	root, err := t.folder(ctx, "")
	if fault.KindOf(err) == fault.NotFound || empty(err) { // nothing was ever pushed to it
		return nil
	}
	if err != nil {
		return err
	}
	owner, _, _ := strings.Cut(t.repo.name, "/")
	components, catalogue, err := t.components(ctx, root, owner)
	if err != nil {
		return err
	}
	p.Left = catalogue.Unfollowed(p.Left, t.applied)
	owned := map[string][]string{}
	for _, c := range components {
		if err := t.tellComponent(&p, c.service); err != nil {
			return err
		}
		if c.owner != "" {
			owned[c.service.ID] = append(owned[c.service.ID], c.owner)
		}
	}
	if len(owned) == 0 {
		teams, err := t.codeOwners(ctx, root, owner)
		if err != nil {
			return err
		}
		if len(teams) > 0 {
			for _, s := range t.c.rules.Services(t.repo.fact) {
				owned[s.ID] = teams
			}
		}
	}
	if catalogue.Part { // what was not found may lie in a file that was not read
		for service, teams := range p.Owners {
			if len(owned[service]) == 0 {
				owned[service] = slices.Sorted(maps.Keys(teams))
			}
		}
	}
	if err := t.tellOwners(&p, owned); err != nil {
		return err
	}
	p.Read = true
	t.position = position(p)
	return nil
}

// tellOwners tells whose a service has become, and whose it no longer is.
func (t *Turn) tellOwners(p *ownershipPosition, owned map[string][]string) error {
	if p.Owners == nil {
		p.Owners = map[string]map[string]int64{}
	}
	ownership := func(service, team string, from int64, to time.Time) error {
		fact := &event.Ownership{Telling: t.c.t.telling(time.UnixMilli(0)), Service: service, Team: team, To: to}
		if from != 0 {
			fact.From = time.Unix(from, 0).UTC()
		}
		return t.tell(fact)
	}
	for service, teams := range sorted(p.Owners) {
		for team, from := range sorted(teams) {
			if slices.Contains(owned[service], team) {
				continue
			}
			if err := ownership(service, team, from, t.asOf); err != nil {
				return err
			}
			delete(teams, team)
		}
		if len(teams) == 0 {
			delete(p.Owners, service)
		}
	}
	for service, teams := range sorted(owned) {
		for _, team := range teams {
			if _, known := p.Owners[service][team]; known {
				continue
			}
			from := int64(0)
			if p.Read {
				from = t.asOf.Unix()
			}
			if err := ownership(service, team, from, time.Time{}); err != nil {
				return err
			}
			if p.Owners[service] == nil {
				p.Owners[service] = map[string]int64{}
			}
			p.Owners[service][team] = from
		}
	}
	return nil
}

// tellComponent tells a service that a catalogue file describes, when it is new or has changed: as of 1970 and some
// milliseconds, after the bare registration that comes with a first deployment (see translator.services), and before
// anything that a catalogue tells.
func (t *Turn) tellComponent(p *ownershipPosition, s *event.Service) error {
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
	s.Telling = t.c.t.telling(time.UnixMilli(1 + told.Changes))
	return t.tell(s)
}

// folder lists the files of a folder of the default branch, and the folders in it with a slash behind their names.
func (t *Turn) folder(ctx context.Context, path string) ([]string, error) {
	var names []string
	if path == "" { // the list of contents has no name for the top
		var tree github.Tree
		if _, err := t.get(ctx, t.what(), t.path("git/trees/"+url.PathEscape(t.repo.branch)), nil, &tree); err != nil {
			return nil, err
		}
		for _, e := range tree.Entries {
			name := e.GetPath()
			if e.GetType() == "tree" {
				name += "/"
			}
			names = append(names, name)
		}
		return names, nil
	}
	var list []*github.RepositoryContent
	if _, err := t.get(ctx, t.what(), t.path("contents/"+path), nil, &list); err != nil {
		return nil, err
	}
	for _, c := range list {
		name := c.GetName()
		if c.GetType() == "dir" {
			name += "/"
		}
		names = append(names, name)
	}
	return names, nil
}

// file reads a file of the default branch; "" where it is too large to be what it should be.
func (t *Turn) file(ctx context.Context, path string) (string, error) {
	var raw json.RawMessage
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	if _, err := t.get(ctx, path+" of "+t.repo.name, t.path("contents/"+strings.Join(parts, "/")), nil, &raw); err != nil {
		if fault.KindOf(err) == fault.NotFound { // deleted a moment ago, or named by mistake
			return "", nil
		}
		return "", err
	}
	var c github.RepositoryContent
	if err := json.Unmarshal(raw, &c); err != nil || c.GetType() != "file" { // a folder is a list
		return "", nil
	}
	if c.GetSize() > owners.MaxFile {
		return "", nil
	}
	text, err := c.GetContent()
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "%s of %s", path, t.repo.name)
	}
	return text, nil
}

// codeOwners are the teams that own the whole repository by its CODEOWNERS.
func (t *Turn) codeOwners(ctx context.Context, root []string, org string) ([]string, error) {
	for _, folder := range []string{".github/", "", "docs/"} {
		names := root
		if folder != "" {
			if !slices.Contains(root, folder) {
				continue
			}
			var err error
			if names, err = t.folder(ctx, strings.TrimSuffix(folder, "/")); err != nil {
				return nil, err
			}
		}
		if !slices.Contains(names, "CODEOWNERS") {
			continue
		}
		text, err := t.file(ctx, folder+"CODEOWNERS")
		return teamsAmong(owners.ReadCodeOwners(text, owners.Plain).Of("")), err
	}
	return nil, nil
}

// teamsAmong are the teams among code owners. People are left out: a team owns a service.
func teamsAmong(names []string) []string {
	var teams []string
	for _, name := range names {
		if org, slug, ok := strings.Cut(name, "/"); ok && org != "" && slug != "" {
			if id := clip(strings.ToValidUTF8(teamID(org, slug), "\uFFFD")); !slices.Contains(teams, id) {
				teams = append(teams, id)
			}
		}
	}
	return teams
}

// component is a service of a catalogue file, with the team that owns it.
type component struct {
	service *event.Service
	owner   string
	folder  string // of the file; "" is the root
}

// components reads the services that the repository's catalogue files describe: their components, except libraries, which
// nobody deploys. Where they describe one, and the rules say that one service is built from the repository, it is that one;
// else it is the one of its name, and the folder of its file is its part of the repository.
func (t *Turn) components(ctx context.Context, root []string, org string) ([]component, owners.Catalogue, error) {
	i := slices.IndexFunc(root, func(name string) bool { return name == "catalog-info.yaml" || name == "catalog-info.yml" })
	if i < 0 {
		return nil, owners.Catalogue{}, nil
	}
	catalogue, err := t.catalogue().Read(ctx, root[i])
	if err != nil {
		return nil, catalogue, err
	}
	var all []component
	for _, c := range catalogue.Components {
		if !c.Library() {
			all = append(all, component{service: c.Service(), owner: clip(teamOf(c.Owner, org)), folder: c.Folder})
		}
	}
	ours := t.c.rules.Services(t.repo.fact)
	alone := len(all) == 1 && len(ours) == 1 && !catalogue.Part
	for _, c := range all {
		c.service.Source = t.c.cfg.Name
		from := event.ServiceRepository{Repository: t.repo.fact}
		if !alone && c.folder != "" {
			from.Paths = []string{clip(c.folder)}
		}
		for _, s := range ours {
			if name := c.service.Name; s.ID == name || alone {
				if s.ID != name {
					c.service.Aliases = []string{name}
				}
				c.service.ID, from = s.ID, s.From
			}
		}
		if from.Repository == "" {
			from.Repository = t.repo.fact
		}
		c.service.Repositories = []event.ServiceRepository{from}
	}
	return all, catalogue, nil
}

// catalogue is the repository as the files of its catalogue are read.
func (t *Turn) catalogue() owners.Repository {
	r := owners.Repository{Branch: t.repo.branch, File: t.file}
	for _, name := range []string{t.repo.name, t.repo.fact} { // a former name leads to it
		r.Pages = append(r.Pages, t.c.at.web.JoinPath(name).String())
		if t.c.at.web.Host == "github.com" {
			r.Raw = append(r.Raw, "https://raw.githubusercontent.com/"+name)
		}
	}
	var paths []string
	listed, whole := false, false
	r.List = func(ctx context.Context, _ string, _ bool) ([]string, bool, error) {
		if listed {
			return paths, whole, nil
		}
		var tree github.Tree
		if _, err := t.get(ctx, t.what(), t.path("git/trees/"+url.PathEscape(t.repo.branch)), values("recursive", "1"), &tree); err != nil {
			return nil, false, err
		}
		for _, e := range tree.Entries {
			if e.GetType() == "blob" {
				paths = append(paths, e.GetPath())
			}
		}
		listed, whole = true, !tree.GetTruncated()
		return paths, whole, nil
	}
	return r
}

// teamOf is the team that a reference to an owner names: a group is the team of that name of the organisation that the
// repository belongs to; a user is no team.
func teamOf(ref, org string) string {
	name, ok := owners.Group(ref)
	switch {
	case !ok:
		return ""
	case strings.Contains(name, "/"):
		return name
	}
	return teamID(org, name)
}
