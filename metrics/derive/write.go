package derive

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// rows collects what a derivation has to write: new rows, and which older ones they replace.
type rows struct {
	runs        runRows
	deployments deploymentRows
	changes     changeRows
	commits     commitRows
	waiting     waitingRows
	incidents   incidentRows
	services    serviceRows

	cuts     []cut // for the four tables of a line
	waits    []cut
	troubles []cut // incidents
	gone     []gone
}

// gone is a single row that must be marked as deleted.
type gone struct {
	table, columns string
	key            []any
}

// cut says that the rows of a service at or after an instant, in one line or in all (""), are stale unless they are
// written again.
type cut struct {
	service, line string
	at            int64
}

func (o *rows) forget(service, line string, at int64) {
	o.cuts = append(o.cuts, cut{service, line, at})
}

// forgetService makes all rows of a service stale. Its own row stays: it is replaced, not deleted.
func (o *rows) forgetService(service string) {
	o.forget(service, "", attribution.Absent)
	o.waits = append(o.waits, cut{service, "", attribution.Absent})
	o.troubles = append(o.troubles, cut{service, "", attribution.Absent})
}

// dropService has the row of a service that is none, or no longer one, removed.
func (o *rows) dropService(service string) {
	o.gone = append(o.gone, gone{"attributed_services", "service", []any{service}})
}

func (o *rows) len() int {
	return len(o.runs.id) + len(o.deployments.id) + len(o.changes.id) + len(o.commits.sha) + len(o.waiting.id) + len(o.incidents.id) + len(o.services.id)
}

// flush writes the rows under a revision and then marks as deleted what they leave stale.
func (o *rows) flush(ctx context.Context, st *store.Store, revision uint64) error {
	tables := []struct {
		name    string
		columns func() (string, []any, int)
	}{
		{"attributed_commits", o.commits.columns},
		{"attributed_changes", o.changes.columns},
		{"attributed_runs", o.runs.columns},
		{"attributed_deployments", o.deployments.columns},
		{"waiting_changes", o.waiting.columns},
		{"attributed_incidents", o.incidents.columns},
		{"attributed_services", o.services.columns},
	}
	for _, t := range tables {
		names, values, n := t.columns()
		if n == 0 {
			continue
		}
		if err := insert(ctx, st, t.name, names, values, n, revision); err != nil {
			return fmt.Errorf("writing %s: %w", t.name, err)
		}
	}
	if err := o.remove(ctx, st, revision); err != nil {
		return err
	}
	for _, s := range []struct {
		statement string
		cuts      []cut
	}{
		{"forget_runs", o.cuts},
		{"forget_deployments", o.cuts},
		{"forget_changes", o.cuts},
		{"forget_commits", o.cuts},
		{"forget_waiting", o.waits},
		{"forget_incidents", o.troubles},
	} {
		if err := forget(ctx, st, s.statement, s.cuts, revision); err != nil {
			return fmt.Errorf("%s: %w", s.statement, err)
		}
	}
	*o = rows{}
	return nil
}

// remove marks the rows that are gone as deleted.
func (o *rows) remove(ctx context.Context, st *store.Store, revision uint64) error {
	slices.SortStableFunc(o.gone, func(a, b gone) int { return strings.Compare(a.table, b.table) })
	for len(o.gone) > 0 {
		first, n := o.gone[0], 0
		b, err := st.Batch(ctx, "INSERT INTO "+first.table+" ("+first.columns+", revision, is_deleted)")
		if err != nil {
			return err
		}
		for n < len(o.gone) && o.gone[n].table == first.table && err == nil {
			err = b.Append(append(o.gone[n].key, revision, uint8(1))...)
			n++
		}
		if err != nil {
			_ = b.Abort()
		} else {
			err = b.Send()
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", first.table, err)
		}
		o.gone = o.gone[n:]
	}
	return nil
}

func forget(ctx context.Context, st *store.Store, statement string, cuts []cut, revision uint64) error {
	if len(cuts) == 0 {
		return nil
	}
	var services, lines []string
	var ats []int64
	for _, c := range cuts {
		services, lines, ats = append(services, c.service), append(lines, c.line), append(ats, max(c.at, 0))
	}
	return st.Exec(ctx, query(statement), store.Params{"services": services, "lines": lines, "ats": ats, "revision": revision})
}

