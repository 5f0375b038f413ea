package grafana

//lint:file-ignore SA1019 the form that every Grafana since 12 reads from files; that of dashboardv2 is for later ones

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Units, as Grafana names them.
const (
	seconds = "s"
	share   = "percentunit"
	number  = "none"
	bytes   = "bytes"
	rate    = "eps"
)

// board is a dashboard in the making. Panels have ids in the order in which they are added.
type board struct {
	*dashboard.DashboardBuilder
	step   string // smallest distance of the points of a chart
	panels uint32
}

// newBoard begins a dashboard. page is cairn's page about the same thing.
func newBoard(id, title, description, page, from, step string) *board {
	b := &board{dashboard.NewDashboardBuilder(title).Uid("cairn-"+id).Description(description).Tags([]string{"cairn"}).
		Time(from, "now").Timezone("utc").Readonly().Tooltip(dashboard.DashboardCursorSyncCrosshair), step, 0}
	b.WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus").Current(option("cairn", "cairn")))
	b.WithVariable(b.query("cairn", "label_values(cairn_site_info, url)").Hide(dashboard.VariableHideHideVariable).Description("Where cairn's pages are: prometheus.site of its configuration."))
	b.Link(dashboard.NewDashboardLinkBuilder("Dashboards of cairn").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"cairn"}).AsDropdown(true).IncludeVars(true).KeepTime(true))
	b.Link(dashboard.NewDashboardLinkBuilder("In cairn").Type(dashboard.DashboardLinkTypeLink).Icon("external link").Tooltip("The page of cairn about this").Url(in(page)).TargetBlank(true))
	return b
}

// build is the dashboard, or what is wrong with it.
func (b *board) build() (dashboard.Dashboard, error) { return b.DashboardBuilder.Build() }

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func option(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true), Text: dashboard.StringOrArrayOfString{String: &text}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// query is a variable whose values the data source lists.
func (b *board) query(name, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Datasource(source()).Definition(query).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "variable", "qryType": 1}}).
		Refresh(dashboard.VariableRefreshOnDashboardLoad).Sort(dashboard.VariableSortAlphabeticalAsc)
}

// windows lets readers choose how long the window is that ends at each point.
func (b *board) windows(usual string) {
	var options []dashboard.VariableOption
	for _, length := range []string{"7d", "28d", "90d"} {
		o := option(length, length)
		o.Selected = cog.ToPtr(length == usual)
		options = append(options, o)
	}
	b.WithVariable(dashboard.NewCustomVariableBuilder("window").Label("Window").Description("Each point is the number of the window of this length that ends there.").
		Values(dashboard.StringOrMap{String: cog.ToPtr("7d,28d,90d")}).Options(options).Current(option(usual, usual)))
}

func (b *board) environments() {
	b.WithVariable(b.query("environment", "label_values(cairn_deployments_total, environment)").Label("Environment").Current(option("production", "production")))
}

// in is the address of a page of cairn with the same span of time, and further parameters in pairs of name and value.
func in(page string, pairs ...string) string {
	var address strings.Builder
	address.WriteString("${cairn:raw}" + page + "?from=${__from:date:iso}&to=${__to:date:iso}")
	for i := 0; i < len(pairs); i += 2 {
		address.WriteString("&" + pairs[i] + "=" + pairs[i+1])
	}
	return address.String()
}

func link(title, address string) cog.Builder[dashboard.DashboardLink] {
	return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).Url(address).TargetBlank(true)
}

// marks has the charts show when something happened, from a counter.
func (b *board) marks(name, selector, title, tags, colour string, shown bool) {
	expr := fmt.Sprintf("changes(%s[$__interval])", selector)
	b.Annotation(dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(source()).Enable(shown).IconColor(colour).
		Target(prometheus.NewDataqueryBuilder().RefId("Anno").Expr(expr).Interval("1h").Range()).
		Expr(expr).Step("1h").TitleFormat(title).TextFormat("by the end of this step").TagKeys(tags))
}

// line is one expression of a panel.
type line struct{ expr, legend string }

// panel is what all panels have.
type panel struct {
	title, about string
	metric       string   // of cairn, whose page says what the number is; "" for none
	to           []string // parameters of that page, in pairs
	unit         string
	wide, high   uint32
}

