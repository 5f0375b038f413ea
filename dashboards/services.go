package dashboards

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/metrics"
)

// cataloguePage is what /services shows.
type cataloguePage struct {
	Filter   metrics.ServiceFilter
	Services []serviceRow
	Total    int64
	Facets   []facet
	Next     string
	Newest   string
	Empty    bool // nothing is known at all
}

// facet is one way to narrow the catalogue.
type facet struct {
	Param, Title string
	Values       []facetValue
	Long         bool
}

type facetValue struct {
	Value, Words string
	Count        int64
	Chosen       bool
}

// catalogued is how many services the catalogue shows at a time.
const catalogued = 100

func (p *Pages) services(c echo.Context) error {
	v, err := p.view(c, "q", "owner", "lifecycle", "tier", "golden_path", "retired", "cursor", "part")
	if err != nil {
		return err
	}
	for name, only := range map[string]string{"retired": "true", "part": "results"} {
		if text := c.QueryParam(name); text != "" && text != only {
			return fault.New(fault.Invalid, "%s is %q: expected %s, or nothing", name, text, only)
		}
	}
	f := metrics.ServiceFilter{
		Search: c.QueryParam("q"), Team: c.QueryParam("owner"), Lifecycle: c.QueryParam("lifecycle"), Tier: c.QueryParam("tier"),
		GoldenPath: c.QueryParam("golden_path"), IncludeRetired: c.QueryParam("retired") == "true",
	}
	var list metrics.ServiceList
	var frequency, leadTimes metrics.Result
	q := p.ask(c.Request().Context())
	find(q, &list, func(ctx context.Context) (metrics.ServiceList, error) {
		return p.deps.Engine.Services(ctx, f, metrics.Paging{Limit: catalogued, Cursor: c.QueryParam("cursor")})
	})
	q.answer(&frequency, v, metrics.Request{Metric: "deployments_per_week", Bucket: v.Bucket, GroupBy: metrics.GroupByService, GroupsOnly: true, NoPrevious: true})
	q.answer(&leadTimes, v, metrics.Request{Metric: "lead_time", Bucket: v.Bucket, GroupBy: metrics.GroupByService, GroupsOnly: true, NoPrevious: true})
	if err := q.wait(); err != nil {
		return err
	}
	b := cataloguePage{Filter: f, Total: list.Total, Services: serviceRows(list.Services, p.deps.Engine.Capabilities(), frequency, leadTimes)}
	keep := [][2]string{{"q", f.Search}, {"owner", f.Team}, {"lifecycle", f.Lifecycle}, {"tier", f.Tier}, {"golden_path", f.GoldenPath}, {"retired", c.QueryParam("retired")}}
	b.Facets = []facet{
		facetOf("owner", "Owner", list.Facets[metrics.FacetOwner], f.Team), facetOf("lifecycle", "Lifecycle", list.Facets[metrics.FacetLifecycle], f.Lifecycle),
		facetOf("tier", "Tier", list.Facets[metrics.FacetTier], f.Tier), facetOf("golden_path", "Golden path", list.Facets[metrics.FacetGoldenPath], f.GoldenPath),
	}
	pg := page{Title: "Services", Nav: "services", View: v, AsOf: frequency.AsOf, Path: "/services"}
	for _, k := range keep {
		if k[1] != "" {
			pg.Keep = append(pg.Keep, k)
		}
	}
	b.Empty = list.Total == 0 && len(pg.Keep) == 0
	if list.Next != "" {
		b.Next = pg.Self("cursor", list.Next)
	}
	if c.QueryParam("cursor") != "" {
		b.Newest = pg.Self()
	}
	pg.Body = b
	if c.QueryParam("part") == "results" {
		return p.part(c, "services", "results", pg)
	}
	return p.show(c, "services", pg)
}

// part answers with a part of a page, for the script that puts it in place.
func (p *Pages) part(c echo.Context, name, part string, pg page) error {
	var out bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&out, part, pg); err != nil {
		return fmt.Errorf("dashboards: part %q of page %q: %w", part, name, err)
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.HTMLBlob(http.StatusOK, out.Bytes())
}

func facetOf(param, title string, values []metrics.Facet, chosen string) facet {
	f := facet{Param: param, Title: title, Long: len(values) > 12}
	for _, v := range values {
		words := v.Value
		if words == "" {
			words = "not told"
		}
		f.Values = append(f.Values, facetValue{Value: v.Value, Words: words, Count: v.Count, Chosen: v.Value == chosen && chosen != ""})
	}
	return f
}
