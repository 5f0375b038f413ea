package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"cairn/collectors"
	"cairn/collectors/alertmanager"
	"cairn/collectors/kubernetes/kubernetestest"
	"cairn/docs"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

// connecting runs commands in this process on a configuration file of their own.
type connecting struct {
	t    *testing.T
	file string
	env  map[string]string
}

func newConnecting(t *testing.T, text string) *connecting {
	t.Helper()
	c := &connecting{t, filepath.Join(t.TempDir(), "cairn.yaml"), map[string]string{"TOKEN": "correct-horse", "SECRET": "whsec_Y29ycmVjdC1ob3JzZQ=="}}
	if text != "" {
		write(t, filepath.Dir(c.file), "cairn.yaml", text)
	}
	return c
}

func (c *connecting) run(args ...string) answer {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	args = append(args, "--config", c.file)
	code := run(c.t.Context(), world{args: args, getenv: func(name string) string { return c.env[name] }, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr})
	return answer{code, stdout.String(), stderr.String()}
}

func (c *connecting) text() string {
	text, err := os.ReadFile(c.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	return string(text)
}

func (c *connecting) config() Config {
	c.t.Helper()
	cfg := DefaultConfig()
	if err := parseConfig([]byte(c.text()), &cfg); err != nil {
		c.t.Fatalf("%v in:\n%s", err, c.text())
	}
	return cfg
}

// hears has for each system that pushes the settings with which it is connected without being reachable, and reads for each
// that is read those for which it is asked whether the credential is good.
var (
	hears = map[string][]string{
		"alertmanager": {"tokens=env:TOKEN"},
		"argocd":       {"webhook_tokens=env:TOKEN"},
		"cdevents":     {"tokens=env:TOKEN"},
		"circleci":     {"webhook_secrets=env:SECRET"},
		"flux":         {"webhook_secrets=env:SECRET"},
		"gitea":        {"webhook_secrets=env:SECRET"},
		"github":       {"webhook_secrets=env:SECRET"},
		"gitlab":       {"webhook_tokens=env:SECRET"},
		"humanitec":    {"header.header=X-Token", "header.secrets=env:TOKEN"},
		"incidentio":   {"webhook_secrets=env:SECRET"},
		"opsgenie":     {"header={header: X-Token, secrets: [env:TOKEN]}"},
		"pagerduty":    {"webhook_secrets=env:SECRET"},
		"port":         {"webhook_secrets=env:SECRET"},
		"terraform":    {"webhook_secrets=env:SECRET"},
		"tickets":      {"preset=jira", "signing.secrets=env:SECRET"},
		"typeform":     {"webhook_secrets=env:SECRET", "surveys=[{form: a, id: q, title: Q, opens: 2026-03-01, closes: 2026-03-15, invited: unknown, questions: [{ref: c, id: c, type: csat_1_5, text: C}]}]"},
	}
	reads = map[string][]string{
		"argocd":     {"token=env:TOKEN"},
		"backstage":  {"token=env:TOKEN"},
		"circleci":   {"token=env:TOKEN", "projects=gh/acme/shop"},
		"gitea":      {"token=env:TOKEN"},
		"github":     {"token=env:TOKEN", "organisations=acme"},
		"gitlab":     {"token=env:TOKEN", "groups=acme"},
		"humanitec":  {"token=env:TOKEN", "organisation=acme"},
		"incidentio": {"api_key=env:TOKEN"},
		"jenkins":    {"user=cairn", "token=env:TOKEN"},
		"opsgenie":   {"api_key=env:TOKEN"},
		"pagerduty":  {"api_key=env:TOKEN"},
		"port":       {"client_id=cairn", "client_secret=env:TOKEN"},
		"terraform":  {"token=env:TOKEN", "organisations=acme"},
	}
)

func TestEverySystemIsConnectedByItsSettings(t *testing.T) {
	for system := range collectors.Kinds() {
		c := newConnecting(t, "# ours\nlisten: 127.0.0.1:1 # here\n")
		if a := c.run("connect", system); a.code != fault.Invalid.ExitCode() || !strings.Contains(a.stderr, "  name ") || !strings.Contains(a.stderr, "What is needed: ") || !strings.Contains(a.stderr, "Such as: ") {
			t.Errorf("%s without settings: exit code %d, %q; want what there is and what is needed", system, a.code, a.stderr)
		}
		if a := c.run("connect", system, "--help"); a.code != 0 || !strings.Contains(a.stdout, "docs/"+system+".md") || !strings.Contains(a.stdout, " name ") {
			t.Errorf("%s --help: exit code %d, %s", system, a.code, a.stdout)
		}
		if a := c.run("connect", system, "nmae=x"); a.code != fault.Invalid.ExitCode() || !strings.Contains(a.stderr, `did you mean "name"?`) || !strings.Contains(a.stderr, "  name ") {
			t.Errorf("%s with an unknown setting: exit code %d, %q", system, a.code, a.stderr)
		}
		if len(hears[system])+len(reads[system]) == 0 && system != "kubernetes" {
			t.Errorf("nothing here connects %s", system)
		}
		settings, ok := hears[system]
		if !ok {
			continue
		}
		if a := c.run(append([]string{"connect", system, "--check"}, settings...)...); a.code != 0 || strings.Contains(c.text(), "sources") {
			t.Errorf("%s --check: exit code %d, %s%s\n%s", system, a.code, a.stdout, a.stderr, c.text())
		}
		a := c.run(append([]string{"connect", system, "--server", "https://cairn.acme.com"}, settings...)...)
		for _, want := range []string{"https://cairn.acme.com/hooks/" + system, "The secret to enter there is that in env:", "docs/" + system + ".md", "Written to"} {
			if a.code != 0 || !strings.Contains(a.stdout, want) {
				t.Errorf("%s: exit code %d, it does not say %q:\n%s%s", system, a.code, want, a.stdout, a.stderr)
			}
		}
		written := c.text()
		if !strings.Contains(written, "# ours") || !strings.Contains(written, "1 # here") {
			t.Errorf("%s: comments are lost:\n%s", system, written)
		}
		if cfg := c.config(); len(cfg.Sources) != 1 || cfg.Sources[0].System != system {
			t.Errorf("%s: got %+v", system, cfg.Sources)
		} else if _, err := cfg.links(func(name string) string { return c.env[name] }); err != nil {
			t.Errorf("%s: what was written does not start: %v", system, err)
		}
		if a := c.run(append([]string{"connect", system}, settings...)...); a.code != 0 || c.text() != written || !strings.Contains(a.stdout, "already") {
			t.Errorf("%s a second time: exit code %d, %s%s\n%s", system, a.code, a.stdout, a.stderr, c.text())
		}
	}
}

func TestACredentialThatIsRefusedIsNotWritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"message":"no"}`))
	}))
	defer server.Close()
	for system, settings := range reads {
		c := newConnecting(t, "")
		a := c.run(append([]string{"connect", system, "url=" + server.URL}, settings...)...)
		if a.code != fault.Denied.ExitCode() || c.text() != "" || !strings.Contains(a.stderr, system) && !strings.Contains(a.stderr, "credential") || strings.Contains(a.stdout+a.stderr, "correct-horse") {
			t.Errorf("%s: exit code %d, %q\n%s", system, a.code, a.stderr, c.text())
		}
	}
}

func TestSettingsOfAnyShapeAreWritten(t *testing.T) {
	c := newConnecting(t, "")
	a := c.run("connect", "alertmanager", "--name", "alerts", "tokens=env:TOKEN, file:/nowhere", "basic.user=am", "basic.passwords=env:SECRET",
		"incidents={severity: [page]}", "service_labels=app", "service_labels=job", "services=[{match: 'x-*', service: none}]")
	if a.code != fault.Invalid.ExitCode() || !strings.Contains(a.stderr, "alertmanager.tokens[1] is file:/nowhere") {
		t.Fatalf("a secret that is not there: exit code %d, %q", a.code, a.stderr)
	}
	a = c.run("connect", "alertmanager", "--name", "alerts", "tokens=env:TOKEN", "basic.user=am", "basic.passwords=env:SECRET",
		"incidents={severity: [page]}", "service_labels=app", "service_labels=job", "services=[{match: 'x-*', service: none}]")
	if a.code != 0 {
		t.Fatalf("exit code %d, %q", a.code, a.stderr)
	}
	want := alertmanager.DefaultConfig()
	want.Name, want.Tokens, want.ServiceLabels = "alerts", []string{"env:TOKEN"}, []string{"app", "job"}
	want.Basic.User, want.Basic.Passwords = "am", []string{"env:SECRET"}
	want.Incidents = map[string][]string{"severity": {"page"}}
	want.Services = []rules.ServiceName{{Match: "x-*", Service: "none"}}
	if diff := cmp.Diff(&want, c.config().Sources[0].Config); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, c.text())
	}

	for _, bad := range [][]string{
		{"tokens=sesame-open"}, {"sesame-open"}, {"tokens.x=sesame-open"}, {"tokens=[sesame-open"}, {"tokens=[[sesame-open]]"}, {"basic={passwords: [sesame-open]}"},
		{"services=sesame-open"}, {"services=[{mtach: x}]"}, {"incidents=[sesame-open]"},
	} {
		a := c.run(append([]string{"connect", "alertmanager", "--check"}, bad...)...)
		if a.code != fault.Invalid.ExitCode() || a.stderr == "" || strings.Contains(a.stderr, "sesame") || strings.Contains(a.stderr, "cannot unmarshal") {
			t.Errorf("%q: exit code %d, %q", bad, a.code, a.stderr)
		}
	}
	if a := c.run("connect", "alertmanager", "tokens=env:TOKEN", "name=a", "name=b", "--check"); a.code != fault.Invalid.ExitCode() || !strings.Contains(a.stderr, "name is given twice") {
		t.Errorf("a name twice: exit code %d, %q", a.code, a.stderr)
	}
	if a := c.run("connect", "pagerduty", "webhook_secrets=env:SECRET", "every=soon"); a.code != fault.Invalid.ExitCode() || !strings.Contains(a.stderr, "every is written as 15m") {
		t.Errorf("a wrong duration: exit code %d, %q", a.code, a.stderr)
	}
}

func TestAnotherSourceIsNotTouchedUnlessItIsToBeReplaced(t *testing.T) {
	c := newConnecting(t, "sources:\n  flux:\n    # first\n    webhook_secrets: [env:SECRET]\n")
	if a := c.run("connect", "flux", "webhook_secrets=env:TOKEN"); a.code != fault.Conflict.ExitCode() || !strings.Contains(a.stderr, "--replace") || strings.Contains(c.text(), "TOKEN") {
		t.Errorf("other settings: exit code %d, %q\n%s", a.code, a.stderr, c.text())
	}
	if a := c.run("connect", "cdevents", "--name", "flux", "tokens=env:TOKEN"); a.code != fault.Conflict.ExitCode() || !strings.Contains(a.stderr, "of the system flux") {
		t.Errorf("a name that another system has: exit code %d, %q", a.code, a.stderr)
	}
	if a := c.run("connect", "flux", "--name", "second", "webhook_secrets=env:TOKEN"); a.code != 0 || len(c.config().Sources) != 2 || !strings.Contains(c.text(), "# first") {
		t.Errorf("a second one: exit code %d, %q\n%s", a.code, a.stderr, c.text())
	}
	if a := c.run("connect", "flux", "--name", "second", "--replace", "webhook_secrets=env:SECRET"); a.code != 0 || len(c.config().Sources) != 2 || strings.Contains(c.text(), "TOKEN") {
		t.Errorf("replaced: exit code %d, %q\n%s", a.code, a.stderr, c.text())
	}
}

// What the documentation hands out is filled in as connect prints it, and nothing stays to be filled in but what it says.
func TestFilesForSystemsAreFilledIn(t *testing.T) {
	for _, system := range []string{"alertmanager", "argocd", "backstage", "flux", "humanitec", "kubernetes", "port", "terraform", "tickets"} {
		if len(manifestsOf(system)) == 0 {
			t.Errorf("%s has no files", system)
		}
	}
	for system := range collectors.Kinds() {
		page, err := docs.Files.ReadFile(system + ".md")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), "YOUR-CAIRN") {
			t.Errorf("docs/%s.md: cairn's address is written %s, so that it is found", system, placeholderAddress)
		}
		for _, m := range manifestsOf(system) {
			c := newConnecting(t, "")
			dir := filepath.Join(t.TempDir(), "given")
			if a := c.run("connect", system, "--manifests", dir); a.code != 0 || !strings.Contains(a.stdout, m.name) {
				t.Fatalf("%s: exit code %d, %s%s", system, a.code, a.stdout, a.stderr)
			}
			if plain, err := os.ReadFile(filepath.Join(dir, m.name)); err != nil || string(plain) != m.text {
				t.Errorf("%s: without anything to fill in, %s is not as the page shows it: %v", system, m.name, err)
			}
			a := c.run("connect", system, "--manifest", m.name, "--name", "mine", "--server", "https://cairn.acme.com/")
			if a.code != 0 || strings.Contains(a.stdout, "your-cairn") || strings.Contains(a.stdout, "/hooks/"+system) {
				t.Errorf("%s: exit code %d, %s is not filled in:\n%s%s", system, a.code, m.name, a.stdout, a.stderr)
			}
			switch filepath.Ext(m.name) {
			case ".yaml":
				for d := yaml.NewDecoder(strings.NewReader(a.stdout)); ; {
					var object map[string]any
					if err := d.Decode(&object); errors.Is(err, io.EOF) {
						break
					} else if err != nil || len(object) == 0 {
						t.Errorf("%s: %s: %v", system, m.name, err)
						break
					}
				}
			case ".json":
				if !json.Valid([]byte(a.stdout)) {
					t.Errorf("%s: %s is no JSON:\n%s", system, m.name, a.stdout)
				}
			}
		}
	}

	c := newConnecting(t, "reports:\n  base_url: https://cairn.acme.com\n")
	dir := filepath.Join(t.TempDir(), "given")
	if a := c.run("connect", "argocd", "--name", "cd", "webhook_tokens=env:TOKEN", "--manifests", dir); a.code != 0 {
		t.Fatalf("exit code %d, %s", a.code, a.stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "notifications.yaml"))
	for _, want := range []string{"cairn-token: ${TOKEN}", "url: https://cairn.acme.com\n", "path: /hooks/cd\n"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("notifications.yaml has no %q: %v", want, err)
		}
	}
	// The connection that is configured already is the one they are for; a file that was changed stays.
	if a := c.run("connect", "argocd", "--manifest", "notifications.yaml"); a.stdout != string(text) {
		t.Errorf("exit code %d, %s\n%s", a.code, a.stderr, a.stdout)
	}
	write(t, dir, "notifications.yaml", "ours")
	if a := c.run("connect", "argocd", "--manifests", dir); a.code != fault.Conflict.ExitCode() {
		t.Errorf("a file that was changed: exit code %d, %s", a.code, a.stderr)
	}
	if a := c.run("connect", "argocd", "--manifest", "x"); a.code != fault.NotFound.ExitCode() || !strings.Contains(a.stderr, "notifications.yaml") {
		t.Errorf("an unknown file: exit code %d, %s", a.code, a.stderr)
	}
	if a := c.run("connect", "pagerduty", "--manifests", dir); a.code != fault.NotFound.ExitCode() || !strings.Contains(a.stderr, "docs/pagerduty.md") {
		t.Errorf("a system that is given none: exit code %d, %s", a.code, a.stderr)
	}
}

// Every command on the pages that connects something is one, up to the system itself, which refuses here.
func TestTheCommandsOfThePagesConnect(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	cluster := kubernetestest.New()
	defer cluster.Close()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	type line struct{ page, text string }
	var lines []line
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?:^|\\s|`)(?:bin/)?cairn connect ([^|#`\n]+)").FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(m[1], "SYSTEM") && !strings.Contains(m[1], "…") {
				lines = append(lines, line{filepath.Base(page), strings.TrimSpace(m[1])})
			}
		}
	}
	t.Chdir(t.TempDir())
	write(t, ".", "cairn.kubeconfig", cluster.Kubeconfig())
	for i, l := range lines {
		args := strings.Fields(l.text)
		if args[0] != strings.TrimSuffix(l.page, ".md") && l.page != "systems.md" && l.page != "README.md" {
			t.Errorf("%s shows how %s is connected", l.page, args[0])
		}
		read := reads[args[0]] != nil && !slices.ContainsFunc(args, func(s string) bool { return strings.HasPrefix(s, "--manifest") })
		if strings.Contains(l.text, "=") {
			shown[args[0]] = true
		}
		if read {
			args = slices.DeleteFunc(args, func(s string) bool { return strings.HasPrefix(s, "url=") || strings.HasPrefix(s, "region=") })
			args = append(args, "url="+server.URL)
		}
		var stdout, stderr bytes.Buffer
		args = append([]string{"connect"}, append(args, "--config", fmt.Sprintf("%d.yaml", i))...)
		code := run(t.Context(), world{args: args, getenv: func(name string) string {
			if strings.HasPrefix(name, "CAIRN_") {
				return ""
			}
			return "whsec_Y29ycmVjdC1ob3JzZQ=="
		}, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr})
		if want := map[bool]int{false: 0, true: fault.Denied.ExitCode()}[read]; code != want {
			t.Errorf("%s: %s: exit code %d, want %d\n%s%s", l.page, l.text, code, want, stdout.String(), stderr.String())
		}
	}
	for system := range collectors.Kinds() {
		if !shown[system] && system != "typeform" { // its surveys are written into the file
			t.Errorf("docs/%s.md does not show how it is connected", system)
		}
	}
}
