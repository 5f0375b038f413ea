-- When was each system that facts come from last read or heard, and how many of its streams cannot be read?
SELECT source AS name, max(at) AS latest, toInt64(sum(bad)) AS failing
FROM
(
    SELECT toString(source) AS source, succeeded_at AS at, outcome IN ('denied', 'gone', 'failed') AS bad FROM source_streams FINAL WHERE outcome != ''
    UNION ALL
    SELECT toString(source), maxIf(deliveries.latest, outcome != 'refused' AND n > 0) AS heard, 0 FROM deliveries GROUP BY source HAVING heard > toDateTime64(0, 3, 'UTC')
)
GROUP BY name
ORDER BY name
