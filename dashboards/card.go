package dashboards

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strings"

	"cairn/metrics"
	"cairn/metrics/words"
)

// card is one number with what a reader needs to judge it. It is the one component that the pages are made of.
type card struct {
	Metric    string
	AsOf      string // instant of the computation, to the millisecond
	Title     string
	Statistic string // p50 and the like, or what the value is per; "" where there is none
	Value     string
	Exact     string // every digit of the value
	Missing   string // in place of a value: why there is none
	Why       string // the page that says at which step the facts get lost
	Interval  string
	N         string
	Change    change
	Notes     []string
	Period    string // the window, where it is another than the page's
	Spark     template.HTML

	Page       string // the metric in depth
	Evidence   string
	Counted    string // what the evidence lists
	Definition string
}

// change compares a value with the one of the window before.
type change struct {
	Text  string
	Arrow string // ▲, ▼ or nothing
	Class string // better, worse or same
}

// newCard makes a card of an answer. It is given the view that was asked for.
func newCard(v view, def metrics.Definition, res metrics.Result) card {
	page := v.Link(place("metrics", def.ID), scopeParams(res.Scope)...)
	c := card{
		Metric: def.ID, AsOf: res.AsOf.UTC().Format("2006-01-02T15:04:05.000Z"), Title: def.Title, Statistic: res.Statistic, Page: page, Evidence: page + "#evidence", Definition: definitionPage(def.ID),
		Spark: sparkline(def, res), Counted: evidenceWords(def, res.N),
	}
	if res.Statistic == metrics.StatisticRate {
		c.Statistic = ""
	}
	if n, ok := sample(res.N); ok && (n > 0 || res.Value != nil) {
		c.N = "n = " + words.Grouped(n)
	}
	for _, f := range res.Flags {
		switch f {
		case metrics.FlagPartial, metrics.FlagSuppressed, metrics.FlagNotReached, metrics.FlagNotDeployed: // said by the value, or true of every running window
		case metrics.FlagLowN:
			if sampled(def) {
				c.Notes = append(c.Notes, words.Flag(f))
			}
		default:
			c.Notes = append(c.Notes, words.Flag(f))
		}
	}
	value, ok := res.Value.(float64)
	switch {
	case ok && hasFlag(res, metrics.FlagNotDeployed): // a 0 that says nothing
		c.Missing, c.Exact = missing(def, res), fmt.Sprintf("%v %s", value, def.Unit)
		c.Why, c.N = v.Link("/doctor", append(scopeParams(res.Scope), "metric", def.ID)...), ""
		return c
	case ok:
		c.Value, c.Exact = words.Value(value, def.Unit), fmt.Sprintf("%v %s", value, def.Unit)
		if c.Statistic == "" {
			c.Statistic = perUnit(def.Unit)
		}
	case res.Value == metrics.Suppressed:
		c.Missing = "Hidden: fewer people than keep each of them anonymous"
		return c
	case hasFlag(res, metrics.FlagNotReached):
		c.Missing = notReached(def, res)
		return c
	case res.Value != nil: // a list of values
		c.Missing = "Not one number but several: the answer from the API has them"
		return c
	default:
		c.Missing, c.Why = missing(def, res), v.Link("/doctor", append(scopeParams(res.Scope), "metric", def.ID)...)
		return c
	}
	if res.Interval != nil {
		c.Interval = interval(res.Interval, def.Unit)
	}
	c.Change = compare(def, res)
	return c
}

// perUnit is the part of a unit that a reader has to be told beside the number.
func perUnit(unit string) string {
	switch unit {
	case "deployments/week", "days/week":
		return "a week"
	case "points -100..100":
		return "points"
	}
	return ""
}

func scopeParams(s metrics.Scope) []string { return []string{"service", s.Service, "team", s.Team} }

func definitionPage(id string) string { return "/docs/metrics/" + url.PathEscape(id) }

func hasFlag(res metrics.Result, flag string) bool {
	for _, f := range res.Flags {
		if f == flag {
			return true
		}
	}
	return false
}

// sample is how many cases stand behind a value; for answers with several counts, the cohort.
func sample(n any) (int64, bool) {
	switch n := n.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		return int64(n), true
	case map[string]any:
		return sample(n["cohort"])
	}
	return 0, false
}

func interval(bounds *[2]float64, unit string) string {
	low, high := words.Value(bounds[0], unit), words.Value(bounds[1], unit)
	number, ending, _ := strings.Cut(low, " ")
	if _, same, _ := strings.Cut(high, " "); same == ending {
		low = number
	}
	return low + " – " + high
}

