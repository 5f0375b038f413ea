package demo

import (
	"fmt"
	"slices"
	"time"

	"cairn/internal/event"
)

// tellProvisioning tells who asked for what: new services at their beginning, and databases, queues and environments now
// and then.
func (o *organisation) tellProvisioning() {
	c := o.chance("provisioning")
	var list []event.ProvisioningRequest
	for _, s := range o.services {
		if s.born > 0 && !s.created.Before(o.from) {
			list = append(list, o.newService(c, s))
		}
		for date := later(o.from, s.created); date.Before(o.until); date = date.AddDate(0, 0, 1) {
			if !s.alive(date) || !c.happens(0.04*diligence(date)) {
				continue
			}
			t := s.owner(date)
			list = append(list, o.provision(c, s, t, t.calendar.instant(c, date)))
		}
	}
	slices.SortStableFunc(list, func(a, b event.ProvisioningRequest) int { return a.RequestedAt.Compare(b.RequestedAt) })
	for i := range list {
		if list[i].RequestedAt.After(o.until) {
			continue
		}
		list[i].ID = fmt.Sprintf("req-%d", i+1)
		o.facts.ProvisioningRequests = append(o.facts.ProvisioningRequests, list[i])
	}
}

// newService is the request from which a service came.
func (o *organisation) newService(c chance, s *service) event.ProvisioningRequest {
	f := event.ProvisioningRequest{
		Team: s.owners[0].team.id, Service: s.id, ResourceType: "service", Way: "ticket", Status: "ready",
		RequestedAt: s.created.Add(-c.hours(90)), ReadyAt: s.created,
	}
	if s.via == "golden_path" {
		f.Way, f.OnPlatform, f.RequestedAt = "backstage_template", true, s.created.Add(-c.minutes(7))
	}
	return f
}

// provision is a request for a resource. On the platform it is ready in minutes; a ticket waits for somebody.
func (o *organisation) provision(c chance, s *service, t *team, at time.Time) event.ProvisioningRequest {
	f := event.ProvisioningRequest{
		Team: t.id, Service: s.id, ResourceType: pick(c, resources), Environment: pick(c, []string{"production", "staging", "development"}),
		RequestedAt: at, Status: "ready",
	}
	if members := o.members(t, at); len(members) > 0 {
		f.Requester = pick(c, members).id
	}
	ready := at
	if s.has("provisioning", at) {
		f.OnPlatform = true
		f.Way = pick(c, []string{"terraform_module", "terraform_module", "crossplane_claim", "crossplane_claim", "crossplane_claim", "port_action", "kratix_promise", "humanitec_resource"})
		ready = at.Add(c.minutes(9))
	} else {
		f.Way = pick(c, []string{"ticket", "ticket", "ticket", "terraform_module", "console"})
		approved := t.calendar.after(at, c.around(7, 0.8))
		ready = t.calendar.after(approved, c.around(9, 0.9))
		f.ApprovedAt = o.past(approved)
	}
	switch {
	case ready.After(o.until):
		f.Status = "requested"
		if !f.ApprovedAt.IsZero() {
			f.Status = "in_progress"
		}
	case c.happens(0.05):
		f.Status, f.FailedAt = "failed", ready
	default:
		f.ReadyAt = ready
		if gone := ready.Add(c.hours(2000)); f.Environment == "development" && gone.Before(o.until) && c.happens(0.5) {
			f.Status, f.DeletedAt = "deleted", gone
		}
	}
	return f
}

var resources = []string{"postgres", "postgres", "redis", "queue", "bucket", "environment", "environment", "dns_name", "certificate", "dashboard"}
