-- Which incidents did a service have?
WITH toInt64('-9223372036854775808') AS absent
SELECT id, toString(source) AS source, title, toString(severity) AS severity,
       toUnixTimestamp64Milli(started_at) AS started,
       ifNull(toUnixTimestamp64Milli(restored_at), absent) AS restored,
       ifNull(toUnixTimestamp64Milli(resolved_at), absent) AS resolved,
       toString(cause) AS cause, caused_by_deployment, url
FROM incidents FINAL
WHERE service IN {services:Array(String)}
ORDER BY source, id
