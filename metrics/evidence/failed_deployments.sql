-- Which deployments count as failed?
SELECT deployment AS id
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND @reached AND kind IN ('change', 'failed_run') AND failed)
WHERE @window
ORDER BY id
