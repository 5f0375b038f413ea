package github

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/source"
)

// known is a repository that the connection has seen.
//
// Facts are kept under the name that the repository had when it was first seen, so that a rename keeps its history: the
// fact of the repository then has the new name and address under the old id, and requests go to the new name.
type known struct {
	id       int64  // GitHub's: stays when it is renamed
	fact     string // id in facts: the full name when it was first seen
	name     string // full name now
	branch   string // default one
	archived bool
	fork     bool
	gone     bool   // deleted, or no longer shown to the credential; told
	left     bool   // no longer listed, but there: it moved to an owner that is not read
	created  int64  // seconds since 1970
	told     uint64 // hash of its latest telling
	sweep    int    // in which it was last listed
}

// repositoriesPosition is how far the repositories were listed, and which ones are known: a line of text each, of some
// eighty bytes.
type repositoriesPosition struct {
	Version int      `json:"v"`
	Sweep   int      `json:"sweep"` // number of the one that is under way
	Owner   int      `json:"owner"` // index of the one whose list is being read
	Page    int      `json:"page"`
	Known   []string `json:"known"`

	repos map[int64]*known
}

func readRepositories(position string) (repositoriesPosition, error) {
	p := repositoriesPosition{Version: 1, Sweep: 1, Page: 1, repos: map[int64]*known{}}
	if position == "" {
		return p, nil
	}
	if err := readPosition(position, source.Repositories, &p); err != nil {
		return p, err
	}
	for _, line := range p.Known {
		k, err := readKnown(line)
		if err != nil {
			return p, fault.New(fault.Invalid, "the saved position of the repositories cannot be read: %w", err)
		}
		p.repos[k.id] = k
	}
	p.Known = nil
	return p, nil
}

func (p repositoriesPosition) String() string {
	for _, k := range p.repos {
		p.Known = append(p.Known, k.String())
	}
	slices.Sort(p.Known)
	return position(p)
}

// String packs a repository into a line. Neither names nor branches have spaces in them.
func (k known) String() string {
	name, flags := k.name, ""
	if name == k.fact {
		name = "="
	}
	for _, f := range []struct {
		set  bool
		flag string
	}{{k.archived, "a"}, {k.fork, "f"}, {k.gone, "g"}, {k.left, "l"}} {
		if f.set {
			flags += f.flag
		}
	}
	return fmt.Sprintf("%d %s %s %s %d %s %d %s", k.id, k.fact, name, k.branch, k.created, strconv.FormatUint(k.told, 36), k.sweep, flags)
}

func readKnown(line string) (*known, error) {
	f := strings.Split(line, " ")
	if len(f) != 8 {
		return nil, fmt.Errorf("%q is no repository", line)
	}
	k := &known{fact: f[1], name: f[2], branch: f[3]}
	if k.name == "=" {
		k.name = k.fact
	}
	k.archived, k.fork = strings.Contains(f[7], "a"), strings.Contains(f[7], "f")
	k.gone, k.left = strings.Contains(f[7], "g"), strings.Contains(f[7], "l")
	var errs [4]error
	k.id, errs[0] = strconv.ParseInt(f[0], 10, 64)
	k.created, errs[1] = strconv.ParseInt(f[4], 10, 64)
	k.told, errs[2] = strconv.ParseUint(f[5], 36, 64)
	k.sweep, errs[3] = strconv.Atoi(f[6])
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return k, nil
}

// position writes a position; they are structs of strings, numbers and lists, which always encode.
func position(p any) string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// readPosition reads what position wrote. All have a version, which is 1.
func readPosition(text, stream string, into any) error {
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return fault.New(fault.Invalid, "the saved position of %s cannot be read: %w", stream, err)
	}
	if head.Version != 1 {
		return fault.New(fault.Invalid, "the saved position of %s has version %d, this program reads version 1", stream, head.Version)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fault.New(fault.Invalid, "the saved position of %s cannot be read: %w", stream, err)
	}
	return nil
}

// owners are the lists of repositories that are read, in order.
func (c *Connection) owners() []string {
	var lists []string
	for _, org := range c.cfg.Organisations {
		lists = append(lists, "orgs/"+org+"/repos")
	}
	for _, user := range c.cfg.Users {
		lists = append(lists, "users/"+user+"/repos")
	}
	if len(lists) == 0 {
		lists = append(lists, "installation/repositories")
	}
	return lists
}

// takes says whether a repository is one of those that are read.
func (c *Connection) takes(k known) bool {
	cfg := c.cfg.Repositories
	return cfg.takes(k.name) && (cfg.Archived || !k.archived) && (cfg.Forks || !k.fork)
}

// listRepositories reads a page of a list of repositories. What is configured as an organisation may be a user.
func (t *Turn) listRepositories(ctx context.Context, list string, page int) ([]*github.Repository, pages, error) {
	query := values("per_page", "100", "page", strconv.Itoa(page))
	if list == "installation/repositories" {
		var wrapped struct {
			Repositories []*github.Repository `json:"repositories"`
		}
		next, err := t.get(ctx, "the repositories of the App's installation", list, query, &wrapped)
		return wrapped.Repositories, next, err
	}
	var repos []*github.Repository
	query.Set("sort", "full_name")
	owner := strings.Split(list, "/")[1]
	next, err := t.get(ctx, "the repositories of "+owner, list, query, &repos)
	if fault.KindOf(err) == fault.NotFound && strings.HasPrefix(list, "orgs/") {
		next, err = t.get(ctx, "the repositories of "+owner, "users/"+owner+"/repos", query, &repos)
	}
	return repos, next, err
}

