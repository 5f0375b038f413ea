-- What the program remembers about its own work: how far each collector and attribution have come, and the secrets
-- of this installation.
-- +goose Up

CREATE TABLE IF NOT EXISTS cursors
(
    owner      LowCardinality(String),
    stream     String,
    position   String,
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (owner, stream)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS installation
(
    name       String,
    value      String,
    version    UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
