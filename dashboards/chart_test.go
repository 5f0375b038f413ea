package dashboards

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cairn/metrics"
	"cairn/metrics/words"
)

// drawing is what the browser is given, read back.
type drawing struct {
	XAxis  []axis   `json:"xAxis"`
	YAxis  []axis   `json:"yAxis"`
	Series []series `json:"series"`
	Rows   int      `json:"rows"`
}

type axis struct {
	Type string `json:"type"`
	Data []any  `json:"data"`
	Min  any    `json:"min"`
	Max  any    `json:"max"`
}

type series struct {
	Name, Type, Stack string
	Data              []datum
	ItemStyle         style
	ConnectNulls      bool
	MarkLine          struct {
		Data []struct {
			Name  string
			XAxis any
		}
	}
}

type datum struct {
	Name, Symbol string
	Value        any
	ItemStyle    style
}

type style struct {
	Color   string
	Opacity *float64
}

// failer is a test or one try of a property.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func drawn(t failer, c chart) drawing {
	t.Helper()
	text, err := json.Marshal(c.Options)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var d drawing
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return d
}

// line is the series of a name.
func (d drawing) line(t failer, name string) series {
	t.Helper()
	i := slices.IndexFunc(d.Series, func(s series) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("there is no series %q", name)
	}
	return d.Series[i]
}

func values(s series) []any {
	var list []any
	for _, d := range s.Data {
		list = append(list, d.Value)
	}
	return list
}

func leadTimes() metrics.Result {
	list := points(9.0, nil, 12.0, 6.0)
	for i, p := range list {
		if p.Value != nil {
			list[i].Interval = bounds(p.Value.(float64)-1.5, p.Value.(float64)+4)
			list[i].Parts = map[string]any{"p75": p.Value.(float64) * 2, "p90": p.Value.(float64) * 3}
		}
	}
	list[3].Partial = true
	return metrics.Result{Bucket: metrics.Week, Statistic: metrics.StatisticP50, Unit: "hours", Series: list}
}

