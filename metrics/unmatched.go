package metrics

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"cairn/internal/store"
)

// Unmatched is what cairn was told and cannot join: names that no service has, names that several have, and deployments of
// which it does not know the commit.
type Unmatched struct {
	AsOf  time.Time       `json:"as_of"`
	Names []UnmatchedName `json:"names"` // the latest first, at most 200
	All   int64           `json:"names_all"`
	// Claims are names that more than one service of the catalogue has, at most 200.
	Claims  []UnmatchedClaim  `json:"claims"`
	Commits []UnmatchedCommit `json:"commits"` // by source, of the last 90 days
	// Catalogue is how many services are described at all. Without any, every name is one of a service.
	Catalogue int64 `json:"catalogue"`
}

// UnmatchedName is a name under which facts are told and which no service of the catalogue has.
type UnmatchedName struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`   // of the facts: deployments, incidents, provisioning requests or capabilities
	Source    string    `json:"source"` // which tells them
	N         int64     `json:"n"`
	Example   string    `json:"example"` // the latest
	Latest    time.Time `json:"latest"`
	Suggested string    `json:"suggested"` // the service that is probably meant; "" when none is like it
	Line      string    `json:"line"`      // what to add, and where, to have it counted there
}

// UnmatchedClaim is a name that several services have. Facts under it are the first one's.
type UnmatchedClaim struct {
	Name     string   `json:"name"`
	Services []string `json:"services"`
	Line     string   `json:"line"` // what to change
}

// UnmatchedCommit says by which rules the commits of a source's succeeded deployments were found, and of how many none
// was: these ship no changes.
type UnmatchedCommit struct {
	Source  string           `json:"source"`
	Rules   map[string]int64 `json:"rules"` // deployments by the rule that found their commit
	N       int64            `json:"n"`     // without a commit
	Latest  *time.Time       `json:"latest"`
	Service string           `json:"service"` // of the latest of them
	Run     string           `json:"run"`
	Clue    string           `json:"clue"` // what it names in place of a commit: an image, a version, a configuration
	Line    string           `json:"line"` // what would find it
}

// Unmatched tells what could not be joined. It waits for attribution as answers do.
func (e *Engine) Unmatched(ctx context.Context) (Unmatched, error) {
	u, err := e.unmatched(ctx)
	return u, listed("Unmatched", err)
}

func (e *Engine) unmatched(ctx context.Context) (Unmatched, error) {
	u := Unmatched{AsOf: e.now().UTC().Truncate(time.Millisecond), Names: []UnmatchedName{}, Claims: []UnmatchedClaim{}, Commits: []UnmatchedCommit{}}
	if _, err := e.freshen(ctx); err != nil {
		return u, err
	}
	v := store.Params{"as_of": u.AsOf}
	var services []struct {
		ID      string   `ch:"id"`
		Aliases []string `ch:"aliases"`
	}
	if err := e.st.Select(ctx, &services, e.query("records/unmatched_services"), nil); err != nil {
		return u, err
	}
	u.Catalogue = int64(len(services))
	var likely likeness
	for _, s := range services {
		likely.add(s.ID, append(s.Aliases, s.ID)...)
	}
	var names []struct {
		Name    string    `ch:"name"`
		Kind    string    `ch:"kind"`
		Source  string    `ch:"source"`
		N       int64     `ch:"n"`
		Example string    `ch:"example"`
		Latest  time.Time `ch:"latest"`
		All     int64     `ch:"all"`
	}
	if err := e.st.Select(ctx, &names, e.query("records/unmatched_names"), v); err != nil {
		return u, err
	}
	read, err := e.readSystems(ctx)
	if err != nil {
		return u, err
	}
	for _, r := range names {
		u.All = r.All
		n := UnmatchedName{Name: r.Name, Kind: r.Kind, Source: r.Source, N: r.N, Example: r.Example, Latest: r.Latest.UTC(), Suggested: likely.to(r.Name)}
		n.Line = lineOf(n, read[r.Source])
		u.Names = append(u.Names, n)
	}
	var claims []struct {
		Name     string   `ch:"name"`
		Services []string `ch:"services"`
	}
	if err := e.st.Select(ctx, &claims, e.query("records/unmatched_claims"), nil); err != nil {
		return u, err
	}
	for _, c := range claims {
		u.Claims = append(u.Claims, UnmatchedClaim{c.Name, c.Services, claimLine(c.Name, c.Services)})
	}
	return u, e.unmatchedCommits(ctx, v, &u)
}

func (e *Engine) unmatchedCommits(ctx context.Context, v store.Params, u *Unmatched) error {
	var rows []struct {
		Source  string           `ch:"source"`
		Rules   map[string]int64 `ch:"rules"`
		Missing int64            `ch:"missing"`
		Latest  time.Time        `ch:"latest"`
		Service string           `ch:"service"`
		Run     string           `ch:"run"`
		Images  []string         `ch:"images"`
		Version string           `ch:"version_name"`
		Configs []string         `ch:"configs"`
		Named   []string         `ch:"named"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/unmatched_commits"), v); err != nil {
		return err
	}
	for _, r := range rows {
		c := UnmatchedCommit{Source: r.Source, Rules: r.Rules, N: r.Missing}
		delete(c.Rules, "")
		if r.Missing > 0 {
			at := r.Latest.UTC()
			c.Latest, c.Service, c.Run = &at, r.Service, r.Run
			switch {
			case len(r.Named) > 0: // no line helps: the producer has to tell the whole
				c.Clue = r.Named[0] + ", which is the beginning of no commit, or of several"
			case len(r.Images) > 0:
				c.Clue = "image " + r.Images[0]
				c.Line = `{"type": "artifact", "id": "` + r.Images[0] + `", "repository": "OWNER/NAME", "sha": "FULL SHA", "source": "ci"}`
			case r.Version != "":
				c.Clue = "version " + r.Version
				c.Line = `{"type": "artifact", "id": "OWNER/NAME:` + r.Version + `", "version": "` + r.Version + `", "repository": "OWNER/NAME", "sha": "FULL SHA", "source": "ci"}`
			case len(r.Configs) > 0:
				c.Clue = "configuration of " + r.Configs[0]
			}
		}
		u.Commits = append(u.Commits, c)
	}
	return nil
}

