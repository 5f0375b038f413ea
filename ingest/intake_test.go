package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestEveryKindIsStoredAndReadBack(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	for _, kind := range event.Kinds() {
		t.Run(kind, func(t *testing.T) {
			var events []event.Event
			for seed := range 150 {
				events = append(events, eventtest.Of(kind).Example(seed))
			}
			for part := range slices.Chunk(events, 40) {
				write(t, i, part...)
			}
			salt := storedSalt(t, st)
			want := make(map[string]event.Event) // by identity the one with the highest version
			for _, e := range events {
				key := identity(kind, wanted(t, e, salt))
				if other := want[key]; other == nil || event.Version(e) > event.Version(other) {
					want[key] = e
				}
			}
			if len(want) == len(events) && kind != event.KindSLO {
				t.Logf("no two of %d events tell the same fact", len(events))
			}
			rows := stored(t, st, kind)
			if len(rows) != len(want) {
				t.Errorf("got %d rows, want %d", len(rows), len(want))
			}
			for _, got := range rows {
				e := want[identity(kind, got)]
				if e == nil {
					t.Errorf("nobody told %v", got)
					continue
				}
				row := wanted(t, e, salt)
				for name := range got {
					if !same(row[name], got[name]) {
						t.Errorf("%s: got %#v, want %#v of %s", name, got[name], row[name], event.AppendJSON(nil, e))
					}
					delete(row, name)
				}
				if len(row) > 0 {
					t.Errorf("no column for %v", row)
				}
			}
		})
	}
}

