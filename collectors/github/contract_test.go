package github

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"cairn/internal/prismtest"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// The queries fit GitHub's own schema.
func TestQueriesFitTheSchemaOfGitHub(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches GitHub's schema")
	}
	text, err := os.ReadFile(filepath.Join(prismtest.Install(t, filepath.Join("testdata", "contract"), "github-contract"), "node_modules", "@octokit", "graphql-schema", "schema.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: "schema.graphql", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range document.Definitions { // the published schema tells a few fields twice
		known := map[string]bool{}
		d.Fields = slices.DeleteFunc(d.Fields, func(f *ast.FieldDefinition) bool {
			twice := known[f.Name]
			known[f.Name] = true
			return twice
		})
	}
	schema, err := validator.ValidateSchemaDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	sizes, _ := countQuery([]known{{name: "acme/shop"}, {name: "acme/cart"}})
	for name, document := range map[string]string{
		"changes": changesQuery, "change": changeQuery, "commits": commitsQuery, "deployments": deploymentsQuery, "awaited": awaitedQuery,
		"sizes": sizes,
	} {
		if _, errs := gqlparser.LoadQueryWithRules(schema, document, nil); errs != nil {
			t.Errorf("%s: %v\n%s", name, errs, document)
		}
	}
	if _, errs := gqlparser.LoadQueryWithRules(schema, strings.Replace(changeQuery, "mergedAt", "mergedOn", 1), nil); errs == nil {
		t.Error("a field that GitHub does not have went unnoticed")
	}
}

// described are the operations of GitHub's description that the collector may use.
var described = []string{
	"/user", "/orgs/{org}/repos", "/users/{username}/repos", "/repositories/{repository_id}", "/installation/repositories",
	"/repos/{owner}/{repo}", "/repos/{owner}/{repo}/branches/{branch}", "/repos/{owner}/{repo}/commits", "/repos/{owner}/{repo}/commits/{ref}",
	"/repos/{owner}/{repo}/compare/{basehead}", "/repos/{owner}/{repo}/git/commits/{commit_sha}", "/repos/{owner}/{repo}/git/ref/{ref}",
	"/repos/{owner}/{repo}/pulls", "/repos/{owner}/{repo}/pulls/{pull_number}", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews",
	"/repos/{owner}/{repo}/issues/{issue_number}/events", "/repos/{owner}/{repo}/issues/{issue_number}/timeline",
	"/repos/{owner}/{repo}/actions/runs", "/repos/{owner}/{repo}/actions/runs/{run_id}", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}",
	"/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs",
	"/repos/{owner}/{repo}/deployments", "/repos/{owner}/{repo}/deployments/{deployment_id}", "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
	"/repos/{owner}/{repo}/releases", "/repos/{owner}/{repo}/releases/{release_id}", "/repos/{owner}/{repo}/tags", "/repos/{owner}/{repo}/issues", "/repos/{owner}/{repo}/issues/{issue_number}",
	"/repos/{owner}/{repo}/labels", "/repos/{owner}/{repo}/git/trees/{tree_sha}", "/repos/{owner}/{repo}/contents/{path}", "/orgs/{org}/teams", "/orgs/{org}/teams/{team_slug}/members",
}

// trimmed is GitHub's description with the operations above alone, and what they refer to: the whole takes minutes to load.
func trimmed(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	all, _ := whole["paths"].(map[string]any)
	paths := map[string]any{}
	for _, p := range described {
		if operations, ok := all[p].(map[string]any); ok {
			kept := map[string]any{"get": operations["get"]}
			if shared, ok := operations["parameters"]; ok {
				kept["parameters"] = shared
			}
			paths[p] = kept
		}
	}
	components := map[string]any{}
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
				if len(parts) != 2 {
					return
				}
				section, _ := components[parts[0]].(map[string]any)
				if section == nil {
					section = map[string]any{}
					components[parts[0]] = section
				}
				if _, known := section[parts[1]]; known {
					return
				}
				from, _ := whole["components"].(map[string]any)[parts[0]].(map[string]any)
				section[parts[1]] = from[parts[1]]
				follow(from[parts[1]])
				return
			}
			for _, below := range v {
				follow(below)
			}
		case []any:
			for _, below := range v {
				follow(below)
			}
		}
	}
	follow(paths)
	whole["paths"], whole["components"] = paths, components
	delete(whole, "x-webhooks")
	delete(whole, "webhooks")
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "github.json")
	if err := os.WriteFile(to, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// referee is one whose examples name no next page: they would name it for ever.
type referee struct{ prismtest.Referee }

func (r *referee) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.Referee.RoundTrip(req)
	if err == nil {
		resp.Header.Del("Link")
	}
	return resp, err
}

