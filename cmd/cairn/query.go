package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/api"
	"cairn/metrics"
	"cairn/metrics/words"
)

// asking are the flags of a question about a metric.
type asking struct {
	Metric string `arg:"" help:"Metric, such as lead_time; 'cairn metrics' lists them."`

	Service     string `help:"Numbers of one service." placeholder:"NAME" xor:"scope"`
	Team        string `help:"Numbers of one team, by who owned a service at the time." placeholder:"NAME" xor:"scope"`
	From        string `help:"Begin of the window, included: a local date or time (default: four weeks before the end)." placeholder:"DATE"`
	To          string `help:"End of the window, not included (default: the end of today)." placeholder:"DATE"`
	Bucket      string `help:"Cut the window: day, week, month or quarter." placeholder:"BUCKET"`
	TZ          string `help:"Time zone of the window and its buckets, such as Europe/Berlin (default: UTC)." name:"tz" placeholder:"ZONE"`
	Environment string `help:"Environment (default: production, which is all environments of that tier)." placeholder:"NAME"`
	Target      string `help:"Only deployments that reached this region, cluster or customer." placeholder:"NAME"`
	Statistic   string `help:"Statistic, such as p75, p90 or typical_service." placeholder:"NAME"`
	Stage       string `help:"One stage of the lead time: coding, pickup, review, wait_to_deploy or deploy." placeholder:"NAME"`
	Capability  string `help:"One capability of the platform." placeholder:"NAME"`
	Survey      string `help:"One survey (default: the latest in the window)." placeholder:"ID"`
	Question    string `help:"One question of the survey." placeholder:"ID"`
	IncludeBots *bool  `help:"Count changes of machines in lead times." negatable:""`
	AsOf        string `help:"Count only what had happened by this instant, such as 2026-01-31T14:30:00Z (default: now)." name:"as-of" placeholder:"INSTANT"`
	JSON        bool   `help:"Print JSON, as the API answers." name:"json"`
}

func (a *asking) params() url.Values {
	p := url.Values{}
	for name, v := range map[string]string{
		"service": a.Service, "team": a.Team, "from": a.From, "to": a.To, "bucket": a.Bucket, "tz": a.TZ, "environment": a.Environment, "target": a.Target,
		"statistic": a.Statistic, "stage": a.Stage, "capability": a.Capability, "survey": a.Survey, "question": a.Question, "as_of": a.AsOf,
	} {
		if v != "" {
			p.Set(name, v)
		}
	}
	if a.IncludeBots != nil {
		p.Set("include_bots", strconv.FormatBool(*a.IncludeBots))
	}
	return p
}

func (a *asking) path() string { return "/api/v1/metrics/" + url.PathEscape(a.Metric) }

type queryCommand struct {
	asking
	GroupBy string `help:"One answer for each service or team besides." placeholder:"service|team"`
}

// Run asks and prints the answer.
func (c *queryCommand) Run(ctx context.Context, w *world, g *Globals) error {
	var res metrics.Result
	p := c.params()
	if c.GroupBy != "" {
		p.Set("group_by", c.GroupBy)
	}
	title, err := ask(ctx, w, g, c.path(), p, c.JSON, &res)
	if err != nil || c.JSON {
		return err
	}
	printResult(w.stdout, title, &res)
	return nil
}

type explainCommand struct {
	asking
	Limit  int `help:"How many facts to list." default:"50"`
	Offset int `help:"How many facts to skip."`
}

// Run asks and prints the answer with what stands behind it.
func (c *explainCommand) Run(ctx context.Context, w *world, g *Globals) error {
	p := c.params()
	p.Set("limit", strconv.Itoa(c.Limit))
	p.Set("offset", strconv.Itoa(c.Offset))
	var ev metrics.Evidence
	title, err := ask(ctx, w, g, c.path()+"/evidence", p, c.JSON, &ev)
	if err != nil || c.JSON {
		return err
	}
	printResult(w.stdout, title, &ev.Result)
	printEvidence(w.stdout, &ev, c.Offset)
	return nil
}

// ask sends a question; for people it also finds the metric's title. With raw the answer is printed as it came.
func ask(ctx context.Context, w *world, g *Globals, path string, p url.Values, raw bool, v any) (string, error) {
	conn, err := g.connect(ctx, w)
	if err != nil {
		return "", err
	}
	defer conn.close()
	if raw {
		var answer json.RawMessage
		if err := conn.get(ctx, path, p, &answer); err != nil {
			return "", err
		}
		return "", printJSON(w.stdout, answer)
	}
	if err := conn.get(ctx, path, p, v); err != nil {
		return "", err
	}
	var list api.Catalogue
	if err := conn.get(ctx, "/api/v1/metrics", nil, &list); err != nil {
		return "", err
	}
	id := ""
	switch v := v.(type) {
	case *metrics.Result:
		id = v.Metric
	case *metrics.Evidence:
		id = v.Result.Metric
	}
	for _, d := range list.Metrics {
		if d.ID == id {
			return d.Title, nil
		}
	}
	return id, nil
}

func printJSON(w io.Writer, answer json.RawMessage) error {
	pretty, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", pretty)
	return err
}