// missing says why there is no value.
func missing(def metrics.Definition, res metrics.Result) string {
	if hasFlag(res, metrics.FlagNotDeployed) {
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

// notReached says of a quantile that too few have ended.
func notReached(def metrics.Definition, res metrics.Result) string {
	open, _ := sample(res.Parts["unresolved"])
	what := words.Counted(open, "failure") + " still open"
	if def.Unit == "days" {
		open, _ = sample(res.Parts["censored"])
		what = words.Counted(open, "service") + " not deployed yet"
	}
	if def.ID == "time_to_first_deployment_developer" {
		what = words.Counted(open, "newcomer") + " not there yet"
	}
	if def.ID == "time_to_restore" {
		what = words.Counted(open, "incident") + " still open"
	}
	return "Longer than everything seen so far: " + what
}

// compare says how a value moved against the window before. Direction is told by a word and an arrow; it is called
// better or worse only when it stands out of the noise: intervals that do not overlap; of counts, more than two standard
// deviations of their difference as Poisson counts; of shares without an interval five points, else a quarter.
func compare(def metrics.Definition, res metrics.Result) change {
	if res.Previous == nil {
		return change{}
	}
	before, ok := res.Previous.Value.(float64)
	if !ok {
		return change{Text: "nothing to compare with before"}
	}
	if slices.Contains(res.Previous.Flags, metrics.FlagBegan) {
		return change{Text: "before: " + words.Value(before, def.Unit) + ", when not everything was live or known yet"}
	}
	now := res.Value.(float64)
	if hasFlag(res, metrics.FlagLowN) || tooFew(def, res.N) || tooFew(def, res.Previous.N) {
		text := "before: " + words.Value(before, def.Unit)
		if sampled(def) {
			text += " (n = " + words.Size(res.Previous.N) + ")"
		}
		return change{Text: text}
	}
	if words.Value(now, def.Unit) == words.Value(before, def.Unit) {
		return change{Text: "as before", Class: "same"}
	}
	if !standsOut(def, res, now, before) {
		return change{Text: "about as before (" + words.Value(before, def.Unit) + ")", Class: "same"}
	}
	c := change{Class: "same", Arrow: "▲"}
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
	c.Text = difference(now-before, def.Unit) + " than before"
	return c
}

// sampled says whether a value is computed from cases that stand for others: a count is just that, and an objective was
// measured from all the traffic there was.
func sampled(def metrics.Definition) bool {
	return !counts(def.Unit) && def.Unit != "deployments/week" && def.Evidence() != "slos"
}

// tooFew says whether a sample is too small to read a movement into.
func tooFew(def metrics.Definition, n any) bool {
	count, ok := sample(n)
	return ok && count < 5 && sampled(def)
}

func standsOut(def metrics.Definition, res metrics.Result, now, before float64) bool {
	if a, b := res.Interval, res.Previous.Interval; a != nil && b != nil {
		return a[0] > b[1] || b[0] > a[1]
	}
	switch def.Unit {
	case "deployments", "deployments/week", "changes":
		a, okA := sample(res.N)
		b, okB := sample(res.Previous.N)
		if okA && okB {
			return math.Abs(float64(a-b)) > 2*math.Sqrt(float64(a+b))
		}
	case "ratio":
		return math.Abs(now-before) >= 0.05
	}
	return math.Abs(now-before) > 0.25*math.Max(math.Abs(now), math.Abs(before))
}

// difference says how much more or less.
func difference(d float64, unit string) string {
	more, less := "more", "less"
	size := words.Value(math.Abs(d), unit)
	switch unit {
	case "hours", "days":
		more, less = "longer", "shorter"
	case "ratio", "share of respondents":
		size = words.Significant(100*math.Abs(d), 2) + " points"
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

// evidenceWords name what stands behind a value, for the link that lists it.
func evidenceWords(def metrics.Definition, n any) string {
	noun := ""
	switch def.Evidence() {
	case "deployments", "runs":
		noun = "deployment"
	case "changes", "waiting":
		noun = "change"
	case "failures":
		noun = "failure"
	case "incidents":
		noun = "incident"
	case "services", "adoption":
		noun = "service"
	case "slos":
		noun = "measurement"
	default:
		return "how it was counted"
	}
	count, ok := sample(n)
	switch {
	case !ok || count == 0:
		return "what was looked at"
	case def.ID == "deploy_days_per_week" || def.ID == "deployment_gap" || def.Evidence() == "adoption": // n counts weeks, gaps, pairs
		return "the " + noun + "s"
	}
	if count == 1 {
		return "the " + noun
	}
	return "the " + words.Counted(count, noun)
}
