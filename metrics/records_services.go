package metrics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics/derive"
)

// ServiceRecord is one service: of the catalogue, or known by its deployments or incidents alone.
type ServiceRecord struct {
	ID           string              `json:"id"`
	Name         string              `json:"name"`
	Description  string              `json:"description"`
	System       string              `json:"system"`
	Lifecycle    string              `json:"lifecycle"`
	Tier         string              `json:"tier"`
	Owners       []string            `json:"owners"` // the teams that own it now
	Repositories []ServiceRepository `json:"repositories"`
	Dependencies []string            `json:"dependencies"`
	Dependents   []string            `json:"dependents"` // the services that name it as a dependency
	Tags         []string            `json:"tags"`
	Aliases      []string            `json:"aliases"`

	Documentation string `json:"documentation"`
	URL           string `json:"url"`
	CreatedVia    string `json:"created_via"`
	Template      string `json:"template"`
	Source        string `json:"source"`

	CreatedAt       *time.Time `json:"created_at"`
	RetiredAt       *time.Time `json:"retired_at"`
	FirstDeployedAt *time.Time `json:"first_deployed_at"` // first successful run in production
	LastDeployedAt  *time.Time `json:"last_deployed_at"`  // latest change of what is live in production
	Catalogued      bool       `json:"catalogued"`        // false: known by deployments or incidents alone

	// Capabilities are the states that the metrics of adoption count now: golden, own, none, unknown; escape_hatch for an
	// approved way off the golden path, not_applicable for an exemption. Empty for a service that they do not count.
	Capabilities map[string]string `json:"capabilities"`
}

// ServiceRepository is one repository, or part of one, that a service is built from.
type ServiceRepository struct {
	Repository  string   `json:"repository"`
	Paths       []string `json:"paths"`
	SharedPaths []string `json:"shared_paths"`
}

// ServiceFilter says which services to list; what is empty does not matter. GoldenPath is full, partial or none: how many
// of the capabilities that apply are on the golden path.
type ServiceFilter struct {
	Search         string // part of an id, name, alias, description, tag or owner, in any case
	Team           string // owned now by this team or one below it
	Lifecycle      string
	Tier           string
	System         string
	Tag            string
	GoldenPath     string
	IncludeRetired bool
}

// ServiceList is a page of services, by id, with counts of all that fit.
type ServiceList struct {
	Services []ServiceRecord    `json:"services"`
	Total    int64              `json:"total"`
	Facets   map[string][]Facet `json:"facets"` // owner, lifecycle, tier, golden_path: by value
	Next     string             `json:"next"`   // cursor of the next page; "" when this is the last
	Flags    []string           `json:"flags"`
}

// Facet says how many services would be listed if the filter asked for this value, all else being the same.
type Facet struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Names of the facets of a list of services.
const (
	FacetOwner      = "owner"
	FacetLifecycle  = "lifecycle"
	FacetTier       = "tier"
	FacetGoldenPath = "golden_path"
)

// Services lists services by id. Errors are fault.Invalid for what makes no sense and fault.NotFound for an unknown team.
func (e *Engine) Services(ctx context.Context, f ServiceFilter, p Paging) (ServiceList, error) {
	return answered(ctx, e, recordsKey{list: "services", filter: f, paging: p}, func(ctx context.Context, stale bool) (ServiceList, error) {
		list, err := e.findServices(ctx, f, p, stale)
		return list, listed("Services", err)
	})
}

