package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"cairn/metrics"
	"cairn/metrics/words"
)

// chart is one drawing: options that the browser's library draws, and the same numbers as a table. Colours are names
// of the stylesheet's properties, var(--series-1), which the browser looks up in the theme of the moment.
type chart struct {
	ID      string
	Caption string
	Label   string // what it shows, for those who cannot see it
	Unit    string // of the value axis, as the script formats it
	Low     bool   // half as high
	Empty   string // in place of the drawing: why there is none
	Options map[string]any
	Links   []string // where each bucket leads; "" for nowhere
	Table   table
}

// table is a chart's numbers in words.
type table struct {
	Head []string
	Rows [][]string
}

// gap is a value that is not there: the line breaks.
const gap = "-"

// seriesChart draws a metric over time: counts as bars, all else as a line with the band of its interval, and for
// quantiles the higher ones as thinner lines. Buckets without data are gaps, the running one is lighter.
func seriesChart(id string, def metrics.Definition, res metrics.Result, marks []mark) chart {
	c := chart{ID: id, Unit: def.Unit, Label: fmt.Sprintf("%s by %s", def.Title, res.Bucket)}
	c.Table = seriesTable(def, res)
	if !slices.ContainsFunc(res.Series, has) {
		c.Empty = "No bucket of this window has data."
		return c
	}
	var labels []string
	for _, p := range res.Series {
		labels = append(labels, p.Label)
	}
	if counts(def.Unit) {
		c.Options = bars(def, res, labels, marks)
		return c
	}
	c.Options = lines(def, res, labels, marks)
	return c
}

// mark is something that happened in a bucket, drawn as a line across.
type mark struct {
	Label any // of the bucket: its name, or its place from 0 where names can be alike
	Name  string
}

func counts(unit string) bool { return unit == "deployments" || unit == "changes" }

func bars(def metrics.Definition, res metrics.Result, labels []string, marks []mark) map[string]any {
	bar := charts.NewBar()
	bar.SetGlobalOptions(frame(def.Unit, false)...)
	var data []opts.BarData
	for _, p := range res.Series {
		d := opts.BarData{Name: tip(def, p), Value: gap, ItemStyle: &opts.ItemStyle{Color: "var(--series-1)"}}
		if v, ok := p.Value.(float64); ok {
			d.Value = v
		}
		if p.Partial {
			d.ItemStyle.Opacity = opts.Float(0.45)
		}
		data = append(data, d)
	}
	bar.SetXAxis(labels).AddSeries(def.Title, data, append(markLines(marks), charts.WithBarChartOpts(opts.BarChart{BarCategoryGap: "35%"}))...)
	return finish(bar.BaseConfiguration, func() { bar.Validate() })
}

// legend names the lines of a chart that has several.
func legend(names []string) charts.GlobalOpts {
	return charts.WithLegendOpts(opts.Legend{Show: opts.Bool(len(names) > 1), Data: names, Right: "8", Top: "0", ItemHeight: 8})
}