func insert(ctx context.Context, st *store.Store, table, names string, values []any, n int, revision uint64) error {
	b, err := st.Batch(ctx, "INSERT INTO "+table+" ("+names+", revision, is_deleted)")
	if err != nil {
		return err
	}
	defer b.Close()
	revisions, deleted := make([]uint64, n), make([]uint8, n)
	for i := range revisions {
		revisions[i] = revision
	}
	for i, v := range append(values, revisions, deleted) {
		if err := b.Column(i).Append(v); err != nil {
			return fmt.Errorf("column %d of (%s): %w", i, names, err)
		}
	}
	return b.Send()
}

// instant turns milliseconds into the form the driver takes.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func optional(ms int64) *time.Time {
	if ms == attribution.Absent {
		return nil
	}
	t := instant(ms)
	return &t
}

func duration(ms int64) *int64 {
	if ms == attribution.Absent {
		return nil
	}
	return &ms
}

type runRows struct {
	line, service, id, target, status, kind, deployment, version, way, url, foundBy, source []string
	at                                                                                      []time.Time
	started                                                                                 []*time.Time
	teams, flags                                                                            [][]string
	commits, changes                                                                        []uint32
}

func (t *runRows) columns() (string, []any, int) {
	return "environment, service, at, run, teams, target, status, kind, deployment, started_at, version_name, way, commits, changes, flags, found_by, source, url",
		[]any{t.line, t.service, t.at, t.id, t.teams, t.target, t.status, t.kind, t.deployment, t.started, t.version, t.way, t.commits, t.changes, t.flags, t.foundBy, t.source, t.url}, len(t.id)
}

func (t *runRows) add(line, service string, teams []string, r *attribution.Run, at int64, res *attribution.Result, deployment string) {
	t.line, t.service, t.teams = append(t.line, line), append(t.service, service), append(t.teams, teams)
	t.at, t.id, t.target, t.status = append(t.at, instant(at)), append(t.id, r.ID), append(t.target, r.Target), append(t.status, r.Status)
	t.kind, t.deployment, t.started = append(t.kind, res.Kind), append(t.deployment, deployment), append(t.started, optional(r.StartedAt))
	t.version, t.way, t.url = append(t.version, r.VersionName), append(t.way, r.Way), append(t.url, r.URL)
	t.commits, t.changes, t.flags = append(t.commits, uint32(res.Commits)), append(t.changes, uint32(res.Changes)), append(t.flags, list(res.Flags))
	t.foundBy, t.source = append(t.foundBy, r.FoundBy), append(t.source, r.Source)
}

type deploymentRows struct {
	line, service, id, kind, version, way, failedRule, restoredBy, reworkRule, url []string
	at, completed                                                                  []time.Time
	started, restored                                                              []*time.Time
	teams, targets, failedBy, reworkOf, flags                                      [][]string
	baseline, failed, rework                                                       []bool
	commits, changes                                                               []uint32
}

func (t *deploymentRows) columns() (string, []any, int) {
	return "environment, service, deployed_at, deployment, teams, kind, started_at, completed_at, targets, version_name, way, baseline, commits, changes, failed, failed_rule, failed_by, restored_at, restored_by, rework, rework_rule, rework_of, flags, url",
		[]any{t.line, t.service, t.at, t.id, t.teams, t.kind, t.started, t.completed, t.targets, t.version, t.way, t.baseline, t.commits, t.changes,
			t.failed, t.failedRule, t.failedBy, t.restored, t.restoredBy, t.rework, t.reworkRule, t.reworkOf, t.flags, t.url}, len(t.id)
}

