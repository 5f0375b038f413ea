-- Which rows did the latest derivation not find again? They are marked as deleted.
INSERT INTO attributed_deployments (environment, service, deployed_at, deployment, revision, is_deleted)
SELECT environment, service, deployed_at, deployment, {revision:UInt64}, 1
FROM attributed_deployments FINAL
WHERE service IN {services:Array(String)} AND revision < {revision:UInt64}
  AND arrayExists((s, l, t) -> s = service AND l IN ('', environment) AND t <= toUnixTimestamp64Milli(deployed_at),
                  {services:Array(String)}, {lines:Array(String)}, {ats:Array(Int64)})
