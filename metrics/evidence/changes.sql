-- Which changes went live in a window, how long did each take, and which are no samples?
SELECT toString(kind) AS kind, change AS id, service, at,
       if(excluded = '' AND (NOT bot OR {include_bots:Bool}), toNullable(lead_ms / 3600000), NULL) AS value,
       excluded = '' AND (NOT bot OR {include_bots:Bool}) AS counted,
       multiIf(bot AND NOT {include_bots:Bool}, 'all its commits were written by a machine', excluded = 'negative', 'deployed before it was begun: its clocks disagree by more than is tolerated', '') AS reason,
       toString(rule) AS rule, deployment, teams,
       mapFilter((k, v) -> v != '', map('repository', toString(repository), 'author', toString(author), 'started_at', toString(started_at), 'opened_at', ifNull(toString(opened_at), ''), 'merged_at', ifNull(toString(merged_at), ''),
           'coding_hours', ifNull(toString(coding_ms / 3600000), ''), 'pickup_hours', ifNull(toString(pickup_ms / 3600000), ''), 'review_hours', ifNull(toString(review_ms / 3600000), ''),
           'wait_to_deploy_hours', ifNull(toString(wait_ms / 3600000), ''), 'deploy_hours', ifNull(toString(deploy_ms / 3600000), ''), 'commits', arrayStringConcat(commits, ' '), 'flags', arrayStringConcat(flags, ' '))) AS details,
       url
FROM (SELECT deployed_at AS at, * FROM attributed_changes FINAL WHERE environment = {environment:String} AND @scope AND @shipped)
WHERE @window
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
