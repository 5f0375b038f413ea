-- Which two sources tell the deployments of one service to one environment, one within half an hour of the other's again and
-- again? That are the same deployments, told twice, as far as anybody can see.
WITH
    runs AS
    (
        SELECT toString(environment) AS environment, toString(service) AS service, toString(source) AS source, at, run, found_by
        FROM attributed_runs FINAL
        WHERE source != '' AND status IN ('succeeded', 'failed') AND at > {as_of:DateTime64(3, 'UTC')} - INTERVAL 90 DAY AND at <= {as_of:DateTime64(3, 'UTC')}
    ),
    told AS (SELECT environment, service, source, toInt64(count()) AS n, toInt64(countIf(found_by != '')) AS known FROM runs GROUP BY environment, service, source),
    neighbours AS
    (
        SELECT environment, service, at, source, run, lagInFrame(source) OVER w AS source_before, lagInFrame(run) OVER w AS run_before, lagInFrame(at) OVER w AS at_before
        FROM runs
        WINDOW w AS (PARTITION BY environment, service ORDER BY at, source, run ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    pairs AS
    (
        SELECT environment, service, least(source, source_before) AS one, greatest(source, source_before) AS other, toInt64(count()) AS n, max(at) AS latest,
               argMax(if(source < source_before, run, run_before), at) AS one_run, argMax(if(source < source_before, run_before, run), at) AS other_run
        FROM neighbours
        WHERE source_before != '' AND source != source_before AND at <= at_before + INTERVAL 30 MINUTE
        GROUP BY environment, service, one, other
    ),
    names AS (SELECT toString(source) AS source, id, any(toString(service)) AS name, any(arrayElement(revisions.repository, 1)) AS repository FROM deployments GROUP BY source, id)
SELECT p.service AS service, p.environment AS environment, p.n AS n, p.latest AS latest, toInt64(count() OVER ()) AS all,
       p.one AS one, a.n AS one_n, a.known AS one_known, p.one_run AS one_run, one_told.name AS one_name, one_told.repository AS one_repository,
       p.other AS other, b.n AS other_n, b.known AS other_known, p.other_run AS other_run, other_told.name AS other_name, other_told.repository AS other_repository
FROM pairs AS p
INNER JOIN told AS a ON a.environment = p.environment AND a.service = p.service AND a.source = p.one
INNER JOIN told AS b ON b.environment = p.environment AND b.service = p.service AND b.source = p.other
LEFT JOIN names AS one_told ON one_told.source = p.one AND one_told.id = replaceRegexpOne(if(startsWith(p.one_run, concat(p.one, ':')), substring(p.one_run, length(p.one) + 2), p.one_run), '#[0-9]+$', '')
LEFT JOIN names AS other_told ON other_told.source = p.other AND other_told.id = replaceRegexpOne(if(startsWith(p.other_run, concat(p.other, ':')), substring(p.other_run, length(p.other) + 2), p.other_run), '#[0-9]+$', '')
WHERE p.n >= 3 AND 2 * p.n >= least(a.n, b.n)
ORDER BY latest DESC, service, environment, one, other
LIMIT 200
