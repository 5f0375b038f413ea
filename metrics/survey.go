package metrics

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// survey is one wave with the answers that count: of people who were asked, in time, the last of each.
type survey struct {
	ID        string    `ch:"id"`
	OpensAt   time.Time `ch:"opens_at"`
	ClosesAt  time.Time `ch:"closes_at"`
	Questions []string  `ch:"questions"`
	Types     []string  `ch:"types"`
	Groups    []string  `ch:"groups"`
	Parents   []string  `ch:"parents"`
	people    []respondent
}

// respondent is one person who was asked.
type respondent struct {
	Respondent   string             `ch:"respondent"`
	Group        string             `ch:"group_id"`
	Answered     bool               `ch:"answered"`
	Questions    []string           `ch:"questions"`
	Scores       []int64            `ch:"scores"`
	Options      [][]string         `ch:"options"`
	OptionsGiven []bool             `ch:"options_given"`
	Severities   []map[string]int64 `ch:"severities"`
	Texts        []bool             `ch:"texts"` // a text was written
}

// Types of questions.
const (
	typeCSAT   = "csat_1_5"
	typeNPS    = "nps_0_10"
	typeSelect = "multi_select"
)

func (e *Engine) survey(q *question) (*survey, error) {
	p := q.use()
	p["from"], p["to"] = q.Window.From.UTC(), q.Window.To.UTC()
	p["survey"] = q.Survey
	var waves []survey
	if err := e.st.Select(q.ctx, &waves, e.query("evidence/survey"), p); err != nil {
		return nil, err
	}
	if len(waves) == 0 {
		return nil, nil
	}
	s := &waves[0]
	p["survey"], p["opens"], p["closes"] = s.ID, s.OpensAt, s.ClosesAt
	return s, e.st.Select(q.ctx, &s.people, e.query("evidence/survey_answers"), p)
}

// isSurveyGroup tells whether people were invited to a survey as the team of a question, though nothing else knows it.
func (e *Engine) isSurveyGroup(q *question) (bool, error) {
	var n uint64
	err := e.st.QueryRow(q.ctx, e.query("evidence/survey_group"), store.Params{"group": q.Scope.Team}).Scan(&n)
	return n > 0, err
}

// all is the cell of everybody.
const all = "all"

// cell is one group's share of a survey.
type cell struct {
	group  string
	parent string // "" for those right below all
	n      int    // answers
}

// tree are the groups of a survey as cells, without counts.
func (s *survey) tree() map[string]string {
	parents := map[string]string{}
	for i, g := range s.Groups {
		parents[g] = s.Parents[i]
	}
	for _, p := range s.people {
		if _, ok := parents[p.Group]; !ok && p.Group != "" {
			parents[p.Group] = ""
		}
	}
	for g, p := range parents {
		if _, ok := parents[p]; !ok {
			parents[g] = ""
		}
	}
	return parents
}

// within tells whether a group is another or lies below it.
func within(parents map[string]string, group, ancestor string) bool {
	if ancestor == all {
		return true
	}
	for range len(parents) + 1 {
		if group == ancestor {
			return true
		}
		if group = parents[group]; group == "" {
			return false
		}
	}
	return false
}

// hidden finds the cells that must not be shown: those with fewer than k answers and, so that they cannot be worked
// out from their siblings, the smallest shown sibling (ties by id) as long as the hidden ones of a parent have fewer
// than k answers together. Below a hidden cell everything with answers is hidden.
func hidden(cells []cell, k int) map[string]bool {
	hide := map[string]bool{}
	children := map[string][]cell{}
	for _, c := range cells {
		if c.n > 0 && c.n < k {
			hide[c.group] = true
		}
		children[c.parent] = append(children[c.parent], c)
	}
	for _, siblings := range children {
		slices.SortFunc(siblings, func(a, b cell) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.group, b.group)) })
		for {
			sum, next := 0, ""
			for _, c := range siblings {
				switch {
				case hide[c.group]:
					sum += c.n
				case c.n > 0 && next == "":
					next = c.group
				}
			}
			if sum == 0 || sum >= k || next == "" {
				break
			}
			hide[next] = true
		}
	}
	var cover func(group string)
	cover = func(group string) {
		for _, c := range children[group] {
			if c.n > 0 {
				hide[c.group] = true
			}
			cover(c.group)
		}
	}
	for _, g := range slices.Collect(maps.Keys(hide)) {
		cover(g)
	}
	return hide
}

