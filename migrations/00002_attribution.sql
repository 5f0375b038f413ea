-- What attribution says, derived from the facts and nothing else: these tables can be dropped and rebuilt at any time
-- with the same answer. environment is 'production' for every environment of the production tier, else the
-- environment's own name. teams are the owners at the event's own time. revision is the derivation that wrote the row;
-- a row that a later derivation no longer finds is replaced by one with is_deleted = 1.
-- +goose Up

CREATE TABLE IF NOT EXISTS attributed_runs
(
    environment   LowCardinality(String),
    service       LowCardinality(String),
    at            DateTime64(3, 'UTC'),
    run           String,
    teams         Array(LowCardinality(String)),
    target        LowCardinality(String),
    status        LowCardinality(String),
    kind          LowCardinality(String),
    deployment    String,
    started_at    Nullable(DateTime64(3, 'UTC')),
    version_name  String,
    way           LowCardinality(String),
    commits       UInt32,
    changes       UInt32,
    flags         Array(LowCardinality(String)),
    url           String,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, at, run);

CREATE TABLE IF NOT EXISTS attributed_deployments
(
    environment   LowCardinality(String),
    service       LowCardinality(String),
    deployed_at   DateTime64(3, 'UTC'),
    deployment    String,
    teams         Array(LowCardinality(String)),
    kind          LowCardinality(String),
    started_at    Nullable(DateTime64(3, 'UTC')),
    completed_at  DateTime64(3, 'UTC'),
    targets       Array(LowCardinality(String)),
    version_name  String,
    way           LowCardinality(String),
    baseline      Bool,
    commits       UInt32,
    changes       UInt32,
    failed        Bool,
    failed_rule   LowCardinality(String),
    failed_by     Array(String),
    restored_at   Nullable(DateTime64(3, 'UTC')),
    restored_by   String,
    rework        Bool,
    rework_rule   LowCardinality(String),
    rework_of     Array(String),
    flags         Array(LowCardinality(String)),
    url           String,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, deployment);

CREATE TABLE IF NOT EXISTS attributed_changes
(
    environment   LowCardinality(String),
    service       LowCardinality(String),
    deployed_at   DateTime64(3, 'UTC'),
    change        String,
    teams         Array(LowCardinality(String)),
    repository    LowCardinality(String),
    kind          LowCardinality(String),
    author        LowCardinality(String),
    bot           Bool,
    deployment    String,
    commits       Array(String),
    started_at    DateTime64(3, 'UTC'),
    opened_at     Nullable(DateTime64(3, 'UTC')),
    merged_at     Nullable(DateTime64(3, 'UTC')),
    lead_ms       Int64,
    coding_ms     Nullable(Int64),
    pickup_ms     Nullable(Int64),
    review_ms     Nullable(Int64),
    wait_ms       Nullable(Int64),
    deploy_ms     Nullable(Int64),
    rule          LowCardinality(String),
    excluded      LowCardinality(String),
    flags         Array(LowCardinality(String)),
    url           String,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, repository, change);

CREATE TABLE IF NOT EXISTS attributed_commits
(
    environment   LowCardinality(String),
    service       LowCardinality(String),
    deployed_at   DateTime64(3, 'UTC'),
    repository    LowCardinality(String),
    sha           String,
    teams         Array(LowCardinality(String)),
    author        LowCardinality(String),
    committed_at  DateTime64(3, 'UTC'),
    deployment    String,
    change        String,
    baseline      Bool,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, repository, sha);

CREATE TABLE IF NOT EXISTS waiting_changes
(
    environment   LowCardinality(String),
    service       LowCardinality(String),
    repository    LowCardinality(String),
    change        String,
    teams         Array(LowCardinality(String)),
    kind          LowCardinality(String),
    author        LowCardinality(String),
    bot           Bool,
    started_at    DateTime64(3, 'UTC'),
    merged_at     DateTime64(3, 'UTC'),
    url           String,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, repository, change);

CREATE TABLE IF NOT EXISTS attributed_incidents
(
    service       LowCardinality(String),
    started_at    DateTime64(3, 'UTC'),
    incident      String,
    teams         Array(LowCardinality(String)),
    restored_at   Nullable(DateTime64(3, 'UTC')),
    cause         LowCardinality(String),
    deployment    String,
    rule          LowCardinality(String),
    severity      LowCardinality(String),
    title         String,
    url           String,
    revision      UInt64,
    is_deleted    UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (service, started_at, incident);

CREATE TABLE IF NOT EXISTS attributed_services
(
    service        String,
    teams          Array(LowCardinality(String)),
    lifecycle      LowCardinality(String),
    created_at     Nullable(DateTime64(3, 'UTC')),
    created_via    LowCardinality(String),
    idea_at        Nullable(DateTime64(3, 'UTC')),
    retired_at     Nullable(DateTime64(3, 'UTC')),
    first_run_at   Nullable(DateTime64(3, 'UTC')),
    first_run      String,
    first_commit_at Nullable(DateTime64(3, 'UTC')),
    first_merge_at  Nullable(DateTime64(3, 'UTC')),
    first_pipeline_success_at Nullable(DateTime64(3, 'UTC')),
    revision       UInt64,
    is_deleted     UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY service;
