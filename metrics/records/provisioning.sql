-- What was asked of the platform, newest first, and what became of it?
SELECT id AS key, request, source, service, teams, resource_type, way, on_platform, environment, status, at AS requested_at, approved_at, ready_at, failed_at, deleted_at, url
FROM @asked
WHERE @newest
ORDER BY at DESC, service, id
LIMIT {limit:UInt64}
