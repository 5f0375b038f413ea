package demo

import (
	"math"
	"time"

	"cairn/internal/event"
)

// tellObjectives tells every week how much of what a service promises it kept over the four weeks before.
func (o *organisation) tellObjectives() {
	const window = 28 * 24 * time.Hour
	for _, s := range o.services {
		c := o.chance("objective " + s.id)
		if s.firstRun.IsZero() || s.tier == "3" || s.tier == "2" && c.happens(0.45) {
			continue
		}
		target, traffic := 0.995, 2e5
		if s.tier == "1" {
			target, traffic = 0.999, 6e6
		}
		for at := monday(later(o.from, s.firstRun)).AddDate(0, 0, 28).Add(5 * time.Hour); at.Before(o.until) && s.alive(at); at = at.AddDate(0, 0, 7) {
			total := int64(c.around(traffic*s.size, 0.12))
			bad := c.around(0.35, 0.35) * (1 - target)
			for _, i := range o.incidents {
				if i.service != s || i.started.After(at) {
					continue
				}
				end := i.restored
				if end.IsZero() || end.After(at) {
					end = at
				}
				if begin := later(i.started, at.Add(-window)); end.After(begin) {
					// A tenth of what is asked fails while an incident lasts, less when it lasts long.
					bad += 0.1 * math.Sqrt(end.Sub(begin).Hours()) / window.Hours() * (1 - target) / 0.001
				}
			}
			o.facts.SLOs = append(o.facts.SLOs, event.SLO{
				ID: s.id + "-availability", MeasuredAt: at, Service: s.id, Name: "availability", Target: target,
				Good: total - int64(math.Min(bad, 0.5)*float64(total)), Total: total,
			})
		}
	}
}
