package github

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/collectors/git"
	"cairn/internal/event"
	"cairn/internal/fault"
)

// readCommitsTurn reads commits in the way that is configured.
func readCommitsTurn(ctx context.Context, t *Turn) error {
	if t.c.cfg.Commits == CommitsGit {
		return t.readClone(ctx)
	}
	return t.readCommits(ctx)
}

const commitsAtOnce = 100

// commitsPosition is how far the commits of the default branch were read from the API. Lists are pinned to a commit, so
// that their pages stand still: news are what the head has and the commit that was read before has not, history is what
// is reachable from the head at the first turn.
type commitsPosition struct {
	Version  int         `json:"v"`
	Branch   branchKnown `json:"branch"`
	Head     string      `json:"head,omitempty"` // everything reachable from it is told, or is history
	News     *comparison `json:"news,omitempty"`
	From     string      `json:"from,omitempty"` // where history begins
	Page     int         `json:"page,omitempty"` // of history, to be read next
	Done     int64       `json:"done,omitempty"`
	Last     int64       `json:"last,omitempty"` // page of history
	Back     int64       `json:"back,omitempty"` // seconds
	Complete bool        `json:"complete,omitempty"`
}

// branchKnown is the latest telling of the default branch.
type branchKnown struct {
	Name string `json:"n,omitempty"`
	SHA  string `json:"s,omitempty"`
	Told int64  `json:"t,omitempty"` // milliseconds
}

// comparison is a reading of what is between two commits.
type comparison struct {
	Base string `json:"base"`
	Head string `json:"head"`
	Page int    `json:"page"`
}

func (t *Turn) readCommits(ctx context.Context) error {
	p := commitsPosition{Version: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	save := func() {
		t.position = position(p)
		t.report.Done, t.report.Total, t.report.Complete = p.Done, max(p.Done, p.Last*commitsAtOnce), p.Complete
		if p.Complete {
			t.report.Total = p.Done
		}
		if p.Back != 0 {
			t.report.ReachedBack = time.Unix(p.Back, 0).UTC()
		}
	}
	// The first page of history begins with the head; later, one commit says whether there is anything new.
	var heads []*github.RepositoryCommit
	begins := p.Head == "" && t.c.cfg.Since.IsZero()
	size := 1
	if begins {
		size = commitsAtOnce
	}
	behindHead, err := t.get(ctx, t.what(), t.path("commits"), values("sha", t.repo.branch, "per_page", strconv.Itoa(size)), &heads)
	if empty(err) || err == nil && len(heads) == 0 {
		t.report.Complete = true
		return nil
	}
	if err != nil {
		return err
	}
	head := heads[0]
	switch sha := head.GetSHA(); {
	case p.Head == "":
		p.Head, p.From, p.Page = sha, sha, 1
	case p.News == nil && sha != p.Head:
		p.News = &comparison{Base: p.Head, Head: sha, Page: 1}
	}
	for p.News != nil {
		if t.spent() {
			t.report.More = true
			return nil
		}
		if err := t.readComparison(ctx, &p); err != nil {
			return err
		}
		save()
	}
	if err := t.tellBranch(&p, head); err != nil {
		return err
	}
	save()
	for !p.Complete {
		if t.spent() {
			t.report.More = true
			return nil
		}
		list, next := heads, behindHead
		var err error
		if !begins {
			list = nil
			query := values("sha", p.From, "per_page", strconv.Itoa(commitsAtOnce), "page", strconv.Itoa(p.Page))
			if since := t.c.cfg.Since; !since.IsZero() {
				query.Set("since", since.UTC().Format(time.RFC3339))
			}
			next, err = t.get(ctx, t.what(), t.path("commits"), query, &list)
		}
		begins = false
		if fault.KindOf(err) == fault.NotFound && p.Page > 1 { // GitHub has thrown away a history that was rewritten
			p.Complete = true
			save()
			break
		}
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := t.tell(t.c.t.commit(t.repo.fact, c)); err != nil {
				return err
			}
			p.Done++
			p.Back = c.GetCommit().GetCommitter().GetDate().Unix()
		}
		p.Page++
		p.Last = max(p.Last, int64(next.last))
		p.Complete = next.next == 0
		save()
	}
	return nil
}

