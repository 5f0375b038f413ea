-- How does each service cover each capability at the end of the window, by which evidence, and what was agreed about it?
SELECT toString(s.state) AS kind, concat(s.service, ' ', s.capability) AS id, s.service AS service, s.t AS at, CAST(NULL, 'Nullable(Float64)') AS value,
       NOT s.not_applicable AS counted, if(counted, '', 'an exemption says that the capability does not apply') AS reason,
       multiIf(s.state = 'unknown', 'no evidence, or none that is recent enough', s.escape_hatch, concat('newest evidence: ', toString(s.state), '; approved escape hatch'), concat('newest evidence: ', toString(s.state))) AS rule,
       '' AS deployment, s.teams AS teams,
       mapFilter((k, v) -> v != '', map(
           'capability', toString(s.capability), 'state', toString(s.state), 'evidence', ifNull(u.evidence, ''), 'observed_at', ifNull(toString(u.observed_at), ''),
           'exemption', ifNull(x.exemption, ''), 'exemption_reason', ifNull(x.reason, ''), 'exemption_until', ifNull(x.until, ''))) AS details,
       '' AS url
FROM @adoption AS s
LEFT JOIN
(
    SELECT ifNull(a.id, toString(f.service)) AS service, toString(f.capability) AS capability, argMax(f.evidence, (f.observed_at, f.version)) AS evidence, max(f.observed_at) AS observed_at
    FROM (SELECT * FROM capability_uses FINAL WHERE observed_at <= {instants:Array(DateTime64(3, 'UTC'))}[1]) AS f
    LEFT JOIN @canonical AS a ON a.alias = f.service
    GROUP BY service, capability
) AS u ON u.service = s.service AND u.capability = s.capability
LEFT JOIN
(
    SELECT ifNull(a.id, toString(f.service)) AS service, toString(f.capability) AS capability, argMax(toString(f.exemption), f.approved_at) AS exemption,
           argMax(f.reason, f.approved_at) AS reason, argMax(ifNull(toString(f.expires_at), ''), f.approved_at) AS until
    FROM (SELECT * FROM capability_exemptions FINAL WHERE approved_at <= {instants:Array(DateTime64(3, 'UTC'))}[1] AND (expires_at IS NULL OR expires_at > {instants:Array(DateTime64(3, 'UTC'))}[1])) AS f
    LEFT JOIN @canonical AS a ON a.alias = f.service
    GROUP BY service, capability
) AS x ON x.service = s.service AND x.capability = s.capability
ORDER BY service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
