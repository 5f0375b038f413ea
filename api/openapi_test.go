package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"cairn/api"
	"cairn/metrics"
)

// document is the served document, as JSON.
func document(t *testing.T, h http.Handler) any {
	t.Helper()
	w := send(t, h, "GET", "/openapi.json", "")
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	d, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The document is one of OpenAPI 3.1, by the schema that its authors publish, and each schema in it is one of JSON Schema.
func TestTheDocumentIsValid(t *testing.T) {
	text, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	official, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const id = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, official); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	d := document(t, server(t))
	if err := schema.Validate(d); err != nil {
		t.Error(err)
	}
	answers := answerSchemas(t, d)
	for name := range api.Document().Components.Schemas {
		answers.compile(t, "#/components/schemas/"+name)
	}
	if err := schema.Validate(map[string]any{"openapi": "3.1.0"}); err == nil {
		t.Error("a document without anything in it is taken for valid")
	}
}

// schemasOf compiles the schemas of a document.
type schemasOf struct{ compiler *jsonschema.Compiler }

const documentID = "https://cairn.example/openapi.json"

func answerSchemas(t *testing.T, d any) schemasOf {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentID, d); err != nil {
		t.Fatal(err)
	}
	return schemasOf{c}
}

func (s schemasOf) compile(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	schema, err := s.compiler.Compile(documentID + pointer)
	if err != nil {
		t.Fatal(pointer, err)
	}
	return schema
}

// example is a path with its parameters filled in.
func example(path string) string {
	for place, value := range map[string]string{
		"/metrics/{id}": "/metrics/lead_time", "/services/{id}": "/services/shop", "/teams/{id}": "/teams/checkout", "{kind}": "git", "{name}": "github",
	} {
		path = strings.ReplaceAll(path, place, value)
	}
	return path
}

// Whatever the server answers is in the document, and the other way round: paths, methods and parameters.
func TestTheDocumentTellsOfEveryRouteAndParameter(t *testing.T) {
	h := small(t)
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	if diff := cmp.Diff(api.Routes(), documented()); diff != "" {
		t.Errorf("routes of the server and of the document (-server +document):\n%s", diff)
	}
	for path, operations := range api.Document().Paths {
		for _, method := range methods {
			_, known := operations[strings.ToLower(method)]
			status := send(t, h, method, example(path), "").Code
			if known == (status == http.StatusMethodNotAllowed || status == http.StatusNotFound) {
				t.Errorf("%s %s: got %d, the document knows it: %v", method, path, status, known)
			}
			if method != "GET" || !known {
				continue
			}
			if w := send(t, h, "HEAD", example(path), ""); w.Code != status || w.Body.Len() > 0 && w.Code < 400 {
				t.Errorf("HEAD %s: got %d and %d bytes, want %d and none", path, w.Code, w.Body.Len(), status)
			}
			var names []string
			for _, p := range operations["get"].Parameters {
				if p.In == "query" {
					names = append(names, p.Name)
				}
			}
			if path == "/healthz" {
				continue // what asks for it may add what it likes
			}
			refusal := send(t, h, "GET", example(path)+"?no_such=1", "").Body.String()
			if want := `there is no parameter \"no_such\"; there are: ` + strings.Join(names, ", ") + `"`; !strings.Contains(refusal, want) {
				t.Errorf("%s: got %s, want %s", path, refusal, want)
			}
		}
	}
}

func documented() []string {
	var list []string
	for path, operations := range api.Document().Paths {
		for method := range operations {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// Each operation has a name of its own, and what is said of parameters is whole.
func TestTheDocumentIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for path, operations := range api.Document().Paths {
		for method, o := range operations {
			if seen[o.ID] || o.ID == "" || o.Summary == "" || len(o.Tags) == 0 {
				t.Errorf("%s %s: name %q, summary %q, tags %v", method, path, o.ID, o.Summary, o.Tags)
			}
			seen[o.ID] = true
			for _, p := range o.Parameters {
				if p.Name == "" || p.Description == "" || p.Schema["type"] == nil {
					t.Errorf("%s %s: parameter %+v", method, path, p)
				}
			}
		}
	}
}

// asks are requests whose answers show everything there is to show.
func asks() []string {
	list := []string{
		"/healthz", "/openapi.json", "/api/v1/events.schema.json", "/api/v1/metrics", "/api/v1/doctor", "/api/v1/doctor?metric=lead_time&team=checkout",
		"/api/v1/services", "/api/v1/services?limit=1&retired=true&search=o", "/api/v1/services/webshop", "/api/v1/services/edge",
		"/api/v1/teams?retired=true", "/api/v1/teams/mobile", "/api/v1/teams/checkout", "/api/v1/deployments?runs=true", "/api/v1/deployments?limit=2&failed=true",
		"/api/v1/changes", "/api/v1/changes?waiting=true", "/api/v1/incidents", "/api/v1/incidents?open=true", "/api/v1/collectors/git/position?stream=shop",
		"/api/v1/sources", "/api/v1/sources/github?limit=1", "/api/v1/sources/gitlab", "/api/v1/sources/github?problems=true&kind=runs",
	}
	for _, d := range metrics.Definitions() {
		path, window := "/api/v1/metrics/"+d.ID, "?from=2026-01-01&to=2026-04-01"
		list = append(list, path+window, path+"/evidence"+window)
		if surveys := []string{"survey_response_rate", "csat", "enps", "survey_cells", "pain_points"}; !slices.Contains(surveys, d.ID) {
			list = append(list, path+window+"&bucket=month&team=checkout", path+"/evidence"+window+"&bucket=quarter&service=shop&limit=1")
		}
	}
	return list
}

// operation finds what the document says of a request.
func operation(t *testing.T, method, target string) (pointer string, o api.Operation) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(api.Document().Paths)) {
		parts, asked := strings.Split(path, "/"), strings.Split(u.Path, "/")
		fits := len(parts) == len(asked)
		for i := 0; fits && i < len(parts); i++ {
			fits = parts[i] == asked[i] || strings.HasPrefix(parts[i], "{")
		}
		if o, ok := api.Document().Paths[path][strings.ToLower(method)]; fits && ok {
			escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
			return "#/paths/" + url.PathEscape(escaped) + "/" + strings.ToLower(method), o
		}
	}
	t.Fatalf("the document knows nothing of %s %s", method, target)
	return "", api.Operation{}
}

