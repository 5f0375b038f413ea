-- When did a pipeline of one of these repositories first succeed?
SELECT min(toUnixTimestamp64Milli(assumeNotNull(finished_at))) AS first, count() AS n
FROM pipeline_runs FINAL
WHERE repository IN {repositories:Array(String)} AND status = 'succeeded' AND finished_at IS NOT NULL
