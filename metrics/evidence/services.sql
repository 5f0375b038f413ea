-- Which services were created in a window, how, and when were they first deployed?
SELECT 'service' AS kind, service AS id, service, at,
       if(first_run_at <= {as_of:DateTime64(3, 'UTC')} AND NOT imported, toNullable((toUnixTimestamp64Milli(assumeNotNull(first_run_at)) - toUnixTimestamp64Milli(assumeNotNull(begun))) / 86400000), NULL) AS value,
       ({value:String} = 'created' OR NOT imported AND begun IS NOT NULL) AND at >= {tracking_since:DateTime64(3, 'UTC')} AS counted,
       multiIf(counted, '', at < {tracking_since:DateTime64(3, 'UTC')}, 'created before tracking began', imported, 'in production before it was registered: an import', 'no idea date') AS reason,
       if({value:String} = 'created', created_via, if(first_run_at <= {as_of:DateTime64(3, 'UTC')}, 'first successful production run', 'not deployed yet: counted as taking longer than until now')) AS rule,
       first_run AS deployment, teams,
       mapFilter((k, v) -> v != '', map('created_at', toString(at), 'first_commit_at', ifNull(toString(first_commit_at), ''), 'first_merge_at', ifNull(toString(first_merge_at), ''), 'first_pipeline_success_at', ifNull(toString(first_pipeline_success_at), ''), 'first_run_at', ifNull(toString(first_run_at), ''), 'retired_at', ifNull(toString(retired_at), ''), 'created_via', toString(created_via))) AS details,
       '' AS url
FROM
(
    SELECT assumeNotNull(created_at) AS at, if({start:String} = 'idea_at', idea_at, created_at) AS begun, ifNull(first_run_at < created_at, false) AS imported, *
    FROM attributed_services FINAL
    WHERE created_at IS NOT NULL AND @scope
)
WHERE @window
ORDER BY at, id
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
