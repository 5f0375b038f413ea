// Package store is the one door to ClickHouse: intake writes facts through it, metrics read them. The same SQL, driver
// and migrations serve the embedded engine (the default), a server and a cluster; which one it is, is Config's affair
// and nobody else's.
package store

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"cairn/internal/fault"
	"cairn/internal/store/chdb"
)

// Config says where the data is.
type Config struct {
	// Address is that of a ClickHouse server, clickhouse://user:password@host:9000/database. Empty means the embedded
	// engine.
	Address string
	// Data is the folder of the embedded engine; it is created when absent.
	Data string
	// Library is the path of libchdb. Empty means the usual places; see FindLibrary.
	Library string
	// Database is created when absent. Empty means that of Address, else "cairn".
	Database string
	// Cluster is the name of the cluster, as in the server's configuration. When set, tables are made in their
	// Replicated and Distributed form on every node.
	Cluster string
}

// Store is the data of one installation. It is safe for use from several goroutines.
type Store struct {
	cfg     Config
	options *clickhouse.Options // without a database and, when embedded, without a transport

	engine  *chdb.Engine // nil with a server
	conn    driver.Conn  // nil until Open
	closed  atomic.Bool
	columns sync.Map // of insert statements; see Batch
}

// Rows is the answer to a query; the caller closes it.
type Rows = driver.Rows

// Row is an answer of one row. Its Scan returns sql.ErrNoRows when there is none.
type Row = driver.Row

// Batch collects rows to insert. Append them by row, or whole columns by Column(i).Append(slice); then Send. A batch
// that is not sent must be aborted.
type Batch = driver.Batch

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// New checks cfg. Errors are fault.Invalid.
func New(cfg Config) (*Store, error) {
	s := &Store{cfg: cfg}
	if cfg.Address == "" {
		if cfg.Data == "" {
			return nil, fault.New(fault.Invalid, "the store needs a data folder or the address of a ClickHouse server")
		}
		if cfg.Cluster != "" {
			return nil, fault.New(fault.Invalid, "a cluster (%s) needs the address of a ClickHouse server; the embedded engine stands alone", cfg.Cluster)
		}
		s.options = &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded"}}
	} else {
		options, err := parseAddress(cfg.Address)
		if err != nil {
			return nil, err
		}
		if s.cfg.Database == "" {
			s.cfg.Database = options.Auth.Database
		}
		s.options = options
	}
	if s.cfg.Database == "" {
		s.cfg.Database = "cairn"
	}
	if !databaseName.MatchString(s.cfg.Database) {
		return nil, fault.New(fault.Invalid, "database %q: a name of letters, digits and _ is expected", s.cfg.Database)
	}
	if cfg.Cluster != "" && !databaseName.MatchString(cfg.Cluster) {
		return nil, fault.New(fault.Invalid, "cluster %q: a name of letters, digits and _ is expected", cfg.Cluster)
	}
	if s.options.Settings == nil {
		s.options.Settings = clickhouse.Settings{}
	}
	for name, value := range s.settings() {
		if _, given := s.options.Settings[name]; !given {
			s.options.Settings[name] = value
		}
	}
	// A connection of the driver is taken while its batch is being filled; the engine and the server have limits of
	// their own on what is at work.
	s.options.MaxOpenConns = cmp.Or(s.options.MaxOpenConns, 256)
	s.options.MaxIdleConns = cmp.Or(s.options.MaxIdleConns, 16)
	s.options.DialTimeout = cmp.Or(s.options.DialTimeout, 10*time.Second)
	return s, nil
}

// settings hold for every statement, unless the address says otherwise.
func (s *Store) settings() clickhouse.Settings {
	settings := clickhouse.Settings{
		"join_use_nulls":         1,
		"date_time_input_format": "best_effort",
		"session_timezone":       "UTC",
		// What a condition on the key leaves out is left out before rows are merged (FINAL), not after.
		"optimize_move_to_prewhere_if_final": 1,
	}
	if s.cfg.Cluster != "" {
		// What is written can be read at once, and a join of two tables sees the rows of every shard.
		settings["distributed_foreground_insert"] = 1
		settings["distributed_product_mode"] = "global"
	}
	return settings
}

func parseAddress(address string) (*clickhouse.Options, error) {
	if !strings.HasPrefix(address, "clickhouse://") {
		return nil, fault.New(fault.Invalid, "the address of the ClickHouse server must look like clickhouse://user:password@host:9000/database")
	}
	options, err := clickhouse.ParseDSN(address)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the address of the ClickHouse server")
	}
	if options.Compression == nil {
		options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	}
	return options, nil
}

