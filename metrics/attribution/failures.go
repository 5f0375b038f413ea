package attribution

import (
	"slices"
	"sort"
)

// Incident is a degradation of a service. Times are milliseconds, Absent where it has none.
type Incident struct {
	ID         string
	StartedAt  int64
	RestoredAt int64
	ResolvedAt int64
	External   bool
	CausedBy   string // id of a run
}

// end is when users were served again: restored, else resolved.
func (i *Incident) end() int64 {
	if i.RestoredAt != Absent {
		return i.RestoredAt
	}
	return i.ResolvedAt
}

// Rules by which a deployment counts as failed, in order of precedence.
const (
	FailedByIncident   = "incident"        // an incident names one of its runs as its cause
	FailedByVerdict    = "verdict"         // a person said so
	FailedByRemediated = "remediated"      // a later deployment says that it repairs it
	FailedByRollback   = "rollback"        // first of the deployments that a rollback took back
	FailedByRevert     = "revert"          // a later deployment reverts one of its changes
	FailedByHotfix     = "hotfix"          // the next deployment, soon after, is a hotfix
	FailedByWindow     = "incident_window" // an incident without a known cause began soon after
)

// Rules by which a deployment counts as rework.
const (
	ReworkRollback   = "rollback"
	ReworkHotfix     = "hotfix"
	ReworkRevert     = "revert"
	ReworkRemediates = "remediates"
)

// Outcome says how a deployment turned out.
type Outcome struct {
	Failed     bool
	Rule       string
	By         []string // incidents, or the runs whose remediation shows it
	RestoredAt int64    // Absent while it goes on, and for deployments that did not fail
	RestoredBy string   // the run that ended the failure, when no incident tells
	Rework     bool
	ReworkRule string
	ReworkOf   []string

	incidents []*Incident
}

// explicit tells whether somebody said that the deployment failed, rather than us inferring it.
func (o *Outcome) explicit() bool {
	return o.Failed && (o.Rule == FailedByIncident || o.Rule == FailedByVerdict || o.Rule == FailedByRemediated)
}

// Link ties an incident to the deployment it is blamed on.
type Link struct {
	Deployment int32 // index into Assessment.Deployments; -1 for none
	Rule       string
}

// Assessment is the judgement on a line as a whole.
type Assessment struct {
	Deployments []Deployment // those of the line, then runs that failed and are named by an incident
	Outcomes    []Outcome
	Links       []Link // one for each incident
	Negative    int    // recoveries that ended before their deployment began to serve, counted as 0
}

// Assess judges which deployments failed, when they were restored, and which were rework. Failed are the runs that
// ended in failure; they matter only when an incident names them.
func (l *Line) Assess(incidents []Incident, failed []Run) Assessment {
	j := &judge{l: l, a: Assessment{Deployments: slices.Clone(l.deployments), Links: make([]Link, len(incidents))}}
	j.a.Outcomes = make([]Outcome, len(j.a.Deployments))
	for i := range j.a.Outcomes {
		j.a.Outcomes[i].RestoredAt = Absent
	}
	j.revertsOf = map[int32][]revert{}
	for _, r := range l.reverts {
		d := l.results[r.run].Deployment
		if r.original >= 0 && l.results[r.original].Deployment == d {
			continue
		}
		j.revertsOf[d] = append(j.revertsOf[d], r)
	}
	j.named(incidents, failed)
	j.verdicts()
	j.remediated()
	for d := range j.a.Outcomes {
		if j.a.Outcomes[d].explicit() {
			j.explicit = append(j.explicit, int32(d))
		}
	}
	for d := range l.deployments {
		j.remediation(int32(d))
	}
	j.window(incidents)
	j.restore()
	j.rework()
	return j.a
}

type judge struct {
	l         *Line
	a         Assessment
	revertsOf map[int32][]revert
	remedies  map[int32]remedy // failed deployment -> what ended it
	explicit  []int32          // deployments that somebody said failed
}

// remedy is what ended a failure: a deployment, or a redeploy of what was live.
type remedy struct {
	deployment int32
	run        int32 // of a redeploy; -1 otherwise
}

func (j *judge) fail(d int32, rule string, by ...string) {
	o := &j.a.Outcomes[d]
	if !o.Failed {
		o.Failed, o.Rule = true, rule
	}
	for _, b := range by {
		if !slices.Contains(o.By, b) {
			o.By = append(o.By, b)
		}
	}
}