func (e *Engine) findServices(ctx context.Context, f ServiceFilter, p Paging, stale bool) (ServiceList, error) {
	limit, err := p.limit()
	if err != nil {
		return ServiceList{}, err
	}
	after, err := p.after("services", 1)
	if err != nil {
		return ServiceList{}, err
	}
	switch f.GoldenPath {
	case "", "full", "partial", "none":
	default:
		return ServiceList{}, fault.New(fault.Invalid, "golden_path is %q: expected full, partial or none", f.GoldenPath)
	}
	q, flags, err := e.records(ctx, Scope{Team: f.Team}, stale)
	if err != nil {
		return ServiceList{}, err
	}
	v := e.adoptionNow(q)
	v["any_service"], v["services"] = true, []string{}
	v["search"], v["system"], v["tag"], v["retired"] = strings.TrimSpace(f.Search), f.System, f.Tag, f.IncludeRetired
	v["lifecycle"], v["tier"], v["golden_path"] = f.Lifecycle, f.Tier, f.GoldenPath
	var rows []struct {
		Facet string `ch:"facet"`
		Value string `ch:"value"`
		N     int64  `ch:"n"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/services"), v); err != nil {
		return ServiceList{}, err
	}
	list := ServiceList{Services: []ServiceRecord{}, Flags: flags, Facets: map[string][]Facet{FacetOwner: {}, FacetLifecycle: {}, FacetTier: {}, FacetGoldenPath: {}}}
	var ids []string
	owners := map[string]int64{}
	for _, r := range rows {
		switch r.Facet {
		case "":
			ids = append(ids, r.Value)
		case FacetOwner:
			owners[r.Value] = r.N
		default:
			list.Facets[r.Facet] = append(list.Facets[r.Facet], Facet{Value: r.Value, Count: r.N})
		}
	}
	if list.Facets[FacetOwner], err = e.ownerFacet(ctx, owners); err != nil {
		return ServiceList{}, err
	}
	list.Total = int64(len(ids))
	if after != nil {
		ids = ids[sort.Search(len(ids), func(i int) bool { return ids[i] > after[0] }):]
	}
	ids, list.Next = page(ids, limit, func(id string) string { return cursor("services", id) })
	list.Services, err = e.services(q, ids)
	return list, err
}

// ownerFacet counts for each team the services that it or a team below it owns. sets are how many services have the same
// owners, written one a line.
func (e *Engine) ownerFacet(ctx context.Context, sets map[string]int64) ([]Facet, error) {
	parents, err := e.derive.Parents(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for owners, n := range sets {
		reached := map[string]bool{}
		for _, team := range strings.Split(owners, "\n") {
			for ; team != "" && !reached[team]; team = parents[team] {
				reached[team] = true
				counts[team] += n
			}
		}
	}
	facets := []Facet{}
	for team, n := range counts {
		facets = append(facets, Facet{Value: team, Count: n})
	}
	slices.SortFunc(facets, func(a, b Facet) int { return cmp.Compare(a.Value, b.Value) })
	return facets, nil
}

// Service finds a service by id or alias. Errors are fault.NotFound.
func (e *Engine) Service(ctx context.Context, name string) (ServiceRecord, error) {
	return answered(ctx, e, recordsKey{list: "service", filter: name}, func(ctx context.Context, stale bool) (ServiceRecord, error) {
		s, err := e.findService(ctx, name, stale)
		return s, listed("Service", err)
	})
}

func (e *Engine) findService(ctx context.Context, name string, stale bool) (ServiceRecord, error) {
	q, _, err := e.records(ctx, Scope{Service: name}, stale)
	if err != nil {
		return ServiceRecord{}, err
	}
	list, err := e.services(q, q.services)
	if err == nil && (len(list) == 0 || name == "") {
		err = fault.New(fault.NotFound, "there is no service %q: no catalogue entry, deployment or incident names it", name)
	}
	if err != nil {
		return ServiceRecord{}, err
	}
	return list[0], nil
}

// adoptionNow are the values for a query that reads the present states of capabilities.
func (e *Engine) adoptionNow(q *question) store.Params {
	v := q.use()
	v["instants"], v["capabilities"] = []time.Time{q.AsOf}, e.cfg.Capabilities
	return v
}

// services reads what is known of the services with the given ids.
func (e *Engine) services(q *question, ids []string) ([]ServiceRecord, error) {
	list := []ServiceRecord{}
	if len(ids) == 0 {
		return list, nil
	}
	var rows []struct {
		ID            string     `ch:"id"`
		Name          string     `ch:"name"`
		Description   string     `ch:"description"`
		Aliases       []string   `ch:"aliases"`
		System        string     `ch:"system"`
		Lifecycle     string     `ch:"lifecycle"`
		Tier          string     `ch:"tier"`
		Tags          []string   `ch:"tags"`
		CreatedAt     *time.Time `ch:"created_at"`
		RetiredAt     *time.Time `ch:"retired_at"`
		CreatedVia    string     `ch:"created_via"`
		Template      string     `ch:"template"`
		Documentation string     `ch:"documentation"`
		URL           string     `ch:"url"`
		Source        string     `ch:"source"`
		Repositories  []string   `ch:"repositories"`
		Paths         [][]string `ch:"paths"`
		SharedPaths   [][]string `ch:"shared_paths"`
		Catalogued    bool       `ch:"catalogued"`
		Owners        []string   `ch:"owners"`
		Dependencies  []string   `ch:"dependencies"`
		Dependents    []string   `ch:"dependents"`
		First         *time.Time `ch:"first_deployed_at"`
		Last          *time.Time `ch:"last_deployed_at"`
		Capabilities  []string   `ch:"capabilities"`
		States        []string   `ch:"states"`
	}
	v := e.adoptionNow(q)
	v["ids"], v["any_service"], v["services"], v["any_team"], v["teams"] = ids, false, ids, true, []string{}
	if err := e.st.Select(q.ctx, &rows, e.query("records/service"), v); err != nil {
		return nil, err
	}
	for _, r := range rows {
		s := ServiceRecord{
			ID: r.ID, Name: r.Name, Description: r.Description, System: r.System, Lifecycle: r.Lifecycle, Tier: r.Tier, Owners: r.Owners,
			Repositories: []ServiceRepository{}, Dependencies: r.Dependencies, Dependents: r.Dependents, Tags: r.Tags, Aliases: r.Aliases,
			Documentation: r.Documentation, URL: r.URL, CreatedVia: r.CreatedVia, Template: r.Template, Source: r.Source,
			CreatedAt: utc(r.CreatedAt), RetiredAt: utc(r.RetiredAt), FirstDeployedAt: utc(r.First), LastDeployedAt: utc(r.Last),
			Catalogued: r.Catalogued, Capabilities: map[string]string{},
		}
		for i, name := range r.Repositories {
			s.Repositories = append(s.Repositories, ServiceRepository{Repository: name, Paths: r.Paths[i], SharedPaths: r.SharedPaths[i]})
		}
		for i, name := range r.Capabilities {
			s.Capabilities[name] = r.States[i]
		}
		list = append(list, s)
	}
	return list, nil
}

// GoldenPath says how many of the capabilities that apply are on the golden path: full, partial or none; "" where the
// metrics of adoption do not count the service.
func (s ServiceRecord) GoldenPath() string {
	golden, applicable := 0, 0
	for state := range maps.Values(s.Capabilities) {
		if state != "not_applicable" {
			applicable++
		}
		if state == "golden" {
			golden++
		}
	}
	switch {
	case applicable == 0:
		return ""
	case golden == applicable:
		return "full"
	case golden > 0:
		return "partial"
	}
	return "none"
}

// OwnershipSpan is a stretch of time [From, To) during which a team owned a service; nil ends are open.
type OwnershipSpan struct {
	Team string     `json:"team"`
	From *time.Time `json:"from"`
	To   *time.Time `json:"to"`
}

// ServiceOwnership lists who owned a service, named by id or alias, in the order of time. Errors are fault.NotFound.
func (e *Engine) ServiceOwnership(ctx context.Context, name string) ([]OwnershipSpan, error) {
	stale, err := e.freshen(ctx)
	if err != nil {
		return nil, err
	}
	q, _, err := e.records(ctx, Scope{Service: name}, stale)
	if err != nil {
		return nil, err
	}
	return e.ownership(ctx, q.Scope.Service)
}

// Ownerships lists who owned each of the services, named by id, in the order of time.
func (e *Engine) Ownerships(ctx context.Context, services []string) (map[string][]OwnershipSpan, error) {
	if _, err := e.freshen(ctx); err != nil {
		return nil, err
	}
	all := map[string][]OwnershipSpan{}
	for _, id := range services {
		spans, err := e.ownership(ctx, id)
		if err != nil {
			return nil, err
		}
		all[id] = spans
	}
	return all, nil
}

// ownership is who owned a service, as attribution knows it.
func (e *Engine) ownership(ctx context.Context, id string) ([]OwnershipSpan, error) {
	owners, err := e.derive.Owners(ctx, id)
	if err != nil {
		return nil, err
	}
	spans := []OwnershipSpan{}
	for _, o := range owners {
		s := OwnershipSpan{Team: o.Team}
		if o.From.After(beginning) {
			s.From = &o.From
		}
		if o.To.Before(derive.Forever()) {
			s.To = &o.To
		}
		spans = append(spans, s)
	}
	return spans, nil
}
