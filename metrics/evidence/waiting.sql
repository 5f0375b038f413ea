-- Which merged changes were not live at the end of the window, and since when did they wait?
SELECT toString(kind) AS kind, change AS id, service, merged_at AS at,
       toNullable((toUnixTimestamp64Milli(t) - toUnixTimestamp64Milli(merged_at)) / 3600000) AS value,
       NOT bot OR {include_bots:Bool} AS counted, if(counted, '', 'all its commits were written by a machine') AS reason,
       if(deployed_at IS NULL, 'merged, and not live yet', 'merged, and live only later') AS rule, '' AS deployment, teams,
       mapFilter((k, v) -> v != '', map('repository', toString(repository), 'author', toString(author), 'started_at', toString(started_at), 'deployed_at', ifNull(toString(deployed_at), ''))) AS details,
       url
FROM
(
    SELECT arrayJoin(arrayFilter(i -> merged_at <= i AND (deployed_at IS NULL OR deployed_at > i), {instants:Array(DateTime64(3, 'UTC'))})) AS t, *
    FROM @waiting
)
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