// answersTo are the answers of one group to a question, as indexes into each respondent's answers.
func (s *survey) answersTo(question, kind string, parents map[string]string, group string) (scores []int64, picks []pick) {
	for i := range s.people {
		r := &s.people[i]
		if !r.Answered || !within(parents, r.Group, group) {
			continue
		}
		for n, name := range r.Questions {
			switch {
			case name != question:
			case kind == typeSelect && r.OptionsGiven[n]:
				picks = append(picks, pick{r.Options[n], r.Severities[n]})
			case kind != typeSelect && r.Scores[n] >= 0:
				scores = append(scores, r.Scores[n])
			}
		}
	}
	return scores, picks
}

type pick struct {
	options  []string
	severity map[string]int64
}

func (s *survey) questionOf(asked string, kinds ...string) (id, kind string, err error) {
	for i, name := range s.Questions {
		if slices.Contains(kinds, s.Types[i]) && (asked == "" || asked == name) {
			return name, s.Types[i], nil
		}
	}
	if asked == "" {
		return "", "", fault.New(fault.NotFound, "survey %q has no question of type %v", s.ID, kinds)
	}
	return "", "", fault.New(fault.NotFound, "survey %q has no question %q of type %v", s.ID, asked, kinds)
}

// surveyMetric answers what a wave of a survey says. A team's answer is that of the survey group of the same name.
func (e *Engine) surveyMetric(q *question) (Result, error) {
	if q.Bucket != Whole {
		return Result{}, fault.New(fault.Invalid, "%s belongs to a wave of a survey: it has no buckets", q.def.ID)
	}
	if q.Scope.Service != "" {
		return Result{}, fault.New(fault.Invalid, "%s is about people: ask for a team or the organisation", q.def.ID)
	}
	s, err := e.survey(q)
	if err != nil {
		return Result{}, err
	}
	if s == nil {
		if q.Survey != "" && !q.NoPrevious {
			return Result{}, fault.New(fault.NotFound, "there is no survey %q in the window", q.Survey)
		}
		return Result{N: int64(0)}, nil
	}
	group := all
	if q.Scope.Team != "" {
		group = q.Scope.Team
	}
	parents := s.tree()
	res := Result{Parts: map[string]any{"survey": s.ID}}
	asked, answered := s.response(parents, group)
	if asked > 0 && float64(answered) < 0.6*float64(asked) {
		res.Flags = append(res.Flags, FlagLowResponse)
	}
	res.Parts["invited"], res.Parts["answered"] = int64(asked), int64(answered)
	if q.def.ID == "survey_response_rate" {
		res.N = int64(asked)
		if asked > 0 {
			res.Value = float64(answered) / float64(asked)
			low, high := Wilson(float64(answered), float64(asked))
			res.Interval = &[2]float64{low, high}
		}
		return res, nil
	}
	return res, e.question(q, s, parents, group, &res)
}

// response counts the people of a group who were asked and those who gave at least one answer.
func (s *survey) response(parents map[string]string, group string) (asked, answered int) {
	for i := range s.people {
		r := &s.people[i]
		if !within(parents, r.Group, group) {
			continue
		}
		asked++
		if !r.Answered {
			continue
		}
		for n := range r.Questions {
			if r.Scores[n] >= 0 || r.OptionsGiven[n] || r.Texts[n] {
				answered++
				break
			}
		}
	}
	return asked, answered
}

