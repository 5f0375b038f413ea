-- What took these deployments there, who, how long did their changes take, and by which rule were their commits found?
SELECT service, id, ifNull(any(tool), '') AS tool, ifNull(any(actor), '') AS actor, any(p50) AS lead_time_p50_hours, ifNull(any(rule), '') AS found_by
FROM
(
    SELECT ifNull(a.id, toString(f.service)) AS service, f.name AS id, argMax(toString(f.tool), f.version) AS tool, argMax(toString(f.actor), f.version) AS actor, CAST(NULL, 'Nullable(Float64)') AS p50,
           CAST(NULL, 'Nullable(String)') AS rule
    FROM
    (
        SELECT service, tool, actor, version, concat(id, if(attempt > 1, concat('#', toString(attempt)), '')) AS told, arrayJoin([told, concat(source, ':', told)]) AS name
        FROM deployments FINAL
        WHERE service IN {services:Array(String)} OR service IN (SELECT alias FROM @canonical WHERE id IN {services:Array(String)})
    ) AS f
    LEFT JOIN @canonical AS a ON a.alias = f.service
    WHERE f.name IN {ids:Array(String)}
    GROUP BY service, id
    UNION ALL
    SELECT toString(service), deployment, NULL, NULL, quantileExactInclusive(0.5)(lead_ms) / 3600000, NULL
    FROM attributed_changes FINAL
    PREWHERE deployed_at IN {ats:Array(DateTime64(3, 'UTC'))}
    WHERE environment = {environment:String} AND service IN {services:Array(String)}
      AND deployment IN {ids:Array(String)} AND excluded = '' AND (NOT bot OR {include_bots:Bool})
    GROUP BY service, deployment
    UNION ALL
    SELECT toString(service), run, NULL, NULL, NULL, toString(found_by)
    FROM attributed_runs FINAL
    PREWHERE at IN {ats:Array(DateTime64(3, 'UTC'))}
    WHERE environment = {environment:String} AND service IN {services:Array(String)} AND run IN {ids:Array(String)}
)
GROUP BY service, id
