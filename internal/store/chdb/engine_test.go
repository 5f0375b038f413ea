package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/goleak"

	"cairn/internal/store"
	"cairn/internal/store/chdb"
)

// library finds libchdb.
func library(t testing.TB) string {
	t.Helper()
	path, err := store.FindLibrary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// folder returns the data folder of this test process, with an engine running over it: an engine is not made to start
// and stop many times in one process, so the tests' own engines come and go beside this one.
var folder = sync.OnceValue(func() string {
	path, err := os.MkdirTemp("", "cairn-chdb-*")
	if err != nil {
		panic(err)
	}
	library, err := store.FindLibrary()
	if err != nil {
		panic(err)
	}
	data := filepath.Join(path, "data")
	if _, err := chdb.Start(context.Background(), chdb.Config{Library: library, Path: data}); err != nil {
		panic(err)
	}
	return data
})

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(filepath.Dir(folder()))
		os.Exit(code)
	}))
}

// start starts an engine that is closed after the test.
func start(t testing.TB) *chdb.Engine {
	t.Helper()
	engine, err := chdb.Start(t.Context(), chdb.Config{Library: library(t), Path: folder()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// dial returns a driver's connection to the engine.
func dial(t testing.TB, engine *chdb.Engine) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"embedded"}, MaxOpenConns: 100, MaxIdleConns: 100,
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func execute(t testing.TB, conn driver.Conn, sql string) {
	t.Helper()
	if err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t testing.TB, conn driver.Conn, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// slow is a query that would run for a minute and more, and slowStream one that answers all that time.
const (
	slow       = "SELECT max(sipHash64(number)) FROM numbers(20000000000)"
	slowStream = "SELECT number, sipHash64(number) FROM numbers(20000000000)"
)

func wantCode(t *testing.T, err error, want int32) {
	t.Helper()
	exception, ok := errors.AsType[*clickhouse.Exception](err)
	if !ok {
		t.Fatalf("got %v (%T), want the engine's exception %d", err, err, want)
	}
	if exception.Code != want {
		t.Errorf("got code %d (%v), want %d", exception.Code, err, want)
	}
}

func TestStatementsOfEveryKindAreAnswered(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE kinds (n UInt64) ENGINE = MergeTree ORDER BY n")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE kinds SYNC") })
	execute(t, conn, "INSERT INTO kinds VALUES (1), (2)")
	execute(t, conn, "INSERT INTO kinds SELECT number + 10 FROM numbers(3)")
	execute(t, conn, "-- a comment\nWITH 20 AS x INSERT INTO kinds SELECT x")
	if got := count(t, conn, "SELECT count() FROM kinds"); got != 6 {
		t.Fatalf("%d rows, want 6", got)
	}
	for _, tc := range []struct{ sql, want string }{
		{"SELECT toString(sum(n)) FROM kinds", "56"},
		{"  /* why */ (SELECT 'x') ", "x"},
		{"WITH 'y' AS y SELECT y", "y"},
		{"SELECT 'a';", "a"},
		{"EXPLAIN AST SELECT 1", "SelectWithUnionQuery (children 1)"},
		{"EXISTS TABLE kinds", "1"},
		{"SHOW TABLES LIKE 'kinds'", "kinds"},
	} {
		var got string
		row := conn.QueryRow(t.Context(), tc.sql)
		if strings.HasPrefix(tc.sql, "EXISTS") {
			var n uint8
			if err := row.Scan(&n); err != nil {
				t.Errorf("%s: %v", tc.sql, err)
			}
			got = fmt.Sprint(n)
		} else if err := row.Scan(&got); err != nil {
			t.Errorf("%s: %v", tc.sql, err)
		}
		if got != tc.want {
			t.Errorf("%s = %q, want %q", tc.sql, got, tc.want)
		}
	}
}

func TestAnAnswerWithoutRowsHasItsColumns(t *testing.T) {
	conn := dial(t, start(t))
	for _, sql := range []string{
		"SELECT 1 AS n, ['x'] AS texts, toLowCardinality('x') AS low WHERE 0",
		"SELECT 1 AS n, ['x'] AS texts, toLowCardinality('x') AS low WHERE {p:String} = 'x' SETTINGS max_threads = 1 -- why\n ; ",
	} {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"p": ""}))
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range rows.ColumnTypes() {
			got = append(got, c.Name()+" "+c.DatabaseTypeName())
		}
		if rows.Next() {
			t.Error("there is a row")
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if want := "[n UInt8 texts Array(String) low LowCardinality(String)]"; fmt.Sprint(got) != want {
			t.Errorf("%s\nhas the columns %v, want %s", sql, got, want)
		}
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	conn := dial(t, start(t))
	ctx := t.Context()
	_, err := conn.Query(ctx, "SELECT nothing")
	wantCode(t, err, 47)
	wantCode(t, conn.Exec(ctx, "CREATE TABLE absent.x (n Int8) ENGINE = Memory"), 81)
	_, err = conn.PrepareBatch(ctx, "INSERT INTO absent (n)")
	wantCode(t, err, 60)
	_, err = conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1})), "SELECT 1")
	wantCode(t, err, 115)
}

