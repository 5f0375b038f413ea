package reference

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"cairn/internal/conformance/conformancetest"
)

func TestStagesAddUpToTheLeadTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conformancetest.Case(t, conformancetest.Everything(), 1)
		for _, s := range newHistory(c, c.Settings).samples {
			sum := 0.
			for stage, hours := range s.stages {
				if hours < 0 {
					t.Errorf("%s: got %v", stage, hours)
				}
				sum += hours
			}
			if math.Abs(sum-s.length.Hours()) > 1e-9 {
				t.Errorf("got %v in all of %v, want %v", sum, s.stages, s.length.Hours())
			}
		}
	})
}
