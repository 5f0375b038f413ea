package api

import (
	"strings"
	"testing"
)

// Whatever stands in Accept and in cells, a choice is made and no cell is a formula.
func FuzzAcceptAndCells(f *testing.F) {
	f.Add("text/csv;q=0.5, */*;q=1", "=1+1")
	f.Add(";;,;q=,q=NaN", "\t@")
	f.Add("text/csv;q=NaN", "")
	f.Fuzz(func(t *testing.T, accepted, text string) {
		if csv, json := quality(accepted, mediaCSV), quality(accepted, mediaJSON); csv > json && accepted == "" {
			t.Error("nothing asks for CSV")
		}
		got := cell(text)
		if strings.IndexAny(got, "=+-@\t\r") == 0 {
			t.Errorf("%q became %q, which a spreadsheet takes for a formula", text, got)
		}
		if strings.TrimPrefix(got, "'") != text && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
