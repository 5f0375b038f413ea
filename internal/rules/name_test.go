package rules_test

import (
	"strings"
	"testing"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

func TestNamesOfOtherSystemsAreTranslated(t *testing.T) {
	names, err := rules.Services("services", []rules.ServiceName{
		{Match: "team-*-prod", Service: "{1}"},
		{Match: "P12", Service: "shop"},
		{Match: "/^test/", Service: "none"},
		{Match: "team-cart-*", Service: "never: an earlier one fits"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		texts []string
		of    string
		fits  bool
		or    string
	}{
		{[]string{"team-cart-prod"}, "cart", true, "cart"},
		{[]string{"Shop API", "p12"}, "shop", true, "shop"},
		{[]string{"testing"}, "", true, ""},
		{[]string{"", "other", "another"}, "", false, "other"},
		{[]string{""}, "", false, ""},
		{nil, "", false, ""},
	} {
		of, fits := names.Of(tt.texts...)
		if or := names.Or(tt.texts...); of != tt.of || fits != tt.fits || or != tt.or {
			t.Errorf("%q: got %q, %v and %q; want %q, %v and %q", tt.texts, of, fits, or, tt.of, tt.fits, tt.or)
		}
	}
	var none *rules.Names
	if got := none.Or("shop"); got != "shop" {
		t.Errorf("without rules shop is %q", got)
	}
}

func TestAMistakeInANameIsNamedWithItsPlace(t *testing.T) {
	for want, list := range map[string][]rules.ServiceName{
		`services[0].match is ""`:           {{Service: "a"}},
		`services[1].match is "/(/"`:        {{Match: "a", Service: "a"}, {Match: "/(/", Service: "a"}},
		`services[0].service is empty`:      {{Match: "a"}},
		`services[0].service is "{1}": {1}`: {{Match: "a", Service: "{1}"}},
	} {
		if _, err := rules.Services("services", list); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it invalid with %s", err, want)
		}
	}
}
