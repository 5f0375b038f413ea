package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"cairn/metrics"

	"github.com/google/go-cmp/cmp"
)

// Who has an answer is told that it has not changed, until it has. The instant of asking is no change.
func TestAnswersAreTagged(t *testing.T) {
	h := server(t) // its clock runs
	fact := func(id string) {
		t.Helper()
		body := `{"type":"deployment","service":"shop","id":"` + id + `","environment":"production","status":"succeeded","finished_at":"2026-01-02T00:00:00Z","version":"` + id + `"}`
		if w := send(t, h, "POST", "/api/v1/events", body); w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
	}
	fact("1")
	changing := []string{
		"/api/v1/metrics/deployment_count?from=2026-01-01&to=2026-02-01", "/api/v1/metrics/deployment_count/evidence?from=2026-01-01&to=2026-02-01",
		"/api/v1/metrics/deployment_count?from=2026-01-01&to=2026-02-01&format=csv", "/api/v1/deployments", "/api/v1/deployments?format=csv", "/api/v1/doctor",
	}
	staying := []string{"/api/v1/metrics", "/openapi.json", "/api/v1/events.schema.json", "/api/v1/teams"}
	tags := map[string]string{}
	for _, target := range append(changing, staying...) {
		first, second := send(t, h, "GET", target, ""), send(t, h, "GET", target, "")
		tag := first.Header().Get("ETag")
		if !strings.HasPrefix(tag, `W/"`) || second.Header().Get("ETag") != tag {
			t.Errorf("%s: got the tags %s and %s", target, tag, second.Header().Get("ETag"))
		}
		if got := first.Header().Get("Cache-Control") + " " + first.Header().Get("Vary"); got != "no-cache Accept" {
			t.Errorf("%s: got Cache-Control and Vary %s", target, got)
		}
		for _, known := range []string{tag, `"x", ` + tag, strings.TrimPrefix(tag, "W/"), "*"} {
			if w := send(t, h, "GET", target, "", "If-None-Match", known); w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
				t.Errorf("%s, If-None-Match %s: got %d, %d bytes, ETag %s", target, known, w.Code, w.Body.Len(), w.Header().Get("ETag"))
			}
		}
		if w := send(t, h, "GET", target, "", "If-None-Match", `"x"`); w.Code != http.StatusOK {
			t.Errorf("%s, another tag: got %d", target, w.Code)
		}
		if w := send(t, h, "HEAD", target, ""); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %s: got %d, %d bytes, %v", target, w.Code, w.Body.Len(), w.Header())
		}
		tags[target] = tag
	}
	fact("2")
	for _, target := range changing {
		if w := send(t, h, "GET", target, "", "If-None-Match", tags[target]); w.Code != http.StatusOK {
			t.Errorf("%s: after another deployment got %d", target, w.Code)
		}
	}
	if tags["/api/v1/deployments"] == tags["/api/v1/deployments?format=csv"] {
		t.Error("JSON and CSV have the same tag")
	}
	if w := send(t, h, "GET", "/api/v1/metrics/nothing", "", "If-None-Match", "*"); w.Code != http.StatusNotFound || w.Header().Get("ETag") != "" {
		t.Errorf("of nothing: got %d, ETag %q", w.Code, w.Header().Get("ETag"))
	}
}

// The form is what format says, else what Accept likes best, else JSON.
func TestTheFormIsWhatIsAskedFor(t *testing.T) {
	h := server(t)
	for _, c := range []struct {
		target, accept, want string
	}{
		{"/api/v1/metrics", "", "application/json"},
		{"/api/v1/metrics", "*/*", "application/json"},
		{"/api/v1/metrics", "text/html, */*;q=0.8", "application/json"},
		{"/api/v1/metrics", "image/png", "application/json"},
		{"/api/v1/metrics", "text/csv", "text/csv; charset=utf-8; header=present"},
		{"/api/v1/metrics", "TEXT/CSV ; q=0.5 , application/json;q=0.4", "text/csv; charset=utf-8; header=present"},
		{"/api/v1/metrics", "text/csv;q=0.5, application/json", "application/json"},
		{"/api/v1/metrics", "text/csv;q=0, */*", "application/json"},
		{"/api/v1/metrics", "text/*", "text/csv; charset=utf-8; header=present"},
		{"/api/v1/metrics?format=json", "text/csv", "application/json"},
		{"/api/v1/metrics?format=csv", "application/json", "text/csv; charset=utf-8; header=present"},
		{"/api/v1/doctor", "text/csv", "application/json"},
	} {
		w := send(t, h, "GET", c.target, "", "Accept", c.accept)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != c.want {
			t.Errorf("%s, Accept %q: got %d %q, want %q", c.target, c.accept, w.Code, got, c.want)
		}
	}
	if got := send(t, h, "GET", "/api/v1/metrics?format=csv", "").Header().Get("Content-Disposition"); got != `attachment; filename="metrics.csv"` {
		t.Errorf("got the file name %q", got)
	}
}

