package owners_test

import (
	"slices"
	"testing"

	"cairn/internal/owners"
)

func TestEachSectionOfCodeOwnersDecidesForItself(t *testing.T) {
	const file = `
# the whole
* @acme/platform @ada @@developer ada@acme.example

[Payments][2] @acme/payments
services/pay/
services/pay/docs @acme/writers # who write
!services/pay/vendor

^[Anything] @acme/any
/web/
folder\ with\ space @acme/space
`
	code := owners.ReadCodeOwners(file, owners.Sections)
	for folder, want := range map[string][]string{
		"":                      {"acme/platform", "ada"},
		"services/pay":          {"acme/platform", "ada", "acme/payments"},
		"services/pay/docs/x":   {"acme/platform", "ada", "acme/writers"},
		"services/pay/vendor":   {"acme/platform", "ada"},
		"apps/services/pay/src": {"acme/platform", "ada", "acme/payments"},
		"web":                   {"acme/platform", "ada", "acme/any"},
		"apps/web":              {"acme/platform", "ada"},
		"folder with space":     {"acme/platform", "ada", "acme/space"},
	} {
		if got := code.Of(folder); !slices.Equal(got, want) {
			t.Errorf("%q is owned by %q, want %q", folder, got, want)
		}
	}
}

func TestPlainCodeOwnersAreThoseOfTheLastLineThatFits(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"the last line for everything", "* @acme/a\n/docs/ @acme/docs\n** @acme/b @ada ada@acme.example # @acme/c\n", []string{"acme/b", "ada"}},
		{"a line without owners takes them away", "* @acme/a\n/**\n", nil},
		{"a comment begins anywhere", "* @acme/a#b\n#* @acme/c\n", []string{"acme/a"}},
		{"a heading is a pattern that fits nothing", "* @acme/a\n[Docs] @acme/docs\n/docs/\n", []string{"acme/a"}},
		{"what stands below a heading is no section", "* @acme/a\n[Docs] @acme/docs\n*\n", nil},
		{"there are no exceptions", "* @acme/a\n!*\n", []string{"acme/a"}},
		{"the files of the root are not everything", "* @acme/a\n/* @acme/b\n", []string{"acme/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := owners.ReadCodeOwners(tt.text, owners.Plain).Of(""); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCodeOwners(f *testing.F) {
	f.Add("* @acme/platform\n[Payments][2] @acme/payments\nservices/pay/\n", "services")
	f.Add("^[x\n]\n\\ \n!\n@", "")
	f.Fuzz(func(t *testing.T, text, folder string) {
		for _, syntax := range []owners.Syntax{owners.Plain, owners.Sections} {
			for _, name := range owners.ReadCodeOwners(text, syntax).Of(folder) {
				if name == "" || name[0] == '@' {
					t.Errorf("%q owns %q", name, folder)
				}
			}
		}
	})
}
