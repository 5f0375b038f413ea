package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"cairn/internal/fault"
)

// table is an answer in rows and columns. A cell is a text, a number, a bool, an instant, a list of texts or nil.
type table struct {
	name   string
	header []string
	rows   [][]any
}

// csv writes the table in the form of RFC 4180: a header, lines that end with CR LF, instants in UTC, numbers in full
// precision, nothing where nothing is known.
func (t table) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	lines := [][]string{t.header}
	for _, r := range t.rows {
		if len(r) != len(t.header) {
			return nil, fault.New(fault.Internal, "a row of %s has %d cells, its header %d", t.name, len(r), len(t.header))
		}
		line := make([]string, len(r))
		for i, v := range r {
			line[i] = cell(v)
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return harmless(v)
	case []string:
		return harmless(strings.Join(v, ";"))
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case *float64:
		if v == nil {
			return ""
		}
		return cell(*v)
	case *int64:
		if v == nil {
			return ""
		}
		return cell(*v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case *time.Time:
		if v == nil {
			return ""
		}
		return cell(*v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return harmless(string(text))
}

// harmless is a text that spreadsheets do not take for a formula: one that begins as formulas do gets an apostrophe in
// front. Whatever reads the file as text sees it, too.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
