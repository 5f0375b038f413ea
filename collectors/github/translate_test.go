package github

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
	"pgregory.net/rapid"

	"cairn/internal/event"
	"cairn/internal/rules"
)

// at is an instant on a day in January, in minutes after ten.
func at(minutes int) time.Time {
	return time.Date(2026, 1, 5, 10, minutes, 0, 0, time.UTC)
}

func translating(t testing.TB, cfg rules.Config) translator {
	return translator{source: "github", rules: compiled(t, cfg), host: "github.com"}
}

func TestAReviewCountsWhenAnotherPersonSubmittedIt(t *testing.T) {
	tr := translating(t, rules.Config{Bots: []string{"checker"}})
	for _, tc := range []struct {
		name            string
		reviews         []review
		first, approved time.Time
	}{
		{"none", nil, time.Time{}, time.Time{}},
		{"of the author", []review{{"ada", false, "COMMENTED", at(1)}, {"Ada", false, "APPROVED", at(2)}}, time.Time{}, time.Time{}},
		{"of machines", []review{{"copilot", true, "APPROVED", at(1)}, {"checker", false, "APPROVED", at(2)}, {"renovate[bot]", false, "COMMENTED", at(3)}}, time.Time{}, time.Time{}},
		{"not yet submitted", []review{{"bob", false, "PENDING", at(1)}, {"bob", false, "COMMENTED", time.Time{}}}, time.Time{}, time.Time{}},
		{"a comment", []review{{"bob", false, "commented", at(1)}}, at(1), time.Time{}},
		{"in any order", []review{{"bob", false, "APPROVED", at(9)}, {"cyd", false, "approved", at(5)}, {"bob", false, "CHANGES_REQUESTED", at(2)}}, at(2), at(5)},
		{"an approval that was dismissed", []review{{"bob", false, "DISMISSED", at(2)}}, at(2), time.Time{}},
		{"of an account that is gone", []review{{"", false, "APPROVED", at(2)}}, at(2), at(2)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tr.changeRequest("acme/shop", pullRequest{number: 2, author: "ada", created: at(0), reviews: tc.reviews})
			if !got.FirstReviewAt.Equal(tc.first) || !got.ApprovedAt.Equal(tc.approved) {
				t.Errorf("first review at %s, approved at %s; want %s, %s", got.FirstReviewAt, got.ApprovedAt, tc.first, tc.approved)
			}
		})
	}
}

func TestAChangeRequestIsWhatIsKnownOfThePullRequest(t *testing.T) {
	tr := translating(t, rules.Config{})
	cet := time.FixedZone("", 3600)
	pr := pullRequest{
		number: 7, author: "dependabot", authorIsBot: true, title: strings.Repeat("ö", maxText+1), base: "main", headRef: "bump", headSHA: "h2",
		created: at(0).In(cet), updated: at(30).In(cet), ready: at(3), merged: at(20), closed: at(20), mergeSHA: "m", mergeParents: 1, landed: []string{"m"},
		commits: []pullCommit{{sha: "h1", authored: at(-5), committed: at(4)}, {sha: "h2", authored: at(5), committed: at(-9)}},
		labels:  []string{"a", ""}, additions: 5, deletions: 2, url: "https://github.com/acme/shop/pull/7",
	}
	want := &event.ChangeRequest{
		Telling: event.Telling{Source: "github", UpdatedAt: at(30)}, Repository: "acme/shop", ID: "7", Author: "dependabot[bot]",
		Title: strings.Repeat("ö", maxText), BaseBranch: "main", CreatedAt: at(0), FirstCommitAt: at(-9), ReadyAt: at(3), MergedAt: at(20),
		MergeMethod: "squash", Commits: []string{"h1", "h2"}, Landed: []string{"m"}, Labels: []string{"a"}, Additions: 5, Deletions: 2,
		URL: "https://github.com/acme/shop/pull/7",
	}
	got := tr.changeRequest("acme/shop", pr)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if wrong := event.Validate(got); wrong != nil {
		t.Error(wrong)
	}

	pr.merged, pr.draft = time.Time{}, true // closed as a draft: what it would have become on main counts for nothing
	want.MergedAt, want.ReadyAt, want.ClosedAt, want.Landed, want.MergeMethod = time.Time{}, time.Time{}, at(20), nil, ""
	if diff := cmp.Diff(want, tr.changeRequest("acme/shop", pr)); diff != "" {
		t.Error(diff)
	}
}