// named applies rule 1 to incidents that name a run.
func (j *judge) named(incidents []Incident, failed []Run) {
	members := map[string]int32{}
	for n := range incidents {
		inc := &incidents[n]
		j.a.Links[n] = Link{Deployment: -1}
		if inc.External || inc.CausedBy == "" {
			continue
		}
		d, ok := j.l.byRun[inc.CausedBy]
		if !ok {
			d, ok = members[inc.CausedBy]
		}
		if !ok {
			i := slices.IndexFunc(failed, func(r Run) bool { return r.ID == inc.CausedBy })
			if i < 0 {
				continue
			}
			d = int32(len(j.a.Deployments))
			r := &failed[i]
			j.a.Deployments = append(j.a.Deployments, Deployment{
				Kind: KindFailedRun, Run: -1, Failed: r, Version: -1, DeployedAt: r.FinishedAt, CompletedAt: r.FinishedAt,
				Targets: []string{r.Target}, Reached: []int64{r.FinishedAt}, BackedFrom: -1,
			})
			j.a.Outcomes = append(j.a.Outcomes, Outcome{RestoredAt: Absent})
			members[inc.CausedBy] = d
		}
		j.a.Links[n] = Link{Deployment: d, Rule: FailedByIncident}
		j.fail(d, FailedByIncident, inc.ID)
		j.a.Outcomes[d].incidents = append(j.a.Outcomes[d].incidents, inc)
	}
}

func (j *judge) verdicts() {
	for d := range j.l.deployments {
		if v := j.a.Deployments[d].Verdict; v != nil && *v {
			j.fail(int32(d), FailedByVerdict)
		}
	}
}

// remediated applies rule 1 to deployments that a later run says it repairs.
func (j *judge) remediated() {
	j.remedies = map[int32]remedy{}
	name := func(ids []string, r remedy, by string) {
		for _, id := range ids {
			d, ok := j.l.byRun[id]
			if !ok || d == r.deployment && r.run < 0 {
				continue
			}
			j.fail(d, FailedByRemediated)
			if j.a.Outcomes[d].Rule == FailedByRemediated {
				j.fail(d, FailedByRemediated, by)
			}
			j.remedies[d] = r
		}
	}
	for i := range j.l.runs {
		run, res := &j.l.runs[i], &j.l.results[i]
		if len(run.Remediates) == 0 {
			continue
		}
		r := remedy{deployment: res.Deployment, run: -1}
		if res.Kind == KindRedeploy {
			r.run = int32(i)
		}
		name(run.Remediates, r, run.ID)
	}
}

// remediation looks at one deployment as a possible remediation (rules 2 to 4): it resolves the explicit failures
// that are still open when it starts, and only where there is none it shows that an earlier deployment failed.
func (j *judge) remediation(m int32) {
	d := &j.a.Deployments[m]
	set := &j.l.settings
	rollback := d.Kind == KindRollback && set.InferRollback
	hotfix := d.Hotfix && set.InferHotfix
	reverts := j.revertsOf[m]
	if !set.InferRevert {
		reverts = nil
	}
	if !rollback && !hotfix && len(reverts) == 0 && len(d.Remediates) == 0 && len(d.Incidents) == 0 {
		return
	}
	if j.resolvesOpen(m) || j.namesFailure(m) {
		return
	}
	by := j.l.runs[d.Run].ID
	if rollback {
		if first, explained := j.backedOut(m); explained {
			return
		} else if first >= 0 {
			j.infer(first, FailedByRollback, m, by)
			return
		}
	}
	blamed := false
	for _, r := range reverts {
		if r.original < 0 {
			continue
		}
		blamed = true
		j.infer(j.l.results[r.original].Deployment, FailedByRevert, m, by)
	}
	if blamed || !hotfix {
		return
	}
	for p := m - 1; p >= 0; p-- {
		if j.a.Deployments[p].Kind != KindChange {
			continue
		}
		if d.DeployedAt-j.a.Deployments[p].DeployedAt <= set.HotfixWindow {
			j.infer(p, FailedByHotfix, m, by)
		}
		return
	}
}

// infer marks a deployment as failed unless it is already, or a person said that it did not fail.
func (j *judge) infer(d int32, rule string, by int32, run string) {
	o := &j.a.Outcomes[d]
	if v := j.a.Deployments[d].Verdict; o.Failed || v != nil && !*v {
		return
	}
	j.fail(d, rule, run)
	j.remedies[d] = remedy{deployment: by, run: -1}
}

// backedOut finds the first of the change deployments that a rollback took back. explained is true when one of them
// had failed already.
func (j *judge) backedOut(m int32) (first int32, explained bool) {
	d := &j.a.Deployments[m]
	first = -1
	for v := d.Version + 1; v <= d.BackedFrom; v++ {
		c := j.l.versions[v].deployment
		if j.a.Outcomes[c].Failed {
			return -1, true
		}
		if first < 0 {
			first = c
		}
	}
	return first, false
}

