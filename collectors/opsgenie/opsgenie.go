// Package opsgenie collects incidents of Opsgenie: it reads the list of incidents, and hears the webhooks of alerts, of
// which rules say whether they are incidents.
package opsgenie

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/feed"
	"cairn/internal/hook"
	"cairn/internal/rest"
	"cairn/internal/rules"
	"cairn/internal/signature"
	"cairn/internal/source"
)

// Config are the settings of a connection. Without an API key nothing is read; without one of tokens, basic and header no
// webhooks are heard: Opsgenie does not sign.
type Config struct {
	Name   string        `yaml:"name"`
	URL    string        `yaml:"url"` // https://api.eu.opsgenie.com for accounts in the EU
	APIKey string        `yaml:"api_key" secret:"true"`
	Every  time.Duration `yaml:"every"` // how long news may wait
	Since  time.Time     `yaml:"since"` // how far back history is read; zero: all of it

	Tokens []string   `yaml:"tokens" secret:"true"` // Authorization: Bearer
	Basic  hook.Basic `yaml:"basic"`
	Header hook.Token `yaml:"header"`

	// Alerts are patterns: an alert whose priority or one of whose tags fits is an incident. Without any, P1 and P2 are where
	// no incidents are read, and none where they are.
	Alerts         []string            `yaml:"alerts"`
	ServiceDetails []string            `yaml:"service_details"` // keys of an alert's details that name the service: the first that it has
	Services       []rules.ServiceName `yaml:"services"`        // by the id or the name of an impacted service; of alerts also by entity and tags
}

// DefaultConfig returns the settings that hold when nothing is said.
func DefaultConfig() Config {
	return Config{Name: "opsgenie", URL: "https://api.opsgenie.com", Every: 15 * time.Minute, ServiceDetails: []string{"service", "Service", "app"}}
}

// Reads says whether there is a key to read with.
func (cfg Config) Reads() bool { return cfg.APIKey != "" }

// Hears says whether webhooks can be told from anybody's.
func (cfg Config) Hears() bool {
	return len(cfg.Tokens)+len(cfg.Basic.Passwords)+len(cfg.Header.Secrets) > 0
}

// NewCredential makes what adds the key to requests.
func NewCredential(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(cfg.APIKey, " \t\r\n") {
		return nil, fault.New(fault.Invalid, "api_key has white space in it: it is one word")
	}
	value := ""
	if cfg.APIKey != "" {
		value = "GenieKey " + cfg.APIKey
	}
	return &rest.Credential{Header: "Authorization", Value: value, At: at, Next: next}, nil
}

// Incidents reads and hears the incidents of one account. It is safe for use from several goroutines.
type Incidents struct {
	*feed.Connection
	cfg      Config
	scheme   *signature.Scheme // nil: webhooks are not heard
	services *rules.Names
	alerts   *rules.Names
	memory   *hook.Memory[alert]
	api      rest.API
}

