-- How many new versions were deployed, by each service where the typical one is asked for?
WITH deployed_at AS at
SELECT @whose AS whose, @buckets AS bucket, if({statistic:String} = 'typical_service', toString(service), '') AS name, count() AS n
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind = 'change' AND @windows
GROUP BY whose, bucket, name
