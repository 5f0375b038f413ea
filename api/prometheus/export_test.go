package prometheus

import (
	"fmt"
	"strings"
)

// Gauge is a family of gauges, for tests.
type Gauge struct {
	Name, Metric string
	Statistics   []string
	People       bool
}

// Gauges lists the families of gauges.
func Gauges() (list []Gauge) {
	for _, g := range gauges() {
		list = append(list, Gauge{g.name, g.metric, g.statistics, g.people})
	}
	return list
}

// Table is every family of series, as the documentation has it.
func Table() string {
	var b strings.Builder
	b.WriteString("| series | unit | labels | what it is | samples |\n|---|---|---|---|---|\n")
	for _, g := range gauges() {
		of := "`team` or `service`, "
		if g.people {
			of = ""
		}
		of += "`window`"
		for label, has := range map[string]bool{"environment": g.environment} {
			if has {
				of += ", `" + label + "`"
			}
		}
		if len(g.statistics) > 0 {
			of += ", `statistic` (" + strings.Join(g.statistics, ", ") + ")"
		}
		if g.capability {
			of += ", `capability`"
		}
		unit := ""
		for suffix, name := range map[string]string{"_seconds": "seconds", "_ratio": "share from 0 to 1", "_points": "points"} {
			if strings.HasSuffix(g.name, suffix) {
				unit = name
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s: [%s](metrics/%s.md) | `%s` |\n", g.name, unit, of, g.help, g.metric, g.metric, samplesOf(g.name))
	}
	fmt.Fprintf(&b, "| `%s` | | `service`, `environment` | %s: a counter | |\n", deploymentsTotal, deploymentsHelp)
	fmt.Fprintf(&b, "| `%s` | | `service` | %s: a counter | |\n", incidentsTotal, incidentsHelp)
	fmt.Fprintf(&b, "| `%s` | | `service`, `team` | %s | |\n", ownerInfo, ownerHelp)
	return b.String()
}
