package dashboards

import (
	"github.com/labstack/echo/v4"

	"cairn/metrics"
)

// doctorPage is what /doctor shows: where facts get lost on their way to a number.
type doctorPage struct {
	Report metrics.Report
	Of     string
}

func (p *Pages) doctor(c echo.Context) error {
	v, err := p.view(c, "metric", "service", "team")
	if err != nil {
		return err
	}
	scope := metrics.Scope{Service: c.QueryParam("service"), Team: c.QueryParam("team")}
	report, err := p.deps.Engine.Doctor(c.Request().Context(), c.QueryParam("metric"), scope, v.Environment)
	if err != nil {
		return err
	}
	b := doctorPage{Report: report, Of: scope.Service + scope.Team}
	return p.show(c, "doctor", page{Title: "Why is a number missing?", View: v, Body: b})
}
