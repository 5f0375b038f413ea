package ingest_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cairn/ingest"
	"cairn/internal/bot"
	"cairn/internal/event"
	"cairn/internal/store"
)

// tables says where each kind is stored, and which columns have another name than the event's field.
var tables = map[string]struct {
	name    string
	renamed map[string]string
}{
	event.KindRepository:          {"repositories", nil},
	event.KindBranch:              {"branches", map[string]string{"default": "is_default"}},
	event.KindCommit:              {"commits", nil},
	event.KindChangeRequest:       {"change_requests", nil},
	event.KindPipelineRun:         {"pipeline_runs", nil},
	event.KindArtifact:            {"artifacts", map[string]string{"version": "version_name"}},
	event.KindTeam:                {"teams", nil},
	event.KindPerson:              {"people", nil},
	event.KindMembership:          {"memberships", map[string]string{"from": "valid_from", "to": "valid_to"}},
	event.KindService:             {"services", nil},
	event.KindOwnership:           {"ownership", map[string]string{"from": "valid_from", "to": "valid_to"}},
	event.KindDeployment:          {"deployments", map[string]string{"version": "version_name"}},
	event.KindIncident:            {"incidents", nil},
	event.KindProvisioningRequest: {"provisioning_requests", nil},
	event.KindCapabilityUse:       {"capability_uses", nil},
	event.KindCapabilityExemption: {"capability_exemptions", nil},
	event.KindSurvey:              {"surveys", nil},
	event.KindSurveyInvitation:    {"survey_invitations", map[string]string{"group": "group_id"}},
	event.KindSurveyResponse:      {"survey_responses", nil},
	event.KindSLO:                 {"slos", nil},
}

// withSource are the kinds whose ids are only unique within their source.
var withSource = map[string]bool{event.KindPipelineRun: true, event.KindDeployment: true, event.KindIncident: true, event.KindProvisioningRequest: true}

