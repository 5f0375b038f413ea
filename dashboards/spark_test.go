package dashboards

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn/metrics"
)

// points are buckets with the given values: nil for none.
func points(values ...any) []metrics.Point {
	list := make([]metrics.Point, len(values))
	for i, v := range values {
		list[i] = metrics.Point{Label: fmt.Sprintf("2026-W%02d", i+1), Value: v}
		if v != nil {
			list[i].N = int64(10 + i)
		}
	}
	return list
}

// A gap is a gap: no line crosses it, and a value between two gaps is a dot. The running bucket is a ring of its own.
func TestSparklinesHaveGaps(t *testing.T) {
	running := func(list []metrics.Point, i int) []metrics.Point {
		list[i].Partial = true
		return list
	}
	for _, c := range []struct {
		name                      string
		series                    []metrics.Point
		moves, lines, dots, rings int
	}{
		{"no gap", points(1.0, 2.0, 3.0), 1, 2, 0, 0},
		{"a gap", points(1.0, 2.0, nil, 3.0, 4.0, 5.0), 2, 3, 0, 0},
		{"a value between gaps", points(1.0, 2.0, nil, 3.0, nil, 5.0, 6.0), 2, 2, 1, 0},
		{"one value alone", points(nil, 3.0, nil), 0, 0, 1, 0},
		{"one value at each end", points(3.0, nil, nil, 4.0), 0, 0, 2, 0},
		{"zeros are values", points(0.0, 0.0, 0.0), 1, 2, 0, 0},
		{"the running bucket", running(points(1.0, 2.0, 3.0), 2), 1, 1, 0, 1},
		{"the running bucket behind a gap", running(points(1.0, 2.0, nil, 3.0), 3), 1, 1, 0, 1},
		{"only the running bucket", running(points(nil, nil, 3.0), 2), 0, 0, 0, 1},
		{"one before the running bucket", running(points(nil, 2.0, 3.0), 2), 0, 0, 1, 1},
		{"a running bucket without a value", running(points(1.0, 2.0, nil), 2), 1, 1, 0, 0},
		{"buckets behind the running one", running(points(1.0, 2.0, 3.0, 0.0, 0.0), 2), 2, 2, 0, 1},
	} {
		svg := string(drawSpark("Lead time", "hours", c.series))
		path := regexp.MustCompile(` d="([^"]*)"`).FindStringSubmatch(svg)
		moves, lines := 0, 0
		if path != nil {
			moves, lines = strings.Count(path[1], "M"), strings.Count(path[1], "L")
			if path[1][0] != 'M' {
				t.Errorf("%s: the path %q begins nowhere", c.name, path[1])
			}
		}
		rings := strings.Count(svg, `class="running"`)
		dots := strings.Count(svg, "<circle") - rings
		if moves != c.moves || lines != c.lines || dots != c.dots || rings != c.rings {
			t.Errorf("%s: got %d moves, %d lines, %d dots, %d rings, want %d, %d, %d, %d: %s", c.name, moves, lines, dots, rings, c.moves, c.lines, c.dots, c.rings, svg)
		}
	}
}

// Where nothing can be compared there is no sparkline.
func TestNoSparkline(t *testing.T) {
	for name, series := range map[string][]metrics.Point{"no bucket": nil, "one bucket": points(3.0), "no value": points(nil, nil, nil), "suppressed": points(metrics.Suppressed, metrics.Suppressed)} {
		if got := drawSpark("Lead time", "hours", series); got != "" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// Whoever cannot see it is told the first and the last value, in words and without markup.
func TestSparklinesAreSaid(t *testing.T) {
	svg := string(drawSpark(`a "b" <c> & d`, "hours", points(nil, 1.5, nil, 72.0, nil)))
	if want := `aria-label="a &#34;b&#34; &lt;c&gt; &amp; d, 2026-W01 to 2026-W05: from 1.5 h to 3 d"`; !strings.Contains(svg, want) {
		t.Errorf("got %s, want %s", svg, want)
	}
}

// Whatever is drawn is well-formed, lies in its frame, begins at zero and shows each value once.
func TestSparklinesStayInTheirFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.Float64Range(-100, 1e9), func(f float64) any { return f }), rapid.Just[any](0.0))
		series := points(rapid.SliceOfN(value, 0, 60).Draw(t, "values")...)
		if len(series) > 0 && rapid.Bool().Draw(t, "running") {
			series[rapid.IntRange(0, len(series)-1).Draw(t, "which")].Partial = true
		}
		drawn := 0
		for _, p := range series {
			if has(p) {
				drawn++
			}
		}
		svg := string(drawSpark(rapid.StringOf(rapid.RuneFrom([]rune(`<>&"'aé	`))).Draw(t, "title"), "hours", series))
		if svg == "" {
			if drawn > 0 && len(series) > 1 {
				t.Fatalf("nothing is drawn of %v", series)
			}
			return
		}
		x := func(v string) { inside(t, svg, v, sparkWidth) }
		y := func(v string) { inside(t, svg, v, sparkHeight) }
		shown := 0
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v: %s", err, svg)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if element.Name.Local == "circle" {
				shown++
			}
			for _, a := range element.Attr {
				switch a.Name.Local {
				case "cx", "x1", "x2":
					x(a.Value)
				case "cy", "y1", "y2":
					y(a.Value)
				case "d":
					for _, place := range regexp.MustCompile(`[ML](\S+) ([^ML]+)`).FindAllStringSubmatch(a.Value, -1) {
						x(place[1])
						y(place[2])
						shown++
					}
				}
			}
		}
		if shown != drawn {
			t.Fatalf("%d of %d values are drawn: %s", shown, drawn, svg)
		}
	})
}

func inside(t *rapid.T, svg, text string, size float64) {
	if v, err := strconv.ParseFloat(text, 64); err != nil || v < 0 || v > size {
		t.Fatalf("%q lies outside of 0 to %v: %s", text, size, svg)
	}
}
