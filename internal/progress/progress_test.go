package progress_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/internal/progress"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) forward(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func TestPlainLinesComeEveryFewSeconds(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	m := progress.New(&out, progress.Config{Now: c.now, Every: 5 * time.Second})
	for i := range int64(12) {
		m.Report(progress.State{Stage: "commits", Done: i * 1000, Total: 46000})
		c.forward(time.Second)
	}
	m.Report(progress.State{Stage: "tags", Done: 3})
	c.forward(1500 * time.Millisecond)
	m.Report(progress.State{Stage: "tags", Done: 214})
	m.Close()
	want := `commits: 5,000 of 46,000 (10 %), 1,000/s
commits: 10,000 of 46,000 (21 %), 1,000/s
commits: 11,000 in 12 s
tags: 214 in 1.5 s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrittenWithoutWork(t *testing.T) {
	var out bytes.Buffer
	progress.New(&out, progress.DefaultConfig()).Close()
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}

func TestBarRewritesItsLineAndEndsInASummary(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	m := progress.New(&out, progress.Config{Terminal: true, Width: func() int { return 80 }, Now: c.now, Every: 100 * time.Millisecond})
	for _, done := range []int64{0, 1000, 1100, 2000, 4000} {
		m.Report(progress.State{Stage: "commits", Done: done, Total: 4000})
		c.forward(time.Second)
	}
	m.Close()
	want := strings.Join([]string{
		"\rcommits [=====>                ] 25 %  1,000 of 4,000  1,000/s  3.0 s left\x1b[K",
		"\rcommits [======>               ] 27 %  1,100 of 4,000  550/s  5.3 s left\x1b[K",
		"\rcommits [===========>          ] 50 %  2,000 of 4,000  666/s  3.0 s left\x1b[K",
		"\rcommits [======================] 100 %  4,000 of 4,000  1,000/s\x1b[K",
		"\r\x1b[Kcommits: 4,000 in 5.0 s\n",
	}, "")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("drawn (-want +got):\n%s", diff)
	}
}

func TestBarFitsAnyWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		c := newClock()
		width := rapid.IntRange(1, 200).Draw(t, "width")
		m := progress.New(&out, progress.Config{Terminal: true, Width: func() int { return width }, Now: c.now})
		for range rapid.IntRange(1, 5).Draw(t, "reports") {
			m.Report(progress.State{
				Stage: "commits",
				Done:  rapid.Int64Range(0, 1<<40).Draw(t, "done"),
				Total: rapid.Int64Range(0, 1<<40).Draw(t, "total"),
			})
			c.forward(time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "pause")))
		}
		for _, line := range strings.Split(out.String(), "\r") {
			line = strings.TrimSuffix(line, "\x1b[K")
			if len(line) >= width && line != "" {
				t.Fatalf("line %q takes %d of %d columns: a terminal would wrap it", line, len(line), width)
			}
		}
	})
}

func TestNarrowTerminalKeepsWhatMatters(t *testing.T) {
	for _, tc := range []struct {
		width int
		want  string
	}{
		{70, "commits [====>       ] 41 %  19,000 of 46,000  1,900/s  14 s left"},
		{51, "commits 41 %  19,000 of 46,000  1,900/s  14 s left"},
		{40, "commits 41 %  19,000 of 46,000"},
		{20, "commits 41 %"},
		{8, "41 %"},
	} {
		var out bytes.Buffer
		c := newClock()
		m := progress.New(&out, progress.Config{Terminal: true, Width: func() int { return tc.width }, Now: c.now, Every: time.Second})
		m.Report(progress.State{Stage: "commits", Total: 46000})
		c.forward(10 * time.Second)
		m.Report(progress.State{Stage: "commits", Done: 19000, Total: 46000})
		if got := strings.TrimSuffix(strings.TrimPrefix(out.String(), "\r"), "\x1b[K"); got != tc.want {
			t.Errorf("width %d: got %q, want %q", tc.width, got, tc.want)
		}
	}
}

func TestFileThatIsNoTerminalGetsPlainLines(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if cfg := progress.For(f); cfg.Terminal || cfg.Every < time.Second {
		t.Errorf("got %+v, want plain lines seconds apart", cfg)
	}
}

func TestNilFuncTakesReports(t *testing.T) {
	var f progress.Func
	f.Report(progress.State{Stage: "commits"})
}
