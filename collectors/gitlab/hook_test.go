package gitlab

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
)

// module is where the source of a module is that go.mod requires.
func module(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		t.Fatalf("where %s is: %v", path, err)
	}
	return string(bytes.TrimSpace(out))
}

// examples are payloads that others keep to test with, by name.
func examples(t *testing.T) map[string][]byte {
	t.Helper()
	gitlab := filepath.Join(module(t, "github.com/xanzy/go-gitlab"), "testdata")
	all := map[string][]byte{}
	for prefix, dir := range map[string]string{"playground/": "testdata/webhooks", "client/": filepath.Join(gitlab, "webhooks"), "system/": filepath.Join(gitlab, "systemhooks")} {
		files, err := fs.Glob(os.DirFS(dir), "*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no examples: %v", dir, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			all[prefix+strings.TrimSuffix(file, ".json")] = body
		}
	}
	return all
}

// everything are rules by which each kind of thing is a deployment, and each issue an incident.
var everything = rules.Config{
	Deployments: []rules.DeploymentRule{
		{Repository: "*", From: rules.FromDeployment}, {Repository: "*", From: rules.FromJob, Name: "*"}, {Repository: "*", From: rules.FromRelease},
		{Repository: "*", From: rules.FromTag}, {Repository: "*", From: rules.FromWorkflow},
	},
	Incidents: rules.IncidentRule{Types: []string{"issue", "incident", "task"}, Labels: []string{"api"}},
}

// connected is a connection for tests, with a credential and some projects, or without.
func connected(t *testing.T, cfg rules.Config, token string, projects ...known) *Connection {
	t.Helper()
	r, err := rules.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Token, config.WebhookTokens, config.Commits, config.Projects.Forks = token, []string{"secret", "older"}, CommitsAPI, true
	if token != "" {
		config.Groups = []string{"acme"}
	}
	c, err := New(config, r, http.DefaultClient, Clones{})
	if err != nil {
		t.Fatal(err)
	}
	c.remember(projects)
	return c
}

// heard has a payload go the whole way.
func heard(t *testing.T, c *Connection, body []byte) (source.Heard, error) {
	t.Helper()
	r, err := c.Receiver()
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X-Gitlab-Token": {"secret"}, "X-Gitlab-Event": {"Some Hook"}, "Authorization": {"x"}}
	if err := r.Verify(h, body, time.Now()); err != nil {
		t.Fatal(err)
	}
	d := r.Describe(h, body)
	if d.ID == "" || d.Source != "gitlab" || d.Header.Get("X-Gitlab-Token") != "" || d.Header.Get("Authorization") != "" {
		t.Errorf("described as %+v", d)
	}
	return r.Hear(d)
}

// outcome is what a delivery meant, in a line.
func outcome(h source.Heard, err error) string {
	switch {
	case err != nil:
		return "unreadable: " + err.Error()
	case h.Ignored != "":
		return "ignored: " + h.Ignored
	}
	var parts []string
	for _, e := range h.Facts {
		parts = append(parts, "told "+e.Kind())
	}
	for _, w := range h.Wakes {
		parts = append(parts, strings.TrimSpace("woke "+w.Stream+" "+w.Subject))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), ", ")
}

