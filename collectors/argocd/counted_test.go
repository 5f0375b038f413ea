package argocd_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn/collectors/argocd"
	"cairn/internal/event"
	"cairn/metrics/attribution"
)

// counted are the kinds of the deployments that succeeded, as the engine counts them, in the order in which they ended.
func counted(facts []event.Event) string {
	line := attribution.NewLine(attribution.Config{
		Repository: func(string) *attribution.Repository { return &attribution.Repository{Graph: attribution.NewGraph(0)} },
		Deliver:    func(*attribution.Change) {}, Commit: func(*attribution.ShippedCommit) {},
	})
	var runs []attribution.Run
	for _, e := range facts {
		d := e.(*event.Deployment)
		if d.Status != "succeeded" {
			continue
		}
		run := attribution.Run{ID: d.ID, Target: d.Target, FinishedAt: d.FinishedAt.UnixMilli(), Artifact: d.Artifact, VersionName: d.Version, Rollback: d.Rollback}
		for _, r := range d.Revisions {
			run.Revisions = append(run.Revisions, attribution.Revision{Repository: r.Repository, SHA: r.SHA})
		}
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b attribution.Run) int { return int(a.FinishedAt - b.FinishedAt) })
	var kinds []string
	for _, run := range runs {
		line.Append(run)
		kinds = append(kinds, line.Results()[len(line.Runs())-1].Kind)
	}
	return strings.Join(kinds, " ")
}

func TestManySyncsOfOneRevisionAreOneDeployment(t *testing.T) {
	selfHeal := func(n int, id int64, revision int) func(*argocd.Application) {
		return func(a *argocd.Application) {
			synced(n, id, sha(revision))(a)
			a.Status.OperationState.Operation.InitiatedBy = argocd.Initiator{Automated: true}
		}
	}
	var recorded []event.Event
	for _, e := range jenkins() {
		recorded = append(recorded, e)
	}
	for name, c := range map[string]struct {
		facts []event.Event
		want  string
	}{
		"the recorded chart": {recorded, "change redeploy change redeploy change"},
		"drift":              {told(t, config(), app(synced(0, 0, sha(1)), selfHeal(10, 1, 1), selfHeal(20, 2, 1), synced(30, 3, sha(2)), selfHeal(40, 4, 2))), "change redeploy redeploy change redeploy"},
		"back and forth":     {told(t, config(), app(synced(0, 0, sha(1)), synced(10, 1, sha(2)), synced(20, 2, sha(1)), synced(30, 3, sha(2)))), "change change rollback re_release"},
		"a failure between":  {told(t, config(), app(synced(0, 0, sha(1)), synced(10, 1, sha(1)), operation("Failed", 20, sha(2)))), "change redeploy"},
		"another image by a parameter": {told(t, config(), app(
			func(a *argocd.Application) {
				a.Spec.Source.Helm = []byte(`{"parameters":[{"name":"image.tag","value":"v1"}]}`)
			}, synced(0, 0, sha(1)), synced(5, 1, sha(1)),
			func(a *argocd.Application) {
				next := *a.Spec.Source
				next.Helm = []byte(`{"parameters":[{"name":"image.tag","value":"v2"}]}`)
				a.Spec.Source = &next
			}, synced(10, 2, sha(1)))), "change redeploy change"},
		"another chart beside the same values": {func() []event.Event {
			a := app(func(a *argocd.Application) {
				a.Spec.Source, a.Spec.Sources = nil, []argocd.Source{{RepoURL: "https://charts.acme.com", Chart: "web"}, {RepoURL: "https://github.com/acme/deploy"}}
			}, synced(0, 0, ""), synced(10, 1, ""), synced(20, 2, ""))
			for i, chart := range []string{"1.0.0", "1.0.0", "1.1.0"} {
				a.Status.History[i].Revisions = []string{chart, sha(1)}
			}
			return told(t, config(), a)
		}(), "change redeploy change"},
	} {
		if diff := cmp.Diff(c.want, counted(c.facts)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}
