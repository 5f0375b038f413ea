package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn/internal/fault"
	"cairn/internal/store"
)

// A process holds one data folder, so what needs a folder of its own runs in a child: this test binary again, told by
// the variable what to be. Its arguments are ordinary arguments, its answers lines on stdout.
const childVariable = "CAIRN_TEST_CHILD"

var children = map[string]func(args []string) error{
	"hold":    hold,
	"insert":  insertUntilKilled,
	"count":   countCommits,
	"open":    openFolder,
	"denied":  openAsNobody,
	"full":    fillDisk,
	"cluster": applyClusterForm,
	"fixture": readFixture,
	"write":   writeFixture,
	"quiet":   beQuiet,
	"guest":   tellSettings,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Println("error:", fault.KindOf(err), errors.Is(err, store.ErrHeld), err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child returns the command that runs this binary as one of the children. The short tests do without.
func child(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("starts another process")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// output runs a child to its end and returns what it said.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("the child does not start: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// started is a child at work.
type started struct {
	*exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// begin starts a child and waits for its first line.
func begin(t testing.TB, cmd *exec.Cmd) *started {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &started{Cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		_ = s.stdin.Close()
		_ = s.Wait()
	})
	if !s.lines.Scan() {
		t.Fatal("the child says nothing")
	}
	return s
}

// open returns an open store for a child.
func open(folder string) (*store.Store, error) {
	s, err := store.New(store.Config{Data: folder})
	if err != nil {
		return nil, err
	}
	return s, s.Open(context.Background())
}

// hold opens the folder and keeps it until its stdin ends.
func hold(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Close()
}

// openFolder opens the folder and says how it went.
func openFolder(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	fmt.Println("opened")
	return s.Close()
}

// openAsNobody does so as a user who may not write there.
func openAsNobody(args []string) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	return openFolder(args)
}

// beQuiet uses the engine and says nothing itself.
func beQuiet(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	_ = s.Exec(context.Background(), "SELECT nothing", nil)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = s.Exec(ctx, "SELECT max(sipHash64(number)) FROM numbers(20000000000)", nil)
	return s.Close()
}

// tellSettings says which settings the engine runs with.
func tellSettings(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	var text string
	const sql = `SELECT arrayStringConcat(arraySort(groupArray(name || '=' || value)), ' ') FROM system.server_settings
		WHERE name IN ('max_server_memory_usage_to_ram_ratio', 'mark_cache_size', 'primary_index_cache_size', 'index_mark_cache_size')`
	if err := s.QueryRow(context.Background(), sql, nil).Scan(&text); err != nil {
		return err
	}
	fmt.Println(text)
	return s.Close()
}