func TestEachExampleIsToldWokenOrIgnoredForAReason(t *testing.T) {
	type means struct{ reading, hearing string }
	const ignored = "ignored: "
	both := func(reason string) means { return means{ignored + reason, ignored + reason} }
	want := map[string]means{
		"client/build":                           both(ignoredUnended),
		"client/deployment":                      {"woke acme/shop/deployments 15", "told deployment, told service"},
		"client/feature_flag":                    both(ignoredEvent),
		"client/group_merge_request":             {"woke acme/shop/changes", ignored + ignoredUnread},
		"client/issue":                           {"woke acme/shop/incidents 23", "told incident"},
		"client/job":                             {"woke acme/shop/runs 743121198", "told deployment, told service"},
		"client/member":                          {"woke teams", ignored + ignoredUnread},
		"client/merge_request":                   {"woke acme/shop/changes 1", "told change_request"},
		"client/note_commit":                     both(ignoredNote),
		"client/note_issue":                      both(ignoredNote),
		"client/note_merge_request":              {"woke acme/shop/changes 1", ignored + ignoredUnread},
		"client/note_snippet":                    both(ignoredNote),
		"client/pipeline":                        {"woke acme/shop/runs 31", "told deployment, told pipeline_run, told service"},
		"client/push":                            {"woke acme/shop/commits, woke acme/shop/ownership", "told branch, told commit, told repository"},
		"client/release":                         {"woke acme/shop/releases", "told deployment, told service"},
		"client/resource_access_token_group":     both(ignoredPerson),
		"client/resource_access_token_project":   both(ignoredPerson),
		"client/service_merge_request":           {"woke acme/shop/changes 2", "told change_request"},
		"client/subgroup":                        {"woke repositories, woke teams", ignored + ignoredUnread},
		"client/tag_push":                        {"woke acme/shop/releases", "told deployment, told service"},
		"client/wiki_page":                       both(ignoredEvent),
		"playground/build-event":                 both(ignoredUnended),
		"playground/comment-commit-event":        both(ignoredNote),
		"playground/comment-issue-event":         both(ignoredNote),
		"playground/comment-merge-request-event": {"woke acme/shop/changes 1", ignored + ignoredUnread},
		"playground/comment-snippet-event":       both(ignoredNote),
		"playground/confidential-comment-event":  both(ignoredNote),
		"playground/confidential-issue-event":    {"woke acme/shop/incidents 23", "told incident"},
		"playground/deployment-event":            {"woke acme/shop/deployments 15", "told deployment, told service"},
		"playground/issue-event":                 {"woke acme/shop/incidents 23", "told incident"},
		"playground/job-event":                   both(ignoredUnended),
		"playground/merge-request-event":         {"woke acme/shop/changes 1", "told change_request"},
		"playground/pipeline-event":              {"woke acme/shop/runs 31", "told deployment, told pipeline_run, told service"},
		"playground/push-event":                  {"woke acme/shop/commits, woke acme/shop/ownership", "told branch, told commit, told repository"},
		"playground/release-event":               {"woke acme/shop/releases", "told deployment, told service"},
		"playground/system-group-created":        {"woke repositories, woke teams", ignored + ignoredUnread},
		"playground/system-group-member-added":   {"woke teams", ignored + ignoredUnread},
		"playground/system-group-member-removed": {"woke teams", ignored + ignoredUnread},
		"playground/system-group-member-updated": {"woke teams", ignored + ignoredUnread},
		"playground/system-group-removed":        {"woke repositories, woke teams", ignored + ignoredUnread},
		"playground/system-group-renamed":        {"woke repositories, woke teams", ignored + ignoredUnread},
		"playground/system-key-added":            both(ignoredPerson),
		"playground/system-key-removed":          both(ignoredPerson),
		"playground/system-merge-request-event":  {"woke acme/shop/changes 1", "told change_request"},
		"playground/system-project-created":      {"woke repositories", ignored + ignoredUnread},
		"playground/system-project-destroyed":    {"woke repositories", ignored + ignoredUnread},
		"playground/system-project-renamed":      {"woke repositories", ignored + ignoredUnread},
		"playground/system-project-transferred":  {"woke repositories", ignored + ignoredUnread},
		"playground/system-project-updated":      {"woke repositories", ignored + ignoredUnread},
		"playground/system-push-event":           {"woke acme/shop/commits", "told branch, told commit, told repository"},
		"playground/system-tag-event":            {"woke acme/shop/releases", ignored + ignoredUnread},
		"playground/system-team-member-added":    both(ignoredMembers),
		"playground/system-team-member-removed":  both(ignoredMembers),
		"playground/system-team-member-updated":  both(ignoredMembers),
		"playground/system-user-created":         both(ignoredPerson),
		"playground/system-user-failed-login":    both(ignoredPerson),
		"playground/system-user-removed":         both(ignoredPerson),
		"playground/system-user-renamed":         both(ignoredPerson),
		"playground/tag-event":                   {"woke acme/shop/releases", ignored + ignoredUnread},
		"playground/wikipage-event":              both(ignoredEvent),
		"system/group_create":                    {"woke repositories, woke teams", ignored + ignoredUnread},
		"system/group_destroy":                   {"woke repositories, woke teams", ignored + ignoredUnread},
		"system/group_rename":                    {"woke repositories, woke teams", ignored + ignoredUnread},
		"system/key_create":                      both(ignoredPerson),
		"system/key_destroy":                     both(ignoredPerson),
		"system/merge_request":                   {"woke acme/shop/changes 1", "told change_request"},
		"system/project_create":                  {"woke repositories", ignored + ignoredUnread},
		"system/project_destroy":                 {"woke repositories", ignored + ignoredUnread},
		"system/project_rename":                  {"woke repositories", ignored + ignoredUnread},
		"system/project_transfer":                {"woke repositories", ignored + ignoredUnread},
		"system/project_update":                  {"woke repositories", ignored + ignoredUnread},
		"system/push":                            {"woke acme/shop/commits", "told branch, told commit, told repository"},
		"system/repository_update":               {"woke acme/shop/commits, woke acme/shop/ownership", ignored + ignoredUnread},
		"system/tag_push":                        {"woke acme/shop/releases", ignored + ignoredUnread},
		"system/user_add_to_group":               {"woke teams", ignored + ignoredUnread},
		"system/user_add_to_team":                both(ignoredMembers),
		"system/user_create":                     both(ignoredPerson),
		"system/user_destroy":                    both(ignoredPerson),
		"system/user_failed_login":               both(ignoredPerson),
		"system/user_remove_from_group":          {"woke teams", ignored + ignoredUnread},
		"system/user_remove_from_team":           both(ignoredMembers),
		"system/user_rename":                     both(ignoredPerson),
		"system/user_update_for_group":           {"woke teams", ignored + ignoredUnread},
		"system/user_update_for_team":            both(ignoredMembers),
	}
	got := map[string]means{}
	for name, body := range examples(t) {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		hearing := connected(t, everything, "")
		r := Receiver{hearing}
		about, _, _ := r.project(p)
		about.ID = max(about.ID, p.Project.ID, p.ProjectID)
		about.Fact, about.Path = "acme/shop", cmp.Or(about.Path, "acme/shop")
		reading := connected(t, everything, "token", about)
		got[name] = means{outcome(heard(t, reading, body)), outcome(heard(t, hearing, body))}
	}
	if differs := diff.Diff(want, got, diff.AllowUnexported(means{})); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
}

