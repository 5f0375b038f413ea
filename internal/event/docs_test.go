package event_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
)

const reference = "../../docs/events.md"

var generated = regexp.MustCompile(`(?s)<!-- fields: (\w+) -->\n.*?<!-- end of fields -->`)

// TestReferenceDescribesEveryField rewrites the tables of fields with -update and compares them without.
func TestReferenceDescribesEveryField(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var described []string
	want := generated.ReplaceAllStringFunc(string(page), func(old string) string {
		kind := generated.FindStringSubmatch(old)[1]
		described = append(described, kind)
		e := event.New(kind)
		if e == nil {
			t.Fatalf("docs/events.md describes the unknown kind %s", kind)
		}
		return fmt.Sprintf("<!-- fields: %s -->\n%s<!-- end of fields -->", kind, fieldTables(reflect.TypeOf(e).Elem()))
	})
	if diff := cmp.Diff(event.Kinds(), described); diff != "" {
		t.Errorf("docs/events.md describes the kinds in another order or not all of them (-want +got)\n%s", diff)
	}
	if *update {
		if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/events.md is out of date; go test ./internal/event -update rewrites its tables (-want +got)\n%s", diff)
	}
}

// fieldTables writes a table of the type's own fields, and one of each type within it.
func fieldTables(typ reflect.Type) string {
	var b, inner strings.Builder
	b.WriteString("\n| field | value | |\n|---|---|---|\n")
	for _, f := range structFields(typ) {
		name := f.Tag.Get("json")
		if name == "source" || name == "updated_at" {
			continue // described once for all kinds
		}
		if strings.Contains(f.Tag.Get("check"), "required") {
			name = "**" + name + "**"
		}
		if f.Tag.Get("key") == "true" {
			name += " 🔑"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, valueOf(f), f.Tag.Get("doc"))
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			fmt.Fprintf(&inner, "\nEach of `%s`:\n%s", f.Tag.Get("json"), fieldTables(f.Type.Elem()))
		}
	}
	return b.String() + strings.TrimSuffix(inner.String(), "\n") + "\n"
}

func valueOf(f reflect.StructField) string {
	between := func() string {
		low, high := f.Tag.Get("min"), f.Tag.Get("max")
		switch {
		case f.Tag.Get("above") != "":
			return " above " + f.Tag.Get("above") + ", at most " + high
		case high != "":
			return " " + low + " to " + high
		case low != "":
			return " from " + low
		}
		return ""
	}
	switch f.Type {
	case reflect.TypeFor[string]():
		switch {
		case f.Tag.Get("enum") != "":
			return "`" + strings.ReplaceAll(f.Tag.Get("enum"), ",", "` `") + "`"
		case strings.Contains(f.Tag.Get("check"), "date"):
			return "date"
		}
		return "text"
	case reflect.TypeFor[time.Time]():
		return "instant"
	case reflect.TypeFor[bool](), reflect.TypeFor[*bool]():
		return "`true` `false`"
	case reflect.TypeFor[int64](), reflect.TypeFor[*int64]():
		return "integer" + between()
	case reflect.TypeFor[float64]():
		return "number" + between()
	case reflect.TypeFor[[]string]():
		return "list of texts"
	case reflect.TypeFor[map[string]int64]():
		return "object of integers" + between()
	}
	return "list of objects"
}

var example = regexp.MustCompile("(?s)```json\n(.*?)```")

// TestExamplesOfTheReferenceAreEvents decodes every example of the page; each kind has at least one.
func TestExamplesOfTheReferenceAreEvents(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]int)
	for _, m := range example.FindAllStringSubmatch(string(page), -1) {
		b, err := decode(t, m[1])
		if err != nil {
			t.Errorf("%s%v", m[1], err)
			continue
		}
		for kind, n := range b.Counts() {
			shown[kind] += n
		}
	}
	for _, kind := range event.Kinds() {
		if shown[kind] == 0 {
			t.Errorf("docs/events.md has no example of %s", kind)
		}
	}
}
