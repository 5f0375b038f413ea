package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/internal/codedoc"
)

var update = flag.Bool("update", false, "rewrite settings.json from the comments of the code")

// What connect says of settings is what the comments of their types say.
func TestSettingsAreDescribedByTheCommentsOfTheCode(t *testing.T) {
	comments := map[string]string{}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(at reflect.Type) {
		if at.Kind() != reflect.Struct || seen[at] || !strings.HasPrefix(at.PkgPath(), "cairn/") {
			return
		}
		seen[at] = true
		fields := commentsOf(t, at)
		for i := range at.NumField() {
			f := at.Field(i)
			if text := fields[f.Name]; text != "" && yamlKey(f) != "" {
				comments[at.String()+"."+yamlKey(f)] = text
			}
			walk(f.Type)
		}
	}
	for _, kind := range collectors.Kinds() {
		walk(reflect.TypeOf(kind.Config()).Elem())
	}
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(comments); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("settings.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("settings.json is out of date; go test ./cmd/cairn -run Settings -update rewrites it (-want +got):\n%s", diff)
	}
}

// commentsOf returns what stands above or beside the fields of a type, as it reads after the setting's key.
func commentsOf(t *testing.T, of reflect.Type) map[string]string {
	t.Helper()
	comments := map[string]string{}
	for _, s := range codedoc.Structs(t, filepath.Join("../..", strings.TrimPrefix(of.PkgPath(), "cairn/"), "*.go")) {
		if s.Name != of.Name() {
			continue
		}
		for _, f := range s.Fields {
			for _, name := range f.Names {
				comments[name.Name] = keyed(codedoc.Text(f.Doc, f.Comment), name.Name, of)
			}
		}
	}
	return comments
}

// keyed takes a field's name from the beginning of a comment, and calls other fields by their keys.
func keyed(text, name string, of reflect.Type) string {
	text = regexp.MustCompile("^"+name+" (is|are|says|has|have) ").ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasSuffix(s, " is ") || strings.HasSuffix(s, " are ") {
			return ""
		}
		return strings.TrimPrefix(s, name+" ")
	})
	for i := range of.NumField() {
		f := of.Field(i)
		if key := yamlKey(f); key != "" {
			text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, key)
		}
	}
	for _, zero := range []string{"the zero time: ", "zero: "} {
		text = strings.ReplaceAll(text, zero, "left out: ")
	}
	return strings.TrimSuffix(text, ".")
}

func TestEverySettingOfEverySystemIsDescribed(t *testing.T) {
	for system := range collectors.Kinds() {
		for _, o := range optionsOf(system) {
			if o.help == "" && !o.whole {
				t.Errorf("%s: nothing says what %s is: give the field a comment, and rewrite settings.json", system, o.key)
			}
		}
	}
}
