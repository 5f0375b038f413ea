package store

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"

	"cairn/migrations"
)

// migrate applies the migrations that the database has not seen. Two processes may do it at once: every statement of a
// migration can be repeated, so the slower one changes nothing.
func (s *Store) migrate(ctx context.Context, db *sql.DB) error {
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, migrations.FS(), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return s.fault(ctx, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return s.fault(ctx, err)
	}
	return nil
}
