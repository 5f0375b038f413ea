package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

// The rows of nested columns, as callers declare them.
type (
	revision struct {
		Repository  string `ch:"repository"`
		SHA         string `ch:"sha"`
		PreviousSHA string `ch:"previous_sha"`
		Role        string `ch:"role"`
		Rule        string `ch:"rule"`
	}
	answer struct {
		Question     string           `ch:"question"`
		Score        *int64           `ch:"score"`
		Options      []string         `ch:"options"`
		OptionsGiven bool             `ch:"options_given"`
		Severity     map[string]int64 `ch:"severity"`
		Text         string           `ch:"text"`
	}
	deployment struct {
		ID         string     `ch:"id"`
		Attempt    int64      `ch:"attempt"`
		FinishedAt *time.Time `ch:"finished_at"`
		Failed     *bool      `ch:"failed"`
		Remediates []string   `ch:"remediates"`
		Revisions  []revision `ch:"revisions"`
	}
	response struct {
		Respondent string   `ch:"respondent"`
		Answers    []answer `ch:"answers"`
	}
)

var (
	day         = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	deployments = []deployment{
		{"d1", 1, &day, new(true), []string{"d0"}, []revision{{"shop", "c1", "c0", "app", "commit"}, {"lib", "l1", "", "", ""}}},
		{"d2", 2, nil, nil, nil, nil},
	}
	responses = []response{
		{"r1", []answer{
			{"q1", new(int64(7)), []string{"a", "b"}, true, map[string]int64{"build": 3, "test": 1}, "slow"},
			{"q2", nil, nil, false, nil, ""},
		}},
		{"r2", nil},
	}
)

const (
	insertDeployments = "INSERT INTO deployments (id, attempt, finished_at, failed, remediates, revisions)"
	insertResponses   = "INSERT INTO survey_responses (respondent, answers)"
)

func TestNestedFactsComeBackAsTheyWereStored(t *testing.T) {
	for _, way := range []struct {
		name string
		fill func(deployments, responses store.Batch) error
	}{
		{"by row", func(d, r store.Batch) error {
			var errs []error
			for _, row := range deployments {
				errs = append(errs, d.Append(row.ID, row.Attempt, row.FinishedAt, row.Failed, row.Remediates, row.Revisions))
			}
			for _, row := range responses {
				errs = append(errs, r.Append(row.Respondent, row.Answers))
			}
			return errors.Join(errs...)
		}},
		{"by column", func(d, r store.Batch) error {
			return errors.Join(
				d.Column(0).Append([]string{"d1", "d2"}),
				d.Column(1).Append([]int64{1, 2}),
				d.Column(2).Append([]*time.Time{&day, nil}),
				d.Column(3).Append([]*bool{new(true), nil}),
				d.Column(4).Append([][]string{{"d0"}, nil}),
				d.Column(5).Append([][]revision{deployments[0].Revisions, nil}),
				r.Column(0).Append([]string{"r1", "r2"}),
				r.Column(1).Append([][]answer{responses[0].Answers, nil}),
			)
		}},
		{"by struct", func(d, r store.Batch) error {
			return errors.Join(d.AppendStruct(&deployments[0]), d.AppendStruct(&deployments[1]),
				r.AppendStruct(&responses[0]), r.AppendStruct(&responses[1]))
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := storetest.New(t)
			ctx := s.Durable(t.Context())
			d, err := s.Batch(ctx, insertDeployments)
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Batch(ctx, insertResponses)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(way.fill(d, r), d.Send(), r.Send()); err != nil {
				t.Fatal(err)
			}
			var gotDeployments []deployment
			if err := s.Select(ctx, &gotDeployments, "SELECT id, attempt, finished_at, failed, remediates, revisions FROM deployments ORDER BY id", nil); err != nil {
				t.Fatal(err)
			}
			var gotResponses []response
			if err := s.Select(ctx, &gotResponses, "SELECT respondent, answers FROM survey_responses ORDER BY respondent", nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(deployments, gotDeployments, emptyIsNil()...); diff != "" {
				t.Errorf("deployments (-stored +read):\n%s", diff)
			}
			if diff := cmp.Diff(responses, gotResponses, emptyIsNil()...); diff != "" {
				t.Errorf("responses (-stored +read):\n%s", diff)
			}
		})
	}
}

// emptyIsNil makes empty slices and maps equal to absent ones: a column knows no difference.
func emptyIsNil() []cmp.Option {
	return []cmp.Option{
		cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b []revision) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b []answer) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b map[string]int64) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	}
}

func TestATableThatChangesIsInsertedIntoAnew(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	const sql = "INSERT INTO teams"
	insert := func(values ...any) error {
		b, err := s.Batch(ctx, sql)
		if err != nil {
			return err
		}
		return errors.Join(b.Append(values...), b.Send())
	}
	at := time.Unix(1e9, 0)
	if err := insert("a", "A", "", "UTC", nil, nil, "test", at, uint64(1), at); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(ctx, "ALTER TABLE teams ADD COLUMN colour String", nil); err != nil {
		t.Fatal(err)
	}
	if err := insert("b", "B", "", "UTC", nil, nil, "test", at, uint64(1), at, "green"); err != nil {
		t.Error(err)
	}
}

