-- Who tells facts, of which kinds, and when was each last told? Of all that is kept, however it came.
SELECT source AS name, kind, latest
FROM
(
    SELECT 'repositories' AS kind, toString(source) AS source, max(ingested_at) AS latest FROM repositories GROUP BY source
    UNION ALL
    SELECT 'branches', toString(source), max(ingested_at) FROM branches GROUP BY source
    UNION ALL
    SELECT 'commits', toString(source), max(ingested_at) FROM commits GROUP BY source
    UNION ALL
    SELECT 'change requests', toString(source), max(ingested_at) FROM change_requests GROUP BY source
    UNION ALL
    SELECT 'pipeline runs', toString(source), max(ingested_at) FROM pipeline_runs GROUP BY source
    UNION ALL
    SELECT 'artifacts', toString(source), max(ingested_at) FROM artifacts GROUP BY source
    UNION ALL
    SELECT 'deployments', toString(source), max(ingested_at) FROM deployments GROUP BY source
    UNION ALL
    SELECT 'incidents', toString(source), max(ingested_at) FROM incidents GROUP BY source
    UNION ALL
    SELECT 'services', toString(source), max(ingested_at) FROM services GROUP BY source
    UNION ALL
    SELECT 'teams', toString(source), max(ingested_at) FROM teams GROUP BY source
    UNION ALL
    SELECT 'ownership', toString(source), max(ingested_at) FROM ownership GROUP BY source
    UNION ALL
    SELECT 'people', toString(source), max(ingested_at) FROM people GROUP BY source
    UNION ALL
    SELECT 'memberships', toString(source), max(ingested_at) FROM memberships GROUP BY source
    UNION ALL
    SELECT 'capabilities', toString(source), max(ingested_at) FROM capability_uses GROUP BY source
    UNION ALL
    SELECT 'exemptions', toString(source), max(ingested_at) FROM capability_exemptions GROUP BY source
    UNION ALL
    SELECT 'provisioning requests', toString(source), max(ingested_at) FROM provisioning_requests GROUP BY source
    UNION ALL
    SELECT 'surveys', toString(source), max(ingested_at) FROM surveys GROUP BY source
    UNION ALL
    SELECT 'survey invitations', toString(source), max(ingested_at) FROM survey_invitations GROUP BY source
    UNION ALL
    SELECT 'survey responses', toString(source), max(ingested_at) FROM survey_responses GROUP BY source
    UNION ALL
    SELECT 'objectives', toString(source), max(ingested_at) FROM slos GROUP BY source
)
ORDER BY name, latest DESC, kind
LIMIT 5000
