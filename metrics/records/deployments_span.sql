-- Between which instants do the next tellings of deployments lie, newest first? Tellings that are out of date count, too,
-- and those of services of a team from when another owned them.
SELECT min(at) AS first, max(at) AS last, count() AS n
FROM
(
    SELECT at
    FROM
    (
        SELECT environment, service, kind, failed, deployed_at AS at FROM attributed_deployments
        UNION ALL
        SELECT environment, service, kind, false, at FROM attributed_runs WHERE {runs:Bool} AND kind IN ('redeploy', 'rollout', 'not_live')
    )
    WHERE environment = {environment:String} AND ({any_service:Bool} OR service IN {services:Array(String)}) AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND at <= {as_of:DateTime64(3, 'UTC')}
      AND ({kind:String} = '' OR kind = {kind:String}) AND ({any_outcome:Bool} OR failed = {failed:Bool}) AND ({first:Bool} OR at <= {after_at:DateTime64(3, 'UTC')})
    ORDER BY at DESC
    LIMIT {enough:UInt64}
)
