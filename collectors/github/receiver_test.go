package github

import (
	"net/http"
	"testing"

	"cairn/internal/rules"
	"cairn/internal/source"
)

func TestAReceiverKnowsWhichRepositoriesAreRead(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Token, cfg.Organisations, cfg.WebhookSecrets = "t", []string{"Acme"}, []string{"s"}
	cfg.Repositories.Exclude = []string{"*-sandbox"}
	cfg.Commits = CommitsAPI
	c, err := New(cfg, compiled(t, rules.DefaultConfig()), &http.Client{}, Clones{})
	if err != nil {
		t.Fatal(err)
	}
	c.remember(map[int64]*known{
		1: {id: 1, fact: "acme/shop", name: "acme/store"},
		2: {id: 2, fact: "acme/moved", name: "other/moved", left: true},
		3: {id: 3, fact: "acme/gone", name: "acme/gone", gone: true},
	})
	for _, r := range []struct {
		id   int64
		name string
		fact string
		ok   bool
	}{
		{1, "acme/store", "acme/shop", true}, // renamed: its facts stay under the name that it had
		{2, "other/moved", "acme/moved", false},
		{9, "acme/new", "acme/new", true}, // not discovered yet
		{9, "acme/x-sandbox", "acme/x-sandbox", false},
		{9, "other/shop", "", false},
	} {
		fact, ok := c.heard(r.id, r.name)
		if fact != r.fact || ok != r.ok {
			t.Errorf("repository %d, %s: got %q, %v; want %q, %v", r.id, r.name, fact, ok, r.fact, r.ok)
		}
	}
	for _, l := range []struct {
		repo, kind string
		want       bool
	}{
		{"", source.Repositories, true}, {"", source.Teams, true}, {"", source.Changes, false},
		{"acme/shop", source.Changes, true}, {"acme/shop", source.Releases, false}, {"acme/gone", source.Changes, false}, {"acme/new", source.Changes, true},
	} {
		if got := c.lists(l.repo, l.kind); got != l.want {
			t.Errorf("lists(%q, %q) is %v, want %v", l.repo, l.kind, got, l.want)
		}
	}
}
