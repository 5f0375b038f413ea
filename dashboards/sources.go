package dashboards

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"cairn/internal/fault"
	"cairn/metrics"
	"cairn/metrics/words"
)

// sourcesPage is what /sources shows: every system that facts come from.
type sourcesPage struct {
	Sentences []string
	Sources   []sourceSection
	Tellers   []tellerRow
}

// tellerRow is who tells facts, and which.
type tellerRow struct {
	Name, Title string
	Place       string // its page; "" for one that is neither read nor heard
	Kinds       []tellerKind
	Latest      string
}

type tellerKind struct{ Kind, Latest string }

// sourcePage is what /sources/{name} shows: one of them with its repositories, or one repository with its streams.
type sourcePage struct {
	Source   sourceSection
	Filter   metrics.SubjectFilter
	Subject  string
	Streams  []streamRow
	Lede     []string
	Whole    string // the address without a filter; "" when there is none
	Failing  string // that of the repositories with a stream that cannot be read
	AllOfOne string // that of the whole source
}

// sourceSection is what a page tells of a source.
type sourceSection struct {
	metrics.SourceRecord
	Title     string
	Place     string // its own page
	Sentences []string
	Facts     [][2]string // what and how much
	Progress  progress
	Heard     []heard
	Refused   int64
	Problems  []sourceProblem
	Table     subjectTable
	Own       []streamRow
	List      subjectPages
}

// progress is how much of something is done; Words is "" where there is nothing to tell.
type progress struct {
	Done, Total int64
	Words       string
}

// heard are webhooks with one outcome.
type heard struct {
	Event, Outcome, Reason, Times, Latest string
	Bad                                   bool
}

// sourceProblem is why streams cannot be read, and what happens next.
type sourceProblem struct {
	metrics.SourceProblem
	What, Next string
	More       int64 // streams beside the examples
}

// subjectTable has a row for each repository and a column for each kind of stream.
type subjectTable struct {
	Kinds []string
	Rows  []subjectRow
}

type subjectRow struct {
	Subject, Place string
	Cells          []streamCell
	Back, Left     string
}

// streamCell is a stream in a table: a short text to see, and the whole to hear.
type streamCell struct {
	Short, Words string
	Bad          bool
}

// subjectPages say which part of the repositories a table shows.
type subjectPages struct {
	Shown, Fit       int64
	First, Next, All string
}

// streamRow is a stream with everything that is known of it, in words.
type streamRow struct {
	metrics.StreamRecord
	Outcome, Read, Next, Back, Left string
	Progress                        progress
	Bad                             bool
}

// How many repositories a page shows: of each source, and of one.
const (
	subjectsOfEach = 15
	subjectsOfOne  = 50
)

