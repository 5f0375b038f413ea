-- How long did changes take from their first commit to the first production run that contained them?
WITH
    quantilesExactInclusiveIf(0.5, 0.75, 0.9)(lead_ms, sample) AS q,
    arraySort(groupArrayIf(lead_ms, sample)) AS sorted,
    multiIf({statistic:String} = 'p75', 2, {statistic:String} = 'p90', 3, 1) AS i,
    [0.5, 0.75, 0.9][i] AS p,
    toInt64(floor(n * p - 1.959963984540054 * sqrt(n * p * (1 - p)))) AS lower_rank,
    toInt64(ceil(n * p + 1.959963984540054 * sqrt(n * p * (1 - p)))) + 1 AS upper_rank
SELECT
    whose,
    bucket,
    q[i] / 3600000 AS value,
    countIf(sample) AS n,
    if(lower_rank >= 1 AND upper_rank <= n, sorted[lower_rank] / 3600000, NULL) AS low,
    if(lower_rank >= 1 AND upper_rank <= n, sorted[upper_rank] / 3600000, NULL) AS high,
    q[1] / 3600000 AS p50,
    q[2] / 3600000 AS p75,
    q[3] / 3600000 AS p90,
    countIf(excluded = 'negative' AND (NOT bot OR {include_bots:Bool})) AS excluded_negative,
    countIf(bot AND NOT {include_bots:Bool}) AS excluded_bots
FROM
(
    WITH deployed_at AS at SELECT @whose AS whose, @buckets AS bucket, lead_ms, bot, excluded, excluded = '' AND (NOT bot OR {include_bots:Bool}) AS sample
    FROM attributed_changes FINAL
    WHERE environment = {environment:String} AND @scope AND @shipped AND @windows
)
GROUP BY whose, bucket