// Real answers are what the document says they are, without a field more or less.
func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	h := small(t)
	schemas := answerSchemas(t, document(t, h))
	check := func(method, target, body string, header ...string) {
		t.Helper()
		w := send(t, h, method, target, body, header...)
		pointer, o := operation(t, method, target)
		media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		response, ok := o.Responses[itoa(w.Code)]
		if !ok {
			t.Errorf("%s %s: the document knows no answer %d: %s", method, target, w.Code, w.Body)
			return
		}
		if _, ok := response.Content[media]; !ok {
			t.Errorf("%s %s: the document knows no %q for %d", method, target, media, w.Code)
			return
		}
		for name := range response.Headers {
			if w.Header().Get(name) == "" && name != "Link" {
				t.Errorf("%s %s: there is no header %s", method, target, name)
			}
		}
		if media == "text/csv" || media == "application/x-ndjson" {
			return
		}
		pointer += "/responses/" + itoa(w.Code) + "/content/" + url.PathEscape(strings.ReplaceAll(media, "/", "~1")) + "/schema"
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
		if err != nil {
			t.Errorf("%s %s: %v", method, target, err)
			return
		}
		if err := schemas.compile(t, pointer).Validate(instance); err != nil {
			t.Errorf("%s %s: %v\n%s", method, target, err, w.Body)
		}
	}
	for _, target := range asks() {
		check("GET", target, "")
	}
	for _, target := range []string{"/api/v1/metrics", "/api/v1/metrics/lead_time", "/api/v1/metrics/lead_time/evidence", "/api/v1/services", "/api/v1/teams", "/api/v1/teams/checkout", "/api/v1/changes", "/api/v1/sources", "/api/v1/sources/github"} {
		check("GET", target, "", "Accept", "text/csv")
	}
	check("POST", "/api/v1/events", `{"type":"team","id":"new"}`)
	check("POST", "/api/v1/events", `{"type":"taem","id":"new"}`)
	check("POST", "/api/v1/events", `{}`, "Content-Encoding", "rot13")
	check("POST", "/api/v1/replay?source=github", "")
	check("POST", "/api/v1/replay?sauce=github", "")
	check("PUT", "/api/v1/collectors/git/position", `{"stream":"shop","position":"1"}`)
	check("PUT", "/api/v1/collectors/git/position", `{"position":"1"}`)
	for _, target := range []string{
		"/api/v1/metrics/leadtime", "/api/v1/metrics/lead_time?tz=Mars", "/api/v1/metrics/lead_time/evidence?limit=x", "/api/v1/services?cursor=x", "/api/v1/services/shap",
		"/api/v1/teams/chekout", "/api/v1/teams?limit=0", "/api/v1/deployments?team=chekout", "/api/v1/deployments?failed=maybe", "/api/v1/changes?waiting=perhaps",
		"/api/v1/incidents?cause=x", "/api/v1/doctor?service=shap", "/api/v1/collectors/git/position", "/openapi.json?x=1", "/api/v1/sources/githup", "/api/v1/sources/github?outcome=x", "/api/v1/metrics?format=xml",
	} {
		check("GET", target, "")
	}
}

// The examples of parameters, and the values that they are said to have, are taken.
func TestParametersTakeWhatTheDocumentSays(t *testing.T) {
	h := small(t)
	for path, operations := range api.Document().Paths {
		for _, p := range operations["get"].Parameters {
			if p.In != "query" {
				continue
			}
			var values []any
			if enum, ok := p.Schema["enum"].([]string); ok {
				for _, v := range enum {
					values = append(values, v)
				}
			}
			for _, v := range append(values, p.Example, p.Schema["default"], p.Schema["maximum"]) {
				if v == nil {
					continue
				}
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				value := url.QueryEscape(strings.Trim(string(text), `"`))
				target := example(path) + "?" + p.Name + "=" + value
				if w := send(t, h, "GET", target, ""); w.Code != http.StatusOK && !strings.Contains(w.Body.String(), "lead_time has") && !strings.Contains(w.Body.String(), "nothing tells lead_time apart") {
					t.Errorf("%s: got %d %s", target, w.Code, w.Body)
				}
			}
		}
	}
}
