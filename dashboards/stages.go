package dashboards

import (
	"context"
	"fmt"
	"html/template"
	"strings"

	"cairn/metrics"
	"cairn/metrics/words"
)

// stageBar is the lead time divided into its stages: the median of each, side by side.
type stageBar struct {
	Stages  []stageShare
	Bar     template.HTML
	Longest string // a sentence about the longest; "" where there is none
}

// stageShare is one stage.
type stageShare struct{ Name, Words, Value, N string }

// stageAnswers are the medians of the stages.
type stageAnswers []metrics.Result

// stages asks for the median of each stage of the lead time.
func (q *questions) stages(to *stageAnswers, v view, scope metrics.Scope) {
	find(q, to, func(ctx context.Context) (stageAnswers, error) {
		return q.p.deps.Engine.Stages(ctx, metrics.Request{Scope: scope, Window: v.Window, Environment: v.Environment})
	})
}

// bar lays the stages out. Medians do not add up to the median of the whole, so the bar shows how they compare and
// names no total.
func (a stageAnswers) bar() stageBar {
	var b stageBar
	total, most := 0.0, 0.0
	for _, res := range a {
		if v, ok := res.Value.(float64); ok {
			total += v
		}
	}
	if total == 0 {
		return b
	}
	var drawn strings.Builder
	x := 0.0
	for i, stage := range metrics.Stages() {
		v, ok := a[i].Value.(float64)
		b.Stages = append(b.Stages, stageShare{Name: stage, Words: strings.ReplaceAll(stage, "_", " "), Value: words.Value(a[i].Value, "hours"), N: words.Size(a[i].N)})
		if !ok {
			continue
		}
		if v > most {
			most, b.Longest = v, fmt.Sprintf("Most time goes into %s.", words.Stage(stage))
		}
		width := 1000 * v / total
		fmt.Fprintf(&drawn, `<rect class="stage-%s" x="%.1f" y="0" width="%.1f" height="28"/>`, stage, x, width)
		x += width
	}
	b.Bar = template.HTML(`<svg class="stages" viewBox="0 0 1000 28" preserveAspectRatio="none" aria-hidden="true">` + drawn.String() + `</svg>`)
	return b
}
