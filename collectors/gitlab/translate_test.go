package gitlab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/rules"
)

func translating(t *testing.T, cfg rules.Config) translator {
	t.Helper()
	r, err := rules.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return translator{source: "gitlab", rules: r, web: "https://gitlab.acme.com"}
}

// at is an instant on 5 January 2026.
func at(clock string) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 1, 5, t.Hour(), t.Minute(), 0, 0, time.UTC)
}

func said(who, clock string, system bool, body string) note {
	return note{Body: body, System: system, CreatedAt: moment{at(clock)}, Author: account{Username: who}}
}

// Worked by hand: Ada wrote at 8:00 and 9:00, and opened the merge request at 10:00 as a draft; it was ready at 11:00, Ben
// asked at 12:00 and approved at 13:00, and at 14:00 it was merged. However that is done, the change, its commits and its
// first instants are the same.
func TestTheSameChangeIsTheSameHoweverItIsMerged(t *testing.T) {
	commits := []commit{
		{ID: "a1", AuthoredDate: moment{at("08:00")}, CommittedDate: moment{at("08:30")}},
		{ID: "a2", AuthoredDate: moment{at("09:00")}, CommittedDate: moment{at("09:00")}},
	}
	notes := []note{
		said("ada", "10:30", false, "please look"),
		said("ada", "11:00", true, "marked this merge request as **ready**"),
		said("renovate", "11:30", false, "a report"),
		said("ben", "12:00", false, "why?"),
		said("ben", "13:00", true, "approved this merge request"),
	}
	for _, tt := range []struct {
		name          string
		merge, squash string
		wantMethod    string
		wantLanded    []string
	}{
		{"merge commit", "m1", "", "merge", []string{"m1"}},
		{"squash", "", "s1", "squash", []string{"s1"}},
		{"squash and merge commit", "m1", "s1", "squash", []string{"m1", "s1"}},
		{"fast-forward", "", "", "fast_forward", []string{"a2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := mergeRequest{
				IID: 7, Title: "Change", State: "merged", CreatedAt: moment{at("10:00")}, UpdatedAt: moment{at("14:00")}, MergedAt: moment{at("14:00")},
				Author: account{Username: "ada"}, TargetBranch: "main", SHA: "a2", MergeCommitSHA: tt.merge, SquashCommitSHA: tt.squash, Labels: names{"x"},
			}
			want := &event.ChangeRequest{
				Telling: event.Telling{Source: "gitlab", UpdatedAt: at("14:00")}, Repository: "acme/shop", ID: "7", Author: "ada", Title: "Change", BaseBranch: "main",
				CreatedAt: at("10:00"), FirstCommitAt: at("08:00"), ReadyAt: at("11:00"), FirstReviewAt: at("12:00"), ApprovedAt: at("13:00"), MergedAt: at("14:00"),
				MergeMethod: tt.wantMethod, Landed: tt.wantLanded, Commits: []string{"a1", "a2"}, Labels: []string{"x"},
			}
			if differs := diff.Diff(want, translating(t, rules.Config{}).changeRequest("acme/shop", m, commits, notes)); differs != "" {
				t.Errorf("(-want +got):\n%s", differs)
			}
		})
	}
}

