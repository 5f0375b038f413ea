package git_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cairn/collectors/git"
	"cairn/internal/event"
)

// generated makes a history of the given length by fast-import, streaming: a tree of a few thousand files in nested
// folders, commits that touch 5 to 10 of them, merged side branches, a release every 100 commits.
func generated(t testing.TB, commits int) *repo {
	t.Helper()
	r := &repo{t, filepath.Join(t.TempDir(), "shop.git")}
	run(t, "", "init", "--quiet", "--bare", "--initial-branch=main", r.dir)
	load := exec.Command("git", "-C", r.dir, "fast-import", "--quiet")
	in, err := load.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(in, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	path := func() string {
		f := random.IntN(3000)
		return fmt.Sprintf("services/service%d/pkg%d/file%d.go", f%40, f/40%25, f)
	}
	const message = "Make the checkout faster\n\nThe cart was read twice for every item, once for its price and once for its tax.\nReads it once and keeps it.\n\nSigned-off-by: Ann Example <ann@example.org>\n"
	commit := func(mark int, ref, from, merge string, touch int) {
		fmt.Fprintf(w, "commit %s\nmark :%d\nauthor Ann %d <ann%d@example.org> %d +0100\ncommitter C <c@x.org> %d +0100\ndata %d\n%s\n",
			ref, mark, mark%50, mark%50, day0+mark*60, day0+mark*60+30, len(message), message)
		if from != "" {
			fmt.Fprintf(w, "from %s\n", from)
		}
		if merge != "" {
			fmt.Fprintf(w, "merge %s\n", merge)
		}
		for range touch {
			content := fmt.Sprintf("package x // %d\n", random.Int64())
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path(), len(content), content)
		}
		w.WriteString("\n")
	}
	commit(1, "refs/heads/main", "", "", 3000)
	for i := 2; i <= commits; i++ {
		switch {
		case i%10 == 8: // a side branch of one commit, merged by the next but one
			commit(i, "refs/heads/side", fmt.Sprintf(":%d", i-1), "", 5+random.IntN(6))
		case i%10 == 9:
			commit(i, "refs/heads/main", fmt.Sprintf(":%d", i-2), "", 5+random.IntN(6))
		case i%10 == 0 && i > 10:
			commit(i, "refs/heads/main", fmt.Sprintf(":%d", i-1), fmt.Sprintf(":%d", i-2), 0)
		default:
			commit(i, "refs/heads/main", "", "", 5+random.IntN(6))
		}
		if i%100 == 0 {
			fmt.Fprintf(w, "tag v1.%d.0\nfrom :%d\ntagger T <t@x.org> %d +0000\ndata 1\nr\n", i/100, i, day0+i*60+90)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}
	return r
}

// BenchmarkCollect collects a history of 46,000 commits and compares with git alone, as a user would call it and with the
// collector's options. The three take turns, and of each the best of three counts, since a machine is never quiet.
func BenchmarkCollect(b *testing.B) {
	r := generated(b, 46_000)
	gitLog := func(options ...string) {
		cmd := exec.Command("git", append([]string{"-C", r.dir, "log", "--all", "--name-only"}, options...)...)
		if err := cmd.Run(); err != nil { // its output goes to the null device
			b.Fatal(err)
		}
	}
	events := 0
	collect := func(take func(event.Event)) {
		source, err := git.New(r.config(), "", nil)
		if err != nil {
			b.Fatal(err)
		}
		events = 0
		for e, err := range source.Events(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			take(e)
			events++
		}
	}
	var line []byte
	contestants := []struct {
		name string
		run  func()
		best time.Duration
	}{
		{"git-log", func() { gitLog() }, time.Hour},
		{"git-log-same-options", func() { gitLog("--no-renames", "-z") }, time.Hour},
		{"collected", func() { collect(func(event.Event) {}) }, time.Hour},
		{"collected-and-encoded", func() { collect(func(e event.Event) { line = event.AppendJSON(line[:0], e) }) }, time.Hour},
	}
	for b.Loop() {
		for range 3 {
			for i := range contestants {
				start := time.Now()
				contestants[i].run()
				contestants[i].best = min(contestants[i].best, time.Since(start))
			}
		}
	}
	for _, c := range contestants {
		b.ReportMetric(c.best.Seconds(), c.name+"-s")
	}
	for _, c := range contestants[2:] {
		b.ReportMetric(float64(c.best)/float64(contestants[0].best), c.name+"-ratio")
	}
	b.ReportMetric(float64(events)/contestants[2].best.Seconds(), "events/s")
}

// TestMemoryStaysFlat collects a long history and looks at the heap on the way.
func TestMemoryStaysFlat(t *testing.T) {
	commits := 200_000
	if testing.Short() {
		commits = 20_000
	}
	r := newRepo(t)
	load := exec.Command("git", "-C", r.dir, "fast-import", "--quiet")
	in, err := load.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(in, 1<<20)
	message := "Change\n\n" + strings.Repeat("words of a message ", 10)
	fmt.Fprintf(w, "blob\nmark :1\ndata 1\nx\nblob\nmark :2\ndata 1\ny\n")
	for i := range commits {
		fmt.Fprintf(w, "commit refs/heads/main\nauthor Ann %d <ann%d@example.org> %d +0000\ncommitter C <c@x.org> %d +0000\ndata %d\n%s\nM 100644 :%d f%d\n\n",
			i, i, day0+i, day0+i, len(message), message, i%2+1, i/2%4)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}

	source, err := git.New(r.config(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before, most uint64
	seen := 0
	for _, err := range source.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == commits/20 {
			before = heap()
		} else if seen > commits/20 && seen%(commits/20) == 0 {
			most = max(most, heap())
		}
	}
	if seen < commits {
		t.Fatalf("%d events, want %d commits and more", seen, commits)
	}
	const allowed = 1 << 20
	if most > before+allowed {
		t.Errorf("the heap grew by %d KiB over %d commits, want at most %d KiB", (most-before)>>10, commits, allowed>>10)
	}
	t.Logf("heap after 5 %% of %d commits: %d KiB; at most %d KiB later", commits, before>>10, most>>10)
}
