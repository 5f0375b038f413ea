package api

import (
	"maps"
	"slices"
	"strings"

	"cairn/metrics"
)

// tableOf is an answer as a table; ok is false for those that have no such form.
func tableOf(v any) (t table, ok bool) {
	switch v := v.(type) {
	case Catalogue:
		return catalogueTable(v), true
	case metrics.Result:
		return seriesTable(v), true
	case metrics.Evidence:
		return evidenceTable(v), true
	case metrics.ServiceList:
		return servicesTable(v.Services), true
	case metrics.TeamList:
		return teamsTable(v.Teams), true
	case metrics.DeploymentList:
		return deploymentsTable(v.Deployments), true
	case metrics.ChangeList:
		return changesTable(v.Changes), true
	case metrics.IncidentList:
		return incidentsTable(v.Incidents), true
	case metrics.SourceList:
		return sourcesTable(v.Sources), true
	case metrics.Unmatched:
		return unmatchedTable(v.Names), true
	case metrics.StreamList:
		return streamsTable(v.Streams), true
	}
	return table{}, false
}

func catalogueTable(c Catalogue) table {
	t := table{name: "metrics", header: strings.Fields("id definition title unit better statistics group_by doc")}
	for _, m := range c.Metrics {
		t.rows = append(t.rows, []any{m.ID, m.Version, m.Title, m.Unit, m.Better, m.Statistics, m.GroupBy, m.Doc})
	}
	return t
}

// seriesTable has a row for each bucket or, without buckets, one for the window; then, where the answer is told apart,
// the same rows for each service or team.
func seriesTable(r metrics.Result) table {
	t := table{name: r.Metric, header: strings.Fields("metric definition statistic scope group from to label value n low high partial time_zone unit")}
	scope := "organisation"
	switch {
	case r.Scope.Service != "":
		scope = "service:" + r.Scope.Service
	case r.Scope.Team != "":
		scope = "team:" + r.Scope.Team
	}
	pointsOf := func(series []metrics.Point, value, n any, interval *[2]float64) []metrics.Point {
		if r.Bucket != metrics.Whole {
			return series
		}
		return []metrics.Point{{From: r.Window.From, To: r.Window.To, Value: value, N: n, Interval: interval, Partial: slices.Contains(r.Flags, metrics.FlagPartial)}}
	}
	add := func(group string, p metrics.Point, value any) {
		var low, high any
		if p.Interval != nil {
			low, high = p.Interval[0], p.Interval[1]
		}
		t.rows = append(t.rows, []any{r.Metric, r.Definition, r.Statistic, scope, group, p.From, p.To, p.Label, value, p.N, low, high, p.Partial, r.Window.TimeZone, r.Unit})
	}
	for _, p := range pointsOf(r.Series, r.Value, r.N, r.Interval) {
		switch value := p.Value.(type) {
		case map[string]any:
			for _, group := range slices.Sorted(maps.Keys(value)) {
				add(group, p, value[group])
			}
		case []metrics.PainPoint:
			for _, point := range value {
				add(point.Option, p, point.Share)
			}
		default:
			add("", p, value)
		}
	}
	for _, g := range r.Groups {
		for _, p := range pointsOf(g.Series, g.Value, g.N, g.Interval) {
			add(g.Key, p, p.Value)
		}
	}
	return t
}

func evidenceTable(e metrics.Evidence) table {
	t := table{name: e.Result.Metric + "-evidence", header: strings.Fields("kind id service teams at value counted reason rule deployment details url")}
	for _, i := range e.Items {
		t.rows = append(t.rows, []any{i.Kind, i.ID, i.Service, i.Teams, i.At, i.Value, i.Counted, i.Reason, i.Rule, i.Deployment, i.Details, i.URL})
	}
	return t
}

func servicesTable(list []metrics.ServiceRecord) table {
	t := table{name: "services", header: strings.Fields("id name description system lifecycle tier owners repositories dependencies dependents tags aliases documentation url created_via template source created_at retired_at first_deployed_at last_deployed_at catalogued golden_path capabilities")}
	for _, s := range list {
		var repositories, capabilities []string
		for _, r := range s.Repositories {
			repositories = append(repositories, r.Repository)
		}
		for _, c := range slices.Sorted(maps.Keys(s.Capabilities)) {
			capabilities = append(capabilities, c+"="+s.Capabilities[c])
		}
		t.rows = append(t.rows, []any{
			s.ID, s.Name, s.Description, s.System, s.Lifecycle, s.Tier, s.Owners, repositories, s.Dependencies, s.Dependents, s.Tags, s.Aliases, s.Documentation, s.URL,
			s.CreatedVia, s.Template, s.Source, s.CreatedAt, s.RetiredAt, s.FirstDeployedAt, s.LastDeployedAt, s.Catalogued, s.GoldenPath(), capabilities,
		})
	}
	return t
}