func (t *deploymentRows) add(line, service string, teams []string, dep *attribution.Deployment, r *attribution.Run, o *attribution.Outcome) {
	t.line, t.service, t.teams = append(t.line, line), append(t.service, service), append(t.teams, teams)
	t.at, t.id, t.kind = append(t.at, instant(dep.DeployedAt)), append(t.id, r.ID), append(t.kind, dep.Kind)
	t.started, t.completed, t.targets = append(t.started, optional(r.StartedAt)), append(t.completed, instant(dep.CompletedAt)), append(t.targets, dep.Targets)
	t.version, t.way, t.url, t.baseline = append(t.version, r.VersionName), append(t.way, r.Way), append(t.url, r.URL), append(t.baseline, dep.Baseline)
	t.commits, t.changes, t.flags = append(t.commits, uint32(dep.Commits)), append(t.changes, uint32(dep.Changes)), append(t.flags, list(dep.Flags))
	t.failed, t.failedRule, t.failedBy = append(t.failed, o.Failed), append(t.failedRule, o.Rule), append(t.failedBy, list(o.By))
	t.restored, t.restoredBy = append(t.restored, optional(o.RestoredAt)), append(t.restoredBy, o.RestoredBy)
	t.rework, t.reworkRule, t.reworkOf = append(t.rework, o.Rework), append(t.reworkRule, o.ReworkRule), append(t.reworkOf, list(o.ReworkOf))
}

type changeRows struct {
	line, service, id, repository, kind, author, deployment, rule, excluded, url []string
	at, started                                                                  []time.Time
	opened, merged                                                               []*time.Time
	teams, commits, flags                                                        [][]string
	bot                                                                          []bool
	lead                                                                         []int64
	coding, pickup, review, wait, deploy                                         []*int64
}

func (t *changeRows) columns() (string, []any, int) {
	return "environment, service, deployed_at, change, teams, repository, kind, author, bot, deployment, commits, started_at, opened_at, merged_at, lead_ms, coding_ms, pickup_ms, review_ms, wait_ms, deploy_ms, rule, excluded, flags, url",
		[]any{t.line, t.service, t.at, t.id, t.teams, t.repository, t.kind, t.author, t.bot, t.deployment, t.commits, t.started, t.opened, t.merged,
			t.lead, t.coding, t.pickup, t.review, t.wait, t.deploy, t.rule, t.excluded, t.flags, t.url}, len(t.id)
}

func (t *changeRows) add(line, service string, teams []string, c *attribution.Change) {
	t.line, t.service, t.teams = append(t.line, line), append(t.service, service), append(t.teams, teams)
	t.at, t.id, t.repository, t.kind = append(t.at, instant(c.DeployedAt)), append(t.id, c.ID), append(t.repository, c.Repository), append(t.kind, c.Kind)
	t.author, t.bot, t.deployment, t.commits = append(t.author, c.Author), append(t.bot, c.Bot), append(t.deployment, c.Deployment), append(t.commits, c.Commits)
	t.started, t.opened, t.merged = append(t.started, instant(c.Start)), append(t.opened, optional(c.OpenedAt)), append(t.merged, optional(c.MergedAt))
	t.lead, t.coding, t.pickup = append(t.lead, c.Lead), append(t.coding, duration(c.Stages.Coding)), append(t.pickup, duration(c.Stages.Pickup))
	t.review, t.wait, t.deploy = append(t.review, duration(c.Stages.Review)), append(t.wait, duration(c.Stages.Wait)), append(t.deploy, duration(c.Stages.Deploy))
	t.rule, t.excluded, t.flags, t.url = append(t.rule, c.Rule), append(t.excluded, c.Excluded), append(t.flags, list(c.Flags)), append(t.url, c.URL)
}

type commitRows struct {
	line, service, repository, sha, author, deployment, change []string
	at, committed                                              []time.Time
	teams                                                      [][]string
	baseline                                                   []bool
}

func (t *commitRows) columns() (string, []any, int) {
	return "environment, service, deployed_at, repository, sha, teams, author, committed_at, deployment, change, baseline",
		[]any{t.line, t.service, t.at, t.repository, t.sha, t.teams, t.author, t.committed, t.deployment, t.change, t.baseline}, len(t.sha)
}

func (t *commitRows) add(line, service string, teams []string, c *attribution.ShippedCommit) {
	t.line, t.service, t.teams = append(t.line, line), append(t.service, service), append(t.teams, teams)
	t.at, t.repository, t.sha = append(t.at, instant(c.DeployedAt)), append(t.repository, c.Repository), append(t.sha, c.SHA)
	t.author, t.committed, t.deployment = append(t.author, c.Author), append(t.committed, instant(c.CommittedAt)), append(t.deployment, c.Deployment)
	t.change, t.baseline = append(t.change, c.Change), append(t.baseline, c.Baseline)
}

