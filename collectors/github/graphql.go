package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The documents that are sent to GraphQL. A test holds them against GitHub's published schema.
const (
	changeFragment = `
fragment change on PullRequest {
  number title isDraft baseRefName headRefName headRefOid createdAt updatedAt mergedAt closedAt additions deletions url
  author { login __typename }
  mergeCommit { oid authoredDate messageHeadline parents(first: 1) { totalCount } }
  labels(first: 50) { nodes { name } }
  commits(first: 100) { ...commits }
  reviews(first: 50) { nodes { author { login __typename } state submittedAt } }
  timelineItems(last: 1, itemTypes: [READY_FOR_REVIEW_EVENT]) { nodes { ... on ReadyForReviewEvent { createdAt } } }
}` + commitsFragment

	commitsFragment = `
fragment commits on PullRequestCommitConnection {
  pageInfo { hasNextPage endCursor }
  nodes { commit { oid authoredDate committedDate messageHeadline author { email user { login } } } }
}`

	changesQuery = `
query changes($owner: String!, $name: String!, $first: Int!, $after: String, $order: IssueOrder!) {
  repository(owner: $owner, name: $name) {
    pullRequests(first: $first, after: $after, orderBy: $order) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { ...change }
    }
  }
}` + changeFragment

	changeQuery = `
query change($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { ...change } }
}` + changeFragment

	commitsQuery = `
query commits($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { commits(first: 100, after: $after) { ...commits } } }
}` + commitsFragment

	deploymentFragment = `
fragment deployment on Deployment {
  id databaseId commitOid environment task createdAt
  ref { name }
  creator { login __typename }
  statuses(first: 20) { nodes { state createdAt logUrl environmentUrl } }
}`

	deploymentsQuery = `
query deployments($owner: String!, $name: String!, $first: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    deployments(first: $first, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { ...deployment }
    }
  }
}` + deploymentFragment

	awaitedQuery = `
query awaited($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Deployment { ...deployment } }
}` + deploymentFragment
)

type pageInfo struct {
	HasNextPage bool   `json:"hasNextPage"`
	EndCursor   string `json:"endCursor"`
}

// actor is whoever did something; null when the account is gone.
type actor struct {
	Login    string `json:"login"`
	Typename string `json:"__typename"`
}

func (a *actor) who() (login string, bot bool) {
	if a == nil {
		return "", false
	}
	return a.Login, a.Typename == "Bot"
}

