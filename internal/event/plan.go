package event

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Bounds that hold where a field's tags say nothing else.
const (
	maxText    = 4096  // characters
	maxItems   = 10000 // elements of a list
	maxInteger = 1<<53 - 1
	firstYear  = 1970
	lastYear   = 2106
	maxFields  = 64 // of one object: a set of fields is a uint64
)

// form is how a field's value is written in JSON.
type form uint8

const (
	text        form = iota // string
	instant                 // time.Time
	boolean                 // bool
	integer                 // int64
	number                  // float64
	maybeBool               // *bool
	maybeInt                // *int64
	texts                   // []string
	objects                 // slice of structs
	integersMap             // map[string]int64
)

// field is one field of an object: where it lies in the struct, and what may stand in it.
type field struct {
	name     string
	at       int // index in the struct, or of the embedded struct that has it
	inner    int // index in the embedded struct; -1 when there is none
	form     form
	bit      uint64
	required bool
	key      bool
	ahead    bool
	date     bool
	zone     bool
	enum     []string
	length   int // most characters of a text, or of each element of a list
	items    int // most elements of a list
	min, max float64
	above    bool // min itself is not allowed
	object   *plan
	doc      string
	expected string // what the messages about a bad value say
}

// of returns the field in the struct.
func (f *field) of(object reflect.Value) reflect.Value {
	v := object.Field(f.at)
	if f.inner >= 0 {
		v = v.Field(f.inner)
	}
	return v
}

// plan is what reflection found out about one type, once.
type plan struct {
	kind     string // value of "type"; empty for an object within an event
	at       int    // position among the kinds, and in Batch
	typ      reflect.Type
	fields   []*field
	byName   map[string]*field
	required uint64
}

// names lists the fields' names in their order.
func (p *plan) names() []string {
	names := make([]string, len(p.fields))
	for i, f := range p.fields {
		names[i] = f.name
	}
	return names
}

// plans is the whole vocabulary.
type plans struct {
	kinds  []*plan
	byKind map[string]*plan
}

// vocabulary is built from the fields of Batch and never changes.
var vocabulary = newPlans(reflect.TypeFor[Batch]())

func newPlans(batch reflect.Type) *plans {
	v := &plans{byKind: make(map[string]*plan)}
	for i := range batch.NumField() {
		typ := batch.Field(i).Type.Elem()
		p := newPlan(typ)
		p.kind = reflect.New(typ).Interface().(Event).Kind()
		p.at = i
		v.kinds = append(v.kinds, p)
		v.byKind[p.kind] = p
	}
	return v
}

func newPlan(typ reflect.Type) *plan {
	p := &plan{typ: typ, byName: make(map[string]*field)}
	var telling []*field
	for i := range typ.NumField() {
		sf := typ.Field(i)
		if !sf.Anonymous {
			p.fields = append(p.fields, newField(sf, i, -1))
			continue
		}
		for j := range sf.Type.NumField() {
			telling = append(telling, newField(sf.Type.Field(j), i, j))
		}
	}
	p.fields = append(p.fields, telling...) // what all have comes last
	if len(p.fields) > maxFields {
		panic(fmt.Sprintf("event: %s has more than %d fields", typ, maxFields))
	}
	for i, f := range p.fields {
		f.bit = 1 << i
		p.byName[f.name] = f
		if f.required {
			p.required |= f.bit
		}
	}
	return p
}

func newField(sf reflect.StructField, at, inner int) *field {
	f := &field{
		name:   sf.Tag.Get("json"),
		at:     at,
		inner:  inner,
		key:    sf.Tag.Get("key") == "true",
		ahead:  sf.Tag.Get("ahead") == "true",
		doc:    sf.Tag.Get("doc"),
		length: int(numberTag(sf, "length", maxText)),
		items:  int(numberTag(sf, "items", maxItems)),
		min:    numberTag(sf, "min", -maxInteger),
		max:    numberTag(sf, "max", maxInteger),
	}
	if _, ok := sf.Tag.Lookup("above"); ok {
		f.min, f.above = numberTag(sf, "above", 0), true
	}
	if tag, ok := sf.Tag.Lookup("enum"); ok {
		f.enum = strings.Split(tag, ",")
	}
	for check := range strings.SplitSeq(sf.Tag.Get("check"), ",") {
		switch check {
		case "required":
			f.required = true
		case "date":
			f.date = true
		case "zone":
			f.zone = true
		case "":
		default:
			panic(fmt.Sprintf("event: field %s has the unknown check %q", sf.Name, check))
		}
	}
	f.form = formOf(sf.Type)
	if f.form == objects {
		f.object = newPlan(sf.Type.Elem())
	}
	f.expected = f.expectation()
	return f
}

func numberTag(sf reflect.StructField, tag string, otherwise float64) float64 {
	s, ok := sf.Tag.Lookup(tag)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("event: field %s, tag %s: %v", sf.Name, tag, err))
	}
	return n
}

func formOf(t reflect.Type) form {
	switch t {
	case reflect.TypeFor[string]():
		return text
	case reflect.TypeFor[time.Time]():
		return instant
	case reflect.TypeFor[bool]():
		return boolean
	case reflect.TypeFor[int64]():
		return integer
	case reflect.TypeFor[float64]():
		return number
	case reflect.TypeFor[*bool]():
		return maybeBool
	case reflect.TypeFor[*int64]():
		return maybeInt
	case reflect.TypeFor[[]string]():
		return texts
	case reflect.TypeFor[map[string]int64]():
		return integersMap
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		return objects
	}
	panic(fmt.Sprintf("event: no JSON form for %s", t))
}

// expectation says in words what may stand in the field.
func (f *field) expectation() string {
	switch f.form {
	case text:
		switch {
		case f.enum != nil:
			return "one of " + strings.Join(f.enum, ", ")
		case f.date:
			return "a date such as 2026-01-31"
		case f.zone:
			return "an IANA time zone such as Europe/Berlin"
		case f.required:
			return fmt.Sprintf("a string of 1 to %d characters", f.length)
		}
		return fmt.Sprintf("a string of at most %d characters", f.length)
	case instant:
		return expectedInstant
	case boolean, maybeBool:
		return "true or false"
	case integer, maybeInt:
		return "an integer" + f.bounds()
	case number:
		return "a number" + f.bounds()
	case texts:
		return fmt.Sprintf("a list of at most %d strings, each of 1 to %d characters", f.items, f.length)
	case objects:
		return fmt.Sprintf("a list of at most %d objects with the fields %s", f.items, strings.Join(f.object.names(), ", "))
	case integersMap:
		return fmt.Sprintf("an object of at most %d members whose values are integers%s", f.items, f.bounds())
	}
	return ""
}

func (f *field) bounds() string {
	low, high := strconv.FormatFloat(f.min, 'f', -1, 64), strconv.FormatFloat(f.max, 'f', -1, 64)
	switch {
	case f.above:
		return fmt.Sprintf(" above %s and at most %s", low, high)
	case f.max < maxInteger:
		return fmt.Sprintf(" from %s to %s", low, high)
	}
	return fmt.Sprintf(" of at least %s", low)
}
