package dashboards

import (
	"context"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
	"cairn/metrics/words"
)

// deploymentPage is what /deployments/{service}/{id} shows: what one deployment shipped, and the rule that linked each
// change to it.
type deploymentPage struct {
	Deployment metrics.DeploymentRecord
	Changes    []metrics.ChangeRecord
	More       string
}

func (p *Pages) deployment(c echo.Context) error {
	v, err := p.view(c, "cursor")
	if err != nil {
		return err
	}
	var b deploymentPage
	var changes metrics.ChangeList
	q := p.ask(c.Request().Context())
	find(q, &b.Deployment, func(ctx context.Context) (metrics.DeploymentRecord, error) {
		return p.deps.Engine.Deployment(ctx, c.Param("service"), c.Param("id"), v.Environment)
	})
	find(q, &changes, func(ctx context.Context) (metrics.ChangeList, error) {
		return p.deps.Engine.Changes(ctx, metrics.ChangeFilter{Service: c.Param("service"), Environment: v.Environment, Deployment: c.Param("id")}, metrics.Paging{Limit: 200, Cursor: c.QueryParam("cursor")})
	})
	if err := q.wait(); err != nil {
		return err
	}
	b.Changes = changes.Changes
	if changes.Next != "" {
		b.More = v.Link(deploymentPlace(b.Deployment), "cursor", changes.Next)
	}
	name := b.Deployment.Version
	if name == "" {
		name = words.Short(b.Deployment.ID)
	}
	return p.show(c, "deployment", page{Title: b.Deployment.Service + " " + name, Nav: "services", View: v, Body: b})
}
