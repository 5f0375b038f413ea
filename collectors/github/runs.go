package github

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-github/v60/github"

	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/rules"
)

// Limits of the list of runs. Filtered by an instant of creation it ends after a thousand runs, whatever there are.
const (
	runsAtOnce  = 100
	runsCapped  = 1000
	firstSpan   = 30 * 24 * time.Hour
	maxAttempts = 10 // of one run that are looked up beside the latest
)

// beginning is before GitHub had workflow runs.
var beginning = time.Date(2018, 10, 1, 0, 0, 0, 0, time.UTC)

// runsPosition is how far the workflow runs were read. News are the newest hundred runs: of these any change is seen, a new
// attempt included. What came between two looks beyond a hundred, and history, are gaps: spans of time that are read in
// windows small enough for GitHub's cap.
type runsPosition struct {
	Version int   `json:"v"`
	Top     int64 `json:"top,omitempty"` // creation of the newest run that was seen, seconds; 0: none
	Gaps    []gap `json:"gaps,omitempty"`
	// Seen has a hash of what the newest runs were when they were told.
	Seen     map[string]uint32 `json:"seen,omitempty"`
	Open     awaited           `json:"open,omitempty"`
	Services []string          `json:"services,omitempty"`
	Started  bool              `json:"started,omitempty"`
	Done     int64             `json:"done,omitempty"`
	Total    int64             `json:"total,omitempty"`
	Back     int64             `json:"back,omitempty"` // seconds
}

// gap is a span of time whose runs are still to be told, the newest first: both ends belong to it, in seconds.
type gap struct {
	From int64 `json:"a"`
	To   int64 `json:"b"`
	Span int64 `json:"s"`           // of a window
	Page int   `json:"p,omitempty"` // of the window, that is read; 0: none
	Skip int   `json:"k,omitempty"` // runs of that page that are told
}

func (g gap) window() (from, to int64) { return max(g.From, g.To-g.Span), g.To }

func readRunsTurn(ctx context.Context, t *Turn) error {
	p := runsPosition{Version: 1}
	if t.position != "" {
		if err := readPosition(t.position, t.stream.Name, &p); err != nil {
			return err
		}
	}
	save := func() {
		t.position = position(p)
		p.report(t)
	}
	p.report(t)
	for _, step := range []func(context.Context, *Turn, func()) (bool, error){p.readNews, p.readAwaited, p.readGaps} {
		done, err := step(ctx, t, save)
		if err != nil {
			return err
		}
		if !done {
			t.report.More = true
			return nil
		}
	}
	save()
	return nil
}

func (p *runsPosition) report(t *Turn) {
	t.report.Complete = p.Started && len(p.Gaps) == 0
	t.report.Done, t.report.Total = p.Done, max(p.Total, p.Done)
	if t.report.Complete {
		t.report.Done = t.report.Total
	}
	if p.Back != 0 {
		t.report.ReachedBack = time.Unix(p.Back, 0).UTC()
	}
}

// workflowRun has what go-github leaves out.
type workflowRun struct {
	github.WorkflowRun
	Path string `json:"path"` // of the workflow's file, perhaps with @ and a ref
}

type runList struct {
	TotalCount   int64          `json:"total_count"`
	WorkflowRuns []*workflowRun `json:"workflow_runs"`
}

// fingerprint tells whether a run has changed.
func fingerprint(r *workflowRun) uint32 {
	return uint32(xxhash.Sum64String(fmt.Sprint(r.GetRunAttempt(), r.GetStatus(), r.GetConclusion(), r.GetUpdatedAt().Unix())))
}