// readRepositoriesTurn lists the repositories: a sweep over all owners' lists, which may take several turns. What was
// listed before and is not any more is looked at by its id at the end of the sweep.
func readRepositoriesTurn(ctx context.Context, t *Turn) error {
	p, err := readRepositories(t.position)
	if err != nil {
		return err
	}
	save := func() {
		t.position = p.String()
		t.c.remember(p.repos)
		t.report.Done, t.report.Total = int64(len(p.repos)), int64(len(p.repos))
	}
	owners := t.c.owners()
	for p.Owner < len(owners) {
		if t.spent() {
			t.report.More = true
			return nil
		}
		repos, next, err := t.listRepositories(ctx, owners[p.Owner], p.Page)
		if err != nil {
			return err
		}
		for _, r := range repos {
			if err := t.seen(&p, r); err != nil {
				return err
			}
		}
		if p.Page++; next.next == 0 {
			p.Owner, p.Page = p.Owner+1, 1
		}
		save()
	}
	for _, id := range sortedIDs(p.repos) {
		k := p.repos[id]
		if k.sweep == p.Sweep || k.gone || k.left {
			continue
		}
		if t.spent() {
			t.report.More = true
			return nil
		}
		if err := t.missing(ctx, k); err != nil {
			return err
		}
		save()
	}
	p.Sweep, p.Owner, p.Page = p.Sweep+1, 0, 1
	save()
	t.report.Complete = true
	return nil
}

func sortedIDs(repos map[int64]*known) []int64 {
	ids := make([]int64, 0, len(repos))
	for id := range repos {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// seen takes note of a listed repository and tells it when it is new or has changed.
func (t *Turn) seen(p *repositoriesPosition, r *github.Repository) error {
	now := known{id: r.GetID(), name: r.GetFullName(), branch: r.GetDefaultBranch(), archived: r.GetArchived(), fork: r.GetFork()}
	if now.id == 0 || strings.Count(now.name, "/") != 1 || strings.ContainsAny(now.name+now.branch, " \n") {
		return nil
	}
	k := p.repos[now.id]
	if k == nil {
		if !t.c.takes(now) {
			return nil
		}
		k = &known{id: now.id, fact: p.free(now)}
		if at := instant(r.CreatedAt); !at.IsZero() {
			k.created = at.Unix()
		}
		p.repos[now.id] = k
	}
	k.name, k.branch, k.archived, k.fork, k.sweep = now.name, now.branch, now.archived, now.fork, p.Sweep
	back := k.gone
	k.gone, k.left = false, false
	if k.branch == "" {
		k.branch = "main" // of an empty repository
	}
	fact := t.c.t.repository(r, k.fact)
	if back { // it was told to be deleted, as of an instant that GitHub does not know of
		fact.UpdatedAt = t.asOf
	}
	return t.tellRepository(k, fact)
}

// free is the id in facts of a repository that is new: its name, which it takes over from a repository that is gone.
// Where one that was renamed still has the name for its history, GitHub's id is added.
func (p *repositoriesPosition) free(now known) string {
	for id, k := range p.repos {
		if k.fact != now.name {
			continue
		}
		if !k.gone {
			return fmt.Sprintf("%s@%d", now.name, now.id)
		}
		delete(p.repos, id)
	}
	return now.name
}

func (t *Turn) tellRepository(k *known, fact *event.Repository) error {
	hash := xxhash.Sum64(event.AppendJSON(nil, fact))
	if hash == k.told {
		return nil
	}
	if err := t.tell(fact); err != nil {
		return err
	}
	k.told = hash
	return nil
}

// missing looks at a repository that is no longer listed.
func (t *Turn) missing(ctx context.Context, k *known) error {
	var r github.Repository
	_, err := t.get(ctx, "the repository "+k.name, fmt.Sprintf("repositories/%d", k.id), nil, &r)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		k.gone = true
		return t.tellRepository(k, &event.Repository{
			Telling: event.Telling{Source: t.c.cfg.Name, UpdatedAt: t.asOf},
			ID:      k.fact, Name: k.name[strings.LastIndexByte(k.name, '/')+1:], DefaultBranch: k.branch,
			URL: t.c.at.web.JoinPath(k.name).String(), DeletedAt: t.asOf,
		})
	case err != nil:
		return err
	}
	k.left = true
	if full := r.GetFullName(); strings.Count(full, "/") == 1 {
		k.name = full
	}
	return t.tellRepository(k, t.c.t.repository(&r, k.fact))
}

// refreshRepository tells one repository again. It is none of the list's business: the position of the list stays.
func refreshRepository(ctx context.Context, t *Turn, subject string) error {
	path := "repos/" + subject
	if _, err := strconv.ParseInt(subject, 10, 64); err == nil {
		path = "repositories/" + subject
	}
	var r github.Repository
	if _, err := t.get(ctx, "the repository "+subject, path, nil, &r); err != nil {
		return err
	}
	id := r.GetFullName()
	if !t.c.takes(known{name: id, archived: r.GetArchived(), fork: r.GetFork()}) {
		return nil
	}
	for _, k := range t.c.known() {
		if k.id == r.GetID() {
			id = k.fact
		}
	}
	return t.tell(t.c.t.repository(&r, id))
}
