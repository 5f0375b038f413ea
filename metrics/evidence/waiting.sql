-- Which merged changes are not live, and since when do they wait?
SELECT toString(kind) AS kind, change AS id, service, merged_at AS at,
       toNullable((toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')}) - toUnixTimestamp64Milli(merged_at)) / 3600000) AS value,
       NOT bot OR {include_bots:Bool} AS counted, if(counted, '', 'all its commits were written by a machine') AS reason,
       'reachable from the default branch, from nothing that is live' AS rule, '' AS deployment, teams,
       mapFilter((k, v) -> v != '', map('repository', toString(repository), 'author', toString(author), 'started_at', toString(started_at))) AS details,
       url
FROM waiting_changes FINAL
WHERE environment = {environment:String} AND @scope AND merged_at <= {as_of:DateTime64(3, 'UTC')}
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
