package dashboards

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"cairn/internal/param"
	"cairn/metrics"
	"cairn/metrics/words"
)

// metricPage is what /metrics/{id} shows: one metric in depth.
type metricPage struct {
	Definition metrics.Definition
	Sentence   string // what it is, in one sentence
	Card       card
	Of         string // whose numbers; "" for everybody's
	OfLink     string
	Choices    []choice // statistics, stages, capabilities
	Series     chart
	Spread     *chart
	Groups     []groupChart
	Parts      [][2]string
	Evidence   []evidenceRow
	LeftOut    []metrics.LeftOut
	Note       string
	First      string
	Next       string
	API        string // the API call with the same answer
	CSV        string
	EvidenceAt string // the API call for the evidence
}

// choice is a parameter with its possible values.
type choice struct {
	Title  string
	Values []choiceValue
}

type choiceValue struct {
	Words, Link string
	Chosen      bool
}

type groupChart struct {
	Title, Param string
	Chart        chart
}

// evidenceRow is one fact behind the number.
type evidenceRow struct {
	metrics.Item
	Words   string // the value
	Link    string // the page about it
	Remarks string // what else is told of it
}

// evidencePage is how many facts are listed at a time.
const evidencePage = 100

func (p *Pages) metric(c echo.Context) error {
	v, err := p.view(c, "service", "team", "statistic", "stage", "capability", "survey", "question", "include_bots", "offset")
	if err != nil {
		return err
	}
	def, err := p.deps.Engine.Find(c.Param("id"))
	if err != nil {
		return err
	}
	r := metrics.Request{
		Metric: def.ID, Scope: metrics.Scope{Service: c.QueryParam("service"), Team: c.QueryParam("team")}, Window: v.Window, Environment: v.Environment,
		Statistic: c.QueryParam("statistic"), Stage: c.QueryParam("stage"), Capability: c.QueryParam("capability"), Survey: c.QueryParam("survey"), Question: c.QueryParam("question"),
	}
	if r.IncludeBots, err = param.Boolean(c.QueryParams(), "include_bots"); err != nil {
		return err
	}
	offset, err := param.Whole(c.QueryParams(), "offset")
	if err != nil {
		return err
	}
	spread := spreads(def) && r.Stage == "" // the evidence has whole lead times
	b := metricPage{Definition: def, Sentence: p.docs.sentence(def.ID)}
	own := own(c.QueryParams())
	bucketed := r
	bucketed.Bucket = bucketFor(def, v.Bucket)
	var ev metrics.Evidence
	var res metrics.Result
	var byTeam, byService metrics.Result
	var values []float64
	var more bool
	q := p.ask(c.Request().Context())
	q.answer(&res, v, bucketed)
	find(q, &ev, func(ctx context.Context) (metrics.Evidence, error) {
		return p.deps.Engine.Explain(ctx, bucketed, metrics.Page{Limit: evidencePage, Offset: offset})
	})
	if spread {
		q.do(func(ctx context.Context) (err error) {
			values, more, err = p.deps.Engine.Spread(ctx, bucketed)
			return err
		})
	}
	var handedOver []mark
	switch {
	case r.Scope.Team != "":
		q.do(func(ctx context.Context) (err error) {
			_, handedOver, err = p.owned(ctx, v, metrics.ServiceFilter{Team: r.Scope.Team, IncludeRetired: true})
			return err
		})
	case r.Scope.Service != "":
		find(q, &handedOver, func(ctx context.Context) ([]mark, error) {
			service, err := p.deps.Engine.Service(ctx, r.Scope.Service)
			if err != nil {
				return nil, err
			}
			return p.handedOver(ctx, v, []metrics.ServiceRecord{service})
		})
	}
	for by, to := range map[string]*metrics.Result{metrics.GroupByTeam: &byTeam, metrics.GroupByService: &byService} {
		if r.Scope.Service != "" || by == metrics.GroupByTeam && r.Scope.Team != "" || !slices.Contains(def.GroupBy, by) {
			continue
		}
		grouped := r
		grouped.GroupBy, grouped.GroupsOnly, grouped.NoPrevious = by, true, true
		q.answer(to, v, grouped)
	}
	if err := q.wait(); err != nil {
		return err
	}
	b.Card = newCard(v, def, res)
	if r.Stage != "" && b.Card.Missing != "" {
		b.Card.Missing = "No data: no change of this window went through this stage"
	}
	b.Of, b.OfLink = res.Scope.Service, v.Link(place("services", res.Scope.Service))
	if res.Scope.Team != "" {
		b.Of, b.OfLink = res.Scope.Team, v.Link(place("teams", res.Scope.Team))
	}
	b.Choices = p.choices(v, def, r, own)
	if bucketed.Bucket != metrics.Whole {
		b.Series = seriesChart("series", def, res, bucketMarks(res.Series, handedOver))
		b.Series.Links = bucketLinks(v, def, res, own)
	}
	if spread {
		spread := distribution("distribution", def, values, quantilesOf(res))
		if more {
			spread.Caption = "Of the first 10,000"
		}
		b.Spread = &spread
	}
	if len(byTeam.Groups) > 0 {
		b.Groups = append(b.Groups, groupChart{"By team", "team", dots("by-team", def, byTeam.Groups)})
	}
	if len(byService.Groups) > 0 {
		b.Groups = append(b.Groups, groupChart{"By service", "service", dots("by-service", def, byService.Groups)})
	}
	b.Parts = partsOf(res)
	b.Evidence, b.LeftOut, b.Note = p.evidenceRows(v, def, ev), ev.LeftOut, ev.Note
	self := place("metrics", def.ID)
	if ev.Next != 0 {
		b.Next = v.Link(self, append(slices.Clone(own), "offset", strconv.Itoa(ev.Next))...) + "#evidence"
	}
	if offset > 0 {
		b.First = v.Link(self, own...) + "#evidence"
	}
	call := v.fixed()
	for i := 0; i+1 < len(own); i += 2 {
		call.Set(own[i], own[i+1])
	}
	b.EvidenceAt = "/api/v1/metrics/" + url.PathEscape(def.ID) + "/evidence?" + call.Encode()
	if bucketed.Bucket != metrics.Whole {
		call.Set("bucket", string(bucketed.Bucket))
	}
	b.API = "/api/v1/metrics/" + url.PathEscape(def.ID) + "?" + call.Encode()
	call.Set("format", "csv")
	b.CSV = "/api/v1/metrics/" + url.PathEscape(def.ID) + "?" + call.Encode()
	pg := page{Title: def.Title, Nav: "metrics", View: v, AsOf: res.AsOf, Body: b}
	for i := 0; i+1 < len(own); i += 2 {
		pg.Keep = append(pg.Keep, [2]string{own[i], own[i+1]})
	}
	return p.show(c, "metric", pg)
}

