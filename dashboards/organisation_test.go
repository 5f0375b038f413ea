package dashboards

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cairn/docs"
	"cairn/ingest"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// noon is when the pages of the tests are looked at: a Wednesday.
var noon = time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)

// openAPIOfTests describes an API of one call.
const openAPIOfTests = `{"info": {"title": "API", "description": "Numbers for <programs>."}, "tags": [{"name": "Metrics"}, {"name": "Unused"}],
	"components": {"parameters": {"tz": {"name": "tz", "in": "query", "description": "IANA name", "schema": {"type": "string", "default": "UTC"}}},
		"responses": {"Bad": {"description": "The request makes no sense."}}},
	"paths": {"/api/v1/metrics/{metric}": {"parameters": [{"$ref": "#/components/parameters/tz"}], "get": {"tags": ["Metrics"], "summary": "A metric", "description": "Its value.",
		"parameters": [{"name": "metric", "in": "path", "required": true, "schema": {"type": "string"}, "example": "lead_time"}, {"name": "bucket", "in": "query", "schema": {"type": "string", "enum": ["day", "week"]}}],
		"responses": {"400": {"$ref": "#/components/responses/Bad"}, "200": {"description": "The answer."}}}},
	"/healthz": {"get": {"summary": "Health", "responses": {"200": {"description": "Well."}}}}}}`

// site is a server of pages over an empty store to which the facts were told.
func site(t testing.TB, facts ...fact) *Pages {
	t.Helper()
	return siteOver(t, storetest.New(t), facts...)
}

