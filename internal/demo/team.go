package demo

import (
	"time"

	"cairn/internal/event"
)

// team is a group of people that owns services.
type team struct {
	id, name, parent string
	calendar         calendar
	zone             string
	founders         int     // people who were there when the story begins
	joiners          int     // how many of the newcomers it gets, compared to the others
	keen             float64 // on the platform, from 0 to 1
	practice         practice
	founded          time.Time
	dissolved        time.Time
}

// practice is how a team works. Durations are medians in hours of work unless it says otherwise.
type practice struct {
	trunk   bool    // commits go straight to the main branch, and each push is deployed
	pace    float64 // changes begun on an ordinary day in a service of size 1
	coding  float64 // from the first commit to opening the change request
	pickup  float64 // from there to the first review
	review  float64 // from there to the merge
	wait    float64 // from the merge to the deployment, where releases have no fixed days
	trains  []time.Weekday
	failure float64 // share of deployments that fail in production
	repair  float64 // clock hours until a failure is over
}

// departments are the groups above the teams.
var departments = []struct{ id, name string }{
	{"commerce", "Commerce"},
	{"customer", "Customer and Market"},
	{"supply", "Supply Chain"},
	{"engineering", "Engineering Foundations"},
}

// gather founds the teams.
func (o *organisation) gather() {
	weekly, twice := []time.Weekday{time.Wednesday}, []time.Weekday{time.Tuesday, time.Thursday}
	rows := []team{
		{id: "checkout", name: "Checkout", parent: "commerce", zone: "Europe/Berlin", founders: 6, joiners: 4, keen: 0.9,
			practice: practice{trunk: true, pace: 0.85, failure: 0.06, repair: 0.6}},
		{id: "orders", name: "Orders", parent: "commerce", zone: "Europe/Berlin", founders: 8, keen: 0.3,
			practice: practice{pace: 0.7, coding: 7, pickup: 5, review: 4, trains: twice, failure: 0.15, repair: 4}},
		{id: "payments", name: "Payments", parent: "commerce", zone: "Europe/London", founders: 8, joiners: 4, keen: 0.5,
			practice: practice{pace: 0.6, coding: 4, pickup: 3.5, review: 3, trains: weekly, failure: 0.24, repair: 7}},
		{id: "pricing", name: "Pricing", parent: "customer", zone: "Europe/Berlin", founders: 4, keen: 0.4,
			practice: practice{pace: 0.7, coding: 5, pickup: 3, review: 3, trains: twice, failure: 0.11, repair: 2.5}},
		{id: "catalogue", name: "Catalogue", parent: "commerce", zone: "Europe/Lisbon", founders: 8, joiners: 3, keen: 0.2,
			practice: practice{pace: 0.85, coding: 5, pickup: 2.5, review: 3, wait: 4, failure: 0.11, repair: 3}},
		{id: "storefront", name: "Storefront", parent: "customer", zone: "Europe/Berlin", founders: 7, joiners: 4, keen: 0.7,
			practice: practice{pace: 0.75, coding: 4, pickup: 2.5, review: 2, wait: 1.5, failure: 0.1, repair: 1.2}},
		{id: "search", name: "Search and Recommendations", parent: "customer", zone: "America/New_York", founders: 5, joiners: 3, keen: 0.75,
			practice: practice{trunk: true, pace: 0.8, failure: 0.08, repair: 0.8}},
		{id: "mobile-gateway", name: "Mobile Gateway", parent: "customer", zone: "America/Los_Angeles", founders: 6, joiners: 3, keen: 0.45,
			practice: practice{pace: 0.85, coding: 5, pickup: 3, review: 2.5, trains: []time.Weekday{time.Tuesday}, failure: 0.13, repair: 3}},
		{id: "identity", name: "Identity", parent: "customer", zone: "Europe/Stockholm", founders: 6, joiners: 3, keen: 0.55,
			practice: practice{pace: 0.75, coding: 5, pickup: 4, review: 3, trains: []time.Weekday{time.Monday, time.Wednesday}, failure: 0.09, repair: 2}},
		{id: "notifications", name: "Notifications", parent: "customer", zone: "Asia/Kolkata", founders: 5, joiners: 3, keen: 0.6,
			practice: practice{pace: 0.9, coding: 4, pickup: 3, review: 2, wait: 3, failure: 0.1, repair: 1.5}},
		{id: "logistics", name: "Logistics", parent: "supply", zone: "Europe/Warsaw", founders: 7, joiners: 3, keen: 0.5,
			practice: practice{pace: 0.7, coding: 5, pickup: 3, review: 2.5, wait: 2, failure: 0.12, repair: 2}},
		{id: "data-platform", name: "Data Platform", parent: "supply", zone: "America/Toronto", founders: 6, joiners: 3, keen: 0.5,
			practice: practice{pace: 0.7, coding: 8, pickup: 4, review: 3, trains: []time.Weekday{time.Thursday}, failure: 0.12, repair: 5}},
		{id: "platform", name: "Platform", parent: "engineering", zone: "Europe/Berlin", founders: 6, joiners: 4, keen: 1,
			practice: practice{pace: 0.8, coding: 3, pickup: 1.5, review: 1, wait: 0.4, failure: 0.06, repair: 0.7}},
	}
	for i := range rows {
		t := &rows[i]
		t.calendar = newCalendar(t.zone)
		t.founded = o.from.AddDate(-2, -i, 0)
		if t.id == "orders" {
			t.dissolved = o.story.reorganised
		}
		o.teams = append(o.teams, t)
	}
}