func lines(def metrics.Definition, res metrics.Result, labels []string, marks []mark) map[string]any {
	line := charts.NewLine()
	line.SetGlobalOptions(frame(def.Unit, logarithmic(def, res))...)
	line.SetXAxis(labels)
	low, width := []opts.LineData{}, []opts.LineData{}
	banded := false
	var value []opts.LineData
	for _, p := range res.Series {
		d := opts.LineData{Name: tip(def, p), Value: gap, Symbol: "circle", SymbolSize: 6}
		if v, ok := p.Value.(float64); ok {
			d.Value = v
		}
		if p.Partial {
			d.Symbol, d.SymbolSize = "emptyCircle", 9
		}
		value = append(value, d)
		l, w := opts.LineData{Value: gap}, opts.LineData{Value: gap}
		if p.Interval != nil && !p.Partial {
			l.Value, w.Value, banded = p.Interval[0], p.Interval[1]-p.Interval[0], true
		}
		low, width = append(low, l), append(width, w)
	}
	if banded {
		none := charts.WithLineStyleOpts(opts.LineStyle{Opacity: opts.Float(0)})
		stack := charts.WithLineChartOpts(opts.LineChart{Stack: "interval", Symbol: "none"})
		line.AddSeries("interval from", low, none, stack, charts.WithSeriesAnimation(false))
		line.AddSeries("interval", width, none, stack, charts.WithAreaStyleOpts(opts.AreaStyle{Color: "var(--band)", Opacity: opts.Float(1)}), charts.WithSeriesAnimation(false))
	}
	name := def.Title
	if res.Statistic != "" {
		name = res.Statistic
	}
	line.AddSeries(name, value, append(markLines(marks), lineStyle("var(--series-1)", 2, "solid")...)...)
	line.SetGlobalOptions(legend(append([]string{name}, others(def, res)...)))
	for i, p := range others(def, res) {
		var data []opts.LineData
		for _, point := range res.Series {
			d := opts.LineData{Value: gap, Symbol: "none"}
			if v, ok := point.Parts[p].(float64); ok {
				d.Value = v
			}
			data = append(data, d)
		}
		line.AddSeries(p, data, lineStyle("var(--ink-soft)", 1, []string{"dashed", "dotted"}[i%2])...)
	}
	return finish(line.BaseConfiguration, func() { line.Validate() })
}

// others are the further quantiles that a series tells beside the one that was asked for.
func others(def metrics.Definition, res metrics.Result) []string {
	var list []string
	for _, p := range []string{metrics.StatisticP75, metrics.StatisticP90} {
		if res.Statistic == metrics.StatisticP50 && slices.Contains(def.Statistics, p) {
			list = append(list, p)
		}
	}
	return list
}

func lineStyle(colour string, width float32, kind string) []charts.SeriesOpts {
	return []charts.SeriesOpts{
		charts.WithLineChartOpts(opts.LineChart{ShowSymbol: opts.Bool(true), ConnectNulls: opts.Bool(false)}),
		charts.WithLineStyleOpts(opts.LineStyle{Color: colour, Width: width, Type: kind}),
		charts.WithItemStyleOpts(opts.ItemStyle{Color: colour}),
		charts.WithSeriesAnimation(false),
	}
}

// logarithmic says whether durations spread so far that a logarithmic axis reads better.
func logarithmic(def metrics.Definition, res metrics.Result) bool {
	least, most := math.Inf(1), 0.0
	for _, p := range res.Series {
		for _, v := range []any{p.Value, p.Parts[metrics.StatisticP90]} {
			if f, ok := v.(float64); ok {
				least, most = min(least, f), max(most, f)
			}
		}
		if p.Interval != nil && p.Interval[0] <= 0 {
			return false
		}
	}
	return wide(def, least, most)
}

func wide(def metrics.Definition, least, most float64) bool {
	return (def.Unit == "hours" || def.Unit == "days") && least > 0 && most/least > 30
}

// frame are the options that all charts over time share.
func frame(unit string, logarithmic bool) []charts.GlobalOpts {
	y := opts.YAxis{Type: "value", Name: axisName(unit), Min: 0}
	if unit == "ratio" {
		y.Max = nil
	}
	if logarithmic {
		y = opts.YAxis{Type: "log", Name: axisName(unit)}
	}
	return []charts.GlobalOpts{
		charts.WithInitializationOpts(opts.Initialization{Theme: "none"}),
		charts.WithYAxisOpts(y),
		charts.WithXAxisOpts(opts.XAxis{Type: "category"}),
		charts.WithTooltipOpts(opts.Tooltip{Show: opts.Bool(true), Trigger: "axis"}),
		charts.WithLegendOpts(opts.Legend{Show: opts.Bool(false)}),
		charts.WithGridOpts(opts.Grid{Left: "8", Right: "40", Top: "32", Bottom: "8", ContainLabel: opts.Bool(true)}),
	}
}

