-- Between which instants do the next tellings of live changes lie, newest first? Tellings that are out of date count, too,
-- and those of services of a team from when another owned them.
SELECT min(at) AS first, max(at) AS last, count() AS n
FROM
(
    SELECT deployed_at AS at
    FROM attributed_changes
    WHERE environment = {environment:String} AND ({any_service:Bool} OR service IN {services:Array(String)}) AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND at <= {as_of:DateTime64(3, 'UTC')}
      AND ({deployment:String} = '' OR deployment = {deployment:String}) AND ({first:Bool} OR at <= {after_at:DateTime64(3, 'UTC')})
    ORDER BY at DESC
    LIMIT {enough:UInt64}
)
