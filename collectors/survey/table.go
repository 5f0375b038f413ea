package survey

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"cairn/internal/fault"
)

// Bounds of a file.
const (
	maxText    = 64 << 20
	maxRefused = 200 // rows that cannot be taken apart; more are another kind of file
)

// delimiters are those that are known, by what a mapping calls them.
var delimiters = map[string]rune{",": ',', ";": ';', "tab": '\t', "\t": '\t'}

// table is a file as rows under a header.
type table struct {
	name    string
	form    string // for people
	header  []string
	width   int // most cells of a row
	rows    []row
	refused []Refusal
	notes   []string
}

// row is one row with the line of the file in which it begins.
type row struct {
	line  int
	cells []string
}

// at is a cell; "" where there is none.
func (r row) at(column int) string {
	if column < 0 || column >= len(r.cells) {
		return ""
	}
	return r.cells[column]
}

// readTable takes a file apart. The delimiter, unless it is given, is the one by which most of the wanted columns are
// found, and then the one that makes most columns.
func readTable(f *File, delimiter string, wanted []string) (*table, error) {
	if len(f.Text) > maxText {
		return nil, fault.New(fault.TooLarge, "%s has more than %d MB: is it an export of a survey?", f.Name, maxText>>20)
	}
	text, form, note, err := decode(f.Text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s", f.Name)
	}
	given, text, skipped := separatorLine(text)
	candidates := []rune{',', ';', '\t'}
	if given != 0 {
		candidates = []rune{given}
	}
	if delimiter != "" {
		candidates = []rune{delimiters[delimiter]}
	}
	var best *table
	for _, candidate := range candidates {
		t := &table{name: f.Name}
		t.read(text, candidate, 1, skipped)
		t.form = fmt.Sprintf("%s, separated by %s", form, map[rune]string{',': "commas", ';': "semicolons", '\t': "tabs"}[candidate])
		if best == nil || t.found(wanted) > best.found(wanted) || t.found(wanted) == best.found(wanted) && len(t.header) > len(best.header) {
			best = t
		}
	}
	if len(best.header) == 0 {
		return nil, fault.New(fault.Invalid, "%s is empty: expected a table with a header", f.Name)
	}
	again := &table{name: f.Name, form: best.form}
	again.read(text, delimiterOf(best.form), -1, skipped)
	again.rows = again.rows[again.furtherHeaders():]
	if len(again.refused) >= maxRefused {
		return nil, fault.New(fault.Invalid, "%s: %d rows cannot be taken apart, the first in line %d: is it CSV?", f.Name, len(again.refused), again.refused[0].Line)
	}
	if note != "" {
		again.notes = append(again.notes, f.Name+": "+note)
	}
	return again, nil
}

// furtherHeaders is how many rows are headers, too: two in exports of Qualtrics, the second of them with ids in JSON, and one
// in those of SurveyMonkey, with the options of each question.
func (t *table) furtherHeaders() int {
	if len(t.rows) > 1 && strings.HasPrefix(tidy(t.rows[1].at(0)), `{"ImportId":`) {
		return 2
	}
	if len(t.rows) > 0 && t.surveyMonkey() && tidy(t.rows[0].at(0)) == "" {
		return 1
	}
	return 0
}

func (t *table) surveyMonkey() bool {
	return t.header[0] == "Respondent ID" && slices.Contains(t.header, "Collector ID")
}

func delimiterOf(form string) rune {
	switch {
	case strings.HasSuffix(form, "commas"):
		return ','
	case strings.HasSuffix(form, "semicolons"):
		return ';'
	}
	return '\t'
}

// decode makes UTF-8 of what spreadsheets write.
func decode(raw []byte) (text, form, note string, err error) {
	var from encoding.Encoding
	switch {
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		return "", "", "", fault.New(fault.Invalid, "it is a workbook (.xlsx): save it as CSV first")
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}), bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		from, form = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "UTF-16"
	case len(raw) >= 4 && raw[1] == 0 && raw[3] == 0:
		from, form = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16"
	case len(raw) >= 4 && raw[0] == 0 && raw[2] == 0:
		from, form = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "UTF-16"
	case utf8.Valid(raw):
		form = "UTF-8"
	default:
		from, form = charmap.Windows1252, "Windows-1252"
		note = "it is not UTF-8 and was read as Windows-1252, as older versions of Excel write it: look whether names and options are right."
	}
	if from != nil {
		if raw, err = from.NewDecoder().Bytes(raw); err != nil {
			return "", "", "", fault.New(fault.Invalid, "it is neither UTF-8 nor UTF-16")
		}
	}
	text = strings.TrimPrefix(string(raw), "\ufeff")
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, form, note, nil
}

// separatorLine takes the line off with which Excel is told the delimiter: sep=;
func separatorLine(text string) (given rune, rest string, lines int) {
	first, after, _ := strings.Cut(text, "\n")
	first = strings.Trim(strings.TrimSuffix(first, "\r"), `"`)
	if value, is := strings.CutPrefix(strings.ToLower(first), "sep="); is {
		if d, known := delimiters[value]; known {
			return d, after, 1
		}
	}
	return 0, text, 0
}

