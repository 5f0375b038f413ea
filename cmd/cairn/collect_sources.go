package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cairn/collectors"
	"cairn/internal/fault"
	"cairn/internal/progress"
	"cairn/metrics/words"
)

// collectSource reads the sources of one system that the configuration names, once.
type collectSource struct {
	Name []string `arg:"" optional:"" help:"Names of sources (default: all of this system)."`
}

type collectGitHub struct{ collectSource }

type collectGitLab struct{ collectSource }

type collectKubernetes struct{ collectSource }

type collectSources struct{ collectSource }

// Run reads the configured sources.
func (c *collectSources) Run(ctx context.Context, w *world, g *Globals) error {
	return c.run(ctx, w, g, "")
}

// Run reads the configured connections to GitHub.
func (c *collectGitHub) Run(ctx context.Context, w *world, g *Globals) error {
	return c.run(ctx, w, g, "github")
}

// Run reads the configured connections to GitLab.
func (c *collectGitLab) Run(ctx context.Context, w *world, g *Globals) error {
	return c.run(ctx, w, g, "gitlab")
}

// Run reads the configured clusters.
func (c *collectKubernetes) Run(ctx context.Context, w *world, g *Globals) error {
	return c.run(ctx, w, g, "kubernetes")
}

// run reads until all news and all history is told, shows how far it has come, and says what was left out and why.
func (c *collectSource) run(ctx context.Context, w *world, g *Globals, system string) error {
	if g.Server != "" {
		return fault.New(fault.Invalid, "a running cairn reads its sources by itself: leave out --server, and look at %s/sources", strings.TrimSuffix(g.Server, "/"))
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	links, err := cfg.links(w.getenv)
	if err != nil {
		return err
	}
	if links, err = c.chosen(links, system); err != nil {
		return err
	}
	if cfg.Store.Address == "" {
		if running := holder(ctx, cfg.Store.Data); running != nil {
			return fault.New(fault.Conflict, "the cairn at %s holds the data folder and reads its sources by itself: look at %s/sources", running.base, running.base)
		}
	}
	p, err := open(ctx, cfg, links, g.logger(w))
	if err != nil {
		return err
	}
	defer p.close()
	failures := 0
	for _, l := range links {
		s, ok := p.collecting.schedules[l.Name]
		if !ok && system == "" && len(c.Name) == 0 {
			continue // it only hears
		}
		if !ok {
			return fault.New(fault.Invalid, "the source %s has no credential: there is nothing to read, it only hears webhooks", l.Name)
		}
		err := catchUp(ctx, w, l.Name, s)
		failures += summarise(w.stdout, l.Name, s)
		if err != nil {
			return err
		}
	}
	if failures > 0 {
		return errQuiet
	}
	return nil
}

// chosen are the links of the system, "" for all, with the names that were given.
func (c *collectSource) chosen(links []*collectors.Link, system string) ([]*collectors.Link, error) {
	var names []string
	links = slices.DeleteFunc(links, func(l *collectors.Link) bool { return system != "" && l.System != system })
	for _, l := range links {
		names = append(names, l.Name)
	}
	if len(links) == 0 && system == "" {
		return nil, fault.New(fault.NotFound, "no source is configured: cairn connect github sets one up, and docs/systems.md has them all")
	}
	if len(links) == 0 {
		return nil, fault.New(fault.NotFound, "no source of the kind %s is configured: cairn connect %s sets one up", system, system)
	}
	for _, name := range c.Name {
		if !slices.Contains(names, name) {
			return nil, fault.New(fault.NotFound, "there is no source %s; there are: %s", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(links, func(l *collectors.Link) bool { return len(c.Name) > 0 && !slices.Contains(c.Name, l.Name) }), nil
}

// catchUp runs a schedule to its end and shows how far it has come.
func catchUp(ctx context.Context, w *world, name string, s *collectors.Schedule) error {
	meter := progress.New(w.stderr, w.progress())
	defer meter.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.CatchUp(ctx) }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			read, all := int64(0), int64(0)
			for _, state := range s.States() {
				all++
				if state.Complete {
					read++
				}
			}
			meter.Report(progress.State{Stage: "lists of " + name + " read to their end", Done: read, Total: all})
		}
	}
}

// summarise says what was told, and what could not be read, alike together. It returns how many streams could not.
func summarise(out io.Writer, name string, schedule *collectors.Schedule) (failures int) {
	facts, requests := schedule.Told()
	groups := map[string]bool{}
	problems := map[string][]string{}
	for _, s := range schedule.States() {
		if s.Stream.Group != "" {
			groups[s.Stream.Group] = true
		}
		if s.Error != "" {
			failures++
			problems[s.Error] = append(problems[s.Error], s.Stream.Name)
		}
	}
	fmt.Fprintf(out, "%s: %s of %s told, with %s.\n", name, words.Counted(facts, "fact"), words.Counted(int64(len(groups)), "repository"), words.Counted(requests, "request"))
	var list []string
	for text := range problems {
		list = append(list, text)
	}
	slices.SortFunc(list, func(a, b string) int {
		if d := len(problems[b]) - len(problems[a]); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, text := range list {
		streams := problems[text]
		fmt.Fprintf(out, "  %s\n", strings.SplitN(text, "\n", 2)[0])
		const few = 3
		more := ""
		if len(streams) > few {
			more = fmt.Sprintf(" and %d more", len(streams)-few)
		}
		fmt.Fprintf(out, "    %s%s\n", strings.Join(streams[:min(few, len(streams))], ", "), more)
	}
	return failures
}
