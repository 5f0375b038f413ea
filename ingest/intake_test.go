package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/event/eventtest"
	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

func newIntake(t testing.TB, st *store.Store) *ingest.Intake {
	t.Helper()
	i, err := ingest.New(ingest.DefaultConfig(), st)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func write(t testing.TB, i *ingest.Intake, events ...event.Event) {
	t.Helper()
	var b event.Batch
	b.Append(events...)
	if err := i.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, st *store.Store, from string) (n uint64) {
	t.Helper()
	if err := st.QueryRow(context.Background(), "SELECT count() FROM "+from, nil).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func at(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }

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

// stored returns the rows of a kind's table, each as the engine's JSON.
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

func TestDump(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	for _, kind := range event.Kinds() {
		write(t, i, eventtest.Of(kind).Example(7))
		t.Log(kind, stored(t, st, kind))
	}
	_ = rapid.Bool
	_ = cmp.Diff("", "")
	_ = errors.New
	_ = slices.Sort[[]int]
	var _ sync.Mutex
	_ = fault.Invalid
}
