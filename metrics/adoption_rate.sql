-- Which share of the services that a capability applies to is on the golden path for it, and which for each capability?
SELECT @whose AS whose, arrayJoin(if({apart:Bool}, ['', toString(capability)], [''])) AS each, t,
       countIf(NOT not_applicable AND state = 'golden') / nullIf(countIf(NOT not_applicable), 0) AS value, countIf(NOT not_applicable) AS n,
       countIf(NOT not_applicable) AS eligible,
       countIf(NOT not_applicable AND state = 'golden') AS golden,
       countIf(NOT not_applicable AND state = 'own') AS own,
       countIf(NOT not_applicable AND state = 'unknown') AS unknown,
       countIf(NOT not_applicable AND escape_hatch) AS escape_hatch
FROM @adoption
GROUP BY whose, each, t
