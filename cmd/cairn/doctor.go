package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"cairn/api"
	"cairn/metrics"
	"cairn/metrics/words"
)

type doctorCommand struct {
	Metric      string `arg:"" optional:"" help:"One metric (default: all)."`
	Service     string `help:"Look at one service." placeholder:"NAME" xor:"scope"`
	Team        string `help:"Look at one team." placeholder:"NAME" xor:"scope"`
	Environment string `help:"Environment (default: production)." placeholder:"NAME"`
	JSON        bool   `help:"Print JSON, as the API answers." name:"json"`
}

// Run asks and prints the report.
func (c *doctorCommand) Run(ctx context.Context, w *world, g *Globals) error {
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	p := url.Values{}
	for name, v := range map[string]string{"metric": c.Metric, "service": c.Service, "team": c.Team, "environment": c.Environment} {
		if v != "" {
			p.Set(name, v)
		}
	}
	var answer json.RawMessage
	if err := conn.get(ctx, "/api/v1/doctor", p, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, answer)
	}
	var r metrics.Report
	if err := json.Unmarshal(answer, &r); err != nil {
		return err
	}
	for _, d := range r.Metrics {
		state := "has data"
		if d.Missing != "" {
			state = "has none"
		}
		fmt.Fprintf(w.stdout, "%s (%s): %s\n", d.Title, d.Metric, state)
		t := tabwriter.NewWriter(w.stdout, 2, 0, 2, ' ', tabwriter.AlignRight)
		for _, s := range d.Steps {
			fmt.Fprintf(t, "%s\t%s%s\n", words.Grouped(s.N), "", pad(s.Name))
		}
		t.Flush()
		if d.Advice != "" {
			fmt.Fprintf(w.stdout, "    → %s\n", d.Advice)
		}
		fmt.Fprintln(w.stdout)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w.stdout, n)
	}
	printRules(w.stdout, r)
	return nil
}

// printRules prints which rules were applied, and of what no rule decides the line that would.
func printRules(out io.Writer, r metrics.Report) {
	if len(r.Rules) > 0 {
		fmt.Fprintln(out, "\nRules that were applied to what sources told:")
		t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
		for _, u := range r.Rules {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", u.Source, words.Grouped(u.N), printable(u.Rule), printable(u.Example))
		}
		t.Flush()
	}
	if len(r.Unruled) == 0 {
		return
	}
	fmt.Fprintln(out, "\nWhat no rule decides, each with a line for the configuration that would:")
	for _, u := range r.Unruled {
		fmt.Fprintf(out, "  %s, %s: %s, %s, latest %s\n    → %s\n", printable(u.Subject), u.Kind, printable(u.Rule), words.Counted(u.N, "time"), printable(u.Example), printable(u.Fix))
	}
}

func pad(s string) string { return strings.TrimRight("  "+s, " ") }

type metricsCommand struct {
	JSON bool `help:"Print JSON, as the API answers." name:"json"`
}

// Run lists the metrics.
func (c *metricsCommand) Run(ctx context.Context, w *world, _ *Globals) error {
	// The list is part of the program: no store is opened for it.
	list := api.Catalogue{Metrics: metrics.Definitions()}
	if c.JSON {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		return printJSON(w.stdout, text)
	}
	t := tabwriter.NewWriter(w.stdout, 2, 0, 3, ' ', 0)
	for _, d := range list.Metrics {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", d.ID, d.Title, d.Unit, strings.Join(d.Statistics, " "))
	}
	return t.Flush()
}
