-- Which deployments went live in a window, of what kind was each, and how did it turn out?
SELECT toString(kind) AS kind, deployment AS id, service, at,
       if({value:String} = 'recovery' AND failed AND restored_at <= {as_of:DateTime64(3, 'UTC')}, toNullable((toUnixTimestamp64Milli(assumeNotNull(restored_at)) - toUnixTimestamp64Milli(at)) / 3600000), NULL) AS value,
       kind IN {kinds:Array(String)} AND ({value:String} != 'recovery' OR failed) AS counted,
       multiIf(counted, '', kind = 'rollback', 'a rollback brings no new version', kind = 're_release', 'a re-release brings no new version', kind = 'failed_run', 'the run never went live', {value:String} = 'recovery', 'it did not fail', 'not of the kind that is counted') AS reason,
       multiIf({value:String} = 'rework', toString(rework_rule), toString(failed_rule)) AS rule, deployment, teams,
       mapFilter((k, v) -> v != '', map('version', version_name, 'way', toString(way), 'targets', arrayStringConcat(targets, ' '), 'completed_at', toString(completed_at), 'changes', toString(changes), 'commits', toString(commits),
           'failed', if(failed, 'true', ''), 'failed_by', arrayStringConcat(failed_by, ' '), 'restored_at', ifNull(toString(restored_at), ''), 'restored_by', restored_by,
           'rework', if(rework, 'true', ''), 'rework_of', arrayStringConcat(rework_of, ' '), 'flags', arrayStringConcat(flags, ' '))) AS details,
       url
FROM (SELECT deployed_at AS at, * FROM attributed_deployments FINAL WHERE environment = {environment:String} AND @scope AND @reached)
WHERE @window AND ({value:String} != 'recovery' OR failed)
ORDER BY at, service, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