// signed makes the headers of a delivery that is signed with a secret.
func signed(secret, id string, at time.Time, body []byte) http.Header {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
	return http.Header{
		"Webhook-Id": {id}, "Idempotency-Key": {id}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())},
		"Webhook-Signature": {"v1,bm90IHRoaXMgb25l v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

func TestADeliveryNeedsATokenOrASignature(t *testing.T) {
	const secret, other = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWE="
	body, now := []byte(`{"object_kind":"push"}`), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r, err := rules.New(rules.Config{})
	if err != nil {
		t.Fatal(err)
	}
	receiver := func(tokens, secrets []string) *Receiver {
		cfg := DefaultConfig()
		cfg.WebhookTokens, cfg.WebhookSigningSecrets = tokens, secrets
		c, err := New(cfg, r, http.DefaultClient, Clones{})
		if err != nil {
			t.Fatal(err)
		}
		receiver, err := c.Receiver()
		if err != nil {
			t.Fatal(err)
		}
		return receiver
	}
	token := func(values ...string) http.Header { return http.Header{"X-Gitlab-Token": values} }
	tests := []struct {
		name     string
		receiver *Receiver
		header   http.Header
		body     []byte
		ok       bool
	}{
		{"the token", receiver([]string{"new", "old"}, nil), token("new"), body, true},
		{"the token before", receiver([]string{"new", "old"}, nil), token("old"), body, true},
		{"another token", receiver([]string{"new"}, nil), token("nex"), body, false},
		{"a longer token", receiver([]string{"new"}, nil), token("newer"), body, false},
		{"two tokens", receiver([]string{"new"}, nil), token("new", "x"), body, false},
		{"no token", receiver([]string{"new"}, nil), http.Header{}, body, false},
		{"a signature", receiver(nil, []string{other, secret}), signed(secret, "a", now, body), body, true},
		{"a signature beside tokens", receiver([]string{"new"}, []string{secret}), signed(secret, "a", now, body), body, true},
		{"a token beside signatures", receiver([]string{"new"}, []string{secret}), token("new"), body, true},
		{"a signature with another secret", receiver(nil, []string{other}), signed(secret, "a", now, body), body, false},
		{"a signature of another body", receiver(nil, []string{secret}), signed(secret, "a", now, body), append([]byte(" "), body...), false},
		{"an old signature", receiver(nil, []string{secret}), signed(secret, "a", now.Add(-time.Hour), body), body, false},
		{"a token where a signature is asked for", receiver(nil, []string{secret}), token(secret), body, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.receiver.Verify(tt.header, tt.body, now)
			if (err == nil) != tt.ok || err != nil && fault.KindOf(err) != fault.Denied {
				t.Errorf("got %v, want accepted %t", err, tt.ok)
			}
		})
	}
}

