package pagerduty

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/feed"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/source"
)

// Bounds of what PagerDuty gives.
const (
	// Each incident costs a request for what happened to it, so a page of the history is a short one.
	historyPage = 25
	newsPage    = 100
	deepest     = 10_000 // behind the first
)

// How far news look back by when incidents began: a week, and never longer than PagerDuty's window, which is six months.
const (
	recent  = 7 * 24 * time.Hour
	longest = 150 * 24 * time.Hour
	ahead   = 24 * time.Hour // of the clock here
)

// list is how the incidents are read: by windows of when they began, and for news those that are open and those of the
// latest week. PagerDuty cannot be asked for what has changed.
func (c *Incidents) list() feed.List[incident] {
	return feed.List[incident]{
		Since: c.cfg.Since, Vanish: true,
		First: func(ctx context.Context, t *feed.Turn) (time.Time, error) {
			page, _, err := c.page(ctx, t, url.Values{"date_range": {"all"}, "sort_by": {"created_at:asc"}}, "", 1)
			if err != nil || len(page) == 0 {
				return time.Time{}, err
			}
			return hook.Instant("created_at", page[0].CreatedAt)
		},
		Created: func(ctx context.Context, t *feed.Turn, from, until time.Time, cursor string) ([]incident, string, error) {
			return c.page(ctx, t, window(from, until), cursor, historyPage)
		},
		Changed: func(ctx context.Context, t *feed.Turn, since time.Time, cursor string) ([]incident, string, error) {
			part, at, _ := strings.Cut(cmp.Or(cursor, "open/"), "/")
			if part == "open" {
				page, next, err := c.page(ctx, t, url.Values{"date_range": {"all"}, "statuses[]": {"triggered", "acknowledged"}, "sort_by": {"created_at:desc"}}, at, newsPage)
				if next == "" {
					return page, "recent/", err
				}
				return page, "open/" + next, err
			}
			from := since.Add(-recent)
			if oldest := t.AsOf.Add(-longest); from.Before(oldest) {
				from = oldest
			}
			page, next, err := c.page(ctx, t, window(from, t.AsOf.Add(ahead)), at, newsPage)
			if next != "" {
				next = "recent/" + next
			}
			return page, next, err
		},
		One: func(ctx context.Context, t *feed.Turn, id string) (incident, error) {
			if strings.ContainsAny(id, "/?#%") {
				return incident{}, fault.New(fault.NotFound, "%s: %.40q is no id of an incident", c.cfg.Name, id)
			}
			var answer struct{ Incident incident }
			t.Asked()
			err := c.api.Get(ctx, "incidents/"+id, nil, &answer)
			return answer.Incident, err
		},
		Key: func(i incident) feed.Key {
			created, _ := hook.Instant("created_at", i.CreatedAt) // Tell says what is wrong
			updated, _ := changed(i)
			return feed.Key{ID: i.ID, Created: created, Updated: updated, Open: i.Status != "resolved"}
		},
		Tell: c.tell,
	}
}

func window(from, until time.Time) url.Values {
	return url.Values{"since": {from.UTC().Format(time.RFC3339)}, "until": {until.UTC().Add(time.Second).Format(time.RFC3339)}, "sort_by": {"created_at:desc"}}
}

// page asks for the page at a cursor: OFFSET, or OFFSET<INSTANT for those that began before, since PagerDuty does not go
// further behind the first than `deepest`. Only a list without statuses, which lies in a window, is cut that way.
func (c *Incidents) page(ctx context.Context, t *feed.Turn, q url.Values, cursor string, size int) ([]incident, string, error) {
	at, before, _ := strings.Cut(cmp.Or(cursor, "0"), "<")
	offset, err := strconv.Atoi(at)
	if err != nil {
		return nil, "", fault.New(fault.Invalid, "%s: %.40q is no place in the list of incidents", c.cfg.Name, cursor)
	}
	if before != "" {
		q.Set("until", before)
	}
	q.Set("limit", strconv.Itoa(size))
	q.Set("offset", at)
	q.Set("time_zone", "UTC")
	var answer struct {
		Incidents []incident
		More      bool
	}
	t.Asked()
	if err := c.api.Get(ctx, "incidents", q, &answer); err != nil {
		return nil, "", err
	}
	page := answer.Incidents
	next := offset + len(page)
	switch {
	case !answer.More || len(page) == 0:
		return page, "", nil
	case next+size > deepest && !q.Has("since"):
		return page, "", nil // more than ten thousand are open: the older ones are asked for one by one
	case next+size > deepest:
		last, err := hook.Instant("created_at", page[len(page)-1].CreatedAt)
		if err != nil {
			return nil, "", err
		}
		return page, "0<" + last.Add(time.Second).Format(time.RFC3339), nil
	case before != "":
		return page, strconv.Itoa(next) + "<" + before, nil
	}
	return page, strconv.Itoa(next), nil
}

