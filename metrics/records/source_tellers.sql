-- Who tells facts, of which kinds, and when was each last told? Of all that is kept, however it came.
SELECT source AS name, kind, latest
FROM
(
    SELECT 'repositories' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM repositories GROUP BY source
    UNION ALL
    SELECT 'branches', toString(source), max(ingested_at) FROM branches GROUP BY source
    UNION ALL
    SELECT 'commits' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM commits GROUP BY source
    UNION ALL
    SELECT 'change requests' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM change_requests GROUP BY source
    UNION ALL
    SELECT 'pipeline runs' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM pipeline_runs GROUP BY source
    UNION ALL
    SELECT 'artifacts' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM artifacts GROUP BY source
    UNION ALL
    SELECT 'deployments' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM deployments GROUP BY source
    UNION ALL
    SELECT 'incidents' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM incidents GROUP BY source
    UNION ALL
    SELECT 'services' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM services GROUP BY source
    UNION ALL
    SELECT 'teams' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM teams GROUP BY source
    UNION ALL
    SELECT 'ownership' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM ownership GROUP BY source
    UNION ALL
    SELECT 'people' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM people GROUP BY source
    UNION ALL
    SELECT 'memberships', toString(source), max(ingested_at) FROM memberships GROUP BY source
    UNION ALL
    SELECT 'capabilities' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM capability_uses GROUP BY source
    UNION ALL
    SELECT 'exemptions', toString(source), max(ingested_at) FROM capability_exemptions GROUP BY source
    UNION ALL
    SELECT 'provisioning requests' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM provisioning_requests GROUP BY source
    UNION ALL
    SELECT 'surveys' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM surveys GROUP BY source
    UNION ALL
    SELECT 'survey invitations', toString(source), max(ingested_at) FROM survey_invitations GROUP BY source
    UNION ALL
    SELECT 'survey responses' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM survey_responses GROUP BY source
    UNION ALL
    SELECT 'objectives' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM slos GROUP BY source
)
ORDER BY name, latest DESC, kind
LIMIT 5000
