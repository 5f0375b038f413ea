-- Under which names are facts told that no service of the catalogue has? A name that was used lately comes first.
WITH
    known AS (SELECT arrayJoin(arrayPushBack(aliases, id)) AS name FROM services FINAL),
    told AS
    (
        SELECT 'deployments' AS kind, toString(service) AS name, toString(source) AS source, uniqExact(id, attempt) AS facts, argMax(id, coalesce(finished_at, started_at, created_at, updated_at)) AS example, max(coalesce(finished_at, started_at, created_at, updated_at)) AS latest
        FROM deployments GROUP BY name, source
        UNION ALL
        SELECT 'incidents', toString(service), toString(source), uniqExact(id), argMax(id, started_at), max(started_at)
        FROM incidents FINAL WHERE service != '' GROUP BY service, source
        UNION ALL
        SELECT 'provisioning requests', toString(service), toString(source), uniqExact(id), argMax(id, requested_at), max(requested_at)
        FROM provisioning_requests FINAL WHERE service != '' GROUP BY service, source
        UNION ALL
        SELECT 'capabilities', toString(service), toString(source), uniqExact(capability), argMax(toString(capability), observed_at), max(observed_at)
        FROM capability_uses WHERE observed_at > {as_of:DateTime64(3, 'UTC')} - INTERVAL 90 DAY GROUP BY service, source
    )
SELECT name, kind, source, toInt64(facts) AS n, example, latest, toInt64(count() OVER ()) AS all
FROM told
WHERE name NOT IN known
ORDER BY latest DESC, name, kind, source
LIMIT 200