func (p *Pages) sources(c echo.Context) error {
	v, err := p.view(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	list, err := p.deps.Engine.Sources(ctx)
	if err != nil {
		return err
	}
	lists := make([]metrics.SubjectList, len(list.Sources))
	q := p.ask(ctx)
	for i, s := range list.Sources {
		if s.Streams == 0 {
			continue
		}
		find(q, &lists[i], func(ctx context.Context) (metrics.SubjectList, error) {
			return p.deps.Engine.SourceSubjects(ctx, s.Name, metrics.SubjectFilter{}, metrics.Paging{Limit: subjectsOfEach})
		})
	}
	if err := q.wait(); err != nil {
		return err
	}
	var b sourcesPage
	for i, s := range list.Sources {
		section := p.section(v, s, lists[i], list.AsOf)
		if section.List.Shown < section.List.Fit {
			section.List.All = section.Place
		}
		all := words.SourceSentences(s, list.AsOf, v.Window.Zone)
		if len(list.Sources) > 1 {
			b.Sentences, section.Sentences = append(b.Sentences, all[0]), all[1:]
		} else {
			b.Sentences = all
		}
		b.Sources = append(b.Sources, section)
	}
	for _, t := range list.Tellers {
		row := tellerRow{Name: t.Name, Title: words.Source(t.Name), Latest: words.Ago(t.Latest, list.AsOf)}
		for _, k := range t.Kinds {
			row.Kinds = append(row.Kinds, tellerKind{k.Kind, words.Ago(k.Latest, list.AsOf)})
		}
		if i := slices.IndexFunc(list.Sources, func(s metrics.SourceRecord) bool { return s.Name == t.Name }); i >= 0 {
			row.Place = b.Sources[i].Place
		}
		b.Tellers = append(b.Tellers, row)
	}
	return p.show(c, "sources", page{Title: "Sources", Nav: "sources", View: v, AsOf: list.AsOf, Body: b})
}

func (p *Pages) source(c echo.Context) error {
	v, err := p.view(c, "subject", "problems", "q", "cursor")
	if err != nil {
		return err
	}
	if text := c.QueryParam("problems"); text != "" && text != "true" {
		return fault.New(fault.Invalid, "problems is %q: expected true, or nothing", text)
	}
	ctx, name := c.Request().Context(), c.Param("name")
	b := sourcePage{Filter: metrics.SubjectFilter{Search: c.QueryParam("q"), Problems: c.QueryParam("problems") == "true"}, Subject: c.QueryParam("subject")}
	found, err := p.deps.Engine.Source(ctx, name, metrics.StreamFilter{Subject: b.Subject}, metrics.Paging{Limit: 100})
	if err != nil {
		return err
	}
	pg := page{Title: words.Source(name), Nav: "sources", View: v, AsOf: found.AsOf, Path: place("sources", name)}
	if b.Subject != "" {
		if len(found.Streams) == 0 {
			return fault.New(fault.NotFound, "%s reads no %q", name, b.Subject)
		}
		b.Source = p.section(v, found.Source, metrics.SubjectList{}, found.AsOf)
		b.Streams = streamRows(v, found.Streams, found.AsOf)
		b.Lede = subjectSentences(v, found.Streams, found.AsOf)
		pg.Title, pg.Keep = b.Subject, [][2]string{{"subject", b.Subject}}
		pg.Body = b
		return p.show(c, "source", pg)
	}
	list, err := p.deps.Engine.SourceSubjects(ctx, name, b.Filter, metrics.Paging{Limit: subjectsOfOne, Cursor: c.QueryParam("cursor")})
	if err != nil {
		return err
	}
	b.Source = p.section(v, found.Source, list, found.AsOf)
	b.Source.Sentences = words.SourceSentences(found.Source, found.AsOf, v.Window.Zone)
	for _, k := range [][2]string{{"q", b.Filter.Search}, {"problems", c.QueryParam("problems")}} {
		if k[1] != "" {
			pg.Keep = append(pg.Keep, k)
		}
	}
	if list.Next != "" {
		b.Source.List.Next = pg.Self("cursor", list.Next)
	}
	if c.QueryParam("cursor") != "" {
		b.Source.List.First = pg.Self()
	}
	if len(pg.Keep) > 0 {
		b.Whole = pg.Self("q", "", "problems", "")
	}
	if !b.Filter.Problems && found.Source.Failing > 0 {
		b.Failing = pg.Self("problems", "true")
	}
	pg.Body = b
	return p.show(c, "source", pg)
}

// section tells of a source, with some of its repositories.
func (p *Pages) section(v view, s metrics.SourceRecord, list metrics.SubjectList, now time.Time) sourceSection {
	section := sourceSection{SourceRecord: s, Title: words.Source(s.Name), Place: v.Link(place("sources", s.Name)), Progress: historyOf(s)}
	section.Facts = factsOf(s, now, v.Window.Zone)
	section.Heard, section.Refused = heardOf(s.Deliveries, now)
	section.Problems = problemsOf(s.Problems, now, v.Window.Zone)
	section.Table = tableOf(v, s.Name, list.Subjects, now)
	section.Own = streamRows(v, list.Own, now)
	section.List.Shown, section.List.Fit = int64(len(list.Subjects)), list.Fit
	return section
}

// factsOf are the numbers of a source. What is not known is left out.
func factsOf(s metrics.SourceRecord, now time.Time, zone *time.Location) [][2]string {
	var facts [][2]string
	add := func(what, text string) {
		if text != "" {
			facts = append(facts, [2]string{what, text})
		}
	}
	ago := func(at *time.Time) string {
		if at == nil {
			return ""
		}
		return words.Ago(*at, now)
	}
	if s.Streams > 0 {
		add("Last read", cmp.Or(ago(s.SucceededAt), "never"))
		add("All news told up to", cmp.Or(ago(s.NewsUpTo), "not yet: some were never read"))
		add("Reads", words.Counted(s.Streams, "stream")+ofSubjects(s.Subjects))
		add("Told", words.Counted(s.Facts, "fact")+" with "+words.Counted(s.Requests, "request"))
	}
	for _, b := range s.Budgets {
		what := "Requests left"
		if b.Resource != "" {
			what += ", " + b.Resource
		}
		add(what, words.Budget(b, now, zone))
	}
	add("Last webhook", ago(s.DeliveriesLatest))
	return facts
}

func ofSubjects(n int64) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " of one repository"
	}
	return " of " + words.Grouped(n) + " repositories"
}

