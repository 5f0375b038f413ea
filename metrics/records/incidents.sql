-- Which incidents were there, newest first, when was each over, and what is it blamed on?
SELECT i.id AS id, toString(i.service) AS service, i.at AS started_at, arrayMap(t -> toString(t), i.teams) AS teams, i.title AS title, toString(i.severity) AS severity, i.restored_at AS restored_at,
       toString(i.cause) AS cause, i.deployment AS deployment, toString(i.rule) AS rule, i.url AS url,
       f.detected_at AS detected_at, f.acknowledged_at AS acknowledged_at, f.resolved_at AS resolved_at, ifNull(f.fixed_by_deployment, '') AS fixed_by, ifNull(toString(f.source), '') AS source
FROM
(
    SELECT incident AS id, started_at AS at, service, teams, title, severity, cause, deployment, rule, url,
           if(restored_at <= {as_of:DateTime64(3, 'UTC')}, restored_at, NULL) AS restored_at
    FROM attributed_incidents FINAL
    WHERE @scope AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND at <= {as_of:DateTime64(3, 'UTC')}
      AND ({cause:String} = '' OR cause = {cause:String}) AND ({any_state:Bool} OR isNull(restored_at) = {open:Bool}) AND @newest
    ORDER BY at DESC, service, id
    LIMIT {limit:UInt64}
) AS i
LEFT JOIN
(
    SELECT ifNull(a.id, toString(x.service)) AS service, x.name AS id, argMax((x.detected_at, x.acknowledged_at, x.resolved_at, x.fixed_by_deployment, x.source), x.version) AS last,
           last.1 AS detected_at, last.2 AS acknowledged_at, last.3 AS resolved_at, last.4 AS fixed_by_deployment, last.5 AS source
    FROM (SELECT *, arrayJoin([id, concat(source, ':', id)]) AS name FROM incidents FINAL) AS x
    LEFT JOIN @canonical AS a ON a.alias = x.service
    GROUP BY service, id
) AS f ON f.service = i.service AND f.id = i.id
ORDER BY started_at DESC, service, id