// bucketMarks puts marks, whose labels are local times, on the buckets in which they lie.
func bucketMarks(series []metrics.Point, marks []mark) []mark {
	var list []mark
	for _, m := range marks {
		at, _ := m.Label.(string)
		i := slices.IndexFunc(series, func(p metrics.Point) bool { return p.From <= at && at < p.To })
		if i >= 0 && !slices.ContainsFunc(list, func(known mark) bool { return known.Label == series[i].Label }) {
			list = append(list, mark{Label: series[i].Label, Name: m.Name})
		}
	}
	return list
}

// bucketLinks are the addresses of the same page over one bucket each, with what stands behind that.
func bucketLinks(v view, def metrics.Definition, res metrics.Result, own []string) []string {
	links := make([]string, len(res.Series))
	for i, p := range res.Series {
		if n, ok := words.Sample(p.N); ok && n > 0 {
			links[i] = v.Link(place("metrics", def.ID), append(slices.Clone(own), "last", "", "bucket", "", "from", day(p.From), "to", day(p.To))...) + "#evidence"
		}
	}
	return links
}

// own are the parameters of a question that are no part of the view, name and value.
func own(given url.Values) []string {
	var list []string
	for _, name := range []string{"service", "team", "statistic", "stage", "capability", "survey", "question", "include_bots"} {
		if text := given.Get(name); text != "" {
			list = append(list, name, text)
		}
	}
	return list
}

