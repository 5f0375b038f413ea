-- What share of the changes that were deployed failed in production?
WITH deployed_at AS at
SELECT @whose AS whose, @buckets AS bucket, countIf(failed) / count() AS value, count() AS n, countIf(failed) AS failed_deployments,
       countIf(failed AND failed_rule IN ('incident', 'verdict', 'remediated')) AS failed_explicit,
       countIf(failed AND failed_rule NOT IN ('incident', 'verdict', 'remediated')) AS failed_inferred,
       countIf(at > {as_of:DateTime64(3, 'UTC')} - INTERVAL 72 HOUR) AS provisional
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind IN ('change', 'failed_run') AND @windows
GROUP BY whose, bucket
