package api

import (
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/internal/param"
	"cairn/metrics"
)

// Catalogue is the answer of /api/v1/metrics.
type Catalogue struct {
	Metrics []metrics.Definition `json:"metrics"`
}

func (s *Server) catalogue(c echo.Context) error {
	return answer(c, Catalogue{Metrics: s.deps.Engine.Catalogue()})
}

func (s *Server) metric(c echo.Context) error {
	r, err := request(named(c, "id"), c.QueryParams())
	if err != nil {
		return err
	}
	r.GroupBy = c.QueryParam("group_by")
	res, err := s.deps.Engine.Query(c.Request().Context(), r)
	if err != nil {
		return err
	}
	return answer(c, res)
}

func (s *Server) evidence(c echo.Context) error {
	r, err := request(named(c, "id"), c.QueryParams())
	if err != nil {
		return err
	}
	var page metrics.Page
	if page.Limit, err = param.Whole(c.QueryParams(), "limit"); err != nil {
		return err
	}
	if page.Offset, err = param.Whole(c.QueryParams(), "offset"); err != nil {
		return err
	}
	ev, err := s.deps.Engine.Explain(c.Request().Context(), r, page)
	if err != nil {
		return err
	}
	if ev.Next > 0 {
		linkNext(c, "offset", strconv.Itoa(ev.Next))
	}
	return answer(c, ev)
}

func (s *Server) doctor(c echo.Context) error {
	scope := metrics.Scope{Service: c.QueryParam("service"), Team: c.QueryParam("team")}
	report, err := s.deps.Engine.Doctor(c.Request().Context(), c.QueryParam("metric"), scope, c.QueryParam("environment"))
	if err != nil {
		return err
	}
	return answer(c, report)
}

// requestNames are the parameters of a request for a metric.
func requestNames() []string {
	return []string{
		"service", "team", "environment", "target", "from", "to", "bucket", "tz", "statistic", "stage", "capability", "survey", "question",
		"include_bots", "compare", "as_of",
	}
}

// defaultWindow is how long a window is whose beginning is not given.
const defaultWindow = 28

// request reads what is asked of a metric. Without from and to it is the last four weeks, today (or the day of as_of) included.
func request(id string, p url.Values) (metrics.Request, error) {
	r := metrics.Request{
		Metric: id, Scope: metrics.Scope{Service: p.Get("service"), Team: p.Get("team")}, Environment: p.Get("environment"), Target: p.Get("target"),
		Statistic: p.Get("statistic"), Stage: p.Get("stage"), Capability: p.Get("capability"), Survey: p.Get("survey"), Question: p.Get("question"),
	}
	zone, err := metrics.ParseZone(p.Get("tz"))
	if err != nil {
		return r, err
	}
	now := time.Now()
	if text := p.Get("as_of"); text != "" {
		if r.AsOf, err = time.Parse(time.RFC3339, text); err != nil {
			return r, fault.New(fault.Invalid, "as_of is %q: expected an instant such as 2026-01-31T14:30:00Z", text)
		}
		now = r.AsOf
	}
	from, to := p.Get("from"), p.Get("to")
	if to == "" {
		to = now.In(zone).AddDate(0, 0, 1).Format(time.DateOnly)
	}
	if from == "" {
		end, err := time.ParseInLocation(time.DateOnly, to[:min(len(to), len(time.DateOnly))], zone)
		if err != nil {
			return r, fault.New(fault.Invalid, "to is %q: expected a date such as 2026-01-31", to)
		}
		from = end.AddDate(0, 0, -defaultWindow).Format(time.DateOnly)
	}
	if r.Window, err = metrics.ParseWindow(from, to, p.Get("tz")); err != nil {
		return r, err
	}
	if r.Bucket, err = metrics.ParseBucket(p.Get("bucket")); err != nil {
		return r, err
	}
	if r.IncludeBots, err = param.Boolean(p, "include_bots"); err != nil {
		return r, err
	}
	compare, err := param.Boolean(p, "compare")
	if err != nil {
		return r, err
	}
	r.NoPrevious = compare != nil && !*compare
	return r, nil
}
