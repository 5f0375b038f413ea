package api

import (
	"strings"

	"cairn/metrics"
)

// Parameter is a parameter of an operation, in the words of OpenAPI.
type Parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
	Required    bool   `json:"required,omitempty"`
	Schema      Schema `json:"schema"`
	Example     any    `json:"example,omitempty"`
}

func text(description string, example any) Parameter {
	return Parameter{Description: description, Schema: Schema{"type": "string"}, Example: example}
}

func oneOf(description string, def any, values ...string) Parameter {
	s := Schema{"type": "string", "enum": values}
	if def != nil {
		s["default"] = def
	}
	return Parameter{Description: description, Schema: s}
}

func flag(description string, def any) Parameter {
	s := Schema{"type": "boolean"}
	if def != nil {
		s["default"] = def
	}
	return Parameter{Description: description, Schema: s}
}

func whole(description string, def, least, most int) Parameter {
	s := Schema{"type": "integer", "default": def, "minimum": least}
	if most > 0 {
		s["maximum"] = most
	}
	return Parameter{Description: description, Schema: s}
}

// parameters are those of queries by name. Where a name means one thing here and another there, a colon and the place
// follow it.
func parameters() map[string]Parameter {
	all := map[string]Parameter{
		"service":        text("Whose numbers or records: a service, by id or alias. Neither service nor team is the whole organisation.", "shop"),
		"team":           text("Whose numbers or records: a team with the teams below it, for what they owned at the time.", "checkout"),
		"team:owner":     text("Owned now by this team or one below it.", "checkout"),
		"environment":    {Description: "The environment; production is every environment of that tier.", Schema: Schema{"type": "string", "default": metrics.Environment}, Example: "staging"},
		"target":         text("Of metrics of deployments and changes: only deployments that reached this region, cluster or customer, this one environment of the tier, or the two with a slash between them; and what they shipped.", "eu-west"),
		"from":           text("Beginning of the window, included: a local date, a local time, or an instant with a zone. Without it four weeks before its end.", "2026-01-01"),
		"to":             text("End of the window, excluded; written as from. Without it the end of today.", "2026-02-01"),
		"from:list":      text("Not before: a local date, a local time, or an instant with a zone.", "2026-01-01"),
		"to:list":        text("Before; written as from.", "2026-02-01"),
		"tz":             {Description: "IANA time zone of local dates and times, and of buckets.", Schema: Schema{"type": "string", "default": "UTC"}, Example: "Europe/Berlin"},
		"bucket":         oneOf("Cuts the window into a series; a week is an ISO week.", nil, string(metrics.Day), string(metrics.Week), string(metrics.Month), string(metrics.Quarter)),
		"group_by":       oneOf("Adds the same answer for each service or team.", nil, "service", "team"),
		"as_of":          text("What was known to have happened at this instant; without it now.", "2026-02-01T12:00:00Z"),
		"statistic":      oneOf("One of the metric's statistics; without it the first.", nil, metrics.StatisticP50, metrics.StatisticP75, metrics.StatisticP90, metrics.StatisticTypicalService, metrics.StatisticRate),
		"stage":          oneOf("Of lead_time: one stage.", nil, metrics.Stages()...),
		"capability":     text("Of metrics of adoption: one capability.", "observability"),
		"survey":         text("Of metrics of surveys: the wave; without it the latest in the window.", "2026Q1"),
		"question":       text("Of metrics of surveys: the question; without it the first that fits.", "satisfaction"),
		"include_bots":   flag("Whether changes of machines count in lead times; without it as configured.", nil),
		"compare":        flag("Whether to tell of the window before, too.", true),
		"metric":         oneOf("One metric; without it every one.", nil, metricIDs()...),
		"format":         oneOf("Form of the answer; without it as the header Accept says.", nil, "json", "csv"),
		"limit":          whole("Most records of a page.", metrics.DefaultRecords, 1, metrics.MaxRecords),
		"limit:evidence": whole("Most facts of a page.", 100, 1, 10_000),
		"offset":         whole("How many facts to pass over.", 0, 0, 0),
		"cursor":         text("The next of the page before; without it the first page.", nil),

		"search:services":  text("Part of an id, name, alias, description, tag or owner, in any case.", "pay"),
		"search:teams":     text("Part of an id or name, in any case.", "check"),
		"lifecycle":        oneOf("Services of this lifecycle.", nil, lifecycles()...),
		"tier":             text("Services of this tier.", "1"),
		"system":           text("Services of this system.", "store"),
		"tag":              text("Services with this tag.", "go"),
		"golden_path":      oneOf("Services of whose applicable capabilities all, some or none are on the golden path.", nil, "full", "partial", "none"),
		"retired":          flag("With what is retired.", false),
		"parent":           text("Right below this team.", "product"),
		"kind":             oneOf("Of this kind; those from redeploy on are runs that are no deployments.", nil, metrics.DeploymentKinds()...),
		"failed":           flag("Only those that failed, or only those that did not.", nil),
		"runs":             flag("With the runs that are no deployments: redeploys, roll-outs to further targets, and those that changed nothing live.", false),
		"deployment":       text("Shipped by this deployment.", "4711"),
		"waiting":          flag("Those that are merged and not live; from and to are then about the merge.", false),
		"open":             flag("Only those that are not over, or only those that are.", nil),
		"cause":            oneOf("With this cause.", nil, metrics.IncidentCauses()...),
		"outcome":          oneOf("Streams with this outcome of their latest turn.", nil, metrics.StreamOutcomes()...),
		"subject":          text("Streams of this repository or the like.", "acme/shop"),
		"kind:stream":      oneOf("Streams that list these.", nil, metrics.StreamKinds()...),
		"problems":         flag("Only streams that cannot be read: denied, gone or failed.", false),
		"source":           text("Webhooks of this source; without it of all.", "github"),
		"event":            text("Webhooks of this kind, by the sender's name of what happened.", "pull_request"),
		"way":              text("Requests made in this way.", "crossplane_claim"),
		"status:request":   oneOf("Requests with this status.", nil, metrics.RequestStatuses()...),
		"outcome:delivery": oneOf("Webhooks with this outcome.", nil, deliveryOutcomes()...),
		"since":            text("Webhooks that came at this instant or later.", "2026-01-01T00:00:00Z"),
		"until":            text("Webhooks that came before this instant.", "2026-02-01T00:00:00Z"),
		"delivery":         text("The one webhook with this id of its sender.", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
		"stream":           {Description: "Name of a stream, such as a repository.", Required: true, Schema: Schema{"type": "string", "minLength": 1}, Example: "acme/shop"},
	}
	for key, p := range all {
		p.Name, _, _ = strings.Cut(key, ":")
		p.In = "query"
		all[key] = p
	}
	return all
}

// pathParameters are those of paths, by path and name.
func pathParameter(path, name string) Parameter {
	p := Parameter{Name: name, In: "path", Required: true, Schema: Schema{"type": "string"}}
	switch {
	case strings.HasPrefix(path, "/api/v1/metrics/"):
		p.Description, p.Schema["enum"] = "The metric.", metricIDs()
	case strings.HasPrefix(path, "/api/v1/services/"):
		p.Description, p.Example = "The service, by id or alias; a slash is written %2F.", "shop"
	case strings.HasPrefix(path, "/api/v1/teams/"):
		p.Description, p.Example = "The team.", "checkout"
	case strings.HasPrefix(path, "/api/v1/sources/"):
		p.Description, p.Example = "The source, as its connection is called.", "github"
	default:
		p.Description, p.Example = "Kind of collector.", "git"
	}
	return p
}

func metricIDs() []string {
	var ids []string
	for _, d := range metrics.Definitions() {
		ids = append(ids, d.ID)
	}
	return ids
}
