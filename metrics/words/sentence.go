package words

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cairn/metrics"
)

// Shipped says how often something was shipped; when is the window in words, such as "in the last 12 weeks".
func Shipped(name, when string, res metrics.Result) string {
	n, ok := res.Value.(float64)
	if !ok || HasFlag(res, metrics.FlagNotDeployed) {
		return ""
	}
	text := fmt.Sprintf("%s shipped %s %s", Upper(name), times(int64(n)), when)
	if res.Previous == nil || slices.Contains(res.Previous.Flags, metrics.FlagBegan) {
		return text + "."
	}
	before, ok := res.Previous.Value.(float64)
	switch d := int64(n) - int64(before); {
	case !ok:
	case d > 0:
		text += fmt.Sprintf(", %s more than before", Grouped(d))
	case d < 0:
		text += fmt.Sprintf(", %s fewer than before", Grouped(-d))
	case n == 0:
		text += ", as before"
	default:
		text += ", as often as before"
	}
	return text + "."
}

func times(n int64) string {
	switch n {
	case 0:
		return "nothing"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return Grouped(n) + " times"
}

// LeadTime says what lead time is, and where it came from.
func LeadTime(res metrics.Result) string {
	value, ok := res.Value.(float64)
	if !ok {
		return ""
	}
	now := Value(value, res.Unit)
	if n, ok := Sample(res.N); ok && n == 1 {
		return fmt.Sprintf("The only change took %s from the first commit to production.", now)
	}
	if HasFlag(res, metrics.FlagLowN) {
		return fmt.Sprintf("Half of the few changes took at most %s from the first commit to production.", now)
	}
	if res.Previous == nil {
		return fmt.Sprintf("Half of the changes took at most %s from the first commit to production.", now)
	}
	def := metrics.Definition{ID: "lead_time", Unit: res.Unit, Better: "lower"}
	before, ok := res.Previous.Value.(float64)
	if !ok || TooFew(def, res.Previous.N) {
		return fmt.Sprintf("Half of the changes took at most %s from the first commit to production.", now)
	}
	if !StandsOut(def, res, value, before) {
		return fmt.Sprintf("Lead time is steady at about %s.", now)
	}
	verb := "went down"
	if value > before {
		verb = "went up"
	}
	return fmt.Sprintf("Lead time %s from %s to %s.", verb, Value(before, res.Unit), now)
}

// Failing says how many deployments failed, and which failures are open.
func Failing(rate, recovery metrics.Result) string {
	var parts []string
	if failed, ok := Sample(rate.Parts["failed_deployments"]); ok && failed > 0 {
		n, _ := Sample(rate.N)
		parts = append(parts, fmt.Sprintf("%s of %s failed", Grouped(failed), Counted(n, "deployment")))
	}
	if open, ok := Sample(recovery.Parts["unresolved"]); ok && open > 0 {
		is := "is"
		if open > 1 {
			is = "are"
		}
		text := fmt.Sprintf("%s %s still open", Counted(open, "failure"), is)
		if oldest, ok := recovery.Parts["oldest_unresolved"].(float64); ok {
			text += lasting(open, oldest)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return Upper(strings.Join(parts, "; ")) + "."
}

// Waiting says what is merged and not live.
func Waiting(res metrics.Result) string {
	n, ok := res.Value.(float64)
	if !ok || n == 0 {
		return ""
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	text := fmt.Sprintf("%s %s merged and not live", Counted(int64(n), "change"), verb)
	if oldest, ok := res.Parts["oldest_age"].(float64); ok {
		text += lasting(int64(n), oldest)
	}
	return text + "."
}

// lasting says how long the oldest of so many has lasted.
func lasting(n int64, oldest float64) string {
	if n == 1 {
		return ", for " + Duration(oldest)
	}
	return ", the oldest for " + Duration(oldest)
}

// Upper writes a sentence with a capital at its start.
func Upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// MoveOfStage names the stage of the lead time whose median moved most in the given direction.
func MoveOfStage(stages []metrics.Result, up bool) string {
	best, most := "", 0.0
	for i, res := range stages {
		now, ok := res.Value.(float64)
		if !ok || res.Previous == nil {
			continue
		}
		before, ok := res.Previous.Value.(float64)
		if d := now - before; ok && (d > 0) == up && math.Abs(d) > most {
			most = math.Abs(d)
			best = "mostly " + Stage(metrics.Stages()[i]) + ": " + Value(before, "hours") + " → " + Value(now, "hours")
		}
	}
	return best
}

// Stage name a stage of the lead time.
func Stage(stage string) string {
	switch stage {
	case "coding":
		return "coding"
	case "pickup":
		return "waiting for a first review"
	case "review":
		return "review"
	case "wait_to_deploy":
		return "waiting to be deployed"
	}
	return "the deployment itself"
}