// A line breaks where there is no data, has its interval around it, and marks the running bucket with a ring.
func TestLinesHaveGaps(t *testing.T) {
	c := seriesChart("series", found(t, "lead_time"), leadTimes(), nil)
	d := drawn(t, c)
	p50 := d.line(t, "p50")
	if diff := cmp.Diff([]any{9.0, "-", 12.0, 6.0}, values(p50)); diff != "" || p50.ConnectNulls {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{18.0, "-", 24.0, 12.0}, values(d.line(t, "p75"))); diff != "" {
		t.Errorf("p75 (-want +got):\n%s", diff)
	}
	if p50.Data[2].Symbol != "circle" || p50.Data[3].Symbol != "emptyCircle" {
		t.Errorf("got signs %q and, running, %q", p50.Data[2].Symbol, p50.Data[3].Symbol)
	}
	if got, want := p50.Data[0].Name, "2026-W01: 9 h (7.5 – 13 h), n = 10"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := p50.Data[3].Name, "2026-W04: 6 h (4.5 – 10 h), n = 13, still running"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := p50.Data[1].Name, "2026-W02: no data"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	low, width := d.line(t, "interval from"), d.line(t, "interval")
	if low.Stack == "" || low.Stack != width.Stack {
		t.Errorf("the band is stacked on %q and %q", low.Stack, width.Stack)
	}
	if diff := cmp.Diff([]any{7.5, "-", 10.5, "-"}, values(low)); diff != "" {
		t.Errorf("the band's lower edge (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{5.5, "-", 5.5, "-"}, values(width)); diff != "" {
		t.Errorf("the band's width (-want +got):\n%s", diff)
	}
	if len(d.Series)-2 > 4 {
		t.Errorf("%d lines, want at most four", len(d.Series)-2)
	}
	want := table{
		Head: []string{"week", "value", "p75", "p90", "95 % interval", "n"},
		Rows: [][]string{
			{"2026-W01", "9 h", "18 h", "27 h", "7.5 – 13 h", "10"}, {"2026-W02", "no data", "no data", "no data", "–", "–"},
			{"2026-W03", "12 h", "24 h", "36 h", "10.5 – 16 h", "12"}, {"2026-W04 (running)", "6 h", "12 h", "18 h", "4.5 – 10 h", "13"},
		},
	}
	if diff := cmp.Diff(want, c.Table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// The band ends where the interval ends, whatever the numbers: lower edge and width sum to the upper bound.
func TestTheBandIsTheInterval(t *testing.T) {
	def := found(t, "change_failure_rate")
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0, 1)
		list := points(rapid.SliceOfN(rapid.OneOf(rapid.Just[any](nil), rapid.Map(share, func(f float64) any { return f })), 1, 30).Draw(t, "values")...)
		for i, p := range list {
			if p.Value != nil && rapid.Bool().Draw(t, "has an interval") {
				list[i].Interval = bounds(p.Value.(float64)*share.Draw(t, "low"), 1-(1-p.Value.(float64))*share.Draw(t, "high"))
			}
		}
		c := seriesChart("series", def, metrics.Result{Bucket: metrics.Week, Unit: "ratio", Series: list}, nil)
		if len(c.Table.Rows) != len(list) {
			t.Fatalf("the table has %d rows, want %d", len(c.Table.Rows), len(list))
		}
		if !slices.ContainsFunc(list, has) {
			if c.Empty == "" || c.Options != nil {
				t.Fatalf("a chart of nothing is drawn: %v", c.Options)
			}
			return
		}
		d := drawn(t, c)
		banded := slices.ContainsFunc(d.Series, func(s series) bool { return s.Stack != "" })
		for i, p := range list {
			value := d.line(t, def.Title).Data[i].Value
			if f, ok := p.Value.(float64); ok && value != f || !ok && value != gap {
				t.Fatalf("%v is drawn as %v", p.Value, value)
			}
			if got, want := c.Table.Rows[i][1], words.Value(p.Value, "ratio"); got != want {
				t.Fatalf("%v is %q in the table, want %q", p.Value, got, want)
			}
			if !banded {
				if p.Interval != nil {
					t.Fatal("there is no band")
				}
				continue
			}
			low, width := d.line(t, "interval from").Data[i].Value, d.line(t, "interval").Data[i].Value
			if p.Interval == nil {
				if low != gap || width != gap {
					t.Fatalf("a band from nothing: %v, %v", low, width)
				}
				continue
			}
			if low != p.Interval[0] || math.Abs(low.(float64)+width.(float64)-p.Interval[1]) > 1e-12 {
				t.Fatalf("the band of %v is from %v, %v wide", *p.Interval, low, width)
			}
		}
	})
}