func teamsTable(list []metrics.TeamRecord) table {
	t := table{name: "teams", header: strings.Fields("id name parent children time_zone services members created_at retired_at")}
	for _, r := range list {
		t.rows = append(t.rows, []any{r.ID, r.Name, r.Parent, r.Children, r.TimeZone, r.Services, r.Members, r.CreatedAt, r.RetiredAt})
	}
	return t
}

func deploymentsTable(list []metrics.DeploymentRecord) table {
	t := table{name: "deployments", header: strings.Fields("id service teams environment kind status deployment version targets started_at deployed_at completed_at way tool actor baseline changes commits found_by lead_time_p50_hours failed failed_rule failed_by restored_at restored_by rework rework_rule rework_of flags url")}
	for _, d := range list {
		t.rows = append(t.rows, []any{
			d.ID, d.Service, d.Teams, d.Environment, d.Kind, d.Status, d.Deployment, d.Version, d.Targets, d.StartedAt, d.DeployedAt, d.CompletedAt, d.Way, d.Tool, d.Actor,
			d.Baseline, d.Changes, d.Commits, d.FoundBy, d.LeadTimeP50Hours, d.Failed, d.FailedRule, d.FailedBy, d.RestoredAt, d.RestoredBy, d.Rework, d.ReworkRule, d.ReworkOf, d.Flags, d.URL,
		})
	}
	return t
}

func changesTable(list []metrics.ChangeRecord) table {
	t := table{name: "changes", header: strings.Fields("id repository service teams kind author bot deployment commits started_at opened_at merged_at deployed_at lead_time_hours coding_hours pickup_hours review_hours wait_to_deploy_hours deploy_hours rule excluded flags url")}
	for _, c := range list {
		t.rows = append(t.rows, []any{
			c.ID, c.Repository, c.Service, c.Teams, c.Kind, c.Author, c.Bot, c.Deployment, c.Commits, c.StartedAt, c.OpenedAt, c.MergedAt, c.DeployedAt, c.LeadTimeHours,
			c.Stages.Coding, c.Stages.Pickup, c.Stages.Review, c.Stages.WaitToDeploy, c.Stages.Deploy, c.Rule, c.Excluded, c.Flags, c.URL,
		})
	}
	return t
}

func incidentsTable(list []metrics.IncidentRecord) table {
	t := table{name: "incidents", header: strings.Fields("id service teams title severity started_at detected_at acknowledged_at restored_at resolved_at hours_to_restore cause deployment rule fixed_by source url")}
	for _, i := range list {
		t.rows = append(t.rows, []any{
			i.ID, i.Service, i.Teams, i.Title, i.Severity, i.StartedAt, i.DetectedAt, i.AcknowledgedAt, i.RestoredAt, i.ResolvedAt, i.HoursToRestore,
			i.Cause, i.Deployment, i.Rule, i.FixedBy, i.Source, i.URL,
		})
	}
	return t
}

func sourcesTable(list []metrics.SourceRecord) table {
	t := table{name: "sources", header: strings.Fields("name system subjects streams fresh behind limited denied gone failed facts requests succeeded_at news_up_to history_back_to complete streams_complete streams_uncounted done total seconds_left error deliveries_latest")}
	for _, s := range list {
		row := []any{s.Name, s.System, s.Subjects, s.Streams}
		for _, outcome := range metrics.StreamOutcomes() {
			row = append(row, s.Outcomes[outcome])
		}
		t.rows = append(t.rows, append(row, s.Facts, s.Requests, s.SucceededAt, s.NewsUpTo, s.HistoryBackTo, s.Complete, s.StreamsComplete, s.StreamsUncounted, s.Done, s.Total, s.SecondsLeft, s.Error, s.DeliveriesLatest))
	}
	return t
}

func unmatchedTable(list []metrics.UnmatchedName) table {
	t := table{name: "unmatched", header: strings.Fields("name kind source n example latest suggested line")}
	for _, n := range list {
		t.rows = append(t.rows, []any{n.Name, n.Kind, n.Source, n.N, n.Example, n.Latest, n.Suggested, n.Line})
	}
	return t
}

func streamsTable(list []metrics.StreamRecord) table {
	t := table{name: "streams", header: strings.Fields("name subject kind outcome error started_at attempted_at succeeded_at next_at facts requests done total reached_back complete seconds_left rules")}
	for _, s := range list {
		var rules []string
		for _, r := range s.Rules {
			rules = append(rules, r.Rule)
		}
		t.rows = append(t.rows, []any{
			s.Name, s.Subject, s.Kind, s.Outcome, s.Error, s.StartedAt, s.AttemptedAt, s.SucceededAt, s.NextAt, s.Facts, s.Requests, s.Done, s.Total, s.ReachedBack, s.Complete, s.SecondsLeft, rules,
		})
	}
	return t
}