func readCSV(t *testing.T, h http.Handler, target string) [][]string {
	t.Helper()
	w := send(t, h, "GET", target, "", "Accept", "text/csv")
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	if n := bytes.Count(w.Body.Bytes(), []byte("\n")); n != bytes.Count(w.Body.Bytes(), []byte("\r\n")) {
		t.Errorf("%s: not every line ends with CR LF", target)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(target, err)
	}
	return rows
}

// A series has a row for each bucket, in full precision, with nothing where there is no data.
func TestSeriesAsCSV(t *testing.T) {
	h := small(t)
	header := strings.Fields("metric definition statistic scope group from to label value n low high partial time_zone unit")
	const definition = "lead_time.first_commit_to_first_target.v1"
	want := [][]string{
		header,
		{"lead_time", definition, "p50", "service:shop", "", "2026-01-01T00:00:00", "2026-02-01T00:00:00", "2026-01", "36", "2", "", "", "false", "UTC", "hours"},
		{"lead_time", definition, "p50", "service:shop", "", "2026-02-01T00:00:00", "2026-03-01T00:00:00", "2026-02", "24", "1", "", "", "false", "UTC", "hours"},
		{"lead_time", definition, "p50", "service:shop", "", "2026-03-01T00:00:00", "2026-04-01T00:00:00", "2026-03", "", "0", "", "", "true", "UTC", "hours"},
	}
	if diff := cmp.Diff(want, readCSV(t, h, "/api/v1/metrics/lead_time?service=webshop&from=2026-01-01&to=2026-04-01&bucket=month")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = [][]string{header, {"change_failure_rate", "change_failure_rate.failed_deployments.v1", "", "team:product", "", "2026-01-01T00:00:00", "2026-04-01T00:00:00", "", "0.5", "2", "0.09453120573423074", "0.9054687942657693", "true", "Europe/Berlin", "ratio"}}
	if diff := cmp.Diff(want, readCSV(t, h, "/api/v1/metrics/change_failure_rate?team=product&from=2026-01-01&to=2026-04-01&tz=Europe/Berlin")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = [][]string{
		header,
		{"survey_cells", "survey_cells.k_anonymous.v1", "", "organisation", "all", "2026-01-01T00:00:00", "2026-04-01T00:00:00", "", "0.6", "5", "", "", "true", "UTC", "ratio"},
		{"survey_cells", "survey_cells.k_anonymous.v1", "", "organisation", "checkout", "2026-01-01T00:00:00", "2026-04-01T00:00:00", "", "0.6", "5", "", "", "true", "UTC", "ratio"},
	}
	if diff := cmp.Diff(want, readCSV(t, h, "/api/v1/metrics/survey_cells?from=2026-01-01&to=2026-04-01")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An answer that is told apart has the rows of the whole first, then those of each service, with the service as their group.
func TestGroupsAsCSV(t *testing.T) {
	h := small(t)
	const call = "/api/v1/metrics/lead_time?from=2026-01-01&to=2026-04-01&bucket=month&group_by=service"
	var res metrics.Result
	if err := json.Unmarshal(send(t, h, "GET", call, "").Body.Bytes(), &res); err != nil || len(res.Groups) == 0 {
		t.Fatalf("got %d groups, %v", len(res.Groups), err)
	}
	rows := readCSV(t, h, call)[1:]
	if got, want := len(rows), len(res.Series)*(1+len(res.Groups)); got != want {
		t.Fatalf("got %d rows, want %d", got, want)
	}
	for i, row := range rows {
		group, p := "", metrics.Point{}
		if whole := len(res.Series); i < whole {
			p = res.Series[i]
		} else {
			g := res.Groups[i/whole-1]
			group, p = g.Key, g.Series[i%whole]
		}
		value := ""
		if v, ok := p.Value.(float64); ok {
			value = strconv.FormatFloat(v, 'g', -1, 64)
		}
		if row[4] != group || row[7] != p.Label || row[8] != value {
			t.Errorf("row %d: got group %q, label %q, value %q; want %q, %q, %q", i, row[4], row[7], row[8], group, p.Label, value)
		}
	}
}

// What is in a list as CSV is what is in it as JSON.
func TestListsAsCSV(t *testing.T) {
	h := small(t)
	for target, name := range map[string]string{
		"/api/v1/metrics": "metrics", "/api/v1/services": "services", "/api/v1/teams": "teams", "/api/v1/deployments?runs=true": "deployments", "/api/v1/changes": "changes",
		"/api/v1/changes?waiting=true": "changes", "/api/v1/incidents": "incidents", "/api/v1/metrics/lead_time/evidence?from=2026-01-01&to=2026-04-01": "items",
	} {
		var body map[string]any
		if err := json.Unmarshal(send(t, h, "GET", target, "").Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		list := body[name].([]any)
		rows := readCSV(t, h, target)
		if len(rows) != len(list)+1 || len(list) == 0 {
			t.Errorf("%s: got %d rows, want a header and %d", target, len(rows), len(list))
			continue
		}
		for i, record := range list {
			for k, column := range rows[0] {
				want, ok := record.(map[string]any)[column]
				text, isText := want.(string)
				if ok && isText && rows[i+1][k] != text {
					t.Errorf("%s, row %d, %s: got %q, want %q", target, i, column, rows[i+1][k], text)
				}
				if ok && want == nil && rows[i+1][k] != "" {
					t.Errorf("%s, row %d, %s: got %q, want nothing", target, i, column, rows[i+1][k])
				}
			}
		}
	}
}

// No cell is a formula to a spreadsheet, whatever was told; numbers stay numbers.
func TestCellsAreNoFormulas(t *testing.T) {
	h := server(t)
	names := []string{`=HYPERLINK("http://evil")`, "+1", "-1", "@SUM(A1)", "\tx", "a,\"b\"\nc"}
	var lines strings.Builder
	for _, name := range names {
		text, err := json.Marshal(map[string]string{"type": "team", "id": name, "name": name, "updated_at": "2026-01-01T00:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(text, '\n'))
	}
	if w := send(t, h, "POST", "/api/v1/events", lines.String()); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	got := map[string]bool{}
	for _, row := range readCSV(t, h, "/api/v1/teams")[1:] {
		got[row[0]], got[row[1]] = true, true
	}
	want := map[string]bool{}
	for _, name := range names[:5] {
		want["'"+name] = true
	}
	want[names[5]] = true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Page after page one gets the whole list, each page naming the next.
func TestPagesNameTheNext(t *testing.T) {
	h := small(t)
	for start, name := range map[string]string{
		"/api/v1/services?limit=2&retired=true": "services", "/api/v1/teams?limit=2": "teams", "/api/v1/deployments?limit=3&runs=true&from=2026-01-03&tz=Europe/Berlin": "deployments",
		"/api/v1/changes?limit=1": "changes", "/api/v1/incidents?limit=2": "incidents", "/api/v1/metrics/lead_time/evidence?limit=2&from=2026-01-01&to=2026-04-01": "items",
	} {
		whole := func(target string) (ids []any, next string) {
			w := send(t, h, "GET", target, "")
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusOK {
				t.Fatal(target, w.Body, err)
			}
			for _, r := range body[name].([]any) {
				ids = append(ids, r.(map[string]any)["id"])
			}
			next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
			return ids, next
		}
		all, next := whole(strings.NewReplacer("limit=1", "limit=99", "limit=2", "limit=99", "limit=3", "limit=99").Replace(start))
		if next != "" {
			t.Errorf("%s: a page with everything has a next", start)
		}
		var paged []any
		for target := start; target != ""; {
			var ids []any
			ids, target = whole(target)
			paged = append(paged, ids...)
		}
		if diff := cmp.Diff(all, paged); diff != "" || len(all) < 2 {
			t.Errorf("%s (-whole +paged):\n%s", start, diff)
		}
	}
}
