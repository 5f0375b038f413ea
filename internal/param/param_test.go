package param_test

import (
	"fmt"
	"net/url"
	"testing"

	"cairn/internal/fault"
	"cairn/internal/param"
)

func TestParametersAreReadOrRefusedByName(t *testing.T) {
	only := func(names ...string) func(url.Values) (any, error) {
		return func(given url.Values) (any, error) { return nil, param.Only(given, names, " here") }
	}
	boolean := func(given url.Values) (any, error) {
		v, err := param.Boolean(given, "open")
		if v == nil {
			return nil, err
		}
		return *v, err
	}
	whole := func(given url.Values) (any, error) { return param.Whole(given, "offset") }
	within := func(given url.Values) (any, error) { return param.Within(given, "limit", 1, 10) }
	for _, c := range []struct {
		query string
		read  func(url.Values) (any, error)
		want  any
		say   string
	}{
		{"", only(), nil, ""},
		{"a=1&b=", only("b", "a"), nil, ""},
		{"c=1", only("a"), nil, `there is no parameter "c" here`},
		{"a=1&a=1", only("a"), nil, `the parameter "a" is given 2 times`},
		{"", boolean, nil, ""},
		{"open=", boolean, nil, ""},
		{"open=true", boolean, true, ""},
		{"open=0", boolean, false, ""},
		{"open=yes", boolean, nil, `open is "yes": expected true or false`},
		{"", whole, 0, ""},
		{"offset=0", whole, 0, ""},
		{"offset=12", whole, 12, ""},
		{"offset=-1", whole, 0, `offset is "-1": expected a whole number`},
		{"offset=1.5", whole, 0, `offset is "1.5": expected a whole number`},
		{"offset=99999999999999999999", whole, 0, `offset is "99999999999999999999": expected a whole number`},
		{"", within, 0, ""},
		{"limit=1", within, 1, ""},
		{"limit=10", within, 10, ""},
		{"limit=0", within, 0, `limit is "0": expected a number from 1 to 10`},
		{"limit=11", within, 0, `limit is "11": expected a number from 1 to 10`},
	} {
		given, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.read(given)
		if got != c.want {
			t.Errorf("%q: got %v, want %v", c.query, got, c.want)
		}
		if said := fmt.Sprint(err); c.say == "" && err != nil || c.say != "" && (said != c.say || fault.KindOf(err) != fault.Invalid) {
			t.Errorf("%q: got %v, want a fault of the input: %q", c.query, err, c.say)
		}
	}
}