func TestTheMergeMethodIsToldWhereItCanBeTold(t *testing.T) {
	two := []pullCommit{{sha: "h1"}, {sha: "h2"}}
	for _, tc := range []struct {
		name string
		pr   pullRequest
		want string
	}{
		{"a merge commit", pullRequest{mergeSHA: "m", mergeParents: 2, commits: two}, "merge"},
		{"one commit for two", pullRequest{mergeSHA: "m", mergeParents: 1, commits: two, landed: []string{"m"}}, "squash"},
		{"one commit for one", pullRequest{mergeSHA: "m", mergeParents: 1, commits: two[:1], landed: []string{"m"}}, ""},
		{"two commits for two", pullRequest{mergeSHA: "m", mergeParents: 1, commits: two, landed: []string{"l", "m"}}, "rebase"},
		{"the head itself", pullRequest{mergeSHA: "h2", headSHA: "h2", mergeParents: 1, commits: two}, "fast_forward"},
		{"nobody knows what landed", pullRequest{mergeSHA: "m", mergeParents: 1, commits: two}, ""},
		{"nobody knows the parents", pullRequest{mergeSHA: "m", commits: two}, ""},
		{"no commit", pullRequest{headSHA: ""}, ""},
	} {
		if got := tc.pr.mergeMethod(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestTheStatusOfARun(t *testing.T) {
	for _, tc := range []struct{ status, conclusion, want string }{
		{"queued", "", "queued"}, {"requested", "", "queued"}, {"waiting", "", "queued"}, {"pending", "", "queued"}, {"", "", "queued"},
		{"in_progress", "", "in_progress"}, {"completed", "", "in_progress"},
		{"completed", "success", "succeeded"},
		{"completed", "failure", "failed"}, {"completed", "timed_out", "failed"}, {"completed", "startup_failure", "failed"},
		{"completed", "cancelled", "cancelled"}, {"completed", "stale", "cancelled"},
		{"completed", "skipped", "skipped"}, {"completed", "neutral", "skipped"}, {"completed", "something new", "skipped"},
		{"completed", "action_required", "queued"},
	} {
		if got := runStatus(tc.status, tc.conclusion); got != tc.want {
			t.Errorf("%s %s is %s, want %s", tc.status, tc.conclusion, got, tc.want)
		}
	}
}

func TestARunIsQueuedSinceItsAttemptAndFinishedWhenItEnded(t *testing.T) {
	tr := translating(t, rules.Config{})
	stamp := func(minutes int) *github.Timestamp { return &github.Timestamp{Time: at(minutes)} }
	for _, tc := range []struct {
		name               string
		run                github.WorkflowRun
		queued, start, end time.Time
	}{
		{"the first attempt runs", github.WorkflowRun{Status: github.String("in_progress"), CreatedAt: stamp(0), RunStartedAt: stamp(1), UpdatedAt: stamp(2)}, at(0), at(1), time.Time{}},
		{"it waits", github.WorkflowRun{Status: github.String("queued"), CreatedAt: stamp(0), RunStartedAt: stamp(0), UpdatedAt: stamp(0)}, at(0), time.Time{}, time.Time{}},
		{"the second attempt ended", github.WorkflowRun{RunAttempt: github.Int(2), Status: github.String("completed"), Conclusion: github.String("failure"),
			CreatedAt: stamp(0), RunStartedAt: stamp(30), UpdatedAt: stamp(40)}, at(30), at(30), at(40)},
		{"clocks disagree", github.WorkflowRun{Status: github.String("completed"), Conclusion: github.String("success"), CreatedAt: stamp(0), RunStartedAt: stamp(9), UpdatedAt: stamp(8)}, at(0), at(9), at(9)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tr.run("acme/shop", &tc.run)
			if !got.QueuedAt.Equal(tc.queued) || !got.StartedAt.Equal(tc.start) || !got.FinishedAt.Equal(tc.end) {
				t.Errorf("queued %s, started %s, finished %s", got.QueuedAt, got.StartedAt, got.FinishedAt)
			}
			if !got.UpdatedAt.Equal(tc.run.UpdatedAt.Time) {
				t.Errorf("told as of %s", got.UpdatedAt)
			}
		})
	}
}

func TestTheStatusesOfADeployment(t *testing.T) {
	for _, tc := range []struct {
		name           string
		statuses       []deploymentStatus
		status         string
		start, end, as time.Time
	}{
		{"none", nil, "pending", time.Time{}, time.Time{}, at(0)},
		{"it waits", []deploymentStatus{{state: "queued", created: at(1)}, {state: "WAITING", created: at(2)}}, "pending", time.Time{}, time.Time{}, at(0)},
		{"it runs", []deploymentStatus{{state: "in_progress", created: at(2)}, {state: "queued", created: at(1)}}, "in_progress", at(2), time.Time{}, at(0)},
		{"it succeeded", []deploymentStatus{{state: "IN_PROGRESS", created: at(2)}, {state: "SUCCESS", created: at(3)}}, "succeeded", at(2), at(3), at(3)},
		{"it failed", []deploymentStatus{{state: "failure", created: at(3)}}, "failed", time.Time{}, at(3), at(3)},
		{"it went wrong", []deploymentStatus{{state: "error", created: at(3)}}, "failed", time.Time{}, at(3), at(3)},
		{"a newer one took its place a week later", []deploymentStatus{{state: "success", created: at(3)}, {state: "inactive", created: at(9000)}}, "succeeded", time.Time{}, at(3), at(3)},
		{"a newer one took its place before it ended", []deploymentStatus{{state: "in_progress", created: at(1)}, {state: "inactive", created: at(2)}}, "cancelled", at(1), time.Time{}, at(0)},
		{"an end is an end", []deploymentStatus{{state: "success", created: at(3)}, {state: "in_progress", created: at(4)}, {state: "pending", created: at(5)}}, "succeeded", time.Time{}, at(3), at(3)},
		{"the end is told twice", []deploymentStatus{{state: "success", created: at(3)}, {state: "success", created: at(5)}}, "succeeded", time.Time{}, at(3), at(5)},
		{"it failed, then it was tried again", []deploymentStatus{{state: "failure", created: at(3)}, {state: "success", created: at(6)}}, "succeeded", time.Time{}, at(6), at(6)},
		{"it succeeded, then a check failed", []deploymentStatus{{state: "success", created: at(3)}, {state: "failure", created: at(6)}}, "failed", time.Time{}, at(6), at(6)},
		{"it ended in the second of its creation", []deploymentStatus{{state: "success", created: at(0)}}, "succeeded", time.Time{}, at(0), at(0).Add(2 * time.Millisecond)},
		{"it runs after a newer one took its place", []deploymentStatus{{state: "inactive", created: at(1)}, {state: "in_progress", created: at(2)}}, "cancelled", time.Time{}, time.Time{}, at(0)},
		{"in one second, by their ids", []deploymentStatus{{id: 2, state: "in_progress", created: at(3)}, {id: 3, state: "error", created: at(3)}, {id: 1, state: "queued", created: at(3)}}, "failed", at(3), at(3), at(3)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, verdict := translating(t, rules.Config{}).deployment("acme/shop", deployment{id: 9, sha: "c", environment: "production", created: at(0), statuses: tc.statuses})
			if got == nil {
				t.Fatal(verdict.Rule)
			}
			if got.Status != tc.status || !got.StartedAt.Equal(tc.start) || !got.FinishedAt.Equal(tc.end) || !got.UpdatedAt.Equal(tc.as) {
				t.Errorf("%s, started %s, finished %s, told as of %s", got.Status, got.StartedAt, got.FinishedAt, got.UpdatedAt)
			}
			if wrong := event.Validate(got); wrong != nil {
				t.Error(wrong)
			}
		})
	}
}

func TestTheRunOfADeploymentIsReadFromItsLog(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/acme/shop/actions/runs/77/job/5":  "77",
		"https://github.com/acme/infra/actions/runs/78":       "78",
		"https://GitHub.com/acme/shop/actions/runs/77?pr=1":   "77",
		"https://ci.example.org/acme/shop/actions/runs/77":    "",
		"https://github.com/acme/shop/commit/1/checks/2/logs": "",
		"https://github.com/acme/shop/actions/runs/77abc":     "",
		"":    "",
		"://": "",
	} {
		if got := translating(t, rules.Config{}).runOf(address); got != want {
			t.Errorf("%q is the log of run %q, want %q", address, got, want)
		}
	}
}

