-- What is known of these services: who owns each, what it is built from, what it stands on, and what of the platform it uses?
WITH
    links AS
    (
        SELECT s.id AS service, ifNull(a.id, s.dependency) AS dependency
        FROM (SELECT id, arrayJoin(dependencies) AS dependency FROM services FINAL WHERE id IN {ids:Array(String)} OR retired_at IS NULL OR retired_at > {as_of:DateTime64(3, 'UTC')}) AS s
        LEFT JOIN @canonical AS a ON a.alias = s.dependency
    )
SELECT s.*, ifNull(o.teams, []) AS owners, ifNull(below.list, []) AS dependencies, ifNull(above.list, []) AS dependents,
       d.first_run_at AS first_deployed_at, l.last AS last_deployed_at,
       ifNull(c.capabilities, []) AS capabilities, ifNull(c.states, []) AS states
FROM (SELECT * FROM @services WHERE id IN {ids:Array(String)}) AS s
LEFT JOIN @owners AS o ON o.service = s.id
LEFT JOIN (SELECT service, arraySort(groupUniqArray(dependency)) AS list FROM links GROUP BY service) AS below ON below.service = s.id
LEFT JOIN (SELECT dependency, arraySort(groupUniqArray(service)) AS list FROM links GROUP BY dependency) AS above ON above.dependency = s.id
LEFT JOIN (SELECT service, first_run_at FROM attributed_services FINAL WHERE service IN {ids:Array(String)}) AS d ON d.service = s.id
LEFT JOIN
(
    SELECT toString(service) AS service, max(deployed_at) AS last
    FROM attributed_deployments FINAL
    WHERE environment = 'production' AND service IN {ids:Array(String)} AND kind IN ('change', 'rollback', 're_release') AND deployed_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY service
) AS l ON l.service = s.id
LEFT JOIN
(
    SELECT service, groupArray(capability) AS capabilities, groupArray(multiIf(not_applicable, 'not_applicable', escape_hatch AND state != 'golden', 'escape_hatch', toString(state))) AS states
    FROM @coverage
    GROUP BY service
) AS c ON c.service = s.id
ORDER BY id