// siteOver is a server of pages over a store to which the facts were told.
func siteOver(t testing.TB, st *store.Store, facts ...fact) *Pages {
	t.Helper()
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts) > 0 {
		var body strings.Builder
		for _, f := range facts {
			line, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			body.Write(append(line, '\n'))
		}
		w := httptest.NewRecorder()
		in.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body.String())))
		if w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
	}
	clock := func() time.Time { return noon }
	e, err := metrics.New(metrics.DefaultConfig(), st, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e.Feed() // nothing arrives any more
	p, err := New(Config{Title: "Acme & sons", TimeZone: "UTC"}, Deps{
		Engine: e, OpenAPI: []byte(openAPIOfTests), Docs: docs.Files, Now: clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "v0 <test>",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fact is one event.
type fact map[string]any

// Names with which people, or what they fetch from elsewhere, could break a page.
const (
	hostile = `<script>alert(1)</script>`
	slashed = `a/b c`
	percent = `100%41`
)

// long is a name of 200 characters without a place to break it.
var long = strings.Repeat("x", 200)

// acme is a small organisation with everything that a page can show, and with names that nobody should choose.
func acme() []fact {
	day := func(n, hour int) string {
		return time.Date(2026, 5, n, hour, 0, 0, 0, time.UTC).Format(time.RFC3339)
	}
	facts := []fact{
		{"type": "team", "id": "commerce", "name": `Commerce <b>&</b>`, "created_at": "2024-01-01T00:00:00Z"},
		{"type": "team", "id": "checkout", "name": `Checkout "1"`, "parent": "commerce", "time_zone": "Europe/Berlin"},
		{"type": "team", "id": hostile, "name": `<img src=x onerror=alert(2)>`, "parent": "commerce"},
		{"type": "team", "id": "gone", "name": "Gone", "retired_at": "2026-01-01T00:00:00Z"},
		{"type": "person", "id": "ada", "name": "Ada", "aliases": []string{`<u>ada</u>@example.org`}, "team": "checkout", "first_day": "2026-04-01"},
		{"type": "membership", "person": "ada", "team": "checkout", "from": "2026-04-01T00:00:00Z"},

		{
			"type": "service", "id": hostile, "name": `<b>Evil</b>`, "description": `<img src=x onerror=alert(3)>`, "system": `<s>`, "tier": `<tier>`, "lifecycle": "production", "created_at": "2026-04-01T00:00:00Z",
			"tags": []string{`"><script>alert(4)</script>`}, "aliases": []string{`<alias>`}, "documentation": "javascript:alert(5)", "url": "javascript:alert(6)", "dependencies": []string{"shop", hostile + "2"},
			"template": `<template>`, "created_via": "golden_path", "repositories": []fact{{"repository": `<repo>`, "paths": []string{`<path>`}, "shared_paths": []string{`<shared>`}}},
		},
		{"type": "service", "id": "shop", "name": "Shop", "lifecycle": "production", "created_at": "2025-01-01T00:00:00Z", "documentation": "https://docs.example.org/shop", "repositories": []fact{{"repository": "acme/shop"}}},
		{"type": "service", "id": slashed, "name": slashed, "lifecycle": "deprecated", "created_at": "2025-01-01T00:00:00Z"},
		{"type": "service", "id": percent, "created_at": "2025-01-01T00:00:00Z"},
		{"type": "service", "id": long, "name": long, "created_at": "2025-01-01T00:00:00Z"},
		{"type": "service", "id": "never", "created_at": "2026-05-01T00:00:00Z"},
		{"type": "service", "id": "retired", "created_at": "2025-01-01T00:00:00Z", "retired_at": "2026-02-01T00:00:00Z"},
		{"type": "ownership", "service": "shop", "team": "checkout", "from": day(10, 0)},
		{"type": "ownership", "service": "shop", "team": "commerce", "from": "2025-01-01T00:00:00Z", "to": day(10, 0)},
		{"type": "ownership", "service": hostile, "team": hostile},
		{"type": "ownership", "service": slashed, "team": "checkout"},
		{"type": "ownership", "service": long, "team": "checkout"},
		{"type": "ownership", "service": "never", "team": "checkout"},

		{"type": "incident", "id": "INC-1", "service": "shop", "title": `<b>Baskets</b> are lost`, "severity": `<high>`, "started_at": day(7, 13), "restored_at": day(7, 15), "cause": "deployment", "caused_by_deployment": "shop-6", "url": "javascript:alert(7)"},
		{"type": "incident", "id": "INC-2", "service": "shop", "title": "Slow", "started_at": day(19, 13), "cause": "deployment", "caused_by_deployment": "shop-12"},
		{"type": "incident", "id": "INC-3", "service": hostile, "title": hostile, "started_at": day(3, 13), "cause": "external"},
		{"type": "capability_use", "service": "shop", "capability": "cicd", "observed_at": day(19, 0), "state": "golden", "evidence": hostile},
		{"type": "capability_use", "service": "shop", "capability": "docs", "observed_at": day(19, 0), "state": "own"},
		{"type": "capability_exemption", "service": "shop", "capability": "provisioning", "exemption": "escape_hatch", "approved_at": "2026-01-01T00:00:00Z", "reason": hostile},
		{"type": "slo", "id": "shop-availability", "measured_at": day(19, 0), "service": "shop", "name": hostile, "target": 0.999, "good": 998700, "total": 1000000},
		{
			"type": "survey", "id": "2026Q1", "title": hostile, "opens_at": "2026-03-10T00:00:00Z", "closes_at": "2026-03-31T00:00:00Z",
			"questions": []fact{{"id": "csat", "type": "csat_1_5", "text": hostile}, {"id": "pain", "type": "multi_select"}, {"id": "nps", "type": "nps_0_10"}},
			"groups":    []fact{{"id": "commerce"}, {"id": "checkout", "parent": "commerce"}},
		},
	}
	// Commits and their deployments: shop gets a baseline and twelve changes, one a day.
	before := ""
	for i := range 14 {
		sha := fmt.Sprintf("c0ffee%034d", i)
		c := fact{"type": "commit", "repository": "acme/shop", "sha": sha, "author": `<u>ada</u>@example.org`, "authored_at": day(1+i, 8), "committed_at": day(1+i, 9), "subject": hostile}
		if before != "" {
			c["parents"] = []string{before}
		}
		facts, before = append(facts, c), sha
	}
	facts = append(facts, fact{"type": "branch", "repository": "acme/shop", "name": "main", "sha": before, "default": true, "updated_at": day(19, 0)})
	run := func(service, id, sha, status string, n, hour int, more fact) {
		d := fact{"type": "deployment", "service": service, "id": id, "environment": "production", "status": status, "finished_at": day(n, hour), "started_at": day(n, hour-1), "source": "test"}
		if sha != "" {
			d["revisions"] = []fact{{"repository": "acme/shop", "sha": sha}}
		}
		for k, v := range more {
			d[k] = v
		}
		facts = append(facts, d)
	}
	for i := range 13 { // c13 waits
		run("shop", fmt.Sprintf("shop-%d", i), fmt.Sprintf("c0ffee%034d", i), "succeeded", 1+i, 12, fact{"version": fmt.Sprintf("v1.%d", i), "way": "golden_path", "tool": "argocd", "actor": "ada"})
	}
	run("shop", "shop-back", fmt.Sprintf("c0ffee%034d", 5), "succeeded", 15, 12, fact{"version": "v1.5", "rollback": true})
	run("shop", "shop-forth", fmt.Sprintf("c0ffee%034d", 12), "succeeded", 16, 12, fact{"version": "v1.12"})
	run("shop", "shop-again", fmt.Sprintf("c0ffee%034d", 12), "succeeded", 17, 12, fact{"version": "v1.12"})
	run("shop", "shop-broken", fmt.Sprintf("c0ffee%034d", 13), "failed", 18, 12, fact{"version": "v1.13"})
	run(hostile, `<i>1</i>`, "", "succeeded", 2, 12, fact{"version": `<i>v1</i>`, "actor": hostile, "tool": hostile, "target": hostile, "url": "javascript:alert(8)"})
	run(slashed, "r/1 %41", "", "succeeded", 3, 12, fact{"version": "r/1"})
	run(percent, percent, "", "succeeded", 3, 12, nil)
	run(long, long, "", "succeeded", 3, 12, nil)
	run("known", "1", "", "succeeded", 4, 12, nil)
	run("retired", "1", "", "succeeded", 5, 12, nil)
	run("shop", "stage-1", fmt.Sprintf("c0ffee%034d", 3), "succeeded", 5, 12, fact{"environment": "staging"})
	for i := range 12 { // checkout is too small to be shown
		group := "commerce"
		if i < 3 {
			group = "checkout"
		}
		who := fmt.Sprintf("person%d@example.org", i)
		facts = append(facts,
			fact{"type": "survey_invitation", "survey": "2026Q1", "respondent": who, "group": group, "sent_at": "2026-03-10T00:00:00Z"},
			fact{"type": "survey_response", "survey": "2026Q1", "respondent": who, "submitted_at": "2026-03-12T00:00:00Z", "answers": []fact{{"question": "csat", "score": 1 + i%5}, {"question": "nps", "score": i % 11}, {"question": "pain", "options": []string{hostile}}}},
		)
	}
	for _, f := range facts {
		if f["updated_at"] == nil && f["type"] != "deployment" && f["type"] != "commit" {
			f["updated_at"] = day(19, 0)
		}
	}
	return facts
}
