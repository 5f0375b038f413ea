package survey

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"cairn/internal/event"
	"cairn/internal/fault"
)

// Mapping says what the columns of an export are. Columns are named by their header; where several have the same, by the
// header and which of them: Comments [2].
type Mapping struct {
	Wave       `yaml:",inline"`
	Dates      string   `yaml:"dates"`      // day/month/year or month/day/year, where a file leaves it open
	Delimiter  string   `yaml:"delimiter"`  // ",", ";" or tab; "": found by the columns
	Submitted  string   `yaml:"submitted"`  // column of the instant
	Respondent string   `yaml:"respondent"` // column of the person; "" for an anonymous survey
	Anonymous  []string `yaml:"anonymous"`  // what stands in that column where nobody is named
	RowID      string   `yaml:"row_id"`     // column of an id of the response, for anonymous answers that may be edited
	Group      string   `yaml:"group"`      // column of the person's group
	Invited    Invited  `yaml:"invited"`
}

// Wave is one wave of a survey, whatever its answers come from.
type Wave struct {
	ID         string            `yaml:"id"`
	Title      string            `yaml:"title"`
	Opens      string            `yaml:"opens"`
	Closes     string            `yaml:"closes"`    // a date alone is the last day
	TimeZone   string            `yaml:"time_zone"` // of instants that have none
	Groups     []Group           `yaml:"groups"`
	GroupNames map[string]string `yaml:"group_names"` // what an answer calls a group, and what it is
	Questions  []Question        `yaml:"questions"`

	opens, closes time.Time
	zone          *time.Location
}

// Group is one node of the tree of groups.
type Group struct {
	ID     string `yaml:"id"`
	Parent string `yaml:"parent"`
}

// Invited says how many were asked: one of the four.
type Invited struct {
	Number  int            `yaml:"number"`
	Groups  map[string]int `yaml:"groups"`  // by group
	Columns InvitedColumns `yaml:"columns"` // of a list of them
	Unknown bool           `yaml:"unknown"` // nobody knows
}

// InvitedColumns are those of a list of the people who were asked.
type InvitedColumns struct {
	Respondent string `yaml:"respondent"`
	Group      string `yaml:"group"`
	Sent       string `yaml:"sent"`
	Bounced    string `yaml:"bounced"`
}

// Question is one question, with how its answers are written.
type Question struct {
	Column    string           `yaml:"column"` // of a table
	Ref       string           `yaml:"ref"`    // of a form that sends its answers one by one
	ID        string           `yaml:"id"`
	Type      string           `yaml:"type"`
	Text      string           `yaml:"text"` // default: the header
	Version   string           `yaml:"version"`
	Scale     map[string]int64 `yaml:"scale"`     // what words are which number
	Separator string           `yaml:"separator"` // between options in one cell
	Options   []string         `yaml:"options"`   // those that have the separator in them have to be listed
	Blank     string           `yaml:"blank"`     // what an empty cell of options is: skipped (the default), or none, when nothing was ticked

	words map[string]int64
}

// Types of questions.
const (
	csat        = "csat_1_5"
	nps         = "nps_0_10"
	MultiSelect = "multi_select"
	freeText    = "text"
)

// longest is the most letters of a name in a fact.
const longest = 4096

var unknownSetting = regexp.MustCompile(`line (\d+): field (\S+) not found in type`)

