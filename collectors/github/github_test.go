package github

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cairn/internal/fault"
)

func usable() Config {
	cfg := DefaultConfig()
	cfg.Token, cfg.Organisations, cfg.Commits = "token", []string{"acme"}, CommitsAPI
	return cfg
}

func TestEachWrongSettingIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"name", func(c *Config) { c.Name = "Git Hub" }, "name"},
		{"address", func(c *Config) { c.URL = "github.acme.com" }, "url"},
		{"address with a user", func(c *Config) { c.URL = "https://me:pass@github.acme.com" }, "url"},
		{"two credentials", func(c *Config) { c.App.ID = 7 }, "both token and app"},
		{"App without a number", func(c *Config) { c.Token, c.App.PrivateKey = "", "x" }, "app.id"},
		{"App without a key", func(c *Config) { c.Token, c.App.ID = "", 7 }, "app.private_key is missing"},
		{"key that is none", func(c *Config) { c.Token, c.App = "", App{ID: 7, PrivateKey: "-----BEGIN"} }, "no RSA key"},
		{"token of two words", func(c *Config) { c.Token = "a b" }, "white space"},
		{"organisation", func(c *Config) { c.Organisations = []string{"acme/shop"} }, `organisations: "acme/shop"`},
		{"nobody's repositories", func(c *Config) { c.Organisations = nil }, "organisations is empty"},
		{"pattern", func(c *Config) { c.Repositories.Exclude = []string{"[a"} }, "repositories.exclude"},
		{"empty secret", func(c *Config) { c.WebhookSecrets = []string{""} }, "webhook_secrets[0] is empty"},
		{"nothing at all", func(c *Config) { c.Token = "" }, "neither a credential"},
		{"every", func(c *Config) { c.Every = time.Second }, "every is 1s"},
		{"graphql", func(c *Config) { c.GraphQL = "on" }, `graphql is "on"`},
		{"commits", func(c *Config) { c.Commits = "all" }, `commits is "all"`},
		{"no folder for clones", func(c *Config) { c.Commits = CommitsGit }, "no folder is given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := usable()
			tt.change(&cfg)
			_, err := New(cfg, nil, http.DefaultClient, Clones{})
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want a fault that says %s", err, tt.want)
			}
		})
	}
	if _, err := New(usable(), nil, http.DefaultClient, Clones{}); err != nil {
		t.Errorf("what is right is refused: %v", err)
	}
}

func TestAddressesOfEachKindOfGitHub(t *testing.T) {
	for _, tt := range []struct{ url, rest, graphql, web string }{
		{"", "https://api.github.com/", "https://api.github.com/graphql", "https://github.com"},
		{"https://github.com", "https://api.github.com/", "https://api.github.com/graphql", "https://github.com"},
		{"https://api.acme.ghe.com", "https://api.acme.ghe.com/", "https://api.acme.ghe.com/graphql", "https://acme.ghe.com"},
		{"https://github.acme.com", "https://github.acme.com/api/v3/", "https://github.acme.com/api/graphql", "https://github.acme.com"},
		{"https://github.acme.com/api/v3", "https://github.acme.com/api/v3/", "https://github.acme.com/api/graphql", "https://github.acme.com"},
		{"http://127.0.0.1:4010/", "http://127.0.0.1:4010/", "http://127.0.0.1:4010/graphql", "http://127.0.0.1:4010"},
	} {
		at, err := addressesOf(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if got := [3]string{at.rest.String(), at.graphql.String(), at.web.String()}; got != [3]string{tt.rest, tt.graphql, tt.web} {
			t.Errorf("%q: got %v", tt.url, got)
		}
	}
}

func TestPatternsTakeRepositories(t *testing.T) {
	for _, tt := range []struct {
		include, exclude []string
		full             string
		want             bool
	}{
		{nil, nil, "acme/shop", true},
		{[]string{"shop*"}, nil, "acme/Shop-web", true},
		{[]string{"shop*"}, nil, "acme/blog", false},
		{[]string{"acme/*"}, nil, "other/shop", false},
		{nil, []string{"*-archive"}, "acme/shop-archive", false},
		{[]string{"acme/shop"}, []string{"shop"}, "acme/shop", false},
	} {
		if got := (RepositoriesConfig{Include: tt.include, Exclude: tt.exclude}).takes(tt.full); got != tt.want {
			t.Errorf("include %v, exclude %v: %s is taken: %v", tt.include, tt.exclude, tt.full, got)
		}
	}
}
