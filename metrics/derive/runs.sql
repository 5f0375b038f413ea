-- Which runs brought a service to an environment, or tried to, and were told since the given instant? Lists come as one
-- text each: it is read several times faster than an array.
WITH toInt64('-9223372036854775808') AS absent
SELECT toString(source) AS source, id, attempt, toString(service) AS told_of, version,
       toString(environment) AS environment, toString(tier) AS tier, toString(target) AS target, toString(status) AS status,
       ifNull(toUnixTimestamp64Milli(created_at), absent) AS created,
       ifNull(toUnixTimestamp64Milli(started_at), absent) AS started,
       ifNull(toUnixTimestamp64Milli(finished_at), absent) AS finished,
       toUnixTimestamp64Milli(updated_at) AS updated,
       arrayStringConcat(revisions.repository, '\0') AS repositories,
       arrayStringConcat(revisions.sha, '\0') AS shas,
       arrayStringConcat(revisions.previous_sha, '\0') AS previous_shas,
       arrayStringConcat(arrayMap(r -> concat(r.role, '/', r.rule), revisions), '\0') AS roles,
       arrayStringConcat(images, '\0') AS images,
       version_name, artifact, rollback, hotfix, unplanned,
       arrayStringConcat(remediates, '\0') AS remediates,
       arrayStringConcat(remediates_incidents, '\0') AS remediates_incidents,
       toInt8(ifNull(toInt8(failed), -1)) AS verdict,
       toString(way) AS way, url
FROM deployments FINAL
WHERE service IN {services:Array(String)} AND ingested_at > {since:DateTime64(6, 'UTC')}
ORDER BY source, id, attempt, service
