package migrations

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAStatementBecomesTwo(t *testing.T) {
	const text = `-- Why.
-- +goose Up

CREATE TABLE IF NOT EXISTS runs
(
    repository String,
    id         Nullable(DateTime64(3, 'UTC')),
    INDEX i id TYPE minmax
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (repository, id)
SETTINGS fsync_after_insert = 1;

CREATE TABLE IF NOT EXISTS names
(
    name String
)
ENGINE = MergeTree
ORDER BY name;

CREATE TABLE IF NOT EXISTS sums
(
    source String,
    day    Date,
    latest SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = SummingMergeTree(n)
PARTITION BY toMonday(day)
ORDER BY (source, day)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1;

ALTER TABLE names ADD COLUMN IF NOT EXISTS age Int64 AFTER name;

DROP TABLE IF EXISTS runs;
`
	const want = `-- Why.
-- +goose Up

CREATE TABLE IF NOT EXISTS runs_local ON CLUSTER c
(
    repository String,
    id         Nullable(DateTime64(3, 'UTC')),
    INDEX i id TYPE minmax
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (repository, id)
SETTINGS fsync_after_insert = 1;

CREATE TABLE IF NOT EXISTS runs ON CLUSTER c AS runs_local
ENGINE = Distributed(c, currentDatabase(), runs_local, cityHash64(repository));

CREATE TABLE IF NOT EXISTS names_local ON CLUSTER c
(
    name String
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY name;

CREATE TABLE IF NOT EXISTS names ON CLUSTER c AS names_local
ENGINE = Distributed(c, currentDatabase(), names_local, cityHash64(name));

CREATE TABLE IF NOT EXISTS sums_local ON CLUSTER c
(
    source String,
    day    Date,
    latest SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', n)
PARTITION BY toMonday(day)
ORDER BY (source, day)
TTL day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS sums ON CLUSTER c AS sums_local
ENGINE = Distributed(c, currentDatabase(), sums_local, cityHash64(day));

ALTER TABLE names_local ON CLUSTER c ADD COLUMN IF NOT EXISTS age Int64 AFTER name;

ALTER TABLE names ON CLUSTER c ADD COLUMN IF NOT EXISTS age Int64 AFTER name;

DROP TABLE IF EXISTS runs_local ON CLUSTER c;

DROP TABLE IF EXISTS runs ON CLUSTER c;
`
	got, err := cluster("c").rewrite(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatementsWithoutAClusterFormAreErrors(t *testing.T) {
	for _, statement := range []string{
		"ALTER TABLE runs MODIFY SETTING x = 1",
		"INSERT INTO runs SELECT 1",
		"CREATE TABLE IF NOT EXISTS runs\n(\n    n Int8\n)\nENGINE = Memory\nORDER BY n",
		"CREATE TABLE IF NOT EXISTS runs\n(\n    n Int8\n)\nENGINE = MergeTree\nSETTINGS x = 1",
		"CREATE TABLE runs (n Int8) ENGINE = MergeTree ORDER BY n",
	} {
		if got, err := cluster("c").rewrite(up + statement + ";"); err == nil {
			t.Errorf("%s\nbecame\n%s", statement, got)
		}
	}
	if _, err := cluster("c").rewrite("SELECT 1;"); err == nil {
		t.Error("a file without a line for goose was taken")
	}
}

// TestEveryTableHasAShardingColumn lists the column that decides a row's shard. All tellings of one fact must share
// it, so it is part of the sorting key; and it must have many values, so that the shards fill evenly.
func TestEveryTableHasAShardingColumn(t *testing.T) {
	want := map[string]string{
		"repositories": "id", "branches": "repository", "commits": "repository", "change_requests": "repository",
		"pipeline_runs": "repository", "deployments": "service", "incidents": "id", "services": "id",
		"ownership": "service", "teams": "id", "people": "id", "memberships": "person",
		"provisioning_requests": "id", "capability_uses": "service", "capability_exemptions": "service",
		"surveys": "id", "survey_invitations": "survey", "survey_responses": "survey", "slos": "id",
		"attributed_runs": "service", "attributed_deployments": "service", "attributed_changes": "service",
		"attributed_commits": "service", "waiting_changes": "service", "attributed_incidents": "service",
		"artifacts":            "id",
		"report_subscriptions": "team", "report_mails": "team", "report_numbers": "team",
		"attributed_services": "service", "cursors": "stream", "installation": "name",
		"payloads": "received_at", "deliveries": "day", "source_streams": "stream", "source_budgets": "resource",
	}
	got := map[string]string{}
	distributed := regexp.MustCompile(`ENGINE = Distributed\(c, currentDatabase\(\), (\w+)_local, cityHash64\((\w+)\)\)`)
	for _, text := range clusterFiles(t) {
		for _, parts := range distributed.FindAllStringSubmatch(text, -1) {
			got[parts[1]] = parts[2]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sharding columns (-want +got):\n%s", diff)
	}
}

func TestOnlyTheEngineClauseDiffers(t *testing.T) {
	normal := regexp.MustCompile(`(?m)_local ON CLUSTER c\b|^ENGINE = .*$|^\n`)
	second := regexp.MustCompile(`(?m)^CREATE TABLE IF NOT EXISTS \w+ ON CLUSTER c AS \w+\nENGINE = Distributed.*\n\n?`)
	changed := regexp.MustCompile(`(?m)^ALTER TABLE (\w+)_local ON CLUSTER c (.*);\n\nALTER TABLE (\w+) ON CLUSTER c (.*);$`)
	for name, text := range clusterFiles(t) {
		original, err := fs.ReadFile(FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		text = second.ReplaceAllString(text, "")
		text = changed.ReplaceAllStringFunc(text, func(both string) string {
			if parts := changed.FindStringSubmatch(both); parts[1] == parts[3] && parts[2] == parts[4] {
				return fmt.Sprintf("ALTER TABLE %s %s;", parts[1], parts[2])
			}
			return both
		})
		want := strings.TrimSpace(normal.ReplaceAllString(string(original), ""))
		if diff := cmp.Diff(want, strings.TrimSpace(normal.ReplaceAllString(text, ""))); diff != "" {
			t.Errorf("%s differs in more than its engine (-file +cluster):\n%s", name, diff)
		}
	}
}

func clusterFiles(t *testing.T) map[string]string {
	t.Helper()
	names, err := fs.Glob(Cluster("c"), "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	texts := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(Cluster("c"), name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}