// historyOf is how much of the history of a source is told: in pieces where they are counted, else in streams.
func historyOf(s metrics.SourceRecord) progress {
	all := s.Streams - s.Outcomes["gone"] - s.Outcomes["denied"]
	if s.Complete || all <= 0 {
		return progress{}
	}
	streams := fmt.Sprintf("%s of %s told whole", words.Grouped(s.StreamsComplete), words.Counted(all, "stream"))
	if s.Total == nil {
		return progress{Done: s.StreamsComplete, Total: all, Words: streams}
	}
	text := fmt.Sprintf("%s told, %s", share(s.Done, *s.Total), streams)
	if s.StreamsUncounted > 0 {
		text += fmt.Sprintf("; of %s nobody knows how long", words.Counted(s.StreamsUncounted, "stream"))
	}
	return progress{Done: s.Done, Total: *s.Total, Words: text}
}

// share writes a part in per cent; all is said only of all.
func share(done, total int64) string {
	percent := 100 * done / total
	if percent == 0 && done > 0 {
		return "less than 1 %"
	}
	return fmt.Sprintf("%d %%", percent)
}

// heardOf are webhooks, the refused and the unreadable first.
func heardOf(list []metrics.SourceDeliveries, now time.Time) (all []heard, refused int64) {
	list = slices.Clone(list)
	bad := func(d metrics.SourceDeliveries) bool { return d.Outcome == "refused" || d.Outcome == "unreadable" }
	rank := func(d metrics.SourceDeliveries) int {
		if bad(d) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b metrics.SourceDeliveries) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.N, a.N))
	})
	for _, d := range list {
		if d.Outcome == "refused" {
			refused += d.N
		}
		all = append(all, heard{
			Event: cmp.Or(d.Event, "any"), Outcome: words.Delivery(d.Outcome), Reason: words.Clipped(d.Reason, 200), Times: words.Grouped(d.N), Latest: words.Ago(d.Latest, now), Bad: bad(d),
		})
	}
	return all, refused
}

// problemsOf say why streams cannot be read and what happens next.
func problemsOf(list []metrics.SourceProblem, now time.Time, zone *time.Location) []sourceProblem {
	var all []sourceProblem
	for _, p := range list {
		q := sourceProblem{SourceProblem: p, What: words.Counted(p.Streams, "stream") + " " + plural(p.Outcome, p.Streams), Next: words.Again(p.NextAt, now, zone)}
		q.Examples, q.Error = p.Examples[:min(len(p.Examples), 6)], words.Clipped(p.Error, 600)
		q.More = p.Streams - int64(len(q.Examples))
		all = append(all, q)
	}
	return all
}

func plural(outcome string, n int64) string {
	said := words.Outcome(outcome)
	if n != 1 {
		said = strings.Replace(said, "is gone", "are gone", 1)
	}
	return said
}