// Counts are bars: none is a bar of no height, unknown is a gap, and the running bucket is lighter.
func TestBars(t *testing.T) {
	list := points(3.0, 0.0, nil, 2.0)
	list[3].Partial = true
	c := seriesChart("series", found(t, "deployment_count"), metrics.Result{Bucket: metrics.Week, Unit: "deployments", Series: list}, []mark{{Label: "2026-W02", Name: "owner changed"}})
	d := drawn(t, c)
	s := d.line(t, "Deployments")
	if diff := cmp.Diff([]any{3.0, 0.0, "-", 2.0}, values(s)); diff != "" || s.Type != "bar" {
		t.Errorf("%s (-want +got):\n%s", s.Type, diff)
	}
	for i, p := range s.Data {
		if lighter := p.ItemStyle.Opacity != nil && *p.ItemStyle.Opacity < 1; lighter != list[i].Partial {
			t.Errorf("bar %d: lighter is %v, running is %v", i, lighter, list[i].Partial)
		}
	}
	if diff := cmp.Diff([]any{"2026-W01", "2026-W02", "2026-W03", "2026-W04"}, d.XAxis[0].Data); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	if len(s.MarkLine.Data) != 1 || s.MarkLine.Data[0].XAxis != "2026-W02" || s.MarkLine.Data[0].Name != "owner changed" {
		t.Errorf("got marks %v", s.MarkLine.Data)
	}
	if d.YAxis[0].Min != 0.0 {
		t.Errorf("counts begin at %v, want 0", d.YAxis[0].Min)
	}
	if diff := cmp.Diff([][]string{{"2026-W01", "3", "–", "10"}, {"2026-W02", "0", "–", "11"}, {"2026-W03", "no data", "–", "–"}, {"2026-W04 (running)", "2", "–", "13"}}, c.Table.Rows); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// Durations that spread far are drawn on a logarithmic axis, but never where something on it is 0.
func TestAxes(t *testing.T) {
	spread := func(least, most float64, low float64) metrics.Result {
		list := points(least, most)
		list[0].Interval = bounds(low, least)
		return metrics.Result{Bucket: metrics.Week, Statistic: metrics.StatisticP50, Series: list}
	}
	for _, c := range []struct {
		name, metric string
		res          metrics.Result
		want         string
	}{
		{"close", "lead_time", spread(2, 40, 1), "value"}, {"far", "lead_time", spread(2, 90, 1), "log"}, {"far from 0", "lead_time", spread(0, 90, 0), "value"},
		{"an interval from 0", "lead_time", spread(2, 90, 0), "value"}, {"shares", "adoption_rate", spread(0.01, 0.9, 0), "value"},
	} {
		y := drawn(t, seriesChart("series", found(t, c.metric), c.res, nil)).YAxis[0]
		if y.Type != c.want || y.Type == "value" && y.Min != 0.0 {
			t.Errorf("%s: got an axis %q from %v, want %q", c.name, y.Type, y.Min, c.want)
		}
	}
}

// everyChart is one of each kind, with everything that it can have.
func everyChart(t *testing.T) map[string]chart {
	marks := []mark{{Label: "2026-W02", Name: "owner changed"}}
	counted := leadTimes()
	counted.Unit = "deployments"
	v := seen(t, "last=4w", "UTC", "2026-05-20")
	return map[string]chart{
		"lines": seriesChart("series", found(t, "lead_time"), leadTimes(), marks), "bars": seriesChart("series", found(t, "deployment_count"), counted, marks),
		"distribution": distribution("distribution", found(t, "lead_time"), []float64{0, 1, 2, 3, 400}, map[string]float64{"p50": 2, "p75": 3, "p90": 400}),
		"dots":         dots("by-team", found(t, "lead_time"), []metrics.Group{{Key: "a", Value: 3.0, N: int64(9), Interval: bounds(1, 4)}}),
		"timeline": timeline("timeline", v, []string{"shop"}, []occurrence{
			{At: v.Window.From, Row: "shop", Kind: "deployment"}, {At: v.Window.From, Row: "shop", Kind: "failure"}, {At: v.Window.From, Row: "shop", Kind: "rollback"}, {At: v.Window.From, Row: "shop", Kind: "incident"},
		}, marks),
	}
}

// Every colour of every chart is a name that the stylesheet gives a colour in both themes.
func TestChartsFollowTheTheme(t *testing.T) {
	all := themes(t)
	colour := regexp.MustCompile(`(?i)#[0-9a-f]{3,8}|rgba?\(|hsla?\(`)
	name := regexp.MustCompile(`^var\((--[a-z0-9-]+)\)$`)
	for kind, c := range everyChart(t) {
		var look func(v any, under string)
		used := 0
		look = func(v any, under string) {
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					look(x, k)
				}
			case []any:
				for _, x := range v {
					look(x, under)
				}
			case string:
				if colour.MatchString(v) {
					t.Errorf("%s: %s is %q", kind, under, v)
				}
				if !strings.EqualFold(under, "color") && !strings.HasPrefix(v, "var(") {
					return
				}
				m := name.FindStringSubmatch(v)
				if m == nil {
					t.Errorf("%s: %s is %q, want var(--name)", kind, under, v)
					return
				}
				used++
				for theme, properties := range all {
					if properties[m[1]] == "" {
						t.Errorf("%s: there is no %s in the theme %s", kind, m[1], theme)
					}
				}
			}
		}
		text, err := json.Marshal(c.Options)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		var read any
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		look(read, "")
		if used == 0 {
			t.Errorf("%s: no colour at all: %s", kind, text)
		}
	}
}

