package dashboards

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cairn/metrics"
	"cairn/metrics/words"
)

// story are the answers from which the opening sentences of a page are written.
type story struct {
	Deployments metrics.Result // deployment_count
	LeadTime    metrics.Result
	Failures    metrics.Result // change_failure_rate
	Recovery    metrics.Result // failed_deployment_recovery
	Waiting     metrics.Result // waiting_changes
}

// sentences say what changed. They are silent where there is nothing to say.
func sentences(name string, v view, s story) []string {
	var said []string
	add := func(text string) {
		if text != "" {
			said = append(said, text)
		}
	}
	add(shipped(name, v, s.Deployments))
	add(leadTime(s.LeadTime))
	add(failing(s.Failures, s.Recovery))
	add(waiting(s.Waiting))
	return said
}

func shipped(name string, v view, res metrics.Result) string {
	n, ok := res.Value.(float64)
	if !ok || hasFlag(res, metrics.FlagNotDeployed) {
		return ""
	}
	when := "in the " + v.Words()
	if v.Last == "" {
		when = "from " + v.Dates()
	}
	text := fmt.Sprintf("%s shipped %s %s", upper(name), times(int64(n)), when)
	if res.Previous == nil || slices.Contains(res.Previous.Flags, metrics.FlagBegan) {
		return text + "."
	}
	before, ok := res.Previous.Value.(float64)
	switch d := int64(n) - int64(before); {
	case !ok:
	case d > 0:
		text += fmt.Sprintf(", %s more than before", words.Grouped(d))
	case d < 0:
		text += fmt.Sprintf(", %s fewer than before", words.Grouped(-d))
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
	return words.Grouped(n) + " times"
}

func leadTime(res metrics.Result) string {
	value, ok := res.Value.(float64)
	if !ok {
		return ""
	}
	now := words.Value(value, res.Unit)
	if n, ok := sample(res.N); ok && n == 1 {
		return fmt.Sprintf("The only change took %s from the first commit to production.", now)
	}
	if hasFlag(res, metrics.FlagLowN) {
		return fmt.Sprintf("Half of the few changes took at most %s from the first commit to production.", now)
	}
	if res.Previous == nil {
		return fmt.Sprintf("Half of the changes took at most %s from the first commit to production.", now)
	}
	def := metrics.Definition{ID: "lead_time", Unit: res.Unit, Better: "lower"}
	before, ok := res.Previous.Value.(float64)
	if !ok || tooFew(def, res.Previous.N) {
		return fmt.Sprintf("Half of the changes took at most %s from the first commit to production.", now)
	}
	if !standsOut(def, res, value, before) {
		return fmt.Sprintf("Lead time is steady at about %s.", now)
	}
	verb := "went down"
	if value > before {
		verb = "went up"
	}
	return fmt.Sprintf("Lead time %s from %s to %s.", verb, words.Value(before, res.Unit), now)
}

func failing(rate, recovery metrics.Result) string {
	var parts []string
	if failed, ok := sample(rate.Parts["failed_deployments"]); ok && failed > 0 {
		n, _ := sample(rate.N)
		parts = append(parts, fmt.Sprintf("%s of %s failed", words.Grouped(failed), words.Counted(n, "deployment")))
	}
	if open, ok := sample(recovery.Parts["unresolved"]); ok && open > 0 {
		is := "is"
		if open > 1 {
			is = "are"
		}
		text := fmt.Sprintf("%s %s still open", words.Counted(open, "failure"), is)
		if oldest, ok := recovery.Parts["oldest_unresolved"].(float64); ok {
			text += lasting(open, oldest)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return upper(strings.Join(parts, "; ")) + "."
}

func waiting(res metrics.Result) string {
	n, ok := res.Value.(float64)
	if !ok || n == 0 {
		return ""
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	text := fmt.Sprintf("%s %s merged and not live", words.Counted(int64(n), "change"), verb)
	if oldest, ok := res.Parts["oldest_age"].(float64); ok {
		text += lasting(int64(n), oldest)
	}
	return text + "."
}

// lasting says how long the oldest of so many has lasted.
func lasting(n int64, oldest float64) string {
	if n == 1 {
		return ", for " + words.Duration(oldest)
	}
	return ", the oldest for " + words.Duration(oldest)
}

func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[size:]
}
