package metrics

import (
	"maps"
	"slices"
)

// What follows has lists of records kept like other answers; see kept.go.

func (l ServiceList) points() int    { return 1 + len(l.Services) }
func (l TeamList) points() int       { return 1 + len(l.Teams) }
func (l DeploymentList) points() int { return 1 + len(l.Deployments) }
func (l ChangeList) points() int     { return 1 + len(l.Changes) }
func (l IncidentList) points() int   { return 1 + len(l.Incidents) }
func (ServiceRecord) points() int    { return 1 }
func (TeamRecord) points() int       { return 1 }

func (l ServiceList) clone() ServiceList {
	l.Services, l.Flags, l.Facets = cloneEach(l.Services, ServiceRecord.clone), slices.Clone(l.Flags), maps.Clone(l.Facets)
	for name, values := range l.Facets {
		l.Facets[name] = slices.Clone(values)
	}
	return l
}

func (l TeamList) clone() TeamList {
	l.Teams, l.Flags = cloneEach(l.Teams, TeamRecord.clone), slices.Clone(l.Flags)
	return l
}

func (l DeploymentList) clone() DeploymentList {
	l.Deployments, l.Flags = cloneEach(l.Deployments, DeploymentRecord.clone), slices.Clone(l.Flags)
	return l
}

func (l ChangeList) clone() ChangeList {
	l.Changes, l.Flags = cloneEach(l.Changes, ChangeRecord.clone), slices.Clone(l.Flags)
	return l
}

func (l IncidentList) clone() IncidentList {
	l.Incidents, l.Flags = cloneEach(l.Incidents, IncidentRecord.clone), slices.Clone(l.Flags)
	return l
}

func cloneEach[T any](list []T, clone func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = clone(list[i])
	}
	return list
}

func (s ServiceRecord) clone() ServiceRecord {
	s.Owners, s.Repositories, s.Dependencies, s.Dependents = slices.Clone(s.Owners), slices.Clone(s.Repositories), slices.Clone(s.Dependencies), slices.Clone(s.Dependents)
	s.Tags, s.Aliases, s.Capabilities = slices.Clone(s.Tags), slices.Clone(s.Aliases), maps.Clone(s.Capabilities)
	s.CreatedAt, s.RetiredAt, s.FirstDeployedAt, s.LastDeployedAt = clonePointer(s.CreatedAt), clonePointer(s.RetiredAt), clonePointer(s.FirstDeployedAt), clonePointer(s.LastDeployedAt)
	for i := range s.Repositories {
		r := &s.Repositories[i]
		r.Paths, r.SharedPaths = slices.Clone(r.Paths), slices.Clone(r.SharedPaths)
	}
	return s
}

func (t TeamRecord) clone() TeamRecord {
	t.Children, t.Services, t.CreatedAt, t.RetiredAt = slices.Clone(t.Children), slices.Clone(t.Services), clonePointer(t.CreatedAt), clonePointer(t.RetiredAt)
	return t
}

func (d DeploymentRecord) clone() DeploymentRecord {
	d.Teams, d.Targets, d.FailedBy, d.ReworkOf, d.Flags = slices.Clone(d.Teams), slices.Clone(d.Targets), slices.Clone(d.FailedBy), slices.Clone(d.ReworkOf), slices.Clone(d.Flags)
	d.StartedAt, d.CompletedAt, d.RestoredAt, d.LeadTimeP50Hours = clonePointer(d.StartedAt), clonePointer(d.CompletedAt), clonePointer(d.RestoredAt), clonePointer(d.LeadTimeP50Hours)
	return d
}

func (c ChangeRecord) clone() ChangeRecord {
	c.Teams, c.Commits, c.Flags = slices.Clone(c.Teams), slices.Clone(c.Commits), slices.Clone(c.Flags)
	c.OpenedAt, c.MergedAt, c.DeployedAt, c.LeadTimeHours = clonePointer(c.OpenedAt), clonePointer(c.MergedAt), clonePointer(c.DeployedAt), clonePointer(c.LeadTimeHours)
	s := &c.Stages
	s.Coding, s.Pickup, s.Review, s.WaitToDeploy, s.Deploy = clonePointer(s.Coding), clonePointer(s.Pickup), clonePointer(s.Review), clonePointer(s.WaitToDeploy), clonePointer(s.Deploy)
	return c
}

func (i IncidentRecord) clone() IncidentRecord {
	i.Teams, i.DetectedAt, i.AcknowledgedAt = slices.Clone(i.Teams), clonePointer(i.DetectedAt), clonePointer(i.AcknowledgedAt)
	i.RestoredAt, i.ResolvedAt, i.HoursToRestore = clonePointer(i.RestoredAt), clonePointer(i.ResolvedAt), clonePointer(i.HoursToRestore)
	return i
}
