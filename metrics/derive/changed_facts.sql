-- Whose facts have arrived since the given instant?
SELECT 'deployments' AS kind, toString(service) AS subject, count() AS rows, max(ingested_at) AS latest
FROM deployments WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'incidents', toString(service) AS subject, count(), max(ingested_at)
FROM incidents WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'commits', toString(repository) AS subject, count(), max(ingested_at)
FROM commits WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'branches', repository AS subject, count(), max(ingested_at)
FROM branches WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'change_requests', toString(repository) AS subject, count(), max(ingested_at)
FROM change_requests WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'pipeline_runs', toString(repository) AS subject, count(), max(ingested_at)
FROM pipeline_runs WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'services', id AS subject, count(), max(ingested_at)
FROM services WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'ownership', service AS subject, count(), max(ingested_at)
FROM ownership WHERE ingested_at > {since:DateTime64(6, 'UTC')} GROUP BY subject
UNION ALL
SELECT 'people', '' AS subject, count() AS rows, max(ingested_at)
FROM people WHERE ingested_at > {since:DateTime64(6, 'UTC')} HAVING rows > 0
UNION ALL
SELECT 'teams', '' AS subject, count() AS rows, max(ingested_at)
FROM teams WHERE ingested_at > {since:DateTime64(6, 'UTC')} HAVING rows > 0
