package derive

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// incident is an incident with what only its row needs.
type incident struct {
	attribution.Incident
	title, severity, cause, url string
}

func (d *Deriver) loadIncidents(ctx context.Context, names []string, runs []*run) ([]incident, error) {
	var rows []struct {
		ID       string `ch:"id"`
		Source   string `ch:"source"`
		Title    string `ch:"title"`
		Severity string `ch:"severity"`
		Started  int64  `ch:"started"`
		Restored int64  `ch:"restored"`
		Resolved int64  `ch:"resolved"`
		Cause    string `ch:"cause"`
		CausedBy string `ch:"caused_by_deployment"`
		URL      string `ch:"url"`
	}
	if err := d.st.Select(ctx, &rows, query("incidents"), store.Params{"services": names}); err != nil {
		return nil, err
	}
	var named []string
	for _, r := range rows {
		if r.CausedBy != "" {
			named = append(named, r.CausedBy)
		}
	}
	var refs references
	if named != nil {
		refs = newReferences(runs, named)
	}
	seen := map[string]string{}
	var incidents []incident
	for _, r := range rows {
		if r.Started > d.cutoff() {
			continue
		}
		id := r.ID
		if s, ok := seen[id]; ok && s != r.Source {
			id = r.Source + ":" + id
		}
		seen[r.ID] = r.Source
		by := r.CausedBy
		if by != "" {
			by = refs.resolve(by)
		}
		incidents = append(incidents, incident{
			Incident: attribution.Incident{
				ID: id, StartedAt: r.Started, RestoredAt: upTo(r.Restored, d.cutoff()), ResolvedAt: upTo(r.Resolved, d.cutoff()),
				External: r.Cause == "external", CausedBy: by,
			},
			title: r.Title, severity: r.Severity, cause: r.Cause, url: r.URL,
		})
	}
	return incidents, nil
}

// serviceState is what is kept of a service between derivations, so that only what changed is derived again.
type serviceState struct {
	runs      runList
	used      uint64 // the derivation that was its latest
	lines     map[string]*lineState
	config    string // the service's parts and what else its lines were built with
	incidents uint64 // hash of the rows written
	service   uint64
}

// lineState is a line with the hashes of what was applied and written.
type lineState struct {
	line      *attribution.Line
	applied   []uint64          // hashes of the runs in the line
	written   []writtenRow      // rows of deployments
	others    map[rowKey]uint64 // rows of runs that are not in the line, by hash
	waiting   uint64            // hash of the rows of waiting changes
	touched   map[string]int    // repository -> how many of its touched commits were looked at
	revisions map[string]int    // repository -> its revision when the line was built
	repos     map[string]*repository
	sink      *rows // where the line reports to
}

// rowKey identifies a row within a line.
type rowKey struct {
	at int64
	id string
}

// writtenRow is a row that stands in its table, by a hash of what is in it.
type writtenRow struct {
	key  rowKey
	hash uint64
}

// derive brings one service's rows up to date.
func (d *Deriver) derive(ctx context.Context, id string, out *rows) error {
	dir := d.directory
	svc := dir.service(id)
	names := dir.names(id)
	st := d.states[id]
	if st == nil {
		st = &serviceState{}
		d.states[id] = st
	}
	st.used = d.revision
	if err := st.runs.load(ctx, d, names); err != nil {
		return err
	}
	runs := st.runs.current()
	incidents, err := d.loadIncidents(ctx, names, runs)
	if err != nil {
		return err
	}
	repos, err := d.repositoriesOf(ctx, svc, runs)
	if err != nil {
		return err
	}
	looked, err := d.findCommits(ctx, svc, runs, repos)
	if err != nil {
		return err
	}
	if looked {
		if repos, err = d.repositoriesOf(ctx, svc, runs); err != nil {
			return err
		}
	}
	seal(runs, newFingerprint(d.seed))
	first := firstProduction(runs)
	keep := svc.created != attribution.Absent && first != nil && first.FinishedAt >= svc.created
	config := fmt.Sprintf("%q %d %t %d %+v", svc.parts, svc.created, keep, d.peopleEpoch, dir.owners[id])
	if st.config != config {
		*st = serviceState{runs: st.runs, used: st.used, lines: map[string]*lineState{}, config: config}
		out.forgetService(id)
	}
	byLine := map[string][]*run{}
	for _, r := range runs {
		byLine[r.line] = append(byLine[r.line], r)
	}
	for name := range st.lines {
		if _, ok := byLine[name]; !ok {
			byLine[name] = nil
		}
	}
	var production attribution.Assessment
	production.Links = make([]attribution.Link, len(incidents))
	for i := range production.Links {
		production.Links[i].Deployment = -1
	}
	for name, lineRuns := range byLine {
		a := d.deriveLine(svc, st, name, lineRuns, incidents, repos, keep, out)
		if name == Production {
			production = a
		}
	}
	d.writeIncidents(svc, st, incidents, production, out)
	return d.writeService(ctx, svc, st, repos, first, len(runs)+len(incidents) > 0, out)
}