type waitingRows struct {
	line, service, repository, id, kind, author, url []string
	teams                                            [][]string
	bot                                              []bool
	started, merged                                  []time.Time
}

func (t *waitingRows) columns() (string, []any, int) {
	return "environment, service, repository, change, teams, kind, author, bot, started_at, merged_at, url",
		[]any{t.line, t.service, t.repository, t.id, t.teams, t.kind, t.author, t.bot, t.started, t.merged, t.url}, len(t.id)
}

type incidentRows struct {
	service, id, cause, deployment, rule, severity, title, url []string
	started                                                    []time.Time
	restored                                                   []*time.Time
	teams                                                      [][]string
}

func (t *incidentRows) append(o *incidentRows) {
	t.service, t.id, t.cause, t.deployment = append(t.service, o.service...), append(t.id, o.id...), append(t.cause, o.cause...), append(t.deployment, o.deployment...)
	t.rule, t.severity, t.title, t.url = append(t.rule, o.rule...), append(t.severity, o.severity...), append(t.title, o.title...), append(t.url, o.url...)
	t.started, t.restored, t.teams = append(t.started, o.started...), append(t.restored, o.restored...), append(t.teams, o.teams...)
}

func (t *incidentRows) columns() (string, []any, int) {
	return "service, started_at, incident, teams, restored_at, cause, deployment, rule, severity, title, url",
		[]any{t.service, t.started, t.id, t.teams, t.restored, t.cause, t.deployment, t.rule, t.severity, t.title, t.url}, len(t.id)
}

type serviceRows struct {
	id, lifecycle, createdVia, firstRun                                       []string
	teams                                                                     [][]string
	created, idea, retired, firstRunAt, firstCommit, firstMerge, firstSuccess []*time.Time
}

func (t *serviceRows) columns() (string, []any, int) {
	return "service, teams, lifecycle, created_at, created_via, idea_at, retired_at, first_run_at, first_run, first_commit_at, first_merge_at, first_pipeline_success_at",
		[]any{t.id, t.teams, t.lifecycle, t.created, t.createdVia, t.idea, t.retired, t.firstRunAt, t.firstRun, t.firstCommit, t.firstMerge, t.firstSuccess}, len(t.id)
}

// list is never nil: the driver takes no nil arrays.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// lineWriter turns what a line found into rows, leaving out those that stand already.
type lineWriter struct {
	d    *Deriver
	svc  *service
	name string
	ls   *lineState
	out  *rows
	cut  int64 // rows at or after it must be written again
}

func (w *lineWriter) teams(at int64) []string { return w.d.directory.teams(w.svc.id, at) }

func (w *lineWriter) runs(from int, others []*run) {
	line := w.ls.line
	deployments := line.Deployments()
	for i := from; i < len(line.Runs()); i++ {
		r, res := &line.Runs()[i], &line.Results()[i]
		first := &line.Runs()[deployments[res.Deployment].Run]
		w.out.runs.add(w.name, w.svc.id, w.teams(r.FinishedAt), r, r.FinishedAt, res, first.ID)
	}
	present := map[rowKey]uint64{}
	for _, r := range others {
		k := rowKey{r.at, r.ID}
		present[k] = r.hash
		if r.at >= w.cut || w.ls.others[k] != r.hash {
			w.out.runs.add(w.name, w.svc.id, w.teams(r.at), &r.Run, r.at, &attribution.Result{Kind: attribution.KindNotLive}, "")
		}
	}
	for k := range w.ls.others {
		if _, ok := present[k]; !ok && k.at < w.cut && !w.inLine(k) {
			w.out.gone = append(w.out.gone, gone{"attributed_runs", "environment, service, at, run", []any{w.name, w.svc.id, instant(k.at), k.id}})
		}
	}
	w.ls.others = present
}

func (w *lineWriter) inLine(k rowKey) bool {
	r := attribution.Run{ID: k.id, FinishedAt: k.at}
	i := w.ls.line.Place(&r)
	return i < len(w.ls.line.Runs()) && w.ls.line.Runs()[i].ID == k.id && w.ls.line.Runs()[i].FinishedAt == k.at
}