func TestAnErrorInTheMiddleOfAnAnswerIsReported(t *testing.T) {
	conn := dial(t, start(t))
	rows, err := conn.Query(t.Context(), "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n == 0 || n > 3_000_000 {
		t.Errorf("%d rows before the error", n)
	}
	if refused, ok := errors.AsType[*chdb.Error](rows.Err()); !ok || !strings.Contains(refused.Text, "Code: 395") {
		t.Errorf("got %v, want the engine's error 395", rows.Err())
	}
	if got := count(t, conn, "SELECT count() FROM numbers(7)"); got != 7 {
		t.Errorf("got %d behind the error, want 7", got)
	}
}

func TestSettingsHoldForTheirStatementOnly(t *testing.T) {
	conn := dial(t, start(t))
	const sql = "SELECT toUInt64(getSetting('max_block_size'))"
	ordinary := count(t, conn, sql)
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 1234}))
	var got uint64
	if err := conn.QueryRow(ctx, sql).Scan(&got); err != nil || got != 1234 {
		t.Errorf("with the setting: %d, %v; want 1234", got, err)
	}
	if got := count(t, conn, sql); got != ordinary {
		t.Errorf("without it: %d, want %d", got, ordinary)
	}
	execute(t, conn, "SET max_block_size = 77")
	if got := count(t, conn, sql); got != ordinary {
		t.Errorf("behind a SET of somebody else: %d, want %d", got, ordinary)
	}
}

func TestALargeAnswerDoesNotSitInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 400 MB")
	}
	conn := dial(t, start(t))
	before, peak := resident(t), 0
	rows, err := conn.Query(t.Context(), "SELECT randomString(100) FROM numbers(4000000)")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
		if n%200000 == 0 {
			peak = max(peak, resident(t))
		}
	}
	if err := rows.Close(); err != nil || n != 4_000_000 {
		t.Fatalf("%d rows, %v; want 4000000", n, err)
	}
	if grown := peak - before; grown > 300 {
		t.Errorf("an answer of 400 MB made the process grow by %d MB", grown)
	}
}

// resident returns the memory of this process in MB.
func resident(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

func TestStatementsEndWithTheirContext(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE ends (n UInt64) ENGINE = MergeTree ORDER BY n")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE ends SYNC") })
	drain := func(ctx context.Context, sql string) error {
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Err()
	}
	for _, tc := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"before its first row", func(ctx context.Context) error { return drain(ctx, slow) }},
		{"while rows are read", func(ctx context.Context) error { return drain(ctx, slowStream) }},
		{"when it writes", func(ctx context.Context) error {
			return conn.Exec(ctx, "INSERT INTO ends SELECT sipHash64(number) FROM numbers(20000000000)")
		}},
		{"when it sleeps", func(ctx context.Context) error {
			return drain(ctx, "SELECT sleepEachRow(1) FROM numbers(3600) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0")
		}},
	} {
		for _, end := range []struct {
			name  string
			want  error
			after func(context.Context) (context.Context, context.CancelFunc)
		}{
			{"deadline", context.DeadlineExceeded, func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 300*time.Millisecond)
			}},
			{"cancel", context.Canceled, func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(300*time.Millisecond, cancel)
				return ctx, cancel
			}},
		} {
			t.Run(tc.name+"/"+end.name, func(t *testing.T) {
				ctx, cancel := end.after(t.Context())
				defer cancel()
				begun := time.Now()
				err := tc.run(ctx)
				if !errors.Is(err, end.want) {
					t.Errorf("got %v, want %v", err, end.want)
				}
				if took := time.Since(begun); took > 5*time.Second {
					t.Errorf("it ended after %v", took)
				}
				waitIdle(t, conn)
			})
		}
	}
}

// A statement that its context ends takes no other one with it: not the next on its connection, nor one beside it.
func TestTheEndOfAContextEndsNoOtherStatement(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE spared (n UInt64) ENGINE = MergeTree ORDER BY n")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE spared SYNC") })
	rounds := 300
	if testing.Short() {
		rounds = 80
	}
	var group sync.WaitGroup
	for worker := range 3 {
		group.Go(func() {
			for round := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration((round*7+worker)%40)*100*time.Microsecond, cancel)
				statement := []string{"SELECT max(sipHash64(number)) FROM numbers(200000)", slowStream, "SELECT number FROM numbers(400000)"}[round%3]
				if rows, err := conn.Query(ctx, statement); err == nil {
					for rows.Next() {
					}
					_ = rows.Close()
				}
				cancel()
				batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO spared (n)")
				if err == nil {
					_ = batch.Append(uint64(round))
					err = batch.Send()
				}
				if err != nil {
					t.Errorf("round %d, an insert: %v", round, err)
					return
				}
				var n uint64
				if err := conn.QueryRow(t.Context(), "SELECT count() FROM spared").Scan(&n); err != nil {
					t.Errorf("round %d, a query: %v", round, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestABatchEndsWithItsContext(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE asleep (n UInt64, m UInt8 DEFAULT sleepEachRow(1)) ENGINE = MergeTree ORDER BY n")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE asleep SYNC") })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"function_sleep_max_microseconds_per_block": 0}))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO asleep (n)")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Column(0).Append(make([]uint64, 60)); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := batch.Send(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it ended after %v", took)
	}
	waitIdle(t, conn)
	if got := count(t, conn, "SELECT count() FROM asleep"); got != 0 {
		t.Errorf("%d rows of a batch that did not end, want none", got)
	}
}

