package reference_test

import (
	"path/filepath"
	"testing"

	"cairn/internal/conformance"
	"cairn/internal/conformance/reference"
	"cairn/internal/sharedtest"
)

func TestReferenceAnswersTheSharedCases(t *testing.T) {
	answers(t, sharedtest.Path(t, "cases"))
}

func TestReferenceAnswersOurOwnCases(t *testing.T) {
	answers(t, filepath.Join("..", "testdata"))
}

// answers asks the reference every question of every case in the folder.
func answers(t *testing.T, dir string) {
	cases, err := conformance.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			for i, e := range c.Expected {
				got, err := reference.Answer(c, e)
				if err != nil {
					t.Fatal(err)
				}
				for _, difference := range conformance.Compare(e, got) {
					t.Errorf("expected[%d] %s of %s: %s", i, e.Metric, e.Scope, difference)
				}
			}
		})
	}
}
