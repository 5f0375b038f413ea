package words

import (
	"math"
	"slices"
	"strings"

	"cairn/metrics"
)

// Change compares a value with the one of the window before.
type Change struct {
	Text  string
	Arrow string // ▲, ▼ or nothing
	Class string // better, worse or same
}

// Compare says how a value moved against the window before. Direction is told by a word and an arrow; it is called
// better or worse only when it stands out of the noise: intervals that do not overlap; of counts, more than two standard
// deviations of their difference as Poisson counts; of shares without an interval five points, else a quarter.
func Compare(def metrics.Definition, res metrics.Result) Change {
	if res.Previous == nil {
		return Change{}
	}
	before, ok := res.Previous.Value.(float64)
	if !ok {
		return Change{Text: "nothing to compare with before"}
	}
	if slices.Contains(res.Previous.Flags, metrics.FlagBegan) {
		return Change{Text: "before: " + Value(before, def.Unit) + ", when not everything was live or known yet"}
	}
	now := res.Value.(float64)
	if HasFlag(res, metrics.FlagLowN) || TooFew(def, res.N) || TooFew(def, res.Previous.N) {
		text := "before: " + Value(before, def.Unit)
		if Sampled(def) {
			text += " (n = " + Size(res.Previous.N) + ")"
		}
		return Change{Text: text}
	}
	if Value(now, def.Unit) == Value(before, def.Unit) {
		return Change{Text: "as before", Class: "same"}
	}
	if !StandsOut(def, res, now, before) {
		return Change{Text: "about as before (" + Value(before, def.Unit) + ")", Class: "same"}
	}
	c := Change{Class: "same", Arrow: "▲"}
	if now < before {
		c.Arrow = "▼"
	}
	switch {
	case def.Better == "":
	case (def.Better == "higher") == (now > before):
		c.Class = "better"
	default:
		c.Class = "worse"
	}
	c.Text = Difference(now-before, def.Unit) + " than before"
	return c
}

// Sampled says whether a value is computed from cases that stand for others: a count is just that, and an objective was
// measured from all the traffic there was.
func Sampled(def metrics.Definition) bool {
	return !counts(def.Unit) && def.Unit != "deployments/week" && def.Evidence() != "slos"
}

// TooFew says whether a sample is too small to read a movement into.
func TooFew(def metrics.Definition, n any) bool {
	count, ok := Sample(n)
	return ok && count < 5 && Sampled(def)
}

// StandsOut says whether a value moved by more than noise; see Compare.
func StandsOut(def metrics.Definition, res metrics.Result, now, before float64) bool {
	if a, b := res.Interval, res.Previous.Interval; a != nil && b != nil {
		return a[0] > b[1] || b[0] > a[1]
	}
	switch def.Unit {
	case "deployments", "deployments/week", "changes":
		a, okA := Sample(res.N)
		b, okB := Sample(res.Previous.N)
		if okA && okB {
			return math.Abs(float64(a-b)) > 2*math.Sqrt(float64(a+b))
		}
	case "ratio":
		return math.Abs(now-before) >= 0.05
	}
	return math.Abs(now-before) > 0.25*math.Max(math.Abs(now), math.Abs(before))
}

// Difference says how much more or less.
func Difference(d float64, unit string) string {
	more, less := "more", "less"
	size := Value(math.Abs(d), unit)
	switch unit {
	case "hours", "days":
		more, less = "longer", "shorter"
	case "ratio", "share of respondents":
		size = Significant(100*math.Abs(d), 2) + " points"
		more, less = "higher", "lower"
	case "deployments", "changes":
		less = "fewer"
	case "deployments/week", "days/week":
		size += " a week"
		less = "fewer"
	case "points -100..100":
		size += " points"
		more, less = "higher", "lower"
	}
	if d < 0 {
		return size + " " + less
	}
	return size + " " + more
}

// PerUnit is the part of a unit that a reader has to be told beside the number.
func PerUnit(unit string) string {
	switch unit {
	case "deployments/week", "days/week":
		return "a week"
	case "points -100..100":
		return "points"
	}
	return ""
}

// HasFlag says whether an answer has a flag.
func HasFlag(res metrics.Result, flag string) bool {
	for _, f := range res.Flags {
		if f == flag {
			return true
		}
	}
	return false
}

// Sample is how many cases stand behind a value; for answers with several counts, the cohort.
func Sample(n any) (int64, bool) {
	switch n := n.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	case map[string]any:
		return Sample(n["cohort"])
	}
	return 0, false
}

// Interval writes the bounds of an interval.
func Interval(bounds *[2]float64, unit string) string {
	low, high := Value(bounds[0], unit), Value(bounds[1], unit)
	number, ending, _ := strings.Cut(low, " ")
	if _, same, _ := strings.Cut(high, " "); same == ending {
		low = number
	}
	return low + " – " + high
}

// Missing says why there is no value.
func Missing(def metrics.Definition, res metrics.Result) string {
	if HasFlag(res, metrics.FlagNotDeployed) {
		return "Nothing was in production in this window"
	}
	return "No data: " + unless(def)
}

// unless names what a metric counts, of which there was none.
func unless(def metrics.Definition) string {
	switch def.ID {
	case "lead_time":
		return "no change reached production in this window"
	case "failed_deployment_recovery":
		return "no deployment is known to have failed in this window"
	case "time_to_restore":
		return "no incident began in this window"
	case "change_failure_rate", "deployment_rework_rate", "golden_deployment_share", "deployment_gap":
		return "no deployment to compute it from in this window"
	case "time_to_first_deployment_service", "adoption_new_service_rate":
		return "no service was created in this window"
	case "time_to_first_deployment_developer":
		return "nobody began in this window"
	case "adoption_rate", "adoption_team_rate", "adoption_index", "adoption_full_rate":
		return "no service in production is in the catalogue"
	case "csat", "enps", "survey_response_rate", "survey_cells", "pain_points":
		return "no survey in this window"
	case "slo_attainment", "slo_coverage", "error_budget_remaining":
		return "no objective was measured in this window"
	}
	return "nothing to compute it from in this window"
}

// NotReached says of a quantile that too few have ended.
func NotReached(def metrics.Definition, res metrics.Result) string {
	open, _ := Sample(res.Parts["unresolved"])
	what := Counted(open, "failure") + " still open"
	if def.Unit == "days" {
		open, _ = Sample(res.Parts["censored"])
		what = Counted(open, "service") + " not deployed yet"
	}
	if def.ID == "time_to_first_deployment_developer" {
		what = Counted(open, "newcomer") + " not there yet"
	}
	if def.ID == "time_to_restore" {
		what = Counted(open, "incident") + " still open"
	}
	return "Longer than everything seen so far: " + what
}

// counts says whether a unit is that of a plain number of things.
func counts(unit string) bool { return unit == "deployments" || unit == "changes" }

// Rare says of a metric that what it counts happens a few times a year: new services, new people, waves of surveys.
func Rare(def metrics.Definition) bool {
	return def.Evidence() == "services" || def.Evidence() == "people" || def.Evidence() == "answers"
}
