package store

import (
	"context"
	"errors"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"cairn/internal/fault"
)

// Query runs sql and returns its rows as they come. The caller closes them; closing early, like ending ctx, stops the
// query.
func (s *Store) Query(ctx context.Context, sql string, p Params) (Rows, error) {
	conn, ctx, err := s.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	answer, err := conn.Query(inner, sql)
	if err != nil {
		cancel()
		return nil, s.fault(ctx, err)
	}
	return &rows{Rows: answer, store: s, ctx: ctx, cancel: cancel}, nil
}

// Select runs sql and appends its rows to dest, a pointer to a slice of structs whose fields have `ch:"column"` tags.
func (s *Store) Select(ctx context.Context, dest any, sql string, p Params) error {
	conn, ctx, err := s.begin(ctx, p)
	if err != nil {
		return err
	}
	return s.fault(ctx, conn.Select(ctx, dest, sql))
}

// QueryRow runs sql, which answers with one row. Errors come out of the row's Scan.
func (s *Store) QueryRow(ctx context.Context, sql string, p Params) Row {
	conn, ctx, err := s.begin(ctx, p)
	if err != nil {
		return brokenRow{err}
	}
	return row{Row: conn.QueryRow(ctx, sql), store: s, ctx: ctx}
}

// Exec runs a statement that has no rows to return.
func (s *Store) Exec(ctx context.Context, sql string, p Params) error {
	conn, ctx, err := s.begin(ctx, p)
	if err != nil {
		return err
	}
	s.columns.Clear() // it may have changed a table
	return s.fault(ctx, conn.Exec(ctx, sql))
}

// Batch starts an insert of many rows. sql is INSERT INTO table (columns…) without VALUES. The rows of one Send are
// stored together, and Send is the only call that reaches the engine.
func (s *Store) Batch(ctx context.Context, sql string) (Batch, error) {
	conn, ctx, err := s.begin(ctx, nil)
	if err != nil {
		return nil, err
	}
	// The embedded engine is asked for the columns of a table; once is enough.
	if known, ok := s.columns.Load(sql); ok {
		ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(known.([]clickhouse.ColumnNameAndType)))
	}
	b, err := conn.PrepareBatch(ctx, sql)
	if err != nil {
		return nil, s.fault(ctx, err)
	}
	if s.engine != nil {
		var columns []clickhouse.ColumnNameAndType
		for _, c := range b.Columns() {
			columns = append(columns, clickhouse.ColumnNameAndType{Name: c.Name(), Type: string(c.Type())})
		}
		s.columns.Store(sql, columns)
	}
	return batch{Batch: b, store: s, ctx: ctx}, nil
}

// Durable returns a context whose inserts are kept for good when Send returns: the tables of facts are written through
// to the disk (fsync_after_insert), and a server must not put the rows off, whatever its own settings are.
func (s *Store) Durable(ctx context.Context) context.Context {
	if s.cfg.Address == "" {
		return ctx
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0}))
}

// begin returns the connection, and ctx with the parameters.
func (s *Store) begin(ctx context.Context, p Params) (driver.Conn, context.Context, error) {
	if s.conn == nil {
		return nil, nil, fault.New(fault.Internal, "the store is not open")
	}
	ctx, err := withParams(ctx, p)
	return s.conn, ctx, err
}

type rows struct {
	Rows
	store  *Store
	ctx    context.Context
	cancel context.CancelFunc
}

func (r *rows) Err() error { return r.store.fault(r.ctx, r.Rows.Err()) }

func (r *rows) Close() error {
	r.cancel()
	err := r.Rows.Close()
	if errors.Is(err, context.Canceled) && r.ctx.Err() == nil {
		return nil // by this very call
	}
	return r.store.fault(r.ctx, err)
}

type row struct {
	Row
	store *Store
	ctx   context.Context
}

func (r row) Scan(dest ...any) error { return r.store.fault(r.ctx, r.Row.Scan(dest...)) }

func (r row) ScanStruct(dest any) error { return r.store.fault(r.ctx, r.Row.ScanStruct(dest)) }

func (r row) Err() error { return r.store.fault(r.ctx, r.Row.Err()) }

type brokenRow struct{ err error }

func (r brokenRow) Scan(...any) error { return r.err }

func (r brokenRow) ScanStruct(any) error { return r.err }

func (r brokenRow) Err() error { return r.err }

type batch struct {
	Batch
	store *Store
	ctx   context.Context
}

func (b batch) Send() error { return b.store.fault(b.ctx, b.Batch.Send()) }
