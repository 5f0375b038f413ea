package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cairn/collectors"
	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/problem"
	"cairn/metrics/words"
)

type replayCommand struct {
	Source   string `help:"Webhooks of one source." placeholder:"NAME"`
	Event    string `help:"Webhooks of one event, as the sender calls it." placeholder:"NAME"`
	Outcome  string `help:"Webhooks that came to this: told, woken, ignored or unreadable." placeholder:"WORD"`
	Since    string `help:"Webhooks received at or after this instant or day." placeholder:"WHEN"`
	Until    string `help:"Webhooks received before this instant or day." placeholder:"WHEN"`
	Delivery string `help:"The webhook with this id." placeholder:"ID"`
}

// Run has the webhooks that were kept told again.
func (c *replayCommand) Run(ctx context.Context, w *world, g *Globals) error {
	conn, err := g.connectWith(ctx, w, func(cfg Config) ([]*collectors.Link, error) { return cfg.links(w.getenv) })
	if err != nil {
		return err
	}
	defer conn.close()
	p := url.Values{}
	for name, v := range map[string]string{"source": c.Source, "event": c.Event, "outcome": c.Outcome, "since": c.Since, "until": c.Until, "delivery": c.Delivery} {
		if v != "" {
			p.Set(name, v)
		}
	}
	answer, err := conn.raw(ctx, http.MethodPost, "/api/v1/replay", p, nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(answer))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Report *ingest.ReplayReport `json:"report"`
			Error  *problem.Problem     `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the answer of cairn")
		}
		switch {
		case line.Error != nil:
			return line.Error
		case line.Report != nil:
			c.tell(w, *line.Report)
			return nil
		}
	}
	return fault.New(fault.Unavailable, "cairn broke off: tell the webhooks again, which changes nothing that is told already")
}

func (c *replayCommand) tell(w *world, r ingest.ReplayReport) {
	var outcomes []string
	for outcome, n := range r.Outcomes {
		outcomes = append(outcomes, fmt.Sprintf("%s %s", words.Grouped(int64(n)), outcome))
	}
	slices.Sort(outcomes)
	if r.Read == 0 {
		fmt.Fprintln(w.stdout, "No webhook that was kept fits.")
		return
	}
	fmt.Fprintf(w.stdout, "%s told again, with %s: %s. %s another outcome than before.\n", words.Counted(int64(r.Read), "webhook"), words.Counted(int64(r.Facts), "fact"),
		strings.Join(outcomes, ", "), words.Counted(int64(r.Changed), "webhook")+has(r.Changed))
}

func has(n int) string {
	if n == 1 {
		return " has"
	}
	return " have"
}
