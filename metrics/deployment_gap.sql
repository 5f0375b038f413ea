-- How long is it from one deployment of a service to its next?
SELECT bucket, quantileExactInclusive(0.5)(gap_ms) / 3600000 AS value, count() AS n
FROM
(
    SELECT @bucket AS bucket, at, toInt64(toUnixTimestamp64Milli(at)) - lagInFrame(toNullable(toUnixTimestamp64Milli(at))) OVER (PARTITION BY service ORDER BY at, deployment ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap_ms
    FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND kind = 'change')
    WHERE at <= {as_of:DateTime64(3, 'UTC')}
)
WHERE gap_ms IS NOT NULL AND @window
GROUP BY bucket
