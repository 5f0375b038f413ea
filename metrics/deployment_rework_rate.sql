-- What share of the deployments repaired something that an earlier one broke?
WITH deployed_at AS at
SELECT @whose AS whose, @buckets AS bucket, countIf(rework) / count() AS value, count() AS n, countIf(rework) AS rework_deployments,
       countIf(rework_rule = 'rollback') AS rollbacks, countIf(rework_rule = 'hotfix') AS hotfixes, countIf(rework_rule = 'revert') AS reverts,
       countIf(rework_rule = 'remediates') AS remediations
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind IN ('change', 'rollback', 're_release') AND @windows
GROUP BY whose, bucket