// ParseMapping reads and checks a mapping. Errors are fault.Invalid and name the line, or the setting.
func ParseMapping(text []byte) (*Mapping, error) {
	m := &Mapping{Anonymous: []string{"anonymous"}}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil {
		if found := unknownSetting.FindStringSubmatch(err.Error()); found != nil {
			return nil, fault.New(fault.Invalid, "line %s: a mapping has no setting %q here", found[1], found[2])
		}
		return nil, fault.New(fault.Invalid, "%s", strings.TrimPrefix(strings.ReplaceAll(err.Error(), "unmarshal errors:\n  ", ""), "yaml: "))
	}
	listOnly := m.Submitted == "" && m.Invited.Columns.Respondent != "" // the answers come another way
	if err := m.Check(func(q Question) (string, string) {
		if listOnly {
			return "column", cmp.Or(q.Column, q.Ref)
		}
		return "column", q.Column
	}); err != nil {
		return nil, err
	}
	switch {
	case m.Submitted == "" && !listOnly:
		return nil, fault.New(fault.Invalid, "submitted is empty: name the column that says when an answer was given, such as Timestamp")
	case m.Dates != "" && m.Dates != dayFirst && m.Dates != monthFirst:
		return nil, fault.New(fault.Invalid, "dates is %q: expected %s or %s", m.Dates, dayFirst, monthFirst)
	case m.Delimiter != "" && delimiters[m.Delimiter] == 0:
		return nil, fault.New(fault.Invalid, `delimiter is %q: expected ",", ";" or tab`, m.Delimiter)
	}
	return m, m.checkInvited()
}

func (m *Mapping) checkInvited() error {
	ways := 0
	for _, given := range []bool{m.Invited.Number > 0, m.Invited.Groups != nil, m.Invited.Columns != InvitedColumns{}, m.Invited.Unknown} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return fault.New(fault.Invalid, "invited has to say who was asked, since only their answers count, in one way: number (how many), groups (how many of each group), columns (of a list that is given with --invited), or unknown: true")
	case m.Invited.Number < 0:
		return fault.New(fault.Invalid, "invited.number is %d: expected how many people were asked", m.Invited.Number)
	case m.Invited.Columns != InvitedColumns{}:
		switch {
		case m.Invited.Columns.Respondent == "":
			return fault.New(fault.Invalid, "invited.columns.respondent is empty: name the column of the list that says who was asked")
		case m.Respondent == "" && m.Submitted != "":
			return fault.New(fault.Invalid, "respondent is empty: with a list of those who were asked, the answers need a column that names the same people; of an anonymous survey give invited.number")
		case m.Group != "":
			return fault.New(fault.Invalid, "group is given beside invited.columns: which group a person is in, the list says, in invited.columns.group")
		}
	case m.Invited.Number > 0 && m.Group != "":
		return fault.New(fault.Invalid, "with a column for the group, invited.groups has to say how many of each group were asked; one number would make the response rate of each group 100 %%")
	case m.Invited.Groups != nil && m.Group == "":
		return fault.New(fault.Invalid, "invited.groups is given, but group is empty: name the column that says which group a person is in, or give invited.number")
	}
	all := m.Invited.Number
	for group, n := range m.Invited.Groups {
		all += n
		if n < 0 || n > maxAsked {
			return fault.New(fault.Invalid, "invited.groups.%s is %d: expected how many people were asked", group, n)
		}
	}
	if m.Invited.Groups != nil && all == 0 {
		return fault.New(fault.Invalid, "invited.groups says that nobody was asked: give the number of people of each group")
	}
	if m.Invited.Number > maxAsked {
		return fault.New(fault.Invalid, "invited.number is %d: more than %d are not taken", m.Invited.Number, maxAsked)
	}
	return nil
}

// maxAsked bounds the people of a group, since each has a place.
const maxAsked = 200_000

