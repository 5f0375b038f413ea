// Package demo makes up an organisation: Linden, a retailer with a dozen teams, sixty services and a hundred people, and
// what happened there in eighteen months. It stands in front of the intake, where a collector stands, and tells facts; what
// they come to is for the metrics to find. docs/demo.md tells the story that is in them.
//
// It is pure computation: no clock, no store, no package state. The same configuration gives the same facts to the
// last byte.
package demo

import (
	"iter"
	"time"
	_ "time/tzdata" // the teams' time zones, where the machine has none

	"cairn/internal/event"
)

// Config chooses one of the organisations that could have been.
type Config struct {
	// Seed chooses how chance falls. Every seed has the same teams, services and story.
	Seed uint64
	// Until is the present of the organisation: nothing that it tells is later, but for ends that were agreed in
	// advance. The story is told backwards from here.
	Until time.Time
}

// Months is how far the facts go back.
const Months = 18

// Organisation tells the facts, kind by kind: what others refer to comes first.
func Organisation(cfg Config) iter.Seq[event.Event] {
	return func(yield func(event.Event) bool) {
		o := found(cfg)
		o.work()
		o.tell()
		for e := range o.facts.All() {
			if !yield(e) {
				return
			}
		}
	}
}

// organisation is everything while it is being made up.
type organisation struct {
	seed        uint64
	from, until time.Time
	story       story

	teams        []*team
	people       []*person
	services     []*service
	repositories []*repository
	incidents    []*incident
	deployments  []*event.Deployment
	images       map[string]bool // told as artifacts

	facts event.Batch
}

// story are the days on which something happens that the numbers show.
type story struct {
	golden       time.Time // the first service of Payments takes the golden path
	reorganised  time.Time // Orders is dissolved
	worst        time.Time // Monday of the worst week of Logistics
	collectorEnd time.Time // nobody has seen the telemetry of Identity since
	stalled      time.Time // nothing of the reporting API has been released since
}

func (s story) inWorstWeek(at time.Time) bool {
	return !at.Before(s.worst) && at.Before(s.worst.AddDate(0, 0, 5))
}

// found sets up everybody and everything that the organisation has.
func found(cfg Config) *organisation {
	until := cfg.Until.UTC().Truncate(time.Second)
	o := &organisation{seed: cfg.Seed, from: day(until.AddDate(0, -Months, 0)), until: until, images: map[string]bool{}}
	o.story = story{
		golden:       monday(until.AddDate(0, -7, 0)),
		reorganised:  firstOfMonth(until.AddDate(0, -5, 0)),
		worst:        monday(until.AddDate(0, 0, -7*7)),
		collectorEnd: day(until.AddDate(0, 0, -44)),
		stalled:      day(until.AddDate(0, 0, -24)),
	}
	for frozen(o.story.worst) || frozen(o.story.worst.AddDate(0, 0, 6)) {
		o.story.worst = o.story.worst.AddDate(0, 0, -7)
	}
	o.gather()
	o.hire()
	o.register()
	return o
}

// work lets eighteen months pass.
func (o *organisation) work() {
	o.plan()
	for _, r := range o.repositories {
		o.live(r)
	}
	o.misfortunes()
}

// tell turns what happened into facts.
func (o *organisation) tell() {
	o.tellTeams()
	o.tellPeople()
	o.tellServices()
	o.tellRepositories()
	o.tellIncidents()
	o.tellDeployments()
	o.tellProvisioning()
	o.tellCapabilities()
	o.tellSurveys()
	o.tellObjectives()
	o.leaveUnmatched()
	o.connect()
}

// by is when a fact was told; who told it is said by connect.
func by(at time.Time) event.Telling { return event.Telling{UpdatedAt: at} }

// past is at, or no time where that is still to come.
func (o *organisation) past(at time.Time) time.Time {
	if at.After(o.until) {
		return time.Time{}
	}
	return at
}
