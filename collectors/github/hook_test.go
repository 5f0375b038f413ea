package github

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/sharedtest"
	"cairn/internal/source"
)

const secret = "a secret of the webhook"

// everything are rules by which all that can be a deployment is one.
var everything = rules.Config{
	Deployments: []rules.DeploymentRule{
		{Repository: "*", From: rules.FromDeployment},
		{Repository: "*", From: rules.FromWorkflow, Name: "Manually*"},
		{Repository: "*", From: rules.FromJob},
		{Repository: "*", From: rules.FromRelease},
		{Repository: "*", From: rules.FromTag},
		{Repository: "*", From: rules.FromBranch, Name: "ma*"},
	},
	Incidents: rules.IncidentRule{Labels: []string{"bug"}},
}

func compiled(t testing.TB, cfg rules.Config) *rules.Rules {
	t.Helper()
	r, err := rules.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// receiver hears all repositories under their full names, except those whose names begin with secret-.
func receiver(t testing.TB, cfg rules.Config, reads bool) *Receiver {
	t.Helper()
	r, err := newReceiver(translator{source: "github", rules: compiled(t, cfg), host: "github.com"}, hears{
		secrets: []string{secret},
		reads:   reads,
		lists:   func(string, string) bool { return true },
		repository: func(_ int64, fullName string) (string, bool) {
			return fullName, !strings.Contains(fullName, "/secret-")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sign makes the headers of a delivery.
func sign(body []byte, name, secret string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("X-GitHub-Event", name)
	h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	h.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

// hear takes a body all the way.
func hear(t interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}, r *Receiver, name string, body []byte) source.Heard {
	t.Helper()
	h := sign(body, name, secret)
	if err := r.Verify(h, body, time.Time{}); err != nil {
		t.Fatal(err)
	}
	heard, err := r.Hear(r.Describe(h, body))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range heard.Facts {
		if wrong := event.Validate(e); wrong != nil {
			t.Errorf("%s: %v", name, wrong)
		}
		if e.Common().Source != "github" || e.Common().UpdatedAt.IsZero() {
			t.Errorf("%s: %s is told by %q as of %s", name, e.Kind(), e.Common().Source, e.Common().UpdatedAt)
		}
	}
	if (len(heard.Facts)+len(heard.Wakes) == 0) != (heard.Ignored != "") {
		t.Errorf("%s: %d facts, %d wakes, ignored %q", name, len(heard.Facts), len(heard.Wakes), heard.Ignored)
	}
	return heard
}

// key is the identity of a fact.
func key(e event.Event) string {
	text := e.Kind()
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("key") == "true" {
			text += fmt.Sprintf(" %v", v.Field(i).Interface())
		}
	}
	return text
}

// winners are the tellings that are known after all of the facts, in whatever order they came.
func winners(facts []event.Event) map[string]event.Event {
	known := map[string]event.Event{}
	for _, e := range facts {
		if before, ok := known[key(e)]; !ok || event.Version(e) > event.Version(before) {
			known[key(e)] = e
		}
	}
	return known
}

func TestOnlyWhatIsSignedWithASecretIsHeard(t *testing.T) {
	body := []byte(`{"zen":"Design for failure."}`)
	r, err := newReceiver(translator{}, hears{secrets: []string{"old", "new"}})
	if err != nil {
		t.Fatal(err)
	}
	old := hmac.New(sha1.New, []byte("new"))
	old.Write(body)
	twice := sign(body, "ping", "new")
	twice.Add("X-Hub-Signature-256", twice.Get("X-Hub-Signature-256"))
	upper := sign(body, "ping", "new")
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		heard  bool
	}{
		{"signed with the first secret", sign(body, "ping", "old"), string(body), true},
		{"signed with the second secret", sign(body, "ping", "new"), string(body), true},
		{"signed with another secret", sign(body, "ping", "other"), string(body), false},
		{"signed with an empty secret", sign(body, "ping", ""), string(body), false},
		{"another body", sign(body, "ping", "new"), string(body) + " ", false},
		{"an empty body", sign(body, "ping", "new"), "", false},
		{"no signature", http.Header{}, string(body), false},
		{"an empty signature", http.Header{"X-Hub-Signature-256": {""}}, string(body), false},
		{"a prefix alone", http.Header{"X-Hub-Signature-256": {"sha256="}}, string(body), false},
		{"without the prefix", http.Header{"X-Hub-Signature-256": {strings.TrimPrefix(upper.Get("X-Hub-Signature-256"), "sha256=")}}, string(body), false},
		{"half of the signature", http.Header{"X-Hub-Signature-256": {upper.Get("X-Hub-Signature-256")[:39]}}, string(body), false},
		{"SHA-1 alone", http.Header{"X-Hub-Signature": {"sha1=" + hex.EncodeToString(old.Sum(nil))}}, string(body), false},
		{"SHA-1 in the place of SHA-256", http.Header{"X-Hub-Signature-256": {"sha1=" + hex.EncodeToString(old.Sum(nil))}}, string(body), false},
		{"two signatures", twice, string(body), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := r.Verify(tc.header, []byte(tc.body), time.Time{})
			if tc.heard != (err == nil) || err != nil && fault.KindOf(err) != fault.Denied {
				t.Errorf("the delivery is heard: %v (%v), want %v", err == nil, err, tc.heard)
			}
		})
	}
}

func TestThereIsNoReceiverWithoutASecret(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}, {"fine", ""}} {
		if _, err := newReceiver(translator{}, hears{secrets: secrets}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("secrets %q: %v, want a fault.Invalid", secrets, err)
		}
	}
}

