package archtest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our own packages the packages of a folder, and those below it, may import beside those of
// the same folder. Of several folders that fit the longest counts. "" stands for everything. Tests may import what
// they like.
//
// The stages stand in the data's order, collectors → ingest → [store] ← metrics ← api, dashboards, reports: the
// writing side and the reading side meet in the store alone, and the program's main package ties them together.
var mayImport = map[string][]string{
	"collectors": {"internal/bot", "internal/event", "internal/fault", "internal/feed", "internal/gitops", "internal/hook", "internal/owners", "internal/progress", "internal/reading", "internal/rest", "internal/revision", "internal/rules", "internal/signature", "internal/source", "internal/turn"},
	"ingest":     {"internal/bot", "internal/event", "internal/fault", "internal/problem", "internal/source", "internal/store"},
	"metrics":    {"internal/event", "internal/fault", "internal/revision", "internal/store"},
	"api":        {"metrics", "internal/event", "internal/fault", "internal/param", "internal/problem", "internal/store"},
	"dashboards": {"metrics", "internal/fault", "internal/param", "internal/problem"},
	"reports":    {"metrics", "dashboards", "internal/fault", "internal/store"}, // the store: which mails were sent, and with which numbers
	"migrations": {},
	"grafana":    {},
	"docs":       {},
	"cmd":        {""},

	"internal":             {"internal"},
	"internal/bot":         {},
	"internal/demo":        {"internal/event"},
	"internal/event":       {"internal/fault"},
	"internal/fault":       {},
	"internal/gitops":      {"internal/fault", "internal/rules"},
	"internal/feed":        {"internal/fault", "internal/source", "internal/turn"},
	"internal/hook":        {"internal/event", "internal/fault", "internal/signature", "internal/source"},
	"internal/owners":      {"internal/event"},
	"internal/param":       {"internal/fault"},
	"internal/problem":     {"internal/fault"},
	"internal/revision":    {},
	"internal/reading":     {"internal/event", "internal/fault", "internal/rules", "internal/source", "internal/turn"},
	"internal/rest":        {"internal/fault"},
	"internal/rules":       {"internal/bot", "internal/event", "internal/fault"},
	"internal/signature":   {"internal/fault"},
	"internal/source":      {"internal/event"},
	"internal/store":       {"internal/fault", "migrations"},
	"internal/turn":        {"internal/event", "internal/fault", "internal/source"},
	"internal/conformance": {"ingest", "metrics", "internal"},
}

// onlyIn says in which folders a module may be imported, tests included. A module that is not listed may be imported
// anywhere.
var onlyIn = map[string][]string{
	"github.com/ClickHouse":             {"internal/store"},
	"github.com/ebitengine/purego":      {"internal/store"},
	"github.com/pressly/goose":          {"internal/store"},
	"github.com/labstack/echo":          {"api", "dashboards"},
	"github.com/golang-jwt/jwt":         {"collectors/github"},
	"github.com/prometheus":             {"api/prometheus"},
	"github.com/google/go-github":       {"collectors/github"},
	"github.com/grafana":                {"grafana"},
	"github.com/xanzy/go-gitlab":        {"collectors/gitlab"},
	"k8s.io":                            {"collectors/kubernetes"},
	"github.com/go-echarts/go-echarts":  {"dashboards"},
	"github.com/wneessen/go-mail":       {"reports"},
	"github.com/alecthomas/kong":        {"cmd"},
	"github.com/distribution/reference": {"internal/revision"},
	"github.com/tidwall/gjson":          {"collectors/tickets"},
	"golang.org/x/text":                 {"collectors/survey"},
}

func TestImportsFollowTheDatasWay(t *testing.T) { holds(t, ownImports) }

func TestModulesStayBehindOnePackage(t *testing.T) { holds(t, foreignImports) }

func ownImports(t *testing.T, tree fs.FS) []string {
	var wrong []string
	_, all := sources(t, tree)
	for _, s := range all {
		if s.test {
			continue
		}
		area, known := areaOf(s.folder)
		if !known {
			wrong = append(wrong, fmt.Sprintf("%s: the folder has no line in mayImport", s.path))
			continue
		}
		for _, imported := range s.imports {
			folder, ours := strings.CutPrefix(imported, module)
			switch {
			case !ours:
			case within(folder, "cmd"):
				wrong = append(wrong, fmt.Sprintf("%s imports %s: nothing imports the program", s.path, folder))
			case testSupport(folder) && !testSupport(s.folder):
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which is for tests", s.path, folder))
			case !within(folder, area) && !within(folder, mayImport[area]...) && !testSupport(s.folder):
				wrong = append(wrong, fmt.Sprintf("%s imports %s; %s may import %s", s.path, folder, area, allowed(area)))
			}
		}
	}
	return wrong
}

