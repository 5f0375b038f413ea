-- Which services fit what was asked for, and how many would with each value of a facet? The rows without a facet are the
-- services. A facet counts with every condition but its own; owners come as one text, for those above them count, too.
SELECT found.1 AS facet, found.2 AS value, toInt64(count()) AS n
FROM
(
    SELECT arrayJoin(arrayConcat(
        if(fits AND of_team AND of_lifecycle AND of_tier AND of_path, [('', id)], []),
        if(fits AND of_lifecycle AND of_tier AND of_path AND notEmpty(owners), [('owner', arrayStringConcat(owners, '\n'))], []),
        if(fits AND of_team AND of_tier AND of_path, [('lifecycle', lifecycle)], []),
        if(fits AND of_team AND of_lifecycle AND of_path AND tier != '', [('tier', tier)], []),
        if(fits AND of_team AND of_lifecycle AND of_tier AND path != '', [('golden_path', path)], []))) AS found
    FROM
    (
        SELECT s.id AS id, s.lifecycle AS lifecycle, s.tier AS tier, ifNull(o.teams, []) AS owners, ifNull(a.path, '') AS path,
               positionCaseInsensitiveUTF8(concat(arrayStringConcat(arrayConcat([s.id, s.name], s.aliases, s.tags, owners), '\n'), '\n', s.description), {search:String}) > 0
                   AND ({system:String} = '' OR s.system = {system:String})
                   AND ({tag:String} = '' OR has(s.tags, {tag:String}))
                   AND ({retired:Bool} OR s.retired_at IS NULL OR s.retired_at > {as_of:DateTime64(3, 'UTC')}) AS fits,
               {any_team:Bool} OR hasAny(owners, {teams:Array(String)}) AS of_team,
               {lifecycle:String} = '' OR lifecycle = {lifecycle:String} AS of_lifecycle,
               {tier:String} = '' OR tier = {tier:String} AS of_tier,
               {golden_path:String} = '' OR path = {golden_path:String} AS of_path
        FROM @services AS s
        LEFT JOIN @owners AS o ON o.service = s.id
        LEFT JOIN
        (
            SELECT service, countIf(state = 'golden') AS golden, multiIf(golden = count(), 'full', golden > 0, 'partial', 'none') AS path
            FROM @coverage
            WHERE NOT not_applicable
            GROUP BY service
        ) AS a ON a.service = s.id
    )
)
GROUP BY facet, value
ORDER BY facet, value
