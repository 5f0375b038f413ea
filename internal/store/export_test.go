package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// OpenWithoutSettings opens s on the server's own database as it is, for a server that does not know our settings.
func OpenWithoutSettings(s *Store) error {
	s.options.Settings = nil
	conn, err := clickhouse.Open(s.optionsFor("default"))
	s.conn = conn
	return err
}

// CreateDatabaseWithoutSettings creates the database of s on a server that does not know all of our settings.
func CreateDatabaseWithoutSettings(ctx context.Context, s *Store) error {
	s.options.Settings = nil
	return s.createDatabase(ctx)
}

// VersionTable is the statement that makes the table of applied migrations.
func VersionTable(cluster string) string { return versionSQL{cluster}.CreateTable(versionTable) }

// Ended is why a context has ended.
func Ended(ctx context.Context) error { return ended(ctx) }
