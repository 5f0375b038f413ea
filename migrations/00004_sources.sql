-- The systems that facts come from: what their webhooks brought, as it came, until it expires; how often which kind of
-- delivery had which outcome; how far each of their lists has been read; what is left of each credential's allowance.
-- +goose Up

CREATE TABLE IF NOT EXISTS payloads
(
    source      LowCardinality(String),
    received_at DateTime64(3, 'UTC'),
    delivery    String,
    event       LowCardinality(String),
    headers     Map(LowCardinality(String), String),
    body        String CODEC(ZSTD(1)),
    outcome     LowCardinality(String),
    reason      String,
    facts       UInt32,
    expires_at  DateTime('UTC'),
    updated_at  DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
PARTITION BY toMonday(received_at)
ORDER BY (source, received_at, delivery)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS deliveries
(
    source   LowCardinality(String),
    day      Date,
    event    LowCardinality(String),
    outcome  LowCardinality(String),
    reason   String,
    n        UInt64,
    latest   SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = SummingMergeTree
ORDER BY (source, day, event, outcome, reason)
TTL day + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS source_streams
(
    source       LowCardinality(String),
    stream       String,
    system       LowCardinality(String),
    subject      String,
    kind         LowCardinality(String),
    outcome      LowCardinality(String),
    error        String,
    started_at   Nullable(DateTime64(3, 'UTC')),
    attempted_at DateTime64(3, 'UTC'),
    succeeded_at Nullable(DateTime64(3, 'UTC')),
    next_at      Nullable(DateTime64(3, 'UTC')),
    facts        UInt64,
    requests     UInt64,
    done         UInt64,
    total        UInt64,
    reached_back Nullable(DateTime64(3, 'UTC')),
    complete     Bool,
    rules        String,
    updated_at   DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (source, stream)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS source_budgets
(
    source     LowCardinality(String),
    resource   LowCardinality(String),
    allowance  UInt64,
    remaining  UInt64,
    reset_at   Nullable(DateTime64(3, 'UTC')),
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (source, resource)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
