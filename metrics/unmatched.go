package metrics

import (
	"cmp"
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
	// Twice are services of whose deployments two sources tell, of the last 90 days; the latest first, at most 200.
	Twice    []UnmatchedTwice `json:"twice"`
	TwiceAll int64            `json:"twice_all"`
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

// UnmatchedTwice is a service whose deployments to an environment two sources tell: again and again one of them tells a
// deployment within half an hour of one of the other's. Of the same commit the later one counts as a redeploy, and changes
// nothing but the number of runs. Where one of them knows another commit, or only that of the configuration, each counts as
// a new version; and a failure counts twice in any case.
type UnmatchedTwice struct {
	Service     string        `json:"service"`
	Environment string        `json:"environment"`
	N           int64         `json:"n"` // deployments of the one within half an hour of one of the other's
	Latest      time.Time     `json:"latest"`
	Keep        UnmatchedSide `json:"keep"`
	Leave       UnmatchedSide `json:"leave"` // which knows fewer commits
	Line        string        `json:"line"`  // what leaves it out
}

// UnmatchedSide is one of the two.
type UnmatchedSide struct {
	Source     string `json:"source"`
	N          int64  `json:"n"`     // runs
	Known      int64  `json:"known"` // of which the commit is known
	Run        string `json:"run"`   // the latest that has one of the other's beside it
	name       string // under which it tells the service
	repository string // of the commit
}

// Unmatched tells what could not be joined. It waits for attribution as answers do.
func (e *Engine) Unmatched(ctx context.Context) (Unmatched, error) {
	u, err := e.unmatched(ctx)
	return u, listed("Unmatched", err)
}

func (e *Engine) unmatched(ctx context.Context) (Unmatched, error) {
	u := Unmatched{AsOf: e.now().UTC().Truncate(time.Millisecond), Names: []UnmatchedName{}, Claims: []UnmatchedClaim{}, Commits: []UnmatchedCommit{}, Twice: []UnmatchedTwice{}}
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
	if err := e.unmatchedCommits(ctx, v, &u); err != nil {
		return u, err
	}
	return u, e.toldTwice(ctx, v, read, &u)
}

func (e *Engine) toldTwice(ctx context.Context, v store.Params, read map[string]string, u *Unmatched) error {
	var rows []struct {
		Service         string    `ch:"service"`
		Environment     string    `ch:"environment"`
		N               int64     `ch:"n"`
		Latest          time.Time `ch:"latest"`
		All             int64     `ch:"all"`
		One             string    `ch:"one"`
		OneN            int64     `ch:"one_n"`
		OneKnown        int64     `ch:"one_known"`
		OneRun          string    `ch:"one_run"`
		OneName         string    `ch:"one_name"`
		OneRepository   string    `ch:"one_repository"`
		Other           string    `ch:"other"`
		OtherN          int64     `ch:"other_n"`
		OtherKnown      int64     `ch:"other_known"`
		OtherRun        string    `ch:"other_run"`
		OtherName       string    `ch:"other_name"`
		OtherRepository string    `ch:"other_repository"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/unmatched_twice"), v); err != nil {
		return err
	}
	for _, r := range rows {
		u.TwiceAll = r.All
		t := UnmatchedTwice{
			Service: r.Service, Environment: r.Environment, N: r.N, Latest: r.Latest.UTC(),
			Keep:  UnmatchedSide{r.One, r.OneN, r.OneKnown, r.OneRun, r.OneName, r.OneRepository},
			Leave: UnmatchedSide{r.Other, r.OtherN, r.OtherKnown, r.OtherRun, r.OtherName, r.OtherRepository},
		}
		if cmp.Or(cmp.Compare(t.Keep.Known*t.Leave.N, t.Leave.Known*t.Keep.N), cmp.Compare(t.Keep.N, t.Leave.N)) < 0 {
			t.Keep, t.Leave = t.Leave, t.Keep
		}
		t.Line = twiceLine(t, read[t.Leave.Source])
		u.Twice = append(u.Twice, t)
	}
	return nil
}

// twiceLine is the one line that leaves out what one of two sources tells of the other's deployments.
func twiceLine(t UnmatchedTwice, system string) string {
	switch system {
	case "":
		return "tell the deployments of " + t.Service + " from " + t.Keep.Source + " alone"
	case "github", "gitlab":
		return "deployments: [{repository: " + quoted(cmp.Or(t.Leave.repository, "OWNER/NAME")) + ", from: none}]   # of rules"
	}
	return "services: [{match: " + quoted(cmp.Or(t.Leave.name, t.Service)) + ", service: none}]   # of the source " + t.Leave.Source
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
	list, err := e.findSources(ctx, "", e.now())
	if err != nil {
		return nil, err
	}
	read := map[string]string{}
	for _, s := range list {
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
