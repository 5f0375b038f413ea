-- How long did changes spend in one stage on their way to production?
SELECT whose, bucket, multiIf({statistic:String} = 'p75', q[2], {statistic:String} = 'p90', q[3], q[1]) / 3600000 AS value, n,
       q[1] / 3600000 AS p50, q[2] / 3600000 AS p75, q[3] / 3600000 AS p90
FROM
(
    SELECT whose, bucket, quantilesExactInclusive(0.5, 0.75, 0.9)(assumeNotNull(stage_ms)) AS q, count() AS n
    FROM
    (
        WITH deployed_at AS at SELECT @whose AS whose, @buckets AS bucket, multiIf({stage:String} = 'coding', coding_ms, {stage:String} = 'pickup', pickup_ms, {stage:String} = 'review', review_ms, {stage:String} = 'wait_to_deploy', wait_ms, deploy_ms) AS stage_ms
        FROM attributed_changes FINAL
        WHERE environment = {environment:String} AND @scope AND @shipped AND @windows AND excluded = '' AND (NOT bot OR {include_bots:Bool})
    )
    WHERE stage_ms IS NOT NULL
    GROUP BY whose, bucket
)
