package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// Sizes of pages. GraphQL computes for ten seconds at most: where fifty pull requests are too much for that, fewer are
// asked for. REST lists are short, because every pull request of one takes three or four more requests.
const (
	changesAtOnce  = 50
	changesAtLeast = 5
	changesListed  = 30
	restChanges    = 40 // requests of a turn where pull requests are read one by one
)

// change is a pull request on its way to becoming a fact.
type change struct {
	pr    pullRequest
	whole bool // all that belongs to it is there; else only what a list of the REST API says
	// more is the cursor behind the first hundred commits, "" when there are no others.
	more string
	// subjects are the first lines of the messages of pr.commits.
	subjects []string
	// landed is the commit pr.mergeSHA.
	landed landedCommit
}

// landedCommit is what is compared to tell a rebase from a squash.
type landedCommit struct {
	authored time.Time
	subject  string
}

// readChangesTurn reads pull requests: news by their latest change, history by their creation, newest first.
func readChangesTurn(ctx context.Context, t *Turn) error {
	p, err := readListing(t.position, t.stream.Name)
	if err != nil {
		return err
	}
	if !t.c.usesGraphQL() {
		t.share = restChanges
	}
	l := list[change]{
		since: t.c.cfg.Since,
		tell: func(ctx context.Context, c change) (bool, error) {
			fact, err := t.changeFact(ctx, c)
			if err != nil {
				return false, err
			}
			return false, t.tell(fact)
		},
		history: func(ctx context.Context, at mark) (sheet[change], error) {
			// A cursor is GraphQL's, a place without one is REST's: history goes on as it began.
			if t.c.usesGraphQL() && (at.N == 0 || at.Cursor != "") {
				s, err := t.changesByGraphQL(ctx, at, "CREATED_AT", changesAtOnce)
				if !errors.Is(err, errNoGraphQL) {
					return s, err
				}
				t.share = restChanges
			}
			return t.changesByREST(ctx, at, "created")
		},
		news: func(ctx context.Context, at mark) (sheet[change], error) {
			size := changesAtOnce
			if at.N == 0 {
				// One request tells whether there is anything, and costs nothing when the list is unchanged.
				s, err := t.changesByREST(ctx, at, "updated")
				if err != nil || !t.c.usesGraphQL() {
					return s, err
				}
				fresh, recent := false, 0
				floor := p.Top - overlap.Milliseconds()
				if p.News != nil {
					floor = p.News.Floor
				}
				for _, i := range s.items {
					if i.at >= floor {
						recent++
						changed, told := p.Overlap[i.id]
						fresh = fresh || !told || changed != i.changed
					}
				}
				if !fresh {
					return sheet[change]{items: s.items, total: s.total}, nil
				}
				if recent < len(s.items) || !s.more {
					size = min(recent+1, changesAtOnce)
				}
			} else if at.Cursor == "" {
				return t.changesByREST(ctx, at, "updated")
			}
			if t.c.usesGraphQL() {
				s, err := t.changesByGraphQL(ctx, at, "UPDATED_AT", size)
				if !errors.Is(err, errNoGraphQL) {
					return s, err
				}
				t.share = restChanges
			}
			return t.changesByREST(ctx, at, "updated")
		},
	}
	return l.read(ctx, t, &p)
}

func changeItem(c change, order string) item[change] {
	i := item[change]{id: strconv.Itoa(c.pr.number), changed: c.pr.updated.UnixMilli(), thing: c}
	i.at = c.pr.created.UnixMilli()
	if strings.HasPrefix(strings.ToLower(order), "updated") {
		i.at = i.changed
	}
	return i
}

func (t *Turn) changesByREST(ctx context.Context, at mark, order string) (sheet[change], error) {
	return numbered(ctx, changesListed, at,
		func(ctx context.Context, page string) ([]*github.PullRequest, pages, error) {
			var list []*github.PullRequest
			next, err := t.get(ctx, t.what(), t.path("pulls"), values("state", "all", "sort", order, "direction", "desc",
				"per_page", strconv.Itoa(changesListed), "page", page), &list)
			return list, next, err
		},
		func(r *github.PullRequest) item[change] { return changeItem(change{pr: pullOf(r)}, order) })
}

