-- On average over services, which share of the capabilities that apply is on the golden path?
-- The sum goes from the smallest to the largest, so that the same services give the same mean to the last digit.
SELECT whose, t, arraySum(arraySort(groupArray(golden / applicable))) / count() AS value, count() AS n
FROM
(
    SELECT @whose AS whose, t, service, countIf(state = 'golden') AS golden, count() AS applicable
    FROM @adoption
    WHERE NOT not_applicable
    GROUP BY whose, t, service
)
GROUP BY whose, t
