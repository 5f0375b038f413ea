package prometheus_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"cairn/api/prometheus"
	"cairn/metrics/metricstest"
)

// Expressions of every kind have the answers that are written beside them in testdata/promql.txt, at the small
// organisation's present.
func TestExpressions(t *testing.T) {
	s := small(t, prometheus.DefaultConfig(), metricstest.SmallNow)
	f, err := os.Open("testdata/promql.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var expr string
	var want []string
	n := 0
	check := func() {
		if expr == "" {
			return
		}
		n++
		_, list := s.instant(t, expr, metricstest.SmallNow())
		got := strings.Split(written(list), "\n")
		if !strings.HasPrefix(expr, "sort") {
			slices.Sort(got)
		}
		if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", expr, got, want)
		}
		expr, want = "", nil
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "> "):
			check()
			expr = line[2:]
		case line != "" && !strings.HasPrefix(line, "#"):
			want = append(want, line)
		}
	}
	check()
	if n < 40 {
		t.Errorf("%d expressions: want 40 or more", n)
	}
}
