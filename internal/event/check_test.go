package event_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/event"
)

func TestFieldsThatContradictOneAnother(t *testing.T) {
	deployment := func(rest string) string {
		return `{"type":"deployment","service":"shop","id":"d1","environment":"prod",` + rest + `}`
	}
	for name, tt := range map[string]struct{ input, field, expected string }{
		"commit that is its own parent": {
			`{"type":"commit","repository":"r","sha":"c1","parents":["c0","c1"],"authored_at":"2026-01-01T00:00:00Z","committed_at":"2026-01-01T00:00:00Z"}`,
			"/parents/1", "other than itself"},
		"pipeline run that ends before it starts": {
			`{"type":"pipeline_run","repository":"r","id":"1","status":"failed","started_at":"2026-01-02T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"}`,
			"/finished_at", "not before started_at, which is 2026-01-02T00:00:00Z"},
		"succeeded and not finished": {deployment(`"status":"succeeded"`), "/finished_at", "a deployment that succeeded is finished"},
		"failed and not finished":    {deployment(`"status":"failed"`), "/finished_at", "a deployment that failed is finished"},
		"deployment that ends before it starts": {
			deployment(`"status":"succeeded","started_at":"2026-01-02T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"`), "/finished_at", "not before started_at"},
		"one repository twice": {
			deployment(`"status":"pending","revisions":[{"repository":"r","sha":"a"},{"repository":"r","sha":"b","role":"source"}]`), "/revisions/1/repository", "each repository once"},
		"deployment that repairs itself": {deployment(`"status":"pending","remediates":["d0","d1"]`), "/remediates/1", "other than itself"},
		"ownership that ends as it begins": {
			`{"type":"ownership","service":"s","team":"t","from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}`, "/to", "after from, which is 2026-01-01T00:00:00Z"},
		"membership that ends before it begins": {
			`{"type":"membership","person":"p","team":"t","from":"2026-01-01T00:00:00Z","to":"2025-01-01T00:00:00Z"}`, "/to", "after from"},
		"team above itself": {`{"type":"team","id":"t","parent":"t"}`, "/parent", "other than itself"},
		"exemption that expires before it holds": {
			`{"type":"capability_exemption","service":"s","capability":"docs","exemption":"escape_hatch","approved_at":"2026-01-02T00:00:00Z","expires_at":"2026-01-01T00:00:00Z"}`,
			"/expires_at", "not before approved_at"},
		"survey that closes as it opens": {
			`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-01T00:00:00Z","questions":[]}`, "/closes_at", "after opens_at"},
		"question twice": {
			`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-02T00:00:00Z","questions":[{"id":"q","type":"text"},{"id":"q","type":"text"}]}`,
			"/questions/1/id", "each question once"},
		"group twice": {
			`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-02T00:00:00Z","questions":[],"groups":[{"id":"g"},{"id":"g"}]}`,
			"/groups/1/id", "each group once"},
		"group above itself": {
			`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-02T00:00:00Z","questions":[],"groups":[{"id":"g","parent":"g"}]}`,
			"/groups/0/parent", "a tree"},
		"groups in a ring": {
			`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-02T00:00:00Z","questions":[],"groups":[{"id":"a"},{"id":"b","parent":"d"},{"id":"c","parent":"b"},{"id":"d","parent":"c"}]}`,
			"/groups/1/parent", "a tree"},
		"question answered twice": {
			`{"type":"survey_response","survey":"s","respondent":"r","submitted_at":"2026-01-01T00:00:00Z","answers":[{"question":"q","score":1},{"question":"q","score":2}]}`,
			"/answers/1/question", "each question once"},
		"more good than all": {
			`{"type":"slo","id":"s","measured_at":"2026-01-01T00:00:00Z","service":"s","target":0.9,"good":3,"total":2}`, "/good", "at most total, which is 2"},
		"target that rounds to 1": {
			`{"type":"slo","id":"s","measured_at":"2026-01-01T00:00:00Z","service":"s","target":0.9999999999999,"good":1,"total":2}`, "/target", "12 digits"},
		"target that rounds to 0": {
			`{"type":"slo","id":"s","measured_at":"2026-01-01T00:00:00Z","service":"s","target":1e-13,"good":1,"total":2}`, "/target", "12 digits"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(t, tt.input)
			var bad *event.Errors
			if !errors.As(err, &bad) || len(bad.List) != 1 {
				t.Fatalf("got %v, want one error", err)
			}
			if got := bad.List[0]; got.Field != tt.field || !strings.Contains(got.Expected, tt.expected) {
				t.Errorf("got %v, want %s: %s", err, tt.field, tt.expected)
			}
		})
	}
}

