-- Whose facts have arrived since the given instant? Of each subject: a fingerprint of those facts, and one of those that
-- arrived since the next instant; of facts that nothing is derived from, of the table. And what time is it, in microseconds
-- since 1970?
SELECT 'clock' AS kind, '' AS subject, toUInt64(toUnixTimestamp64Micro(now64(6))) AS found, toUInt64(0) AS kept
UNION ALL
SELECT 'deployments', toString(service) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM deployments WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'incidents', toString(service) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM incidents WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'commits', toString(repository) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM commits WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'branches', repository AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM branches WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'change_requests', toString(repository) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM change_requests WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'pipeline_runs', toString(repository) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM pipeline_runs WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'artifacts', toString(repository) AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM artifacts WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'services', id AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM services WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'ownership', service AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM ownership WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'people', '' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM people WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'teams', '' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM teams WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'capability_uses' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM capability_uses WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'capability_exemptions' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM capability_exemptions WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'slos' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM slos WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'surveys' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM surveys WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'survey_invitations' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM survey_invitations WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'direct', 'survey_responses' AS subject, sum(cityHash64(version, ingested_at)), sumIf(cityHash64(version, ingested_at), ingested_at > {next:DateTime64(6, 'UTC')})
FROM survey_responses WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