// A distribution counts every value once, in the class between whose edges it lies; its marks stand in the class of their
// quantile.
func TestDistributionsCountEveryValueOnce(t *testing.T) {
	def := found(t, "lead_time")
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.OneOf(rapid.Float64Range(0, 1e6), rapid.Float64Range(100, 101), rapid.Just(0.0), rapid.Map(rapid.IntRange(0, 5), func(i int) float64 { return float64(i) }))
		list := rapid.SliceOfN(sizes, 2, 200).Draw(t, "values")
		given := slices.Clone(list)
		slices.Sort(given)
		quantiles := map[string]float64{"p50": given[len(given)/2], "p75": given[len(given)*3/4], "p90": given[len(given)*9/10]}
		c := distribution("distribution", def, list, quantiles)
		edges := classes(given)
		if !slices.IsSorted(edges) || edges[0] > given[0] || edges[len(edges)-1] < given[len(given)-1] {
			t.Fatalf("the edges %v do not hold %v", edges, given)
		}
		counted := make([]int, len(edges)-1)
		for _, v := range given {
			i := class(edges, v)
			if v < edges[i] || v > edges[i+1] {
				t.Fatalf("%v is in the class from %v to %v", v, edges[i], edges[i+1])
			}
			counted[i]++
		}
		d := drawn(t, c)
		if len(d.Series[0].Data) != len(counted) || len(d.XAxis[0].Data) != len(counted) || len(c.Table.Rows) != len(counted) {
			t.Fatalf("%d bars, %d labels, %d rows, want %d", len(d.Series[0].Data), len(d.XAxis[0].Data), len(c.Table.Rows), len(counted))
		}
		sum := 0
		for i, bar := range d.Series[0].Data {
			if bar.Value != float64(counted[i]) || c.Table.Rows[i][2] != strconv.Itoa(counted[i]) {
				t.Fatalf("class %d: the bar says %v, the table %s, want %d", i, bar.Value, c.Table.Rows[i][2], counted[i])
			}
			sum += counted[i]
		}
		if sum != len(given) {
			t.Fatalf("%d values are counted, want %d", sum, len(given))
		}
		if len(d.Series[0].MarkLine.Data) != 3 {
			t.Fatalf("got the marks %v, want three", d.Series[0].MarkLine.Data)
		}
		for _, m := range d.Series[0].MarkLine.Data {
			if place := classOf(d.XAxis[0].Data, m.XAxis); place != class(edges, quantiles[m.Name]) {
				t.Fatalf("%s = %v is marked in class %d, want %d", m.Name, quantiles[m.Name], place, class(edges, quantiles[m.Name]))
			}
		}
	})
}

// classOf is where the browser puts a mark: at a place by number, or at the first class of that name.
func classOf(labels []any, at any) int {
	if f, ok := at.(float64); ok {
		return int(f)
	}
	return slices.Index(labels, at)
}

// Of one value, or none, there is no distribution, and the frame says so.
func TestNoDistribution(t *testing.T) {
	for _, list := range [][]float64{nil, {3}} {
		if c := distribution("distribution", found(t, "lead_time"), list, nil); c.Empty == "" || c.Options != nil {
			t.Errorf("of %v: got %q and %v", list, c.Empty, c.Options)
		}
	}
}

