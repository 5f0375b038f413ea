-- How many merged changes were not live at an instant, and for how long had they waited?
SELECT whose, t, toFloat64(count()) AS value, count() AS n,
       quantileExactInclusive(0.5)(waited) / 3600000 AS median_age, max(waited) / 3600000 AS oldest_age
FROM
(
    SELECT @whose AS whose, arrayJoin(arrayFilter(i -> merged_at <= i AND (deployed_at IS NULL OR deployed_at > i), {instants:Array(DateTime64(3, 'UTC'))})) AS t,
           toUnixTimestamp64Milli(t) - toUnixTimestamp64Milli(merged_at) AS waited
    FROM @waiting
    WHERE NOT bot OR {include_bots:Bool}
)
GROUP BY whose, t
