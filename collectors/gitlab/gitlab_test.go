package gitlab

import (
	"net/http"
	"strings"
	"testing"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

func TestEachMistakeInTheSettingsIsNamed(t *testing.T) {
	r, err := rules.New(rules.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // "" is right
	}{
		{"the least", func(*Config) {}, ""},
		{"webhooks alone", func(c *Config) { c.Token, c.WebhookTokens = "", []string{"x"} }, ""},
		{"projects alone", func(c *Config) { c.Groups, c.Projects.Include = nil, []string{"acme/shop"} }, ""},
		{"neither a token nor webhooks", func(c *Config) { c.Token = "" }, "neither token nor webhook_tokens"},
		{"a name with a space", func(c *Config) { c.Name = "my gitlab" }, "small letters"},
		{"an address without a scheme", func(c *Config) { c.URL = "gitlab.acme.com" }, "url"},
		{"an address with a user", func(c *Config) { c.URL = "https://x:y@gitlab.acme.com" }, "user"},
		{"a token with a line end", func(c *Config) { c.Token = "x\n" }, "white space"},
		{"a group that is an address", func(c *Config) { c.Groups = []string{"https://gitlab.com/acme"} }, "groups"},
		{"a pattern that is none", func(c *Config) { c.Projects.Include = []string{"[a"} }, "projects.include"},
		{"an empty pattern", func(c *Config) { c.Projects.Exclude = []string{""} }, "projects.exclude"},
		{"an empty webhook token", func(c *Config) { c.WebhookTokens = []string{"x", ""} }, "webhook_tokens[1]"},
		{"a signing secret of another kind", func(c *Config) { c.WebhookSigningSecrets = []string{"x"} }, "webhook_signing_secrets[0]"},
		{"too often", func(c *Config) { c.Every = 1 }, "every"},
		{"commits from elsewhere", func(c *Config) { c.Commits = "svn" }, "commits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Token, cfg.Groups = "glpat-x", []string{"acme"}
			tt.change(&cfg)
			_, err := New(cfg, r, http.DefaultClient, Clones{Dir: "x"})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want a fault about %s", err, tt.want)
			}
		})
	}
	cfg := DefaultConfig()
	cfg.Token = "x"
	if _, err := New(cfg, r, http.DefaultClient, Clones{}); err == nil || !strings.Contains(err.Error(), "commits: api") {
		t.Errorf("clones without a folder: got %v", err)
	}
}

func TestPatternsTakeProjects(t *testing.T) {
	for _, tt := range []struct {
		include, exclude []string
		path             string
		want             bool
	}{
		{nil, nil, "acme/shop", true},
		{[]string{"shop*"}, nil, "acme/deep/shop-api", true},
		{[]string{"shop*"}, nil, "acme/shop/api", false},
		{[]string{"acme/*"}, nil, "acme/shop", true},
		{[]string{"acme/*"}, nil, "acme/deep/shop", false},
		{[]string{"acme/**"}, nil, "acme/deep/shop", true},
		{[]string{"acme/*/**"}, nil, "acme/shop", false},
		{[]string{"acme/deep/**"}, nil, "acme/deeper/shop", false},
		{[]string{"ACME/Shop"}, nil, "acme/shop", true},
		{nil, []string{"*-archive", "acme/old/**"}, "acme/old/shop", false},
		{nil, []string{"*-archive", "acme/old/**"}, "acme/shop-archive", false},
		{nil, []string{"*-archive", "acme/old/**"}, "acme/shop", true},
	} {
		if got := (ProjectsConfig{Include: tt.include, Exclude: tt.exclude}).takes(tt.path); got != tt.want {
			t.Errorf("include %q exclude %q takes %s: %t, want %t", tt.include, tt.exclude, tt.path, got, tt.want)
		}
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheTokenGoesToItsGitLabAlone(t *testing.T) {
	cfg := DefaultConfig()
	cfg.URL, cfg.Token = "https://gitlab.acme.com", "glpat-x"
	var got http.Header
	credential, err := NewCredential(cfg, tripper(func(r *http.Request) (*http.Response, error) { got = r.Header; return nil, http.ErrAbortHandler }))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"https://gitlab.acme.com/api/v4/x": "Bearer glpat-x", "https://GitLab.acme.com/x": "Bearer glpat-x",
		"http://gitlab.acme.com/x": "", "https://gitlab.acme.com:444/x": "", "https://storage.example/x": "", "https://gitlab.acme.com.evil.example/": "",
	} {
		r, _ := http.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("Private-Token", "")
		r.Header.Set("Authorization", "Bearer of a redirection")
		_, _ = credential.RoundTrip(r)
		if got.Get("Authorization") != want || got.Values("Private-Token") != nil {
			t.Errorf("%s: got %v, want %q", address, got, want)
		}
	}
}

func TestAPositionThatCannotBeReadIsRefused(t *testing.T) {
	c := connected(t, rules.Config{}, "token")
	for _, position := range []string{"x", "{}", `{"v":2}`, `{"v":1,"projects":7}`} {
		if err := c.Recall("repositories", position); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", position, err)
		}
	}
}
