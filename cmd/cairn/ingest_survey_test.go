package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn/metrics"
)

const surveyMapping = `id: 2026Q1
opens: 2026-03-01
closes: 2026-03-15
submitted: Timestamp
respondent: Email
group: Team
invited: {groups: {checkout: 10, search: 6}}
questions:
  - {column: Satisfied, id: csat, type: csat_1_5}
  - {column: Pain, id: pain, type: multi_select, separator: ", "}
`

// surveyExport is an export of the first n answers: the scores 5, 4, 3, 2, 1 in turn, the teams checkout and search in turn.
func surveyExport(n int) string {
	var b strings.Builder
	b.WriteString("Timestamp,Email,Satisfied,Pain,Team\n")
	for i := range n {
		fmt.Fprintf(&b, "2026-03-02 10:%02d:00,person%d@example.org,%d,\"Builds, Docs\",%s\n", i, i, 5-i%5, []string{"checkout", "search"}[i%2])
	}
	return b.String()
}

// From an export to the numbers: tried, stored, stored again, and a longer export later.
func TestASurveyFromItsExportToItsNumbers(t *testing.T) {
	dir := folder(t)
	write(t, dir, "a.csv", surveyExport(10))
	if text := must(t, dir, "ingest", "survey", "a.csv"); !strings.Contains(text, `submitted: "Timestamp"`) {
		t.Errorf("the proposal is\n%s", text)
	}
	mapping := write(t, dir, "survey.yaml", surveyMapping)
	if text := must(t, dir, "ingest", "survey", "a.csv", "--mapping", "survey.yaml", "--dry-run"); !strings.Contains(text, "10 of 10 rows") || !strings.Contains(text, "Nothing is stored") {
		t.Errorf("the dry run says\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a dry run made a data folder")
	}
	march := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	ask := func(metric string, more ...string) metrics.Result {
		return ask1(t, dir, append(append([]string{metric}, march...), more...)...)
	}
	for range 2 {
		must(t, dir, "ingest", "survey", "a.csv", "--mapping", "survey.yaml")
		// 5, 4, 3, 2, 1, 5, 4, 3, 2, 1: four of ten are 4 or 5. 10 of 16 answered.
		if r := ask("csat"); r.Value != 0.4 || r.N != 10.0 {
			t.Errorf("csat is %v of %v, want 0.4 of 10", r.Value, r.N)
		}
		if r := ask("survey_response_rate"); r.Value != 0.625 {
			t.Errorf("the response rate is %v, want 10 of 16", r.Value)
		}
	}
	write(t, dir, "b.csv", surveyExport(12))
	earlier := time.Now().Add(-time.Hour) // as when somebody else has a copy of the mapping
	if err := os.Chtimes(mapping, earlier, earlier); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "ingest", "survey", "b.csv", "--mapping", "survey.yaml")
	if r := ask("survey_response_rate"); r.Value != 0.75 {
		t.Errorf("with two more answers the response rate is %v, want 12 of 16", r.Value)
	}
	if r := ask("survey_response_rate", "--team", "search"); r.Value != 1.0 {
		t.Errorf("the response rate of search is %v, want 6 of 6", r.Value)
	}
	// One row that cannot be read is named, and the others are stored.
	write(t, dir, "c.csv", surveyExport(12)+"2026-03-03 10:00:00,secret@example.org,very,,checkout\n2026-03-03 10:00:00,last@example.org,5,,checkout\n")
	r := cairn(t, dir, "ingest", "survey", "c.csv", "--mapping", "survey.yaml")
	if r.code != 2 || !strings.Contains(r.stdout, `c.csv, line 14, column "Satisfied"`) || !strings.Contains(r.stderr, "1 row could not be read; the others are stored") || strings.Contains(r.stdout+r.stderr, "secret") {
		t.Errorf("got %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if r := ask("csat"); r.N != 13.0 {
		t.Errorf("csat is of %v, want 13", r.N)
	}
	for _, args := range [][]string{{"ingest", "survey"}, {"ingest", "survey", "none.csv"}, {"ingest", "survey", "a.csv", "--mapping", "a.csv"}} {
		if r := cairn(t, dir, args...); r.code == 0 || r.stderr == "" || strings.Contains(r.stderr, "goroutine") {
			t.Errorf("%v: got %d, %s", args, r.code, r.stderr)
		}
	}
}
