-- Which incidents began in a window, when were they over, and what are they blamed on?
SELECT 'incident' AS kind, incident AS id, service, at,
       if(restored_at <= {as_of:DateTime64(3, 'UTC')}, toNullable(greatest(0, toUnixTimestamp64Milli(assumeNotNull(restored_at)) - toUnixTimestamp64Milli(at)) / 3600000), NULL) AS value,
       true AS counted, '' AS reason, toString(rule) AS rule, deployment, teams,
       mapFilter((k, v) -> v != '', map('title', title, 'severity', toString(severity), 'cause', toString(cause), 'restored_at', ifNull(toString(restored_at), ''), 'state', if(restored_at <= {as_of:DateTime64(3, 'UTC')}, 'over', 'open: counted as lasting longer than until now'))) AS details,
       url
FROM (SELECT started_at AS at, * FROM attributed_incidents FINAL WHERE @scope)
WHERE @window
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
