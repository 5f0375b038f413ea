// Package words writes numbers the way people say them: units chosen for reading, three significant digits, "no data"
// in words. The terminal, the pages and the mails say the same thing the same way.
package words

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cairn/metrics"
)

// Value writes a value of a metric, or a part of it, in the unit of its definition.
func Value(v any, unit string) string {
	switch v := v.(type) {
	case nil:
		return "no data"
	case string:
		return v
	case int64:
		return Value(float64(v), unit)
	case float64:
		switch unit {
		case "hours":
			return Duration(v)
		case "days":
			return Duration(24 * v)
		case "ratio", "share of respondents":
			return Significant(100*v, 3) + " %"
		}
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return Grouped(int64(v))
		}
		return Significant(v, 3)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// Duration writes hours as minutes, hours or days.
func Duration(hours float64) string {
	switch abs := math.Abs(hours); { // what would be written as 60 min or 48 h is 1 h and 2 d
	case abs < 59.95/60:
		return Significant(60*hours, 3) + " min"
	case abs < 47.95:
		return Significant(math.Copysign(max(abs, 1), hours), 3) + " h"
	default:
		return Significant(hours/24, 3) + " d"
	}
}

// Significant writes v with so many significant digits and no exponent.
func Significant(v float64, digits int) string {
	if v == 0 {
		return "0"
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	whole, _, _ := strings.Cut(text, ".")
	return separated(whole) + text[len(whole):]
}

// Size writes a sample size.
func Size(n any) string {
	switch n := n.(type) {
	case nil:
		return "–"
	case float64:
		return Grouped(int64(n))
	case int64:
		return Grouped(n)
	}
	return Value(n, "")
}

// Grouped writes a number with separated thousands.
func Grouped(n int64) string {
	return separated(strconv.FormatInt(n, 10))
}

// separated puts a comma before every three digits of a whole number but the first ones.
func separated(digits string) string {
	start := len(digits) - len(strings.TrimPrefix(digits, "-"))
	for i := len(digits) - 3; i > start; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Counted writes a number with its noun.
func Counted(n int64, noun string) string {
	if n != 1 {
		stem, isY := strings.CutSuffix(noun, "y")
		if isY && stem != "" && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])) {
			noun = stem + "ies"
		} else {
			noun += "s"
		}
	}
	return Grouped(n) + " " + noun
}

// Flag says what a flag means.
func Flag(flag string) string {
	words := map[string]string{
		metrics.FlagPartial:     "the window is still running",
		metrics.FlagLowN:        "fewer than five cases: do not read a trend into it",
		metrics.FlagSmallP90:    "a 90th percentile of fewer than ten cases",
		metrics.FlagProvisional: "provisional: failures of the last three days are still arriving",
		metrics.FlagNotReached:  "too few have ended to tell: it is longer than everything seen so far",
		metrics.FlagNotDeployed: "no service in scope was live in the window",
		metrics.FlagSuppressed:  "suppressed: too few people to keep them anonymous",
		metrics.FlagLowResponse: "fewer than 60 % of those asked answered",
		metrics.FlagBegan:       "nothing was live yet when the window began",
		metrics.FlagCatchingUp:  "facts have arrived that are not in the number yet: ask again",
	}
	if say, ok := words[flag]; ok {
		return say
	}
	return flag
}

// PartUnit is the unit of a part: that of the value for its other quantiles, hours for ages, none for counts.
func PartUnit(part, unit string) string {
	switch {
	case slices.Contains([]string{"p50", "p75", "p90", "oldest_unresolved"}, part):
		return unit
	case strings.HasSuffix(part, "_age"):
		return "hours"
	}
	return ""
}

// Plain writes a name as it stands in answers, such as wait_to_deploy, in words.
func Plain(name string) string {
	return strings.NewReplacer("re_release", "re-release", "_", " ").Replace(name)
}

// Short cuts a sha to what people compare; every other id stays whole.
func Short(id string) string {
	if len(id) != 40 && len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return id
	}
	return id[:12]
}
