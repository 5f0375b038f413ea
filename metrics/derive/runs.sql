-- Which runs brought a service to an environment, or tried to?
WITH toInt64('-9223372036854775808') AS absent
SELECT id, attempt, toString(source) AS source, toString(environment) AS environment, toString(tier) AS tier,
       toString(target) AS target, toString(status) AS status,
       ifNull(toUnixTimestamp64Milli(created_at), absent) AS created,
       ifNull(toUnixTimestamp64Milli(started_at), absent) AS started,
       ifNull(toUnixTimestamp64Milli(finished_at), absent) AS finished,
       toUnixTimestamp64Milli(updated_at) AS updated,
       revisions.repository AS repositories, revisions.sha AS shas, revisions.previous_sha AS previous_shas,
       version_name, artifact, rollback, hotfix, unplanned, remediates, remediates_incidents,
       toInt8(ifNull(toInt8(failed), -1)) AS verdict,
       toString(way) AS way, url, version
FROM deployments FINAL
WHERE service IN {services:Array(String)}
ORDER BY source, id, attempt, version, service