// Dots stand in the order of the groups; who has no value is in the table alone.
func TestDots(t *testing.T) {
	c := dots("by-service", found(t, "lead_time"), []metrics.Group{
		{Key: "web", Value: 3.0, N: int64(1063), Interval: bounds(1, 4)}, {Key: "api", Value: nil, N: int64(0)}, {Key: "secret", Value: metrics.Suppressed, N: int64(2)}, {Key: "cart", Value: 0.0, N: int64(5)},
		{Key: "unborn", Value: 0.0, N: int64(0), Flags: []string{metrics.FlagNotDeployed}},
	})
	d := drawn(t, c)
	if diff := cmp.Diff([]any{[]any{3.0, "web"}, []any{0.0, "cart"}}, values(d.Series[0])); diff != "" {
		t.Errorf("dots (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"web", "cart"}, d.YAxis[0].Data); diff != "" || d.Rows != 2 {
		t.Errorf("%d rows (-want +got):\n%s", d.Rows, diff)
	}
	if got, want := d.Series[0].Data[0].Name, "web: 3 h, n = 1,063"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := [][]string{{"web", "3 h", "1 – 4 h", "1,063"}, {"api", "no data", "–", "0"}, {"secret", "suppressed", "–", "2"}, {"cart", "0 min", "–", "5"}, {"unborn", "no data", "–", "–"}}
	if diff := cmp.Diff(want, c.Table.Rows); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if d.XAxis[0].Min != 0.0 {
		t.Errorf("the axis begins at %v, want 0", d.XAxis[0].Min)
	}
	if c := dots("by-service", found(t, "lead_time"), []metrics.Group{{Key: "api"}}); c.Empty == "" || len(c.Table.Rows) != 1 {
		t.Errorf("of nothing: got %q and %d rows", c.Empty, len(c.Table.Rows))
	}
}

// What happened stands where it happened in the clock of the window's zone, in the drawing as in the table.
func TestTimelines(t *testing.T) {
	v := seen(t, "from=2026-10-19&to=2026-10-26&tz=Europe/Berlin", "UTC", "2026-11-24")
	at := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC) // 02:30, for the second time
	c := timeline("timeline", v, []string{"shop", "web"}, []occurrence{
		{At: at, Row: "shop", Kind: "deployment", Words: "v1.4.2, 3 changes", URL: "/deployments/shop/1"}, {At: at.Add(time.Hour), Row: "web", Kind: "incident", Words: "Baskets are lost"},
	}, []mark{{Label: "2026-10-20T00:00:00", Name: "owner changed"}})
	d := drawn(t, c)
	if d.XAxis[0].Min != "2026-10-19T00:00:00" || d.XAxis[0].Max != "2026-10-26T00:00:00" {
		t.Errorf("got an axis from %v to %v", d.XAxis[0].Min, d.XAxis[0].Max)
	}
	if diff := cmp.Diff([]any{[]any{"2026-10-25T02:30:00", "shop", "/deployments/shop/1"}}, values(d.line(t, "deployment"))); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	if got, want := d.line(t, "incident").Data[0].Name, "25 Oct 03:30 · web: Baskets are lost"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if marks := d.line(t, "deployment").MarkLine.Data; len(marks) != 1 || marks[0].XAxis != "2026-10-20T00:00:00" {
		t.Errorf("got marks %v", marks)
	}
	want := [][]string{{"2026-10-25 02:30", "shop", "v1.4.2, 3 changes"}, {"2026-10-25 03:30", "web", "Baskets are lost"}}
	if diff := cmp.Diff(want, c.Table.Rows); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"shop", "web"}, d.YAxis[0].Data); diff != "" || d.Rows != 2 {
		t.Errorf("%d rows (-want +got):\n%s", d.Rows, diff)
	}
	if c := timeline("timeline", v, nil, nil, nil); c.Empty == "" || c.Options != nil {
		t.Errorf("of nothing: got %q and %v", c.Empty, c.Options)
	}
}

