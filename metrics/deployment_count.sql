-- How many deployments of the given kinds were there?
SELECT @bucket AS bucket, toFloat64(count()) AS value, count() AS n, countIf(baseline) AS baseline, countIf(changes = 0) AS without_changes
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND kind IN {kinds:Array(String)})
WHERE @window
GROUP BY bucket
