package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cairn/collectors"
	"cairn/ingest"
	"cairn/internal/event"
	"cairn/internal/fault"
	"cairn/internal/problem"
)

// client asks a cairn: a running one over the network, or one that is built within this process for one command. The
// commands do not know which.
type client struct {
	http  *http.Client
	base  string
	close func() error
}

// withinProcess is the address of a cairn that lives for one command.
const withinProcess = "http://cairn.local"

// connect finds the cairn to ask: the one that is named, else the one that holds the data folder, else its own.
func (g *Globals) connect(ctx context.Context, w *world) (*client, error) {
	return g.connectWith(ctx, w, func(Config) ([]*collectors.Link, error) { return nil, nil })
}

// connectWith is connect for what needs the connections of the configuration, should it be asked within this process.
func (g *Globals) connectWith(ctx context.Context, w *world, links func(Config) ([]*collectors.Link, error)) (*client, error) {
	if g.Server != "" {
		base := strings.TrimSuffix(g.Server, "/")
		if u, err := url.Parse(base); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fault.New(fault.Invalid, "--server is %q: expected an address such as http://127.0.0.1:8080", g.Server)
		}
		return remote(base), nil
	}
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	if cfg.Store.Address == "" {
		if c := holder(ctx, cfg.Store.Data); c != nil {
			return c, nil
		}
	}
	connections, err := links(cfg)
	if err != nil {
		return nil, err
	}
	p, err := open(ctx, cfg, connections, g.logger(w))
	if err == nil {
		return &client{http: &http.Client{Transport: inProcess{p.api}}, base: withinProcess, close: p.close}, nil
	}
	if fault.KindOf(err) == fault.Conflict {
		// A server may have come up in between.
		if c := holder(ctx, cfg.Store.Data); c != nil {
			return c, nil
		}
	}
	return nil, err
}

func remote(base string) *client {
	return &client{http: &http.Client{}, base: base, close: func() error { return nil }}
}

func (g *Globals) logger(w *world) *slog.Logger {
	level := slog.LevelWarn
	if g.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w.stderr, &slog.HandlerOptions{Level: level}))
}

// doorplate is the file in a data folder that says where the cairn that holds it can be asked.
type doorplate struct {
	URL      string `json:"url"`
	Instance string `json:"instance"`
}

func doorplatePath(data string) string { return filepath.Join(data, "server.json") }

// holder is the running cairn that holds a data folder; nil when there is none.
func holder(ctx context.Context, data string) *client {
	text, err := os.ReadFile(doorplatePath(data))
	if err != nil {
		return nil
	}
	var d doorplate
	if json.Unmarshal(text, &d) != nil {
		return nil
	}
	c := remote(d.URL)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var health struct {
		Instance string `json:"instance"`
	}
	if c.get(ctx, "/healthz", nil, &health) != nil || health.Instance != d.Instance {
		return nil
	}
	return c
}

// get asks and reads the answer into v. Errors are faults.
func (c *client) get(ctx context.Context, path string, p url.Values, v any) error {
	body, err := c.raw(ctx, http.MethodGet, path, p, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

func (c *client) raw(ctx context.Context, method, path string, p url.Values, body []byte) ([]byte, error) {
	target := c.base + path
	if len(p) > 0 {
		target += "?" + p.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the address of cairn")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, problem.Unreachable(c.base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, problem.Read(resp)
	}
	return io.ReadAll(resp.Body)
}

// Write implements collectors.Sink for whatever collector c is made for.
type sink struct {
	*client
	kind string
}

// Write stores a batch.
func (s sink) Write(ctx context.Context, b *event.Batch) error {
	var ndjson bytes.Buffer
	if _, err := b.WriteTo(&ndjson); err != nil {
		return err
	}
	return ingest.Client{HTTP: s.http, Base: s.base}.Send(ctx, ndjson.Bytes())
}

type position struct {
	Stream   string `json:"stream"`
	Position string `json:"position"`
}

func (s sink) path() string { return "/api/v1/collectors/" + s.kind + "/position" }

// Load gives the position at which a stream resumes.
func (s sink) Load(ctx context.Context, stream string) (string, error) {
	var p position
	err := s.get(ctx, s.path(), url.Values{"stream": {stream}}, &p)
	return p.Position, err
}

// Save keeps the position of a stream.
func (s sink) Save(ctx context.Context, stream, at string) error {
	body, err := json.Marshal(position{Stream: stream, Position: at})
	if err != nil {
		return err
	}
	_, err = s.raw(ctx, http.MethodPut, s.path(), nil, body)
	return err
}

// inProcess carries requests to a handler in this process.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	served.RequestURI = r.URL.RequestURI()
	t.handler.ServeHTTP(answer, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answer.header, Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r,
	}, nil
}

// recorder is a response that stays in memory.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
