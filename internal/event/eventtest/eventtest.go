// Package eventtest draws random events for property tests: every kind, every field, all of them events that a Decoder
// accepts. It reads the tags of the structs in package event, so a new field is drawn without a change here.
package eventtest

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/event"
)

// Any draws an event of any kind.
func Any() *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		return Of(rapid.SampledFrom(event.Kinds()).Draw(t, "kind")).Draw(t, "event")
	})
}

// Of draws an event of the kind.
func Of(kind string) *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		e := event.New(kind)
		fill(t, reflect.ValueOf(e).Elem())
		agree(e)
		return e
	})
}

func fill(t *rapid.T, object reflect.Value) {
	for i := range object.NumField() {
		sf, v := object.Type().Field(i), object.Field(i)
		if sf.Anonymous {
			fill(t, v)
			continue
		}
		required := strings.Contains(sf.Tag.Get("check"), "required")
		if required || rapid.Bool().Draw(t, sf.Name+" is set") {
			set(t, sf, v)
		}
	}
}

func set(t *rapid.T, sf reflect.StructField, v reflect.Value) {
	name := sf.Name
	switch field := v.Addr().Interface().(type) {
	case *string:
		*field = draw(t, sf)
	case *time.Time:
		*field = instant(t, name)
	case *bool:
		*field = true
	case **bool:
		*field = new(rapid.Bool().Draw(t, name))
	case *int64:
		*field = number(t, sf)
	case **int64:
		*field = new(number(t, sf))
	case *float64:
		*field = float64(rapid.Int64Range(1, 1_000_000).Draw(t, name)) / 1_000_000
	case *[]string:
		*field = rapid.SliceOfN(word(), 0, 4).Draw(t, name)
	case *map[string]int64:
		*field = rapid.MapOfN(word(), rapid.Int64Range(1, 5), 0, 3).Draw(t, name)
	default:
		n := rapid.IntRange(0, 3).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	}
}

// draw draws a text that the field's tags allow.
func draw(t *rapid.T, sf reflect.StructField) string {
	if enum := sf.Tag.Get("enum"); enum != "" {
		return rapid.SampledFrom(strings.Split(enum, ",")).Draw(t, sf.Name)
	}
	switch check := sf.Tag.Get("check"); {
	case strings.Contains(check, "date"):
		return instant(t, sf.Name).Format(time.DateOnly)
	case strings.Contains(check, "zone"):
		return rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kolkata"}).Draw(t, sf.Name)
	}
	return word().Draw(t, sf.Name)
}

// word draws short texts: mostly a few plain ones, so that identities meet, sometimes any characters at all.
func word() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"a", "b", "shop", "web/x.go", "v1.2.3"}),
		rapid.SampledFrom([]string{"a", "b", "shop", "web/x.go", "v1.2.3"}),
		rapid.StringN(1, 20, -1),
	)
}

func instant(t *rapid.T, name string) time.Time {
	const first, last = 0, 4323283199999 // 1970 to 2106
	near := rapid.Int64Range(1_767_225_600_000, 1_767_225_600_999)
	return time.UnixMilli(rapid.OneOf(near, rapid.Int64Range(first, last)).Draw(t, name)).UTC()
}

func number(t *rapid.T, sf reflect.StructField) int64 {
	bound := func(tag string, otherwise int64) int64 {
		n, err := strconv.ParseInt(sf.Tag.Get(tag), 10, 64)
		if err != nil {
			return otherwise
		}
		return n
	}
	return rapid.Int64Range(bound("min", 0), bound("max", 1<<53-1)).Draw(t, sf.Name)
}

// agree makes the fields of an event fit one another.
func agree(e event.Event) {
	switch e := e.(type) {
	case *event.Commit:
		for i, parent := range e.Parents {
			if parent == e.SHA {
				e.Parents[i] += "'"
			}
		}
	case *event.PipelineRun:
		e.StartedAt, e.FinishedAt = ordered(e.StartedAt, e.FinishedAt, 0)
	case *event.Deployment:
		if e.FinishedAt.IsZero() && (e.Status == "succeeded" || e.Status == "failed") {
			e.FinishedAt = time.UnixMilli(1_767_225_600_000).UTC()
		}
		e.StartedAt, e.FinishedAt = ordered(e.StartedAt, e.FinishedAt, 0)
		for i := range e.Revisions {
			e.Revisions[i].Repository += strconv.Itoa(i)
		}
		for i, id := range e.Remediates {
			if id == e.ID {
				e.Remediates[i] += "'"
			}
		}
	case *event.Ownership:
		e.From, e.To = ordered(e.From, e.To, time.Millisecond)
	case *event.Membership:
		e.From, e.To = ordered(e.From, e.To, time.Millisecond)
	case *event.Team:
		if e.Parent == e.ID {
			e.Parent = ""
		}
	case *event.CapabilityExemption:
		e.ApprovedAt, e.ExpiresAt = ordered(e.ApprovedAt, e.ExpiresAt, 0)
	case *event.Survey:
		e.OpensAt, e.ClosesAt = ordered(e.OpensAt, e.ClosesAt, time.Millisecond)
		for i := range e.Questions {
			e.Questions[i].ID += strconv.Itoa(i)
		}
		for i := range e.Groups {
			e.Groups[i].ID += strconv.Itoa(i)
			e.Groups[i].Parent = ""
			if i > 0 {
				e.Groups[i].Parent = e.Groups[0].ID
			}
		}
	case *event.SurveyResponse:
		for i := range e.Answers {
			e.Answers[i].Question += strconv.Itoa(i)
		}
	case *event.SLO:
		e.Good, e.Total = min(e.Good, e.Total), max(e.Good, e.Total)
	}
}

// ordered returns both instants with the earlier one first and at least the gap between them. Those that are not set
// stay so.
func ordered(a, b time.Time, gap time.Duration) (time.Time, time.Time) {
	if a.IsZero() || b.IsZero() {
		return a, b
	}
	if b.Before(a) {
		a, b = b, a
	}
	if b.Sub(a) < gap {
		b = a.Add(gap)
	}
	return a, b
}
