package metrics

import (
	"embed"
	"io/fs"
	"maps"
	"regexp"
	"strings"
)

//go:embed *.sql fragments/*.sql evidence/*.sql records/*.sql
var files embed.FS

// queries are the SQL files by path without ending, with the fragments they name (@bucket) put in place. A fragment is
// fixed text; values are bound by the server.
type queries map[string]string

var fragmentName = regexp.MustCompile(`@[a-z_]+`)

func loadQueries() queries {
	q := queries{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		q[strings.TrimSuffix(path, ".sql")] = string(b)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	for name, text := range maps.Clone(q) {
		if strings.HasPrefix(name, "fragments/") {
			continue
		}
		if strings.HasPrefix(name, "evidence/") {
			// The values alone: what else the query tells is not read.
			q[name+" values"] = q.whole("SELECT value, counted FROM (\n"+text+"\n)", "")
		}
		for _, by := range []string{"", GroupByService, GroupByTeam} {
			q[grouped(name, by)] = q.whole(text, by)
		}
	}
	return q
}

// grouped names the text of a query whose rows are told apart: there the fragment @whose says whose a row is.
func grouped(name, by string) string {
	if by == "" {
		return name
	}
	return name + " by " + by
}

// whole is a text with its fragments, and those that they name, in place.
func (q queries) whole(text, by string) string {
	return fragmentName.ReplaceAllStringFunc(text, func(f string) string {
		fragment, ok := q["fragments/"+f[1:]]
		if f == "@whose" && by != "" {
			fragment, ok = q["fragments/whose."+by]
		}
		if !ok {
			panic("metrics: no fragment " + f)
		}
		return q.whole(strings.TrimSpace(fragment), by)
	})
}
