package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	return nil
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
