package derive

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"cairn/internal/store"
	"cairn/metrics/attribution"
)

// run is a deployment run with what only its row needs.
type run struct {
	attribution.Run
	told       telling
	at         int64 // when it ended, or the best that is known
	line       string
	hash       uint64
	remediates []string // as told
	named      []named  // revisions as told; which they are stands in Revisions, see findCommits
	images     []string
	hidden     bool // it happened after the cutoff
}

// telling names what a run was told as, and which version of it.
type telling struct {
	source, id string
	attempt    int64
	service    string
	version    uint64
}

func (t *telling) compare(o *telling) int {
	return cmp.Or(strings.Compare(t.source, o.source), strings.Compare(t.id, o.id), cmp.Compare(t.attempt, o.attempt), strings.Compare(t.service, o.service))
}

// same tells whether two tellings are of one run, under two names of its service perhaps.
func (t *telling) same(o *telling) bool {
	return t.source == o.source && t.id == o.id && t.attempt == o.attempt
}

// Production names the line of all environments of the production tier.
const Production = "production"

// lineName is the line of runs that an environment belongs to.
func lineName(environment, tier string) string {
	if tier == Production {
		return Production
	}
	name := strings.ToLower(environment)
	if name == Production {
		return tier
	}
	return name
}

// runList holds the runs of a service between derivations.
type runList struct {
	names     []string // under which the service's facts are told
	until     time.Time
	all       []*run            // in the order of their tellings, also what another telling replaces
	source    map[string]string // id -> the source that first told it
	ambiguous map[string]bool   // ids that several sources told
}

