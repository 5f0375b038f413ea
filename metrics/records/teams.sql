-- Which teams are there, what is below each, what does it own now, and how many people belong to it? Of all that fit, total
-- counts those before and after the page, too.
WITH
    places AS
    (
        SELECT person, team FROM memberships FINAL
        WHERE valid_from <= {as_of:DateTime64(3, 'UTC')} AND (valid_to IS NULL OR valid_to > {as_of:DateTime64(3, 'UTC')}) AND person NOT IN (SELECT id FROM people FINAL WHERE bot)
        UNION ALL
        SELECT id, team FROM people FINAL WHERE NOT bot AND team != '' AND id NOT IN (SELECT person FROM memberships FINAL)
    ),
    owned AS
    (
        SELECT service, arrayJoin(teams) AS team FROM @owners
        WHERE service NOT IN (SELECT id FROM services FINAL WHERE retired_at <= {as_of:DateTime64(3, 'UTC')})
    ),
    fitting AS
    (
        SELECT * FROM @teams
        WHERE ({id:String} = '' OR id = {id:String}) AND ({parent:String} = '' OR parent = {parent:String})
          AND (positionCaseInsensitiveUTF8(concat(id, '\n', name), {search:String}) > 0)
          AND ({retired:Bool} OR retired_at IS NULL OR retired_at > {as_of:DateTime64(3, 'UTC')})
    )
SELECT t.id AS id, t.name AS name, t.parent AS parent, t.time_zone AS time_zone, t.created_at AS created_at, t.retired_at AS retired_at,
       ifNull(c.list, []) AS children, ifNull(s.list, []) AS services, toInt64(ifNull(m.n, 0)) AS members, toInt64((SELECT count() FROM fitting)) AS total
FROM (SELECT * FROM fitting WHERE id > {after:String} ORDER BY id LIMIT {limit:UInt64}) AS t
LEFT JOIN (SELECT parent, arraySort(groupArray(id)) AS list FROM @teams WHERE retired_at IS NULL OR retired_at > {as_of:DateTime64(3, 'UTC')} GROUP BY parent) AS c ON c.parent = t.id
LEFT JOIN (SELECT team, arraySort(groupUniqArray(service)) AS list FROM owned GROUP BY team) AS s ON s.team = t.id
LEFT JOIN (SELECT team, uniqExact(person) AS n FROM places GROUP BY team) AS m ON m.team = t.id
ORDER BY id
