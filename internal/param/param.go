// Package param reads the parameters of an address, the same way for the API and the pages. What cannot be is a
// fault.Invalid that names the parameter.
package param

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"

	"cairn/internal/fault"
)

// Only refuses parameters that do not exist and those given twice. instead ends the sentence about one that does not exist.
func Only(given url.Values, names []string, instead string) error {
	for name, values := range given {
		if !slices.Contains(names, name) {
			return fault.New(fault.Invalid, "there is no parameter %q%s", name, instead)
		}
		if len(values) > 1 {
			return fault.New(fault.Invalid, "the parameter %q is given %d times", name, len(values))
		}
	}
	return nil
}

// Boolean is true or false, nil where it is not given.
func Boolean(given url.Values, name string) (*bool, error) {
	text := given.Get(name)
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is %q: expected true or false", name, text)
	}
	return &v, nil
}

// Whole is a whole number of 0 or more, 0 where it is not given.
func Whole(given url.Values, name string) (int, error) {
	return number(given, name, 0, math.MaxInt, "a whole number")
}

// Within is a whole number from least to most, 0 where it is not given.
func Within(given url.Values, name string, least, most int) (int, error) {
	return number(given, name, least, most, fmt.Sprintf("a number from %d to %d", least, most))
}

func number(given url.Values, name string, least, most int, expected string) (int, error) {
	text := given.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fault.New(fault.Invalid, "%s is %q: expected %s", name, text, expected)
	}
	return n, nil
}