// Check checks a wave and prepares it; from says what a question's answers are found by. Errors are fault.Invalid.
func (w *Wave) Check(from func(Question) (setting, value string)) error {
	if w.ID == "" {
		return fault.New(fault.Invalid, "id is empty: expected one that no other wave has, such as 2026Q1")
	}
	var err error
	if w.zone, err = time.LoadLocation(cmp.Or(w.TimeZone, "UTC")); err != nil || strings.EqualFold(w.TimeZone, "local") {
		return fault.New(fault.Invalid, "time_zone is %q: expected a name such as Europe/Berlin", w.TimeZone)
	}
	if w.opens, _, err = w.moment("opens", w.Opens); err != nil {
		return err
	}
	var day bool
	if w.closes, day, err = w.moment("closes", w.Closes); err != nil {
		return err
	}
	if day {
		w.closes = time.Date(w.closes.In(w.zone).Year(), w.closes.In(w.zone).Month(), w.closes.In(w.zone).Day()+1, 0, 0, 0, 0, w.zone).UTC()
	}
	if !w.closes.After(w.opens) {
		return fault.New(fault.Invalid, "closes is %s, which is not after opens, %s", w.Closes, w.Opens)
	}
	if len(w.Questions) == 0 {
		return fault.New(fault.Invalid, "questions is empty: name at least one column with a question")
	}
	ids, places := map[string]bool{}, map[string]bool{}
	for i := range w.Questions {
		q := &w.Questions[i]
		setting, value := from(*q)
		if err := q.check(); err != nil {
			return fault.Wrap(fault.Invalid, err, "questions[%d]", i)
		}
		switch {
		case value == "":
			return fault.New(fault.Invalid, "questions[%d].%s is empty", i, setting)
		case ids[q.ID]:
			return fault.New(fault.Invalid, "questions[%d].id is %q, which another question has, too", i, q.ID)
		case places[value]:
			return fault.New(fault.Invalid, "questions[%d].%s is %q, which another question has, too", i, setting, value)
		}
		ids[q.ID], places[value] = true, true
	}
	return nil
}

// moment reads a date, which begins in the wave's zone, or an instant.
func (w *Wave) moment(setting, text string) (at time.Time, day bool, err error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, strings.TrimSpace(text), w.zone); err == nil {
			return at.UTC(), layout == time.DateOnly, nil
		}
	}
	return at, false, fault.New(fault.Invalid, "%s is %q: expected a date such as 2026-03-01, or an instant such as 2026-03-01T09:00:00Z", setting, text)
}

func (q *Question) check() error {
	switch {
	case q.ID == "":
		return fault.New(fault.Invalid, "id is empty: expected one that stays the same in every wave, such as csat")
	case !slices.Contains([]string{csat, nps, MultiSelect, freeText}, q.Type):
		return fault.New(fault.Invalid, "type is %q: expected %s, %s, %s or %s", q.Type, csat, nps, MultiSelect, freeText)
	case q.Type == MultiSelect && q.Separator == "" && q.Column != "":
		return fault.New(fault.Invalid, "separator is empty: say what stands between two options in one cell, \", \" in an export of Google Forms, \";\" in one of Microsoft Forms")
	case q.Blank != "" && (q.Type != MultiSelect || q.Blank != "skipped" && q.Blank != "none"):
		return fault.New(fault.Invalid, "blank is %q: it is for %s, and expected are skipped or none", q.Blank, MultiSelect)
	case len(q.Scale) > 0 && q.Type != csat && q.Type != nps:
		return fault.New(fault.Invalid, "scale is for %s and %s", csat, nps)
	}
	q.words = make(map[string]int64, len(q.Scale))
	for word, score := range q.Scale {
		if low, high := q.bounds(); score < low || score > high {
			return fault.New(fault.Invalid, "scale has %q: %d, which is not from %d to %d", word, score, low, high)
		}
		folded := strings.ToLower(tidy(word))
		if other, twice := q.words[folded]; twice && other != score {
			return fault.New(fault.Invalid, "scale has %q twice", word)
		}
		q.words[folded] = score
	}
	return nil
}

func (q *Question) bounds() (low, high int64) {
	if q.Type == nps {
		return 0, 10
	}
	return 1, 5
}

var wholeNumber = regexp.MustCompile(`^(\d{1,3})(?:[.,]0+)?$`)

// Cell reads what stands in one cell. "" is a question that was left empty.
func (q *Question) Cell(text string) (event.SurveyAnswer, error) {
	a := event.SurveyAnswer{Question: q.ID}
	trimmed := tidy(text)
	switch {
	case trimmed == "" && q.Type == MultiSelect && q.Blank == "none":
		a.Options = []string{}
	case trimmed == "":
	case q.Type == freeText:
		a.Text = clipTo(strings.TrimSpace(text), 65536)
	case q.Type == MultiSelect:
		return q.Ticked(q.split(strings.TrimSpace(text)))
	default:
		return q.Scored(trimmed)
	}
	return a, nil
}

