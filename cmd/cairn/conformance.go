package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"cairn/ingest"
	"cairn/internal/conformance"
	"cairn/internal/event"
	"cairn/internal/store"
)

type conformanceCommand struct {
	Dir string `arg:"" help:"Folder of cases (*.json)."`
}

// Run loads each case into an empty database of a throw-away engine and compares the answers.
func (c *conformanceCommand) Run(ctx context.Context, w *world, g *Globals) (err error) {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	data, err := os.MkdirTemp("", "cairn-conformance-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	made := 0
	open := func(ctx context.Context) (*store.Store, error) {
		made++
		st, err := store.New(store.Config{Data: data, Library: cfg.Store.Library, Database: fmt.Sprintf("case_%d", made)})
		if err != nil {
			return nil, err
		}
		return st, st.Open(ctx)
	}
	// One store stays open, so that the engine is started once and not for each case.
	keeper, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	r := conformance.Runner{
		Fresh: func(ctx context.Context) (*store.Store, func() error, error) {
			st, err := open(ctx)
			if err != nil {
				return nil, nil, err
			}
			return st, func() error {
				return errors.Join(st.Exec(ctx, "DROP DATABASE {name:Identifier} SYNC", store.Params{"name": st.Database()}), st.Close())
			}, nil
		},
		Intake: func(ctx context.Context, st *store.Store, ndjson []byte) error {
			in, err := ingest.New(ingest.DefaultConfig(), st)
			if err != nil {
				return err
			}
			var d event.Decoder
			var b event.Batch
			if err := d.Decode(bytes.NewReader(ndjson), &b); err != nil {
				return err
			}
			return in.Write(ctx, &b)
		},
	}
	tally, err := r.Dir(ctx, c.Dir, w.stdout)
	if err == nil && tally.Failed > 0 {
		err = errQuiet
	}
	return err
}