var (
	numbers  = regexp.MustCompile(`/\d+(/|$)`)
	shas     = regexp.MustCompile(`/[0-9a-f]{40}(/|$)`)
	basehead = regexp.MustCompile(`/compare/.*`)
)

func shapeOf(path string) string {
	path = basehead.ReplaceAllString(path, "/compare/*")
	path = shas.ReplaceAllString(path, "/*$1")
	path = numbers.ReplaceAllString(path, "/*$1")
	parts := strings.Split(path, "/")
	if len(parts) > 3 && parts[1] == "repos" {
		parts[2], parts[3] = "*", "*"
	}
	return strings.Join(parts, "/")
}

// The collector asks GitHub for nothing that GitHub's own description refuses.
func TestNoRequestIsRefusedByGitHubsDescription(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server that answers from GitHub's description")
	}
	dir := prismtest.Install(t, filepath.Join("testdata", "contract"), "github-contract")
	base := prismtest.Start(t, trimmed(t, filepath.Join(dir, "node_modules", "@octokit", "openapi", "generated", "api.github.com.json")))
	r := &referee{prismtest.Referee{Rewrite: func(path string) (*url.URL, string) { return base, strings.TrimPrefix(path, "/api/v3") }}}
	cfg := DefaultConfig()
	cfg.Token, cfg.Organisations, cfg.GraphQL, cfg.Commits = "token", []string{"octocat"}, GraphQLOff, CommitsAPI
	cfg.Repositories.Forks = true
	compiledRules, err := rules.New(rules.Config{
		Incidents: rules.IncidentRule{Labels: []string{"bug"}},
		Deployments: []rules.DeploymentRule{
			{Repository: "*", From: rules.FromDeployment}, {Repository: "*", From: rules.FromWorkflow, Name: "Build*"}, {Repository: "*", From: rules.FromJob, Name: "deploy*"},
			{Repository: "*", From: rules.FromRelease}, {Repository: "*", From: rules.FromTag}, {Repository: "*", From: rules.FromBranch, Name: "main"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg, compiledRules, &http.Client{Transport: r}, Clones{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if _, err := c.Check(ctx); err != nil {
		t.Logf("check: %v", err)
	}
	asOf := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	read := map[string]bool{}
	for again := true; again; {
		again = false
		for _, s := range c.Streams() {
			if read[s.Name] {
				continue
			}
			read[s.Name], again = true, true
			position := ""
			for range 3 { // history, and then news
				turn, err := c.Turn(s, position, asOf)
				if err != nil {
					t.Fatalf("%s: %v", s.Name, err)
				}
				for _, err := range turn.Events(ctx) {
					if err != nil {
						t.Logf("%s: %v", s.Name, err) // an example may contradict itself; whether the request was right is seen below
						break
					}
				}
				position = turn.Position()
			}
		}
	}
	for _, w := range []source.Wake{
		{Stream: "octocat/Hello-World/changes", Subject: "1347"}, {Stream: "octocat/Hello-World/deployments", Subject: "1"}, {Stream: "octocat/Hello-World/runs", Subject: "30433642"},
		{Stream: "octocat/Hello-World/incidents", Subject: "1347"}, {Stream: "octocat/Hello-World/releases", Subject: "1"},
	} {
		again, err := c.Refresh(w, asOf)
		if err != nil {
			t.Logf("%s %s: %v", w.Stream, w.Subject, err)
			continue
		}
		for _, err := range again.Events(ctx) {
			if err != nil {
				t.Logf("%s %s: %v", w.Stream, w.Subject, err)
				break
			}
		}
	}
	for _, refused := range r.Refused() {
		t.Errorf("GitHub's description refuses %s", refused)
	}
	asked := map[string]bool{}
	for _, request := range r.Asked() {
		_, path, _ := strings.Cut(request, " ")
		asked[shapeOf(path)] = true
	}
	for _, shape := range []string{
		"/orgs/octocat/repos", "/orgs/octocat/teams", "/repos/*/*/pulls", "/repos/*/*/pulls/*", "/repos/*/*/pulls/*/commits", "/repos/*/*/pulls/*/reviews", "/repos/*/*/actions/runs",
		"/repos/*/*/deployments", "/repos/*/*/deployments/*/statuses", "/repos/*/*/releases", "/repos/*/*/issues", "/repos/*/*/commits",
	} {
		if !asked[shape] {
			t.Errorf("nothing was asked of %s; asked were %v", shape, slices.Sorted(maps.Keys(asked)))
		}
	}
	// And the referee does see what is wrong.
	before := len(r.Refused())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base.String()+"/repos/a/b/pulls?state=everything", nil)
	if resp, err := r.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
	if len(r.Refused()) == before {
		t.Error("a request with a wrong parameter was not refused")
	}
}