// Scored is the answer to a question with a scale.
func (q *Question) Scored(text string) (event.SurveyAnswer, error) {
	a := event.SurveyAnswer{Question: q.ID}
	low, high := q.bounds()
	if score, known := q.words[strings.ToLower(tidy(text))]; known {
		a.Score = &score
		return a, nil
	}
	if found := wholeNumber.FindStringSubmatch(text); found != nil && len(q.words) == 0 {
		if score, _ := strconv.ParseInt(found[1], 10, 64); score >= low && score <= high {
			a.Score = &score
			return a, nil
		}
	}
	if len(q.words) > 0 {
		return a, fault.New(fault.Invalid, "%q is not in the question's scale, which has %s", clip(text), strings.Join(slices.Sorted(maps.Keys(q.Scale)), ", "))
	}
	return a, fault.New(fault.Invalid, "%q is no number from %d to %d; if it is one in words, say which in the question's scale", clip(text), low, high)
}

// Ticked is the answer to a question with options.
func (q *Question) Ticked(options []string) (event.SurveyAnswer, error) {
	a := event.SurveyAnswer{Question: q.ID, Options: []string{}}
	for _, option := range options {
		if option = tidy(option); option != "" && !slices.Contains(a.Options, option) {
			a.Options = append(a.Options, clipTo(option, longest))
		}
	}
	return a, nil
}

// split takes a cell apart. An option that is listed is taken whole, though the separator may be in it.
func (q *Question) split(text string) []string {
	var options []string
	listed := slices.Clone(q.Options)
	slices.SortFunc(listed, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longest first
	separator := strings.TrimSpace(q.Separator)
	if separator == "" {
		separator = q.Separator
	}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		taken := ""
		for _, option := range listed {
			if rest, begins := strings.CutPrefix(text, option); begins && (rest == "" || strings.HasPrefix(strings.TrimSpace(rest), separator)) {
				taken, text = option, rest
				break
			}
		}
		if taken == "" {
			at := strings.Index(text+q.Separator, q.Separator)
			taken, text = text[:at], text[at:]
		}
		if taken != "" {
			options = append(options, taken)
		}
		text = strings.TrimPrefix(strings.TrimSpace(text), separator)
	}
	return options
}

// survey is the fact of a wave.
func (w *Wave) survey(at time.Time) *event.Survey {
	fact := &event.Survey{Telling: event.Telling{UpdatedAt: at}, ID: w.ID, Title: w.Title, OpensAt: w.opens, ClosesAt: w.closes}
	for _, q := range w.Questions {
		fact.Questions = append(fact.Questions, event.SurveyQuestion{ID: q.ID, Type: q.Type, Text: q.Text, Version: q.Version})
	}
	for _, g := range w.Groups {
		fact.Groups = append(fact.Groups, event.SurveyGroup{ID: g.ID, Parent: g.Parent})
	}
	return fact
}

// Survey is the fact of a wave that was checked, told as of an instant.
func (w *Wave) Survey(at time.Time) *event.Survey { return w.survey(at) }

// OpensAt is when a wave that was checked opens.
func (w *Wave) OpensAt() time.Time { return w.opens }

// Open says whether an answer that was given at an instant is of a wave that was checked.
func (w *Wave) Open(at time.Time) bool { return !at.Before(w.opens) && at.Before(w.closes) }

// GroupOf is the group that an answer calls something.
func (w *Wave) GroupOf(text string) string { return w.group(text) }

func (w *Wave) group(text string) string {
	text = tidy(text)
	if is, given := w.GroupNames[text]; given {
		return is
	}
	return text
}

// nobody says whether what stands in the respondent's column is nobody's name.
func (m *Mapping) nobody(name string) bool {
	return slices.ContainsFunc(m.Anonymous, func(text string) bool { return Respondent(text) == name })
}

func sortedKeys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }

// tidy is a text without spaces around it, and with single ones within: exports are full of others.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

func clip(text string) string {
	if text = tidy(text); len([]rune(text)) > 60 {
		return string([]rune(text)[:57]) + "…"
	}
	return text
}

func clipTo(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}
