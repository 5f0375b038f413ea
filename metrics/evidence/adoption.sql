-- How does each service cover each capability at the end of the window?
SELECT toString(state) AS kind, concat(service, ' ', capability) AS id, service, t AS at, CAST(NULL, 'Nullable(Float64)') AS value,
       NOT not_applicable AS counted, if(counted, '', 'an exemption says that the capability does not apply') AS reason,
       multiIf(state = 'unknown', 'no evidence, or none that is recent enough', escape_hatch, concat('newest evidence: ', toString(state), '; approved escape hatch'), concat('newest evidence: ', toString(state))) AS rule,
       '' AS deployment, teams, map('capability', toString(capability), 'state', toString(state)) AS details, '' AS url
FROM @adoption
ORDER BY service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
