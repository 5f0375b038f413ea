package metrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cairn/internal/fault"
)

// maxWindows bounds how many windows are asked for side by side: each has a day of the century that tells them apart.
const maxWindows = 10_000

// firstOfWindows is the bucket that stands for the first of several windows side by side; see fragments/among.sql.
var firstOfWindows = time.Date(1901, 1, 1, 0, 0, 0, 0, time.UTC)

// windowsKey is a request that is asked of several windows.
type windowsKey struct {
	requestKey
	windows, only string
	each          bool
}

// Windows answers a request once for each of several windows, in their order, at the price of one: what it is answered
// with for that window, without the window before. The windows may overlap. The request's own window and bucket are not
// looked at. With GroupBy it is answered for each service or team alone, and only those named are asked about; nil is all.
func (e *Engine) Windows(ctx context.Context, r Request, windows []Window, only []string) ([]Result, error) {
	list, err := e.sideBySide(ctx, r, windows, only, nil)
	if err != nil {
		return nil, err
	}
	all := make([]Result, len(list))
	for i := range list {
		all[i] = list[i][0]
	}
	return all, nil
}

// AdoptionWindows answers a request for the adoption rate as Windows does, for each window first that of all
// capabilities and then that of each of Capabilities, in their order.
func (e *Engine) AdoptionWindows(ctx context.Context, r Request, windows []Window, only []string) ([][]Result, error) {
	r.Metric, r.Capability = "adoption_rate", ""
	list, err := e.sideBySide(ctx, r, windows, only, append([]string{""}, e.Capabilities()...))
	if err != nil {
		return nil, err
	}
	all := make([][]Result, len(list))
	for i := range list {
		all[i] = list[i]
	}
	return all, nil
}

// sideBySide answers for each window, and in it for each capability where there are some.
func (e *Engine) sideBySide(ctx context.Context, r Request, windows []Window, only, each []string) ([]results, error) {
	if len(windows) == 0 {
		return nil, nil
	}
	if len(windows) > maxWindows {
		return nil, fault.New(fault.Invalid, "%d windows are asked for at once: at most %d are possible", len(windows), maxWindows)
	}
	r.Window, r.Bucket, r.NoPrevious, r.GroupsOnly = windows[0], Whole, true, r.GroupBy != ""
	var key strings.Builder
	for _, w := range windows {
		if w.Zone == nil || !w.From.Before(w.To) {
			return nil, fault.New(fault.Invalid, "a window with from before to was expected")
		}
		if w.Zone.String() != r.Window.Zone.String() {
			return nil, fault.New(fault.Invalid, "windows side by side were expected in one time zone, not in %s and %s", r.Window.Zone, w.Zone)
		}
		fmt.Fprintf(&key, "%d-%d ", w.From.UnixNano(), w.To.UnixNano())
		r.Window.From, r.Window.To = earlier(r.Window.From, w.From), later(r.Window.To, w.To)
	}
	def, r, err := e.check(r)
	if err != nil {
		return nil, err
	}
	about := "all"
	if only != nil {
		about = fmt.Sprintf("%q", only)
	}
	all, err := answered(ctx, e, windowsKey{e.key(r), key.String(), about, each != nil}, func(ctx context.Context, stale bool) (manyResults, error) {
		all, err := e.computeWindows(ctx, def, r, windows, only, each, stale)
		if err != nil {
			return nil, fmt.Errorf("metrics.Windows(%q): %w", r.Metric, err)
		}
		return all, nil
	})
	return all, err
}

func (e *Engine) computeWindows(ctx context.Context, def Definition, r Request, windows []Window, only, each []string, stale bool) (manyResults, error) {
	defer e.computed(r.Metric, e.now())
	q, err := e.pose(ctx, def, r)
	if err != nil {
		return nil, err
	}
	q.keeps, q.windows = !stale && e.cfg.AnswersKept > 0, windows
	starts, ends := make([]time.Time, len(windows)), make([]time.Time, len(windows))
	for i, w := range windows {
		starts[i], ends[i] = w.From.UTC(), w.To.UTC()
	}
	q.params["bucket"], q.params["window_starts"], q.params["window_ends"], q.params["apart"] = "windows", starts, ends, each != nil
	if each == nil {
		each = []string{""}
	}
	list := []*question{q}
	if q.GroupBy != "" {
		if list, err = e.split(q); err != nil {
			return nil, err
		}
		list = e.narrow(list, only)
	}
	all := make(manyResults, len(windows))
	for i, w := range windows {
		all[i] = make(results, len(each))
		for j, capability := range each {
			res := &all[i][j]
			about := func(one question) (Result, error) {
				one.Window, one.ordinal, one.each = w, i+1, capability
				answer, err := e.answer(&one)
				if stale {
					answer.Flags = append(answer.Flags, FlagCatchingUp)
				}
				return answer, err
			}
			if q.GroupBy == "" {
				if *res, err = about(*q); err != nil {
					return nil, err
				}
				continue
			}
			one := *q
			one.Window = w
			res.Series, res.Groups = []Point{}, make([]Group, len(list))
			e.frame(&one, res)
			for g, group := range list {
				answer, err := about(*group)
				if err != nil {
					return nil, err
				}
				res.Groups[g] = Group{Key: group.whose, Value: answer.Value, N: answer.N, Interval: answer.Interval, Flags: answer.Flags, Parts: answer.Parts, Series: answer.Series}
			}
		}
	}
	return all, nil
}

// narrow keeps the questions about the groups that are named, and has their queries read the rows of those alone.
func (e *Engine) narrow(list []*question, only []string) []*question {
	if only == nil {
		return list
	}
	var kept []*question
	services, teams := map[string]bool{}, map[string]bool{}
	for _, q := range list {
		if !slices.Contains(only, q.whose) {
			continue
		}
		kept = append(kept, q)
		for _, s := range q.services {
			services[s] = true
		}
		for _, t := range q.teams {
			teams[t] = true
		}
	}
	for _, q := range kept {
		q.params = q.use()
		q.params["any_service"], q.params["services"] = false, append([]string{}, slices.Sorted(maps.Keys(services))...)
		if q.by == GroupByTeam {
			q.params["any_team"], q.params["teams"] = false, append([]string{}, slices.Sorted(maps.Keys(teams))...)
		}
	}
	return kept
}

// manyResults are those of several windows.
type manyResults []results

func (m manyResults) clone() manyResults { return cloneEach(m, results.clone) }

func (m manyResults) points() (n int) {
	for _, one := range m {
		n += one.points()
	}
	return n
}
