-- How does each service cover each capability now? The same as adoption says of this instant, from the newest evidence alone.
(
    SELECT s.id AS service, s.capability AS capability, ifNull(u.newest.3, 'unknown') AS state, ifNull(x.not_applicable, false) AS not_applicable, ifNull(x.escape_hatch, false) AS escape_hatch
    FROM
    (
        SELECT id, arrayJoin({capabilities:Array(String)}) AS capability
        FROM services FINAL
        WHERE lifecycle IN ('', 'production') AND (created_at IS NULL OR created_at <= {as_of:DateTime64(3, 'UTC')}) AND (retired_at IS NULL OR retired_at > {as_of:DateTime64(3, 'UTC')})
          AND ({any_service:Bool} OR id IN {services:Array(String)})
    ) AS s
    LEFT JOIN
    (
        SELECT ifNull(a.id, told.service) AS service, told.capability AS capability, max(told.newest) AS newest
        FROM
        (
            SELECT toString(service) AS service, toString(capability) AS capability, max((observed_at, version, toString(state))) AS newest
            FROM capability_uses
            WHERE observed_at <= {as_of:DateTime64(3, 'UTC')} AND observed_at >= {as_of:DateTime64(3, 'UTC')} - toIntervalSecond({signal_ttl_seconds:Int64})
              AND ({any_service:Bool} OR service IN {services:Array(String)} OR service IN (SELECT alias FROM @alias WHERE id IN {services:Array(String)}))
            GROUP BY service, capability
        ) AS told
        LEFT JOIN @alias AS a ON a.alias = told.service
        GROUP BY service, capability
    ) AS u ON u.service = s.id AND u.capability = s.capability
    LEFT JOIN
    (
        SELECT ifNull(a.id, told.service) AS service, toString(told.capability) AS capability, countIf(told.exemption = 'not_applicable') > 0 AS not_applicable, countIf(told.exemption = 'escape_hatch') > 0 AS escape_hatch
        FROM (SELECT * FROM capability_exemptions FINAL WHERE approved_at <= {as_of:DateTime64(3, 'UTC')} AND (expires_at IS NULL OR expires_at > {as_of:DateTime64(3, 'UTC')})) AS told
        LEFT JOIN @alias AS a ON a.alias = told.service
        GROUP BY service, capability
    ) AS x ON x.service = s.id AND x.capability = s.capability
)
