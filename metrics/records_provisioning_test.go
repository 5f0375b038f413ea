package metrics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
	"cairn/metrics"
)

// What was asked of the platform is told with how it went: what is open counts in no time, what nobody waited for has no
// time of approval, and where no team is told the owners then asked.
func TestWhatWasAskedOfThePlatformIsTold(t *testing.T) {
	st, e := beside(t)
	insert(t, st, "services", row{"id": "shop", "aliases": []string{"store"}, "updated_at": "2026-01-01 00:00:00", "version": 1})
	for _, id := range []string{"red", "blue"} {
		insert(t, st, "teams", row{"id": id, "updated_at": "2026-01-01 00:00:00", "version": 1})
	}
	insert(t, st, "ownership", row{"service": "shop", "team": "red", "valid_from": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "valid_to": time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC), "updated_at": "2026-01-01 00:00:00", "version": 1})
	insert(t, st, "ownership", row{"service": "shop", "team": "blue", "valid_from": time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC), "updated_at": "2026-01-01 00:00:00", "version": 1})
	n := 0
	ask := func(id, way, status, at string, more row) {
		n++
		r := row{"source": "x", "id": id, "service": "store", "way": way, "status": status, "requested_at": at, "resource_type": "postgres", "updated_at": at, "version": n}
		for name, value := range more {
			r[name] = value
		}
		insert(t, st, "provisioning_requests", r)
	}
	claim := row{"on_platform": true}
	ask("r1", "crossplane_claim", "requested", "2026-02-01 10:00:00", claim)
	ask("r1", "crossplane_claim", "ready", "2026-02-01 10:00:00", row{"on_platform": true, "ready_at": "2026-02-01 11:00:00"})
	ask("r2", "crossplane_claim", "deleted", "2026-02-11 10:00:00", row{"on_platform": true, "ready_at": "2026-02-11 13:00:00", "deleted_at": "2026-02-12 10:00:00"})
	ask("r3", "crossplane_claim", "failed", "2026-02-12 10:00:00", row{"on_platform": true, "failed_at": "2026-02-12 10:05:00"})
	ask("r4", "ticket", "in_progress", "2026-02-13 10:00:00", row{"team": "red", "approved_at": "2026-02-13 16:00:00"})
	ask("r5", "ticket", "requested", "2026-02-14 10:00:00", row{"service": "", "team": "red"})
	ask("r4", "ticket", "requested", "2026-02-13 10:00:00", row{"source": "y", "team": "red"}) // of another desk, with the same id
	ask("r0", "ticket", "ready", "2026-01-01 00:00:00", row{"service": "new", "ready_at": "2026-01-01 01:00:00"})
	insert(t, st, "ownership", row{"service": "new", "team": "blue", "valid_from": time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), "updated_at": "2026-01-03 00:00:00", "version": 1})
	ask("r6", "ticket", "ready", "2025-02-14 10:00:00", row{"ready_at": "2025-02-15 10:00:00"})

	at := func(s string) time.Time { v, _ := time.Parse(time.DateOnly, s); return v }
	get := func(f metrics.RequestFilter, p metrics.Paging) metrics.RequestList {
		t.Helper()
		f.From = at("2026-01-01")
		list, err := e.Requests(t.Context(), f, p)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	ids := func(list metrics.RequestList) (ids []string) {
		for _, r := range list.Requests {
			ids = append(ids, r.ID+" of "+r.Service+" by "+r.Teams[0])
		}
		return ids
	}
	list := get(metrics.RequestFilter{}, metrics.Paging{})
	number := func(v float64) *float64 { return &v }
	if diff := cmp.Diff([]metrics.RequestWay{
		{Way: "ticket", Requests: 4, Ready: 1, Open: 3, SuccessRatio: number(1), HoursToReadyP50: number(1), HoursToReadyP90: number(1), Approved: 1, HoursToApprovalP50: number(6)},
		{Way: "crossplane_claim", Requests: 3, Ready: 2, Failed: 1, OnPlatform: 3, SuccessRatio: number(2.0 / 3), HoursToReadyP50: number(2), HoursToReadyP90: number(2.8)},
	}, list.Ways); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"r5 of  by red", "r4 of shop by red", "r4 of shop by red", "r3 of shop by blue", "r2 of shop by blue", "r1 of shop by red", "r0 of new by blue"}, ids(list)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if h := list.Requests[4].HoursToReady; h == nil || *h != 3 || list.Requests[3].HoursToReady != nil {
		t.Errorf("hours to ready: %v", h)
	}
	for name, c := range map[string]struct {
		f    metrics.RequestFilter
		want []string
	}{
		"a team":    {metrics.RequestFilter{Team: "red"}, []string{"r5 of  by red", "r4 of shop by red", "r4 of shop by red", "r1 of shop by red"}},
		"a service": {metrics.RequestFilter{Service: "store"}, []string{"r4 of shop by red", "r4 of shop by red", "r3 of shop by blue", "r2 of shop by blue", "r1 of shop by red"}},
		"a way":     {metrics.RequestFilter{Way: "ticket"}, []string{"r5 of  by red", "r4 of shop by red", "r4 of shop by red", "r0 of new by blue"}},
		"a status":  {metrics.RequestFilter{Status: "failed"}, []string{"r3 of shop by blue"}},
	} {
		if diff := cmp.Diff(c.want, ids(get(c.f, metrics.Paging{}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var paged []string
	p := metrics.Paging{Limit: 2}
	for {
		one := get(metrics.RequestFilter{}, p)
		paged = append(paged, ids(one)...)
		if p.Cursor = one.Next; p.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(ids(list), paged); diff != "" {
		t.Errorf("by pages (-want +got):\n%s", diff)
	}
	if _, err := e.Requests(t.Context(), metrics.RequestFilter{Status: "lost"}, metrics.Paging{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown status: %v", err)
	}
	if _, err := e.Requests(t.Context(), metrics.RequestFilter{Team: "nobody"}, metrics.Paging{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an unknown team: %v", err)
	}
}
