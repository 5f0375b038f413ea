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
	"unicode/utf8"
)

// vague names say nothing about what is provided. A file may be called service: that is what the catalogue holds.
var vague = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "manager", "managers", "misc", "service"}

func TestNamesSayWhatIsProvided(t *testing.T) { holds(t, vagueNames) }

func TestTheProjectSpeaksOfItselfAlone(t *testing.T) { holds(t, strayWords) }

func vagueNames(t *testing.T, tree fs.FS) []string {
	var wrong []string
	_, all := sources(t, tree)
	for _, s := range all {
		if slices.Contains(vague, s.file.Name.Name) {
			wrong = append(wrong, fmt.Sprintf("%s: package %s", s.path, s.file.Name.Name))
		}
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		if stem != "service" && slices.Contains(vague, stem) {
			wrong = append(wrong, fmt.Sprintf("%s: a file called %s", s.path, stem))
		}
	}
	return wrong
}

// stray are traces of the place where the code was written: its paths, its ways of working, the registries that its
// package managers were set up for. The patterns are spelt so that they do not find themselves.
var stray = map[string]*regexp.Regexp{
	"a path of one machine":      regexp.MustCompile(`(^|[^\w.])/(work|tmp/brief|tmp/en[g]|root|home/\w+)/`),
	"the address of a registry":  regexp.MustCompile(`(?i)\b(regist[r]y|prox[y]|art[i]factory|nex[u]s|verd[a]ccio)\.[a-z0-9-]+\.[a-z]|"resolve[d]":`),
	"the setup of a Go registry": regexp.MustCompile(`\bGO(PROX[Y]|NOSUM[D]B|SUM[D]B|PRIVAT[E])\b`),
}

// inProse are words that mean something else in code and in SQL.
var inProse = map[string]*regexp.Regexp{
	"a way of working": regexp.MustCompile(`(?i)\bs[e]ssions?\b`),
}

func strayWords(t *testing.T, tree fs.FS) []string {
	var wrong []string
	for _, name := range paths(t, tree) {
		content, _ := read(t, tree, name)
		if !utf8.ValidString(content) || strings.Contains(content, "\x00") {
			continue // not text
		}
		patterns := maps.Clone(stray)
		if extension := path.Ext(name); extension != ".go" && extension != ".sql" {
			maps.Copy(patterns, inProse)
		}
		number := 0
		for line := range strings.Lines(content) {
			number++
			for what, pattern := range patterns {
				if match := pattern.FindString(line); match != "" {
					wrong = append(wrong, fmt.Sprintf("%s:%d names %s: %s", name, number, what, strings.TrimSpace(match)))
				}
			}
		}
	}
	return wrong
}

func TestVagueNamesFindsUtil(t *testing.T) {
	finds(t, vagueNames, map[string]string{
		"internal/util/time.go":    `package util`,
		"internal/store/helper.go": `package store`,
		"api/service.go":           `package api`,
	}, "internal/store/helper.go: a file called helper", "internal/util/time.go: package util")
}

func TestStrayWordsFindsTraces(t *testing.T) {
	join := func(parts ...string) string { return strings.Join(parts, "") }
	finds(t, strayWords, map[string]string{
		"docs/a.md":         join("Run it in /wo", "rk/main.\nfine: a network/work/flow, session_timezone\n"),
		"docs/b.md":         join("one\ntwo\nas the last ses", "sion said\n"),
		"lock.json":         join(`{"reso`, `lved": "x"}`),
		"Makefile":          join("GOPRO", "XY=off\nnpm --url https://regis", "try.example.org/\n"),
		"data/kept.txt":     join("/wo", "rk/main"),
		"picture.png":       join("\x00 /wo", "rk/main"),
		"internal/a.go":     join("// the engine's ses", "sion"),
		"docs/fine.md":      "see https://github.com/x/work/y and the registry of services",
		".cache/npm/x.json": join(`{"reso`, `lved": "x"}`),
	},
		join("Makefile:1 names the setup of a Go registry: GOPRO", "XY"),
		join("Makefile:2 names the address of a registry: regis", "try.example.o"),
		join("docs/a.md:1 names a path of one machine: /wo", "rk/"),
		join("docs/b.md:3 names a way of working: ses", "sion"),
		join(`lock.json:1 names the address of a registry: "reso`, `lved":`),
	)
}