func TestRowsCanBeClosedEarly(t *testing.T) {
	s := storetest.New(t)
	rows, err := s.Query(t.Context(), "SELECT number, sipHash64(number) FROM numbers(20000000000)", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	begun := time.Now()
	if err := rows.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func TestQueriesEndWithTheirContext(t *testing.T) {
	s := storetest.New(t)
	const slow = "SELECT max(sipHash64(number)) FROM numbers(20000000000)"
	for name, run := range map[string]func(context.Context) error{
		"Exec":     func(ctx context.Context) error { return s.Exec(ctx, slow, nil) },
		"Query":    func(ctx context.Context) error { _, err := s.Query(ctx, slow, nil); return err },
		"QueryRow": func(ctx context.Context) error { return s.QueryRow(ctx, slow, nil).Scan(new(uint64)) },
		"Select": func(ctx context.Context) error {
			return s.Select(ctx, &[]struct {
				N uint64 `ch:"n"`
			}{}, slow, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			begun := time.Now()
			err := run(ctx)
			if err != context.DeadlineExceeded {
				t.Errorf("got %v, want %v and nothing around it", err, context.DeadlineExceeded)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}

func TestNoRowIsToldApart(t *testing.T) {
	s := storetest.New(t)
	var name string
	if err := s.QueryRow(t.Context(), "SELECT name FROM teams", nil).Scan(&name); err != sql.ErrNoRows {
		t.Errorf("got %v, want %v", err, sql.ErrNoRows)
	}
}

func TestSettingsHoldForEveryQuery(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	var zone string
	var missing *uint64
	var parsed time.Time
	const sql = `SELECT timezone(), b.n, toDateTime64('2026-03-01 00:00:00', 3)
		FROM (SELECT 1 AS n) AS a LEFT JOIN (SELECT toUInt64(2) AS n) AS b ON a.n = b.n`
	if err := s.QueryRow(ctx, sql, nil).Scan(&zone, &missing, &parsed); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC); zone != "UTC" || missing != nil || !parsed.Equal(want) {
		t.Errorf("zone %s, the absent side of a join %v, time %v; want UTC, nil, %v", zone, missing, parsed, want)
	}
	if err := s.Exec(ctx, "INSERT INTO teams (id, updated_at) SELECT * FROM format(CSV, 'id String, at DateTime64(3)', 'a,2026-03-01T10:00:00+02:00')", nil); err != nil {
		t.Errorf("a time with its zone is refused: %v", err)
	}
}

// Conditions are looked at early where that is cheaper, but an older telling never comes back because the newest does
// not meet them.
func TestAConditionDoesNotBringAnOlderTellingBack(t *testing.T) {
	s := storetest.New(t)
	for i, team := range []string{"red", "blue"} {
		b, err := s.Batch(t.Context(), "INSERT INTO people (id, team, version)")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Append("ann", team, uint64(i)); err != nil {
			t.Fatal(err)
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	for where, want := range map[string]uint64{
		"team = 'red'": 0, "team = 'blue'": 1, "id = 'ann'": 1, "id = 'ann' AND team = 'red'": 0, "id = 'bob'": 0, "version = 0": 0,
	} {
		var got uint64
		if err := s.QueryRow(t.Context(), "SELECT count() FROM people FINAL WHERE "+where, nil).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %d rows, want %d", where, got, want)
		}
	}
}

func TestEveryStoreHasItsOwnDatabase(t *testing.T) {
	a, b := storetest.New(t), storetest.New(t)
	if a.Database() == b.Database() {
		t.Fatalf("both work on %s", a.Database())
	}
	if err := a.Exec(t.Context(), "INSERT INTO teams (id) VALUES ('a')", nil); err != nil {
		t.Fatal(err)
	}
	var n uint64
	if err := b.QueryRow(t.Context(), "SELECT count() FROM teams", nil).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v; want none", n, err)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	const callers, batches, rows = 12, 2, 50
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range batches {
				b, err := s.Batch(ctx, "INSERT INTO teams (id, version)")
				if err != nil {
					t.Error(err)
					return
				}
				for i := range rows {
					if err := b.Append("team", uint64(i)); err != nil {
						t.Error(err)
					}
				}
				if err := b.Send(); err != nil {
					t.Error(err)
				}
				// A query of many rows stays open over another one.
				answer, err := s.Query(ctx, "SELECT number, toString(number) FROM numbers(500000)", nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer.Next()
				var n uint64
				if err := s.QueryRow(ctx, "SELECT count() FROM teams", nil).Scan(&n); err != nil {
					t.Error(err)
				}
				if err := answer.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	var teams, version uint64
	if err := s.QueryRow(ctx, "SELECT count(), max(version) FROM teams FINAL", nil).Scan(&teams, &version); err != nil {
		t.Error(err)
	}
	if teams != 1 || version != rows-1 {
		t.Errorf("%d teams with version %d, want 1 with %d", teams, version, rows-1)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	s, err := store.New(store.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Open(ctx); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestABatchIsStoredWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("inserts two million rows")
	}
	s := storetest.New(t)
	b, err := s.Batch(t.Context(), "INSERT INTO teams (id, version)")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 2_000_000
	ids := make([]string, rows)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	if err := errors.Join(b.Column(0).Append(ids), b.Column(1).Append(make([]uint64, rows)), b.Send()); err != nil {
		t.Fatal(err)
	}
	var stored, parts uint64
	if err := s.QueryRow(t.Context(), "SELECT count(), uniqExact(_part) FROM teams", nil).Scan(&stored, &parts); err != nil {
		t.Fatal(err)
	}
	if stored != rows || parts != 1 {
		t.Errorf("%d rows in %d parts, want %d in 1", stored, parts, rows)
	}
}

func TestAStoreThatIsNotOpen(t *testing.T) {
	s, err := store.New(store.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "SELECT 1", nil); fault.KindOf(err) != fault.Internal {
		t.Errorf("before Open: %v, want an internal fault", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close without Open: %v", err)
	}
	if err := s.Open(t.Context()); err == nil {
		t.Error("a closed store was opened")
	}
}
