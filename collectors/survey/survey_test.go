package survey_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"cairn/collectors/survey"
	"cairn/internal/event"
	"cairn/internal/fault"
)

var (
	mapped  = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	asOf    = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	opening = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

// wave is a mapping of a wave in March with what else it says.
func wave(rest string) string {
	return "id: q1\nopens: 2026-03-01\ncloses: 2026-03-31\n" + rest
}

const happy = "questions:\n  - {column: Happy, id: happy, type: csat_1_5}\n"

func mapping(t testing.TB, text string) *survey.Mapping {
	t.Helper()
	m, err := survey.ParseMapping([]byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return m
}

func file(name, text string) *survey.File {
	return &survey.File{Name: name, Text: []byte(text), ChangedAt: mapped}
}

func read(t testing.TB, mappingText, csv string) survey.Told {
	t.Helper()
	told, err := survey.Read(mapping(t, mappingText), mapped, file("a.csv", csv), nil, asOf)
	if err != nil {
		t.Fatalf("%s\n%v", csv, err)
	}
	return told
}

func responses(told survey.Told) []*event.SurveyResponse {
	var all []*event.SurveyResponse
	for _, e := range told.Facts {
		if r, is := e.(*event.SurveyResponse); is {
			all = append(all, r)
		}
	}
	return all
}

// delivered counts invitations by group, as the response rate does.
func delivered(known map[string]event.Event) map[string]int {
	n := map[string]int{}
	for _, e := range known {
		if i, is := e.(*event.SurveyInvitation); is && !i.Bounced {
			n[i.Group]++
		}
	}
	return n
}

// known are the tellings that win.
func known(facts ...[]event.Event) map[string]event.Event {
	best := map[string]event.Event{}
	for _, list := range facts {
		for _, e := range list {
			key := e.Kind()
			switch e := e.(type) {
			case *event.SurveyInvitation:
				key += " " + e.Survey + " " + e.Respondent
			case *event.SurveyResponse:
				key += " " + e.Survey + " " + e.Respondent + " " + e.SubmittedAt.String()
			}
			if before, there := best[key]; !there || event.Version(e) > event.Version(before) {
				best[key] = e
			}
		}
	}
	return best
}

func score(n int64) *int64 { return &n }

func at(day, hour, minute, second int) time.Time {
	return time.Date(2026, 3, day, hour, minute, second, 0, time.UTC)
}

const googleMapping = `time_zone: Europe/Berlin
title: Platform survey
submitted: Timestamp
respondent: Email address
group: Team
group_names: {Check-out: checkout}
groups: [{id: commerce}, {id: checkout, parent: commerce}]
invited: {groups: {checkout: 3, search: 2}}
questions:
  - {column: 'How satisfied are you?', id: csat, type: csat_1_5, version: "2", scale: {Very satisfied: 5, Satisfied: 4, Neutral: 3, Dissatisfied: 2, Very dissatisfied: 1}}
  - {column: 'Would you recommend it?', id: nps, type: nps_0_10}
  - {column: 'What slows you down?', id: pain, type: multi_select, separator: ", ", options: [Builds, "Builds, tests and CI", Documentation]}
  - {column: Comments, id: comments, type: text}
`

const google = "\ufeff" + `"Timestamp","Email address","How satisfied are you?","Would you recommend it?","What slows you down?","Comments","Team"
"2026/03/02 2:05:09 PM GMT+1","Ada@Example.org","Very satisfied","9","Builds, tests and CI, Documentation, my own words","Two
lines, ""quoted""","Check-out"
"2026/03/03 12:10:00 AM GMT+1","bob@example.org","neutral","","","","search"
`

func TestAnExportBecomesASurveyItsInvitationsAndItsAnswers(t *testing.T) {
	told := read(t, wave(googleMapping), google)
	best := known(told.Facts)
	changed := event.Telling{Source: "survey", UpdatedAt: mapped}
	wantSurvey := &event.Survey{
		Telling: changed, ID: "q1", Title: "Platform survey",
		OpensAt: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), ClosesAt: time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC), // the 31st is the last day, in summer time
		Questions: []event.SurveyQuestion{
			{ID: "csat", Type: "csat_1_5", Text: "How satisfied are you?", Version: "2"}, {ID: "nps", Type: "nps_0_10", Text: "Would you recommend it?"},
			{ID: "pain", Type: "multi_select", Text: "What slows you down?"}, {ID: "comments", Type: "text", Text: "Comments"},
		},
		Groups: []event.SurveyGroup{{ID: "commerce"}, {ID: "checkout", Parent: "commerce"}},
	}
	if diff := cmp.Diff(event.Event(wantSurvey), best["survey"]); diff != "" {
		t.Errorf("survey (-want +got):\n%s", diff)
	}
	want := []*event.SurveyResponse{
		{Telling: changed, Survey: "q1", Respondent: "ada@example.org", SubmittedAt: at(2, 13, 5, 9), Answers: []event.SurveyAnswer{
			{Question: "csat", Score: score(5)}, {Question: "nps", Score: score(9)},
			{Question: "pain", Options: []string{"Builds, tests and CI", "Documentation", "my own words"}}, {Question: "comments", Text: "Two\nlines, \"quoted\""}}},
		{Telling: changed, Survey: "q1", Respondent: "bob@example.org", SubmittedAt: at(2, 23, 10, 0), Answers: []event.SurveyAnswer{
			{Question: "csat", Score: score(3)}, {Question: "nps"}, {Question: "pain"}, {Question: "comments"}}},
	}
	if diff := cmp.Diff(want, responses(told)); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	ada := best["survey_invitation q1 ada@example.org"].(*event.SurveyInvitation)
	if ada.Group != "checkout" || ada.Bounced {
		t.Errorf("ada was asked as %+v", ada)
	}
	if diff := cmp.Diff(map[string]int{"checkout": 3, "search": 2}, delivered(best)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	var out bytes.Buffer
	told.Report.Print(&out)
	if text := out.String(); strings.Contains(text, "example.org") || !strings.Contains(text, "2 of 2 rows are told, of 2 people") || !strings.Contains(text, "Asked: 5 people.") {
		t.Errorf("the report names somebody, or misses something:\n%s", text)
	}
}

func TestAMicrosoftExportOfAnAnonymousForm(t *testing.T) {
	// Forms ends headers with odd spaces, and each list of options with a separator.
	csv := "ID;Start time;Completion time;Email;Name;\"How satisfied\u00a0are you?\n\";What slows you down?\r\n" +
		"1;02.03.2026 14:00:00;02.03.2026 14:05:09;anonymous;;4;\"Builds;Docs;\"\r\n" +
		"2;02.03.2026 14:00:00;02.03.2026 14:05:09;anonymous;;5;\r\n"
	told := read(t, wave("submitted: Completion time\nrespondent: Email\nrow_id: ID\ninvited: {number: 10}\n"+
		"questions:\n  - {column: 'How satisfied are you?', id: csat, type: csat_1_5}\n  - {column: 'What slows you down?', id: pain, type: multi_select, separator: ';', blank: none}\n"), csv)
	got := responses(told)
	if len(got) != 2 || got[0].Respondent == got[1].Respondent || strings.Contains(got[0].Respondent, "anonymous") {
		t.Fatalf("two nameless people are %d: %v", len(got), told.Report.Refused)
	}
	if diff := cmp.Diff([]event.SurveyAnswer{{Question: "csat", Score: score(4)}, {Question: "pain", Options: []string{"Builds", "Docs"}}}, got[0].Answers); diff != "" {
		t.Error(diff)
	}
	if got[1].Answers[1].Options == nil {
		t.Error("nothing ticked is no answer, although blank is none")
	}
	// The same response with other answers, edited later, is the same person by its id.
	edited := read(t, wave("submitted: Completion time\nrespondent: Email\nrow_id: ID\ninvited: {number: 10}\n"+
		"questions:\n  - {column: 'How satisfied are you?', id: csat, type: csat_1_5}\n"), strings.Replace(csv, ";4;", ";1;", 1))
	if responses(edited)[0].Respondent != got[0].Respondent {
		t.Error("an edited response is somebody else's")
	}
	if diff := cmp.Diff(map[string]int{"": 10}, delivered(known(told.Facts, edited.Facts))); diff != "" {
		t.Error(diff)
	}
}

// Forms in German: a mark of order, semicolons, decimal commas, an answer over two lines, and empty lines at the end.
func TestAnExportInGerman(t *testing.T) {
	csv := "\ufeffID;Startzeit;Fertigstellungszeit;E-Mail;Name;Zufrieden?;Was bremst?;Sonst?\r\n" +
		"1;02.03.2026 13:40:00;02.03.2026 13:45:00;anonymous;;4,0;\"Builds;Docs;\";\"Zwei;\r\nZeilen\"\r\n" +
		"2;02.03.2026 13:40:00;02.03.2026 13:46:00;ada@example.org;Ada;4,5;Docs;;\r\n" +
		"3;02.03.2026 13:40:00;02.03.2026 13:47:00;eve@example.org;Eve;3;Docs;;\r\n;;;;;;;\r\n\r\n\r\n"
	told := read(t, wave("time_zone: Europe/Berlin\nsubmitted: Fertigstellungszeit\nrespondent: E-Mail\nrow_id: ID\ninvited: {number: 10}\nquestions:\n"+
		"  - {column: 'Zufrieden?', id: csat, type: csat_1_5}\n  - {column: 'Was bremst?', id: pain, type: multi_select, separator: ';'}\n  - {column: 'Sonst?', id: more, type: text}\n"), csv)
	got := responses(told)
	if len(got) != 2 || !got[0].SubmittedAt.Equal(at(2, 12, 45, 0)) || got[1].Respondent != "eve@example.org" {
		t.Fatalf("got %v, %v", got, told.Report.Refused)
	}
	want := []event.SurveyAnswer{{Question: "csat", Score: score(4)}, {Question: "pain", Options: []string{"Builds", "Docs"}}, {Question: "more", Text: "Zwei;\r\nZeilen"}}
	want[2].Text = strings.ReplaceAll(want[2].Text, "\r\n", "\n")
	if diff := cmp.Diff(want, got[0].Answers); diff != "" {
		t.Error(diff)
	}
	if len(told.Report.Refused) != 1 || told.Report.Refused[0].Line != 4 || told.Report.Refused[0].Column != "Zufrieden?" || !strings.Contains(told.Report.Refused[0].What, `"4,5"`) {
		t.Errorf("a half is refused as %v", told.Report.Refused)
	}
}

// Exports of SurveyMonkey have a second line of headers, and columns without a name; those of Qualtrics have three lines.
func TestFurtherLinesOfHeadersAreNoAnswers(t *testing.T) {
	monkey := "Respondent ID,Collector ID,Date Created,Email Address,Happy,What slows you down?,,\n,,,,Response,Builds,Docs,Other (please specify)\n" +
		"118,44,03/24/2026 01:45:00 PM,ada@example.org,4,Builds,,\n119,44,03/24/2026 01:46:00 PM,bob@example.org,5,,Docs,words\n"
	qualtrics := "StartDate,RecordedDate,ResponseId,RecipientEmail,Q1\nStart Date,Recorded Date,Response ID,Recipient Email,\"How happy\nare you?\"\n" +
		`"{""ImportId"":""startDate""}","{""ImportId"":""recordedDate""}","{""ImportId"":""_recordId""}","{""ImportId"":""recipientEmail""}","{""ImportId"":""QID1""}"` + "\n" +
		"2026-03-24 13:40:00,2026-03-24 13:45:00,R_1,ada@example.org,4\n2026-03-24 13:40:00,2026-03-24 13:46:00,R_2,bob@example.org,5\n"
	for name, told := range map[string]survey.Told{
		"SurveyMonkey": read(t, wave("submitted: Date Created\nrespondent: Email Address\nrow_id: Respondent ID\ninvited: {number: 5}\n"+happy), monkey),
		"Qualtrics":    read(t, wave("submitted: RecordedDate\nrespondent: RecipientEmail\nrow_id: ResponseId\ninvited: {number: 5}\n"+strings.Replace(happy, "Happy", "Q1", 1)), qualtrics),
	} {
		got := responses(told)
		if len(got) != 2 || len(told.Report.Refused) > 0 || told.Report.Rows != 2 || !got[1].SubmittedAt.Equal(at(24, 13, 46, 0)) || *got[1].Answers[0].Score != 5 {
			t.Errorf("%s: got %v of %d rows, refused %v", name, got, told.Report.Rows, told.Report.Refused)
		}
	}
}

func TestEncodingsAndDelimitersAreFound(t *testing.T) {
	rows := [][]string{{"Happy, all in all; really?", "When", "Who"}, {"4", "2026-03-02 10:00:00", "Zoë"}, {"5", "2026-03-02 11:00:00", "Jürgen"}}
	plain := func(delimiter string) string {
		var b strings.Builder
		for _, row := range rows {
			for i, cell := range row {
				if i > 0 {
					b.WriteString(delimiter)
				}
				b.WriteString(`"` + cell + `"`)
			}
			b.WriteString("\r\n")
		}
		return b.String()
	}
	utf16le, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(plain("\t"))
	if err != nil {
		t.Fatal(err)
	}
	utf16be, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(plain(";"))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(plain(","))
	if err != nil {
		t.Fatal(err)
	}
	ansi, err := charmap.Windows1252.NewEncoder().String(plain(";"))
	if err != nil {
		t.Fatal(err)
	}
	m := wave("submitted: When\nrespondent: Who\ninvited: {number: 5}\nquestions:\n  - {column: 'Happy, all in all; really?', id: happy, type: csat_1_5}\n")
	want := responses(read(t, m, plain(",")))
	for name, text := range map[string]string{
		"semicolons": plain(";"), "tabs": plain("\t"), "a mark of order": "\ufeff" + plain(","), "sep=": "sep=;\r\n" + plain(";"),
		"UTF-16, little": utf16le, "UTF-16, big": utf16be, "UTF-16, no mark": bare, "Windows-1252": ansi, "old line ends": strings.ReplaceAll(plain(","), "\r\n", "\r"),
		"an empty row": plain(",") + ",,\r\n\r\n", "no end": strings.TrimSpace(plain(";")), "a column more": strings.ReplaceAll(plain(","), "\r\n", ",\r\n"),
	} {
		told := read(t, m, text)
		if diff := cmp.Diff(want, responses(told)); diff != "" || len(told.Report.Refused) > 0 {
			t.Errorf("%s: it is %s, %v (-want +got):\n%s", name, told.Report.Form, told.Report.Refused, diff)
		}
	}
}

func TestInstantsInTheWritingOfManyPlaces(t *testing.T) {
	zone := "time_zone: Europe/Berlin\n"
	for _, c := range []struct{ text, settings, want string }{
		{"3/14/2026 14:05:09", zone, "2026-03-14T13:05:09Z"},
		{"14/03/2026 14:05:09", zone, "2026-03-14T13:05:09Z"},
		{"02/03/2026 14:05:09", zone + "dates: day/month/year\n", "2026-03-02T13:05:09Z"},
		{"03/02/2026 14:05:09", zone + "dates: month/day/year\n", "2026-03-02T13:05:09Z"},
		{"3/14/26 2:05 PM", zone, "2026-03-14T13:05:00Z"},
		{"3/14/26 2:05\u202fPM", zone, "2026-03-14T13:05:00Z"},
		{"02.03.2026 14:05:09", zone, "2026-03-02T13:05:09Z"},
		{"02.03.2026, 14:05 Uhr", zone, "2026-03-02T13:05:00Z"},
		{"2-3-2026 14:05:09", zone + "dates: day/month/year\n", "2026-03-02T13:05:09Z"},
		{"2026-03-02 14:05:09", zone, "2026-03-02T13:05:09Z"},
		{"2026-03-02T14:05:09Z", zone, "2026-03-02T14:05:09Z"},
		{"2026-03-02T14:05:09.123+02:00", zone, "2026-03-02T12:05:09.123Z"},
		{"2026/03/02 2:05:09 PM GMT+1", "", "2026-03-02T13:05:09Z"},
		{"2026/03/02 2:05:09 PM GMT+5:30", "", "2026-03-02T08:35:09Z"},
		{"2026/03/02 12:05:09 AM MEZ", "", "2026-03-01T23:05:09Z"},
		{"2026/03/30 12:05:09 PM MESZ", "", "2026-03-30T10:05:09Z"},
		{"2026/03/02 2:05:09 p. m. CET", "", "2026-03-02T13:05:09Z"},
		{"2026/03/02 2:05:09 p.m. EST", "", "2026-03-02T19:05:09Z"},
		{"2026/03/02 2:05:09 P.M. GMT+1", "", "2026-03-02T13:05:09Z"},
		{"24/11/2026 1:45:00 PM", "", "2026-11-24T13:45:00Z"},
		{"24.11.2026 13:45:00", "", "2026-11-24T13:45:00Z"},
		{"26/03/24 10:00", "", "refused"}, // March of 2024, or of 2026
		{"26-11-24 10:00", "", "refused"},
		{"2026/3/2 下午2:05:09", "", "2026-03-02T14:05:09Z"},
		{"2026. 3. 2 오후 2:05:09", "", "2026-03-02T14:05:09Z"},
		{"2026年3月2日 14:05:09", "", "2026-03-02T14:05:09Z"},
		{"2/3/2026 2:05:09 μ.μ.", "dates: day/month/year\n", "2026-03-02T14:05:09Z"},
		{"46083.5869097222", "", "2026-03-02T14:05:09Z"},
		{"46083,5", "", "2026-03-02T12:00:00Z"},
		{"2026-03-02", zone, "2026-03-01T23:00:00Z"},
		{"13/13/2026 10:00", "dates: day/month/year\n", "refused"},
		{"30/02/2026 10:00", "dates: day/month/year\n", "refused"},
		{"2026-03-02 25:00:00", "", "refused"},
		{"2026-03-02 13:00:00 PM", "", "refused"},
		{"2026-03-02 10:00:00 IST", "", "refused"}, // three countries have one
		{"yesterday", "", "refused"},
		{"", "", "refused"},
		{"9999-03-02 10:00:00", "", "refused"},
	} {
		told := read(t, "id: q1\nopens: 2026-01-01\ncloses: 2026-12-31\n"+c.settings+"submitted: When\ninvited: {number: 5}\n"+happy, "When,Happy\n\""+c.text+"\",4\n")
		got := "refused"
		if list := responses(told); len(list) == 1 {
			got = list[0].SubmittedAt.Format("2006-01-02T15:04:05.999Z07:00")
		}
		if got != c.want || (got == "refused") != (len(told.Report.Refused) == 1) { // an instant outside of the wave is not refused
			t.Errorf("%q is %s, want %s; %v", c.text, got, c.want, told.Report.Refused)
		}
	}
}

func TestADateThatCouldBeTwoIsNotGuessed(t *testing.T) {
	m := mapping(t, wave("submitted: When\ninvited: {number: 5}\n"+happy))
	for _, text := range []string{"When,Happy\n3/4/2026 10:00,4\n", "When,Happy\n13/3/2026 10:00,4\n3/13/2026 10:00,4\n"} {
		if _, err := survey.Read(m, mapped, file("a.csv", text), nil, asOf); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "dates: day/month/year") {
			t.Errorf("%s\ngot %v", text, err)
		}
	}
	// One row that says it is enough for all.
	told := read(t, wave("submitted: When\ninvited: {number: 5}\n"+happy), "When,Happy\n3/4/2026 10:00,4\n3/13/2026 10:00,4\n")
	if got := responses(told); len(got) != 2 || got[0].SubmittedAt.Day() != 4 {
		t.Errorf("got %v", got)
	}
}

