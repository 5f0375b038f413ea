package conformancetest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"cairn/internal/conformance"
)

func (g *generator) adoption(e *conformance.Events) {
	for _, s := range e.Services {
		name := g.one("service", append(slices.Clone(s.Aliases), s.ID)...)
		for _, capability := range []string{"cicd", "docs"} {
			for range g.int("signals", 0, 3) {
				observed := g.instant("observed", -15, days)
				if slices.ContainsFunc(e.AdoptionSignals, func(other conformance.Signal) bool {
					return other.Service == name && other.Capability == capability && other.ObservedAt.Equal(observed)
				}) {
					continue // two states at one instant: nothing says which counts
				}
				e.AdoptionSignals = append(e.AdoptionSignals, conformance.Signal{
					Service: name, Capability: capability, State: g.one("state", "golden", "golden", "own", "none"), ObservedAt: observed,
				})
			}
			if g.chance("exemption", 4) {
				approved := g.instant("approved", -5, 25)
				e.AdoptionExemptions = append(e.AdoptionExemptions, conformance.Exemption{
					Service: name, Capability: capability, Type: g.one("exemption", "not_applicable", "escape_hatch"),
					ApprovedAt: approved, ExpiresAt: g.maybe("expiry", 2, approved.AddDate(0, 0, g.int("valid days", 1, 20))),
				})
			}
		}
	}
}

func (g *generator) adoptionQuestions(c conformance.Case, scope conformance.Scope, windows []conformance.Window, bucket string, ask func(conformance.Expectation)) {
	for _, window := range windows {
		base := conformance.Expectation{Scope: scope, Window: window, TimeZone: c.Settings.TimeZone}
		for _, capability := range []string{"cicd", "docs"} {
			for _, metric := range []string{"adoption_rate", "adoption_counts", "adoption_team_rate"} {
				e := base
				e.Metric, e.Capability = metric, capability
				ask(e)
			}
		}
		for _, metric := range []string{"adoption_index", "adoption_full_rate", "slo_attainment", "slo_coverage", "error_budget_remaining"} {
			e := base
			e.Metric = metric
			ask(e)
		}
	}
	ask(conformance.Expectation{Metric: "adoption_rate", Scope: scope, Window: windows[1], TimeZone: c.Settings.TimeZone, Capability: "cicd", Bucket: bucket})
}

// survey draws a wave over a tree of groups; groups have about as many answers as decide over showing them.
func (g *generator) survey(e *conformance.Events) {
	s := conformance.Survey{
		ID: "wave", OpensAt: start, ClosesAt: start.AddDate(0, 0, 10),
		Questions: map[string]string{"csat": "csat_1_5", "enps": "nps_0_10", "pain": "multi_select", "comment": "text"},
	}
	names := []string{"g1", "g2", "g3", "g1a", "g1b", "g1c", "g2a", "g1a1", "g1a2"}
	parents := map[string]string{"g1a": "g1", "g1b": "g1", "g1c": "g1", "g2a": "g2", "g1a1": "g1a", "g1a2": "g1a"}
	for _, name := range names {
		if parents[name] == "" || !g.chance("without "+name, 4) && slices.ContainsFunc(s.Groups, func(group conformance.Group) bool { return group.ID == parents[name] }) {
			s.Groups = append(s.Groups, conformance.Group{ID: name, Parent: parents[name]})
		}
	}
	number := 0
	for _, group := range s.Groups {
		if slices.ContainsFunc(s.Groups, func(child conformance.Group) bool { return child.Parent == group.ID }) {
			continue // people are in the leaves
		}
		for range g.int("people of "+group.ID, 0, 8) {
			name := fmt.Sprintf("r%d", number)
			number++
			s.Invites = append(s.Invites, conformance.Invite{Respondent: name, Group: group.ID, Bounced: g.chance("bounced", 10)})
			if g.chance("invited twice", 10) {
				s.Invites = append(s.Invites, conformance.Invite{Respondent: name, Group: group.ID})
			}
			if g.chance("silent", 8) {
				continue
			}
			s.Responses = append(s.Responses, g.response(name))
			if g.chance("again", 8) {
				s.Responses = append(s.Responses, g.response(name))
			}
		}
	}
	s.Responses = append(s.Responses, g.response("stranger"))
	e.Surveys = append(e.Surveys, s)
}

func (g *generator) response(respondent string) conformance.Response {
	r := conformance.Response{Respondent: respondent, SubmittedAt: g.instant("submitted", 0, 9), Answers: map[string]any{}, Severity: map[string]float64{}}
	if g.chance("late", 12) {
		r.SubmittedAt = start.AddDate(0, 0, 10)
	}
	answer := func(question string, value any) {
		switch g.int("answered "+question, 0, 9) {
		case 0:
			r.Answers[question] = nil
		case 1:
		default:
			r.Answers[question] = value
		}
	}
	answer("csat", g.number("csat", 1, 2, 3, 4, 5))
	answer("enps", g.number("enps", 0, 6, 7, 8, 9, 10))
	answer("comment", "text")
	ticked := []any{}
	for _, option := range g.some("pain", "ci", "docs", "env", "flaky") {
		ticked = append(ticked, option)
		r.Severity[option] = g.number("severity", 1, 3, 5)
		if g.chance("twice", 10) {
			ticked = append(ticked, option)
		}
	}
	answer("pain", ticked)
	if len(r.Answers) == 0 {
		r.Answers["comment"] = nil
	}
	return r
}

func surveyQuestions(c conformance.Case, window conformance.Window, ask func(conformance.Expectation)) {
	base := conformance.Expectation{Scope: conformance.Scope{Org: true}, Window: window, TimeZone: c.Settings.TimeZone, Survey: "wave"}
	for _, asked := range [][2]string{
		{"survey_response_rate", ""}, {"csat", "csat"}, {"csat_ci95", "csat"}, {"enps", "enps"}, {"enps_ci95", "enps"},
		{"survey_cells", "csat"}, {"pain_points", "pain"},
	} {
		e := base
		e.Metric, e.Question = asked[0], asked[1]
		ask(e)
	}
}

func (g *generator) objectives(e *conformance.Events) {
	for i := range g.int("objectives", 0, 4) {
		total := int64(g.number("total", 0, 100, 1000))
		e.SLOs = append(e.SLOs, conformance.SLO{
			ID: fmt.Sprintf("o%d", i), Service: e.Services[g.int("service", 0, len(e.Services)-1)].ID,
			Target: json.Number(g.one("target", "0.9", "0.99", "0.995", "0.57")),
			Good:   int64(math.Round(float64(total) * g.number("good", .57, .9, .99, .995, 1))),
			Total:  total,
		})
	}
}
