package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"cairn/internal/fault"
)

const (
	deploymentsAtOnce  = 50
	deploymentsAtLeast = 5
	deploymentsListed  = 30
	restDeployments    = 40 // requests of a turn where statuses are read one by one
)

// deploying is a deployment on its way to becoming a fact.
type deploying struct {
	d    deployment
	node string // GraphQL's id
	// whole says that the statuses are there.
	whole bool
}

// id is what a deployment is awaited under: GraphQL's id is kept beside the number, since it can ask for many at once.
func (d deploying) id() string {
	return strings.TrimSuffix(strconv.FormatInt(d.d.id, 10)+" "+d.node, " ")
}

// readDeploymentsTurn reads deployments by their creation, and asks again for those that have not ended: a status moves
// nothing in GitHub's list.
func readDeploymentsTurn(ctx context.Context, t *Turn) error {
	p, err := readListing(t.position, t.stream.Name)
	if err != nil {
		return err
	}
	if !t.c.usesGraphQL() {
		t.share = restDeployments
	}
	l := list[deploying]{
		since: t.c.cfg.Since,
		tell:  func(ctx context.Context, d deploying) (bool, error) { return t.tellDeploying(ctx, d, &p.Services) },
		history: func(ctx context.Context, at mark) (sheet[deploying], error) {
			if t.c.usesGraphQL() && (at.N == 0 || at.Cursor != "") {
				s, err := t.deploymentsByGraphQL(ctx, at)
				if !errors.Is(err, errNoGraphQL) {
					return s, err
				}
				t.share = restDeployments
			}
			return t.deploymentsByREST(ctx, at)
		},
	}
	l.news = func(ctx context.Context, at mark) (sheet[deploying], error) {
		if at.N == 0 {
			// One request tells whether there is anything, and costs nothing when the list is unchanged.
			s, err := t.deploymentsByREST(ctx, at)
			if err != nil || !t.c.usesGraphQL() {
				return s, err
			}
			fresh := slices.ContainsFunc(s.items, func(i item[deploying]) bool {
				return i.at >= p.Top-overlap.Milliseconds() && !p.toldBefore(i.id)
			})
			if !fresh {
				return sheet[deploying]{total: s.total}, nil
			}
		} else if at.Cursor == "" {
			return t.deploymentsByREST(ctx, at)
		}
		return l.history(ctx, at)
	}
	if err := t.awaitedDeployments(ctx, &p); err != nil {
		return err
	}
	return l.read(ctx, t, &p)
}

// toldBefore says whether a deployment is remembered from the overlap, whichever interface told it.
func (p *listing) toldBefore(id string) bool {
	_, ok := p.Overlap[id]
	return ok
}

func deployingItem(d deploying) item[deploying] {
	created := d.d.created.UnixMilli()
	return item[deploying]{id: strconv.FormatInt(d.d.id, 10), await: d.id(), at: created, changed: created, thing: d}
}

// tellDeploying tells a deployment and says whether it has not ended.
func (t *Turn) tellDeploying(ctx context.Context, d deploying, services *[]string) (open bool, err error) {
	if !d.whole {
		// Nobody asks for the statuses of what is none.
		if fact, verdict := t.c.t.deployment(t.repo.fact, d.d); fact == nil {
			t.applied(verdict.Rule, d.d.environment+" of "+t.repo.fact)
			return false, nil
		}
		if d.d.statuses, err = t.statuses(ctx, d.d.id); err != nil {
			return false, err
		}
	}
	fact, verdict := t.c.t.deployment(t.repo.fact, d.d)
	if err := t.tellDeployment(fact, verdict, d.d.environment+" of "+t.repo.fact, services); err != nil {
		return false, err
	}
	return fact != nil && !ended(fact.Status), nil
}