// What clocks that disagree or half-known facts bring is accepted: the numbers deal with it.
func TestFieldsThatOnlySeemToContradict(t *testing.T) {
	for _, input := range []string{
		`{"type":"change_request","repository":"r","id":"1","created_at":"2026-01-02T00:00:00Z","merged_at":"2026-01-01T00:00:00Z"}`,
		`{"type":"incident","id":"1","started_at":"2026-01-02T00:00:00Z","restored_at":"2026-01-01T00:00:00Z"}`,
		`{"type":"commit","repository":"r","sha":"1","authored_at":"2027-01-02T00:00:00Z","committed_at":"2026-01-01T00:00:00Z"}`,
		`{"type":"deployment","service":"s","id":"1","environment":"e","status":"succeeded","started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"}`,
		`{"type":"deployment","service":"s","id":"1","environment":"e","status":"cancelled","revisions":[{"repository":"r","sha":"a"},{"repository":"r","sha":"b","role":"config"}]}`,
		`{"type":"pipeline_run","repository":"r","id":"1","status":"succeeded"}`,
		`{"type":"ownership","service":"s","team":"t"}`,
		`{"type":"ownership","service":"s","team":"t","to":"2026-01-01T00:00:00Z"}`,
		`{"type":"survey","id":"s","opens_at":"2026-01-01T00:00:00Z","closes_at":"2026-01-02T00:00:00Z","questions":[],"groups":[{"id":"b","parent":"a"},{"id":"a"},{"id":"c","parent":"elsewhere"}]}`,
		`{"type":"slo","id":"s","measured_at":"2026-01-01T00:00:00Z","service":"s","target":1,"good":0,"total":0}`,
		`{"type":"slo","id":"s","measured_at":"2026-01-01T00:00:00Z","service":"s","target":0.9990000000000001,"good":0.0,"total":1e3}`,
	} {
		if _, err := decode(t, input); err != nil {
			t.Errorf("%s: %v", input, err)
		}
	}
}

func TestBoundsOfFields(t *testing.T) {
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`"a",`, n), ",") + "]" }
	for _, tt := range []struct {
		field string
		good  []string
		bad   []string
	}{
		{"person/name", []string{`""`, `"` + strings.Repeat("é", 4096) + `"`}, []string{`"` + strings.Repeat("é", 4097) + `"`, "true", "{}"}},
		{"person/aliases", []string{list(0), list(10000)}, []string{list(10001), `["` + strings.Repeat("a", 4097) + `"]`, `"a"`, "{}"}},
		{"person/bot", []string{"true", "false"}, []string{`"true"`, "0", `""`}},
		{"person/first_day", []string{`"2026-02-28"`, `""`}, []string{`"2026-02-29"`, `"2026-02-28T00:00:00Z"`, `"1969-12-31"`, `"2026-2-3"`}},
		{"team/time_zone", []string{`"UTC"`, `"America/New_York"`}, []string{`"Local"`, `"Berlin"`, `"CEST+2"`, `"../etc/passwd"`}},
		{"team/created_at", []string{`"2026-01-01T00:00:00Z"`}, []string{`""`, `"2026-01-01"`, "1767225600"}},
		{"service/lifecycle", []string{`"production"`}, []string{`""`, `"Production"`, `"live"`}},
		{"service/repositories", []string{`[]`, `[{"repository":"r","paths":[]}]`}, []string{`[null]`, `[{}]`, `[[]]`, `{"repository":"r"}`}},
	} {
		kind, name, _ := strings.Cut(tt.field, "/")
		for want, values := range map[bool][]string{true: tt.good, false: tt.bad} {
			for _, value := range values {
				_, err := decode(t, fmt.Sprintf(`{"type":%q,"id":"x",%q:%s}`, kind, name, value))
				if (err == nil) != want {
					t.Errorf("%s = %.60s: got %v", tt.field, value, err)
				}
				if err != nil && !strings.Contains(err.Error(), name) {
					t.Errorf("%s = %.60s: the message does not name the field: %v", tt.field, value, err)
				}
			}
		}
	}
}

func TestValidateSaysWhatTheDecoderSays(t *testing.T) {
	for _, tt := range []struct {
		e    event.Event
		want []string
	}{
		{&event.Person{}, []string{"/id"}},
		{&event.Person{ID: "a\xff", Aliases: []string{"", "b\xff"}, FirstDay: "tomorrow"}, []string{"/id", "/aliases/0", "/aliases/1", "/first_day"}},
		{&event.Deployment{Service: "s", ID: "1", Environment: "e", Status: "done", Attempt: -1, Revisions: []event.Revision{{SHA: "a"}}},
			[]string{"/attempt", "/status", "/revisions/0/repository"}},
		{&event.Deployment{Service: "s", ID: "1", Environment: "e", Status: "failed"}, []string{"/finished_at"}},
		{&event.Branch{Repository: "r", Name: "n", SHA: "s", DeletedAt: time.Unix(-1, 0)}, []string{"/deleted_at"}},
		{&event.SLO{ID: "s", Service: "s", MeasuredAt: time.Unix(0, 0), Good: -1}, []string{"/target", "/good"}},
		{&event.SurveyResponse{Survey: "s", Respondent: "r", SubmittedAt: time.Unix(0, 0), Answers: []event.SurveyAnswer{
			{Question: "q", Score: new(int64(11)), Severity: map[string]int64{"slow": 9}}}}, []string{"/answers/0/score", "/answers/0/severity"}},
	} {
		var got []string
		if err := event.Validate(tt.e); err != nil {
			for _, e := range err.List {
				got = append(got, e.Field)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", reflect.TypeOf(tt.e), diff)
		}
	}
}
