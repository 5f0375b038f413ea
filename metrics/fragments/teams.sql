-- Every team that a team, a person or an ownership fact names.
(
    SELECT names.id AS id, ifNull(t.name, '') AS name, ifNull(t.parent, '') AS parent, ifNull(t.time_zone, '') AS time_zone, t.created_at AS created_at, t.retired_at AS retired_at
    FROM
    (
        SELECT id FROM teams FINAL
        UNION DISTINCT SELECT parent FROM teams FINAL
        UNION DISTINCT SELECT team FROM people FINAL
        UNION DISTINCT SELECT team FROM memberships FINAL
        UNION DISTINCT SELECT team FROM ownership FINAL
    ) AS names
    LEFT JOIN (SELECT * FROM teams FINAL) AS t ON t.id = names.id
    WHERE names.id != ''
)
