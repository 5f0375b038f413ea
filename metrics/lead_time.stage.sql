-- How long did changes spend in each stage on their way to production?
SELECT whose, each, bucket, multiIf({statistic:String} = 'p75', q[2], {statistic:String} = 'p90', q[3], q[1]) / 3600000 AS value, n,
       q[1] / 3600000 AS p50, q[2] / 3600000 AS p75, q[3] / 3600000 AS p90
FROM
(
    SELECT whose, stage.1 AS each, bucket, quantilesExactInclusive(0.5, 0.75, 0.9)(assumeNotNull(stage.2)) AS q, count() AS n
    FROM
    (
        WITH deployed_at AS at
        SELECT @whose AS whose, @buckets AS bucket,
               arrayJoin(arrayFilter(s -> s.2 IS NOT NULL AND has({stages:Array(String)}, s.1),
                   [('coding', coding_ms), ('pickup', pickup_ms), ('review', review_ms), ('wait_to_deploy', wait_ms), ('deploy', deploy_ms)])) AS stage
        FROM attributed_changes FINAL
        WHERE environment = {environment:String} AND @scope AND @shipped AND @windows AND excluded = '' AND (NOT bot OR {include_bots:Bool})
    )
    GROUP BY whose, each, bucket
)
