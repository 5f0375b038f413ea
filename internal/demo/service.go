package demo

import (
	"time"

	"cairn/internal/event"
)

// service is one service: what the catalogue says of it, and what is live while time passes.
type service struct {
	catalogued
	created   time.Time
	idea      time.Time
	firstRun  time.Time // no earlier than this; zero: never
	retired   time.Time
	owners    []stay // who owned it; the last has no end
	golden    map[string]time.Time
	fallback  map[string]string // state of a capability off the golden path: own or none
	staging   bool
	draws     chance
	delivered delivery
}

// catalogued is a row of the catalogue.
type catalogued struct {
	id, team, system, tier string
	size                   float64 // how much is changed, compared to a service that a pair of people looks after
	part                   string  // of a repository that it shares with others
	about                  string
	depends                []string
	regions                []string
	born                   int    // days before the end of the story; 0: before it began
	via                    string // how it was created: golden_path, manual, other
	took                   int    // days from its creation to its first deployment; -1: it was never deployed
	gone                   int    // days before the end of the story on which it was retired
	lifecycle              string
	heir                   string // team that takes it over when Orders is dissolved
	tags                   []string
}

// owner is the team that a service belongs to at an instant.
func (s *service) owner(at time.Time) *team {
	for _, stay := range s.owners {
		if stay.to.IsZero() || at.Before(stay.to) {
			return stay.team
		}
	}
	return nil
}

// region is where a deployment begins; "" for a service that has no regions.
func (s *service) region() string {
	if len(s.regions) == 0 {
		return ""
	}
	return s.regions[0]
}

// alive tells whether a service exists at an instant.
func (s *service) alive(at time.Time) bool {
	return !at.Before(s.created) && (s.retired.IsZero() || at.Before(s.retired))
}

// way is how a service reaches production at an instant.
func (s *service) way(at time.Time) string {
	switch {
	case s.has("cicd", at):
		return "golden_path"
	case s.fallback["cicd"] == "own":
		return "own"
	}
	return "manual"
}

// has tells whether a service uses a capability the golden way.
func (s *service) has(capability string, at time.Time) bool {
	since, ever := s.golden[capability]
	return ever && !at.Before(since)
}

// register fills the catalogue and gives each service its repository.
func (o *organisation) register() {
	for _, row := range catalogue {
		s := &service{catalogued: row, draws: o.chance("service " + row.id)}
		c := s.draws
		s.created = o.from.AddDate(0, 0, -90-c.IntN(1200)).Add(c.between(8*time.Hour, 16*time.Hour))
		s.firstRun = o.from.Add(c.between(9*time.Hour, 60*time.Hour))
		if row.born > 0 {
			s.created = o.until.AddDate(0, 0, -row.born)
			for off(s.created) {
				s.created = s.created.AddDate(0, 0, -1)
			}
			s.created = o.team(row.team).calendar.instant(c, s.created)
			s.firstRun = o.team(row.team).calendar.after(s.created.AddDate(0, 0, row.took), 2)
			if c.happens(0.7) {
				s.idea = s.created.AddDate(0, 0, -10-c.IntN(60))
			}
			if row.took < 0 {
				s.firstRun = time.Time{}
			}
		}
		if row.gone > 0 {
			s.retired = o.until.AddDate(0, 0, -row.gone)
		}
		first := stay{team: o.team(row.team)}
		if row.born > 0 {
			first.from = s.created
		}
		s.owners = []stay{first}
		if row.heir != "" {
			s.owners[0].to = o.story.reorganised
			s.owners = append(s.owners, stay{team: o.team(row.heir), from: o.story.reorganised})
		}
		s.staging = row.tier != "3" && c.happens(0.5)
		o.adopt(s)
		o.services = append(o.services, s)
		r := o.repository(s)
		r.services = append(r.services, s)
	}
}

func (o *organisation) tellServices() {
	for _, s := range o.services {
		told := o.from
		if s.created.After(told) {
			told = s.created
		}
		r := o.repository(s)
		built := event.ServiceRepository{Repository: r.id}
		if s.part != "" {
			built.Paths, built.SharedPaths = r.paths(s)
		}
		f := event.Service{
			ID: s.id, Name: title(s.id), Description: s.about, System: s.system, Lifecycle: s.lifecycle, Tier: "tier-" + s.tier,
			CreatedAt: s.created, IdeaAt: s.idea, RetiredAt: s.retired, CreatedVia: s.via, Repositories: []event.ServiceRepository{built},
			Dependencies: s.depends, Tags: s.tags, URL: "https://portal.linden.example/services/" + s.id,
		}
		if f.Lifecycle == "" {
			f.Lifecycle = "production"
		}
		if s.via == "golden_path" {
			f.Template = "service-" + language(s) + "@v3"
		}
		if s.fallback["docs"] == "own" || s.has("docs", o.until) {
			f.Documentation = "https://docs.linden.example/" + s.id
		}
		if !s.retired.IsZero() {
			told = s.retired
		}
		f.Telling = by(told)
		o.facts.Services = append(o.facts.Services, f)
		for _, own := range s.owners {
			w := event.Ownership{Service: s.id, Team: own.team.id, From: own.from, To: own.to}
			w.Telling = by(o.from)
			for _, at := range []time.Time{own.from, own.to} {
				if at.After(w.UpdatedAt) {
					w.Telling = by(at)
				}
			}
			o.facts.Ownerships = append(o.facts.Ownerships, w)
		}
	}
}
