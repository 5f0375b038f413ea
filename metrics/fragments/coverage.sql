-- How did each service cover each capability at each instant, and who owned it then? What is told of a service is spread
-- over the instants that it holds at, so that the rest is joins of equal keys.
(
    SELECT s.t AS t, s.service AS service, o.teams AS teams, s.capability AS capability,
           ifNull(u.state, 'unknown') AS state, ifNull(x.not_applicable, false) AS not_applicable, ifNull(x.escape_hatch, false) AS escape_hatch
    FROM
    (
        SELECT id AS service, arrayJoin(arrayFilter(i -> (created_at IS NULL OR created_at <= i) AND (retired_at IS NULL OR retired_at > i), {instants:Array(DateTime64(3, 'UTC'))})) AS t,
               arrayJoin(arrayDistinct({capabilities:Array(String)})) AS capability
        FROM (SELECT id, created_at, retired_at FROM services FINAL WHERE lifecycle IN ('', 'production') AND ({any_service:Bool} OR id IN {services:Array(String)}))
    ) AS s
    LEFT JOIN
    (
        SELECT service, t, groupUniqArray(team) AS teams
        FROM
        (
            SELECT ifNull(a.id, told.service) AS service, told.team AS team,
                   arrayJoin(arrayFilter(i -> told.valid_from <= i AND (told.valid_to IS NULL OR told.valid_to > i), {instants:Array(DateTime64(3, 'UTC'))})) AS t
            FROM (SELECT service, team, valid_from, valid_to FROM ownership FINAL) AS told
            LEFT JOIN @canonical AS a ON a.alias = told.service
        )
        WHERE team != ''
        GROUP BY service, t
    ) AS o ON o.service = s.service AND o.t = s.t
    LEFT JOIN
    (
        SELECT service, capability, t, max(told).3 AS state
        FROM
        (
            SELECT ifNull(a.id, uses.service) AS service, uses.capability AS capability, (uses.observed_at, uses.version, uses.state) AS told,
                   arrayJoin(arrayFilter(i -> uses.observed_at <= i AND uses.observed_at >= i - toIntervalSecond({signal_ttl_seconds:Int64}), {instants:Array(DateTime64(3, 'UTC'))})) AS t
            FROM
            (
                SELECT toString(service) AS service, toString(capability) AS capability, observed_at, toString(state) AS state, version
                FROM capability_uses
                WHERE observed_at <= arrayMax({instants:Array(DateTime64(3, 'UTC'))}) AND observed_at >= arrayMin({instants:Array(DateTime64(3, 'UTC'))}) - toIntervalSecond({signal_ttl_seconds:Int64})
                  AND ({any_service:Bool} OR service IN {services:Array(String)} OR service IN (SELECT alias FROM @canonical WHERE id IN {services:Array(String)}))
            ) AS uses
            LEFT JOIN @canonical AS a ON a.alias = uses.service
        )
        GROUP BY service, capability, t
    ) AS u ON u.service = s.service AND u.capability = s.capability AND u.t = s.t
    LEFT JOIN
    (
        SELECT service, capability, t, countIf(exemption = 'not_applicable') > 0 AS not_applicable, countIf(exemption = 'escape_hatch') > 0 AS escape_hatch
        FROM
        (
            SELECT ifNull(a.id, told.service) AS service, told.capability AS capability, told.exemption AS exemption,
                   arrayJoin(arrayFilter(i -> told.approved_at <= i AND (told.expires_at IS NULL OR told.expires_at > i), {instants:Array(DateTime64(3, 'UTC'))})) AS t
            FROM (SELECT toString(service) AS service, toString(capability) AS capability, exemption, approved_at, expires_at FROM capability_exemptions FINAL) AS told
            LEFT JOIN @canonical AS a ON a.alias = told.service
        )
        GROUP BY service, capability, t
    ) AS x ON x.service = s.service AND x.capability = s.capability AND x.t = s.t
)
