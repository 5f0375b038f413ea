package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"cairn/internal/param"
	"cairn/metrics"
)

// route is one thing that can be asked for or done, with what the document of the interface says about it.
type route struct {
	method, path string // a path's parameters are written :name
	handler      echo.HandlerFunc

	name    string   // of the operation
	tag     string   // heading under which it stands
	summary string   // one line
	detail  string   // further sentences
	query   []string // parameters: names in parameters()
	lenient bool     // other parameters do not disturb
	body    Content  // what is sent
	answer  any      // a value of the type that is answered with
	media   string   // of the answer, where it is not JSON of a type of ours
	schema  Schema   // of the answer, where it is no type of ours
	table   bool     // the answer is to be had as CSV, too
	errors  []int    // statuses of problems, beside those that all have
}

// Headings of the document.
const (
	tagMetrics    = "Metrics"
	tagRecords    = "Lists"
	tagEvents     = "Events"
	tagSources    = "Sources"
	tagCollectors = "Collectors"
	tagServer     = "Server"
)

// readable are the statuses of problems of what is read.
func readable(more ...int) []int {
	return append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, more...)
}

func (s *Server) routes() []route {
	asking := requestNames()
	return []route{
		{method: http.MethodGet, path: "/healthz", handler: s.health, name: "health", tag: tagServer, summary: "Whether the store answers",
			answer: Health{}, lenient: true, errors: []int{http.StatusServiceUnavailable}},
		{method: http.MethodGet, path: "/openapi.json", handler: s.openapi, name: "document", tag: tagServer, summary: "This document",
			schema: Schema{"type": "object"}, errors: []int{http.StatusBadRequest}},

		{method: http.MethodPost, path: "/api/v1/events", handler: echo.WrapHandler(s.deps.Events), name: "tell", tag: tagEvents, summary: "Take events",
			detail:  "One event, an array of events, or one a line. 200 means that all are stored durably. A request with a bad event is refused as a whole, with line, field, value and what was expected for up to 100 faults. What is told twice counts once.",
			lenient: true, body: eventContent(), schema: receiptSchema(),
			errors: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusServiceUnavailable}},
		{method: http.MethodGet, path: "/api/v1/events.schema.json", handler: s.schema, name: "eventSchema", tag: tagEvents, summary: "JSON Schema of the events",
			media: "application/schema+json", schema: Schema{"type": "object"}, errors: []int{http.StatusBadRequest}},

		{method: http.MethodGet, path: "/api/v1/metrics", handler: s.catalogue, name: "catalogue", tag: tagMetrics, summary: "Every metric: id, definition, unit, which way is better, statistics",
			answer: Catalogue{}, table: true, errors: []int{http.StatusBadRequest}},
		{method: http.MethodGet, path: "/api/v1/metrics/:id", handler: s.metric, name: "metric", tag: tagMetrics, summary: "A metric's value and series",
			detail: "As CSV a row is a bucket; without buckets there is one row. A value that is a list or an object has a row for each of its entries, whose name is the group.",
			query:  append([]string{"group_by"}, asking...), answer: metrics.Result{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/metrics/:id/evidence", handler: s.evidence, name: "evidence", tag: tagMetrics, summary: "A metric with the facts behind it",
			detail: "Each fact with the rule that linked it, and what was left out and why. As CSV the facts alone.",
			query:  append(asking, "limit:evidence", "offset"), answer: metrics.Evidence{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/doctor", handler: s.doctor, name: "doctor", tag: tagMetrics, summary: "Per metric, what is left at each step from fact to number",
			query: []string{"metric", "service", "team", "environment"}, answer: metrics.Report{}, errors: readable(http.StatusNotFound)},

		{method: http.MethodGet, path: "/api/v1/services", handler: s.services, name: "services", tag: tagRecords, summary: "Services, by id, with counts for each value of a facet",
			query: []string{"search:services", "team:owner", "lifecycle", "tier", "system", "tag", "golden_path", "retired", "limit", "cursor"}, answer: metrics.ServiceList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/services/:id", handler: s.service, name: "service", tag: tagRecords, summary: "A service, with who owned it when",
			answer: Service{}, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/teams", handler: s.teams, name: "teams", tag: tagRecords, summary: "Teams, by id",
			query: []string{"search:teams", "parent", "retired", "limit", "cursor"}, answer: metrics.TeamList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/teams/:id", handler: s.team, name: "team", tag: tagRecords, summary: "A team",
			answer: metrics.TeamRecord{}, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/deployments", handler: s.deployments, name: "deployments", tag: tagRecords, summary: "Deployments, newest first",
			query: []string{"service", "team", "environment", "kind", "failed", "runs", "from:list", "to:list", "tz", "limit", "cursor"}, answer: metrics.DeploymentList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/changes", handler: s.changes, name: "changes", tag: tagRecords, summary: "Changes that went live, or that wait to, newest first",
			query: []string{"service", "team", "environment", "deployment", "waiting", "from:list", "to:list", "tz", "limit", "cursor"}, answer: metrics.ChangeList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/incidents", handler: s.incidents, name: "incidents", tag: tagRecords, summary: "Incidents, newest first",
			query: []string{"service", "team", "open", "cause", "from:list", "to:list", "tz", "limit", "cursor"}, answer: metrics.IncidentList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodGet, path: "/api/v1/provisioning", handler: s.provisioning, name: "provisioning", tag: tagRecords, summary: "What was asked of the platform, newest first, and how each way of asking went",
			detail: "As CSV the requests alone.",
			query:  []string{"service", "team", "way", "status:request", "from:list", "to:list", "tz", "limit", "cursor"}, answer: metrics.RequestList{}, table: true, errors: readable(http.StatusNotFound)},

		{method: http.MethodGet, path: "/api/v1/sources", handler: s.sources, name: "sources", tag: tagSources, summary: "Every system that facts come from, by name: how far it is told, and what fails",
			answer: metrics.SourceList{}, table: true, errors: readable()},
		{method: http.MethodGet, path: "/api/v1/sources/unmatched", handler: s.unmatched, name: "unmatched", tag: tagSources, summary: "What was told and could not be joined: names that no service has, names that several have, deployments without a known commit, deployments that two sources tell",
			detail: "Each with the line that would join it. As CSV the names that no service has.",
			answer: metrics.Unmatched{}, table: true, errors: readable()},
		{method: http.MethodGet, path: "/api/v1/sources/:name", handler: s.source, name: "source", tag: tagSources, summary: "A source with its streams, by name",
			detail: "A stream is a list that is read by itself, such as the pull requests of a repository. As CSV the streams alone.",
			query:  []string{"outcome", "subject", "kind:stream", "problems", "limit", "cursor"}, answer: metrics.StreamList{}, table: true, errors: readable(http.StatusNotFound)},
		{method: http.MethodPost, path: "/api/v1/replay", handler: s.replay, name: "replay", tag: tagSources, summary: "Tell webhooks again that are kept as they came",
			detail: "By the rules and the code of today. What they told before is told again, which changes nothing where it says the same.",
			query:  []string{"source", "event", "outcome:delivery", "since", "until", "delivery"}, media: "application/x-ndjson", schema: replaySchema(),
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}},

		{method: http.MethodGet, path: "/api/v1/collectors/:kind/position", handler: s.position, name: "position", tag: tagCollectors, summary: "Where a collector resumes in a stream",
			query: []string{"stream"}, answer: Position{}, errors: readable()},
		{method: http.MethodPut, path: "/api/v1/collectors/:kind/position", handler: s.setPosition, name: "setPosition", tag: tagCollectors, summary: "Remember where a collector resumes in a stream",
			body: Content{"application/json": {Schema: Schema{"$ref": "#/components/schemas/Position"}}}, answer: Position{}, errors: readable()},
	}
}

// names are the parameters that a route accepts.
func (r *route) names() []string {
	var names []string
	for _, q := range r.query {
		name, _, _ := strings.Cut(q, ":")
		names = append(names, name)
	}
	if r.table {
		names = append(names, "format")
	}
	return names
}

// handle refuses parameters that a route does not have.
func (r *route) handle(c echo.Context) error {
	if !r.lenient {
		names := r.names()
		if err := param.Only(c.QueryParams(), names, "; there are: "+strings.Join(names, ", ")); err != nil {
			return err
		}
	}
	return r.handler(c)
}