type changeNode struct {
	Number      int        `json:"number"`
	Title       string     `json:"title"`
	IsDraft     bool       `json:"isDraft"`
	BaseRefName string     `json:"baseRefName"`
	HeadRefName string     `json:"headRefName"`
	HeadRefOid  string     `json:"headRefOid"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	MergedAt    *time.Time `json:"mergedAt"`
	ClosedAt    *time.Time `json:"closedAt"`
	Additions   int        `json:"additions"`
	Deletions   int        `json:"deletions"`
	URL         string     `json:"url"`
	Author      *actor     `json:"author"`
	MergeCommit *struct {
		Oid             string    `json:"oid"`
		AuthoredDate    time.Time `json:"authoredDate"`
		MessageHeadline string    `json:"messageHeadline"`
		Parents         struct {
			TotalCount int `json:"totalCount"`
		} `json:"parents"`
	} `json:"mergeCommit"`
	Labels *struct {
		Nodes []struct {
			Name string `json:"name"`
		} `json:"nodes"`
	} `json:"labels"`
	Commits commitsNode `json:"commits"`
	Reviews *struct {
		Nodes []struct {
			Author      *actor     `json:"author"`
			State       string     `json:"state"`
			SubmittedAt *time.Time `json:"submittedAt"`
		} `json:"nodes"`
	} `json:"reviews"`
	TimelineItems struct {
		Nodes []struct {
			CreatedAt time.Time `json:"createdAt"`
		} `json:"nodes"`
	} `json:"timelineItems"`
}

type commitsNode struct {
	PageInfo pageInfo `json:"pageInfo"`
	Nodes    []struct {
		Commit struct {
			Oid             string    `json:"oid"`
			AuthoredDate    time.Time `json:"authoredDate"`
			CommittedDate   time.Time `json:"committedDate"`
			MessageHeadline string    `json:"messageHeadline"`
			Author          *struct {
				Email string `json:"email"`
				User  *struct {
					Login string `json:"login"`
				} `json:"user"`
			} `json:"author"`
		} `json:"commit"`
	} `json:"nodes"`
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func (n *changeNode) change() change {
	c := change{whole: true, pr: pullRequest{
		number: n.Number, title: n.Title, draft: n.IsDraft, base: n.BaseRefName, headRef: n.HeadRefName, headSHA: n.HeadRefOid,
		created: n.CreatedAt.UTC(), updated: n.UpdatedAt.UTC(), merged: orZero(n.MergedAt), closed: orZero(n.ClosedAt),
		additions: n.Additions, deletions: n.Deletions, url: n.URL,
	}}
	c.pr.author, c.pr.authorIsBot = n.Author.who()
	if m := n.MergeCommit; m != nil && n.MergedAt != nil {
		c.pr.mergeSHA, c.pr.mergeParents = m.Oid, m.Parents.TotalCount
		c.landed = landedCommit{m.AuthoredDate.UTC(), m.MessageHeadline}
	}
	if n.Labels != nil {
		for _, l := range n.Labels.Nodes {
			c.pr.labels = append(c.pr.labels, l.Name)
		}
	}
	n.Commits.addTo(&c)
	if n.Reviews != nil {
		for _, r := range n.Reviews.Nodes {
			login, bot := r.Author.who()
			c.pr.reviews = append(c.pr.reviews, review{author: login, bot: bot, state: r.State, submitted: orZero(r.SubmittedAt)})
		}
	}
	for _, e := range n.TimelineItems.Nodes {
		c.pr.ready = e.CreatedAt.UTC()
	}
	return c
}

func (n *commitsNode) addTo(c *change) {
	for _, node := range n.Nodes {
		commit, author := node.Commit, ""
		if a := commit.Author; a != nil {
			author = authorOf("", a.Email)
			if a.User != nil {
				author = authorOf(a.User.Login, a.Email)
			}
		}
		c.add(pullCommit{sha: commit.Oid, authored: commit.AuthoredDate.UTC(), committed: commit.CommittedDate.UTC(), author: author}, commit.MessageHeadline)
	}
	c.more = ""
	if n.PageInfo.HasNextPage {
		c.more = n.PageInfo.EndCursor
	}
}

// here are the variables that name the turn's repository.
func (t *Turn) here(pairs ...any) map[string]any {
	owner, name, _ := strings.Cut(t.repo.name, "/")
	v := map[string]any{"owner": owner, "name": name}
	for i := 0; i+1 < len(pairs); i += 2 {
		v[pairs[i].(string)] = pairs[i+1]
	}
	return v
}

// after is the variable of a cursor: null at the beginning.
func after(cursor string) any {
	if cursor == "" {
		return nil
	}
	return cursor
}

// fewer asks again for less, as long as GitHub says that it was too much.
func fewer(size, least int, ask func(size int) error) error {
	for {
		err := ask(size)
		if !errors.Is(err, errTooMuch) || size <= least {
			return err
		}
		size = max(size/2, least)
	}
}

func (t *Turn) changesByGraphQL(ctx context.Context, at mark, order string, size int) (sheet[change], error) {
	var answer struct {
		Repository *struct {
			PullRequests struct {
				TotalCount int64        `json:"totalCount"`
				PageInfo   pageInfo     `json:"pageInfo"`
				Nodes      []changeNode `json:"nodes"`
			} `json:"pullRequests"`
		} `json:"repository"`
	}
	err := fewer(size, changesAtLeast, func(size int) error {
		return t.query(ctx, t.what(), changesQuery, t.here("first", size, "after", after(at.Cursor),
			"order", map[string]string{"field": order, "direction": "DESC"}), &answer)
	})
	if err != nil {
		return sheet[change]{}, err
	}
	if answer.Repository == nil {
		return sheet[change]{}, t.hidden()
	}
	list := answer.Repository.PullRequests
	s := sheet[change]{total: list.TotalCount, more: list.PageInfo.HasNextPage, next: mark{N: at.N + int64(len(list.Nodes)), Cursor: list.PageInfo.EndCursor}}
	for _, n := range list.Nodes {
		s.items = append(s.items, changeItem(n.change(), order))
	}
	return s, nil
}

func (t *Turn) changeByGraphQL(ctx context.Context, number int) (change, error) {
	var answer struct {
		Repository *struct {
			PullRequest *changeNode `json:"pullRequest"`
		} `json:"repository"`
	}
	what := fmt.Sprintf("pull request %d of %s", number, t.repo.name)
	if err := t.query(ctx, what, changeQuery, t.here("number", number), &answer); err != nil {
		return change{}, err
	}
	if answer.Repository == nil || answer.Repository.PullRequest == nil {
		return change{}, t.hidden()
	}
	return answer.Repository.PullRequest.change(), nil
}

// furtherCommits reads the next hundred commits of a pull request.
func (t *Turn) furtherCommits(ctx context.Context, c *change) error {
	var answer struct {
		Repository *struct {
			PullRequest *struct {
				Commits commitsNode `json:"commits"`
			} `json:"pullRequest"`
		} `json:"repository"`
	}
	what := fmt.Sprintf("the commits of pull request %d of %s", c.pr.number, t.repo.name)
	if err := t.query(ctx, what, commitsQuery, t.here("number", c.pr.number, "after", c.more), &answer); err != nil {
		return err
	}
	if answer.Repository == nil || answer.Repository.PullRequest == nil {
		return t.hidden()
	}
	before := c.more
	answer.Repository.PullRequest.Commits.addTo(c)
	if c.more == before {
		c.more = ""
	}
	return nil
}
