package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/api"
)

var update = flag.Bool("update", false, "rewrite the descriptions of the document from the comments of the code")

// The document says of types and fields what the comments of the code say.
func TestDescriptionsAreTheCommentsOfTheCode(t *testing.T) {
	comments := map[string]string{}
	files := token.NewFileSet()
	for _, pattern := range []string{"*.go", "../metrics/*.go", "../internal/problem/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				declared, ok := n.(*ast.GenDecl)
				if !ok || declared.Tok != token.TYPE {
					return true
				}
				for _, spec := range declared.Specs {
					comment(comments, path, declared, spec.(*ast.TypeSpec))
				}
				return true
			})
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
func comment(comments map[string]string, path string, declared *ast.GenDecl, spec *ast.TypeSpec) {
	structure, ok := spec.Type.(*ast.StructType)
	if !ok || !spec.Name.IsExported() {
		return
	}
	plain := func(groups ...*ast.CommentGroup) string {
		for _, g := range groups {
			if c := strings.Join(strings.Fields(g.Text()), " "); c != "" {
				return c
			}
		}
		return ""
	}
	kind := spec.Name.Name
	if strings.Contains(path, "internal/problem") && kind != "Problem" {
		kind = "Problem" + kind
	}
	if c := plain(spec.Doc, declared.Doc); c != "" {
		comments[kind] = c
	}
	for _, f := range structure.Fields.List {
		if f.Tag == nil {
			continue
		}
		_, tag, _ := strings.Cut(f.Tag.Value, `json:"`)
		name, _, _ := strings.Cut(strings.TrimRight(tag, "`"), `"`)
		name, _, _ = strings.Cut(name, ",")
		if c := plain(f.Doc, f.Comment); c != "" && name != "" {
			comments[kind+"."+name] = c
		}
	}
}
