-- Which two sources tell the deployments of one service to one environment, one within half an hour of the other's again and
-- again? That are the same deployments, told twice, as far as anybody can see.
WITH
    runs AS
    (
        SELECT toString(environment) AS environment, toString(service) AS service, toString(source) AS source, at, run, @told_id AS told_id, found_by
        FROM attributed_runs FINAL
        WHERE source != '' AND status IN ('succeeded', 'failed') AND at > {as_of:DateTime64(3, 'UTC')} - INTERVAL 90 DAY AND at <= {as_of:DateTime64(3, 'UTC')}
    ),
    told AS (SELECT environment, service, source, toInt64(count()) AS n, toInt64(countIf(found_by != '')) AS known FROM runs GROUP BY environment, service, source),
    neighbours AS
    (
        SELECT environment, service, at, source, (run, told_id) AS told, lagInFrame(source) OVER w AS source_before, (lagInFrame(run) OVER w, lagInFrame(told_id) OVER w) AS told_before, lagInFrame(at) OVER w AS at_before
        FROM runs
        WINDOW w AS (PARTITION BY environment, service ORDER BY at, source, run ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    pairs AS
    (
        SELECT environment, service, least(source, source_before) AS one, greatest(source, source_before) AS other, toInt64(count()) AS n, max(at) AS latest,
               argMax(if(source < source_before, told, told_before), at) AS one_told, argMax(if(source < source_before, told_before, told), at) AS other_told
        FROM neighbours
        WHERE source_before != '' AND source != source_before AND at <= at_before + INTERVAL 30 MINUTE
        GROUP BY environment, service, one, other
    ),
    names AS (SELECT toString(source) AS source, id, any(toString(service)) AS name, any(arrayElement(revisions.repository, 1)) AS repository FROM deployments GROUP BY source, id)
SELECT p.service AS service, p.environment AS environment, p.n AS n, p.latest AS latest, toInt64(count() OVER ()) AS all,
       p.one AS one, a.n AS one_n, a.known AS one_known, p.one_told.1 AS one_run, x.name AS one_name, x.repository AS one_repository,
       p.other AS other, b.n AS other_n, b.known AS other_known, p.other_told.1 AS other_run, y.name AS other_name, y.repository AS other_repository
FROM pairs AS p
INNER JOIN told AS a ON a.environment = p.environment AND a.service = p.service AND a.source = p.one
INNER JOIN told AS b ON b.environment = p.environment AND b.service = p.service AND b.source = p.other
LEFT JOIN names AS x ON x.source = p.one AND x.id = p.one_told.2
LEFT JOIN names AS y ON y.source = p.other AND y.id = p.other_told.2
WHERE p.n >= 3 AND 2 * p.n >= least(a.n, b.n)
ORDER BY latest DESC, service, environment, one, other
LIMIT 200
