package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/internal/conformance"
)

// The kinds of a run (§1).
const (
	kindChange    = "change"
	kindRollout   = "rollout"
	kindRedeploy  = "redeploy"
	kindRollback  = "rollback"
	kindReRelease = "re_release"
)

// run is one finished production run; kind and what follows are set for the successful ones.
type run struct {
	conformance.Deployment
	service  string
	finished time.Time

	kind       string
	transition *transition    // what put the version there that the run's target has now
	newly      map[string]key // newly live commits of the run, baselines included, by repo/sha
	baseline   map[string]bool
	first      bool // the first successful production run of its service
}

// transition is a change deployment, a rollback or a re-release, over all its targets.
type transition struct {
	kind, service, version string
	runs                   []*run // in order of finishing; the first gives id and deployed_at
	late                   []*run // rollouts to further targets after the rollout window
	order                  int    // of a change deployment: how many versions went live before
	backedOut              []*transition
	reverted               []*transition // what delivered the changes that its newly live revert commits undo
	reverting              bool          // it undoes a live change, delivered by a baseline or by an earlier deployment
}

func (t *transition) id() string          { return t.runs[0].ID }
func (t *transition) deployed() time.Time { return t.runs[0].finished }
func (t *transition) started() time.Time  { return t.runs[0].StartedAt }

// reached is where the transition's version went live through the runs, and when.
func reached(runs []*run) map[string]time.Time {
	targets := map[string]time.Time{}
	for _, r := range runs {
		if _, reached := targets[r.Target]; !reached {
			targets[r.Target] = r.finished
		}
	}
	return targets
}

// deliveredBy says for one service which transition first made a change live; nil stands for a baseline.
type deliveredBy map[string]*transition

// deploy walks the successful production runs of the service (§1).
func (h *history) deploy(s conformance.Service) {
	var (
		runs      = h.succeeded(s.ID)
		window    = time.Duration(h.settings.RolloutWindowHours * float64(time.Hour))
		live      = map[string]string{}            // target to version
		liveRevs  = map[string]map[string]string{} // target to revisions
		put       = map[string]*transition{}       // target to what put its version there
		ever      = map[string][]string{}          // version to targets it was ever live on
		released  = map[string]*transition{}       // version to its change deployment
		back      = map[string][]*transition{}     // version to rollbacks and re-releases to it
		changes   []*transition                    // change deployments in order of first going live
		lastRevs  = map[string]string{}            // repo to the revision of the last run that named it
		liveEver  = map[string]map[string]bool{}   // repo to commits that were ever live
		delivered = deliveredBy{}                  // by change
		groups    = map[key]bool{}                 // commits with their copies that were delivered
		latestAll map[string]string                // complete revisions of the latest run
	)
	for i, r := range runs {
		// §14 a run that names only some repositories keeps the live revision of the others. Reading: on its own target;
		// on an empty target that of the service's latest run; repositories that the service does not list are kept too.
		revisions := map[string]string{}
		if _, some := live[r.Target]; some {
			maps.Copy(revisions, liveRevs[r.Target])
		} else {
			maps.Copy(revisions, latestAll)
		}
		maps.Copy(revisions, r.Revisions)
		latestAll = revisions
		v := h.version(s, revisions)

		t, cur := r.Target, live[r.Target]
		_, empty := live[t]
		empty = !empty
		dep, was := released[v]
		onTarget := slices.Contains(ever[v], t)
		elsewhere := slices.ContainsFunc(ever[v], func(other string) bool { return other != t })
		newer := was && !empty && dep.order > released[cur].order
		// The table of §1, top to bottom.
		switch {
		case !empty && v == cur:
			r.kind, r.transition = kindRedeploy, put[t]
		case !was: // even with a rollback flag (§14)
			r.kind = kindChange
			r.transition = &transition{kind: kindChange, service: s.ID, version: v, order: len(changes), runs: []*run{r}}
			released[v] = r.transition
			changes = append(changes, r.transition)
			h.transitions = append(h.transitions, r.transition)
		case elsewhere && !onTarget && (empty || newer):
			r.kind, r.transition = kindRollout, dep
			// §14 the rollout window runs from the first target. Reading: a later target is no deployment of its own
			// either, and where it is what both a failed deployment and its remediation reached, it counts.
			if r.finished.Sub(dep.deployed()) <= window {
				dep.runs = append(dep.runs, r)
			} else {
				dep.late = append(dep.late, r)
			}
		default:
			r.kind = kindReRelease
			if !newer || r.IsRollback {
				r.kind = kindRollback
			}
			r.transition = h.join(back[v], r, window)
			if r.transition == nil {
				r.transition = &transition{kind: r.kind, service: s.ID, version: v, runs: []*run{r}}
				back[v] = append(back[v], r.transition)
				h.transitions = append(h.transitions, r.transition)
			}
			if r.kind == kindRollback { // backed out: change deployments after v up to cur
				for _, c := range changes {
					if c.order > dep.order && c.order <= released[cur].order && !slices.Contains(r.transition.backedOut, c) {
						r.transition.backedOut = append(r.transition.backedOut, c)
					}
				}
				slices.SortFunc(r.transition.backedOut, func(a, b *transition) int { return a.order - b.order })
			}
		}
		if r.kind != kindRedeploy {
			put[t] = r.transition
		}
		live[t], liveRevs[t] = v, revisions
		if !onTarget {
			ever[v] = append(ever[v], t)
		}

		// Newly live commits: ancestors(sha) \ ⋃ ancestors(every sha live before, this service+repo) (§1).
		r.first, r.newly, r.baseline = i == 0, map[string]key{}, map[string]bool{}
		for repo, sha := range r.Revisions {
			_, known := h.commits[key{repo, lastRevs[repo]}]
			r.baseline[repo] = !known // first run of (service, repo), or lineage_unknown (§1, §14)
			if liveEver[repo] == nil {
				liveEver[repo] = map[string]bool{}
			}
			for ancestor := range h.ancestors(key{repo, sha}) {
				if !liveEver[repo][ancestor] {
					r.newly[repo+"/"+ancestor] = key{repo, ancestor}
				}
				liveEver[repo][ancestor] = true
			}
			lastRevs[repo] = sha
		}
		h.deliver(s, r, delivered, groups)
	}
}

