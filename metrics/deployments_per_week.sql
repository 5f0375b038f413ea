-- How many new versions did each service deploy?
SELECT @bucket AS bucket, toString(service) AS service, toFloat64(count()) AS value, count() AS n
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND kind = 'change')
WHERE @window
GROUP BY bucket, service