func TestARowThatCannotBeReadIsNamedAndTakesNothingWithIt(t *testing.T) {
	csv := "When,Who,Happy,Team\n" + // 1
		"2026-03-02 10:00:00,ada@example.org,4,red\n" + // 2
		"2026-03-02 10:00:00,eve@example.org,Very satisfed,red\n" + // 3: not in the scale
		"soon,eve@example.org,4,red\n" + // 4: no instant
		"2026-03-02 10:00:00,\"bob@example.org\",4,\"red\nand\nblue\"\n" + // 5 to 7: no such group
		"2026-03-02 10:00:00,\"cut,4,red\n" + // 8: an open quotation mark
		"2026-03-02 10:00:00,cy@example.org,5,red\n" + // 9
		"2026-03-02 10:00:00,dan \"the man\",5,red\n" + // 10: a bare quotation mark
		"2026-03-02 10:00:00,fay@example.org,5,red,too,many\n" + // 11
		"2026-03-02 10:00:00,ada@example.org,1,red\n" + // 12: the same moment again
		"2026-03-02 10:00:00,\"gus@example.org\",3,\"red\"\n" // 13
	told := read(t, wave("submitted: When\nrespondent: Who\ngroup: Team\ninvited: {groups: {red: 9}}\n"+happy), csv)
	var who []string
	for _, r := range responses(told) {
		who = append(who, r.Respondent)
	}
	if diff := cmp.Diff([]string{"ada@example.org", "cy@example.org", "gus@example.org"}, who); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	var lines []string
	for _, r := range told.Report.Refused {
		lines = append(lines, fmt.Sprintf("%d %s", r.Line, r.Column))
		if strings.Contains(r.String(), "@") || strings.Contains(r.String(), "dan") {
			t.Errorf("somebody is named: %s", r)
		}
	}
	if diff := cmp.Diff([]string{"3 Happy", "4 When", "5 Team", "8 ", "10 ", "11 ", "12 When"}, lines); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestColumnsOfTheSameNameAreToldApart(t *testing.T) {
	csv := "When,Comments,Comments,Comments\n2026-03-02 10:00:00,a,b,c\n"
	settings := "submitted: When\ninvited: {number: 5}\nquestions:\n  - {column: 'Comments%s', id: c, type: text}\n"
	told := read(t, wave(fmt.Sprintf(settings, " [2]")), csv)
	if got := responses(told)[0].Answers[0].Text; got != "b" {
		t.Errorf("the second is %q", got)
	}
	for name, want := range map[string]string{"": "3 columns", " [4]": "no such column", "x": "no such column"} {
		_, err := survey.Read(mapping(t, wave(fmt.Sprintf(settings, name))), mapped, file("a.csv", csv), nil, asOf)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("Comments%s: got %v", name, err)
		}
	}
}

