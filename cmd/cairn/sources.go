package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn/collectors"
	"cairn/ingest"
	"cairn/internal/fault"
	"cairn/internal/rules"
	"cairn/internal/source"
	"cairn/internal/store"
)

// links makes the connections of the configuration, with their secrets. It reaches for nothing but the secrets.
func (cfg Config) links(getenv func(string) string) ([]*collectors.Link, error) {
	r, err := rules.New(cfg.Rules)
	if err != nil {
		return nil, err
	}
	deps := collectors.Deps{Rules: r, Clones: filepath.Join(cfg.Store.Data, "clones"), Transport: collectors.DefaultTransportConfig()}
	s := secrets{getenv}
	var links []*collectors.Link
	for _, c := range cfg.Sources {
		config, err := s.revealed(c.Place, c.Config)
		if err != nil {
			return nil, err
		}
		link, err := collectors.Kinds()[c.System].Link(config, deps)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "%s", c.Place)
		}
		links = append(links, link)
	}
	names := map[string]bool{}
	for _, l := range links {
		if names[l.Name] {
			return nil, fault.New(fault.Invalid, "two sources are called %s: give one of them another name, since positions and webhooks go by it", l.Name)
		}
		if l.Name == "unmatched" {
			return nil, fault.New(fault.Invalid, "a source is called unmatched: give it another name, since that is the page of what could not be joined")
		}
		names[l.Name] = true
	}
	return links, nil
}

// collecting is all that brings facts in by itself: the schedules that read, and the webhooks that are heard.
type collecting struct {
	schedules map[string]*collectors.Schedule
	hooks     *ingest.Hooks
}

// newCollecting builds what the connections need. It starts nothing.
func newCollecting(cfg Config, in *ingest.Intake, st *store.Store, links []*collectors.Link, log *slog.Logger) (*collecting, error) {
	c := &collecting{schedules: map[string]*collectors.Schedule{}}
	receivers := map[string]ingest.Receiver{}
	for _, l := range links {
		if l.Receiver != nil {
			receivers[l.Name] = l.Receiver
		}
		if l.Connection == nil {
			continue
		}
		s, err := collectors.NewSchedule(cfg.Collect, l.System, l.Connection, ingest.NewLedger(in, st, l.Name), l.Transport, collectors.SystemClock(), log)
		if err != nil {
			return nil, fault.Wrap(fault.KindOf(err), err, "collect")
		}
		c.schedules[l.Name] = s
	}
	var err error
	if c.hooks, err = ingest.NewHooks(cfg.Webhooks, filepath.Join(cfg.Store.Data, "journal"), in, st, receivers, time.Now); err != nil {
		return nil, err
	}
	c.hooks.Wake = func(name string, wakes []source.Wake) {
		if s, ok := c.schedules[name]; ok {
			s.Wake(wakes)
		}
	}
	return c, nil
}

// run reads and keeps until ctx ends.
func (c *collecting) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range c.schedules {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { return c.hooks.Run(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
