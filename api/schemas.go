package api

import (
	_ "embed"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"

	"cairn/internal/problem"
	"cairn/metrics"
)

// Schema is a JSON Schema (2020-12).
type Schema map[string]any

// descriptions are what the comments of the code say of types and their fields: Type and Type.field. A test keeps them.
//
//go:embed descriptions.json
var descriptions []byte

// schemas makes schemas of Go types. Those of structs get a name, and others refer to it.
type schemas struct {
	named    map[string]Schema
	comments map[string]string
}

func newSchemas() *schemas {
	b := &schemas{named: map[string]Schema{}, comments: map[string]string{}}
	if err := json.Unmarshal(descriptions, &b.comments); err != nil {
		panic(err) // it is part of the program
	}
	return b
}

// of is the schema of a value's type.
func (b *schemas) of(v any) Schema { return b.typed(reflect.TypeOf(v)) }

func (b *schemas) typed(t reflect.Type) Schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Schema{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return orNull(b.typed(t.Elem()))
	}
	switch t.Kind() {
	case reflect.String:
		return Schema{"type": "string"}
	case reflect.Bool:
		return Schema{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return Schema{"type": "integer"}
	case reflect.Float64:
		return Schema{"type": "number"}
	case reflect.Slice:
		return Schema{"type": "array", "items": b.typed(t.Elem())}
	case reflect.Array:
		return Schema{"type": "array", "items": b.typed(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return Schema{"type": "object", "additionalProperties": b.typed(t.Elem())}
	case reflect.Interface:
		return Schema{}
	case reflect.Struct:
		name := nameOf(t)
		if _, known := b.named[name]; !known {
			b.named[name] = Schema{} // for those that hold themselves
			b.named[name] = b.object(t)
		}
		return Schema{"$ref": "#/components/schemas/" + name}
	}
	panic("api: no schema for " + t.String())
}

// nameOf is what the schema of a struct is called: as the struct, but for the parts of a problem, which say so.
func nameOf(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[problem.Problem]().PkgPath() && t.Name() != "Problem" {
		return "Problem" + t.Name()
	}
	return t.Name()
}

func orNull(s Schema) Schema {
	if kind, ok := s["type"].(string); ok {
		s["type"] = []string{kind, "null"}
		return s
	}
	return Schema{"anyOf": []Schema{s, {"type": "null"}}}
}

func (b *schemas) object(t reflect.Type) Schema {
	properties, required := Schema{}, []string{}
	b.fields(t, properties, &required)
	s := Schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	if c := b.comments[nameOf(t)]; c != "" {
		s["description"] = c
	}
	return s
}

func (b *schemas) fields(t reflect.Type, properties Schema, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			b.fields(f.Type, properties, required)
			continue
		case name == "" || name == "-":
			continue
		}
		s := b.typed(f.Type)
		if more, ok := narrower(b)[nameOf(t)+"."+name]; ok {
			maps.Copy(s, more)
		}
		if c := b.comments[nameOf(t)+"."+name]; c != "" {
			s["description"] = c
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// narrower are what is known of fields beyond their Go types.
func narrower(b *schemas) map[string]Schema {
	state := Schema{"type": "string", "enum": []string{"golden", "own", "none", "unknown", "escape_hatch", "not_applicable"}}
	value := Schema{"anyOf": []Schema{
		{"type": []string{"number", "null"}},
		{"const": metrics.Suppressed},
		{"type": "array", "items": Schema{"$ref": "#/components/schemas/PainPoint"}},
		{"type": "object", "additionalProperties": Schema{"anyOf": []Schema{{"type": "number"}, {"enum": []string{metrics.Suppressed, metrics.NoData}}}}},
	}}
	count := Schema{"anyOf": []Schema{{"type": []string{"integer", "null"}}, {"type": "object", "additionalProperties": Schema{"type": "integer"}}}}
	s := map[string]Schema{
		"ServiceRecord.capabilities": {"additionalProperties": state},
		"ServiceRecord.lifecycle":    {"enum": lifecycles()},
		"DeploymentRecord.kind":      {"enum": metrics.DeploymentKinds()},
		"ChangeRecord.kind":          {"enum": []string{"change_request", "commit"}},
		"IncidentRecord.cause":       {"enum": append(metrics.IncidentCauses(), "")},
		"Definition.better":          {"enum": []string{"higher", "lower", ""}},
		"Result.bucket":              {"enum": []metrics.Bucket{metrics.Day, metrics.Week, metrics.Month, metrics.Quarter}},
		"StreamRecord.outcome":       {"enum": metrics.StreamOutcomes()},
		"Problem.type":               {"format": "uri"},
	}
	for _, of := range []string{"Result", "Point", "Previous", "Group"} {
		s[of+".value"], s[of+".n"] = value, count
	}
	if _, known := b.named["PainPoint"]; !known {
		b.of(metrics.PainPoint{})
	}
	return s
}
