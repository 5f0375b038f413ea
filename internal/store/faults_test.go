package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/internal/store/storetest"
)

func TestWhatIsWrongWithALibraryIsSaid(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old.so")
	if compiler, err := exec.LookPath("cc"); err == nil {
		cmd := exec.Command(compiler, "-shared", "-fPIC", "-o", old, "-x", "c", "-")
		cmd.Stdin = strings.NewReader("void *chdb_connect(int c, char **v) { return 0; }")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	absent := filepath.Join(dir, "absent.so")
	const how = ": get it with `make engine`, or name it with --library FILE or CAIRN_LIBRARY=FILE"
	for _, tc := range []struct{ name, path, want string }{
		{"absent", absent, "there is no engine library at " + absent + how},
		{"a text", text, text + " is not the engine library for this machine (" + runtime.GOOS + "/" + runtime.GOARCH + ")" + how},
		{"old", old, "the engine library " + old + " is too old for this program" + how},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := os.Stat(old); tc.path == old && err != nil {
				t.Skip("no C compiler")
			}
			s, err := store.New(store.Config{Data: filepath.Join(dir, "data"), Library: tc.path})
			if err != nil {
				t.Fatal(err)
			}
			wantFault(t, s.Open(t.Context()), fault.Unavailable, tc.want)
		})
	}
	t.Run("none in the usual places", func(t *testing.T) {
		if _, err := os.Stat("/usr/local/lib/libchdb.so"); err == nil {
			t.Skip("this machine has one in /usr/local/lib")
		}
		cmd := child(t, "open", filepath.Join(dir, "data"))
		cmd.Dir = dir
		if got, want := output(t, cmd), "error: unavailable false no engine library was found"+how; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func wantFault(t *testing.T, err error, kind fault.Kind, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got nothing, want %v: %s", kind, want)
	}
	if fault.KindOf(err) != kind || err.Error() != want {
		t.Errorf("got  %v: %v\nwant %v: %s", fault.KindOf(err), err, kind, want)
	}
}

// late is a context that has not noticed its deadline.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Nanosecond), true }

func TestADeadlineIsReachedBeforeTheContextNotices(t *testing.T) {
	if got := store.Ended(late{t.Context()}); got != context.DeadlineExceeded {
		t.Errorf("got %v, want %v", got, context.DeadlineExceeded)
	}
	if got := store.Ended(t.Context()); got != nil {
		t.Errorf("a context that goes on has ended: %v", got)
	}
}

func TestAProcessHoldsOneFolderAtATime(t *testing.T) {
	storetest.New(t)
	folder := t.TempDir()
	s, err := store.New(store.Config{Data: folder})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.Open(t.Context()), fault.Internal,
		"the engine does not start over the data folder "+folder+": either this process holds another folder, or the engine has printed why")
}

func TestADataFolderThatIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.New(store.Config{Data: file})
	if err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.Open(t.Context()), fault.Invalid, "the data folder "+file+" is not a folder")
}

func TestADataFolderOfSomebodyElse(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	want := "error: denied false this user may not write in the data folder " + folder + ": grant it the right, or name another folder with --data"
	if got := output(t, child(t, "denied", folder)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatTheEngineRefusesIsAFault(t *testing.T) {
	s := storetest.New(t)
	ctx := t.Context()
	for _, tc := range []struct {
		name, sql, want string
		kind            fault.Kind
	}{
		{"a mistake of ours", "SELECT nothing", "the embedded engine refused a statement: Unknown expression identifier `nothing`", fault.Internal},
		{"too much memory", "SELECT groupArray(number) FROM numbers(100000000) SETTINGS max_memory_usage = 50000000",
			"a query needs more memory than the embedded engine gives it: ask for less time or a smaller scope", fault.TooLarge},
		{"too much time", "SELECT max(sipHash64(number)) FROM numbers(20000000000) SETTINGS max_execution_time = 0.1",
			"the embedded engine stopped a query before its end", fault.Unavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, err := range map[string]error{
				"Exec":     s.Exec(ctx, tc.sql, nil),
				"QueryRow": s.QueryRow(ctx, tc.sql, nil).Scan(new(uint64)),
			} {
				if fault.KindOf(err) != tc.kind || !strings.HasPrefix(fmt.Sprint(err), tc.want) {
					t.Errorf("%s: got %v: %v\nwant %v: %s…", name, fault.KindOf(err), err, tc.kind, tc.want)
				}
			}
		})
	}
	t.Run("in the middle of an answer", func(t *testing.T) {
		rows, err := s.Query(ctx, "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)", nil)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "throwIf") {
			t.Errorf("got %v", err)
		}
		if err := rows.Close(); err == nil {
			t.Error("Close knows nothing of it")
		}
	})
	t.Run("a batch with unequal columns", func(t *testing.T) {
		b, err := s.Batch(ctx, "INSERT INTO teams (id, version)")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Column(0).Append([]string{"a", "b"}), b.Column(1).Append([]uint64{1})); err != nil {
			t.Fatal(err)
		}
		if err := b.Send(); fault.KindOf(err) != fault.Internal {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a store that is closed", func(t *testing.T) {
		closed := storetest.New(t)
		database := closed.Database()
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		wantFault(t, closed.Exec(ctx, "SELECT 1", nil), fault.Unavailable, "the store is closed")
		if err := s.Exec(ctx, "DROP DATABASE {name:Identifier} SYNC", store.Params{"name": database}); err != nil {
			t.Error(err)
		}
	})
}
