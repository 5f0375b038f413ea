package dashboards

import (
	"cmp"
	"context"
	"slices"

	"github.com/labstack/echo/v4"

	"cairn/metrics"
	"cairn/metrics/words"
)

// teamsPage is the list of teams.
type teamsPage struct{ Teams []metrics.TeamRecord }

func (p *Pages) teams(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	list, err := p.deps.Engine.Teams(c.Request().Context(), metrics.TeamFilter{}, metrics.Paging{Limit: metrics.MaxRecords})
	if err != nil {
		return err
	}
	slices.SortFunc(list.Teams, func(a, b metrics.TeamRecord) int {
		return cmp.Compare(cmp.Or(a.Name, a.ID), cmp.Or(b.Name, b.ID))
	})
	return p.show(c, "teams", page{Title: "Teams", Nav: "teams", View: v, Body: teamsPage{list.Teams}})
}

// teamPage is what /teams/{id} shows.
type teamPage struct {
	Team         metrics.TeamRecord
	Name         string
	Sentences    []string
	Cards        []card
	Minor        []card
	Timeline     chart
	Stages       stageBar
	Services     []serviceRow
	Waiting      []metrics.ChangeRecord
	WaitingMore  bool
	Failures     []metrics.DeploymentRecord
	Incidents    []metrics.IncidentRecord // the latest of the window
	IncidentsAll string                   // where all of them are; "" where these are all
	Capabilities []capability
}

// serviceRow is a service among others, with its latest numbers.
type serviceRow struct {
	metrics.ServiceRecord
	Frequency, LeadTime           string
	FrequencySpark, LeadTimeSpark any
	Capabilities                  []capability
}

// capability is how a service, or how many of a team's services, cover one capability of the platform.
type capability struct {
	Name, State string
	Why         string // what was seen, or agreed
	Card        card
}

// fewIncidents is how many incidents the page of a team lists.
const fewIncidents = 12

func (p *Pages) team(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	id := c.Param("id")
	scope := metrics.Scope{Team: id}
	var b teamPage
	var s story
	var services []metrics.ServiceRecord
	var handedOver []mark
	var deployments metrics.DeploymentList
	var incidents metrics.IncidentList
	var waiting metrics.ChangeList
	var frequency, leadTimes metrics.Result
	capabilities := p.deps.Engine.Capabilities()
	b.Capabilities = make([]capability, len(capabilities))
	q := p.ask(ctx)
	find(q, &b.Team, func(ctx context.Context) (metrics.TeamRecord, error) { return p.deps.Engine.Team(ctx, id) })
	b.Cards = q.cards(v, scope, "deployments_per_week", "lead_time", "change_failure_rate", "failed_deployment_recovery")
	var adoption card
	b.Minor = q.cards(v, scope, "time_to_first_deployment_service", "deployment_rework_rate", "waiting_changes", "deploy_days_per_week")
	q.do(func(ctx context.Context) error {
		def := p.definition("adoption_rate")
		all, each, err := p.deps.Engine.Adoption(ctx, metrics.Request{Scope: scope, Window: v.Window, Environment: v.Environment, Bucket: v.Bucket})
		if err != nil {
			return err
		}
		adoption = newCard(v, def, all)
		for i, res := range each {
			b.Capabilities[i] = capability{Name: capabilities[i], Card: newCard(v, def, res)}
		}
		return nil
	})
	q.story(&s, v, scope)
	var stages stageAnswers
	q.stages(&stages, v, scope)
	q.answer(&frequency, v, metrics.Request{Metric: "deployments_per_week", Scope: scope, Bucket: v.Bucket, GroupBy: metrics.GroupByService, GroupsOnly: true})
	q.answer(&leadTimes, v, metrics.Request{Metric: "lead_time", Scope: scope, Bucket: v.Bucket, GroupBy: metrics.GroupByService, GroupsOnly: true})
	q.do(func(ctx context.Context) (err error) {
		services, handedOver, err = p.owned(ctx, v, metrics.ServiceFilter{Team: id})
		return err
	})
	find(q, &deployments, func(ctx context.Context) (metrics.DeploymentList, error) {
		return p.deps.Engine.Deployments(ctx, metrics.DeploymentFilter{Team: id, Environment: v.Environment, From: v.Window.From, To: v.Window.To}, metrics.Paging{Limit: metrics.MaxRecords})
	})
	find(q, &incidents, func(ctx context.Context) (metrics.IncidentList, error) {
		return p.deps.Engine.Incidents(ctx, metrics.IncidentFilter{Team: id, From: v.Window.From, To: v.Window.To}, metrics.Paging{Limit: metrics.MaxRecords})
	})
	find(q, &waiting, func(ctx context.Context) (metrics.ChangeList, error) {
		return p.deps.Engine.Changes(ctx, metrics.ChangeFilter{Team: id, Environment: v.Environment, Waiting: true}, metrics.Paging{Limit: metrics.DefaultRecords})
	})
	if err := q.wait(); err != nil {
		return err
	}
	b.Name = cmp.Or(b.Team.Name, id)
	b.Cards = append(b.Cards, adoption)
	b.Sentences = sentences(b.Name, v, s)
	b.Stages = stages.bar()
	b.Services = serviceRows(services, capabilities, frequency, leadTimes)
	b.Waiting, b.WaitingMore = waiting.Changes, waiting.Next != ""
	b.Timeline = timeline("timeline", v, names(services, deployments.Deployments, incidents.Incidents), occurrences(v, deployments.Deployments, incidents.Incidents), handedOver)
	b.Incidents = incidents.Incidents[:min(len(incidents.Incidents), fewIncidents)]
	if len(b.Incidents) < len(incidents.Incidents) {
		b.IncidentsAll = v.Link(place("metrics", "time_to_restore"), "team", id) + "#evidence"
	}
	for _, d := range deployments.Deployments {
		if d.Failed && d.RestoredAt == nil {
			b.Failures = append(b.Failures, d)
		}
	}
	return p.show(c, "team", page{Title: b.Name, Nav: "teams", View: v, AsOf: s.Deployments.AsOf, Body: b})
}

