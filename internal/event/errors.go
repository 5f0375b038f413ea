package event

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxErrors is how many errors one reading reports before it stops.
const MaxErrors = 100

// maxShown is how many characters of an offending value a message shows.
const maxShown = 80

// Error is one thing that is wrong with one event.
type Error struct {
	Line     int    `json:"line,omitempty"`   // line of the input, from 1; 0 when the event was not read from text
	Column   int    `json:"column,omitempty"` // byte of the line, from 1; only where the text is not JSON
	Index    *int   `json:"index,omitempty"`  // element of the array, from 0; nil when the input is no array
	Type     string `json:"type,omitempty"`   // kind of the event, when it is known
	Field    string `json:"field"`            // JSON pointer into the event; empty for the event itself
	Value    string `json:"value,omitempty"`  // what stands there, as JSON, shortened; empty when nothing does
	Expected string `json:"expected"`         // what should stand there
}

// Error says where, what was found and what was expected.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ", column %d", e.Column)
		}
		if e.Index != nil {
			fmt.Fprintf(&b, ", element %d", *e.Index)
		}
		b.WriteString(": ")
	}
	if e.Type != "" || e.Field != "" {
		b.WriteString(strings.TrimSpace(e.Type + " " + e.Field))
		b.WriteString(": ")
	}
	if e.Value != "" {
		fmt.Fprintf(&b, "got %s, ", e.Value)
	}
	b.WriteString("expected ")
	b.WriteString(e.Expected)
	return b.String()
}

// Errors is everything that was found wrong with an input, in the order of the input, at most MaxErrors.
type Errors struct {
	List []Error
	// Stopped says that reading ended at the last error, so that there may be more: the limit was reached, or the
	// text could not be followed any further.
	Stopped bool
}

// Error lists the errors, one a line.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List), len(e.List)+1)
	for i := range e.List {
		lines[i] = e.List[i].Error()
	}
	if e.Stopped {
		lines = append(lines, "nothing behind this was read")
	}
	return strings.Join(lines, "\n")
}

// TooManyError says that an input holds more events than one reading may take.
type TooManyError struct{ Limit int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d events", e.Limit)
}

// shorten cuts a JSON text to what a message can show.
func shorten(raw []byte) string {
	s := string(raw[:min(len(raw), maxShown*utf8.UTFMax)])
	n := 0
	for i := range s {
		if n++; n > maxShown {
			return s[:i] + "…"
		}
	}
	if len(s) < len(raw) {
		return s + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// didYouMean names the candidate that word is a likely slip of, as the end of a message; it is empty when there is
// none.
func didYouMean(word string, candidates []string) string {
	best, nearest := "", len(word)/3+2
	for _, c := range candidates {
		if d := editDistance(word, c); d < nearest || d == nearest && best == "" && d <= 2 {
			best, nearest = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal
// string alignment), after folding case and punctuation. Long words are not compared: their distance is their length.
func editDistance(a, b string) int {
	a, b = fold(a), fold(b)
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	var rows [3][65]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// fold makes finishedAt, finished-at and finished_at one word.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '_', '-', ' ', '.':
			return -1
		}
		return r
	}, strings.ToLower(s))
}
