package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/collectors"
	"cairn/collectors/github"
	"cairn/collectors/gitlab"
	"cairn/internal/fault"
	"cairn/metrics"
)

// The example on the page about configuration is complete, and its values are the defaults.
func TestTheDocumentedConfigurationIsTheDefault(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("no example on the page")
	}
	// What the example leaves out stays at a value that is no default.
	got := Config{Listen: "?", Store: StoreConfig{"?", "?", "?", "?", "?"}}
	if err := parseConfig(example[1], &got); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	got.Metrics.TrackingSince = want.Metrics.TrackingSince
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example and the defaults differ (-defaults +example):\n%s", diff)
	}
}

// The example of sources names every setting, and what it does not have to set is at its default.
func TestTheDocumentedSourcesAreComplete(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples on the page, want 2", len(examples))
	}
	text := string(examples[1][1])
	got := DefaultConfig()
	if err := parseConfig([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	hub, lab := github.DefaultConfig(), gitlab.DefaultConfig()
	hub.Token, hub.Organisations, hub.WebhookSecrets = "env:GITHUB_TOKEN", []string{"acme"}, []string{"env:GITHUB_WEBHOOK_SECRET"}
	lab.Token, lab.Groups, lab.WebhookTokens = "file:/run/secrets/gitlab", []string{"acme"}, []string{"env:GITLAB_WEBHOOK_TOKEN"}
	want.Sources = SourcesConfig{{"github", "sources.github[0]", &hub}, {"gitlab", "sources.gitlab[0]", &lab}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example sets something else than what it has to (-want +example):\n%s", diff)
	}
	for _, kind := range []struct {
		name string
		t    reflect.Type
	}{{"github", reflect.TypeFor[github.Config]()}, {"gitlab", reflect.TypeFor[gitlab.Config]()}} {
		for i := range kind.t.NumField() {
			if key := kind.t.Field(i).Tag.Get("yaml"); !strings.Contains(text, strings.TrimSuffix(key, ",omitempty")+":") {
				t.Errorf("the example does not name %s of %s", key, kind.name)
			}
		}
	}
}

func TestMistakesInSourcesAreNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown setting", "sources:\n  github:\n    - tokn: env:T\n", `line 3: there is no setting "tokn" here; did you mean "token"?`},
		{"an unknown setting further in", "sources:\n  github:\n    token: env:T\n    repositories:\n      inclde: [x]\n", `line 5: there is no setting "inclde" here; did you mean "include"?`},
		{"an unknown setting of a wave", "sources:\n  typeform:\n    surveys:\n      - form: x\n        opnes: 2026-03-01\n", `line 5: there is no setting "opnes" here; did you mean "opens"?`},
		{"an unknown system", "sources:\n  gitub: []\n", `line 2: there is no system "gitub"; did you mean "github"?`},
		{"a wrong kind of value", "sources:\n  github:\n    - every: soon\n", "line 3"},
	} {
		cfg := DefaultConfig()
		err := parseConfig([]byte(c.text), &cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestEverySecretOfASourceIsRevealedAndTheConfigurationStaysAsItWas(t *testing.T) {
	for name, kind := range collectors.Kinds() {
		config := kind.Config()
		n := fill(reflect.ValueOf(config).Elem())
		if n == 0 {
			t.Errorf("%s: no setting is a secret", name)
		}
		before := fmt.Sprintf("%+v", config)
		asked := 0
		got, err := secrets{func(string) string { asked++; return "revealed" }}.revealed("sources", config)
		if err != nil || asked != n || strings.Contains(fmt.Sprintf("%+v", got), "env:") {
			t.Errorf("%s: %d of %d secrets were asked for, %v: %+v", name, asked, n, err, got)
		}
		if after := fmt.Sprintf("%+v", config); after != before {
			t.Errorf("%s: the configuration has changed:\n%s\n%s", name, before, after)
		}
	}
}

// fill puts a reference into every secret and says how many there are.
func fill(v reflect.Value) (n int) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.Struct && v.Type().Field(i).IsExported():
			n += fill(f)
		case v.Type().Field(i).Tag.Get("secret") == "":
		case f.Kind() == reflect.String:
			f.SetString("env:X")
			n++
		case f.Kind() == reflect.Slice:
			f.Set(reflect.ValueOf([]string{"env:X", "env:Y"}))
			n += 2
		}
	}
	return n
}

func TestSecretsComeFromWhereTheConfigurationSays(t *testing.T) {
	path := write(t, t.TempDir(), "token", "from-a-file\n")
	empty := write(t, t.TempDir(), "token", "\n")
	s := secrets{func(name string) string { return map[string]string{"T": "from-outside"}[name] }}
	for reference, want := range map[string]string{"env:T": "from-outside", "file:" + path: "from-a-file"} {
		if got, err := s.reveal("token", reference); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", reference, got, err, want)
		}
	}
	for reference, want := range map[string]string{
		"env:NONE": "environment variable NONE is not set", "file:/nowhere": "/nowhere", "file:" + empty: "is empty", "ghp_itself": "write env:NAME",
	} {
		got, err := s.reveal("sources.github[0].token", reference)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "sources.github[0].token") || got != "" {
			t.Errorf("%s: got %q, %v; want a fault that says %q and where", reference, got, err, want)
		}
		if reference == "ghp_itself" && strings.Contains(err.Error(), reference) {
			t.Errorf("the message repeats the secret: %v", err)
		}
	}
}

// Every metric of the catalogue has its page.
func TestEveryMetricHasItsPage(t *testing.T) {
	for _, d := range metrics.Definitions() {
		if _, err := os.Stat("../.." + d.Doc + ".md"); err != nil {
			t.Errorf("%s: %v", d.ID, err)
		}
	}
}

// What the pages of systems show as configuration is one.
func TestTheExamplesOfTheSystemsAreConfigurations(t *testing.T) {
	for name := range collectors.Kinds() {
		text, err := os.ReadFile("../../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range regexp.MustCompile("```yaml.*\n").Split(string(text), -1)[1:] {
			block, _, _ = strings.Cut(block, "```")
			indent := block[:len(block)-len(strings.TrimLeft(block, " "))]
			block = strings.ReplaceAll("\n"+block, "\n"+indent, "\n")
			if !strings.HasPrefix(block, "\nsources:") {
				continue
			}
			cfg := DefaultConfig()
			if err := parseConfig([]byte(block), &cfg); err != nil {
				t.Errorf("docs/%s.md, block %d: %v", name, i+1, err)
			}
		}
	}
}
