package githubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
)

// serve makes a fake and a client of it.
func serve(t *testing.T, cfg Config) (*Fake, *github.Client, string) {
	t.Helper()
	f := New(cfg)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client := github.NewClient(nil).WithAuthToken("token")
	client, err := client.WithEnterpriseURLs(server.URL, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return f, client, server.URL
}

func TestAListIsReadWholePageByPage(t *testing.T) {
	f, client, _ := serve(t, Config{Seed: 1, Repositories: 3, Teams: 2, BigEvery: 3})
	ctx := context.Background()
	repo := f.Repositories()[1]
	_, name, _ := strings.Cut(repo, "/")
	truth := f.Truth()

	got := map[string]bool{}
	options := &github.PullRequestListOptions{State: "all", Sort: "updated", Direction: "desc", ListOptions: github.ListOptions{PerPage: 100}}
	var before time.Time
	for {
		pulls, answer, err := client.PullRequests.List(ctx, "acme", name, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pulls {
			if !before.IsZero() && p.GetUpdatedAt().After(before) {
				t.Errorf("pull request %d comes out of order", p.GetNumber())
			}
			before = p.GetUpdatedAt().Time
			got[fmt.Sprintf("%s %d", repo, p.GetNumber())] = true
		}
		if answer.NextPage == 0 {
			break
		}
		options.Page = answer.NextPage
	}
	want := 0
	for key := range truth.Changes {
		if strings.HasPrefix(key, repo+" ") {
			want++
			if !got[key] {
				t.Errorf("pull request %s is not listed", key)
			}
		}
	}
	if len(got) != want || want <= 100 {
		t.Errorf("got %d pull requests, want %d, and more than a page", len(got), want)
	}
	if pages := f.Requests()["GET /repos/{owner}/{repo}/pulls"].Requests; pages != (want+99)/100 {
		t.Errorf("counted %d pages of %d pull requests", pages, want)
	}
}

func TestEverythingParsesWithGoGitHub(t *testing.T) {
	f, client, _ := serve(t, Config{Seed: 2, Repositories: 6, Teams: 3, Steps: 30})
	ctx := context.Background()
	check := func(what string, n int, err error) {
		t.Helper()
		if err != nil || n == 0 {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	repos, _, err := client.Repositories.ListByOrg(ctx, "acme", nil)
	check("repositories", len(repos), err)
	teams, _, err := client.Teams.ListTeams(ctx, "acme", nil)
	check("teams", len(teams), err)
	members, _, err := client.Teams.ListTeamMembersBySlug(ctx, "acme", "team-1", nil)
	check("members", len(members), err)
	_, _, err = client.RateLimit.Get(ctx)
	check("limits", 1, err)
	truth := f.Truth()
	for _, name := range []string{"repo-0000", "repo-0001", "repo-0002", "repo-0003"} {
		repo := "acme/" + name
		commits, _, err := client.Repositories.ListCommits(ctx, "acme", name, &github.CommitsListOptions{ListOptions: github.ListOptions{PerPage: 100}})
		check("commits", len(commits), err)
		for _, c := range commits {
			want := truth.Commits[repo+" "+c.GetSHA()]
			if !want.Reachable || !want.AuthoredAt.Equal(c.GetCommit().GetAuthor().GetDate().Time) || len(want.Parents) != len(c.Parents) {
				t.Errorf("commit %s is told wrong", c.GetSHA())
			}
		}
		pulls, _, err := client.PullRequests.List(ctx, "acme", name, &github.PullRequestListOptions{State: "closed"})
		check("pull requests", len(pulls), err)
		p, _, err := client.PullRequests.Get(ctx, "acme", name, pulls[0].GetNumber())
		check("pull request", p.GetCommits(), err)
		own, _, err := client.PullRequests.ListCommits(ctx, "acme", name, p.GetNumber(), nil)
		var shas []string
		for _, c := range own {
			shas = append(shas, c.GetSHA())
		}
		check("commits of a pull request", len(shas), err)
		if diff := cmp.Diff(truth.Changes[fmt.Sprintf("%s %d", repo, p.GetNumber())].Commits, shas); diff != "" {
			t.Errorf("commits of pull request %d (-want +got):\n%s", p.GetNumber(), diff)
		}
		runs, _, err := client.Actions.ListRepositoryWorkflowRuns(ctx, "acme", name, &github.ListWorkflowRunsOptions{Created: ">=2020-01-01"})
		check("runs", runs.GetTotalCount(), err)
		jobs, _, err := client.Actions.ListWorkflowJobs(ctx, "acme", name, runs.WorkflowRuns[0].GetID(), nil)
		check("jobs", jobs.GetTotalCount(), err)
		deployments, _, err := client.Repositories.ListDeployments(ctx, "acme", name, nil)
		check("deployments", len(deployments), err)
		statuses, _, err := client.Repositories.ListDeploymentStatuses(ctx, "acme", name, deployments[0].GetID(), nil)
		check("statuses", len(statuses), err)
		releases, _, err := client.Repositories.ListReleases(ctx, "acme", name, nil)
		check("releases", len(releases), err)
		issues, _, err := client.Issues.ListByRepo(ctx, "acme", name, &github.IssueListByRepoOptions{State: "all"})
		check("issues", len(issues), err)
		file, _, _, err := client.Repositories.GetContents(ctx, "acme", name, "README.md", nil)
		check("file", file.GetSize(), err)
	}
	if problems := f.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

func TestAnUnchangedAnswerIs304AndFree(t *testing.T) {
	f, _, url := serve(t, Config{Seed: 3, Repositories: 1})
	get := func(tag string) *http.Response {
		r, _ := http.NewRequest(http.MethodGet, url+"/repos/acme/repo-0000/pulls?state=all", nil)
		r.Header.Set("Authorization", "Bearer token")
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		return answer
	}
	first := get("")
	second := get(first.Header.Get("ETag"))
	if second.StatusCode != http.StatusNotModified || second.Header.Get("X-RateLimit-Remaining") != first.Header.Get("X-RateLimit-Remaining") {
		t.Errorf("got %d with %s left, want 304 with %s", second.StatusCode, second.Header.Get("X-RateLimit-Remaining"), first.Header.Get("X-RateLimit-Remaining"))
	}
	number := f.OpenPull("acme/repo-0000")
	if third := get(first.Header.Get("ETag")); third.StatusCode != http.StatusOK {
		t.Errorf("got %d although pull request %d is new", third.StatusCode, number)
	}
}

func TestABudgetIsSpentAndComesBack(t *testing.T) {
	now := Epoch
	_, client, _ := serve(t, Config{Seed: 4, Repositories: 1, Limit: 3, Now: func() time.Time { return now }})
	for i := range 5 {
		client, _ = github.NewClient(nil).WithAuthToken("token").WithEnterpriseURLs(client.BaseURL.String(), client.BaseURL.String()) // it remembers limits
		_, _, err := client.Repositories.Get(context.Background(), "acme", "repo-0000")
		_, limited := err.(*github.RateLimitError)
		if limited != (i == 3) {
			t.Errorf("request %d: %v", i+1, err)
		}
		if i == 3 {
			now = now.Add(time.Hour)
		}
	}
}

func TestARenamedRepositoryLeadsToItself(t *testing.T) {
	f, client, _ := serve(t, Config{Seed: 5, Repositories: 1, Steps: 10})
	f.Rename("acme/repo-0000", "shop")
	repo, _, err := client.Repositories.Get(context.Background(), "acme", "repo-0000")
	if err != nil || repo.GetFullName() != "acme/shop" {
		t.Errorf("got %s, %v", repo.GetFullName(), err)
	}
	commits, _, err := client.Repositories.ListCommits(context.Background(), "acme", "repo-0000", nil)
	if err != nil || len(commits) == 0 {
		t.Errorf("got %d commits, %v", len(commits), err)
	}
}

func TestGraphQLSaysWhatRESTSays(t *testing.T) {
	f, _, url := serve(t, Config{Seed: 6, Repositories: 1, Steps: 40})
	query := `query($owner: String!, $name: String!, $after: String) {
		repository(owner: $owner, name: $name) {
			pullRequests(first: 10, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
				totalCount
				pageInfo { hasNextPage endCursor }
				nodes { number updatedAt mergeCommit { oid parents(first: 2) { totalCount } } author { __typename login ... on User { name } }
					commits(first: 100) { nodes { commit { oid authoredDate } } } }
			}
		}
	}`
	truth, seen := f.Truth(), 0
	var after any
	for {
		body, _ := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"owner": "acme", "name": "repo-0000", "after": after}})
		r, _ := http.NewRequest(http.MethodPost, url+"/api/graphql", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer token")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Data struct {
				Repository struct {
					PullRequests struct {
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
						Nodes []struct {
							Number      int
							MergeCommit *struct {
								OID     string
								Parents struct{ TotalCount int }
							}
							Commits struct {
								Nodes []struct{ Commit struct{ OID string } }
							}
						}
					}
				}
			}
			Errors []struct{ Message string }
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		answer.Body.Close()
		if err != nil || len(got.Errors) > 0 {
			t.Fatal(err, got.Errors)
		}
		list := got.Data.Repository.PullRequests
		for _, p := range list.Nodes {
			seen++
			want := truth.Changes[fmt.Sprintf("acme/repo-0000 %d", p.Number)]
			if len(p.Commits.Nodes) != len(want.Commits) || (p.MergeCommit != nil) != (len(want.Landed) > 0) || p.MergeCommit != nil && p.MergeCommit.OID != want.Landed[len(want.Landed)-1] {
				t.Errorf("pull request %d: got %+v, want %+v", p.Number, p, want)
			}
		}
		if !list.PageInfo.HasNextPage {
			break
		}
		after = list.PageInfo.EndCursor
	}
	if seen != len(truth.Changes) || seen <= 10 {
		t.Errorf("saw %d of %d pull requests", seen, len(truth.Changes))
	}
}

func TestFaultsGoWrongAsTheyDoAtGitHub(t *testing.T) {
	for _, test := range []struct {
		kind FaultKind
		want func(r *http.Response, body string, err error) bool
	}{
		{Primary403, func(r *http.Response, _ string, _ error) bool {
			return r.StatusCode == 403 && r.Header.Get("X-RateLimit-Remaining") == "0"
		}},
		{Primary429, func(r *http.Response, _ string, _ error) bool {
			return r.StatusCode == 429 && r.Header.Get("X-RateLimit-Remaining") == "0"
		}},
		{Secondary, func(r *http.Response, body string, _ error) bool {
			return r.StatusCode == 403 && strings.Contains(body, "secondary rate limit") && r.Header.Get("Retry-After") == "" && r.Header.Get("X-RateLimit-Remaining") != "0"
		}},
		{SecondaryRetryAfter, func(r *http.Response, _ string, _ error) bool {
			return r.StatusCode == 403 && r.Header.Get("Retry-After") == "20"
		}},
		{BadGateway, func(r *http.Response, _ string, _ error) bool { return r.StatusCode == 502 }},
		{Slow, func(r *http.Response, body string, _ error) bool {
			return r.StatusCode == 200 && json.Valid([]byte(body))
		}},
		{CutBody, func(r *http.Response, _ string, err error) bool { return r.StatusCode == 200 && err != nil }},
		{Truncated, func(r *http.Response, body string, err error) bool {
			return r.StatusCode == 200 && err == nil && !json.Valid([]byte(body))
		}},
		{Missing, func(r *http.Response, _ string, _ error) bool { return r.StatusCode == 404 }},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			f, _, url := serve(t, Config{Seed: 7, Repositories: 1})
			f.Inject(Fault{Kind: test.kind})
			r, _ := http.NewRequest(http.MethodGet, url+"/repos/acme/repo-0000", nil)
			r.Header.Set("Authorization", "Bearer token")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if !test.want(answer, string(body), err) {
				t.Errorf("got %d %v %q %v", answer.StatusCode, answer.Header, body, err)
			}
		})
	}
}

func TestWebhooksParseAndAreSigned(t *testing.T) {
	f := New(Config{Seed: 8, Repositories: 1})
	for i := range uint64(60) {
		f.Change("acme/repo-0000", i)
	}
	kinds := map[string]int{}
	for _, d := range f.Deliveries() {
		r := httptest.NewRequest(http.MethodPost, "/hooks/github", bytes.NewReader(d.Body))
		r.Header = d.Header
		payload, err := github.ValidatePayload(r, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := github.ParseWebHook(d.Event, payload); err != nil {
			t.Errorf("%s: %v", d.Event, err)
		}
		kinds[d.Event]++
	}
	for _, kind := range []string{"push", "pull_request", "deployment_status", "workflow_run", "issues"} {
		if kinds[kind] == 0 {
			t.Errorf("there was no %s", kind)
		}
	}
}
