// Package survey reads what survey tools export: a table of answers as CSV, and a list of those who were asked. A mapping,
// a YAML file that an organisation writes once per wave, says what the columns are. It stands between `cairn ingest survey`
// and the intake; there is no connection, and nothing of a person is kept here: intake stores respondents as salted hashes.
package survey

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// Source is who tells.
const Source = "survey"

// File is a table to read.
type File struct {
	Name      string // for messages
	Text      []byte
	ChangedAt time.Time // when the file was changed last
}

// Told is what a mapping makes of its files.
type Told struct {
	Facts  []event.Event
	Report Report
}

// Report says for people what became of the files. It names nobody.
type Report struct {
	Survey     *event.Survey
	Form       string // how the answers were written: UTF-8, separated by commas
	Columns    []Column
	Rows       int            // of answers
	Responses  int            // that are told
	Outside    int            // rows that were submitted before the survey opened or after it closed
	People     int            // who answered
	Asked      int            // as far as it is known; 0: by an earlier list
	Uninvited  int            // people who answered and are not on the list
	Answers    map[string]int // by question
	Refused    []Refusal
	Notes      []string
	RowsListed int // of the list of those who were asked
}

// Column is what a column of the answers is used for.
type Column struct{ Name, Use string }

// Refusal is a row that was not read. What never has what stands in the respondent's column.
type Refusal struct {
	File   string
	Line   int
	Column string // "" where it is about the whole row
	What   string
}

// String is a line for people.
func (r Refusal) String() string {
	if r.Column == "" {
		return fmt.Sprintf("%s, line %d: %s", r.File, r.Line, r.What)
	}
	return fmt.Sprintf("%s, line %d, column %q: %s", r.File, r.Line, r.Column, r.What)
}

