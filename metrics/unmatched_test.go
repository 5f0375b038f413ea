package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/metrics"
)

type row = map[string]any

// revision is one of a deployment's, as a row has it.
type revision struct {
	Repository  string `ch:"repository"`
	SHA         string `ch:"sha"`
	PreviousSHA string `ch:"previous_sha"`
	Role        string `ch:"role"`
	Rule        string `ch:"rule"`
}

// What cannot be joined is told with the line that would join it: a name that nobody has, one that several have, and a
// deployment whose commit nobody knows.
func TestWhatCannotBeJoinedIsTold(t *testing.T) {
	st, e := beside(t)
	for id, aliases := range map[string][]string{"shop": {"store", "basket"}, "checkout": {"basket"}, "cart-api": {}, "cart-web": {}, "it's": {}} {
		insert(t, st, "services", row{"id": id, "aliases": aliases, "updated_at": "2026-01-01 00:00:00", "version": 1})
	}
	n := 0
	deploy := func(source, service, id, at string, more row) {
		n++
		r := row{"service": service, "id": id, "attempt": int64(1), "environment": "production", "tier": "production", "status": "succeeded", "source": source, "finished_at": at, "updated_at": at, "version": n}
		for name, value := range more {
			r[name] = value
		}
		insert(t, st, "deployments", r)
	}
	whole := row{"revisions": []revision{{"acme/shop", "1b3fa0c2d4e5f60718293a4b5c6d7e8f90a1b2c3", "", "source", "origin_revision"}}}
	config := []revision{{"acme/config", "2b3fa0c2d4e5f60718293a4b5c6d7e8f90a1b2c3", "", "config", "commit"}}
	deploy("argocd", "shop-prod", "a1", "2026-02-20 10:00:00", whole)
	deploy("argocd", "shop-prod", "a1", "2026-02-20 10:01:00", whole) // told again
	deploy("argocd", "shop-prod", "a2", "2026-02-21 10:00:00", row{"revisions": config, "images": []string{"ghcr.io/acme/shop:v7"}})
	deploy("argocd", "store", "a3", "2026-02-19 10:00:00", row{"revisions": config})
	deploy("ci", "cart", "c1", "2026-02-22 10:00:00", row{"version_name": "v2"})
	deploy("ci", "it", "c2", "2026-02-23 10:00:00", whole)
	deploy("old", "shop", "o1", "2025-02-23 10:00:00", nil) // long ago: no line helps any more
	deploy("flux", "shop", "f1", "2026-02-24 10:00:00", row{"revisions": config, "status": "failed"})
	deploy("forge", "shop", "g1", "2026-02-24 10:00:00", row{"revisions": []revision{config[0], {"acme/shop", "1b3fa0c", "", "source", "commit"}}, "images": []string{"shop"}})
	insert(t, st, "incidents", row{"id": "i1", "service": "Checkout (Production)", "source": "pagerduty", "started_at": "2026-02-25 10:00:00", "updated_at": "2026-02-25 10:00:00", "version": 1})
	put(t, st, "argocd", stream{"system": "argocd", "subject": "", "kind": "deployments"})
	put(t, st, "pagerduty", stream{"system": "pagerduty", "subject": "", "kind": "incidents"})

	got, err := e.Unmatched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := metrics.Unmatched{
		AsOf: got.AsOf, Catalogue: 5, All: 4,
		Names: []metrics.UnmatchedName{
			{Name: "Checkout (Production)", Kind: "incidents", Source: "pagerduty", N: 1, Example: "i1", Suggested: "checkout", Line: "services: [{match: 'Checkout (Production)', service: 'checkout'}]   # of the source pagerduty"},
			{Name: "it", Kind: "deployments", Source: "ci", N: 1, Example: "c2", Suggested: "it's", Line: "aliases: ['it']   # of the service it's, where it is described"},
			{Name: "cart", Kind: "deployments", Source: "ci", N: 1, Example: "c1", Line: "aliases: ['cart']   # of the service SERVICE, where it is described"},
			{Name: "shop-prod", Kind: "deployments", Source: "argocd", N: 2, Example: "a2", Suggested: "shop", Line: "services: [{match: 'shop-prod', service: 'shop'}]   # of the source argocd"},
		},
		Claims: []metrics.UnmatchedClaim{{Name: "basket", Services: []string{"checkout", "shop"}, Line: "take the alias 'basket' from shop, if checkout is meant"}},
		Commits: []metrics.UnmatchedCommit{
			{Source: "argocd", Rules: map[string]int64{"origin_revision": 1}, N: 2, Service: "shop-prod", Run: "a2", Clue: "image ghcr.io/acme/shop:v7", Line: `{"type": "artifact", "id": "ghcr.io/acme/shop:v7", "repository": "OWNER/NAME", "sha": "FULL SHA", "source": "ci"}`},
			{Source: "ci", Rules: map[string]int64{"origin_revision": 1}, N: 1, Service: "cart", Run: "c1", Clue: "version v2", Line: `{"type": "artifact", "id": "OWNER/NAME:v2", "version": "v2", "repository": "OWNER/NAME", "sha": "FULL SHA", "source": "ci"}`},
			{Source: "forge", Rules: map[string]int64{}, N: 1, Service: "shop", Run: "g1", Clue: "acme/shop at 1b3fa0c, which is the beginning of no commit, or of several"},
		},
	}
	want.Twice = []metrics.UnmatchedTwice{}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(metrics.UnmatchedName{}, "Latest"), cmpopts.IgnoreFields(metrics.UnmatchedCommit{}, "Latest")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range got.Commits {
		if c.Latest == nil {
			t.Errorf("%s: no instant of the latest", c.Source)
		}
	}
}

