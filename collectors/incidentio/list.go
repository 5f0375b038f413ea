package incidentio

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/feed"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/source"
)

// pageSize is the most that incident.io gives.
const pageSize = "250"

type page struct {
	Incidents  []incident
	Pagination struct{ After string } `json:"pagination_meta"`
}

// list is how the incidents are read: by pages behind an id, latest first, and news by the day of the latest change, which
// is as fine as the API filters.
func (c *Incidents) list() feed.List[incident] {
	return feed.List[incident]{
		Since: c.cfg.Since,
		Created: func(ctx context.Context, t *feed.Turn, from, _ time.Time, after string) ([]incident, string, error) {
			q := url.Values{}
			if !from.IsZero() {
				q.Set("created_at[gte]", day(from))
			}
			return c.page(ctx, t, q, after)
		},
		Changed: func(ctx context.Context, t *feed.Turn, since time.Time, after string) ([]incident, string, error) {
			return c.page(ctx, t, url.Values{"updated_at[gte]": {day(since)}}, after)
		},
		One: func(ctx context.Context, t *feed.Turn, id string) (incident, error) {
			if strings.ContainsAny(id, "/?#%") {
				return incident{}, fault.New(fault.NotFound, "%s: %.40q is no id of an incident", c.cfg.Name, id)
			}
			var answer struct{ Incident incident }
			t.Asked()
			err := c.api.Get(ctx, "v2/incidents/"+id, nil, &answer)
			return answer.Incident, err
		},
		Key: func(i incident) feed.Key {
			created, _ := hook.Instant("created_at", i.CreatedAt) // Tell says what is wrong
			updated, _ := hook.Instant("updated_at", i.UpdatedAt)
			return feed.Key{ID: i.ID, Created: created, Updated: updated, Open: !slices.Contains(over, i.Status.Category) && !slices.Contains(nothing, i.Status.Category)}
		},
		Tell: func(_ context.Context, t *feed.Turn, i incident) error {
			fact, _, err := c.fact(i)
			if err != nil || fact == nil {
				return err
			}
			return t.Tell(fact)
		},
	}
}

// day is the day before, since whose midnight it is that incident.io means is not said.
func day(at time.Time) string { return at.UTC().Add(-24 * time.Hour).Format(time.DateOnly) }

func (c *Incidents) page(ctx context.Context, t *feed.Turn, q url.Values, after string) ([]incident, string, error) {
	q.Set("page_size", pageSize)
	if after != "" {
		q.Set("after", after)
	}
	var p page
	t.Asked()
	if err := c.api.Get(ctx, "v2/incidents", q, &p); err != nil {
		return nil, "", err
	}
	if len(p.Incidents) == 0 {
		return nil, "", nil
	}
	return p.Incidents, p.Pagination.After, nil
}

// Check asks who the key is and whether it may read incidents.
func (c *Incidents) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No API key is given: only webhooks are heard, and private incidents are not known.")
		return a, nil
	}
	var who struct {
		Identity struct {
			Name  string
			Roles []string
		}
	}
	if err := c.api.Get(ctx, "v1/identity", nil, &who); err != nil {
		if errors.Is(err, rest.ErrRefused) || fault.KindOf(err) == fault.Unavailable {
			return a, err
		}
	}
	a.Who, a.Scopes = who.Identity.Name, who.Identity.Roles
	thing := source.Thing{Kind: source.Incidents, What: "the incidents"}
	var answer struct {
		Pagination struct {
			Total int64 `json:"total_record_count"`
		} `json:"pagination_meta"`
	}
	switch err := c.api.Get(ctx, "v2/incidents", url.Values{"page_size": {"1"}}, &answer); {
	case err != nil && fault.KindOf(err) != fault.Denied:
		return a, err
	case err != nil:
		thing.Denied = err.Error()
	}
	a.Things, a.Requests = []source.Thing{thing}, 1+answer.Pagination.Total/250
	return a, nil
}