// awaitedDeployments asks again for the deployments that have not ended.
func (t *Turn) awaitedDeployments(ctx context.Context, p *listing) error {
	due := p.Open.due(t.asOf)
	take := func(d deploying, key string) error {
		open, err := t.tellDeploying(ctx, d, &p.Services)
		if err == nil {
			p.Open.await(key, d.d.created.UnixMilli(), open)
			t.position = position(p)
		}
		return err
	}
	var nodes, keys []string
	for _, key := range due {
		if _, node, ok := strings.Cut(key, " "); ok && t.c.usesGraphQL() && len(nodes) < 100 {
			nodes, keys = append(nodes, node), append(keys, key)
		}
	}
	if len(nodes) > 0 {
		found, err := t.deploymentsByID(ctx, nodes)
		if err != nil && !errors.Is(err, errNoGraphQL) && fault.KindOf(err) != fault.NotFound {
			return err
		}
		for _, d := range found {
			if err := take(d, d.id()); err != nil {
				return err
			}
			keys = slices.DeleteFunc(keys, func(key string) bool { return key == d.id() })
		}
		if err == nil {
			for _, key := range keys { // deleted
				delete(p.Open, key)
			}
			return nil
		}
		t.share = restDeployments
	}
	for _, key := range due {
		if t.requests >= t.share/2 {
			return nil // the others have their turn another time
		}
		id, _, _ := strings.Cut(key, " ")
		d, err := t.deploymentByREST(ctx, id)
		switch {
		case fault.KindOf(err) == fault.NotFound: // deleted
			delete(p.Open, key)
		case err != nil:
			return err
		default:
			if err := take(d, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func listedDeployment(r *github.Deployment) deploying {
	return deploying{d: deployment{
		id: r.GetID(), sha: r.GetSHA(), ref: r.GetRef(), task: r.GetTask(), environment: r.GetEnvironment(),
		created: instant(r.CreatedAt),
		creator: r.GetCreator().GetLogin(), creatorIsBot: isBot(r.GetCreator()),
	}, node: r.GetNodeID()}
}

func (t *Turn) deploymentsByREST(ctx context.Context, at mark) (sheet[deploying], error) {
	return numbered(ctx, deploymentsListed, at,
		func(ctx context.Context, page string) ([]*github.Deployment, pages, error) {
			var list []*github.Deployment
			next, err := t.get(ctx, t.what(), t.path("deployments"), values("per_page", strconv.Itoa(deploymentsListed), "page", page), &list)
			return list, next, err
		},
		func(r *github.Deployment) item[deploying] { return deployingItem(listedDeployment(r)) })
}

func (t *Turn) deploymentByREST(ctx context.Context, id string) (deploying, error) {
	var r github.Deployment
	if _, err := t.get(ctx, "deployment "+id+" of "+t.repo.name, t.path("deployments/"+id), nil, &r); err != nil {
		return deploying{}, err
	}
	return listedDeployment(&r), nil
}

// statuses reads the statuses of a deployment, all of them.
func (t *Turn) statuses(ctx context.Context, id int64) ([]deploymentStatus, error) {
	var all []deploymentStatus
	for page := 1; page != 0; {
		var list []*github.DeploymentStatus
		next, err := t.get(ctx, fmt.Sprintf("the statuses of deployment %d of %s", id, t.repo.name), t.path(fmt.Sprintf("deployments/%d/statuses", id)),
			values("per_page", "100", "page", strconv.Itoa(page)), &list)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			log := s.GetLogURL()
			if log == "" {
				log = s.GetTargetURL()
			}
			all = append(all, deploymentStatus{id: s.GetID(), state: s.GetState(), created: instant(s.CreatedAt), logURL: log, url: s.GetEnvironmentURL()})
		}
		page = next.next
	}
	return all, nil
}

type deploymentNode struct {
	ID          string    `json:"id"`
	DatabaseID  int64     `json:"databaseId"`
	CommitOid   string    `json:"commitOid"`
	Environment string    `json:"environment"`
	Task        string    `json:"task"`
	CreatedAt   time.Time `json:"createdAt"`
	Ref         *struct {
		Name string `json:"name"`
	} `json:"ref"`
	Creator  *actor `json:"creator"`
	Statuses *struct {
		Nodes []struct {
			State          string    `json:"state"`
			CreatedAt      time.Time `json:"createdAt"`
			LogURL         string    `json:"logUrl"`
			EnvironmentURL string    `json:"environmentUrl"`
		} `json:"nodes"`
	} `json:"statuses"`
}

func (n *deploymentNode) deploying() deploying {
	d := deploying{node: n.ID, whole: true, d: deployment{
		id: n.DatabaseID, sha: n.CommitOid, environment: n.Environment, task: n.Task, created: n.CreatedAt.UTC(),
	}}
	if n.Ref != nil {
		d.d.ref = n.Ref.Name
	}
	d.d.creator, d.d.creatorIsBot = n.Creator.who()
	if n.Statuses != nil {
		for i, s := range n.Statuses.Nodes {
			// The newest comes first: of two of one instant that is the later one.
			d.d.statuses = append(d.d.statuses, deploymentStatus{
				id: int64(len(n.Statuses.Nodes) - i), state: s.State, created: s.CreatedAt.UTC(), logURL: s.LogURL, url: s.EnvironmentURL,
			})
		}
	}
	return d
}

func (t *Turn) deploymentsByGraphQL(ctx context.Context, at mark) (sheet[deploying], error) {
	var answer struct {
		Repository *struct {
			Deployments struct {
				TotalCount int64            `json:"totalCount"`
				PageInfo   pageInfo         `json:"pageInfo"`
				Nodes      []deploymentNode `json:"nodes"`
			} `json:"deployments"`
		} `json:"repository"`
	}
	err := fewer(deploymentsAtOnce, deploymentsAtLeast, func(size int) error {
		return t.query(ctx, t.what(), deploymentsQuery, t.here("first", size, "after", after(at.Cursor)), &answer)
	})
	if err != nil {
		return sheet[deploying]{}, err
	}
	if answer.Repository == nil {
		return sheet[deploying]{}, t.hidden()
	}
	list := answer.Repository.Deployments
	s := sheet[deploying]{total: list.TotalCount, more: list.PageInfo.HasNextPage, next: mark{N: at.N + int64(len(list.Nodes)), Cursor: list.PageInfo.EndCursor}}
	for i := range list.Nodes {
		s.items = append(s.items, deployingItem(list.Nodes[i].deploying()))
	}
	return s, nil
}

// deploymentsByID reads deployments by GraphQL's ids.
func (t *Turn) deploymentsByID(ctx context.Context, ids []string) ([]deploying, error) {
	var answer struct {
		Nodes []*deploymentNode `json:"nodes"`
	}
	if err := t.query(ctx, t.what(), awaitedQuery, map[string]any{"ids": ids}, &answer); err != nil {
		return nil, err
	}
	var found []deploying
	for _, n := range answer.Nodes {
		if n != nil && n.DatabaseID != 0 {
			found = append(found, n.deploying())
		}
	}
	return found, nil
}

// refreshDeployment tells one deployment again.
func refreshDeployment(ctx context.Context, t *Turn, subject string) error {
	if _, err := strconv.ParseInt(subject, 10, 64); err != nil {
		return fault.New(fault.Invalid, "%s: %q is no id of a deployment", t.stream.Name, subject)
	}
	d, err := t.deploymentByREST(ctx, subject)
	if err != nil {
		return err
	}
	_, err = t.tellDeploying(ctx, d, new([]string))
	return err
}
