(
    SELECT
        s.t AS t, s.service AS service, s.teams AS teams, s.capability AS capability,
        if(s.observed_at IS NULL OR s.observed_at < s.t - toIntervalSecond({signal_ttl_seconds:Int64}), 'unknown', assumeNotNull(s.state)) AS state,
        countIf(x.exemption = 'not_applicable') > 0 AS not_applicable,
        countIf(x.exemption = 'escape_hatch') > 0 AS escape_hatch
    FROM
    (
        SELECT l.t AS t, l.service AS service, any(l.teams) AS teams, l.capability AS capability,
               maxOrNull(u.observed_at) AS observed_at, argMax(u.state, (u.observed_at, u.version)) AS state
        FROM
        (
            SELECT instants.t AS t, services.id AS service, capabilities.capability AS capability, groupUniqArrayIf(o.team, o.team != '' AND o.valid_from <= instants.t AND (o.valid_to IS NULL OR o.valid_to > instants.t)) AS teams
            FROM (SELECT arrayJoin({instants:Array(DateTime64(3, 'UTC'))}) AS t) AS instants
            CROSS JOIN (SELECT id, lifecycle, created_at, retired_at, aliases FROM services FINAL) AS services
            CROSS JOIN (SELECT arrayJoin({capabilities:Array(String)}) AS capability) AS capabilities
            LEFT JOIN (SELECT ifNull(a.id, o.service) AS service, o.team AS team, o.valid_from AS valid_from, o.valid_to AS valid_to FROM (SELECT * FROM ownership FINAL) AS o LEFT JOIN (SELECT id, arrayJoin(aliases) AS alias FROM services FINAL) AS a ON a.alias = o.service) AS o ON o.service = services.id
            WHERE services.lifecycle IN ('', 'production') AND (services.created_at IS NULL OR services.created_at <= instants.t) AND (services.retired_at IS NULL OR services.retired_at > instants.t)
              AND ({any_service:Bool} OR services.id IN {services:Array(String)})
            GROUP BY t, service, capability
        ) AS l
        LEFT JOIN (SELECT ifNull(a.id, u.service) AS service, u.capability AS capability, u.observed_at AS observed_at, toString(u.state) AS state, u.version AS version FROM (SELECT * FROM capability_uses FINAL) AS u LEFT JOIN (SELECT id, arrayJoin(aliases) AS alias FROM services FINAL) AS a ON a.alias = u.service) AS u
            ON u.service = l.service AND u.capability = l.capability AND u.observed_at <= l.t
        WHERE {any_team:Bool} OR hasAny(l.teams, {teams:Array(String)})
        GROUP BY t, service, capability
    ) AS s
    LEFT JOIN (SELECT ifNull(a.id, x.service) AS service, x.capability AS capability, x.exemption AS exemption, x.approved_at AS approved_at, x.expires_at AS expires_at FROM (SELECT * FROM capability_exemptions FINAL) AS x LEFT JOIN (SELECT id, arrayJoin(aliases) AS alias FROM services FINAL) AS a ON a.alias = x.service) AS x
        ON x.service = s.service AND x.capability = s.capability AND x.approved_at <= s.t AND (x.expires_at IS NULL OR x.expires_at > s.t)
    GROUP BY s.t, s.service, s.teams, s.capability, s.observed_at, s.state
)