// resolvesOpen tells whether an explicit failure was still open when deployment m started, and lets m end those that
// no incident ends.
func (j *judge) resolvesOpen(m int32) bool {
	start := j.startOf(m)
	found := false
	for _, d := range j.explicit {
		o := &j.a.Outcomes[d]
		if d == m || j.a.Deployments[d].DeployedAt > start {
			continue
		}
		if len(o.incidents) > 0 {
			open := slices.ContainsFunc(o.incidents, func(i *Incident) bool {
				return i.StartedAt <= start && (i.end() == Absent || i.end() > start)
			})
			found = found || open
			continue
		}
		if o.Rule == FailedByRemediated {
			continue // no incident says that it was open; whoever names it is looked at by itself
		}
		r, ended := j.remedies[d]
		if !ended {
			j.remedies[d] = remedy{deployment: m, run: -1}
			found = true
		} else if end := j.ends(d, r); r.deployment == m && r.run < 0 || end == Absent || end > start {
			found = true
		}
	}
	return found
}

// namesFailure tells whether deployment m says itself which earlier deployment it repairs.
func (j *judge) namesFailure(m int32) bool {
	return slices.ContainsFunc(j.a.Deployments[m].Remediates, func(id string) bool {
		d, ok := j.l.byRun[id]
		return ok && d != m
	})
}

func (j *judge) startOf(d int32) int64 {
	dep := &j.a.Deployments[d]
	if dep.Run >= 0 && j.l.runs[dep.Run].StartedAt != Absent {
		return min(j.l.runs[dep.Run].StartedAt, dep.DeployedAt)
	}
	return dep.DeployedAt
}

// window applies rule 5: an incident without a known cause is laid to the latest change deployment shortly before.
func (j *judge) window(incidents []Incident) {
	w := j.l.settings.IncidentWindow
	if w <= 0 {
		return
	}
	for n := range incidents {
		inc := &incidents[n]
		if inc.External || inc.CausedBy != "" {
			continue
		}
		latest := int32(sort.Search(len(j.l.deployments), func(d int) bool { return j.l.deployments[d].DeployedAt > inc.StartedAt })) - 1
		for latest >= 0 && j.l.deployments[latest].Kind != KindChange {
			latest--
		}
		if latest < 0 || inc.StartedAt-j.l.deployments[latest].DeployedAt > w {
			continue
		}
		o := &j.a.Outcomes[latest]
		v := j.a.Deployments[latest].Verdict
		if o.Failed && o.Rule != FailedByWindow || v != nil && !*v {
			continue
		}
		j.fail(latest, FailedByWindow, inc.ID)
		o.incidents = append(o.incidents, inc)
		j.a.Links[n] = Link{Deployment: latest, Rule: FailedByWindow}
	}
}

// restore finds when each failure ended: with linked incidents when the last of them did, else when its remedy was
// complete.
func (j *judge) restore() {
	for d := range j.a.Outcomes {
		o := &j.a.Outcomes[d]
		if !o.Failed {
			continue
		}
		if len(o.incidents) > 0 {
			for _, inc := range o.incidents {
				end := inc.end()
				if end == Absent {
					o.RestoredAt = Absent
					break
				}
				o.RestoredAt = max(o.RestoredAt, end)
			}
		} else if r, ok := j.remedies[int32(d)]; ok {
			o.RestoredAt = j.ends(int32(d), r)
			run := r.run
			if run < 0 {
				run = j.a.Deployments[r.deployment].Run
			}
			o.RestoredBy = j.l.runs[run].ID
		}
		if o.RestoredAt != Absent && o.RestoredAt < j.a.Deployments[d].DeployedAt {
			o.RestoredAt = j.a.Deployments[d].DeployedAt
			j.a.Negative++
		}
	}
}

// ends is when a remedy was complete on the last target that it and the failed deployment both reached; Absent when
// they have no target in common.
func (j *judge) ends(failed int32, r remedy) int64 {
	f, m := &j.a.Deployments[failed], &j.a.Deployments[r.deployment]
	if r.run >= 0 {
		if run := &j.l.runs[r.run]; slices.Contains(f.Targets, run.Target) {
			return run.FinishedAt
		}
		return Absent
	}
	end := int64(Absent)
	for n, t := range m.Targets {
		if slices.Contains(f.Targets, t) {
			end = max(end, m.Reached[n])
		}
	}
	return end
}

func (j *judge) rework() {
	for d := range j.l.deployments {
		dep, o := &j.a.Deployments[d], &j.a.Outcomes[d]
		switch {
		case dep.Kind == KindRollback:
			o.ReworkRule = ReworkRollback
		case dep.Hotfix:
			o.ReworkRule = ReworkHotfix
		case len(j.revertsOf[int32(d)]) > 0:
			o.ReworkRule = ReworkRevert
			for _, r := range j.revertsOf[int32(d)] {
				o.ReworkOf = append(o.ReworkOf, r.undoes)
			}
		case len(dep.Remediates)+len(dep.Incidents) > 0:
			o.ReworkRule = ReworkRemediates
			o.ReworkOf = slices.Concat(dep.Remediates, dep.Incidents)
		}
		o.Rework = o.ReworkRule != ""
	}
}
