package owners_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/owners"
)

// files is a repository acme/shop on its branch main. It counts what was asked of it.
type files struct {
	texts map[string]string
	asked map[string]int
	part  bool // its list is never whole
}

func (f *files) repository() owners.Repository {
	f.asked = map[string]int{}
	return owners.Repository{
		Pages: []string{"https://github.com/acme/shop"}, Raw: []string{"https://raw.githubusercontent.com/acme/shop"}, Branch: "main",
		File: func(_ context.Context, path string) (string, error) {
			f.asked[path]++
			return f.texts[path], nil
		},
		List: func(_ context.Context, folder string, deep bool) ([]string, bool, error) {
			f.asked[fmt.Sprintf("list %s %t", folder, deep)]++
			var paths []string
			for path := range f.texts {
				rest := path
				if folder != "" {
					var in bool
					if rest, in = strings.CutPrefix(path, folder+"/"); !in {
						continue
					}
				}
				if inner, _, below := strings.Cut(rest, "/"); below && !deep {
					path = strings.TrimPrefix(folder+"/"+inner+"/", "/")
				}
				paths = append(paths, path)
			}
			return paths, !f.part, nil
		},
	}
}

func component(name string) string { return "kind: Component\nmetadata: {name: " + name + "}\n" }

func targets(kind string, of ...string) string {
	text := "kind: Location\nmetadata: {name: all}\nspec:\n  type: " + kind + "\n  targets:\n"
	for _, target := range of {
		text += "    - '" + target + "'\n"
	}
	return text
}

func monorepo() map[string]string {
	return map[string]string{
		"services/pay/catalog-info.yaml":             component("pay"),
		"services/web/catalog-info.yaml":             component("web"),
		"services/web/ui/catalog-info.yaml":          component("ui"),
		"services/.old/catalog-info.yaml":            component("old"),
		"services/readme.md":                         "",
		"catalog/my api.yml":                         component("api"),
		"templates/go/content/catalog-info.yaml":     "kind: Component\nmetadata:\n  name: ${{ values.name }}\n",
		"services/catalog-info.yaml":                 component("services"),
		"services/web/ui/node_modules/x/package.yml": "a: b",
	}
}

func TestLocationsAreFollowedWithinTheRepository(t *testing.T) {
	tests := []struct {
		name, first string
		want        string   // name@folder
		left        []string // why
	}{
		{"by a path", targets("file", "./services/pay/catalog-info.yaml", "services/web/catalog-info.yaml"), "pay@services/pay web@services/web", nil},
		{"by one target", "kind: Location\nmetadata: {name: l}\nspec: {target: ./services/pay/catalog-info.yaml}\n", "pay@services/pay", nil},
		{"by a pattern of one folder", targets("url", "./services/*/catalog-info.yaml"), "pay@services/pay web@services/web", nil},
		{"by a pattern of files", targets("url", "./services/*.yaml"), "services@services", nil},
		{"by a pattern of any depth", targets("''", "./**/catalog-info.yaml"), "services@services pay@services/pay web@services/web ui@services/web/ui", nil},
		{"by a pattern of several folders", targets("url", "services/*/*/catalog-info.yaml"), "ui@services/web/ui", nil},
		{"what is hidden has to be named", targets("url", "./services/.*/catalog-info.yaml"), "old@services/.old", nil},
		{"from the root", targets("url", "/catalog/my%20api.yml"), "api@catalog", nil},
		{"by an address", targets("url", "https://github.com/Acme/shop/blob/main/services/pay/catalog-info.yaml"), "pay@services/pay", nil},
		{"by an address of a pattern", targets("url", "https://github.com/acme/shop/tree/main/services/*/catalog-info.yaml"), "pay@services/pay web@services/web", nil},
		{"by an address as GitLab has it", targets("url", "https://github.com/acme/shop/-/blob/main/services/pay/catalog-info.yaml?ref_type=heads"), "pay@services/pay", nil},
		{"by a raw address", targets("url", "https://raw.githubusercontent.com/acme/shop/HEAD/services/pay/catalog-info.yaml"), "pay@services/pay", nil},
		{"of several documents, with a component among them", component("shop") + "---\n" + targets("url", "./services/pay/catalog-info.yaml"), "shop@ pay@services/pay", nil},
		{"what is not there", targets("url", "./nowhere/catalog-info.yaml"), "", nil},
		{"another repository", targets("url", "https://github.com/acme/shop2/blob/main/catalog-info.yaml", "https://github.com/acme/ledger/blob/main/catalog-info.yaml"), "", []string{"lies elsewhere", "lies elsewhere"}},
		{"another branch", targets("url", "https://github.com/acme/shop/blob/next/services/pay/catalog-info.yaml"), "", []string{"lies elsewhere"}},
		{"another host", targets("url", "https://evil.example/acme/shop/blob/main/services/pay/catalog-info.yaml"), "", []string{"lies elsewhere"}},
		{"out of the repository", targets("url", "../ledger/catalog-info.yaml", "./services/../../x.yaml"), "", []string{"lies elsewhere", "lies elsewhere"}},
		{"a file of a machine", targets("file", "/catalog/my api.yml"), "", []string{"lies elsewhere"}},
		{"another kind of place", targets("github-discovery", "./services/pay/catalog-info.yaml"), "", []string{"lies elsewhere"}},
		{"a folder", targets("url", "./services"), "", []string{"is no YAML file"}},
		{"a pattern that is none", targets("url", "./services/[*/catalog-info.yaml"), "", nil},
		{"of a template", "kind: Location\nmetadata:\n  name: ${{ values.name }}\nspec: {target: ./services/pay/catalog-info.yaml}\n", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &files{texts: monorepo()}
			f.texts["catalog-info.yaml"] = tt.first
			c, err := f.repository().Read(t.Context(), "catalog-info.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var got, left []string
			for _, d := range c.Components {
				got = append(got, d.Name+"@"+d.Folder)
			}
			for _, l := range c.Left {
				left = append(left, l.Why)
			}
			if strings.Join(got, " ") != tt.want || !slices.Equal(left, tt.left) || c.Part {
				t.Errorf("got %q, left %q (part %t), want %q, left %q", got, left, c.Part, tt.want, tt.left)
			}
		})
	}
}

