package demo_test

import (
	"testing"

	"cairn/internal/demo"
	"cairn/internal/demo/demotest"
	"cairn/internal/event"
)

// Every connection tells something; commits, changes and the repository itself come from one forge, and the tool of a
// deployment tells of it.
func TestEveryConnectionTellsAndAServiceHasOneForge(t *testing.T) {
	for _, cfg := range []demo.Config{{Seed: 1, Until: present}, {Seed: 2, Until: present}, {Seed: 3, Until: present.AddDate(0, -5, -9)}} {
		told, forges := map[string]int{}, map[string]string{}
		forge := func(repository, source string) {
			if source == "git" {
				source = "gitea" // which is cloned
			}
			if first := forges[repository]; first != "" && first != source {
				t.Fatalf("seed %d: %s is at %s and at %s", cfg.Seed, repository, first, source)
			}
			forges[repository] = source
		}
		for e := range demo.Organisation(cfg) {
			source := e.Common().Source
			told[source]++
			switch e := e.(type) {
			case *event.Repository:
				forge(e.ID, source)
			case *event.Commit:
				forge(e.Repository, source)
			case *event.ChangeRequest:
				forge(e.Repository, source)
			case *event.Deployment:
				want := map[string]string{"shell": "ci", "tekton": "cdevents"}[e.Tool]
				if want == "" {
					want = e.Tool
				}
				if source != want {
					t.Fatalf("seed %d: %s tells of a deployment by %s", cfg.Seed, source, e.Tool)
				}
			}
		}
		for name := range demotest.Connections() {
			if told[name] == 0 {
				t.Errorf("seed %d: nothing is told by %s", cfg.Seed, name)
			}
		}
	}
}
