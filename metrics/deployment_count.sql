-- How many deployments of the given kinds were there?
WITH deployed_at AS at
SELECT @whose AS whose, @buckets AS bucket, toFloat64(count()) AS value, count() AS n, countIf(baseline) AS baseline, countIf(changes = 0) AS without_changes
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind IN {kinds:Array(String)} AND @windows
GROUP BY whose, bucket