// axisName is the unit that an axis counts in.
func axisName(unit string) string {
	switch unit {
	case "hours", "days":
		return "time"
	case "ratio", "share of respondents":
		return "share"
	case "points -100..100":
		return "points"
	}
	return unit
}

func markLines(marks []mark) []charts.SeriesOpts {
	if len(marks) == 0 {
		return nil
	}
	var items []opts.MarkLineNameXAxisItem
	for _, m := range marks {
		items = append(items, opts.MarkLineNameXAxisItem{Name: m.Name, XAxis: m.Label})
	}
	return []charts.SeriesOpts{
		charts.WithMarkLineNameXAxisItemOpts(items...),
		charts.WithMarkLineStyleOpts(opts.MarkLineStyle{
			Symbol: []string{"none", "none"}, Label: &opts.Label{Show: opts.Bool(true), Formatter: "{b}", Color: "var(--ink-soft)", Position: "end"},
			LineStyle: &opts.LineStyle{Color: "var(--line-strong)", Type: "dashed", Width: 1},
		}),
	}
}

// finish makes the options that the browser draws. validate is the chart's own last step.
func finish(base charts.BaseConfiguration, validate func()) map[string]any {
	validate()
	options := base.JSON()
	delete(options, "toolbox")
	delete(options, "title")
	delete(options, "color")
	return options
}

// tip is what a point says when it is pointed at.
func tip(def metrics.Definition, p metrics.Point) string {
	text := p.Label + ": " + words.Value(p.Value, def.Unit)
	if has(p) && p.Interval != nil {
		text += " (" + words.Interval(p.Interval, def.Unit) + ")"
	}
	if n, ok := words.Sample(p.N); ok {
		text += ", n = " + words.Grouped(n)
	}
	if p.Partial {
		text += ", still running"
	}
	return text
}

func seriesTable(def metrics.Definition, res metrics.Result) table {
	t := table{Head: []string{string(res.Bucket), "value"}}
	more := others(def, res)
	t.Head = append(t.Head, more...)
	t.Head = append(t.Head, "95 % interval", "n")
	for _, p := range res.Series {
		label := p.Label
		if p.Partial {
			label += " (running)"
		}
		row := []string{label, words.Value(p.Value, def.Unit)}
		for _, name := range more {
			row = append(row, words.Value(p.Parts[name], def.Unit))
		}
		bounds := "–"
		if p.Interval != nil && has(p) {
			bounds = words.Interval(p.Interval, def.Unit)
		}
		n, ok := words.Sample(p.N)
		size := "–"
		if ok {
			size = words.Grouped(n)
		}
		t.Rows = append(t.Rows, append(row, bounds, size))
	}
	return t
}

// distribution draws how often each size of value occurred, with lines at the quantiles. Where the values spread over
// more than a factor of 30 the classes grow by the same factor, else they are of the same width.
func distribution(id string, def metrics.Definition, values []float64, quantiles map[string]float64) chart {
	c := chart{ID: id, Unit: "count", Label: "Distribution of " + def.Title}
	if len(values) < 2 {
		c.Empty = "Too few values for a distribution."
		return c
	}
	slices.Sort(values)
	edges := classes(values)
	heights := make([]int, len(edges)-1)
	for _, v := range values {
		heights[class(edges, v)]++
	}
	bar := charts.NewBar()
	bar.SetGlobalOptions(frame("count", false)...)
	bar.SetGlobalOptions(charts.WithYAxisOpts(opts.YAxis{Type: "value", Name: "n", Min: 0}))
	var labels []string
	var data []opts.BarData
	c.Table.Head = []string{"from", "to", "n"}
	for i, n := range heights {
		from, to := words.Value(edges[i], def.Unit), words.Value(edges[i+1], def.Unit)
		labels = append(labels, from+" – "+to)
		data = append(data, opts.BarData{Name: fmt.Sprintf("%s – %s: %s", from, to, words.Grouped(int64(n))), Value: n, ItemStyle: &opts.ItemStyle{Color: "var(--series-1)"}})
		c.Table.Rows = append(c.Table.Rows, []string{from, to, strconv.Itoa(n)})
	}
	var marks []mark
	for _, name := range []string{metrics.StatisticP50, metrics.StatisticP75, metrics.StatisticP90} {
		if v, ok := quantiles[name]; ok {
			marks = append(marks, mark{Label: class(edges, v), Name: name})
		}
	}
	bar.SetXAxis(labels).AddSeries("n", data, append(markLines(marks), charts.WithBarChartOpts(opts.BarChart{BarCategoryGap: "8%"}))...)
	c.Options = finish(bar.BaseConfiguration, func() { bar.Validate() })
	return c
}

