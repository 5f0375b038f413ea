package main

import (
	"context"
	"fmt"
	"time"

	"cairn/internal/store"
	"cairn/metrics/metricstest"
)

// tellSources has the demonstration organisation's data say how two systems are doing that facts come from: one that is
// read, whose history is half told and of which some cannot be read, and one that is only heard.
func tellSources(ctx context.Context, data string) error {
	cfg := DefaultConfig()
	cfg.Store.Data = data
	st, err := store.New(cfg.Store.store())
	if err != nil {
		return err
	}
	if err := st.Open(ctx); err != nil {
		return err
	}
	defer st.Close()
	return metricstest.Sources(ctx, st, time.Now())
}

// tellSourcesCommand is tellSources as a program of its own: an engine serves one folder in the life of a process.
func tellSourcesCommand(data string) error {
	if err := tellSources(context.Background(), data); err != nil {
		return fmt.Errorf("telling of sources: %w", err)
	}
	return nil
}
