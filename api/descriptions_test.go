package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/api"
	"cairn/internal/codedoc"
)

var update = flag.Bool("update", false, "rewrite the descriptions of the document from the comments of the code")

// The document says of types and fields what the comments of the code say.
func TestDescriptionsAreTheCommentsOfTheCode(t *testing.T) {
	comments := map[string]string{}
	for _, pattern := range []string{"*.go", "../metrics/*.go", "../internal/problem/*.go"} {
		for _, s := range codedoc.Structs(t, pattern) {
			comment(comments, s)
		}
	}
	want := map[string]string{}
	for name, schema := range api.Document().Components.Schemas {
		if c, ok := comments[name]; ok {
			want[name] = c
		}
		properties, _ := schema["properties"].(api.Schema)
		for field := range properties {
			for _, of := range []string{name, "ServiceRecord"} { // Service holds a ServiceRecord
				if c, ok := comments[of+"."+field]; ok && (of == name || name == "Service") {
					want[of+"."+field] = c
				}
			}
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("descriptions.json", text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("descriptions.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text.String(), string(got)); diff != "" {
		t.Errorf("descriptions.json is out of date; go test ./api -run Descriptions -update rewrites it (-want +got):\n%s", diff)
	}
}

// comment notes what stands above a type, and above or beside its fields.
func comment(comments map[string]string, s codedoc.Struct) {
	if !ast.IsExported(s.Name) {
		return
	}
	kind := s.Name
	if strings.Contains(s.Path, "internal/problem") && kind != "Problem" {
		kind = "Problem" + kind
	}
	if s.Comment != "" {
		comments[kind] = s.Comment
	}
	for _, f := range s.Fields {
		if f.Tag == nil {
			continue
		}
		_, tag, _ := strings.Cut(f.Tag.Value, `json:"`)
		name, _, _ := strings.Cut(strings.TrimRight(tag, "`"), `"`)
		name, _, _ = strings.Cut(name, ",")
		if c := codedoc.Text(f.Doc, f.Comment); c != "" && name != "" {
			comments[kind+"."+name] = c
		}
	}
}