func (o *organisation) team(id string) *team {
	for _, t := range o.teams {
		if t.id == id {
			return t
		}
	}
	panic("there is no team " + id)
}

// modern is how Payments works once a service is on the golden path.
var modern = practice{pace: 0.85, coding: 2.5, pickup: 1, review: 0.8, wait: 0.3, failure: 0.06, repair: 0.7}

// practice is how a service is worked on at an instant: as its owner works, but for what the story says.
func (o *organisation) practice(s *service, at time.Time) practice {
	t := s.owner(at)
	p := t.practice
	switch {
	case t.id == "payments" && !at.Before(s.golden["cicd"]):
		// It takes a month until the new way is habit.
		p = modern
		if weeks := at.Sub(s.golden["cicd"]).Hours() / 24 / 7; weeks < 4 {
			rest := 1 - weeks/4
			p.coding, p.pickup, p.review = p.coding+3*rest, p.pickup+3*rest, p.review+2*rest
			p.pace -= 0.25 * rest
		}
	case t.id == "catalogue":
		// Reviews wait longer and longer.
		passed := at.Sub(o.from).Hours() / o.until.Sub(o.from).Hours()
		p.pickup += 22 * passed * passed
		p.review += 5 * passed
		p.failure += 0.07 * passed
		p.pace -= 0.25 * passed
	case t.id == "logistics" && o.story.inWorstWeek(at):
		p.failure, p.repair, p.pace = 0.65, 7, 1.4
	}
	return p
}

func (o *organisation) tellTeams() {
	for i, d := range departments {
		founded := o.from.AddDate(-4, -i, 0)
		o.facts.Teams = append(o.facts.Teams, event.Team{Telling: by(founded), ID: d.id, Name: d.name, TimeZone: "Europe/Berlin", CreatedAt: founded})
	}
	for _, t := range o.teams {
		told := t.founded
		if !t.dissolved.IsZero() {
			told = t.dissolved
		}
		o.facts.Teams = append(o.facts.Teams, event.Team{
			Telling: by(told), ID: t.id, Name: t.name, Parent: t.parent, TimeZone: t.zone, CreatedAt: t.founded, RetiredAt: t.dissolved,
		})
	}
}
