package demo

import (
	"time"

	"cairn/internal/event"
)

// capabilities are what the platform offers.
var capabilities = []string{"catalogue", "provisioning", "cicd", "observability", "docs"}

// adopt decides when a service takes which capability the golden way, and what it does until then.
func (o *organisation) adopt(s *service) {
	c, t := o.chance("adoption "+s.id), s.owners[0].team
	s.golden, s.fallback = map[string]time.Time{}, map[string]string{}
	appeal := map[string]float64{"catalogue": 0.2, "provisioning": -0.05, "cicd": 0.05, "observability": 0, "docs": -0.15}
	span := o.until.Sub(o.from) + 270*24*time.Hour
	for _, capability := range capabilities {
		s.fallback[capability] = "own"
		if c.happens(0.4) && capability != "cicd" || c.happens(0.2) {
			s.fallback[capability] = "none"
		}
		// Some have it from the beginning, some never.
		since := o.until.Add(-time.Duration(c.Float64() * float64(span)))
		takes := c.happens(0.3 + 0.6*t.keen + appeal[capability])
		switch {
		case s.lifecycle == "deprecated":
		case t.id == "payments":
			since, takes = o.story.golden.AddDate(0, 0, 9*o.count(t)), true
			if capability == "docs" {
				since = since.AddDate(0, 2, 0)
			}
		case s.via == "golden_path":
			since, takes = s.created, capability != "docs" || c.happens(0.7)
		case capability == "cicd" && t.keen >= 0.75:
			since, takes = o.from, true
		case t.id == "platform":
			since, takes = o.from.AddDate(0, c.IntN(6), 0), true
		}
		if takes {
			s.golden[capability] = later(since, s.created)
		}
	}
	for _, e := range o.exemptions() {
		if e.Service == s.id {
			delete(s.golden, e.Capability)
		}
	}
}

// count is how many services of a team are in the catalogue already.
func (o *organisation) count(t *team) int {
	n := 0
	for _, s := range o.services {
		if s.owners[0].team == t {
			n++
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// exemptions are the decisions that something need not be.
func (o *organisation) exemptions() []event.CapabilityExemption {
	before := func(days int) time.Time { return o.until.AddDate(0, 0, -days).Truncate(24 * time.Hour) }
	row := func(service, capability, kind string, approved, expires int, reason string) event.CapabilityExemption {
		e := event.CapabilityExemption{Service: service, Capability: capability, Exemption: kind, ApprovedAt: before(approved), Reason: reason}
		if expires != 0 {
			e.ExpiresAt = before(expires)
		}
		e.Telling = by(e.ApprovedAt)
		return e
	}
	return []event.CapabilityExemption{
		row("email-templates", "provisioning", "not_applicable", 400, 0, "Keeps nothing: templates are files in the image."),
		row("content-preview", "observability", "not_applicable", 310, 0, "Runs on an editor's machine; nobody is called when it is down."),
		row("fraud-screening", "provisioning", "escape_hatch", 240, -90, "Needs machines with graphics processors, which the platform does not have yet."),
		row("product-attribute-validation-and-enrichment-pipeline", "cicd", "escape_hatch", 170, -20, "Its builds take longer than the shared pipeline allows."),
		row("warehouse-gateway", "observability", "escape_hatch", 130, -200, "The warehouses' machines speak to a collector of their own."),
		row("supplier-portal", "cicd", "escape_hatch", 200, 35, "Until the old supplier accounts are migrated."),
	}
}

func (o *organisation) tellCapabilities() {
	for _, s := range o.services {
		c := o.chance("evidence " + s.id)
		begin := later(s.created, o.from).Truncate(24*time.Hour).AddDate(0, 0, 1+c.IntN(14))
		for at := begin.Add(3 * time.Hour); at.Before(o.until) && s.alive(at); at = at.AddDate(0, 0, 14) {
			for _, capability := range capabilities {
				if capability == "observability" && s.owner(at).id == "identity" && at.After(o.story.collectorEnd) {
					continue // the collector that looks at it is broken
				}
				use := event.CapabilityUse{Service: s.id, Capability: capability, ObservedAt: at, State: s.fallback[capability]}
				if s.has(capability, at) {
					use.State, use.Evidence = "golden", evidence(s, capability)
				}
				o.facts.CapabilityUses = append(o.facts.CapabilityUses, use)
			}
		}
	}
	o.facts.CapabilityExemptions = append(o.facts.CapabilityExemptions, o.exemptions()...)
}

// evidence is what was seen of a capability.
func evidence(s *service, capability string) string {
	switch capability {
	case "catalogue":
		return "entity component:" + s.id + " with an owner"
	case "provisioning":
		return "claims of " + s.id + " in the plan"
	case "cicd":
		return "pipeline build-" + language(s) + "@v3"
	case "observability":
		return "telemetry with service.name=" + s.id
	}
	return "https://docs.linden.example/" + s.id
}
