package reference

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"cairn/internal/conformance"
)

// k is the smallest group that is shown, never below 3 (§8, §14).
func (h *history) k() int { return max(3, h.settings.AnonymityK) }

// hide says which of the siblings are hidden: those with 0 < n < k, and while they sum to fewer than k the smallest
// shown one, ties by id (§8).
func hide(siblings map[string]int, k int) map[string]bool {
	hidden := map[string]bool{}
	sum := 0
	for id, n := range siblings {
		if 0 < n && n < k {
			hidden[id] = true
			sum += n
		}
	}
	for len(hidden) > 0 && sum < k {
		smallest := ""
		for _, id := range slices.Sorted(maps.Keys(siblings)) {
			if shown := siblings[id] >= k && !hidden[id]; shown && (smallest == "" || siblings[id] < siblings[smallest]) {
				smallest = id
			}
		}
		if smallest == "" {
			break
		}
		hidden[smallest] = true
		sum += siblings[smallest]
	}
	return hidden
}

// wave is a survey with one valid submission per respondent.
type wave struct {
	conformance.Survey
	group     map[string]string               // delivered respondent to group
	responses map[string]conformance.Response // last valid submission
}

func (q question) wave() (wave, error) {
	for _, s := range q.Events.Surveys {
		if s.ID != q.Survey {
			continue
		}
		w := wave{s, map[string]string{}, map[string]conformance.Response{}}
		for _, i := range s.Invites {
			// A respondent invited twice is one (§14). Reading: the first invitation that did not bounce tells the group.
			if _, twice := w.group[i.Respondent]; !i.Bounced && !twice {
				w.group[i.Respondent] = i.Group
			}
		}
		for _, r := range s.Responses {
			// Valid: invited, not bounced, within [open, close), last submission per respondent (§8). Reading: the last
			// one counts as a whole; of two at the same time the later row.
			_, invited := w.group[r.Respondent]
			if open := (span{s.OpensAt, s.ClosesAt}).has(r.SubmittedAt); !invited || !open || r.SubmittedAt.After(q.asOf) {
				continue
			}
			if old, earlier := w.responses[r.Respondent]; !earlier || !r.SubmittedAt.Before(old.SubmittedAt) {
				w.responses[r.Respondent] = r
			}
		}
		return w, nil
	}
	return wave{}, fmt.Errorf("there is no survey %q", q.Survey)
}

// under says whether the group is the given one or below it; "all" is above everything.
func (w wave) under(group, top string) bool {
	for seen := 0; seen <= len(w.Groups); seen++ {
		if group == top || top == "all" {
			return true
		}
		i := slices.IndexFunc(w.Groups, func(g conformance.Group) bool { return g.ID == group })
		if i < 0 || w.Groups[i].Parent == "" {
			return false
		}
		group = w.Groups[i].Parent
	}
	return false
}

// cell is the group of the survey that the question is about. Reading: a team is the group of that name.
func (q question) cell() string {
	if q.Scope.Team != "" {
		return q.Scope.Team
	}
	return "all"
}

// answered lists the submissions of the group that answer the question; each question has its own n (§8).
func (w wave) answered(question, group string) []conformance.Response {
	var responses []conformance.Response
	for _, respondent := range slices.Sorted(maps.Keys(w.responses)) {
		r := w.responses[respondent]
		if r.Answers[question] != nil && w.under(w.group[respondent], group) {
			responses = append(responses, r)
		}
	}
	return responses
}

// hidden says for each group and "all" whether its cell is hidden (§8, §14).
func (w wave) hidden(question string, k int) map[string]bool {
	n := len(w.answered(question, "all"))
	hidden := map[string]bool{"all": 0 < n && n < k}
	var below func(parent string)
	below = func(parent string) {
		siblings := map[string]int{}
		for _, g := range w.Groups {
			if g.Parent == parent || g.Parent == "" && parent == "all" { // top-level groups are siblings under all
				siblings[g.ID] = len(w.answered(question, g.ID))
			}
		}
		for id, hide := range hide(siblings, k) {
			hidden[id] = hide
		}
		for id, n := range siblings {
			if hidden[parent] && n > 0 { // the children of a hidden group are hidden too
				hidden[id] = true
			}
			below(id)
		}
	}
	below("all")
	return hidden
}

// shown gives the answers of the question's cell, or the value that stands in their place.
func (q question) shown() (w wave, responses []conformance.Response, instead *conformance.Answer, err error) {
	w, err = q.wave()
	if err != nil {
		return w, nil, nil, err
	}
	responses = w.answered(q.Question, q.cell())
	n := len(responses)
	switch {
	case n == 0:
		instead = &conformance.Answer{N: &n} // no answers: null (§14)
	case w.hidden(q.Question, q.k())[q.cell()]:
		instead = &conformance.Answer{Value: conformance.Suppressed}
	}
	return w, responses, instead, nil
}

// surveyResponseRate is respondents with at least one answer / delivered invitations (§8). Reading: it tells no answer
// and is not suppressed.
func surveyResponseRate(q question) (conformance.Answer, error) {
	w, err := q.wave()
	if err != nil {
		return conformance.Answer{}, err
	}
	delivered, responded := 0, 0
	for respondent, group := range w.group {
		if !w.under(group, q.cell()) {
			continue
		}
		delivered++
		for _, answer := range w.responses[respondent].Answers {
			if answer != nil { // an empty tick list is an answer (§14)
				responded++
				break
			}
		}
	}
	return ratio(responded, delivered)
}