// question fills in what one question of a wave came to.
func (e *Engine) question(q *question, s *survey, parents map[string]string, group string, res *Result) error {
	kinds := map[string][]string{"csat": {typeCSAT}, "enps": {typeNPS}, "pain_points": {typeSelect}, "survey_cells": {typeCSAT, typeNPS}}[q.def.ID]
	id, kind, err := s.questionOf(q.Question, kinds...)
	if err != nil {
		return err
	}
	res.Parts["question"] = id
	k := max(e.cfg.AnonymityK, leastK)
	groups := slices.Sorted(maps.Keys(parents))
	cells := make([]cell, 0, len(groups))
	for _, g := range groups {
		scores, picks := s.answersTo(id, kind, parents, g)
		cells = append(cells, cell{group: g, parent: parents[g], n: len(scores) + len(picks)})
	}
	hide := hidden(cells, k)
	everybody, everyPick := s.answersTo(id, kind, parents, all)
	if n := len(everybody) + len(everyPick); n > 0 && n < k {
		hide[all] = true
		for _, c := range cells {
			if c.n > 0 {
				hide[c.group] = true
			}
		}
	}
	if q.def.ID == "survey_cells" {
		values := map[string]any{}
		for _, g := range append(groups, all) {
			scores, _ := s.answersTo(id, kind, parents, g)
			switch {
			case len(scores) == 0:
				values[g] = NoData
			case hide[g]:
				values[g] = Suppressed
			default:
				values[g], _, _ = score(kind, scores)
			}
		}
		res.Value, res.N = values, int64(len(everybody))
		return nil
	}
	scores, picks := s.answersTo(id, kind, parents, group)
	n := len(scores) + len(picks)
	res.N = int64(n)
	switch {
	case n == 0:
	case hide[group]:
		res.Value, res.N, res.Flags = Suppressed, nil, append(res.Flags, FlagSuppressed)
		delete(res.Parts, "answered")
	case kind == typeSelect:
		res.Value, res.Parts["other_suppressed"] = painPoints(picks, k)
	default:
		var parts map[string]any
		res.Value, res.Interval, parts = score(kind, scores)
		maps.Copy(res.Parts, parts)
	}
	return nil
}

// score is the share of 4 and 5 among answers from 1 to 5 with its Wilson interval, or the net promoter score of
// answers from 0 to 10 with its interval.
func score(kind string, scores []int64) (value any, interval *[2]float64, parts map[string]any) {
	n := float64(len(scores))
	distribution := map[int64]int64{}
	high, low := 0.0, 0.0
	for _, s := range scores {
		distribution[s]++
		if kind == typeCSAT && s >= 4 || kind == typeNPS && s >= 9 {
			high++
		}
		if kind == typeNPS && s <= 6 {
			low++
		}
	}
	parts = map[string]any{"distribution": distribution}
	if kind == typeCSAT {
		from, to := Wilson(high, n)
		return high / n, &[2]float64{from, to}, parts
	}
	parts["promoters"], parts["detractors"], parts["passives"] = int64(high), int64(low), int64(n-high-low)
	from, to := PromoterInterval(high, low, n)
	return 100 * (high - low) / n, &[2]float64{from, to}, parts
}

// PainPoint is one option of a question where several can be ticked.
type PainPoint struct {
	Option string  `json:"option"`
	Share  float64 `json:"share"` // of the people who answered
}

// painPoints ranks options by the share of people who ticked them, then by mean severity, then by name. Options that
// fewer than k people ticked are folded into other, which stands last when it reaches k people.
func painPoints(picks []pick, k int) ([]PainPoint, int64) {
	type option struct {
		people   int
		severity float64
		rated    int
	}
	options := map[string]*option{}
	for _, p := range picks {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(p.options))) {
			o := options[name]
			if o == nil {
				o = &option{}
				options[name] = o
			}
			o.people++
			if s, ok := p.severity[name]; ok {
				o.severity += float64(s)
				o.rated++
			}
		}
	}
	mean := func(name string) float64 {
		o := options[name]
		if o.rated == 0 {
			return math.Inf(-1)
		}
		return o.severity / float64(o.rated)
	}
	var shown []string
	folded := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if options[name].people < k {
			folded[name] = true
			continue
		}
		shown = append(shown, name)
	}
	slices.SortStableFunc(shown, func(a, b string) int {
		return cmp.Or(cmp.Compare(options[b].people, options[a].people), cmp.Compare(mean(b), mean(a)))
	})
	list := []PainPoint{}
	for _, name := range shown {
		list = append(list, PainPoint{Option: name, Share: float64(options[name].people) / float64(len(picks))})
	}
	others := 0
	for _, p := range picks {
		if slices.ContainsFunc(p.options, func(o string) bool { return folded[o] }) {
			others++
		}
	}
	if others >= k {
		list = append(list, PainPoint{Option: "other", Share: float64(others) / float64(len(picks))})
	}
	return list, int64(len(folded))
}
