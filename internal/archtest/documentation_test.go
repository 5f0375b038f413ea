package archtest

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEachMetricHasItsQuestionStoryAndPage(t *testing.T) { holds(t, metricFiles) }

func TestEachMetricPageIsInTheIndex(t *testing.T) { holds(t, metricIndex) }

func TestEachCollectorHasAPage(t *testing.T) { holds(t, collectorPages) }

func TestEachDirectModuleHasALine(t *testing.T) { holds(t, moduleLines) }

func TestLinksBetweenPagesLead(t *testing.T) { holds(t, deadLinks) }

// metricFiles asks of each metrics/NAME.sql that it opens with a comment that asks a question, that a story
// metrics/testdata/NAME_*.txt tells what it answers, and that docs/metrics/NAME.md explains it. NAME ends at the first
// dot: lead_time.stage.sql answers a part of lead_time.
func metricFiles(t *testing.T, tree fs.FS) []string {
	var wrong []string
	for _, query := range glob(t, tree, "metrics/*.sql") {
		name, _, _ := strings.Cut(path.Base(query), ".")
		content, _ := read(t, tree, query)
		opening := ""
		for line := range strings.Lines(content) {
			if !strings.HasPrefix(line, "--") {
				break
			}
			opening += line
		}
		if !strings.Contains(opening, "?") {
			wrong = append(wrong, fmt.Sprintf("%s does not open with a comment that asks its question", query))
		}
		if len(glob(t, tree, "metrics/testdata/"+name+"_*.txt")) == 0 {
			wrong = append(wrong, fmt.Sprintf("%s has no story metrics/testdata/%s_*.txt", query, name))
		}
		if _, exists := read(t, tree, "docs/metrics/"+name+".md"); !exists {
			wrong = append(wrong, fmt.Sprintf("%s has no page docs/metrics/%s.md", query, name))
		}
	}
	return wrong
}

func metricIndex(t *testing.T, tree fs.FS) []string {
	index, _ := read(t, tree, "docs/metrics/README.md")
	var wrong []string
	for _, page := range glob(t, tree, "docs/metrics/*.md") {
		if name := path.Base(page); name != "README.md" && !strings.Contains(index, "("+name+")") {
			wrong = append(wrong, fmt.Sprintf("docs/metrics/README.md has no link to %s", name))
		}
	}
	return wrong
}

func collectorPages(t *testing.T, tree fs.FS) []string {
	missing := map[string]bool{}
	_, all := sources(t, tree)
	for _, s := range all {
		name, below := strings.CutPrefix(s.folder, "collectors/")
		name, _, _ = strings.Cut(name, "/")
		if _, exists := read(t, tree, "docs/"+name+".md"); below && !testSupport(name) && !exists {
			missing[fmt.Sprintf("collectors/%s has no page docs/%s.md", name, name)] = true
		}
	}
	return slices.Collect(maps.Keys(missing))
}

