package event

import (
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the event as one JSON object on one line: "type" first, then the fields in the order of the
// struct, those that are not set left out, instants in UTC with milliseconds. A Decoder reads back the same event. Text
// that is not UTF-8 loses the bytes that are not.
func AppendJSON(dst []byte, e Event) []byte {
	p := vocabulary.byKind[e.Kind()]
	dst = append(dst, `{"type":"`...)
	dst = append(dst, p.kind...)
	dst = append(dst, '"')
	dst = appendMembers(dst, p, reflect.ValueOf(e).Elem())
	return append(dst, '}')
}

// WriteTo writes all events as NDJSON.
func (b *Batch) WriteTo(w io.Writer) (int64, error) {
	var written int64
	var line []byte
	for e := range b.All() {
		line = append(AppendJSON(line[:0], e), '\n')
		n, err := w.Write(line)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// appendMembers appends the fields that are set, each with a comma before it unless it is the object's first.
func appendMembers(dst []byte, p *plan, object reflect.Value) []byte {
	for _, f := range p.fields {
		v := f.of(object)
		if absent(f, v) && !(f.required && f.form == integer) {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, f.name...)
		dst = append(dst, '"', ':')
		dst = appendValue(dst, f, v)
	}
	return dst
}

func appendValue(dst []byte, f *field, v reflect.Value) []byte {
	switch f.form {
	case text:
		return appendText(dst, v.String())
	case instant:
		dst = append(dst, '"')
		dst = appendInstant(dst, *v.Addr().Interface().(*time.Time))
		return append(dst, '"')
	case boolean:
		return strconv.AppendBool(dst, v.Bool())
	case maybeBool:
		return strconv.AppendBool(dst, v.Elem().Bool())
	case integer:
		return strconv.AppendInt(dst, v.Int(), 10)
	case maybeInt:
		return strconv.AppendInt(dst, v.Elem().Int(), 10)
	case number:
		return appendNumber(dst, v.Float())
	case texts:
		dst = append(dst, '[')
		for i, s := range *v.Addr().Interface().(*[]string) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, s)
		}
		return append(dst, ']')
	case objects:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '{')
			dst = appendMembers(dst, f.object, v.Index(i))
			dst = append(dst, '}')
		}
		return append(dst, ']')
	case integersMap:
		m := *v.Addr().Interface().(*map[string]int64)
		dst = append(dst, '{')
		for i, name := range slices.Sorted(maps.Keys(m)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, name)
			dst = append(dst, ':')
			dst = strconv.AppendInt(dst, m[name], 10)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			dst, _ = jsontext.AppendQuote(dst, s) // its only error is text that is not UTF-8, which it mends
			return dst
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