// changed is when an incident changed last.
func changed(i incident) (time.Time, error) {
	return hook.Instant("updated_at", cmp.Or(i.UpdatedAt, i.StatusChangedAt, i.CreatedAt))
}

// tell tells an incident, for which it asks what happened to it: the incident itself says who has acknowledged it only as
// long as that holds.
func (c *Incidents) tell(ctx context.Context, t *feed.Turn, i incident) error {
	if i.ID == "" {
		return fault.New(fault.Invalid, "%s: an incident has no id", c.cfg.Name)
	}
	updated, err := changed(i)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "%s: the incident %s", c.cfg.Name, i.ID)
	}
	var known history
	if _, err := c.service(i); err == nil { // of what is left out nothing of that is told
		if known, err = c.history(ctx, t, i.ID); err != nil {
			return err
		}
	}
	if i.Status == "resolved" {
		// The incident's own word comes before what is logged of it.
		if end, err := hook.Instant("resolved_at", i.ResolvedAt); err == nil && !end.IsZero() {
			known.ended = end
		}
		if known.ended.IsZero() {
			if known.ended, err = hook.Instant("last_status_change_at", i.StatusChangedAt); err != nil {
				return fault.Wrap(fault.Invalid, err, "%s: the incident %s", c.cfg.Name, i.ID)
			}
		}
		if known.ended.IsZero() {
			known.ended = updated
		}
	}
	fact, err := c.fact(i, known)
	if err != nil {
		return err
	}
	// PagerDuty gives whole seconds here and milliseconds to webhooks: of what a second brought this knows all.
	fact.UpdatedAt = updated.Truncate(time.Second).Add(999 * time.Millisecond)
	return t.Tell(fact)
}

// history asks what happened to an incident.
func (c *Incidents) history(ctx context.Context, t *feed.Turn, id string) (history, error) {
	var h history
	for offset := 0; ; {
		var answer struct {
			Entries []struct {
				Type      string
				CreatedAt string `json:"created_at"`
			} `json:"log_entries"`
			More bool
		}
		t.Asked()
		q := url.Values{"is_overview": {"true"}, "limit": {"100"}, "offset": {strconv.Itoa(offset)}, "time_zone": {"UTC"}}
		if err := c.api.Get(ctx, "incidents/"+url.PathEscape(id)+"/log_entries", q, &answer); err != nil {
			return h, err
		}
		for _, e := range answer.Entries {
			at, err := hook.Instant("created_at of a log entry", e.CreatedAt)
			if err != nil {
				return h, fault.Wrap(fault.Invalid, err, "%s: the incident %s", c.cfg.Name, id)
			}
			switch kind := strings.TrimSuffix(e.Type, "_reference"); {
			case kind == "acknowledge_log_entry" && (h.acknowledged.IsZero() || at.Before(h.acknowledged)):
				h.acknowledged = at
			case kind == "resolve_log_entry" && at.After(h.ended):
				h.ended = at
			}
		}
		if offset += len(answer.Entries); !answer.More || len(answer.Entries) == 0 || offset+100 > deepest {
			return h, nil
		}
	}
}

// Check asks whether the key may read incidents, and how many there are.
func (c *Incidents) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No API key is given: only webhooks are heard, and incidents from before are not known.")
		return a, nil
	}
	a.Who = "an API key"
	thing := source.Thing{Kind: source.Incidents, What: "the incidents"}
	var answer struct{ Total int64 }
	switch err := c.api.Get(ctx, "incidents", url.Values{"limit": {"1"}, "total": {"true"}, "date_range": {"all"}}, &answer); {
	case err != nil && (fault.KindOf(err) != fault.Denied || errors.Is(err, rest.ErrRefused)):
		return a, err
	case err != nil:
		thing.Denied = err.Error()
	}
	a.Things, a.Requests = []source.Thing{thing}, 1+answer.Total+answer.Total/historyPage
	return a, nil
}
