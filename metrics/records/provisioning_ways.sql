-- In which ways was something asked of the platform, how did that end, and how long did it take? Times are of requests that
-- became ready, in hours.
SELECT way, toInt64(count()) AS requests, toInt64(countIf(isNotNull(ready_at))) AS ready, toInt64(countIf(isNull(ready_at) AND status = 'failed')) AS failed,
       toInt64(countIf(isNull(ready_at) AND status IN ('requested', 'in_progress'))) AS open, toInt64(countIf(on_platform)) AS on_platform,
       quantilesExactInclusiveIf(0.5, 0.9)(dateDiff('millisecond', at, assumeNotNull(ready_at)) / 3600000, isNotNull(ready_at)) AS to_ready,
       toInt64(countIf(isNotNull(approved_at))) AS approved,
       quantileExactInclusiveIf(0.5)(dateDiff('millisecond', at, assumeNotNull(approved_at)) / 3600000, isNotNull(approved_at)) AS to_approval
FROM @asked
GROUP BY way
ORDER BY requests DESC, way
