package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"cairn/internal/event"
	"cairn/internal/problem"
)

// OpenAPI is the document of the interface, of version 3.1 of the OpenAPI Specification. It is made from the table of
// routes, of which the server is made, too, and its schemas from the types of the answers.
type OpenAPI struct {
	OpenAPI    string          `json:"openapi"`
	Info       Info            `json:"info"`
	Tags       []Tag           `json:"tags"`
	Paths      map[string]Path `json:"paths"`
	Components Components      `json:"components"`
}

// Info says what the document is about.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"` // of the interface
	Summary     string `json:"summary"`
	Description string `json:"description"`
}

// Tag is a heading of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Path is what can be asked for or done at a path, by method in lower case.
type Path map[string]Operation

// Operation is one of them.
type Operation struct {
	ID          string              `json:"operationId"`
	Tags        []string            `json:"tags"`
	Summary     string              `json:"summary"`
	Description string              `json:"description,omitempty"`
	Parameters  []Parameter         `json:"parameters,omitempty"`
	Body        *Body               `json:"requestBody,omitempty"`
	Responses   map[string]Response `json:"responses"`
}

// Body is what is sent.
type Body struct {
	Required bool    `json:"required"`
	Content  Content `json:"content"`
}

// Response is an answer.
type Response struct {
	Description string            `json:"description"`
	Headers     map[string]Header `json:"headers,omitempty"`
	Content     Content           `json:"content,omitempty"`
}

// Header is a header of an answer.
type Header struct {
	Description string `json:"description"`
	Schema      Schema `json:"schema"`
}

// Content is what something looks like, by media type.
type Content map[string]Media

// Media is what something looks like in one media type.
type Media struct {
	Schema Schema `json:"schema"`
}

// Components are the schemas that others refer to, by name.
type Components struct {
	Schemas map[string]Schema `json:"schemas"`
}

// Document returns the document of the interface. It is the caller's own.
func Document() *OpenAPI {
	b := newSchemas()
	d := &OpenAPI{
		OpenAPI: "3.1.0",
		Info: Info{
			Title: "cairn", Version: "1", Summary: "How software is delivered, and whether the platform helps.",
			Description: "Answers are JSON; lists, series, evidence and the catalogue are to be had as CSV. Instants are RFC 3339 in UTC, local times without a zone are in the time zone that was asked for. " +
				"What is not known is null, or an empty text. Every error is a problem document (RFC 9457).\n\n" +
				"What is read carries a tag (ETag); asked again with If-None-Match it is answered with 304 when it says the same. as_of is no part of what the tag stands for. HEAD works where GET does.",
		},
		Tags: []Tag{
			{tagMetrics, "Numbers, and the facts behind them."},
			{tagRecords, "What is known now, one by one, a page at a time: the rows that the metrics count."},
			{tagEvents, "Telling what happened."},
			{tagSources, "The systems that facts come from: how far they are read, and what they send."},
			{tagCollectors, "What collectors remember."},
			{tagServer, "The server itself."},
		},
		Paths: map[string]Path{},
	}
	for _, r := range (&Server{}).routes() {
		path := pathName.ReplaceAllString(r.path, "{$1}")
		if d.Paths[path] == nil {
			d.Paths[path] = Path{}
		}
		d.Paths[path][strings.ToLower(r.method)] = r.operation(b)
	}
	b.of(problem.Problem{})
	b.named["Event"] = eventSchema()
	d.Components.Schemas = b.named
	return d
}

var pathName = regexp.MustCompile(`:([a-z]+)`)

func (r *route) operation(b *schemas) Operation {
	o := Operation{ID: r.name, Tags: []string{r.tag}, Summary: r.summary, Description: r.detail, Responses: map[string]Response{}}
	for _, match := range pathName.FindAllStringSubmatch(r.path, -1) {
		o.Parameters = append(o.Parameters, pathParameter(r.path, match[1]))
	}
	known := parameters()
	query := r.query
	if r.table {
		query = append(append([]string{}, query...), "format")
	}
	for _, name := range query {
		o.Parameters = append(o.Parameters, known[name])
	}
	if r.body != nil {
		o.Body = &Body{Required: true, Content: r.body}
	}
	schema := r.schema
	if schema == nil {
		schema = b.of(r.answer)
	}
	media := r.media
	if media == "" {
		media = mediaJSON
	}
	ok := Response{Description: "The answer.", Content: Content{media: {Schema: schema}}}
	if r.table {
		ok.Content[mediaCSV] = Media{Schema: Schema{"type": "string", "description": "RFC 4180 with a header; texts that begin like a formula have an apostrophe in front."}}
	}
	if r.method == http.MethodGet && !r.lenient {
		ok.Headers = map[string]Header{"ETag": {Description: "Stands for what the answer says, as_of left out.", Schema: Schema{"type": "string"}}}
		o.Responses["304"] = Response{Description: "The caller has it: If-None-Match named its tag."}
	}
	if names := strings.Join(r.names(), " ") + " "; strings.Contains(names, "cursor ") || strings.Contains(names, "offset ") {
		ok.Headers["Link"] = Header{Description: `Where the next page is (rel="next"), when there is one.`, Schema: Schema{"type": "string"}}
	}
	o.Responses["200"] = ok
	for _, status := range r.errors {
		o.Responses[strconv.Itoa(status)] = Response{
			Description: http.StatusText(status) + ".",
			Content:     Content{problem.ContentType: {Schema: Schema{"$ref": "#/components/schemas/Problem"}}},
		}
	}
	return o
}

func (s *Server) openapi(c echo.Context) error {
	body, err := json.MarshalIndent(Document(), "", "  ")
	if err != nil {
		return err
	}
	return write(c, mediaJSON, body, body)
}

// eventSchema is that of one event. Its references are to itself: it has an id of its own.
func eventSchema() Schema {
	var s Schema
	if err := json.Unmarshal(event.Schema(), &s); err != nil {
		panic(err) // it is part of the program
	}
	return s
}

func eventContent() Content {
	one := Schema{"$ref": "#/components/schemas/Event"}
	return Content{
		mediaJSON:              {Schema: Schema{"oneOf": []any{one, Schema{"type": "array", "items": one}}}},
		"application/x-ndjson": {Schema: Schema{"type": "string", "description": "One event a line."}},
	}
}

func receiptSchema() Schema {
	return Schema{
		"type": "object", "additionalProperties": false, "required": []string{"accepted", "by_kind"},
		"properties": Schema{
			"accepted": Schema{"type": "integer", "description": "events"},
			"by_kind":  Schema{"type": "object", "additionalProperties": Schema{"type": "integer"}},
		},
	}
}