func TestARepeatedDeliveryHasTheSameID(t *testing.T) {
	r, err := connected(t, rules.Config{}, "").Receiver()
	if err != nil {
		t.Fatal(err)
	}
	a, b := []byte(`{"object_kind":"push"}`), []byte(`{"object_kind":"pipeline"}`)
	id := func(header, value string, body []byte) string {
		return r.Describe(http.Header{header: {value}}, body).ID
	}
	switch {
	case id("Idempotency-Key", "x", a) != "x":
		t.Error("the key is not the id")
	case id("X-Gitlab-Event-Uuid", "x", a) == id("X-Gitlab-Event-Uuid", "x", b):
		t.Error("two deliveries that one event led to are one")
	case id("X-Gitlab-Event-Uuid", "x", a) != id("X-Gitlab-Event-Uuid", "x", slices.Clone(a)), id("Y", "", a) != id("Z", "", a):
		t.Error("one delivery is two")
	case id("Y", "", a) == id("Y", "", b):
		t.Error("two deliveries are one")
	case r.Describe(nil, b).Event != "pipeline", r.Describe(http.Header{"X-Gitlab-Event": {"Push Hook"}}, nil).Event != "push":
		t.Error("the event has another name")
	}
}

func TestADeploymentsDeliveryHasTheShaOfTheCommitsAddress(t *testing.T) {
	h, err := heard(t, connected(t, rules.Config{}, ""), examples(t)["client/deployment"])
	if err != nil || len(h.Facts) != 2 {
		t.Fatalf("got %v, %v", h, err)
	}
	at := time.Date(2021, 4, 28, 19, 50, 0, 0, time.UTC)
	want := &event.Deployment{
		Telling: event.Telling{Source: "gitlab", UpdatedAt: at.Add(-time.Millisecond)}, Service: "root/test-deployment-webhooks", ID: "deployment:15", Attempt: 1,
		Environment: "staging", Status: "succeeded", FinishedAt: at, Version: "1.0.0", Tool: "gitlab", Actor: "user1",
		Revisions: []event.Revision{{Repository: "root/test-deployment-webhooks", SHA: "279484c09fbe69ededfced8c1bb6e6d24616b468"}},
		URL:       "http://10.126.0.2:3000/root/test-deployment-webhooks/-/jobs/796",
	}
	if differs := diff.Diff(event.Event(want), h.Facts[1]); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
}

