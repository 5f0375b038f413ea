package git

import (
	"bufio"
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cairn/internal/event"
	"cairn/internal/progress"
)

// run is the state of one collection.
type run struct {
	s        *Source
	emit     func(event.Event) error
	git      git
	repo     *repository
	resolver *resolver
	source   string // who tells, in every event
	old      cursor // where the run resumes
	next     cursor // what will have been told at its end
	report   *Report
}

// marks of a tip: a commit from which history is read, or was read before.
const (
	tipOld     = 1 << iota // told in an earlier run
	tipTold                // told in this one
	tipCovered             // an ancestor of another tip
)

// collect tells everything once and then moves the position.
func (s *Source) collect(ctx context.Context, emit func(event.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.report = Report{Repository: s.repository}
	g := git{program: s.cfg.Program, dir: s.location.path, name: s.location.String()}
	if s.location.url != "" {
		cache, release, err := fetch(ctx, s.cfg.Program, s.cfg.CacheDir, s.location, s.cfg.Header, s.progress)
		if err != nil {
			return err
		}
		defer release()
		g = cache
	}
	r := &run{
		s: s, emit: emit, git: g, resolver: &resolver{git: g, ctx: ctx}, source: "git:" + s.repository,
		old: s.cursor, next: s.cursor, report: &s.report,
	}
	defer r.resolver.close()
	var err error
	if r.repo, err = open(ctx, g, r.resolver, s.cfg); err != nil {
		return err
	}
	if s.location.url != "" {
		r.repo.url = public(s.location.url)
	}
	r.report.Branch = r.repo.branch
	r.report.Shallow = len(r.repo.cut) > 0
	for _, step := range []func(context.Context) error{r.tellRepository, r.tellCommits, r.tellBranch, r.tellReleases, r.tellDeployments} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.position = r.next.String()
	return nil
}

// tellRepository tells the repository and the service, when they are new or have changed.
func (r *run) tellRepository(context.Context) error {
	fact := &event.Repository{
		ID:            r.s.repository,
		Name:          r.s.repository[strings.LastIndexByte(r.s.repository, '/')+1:],
		DefaultBranch: clip(r.repo.branch, maxText),
		URL:           r.repo.url,
		Shallow:       len(r.repo.cut) > 0,
	}
	if err := r.tellFact(fact, &r.next.Fact); err != nil || !r.s.cfg.Register {
		return err
	}
	state := r.next.Services[r.s.cfg.Service]
	err := r.tellFact(&event.Service{
		ID:           r.s.cfg.Service,
		Repositories: []event.ServiceRepository{{Repository: r.s.repository, Paths: r.s.cfg.Paths, SharedPaths: r.s.cfg.SharedPaths}},
	}, &state.Fact)
	r.saveService(state)
	return err
}

// tellFact tells a fact that carries no instant of its own.
func (r *run) tellFact(e event.Event, state *told) error {
	at, changed := state.change(event.AppendJSON(nil, e))
	if !changed && !r.s.cfg.Full {
		return nil
	}
	*e.Common() = event.Telling{Source: r.source, UpdatedAt: at}
	return r.emit(e)
}

// saveService keeps what was told of the service for the next run.
func (r *run) saveService(state shipped) {
	services := make(map[string]shipped, len(r.next.Services)+1)
	for name, other := range r.next.Services {
		services[name] = other
	}
	services[r.s.cfg.Service] = state
	r.next.Services = services
}

// tellCommits tells the commits that can be reached from the refs now and could not be reached from those of earlier
// runs. A rewritten history needs no care: what was told stays told, what is new is told, and an earlier tip that git
// has thrown away is forgotten.
func (r *run) tellCommits(ctx context.Context) error {
	tips, err := r.tips()
	if err != nil {
		return err
	}
	var input strings.Builder
	news := false
	for _, sha := range slices.Sorted(maps.Keys(tips)) {
		if tips[sha]&tipOld == 0 {
			news = true
			input.WriteString(sha + "\n")
		} else {
			input.WriteString("^" + sha + "\n")
		}
	}
	if news {
		if err := r.walk(ctx, input.String(), tips); err != nil {
			return err
		}
	}
	var keep []string
	for sha, marks := range tips {
		if marks&(tipOld|tipTold) != 0 && marks&tipCovered == 0 {
			keep = append(keep, sha)
		}
	}
	slices.Sort(keep)
	r.next.Tips, r.next.Cut = packSHAs(keep), r.repo.cutHash()
	return nil
}

// tips returns the commits at which the history to tell begins, and those at which it ends since they were told.
func (r *run) tips() (map[string]uint8, error) {
	tips := map[string]uint8{}
	for ref, head := range r.repo.heads {
		if !r.s.cfg.DefaultBranchOnly || ref == r.repo.ref {
			tips[head.sha] = 0
		}
	}
	for _, t := range r.repo.tags {
		if t.commit != "" && (!r.s.cfg.DefaultBranchOnly || r.s.deploys(t)) {
			tips[t.commit] = 0
		}
	}
	if branch, ok := r.s.deployedBranch(); ok {
		ref, err := r.repo.find(branch)
		if err != nil {
			return nil, err
		}
		tips[r.repo.heads[ref].sha] = 0
	}
	// When the place has changed where a shallow history ends, what lies behind the old one was never told.
	if r.s.cfg.Full || r.old.Cut != r.repo.cutHash() {
		return tips, nil
	}
	for _, sha := range unpackSHAs(r.old.Tips) {
		found, err := r.resolver.commit(sha)
		if err != nil {
			return nil, err
		}
		if found == sha {
			tips[sha] |= tipOld
		}
	}
	return tips, nil
}

// walk tells the commits that input selects, one after the other.
func (r *run) walk(ctx context.Context, input string, tips map[string]uint8) error {
	total, stop := r.count(ctx, input)
	defer stop()
	err := r.git.stream(ctx, strings.NewReader(input), func(out *bufio.Reader) error {
		log := newLogReader(out)
		for {
			rec, err := log.next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if marks, ok := tips[rec.sha]; ok {
				tips[rec.sha] = marks | tipTold
			}
			for _, parent := range rec.parents {
				if marks, ok := tips[parent]; ok {
					tips[parent] = marks | tipCovered
				}
			}
			c, err := r.commit(ctx, rec)
			if err != nil {
				return err
			}
			if err := r.emit(c); err != nil {
				return err
			}
			r.report.Commits++
			if r.report.Commits%64 == 0 {
				r.s.progress.Report(progress.State{Stage: "commits", Done: int64(r.report.Commits), Total: total.Load()})
			}
		}
	}, "log", "--stdin", "-z", "--name-only", "--no-renames", "--ignore-submodules=none", "--encoding=UTF-8", "--format="+logFormat)
	if err != nil {
		return err
	}
	if n := int64(r.report.Commits); n > 0 {
		r.s.progress.Report(progress.State{Stage: "commits", Done: n, Total: n})
	}
	return nil
}

// count lets git count the commits that input selects, beside the walk and only when somebody watches. The number is
// 0 until it is known; a failure leaves it there, since the walk will meet the same.
func (r *run) count(ctx context.Context, input string) (total *atomic.Int64, stop func()) {
	total = new(atomic.Int64)
	if r.s.progress == nil {
		return total, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var counting sync.WaitGroup
	counting.Go(func() {
		_ = r.git.stream(ctx, strings.NewReader(input), func(out *bufio.Reader) error {
			text, err := io.ReadAll(out)
			if err != nil {
				return err
			}
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			total.Store(n)
			return err
		}, "rev-list", "--count", "--stdin")
	})
	return total, func() {
		cancel()
		counting.Wait()
	}
}

// tellBranch tells the head of the default branch when it has moved, and that another one no longer is the default.
// The fact has no instant of its own: it is told with the date of the head, and after the one before it.
func (r *run) tellBranch(context.Context) error {
	before, name := r.old.Default, clip(r.repo.branch, maxText)
	if before.Name != "" && before.Name != name {
		sha := before.SHA
		if ref, err := r.repo.find(before.Name); err == nil {
			sha = r.repo.heads[ref].sha
		}
		before.Told++
		if err := r.emit(&event.Branch{
			Telling:    event.Telling{Source: r.source, UpdatedAt: time.UnixMilli(before.Told).UTC()},
			Repository: r.s.repository, Name: before.Name, SHA: sha,
		}); err != nil {
			return err
		}
	}
	if name == "" {
		r.next.Default = branchTold{}
		return nil
	}
	head := r.repo.heads[r.repo.ref]
	committed, _ := seconds(head.committed)
	now := branchTold{Name: name, SHA: head.sha, Told: committed * 1000}
	moved := before.Name != name || before.SHA != head.sha
	switch {
	case !moved && !r.s.cfg.Full:
		return nil
	case !moved:
		now.Told = before.Told
	case before.Name != "":
		now.Told = max(now.Told, before.Told+1)
	}
	r.next.Default = now
	return r.emit(&event.Branch{
		Telling:    event.Telling{Source: r.source, UpdatedAt: time.UnixMilli(now.Told).UTC()},
		Repository: r.s.repository, Name: name, SHA: head.sha, Default: true,
	})
}

// resolved returns the full sha of a commit that a message names, which may be shortened; "" when there is none such.
func (r *run) resolved(named string) (string, error) {
	if named == "" || isSHA(named) {
		return named, nil
	}
	sha, err := r.resolver.commit(named)
	if err != nil || !strings.HasPrefix(sha, named) {
		return "", err
	}
	return sha, nil
}
