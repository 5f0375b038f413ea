package gitlab

import (
	"cmp"
	"context"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/rules"
)

// readRuns makes a turn over a project's pipelines.
func readRuns(ctx context.Context, t *Turn) error {
	return readWalk(ctx, t, func(*walked) walk[pipeline] {
		size := perPage
		if t.runsWhole() {
			size = changesPerPage // each needs further requests
		}
		return walk[pipeline]{
			path: t.repo.in("/pipelines"), size: size,
			key:  func(p pipeline) (int64, time.Time) { return p.ID, p.UpdatedAt.Time },
			tell: func(ctx context.Context, p pipeline) error { return t.run(ctx, p, false) },
		}
	})
}

// runsWhole says whether pipelines or their jobs can be deployments, whose ends have to be known to the second.
func (t *Turn) runsWhole() bool {
	return t.c.rules.Wants(t.repo.Fact, rules.FromWorkflow) || t.c.rules.Wants(t.repo.Fact, rules.FromJob)
}

// refreshRun tells one pipeline again. A child is told by its parent, if at all.
func refreshRun(ctx context.Context, t *Turn, subject string) error {
	id, err := number(t, subject)
	if err != nil {
		return err
	}
	var p pipeline
	if err := t.get(ctx, t.repo.in("/pipelines/"+itoa(id)), nil, &p); err != nil {
		return err
	}
	return t.run(ctx, p, true)
}

// run tells a pipeline, and what of it rules call deployments. A child pipeline is a part of its parent and not told.
//
// The list of pipelines has neither the start nor the end; a pipeline that ended is asked for by itself where a rule
// could make it, or a job of it, a deployment, and nowhere else: that is a request for each. whole says that it was.
func (t *Turn) run(ctx context.Context, p pipeline, whole bool) error {
	if p.child() {
		return nil
	}
	over := ended(runStatus(p.Status))
	wanted := t.runsWhole()
	if wanted && over && !whole {
		var more pipeline
		err := t.get(ctx, t.repo.in("/pipelines/"+itoa(p.ID)), nil, &more)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if err == nil {
			p = more
			over = ended(runStatus(p.Status))
		}
	}
	if err := t.tell(t.c.t.run(t.repo, p, wanted && over)); err != nil {
		return err
	}
	if t.c.rules.Wants(t.repo.Fact, rules.FromWorkflow) && over {
		fact, verdict := t.c.t.runDeployment(t.repo, p)
		if err := t.deployed(fact, verdict.Rule, "pipeline "+itoa(p.ID)); err != nil {
			return err
		}
	}
	if t.c.rules.Wants(t.repo.Fact, rules.FromJob) && (over || whole) {
		return t.jobs(ctx, p)
	}
	return nil
}

// jobs tells the jobs of a pipeline, and of its child pipelines, that rules call deployments.
func (t *Turn) jobs(ctx context.Context, p pipeline) error {
	jobs, err := t.jobsOf(ctx, p.ID, p.ID, 0)
	if err != nil {
		return err
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Compare(a.ID, b.ID) })
	attempts := map[string]int64{}
	for _, j := range jobs {
		attempts[j.Name]++
		j.attempt = attempts[j.Name]
		fact, verdict := t.c.t.jobDeployment(t.repo, j)
		if err := t.deployed(fact, verdict.Rule, "job "+clip(j.Name)); err != nil {
			return err
		}
	}
	return nil
}

// maxDepth is how deep child pipelines are nested: GitLab allows two levels.
const maxDepth = 2

func (t *Turn) jobsOf(ctx context.Context, pipeline, parent int64, depth int) ([]job, error) {
	path := t.repo.in("/pipelines/" + itoa(pipeline))
	jobs, err := all[job](ctx, t, path+"/jobs", query{"include_retried": "true"})
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil, nil
		}
		return nil, err
	}
	for i := range jobs {
		jobs[i].pipeline = parent
	}
	if depth == maxDepth {
		return jobs, nil
	}
	bridges, err := all[bridge](ctx, t, path+"/bridges", nil)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	for _, b := range bridges {
		if b.Downstream == nil || b.Downstream.ID == 0 || b.Downstream.ProjectID != 0 && b.Downstream.ProjectID != t.repo.ID {
			continue // a pipeline of another project counts there
		}
		more, err := t.jobsOf(ctx, b.Downstream.ID, parent, depth+1)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, more...)
	}
	return jobs, nil
}
