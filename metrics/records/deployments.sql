-- Which deployments were there, newest first, and how did each turn out? On demand with the runs that are no deployments.
-- The span is part of the sorting key, so that it may be applied before tellings are merged.
SELECT id, toString(service) AS service, at, arrayMap(t -> toString(t), teams) AS teams, toString(environment) AS environment, toString(kind) AS kind, toString(status) AS status, deployment,
       started_at, completed_at, arrayMap(t -> toString(t), targets) AS targets, version_name, toString(way) AS way, baseline, commits, changes,
       failed, toString(failed_rule) AS failed_rule, failed_by, if(restored_at <= {as_of:DateTime64(3, 'UTC')}, restored_at, NULL) AS restored, restored_by,
       rework, toString(rework_rule) AS rework_rule, rework_of, arrayMap(f -> toString(f), flags) AS flags, url
FROM
(
    SELECT deployment AS id, deployed_at AS at, if(kind = 'failed_run', 'failed', 'succeeded') AS status, toNullable(completed_at) AS completed_at,
           environment, service, teams, kind, deployment, started_at, targets, version_name, way, baseline, commits, changes,
           failed, failed_rule, failed_by, restored_at, restored_by, rework, rework_rule, rework_of, flags, url
    FROM attributed_deployments FINAL
    PREWHERE deployed_at >= {from:DateTime64(3, 'UTC')} AND deployed_at < {to:DateTime64(3, 'UTC')}
    WHERE environment = {environment:String} AND @scope
    UNION ALL
    SELECT run AS id, at, status, CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS completed_at,
           environment, service, teams, kind, deployment, started_at, [target] AS targets, version_name, way, false, commits, changes,
           false, '', [], CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))'), '', false, '', [], flags, url
    FROM attributed_runs FINAL
    PREWHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
    WHERE {runs:Bool} AND environment = {environment:String} AND @scope
      AND (kind IN ('redeploy', 'rollout') OR kind = 'not_live' AND (service, run) NOT IN (SELECT service, deployment FROM attributed_deployments FINAL PREWHERE deployed_at >= {from:DateTime64(3, 'UTC')} AND deployed_at < {to:DateTime64(3, 'UTC')} WHERE environment = {environment:String} AND kind = 'failed_run'))
)
WHERE at <= {as_of:DateTime64(3, 'UTC')}
  AND ({id:String} = '' OR id = {id:String}) AND ({kind:String} = '' OR kind = {kind:String}) AND ({any_outcome:Bool} OR failed = {failed:Bool}) AND @newest
ORDER BY at DESC, service, id
LIMIT {limit:UInt64}