// join finds the rollback or re-release to the same version that the run belongs to: another target, within the window
// from the first target (§1, §14). Reading: re-releases join in the same way; of several the latest; a run on a target
// that the transition already reached is a new one.
func (h *history) join(to []*transition, r *run, window time.Duration) *transition {
	for _, t := range slices.Backward(to) {
		if _, done := reached(t.runs)[r.Target]; t.kind == r.kind && !done && r.finished.Sub(t.deployed()) <= window {
			t.runs = append(t.runs, r)
			return t
		}
	}
	return nil
}

// version is the tuple (repo -> sha); with a path filter the set of path-matching ancestors takes the sha's place (§1).
func (h *history) version(s conformance.Service, revisions map[string]string) string {
	var tuple []string
	for _, repo := range slices.Sorted(maps.Keys(revisions)) {
		sha := revisions[repo]
		if _, known := h.commits[key{repo, sha}]; known && filtered(s, repo) {
			var matching []string
			for ancestor := range h.ancestors(key{repo, sha}) {
				if touches(s, h.commits[key{repo, ancestor}]) {
					matching = append(matching, ancestor)
				}
			}
			slices.Sort(matching)
			sha = fmt.Sprint(matching)
		}
		tuple = append(tuple, repo+"="+sha)
	}
	return strings.Join(tuple, ";")
}

// deliver finds the changes that the run delivers to the service and the live changes that it reverts (§1, §6, §14).
func (h *history) deliver(s conformance.Service, r *run, delivered deliveredBy, groups map[key]bool) {
	var fresh []key // newly live commits of the service, no copy of which was delivered before
	for _, name := range slices.Sorted(maps.Keys(r.newly)) {
		at := r.newly[name]
		commit := h.commits[at]
		if len(commit.Parents) >= 2 || !touches(s, commit) || groups[h.group(at)] {
			continue // merge commits are no changes; later copies do not deliver
		}
		fresh = append(fresh, at)
	}
	// Baselines first: their commits count as delivered.
	for _, at := range fresh {
		if r.baseline[at.repo] {
			groups[h.group(at)] = true
			for _, c := range h.changesWith(at) {
				if _, done := delivered[c.repo+"/"+c.id]; !done {
					delivered[c.repo+"/"+c.id] = nil
				}
			}
		}
	}
	// Reading: where copies in several pull requests become live together, the one merged first delivers them.
	slices.SortStableFunc(fresh, func(a, b key) int { return h.mergeRank(a) - h.mergeRank(b) })
	for _, at := range fresh {
		if groups[h.group(at)] {
			continue
		}
		groups[h.group(at)] = true
		c := h.changeOf(at)
		_, before := delivered[c.repo+"/"+c.id]
		for _, touched := range h.changesWith(at) {
			if _, done := delivered[touched.repo+"/"+touched.id]; !done {
				delivered[touched.repo+"/"+touched.id] = r.transition
			}
		}
		if !before { // one sample per (service, change)
			h.sample(c, at, r)
		}
	}
	for _, at := range fresh {
		reverts := h.commits[at].Reverts
		if r.baseline[at.repo] || reverts == "" {
			continue
		}
		undone := h.changeOf(key{at.repo, reverts})
		by, done := delivered[undone.repo+"/"+undone.id]
		if !done || by == r.transition {
			continue // never live, or change and revert in the same deployment: nothing
		}
		r.transition.reverting = true
		if by != nil { // a revert of a baseline change blames nobody (§14)
			r.transition.reverted = append(r.transition.reverted, by)
		}
	}
}

// mergeRank orders commits by the merge of the pull request they belong to; those in none come last.
func (h *history) mergeRank(commit key) int {
	if p := h.pullOf(commit); p != nil {
		return slices.IndexFunc(h.pulls, func(other conformance.PullRequest) bool {
			return other.ID == p.ID && other.Repo == p.Repo
		})
	}
	return len(h.pulls)
}