// owned are the services that fit a filter, and the instants of the window at which one of them changed hands.
func (p *Pages) owned(ctx context.Context, v view, f metrics.ServiceFilter) (services []metrics.ServiceRecord, handedOver []mark, err error) {
	list, err := p.deps.Engine.Services(ctx, f, metrics.Paging{Limit: metrics.MaxRecords})
	if err != nil {
		return nil, nil, err
	}
	handedOver, err = p.handedOver(ctx, v, list.Services)
	return list.Services, handedOver, err
}

// handedOver are the instants of the window at which one of these services changed hands.
func (p *Pages) handedOver(ctx context.Context, v view, services []metrics.ServiceRecord) ([]mark, error) {
	owners, err := p.deps.Engine.Ownerships(ctx, names(services, nil, nil))
	return ownershipMarks(v, services, owners), err
}

// names are the services that a timeline has a row for.
func names(owned []metrics.ServiceRecord, deployments []metrics.DeploymentRecord, incidents []metrics.IncidentRecord) []string {
	var list []string
	for _, s := range owned {
		list = append(list, s.ID)
	}
	for _, d := range deployments {
		list = append(list, d.Service)
	}
	for _, i := range incidents {
		if i.Service != "" {
			list = append(list, i.Service)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// occurrences are the marks of a timeline.
func occurrences(v view, deployments []metrics.DeploymentRecord, incidents []metrics.IncidentRecord) []occurrence {
	var list []occurrence
	for _, d := range deployments {
		o := occurrence{At: d.DeployedAt, Row: d.Service, Kind: "deployment", URL: v.Link(deploymentPlace(d)), Words: cmp.Or(d.Version, words.Short(d.ID)) + ", " + words.Counted(d.Changes, "change")}
		switch {
		case d.Failed:
			o.Kind, o.Words = "failure", o.Words+", failed"
		case d.Kind == "rollback":
			o.Kind, o.Words = "rollback", "rollback to "+cmp.Or(d.Version, words.Short(d.ID))
		}
		list = append(list, o)
	}
	for _, i := range incidents {
		if i.Service == "" {
			continue
		}
		list = append(list, occurrence{At: i.StartedAt, Row: i.Service, Kind: "incident", Words: cmp.Or(i.Title, i.ID)})
	}
	slices.SortStableFunc(list, func(a, b occurrence) int { return a.At.Compare(b.At) })
	return list
}

// ownershipMarks are the changes of owner within the window.
func ownershipMarks(v view, services []metrics.ServiceRecord, owners map[string][]metrics.OwnershipSpan) []mark {
	seen := map[string]bool{}
	var marks []mark
	for _, s := range services {
		for _, o := range owners[s.ID] {
			if o.From == nil || o.From.Before(v.Window.From) || !o.From.Before(v.Window.To) || s.CreatedAt != nil && !o.From.After(*s.CreatedAt) {
				continue
			}
			at := o.From.In(v.Window.Zone).Format("2006-01-02T15:04:05")
			if !seen[at] {
				seen[at] = true
				marks = append(marks, mark{Label: at, Name: "owner changed"})
			}
		}
	}
	return marks
}

// serviceRows lay services out with their numbers, in the order of the list.
func serviceRows(services []metrics.ServiceRecord, capabilities []string, frequency, leadTimes metrics.Result) []serviceRow {
	rows := make([]serviceRow, len(services))
	for i, s := range services {
		r := serviceRow{ServiceRecord: s, Frequency: "no data", LeadTime: "no data"}
		if g, ok := groupOf(frequency.Groups, s.ID); ok {
			r.Frequency, r.FrequencySpark = words.Value(g.Value, frequency.Unit), drawSpark(s.ID+": deployments a week", frequency.Unit, g.Series)
		}
		if g, ok := groupOf(leadTimes.Groups, s.ID); ok {
			r.LeadTime, r.LeadTimeSpark = words.Value(g.Value, leadTimes.Unit), drawSpark(s.ID+": lead time", leadTimes.Unit, g.Series)
		}
		for _, name := range capabilities {
			if state := s.Capabilities[name]; state != "" {
				r.Capabilities = append(r.Capabilities, capability{Name: name, State: state})
			}
		}
		rows[i] = r
	}
	return rows
}
