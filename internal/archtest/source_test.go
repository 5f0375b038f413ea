package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/sharedtest"
)

// module is the module path, which every import of our own starts with.
const module = "cairn/"

// source is one parsed Go file. Paths are relative to the repository's root.
type source struct {
	path    string // api/server.go
	folder  string // api
	test    bool   // a _test.go file
	file    *ast.File
	imports []string
}

// rule lists what is wrong in a tree, one sentence each.
type rule func(t *testing.T, tree fs.FS) []string

// holds runs a rule over the repository and reports each violation as an error.
func holds(t *testing.T, r rule) {
	t.Helper()
	for _, violation := range r(t, os.DirFS(sharedtest.Root(t))) {
		t.Error(violation)
	}
}

// finds runs a rule over files (path to content) and compares the violations, sorted, with want.
func finds(t *testing.T, r rule, files map[string]string, want ...string) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, content := range files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	got := r(t, tree)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

// paths lists the repository's own files: not what git, npm or the compiler keep there, nor a data folder.
func paths(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch name {
			case ".git", ".cache", "bin", "data":
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() && name != ".git" { // which in a linked worktree is a file
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sources parses the Go files of the tree, without those under a testdata folder.
func sources(t *testing.T, tree fs.FS) (*token.FileSet, []source) {
	t.Helper()
	files := token.NewFileSet()
	var all []source
	for _, name := range paths(t, tree) {
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(name, "/"), "testdata") {
			continue
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(files, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s := source{path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), file: file}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
	}
	return files, all
}

// within says whether folder is one of the roots or below one. "" is a root that holds everything.
func within(folder string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return root == "" || folder == root || strings.HasPrefix(folder, root+"/")
	})
}

// testSupport says whether the folder holds a package for tests alone, such as storetest.
func testSupport(folder string) bool { return strings.HasSuffix(path.Base(folder), "test") }

func read(t *testing.T, tree fs.FS, name string) (content string, exists bool) {
	t.Helper()
	b, err := fs.ReadFile(tree, name)
	if os.IsNotExist(err) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b), true
}
