-- What share of the deployments of new versions went through the golden-path pipeline?
SELECT @bucket AS bucket, countIf(way = 'golden_path') / count() AS value, count() AS n, countIf(way = 'golden_path') AS golden
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND kind = 'change')
WHERE @window
GROUP BY bucket
