-- Which runs were there in a window, and what did each come to?
SELECT toString(kind) AS kind, run AS id, service, at, CAST(NULL, 'Nullable(Float64)') AS value,
       kind = 'redeploy' AS counted,
       multiIf(counted, '', kind = 'not_live', concat('ended as ', toString(status), ': never live'), concat('counted elsewhere, as ', toString(kind))) AS reason,
       toString(kind) AS rule, deployment, teams,
       mapFilter((k, v) -> v != '', map('version', version_name, 'target', toString(target), 'status', toString(status), 'way', toString(way), 'changes', toString(changes), 'commits', toString(commits), 'flags', arrayStringConcat(flags, ' '))) AS details,
       url
FROM attributed_runs FINAL
WHERE environment = {environment:String} AND @scope AND @of_target AND @window
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
