package dashboards

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	nethtml "golang.org/x/net/html"

	"cairn/docs"
	"cairn/metrics"
)

// documented are the pages with the program's own documentation, without an engine.
func documented(t *testing.T) *Pages {
	t.Helper()
	p := unfed(t)
	var err error
	if p.docs, err = loadDocumentation(docs.Files); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every file of the documentation has an address, a title that is its heading, and a body.
func TestEveryPageOfTheDocumentationIsShown(t *testing.T) {
	p := documented(t)
	shown := 0
	err := fs.WalkDir(docs.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" {
			return err
		}
		shown++
		target := strings.TrimSuffix("/docs/"+addressOf(name), "/.")
		if target == "/docs/api" {
			target += ".md" // what the API says of itself stands there
		}
		w := fetch(p, "GET", target)
		if w.Code != 200 {
			t.Errorf("%s: got %d at %s", name, w.Code, target)
			return nil
		}
		for n := range parse(t, w.Body.String()).Descendants() {
			if n.Type == nethtml.ElementNode && n.Data == "title" && (strings.HasPrefix(inner(n), " ·") || !strings.HasSuffix(inner(n), " · cairn")) {
				t.Errorf("%s: the title is %q", name, inner(n))
			}
		}
		sound(t, target, w.Body.String())
		if w := fetch(p, "GET", "/docs/"+name); target != "/docs/"+name && (w.Code != 301 || w.Header().Get("Location") != target) {
			t.Errorf("/docs/%s: got %d to %q, want a redirection to %s", name, w.Code, w.Header().Get("Location"), target)
		}
		return nil
	})
	if err != nil || shown < 30 {
		t.Errorf("got %d pages (%v)", shown, err)
	}
}

// Every link of the documentation leads to a page, to a place on it, or to what the program serves besides.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	p := documented(t)
	served := []string{"/api/v1/events.schema.json", "/openapi.json"}
	checked := 0
	for address, page := range p.docs {
		for n := range parse(t, string(page.Body)).Descendants() {
			to := attribute(n, "href")
			if n.Data != "a" || to == "" || strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://") || slices.Contains(served, to) {
				continue
			}
			checked++
			target, place, _ := strings.Cut(to, "#")
			other := page
			if target != "" {
				found, ok := p.docs[strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(target, "/docs"), "/"), ".md")]
				if target == "/docs" {
					found, ok = p.docs["."]
				}
				if !ok {
					t.Errorf("%s links %s, which is no page", address, to)
					continue
				}
				if w := fetch(p, "GET", target); w.Code != 200 || !strings.Contains(w.Body.String(), string(found.Body)) {
					t.Errorf("%s links %s: got %d, or another page", address, to, w.Code)
				}
				other = found
			}
			if place != "" && !strings.Contains(string(other.Body), `id="`+place+`"`) {
				t.Errorf("%s links %s: there is no such place", address, to)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// Every metric has a page, and a sentence for its own page that is a sentence.
func TestEveryMetricIsDocumented(t *testing.T) {
	p := documented(t)
	markup := regexp.MustCompile("[`*<>\\[\\]_|]|\\]\\(")
	for _, def := range metrics.Definitions() {
		page, ok := p.docs["metrics/"+def.ID]
		if !ok || page.Title == "" {
			t.Errorf("%s has no page", def.ID)
			continue
		}
		sentence := p.docs.sentence(def.ID)
		if sentence == "" || markup.MatchString(sentence) || !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s: the sentence is %q", def.ID, sentence)
		}
		if w := fetch(p, "GET", definitionPage(def.ID)); !strings.Contains(w.Body.String(), `href="/metrics/`+def.ID+`"`) {
			t.Errorf("%s: the definition does not lead to the numbers", def.ID)
		}
	}
}

// Links between files become addresses; what they name outside of the documentation is said and not linked.
func TestLinksBetweenFiles(t *testing.T) {
	files := fstest.MapFS{
		"README.md":             {Data: []byte("# All\n\nSee [a](metrics/README.md), [b](metrics/b.md#limits), [the code](../ARCHITECTURE.md), [schema](events.schema.json), [there](https://example.org/x.md), <https://example.org/y>.\n")},
		"metrics/README.md":     {Data: []byte("# Metrics\n\n| a | b |\n|---|---|\n| [up](../README.md) | [c](b.md) |\n\nText with **marks** and `code` and [a link](b.md).\n")},
		"metrics/b.md":          {Data: []byte("# B\n\n`b` · hours\n\n**How long**: the *median* of\n[all](../README.md).\n\n## Limits\n\n[here](#limits) [image](b.png)\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n")},
		"metrics/testdata/x.md": {Data: []byte("")},
	}
	d, err := loadDocumentation(files)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string][]string{
		".":         {`href="/docs/metrics"`, `href="/docs/metrics/b#limits"`, `, the code, `, `href="/api/v1/events.schema.json"`, `href="https://example.org/x.md"`, `href="https://example.org/y"`},
		"metrics":   {`href="/docs"`, `href="/docs/metrics/b"`, "<table>"},
		"metrics/b": {`href="#limits"`, `id="limits"`, "image"},
	} {
		for _, text := range want {
			if !strings.Contains(string(d[address].Body), text) {
				t.Errorf("%s: does not have %s: %s", address, text, d[address].Body)
			}
		}
		for _, text := range []string{"<script", "javascript:", "b.png", "ARCHITECTURE"} {
			if strings.Contains(string(d[address].Body), text) {
				t.Errorf("%s: has %s: %s", address, text, d[address].Body)
			}
		}
	}
	if got, want := d.sentence("b"), "How long: the median of all."; got != want {
		t.Errorf("got the sentence %q, want %q", got, want)
	}
	if got, want := d["metrics"].Sentence, "Text with marks and code and a link."; got != want {
		t.Errorf("got the sentence %q, want %q", got, want)
	}
}

// The description of the API is laid out whole: groups in their order, shared parameters, references.
func TestTheAPIIsLaidOut(t *testing.T) {
	api, err := describeAPI([]byte(openAPIOfTests))
	if err != nil {
		t.Fatal(err)
	}
	if len(api.Groups) != 2 || api.Groups[0].Name != "Metrics" || api.Groups[1].Name != "Other" {
		t.Errorf("got the groups %v", api.Groups)
	}
	call := api.Groups[0].Operations[0]
	if call.Method != "GET" || len(call.Parameters) != 3 || call.Parameters[0].Name != "tz" || call.Responses[0].Status != "200" || call.Responses[1].Description != "The request makes no sense." {
		t.Errorf("got %+v", call)
	}
	for _, document := range []string{"", "[]", `{"paths": {"/x": {"get": []}}}`, `{"paths": {"/x": {"parameters": {}}}}`} {
		if _, err := describeAPI([]byte(document)); err == nil {
			t.Errorf("%q is taken for a description", document)
		}
	}
	if _, err := describeAPI([]byte(`{"paths": {"/x": {"get": {"parameters": [{"$ref": ""}, {"$ref": "#/components/parameters/none"}], "responses": {"200": {"$ref": ""}}}}}}`)); err != nil {
		t.Error(err)
	}
}
