-- How long did it take from each failed deployment until users were served again?
WITH deployed_at AS at
SELECT @whose AS whose, @cohort AS bucket, deployment AS subject,
       (toUnixTimestamp64Milli(if(restored_at <= {as_of:DateTime64(3, 'UTC')}, assumeNotNull(restored_at), {as_of:DateTime64(3, 'UTC')})) - toUnixTimestamp64Milli(at)) / 3600000 AS duration,
       ifNull(restored_at <= {as_of:DateTime64(3, 'UTC')}, false) AS ended
FROM attributed_deployments FINAL
WHERE environment = {environment:String} AND @scope AND @reached AND kind IN ('change', 'failed_run') AND failed AND @windows
