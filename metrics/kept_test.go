package metrics_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/store/storetest"
	"cairn/metrics"
)

// Whatever arrives shows in the next answer, whether somebody tells of it or only the store knows: facts that attribution
// takes in, and facts that metrics read as they are. Without arrivals the same answer is given, as of the same instant,
// until it is old.
func TestWhatArrivesShowsInTheNextAnswer(t *testing.T) {
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, told := range []bool{true, false} {
		t.Run(map[bool]string{true: "told", false: "found"}[told], func(t *testing.T) {
			st := storetest.New(t)
			now := day.AddDate(0, 1, 0)
			e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { now = now.Add(time.Second); return now }, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			in, err := ingest.New(ingest.DefaultConfig(), st)
			if err != nil {
				t.Fatal(err)
			}
			if told {
				arrived := e.Feed()
				in.Touched = func(map[string]int) { arrived() }
			}
			ask := func(metric string) metrics.Result {
				t.Helper()
				res, err := e.Query(t.Context(), metrics.Request{Metric: metric, Window: window(t, "2026-02-01", "2026-02-28", "")})
				if err != nil {
					t.Fatal(err)
				}
				return res
			}
			for i, c := range []struct {
				fact   event.Event
				metric string
				want   any
			}{
				{&event.Deployment{Service: "shop", ID: "1", Environment: "production", Status: "succeeded", FinishedAt: day, Version: "1"}, "deployment_count", 1.0},
				{&event.Deployment{Service: "shop", ID: "2", Environment: "production", Status: "succeeded", FinishedAt: day.Add(time.Hour), Version: "2"}, "deployment_count", 2.0},
				{&event.SLO{ID: "up", Service: "shop", MeasuredAt: day, Target: 0.9, Good: 1, Total: 1}, "slo_attainment", 1.0},
				{&event.SLO{ID: "up", Service: "shop", MeasuredAt: day.Add(time.Hour), Target: 0.9, Good: 0, Total: 1}, "slo_attainment", 0.0},
				{&event.Service{ID: "shop"}, "adoption_rate", 0.0},
				{&event.CapabilityUse{Service: "shop", Capability: "cicd", ObservedAt: day.AddDate(0, 0, 20), State: "golden"}, "adoption_rate", 0.2},
				{&event.CapabilityExemption{Service: "shop", Capability: "docs", Exemption: "not_applicable", ApprovedAt: day}, "adoption_rate", 0.25},
			} {
				before := ask(c.metric)
				var b event.Batch
				b.Append(c.fact)
				if err := in.Write(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
				after, again := ask(c.metric), ask(c.metric)
				if after.Value != c.want || !after.AsOf.After(before.AsOf) {
					t.Errorf("%d: %s is %v as of %s after a fact arrived, want %v", i, c.metric, after.Value, after.AsOf, c.want)
				}
				if again.Value != after.Value || !again.AsOf.Equal(after.AsOf) {
					t.Errorf("%d: %s was computed anew, as of %s and not %s, though nothing arrived", i, c.metric, again.AsOf, after.AsOf)
				}
				ev, err := e.Explain(t.Context(), metrics.Request{Metric: c.metric, Window: window(t, "2026-02-01", "2026-02-28", "")}, metrics.Page{})
				if err != nil || !ev.Result.AsOf.Equal(after.AsOf) {
					t.Errorf("%d: the evidence is as of %s, the answer as of %s; %v", i, ev.Result.AsOf, after.AsOf, err)
				}
			}
			kept := ask("deployment_count")
			grouped, err := e.Query(t.Context(), metrics.Request{Metric: "deployment_count", GroupBy: metrics.GroupByService, Window: window(t, "2026-02-01", "2026-02-28", "")})
			if err != nil || len(grouped.Groups) != 1 {
				t.Errorf("another question got the answer of this one: %+v, %v", grouped.Groups, err)
			}
			now = now.Add(20 * time.Second)
			if old := ask("deployment_count"); !old.AsOf.After(kept.AsOf) {
				t.Errorf("after 20 s the answer is still as of %s", old.AsOf)
			}
		})
	}
}

// Lists of records follow the same rules as metrics: what arrives shows in the next answer, another filter is another
// question, whoever changes an answer changes his own, and nothing is kept longer than the rest.
func TestRecordsShowWhatArrives(t *testing.T) {
	st := storetest.New(t)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	e, err := metrics.New(metrics.DefaultConfig(), st, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	arrived := e.Feed()
	in.Touched = func(map[string]int) { arrived() }
	tell := func(facts ...event.Event) {
		t.Helper()
		var b event.Batch
		for _, f := range facts {
			b.Append(f)
		}
		if err := in.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	day := now.AddDate(0, 0, -10)
	deployed := func(id string, at time.Time) *event.Deployment {
		return &event.Deployment{Service: "shop", ID: id, Environment: "production", Status: "succeeded", FinishedAt: at, Version: id}
	}
	counts := func() [6]int {
		t.Helper()
		services, err := e.Services(t.Context(), metrics.ServiceFilter{}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		teams, err := e.Teams(t.Context(), metrics.TeamFilter{}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		failed, fine := true, false
		deployments, err := e.Deployments(t.Context(), metrics.DeploymentFilter{}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		bad, err := e.Deployments(t.Context(), metrics.DeploymentFilter{Failed: &failed}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		good, err := e.Deployments(t.Context(), metrics.DeploymentFilter{Failed: &fine}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		incidents, err := e.Incidents(t.Context(), metrics.IncidentFilter{}, metrics.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		got := [6]int{len(services.Services), len(teams.Teams), len(deployments.Deployments), len(bad.Deployments), len(good.Deployments), len(incidents.Incidents)}
		for i := range deployments.Deployments {
			deployments.Deployments[i].ID = "changed"
		}
		for i := range services.Services {
			services.Services[i].ID, services.Services[i].Capabilities["changed"] = "changed", "changed"
		}
		return got
	}
	for i, c := range []struct {
		fact event.Event
		want [6]int
	}{
		{deployed("1", day), [6]int{1, 0, 1, 0, 1, 0}},
		{deployed("2", day.Add(time.Hour)), [6]int{1, 0, 2, 0, 2, 0}},
		{&event.Ownership{Service: "shop", Team: "red"}, [6]int{1, 1, 2, 0, 2, 0}},
		{&event.Incident{ID: "i1", Service: "shop", StartedAt: day.Add(2 * time.Hour), CausedByDeployment: "2"}, [6]int{1, 1, 2, 1, 1, 1}},
	} {
		tell(c.fact)
		for range 2 {
			if got := counts(); got != c.want {
				t.Errorf("%d: got %v services, teams, deployments, failed ones, others, incidents; want %v", i, got, c.want)
			}
		}
	}
	list, err := e.Deployments(t.Context(), metrics.DeploymentFilter{}, metrics.Paging{Limit: 1})
	if err != nil || len(list.Deployments) != 1 || list.Deployments[0].ID != "2" || list.Next == "" {
		t.Errorf("another page got the answer of this one: %+v, %v", list, err)
	}
	owners, err := e.Ownerships(t.Context(), []string{"shop", "nobody"})
	if err != nil || len(owners["shop"]) != 1 || owners["shop"][0].Team != "red" || owners["shop"][0].From != nil || len(owners["nobody"]) != 0 {
		t.Errorf("got the owners %+v, %v", owners, err)
	}

	// As time goes on, an answer stands as long as others do.
	tell(&event.Ownership{Service: "shop", Team: "blue", From: day, To: now.Add(10 * time.Second)})
	for _, c := range []struct {
		after  time.Duration
		owners []string
	}{{0, []string{"blue", "red"}}, {15 * time.Second, []string{"blue", "red"}}, {20 * time.Second, []string{"red"}}} {
		now = day.AddDate(0, 0, 10).Add(c.after)
		s, err := e.Service(t.Context(), "shop")
		if err != nil || !slices.Equal(s.Owners, c.owners) {
			t.Errorf("after %s: shop belongs to %v, %v, want %v", c.after, s.Owners, err, c.owners)
		}
	}
}