// Two sources that tell one service's deployments are found by that each tells within minutes of the other, and not only by
// chance; the line leaves out the one that knows fewer commits.
func TestDeploymentsThatTwoSourcesTellAreFound(t *testing.T) {
	st, e := beside(t)
	insert(t, st, "services", row{"id": "shop", "aliases": []string{"shop-prod"}, "updated_at": "2026-01-01 00:00:00", "version": 1})
	n := 0
	deploy := func(source, service, environment string, day int, clock string, known bool) {
		n++
		at := fmt.Sprintf("2026-02-%02d %s:00", day, clock)
		r := row{"service": service, "id": fmt.Sprint(n), "attempt": int64(1), "environment": environment, "tier": environment, "status": "succeeded", "source": source, "finished_at": at, "updated_at": at, "version": n}
		if known {
			r["revisions"] = []revision{{"acme/" + service, fmt.Sprintf("%040x", n), "", "source", "commit"}}
		}
		insert(t, st, "deployments", r)
	}
	for day := 10; day < 14; day++ {
		deploy("github", "shop", "production", day, "10:00", true)
		deploy("argocd", "shop-prod", "production", day, "10:09", false)
		deploy("flux", "shop", "production", day, "13:00", false) // hours later
		deploy("github", "cart", "production", day, "10:00", true)
		deploy("github", "cart", "production", day, "10:05", true) // the same source
		deploy("argocd", "cart", "staging", day, "10:05", true)    // another environment
		deploy("github", "cart", "staging", day, "20:00", true)
		deploy("argocd", "bank", "production", day, "11:00", true)
		deploy("github", "bank", "production", day, "11:29", false)
		deploy("ci", "bill", "production", day, "11:29", false)
		deploy("cd", "bill", "production", day, "11:00", true)
	}
	for hour := range 9 { // and more that nobody else tells
		deploy("github", "rare", "production", 15, fmt.Sprintf("%02d:00", 2*hour), true)
		deploy("argocd", "rare", "production", 15, fmt.Sprintf("%02d:%02d", 2*hour+1-min(1, hour/6), 7), true)
	}
	deploy("github", "once", "production", 16, "10:00", true)
	deploy("argocd", "once", "production", 16, "10:05", true)
	put(t, st, "argocd", stream{"system": "argocd", "subject": "", "kind": "deployments"})
	put(t, st, "github", stream{"system": "github", "subject": "acme/shop", "kind": "deployments"})
	got, err := e.Unmatched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []metrics.UnmatchedTwice{
		{Service: "bank", Environment: "production", N: 4, Keep: metrics.UnmatchedSide{Source: "argocd", N: 4, Known: 4, Run: "41"}, Leave: metrics.UnmatchedSide{Source: "github", N: 4, Run: "42"}, Line: "deployments: [{repository: 'OWNER/NAME', from: none}]   # of rules"},
		{Service: "bill", Environment: "production", N: 4, Keep: metrics.UnmatchedSide{Source: "cd", N: 4, Known: 4, Run: "44"}, Leave: metrics.UnmatchedSide{Source: "ci", N: 4, Run: "43"}, Line: "tell the deployments of bill from cd alone"},
		{Service: "shop", Environment: "production", N: 4, Keep: metrics.UnmatchedSide{Source: "github", N: 4, Known: 4, Run: "34"}, Leave: metrics.UnmatchedSide{Source: "argocd", N: 4, Run: "35"}, Line: "services: [{match: 'shop-prod', service: none}]   # of the source argocd"},
	}
	if diff := cmp.Diff(want, got.Twice, cmpopts.IgnoreFields(metrics.UnmatchedTwice{}, "Latest"), cmpopts.IgnoreUnexported(metrics.UnmatchedSide{})); diff != "" || got.TwiceAll != 3 {
		t.Errorf("%d (-want +got):\n%s", got.TwiceAll, diff)
	}
	if latest := got.Twice[len(got.Twice)-1].Latest; !latest.Equal(time.Date(2026, 2, 13, 10, 9, 0, 0, time.UTC)) {
		t.Errorf("the latest is of %s", latest)
	}
}

// Where nothing is told there is nothing to join.
func TestNothingIsUnmatchedInAnEmptyStore(t *testing.T) {
	_, e := beside(t)
	got, err := e.Unmatched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metrics.Unmatched{AsOf: got.AsOf, Names: []metrics.UnmatchedName{}, Claims: []metrics.UnmatchedClaim{}, Commits: []metrics.UnmatchedCommit{}, Twice: []metrics.UnmatchedTwice{}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
