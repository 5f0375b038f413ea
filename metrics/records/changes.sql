-- Which changes went live, newest first, how long did each take, and by which rule is it linked?
-- The span is part of the sorting key, so that it may be applied before tellings are merged.
SELECT id, toString(service) AS service, toString(repository) AS repository, arrayMap(t -> toString(t), teams) AS teams, toString(kind) AS kind, toString(author) AS author, bot, deployment, commits,
       started_at, opened_at, merged_at, toNullable(at) AS deployed_at, toNullable(lead_ms / 3600000) AS lead,
       coding_ms / 3600000 AS coding, pickup_ms / 3600000 AS pickup, review_ms / 3600000 AS review, wait_ms / 3600000 AS wait, deploy_ms / 3600000 AS deploy,
       toString(rule) AS rule, toString(excluded) AS excluded, arrayMap(f -> toString(f), flags) AS flags, url
FROM (SELECT change AS id, deployed_at AS at, * EXCEPT (deployed_at) FROM attributed_changes FINAL PREWHERE deployed_at >= {from:DateTime64(3, 'UTC')} AND deployed_at < {to:DateTime64(3, 'UTC')} WHERE environment = {environment:String} AND @scope)
WHERE at <= {as_of:DateTime64(3, 'UTC')}
  AND ({deployment:String} = '' OR deployment = {deployment:String}) AND @newest_change
ORDER BY at DESC, service, repository, id
LIMIT {limit:UInt64}
