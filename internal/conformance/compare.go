package conformance

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Values that stand for the absence of a number.
const (
	Suppressed = "suppressed" // too few people
	NoData     = "no_data"    // a cell without answers
)

// Answer is what somebody computed for an expectation. Value is a number, nil, a text, a list or an object, of any Go
// type that marshals to that; the other fields may be left nil where they are not known.
type Answer struct {
	Value           any
	N               *int
	OtherSuppressed *int
	BucketLabels    []string
	Partial         []bool
}

// Difference is one part of an answer that is not as expected: value, n, other_suppressed, bucket_labels or partial.
type Difference struct {
	Part, Got, Want string
	Mistake         string // the common mistake that gives this value, or ""
}

// String is one line for a person.
func (d Difference) String() string {
	line := fmt.Sprintf("%s: got %s, want %s", d.Part, d.Got, d.Want)
	if d.Mistake != "" {
		line += " (mistake: " + d.Mistake + ")"
	}
	return line
}

// Compare returns where the answer differs from the expectation. Numbers are equal within 1e-6 of the wanted one, or
// within 1e-9 where it is almost zero. Parts that the expectation leaves out are not compared.
func Compare(want Expectation, got Answer) []Difference {
	var differences []Difference
	if !Equal(got.Value, want.Value) {
		d := Difference{Part: "value", Got: text(got.Value), Want: text(want.Value)}
		for _, wrong := range want.CommonWrong {
			if Equal(got.Value, wrong.Value) {
				d.Mistake = wrong.Mistake
				break
			}
		}
		differences = append(differences, d)
	}
	part := func(name string, asked, same bool, got, want any) {
		if asked && !same {
			differences = append(differences, Difference{Part: name, Got: text(got), Want: text(want)})
		}
	}
	part("n", want.N != nil, Equal(got.N, want.N), got.N, want.N)
	part("other_suppressed", want.OtherSuppressed != nil, Equal(got.OtherSuppressed, want.OtherSuppressed), got.OtherSuppressed, want.OtherSuppressed)
	part("bucket_labels", want.BucketLabels != nil, slices.Equal(got.BucketLabels, want.BucketLabels), got.BucketLabels, want.BucketLabels)
	part("partial", want.Partial != nil, slices.Equal(got.Partial, want.Partial), got.Partial, want.Partial)
	return differences
}

// Equal says whether two values are the same answer. A value that has no JSON form equals nothing.
func Equal(got, want any) bool {
	g, okGot := plain(got)
	w, okWant := plain(want)
	return okGot && okWant && equal(g, w)
}

func equal(got, want any) bool {
	switch want := want.(type) {
	case float64:
		number, ok := got.(float64)
		return ok && math.Abs(number-want) <= max(1e-6*math.Abs(want), 1e-9)
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(list, want, equal)
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for key, value := range want {
			if other, exists := object[key]; !exists || !equal(other, value) {
				return false
			}
		}
		return true
	}
	return got == want
}

// plain turns a value into what decoding its JSON form gives.
func plain(value any) (any, bool) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	var decoded any
	err = json.Unmarshal(raw, &decoded)
	return decoded, err == nil
}

func text(value any) string {
	if raw, err := json.Marshal(value); err == nil {
		return string(raw)
	}
	return fmt.Sprint(value)
}