func TestTheWholeTellingOfAReleaseWinsOverThePartialAndTheReleaseOverThePreRelease(t *testing.T) {
	tr := translating(t, everything)
	release := func(prerelease, whole bool) event.Event {
		sha := ""
		if whole {
			sha = "c"
		}
		d, _ := tr.releaseDeployment("acme/shop", &github.RepositoryRelease{
			ID: github.Int64(1), TagName: github.String("v1"), Prerelease: github.Bool(prerelease), PublishedAt: &github.Timestamp{Time: at(0)}}, sha)
		if !whole {
			partial(d)
		}
		return d
	}
	order := []event.Event{release(true, false), release(true, true), release(false, false), release(false, true)}
	for i := range order[1:] {
		if event.Version(order[i]) >= event.Version(order[i+1]) {
			t.Errorf("telling %d is not older than telling %d", i, i+1)
		}
	}
}

func TestOfSeveralSharedWorkflowsTheOneOnTheGoldenPathCounts(t *testing.T) {
	tr := translating(t, rules.Config{GoldenPaths: []string{"acme/platform/*"}})
	uses := func(paths ...string) *github.WorkflowRun {
		r := &github.WorkflowRun{}
		for _, p := range paths {
			r.ReferencedWorkflows = append(r.ReferencedWorkflows, &github.ReferencedWorkflow{Path: github.String(p)})
		}
		return r
	}
	for _, tc := range []struct {
		run  *github.WorkflowRun
		want [2]string
	}{
		{uses("acme/a/x.yml@main", "acme/platform/d.yml@v1"), [2]string{"acme/platform/d.yml@v1", "golden_path"}},
		{uses("acme/a/x.yml@main", "acme/b/x.yml@main"), [2]string{"acme/a/x.yml@main", "own"}},
		{uses(), [2]string{"", ""}},
	} {
		run := tr.run("acme/shop", tc.run)
		if got := [2]string{run.Template, run.Way}; got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	if way := translating(t, rules.Config{}).run("acme/shop", uses("acme/a/x.yml@main")).Way; way != "" {
		t.Errorf("without a golden path the way is %q, want unknown", way)
	}
}

func TestServicesAreThoseOfTheRulesAndTheOneThatIsDeployed(t *testing.T) {
	tr := translating(t, rules.Config{Services: []rules.ServiceRule{
		{Repository: "acme/mono", Service: "cart", Paths: []string{"cart"}}, {Repository: "acme/mono", Service: "shop", Paths: []string{"shop"}},
	}})
	first := event.Telling{Source: "github", UpdatedAt: time.UnixMilli(0).UTC()}
	want := []*event.Service{
		{Telling: first, ID: "cart", Name: "cart", Repositories: []event.ServiceRepository{{Repository: "acme/mono", Paths: []string{"cart"}}}},
		{Telling: first, ID: "shop", Name: "shop", Repositories: []event.ServiceRepository{{Repository: "acme/mono", Paths: []string{"shop"}}}},
		{Telling: first, ID: "tools", Name: "tools", Repositories: []event.ServiceRepository{{Repository: "acme/mono"}}},
	}
	if diff := cmp.Diff(want, tr.services("acme/mono", "shop", "tools", "")); diff != "" {
		t.Error(diff)
	}
}

func TestABotIsWrittenInOneWay(t *testing.T) {
	tr := translating(t, rules.Config{})
	rest := tr.person(&github.User{Login: github.String("dependabot[bot]"), Type: github.String("Bot"), ID: github.Int64(49699333)})
	graph := tr.person(&github.User{Login: github.String("dependabot"), Type: github.String("Bot"), ID: github.Int64(49699333)})
	if diff := cmp.Diff(rest, graph); diff != "" || !rest.Bot {
		t.Error(diff)
	}
	if !same("dependabot", "Dependabot[bot]") || same("dependabot", "renovate[bot]") {
		t.Error("logins are not compared as GitHub does")
	}
}

func TestAPersonIsKnownByTheAddressesOfItsCommits(t *testing.T) {
	got := translating(t, rules.Config{}).person(&github.User{
		Login: github.String("Ada"), ID: github.Int64(7), Name: github.String("Ada L."), Email: github.String("Ada@acme.org"), UpdatedAt: &github.Timestamp{Time: at(1)},
	})
	want := &event.Person{
		Telling: event.Telling{Source: "github", UpdatedAt: at(1)}, ID: "Ada", Name: "Ada L.",
		Aliases: []string{"7+ada@users.noreply.github.com", "ada@users.noreply.github.com", "ada@acme.org"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPreReleaseIsReadFromTheTag(t *testing.T) {
	for tag, want := range map[string]bool{
		"v1.2.3-rc.1": true, "1.2.3-beta": true, "shop/v1.2.3-rc1": true, "shop@1.2.3-0": true, "shop-v1.2.3-rc1": true,
		"v1.2.3": false, "v1.2.3+build-7": false, "release-2026": false, "shop-1.2.3": false, "2026-01-05": false,
	} {
		if got := prerelease.MatchString(tag); got != want {
			t.Errorf("%s is a pre-release: %v, want %v", tag, got, want)
		}
	}
}

// shuffled repeats and shuffles facts.
func shuffled(t *rapid.T, facts []event.Event) []event.Event {
	facts = append(slices.Clone(facts), rapid.SliceOf(rapid.SampledFrom(facts)).Draw(t, "again")...)
	return rapid.Permutation(facts).Draw(t, "order")
}

func TestAnyOrderOfADeploymentsStatusesEndsInTheSameTelling(t *testing.T) {
	tr := translating(t, rules.Config{})
	r := receiver(t, rules.Config{}, true)
	states := []string{"queued", "pending", "in_progress", "success", "failure", "error", "inactive"}
	rapid.Check(t, func(t *rapid.T) {
		var statuses []deploymentStatus
		var heard, facts []event.Event // what deliveries tell, and what readings between them tell
		now := at(0)
		whole := func() *event.Deployment {
			d, _ := tr.deployment("acme/shop", deployment{
				id: 9, sha: "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", ref: "hotfix/login", task: "deploy:rollback", environment: "prod-eu",
				creator: "github-actions", creatorIsBot: true, created: at(0), statuses: rapid.Permutation(statuses).Draw(t, "as listed"),
			})
			return d
		}
		for id := range rapid.IntRange(1, 6).Draw(t, "statuses") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
			state := rapid.SampledFrom(states).Draw(t, "state")
			statuses = append(statuses, deploymentStatus{id: int64(id + 1), state: state, created: now, logURL: "https://github.com/acme/shop/actions/runs/77/job/5"})
			for _, e := range hear(t, r, "deployment_status", deploymentStatusBody(id+1, state, now.Format(time.RFC3339))).Facts {
				if e.Kind() == event.KindDeployment {
					heard = append(heard, e)
				}
			}
			if rapid.Bool().Draw(t, "read meanwhile") {
				facts = append(facts, whole())
			}
		}
		final := whole()
		const key = "deployment acme/shop deployment:9 1"
		if len(heard) > 0 && (final.Status == "succeeded" || final.Status == "failed") {
			if told := winners(shuffled(t, heard))[key].(*event.Deployment); told.Status != final.Status {
				t.Errorf("without a reader it ends as %s, want %s", told.Status, final.Status)
			}
		}
		facts = append(facts, heard...)
		facts = append(facts, final)
		got := winners(shuffled(t, facts))[key]
		if diff := cmp.Diff(event.Event(final), got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnyOrderOfARunsEventsEndsInTheSameTelling(t *testing.T) {
	r := receiver(t, everything, true)
	rapid.Check(t, func(t *rapid.T) {
		now := at(0)
		var facts, last []event.Event
		for _, step := range []string{`"queued"`, `"in_progress"`, `"completed"`} {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
			conclusion := "null"
			if step == `"completed"` {
				conclusion = rapid.SampledFrom([]string{`"success"`, `"failure"`, `"cancelled"`}).Draw(t, "conclusion")
			}
			body := fmt.Sprintf(`{"repository":{"id":1,"full_name":"acme/shop"},"workflow_run":{"id":77,"name":"Manually","status":%s,"conclusion":%s,
				"created_at":%q,"run_started_at":%q,"updated_at":%q}}`, step, conclusion, at(0).Format(time.RFC3339), at(0).Format(time.RFC3339), now.Format(time.RFC3339))
			last = hear(t, r, "workflow_run", []byte(body)).Facts
			facts = append(facts, last...)
		}
		if diff := cmp.Diff(winners(last), winners(shuffled(t, append(facts, last...)))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnyOrderOfAnIssuesEventsEndsInTheSameTelling(t *testing.T) {
	r := receiver(t, everything, true)
	rapid.Check(t, func(t *rapid.T) {
		now := at(0)
		labels := map[string]bool{"bug": true}
		state, reason := "open", ""
		var facts []event.Event
		var last event.Event
		say := func(action string, label string) {
			names := []map[string]string{}
			for name, on := range labels {
				if on {
					names = append(names, map[string]string{"name": name})
				}
			}
			issue := map[string]any{"number": 1, "title": "Down", "state": state, "state_reason": reason, "created_at": at(0), "updated_at": now, "labels": names}
			if state == "closed" {
				issue["closed_at"] = now
			}
			body, err := json.Marshal(map[string]any{
				"action": action, "label": map[string]string{"name": label}, "issue": issue, "repository": map[string]any{"id": 1, "full_name": "acme/shop"},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range hear(t, r, "issues", body).Facts {
				facts, last = append(facts, e), e
			}
		}
		say("opened", "")
		for range rapid.IntRange(1, 6).Draw(t, "events") {
			now = now.Add(time.Second)
			switch rapid.SampledFrom([]string{"close", "reopen", "label", "unlabel", "edit"}).Draw(t, "event") {
			case "close":
				state, reason = "closed", rapid.SampledFrom([]string{"completed", "not_planned"}).Draw(t, "reason")
				say("closed", "")
			case "reopen":
				state, reason = "open", "reopened"
				say("reopened", "")
			case "label":
				labels["bug"] = true
				say("labeled", "bug")
			case "unlabel":
				if labels["bug"] {
					labels["bug"] = false
					say("unlabeled", "bug")
				}
			case "edit":
				say("edited", "")
			}
		}
		if rapid.Bool().Draw(t, "deleted") { // which is no change of the issue
			say("deleted", "")
		}
		got := winners(shuffled(t, facts))["incident acme/shop#1"]
		if diff := cmp.Diff(last, got); diff != "" {
			t.Error(diff)
		}
	})
}