func TestAListSaysWhoWasAsked(t *testing.T) {
	m := mapping(t, wave("submitted: When\nrespondent: Who\ninvited: {columns: {respondent: E-Mail, group: Team, sent: Sent, bounced: Bounced}}\n"+happy))
	list := file("list.csv", "E-Mail;Team;Sent;Bounced\nADA@example.org ;red;01.03.2026 09:00;\nbob@example.org;blue;;yes\nada@example.org;blue;;\n;red;;\ncy@example.org;red;;perhaps\n")
	answers := file("a.csv", "When,Who,Happy\n2026-03-02 10:00:00,Ada@Example.org,4\n2026-03-02 10:00:00,eve@example.org,1\n")
	told, err := survey.Read(m, mapped, answers, list, asOf)
	if err != nil {
		t.Fatal(err)
	}
	best := known(told.Facts)
	telling := event.Telling{Source: "survey", UpdatedAt: mapped}
	for key, want := range map[string]event.Event{
		"survey_invitation q1 ada@example.org": &event.SurveyInvitation{Telling: telling, Survey: "q1", Respondent: "ada@example.org", Group: "red", SentAt: at(1, 9, 0, 0)},
		"survey_invitation q1 bob@example.org": &event.SurveyInvitation{Telling: telling, Survey: "q1", Respondent: "bob@example.org", Group: "blue", SentAt: opening, Bounced: true},
	} {
		if diff := cmp.Diff(want, best[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if len(best) != 5 || told.Report.Uninvited != 1 || len(told.Report.Refused) != 3 {
		t.Errorf("%d facts, %d uninvited, refused %v", len(best), told.Report.Uninvited, told.Report.Refused)
	}
	m = mapping(t, wave("invited: {columns: {respondent: E-Mail, group: Team, sent: Sent, bounced: Bounced}}\nquestions: [{ref: abc, id: happy, type: csat_1_5}]\n"))
	if _, err := survey.Read(m, mapped, answers, list, asOf); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "submitted is empty") {
		t.Errorf("answers with a mapping for a list: %v", err)
	}
	alone, err := survey.Read(m, mapped, nil, list, asOf)
	if err != nil || len(alone.Facts) != 3 {
		t.Errorf("the list alone: %d facts, %v", len(alone.Facts), err)
	}
}

func TestOnlyAnswersOfTheWaveAreTold(t *testing.T) {
	told := read(t, wave("submitted: When\ninvited: {number: 5}\n"+happy), "When,Happy\n2026-02-28 23:59:59,4\n2026-03-01 00:00:00,4\n2026-03-31 23:59:59,4\n2026-04-01 00:00:00,4\n")
	if len(responses(told)) != 2 || told.Report.Outside != 2 {
		t.Errorf("%d are told, %d were outside", len(responses(told)), told.Report.Outside)
	}
}

// A file read twice, in another order of its rows, and a longer one before or after a shorter one, end the same.
func TestWhatWasReadTwiceOrGrowsEndsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "rows")
		asked := rapid.IntRange(1, 12).Draw(t, "asked")
		var rows []string
		for i := range n {
			who := rapid.SampledFrom([]string{"", "", "ada@example.org", "BOB@example.org"}).Draw(t, "who")
			rows = append(rows, fmt.Sprintf("2026-03-02 10:0%d:00,%s,%d,%s", rapid.IntRange(0, 2).Draw(t, "minute"), who, rapid.IntRange(1, 5).Draw(t, "score"),
				rapid.SampledFrom([]string{"red", "blue"}).Draw(t, "team")))
			_ = i
		}
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		settings := wave(fmt.Sprintf("submitted: When\nrespondent: Who\ninvited: {number: %d}\n", asked) + happy)
		tell := func(rows []string, changed time.Time) []event.Event {
			m, err := survey.ParseMapping([]byte(settings))
			if err != nil {
				t.Fatal(err)
			}
			told, err := survey.Read(m, mapped, &survey.File{Name: "a.csv", Text: []byte("When,Who,Happy,Team\n" + strings.Join(rows, "\n") + "\n"), ChangedAt: changed}, nil, asOf)
			if err != nil {
				t.Fatal(err)
			}
			return told.Facts
		}
		later := mapped.Add(time.Hour)
		short, long := tell(rows[:cut], mapped), tell(rows, later)
		want := known(long)
		for name, got := range map[string]map[string]event.Event{
			"twice": known(long, long), "grown": known(short, long), "cut later": known(long, short), "all": known(short, long, short, long),
		} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-once +%s):\n%s", name, name, diff)
			}
		}
		if got := delivered(want)[""]; got < asked {
			t.Errorf("%d were asked, told are %d", asked, got)
		}
	})
}

