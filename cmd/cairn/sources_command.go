package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/metrics"
	"cairn/metrics/words"
)

type sourcesCommand struct {
	Name     string `arg:"" optional:"" help:"One source with its streams (default: all sources, in short)."`
	Problems bool   `help:"Only what cannot be read, with the reason and when it is tried again."`
	JSON     bool   `help:"Print JSON, as the API answers." name:"json"`
}

// Run asks and prints how the sources are doing.
func (c *sourcesCommand) Run(ctx context.Context, w *world, g *Globals) error {
	conn, err := g.connect(ctx, w)
	if err != nil {
		return err
	}
	defer conn.close()
	if c.Name != "" {
		return c.one(ctx, w.stdout, conn)
	}
	var answer json.RawMessage
	if err := conn.get(ctx, "/api/v1/sources", nil, &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, answer)
	}
	var list metrics.SourceList
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	printSources(w.stdout, list, c.Problems)
	return nil
}

// streamsAtOnce is how many streams are asked for at a time.
const streamsAtOnce = "1000"

// one prints a source with all of its streams, a page at a time. As JSON it is the first page, as the API answers.
func (c *sourcesCommand) one(ctx context.Context, out io.Writer, conn *client) error {
	p := url.Values{"limit": {streamsAtOnce}}
	if c.Problems {
		p.Set("problems", "true")
	}
	for first := true; ; first = false {
		var answer json.RawMessage
		if err := conn.get(ctx, "/api/v1/sources/"+url.PathEscape(c.Name), p, &answer); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, answer)
		}
		var list metrics.StreamList
		if err := json.Unmarshal(answer, &list); err != nil {
			return err
		}
		if first {
			printSource(out, list.Source, list.AsOf, c.Problems)
		}
		printStreams(out, list.Streams, list.AsOf)
		if list.Next == "" {
			return nil
		}
		p.Set("cursor", list.Next)
	}
}

func printSources(out io.Writer, list metrics.SourceList, problems bool) {
	if len(list.Sources) == 0 {
		fmt.Fprintln(out, words.NoSource)
		fmt.Fprintln(out, "Connect a system: cairn connect github --organisation NAME")
		return
	}
	none := true
	for _, s := range list.Sources {
		if problems && len(s.Problems) == 0 && refused(s) == 0 {
			continue
		}
		none = false
		printSource(out, s, list.AsOf, problems)
	}
	if none {
		fmt.Fprintln(out, "Every stream can be read.")
	}
}

// printSource prints what is told of a source without its streams.
func printSource(out io.Writer, s metrics.SourceRecord, now time.Time, problems bool) {
	fmt.Fprintln(out, strings.Join(words.SourceSentences(s, now, time.UTC), " "))
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	if !problems {
		if s.Streams > 0 {
			fmt.Fprintf(t, "  reads\t%s, %s\n", words.Counted(s.Streams, "stream"), words.Counted(s.Subjects, "repository"))
			fmt.Fprintf(t, "  told\t%s with %s\n", words.Counted(s.Facts, "fact"), words.Counted(s.Requests, "request"))
		}
		for _, b := range s.Budgets {
			fmt.Fprintf(t, "  requests left %s\t%s\n", b.Resource, words.Budget(b, now, time.UTC))
		}
		for _, d := range s.Deliveries {
			fmt.Fprintf(t, "  webhook %s\t%s %s\t%s\n", printable(d.Event), words.Grouped(d.N), words.Delivery(d.Outcome), printable(d.Reason))
		}
	}
	t.Flush()
	if n := refused(s); problems && n > 0 {
		fmt.Fprintf(out, "  %s refused in the last 7 days\n", words.Counted(n, "webhook"))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(out, "  %s %s, %s: %s\n", words.Counted(p.Streams, "stream"), words.Outcome(p.Outcome), words.Again(p.NextAt, now, time.UTC), printable(p.Error))
		fmt.Fprintf(out, "    %s\n", printable(strings.Join(p.Examples, ", ")))
	}
	fmt.Fprintln(out)
}

func refused(s metrics.SourceRecord) (n int64) {
	for _, d := range s.Deliveries {
		if d.Outcome == "refused" {
			n += d.N
		}
	}
	return n
}

func printStreams(out io.Writer, list []metrics.StreamRecord, now time.Time) {
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for _, s := range list {
		read, told := "never read", "nothing of its history told"
		if s.SucceededAt != nil {
			read = words.Ago(*s.SucceededAt, now)
		}
		switch {
		case s.Complete:
			told = "all told"
		case s.ReachedBack != nil:
			told = "told back to " + s.ReachedBack.Format("2 Jan 2006")
		}
		if !s.Complete && s.SecondsLeft != nil {
			told += ", the rest takes about " + words.Span(time.Duration(*s.SecondsLeft)*time.Second)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", printable(s.Name), words.Outcome(s.Outcome), read, told, printable(s.Error))
	}
	t.Flush()
}

// printable is a text of somebody else's in one line, without what would move the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, words.Clipped(text, 300))
}
