-- Which change requests of a repository were merged?
WITH toInt64('-9223372036854775808') AS absent
SELECT id, author, toUnixTimestamp64Milli(created_at) AS created,
       ifNull(toUnixTimestamp64Milli(first_commit_at), absent) AS first_commit,
       ifNull(toUnixTimestamp64Milli(ready_at), absent) AS ready,
       ifNull(toUnixTimestamp64Milli(first_review_at), absent) AS first_review,
       toUnixTimestamp64Milli(assumeNotNull(merged_at)) AS merged,
       commits, landed, url
FROM change_requests FINAL
WHERE repository = {repository:String} AND merged_at IS NOT NULL
ORDER BY id
