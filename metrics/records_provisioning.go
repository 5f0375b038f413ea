package metrics

import (
	"context"
	"math"
	"slices"
	"time"

	"cairn/internal/fault"
)

// RequestRecord is something that was asked of the platform: a database, an environment, a new service.
type RequestRecord struct {
	ID           string     `json:"id"`
	Source       string     `json:"source"`
	Service      string     `json:"service"` // "" when it is for no one service
	Teams        []string   `json:"teams"`   // that asked; where nobody is told, who owned the service then
	ResourceType string     `json:"resource_type"`
	Way          string     `json:"way"`         // such as backstage_template, crossplane_claim or ticket
	OnPlatform   bool       `json:"on_platform"` // served without a person in between
	Environment  string     `json:"environment"`
	Status       string     `json:"status"` // requested, in_progress, ready, failed or deleted
	RequestedAt  time.Time  `json:"requested_at"`
	ApprovedAt   *time.Time `json:"approved_at"`
	ReadyAt      *time.Time `json:"ready_at"`
	FailedAt     *time.Time `json:"failed_at"`
	DeletedAt    *time.Time `json:"deleted_at"`
	HoursToReady *float64   `json:"hours_to_ready"` // null until it was ready
	URL          string     `json:"url"`
}

// RequestWay is how requests went that were made in one way.
type RequestWay struct {
	Way                string   `json:"way"`
	Requests           int64    `json:"requests"`
	Ready              int64    `json:"ready"`
	Failed             int64    `json:"failed"`
	Open               int64    `json:"open"`                  // neither yet
	OnPlatform         int64    `json:"on_platform"`           // served without a person in between
	SuccessRatio       *float64 `json:"success_ratio"`         // ready of ready and failed; null when none has ended
	HoursToReadyP50    *float64 `json:"hours_to_ready_p50"`    // of those that became ready; null when none did
	HoursToReadyP90    *float64 `json:"hours_to_ready_p90"`    // the same
	Approved           int64    `json:"approved"`              // that waited for an approval and got it
	HoursToApprovalP50 *float64 `json:"hours_to_approval_p50"` // a part of the time to ready; null when none waited
}

// RequestFilter says which requests to list; what is empty does not matter. The span is [From, To) of RequestedAt.
type RequestFilter struct {
	Service  string // id or alias
	Team     string // asked by this team or one below it
	Way      string
	Status   string
	From, To time.Time
}

// RequestList is a page of requests, newest first, with how all that fit went.
type RequestList struct {
	Ways     []RequestWay    `json:"ways"` // of all pages, the most used first
	Requests []RequestRecord `json:"requests"`
	Next     string          `json:"next"` // cursor of the next page; "" when this is the last
	Flags    []string        `json:"flags"`
}

// RequestStatuses are the statuses that requests are told to have.
func RequestStatuses() []string {
	return []string{"requested", "in_progress", "ready", "failed", "deleted"}
}

// Requests lists what was asked of the platform, newest first. Errors are fault.Invalid for what makes no sense and
// fault.NotFound for an unknown service or team.
func (e *Engine) Requests(ctx context.Context, f RequestFilter, p Paging) (RequestList, error) {
	list, err := e.findRequests(ctx, f, p)
	return list, listed("Requests", err)
}

func (e *Engine) findRequests(ctx context.Context, f RequestFilter, p Paging) (RequestList, error) {
	if all := RequestStatuses(); f.Status != "" && !slices.Contains(all, f.Status) {
		return RequestList{}, fault.New(fault.Invalid, "status is %q: expected one of %v", f.Status, all)
	}
	stale, err := e.freshen(ctx)
	if err != nil {
		return RequestList{}, err
	}
	q, flags, err := e.records(ctx, Scope{Service: f.Service, Team: f.Team}, stale)
	if err != nil {
		return RequestList{}, err
	}
	v := q.use()
	v["way"], v["status"] = f.Way, f.Status
	if f.Team != "" {
		v["any_service"] = true // the requests of a team are those that it made, whosever the service is
	}
	if err := span(v, f.From, f.To); err != nil {
		return RequestList{}, err
	}
	limit, err := p.newest("provisioning", v, "service", "id")
	if err != nil {
		return RequestList{}, err
	}
	list := RequestList{Flags: flags, Ways: []RequestWay{}}
	var ways []struct {
		Way        string    `ch:"way"`
		Requests   int64     `ch:"requests"`
		Ready      int64     `ch:"ready"`
		Failed     int64     `ch:"failed"`
		Open       int64     `ch:"open"`
		OnPlatform int64     `ch:"on_platform"`
		ToReady    []float64 `ch:"to_ready"`
		Approved   int64     `ch:"approved"`
		ToApproval float64   `ch:"to_approval"`
	}
	if err := e.st.Select(ctx, &ways, e.query("records/provisioning_ways"), v); err != nil {
		return RequestList{}, err
	}
	for _, w := range ways {
		one := RequestWay{Way: w.Way, Requests: w.Requests, Ready: w.Ready, Failed: w.Failed, Open: w.Open, OnPlatform: w.OnPlatform, Approved: w.Approved, HoursToApprovalP50: known(w.ToApproval)}
		if ended := w.Ready + w.Failed; ended > 0 {
			one.SuccessRatio = known(float64(w.Ready) / float64(ended))
		}
		if w.Ready > 0 && len(w.ToReady) == 2 {
			one.HoursToReadyP50, one.HoursToReadyP90 = known(w.ToReady[0]), known(w.ToReady[1])
		}
		list.Ways = append(list.Ways, one)
	}
	var rows []struct {
		Key          string     `ch:"key"`
		ID           string     `ch:"request"`
		Source       string     `ch:"source"`
		Service      string     `ch:"service"`
		Teams        []string   `ch:"teams"`
		ResourceType string     `ch:"resource_type"`
		Way          string     `ch:"way"`
		OnPlatform   bool       `ch:"on_platform"`
		Environment  string     `ch:"environment"`
		Status       string     `ch:"status"`
		RequestedAt  time.Time  `ch:"requested_at"`
		ApprovedAt   *time.Time `ch:"approved_at"`
		ReadyAt      *time.Time `ch:"ready_at"`
		FailedAt     *time.Time `ch:"failed_at"`
		DeletedAt    *time.Time `ch:"deleted_at"`
		URL          string     `ch:"url"`
	}
	if err := e.st.Select(ctx, &rows, e.query("records/provisioning"), v); err != nil {
		return RequestList{}, err
	}
	found, keys := []RequestRecord{}, map[[2]string]string{}
	for _, r := range rows {
		keys[[2]string{r.Source, r.ID}] = r.Key
		one := RequestRecord{
			ID: r.ID, Source: r.Source, Service: r.Service, Teams: r.Teams, ResourceType: r.ResourceType, Way: r.Way, OnPlatform: r.OnPlatform, Environment: r.Environment, Status: r.Status,
			RequestedAt: r.RequestedAt.UTC(), ApprovedAt: utc(r.ApprovedAt), ReadyAt: utc(r.ReadyAt), FailedAt: utc(r.FailedAt), DeletedAt: utc(r.DeletedAt), URL: r.URL,
		}
		if r.ReadyAt != nil {
			one.HoursToReady = known(max(0, float64(r.ReadyAt.Sub(r.RequestedAt).Milliseconds())/3_600_000))
		}
		found = append(found, one)
	}
	list.Requests, list.Next = page(found, limit, func(r RequestRecord) string {
		return cursor("provisioning", millis(r.RequestedAt), r.Service, keys[[2]string{r.Source, r.ID}])
	})
	return list, nil
}

// known is a value, nil where there is none.
func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