func foreignImports(t *testing.T, tree fs.FS) []string {
	var wrong []string
	_, all := sources(t, tree)
	for _, s := range all {
		for _, imported := range s.imports {
			for module, folders := range onlyIn {
				if within(imported, module) && !within(s.folder, folders...) {
					wrong = append(wrong, fmt.Sprintf("%s imports %s; only %s may", s.path, imported, strings.Join(folders, " and ")))
				}
			}
		}
	}
	return wrong
}

// areaOf returns the longest folder of mayImport that holds the given one.
func areaOf(folder string) (area string, known bool) {
	for candidate := range mayImport {
		if within(folder, candidate) && len(candidate) > len(area) {
			area, known = candidate, true
		}
	}
	return area, known
}

func allowed(area string) string {
	if len(mayImport[area]) == 0 {
		return "none of our packages"
	}
	return "only " + strings.Join(slices.Sorted(slices.Values(mayImport[area])), ", ")
}

func TestOwnImportsFindsEachDirection(t *testing.T) {
	finds(t, ownImports, map[string]string{
		"api/points.go":                     `package api; import _ "cairn/metrics"`,
		"api/events.go":                     `package api; import _ "cairn/ingest"`,
		"cmd/cairn/main.go":                 `package main; import (_ "cairn/ingest"; _ "cairn/metrics")`,
		"collectors/git/git.go":             `package git; import (_ "cairn/collectors"; _ "cairn/internal/event"; _ "cairn/internal/store")`,
		"ingest/intake.go":                  `package ingest; import _ "cairn/metrics/attribution"`,
		"ingest/intake_test.go":             `package ingest; import _ "cairn/metrics"`,
		"internal/event/decode.go":          `package event; import _ "cairn/internal/store"`,
		"internal/store/chdb/chdb.go":       `package chdb; import (_ "cairn/internal/fault"; _ "cairn/migrations")`,
		"internal/store/open.go":            `package store; import (_ "cairn/internal/store/chdb"; _ "cairn/cmd/cairn")`,
		"internal/store/storetest/new.go":   `package storetest; import _ "cairn/internal/sharedtest"`,
		"metrics/series.go":                 `package metrics; import (_ "cairn/ingest"; _ "cairn/internal/store/storetest")`,
		"metrics/testdata/wrong/wrong.go":   `package wrong; import _ "cairn/ingest"`,
		"somewhere/else.go":                 `package somewhere`,
		"internal/conformance/run.go":       `package conformance; import (_ "cairn/ingest"; _ "cairn/metrics")`,
		"internal/problem/problem.go":       `package problem; import _ "cairn/internal/event"`,
		".cache/engine/left/out/of/it.go":   `package it; import _ "cairn/cmd/cairn"`,
		"internal/sharedtest/sharedtest.go": `package sharedtest`,
	},
		"api/events.go imports ingest; api may import only internal/event, internal/fault, internal/param, internal/problem, internal/store, metrics",
		"collectors/git/git.go imports internal/store; collectors may import only internal/bot, internal/event, internal/fault, internal/feed, internal/gitops, internal/hook, internal/owners, internal/progress, internal/reading, internal/rest, internal/revision, internal/rules, internal/signature, internal/source, internal/turn",
		"ingest/intake.go imports metrics/attribution; ingest may import only internal/bot, internal/event, internal/fault, internal/problem, internal/source, internal/store",
		"internal/event/decode.go imports internal/store; internal/event may import only internal/fault",
		"internal/problem/problem.go imports internal/event; internal/problem may import only internal/fault",
		"internal/store/open.go imports cmd/cairn: nothing imports the program",
		"metrics/series.go imports ingest; metrics may import only internal/event, internal/fault, internal/revision, internal/store",
		"metrics/series.go imports internal/store/storetest, which is for tests",
		"somewhere/else.go: the folder has no line in mayImport",
	)
}

func TestForeignImportsFindsADriverOutsideTheStore(t *testing.T) {
	finds(t, foreignImports, map[string]string{
		"internal/store/open.go":      `package store; import _ "github.com/ClickHouse/clickhouse-go/v2"`,
		"internal/store/chdb/chdb.go": `package chdb; import _ "github.com/ebitengine/purego"`,
		"metrics/series_test.go":      `package metrics; import _ "github.com/ClickHouse/clickhouse-go/v2/lib/driver"`,
		"ingest/intake.go":            `package ingest; import _ "github.com/labstack/echo/v4"`,
		"api/server.go":               `package api; import _ "github.com/labstack/echo/v4"`,
	},
		"ingest/intake.go imports github.com/labstack/echo/v4; only api and dashboards may",
		"metrics/series_test.go imports github.com/ClickHouse/clickhouse-go/v2/lib/driver; only internal/store may",
	)
}