// classes are the edges between which sorted values are counted.
func classes(values []float64) []float64 {
	n := min(24, max(6, int(math.Ceil(2*math.Cbrt(float64(len(values)))))))
	low, high := values[0], values[len(values)-1]
	if low == high {
		high = low + 1
	}
	positive := values[sortedFrom(values)]
	edges := make([]float64, n+1)
	if positive > 0 && high/positive > 30 {
		low = max(positive, high/1e6)
		for i := range edges {
			edges[i] = low * math.Pow(high/low, float64(i)/float64(n))
		}
		edges[0] = min(low, values[0])
	} else {
		for i := range edges {
			edges[i] = low + (high-low)*float64(i)/float64(n)
		}
	}
	edges[n] = high
	return edges
}

// sortedFrom is the place of the first value above 0; the last where there is none.
func sortedFrom(values []float64) int {
	i, _ := slices.BinarySearch(values, math.SmallestNonzeroFloat64)
	return min(i, len(values)-1)
}

// class is the place of a value among edges.
func class(edges []float64, v float64) int {
	i, exact := slices.BinarySearch(edges, v)
	if !exact {
		i--
	}
	return min(max(i, 0), len(edges)-2)
}

// mostDots is how many services or teams are drawn side by side.
const mostDots = 150

// dots draws one value for each service or team, sorted by name; their intervals are in the table.
func dots(id string, def metrics.Definition, groups []metrics.Group) chart {
	c := chart{ID: id, Unit: def.Unit, Label: def.Title + " side by side", Table: table{Head: []string{"name", "value", "95 % interval", "n"}}}
	var names []string
	var data []opts.ScatterData
	least, most := math.Inf(1), math.Inf(-1)
	for _, g := range groups {
		g = known(g)
		bounds, size := "–", "–"
		if n, ok := words.Sample(g.N); ok {
			size = words.Grouped(n)
		}
		v, ok := g.Value.(float64)
		if g.Interval != nil && ok {
			bounds = words.Interval(g.Interval, def.Unit)
		}
		c.Table.Rows = append(c.Table.Rows, []string{g.Key, words.Value(g.Value, def.Unit), bounds, size})
		if !ok {
			continue
		}
		least, most = min(least, v), max(most, v)
		names = append(names, g.Key)
		data = append(data, opts.ScatterData{Name: fmt.Sprintf("%s: %s, n = %s", g.Key, words.Value(v, def.Unit), size), Value: []any{v, g.Key}, Symbol: "circle", SymbolSize: 9})
	}
	if len(data) == 0 {
		c.Empty = "Nobody here has data in this window."
		return c
	}
	if len(data) > mostDots {
		c.Empty = fmt.Sprintf("%s are too many to draw side by side; the table has them.", words.Grouped(int64(len(data))))
		return c
	}
	scatter := charts.NewScatter()
	x := opts.XAxis{Type: "value", Name: axisName(def.Unit), NameLocation: "middle", NameGap: 28, Min: 0}
	if wide(def, least, most) {
		x.Type, x.Min = "log", nil
	}
	if least < 0 {
		x.Min = nil
	}
	scatter.SetGlobalOptions(
		charts.WithInitializationOpts(opts.Initialization{Theme: "none"}),
		charts.WithXAxisOpts(x),
		charts.WithYAxisOpts(opts.YAxis{Type: "category", Data: names, Inverse: opts.Bool(true)}),
		charts.WithTooltipOpts(opts.Tooltip{Show: opts.Bool(true), Trigger: "item"}),
		charts.WithLegendOpts(opts.Legend{Show: opts.Bool(false)}),
		charts.WithGridOpts(opts.Grid{Left: "8", Right: "24", Top: "8", Bottom: "40", ContainLabel: opts.Bool(true)}),
	)
	scatter.AddSeries(def.Title, data, charts.WithItemStyleOpts(opts.ItemStyle{Color: "var(--series-1)"}), charts.WithSeriesAnimation(false))
	c.Options = finish(scatter.BaseConfiguration, func() { scatter.Validate() })
	c.Options["rows"] = len(names)
	return c
}