// readNews looks at the newest runs.
func (p *runsPosition) readNews(ctx context.Context, t *Turn, save func()) (bool, error) {
	var list runList
	next, err := t.get(ctx, t.what(), t.path("actions/runs"), values("per_page", strconv.Itoa(runsAtOnce)), &list)
	if err != nil {
		return false, err
	}
	p.Total = list.TotalCount
	if p.Seen == nil {
		p.Seen = map[string]uint32{}
	}
	onPage := map[string]bool{}
	for _, r := range list.WorkflowRuns {
		onPage[strconv.FormatInt(r.GetID(), 10)] = true
	}
	since := p.since(t)
	oldest := int64(0)
	for _, r := range list.WorkflowRuns {
		created := r.GetCreatedAt().Unix()
		if oldest == 0 || created < oldest {
			oldest = created
		}
		id := strconv.FormatInt(r.GetID(), 10)
		if p.Seen[id] == fingerprint(r) || created < since {
			continue
		}
		if t.spent() {
			return false, nil
		}
		if err := t.tellRun(ctx, p, r); err != nil {
			return false, err
		}
		p.Seen[id] = fingerprint(r)
		if !p.Started {
			p.Done++
		}
		save()
	}
	newest := p.Top
	for _, r := range list.WorkflowRuns {
		newest = max(newest, r.GetCreatedAt().Unix())
	}
	floor := p.Top - int64(overlap/time.Second)
	if !p.Started {
		floor = since
	}
	if next.next != 0 && oldest > floor {
		p.Gaps = slices.Insert(p.Gaps, 0, gap{From: floor, To: oldest, Span: int64(firstSpan / time.Second)})
	}
	if !p.Started {
		p.Back = oldest
	}
	p.Top, p.Started = newest, true
	maps.DeleteFunc(p.Seen, func(id string, _ uint32) bool { return !onPage[id] })
	save()
	return true, nil
}

// since is the instant before which there are no runs, or none are to be read.
func (p *runsPosition) since(t *Turn) int64 {
	return max(beginning.Unix(), t.repo.created, t.c.cfg.Since.Unix())
}

// readAwaited asks for the runs that have not ended and are no longer among the newest.
func (p *runsPosition) readAwaited(ctx context.Context, t *Turn, save func()) (bool, error) {
	for _, id := range p.Open.due(t.asOf) {
		if _, recent := p.Seen[id]; recent {
			continue
		}
		if t.spent() {
			return true, nil // the others have their turn another time
		}
		var r workflowRun
		_, err := t.get(ctx, "workflow run "+id+" of "+t.repo.name, t.path("actions/runs/"+id), nil, &r)
		switch {
		case fault.KindOf(err) == fault.NotFound: // deleted
			delete(p.Open, id)
		case err != nil:
			return false, err
		default:
			if err := t.tellRun(ctx, p, &r); err != nil {
				return false, err
			}
		}
		save()
	}
	return true, nil
}

// readGaps reads what is still to be told, the newest first.
func (p *runsPosition) readGaps(ctx context.Context, t *Turn, save func()) (bool, error) {
	for len(p.Gaps) > 0 {
		if t.spent() {
			return false, nil
		}
		g := &p.Gaps[0]
		from, to := g.window()
		g.Page = max(g.Page, 1)
		var list runList
		next, err := t.get(ctx, t.what(), t.path("actions/runs"), values(
			"created", time.Unix(from, 0).UTC().Format(time.RFC3339)+".."+time.Unix(to, 0).UTC().Format(time.RFC3339),
			"per_page", strconv.Itoa(runsAtOnce), "page", strconv.Itoa(g.Page)), &list)
		if err != nil {
			return false, err
		}
		if g.Page == 1 && list.TotalCount > runsCapped && to > from {
			g.Span = max((to-from)/2, 1)
			if to-from == 1 {
				g.Span = 0
			}
			save()
			continue
		}
		for n, r := range list.WorkflowRuns {
			if n < g.Skip {
				continue
			}
			if err := t.tellRun(ctx, p, r); err != nil {
				return false, err
			}
			p.Done++
			g.Skip = n + 1
			if t.spent() && n < len(list.WorkflowRuns)-1 {
				save()
				return false, nil
			}
		}
		g.Skip = 0
		switch {
		case next.next != 0 && len(list.WorkflowRuns) > 0:
			g.Page++
		default:
			p.Back = min(p.Back, from)
			g.Page = 0
			// Windows do not overlap: a run belongs to the second in which it was created.
			g.To = from - 1
			if list.TotalCount < runsCapped/4 {
				g.Span = max(2*g.Span, 1)
			}
			if g.To < g.From {
				p.Gaps = p.Gaps[1:]
			}
		}
		save()
	}
	return true, nil
}

