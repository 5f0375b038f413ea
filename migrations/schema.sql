-- The sum of the migrations, as the engine tells it. Written by: go test ./migrations -update

CREATE TABLE artifacts
(
    `id` String,
    `digest` String,
    `version_name` String,
    `repository` LowCardinality(String),
    `sha` String,
    `built_at` Nullable(DateTime64(3, 'UTC')),
    `pipeline_run` String,
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE attributed_changes
(
    `environment` LowCardinality(String),
    `service` LowCardinality(String),
    `deployed_at` DateTime64(3, 'UTC'),
    `change` String,
    `teams` Array(LowCardinality(String)),
    `repository` LowCardinality(String),
    `kind` LowCardinality(String),
    `author` LowCardinality(String),
    `bot` Bool,
    `deployment` String,
    `commits` Array(String),
    `started_at` DateTime64(3, 'UTC'),
    `opened_at` Nullable(DateTime64(3, 'UTC')),
    `merged_at` Nullable(DateTime64(3, 'UTC')),
    `lead_ms` Int64,
    `coding_ms` Nullable(Int64),
    `pickup_ms` Nullable(Int64),
    `review_ms` Nullable(Int64),
    `wait_ms` Nullable(Int64),
    `deploy_ms` Nullable(Int64),
    `rule` LowCardinality(String),
    `excluded` LowCardinality(String),
    `flags` Array(LowCardinality(String)),
    `url` String,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, repository, change)
SETTINGS index_granularity = 8192;

CREATE TABLE attributed_commits
(
    `environment` LowCardinality(String),
    `service` LowCardinality(String),
    `deployed_at` DateTime64(3, 'UTC'),
    `repository` LowCardinality(String),
    `sha` String,
    `teams` Array(LowCardinality(String)),
    `author` LowCardinality(String),
    `committed_at` DateTime64(3, 'UTC'),
    `deployment` String,
    `change` String,
    `baseline` Bool,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, repository, sha)
SETTINGS index_granularity = 8192;

CREATE TABLE attributed_deployments
(
    `environment` LowCardinality(String),
    `service` LowCardinality(String),
    `deployed_at` DateTime64(3, 'UTC'),
    `deployment` String,
    `teams` Array(LowCardinality(String)),
    `kind` LowCardinality(String),
    `started_at` Nullable(DateTime64(3, 'UTC')),
    `completed_at` DateTime64(3, 'UTC'),
    `targets` Array(LowCardinality(String)),
    `version_name` String,
    `way` LowCardinality(String),
    `baseline` Bool,
    `commits` UInt32,
    `changes` UInt32,
    `failed` Bool,
    `failed_rule` LowCardinality(String),
    `failed_by` Array(String),
    `restored_at` Nullable(DateTime64(3, 'UTC')),
    `restored_by` String,
    `rework` Bool,
    `rework_rule` LowCardinality(String),
    `rework_of` Array(String),
    `flags` Array(LowCardinality(String)),
    `url` String,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, deployed_at, deployment)
SETTINGS index_granularity = 8192;

CREATE TABLE attributed_incidents
(
    `service` LowCardinality(String),
    `started_at` DateTime64(3, 'UTC'),
    `incident` String,
    `teams` Array(LowCardinality(String)),
    `restored_at` Nullable(DateTime64(3, 'UTC')),
    `cause` LowCardinality(String),
    `deployment` String,
    `rule` LowCardinality(String),
    `severity` LowCardinality(String),
    `title` String,
    `url` String,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (service, started_at, incident)
SETTINGS index_granularity = 8192;

CREATE TABLE attributed_runs
(
    `environment` LowCardinality(String),
    `service` LowCardinality(String),
    `at` DateTime64(3, 'UTC'),
    `run` String,
    `teams` Array(LowCardinality(String)),
    `target` LowCardinality(String),
    `status` LowCardinality(String),
    `kind` LowCardinality(String),
    `deployment` String,
    `started_at` Nullable(DateTime64(3, 'UTC')),
    `version_name` String,
    `way` LowCardinality(String),
    `commits` UInt32,
    `changes` UInt32,
    `flags` Array(LowCardinality(String)),
    `found_by` LowCardinality(String),
    `source` LowCardinality(String),
    `url` String,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, at, run)
SETTINGS index_granularity = 8192;

CREATE TABLE attributed_services
(
    `service` String,
    `teams` Array(LowCardinality(String)),
    `lifecycle` LowCardinality(String),
    `created_at` Nullable(DateTime64(3, 'UTC')),
    `created_via` LowCardinality(String),
    `idea_at` Nullable(DateTime64(3, 'UTC')),
    `retired_at` Nullable(DateTime64(3, 'UTC')),
    `first_run_at` Nullable(DateTime64(3, 'UTC')),
    `first_run` String,
    `first_commit_at` Nullable(DateTime64(3, 'UTC')),
    `first_merge_at` Nullable(DateTime64(3, 'UTC')),
    `first_pipeline_success_at` Nullable(DateTime64(3, 'UTC')),
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY service
SETTINGS index_granularity = 8192;

CREATE TABLE branches
(
    `repository` String,
    `name` String,
    `sha` String,
    `is_default` Bool,
    `deleted_at` Nullable(DateTime64(3, 'UTC')),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, name)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE capability_exemptions
(
    `service` LowCardinality(String),
    `capability` LowCardinality(String),
    `exemption` LowCardinality(String),
    `approved_at` DateTime64(3, 'UTC'),
    `expires_at` Nullable(DateTime64(3, 'UTC')),
    `reason` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (service, capability, exemption, approved_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE capability_uses
(
    `service` LowCardinality(String),
    `capability` LowCardinality(String),
    `observed_at` DateTime64(3, 'UTC'),
    `state` LowCardinality(String),
    `evidence` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (service, capability, observed_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE change_requests
(
    `repository` LowCardinality(String),
    `id` String,
    `author` String,
    `title` String,
    `base_branch` LowCardinality(String),
    `created_at` DateTime64(3, 'UTC'),
    `first_commit_at` Nullable(DateTime64(3, 'UTC')),
    `ready_at` Nullable(DateTime64(3, 'UTC')),
    `first_review_at` Nullable(DateTime64(3, 'UTC')),
    `approved_at` Nullable(DateTime64(3, 'UTC')),
    `merged_at` Nullable(DateTime64(3, 'UTC')),
    `closed_at` Nullable(DateTime64(3, 'UTC')),
    `merge_method` LowCardinality(String),
    `commits` Array(String),
    `landed` Array(String),
    `labels` Array(LowCardinality(String)),
    `additions` Int64,
    `deletions` Int64,
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE commits
(
    `repository` LowCardinality(String),
    `sha` String,
    `parents` Array(String),
    `author` LowCardinality(String),
    `bot` Bool,
    `authored_at` DateTime64(3, 'UTC'),
    `committed_at` DateTime64(3, 'UTC'),
    `paths` Array(String),
    `paths_known` Bool,
    `subject` String,
    `cherry_picked_from` String,
    `reverts` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, sha)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE cursors
(
    `owner` LowCardinality(String),
    `stream` String,
    `position` String,
    `updated_at` DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (owner, stream)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE deliveries
(
    `source` LowCardinality(String),
    `day` Date,
    `event` LowCardinality(String),
    `outcome` LowCardinality(String),
    `reason` String,
    `n` UInt64,
    `latest` SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = SummingMergeTree
ORDER BY (source, day, event, outcome, reason)
TTL day + toIntervalDay(400)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE deployments
(
    `service` LowCardinality(String),
    `id` String,
    `attempt` Int64,
    `environment` LowCardinality(String),
    `tier` LowCardinality(String),
    `target` LowCardinality(String),
    `status` LowCardinality(String),
    `created_at` Nullable(DateTime64(3, 'UTC')),
    `started_at` Nullable(DateTime64(3, 'UTC')),
    `finished_at` Nullable(DateTime64(3, 'UTC')),
    `revisions` Array(Tuple(
        repository String,
        sha String,
        previous_sha String,
        role LowCardinality(String),
        rule LowCardinality(String))),
    `version_name` String,
    `artifact` String,
    `images` Array(String),
    `rollback` Bool,
    `hotfix` Bool,
    `unplanned` Bool,
    `remediates` Array(String),
    `remediates_incidents` Array(String),
    `failed` Nullable(Bool),
    `way` LowCardinality(String),
    `tool` LowCardinality(String),
    `actor` LowCardinality(String),
    `pipeline_run` String,
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (service, source, id, attempt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE incidents
(
    `id` String,
    `service` LowCardinality(String),
    `title` String,
    `severity` LowCardinality(String),
    `started_at` DateTime64(3, 'UTC'),
    `detected_at` Nullable(DateTime64(3, 'UTC')),
    `acknowledged_at` Nullable(DateTime64(3, 'UTC')),
    `restored_at` Nullable(DateTime64(3, 'UTC')),
    `resolved_at` Nullable(DateTime64(3, 'UTC')),
    `cause` LowCardinality(String),
    `caused_by_deployment` String,
    `fixed_by_deployment` String,
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (source, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE installation
(
    `name` String,
    `value` String,
    `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE memberships
(
    `person` String,
    `team` String,
    `valid_from` DateTime64(3, 'UTC'),
    `valid_to` Nullable(DateTime64(3, 'UTC')),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (person, team, valid_from)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE ownership
(
    `service` String,
    `team` String,
    `valid_from` DateTime64(3, 'UTC'),
    `valid_to` Nullable(DateTime64(3, 'UTC')),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (service, team, valid_from)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE payloads
(
    `source` LowCardinality(String),
    `received_at` DateTime64(3, 'UTC'),
    `delivery` String,
    `event` LowCardinality(String),
    `headers` Map(LowCardinality(String), String),
    `body` String CODEC(ZSTD(1)),
    `outcome` LowCardinality(String),
    `reason` String,
    `facts` UInt32,
    `expires_at` DateTime('UTC'),
    `updated_at` DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
PARTITION BY toMonday(received_at)
ORDER BY (source, received_at, delivery)
TTL expires_at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1, index_granularity = 8192;

CREATE TABLE people
(
    `id` String,
    `name` String,
    `aliases` Array(String),
    `bot` Bool,
    `first_day` Nullable(Date32),
    `team` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE pipeline_runs
(
    `repository` LowCardinality(String),
    `id` String,
    `attempt` Int64,
    `name` LowCardinality(String),
    `sha` String,
    `ref` String,
    `status` LowCardinality(String),
    `queued_at` Nullable(DateTime64(3, 'UTC')),
    `started_at` Nullable(DateTime64(3, 'UTC')),
    `finished_at` Nullable(DateTime64(3, 'UTC')),
    `template` LowCardinality(String),
    `way` LowCardinality(String),
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, source, id, attempt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE provisioning_requests
(
    `id` String,
    `team` LowCardinality(String),
    `service` LowCardinality(String),
    `requester` String,
    `resource_type` LowCardinality(String),
    `way` LowCardinality(String),
    `on_platform` Bool,
    `environment` LowCardinality(String),
    `status` LowCardinality(String),
    `requested_at` DateTime64(3, 'UTC'),
    `approved_at` Nullable(DateTime64(3, 'UTC')),
    `ready_at` Nullable(DateTime64(3, 'UTC')),
    `failed_at` Nullable(DateTime64(3, 'UTC')),
    `deleted_at` Nullable(DateTime64(3, 'UTC')),
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (source, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE report_mails
(
    `team` String,
    `week` LowCardinality(String),
    `recipient` String,
    `attempt` UInt32,
    `step` LowCardinality(String),
    `owner` String,
    `error` String,
    `at` DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (team, week, recipient, attempt, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE report_numbers
(
    `team` String,
    `mailed_in` LowCardinality(String),
    `week` LowCardinality(String),
    `numbers` String CODEC(ZSTD(1)),
    `at` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (team, mailed_in, week)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE report_subscriptions
(
    `team` String,
    `address` String,
    `state` LowCardinality(String),
    `updated_at` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (team, address)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE repositories
(
    `id` String,
    `name` String,
    `default_branch` String,
    `url` String,
    `shallow` Bool,
    `archived_at` Nullable(DateTime64(3, 'UTC')),
    `deleted_at` Nullable(DateTime64(3, 'UTC')),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE services
(
    `id` String,
    `name` String,
    `description` String,
    `aliases` Array(String),
    `system` LowCardinality(String),
    `lifecycle` LowCardinality(String),
    `tier` LowCardinality(String),
    `created_at` Nullable(DateTime64(3, 'UTC')),
    `idea_at` Nullable(DateTime64(3, 'UTC')),
    `retired_at` Nullable(DateTime64(3, 'UTC')),
    `created_via` LowCardinality(String),
    `template` String,
    `repositories` Array(Tuple(
        repository String,
        paths Array(String),
        shared_paths Array(String))),
    `dependencies` Array(String),
    `tags` Array(LowCardinality(String)),
    `documentation` String,
    `url` String,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE slos
(
    `id` String,
    `measured_at` DateTime64(3, 'UTC'),
    `service` LowCardinality(String),
    `name` String,
    `target` Decimal(18, 12),
    `good` Int64,
    `total` Int64,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (id, measured_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE source_budgets
(
    `source` LowCardinality(String),
    `resource` LowCardinality(String),
    `allowance` UInt64,
    `remaining` UInt64,
    `reset_at` Nullable(DateTime64(3, 'UTC')),
    `updated_at` DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (source, resource)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE source_streams
(
    `source` LowCardinality(String),
    `stream` String,
    `system` LowCardinality(String),
    `subject` String,
    `kind` LowCardinality(String),
    `outcome` LowCardinality(String),
    `error` String,
    `started_at` Nullable(DateTime64(3, 'UTC')),
    `attempted_at` DateTime64(3, 'UTC'),
    `succeeded_at` Nullable(DateTime64(3, 'UTC')),
    `next_at` Nullable(DateTime64(3, 'UTC')),
    `facts` UInt64,
    `requests` UInt64,
    `done` UInt64,
    `total` UInt64,
    `reached_back` Nullable(DateTime64(3, 'UTC')),
    `complete` Bool,
    `rules` String,
    `updated_at` DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (source, stream)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE survey_invitations
(
    `survey` LowCardinality(String),
    `respondent` String,
    `group_id` LowCardinality(String),
    `sent_at` Nullable(DateTime64(3, 'UTC')),
    `bounced` Bool,
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (survey, respondent)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE survey_responses
(
    `survey` LowCardinality(String),
    `respondent` String,
    `submitted_at` DateTime64(3, 'UTC'),
    `answers` Array(Tuple(
        question String,
        score Nullable(Int64),
        options Array(String),
        options_given Bool,
        severity Map(String, Int64),
        text String)),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (survey, respondent, submitted_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE surveys
(
    `id` String,
    `title` String,
    `opens_at` DateTime64(3, 'UTC'),
    `closes_at` DateTime64(3, 'UTC'),
    `questions` Array(Tuple(
        id String,
        type LowCardinality(String),
        text String,
        version String)),
    `groups` Array(Tuple(
        id String,
        parent String)),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE teams
(
    `id` String,
    `name` String,
    `parent` String,
    `time_zone` String,
    `created_at` Nullable(DateTime64(3, 'UTC')),
    `retired_at` Nullable(DateTime64(3, 'UTC')),
    `source` LowCardinality(String),
    `updated_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX ingested ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE waiting_changes
(
    `environment` LowCardinality(String),
    `service` LowCardinality(String),
    `repository` LowCardinality(String),
    `change` String,
    `teams` Array(LowCardinality(String)),
    `kind` LowCardinality(String),
    `author` LowCardinality(String),
    `bot` Bool,
    `started_at` DateTime64(3, 'UTC'),
    `merged_at` DateTime64(3, 'UTC'),
    `url` String,
    `revision` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(revision, is_deleted)
ORDER BY (environment, service, repository, change)
SETTINGS index_granularity = 8192;
