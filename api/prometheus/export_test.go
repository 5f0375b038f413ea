package prometheus

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