func (w *lineWriter) deployments(a *attribution.Assessment) {
	before := w.ls.written
	f := newFingerprint(w.d.seed)
	w.ls.written = make([]writtenRow, 0, len(a.Deployments)+1)
	var moved map[rowKey]uint64 // what was written from the first deployment on that is not where it was
	for i := range a.Deployments {
		dep, o := &a.Deployments[i], &a.Outcomes[i]
		r := dep.Failed
		if r == nil {
			r = &w.ls.line.Runs()[dep.Run]
		}
		row := writtenRow{rowKey{dep.DeployedAt, r.ID}, f.deployment(dep, r, o)}
		w.ls.written = append(w.ls.written, row)
		var same bool
		switch {
		case moved == nil && i < len(before) && before[i].key == row.key:
			same = before[i].hash == row.hash
		default:
			if moved == nil {
				moved = byKey(before[min(i, len(before)):])
			}
			same = moved[row.key] == row.hash
			delete(moved, row.key)
		}
		if dep.DeployedAt >= w.cut || !same {
			w.out.deployments.add(w.name, w.svc.id, w.teams(dep.DeployedAt), dep, r, o)
		}
	}
	if moved == nil {
		moved = byKey(before[min(len(a.Deployments), len(before)):])
	}
	for k := range moved {
		if k.at < w.cut {
			w.out.gone = append(w.out.gone, gone{"attributed_deployments", "environment, service, deployed_at, deployment", []any{w.name, w.svc.id, instant(k.at), k.id}})
		}
	}
}

func byKey(rows []writtenRow) map[rowKey]uint64 {
	m := make(map[rowKey]uint64, len(rows))
	for _, r := range rows {
		m[r.key] = r.hash
	}
	return m
}

// waiting finds the changes that were merged and are not live: what the head of the default branch has and no run
// shipped. A line without runs has none: nothing says that it will ever ship.
func (w *lineWriter) waiting(repos map[string]*repository) {
	var t waitingRows
	f := newFingerprint(w.d.seed)
	if len(w.ls.line.Runs()) > 0 {
		for _, id := range slices.Sorted(maps.Keys(repos)) {
			f.texts(id)
			for _, c := range w.ls.line.Waiting(id, repos[id].Head) {
				f.waiting(&c)
				t.line, t.service, t.repository = append(t.line, w.name), append(t.service, w.svc.id), append(t.repository, id)
				t.id, t.kind, t.author, t.url = append(t.id, c.ID), append(t.kind, c.Kind), append(t.author, c.Author), append(t.url, c.URL)
				t.bot, t.started, t.merged = append(t.bot, c.Bot), append(t.started, instant(c.Start)), append(t.merged, instant(c.MergedAt))
				t.teams = append(t.teams, w.teams(c.MergedAt))
			}
		}
	}
	h := f.sum()
	if h == w.ls.waiting && w.cut != attribution.Absent {
		return
	}
	w.ls.waiting = h
	w.out.waits = append(w.out.waits, cut{w.svc.id, w.name, attribution.Absent})
	appendWaiting(&w.out.waiting, &t)
}

func appendWaiting(to, from *waitingRows) {
	to.line, to.service, to.repository = append(to.line, from.line...), append(to.service, from.service...), append(to.repository, from.repository...)
	to.id, to.kind, to.author, to.url = append(to.id, from.id...), append(to.kind, from.kind...), append(to.author, from.author...), append(to.url, from.url...)
	to.teams, to.bot = append(to.teams, from.teams...), append(to.bot, from.bot...)
	to.started, to.merged = append(to.started, from.started...), append(to.merged, from.merged...)
}

