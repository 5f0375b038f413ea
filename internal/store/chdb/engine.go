// Package chdb is the embedded engine: ClickHouse inside this process. It loads libchdb without cgo, keeps a pool of
// connections to it and answers clickhouse-go's HTTP protocol in-process, so that the rest of the store cannot tell it
// from a server.
package chdb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// Config says which library to load and where the data lies.
type Config struct {
	Library    string            // path of libchdb
	Path       string            // folder of the data; created when absent
	Server     map[string]string // server settings, such as mark_cache_size; those of the first Start hold
	ConfigFile string            // server configuration in ClickHouse's XML or YAML; "" for none
}

// Errors of Start and of a closed engine.
var (
	// ErrStart is all the engine says when it does not start. It prints the reason to stderr, except when it runs over
	// another folder already.
	ErrStart  = errors.New("the engine did not start")
	ErrClosed = errors.New("the engine is closed")
)

// Engine is the engine of this process, running over one folder. Its methods may be called from several goroutines.
//
// A process holds one folder at a time. Several Engines on the same folder share one engine, which runs until the last
// of them is closed.
type Engine struct {
	lib     *Library
	args    []string
	version string // of the ClickHouse in it

	ids     atomic.Uint64   // of statements
	slots   chan struct{}   // one token for each connection in use
	running sync.WaitGroup  // statements at work
	buffers sync.Pool       // of *[insertChunk]byte
	ending  context.Context // done when Close has begun
	end     context.CancelFunc

	controlMu sync.Mutex
	control   *conn // never pooled: keeps the engine up, and kills statements

	idleMu sync.Mutex
	idle   []*conn
	closed bool
}

// Start loads the library and starts the engine over the folder, or joins the one that runs over it already.
//
// When ctx ends first Start returns, and the engine is closed again as soon as it is up. Errors wrap those of Load,
// ErrStart or ctx's.
func Start(ctx context.Context, cfg Config) (*Engine, error) {
	lib, err := Load(cfg.Library)
	if err != nil {
		return nil, err
	}
	e := &Engine{lib: lib, args: []string{"cairn", "--path=" + cfg.Path}, slots: make(chan struct{}, maxConnections)}
	e.buffers.New = func() any { return new([insertChunk]byte) }
	if cfg.ConfigFile != "" {
		e.args = append(e.args, "--config-file="+cfg.ConfigFile)
	}
	for name, value := range cfg.Server {
		e.args = append(e.args, "--"+name+"="+value)
	}
	e.ending, e.end = context.WithCancel(context.Background())
	started := make(chan *conn, 1)
	go func() {
		lib.setSignalHandlers(0)
		started <- e.connect()
	}()
	select {
	case e.control = <-started:
	case <-ctx.Done():
		go func() {
			if c := <-started; c != nil {
				lib.closeConn(c.closer)
			}
		}()
		return nil, ctx.Err()
	}
	if e.control == nil {
		return nil, ErrStart
	}
	version, err := lib.take(lib.call(lib.queryWithParams, e.control.session, "SELECT version()", "TSVRaw", nil))
	if err != nil {
		lib.closeConn(e.control.closer)
		return nil, err
	}
	e.version = strings.TrimSpace(string(version))
	return e, nil
}

// Close stops what is running, waits for it and closes all connections. The last Close of a process on a folder shuts
// the engine down and gives the folder free.
func (e *Engine) Close() error {
	e.idleMu.Lock()
	if e.closed {
		e.idleMu.Unlock()
		return nil
	}
	e.closed = true
	e.idleMu.Unlock()
	e.end()
	e.running.Wait()

	e.idleMu.Lock()
	defer e.idleMu.Unlock()
	for _, c := range e.idle {
		e.lib.closeConn(c.closer)
	}
	e.idle = nil
	e.controlMu.Lock()
	defer e.controlMu.Unlock()
	e.lib.closeConn(e.control.closer)
	e.control = nil
	return nil
}