func TestWhatIsSaidBelowAMergeRequest(t *testing.T) {
	type instants struct{ ready, review, approved string }
	for _, tt := range []struct {
		name  string
		draft bool
		notes []note
		want  instants
	}{
		{"nothing", false, nil, instants{}},
		{"its author's own words", false, []note{said("Ada", "11:00", false, "x"), said("ada", "11:00", true, "approved this merge request")}, instants{}},
		{"a line of GitLab's that is no review", false, []note{said("ben", "11:00", true, "added 1 commit")}, instants{}},
		{"an approval without a word is a review", false, []note{said("ben", "11:00", true, "approved this merge request")}, instants{"", "11:00", "11:00"}},
		{"a request for changes", false, []note{said("ben", "11:00", true, "requested changes")}, instants{"", "11:00", ""}},
		{"an approval that was taken back", false, []note{
			said("ben", "11:00", true, "approved this merge request"), said("ben", "12:00", true, "unapproved this merge request"),
		}, instants{"", "11:00", ""}},
		{"and given by somebody else", false, []note{
			said("ben", "11:00", true, "approved this merge request"), said("cleo", "11:30", true, "approved this merge request"),
			said("ben", "12:00", true, "unapproved this merge request"),
		}, instants{"", "11:00", "11:30"}},
		{"a draft again", true, []note{said("ada", "11:00", true, "marked this merge request as **ready**")}, instants{}},
		{"ready twice", false, []note{
			said("ada", "11:00", true, "marked this merge request as **ready**"), said("ada", "12:00", true, "marked this merge request as **draft** from 1f"),
			said("ada", "13:00", true, "marked this merge request as **ready**"),
		}, instants{"13:00", "", ""}},
		{"in the words of older versions", false, []note{said("ada", "11:00", true, "unmarked as a **Work In Progress**")}, instants{"11:00", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fact := translating(t, rules.Config{}).changeRequest("acme/shop", mergeRequest{IID: 1, State: "opened", Draft: tt.draft, Author: account{Username: "ada"}}, nil, tt.notes)
			show := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.Format("15:04")
			}
			if got := (instants{show(fact.ReadyAt), show(fact.FirstReviewAt), show(fact.ApprovedAt)}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestStatusesOfRunsAndDeployments(t *testing.T) {
	for status, want := range map[string][2]string{
		"created": {"queued", "pending"}, "waiting_for_resource": {"queued", ""}, "preparing": {"queued", ""}, "pending": {"queued", ""}, "scheduled": {"queued", ""},
		"running": {"in_progress", "in_progress"}, "manual": {"in_progress", ""}, "success": {"succeeded", "succeeded"}, "failed": {"failed", "failed"},
		"canceled": {"cancelled", "cancelled"}, "canceling": {"cancelled", ""}, "skipped": {"skipped", "skipped"}, "blocked": {"", "pending"},
	} {
		if got := runStatus(status); want[0] != "" && got != want[0] {
			t.Errorf("a pipeline that is %s: got %s, want %s", status, got, want[0])
		}
		if got := deploymentStatus(status); want[1] != "" && got != want[1] {
			t.Errorf("a deployment that is %s: got %s, want %s", status, got, want[1])
		}
	}
}

func TestADeploymentEndsWithItsJobAndWithoutOneAtItsLatestChange(t *testing.T) {
	tr := translating(t, rules.Config{})
	k := known{ID: 3, Fact: "acme/shop", Path: "acme/shop-2"}
	var d deployment
	if err := json.Unmarshal([]byte(`{"id":42,"iid":2,"ref":"main","sha":"a91957a858320c0e17f3a0eca7cfacbff50ea29a","status":"success",
		"created_at":"2026-01-05T11:00:00.000Z","updated_at":"2026-01-09T00:00:00.000Z","user":{"username":"root"},"environment":{"id":9,"name":"production","tier":"production"},
		"deployable":{"id":664,"status":"success","started_at":"2026-01-05T11:01:00.000Z","finished_at":"2026-01-05T11:05:00.000Z","pipeline":{"id":36}}}`), &d); err != nil {
		t.Fatal(err)
	}
	want := &event.Deployment{
		Telling: event.Telling{Source: "gitlab", UpdatedAt: time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC)}, Service: "acme/shop", ID: "deployment:42", Attempt: 1,
		Environment: "production", Tier: "production", Status: "succeeded", CreatedAt: at("11:00"), StartedAt: at("11:01"), FinishedAt: at("11:05"),
		Revisions: []event.Revision{{Repository: "acme/shop", SHA: "a91957a858320c0e17f3a0eca7cfacbff50ea29a"}}, Tool: "gitlab", Actor: "root", PipelineRun: "36",
		URL: "https://gitlab.acme.com/acme/shop-2/-/jobs/664",
	}
	got, _ := tr.deployment(k, d)
	if differs := diff.Diff(want, got); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
	d.Deployable = nil
	if got, _ = tr.deployment(k, d); !got.FinishedAt.Equal(d.UpdatedAt.Time) || !got.StartedAt.IsZero() {
		t.Errorf("without a job: got %v to %v", got.StartedAt, got.FinishedAt)
	}
}

func TestReleasesAndTagsThatAreDeployments(t *testing.T) {
	tr := translating(t, everything)
	k := known{ID: 3, Fact: "acme/shop", Path: "acme/shop"}
	var r release
	if err := json.Unmarshal([]byte(`{"tag_name":"v1.2.0","created_at":"2026-01-05T11:00:00Z","released_at":"2026-01-05T12:00:00Z","upcoming_release":false,
		"author":{"username":"ada"},"commit":{"id":"1f"},"_links":{"self":"https://gitlab.acme.com/acme/shop/-/releases/v1.2.0"}}`), &r); err != nil {
		t.Fatal(err)
	}
	got, _ := tr.releaseDeployment(k, r)
	if got == nil || got.ID != "release:3:v1.2.0" || got.Version != "v1.2.0" || !got.FinishedAt.Equal(at("12:00")) || got.Actor != "ada" || got.Revisions[0].SHA != "1f" {
		t.Errorf("a release: got %+v", got)
	}
	r.Upcoming = true
	if got, _ := tr.releaseDeployment(k, r); got != nil {
		t.Errorf("a release that is still to come: got %+v", got)
	}
	if got, _ := tr.tagDeployment(k, "v1.2.0", "1f", at("12:00")); got == nil || got.ID != "tag:3:v1.2.0" || got.Status != "succeeded" {
		t.Errorf("a tag: got %+v", got)
	}
}

func TestASharedConfigurationOfPipelinesIsTheTemplate(t *testing.T) {
	tr := translating(t, rules.Config{GoldenPaths: []string{"acme/platform/deploy.yml*"}})
	for ci, want := range map[string][2]string{
		"": {"", ""}, ".gitlab-ci.yml": {"", ""}, // what that includes is not known
		"deploy.yml@acme/platform":    {"acme/platform/deploy.yml", "golden_path"},
		"deploy.yml@acme/platform:v2": {"acme/platform/deploy.yml@v2", "golden_path"}, "x.yml@acme/other": {"acme/other/x.yml", "own"},
	} {
		fact := tr.run(known{Fact: "acme/shop", CI: ci}, pipeline{ID: 1, Status: "success"}, false)
		if fact.Template != want[0] || fact.Way != want[1] {
			t.Errorf("%q: got template %q and way %q, want %q", ci, fact.Template, fact.Way, want)
		}
	}
}

func TestAServiceOfSeveralProjectsListsAllAndTheWholeListWins(t *testing.T) {
	tr := translating(t, rules.Config{Services: []rules.ServiceRule{{Repository: "acme/shop-*", Service: "shop"}}})
	one := tr.services("acme/shop-a", nil, "shop")
	two := tr.services("acme/shop-a", []known{{Fact: "acme/shop-b"}, {Fact: "acme/other"}, {Fact: "acme/shop-a"}}, "shop")
	if len(one) != 1 || len(two) != 1 || len(two[0].(*event.Service).Repositories) != 2 {
		t.Fatalf("got %v and %v", one, two)
	}
	if event.Version(two[0]) <= event.Version(one[0]) {
		t.Error("the part wins over the whole")
	}
}

func TestMessagesSayWhatACommitIsACopyOfAndWhatItUndoes(t *testing.T) {
	const sha = "279484c09fbe69ededfced8c1bb6e6d24616b468"
	c := commit{ID: "1f", ParentIDs: []string{"0a"}, AuthorName: "Ada", AuthorEmail: "Ada@Acme.example", AuthoredDate: moment{at("08:00")}, CommittedDate: moment{at("09:00")},
		Message: "Revert \"x\"\nand more\n\nThis reverts commit " + sha + ".\n\n(cherry picked from commit 0000000000000000000000000000000000000001)\n(cherry picked from commit 0000000000000000000000000000000000000002)\n"}
	want := &event.Commit{
		Telling: event.Telling{Source: "gitlab", UpdatedAt: at("09:00")}, Repository: "acme/shop", SHA: "1f", Parents: []string{"0a"}, Author: "ada@acme.example",
		AuthoredAt: at("08:00"), CommittedAt: at("09:00"), Subject: `Revert "x" and more`, Reverts: sha, CherryPickedFrom: "0000000000000000000000000000000000000002",
	}
	if differs := diff.Diff(want, translating(t, rules.Config{}).commit("acme/shop", c)); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
}

// Answers of the API that go-gitlab keeps to test with.
func TestAnswersOfTheAPI(t *testing.T) {
	dir := filepath.Join(module(t, "github.com/xanzy/go-gitlab"), "testdata")
	tr := translating(t, rules.Config{})
	var requests []mergeRequest
	for _, file := range []string{"get_merge_requests.json", "get_merge_request.json"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var one mergeRequest
		var some []mergeRequest
		if json.Unmarshal(text, &some) != nil {
			if err := json.Unmarshal(text, &one); err != nil {
				t.Fatal(err)
			}
			some = []mergeRequest{one}
		}
		requests = append(requests, some...)
	}
	var got []string
	for _, m := range requests {
		fact := tr.changeRequest("acme/shop", m, nil, nil)
		if wrong := event.Validate(fact); wrong != nil {
			t.Errorf("%s: %v", fact.ID, wrong)
		}
		got = append(got, fmt.Sprint(fact.ID, " ", fact.Author, " ", fact.BaseBranch, " ", fact.CreatedAt.Format(time.RFC3339Nano), " ", fact.UpdatedAt.Format(time.RFC3339Nano),
			" ", len(fact.Labels), " ", fact.Landed, fact.MergedAt.IsZero(), " ", fact.URL))
	}
	want := []string{
		"15442 hfyngvason master 2019-08-20T10:58:54.413Z 2019-08-20T12:01:49.849Z 5 [] true https://gitlab.com/gitlab-org/gitlab-ee/merge_requests/15442",
		"15441 patrickbajao master 2019-08-20T10:51:56.806Z 2019-08-20T11:00:25.244Z 11 [] true https://gitlab.com/gitlab-org/gitlab-ee/merge_requests/15441",
		"15440 tkuah master 2019-08-20T10:20:51.687Z 2019-08-20T11:06:40.659Z 12 [] true https://gitlab.com/gitlab-org/gitlab-ee/merge_requests/15440",
		"14656 alexkalderimis master 2019-07-11T22:34:43.5Z 2019-08-20T09:09:56.69Z 9 [] true https://gitlab.com/gitlab-org/gitlab-ee/merge_requests/14656",
	}
	if differs := diff.Diff(want, got); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
}
