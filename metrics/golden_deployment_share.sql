-- What share of the deployments of new versions went through the golden-path pipeline?
WITH deployed_at AS at
SELECT @whose AS whose, @buckets AS bucket, countIf(way = 'golden_path') / count() AS value, count() AS n, countIf(way = 'golden_path') AS golden
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind = 'change' AND @windows
GROUP BY whose, bucket