// tableOf has a column for each kind of stream that a repository of it has.
func tableOf(v view, source string, list []metrics.SubjectRecord, now time.Time) subjectTable {
	var t subjectTable
	for _, kind := range metrics.StreamKinds() {
		if slices.ContainsFunc(list, func(s metrics.SubjectRecord) bool {
			return slices.ContainsFunc(s.Streams, func(r metrics.StreamRecord) bool { return r.Kind == kind })
		}) {
			t.Kinds = append(t.Kinds, kind)
		}
	}
	for _, s := range list {
		row := subjectRow{Subject: s.Subject, Place: v.Link(place("sources", source), "subject", s.Subject), Cells: make([]streamCell, len(t.Kinds))}
		for i, kind := range t.Kinds {
			for _, r := range s.Streams {
				if r.Kind == kind {
					row.Cells[i] = cellOf(r)
				}
			}
		}
		row.Back, row.Left = restOf(v, s.Streams)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// cellOf is a stream in a few letters: a hook when it is told, what of it is told while it is not, a word when it fails.
func cellOf(r metrics.StreamRecord) streamCell {
	c := streamCell{Short: r.Outcome, Words: r.Kind + ": " + words.Outcome(r.Outcome), Bad: metrics.IsProblem(r.Outcome)}
	switch r.Outcome {
	case "fresh":
		c.Short = "✓"
		if r.Complete {
			break
		}
		fallthrough
	case "behind":
		c.Short = "begun"
		if r.Total != nil {
			c.Short = share(min(r.Done, *r.Total), *r.Total)
			c.Words += ", " + c.Short + " told"
		}
	case "limited":
		c.Short = "waits"
	}
	return c
}

// restOf says down to when all streams of a repository are told, and how long the slowest of the rest takes.
func restOf(v view, list []metrics.StreamRecord) (back, left string) {
	var to *time.Time
	var seconds int64
	told, known, lost := true, true, false
	for _, r := range list {
		if r.Complete {
			continue
		}
		if r.Outcome == "gone" || r.Outcome == "denied" {
			lost = true
			continue
		}
		switch {
		case r.ReachedBack == nil:
			told = false
		case to == nil || r.ReachedBack.After(*to):
			to = r.ReachedBack
		}
		if r.SecondsLeft == nil {
			known = false
			continue
		}
		seconds = max(seconds, *r.SecondsLeft)
	}
	switch {
	case !told:
		return "not yet", ""
	case to == nil && lost:
		return "not known", ""
	case to == nil:
		return "all", ""
	case !known:
		return v.Day(*to), "not known"
	}
	return v.Day(*to), words.Span(time.Duration(seconds) * time.Second)
}

// subjectSentences say how a repository is doing.
func subjectSentences(v view, list []metrics.StreamRecord, now time.Time) []string {
	var said, bad, behind []string
	var oldest *time.Time
	never := false
	for _, r := range list {
		switch {
		case metrics.IsProblem(r.Outcome):
			bad = append(bad, r.Kind)
			continue
		case r.SucceededAt == nil:
			never = true
		case oldest == nil || r.SucceededAt.Before(*oldest):
			oldest = r.SucceededAt
		}
		if !r.Complete {
			behind = append(behind, r.Kind)
		}
	}
	switch {
	case never:
		said = append(said, "It is being read for the first time.")
	case oldest != nil:
		said = append(said, "Its news was read within the last "+words.Long(now.Sub(*oldest))+".")
	}
	if len(behind) > 0 {
		text := words.Upper(enumerated(behind)) + " have history left"
		if back, left := restOf(v, list); left != "" && left != "not known" {
			text += fmt.Sprintf(", before %s: at the pace so far it takes %s", back, left)
		}
		said = append(said, text+".")
	}
	if len(bad) > 0 {
		said = append(said, words.Upper(enumerated(bad))+" cannot be read.")
	}
	return said
}

// enumerated writes a list as people say it.
func enumerated(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

func streamRows(v view, list []metrics.StreamRecord, now time.Time) []streamRow {
	var rows []streamRow
	for _, r := range list {
		row := streamRow{StreamRecord: r, Outcome: words.Outcome(r.Outcome), Read: "never", Back: "not yet", Bad: metrics.IsProblem(r.Outcome)}
		row.Error = words.Clipped(r.Error, 600)
		if r.SucceededAt != nil {
			row.Read = words.Ago(*r.SucceededAt, now)
		}
		if r.NextAt != nil {
			row.Next = words.Later(*r.NextAt, now, v.Window.Zone)
		}
		switch {
		case r.Complete:
			row.Back = "all"
		case r.ReachedBack != nil:
			row.Back = v.Day(*r.ReachedBack)
		}
		if !r.Complete && r.SecondsLeft != nil {
			row.Left = words.Span(time.Duration(*r.SecondsLeft) * time.Second)
		}
		if !r.Complete && r.Total != nil {
			done := min(r.Done, *r.Total)
			row.Progress = progress{Done: done, Total: *r.Total, Words: fmt.Sprintf("%s of %s", words.Grouped(done), words.Grouped(*r.Total))}
		}
		rows = append(rows, row)
	}
	return rows
}

// fresh is when each source was last read or heard, for the foot of a page; "" without a source. That it cannot be told
// is no reason to show no page.
func (p *Pages) fresh(ctx context.Context) string {
	if p.deps.Engine == nil {
		return ""
	}
	list, err := p.deps.Engine.Freshness(ctx)
	if err != nil {
		p.deps.Log.Warn("the freshness of the sources cannot be told", "error", err)
		return ""
	}
	return words.Freshness(list, p.deps.Now())
}