// description says what a number is and where more of it is said.
func (p panel) description() string {
	if p.metric == "" {
		return p.about
	}
	return fmt.Sprintf("%s\n\n[What it means](${cairn:raw}/docs/metrics/%s) · [evidence](%s)", p.about, p.metric, p.evidence())
}

func (p panel) evidence() string { return in("/metrics/"+p.metric, p.to...) }

func (p panel) links() []cog.Builder[dashboard.DashboardLink] {
	if p.metric == "" {
		return nil
	}
	return []cog.Builder[dashboard.DashboardLink]{link("Evidence in cairn", p.evidence())}
}

func (b *board) next() uint32 { b.panels++; return b.panels }

func (b *board) row(title string) { b.WithRow(dashboard.NewRowBuilder(title).Id(b.next())) }

// letter is the refId of a panel's n-th expression.
func letter(n int) string { return string(rune('A' + n)) }

// chart shows how numbers went. Where there is no number the line is broken.
func (b *board) chart(p panel, lines ...line) {
	c := timeseries.NewPanelBuilder().Id(b.next()).Title(p.title).Description(p.description()).Datasource(source()).Unit(p.unit).Span(p.wide).Height(p.high).
		Interval(b.step).MaxDataPoints(120).Min(0).LineWidth(2).FillOpacity(0).ShowPoints(common.VisibilityModeAuto).SpanNulls(common.BoolOrFloat64{Bool: cog.ToPtr(false)}).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		DataLinks(p.links()).Links(p.links())
	if p.unit == points {
		c.Unit(number).Min(-100).Max(100)
	}
	for i, l := range lines {
		c.WithTarget(prometheus.NewDataqueryBuilder().RefId(letter(i)).Datasource(source()).Expr(l.expr).LegendFormat(l.legend).Interval(b.step).Range())
	}
	b.WithPanel(c)
}

// points is the unit of scores from -100 to 100.
const points = "points"

// now shows numbers of the window that ends with the span of time, and of how many cases they are.
func (b *board) now(p panel, value line, samples string) {
	unit := p.unit
	if unit == points {
		unit = number
	}
	s := stat.NewPanelBuilder().Id(b.next()).Title(p.title).Description(p.description()).Datasource(source()).Unit(unit).Span(p.wide).Height(p.high).NoValue("no data").
		Orientation(common.VizOrientationAuto).GraphMode(common.BigValueGraphModeNone).ColorMode(common.BigValueColorModeNone).TextMode(common.BigValueTextModeValueAndName).Links(p.links()).DataLinks(p.links()).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Values(false)).
		WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Datasource(source()).Expr(value.expr).LegendFormat(value.legend).Instant())
	if samples != "" {
		s.WithTarget(prometheus.NewDataqueryBuilder().RefId("B").Datasource(source()).Expr(samples).LegendFormat("cases").Instant()).
			OverrideByQuery("B", []dashboard.DynamicConfigValue{{Id: "unit", Value: number}})
	}
	b.WithPanel(s)
}

// column is a number of each row of a table.
type column struct{ title, expr, unit string }

// list shows numbers of many, one a row, each with links of its own.
func (b *board) list(p panel, label, name string, to []cog.Builder[dashboard.DashboardLink], columns ...column) {
	order, names := map[string]any{label: 0}, map[string]any{label: name}
	t := table.NewPanelBuilder().Id(b.next()).Title(p.title).Description(p.description()).Datasource(source()).Span(p.wide).Height(p.high).Filterable(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).Links(p.links())
	for i, c := range columns {
		field := "Value #" + letter(i)
		if len(columns) == 1 {
			field = "Value"
		}
		order[field], names[field] = i+1, c.title
		t.WithTarget(prometheus.NewDataqueryBuilder().RefId(letter(i)).Datasource(source()).Expr(c.expr).Format(prometheus.PromQueryFormatTable).Instant()).
			OverrideByName(c.title, []dashboard.DynamicConfigValue{{Id: "unit", Value: c.unit}})
	}
	var links []dashboard.DashboardLink
	for _, l := range to {
		made, err := l.Build()
		if err != nil {
			b.RecordError(p.title, err)
			return
		}
		links = append(links, made)
	}
	t.OverrideByName(name, []dashboard.DynamicConfigValue{{Id: "links", Value: links}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"excludeByName": map[string]any{"Time": true}, "indexByName": order, "renameByName": names}})
	b.WithPanel(t)
}