// Read makes facts of a file of answers and a list of those who were asked; either may be nil. Rows that cannot be read
// are in the report and take nothing else with them. Other mistakes are fault.Invalid.
//
// Facts that have no instant of a change of their own are told as of the latest change of the mapping and the file, which
// is the same each time the same files are read; asOf bounds it, for clocks that are ahead.
func Read(m *Mapping, mappingChanged time.Time, answers, invited *File, asOf time.Time) (Told, error) {
	r := reading{m: m, at: instantOf(mappingChanged, asOf)}
	for _, f := range []*File{answers, invited} {
		if f != nil {
			if changed := instantOf(f.ChangedAt, asOf); changed.After(r.at) {
				r.at = changed
			}
		}
	}
	r.report.Answers = map[string]int{}
	switch {
	case answers == nil && invited == nil:
		return Told{}, fault.New(fault.Invalid, "there is nothing to read: give a file of answers, a list of those who were asked, or both")
	case invited != nil && m.Invited.Columns.Respondent == "":
		return Told{}, fault.New(fault.Invalid, "a list of those who were asked is given, but the mapping does not say which of its columns is what: set invited.columns.respondent")
	}
	fact := m.survey(r.at)
	r.report.Survey = fact
	r.facts = append(r.facts, fact)
	if invited != nil {
		if err := r.readInvited(invited); err != nil {
			return Told{}, err
		}
	}
	if answers != nil {
		if err := r.readAnswers(answers); err != nil {
			return Told{}, err
		}
	}
	for _, e := range r.facts {
		e.Common().Source = Source
		if wrong := event.Validate(e); wrong != nil {
			return Told{}, fault.Wrap(fault.Invalid, wrong, "the mapping makes no %s", e.Kind())
		}
	}
	slices.SortStableFunc(r.report.Refused, func(a, b Refusal) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return Told{r.facts, r.report}, nil
}

func instantOf(changed, asOf time.Time) time.Time {
	if changed.IsZero() || changed.After(asOf) {
		changed = asOf
	}
	return changed.UTC().Truncate(time.Millisecond)
}

// reading is one reading of the files of a mapping.
type reading struct {
	m      *Mapping
	at     time.Time // latest change of the mapping and the files
	facts  []event.Event
	report Report
	listed map[string]bool // respondents of the list
}

func (r *reading) refuse(file string, line int, column, format string, args ...any) {
	r.report.Refused = append(r.report.Refused, Refusal{file, line, column, fmt.Sprintf(format, args...)})
}

func (r *reading) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// Respondent is what a person is called in facts, the same in the list and in the answers whatever the case of an address.
func Respondent(text string) string { return strings.ToLower(tidy(text)) }

func (r *reading) readInvited(f *File) error {
	c := r.m.Invited.Columns
	t, err := readTable(f, r.m.Delimiter, []string{c.Respondent, c.Group, c.Sent, c.Bounced})
	if err != nil {
		return err
	}
	r.report.Refused = append(r.report.Refused, t.refused...)
	r.report.Notes = append(r.report.Notes, t.notes...)
	respondent, err := t.column("invited.columns.respondent", c.Respondent)
	if err != nil {
		return err
	}
	group, err := t.optional("invited.columns.group", c.Group)
	if err != nil {
		return err
	}
	sent, err := t.optional("invited.columns.sent", c.Sent)
	if err != nil {
		return err
	}
	bounced, err := t.optional("invited.columns.bounced", c.Bounced)
	if err != nil {
		return err
	}
	clock, err := r.m.clock(t, sent)
	if err != nil {
		return err
	}
	r.listed = map[string]bool{}
	for _, row := range t.rows {
		r.report.RowsListed++
		fact := &event.SurveyInvitation{
			Telling: event.Telling{UpdatedAt: r.at}, Survey: r.m.ID, Respondent: Respondent(row.at(respondent)),
			Group: r.m.group(row.at(group)), SentAt: r.m.opens,
		}
		if fact.Respondent == "" || len(fact.Respondent) > longest {
			r.refuse(f.Name, row.line, c.Respondent, "nobody is named, or by more than %d letters", longest)
			continue
		}
		if text := tidy(row.at(sent)); text != "" {
			if fact.SentAt, err = clock.instant(text); err != nil {
				r.refuse(f.Name, row.line, c.Sent, "%s", err)
				continue
			}
		}
		var known bool
		if fact.Bounced, known = yes(row.at(bounced)); !known {
			r.refuse(f.Name, row.line, c.Bounced, "%q is neither yes nor no", clip(row.at(bounced)))
			continue
		}
		if r.listed[fact.Respondent] {
			r.refuse(f.Name, row.line, c.Respondent, "this person is on the list already: one invitation counts")
			continue
		}
		r.listed[fact.Respondent] = true
		r.facts = append(r.facts, fact)
	}
	r.report.Asked = len(r.listed)
	return nil
}

// yes reads a flag; "" is no.
func yes(text string) (is, known bool) {
	switch strings.ToLower(tidy(text)) {
	case "", "0", "no", "n", "false", "delivered", "sent", "ok":
		return false, true
	case "1", "yes", "y", "true", "x", "bounced", "undelivered", "failed":
		return true, true
	}
	return false, false
}

func (r *reading) readAnswers(f *File) error {
	m := r.m
	if m.Submitted == "" {
		return fault.New(fault.Invalid, "submitted is empty: name the column that says when an answer was given, such as Timestamp")
	}
	wanted := []string{m.Submitted, m.Respondent, m.Group, m.RowID}
	for _, q := range m.Questions {
		wanted = append(wanted, q.Column)
	}
	t, err := readTable(f, m.Delimiter, wanted)
	if err != nil {
		return err
	}
	r.report.Form = t.form
	r.report.Refused = append(r.report.Refused, t.refused...)
	r.report.Notes = append(r.report.Notes, t.notes...)
	r.report.Rows = len(t.rows) + len(t.refused)
	submitted, err := t.column("submitted", m.Submitted)
	if err != nil {
		return err
	}
	respondent, err := t.optional("respondent", m.Respondent)
	if err != nil {
		return err
	}
	group, err := t.optional("group", m.Group)
	if err != nil {
		return err
	}
	rowID, err := t.optional("row_id", m.RowID)
	if err != nil {
		return err
	}
	columns := make([]int, len(m.Questions))
	for i, q := range m.Questions {
		if columns[i], err = t.column(fmt.Sprintf("questions[%d].column", i), q.Column); err != nil {
			return err
		}
		if f := &r.report.Survey.Questions[i]; f.Text == "" {
			f.Text = clipTo(t.header[columns[i]], 65536)
		}
	}
	r.describe(t, columns, map[int]string{submitted: "submitted", respondent: "respondent", group: "group", rowID: "row_id"})
	clock, err := m.clock(t, submitted)
	if err != nil {
		return err
	}

	people := map[string]string{} // group by respondent
	alike := map[string]int{}
	var order []string
	told := map[string]bool{}
	for _, row := range t.rows {
		at, err := clock.instant(row.at(submitted))
		if err != nil {
			r.refuse(f.Name, row.line, m.Submitted, "%s", err)
			continue
		}
		fact := &event.SurveyResponse{Telling: event.Telling{UpdatedAt: r.at}, Survey: m.ID, SubmittedAt: at}
		name := Respondent(row.at(respondent))
		switch {
		case len(name) > longest:
			r.refuse(f.Name, row.line, m.Respondent, "more than %d letters are no name", longest)
			continue
		case name != "" && !m.nobody(name):
			fact.Respondent = name
		case tidy(row.at(rowID)) != "":
			fact.Respondent = pseudonym("id", m.ID, tidy(row.at(rowID)))
		default:
			content := t.content(row)
			alike[content]++ // before anything is left out: the same row is the same person in a longer export
			fact.Respondent = pseudonym("row", m.ID, content, fmt.Sprint(alike[content]))
		}
		if !m.Open(at) {
			r.report.Outside++
			continue
		}
		belongs := m.group(row.at(group))
		if m.Invited.Groups != nil && group >= 0 {
			if _, asked := m.Invited.Groups[belongs]; !asked {
				r.refuse(f.Name, row.line, m.Group, "nobody was asked as %q by the mapping: add it to invited.groups, or say what it means in group_names", clip(belongs))
				continue
			}
		}
		if len(belongs) > longest {
			r.refuse(f.Name, row.line, m.Group, "more than %d letters are no group", longest)
			continue
		}
		if !r.answers(f, row, columns, fact) {
			continue
		}
		if _, known := people[fact.Respondent]; !known {
			order = append(order, fact.Respondent)
		}
		people[fact.Respondent] = belongs
		key := fact.Respondent + "\x00" + fact.SubmittedAt.String()
		if told[key] {
			r.refuse(f.Name, row.line, m.Submitted, "the same person has submitted at the same moment in another row: the first counts")
			continue
		}
		told[key] = true
		r.facts = append(r.facts, fact)
		r.report.Responses++
		for _, a := range fact.Answers {
			if a.Score != nil || a.Options != nil || a.Text != "" {
				r.report.Answers[a.Question]++
			}
		}
	}
	r.report.People = len(people)
	r.invitations(order, people)
	return nil
}

// answers reads the cells of the questions; false when one of them cannot be read.
func (r *reading) answers(f *File, row row, columns []int, fact *event.SurveyResponse) bool {
	for i := range r.m.Questions {
		q := &r.m.Questions[i]
		a, err := q.Cell(row.at(columns[i]))
		if err != nil {
			r.refuse(f.Name, row.line, q.Column, "%s", err)
			return false
		}
		fact.Answers = append(fact.Answers, a)
	}
	return true
}

// describe says what each column is used for.
func (r *reading) describe(t *table, questions []int, uses map[int]string) {
	for i, name := range t.header {
		use := uses[i]
		for n, at := range questions {
			if at == i {
				q := r.m.Questions[n]
				use = fmt.Sprintf("question %s (%s)", q.ID, q.Type)
			}
		}
		r.report.Columns = append(r.report.Columns, Column{name, use})
	}
}

// invitations says who was asked, where no list does: an answer is valid of those who were asked only.
//
// Where a number is known, those who have not answered are told as places without a name. A place that somebody's answer
// has taken is told as not delivered, which of two tellings of one moment wins. More places are told than there are, so
// that a number that was too high can be put right.
func (r *reading) invitations(order []string, people map[string]string) {
	m := r.m
	if m.Invited.Columns.Respondent != "" {
		for _, name := range order {
			if r.listed != nil && !r.listed[name] {
				r.report.Uninvited++
			}
		}
		return
	}
	answered := map[string]int{}
	for _, name := range order {
		group := people[name]
		answered[group]++
		r.facts = append(r.facts, &event.SurveyInvitation{Telling: event.Telling{UpdatedAt: r.at}, Survey: m.ID, Respondent: name, Group: group, SentAt: m.opens})
	}
	if m.Invited.Unknown {
		r.report.Asked = len(order)
		r.note("How many were asked is not known (invited.unknown): those who answered count as asked, so the response rate is 100 %% and says nothing.")
		return
	}
	asked := m.Invited.Groups
	if asked == nil {
		asked, answered = map[string]int{"": m.Invited.Number}, map[string]int{"": len(order)}
	}
	for _, group := range sortedKeys(asked) {
		n, a := asked[group], answered[group]
		r.report.Asked += max(n, a)
		if a > n {
			of := ""
			if group != "" {
				of = " of " + group
			}
			r.note("%d people%s answered though %d were asked by the mapping: the number in invited is too low, or people answered twice without a name.", a, of, n)
		}
		for i := 1; i <= places(n); i++ {
			r.facts = append(r.facts, &event.SurveyInvitation{
				Telling: event.Telling{UpdatedAt: r.at}, Survey: m.ID, Respondent: fmt.Sprintf("place %d of %s", i, group),
				Group: group, SentAt: m.opens, Bounced: i > n-a,
			})
		}
	}
}

// places is how many places are told for so many people.
func places(n int) int {
	p := 64
	for p < 2*n {
		p *= 2
	}
	return p
}

// pseudonym stands for a person who has no name, made of what is theirs alone.
func pseudonym(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s,", len(part), part)
	}
	return "nameless-" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// Print writes what became of the files, for people.
func (r Report) Print(w io.Writer) {
	s := r.Survey
	fmt.Fprintf(w, "Survey %s, open from %s until %s.\n", s.ID, s.OpensAt.Format(time.RFC3339), s.ClosesAt.Format(time.RFC3339))
	if len(r.Columns) > 0 {
		fmt.Fprintf(w, "Columns (%s):\n", r.Form)
		for _, c := range r.Columns {
			fmt.Fprintf(w, "  %-48s %s\n", clip(c.Name), cmp.Or(c.Use, "left out"))
		}
		fmt.Fprintf(w, "Answers: %d of %d rows are told, of %d people.", r.Responses, r.Rows, r.People)
		if r.Outside > 0 {
			fmt.Fprintf(w, " %d were submitted while the survey was not open and are left out.", r.Outside)
		}
		fmt.Fprintln(w)
		for _, q := range s.Questions {
			fmt.Fprintf(w, "  %-24s %d answers\n", q.ID, r.Answers[q.ID])
		}
	}
	if r.Asked > 0 {
		fmt.Fprintf(w, "Asked: %d people.\n", r.Asked)
	}
	if r.Uninvited > 0 {
		fmt.Fprintf(w, "%d people who answered are not on the list of those who were asked: their answers do not count.\n", r.Uninvited)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	for _, refused := range r.Refused {
		fmt.Fprintf(w, "Not read: %s\n", refused)
	}
}
