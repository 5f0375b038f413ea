-- Which change requests of a repository were told since the given instant?
WITH toInt64('-9223372036854775808') AS absent
SELECT id, author, toUnixTimestamp64Milli(created_at) AS created,
       ifNull(toUnixTimestamp64Milli(first_commit_at), absent) AS first_commit,
       ifNull(toUnixTimestamp64Milli(ready_at), absent) AS ready,
       ifNull(toUnixTimestamp64Milli(first_review_at), absent) AS first_review,
       ifNull(toUnixTimestamp64Milli(merged_at), absent) AS merged,
       commits, landed, url
FROM change_requests FINAL
WHERE repository = {repository:String} AND ingested_at > {since:DateTime64(6, 'UTC')}
ORDER BY id
