-- How is each system doing that facts come from: which of its lists are told, down to which instant, and what is left?
SELECT source AS name, max(of_system) AS system, toInt64(uniqExactIf(about, about != '')) AS subjects, toInt64(count()) AS streams,
       toInt64(uniqExactIf(about, about != '' AND result IN ('denied', 'gone', 'failed'))) AS subjects_failing,
       sumMap(map(result, toInt64(1))) AS outcomes, toInt64(sum(told)) AS facts, toInt64(sum(asked)) AS requests, max(read_at) AS succeeded_at,
       if(countIf(readable AND read_at IS NULL) > 0, NULL, minIf(read_at, readable)) AS news_up_to,
       if(countIf(open AND down_to IS NULL) > 0, NULL, maxIf(down_to, open)) AS history_back_to,
       toInt64(countIf(whole AND readable)) AS streams_complete, countIf(readable) > 0 AND countIf(open) = 0 AS complete,
       toInt64(sumIf(least(n, of_n), readable)) AS done, toInt64(sumIf(of_n, readable)) AS total,
       -- What the estimate is made of: the work that is known to be left, and how fast all streams together have been since
       -- the first of those began that are not done.
       toInt64(countIf(open AND of_n = 0)) AS streams_uncounted,
       toInt64(sumIf(of_n - least(n, of_n), open)) AS work_left, toInt64(sumIf(least(n, of_n), readable AND began >= since)) AS work_done, min(since) AS work_since
FROM
(
    SELECT toString(source) AS source, toString(system) AS of_system, subject AS about, toString(outcome) AS result, facts AS told, requests AS asked, succeeded_at AS read_at,
           reached_back AS down_to, complete AS whole, done AS n, if(complete, greatest(done, total), total) AS of_n, started_at AS began,
           outcome NOT IN ('gone', 'denied') AS readable, readable AND NOT complete AS open,
           minIf(started_at, outcome NOT IN ('gone', 'denied') AND NOT complete AND total > 0) OVER (PARTITION BY source) AS since
    FROM source_streams FINAL
    WHERE outcome != '' AND ({source:String} = '' OR source = {source:String})
)
GROUP BY name
ORDER BY name