// New makes a connection. Errors are fault.Invalid.
func New(cfg Config, client *http.Client) (*Incidents, error) {
	switch {
	case !cfg.Reads() && !cfg.Hears():
		return nil, fault.New(fault.Invalid, "neither api_key nor tokens, basic or header is given: nothing could be read or heard")
	case cfg.Every < time.Minute:
		return nil, fault.New(fault.Invalid, "every is %s: give a minute or more", cfg.Every)
	}
	at, err := rest.Address("url", cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &Incidents{
		cfg: cfg, memory: hook.NewMemory[alert](20_000),
		api: rest.API{Name: cfg.Name, System: "Opsgenie", Key: "key", Base: at, Client: client, Needs: "the right Read, and configuration access for names of services"},
	}
	if c.services, err = rules.Services("services", cfg.Services); err != nil {
		return nil, err
	}
	patterns := cfg.Alerts
	if len(patterns) == 0 && !cfg.Reads() {
		patterns = []string{"P1", "P2"}
	}
	var list []rules.ServiceName
	for _, pattern := range patterns {
		list = append(list, rules.ServiceName{Match: pattern, Service: "fits"})
	}
	if c.alerts, err = rules.Services("alerts", list); err != nil {
		return nil, err
	}
	if cfg.Hears() {
		agreed := hook.Agreed{Bearer: cfg.Tokens, Basic: cfg.Basic, Token: cfg.Header}
		if c.scheme, err = agreed.Scheme("set tokens, basic or header"); err != nil {
			return nil, err
		}
	}
	c.Connection = feed.Connect(cfg.Name, source.Stream{Name: source.Incidents, Kind: source.Incidents, Every: cfg.Every}, c.list())
	return c, nil
}

// incident is an incident as the API gives it.
type incident struct {
	ID, Message, Status, Priority, CreatedAt, UpdatedAt, ImpactStartDate, ImpactEndDate string
	ImpactedServices                                                                    []string
	Links                                                                               struct{ Web string }
}

// Most that Opsgenie gives: things on a page, and things behind each other.
const (
	pageSize = 100
	deepest  = 20_000
)

// recent is how long after its beginning an incident that is over is looked at again.
const recent = 7 * 24 * time.Hour

// list is how the incidents are read: latest first, and for news those that are open and those of the latest week.
func (c *Incidents) list() feed.List[incident] {
	newest := func(ctx context.Context, t *feed.Turn, from time.Time, cursor string) ([]incident, string, error) {
		page, next, err := c.page(ctx, t, "", cursor)
		if len(page) > 0 && created(page[len(page)-1]).Before(from) {
			next = "" // the rest began before
		}
		return page, next, err
	}
	return feed.List[incident]{
		Since: c.cfg.Since, Vanish: true,
		Created: func(ctx context.Context, t *feed.Turn, from, _ time.Time, cursor string) ([]incident, string, error) {
			return newest(ctx, t, from, cursor)
		},
		Changed: func(ctx context.Context, t *feed.Turn, since time.Time, cursor string) ([]incident, string, error) {
			part, at, _ := strings.Cut(cmp.Or(cursor, "open/"), "/")
			if part == "open" {
				page, next, err := c.page(ctx, t, "status: open", at)
				if next == "" {
					return page, "recent/", err
				}
				return page, "open/" + next, err
			}
			page, next, err := newest(ctx, t, since.Add(-recent), at)
			if next != "" {
				next = "recent/" + next
			}
			return page, next, err
		},
		One: func(ctx context.Context, t *feed.Turn, id string) (incident, error) {
			if strings.ContainsAny(id, "/?#%") {
				return incident{}, fault.New(fault.NotFound, "%s: %.40q is no id of an incident", c.cfg.Name, id)
			}
			var answer struct{ Data incident }
			t.Asked()
			err := c.get(ctx, "v1/incidents/"+id, nil, &answer)
			return answer.Data, err
		},
		Key: func(i incident) feed.Key {
			updated, _ := hook.Instant("updatedAt", i.UpdatedAt) // Tell says what is wrong
			return feed.Key{ID: i.ID, Created: created(i), Updated: updated, Open: i.Status == "open"}
		},
		Tell: func(ctx context.Context, t *feed.Turn, i incident) error {
			fact, err := c.fact(ctx, t, i)
			if err != nil {
				return err
			}
			return t.Tell(fact)
		},
	}
}

func created(i incident) time.Time {
	at, _ := hook.Instant("createdAt", i.CreatedAt)
	return at
}

// page asks for the page at a cursor: OFFSET, or OFFSET<MILLISECONDS for those that began before, since Opsgenie does not go
// further behind the first than `deepest`.
func (c *Incidents) page(ctx context.Context, t *feed.Turn, query, cursor string) ([]incident, string, error) {
	at, before, _ := strings.Cut(cmp.Or(cursor, "0"), "<")
	offset, err := strconv.Atoi(at)
	if err != nil {
		return nil, "", fault.New(fault.Invalid, "%s: %.40q is no place in the list of incidents", c.cfg.Name, cursor)
	}
	if before != "" {
		query = strings.TrimPrefix(query+" AND createdAt < "+before, " AND ")
	}
	q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {at}, "sort": {"createdAt"}, "order": {"desc"}}
	if query != "" {
		q.Set("query", query)
	}
	var answer struct {
		Data   []incident
		Paging struct{ Next string }
	}
	t.Asked()
	if err := c.get(ctx, "v1/incidents", q, &answer); err != nil {
		return nil, "", err
	}
	page := answer.Data
	switch next := offset + len(page); {
	case len(page) == 0, len(page) < pageSize && answer.Paging.Next == "":
		return page, "", nil
	case next+pageSize > deepest:
		return page, "0<" + strconv.FormatInt(created(page[len(page)-1]).UnixMilli()+1, 10), nil
	case before != "":
		return page, strconv.Itoa(next) + "<" + before, nil
	default:
		return page, strconv.Itoa(next), nil
	}
}

