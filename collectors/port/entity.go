package port

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
)

// entity is what is read of one. Everything but its identity is looked up by path: see at.
type entity struct {
	Identifier string
	Blueprint  string
	UpdatedAt  time.Time
	CreatedAt  time.Time
	all        map[string]any
}

// readEntity reads an entity as Port shows it; ok is false when it has no identifier.
func readEntity(text json.RawMessage, blueprint string) (e entity, ok bool) {
	if json.Unmarshal(text, &e.all) != nil {
		return entity{}, false
	}
	e.Identifier, _ = e.all["identifier"].(string)
	e.Blueprint, _ = e.all["blueprint"].(string)
	e.Blueprint = cmp.Or(e.Blueprint, blueprint)
	created, _ := e.all["createdAt"].(string)
	updated, _ := e.all["updatedAt"].(string)
	e.CreatedAt, e.UpdatedAt = instant(created), instant(updated)
	return e, strings.TrimSpace(e.Identifier) != ""
}

// at is what stands at a path, as texts: one for a text or a number, several for a list; of related things that are told
// with their titles the identifiers.
func (e entity) at(path string) []string {
	if path == "" {
		return nil
	}
	var v any = e.all
	for step := range strings.SplitSeq(strings.TrimPrefix(path, "$"), ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[step]
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var all []string
	for _, one := range list {
		text := ""
		switch one := one.(type) {
		case string:
			text = strings.TrimSpace(one)
		case float64:
			text = strconv.FormatFloat(one, 'f', -1, 64)
		case map[string]any:
			text, _ = one["identifier"].(string)
		}
		if text != "" && !slices.Contains(all, clip(text)) {
			all = append(all, clip(text))
		}
	}
	return all
}

// one is what stands at a path, as one text.
func (e entity) one(path string) string {
	if all := e.at(path); len(all) > 0 {
		return all[0]
	}
	return ""
}

// paths are those of a blueprint, the usual ones where it has none.
func (b Blueprint) paths() Blueprint {
	for _, field := range []struct{ own, usual *string }{
		{&b.Name, &usual.Name}, {&b.Description, &usual.Description}, {&b.Owner, &usual.Owner}, {&b.Repository, &usual.Repository},
		{&b.Lifecycle, &usual.Lifecycle}, {&b.Tier, &usual.Tier}, {&b.System, &usual.System}, {&b.Dependencies, &usual.Dependencies},
		{&b.Documentation, &usual.Documentation}, {&b.Parent, &usual.Parent},
	} {
		*field.own = cmp.Or(*field.own, *field.usual)
	}
	return b
}

// service is the service that an entity is, nil when a rule says that it is none.
func (c *Connection) service(b Blueprint, e entity) *event.Service {
	b = b.paths()
	repository := repositoryOf(e.one(b.Repository))
	id := c.serviceID(e.Identifier, e.one(b.Name), repository)
	if id == "" {
		return nil
	}
	s := &event.Service{
		ID: id, Name: cmp.Or(e.one(b.Name), e.Identifier), Description: e.one(b.Description), System: e.one(b.System), Tier: e.one(b.Tier),
		Aliases: e.at(b.Aliases), Tags: e.at(b.Tags), Documentation: e.one(b.Documentation), URL: e.one(b.Link), Template: e.one(b.Template), CreatedAt: e.CreatedAt,
	}
	for _, alias := range []string{e.Identifier, repository} {
		if alias != "" && !slices.Contains(s.Aliases, alias) {
			s.Aliases = append(s.Aliases, alias)
		}
	}
	if s.Aliases = slices.DeleteFunc(s.Aliases, func(alias string) bool { return alias == id }); len(s.Aliases) == 0 {
		s.Aliases = nil
	}
	switch life := strings.ToLower(e.one(b.Lifecycle)); life {
	case "experimental", "production", "deprecated":
		s.Lifecycle = life
	}
	if repository != "" {
		from := event.ServiceRepository{Repository: repository}
		if folder := strings.Trim(e.one(b.Folder), "/"); folder != "" {
			from.Paths = []string{folder}
		}
		s.Repositories = []event.ServiceRepository{from}
	}
	for _, name := range e.at(b.Dependencies) {
		if other := c.serviceID(name, "", ""); other != "" {
			s.Dependencies = append(s.Dependencies, other)
		}
	}
	if s.Template != "" {
		s.CreatedVia = "golden_path"
	}
	if made, ok := c.madeBy(e.Blueprint + "/" + e.Identifier); ok {
		s.CreatedVia, s.Template = "golden_path", cmp.Or(s.Template, made.Template)
		if s.CreatedAt.IsZero() || made.At.Before(s.CreatedAt) {
			s.CreatedAt = made.At
		}
	}
	return s
}

// serviceID is the id in facts of the service with an identifier; "" when a rule leaves it out.
func (c *Connection) serviceID(identifier, title, repository string) string {
	if is, fits := c.services.Of(identifier, title, repository); fits {
		return is
	}
	return clip(identifier)
}

// owners are the teams that own an entity.
func (c *Connection) owners(b Blueprint, e entity) []string {
	var teams []string
	for _, name := range e.at(b.paths().Owner) {
		if team := c.team(name); team != "" && !slices.Contains(teams, team) {
			teams = append(teams, team)
		}
	}
	return teams
}

// team is the id in facts of a team; "" when a rule leaves it out.
func (c *Connection) team(name string) string { return clip(c.teams.Or(name)) }

// teamFact is the team that an entity is, nil when it is that of another system.
func (c *Connection) teamFact(b Blueprint, e entity) *event.Team {
	if _, ruled := c.teams.Of(e.Identifier); ruled {
		return nil
	}
	b = b.paths()
	team := &event.Team{ID: clip(e.Identifier), Name: cmp.Or(e.one(b.Name), e.Identifier), CreatedAt: e.CreatedAt}
	if parent := e.one(b.Parent); parent != "" {
		team.Parent = c.team(parent)
	}
	return team
}

// repositoryOf reads a repository's name, acme/shop, or its address.
func repositoryOf(text string) string {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" {
			return ""
		}
		text = u.Path
	} else if _, path, ok := strings.Cut(text, ":"); ok && strings.HasPrefix(text, "git@") {
		text = path
	}
	text, _, _ = strings.Cut(strings.Trim(text, "/"), "/-/")
	for _, deep := range []string{"/tree/", "/blob/"} {
		text, _, _ = strings.Cut(text, deep)
	}
	text = strings.TrimSuffix(text, ".git")
	if !strings.Contains(text, "/") || strings.ContainsAny(text, " \t\n") {
		return ""
	}
	return clip(text)
}

// instant reads an instant as Port writes them; the zero time when it is none.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	if err != nil || at.Year() < 1971 || at.Year() > 2105 {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}

// clip is a text as long as facts take it.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > 4096 {
		return string(runes[:4096])
	}
	return s
}