func printResult(w io.Writer, title string, r *metrics.Result) {
	scope := "organisation"
	switch {
	case r.Scope.Service != "":
		scope = "service " + r.Scope.Service
	case r.Scope.Team != "":
		scope = "team " + r.Scope.Team
	}
	if r.Statistic != "" {
		title += " (" + r.Statistic + ")"
	}
	fmt.Fprintf(w, "%s, %s\n%s\n\n", title, scope, span(r.Window.From, r.Window.To, r.Window.TimeZone))
	fmt.Fprintf(w, "  %s", words.Value(r.Value, r.Unit))
	if r.N != nil {
		fmt.Fprintf(w, "   n = %s", words.Size(r.N))
	}
	if r.Interval != nil {
		fmt.Fprintf(w, "   95 %%: %s to %s", words.Value(r.Interval[0], r.Unit), words.Value(r.Interval[1], r.Unit))
	}
	fmt.Fprintln(w)
	if r.Previous != nil {
		fmt.Fprintf(w, "  before (%s): %s", span(r.Previous.Window.From, r.Previous.Window.To, ""), words.Value(r.Previous.Value, r.Unit))
		if r.Previous.N != nil {
			fmt.Fprintf(w, ", n = %s", words.Size(r.Previous.N))
		}
		for _, f := range r.Previous.Flags {
			fmt.Fprintf(w, " (%s)", words.Flag(f))
		}
		fmt.Fprintln(w)
	}
	for _, f := range r.Flags {
		fmt.Fprintf(w, "  %s\n", words.Flag(f))
	}
	if len(r.Parts) > 0 {
		fmt.Fprintln(w)
		printParts(w, r)
	}
	if len(r.Series) > 0 {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
		fmt.Fprintf(t, "  %s\tvalue\tn\n", r.Bucket)
		for _, p := range r.Series {
			running := ""
			if p.Partial {
				running = "  (still running)"
			}
			fmt.Fprintf(t, "  %s\t%s\t%s%s\n", p.Label, words.Value(p.Value, r.Unit), words.Size(p.N), running)
		}
		t.Flush()
	}
	printGroups(w, r)
}

// printGroups lists what each service or team has, and had in the window before.
func printGroups(w io.Writer, r *metrics.Result) {
	if len(r.Groups) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
	fmt.Fprint(t, "  \tvalue\tn\tbefore\n")
	for _, g := range r.Groups {
		before := "–"
		if g.Previous != nil {
			before = words.Value(g.Previous.Value, r.Unit)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", g.Key, words.Value(g.Value, r.Unit), words.Size(g.N), before)
	}
	t.Flush()
}

func printEvidence(w io.Writer, ev *metrics.Evidence, offset int) {
	fmt.Fprintln(w)
	if ev.Note != "" {
		fmt.Fprintf(w, "  %s\n", ev.Note)
		return
	}
	if len(ev.Items) == 0 {
		fmt.Fprintln(w, "  Nothing stands behind it.")
	} else {
		t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  at\twhat\tservice\tvalue\tby\twith\tcounted")
		for _, i := range ev.Items {
			value := "–"
			if i.Value != nil {
				value = words.Value(*i.Value, ev.Result.Unit)
				if ev.Result.Unit != "hours" && ev.Result.Unit != "days" {
					value = words.Value(*i.Value, "hours")
				}
			}
			counted := "yes"
			if !i.Counted {
				counted = "no: " + i.Reason
			}
			fmt.Fprintf(t, "  %s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", i.At.UTC().Format("2006-01-02 15:04"), i.Kind, words.Short(i.ID), i.Service, value, or(i.Rule, "–"), or(words.Short(i.Deployment), "–"), counted)
		}
		t.Flush()
	}
	if ev.Next > 0 {
		fmt.Fprintf(w, "  … more: --offset %d\n", ev.Next)
	}
	if len(ev.LeftOut) > 0 && offset == 0 {
		fmt.Fprintln(w, "\n  Left out:")
		for _, l := range ev.LeftOut {
			fmt.Fprintf(w, "  %6d  %s", l.N, l.Reason)
			if len(l.Examples) > 0 {
				fmt.Fprintf(w, " (such as %s)", words.Short(l.Examples[0]))
			}
			fmt.Fprintln(w)
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func span(from, to, zone string) string {
	s := clock(from) + " to " + clock(to)
	if zone != "" {
		s += " (" + zone + ")"
	}
	return s
}

// clock leaves midnight out.
func clock(local string) string {
	t, err := time.Parse("2006-01-02T15:04:05", local)
	if err != nil {
		return local
	}
	if t.Hour()+t.Minute()+t.Second() == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// printParts writes what else an answer says, by name. Parts that are durations, as the value is, are written so.
func printParts(w io.Writer, r *metrics.Result) {
	t := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
		unit := words.PartUnit(name, r.Unit)
		if n, ok := r.Parts[name].(float64); ok && n == 0 && unit == "" {
			continue // nothing was counted under this name
		}
		fmt.Fprintf(t, "  %s\t%s\n", strings.ReplaceAll(name, "_", " "), words.Value(r.Parts[name], unit))
	}
	t.Flush()
}
