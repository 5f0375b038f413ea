-- When did a pipeline of one of these repositories first succeed, from the given instant on?
SELECT min(toUnixTimestamp64Milli(assumeNotNull(finished_at))) AS first, count() AS n
FROM pipeline_runs FINAL
WHERE repository IN {repositories:Array(String)} AND status = 'succeeded' AND finished_at IS NOT NULL
  AND toUnixTimestamp64Milli(assumeNotNull(finished_at)) >= {since:Int64}
