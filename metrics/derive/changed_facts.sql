-- Whose facts have arrived since the given instant? Of each subject: a fingerprint of those facts, one of those that
-- arrived since the next instant, and when the latest did. And what time is it?
SELECT 'clock' AS kind, '' AS subject, toUInt64(0) AS found, toUInt64(0) AS kept, now64(6) AS latest
UNION ALL
SELECT 'deployments', toString(service) AS subject, sum(cityHash64(id, attempt, source, version, ingested_at)), sumIf(cityHash64(id, attempt, source, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM deployments WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'incidents', toString(service) AS subject, sum(cityHash64(id, source, version, ingested_at)), sumIf(cityHash64(id, source, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM incidents WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'commits', toString(repository) AS subject, sum(cityHash64(sha, version, ingested_at)), sumIf(cityHash64(sha, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM commits WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'branches', repository AS subject, sum(cityHash64(name, version, ingested_at)), sumIf(cityHash64(name, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM branches WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'change_requests', toString(repository) AS subject, sum(cityHash64(id, version, ingested_at)), sumIf(cityHash64(id, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM change_requests WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'pipeline_runs', toString(repository) AS subject, sum(cityHash64(id, attempt, source, version, ingested_at)), sumIf(cityHash64(id, attempt, source, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM pipeline_runs WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'services', id AS subject, sum(cityHash64(id, version, ingested_at)), sumIf(cityHash64(id, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM services WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'ownership', service AS subject, sum(cityHash64(team, valid_from, version, ingested_at)), sumIf(cityHash64(team, valid_from, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM ownership WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'people', '' AS subject, sum(cityHash64(id, version, ingested_at)), sumIf(cityHash64(id, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM people WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'teams', '' AS subject, sum(cityHash64(id, version, ingested_at)), sumIf(cityHash64(id, version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')}), max(ingested_at)
FROM teams WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
