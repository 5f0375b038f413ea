package main

import (
	"context"
	"fmt"

	"cairn/internal/fault"
	"cairn/metrics/words"
)

type checkCommand struct {
	collectSource
}

// Run tries the credential of each source of the configuration, and says what it is, what it may read, and where its
// webhooks go. It ends with an error when one of them is refused.
func (c *checkCommand) Run(ctx context.Context, w *world, g *Globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	links, err := cfg.links(w.getenv)
	if err != nil {
		return err
	}
	if links, err = c.chosen(links, ""); err != nil {
		return err
	}
	refused := 0
	for i, l := range links {
		if i > 0 {
			fmt.Fprintln(w.stdout)
		}
		fmt.Fprintf(w.stdout, "%s (%s)\n", l.Name, words.Source(l.System))
		if l.Connection != nil {
			access, err := try(ctx, l)
			if ctx.Err() != nil {
				return fault.Wrap(fault.Unavailable, ctx.Err(), "trying %s", l.Name)
			}
			if err != nil {
				refused++
				fmt.Fprintf(w.stdout, "It cannot be read: %v\n", err)
			} else {
				tellAccess(w.stdout, access)
			}
		} else {
			fmt.Fprintln(w.stdout, nothingRead)
		}
		if l.Receiver != nil {
			fmt.Fprintf(w.stdout, "Webhooks go to http://THIS-HOST%s%s\n", "/hooks/", l.Name)
		} else {
			fmt.Fprintln(w.stdout, "It has no secret for webhooks: none are heard.")
		}
	}
	if refused > 0 {
		return errQuiet
	}
	return nil
}
