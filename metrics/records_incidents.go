package metrics

import (
	"context"
	"slices"
	"time"

	"cairn/internal/fault"
)

// IncidentRecord is one incident.
type IncidentRecord struct {
	ID             string     `json:"id"`
	Service        string     `json:"service"`
	Teams          []string   `json:"teams"` // who owned the service when it began
	Title          string     `json:"title"`
	Severity       string     `json:"severity"`
	StartedAt      time.Time  `json:"started_at"`
	DetectedAt     *time.Time `json:"detected_at"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	RestoredAt     *time.Time `json:"restored_at"` // null while it is open
	ResolvedAt     *time.Time `json:"resolved_at"`
	HoursToRestore *float64   `json:"hours_to_restore"`
	Cause          string     `json:"cause"`      // as told: deployment, external, unknown or ""
	Deployment     string     `json:"deployment"` // the one that it is blamed on
	Rule           string     `json:"rule"`       // why it is blamed on that
	FixedBy        string     `json:"fixed_by"`   // as told
	Source         string     `json:"source"`
	URL            string     `json:"url"`
}

// IncidentFilter says which incidents to list; what is empty does not matter. The span is [From, To) of StartedAt.
type IncidentFilter struct {
	Service  string // id or alias
	Team     string // owned then by this team or one below it
	Open     *bool
	Cause    string
	From, To time.Time
}

// IncidentList is a page of incidents, newest first.
type IncidentList struct {
	Incidents []IncidentRecord `json:"incidents"`
	Next      string           `json:"next"` // cursor of the next page; "" when this is the last
	Flags     []string         `json:"flags"`
}

// IncidentCauses are the causes that incidents are told to have.
func IncidentCauses() []string { return []string{"deployment", "external", "unknown"} }

// Incidents lists incidents, newest first. Errors are fault.Invalid for what makes no sense and fault.NotFound for an
// unknown service or team.
func (e *Engine) Incidents(ctx context.Context, f IncidentFilter, p Paging) (IncidentList, error) {
	key := recordsKey{list: "incidents", state: either(f.Open), paging: p}
	asked := f
	asked.Open, asked.From, asked.To = nil, instant(f.From), instant(f.To)
	key.filter = asked
	return answered(ctx, e, key, func(ctx context.Context, stale bool) (IncidentList, error) {
		found, err := e.findIncidents(ctx, f, p, stale)
		return found, listed("Incidents", err)
	})
}

func (e *Engine) findIncidents(ctx context.Context, f IncidentFilter, p Paging, stale bool) (IncidentList, error) {
	if causes := IncidentCauses(); f.Cause != "" && !slices.Contains(causes, f.Cause) {
		return IncidentList{}, fault.New(fault.Invalid, "cause is %q: expected one of %v", f.Cause, causes)
	}
	q, flags, err := e.records(ctx, Scope{Service: f.Service, Team: f.Team}, stale)
	if err != nil {
		return IncidentList{}, err
	}
	v := q.use()
	v["cause"], v["any_state"], v["open"] = f.Cause, f.Open == nil, f.Open != nil && *f.Open
	if err := span(v, f.From, f.To); err != nil {
		return IncidentList{}, err
	}
	limit, err := p.newest("incidents", v, "service", "id")
	if err != nil {
		return IncidentList{}, err
	}
	var rows []struct {
		ID             string     `ch:"id"`
		Service        string     `ch:"service"`
		StartedAt      time.Time  `ch:"started_at"`
		Teams          []string   `ch:"teams"`
		Title          string     `ch:"title"`
		Severity       string     `ch:"severity"`
		RestoredAt     *time.Time `ch:"restored_at"`
		Cause          string     `ch:"cause"`
		Deployment     string     `ch:"deployment"`
		Rule           string     `ch:"rule"`
		URL            string     `ch:"url"`
		DetectedAt     *time.Time `ch:"detected_at"`
		AcknowledgedAt *time.Time `ch:"acknowledged_at"`
		ResolvedAt     *time.Time `ch:"resolved_at"`
		FixedBy        string     `ch:"fixed_by"`
		Source         string     `ch:"source"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/incidents"), v); err != nil {
		return IncidentList{}, err
	}
	found := []IncidentRecord{}
	for _, r := range rows {
		i := IncidentRecord{
			ID: r.ID, Service: r.Service, Teams: r.Teams, Title: r.Title, Severity: r.Severity, StartedAt: r.StartedAt.UTC(),
			DetectedAt: utc(r.DetectedAt), AcknowledgedAt: utc(r.AcknowledgedAt), RestoredAt: utc(r.RestoredAt), ResolvedAt: utc(r.ResolvedAt),
			Cause: r.Cause, Deployment: r.Deployment, Rule: r.Rule, FixedBy: r.FixedBy, Source: r.Source, URL: r.URL,
		}
		if r.RestoredAt != nil {
			hours := max(0, float64(r.RestoredAt.Sub(r.StartedAt).Milliseconds())/3_600_000)
			i.HoursToRestore = &hours
		}
		found = append(found, i)
	}
	list := IncidentList{Flags: flags}
	list.Incidents, list.Next = page(found, limit, func(i IncidentRecord) string { return cursor("incidents", millis(i.StartedAt), i.Service, i.ID) })
	return list, nil
}
