package store_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cairn/internal/store"
)

const rowsABatch = 100

// insertCommits stores one batch of commits, all of them of the repository.
func insertCommits(s *store.Store, repository string, rows int) error {
	ctx := s.Durable(context.Background())
	b, err := s.Batch(ctx, "INSERT INTO commits (repository, sha, parents, authored_at, committed_at, paths, subject, updated_at, version)")
	if err != nil {
		return err
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		sha := fmt.Sprintf("%040x", i)
		if err := b.Append(repository, sha, []string{sha}, at, at, []string{"main.go", "go.mod"}, "a subject", at, uint64(1)); err != nil {
			return err
		}
	}
	return b.Send()
}

// insertUntilKilled stores batch after batch and says the number of each that is acknowledged.
func insertUntilKilled(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	fmt.Println("open")
	for i := 1; ; i++ {
		if err := insertCommits(s, strconv.Itoa(i), rowsABatch); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// countCommits says how many batches, up to the given one, are whole.
func countCommits(args []string) error {
	s, err := open(args[0])
	if err != nil {
		return err
	}
	var whole uint64
	const sql = `SELECT count() FROM (
		SELECT repository FROM commits WHERE toUInt32(repository) <= {last:UInt32} GROUP BY repository HAVING uniqExact(sha) = {rows:UInt32})`
	last, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := s.QueryRow(context.Background(), sql, store.Params{"last": last, "rows": rowsABatch}).Scan(&whole); err != nil {
		return err
	}
	fmt.Println(whole)
	return s.Close()
}

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	folder := t.TempDir()
	writer := begin(t, child(t, "insert", folder))
	last := ""
	for range 100 {
		if !writer.lines.Scan() {
			t.Fatal("the writer ended")
		}
		last = writer.lines.Text()
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for writer.lines.Scan() { // what it acknowledged before the signal came
		last = writer.lines.Text()
	}
	_ = writer.Wait()
	if got := output(t, child(t, "count", folder, last)); got != last {
		t.Errorf("%s whole batches are there, want %s", got, last)
	}
}

func TestAFolderHeldByAnotherProcess(t *testing.T) {
	folder := t.TempDir()
	holder := begin(t, child(t, "hold", folder))
	got := output(t, child(t, "open", folder))
	want := fmt.Sprintf("error: conflict true the data folder %s is held by another process (%d): talk to the server that runs on it, or stop that process",
		folder, holder.Process.Pid)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_ = holder.stdin.Close()
	_ = holder.Wait()
	if got := output(t, child(t, "open", folder)); got != "opened" {
		t.Errorf("behind the holder's end: %s, want opened", got)
	}
}

func TestTheEngineIsQuiet(t *testing.T) {
	cmd := child(t, "quiet", t.TempDir())
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("it ended with %v and printed %q, want nothing", err, out)
	}
}

func TestTheEngineLeavesMemoryToOthers(t *testing.T) {
	const want = "index_mark_cache_size=67108864 mark_cache_size=268435456 max_server_memory_usage_to_ram_ratio=0.6 primary_index_cache_size=268435456"
	if got := output(t, child(t, "guest", t.TempDir())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
