package gitlab

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// known is a project as it is kept in the position of the projects' list, from which the other streams follow.
type known struct {
	ID     int64  `json:"id"`
	Fact   string `json:"fact"` // its id in facts: the first path that was known, for ever
	Path   string `json:"path"` // its path now
	Name   string `json:"name"`
	Branch string `json:"branch,omitempty"` // the default branch
	URL    string `json:"url"`
	// CI is where the configuration of pipelines lies, when that is another project: deploy.yml@acme/platform.
	CI         string    `json:"ci,omitempty"`
	Changed    time.Time `json:"changed,omitzero"`
	ArchivedAt time.Time `json:"archived,omitzero"`
	DeletedAt  time.Time `json:"deleted,omitzero"`
	Fork       bool      `json:"fork,omitempty"`
	Empty      bool      `json:"empty,omitempty"`   // it has no commits yet
	Outside    bool      `json:"outside,omitempty"` // it is there, but no longer in a group that is read
	Off        []string  `json:"off,omitempty"`     // kinds of lists that it does not have
	Sweep      int       `json:"sweep"`             // the latest look at the whole list that found it
}

// template is the shared pipeline that a project's pipelines are built from, as far as GitLab's API tells: a
// configuration that lies in another project. What a configuration of its own includes, only its text tells.
func (k known) template() string {
	if file, project, ok := strings.Cut(k.CI, "@"); ok && project != "" {
		project, ref, ok := strings.Cut(project, ":")
		if ok {
			ref = "@" + ref
		}
		return project + "/" + file + ref
	}
	return ""
}

// repositoriesPosition is how far the list of projects has been read.
type repositoriesPosition struct {
	versioned
	Projects []known `json:"projects,omitempty"` // by id

	Sweep int    `json:"sweep"`          // number of the look at the whole list that goes on, or ended
	Going bool   `json:"going"`          // it goes on
	Place int    `json:"place"`          // the how-manieth group, or project that is named
	Next  string `json:"next,omitempty"` // query of the next page, "" for the first
	Page  int    `json:"page,omitempty"` // number of the next page, of lists that have no other way
	Total int64  `json:"total,omitempty"`
	Count int64  `json:"count,omitempty"` // of the list that is read, as GitLab said at first
}

// readRepositories makes a part of a look at the whole list of projects. When it is through, projects that it did not find
// are asked for by themselves: only what GitLab says is gone is deleted.
func readRepositories(ctx context.Context, t *Turn) error {
	p, err := readPosition[repositoriesPosition](t.stream.Name, t.position)
	if err != nil {
		return err
	}
	p.V = positionVersion
	if !p.Going {
		p.Going, p.Sweep, p.Place, p.Next, p.Page, p.Count = true, p.Sweep+1, 0, "", 0, 0
	}
	defer func() {
		found := int64(0)
		for _, k := range p.Projects {
			if k.Sweep == p.Sweep {
				found++
			}
		}
		t.report.Done, t.report.Total, t.report.Complete = found, max(found, p.Total), !p.Going
	}()
	for p.Going {
		if t.spent() {
			t.report.More = true
			return nil
		}
		if named := t.c.cfg.named(); named != nil {
			err = t.namedProject(ctx, &p, named)
		} else {
			err = t.pageOfProjects(ctx, &p)
		}
		if err != nil {
			return err
		}
		t.move(p)
		t.c.remember(p.Projects)
	}
	return nil
}

// namedProject asks for the next of the projects that the configuration names.
func (t *Turn) namedProject(ctx context.Context, p *repositoriesPosition, named []string) error {
	if p.Place >= len(named) {
		return t.missing(ctx, p)
	}
	var found project
	err := t.get(ctx, "projects/"+url.PathEscape(named[p.Place]), nil, &found)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		// It may be one that is known by now under another path; whether it is gone is asked when all are through.
	case err != nil:
		return err
	default:
		if err := t.found(p, found); err != nil {
			return err
		}
	}
	p.Place++
	p.Total = int64(len(named))
	return nil
}

// pageOfProjects reads the next page of the projects of the next group, or of those that the token is a member of. Pages
// are asked for by the id of what came before, where the server can do that; where it cannot, by their numbers, and from
// the beginning when projects were deleted meanwhile, since that moves others to pages that were read.
func (t *Turn) pageOfProjects(ctx context.Context, p *repositoriesPosition) error {
	groups := t.c.cfg.Groups
	path, q := "projects", query{"membership": "true"}
	if len(groups) > 0 {
		if p.Place >= len(groups) {
			return t.missing(ctx, p)
		}
		path, q = "groups/"+url.PathEscape(groups[p.Place])+"/projects", query{"include_subgroups": "true", "with_shared": "false"}
	} else if p.Place > 0 {
		return t.missing(ctx, p)
	}
	q = q.with("simple", "false").with("order_by", "id").with("sort", "asc").with("per_page", itoa(perPage))
	raw := q.with("pagination", "keyset").encode()
	switch {
	case p.Next != "":
		raw = p.Next
	case p.Page > 0:
		raw = q.with("page", itoa(p.Page)).encode()
	}
	t.requests++
	projects, next, err := listRaw[project](ctx, t.c.api, path, raw)
	if errors.Is(err, errNotAllowed) && p.Page == 0 {
		p.Next, p.Page = "", 1
		return nil
	}
	if err != nil {
		if len(groups) > 0 && fault.KindOf(err) == fault.NotFound {
			return fault.New(fault.NotFound, "%s: there is no group %s, or the token is not a member of it: check groups", t.c.cfg.Name, groups[p.Place])
		}
		return err
	}
	if p.Page > 0 && next.total < p.Count {
		p.Page, p.Count = 1, next.total
		return nil
	}
	p.Count = next.total
	for _, found := range projects {
		if err := t.found(p, found); err != nil {
			return err
		}
	}
	if next.total > 0 {
		p.Total = max(p.Total, next.total)
	}
	switch {
	case next.last:
		p.Place, p.Next, p.Page, p.Count = p.Place+1, "", 0, 0
	case p.Page > 0:
		p.Page++
	case next.next != "":
		p.Next = next.next
	default:
		p.Next, p.Page = "", 2 // the server gave a page and no way to the next but its number
	}
	return nil
}

