-- On average over services, which share of the capabilities that apply is on the golden path?
SELECT t, avg(golden / applicable) AS value, count() AS n
FROM
(
    SELECT t, service, countIf(state = 'golden') AS golden, count() AS applicable
    FROM @adoption
    WHERE NOT not_applicable
    GROUP BY t, service
)
GROUP BY t
