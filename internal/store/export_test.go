package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ConnectWithoutSettings connects to the server of s as s does, but without settings that an old server does not know.
func ConnectWithoutSettings(s *Store) (driver.Conn, error) {
	options := s.optionsFor("default")
	options.Settings = nil
	return clickhouse.Open(options)
}

// CreateDatabaseWithoutSettings creates the database of s on a server that does not know all of our settings.
func CreateDatabaseWithoutSettings(ctx context.Context, s *Store) error {
	s.options.Settings = nil
	return s.createDatabase(ctx)
}

// Fault is what s makes of an error of the driver.
func Fault(s *Store, ctx context.Context, err error) error { return s.fault(ctx, err) }

// VersionTable is the statement that makes the table of applied migrations.
func VersionTable(cluster string) string { return versionSQL{cluster}.CreateTable(versionTable) }
