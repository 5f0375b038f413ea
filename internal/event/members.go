package event

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// members reads the members of an object up to its closing brace into v. Errors are of the text; what is wrong with
// the values is reported. Only at the top may there be a member "type"; seenType says that it was read before.
func (o *objectReader) members(p *plan, v reflect.Value, top, seenType bool) error {
	var seen, absent uint64
	for {
		if o.json.PeekKind() == jsontext.KindEndObject {
			if _, err := o.json.ReadToken(); err != nil {
				return err
			}
			break
		}
		name, err := o.json.ReadValue()
		if err != nil {
			return err
		}
		f := p.byName[string(name[1:max(1, len(name)-1)])]
		if f == nil {
			if f, err = o.unusual(p, name, top, &seenType); err != nil {
				return err
			}
			if f == nil {
				continue
			}
		}
		if seen&f.bit != 0 {
			o.fail(o.pointer(""), nil, "each field once: this one stands here twice")
			if err := o.json.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen |= f.bit
		if o.json.PeekKind() == jsontext.KindNull {
			absent |= f.bit
			if err := o.json.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := o.value(f, f.of(v)); err != nil {
			return err
		}
	}
	if missing := p.required &^ (seen &^ absent); missing != 0 {
		for _, f := range p.fields {
			if missing&f.bit != 0 {
				o.fail(o.pointer("/"+f.name), nil, f.expected+": it is required")
			}
		}
	}
	return nil
}

// unusual deals with a name that is not simply a field's: the type, a name with escapes, an unknown one. It returns
// the field if it is one after all; otherwise it has read the member.
func (o *objectReader) unusual(p *plan, quoted jsontext.Value, top bool, seenType *bool) (*field, error) {
	unquoted, _ := jsontext.AppendUnquote(nil, quoted)
	name := string(unquoted)
	if f := p.byName[name]; f != nil {
		return f, nil
	}
	switch {
	case top && name == "type" && !*seenType:
		*seenType = true
	case top && name == "type":
		o.fail("/type", nil, "each field once: this one stands here twice")
	default:
		of := "an object with the fields "
		if top {
			of = p.kind + " has the fields type, "
		}
		names := p.names()
		o.fail(o.pointer(""), nil, "no field of this name: "+of+strings.Join(names, ", ")+didYouMean(name, names))
	}
	return nil, o.json.SkipValue()
}

// pointer leads to what was just read, or to its member.
func (o *objectReader) pointer(member string) string {
	return string(o.json.StackPointer()) + member
}

// value reads the value of the field into v. A value that may not stand there is skipped and reported.
func (o *objectReader) value(f *field, v reflect.Value) error {
	switch f.form {
	case texts:
		return o.texts(f, v)
	case objects:
		return o.objects(f, v)
	case integersMap:
		return o.integers(f, v)
	}
	raw, err := o.json.ReadValue()
	if err != nil {
		return err
	}
	kind := raw.Kind()
	switch f.form {
	case text:
		if kind != jsontext.KindString {
			break
		}
		s := o.string(raw)
		if wrong := f.wrongText(s); wrong != "" {
			o.fail(o.pointer(""), raw, wrong)
			return nil
		}
		v.SetString(s)
		return nil
	case instant:
		if kind != jsontext.KindString {
			break
		}
		ms, wrong := parseInstant(raw[1 : len(raw)-1])
		if wrong != "" {
			o.fail(o.pointer(""), raw, expectedInstant+"; this is "+wrong)
			return nil
		}
		*v.Addr().Interface().(*time.Time) = time.UnixMilli(ms).UTC()
		return nil
	case boolean:
		if kind == jsontext.KindTrue || kind == jsontext.KindFalse {
			v.SetBool(kind == jsontext.KindTrue)
			return nil
		}
	case maybeBool:
		if kind == jsontext.KindTrue || kind == jsontext.KindFalse {
			is := kind == jsontext.KindTrue
			*v.Addr().Interface().(**bool) = &is
			return nil
		}
	case integer, maybeInt:
		n, ok := parseInteger(raw)
		if !ok || !f.within(float64(n)) {
			break
		}
		if f.form == maybeInt {
			*v.Addr().Interface().(**int64) = &n
			return nil
		}
		v.SetInt(n)
		return nil
	case number:
		if kind != jsontext.KindNumber {
			break
		}
		n, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || !f.within(n) {
			break
		}
		v.SetFloat(n)
		return nil
	}
	o.fail(o.pointer(""), raw, f.expected)
	return nil
}

// within says whether n is within the field's bounds.
func (f *field) within(n float64) bool {
	return n >= f.min && n <= f.max && (!f.above || n != f.min)
}

// wrongText says what is expected when s may not stand in the field, and nothing when it may.
func (f *field) wrongText(s string) string {
	switch {
	case f.enum != nil:
		for _, allowed := range f.enum {
			if s == allowed {
				return ""
			}
		}
		return f.expected + didYouMean(s, f.enum)
	case f.date:
		if s != "" && !validDate(s) {
			return f.expected
		}
	case f.zone:
		if s != "" && !validZone(s) {
			return f.expected
		}
	}
	if f.required && s == "" || longer(s, f.length) {
		return f.expected
	}
	return ""
}

func validZone(s string) bool {
	if s == "Local" {
		return false
	}
	_, err := time.LoadLocation(s)
	return err == nil
}

// longer says whether s has more than n characters.
func longer(s string, n int) bool {
	return len(s) > n && utf8.RuneCountInString(s) > n
}

// parseInteger reads a JSON number that is whole and exact in a float64, however it is written: 3, 3.0, 3e2.
func parseInteger(raw jsontext.Value) (int64, bool) {
	if raw.Kind() != jsontext.KindNumber {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, n <= maxInteger && n >= -maxInteger
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > maxInteger {
		return 0, false
	}
	return int64(n), true
}

// string returns the text of a quoted string that was just read. Strings without escapes share the memory of one copy
// of the event's text.
func (o *objectReader) string(quoted jsontext.Value) string {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		o.unquote, _ = jsontext.AppendUnquote(o.unquote[:0], quoted)
		return string(o.unquote)
	}
	if o.text == "" {
		o.text = string(o.raw)
	}
	end := int(o.json.InputOffset()) - 1
	return o.text[end-len(quoted)+2 : end]
}

// list reads the opening bracket of a list; ok is false when something else stands there, which was then reported.
func (o *objectReader) list(f *field, open jsontext.Kind) (ok bool, err error) {
	if o.json.PeekKind() != open {
		raw, err := o.json.ReadValue()
		if err == nil {
			o.fail(o.pointer(""), raw, f.expected)
		}
		return false, err
	}
	_, err = o.json.ReadToken()
	return err == nil, err
}

func (o *objectReader) texts(f *field, v reflect.Value) error {
	if ok, err := o.list(f, jsontext.KindBeginArray); !ok {
		return err
	}
	o.strings = o.strings[:0]
	n := 0
	for ; o.json.PeekKind() != jsontext.KindEndArray; n++ {
		raw, err := o.json.ReadValue()
		if err != nil {
			return err
		}
		if n >= f.items {
			continue
		}
		if raw.Kind() != jsontext.KindString || len(raw) == 2 {
			o.fail(o.pointer(""), raw, "a string of at least one character")
			continue
		}
		s := o.string(raw)
		if longer(s, f.length) {
			o.fail(o.pointer(""), raw, "a string of at most "+strconv.Itoa(f.length)+" characters")
			continue
		}
		o.strings = append(o.strings, s)
	}
	if _, err := o.json.ReadToken(); err != nil {
		return err
	}
	if n > f.items {
		o.fail(o.pointer(""), nil, f.expected+"; this one has "+strconv.Itoa(n))
		return nil
	}
	*v.Addr().Interface().(*[]string) = o.keep(o.strings)
	return nil
}

// keep copies list into memory that many lists share.
func (o *objectReader) keep(list []string) []string {
	n := len(list)
	if o.spare == nil || n > cap(o.spare)-len(o.spare) {
		o.spare = make([]string, 0, max(n, 1024))
	}
	at := len(o.spare)
	o.spare = append(o.spare, list...)
	return o.spare[at : at+n : at+n]
}

func (o *objectReader) objects(f *field, v reflect.Value) error {
	if ok, err := o.list(f, jsontext.KindBeginArray); !ok {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 1))
	n := 0
	for ; o.json.PeekKind() != jsontext.KindEndArray; n++ {
		if n >= f.items {
			if err := o.json.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if o.json.PeekKind() != jsontext.KindBeginObject {
			raw, err := o.json.ReadValue()
			if err != nil {
				return err
			}
			o.fail(o.pointer(""), raw, "an object with the fields "+strings.Join(f.object.names(), ", "))
			continue
		}
		if _, err := o.json.ReadToken(); err != nil {
			return err
		}
		at := v.Len()
		v.Grow(1)
		v.SetLen(at + 1)
		if err := o.members(f.object, v.Index(at), false, false); err != nil {
			return err
		}
	}
	if _, err := o.json.ReadToken(); err != nil {
		return err
	}
	if n > f.items {
		o.fail(o.pointer(""), nil, f.expected+"; this one has "+strconv.Itoa(n))
	}
	return nil
}

func (o *objectReader) integers(f *field, v reflect.Value) error {
	if ok, err := o.list(f, jsontext.KindBeginObject); !ok {
		return err
	}
	m := make(map[string]int64)
	n := 0
	for ; o.json.PeekKind() != jsontext.KindEndObject; n++ {
		quoted, err := o.json.ReadValue()
		if err != nil {
			return err
		}
		name := o.string(quoted)
		raw, err := o.json.ReadValue()
		if err != nil {
			return err
		}
		if _, twice := m[name]; twice {
			o.fail(o.pointer(""), raw, "each name once: this one stands here twice")
			continue
		}
		if name == "" || longer(name, f.length) {
			o.fail(o.pointer(""), raw, "a name of 1 to "+strconv.Itoa(f.length)+" characters")
			continue
		}
		value, ok := parseInteger(raw)
		if !ok || !f.within(float64(value)) {
			o.fail(o.pointer(""), raw, "an integer"+f.bounds())
			continue
		}
		m[name] = value
	}
	if _, err := o.json.ReadToken(); err != nil {
		return err
	}
	if n > f.items {
		o.fail(o.pointer(""), nil, f.expected+"; this one has "+strconv.Itoa(n))
		return nil
	}
	*v.Addr().Interface().(*map[string]int64) = m
	return nil
}