func TestSignaturesAreThoseOfGitHub(t *testing.T) {
	text, err := os.ReadFile(sharedtest.Path(t, "payloads", "signatures", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ System, Header, Secret, Body, Expect string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range vectors {
		if v.System != "github" {
			continue
		}
		n++
		r, err := newReceiver(translator{}, hears{secrets: []string{v.Secret}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(http.Header{http.CanonicalHeaderKey(v.Header): {v.Expect}}, []byte(v.Body), time.Time{}); err != nil {
			t.Errorf("%q signed with %q: %v", v.Body, v.Secret, err)
		}
	}
	if n < 2 {
		t.Errorf("%d vectors are GitHub's, want 2 or more", n)
	}
}

func TestADeliveryCarriesWhatHasMeaningAndNoSecret(t *testing.T) {
	r := receiver(t, rules.Config{}, true)
	body := []byte(`{}`)
	h := sign(body, "push", secret)
	h.Set("Authorization", "Bearer x")
	h.Set("X-GitHub-Hook-ID", "292430182")
	got := r.Describe(h, body)
	want := source.Delivery{
		Source: "github", ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Event: "push", Body: body,
		Header: http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {"push"},
			"X-Github-Delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"}, "X-Github-Hook-Id": {"292430182"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h.Del("X-GitHub-Delivery")
	if a, b := r.Describe(h, body).ID, r.Describe(h, []byte(`{ }`)).ID; len(a) != 64 || a == b {
		t.Errorf("ids without a header are %q and %q, want two hashes", a, b)
	}
}

const run = `{"action":"completed","repository":{"id":1,"full_name":"acme/shop","updated_at":"2026-01-05T10:00:00Z"},
	"workflow_run":{"id":77,"run_attempt":2,"name":"Deploy","head_branch":"main","head_sha":"5779607b49aab1200488439f02372c57b4f75444",
	"status":"completed","conclusion":"success","created_at":"2026-01-05T09:00:00Z","run_started_at":"2026-01-05T10:00:00Z",
	"updated_at":"2026-01-05T10:05:00Z","html_url":"https://github.com/acme/shop/actions/runs/77","actor":{"login":"ada","type":"User"},
	"triggering_actor":{"login":"renovate","type":"Bot"},
	"referenced_workflows":[{"path":"acme/own/.github/workflows/x.yml@main"},{"path":"acme/platform/.github/workflows/deploy.yml@v1"}]}}`

func TestAFormIsHeardLikeJSON(t *testing.T) {
	r := receiver(t, rules.Config{}, true)
	form := []byte(url.Values{"payload": {run}}.Encode())
	h := sign(form, "workflow_run", secret)
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := r.Verify(h, form, time.Time{}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Hear(r.Describe(h, form))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hear(t, r, "workflow_run", []byte(run)), got); diff != "" || len(got.Facts) == 0 {
		t.Error("a form tells something else", diff)
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if _, err := r.Hear(r.Describe(h, []byte("payloads=1"))); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a form without payload: %v, want a fault.Invalid", err)
	}
}

func TestWhatCannotBeUnderstoodIsAnError(t *testing.T) {
	r := receiver(t, everything, true)
	for _, name := range []string{
		"push", "create", "delete", "pull_request", "pull_request_review", "workflow_run", "workflow_job", "deployment",
		"deployment_status", "release", "issues", "repository", "public", "team", "installation",
	} {
		for _, body := range []string{``, `nonsense`, `[]`, `{"repository":7}`, `{"repository":{"id":1,"full_name":"acme/shop"}`} {
			if (name == "team" || name == "installation") && strings.HasPrefix(body, `{"repository":7`) {
				continue // of these only that they came matters
			}
			_, err := r.Hear(source.Delivery{Event: name, Body: []byte(body)})
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %s: %v, want a fault.Invalid", name, body, err)
			}
		}
	}
	if _, err := r.Hear(source.Delivery{Body: []byte(`{}`)}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a delivery without an event: %v, want a fault.Invalid", err)
	}
}

func TestAFactThatIntakeWouldRefuseIsAnError(t *testing.T) {
	body := strings.Replace(run, "2026-01-05T10:05:00Z", "0001-01-05T10:05:00Z", 1)
	heard, err := receiver(t, everything, true).Hear(source.Delivery{Event: "workflow_run", Body: []byte(body)})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("%d facts and %v, want a fault.Invalid", len(heard.Facts), err)
	}
}

func TestWhatIsIgnoredHasAReason(t *testing.T) {
	for _, tc := range []struct {
		name, event, body string
		rules             rules.Config
		blind             bool // no credential
		want              string
	}{
		{name: "ping", event: "ping", body: `{"zen":"Speak like a human."}`, want: ignoredPing},
		{name: "an event without numbers in it", event: "star", body: `{}`, want: ignoredEvent},
		{name: "an event that is not parsed", event: "sponsorship", body: `nonsense`, want: ignoredEvent},
		{name: "a new event", event: "moon_landing", body: `{}`, want: ignoredUnknown},
		{name: "a repository that is left out", event: "workflow_run", body: strings.Replace(run, "acme/shop", "acme/secret-shop", 1), want: ignoredLeftOut},
		{name: "a job by the default rules", event: "workflow_job",
			body: `{"repository":{"id":1,"full_name":"acme/shop"},"workflow_job":{"id":3,"name":"deploy","started_at":"2026-01-05T10:00:00Z"}}`, want: ignoredJob},
		{name: "a release by the default rules", event: "release",
			body: `{"action":"published","repository":{"id":1,"full_name":"acme/shop"},"release":{"id":3,"tag_name":"v1.0.0","published_at":"2026-01-05T10:00:00Z"}}`, want: ignoredRelease},
		{name: "a draft", event: "release", rules: everything,
			body: `{"action":"created","repository":{"id":1,"full_name":"acme/shop"},"release":{"id":3,"tag_name":"v1.0.0","draft":true}}`, want: ignoredRelease},
		{name: "an issue by the default rules", event: "issues", rules: rules.Config{Incidents: rules.IncidentRule{Labels: []string{"outage"}}},
			body: `{"action":"opened","repository":{"id":1,"full_name":"acme/shop"},"issue":{"number":3,"created_at":"2026-01-05T10:00:00Z","updated_at":"2026-01-05T10:00:00Z"}}`, want: ignoredIssue},
		{name: "a deployment where rules want none", event: "deployment", rules: rules.Config{Deployments: []rules.DeploymentRule{{Repository: "*", From: rules.FromNone}}},
			body: `{"repository":{"id":1,"full_name":"acme/shop"},"deployment":{"id":3,"environment":"production","created_at":"2026-01-05T10:00:00Z"}}`, want: ignoredDeployment},
		{name: "inactive without a credential", event: "deployment_status", blind: true,
			body: `{"repository":{"id":1,"full_name":"acme/shop"},"deployment":{"id":3,"environment":"production","created_at":"2026-01-05T10:00:00Z"},
			"deployment_status":{"id":4,"state":"inactive","created_at":"2026-01-09T10:00:00Z"}}`, want: ignoredInactive},
		{name: "a tag without a credential", event: "push", blind: true,
			body: `{"ref":"refs/tags/v1","after":"5779607b49aab1200488439f02372c57b4f75444","repository":{"id":1,"full_name":"acme/shop","pushed_at":1767607200}}`, want: ignoredTag},
		{name: "a note", event: "push",
			body: `{"ref":"refs/notes/x","after":"5779607b49aab1200488439f02372c57b4f75444","repository":{"id":1,"full_name":"acme/shop","pushed_at":1767607200}}`, want: ignoredRef},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := hear(t, receiver(t, tc.rules, !tc.blind), tc.event, []byte(tc.body))
			if diff := cmp.Diff(source.Heard{Ignored: tc.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPushTellsTheBranch(t *testing.T) {
	const head, before = "6113728f27ae82c7b1a177c8d03f9e96e0adf246", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
	body := func(ref, before, after string) []byte {
		return fmt.Appendf(nil, `{"ref":%q,"before":%q,"after":%q,"deleted":%v,"head_commit":{"id":%q,"timestamp":"2026-01-01T00:00:00+02:00"},
			"sender":{"login":"ada"},"repository":{"id":1,"name":"shop","full_name":"acme/shop","html_url":"https://github.com/acme/shop",
			"default_branch":"main","created_at":1557933565,"updated_at":"2026-01-01T00:00:00Z","pushed_at":1767607200}}`,
			ref, before, after, after == zeros, head)
	}
	pushed := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	told := event.Telling{Source: "github", UpdatedAt: pushed}
	shop := &event.Service{
		Telling: event.Telling{Source: "github", UpdatedAt: time.UnixMilli(0).UTC()}, ID: "acme/shop", Name: "acme/shop",
		Repositories: []event.ServiceRepository{{Repository: "acme/shop"}},
	}
	repository := &event.Repository{
		Telling: event.Telling{Source: "github", UpdatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, ID: "acme/shop", Name: "shop",
		DefaultBranch: "main", URL: "https://github.com/acme/shop",
	}
	revisions := []event.Revision{{Repository: "acme/shop", SHA: head}}
	commits := []source.Wake{{Stream: "acme/shop/commits"}}
	branches := rules.Config{Deployments: []rules.DeploymentRule{{Repository: "*", From: rules.FromBranch, Name: "main"}, {Repository: "*", From: rules.FromTag}}}
	for _, tc := range []struct {
		name  string
		body  []byte
		rules rules.Config
		blind bool
		want  source.Heard
	}{
		{"the default branch", body("refs/heads/main", before, head), rules.Config{}, false, source.Heard{
			Wakes: commits}},
		{"the default branch, without a credential", body("refs/heads/main", before, head), rules.Config{}, true, source.Heard{
			Facts: []event.Event{repository, &event.Branch{Telling: told, Repository: "acme/shop", Name: "main", SHA: head, Default: true}}}},
		{"a branch with slashes, without a credential", body("refs/heads/feature/x", before, head), rules.Config{}, true, source.Heard{
			Facts: []event.Event{repository, &event.Branch{Telling: told, Repository: "acme/shop", Name: "feature/x", SHA: head}}}},
		{"a new branch", body("refs/heads/x", zeros, head), rules.Config{}, false, source.Heard{
			Facts: []event.Event{&event.Branch{Telling: told, Repository: "acme/shop", Name: "x", SHA: head}}, Wakes: commits}},
		{"a deleted branch", body("refs/heads/x", before, zeros), rules.Config{}, false, source.Heard{
			Facts: []event.Event{&event.Branch{Telling: told, Repository: "acme/shop", Name: "x", SHA: before, DeletedAt: pushed}}, Wakes: commits}},
		{"a branch that is deployed", body("refs/heads/main", before, head), branches, false, source.Heard{
			Facts: []event.Event{
				shop,
				&event.Deployment{Telling: told, Service: "acme/shop", ID: "branch:main:" + head, Attempt: 1, Environment: "production", Status: "succeeded",
					CreatedAt: pushed, FinishedAt: pushed, Revisions: revisions, Tool: "github", Actor: "ada", URL: "https://github.com/acme/shop/commit/" + head},
			}, Wakes: commits}},
		{"a tag", body("refs/tags/v1.2.0", zeros, before), branches, false, source.Heard{
			Facts: []event.Event{shop, &event.Deployment{Telling: told, Service: "acme/shop", ID: "tag:v1.2.0", Attempt: 1, Environment: "production", Status: "succeeded",
				CreatedAt: pushed, FinishedAt: pushed, Revisions: revisions, Version: "v1.2.0", Tool: "github", Actor: "ada", URL: "https://github.com/acme/shop/tree/v1.2.0"}},
			Wakes: commits}},
		{"a deleted tag", body("refs/tags/v1.2.0", before, zeros), branches, false, source.Heard{Ignored: ignoredTagDeleted}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := hear(t, receiver(t, tc.rules, !tc.blind), "push", tc.body)
			clearTiers(got.Facts)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const zeros = "0000000000000000000000000000000000000000"

// clearTiers takes away what rules make of an environment, which is theirs to say.
func clearTiers(facts []event.Event) {
	for _, e := range facts {
		if d, ok := e.(*event.Deployment); ok {
			d.Tier = ""
		}
	}
}

func TestARunIsToldWhole(t *testing.T) {
	r := receiver(t, rules.Config{
		Deployments: []rules.DeploymentRule{{Repository: "*", From: rules.FromWorkflow, Name: "Deploy*"}},
		GoldenPaths: []string{"acme/platform/*"},
	}, true)
	got := hear(t, r, "workflow_run", []byte(run))
	clearTiers(got.Facts)
	told := event.Telling{Source: "github", UpdatedAt: time.Date(2026, 1, 5, 10, 5, 0, 0, time.UTC)}
	started := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	const sha, page = "5779607b49aab1200488439f02372c57b4f75444", "https://github.com/acme/shop/actions/runs/77"
	want := source.Heard{Facts: []event.Event{
		&event.PipelineRun{Telling: told, Repository: "acme/shop", ID: "77", Attempt: 2, Name: "Deploy", SHA: sha, Ref: "main", Status: "succeeded",
			QueuedAt: started, StartedAt: started, FinishedAt: told.UpdatedAt, Template: "acme/platform/.github/workflows/deploy.yml@v1", Way: "golden_path", URL: page},
		&event.Service{Telling: event.Telling{Source: "github", UpdatedAt: time.UnixMilli(0).UTC()}, ID: "acme/shop", Name: "acme/shop",
			Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}},
		&event.Deployment{Telling: told, Service: "acme/shop", ID: "run:77", Attempt: 2, Environment: "production", Status: "succeeded",
			CreatedAt: started, StartedAt: started, FinishedAt: told.UpdatedAt, Revisions: []event.Revision{{Repository: "acme/shop", SHA: sha}},
			Way: "golden_path", Tool: "github", Actor: "renovate[bot]", PipelineRun: "77", URL: page},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func deploymentStatusBody(id int, state, at string) []byte {
	return fmt.Appendf(nil, `{"action":"created","repository":{"id":1,"full_name":"acme/shop"},
		"deployment":{"id":9,"sha":"f95f852bd8fca8fcc58a9a2d6c842781e32a215e","ref":"hotfix/login","task":"deploy:rollback","environment":"prod-eu",
		"production_environment":true,"creator":{"login":"github-actions[bot]","type":"Bot"},"created_at":"2026-01-05T10:00:00Z","updated_at":"2026-02-01T00:00:00Z"},
		"deployment_status":{"id":%d,"state":%q,"created_at":%q,"log_url":"https://github.com/acme/shop/actions/runs/77/job/5"}}`, id, state, at)
}

func TestADeploymentStatusIsToldInPartAndReadAgain(t *testing.T) {
	r := receiver(t, rules.Config{Hotfixes: rules.MarkRule{Branches: []string{"hotfix/*"}}}, true)
	got := hear(t, r, "deployment_status", deploymentStatusBody(2, "success", "2026-01-05T10:07:00Z"))
	want := source.Heard{
		Facts: []event.Event{
			&event.Service{Telling: event.Telling{Source: "github", UpdatedAt: time.UnixMilli(0).UTC()}, ID: "acme/shop", Name: "acme/shop",
				Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}},
			&event.Deployment{
				Telling: event.Telling{Source: "github", UpdatedAt: time.Date(2026, 1, 5, 10, 6, 59, 999e6, time.UTC)},
				Service: "acme/shop", ID: "deployment:9", Attempt: 1, Environment: "prod-eu", Status: "succeeded",
				CreatedAt: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), FinishedAt: time.Date(2026, 1, 5, 10, 7, 0, 0, time.UTC),
				Revisions: []event.Revision{{Repository: "acme/shop", SHA: "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"}},
				Rollback:  true, Hotfix: true, Tool: "github", Actor: "github-actions[bot]", PipelineRun: "77",
				URL: "https://github.com/acme/shop/actions/runs/77/job/5",
			},
		},
		Wakes: []source.Wake{{Stream: "acme/shop/deployments", Subject: "9"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = hear(t, r, "deployment_status", deploymentStatusBody(3, "inactive", "2026-02-01T00:00:00Z"))
	if diff := cmp.Diff(source.Heard{Wakes: want.Wakes}, got); diff != "" {
		t.Error("inactive: ", diff)
	}
}

func TestAReleaseIsToldInPartAndReadAgain(t *testing.T) {
	r := receiver(t, everything, true)
	body := func(action string, prerelease bool) []byte {
		return fmt.Appendf(nil, `{"action":%q,"repository":{"id":1,"full_name":"acme/shop"},"release":{"id":5,"tag_name":"v1.4.2","target_commitish":"main",
			"prerelease":%v,"author":{"login":"ada"},"created_at":"2026-01-01T00:00:00Z","published_at":"2026-01-05T10:00:00Z",
			"html_url":"https://github.com/acme/shop/releases/tag/v1.4.2"}}`, action, prerelease)
	}
	got := hear(t, r, "release", body("published", false))
	clearTiers(got.Facts)
	published := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	want := source.Heard{
		Facts: []event.Event{
			&event.Service{Telling: event.Telling{Source: "github", UpdatedAt: time.UnixMilli(0).UTC()}, ID: "acme/shop", Name: "acme/shop",
				Repositories: []event.ServiceRepository{{Repository: "acme/shop"}}},
			&event.Deployment{
				Telling: event.Telling{Source: "github", UpdatedAt: published.Add(2 * time.Millisecond)},
				Service: "acme/shop", ID: "release:5", Attempt: 1, Environment: "production", Status: "succeeded",
				CreatedAt: published, FinishedAt: published, Version: "v1.4.2", Tool: "github", Actor: "ada",
				URL: "https://github.com/acme/shop/releases/tag/v1.4.2",
			},
		},
		Wakes: []source.Wake{{Stream: "acme/shop/releases", Subject: "5"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	early := hear(t, r, "release", body("prereleased", true))
	if e, l := early.Facts[1], got.Facts[1]; event.Version(e) >= event.Version(l) {
		t.Errorf("the pre-release is told as of %s, the release as of %s: want it later", e.Common().UpdatedAt, l.Common().UpdatedAt)
	}
	for _, action := range []string{"deleted", "unpublished"} {
		if diff := cmp.Diff(source.Heard{Ignored: ignoredReleaseGone}, hear(t, r, "release", body(action, false))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnIssueIsAnIncidentByItsLabels(t *testing.T) {
	r := receiver(t, rules.Config{Incidents: rules.IncidentRule{
		Labels: []string{"incident"}, Severity: map[string]string{"sev:1": "critical"}, Service: map[string]string{"service:*": "{1}"},
	}}, true)
	body := func(action, state, reason, updated, labels string) []byte {
		closed := "null"
		if state == "closed" {
			closed = `"2026-01-05T11:00:00Z"`
		}
		return fmt.Appendf(nil, `{"action":%q,"repository":{"id":1,"full_name":"acme/shop"},"label":{"name":"incident"},"issue":{"number":12,"title":"Login is down",
			"state":%q,"state_reason":%q,"created_at":"2026-01-05T10:00:00Z","updated_at":%q,"closed_at":%s,"labels":[%s],
			"html_url":"https://github.com/acme/shop/issues/12"}}`, action, state, reason, updated, closed, labels)
	}
	const labels, others = `{"name":"incident"},{"name":"sev:1"},{"name":"service:login"}`, `{"name":"sev:1"},{"name":"service:login"}`
	opened := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	closed := time.Date(2026, 1, 5, 11, 0, 0, 0, time.UTC)
	open := event.Incident{
		Telling: event.Telling{Source: "github", UpdatedAt: opened}, ID: "acme/shop#12", Service: "login", Title: "Login is down",
		Severity: "critical", StartedAt: opened, URL: "https://github.com/acme/shop/issues/12",
	}
	resolved := open
	resolved.UpdatedAt, resolved.RestoredAt, resolved.ResolvedAt = closed, closed, closed
	withdrawn := open
	withdrawn.UpdatedAt = closed.Add(time.Millisecond)
	withdrawn.Service, withdrawn.Severity, withdrawn.Cause, withdrawn.RestoredAt, withdrawn.ResolvedAt = "", "", "external", opened, opened
	for _, tc := range []struct {
		name string
		body []byte
		want *event.Incident
	}{
		{"opened", body("opened", "open", "", "2026-01-05T10:00:00Z", labels), &open},
		{"closed as completed", body("closed", "closed", "completed", "2026-01-05T11:00:00Z", labels), &resolved},
		{"closed as not planned", body("closed", "closed", "not_planned", "2026-01-05T11:00:00Z", labels), &withdrawn},
		{"closed as a duplicate", body("closed", "closed", "duplicate", "2026-01-05T11:00:00Z", labels), &withdrawn},
		{"opened again, not planned before", body("reopened", "open", "reopened", "2026-01-05T10:00:00Z", labels), &open},
		{"the label is taken away", body("unlabeled", "open", "", "2026-01-05T11:00:00Z", others), &withdrawn},
		{"another label is taken away", body("unlabeled", "open", "", "2026-01-05T10:00:00Z", labels), &open},
		{"deleted", body("deleted", "open", "", "2026-01-05T11:00:00Z", labels), &withdrawn},
		{"moved elsewhere", body("transferred", "open", "", "2026-01-05T11:00:00Z", labels), &withdrawn},
		{"no incident", body("opened", "open", "", "2026-01-05T11:00:00Z", others), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := source.Heard{Facts: []event.Event{tc.want}}
			if tc.want == nil {
				want = source.Heard{Ignored: ignoredIssue}
			}
			if diff := cmp.Diff(want, hear(t, r, "issues", tc.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPullRequestIsReadAgainAndToldWithoutACredential(t *testing.T) {
	body := []byte(`{"action":"closed","number":2,"repository":{"id":1,"full_name":"acme/shop"},"pull_request":{"number":2,"state":"closed","title":"Add carts",
		"user":{"login":"ada","type":"User"},"created_at":"2026-01-05T10:00:00Z","updated_at":"2026-01-06T10:00:00Z","closed_at":"2026-01-06T10:00:00Z",
		"merged_at":"2026-01-06T10:00:00Z","merge_commit_sha":"c4295bd74fb0f4fda03689c3df3f2803b658fd85","draft":false,"labels":[{"name":"shop"}],
		"head":{"ref":"carts","sha":"ec26c3e57ca3a959ca5aad62de7213c562f8c821"},"base":{"ref":"main"},"additions":3,"deletions":1,"html_url":"https://github.com/acme/shop/pull/2"}}`)
	got := hear(t, receiver(t, rules.Config{}, true), "pull_request", body)
	if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "acme/shop/changes", Subject: "2"}}}, got); diff != "" {
		t.Error(diff)
	}
	merged := time.Date(2026, 1, 6, 10, 0, 0, 0, time.UTC)
	got = hear(t, receiver(t, rules.Config{}, false), "pull_request", body)
	want := source.Heard{Facts: []event.Event{&event.ChangeRequest{
		Telling: event.Telling{Source: "github", UpdatedAt: merged.Add(-time.Millisecond)}, Repository: "acme/shop", ID: "2", Author: "ada", Title: "Add carts",
		BaseBranch: "main", CreatedAt: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), MergedAt: merged, Landed: []string{"c4295bd74fb0f4fda03689c3df3f2803b658fd85"},
		Labels: []string{"shop"}, Additions: 3, Deletions: 1, URL: "https://github.com/acme/shop/pull/2",
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	review := []byte(`{"action":"submitted","repository":{"id":1,"full_name":"acme/shop"},"pull_request":{"number":2}}`)
	if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "acme/shop/changes", Subject: "2"}}}, hear(t, receiver(t, rules.Config{}, true), "pull_request_review", review)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(source.Heard{Ignored: ignoredReview}, hear(t, receiver(t, rules.Config{}, false), "pull_request_review", review)); diff != "" {
		t.Error(diff)
	}
}

func TestADeletedRepositoryWinsOverItself(t *testing.T) {
	body := func(action string) []byte {
		return fmt.Appendf(nil, `{"action":%q,"repository":{"id":1,"name":"shop","full_name":"acme/shop","updated_at":"2026-01-05T10:00:00Z"}}`, action)
	}
	r := receiver(t, rules.Config{}, true)
	created, deleted := hear(t, r, "repository", body("created")), hear(t, r, "repository", body("deleted"))
	for _, facts := range [][]event.Event{{created.Facts[0], deleted.Facts[0]}, {deleted.Facts[0], created.Facts[0]}} {
		if got := winners(facts)["repository acme/shop"].(*event.Repository); got.DeletedAt.IsZero() {
			t.Error("the repository is there after it was deleted")
		}
	}
	if diff := cmp.Diff([]source.Wake{{Stream: "repositories"}}, deleted.Wakes); diff != "" {
		t.Error(diff)
	}
}

func TestARepositoryThatIsLeftOutMayComeInByANewName(t *testing.T) {
	body := []byte(`{"action":"renamed","repository":{"id":1,"full_name":"acme/secret-shop","updated_at":"2026-01-05T10:00:00Z"}}`)
	if diff := cmp.Diff(source.Heard{Wakes: []source.Wake{{Stream: "repositories"}}}, hear(t, receiver(t, rules.Config{}, true), "repository", body)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(source.Heard{Ignored: ignoredLeftOut}, hear(t, receiver(t, rules.Config{}, false), "repository", body)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyListsThatThereAreAreWoken(t *testing.T) {
	r := receiver(t, rules.Config{}, true)
	r.lists = func(repo, kind string) bool { return repo == "acme/shop" && kind != source.Changes }
	body := []byte(`{"repository":{"id":1,"full_name":"acme/shop"},"pull_request":{"number":2}}`)
	if got := hear(t, r, "pull_request_review", body); len(got.Wakes) > 0 {
		t.Errorf("%v is woken, which is not read", got.Wakes)
	}
}

func FuzzHear(f *testing.F) {
	r := receiver(f, everything, false)
	w := receiver(f, everything, true)
	seeds := map[string][]byte{
		"workflow_run":      []byte(run),
		"deployment_status": deploymentStatusBody(1, "success", "2026-01-05T10:07:00Z"),
		"push":              []byte(`{"ref":"refs/heads/main","after":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","repository":{"id":1,"full_name":"a/b","pushed_at":1}}`),
		"issues":            []byte(`{"action":"unlabeled","label":{"name":"bug"},"repository":{"id":1,"full_name":"a/b"},"issue":{"number":1,"created_at":"2026-01-05T10:00:00Z","updated_at":"2026-01-05T10:00:00Z"}}`),
		"release":           []byte(`{"action":"published","repository":{"id":1,"full_name":"a/b"},"release":{"id":1,"tag_name":"v1","published_at":"2026-01-05T10:00:00Z"}}`),
		"workflow_job":      []byte(`{"repository":{"id":1,"full_name":"a/b"},"workflow_job":{"id":1,"name":"x","status":"completed","conclusion":"success","created_at":"2026-01-05T10:00:00Z"}}`),
		"pull_request":      []byte(`{"repository":{"id":1,"full_name":"a/b"},"pull_request":{"number":1,"created_at":"2026-01-05T10:00:00Z","updated_at":"2026-01-05T10:00:00Z"}}`),
		"repository":        []byte(`{"action":"deleted","repository":{"id":1,"full_name":"a/b","updated_at":"2026-01-05T10:00:00Z"}}`),
	}
	for _, name := range slices.Sorted(maps.Keys(seeds)) {
		f.Add(name, "application/json", seeds[name])
		f.Add(name, "application/x-www-form-urlencoded", []byte(url.Values{"payload": {string(seeds[name])}}.Encode()))
	}
	f.Fuzz(func(t *testing.T, name, contentType string, body []byte) {
		for _, r := range []*Receiver{r, w} {
			heard, err := r.Hear(source.Delivery{Event: name, Header: http.Header{"Content-Type": {contentType}}, Body: body})
			switch {
			case err != nil && fault.KindOf(err) != fault.Invalid:
				t.Errorf("%v is no fault.Invalid", err)
			case err == nil && (len(heard.Facts)+len(heard.Wakes) == 0) != (heard.Ignored != ""):
				t.Errorf("%d facts, %d wakes, ignored %q", len(heard.Facts), len(heard.Wakes), heard.Ignored)
			}
			for _, e := range heard.Facts {
				event.Version(e)
				if wrong := event.Validate(e); wrong != nil {
					t.Errorf("a fact that intake refuses: %v", wrong)
				}
			}
		}
	})
}

func TestARunIsADeploymentByThePathOfItsWorkflowToo(t *testing.T) {
	r := receiver(t, rules.Config{Deployments: []rules.DeploymentRule{{Repository: "*", From: rules.FromWorkflow, Name: ".github/workflows/deploy.yml"}}}, true)
	body := strings.Replace(run, `"id":77,`, `"id":77,"path":".github/workflows/deploy.yml@refs/heads/main",`, 1)
	if got := hear(t, r, "workflow_run", []byte(body)); len(got.Facts) != 3 {
		t.Errorf("%d facts, want the run, the service and the deployment", len(got.Facts))
	}
}

func TestADeploymentOfARunGoesTheWayOfTheRun(t *testing.T) {
	r := receiver(t, rules.Config{GoldenPaths: []string{"acme/platform/*"}}, true)
	body := strings.Replace(string(deploymentStatusBody(1, "success", "2026-01-05T10:07:00Z")), `"deployment":`,
		`"workflow_run":{"id":77,"referenced_workflows":[{"path":"acme/platform/.github/workflows/deploy.yml@v1"}]},"deployment":`, 1)
	if got := hear(t, r, "deployment_status", []byte(body)).Facts[1].(*event.Deployment).Way; got != "golden_path" {
		t.Errorf("the way is %q, want golden_path", got)
	}
}

func TestATagOfAPreReleaseDoesNotGoToProduction(t *testing.T) {
	r := receiver(t, everything, true)
	for tag, want := range map[string]string{"v1.2.0": "production", "v1.2.0-rc.1": "prerelease"} {
		body := fmt.Appendf(nil, `{"ref":"refs/tags/%s","after":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","repository":{"id":1,"full_name":"acme/shop","pushed_at":1767607200}}`, tag)
		if got := hear(t, r, "push", body).Facts[1].(*event.Deployment).Environment; got != want {
			t.Errorf("%s goes to %q, want %q", tag, got, want)
		}
	}
}
