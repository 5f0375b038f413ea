package github

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/prismtest"
	"cairn/internal/rules"
)

// example is one of GitHub's own examples of a webhook.
type example struct {
	from    string // github.com, or a version of GitHub Enterprise Server
	name    string // of the event
	payload []byte
}

// examples returns those of the npm package that testdata/examples pins. They are installed once, into the cache of the
// repository.
func examples(t *testing.T) []example {
	t.Helper()
	dir := filepath.Join(prismtest.Install(t, filepath.Join("testdata", "examples"), "github-examples"), "node_modules", "@octokit", "webhooks-examples")
	files, err := fs.Glob(os.DirFS(dir), "*/index.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no examples: %v", dir, err)
	}
	var all []example
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var events []struct {
			Name     string
			Examples []json.RawMessage
		}
		if err := json.Unmarshal(text, &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			for _, payload := range e.Examples {
				all = append(all, example{from: filepath.Dir(file), name: e.Name, payload: payload})
			}
		}
	}
	return all
}

// situation names what a payload is an example of: the event, its action, and where that matters its state.
func (x example) situation(t *testing.T) string {
	t.Helper()
	var p struct {
		Action  string
		Ref     string
		Deleted bool
		Status  struct{ State string } `json:"deployment_status"`
		Release struct{ Draft bool }
		Run     struct{ Name string } `json:"workflow_run"`
		Label   struct{ Name string }
		Issue   struct {
			Labels      []struct{ Name string }
			PullRequest any `json:"pull_request"`
		}
	}
	if !uncounted(x.name) { // those have payloads of any form
		if err := json.Unmarshal(x.payload, &p); err != nil {
			t.Fatal(err)
		}
	}
	words := []string{x.name, p.Action}
	switch x.name {
	case "push":
		words = append(words, strings.Split(p.Ref, "/")[1])
		if p.Deleted {
			words = append(words, "deleted")
		}
	case "deployment_status":
		words = append(words, p.Status.State)
	case "release":
		if p.Release.Draft {
			words = append(words, "draft")
		}
	case "workflow_run":
		if strings.HasPrefix(p.Run.Name, "Manually") {
			words = append(words, "named")
		}
	}
	if p.Issue.PullRequest != nil {
		words = append(words, "of a pull request")
	} else if x.name == "issues" && (p.Label.Name == "bug" || slices.ContainsFunc(p.Issue.Labels, func(l struct{ Name string }) bool { return l.Name == "bug" })) {
		words = append(words, "of a bug")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// becomes says in words what a delivery becomes: the kinds of facts, the kinds of lists that are woken, or the reason why
// there is nothing.
func (x example) becomes(t *testing.T, r *Receiver) string {
	t.Helper()
	heard := hear(t, r, x.name, x.payload)
	var told, woken, parts []string
	for _, e := range heard.Facts {
		told = append(told, e.Kind())
	}
	for _, w := range heard.Wakes {
		kind := w.Stream[strings.LastIndexByte(w.Stream, '/')+1:]
		if w.Subject != "" {
			kind = "one of " + kind
		}
		woken = append(woken, kind)
	}
	if len(told) > 0 {
		parts = append(parts, "tells "+strings.Join(told, ", "))
	}
	if len(woken) > 0 {
		parts = append(parts, "wakes "+strings.Join(woken, ", "))
	}
	if heard.Ignored != "" {
		parts = append(parts, "ignored: "+heard.Ignored)
	}
	return strings.Join(parts, "; ")
}

// outcome is what becomes of a delivery with a credential, and without one.
type outcome struct{ reads, blind string }

// Outcomes that several examples have.
var (
	unheard       = outcome{"ignored: " + ignoredEvent, ""}
	deploys       = outcome{"tells service, deployment; wakes one of deployments", "tells repository, service, deployment"}
	releases      = outcome{"tells service, deployment; wakes one of releases", "tells repository, service, deployment"}
	runs          = outcome{"tells pipeline_run", "tells repository, pipeline_run"}
	jobs          = outcome{"tells service, deployment", "tells repository, service, deployment"}
	changes       = outcome{"wakes one of changes", "tells repository, change_request"}
	idles         = outcome{"ignored: " + ignoredChange, ""}
	reviews       = outcome{"wakes one of changes", "ignored: " + ignoredReview}
	incidents     = outcome{"tells incident", "tells repository, incident"}
	noIncident    = outcome{"ignored: " + ignoredIssue, ""}
	repositories  = outcome{"tells repository; wakes repositories", "tells repository"}
	installations = outcome{"wakes repositories", "ignored: " + ignoredInstallation}
	teams         = outcome{"wakes teams", "ignored: " + ignoredTeams}
	refs          = outcome{"wakes commits", "ignored: " + ignoredByPush}
)

// outcomes names what becomes of each of GitHub's examples, by rules under which all that can be a deployment is one,
// and every bug an incident.
var outcomes = map[string]outcome{
	"push heads":        {"tells service, deployment; wakes commits", "tells repository, branch, service, deployment"},
	"push tags":         {"tells service, deployment; wakes commits", "tells repository, service, deployment"},
	"push tags deleted": {"ignored: " + ignoredTagDeleted, ""},
	"create":            refs,
	"delete":            refs,

	"deployment":                            deploys,
	"deployment created":                    deploys,
	"deployment_status success":             deploys,
	"deployment_status created success":     deploys,
	"deployment_status created in_progress": deploys,
	"release created":                       releases,
	"release edited":                        releases,
	"release published":                     releases,
	"release prereleased":                   releases,
	"release released":                      releases,
	"release deleted":                       {"ignored: " + ignoredReleaseGone, ""},

	"workflow_run requested":       runs,
	"workflow_run completed":       runs,
	"workflow_run completed named": {"tells pipeline_run, service, deployment", "tells repository, pipeline_run, service, deployment"},
	"workflow_job queued":          jobs,
	"workflow_job waiting":         jobs,
	"workflow_job in_progress":     jobs,
	"workflow_job completed":       jobs,

	"pull_request opened":                 changes,
	"pull_request synchronize":            changes,
	"pull_request labeled":                changes,
	"pull_request unlabeled":              changes,
	"pull_request converted_to_draft":     changes,
	"pull_request ready_for_review":       changes,
	"pull_request closed":                 changes,
	"pull_request reopened":               changes,
	"pull_request assigned":               idles,
	"pull_request unassigned":             idles,
	"pull_request locked":                 idles,
	"pull_request unlocked":               idles,
	"pull_request review_requested":       idles,
	"pull_request review_request_removed": idles,
	"pull_request_review submitted":       reviews,
	"pull_request_review dismissed":       reviews,

	"issues opened of a bug":                incidents,
	"issues edited of a bug":                incidents,
	"issues labeled of a bug":               incidents,
	"issues unlabeled of a bug":             incidents,
	"issues reopened of a bug":              incidents,
	"issues deleted of a bug":               incidents,
	"issues assigned of a bug":              incidents,
	"issues unassigned of a bug":            incidents,
	"issues locked of a bug":                incidents,
	"issues unlocked of a bug":              incidents,
	"issues milestoned of a pull request":   noIncident,
	"issues demilestoned of a pull request": noIncident,
	"issues opened":                         noIncident,
	"issues assigned":                       noIncident,
	"issues pinned":                         noIncident,
	"issues unpinned":                       noIncident,
	"issues transferred":                    noIncident,

	"public":                                repositories,
	"repository created":                    repositories,
	"repository edited":                     repositories,
	"repository renamed":                    repositories,
	"repository transferred":                repositories,
	"repository publicized":                 repositories,
	"repository privatized":                 repositories,
	"repository deleted":                    repositories,
	"installation created":                  installations,
	"installation deleted":                  installations,
	"installation suspend":                  installations,
	"installation unsuspend":                installations,
	"installation new_permissions_accepted": installations,
	"installation_repositories added":       installations,
	"installation_repositories removed":     installations,
	"team_add":                              teams,
	"team created":                          teams,
	"team edited":                           teams,
	"team deleted":                          teams,
	"team added_to_repository":              teams,
	"team removed_from_repository":          teams,
	"membership added":                      teams,
	"membership removed":                    teams,
	"member added":                          teams,
	"member edited":                         teams,
	"organization member_added":             teams,
	"organization member_invited":           teams,
	"organization member_removed":           teams,
	"organization renamed":                  {"wakes repositories, teams", "ignored: " + ignoredTeams},

	"ping":                           {"ignored: " + ignoredPing, ""},
	"branch_protection_rule":         unheard,
	"cache_sync":                     unheard,
	"check_run":                      unheard,
	"check_suite":                    unheard,
	"code_scanning_alert":            unheard,
	"commit_comment":                 unheard,
	"content_reference":              unheard,
	"dependabot_alert":               unheard,
	"deploy_key":                     unheard,
	"deployment_review":              unheard,
	"discussion":                     unheard,
	"discussion_comment":             unheard,
	"enterprise":                     unheard,
	"fork":                           unheard,
	"github_app_authorization":       unheard,
	"gollum":                         unheard,
	"issue_comment":                  unheard,
	"label":                          unheard,
	"marketplace_purchase":           unheard,
	"merge_group":                    unheard,
	"meta":                           unheard,
	"milestone":                      unheard,
	"org_block":                      unheard,
	"package":                        unheard,
	"page_build":                     unheard,
	"project":                        unheard,
	"project_card":                   unheard,
	"project_column":                 unheard,
	"projects_v2_item":               unheard,
	"pull_request_review_comment":    unheard,
	"pull_request_review_thread":     unheard,
	"repository_dispatch":            unheard,
	"repository_import":              unheard,
	"repository_vulnerability_alert": unheard,
	"secret_scanning_alert":          unheard,
	"secret_scanning_alert_location": unheard,
	"security_advisory":              unheard,
	"sponsorship":                    unheard,
	"star":                           unheard,
	"status":                         unheard,
	"user":                           unheard,
	"watch":                          unheard,
	"workflow_dispatch":              unheard,
}

func TestEachOfGitHubsExamplesBecomesWhatTheTableSays(t *testing.T) {
	reads, blind := receiver(t, everything, true), receiver(t, everything, false)
	met := map[string]bool{}
	for _, x := range examples(t) {
		s := x.situation(t)
		want, ok := outcomes[s]
		if !ok {
			t.Errorf("%s: the table does not name %q: %q, %q", x.from, s, x.becomes(t, reads), x.becomes(t, blind))
			continue
		}
		met[s] = true
		if want.blind == "" {
			want.blind = want.reads
		}
		if got := (outcome{x.becomes(t, reads), x.becomes(t, blind)}); got != want {
			t.Errorf("%s: %s\nbecomes %q, %q\nwant    %q, %q", x.from, s, got.reads, got.blind, want.reads, want.blind)
		}
	}
	for s := range outcomes {
		if !met[s] {
			t.Errorf("no example is %q", s)
		}
	}
}

func TestNeitherOrderNorRepetitionOfGitHubsExamplesMatters(t *testing.T) {
	all := examples(t)
	for _, r := range []*Receiver{receiver(t, everything, true), receiver(t, everything, false)} {
		var once, again []event.Event
		for _, x := range all {
			once = append(once, hear(t, r, x.name, x.payload).Facts...)
		}
		for i := range all {
			x := all[len(all)-1-i]
			for range 2 {
				again = append(again, hear(t, r, x.name, x.payload).Facts...)
			}
		}
		if diff := cmp.Diff(winners(once), winners(again)); diff != "" || len(once) == 0 {
			t.Error(len(once), diff)
		}
	}
}

// By the default rules only what GitHub calls a deployment is one.
func TestByTheDefaultRulesOnlyDeploymentsOfGitHubDeploy(t *testing.T) {
	r := receiver(t, rules.Config{}, true)
	n := 0
	for _, x := range examples(t) {
		for _, e := range hear(t, r, x.name, x.payload).Facts {
			if d, ok := e.(*event.Deployment); ok {
				n++
				if !strings.HasPrefix(d.ID, "deployment:") {
					t.Errorf("%s tells %s", x.situation(t), d.ID)
				}
			}
		}
	}
	if n == 0 {
		t.Error("no example is a deployment")
	}
}