// readSystems are the kinds of systems of the sources that are read or heard, by the names of sources.
func (e *Engine) readSystems(ctx context.Context) (map[string]string, error) {
	list, err := e.Sources(ctx)
	if err != nil {
		return nil, err
	}
	read := map[string]string{}
	for _, s := range list.Sources {
		read[s.Name] = s.System
		if s.System == "" {
			read[s.Name] = s.Name
		}
	}
	return read, nil
}

// lineOf is the one line that has a name counted as a service: of the configuration where a source of it told the fact,
// else of the catalogue.
func lineOf(n UnmatchedName, system string) string {
	service := n.Suggested
	if service == "" {
		service = "SERVICE"
	}
	switch system {
	case "":
		return "aliases: [" + quoted(n.Name) + "]   # of the service " + service + ", where it is described"
	case "github", "gitlab":
		return "services: [{repository: " + quoted(n.Name) + ", service: " + quoted(service) + "}]   # of rules"
	}
	return "services: [{match: " + quoted(n.Name) + ", service: " + quoted(service) + "}]   # of the source " + n.Source
}

func claimLine(name string, services []string) string {
	keep := services[0]
	if slices.Contains(services, name) {
		keep = name
	}
	var others []string
	for _, s := range services {
		if s != keep {
			others = append(others, s)
		}
	}
	return "take the alias " + quoted(name) + " from " + strings.Join(others, ", ") + ", if " + keep + " is meant"
}

// quoted is a text as YAML takes it, whatever is in it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// likeness finds the service that a name probably means.
type likeness struct {
	services []likely
}

type likely struct {
	id    string
	words []string
}

func (l *likeness) add(id string, names ...string) {
	for _, name := range names {
		if words := wordsOf(name); len(words) > 0 {
			l.services = append(l.services, likely{id, words})
		}
	}
}

// to is the service of which one name stands in this one, word by word, or the other way round; the longest, and "" where
// two are equally long.
func (l *likeness) to(name string) string {
	asked := wordsOf(name)
	best, longest := "", 0
	for _, s := range l.services {
		n := 0
		switch {
		case standsIn(s.words, asked):
			n = len(s.words)
		case standsIn(asked, s.words):
			n = len(asked)
		}
		switch {
		case n > longest:
			best, longest = s.id, n
		case n == longest && n > 0 && s.id != best:
			best = ""
		}
	}
	return best
}

// wordsOf are the words of a name, in small letters.
func wordsOf(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// standsIn tells whether the words of one name stand in another's, in a row.
func standsIn(part, whole []string) bool {
	for i := 0; i+len(part) <= len(whole); i++ {
		if slices.Equal(part, whole[i:i+len(part)]) {
			return len(part) > 0
		}
	}
	return false
}
