-- The teams that own each service now.
(
    SELECT ifNull(a.id, o.service) AS service, arraySort(groupUniqArray(o.team)) AS teams
    FROM (SELECT service, team FROM ownership FINAL WHERE valid_from <= {as_of:DateTime64(3, 'UTC')} AND (valid_to IS NULL OR valid_to > {as_of:DateTime64(3, 'UTC')})) AS o
    LEFT JOIN @canonical AS a ON a.alias = o.service
    GROUP BY service
)