// moduleLines asks that docs/dependencies.md has a line for each module that our code imports or that go.mod lists as
// a tool, and none for a module that go.mod does not have. A line is a row of a table that starts with the module's
// path in backquotes.
func moduleLines(t *testing.T, tree fs.FS) []string {
	content, _ := read(t, tree, "go.mod")
	required := map[string]bool{}
	direct := map[string]string{} // module to the first import that needs it
	note := func(imported, why string) {
		best := ""
		for m := range required {
			if within(imported, m) && len(m) > len(best) {
				best = m
			}
		}
		if _, known := direct[best]; best != "" && !known {
			direct[best] = why
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^\s*(?:require\s+)?(\S+\.\S+) v\d\S*`).FindAllStringSubmatch(content, -1) {
		required[match[1]] = true
	}
	for _, match := range regexp.MustCompile(`(?ms)^tool (?:\((.*?)^\)|(\S+))`).FindAllStringSubmatch(content, -1) {
		for _, tool := range strings.Fields(match[1] + match[2]) {
			note(tool, "go.mod")
		}
	}
	_, all := sources(t, tree)
	for _, s := range all {
		for _, imported := range s.imports {
			note(imported, s.path)
		}
	}

	lines, _ := read(t, tree, "docs/dependencies.md")
	explained := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(lines, -1) {
		explained[match[1]] = true
	}
	var wrong []string
	for m, why := range direct {
		if !explained[m] {
			wrong = append(wrong, fmt.Sprintf("docs/dependencies.md has no line for %s, which %s needs", m, why))
		}
	}
	for m := range explained {
		if !required[m] {
			wrong = append(wrong, fmt.Sprintf("docs/dependencies.md has a line for %s, which go.mod does not have", m))
		}
	}
	return wrong
}

// deadLinks finds links of a page to a file of the repository that is not there.
func deadLinks(t *testing.T, tree fs.FS) []string {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	var wrong []string
	for _, page := range paths(t, tree) {
		if path.Ext(page) != ".md" {
			continue
		}
		content, _ := read(t, tree, page)
		for _, match := range link.FindAllStringSubmatch(content, -1) {
			if _, err := fs.Stat(tree, path.Join(path.Dir(page), match[1])); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s links to %s, which is not there", page, match[1]))
			}
		}
	}
	return wrong
}

func glob(t *testing.T, tree fs.FS, pattern string) []string {
	t.Helper()
	names, err := fs.Glob(tree, pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestMetricFilesFindsWhatIsMissing(t *testing.T) {
	finds(t, metricFiles, map[string]string{
		"metrics/lead_time.sql":                    "-- How long from commit to production?\nSELECT 1",
		"metrics/testdata/lead_time_redeploy.txt":  "",
		"docs/metrics/lead_time.md":                "",
		"metrics/csat.sql":                         "SELECT '?'",
		"metrics/testdata/satisfaction_answer.txt": "",
	},
		"metrics/csat.sql does not open with a comment that asks its question",
		"metrics/csat.sql has no page docs/metrics/csat.md",
		"metrics/csat.sql has no story metrics/testdata/csat_*.txt",
	)
}

func TestMetricIndexFindsAPageWithoutLink(t *testing.T) {
	finds(t, metricIndex, map[string]string{
		"docs/metrics/README.md":    "[Lead time](lead_time.md)",
		"docs/metrics/lead_time.md": "",
		"docs/metrics/csat.md":      "",
	}, "docs/metrics/README.md has no link to csat.md")
}

func TestCollectorPagesFindsAFolderWithoutPage(t *testing.T) {
	finds(t, collectorPages, map[string]string{
		"collectors/source.go":        `package collectors`,
		"collectors/git/log.go":       `package git`,
		"collectors/git/parse/log.go": `package parse`,
		"collectors/github/pages.go":  `package github`,
		"docs/github.md":              "",
	}, "collectors/git has no page docs/git.md")
}

func TestModuleLinesFindsBothDirections(t *testing.T) {
	finds(t, moduleLines, map[string]string{
		"go.mod": `module cairn

go 1.26.0

tool example.org/lint/cmd/lint

require (
	example.org/lint v0.8.2 // indirect
	example.org/a v1.0.0 // indirect
	example.org/a/sub v1.0.0
	example.org/unused v1.0.0 // indirect
)

require example.org/alone/v2 v2.0.0
`,
		"api/a.go":      `package api; import (_ "example.org/a/sub/x"; _ "net/http"; _ "cairn/metrics")`,
		"api/a_test.go": `package api; import _ "example.org/alone/v2"`,
		"docs/dependencies.md": "| `example.org/a/sub` | does |\n" +
			"| `example.org/gone` | did |\n",
	},
		"docs/dependencies.md has a line for example.org/gone, which go.mod does not have",
		"docs/dependencies.md has no line for example.org/alone/v2, which api/a_test.go needs",
		"docs/dependencies.md has no line for example.org/lint, which go.mod needs",
	)
}

func TestDeadLinksFindsAMissingFile(t *testing.T) {
	finds(t, deadLinks, map[string]string{
		"README.md":      "[a](docs/a.md) [b](docs/b.md#part) [c](https://example.org/c.md) [d](#d) [e](docs)",
		"docs/a.md":      "[up](../README.md)",
		"docs/other.txt": "[not a page](nowhere.md)",
	}, "README.md links to docs/b.md, which is not there")
}
