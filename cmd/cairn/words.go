package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"cairn/metrics"
)

// human writes a value as people say it; no data is a dash.
func human(v any, unit string) string {
	switch v := v.(type) {
	case nil:
		return "no data"
	case string:
		return v
	case float64:
		switch unit {
		case "hours":
			return duration(v)
		case "days":
			return duration(24 * v)
		case "ratio", "share of respondents":
			return significant(100*v, 3) + " %"
		}
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return grouped(int64(v))
		}
		return significant(v, 3)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// duration writes hours as minutes, hours or days.
func duration(hours float64) string {
	switch abs := math.Abs(hours); {
	case abs < 1:
		return significant(60*hours, 3) + " min"
	case abs < 48:
		return significant(hours, 3) + " h"
	default:
		return significant(hours/24, 3) + " d"
	}
}

// significant writes v with so many significant digits and no exponent.
func significant(v float64, digits int) string {
	if v == 0 {
		return "0"
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// size writes a sample size.
func size(n any) string {
	switch n := n.(type) {
	case nil:
		return "–"
	case float64:
		return grouped(int64(n))
	case int64:
		return grouped(n)
	}
	return human(n, "")
}

// grouped writes a number with separated thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(digits) - 3; i > start; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// counted writes a number with its noun.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// inWords says what a flag means.
func inWords(flag string) string {
	words := map[string]string{
		metrics.FlagPartial:     "the window is still running",
		metrics.FlagLowN:        "fewer than five cases: do not read a trend into it",
		metrics.FlagSmallP90:    "a 90th percentile of fewer than ten cases",
		metrics.FlagProvisional: "provisional: failures of the last three days are still arriving",
		metrics.FlagNotReached:  "too few have ended to tell: it is longer than everything seen so far",
		metrics.FlagNotDeployed: "no service in scope was live in the window",
		metrics.FlagSuppressed:  "suppressed: too few people to keep them anonymous",
		metrics.FlagLowResponse: "fewer than 60 % of those asked answered",
		metrics.FlagCatchingUp:  "facts have arrived that are not in the number yet: ask again",
	}
	return or(words[flag], flag)
}

// printParts writes what else an answer says, by name. Parts that are durations, as the value is, are written so.
func printParts(w io.Writer, r *metrics.Result) {
	t := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		unit := unitOf(name, r.Unit)
		if n, ok := r.Parts[name].(float64); ok && n == 0 && unit == "" {
			continue // nothing was counted under this name
		}
		fmt.Fprintf(t, "  %s\t%s\n", strings.ReplaceAll(name, "_", " "), human(r.Parts[name], unit))
	}
	t.Flush()
}

// unitOf is the unit of a part: that of the value for its other quantiles, hours for ages, none for counts.
func unitOf(part, unit string) string {
	switch {
	case slices.Contains([]string{"p50", "p75", "p90", "oldest_unresolved"}, part):
		return unit
	case strings.HasSuffix(part, "_age"):
		return "hours"
	}
	return ""
}
