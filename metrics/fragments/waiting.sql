(
    SELECT service, teams, repository, change, kind, author, bot, started_at, merged_at, url, CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS deployed_at
    FROM waiting_changes FINAL
    WHERE environment = {environment:String} AND @scope
    UNION ALL
    SELECT service, teams, repository, change, kind, author, bot, started_at, assumeNotNull(merged_at) AS merged_at, url, deployed_at
    FROM attributed_changes FINAL
    WHERE environment = {environment:String} AND @scope AND deployed_at > arrayMin({instants:Array(DateTime64(3, 'UTC'))}) AND merged_at IS NOT NULL
)
