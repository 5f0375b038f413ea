package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn/api"
	"cairn/api/prometheus"
	"cairn/collectors"
	"cairn/dashboards"
	"cairn/docs"
	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/store"
	"cairn/metrics"
	"cairn/reports"
)

// program is everything wired together.
type program struct {
	store      *store.Store
	intake     *ingest.Intake
	engine     *metrics.Engine
	collecting *collecting
	reports    *reports.Reports // of the site
	api        http.Handler
	promql     http.Handler
	scraped    *prometheus.Exposition
	wake       chan struct{}
	instance   string
}

// open builds the program on its store, with the connections that bring facts in by themselves, if any.
func open(ctx context.Context, cfg Config, links []*collectors.Link, log *slog.Logger) (*program, error) {
	st, err := store.New(cfg.Store.store())
	if err != nil {
		return nil, err
	}
	p, err := wire(cfg, st, links, log)
	if err != nil {
		return nil, err
	}
	if err := st.Open(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// wire builds the program around a store.
func wire(cfg Config, st *store.Store, links []*collectors.Link, log *slog.Logger) (*program, error) {
	in, err := ingest.New(cfg.Ingest, st)
	if err != nil {
		return nil, err
	}
	engine, err := metrics.New(cfg.Metrics, st, time.Now, log)
	if err != nil {
		return nil, err
	}
	p := &program{store: st, intake: in, engine: engine, wake: make(chan struct{}, 1), instance: rand.Text()}
	told := prometheus.Deps{Engine: engine, Now: time.Now, Log: log, Version: version, Site: cfg.site()}
	if p.scraped, err = prometheus.NewExposition(cfg.Prometheus, told); err != nil {
		return nil, err
	}
	told.Own = p.scraped
	if p.promql, err = prometheus.New(cfg.Prometheus, told); err != nil {
		return nil, err
	}
	engine.Computed = p.scraped.Queried
	arrived := func() {}
	if cfg.Store.Address == "" {
		arrived = engine.Feed() // nobody else writes to the embedded engine
	}
	in.Touched = func(byKind map[string]int) {
		arrived()
		p.scraped.Stored(byKind)
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	in.Failed = func(r *http.Request, err error) {
		if !errors.Is(err, context.Canceled) {
			log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
	}
	if p.collecting, err = newCollecting(cfg, in, st, links, log); err != nil {
		return nil, err
	}
	p.collecting.hooks.Noted = p.scraped.Webhook
	p.scraped.Webhooks(p.collecting.hooks.Sources(), ingest.Outcomes())
	p.scraped.Mails(reports.Outcomes())
	p.scraped.Events(event.Kinds())
	p.scraped.Journal(p.collecting.hooks.Waiting)
	deps := api.Deps{Engine: engine, Store: st, Events: in.Handler(), Log: log, Instance: p.instance, Version: version}
	if len(links) > 0 {
		deps.Replay = p.collecting.hooks.ReplayHandler()
	}
	p.api = api.New(deps)
	return p, nil
}

func (p *program) close() error {
	p.collecting.hooks.Close()
	return p.store.Close()
}

// site is all that is served: the API, that of Prometheus, and the pages everywhere else.
func (p *program) site(cfg Config, getenv func(string) string, log *slog.Logger) (http.Handler, error) {
	description, err := json.Marshal(api.Document())
	if err != nil {
		return nil, err
	}
	pages, err := dashboards.New(cfg.Pages, dashboards.Deps{Engine: p.engine, OpenAPI: description, Docs: docs.Files, Now: time.Now, Log: log, Version: version})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/api/", "/healthz", "/openapi.json"} {
		mux.Handle(path, p.api)
	}
	mux.Handle(ingest.HooksPath, p.collecting.hooks)
	p.reports, err = newReports(cfg, p, pages, getenv, log)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{"/reports", "/reports/"} {
		mux.Handle(path, p.reports.Handler())
	}
	mux.Handle("/prometheus/", p.promql)
	mux.Handle("/metrics", p.scraped)
	mux.Handle("/", pages)
	return p.scraped.Counting(mux), nil
}

type serveCommand struct {
	Listen string `help:"Address to listen on (default: 127.0.0.1:8080)." placeholder:"HOST:PORT"`
	Title  string `help:"The organisation's name on the pages." placeholder:"NAME"`
}

// Run serves until ctx ends.
func (s *serveCommand) Run(ctx context.Context, w *world, g *Globals) (err error) {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if s.Listen != "" {
		cfg.Listen = s.Listen
	}
	if s.Title != "" {
		cfg.Pages.Title = s.Title
	}
	log := slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	if g.Verbose {
		log = g.logger(w)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		if e, ok := errors.AsType[*net.OpError](err); ok {
			err = e.Err
		}
		return fault.New(fault.Conflict, "cairn cannot listen on %s (%w): name another address with --listen HOST:PORT", cfg.Listen, err)
	}
	defer listener.Close()
	links, err := cfg.links(w.getenv)
	if err != nil {
		return err
	}
	p, err := open(ctx, cfg, links, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	handler, err := p.site(cfg, w.getenv, log)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	if cfg.Store.Address == "" {
		if err := hang(cfg.Store.Data, doorplate{URL: reachable(listener.Addr()), Instance: p.instance}); err != nil {
			return err
		}
		defer os.Remove(doorplatePath(cfg.Store.Data))
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	fmt.Fprintf(w.stdout, "cairn serves %s on %s\n", where(cfg.Store), address)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.engine.Run(ctx, p.wake) })
	group.Go(func() error { return p.collecting.run(ctx) })
	group.Go(func() error { return p.reports.Run(ctx) })
	group.Go(func() error { return p.scraped.Run(ctx) })
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return server.Shutdown(ending)
	})
	return group.Wait()
}

// site is the address at which readers reach the pages: the one that is set, else that of this machine.
func (cfg Config) site() string {
	if cfg.Prometheus.Site != "" {
		return cfg.Prometheus.Site
	}
	if cfg.Reports.BaseURL != "" {
		return strings.TrimRight(cfg.Reports.BaseURL, "/")
	}
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		port = "8080"
	}
	return "http://localhost:" + port
}

func where(s StoreConfig) string {
	if s.Address != "" {
		return "a ClickHouse server"
	}
	return s.Data
}

// reachable is the address under which this machine reaches a listener, which may listen everywhere.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// hang writes the doorplate of a data folder.
func hang(data string, d doorplate) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := os.WriteFile(doorplatePath(data), append(text, '\n'), 0o600); err != nil {
		return fault.Wrap(fault.Denied, err, "the data folder")
	}
	return nil
}
