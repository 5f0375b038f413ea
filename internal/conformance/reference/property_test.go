package reference_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cairn/internal/conformance"
	"cairn/internal/conformance/conformancetest"
	"cairn/internal/conformance/reference"
)

// ask returns the whole answer to every question of the case.
func ask(t *rapid.T, c conformance.Case) []conformance.Answer {
	var got []conformance.Answer
	for _, e := range c.Expected {
		one, err := reference.Answer(c, e)
		if err != nil {
			t.Fatalf("%s of %s: %v", e.Metric, e.Scope, err)
		}
		got = append(got, one)
	}
	return got
}

// same fails where the second case answers a question of the first in another way.
func same(t *rapid.T, first, second conformance.Case, except ...string) {
	before, after := ask(t, first), ask(t, second)
	for i, e := range first.Expected {
		if !slices.Contains(except, e.Metric) && !conformance.Equal(after[i].Value, before[i].Value) {
			t.Errorf("%s of %s %+v %s: got %v, want %v", e.Metric, e.Scope, e.Window, e.Bucket, after[i].Value, before[i].Value)
		}
	}
	if t.Failed() {
		t.Log(conformancetest.JSON(first))
	}
}

const questions = 60

func TestRatiosLieBetween0And1(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conformancetest.Case(t, conformancetest.Everything(), questions)
		for i, got := range ask(t, c) {
			e := c.Expected[i]
			values := []any{got.Value}
			switch v := got.Value.(type) {
			case []any:
				values = v
			case []float64:
				values = []any{v[0], v[1]}
			}
			ratio := strings.HasSuffix(e.Metric, "_rate") || strings.HasSuffix(e.Metric, "_share") || strings.HasPrefix(e.Metric, "csat") ||
				slices.Contains([]string{"adoption_index", "slo_attainment", "slo_coverage", "change_failure_rate_ci95"}, e.Metric)
			for _, v := range values {
				if number, some := v.(float64); some && ratio && (number < -1e-12 || number > 1+1e-12) {
					t.Errorf("%s of %s: got %v", e.Metric, e.Scope, number)
				}
				if number, some := v.(float64); some && number < 0 && !strings.HasPrefix(e.Metric, "enps") && !ratio &&
					e.Metric != "error_budget_remaining" {
					t.Errorf("%s of %s: got %v", e.Metric, e.Scope, number)
				}
			}
		}
	})
}

func TestARedeployChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		may := conformancetest.Everything()
		may.UnknownRevisions, may.PartialRevisions = false, false // a redeploy of those tells something new
		c := conformancetest.Case(t, may, questions)
		last := map[string]conformance.Deployment{} // by id, as told last
		for _, d := range c.Events.Deployments {
			if old, told := last[d.ID]; d.UpdatedAt.Before(old.UpdatedAt) && told || d.UpdatedAt.After(c.AsOf) {
				continue
			}
			last[d.ID] = d
		}
		var live *conformance.Deployment // the latest successful production run on its target
		for _, d := range last {
			name := strings.TrimPrefix(d.Service, "old-")
			if d.Environment != "production" || d.Status != "succeeded" || d.FinishedAt.After(c.AsOf) || name != "s0" || d.Target != "eu" {
				continue
			}
			if live == nil || d.FinishedAt.After(live.FinishedAt) || d.FinishedAt.Equal(live.FinishedAt) && d.ID > live.ID {
				live = &d
			}
		}
		if live == nil {
			t.Skip("nothing is live")
		}
		again := *live
		again.ID, again.FinishedAt, again.UpdatedAt = "redeploy", again.FinishedAt.Add(time.Second), time.Time{}
		again.Remediates, again.IsHotfix, again.IsRollback = nil, true, true
		more := c
		more.Events.Deployments = append(slices.Clone(c.Events.Deployments), again)
		same(t, c, more, "redeploy_count")
	})
}

func TestOrderAndRepetitionOfTellingsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conformancetest.Case(t, conformancetest.Everything(), questions)
		shuffled := c
		e := &shuffled.Events
		e.Deployments = append(slices.Clone(e.Deployments), e.Deployments...)
		slices.SortStableFunc(e.Deployments, func(a, b conformance.Deployment) int { return strings.Compare(b.ID, a.ID) })
		e.Commits = rapid.Permutation(e.Commits).Draw(t, "commits")
		e.PullRequests = rapid.Permutation(e.PullRequests).Draw(t, "pull requests")
		e.Incidents = rapid.Permutation(e.Incidents).Draw(t, "incidents")
		e.Services = rapid.Permutation(e.Services).Draw(t, "services")
		e.Ownership = rapid.Permutation(e.Ownership).Draw(t, "ownership")
		e.People = rapid.Permutation(e.People).Draw(t, "people")
		e.AdoptionSignals = rapid.Permutation(e.AdoptionSignals).Draw(t, "signals")
		e.SLOs = rapid.Permutation(e.SLOs).Draw(t, "objectives")
		same(t, c, shuffled)
	})
}