func TestDeliveriesOfProjectsThatAreNotReadAreIgnoredAndNewOnesLookedFor(t *testing.T) {
	c := connected(t, rules.Config{}, "token", known{ID: 1, Fact: "acme/shop", Path: "acme/renamed", Branch: "main"}, known{ID: 2, Fact: "acme/fork", Path: "acme/fork", Outside: true})
	push := func(id int, path string) string {
		body := fmt.Sprintf(`{"object_kind":"push","ref":"refs/heads/main","after":"1f","project":{"id":%d,"path_with_namespace":%q,"default_branch":"main"}}`, id, path)
		return outcome(heard(t, c, []byte(body)))
	}
	for _, tt := range []struct {
		id         int
		path, want string
	}{
		{1, "acme/renamed", "woke acme/shop/commits"},
		{0, "acme/renamed", "woke acme/shop/commits"},
		{2, "acme/fork", "ignored: " + ignoredLeftOut},
		{3, "acme/new", "woke repositories"},
		{4, "elsewhere/new", "ignored: " + ignoredLeftOut},
	} {
		if got := push(tt.id, tt.path); got != tt.want {
			t.Errorf("a push to %s: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

func TestPushesWithoutACredentialAreAChain(t *testing.T) {
	body := []byte(`{"object_kind":"push","ref":"refs/heads/main","before":"aa","after":"cc","project":{"id":1,"path_with_namespace":"acme/shop","default_branch":"main"},
		"commits":[{"id":"bb","message":"one\n\nmore","timestamp":"2026-01-01T10:00:00+01:00","author":{"name":"Ada","email":"Ada@acme.example"},"added":["a"],"modified":["b"],"removed":[]},
		{"id":"cc","message":"two","timestamp":"2026-01-02T10:00:00Z","author":{"name":"Ada","email":"ada@acme.example"}}],"total_commits_count":2}`)
	h, err := heard(t, connected(t, rules.Config{}, ""), body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.Facts {
		switch e := e.(type) {
		case *event.Commit:
			got = append(got, fmt.Sprint(e.SHA, e.Parents, e.Author, e.Paths, e.Subject, e.AuthoredAt.Format(time.RFC3339)))
		case *event.Branch:
			got = append(got, fmt.Sprint(e.Name, e.SHA, e.Default, e.UpdatedAt.Format(time.RFC3339)))
		}
	}
	want := []string{
		"bb[aa]ada@acme.example[a b]one2026-01-01T09:00:00Z", "cc[bb]ada@acme.example[]two2026-01-02T10:00:00Z", "maincctrue2026-01-02T10:00:00Z",
	}
	if differs := diff.Diff(want, got); differs != "" {
		t.Errorf("(-want +got):\n%s", differs)
	}
}

func FuzzHear(f *testing.F) {
	r, err := rules.New(everything)
	if err != nil {
		f.Fatal(err)
	}
	var receivers []*Receiver
	for _, token := range []string{"", "token"} {
		cfg := DefaultConfig()
		cfg.Token, cfg.Groups, cfg.Commits, cfg.WebhookTokens = token, []string{"acme"}, CommitsAPI, []string{"x"}
		c, err := New(cfg, r, http.DefaultClient, Clones{})
		if err != nil {
			f.Fatal(err)
		}
		c.remember([]known{{ID: 1, Fact: "acme/shop", Path: "acme/shop", Branch: "main"}})
		receiver, err := c.Receiver()
		if err != nil {
			f.Fatal(err)
		}
		receivers = append(receivers, receiver)
	}
	files, _ := filepath.Glob("testdata/webhooks/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, r := range receivers {
			h, err := r.Hear(r.Describe(nil, body))
			if err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("an error that is no invalid input: %v", err)
			}
			if err == nil && (h.Ignored == "") == (len(h.Facts)+len(h.Wakes) == 0) {
				t.Errorf("neither told, nor woke, nor was ignored, or more than one: %+v", h)
			}
			for _, e := range h.Facts {
				if wrong := event.Validate(e); wrong != nil {
					t.Errorf("a fact that intake refuses: %v", wrong)
				}
			}
		}
	})
}