// readComparison reads a page of what is new. Where GitHub no longer has the commit that was read before, everything is
// history again.
func (t *Turn) readComparison(ctx context.Context, p *commitsPosition) error {
	var c github.CommitsComparison
	next, err := t.get(ctx, t.what(), t.path(fmt.Sprintf("compare/%s...%s", p.News.Base, p.News.Head)),
		values("per_page", strconv.Itoa(commitsAtOnce), "page", strconv.Itoa(p.News.Page)), &c)
	if fault.KindOf(err) == fault.NotFound {
		p.Head, p.From, p.Page, p.Complete, p.News = p.News.Head, p.News.Head, 1, false, nil
		return nil
	}
	if err != nil {
		return err
	}
	for _, commit := range c.Commits {
		if err := t.tell(t.c.t.commit(t.repo.fact, commit)); err != nil {
			return err
		}
		p.Done++
	}
	if next.next != 0 {
		p.News.Page++
		return nil
	}
	p.Head, p.News = p.News.Head, nil
	return nil
}

// tellBranch tells the head of the default branch when it has moved, and that another one is no longer the default. It is
// told as of the head's date, and after the telling before it.
func (t *Turn) tellBranch(p *commitsPosition, head *github.RepositoryCommit) error {
	before := p.Branch
	if before.Name == t.repo.branch && before.SHA == head.GetSHA() {
		return nil
	}
	if before.Name != "" && before.Name != t.repo.branch {
		if err := t.tell(t.c.t.branch(t.repo.fact, before.Name, before.SHA, false, time.UnixMilli(before.Told+1))); err != nil {
			return err
		}
		before.Told = 0
	}
	at := head.GetCommit().GetCommitter().GetDate().UnixMilli()
	if before.Told != 0 {
		at = max(at, before.Told+1)
	}
	p.Branch = branchKnown{Name: t.repo.branch, SHA: head.GetSHA(), Told: at}
	return t.tell(t.c.t.branch(t.repo.fact, t.repo.branch, head.GetSHA(), true, time.UnixMilli(at)))
}

// commit is the fact of a commit as the API shows it: without the paths that it touches.
func (t translator) commit(repo string, c *github.RepositoryCommit) *event.Commit {
	commit := c.GetCommit()
	message := git.ReadMessage(commit.GetMessage())
	author := authorOf(c.GetAuthor().GetLogin(), commit.GetAuthor().GetEmail())
	fact := &event.Commit{
		Telling:    event.Telling{Source: t.source},
		Repository: repo, SHA: c.GetSHA(), Author: author, Bot: isBot(c.GetAuthor()) || t.rules.Bot(author),
		AuthoredAt: instant(commit.GetAuthor().Date), CommittedAt: instant(commit.GetCommitter().Date),
		Subject: message.Subject,
	}
	for _, p := range c.Parents {
		fact.Parents = append(fact.Parents, p.GetSHA())
	}
	if fact.AuthoredAt.IsZero() {
		fact.AuthoredAt = fact.CommittedAt
	}
	if fact.CommittedAt.IsZero() {
		fact.CommittedAt = fact.AuthoredAt
	}
	// Shortened shas could only be completed by asking for each.
	if len(message.CherryPicked) >= 40 {
		fact.CherryPickedFrom = message.CherryPicked
	}
	if len(message.Reverts) >= 40 {
		fact.Reverts = message.Reverts
	}
	return fact
}

// cloneURL is where git clones the turn's repository from.
func (t *Turn) cloneURL() string {
	owner, name, _ := strings.Cut(t.repo.name, "/")
	return t.c.at.web.JoinPath(url.PathEscape(owner), url.PathEscape(name)+".git").String()
}
