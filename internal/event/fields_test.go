package event_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
)

// structFields lists the fields of a kind as the structs have them.
func structFields(typ reflect.Type) []reflect.StructField {
	var own, telling []reflect.StructField
	for i := range typ.NumField() {
		if f := typ.Field(i); f.Anonymous {
			telling = structFields(f.Type)
		} else {
			own = append(own, f)
		}
	}
	return slices.Concat(own, telling)
}

func fieldNames(kind string) []string {
	var names []string
	for _, f := range structFields(reflect.TypeOf(event.New(kind)).Elem()) {
		names = append(names, f.Tag.Get("json"))
	}
	return names
}

// smallest returns an event of the kind with nothing but its required fields.
func smallest(kind string) event.Event {
	e := event.New(kind)
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if !strings.Contains(tag.Get("check"), "required") {
			continue
		}
		switch field := v.Field(i).Addr().Interface().(type) {
		case *string:
			*field, _, _ = strings.Cut(tag.Get("enum")+",", ",")
			if *field == "" {
				*field = "x"
			}
		case *time.Time:
			*field = at(i)
		case *float64:
			*field = 0.5
		case *int64:
			*field = 0
		default:
			v.Field(i).Set(reflect.MakeSlice(v.Field(i).Type(), 0, 0))
		}
	}
	switch e := e.(type) {
	case *event.Survey:
		e.ClosesAt = at(24 * 365)
	case *event.SLO:
		e.Total = 1<<53 - 1
	}
	return e
}

// with sets one field of a JSON object, or leaves it out when the value is empty.
func with(object, name, value string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		panic(err)
	}
	fields[name] = json.RawMessage(value)
	if value == "" {
		delete(fields, name)
	}
	changed, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(changed)
}
