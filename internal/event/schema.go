package event

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the JSON Schema (2020-12) of one event. It says all that a schema can say of what a Decoder accepts; the
// comparison of two instants or numbers of one event is beyond it, and so are calendar days and time zones.
func Schema() []byte {
	definitions := make(members, 0, len(vocabulary.kinds))
	choice := make([]any, 0, len(vocabulary.kinds))
	for _, p := range vocabulary.kinds {
		choice = append(choice, members{{"$ref", "#/$defs/" + p.kind}})
		definitions = append(definitions, member{p.kind, p.schema()})
	}
	return render(members{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:cairn:event"},
		{"title", "cairn event"},
		{"description", "One fact. Send one, an array of them, or one a line (NDJSON)."},
		{"type", "object"},
		{"required", []any{"type"}},
		{"oneOf", choice},
		{"$defs", definitions},
	})
}

// members is a JSON object that keeps its order. A value is a string, bool, float64, nil, []any or members.
type members []member

type member struct {
	name  string
	value any
}

func (p *plan) schema() members {
	var properties members
	var required []any
	s := members{{"type", "object"}}
	if p.kind != "" {
		s = append(s, member{"title", p.kind})
		properties = append(properties, member{"type", members{{"const", p.kind}}})
		required = append(required, "type")
	}
	for _, f := range p.fields {
		properties = append(properties, member{f.name, f.schema()})
		if f.required {
			required = append(required, f.name)
		}
	}
	s = append(s, member{"properties", properties}, member{"additionalProperties", false})
	if required != nil {
		s = append(s, member{"required", required})
	}
	if p.kind == KindDeployment {
		s = append(s,
			member{"if", members{
				{"properties", members{{"status", members{{"enum", []any{"succeeded", "failed"}}}}}},
				{"required", []any{"status"}},
			}},
			member{"then", members{
				{"properties", members{{"finished_at", members{{"type", "string"}}}}},
				{"required", []any{"finished_at"}},
			}},
		)
	}
	return s
}

// instantPattern is RFC 3339 with a zone in the years of facts; "format" alone is only a remark to many validators.
const instantPattern = `^(19[7-9][0-9]|20[0-9]{2}|210[0-6])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])` +
	`[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`

const datePattern = `^(19[7-9][0-9]|20[0-9]{2}|210[0-6])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`

func (f *field) schema() members {
	s := f.valueSchema()
	if f.doc != "" {
		s = append(s, member{"description", f.doc})
	}
	if f.key {
		s = append(s, member{"$comment", "part of the fact's identity"})
	}
	return s
}

// orNull is the JSON type of a value that may also be null, which is the same as leaving it out.
func (f *field) orNull(typ string) any {
	if f.required {
		return typ
	}
	return []any{typ, "null"}
}

func (f *field) valueSchema() members {
	switch f.form {
	case text:
		s := members{{"type", f.orNull("string")}}
		switch {
		case f.enum != nil:
			allowed := make([]any, len(f.enum), len(f.enum)+1)
			for i, value := range f.enum {
				allowed[i] = value
			}
			if !f.required {
				allowed = append(allowed, nil)
			}
			return append(s, member{"enum", allowed})
		case f.date:
			return append(s, member{"anyOf", []any{
				members{{"format", "date"}, {"pattern", datePattern}},
				members{{"const", ""}},
			}})
		}
		if f.required {
			s = append(s, member{"minLength", 1.0})
		}
		return append(s, member{"maxLength", float64(f.length)})
	case instant:
		return members{{"type", f.orNull("string")}, {"format", "date-time"}, {"pattern", instantPattern}}
	case boolean, maybeBool:
		return members{{"type", f.orNull("boolean")}}
	case integer, maybeInt:
		return members{{"type", f.orNull("integer")}, {"minimum", f.min}, {"maximum", f.max}}
	case number:
		low := "minimum"
		if f.above {
			low = "exclusiveMinimum"
		}
		return members{{"type", f.orNull("number")}, {low, f.min}, {"maximum", f.max}}
	case texts:
		return members{
			{"type", f.orNull("array")},
			{"items", members{{"type", "string"}, {"minLength", 1.0}, {"maxLength", float64(f.length)}}},
			{"maxItems", float64(f.items)},
		}
	case objects:
		return members{{"type", f.orNull("array")}, {"items", f.object.schema()}, {"maxItems", float64(f.items)}}
	case integersMap:
		return members{
			{"type", f.orNull("object")},
			{"propertyNames", members{{"minLength", 1.0}, {"maxLength", float64(f.length)}}},
			{"additionalProperties", members{{"type", "integer"}, {"minimum", f.min}, {"maximum", f.max}}},
			{"maxProperties", float64(f.items)},
		}
	}
	return nil
}

// render writes the value as indented JSON with a newline at the end.
func render(value any) []byte {
	v := jsontext.Value(appendAny(nil, value))
	// The text was just written by appendAny: it is JSON, and indenting it cannot fail.
	_ = v.Indent(jsontext.WithIndent("  "))
	return append(bytes.TrimSpace(v), '\n')
}

func appendAny(dst []byte, value any) []byte {
	switch value := value.(type) {
	case string:
		return appendText(dst, value)
	case bool:
		return strconv.AppendBool(dst, value)
	case float64:
		return appendNumber(dst, value)
	case []any:
		dst = append(dst, '[')
		for i, element := range value {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAny(dst, element)
		}
		return append(dst, ']')
	case members:
		dst = append(dst, '{')
		for i, m := range value {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, m.name), ':')
			dst = appendAny(dst, m.value)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}
