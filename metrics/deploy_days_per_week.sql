-- On which local days was a new version deployed?
WITH deployed_at AS at
SELECT @whose AS whose, toDate32(at, {tz:String}) AS bucket, toFloat64(count()) AS value, count() AS n
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind = 'change' AND @windows
GROUP BY whose, bucket
ORDER BY whose, bucket
