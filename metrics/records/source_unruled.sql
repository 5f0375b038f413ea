-- What came from the sources that no rule decides, and what is missing? That some workflow fits no rule says nothing where
-- another one of the repository does.
SELECT source, subject, kind, rule, missing, toInt64(uses) AS n, example
FROM
(
    SELECT source, subject, kind, verdict.1 AS rule, JSONExtractUInt(verdict.2, 'n') AS uses, JSONExtractString(verdict.2, 'example') AS example,
           multiIf(startsWith(rule, 'no rule'), 'rule', endsWith(rule, ' and no rule says whose this is'), 'whose', endsWith(rule, ', but it leaves the service empty'), 'name',
               match(rule, ', but .* has no service by '), 'service', '') AS missing,
           countIf(missing = '' AND NOT match(rule, ': nothing of |^rules\\.incidents|^the default: a service|is no deployment$')) OVER (PARTITION BY source, subject) AS fitting
    FROM
    (
        SELECT toString(source) AS source, subject, toString(kind) AS kind, arrayJoin(JSONExtractKeysAndValuesRaw(rules)) AS verdict
        FROM source_streams FINAL
        WHERE outcome != '' AND kind != 'incidents' AND ({any_service:Bool} OR subject IN {services:Array(String)}
            OR subject IN (SELECT arrayJoin(repositories.repository) FROM services FINAL WHERE id IN {services:Array(String)}))
    )
)
WHERE missing != '' AND (missing != 'rule' OR fitting = 0)
ORDER BY source, subject, n DESC, kind, rule
LIMIT 200
