package dashboards

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
)

// apiPage is the API's own description, laid out to be read.
type apiPage struct {
	Title, Description string
	Groups             []apiGroup
}

type apiGroup struct {
	Name       string
	Operations []operation
}

// operation is one request that the API answers.
type operation struct {
	Method, Path, Summary, Description string
	Parameters                         []parameter
	Body                               string // media types that a request may have
	Responses                          []response
}

type parameter struct{ Name, In, Type, Description, Default, Example string }

type response struct{ Status, Description string }

// openAPI is what the page reads of an OpenAPI document.
type openAPI struct {
	Info  struct{ Title, Description string }
	Tags  []struct{ Name string }
	Paths map[string]map[string]json.RawMessage
	Parts struct {
		Parameters map[string]openAPIParameter
		Responses  map[string]struct{ Description string }
	} `json:"components"`
}

type openAPIParameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      struct {
		Type    any
		Enum    []any
		Default any
		Format  string
	}
	Example any
}

type openAPIOperation struct {
	Summary, Description string
	Tags                 []string
	Parameters           []openAPIParameter
	RequestBody          struct {
		Content map[string]any
	}
	Responses map[string]struct {
		Ref         string `json:"$ref"`
		Description string
	}
}

// describeAPI lays an OpenAPI document out.
func describeAPI(document []byte) (apiPage, error) {
	var doc openAPI
	if err := json.Unmarshal(document, &doc); err != nil {
		return apiPage{}, fault.Wrap(fault.Internal, err, "dashboards: the API's description")
	}
	p := apiPage{Title: doc.Info.Title, Description: doc.Info.Description}
	groups := map[string]*apiGroup{}
	for _, t := range doc.Tags {
		groups[t.Name] = &apiGroup{Name: t.Name}
	}
	var order []string
	for _, t := range doc.Tags {
		order = append(order, t.Name)
	}
	for path, methods := range doc.Paths {
		var shared []openAPIParameter
		if raw, ok := methods["parameters"]; ok {
			if err := json.Unmarshal(raw, &shared); err != nil {
				return p, fault.Wrap(fault.Internal, err, "dashboards: the API's description of %s", path)
			}
		}
		for method, raw := range methods {
			if !slices.Contains([]string{"get", "put", "post", "delete", "patch"}, method) {
				continue
			}
			var o openAPIOperation
			if err := json.Unmarshal(raw, &o); err != nil {
				return p, fault.Wrap(fault.Internal, err, "dashboards: the API's description of %s %s", method, path)
			}
			tag := "Other"
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			if groups[tag] == nil {
				groups[tag] = &apiGroup{Name: tag}
				order = append(order, tag)
			}
			groups[tag].Operations = append(groups[tag].Operations, doc.operation(method, path, o, shared))
		}
	}
	for _, name := range order {
		g := groups[name]
		slices.SortFunc(g.Operations, func(a, b operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
		if len(g.Operations) > 0 {
			p.Groups = append(p.Groups, *g)
		}
	}
	return p, nil
}

func (d *openAPI) operation(method, path string, o openAPIOperation, shared []openAPIParameter) operation {
	op := operation{Method: strings.ToUpper(method), Path: path, Summary: o.Summary, Description: o.Description}
	for _, given := range append(slices.Clone(shared), o.Parameters...) {
		if given.Ref != "" {
			given = d.Parts.Parameters[given.Ref[strings.LastIndex(given.Ref, "/")+1:]]
		}
		p := parameter{Name: given.Name, In: given.In, Description: given.Description, Type: said(given.Schema.Type)}
		if given.Required {
			p.Description = strings.TrimSpace("Required. " + p.Description)
		}
		if len(given.Schema.Enum) > 0 {
			var values []string
			for _, v := range given.Schema.Enum {
				values = append(values, said(v))
			}
			p.Type = strings.Join(values, ", ")
		}
		p.Default, p.Example = said(given.Schema.Default), said(given.Example)
		op.Parameters = append(op.Parameters, p)
	}
	var bodies []string
	for media := range o.RequestBody.Content {
		bodies = append(bodies, media)
	}
	slices.Sort(bodies)
	op.Body = strings.Join(bodies, ", ")
	for status, r := range o.Responses {
		if r.Ref != "" {
			r.Description = d.Parts.Responses[r.Ref[strings.LastIndex(r.Ref, "/")+1:]].Description
		}
		op.Responses = append(op.Responses, response{status, r.Description})
	}
	slices.SortFunc(op.Responses, func(a, b response) int { return cmp.Compare(a.Status, b.Status) })
	return op
}

// said writes a value of the document; "" for none.
func said(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (p *Pages) apiDocs(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	return p.show(c, "apidocs", page{Title: "API", Nav: "api", View: v, Body: p.api})
}
