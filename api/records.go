package api

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/internal/param"
	"cairn/metrics"
)

// Service is the answer of /api/v1/services/{id}.
type Service struct {
	metrics.ServiceRecord
	Ownership []metrics.OwnershipSpan `json:"ownership"` // in the order of time
}

// lifecycles are those that a service can have.
func lifecycles() []string { return []string{"experimental", "production", "deprecated"} }

func (s *Server) services(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.ServiceFilter{
		Search: q.Get("search"), Team: q.Get("team"), Lifecycle: q.Get("lifecycle"), Tier: q.Get("tier"), System: q.Get("system"), Tag: q.Get("tag"), GoldenPath: q.Get("golden_path"),
	}
	if f.Lifecycle != "" && !slices.Contains(lifecycles(), f.Lifecycle) {
		return fault.New(fault.Invalid, "lifecycle is %q: expected one of %s", f.Lifecycle, strings.Join(lifecycles(), ", "))
	}
	if f.IncludeRetired, err = yes(q, "retired"); err != nil {
		return err
	}
	list, err := s.deps.Engine.Services(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

func (s *Server) service(c echo.Context) error {
	ctx, id := c.Request().Context(), named(c, "id")
	record, err := s.deps.Engine.Service(ctx, id)
	if err != nil {
		return err
	}
	spans, err := s.deps.Engine.ServiceOwnership(ctx, record.ID)
	if err != nil {
		return err
	}
	return answer(c, Service{ServiceRecord: record, Ownership: spans})
}

func (s *Server) teams(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	f := metrics.TeamFilter{Search: c.QueryParam("search"), Parent: c.QueryParam("parent")}
	if f.IncludeRetired, err = yes(c.QueryParams(), "retired"); err != nil {
		return err
	}
	list, err := s.deps.Engine.Teams(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

func (s *Server) team(c echo.Context) error {
	record, err := s.deps.Engine.Team(c.Request().Context(), named(c, "id"))
	if err != nil {
		return err
	}
	return answer(c, record)
}

func (s *Server) deployments(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.DeploymentFilter{Service: q.Get("service"), Team: q.Get("team"), Environment: q.Get("environment"), Kind: q.Get("kind")}
	if f.Failed, err = param.Boolean(q, "failed"); err != nil {
		return err
	}
	if f.IncludeRuns, err = yes(q, "runs"); err != nil {
		return err
	}
	if f.From, f.To, err = span(q); err != nil {
		return err
	}
	list, err := s.deps.Engine.Deployments(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

func (s *Server) changes(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.ChangeFilter{Service: q.Get("service"), Team: q.Get("team"), Environment: q.Get("environment"), Deployment: q.Get("deployment")}
	if f.Waiting, err = yes(q, "waiting"); err != nil {
		return err
	}
	if f.From, f.To, err = span(q); err != nil {
		return err
	}
	list, err := s.deps.Engine.Changes(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

func (s *Server) incidents(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.IncidentFilter{Service: q.Get("service"), Team: q.Get("team"), Cause: q.Get("cause")}
	if f.Open, err = param.Boolean(q, "open"); err != nil {
		return err
	}
	if f.From, f.To, err = span(q); err != nil {
		return err
	}
	list, err := s.deps.Engine.Incidents(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

// provisioning is what was asked of the platform.
func (s *Server) provisioning(c echo.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	f := metrics.RequestFilter{Service: q.Get("service"), Team: q.Get("team"), Way: q.Get("way"), Status: q.Get("status")}
	if f.From, f.To, err = span(q); err != nil {
		return err
	}
	list, err := s.deps.Engine.Requests(c.Request().Context(), f, p)
	if err != nil {
		return err
	}
	linkNext(c, "cursor", list.Next)
	return answer(c, list)
}

// named is a parameter of the path, as the caller meant it: a slash in it is written %2F.
func named(c echo.Context, name string) string {
	text := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

func paging(c echo.Context) (metrics.Paging, error) {
	limit, err := param.Within(c.QueryParams(), "limit", 1, metrics.MaxRecords)
	return metrics.Paging{Cursor: c.QueryParam("cursor"), Limit: limit}, err
}

// yes is a switch that is off unless it is set.
func yes(q url.Values, name string) (bool, error) {
	v, err := param.Boolean(q, name)
	return v != nil && *v, err
}

// span reads the ends of a list's span of time; those that are left out are open.
func span(q url.Values) (from, to time.Time, err error) {
	begin, end := q.Get("from"), q.Get("to")
	if begin == "" {
		begin = "1970-01-01"
	}
	if end == "" {
		end = "2199-01-01"
	}
	w, err := metrics.ParseWindow(begin, end, q.Get("tz"))
	return w.From, w.To, err
}
