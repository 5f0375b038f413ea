package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/sharedtest"
)

const small = `{"id": "x", "as_of": "2026-02-01T00:00:00Z", "settings": {"time_zone": "UTC"},
 "events": {"commits": [{"sha": "a", "repo": "r", "parents": [], "author": "d", "author_time": "2026-01-01T00:00:00Z", "commit_time": "2026-01-01T00:00:00Z", "paths": ["p"]}],
  "services": [{"id": "s", "name": "s", "aliases": [], "lifecycle": "production", "created_at": "2026-01-01T00:00:00Z", "retired_at": null, "repos": [{"repo": "r", "paths": null}]}]},
 "expected": [{"metric": "deployment_count", "scope": {"org": true}, "window": {"from": "2026-01-01T00:00", "to": "2026-02-01T00:00"}, "time_zone": "UTC", "value": null, "unit": "deployments"}]}`

func load(t *testing.T, text string) (Case, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestLoadReadsACase(t *testing.T) {
	c, err := load(t, small)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Events.Commits[0].AuthorTime, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("author_time: got %v, want %v", got, want)
	}
	if s := c.Events.Services[0]; !s.RetiredAt.IsZero() || s.Repos[0].Paths != nil {
		t.Errorf("null: got %+v", s)
	}
}

func TestLoadRefusesWhatCannotBeMeant(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"unknown key of a commit":      {`"sha": "a"`, `"sha": "a", "sah": "b"`, "case.json: unknown key events.commits[0].sah"},
		"other capitals":               {`"sha": "a"`, `"Sha": "a"`, "unknown key events.commits[0].Sha"},
		"unknown list of events":       {`"commits": [`, `"comits": [], "commits": [`, "unknown key events.comits"},
		"unknown setting":              {`"time_zone": "UTC"}`, `"timezone": "UTC"}`, "unknown key settings.timezone"},
		"two unknown keys":             {`"id": "x"`, `"id": "x", "b": 1, "a": 1`, "unknown key a, b"},
		"wrong type":                   {`"sha": "a"`, `"sha": 1`, "sha"},
		"no id":                        {`"id": "x", `, ``, "id and as_of"},
		"no value":                     {`"value": null, `, ``, "expected[0] deployment_count: no value"},
		"no scope":                     {`{"org": true}`, `{}`, "scope must have one"},
		"two scopes":                   {`{"org": true}`, `{"org": true, "team": "t"}`, "scope must have one"},
		"unknown zone":                 {`"time_zone": "UTC", "value"`, `"time_zone": "Mars", "value"`, "Mars"},
		"window with a zone":           {`"2026-02-01T00:00"}`, `"2026-02-01T00:00Z"}`, "wall-clock"},
		"window that ends before":      {`"to": "2026-02-01T00:00"`, `"to": "2026-01-01T00:00"`, "ends before"},
		"override of an unknown name":  {`"unit": "deployments"`, `"unit": "", "settings_override": {"anonymity": 3}`, "anonymity: there is no such setting"},
		"override with another's type": {`"unit": "deployments"`, `"unit": "", "settings_override": {"anonymity_k": "many"}`, "setting anonymity_k"},
		"no JSON":                      {`{"id"`, `{`, "case.json"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(small, test.old, test.new, 1)
			if text == small {
				t.Fatal("the case is as before")
			}
			_, err := load(t, text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestLoadNotingReturnsUnknownKeysBesideTheCase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "case.json")
	if err := os.WriteFile(path, []byte(strings.Replace(small, `"unit"`, `"hint": "", "unit"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, unknown, err := LoadNoting(path)
	if err != nil || c.ID != "x" || !cmp.Equal(unknown, []string{"expected[0].hint"}) {
		t.Errorf("got %q, %v, %v", c.ID, unknown, err)
	}
}

func TestLoadDir(t *testing.T) {
	if _, err := LoadDir(t.TempDir()); err == nil {
		t.Error("a folder without cases: got no error")
	}
	for name, dir := range map[string]func(*testing.T) string{
		"our own": func(*testing.T) string { return "testdata" },
		"shared":  func(t *testing.T) string { return sharedtest.Path(t, "cases") },
	} {
		t.Run(name, func(t *testing.T) {
			cases, err := LoadDir(dir(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				for i, e := range c.Expected {
					for _, wrong := range e.CommonWrong {
						if Equal(wrong.Value, e.Value) {
							t.Errorf("%s: expected[%d] %s: %q gives the right value", c.ID, i, e.Metric, wrong.Mistake)
						}
					}
				}
			}
		})
	}
}

func TestOverrideMergesDeeply(t *testing.T) {
	base := Settings{AnonymityK: 5, FailureInference: FailureInference{Rollback: true, HotfixWindowHours: 24}}
	minutes := 60.
	want := base
	want.FailureInference.IncidentWindowMinutes = &minutes
	for _, changes := range []map[string]any{
		{"failure_inference": map[string]any{"incident_window_minutes": 60}},
		{"failure_inference.incident_window_minutes": 60},
	} {
		got, err := base.Override(changes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if base.FailureInference.IncidentWindowMinutes != nil {
		t.Error("the settings themselves have changed")
	}
}

func TestWindowFollowsTheLocalClock(t *testing.T) {
	from, to, err := Window{"2026-03-08T00:00", "2026-03-09T00:00"}.In("America/New_York")
	if err != nil || to.Sub(from) != 23*time.Hour {
		t.Errorf("got %v, %v, want 23h", to.Sub(from), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, _, err := parse(raw)
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Skip("years that have no JSON form")
		}
		again, _, err := parse(written)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := json.Marshal(again)
		if err != nil || string(twice) != string(written) {
			t.Errorf("got %s, %v, want %s", twice, err, written)
		}
	})
}
