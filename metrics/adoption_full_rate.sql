-- Which share of the services is on the golden path for every capability that applies?
SELECT whose, t, countIf(golden = applicable) / count() AS value, count() AS n, countIf(golden = applicable) AS full
FROM
(
    SELECT @whose AS whose, t, service, countIf(state = 'golden') AS golden, count() AS applicable
    FROM @adoption
    WHERE NOT not_applicable
    GROUP BY whose, t, service
)
GROUP BY whose, t
