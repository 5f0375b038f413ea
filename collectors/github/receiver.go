package github

import (
	"slices"
	"strings"

	"cairn/internal/source"
)

// Receiver returns what hears the connection's webhooks. It shares with the connection what is known of repositories.
// Errors are fault.Invalid.
func (c *Connection) Receiver() (*Receiver, error) {
	return newReceiver(c.t, hears{secrets: c.cfg.WebhookSecrets, reads: c.cfg.Reads(), lists: c.lists, repository: c.heard})
}

// lists says whether the connection has a list of a kind for a repository, "" for the connection itself. One that was
// never seen has it as soon as it is discovered.
func (c *Connection) lists(repo, kind string) bool {
	if repo == "" {
		return kind == source.Repositories || kind == source.Teams && len(c.cfg.Organisations) > 0
	}
	k, ok := c.repository(repo)
	return !ok || !k.gone && c.wants(k, kind)
}

// heard returns the id in facts of a repository that a delivery names; false for one that is not read.
func (c *Connection) heard(id int64, fullName string) (string, bool) {
	c.mu.Lock()
	k, ok := c.repos[id]
	fact := ""
	if ok {
		fact, ok = k.fact, !k.left
	}
	c.mu.Unlock()
	if fact != "" {
		return fact, ok
	}
	owner, _, _ := strings.Cut(fullName, "/")
	named := func(owners []string) bool {
		return slices.ContainsFunc(owners, func(o string) bool { return strings.EqualFold(o, owner) })
	}
	if len(c.cfg.Organisations)+len(c.cfg.Users) > 0 && !named(c.cfg.Organisations) && !named(c.cfg.Users) {
		return "", false
	}
	return fullName, c.cfg.Repositories.takes(fullName)
}
