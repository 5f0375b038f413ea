-- Which changes are merged and not live, newest first?
SELECT change AS id, toString(service) AS service, toString(repository) AS repository, arrayMap(t -> toString(t), teams) AS teams, toString(kind) AS kind, toString(author) AS author, bot,
       started_at, toNullable(merged_at) AS merged_at, url
FROM (SELECT change AS id, merged_at AS at, * FROM waiting_changes FINAL WHERE environment = {environment:String} AND @scope)
WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')} AND at <= {as_of:DateTime64(3, 'UTC')} AND @newest_change
ORDER BY at DESC, service, repository, id
LIMIT {limit:UInt64}
