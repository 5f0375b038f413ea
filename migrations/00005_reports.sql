-- The weekly mails: who confirmed or ended a subscription, what happened to each mail, and the numbers as they were mailed.
-- +goose Up

CREATE TABLE IF NOT EXISTS report_subscriptions
(
    team       String,
    address    String,
    state      LowCardinality(String),
    updated_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (team, address)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS report_mails
(
    team      String,
    week      LowCardinality(String),
    recipient String,
    attempt   UInt32,
    step      LowCardinality(String),
    owner     String,
    error     String,
    at        DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (team, week, recipient, attempt, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS report_numbers
(
    team      String,
    mailed_in LowCardinality(String),
    week      LowCardinality(String),
    numbers   String CODEC(ZSTD(1)),
    at        DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (team, mailed_in, week)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