// stored returns the rows of a kind's table as a reader sees them, each as the engine's JSON.
func stored(t testing.TB, st *store.Store, kind string) []map[string]any {
	t.Helper()
	ctx := context.Background()
	var columns []struct {
		Name string `ch:"name"`
	}
	table := tables[kind].name
	if err := st.Select(ctx, &columns, "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} ORDER BY position",
		store.Params{"table": table}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range columns {
		if c.Name != "ingested_at" {
			names = append(names, c.Name)
		}
	}
	rows, err := st.Query(ctx, fmt.Sprintf(`SELECT toJSONString(tuple(%s)) FROM %s FINAL
		SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_decimals = 0, date_time_output_format = 'iso',
		output_format_json_named_tuples_as_objects = 1`, strings.Join(names, ", "), table), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []map[string]any
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		row := parse(t, text)
		if values, ok := row.([]any); ok { // names that are no identifiers of their own come back as a list
			named := make(map[string]any)
			for i, name := range names {
				named[name] = values[i]
			}
			row = named
		}
		list = append(list, row.(map[string]any))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func parse(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// wanted is the row that the event should become, as far as it differs from zero values.
func wanted(t testing.TB, e event.Event, salt []byte) map[string]any {
	t.Helper()
	row := parse(t, string(event.AppendJSON(nil, e))).(map[string]any)
	delete(row, "type")
	for from, to := range tables[e.Kind()].renamed {
		if value, ok := row[from]; ok {
			row[to] = value
			delete(row, from)
		}
	}
	row["version"] = json.Number(fmt.Sprint(event.Version(e)))
	row["updated_at"] = event.ToldAt(e).Format(time.RFC3339Nano)
	hide := func(respondent string) string {
		h := hmac.New(sha256.New, salt)
		h.Write([]byte(respondent))
		return hex.EncodeToString(h.Sum(nil))
	}
	switch e := e.(type) {
	case *event.Commit:
		row["paths_known"] = e.Paths != nil
		row["bot"] = e.Bot || bot.Is(e.Author)
	case *event.PipelineRun:
		row["attempt"] = json.Number(fmt.Sprint(max(e.Attempt, 1)))
	case *event.Deployment:
		row["attempt"] = json.Number(fmt.Sprint(max(e.Attempt, 1)))
		if e.Tier == "" {
			row["tier"] = ingest.TierOf(e.Environment)
		}
		for i, r := range e.Revisions {
			if r.Role == "" {
				row["revisions"].([]any)[i].(map[string]any)["role"] = "source"
			}
			if r.Rule == "" {
				row["revisions"].([]any)[i].(map[string]any)["rule"] = "commit"
			}
		}
	case *event.Service:
		if e.Lifecycle == "" {
			row["lifecycle"] = "production"
		}
	case *event.Ownership:
		if e.From.IsZero() {
			row["valid_from"] = "1970-01-01T00:00:00Z"
		}
	case *event.Membership:
		if e.From.IsZero() {
			row["valid_from"] = "1970-01-01T00:00:00Z"
		}
	case *event.SurveyInvitation:
		hidden := *e
		hidden.Respondent = hide(e.Respondent)
		row["respondent"] = hidden.Respondent
		row["version"] = json.Number(fmt.Sprint(event.Version(&hidden)))
	case *event.SurveyResponse:
		hidden := *e
		hidden.Respondent = hide(e.Respondent)
		row["respondent"] = hidden.Respondent
		row["version"] = json.Number(fmt.Sprint(event.Version(&hidden)))
		for i, a := range e.Answers {
			row["answers"].([]any)[i].(map[string]any)["options_given"] = a.Options != nil
		}
	}
	return row
}

// same says whether the engine's JSON is what was wanted. What is absent is NULL, empty, 0 or false.
func same(want, got any) bool {
	switch got := got.(type) {
	case nil:
		return want == nil
	case bool:
		return want == got || want == nil && !got
	case json.Number:
		if want == nil {
			return got == "0"
		}
		w, ok := want.(json.Number)
		return ok && w == got
	case string:
		if want == nil {
			return got == ""
		}
		if a, err := time.Parse(time.RFC3339Nano, got); err == nil {
			b, err := time.Parse(time.RFC3339Nano, want.(string))
			return err == nil && a.Equal(b)
		}
		return want == got
	case []any:
		list, _ := want.([]any)
		if len(list) != len(got) {
			return false
		}
		for i := range got {
			if !same(list[i], got[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		object, _ := want.(map[string]any)
		for name := range object {
			if _, ok := got[name]; !ok {
				return false
			}
		}
		for name := range got {
			if !same(object[name], got[name]) {
				return false
			}
		}
		return true
	}
	return false
}

// identity is the key of a row's fact.
func identity(kind string, row map[string]any) string {
	keys := map[string][]string{
		event.KindRepository: {"id"}, event.KindBranch: {"repository", "name"}, event.KindCommit: {"repository", "sha"},
		event.KindChangeRequest: {"repository", "id"}, event.KindPipelineRun: {"repository", "id", "attempt"},
		event.KindArtifact: {"id"}, event.KindTeam: {"id"}, event.KindPerson: {"id"}, event.KindMembership: {"person", "team", "valid_from"},
		event.KindService: {"id"}, event.KindOwnership: {"service", "team", "valid_from"},
		event.KindDeployment: {"service", "id", "attempt"}, event.KindIncident: {"id"}, event.KindProvisioningRequest: {"id"},
		event.KindCapabilityUse: {"service", "capability", "observed_at"}, event.KindCapabilityExemption: {"service", "capability", "exemption", "approved_at"},
		event.KindSurvey: {"id"}, event.KindSurveyInvitation: {"survey", "respondent"}, event.KindSurveyResponse: {"survey", "respondent", "submitted_at"},
		event.KindSLO: {"id", "measured_at"},
	}[kind]
	if withSource[kind] {
		keys = append(keys, "source")
	}
	var parts []string
	for _, key := range keys {
		value := ""
		if row[key] != nil {
			value = fmt.Sprint(row[key])
		}
		if instant, err := time.Parse(time.RFC3339Nano, value); err == nil && strings.HasSuffix(key, "_at") || key == "valid_from" {
			value = fmt.Sprint(instant.UnixMilli())
		}
		parts = append(parts, value)
	}
	return fmt.Sprintf("%q", parts)
}

// storedSalt is the salt of the respondents, nil when there is none yet.
func storedSalt(t testing.TB, st *store.Store) []byte {
	t.Helper()
	var list []struct {
		Value string `ch:"value"`
	}
	if err := st.Select(context.Background(), &list, "SELECT value FROM installation ORDER BY version DESC", nil); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return nil
	}
	salt, err := hex.DecodeString(list[0].Value)
	if err != nil || len(salt) != 32 {
		t.Fatalf("the salt is %q", list[0].Value)
	}
	return salt
}
