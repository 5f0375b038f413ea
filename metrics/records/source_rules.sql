-- Which rules were applied to what the sources told, how often, and to what last?
SELECT source, rule.1 AS name, toInt64(sum(JSONExtractUInt(rule.2, 'n'))) AS uses, argMax(JSONExtractString(rule.2, 'example'), attempted_at) AS example, argMax(subject, attempted_at) AS subject
FROM
(
    SELECT toString(source) AS source, subject, attempted_at, arrayJoin(JSONExtractKeysAndValuesRaw(rules)) AS rule
    FROM source_streams FINAL
    WHERE outcome != '' AND ({any_service:Bool} OR subject IN {services:Array(String)}
        OR subject IN (SELECT arrayJoin(repositories.repository) FROM services FINAL WHERE id IN {services:Array(String)}))
)
GROUP BY source, name
ORDER BY source, uses DESC, name
LIMIT 100 BY source