// Open starts the engine or connects to the server, creates the database and brings it to the current schema. It is
// called once. Faults say what is wrong with the folder, the library, the server or the rights on it; errors.Is(err,
// ErrHeld) tells a folder that another process holds.
func (s *Store) Open(ctx context.Context) error {
	if s.conn != nil || s.closed.Load() {
		return fault.New(fault.Internal, "a store is opened once")
	}
	if err := s.open(ctx); err != nil {
		_ = s.Close()
		return err
	}
	return nil
}

func (s *Store) open(ctx context.Context) error {
	if s.cfg.Address == "" {
		if err := s.startEngine(ctx); err != nil {
			return err
		}
	} else if err := s.checkServer(ctx); err != nil {
		return err
	}
	if err := s.createDatabase(ctx); err != nil {
		return err
	}
	options := s.optionsFor(s.cfg.Database)
	conn, err := clickhouse.Open(options)
	if err != nil {
		return s.fault(ctx, err)
	}
	s.conn = conn
	db := clickhouse.OpenDB(options)
	defer db.Close()
	return s.migrate(ctx, db)
}

func (s *Store) startEngine(ctx context.Context) error {
	library := s.cfg.Library
	if library == "" {
		found, err := FindLibrary()
		if err != nil {
			return err
		}
		library = found
	}
	// The engine takes a relative folder for one relative to itself when it syncs it.
	folder, err := filepath.Abs(s.cfg.Data)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the data folder %s", s.cfg.Data)
	}
	if err := checkFolder(s.cfg.Data); err != nil {
		return err
	}
	engine, err := chdb.Start(ctx, chdb.Config{
		Library: library, Path: filepath.Join(folder, engineFolder), Server: serverSettings(),
	})
	if err != nil {
		return s.startFault(ctx, err, library)
	}
	s.engine = engine
	s.options.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return engine, nil }
	return nil
}

// serverSettings keep the embedded engine a good guest: its caches are made for machines that do nothing else.
func serverSettings() map[string]string {
	return map[string]string{
		"max_server_memory_usage_to_ram_ratio": "0.6",
		"mark_cache_size":                      "268435456",
		"primary_index_cache_size":             "268435456",
		"index_mark_cache_size":                "67108864",
	}
}

// oldest is the oldest ClickHouse that has everything our SQL uses.
var oldest = proto.Version{Major: 24, Minor: 8}

// checkServer connects to the server as such, without our database or settings.
func (s *Store) checkServer(ctx context.Context) error {
	options := *s.options
	options.Auth.Database = "default"
	options.Settings = nil
	conn, err := clickhouse.Open(&options)
	if err != nil {
		return s.fault(ctx, err)
	}
	defer conn.Close()
	version, err := withContext(ctx, conn.ServerVersion)
	if err != nil {
		return s.fault(ctx, err)
	}
	if !proto.CheckMinVersion(oldest, version.Version) {
		return fault.New(fault.Unavailable, "%s has version %d.%d; %d.%d or newer is needed",
			s.place(), version.Version.Major, version.Version.Minor, oldest.Major, oldest.Minor)
	}
	return nil
}

// withContext calls f, which knows no context but ends by itself, and does not wait for it longer than ctx.
func withContext[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := f()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// createDatabase creates the database. A user who may not is no matter where the database exists.
func (s *Store) createDatabase(ctx context.Context) error {
	conn, err := clickhouse.Open(s.optionsFor("default"))
	if err != nil {
		return s.fault(ctx, err)
	}
	defer conn.Close()
	sql := "CREATE DATABASE IF NOT EXISTS " + s.cfg.Database
	if s.cfg.Cluster != "" {
		sql += " ON CLUSTER " + s.cfg.Cluster
	}
	creating := s.fault(ctx, conn.Exec(ctx, sql))
	if fault.KindOf(creating) != fault.Denied {
		return creating
	}
	existing, err := clickhouse.Open(s.optionsFor(s.cfg.Database))
	if err != nil {
		return s.fault(ctx, err)
	}
	defer existing.Close()
	if err := existing.Ping(ctx); err != nil {
		return creating
	}
	return nil
}

func (s *Store) optionsFor(database string) *clickhouse.Options {
	options := *s.options
	options.Auth.Database = database
	return &options
}

// Database returns the name of the database that the store works on.
func (s *Store) Database() string { return s.cfg.Database }

// Close ends what is running and closes the engine or the connections. Closing twice is harmless.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var err error
	if s.conn != nil {
		err = s.conn.Close()
	}
	if s.engine != nil {
		err = errors.Join(err, s.engine.Close())
	}
	if err != nil {
		return fault.Wrap(fault.Internal, err, "closing the store")
	}
	return nil
}
