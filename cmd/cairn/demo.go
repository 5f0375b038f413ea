package main

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"

	"cairn/ingest"
	"cairn/internal/demo"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/progress"
	"cairn/metrics"
	"cairn/metrics/words"
)

type demoCommand struct {
	Seed  uint64 `help:"Another seed lets chance fall otherwise; the story is the same." default:"1" placeholder:"N"`
	Until string `help:"Day on which the story ends, at midnight UTC (default: today, so that nothing lies in the future)." placeholder:"DATE"`
}

// demoKind is under which collector the demonstration notes, and demoStream in which stream, what it has told.
const (
	demoKind   = "demo"
	demoStream = "organisation"
)

// Run tells the demonstration organisation as a collector would, and has its metrics computed.
func (c *demoCommand) Run(ctx context.Context, w *world, g *Globals) error {
	until, err := c.until(time.Now())
	if err != nil {
		return err
	}
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	to := sink{conn, demoKind}
	if err := c.claim(ctx, to, until); err != nil {
		return err
	}
	began := time.Now()
	counts, err := tell(ctx, w, ingest.Client{HTTP: conn.http, Base: conn.base}, demo.Organisation(demo.Config{Seed: c.Seed, Until: until}))
	if err != nil {
		return err
	}
	from := until.AddDate(0, -demo.Months, 0).Format(time.DateOnly)
	var derived metrics.Result
	p := url.Values{"from": {from}, "to": {until.Format(time.DateOnly)}}
	if err := conn.get(ctx, "/api/v1/metrics/deployment_count", p, &derived); err != nil {
		return err
	}
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	fmt.Fprintf(w.stdout, "Linden, a retailer that does not exist, from %s to %s:\n", from, until.Format(time.DateOnly))
	fmt.Fprintf(w.stdout, "  %s, %s and %s\n", words.Counted(counts[event.KindTeam], "team"), words.Counted(counts[event.KindService], "service"), words.Counted(counts[event.KindPerson], "account"))
	fmt.Fprintf(w.stdout, "  %s, %s and %s\n", words.Counted(counts[event.KindCommit], "commit"), words.Counted(counts[event.KindChangeRequest], "change request"), words.Counted(counts[event.KindIncident], "incident"))
	fmt.Fprintf(w.stdout, "  %s, which brought %s new versions to production\n", words.Counted(counts[event.KindDeployment], "deployment run"), words.Value(derived.Value, derived.Unit))
	fmt.Fprintf(w.stdout, "%s stored and put in order in %.1f s.\n\n", words.Counted(total, "event"), time.Since(began).Seconds())
	if conn.base == withinProcess {
		fmt.Fprintf(w.stdout, "Next: cairn serve%s\n", g.where())
	} else {
		fmt.Fprintf(w.stdout, "Next: %s serves it\n", conn.base)
	}
	fmt.Fprintf(w.stdout, "  or: cairn query lead_time --team payments --from %s --bucket month%s\n", from, g.where())
	return nil
}

// tell sends events in pieces and counts them by kind.
func tell(ctx context.Context, w *world, to ingest.Client, events iter.Seq[event.Event]) (map[string]int64, error) {
	meter := progress.New(w.stderr, w.progress())
	defer meter.Close()
	counts := map[string]int64{}
	var piece []byte
	waiting, sent := 0, 0
	flush := func() error {
		if waiting == 0 {
			return nil
		}
		if err := to.Send(ctx, piece); err != nil {
			return err
		}
		sent += waiting
		piece, waiting = piece[:0], 0
		meter.Report(progress.State{Stage: "events stored", Done: int64(sent)})
		return nil
	}
	for e := range events {
		piece = append(event.AppendJSON(piece, e), '\n')
		counts[e.Kind()]++
		if waiting++; waiting < ingest.FileEvents {
			continue
		}
		if err := flush(); err != nil {
			return counts, err
		}
	}
	return counts, flush()
}

// until is the end of the story. At a day's midnight the same command tells the same all day.
func (c *demoCommand) until(now time.Time) (time.Time, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	if c.Until == "" {
		return today, nil
	}
	until, err := time.Parse(time.DateOnly, c.Until)
	switch {
	case err != nil:
		return until, fault.New(fault.Invalid, "--until is %q: expected a date such as 2026-01-31", c.Until)
	case until.After(today):
		return until, fault.New(fault.Invalid, "--until is %s, which lies in the future: a story that has not happened would be told", c.Until)
	}
	return until, nil
}

// claim notes in the database that this demonstration is in it. One that holds other facts is left alone: made-up
// numbers and real ones cannot be told apart later.
func (c *demoCommand) claim(ctx context.Context, to sink, until time.Time) error {
	// "by its systems": before, one source told all of it, and would now stand beside those that do.
	ours := fmt.Sprintf("seed %d until %s by its systems", c.Seed, until.Format(time.DateOnly))
	told, err := to.Load(ctx, demoStream)
	switch {
	case err != nil:
		return err
	case told == ours:
		return nil // once more changes nothing
	case told != "":
		return fault.New(fault.Conflict, "this database holds another demonstration (%s, not %s): name an empty folder with --data", told, ours)
	}
	var report metrics.Report
	if err := to.get(ctx, "/api/v1/doctor", nil, &report); err != nil {
		return err
	}
	for _, d := range report.Metrics {
		for _, s := range d.Steps {
			if s.N > 0 {
				return fault.New(fault.Conflict, "this database holds facts that are no demonstration (%s: %s): name an empty folder with --data", s.Name, words.Grouped(s.N))
			}
		}
	}
	return to.Save(ctx, demoStream, ours)
}

// where are the flags with which the next command finds the same database.
func (g *Globals) where() string {
	switch {
	case g.Server != "":
		return " --server " + g.Server
	case g.Address != "":
		return " --address " + g.Address
	case g.Data != "":
		return " --data " + g.Data
	}
	return ""
}