// read takes a text apart, at most so many rows after the header; -1 is all. lines is how many came before it. A row with
// quotation marks in the wrong places is refused and the next line is tried: an opened one would swallow what follows.
func (t *table) read(text string, delimiter rune, most, lines int) {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	for from := 0; from < len(starts); { // a line
		next := -1
		r := csv.NewReader(strings.NewReader(text[starts[from]:]))
		r.Comma, r.FieldsPerRecord = delimiter, -1
		for {
			cells, err := r.Read()
			if err == io.EOF || most >= 0 && len(t.rows) > most || len(t.refused) >= maxRefused {
				return
			}
			if wrong, is := errors.AsType[*csv.ParseError](err); is {
				next = from + wrong.StartLine
				t.refuse(lines+next, "a quotation mark stands where none can: one within a cell is written twice, and the cell between two")
				break
			}
			at, _ := r.FieldPos(0)
			if !t.take(row{lines + from + at, cells}) {
				next = from + at
				break
			}
		}
		from = next
	}
}

func (t *table) refuse(line int, what string) {
	t.refused = append(t.refused, Refusal{t.name, line, "", what})
}

// take adds a row; false when it has more cells than the header, which a quotation mark in the wrong place makes.
func (t *table) take(r row) bool {
	last := len(r.cells)
	for last > 0 && tidy(r.cells[last-1]) == "" {
		last--
	}
	if last == 0 {
		return true // an empty row
	}
	if t.header == nil {
		for _, name := range r.cells[:last] {
			t.header = append(t.header, tidy(name))
		}
		t.width = len(t.header)
		if t.surveyMonkey() { // the options of a question stand under no name but for the first, also at the end
			t.width = len(r.cells)
		}
		return true
	}
	if last > t.width {
		t.refuse(r.line, fmt.Sprintf("there are %d cells, but %d columns", last, t.width))
		return false
	}
	t.rows = append(t.rows, r)
	return true
}

// found is how many of the wanted columns there are.
func (t *table) found(wanted []string) int {
	n := 0
	for _, name := range wanted {
		if name != "" {
			if _, err := t.column("", name); err == nil {
				n++
			}
		}
	}
	return n
}

// optional is column, and -1 for "".
func (t *table) optional(setting, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	return t.column(setting, name)
}

// column finds a column by its header, or of several with the same by the header and which: Comments [2].
func (t *table) column(setting, name string) (int, error) {
	name = tidy(name)
	var at []int
	for i, header := range t.header {
		if header == name {
			at = append(at, i)
		}
	}
	if len(at) == 1 {
		return at[0], nil
	}
	if len(at) > 1 {
		return 0, fault.New(fault.Invalid, "%s is %q, which %d columns of %s are called: write %q for the first, %q for the second", setting, name, len(at), t.name, name+" [1]", name+" [2]")
	}
	for i := range t.header {
		if name != "" && t.called(i) == name {
			return i, nil
		}
	}
	if near := t.like(name); near != "" {
		return 0, fault.New(fault.Invalid, "%s is %q, and %s has no such column; did you mean %q?", setting, name, t.name, near)
	}
	return 0, fault.New(fault.Invalid, "%s is %q, and %s has no such column; there are: %s", setting, name, t.name, strings.Join(t.names(), ", "))
}

// like is a header that is the same but for the case, or that the name begins.
func (t *table) like(name string) string {
	for i, header := range t.header {
		if strings.EqualFold(header, name) {
			return t.called(i)
		}
	}
	for i, header := range t.header {
		if name != "" && strings.HasPrefix(strings.ToLower(header), strings.ToLower(name)) {
			return t.called(i)
		}
	}
	return ""
}

// called is how a mapping refers to a column.
func (t *table) called(column int) string {
	name, which, all := t.header[column], 0, 0
	for i, header := range t.header {
		if header == name {
			all++
			if i <= column {
				which++
			}
		}
	}
	if all > 1 {
		return fmt.Sprintf("%s [%d]", name, which)
	}
	return name
}

func (t *table) names() []string {
	var names []string
	for i := range t.header {
		names = append(names, fmt.Sprintf("%q", clip(t.called(i))))
	}
	return names
}

// content is what a row says, whatever the order of the columns and whichever were added later.
func (t *table) content(r row) string {
	type cell struct{ name, text string }
	var cells []cell
	which := map[string]int{}
	for i, name := range t.header {
		which[name]++
		if text := tidy(r.at(i)); text != "" {
			cells = append(cells, cell{fmt.Sprintf("%s [%d]", name, which[name]), text})
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.name, b.name) })
	var all strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&all, "%d:%s%d:%s", len(c.name), c.name, len(c.text), c.text)
	}
	return all.String()
}
