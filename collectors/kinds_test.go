package collectors_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

func TestEveryFolderIsAKind(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains([]string{"testdata", "git", "survey"}, e.Name()) { // those two are read by commands alone
			want = append(want, e.Name())
		}
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(collectors.Kinds()))); diff != "" {
		t.Errorf("folders and kinds differ (-folders +kinds):\n%s", diff)
	}
}

func TestAKindRefusesToConnectWithoutAnythingToGoBy(t *testing.T) {
	r, err := rules.New(rules.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range collectors.Kinds() {
		if kind.Summary == "" {
			t.Errorf("kind %s does not say what is collected", name)
		}
		link, err := kind.Link(kind.Config(), collectors.Deps{Rules: r, Transport: collectors.DefaultTransportConfig()})
		if link != nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("kind %s with its defaults alone: got %v, %v; want a fault: neither a credential nor a secret is given", name, link, err)
		}
	}
}