func TestTheOrderOfNamelessRowsDoesNotMatter(t *testing.T) {
	rows := []string{"2026-03-02 10:00:00,4", "2026-03-02 10:00:00,4", "2026-03-02 10:00:00,5", "2026-03-03 10:00:00,1"}
	settings := wave("submitted: When\ninvited: {number: 9}\n" + happy)
	want := known(read(t, settings, "When,Happy\n"+strings.Join(rows, "\n")).Facts)
	if n := len(responses(read(t, settings, "When,Happy\n"+strings.Join(rows, "\n")))); n != 4 {
		t.Errorf("two people who say the same at the same moment are %d of 4 rows", n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if diff := cmp.Diff(want, known(read(t, settings, "When,Happy\n"+strings.Join(rows, "\n")).Facts)); diff != "" {
			t.Errorf("%v:\n%s", rows, diff)
		}
	}
	// A question that was added later is a column with nothing in it.
	if diff := cmp.Diff(want, known(read(t, settings, "Happy,When,New\n5,2026-03-02 10:00:00,\n4,2026-03-02 10:00:00,\n1,2026-03-03 10:00:00,\n4,2026-03-02 10:00:00,\n").Facts)); diff != "" {
		t.Errorf("with another column:\n%s", diff)
	}
}

func TestAMappingThatWasPutRightWins(t *testing.T) {
	csv := "When,Happy\n2026-03-02 10:00:00,4\n"
	first := read(t, wave("submitted: When\ninvited: {number: 20}\n"+happy), csv)
	m := mapping(t, wave("submitted: When\ninvited: {number: 12}\nquestions:\n  - {column: Happy, id: happy, type: csat_1_5, scale: {4: 2}}\n"))
	second, err := survey.Read(m, mapped.Add(time.Hour), file("a.csv", csv), nil, asOf)
	if err != nil {
		t.Fatal(err)
	}
	best := known(second.Facts, first.Facts)
	for _, e := range best {
		if r, is := e.(*event.SurveyResponse); is && *r.Answers[0].Score != 2 {
			t.Errorf("the answer is still %d", *r.Answers[0].Score)
		}
	}
	if got := delivered(best)[""]; got != 12 {
		t.Errorf("%d were asked, want 12", got)
	}
}

func TestMistakesInAMappingAreNamed(t *testing.T) {
	good := "submitted: When\ninvited: {number: 5}\n" + happy
	for name, c := range map[string]struct{ text, want string }{
		"no id":                {strings.Replace(wave(good), "id: q1", "id: ''", 1), "id is empty"},
		"unknown":              {wave(good) + "closess: x\n", `line 8: a mapping has no setting "closess"`},
		"no YAML":              {"id: [", "line 1"},
		"dates":                {strings.Replace(wave(good), "2026-03-31", "31.3.2026", 1), "closes is"},
		"ends before it opens": {strings.Replace(wave(good), "2026-03-31", "2025-03-31", 1), "not after opens"},
		"zone":                 {wave("time_zone: Berlin\n" + good), "time_zone"},
		"no instant":           {wave("invited: {number: 5}\n" + happy), "submitted is empty"},
		"no invited":           {wave("submitted: When\n" + happy), "invited has to say"},
		"two ways":             {wave("submitted: When\ninvited: {number: 5, unknown: true}\n" + happy), "invited has to say"},
		"list without names":   {wave("submitted: When\ninvited: {columns: {respondent: A}}\n" + happy), "respondent is empty"},
		"one number for all":   {wave("submitted: When\ngroup: Team\ninvited: {number: 5}\n" + happy), "invited.groups"},
		"nobody asked":         {wave("submitted: When\ngroup: Team\ninvited: {groups: {red: 0}}\n" + happy), "nobody was asked"},
		"no questions":         {wave("submitted: When\ninvited: {number: 5}\n"), "questions is empty"},
		"type":                 {wave("submitted: When\ninvited: {number: 5}\nquestions: [{column: A, id: a, type: likert}]\n"), "questions[0]: type"},
		"separator":            {wave("submitted: When\ninvited: {number: 5}\nquestions: [{column: A, id: a, type: multi_select}]\n"), "separator is empty"},
		"scale":                {wave("submitted: When\ninvited: {number: 5}\nquestions: [{column: A, id: a, type: csat_1_5, scale: {Great: 6}}]\n"), "not from 1 to 5"},
		"twice":                {wave("submitted: When\ninvited: {number: 5}\nquestions: [{column: A, id: a, type: text}, {column: B, id: a, type: text}]\n"), "another question has"},
		"delimiter":            {wave("delimiter: '|'\n" + good), "delimiter"},
		"order of dates":       {wave("dates: dmy\n" + good), "dates is"},
	} {
		if _, err := survey.ParseMapping([]byte(c.text)); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestAProposalIsAMappingOnceTheNumbersAreIn(t *testing.T) {
	text, err := survey.Propose(file("a.csv", google))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`submitted: "Timestamp"`, `respondent: "Email address"`, `group: "Team"`, `"Very satisfied": 5`, "type: csat_1_5", "opens: 2026-03-02"} {
		if !strings.Contains(text, want) {
			t.Errorf("the proposal has no %s:\n%s", want, text)
		}
	}
	text = strings.Replace(text, `id: ""`, "id: q1", 1)
	text = strings.ReplaceAll(text, ": 0\n", ": 3\n")
	if told := read(t, text, google); len(responses(told)) != 2 {
		t.Errorf("with the proposal %v", told.Report.Refused)
	}
	if _, err := survey.Propose(file("a.xlsx", "PK\x03\x04....")); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "save it as CSV") {
		t.Errorf("a workbook: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(google))
	f.Add([]byte("sep=;\nTimestamp;Email address\n\"a\n"))
	m := mapping(f, wave(googleMapping))
	f.Fuzz(func(t *testing.T, text []byte) {
		told, err := survey.Read(m, mapped, &survey.File{Name: "a.csv", Text: text}, nil, asOf)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want it invalid", err)
		}
		for _, e := range told.Facts {
			if _, err := json.Marshal(e); err != nil {
				t.Error(err)
			}
		}
		_, _ = survey.Propose(&survey.File{Name: "a.csv", Text: text})
	})
}