// pullOf is what the REST API says of a pull request itself.
func pullOf(r *github.PullRequest) pullRequest {
	pr := pullRequest{
		number: r.GetNumber(), author: r.GetUser().GetLogin(), authorIsBot: isBot(r.GetUser()), title: r.GetTitle(), draft: r.GetDraft(),
		base: r.GetBase().GetRef(), headRef: r.GetHead().GetRef(), headSHA: r.GetHead().GetSHA(),
		created: instant(r.CreatedAt), updated: instant(r.UpdatedAt), merged: instant(r.MergedAt), closed: instant(r.ClosedAt),
		additions: r.GetAdditions(), deletions: r.GetDeletions(), url: r.GetHTMLURL(),
	}
	if !pr.merged.IsZero() { // that of an open one is a test merge
		pr.mergeSHA = r.GetMergeCommitSHA()
	}
	for _, l := range r.Labels {
		pr.labels = append(pr.labels, l.GetName())
	}
	return pr
}

// wholeChange reads a pull request with its commits (250 at most: GitHub lists no more), its reviews and the commit that
// it landed as.
func (t *Turn) wholeChange(ctx context.Context, number int) (change, error) {
	what := fmt.Sprintf("pull request %d of %s", number, t.repo.name)
	path := t.path("pulls/" + strconv.Itoa(number))
	var r github.PullRequest
	if _, err := t.get(ctx, what, path, nil, &r); err != nil {
		return change{}, err
	}
	c := change{pr: pullOf(&r), whole: true}
	if c.pr.number != number {
		return change{}, fault.New(fault.Unavailable, "%s: GitHub answers with pull request %d", what, c.pr.number)
	}
	for page := 1; page != 0; {
		var commits []*github.RepositoryCommit
		next, err := t.get(ctx, "the commits of "+what, path+"/commits", values("per_page", "100", "page", strconv.Itoa(page)), &commits)
		if err != nil {
			return change{}, err
		}
		for _, commit := range commits {
			c.add(pullCommit{
				sha: commit.GetSHA(), authored: instant(commit.GetCommit().GetAuthor().Date), committed: instant(commit.GetCommit().GetCommitter().Date),
				author: authorOf(commit.GetAuthor().GetLogin(), commit.GetCommit().GetAuthor().GetEmail()),
			}, commit.GetCommit().GetMessage())
		}
		page = next.next
	}
	if c.pr.merged.IsZero() && !c.pr.closed.IsZero() {
		return c, nil // nobody asks who reviewed what was thrown away
	}
	var reviews []*github.PullRequestReview
	if _, err := t.get(ctx, "the reviews of "+what, path+"/reviews", values("per_page", "100"), &reviews); err != nil {
		return change{}, err
	}
	for _, r := range reviews {
		c.pr.reviews = append(c.pr.reviews, review{author: r.GetUser().GetLogin(), bot: isBot(r.GetUser()), state: r.GetState(), submitted: instant(r.SubmittedAt)})
	}
	if c.pr.mergeSHA != "" && c.pr.mergeSHA != c.pr.headSHA {
		var commit github.Commit
		_, err := t.get(ctx, "the commit that "+what+" landed as", t.path("git/commits/"+url.PathEscape(c.pr.mergeSHA)), nil, &commit)
		switch {
		case fault.KindOf(err) == fault.NotFound: // the history was rewritten since
		case err != nil:
			return change{}, err
		default:
			c.pr.mergeParents = len(commit.Parents)
			c.landed = landedCommit{instant(commit.GetAuthor().Date), subjectOf(commit.GetMessage())}
		}
	}
	return c, nil
}

func (c *change) add(commit pullCommit, message string) {
	c.pr.commits = append(c.pr.commits, commit)
	c.subjects = append(c.subjects, subjectOf(message))
}

// authorOf names the author of a commit: the account, where GitHub knows it, else the address.
func authorOf(login, email string) string {
	if login != "" {
		return login
	}
	return clip(strings.ToLower(email))
}

