-- On which local days was a new version deployed?
SELECT toDate32(at, {tz:String}) AS bucket, toFloat64(count()) AS value, count() AS n
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND kind = 'change')
WHERE @window
GROUP BY bucket
ORDER BY bucket
