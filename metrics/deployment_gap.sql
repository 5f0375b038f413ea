-- How long is it from one deployment of a service to its next?
SELECT whose, @buckets AS bucket, quantileExactInclusive(0.5)(gap_ms) / 3600000 AS value, count() AS n
FROM
(
    SELECT whose, at, toInt64(toUnixTimestamp64Milli(at)) - lagInFrame(toNullable(toUnixTimestamp64Milli(at))) OVER (PARTITION BY whose, service ORDER BY at, deployment ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS gap_ms
    FROM
    (
        SELECT @whose AS whose, deployed_at AS at, service, deployment
        FROM attributed_deployments FINAL
        WHERE environment = {environment:String} AND @scope AND @reached AND kind = 'change' AND at <= {as_of:DateTime64(3, 'UTC')}
    )
)
WHERE gap_ms IS NOT NULL AND @windows
GROUP BY whose, bucket
