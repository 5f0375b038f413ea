package ingest

import (
	"strconv"
	"time"

	"cairn/internal/event"
)

func surveyTable() table[event.Survey] {
	return newTable("surveys", (*event.Survey).Common,
		of("id", func(e *event.Survey) string { return e.ID }),
		of("title", func(e *event.Survey) string { return e.Title }),
		always("opens_at", func(e *event.Survey) time.Time { return e.OpensAt }),
		always("closes_at", func(e *event.Survey) time.Time { return e.ClosesAt }),
		of("questions", questionsOf),
		of("groups", groupsOf),
	)
}

func surveyInvitationTable() table[event.SurveyInvitation] {
	return newTable("survey_invitations", (*event.SurveyInvitation).Common,
		word("survey", func(e *event.SurveyInvitation) string { return e.Survey }),
		of("respondent", func(e *event.SurveyInvitation) string { return e.Respondent }),
		word("group_id", func(e *event.SurveyInvitation) string { return e.Group }),
		maybe("sent_at", func(e *event.SurveyInvitation) *time.Time { return &e.SentAt }),
		of("bounced", func(e *event.SurveyInvitation) bool { return e.Bounced }),
	)
}

func surveyResponseTable() table[event.SurveyResponse] {
	return newTable("survey_responses", (*event.SurveyResponse).Common,
		word("survey", func(e *event.SurveyResponse) string { return e.Survey }),
		of("respondent", func(e *event.SurveyResponse) string { return e.Respondent }),
		always("submitted_at", func(e *event.SurveyResponse) time.Time { return e.SubmittedAt }),
		of("answers", answersOf),
	)
}

func sloTable() table[event.SLO] {
	return newTable("slos", (*event.SLO).Common,
		of("id", func(e *event.SLO) string { return e.ID }),
		always("measured_at", func(e *event.SLO) time.Time { return e.MeasuredAt }),
		word("service", func(e *event.SLO) string { return e.Service }),
		of("name", func(e *event.SLO) string { return e.Name }),
		of("target", targetOf),
		of("good", func(e *event.SLO) int64 { return e.Good }),
		of("total", func(e *event.SLO) int64 { return e.Total }),
	)
}

type question struct {
	ID      string `ch:"id"`
	Type    string `ch:"type"`
	Text    string `ch:"text"`
	Version string `ch:"version"`
}

func questionsOf(e *event.Survey) []question {
	list := make([]question, len(e.Questions))
	for i, q := range e.Questions {
		list[i] = question(q)
	}
	return list
}

type group struct {
	ID     string `ch:"id"`
	Parent string `ch:"parent"`
}

func groupsOf(e *event.Survey) []group {
	list := make([]group, len(e.Groups))
	for i, g := range e.Groups {
		list[i] = group(g)
	}
	return list
}

type answer struct {
	Question     string           `ch:"question"`
	Score        *int64           `ch:"score"`
	Options      []string         `ch:"options"`
	OptionsGiven bool             `ch:"options_given"`
	Severity     map[string]int64 `ch:"severity"`
	Text         string           `ch:"text"`
}

func answersOf(e *event.SurveyResponse) []answer {
	list := make([]answer, len(e.Answers))
	for i, a := range e.Answers {
		list[i] = answer{a.Question, a.Score, a.Options, a.Options != nil, a.Severity, a.Text}
	}
	return list
}

// targetOf is the target with the twelve digits that the store keeps.
func targetOf(e *event.SLO) string { return strconv.FormatFloat(e.Target, 'f', 12, 64) }