// get asks; Opsgenie answers 422 when the key is none.
func (c *Incidents) get(ctx context.Context, path string, q url.Values, into any) error {
	err := c.api.Get(ctx, path, q, into)
	if err != nil && strings.Contains(err.Error(), "Key format is not valid") {
		return fault.Replace(fault.Denied, rest.ErrRefused, "%s: Opsgenie refuses the key: it is mistyped, or of an account elsewhere; for accounts in the EU set url: https://api.eu.opsgenie.com", c.cfg.Name)
	}
	return err
}

// fact is what an incident means.
func (c *Incidents) fact(ctx context.Context, t *feed.Turn, i incident) (*event.Incident, error) {
	if i.ID == "" || !slices.Contains([]string{"open", "resolved", "closed"}, i.Status) {
		return nil, fault.New(fault.Invalid, "%s: the incident %.60q has no id, or a status that is not known: %.40q", c.cfg.Name, i.ID, i.Status)
	}
	f := &event.Incident{ID: i.ID, Title: i.Message, Severity: i.Priority, URL: i.Links.Web}
	f.Source = c.cfg.Name
	var began time.Time
	for _, field := range []struct {
		name, text string
		to         *time.Time
	}{
		{"createdAt", i.CreatedAt, &began}, {"updatedAt", i.UpdatedAt, &f.UpdatedAt},
		{"impactStartDate", i.ImpactStartDate, &f.StartedAt}, {"impactEndDate", i.ImpactEndDate, &f.RestoredAt},
	} {
		var err error
		if *field.to, err = hook.Instant(field.name, field.text); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%s: the incident %.60q", c.cfg.Name, i.ID)
		}
	}
	if began.IsZero() || f.UpdatedAt.IsZero() {
		return nil, fault.New(fault.Invalid, "%s: the incident %.60q has no createdAt or no updatedAt", c.cfg.Name, i.ID)
	}
	f.DetectedAt = began
	if f.StartedAt.IsZero() {
		f.StartedAt = began
	}
	switch {
	case i.Status == "open":
		f.RestoredAt = time.Time{} // of a time before it was opened again
	case f.RestoredAt.IsZero():
		f.RestoredAt, f.ResolvedAt = f.UpdatedAt, f.UpdatedAt // nothing says when: it was over by then
	default:
		f.ResolvedAt = f.RestoredAt
	}
	var names []string
	for _, id := range i.ImpactedServices {
		name, err := c.serviceName(ctx, t, id)
		if err != nil {
			return nil, err
		}
		names = append(names, name, id)
	}
	if f.Service = c.services.Or(names...); f.Service == "" && len(names) > 0 {
		hook.LeaveOut(f)
	}
	return f, nil
}

// serviceName is what Opsgenie calls a service now; its id when that may not be read. A turn asks once for each.
func (c *Incidents) serviceName(ctx context.Context, t *feed.Turn, id string) (string, error) {
	if name, known := t.Known[id]; known || strings.ContainsAny(id, "/?#%") || id == "" {
		return cmp.Or(name, id), nil
	}
	var answer struct{ Data struct{ Name string } }
	t.Asked()
	err := c.get(ctx, "v1/services/"+id, nil, &answer)
	if err != nil && fault.KindOf(err) != fault.NotFound && (fault.KindOf(err) != fault.Denied || errors.Is(err, rest.ErrRefused)) {
		return "", err
	}
	t.Learn(id, answer.Data.Name)
	return cmp.Or(answer.Data.Name, id), nil
}

// Check asks whether the key may read incidents.
func (c *Incidents) Check(ctx context.Context) (source.Access, error) {
	var a source.Access
	if !c.cfg.Reads() {
		a.Notes = append(a.Notes, "No API key is given: only webhooks of alerts are heard, and incidents are not read.")
		return a, nil
	}
	a.Who = "an API key"
	thing := source.Thing{Kind: source.Incidents, What: "the incidents"}
	var answer struct{ TotalCount int64 }
	switch err := c.get(ctx, "v1/incidents", url.Values{"limit": {"1"}}, &answer); {
	case err != nil && (fault.KindOf(err) != fault.Denied || errors.Is(err, rest.ErrRefused)):
		return a, err
	case err != nil:
		thing.Denied = err.Error()
	}
	a.Things, a.Requests = []source.Thing{thing}, 1+answer.TotalCount/pageSize
	return a, nil
}