// load reads what was told under one of the names since the last load. position is up to where facts were seen.
func (l *runList) load(ctx context.Context, d *Deriver, names []string) error {
	since := l.until.Add(-overlap)
	if l.all == nil || !slices.Equal(l.names, names) {
		*l = runList{names: names, source: map[string]string{}, ambiguous: map[string]bool{}}
		since = time.Time{}
	}
	rows, err := d.st.Query(ctx, query("runs"), store.Params{"services": names, "since": since})
	if err != nil {
		return err
	}
	defer rows.Close()
	var (
		r                                      run
		tier, repositories, shas, previousSHAs string
		remediates, incidents, roles, images   string
		created, updated                       int64
		verdict                                int8
	)
	fresh := l.all == nil
	words := map[string]string{}
	for rows.Next() {
		r = run{}
		if err := rows.Scan(&r.told.source, &r.told.id, &r.told.attempt, &r.told.service, &r.told.version, &r.Environment, &tier, &r.Target, &r.Status,
			&created, &r.StartedAt, &r.FinishedAt, &updated, &repositories, &shas, &previousSHAs, &roles, &images, &r.VersionName, &r.Artifact,
			&r.Rollback, &r.Hotfix, &r.Unplanned, &remediates, &incidents, &verdict, &r.Way, &r.URL); err != nil {
			return err
		}
		for _, word := range []*string{&r.told.source, &r.told.service, &r.Environment, &r.Target, &r.Status, &r.Way} {
			*word = once(words, *word)
		}
		r.line = once(words, lineName(r.Environment, tier))
		r.Source = r.told.source
		at, previous, parts := split(nil, shas), split(nil, previousSHAs), split(nil, roles)
		for i, repository := range split(nil, repositories) {
			n := named{Revision: attribution.Revision{Repository: once(words, repository), SHA: at[i]}}
			if previousSHAs != "" {
				n.PreviousSHA = previous[i]
			}
			role, rule, _ := strings.Cut(parts[i], "/")
			n.config, n.rule = role == "config", once(words, cmp.Or(rule, byCommit))
			r.named = append(r.named, n)
		}
		r.images = split(nil, images)
		r.remediates, r.RemediatesIncidents = split(nil, remediates), split(nil, incidents)
		if verdict >= 0 {
			failed := verdict == 1
			r.Verdict = &failed
		}
		r.date(created, updated, d.cutoff())
		kept := r
		l.put(&kept, fresh)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	l.until = d.horizon.position
	return nil
}

// once gives one and the same string for equal ones.
func once(words map[string]string, word string) string {
	if w, ok := words[word]; ok {
		return w
	}
	words[word] = word
	return word
}

// date finds when a run was, and forgets what became of it after the cutoff.
func (r *run) date(created, updated, cutoff int64) {
	r.Run.Target = r.Environment + targetSuffix(r.Target)
	for _, t := range []int64{r.FinishedAt, r.StartedAt, created, updated} {
		if r.at = t; t != attribution.Absent {
			break
		}
	}
	if r.at <= cutoff {
		return
	}
	if r.StartedAt > cutoff || r.FinishedAt == attribution.Absent || r.StartedAt == attribution.Absent {
		r.hidden = true
		return
	}
	r.Status, r.FinishedAt, r.at = "in_progress", attribution.Absent, r.StartedAt
}

func targetSuffix(target string) string {
	if target == "" {
		return ""
	}
	return "/" + target
}

// put takes a run in, in the place of what was told before. ordered says that runs come in the order of their tellings.
func (l *runList) put(r *run, ordered bool) {
	i := len(l.all)
	if !ordered {
		i = sort.Search(len(l.all), func(n int) bool { return l.all[n].told.compare(&r.told) >= 0 })
	}
	if i < len(l.all) && l.all[i].told.compare(&r.told) == 0 {
		l.all[i] = r
	} else {
		l.all = slices.Insert(l.all, i, r)
	}
	if source, ok := l.source[r.told.id]; !ok {
		l.source[r.told.id] = r.told.source
	} else if source != r.told.source {
		l.ambiguous[r.told.id] = true
	}
}

// current are the runs as they are known now, ordered by source, id and attempt, with the ids by which runs name each
// other turned into the ids of runs.
func (l *runList) current() []*run {
	runs := make([]*run, 0, len(l.all))
	for i, r := range l.all {
		best := r
		if i > 0 && l.all[i-1].told.same(&r.told) {
			continue
		}
		for _, other := range l.all[i+1:] {
			if !other.told.same(&r.told) {
				break
			}
			if other.told.version >= best.told.version {
				best = other
			}
		}
		if best.hidden {
			continue
		}
		if id := l.id(best); id != best.ID {
			best.ID, best.hash = id, 0
		}
		runs = append(runs, best)
	}
	l.resolve(runs)
	return runs
}

// seal gives the runs their hashes, once all that is known of them is in them.
func seal(runs []*run, f *fingerprint) {
	for _, r := range runs {
		if r.hash == 0 {
			r.hash = f.run(&r.Run)
		}
	}
}

// id is what a run is called within its service.
func (l *runList) id(r *run) string {
	id := r.told.id
	if l.ambiguous[id] {
		id = r.told.source + ":" + id
	}
	if r.told.attempt > 1 {
		id += "#" + strconv.FormatInt(r.told.attempt, 10)
	}
	return id
}

func (l *runList) resolve(runs []*run) {
	var named []string
	for _, r := range runs {
		named = append(named, r.remediates...)
	}
	if named == nil {
		return
	}
	refs := newReferences(runs, named)
	for _, r := range runs {
		if len(r.remediates) == 0 {
			continue
		}
		resolved := make([]string, len(r.remediates))
		for i, id := range r.remediates {
			resolved[i] = refs.resolve(id)
		}
		if !slices.Equal(resolved, r.Remediates) {
			r.Remediates, r.hash = resolved, 0
		}
	}
}

// references leads from the ids by which facts name runs to the runs' own ids: an id without an attempt means the last
// attempt that succeeded, or else the last.
type references map[string]string

// newReferences finds the runs that the given ids name.
func newReferences(runs []*run, named []string) references {
	type qualified struct{ source, id string }
	byName, bySource := map[string]string{}, map[qualified]string{} // -> the id that a fact names
	exact := map[string]bool{}
	for _, id := range named {
		exact[id], byName[id] = true, id
		for i := range len(id) {
			if id[i] == ':' {
				bySource[qualified{id[:i], id[i+1:]}] = id
			}
		}
	}
	best := map[string]*run{}
	r := references{}
	for _, x := range runs {
		one, isNamed := byName[x.told.id]
		other, isQualified := bySource[qualified{x.told.source, x.told.id}]
		for _, n := range []struct {
			id string
			ok bool
		}{{one, isNamed}, {other, isQualified && x.told.source != ""}} {
			if b := best[n.id]; n.ok && (b == nil || x.Status == attribution.Succeeded || b.Status != attribution.Succeeded) {
				best[n.id] = x
			}
		}
	}
	for id, x := range best {
		r[id] = x.ID
	}
	for _, x := range runs {
		if x.ID != x.told.id && exact[x.ID] {
			r[x.ID] = x.ID
		}
	}
	return r
}

func (r references) resolve(id string) string {
	if to, ok := r[id]; ok {
		return to
	}
	return id
}