// tellRun tells a run with what the rules make of it: a deployment, and its jobs where jobs can be deployments. Earlier
// attempts are looked up: a failed deployment that was run again failed all the same.
func (t *Turn) tellRun(ctx context.Context, p *runsPosition, r *workflowRun) error {
	for attempt := max(1, r.GetRunAttempt()-maxAttempts); attempt < r.GetRunAttempt(); attempt++ {
		what := fmt.Sprintf("attempt %d of workflow run %d of %s", attempt, r.GetID(), t.repo.name)
		var earlier workflowRun
		_, err := t.get(ctx, what, t.path(fmt.Sprintf("actions/runs/%d/attempts/%d", r.GetID(), attempt)), nil, &earlier)
		switch {
		case fault.KindOf(err) == fault.NotFound: // no longer kept
			continue
		case err != nil:
			return err
		}
		if err := t.tellAttempt(ctx, p, &earlier); err != nil {
			return err
		}
	}
	return t.tellAttempt(ctx, p, r)
}

func (t *Turn) tellAttempt(ctx context.Context, p *runsPosition, r *workflowRun) error {
	fact := t.c.t.run(t.repo.fact, &r.WorkflowRun)
	if err := t.tell(fact); err != nil {
		return err
	}
	p.Open.await(strconv.FormatInt(r.GetID(), 10), r.GetCreatedAt().UnixMilli(), !ended(fact.Status))
	if t.c.rules.Wants(t.repo.fact, rules.FromWorkflow) {
		d, verdict := t.c.t.runDeployment(t.repo.fact, r)
		if err := t.tellDeployment(d, verdict, fmt.Sprintf("%s of %s", r.GetName(), t.repo.fact), &p.Services); err != nil {
			return err
		}
	}
	if !t.c.rules.Wants(t.repo.fact, rules.FromJob) {
		return nil
	}
	for page := 1; page != 0; {
		var list struct {
			Jobs []*github.WorkflowJob `json:"jobs"`
		}
		next, err := t.get(ctx, fmt.Sprintf("the jobs of workflow run %d of %s", r.GetID(), t.repo.name),
			t.path(fmt.Sprintf("actions/runs/%d/attempts/%d/jobs", r.GetID(), max(r.GetRunAttempt(), 1))),
			values("per_page", "100", "page", strconv.Itoa(page)), &list)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound { // no longer kept
				return nil
			}
			return err
		}
		for _, j := range list.Jobs {
			d, verdict := t.c.t.jobDeployment(t.repo.fact, j)
			if err := t.tellDeployment(d, verdict, fmt.Sprintf("%s of %s", j.GetName(), t.repo.fact), &p.Services); err != nil {
				return err
			}
		}
		page = next.next
	}
	return nil
}

// refreshRun tells one run again.
func refreshRun(ctx context.Context, t *Turn, subject string) error {
	id, err := strconv.ParseInt(subject, 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "%s: %q is no id of a workflow run", t.stream.Name, subject)
	}
	var r workflowRun
	if _, err := t.get(ctx, "workflow run "+subject+" of "+t.repo.name, t.path("actions/runs/"+strconv.FormatInt(id, 10)), nil, &r); err != nil {
		return err
	}
	return t.tellRun(ctx, &runsPosition{}, &r)
}

// runDeployment is a run that is a deployment by the name of its workflow, or by the path of the workflow's file.
func (t translator) runDeployment(repo string, r *workflowRun) (*event.Deployment, rules.Verdict) {
	d, verdict := t.workflowDeployment(repo, &r.WorkflowRun)
	if path, _, _ := strings.Cut(r.Path, "@"); d == nil && path != "" {
		byPath := r.WorkflowRun
		byPath.Name = &path
		if d, other := t.workflowDeployment(repo, &byPath); d != nil {
			return d, other
		}
	}
	return d, verdict
}