// favourable counts the answers 4 and 5 (§8).
func favourable(question string, responses []conformance.Response) int {
	n := 0
	for _, r := range responses {
		if score, some := r.Answers[question].(float64); some && score >= 4 {
			n++
		}
	}
	return n
}

func csat(q question) (conformance.Answer, error) {
	_, responses, instead, err := q.shown()
	if err != nil || instead != nil {
		return *cmp.Or(instead, &conformance.Answer{}), err
	}
	return ratio(favourable(q.Question, responses), len(responses))
}

func csatInterval(q question) (conformance.Answer, error) {
	_, responses, instead, err := q.shown()
	if err != nil || instead != nil {
		return *cmp.Or(instead, &conformance.Answer{}), err
	}
	n := len(responses)
	return conformance.Answer{Value: wilson(favourable(q.Question, responses), n, q.settings.Z), N: &n}, nil
}

// promoters and detractors as shares (§8).
func promoters(question string, responses []conformance.Response) (p, d float64) {
	for _, r := range responses {
		switch score, some := r.Answers[question].(float64); {
		case !some:
		case score >= 9:
			p++
		case score <= 6:
			d++
		}
	}
	return p / float64(len(responses)), d / float64(len(responses))
}

func enps(q question) (conformance.Answer, error) {
	_, responses, instead, err := q.shown()
	if err != nil || instead != nil {
		return *cmp.Or(instead, &conformance.Answer{}), err
	}
	p, d := promoters(q.Question, responses)
	return number(100*(p-d), len(responses))
}

// enpsInterval is eNPS ± z·SE, SE = 100·sqrt((p+d−(p−d)²)/n) (§8).
func enpsInterval(q question) (conformance.Answer, error) {
	_, responses, instead, err := q.shown()
	if err != nil || instead != nil {
		return *cmp.Or(instead, &conformance.Answer{}), err
	}
	n := len(responses)
	p, d := promoters(q.Question, responses)
	half := q.settings.Z * 100 * math.Sqrt(max(0, p+d-(p-d)*(p-d))/float64(n))
	return conformance.Answer{Value: []float64{100*(p-d) - half, 100*(p-d) + half}, N: &n}, nil
}

// surveyCells gives the share of favourable answers, or eNPS, of every group and all (§8).
func surveyCells(q question) (conformance.Answer, error) {
	w, err := q.wave()
	if err != nil {
		return conformance.Answer{}, err
	}
	hidden := w.hidden(q.Question, q.k())
	cells := map[string]any{}
	for _, g := range append(slices.Clone(w.Groups), conformance.Group{ID: "all"}) {
		responses := w.answered(q.Question, g.ID)
		switch {
		case len(responses) == 0:
			cells[g.ID] = conformance.NoData
		case hidden[g.ID]:
			cells[g.ID] = conformance.Suppressed
		case strings.HasPrefix(w.Questions[q.Question], "nps"):
			p, d := promoters(q.Question, responses)
			cells[g.ID] = 100 * (p - d)
		default:
			cells[g.ID] = float64(favourable(q.Question, responses)) / float64(len(responses))
		}
	}
	return conformance.Answer{Value: cells}, nil
}

// painPoints ranks the options by share of the people who answered, then mean severity, then name; options named by
// fewer than k people fold into other, listed last when it reaches k people (§8, §14).
func painPoints(q question) (conformance.Answer, error) {
	_, responses, instead, err := q.shown()
	if err != nil || instead != nil {
		return *cmp.Or(instead, &conformance.Answer{}), err
	}
	type option struct {
		name     string
		people   map[string]bool
		severity []float64
	}
	options := map[string]*option{}
	for _, r := range responses {
		ticked, _ := r.Answers[q.Question].([]any)
		for _, tick := range ticked {
			name := fmt.Sprint(tick)
			o := cmp.Or(options[name], &option{name: name, people: map[string]bool{}})
			options[name] = o
			if severity, given := r.Severity[name]; given && !o.people[r.Respondent] {
				o.severity = append(o.severity, severity)
			}
			o.people[r.Respondent] = true // a duplicate tick counts once
		}
	}
	mean := func(o *option) float64 { // Reading: over those who gave one; without any the option comes last
		sum := 0.
		for _, severity := range o.severity {
			sum += severity
		}
		return sum / float64(max(1, len(o.severity)))
	}
	ranked := slices.SortedFunc(maps.Values(options), func(a, b *option) int {
		return cmpOr(len(b.people)-len(a.people), cmp.Compare(mean(b), mean(a)), strings.Compare(a.name, b.name))
	})
	n, folded := len(responses), 0
	list := []map[string]any{}
	other := map[string]bool{}
	for _, o := range ranked {
		if len(o.people) < q.k() {
			folded++
			maps.Copy(other, o.people)
			continue
		}
		list = append(list, map[string]any{"option": o.name, "share": float64(len(o.people)) / float64(n)})
	}
	if len(other) >= q.k() {
		list = append(list, map[string]any{"option": "other", "share": float64(len(other)) / float64(n)})
	}
	return conformance.Answer{Value: list, N: &n, OtherSuppressed: &folded}, nil
}