func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	var events []event.Event
	for seed := range 300 {
		e := eventtest.Any().Example(seed)
		if kind := e.Kind(); kind != event.KindSurveyInvitation && kind != event.KindSurveyResponse { // each database has its own salt
			events = append(events, e)
		}
	}
	told := func(tell func(i *ingest.Intake)) map[string][]map[string]any {
		st := storetest.New(t)
		tell(newIntake(t, st))
		all := make(map[string][]map[string]any)
		for _, kind := range event.Kinds() {
			rows := stored(t, st, kind)
			slices.SortFunc(rows, func(a, b map[string]any) int { return strings.Compare(identity(kind, a), identity(kind, b)) })
			all[kind] = rows
		}
		return all
	}
	want := told(func(i *ingest.Intake) { write(t, i, events...) })
	for name, tell := range map[string]func(i *ingest.Intake){
		"twice": func(i *ingest.Intake) {
			write(t, i, events...)
			write(t, i, events...)
		},
		"backwards, in pieces": func(i *ingest.Intake) {
			backwards := slices.Clone(events)
			slices.Reverse(backwards)
			for part := range slices.Chunk(backwards, 37) {
				write(t, i, part...)
			}
		},
		"each twice in one piece": func(i *ingest.Intake) { write(t, i, slices.Concat(events, events)...) },
	} {
		if diff := cmp.Diff(want, told(tell)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAnOlderTellingThatArrivesLateChangesNothing(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	finished := event.Deployment{Service: "shop", ID: "d1", Environment: "prod", Status: "succeeded", StartedAt: at(1), FinishedAt: at(2)}
	started := event.Deployment{Service: "shop", ID: "d1", Environment: "prod", Status: "in_progress", StartedAt: at(1)}
	for _, e := range []event.Event{&started, &finished, &started, &finished, &started} {
		write(t, i, e)
	}
	var rows []struct {
		Status string `ch:"status"`
		Tier   string `ch:"tier"`
	}
	if err := st.Select(context.Background(), &rows, "SELECT status, tier FROM deployments FINAL", nil); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Status != "succeeded" || rows[0].Tier != "production" {
		t.Errorf("got %+v", rows)
	}
}

func TestOneBadEventRefusesTheBatch(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	var b event.Batch
	b.Append(&event.Person{ID: "ada"}, &event.Team{ID: "t"}, &event.Person{})
	err := i.Write(context.Background(), &b)
	if bad, ok := errors.AsType[*event.Errors](err); !ok || len(bad.List) != 1 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
	if n := count(t, st, "people") + count(t, st, "teams"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
}

func TestManySmallWritesMakeFewInserts(t *testing.T) {
	st := storetest.New(t)
	i := newIntake(t, st)
	const writes = 400
	var all sync.WaitGroup
	for n := range writes {
		all.Go(func() {
			write(t, i, &event.Commit{Repository: "r", SHA: fmt.Sprint(n), AuthoredAt: at(1), CommittedAt: at(1)})
		})
	}
	all.Wait()
	if n := count(t, st, "commits"); n != writes {
		t.Errorf("got %d rows, want %d", n, writes)
	}
	var inserts uint64 // all rows of one insert have the same ingested_at
	if err := st.QueryRow(context.Background(), "SELECT uniqExact(ingested_at) FROM commits", nil).Scan(&inserts); err != nil {
		t.Fatal(err)
	}
	if inserts > writes/4 {
		t.Errorf("%d writes at the same time made %d inserts", writes, inserts)
	}
}

func TestWhoWantsToKnowIsTold(t *testing.T) {
	i := newIntake(t, storetest.New(t))
	var got []map[string]int
	i.Touched = func(counts map[string]int) { got = append(got, counts) }
	write(t, i, &event.Person{ID: "ada"}, &event.Team{ID: "t"}, &event.Person{ID: "eve"})
	write(t, i)
	if err := i.Write(context.Background(), &event.Batch{People: []event.Person{{}}}); err == nil {
		t.Error("a person without id was taken")
	}
	if diff := cmp.Diff([]map[string]int{{"person": 2, "team": 1}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheCallersEventsStayAsTheyAre(t *testing.T) {
	i := newIntake(t, storetest.New(t))
	b := event.Batch{
		SurveyInvitations: []event.SurveyInvitation{{Survey: "s", Respondent: "ada"}},
		Deployments:       []event.Deployment{{Service: "s", ID: "1", Environment: "prod", Status: "pending"}},
	}
	for range 2 {
		if err := i.Write(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	}
	if b.SurveyInvitations[0].Respondent != "ada" || b.Deployments[0].Attempt != 0 || b.Deployments[0].Tier != "" {
		t.Errorf("got %+v", b)
	}
}

func TestRespondentsAreHashedWithOneSaltOfTheInstallation(t *testing.T) {
	st := storetest.New(t)
	var all sync.WaitGroup
	for n := range 4 { // processes that start at once
		all.Go(func() {
			write(t, newIntake(t, st), &event.SurveyInvitation{Survey: fmt.Sprint("s", n), Respondent: "ada@example.org"})
		})
	}
	all.Wait()
	write(t, newIntake(t, st), &event.SurveyResponse{Survey: "s0", Respondent: "ada@example.org", SubmittedAt: at(1), Answers: []event.SurveyAnswer{{Question: "q"}}})
	var hashes []struct {
		Respondent string `ch:"respondent"`
	}
	if err := st.Select(context.Background(), &hashes,
		"SELECT DISTINCT respondent FROM (SELECT respondent FROM survey_invitations UNION ALL SELECT respondent FROM survey_responses)", nil); err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 1 || len(hashes[0].Respondent) != 64 {
		t.Errorf("got %v", hashes)
	}
	if err := st.Exec(context.Background(), "OPTIMIZE TABLE installation FINAL", nil); err != nil {
		t.Fatal(err)
	}
	write(t, newIntake(t, st), &event.SurveyInvitation{Survey: "later", Respondent: "ada@example.org"})
	if n := count(t, st, "survey_invitations WHERE respondent = (SELECT respondent FROM survey_responses)"); n != 5 {
		t.Errorf("after a merge of the salts %d of 5 invitations have the same respondent", n)
	}
}

func TestLimitsMustBePositive(t *testing.T) {
	cfg := ingest.DefaultConfig()
	cfg.MaxEvents = 0
	if _, err := ingest.New(cfg, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}
