package dashboards

import (
	"cmp"
	"context"
	"net/url"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
)

// servicePage is what /services/{id} shows.
type servicePage struct {
	Service      metrics.ServiceRecord
	Name         string
	Sentences    []string
	Cards        []card
	Minor        []card
	Timeline     chart
	Stages       stageBar
	Capabilities []capability
	Deployments  []metrics.DeploymentRecord
	More         string // where the older deployments are
	Newest       string // where the list begins; "" when this is its beginning
	Waiting      []metrics.ChangeRecord
	Incidents    []metrics.IncidentRecord
	Ownership    []metrics.OwnershipSpan
}

// listed is how many deployments a page lists at a time.
const listed = 50

func (p *Pages) service(c echo.Context) error {
	v, err := p.view(c, "cursor")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	name := c.Param("id") // or an alias
	scope := metrics.Scope{Service: name}
	var b servicePage
	var s story
	var deployments, page metrics.DeploymentList
	var incidents metrics.IncidentList
	var waiting metrics.ChangeList
	var adoption metrics.Evidence
	q := p.ask(ctx)
	find(q, &b.Service, func(ctx context.Context) (metrics.ServiceRecord, error) { return p.deps.Engine.Service(ctx, name) })
	b.Cards = q.cards(v, scope, "deployments_per_week", "lead_time", "change_failure_rate", "failed_deployment_recovery", "waiting_changes")
	b.Minor = q.cards(v, scope, "deployment_rework_rate", "deployment_gap", "error_budget_remaining")
	q.story(&s, v, scope)
	var stages stageAnswers
	q.stages(&stages, v, scope)
	find(q, &deployments, func(ctx context.Context) (metrics.DeploymentList, error) {
		return p.deps.Engine.Deployments(ctx, metrics.DeploymentFilter{Service: name, Environment: v.Environment, From: v.Window.From, To: v.Window.To}, metrics.Paging{Limit: metrics.MaxRecords})
	})
	find(q, &page, func(ctx context.Context) (metrics.DeploymentList, error) {
		return p.deps.Engine.Deployments(ctx, metrics.DeploymentFilter{Service: name, Environment: v.Environment, To: v.Window.To, IncludeRuns: true}, metrics.Paging{Limit: listed, Cursor: c.QueryParam("cursor")})
	})
	find(q, &incidents, func(ctx context.Context) (metrics.IncidentList, error) {
		return p.deps.Engine.Incidents(ctx, metrics.IncidentFilter{Service: name, From: v.Window.From, To: v.Window.To}, metrics.Paging{Limit: metrics.MaxRecords})
	})
	find(q, &waiting, func(ctx context.Context) (metrics.ChangeList, error) {
		return p.deps.Engine.Changes(ctx, metrics.ChangeFilter{Service: name, Environment: v.Environment, Waiting: true}, metrics.Paging{Limit: metrics.DefaultRecords})
	})
	find(q, &adoption, func(ctx context.Context) (metrics.Evidence, error) {
		return p.deps.Engine.Explain(ctx, metrics.Request{Metric: "adoption_rate", Scope: scope, Window: v.Window, NoPrevious: true}, metrics.Page{Limit: 100})
	})
	find(q, &b.Ownership, func(ctx context.Context) ([]metrics.OwnershipSpan, error) {
		return p.deps.Engine.ServiceOwnership(ctx, name)
	})
	if err := q.wait(); err != nil {
		return err
	}
	service := b.Service
	b.Name = cmp.Or(service.Name, service.ID)
	b.Sentences = sentences(b.Name, v, s)
	b.Stages = stages.bar()
	b.Deployments, b.Incidents, b.Waiting = page.Deployments, incidents.Incidents, waiting.Changes
	self := place("services", service.ID)
	if page.Next != "" {
		b.More = v.Link(self, "cursor", page.Next) + "#deployments"
	}
	if c.QueryParam("cursor") != "" {
		b.Newest = v.Link(self) + "#deployments"
	}
	b.Capabilities = covered(p.deps.Engine.Capabilities(), service, adoption.Items)
	marks := ownershipMarks(v, []metrics.ServiceRecord{service}, map[string][]metrics.OwnershipSpan{service.ID: b.Ownership})
	b.Timeline = timeline("timeline", v, []string{service.ID}, occurrences(v, deployments.Deployments, incidents.Incidents), marks)
	b.Timeline.Low = true
	return p.show(c, "service", pageOf(b.Name, v, s, b))
}

// covered says of each capability how a service covers it and what says so.
func covered(capabilities []string, service metrics.ServiceRecord, evidence []metrics.Item) []capability {
	var list []capability
	for _, name := range capabilities {
		state := service.Capabilities[name]
		if state == "" {
			continue
		}
		c := capability{Name: name, State: state}
		for _, item := range evidence {
			if item.Details["capability"] == name {
				c.Why = cmp.Or(item.Details["exemption_reason"], item.Details["evidence"])
			}
		}
		list = append(list, c)
	}
	return list
}

func pageOf(title string, v view, s story, body any) page {
	return page{Title: title, Nav: "services", View: v, AsOf: s.Deployments.AsOf, Body: body}
}

// deploymentPlace is the path of the page about a deployment.
func deploymentPlace(d metrics.DeploymentRecord) string {
	return "/deployments/" + url.PathEscape(d.Service) + "/" + url.PathEscape(d.ID)
}