func (d *Deriver) writeIncidents(svc *service, st *serviceState, incidents []incident, a attribution.Assessment, out *rows) {
	f := newFingerprint(d.seed)
	var t incidentRows
	for i, inc := range incidents {
		restored := inc.RestoredAt
		if restored == attribution.Absent {
			restored = inc.ResolvedAt
		}
		deployment, rule := "", ""
		if l := a.Links[i]; l.Deployment >= 0 {
			rule = l.Rule
			if dep := &a.Deployments[l.Deployment]; dep.Failed != nil {
				deployment = dep.Failed.ID
			} else {
				deployment = st.lines[Production].line.Runs()[dep.Run].ID
			}
		}
		f.texts(inc.ID, inc.cause, deployment, rule, inc.severity, inc.title, inc.url)
		f.numbers(inc.StartedAt, restored)
		t.service, t.id, t.cause = append(t.service, svc.id), append(t.id, inc.ID), append(t.cause, inc.cause)
		t.deployment, t.rule, t.severity = append(t.deployment, deployment), append(t.rule, rule), append(t.severity, inc.severity)
		t.title, t.url, t.started = append(t.title, inc.title), append(t.url, inc.url), append(t.started, instant(inc.StartedAt))
		t.restored, t.teams = append(t.restored, optional(restored)), append(t.teams, d.directory.teams(svc.id, inc.StartedAt))
	}
	h := f.sum()
	if h == st.incidents {
		return
	}
	st.incidents = h
	out.troubles = append(out.troubles, cut{svc.id, "", attribution.Absent})
	out.incidents.append(&t)
}

func (d *Deriver) writeService(ctx context.Context, svc *service, st *serviceState, repos map[string]*repository, first *run, known bool, out *rows) error {
	if _, registered := d.directory.services[svc.id]; !registered && !known || svc.id == "" {
		if svc.id != "" {
			out.dropService(svc.id)
		}
		st.service = 0
		return nil
	}
	firstAt, firstID := int64(attribution.Absent), ""
	if first != nil {
		firstAt, firstID = first.FinishedAt, first.ID
	}
	begun := svc.created
	if begun == attribution.Absent {
		begun = firstAt
	}
	teams := []string{}
	if begun != attribution.Absent {
		teams = d.directory.firstTeams(svc.id, begun)
	}
	firstCommit, firstMerge, firstSuccess := int64(attribution.Absent), int64(attribution.Absent), int64(attribution.Absent)
	if svc.created != attribution.Absent {
		var err error
		if firstCommit, firstMerge, firstSuccess, err = d.beginnings(ctx, svc, repos); err != nil {
			return err
		}
	}
	h := maphash.Comparable(d.seed, fmt.Sprint(*svc, teams, firstAt, firstID, firstCommit, firstMerge, firstSuccess))
	if h == st.service {
		return nil
	}
	st.service = h
	t := &out.services
	t.id, t.lifecycle, t.createdVia, t.firstRun = append(t.id, svc.id), append(t.lifecycle, svc.lifecycle), append(t.createdVia, svc.createdVia), append(t.firstRun, firstID)
	t.teams, t.created, t.idea = append(t.teams, teams), append(t.created, optional(svc.created)), append(t.idea, optional(svc.idea))
	t.retired, t.firstRunAt = append(t.retired, optional(svc.retired)), append(t.firstRunAt, optional(firstAt))
	t.firstCommit, t.firstMerge, t.firstSuccess = append(t.firstCommit, optional(firstCommit)), append(t.firstMerge, optional(firstMerge)), append(t.firstSuccess, optional(firstSuccess))
	return nil
}

// beginnings are the first steps of a service's life after its creation: first commit, first merge, first pipeline
// that succeeded.
func (d *Deriver) beginnings(ctx context.Context, svc *service, repos map[string]*repository) (commit, merge, success int64, err error) {
	commit, merge, success = math.MaxInt64, math.MaxInt64, math.MaxInt64
	var ids []string
	for _, p := range svc.parts {
		r := repos[p.repository]
		ids = append(ids, p.repository)
		commit = min(commit, r.Graph.FirstAfter(svc.created, r.match(p.patterns)))
		merge = r.firstMerge(svc.created, merge)
	}
	if len(ids) > 0 {
		var n uint64
		var first int64
		if err := d.st.QueryRow(ctx, query("first_pipeline_success"), store.Params{"repositories": ids, "since": svc.created}).Scan(&first, &n); err != nil {
			return 0, 0, 0, err
		}
		if n > 0 {
			success = first
		}
	}
	for _, t := range []*int64{&commit, &merge, &success} {
		if *t == math.MaxInt64 || *t > d.cutoff() {
			*t = attribution.Absent
		}
	}
	return commit, merge, success, nil
}