func TestAPathIsOneFromTheFileThatNamesIt(t *testing.T) {
	f := &files{texts: map[string]string{
		"catalog-info.yaml":       targets("url", "./teams/pay/all.yaml"),
		"teams/pay/all.yaml":      targets("url", "./ledger.yaml", "../web/web.yaml"),
		"teams/pay/ledger.yaml":   component("ledger"),
		"teams/web/web.yaml":      component("web") + "---\n" + targets("url", "../../catalog-info.yaml", "web.yaml", "../pay/*.yaml"),
		"teams/pay/unnamed.yaml":  component("unnamed"),
		"teams/pay/deep/one.yaml": component("one"),
	}}
	c, err := f.repository().Read(t.Context(), "catalog-info.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range c.Components {
		got = append(got, d.Name)
	}
	if want := []string{"ledger", "web", "unnamed"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := map[string]int{
		"catalog-info.yaml": 1, "teams/pay/all.yaml": 1, "teams/pay/ledger.yaml": 1, "teams/web/web.yaml": 1, "teams/pay/unnamed.yaml": 1,
		"list teams/pay false": 1,
	}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
}

func TestWhatIsFollowedIsBounded(t *testing.T) {
	many := map[string]string{"catalog-info.yaml": targets("url", "./*/catalog-info.yaml")}
	for i := range 150 {
		many[fmt.Sprintf("s%03d/catalog-info.yaml", i)] = component(fmt.Sprintf("s%03d", i))
	}
	deep := map[string]string{"catalog-info.yaml": targets("url", "./1/x.yaml")}
	for i := 1; i < 9; i++ {
		deep[strings.Repeat("1/", i)+"x.yaml"] = component(fmt.Sprint("c", i)) + "---\n" + targets("url", "./1/x.yaml")
	}
	loose := map[string]string{"catalog-info.yaml": "kind: Location\nmetadata: {name: l}\nspec:\n  targets:\n" + strings.Repeat("    - ./a.yaml\n", 1001)}
	tests := []struct {
		name       string
		files      *files
		components int
		left       string
		part       bool
	}{
		{"files", &files{texts: many}, 100, "is one too many: a hundred files are read", true},
		{"Locations behind one another", &files{texts: deep}, 5, "lies behind more than five Locations", false},
		{"targets", &files{texts: loose}, 0, "is one too many: a hundred files are read", true},
		{"the list", &files{texts: maps.Clone(many), part: true}, 100, "is a pattern: the repository has too many files to list", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.files.repository().Read(t.Context(), "catalog-info.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Components) != tt.components || len(c.Left) == 0 || c.Left[0].Why != tt.left || c.Part != tt.part {
				t.Errorf("got %d components, left %+v (part %t)", len(c.Components), c.Left, c.Part)
			}
			for path, n := range tt.files.asked {
				if n > 1 {
					t.Errorf("%s was asked for %d times", path, n)
				}
			}
		})
	}
}

func TestAnErrorOfTheRepositoryEndsReading(t *testing.T) {
	broken := errors.New("broken")
	f := &files{texts: monorepo()}
	f.texts["catalog-info.yaml"] = targets("url", "./services/*/catalog-info.yaml")
	r := f.repository()
	list, read := r.List, r.File
	r.List = func(context.Context, string, bool) ([]string, bool, error) { return nil, false, broken }
	if _, err := r.Read(t.Context(), "catalog-info.yaml"); !errors.Is(err, broken) {
		t.Errorf("a list that fails: %v", err)
	}
	r.List = list
	r.File = func(ctx context.Context, path string) (string, error) {
		if path == "services/web/catalog-info.yaml" {
			return "", broken
		}
		return read(ctx, path)
	}
	if c, err := r.Read(t.Context(), "catalog-info.yaml"); !errors.Is(err, broken) || len(c.Components) > 0 {
		t.Errorf("a file that fails: %v, %+v", err, c)
	}
}

func FuzzLocations(f *testing.F) {
	f.Add("url", "./services/*/catalog-info.yaml")
	f.Add("file", "../../{a,b}/**/[x-z]*.yml")
	f.Add("", "https://github.com/acme/shop/blob/main/%2e%2e/%00/../x.yaml")
	f.Fuzz(func(t *testing.T, kind, target string) {
		shop := &files{texts: monorepo()}
		shop.texts["catalog-info.yaml"] = fmt.Sprintf("kind: Location\nmetadata: {name: l}\nspec: {type: %q, target: %q}\n", kind, target)
		if _, err := shop.repository().Read(t.Context(), "catalog-info.yaml"); err != nil {
			t.Fatal(err)
		}
		for path := range shop.asked {
			path = strings.TrimPrefix(path, "list ")
			if strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") || strings.ContainsFunc(path, func(c rune) bool { return c < ' ' }) {
				t.Errorf("%q was asked for", path)
			}
		}
	})
}
