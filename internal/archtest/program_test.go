package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"testing"
)

// processFunctions end the process, read its environment or catch its signals: what belongs to cmd alone. Test support may
// read the environment.
var processFunctions = map[string][]string{
	"os":        {"Exit", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv"},
	"os/signal": nil, // all of it
	"log":       {"Fatal", "Fatalf", "Fatalln"},
}

// mayKeepState names the folders whose package variables may change, and why.
var mayKeepState = map[string]string{}

func TestOnlyTheProgramTouchesTheProcess(t *testing.T) { holds(t, processUse) }

func TestNoInitFunctions(t *testing.T) { holds(t, initFunctions) }

func TestPackageVariablesDoNotChange(t *testing.T) { holds(t, packageState) }

func processUse(t *testing.T, tree fs.FS) []string {
	var wrong []string
	files, all := sources(t, tree)
	for _, s := range all {
		if s.test || within(s.folder, "cmd") || testSupport(s.folder) {
			continue
		}
		names := map[string]string{} // local name of an import to its path
		for i, spec := range s.file.Imports {
			name := path.Base(s.imports[i])
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = s.imports[i]
			if forbidden, listed := processFunctions[s.imports[i]]; listed && forbidden == nil {
				wrong = append(wrong, fmt.Sprintf("%s imports %s; only cmd may", s.path, s.imports[i]))
			}
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(processFunctions[names[of.Name]], selector.Sel.Name) {
				wrong = append(wrong, fmt.Sprintf("%s uses %s.%s; only cmd may", files.Position(selector.Pos()), of.Name, selector.Sel.Name))
			}
			return true
		})
	}
	return wrong
}

func initFunctions(t *testing.T, tree fs.FS) []string {
	var wrong []string
	files, all := sources(t, tree)
	for _, s := range all {
		for _, declaration := range s.file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				wrong = append(wrong, fmt.Sprintf("%s: init()", files.Position(function.Pos())))
			}
		}
	}
	return wrong
}

// packageState finds assignments to package variables, and package variables of a type that exists to change (sync,
// atomic). What a variable points to is not followed.
func packageState(t *testing.T, tree fs.FS) []string {
	files, all := sources(t, tree)
	packages := map[string][]*ast.File{}
	for _, s := range all {
		_, excepted := mayKeepState[s.folder]
		if !s.test && !excepted && !testSupport(s.folder) {
			packages[s.folder] = append(packages[s.folder], s.file)
		}
	}
	var wrong []string
	for folder, parsed := range packages {
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		checker := types.Config{Importer: noImports{}, FakeImportC: true, Error: func(error) {}}
		pkg, _ := checker.Check(folder, files, parsed, info) // imports are missing, names of the package resolve all the same
		for _, file := range parsed {
			wrong = append(wrong, changingTypes(files, file)...)
			ast.Inspect(file, func(node ast.Node) bool {
				for _, target := range assigned(node) {
					if variable, ok := info.Uses[root(target)].(*types.Var); ok && variable.Parent() == pkg.Scope() {
						wrong = append(wrong, fmt.Sprintf("%s changes the package variable %s", files.Position(target.Pos()), variable.Name()))
					}
				}
				return true
			})
		}
	}
	return wrong
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not needed") }

// changingTypes finds package variables declared with a type of sync or atomic.
func changingTypes(files *token.FileSet, file *ast.File) []string {
	var wrong []string
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			variable := spec.(*ast.ValueSpec)
			kinds := []ast.Expr{variable.Type}
			for _, value := range variable.Values {
				if literal, ok := value.(*ast.CompositeLit); ok {
					kinds = append(kinds, literal.Type)
				}
			}
			for _, kind := range kinds {
				if index, ok := kind.(*ast.IndexExpr); ok {
					kind = index.X
				}
				if selector, ok := kind.(*ast.SelectorExpr); ok {
					if of, ok := selector.X.(*ast.Ident); ok && (of.Name == "sync" || of.Name == "atomic") {
						wrong = append(wrong, fmt.Sprintf("%s: the package variable %s is a %s.%s", files.Position(variable.Pos()),
							variable.Names[0].Name, of.Name, selector.Sel.Name))
					}
				}
			}
		}
	}
	return wrong
}

// assigned returns what a statement assigns to.
func assigned(node ast.Node) []ast.Expr {
	switch statement := node.(type) {
	case *ast.AssignStmt:
		if statement.Tok != token.DEFINE {
			return statement.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{statement.X}
	case *ast.RangeStmt:
		if statement.Tok == token.ASSIGN {
			return []ast.Expr{statement.Key, statement.Value}
		}
	case *ast.CallExpr:
		if f, ok := statement.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(statement.Args) > 0 {
			return statement.Args[:1]
		}
	}
	return nil
}

// root returns the variable that x, a.b[i] or *p starts with, nil when it starts with none.
func root(expression ast.Expr) *ast.Ident {
	for {
		switch e := expression.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.StarExpr:
			expression = e.X
		case *ast.ParenExpr:
			expression = e.X
		default:
			return nil
		}
	}
}

func TestProcessUseFindsTheEnvironmentAndExits(t *testing.T) {
	finds(t, processUse, map[string]string{
		"cmd/cairn/main.go": `package main; import "os"; func main() { os.Exit(len(os.Getenv("X"))) }`,
		"internal/store/open.go": `package store
import system "os"
import "log"
func Open() string { log.Fatal(); return system.Getenv("X") }
func Read() { system.ReadFile("x") }`,
		"internal/store/open_test.go":        `package store; import "os"; var ci = os.Getenv("CI")`,
		"internal/store/storetest/engine.go": `package storetest; import "os"; var ci = os.Getenv("CI")`,
		"ingest/intake.go":                   `package ingest; import "os/signal"; var _ = signal.Notify`,
	},
		"ingest/intake.go imports os/signal; only cmd may",
		"internal/store/open.go:4:22 uses log.Fatal; only cmd may",
		"internal/store/open.go:4:42 uses system.Getenv; only cmd may",
	)
}

func TestInitFunctionsFindsInit(t *testing.T) {
	finds(t, initFunctions, map[string]string{
		"cmd/cairn/main.go": "package main\n\nfunc init() {}\n",
		"metrics/series.go": "package metrics\n\ntype t struct{}\n\nfunc (t) init() {}\n",
	}, "cmd/cairn/main.go:3:1: init()")
}

func TestPackageStateFindsEachWayToChange(t *testing.T) {
	finds(t, packageState, map[string]string{
		"metrics/registry.go": `package metrics
import ("sync"; "elsewhere/unknown")
var (
	byName = map[string]int{"lead_time": 1}
	count int
	where unknown.Place
	once sync.Once
	constant = "x"
)
func local() { count := 0; count++; byName := map[string]int{}; byName["x"] = 1; where.Is = 1 }
`,
		"metrics/register.go": `package metrics
func register() { byName["x"] = 2; count++; delete(byName, "x"); _ = constant }
func other(count int) { count = 3 }
`,
		"internal/store/storetest/engine.go": `package storetest; import "sync"; var once sync.Once`,
	},
		"metrics/register.go:2:19 changes the package variable byName",
		"metrics/register.go:2:36 changes the package variable count",
		"metrics/register.go:2:52 changes the package variable byName",
		"metrics/registry.go:10:82 changes the package variable where",
		"metrics/registry.go:7:2: the package variable once is a sync.Once",
	)
}
