package dashboards

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"cairn/metrics"
	"cairn/metrics/words"
)

// Size of a sparkline in its own units; the page scales it.
const (
	sparkWidth  = 160.0
	sparkHeight = 32.0
	sparkMargin = 3.0
)

// sparkline draws a series small. The axis begins at zero, buckets without a value are gaps, a value between two gaps
// is a dot, and the running bucket is a ring. "" where no bucket has a value.
func sparkline(def metrics.Definition, res metrics.Result) template.HTML {
	return drawSpark(def.Title, def.Unit, res.Series)
}

func drawSpark(title, unit string, series []metrics.Point) template.HTML {
	top, any := 0.0, false
	first, last := -1, -1
	for i, p := range series {
		if v, ok := p.Value.(float64); ok {
			top, any = max(top, v), true
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if !any || len(series) < 2 {
		return ""
	}
	if top == 0 {
		top = 1
	}
	step := (sparkWidth - 2*sparkMargin) / float64(len(series)-1)
	x := func(i int) float64 { return sparkMargin + float64(i)*step }
	y := func(v float64) float64 { return sparkHeight - sparkMargin - max(0, v)/top*(sparkHeight-2*sparkMargin) }
	var line, marks strings.Builder
	for i, p := range series {
		v, ok := p.Value.(float64)
		if !ok {
			continue
		}
		before := i > 0 && has(series[i-1]) && !series[i-1].Partial
		after := i+1 < len(series) && has(series[i+1]) && !series[i+1].Partial
		switch {
		case p.Partial:
			fmt.Fprintf(&marks, `<circle class="running" cx="%.1f" cy="%.1f" r="2.2"/>`, x(i), y(v))
		case !before && !after:
			fmt.Fprintf(&marks, `<circle cx="%.1f" cy="%.1f" r="1.6"/>`, x(i), y(v))
		case !before:
			fmt.Fprintf(&line, "M%.1f %.1f", x(i), y(v))
		default:
			fmt.Fprintf(&line, "L%.1f %.1f", x(i), y(v))
		}
	}
	label := fmt.Sprintf("%s, %s to %s: from %s to %s", title, series[0].Label, series[len(series)-1].Label,
		words.Value(series[first].Value, unit), words.Value(series[last].Value, unit))
	path := ""
	if line.Len() > 0 {
		path = `<path d="` + line.String() + `"/>`
	}
	return template.HTML(fmt.Sprintf(`<svg class="spark" viewBox="0 0 %.0f %.0f" role="img" aria-label="%s"><line class="ground" x1="0" x2="%.0f" y1="%.1f" y2="%.1f"/>%s%s</svg>`,
		sparkWidth, sparkHeight, html.EscapeString(label), sparkWidth, sparkHeight-0.5, sparkHeight-0.5, path, marks.String()))
}

func has(p metrics.Point) bool {
	_, ok := p.Value.(float64)
	return ok
}
