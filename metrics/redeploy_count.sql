-- How many runs brought what was live already?
SELECT @whose AS whose, @buckets AS bucket, toFloat64(count()) AS value, count() AS n, countIf(has(flags, 'no_op')) AS no_op
FROM attributed_runs FINAL
WHERE environment = {environment:String} AND @scope AND @of_target AND kind = 'redeploy' AND @windows
GROUP BY whose, bucket