// bucketFor is the view's bucket, or the next larger one that a metric can be cut into; none for waves of surveys.
func bucketFor(def metrics.Definition, b metrics.Bucket) metrics.Bucket {
	switch {
	case def.Evidence() == "answers":
		return metrics.Whole
	case def.ID == "deploy_days_per_week" && (b == metrics.Day || b == metrics.Week):
		return metrics.Month
	}
	return b
}

// spreads says whether single cases behind a metric have a duration that is worth a distribution.
func spreads(def metrics.Definition) bool {
	switch def.ID {
	case "lead_time", "failed_deployment_recovery", "time_to_restore", "time_to_first_deployment_service", "waiting_changes":
		return true
	}
	return false
}

// quantilesOf are the quantiles that an answer tells.
func quantilesOf(res metrics.Result) map[string]float64 {
	q := map[string]float64{}
	for _, name := range []string{metrics.StatisticP50, metrics.StatisticP75, metrics.StatisticP90} {
		if v, ok := res.Parts[name].(float64); ok {
			q[name] = v
		}
	}
	return q
}

// choices are the parameters that this metric has beside the window.
func (p *Pages) choices(v view, def metrics.Definition, r metrics.Request, own []string) []choice {
	var list []choice
	add := func(title, param, chosen string, values []string, first string) {
		if len(values) == 0 {
			return
		}
		ch := choice{Title: title}
		for _, value := range values {
			set := value
			if value == first {
				set = ""
			}
			text := value
			if text == "" {
				text = "all"
			}
			ch.Values = append(ch.Values, choiceValue{Words: words.Plain(text), Chosen: chosen == set || chosen == value, Link: v.Link(place("metrics", def.ID), append(slices.Clone(own), param, set)...)})
		}
		list = append(list, ch)
	}
	if len(def.Statistics) > 1 {
		add("Statistic", "statistic", r.Statistic, def.Statistics, def.Statistics[0])
	}
	if def.ID == "lead_time" {
		add("Stage", "stage", r.Stage, append([]string{""}, metrics.Stages()...), "")
	}
	if def.Evidence() == "adoption" {
		add("Capability", "capability", r.Capability, append([]string{""}, p.deps.Engine.Capabilities()...), "")
	}
	return list
}

// partsOf are the further counts of an answer, in words.
func partsOf(res metrics.Result) [][2]string {
	var list [][2]string
	for _, name := range slices.Sorted(maps.Keys(res.Parts)) {
		value := res.Parts[name]
		if n, ok := words.Sample(value); ok && n == 0 {
			if f, isFloat := value.(float64); !isFloat || f == 0 {
				continue
			}
		}
		list = append(list, [2]string{words.Plain(name), words.Value(value, words.PartUnit(name, res.Unit))})
	}
	return list
}

// remarks are the details of a fact that no column shows.
func remarks(item metrics.Item) string {
	var list []string
	for _, name := range []string{"title", "author", "version", "evidence", "exemption_reason", "failed_rule", "rework_rule", "repository", "merged_at", "restored_at", "created_via", "flags"} {
		if text := item.Details[name]; text != "" && text != item.Rule {
			list = append(list, words.Plain(name)+": "+words.Short(text))
		}
	}
	return strings.Join(list, "; ")
}

// evidenceRows put the facts behind a number into words and link them.
func (p *Pages) evidenceRows(v view, def metrics.Definition, ev metrics.Evidence) []evidenceRow {
	rows := make([]evidenceRow, len(ev.Items))
	for i, item := range ev.Items {
		r := evidenceRow{Item: item, Words: "–", Remarks: remarks(item)}
		if item.Value != nil {
			unit := def.Unit
			if unit != "days" {
				unit = "hours"
			}
			r.Words = words.Value(*item.Value, unit)
		}
		deployment := item.Deployment
		if deployment == "" && (def.Evidence() == "deployments" || def.Evidence() == "failures") {
			deployment = item.ID
		}
		if deployment != "" && item.Service != "" {
			r.Link = v.Link("/deployments/" + url.PathEscape(item.Service) + "/" + url.PathEscape(deployment))
		}
		rows[i] = r
	}
	return rows
}
