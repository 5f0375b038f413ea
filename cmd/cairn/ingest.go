package main

import (
	"context"
	"fmt"

	"cairn/ingest"
	"cairn/internal/progress"
	"cairn/metrics/words"
)

type ingestCommand struct {
	Events    ingestEvents    `cmd:"" default:"withargs" help:"A file of events. The word events may be left out."`
	Survey    ingestSurvey    `cmd:"" help:"Answers to a survey, as a survey tool exports them."`
	Terraform ingestTerraform `cmd:"" help:"What Terraform or OpenTofu printed in a pipeline: requests for infrastructure."`
}

type ingestEvents struct {
	File string `arg:"" help:"File of events: a JSON object, an array, or one object a line; packed with gzip or zstd or not; '-' is standard input."`
}

// Run checks the whole file and then sends it.
func (c *ingestEvents) Run(ctx context.Context, w *world, g *Globals) error {
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	meter := progress.New(w.stderr, w.progress())
	n, err := ingest.File(ctx, c.File, w.stdin, ingest.Client{HTTP: conn.http, Base: conn.base}, func(p ingest.Progress) {
		if p.Total == 0 {
			meter.Report(progress.State{Stage: "events checked", Done: int64(p.Checked)})
		} else {
			meter.Report(progress.State{Stage: "events stored", Done: int64(p.Sent), Total: int64(p.Total)})
		}
	})
	meter.Close()
	if err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s stored.\n", words.Counted(int64(n), "event"))
	return nil
}
