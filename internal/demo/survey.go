package demo

import (
	"math"
	"strconv"
	"time"

	"cairn/internal/event"
)

// tellSurveys asks everybody three times.
func (o *organisation) tellSurveys() {
	for wave, months := range []int{14, 8, 2} {
		opens := monday(o.until.AddDate(0, -months, 0)).Add(8 * time.Hour)
		o.tellSurvey(wave, opens)
	}
}

func (o *organisation) tellSurvey(wave int, opens time.Time) {
	c := o.chance("survey " + strconv.Itoa(wave))
	s := event.Survey{
		Telling: by(opens), ID: "platform-" + opens.Format("2006-01"), Title: "How is the platform? " + opens.Format("January 2006"),
		OpensAt: opens, ClosesAt: opens.AddDate(0, 0, 12),
		Questions: []event.SurveyQuestion{
			{ID: "satisfaction", Type: "csat_1_5", Text: "How satisfied are you with the platform?"},
			{ID: "delivery", Type: "csat_1_5", Text: "How easy is it to bring a change to production?"},
			{ID: "recommend", Type: "nps_0_10", Text: "Would you recommend working with our platform to a colleague?"},
			{ID: "pain", Type: "multi_select", Text: "What slows you down?"},
			{ID: "words", Type: "text", Text: "What should we do next?"},
		},
	}
	for _, d := range departments {
		s.Groups = append(s.Groups, event.SurveyGroup{ID: d.id})
	}
	for _, t := range o.teams {
		if t.dissolved.IsZero() || opens.Before(t.dissolved) {
			s.Groups = append(s.Groups, event.SurveyGroup{ID: t.id, Parent: t.parent})
		}
	}
	o.facts.Surveys = append(o.facts.Surveys, s)
	for _, t := range o.teams {
		for _, p := range o.members(t, opens) {
			bounced := c.happens(0.02)
			o.facts.SurveyInvitations = append(o.facts.SurveyInvitations, event.SurveyInvitation{
				Survey: s.ID, Respondent: p.id, Group: t.id, SentAt: opens, Bounced: bounced,
			})
			willing := 0.86
			if t.id == "notifications" {
				willing = 0.5
			}
			if at := t.calendar.instant(c, opens.AddDate(0, 0, c.IntN(10))); !bounced && c.happens(willing) && at.Before(o.until) && at.After(opens) {
				o.facts.SurveyResponses = append(o.facts.SurveyResponses, event.SurveyResponse{
					Survey: s.ID, Respondent: p.id, SubmittedAt: at, Answers: answers(c, t, wave),
				})
			}
		}
	}
}

// mood is how a team feels about the platform in a wave, from 1 to 5.
func mood(t *team, wave int) float64 {
	switch t.id {
	case "payments":
		return [...]float64{2.5, 2.7, 4.2}[wave]
	case "catalogue":
		return [...]float64{3.4, 3.0, 2.4}[wave]
	}
	return 2.9 + 0.9*t.keen + 0.15*float64(wave)
}

func answers(c chance, t *team, wave int) []event.SurveyAnswer {
	feeling := mood(t, wave) + 0.75*c.NormFloat64()
	list := []event.SurveyAnswer{
		{Question: "satisfaction", Score: score(feeling, 1, 5)},
		{Question: "delivery", Score: score(feeling+0.5*c.NormFloat64(), 1, 5)},
		{Question: "recommend", Score: score((feeling-1)*2.5+1.2*c.NormFloat64()-0.4, 0, 10)},
	}
	pain := event.SurveyAnswer{Question: "pain", Options: []string{}, Severity: map[string]int64{}}
	for _, p := range pains {
		likely := p.likely + p.trend*float64(wave)
		if p.team == t.id {
			likely = 0.75
		}
		if c.happens(likely) {
			pain.Options = append(pain.Options, p.option)
			pain.Severity[p.option] = *score(p.hurts+c.NormFloat64(), 1, 5)
		}
	}
	list = append(list, pain)
	if c.happens(0.3) {
		list = append(list, event.SurveyAnswer{Question: "words", Text: pick(c, wishes)})
	}
	return list
}

func score(v, low, high float64) *int64 {
	n := int64(math.Round(min(max(v, low), high)))
	return &n
}

// pains are what slows people down: how many say so in the first wave, by how much that changes from wave to wave, and
// the team that says so more than all others.
var pains = []struct {
	option               string
	likely, trend, hurts float64
	team                 string
}{
	{"waiting for reviews", 0.38, 0.02, 3.6, "catalogue"},
	{"slow builds", 0.46, -0.1, 3.2, "mobile-gateway"},
	{"waiting for environments", 0.4, -0.11, 3.5, "orders"},
	{"flaky tests", 0.33, 0, 2.9, "storefront"},
	{"documentation", 0.3, 0.02, 2.5, ""},
	{"access and permissions", 0.26, -0.03, 3.1, "data-platform"},
	{"on-call load", 0.16, 0.03, 3.8, "logistics"},
	{"too many tools", 0.15, 0, 2.2, ""},
	{"release freezes", 0.05, 0, 2, ""},
}

var wishes = []string{
	"Faster builds, please.", "A sandbox that looks like production.", "Tell us before something changes.", "The portal is good. The search in it is not.",
	"More examples in the documentation.", "Less paperwork for a database.", "Keep going!", "Somebody who answers in the channel after five.", "Preview environments for every change.",
}