func firstProduction(runs []*run) *run {
	var first *run
	for _, r := range runs {
		if r.line == Production && r.Status == attribution.Succeeded &&
			(first == nil || r.FinishedAt < first.FinishedAt || r.FinishedAt == first.FinishedAt && r.ID < first.ID) {
			first = r
		}
	}
	return first
}

func (d *Deriver) deriveLine(svc *service, st *serviceState, name string, runs []*run, incidents []incident, repos map[string]*repository, keep bool, out *rows) attribution.Assessment {
	var live, others []*run
	for _, r := range runs {
		if r.Status == attribution.Succeeded && r.FinishedAt != attribution.Absent {
			live = append(live, r)
		} else {
			others = append(others, r)
		}
	}
	slices.SortFunc(live, func(a, b *run) int {
		return cmp.Or(cmp.Compare(a.FinishedAt, b.FinishedAt), strings.Compare(a.ID, b.ID))
	})
	ls := st.lines[name]
	from, cut := 0, int64(math.MaxInt64)
	if ls != nil && ls.adopt(repos) && !ls.line.Stale() {
		from = ls.firstChange(live, repos)
		if old := ls.line.Runs(); from < len(old) {
			for from > 0 && old[from-1].FinishedAt == old[from].FinishedAt {
				from--
			}
			cut = old[from].FinishedAt
			out.forget(svc.id, name, cut)
			ls.line.Rewind(from)
		}
	} else {
		if ls != nil {
			out.forget(svc.id, name, attribution.Absent)
		}
		cut = attribution.Absent
		ls = d.newLine(svc, name, keep, repos)
		st.lines[name] = ls
	}
	ls.sink = out
	ls.applied = ls.applied[:from]
	for _, r := range live[from:] {
		ls.line.Append(r.Run)
		ls.applied = append(ls.applied, r.hash)
	}
	ls.remember(repos)
	var failed []attribution.Run
	for _, r := range others {
		if (r.Status == attribution.Failed || r.Status == attribution.Cancelled) && r.FinishedAt != attribution.Absent {
			failed = append(failed, r.Run)
		}
	}
	var asked []attribution.Incident
	if name == Production {
		for _, i := range incidents {
			asked = append(asked, i.Incident)
		}
	}
	a := ls.line.Assess(asked, failed)
	w := lineWriter{d: d, svc: svc, name: name, ls: ls, out: out, cut: cut}
	w.runs(from, others)
	w.deployments(&a)
	w.waiting(repos)
	return a
}

// adopt gives the line the repositories as they are now. It returns false where the line stands on something else than
// those: a commit was told anew in other words, or the line missed something.
func (ls *lineState) adopt(repos map[string]*repository) bool {
	for id, r := range repos {
		before, known := ls.repos[id]
		ls.repos[id] = r
		if !known {
			ls.touched[id], ls.revisions[id] = r.told(), r.revision
			continue
		}
		if _, ok := r.touchedSince(ls.touched[id]); !ok || before != r || ls.revisions[id] != r.revision {
			return false
		}
	}
	return true
}

// firstChange is the first place in the line from which things may have come out differently: where the runs differ
// from those applied, or where a change request shipped that was told, or told anew, since.
func (ls *lineState) firstChange(live []*run, repos map[string]*repository) int {
	from := 0
	for from < len(live) && from < len(ls.applied) && live[from].hash == ls.applied[from] {
		from++
	}
	for id, r := range repos {
		commits, _ := r.touchedSince(ls.touched[id])
		if run, shipped := ls.line.ShippedBy(id, commits); shipped {
			from = min(from, run)
		}
	}
	return from
}

// remember notes how much of the repositories' news the line has seen.
func (ls *lineState) remember(repos map[string]*repository) {
	for id, r := range repos {
		ls.touched[id] = r.told()
		ls.revisions[id] = r.revision
	}
}

func (d *Deriver) newLine(svc *service, name string, keep bool, repos map[string]*repository) *lineState {
	ls := &lineState{others: map[rowKey]uint64{}, touched: map[string]int{}, revisions: map[string]int{}, repos: maps.Clone(repos)}
	var parts []attribution.Part
	for _, p := range svc.parts {
		parts = append(parts, attribution.Part{Repository: p.repository, Match: repos[p.repository].match(p.patterns)})
	}
	ls.line = attribution.NewLine(attribution.Config{
		Settings: d.cfg.attribution(), Author: d.directory.author, Parts: parts, KeepBaseline: keep,
		Repository: func(id string) *attribution.Repository { return &ls.repos[id].Repository },
		Deliver: func(c *attribution.Change) {
			ls.sink.changes.add(name, svc.id, d.directory.teams(svc.id, c.DeployedAt), c)
		},
		Commit: func(c *attribution.ShippedCommit) {
			ls.sink.commits.add(name, svc.id, d.directory.teams(svc.id, c.DeployedAt), c)
		},
	})
	return ls
}
