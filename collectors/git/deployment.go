package git

import (
	"context"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"cairn/internal/event"
	"cairn/internal/progress"
)

// tellDeployments tells what the service's deployments are by DeployOn, as far as it was not told.
func (r *run) tellDeployments(ctx context.Context) error {
	cfg := r.s.cfg
	if cfg.DeployOn == DeployOnNone {
		return nil
	}
	state := r.next.Services[cfg.Service]
	settings := strconvHex(xxhash.Sum64String(fmt.Sprintf("%q %q %q %q %q",
		cfg.DeployOn, cfg.TagPattern, cfg.Environment, cfg.PrereleaseEnvironment, cfg.Environments)))
	teller := teller{run: r, changed: state.Settings != "" && state.Settings != settings, floor: state.Latest, latest: state.Latest}
	state.Settings = settings
	var err error
	if branch, ok := r.s.deployedBranch(); ok {
		state.Line, err = r.landings(ctx, &teller, branch, state.Line)
	} else {
		state.Tags, err = r.tagged(ctx, &teller, state.Tags)
	}
	state.Latest = teller.latest
	r.saveService(state)
	if n := int64(r.report.Deployments); n > 0 {
		r.s.progress.Report(progress.State{Stage: "deployments", Done: n, Total: n})
	}
	return err
}

// deployedBranch is the branch whose commits are deployments.
func (s *Source) deployedBranch() (string, bool) {
	return s.cfg.DeployOn, s.cfg.DeployOn != DeployOnTags && s.cfg.DeployOn != DeployOnNone
}

// deploys tells whether the tag is a deployment.
func (s *Source) deploys(t tag) bool {
	if s.cfg.DeployOn != DeployOnTags || t.commit == "" {
		return false
	}
	c := s.releases.classify(t.name)
	return c == classRelease || c == classPrerelease
}

// teller tells deployments so that the latest telling of each wins, without a clock: a deployment is told with its own
// time, and when it was told before with other content, with a time after every earlier telling of the service.
type teller struct {
	run     *run
	changed bool  // settings differ from those of the earlier tellings
	floor   int64 // latest updated_at of earlier runs, milliseconds
	latest  int64 // and of this one
}

func (t *teller) tell(d *event.Deployment, at int64, corrected bool) error {
	told := at
	if corrected {
		told = max(told, t.floor+1)
	}
	t.latest = max(t.latest, told)
	r := t.run
	d.Telling = event.Telling{Source: r.source, UpdatedAt: time.UnixMilli(told).UTC()}
	d.Service, d.Attempt, d.Status, d.Tool = r.s.cfg.Service, 1, "succeeded", "git"
	d.StartedAt, d.FinishedAt = time.UnixMilli(at).UTC(), time.UnixMilli(at).UTC()
	r.report.Deployments++
	r.report.in(d.Environment)
	r.s.progress.Report(progress.State{Stage: "deployments", Done: int64(r.report.Deployments)})
	return r.emit(d)
}

// future tells whether a time, in seconds, lies so far ahead that the clock which gave it was wrong.
func (r *run) future(s int64) bool {
	asOf := r.s.cfg.AsOf
	return !asOf.IsZero() && s > asOf.Add(24*time.Hour).Unix()
}