func TestTheOrganisationIsTheSumOfItsServices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conformancetest.Case(t, conformancetest.Everything(), 1)
		for _, metric := range []string{
			"deployment_count", "deployment_count_all", "redeploy_count", "rollback_count", "lead_time_n", "lead_time_excluded_negative",
			"failed_deployment_unresolved",
		} {
			number := func(scope conformance.Scope) int {
				e := c.Expected[0]
				e.Metric, e.Scope, e.Bucket = metric, scope, ""
				got, err := reference.Compute(c, e)
				if err != nil {
					t.Fatal(err)
				}
				return got.(int)
			}
			services, teams := 0, 0
			for _, s := range c.Events.Services {
				services += number(conformance.Scope{Service: s.ID})
			}
			for _, team := range c.Events.Teams {
				teams += number(conformance.Scope{Team: team.ID})
			}
			if org := number(conformance.Scope{Org: true}); org != services || teams > org {
				t.Errorf("%s: got org %d, services %d, teams %d", metric, org, services, teams)
			}
		}
	})
}

func TestBucketsAddUpToTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		may := conformancetest.Everything()
		may.Retirement = false // what a service does after its retirement is in no bucket
		c := conformancetest.Case(t, may, 1)
		e := c.Expected[0]
		e.Metric, e.Bucket = rapid.SampledFrom([]string{"deployment_count", "deployment_count_all", "redeploy_count", "lead_time_n"}).Draw(t, "metric"), ""
		whole, err := reference.Compute(c, e)
		if err != nil {
			t.Fatal(err)
		}
		e.Bucket = rapid.SampledFrom([]string{"day", "iso_week", "month"}).Draw(t, "bucket")
		series, err := reference.Compute(c, e)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, v := range series.([]any) {
			if v != nil {
				sum += v.(int)
			}
		}
		if sum != whole {
			t.Errorf("%s of %s by %s: got %v, want %v\n%s", e.Metric, e.Scope, e.Bucket, series, whole, conformancetest.JSON(c))
		}
	})
}

// Later facts are unknown: leaving them out of the history gives the same answers.
func TestTheFutureIsUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conformancetest.Case(t, conformancetest.Everything(), questions)
		past := c
		e := &past.Events
		e.Deployments = slices.DeleteFunc(slices.Clone(e.Deployments), func(d conformance.Deployment) bool { return d.UpdatedAt.After(c.AsOf) })
		e.Incidents = slices.DeleteFunc(slices.Clone(e.Incidents), func(i conformance.Incident) bool { return i.StartedAt.After(c.AsOf) })
		for i := range e.Incidents {
			forget(c.AsOf, &e.Incidents[i].RestoredAt, &e.Incidents[i].ResolvedAt)
		}
		e.PullRequests = slices.Clone(e.PullRequests)
		for i := range e.PullRequests {
			forget(c.AsOf, &e.PullRequests[i].MergedAt)
		}
		e.Services = slices.Clone(e.Services)
		for i := range e.Services {
			forget(c.AsOf, &e.Services[i].RetiredAt)
		}
		e.AdoptionSignals = slices.DeleteFunc(slices.Clone(e.AdoptionSignals), func(s conformance.Signal) bool {
			capabilities := slices.ContainsFunc(e.AdoptionSignals, func(other conformance.Signal) bool {
				return other.Capability == s.Capability && !other.ObservedAt.After(c.AsOf)
			})
			return s.ObservedAt.After(c.AsOf) && capabilities // a capability that occurs counts, whenever
		})
		same(t, c, past)
	})
}

func forget(asOf time.Time, times ...*time.Time) {
	for _, at := range times {
		if at.After(asOf) {
			*at = time.Time{}
		}
	}
}

func TestAnUnknownMetricIsAnError(t *testing.T) {
	c := conformance.Case{AsOf: time.Now()}
	_, err := reference.Compute(c, conformance.Expectation{
		Metric: "velocity", Scope: conformance.Scope{Org: true}, TimeZone: "UTC", Window: conformance.Window{From: "2026-01-01", To: "2026-01-02"},
	})
	if got := fmt.Sprint(err); !strings.Contains(got, "velocity") {
		t.Errorf("got %v", err)
	}
}
