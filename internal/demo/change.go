package demo

import (
	"slices"
	"time"
)

// change is a piece of work from its first commit to the main branch.
type change struct {
	service  *service
	author   string // as the commits carry it
	person   string // who that is
	bot      bool
	subject  string
	written  []time.Time // when each commit was
	opened   time.Time   // zero for what is pushed straight to the main branch
	reviewed time.Time
	approved time.Time
	merged   time.Time
	closed   time.Time // given up
	shared   bool      // in the part of the repository that several services use
	reverts  string    // sha
	number   int       // of the change request
}

// plan begins every change, day by day, and works out when each is done.
func (o *organisation) plan() {
	c := o.chance("plan")
	for date := o.from; date.Before(o.until); date = date.AddDate(0, 0, 1) {
		for _, s := range o.services {
			noon := date.Add(12 * time.Hour)
			if !s.alive(noon) || !s.retired.IsZero() && !s.alive(noon.AddDate(0, 0, 30)) || s.lifecycle == "deprecated" && !c.happens(0.4) {
				continue
			}
			t := s.owner(noon)
			p := o.practice(s, noon)
			for range c.count(p.pace * s.size * diligence(date)) {
				at := t.calendar.instant(c, date)
				if who := o.author(c, t, at); who != nil && s.alive(at) {
					o.begin(c, s, t, p, who, at)
				}
			}
			if !weekend(date) && c.happens(1.0/24) {
				o.update(c, s, t, p, date)
			}
		}
	}
	for _, r := range o.repositories {
		slices.SortStableFunc(r.changes, func(a, b *change) int { return a.opened.Compare(b.opened) })
		for _, ch := range r.changes {
			if !ch.opened.IsZero() {
				r.pulls++
				ch.number = r.pulls
			}
		}
	}
}

// begin works out how a change that someone starts at an instant goes on.
func (o *organisation) begin(c chance, s *service, t *team, p practice, who *person, at time.Time) {
	ch := &change{service: s, person: who.id, author: who.signature(c), subject: subject(c, s), shared: s.part != "" && c.happens(0.07)}
	n := 1 + c.count(1.2)
	if p.trunk {
		n = 1 + c.count(0.5)
		ch.merged = at
		for i := range n {
			ch.written = append(ch.written, at.Add(-time.Duration(n-1-i)*c.minutes(25)))
		}
	} else {
		cal, coding := t.calendar, c.around(p.coding, 0.8)
		ch.opened = cal.after(at, coding)
		for i := range n {
			ch.written = append(ch.written, cal.after(at, coding*float64(i)/float64(n)))
		}
		ch.written[0] = at
		ch.opened = ch.opened.Add(c.minutes(3))
		if reviewed := cal.after(ch.opened, c.around(p.pickup, 0.8)); c.happens(0.95) {
			ch.reviewed = reviewed
			ch.approved = cal.after(reviewed, c.around(p.review, 0.7))
			ch.merged = ch.approved.Add(c.minutes(6))
		} else {
			ch.merged = reviewed
		}
		if c.happens(0.04) {
			ch.closed, ch.merged, ch.approved = ch.merged, time.Time{}, time.Time{}
		}
	}
	o.repository(s).changes = append(o.repository(s).changes, ch)
}

// update has the machine propose newer dependencies.
func (o *organisation) update(c chance, s *service, t *team, p practice, date time.Time) {
	at := date.Add(c.between(3*time.Hour, 5*time.Hour))
	if !s.alive(at) {
		return
	}
	ch := &change{
		service: s, person: updateBot, author: updateBot, bot: true, subject: "Update " + pick(c, dependencies),
		written: []time.Time{at}, opened: at.Add(c.minutes(1)),
	}
	ch.reviewed = t.calendar.after(ch.opened, c.around(2+p.pickup, 0.8))
	ch.approved = ch.reviewed
	ch.merged = ch.reviewed.Add(c.minutes(4))
	o.repository(s).changes = append(o.repository(s).changes, ch)
}

// subject draws what a change is about.
func subject(c chance, s *service) string {
	return pick(c, verbs) + " " + pick(c, things) + pick(c, []string{"", "", " in " + title(s.id), " for " + pick(c, occasions)})
}

var (
	verbs = []string{
		"Add", "Fix", "Speed up", "Simplify", "Validate", "Log", "Cache", "Retry", "Remove", "Rename", "Test", "Bound", "Document", "Extract", "Batch",
		"Handle", "Check", "Round", "Translate", "Migrate",
	}
	things = []string{
		"the timeout of upstream calls", "empty answers", "the health check", "time zones", "the price table", "error messages", "duplicate requests",
		"the database index", "currency conversion", "feature switches", "the search index", "a slow query", "the export", "address fields", "pagination",
		"the retry budget", "audit entries", "the consumer group", "image sizes", "expired tokens", "the nightly job", "metrics labels", "the schema",
		"partial failures", "rate limits", "postal codes", "the cache key", "locale fallbacks", "the event version", "unused columns",
	}
	occasions    = []string{"the autumn campaign", "the new warehouse", "guests", "partners", "large baskets", "the apps", "the audit", "Norway", "the on-call rota"}
	dependencies = []string{
		"golang to v1.26", "jackson to v2.19", "the base image", "typescript to v5.9", "spring-boot to v3.5", "grpc to v1.74", "react to v19", "numpy to v2.3",
		"kotlin to v2.2", "the linters", "opentelemetry to v1.38", "postgresql driver to v42.7",
	}
)