// found tells a project when it is new or has changed.
func (t *Turn) found(p *repositoriesPosition, found project) error {
	i, is := slices.BinarySearchFunc(p.Projects, found.ID, func(k known, id int64) int { return int(k.ID - id) })
	if !is && found.condemned() {
		return nil // its path is one that GitLab made up for the time until it is gone
	}
	k := known{ID: found.ID}
	if is {
		k = p.Projects[i]
	} else {
		k.Fact = found.PathWithNamespace
		if slices.ContainsFunc(p.Projects, func(other known) bool { return other.Fact == k.Fact }) {
			k.Fact += "-" + itoa(found.ID) // the path was another project's before
		}
	}
	before := k
	k.Path, k.Name, k.Branch, k.URL, k.CI = found.PathWithNamespace, found.Name, found.DefaultBranch, found.WebURL, found.CIConfigPath
	k.Fork, k.Empty, k.Off = found.fork(), found.EmptyRepo, found.off()
	k.Changed = latest(k.Changed, found.changed())
	k.Outside, k.Sweep = false, p.Sweep
	switch {
	case !found.Archived:
		k.ArchivedAt = time.Time{}
	case k.ArchivedAt.IsZero():
		k.ArchivedAt = found.changed() // GitLab does not say since when: at the latest since then
	}
	if !k.DeletedAt.IsZero() { // it is back
		k.Changed, k.DeletedAt = latest(k.Changed, k.DeletedAt.Add(time.Millisecond)), time.Time{}
	}
	if is {
		p.Projects[i] = k
	} else {
		p.Projects = slices.Insert(p.Projects, i, k)
	}
	if !t.c.reading(k) || is && same(before, k) {
		return nil
	}
	return t.tell(t.c.t.repository(k))
}

// same says whether two looks at a project give the same fact, but for its instant.
func same(a, b known) bool {
	return a.Name == b.Name && a.Branch == b.Branch && a.URL == b.URL && a.ArchivedAt.Equal(b.ArchivedAt) && a.DeletedAt.Equal(b.DeletedAt) && !a.Outside
}

// missing asks for a project that the look at the whole list did not find. Without any it is through.
func (t *Turn) missing(ctx context.Context, p *repositoriesPosition) error {
	i := slices.IndexFunc(p.Projects, func(k known) bool {
		return k.Sweep < p.Sweep && k.DeletedAt.IsZero() && !k.Outside
	})
	if i < 0 {
		p.Going = false
		return nil
	}
	var found project
	err := t.get(ctx, p.Projects[i].in(""), nil, &found)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	k := &p.Projects[i]
	if err == nil { // moved to where it is not read, or it came between the pages
		k.Outside, k.Sweep = true, p.Sweep
		if t.c.cfg.named() != nil || inGroups(t.c.cfg.Groups, found.PathWithNamespace) {
			return t.found(p, found)
		}
		return nil
	}
	k.DeletedAt, k.Changed, k.Sweep = t.asOf, latest(k.Changed, t.asOf), p.Sweep
	return t.tell(t.c.t.repository(*k))
}

// inGroups says whether a project stands in one of the groups or below.
func inGroups(groups []string, path string) bool {
	return slices.ContainsFunc(groups, func(g string) bool {
		return strings.HasPrefix(strings.ToLower(path), strings.ToLower(g)+"/")
	})
}

// services are the registrations that a deployment of a project needs, once a turn.
func (t *Turn) services(verdictOf *event.Deployment) []event.Event {
	if t.registered[verdictOf.Service] {
		return nil
	}
	var told []event.Event
	for _, s := range t.c.t.services(t.repo.Fact, t.c.known(), verdictOf.Service) {
		if id := s.(*event.Service).ID; !t.registered[id] {
			if t.registered == nil {
				t.registered = map[string]bool{}
			}
			t.registered[id] = true
			told = append(told, s)
		}
	}
	return told
}

// deployed tells a deployment, after the service that it belongs to, and counts the rule.
func (t *Turn) deployed(d *event.Deployment, rule, what string) error {
	t.applied(rule, t.repo.Fact+": "+what)
	if d == nil {
		return nil
	}
	return t.tell(append(t.services(d), d)...)
}