// A timeline has a row for everything that happened in it, also to services that the team has given away.
func TestTimelinesHaveARowForEverything(t *testing.T) {
	got := names([]metrics.ServiceRecord{{ID: "web"}, {ID: "api"}}, []metrics.DeploymentRecord{{Service: "web"}, {Service: "cart"}}, []metrics.IncidentRecord{{Service: "away"}, {Service: ""}, {Service: "api"}})
	if diff := cmp.Diff([]string{"api", "away", "cart", "web"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Deployments are told apart by what became of them, and each leads to its page.
func TestOccurrences(t *testing.T) {
	v := seen(t, "last=4w", "UTC", "2026-05-20")
	at := func(hour int) time.Time { return time.Date(2026, 5, 1, hour, 0, 0, 0, time.UTC) }
	sha := strings.Repeat("ab", 20)
	list := occurrences(v, []metrics.DeploymentRecord{
		{ID: "3", Service: "a/b c", DeployedAt: at(3), Kind: "rollback", Version: "v1"}, {ID: sha, Service: "shop", DeployedAt: at(2), Kind: "change", Changes: 1, Failed: true},
		{ID: "1", Service: "shop", DeployedAt: at(1), Kind: "change", Changes: 2, Version: "v1"},
	}, []metrics.IncidentRecord{{ID: "I1", Service: "shop", StartedAt: at(0)}, {ID: "I2", Title: "of nobody"}})
	var got []string
	for _, o := range list {
		got = append(got, fmt.Sprintf("%d %s %s %q %s", o.At.Hour(), o.Kind, o.Row, o.Words, o.URL))
	}
	want := []string{
		`0 incident shop "I1" `, `1 deployment shop "v1, 2 changes" /deployments/shop/1?last=4w`, `2 failure shop "abababababab, 1 change, failed" /deployments/shop/` + sha + `?last=4w`,
		`3 rollback a/b c "rollback to v1" /deployments/a%2Fb%20c/3?last=4w`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The stages' widths are their shares, in order; a stage without a median has none, and no width is made up.
func TestStages(t *testing.T) {
	answers := func(medians ...any) stageAnswers {
		list := make(stageAnswers, len(metrics.Stages()))
		for i := range list {
			list[i] = metrics.Result{Value: medians[i], N: int64(7)}
		}
		return list
	}
	b := answers(1.0, nil, 2.0, 1.0, 0.0).bar()
	widths := regexp.MustCompile(`class="stage-([a-z_]+)" x="([0-9.]+)" y="0" width="([0-9.]+)"`).FindAllStringSubmatch(string(b.Bar), -1)
	var got []string
	for _, w := range widths {
		got = append(got, strings.Join(w[1:], " "))
	}
	if diff := cmp.Diff([]string{"coding 0.0 250.0", "review 250.0 500.0", "wait_to_deploy 750.0 250.0", "deploy 1000.0 0.0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.Longest != "Most time goes into review." || b.Stages[1].Value != "no data" || b.Stages[1].N != "7" {
		t.Errorf("got %q and %v", b.Longest, b.Stages)
	}
	if b := answers(nil, nil, nil, nil, nil).bar(); b.Stages != nil || b.Bar != "" || b.Longest != "" {
		t.Errorf("of nothing: got %v", b)
	}
	for _, stage := range metrics.Stages() {
		if !strings.Contains(stylesheet(t), ".stage-"+stage+" {") {
			t.Errorf("style.css gives the stage %s no colour", stage)
		}
	}
}

func stylesheet(t *testing.T) string {
	t.Helper()
	return string(unfed(t).assets["style.css"].content)
}

// What happened at an instant is marked on the bucket in which that lies, once, and not at all outside of the window.
func TestMarksStandOnTheirBuckets(t *testing.T) {
	series := []metrics.Point{
		{From: "2026-01-01T00:00:00", To: "2026-02-01T00:00:00", Label: "2026-01"}, {From: "2026-02-01T00:00:00", To: "2026-03-01T00:00:00", Label: "2026-02"},
	}
	got := bucketMarks(series, []mark{
		{Label: "2025-12-31T23:59:59", Name: "before"}, {Label: "2026-02-01T00:00:00", Name: "first"}, {Label: "2026-02-28T23:00:00", Name: "second"}, {Label: "2026-03-01T00:00:00", Name: "after"},
	})
	if want := []mark{{Label: "2026-02", Name: "first"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What nobody could tell apart is not drawn; the table has it.
func TestTooManyAreNotDrawnSideBySide(t *testing.T) {
	var groups []metrics.Group
	for i := range mostDots + 1 {
		groups = append(groups, metrics.Group{Key: fmt.Sprintf("s%03d", i), Value: 1.0, N: int64(1)})
	}
	def := metrics.Definition{ID: "lead_time", Title: "Lead time", Unit: "hours"}
	if c := dots("by", def, groups); c.Empty == "" || c.Options != nil || len(c.Table.Rows) != len(groups) {
		t.Errorf("drew %d: %q, %d rows in the table", len(groups), c.Empty, len(c.Table.Rows))
	}
	if c := dots("by", def, groups[1:]); c.Empty != "" || c.Options == nil {
		t.Errorf("did not draw %d: %q", len(groups)-1, c.Empty)
	}
}