func TestABatchWithUnequalColumnsIsRefused(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE unequal (n UInt64, m UInt64) ENGINE = MergeTree ORDER BY n")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE unequal SYNC") })
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO unequal (n, m)")
	if err != nil {
		t.Fatal(err)
	}
	for i, values := range [][]uint64{{1, 2}, {1}} {
		if err := batch.Column(i).Append(values); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err == nil {
		t.Error("the batch was sent")
	}
	if got := count(t, conn, "SELECT count() FROM unequal"); got != 0 {
		t.Errorf("%d rows are stored, want none", got)
	}
}

// waitIdle waits until the engine works on nothing but this question.
func waitIdle(t *testing.T, conn driver.Conn) {
	t.Helper()
	for range 100 {
		if count(t, conn, "SELECT count() FROM system.processes") == 1 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the statement is still running in the engine")
}

func TestAnAbandonedAnswerFreesItsConnection(t *testing.T) {
	conn := dial(t, start(t))
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		rows, err := conn.Query(ctx, slowStream)
		if err != nil {
			t.Fatal(err)
		}
		rows.Next() // and no further
		t.Cleanup(func() { _ = rows.Close() })
	}
	cancel()
	waitIdle(t, conn)
}

func TestManyStatementsAtOnce(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "CREATE TABLE many (worker UInt64, n UInt64, text String) ENGINE = MergeTree ORDER BY (worker, n)")
	t.Cleanup(func() { execute(t, conn, "DROP TABLE many SYNC") })
	const workers, rounds, rowsEach = 16, 3, 500
	var group sync.WaitGroup
	for worker := range uint64(workers) {
		group.Go(func() {
			for round := range rounds {
				batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO many (worker, n, text)")
				if err != nil {
					t.Error(err)
					return
				}
				for n := range rowsEach {
					if err := batch.Append(worker, uint64(round*rowsEach+n), "text"); err != nil {
						t.Error(err)
					}
				}
				if err := batch.Send(); err != nil {
					t.Error(err)
				}
				// Every third statement is not waited for.
				short, cancel := context.WithTimeout(t.Context(), time.Duration(worker)*time.Millisecond)
				_ = conn.Exec(short, "SELECT max(sipHash64(number)) FROM numbers(100000000)")
				cancel()
				var got uint64
				ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"w": fmt.Sprint(worker)}))
				if err := conn.QueryRow(ctx, "SELECT count() FROM many WHERE worker = {w:UInt64}").Scan(&got); err != nil {
					t.Error(err)
				}
				if want := uint64((round + 1) * rowsEach); got != want {
					t.Errorf("worker %d sees %d rows, want %d", worker, got, want)
				}
			}
		})
	}
	group.Wait()
	if got := count(t, conn, "SELECT count() FROM many"); got != workers*rounds*rowsEach {
		t.Errorf("%d rows, want %d", got, workers*rounds*rowsEach)
	}
}

func TestCloseEndsWhatIsRunning(t *testing.T) {
	engine := start(t)
	conn := dial(t, engine)
	abandoned, err := conn.Query(t.Context(), slowStream)
	if err != nil {
		t.Fatal(err)
	}
	abandoned.Next()
	t.Cleanup(func() { _ = abandoned.Close() })
	failed := make(chan error, 3)
	for range cap(failed) {
		go func() { failed <- conn.Exec(t.Context(), slow) }()
	}
	time.Sleep(300 * time.Millisecond)
	begun := time.Now()
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	for range cap(failed) {
		if err := <-failed; !errors.Is(err, chdb.ErrClosed) {
			t.Errorf("a running statement ended with %v, want %v", err, chdb.ErrClosed)
		}
	}
	if err := conn.Exec(t.Context(), "SELECT 1"); !errors.Is(err, chdb.ErrClosed) {
		t.Errorf("a statement behind Close: %v, want %v", err, chdb.ErrClosed)
	}
	if err := engine.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestStartHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := chdb.Start(ctx, chdb.Config{Library: library(t), Path: folder()})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err == nil {
		t.Error("an engine started for a context that had ended")
	}
}

func TestGoKeepsItsSignalHandlers(t *testing.T) {
	conn := dial(t, start(t))
	execute(t, conn, "SELECT 1")
	var nowhere *int
	defer func() {
		if recover() == nil {
			t.Error("a nil pointer was not turned into a panic")
		}
	}()
	*nowhere = 1
}
