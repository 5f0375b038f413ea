// Package codedoc reads the comments of the code, so that tests can hold against them what users are shown of the same
// types. It is imported by tests only.
package codedoc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Struct is a struct type that is declared in a file.
type Struct struct {
	Path    string // of the file
	Name    string
	Comment string // above it, in one line
	Fields  []*ast.Field
}

// Structs are those of the Go files that a pattern fits, tests left out. A pattern that fits none fails the test.
func Structs(t testing.TB, pattern string) []Struct {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatal(pattern, err)
	}
	var all []Struct
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			declared, ok := n.(*ast.GenDecl)
			if !ok || declared.Tok != token.TYPE {
				return true
			}
			for _, one := range declared.Specs {
				spec := one.(*ast.TypeSpec)
				if structure, ok := spec.Type.(*ast.StructType); ok {
					all = append(all, Struct{path, spec.Name.Name, Text(spec.Doc, declared.Doc), structure.Fields.List})
				}
			}
			return true
		})
	}
	return all
}

// Text is the first of the comments that says something, in one line.
func Text(comments ...*ast.CommentGroup) string {
	for _, c := range comments {
		if text := strings.Join(strings.Fields(c.Text()), " "); text != "" {
			return text
		}
	}
	return ""
}
