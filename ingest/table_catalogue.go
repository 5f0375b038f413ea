package ingest

import (
	"cmp"
	"time"

	"cairn/internal/event"
)

func teamTable() table[event.Team] {
	return newTable("teams", (*event.Team).Common,
		of("id", func(e *event.Team) string { return e.ID }),
		of("name", func(e *event.Team) string { return e.Name }),
		of("parent", func(e *event.Team) string { return e.Parent }),
		of("time_zone", func(e *event.Team) string { return e.TimeZone }),
		maybe("created_at", func(e *event.Team) *time.Time { return &e.CreatedAt }),
		maybe("retired_at", func(e *event.Team) *time.Time { return &e.RetiredAt }),
	)
}

func personTable() table[event.Person] {
	return newTable("people", (*event.Person).Common,
		of("id", func(e *event.Person) string { return e.ID }),
		of("name", func(e *event.Person) string { return e.Name }),
		of("aliases", func(e *event.Person) []string { return e.Aliases }),
		of("bot", func(e *event.Person) bool { return e.Bot }),
		of("first_day", firstDayOf),
		of("team", func(e *event.Person) string { return e.Team }),
	)
}

func membershipTable() table[event.Membership] {
	return newTable("memberships", (*event.Membership).Common,
		of("person", func(e *event.Membership) string { return e.Person }),
		of("team", func(e *event.Membership) string { return e.Team }),
		always("valid_from", func(e *event.Membership) time.Time { return e.From }),
		maybe("valid_to", func(e *event.Membership) *time.Time { return &e.To }),
	)
}

func serviceTable() table[event.Service] {
	return newTable("services", (*event.Service).Common,
		of("id", func(e *event.Service) string { return e.ID }),
		of("name", func(e *event.Service) string { return e.Name }),
		of("description", func(e *event.Service) string { return e.Description }),
		of("aliases", func(e *event.Service) []string { return e.Aliases }),
		word("system", func(e *event.Service) string { return e.System }),
		word("lifecycle", func(e *event.Service) string { return cmp.Or(e.Lifecycle, "production") }),
		word("tier", func(e *event.Service) string { return e.Tier }),
		maybe("created_at", func(e *event.Service) *time.Time { return &e.CreatedAt }),
		maybe("idea_at", func(e *event.Service) *time.Time { return &e.IdeaAt }),
		maybe("retired_at", func(e *event.Service) *time.Time { return &e.RetiredAt }),
		word("created_via", func(e *event.Service) string { return e.CreatedVia }),
		of("template", func(e *event.Service) string { return e.Template }),
		of("repositories", repositoriesOf),
		of("dependencies", func(e *event.Service) []string { return e.Dependencies }),
		of("tags", func(e *event.Service) []string { return e.Tags }),
		of("documentation", func(e *event.Service) string { return e.Documentation }),
		of("url", func(e *event.Service) string { return e.URL }),
	)
}

func ownershipTable() table[event.Ownership] {
	return newTable("ownership", (*event.Ownership).Common,
		of("service", func(e *event.Ownership) string { return e.Service }),
		of("team", func(e *event.Ownership) string { return e.Team }),
		always("valid_from", func(e *event.Ownership) time.Time { return e.From }),
		maybe("valid_to", func(e *event.Ownership) *time.Time { return &e.To }),
	)
}

func provisioningRequestTable() table[event.ProvisioningRequest] {
	return newTable("provisioning_requests", (*event.ProvisioningRequest).Common,
		of("id", func(e *event.ProvisioningRequest) string { return e.ID }),
		word("team", func(e *event.ProvisioningRequest) string { return e.Team }),
		word("service", func(e *event.ProvisioningRequest) string { return e.Service }),
		of("requester", func(e *event.ProvisioningRequest) string { return e.Requester }),
		word("resource_type", func(e *event.ProvisioningRequest) string { return e.ResourceType }),
		word("way", func(e *event.ProvisioningRequest) string { return e.Way }),
		of("on_platform", func(e *event.ProvisioningRequest) bool { return e.OnPlatform }),
		word("environment", func(e *event.ProvisioningRequest) string { return e.Environment }),
		word("status", func(e *event.ProvisioningRequest) string { return e.Status }),
		always("requested_at", func(e *event.ProvisioningRequest) time.Time { return e.RequestedAt }),
		maybe("approved_at", func(e *event.ProvisioningRequest) *time.Time { return &e.ApprovedAt }),
		maybe("ready_at", func(e *event.ProvisioningRequest) *time.Time { return &e.ReadyAt }),
		maybe("failed_at", func(e *event.ProvisioningRequest) *time.Time { return &e.FailedAt }),
		maybe("deleted_at", func(e *event.ProvisioningRequest) *time.Time { return &e.DeletedAt }),
		of("url", func(e *event.ProvisioningRequest) string { return e.URL }),
	)
}

func capabilityUseTable() table[event.CapabilityUse] {
	return newTable("capability_uses", (*event.CapabilityUse).Common,
		word("service", func(e *event.CapabilityUse) string { return e.Service }),
		word("capability", func(e *event.CapabilityUse) string { return e.Capability }),
		always("observed_at", func(e *event.CapabilityUse) time.Time { return e.ObservedAt }),
		word("state", func(e *event.CapabilityUse) string { return e.State }),
		of("evidence", func(e *event.CapabilityUse) string { return e.Evidence }),
	)
}

func capabilityExemptionTable() table[event.CapabilityExemption] {
	return newTable("capability_exemptions", (*event.CapabilityExemption).Common,
		word("service", func(e *event.CapabilityExemption) string { return e.Service }),
		word("capability", func(e *event.CapabilityExemption) string { return e.Capability }),
		word("exemption", func(e *event.CapabilityExemption) string { return e.Exemption }),
		always("approved_at", func(e *event.CapabilityExemption) time.Time { return e.ApprovedAt }),
		maybe("expires_at", func(e *event.CapabilityExemption) *time.Time { return &e.ExpiresAt }),
		of("reason", func(e *event.CapabilityExemption) string { return e.Reason }),
	)
}

// firstDayOf is the day, or nil. A day that is none was refused before.
func firstDayOf(e *event.Person) *time.Time {
	day, err := time.Parse(time.DateOnly, e.FirstDay)
	if err != nil {
		return nil
	}
	return &day
}

type serviceRepository struct {
	Repository  string   `ch:"repository"`
	Paths       []string `ch:"paths"`
	SharedPaths []string `ch:"shared_paths"`
}

func repositoriesOf(e *event.Service) []serviceRepository {
	list := make([]serviceRepository, len(e.Repositories))
	for i, r := range e.Repositories {
		list[i] = serviceRepository(r)
	}
	return list
}
