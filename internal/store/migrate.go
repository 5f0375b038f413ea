package store

import (
	"context"
	"database/sql"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"cairn/internal/fault"
	"cairn/migrations"
)

// migrate applies the migrations that the database has not seen. Two processes may do it at once: every statement of a
// migration can be repeated, so the slower one changes nothing. A database that a newer program has migrated is refused.
func (s *Store) migrate(ctx context.Context, db *sql.DB) error {
	provider, err := newProvider(db, s.cfg.Cluster)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the migrations")
	}
	found, known, err := provider.GetVersions(ctx)
	if err != nil {
		return s.fault(ctx, err)
	}
	if found > known {
		return fault.New(fault.Conflict, "the data was written by a newer version of this program (schema %d, this one knows %d): use that one", found, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return s.fault(ctx, err)
	}
	return nil
}

// newProvider returns what applies the migrations, in the form for the cluster of that name or, for "", as written.
func newProvider(db *sql.DB, cluster string) (*goose.Provider, error) {
	var files fs.FS = migrations.FS()
	if cluster != "" {
		files = migrations.Cluster(cluster)
	}
	versions, err := database.NewStoreFromQuerier(versionTable, versionSQL{cluster})
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectCustom, db, files,
		goose.WithStore(versions), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// versionTable remembers which migrations are applied.
const versionTable = "goose_db_version"

// versionSQL is the SQL of versionTable. A version may be in it twice, told by two processes.
//
// In a cluster every node has the whole table: all nodes of all shards are replicas of one another in it.
type versionSQL struct{ cluster string }

// CreateTable implements dialect.Querier.
func (v versionSQL) CreateTable(table string) string {
	onCluster, engine := "", "MergeTree"
	if v.cluster != "" {
		onCluster = " ON CLUSTER " + v.cluster
		engine = "ReplicatedMergeTree('/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}')"
	}
	return strings.NewReplacer("TABLE_NAME", table, "ON_CLUSTER", onCluster, "TABLE_ENGINE", engine).Replace(
		`CREATE TABLE IF NOT EXISTS TABLE_NAMEON_CLUSTER
(
    version_id Int64,
    is_applied UInt8,
    tstamp     DateTime DEFAULT now()
)
ENGINE = TABLE_ENGINE
ORDER BY version_id`)
}

// InsertVersion implements dialect.Querier.
func (v versionSQL) InsertVersion(table string) string {
	return "INSERT INTO " + table + " (version_id, is_applied) VALUES ($1, $2)"
}

// DeleteVersion implements dialect.Querier. Migrations only go forward.
func (v versionSQL) DeleteVersion(table string) string {
	return "ALTER TABLE " + table + " DELETE WHERE version_id = $1 SETTINGS mutations_sync = 2"
}

// GetMigrationByVersion implements dialect.Querier.
func (v versionSQL) GetMigrationByVersion(table string) string {
	return "SELECT tstamp, is_applied FROM " + table + " WHERE version_id = $1 ORDER BY tstamp DESC LIMIT 1"
}

// ListMigrations implements dialect.Querier.
func (v versionSQL) ListMigrations(table string) string {
	return "SELECT DISTINCT version_id, is_applied FROM " + table + " ORDER BY version_id DESC"
}

// GetLatestVersion implements dialect.Querier.
func (v versionSQL) GetLatestVersion(table string) string {
	return "SELECT max(version_id) FROM " + table
}
