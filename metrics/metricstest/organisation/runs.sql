-- The runs behind the deployments, one in twelve followed by a redeploy.
INSERT INTO attributed_runs (environment, service, at, run, teams, target, status, kind, deployment, started_at, version_name, way, commits, changes, flags, url, revision, is_deleted)
SELECT environment, service, deployed_at + toIntervalMinute(again * 30), concat(deployment, if(again = 1, '#2', '')), teams, 'production', if(kind = 'failed_run', 'failed', 'succeeded'),
       multiIf(again = 1, 'redeploy', kind = 'failed_run', 'not_live', toString(kind)), deployment, started_at, version_name, way, if(again = 1, 0, commits), if(again = 1, 0, changes), flags, url, revision, 0
FROM attributed_deployments FINAL ARRAY JOIN [0, 1] AS again
WHERE deployed_at >= {since:DateTime64(3, 'UTC')} AND revision = {revision:UInt64} AND (again = 0 OR cityHash64(deployment) % 12 = 0)
