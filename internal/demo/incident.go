package demo

import (
	"slices"
	"time"

	"cairn/internal/event"
)

// incident is a degradation while it is being made up.
type incident struct {
	service    *service
	title      string
	severity   string
	started    time.Time
	detected   time.Time
	restored   time.Time // may lie after the end of the story
	ticket     time.Duration
	external   bool
	cause      *event.Deployment
	fixedBy    []*event.Deployment
	causeKnown bool
}

// report notes an incident.
func (o *organisation) report(c chance, s *service, started, detected, restored time.Time, title string) *incident {
	i := &incident{service: s, title: title, started: started, detected: detected, restored: restored, ticket: c.hours(16), severity: "sev3"}
	switch hours := restored.Sub(started).Hours(); {
	case s.tier == "1" && hours > 3:
		i.severity = "sev1"
	case s.tier == "1" || hours > 8:
		i.severity = "sev2"
	}
	i.causeKnown = c.happens(0.88)
	o.incidents = append(o.incidents, i)
	return i
}

// misfortunes adds what no deployment was to blame for, and what is still going on.
func (o *organisation) misfortunes() {
	c := o.chance("misfortunes")
	var exposed []*service
	for _, s := range o.services {
		if s.tier == "1" && s.born == 0 {
			exposed = append(exposed, s)
		}
	}
	for at := o.from.AddDate(0, 0, 9); at.Before(o.until.AddDate(0, 0, -4)); at = at.Add(c.hours(15 * 24)) {
		s := pick(c, exposed)
		started := at.Add(c.between(0, 24*time.Hour))
		i := o.report(c, s, started, started.Add(c.minutes(6)), started.Add(c.hours(1.6)), pick(c, accidents))
		i.external = c.happens(0.65)
	}
	// Three go on at the end: one that a deployment caused, one that nobody understands, one of a partner.
	if s, bad := o.lastDeployment("recommendations"); bad != nil {
		i := o.report(c, s, bad.FinishedAt.Add(20*time.Minute), bad.FinishedAt.Add(time.Hour), o.until.AddDate(0, 0, 2), "Recommendations repeat themselves")
		i.cause, i.causeKnown, i.severity = bad, true, "sev3"
	}
	i := o.report(c, o.service("reporting-api"), o.until.Add(-70*time.Hour), o.until.Add(-62*time.Hour), o.until.AddDate(0, 0, 3), "Figures of two days are missing")
	i.severity = "sev3"
	i = o.report(c, o.service("payment-provider-adapters"), o.until.Add(-9*time.Hour), o.until.Add(-9*time.Hour+4*time.Minute), o.until.AddDate(0, 0, 1), "A payment provider answers slowly")
	i.external, i.severity = true, "sev2"
}

// lastDeployment is the last one of a service that is at least a day old and succeeded.
func (o *organisation) lastDeployment(id string) (*service, *event.Deployment) {
	for _, d := range slices.Backward(o.deployments) {
		if d.Service == id && d.Tier == "production" && d.Status == "succeeded" && !d.Rollback && d.FinishedAt.Before(o.until.AddDate(0, 0, -1)) {
			return o.service(id), d
		}
	}
	return nil, nil
}

func (o *organisation) service(id string) *service {
	for _, s := range o.services {
		if s.id == id {
			return s
		}
	}
	panic("there is no service " + id)
}

func (o *organisation) tellIncidents() {
	slices.SortStableFunc(o.incidents, func(a, b *incident) int { return a.started.Compare(b.started) })
	n := 1000
	for _, i := range o.incidents {
		if i.started.After(o.until) {
			continue
		}
		n++
		f := event.Incident{
			Telling: event.Telling{Source: pager(i.service.owner(i.started))}, Service: i.service.id, Title: i.title, Severity: i.severity, StartedAt: i.started,
			DetectedAt: o.past(i.detected), AcknowledgedAt: o.past(i.detected.Add(4 * time.Minute)), Cause: "unknown",
		}
		o.numbered(&f, n)
		if !i.restored.IsZero() {
			f.RestoredAt = o.past(i.restored)
			f.ResolvedAt = o.past(i.restored.Add(i.ticket))
		}
		switch {
		case i.external:
			f.Cause = "external"
		case i.cause != nil && i.causeKnown:
			f.Cause, f.CausedByDeployment = "deployment", i.cause.ID
		}
		for _, d := range i.fixedBy {
			d.RemediatesIncidents = append(d.RemediatesIncidents, f.ID)
			if !f.RestoredAt.IsZero() {
				f.FixedByDeployment = d.ID
			}
		}
		o.facts.Incidents = append(o.facts.Incidents, f)
	}
}

var accidents = []string{
	"A cloud zone is unreachable", "A card network is down", "A database fails over", "A certificate has expired", "Traffic is three times as high as usual",
	"A disk is full", "Name resolution fails", "A carrier's interface is down", "A queue does not drain",
}
