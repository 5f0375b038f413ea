package conformance

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEqual(t *testing.T) {
	one := 1
	var none *float64
	type cell map[string]any
	for _, test := range []struct {
		got, want any
		equal     bool
	}{
		{1, 1., true}, {&one, 1., true}, {1.0000009, 1., true}, {1.0000011, 1., false}, {-2.000001, -2., true},
		{2e-9, 0., false}, {5e-10, 0., true}, {1e12 + 1e5, 1e12, true},
		{nil, nil, true}, {none, nil, true}, {0, nil, false}, {nil, 0., false}, {math.NaN(), nil, false}, {math.NaN(), math.NaN(), false},
		{"suppressed", "suppressed", true}, {"suppressed", "no_data", false}, {1, "suppressed", false}, {"1", 1., false}, {true, 1., false},
		{[]int{1, 2}, []any{1., 2.}, true}, {[]int{2, 1}, []any{1., 2.}, false}, {[]int{1}, []any{1., nil}, false}, {[]*float64{nil}, []any{nil}, true}, {[]int{}, []any{}, true}, {[]int(nil), []any{}, false},
		{cell{"a": 1, "b": "no_data"}, map[string]any{"a": 1., "b": "no_data"}, true}, {cell{"a": 1}, map[string]any{"a": 1., "b": nil}, false}, {cell{"a": 1, "b": 1}, map[string]any{"a": 1.}, false}, {cell{"b": 1}, map[string]any{"a": 1.}, false},
		{[]cell{{"option": "x", "share": .5}}, []any{map[string]any{"option": "x", "share": .5}}, true}, {[]any{}, map[string]any{}, false},
	} {
		if got := Equal(test.got, test.want); got != test.equal {
			t.Errorf("Equal(%v, %v): got %v", test.got, test.want, got)
		}
	}
}

func TestCompareNamesTheMistake(t *testing.T) {
	n := 3
	e := Expectation{Value: 4., N: &n, Partial: []bool{true}, CommonWrong: []Mistake{{6.5, "mean"}, {nil, "dropped"}}}
	for _, test := range []struct {
		got  Answer
		want []string
	}{
		{Answer{Value: 4, N: &n, Partial: []bool{true}}, nil},
		{Answer{Value: 6.5, N: &n, Partial: []bool{true}}, []string{"value: got 6.5, want 4 (mistake: mean)"}},
		{Answer{N: &n, Partial: []bool{true}}, []string{"value: got null, want 4 (mistake: dropped)"}},
		{Answer{Value: 5}, []string{"value: got 5, want 4", "n: got null, want 3", "partial: got null, want [true]"}},
		{Answer{Value: 4, N: &n, Partial: []bool{true}, BucketLabels: []string{"not asked"}}, nil},
	} {
		var got []string
		for _, d := range Compare(e, test.got) {
			got = append(got, d.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
}
