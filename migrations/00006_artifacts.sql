-- What was built of which commit, so that deployments which name an image or a release and no commit are attributed; and by
-- which rule the commit of each run was found.
-- +goose Up

CREATE TABLE IF NOT EXISTS artifacts
(
    id           String,
    digest       String,
    version_name String,
    repository   LowCardinality(String),
    sha          String,
    built_at     Nullable(DateTime64(3, 'UTC')),
    pipeline_run String,
    url          String,
    source       LowCardinality(String),
    updated_at   DateTime64(3, 'UTC'),
    version      UInt64,
    ingested_at  DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE deployments MODIFY COLUMN IF EXISTS revisions Array(Tuple(repository String, sha String, previous_sha String, role LowCardinality(String), rule LowCardinality(String)));
ALTER TABLE deployments ADD COLUMN IF NOT EXISTS images Array(String) AFTER artifact;
ALTER TABLE attributed_runs ADD COLUMN IF NOT EXISTS source LowCardinality(String) AFTER flags;
ALTER TABLE attributed_runs ADD COLUMN IF NOT EXISTS found_by LowCardinality(String) AFTER flags;