// occurrence is something on a timeline.
type occurrence struct {
	At    time.Time
	Row   string
	Kind  string // deployment, failure, rollback, incident
	Words string
	URL   string
}

// kindsOfOccurrence are the kinds in the order of drawing, each with its sign.
func kindsOfOccurrence() []struct{ kind, symbol, colour string } {
	return []struct{ kind, symbol, colour string }{
		{"deployment", "rect", "var(--series-1)"}, {"rollback", "triangle", "var(--series-4)"},
		{"failure", "diamond", "var(--series-2)"}, {"incident", "emptyCircle", "var(--series-2)"},
	}
}

// timeline draws what happened in a window, a row for each service; changes of owner are lines across.
func timeline(id string, v view, rows []string, all []occurrence, marks []mark) chart {
	c := chart{ID: id, Unit: "time", Label: "Deployments, failures and incidents", Caption: "Deployments as ticks, rollbacks as triangles, failures as diamonds, incidents as rings", Table: table{Head: []string{"at", "service", "what"}}}
	if len(all) == 0 {
		c.Empty = "Nothing happened in this window."
		return c
	}
	scatter := charts.NewScatter()
	zone := v.Window.Zone
	local := func(t time.Time) string { return t.In(zone).Format("2006-01-02T15:04:05") }
	scatter.SetGlobalOptions(
		charts.WithInitializationOpts(opts.Initialization{Theme: "none"}),
		charts.WithXAxisOpts(opts.XAxis{Type: "time", Min: local(v.Window.From), Max: local(v.Window.To)}),
		charts.WithYAxisOpts(opts.YAxis{Type: "category", Data: rows, Inverse: opts.Bool(true)}),
		charts.WithTooltipOpts(opts.Tooltip{Show: opts.Bool(true), Trigger: "item"}),
		charts.WithLegendOpts(opts.Legend{Show: opts.Bool(false)}),
		charts.WithGridOpts(opts.Grid{Left: "8", Right: "24", Top: "20", Bottom: "8", ContainLabel: opts.Bool(true)}),
	)
	for i, k := range kindsOfOccurrence() {
		var data []opts.ScatterData
		for _, o := range all {
			if o.Kind != k.kind {
				continue
			}
			data = append(data, opts.ScatterData{Name: o.At.In(zone).Format("2 Jan 15:04") + " · " + o.Row + ": " + o.Words, Value: []any{local(o.At), o.Row, o.URL}, Symbol: k.symbol, SymbolSize: 10})
		}
		style := []charts.SeriesOpts{charts.WithItemStyleOpts(opts.ItemStyle{Color: k.colour}), charts.WithSeriesAnimation(false)}
		if i == 0 {
			style = append(style, markLines(marks)...)
		}
		scatter.AddSeries(k.kind, data, style...)
	}
	for _, o := range all {
		if len(c.Table.Rows) < 500 {
			c.Table.Rows = append(c.Table.Rows, []string{o.At.In(zone).Format("2006-01-02 15:04"), o.Row, o.Words})
		}
	}
	c.Options = finish(scatter.BaseConfiguration, func() { scatter.Validate() })
	c.Options["rows"] = len(rows)
	return c
}
