package metrics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cairn/metrics"
)

type row = map[string]any

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
	type revision struct {
		Repository  string `ch:"repository"`
		SHA         string `ch:"sha"`
		PreviousSHA string `ch:"previous_sha"`
		Role        string `ch:"role"`
		Rule        string `ch:"rule"`
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
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(metrics.UnmatchedName{}, "Latest"), cmpopts.IgnoreFields(metrics.UnmatchedCommit{}, "Latest")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range got.Commits {
		if c.Latest == nil {
			t.Errorf("%s: no instant of the latest", c.Source)
		}
	}
}

// Where nothing is told there is nothing to join.
func TestNothingIsUnmatchedInAnEmptyStore(t *testing.T) {
	_, e := beside(t)
	got, err := e.Unmatched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metrics.Unmatched{AsOf: got.AsOf, Names: []metrics.UnmatchedName{}, Claims: []metrics.UnmatchedClaim{}, Commits: []metrics.UnmatchedCommit{}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
