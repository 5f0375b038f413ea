package dashboards

import (
	"fmt"
	"html/template"
	"net/url"

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
	Change    words.Change
	Notes     []string
	Period    string // the window, where it is another than the page's
	Spark     template.HTML

	Page       string // the metric in depth
	Evidence   string
	Counted    string // what the evidence lists
	Definition string
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
	if n, ok := words.Sample(res.N); ok && (n > 0 || res.Value != nil) {
		c.N = "n = " + words.Grouped(n)
	}
	for _, f := range res.Flags {
		switch f {
		case metrics.FlagPartial, metrics.FlagSuppressed, metrics.FlagNotReached, metrics.FlagNotDeployed: // said by the value, or true of every running window
		case metrics.FlagLowN:
			if words.Sampled(def) {
				c.Notes = append(c.Notes, words.Flag(f))
			}
		default:
			c.Notes = append(c.Notes, words.Flag(f))
		}
	}
	value, ok := res.Value.(float64)
	switch {
	case ok && words.HasFlag(res, metrics.FlagNotDeployed): // a 0 that says nothing
		c.Missing, c.Exact = words.Missing(def, res), fmt.Sprintf("%v %s", value, def.Unit)
		c.Why, c.N = v.Link("/doctor", append(scopeParams(res.Scope), "metric", def.ID)...), ""
		return c
	case ok:
		c.Value, c.Exact = words.Value(value, def.Unit), fmt.Sprintf("%v %s", value, def.Unit)
		if c.Statistic == "" {
			c.Statistic = words.PerUnit(def.Unit)
		}
	case res.Value == metrics.Suppressed:
		c.Missing = "Hidden: fewer people than keep each of them anonymous"
		return c
	case words.HasFlag(res, metrics.FlagNotReached):
		c.Missing = words.NotReached(def, res)
		return c
	case res.Value != nil: // a list of values
		c.Missing = "Not one number but several: the answer from the API has them"
		return c
	default:
		c.Missing, c.Why = words.Missing(def, res), v.Link("/doctor", append(scopeParams(res.Scope), "metric", def.ID)...)
		return c
	}
	if res.Interval != nil {
		c.Interval = words.Interval(res.Interval, def.Unit)
	}
	c.Change = words.Compare(def, res)
	return c
}

func scopeParams(s metrics.Scope) []string { return []string{"service", s.Service, "team", s.Team} }

func definitionPage(id string) string { return "/docs/metrics/" + url.PathEscape(id) }

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
	count, ok := words.Sample(n)
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