// subjectOf is the first line of a message.
func subjectOf(message string) string {
	subject, _, _ := strings.Cut(message, "\n")
	return strings.TrimSpace(subject)
}

// changeFact completes a pull request and makes the fact of it.
func (t *Turn) changeFact(ctx context.Context, c change) (*event.ChangeRequest, error) {
	if !c.whole {
		whole, err := t.wholeChange(ctx, c.pr.number)
		if err != nil {
			return nil, err
		}
		c = whole
	}
	for c.more != "" {
		if err := t.furtherCommits(ctx, &c); err != nil {
			return nil, err
		}
	}
	if err := t.land(ctx, &c); err != nil {
		return nil, err
	}
	return t.c.t.changeRequest(t.repo.fact, c.pr), nil
}

// land finds out what a merged pull request put on its base. Two parents are a merge. The head itself is a fast-forward.
// With one parent it was squashed or rebased, which GitHub does not say: a rebase copies each commit and keeps its author's
// date and message, while a squash is a new commit of the moment of the merge. So it was a rebase when what landed has
// the date and the subject of the last original commit, and then the commits before it that are copies of the others
// landed with it.
func (t *Turn) land(ctx context.Context, c *change) error {
	pr := &c.pr
	switch {
	case pr.mergeSHA == "":
		return nil
	case pr.mergeSHA == pr.headSHA: // the original commits themselves landed
		for _, commit := range pr.commits {
			pr.landed = append(pr.landed, commit.sha)
		}
		return nil
	case pr.mergeParents != 1:
		return nil
	}
	pr.landed = []string{pr.mergeSHA}
	last := len(pr.commits) - 1
	if last < 1 || !c.copies(last, c.landed) {
		return nil
	}
	next, original := pr.mergeSHA, last
	var landed []string // the last one first
	for original >= 0 && next != "" {
		var commits []*github.RepositoryCommit
		if _, err := t.get(ctx, fmt.Sprintf("the commits that pull request %d of %s landed as", pr.number, t.repo.name), t.path("commits"),
			values("sha", next, "per_page", strconv.Itoa(min(original+1, 100))), &commits); err != nil {
			return err
		}
		before := len(landed)
		for _, commit := range commits {
			if commit.GetSHA() != next || original < 0 || len(commit.Parents) != 1 {
				continue
			}
			copied := landedCommit{instant(commit.GetCommit().GetAuthor().Date), subjectOf(commit.GetCommit().GetMessage())}
			for original >= 0 && !c.copies(original, copied) {
				original-- // a commit that a rebase leaves out, since the base has its changes already
			}
			if original < 0 {
				break
			}
			landed = append(landed, next)
			next = commit.Parents[0].GetSHA()
			original--
		}
		if len(landed) == before {
			break
		}
	}
	if len(landed) > 1 {
		pr.landed = pr.landed[:0]
		for i := len(landed) - 1; i >= 0; i-- {
			pr.landed = append(pr.landed, landed[i])
		}
	}
	return nil
}

// copies says whether a landed commit is a copy of the original commit n. GraphQL cuts long subjects.
func (c *change) copies(n int, landed landedCommit) bool {
	if !landed.authored.Equal(c.pr.commits[n].authored) {
		return false
	}
	a, cutA := strings.CutSuffix(c.subjects[n], "…")
	b, cutB := strings.CutSuffix(landed.subject, "…")
	return a == b || cutA && strings.HasPrefix(b, a) || cutB && strings.HasPrefix(a, b)
}

// refreshChange tells one pull request again.
func refreshChange(ctx context.Context, t *Turn, subject string) error {
	number, err := strconv.Atoi(subject)
	if err != nil || number < 1 {
		return fault.New(fault.Invalid, "%s: %q is no number of a pull request", t.stream.Name, subject)
	}
	c := change{pr: pullRequest{number: number}}
	if t.c.usesGraphQL() {
		c, err = t.changeByGraphQL(ctx, number)
		if errors.Is(err, errNoGraphQL) {
			c, err = change{pr: pullRequest{number: number}}, nil
		}
		if err != nil {
			return err
		}
	}
	fact, err := t.changeFact(ctx, c)
	if err != nil {
		return err
	}
	return t.tell(fact)
}
